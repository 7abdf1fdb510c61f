"""What the demo prints."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qiskit.providers import BackendV2
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from qkernels.cli._models import BANDWIDTH_FACTORS, C_GRID, INNER_FOLDS
from qkernels.diagnostics import corrected_interval

if TYPE_CHECKING:
    from qkernels.cli._demo import Outcome, Settings
    from qkernels.cli._tables import Table


def print_header(console: Console, table: Table, settings: Settings, num_components: int) -> None:
    """Say what will be done."""
    rows, columns = table.X.shape
    sampled = f" (a stratified sample of {table.num_rows_full:,}, see --max-rows)" if rows < table.num_rows_full else ""
    _say(console, f"{table.name}: {rows:,} rows{sampled}, {columns:,} columns, {table.num_classes} classes", "bold")
    _say(
        console,
        f"Nested cross-validation, {settings.repeats} x {settings.folds} outer folds, seed {settings.seed}. Inside "
        f"each fold: standard scaling, PCA to {num_components}, then {INNER_FOLDS} inner folds choose among "
        f"{len(BANDWIDTH_FACTORS)} bandwidths (RBF: as many gammas) and {len(C_GRID)} C.",
    )


def print_results(
    console: Console, outcomes: Sequence[Outcome], table: Table, settings: Settings, device: BackendV2
) -> None:
    """Print the table, what its columns mean, and the verdict."""
    console.print()
    console.print(_grid(outcomes, wide=console.width >= 95))
    pairs = len(table.y) * (len(table.y) - 1) // 2
    _say(
        console,
        f"accuracy: mean ± standard deviation over {len(outcomes[0].scores.scores)} outer folds; minus tuned RBF: "
        "points, with the Nadeau-Bengio corrected 95 % interval. 2q gates and depth: one U(x) routed on "
        f"{device.name} ({device.num_qubits} qubits); a kernel entry runs U(x), then U(y) backwards: twice that. "
        "seconds: exact simulation, all searches of all folds added up.",
        "dim",
    )
    _say(
        console,
        f"On a device the matrix of these {len(table.y):,} rows is {pairs:,} circuits x {settings.shots:,} shots.",
        "dim",
    )
    console.print("\n[bold]Verdict[/bold]")
    _say(
        console,
        "By a fixed rule. Not worth QPU time if the interval lies below +1 point, or two sigmas of shot noise at "
        f"{settings.shots:,} shots exceed the spread of K, or an RBF kernel correlates above .98 with K.",
        "dim",
    )
    judged = [outcome for outcome in outcomes if outcome.verdict is not None]
    for outcome in judged:
        role = " (baseline, no entanglement)" if outcome.model.is_baseline else ""
        _say(console, f"{outcome.model.name}{role}: {outcome.verdict}", indent="  ")
    console.print()
    for sentence in (_best(outcomes), _overall(judged, table)):
        _say(console, sentence, "bold")


def _grid(outcomes: Sequence[Outcome], wide: bool) -> RichTable:
    grid = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1) if wide else 0)
    grid.add_column("kernel", no_wrap=True)
    headings = ("accuracy %", "minus tuned RBF", "qubits", "2q\ngates", "2q\ndepth", "depth", "seconds")
    for heading in headings:
        grid.add_column(heading, justify="right", no_wrap=True)
    best = max(outcome.scores.mean for outcome in outcomes)
    for outcome in outcomes:
        scores, cost, verdict = outcome.scores, outcome.resources, outcome.verdict
        counts: tuple[int | None, ...] = ()
        if cost is not None:
            depths = (cost.routed_two_qubit_depth, cost.routed_depth)
            counts = (cost.num_qubits, cost.routed_two_qubit_gates, *depths)
        accuracy = f"{100 * scores.mean:.1f} ± {100 * scores.std:.1f}"
        grid.add_row(
            outcome.model.name,
            f"[bold]{accuracy}[/bold]" if scores.mean == best else accuracy,
            escape(verdict.interval.points()) if verdict is not None and verdict.interval is not None else "",
            *([str(count) for count in counts] or [""] * 4),
            f"{scores.seconds:.1f}",
        )
    return grid


def _best(outcomes: Sequence[Outcome]) -> str:
    """The highest accuracy, and by how much it beats the quantum kernels where it is a classical one."""
    best = max(outcomes, key=lambda outcome: outcome.scores.mean)
    sentence = f"Highest accuracy: {best.model.name}, {100 * best.scores.mean:.1f} %"
    if best.model.feature_map is not None:
        return f"{sentence}."
    quantum = max((o for o in outcomes if o.model.feature_map is not None), key=lambda outcome: outcome.scores.mean)
    return f"{sentence}; over the best quantum kernel {corrected_interval(best.scores, quantum.scores)}."


def _overall(judged: Sequence[Outcome], table: Table) -> str:
    """One sentence; the baseline has no vote, since nobody needs a device for it."""
    verdicts = {outcome.model.name: outcome.verdict for outcome in judged if not outcome.model.is_baseline}
    left = {name: verdict for name, verdict in verdicts.items() if verdict is not None and not verdict.ruled_out}
    if not left:
        return f"Overall: not worth QPU time on {table.name}; every map with entanglement is ruled out."
    better = [name for name, verdict in left.items() if verdict.interval and verdict.interval.low > 0.0]
    if better:
        return (
            f"Overall: better than the tuned RBF on {table.name} in exact simulation: {', '.join(better)}. Confirm it "
            "on rows not used here, and under device noise, before paying for a device."
        )
    return (
        f"Overall: undecided on {table.name}; not ruled out, and not shown to be better: {', '.join(left)}. More rows "
        "or --repeats narrow the interval."
    )


def _say(console: Console, text: str, style: str = "", indent: str = "") -> None:
    """Print a paragraph, wrapped here so that a log gets no trailing spaces and a hanging indent."""
    wrapped = textwrap.fill(
        text,
        width=max(console.width - 1, 40),
        initial_indent=indent,
        subsequent_indent=indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(escape(wrapped), style=style or None, soft_wrap=True)
