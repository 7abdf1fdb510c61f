"""Tiles: places for copies of one circuit, and the circuit that runs them all, against values computed by hand."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter
from qiskit.circuit.library import CZGate, ECRGate, Measure, RZGate, RZZGate, SXGate
from qiskit.providers import BackendV2
from qiskit.quantum_info import Statevector
from qiskit.transpiler import CouplingMap, InstructionProperties, Target

from qkernels import CPMap, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import OVERLAP_BARRIER, StrippedCircuit, overlap_circuit, transpile_for
from qkernels.feature_maps import FeatureMap, SeparableMap
from qkernels_hardware import NoiseProfile, device_model
from qkernels_hardware.routing import _tiles as tiles_module
from qkernels_hardware.routing._tile_circuit import TiledCircuit, tile_circuit
from qkernels_hardware.routing._tiles import Tile, find_tiles

Values = NDArray[np.float64]
Edge = tuple[int, int]


def backend_of(name: str) -> BackendV2:
    return NoiseProfile.named(name).backend() if name == "fake_miami" else device_model(name)


def overlap_on(backend: BackendV2, feature_map: FeatureMap, d: int) -> StrippedCircuit:
    """The compute–uncompute circuit with its measurements, as it would be sent."""
    whole = overlap_circuit(feature_map.build(d), feature_map.parameter_vector(d))
    n = whole.num_qubits
    whole.add_register(ClassicalRegister(n, "all"))
    whole.measure(range(n), range(n))
    return transpile_for(whole, backend)


def line(errors: list[float | None], *, backwards: bool = False) -> Target:
    """Qubits in a row, with these CZ errors between neighbours in both directions; the rest is free of errors."""
    n = len(errors) + 1
    known = {(q, q + 1): InstructionProperties(error=e) for q, e in enumerate(errors)}
    both = known | {(b, a): what for (a, b), what in known.items()}
    free = {(q,): InstructionProperties(error=0.0) for q in range(n)}
    parts = [(CZGate(), both), (SXGate(), free), (RZGate(Parameter("a")), free), (Measure(), free)]
    target = Target(num_qubits=n)
    for gate, where in parts[:: -1 if backwards else 1]:
        target.add_instruction(gate, dict(sorted(where.items(), reverse=backwards)))
    return target


def pair_on(a: int, b: int, width: int) -> QuantumCircuit:
    """One CZ with a parameter and a measurement of both qubits."""
    circuit = QuantumCircuit(width, 2)
    circuit.sx(a)
    circuit.rz(Parameter("angle"), b)
    circuit.cz(a, b)
    circuit.measure([a, b], [0, 1])
    return circuit


@pytest.fixture(scope="module")
def fez() -> BackendV2:
    return device_model("fake_fez")


@pytest.fixture(scope="module")
def zz_on_fez(fez: BackendV2) -> StrippedCircuit:
    return overlap_on(fez, ZZFeatureMap(), 4)


@pytest.fixture(scope="module")
def eight(fez: BackendV2, zz_on_fez: StrippedCircuit) -> TiledCircuit:
    tiles = find_tiles(zz_on_fez.circuit, fez.target, 8)
    return tile_circuit(zz_on_fez.circuit, tiles, fez.num_qubits)


# Finding tiles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fake_fez", "fake_miami"])
def test_eight_tiles_of_four_qubits_within_half_more_error(name: str) -> None:
    backend = backend_of(name)
    circuit = overlap_on(backend, ZZFeatureMap(), 4).circuit
    tiles = find_tiles(circuit, backend.target, 8)
    assert len(tiles) == 8
    assert all(len(set(tile.qubits)) == 4 for tile in tiles)
    infidelities = [tile.infidelity for tile in tiles]
    assert infidelities == sorted(infidelities)
    assert infidelities[-1] <= 1.5 * infidelities[0]
    assert tiles[0] == find_tiles(circuit, backend.target, 1, within=1)[0]


@pytest.mark.parametrize("buffer", [0, 1, 2])
def test_tiles_keep_their_distance(fez: BackendV2, zz_on_fez: StrippedCircuit, buffer: int) -> None:
    tiles = find_tiles(zz_on_fez.circuit, fez.target, 8, buffer=buffer, within=2)
    coupling = CouplingMap(list(fez.target["cz"]))
    for one, other in combinations(tiles, 2):
        assert min(coupling.distance(a, b) for a in one.qubits for b in other.qubits) > buffer


def test_infidelity_is_the_product_over_all_instructions(
    fez: BackendV2, zz_on_fez: StrippedCircuit, eight: TiledCircuit
) -> None:
    for tile in eight.tiles:
        kept = 1.0
        for item in eight.circuit.data:
            places = tuple(eight.circuit.find_bit(q).index for q in item.qubits)
            if item.operation.name != "barrier" and set(places) <= set(tile.qubits):
                kept *= 1 - fez.target[item.operation.name][places].error
        assert tile.infidelity == pytest.approx(1 - kept, rel=1e-12)


def test_first_tile_is_the_best_place_of_all(fez: BackendV2, zz_on_fez: StrippedCircuit) -> None:
    """Against all paths of four qubits, listed by hand."""
    circuit, target = zz_on_fez.circuit, fez.target
    used = sorted({circuit.find_bit(q).index for i in circuit.data for q in i.qubits})
    near = {q: [b for a, b in target["cz"] if a == q] for q in range(156)}
    walks = [[q] for q in range(156)]
    for _ in range(3):
        walks = [[*walk, q] for walk in walks for q in near[walk[-1]] if q not in walk]
    edges = {tuple(circuit.find_bit(q).index for q in i.qubits) for i in circuit.data if i.operation.name == "cz"}
    own = next(walk for walk in walks if set(walk) == set(used) and all({*e} <= {*walk} for e in edges))
    scores = []
    for walk in walks:
        place = dict(zip(own, walk, strict=True))
        kept = 1.0
        for item in circuit.data:
            if item.operation.name != "barrier":
                places = tuple(place[circuit.find_bit(q).index] for q in item.qubits)
                kept *= 1 - target[item.operation.name][places].error
        scores.append(1 - kept)
    assert find_tiles(circuit, target, 1)[0].infidelity == pytest.approx(min(scores), rel=1e-12)


def test_the_best_place_gives_way_where_it_blocks_two() -> None:
    target = line([0.02, 0.01, 0.02, 0.02])
    circuit = pair_on(1, 2, 5)
    assert [tile.qubits for tile in find_tiles(circuit, target, 1, within=3)] == [(1, 2)]
    assert [set(tile.qubits) for tile in find_tiles(circuit, target, 2, within=3)] == [{0, 1}, {3, 4}]
    longer = line([0.02, 0.01, 0.02, 0.02, 1.0, 1.0, 0.025])  # the exchange comes after the worst place is taken
    found = find_tiles(pair_on(1, 2, 8), longer, 3, within=3)
    assert [tile.infidelity for tile in found] == pytest.approx([0.02, 0.02, 0.025])


def test_within_leaves_out_bad_places() -> None:
    target = line([0.01, 0.4, 0.4, 0.0149, 0.4, 0.4, 0.0151])
    tiles = find_tiles(pair_on(0, 1, 8), target, 2)
    assert [set(tile.qubits) for tile in tiles] == [{0, 1}, {3, 4}]
    assert [tile.infidelity for tile in tiles] == pytest.approx([0.01, 0.0149])
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 2")):
        find_tiles(pair_on(0, 1, 8), target, 3)
    assert len(find_tiles(pair_on(0, 1, 8), target, 3, within=1.52)) == 3


def test_within_is_about_the_best_place_not_the_circuits_own() -> None:
    target = line([0.01, 0.4, 0.4, 0.1])
    assert [set(tile.qubits) for tile in find_tiles(pair_on(3, 4, 5), target, 1)] == [{0, 1}]
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 1")):
        find_tiles(pair_on(3, 4, 5), target, 2)


@pytest.mark.parametrize("dead", [1.0, 0.5, None], ids=["one", "half", "unknown"])
def test_dead_couplers_hold_no_tile(dead: float | None) -> None:
    target = line([0.01, 0.2, 0.01, dead, 0.01])
    tiles = find_tiles(pair_on(0, 1, 6), target, 3, buffer=0, within=1e6)
    assert sorted(sorted(tile.qubits) for tile in tiles) == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 3")):
        find_tiles(pair_on(0, 1, 6), target, 4, buffer=0, within=1e6)
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 1")):
        find_tiles(pair_on(0, 1, 4), line([0.01, 0.2, dead]), 2, buffer=0, within=1e6)


def test_a_circuit_on_a_dead_coupler_is_moved_away() -> None:
    target = line([1.0, 1.0, 0.3])
    assert [set(tile.qubits) for tile in find_tiles(pair_on(0, 1, 4), target, 1)] == [{2, 3}]
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 1")):
        find_tiles(pair_on(0, 1, 4), target, 2, buffer=0, within=1e6)


def test_errors_known_nowhere_count_as_none() -> None:
    tiles = find_tiles(pair_on(0, 1, 6), line([None] * 5), 2)
    assert [tile.infidelity for tile in tiles] == [0.0, 0.0]


def test_gates_keep_their_direction() -> None:
    """ECR from the lower to the upper qubit on one pair, the other way round on the next."""
    free = {(q,): InstructionProperties(error=0.0) for q in range(5)}
    target = Target(num_qubits=5)
    target.add_instruction(ECRGate(), {e: InstructionProperties(error=0.01) for e in [(0, 1), (2, 1), (3, 2), (3, 4)]})
    target.add_instruction(RZGate(Parameter("a")), free)
    circuit = QuantumCircuit(5)
    circuit.ecr(2, 1)
    circuit.rz(0.3, 1)
    # position 0 is qubit 1, the gate's second one
    assert [tile.qubits for tile in find_tiles(circuit, target, 2)] == [(1, 0), (4, 3)]


def test_a_pair_needs_all_its_gates() -> None:
    target = line([0.01] * 5)
    target.add_instruction(RZZGate(Parameter("a")), {(3, 4): InstructionProperties(error=0.01)})
    circuit = pair_on(3, 4, 6)
    circuit.rzz(0.1, 3, 4)
    assert [tile.qubits for tile in find_tiles(circuit, target, 1)] == [(3, 4)]
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 1")):
        find_tiles(circuit, target, 2, buffer=0)


def test_pairs_may_need_different_gates() -> None:
    target = line([0.01] * 8)
    target.add_instruction(RZZGate(Parameter("a")), {e: InstructionProperties(error=0.01) for e in [(4, 5), (1, 0)]})
    circuit = pair_on(3, 4, 9)
    circuit.rzz(0.1, 4, 5)
    tiles = find_tiles(circuit, target, 2, buffer=0)
    assert sorted(tile.qubits for tile in tiles) == [(2, 1, 0), (3, 4, 5)]
    with pytest.raises(InvalidParameterError, match=re.escape("count must be at most 2")):
        find_tiles(circuit, target, 3, buffer=0)


def test_result_does_not_depend_on_the_order_of_the_target() -> None:
    errors = [0.011, 0.013, 0.012, 0.011, 0.016, 0.011, 0.012, 0.013, 0.011]
    first = find_tiles(pair_on(3, 4, 10), line(errors), 3)
    assert first == find_tiles(pair_on(3, 4, 10), line(errors, backwards=True), 3)


def test_circuit_without_two_qubit_gates(fez: BackendV2) -> None:
    circuit = overlap_on(fez, SeparableMap(), 3).circuit
    tiles = find_tiles(circuit, fez.target, 4)
    assert len({q for tile in tiles for q in tile.qubits}) == 12


def test_barriers_on_idle_qubits_do_not_count() -> None:
    circuit = pair_on(0, 1, 6)
    circuit.barrier()
    tiles = find_tiles(circuit, line([0.01] * 5), 2)
    assert {q for tile in tiles for q in tile.qubits} < set(range(6))
    tiled = tile_circuit(circuit, tiles, 6).circuit
    assert [len(i.qubits) for i in tiled.data if i.operation.name == "barrier"] == [2, 2]


@pytest.mark.parametrize("limit", ["_MAPPINGS_PER_START", "_STATES_PER_START"])
def test_a_bounded_search_still_knows_the_circuits_own_place(
    limit: str, fez: BackendV2, zz_on_fez: StrippedCircuit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles_module, limit, 1)
    circuit = zz_on_fez.circuit
    best = find_tiles(circuit, fez.target, 1)
    monkeypatch.undo()
    assert best[0].infidelity >= find_tiles(circuit, fez.target, 1)[0].infidelity
    kept = 1.0
    for item in circuit.data:
        if item.operation.name != "barrier":
            kept *= 1 - fez.target[item.operation.name][tuple(circuit.find_bit(q).index for q in item.qubits)].error
    assert best[0].infidelity <= 1 - kept + 1e-12


def test_wide_circuits_on_a_square_lattice_are_found() -> None:
    """Far more paths than the search looks at."""
    backend = backend_of("fake_miami")
    tiles = find_tiles(overlap_on(backend, ZZFeatureMap(), 13).circuit, backend.target, 3, within=2)
    assert len({q for tile in tiles for q in tile.qubits}) == 39


def test_too_many_tiles_say_how_many_fit(fez: BackendV2, zz_on_fez: StrippedCircuit) -> None:
    expected = r"find_tiles: count must be at most (\d+), .*4 qubits found with buffer=1 within=1\.5 .*got 40\."
    with pytest.raises(InvalidParameterError, match=expected) as error:
        find_tiles(zz_on_fez.circuit, fez.target, 40)
    fits = int(re.search(expected, str(error.value))[1])  # type: ignore[index]
    assert len(find_tiles(zz_on_fez.circuit, fez.target, fits)) == fits >= 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "count must be an integer >= 1; got 0"),
        ({"count": True}, "count must be an integer >= 1; got True"),
        ({"count": 2.0}, "count must be an integer >= 1; got 2.0"),
        ({"buffer": -1}, "buffer must be an integer >= 0; got -1"),
        ({"within": 0.9}, "within must be a finite number >= 1; got 0.9"),
        ({"within": float("nan")}, "within must be a finite number >= 1; got nan"),
        ({"within": "2"}, "within must be a finite number >= 1; got '2'"),
    ],
    ids=lambda value: "=".join(map(str, *value.items())) if isinstance(value, dict) else "",
)
def test_numbers_out_of_range(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=re.escape(f"find_tiles: {message}")):
        find_tiles(pair_on(0, 1, 3), line([0.01, 0.01]), **({"count": 1} | wrong))  # type: ignore[arg-type]


def test_circuits_that_cannot_be_placed() -> None:
    target = line([0.01, 0.01])
    with pytest.raises(InvalidParameterError, match="circuit must have instructions; it is empty"):
        find_tiles(QuantumCircuit(3), target, 1)
    with pytest.raises(InvalidParameterError, match=re.escape("'cz' on qubits [0, 2], which the target has not")):
        find_tiles(pair_on(0, 2, 3), target, 1)
    three = QuantumCircuit(3)
    three.ccz(0, 1, 2)
    with pytest.raises(UnsupportedCircuitError, match=re.escape("'ccz' on qubits [0, 1, 2]")):
        find_tiles(three, target, 1)
    control = pair_on(0, 1, 3)
    with control.if_test((control.clbits[0], 1)):
        control.sx(0)
    with pytest.raises(UnsupportedCircuitError, match="'if_else' on qubits"):
        find_tiles(control, target, 1)
    with pytest.raises(UnsupportedCircuitError, match="tile_circuit: the circuit holds control flow"):
        tile_circuit(control, [Tile((0, 1), 0.0)], 3)


# Copies on tiles ------------------------------------------------------------------------------------------------


def test_tiled_circuit_runs_as_it_is(fez: BackendV2, eight: TiledCircuit) -> None:
    from qiskit_ibm_runtime.utils.utils import is_isa_circuit

    assert eight.circuit.num_qubits == 156
    assert is_isa_circuit(eight.circuit, fez.target) == ""
    assert [(r.name, r.size) for r in eight.circuit.cregs] == [(f"t{k}", 4) for k in range(8)]


def test_every_copy_is_the_circuit(zz_on_fez: StrippedCircuit, eight: TiledCircuit) -> None:
    circuit, tiled = zz_on_fez.circuit, eight.circuit
    used = sorted({circuit.find_bit(q).index for i in circuit.data for q in i.qubits})
    for tile, own, register in zip(eight.tiles, eight.parameters, tiled.cregs, strict=True):
        place = {q: tiled.qubits[p] for q, p in zip(used, tile.qubits, strict=True)}
        renamed = circuit.assign_parameters(dict(zip(circuit.parameters, own, strict=True)))
        expected = [
            (
                item.operation.name,
                [str(p) for p in item.params],
                [place[renamed.find_bit(q).index] for q in item.qubits],
                [register[renamed.find_bit(c).index] for c in item.clbits],
            )
            for item in renamed.data
        ]
        found = [
            (item.operation.name, [str(p) for p in item.params], list(item.qubits), list(item.clbits))
            for item in tiled.data
            if set(item.qubits) <= set(place.values())
        ]
        assert found == expected
    assert tiled.size() == 8 * circuit.size()
    assert [i.operation.label for i in tiled.data if i.operation.name == "barrier"] == [OVERLAP_BARRIER] * 8


def test_parameters_are_unique_to_their_tile(zz_on_fez: StrippedCircuit, eight: TiledCircuit) -> None:
    m = zz_on_fez.circuit.num_parameters
    names = [parameter.name for own in eight.parameters for parameter in own]
    assert len(set(names)) == len(names) == 8 * m == eight.circuit.num_parameters
    assert [name.startswith(f"qk_t{k}_") for k in range(8) for name in names[k * m : (k + 1) * m]] == [True] * 8 * m


def test_columns_are_in_the_order_of_the_tiled_circuit() -> None:
    """Twelve tiles: by name, t10 comes before t2."""
    tiles = [Tile((3 * k, 3 * k + 1), 0.01) for k in range(12)]
    tiled = tile_circuit(pair_on(0, 1, 36), tiles, 36)
    values = np.random.default_rng(0).normal(size=(3, 12, 1))
    columns = tiled.columns(values)
    assert columns.shape == (3, 12)
    for run, row in zip(values, columns, strict=True):
        bound = tiled.circuit.assign_parameters(row)
        angles = {bound.find_bit(i.qubits[0]).index: float(i.params[0]) for i in bound.data if i.operation.name == "rz"}
        assert [angles[3 * k + 1] for k in range(12)] == run[:, 0].tolist()


def component(circuit: QuantumCircuit, qubits: tuple[int, ...]) -> tuple[QuantumCircuit, list[int]]:
    """The part of a bound circuit on some qubits without measurements, and where each classical bit is read from."""
    place = {circuit.qubits[q]: k for k, q in enumerate(qubits)}
    part, read = QuantumCircuit(len(qubits)), {}
    for item in circuit.data:
        if item.qubits[0] not in place or item.operation.name == "barrier":
            continue
        if item.operation.name == "measure":
            read[circuit.find_bit(item.clbits[0]).index] = place[item.qubits[0]]
        else:
            part.append(item.operation, [place[q] for q in item.qubits])
    return part, [read[bit] for bit in sorted(read)]


def angles_of(program: StrippedCircuit, x: Values, y: Values) -> list[float]:
    """Values of the circuit's parameters, in their order, from those of the features."""
    features = sorted({p for e in program.expressions for p in e.parameters}, key=lambda p: (p.vector.name, p.index))
    given = dict(zip(features, [*x.tolist(), *y.tolist()], strict=True))
    angle = {
        a: float(e.bind({p: given[p] for p in e.parameters}))
        for a, e in zip(program.angles, program.expressions, strict=True)
    }
    return [angle[parameter] for parameter in program.circuit.parameters]


def exact_overlap(feature_map: FeatureMap, x: Values, y: Values) -> float:
    one, other = (Statevector(feature_map.build(len(v)).assign_parameters(v)) for v in (x, y))
    return float(abs(one.inner(other)) ** 2)


@pytest.mark.parametrize(
    ("feature_map", "d"), [(ZZFeatureMap(), 4), (CPMap(), 6)], ids=["ZZ linear", "CPMap, routed with SWAPs"]
)
def test_every_tile_gives_the_overlap_of_its_own_pair(fez: BackendV2, feature_map: FeatureMap, d: int) -> None:
    program = overlap_on(fez, feature_map, d)
    tiles = find_tiles(program.circuit, fez.target, 8)
    tiled = tile_circuit(program.circuit, tiles, fez.num_qubits)
    pairs = np.random.default_rng(7).uniform(-1, 1, size=(8, 2, d))
    values = np.array([[angles_of(program, x, y) for x, y in pairs]])
    bound = tiled.circuit.assign_parameters(tiled.columns(values)[0])
    for tile, (x, y) in zip(tiles, pairs, strict=True):
        part, read = component(bound, tile.qubits)
        assert Statevector(part).probabilities(read)[0] == pytest.approx(exact_overlap(feature_map, x, y), abs=1e-10)


def test_all_registers_of_one_run_on_aer(zz_on_fez: StrippedCircuit, eight: TiledCircuit) -> None:
    """32 qubits at once; frequencies within 5 standard deviations of the exact values, which are not all alike."""
    from qiskit_aer.primitives import SamplerV2

    shots, feature_map = 4000, ZZFeatureMap()
    pairs = np.random.default_rng(3).uniform(-0.8, 0.8, size=(2, 8, 2, 4))
    values = np.array([[angles_of(zz_on_fez, x, y) for x, y in run] for run in pairs])
    sampler = SamplerV2(seed=11, options={"backend_options": {"method": "matrix_product_state"}})
    bound = [eight.circuit.assign_parameters(row) for row in eight.columns(values)]
    runs = [pub.data for pub in sampler.run(bound, shots=shots).result()]
    exact = np.array([[exact_overlap(feature_map, x, y) for x, y in run] for run in pairs])
    zeros = np.array([[(run[name].array == 0).all(axis=-1).mean() for name in eight.registers] for run in runs])
    allowed = 5 * np.sqrt(exact * (1 - exact) / shots)
    assert (np.abs(zeros - exact) <= allowed).all()
    assert (np.abs(zeros[:, ::-1] - exact) > allowed).any(axis=0).all()
    assert (np.abs(zeros[::-1] - exact) > allowed).any()


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        ([], "tiles must hold at least one tile"),
        ([Tile((0,), 0.0)], "every tile must have 2 qubits, as many as the circuit uses; got Tile"),
        ([Tile((4, 5), 0.0)], "tiles must lie on qubits 0 to 4; got Tile"),
        ([Tile((0, 1), 0.0), Tile((1, 2), 0.0)], "one of [1, 2] occurs again"),
        ([Tile((3, 3), 0.0)], "one of [3, 3] occurs again"),
    ],
    ids=["none", "size", "range", "shared", "twice"],
)
def test_tiles_that_do_not_fit_the_circuit(tiles: list[Tile], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=re.escape(message)):
        tile_circuit(pair_on(0, 1, 5), tiles, 5)


@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 1), (3, 2, 2), (2, 1)])
def test_values_of_another_shape(shape: tuple[int, ...]) -> None:
    tiled = tile_circuit(pair_on(0, 1, 5), [Tile((0, 1), 0.0), Tile((3, 4), 0.0)], 5)
    expected = f"values must have the shape (runs, 2 tiles, 1 parameters); got {shape}"
    with pytest.raises(InvalidDataError, match=re.escape(expected)):
        tiled.columns(np.zeros(shape))
