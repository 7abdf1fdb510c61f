"""Which form of CPMap keeps most of its fidelity on a heavy-hex and on a square lattice, next to ZZ-linear?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, ParameterVector
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

from benchmarks._harness import Case, Check, Result, Row, Values, judge_value
from qkernels import CPMap, OverlapProgram, ZZFeatureMap
from qkernels.circuits import overlap_circuit, transpile_for
from qkernels.engines import AutoEngine
from qkernels.feature_maps import FeatureMap, SeparableMap
from qkernels_hardware import NoiseProfile
from qkernels_hardware.routing._tile_errors import TileLoss, used_qubits
from qkernels_hardware.routing._tiles import find_tiles

__all__ = ["CASE"]

DEVICES = ("fake_fez", "fake_miami")

FORMS: dict[str, FeatureMap] = {
    "CPMap ring": CPMap(ring=True),
    "CPMap open": CPMap(ring=False),
    "ZZ linear": ZZFeatureMap(),
    "separable": SeparableMap(),
}

YARDSTICK = "ZZ linear"

BROKEN = 0.05
"""CZ error above which pinned orders avoid a coupler."""

FREE, BARRIER, MIRRORED = "without barrier", "with barrier", "U(x) routed alone, then backwards"

Order = list[int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a compute–uncompute circuit costs on a device.

    Attributes
    ----------
    qubits : int
        Active ones; routing may add some.
    two_qubit_gates, two_qubit_depth : int
    fidelity : float
        Product of 1 − error over all gates and measurements, where the device is best for this circuit.
    seed : int
        Of the transpiler.
    """

    qubits: int
    two_qubit_gates: int
    two_qubit_depth: int
    fidelity: float
    seed: int

    def __str__(self) -> str:
        return f"{self.qubits} qubits, {self.two_qubit_gates} CZ, two-qubit depth {self.two_qubit_depth}"


Route = Callable[[int], QuantumCircuit]
"""Transpiler seed → transpiled compute–uncompute circuit in the features x[i] and y[i]."""


def transpiled(feature_map: FeatureMap, d: int, backend: BackendV2, barrier: bool, layout: Order | None) -> Route:
    """U(x), U(y)† and the measurement of all qubits, routed together."""
    whole = overlap_circuit(feature_map.build(d), feature_map.parameter_vector(d), barrier=barrier)
    whole.add_register(ClassicalRegister(whole.num_qubits, "read"))
    whole.measure(range(whole.num_qubits), range(whole.num_qubits))

    def route(seed: int) -> QuantumCircuit:
        routed = transpile_for(whole, backend, 3, seed, layout)
        meaning = dict(zip(routed.angles, routed.expressions, strict=True))
        return routed.circuit.assign_parameters(meaning, strict=False)

    return route


def mirrored(feature_map: FeatureMap, d: int, backend: BackendV2) -> Route:
    """U(x) routed alone, and the routed circuit backwards for U(y)†: every qubit ends where it started."""
    n, x, y = feature_map.num_qubits(d), feature_map.parameter_vector(d), ParameterVector("y", d)

    def route(seed: int) -> QuantumCircuit:
        first = transpile_for(feature_map.build(d), backend, 3, seed)
        forward, width = first.circuit, first.circuit.num_qubits
        angles = ParameterVector("back", len(first.angles))
        back = forward.assign_parameters(dict(zip(first.angles, angles, strict=True)), strict=False)
        whole = QuantumCircuit(width, n)
        whole.compose(forward, inplace=True)
        whole.compose(back.inverse(), inplace=True)
        start = list(range(n)) if forward.layout is None else forward.layout.initial_index_layout(filter_ancillas=True)
        whole.measure(start[:n], range(n))
        in_basis = generate_preset_pass_manager(
            optimization_level=3, backend=backend, initial_layout=list(range(width)), seed_transpiler=seed
        ).run(whole)
        swapped = dict(zip(x, y, strict=True))
        turned = [e.subs({p: swapped[p] for p in e.parameters}) for e in first.expressions]
        meaning = dict(zip([*first.angles, *angles], [*first.expressions, *turned], strict=True))
        return in_basis.assign_parameters(meaning, strict=False)

    return route


def cost_of(circuit: QuantumCircuit, backend: BackendV2, seed: int) -> Cost:
    loss = TileLoss.of(circuit, backend.target)
    chosen = float(np.exp(-loss.of_mappings(np.array([loss.used], dtype=np.intp))[0]))  # by the transpiler
    return Cost(
        qubits=len(used_qubits(circuit)),
        two_qubit_gates=sum(len(i.qubits) == 2 and i.operation.name != "barrier" for i in circuit.data),
        two_qubit_depth=circuit.depth(lambda i: len(i.qubits) == 2 and i.operation.name != "barrier"),
        fidelity=max(chosen, 1 - find_tiles(circuit, backend.target, 1, within=1)[0].infidelity),
        seed=seed,
    )


def best_of(route: Route, backend: BackendV2, seeds: int) -> tuple[Cost, Cost, QuantumCircuit]:
    """The first seed's cost, the best one's, and the best one's circuit."""
    circuits = [route(seed) for seed in range(seeds)]
    found = [cost_of(circuit, backend, seed) for seed, circuit in enumerate(circuits)]
    best = max(found, key=lambda cost: cost.fidelity)
    return found[0], best, circuits[best.seed]


Ways = dict[str, dict[str, Cost]]
"""Way of placing → "first" and "best" of the seeds."""


# Orders of the qubits -------------------------------------------------------------------------------------------


def embedded(backend: BackendV2, shape: rx.PyGraph) -> Order | None:
    """Device qubits that are coupled like `shape`, in its order; None where there are none."""
    errors = {edge: known.error for edge, known in backend.target["cz"].items()}
    device = rx.PyGraph(multigraph=False)
    device.add_nodes_from(range(backend.num_qubits))
    device.add_edges_from_no_data(sorted(edge for edge, error in errors.items() if error < BROKEN))
    found = rx.graph_vf2_mapping(device, shape, subgraph=True, induced=False, call_limit=1_000_000)
    mapping = next(iter(found), None)
    return None if mapping is None else [qubit for qubit, _ in sorted(mapping.items(), key=lambda pair: pair[1])]


def pinned_orders(backend: BackendV2, n: int) -> Iterator[tuple[str, Order]]:
    """Names and layouts: the device qubit of each of the map's n qubits."""
    half = (n + 1) // 2
    line = embedded(backend, rx.generators.path_graph(n))
    if line is not None:
        # the qubits of the map along the line, from its one end to the other
        folded = [q for k in range(half) for q in sorted({k, n - 1 - k})]
        partners = [q for k in range(half) for q in (k, k + half) if q < n]
        yield "along a line", line
        yield "ring folded onto a line", [line[folded.index(q)] for q in range(n)]
        yield "P-Map partners side by side on a line", [line[partners.index(q)] for q in range(n)]
    circle = embedded(backend, rx.generators.cycle_graph(n)) if n > 2 else None
    if circle is not None:
        yield "around a closed loop", circle
    ladder = embedded(backend, rx.generators.grid_graph(2, half))
    if ladder is not None:
        yield "P-Map partners on the rungs of a ladder", ladder[:n]


# Is it still the kernel? ----------------------------------------------------------------------------------------


def overlap_from(circuit: QuantumCircuit, x: Values, y: Values) -> float:
    """Probability of all zeros of a transpiled circuit without noise: Aer, on the active qubits only."""
    from qiskit_aer import AerSimulator

    bound = circuit.assign_parameters({p: (y if p.vector.name == "y" else x)[p.index] for p in circuit.parameters})
    place = {circuit.qubits[q]: k for k, q in enumerate(used_qubits(circuit))}
    active = QuantumCircuit(len(place))
    for item in bound.data:
        if item.operation.name not in ("barrier", "measure"):
            active.append(item.operation, [place[q] for q in item.qubits])
    active.save_amplitudes([0])  # qubits that only routing uses end in |0⟩, too
    data = AerSimulator(method="statevector").run(active).result().data(0)
    return float(abs(data["amplitudes"][0]) ** 2)


def difference(feature_map: FeatureMap, d: int, circuits: Sequence[QuantumCircuit]) -> float:
    x, step = np.random.default_rng(d).uniform(-1.0, 1.0, size=(2, d))
    y = x + 0.1 * step  # close, so that the overlap of wide maps is not just zero
    program = OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d))
    exact = float(AutoEngine().overlaps(program, x[None], y[None]).values[0, 0])
    return max(abs(overlap_from(circuit, x, y) - exact) for circuit in circuits)


# The study ------------------------------------------------------------------------------------------------------


def study(name: str, d: int, backend: BackendV2, seeds: int) -> tuple[Ways, Check]:
    """First and best cost of every way to place one form, best circuits checked."""
    feature_map = FORMS[name]
    routes = {
        BARRIER: transpiled(feature_map, d, backend, True, None),
        FREE: transpiled(feature_map, d, backend, False, None),
    }
    if isinstance(feature_map, CPMap):
        routes[MIRRORED] = mirrored(feature_map, d, backend)
        for order_name, order in pinned_orders(backend, feature_map.num_qubits(d)):
            routes[order_name] = transpiled(feature_map, d, backend, False, order)
    ways: Ways = {}
    circuits = []
    for way, route in routes.items():
        first, best, circuit = best_of(route, backend, seeds)
        ways[way] = {"first": first, "best": best}
        circuits.append(circuit)
    return ways, Check(difference(feature_map, d, circuits), "Aer statevector of the routed circuits")


def rows_of(device: str, d: int, results: Mapping[str, tuple[Ways, Check]]) -> Iterator[Row]:
    """Fidelities of all forms in per cent, against ZZ-linear."""
    yardstick = results[YARDSTICK][0][FREE]["best"]
    for name, (ways, check) in results.items():
        pinned = {way: cost["best"] for way, cost in ways.items() if way not in (BARRIER, FREE, MIRRORED)}
        shown = {"": ways[FREE]["best"]}
        if pinned:
            way = max(pinned, key=lambda way: pinned[way].fidelity)
            shown[f", pinned {way}"] = pinned[way]
        for suffix, cost in shown.items():
            yield judge_value(
                f"fidelity of {name}{suffix}, {d} features on {device}",
                YARDSTICK,
                "%",
                100 * cost.fidelity,
                None,
                check,
                theirs=None if name == YARDSTICK else 100 * yardstick.fidelity,
                note=str(cost),
            )


def run(sizes: Mapping[str, int]) -> Result:
    features = [size for name, size in sizes.items() if name.startswith("features")]
    rows: list[Row] = []
    details: dict[str, object] = {}
    for device in DEVICES:
        backend = NoiseProfile.named(device).backend()
        for d in features:
            results = {name: study(name, d, backend, sizes["seeds"]) for name in FORMS}
            rows.extend(rows_of(device, d, results))
            details[f"{device}, {d} features"] = {
                name: {way: {which: asdict(cost) for which, cost in pair.items()} for way, pair in ways.items()}
                for name, (ways, _) in results.items()
            }
    return Result(rows, {"first and best of the seeds": details, "calibration": "profiles of the package"})


CASE = Case(
    "placement",
    "Estimated fidelity of one compute–uncompute circuit of CPMap's forms on heavy-hex and square lattices",
    run,
    full={"features_few": 8, "features_more": 13, "features_most": 22, "seeds": 12},
    quick={"features_few": 4, "seeds": 1},
)
