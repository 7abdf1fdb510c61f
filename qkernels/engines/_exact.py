"""What all noiseless engines share: duplicates, caching, memory, blocks, content-keyed shots.

A subclass says how states are evolved and how a block of overlaps follows from them; everything that decides whether
two calls agree (symmetry, the diagonal, which draw belongs to which pair) is here, once.
"""

from __future__ import annotations

import hashlib
import secrets
from abc import abstractmethod
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidDataError, InvalidParameterError
from qkernels.engines import _shared_store
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._cache import CACHE
from qkernels.engines._draw import Draw
from qkernels.engines._memory import MemoryLimit, resolve_memory_limit
from qkernels.engines._parallel import run_tasks
from qkernels.engines._rows import as_scalars, bind_rows, check_pairs, equal_rows
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
    format_bytes,
    is_count,
    sample_frequencies,
    single_uniforms,
    wilson_stderr,
)

__all__ = ["ExactEngine"]

_NEEDS = frozenset({"diagonal", "orientations"})

_PAIR_CHUNK = 4096
"""Pairs evaluated at once when single pairs are asked for."""

Values = NDArray[np.float64]


class ExactEngine(Engine):
    """Base of the noiseless engines (abstract): a subclass evolves states and multiplies them."""

    def __init__(
        self, *, shots: int | None = None, seed: int | None = None, memory_limit: MemoryLimit = "auto"
    ) -> None:
        owner = type(self).__name__
        if shots is not None and (isinstance(shots, bool) or not isinstance(shots, (int, np.integer)) or shots < 1):
            raise InvalidParameterError(
                f"shots of {owner} must be None (exact values) or an integer >= 1, got {shots!r}."
            )
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise InvalidParameterError(
                f"seed of {owner} must be None or an integer >= 0, got {seed!r}. None draws one and keeps it."
            )
        resolve_memory_limit(memory_limit, owner)
        self.shots = None if shots is None else int(shots)
        self.seed = secrets.randbelow(2**31) if seed is None else int(seed)
        self.memory_limit = memory_limit

    @property
    def is_exact(self) -> bool:
        return self.shots is None

    def __repr__(self) -> str:
        shown: dict[str, object] = {} if self.shots is None else {"shots": self.shots, "seed": self.seed}
        shown |= {"memory_limit": self.memory_limit} if self.memory_limit != "auto" else {}
        shown |= self._repr_options()
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    # What a subclass provides -----------------------------------------------------------------------------------

    def _repr_options(self) -> dict[str, object]:
        return {}

    @property
    @abstractmethod
    def _tag(self) -> str:
        """Names the kind of states and their precision: a part of every cache key."""

    @abstractmethod
    def _compile(self, program: Program) -> Any:
        """The program in the engine's executable form (cached by program key)."""

    @abstractmethod
    def _state_bytes(self, program: Program) -> int:
        """Bytes of one state."""

    @abstractmethod
    def _work_bytes(self, program: Program) -> int:
        """Bytes of work space beside states and results."""

    @abstractmethod
    def _evolve(self, compiled: Any, angles: NDArray[np.float64]) -> Any:
        """States of all rows of angles."""

    @abstractmethod
    def _block(self, a: Any, rows: slice, b: Any, columns: slice) -> Values:
        """Overlaps of two ranges of states, shape (rows, columns)."""

    @abstractmethod
    def _pair_values(self, a: Any, i: NDArray[np.intp], b: Any, j: NDArray[np.intp]) -> Values:
        """Overlaps of single pairs, shape (n_pairs,)."""

    @abstractmethod
    def _pauli_values(self, states: Any, labels: list[str]) -> Values:
        """Expectation values of Pauli strings, shape (n_samples, n_labels)."""

    def _check(self, program: Program) -> None:
        """Raise UnsupportedCircuitError where the engine cannot evaluate the program; must be cheap at any size."""
        self._compiled(program)

    def _block_rows(self, program: Program) -> int:
        """Rows and columns of one block of overlaps."""
        return 256

    # Preparation ------------------------------------------------------------------------------------------------

    def _compiled(self, program: Program) -> Any:
        key = ("compiled", type(self).__name__, program.key)
        return CACHE.compute(key, lambda: self._compile(program), lambda c: int(getattr(c, "nbytes", 1 << 16)))

    def _bind(self, program: Program, X: ArrayLike | Prepared, theta: ArrayLike | None, name: str) -> Prepared:
        """Rows of X as distinct bound angles with their keys; no states yet."""
        if isinstance(X, Prepared):
            if X.program_key != program.key or X.engine != self._tag:
                raise InvalidParameterError(
                    f"{name} was prepared for another program or by another engine ({X.engine}, program "
                    f"{X.program_key[:12]}…), not for {self._tag}, program {program.key[:12]}…. "
                    f"Call prepare again with this engine and program."
                )
            return X
        raw = np.asarray(X)
        content = hashlib.blake2b(np.ascontiguousarray(raw).tobytes(), digest_size=16)
        content.update(f"{raw.shape}{raw.dtype}".encode())
        content.update(b"" if theta is None else np.asarray(theta, dtype=float).tobytes())
        key: Hashable = ("rows", self._tag, program.key, content.hexdigest())
        if raw.dtype == object:
            return bind_rows(program, X, theta, name, self._tag)
        return CACHE.compute(key, lambda: bind_rows(program, X, theta, name, self._tag), lambda p: p.nbytes)

    def _with_states(self, program: Program, bound: Prepared) -> Prepared:
        """The same rows with their states, from the cache where they are there."""
        if bound.data is not None:
            return bound

        def evolve() -> Prepared:
            states = self._evolve(self._compiled(program), bound.angles)
            return replace(bound, data=states, nbytes=bound.nbytes + len(bound.keys) * self._state_bytes(program))

        return CACHE.compute(("states", self._tag, program.key, bound.digest), evolve, lambda p: p.nbytes)

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        bound = self._bind(program, X, theta, "X")
        self._check(program)
        needed = len(bound.keys) * self._state_bytes(program) + self._work_bytes(program)
        if needed > self._limit:
            raise BudgetError(self._too_large(program, needed, len(bound.keys)))
        return self._with_states(program, bound)

    # Overlaps ---------------------------------------------------------------------------------------------------

    def overlaps(
        self,
        program: OverlapProgram,
        X: ArrayLike | Prepared,
        Y: ArrayLike | Prepared | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
    ) -> Overlaps:
        self._check_options(diagonal, need, orientation)
        if not isinstance(program, OverlapProgram):
            raise InvalidParameterError(f"program of overlaps must be an OverlapProgram, got {type(program).__name__}.")
        a = self._bind(program, X, theta, "X")
        b = None if Y is None else self._bind(program, Y, theta, "Y")
        index = None if pairs is None else check_pairs(pairs, a.num_samples, (b or a).num_samples)
        plan = self._plan(program, a, b, index, diagonal)
        if not plan.feasible:
            raise BudgetError(plan.reason)
        draw = Draw(None, 0, "canonical") if self.shots is None else Draw(self.shots, self.seed, orientation)
        if index is not None:
            frequencies = self._evaluate_pairs(program, a, b or a, index, draw)
        else:
            key = ("matrix", self._tag, program.key, a.digest, b and b.digest, draw)
            frequencies = CACHE.compute(key, lambda: self._evaluate(key, program, a, b, draw), lambda v: v.nbytes)
        return self._answer(frequencies, a, b, index, diagonal, need, draw, program)

    def _evaluate(self, key: Hashable, program: OverlapProgram, a: Prepared, b: Prepared | None, draw: Draw) -> Values:
        def compute() -> Values:
            CACHE.count_evaluation()
            return self._evaluate_matrix(program, a, b, draw)

        values = _shared_store.share(repr(key), compute)
        values.setflags(write=False)
        return values

    def _evaluate_matrix(self, program: OverlapProgram, a: Prepared, b: Prepared | None, draw: Draw) -> Values:
        """The matrix over distinct rows by blocks, then expanded to all rows."""
        other = a if b is None else b
        leading = (2,) if draw.shots is not None and draw.orientation == "both" else ()
        out = np.empty((*leading, len(a.keys), len(other.keys)))
        rows = self._block_rows(program)
        if self._whole(program, a, b, out.nbytes):
            a = self._with_states(program, a)
            other = a if b is None else self._with_states(program, b)
        else:  # stream: longest side that lets two blocks of states and their product fit
            free = self._limit - out.nbytes - self._work_bytes(program)
            rows = max(1, min(4096, free // (3 * self._state_bytes(program))))
        compiled = self._compiled(program)
        for i in range(0, len(a.keys), _stripe(rows, a.data)):
            i_rows = slice(i, min(i + _stripe(rows, a.data), len(a.keys)))
            left = self._states_of(compiled, a, i_rows)
            start = i if b is None else 0
            for j in range(start, len(other.keys), _stripe(rows, other.data)):
                j_rows = slice(j, min(j + _stripe(rows, other.data), len(other.keys)))
                right = left if other is a and j_rows == i_rows else self._states_of(compiled, other, j_rows)
                self._fill(out, i_rows, left, a.keys[i_rows], j_rows, right, other.keys[j_rows], rows, draw, b is None)
        self._set_equal_rows(out, a, b)
        if a.inverse is not None:
            out = out[..., a.inverse, :]
        if other.inverse is not None:
            out = out[..., other.inverse]
        return np.ascontiguousarray(out)

    def _states_of(self, compiled: Any, bound: Prepared, rows: slice) -> Any:
        return bound.data if bound.data is not None else self._evolve(compiled, bound.angles[rows])

    def _fill(
        self,
        out: Values,
        i_rows: slice,
        left: Any,
        left_keys: NDArray[np.uint64],
        j_rows: slice,
        right: Any,
        right_keys: NDArray[np.uint64],
        rows: int,
        draw: Draw,
        symmetric: bool,
    ) -> None:
        """Blocks of one rectangle of the matrix; its mirror image too where the matrix is a Gram matrix."""
        triangle = symmetric and left is right
        columns = rows if triangle else rows * max(1, rows // len(left_keys))  # few rows: one wide block, no threads
        tasks = [
            (slice(i, min(i + rows, len(left_keys))), slice(j, min(j + columns, len(right_keys))))
            for i in range(0, len(left_keys), rows)
            for j in range(i if triangle else 0, len(right_keys), columns)
        ]

        def block(i: slice, j: slice) -> Values:
            return draw(self._block(left, i, right, j), left_keys[i, None], right_keys[None, j])

        for (i, j), values in zip(tasks, run_tasks(block, tasks), strict=True):
            target_i = slice(i_rows.start + i.start, i_rows.start + i.stop)
            target_j = slice(j_rows.start + j.start, j_rows.start + j.stop)
            if triangle and i == j:  # exactly symmetric, whatever the rounding of the product
                upper = np.triu(values)
                values = upper + np.swapaxes(np.triu(values, 1), -1, -2)
            out[..., target_i, target_j] = values
            if symmetric and (not triangle or i != j):
                out[..., target_j, target_i] = np.swapaxes(values, -1, -2)

    def _set_equal_rows(self, out: Values, a: Prepared, b: Prepared | None) -> None:
        """A row with itself has overlap 1 without noise, also across train and test."""
        if b is None:
            i = j = np.arange(len(a.keys))
        else:
            _, i, j = np.intersect1d(as_scalars(a.keys), as_scalars(b.keys), return_indices=True)
        out[..., i, j] = 1.0

    def _evaluate_pairs(
        self, program: OverlapProgram, a: Prepared, b: Prepared, pairs: NDArray[np.intp], draw: Draw
    ) -> Values:
        CACHE.count_evaluation()
        i = pairs[:, 0] if a.inverse is None else a.inverse[pairs[:, 0]]
        j = pairs[:, 1] if b.inverse is None else b.inverse[pairs[:, 1]]
        a, b = self._with_states(program, a), self._with_states(program, b)
        chunks = [(s := slice(k, k + _PAIR_CHUNK), i[s], j[s]) for k in range(0, len(pairs), _PAIR_CHUNK)]

        def chunk(_: slice, ii: NDArray[np.intp], jj: NDArray[np.intp]) -> Values:
            return draw(self._pair_values(a.data, ii, b.data, jj), a.keys[ii], b.keys[jj])

        values = np.concatenate(list(run_tasks(chunk, chunks)), axis=-1)
        values[..., (a.keys[i] == b.keys[j]).all(axis=1)] = 1.0
        return values

    def _answer(
        self,
        frequencies: Values,
        a: Prepared,
        b: Prepared | None,
        pairs: NDArray[np.intp] | None,
        diagonal: Diagonal,
        need: Need,
        draw: Draw,
        program: OverlapProgram,
    ) -> Overlaps:
        info: dict[str, str | int | float | bool] = {
            "engine": repr(self),
            "program": program.key,
            "diagonal": "1 without noise" if diagonal is not True or draw.shots is None else "sampled",
        }
        if draw.shots is None:
            orientations = np.stack([frequencies, frequencies]) if "orientations" in need else None
            return Overlaps(frequencies, orientations=orientations, info=info)
        both = draw.orientation == "both"
        values = frequencies.mean(axis=0) if both else frequencies
        shots = 2 * (draw.shots // 2) if both else draw.shots
        stderr = wilson_stderr(values, shots)
        num_shots = np.full(values.shape, shots, dtype=np.int64)
        if diagonal is not True:
            known = equal_rows(a, b, pairs)
            stderr[known] = 0.0
            num_shots[known] = 0
        orientations = None
        if "orientations" in need:
            orientations = frequencies if both else np.stack([frequencies, frequencies])
        info |= {"seed": draw.seed, "shots": shots}
        return Overlaps(values, stderr, num_shots, orientations=orientations, info=info)

    def _check_options(self, diagonal: Diagonal, need: Need, orientation: Orientation) -> None:
        owner = type(self).__name__
        if not (diagonal is True or diagonal is False or (isinstance(diagonal, str) and diagonal == "auto")):
            raise InvalidParameterError(f"diagonal must be 'auto', True or False, got {diagonal!r}.")
        if unknown := sorted(set(need) - _NEEDS):
            raise InvalidParameterError(
                f"need={unknown} is not available from {owner}, which gives {sorted(_NEEDS)}. Measured bits and "
                "weights come from engines that run circuits."
            )
        if orientation not in ("canonical", "both"):
            raise InvalidParameterError(f"orientation must be 'canonical' or 'both', got {orientation!r}.")
        if orientation == "both" and self.shots is not None and self.shots < 2:
            raise InvalidParameterError(
                f"orientation='both' splits the shots over two circuits: shots of {owner} must be >= 2, "
                f"got {self.shots}."
            )

    # Expectations -----------------------------------------------------------------------------------------------

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        if not isinstance(program, ExpectationProgram):
            raise InvalidParameterError(
                f"program of expectations must be an ExpectationProgram, got {type(program).__name__}."
            )
        bound = self._bind(program, X, theta, "X")
        plan = self._plan(program, bound, None, None, "auto")
        if not plan.feasible:
            raise BudgetError(plan.reason)
        terms = program.terms
        labels = sorted({label for t in terms for label, _ in t})
        whole = self._whole(program, bound, None, bound.angles.shape[0] * len(labels) * 8)
        compiled = self._compiled(program)
        if whole:
            bound = self._with_states(program, bound)
            paulis = self._pauli_values(bound.data, labels)
        else:
            rows = max(1, (self._limit - self._work_bytes(program)) // (3 * self._state_bytes(program)))
            stripes = [bound.angles[k : k + rows] for k in range(0, len(bound.keys), rows)]
            paulis = np.concatenate([self._pauli_values(self._evolve(compiled, s), labels) for s in stripes])
        variances = np.zeros_like(paulis)
        if self.shots is not None:
            for k, label in enumerate(labels):
                if set(label) != {"I"}:
                    u = single_uniforms(bound.keys, self.seed, f"{label},shots={self.shots}")
                    frequency = sample_frequencies(0.5 + 0.5 * paulis[:, k], u, self.shots)
                    paulis[:, k] = 2.0 * frequency - 1.0
                    variances[:, k] = (2.0 * wilson_stderr(frequency, self.shots)) ** 2
        coefficients = np.zeros((len(labels), len(terms)))
        for k, observable in enumerate(terms):
            for label, c in observable:
                coefficients[labels.index(label), k] += c
        values, stderr = paulis @ coefficients, np.sqrt(variances @ coefficients**2)
        if bound.inverse is not None:
            values, stderr = values[bound.inverse], stderr[bound.inverse]
        info: dict[str, str | int | float | bool] = {"engine": repr(self), "program": program.key}
        if self.shots is None:
            return Expectations(values, info=info)
        return Expectations(values, stderr, self.shots, info | {"seed": self.seed})

    # Memory and plans -------------------------------------------------------------------------------------------

    @property
    def _limit(self) -> int:
        return resolve_memory_limit(self.memory_limit, type(self).__name__)

    def _whole(self, program: Program, a: Prepared, b: Prepared | None, result: int) -> bool:
        """Whether all states fit at once beside the result and the work space."""
        states = sum(len(p.keys) for p in (a, b) if p is not None and p.data is None) * self._state_bytes(program)
        return states + 1.5 * result + self._work_bytes(program) <= self._limit

    def plan(
        self,
        program: Program,
        X: ArrayLike | int,
        Y: ArrayLike | int | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
    ) -> Plan:
        self._check_options(diagonal, need, orientation)
        a = self._row_source(program, X, theta, "X")
        b = None if Y is None else self._row_source(program, Y, theta, "Y")
        index = None if pairs is None else check_pairs(pairs, a.num_samples, (b or a).num_samples)
        return self._plan(program, a, b, index, diagonal)

    def _row_source(self, program: Program, X: ArrayLike | int, theta: ArrayLike | None, name: str) -> Prepared:
        if not is_count(X):
            return self._bind(program, X, theta, name)
        count = int(X)  # type: ignore[arg-type]
        if count < 1:
            raise InvalidDataError(f"{name} as a row count must be >= 1, got {X!r}.")
        keys = np.broadcast_to(np.zeros(2, dtype=np.uint64), (count, 2))
        return Prepared(program.key, self._tag, "", keys, None, np.empty((0, 0)), None, 0)

    def _plan(
        self, program: Program, a: Prepared, b: Prepared | None, pairs: NDArray[np.intp] | None, diagonal: Diagonal
    ) -> Plan:
        self._check(program)
        n_a, n_b = len(a.keys), 0 if b is None else len(b.keys)
        if isinstance(program, ExpectationProgram):
            entries = n_a * len(program.terms)
            result = a.num_samples * len(program.terms) * 16
        elif pairs is not None:
            entries, result = len(pairs), 16 * len(pairs)
        else:
            measured = n_a if diagonal is True and self.shots is not None else 0
            entries = n_a * n_b if b is not None else n_a * (n_a - 1) // 2 + measured
            result = a.num_samples * (b or a).num_samples * 8 * (1 if self.shots is None else 3)
        state, work, limit = self._state_bytes(program), self._work_bytes(program), self._limit
        everything = (n_a + n_b) * state + int(1.5 * result) + work
        smallest = everything if pairs is not None else 3 * state + int(1.5 * result) + work
        feasible = smallest <= limit
        return Plan(
            engine=repr(self),
            num_qubits=program.num_qubits,
            circuits=n_a + n_b,
            entries=entries,
            shots=entries * (self.shots or 0),
            memory_bytes=everything if everything <= limit else max(smallest, min(limit, everything)),
            memory_limit_bytes=limit,
            feasible=feasible,
            reason="" if feasible else self._too_large(program, smallest, n_a + n_b),
        )

    def _too_large(self, program: Program, needed: int, rows: int) -> str:
        state = self._state_bytes(program)
        return (
            f"{program.num_features} features on {program.num_qubits} qubits, {rows} rows: one state takes "
            f"{format_bytes(state)} and the request at least {format_bytes(needed)}, but memory_limit of "
            f"{type(self).__name__} is {format_bytes(self._limit)}. {self._advice(program, rows)}"
        )

    def _advice(self, program: Program, rows: int) -> str:
        return "Reduce X (PCA, fewer rows), or raise memory_limit."


def _stripe(rows: int, data: object) -> int:
    """Rows evolved together: all of them where the states are there already."""
    return rows if data is None else 1 << 62
