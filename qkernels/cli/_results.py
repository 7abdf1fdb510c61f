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
    """

    model: Model
    scores: FoldScores
    chosen: Mapping[str, tuple[float, ...]]
    program_key: str | None = None
    resources: Resources | None = None
    verdict: Verdict | None = None

    def typical(self, parameter: str) -> float:
        """The (lower) median of the folds' choices, itself a value of the grid."""
        return sorted(self.chosen[parameter])[(len(self.chosen[parameter]) - 1) // 2]


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
    """

    settings: Settings
    table: Table
    num_components: int
    device: str
    device_qubits: int
    outcomes: Sequence[Outcome]

    @property
    def judged(self) -> list[Outcome]:
        """The quantum kernels."""
        return [outcome for outcome in self.outcomes if outcome.verdict is not None]
