"""Timing, checking and judging.

Contenders of one question take turns on the same rows, in changing order, and rows are new in every round, so that
nothing but the compiled program can come from a cache. A time is reported only where the answer was right.
"""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from qkernels import OverlapProgram, ZZFeatureMap
from qkernels.engines import Engine, clear_cache
from qkernels.programs import row_keys
from qkernels.testing import assert_kernels_close

__all__ = [
    "FAMILY_WISE",
    "TOLERANCE",
    "Case",
    "Check",
    "Contender",
    "Goal",
    "Missing",
    "Result",
    "Row",
    "Unit",
    "canonical_rows",
    "compare",
    "compile_seconds",
    "difference_of",
    "engine_contender",
    "judge",
    "judge_value",
    "load",
    "run_child",
    "uniform_rows",
]

Values = NDArray[np.float64]
Unit = Literal["s", "B", "matrices", "%", "exponent", "PUBs", "circuits", "jobs", "executions"]
Samples = dict[str, list[float]]

TOLERANCE = 1e-10
"""Largest difference to a competitor's kernel matrix at which a time counts."""

FAMILY_WISE = 1e-3
"""Probability that sampled values are found different from the exact ones although they are not, for all together."""

_WARM_UP = 2**31
"""Number of the round whose rows are used before timing starts."""

_FEW_ROWS = 16

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row must reach.

    Attributes
    ----------
    kind : {"ratio", "speedup", "value", "count", "about"}
        ours / theirs <= bound, theirs / ours >= bound, ours <= bound, ours == bound, |ours − bound| <= within.
    bound : float
    within : float
    """

    kind: Literal["ratio", "speedup", "value", "count", "about"]
    bound: float
    within: float = 0.0

    def met(self, ours: float, theirs: float | None) -> bool:
        """Whether these numbers reach the goal."""
        if self.kind == "value":
            return ours <= self.bound
        if self.kind == "count":
            return ours == self.bound
        if self.kind == "about":
            return abs(ours - self.bound) <= self.within
        if theirs is None:
            raise ValueError(f"a goal of kind {self.kind!r} needs the number of a competitor")
        return ours <= self.bound * theirs if self.kind == "ratio" else theirs >= self.bound * ours


@dataclass(frozen=True, slots=True)
class Check:
    """How far our answer was from an independent one.

    Attributes
    ----------
    difference : float
        Largest absolute difference; where `sampled`, 0 for entries within shot noise of the exact ones and infinity
        otherwise.
    against : str
        Where the other answer comes from.
    tolerance : float
    sampled : bool
        Whether the other answer was counted in shots: held against ours by the exact binomial tail of every entry,
        Holm's correction, family-wise level `FAMILY_WISE`.
    """

    difference: float
    against: str
    tolerance: float = TOLERANCE
    sampled: bool = False

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance; False where it is not a number."""
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    question : str
        What was measured.
    versus : str
        Competitor or yardstick.
    unit : {"s", "B", "matrices", "%", "exponent", "PUBs", "circuits", "jobs", "executions"}
    ours, theirs : float or None
        None where the check failed or the competitor is not installed.
    goal : Goal or None
        None for rows that only inform.
    check : Check or None
        None where there was nothing to compare with.
    settings : mapping
        Of the competitor.
    note : str
    """

    question: str
    versus: str
    unit: Unit
    ours: float | None
    theirs: float | None
    goal: Goal | None
    check: Check | None
    settings: Mapping[str, object] = field(default_factory=dict)
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The ratio the goal speaks of: ours / theirs for "ratio", theirs / ours otherwise; None if there is none."""
        if self.ours is None or self.theirs is None or self.unit in ("%", "exponent"):
            return None
        return self.ours / self.theirs if self.is_share else self.theirs / self.ours

    @property
    def is_share(self) -> bool:
        """Whether `ratio` is ours / theirs."""
        return self.goal is not None and self.goal.kind == "ratio"

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal or without numbers, False where the check failed."""
        if self.goal is None:
            return None
        if self.check is not None and not self.check.passed:
            return False
        if self.ours is None or (self.theirs is None and self.goal.kind in ("ratio", "speedup")):
            return None
        return self.goal.met(self.ours, self.theirs)


@dataclass(frozen=True, slots=True)
class Result:
    """All rows of a case.

    Attributes
    ----------
    rows : list of Row
    details : dict
        Sizes, our settings, compile time, all samples: whatever the record should keep.
    """

    rows: list[Row]
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A named benchmark.

    Attributes
    ----------
    name : str
    question : str
    run : callable
        Sizes → Result.
    full, quick : mapping of str to int
        Sizes of the real run, which the goals are about, and tiny ones that only show that everything works.
    """

    name: str
    question: str
    run: Callable[[Mapping[str, int]], Result]
    full: Mapping[str, int]
    quick: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to compute a kernel matrix.

    Attributes
    ----------
    name : str
    prepare : callable
        Rows → the function that is timed, which returns the matrix. What `prepare` does itself is not timed.
    settings : mapping
    rounds : int or None
        How many rounds it takes part in; None is all.
    shots : int or None
        Shots behind every entry of its matrix; None where they are exact.
    """

    name: str
    prepare: Callable[[Values], Callable[[], Values]]
    settings: Mapping[str, object] = field(default_factory=dict)
    rounds: int | None = None
    shots: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A competitor whose package is not installed.

    Attributes
    ----------
    name, package : str
    """

    name: str
    package: str


def load(package: str) -> ModuleType | None:
    """The package, or None where it is not installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == package.split(".")[0]:
            return None
        raise


def uniform_rows(n_rows: int, n_features: int, seed: int = 0) -> Callable[[int], Values]:
    """Rows uniform in [−1, 1), other ones for every round."""

    def rows(round_number: int) -> Values:
        return np.random.default_rng([seed, round_number]).uniform(-1.0, 1.0, size=(n_rows, n_features))

    return rows


def canonical_rows(program: OverlapProgram, rows: Callable[[int], Values]) -> Callable[[int], Values]:
    """The same rows in the order of their keys: of rows i < j, our engines then prepare i."""

    def ordered(round_number: int) -> Values:
        X = rows(round_number)
        keys = row_keys(program.bind_angles(X), program.key)
        return X[np.lexsort((keys[:, 1], keys[:, 0]))]

    return ordered


def engine_contender(engine: Engine, program: OverlapProgram, name: str = "qkernels") -> Contender:
    """Our whole Gram matrix, states and overlaps; the program is compiled before."""

    def prepare(X: Values) -> Callable[[], Values]:
        return lambda: engine.overlaps(program, X).values

    return Contender(name, prepare, {"engine": repr(engine)})


def compile_seconds(engine: Engine, build: Callable[[], OverlapProgram], rows: Callable[[int], Values]) -> float:
    """Seconds from a Qiskit circuit to its first kernel value, less those of the next one."""
    warm = ZZFeatureMap(reps=1)  # imports, thread pools
    engine.overlaps(OverlapProgram(warm.build(2), warm.parameter_vector(2)), np.zeros((1, 2)))
    clear_cache()
    X = rows(_WARM_UP)
    start = time.perf_counter()
    program = build()
    engine.overlaps(program, X[:1])
    first = time.perf_counter() - start
    start = time.perf_counter()
    engine.overlaps(program, X[1:2])
    return first - (time.perf_counter() - start)


def compare(
    ours: Contender, rivals: Sequence[Contender], rows: Callable[[int], Values], rounds: int
) -> tuple[Samples, dict[str, float]]:
    """Let all take turns, in rotating order, after a call of each that is not timed.

    That call has all rows where a contender takes part in all rounds, and a few where it is too slow for that.

    Returns
    -------
    seconds : dict of str to list of float
        All samples of every contender.
    differences : dict of str to float
        Largest difference of each rival's matrix to ours over the rounds that both were in; NaN propagates. Of sampled
        matrices as in `Check`.
    """
    seconds: Samples = {c.name: [] for c in (ours, *rivals)}
    differences = {rival.name: 0.0 for rival in rivals}
    for contender in (ours, *rivals):
        X = rows(_WARM_UP)
        contender.prepare(X if contender.rounds is None else X[:_FEW_ROWS])()
    for number in range(rounds):
        X = rows(number)
        active = [c for c in (ours, *rivals) if c.rounds is None or number < c.rounds]
        shift = number % len(active)
        answers = {}
        for contender in active[shift:] + active[:shift]:
            timed = contender.prepare(X)
            gc.collect()
            start = time.perf_counter()
            answers[contender.name] = timed()
            seconds[contender.name].append(time.perf_counter() - start)
        for rival in active[1:]:
            difference = difference_of(answers[rival.name], answers[ours.name], rival.shots, rival.name)
            differences[rival.name] = float(np.maximum(differences[rival.name], difference))
    return seconds, differences


def difference_of(theirs: Values, ours: Values, shots: int | None = None, name: str = "sampled values") -> float:
    """Largest difference of exact values; of values counted in `shots`, 0 within shot noise and infinity outside."""
    if shots is None:
        return float(np.abs(theirs - ours).max())
    try:
        assert_kernels_close(theirs, ours, shots=shots, sigma=float(norm.isf(FAMILY_WISE / 2)))
    except (AssertionError, ValueError) as error:  # values that are no frequencies are refused
        print(f"{name}: {error}", file=sys.stderr)
        return float("inf")
    return 0.0


def judge(
    question: str,
    ours: Contender,
    rivals: Sequence[tuple[Contender | Missing, Goal | None]],
    seconds: Samples,
    differences: Mapping[str, float],
) -> list[Row]:
    """One row per rival from what `compare` measured: medians, and no time where the answers differ."""
    rows = []
    for rival, goal in rivals:
        if isinstance(rival, Missing):
            mine, note = median(seconds[ours.name]), f"{rival.package} is not installed"
            rows.append(Row(question, rival.name, "s", mine, None, goal, None, note=note))
            continue
        check = Check(differences[rival.name], rival.name, sampled=rival.shots is not None)
        mine, theirs = median(seconds[ours.name]), median(seconds[rival.name])
        rows.append(
            Row(
                question,
                rival.name,
                "s",
                mine if check.passed else None,
                theirs if check.passed else None,
                goal,
                check,
                rival.settings,
            )
        )
    return rows


def judge_value(
    question: str,
    versus: str,
    unit: Unit,
    ours: float,
    goal: Goal | None,
    check: Check,
    *,
    theirs: float | None = None,
    settings: Mapping[str, object] | None = None,
    note: str = "",
) -> Row:
    """A row about one number of ours, withheld where the check failed."""
    if not check.passed:
        return Row(question, versus, unit, None, None, goal, check, settings or {}, note)
    return Row(question, versus, unit, ours, theirs, goal, check, settings or {}, note)


def run_child(module: str, request: Mapping[str, object]) -> dict[str, Any]:
    """Run ``python -m module REQUEST`` in a fresh process; its last line of output is the answer as JSON.

    Raises
    ------
    RuntimeError
        The process failed; with what it wrote.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(request)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"python -m {module} ended with status {done.returncode}:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
