"""What the demo was asked, and what it found: plain data that the terminal, the record and the page are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qkernels.circuits import Resources
from qkernels.cli._models import Model
from qkernels.cli._tables import Table
from qkernels.diagnostics import FoldScores, Verdict


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of the command, see `qkernels demo --help`."""

    dataset: str
    target: str | None
    output: Path
    features: int
    folds: int
    repeats: int
    max_rows: int
    shots: int
    device: str
    seed: int
    jobs: int
    noise: str | None = None


@dataclass(frozen=True, slots=True)
class NoiseSource:
    """The noise that kernels were evaluated under.

    Attributes
    ----------
    device : str
        Name of the device model.
    source : str
        Package and version that it comes from.
    calibrated : str or None
        Date and time of the calibration, ISO 8601.
    key : str
        sha256 of the calibration, in hex.
    """

    device: str
    source: str
    calibrated: str | None
    key: str

    @property
    def day(self) -> str:
        """Of the calibration."""
        return "on an unknown day" if self.calibrated is None else self.calibrated.partition("T")[0]


@dataclass(frozen=True, slots=True)
class NoisyCircuit:
    """The circuit of a kernel entry on the device, U(x) and then U(y) backwards.

    Attributes
    ----------
    layout : tuple of int
        Physical qubits.
    active_qubits : int
        Qubits that a gate acts on.
    two_qubit_gates, two_qubit_depth, depth : int
    fidelity : float
        Product of 1 − error over all gates and measurements.
    """

    layout: tuple[int, ...]
    active_qubits: int
    two_qubit_gates: int
    two_qubit_depth: int
    depth: int
    fidelity: float


@dataclass(frozen=True, slots=True)
class ScaledScores:
    """Accuracies at a scale of the noise, on the outer folds of the first repeat.

    Attributes
    ----------
    scale : float
        1 is the device as it was calibrated.
    noisy : tuple of float
    mitigated : tuple of float, or None
        None where the noise leaves nothing to mitigate, in a fold or in all.
    """

    scale: float
    noisy: tuple[float, ...]
    mitigated: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class UnderNoise:
    """What was found about one kernel under noise, at the bandwidth and C that the exact search chose in each fold.

    Attributes
    ----------
    circuit : NoisyCircuit
    self_value : float
        Mean measured entry of a row with itself, 1 without noise.
    noisy : FoldScores
        Of sampled matrices, negative eigenvalues clipped; all outer folds.
    mitigated : FoldScores or None
        Of the same matrices after mitigation. None where the noise leaves nothing to mitigate.
    scales : tuple of ScaledScores
        Ascending.
    """

    circuit: NoisyCircuit
    self_value: float
    noisy: FoldScores
    mitigated: FoldScores | None
    scales: tuple[ScaledScores, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What was found about one model.

    Attributes
    ----------
    model : Model
    scores : FoldScores
    chosen : mapping from str to tuple of float
        What each outer fold chose, by parameter ("C", and "bandwidth" or "gamma").
    program_key : str or None
        Content key of the map's overlap program, sha256 in hex. None for classical models, as the next two.
    resources : Resources or None
    verdict : Verdict or None
    noise : UnderNoise or None
        None without --noise, too.
    """

    model: Model
    scores: FoldScores
    chosen: Mapping[str, tuple[float, ...]]
    program_key: str | None = None
    resources: Resources | None = None
    verdict: Verdict | None = None
    noise: UnderNoise | None = None

    def typical(self, parameter: str) -> float:
        """The (lower) median of the folds' choices, itself a value of the grid."""
        return sorted(self.chosen[parameter])[(len(self.chosen[parameter]) - 1) // 2]


@dataclass(frozen=True, slots=True)
class QPUCost:
    """What a kernel matrix with its diagonal takes on the device.

    Attributes
    ----------
    model : str
        Whose circuit.
    seconds : float
        QPU seconds.
    open_plan_share : float
        The same as a part of an Open Plan of 28 days.
    """

    model: str
    seconds: float
    open_plan_share: float


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """All that a report says about the table.

    Attributes
    ----------
    settings : Settings
    table : Table
    num_components : int
        Principal components kept.
    device : str
        Name of the device model that circuits were routed on.
    device_qubits : int
    outcomes : sequence of Outcome
        The tuned RBF first.
    noise : NoiseSource or None
        None without --noise.
    cost : QPUCost or None
        Of the best map with entanglement.
    """

    settings: Settings
    table: Table
    num_components: int
    device: str
    device_qubits: int
    outcomes: Sequence[Outcome]
    noise: NoiseSource | None = None
    cost: QPUCost | None = None

    @property
    def judged(self) -> list[Outcome]:
        """The quantum kernels."""
        return [outcome for outcome in self.outcomes if outcome.verdict is not None]

    @property
    def under_noise(self) -> list[tuple[Outcome, UnderNoise]]:
        """The quantum kernels with what was found under noise; none without --noise."""
        return [(outcome, outcome.noise) for outcome in self.outcomes if outcome.noise is not None]
