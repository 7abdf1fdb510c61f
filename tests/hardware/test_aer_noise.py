"""Noise models of Aer as noise tables and back, against Aer's own density matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.circuit.library import SXGate, XGate
from qiskit.quantum_info import PTM, SuperOp, random_quantum_channel, random_unitary
from qiskit.transpiler.basepasses import TransformationPass
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    PauliError,
    PauliLindbladError,
    QuantumError,
    ReadoutError,
    RelaxationNoisePass,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    kraus_error,
    mixed_unitary_error,
    pauli_error,
    phase_amplitude_damping_error,
    reset_error,
    thermal_relaxation_error,
)

from qkernels._errors import InvalidParameterError
from qkernels.engines import NoiseTable, Relaxation
from qkernels_hardware.aer._errors import error_of_transfer, transfer_of_error
from qkernels_hardware.aer._noise import aer_noise_model, noise_table
from tests.hardware.density_oracle import apply_transfer, noisy_outcomes, noisy_state, paulis, random_circuit

US = 1e-6
NAMES = ("id", "x", "sx", "h", "rz", "ry", "cx", "rzz", "reset", "delay")


def mixture_of_circuits() -> QuantumError:
    """Every kind of instruction that an error may hold, in orders that do not commute, on reversed qubits."""
    first = QuantumCircuit(2)
    first.x(1)
    first.reset(0)
    first.z(0)
    first.append(SuperOp(amplitude_damping_error(0.3)).to_instruction(), [1])
    second = QuantumCircuit(2)
    second.h(0)
    second.cx(1, 0)
    second.y(0)
    second.barrier()
    second.unitary(random_unitary(4, seed=2), [1, 0])
    third = QuantumCircuit(2)
    third.pauli("YX", [1, 0])
    third.append(random_quantum_channel(2, rank=2, seed=5).to_instruction(), [0])
    return QuantumError([(first, 0.2), (second, 0.3), (third, 0.5)])


ERRORS: dict[str, Callable[[], QuantumError]] = {
    "depolarizing": lambda: depolarizing_error(0.1, 1),
    "depolarizing on two": lambda: depolarizing_error(0.1, 2),
    "depolarizing on three": lambda: depolarizing_error(0.1, 3),
    "pauli": lambda: pauli_error([("XY", 0.1), ("ZI", 0.3), ("II", 0.6)]),
    "relaxation by resets": lambda: thermal_relaxation_error(50 * US, 40 * US, 3 * US, 0.2),
    "relaxation by kraus": lambda: thermal_relaxation_error(50 * US, 80 * US, 3 * US, 0.2),
    "amplitude and phase": lambda: phase_amplitude_damping_error(0.1, 0.2, 0.3),
    "reset": lambda: reset_error(0.1, 0.2),
    "coherent": lambda: coherent_unitary_error(random_unitary(4, seed=3)),
    "mixed unitary": lambda: mixed_unitary_error([(random_unitary(2, seed=s), 0.5) for s in (4, 5)]),
    "kraus": lambda: kraus_error([np.sqrt(0.9) * np.eye(4), np.sqrt(0.1) * np.diag([1, -1, 1, -1])]),
    "two different qubits": lambda: thermal_relaxation_error(50 * US, 80 * US, US).expand(reset_error(0.1, 0.2)),
    "device gate": lambda: depolarizing_error(0.1, 2).compose(
        thermal_relaxation_error(50 * US, 80 * US, US).expand(thermal_relaxation_error(30 * US, 20 * US, US))
    ),
    "circuits": mixture_of_circuits,
    "pauli strings": lambda: PauliError(["XX", "IZ", "II"], [0.1, 0.2, 0.7]),
    "pauli lindblad": lambda: PauliLindbladError(["XX", "ZI"], [0.1, 0.2]),
}
each_error = pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)


@each_error
def test_error_as_transfer_matrix(make: Callable[[], QuantumError]) -> None:
    # Qiskit adds up the superoperators of all circuits; its PTM has the Pauli order of a NoiseTable.
    error = make()
    np.testing.assert_allclose(transfer_of_error(error, ""), PTM(SuperOp(error)).data, rtol=0, atol=1e-12)


@each_error
def test_transfer_matrix_as_error(make: Callable[[], QuantumError]) -> None:
    transfer = transfer_of_error(make(), "")
    back = error_of_transfer(transfer, "")
    np.testing.assert_allclose(PTM(SuperOp(back)).data, transfer, rtol=0, atol=1e-12)


def test_oracle_reads_transfer_matrices_as_the_table_does() -> None:
    # a channel given as a superoperator, to a state that is no product, on reversed qubits
    channel = SuperOp(random_quantum_channel(4, seed=1))
    table = NoiseTable({("cx", (2, 0)): channel})
    vector = np.random.default_rng(0).normal(size=8) + 1j * np.random.default_rng(1).normal(size=8)
    rho = np.outer(vector, vector.conj())
    circuit = QuantumCircuit(3)
    circuit.append(channel, [2, 0])
    expected = (SuperOp(circuit).data @ rho.reshape(-1, order="F")).reshape(8, 8, order="F")
    transfer = table.transfer("cx", (2, 0))
    assert transfer is not None
    np.testing.assert_allclose(apply_transfer(transfer, rho, (2, 0)), expected, rtol=0, atol=1e-12)
    assert paulis(2).shape == (16, 4, 4)


def mixed_model() -> NoiseModel:
    """Local and default errors of every kind, some of them overriding others, and relaxation during delays."""
    model = NoiseModel(basis_gates=["id", "x", "sx", "h", "rz", "ry", "cx", "rzz"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.02, 1), ["x", "sx", "h", "reset"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), "cx")
    model.add_quantum_error(thermal_relaxation_error(50 * US, 80 * US, 2 * US), "sx", [1])
    model.add_quantum_error(amplitude_damping_error(0.1), "id", [0])
    model.add_quantum_error(ERRORS["circuits"](), "cx", [0, 2])
    model.add_quantum_error(ERRORS["device gate"](), "rzz", [2, 1])
    model.add_quantum_error(coherent_unitary_error(random_unitary(2, seed=8)), "ry", [2])
    model._custom_noise_passes.append(
        RelaxationNoisePass([40 * US, np.inf, 60 * US], [70 * US, np.inf, 20 * US], 1e-7, Delay, [0.1, 0.0, 0.3])
    )
    return model


@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_have_the_states_of_aer(seed: int) -> None:
    model = mixed_model()
    circuit = random_circuit(NAMES, 3, 25, seed)
    saving = circuit.copy()
    saving.save_density_matrix()
    aer = AerSimulator(method="density_matrix", noise_model=model).run(saving).result().data()["density_matrix"].data
    # 25 instructions on numbers below 1, each a few roundings
    np.testing.assert_allclose(noisy_state(circuit, noise_table(model)), aer, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_random_circuits_have_the_states_of_aer_after_a_round_trip(seed: int) -> None:
    table = noise_table(mixed_model())
    circuit = random_circuit(NAMES, 3, 25, seed)
    saving = circuit.copy()
    saving.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=aer_noise_model(table, 3))
    aer = simulator.run(saving).result().data()["density_matrix"].data
    np.testing.assert_allclose(noisy_state(circuit, table), aer, rtol=0, atol=1e-12)


def test_what_is_read_has_the_distribution_of_aer() -> None:
    model = mixed_model()
    model.add_readout_error([[0.9, 0.1], [0.25, 0.75]], [0])
    model.add_all_qubit_readout_error([[0.95, 0.05], [0.0, 1.0]])
    model.add_quantum_error(amplitude_damping_error(0.2), "measure", [1])  # before the readout
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.1), ("I", 0.9)]), "measure")
    circuit = random_circuit(("h", "ry", "cx"), 3, 12, seed=1)
    expected = noisy_outcomes(circuit, noise_table(model))
    circuit.measure_all()
    shots = 40_000
    result = AerSimulator(method="density_matrix", noise_model=model, seed_simulator=3).run(circuit, shots=shots)
    counts = result.result().get_counts()
    frequencies = np.array([counts.get(f"{outcome:03b}", 0) for outcome in range(8)]) / shots
    # 5 standard deviations of a binomial count; without one of the four errors, some outcome is off by 20
    assert np.all(np.abs(frequencies - expected) < 5 * np.sqrt(expected * (1 - expected) / shots))


def test_readout_matrix_is_the_transposed_one() -> None:
    model = NoiseModel()
    model.add_readout_error([[0.9, 0.1], [0.25, 0.75]], [1])
    table = noise_table(model)
    np.testing.assert_array_equal(table.readout_matrix(1), [[0.9, 0.25], [0.1, 0.75]])
    np.testing.assert_array_equal(table.readout_matrix(0), np.eye(2))


def test_an_error_before_a_measurement_is_a_part_of_the_readout() -> None:
    model = NoiseModel()
    model.add_readout_error([[0.9, 0.1], [0.25, 0.75]], [1])
    model.add_all_qubit_quantum_error(amplitude_damping_error(0.4), "measure")
    table = noise_table(model)
    decay = np.array([[1.0, 0.4], [0.0, 0.6]])  # column: true state
    np.testing.assert_allclose(table.readout_matrix(0), decay, rtol=0, atol=1e-15)
    np.testing.assert_allclose(table.readout_matrix(1), [[0.9, 0.25], [0.1, 0.75]] @ decay, rtol=0, atol=1e-15)
    assert "measure" not in {*table.default_names, *(name for name, _ in table.places)}


def test_errors_on_delays() -> None:
    model = NoiseModel()
    model.add_quantum_error(amplitude_damping_error(0.05), "delay", [2])
    circuit = random_circuit(("h", "ry", "delay"), 3, 12, seed=2)
    saving = circuit.copy()
    saving.save_density_matrix()
    aer = AerSimulator(method="density_matrix", noise_model=model).run(saving).result().data()["density_matrix"].data
    np.testing.assert_allclose(noisy_state(circuit, noise_table(model)), aer, rtol=0, atol=1e-12)


def test_errors_on_barriers_have_no_effect() -> None:
    model = NoiseModel()
    model.add_quantum_error(pauli_error([("X", 0.5), ("I", 0.5)]), "barrier", [0])
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.5), ("I", 0.5)]), "barrier")
    table = noise_table(model)
    assert (table.places, table.default_names) == ((), ())
    circuit = QuantumCircuit(1)
    circuit.barrier()
    circuit.measure_all()
    assert AerSimulator(noise_model=model).run(circuit, shots=50).result().get_counts() == {"0": 50}


def test_some_qubits_are_renumbered() -> None:
    model = mixed_model()
    model.add_readout_error([[0.9, 0.1], [0.25, 0.75]], [2])
    assert noise_table(model, [2, 0]) == noise_table(model).restricted([2, 0])


def test_ideal_names_are_passed_on() -> None:
    assert noise_table(NoiseModel(), ideal=["rz", "id"]).ideal == {"rz", "id"}


# --- back to Aer


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_round_trip(factor: float) -> None:
    model = mixed_model()
    # arbitrary channels have no real power
    model._local_quantum_errors["cx"].pop((0, 2))
    model._local_quantum_errors.pop("ry")
    model.add_readout_error([[0.9, 0.1], [0.25, 0.75]], [0])
    model.add_all_qubit_readout_error([[0.95, 0.05], [0.0, 1.0]])
    table = noise_table(model).scaled(factor)
    again = noise_table(aer_noise_model(table, 3))
    assert set(again.places) == set(table.places)
    assert set(again.default_names) == set(table.default_names)
    for name, where in [*table.places, ("x", (9,)), ("cx", (8, 9))]:
        np.testing.assert_allclose(again.transfer(name, where), table.transfer(name, where), rtol=0, atol=1e-12)
    for q in range(3):
        np.testing.assert_allclose(again.readout_matrix(q), table.readout_matrix(q), rtol=0, atol=1e-15)
        assert again.relaxation(q) == table.relaxation(q)
    assert again.dt == table.dt


def test_an_identity_takes_a_default_away() -> None:
    table = NoiseTable(
        {("x", (0,)): np.eye(4), ("sx", (0,)): np.eye(4)},
        defaults={"x": depolarizing_error(0.2, 1).to_quantumchannel()},
        readout={0: np.eye(2)},
        default_readout=[[0.9, 0.2], [0.1, 0.8]],
    )
    model = aer_noise_model(table, 2)
    assert model._local_quantum_errors.keys() == {"x"}
    circuit = QuantumCircuit(2)
    circuit.x([0, 1])
    circuit.save_density_matrix()
    state = AerSimulator(method="density_matrix", noise_model=model).run(circuit).result().data()["density_matrix"]
    assert state.probabilities([0]) == pytest.approx([0, 1], abs=1e-15)
    assert state.probabilities([1]) == pytest.approx([0.1, 0.9], abs=1e-15)
    again = noise_table(model)
    np.testing.assert_array_equal(again.readout_matrix(0), np.eye(2))
    np.testing.assert_allclose(again.readout_matrix(1), [[0.9, 0.2], [0.1, 0.8]], rtol=0, atol=1e-16)


def test_names_of_the_table_join_the_basis_gates() -> None:
    table = NoiseTable({("cz", (0, 1)): np.diag([1.0] + 15 * [0.9])}, form="transfer")
    assert aer_noise_model(table, 2, basis_gates=["sx", "rz"]).basis_gates == ["cz", "rz", "sx"]


def test_a_table_without_noise_is_an_ideal_model() -> None:
    assert aer_noise_model(NoiseTable({("x", (0,)): np.eye(4)}), 2).is_ideal()
    assert noise_table(NoiseModel()).places == ()


def test_relaxation_at_its_bound_is_taken_by_aer() -> None:
    table = NoiseTable({}, relaxation={1: Relaxation(10 * US, 20 * US * (1 + 1e-10), 0.1)}, dt=1e-9)
    circuit = QuantumCircuit(2)
    circuit.x(1)
    circuit.delay(5, 1, unit="us")
    circuit.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=aer_noise_model(table, 2))
    state = simulator.run(circuit).result().data()["density_matrix"]
    one = 0.1 + 0.9 * np.exp(-0.5)  # towards 0.1 with T1
    assert state.probabilities([1]) == pytest.approx([1 - one, one], abs=1e-12)


def test_a_matrix_beside_the_channels_is_refused() -> None:
    # an X and a Z error without Y: its square root would need a negative probability
    table = NoiseTable({("x", (0,)): pauli_error([("X", 0.1), ("Z", 0.1), ("I", 0.8)]).to_quantumchannel()})
    with pytest.raises(InvalidParameterError, match=r"channel of 'x' on qubits \(0,\) is not completely positive \(by"):
        aer_noise_model(table.scaled(0.5), 1)
    assert not aer_noise_model(table.scaled(2), 1).is_ideal()


# --- what a table cannot hold


class OtherPass(TransformationPass):
    def run(self, dag: object) -> object:
        return dag


def with_pass(*passes: object) -> NoiseModel:
    model = NoiseModel()
    model._custom_noise_passes.extend(passes)
    return model


def with_delays() -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(amplitude_damping_error(0.1), "delay")
    model._custom_noise_passes.append(RelaxationNoisePass([1.0], [1.0], op_types=Delay))
    return model


def with_readout_of_two() -> NoiseModel:
    model = NoiseModel()
    model.add_readout_error(ReadoutError(np.eye(4)[::-1]), [1, 3])
    return model


def with_error_before_measurement(error: QuantumError, qubits: list[int]) -> NoiseModel:
    model = NoiseModel()
    model.add_quantum_error(error, "measure", qubits)
    return model


REFUSED: dict[str, tuple[Callable[[], NoiseModel], str]] = {
    "correlated readout": (with_readout_of_two, r"a readout error of the qubits \(1, 3\) together"),
    "another pass": (lambda: with_pass(OtherPass()), "the noise pass OtherPass"),
    "relaxation of gates": (
        lambda: with_pass(RelaxationNoisePass([1.0], [1.0], op_types=(Delay, XGate))),
        "a RelaxationNoisePass for Delay, XGate instead of Delay only",
    ),
    "relaxation of everything": (
        lambda: with_pass(RelaxationNoisePass([1.0], [1.0])),
        "a RelaxationNoisePass for all instructions instead of Delay only",
    ),
    "two relaxations": (
        lambda: with_pass(*(RelaxationNoisePass([t], [t], op_types=Delay) for t in (1.0, 2.0))),
        "2 relaxation passes",
    ),
    "errors on delays": (
        with_delays,
        "errors on 'delay' that act before relaxation",
    ),
    "coherences": (
        lambda: with_error_before_measurement(coherent_unitary_error(SXGate().to_matrix()), [1]),
        r"an error on 'measure' \(qubits \(1,\)\) that turns coherences into populations",
    ),
    "measurement of two": (
        lambda: with_error_before_measurement(depolarizing_error(0.1, 2), [1, 3]),
        "an error on 'measure' of several qubits at once",
    ),
}


@pytest.mark.parametrize(("make", "what"), REFUSED.values(), ids=REFUSED)
def test_what_a_table_cannot_hold_is_named(make: Callable[[], NoiseModel], what: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"The noise model has {what}.*, which a NoiseTable cannot hold"):
        noise_table(make())


def test_what_other_qubits_have_does_not_matter() -> None:
    assert noise_table(with_readout_of_two(), [0, 2]).places == ()
    with pytest.raises(InvalidParameterError, match=r"the qubits \(1, 3\) together"):
        noise_table(with_readout_of_two(), [0, 1])


def test_an_error_with_control_flow() -> None:
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(2)):
        circuit.x(0)
    model = NoiseModel()
    model._local_quantum_errors["x"] = {(0,): QuantumError([(circuit, 1.0)])}
    with pytest.raises(InvalidParameterError, match=r"error of 'x' on qubits \(0,\) .* instruction 'for_loop', which"):
        noise_table(model)


def test_gates_of_one_name_may_differ() -> None:
    terms = []
    for angle in (0.3, 0.7):
        inner = QuantumCircuit(1, name="mine")
        inner.rx(angle, 0)
        circuit = QuantumCircuit(1)
        circuit.append(inner.to_gate(), [0])
        terms.append((circuit, 0.5))
    error = QuantumError(terms)
    np.testing.assert_allclose(transfer_of_error(error, ""), PTM(SuperOp(error)).data, rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", [None, "fake_fez"], ids=repr)
def test_a_noise_model_is_one_of_aer(model: object) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"noise_table: noise_model must be a qiskit_aer\.noise\.NoiseModel; got"
    ):
        noise_table(model)  # type: ignore[arg-type]
