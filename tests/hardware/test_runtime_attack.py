"""RuntimeEngine where a user would try to break it: bills of twirled jobs, estimators on large models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots

from qkernels import AutoEngine, ExpectationProgram, OverlapProgram, ZZFeatureMap
from qkernels._errors import BudgetError, ExecutionError, InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import clear_cache
from qkernels_hardware import AerEngine, Budget, Ledger, RuntimeEngine
from qkernels_hardware.work._cost import Runs
from tests.hardware.runtime_cases import blocks_of, program_of, rows


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def engine(folder: Path, backend: Any = "aer_simulator", **options: Any) -> RuntimeEngine:
    return RuntimeEngine(backend, **({"shots": 200, "seed": 5, "ledger": folder / "ledger.sqlite"} | options))


# Twirling bills more than the shots that were asked for ---------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 20, 64, 65, 1000, 5000])
@pytest.mark.parametrize("count", [None, 7, 50], ids="{} circuits".format)
@pytest.mark.parametrize("each", [None, 3, 100], ids="{} shots".format)
def test_executions_of_a_twirled_row_are_those_of_the_client(shots: int, count: int | None, each: int | None) -> None:
    randomizations, per = calculate_twirling_shots(shots, count or "auto", each or "auto")
    assert Runs(2, True, count, each)(shots) == 2 * randomizations * per


@pytest.mark.parametrize(
    ("shots", "twirling", "executed"),
    [
        (20, {"enable_gates": True}, 64),
        (100, {"enable_measure": True, "num_randomizations": 30, "shots_per_randomization": 10}, 300),
        (100, {"enable_measure": True, "num_randomizations": 30}, 120),
        (100, {"num_randomizations": 30, "shots_per_randomization": 10}, 100),
    ],
    ids=["few shots", "both given", "rounded up", "off"],
)
def test_twirled_shots_are_planned_as_they_are_run(
    shots: int, twirling: dict[str, Any], executed: int, tmp_path: Path
) -> None:
    one, program, X = (
        engine(tmp_path, shots=shots, options={"twirling": twirling}),
        program_of(ZZFeatureMap(), 2),
        rows(3, 2),
    )
    plan = one.plan(program, X)
    assert (one.overlaps(program, X).num_shots == executed).all()
    (block,) = blocks_of(tmp_path / "ledger.sqlite")
    assert plan.executions == block.executions == 6 * executed
    assert plan.qpu_seconds == pytest.approx(block.estimate)


def test_twirled_shots_count_against_the_budget(tmp_path: Path) -> None:
    twirling = {"enable_measure": True, "num_randomizations": 100, "shots_per_randomization": 100}
    one = engine(tmp_path, shots=100, options={"twirling": twirling}, budget=Budget(qpu_seconds=3))
    program, X = program_of(ZZFeatureMap(), 2), rows(4, 2)
    assert not one.plan(program, X).feasible
    with pytest.raises(BudgetError, match="qpu_seconds of Budget is 3") as refused:
        one.overlaps(program, X)
    assert "- shots=" not in str(refused.value)  # nobody asks for them


# Estimators on large models -------------------------------------------------------------------------------------


def test_estimator_on_a_large_model_is_cut_down_to_the_qubits_in_use(tmp_path: Path) -> None:
    program, X = program_of(ZZFeatureMap(), 2), rows(3, 2)
    one = engine(tmp_path, "fake_fez", shots=2000, barrier=True, options={"resilience_level": 0})
    found = one.overlaps(program, X)
    expected = AerEngine("fake_fez", layout=one.circuit(program).layout[0]).overlaps(program, X).values
    assert (np.abs(found.values - expected) < 5.0 * found.stderr).all()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"resilience_level": 0}], ids=["sampler", "estimator"])
def test_mixed_strings_on_a_large_model(options: dict[str, Any], tmp_path: Path) -> None:
    feature_map = ZZFeatureMap(entanglement="full")
    strings = [("XYZI", 0.5), ("IZZY", -0.3), ("YIXX", 1.0), ("IIII", 0.2)]
    observables = [SparsePauliOp.from_list(strings), SparsePauliOp("ZXYX"), SparsePauliOp("IIIY")]
    program = ExpectationProgram(feature_map.build(4), feature_map.parameter_vector(4), observables=observables)
    X = rows(3, 4)
    found = engine(tmp_path, "fake_fez", shots=2000, options=options).expectations(program, X)
    exact = AutoEngine().expectations(program, X).values
    assert (np.abs(found.values - exact) < 0.1 * np.array([1.8, 1.0, 1.0]) + 5.0 * found.stderr).all()
    assert np.corrcoef(found.values.ravel(), exact.ravel())[0, 1] > 0.95


# Plans say what is not sent yet ---------------------------------------------------------------------------------


def offline(one: RuntimeEngine) -> None:
    """A backend that takes no jobs: blocks are planned and stay so."""

    def refuse() -> None:
        raise ExecutionError("Backend is offline.")

    one._device.connection.check = refuse  # type: ignore[method-assign]


def test_plan_tells_blocks_that_were_planned_and_not_sent(tmp_path: Path) -> None:
    program, X = program_of(ZZFeatureMap(), 2), rows(4, 2)
    first = engine(tmp_path)
    offline(first)
    with pytest.raises(ExecutionError, match="offline"):
        first.overlaps(program, X)
    small = engine(tmp_path, budget=Budget(qpu_seconds=0.5)).plan(program, X)
    assert not small.feasible
    assert "the request needs about 2.5 s" in small.reason
    assert "1 block(s) are planned and not sent yet" in str(small)
    assert engine(tmp_path, budget=Budget(qpu_seconds=3)).plan(program, X).feasible
    engine(tmp_path).overlaps(program, X)
    assert "not sent yet" not in str(engine(tmp_path).plan(program, X))


def test_plan_names_failed_blocks_and_not_other_angles(tmp_path: Path) -> None:
    program, X = program_of(ZZFeatureMap(), 2), rows(4, 2)
    first = engine(tmp_path)
    offline(first)
    with pytest.raises(ExecutionError, match="offline"):
        first.overlaps(program, X)
    with Ledger.open(first.ledger_path) as ledger:
        ledger.intend(1)
        ledger.failed(1, "too hot")
    notes = " ".join(engine(tmp_path).plan(program, X).notes)
    assert "block(s) 1 ended without results" in notes
    assert "other angles" not in notes


def test_plan_of_what_is_there_fits_any_budget(tmp_path: Path) -> None:
    program, X = program_of(ZZFeatureMap(), 2), rows(4, 2)
    engine(tmp_path).overlaps(program, X)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.note_usage(1, 9.0)  # billed more than was estimated
    one = engine(tmp_path, budget=Budget(qpu_seconds=3))
    assert one.plan(program, X).feasible
    assert not one.plan(program, rows(5, 2, seed=1)).feasible
    assert one.overlaps(program, X).values.shape == (4, 4)


def test_delay_in_seconds_where_no_time_step_is_known(tmp_path: Path) -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    circuit.delay(1000, 0, unit="ns")
    program = OverlapProgram(circuit, x)
    with pytest.raises(UnsupportedCircuitError, match="delay in seconds, and aer_simulator does not say"):
        engine(tmp_path).overlaps(program, rows(2, 1))


# Refreshed layouts, models with one ledger ------------------------------------------------------------------------


@pytest.mark.slow
def test_an_interrupted_refresh_goes_on(tmp_path: Path) -> None:
    X = np.random.default_rng(0).uniform(0.0, 1.0, (4, 2))
    path, program = tmp_path / "ledger.sqlite", program_of(ZZFeatureMap(), 2)

    def refreshing() -> RuntimeEngine:
        return RuntimeEngine("fake_manila", shots=50, seed=0, ledger=path, layout="refresh", block_executions=100)

    RuntimeEngine("fake_manila", shots=50, seed=0, ledger=path).overlaps(program, X)
    dying = refreshing()

    def stop(step: str, block: object) -> None:
        if step == "submitted":
            raise KeyboardInterrupt

    dying.watch = stop
    with pytest.raises(KeyboardInterrupt):
        dying.overlaps(program, X)
    refreshing().overlaps(program, X)  # another process would run the same script
    with Ledger.open(path, read_only=True) as ledger:
        assert [one.generation for one in ledger.all_series()] == [1, 2]
        assert sum(block.entries for block in ledger.blocks(series=2)) == 10
    refreshing().overlaps(program, X)  # nothing was interrupted: this one measures anew
    with Ledger.open(path, read_only=True) as ledger:
        assert [one.generation for one in ledger.all_series()] == [1, 2, 3]


def test_collect_leaves_blocks_of_another_model_alone(tmp_path: Path) -> None:
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, ReadoutError

    path, program = tmp_path / "ledger.sqlite", program_of(ZZFeatureMap(), 2)
    first = RuntimeEngine(AerSimulator(), shots=50, seed=0, ledger=path)

    def stop(step: str, block: object) -> None:
        raise KeyboardInterrupt

    first.watch = stop
    with pytest.raises(KeyboardInterrupt):
        first.overlaps(program, [[0.1, 0.2]])
    model = NoiseModel()
    model.add_all_qubit_readout_error(ReadoutError([[0.5, 0.5], [0.5, 0.5]]))
    assert RuntimeEngine(AerSimulator(noise_model=model), shots=50, seed=1, ledger=path).collect() == 0
    first.watch = None
    assert first.overlaps(program, [[0.1, 0.2]]).values[0, 0] == 1.0


def test_layout_may_be_an_array(tmp_path: Path) -> None:
    engine = RuntimeEngine("fake_manila", layout=np.array([1, 2]))
    program = OverlapProgram(ZZFeatureMap().build(2), ZZFeatureMap().parameter_vector(2))
    assert set(engine.circuit(program).layout[0]) == {1, 2}


def test_observables_without_a_measurement_are_no_circuit() -> None:
    program = ExpectationProgram(ZZFeatureMap().build(2), x=ZZFeatureMap().parameter_vector(2), observables=["II"])
    engine = RuntimeEngine("fake_manila")
    with pytest.raises(InvalidParameterError, match="identity"):
        engine.circuit(program)
    blocks, _ = engine.held(program, [[0.1, 0.2], [0.3, 0.4]])
    assert blocks.tolist() == [-1, -1]
