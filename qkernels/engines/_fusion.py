"""Which gates are evaluated together: fused blocks, and wide runs of phases.

Several schedules are made for a circuit and the one with the lowest estimated cost is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal

from qkernels.circuits import DIAGONAL_PARITIES, FlatOp
from qkernels.engines._fusion_cost import total_cost
from qkernels.engines._items import Item, Node, Wide, is_range
from qkernels.engines._phase_run import PhaseRun
from qkernels.engines._shared import SharedOp

__all__ = ["needed_gates", "schedule", "without_trailing_constants"]

_FIXED, _SHARED, _PER_ROW = range(3)
"""What a gate or block depends on: nothing, trainable parameters, data. Gates of the last two are never fused with each
other: the matrix of a block of parameters serves all rows, and what stands before it does not change in training."""

RunMode = Literal["full", "diagonal", "none"]

_SEARCH_BACK = 32
"""Groups looked at for a gate to join; bounds the scheduling of long circuits."""


def schedule(ops: Sequence[FlatOp], num_qubits: int, *, runs: bool = True) -> list[Item]:
    """Cheapest schedule found for the gates of a circuit.

    Parameters
    ----------
    ops : sequence of FlatOp
    num_qubits : int
    runs : bool
        Whether diagonal matrices are phases, as those of unitary gates are; else all are channels over pairs of bits.

    Returns
    -------
    list of Node or Wide
        In the order of application.
    """
    ops = [op for op in ops if not op.is_directive]
    best: tuple[float, list[Item]] | None = None
    modes: tuple[RunMode, ...] = ("full", "diagonal", "none") if runs else ("none",)
    for mode in modes:
        items = _extract_runs(ops, num_qubits, mode)
        if mode != "none" and not any(isinstance(i, Wide) for i in items):
            continue
        for local in (True, False):
            pairs = _fuse_pairs(items, num_qubits, local)
            for const_width, sample_width in _widths(num_qubits) if runs else _channel_widths(num_qubits):
                candidate = _fuse(pairs, const_width, sample_width, local)
                cost = total_cost(candidate, num_qubits)
                if best is None or cost < best[0]:
                    best = (cost, candidate)
    return best[1] if best is not None else []


def _widths(num_qubits: int) -> list[tuple[int, int]]:
    """Widths to try for constant and data-dependent blocks.

    The matrix of one sample's block costs as much to build as a state of its size to evolve: only worth it well below.
    """
    sample = sorted({max(1, min(width, num_qubits // 2)) for width in (2, 3, 4)})
    return list(itertools.product((3, 4, 5), sample))


def _channel_widths(num_bits: int) -> list[tuple[int, int]]:
    """The same over pairs of bits, where blocks are channels on one or two qubits."""
    return [(4, 2), (4, 4)] if num_bits >= 8 else [(4, 2)]


def needed_gates(ops: Sequence[FlatOp], num_qubits: int) -> list[FlatOp]:
    """The gates that have to be evaluated for overlaps: constant gates at the end cancel in U(y)†U(x).

    Those that bring the bits of the last run of phases back to their places stay nevertheless: in the run they cost
    nothing, and without them the state would have to be permuted.
    """
    fewest = without_trailing_constants(ops, num_qubits)
    kept = without_trailing_constants(ops, num_qubits, stays=PhaseRun.accepts)
    last, _ = _ready(kept[::-1], num_qubits, True, "full")
    run = PhaseRun(num_qubits)
    for op in reversed(last):
        run.add(op)
    return kept if run.per_row and run.is_diagonal else fewest


def without_trailing_constants(
    ops: Sequence[FlatOp], num_qubits: int, stays: Callable[[FlatOp], bool] = lambda op: False
) -> list[FlatOp]:
    """The gates without directives and without those after which nothing depends on data, but for those that stay."""
    kept: list[FlatOp] = []
    blocked = [False] * num_qubits
    for op in reversed(ops):
        if op.is_directive or (op.is_constant and not stays(op) and not any(blocked[q] for q in op.qubits)):
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
    __slots__ = ("fence", "kind", "parts", "qubits")

    def __init__(self, item: FlatOp | Node | Wide) -> None:
        self.fence = isinstance(item, Wide)
        self.parts = [item]
        self.qubits = set(item.qubits)
        self.kind = _kind(item)

    def close(self) -> Item:
        if isinstance(self.parts[0], Wide):
            return self.parts[0]
        if len(self.parts) == 1 and isinstance(self.parts[0], Node):
            return self.parts[0]
        parts = tuple(p for p in self.parts if not isinstance(p, Wide))
        return Node(tuple(sorted(self.qubits)), parts, self.kind != _PER_ROW)


def _kind(item: FlatOp | Node | Wide) -> int:
    if isinstance(item, Wide):
        return _PER_ROW
    if isinstance(item, Node):
        return _PER_ROW if not item.constant else _FIXED if item.fixed else _SHARED
    if isinstance(item, SharedOp):
        return _SHARED
    return _FIXED if item.is_constant else _PER_ROW


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
            group.kind = max(group.kind, _kind(item))
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
    kind = _kind(item)
    for g in range(max(floor, len(groups) - _SEARCH_BACK), len(groups)):
        group = groups[g]
        if group.fence or {group.kind, kind} == {_SHARED, _PER_ROW}:
            continue
        union = group.qubits | set(item.qubits)
        limit = sample_width if max(group.kind, kind) == _PER_ROW else const_width
        if local and not is_range(union) and group.qubits.isdisjoint(item.qubits):
            continue
        if len(union) <= limit:
            rank = (len(union) - len(group.qubits), -g)
            if best is None or rank < best:
                best, place = rank, g
    return place
