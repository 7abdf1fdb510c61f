"""Faults that would be paid twice, or beyond a budget: the names of the tests are lines of `docs/faults.md`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tests.loopback.server", reason="the loopback server needs internals of a newer client")

from qkernels._errors import BudgetError, ExecutionError, QKernelsWarning
from qkernels.engines import clear_cache
from qkernels_hardware import Budget, Ledger
from qkernels_hardware.ledger import _ledger
from qkernels_hardware.ledger._records import BlockRecord
from qkernels_hardware.runtime import _desk
from qkernels_hardware.runtime._transpiled import routed_for
from qkernels_hardware.work._jobs import BlockState
from tests.hardware.fault_bench import BLOCKS, a_ledger, a_reference, a_server, cleared, fit, jobs_of, prove, unpaced
from tests.hardware.kill_client import SHOTS, make_engine
from tests.loopback.handle import Loopback

FIXTURES = (a_ledger, a_reference, a_server, cleared, unpaced)
"""pytest finds them here."""

WHOLE = {"block_executions": 10_000}
"""All entries in one job."""


class Stopped(BaseException):
    """The program ends here."""


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def stop_at(step: str) -> Callable[[str, BlockRecord], None]:
    def watch(now: str, block: BlockRecord) -> None:
        if now == step:
            raise Stopped

    return watch


def plan_only(path: Path, **changes: Any) -> None:
    """A ledger whose blocks are planned, the first of them about to be sent; nothing is."""
    engine = make_engine(path, **changes)
    engine.watch = stop_at("intent")
    with pytest.raises(Stopped):
        fit(engine)


def states_of(path: Path) -> list[BlockState]:
    with Ledger.open(path, read_only=True) as ledger:
        return [block.state for block in ledger.blocks()]


# Copies of a ledger -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["a new file", "in place"])
def test_ledger_restored(way: str, server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """Back to a copy from before the jobs: they are found, and nothing is paid twice."""
    plan_only(ledger)
    backup = ledger.with_name("backup.sqlite")
    shutil.copy(ledger, backup)
    assert np.array_equal(fit(make_engine(ledger)), reference)
    paid = {job["id"]: job["seconds"] for job in jobs_of(server, ledger)}
    shutil.rmtree(ledger.with_name(f"{ledger.name}.results"))
    clear_cache()
    if way == "a new file":
        ledger.unlink()
        shutil.copy(backup, ledger)
    else:
        ledger.write_bytes(backup.read_bytes())
    assert BlockState.DONE not in states_of(ledger)
    assert np.array_equal(fit(make_engine(ledger)), reference)
    assert {job["id"]: job["seconds"] for job in jobs_of(server, ledger)} == paid
    prove(server, ledger)


def test_ledger_copied(loopback: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """A copy of a ledger at work elsewhere takes the jobs that wait, and cancels none of them."""
    plan_only(ledger)
    other = ledger.with_name("other") / "ledger.sqlite"
    other.parent.mkdir()
    shutil.copy(ledger, other)
    loopback.hold()
    first = make_engine(ledger)
    first.watch = stop_at("waiting")
    with pytest.raises(Stopped):
        fit(first)
    assert make_engine(other).collect(wait=False) == BLOCKS
    assert [job["status"] for job in jobs_of(loopback, ledger)] == ["Queued"] * BLOCKS
    loopback.release()
    for path in (ledger, other):
        clear_cache()
        assert np.array_equal(fit(make_engine(path)), reference)
        prove(loopback, path)


def test_ledger_copied_before_a_retry(server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """Another copy has submitted a failed block once more: this one takes that job, whatever its attempt is called."""
    server.fault("job_fail", code=1517, reason="No.", tags=r"qk-\w+-2-")
    with pytest.raises(ExecutionError, match="No"):
        fit(make_engine(ledger))
    other = ledger.with_name("other") / "ledger.sqlite"
    shutil.copytree(f"{ledger}.results", f"{other}.results")
    shutil.copy(ledger, other)
    assert make_engine(ledger).collect(retry_failed=True) == 0
    assert make_engine(other).collect(retry_failed=True) == 0
    for path in (ledger, other):
        clear_cache()
        assert np.array_equal(fit(make_engine(path)), reference)
        prove(server, path, lost=1)


def test_job_of_another_circuit(server: Loopback, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is back to when it had no circuits, and makes other ones now: no job of the old ones is taken."""
    with Ledger.open(ledger):
        backup = ledger.read_bytes()
    fit(make_engine(ledger))
    ledger.write_bytes(backup)
    shutil.rmtree(ledger.with_name(f"{ledger.name}.results"))
    clear_cache()

    def elsewhere(program: Any, route: Any, bases: Any, device: Any) -> Any:
        return routed_for(program, replace(route, layout=(0, 1)), bases, device)

    monkeypatch.setattr(_desk, "routed_for", elsewhere)
    engine = make_engine(ledger)
    engine.watch = stop_at("posting")
    with pytest.raises(Stopped):
        fit(engine)


def test_ledger_restored_clock_ahead(
    server: Loopback, ledger: Path, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of this computer is wrong by hours: the jobs are found all the same."""
    monkeypatch.setattr(_ledger, "_utc_now", lambda: datetime.now(UTC) + timedelta(hours=3))
    plan_only(ledger)
    backup = ledger.read_bytes()
    fit(make_engine(ledger))
    paid = [job["id"] for job in jobs_of(server, ledger)]
    shutil.rmtree(ledger.with_name(f"{ledger.name}.results"))
    ledger.write_bytes(backup)
    clear_cache()
    assert np.array_equal(fit(make_engine(ledger)), reference)
    assert [job["id"] for job in jobs_of(server, ledger)] == paid


# Budgets ------------------------------------------------------------------------------------------------------------


def test_bill_of_a_failed_job_503(server: Loopback, ledger: Path) -> None:
    """Its estimate counts as long as the bill is not known, and the bill is asked for before the next job."""
    server.fault("job_too_long")
    bill = server.fault("status", method="GET", path="/metrics$", times=None)
    options = {"options": {"max_execution_time": 9}}
    with pytest.raises(ExecutionError, match="maximum execution time"):
        fit(make_engine(ledger, **WHOLE, **options))
    with Ledger.open(ledger, read_only=True) as found:
        assert found.spent().paid == 0.0
        assert found.spent().open == pytest.approx(2.0 + 10 * SHOTS * 250e-6, rel=0.01)
    with pytest.raises(BudgetError, match=r"0\.0 s are paid, 2\.\d s are under way"):
        make_engine(ledger, budget=Budget(qpu_seconds=4), **WHOLE, **options).collect(retry_failed=True)
    server.clear(bill)
    with pytest.raises(BudgetError, match=r"9\.0 s are paid, 0\.0 s are under way"):
        make_engine(ledger, budget=Budget(qpu_seconds=10), **WHOLE, **options).collect(retry_failed=True)
    assert [job["seconds"] for job in jobs_of(server, ledger)] == [9.0]


def test_bill_of_a_failed_job_late(server: Loopback, ledger: Path) -> None:
    """It is nothing, since the service was to blame, and that is asked for before a budget refuses the next job."""
    server.fault("job_fail", code=1010)
    bill = server.fault("status", method="GET", path="/metrics$", times=None)
    with pytest.raises(ExecutionError, match="Internal error"):
        fit(make_engine(ledger, attempts=1, **WHOLE))
    server.clear(bill)
    engine = make_engine(ledger, budget=Budget(qpu_seconds=4), **WHOLE)
    assert fit(engine).shape == (4, 4)
    assert [job["seconds"] > 0 for job in jobs_of(server, ledger)] == [False, True]


def test_budget_used_up_by_a_retry(loopback: Loopback, ledger: Path) -> None:
    """A failed block cannot be submitted again; what is finished is collected all the same."""
    loopback.hold()
    loopback.fault("job_cancel")
    engine = make_engine(ledger, budget=Budget(jobs=BLOCKS))
    engine.watch = stop_at("waiting")
    with pytest.raises(Stopped):
        fit(engine)
    loopback.release(count=1)
    loopback.wait("Cancelled")
    with pytest.raises(ExecutionError, match="was cancelled"):
        make_engine(ledger, budget=Budget(jobs=BLOCKS)).collect(wait=False)
    loopback.release()
    loopback.wait("Completed", BLOCKS - 1)
    with pytest.raises(BudgetError, match="jobs of Budget is 3"):
        make_engine(ledger, budget=Budget(jobs=BLOCKS)).collect(retry_failed=True)
    assert states_of(ledger) == [BlockState.CANCELLED, BlockState.DONE, BlockState.DONE]


# Jobs that cannot give results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["job", "results"])
def test_job_gone(gone: str, server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """A result file is lost, and the service has deleted its job: only who asks for it pays once more."""
    fit(make_engine(ledger))
    job = lose_results(ledger, 2)
    if gone == "job":
        make_engine(ledger)._device.connection.service.delete_job(job)  # type: ignore[attr-defined]
    else:
        server.fault("status", method="GET", path=f"^/jobs/{job}/results$", code=404, times=None)
    with (
        pytest.warns(QKernelsWarning, match="it is missing"),
        pytest.raises(ExecutionError, match=rf"{job}.*instance.*gone.*retry_failed=True.*block 2 once more"),
    ):
        fit(make_engine(ledger))
    assert len(jobs_of(server, ledger)) == BLOCKS
    assert make_engine(ledger).collect(retry_failed=True) == 0
    assert np.array_equal(fit(make_engine(ledger)), reference)
    jobs = jobs_of(server, ledger)
    assert len(jobs) == BLOCKS + 1
    with Ledger.open(ledger, read_only=True) as found:
        block = found.blocks()[1]
        assert block.job_id != job
        assert found.spent().paid == pytest.approx(sum(each["seconds"] for each in jobs))
        assert block.waste == pytest.approx(next(each["seconds"] for each in jobs if each["id"] == job))


def test_job_of_another_instance(server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """What another instance does not know is not gone, whoever asks."""
    fit(make_engine(ledger))
    job = lose_results(ledger, 2)
    with Ledger.open(ledger) as found, found._database.change("") as connection:
        connection.execute("UPDATE series SET instance = 'crn:of:another'")
    unknown = server.fault("status", method="GET", path=f"^/jobs/{job}/results$", code=404, times=None)
    with (
        pytest.warns(QKernelsWarning, match="it is missing"),
        pytest.raises(ExecutionError, match=r"instance .*\(crn:of:another\)"),
    ):
        fit(make_engine(ledger))
    with pytest.raises(ExecutionError, match=r"\(crn:of:another\)"):
        make_engine(ledger).collect(retry_failed=True)
    server.clear(unknown)
    assert np.array_equal(fit(make_engine(ledger)), reference)
    prove(server, ledger)


def lose_results(path: Path, block: int) -> str:
    """Delete the result file of a block; its job."""
    clear_cache()
    with Ledger.open(path, read_only=True) as ledger:
        record = ledger.blocks([block])[0]
        (ledger.results / record.file).unlink()
        return record.job_id


def test_job_that_cannot_finish(server: Loopback, ledger: Path) -> None:
    """A planned block needs more than the time that its job would have."""
    plan_only(ledger, **WHOLE)
    with pytest.raises(ExecutionError, match=r"Block 1 needs about 2\.2 s.*max_execution_time.*more than 2 s"):
        make_engine(ledger, options={"max_execution_time": 2}).collect()
    assert jobs_of(server, ledger) == []
    assert make_engine(ledger).collect() == 0
    assert len(jobs_of(server, ledger)) == 1
