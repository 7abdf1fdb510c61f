"""Reverse mode through a noisy circuit: forward with what the way back needs, then back with the derivatives of angles.

Every parametric gate is a product of Pauli rotations, whose derivatives need the vector behind the rotation and its
cotangent there. One vector serves all rotations that stand together and commute. It is kept from the way forward, as
the channels in between have no inverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels.circuits import FlatOp
from qkernels.engines._pauli_rotations import PauliRotation, rotations_of

__all__ = ["ReverseSweep"]

Values = NDArray[np.float64]
Turns = list[tuple[Values, Values]]

_BLOCK_QUBITS = 2
"""Constant matrices are multiplied out up to this width; wider ones cost more than they save."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Rotations that commute, so that one vector behind them all is enough."""

    rotations: list[PauliRotation]

    def turn(self, vectors: Values, turns: Turns, direction: float) -> None:
        """All rotations in place, or all back with direction −1."""
        for rotation, (sine, cosine) in zip(self.rotations, turns, strict=True):
            rotation.turn(vectors, direction * sine, cosine)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """A constant matrix on qubits in ascending order, the first one least significant."""

    qubits: tuple[int, ...]
    matrix: Values


class ReverseSweep:
    """A noisy circuit prepared for gradients; call it with angles and cotangents of its vectors.

    Parameters
    ----------
    ops : iterable of FlatOp
        Over bits, two for each qubit, in the order of application: constant matrices, and parametric gates behind
        `TRANSFER` or `TRANSPOSED`.
    num_qubits : int
    initial : ndarray of shape (4**num_qubits,), float64
        The vector that every row starts from.

    Attributes
    ----------
    num_kept : int
        Vectors that are kept for every row.
    nbytes : int
    """

    def __init__(self, ops: Iterable[FlatOp], num_qubits: int, initial: Values) -> None:
        self._n = num_qubits
        items = _Builder(num_qubits).build(ops)
        layers = [k for k, item in enumerate(items) if isinstance(item, _Layer)]
        self.num_kept = len(layers)
        start = layers[0] if layers else len(items)
        state = initial[:, None]
        for item in items[:start]:  # the constant beginning is evolved once, now
            if isinstance(item, _Block):
                state = _apply(item.matrix, item.qubits, state, num_qubits)
        self._initial, self._items, self._last = state, items[start:], (layers[-1] - start if layers else -1)
        self.nbytes = state.nbytes + sum(i.matrix.nbytes for i in self._items if isinstance(i, _Block)) + (1 << 12)

    def __call__(self, angles: Values, cotangents: Values) -> Values:
        """Derivatives of a scalar with respect to the angles.

        Parameters
        ----------
        angles : ndarray of shape (n_rows, n_angles), float64
        cotangents : ndarray of shape (4**num_qubits, n_rows), float64
            Derivatives of the scalar with respect to the vectors at the end.

        Returns
        -------
        ndarray of shape (n_rows, n_angles), float64
        """
        out = np.zeros(angles.shape[::-1])
        if not self.num_kept:
            return out.T
        shape = (*[4] * self._n, len(angles))
        columns = np.ascontiguousarray(angles.T)
        turns = [[r.sine_and_cosine(columns) for r in _rotations(item)] for item in self._items]
        kept = self._forward(turns, shape)
        back = np.array(cotangents, order="C")
        for item, turn in zip(reversed(self._items), reversed(turns), strict=True):
            if isinstance(item, _Block):
                back = _apply(item.matrix.T, item.qubits, back, self._n)
                continue
            vectors, behind = kept.pop().reshape(shape), back.reshape(shape)
            for rotation in item.rotations:
                if rotation.slot is not None:
                    out[rotation.slot] += rotation.factor * rotation.slope(vectors, behind)
            if kept:
                item.turn(behind, turn, -1.0)
        return out.T

    def _forward(self, turns: list[Turns], shape: tuple[int, ...]) -> list[Values]:
        """The vectors behind every layer."""
        kept: list[Values] = []
        state = np.repeat(self._initial, shape[-1], axis=1)
        for item, turn in zip(self._items[: self._last + 1], turns, strict=False):
            if isinstance(item, _Block):
                state = _apply(item.matrix, item.qubits, state, self._n)
                continue
            if kept and kept[-1] is state:
                state = state.copy()
            item.turn(state.reshape(shape), turn, 1.0)
            kept.append(state)
        return kept


def _rotations(item: _Layer | _Block) -> list[PauliRotation]:
    return item.rotations if isinstance(item, _Layer) else []


class _Builder:
    """Puts rotations into layers and constant matrices into blocks, as far forward as they can be moved."""

    def __init__(self, num_qubits: int) -> None:
        self._n = num_qubits
        self._items: list[_Layer | _Block | None] = []
        self._last: dict[int, int] = {}  # qubit → the latest item that acts on it

    def build(self, ops: Iterable[FlatOp]) -> list[_Layer | _Block]:
        for op in ops:
            qubits = tuple(bit // 2 for bit in op.qubits[::2])
            if op.matrix is not None:
                self._add_constant(qubits, np.asarray(op.matrix, dtype=np.float64))
                continue
            for rotation in rotations_of(op.name, qubits, op.angles, self._n):
                self._add_rotation(rotation)
        return [item for item in self._items if item is not None]

    def _add_rotation(self, rotation: PauliRotation) -> None:
        acting = rotation.letters
        floor = max((self._last[q] for q in acting if q in self._last), default=0)
        for place in range(floor, len(self._items)):
            layer = self._items[place]
            if isinstance(layer, _Layer) and all(rotation.commutes(r) for r in layer.rotations):
                layer.rotations.append(rotation)
                break
        else:
            place = len(self._items)
            self._items.append(_Layer([rotation]))
        self._last |= dict.fromkeys(acting, place)

    def _add_constant(self, qubits: tuple[int, ...], matrix: Values) -> None:
        union, parts = set(qubits), []
        for place in sorted({self._last[q] for q in qubits if q in self._last}):
            block = self._items[place]
            if not isinstance(block, _Block):
                continue
            if union <= set(block.qubits) and all(self._last[q] == place for q in qubits):
                self._items[place] = _product(block.qubits, [(block.qubits, block.matrix), (qubits, matrix)])
                return
            movable = all(self._last[q] == place for q in block.qubits)
            if movable and len(union | set(block.qubits)) <= max(_BLOCK_QUBITS, len(qubits)):
                union |= set(block.qubits)
                parts.append((block.qubits, block.matrix))
                self._items[place] = None
        self._last |= dict.fromkeys(union, len(self._items))
        self._items.append(_product(tuple(sorted(union)), [*parts, (qubits, matrix)]))


def _product(union: tuple[int, ...], parts: Sequence[tuple[tuple[int, ...], Values]]) -> _Block:
    """Matrices on some of the qubits multiplied out, the first one applied first."""
    if len(parts) == 1 and parts[0][0] == union:
        return _Block(union, parts[0][1])
    position = {q: k for k, q in enumerate(union)}
    matrix: Values = np.eye(4 ** len(union))
    for qubits, part in parts:
        matrix = _apply(part, tuple(position[q] for q in qubits), matrix, len(union))
    return _Block(union, matrix)


def _apply(matrix: Values, qubits: tuple[int, ...], vectors: Values, num_qubits: int) -> Values:
    """A transfer matrix on some qubits of vectors of shape (4**num_qubits, columns); a new array."""
    k, first = len(qubits), qubits[0]
    if qubits == tuple(range(first, first + k)):  # neighbours: no axes to move
        blocks = vectors.reshape(4 ** (num_qubits - k - first), 4**k, -1)
        return np.asarray(matrix @ blocks).reshape(vectors.shape)
    axes = [num_qubits - 1 - q for q in reversed(qubits)]
    moved = np.moveaxis(vectors.reshape(*[4] * num_qubits, -1), axes, range(k))
    product = (matrix @ moved.reshape(4**k, -1)).reshape(moved.shape)
    return np.asarray(np.moveaxis(product, range(k), axes).reshape(vectors.shape))
