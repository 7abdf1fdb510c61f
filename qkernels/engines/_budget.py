"""What a request takes: memory, simulations, entries, shots. The one place where these are counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qkernels.engines._base import Diagonal, Orientation, Prepared
from qkernels.engines._draw import Draw
from qkernels.programs import ExpectationProgram, OverlapProgram, Program

__all__ = ["Footprint", "Request"]

_IN_TRANSIT = 1.5
"""A result and the finished blocks on their way into it: at most half the matrix, as only one triangle is computed."""

_SAMPLED_EXTRA = 20
"""Bytes per sampled entry beside its value: standard error, shots, and masks of known entries."""

_PAIR_INDEX = 96
"""Bytes for every pair whose outcomes are weighed: its rows, their keys and order, and the entry of weight 0."""

_SHORT_STRIPE = 256
"""Rows of the short stripe that is held against a long one while states are streamed."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an engine, by numbers of rows.

    Attributes
    ----------
    program : Program
    a, b : Prepared
        Bound rows of X and Y; b is None for the Gram matrix of X.
    num_pairs : int or None
        Where single pairs are asked for.
    draw : Draw
    diagonal : {"auto", True, False}
    orientation : {"canonical", "both"}
    weights, outcomes : bool
        Whether outcomes are weighed, and read one by one, too.
    measured_diagonal : bool
        Whether entries of a row with itself are evaluated.
    own_entries, own_shots : int
        Entries of rows with themselves that are evaluated beside those asked for, and their shots in all.
    """

    program: Program
    a: Prepared
    b: Prepared | None
    num_pairs: int | None
    draw: Draw
    diagonal: Diagonal = "auto"
    orientation: Orientation = "canonical"
    weights: bool = False
    outcomes: bool = False
    measured_diagonal: bool = False
    own_entries: int = 0
    own_shots: int = 0

    @property
    def num_rows(self) -> int:
        """Distinct rows."""
        return len(self.a.keys) + (0 if self.b is None else len(self.b.keys))

    @property
    def num_states(self) -> int:
        """Distinct rows to simulate; states that are there already cost nothing."""
        sides = [self.a] if self.b is None else [self.a, self.b]
        rows = sum(len(s.keys) for s in sides if s.data is None)
        return rows if self.num_pairs is None or self.own_entries else min(rows, 2 * self.num_pairs)

    @property
    def entries(self) -> int:
        """Distinct values to evaluate."""
        n = len(self.a.keys)
        if isinstance(self.program, ExpectationProgram):
            return n * len(self.program.terms)
        if self.num_pairs is not None:
            return self.num_pairs + self.own_entries
        if self.b is not None:
            return n * len(self.b.keys) + self.own_entries
        measured = self.measured_diagonal or (self.diagonal is True and self.draw.shots is not None)
        return n * (n - 1) // 2 + (n if measured else self.own_entries)

    @property
    def shots(self) -> int:
        """Total shots."""
        if self.draw.shots is None:
            return 0
        if isinstance(self.program, ExpectationProgram) and isinstance(self.draw.shots, int):
            labels = {label for terms in self.program.terms for label, _ in terms if set(label) != {"I"}}
            return len(self.a.keys) * len(labels) * self.draw.shots
        if self.num_pairs is not None:
            return int(np.broadcast_to(self.draw.total_shots, self.num_pairs).sum()) + self.own_shots
        return int(self.entries * self.draw.total_shots)

    @property
    def weighed_pairs(self) -> int:
        """Pairs whose outcomes are weighed or read."""
        if not self.weights and not self.outcomes:
            return 0
        n = len(self.a.keys)
        if self.num_pairs is not None:
            return self.num_pairs
        if self.b is not None:
            return n * len(self.b.keys)
        return n * (n - 1) // 2 + (n if self.measured_diagonal else 0)

    @property
    def num_weighed(self) -> int:
        """Circuits U(y)†U(x)|0⟩ that this takes: one for each pair and orientation."""
        return self.weighed_pairs * (2 if self.orientation == "both" else 1)

    @property
    def num_classes(self) -> int:
        """Weights that an outcome can have."""
        return self.program.num_patches + 1 if isinstance(self.program, OverlapProgram) else 0

    @property
    def result_bytes(self) -> int:
        """The answer, with everything of its size that is held at the same time."""
        if isinstance(self.program, ExpectationProgram):
            labels = {label for terms in self.program.terms for label, _ in terms}
            return self.a.num_samples * 8 * (3 * len(labels) + 4 * len(self.program.terms))
        other = self.a if self.b is None else self.b
        per_entry = 8 * self.draw.num_values
        if self.draw.shots is not None:
            per_entry += _SAMPLED_EXTRA + (8 if self.draw.num_values == 2 else 0)
        entry = 8 * self.draw.num_values  # while distinct rows are filled in
        if self.weights:
            per_entry += 8 * self.num_classes
            entry += 8 * self.num_classes
        if self.outcomes:
            n = self.program.num_qubits
            each = 8 << n if self.draw.shots is None else int(self.draw.total_shots) * -(-n // 8)
            per_entry += each
            entry += each
        index = self.weighed_pairs * _PAIR_INDEX
        if self.num_pairs is not None:
            return self.num_pairs * (per_entry + 32) + index
        total = self.a.num_samples * other.num_samples * per_entry
        if self.a.inverse is not None or other.inverse is not None:  # distinct rows first, then all rows
            total += len(self.a.keys) * len(other.keys) * entry
        return total + index


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of a request on one engine, in bytes.

    Attributes
    ----------
    state : int
        One state.
    work : int
        Work space of all threads.
    limit : int
    result : int
    num_states : int
    """

    state: int
    work: int
    limit: int
    result: int
    num_states: int

    @property
    def whole(self) -> int:
        """All states at once."""
        return self.num_states * self.state + self.smallest_without_states

    @property
    def smallest(self) -> int:
        """Two states at a time and one on its way."""
        return 3 * self.state + self.smallest_without_states

    @property
    def smallest_without_states(self) -> int:
        """Result and work space."""
        return int(_IN_TRANSIT * self.result) + self.work

    @property
    def feasible(self) -> bool:
        """Whether the request fits, streamed if need be."""
        return min(self.whole, self.smallest) <= self.limit

    @property
    def fits_whole(self) -> bool:
        """Whether all states fit at once."""
        return self.whole <= self.limit

    @property
    def rows_in_memory(self) -> int:
        """States that fit at once beside the result."""
        return max(2, (self.limit - self.smallest_without_states) // self.state)

    @property
    def stripes(self) -> tuple[int, int]:
        """Rows of the long and of the short stripe of a streamed matrix."""
        rows = self.rows_in_memory
        short = max(1, min(rows // 4, _SHORT_STRIPE))
        return rows - short, short

    def simulations(self, n_a: int, n_b: int | None) -> int:
        """States evolved for a matrix: each once where they fit, again for every long stripe where they do not."""
        if self.fits_whole:
            return self.num_states
        long, _ = self.stripes
        starts = range(0, n_a, long)
        if n_b is not None:
            return n_a + len(starts) * n_b
        return n_a + sum(n_a - min(s + long, n_a) for s in starts)
