"""Parameters of ZeroNoiseExtrapolation, checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.engines._auto import AutoEngine
from qkernels.engines._base import Diagonal, Engine, Need, Orientation
from qkernels.engines._extrapolation import Fit
from qkernels.engines._mps import MPSEngine
from qkernels.engines._options import check_options
from qkernels.engines._statevector import StatevectorEngine

__all__ = [
    "OWNER",
    "Method",
    "check_asymptote",
    "check_choice",
    "check_factors",
    "check_flag",
    "check_noisy",
    "check_request",
    "scaled_engines",
]

Method = Literal["auto", "scale", "fold"]

OWNER = "ZeroNoiseExtrapolation"


_REASONS = {
    "bits": f"is not available from {OWNER}: measured bits at several noise strengths do not make bits without noise. "
    "Readout errors are extrapolated with readout=True.",
    "orientations": f"is not available from {OWNER} where gates are folded: which row is prepared is decided anew for "
    "every length of the circuit.",
    "weights": f"is available from {OWNER} where the wrapped engine has no shots, fit is 'linear' or 'richardson' and "
    "clip is False. Elsewhere extrapolated weights do not sum to 1, or are no counts of which standard errors could be "
    "made.",
}
"""Why `need` may not ask for what other engines give."""


def check_noisy(engine: object) -> None:
    """Refuse what is no engine, or one without noise.

    Raises
    ------
    InvalidParameterError
    """
    if not isinstance(engine, Engine):
        raise InvalidParameterError(
            f"engine of {OWNER} must be an Engine, such as DensityMatrixEngine(noise); got {type(engine).__name__}."
        )
    if engine.is_exact or isinstance(engine, (AutoEngine, MPSEngine, StatevectorEngine)):
        raise InvalidParameterError(
            f"engine of {OWNER} must have noise; got {engine!r}, which has none: there is nothing to extrapolate, and "
            "its own values are what is looked for. Shot noise does not fall with the strength of gate errors; take "
            "more shots against it."
        )


def check_factors(factors: object) -> tuple[float, ...]:
    """Noise strengths in ascending order; whole numbers as integers.

    Raises
    ------
    InvalidParameterError
        No sequence of at least two finite numbers > 0 in ascending order.
    """
    rule = f"factors of {OWNER} must be at least two different numbers > 0 in ascending order, such as (1, 2, 3)"
    if isinstance(factors, str) or not isinstance(factors, Iterable):
        raise InvalidParameterError(f"{rule}; got {factors!r}.")
    given = tuple(factors)
    if not all(isinstance(f, Real) and not isinstance(f, (bool, np.bool_)) for f in given):
        raise InvalidParameterError(f"{rule}; got {given!r}.")
    numbers = tuple(int(f) if float(f).is_integer() else float(f) for f in given)
    if len(numbers) < 2:
        raise InvalidParameterError(f"{rule}: one noise strength says nothing about others; got {numbers}.")
    if not all(np.isfinite(f) and f > 0 for f in numbers):
        raise InvalidParameterError(f"{rule}; got {numbers}.")
    if any(b <= a for a, b in pairwise(numbers)):
        twice = sorted({f for f in numbers if numbers.count(f) > 1})
        detail = f" with {twice} more than once" if twice else ""
        raise InvalidParameterError(f"{rule}; got {numbers}{detail}. Try {tuple(sorted(set(numbers)))}.")
    return numbers


def check_choice(value: object, name: str, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices.

    Raises
    ------
    InvalidParameterError
    """
    if not isinstance(value, str) or value not in choices:
        raise InvalidParameterError(f"{name} of {OWNER} must be one of {list(choices)}; got {value!r}.")


def check_flag(value: object, name: str) -> None:
    """Refuse what is neither True nor False.

    Raises
    ------
    InvalidParameterError
    """
    if not isinstance(value, bool):
        raise InvalidParameterError(f"{name} of {OWNER} must be True or False; got {value!r}.")


def check_asymptote(asymptote: object, fit: Fit) -> Literal["auto"] | float:
    """The asymptote of the exponential fit.

    Raises
    ------
    InvalidParameterError
        Neither "auto" nor a finite number, or given to another fit.
    """
    if isinstance(asymptote, str) and asymptote == "auto":
        return "auto"
    if isinstance(asymptote, bool) or not isinstance(asymptote, Real) or not np.isfinite(float(asymptote)):
        raise InvalidParameterError(f"asymptote of {OWNER} must be 'auto' or a finite number; got {asymptote!r}.")
    if fit != "exponential":
        raise InvalidParameterError(
            f"asymptote of {OWNER} belongs to fit='exponential'; got asymptote={asymptote!r} with fit={fit!r}. Leave "
            "it out."
        )
    return float(asymptote)


def scaled_engines(
    engine: Engine, method: Method, factors: Sequence[float], readout: bool
) -> tuple[Engine, ...] | None:
    """The engine with its noise scaled to every factor; None where gates are folded instead.

    Raises
    ------
    InvalidParameterError
        The engine cannot scale its noise, or folding cannot give these factors or scale readout errors.
    """
    why = "method='fold'"
    if method != "fold":
        try:
            return tuple(engine if f == 1 else engine.scaled(f, readout=readout) for f in factors)
        except UnsupportedCircuitError as error:
            refusal = str(error).partition(". ")[0]
        if method == "scale":
            raise InvalidParameterError(
                f"method of {OWNER} is 'scale', but {refusal}. Use 'fold' with odd factors, such as (1, 3, 5)."
            )
        why = f"{refusal}, so gates are folded"
    _check_folding(engine, factors, readout, why)
    return None


def _check_folding(engine: Engine, factors: Sequence[float], readout: bool, why: str) -> None:
    if not all(isinstance(f, int) and f % 2 for f in factors):
        raise InvalidParameterError(
            f"factors of {OWNER} must be odd integers where gates are folded, U to U(U†U)^k, such as (1, 3, 5); got "
            f"{tuple(factors)} ({why})."
        )
    if readout:
        raise InvalidParameterError(
            f"readout of {OWNER} must be False where gates are folded, which leaves readout errors as they are; got "
            f"True ({why})."
        )
    if getattr(engine, "shots", None) == 1:
        raise InvalidParameterError(
            f"engine of {OWNER} must have at least 2 shots where gates are folded, which runs both orientations of "
            f"every pair at half the shots; got {engine!r}."
        )


def check_request(
    diagonal: Diagonal,
    need: Need,
    orientation: Orientation,
    shots: ArrayLike | None,
    repetition: int,
    engine: Engine,
    available: Collection[str],
) -> None:
    """Refuse options of `overlaps` that break their rule, or that extrapolated values do not have.

    Parameters
    ----------
    diagonal, need, orientation, shots, repetition
        As in `Engine.overlaps`.
    engine : ZeroNoiseExtrapolation
    available : collection of str
        What `need` may ask for.

    Raises
    ------
    InvalidParameterError
    """
    engine_shots: int | None = getattr(engine, "shots", None)
    for name in [] if isinstance(need, str) else sorted(set(need) - set(available)):
        if name in _REASONS:
            raise InvalidParameterError(f"need={{{name!r}}} {_REASONS[name]} Got {engine!r}.")
    check_options(diagonal, need, orientation, available=available, owner=OWNER, shots=engine_shots)
    if isinstance(repetition, bool) or not isinstance(repetition, Integral) or repetition < 0:
        raise InvalidParameterError(f"repetition must be an integer >= 0, got {repetition!r}.")
    if repetition and engine_shots is None:
        raise InvalidParameterError(
            f"repetition={repetition} was asked for, but the wrapped engine of {OWNER} draws nothing. Give it shots."
        )
    if shots is not None:
        raise InvalidParameterError(
            f"shots of single pairs are not available from {OWNER}: its entries are no frequencies of one circuit, so "
            f"they cannot be pooled with others; got {np.asarray(shots).tolist()!r:.60}. Give the wrapped engine more "
            "shots."
        )
