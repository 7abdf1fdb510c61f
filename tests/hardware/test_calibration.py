"""Channels from calibration data against the errors that Qiskit Aer makes of the same data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from qiskit.circuit.library import CZGate, SXGate
from qiskit.quantum_info import PTM, SuperOp
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer.noise.device import basic_device_gate_errors

from qkernels_hardware import device_model
from qkernels_hardware.devices._calibration import gate_transfer, readout_matrix, relaxation_of

# Both are sums and products of a few dozen numbers of size 1.
TOLERANCE = 1e-12


def errors_of_aer(target: Target, places: Sequence[tuple[str, tuple[int, ...]]]) -> dict[object, np.ndarray]:
    """Transfer matrices of Aer's errors at some places of a target; identities where Aer has none.

    Qiskit's PTM has the Pauli order of a NoiseTable. Aer gets a target with these places only: the errors of a whole
    device take it 10 s.
    """
    part = Target(num_qubits=target.num_qubits, qubit_properties=target.qubit_properties)
    for name in {name for name, _ in places}:
        part.add_instruction(
            target.operation_from_name(name),
            {where: target[name][where] for n, where in places if n == name},
            name=name,
        )
    found = {place: np.eye(4 ** len(place[1])) for place in places}
    for name, where, error in basic_device_gate_errors(target=part):
        found[name, tuple(where)] = PTM(SuperOp(error)).data
    return found


def ours(target: Target, name: str, where: tuple[int, ...]) -> np.ndarray:
    known = target[name][where]
    times = [target.qubit_properties[q] for q in where]
    transfer = gate_transfer(
        known.error, known.duration, [relaxation_of(t.t1, t.t2) for t in times], unitary=name != "reset"
    )
    return np.eye(4 ** len(where)) if transfer is None else transfer


def test_every_place_of_a_small_device() -> None:
    target = device_model("fake_manila").target
    places = [(name, where) for name in ("id", "sx", "x", "rz", "reset", "cx") for where in target[name]]
    assert len(places) == 5 * 5 + 8
    for (name, where), expected in errors_of_aer(target, places).items():
        np.testing.assert_allclose(
            ours(target, name, where), expected, rtol=0, atol=TOLERANCE, err_msg=f"{name} {where}"
        )


@pytest.mark.parametrize("device", ["fake_fez", "fake_nighthawk"])
def test_random_places_of_a_large_device(device: str) -> None:
    with warnings.catch_warnings():  # fake_nighthawk says that its numbers are not typical
        warnings.simplefilter("ignore")
        target = device_model(device).target
    rng = np.random.default_rng(7)
    pairs = list(target["cz"])
    chosen = [pairs[i] for i in rng.choice(len(pairs), 10, replace=False)]
    qubits = rng.choice(target.num_qubits, 10, replace=False).tolist()
    places = [("cz", pair) for pair in chosen] + [(name, (q,)) for name in ("sx", "reset") for q in qubits]
    for (name, where), expected in errors_of_aer(target, places).items():
        np.testing.assert_allclose(
            ours(target, name, where), expected, rtol=0, atol=TOLERANCE, err_msg=f"{name} {where}"
        )


US, NS = 1e-6, 1e-9
UNUSUAL = {
    "T2 above 2 T1": ((50 * US, 400 * US), 0.01, 100 * NS),
    "T2 between T1 and 2 T1": ((50 * US, 80 * US), 0.01, 100 * NS),
    "T2 unknown": ((50 * US, None), 0.01, 100 * NS),
    "T1 unknown": ((None, 50 * US), 0.01, 100 * NS),
    "neither known": ((None, None), 0.01, 100 * NS),
    "error unknown": ((50 * US, 60 * US), None, 100 * NS),
    "no error": ((50 * US, 60 * US), 0.0, 100 * NS),
    "duration unknown": ((50 * US, 60 * US), 0.01, None),
    "no duration": ((50 * US, 60 * US), 0.01, 0.0),
    "relaxation explains more than the error": ((5 * US, 6 * US), 1e-4, 1000 * NS),
    "a gate that never works": ((50 * US, 60 * US), 1.0, 100 * NS),
    "nothing known": ((None, None), None, None),
}


@pytest.mark.parametrize("gate", [SXGate(), CZGate()], ids=lambda gate: gate.name)
@pytest.mark.parametrize(("times", "error", "duration"), UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_calibrations(
    times: tuple[float | None, float | None], error: float | None, duration: float | None, gate: SXGate | CZGate
) -> None:
    where = tuple(range(gate.num_qubits))
    # the second qubit differs, so that an exchange of the two shows
    qubits = [QubitProperties(*times), QubitProperties(70 * US, 90 * US)]
    target = Target(num_qubits=2, qubit_properties=qubits)
    target.add_instruction(gate, {where: InstructionProperties(duration, error)})
    expected = errors_of_aer(target, [(gate.name, where)])[gate.name, where]
    np.testing.assert_allclose(ours(target, gate.name, where), expected, rtol=0, atol=TOLERANCE)


def test_a_channel_is_none_where_it_is_the_identity() -> None:
    relaxation = relaxation_of(50 * US, 60 * US)
    assert gate_transfer(None, None, [relaxation]) is None
    assert gate_transfer(0.0, 0.0, [relaxation, relaxation]) is None
    assert gate_transfer(0.0, 100 * NS, [None]) is None


def test_average_fidelity_of_both_channels_is_one_minus_the_error() -> None:
    # F = (Tr R / d + 1) / (d + 1), independently of how the channel is made up
    transfer = gate_transfer(0.02, 100 * NS, [relaxation_of(50 * US, 60 * US), relaxation_of(30 * US, 20 * US)])
    assert transfer is not None
    assert (np.trace(transfer) / 4 + 1) / 5 == pytest.approx(0.98, abs=1e-14)


def test_a_fully_relaxed_qubit_gets_nothing_on_top() -> None:
    transfer = gate_transfer(0.9, 1.0, [relaxation_of(1e-9, 1e-9)])  # 10^9 lifetimes
    np.testing.assert_array_equal(transfer, [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])


def test_readout_matrix_is_read_given_true() -> None:
    np.testing.assert_allclose(readout_matrix(0.01, 0.03) @ [1.0, 0.0], [0.99, 0.01], rtol=0, atol=1e-16)
    np.testing.assert_allclose(readout_matrix(0.01, 0.03) @ [0.0, 1.0], [0.03, 0.97], rtol=0, atol=1e-16)
