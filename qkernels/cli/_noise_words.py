"""The sentences and cells of a report that speak of noise, written once for the terminal and the page."""

from __future__ import annotations

from qkernels.cli._noise import MITIGATION, SCALES
from qkernels.cli._results import NoiseSource, Results, Settings
from qkernels.diagnostics import FoldScores, corrected_interval

NOISE_HEADINGS = (
    "kernel",
    "noisy minus exact",
    "mitigated minus noisy",
    "mitigated minus tuned RBF",
    "active qubits",
    "2q gates",
    "fidelity",
    "K(x,x)",
)
"""Of what noise costs."""

SCALE_HEADINGS = ("kernel", "exact", *(f"{scale:g} ×" for scale in SCALES))
"""Of accuracies against the scale of noise."""


def noise_protocol(settings: Settings, noise: NoiseSource) -> str:
    """How kernels were evaluated under noise."""
    return (
        f"Noise of {noise.device}, calibrated {noise.day}: the same outer folds again, at the bandwidth and C that the "
        f"exact search chose in each, {settings.shots:,} shots per entry."
    )


def noise_method() -> str:
    """What "noisy" and "mitigated" are."""
    return (
        "Noisy: the matrix as measured, its negative eigenvalues clipped. Mitigated: the same measured matrix after "
        f"{MITIGATION}, then clipped."
    )


def noise_rows(results: Results) -> list[tuple[str, ...]]:
    """What noise costs, a row under `NOISE_HEADINGS` for each quantum kernel."""
    return [
        (
            outcome.model.name,
            _difference(found.noisy, outcome.scores),
            _difference(found.mitigated, found.noisy),
            _difference(found.mitigated, results.outcomes[0].scores),
            str(found.circuit.active_qubits),
            str(found.circuit.two_qubit_gates),
            f"{found.circuit.fidelity:.3f}",
            f"{found.self_value:.3f}",
        )
        for outcome, found in results.under_noise
    ]


def noise_units(results: Results) -> list[tuple[str, str]]:
    """What the columns mean, as (column, meaning)."""
    noise = results.noise
    device = "" if noise is None else noise.device
    return [
        ("noisy minus exact", "what noise and shots cost, points with the corrected 95 % interval"),
        ("mitigated minus noisy", "what mitigation gives back"),
        (
            "active qubits and 2q gates",
            f"of the whole circuit of an entry on {device}, U(x) and then U(y) backwards",
        ),
        ("fidelity", "product of 1 - error over all its gates and measurements"),
        ("K(x,x)", "mean measured entry of a row with itself, 1 without noise"),
    ]


def noise_findings(results: Results) -> list[tuple[str, str]]:
    """What noise does to each quantum kernel, as (name and role, sentence)."""
    found = []
    for outcome, noisy in results.under_noise:
        circuit, cost = noisy.circuit, corrected_interval(noisy.noisy, outcome.scores)
        if noisy.mitigated is None:
            repair = "; nothing is left to mitigate: a row measured with itself looks like random outcomes"
        else:
            back = corrected_interval(noisy.mitigated, noisy.noisy)
            gain = corrected_interval(noisy.mitigated, results.outcomes[0].scores)
            repair = f", mitigation by {back.points()} more; mitigated minus tuned RBF {gain.points()}"
        name = outcome.model.name + (" (baseline, no entanglement)" if outcome.model.is_baseline else "")
        sentence = (
            f"{circuit.two_qubit_gates} two-qubit gates on {circuit.active_qubits} active qubits, estimated fidelity "
            f"{circuit.fidelity:.3f}; noise and shots change accuracy by {cost.points(' points')}{repair}"
        )
        found.append((name, sentence))
    return found


def noise_sentence(results: Results) -> str:
    """The answer under noise: the best kernel with entanglement, as a device would show it."""
    candidates = [
        (found.mitigated or found.noisy, outcome, found)
        for outcome, found in results.under_noise
        if not outcome.model.is_baseline
    ]
    if not candidates or results.noise is None:
        return ""
    scores, outcome, found = max(candidates, key=lambda candidate: candidate[0].mean)
    how = "mitigated" if found.mitigated else "which nothing could mitigate"
    gain = corrected_interval(scores, results.outcomes[0].scores)
    return (
        f"Under the noise of {results.noise.device} the best map with entanglement is {outcome.model.name}, {how}: "
        f"{100 * scores.mean:.1f} % (exact {100 * outcome.scores.mean:.1f} %); minus the tuned RBF {gain}."
    )


def scale_rows(results: Results) -> list[tuple[str, ...]]:
    """Accuracies in % against the scale of noise, two rows under `SCALE_HEADINGS` for each quantum kernel."""
    rows: list[tuple[str, ...]] = []
    for outcome, found in results.under_noise:
        exact = _percent(first_repeat(results.settings, outcome.scores.scores))
        noisy = (_percent(scores.noisy) for scores in found.scales)
        mitigated = (_percent(scores.mitigated) for scores in found.scales)
        rows += [(f"{outcome.model.name}, noisy", exact, *noisy), (f"{outcome.model.name}, mitigated", "", *mitigated)]
    return rows


def scale_caption(results: Results) -> str:
    """What the accuracies against the scale of noise are."""
    rbf = _percent(first_repeat(results.settings, results.outcomes[0].scores.scores))
    return (
        f"Mean accuracy in % on the {results.settings.folds} outer folds of the first repeat, against noise in "
        f"multiples of the calibrated one; 0 × is shots alone. The tuned RBF has {rbf} on these folds."
    )


def first_repeat(settings: Settings, scores: tuple[float, ...]) -> tuple[float, ...]:
    """Scores on the folds that the scale of noise was varied on."""
    return scores[: settings.folds]


def _difference(scores: FoldScores | None, baseline: FoldScores) -> str:
    return "" if scores is None else corrected_interval(scores, baseline).points()


def _percent(scores: tuple[float, ...] | None) -> str:
    return "" if scores is None else f"{100 * sum(scores) / len(scores):.1f}"
