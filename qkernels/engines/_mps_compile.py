"""A circuit of neighbour gates compiled for batches of matrix-product states: steps, and the bonds they leave.

Bond dimensions follow from the circuit alone. A two-qubit block is written as Σ_k L_k ⊗ R_k with as few terms as the
gate family allows, whatever its angles, and multiplies its bond by that number; a bond larger than 2·(its neighbour
bond) is cut to that by moving a tensor into its neighbour. No singular value is ever dropped, so states are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import UnsupportedCircuitError
from qkernels.engines._blocks import GateTable, block_matrix
from qkernels.engines._fusion import without_trailing_constants
from qkernels.engines._items import Node
from qkernels.engines._mps_blocks import Block, gather_blocks, refused_gate
from qkernels.engines._mps_steps import Diagonal, Local, Pair, PhaseTable, Push, Side, Step, operator_tensors
from qkernels.engines._phase_run import CONSTANT, PhaseRun
from qkernels.programs import OverlapProgram, Program

__all__ = ["CompiledMPS", "compile_mps"]

Complex = NDArray[np.complex128]
_RANK_TOLERANCE = 1e-13
"""Singular values below this fraction of the largest are rounding of the gate matrices, not part of the gate."""

_NUM_PROBES = 8
"""Random angle rows that span the operator space of a data-dependent block; four would do in exact arithmetic."""

_EDGE_RATIO = 8
"""Qubits at both ends are held as one dense tensor of up to 2^k ≤ 8·bond: there, one matrix product per pair of
blocks costs less than k steps of the sweep (measured at bonds 2 to 8)."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledMPS:
    """Steps from |0…0⟩ to a matrix-product state.

    Attributes
    ----------
    num_qubits : int
    steps : tuple of Step
    phases : PhaseTable
    gates : GateTable
    bonds : tuple of int, length num_qubits + 1
        Dimension of the bond left of every site; 1 at both ends.
    peak_entries : int
        Largest number of tensor entries of one state at any step.
    head, tail : int
        Qubits merged into one dense tensor at either end (1 = not merged).
    varies : tuple of bool, one for each entry of `site_shapes`
        Whether a tensor depends on the data; where not, all samples share one.
    """

    num_qubits: int
    steps: tuple[Step, ...]
    phases: PhaseTable
    gates: GateTable
    bonds: tuple[int, ...]
    peak_entries: int
    head: int
    tail: int
    varies: tuple[bool, ...]
    nbytes: int

    @property
    def max_bond(self) -> int:
        """Largest bond dimension."""
        return max(self.bonds)

    @property
    def site_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(left bond, physical dimension, right bond) of every tensor of a finished state."""
        n, bonds = self.num_qubits, self.bonds
        qubits = _merged(n, self.head, self.tail)
        return tuple((bonds[part.start], 1 << len(part), bonds[part.stop]) for part in qubits)

    @property
    def state_bytes(self) -> int:
        """Bytes of one finished state."""
        return 16 * sum(left * d * right for left, d, right in self.site_shapes)


def compile_mps(program: Program) -> CompiledMPS:
    """Compile a program; milliseconds for some hundred gates, whatever the bonds.

    Raises
    ------
    UnsupportedCircuitError
        A gate is neither on one qubit nor on two neighbours; names it, its qubits and its position.
    """
    flat = program.flat
    if refusal := refused_gate(flat.ops):
        raise UnsupportedCircuitError(
            f"{refusal}. MPSEngine takes one-qubit gates and two-qubit gates on neighbours (q, q + 1) only. Use "
            "StatevectorEngine(), or a circuit whose entanglement is 'linear' or 'pairwise'."
        )
    ops = [op for op in flat.ops if not op.is_directive]
    overlap = isinstance(program, OverlapProgram)
    if overlap:  # a constant end cancels in U(y)†U(x)
        ops = without_trailing_constants(ops, flat.num_qubits)
    builder = _Builder(flat.num_qubits, len(flat.angles))
    for block in gather_blocks(ops):
        builder.add(block)
    n = flat.num_qubits
    head, tail = _edges(n, max(builder.bonds)) if overlap else (1, min(1, n - 1))
    return CompiledMPS(
        num_qubits=n,
        steps=tuple(builder.steps),
        phases=PhaseTable(builder.weights),
        gates=GateTable(builder.nodes),
        bonds=tuple(builder.bonds),
        peak_entries=builder.peak,
        head=head,
        tail=tail,
        varies=tuple(any(builder.varies[q] for q in qubits) for qubits in _merged(n, head, tail)),
        nbytes=(1 << 10) * (len(builder.steps) + 1) + 48 * len(builder.weights),
    )


def _edges(num_qubits: int, max_bond: int) -> tuple[int, int]:
    """Qubits to merge at the left and at the right end."""
    wanted = max(1, (_EDGE_RATIO * max_bond).bit_length() - 1)
    head = max(1, min(wanted, (num_qubits + 1) // 2))
    return head, max(0, min(wanted, num_qubits - head))


def _merged(num_qubits: int, head: int, tail: int) -> list[range]:
    """Qubits of every tensor of a finished state."""
    ends = [range(num_qubits - tail, num_qubits)] if tail else []
    return [range(head), *(range(q, q + 1) for q in range(head, num_qubits - tail)), *ends]


class _Builder:
    """Turns blocks into steps and keeps account of the bonds, and of which tensors depend on the data."""

    def __init__(self, num_qubits: int, num_angles: int) -> None:
        self.bonds = [1] * (num_qubits + 1)
        self.steps: list[Step] = []
        self.weights: list[dict[int, float]] = []
        self.nodes: list[Node] = []
        self.varies = [False] * num_qubits
        self.peak = 2 * num_qubits
        # Generic points; any generator will do, the rank of the gate family does not depend on it.
        self._probes = np.random.default_rng(0).uniform(-np.pi, np.pi, (_NUM_PROBES, num_angles))

    def add(self, block: Block) -> None:
        if block.run is not None:
            self._add_diagonal(block.qubits, block.run)
            return
        node = Node(block.qubits, tuple(block.ops), block.is_constant)
        if node.constant:  # multiplied once, here
            matrix = block_matrix(node, block.qubits[::-1], {})
        else:
            self.nodes.append(node)
            matrix = block_matrix(node, block.qubits[::-1], GateTable(block.ops).evaluate(self._probes))
        if len(block.qubits) == 1:
            self.steps.append(Local(block.qubits[0], node))
            self.varies[block.qubits[0]] |= not node.constant
            return
        side, basis = _shortest_basis(matrix)
        self.steps.append(Pair(block.qubits[0], node, basis, side))
        self.varies[block.qubits[side == "left"]] |= not node.constant
        self._grow(block.qubits[1], len(basis))

    def _add_diagonal(self, qubits: tuple[int, ...], run: PhaseRun) -> None:
        terms = {mask: {s: c for s, c in w.items() if c} for mask, w in run.terms.items()}
        terms = {mask: w for mask, w in terms.items() if w}
        if len(qubits) == 2 and 3 not in terms:  # no joint phase: two one-qubit blocks
            for i, q in enumerate(qubits):
                self._add_phases((q,), {1: terms[1 << i]} if 1 << i in terms else {})
        else:
            self._add_phases(qubits, terms)

    def _add_phases(self, qubits: tuple[int, ...], terms: dict[int, dict[int, float]]) -> None:
        if not terms:
            return
        columns: list[dict[int, float]] = []
        for bits in range(1 << len(qubits)):
            column: dict[int, float] = {}
            for mask, weight in terms.items():
                sign = -1.0 if (bits & mask).bit_count() % 2 else 1.0
                for slot, c in weight.items():
                    column[slot] = column.get(slot, 0.0) + sign * c
            columns.append(column)
        phases: slice | Complex
        if all(slot == CONSTANT for column in columns for slot in column):
            phases = np.exp(1j * np.array([[column.get(CONSTANT, 0.0) for column in columns]]))
        else:
            phases = slice(len(self.weights), len(self.weights) + len(columns))
            self.weights += columns
        self.steps.append(Diagonal(qubits[0], len(qubits), phases))
        self.varies[qubits[-1]] |= isinstance(phases, slice)
        if len(qubits) == 2:
            self._grow(qubits[1], 2)

    def _grow(self, bond: int, factor: int) -> None:
        """Multiply a bond, then cut every bond that exceeds what its neighbours can carry."""
        bonds = self.bonds
        bonds[bond] *= factor
        self.peak = max(self.peak, self._entries())
        todo = [bond]
        while todo:
            b = todo.pop()
            if not 0 < b < len(bonds) - 1:
                continue
            if bonds[b] > 2 * bonds[b - 1]:
                bonds[b] = 2 * bonds[b - 1]
                self._push(b - 1, "right")
            elif bonds[b] > 2 * bonds[b + 1]:
                bonds[b] = 2 * bonds[b + 1]
                self._push(b, "left")
            else:
                continue
            todo += [b - 1, b, b + 1]

    def _push(self, site: int, side: Side) -> None:
        self.steps.append(Push(site, side))
        self.varies[site + 1 if side == "right" else site - 1] |= self.varies[site]
        self.varies[site] = False

    def _entries(self) -> int:
        return sum(2 * left * right for left, right in zip(self.bonds, self.bonds[1:], strict=False))


def _shortest_basis(matrices: Complex) -> tuple[Side, Complex]:
    """Operators on one of the two sites that span a family of two-site gates, with as few terms as possible.

    Parameters
    ----------
    matrices : ndarray of shape (n, 4, 4)
        Members of the family; the first site is the less significant bit.

    Returns
    -------
    side : {"left", "right"}
        The site they act on; left is the first one.
    basis : ndarray of shape (k, 2, 2), orthonormal
    """
    tensors = operator_tensors(matrices)
    left = np.concatenate(list(tensors), axis=1)
    right = np.concatenate(list(tensors.transpose(0, 2, 1)), axis=1)
    spans: dict[Side, Complex] = {"left": _column_space(left), "right": _column_space(right)}
    side: Side = "left" if len(spans["left"]) <= len(spans["right"]) else "right"
    return side, spans[side].reshape(-1, 2, 2)


def _column_space(matrix: Complex) -> Complex:
    vectors, values, _ = np.linalg.svd(matrix, full_matrices=False)
    rank = int((values > _RANK_TOLERANCE * values[0]).sum())
    return np.ascontiguousarray(vectors[:, :rank].T)
