"""Resource counts before routing (by hand) and after routing (against published counts)."""

from __future__ import annotations

import dataclasses

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels.circuits import Resources, circuit_resources
from qkernels.feature_maps import CPMap, FeatureMap, SeparableMap, ZZFeatureMap
from qkernels_hardware import device_model


@pytest.fixture(scope="module")
def fez() -> BackendV2:
    return device_model("fake_fez")


def test_counts_of_a_small_circuit() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.p(a * a, 1)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.x(2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    cost = circuit_resources(circuit)
    assert cost == Resources(num_qubits=3, num_gates=5, num_cx=2, depth=4, two_qubit_depth=2)


@pytest.mark.parametrize(("name", "num_cx"), [("cz", 1), ("rzz", 2), ("rxx", 2), ("cp", 2), ("swap", 3), ("crx", 2)])
def test_other_two_qubit_gates_are_counted_in_cx(name: str, num_cx: int) -> None:
    circuit = QuantumCircuit(2)
    parameters = [Parameter("a")] if name in ("rzz", "rxx", "cp", "crx") else []
    getattr(circuit, name)(*parameters, 0, 1)
    assert circuit_resources(circuit).num_cx == num_cx


def test_nothing_is_optimised_away_before_routing() -> None:
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.cx(0, 1)
    assert circuit_resources(circuit).num_cx == 2


# Two-qubit gates and two-qubit depth of one U(x) at optimization level 3 on a 156-qubit heavy-hex model, as
# the definition of the map states them. Routing is heuristic: seeds differ by a fifth, a quarter is allowed.
ROUTED = [
    (CPMap(ring=True), 8, 30, 27),
    (CPMap(), 8, 24, 19),
    (ZZFeatureMap(), 8, 28, 18),
    (CPMap(ring=True), 13, 84, 46),
    (CPMap(), 13, 60, 36),
    (ZZFeatureMap(), 13, 48, 28),
    (CPMap(ring=True), 22, 155, 54),
    (CPMap(), 22, 140, 59),
    (ZZFeatureMap(), 22, 84, 46),
]


@pytest.mark.parametrize(("feature_map", "d", "gates", "depth"), ROUTED, ids=lambda v: str(v))
def test_routed_counts(feature_map: FeatureMap, d: int, gates: int, depth: int, fez: BackendV2) -> None:
    cost = feature_map.resources(d, backend=fez)
    assert (cost.backend, cost.two_qubit_gate) == ("fake_fez", "cz")
    assert cost.routed_two_qubit_gates == pytest.approx(gates, rel=0.25)
    assert cost.routed_two_qubit_depth == pytest.approx(depth, rel=0.25)
    assert cost.routed_two_qubit_gates >= cost.num_cx * 0.9  # routing adds, merging takes a little
    assert cost.routed_two_qubit_depth <= cost.routed_depth
    assert cost.routed_two_qubit_gates <= cost.routed_gates


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
@pytest.mark.parametrize("d", [13, 22])
def test_on_heavy_hex_only_the_qubits_of_cpmap_are_fewer_than_those_of_zz_linear(
    d: int, ring: bool, fez: BackendV2
) -> None:
    pooled, linear = (feature_map.resources(d, fez) for feature_map in (CPMap(ring=ring), ZZFeatureMap()))
    assert pooled.num_qubits < linear.num_qubits
    assert pooled.routed_two_qubit_gates > linear.routed_two_qubit_gates
    assert pooled.routed_two_qubit_depth > linear.routed_two_qubit_depth


def test_square_lattices_route_cpmap_cheaper(fez: BackendV2) -> None:
    with pytest.warns(UserWarning, match="not intended to represent typical nighthawk error values"):
        square = device_model("fake_nighthawk")
    for d, gates, depth in [(13, 63, 31), (22, 113, 54)]:
        cost = CPMap(ring=True).resources(d, backend=square)
        assert cost.routed_two_qubit_gates == pytest.approx(gates, rel=0.25)
        assert cost.routed_two_qubit_depth == pytest.approx(depth, rel=0.25)
        assert cost.routed_two_qubit_gates < CPMap(ring=True).resources(d, backend=fez).routed_two_qubit_gates


def test_a_map_without_entangler_has_none_after_routing(fez: BackendV2) -> None:
    cost = SeparableMap().resources(5, backend=fez)
    assert (cost.routed_two_qubit_gates, cost.routed_two_qubit_depth, cost.two_qubit_gate) == (0, 0, None)


def test_the_summary_names_every_number(fez: BackendV2) -> None:
    cost = CPMap().resources(8, backend=fez)
    first, second = str(cost).splitlines()
    for value in dataclasses.astuple(cost)[:5]:
        assert str(value) in first
    for value in dataclasses.astuple(cost)[5:]:
        assert str(value) in second


def test_resources_are_frozen() -> None:
    cost = SeparableMap().resources(2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cost.num_cx = 3


def test_a_device_name_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="got 'fake_fez'"):
        circuit_resources(QuantumCircuit(1), "fake_fez")
