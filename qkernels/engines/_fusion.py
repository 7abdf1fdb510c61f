"""Which gates are evaluated together: fused blocks, and wide runs of phases.

Several schedules are made for a circuit and the one with the lowest estimated cost per amplitude is kept. The estimates
(nanoseconds per real number on one core) only rank schedules; no result depends on them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from qkernels.circuits import DIAGONAL_PARITIES, FlatOp
from qkernels.engines._phase_run import PhaseRun

__all__ = ["Item", "Node", "Wide", "schedule", "without_trailing_constants"]

RunMode = Literal["full", "diagonal", "none"]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Gates on a few qubits whose product is applied as one matrix.

    Attributes
    ----------
    qubits : tuple of int
        Ascending.
    parts : tuple of FlatOp or Node
        In the order of application.
    constant : bool
        Whether the matrix is the same for all samples.
    """

    qubits: tuple[int, ...]
    parts: tuple[FlatOp | Node, ...]
    constant: bool

    def leaves(self) -> Iterator[FlatOp]:
        """All gates, in the order of application."""
        for part in self.parts:
            if isinstance(part, Node):
                yield from part.leaves()
            else:
                yield part


@dataclass(frozen=True, slots=True, eq=False)
class Wide:
    """A run of diagonal gates and bit permutations applied as one vector of phases over the whole state."""

    run: PhaseRun
    qubits: tuple[int, ...]


Item = Node | Wide

_MATMUL_NS = (0.5, 0.5, 0.5, 0.55, 0.8, 1.35, 2.4, 4.6, 9.0, 18.0)
"""Applying a real matrix of dimension 2^m, by m (measured with OpenBLAS on AVX2)."""

_MOVE_NS = 1.2
"""Bringing the qubits of a block together: one strided copy."""

_PHASE_NS = 5.0
"""Sine, cosine and rotation of a wide run."""

_OUTER_NS = 2.5
"""The same where the phase factors are an outer product."""

_REAL_GATES = frozenset({"ry", "cry"})
"""Parametric gates whose matrices are real."""

_TERM_NS = 0.05
"""One more term in the phases of a wide run (a row of a matrix product)."""

_BUILD_NS = 60.0
"""One gate multiplied into a small matrix of one sample, per 16 entries."""

_SEARCH_BACK = 32
"""Groups looked at for a gate to join; bounds the scheduling of long circuits."""


def schedule(ops: Sequence[FlatOp], num_qubits: int, *, drop_trailing: bool) -> list[Item]:
    """Cheapest schedule found for the gates of a circuit.

    Parameters
    ----------
    ops : sequence of FlatOp
    num_qubits : int
    drop_trailing : bool
        Leave out constant gates after which nothing depends on data: they cancel in U(y)†U(x).

    Returns
    -------
    list of Node or Wide
        In the order of application.
    """
    ops = [op for op in ops if not op.is_directive]
    if drop_trailing:
        ops = without_trailing_constants(ops, num_qubits)
    best: tuple[float, list[Item]] | None = None
    modes: tuple[RunMode, ...] = ("full", "diagonal", "none")
    for mode in modes:
        items = _extract_runs(ops, num_qubits, mode)
        if mode != "none" and not any(isinstance(i, Wide) for i in items):
            continue
        for local in (True, False):
            pairs = _fuse_pairs(items, num_qubits, local)
            for const_width, sample_width in _widths(num_qubits):
                candidate = _fuse(pairs, const_width, sample_width, local)
                cost = _total_cost(candidate, num_qubits)
                if best is None or cost < best[0]:
                    best = (cost, candidate)
    return best[1] if best is not None else []


def _widths(num_qubits: int) -> list[tuple[int, int]]:
    """Widths to try for constant and data-dependent blocks.

    The matrix of one sample's block costs as much to build as a state of its size to evolve: only worth it well below.
    """
    sample = sorted({max(1, min(width, num_qubits // 2)) for width in (2, 3, 4)})
    return list(itertools.product((3, 4, 5), sample))


def without_trailing_constants(ops: Sequence[FlatOp], num_qubits: int) -> list[FlatOp]:
    """The gates without those after which nothing depends on data."""
    kept: list[FlatOp] = []
    blocked = [False] * num_qubits
    for op in reversed(ops):
        if op.is_constant and not any(blocked[q] for q in op.qubits):
            continue
        kept.append(op)
        for q in op.qubits:
            blocked[q] = True
    return kept[::-1]


def _extract_runs(ops: Sequence[FlatOp], num_qubits: int, mode: RunMode) -> list[FlatOp | Wide]:
    """Alternate between everything that a run accepts and everything else, as far as each can be brought forward."""
    if mode == "none":
        return list(ops)
    remaining = list(ops)
    items: list[FlatOp | Wide] = []
    while remaining:
        for take_run in (False, True):
            taken, remaining = _ready(remaining, num_qubits, take_run, mode)
            if not take_run or not taken:
                items.extend(taken)
                continue
            run = PhaseRun(num_qubits)
            for op in taken:
                run.add(op)
            worthwhile = run.depends_on_data and len(taken) > 2
            items.extend([Wide(run, tuple(range(num_qubits)))] if worthwhile else taken)
    return items


def _ready(ops: Sequence[FlatOp], num_qubits: int, take_run: bool, mode: RunMode) -> tuple[list[FlatOp], list[FlatOp]]:
    blocked = [False] * num_qubits
    taken: list[FlatOp] = []
    left: list[FlatOp] = []
    for op in ops:
        fits = PhaseRun.accepts(op) if mode == "full" else op.name in DIAGONAL_PARITIES and op.matrix is None
        if fits == take_run and not any(blocked[q] for q in op.qubits):
            taken.append(op)
        else:
            left.append(op)
            for q in op.qubits:
                blocked[q] = True
    return taken, left


def _fuse_pairs(items: Sequence[FlatOp | Wide], num_qubits: int, local: bool) -> Sequence[FlatOp | Node | Wide]:
    """Fuse gates to one-qubit and then two-qubit blocks first: small products are formed on small matrices."""
    level: Sequence[FlatOp | Node | Wide] = items
    for width in (1, 2):
        level = _fuse(level, width, width if num_qubits >= 2 * width else 1, local)
    return level


class _Group:
    __slots__ = ("constant", "fence", "parts", "qubits")

    def __init__(self, item: FlatOp | Node | Wide) -> None:
        self.fence = isinstance(item, Wide)
        self.parts = [item]
        self.qubits = set(item.qubits)
        self.constant = not self.fence and _is_constant(item)

    def close(self) -> Item:
        if isinstance(self.parts[0], Wide):
            return self.parts[0]
        if len(self.parts) == 1 and isinstance(self.parts[0], Node):
            return self.parts[0]
        return Node(tuple(sorted(self.qubits)), tuple(p for p in self.parts if not isinstance(p, Wide)), self.constant)


def _is_range(qubits: Collection[int]) -> bool:
    """Whether qubits are neighbours, without a gap."""
    return max(qubits) - min(qubits) + 1 == len(qubits)


def _is_constant(item: FlatOp | Node | Wide) -> bool:
    return not isinstance(item, Wide) and (item.constant if isinstance(item, Node) else item.is_constant)


def _fuse(items: Sequence[FlatOp | Node | Wide], const_width: int, sample_width: int, local: bool) -> list[Item]:
    """Greedy fusion: an item joins the group that grows least among those it can be moved to.

    With `local`, an item that shares no qubit with a group joins it only if no gap is left between their qubits: the
    blocks of a nearest-neighbour circuit are then neighbours in the state and need not be moved.
    """
    groups: list[_Group] = []
    last: dict[int, int] = {}  # qubit → the latest group that acts on it
    for item in items:
        floor = max((last[q] for q in item.qubits if q in last), default=0)
        place = _place(groups, item, floor, const_width, sample_width, local)
        if place is None:
            place = len(groups)
            groups.append(_Group(item))
        else:
            group = groups[place]
            group.parts.append(item)
            group.qubits |= set(item.qubits)
            group.constant = group.constant and _is_constant(item)
        for q in item.qubits:
            last[q] = place
    return [group.close() for group in groups]


def _place(
    groups: Sequence[_Group],
    item: FlatOp | Node | Wide,
    floor: int,
    const_width: int,
    sample_width: int,
    local: bool,
) -> int | None:
    if isinstance(item, Wide):
        return None
    best: tuple[int, int] | None = None
    place = None
    for g in range(max(floor, len(groups) - _SEARCH_BACK), len(groups)):
        group = groups[g]
        if group.fence:
            continue
        union = group.qubits | set(item.qubits)
        limit = const_width if group.constant and _is_constant(item) else sample_width
        if local and not _is_range(union) and group.qubits.isdisjoint(item.qubits):
            continue
        if len(union) <= limit:
            rank = (len(union) - len(group.qubits), -g)
            if best is None or rank < best:
                best, place = rank, g
    return place


def _total_cost(items: Sequence[Item], num_qubits: int) -> float:
    started = False
    total = 0.0
    for item in items:
        started = started or isinstance(item, Wide) or not item.constant
        total += _cost(item, num_qubits) if started else 0.0  # the constant beginning is evolved once, at compile time
    return total


def _cost(item: Item, num_qubits: int) -> float:
    reals = 2.0 ** (num_qubits + 1)
    if isinstance(item, Wide):
        gather = 0.0 if item.run.is_diagonal else _MOVE_NS
        phase = _PHASE_NS if crosses_every_split(list(item.run.terms), num_qubits) else _OUTER_NS
        return reals * (phase + _TERM_NS * math.sqrt(len(item.run.terms)) + gather) + 4e3
    m = min(len(item.qubits) + (not is_real_block(item)), len(_MATMUL_NS) - 1)
    move = 0.1 if _is_range(item.qubits) else _MOVE_NS
    cost = reals * (_MATMUL_NS[m] + move) + 500.0
    return float(cost if item.constant else cost + _build_cost(item))


def _build_cost(node: Node) -> float:
    own: float = _BUILD_NS * max(1.0, 4.0 ** len(node.qubits) / 16) * len(node.parts)
    return own + sum(_build_cost(p) for p in node.parts if isinstance(p, Node) and not p.constant)


def is_real_block(node: Node) -> bool:
    """Whether a block has only gates with real matrices."""
    return all(op.name in _REAL_GATES if op.matrix is None else not op.matrix.imag.any() for op in node.leaves())


def crosses_every_split(masks: Sequence[int], num_bits: int) -> bool:
    """Whether no cut between two bits leaves all terms of a run on one side of it."""
    return choose_split(masks, num_bits)[1]


def choose_split(masks: Sequence[int], num_bits: int) -> tuple[int, bool]:
    """Bits in the low half, and whether terms cross: the uncrossed split nearest the middle, else the middle."""
    for low in sorted(range(1, num_bits), key=lambda p: abs(2 * p - num_bits)):
        if all(mask >> low == 0 or mask & ((1 << low) - 1) == 0 for mask in masks):
            return low, False
    return num_bits // 2, True
