"""The server of `tests.loopback`, spoken to by the unmodified client of IBM."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager

pytest.importorskip("qiskit_ibm_runtime.executor_sampler", reason="the client has no executor")
pytest.importorskip("qiskit_aer")

import requests
from qiskit_ibm_runtime import Batch, Session
from qiskit_ibm_runtime.accounts.exceptions import InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import (
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobNotFound,
    RuntimeProgramNotFound,
)
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler

from tests.loopback.billing import circuit_seconds
from tests.loopback.guard.sitecustomize import LeftLoopbackError
from tests.loopback.handle import Loopback
from tests.loopback.seeds import job_seed

Start = Callable[..., Loopback]

VALUES = np.array([[0.0, 0.0], [np.pi, 0.0], [0.3, 1.1], [2.0, -0.4]])


def two_qubits(*, measured: bool = True) -> QuantumCircuit:
    angles = ParameterVector("angle", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(angles[0], 0)
    circuit.cx(0, 1)
    circuit.ry(angles[1], 1)
    if measured:
        circuit.measure_all()
    return circuit


def prepared(backend: Any, circuit: QuantumCircuit | None = None) -> QuantumCircuit:
    manager = generate_preset_pass_manager(backend=backend, optimization_level=1, seed_transpiler=7)
    return manager.run(two_qubits() if circuit is None else circuit)


def submit(backend: Any, *, tags: tuple[str, ...] = (), shots: int = 64, values: Any = VALUES, mode: Any = None) -> Any:
    sampler = Sampler(mode=backend if mode is None else mode)
    sampler.options.environment.job_tags = list(tags)
    return sampler.run([(prepared(backend), values)], shots=shots)


def bits(job: Any) -> Any:
    return job.result(poll_interval=0.1)[0].data.meas


def find_by_tag(service: Any, tag: str, **page: int) -> dict[str, Any]:
    return service._active_api_client.jobs_get(job_tags=[tag], **({"limit": 20} | page))


@pytest.fixture
def service(loopback: Loopback) -> Any:
    return loopback.service()


@pytest.fixture
def manila(service: Any) -> Any:
    return service.backend("ibm_manila")


# What works


def test_backends_and_their_targets_come_from_the_device_models(start_loopback: Start) -> None:
    service = start_loopback(models=("fake_manila", "fake_fez")).service()
    assert [(b.name, b.num_qubits) for b in service.backends()] == [("ibm_manila", 5), ("ibm_fez", 156)]
    assert service.least_busy().name == "ibm_manila"
    target = service.backend("ibm_fez").target
    assert "cz" in target.operation_names
    assert target["cz"][(0, 1)].error > 0


def test_unknown_backend(service: Any) -> None:
    with pytest.raises(QiskitBackendNotFoundError):
        service.backend("ibm_nowhere")


def test_sampler_returns_one_entry_for_each_row_of_values(manila: Any) -> None:
    found = bits(submit(manila, shots=4000))
    assert (found.shape, found.num_shots) == ((4,), 4000)
    zeros = 1 - np.count_nonzero(found.array.any(axis=-1), axis=-1) / found.num_shots
    a, b = VALUES.T
    exact = (np.cos(a / 2) * np.cos(b / 2)) ** 2
    assert zeros[:2] == pytest.approx(exact[:2], abs=1e-9)  # 1 and 0: no shot differs without noise
    assert np.all(np.abs(zeros - exact) <= 5 * np.sqrt(exact * (1 - exact) / 4000) + 1e-9)


def test_sampler_with_twirling_returns_whole_randomizations(manila: Any) -> None:
    sampler = Sampler(mode=manila)
    sampler.options.twirling.enable_gates = True
    sampler.options.twirling.enable_measure = True
    found = bits(sampler.run([(prepared(manila), VALUES)], shots=100))
    assert (found.shape, found.num_shots) == ((4,), 128)
    assert not found.array[0].any()  # flips of the measurement are undone


def test_twirled_shots_are_billed(loopback: Loopback, manila: Any) -> None:
    sampler = Sampler(mode=manila)
    sampler.options.twirling.enable_measure = True
    sampler.run([(prepared(manila), VALUES)], shots=100).result(poll_interval=0.1)
    assert loopback.jobs()[0]["executions"] == 4 * 128


def test_equal_circuits_of_a_job_have_different_shots(manila: Any) -> None:
    circuit = prepared(manila)
    result = Sampler(mode=manila).run([(circuit, VALUES)] * 2, shots=256).result(poll_interval=0.1)
    assert np.array_equal(result[0].data.meas.array[0], result[1].data.meas.array[0])
    assert not np.array_equal(result[0].data.meas.array[2], result[1].data.meas.array[2])


def test_estimator(manila: Any) -> None:
    circuit = prepared(manila, two_qubits(measured=False))
    observable = SparsePauliOp("ZI").apply_layout(circuit.layout)
    result = Estimator(mode=manila).run([(circuit, observable, VALUES)], precision=0.05).result(poll_interval=0.1)
    a, b = VALUES.T
    assert result[0].data.evs == pytest.approx(np.cos(a) * np.cos(b), abs=5 * 0.05)


def test_batch_runs_and_closes(loopback: Loopback, service: Any, manila: Any) -> None:
    batch = Batch(backend=manila)
    jobs = [submit(manila, mode=batch) for _ in range(2)]
    assert [bits(job).num_shots for job in jobs] == [64, 64]
    assert [job["session"] for job in loopback.jobs()] == [batch.session_id] * 2
    assert Batch.from_id(batch.session_id, service).status() == "In progress, accepting new jobs"
    batch.close()
    assert batch.status() == "Closed"
    assert batch.usage() == pytest.approx(loopback.billed())


def test_job_in_a_closed_batch_is_refused(loopback: Loopback, service: Any, manila: Any) -> None:
    batch = Batch(backend=manila)
    Batch.from_id(batch.session_id, service).close()
    with pytest.raises(IBMRuntimeError, match='"code":1217'):
        submit(manila, mode=batch)
    assert loopback.jobs() == []


def test_cancelled_session_cancels_its_jobs(loopback: Loopback, manila: Any) -> None:
    loopback.hold()
    session = Session(backend=manila)
    job = submit(manila, mode=session)
    assert session.details()["mode"] == "dedicated"
    session.cancel()
    assert (job.status(), session.status()) == ("CANCELLED", "Closed")


def test_queued_jobs_of_an_expired_batch_fail(loopback: Loopback, manila: Any) -> None:
    loopback.hold()
    batch = Batch(backend=manila)
    job = submit(manila, mode=batch)
    loopback.expire_batch(batch.session_id)
    with pytest.raises(RuntimeJobFailureError, match="1217"):
        job.result(poll_interval=0.1)


def test_batch_expires_by_its_clock(start_loopback: Start) -> None:
    loopback = start_loopback(batch_ttl=0.3)
    manila = loopback.service().backend("ibm_manila")
    batch = Batch(backend=manila)
    bits(submit(manila, mode=batch))
    loopback.hold()
    job = submit(manila, mode=batch)
    with pytest.raises(RuntimeJobFailureError, match="The batch ended"):
        job.result(poll_interval=0.1)


def test_seconds_billed_follow_the_published_formula(loopback: Loopback, service: Any, manila: Any) -> None:
    job = submit(manila, shots=1000)
    job.wait_for_final_state(poll_interval=0.1)
    seconds = circuit_seconds(prepared(manila), manila.target)
    expected = 2 + (250e-6 + seconds) * 4 * 1000
    assert 0 < seconds < 20e-6
    assert job.usage() == pytest.approx(expected)
    assert job.metrics()["usage"]["quantum_seconds"] == pytest.approx(expected)
    assert job.usage_estimation["quantum_seconds"] == pytest.approx(expected)
    assert service.usage()["usage_consumed_seconds"] == pytest.approx(expected)
    assert loopback.billed() == pytest.approx(expected)


def test_length_of_a_circuit_agrees_with_qiskit(manila: Any) -> None:
    circuit = prepared(manila)
    assert circuit_seconds(circuit, manila.target) == pytest.approx(circuit.estimate_duration(manila.target))


def test_rep_delay_of_the_job_is_billed(loopback: Loopback, manila: Any) -> None:
    sampler = Sampler(mode=manila)
    sampler.options.execution.rep_delay = 400e-6
    sampler.run([(prepared(manila), VALUES)], shots=1000).result(poll_interval=0.1)
    assert loopback.billed() == pytest.approx(2 + 4000 * 400e-6, abs=4000 * 20e-6)


def test_cancelled_in_the_queue_costs_nothing(loopback: Loopback, manila: Any) -> None:
    loopback.hold()
    job = submit(manila)
    assert job.status() == "QUEUED"
    job.cancel()
    with pytest.raises(RuntimeInvalidStateError, match=r"cancelled"):
        job.result(poll_interval=0.1)
    assert [(each["status"], each["seconds"]) for each in loopback.jobs()] == [("Cancelled", 0.0)]


def test_finished_job_cannot_be_cancelled(manila: Any) -> None:
    job = submit(manila)
    bits(job)
    with pytest.raises(RuntimeInvalidStateError, match="409"):
        job.cancel()


def test_running_job_can_be_cancelled(start_loopback: Start) -> None:
    loopback = start_loopback(run_seconds=20.0)
    job = submit(loopback.service().backend("ibm_manila"))
    loopback.wait("Running")
    job.cancel()
    assert [(each["status"], each["seconds"] > 2) for each in loopback.jobs()] == [("Cancelled", True)]


def test_released_jobs_run_and_others_wait(loopback: Loopback, manila: Any) -> None:
    loopback.hold()
    jobs = [submit(manila) for _ in range(3)]
    loopback.release(count=1)
    loopback.wait("Completed")
    loopback.release(jobs=[jobs[2].job_id()])
    loopback.wait("Completed", count=2)
    assert [job.status() for job in jobs] == ["DONE", "QUEUED", "DONE"]
    loopback.release()
    assert bits(jobs[1]).num_shots == 64


def test_another_service_finds_the_job(loopback: Loopback, manila: Any) -> None:
    job = submit(manila)
    again = loopback.service().job(job.job_id())
    assert np.array_equal(bits(again).array, bits(job).array)
    assert again.inputs["schema_version"] == "v2.0"
    assert again.logs() == ""


def test_unknown_job(service: Any) -> None:
    with pytest.raises(RuntimeJobNotFound, match="no-such-job"):
        service.job("no-such-job")


def test_jobs_are_found_by_tag(service: Any, manila: Any) -> None:
    job = submit(manila, tags=("run-1", "block-1"))
    submit(manila, tags=("run-1", "block-2"))
    assert find_by_tag(service, "run-1")["count"] == 2
    assert [each["id"] for each in find_by_tag(service, "block-1")["jobs"]] == [job.job_id()]
    assert [each.job_id() for each in service.jobs(job_tags=["block-1", "run-1"])] == [job.job_id()]
    job.wait_for_final_state(poll_interval=0.1)
    assert job.update_tags(["other"]) == ["other"]
    assert find_by_tag(service, "block-1")["count"] == 0


def test_jobs_are_filtered_and_sorted(loopback: Loopback, service: Any, manila: Any) -> None:
    first, second = (submit(manila).job_id() for _ in range(2))
    loopback.wait("Completed", count=2)
    loopback.hold()
    third = submit(manila).job_id()
    assert [job.job_id() for job in service.jobs()] == [third, second, first]
    assert [job.job_id() for job in service.jobs(descending=False, limit=None)] == [first, second, third]
    assert [job.job_id() for job in service.jobs(pending=True)] == [third]
    assert [job.job_id() for job in service.jobs(skip=1, limit=1)] == [second]
    assert service.jobs(created_before=service.job(first).creation_date, limit=2)[0].job_id() == first


def test_deleted_job_stays_in_the_ledger(loopback: Loopback, service: Any, manila: Any) -> None:
    job = submit(manila)
    bits(job)
    service.delete_job(job.job_id())
    assert service.jobs() == []
    assert [each["deleted"] for each in loopback.jobs()] == [True]


def test_private_results_are_read_once(manila: Any) -> None:
    sampler = Sampler(mode=manila)
    sampler.options.environment.private = True
    job = sampler.run([(prepared(manila), VALUES)], shots=64)
    bits(job)
    with pytest.raises(RequestsApiError, match="private"):
        job.result()


def test_dry_run_goes_to_the_mock_twin_and_is_free(loopback: Loopback, manila: Any) -> None:
    job = Sampler(mode=manila).run([(prepared(manila), VALUES)], shots=64, dry_run=True)
    assert bits(job).array[0].any()  # random, where the circuit has zeros only
    assert [(each["backend"], each["seconds"]) for each in loopback.jobs()] == [("mock_manila", 0.0)]


@pytest.mark.parametrize(
    ("tag", "same"),
    [("qk-bbbbbbbb-3-0123abcd-a2", True), ("qk-aaaaaaaa-4-0123abcd-a1", False), ("qk-aaaaaaaa-3-0123abce-a1", False)],
    ids=["other run and attempt", "other block", "other fingerprint"],
)
def test_same_block_has_the_same_bits(start_loopback: Start, tag: str, same: bool) -> None:
    found = []
    for each in ("qk-aaaaaaaa-3-0123abcd-a1", tag):
        manila = start_loopback().service().backend("ibm_manila")
        found.append(bits(submit(manila, tags=("run", each))).array)
    assert np.array_equal(found[0], found[1]) is same


def test_untagged_jobs_have_different_seeds() -> None:
    assert job_seed([], 0, 1) != job_seed([], 0, 2)
    assert job_seed(["qk-a-1-f-a1"], 0, 1) == job_seed(["x", "qk-b-1-f-a7"], 0, 2)
    assert job_seed(["qk-a-1-f-a1"], 0, 1) != job_seed(["qk-a-1-f-a1"], 1, 1)


def test_noise_of_the_device_model(start_loopback: Start) -> None:
    manila = start_loopback(ideal=False).service().backend("ibm_manila")
    found = bits(submit(manila, shots=2000))
    assert 0.01 < np.count_nonzero(found.array[0]) / 2000 < 0.3


@pytest.mark.slow
def test_noise_of_a_large_device_model(start_loopback: Start) -> None:
    fez = start_loopback(models=("fake_fez",), ideal=False).service().backend("ibm_fez")
    found = bits(submit(fez, shots=2000))
    assert 0.001 < np.count_nonzero(found.array[0]) / 2000 < 0.3


# What IBM would refuse


def wrong_coupling(backend: Any) -> tuple[QuantumCircuit, Any]:
    circuit = QuantumCircuit(5)
    circuit.cx(0, 4)
    circuit.measure_all()
    return circuit, None


def wrong_gate(backend: Any) -> tuple[QuantumCircuit, Any]:
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    return circuit, None


def not_finite(backend: Any) -> tuple[QuantumCircuit, Any]:
    return prepared(backend), [[np.nan, 0.0]]


def too_many(backend: Any) -> tuple[QuantumCircuit, Any]:
    return prepared(backend), np.zeros((9766, 2))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (wrong_coupling, "cx on qubits"),
        (wrong_gate, "instruction h"),
        (not_finite, "not finite"),
        (too_many, "10000384 executions"),
    ],
)
def test_job_that_breaks_a_rule_fails(loopback: Loopback, manila: Any, make: Callable[..., Any], reason: str) -> None:
    circuit, values = make(manila)
    job = Sampler(mode=manila).run([(circuit, values)], shots=1024)
    with pytest.raises(RuntimeJobFailureError, match=f"1002.*{reason}"):
        job.result(poll_interval=0.1)
    assert "Traceback" not in job.error_message()
    assert loopback.billed() == 0


@pytest.mark.parametrize(("angle", "legal"), [(0.4, True), (-0.4, False), (2.5, False)])
def test_rzz_has_a_range_of_angles(start_loopback: Start, angle: float, legal: bool) -> None:
    backend = start_loopback(models=("fake_fractional",)).service().backend("ibm_fractional", use_fractional_gates=True)
    circuit = QuantumCircuit(2)
    theta = ParameterVector("theta", 1)
    circuit.rzz(theta[0], 0, 1)
    circuit.measure_all()
    circuit = prepared(backend, circuit)
    assert "rzz" in circuit.count_ops()
    job = Sampler(mode=backend).run([(circuit, [[angle]])], shots=16)
    if legal:
        assert bits(job).num_shots == 16
    else:
        with pytest.raises(RuntimeJobFailureError, match="rzz is supported only"):
            job.result(poll_interval=0.1)


def test_newer_qpy_fails(start_loopback: Start) -> None:
    job = submit(start_loopback(max_qpy=12).service().backend("ibm_manila"))
    with pytest.raises(RuntimeJobFailureError, match="is newer than 12"):
        job.result(poll_interval=0.1)


def test_job_over_its_maximum_time_is_stopped(loopback: Loopback, manila: Any) -> None:
    sampler = Sampler(mode=manila)
    sampler.options.max_execution_time = 3
    job = sampler.run([(prepared(manila), VALUES)], shots=4000)
    with pytest.raises(RuntimeJobMaxTimeoutError, match="1305"):
        job.result(poll_interval=0.1)
    assert (job.status(), loopback.billed()) == ("ERROR", 3.0)


def test_jobs_wait_when_the_seconds_are_used_up(loopback: Loopback, service: Any, manila: Any) -> None:
    loopback.limit_usage(2.0)
    bits(submit(manila))
    assert service.usage()["usage_limit_reached"] is True
    with pytest.warns(UserWarning, match="usage limit"):
        job = submit(manila)
    loopback.wait("Queued")
    loopback.limit_usage(600.0)
    assert bits(job).num_shots == 64


# Faults of requests


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (400, IBMRuntimeError, "400 Client Error"),
        (401, IBMNotAuthorizedError, "401"),
        (403, IBMRuntimeError, "403"),
        (404, RuntimeProgramNotFound, "Injected"),
        (413, IBMRuntimeError, "413"),
    ],
)
def test_status_of_a_submission(loopback: Loopback, manila: Any, code: int, error: type[Exception], text: str) -> None:
    loopback.fault("status", method="POST", path="^/jobs$", code=code)
    with pytest.raises(error, match=text):
        submit(manila)
    assert loopback.jobs() == []
    assert bits(submit(manila)).num_shots == 64  # once is once


def test_status_with_a_body_of_ones_own(loopback: Loopback, manila: Any) -> None:
    loopback.fault("status", method="POST", path="^/jobs$", code=400, body='{"error":{"code":7,"message":"Own"}}')
    with pytest.raises(IBMRuntimeError, match="Own, Error code: 7"):
        submit(manila)


def test_status_500_before_a_job_is_made_is_retried_by_the_client(loopback: Loopback, manila: Any) -> None:
    loopback.fault("status", method="POST", path="^/jobs$", code=500)
    assert bits(submit(manila)).num_shots == 64
    assert len(loopback.jobs()) == 1
    assert [each["status"] for each in loopback.requests("POST", "/jobs")] == [500, 200]


def test_status_504_after_a_job_is_made_makes_two(loopback: Loopback, manila: Any) -> None:
    loopback.fault("after_status", method="POST", path="^/jobs$")
    job = submit(manila, tags=("mine",))
    loopback.wait("Completed", count=2)
    assert [each["id"] == job.job_id() for each in loopback.jobs("mine")] == [False, True]


@pytest.mark.parametrize(("kind", "made"), [("drop_before", 0), ("drop_after", 1)])
def test_connection_dropped_on_submission(loopback: Loopback, manila: Any, kind: str, made: int) -> None:
    loopback.fault(kind, method="POST", path="^/jobs$")
    with pytest.raises(IBMRuntimeError, match="Connection aborted"):
        submit(manila)
    assert len(loopback.jobs()) == made


def test_connection_dropped_while_waiting_is_retried_by_the_client(loopback: Loopback, manila: Any) -> None:
    job = submit(manila)
    loopback.fault("drop_before", method="GET", path="^/jobs/", times=2)
    assert bits(job).num_shots == 64


def test_skipped_requests_pass(loopback: Loopback, manila: Any) -> None:
    loopback.fault("status", method="POST", path="^/jobs$", code=400, skip=1, times=2)
    outcomes = []
    for _ in range(4):
        try:
            submit(manila)
            outcomes.append(True)
        except IBMRuntimeError:
            outcomes.append(False)
    assert outcomes == [True, False, False, True]
    assert [(each["seen"], each["hits"]) for each in loopback.faults()] == [(4, 2)]


@pytest.mark.parametrize(("done", "made"), [(True, 1), (False, 0)])
def test_html_instead_of_an_answer(loopback: Loopback, manila: Any, done: bool, made: int) -> None:
    loopback.fault("html200", method="POST", path="^/jobs$", done=done)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        submit(manila)
    assert len(loopback.jobs()) == made


def test_truncated_results(loopback: Loopback, manila: Any) -> None:
    job = submit(manila)
    loopback.fault("truncate", path="/results$")
    with pytest.raises(RequestsApiError, match="IncompleteRead") as caught:
        bits(job)
    assert caught.value.status_code == -1
    assert bits(job).num_shots == 64


def test_empty_results(loopback: Loopback, manila: Any) -> None:
    job = submit(manila)
    loopback.fault("empty")
    assert job.result(poll_interval=0.1) is None
    assert bits(job).num_shots == 64


def test_slow_results_arrive(loopback: Loopback, manila: Any) -> None:
    job = submit(manila, shots=16)
    number = loopback.fault("slow_drip", path="/results$", chunk=200, seconds=0.005)
    assert bits(job).num_shots == 16
    assert loopback.faults()[0]["hits"] == 1
    loopback.clear(number)
    assert loopback.faults() == []


def test_delay_lasts_until_it_is_cleared(loopback: Loopback, manila: Any) -> None:
    job = submit(manila)
    loopback.wait("Completed")
    loopback.fault("delay", path="/results$", seconds=60.0)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(bits(job).num_shots))
    waiting.start()
    waiting.join(0.5)
    assert found == []
    loopback.clear()
    waiting.join(20.0)
    assert found == [64]


def test_rate_limit(loopback: Loopback, manila: Any) -> None:
    loopback.fault("rate_limit", capacity=2)
    for _ in range(2):
        submit(manila)
    with pytest.raises(IBMRuntimeError, match=r"429 .*1202"):
        submit(manila)


def test_rate_limit_on_a_fast_clock(loopback: Loopback, manila: Any) -> None:
    loopback.fault("rate_limit", capacity=1, speed=1e9)
    for _ in range(3):
        submit(manila)
    assert len(loopback.jobs()) == 3


@pytest.mark.parametrize(("kind", "text"), [("usage_limit", "409 .*Usage exceeds"), ("closed_batch", '"code":1217')])
def test_submission_refused(loopback: Loopback, manila: Any, kind: str, text: str) -> None:
    loopback.fault(kind)
    with pytest.raises(IBMRuntimeError, match=text):
        submit(manila)
    assert loopback.jobs() == []


@pytest.mark.parametrize(("kind", "code"), [("iam_outage", 503), ("bad_key", 400)])
def test_outage_of_the_token_service_and_a_bad_key_differ_in_their_cause(
    loopback: Loopback, kind: str, code: int
) -> None:
    loopback.fault(kind, times=None)
    with pytest.raises(InvalidAccountError, match="Unable to retrieve instances") as caught:
        loopback.service()
    assert caught.value.__cause__.status_code == code  # type: ignore[union-attr]


def test_wrong_key(loopback: Loopback) -> None:
    with pytest.raises(InvalidAccountError) as caught:
        loopback.service(token="wrong-word")
    assert caught.value.__cause__.status_code == 400  # type: ignore[union-attr]


def test_short_tokens_are_renewed(loopback: Loopback) -> None:
    loopback.fault("token_ttl", seconds=1.0)
    service = loopback.service()
    loopback.wait("Queued", count=0)
    before = len(loopback.requests(path="/identity/token"))
    assert bits(submit(service.backend("ibm_manila"))).num_shots == 64
    assert len(loopback.requests(path="/identity/token")) > before


@pytest.mark.parametrize(("lifetime", "status"), [(60.0, 200), (-1.0, 401)], ids=["valid", "expired"])
def test_token_is_checked(loopback: Loopback, lifetime: float, status: int) -> None:
    loopback.fault("token_ttl", seconds=lifetime)
    token = requests.post(f"{loopback.base}/identity/token", data={"apikey": loopback.token}, timeout=10).json()
    headers = {"Authorization": f"Bearer {token['access_token']}", "Service-CRN": loopback.crn}
    assert requests.get(f"{loopback.url}/backends", headers=headers, timeout=10).status_code == status


def test_expired_token_during_an_outage_of_the_token_service(loopback: Loopback, service: Any, manila: Any) -> None:
    loopback.fault("token_ttl", seconds=1.0)
    service = loopback.service()
    loopback.fault("iam_outage", times=None)
    with (
        pytest.warns(UserWarning, match="API Key will be used instead"),
        pytest.raises(IBMNotAuthorizedError, match="401"),
    ):
        service.job("any")


# Faults of jobs and devices


def test_job_fails(loopback: Loopback, manila: Any) -> None:
    loopback.fault("job_fail", reason="Cooling failed.", code=5203, tags="second")
    first, second = submit(manila, tags=("first",)), submit(manila, tags=("second",))
    with pytest.raises(RuntimeJobFailureError, match="5203; Cooling failed"):
        second.result(poll_interval=0.1)
    assert bits(first).num_shots == 64
    assert [each["seconds"] > 0 for each in loopback.jobs()] == [True, False]


def test_job_is_cancelled_by_the_service(loopback: Loopback, manila: Any) -> None:
    loopback.fault("job_cancel")
    job = submit(manila)
    with pytest.raises(RuntimeInvalidStateError, match="cancelled"):
        job.result(poll_interval=0.1)


def test_job_runs_too_long(loopback: Loopback, manila: Any) -> None:
    loopback.fault("job_too_long")
    job = submit(manila)
    with pytest.raises(RuntimeJobMaxTimeoutError, match="1305"):
        job.result(poll_interval=0.1)
    assert loopback.billed() == pytest.approx(loopback.jobs()[0]["estimate"])


def test_offline_device_takes_jobs_and_lets_them_wait(loopback: Loopback, manila: Any) -> None:
    loopback.fault("offline", backend="ibm_manila")
    assert manila.status().operational is False
    job = submit(manila)
    loopback.wait("Queued")
    loopback.clear()
    assert bits(job).num_shots == 64


def test_paused_device_takes_jobs_and_lets_them_wait(loopback: Loopback, manila: Any) -> None:
    loopback.fault("paused")
    with pytest.warns(UserWarning, match="status of paused"):
        job = submit(manila)
    loopback.wait("Queued")
    loopback.clear()
    assert bits(job).num_shots == 64


def test_calibration_changes_after_some_jobs(loopback: Loopback, service: Any, manila: Any) -> None:
    loopback.fault("calibration", after_jobs=2)
    stamps, errors = [], []
    for _ in range(3):
        properties = manila.properties(refresh=True)
        stamps.append(properties.last_update_date)
        errors.append(properties.gate_error("cx", (0, 1)))
        bits(submit(manila))
        loopback.wait("Completed", count=len(stamps))
    assert stamps[0] == stamps[1] < stamps[2]
    assert errors[0] == errors[1] < errors[2]
    first = service.jobs(descending=False, limit=1)[0]
    assert first.properties(refresh=True).last_update_date == stamps[0]


def test_new_calibration_now(loopback: Loopback, manila: Any) -> None:
    before = manila.properties(refresh=True).last_update_date
    loopback.calibrate("ibm_manila")
    assert manila.properties(refresh=True).last_update_date > before


def test_tag_search_lags(loopback: Loopback, service: Any, manila: Any) -> None:
    loopback.fault("tag_lag", seconds=60.0)
    job = submit(manila, tags=("mine",))
    assert find_by_tag(service, "mine")["count"] == 0
    assert service.job(job.job_id()).tags == ["mine"]
    loopback.clear()
    assert find_by_tag(service, "mine")["count"] == 1


def test_pages_can_be_wrong(loopback: Loopback, service: Any, manila: Any) -> None:
    ids = [submit(manila, tags=("mine",)).job_id() for _ in range(4)][::-1]

    def page(**which: int) -> list[str]:
        return [job["id"] for job in find_by_tag(service, "mine", **which)["jobs"]]

    assert page(limit=2) + page(limit=2, skip=2) == ids
    loopback.fault("duplicate_pages")
    assert page(limit=2) + page(limit=2, skip=2) == [ids[0], ids[1], ids[1], ids[2]]
    loopback.clear()
    loopback.fault("reorder_pages")
    assert page(limit=2) == [ids[1], ids[0]]
    loopback.fault("count_skew", by=-1)
    assert find_by_tag(service, "mine")["count"] == 3


@pytest.mark.parametrize(
    ("kind", "rule", "text"),
    [
        ("nonsense", {}, "no fault of kind 'nonsense'; there are status, "),
        ("delay", {"minutes": 1}, "fault delay has no minutes; it has seconds"),
        ("kill", {}, "start a process"),
        ("status", {"path": "("}, "missing ), unterminated subpattern"),
    ],
)
def test_wrong_rules_are_refused(loopback: Loopback, kind: str, rule: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        loopback.fault(kind, **rule)


# Restarts


@pytest.mark.slow
def test_restart_keeps_jobs_and_runs_those_that_wait(start_loopback: Start) -> None:
    loopback = start_loopback(thread=False)
    service = loopback.service()
    manila = service.backend("ibm_manila")
    done = submit(manila, tags=("done",))
    before = bits(done).array
    loopback.hold()
    waiting = submit(manila, tags=("waiting",))
    loopback.wait("Queued")
    batch = Batch(backend=manila)
    billed = loopback.billed()
    loopback.kill()
    assert not loopback.alive
    loopback.restart()
    assert np.array_equal(bits(service.job(done.job_id())).array, before)
    assert (loopback.billed(), waiting.status(), batch.status()) == (billed, "QUEUED", "Pending")
    assert [job["id"] for job in find_by_tag(service, "waiting")["jobs"]] == [waiting.job_id()]
    loopback.release()
    assert bits(waiting).num_shots == 64


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "made"), [("before_store", 0), ("after_store", 1), ("before_answer", 1), ("mid_answer", 1)]
)
def test_server_killed_on_submission(start_loopback: Start, point: str, made: int) -> None:
    loopback = start_loopback(thread=False)
    manila = loopback.service().backend("ibm_manila")
    loopback.hold()
    loopback.fault("kill", point=point, method="POST", path="^/jobs$")
    with pytest.raises(IBMRuntimeError, match="Failed to run program"):
        submit(manila)
    loopback.wait_for_death()
    loopback.restart()
    assert len(loopback.jobs()) == made


@pytest.mark.slow
@pytest.mark.parametrize(("point", "runs"), [("before_run", 2), ("mid_run", 2), ("after_run", 1)])
def test_server_killed_while_a_job_runs(start_loopback: Start, point: str, runs: int) -> None:
    loopback = start_loopback(thread=False)
    loopback.fault("kill", point=point)
    job = submit(loopback.service().backend("ibm_manila"), tags=("qk-aaaaaaaa-0-0123abcd-a1",))
    loopback.wait_for_death()
    loopback.restart()
    assert bits(job).num_shots == 64
    found = loopback.jobs()
    assert [each["runs"] for each in found] == [runs]
    assert loopback.billed() == pytest.approx(found[0]["estimate"])


@pytest.mark.slow
def test_server_killed_in_the_middle_of_the_results(start_loopback: Start) -> None:
    loopback = start_loopback(thread=False)
    job = submit(loopback.service().backend("ibm_manila"))
    job.wait_for_final_state(poll_interval=0.1)
    loopback.fault("kill", point="mid_answer", path="/results$")
    with pytest.raises(RequestsApiError):
        job.result()
    loopback.restart()
    assert bits(job).num_shots == 64


# Nothing leaves this machine


@pytest.mark.parametrize("host", ["192.0.2.1", "iam.cloud.ibm.com"])
def test_this_process_reaches_only_the_server(fail_closed: list[str], host: str) -> None:
    with pytest.raises(LeftLoopbackError, match=host):
        socket.create_connection((host, 443), timeout=1)
    assert fail_closed == [host]
    fail_closed.clear()


def test_client_that_forgets_the_token_service_is_stopped(
    loopback: Loopback, fail_closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from qiskit_ibm_runtime import QiskitRuntimeService

    monkeypatch.delenv("IAM_URL")
    with pytest.raises(LeftLoopbackError, match=r"iam\."):
        QiskitRuntimeService(token=loopback.token, url=loopback.url, instance=loopback.crn)
    assert len(fail_closed) == 1
    fail_closed.clear()


def test_handle_makes_no_service_outside_of_the_fixtures(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_URL", "http://192.0.2.1")
    with pytest.raises(RuntimeError, match="use the fixtures"):
        loopback.service()


def client(loopback: Loopback, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], env=loopback.env, capture_output=True, text=True, timeout=60, check=False
    )


def test_client_process_reaches_only_the_server(loopback: Loopback) -> None:
    found = client(loopback, "import urllib.request as u; u.urlopen('http://192.0.2.1/', timeout=1)")
    assert "LeftLoopbackError: 192.0.2.1 is not this machine" in found.stderr
    found = client(loopback, "import requests as r; r.get('https://iam.cloud.ibm.com/', timeout=1)")
    assert "LeftLoopbackError: iam.cloud.ibm.com is not this machine" in found.stderr


def test_client_process_is_led_to_the_server(loopback: Loopback) -> None:
    program = """
import json, os
from qiskit_ibm_runtime import QiskitRuntimeService
print(json.dumps([[b.name for b in QiskitRuntimeService().backends()], os.path.expanduser("~")]))
"""
    found = client(loopback, program)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == [["ibm_manila"], str(loopback.folder / "home")]
