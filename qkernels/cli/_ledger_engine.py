"""An engine that answers from a ledger alone: what is not there is refused or left out, never measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import ExecutionError
from qkernels.cli._rehearsal import TRAINING
from qkernels.engines import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram, Overlaps, Plan, Program

if TYPE_CHECKING:
    from qkernels_hardware import RuntimeEngine

__all__ = ["Answer", "LedgerEngine"]

Values = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the ledger had of a request.

    Attributes
    ----------
    found : Overlaps or Expectations
        With placeholders for what is missing.
    blocks, tiles : ndarray of int64
        As `RuntimeEngine.held` gives them.
    """

    found: Overlaps | Expectations
    blocks: Whole
    tiles: Whole

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where there is a result."""
        return np.asarray(self.blocks >= 0)


class LedgerEngine(Engine):
    """Answers requests from the ledger of another engine.

    Parameters
    ----------
    engine : RuntimeEngine
    partial : bool
        Whether missing entries get placeholders (1/2, expectation values 0), instead of an error.

    Attributes
    ----------
    answers : dict of str to Answer
        The first one to each kind of request.
    what : str
        Kind of the requests to come.
    """

    def __init__(self, engine: RuntimeEngine, *, partial: bool = False) -> None:
        self._engine, self._partial = engine, partial
        self.answers: dict[str, Answer] = {}
        self.what = TRAINING

    @property
    def is_exact(self) -> bool:
        """False."""
        return False

    def __repr__(self) -> str:
        return repr(self._engine)

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
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Overlaps:
        """Overlaps that the ledger holds."""
        a, b = np.asarray(X, dtype=np.float64), None if Y is None else np.asarray(Y, dtype=np.float64)
        settings: dict[str, Any] = {
            "theta": theta, "diagonal": diagonal, "orientation": orientation, "shots": shots, "repetition": repetition
        }  # fmt: skip
        blocks, tiles = self._engine.held(program, a, b, pairs=pairs, **settings)
        lacking = int((blocks < 0).sum())
        if "diagonal" in need:
            for side in (a,) if b is None else (a, b):
                selves = np.repeat(np.arange(len(side)), 2).reshape(-1, 2)
                own, _ = self._engine.held(program, side, pairs=selves, theta=theta, orientation=orientation)
                lacking += int((own < 0).sum())
        if not lacking:
            found = self._engine.overlaps(program, a, b, pairs=pairs, need=need, **settings)
        else:
            self._refuse(lacking, blocks.size)
            found = self._filled(program, a, b, pairs, need, settings, blocks >= 0)
        self.answers.setdefault(self.what, Answer(found, blocks, tiles))
        return found

    def _filled(
        self,
        program: OverlapProgram,
        a: Values,
        b: Values | None,
        pairs: ArrayLike | None,
        need: Need,
        settings: dict[str, Any],
        mask: NDArray[np.bool_],
    ) -> Overlaps:
        """The entries that are there, and placeholders."""
        values, stderr, num_shots = np.full(mask.shape, 0.5), np.zeros(mask.shape), np.zeros(mask.shape, dtype=np.int64)
        weights = np.zeros((*mask.shape, program.num_patches + 1)) if "weights" in need else None
        if weights is not None:
            weights[..., 0] = weights[..., -1] = 0.5
        where = np.argwhere(mask if b is not None or pairs is not None else np.triu(mask))
        if len(where):
            listed = where if pairs is None else np.asarray(pairs)[where[:, 0]]
            some = self._engine.overlaps(program, a, b, pairs=listed, need=set(need) & {"weights"}, **settings)
            for at in (tuple(where.T), tuple(where.T[::-1])) if b is None and pairs is None else (tuple(where.T),):
                values[at] = some.values
                if some.stderr is not None and some.num_shots is not None:
                    stderr[at], num_shots[at] = some.stderr, some.num_shots
                if weights is not None and some.weights is not None:
                    weights[at] = some.weights
        return Overlaps(values, stderr, num_shots, weights=weights)

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        """Expectation values that the ledger holds."""
        rows = np.asarray(X, dtype=np.float64)
        blocks, tiles = self._engine.held(program, rows, theta=theta)
        mask = blocks >= 0
        if mask.all():
            found = self._engine.expectations(program, rows, theta=theta)
        else:
            self._refuse(int((~mask).sum()), len(rows))
            values = np.zeros((2, len(rows), len(program.terms)))
            if mask.any():
                some = self._engine.expectations(program, rows[mask], theta=theta)
                values[0, mask], values[1, mask] = some.values, 0.0 if some.stderr is None else some.stderr
            found = Expectations(values[0], values[1])
        self.answers.setdefault(self.what, Answer(found, blocks, tiles))
        return found

    def _refuse(self, lacking: int, count: int) -> None:
        if not self._partial:
            raise ExecutionError(
                f"Ledger {self._engine.ledger_path} lacks {lacking:,} of {count:,} entries of the {self.what}."
            )

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> NoReturn:
        """Refuse: a ledger has no states."""
        raise ExecutionError("A ledger has no states; give rows to overlaps.")

    def plan(self, program: Program, X: ArrayLike | int, Y: ArrayLike | int | None = None, **options: Any) -> Plan:
        """The plan of the engine behind it."""
        return self._engine.plan(program, X, Y, **options)
