"""The sentences and cells of a report, written once for the terminal and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose, isinf

import numpy as np

from qkernels.cli._models import BANDWIDTH_FACTORS, C_GRID, INNER_FOLDS
from qkernels.cli._results import Outcome, Results, Settings
from qkernels.cli._tables import Table
from qkernels.diagnostics import FoldScores, corrected_interval

HEADINGS = ("kernel", "accuracy %", "minus tuned RBF", "qubits", "2q gates", "2q depth", "depth", "time (s)")
"""Of the comparison; a `Row` has a cell for each."""

NOISY_HEADINGS = (*HEADINGS[:2], "noisy %", "mitigated %", *HEADINGS[2:])
"""The same with --noise."""

EVIDENCE_HEADINGS = (
    "kernel",
    "minus tuned RBF",
    "spread of K",
    "two sigmas of shots",
    "shots needed",
    "likeness to RBF",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison.

    Attributes
    ----------
    name : str
    cells : tuple of str
        Under the `headings` after the first; empty where a number does not exist.
    is_best : bool
        Whether no model has a higher accuracy.
    """

    name: str
    cells: tuple[str, ...]
    is_best: bool


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """Circuits that a device would run for one purpose."""

    purpose: str
    circuits: int
    shots: int

    @property
    def total_shots(self) -> int:
        """Of all circuits."""
        return self.circuits * self.shots


def table_sentence(table: Table) -> str:
    """What the table is, and whether all of it was used."""
    rows, columns = table.X.shape
    sampled = ""
    if rows < table.num_rows_full:
        more = f" with more than the share of {', '.join(map(repr, table.raised))}" if table.raised else ""
        sampled = f" (a stratified sample of {table.num_rows_full:,}{more}, see --max-rows)"
    return f"{table.name}: {rows:,} rows{sampled}, {columns:,} columns, {table.num_classes} classes"


def protocol_sentence(settings: Settings, num_components: int) -> str:
    """How models were compared."""
    return (
        f"Nested cross-validation, {settings.repeats} x {settings.folds} outer folds, seed {settings.seed}. Inside "
        f"each fold: standard scaling, PCA to {num_components}, then {INNER_FOLDS} inner folds choose among "
        f"{len(BANDWIDTH_FACTORS)} bandwidths (RBF: as many gammas) and {len(C_GRID)} C."
    )


def headings(results: Results) -> tuple[str, ...]:
    """Of the comparison."""
    return HEADINGS if results.noise is None else NOISY_HEADINGS


def comparison(results: Results) -> list[Row]:
    """The rows of the comparison, in the order of the models."""
    best = max(outcome.scores.mean for outcome in results.outcomes)
    rows = []
    for outcome in results.outcomes:
        scores, cost = outcome.scores, outcome.resources
        counts: tuple[int | None, ...] = ()
        if cost is not None:
            depths = (cost.routed_two_qubit_depth, cost.routed_depth)
            counts = (cost.num_qubits, cost.routed_two_qubit_gates, *depths)
        found = outcome.noise
        noisy = [] if results.noise is None else [None, None] if found is None else [found.noisy, found.mitigated]
        cells = (
            _spread(scores),
            *(_spread(item) for item in noisy),
            _gain(outcome),
            *([str(count) for count in counts] or [""] * 4),
            f"{scores.seconds:.1f}",
        )
        # Equal scores in another order have a mean that may differ in its last bit.
        rows.append(Row(outcome.model.name, cells, isclose(scores.mean, best, rel_tol=1e-12)))
    return rows


def units(results: Results) -> list[tuple[str, str]]:
    """What the columns of the comparison mean, as (column, meaning)."""
    noise = results.noise
    noisy = [] if noise is None else [("noisy, mitigated", f"the same under the noise of {noise.device}, see below")]
    return [
        (
            "accuracy",
            f"mean ± standard deviation over {len(results.outcomes[0].scores.scores)} outer folds",
        ),
        *noisy,
        ("minus tuned RBF", "points, with the Nadeau-Bengio corrected 95 % interval"),
        (
            "2q gates and depth",
            (
                f"one U(x) routed on {results.device} ({results.device_qubits} qubits); a kernel entry runs U(x), then "
                "U(y) backwards: twice that"
            ),
        ),
        ("time", "seconds of exact simulation, all searches of all folds added up"),
    ]


def device_costs(results: Results) -> list[DeviceCost]:
    """Circuits that a device would run; the kernel matrix first."""
    rows, shots = len(results.table.y), results.settings.shots
    return [
        DeviceCost(f"the matrix of these {rows:,} rows", rows * (rows - 1) // 2, shots),
        DeviceCost("its diagonal, where noise is to be measured", rows, shots),
        DeviceCost("one new row, at most", rows, shots),
    ]


def device_sentence(results: Results) -> str:
    """The cost of the kernel matrix on a device, which measures its diagonal too."""
    matrix, diagonal, _ = device_costs(results)
    circuits = matrix.circuits + diagonal.circuits
    sentence = f"On a device {matrix.purpose} and its diagonal is {circuits:,} circuits x {matrix.shots:,} shots"
    if results.cost is None:
        return f"{sentence}."
    cost = results.cost
    plans = f"{cost.open_plan_share:,.1f} times" if cost.open_plan_share >= 1 else f"{cost.open_plan_share:.0%} of"
    return (
        f"{sentence}: about {_duration(cost.seconds)} of QPU time on {results.device} with {cost.model}, {plans} the "
        "10 minutes that an Open Plan has in 28 days (another --device has its own)."
    )


def rule_sentence(settings: Settings) -> str:
    """The rule that verdicts follow."""
    return (
        "By a fixed rule. Not worth QPU time if the interval lies below +1 point, or two sigmas of shot noise at "
        f"{settings.shots:,} shots exceed the spread of K, or an RBF kernel correlates above .98 with K."
    )


def verdicts(results: Results) -> list[tuple[str, str]]:
    """The verdict on each quantum kernel, as (name and role, sentence)."""
    return [
        (outcome.model.name + (" (baseline, no entanglement)" if outcome.model.is_baseline else ""), f"{verdict}")
        for outcome, verdict in ((outcome, outcome.verdict) for outcome in results.judged)
    ]


def evidence(results: Results) -> list[tuple[str, ...]]:
    """What verdicts rest on, a row under `EVIDENCE_HEADINGS` for each quantum kernel."""
    rows: list[tuple[str, ...]] = []
    for outcome in results.judged:
        spread = outcome.verdict.off_diagonals if outcome.verdict else None
        rbf = outcome.verdict.rbf if outcome.verdict else None
        cells = ("", "", "")
        if spread is not None:
            needed = "no number" if isinf(spread.shots_needed) else f"{spread.shots_needed:,.0f}"
            cells = (f"{spread.std:#.2g}", f"{2 * spread.shot_sigma:#.2g}", needed)
        # Rounded down as in the verdict, so that nothing reads as 1 that is not.
        likeness = "" if rbf is None else f"{int(1000 * rbf.correlation + 1e-9) / 1000:.3f}"
        rows.append((outcome.model.name, _gain(outcome), *cells, likeness))
    return rows


def best_sentence(outcomes: Sequence[Outcome]) -> str:
    """The highest accuracy, and by how much it beats the quantum kernels where it is a classical one."""
    best = max(outcomes, key=lambda outcome: outcome.scores.mean)
    sentence = f"Highest accuracy: {best.model.name}, {100 * best.scores.mean:.1f} %"
    if best.model.feature_map is not None:
        return f"{sentence}."
    quantum = max((o for o in outcomes if o.model.feature_map is not None), key=lambda outcome: outcome.scores.mean)
    return f"{sentence}; over the best quantum kernel {corrected_interval(best.scores, quantum.scores)}."


def largest_share(table: Table) -> float:
    """Accuracy of always answering the largest class."""
    return float(np.unique(table.y, return_counts=True)[1].max() / len(table.y))


def floor_sentence(results: Results) -> str:
    """The accuracy that needs no model, and the models that do not beat it by half a row of the table."""
    share, margin = largest_share(results.table), 0.5 / len(results.table.y)
    low = [outcome.model.name for outcome in results.outcomes if outcome.scores.mean < share + margin]
    sentence = f"Always answering the largest class scores {100 * share:.1f} %"
    if len(low) == len(results.outcomes):
        return f"{sentence}: no model beats it, and nothing about kernels follows from these folds."
    return f"{sentence}; not better: {', '.join(low)}." if low else f"{sentence}."


def overall_sentence(results: Results) -> str:
    """The answer, begun in lower case; the baseline has no vote, since nobody needs a device for it."""
    name = results.table.name
    judged = {outcome.model.name: outcome.verdict for outcome in results.judged if not outcome.model.is_baseline}
    left = {model: verdict for model, verdict in judged.items() if verdict is not None and not verdict.ruled_out}
    if not left:
        return f"not worth QPU time on {name}; every map with entanglement is ruled out."
    better = [model for model, verdict in left.items() if verdict.interval and verdict.interval.low > 0.0]
    if better:
        noisy = ", and under device noise," if results.noise is None else ""
        return (
            f"better than the tuned RBF on {name} in exact simulation: {', '.join(better)}. Confirm it on rows not "
            f"used here{noisy} before paying for a device."
        )
    return (
        f"undecided on {name}; not ruled out, and not shown to be better: {', '.join(left)}. More rows or --repeats "
        "narrow the interval."
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _spread(scores: FoldScores | None) -> str:
    return "" if scores is None else f"{100 * scores.mean:.1f} ± {100 * scores.std:.1f}"


def _gain(outcome: Outcome) -> str:
    interval = None if outcome.verdict is None else outcome.verdict.interval
    return "" if interval is None else interval.points()
