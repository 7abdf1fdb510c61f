"""What a request takes: memory limits held, plans that count right, inputs that belong together."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels._errors import BudgetError, InvalidDataError, InvalidParameterError
from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine, clear_cache, set_cache
from qkernels.feature_maps import FeatureMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram

MIB = 1 << 20


def program_of(feature_map: FeatureMap, d: int) -> OverlapProgram:
    return OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d))


def data(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, size=(n, d))


def trained_program() -> OverlapProgram:
    x, theta = ParameterVector("x", 2), ParameterVector("t", 2)
    circuit = QuantumCircuit(2)
    for q in range(2):
        circuit.rx(x[q], q)
        circuit.ry(theta[q] * x[1 - q], q)
    circuit.cx(0, 1)
    return OverlapProgram(circuit, x, theta)


@pytest.fixture
def no_cache():
    clear_cache()
    set_cache(0)
    yield
    set_cache(1 << 30)


# Memory -----------------------------------------------------------------------------------------------------------


def peak_of(function) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("shots", [None, 100], ids=["exact", "shots"])
def test_pairs_stay_within_the_memory_limit(shots: int | None) -> None:
    program, X = program_of(ZZFeatureMap(), 12), data(100, 12)
    engine = StatevectorEngine(shots, seed=0, memory_limit=64 * MIB)
    pairs = [(i, j) for i in range(40) for j in range(100)]
    engine.overlaps(program, X[:2])  # compiled
    assert peak_of(lambda: engine.overlaps(program, X, pairs=pairs)) <= 64 * MIB


@pytest.mark.usefixtures("no_cache")
def test_expectations_stay_within_the_memory_limit() -> None:
    feature_map = ZZFeatureMap()
    program = ExpectationProgram(
        feature_map.build(12), feature_map.parameter_vector(12), observables=["X" * 12, "Z" * 12, "Y" * 12]
    )
    engine = StatevectorEngine(memory_limit=36 * MIB)
    engine.expectations(program, data(2, 12))
    assert peak_of(lambda: engine.expectations(program, data(300, 12))) <= 36 * MIB


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_a_sampled_gram_matrix_stays_within_its_plan(orientation: str) -> None:
    program = program_of(ZZFeatureMap(), 8)
    X = np.tile(data(300, 8), (3, 1))  # duplicates are expanded after the evaluation
    engine = StatevectorEngine(100, seed=0)
    engine.overlaps(program, X[:2])
    plan = engine.plan(program, X, orientation=orientation)
    assert peak_of(lambda: engine.overlaps(program, X, orientation=orientation)) <= plan.memory_bytes


@pytest.mark.usefixtures("no_cache")
def test_pairs_evolve_only_the_rows_that_occur() -> None:
    program, X = program_of(ZZFeatureMap(), 12), data(2000, 12)  # all states: 125 MiB
    engine = StatevectorEngine(memory_limit=64 * MIB)
    values = engine.overlaps(program, X, pairs=[(0, 1), (1999, 3), (5, 5)]).values
    expected = StatevectorEngine().overlaps(program, X[[0, 1999]], X[[1, 3]]).values
    np.testing.assert_allclose(values, [expected[0, 0], expected[1, 1], 1.0], rtol=0, atol=1e-13)


@pytest.mark.slow
@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("limit", [28 * MIB, 34 * MIB])
@pytest.mark.parametrize(("shots", "orientation"), [(None, "canonical"), (50, "canonical"), (50, "both")])
def test_streamed_values_are_the_whole_ones(limit: int, shots: int | None, orientation: str) -> None:
    program, X = program_of(ZZFeatureMap(), 11), data(700, 11)
    X[5] = X[600]
    whole = StatevectorEngine(shots, seed=3)
    streamed = StatevectorEngine(shots, seed=3, memory_limit=limit + (60 * MIB if shots else 0))
    for Y in (None, data(90, 11, seed=1)):
        plan = streamed.plan(program, X, Y, orientation=orientation)
        assert plan.feasible
        expected = whole.overlaps(program, X, Y, orientation=orientation).values
        np.testing.assert_allclose(
            streamed.overlaps(program, X, Y, orientation=orientation).values, expected, rtol=0, atol=1e-13
        )


def test_what_cannot_fit_is_refused_with_numbers_and_advice() -> None:
    program = program_of(ZZFeatureMap(entanglement="full"), 12)
    with pytest.raises(BudgetError, match=r"12 feature\(s\) on 12 qubits, 5 rows: one state takes 64\.0 KiB .*PCA"):
        StatevectorEngine(memory_limit=MIB).overlaps(program, data(5, 12))


# Plans ------------------------------------------------------------------------------------------------------------


def test_plan_counts_simulations_of_streamed_rows_again() -> None:
    program = program_of(ZZFeatureMap(), 12)
    assert StatevectorEngine().plan(program, 300).circuits == 300
    streamed = StatevectorEngine(memory_limit=24 * MIB).plan(program, 300)
    assert streamed.feasible
    assert 300 < streamed.circuits < 300 * 300 / 2


def test_plan_counts_shots_of_pauli_terms_once() -> None:
    feature_map = ZZFeatureMap()
    program = ExpectationProgram(feature_map.build(2), feature_map.parameter_vector(2), observables=["ZZ", "XI", "II"])
    assert StatevectorEngine(100, seed=0).plan(program, 6).shots == 6 * 2 * 100


def test_plan_of_both_orientations_counts_two_equal_halves() -> None:
    plan = StatevectorEngine(5, seed=0).plan(program_of(ZZFeatureMap(), 2), 10, orientation="both")
    assert plan.entries == 45
    assert plan.shots == 45 * 4


@pytest.mark.parametrize("rows", [10.7, float("nan")], ids=str)
def test_a_row_count_is_an_integer(rows: float) -> None:
    with pytest.raises(InvalidDataError, match="matrix of real numbers"):
        StatevectorEngine().plan(program_of(ZZFeatureMap(), 2), rows)


def test_plan_of_no_program_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="program of plan must be a program, got str"):
        StatevectorEngine().plan("a", 5)


# Inputs that belong together --------------------------------------------------------------------------------------

ENGINES = [StatevectorEngine(), MPSEngine(), AutoEngine()]


@pytest.mark.parametrize("engine", ENGINES, ids=repr)
def test_prepared_rows_keep_their_theta(engine: Engine) -> None:
    program, X = trained_program(), data(4, 2)
    prepared = engine.prepare(program, X, [0.3, 0.7])
    expected = engine.overlaps(program, X, theta=[0.3, 0.7]).values
    np.testing.assert_array_equal(engine.overlaps(program, prepared).values, expected)
    np.testing.assert_array_equal(engine.overlaps(program, prepared, theta=[0.3, 0.7]).values, expected)
    with pytest.raises(InvalidParameterError, match="another theta"):
        engine.overlaps(program, prepared, theta=[0.4, 0.7])
    with pytest.raises(InvalidParameterError, match="different theta"):
        engine.overlaps(program, prepared, engine.prepare(program, X, [0.4, 0.7]))


def test_theta_of_another_shape_is_refused_also_after_a_right_one() -> None:
    program, X, engine = trained_program(), data(4, 2), StatevectorEngine()
    engine.overlaps(program, X, theta=[0.3, 0.7])
    with pytest.raises(InvalidParameterError, match=r"theta must be finite and of shape \(2,\)"):
        engine.overlaps(program, X, theta=[[0.3, 0.7]])


@pytest.mark.parametrize("engine", ENGINES[:2], ids=repr)
def test_cached_states_are_read_only(engine: Engine) -> None:
    prepared = engine.prepare(program_of(ZZFeatureMap(), 3), data(4, 3))
    with pytest.raises(ValueError, match="read-only"):
        prepared.keys[:] = 0
    arrays = [prepared.data.planes] if hasattr(prepared.data, "planes") else prepared.data.sites
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_a_program_does_not_change_with_the_circuit_it_was_made_from() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.rx(x[0], 0)
    program, same = OverlapProgram(circuit, x), OverlapProgram(circuit.copy(), x)
    circuit.rx(x[1], 0)
    assert program.key == same.key != OverlapProgram(circuit, x).key


def test_errors_about_y_say_y() -> None:
    program, X = program_of(ZZFeatureMap(), 2), data(3, 2)
    with pytest.raises(InvalidDataError, match=r"Y has 1 feature\(s\)"):
        StatevectorEngine().overlaps(program, X, X[:, :1])
    with pytest.raises(InvalidDataError, match="Y must be finite, got nan in row 1"):
        StatevectorEngine().overlaps(program, X, np.where(np.eye(3, 2, -1) > 0, np.nan, X))


@pytest.mark.parametrize("x", [None, "x", ParameterVector("x", 2)[0]], ids=["none", "text", "one-parameter"])
def test_x_is_a_sequence_of_parameters(x: object) -> None:
    with pytest.raises(InvalidParameterError, match="x must be a sequence of qiskit Parameters"):
        OverlapProgram(QuantumCircuit(1), x)


def test_a_circuit_has_a_qubit() -> None:
    with pytest.raises(InvalidParameterError, match="circuit has 0 qubits"):
        OverlapProgram(QuantumCircuit(), ())


# Options ----------------------------------------------------------------------------------------------------------


def test_need_is_a_set_of_names() -> None:
    with pytest.raises(InvalidParameterError, match="need must be a set of names"):
        StatevectorEngine().overlaps(program_of(ZZFeatureMap(), 2), data(3, 2), need="diagonal")


def test_sampled_orientations_take_both() -> None:
    program, X, engine = program_of(ZZFeatureMap(), 2), data(6, 2), StatevectorEngine(40, seed=0)
    with pytest.raises(InvalidParameterError, match="takes orientation='both'; got 'canonical'"):
        engine.overlaps(program, X, need={"orientations"})
    answer = engine.overlaps(program, X, need={"orientations"}, orientation="both")
    assert answer.orientations is not None
    np.testing.assert_array_equal(answer.orientations.mean(axis=0), answer.values)
    assert (answer.orientations[0] != answer.orientations[1]).any()


def test_the_diagonal_says_what_was_done() -> None:
    program, X = program_of(ZZFeatureMap(), 2), data(3, 2)
    engine = StatevectorEngine(10, seed=0)
    said = [engine.overlaps(program, X, diagonal=how).info["diagonal"] for how in ("auto", False, True)]
    assert said == ["1 without noise", "filled with 1", "sampled"]


def test_single_precision_takes_no_shots() -> None:
    with pytest.raises(InvalidParameterError, match="shots of StatevectorEngine need precision='double', got shots=10"):
        StatevectorEngine(10, precision="single")


@pytest.mark.parametrize("limit", [2e9, 0, True, "much"], ids=str)
def test_memory_limit_is_an_integer(limit: object) -> None:
    with pytest.raises(InvalidParameterError, match="memory_limit of StatevectorEngine must be 'auto' or"):
        StatevectorEngine(memory_limit=limit)
    assert StatevectorEngine(memory_limit=np.int64(2**31)).plan(program_of(ZZFeatureMap(), 2), 3).feasible


@pytest.mark.parametrize("attribute", ["shots", "seed", "precision", "memory_limit"])
def test_auto_engine_cannot_be_changed_behind_its_delegates(attribute: str) -> None:
    with pytest.raises(AttributeError):
        setattr(AutoEngine(), attribute, 1)
