"""Transpilation for a device: fast where Qiskit alone takes exponential time, sound across the barrier."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Statevector

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import OVERLAP_BARRIER, StrippedCircuit, overlap_circuit, transpile_for
from qkernels.feature_maps import CircuitMap, CPMap, FeatureMap, ZZFeatureMap
from qkernels_hardware import device_model


@pytest.fixture(scope="module")
def fez() -> BackendV2:
    return device_model("fake_fez")


def zero_probability(transpiled: QuantumCircuit) -> float:
    """Probability of all zeros of a bound circuit on a device, simulated on the qubits it uses."""
    active = sorted({transpiled.find_bit(q).index for i in transpiled.data for q in i.qubits})
    small = QuantumCircuit(len(active), global_phase=transpiled.global_phase)
    for item in transpiled.data:
        if item.operation.name != "barrier":
            small.append(item.operation, [active.index(transpiled.find_bit(q).index) for q in item.qubits])
    return float(abs(Statevector(small).data[0]) ** 2)


def u_circuit(num_features: int) -> QuantumCircuit:
    """One u gate per qubit whose phi is a feature, on a chain of CX."""
    a = ParameterVector("a", num_features)
    circuit = QuantumCircuit(num_features)
    for i, angle in enumerate(a):
        circuit.u(0.3, angle, 0.1, i)
    for i in range(num_features - 1):
        circuit.cx(i, i + 1)
    return circuit


# Without phase stripping these two do not finish: time grows exponentially with the number of P(x_i).
@pytest.mark.parametrize(
    "feature_map", [CPMap(ring=True), CircuitMap(u_circuit(30))], ids=["CPMap", "30 u gates with parametric phi"]
)
def test_thirty_features_transpile_for_156_qubits(feature_map: FeatureMap, fez: BackendV2) -> None:
    pair = overlap_circuit(feature_map.build(30), feature_map.parameter_vector(30))
    result = transpile_for(pair, fez)
    assert result.circuit.num_qubits == 156
    assert set(result.circuit.count_ops()) <= {*fez.target.operation_names, "barrier"}
    assert result.circuit.parameters <= set(result.angles)
    assert {p.name[0] for e in result.expressions for p in e.parameters} == {"x", "y"}


@pytest.mark.parametrize("optimization_level", [0, 1, 2, 3])
@pytest.mark.parametrize("feature_map", [CPMap(ring=True), ZZFeatureMap(reps=1, data_map="havlicek")], ids=repr)
def test_the_device_circuit_returns_the_overlap(
    feature_map: FeatureMap, optimization_level: int, fez: BackendV2
) -> None:
    circuit, x = feature_map.build(5), feature_map.parameter_vector(5)
    y = ParameterVector("y", 5)
    rows = np.random.default_rng(0).uniform(-1, 1, (2, 5))
    result = transpile_for(overlap_circuit(circuit, x, y), fez, optimization_level=optimization_level)
    bound = result.bind(dict(zip([*x, *y], rows.ravel(), strict=True)))
    assert not bound.parameters
    left, right = (Statevector(circuit.assign_parameters(row)).data for row in rows)
    assert zero_probability(bound) == pytest.approx(abs(np.vdot(left, right)) ** 2, abs=1e-10)


@pytest.mark.parametrize("optimization_level", [2, 3])
@pytest.mark.parametrize("feature_map", [CPMap(ring=True), ZZFeatureMap(entanglement="full")], ids=repr)
def test_the_barrier_separates_x_from_y(feature_map: FeatureMap, optimization_level: int, fez: BackendV2) -> None:
    x = feature_map.parameter_vector(6)
    pair = overlap_circuit(feature_map.build(6), x)
    result = transpile_for(pair, fez, optimization_level=optimization_level)
    meaning = dict(zip(result.angles, result.expressions, strict=True))
    sides: list[set[str]] = [set(), set()]
    side = 0
    for item in result.circuit.data:
        if item.operation.name == "barrier" and item.operation.label == OVERLAP_BARRIER:
            side += 1
            continue
        for angle in item.operation.params:
            if not isinstance(angle, (int, float)):
                sides[side] |= {p.name[0] for a in angle.parameters for p in meaning[a].parameters}
    assert side == 1
    assert sides == [{"x"}, {"y"}]


def test_the_barrier_can_cost_gates(fez: BackendV2) -> None:
    feature_map = CPMap(ring=True)
    circuit, x = feature_map.build(5), feature_map.parameter_vector(5)
    counts = [
        transpile_for(overlap_circuit(circuit, x, barrier=barrier), fez).circuit.count_ops()["cz"]
        for barrier in (True, False)
    ]
    assert counts[1] < counts[0]


def test_the_same_seed_gives_the_same_circuit(fez: BackendV2) -> None:
    circuit = CPMap(ring=True).build(8)

    def gates(result: StrippedCircuit) -> list[tuple[str, list[int]]]:
        found = result.circuit
        return [(i.operation.name, [found.find_bit(q).index for q in i.qubits]) for i in found.data]

    assert gates(transpile_for(circuit, fez)) == gates(transpile_for(circuit, fez))


def test_initial_layout_is_kept() -> None:
    backend = GenericBackendV2(5, coupling_map=[[i, i + 1] for i in range(4)], seed=3)
    circuit = ZZFeatureMap(reps=1).build(2)
    result = transpile_for(circuit, backend, initial_layout=[3, 4]).circuit
    used = {result.find_bit(q).index for i in result.data for q in i.qubits}
    assert used == {3, 4}


def test_no_phase_is_left() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(2, global_phase=a)
    circuit.cp(a, 0, 1)
    circuit.h(0)
    result = transpile_for(circuit, GenericBackendV2(3, seed=1))
    assert result.circuit.global_phase == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "fake_fez"}, r"backend must be a qiskit BackendV2 object; got 'fake_fez'\. Turn a name"),
        ({"optimization_level": 4}, "optimization_level must be 0, 1, 2 or 3; got 4"),
        ({"initial_layout": [0]}, r"initial_layout must hold 2 different qubits .*0 to 2.*; got \[0\]"),
        ({"initial_layout": [1, 1]}, r"initial_layout must hold 2 different qubits .* got \[1, 1\]"),
        ({"initial_layout": [0, 3]}, r"initial_layout must hold 2 different qubits .* got \[0, 3\]"),
    ],
    ids=["name", "level", "short layout", "repeated layout", "layout out of range"],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    defaults: dict[str, object] = {"backend": GenericBackendV2(3, seed=1)}
    with pytest.raises(InvalidParameterError, match=message):
        transpile_for(QuantumCircuit(2), **(defaults | arguments))


def test_a_device_with_too_few_qubits_is_refused() -> None:
    backend = GenericBackendV2(3, seed=1)
    with pytest.raises(InvalidParameterError, match=r"has 4 qubits; backend '.*' has 3"):
        transpile_for(QuantumCircuit(4), backend)


def test_control_flow_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    with pytest.raises(UnsupportedCircuitError, match="'if_else' at position 0"):
        transpile_for(circuit, GenericBackendV2(3, seed=1))
