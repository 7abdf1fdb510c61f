"""One engine at several noise strengths: what is asked of it at each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._calls import EngineCall
from qkernels.engines._expectations import pauli_labels
from qkernels.engines._folding import folded, renamed
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
    format_bytes,
    is_count,
)

__all__ = ["Strengths"]

Rows = ArrayLike | Prepared | int
P = TypeVar("P", bound=Program)


@dataclass(frozen=True, slots=True, eq=False)
class Strengths:
    """An engine at several noise strengths.

    Attributes
    ----------
    factors : tuple of float
    engines : tuple of Engine
        One for every factor, scaled; the same one where gates are folded. All lengths then run on the qubits of the
        program itself: others have other errors.
    method : {"scale", "fold"}
    shots : int or None
        Of the engine.
    """

    factors: tuple[float, ...]
    engines: tuple[Engine, ...]
    method: Literal["scale", "fold"]
    shots: int | None

    @classmethod
    def of(cls, engine: Engine, factors: tuple[float, ...], scaled: tuple[Engine, ...] | None) -> Strengths:
        """The engine with its noise scaled to every factor, or itself where gates are folded."""
        shots: int | None = getattr(engine, "shots", None)
        if scaled is None:
            return cls(factors, (engine,) * len(factors), "fold", shots)
        return cls(factors, scaled, "scale", shots)

    @property
    def tag(self) -> str:
        """Names what `prepare` gives; the engines look at their own part."""
        return f"zero-noise/{self.method}/{self.factors}"

    # Requests at every factor -----------------------------------------------------------------------------------

    def overlaps(self, program: OverlapProgram, X: Rows, Y: Rows | None, **options: Any) -> list[list[Overlaps]]:
        """Answers to the `calls`: overlaps at every factor; then, if they are asked for, self-values of each side."""
        found = [
            call.engine.overlaps(
                cast(OverlapProgram, call.program), cast(Any, call.X), cast(Any, call.Y), **call.options
            )
            for call in self.calls(program, X, Y, **options)
        ]
        n = len(self.factors)
        return [found[k : k + n] for k in range(0, len(found), n)]

    def expectations(self, program: ExpectationProgram, X: ArrayLike, theta: ArrayLike | None) -> list[Expectations]:
        """Expectation values at every factor."""
        return [engine.expectations(run, X, theta=theta) for engine, run in self._runs(program)]

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None, limit: int) -> Prepared:
        """The states at every factor, in at most `limit` bytes.

        Raises
        ------
        BudgetError
            All together do not fit.
        """
        parts: list[Prepared] = []
        for engine, run in self._runs(program):
            parts.append(engine.prepare(run, X, theta))
            needed = len(self.factors) * parts[0].nbytes
            if needed > limit:
                raise BudgetError(
                    f"States at {len(self.factors)} noise strengths take {format_bytes(needed)}, but memory_limit of "
                    f"{type(engine).__name__} is {format_bytes(limit)}. Prepare fewer rows, give X itself to overlaps, "
                    "or raise memory_limit."
                )
        nbytes = sum(part.nbytes for part in parts)
        return replace(parts[0], program_key=program.key, engine=self.tag, data=tuple(parts), nbytes=nbytes)

    def plan(
        self,
        plans: Sequence[Plan],
        program: Program,
        X: Rows,
        Y: Rows | None,
        pairs: ArrayLike | None,
        need: Need,
        orientation: Orientation,
    ) -> Plan:
        """The plan of all factors together, from those of the `calls`."""
        first, own = plans[0], plans[len(self.factors) :]
        held = self.held_bytes(program, X, Y, pairs, need, orientation)
        total = replace(
            reduce(add, plans),
            engine=first.engine,
            num_qubits=program.num_qubits,
            entries=first.entries + sum(p.entries for p in own) // len(self.factors),
            memory_bytes=max(p.memory_bytes for p in plans) + held,
            memory_limit_bytes=first.memory_limit_bytes,
        )
        if obstacle := next((p.obstacle for p in plans if p.obstacle), ""):
            return total.hindered(obstacle)
        if total.memory_bytes > total.memory_limit_bytes:
            return total.hindered(self.too_large(held, total.memory_limit_bytes, total.memory_bytes - held))
        return total

    def calls(
        self,
        program: Program,
        X: Rows,
        Y: Rows | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        repetition: int = 0,
    ) -> Iterator[EngineCall]:
        """The requests at every factor; then, where `need` asks for more of the diagonal, those of the self-values.

        One after another, as `_runs`.
        """
        requests: list[tuple[Rows, Rows | None, dict[str, Any]]] = [
            (X, Y, {"pairs": pairs, "diagonal": diagonal, **self._asked(need, orientation)})
        ]
        if "diagonal" in need and not _holds_diagonal(Y, pairs, diagonal):
            requests += [
                (rows, None, {"pairs": _selves(rows), "diagonal": True, **self._asked((), orientation)})
                for rows in ([X] if Y is None else [X, Y])
            ]
        for x, y, options in requests:
            for k, (engine, run) in enumerate(self._runs(program)):
                a = self._part(program, x, k, "X")
                b = None if y is None else self._part(program, y, k, "Y")
                yield EngineCall(
                    engine, run, a, b, {"theta": theta, "repetition": self._repetition(repetition, k), **options}
                )

    # Memory -----------------------------------------------------------------------------------------------------

    def held_bytes(
        self,
        program: Program,
        X: Rows,
        Y: Rows | None,
        pairs: ArrayLike | None,
        need: Need,
        orientation: Orientation,
    ) -> int:
        """The answers at all factors, and their result."""
        n_x, n_y = _count(X), _count(X if Y is None else Y)
        arrays = 1 if self.shots is None else 3
        if isinstance(program, OverlapProgram):
            entries = n_x * n_y if pairs is None else len(np.asarray(pairs))
            arrays += 2 if "orientations" in self._asked(need, orientation)["need"] else 0
            arrays += program.num_patches + 1 if "weights" in need else 0
        else:
            entries = n_x * (len(pauli_labels(program)) if isinstance(program, ExpectationProgram) else 1)
        return 8 * entries * arrays * (len(self.factors) + 1)

    def too_large(self, held: int, limit: int, request: int) -> str:
        """Why the answers are not taken."""
        return (
            f"Answers at {len(self.factors)} noise strengths take {format_bytes(held)} beside the "
            f"{format_bytes(request)} of one request, but memory_limit of {type(self.engines[0]).__name__} is "
            f"{format_bytes(limit)}. Use fewer rows, or raise memory_limit."
        )

    # Programs and rows ------------------------------------------------------------------------------------------

    def _runs(self, program: P) -> Iterator[tuple[Engine, P]]:
        """Engine and program at every factor, one after another: a layout is asked for when the first has run."""
        for k, (factor, engine) in enumerate(zip(self.factors, self.engines, strict=True)):
            if self.method == "fold":
                yield engine if factor == 1 else engine.with_layout_of(program), folded(program, int(factor))
            elif self.shots is not None and isinstance(program, ExpectationProgram):
                # Draws of expectation values have no repetitions: they are a function of the program's key.
                yield engine, renamed(program, k)
            else:
                yield engine, program

    def _repetition(self, repetition: int, k: int) -> int:
        """Draws at different factors and in different repetitions are different repetitions of the engine."""
        return 0 if self.shots is None else repetition * len(self.factors) + k

    def _asked(self, need: Need, orientation: Orientation) -> dict[str, Any]:
        """The `need` and `orientation` that the engine is asked for."""
        asked = frozenset(need) - {"diagonal"}
        if self.method == "fold":  # keys of folded programs differ, and with them which row is prepared: run both ways
            return {"need": asked, "orientation": "both"}
        if orientation == "both":  # each is extrapolated, then they are averaged
            asked |= {"orientations"}
        return {"need": asked, "orientation": orientation}

    def _part(self, program: Program, rows: Rows, k: int, name: str) -> Any:
        """The rows as the engine at factor k takes them."""
        if not isinstance(rows, Prepared):
            return rows
        if rows.program_key != program.key or rows.engine != self.tag or not isinstance(rows.data, tuple):
            raise InvalidParameterError(
                f"{name} was prepared for another program or by another engine ({rows.engine}, program "
                f"{rows.program_key[:12]}…), not for {self.tag}, program {program.key[:12]}…. Call prepare again with "
                "this engine and program."
            )
        return rows.data[k]


def _holds_diagonal(Y: object, pairs: object, diagonal: Diagonal) -> bool:
    """Whether the requested matrix has the measured self-values of all rows on its diagonal."""
    return Y is None and pairs is None and diagonal is not False


def _count(rows: Rows) -> int:
    if isinstance(rows, Prepared):
        return rows.num_samples
    return int(rows) if is_count(rows) else len(np.asarray(rows))  # type: ignore[arg-type]


def _selves(rows: Rows) -> NDArray[np.intp]:
    return np.repeat(np.arange(_count(rows)), 2).reshape(-1, 2)
