"""AerEngine: both strategies against Aer run by hand, layouts, noise sources, bad input."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, ParameterVector
from qiskit.circuit.library import RYGate
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    ReadoutError,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)
from sklearn.base import clone

from qkernels import (
    CPMap,
    ExpectationProgram,
    FidelityKernel,
    HamiltonianMap,
    HammingKernel,
    OverlapProgram,
    ZZFeatureMap,
)
from qkernels._errors import BudgetError, InvalidParameterError, MissingNoiseWarning, UnsupportedCircuitError
from qkernels.circuits import OVERLAP_BARRIER
from qkernels.engines import DensityMatrixEngine, Engine, clear_cache
from qkernels.feature_maps import CircuitMap, FeatureMap
from qkernels.programs import Overlaps, is_canonical, row_keys
from qkernels_hardware import AerEngine, NoiseProfile, RuntimeEngine, device_model

Values = NDArray[np.float64]
EXACT = 1e-10


def program_of(feature_map: FeatureMap, n_features: int) -> OverlapProgram:
    return OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))


def rows(n: int, d: int, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(size=(n, d))


def aer_by_hand(
    program: OverlapProgram, first: Values, second: Values, backend: BackendV2, model: NoiseModel
) -> tuple[Values, list[int]]:
    """Outcome probabilities before readout errors of one pair, and physical qubits read, without our code.

    The circuit is built, bound and transpiled for this pair alone, measured, and run on the whole device.
    """
    u = program.circuit
    forward = u.assign_parameters(dict(zip(program.x, first.tolist(), strict=True)), strict=False)
    back = u.assign_parameters(dict(zip(program.x, second.tolist(), strict=True)), strict=False).inverse()
    whole = forward.copy()
    whole.barrier()
    whole.compose(back, inplace=True)
    n = u.num_qubits
    whole.add_register(ClassicalRegister(n))
    whole.measure(range(n), range(n))
    isa = generate_preset_pass_manager(3, backend=backend, seed_transpiler=0).run(whole)
    places = [0] * n
    for item in isa.data:
        if item.operation.name == "measure":
            places[isa.find_bit(item.clbits[0]).index] = isa.find_bit(item.qubits[0]).index
    isa.remove_final_measurements()
    isa.save_probabilities(places)
    result = AerSimulator(method="density_matrix", noise_model=model).run(isa).result()
    return np.asarray(result.data(0)["probabilities"]), places


def canonical(program: OverlapProgram, X: Values) -> NDArray[np.bool_]:
    keys = row_keys(program.bind_angles(X), program.key)
    return is_canonical(keys[:, None], keys[None, :])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["factored", "circuits"])
def test_values_are_those_of_the_circuit_that_runs(strategy: str) -> None:
    # The circuit of our engine is fixed for all pairs; run exactly it by hand, with the device's whole noise model.
    program, X = program_of(ZZFeatureMap(reps=1), 3), rows(4, 3)
    backend = device_model("fake_manila")
    model = NoiseModel.from_backend(backend)
    engine = AerEngine("fake_manila", strategy=strategy)
    found = engine.overlaps(program, X, need={"bits"})
    routed = engine.circuit(program)
    first = canonical(program, X)
    for i in range(4):
        for j in range(4):
            a, b = (X[i], X[j]) if first[i, j] else (X[j], X[i])
            p = _run_device_circuit(engine, program, a, b, model)
            for k, q in enumerate(routed.read_from):
                error = model._local_readout_errors[(q,)].probabilities
                p = np.moveaxis(np.tensordot(np.asarray(error).T, np.moveaxis(p, 2 - k, 0), axes=(1, 0)), 0, 2 - k)
            np.testing.assert_allclose(found.outcomes[i, j], p.ravel(), rtol=0, atol=EXACT)
    np.testing.assert_allclose(found.values, found.outcomes[..., 0], rtol=0, atol=1e-15)
    assert found.info["diagonal"] == "measured"
    assert np.diag(found.values).max() < 0.95


def _run_device_circuit(engine: AerEngine, program: OverlapProgram, a: Values, b: Values, model: NoiseModel) -> Values:
    """The transpiled circuit on all qubits of the device, bound by Qiskit: shape (2, …, 2), qubit 0 last."""
    from qkernels.circuits import circuit_of

    routed = engine.circuit(program)
    circuit = QuantumCircuit(5)
    for half, x in ((routed.pair.prepare, a), (routed.pair.undo, b)):
        part, _ = circuit_of(half)
        bound = part.assign_parameters(half.angles.evaluate(program.bind_angles([x]))[0])
        circuit.compose(bound, [routed.used[k] for k in range(part.num_qubits)], inplace=True)
        circuit.barrier()
    circuit.save_probabilities(list(routed.read_from))
    result = AerSimulator(method="density_matrix", noise_model=model).run(circuit).result()
    return np.asarray(result.data(0)["probabilities"]).reshape([2] * len(routed.read_from))


def test_values_are_near_those_of_pairs_transpiled_one_by_one() -> None:
    # Transpiling bound circuits may merge other gates: the same device, not quite the same circuit.
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(3, 2)
    backend = device_model("fake_manila")
    model = NoiseModel.from_backend(backend)
    engine = AerEngine("fake_manila")
    values = engine.overlaps(program, X).values
    p, places = aer_by_hand(program, X[0], X[0], backend, model)
    for k, q in enumerate(places):
        error = np.asarray(model._local_readout_errors[(q,)].probabilities).T
        p = np.moveaxis(np.tensordot(error, np.moveaxis(p.reshape(2, 2), 1 - k, 0), axes=(1, 0)), 0, 1 - k).ravel()
    assert abs(values[0, 0] - p[0]) < 0.03


CASES: dict[str, tuple[Callable[[], FeatureMap], int, str | NoiseProfile]] = {
    "zz_manila": (lambda: ZZFeatureMap(reps=2), 4, "fake_manila"),
    "cpmap_fez": (lambda: CPMap(ring=True), 5, "fake_fez"),
    "hamiltonian_nighthawk": (lambda: HamiltonianMap(1), 3, NoiseProfile.named("fake_miami")),
    "full_needs_swaps": (lambda: ZZFeatureMap(reps=1, entanglement="full"), 4, "fake_manila"),
}


@pytest.mark.parametrize("case", CASES)
def test_strategies_agree(case: str) -> None:
    build, d, device = CASES[case]
    program, X, Y = program_of(build(), d), rows(4, d), rows(3, d, seed=1)
    Y[1] = X[2]
    need = frozenset({"weights", "bits", "diagonal"})
    found = {s: AerEngine(device, strategy=s).overlaps(program, X, Y, need=need) for s in ("factored", "circuits")}
    for name in ("values", "weights", "outcomes", "readout"):
        a, b = (getattr(found[s], name) for s in ("factored", "circuits"))
        np.testing.assert_allclose(a, b, rtol=0, atol=EXACT, err_msg=name)
    for a, b in zip(found["factored"].diagonals, found["circuits"].diagonals, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=EXACT)
    both = [AerEngine(device, strategy=s).overlaps(program, X, orientation="both") for s in ("factored", "circuits")]
    np.testing.assert_allclose(both[0].values, both[1].values, rtol=0, atol=EXACT)
    single = [
        AerEngine(device, strategy=s).overlaps(program, X, Y, pairs=[[0, 1], [2, 1], [3, 0]]).values
        for s in ("factored", "circuits")
    ]
    np.testing.assert_allclose(single[0], single[1], rtol=0, atol=EXACT)
    np.testing.assert_allclose(single[0], found["factored"].values[[0, 2, 3], [1, 1, 0]], rtol=0, atol=1e-13)


def test_strategies_draw_the_same_shots() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 3), rows(5, 3)
    need = frozenset({"weights", "bits"})
    a, b = (
        AerEngine("fake_manila", 300, strategy, seed=3).overlaps(program, X, need=need)
        for strategy in ("factored", "circuits")
    )
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(a.weights, b.weights)
    np.testing.assert_array_equal(a.bits, b.bits)
    assert a.bits.shape == (5, 5, 300, 1)
    np.testing.assert_allclose((a.bits == 0).all(-1).mean(-1), a.values, rtol=0, atol=1e-12)


def test_expectations_of_both_strategies_agree_with_aer() -> None:
    feature_map, X = ZZFeatureMap(reps=1), rows(3, 3)
    labels = ["ZII", "IXI", "YZX", "III"]
    circuit = feature_map.build(3)
    program = ExpectationProgram(
        circuit, feature_map.parameter_vector(3), observables=[SparsePauliOp(x) for x in labels]
    )
    found = [AerEngine("fake_manila", strategy=s).expectations(program, X).values for s in ("factored", "circuits")]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=EXACT)
    engine = AerEngine("fake_manila")
    routed = engine.circuit(program)
    model = NoiseModel.from_backend(device_model("fake_manila"))
    from qkernels.circuits import circuit_of

    part, _ = circuit_of(routed.pair.prepare)
    for row, x in enumerate(X):
        whole = QuantumCircuit(5)
        bound = part.assign_parameters(routed.pair.prepare.angles.evaluate(program.bind_angles([x]))[0])
        whole.compose(bound, list(routed.used), inplace=True)
        whole.save_density_matrix(list(routed.read_from))
        result = AerSimulator(method="density_matrix", noise_model=model).run(whole).result()
        state = np.asarray(result.data(0)["density_matrix"])
        for column, label in enumerate(labels):
            effect = np.ones((1, 1))
            for k, q in enumerate(routed.read_from):
                letter = label[2 - k]
                matrix = SparsePauliOp(letter).to_matrix()
                if letter != "I":
                    read = np.asarray(model._local_readout_errors[(q,)].probabilities).T
                    plus, minus = (np.eye(2) + matrix) / 2, (np.eye(2) - matrix) / 2
                    matrix = (read[0, 0] - read[1, 0]) * plus + (read[0, 1] - read[1, 1]) * minus
                effect = np.kron(matrix, effect)
            assert abs(found[0][row, column] - np.trace(effect @ state).real) < EXACT


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0, 3.0])
def test_scaled_engines_agree(factor: float) -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(3, 2)
    a, b = (
        AerEngine("fake_manila", strategy=s).scaled(factor).overlaps(program, X).values
        for s in ("factored", "circuits")
    )
    np.testing.assert_allclose(a, b, rtol=0, atol=EXACT)
    if factor == 0.0:
        np.testing.assert_allclose(np.diag(a), 1.0, rtol=0, atol=EXACT)


def test_scaling_gates_alone_keeps_readout_errors() -> None:
    program = program_of(ZZFeatureMap(reps=1), 2)
    engine = AerEngine("fake_manila")
    clean = engine.scaled(0.0, readout=False).overlaps(program, rows(1, 2), need={"bits"})
    expected = np.prod(clean.readout[:, 0, 0])
    assert abs(clean.values[0, 0] - expected) < EXACT
    assert expected < 1.0


# Noise sources --------------------------------------------------------------------------------------------------


def own_model() -> NoiseModel:
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
    model.add_all_qubit_quantum_error(thermal_relaxation_error(50e3, 40e3, 300.0), ["sx", "x"])
    model.add_quantum_error(depolarizing_error(0.05, 1), ["sx"], [1])
    model.add_all_qubit_readout_error(ReadoutError([[0.98, 0.02], [0.05, 0.95]]))
    return model


SOURCES: dict[str, Callable[[], object]] = {
    "name": lambda: "FakeManilaV2",
    "backend": lambda: device_model("fake_manila"),
    "generic_backend": lambda: GenericBackendV2(
        4, coupling_map=[[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]], seed=3
    ),
    "noise_model": own_model,
    "simulator": lambda: AerSimulator.from_backend(device_model("fake_manila")),
    "simulator_of_a_model": lambda: AerSimulator(noise_model=own_model()),
    "profile": lambda: NoiseProfile.named("fake_torino"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_noise_source(source: str) -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 3), rows(3, 3)
    a, b = (AerEngine(SOURCES[source](), strategy=s).overlaps(program, X) for s in ("factored", "circuits"))
    np.testing.assert_allclose(a.values, b.values, rtol=0, atol=EXACT)
    assert np.diag(a.values).max() < 1.0
    assert a.info["strategy"] == "factored"
    assert b.info["strategy"] == "circuits"


def test_a_simulator_is_the_device_it_was_made_of() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 3), rows(3, 3)
    by_name = AerEngine("fake_manila").overlaps(program, X).values
    by_simulator = AerEngine(AerSimulator.from_backend(device_model("fake_manila"))).overlaps(program, X).values
    np.testing.assert_allclose(by_name, by_simulator, rtol=0, atol=EXACT)


def test_a_profile_is_the_device_it_was_taken_from() -> None:
    program, X = program_of(CPMap(), 5), rows(3, 5)
    device, profile = AerEngine("fake_fez"), AerEngine(NoiseProfile.named("fake_fez"))
    assert device.circuit(program) == profile.circuit(program)
    np.testing.assert_allclose(
        device.overlaps(program, X).values, profile.overlaps(program, X).values, rtol=0, atol=EXACT
    )
    doubled = AerEngine(NoiseProfile.named("fake_fez").scaled(2.0)).overlaps(program, X).values
    np.testing.assert_allclose(doubled, device.scaled(2.0).overlaps(program, X).values, rtol=0, atol=EXACT)


def unusual_model() -> NoiseModel:
    model = own_model()
    model.add_readout_error(ReadoutError(np.kron([[0.9, 0.1], [0.2, 0.8]], [[0.9, 0.1], [0.1, 0.9]])), [0, 1])
    return model


def test_noise_that_a_table_cannot_hold_is_named() -> None:
    with pytest.raises(InvalidParameterError, match=r"readout"):
        AerEngine(unusual_model(), strategy="factored")


def test_auto_falls_back_and_says_why() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(2, 2)
    found = AerEngine(unusual_model()).overlaps(program, X)
    assert found.info["strategy"] == "circuits"
    assert "readout" in str(found.info["strategy_reason"])


def test_noise_that_a_table_cannot_hold_is_not_scaled() -> None:
    for factor in (0.0, 1.0, 2.0):
        with pytest.raises(
            UnsupportedCircuitError, match=r"cannot scale its noise\. .*\(0, 1\) together.*method='fold'"
        ):
            AerEngine(unusual_model()).scaled(factor)
    with pytest.raises(InvalidParameterError, match=r"factor of .* got -1"):
        AerEngine(unusual_model()).scaled(-1)


def test_missing_entries_are_named_once() -> None:
    clear_cache()
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
    program = program_of(ZZFeatureMap(reps=1, data_map="havlicek"), 2)
    engine = AerEngine(model)
    engine.circuit(program)  # transpiling may warn, too
    with pytest.warns(MissingNoiseWarning, match=r"'sx' on \[\(0,\), \(1,\)\]"):
        engine.overlaps(program, rows(2, 2))
    engine.overlaps(program, rows(3, 2, seed=5))  # an error in these tests if it warned again


@pytest.mark.parametrize("strategy", ["factored", "circuits"])
def test_a_warning_about_noise_is_about_the_line_that_asked(strategy: str) -> None:
    clear_cache()
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
    kernel = FidelityKernel(ZZFeatureMap(reps=1), engine=AerEngine(model, strategy=strategy), bandwidth=0.5)
    with pytest.warns(MissingNoiseWarning) as found:
        kernel.fit_transform(rows(2, 2))  # through a wrapper of scikit-learn
    [where] = {(w.filename, w.lineno) for w in found if w.category is MissingNoiseWarning}
    here = inspect.currentframe()
    assert here is not None
    assert where == (__file__, here.f_lineno - 4)


@pytest.mark.slow
def test_errors_before_a_measurement_count() -> None:
    # A rotation before the measurement turns coherences into populations, which no readout matrix can do.
    turn = coherent_unitary_error(RYGate(1.0).to_matrix())
    flip = pauli_error([("X", 0.1), ("I", 0.9)])
    program = program_of(ZZFeatureMap(reps=1), 2)
    for error, refused in ((turn, True), (flip, False)):
        model = own_model()
        model.add_all_qubit_quantum_error(error, ["measure"])
        found = AerEngine(model).overlaps(program, rows(2, 2))
        assert (found.info["strategy"] == "circuits") == refused
        exact = AerEngine(model, strategy="circuits").overlaps(program, rows(2, 2)).values
        sampled = AerEngine(model, 4000, method="statevector", seed=1).overlaps(program, rows(2, 2)).values
        np.testing.assert_allclose(found.values, exact, rtol=0, atol=EXACT)
        assert (np.abs(sampled - exact) < 5 * np.sqrt(exact * (1 - exact) / 4000)).all()  # 3 entries
    model = own_model()
    model.add_all_qubit_quantum_error(turn, ["measure"])
    feature_map = ZZFeatureMap()
    values = ExpectationProgram(feature_map.build(2), feature_map.parameter_vector(2), observables="ZI")
    with pytest.raises(UnsupportedCircuitError, match="'measure'"):
        AerEngine(model).expectations(values, rows(2, 2))


def test_models_that_differ_share_nothing() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(2, 2)
    values = []
    for basis in (["rz", "sx", "cx"], ["u3", "sx", "cx"]):
        model = NoiseModel(basis_gates=basis)
        model.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), ["cx"])
        model.add_all_qubit_quantum_error(depolarizing_error(0.05, 1), ["sx"])
        engine = AerEngine(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingNoiseWarning)
            values.append((engine.noise_key, engine.overlaps(program, X).values))
            clear_cache()
            np.testing.assert_array_equal(AerEngine(model).overlaps(program, X).values, values[-1][1])
    assert values[0][0] != values[1][0]
    assert np.abs(values[0][1] - values[1][1]).max() > 1e-3


def test_a_backend_and_its_profile_are_two_devices() -> None:
    backend = device_model("fake_manila")
    from_backend, from_profile = AerEngine(backend), AerEngine(NoiseProfile.from_backend(backend))
    assert from_backend.noise_key != from_profile.noise_key
    copy = pickle.loads(pickle.dumps(from_backend))
    assert copy.noise_key == from_backend.noise_key
    program = program_of(ZZFeatureMap(reps=2), 4)
    routed = from_backend.circuit(program)
    clear_cache()
    assert copy.circuit(program) == routed


def test_a_simulator_keeps_its_coupling_map() -> None:
    simulator = AerSimulator(noise_model=own_model(), coupling_map=[[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]])
    engine = AerEngine(simulator)
    program = program_of(ZZFeatureMap(reps=1, entanglement="full"), 4)
    pairs = {op.qubits for op in engine.circuit(program).pair.ops if len(op.qubits) == 2}
    assert pairs <= {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    a, b = engine, AerEngine(simulator, strategy="circuits")
    np.testing.assert_allclose(
        a.overlaps(program, rows(2, 4)).values, b.overlaps(program, rows(2, 4)).values, rtol=0, atol=EXACT
    )


def test_auto_takes_single_pairs_where_all_states_do_not_fit() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 5), rows(3, 5)
    needed = AerEngine("fake_manila", strategy="circuits").plan(program, 3).memory_bytes
    engine = AerEngine("fake_manila", memory_limit=2 * needed)
    assert not AerEngine("fake_manila", strategy="factored", memory_limit=2 * needed).plan(program, 3).feasible
    found = engine.overlaps(program, X)
    assert found.info["strategy"] == "circuits"
    assert "active qubits" in str(found.info["strategy_reason"])
    np.testing.assert_allclose(found.values, AerEngine("fake_manila").overlaps(program, X).values, rtol=0, atol=EXACT)


def test_messages_name_the_engine_that_was_asked() -> None:
    program = program_of(ZZFeatureMap(reps=1), 2)
    for strategy in ("factored", "circuits"):
        engine = AerEngine("fake_manila", strategy=strategy)
        with pytest.raises(InvalidParameterError, match=r"\bAerEngine\b(?!.*AerCircuits)"):
            engine.overlaps(program, rows(2, 2), repetition=1)
        with pytest.raises(InvalidParameterError, match=r"need=\['colour'\] is not available from AerEngine"):
            engine.overlaps(program, rows(2, 2), need={"colour"})


# The circuit ----------------------------------------------------------------------------------------------------


def test_the_circuit_is_reported() -> None:
    engine = AerEngine("fake_fez")
    program = program_of(CPMap(), 10)
    routed = engine.circuit(program)
    assert len(routed.layout) == len(routed.read_from) == 6
    assert set(routed.layout) <= set(routed.used)
    assert 0.0 < routed.fidelity < 1.0
    assert str(routed.two_qubit_gates) in str(routed)
    info = engine.overlaps(program, rows(1, 10)).info
    assert info["layout"] == ",".join(map(str, routed.layout))
    assert info["two_qubit_gates"] == routed.two_qubit_gates


def test_a_layout_can_be_fixed() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(2, 2)
    engine = AerEngine("fake_manila", layout=[0, 1])
    assert engine.circuit(program).layout == (0, 1)
    best = AerEngine("fake_manila")
    assert best.circuit(program).fidelity >= engine.circuit(program).fidelity
    assert (engine.overlaps(program, X).values != best.overlaps(program, X).values).all()


def test_the_seed_reaches_only_the_shots() -> None:
    program = program_of(CPMap(), 10)
    assert AerEngine("fake_fez", 10, seed=1).circuit(program) == AerEngine("fake_fez", 10, seed=2).circuit(program)


def test_no_gate_crosses_the_barrier() -> None:
    # On equal rows U† undoes U gate by gate: without the barrier nothing would be left, and the diagonal would be 1.
    program = program_of(ZZFeatureMap(reps=1), 2)
    assert AerEngine("fake_manila").overlaps(program, np.zeros((1, 2))).values[0, 0] < 0.99
    assert OVERLAP_BARRIER == "qkernels.overlap"


def by_both(program: OverlapProgram, X: object) -> list[Overlaps]:
    engines = [AerEngine("fake_manila", strategy=s) for s in ("factored", "circuits")]
    return [engine.overlaps(program, X, need={"bits"}) for engine in engines]


def test_a_qubit_without_gates_is_read_with_its_error() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 1)
    program = OverlapProgram(circuit, x)
    a, b = (
        AerEngine("fake_manila", strategy=s).overlaps(program, [[0.0], [0.7]], need={"bits"})
        for s in ("factored", "circuits")
    )
    np.testing.assert_allclose(a.outcomes, b.outcomes, rtol=0, atol=EXACT)
    assert a.info["active_qubits"] == 1


def test_a_circuit_without_data_or_gates() -> None:
    x = ParameterVector("x", 1)
    program = OverlapProgram(QuantumCircuit(2), x)
    values = [
        AerEngine("fake_manila", strategy=s).overlaps(program, [[0.0], [1.0]], need={"bits"})
        for s in ("factored", "circuits")
    ]
    np.testing.assert_allclose(values[0].values, values[1].values, rtol=0, atol=EXACT)
    expected = np.prod(values[0].readout[:, 0, 0])
    np.testing.assert_allclose(values[0].values, expected, rtol=0, atol=EXACT)


# Trajectories ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["matrix_product_state", "statevector"])
def test_trajectories_are_a_function_of_content(method: str) -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(3, 2)
    engine = AerEngine("fake_manila", 200, method=method, seed=5)
    found = engine.overlaps(program, X, need={"weights", "bits"})
    assert found.info["strategy"] == "circuits"
    np.testing.assert_array_equal(found.values, found.values.T)
    np.testing.assert_allclose((found.bits == 0).all(-1).mean(-1), found.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.weights[..., 0], found.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.weights.sum(-1), 1.0, rtol=0, atol=1e-12)
    clear_cache()
    again = AerEngine("fake_manila", 200, method=method, seed=5).overlaps(program, X[::-1], pairs=[[0, 1], [2, 2]])
    np.testing.assert_array_equal(again.values, found.values[[2, 0], [1, 0]])
    exact = AerEngine("fake_manila").overlaps(program, X).values
    sigma = np.sqrt(exact * (1 - exact) / 200)
    assert (np.abs(found.values - exact) < 5 * sigma).all()  # 6 distinct entries: 4e-6 to be wrong


@pytest.mark.parametrize("method", ["matrix_product_state", "statevector"])
def test_trajectories_of_the_noise_itself_are_the_same_draws(method: str) -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(3, 2)
    engine = AerEngine("fake_manila", 51, method=method, seed=1)
    values = engine.overlaps(program, X).values
    clear_cache()
    np.testing.assert_array_equal(engine.scaled(1.0).overlaps(program, X).values, values)


def test_trajectories_measure_no_expectation_values() -> None:
    feature_map = ZZFeatureMap(reps=1)
    program = ExpectationProgram(feature_map.build(2), feature_map.parameter_vector(2), observables="ZI")
    with pytest.raises(UnsupportedCircuitError, match=r"method='statevector'"):
        AerEngine("fake_manila", 100, method="statevector").expectations(program, rows(2, 2))


def test_wide_circuits_run_as_matrix_product_states() -> None:
    program = program_of(ZZFeatureMap(reps=1), 14)
    engine = AerEngine("fake_fez", 20, method="matrix_product_state", seed=0)
    found = engine.overlaps(program, 0.1 * rows(2, 14), need={"bits"})
    assert found.bits.shape == (2, 2, 20, 2)


# The contract ---------------------------------------------------------------------------------------------------


def test_pickled_and_cloned_engines_give_the_same() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(3, 2)
    for device in ("fake_manila", NoiseProfile.named("fake_torino"), own_model()):
        engine = AerEngine(device, 50, seed=4)
        assert clone(engine) is engine
        copy = pickle.loads(pickle.dumps(engine))
        np.testing.assert_array_equal(copy.overlaps(program, X).values, engine.overlaps(program, X).values)
        assert repr(copy) == repr(engine)


@pytest.mark.slow
def test_draws_do_not_depend_on_the_process() -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(3, 2)
    values = AerEngine("fake_manila", 100, seed=9).overlaps(program, X).values
    script = (
        "import numpy as np; from qkernels import OverlapProgram, ZZFeatureMap;"
        "from qkernels_hardware import AerEngine;"
        "m = ZZFeatureMap(reps=1); p = OverlapProgram(m.build(2), m.parameter_vector(2));"
        "X = np.random.default_rng(0).normal(size=(3, 2));"
        "print(AerEngine('fake_manila', 100, seed=9).overlaps(p, X).values.tolist())"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    np.testing.assert_array_equal(np.array(eval(answer.stdout)), values)


@pytest.mark.parametrize("strategy", ["factored", "circuits"])
def test_plans(strategy: str) -> None:
    program = program_of(ZZFeatureMap(reps=1), 3)
    plan = AerEngine("fake_manila", 100, strategy, seed=0).plan(program, 10)
    assert plan.feasible
    assert plan.entries == 55
    assert plan.shots == 5500
    assert plan.circuits == (20 if strategy == "factored" else 55)
    assert strategy in plan.engine


def test_kernels_on_the_engine() -> None:
    X = rows(8, 3)
    kernel = FidelityKernel(ZZFeatureMap(reps=1), engine=AerEngine("fake_manila", 200, seed=0))
    gram = kernel.fit_transform(X)
    np.testing.assert_allclose(kernel.transform(X), gram, rtol=0, atol=1e-12)
    assert (kernel.diag(X) < 1.0).any()
    hamming = HammingKernel(ZZFeatureMap(reps=1), engine=AerEngine("fake_manila")).fit(X)
    assert (np.diag(hamming.gram_) < 1.0).all()


def test_the_density_matrix_engine_takes_a_profile_table() -> None:
    table = NoiseProfile.named("fake_fez").table([0, 1, 2])
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.rz(x[0], 0)
    circuit.cz(0, 1)
    values = DensityMatrixEngine(table).overlaps(OverlapProgram(circuit, x), [[0.1], [0.2]]).values
    assert (np.diag(values) < 1.0).all()


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"device": "fake_fezz"}, r"'fake_fezz'.*Did you mean 'fake_fez'"),
        ({"device": 3}, r"device of AerEngine.*got 3"),
        ({"strategy": "exact"}, r"strategy of AerEngine.*'exact'"),
        ({"shots": 0}, r"shots of AerEngine.*>= 1, got 0"),
        ({"seed": -1}, r"seed of AerEngine.*>= 0, got -1"),
        ({"method": "automatic"}, r"method of AerEngine.*'automatic'"),
        ({"optimization_level": 2.0}, r"optimization_level of AerEngine must be 2 or 3, got 2.0"),
        ({"optimization_level": 1}, r"optimization_level of AerEngine must be 2 or 3, got 1"),
        ({"layout": "best"}, r"layout of AerEngine.*'best'"),
        ({"layout": [0, 0]}, r"layout of AerEngine.*\[0, 0\]"),
        ({"method": "exact"}, r"method of AerEngine.*'exact'"),
        ({"method": "stabilizer", "shots": 5}, r"method of AerEngine.*'statevector'\], got 'stabilizer'"),
        ({"method": "extended_stabilizer", "shots": 5}, r"method of AerEngine.*got 'extended_stabilizer'"),
        ({"method": "statevector"}, r"shots of AerEngine.*method='statevector'.*got None"),
        ({"method": "statevector", "shots": 5, "strategy": "factored"}, r"method of AerEngine.*'statevector'"),
        ({"memory_limit": 0}, r"memory_limit of AerEngine.*got 0"),
    ],
)
def test_wrong_parameters(options: dict[str, object], pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        AerEngine(**({"device": "fake_manila"} | options))


def test_a_circuit_wider_than_the_device() -> None:
    with pytest.raises(InvalidParameterError, match=r"6 qubits.*'fake_manila' has 5"):
        AerEngine("fake_manila").overlaps(program_of(ZZFeatureMap(), 6), rows(2, 6))


@pytest.mark.parametrize("strategy", ["factored", "circuits"])
def test_delays_that_cannot_run(strategy: str) -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.delay(x[0], 0)
    with pytest.raises(UnsupportedCircuitError, match=r"delay whose duration depends on data.*fake_manila"):
        AerEngine("fake_manila", strategy=strategy).overlaps(OverlapProgram(circuit, x), [[1.0]])
    misaligned = QuantumCircuit(1)
    misaligned.rx(x[0], 0)
    misaligned.delay(1, 0, "us")
    misaligned.rx(x[0], 0)
    with pytest.raises(
        UnsupportedCircuitError, match=r"cannot be transpiled for fake_manila.*Delays must be multiples"
    ):
        AerEngine("fake_manila", strategy=strategy).overlaps(OverlapProgram(misaligned, x), [[1.0]])


@pytest.mark.parametrize("make", [AerEngine, RuntimeEngine])
def test_a_layout_that_is_not_connected(make: Callable[..., Engine]) -> None:
    backend = GenericBackendV2(4, coupling_map=[[0, 1], [1, 0], [2, 3], [3, 2]], seed=1)
    with pytest.raises(UnsupportedCircuitError, match=rf"layout of {make.__name__} was \[0, 2\]") as caught:
        make(backend, layout=[0, 2]).overlaps(program_of(ZZFeatureMap(reps=1), 2), rows(2, 2))
    assert "elay" not in str(caught.value)


def test_a_gate_that_aer_does_not_have() -> None:
    backend = GenericBackendV2(3, basis_gates=["iswap", "u", "id"], seed=1)
    program = program_of(ZZFeatureMap(reps=1), 2)
    with pytest.raises(UnsupportedCircuitError, match=r"cannot run .* iswap, .*Use strategy='factored'"):
        AerEngine(backend, strategy="circuits").overlaps(program, rows(2, 2))
    assert 0.0 < AerEngine(backend).overlaps(program, rows(1, 2)).values[0, 0] < 1.0


@pytest.mark.parametrize(
    ("engine", "pattern"),
    [
        (lambda: AerEngine("fake_manila", strategy="circuits"), r"strategy='circuits'\. Use strategy='factored', or"),
        (lambda: AerEngine(unusual_model()), r"strategy='circuits'\. The noise model .* cannot hold\. Use qkernels"),
    ],
    ids=["circuits", "unusual"],
)
def test_circuits_have_no_gradients(engine: Callable[[], AerEngine], pattern: str) -> None:
    program, X = program_of(ZZFeatureMap(reps=1), 2), rows(2, 2)
    with pytest.raises(UnsupportedCircuitError, match=rf"^AerEngine computes no gradients with {pattern}"):
        engine().vjp(program, np.ones((2, 2)), X)


def test_what_is_no_program() -> None:
    with pytest.raises(InvalidParameterError, match=r"program of AerEngine.*QuantumCircuit"):
        AerEngine("fake_manila").overlaps(QuantumCircuit(1), [[0.0]])


def test_a_layout_of_another_width() -> None:
    with pytest.raises(InvalidParameterError, match=r"layout of AerEngine must hold 2 different qubits.*\[0, 1, 2\]"):
        AerEngine("fake_manila", layout=[0, 1, 2]).overlaps(program_of(ZZFeatureMap(), 2), rows(2, 2))


def test_too_many_active_qubits() -> None:
    engine = AerEngine("fake_fez", memory_limit=2**28)
    with pytest.raises(BudgetError, match=r"12 active qubits.*matrix_product_state"):
        engine.overlaps(program_of(ZZFeatureMap(reps=1), 12), rows(2, 12))


def test_a_device_gate_without_noise_entry_in_a_circuit_map() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.crx(x[0], 0, 1)
    circuit.u(x[1], 0.3, x[0] ** 2, 1)
    program = program_of(CircuitMap(circuit, x), 2)
    X = rows(3, 2)
    a, b = (AerEngine("fake_manila", strategy=s).overlaps(program, X).values for s in ("factored", "circuits"))
    np.testing.assert_allclose(a, b, rtol=0, atol=EXACT)
