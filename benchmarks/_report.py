"""The table and the JSON records."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from typing import Self

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_info

from benchmarks._harness import Case, Goal, Result, Row

__all__ = ["Neighbours", "machine", "print_table", "record", "write_record"]

STAT = Path("/proc/stat")

PACKAGES = (
    "qkernels",
    "numpy",
    "scipy",
    "scikit-learn",
    "qiskit",
    "qiskit-aer",
    "qiskit-ibm-runtime",
    "qiskit-machine-learning",
    "pennylane",
    "pennylane-lightning",
    "qulacs",
    "squlearn",
    "joblib",
    "threadpoolctl",
)


def print_table(results: Mapping[Case, Result], console: Console, *, judged: bool) -> None:
    """All rows, and the compile times and notes below them."""
    table = Table(title=None if judged else "tiny sizes: the goals are about the full ones and are not judged")
    for name in ("measured", "against", "ours", "theirs", "ratio", "goal", "met", "largest difference"):
        table.add_column(name, justify="right" if name in ("ours", "theirs", "ratio") else "left")
    for result in results.values():
        table.add_section()
        for row in result.rows:
            table.add_row(*_cells(row, judged=judged))
    console.print(table)
    for case, result in results.items():
        if "compile_seconds" in result.details:
            milliseconds = 1e3 * result.details["compile_seconds"]
            console.print(
                f"{case.name}: compiling the circuit, once per process, took {milliseconds:.0f} ms (not included)"
            )
        if "note" in result.details:
            console.print(f"{case.name}: {result.details['note']}", highlight=False)


def _cells(row: Row, *, judged: bool) -> list[str]:
    missing = row.note if row.theirs is None and "not installed" in row.note else ""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}" if row.is_share else f"{row.ratio:.1f}x"
    if row.check is None:
        check = ""
    else:
        check = f"{row.check.difference:.1e}"
        if row.check.sampled:
            check = "within shot noise" if row.check.passed else "outside shot noise"
        check += "" if row.check.passed else " FAILED: no time"
    met = "" if row.met is None or not judged else "yes" if row.met else "[bold red]NO[/]"
    return [
        row.question,
        row.versus,
        _number(row.ours, row.unit),
        missing or _number(row.theirs, row.unit),
        ratio,
        "" if row.goal is None else _goal(row.goal, row.unit),
        met,
        check,
    ]


def _goal(goal: Goal, unit: str) -> str:
    if goal.kind == "ratio":
        return f"<= {goal.bound:g}"
    if goal.kind == "speedup":
        return f">= {goal.bound:g}x"
    if goal.kind == "about":
        return f"{_number(goal.bound, unit)} ± {goal.within:g}"
    return ("= " if goal.kind == "count" else "<= ") + _number(goal.bound, unit)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "s":
        return f"{value:.3g} s" if value >= 0.1 else f"{1e3 * value:.3g} ms"
    if unit == "B":
        return f"{value / 1e9:.3g} GB" if value >= 1e9 else f"{value / 1e6:.3g} MB"
    if unit == "exponent":
        return f"N^{value:.2f}"
    return f"{value:.1f} %" if unit == "%" else f"{value:g}"


class Neighbours:
    """How many cores were busy with something else than this process and its children, on average; Linux only.

    Attributes
    ----------
    cores : float or None
        None where the system does not tell.
    """

    def __init__(self) -> None:
        self.cores: float | None = None

    def __enter__(self) -> Self:
        self._start = time.perf_counter(), _busy_seconds(), _own_seconds()
        return self

    def __exit__(self, *error: object) -> None:
        start, busy, own = self._start
        after = _busy_seconds()
        if busy is not None and after is not None:
            others = (after - busy) - (_own_seconds() - own)
            cores = others / (time.perf_counter() - start)
            self.cores = min(max(0.0, cores), float(os.cpu_count() or 1))  # the system counts in ticks of 10 ms


def _busy_seconds() -> float | None:
    """Seconds of all cores since boot, less idling and waiting; time stolen by other machines of the host included."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, STAT.read_text().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """CPU seconds of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def machine() -> dict[str, object]:
    """What the numbers depend on besides the code."""
    blas = {f"{p['internal_api']} {p['version']} ({p['architecture']})": p["num_threads"] for p in _blas()}
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "blas_threads": blas,
    }


def _blas() -> Iterable[dict[str, object]]:
    return ({"architecture": None, **pool} for pool in threadpool_info() if pool["user_api"] == "blas")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def record(case: Case, sizes: Mapping[str, int], result: Result, on: Mapping[str, object]) -> dict[str, object]:
    """Everything that is needed to read the numbers and to repeat them, ready for JSON."""
    return {
        "case": case.name,
        "question": case.question,
        "sizes": dict(sizes),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks {case.name}",
        "rows": [_row(row) for row in result.rows],
        "details": result.details,
        "machine": dict(on),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _row(row: Row) -> dict[str, object]:
    check = None if row.check is None else {**asdict(row.check), "passed": row.check.passed}
    return {
        **asdict(row),
        "ratio": row.ratio,
        "ratio_is": None if row.ratio is None else "ours / theirs" if row.is_share else "theirs / ours",
        "met": row.met,
        "check": check,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write_record(folder: Path, content: Mapping[str, object]) -> Path:
    """Write one record; NaN and infinity become null."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{content['case']}.json"
    path.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value
