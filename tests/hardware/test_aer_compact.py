"""Noise models of a few qubits against those of the whole device."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.circuit.library import CXGate, Measure, SXGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import PTM, SuperOp
from qiskit.transpiler import InstructionProperties, Target
from qiskit.transpiler.basepasses import TransformationPass
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    RelaxationNoisePass,
    amplitude_damping_error,
    depolarizing_error,
    pauli_error,
    reset_error,
)
from qiskit_aer.noise.device import basic_device_gate_errors

from qkernels._errors import InvalidParameterError
from qkernels_hardware import NoiseProfile, device_model
from qkernels_hardware.aer._compact import compact_noise_model, device_noise_model
from qkernels_hardware.aer._noise import noise_table
from tests.hardware.density_oracle import random_circuit
from tests.hardware.test_profile import PlainBackend

MANILA = device_model("fake_manila")
FULL = NoiseModel.from_backend(MANILA)


def final_state(circuit: QuantumCircuit, model: NoiseModel) -> np.ndarray:
    saving = circuit.copy()
    saving.save_density_matrix()
    result = AerSimulator(method="density_matrix", noise_model=model).run(saving).result()
    return np.asarray(result.data()["density_matrix"].data)


@pytest.mark.parametrize("qubits", [[0, 1, 2, 3, 4], [3, 1, 2], [4]], ids=str)
def test_device_model_of_some_qubits_is_the_full_one_cut_down(qubits: list[int]) -> None:
    part, cut = device_noise_model(MANILA, qubits), compact_noise_model(FULL, qubits)
    assert noise_table(part) == noise_table(cut) == noise_table(FULL, qubits)  # to the last bit
    assert part.basis_gates == cut.basis_gates == FULL.basis_gates
    assert part.noise_instructions == cut.noise_instructions
    assert part.noise_qubits == cut.noise_qubits


def test_device_model_of_a_pair_equals_the_full_one_by_the_rule_of_aer() -> None:
    assert device_noise_model(MANILA, [4, 3]) == compact_noise_model(FULL, [4, 3])


def test_compact_model_gives_the_states_of_the_full_one() -> None:
    qubits = [3, 1, 2]
    small = random_circuit(
        ("sx", "x", "id", "rz", "cx", "delay"), 3, 20, seed=0, pairs=[(0, 2), (2, 0), (1, 2), (2, 1)]
    )
    wide = QuantumCircuit(5)
    wide.compose(small, qubits, inplace=True)
    full = final_state(wide, FULL).reshape((2,) * 10)
    # trace qubits 4 and 0 out, the first and the last axis of both halves; then order axes as 2, 1, 3 → bits of `small`
    kept = np.einsum("abcdeaxyze->bcdxyz", full).transpose(1, 2, 0, 4, 5, 3).reshape(8, 8)
    for model in (compact_noise_model(FULL, qubits), device_noise_model(MANILA, qubits)):
        np.testing.assert_allclose(final_state(small, model), kept, rtol=0, atol=1e-12)


def test_device_model_of_a_large_device() -> None:
    # one gate of each kind against Aer, which gets a target with this gate only
    device = device_model("fake_fez")
    qubits = [125, 117, 126, 127, 124, 123]
    model = device_noise_model(device, qubits)
    for name, where in [("cz", (126, 125)), ("sx", (127,)), ("x", (117,)), ("id", (124,)), ("reset", (123,))]:
        target = Target(num_qubits=156, qubit_properties=device.target.qubit_properties)
        target.add_instruction(device.target.operation_from_name(name), {where: device.target[name][where]}, name=name)
        [(_, _, expected)] = basic_device_gate_errors(target=target)
        found = model._local_quantum_errors[name][tuple(qubits.index(q) for q in where)]
        np.testing.assert_array_equal(SuperOp(found).data, SuperOp(expected).data)
    assert {len(places) for places in model._local_quantum_errors.values()} == {6, 10}  # five pairs, both directions
    assert "rz" not in model._local_quantum_errors
    assert len(model._local_readout_errors) == 6
    assert model.noise_qubits == [0, 1, 2, 3, 4, 5]


def test_device_model_is_the_table_of_the_profile() -> None:
    qubits = [125, 117, 126]
    table = noise_table(device_noise_model(device_model("fake_fez"), qubits))
    profile = NoiseProfile.named("fake_fez").table(qubits)
    assert set(table.places) == set(profile.places)
    for name, where in table.places:
        np.testing.assert_allclose(table.transfer(name, where), profile.transfer(name, where), rtol=0, atol=1e-12)
    for q in range(3):
        np.testing.assert_array_equal(table.readout_matrix(q), profile.readout_matrix(q))
        assert table.relaxation(q) == profile.relaxation(q)
    assert table.dt == profile.dt


def test_only_names_that_are_asked_for() -> None:
    model = device_noise_model(MANILA, [2, 1, 0], names=("cx", "sx"))
    assert {name: set(at) for name, at in model._local_quantum_errors.items()} == {
        "cx": {(2, 1), (1, 2), (1, 0), (0, 1)},
        "sx": {(0,), (1,), (2,)},
    }
    assert len(model._local_readout_errors) == 3
    assert len(model._custom_noise_passes) == 1


def test_a_device_that_does_not_know_its_qubits() -> None:
    assert device_noise_model(GenericBackendV2(3, noise_info=False), [0, 2]).is_ideal()
    # errors and durations, but neither T1 and T2 nor the error of one measurement: from_backend stops at this target
    target = Target(num_qubits=2)
    target.add_instruction(SXGate(), {(0,): InstructionProperties(1e-8, 0.01), (1,): None})
    target.add_instruction(Measure(), {(0,): InstructionProperties(1e-6, None), (1,): InstructionProperties(1e-6, 0.1)})
    model = device_noise_model(PlainBackend(target), [0, 1])
    # average error 0.01 of one qubit: depolarizing with 2 · 0.01
    np.testing.assert_allclose(
        PTM(SuperOp(model._local_quantum_errors["sx"][0,])).data, np.diag([1, 0.98, 0.98, 0.98]), rtol=0, atol=1e-12
    )
    assert model._local_readout_errors.keys() == {(1,)}
    assert model._custom_noise_passes == []


def test_errors_of_all_qubits_stay() -> None:
    model = NoiseModel(basis_gates=["x", "cz"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), "x")
    model.add_quantum_error(reset_error(0.1), "x", [7])
    model.add_quantum_error(pauli_error([("X", 0.1), ("I", 0.9)]), "x", [2])
    model.add_quantum_error(depolarizing_error(0.2, 2), "cz", [7, 2])
    model.add_all_qubit_readout_error([[0.9, 0.1], [0.2, 0.8]])
    model.add_readout_error([[0.7, 0.3], [0.2, 0.8]], [7])
    compact = compact_noise_model(model, [5, 7])
    assert noise_table(compact) == noise_table(model, [5, 7])
    assert compact._default_quantum_errors == model._default_quantum_errors
    assert compact._local_quantum_errors == {"x": {(1,): model._local_quantum_errors["x"][7,]}}
    assert compact.basis_gates == ["cz", "x"]
    assert compact.noise_instructions == ["measure", "x"]


def test_readout_errors_of_several_qubits_are_renumbered() -> None:
    model = NoiseModel()
    model.add_readout_error(np.eye(4)[::-1], [7, 2])
    assert compact_noise_model(model, [2, 5, 7])._local_readout_errors.keys() == {(2, 0)}
    assert compact_noise_model(model, [2, 5]).is_ideal()


@pytest.mark.parametrize("op_types", [Delay, (Delay, SXGate, CXGate)], ids=["delays", "gates too"])
def test_relaxation_is_renumbered(op_types: type | tuple[type, ...]) -> None:
    t1s, target = [1e-5, 2e-5, 3e-5], MANILA.target
    model = NoiseModel()
    model._custom_noise_passes.append(RelaxationNoisePass(t1s, t1s, 1e-9, op_types, [0.1, 0.2, 0.3], target))
    model.add_quantum_error(amplitude_damping_error(0.1), "sx", [2])
    compact = compact_noise_model(model, [2, 1])
    wide, small = QuantumCircuit(3), QuantumCircuit(2)
    for circuit, qubits in ((wide, [2, 1]), (small, [0, 1])):
        circuit.sx(qubits[0])
        circuit.cx(*qubits)
        circuit.delay(3, qubits[1], unit="us")
    full = final_state(wide, model).reshape((2,) * 6)
    kept = np.einsum("abcxyc->abxy", full).transpose(1, 0, 3, 2).reshape(4, 4)
    np.testing.assert_allclose(final_state(small, compact), kept, rtol=0, atol=1e-12)


class OtherPass(TransformationPass):
    def run(self, dag: object) -> object:
        return dag


def test_other_passes_cannot_be_cut_down() -> None:
    model = NoiseModel()
    model._custom_noise_passes.append(OtherPass())
    with pytest.raises(
        InvalidParameterError, match="compact_noise_model: the noise model has the noise pass OtherPass"
    ):
        compact_noise_model(model, [0])


def test_only_noise_models_can_be_cut_down() -> None:
    with pytest.raises(InvalidParameterError, match=r"compact_noise_model: noise_model must be .*; got 'fake_fez'"):
        compact_noise_model("fake_fez", [0])  # type: ignore[arg-type]
