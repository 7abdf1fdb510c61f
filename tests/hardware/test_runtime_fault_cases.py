"""Faults that need a story of their own: the names of the tests are lines of `docs/faults.md`."""

from __future__ import annotations

import logging
import pickle
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tests.loopback.server", reason="the loopback server needs internals of a newer client")

from qkernels._errors import BudgetError, ExecutionError, QKernelsWarning
from qkernels_hardware import Budget, Ledger, RuntimeEngine
from qkernels_hardware.ledger._records import BlockRecord
from qkernels_hardware.work._jobs import BlockState
from tests.hardware.fault_bench import BLOCKS, a_ledger, a_reference, a_server, cleared, fit, jobs_of, prove, unpaced
from tests.hardware.kill_client import make_engine
from tests.loopback.handle import Loopback

FIXTURES = (a_ledger, a_reference, a_server, cleared, unpaced)
"""pytest finds them here."""

UNTOLD = ("test_no_token_on_disk_or_in_logs",)
"""Tests that are about no fault."""


@contextmanager
def background(server: Loopback, engine: RuntimeEngine) -> Iterator[Future[np.ndarray]]:
    """A fit on another thread; it ends, also where the test fails."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(fit, engine)
        finally:
            server.clear()
            server.release()


def later(server: Loopback, call: Callable[[], None]) -> threading.Thread:
    """Do something once all jobs wait in the queue."""

    def work() -> None:
        server.wait("Queued", BLOCKS)
        call()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_post_done_late(loopback: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """A submission that was given up is done after all: the second job is cancelled while it waits."""
    engine = make_engine(ledger, submit_deadline=0.4, tag_lag=0.1)
    assert engine.backend.num_qubits == 5
    loopback.hold()
    late = loopback.fault("delay", method="POST", path="^/jobs$", skip=1, seconds=30.0)
    with background(loopback, engine) as result:
        loopback.wait("Queued", BLOCKS)
        loopback.clear(late)
        loopback.wait("Cancelled", 1)
        loopback.release()
        assert np.array_equal(result.result(20.0), reference)
    prove(loopback, ledger, lost=1)
    with Ledger.open(ledger, read_only=True) as found:
        assert [event.block for event in found.events() if event.what == "duplicate"] == [2]


def test_first_attempt_shows_up_late(server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """The job of an attempt that was given up is found while the next attempt is looked for."""
    engine = make_engine(ledger, tag_lag=0.05)
    assert engine.backend.target.num_qubits == 5
    lag = server.fault("tag_lag", seconds=600.0)
    server.fault("after_status", method="POST", path="^/jobs$", skip=1)
    server.fault("status", method="POST", path="^/jobs$", skip=1)

    def watch(step: str, block: BlockRecord) -> None:
        if step == "posting" and block.attempt == 2:
            server.clear(lag)

    engine.watch = watch
    assert np.array_equal(fit(engine), reference)
    prove(server, ledger)
    with Ledger.open(ledger, read_only=True) as found:
        assert [block.attempt for block in found.blocks()] == [1, 2, 1]


@pytest.mark.parametrize("cancel", ["fine", "503", "dropped"])
def test_post_repeated_by_client(
    cancel: str, loopback: Loopback, ledger: Path, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the client repeats submissions by itself, both jobs have one tag: one is cancelled while it waits."""
    if cancel != "fine":
        kind = {"503": "status", "dropped": "drop_before"}[cancel]
        loopback.fault(kind, method="POST", path="/cancel$", times=2)
    for module in ("_account", "_remote"):
        monkeypatch.setattr(f"qkernels_hardware.service.{module}.bound_requests", lambda service, policy: None)
    engine = make_engine(ledger)
    loopback.hold()
    loopback.fault("after_status", method="POST", path="^/jobs$", skip=1)
    with background(loopback, engine) as result:
        loopback.wait("Cancelled", 1)
        loopback.wait("Queued", BLOCKS)
        loopback.release()
        assert np.array_equal(result.result(20.0), reference)
    prove(loopback, ledger, lost=1)


def test_batch_time_over(loopback: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """Jobs that wait when the time of their batch is over fail, and are submitted to another one."""
    engine = make_engine(ledger)
    loopback.hold()
    with background(loopback, engine) as result:
        loopback.wait("Queued", BLOCKS)
        loopback.expire_batch(str(loopback.jobs()[-1]["session"]))
        loopback.wait("Queued", BLOCKS)
        loopback.release()
        assert np.array_equal(result.result(20.0), reference)
    prove(loopback, ledger, lost=BLOCKS)


def test_post_repeated_then_interrupted(
    loopback: Loopback, ledger: Path, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the id of a job and the look for a second one: the next call looks."""
    for module in ("_account", "_remote"):
        monkeypatch.setattr(f"qkernels_hardware.service.{module}.bound_requests", lambda service, policy: None)

    def interrupt(step: str, block: BlockRecord) -> None:
        if step == "submitted" and block.id == 2:
            raise KeyboardInterrupt

    loopback.hold()
    loopback.fault("after_status", method="POST", path="^/jobs$", skip=1)
    engine = make_engine(ledger)
    engine.watch = interrupt
    with pytest.raises(KeyboardInterrupt):
        fit(engine)
    assert [job["status"] for job in loopback.jobs()] == ["Queued"] * 3
    with background(loopback, make_engine(ledger)) as result:
        loopback.wait("Cancelled", 1)
        loopback.release()
        assert np.array_equal(result.result(20.0), reference)
    prove(loopback, ledger, lost=1)


@pytest.mark.parametrize("queued", [False, True], ids=["runs at once", "runs later"])
def test_second_job_runs(
    server: Loopback, ledger: Path, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch, queued: bool
) -> None:
    """A second job that cannot be cancelled any more is waste, and the ledger says so once."""
    for module in ("_account", "_remote"):
        monkeypatch.setattr(f"qkernels_hardware.service.{module}.bound_requests", lambda service, policy: None)
    monkeypatch.setattr("qkernels_hardware.service._remote.RemoteConnection.cancel", lambda self, job_id: False)
    server.fault("after_status", method="POST", path="^/jobs$", skip=1)
    if queued:
        server.hold()
    with background(server, make_engine(ledger)) as result:
        if queued:
            server.wait("Queued", BLOCKS + 1)
            server.release()
        assert np.array_equal(result.result(20.0), reference)
    server.wait("Completed", BLOCKS + 1)
    assert make_engine(ledger).collect() == 0
    jobs = jobs_of(server, ledger)
    assert [job["status"] for job in jobs] == ["Completed"] * (BLOCKS + 1)
    with Ledger.open(ledger, read_only=True) as found:
        spent, summary = found.spent(), found.summary()
        noted = [event.detail for event in found.events() if event.what == "duplicate"]
    assert len(set(noted)) == 1
    assert spent.jobs == BLOCKS + 1
    assert summary.series[0].wasted == pytest.approx(spent.paid / (BLOCKS + 1), rel=0.1)


def test_bill_503(server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """Results do not wait for their bill; `collect` asks for it later."""
    engine = make_engine(ledger)
    server.fault("status", method="GET", path="/metrics$", times=None)
    assert np.array_equal(fit(engine), reference)
    with Ledger.open(ledger, read_only=True) as found:
        assert [block.usage for block in found.blocks()] == [None] * BLOCKS
    server.clear()
    assert engine.collect() == 0
    prove(server, ledger)


def test_backend_paused(loopback: Loopback, ledger: Path, reference: np.ndarray) -> None:
    engine = make_engine(ledger)
    assert engine.backend.num_qubits == 5
    loopback.fault("paused")
    resume = later(loopback, loopback.clear)
    with pytest.warns(QKernelsWarning, match="ibm_manila is paused"):
        assert np.array_equal(fit(engine), reference)
    resume.join()
    prove(loopback, ledger)


def test_usage_limit_reached(loopback: Loopback, ledger: Path, reference: np.ndarray) -> None:
    engine = make_engine(ledger)
    loopback.limit_usage(0.0)
    resume = later(loopback, lambda: loopback.limit_usage(None))
    with pytest.warns(QKernelsWarning, match="usage limit of the instance is reached"):
        assert np.array_equal(fit(engine), reference)
    resume.join()
    prove(loopback, ledger)


def test_no_account(server: Loopback, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    with pytest.raises(ExecutionError, match="No IBM Quantum account was found"):
        fit(make_engine(ledger))
    assert server.requests("POST", "/jobs") == [] or not ledger.exists() or jobs_of(server, ledger) == []


def test_token_wrong(server: Loopback, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "obviously-another-not-a-token")
    with pytest.raises(ExecutionError, match="rejected the token") as caught:
        fit(make_engine(ledger))
    assert "obviously" not in "".join(traceback.format_exception(caught.value))


def test_budget_used_up_midway(server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """A ledger that has two of the jobs that its budget allows: results stay reachable, and a larger budget goes on."""
    first = make_engine(ledger)
    server.fault("status", method="POST", path="^/jobs$", code=400, skip=2)
    with pytest.raises(ExecutionError, match="Block 3"):
        fit(first)
    server.clear()
    with pytest.raises(BudgetError, match="jobs of Budget"):
        fit(make_engine(ledger, budget=Budget(jobs=2)))
    assert len(jobs_of(server, ledger)) == 2
    with pytest.raises(BudgetError, match="jobs of Budget"):
        make_engine(ledger, budget=Budget(jobs=2)).collect()
    with Ledger.open(ledger, read_only=True) as found:
        assert len(found.blocks(states=[BlockState.DONE])) == 2
    assert np.array_equal(fit(make_engine(ledger, budget=Budget(jobs=3))), reference)
    prove(server, ledger)


def test_tags_lag_too_long(loopback: Loopback, ledger: Path, reference: np.ndarray) -> None:
    """A job that no search finds in time is submitted again, and cancelled when it is found."""
    loopback.hold()
    engine = make_engine(ledger, tag_lag=0.05)
    assert engine.backend.num_qubits == 5
    loopback.fault("after_status", method="POST", path="^/jobs$", skip=1)
    lag = loopback.fault("tag_lag", seconds=600.0)
    with background(loopback, engine) as result:
        loopback.wait("Queued", BLOCKS + 1)
        loopback.clear(lag)
        loopback.wait("Cancelled", 1)
        loopback.release()
        assert np.array_equal(result.result(20.0), reference)
    prove(loopback, ledger, lost=1)


# The disk -----------------------------------------------------------------------------------------------------------


def test_disk_full_results(
    server: Loopback, ledger: Path, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("qkernels_hardware.ledger._files.os.fsync", full)
        with pytest.raises(ExecutionError, match=r"No space left .*service still has them \(job lb"):
            fit(make_engine(ledger))
    assert len(jobs_of(server, ledger)) == BLOCKS
    assert np.array_equal(fit(make_engine(ledger)), reference)
    prove(server, ledger)


@pytest.mark.parametrize("state", ["intent", "submitted", "done"])
def test_disk_full_ledger(state: str, server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    class Full(sqlite3.Connection):
        def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
            if f"SET state = '{state}'" in statement:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(statement, *args)

    connect = sqlite3.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *args, **kwargs: connect(*args, **kwargs, factory=Full))
        with pytest.raises(ExecutionError, match="disk is full: make room"):
            fit(make_engine(ledger))
    assert np.array_equal(fit(make_engine(ledger)), reference)
    prove(server, ledger)


def test_results_folder_read_only(server: Loopback, ledger: Path, reference: np.ndarray) -> None:
    blocker = ledger.with_name(f"{ledger.name}.results")
    blocker.write_text("a file where the folder should be")  # whoever runs the tests may write to every folder
    with pytest.raises(ExecutionError, match=r"service still has them \(job lb"):
        fit(make_engine(ledger))
    blocker.unlink()
    assert np.array_equal(fit(make_engine(ledger)), reference)
    prove(server, ledger)


# Secrets ------------------------------------------------------------------------------------------------------------


def test_no_token_on_disk_or_in_logs(server: Loopback, ledger: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Faults that make the client say much: the token is in no file, log line, exception or pickle."""
    server.fault("token_ttl", seconds=1.0)
    engine = make_engine(ledger)
    assert engine.backend.num_qubits == 5
    server.fault("status", method="POST", path="^/jobs$", code=401)
    server.fault("drop_before", method="GET", path="^/jobs/[^/]+$", times=2)
    server.fault("job_fail", tags=r"qk-\w+-2-", code=1517, reason="No.")
    engine.watch = lambda step, block: step == "intent" and server.fault("iam_outage", times=2)  # type: ignore[assignment]
    with caplog.at_level(logging.DEBUG), pytest.raises(ExecutionError, match="No") as caught:
        fit(engine)
    written = b"".join(path.read_bytes() for path in ledger.parent.rglob("*") if path.is_file())
    shown = "".join(traceback.format_exception(caught.value))
    ours = "\n".join(record.getMessage() for record in caplog.records)
    assert "intent" in ours
    for secret in (server.token, "Bearer ey"):
        assert secret not in ours
        assert secret not in shown
        assert secret.encode() not in written
        assert secret.encode() not in pickle.dumps(engine)
    assert any(rule["kind"] == "iam_outage" and rule["hits"] for rule in server.faults())
