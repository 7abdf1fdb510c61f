"""Matrices of fused blocks: once for constant blocks, for a whole tile of samples otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.circuits import FlatOp, bound_matrices, gate_matrices
from qkernels.engines._items import Node
from qkernels.engines._transfer import as_transfer, is_transfer, parametric_transfer

__all__ = ["GateTable", "apply_to_rows", "block_matrix", "real_if_possible"]

Matrices = NDArray[Any]
"""Complex, or real where all parts are (transfer matrices of channels)."""


class GateTable:
    """The gates of a circuit's data-dependent blocks.

    Parametric gates are grouped by name, so that a tile evaluates each group in one call; the constant parts of a block
    are multiplied out once.
    """

    def __init__(self, parts: Iterable[FlatOp | Node]) -> None:
        self._groups: dict[str, list[FlatOp]] = {}
        self._columns: dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]] = {}
        self._bound: list[FlatOp] = []
        self._constants: dict[int, Matrices] = {}
        self._collect(parts)
        for name, ops in self._groups.items():
            self._columns[name] = _places([op.angles for op in ops])

    def _collect(self, parts: Iterable[FlatOp | Node]) -> None:
        for part in parts:
            if isinstance(part, Node) and not part.fixed:
                self._collect(part.parts)
            elif isinstance(part, Node):
                self._constants[id(part)] = block_matrix(part, part.qubits[::-1], {})
            elif part.matrix is not None:
                self._constants[id(part)] = part.matrix[None]
            elif part.name.endswith("bound"):
                self._bound.append(part)
            elif not part.is_directive:
                self._groups.setdefault(part.name, []).append(part)

    def evaluate(self, angles: NDArray[np.float64]) -> dict[int, Matrices]:
        """Matrices of shape (n_samples or 1, 2^q, 2^q) by the identity of the part."""
        matrices = dict(self._constants)
        for name, ops in self._groups.items():
            slots, constants = self._columns[name]
            columns = angles.T[slots]  # (gates, angles of a gate, samples)
            columns[slots < 0] = constants[:, None]
            build = parametric_transfer if is_transfer(name) else gate_matrices
            stacked: Matrices = build(name, columns.transpose(0, 2, 1).reshape(-1, columns.shape[1]))
            for op, block in zip(ops, stacked.reshape(len(ops), len(angles), *stacked.shape[1:]), strict=True):
                matrices[id(op)] = block
        for op in self._bound:
            bound: Matrices = bound_matrices(op, _columns(op, angles))
            matrices[id(op)] = as_transfer(op.name, bound) if is_transfer(op.name) else bound
        return matrices


def _places(angles: Sequence[tuple[int | float, ...]]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Slots of the angles of gates, −1 where an angle is a constant, and the constants in order."""
    slots = np.array([[a if isinstance(a, int) else -1 for a in own] for own in angles], dtype=np.intp)
    return slots, np.array([a for own in angles for a in own if not isinstance(a, int)], dtype=float)


def _columns(op: FlatOp, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([angles[:, a] if isinstance(a, int) else np.full(len(angles), a) for a in op.angles], axis=1)


def block_matrix(node: Node, order: Sequence[int], gates: dict[int, Matrices], *, keep: bool = False) -> Matrices:
    """Product of the parts of a block.

    Parameters
    ----------
    node : Node
    order : sequence of int
        The block's qubits, most significant bit first.
    gates : dict
        Matrices of the parametric gates and of constant parts (`GateTable.evaluate`); may be empty for constant blocks.
    keep : bool
        Add the matrices of the parts to `gates`.

    Returns
    -------
    ndarray of shape (n_samples or 1, 2**k, 2**k), complex128
    """
    k = len(order)
    matrix: Matrices | None = None
    for part in node.parts:
        qubits = part.qubits[::-1]
        if id(part) in gates:
            u = gates[id(part)]
        elif isinstance(part, Node):
            u = block_matrix(part, qubits, gates, keep=keep)
            if keep:
                gates[id(part)] = u
        elif part.matrix is not None:
            u = part.matrix[None]
        else:
            raise KeyError(part.name)
        rows = [order.index(q) for q in qubits]
        if matrix is None:
            matrix = _embed(u, rows, k)
        elif rows == list(range(k)):
            matrix = u @ matrix
        else:
            matrix = apply_to_rows(u, matrix, rows, k)
    if matrix is None:
        raise ValueError("a block holds at least one gate")
    return matrix


def _embed(u: Matrices, rows: list[int], k: int) -> Matrices:
    """A gate as a matrix on all k bits."""
    if rows == list(range(k)):
        return u
    return apply_to_rows(u, np.eye(2**k, dtype=u.dtype)[None], rows, k)


def apply_to_rows(u: Matrices, matrix: Matrices, rows: list[int], k: int) -> Matrices:
    """Multiply u onto some of the row bits of a matrix."""
    samples, columns = matrix.shape[0], matrix.shape[2]
    first = rows[0]
    if rows == list(range(first, first + len(rows))):  # neighbours: no axes to move
        tensor = matrix.reshape(samples, 2**first, 2 ** len(rows), -1)
        product = u[:, None] @ tensor
        return product.reshape(-1, 2**k, columns)
    rest = [i for i in range(k) if i not in rows]
    forward = [0, *(1 + i for i in rows), *(1 + i for i in rest), k + 1]
    moved = matrix.reshape(samples, *[2] * k, columns).transpose(forward).reshape(samples, 2 ** len(rows), -1)
    product = u @ moved
    back = np.argsort(forward)
    return product.reshape(product.shape[0], *[2] * k, columns).transpose(back).reshape(-1, 2**k, columns)


def real_if_possible(matrix: Matrices) -> NDArray[Any]:
    """A constant block without its global phase, as a real matrix where it then is one."""
    if not np.iscomplexobj(matrix):  # a channel, whose sign is no phase
        return matrix
    flat = matrix.reshape(-1)
    largest = flat[np.argmax(np.abs(flat))]
    turned = matrix * (np.conj(largest) / abs(largest))
    return np.ascontiguousarray(turned.real) if float(np.abs(turned.imag).max()) < 1e-15 else matrix
