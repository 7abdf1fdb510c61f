"""What a RuntimeEngine's plan counts, and what a budget refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit.circuit import ParameterVector
from qiskit.transpiler import InstructionDurations, PassManager
from qiskit.transpiler.passes import ALAPScheduleAnalysis
from qiskit_ibm_runtime.fake_provider import FakeMiami

from qkernels import ExpectationProgram, OverlapProgram, ZZFeatureMap
from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines import clear_cache
from qkernels_hardware import Budget, Ledger, RuntimeEngine
from qkernels_hardware.service._local import LocalConnection
from qkernels_hardware.work._cost import Rates, rows_per_job
from tests.hardware.runtime_cases import blocks_of, constant, entries_of, program_of, rows


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def engine(folder: Path, backend: object = "fake_manila", **options: object) -> RuntimeEngine:
    settings = {"shots": 100, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine(backend, **(settings | options))  # type: ignore[arg-type]


def zz(d: int = 3) -> OverlapProgram:
    return program_of(ZZFeatureMap(), d)


# Counts ---------------------------------------------------------------------------------------------------------


REQUESTS: dict[str, tuple[tuple[int, ...], dict[str, object], int]] = {
    "gram": ((5,), {}, 15),
    "cross": ((5, 3), {}, 15),
    "no diagonal": ((5,), {"diagonal": False}, 10),
    "both": ((5,), {"orientation": "both"}, 30),
    "own entries": ((5, 3), {"need": {"diagonal"}}, 15 + 8),
    "pairs": ((5,), {"pairs": [(0, 1), (2, 2)]}, 2),
    "shots of pairs": ((5,), {"pairs": [(0, 1), (2, 3)], "shots": [100, 100]}, 2),
    "pairs and own": ((5,), {"pairs": [(0, 1), (2, 3)], "shots": [50, 100], "need": {"diagonal"}}, 7),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_counts_of_numbers_are_those_of_data(name: str, tmp_path: Path) -> None:
    counts, options, circuits = REQUESTS[name]
    data = [rows(n, 3, seed=n) for n in counts]
    one = engine(tmp_path)
    plans = [one.plan(zz(), *given, **options) for given in (counts, data)]  # type: ignore[arg-type]
    for plan in plans:
        each = [50 if name == "both" else 100] * circuits
        if name == "pairs and own":
            each[0] = 50
        assert plan.executions == sum(each)
        assert plan.qpu_seconds == pytest.approx(plans[0].qpu_seconds)
        assert plan.held_entries == 0
    one.overlaps(zz(), *data, **options)  # type: ignore[arg-type]
    blocks = blocks_of(one.ledger_path)
    assert sum(b.executions for b in blocks) == plans[1].executions
    assert len(blocks) == plans[1].jobs == plans[0].jobs
    assert sum(b.estimate for b in blocks) == pytest.approx(plans[1].qpu_seconds)


def test_credit_of_the_ledger(tmp_path: Path) -> None:
    X, one = rows(6, 3), engine(tmp_path)
    one.overlaps(zz(), X[:4])
    plan = one.plan(zz(), X)
    assert (plan.entries, plan.held_entries, plan.executions, plan.jobs) == (21, 10, 1100, 1)
    assert one.plan(zz(), X[:4]).jobs == 0
    assert one.plan(zz(), 6).held_entries == 0


def test_plan_of_a_circuit_without_parameters(tmp_path: Path) -> None:
    assert engine(tmp_path).plan(constant(), 3).jobs == 1
    assert engine(tmp_path).plan(constant(), rows(3, 1)).executions == 100


def test_plan_of_a_number_and_data(tmp_path: Path) -> None:
    plan = engine(tmp_path).plan(zz(), rows(4, 3), 5)
    assert (plan.executions, plan.verdict) == (2000, "")


def test_other_angles_are_told(tmp_path: Path) -> None:
    X, one = rows(4, 3), engine(tmp_path)
    assert one.plan(zz(), X).notes == ()
    one.overlaps(zz(), X)
    (note,) = one.plan(zz(), 1.1 * X).notes
    assert "numeric bandwidth" in note
    assert "frozen()" in note
    assert one.plan(zz(), X).notes == ()


def test_plan_changes_nothing(tmp_path: Path) -> None:
    engine(tmp_path).plan(zz(), rows(4, 3))
    assert list(tmp_path.iterdir()) == []
    engine(tmp_path).overlaps(zz(), rows(3, 3))
    before = (tmp_path / "ledger.sqlite").read_bytes()
    engine(tmp_path).plan(zz(), rows(4, 3))
    assert (tmp_path / "ledger.sqlite").read_bytes() == before


def test_gates_with_and_without_barrier(tmp_path: Path) -> None:
    plan = engine(tmp_path).plan(zz(), 5)
    assert plan.with_barrier == (16, 16)
    assert plan.without_barrier == (14, 14)
    assert plan.routed is not None
    assert plan.routed.two_qubit_gates == 14
    assert engine(tmp_path, barrier=True).plan(zz(), 5).routed.two_qubit_gates == 16  # type: ignore[union-attr]


def test_seconds_are_those_of_the_published_formula(tmp_path: Path) -> None:
    one = engine(tmp_path, shots=1000, block_executions=7000)
    plan = one.plan(zz(), 5)
    circuit = one.circuit(zz()).measured.circuit
    durations = InstructionDurations.from_backend(one.backend)
    schedule = PassManager([ALAPScheduleAnalysis(target=one.backend.target)])
    schedule.run(circuit.assign_parameters(np.zeros(circuit.num_parameters)))
    ends = [
        start + durations.get(node.op, [circuit.find_bit(q).index for q in node.qargs], "dt")
        for node, start in schedule.property_set["node_start_time"].items()
        if node.op.name != "barrier"
    ]
    length = max(ends) * one.backend.target.dt
    jobs = 3  # 15 entries of 1000 shots, 7 in a job
    assert plan.jobs == jobs
    assert plan.qpu_seconds == pytest.approx(2 * jobs + 15_000 * (250e-6 + length), rel=1e-3)
    assert plan.open_plan_share == pytest.approx(plan.qpu_seconds / 600)


def test_nighthawk_waits_longer_between_executions(tmp_path: Path) -> None:
    plan = engine(tmp_path, FakeMiami()).plan(zz(2), 5)
    assert plan.rep_delay == 0.004
    assert plan.qpu_seconds > 2 + 0.004 * plan.executions
    asked = engine(tmp_path, "fake_miami", options={"execution": {"rep_delay": 0.001}}).plan(zz(2), 5)
    assert asked.rep_delay == 0.001


def test_jobs_of_ten_million_executions(tmp_path: Path) -> None:
    one = engine(tmp_path, shots=1024, block_executions=10_000_000)
    assert one.plan(zz(2), 150, diagonal=False).jobs == 2
    assert engine(tmp_path, shots=1024).plan(zz(2), 150, diagonal=False).jobs == 6


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 4, 10])
def test_a_model_stops_no_job(limit: int, tmp_path: Path) -> None:
    """Whatever the time that a job of a device would have."""
    one = engine(tmp_path, "aer_simulator", shots=1000, options={"max_execution_time": limit})
    X = rows(12, 2)
    assert one.plan(zz(2), X).jobs == 1
    one.overlaps(zz(2), X)
    assert [block.rows for block in blocks_of(tmp_path / "ledger.sqlite")] == [78]


def test_jobs_of_a_nighthawk_end_within_three_hours(tmp_path: Path) -> None:
    """At 4 ms each, ten million executions are eleven hours."""
    plan = engine(tmp_path, "fake_miami", shots=1024, block_executions=10_000_000).plan(zz(2), 150)
    assert plan.jobs == -(-plan.executions // (1024 * int((5400 - 2) / (0.004 * 1024)))) > 1
    assert 2 * plan.qpu_seconds / plan.jobs <= 10_800


def test_a_row_that_no_job_of_the_service_has_time_for(tmp_path: Path) -> None:
    one = engine(tmp_path, "fake_miami", shots=2_000_000)
    for ask in (one.plan, one.overlaps):
        with pytest.raises(InvalidParameterError, match=r"must fit into a job, which may take 10,800 s"):
            ask(zz(2), rows(2, 2))
    assert blocks_of(tmp_path / "ledger.sqlite") == []


def test_jobs_of_a_deep_circuit_are_cut_by_control_instructions(tmp_path: Path) -> None:
    deep = program_of(ZZFeatureMap(reps=12), 3)
    one = engine(tmp_path, shots=1, block_executions=10_000_000)
    measured = one.circuit(deep).measured
    circuit, limit = measured.circuit, rows_per_job(measured, 1, 10_000_000, Rates())
    weights = {"rz": 1, "sx": 2, "x": 2, "cx": 5, "measure": 10}
    controls = [
        50 + sum(weights[i.operation.name] for i in circuit.data if q in i.qubits and i.operation.name != "barrier")
        for q in circuit.qubits
    ]
    assert limit == 26_800_000 // max(controls) < 10_000_000
    assert one.plan(deep, 700, diagonal=False).jobs == -(-244_650 // limit)


# Verdict --------------------------------------------------------------------------------------------------------


def test_concentrated_kernel_is_not_worth_its_time(tmp_path: Path) -> None:
    X = 3.0 * np.random.default_rng(0).normal(size=(12, 10))
    plan = engine(tmp_path, "aer_simulator", shots=20).plan(zz(10), X)
    assert plan.verdict.startswith("not worth QPU time")
    assert "smaller bandwidth" in plan.verdict


def test_spread_kernel_is_distinguishable(tmp_path: Path) -> None:
    plan = engine(tmp_path, shots=1000).plan(zz(), rows(12, 3))
    assert plan.verdict.startswith("distinguishable")
    assert "verdict" in str(plan)


def test_one_row_has_no_verdict(tmp_path: Path) -> None:
    assert engine(tmp_path).plan(zz(), rows(1, 3)).verdict.startswith("unknown")


# Budget ---------------------------------------------------------------------------------------------------------


def test_over_budget_is_refused_before_anything_runs(tmp_path: Path) -> None:
    one = engine(tmp_path, shots=1000, budget=Budget(qpu_seconds=60))
    X = rows(60, 3)
    plan = one.plan(zz(), X)
    assert not plan.feasible
    with pytest.raises(
        BudgetError, match=r"qpu_seconds of Budget is 60, the request needs about .*Nothing was sent"
    ) as e:
        one.overlaps(zz(), X)
    for way in ("shots=", "NystroemFeatures", "ProjectedKernel"):
        assert way in str(e.value)
    assert blocks_of(one.ledger_path) == []


def test_alternatives_are_sorted_and_fit_where_they_say(tmp_path: Path) -> None:
    one = engine(tmp_path, "fake_fez", shots=1000, budget=Budget(qpu_seconds=60))
    plan = one.plan(zz(), 60)
    seconds = [way.qpu_seconds for way in plan.alternatives]
    assert seconds == sorted(seconds)
    assert all(way.fits == (way.qpu_seconds <= 60) for way in plan.alternatives)
    (fewer,) = (way for way in plan.alternatives if way.what.startswith("shots="))
    shots = int(fewer.what.split()[0].removeprefix("shots="))
    assert fewer.fits
    cheaper = engine(tmp_path, "fake_fez", shots=shots, budget=Budget(qpu_seconds=60)).plan(zz(), 60)
    assert cheaper.feasible
    assert cheaper.qpu_seconds == pytest.approx(fewer.qpu_seconds)
    (tiles,) = (way for way in plan.alternatives if way.what.startswith("tiles=8"))
    tiled = engine(tmp_path, "fake_fez", shots=1000, tiles=8).plan(zz(), 60)
    assert tiled.qpu_seconds == pytest.approx(tiles.qpu_seconds, rel=1e-6)


def test_budget_of_jobs(tmp_path: Path) -> None:
    one = engine(tmp_path, budget=Budget(jobs=2), block_executions=500)
    with pytest.raises(BudgetError, match="jobs of Budget is 2, the request needs 3"):
        one.overlaps(zz(), rows(5, 3))
    one.overlaps(zz(), rows(3, 3))
    with pytest.raises(BudgetError, match="the request needs 1 beside 2 submitted"):
        one.overlaps(zz(), rows(4, 3, seed=9)[:2])


def test_budget_counts_what_was_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalConnection, "usage", lambda self, job_id: 5.0)
    X = rows(6, 3)
    engine(tmp_path).overlaps(zz(), X[:3])
    one = engine(tmp_path, budget=Budget(qpu_seconds=7))
    plan = one.plan(zz(), X)
    assert plan.paid_seconds == 5.0
    assert not plan.feasible
    with pytest.raises(BudgetError, match=r"beside 5\.0 s paid"):
        one.overlaps(zz(), X)
    assert (one.overlaps(zz(), X[:3]).values <= 1.0).all()  # held: costs nothing


def test_budget_that_ends_on_the_way_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalConnection, "usage", lambda self, job_id: 50.0)  # dearer than planned
    X = rows(5, 3)
    one = engine(tmp_path, budget=Budget(qpu_seconds=40), block_executions=500)
    plan = one.plan(zz(), X)
    assert plan.feasible
    submitted: list[object] = []
    real = LocalConnection.submit
    monkeypatch.setattr(LocalConnection, "submit", lambda self, job: submitted.append(job) or real(self, job))
    one.overlaps(zz(), X)  # all three were submitted before the first bill
    with pytest.raises(BudgetError, match=r"beside 150\.0 s paid"):
        one.overlaps(zz(), rows(6, 3))
    assert len(submitted) == 3
    assert entries_of(one.ledger_path) == 15


def test_engine_with_a_budget_and_no_ledger_counts_its_own_jobs() -> None:
    program, X = zz(2), rows(2, 2)
    RuntimeEngine("aer_simulator", shots=10, seed=0).overlaps(program, X)
    one = RuntimeEngine("aer_simulator", shots=10, seed=0, budget=Budget(jobs=1))
    one.overlaps(program, X)
    with pytest.raises(BudgetError, match="beside 1 submitted"):
        one.overlaps(program, X + 1.0)


def test_submission_and_collection(tmp_path: Path) -> None:
    X, one = rows(4, 3), engine(tmp_path)
    submission = one.submit(zz(), X)
    assert (submission.entries, len(submission.blocks), len(submission.job_ids)) == (10, 1, 1)
    assert one.collect() == 0
    assert one.submit(zz(), X).done
    one.overlaps(zz(), X)
    assert len(blocks_of(one.ledger_path)) == 1
    with Ledger.open(one.ledger_path, read_only=True) as ledger:
        assert ledger.all_series()[0].backend == "fake_manila"


def test_rates_of_a_simulator_are_those_of_a_heron() -> None:
    one = RuntimeEngine("aer_simulator", seed=0)
    assert Rates.of(one.backend) == Rates(250e-6)


# Units ----------------------------------------------------------------------------------------------------------


def test_expectation_values_are_counted_by_row_and_basis(tmp_path: Path) -> None:
    one = engine(tmp_path)
    x = ParameterVector("x", 2)
    circuit = ZZFeatureMap().build(2).assign_parameters(dict(zip(ZZFeatureMap().parameter_vector(2), x, strict=True)))
    program = ExpectationProgram(circuit, x, observables=["XI", "IX", "ZI", "IZ", "ZZ"])  # two bases
    X = rows(4, 2)
    X[3] = X[0]
    for data, count in ((4, 8), (X, 6)):  # equal rows of data are measured once
        plan = one.plan(program, data)
        assert (plan.entries, plan.circuits, plan.held_entries) == (count, count, 0)
        assert plan.shots == plan.executions == 100 * count
    one.expectations(program, X)
    plan = one.plan(program, X)
    assert (plan.entries, plan.circuits, plan.held_entries) == (6, 6, 6)
    assert (plan.shots, plan.executions) == (600, 0)


@pytest.mark.parametrize("need", [frozenset(), frozenset({"diagonal"}), frozenset({"weights"})], ids=str)
def test_a_verdict_is_about_all_zero_counts(need: frozenset[str], tmp_path: Path) -> None:
    assert bool(engine(tmp_path).plan(zz(), rows(4, 3), need=need).verdict) == ("weights" not in need)
