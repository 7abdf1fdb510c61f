"""Timing of calls that follow each other, as an optimizer makes them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks._harness import Contender, Samples, Values, difference_of

__all__ = ["compare_calls"]

_WARM_UP = 2**31
"""Number of the round whose points are used before timing starts."""


def compare_calls(
    ours: Contender, rivals: Sequence[Contender], points: Callable[[int], Values], rounds: int
) -> tuple[Samples, dict[str, float]]:
    """As `compare`, but contenders that are in all rounds are called at all points of a round in a row, others at one.

    A call of a millisecond takes twice as long when something else ran before it, which is not what training is like.

    Returns
    -------
    seconds : dict of str to list of float
        Of one call: the mean over those of the round.
    differences : dict of str to float
        Largest difference to our answers over the points that both were called at; NaN propagates.
    """
    everyone = (ours, *rivals)
    seconds: Samples = {c.name: [] for c in everyone}
    differences = {rival.name: 0.0 for rival in rivals}
    for contender in everyone:
        contender.prepare(points(_WARM_UP)[:1])()
    for number in range(rounds):
        active = [c for c in everyone if c.rounds is None or number < c.rounds]
        shift = number % len(active)
        answers = {}
        for contender in active[shift:] + active[:shift]:
            chosen = points(number)[: None if contender.rounds is None else 1]
            timed = contender.prepare(chosen)
            gc.collect()
            start = time.perf_counter()
            answers[contender.name] = timed()
            seconds[contender.name].append((time.perf_counter() - start) / len(chosen))
        for rival in active[1:]:
            theirs = answers[rival.name]
            difference = difference_of(theirs, answers[ours.name][: len(theirs)])
            differences[rival.name] = float(np.maximum(differences[rival.name], difference))
    return seconds, differences
