"""results.json: everything needed to repeat a run of the demo and to check it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from qkernels.cli._models import BANDWIDTH_FACTORS, C_GRID, GAMMA_GRID, INNER_FOLDS

if TYPE_CHECKING:
    from qkernels.cli._demo import Outcome, Settings
    from qkernels.cli._tables import Table

_VERSIONED = ("qkernels", "qiskit", "qiskit-ibm-runtime", "scikit-learn", "numpy", "scipy")


def write_record(
    path: Path,
    outcomes: Sequence[Outcome],
    table: Table,
    settings: Settings,
    num_components: int,
    seconds: float,
) -> None:
    """Write the record of a run as JSON."""
    record = {
        "settings": {**asdict(settings), "output": str(settings.output)},
        "data": {
            "name": table.name,
            "sha256": table.digest,
            "rows_in_table": table.num_rows_full,
            "rows_used": len(table.y),
            "columns": table.X.shape[1],
            "classes": table.num_classes,
        },
        "protocol": {
            "outer_folds": settings.folds,
            "repeats": settings.repeats,
            "inner_folds": INNER_FOLDS,
            "components": num_components,
            "C": C_GRID,
            "bandwidth_over_scale_rule": BANDWIDTH_FACTORS,
            "gamma": GAMMA_GRID,
        },
        "models": [_model(outcome) for outcome in outcomes],
        "seconds": seconds,
        "versions": {name: version(name) for name in _VERSIONED},
        "machine": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
    }
    path.write_text(json.dumps(_finite(record), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _model(outcome: Outcome) -> dict[str, object]:
    verdict = outcome.verdict
    return {
        "name": outcome.model.name,
        "feature_map": None if outcome.model.feature_map is None else repr(outcome.model.feature_map),
        "mean": outcome.scores.mean,
        "std": outcome.scores.std,
        **asdict(outcome.scores),
        "chosen": dict(outcome.chosen),
        "resources": None if outcome.resources is None else asdict(outcome.resources),
        "verdict": None if verdict is None else {"ruled_out": verdict.ruled_out, **asdict(verdict)},
    }


def _finite(value: object) -> object:
    """JSON has no infinity: null stands for it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
