"""What a model is composed of, checked."""

from __future__ import annotations

from qkernels._errors import InvalidParameterError
from qkernels.engines import AutoEngine, Engine
from qkernels.variational import BoundReadout

__all__ = ["check_bound", "check_engine"]


def check_engine(engine: Engine | None, owner: str) -> Engine:
    """The engine, validated; `AutoEngine` for None.

    Raises
    ------
    InvalidParameterError
        No engine.
    """
    chosen = AutoEngine() if engine is None else engine
    if not isinstance(chosen, Engine):
        raise InvalidParameterError(
            f"engine of {owner} must be None or an engine such as StatevectorEngine(shots=1000); got {engine!r}."
        )
    return chosen


def check_bound(bound: object, num_outputs: int, owner: str) -> None:
    """Refuse a readout of another kind or number of outputs than the estimator has."""
    if not isinstance(bound, BoundReadout) or bound.num_outputs != num_outputs:
        got = bound.num_outputs if isinstance(bound, BoundReadout) else bound
        raise InvalidParameterError(
            f"readout of {owner} must have {num_outputs} output(s), one for each class (1 for regression); got {got!r}."
        )
    kinds = ("values",) if num_outputs == 1 else ("probabilities", "scores")
    if bound.kind not in kinds:
        raise InvalidParameterError(
            f"readout of {owner} must give {' or '.join(kinds)}; its kind is {bound.kind!r}. Use "
            f"{'ExpectationReadout()' if num_outputs == 1 else 'ParityReadout() or ClassesReadout()'}."
        )
