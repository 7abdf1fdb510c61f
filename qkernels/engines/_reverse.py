"""Reverse mode through a compiled circuit: states and their cotangents undone step by step, with the slopes on the way.

The cotangent λ of a state ψ makes the derivative of the scalar 2 Re⟨λ|∂ψ⟩, and goes back through a gate as ψ does: by
the adjoint. So both are undone together, and nothing is kept from the way forward. Behind a fused block the derivatives
with respect to all of its angles follow from one small matrix, E = Σ conj(λ) ψᵀ over everything but the block's qubits,
which is taken back through the gates of the block, G† … G, in place of the states. Blocks of trainable parameters are
the same for all rows: their E are added up, and taken through their gates once for a call.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.circuits import FlatOp
from qkernels.engines._arrays import Workspace
from qkernels.engines._blocks import apply_to_rows
from qkernels.engines._compiled import CompiledCircuit, Gates, row_gates, slots_of
from qkernels.engines._generators import SlopeTable
from qkernels.engines._items import Node
from qkernels.engines._steps import Block, Move, PhaseStep, Step, Tile

__all__ = ["Reverse"]

Values = NDArray[np.float64]
Matrices = NDArray[Any]


class Reverse:
    """The way back through a compiled circuit; call it with the states at the end and their cotangents.

    Parameters
    ----------
    compiled : CompiledCircuit
    wanted : collection of int
        Angles whose derivatives are asked for. Steps before the first one that depends on them are not undone.
    """

    def __init__(self, compiled: CompiledCircuit, wanted: Collection[int]) -> None:
        self._compiled = compiled
        self._wanted = set(wanted)
        steps = list(compiled.steps)
        first = next((k for k, step in enumerate(steps) if slots_of(step) & self._wanted), len(steps))
        self._steps: list[Step] = [s.reversed if isinstance(s, Move) else s for s in reversed(steps[first:])]
        blocks = [s for s in self._steps if isinstance(s, Block) and not s.constant]
        self._sloped = {id(s) for s in blocks if slots_of(s) & self._wanted}
        self._gates = row_gates(self._steps)
        self._shared = [s for s in blocks if s.node.constant and id(s) in self._sloped]
        parts: list[FlatOp | Node] = [s.node for s in blocks]
        self._needed: set[int] = set()  # parts that hold a wanted angle
        while parts:
            part = parts.pop()
            if isinstance(part, Node):
                parts.extend(part.parts)
            if _slots(part) & self._wanted:
                self._needed.add(id(part))

    def __reduce__(self) -> tuple[type[Reverse], tuple[CompiledCircuit, set[int]]]:
        return Reverse, (self._compiled, self._wanted)  # knows steps by identity, which a copy does not share

    def __call__(
        self, states: Matrices, angles: Values, gates: Gates | None, workspace: Workspace
    ) -> tuple[Values, list[Matrices]]:
        """Slopes of one tile.

        Parameters
        ----------
        states : ndarray of shape (2 * n_samples, 2**num_qubits)
            States, and their cotangents; complex where any step makes states complex.
        angles : ndarray of shape (n_samples, n_angles), float64
        gates : dict or None
            ``compiled.shared(angles, keep=True)``; None evaluates it here.
        workspace : Workspace

        Returns
        -------
        slopes : ndarray of shape (n_samples, n_angles), float64
            Without those of the blocks of trainable parameters.
        list of ndarray of shape (2**k, 2**k)
            E of these blocks, for `shared_slopes`.
        """
        shared_gates = self._compiled.shared(angles, keep=True) if gates is None else gates
        tile = Tile(np, np.float64, angles, self._gates.evaluate(angles) | shared_gates, workspace)
        out = np.zeros(angles.shape)
        table = SlopeTable()
        shared: list[Matrices] = []
        for position, step in enumerate(self._steps):
            last = position == len(self._steps) - 1
            if isinstance(step, PhaseStep):
                states, slopes = step.back(states, tile)
                out[:, step.slots] += slopes
            elif isinstance(step, Block):
                if id(step) in self._sloped:
                    reduced = _reduce(states, step)
                    if step.node.constant:
                        shared.append(reduced)
                    else:
                        tile.gates[id(step)] = step.matrix(tile.gates, keep=True)
                        self._pull(step.node, step.qubits, reduced, tile.gates, table)
                if not last:
                    states = _undo(step, states, tile)
            else:
                states = step(states, tile)
        table.add_slopes(angles, out)
        return out, shared

    def shared_slopes(self, reduced: list[Matrices], angles: Values, gates: Gates) -> Values:
        """Slopes of the blocks of trainable parameters.

        Parameters
        ----------
        reduced : list of ndarray of shape (2**k, 2**k)
            As a call gives them, summed over all tiles.
        angles : ndarray of shape (n_samples, n_angles), float64
            Of any rows.
        gates : dict
            ``compiled.shared(angles, keep=True)``.

        Returns
        -------
        ndarray of shape (n_angles,), float64
        """
        table = SlopeTable()
        for step, matrix in zip(self._shared, reduced, strict=True):
            self._pull(step.node, step.qubits, matrix[None], gates, table)
        out = np.zeros((1, angles.shape[1]))
        table.add_slopes(angles[:1], out)
        return np.asarray(out[0])

    def _pull(
        self, node: Node, order: list[int] | tuple[int, ...], reduced: Matrices, gates: Gates, table: SlopeTable
    ) -> None:
        """Take E, on the qubits of a node from the most significant one down, back through its parts."""
        k = len(order)
        remaining = sum(id(part) in self._needed for part in node.parts)
        for part in reversed(node.parts):
            rows = tuple(order.index(q) for q in part.qubits[::-1])
            if id(part) in self._needed:
                own = _partial_trace(reduced, rows, k)
                if isinstance(part, Node):
                    self._pull(part, part.qubits[::-1], own, gates, table)
                else:
                    table.add(part, own)
                remaining -= 1
            if not remaining:
                return
            matrix = gates[id(part)] if id(part) in gates else _constant(part)
            if not np.iscomplexobj(reduced):
                matrix = matrix.real  # a real block
            reduced = _conjugate(matrix, reduced, list(rows), k)


def _slots(part: FlatOp | Node) -> set[int]:
    ops = part.leaves() if isinstance(part, Node) else [part]
    return {a for op in ops if op.matrix is None for a in op.angles if isinstance(a, int)}


def _constant(part: FlatOp | Node) -> Matrices:
    if isinstance(part, Node) or part.matrix is None:
        raise KeyError(part)
    return part.matrix[None]


def _conjugate(matrix: Matrices, reduced: Matrices, rows: list[int], k: int) -> Matrices:
    """Gᵀ E conj(G): E before a gate from E behind it."""
    first = apply_to_rows(np.swapaxes(matrix, -1, -2), reduced, rows, k)
    adjoint = np.swapaxes(matrix.conj(), -1, -2)
    return np.swapaxes(apply_to_rows(adjoint, np.swapaxes(first, -1, -2), rows, k), -1, -2)


@lru_cache(maxsize=4096)
def _trace_subscripts(rows: tuple[int, ...], k: int) -> tuple[list[int], list[int]]:
    """Axes of E as a tensor of bits, those traced out named alike, and the axes that stay; axis 0 counts samples."""
    columns = [k + 1 + bit if bit in rows else 1 + bit for bit in range(k)]
    return [0, *range(1, k + 1), *columns], [0, *(1 + bit for bit in rows), *(k + 1 + bit for bit in rows)]


def _partial_trace(reduced: Matrices, rows: tuple[int, ...], k: int) -> Matrices:
    """E on some of its bits, in the order of `rows`."""
    if rows == tuple(range(k)):
        return reduced
    axes, kept = _trace_subscripts(rows, k)
    traced = np.einsum(reduced.reshape(-1, *[2] * (2 * k)), axes, kept)
    return np.asarray(traced.reshape(-1, 2 ** len(rows), 2 ** len(rows)))


def _undo(step: Block, states: Matrices, tile: Tile) -> Matrices:
    """A block undone on states and cotangents."""
    matrix = step.matrix(tile.gates)
    adjoint = np.swapaxes(matrix.conj(), -1, -2)
    if adjoint.ndim == 3:
        adjoint = np.concatenate([adjoint, adjoint])
    return np.asarray(step.frame.reversed.apply(states, adjoint, tile))


def _reduce(states: Matrices, step: Block) -> Matrices:
    """Σ conj(λ_a) ψ_b behind a block over all but its qubits, and over the samples where it is the same for all.

    Of real blocks only the real part counts.
    """
    frame, dim, shared, real = step.frame.reversed, 2 ** len(step.qubits), step.node.constant, step.keeps_real
    n = len(states) // 2
    psi, cotangent = states[:n], states[n:]
    if frame.left > 1 and frame.right > 1:
        shape = (n, frame.left, dim, frame.right)
        psi, cotangent = psi.reshape(shape), cotangent.reshape(shape)
        if real:
            psi, cotangent = _as_real(psi), _as_real(cotangent)
        return np.asarray((cotangent.conj() @ _transposed(psi)).sum(axis=(0, 1) if shared else 1))
    if frame.right == 1:
        if shared:
            psi, cotangent = psi.reshape(-1, dim), cotangent.reshape(-1, dim)
        else:
            psi, cotangent = psi.reshape(n, -1, dim), cotangent.reshape(n, -1, dim)
        if real and np.iscomplexobj(psi):
            return np.asarray(_transposed(cotangent.real) @ psi.real + _transposed(cotangent.imag) @ psi.imag)
        return np.asarray(_transposed(cotangent.conj()) @ psi)
    psi, cotangent = psi.reshape(n, dim, -1), cotangent.reshape(n, dim, -1)
    if real:
        psi, cotangent = _as_real(psi), _as_real(cotangent)
    found = cotangent.conj() @ _transposed(psi)
    return np.asarray(found.sum(axis=0)) if shared else found


def _transposed(array: Matrices) -> Matrices:
    return np.swapaxes(array, -1, -2)


def _as_real(array: Matrices) -> Matrices:
    """Real and imaginary parts as twice as many columns."""
    return array.view(np.float64) if np.iscomplexobj(array) else array
