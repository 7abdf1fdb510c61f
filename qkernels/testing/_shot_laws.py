"""Laws of shots: a sampled value is a pure function of what is measured, and its error is told."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError
from qkernels.programs import Overlaps, wilson_stderr
from qkernels.testing._subject import Law, NotApplicableError, Subject, refuses, require

__all__ = ["SHOT_LAWS"]

_FACTOR = 1.5
"""Between a told standard error and Wilson's, from five counts of either kind on: Wald's lies within 1.1 of it."""

_FACTOR_OF_FEW = 4.0
"""The same with fewer counts, where rules differ: Laplace's, Jeffreys' and Agresti's intervals lie within 3 of it."""

Values = NDArray[np.float64]


def _standard_errors(s: Subject) -> None:
    if not s.is_sampled:
        raise NotApplicableError("the engine has no shots")
    answers = {"K(X, X)": s.gram, "K(X, Y)": s.overlaps(None, s.Y)}
    with suppress(NotApplicableError):
        answers["single shots"] = _pairs_at(s, np.ones(len(s.pairs), dtype=int))
    for what, answer in answers.items():
        stderr, shots = np.asarray(answer.stderr), np.asarray(answer.num_shots)
        require(np.isfinite(stderr).all(), f"{what}: stderr is not finite")
        require((stderr[shots > 0] > 0).all(), f"{what}: stderr of a sampled entry is 0, also where all shots agree")
        require((stderr[shots == 0] == 0).all(), f"{what}: stderr of an entry without shots is not 0")
        _width(answer.values[shots > 0], stderr[shots > 0], shots[shots > 0], what)


def _width(values: Values, stderr: Values, shots: NDArray[np.int64], what: str) -> None:
    """Frequencies have the standard error of a binomial count; what is extrapolated from them may have any."""
    counts = values * shots
    if len(values) == 0 or np.abs(counts - np.rint(counts)).max() >= 1e-6 or values.min() < 0.0 or values.max() > 1.0:
        return  # told by the law "frequencies"
    expected = wilson_stderr(values, shots)
    factor = np.where(np.minimum(counts, shots - counts) > 4.5, _FACTOR, _FACTOR_OF_FEW)
    off = np.maximum(stderr / expected, expected / stderr) / factor
    k = int(np.argmax(off))
    require(
        off[k] <= 1.0,
        f"{what}: stderr of {float(values[k])!r} at {int(shots[k]):,} shots is {float(stderr[k]):.3g}, a binomial "
        f"count has {float(expected[k]):.3g}; a factor of {factor[k]:g} is allowed",
    )


def _pairs_at(s: Subject, shots: NDArray[np.int64]) -> Overlaps:
    """Pairs at shots of their own, where the engine takes these."""
    try:
        return s.fresh(pairs=s.pairs, shots=shots)
    except InvalidParameterError as error:
        require("shots" in str(error), f"shots of pairs are refused by a message that does not name them: {error}")
        raise NotApplicableError(f"shots of pairs are refused: {error}") from None


def _frequencies(s: Subject) -> None:
    if not s.is_sampled:
        raise NotApplicableError("the engine has no shots")
    shots = np.asarray(s.gram.num_shots)
    require(not np.diff(shots[shots > 0]).any(), "entries of K(X, X) have different shots")
    told = getattr(s.engine, "shots", None)
    require(told is None or told == s.shots, f"num_shots is {s.shots}, but engine.shots is {told}")
    for what, answer in (("K(X, X)", s.gram), ("K(X, Y)", s.overlaps(None, s.Y))):
        counts = answer.values * np.asarray(answer.num_shots)
        require(np.abs(counts - np.rint(counts)).max() < 1e-6, f"{what}: values are no multiples of 1/shots")


def _shots_of_pairs(s: Subject) -> None:
    ones = np.ones(len(s.pairs), dtype=int)
    if not s.is_sampled:
        refuses(
            InvalidParameterError,
            ["shots"],
            "shots of an engine that has none",
            lambda: s.overlaps(pairs=s.pairs, shots=ones),
        )
        return
    own = s.overlaps(pairs=s.pairs)
    s.same(_pairs_at(s, s.shots * ones).values, own.values, "the engine's shots for every pair")
    shots = 3 + np.arange(len(s.pairs))
    shots[4] = shots[0]  # the same pair, turned round
    answer = _pairs_at(s, shots)
    require(
        np.array_equal(np.asarray(answer.num_shots), shots),
        f"num_shots of pairs are not the given ones: {answer.num_shots}",
    )
    s.same(answer.values[4], answer.values[0], "a pair turned round at the same shots")
    again = s.fresh(pairs=s.pairs[::-1], shots=shots[::-1])
    s.same(again.values[::-1], answer.values, "pairs with their shots in another order")
    alone = s.fresh(pairs=s.pairs[1:2], shots=shots[1:2])
    s.same(alone.values, answer.values[1:2], "a pair alone and among others at the same shots")


def _repetitions(s: Subject) -> None:
    if not s.is_sampled:
        refuses(
            InvalidParameterError,
            ["repetition"],
            "repetition=1 of an engine that has no shots",
            lambda: s.overlaps(repetition=1),
        )
        return
    s.same(s.overlaps(repetition=0).values, s.gram.values, "repetition=0 and what is drawn when nothing is said")
    series = [s.overlaps(repetition=r).values for r in range(1, 5)]
    # At one shot two series of ten pairs may agree; four, of entries that are not all near 0 or 1, hardly.
    require(any((drawn != s.gram.values).any() for drawn in series), "repetitions 1 to 4 repeat the draws of 0")
    s.same(s.fresh(repetition=3).values, series[2], "repetition=3 asked twice")
    cross = s.fresh(s.X, s.Y, repetition=3).values
    s.same(s.fresh(s.Y, s.X, repetition=3).values, cross.T, "repetition=3 of K(Y, X) and of the transpose of K(X, Y)")
    i, j = s.pairs.T
    s.same(s.overlaps(pairs=s.pairs, repetition=3).values, series[2][i, j], "repetition=3 of pairs and of K(X, X)")


SHOT_LAWS = (
    Law("stderr", "the standard error of a sampled entry is that of a binomial count, and never 0", _standard_errors),
    Law("frequencies", "sampled values are multiples of 1/num_shots", _frequencies),
    Law("shots-of-pairs", "shots of each pair are kept, and belong to the pair", _shots_of_pairs),
    Law("repetitions", "repetitions are series of their own, each a function of the pair", _repetitions),
)
