"""Matrices of fused blocks: once for constant blocks, for a whole tile of samples otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.circuits import FlatOp, bound_matrices, gate_matrices
from qkernels.engines._items import Node

__all__ = ["GateTable", "block_matrix", "real_if_possible"]

Matrices = NDArray[np.complex128]


class GateTable:
    """The gates of a circuit's data-dependent blocks.

    Parametric gates are grouped by name, so that a tile evaluates each group in one call; the constant parts of a block
    are multiplied out once.
    """

    def __init__(self, parts: Iterable[FlatOp | Node]) -> None:
        self._groups: dict[str, list[FlatOp]] = {}
        self._bound: list[FlatOp] = []
        self._constants: dict[int, Matrices] = {}
        self._collect(parts)

    def _collect(self, parts: Iterable[FlatOp | Node]) -> None:
        for part in parts:
            if isinstance(part, Node) and not part.constant:
                self._collect(part.parts)
            elif isinstance(part, Node):
                self._constants[id(part)] = block_matrix(part, part.qubits[::-1], {})
            elif part.matrix is not None:
                self._constants[id(part)] = part.matrix[None]
            elif part.name == "bound":
                self._bound.append(part)
            elif not part.is_directive:
                self._groups.setdefault(part.name, []).append(part)

    def evaluate(self, angles: NDArray[np.float64]) -> dict[int, Matrices]:
        """Matrices of shape (n_samples or 1, 2^q, 2^q) by the identity of the part."""
        matrices = dict(self._constants)
        for name, ops in self._groups.items():
            columns = np.stack([_columns(op, angles) for op in ops])
            stacked = gate_matrices(name, columns.reshape(-1, columns.shape[-1]))
            for op, block in zip(ops, stacked.reshape(len(ops), len(angles), *stacked.shape[1:]), strict=True):
                matrices[id(op)] = block
        for op in self._bound:
            matrices[id(op)] = bound_matrices(op, _columns(op, angles))
        return matrices


def _columns(op: FlatOp, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([angles[:, a] if isinstance(a, int) else np.full(len(angles), a) for a in op.angles], axis=1)


def block_matrix(node: Node, order: Sequence[int], gates: dict[int, Matrices]) -> Matrices:
    """Product of the parts of a block.

    Parameters
    ----------
    node : Node
    order : sequence of int
        The block's qubits, most significant bit first.
    gates : dict
        Matrices of the parametric gates and of constant parts (`GateTable.evaluate`); may be empty for constant blocks.

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
            u = block_matrix(part, qubits, gates)
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
            matrix = _apply(u, matrix, rows, k)
    if matrix is None:
        raise ValueError("a block holds at least one gate")
    return matrix


def _embed(u: Matrices, rows: list[int], k: int) -> Matrices:
    """A gate as a matrix on all k bits."""
    if rows == list(range(k)):
        return u
    return _apply(u, np.eye(2**k, dtype=complex)[None], rows, k)


def _apply(u: Matrices, matrix: Matrices, rows: list[int], k: int) -> Matrices:
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
    flat = matrix.reshape(-1)
    largest = flat[np.argmax(np.abs(flat))]
    turned = matrix * (np.conj(largest) / abs(largest))
    return np.ascontiguousarray(turned.real) if float(np.abs(turned.imag).max()) < 1e-15 else matrix
