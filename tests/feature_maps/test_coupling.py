"""entanglement="coupling": the device's own pairs, path-ordered."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from qiskit.providers import BackendV2
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator
from qiskit.transpiler import CouplingMap
from sklearn.base import clone

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps import (
    CovariantMap,
    DenseAngleMap,
    FeatureMap,
    HamiltonianMap,
    PauliFeatureMap,
    ZZFeatureMap,
)
from qkernels_hardware import device_model
from tests.feature_maps.dense import distance_up_to_phase


@pytest.fixture(scope="module")
def fez() -> BackendV2:
    return device_model("fake_fez")


def pairs_of(feature_map: FeatureMap, n_features: int) -> list[tuple[int, int]]:
    """The pairs of one repetition, read off the circuit with gate="rzz"."""
    circuit = feature_map.build(n_features)
    found = [
        tuple(circuit.find_bit(q).index for q in item.qubits) for item in circuit.data if item.operation.name == "rzz"
    ]
    return found[: len(found) // feature_map.reps]


def zz(coupling: object) -> ZZFeatureMap:
    return ZZFeatureMap(entanglement="coupling", coupling=coupling, gate="rzz")


def test_a_line_gives_the_linear_pairs_in_rounds() -> None:
    assert pairs_of(zz([(4, 3), (3, 1), (1, 0), (0, 2)]), 5) == [(0, 1), (2, 3), (1, 2), (3, 4)]


def test_a_ring_gives_the_ring() -> None:
    ring = CouplingMap([(i, (i + 1) % 6) for i in range(6)])
    assert sorted(pairs_of(zz(ring), 6)) == [(0, 1), (0, 5), (1, 2), (2, 3), (3, 4), (4, 5)]


def test_a_star_is_walked_from_its_centre_out() -> None:
    # no path of four qubits exists: a path of three, then the branch
    assert sorted(pairs_of(zz([(0, 1), (0, 2), (0, 3)]), 4)) == [(0, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("n_features", [2, 3, 8, 13, 30, 60])
def test_every_step_along_the_path_is_a_pair(fez: BackendV2, n_features: int) -> None:
    pairs = set(pairs_of(zz(fez), n_features))
    assert all(step in pairs for step in pairwise(range(n_features)))


@pytest.mark.parametrize("n_features", [8, 13, 22])
def test_it_routes_without_swaps_and_is_shallow(fez: BackendV2, n_features: int) -> None:
    feature_map = ZZFeatureMap(entanglement="coupling", coupling=fez)
    cost = feature_map.resources(n_features, backend=fez)
    assert cost.routed_two_qubit_gates == cost.num_cx
    # heavy-hex qubits have at most 3 neighbours: 3 rounds of disjoint pairs, 2 CZ each, per repetition
    assert cost.routed_two_qubit_depth <= 2 * 3 * 2
    linear = ZZFeatureMap(entanglement="linear").resources(n_features, backend=fez)
    assert cost.routed_two_qubit_depth < linear.routed_two_qubit_depth


def test_on_a_line_it_is_the_linear_map() -> None:
    line = CouplingMap.from_line(5)
    values = [0.3, -0.8, 1.2, 0.5, -0.1]
    matrices = [
        Operator(ZZFeatureMap(entanglement=e, coupling=line).build(5).assign_parameters(values)).data
        for e in ("coupling", "linear")
    ]
    assert distance_up_to_phase(*matrices) < 1e-12


@pytest.mark.parametrize(
    "feature_map",
    [PauliFeatureMap(entanglement="coupling"), HamiltonianMap(entanglement="coupling")],
    ids=repr,
)
def test_other_maps_take_it_too(feature_map: FeatureMap) -> None:
    circuit = feature_map.set_params(coupling=[(0, 1), (1, 2)]).build(3)
    assert {len(item.qubits) for item in circuit.data} == {1, 2}


@pytest.mark.parametrize("feature_map", [CovariantMap, DenseAngleMap], ids=lambda m: m.__name__)
def test_two_features_per_qubit_are_laid_along_the_path_too(feature_map: type[FeatureMap], fez: BackendV2) -> None:
    # 13 features on 7 qubits: coupled pairs of the device, in rounds, and no SWAP
    cost = feature_map(entanglement="coupling", coupling=fez).resources(13, backend=fez)
    assert cost.num_qubits == 7
    assert cost.routed_two_qubit_gates == cost.num_cx


def test_device_and_its_coupling_map_and_its_edges_agree(fez: BackendV2) -> None:
    edges = [list(edge) for edge in fez.coupling_map.get_edges()]
    assert pairs_of(zz(fez), 12) == pairs_of(zz(fez.coupling_map), 12) == pairs_of(zz(edges), 12)


def test_a_device_is_shared_by_clones_and_not_pickled(fez: BackendV2) -> None:
    feature_map = zz(fez)
    assert clone(feature_map).coupling is fez
    restored = pickle.loads(pickle.dumps(feature_map))
    assert isinstance(restored.coupling, CouplingMap)
    assert pairs_of(restored, 9) == pairs_of(feature_map, 9)
    assert repr(feature_map) == "ZZFeatureMap(entanglement='coupling', gate='rzz', coupling=<fake_fez>)"


def test_coupling_is_ignored_by_the_other_patterns(fez: BackendV2) -> None:
    assert ZZFeatureMap(coupling=fez).build(4) == ZZFeatureMap().build(4)


@pytest.mark.parametrize(
    ("coupling", "message"),
    [
        (None, "got coupling=None. Pass a BackendV2"),
        ("fake_fez", "coupling must be a BackendV2, a CouplingMap or a list of pairs; got 'fake_fez'"),
        ([(0, 0), (1, 2)], r"pairs of different qubit numbers >= 0; got \(0, 0\)"),
        ([(0, 1, 2)], r"pairs of different qubit numbers >= 0; got \(0, 1, 2\)"),
        ([(-1, 2)], r"pairs of different qubit numbers >= 0; got \(-1, 2\)"),
        ([(0, 1), (1, 2)], "needs 4 connected qubits; coupling has 3"),
        ([(0, 1), (2, 3)], "needs 4 connected qubits; coupling has 2"),
        ([], "needs 4 connected qubits; coupling has 0"),
    ],
    ids=["none", "name", "loop", "triple", "negative", "small", "disconnected", "empty"],
)
def test_unusable_devices_are_refused(coupling: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        zz(coupling).build(4)


def test_an_all_to_all_simulator_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="'basic_simulator' couples all qubits"):
        zz(BasicSimulator()).build(3)


def test_generic_backends_work() -> None:
    backend = GenericBackendV2(5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=1)
    assert sorted(pairs_of(zz(backend), 4)) == [(0, 1), (1, 2), (2, 3)]
