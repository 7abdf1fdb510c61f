"""results.json: everything needed to repeat a run of the demo and to check it."""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from math import isfinite
from pathlib import Path

import numpy as np

from qkernels.cli._models import BANDWIDTH_FACTORS, C_GRID, GAMMA_GRID, INNER_FOLDS, PCA_SEED
from qkernels.cli._noise import MITIGATION, REPAIR
from qkernels.cli._results import Outcome, Results, Settings, UnderNoise
from qkernels.diagnostics import corrected_interval

_VERSIONED = ("qkernels", "qiskit", "qiskit-ibm-runtime", "scikit-learn", "numpy", "scipy", "matplotlib")
_SEED_TRANSPILER = 0
"""The default of `FeatureMap.resources`."""


@dataclass(frozen=True, slots=True)
class Record:
    """A run as plain data; the fields are the sections of results.json.

    Attributes
    ----------
    command : str
        Repeats the run, in a POSIX shell.
    started : str
        Date and time, UTC, ISO 8601.
    seconds : float
        Duration.
    settings, data, protocol, seeds, versions, machine : mapping
    models : sequence of mapping
        Scores, choices, circuits, verdicts and what noise does, the tuned RBF first.
    noise : mapping or None
        The noise and how it was applied; None, and not in the file, without --noise.
    """

    command: str
    started: str
    seconds: float
    settings: Mapping[str, object]
    data: Mapping[str, object]
    protocol: Mapping[str, object]
    seeds: Mapping[str, int]
    models: Sequence[Mapping[str, object]]
    versions: Mapping[str, str]
    machine: Mapping[str, object]
    noise: Mapping[str, object] | None = None


def make_record(results: Results, started: datetime, seconds: float) -> Record:
    """Collect what the run was, from its settings and from the machine."""
    settings, table, noise = results.settings, results.table, results.noise
    options = {name: value for name, value in asdict(settings).items() if name != "noise" or value is not None}
    labels, counts = np.unique(table.y, return_counts=True)
    return Record(
        command=_command(settings),
        started=started.isoformat(timespec="seconds"),
        seconds=seconds,
        settings={**options, "output": str(settings.output)},
        data={
            "name": table.name,
            "sha256": table.digest,
            "rows_in_table": table.num_rows_full,
            "rows_used": len(table.y),
            "columns": table.X.shape[1],
            "classes": table.num_classes,
            "rows_per_class": {str(label): int(count) for label, count in zip(labels, counts, strict=True)},
        },
        protocol={
            "outer_folds": settings.folds,
            "repeats": settings.repeats,
            "inner_folds": INNER_FOLDS,
            "components": results.num_components,
            "C": C_GRID,
            "bandwidth_over_scale_rule": BANDWIDTH_FACTORS,
            "gamma": GAMMA_GRID,
        },
        seeds={
            "folds and sample": settings.seed,
            "PCA": PCA_SEED,
            "transpiler": _SEED_TRANSPILER,
            **({} if noise is None else {"shots": settings.seed}),
        },
        models=[_model(outcome) for outcome in results.outcomes],
        versions={name: version(name) for name in _VERSIONED},
        machine={
            "python": platform.python_version(),
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
        noise=None if noise is None else {**asdict(noise), "mitigation": MITIGATION, "repair": REPAIR},
    )


def write_record(path: Path, record: Record) -> None:
    """Write the record as JSON."""
    sections = {name: value for name, value in asdict(record).items() if value is not None}
    path.write_text(json.dumps(_finite(sections), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _command(settings: Settings) -> str:
    """All options, also those left at their defaults: a later version may have others."""
    options = {name.replace("_", "-"): value for name, value in asdict(settings).items() if value is not None}
    return shlex.join(
        ["qkernels", "demo", *(part for name, value in options.items() for part in (f"--{name}", f"{value}"))]
    )


def _model(outcome: Outcome) -> dict[str, object]:
    verdict = outcome.verdict
    return {
        "name": outcome.model.name,
        "feature_map": None if outcome.model.feature_map is None else repr(outcome.model.feature_map),
        "program_key": outcome.program_key,
        "mean": outcome.scores.mean,
        "std": outcome.scores.std,
        **asdict(outcome.scores),
        "chosen": dict(outcome.chosen),
        "resources": None if outcome.resources is None else asdict(outcome.resources),
        "verdict": None if verdict is None else {"ruled_out": verdict.ruled_out, **asdict(verdict)},
        **({} if outcome.noise is None else {"noise": _noise(outcome, outcome.noise)}),
    }


def _noise(outcome: Outcome, found: UnderNoise) -> dict[str, object]:
    mitigated = found.mitigated
    return {
        **asdict(found),
        "noisy_minus_exact": asdict(corrected_interval(found.noisy, outcome.scores)),
        "mitigated_minus_noisy": None if mitigated is None else asdict(corrected_interval(mitigated, found.noisy)),
    }


def _finite(value: object) -> object:
    """JSON has no infinity: null stands for it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
