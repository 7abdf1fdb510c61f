"""Every fault of `fault_rows` against a kernel of three blocks: survived, or an error after which the next call works.

The promise after each: as many jobs as blocks (others are billed nothing), and the matrix bit for bit.
Faults that need a story of their own are in `test_runtime_fault_cases` and `test_runtime_fault_costs`.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tests.loopback.server", reason="the loopback server needs internals of a newer client")

from qkernels._errors import ExecutionError, QKernelsError
from qkernels_hardware import RuntimeEngine
from tests.hardware import test_runtime_fault_cases as cases
from tests.hardware import test_runtime_fault_costs as costs
from tests.hardware.fault_bench import a_ledger, a_reference, a_server, cleared, fit, jobs_of, prove, unpaced
from tests.hardware.fault_rows import STOPPED, SURVIVED, Stop, Survival
from tests.hardware.kill_client import make_engine
from tests.loopback.handle import Loopback

FIXTURES = (a_ledger, a_reference, a_server, cleared, unpaced)
"""pytest finds them here."""

DOC = Path(__file__).parents[2] / "docs" / "faults.md"


def struck(server: Loopback) -> list[int]:
    """How often each rule struck that counts its strikes."""
    standing = ("tag_lag", "count_skew", "duplicate_pages", "reorder_pages", "token_ttl", "offline", "paused")
    return [rule["hits"] for rule in server.faults() if rule["kind"] not in standing]


def break_down(server: Loopback, engine: RuntimeEngine, row: Survival | Stop) -> None:
    """Add the rules of a row, most of them after the account was opened."""
    for rule in row.early:
        server.fault(**rule)
    waiting = list(row.rules)

    def add(step: str = "submitted", block: object = None) -> None:
        while step == "submitted" and waiting:
            server.fault(**waiting.pop(0))

    if row.midway:
        engine.watch = add
    elif row.rules:
        assert engine.backend.target.num_qubits == 5
        add()


# The matrix ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", SURVIVED, ids=lambda row: row.id)
def test_survived(row: Survival, server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    engine = make_engine(ledger, mode=row.mode, **row.policy)
    break_down(server, engine, row)
    assert np.array_equal(fit(engine), reference)
    assert all(struck(server))
    prove(server, ledger, lost=row.lost)
    before = len(server.jobs())
    assert np.array_equal(fit(make_engine(ledger, mode=row.mode)), reference)
    assert len(server.jobs()) == before


SLOW = ("backends-500-at-start",)  # the client repeats this request by itself for 15 s


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.id, marks=[pytest.mark.slow] * (row.id in SLOW)) for row in STOPPED]
)
def test_stopped(row: Stop, server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    engine = make_engine(ledger, outage=0.6, **row.engine)
    break_down(server, engine, row)
    with pytest.raises(QKernelsError) as caught:
        fit(engine)
    assert type(caught.value).__name__ == row.error, caught.value
    check_message(str(caught.value), row, server, ledger)
    server.clear()
    if row.then == "other":
        assert not ledger.exists() or jobs_of(server, ledger) == []
        return
    finished = done_jobs(server, ledger)
    if row.then == "retry":
        before = len(server.jobs())
        with pytest.raises(ExecutionError, match=re.escape(str(caught.value).split(" of block")[0])):
            fit(make_engine(ledger))
        assert len(server.jobs()) == before
        assert make_engine(ledger).collect(retry_failed=True) == 0
    assert np.array_equal(fit(make_engine(ledger)), reference)
    lost = [job for job in jobs_of(server, ledger) if job["status"] != "Completed"]
    prove(server, ledger, lost=len(lost))
    assert finished <= done_jobs(server, ledger)


def done_jobs(server: Loopback, path: Path) -> set[str]:
    """Jobs of a ledger that have results."""
    jobs = jobs_of(server, path) if path.exists() else []
    return {job["id"] for job in jobs if job["status"] == "Completed"}


def check_message(text: str, row: Stop, server: Loopback, path: Path) -> None:
    jobs = [job["id"] for job in jobs_of(server, path)] if path.exists() else []
    for part in row.says:
        if part == "{job}":
            assert any(job in text for job in jobs), text
        else:
            assert part.format(ledger=path) in text, text
    assert server.token not in text


def test_every_row_is_in_the_documentation() -> None:
    written = re.findall(r"^\| `([a-z0-9-]+)` \|", DOC.read_text(), flags=re.MULTILINE)
    functions = [*inspect.getmembers(cases, inspect.isfunction), *inspect.getmembers(costs, inspect.isfunction)]
    own = [name for name, _ in functions if name.startswith("test_")]
    told = [name.removeprefix("test_").replace("_", "-") for name in own if name not in cases.UNTOLD]
    assert sorted(written) == sorted([row.id for row in (*SURVIVED, *STOPPED)] + told)
