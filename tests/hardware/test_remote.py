"""A connection to a server on this machine, through the unmodified client, also where things go wrong."""

from __future__ import annotations

import logging
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import ClassicalRegister, ParameterVector, QuantumRegister
from qiskit.quantum_info import SparsePauliOp

pytest.importorskip("qiskit_ibm_runtime.executor_sampler", reason="the client has no executor")
pytest.importorskip("qiskit_aer")

from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

from qkernels._errors import ExecutionError, InvalidParameterError, QKernelsWarning
from qkernels_hardware.service._faults import DeadlineError, FaultKind, UnreadableAnswerError, classify, judge_job
from qkernels_hardware.service._remote import Mode, RemoteConnection
from qkernels_hardware.service._retry import RetryPolicy
from qkernels_hardware.service._transport import quiet, within
from qkernels_hardware.work._jobs import Job, JobState, JobStatus, MeasuredCircuit
from tests.loopback.handle import Loopback

SHORT = RetryPolicy(request_deadline=3.0, submit_deadline=3.0, call_deadline=9.0).scaled(0.01)
TAG = "qk-11111111-7-2222cccc-a1"
VALUES = np.array([[0.0, 0.0], [np.pi, 0.0], [0.3, 1.1], [2.0, -0.4]])
JOBS = "^/jobs$"


def measured(connection: RemoteConnection, copies: int = 1, observables: tuple[str, ...] = ()) -> MeasuredCircuit:
    """Two qubits per copy; copy k of register ``t{k}``, or none and observables."""
    angles = ParameterVector("angle", 2 * copies)
    registers = [] if observables else [ClassicalRegister(2, f"t{k}") for k in range(copies)]
    circuit = QuantumCircuit(QuantumRegister(2 * copies, "q"), *registers)
    for k in range(copies):
        circuit.ry(angles[2 * k], 2 * k)
        circuit.cx(2 * k, 2 * k + 1)
        circuit.ry(angles[2 * k + 1], 2 * k + 1)
    for k, register in enumerate(registers):
        circuit.measure([2 * k, 2 * k + 1], register)
    isa = generate_preset_pass_manager(
        backend=connection.backend, optimization_level=1, seed_transpiler=7, initial_layout=list(range(2 * copies))
    ).run(circuit)
    found = tuple(SparsePauliOp(word).apply_layout(isa.layout) for word in observables)
    return MeasuredCircuit("overlap", isa, copies, 2, 1e-6, found)


def job_of(circuit: MeasuredCircuit, **changes: Any) -> Job:
    return replace(Job(circuit, "sampler", VALUES, 500, ("qk-11111111", TAG), 30, {}), **changes)


@pytest.fixture
def connect(loopback: Loopback) -> Iterator[Callable[..., RemoteConnection]]:
    """A function that opens connections to ``ibm_manila``."""
    opened: list[RemoteConnection] = []

    def make(**settings: Any) -> RemoteConnection:
        connection = RemoteConnection("ibm_manila", **({"policy": SHORT, "mode": "job"} | settings))
        opened.append(connection)
        return connection

    yield make
    loopback.clear()
    for connection in opened:
        connection.close()


Connect = Callable[..., RemoteConnection]


def done(loopback: Loopback, connection: RemoteConnection, job: Job) -> str:
    """Id of a job that has run."""
    job_id = connection.submit(job)
    loopback.wait("Completed")
    return job_id


def raised(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


# Jobs -----------------------------------------------------------------------------------------------------------


def test_a_job_comes_back_as_bits_in_bulk(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    samples = connection.fetch(done(loopback, connection, job_of(circuit)), circuit, "sampler")
    assert samples.bits is not None
    assert (samples.bits.shape, samples.bits.dtype) == ((4, 1, 500, 1), np.uint8)
    assert not samples.bits[0].any()
    assert (samples.bits[1] == 3).all()
    # P(00) of cos²(θ/2)·cos²(φ/2): exact within five standard errors.
    zeros = (samples.bits[2] == 0).mean()
    exact = np.cos(0.15) ** 2 * np.cos(0.55) ** 2
    assert abs(zeros - exact) < 5 * np.sqrt(exact * (1 - exact) / 500)


def test_copies_come_back_in_their_order(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection, copies=2)
    values = np.array([[np.pi, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, np.pi], [0.0, 0.0, 0.0, 0.0]])
    samples = connection.fetch(done(loopback, connection, job_of(circuit, values=values)), circuit, "sampler")
    assert samples.bits is not None
    assert samples.bits.shape == (3, 2, 500, 1)
    first = samples.bits[:, :, 0, 0]
    assert (samples.bits == first[:, :, None, None]).all()
    assert first.tolist() == [[3, 0], [0, 2], [0, 0]]


def test_a_circuit_without_parameters_has_one_row(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    bound = replace(circuit, circuit=circuit.circuit.assign_parameters([np.pi, 0.0]))
    job = job_of(bound, values=np.empty((1, 0)))
    samples = connection.fetch(done(loopback, connection, job), bound, "sampler")
    assert samples.bits is not None
    assert samples.bits.shape == (1, 1, 500, 1)
    assert (samples.bits == 3).all()


def test_an_estimator_job_comes_back_as_values(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection, observables=("ZZ", "IZ", "XI"))
    job = job_of(circuit, primitive="estimator", options={"resilience_level": 0})
    samples = connection.fetch(done(loopback, connection, job), circuit, "estimator")
    assert samples.values is not None
    assert samples.stderr is not None
    assert samples.values.shape == samples.stderr.shape == (4, 3)
    assert samples.values[1, :2] == pytest.approx([1.0, -1.0])
    assert samples.values[2, 1] == pytest.approx(np.cos(0.3), abs=5 / np.sqrt(500))


def test_an_estimator_takes_the_shots_asked_for(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection, observables=("ZZ",))
    for shots in (1, 30, 49, 128):
        job = job_of(circuit, primitive="estimator", options={"resilience_level": 0}, shots=shots)
        connection.submit(job)
    loopback.wait("Completed", 4)
    assert [each["executions"] for each in loopback.jobs()] == [4 * shots for shots in (1, 30, 49, 128)]


def test_twirled_jobs_have_the_shots_that_were_taken(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    options = {"twirling": {"enable_measure": True, "num_randomizations": 8, "shots_per_randomization": 70}}
    samples = connection.fetch(done(loopback, connection, job_of(circuit, options=options)), circuit, "sampler")
    assert samples.bits is not None
    assert samples.bits.shape == (4, 1, 560, 1)
    assert (samples.bits[1] == 3).all()


def test_tags_and_the_limit_of_time_reach_the_service(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    connection.submit(job_of(measured(connection), max_execution_time=77))
    (job,) = loopback.jobs()
    assert (job["tags"], job["cost"], job["private"]) == (["qk-11111111", TAG], 77, False)


@pytest.mark.parametrize("pages", ["newest first", "oldest first"])
def test_a_job_is_found_by_its_tag(loopback: Loopback, connect: Connect, pages: str) -> None:
    connection = connect()
    circuit = measured(connection)
    first, _, third = (
        connection.submit(job_of(circuit, tags=("qk-11111111", tag))) for tag in (TAG, TAG.replace("-a1", "-a2"), TAG)
    )
    loopback.wait("Completed", 3)
    if pages == "oldest first":
        loopback.fault("reorder_pages")
    found = connection.find(TAG, datetime.now(UTC) - timedelta(minutes=10))
    assert [state.job_id for state in found] == [first, third]
    assert all(state.status is JobStatus.DONE and state.created is not None for state in found)
    assert connection.find("qk-none") == []
    assert connection.find(TAG, datetime.now(UTC) + timedelta(minutes=10)) == []


def test_jobs_with_other_tags_and_jobs_listed_twice_are_left_out(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect()
    mine = {"id": "j1", "state": {"status": "Running"}, "tags": [TAG]}
    other = {"id": "j2", "state": {"status": "Running"}, "tags": [f"{TAG}1"]}
    monkeypatch.setattr(connection, "_api", lambda name: lambda **page: {"jobs": [mine, other, mine], "count": 3})
    assert connection.find(TAG) == [JobState("j1", JobStatus.RUNNING)]


def test_looking_up_a_tag_asks_for_one_page_whatever_is_counted(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    job_id = connection.submit(job_of(measured(connection)))
    loopback.fault("count_skew")
    before = len(loopback.requests("GET", "/jobs"))
    assert [state.job_id for state in connection.find(TAG)] == [job_id]
    assert len(loopback.requests("GET", "/jobs")) == before + 1


def test_times_in_other_zones_are_understood(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    job_id = connection.submit(job_of(measured(connection)))
    east = timezone(timedelta(hours=9))
    assert [s.job_id for s in connection.find(TAG, datetime.now(east) - timedelta(minutes=10))] == [job_id]
    assert connection.find(TAG, datetime.now(east) + timedelta(minutes=10)) == []


def test_a_fresh_connection_collects_the_job_of_another(loopback: Loopback, connect: Connect) -> None:
    first = connect()
    circuit = measured(first)
    job_id = done(loopback, first, job_of(circuit))
    second = connect()
    assert second.state(job_id).status is JobStatus.DONE
    samples = [each.fetch(job_id, circuit, "sampler").bits for each in (first, second)]
    assert np.array_equal(samples[0], samples[1])


def test_states_of_a_job(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    loopback.hold()
    job_id = connection.submit(job_of(circuit))
    waiting = connection.state(job_id)
    assert (waiting.job_id, waiting.status, waiting.too_long) == (job_id, JobStatus.QUEUED, False)
    assert connection.usage(job_id) is None
    assert connection.cancel(job_id) is True
    assert connection.state(job_id).status is JobStatus.CANCELLED
    assert connection.cancel(job_id) is False


def test_the_bill_of_a_job(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    job_id = done(loopback, connection, job_of(measured(connection)))
    assert connection.usage(job_id) == pytest.approx(loopback.billed())


def test_a_state_is_one_request(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    job_id = connection.submit(job_of(measured(connection)))
    before = len(loopback.requests())
    connection.state(job_id)
    assert len(loopback.requests()) == before + 1


@pytest.mark.parametrize(
    ("fault", "kind", "again"),
    [
        ({"kind": "job_fail", "code": 1010}, FaultKind.JOB_FAILED, True),
        ({"kind": "job_fail", "code": 1003}, FaultKind.JOB_FAILED, False),
        ({"kind": "job_cancel"}, FaultKind.JOB_CANCELLED, False),
        ({"kind": "job_too_long"}, FaultKind.JOB_TOO_LONG, False),
    ],
    ids=["service failed", "job failed", "cancelled", "too long"],
)
def test_jobs_that_end_without_results(
    loopback: Loopback, connect: Connect, fault: dict[str, Any], kind: FaultKind, again: bool
) -> None:
    loopback.fault(fault.pop("kind"), **fault)
    connection = connect()
    circuit = measured(connection)
    job_id = connection.submit(job_of(circuit))
    loopback.wait(("Failed", "Cancelled"))
    judged = judge_job(connection.state(job_id))
    assert judged is not None
    assert (judged.kind, judged.again) == (kind, again)
    error = raised(lambda: connection.fetch(job_id, circuit, "sampler"))
    assert classify(error, "fetch").kind is kind


# Batches --------------------------------------------------------------------------------------------------------


def test_a_batch_is_opened_once_and_closed(loopback: Loopback, connect: Connect) -> None:
    connection = connect(mode="batch")
    circuit = measured(connection)
    assert connection.session_id == ""
    for _ in range(2):
        connection.submit(job_of(circuit))
    batch = connection.session_id
    assert [job["session"] for job in loopback.jobs()] == [batch, batch]
    connection.close()
    assert connection.session_id == ""
    assert len(loopback.requests("PATCH", f"/sessions/{batch}")) == 1


def test_a_batch_whose_time_is_over_makes_room_for_another(loopback: Loopback, connect: Connect) -> None:
    connection = connect(mode="batch")
    circuit = measured(connection)
    connection.submit(job_of(circuit))
    first = connection.session_id
    loopback.expire_batch(first)
    assert classify(raised(lambda: connection.submit(job_of(circuit))), "submit").kind is FaultKind.NEW_BATCH
    connection.close()
    connection.submit(job_of(circuit))
    assert connection.session_id not in ("", first)
    assert [job["session"] for job in loopback.jobs()] == [first, connection.session_id]


@pytest.mark.parametrize("kind", ["status", "drop_before", "delay"])
def test_closing_never_raises(loopback: Loopback, connect: Connect, kind: str) -> None:
    connection = connect(mode="batch", policy=replace(SHORT, call_deadline=2.0))
    connection.submit(job_of(measured(connection)))
    loopback.fault(kind, method="^PATCH$", times=None)
    connection.close()
    assert connection.session_id == ""


def test_closing_what_was_not_opened_asks_nothing(connect: Connect, loopback: Loopback) -> None:
    connection = connect(mode="batch")
    connection.close()
    assert loopback.requests() == []


def test_job_mode_opens_nothing(loopback: Loopback, connect: Connect) -> None:
    connection = connect(mode="job")
    connection.submit(job_of(measured(connection)))
    assert loopback.requests("POST", "/sessions") == []
    assert connection.session_id == ""


@pytest.mark.parametrize("call", ["check", "submit"])
def test_sessions_are_refused_on_the_open_plan(loopback: Loopback, connect: Connect, call: str) -> None:
    connection = connect(mode="session")
    circuit = measured(connection)
    with pytest.raises(InvalidParameterError, match="Open Plan, which has no sessions, got 'session'"):
        connection.check() if call == "check" else connection.submit(job_of(circuit))
    assert loopback.requests("POST", "/sessions") == []


def test_sessions_are_opened_on_other_plans(loopback: Loopback, connect: Connect) -> None:
    connection = connect(mode="session", instance="loopback-paid")
    connection.check()
    connection.submit(job_of(measured(connection)))
    assert [job["session"] for job in loopback.jobs()] == [connection.session_id]


# Submissions that go wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "made"),
    [
        ({"kind": "status", "code": 400}, FaultKind.FATAL, 0),
        ({"kind": "status", "code": 401}, FaultKind.RETRY, 0),
        ({"kind": "status", "code": 403}, FaultKind.ACCOUNT, 0),
        ({"kind": "status", "code": 404}, FaultKind.FATAL, 0),
        ({"kind": "status", "code": 413}, FaultKind.FATAL, 0),
        ({"kind": "status", "code": 429}, FaultKind.RATE_LIMITED, 0),
        ({"kind": "status", "code": 429, "retry_after": 30}, FaultKind.RATE_LIMITED, 0),
        ({"kind": "status", "code": 500}, FaultKind.LOOK_UP, 0),
        ({"kind": "status", "code": 503}, FaultKind.LOOK_UP, 0),
        ({"kind": "rate_limit", "capacity": 0}, FaultKind.RATE_LIMITED, 0),
        ({"kind": "usage_limit"}, FaultKind.REFUSED, 0),
        ({"kind": "closed_batch"}, FaultKind.NEW_BATCH, 0),
        ({"kind": "drop_before"}, FaultKind.LOOK_UP, 0),
        ({"kind": "drop_after"}, FaultKind.LOOK_UP, 1),
        ({"kind": "after_status", "code": 504}, FaultKind.LOOK_UP, 1),
        ({"kind": "after_status", "code": 503}, FaultKind.LOOK_UP, 1),
        ({"kind": "html200"}, FaultKind.LOOK_UP, 1),
        ({"kind": "html200", "done": False}, FaultKind.LOOK_UP, 0),
        ({"kind": "truncate"}, FaultKind.LOOK_UP, 1),
        ({"kind": "slow_drip", "chunk": 1, "seconds": 0.8}, FaultKind.LOOK_UP, 1),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_a_submission_is_sent_once_whatever_the_answer(
    loopback: Loopback, connect: Connect, fault: dict[str, Any], kind: FaultKind, made: int
) -> None:
    connection = connect(policy=replace(SHORT, call_deadline=1.0))
    circuit = measured(connection)
    loopback.fault(fault.pop("kind"), method="^POST$", path=JOBS, times=None, **fault)
    error = raised(lambda: connection.submit(job_of(circuit)))
    assert classify(error, "submit").kind is kind
    assert len(loopback.requests("POST", "/jobs")) == 1
    assert len(loopback.jobs()) == made
    loopback.clear()
    assert len(connection.find(TAG)) == made


def test_a_fault_in_the_handler_of_another_one_does_not_take_its_status(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    loopback.fault("usage_limit")
    loopback.fault("drop_before", method="^POST$", path=JOBS)
    kinds = []
    try:
        connection.submit(job_of(circuit))
    except Exception as first:
        kinds.append(classify(first, "submit").kind)
        try:
            connection.submit(job_of(circuit))
        except Exception as second:
            kinds.append(classify(second, "submit").kind)
    assert kinds == [FaultKind.REFUSED, FaultKind.LOOK_UP]


def test_a_submission_that_hangs_is_given_up_and_may_still_be_done(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    rule = loopback.fault("delay", method="^POST$", path=JOBS, times=None)
    error = raised(lambda: connection.submit(job_of(circuit)))
    assert classify(error, "submit").kind is FaultKind.LOOK_UP
    assert connection.find(TAG) == []
    loopback.clear(rule)
    loopback.wait("Completed")
    assert len(connection.find(TAG)) == len(loopback.jobs()) == 1


@pytest.mark.parametrize("path", ["/status$", "^/instances/usage$"])
@pytest.mark.parametrize("kind", ["status", "drop_before", "delay"])
def test_faults_before_a_submission_submit_nothing(loopback: Loopback, connect: Connect, path: str, kind: str) -> None:
    connection = connect(policy=replace(SHORT, request_deadline=0.3))
    circuit = measured(connection)
    loopback.fault(kind, method="^GET$", path=path, times=None)
    error = raised(lambda: connection.submit(job_of(circuit)))
    assert classify(error, "submit").kind is FaultKind.RETRY
    assert loopback.requests("POST", "/jobs") == []


@pytest.mark.parametrize("kind", ["status", "drop_before", "after_status"])
def test_a_batch_that_cannot_be_opened_submits_nothing(loopback: Loopback, connect: Connect, kind: str) -> None:
    connection = connect(mode="batch")
    circuit = measured(connection)
    loopback.fault(kind, method="^POST$", path="^/sessions$")
    error = raised(lambda: connection.submit(job_of(circuit)))
    assert classify(error, "submit").kind is FaultKind.RETRY
    assert loopback.jobs() == []
    connection.submit(job_of(circuit))
    assert len(loopback.jobs()) == 1


def test_a_call_that_was_given_up_submits_nothing_later(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    connection.policy = replace(SHORT, submit_deadline=0.2, call_deadline=0.2)
    rule = loopback.fault("delay", method="^GET$", path="^/instances/usage$")
    error = raised(lambda: connection.submit(job_of(circuit)))
    assert isinstance(error, DeadlineError)
    calls = [thread for thread in threading.enumerate() if thread.name == "qkernels-ibm"]
    assert calls
    loopback.clear(rule)
    for thread in calls:
        thread.join(5.0)
    assert loopback.requests("GET", "/instances/usage")
    assert loopback.jobs() == []


# Waiting and downloads that go wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "code": 500}, FaultKind.RETRY),
        ({"kind": "status", "code": 503}, FaultKind.RETRY),
        ({"kind": "status", "code": 429, "retry_after": 60}, FaultKind.RATE_LIMITED),
        ({"kind": "status", "code": 404}, FaultKind.NOT_FOUND),
        ({"kind": "status", "code": 401}, FaultKind.RETRY),
        ({"kind": "drop_before"}, FaultKind.RETRY),
        ({"kind": "delay"}, FaultKind.RETRY),
        ({"kind": "html200"}, FaultKind.RETRY),
        ({"kind": "truncate"}, FaultKind.RETRY),
        ({"kind": "slow_drip", "chunk": 1, "seconds": 0.5}, FaultKind.RETRY),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_faults_while_waiting(loopback: Loopback, connect: Connect, fault: dict[str, Any], kind: FaultKind) -> None:
    connection = connect(policy=replace(SHORT, request_deadline=0.6, call_deadline=2.0))
    job_id = done(loopback, connection, job_of(measured(connection)))
    loopback.fault(fault.pop("kind"), method="^GET$", path=f"^/jobs/{job_id}$", times=None, **fault)
    assert classify(raised(lambda: connection.state(job_id)), "poll").kind is kind
    loopback.clear()
    assert connection.state(job_id).status is JobStatus.DONE


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "code": 502}, FaultKind.RETRY),
        ({"kind": "empty"}, FaultKind.RETRY),
        ({"kind": "html200"}, FaultKind.RETRY),
        ({"kind": "truncate"}, FaultKind.RETRY),
        ({"kind": "drop_before"}, FaultKind.RETRY),
        ({"kind": "slow_drip", "chunk": 1, "seconds": 0.4}, FaultKind.RETRY),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_faults_of_downloads(loopback: Loopback, connect: Connect, fault: dict[str, Any], kind: FaultKind) -> None:
    connection = connect(policy=replace(SHORT, request_deadline=0.6, call_deadline=2.0))
    circuit = measured(connection)
    job_id = done(loopback, connection, job_of(circuit))
    loopback.fault(fault.pop("kind"), method="^GET$", path="/results$", times=None, **fault)
    assert classify(raised(lambda: connection.fetch(job_id, circuit, "sampler")), "fetch").kind is kind
    loopback.clear()
    assert connection.fetch(job_id, circuit, "sampler").bits is not None


def test_empty_results_name_the_job(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    circuit = measured(connection)
    job_id = done(loopback, connection, job_of(circuit))
    loopback.fault("empty")
    with pytest.raises(UnreadableAnswerError, match=f"results of job {job_id} are empty"):
        connection.fetch(job_id, circuit, "sampler")


@pytest.mark.parametrize("wrong", ["register", "bits"])
def test_results_of_another_circuit_are_not_taken(loopback: Loopback, connect: Connect, wrong: str) -> None:
    connection = connect()
    circuit = measured(connection)
    job_id = done(loopback, connection, job_of(circuit))
    other = replace(circuit, copies=2) if wrong == "register" else replace(circuit, num_qubits=3)
    with pytest.raises(UnreadableAnswerError, match=f"results of job {job_id} cannot be read"):
        connection.fetch(job_id, other, "sampler")


def test_a_server_that_comes_back_is_found_again(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    job_id = done(loopback, connection, job_of(measured(connection)))
    loopback.stop()
    assert classify(raised(lambda: connection.state(job_id)), "poll").kind is FaultKind.RETRY
    loopback.restart()
    assert connection.state(job_id).status is JobStatus.DONE


def test_an_outage_of_the_token_service_passes(loopback: Loopback, connect: Connect) -> None:
    loopback.fault("token_ttl", seconds=1.0)  # every request needs a new token
    connection = connect()
    job_id = done(loopback, connection, job_of(measured(connection)))
    rule = loopback.fault("iam_outage", times=None)
    error = raised(lambda: connection.state(job_id))
    assert isinstance(error, IBMNotAuthorizedError)
    assert classify(error, "poll").kind is FaultKind.RETRY
    assert loopback.token not in str(error)
    loopback.clear(rule)
    # After a failure the client asks for no other token for 60 s, and lets calls sleep until then: not in a test.
    connection.service._active_api_client._session.auth.tm.request_time = 0
    assert connection.state(job_id).status is JobStatus.DONE


@pytest.mark.parametrize("gone", ["_get_api_client", "jobs_get"])
def test_private_calls_of_the_client_may_be_gone(
    loopback: Loopback, connect: Connect, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    connection = connect()
    circuit = measured(connection)
    if gone == "_get_api_client":
        monkeypatch.setattr(type(connection.service), gone, None)
    else:
        monkeypatch.setattr(connection, "_api", lambda name: None)
    job_id = done(loopback, connection, job_of(circuit))
    assert connection.state(job_id).status is JobStatus.DONE
    assert connection.usage(job_id) == pytest.approx(loopback.billed())
    assert [(s.job_id, s.status) for s in connection.find(TAG)] == [(job_id, JobStatus.DONE)]


def test_pages_that_never_end_are_given_up(
    loopback: Loopback, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(policy=replace(SHORT, call_deadline=0.5))
    connection.submit(job_of(measured(connection)))
    loopback.fault("count_skew")
    monkeypatch.setattr(connection, "_api", lambda name: None)
    with pytest.raises(DeadlineError, match="look for a job by its tag"):
        connection.find(TAG)


# The backend ----------------------------------------------------------------------------------------------------


def test_an_offline_backend_is_refused(loopback: Loopback, connect: Connect) -> None:
    loopback.fault("offline")
    with pytest.raises(ExecutionError, match="Backend ibm_manila is offline"):
        connect().check()


def test_a_paused_backend_is_a_warning_of_ours(loopback: Loopback, connect: Connect) -> None:
    loopback.fault("paused")
    connection = connect()
    with pytest.warns(QKernelsWarning, match="Backend ibm_manila is .*runs none for now"):
        connection.check()
    connection.submit(job_of(measured(connection)))  # no warning of the client, which would be an error here
    assert len(loopback.jobs()) == 1


def test_a_used_up_instance_is_a_warning_of_ours(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    done(loopback, connection, job_of(measured(connection)))
    loopback.limit_usage(1.0)
    with pytest.warns(QKernelsWarning, match="usage limit of the instance is reached"):
        connection.check()
    connection.submit(job_of(measured(connection)))
    assert connection.remaining() == 0.0


def test_a_healthy_backend_says_nothing(connect: Connect) -> None:
    connection = connect()
    connection.check()
    assert connection.remaining() is None


def test_a_new_calibration_is_seen(loopback: Loopback, connect: Connect) -> None:
    connection = connect()
    before = connection.calibration()
    assert connection.calibration() == before
    assert datetime.fromisoformat(before).tzinfo is not None
    loopback.calibrate("ibm_manila")
    assert connection.calibration() != before


# Options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"environment": {"private": True}}, "private=True: the results of a private job can be read once"),
        ({"twirling": {"enable_gate": True}}, r"got 'twirling.enable_gate'. Did you mean 'enable_gates'"),
    ],
    ids=["private", "unknown"],
)
def test_options_that_are_refused(loopback: Loopback, connect: Connect, options: dict[str, Any], message: str) -> None:
    connection = connect()
    circuit = measured(connection)
    with pytest.raises(InvalidParameterError, match=message):
        connection.submit(job_of(circuit, options=options))
    assert loopback.requests("POST", "/jobs") == []


# Opening, pickling, silence ---------------------------------------------------------------------------------------


def test_nothing_is_sent_before_it_is_needed(loopback: Loopback) -> None:
    RemoteConnection("ibm_manila")
    assert loopback.requests() == []


def test_an_instance_by_name_becomes_a_crn(loopback: Loopback) -> None:
    connection = RemoteConnection("ibm_manila", instance="loopback-paid")
    assert connection.instance == "loopback-paid"
    assert connection.service.active_instance() == connection.instance
    assert connection.instance.startswith("crn:")


@pytest.mark.parametrize("mode", ["batch", "job"])
def test_jobs_go_to_the_instance_asked_for(loopback: Loopback, mode: Mode) -> None:
    # A service for all instances of the account.
    with quiet():
        service = loopback.service(instance="auto")
    paid = next(each["crn"] for each in service.instances() if each["name"] == "loopback-paid")
    for instance in (paid, loopback.crn):
        connection = RemoteConnection("ibm_manila", service=service, instance=instance, mode=mode, policy=SHORT)
        job_id = connection.submit(job_of(measured(connection)))
        assert {each["id"]: each["instance"] for each in loopback.jobs()}[job_id] == instance
        assert [state.job_id for state in connection.find(TAG)] == [job_id]


def test_a_backend_object_brings_its_service(loopback: Loopback) -> None:
    service = loopback.service()
    with quiet():
        backend = service.backend("ibm_manila")
    connection = RemoteConnection(backend)
    assert connection.name == "ibm_manila"
    assert connection.service is service
    assert connection.backend is backend
    assert (connection.channel, connection.instance) == ("ibm_quantum_platform", loopback.crn)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "ibm_manila", "mode": "batches"}, "mode of RuntimeEngine must be .* got 'batches'"),
        ({"backend": 7}, "backend of RemoteConnection must be an IBMBackend or its name, got int"),
    ],
    ids=["mode", "backend"],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        RemoteConnection(**arguments)


def test_a_pickle_opens_again_and_holds_no_token(loopback: Loopback, connect: Connect) -> None:
    connection = connect(mode="batch")
    circuit = measured(connection)
    job_id = done(loopback, connection, job_of(circuit))
    data = pickle.dumps(connection)
    assert loopback.token.encode() not in data
    copy = pickle.loads(data)
    assert (copy.name, copy.instance, copy.mode, copy.session_id) == ("ibm_manila", loopback.crn, "batch", "")
    assert copy.state(job_id).status is JobStatus.DONE


def test_a_pickle_without_an_account_says_what_is_missing(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = pickle.loads(pickle.dumps(RemoteConnection("ibm_manila", service=loopback.service())))
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    with pytest.raises(ExecutionError, match="No IBM Quantum account was found"):
        copy.state("j")


def test_no_token_in_texts(loopback: Loopback, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="qkernels_hardware")
    connection = connect(mode="batch")
    connection.submit(job_of(measured(connection)))
    loopback.fault("status", method="^PATCH$", code=500, body=f"Bearer {loopback.token}")
    connection.close()
    assert "was not closed" in caplog.text
    assert loopback.token not in caplog.text
    assert loopback.token not in repr(connection)


def test_the_client_prints_nothing(loopback: Loopback, connect: Connect, capfd: pytest.CaptureFixture[str]) -> None:
    connection = connect()
    connection.submit(job_of(measured(connection)))
    assert capfd.readouterr() == ("", "")


def test_quiet_puts_everything_back() -> None:
    filters, level = list(warnings.filters), logging.getLogger("qiskit_ibm_runtime").level
    with quiet():
        with quiet():
            assert warnings.filters[0][0] == "ignore"
        assert logging.getLogger("qiskit_ibm_runtime").level == logging.ERROR
    assert list(warnings.filters) == filters
    assert logging.getLogger("qiskit_ibm_runtime").level == level


def test_warnings_of_others_stay_while_it_is_quiet() -> None:
    with quiet(), pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", stacklevel=1)


def test_within_hands_over_results_and_errors() -> None:
    assert within(5.0, "count", lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, "divide", lambda: 1 // 0)


def test_a_state_that_nobody_knows_counts_as_waiting(
    loopback: Loopback, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect()
    answer = {"id": "j", "state": {"status": "Validating"}, "created": "no date"}
    monkeypatch.setattr(connection, "_api", lambda name: lambda job_id: answer)
    assert connection.state("j") == JobState("j", JobStatus.QUEUED)
