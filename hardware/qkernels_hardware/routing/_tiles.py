"""Places on a device where copies of one transpiled circuit can run side by side, scored by their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from math import expm1, inf, isfinite, log1p
from numbers import Integral, Real
from sys import float_info

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qkernels._errors import InvalidParameterError
from qkernels_hardware.routing._tile_errors import TileLoss

__all__ = ["Tile", "find_tiles"]

# The search starts once from every device qubit. Paths of 10 qubits on heavy-hex stay below both limits.
_MAPPINGS_PER_START = 500
_STATES_PER_START = 20_000

_RIVALS = 1000
"""So many places that only one chosen tile blocks are looked through, best first, for two to exchange it for."""

_JOINT = -1
"""Edge of a pattern that stands for no gate."""

Mask = NDArray[np.bool_]
Edge = int | tuple[int, int]
"""A pair of the pattern by its number, or a coupler of the device by its qubits."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Where one copy of a circuit runs.

    Attributes
    ----------
    qubits : tuple of int
        ``qubits[k]`` is the device qubit that takes the place of the circuit's k-th used qubit, in ascending order of
        the circuit's own.
    infidelity : float in [0, 1]
        1 − Π(1 − error) over all instructions and measurements of the circuit on these qubits.
    """

    qubits: tuple[int, ...]
    infidelity: float


def find_tiles(
    circuit: QuantumCircuit, target: Target, count: int, *, buffer: int = 1, within: float = 1.5
) -> tuple[Tile, ...]:
    """Find disjoint places on a device where a transpiled circuit can run as it is.

    Parameters
    ----------
    circuit : QuantumCircuit
        Transpiled for the device, on all its qubits; free parameters are allowed.
    target : Target
        The device: its instructions, their places and errors.
    count : int >= 1
        Number of tiles.
    buffer : int >= 0, default=1
        Unused qubits that lie between two tiles at least, along the device's couplers. 0 allows neighbours, which
        crosstalk may disturb.
    within : float >= 1, default=1.5
        A tile's infidelity is at most this many times that of the best one found on the device.

    Returns
    -------
    tuple of Tile, length `count`
        Smallest infidelity first. Every instruction of the circuit exists on the qubits of a tile, in the same
        direction, with a known error below 0.5.

    Raises
    ------
    InvalidParameterError
        If fewer than `count` tiles are found (the message says how many), a number is out of range, or `circuit` is
        empty or not transpiled for the device.
    UnsupportedCircuitError
        If `circuit` has control flow or an instruction on more than two qubits.

    Notes
    -----
    Tiles are taken best first; where that gives fewer than `count`, one tile gives way to two others as long as this
    helps. Parts of the circuit that share no gate are put next to each other, wherever they are in `circuit`. The
    result is the same in every run.

    Cost: below 0.1 s for a path of 4 qubits on 156, a second for one of 22, which has far more places than are looked
    at: from every device qubit as the start, the search stops after 500 places or 20 000 steps, so that for wide
    circuits it may miss good ones and even the best. The place that the transpiler chose is always looked at.

    Errors of the calibration are all that is scored: crosstalk and drift are not part of it.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qkernels.circuits import transpile_for
    >>> from qkernels_hardware import device_model
    >>> from qkernels_hardware.routing._tiles import find_tiles
    >>> pair = QuantumCircuit(2, 2)
    >>> _ = pair.cz(0, 1)
    >>> _ = pair.measure([0, 1], [0, 1])
    >>> backend = device_model("fake_manila")
    >>> [tile.qubits for tile in find_tiles(transpile_for(pair, backend).circuit, backend.target, 1)]
    [(3, 4)]
    """
    _check(count, buffer, within)
    loss = TileLoss.of(circuit, target)
    if not loss.used:
        raise InvalidParameterError("find_tiles: circuit must have instructions; it is empty.")
    mappings, infidelities = _places(loss, target, within)
    if len(mappings):
        good = infidelities <= within * infidelities[0]
        mappings, infidelities = mappings[good], infidelities[good]
    distance = rx.distance_matrix(_couplers(target), null_value=inf)
    chosen = _disjoint(mappings, distance <= buffer, count)
    if len(chosen) < count:
        raise InvalidParameterError(
            f"find_tiles: count must be at most {len(chosen)}, the number of tiles of {len(loss.used)} qubits found "
            f"with buffer={buffer} within={within:g} times the infidelity of the best one; got {count}. Ask for fewer "
            "tiles, or allow a larger within or a smaller buffer."
        )
    return tuple(Tile(tuple(mappings[k].tolist()), float(infidelities[k])) for k in sorted(chosen))


def _check(count: object, buffer: object, within: object) -> None:
    for name, value, minimum in (("count", count, 1), ("buffer", buffer, 0)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise InvalidParameterError(f"find_tiles: {name} must be an integer >= {minimum}; got {value!r}.")
    if isinstance(within, bool) or not isinstance(within, Real) or not isfinite(within) or within < 1:
        raise InvalidParameterError(f"find_tiles: within must be a finite number >= 1; got {within!r}.")


def _places(loss: TileLoss, target: Target, within: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The best mapping for every set of device qubits, and its infidelity, best first."""
    pattern, order, is_joined = _pattern(loss)
    own = np.array([loss.used], dtype=np.intp)
    if is_joined:  # where the circuit is may then be no place by our rules
        own, limit = own[:0], float_info.max
    else:  # its own place is one, so what loses more than `within` times as much in one spot is too bad everywhere
        bound = within * -expm1(-float(loss.of_mappings(own)[0]))
        limit = -log1p(-bound) if bound < 1 else float_info.max
    mappings = [np.array([m], dtype=np.intp) for m in _mappings(loss, target, pattern, order, limit)]
    found = np.concatenate([own, *mappings])
    losses = loss.of_mappings(found)
    ranking = np.lexsort((*found.T[::-1], losses))
    ranking = ranking[np.isfinite(losses[ranking])]
    found, losses = found[ranking], losses[ranking]
    _, first = np.unique(np.sort(found, axis=1), axis=0, return_index=True)
    first.sort()
    return found[first], -np.expm1(-losses[first])


def _mappings(
    loss: TileLoss, target: Target, pattern: rx.PyDiGraph, order: Sequence[int], limit: float
) -> Iterator[list[int]]:
    """Device qubits for the used ones, in their order, where hardly a single spot loses more than `limit`."""
    fits = loss.on_pair <= limit
    edges = {pair for a, b in _couplers(target).edge_list() for pair in ((a, b), (b, a))}
    if loss.pairs:
        edges = {edge for edge in edges if fits[(slice(None), *edge)].any()}
    can_run = np.isfinite(loss.on_pair)
    # a call into Python for every edge takes most of the time; without it, the losses sort out what does not run
    match = None if (can_run == can_run[:1]).all() else _edge_matcher(fits)
    # ascending errors: what the limits cut off is rather bad
    ranked: list[int] = np.argsort(loss.on_qubit.mean(axis=0), kind="stable").tolist()
    for start in ranked:
        nodes = [start, *(qubit for qubit in ranked if qubit != start)]
        rank = {qubit: k for k, qubit in enumerate(nodes)}
        device = rx.PyDiGraph(multigraph=False)
        device.add_nodes_from(nodes)
        device.add_edges_from(sorted((rank[a], rank[b], (a, b)) for a, b in edges))
        every = rx.digraph_vf2_mapping(
            device, pattern, None, match, subgraph=True, induced=False, call_limit=_STATES_PER_START
        )
        for mapping in islice(every, _MAPPINGS_PER_START):
            places = {order[k]: nodes[node] for node, k in mapping.items()}
            if places[order[0]] != start:
                break  # nodes are tried in their order: all places from this start are known
            yield [places[k] for k in range(len(order))]


def _edge_matcher(fits: Mask) -> Callable[[Edge, Edge], bool]:
    """Whether a coupler has all gates of a pair of the pattern."""

    def match(one: Edge, other: Edge) -> bool:
        # rustworkx 0.18 hands over the pattern's edge first, unlike its nodes; told apart here by their types
        pair, edge = (one, other) if isinstance(one, int) else (other, one)
        return pair == _JOINT or bool(fits[pair][edge])

    return match


def _pattern(loss: TileLoss) -> tuple[rx.PyDiGraph, list[int], bool]:
    """The pairs of a circuit as a connected graph, the position of each node, and whether its parts had to be joined.

    Nodes follow in the order of their distance from the first, so that the search always has a neighbour to go on from.
    """
    plain = rx.PyGraph(multigraph=False)
    plain.add_nodes_from(range(len(loss.used)))
    plain.add_edges_from_no_data(list(loss.pairs))
    parts = sorted(min(part) for part in rx.connected_components(plain))
    joints = list(pairwise(parts))
    plain.add_edges_from_no_data(joints)
    steps = rx.distance_matrix(plain)[0]
    order = sorted(plain.node_indices(), key=lambda position: (steps[position], position))
    node = {position: k for k, position in enumerate(order)}
    pattern = rx.PyDiGraph()
    pattern.add_nodes_from(order)
    pattern.add_edges_from([(node[a], node[b], k) for k, (a, b) in enumerate(loss.pairs)])
    pattern.add_edges_from([(node[a], node[b], _JOINT) for a, b in joints])
    return pattern, order, bool(joints)


def _couplers(target: Target) -> rx.PyGraph:
    """All pairs of qubits that a two-qubit instruction of the device stands on, out of use or not."""
    graph = rx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(target.num_qubits))
    graph.add_edges_from_no_data(sorted(where for where in target.qargs or () if where is not None and len(where) == 2))
    return graph


def _disjoint(tiles: NDArray[np.intp], near: Mask, count: int) -> list[int]:
    """Rows of `tiles` that keep their distance, up to `count` if possible: the first ones, then by exchange.

    Sets of qubits are packed bits: exact, and small where there are tens of thousands of tiles.
    """
    own = _packed(tiles, np.eye(len(near), dtype=np.bool_))
    around = _packed(tiles, near)
    chosen: list[int] = []
    clashes: dict[int, Mask] = {}
    while len(chosen) < count:
        clashes |= {row: (own & around[row]).any(axis=1) for row in chosen if row not in clashes}
        hits = np.sum([clashes[row] for row in chosen], axis=0, dtype=np.intp) if chosen else np.zeros(len(tiles))
        free = np.flatnonzero(hits == 0)
        if len(free):
            chosen.append(int(free[0]))
            continue
        for out in chosen:
            rivals = np.flatnonzero((hits == 1) & clashes[out])[:_RIVALS]
            apart = ~(around[rivals, None] & own[rivals]).any(axis=2)
            if apart.any():
                first, second = np.unravel_index(int(apart.argmax()), apart.shape)
                chosen = [row for row in chosen if row != out] + [int(rivals[first]), int(rivals[second])]
                break
        else:
            break
    return chosen


def _packed(tiles: NDArray[np.intp], sets: Mask) -> NDArray[np.uint8]:
    """For each tile the union of the sets of its qubits, eight qubits in a byte."""
    bits = np.packbits(sets, axis=1)
    union = np.zeros((len(tiles), bits.shape[1]), dtype=np.uint8)
    for position in tiles.T:
        union |= bits[position]
    return union
