"""The pairs that a device couples, with the circuit's qubits laid along a path of the device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral

from qiskit.providers import BackendV2
from qiskit.transpiler import CouplingMap

from qkernels._errors import InvalidParameterError

Edges = frozenset[tuple[int, int]]


def device_pairs(
    owner: str, coupling: BackendV2 | CouplingMap | Sequence[Sequence[int]] | None, num_qubits: int
) -> tuple[tuple[int, int], ...]:
    """Return the coupled pairs among `num_qubits` connected device qubits.

    Circuit qubit i is the i-th qubit of a path through the device, so that neighbouring features sit on
    coupled qubits. The pairs are grouped into rounds of disjoint pairs, along the path first: this order
    gives the smallest depth, and needs no SWAP once the transpiler has found the layout.

    Parameters
    ----------
    owner : str
        Class name for error messages.
    coupling : BackendV2, CouplingMap, sequence of pairs, or None
        The device. Directions are ignored.
    num_qubits : int
        Number of qubits of the circuit.

    Returns
    -------
    tuple of (int, int)
        Pairs (i, j), i < j, of circuit qubits.

    Raises
    ------
    InvalidParameterError
        If there is no device, it has no coupling map, an edge is no pair of qubits, or no `num_qubits` qubits
        of it are connected.
    """
    edges = _edges(owner, coupling)
    if num_qubits == 1:
        return ()
    order = _path_order(edges, num_qubits)
    if order is None:
        raise InvalidParameterError(
            f"{owner}: entanglement='coupling' needs {num_qubits} connected qubits; coupling has "
            f"{_largest_component(edges)}. Reduce the features (e.g. PCA) or choose a larger device."
        )
    position = {qubit: i for i, qubit in enumerate(order)}
    pairs = {
        (min(position[a], position[b]), max(position[a], position[b]))
        for a, b in edges
        if a in position and b in position
    }
    return _in_rounds(pairs)


def _edges(owner: str, coupling: object) -> Edges:
    if coupling is None:
        raise InvalidParameterError(
            f"{owner}: entanglement='coupling' needs the device's pairs; got coupling=None. Pass a "
            "BackendV2, a CouplingMap or a list of pairs as coupling."
        )
    if isinstance(coupling, BackendV2):
        if coupling.coupling_map is None:
            raise InvalidParameterError(
                f"{owner}: coupling must be a device with a coupling map; {coupling.name!r} couples all "
                "qubits. Use entanglement='full' or 'linear'."
            )
        coupling = coupling.coupling_map
    if isinstance(coupling, CouplingMap):
        pairs: Sequence[object] = list(coupling.get_edges())
    elif isinstance(coupling, Sequence) and not isinstance(coupling, str):
        pairs = coupling
    else:
        raise InvalidParameterError(
            f"{owner}: coupling must be a BackendV2, a CouplingMap or a list of pairs; got {coupling!r}."
        )
    return frozenset(_edge(owner, pair) for pair in pairs)


def _edge(owner: str, pair: object) -> tuple[int, int]:
    qubits = tuple(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else ()
    valid = len(qubits) == 2 and all(isinstance(q, Integral) and int(q) >= 0 for q in qubits)
    if not valid or qubits[0] == qubits[1]:
        raise InvalidParameterError(f"{owner}: coupling must hold pairs of different qubit numbers >= 0; got {pair!r}.")
    return int(min(qubits)), int(max(qubits))


def _neighbours(edges: Edges) -> dict[int, list[int]]:
    table: dict[int, list[int]] = {}
    for a, b in sorted(edges):
        table.setdefault(a, []).append(b)
        table.setdefault(b, []).append(a)
    return table


@lru_cache(maxsize=64)
def _path_order(edges: Edges, num_qubits: int) -> tuple[int, ...] | None:
    """Choose and order connected qubits: the longest path found, then branches next to it if it is too short.

    Longest paths are hard in general. Warnsdorff's rule (go where the fewest ways lead on), from every start,
    is enough on the lattices that devices have.
    """
    table = _neighbours(edges)
    best: list[int] = []
    for start in table:
        path = _greedy_path(table, start, num_qubits)
        if len(path) == num_qubits:
            return tuple(path)
        if len(_grown(table, path, num_qubits)) == num_qubits and len(path) > len(best):
            best = path
    return tuple(_grown(table, best, num_qubits)) if best else None


def _greedy_path(table: dict[int, list[int]], start: int, length: int) -> list[int]:
    path, visited = [start], {start}
    while len(path) < length:
        free = [q for q in table[path[-1]] if q not in visited]
        if not free:
            break
        onward = {q: sum(r not in visited for r in table[q]) for q in free}
        # A qubit without a way on ends the path: only as a last resort.
        step = min(free, key=lambda q: (onward[q] == 0, onward[q], q))
        path.append(step)
        visited.add(step)
    return path


def _grown(table: dict[int, list[int]], path: list[int], size: int) -> list[int]:
    """Append qubits coupled to those already chosen until there are `size`, or no more."""
    grown, chosen = list(path), set(path)
    for qubit in grown:  # grows while it is walked: breadth first along the path
        for neighbour in table[qubit]:
            if len(grown) < size and neighbour not in chosen:
                grown.append(neighbour)
                chosen.add(neighbour)
    return grown


def _largest_component(edges: Edges) -> int:
    table = _neighbours(edges)
    return max((len(_grown(table, [start], len(table))) for start in table), default=0)


def _in_rounds(pairs: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Order pairs into rounds of disjoint ones: even steps of the path, odd steps, then the rest greedily."""
    rounds: list[list[tuple[int, int]]] = [[], []]
    for pair in sorted(pairs, key=lambda p: (p[1] - p[0] != 1, p)):
        first = pair[0] % 2 if pair[1] - pair[0] == 1 else 0
        for number in range(first, len(rounds) + 1):
            if number == len(rounds):
                rounds.append([])
            if not any(set(pair) & set(other) for other in rounds[number]):
                rounds[number].append(pair)
                break
    return tuple(pair for group in rounds for pair in group)
