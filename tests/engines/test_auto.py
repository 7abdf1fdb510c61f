"""AutoEngine: the choice, what it hands on, and what it says when nothing fits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.base import clone

from qkernels._errors import BudgetError, InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import AutoEngine, MPSEngine, StatevectorEngine, cache_info, clear_cache
from qkernels.feature_maps import CPMap, FeatureMap, SeparableMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.oracle import oracle_expectations, oracle_overlaps


def program_of(feature_map: FeatureMap, d: int) -> OverlapProgram:
    circuit = feature_map.build(d)
    return OverlapProgram(circuit, circuit.parameters)


def data(rows: int, d: int, seed: int = 0, scale: float = 0.3) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(rows, d)) * scale


LINEAR_8 = program_of(ZZFeatureMap(), 8)
LINEAR_30 = program_of(ZZFeatureMap(), 30)
FULL_14 = program_of(ZZFeatureMap(entanglement="full"), 14)


@pytest.mark.parametrize(
    ("program", "engine"),
    [
        (LINEAR_8, StatevectorEngine),
        (FULL_14, StatevectorEngine),
        (program_of(CPMap(), 22), StatevectorEngine),
        (program_of(ZZFeatureMap(reps=8), 14), StatevectorEngine),  # neighbours, but bond 128
        (LINEAR_30, MPSEngine),
        (program_of(SeparableMap(), 40), MPSEngine),
    ],
    ids=["linear-8", "full-14", "cpmap-22", "deep-14", "linear-30", "separable-40"],
)
def test_the_cheaper_engine_is_chosen_for_any_number_of_rows(
    program: OverlapProgram, engine: type[StatevectorEngine | MPSEngine]
) -> None:
    auto = AutoEngine(seed=5)
    for counts in ((1,), (569,), (3000,), (1, 569), (569, 2)):
        assert type(auto.choose(program, *counts)) is engine
    assert auto.plan(program, 10).engine == repr(auto.choose(program, 10))


@pytest.mark.parametrize("d", [4, 12])
def test_values_equal_statevectors(d: int) -> None:
    program = program_of(ZZFeatureMap(), d)
    X, Y = data(30, d, 1), data(4, d, 2)
    exact = StatevectorEngine()
    assert np.abs(AutoEngine().overlaps(program, X).values - exact.overlaps(program, X).values).max() < 1e-10
    assert np.abs(AutoEngine().overlaps(program, X, Y).values - exact.overlaps(program, X, Y).values).max() < 1e-10


@pytest.mark.parametrize("d", [3, 12])
def test_expectations_pairs_and_theta_are_handed_on(d: int) -> None:
    x, theta = ParameterVector("x", d), ParameterVector("t", 1)
    circuit = QuantumCircuit(d)
    for q in range(d):
        circuit.ry(x[q], q)
    for q in range(d - 1):
        circuit.crx(theta[0], q, q + 1)
    X, t = data(3, d, 3), [0.7]
    label = "ZX" + "I" * (d - 2)
    observed = AutoEngine().expectations(ExpectationProgram(circuit, x, theta, label), X, theta=t).values
    assert np.abs(observed - oracle_expectations(circuit, [label], x, X, theta, t)).max() < 1e-10
    program = OverlapProgram(circuit, x, theta)
    pairs = AutoEngine().overlaps(program, X, theta=t, pairs=[(0, 1), (2, 2)]).values
    reference = oracle_overlaps(circuit, x, X, theta_params=theta, theta=t)
    assert np.abs(pairs - reference[[0, 2], [1, 2]]).max() < 1e-10


@pytest.mark.parametrize("program", [LINEAR_8, LINEAR_30], ids=["statevector", "mps"])
def test_prepared_states_come_back(program: OverlapProgram) -> None:
    X, Y = data(6, program.num_features, 4), data(2, program.num_features, 5)
    auto = AutoEngine()
    expected = auto.overlaps(program, Y, X).values
    prepared = auto.prepare(program, X)
    for engine in (auto, auto.choose(program, 6), AutoEngine()):
        assert np.abs(engine.overlaps(program, Y, prepared).values - expected).max() < 1e-12
    assert np.abs(auto.overlaps(program, prepared, Y).values - expected.T).max() < 1e-12


@pytest.mark.parametrize("made_by", [StatevectorEngine, MPSEngine])
def test_states_of_either_engine_are_answered_by_that_engine(
    made_by: type[StatevectorEngine | MPSEngine],
) -> None:
    X, Y = data(3, 8, 6), data(2, 8, 7)
    prepared = made_by().prepare(LINEAR_8, X)
    result = AutoEngine().overlaps(LINEAR_8, Y, prepared)
    assert result.info["engine"] == repr(made_by())
    assert np.abs(result.values - AutoEngine().overlaps(LINEAR_8, Y, X).values).max() < 1e-12


def test_states_of_another_precision_are_refused() -> None:
    prepared = StatevectorEngine(precision="single").prepare(LINEAR_8, data(3, 8))
    with pytest.raises(InvalidParameterError, match="prepared for another program or by another engine"):
        AutoEngine().overlaps(LINEAR_8, prepared)


@pytest.mark.parametrize("program", [LINEAR_8, LINEAR_30], ids=["statevector", "mps"])
def test_sampled_values_are_those_of_the_chosen_engine(program: OverlapProgram) -> None:
    X = data(10, program.num_features, 8)
    auto = AutoEngine(shots=200, seed=11)
    chosen = type(auto.choose(program, 10))(shots=200, seed=11)
    result = auto.overlaps(program, X)
    clear_cache()
    assert np.array_equal(result.values, chosen.overlaps(program, X).values)
    assert not auto.is_exact
    assert AutoEngine().is_exact


def test_a_seed_is_drawn_once_and_shared() -> None:
    auto = AutoEngine(shots=100)
    assert auto.seed == auto.choose(LINEAR_8, 2).seed == auto.choose(LINEAR_30, 2).seed
    assert auto.choose(LINEAR_30, 2).shots == 100


@pytest.mark.parametrize("program", [LINEAR_8, LINEAR_30], ids=["statevector", "mps"])
def test_the_second_call_is_not_evaluated(program: OverlapProgram) -> None:
    X = data(5, program.num_features, 9)
    clear_cache()
    AutoEngine().overlaps(program, X)
    assert cache_info().evaluated_matrices == 1
    AutoEngine().overlaps(program, X)
    AutoEngine().choose(program, 5).overlaps(program, X)
    assert cache_info().evaluated_matrices == 1


def test_memory_forces_the_other_engine() -> None:
    program = program_of(ZZFeatureMap(), 12)
    assert isinstance(AutoEngine().choose(program, 10), MPSEngine)
    enough = StatevectorEngine().plan(program, 10).memory_bytes
    assert MPSEngine(memory_limit=enough).plan(program, 10).feasible is False
    tight = AutoEngine(memory_limit=enough)
    assert isinstance(tight.choose(program, 10), StatevectorEngine)
    X = data(10, 12, 10)
    assert np.abs(tight.overlaps(program, X).values - AutoEngine().overlaps(program, X).values).max() < 1e-10
    assert (
        np.abs(tight.overlaps(program, tight.prepare(program, X)).values - tight.overlaps(program, X).values).max()
        < 1e-12
    )


# Refusals -------------------------------------------------------------------------------------------------------


def test_a_large_dense_circuit_is_refused_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> object:
        raise AssertionError("compiled a circuit that cannot be evaluated")

    monkeypatch.setattr(StatevectorEngine, "_compile", forbidden)
    monkeypatch.setattr(MPSEngine, "_compile", forbidden)
    program = program_of(ZZFeatureMap(entanglement="full"), 30)
    auto = AutoEngine(memory_limit=8 << 30)
    pattern = (
        r"X has 30 features; the circuit needs 30 qubits and one state would take 16\.0 GiB \(memory_limit 8\.0 GiB\)"
        r".*'cx' on qubits \(0, 2\), position \d+ .*not neighbours"
        r".*Reduce X \(e\.g\. PCA\(12\)\), use CPMap \(16 qubits\), or entanglement='linear'"
    )
    for call in (auto.overlaps, auto.prepare):
        with pytest.raises(BudgetError, match=pattern):
            call(program, data(4, 30))
    with pytest.raises(BudgetError, match=pattern):
        auto.choose(program, 100)
    plan = auto.plan(program, 100)
    assert not plan.feasible
    assert plan.reason.startswith("X has 30 features")


def test_a_deep_circuit_on_many_qubits_is_refused_with_both_numbers() -> None:
    program = program_of(ZZFeatureMap(reps=40), 50)
    with pytest.raises(BudgetError, match=r"needs 50 qubits .*16\.0 PiB|needs 50 qubits .*16 PiB") as caught:
        AutoEngine(memory_limit=1 << 30).overlaps(program, data(3, 50))
    assert f"bond dimension {2**25}" in str(caught.value)


def test_too_many_rows_are_refused_with_both_estimates() -> None:
    with pytest.raises(BudgetError, match="Reduce the number of rows") as caught:
        AutoEngine(memory_limit=200 << 20).overlaps(LINEAR_30, data(6000, 30))
    assert "memory_limit of MPSEngine is 200.0 MiB" in str(caught.value)
    assert "memory_limit of StatevectorEngine is 200.0 MiB" in str(caught.value)


def test_few_features_on_many_qubits_get_other_advice() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(40)
    circuit.rx(x[0], range(40))
    circuit.cx(0, 39)
    circuit.rx(x[1], range(40))
    with pytest.raises(BudgetError, match=r"X has 2 features.*'cx' on qubits \(0, 39\).*Use fewer qubits"):
        AutoEngine(memory_limit=1 << 30).choose(OverlapProgram(circuit, x), 5)


def test_what_no_engine_takes_is_named() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2, 1)
    circuit.ry(x[0], 0)
    circuit.measure(0, 0)
    circuit.cx(0, 1)
    with pytest.raises(UnsupportedCircuitError, match=r"'cx' at position 2 .*mid-circuit"):
        AutoEngine().overlaps(OverlapProgram(circuit, x), [[0.1], [0.2]])


def test_gradients_are_those_of_statevectors() -> None:
    feature_map = ZZFeatureMap()
    program = OverlapProgram(feature_map.build(14), feature_map.parameter_vector(14))
    X, weights = data(3, 14), np.arange(9.0).reshape(3, 3)
    assert isinstance(AutoEngine().choose(program, 3), MPSEngine)
    for found, expected in zip(
        AutoEngine().vjp(program, weights, X), StatevectorEngine().vjp(program, weights, X), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_values_and_gradients_are_those_of_statevectors() -> None:
    feature_map = ZZFeatureMap()
    program = ExpectationProgram(feature_map.build(3), feature_map.parameter_vector(3), observables=["ZZI", "XIY"])
    X, weights = data(4, 3), np.arange(8.0).reshape(4, 2)
    values, d_theta, d_X = AutoEngine().expectations_and_vjp(program, X, lambda v: weights * v)
    np.testing.assert_allclose(values, StatevectorEngine().expectations(program, X).values, rtol=0, atol=1e-13)
    expected = StatevectorEngine().vjp(program, weights * values, X)
    for found, other in zip((d_theta, d_X), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=0, atol=1e-13)  # type: ignore[arg-type]


def test_gradients_beyond_statevectors_are_refused() -> None:
    pattern = r"AutoEngine has gradients of statevectors only, .*: A gradient of 2 row\(s\) on 30 qubits takes at least"
    with pytest.raises(UnsupportedCircuitError, match=pattern):
        AutoEngine(memory_limit=1 << 30).vjp(LINEAR_30, np.ones((2, 2)), data(2, 30))


@pytest.mark.parametrize(
    ("parameters", "pattern"),
    [
        ({"shots": 0}, "shots of AutoEngine .* got 0"),
        ({"seed": -1}, "seed of AutoEngine .* got -1"),
        ({"precision": "half"}, "precision of AutoEngine .* got 'half'"),
        ({"memory_limit": "all"}, "memory_limit of AutoEngine .* got 'all'"),
    ],
    ids=["shots", "seed", "precision", "memory_limit"],
)
def test_parameters_are_checked(parameters: dict[str, object], pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        AutoEngine(**parameters)  # type: ignore[arg-type]


def test_something_else_than_a_program_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"program of AutoEngine must be .* got str"):
        AutoEngine().overlaps("circuit", [[0.1]])  # type: ignore[arg-type]


def test_pickle_clone_and_repr() -> None:
    engine = AutoEngine(shots=10, seed=4, memory_limit=1 << 28)
    again = pickle.loads(pickle.dumps(engine))
    assert repr(again) == repr(engine)
    assert repr(engine) == "AutoEngine(shots=10, seed=4, memory_limit=268435456)"
    assert repr(AutoEngine()) == "AutoEngine()"
    assert clone(engine) is engine
    chosen = again.choose(LINEAR_8, 3)
    assert isinstance(chosen, StatevectorEngine)
    assert chosen.precision == "double"
    X = data(5, 8, 11)
    assert np.array_equal(again.overlaps(LINEAR_8, X).values, engine.overlaps(LINEAR_8, X).values)
