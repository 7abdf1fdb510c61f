"""What a schedule is made of: blocks of gates on a few qubits, and wide runs of phases."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qkernels.circuits import FlatOp
from qkernels.engines._phase_run import PhaseRun
from qkernels.engines._shared import SharedOp
from qkernels.engines._transfer import is_transfer

__all__ = ["Item", "Node", "Wide", "choose_split", "crosses_every_split", "is_range", "is_real_block"]

_REAL_GATES = frozenset({"ry", "cry"})
"""Parametric gates whose matrices are real."""


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
        Whether the matrix is the same for all samples of a call.
    """

    qubits: tuple[int, ...]
    parts: tuple[FlatOp | Node, ...]
    constant: bool

    @property
    def fixed(self) -> bool:
        """Whether the matrix is the same for all calls, too: no gate depends on theta."""
        return self.constant and not any(isinstance(op, SharedOp) for op in self.leaves())

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


def is_range(qubits: Collection[int]) -> bool:
    """Whether qubits are neighbours, without a gap."""
    return max(qubits) - min(qubits) + 1 == len(qubits)


def is_real_block(node: Node) -> bool:
    """Whether a block has only gates with real matrices."""
    return all(_is_real(op) for op in node.leaves())


def _is_real(op: FlatOp) -> bool:
    if op.matrix is None:
        return op.name in _REAL_GATES or is_transfer(op.name)
    return not (np.iscomplexobj(op.matrix) and op.matrix.imag.any())


def crosses_every_split(masks: Sequence[int], num_bits: int) -> bool:
    """Whether no cut between two bits leaves all terms of a run on one side of it."""
    return choose_split(masks, num_bits)[1]


def choose_split(masks: Sequence[int], num_bits: int) -> tuple[int, bool]:
    """Bits in the low half, and whether terms cross: the uncrossed split nearest the middle, else the middle."""
    for low in sorted(range(1, num_bits), key=lambda p: abs(2 * p - num_bits)):
        if all(mask >> low == 0 or mask & ((1 << low) - 1) == 0 for mask in masks):
            return low, False
    return num_bits // 2, True
