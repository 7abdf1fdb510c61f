"""Executable steps of the exact engine and the layout of the state between them.

A tile of states is one real array of shape (samples, 2, …, 2). Every axis has a label: a qubit, or `C`, the axis that
tells real from imaginary part and is absent while a state is real. Treating C as one more two-valued axis makes every
fused block a real matrix product, on any array namespace. Where an axis stands is decided when the steps are made, and
it stays where a step leaves it, so qubits are moved only when a block needs them side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._arrays import Array, as_namespace_array, complex_rotate, sincos
from qkernels.engines._blocks import Matrices, block_matrix, is_real_block, real_embedding, real_part_if_real
from qkernels.engines._fusion import Item, Node, Wide
from qkernels.engines._phase_run import CONSTANT, PhaseRun, parity

__all__ = ["C", "Step", "Tile", "make_step"]

C = -1
"""Label of the axis (real part, imaginary part)."""

_MIN_COLUMNS = 8
"""A matrix product over fewer columns is slower than moving the axes to the end first."""


@dataclass(slots=True)
class Tile:
    """What a step needs beside the state: the tile's angles, its parametric gates, the namespace and real dtype."""

    xp: ModuleType
    dtype: Any
    angles: NDArray[np.float64]
    gates: dict[int, Matrices]


class Step:
    """One step: takes and returns an array of shape (samples or 1, 2^axes)."""

    constant = False

    def __init__(self, before: Sequence[int]) -> None:
        self.before = tuple(before)
        self.after = self.before

    def __call__(self, state: Array, tile: Tile) -> Array:
        raise NotImplementedError  # abstract

    @property
    def nbytes(self) -> int:
        """Bytes of constants held by the step."""
        return 0


class _Move:
    """Bring axes into another order; nothing where they are in it already."""

    def __init__(self, before: Sequence[int], after: Sequence[int]) -> None:
        self._shape, self._axes = _collapsed(before, after)

    def __call__(self, state: Array, tile: Tile) -> Array:
        if not self._axes:
            return state
        moved = tile.xp.permute_dims(state.reshape(state.shape[0], *self._shape), (0, *self._axes))
        return tile.xp.reshape(moved, (state.shape[0], -1))


def _collapsed(before: Sequence[int], after: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and axis permutation with neighbours that stay neighbours merged into one axis."""
    where = [list(before).index(label) for label in after]
    if where == sorted(where):
        return (), ()
    runs: list[list[int]] = []
    for position in where:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    by_position = sorted(range(len(runs)), key=lambda r: runs[r][0])
    shape = tuple(2 ** len(runs[r]) for r in by_position)
    axes = tuple(1 + by_position.index(r) for r in range(len(runs)))
    return shape, axes


class ConstantBlock(Step):
    """A data-independent block as one real matrix product over the whole tile."""

    constant = True

    def __init__(self, node: Node, before: Sequence[int]) -> None:
        super().__init__(before)
        qubits = [label for label in before if label in node.qubits]
        matrix = block_matrix(node, qubits, {})
        real = real_part_if_real(matrix)
        labels = qubits
        if real is None and C in before:
            labels = [label for label in before if label in node.qubits or label == C]
            real = _move_rows_and_columns(real_embedding(matrix, False), [C, *qubits], labels)
            out = labels
        elif real is None:
            real, out = real_embedding(matrix, True), [C, *qubits]
        else:
            out = labels
        first = self.before.index(labels[0])
        contiguous = list(self.before[first : first + len(labels)]) == labels
        columns = 2 ** (len(self.before) - first - len(labels))
        if contiguous and (columns == 1 or columns >= _MIN_COLUMNS):
            arranged = self.before
        else:
            arranged = (*(label for label in self.before if label not in labels), *labels)
            first, columns = len(self.before) - len(labels), 1
        self._move = _Move(self.before, arranged)
        self._columns = columns
        self._matrix = real[0] if columns > 1 else np.ascontiguousarray(real[0].T)
        self.after = (*arranged[:first], *out, *arranged[first + len(labels) :])

    @property
    def nbytes(self) -> int:
        return int(self._matrix.nbytes)

    def __call__(self, state: Array, tile: Tile) -> Array:
        state = self._move(state, tile)
        matrix = as_namespace_array(tile.xp, self._matrix, tile.dtype)
        if self._columns == 1:
            product = tile.xp.reshape(state, (-1, matrix.shape[0])) @ matrix
        else:
            product = matrix @ tile.xp.reshape(state, (-1, matrix.shape[1], self._columns))
        return tile.xp.reshape(product, (state.shape[0], -1))


def _move_rows_and_columns(
    matrix: NDArray[np.float64], before: Sequence[int], after: Sequence[int]
) -> NDArray[np.float64]:
    """Reorder the bits that index rows and columns of a matrix of shape (1, 2^m, 2^m)."""
    m = len(before)
    axes = [list(before).index(label) for label in after]
    tensor = matrix.reshape([2] * (2 * m)).transpose([*axes, *(m + a for a in axes)])
    return np.ascontiguousarray(tensor.reshape(1, 2**m, 2**m))


class SampleBlock(Step):
    """A data-dependent block: one small matrix per sample, built for the tile and applied as a batched product."""

    def __init__(self, node: Node, before: Sequence[int]) -> None:
        super().__init__(before)
        self._node = node
        self._qubits = [label for label in before if label in node.qubits]
        self._real = is_real_block(node)
        self._from_real = C not in before
        inside = self._qubits if self._real or self._from_real else [C, *self._qubits]
        rest = [label for label in before if label not in inside]
        first = self.before.index(inside[0])
        columns = 2 ** (len(before) - first - len(inside))
        if list(self.before[first : first + len(inside)]) == inside and columns >= _MIN_COLUMNS:
            arranged, self._left = self.before, 2**first
        else:
            arranged, self._left, first = (*inside, *rest), 1, 0
        self._move = _Move(self.before, arranged)
        out = self._qubits if self._real else [C, *self._qubits]
        self.after = (*arranged[:first], *out, *arranged[first + len(inside) :])

    def __call__(self, state: Array, tile: Tile) -> Array:
        state = self._move(state, tile)
        matrix = block_matrix(self._node, self._qubits, tile.gates)
        real = matrix.real if self._real else real_embedding(matrix, self._from_real)
        small = as_namespace_array(tile.xp, real[:, None] if self._left > 1 else real, tile.dtype)
        lead = (state.shape[0], self._left) if self._left > 1 else (state.shape[0],)
        product = small @ tile.xp.reshape(state, (*lead, small.shape[-1], -1))
        return tile.xp.reshape(product, (product.shape[0], -1))


class PhaseStep(Step):
    """A wide run: phases of all basis states, sine and cosine, one rotation, and at the end a bit permutation.

    Qubits are split into a high and a low half. A term Z_S is Z_high(S) · Z_low(S), so the phases follow from two
    matrix products over the distinct halves instead of one over all terms; where no term crosses a split, the phase
    factors are an outer product and only 2^high + 2^low sines are needed.
    """

    def __init__(self, run: PhaseRun, before: Sequence[int]) -> None:
        super().__init__(before)
        self._real_input = C not in before
        qubits = [label for label in before if label != C]
        self._planes = 2 ** self.before.index(C) if not self._real_input else 1  # qubit values before C
        self.after = (C, *qubits)
        n = len(qubits)
        bit = {q: n - 1 - i for i, q in enumerate(qubits)}
        terms = {_remap(mask, bit): weight for mask, weight in run.terms.items()}
        low, self._crossing = _choose_split(list(terms), n)
        self._low, self._high = low, n - low
        highs = sorted({mask >> low for mask in terms})
        lows = sorted({mask & ((1 << low) - 1) for mask in terms})
        slots = sorted({s for weight in terms.values() for s in weight if s != CONSTANT})
        weights = np.zeros((len(slots) + 1, len(highs), len(lows)))
        for mask, weight in terms.items():
            h, l = highs.index(mask >> low), lows.index(mask & ((1 << low) - 1))
            for slot, value in weight.items():
                weights[slots.index(slot) if slot != CONSTANT else -1, h, l] += value
        self._slots = np.asarray(slots, dtype=np.intp)
        z_high, z_low = _signs(highs, self._high), _signs(lows, low)
        if self._crossing:
            self._weights, self._z_high, self._z_low = weights, np.ascontiguousarray(z_high.T), z_low
        else:
            on_high = np.array([h != 0 for h in highs])
            on_low = np.array([l != 0 for l in lows])
            zero_l, zero_h = (~on_low).nonzero()[0], (~on_high).nonzero()[0]
            self._weights = weights
            self._z_high = weights[:, on_high][:, :, zero_l].sum(axis=2) @ z_high[on_high]
            self._z_low = weights[:, zero_h][:, :, on_low].sum(axis=1) @ z_low[on_low]
        self._gather: NDArray[np.intp] | None = None
        if not run.is_diagonal:
            inverse = np.argsort(run.output_index())  # out[b] = in[inverse[b]], in Qiskit's bit order
            to_standard = _reorder_index(bit, n)  # position in this layout → basis state
            self._gather = np.argsort(to_standard)[inverse[to_standard]]

    @property
    def nbytes(self) -> int:
        gather = 0 if self._gather is None else self._gather.nbytes
        return int(self._weights.nbytes + self._z_high.nbytes + self._z_low.nbytes + gather)

    def __call__(self, state: Array, tile: Tile) -> Array:
        xp = tile.xp
        coefficients = np.concatenate([tile.angles[:, self._slots], np.ones((len(tile.angles), 1))], axis=1)
        angles = as_namespace_array(xp, coefficients, tile.dtype)
        re, im = self._split(state, xp)
        if self._crossing:
            flat = as_namespace_array(xp, self._weights.reshape(len(self._slots) + 1, -1), tile.dtype)
            weights = xp.reshape(angles @ flat, (angles.shape[0], *self._weights.shape[1:]))
            halves = as_namespace_array(xp, self._z_high, tile.dtype) @ weights
            phases = xp.reshape(halves, (-1, halves.shape[-1])) @ as_namespace_array(xp, self._z_low, tile.dtype)
            shape = re.shape[1:]
            sine, cosine = sincos(xp, xp.reshape(phases, (angles.shape[0], *shape)))
            state = complex_rotate(xp, re, im, cosine, sine)
        else:
            state = self._rotate_outer(re, im, angles, tile)
        if self._gather is not None:
            state = xp.take(xp.reshape(state, (state.shape[0], 2, -1)), self._index(xp), axis=2)
        return xp.reshape(state, (state.shape[0], -1))

    def _rotate_outer(self, re: Array, im: Array | None, angles: Array, tile: Tile) -> Array:
        xp = tile.xp
        sine_h, cosine_h = sincos(xp, angles @ as_namespace_array(xp, self._z_high, tile.dtype))
        sine_l, cosine_l = sincos(xp, angles @ as_namespace_array(xp, self._z_low, tile.dtype))
        n = angles.shape[0]
        cosine_h, sine_h = xp.reshape(cosine_h, (n, -1, 1)), xp.reshape(sine_h, (n, -1, 1))
        cosine_l, sine_l = xp.reshape(cosine_l, (n, 1, -1)), xp.reshape(sine_l, (n, 1, -1))
        both = complex_rotate(xp, cosine_h, sine_h, cosine_l, sine_l)
        return complex_rotate(
            xp, re, im, xp.reshape(both[:, 0, ...], (n, *re.shape[1:])), xp.reshape(both[:, 1, ...], (n, *re.shape[1:]))
        )

    def _split(self, state: Array, xp: ModuleType) -> tuple[Array, Array | None]:
        if self._real_input:
            return xp.reshape(state, (state.shape[0], 1, -1)), None
        planes = xp.reshape(state, (state.shape[0], self._planes, 2, -1))
        return planes[:, :, 0, :], planes[:, :, 1, :]

    def _index(self, xp: ModuleType) -> Array:
        return self._gather if xp is np else xp.asarray(self._gather)


def _remap(mask: int, bit: dict[int, int]) -> int:
    return sum(1 << position for q, position in bit.items() if mask >> q & 1)


def _signs(masks: Sequence[int], num_bits: int) -> NDArray[np.float64]:
    b = np.arange(1 << num_bits)
    return np.stack([1.0 - 2.0 * parity(b & mask) for mask in masks])


def _choose_split(masks: Sequence[int], n: int) -> tuple[int, bool]:
    """Bits in the low half: the split nearest the middle that no term crosses, else the middle."""
    for low in sorted(range(1, n), key=lambda p: abs(2 * p - n)):
        if all(mask >> low == 0 or mask & ((1 << low) - 1) == 0 for mask in masks):
            return low, False
    return n // 2, True


def _reorder_index(bit: dict[int, int], n: int) -> NDArray[np.intp]:
    """Basis state (Qiskit order) at every position of a layout."""
    position = np.arange(1 << n)
    out = np.zeros_like(position)
    for q, p in bit.items():
        out |= (position >> p & 1) << q
    return out.astype(np.intp)


def make_step(item: Item, before: Sequence[int]) -> Step:
    """The executable step of a scheduled item, for the layout that the previous step leaves."""
    if isinstance(item, Wide):
        return PhaseStep(item.run, before)
    return ConstantBlock(item, before) if item.constant else SampleBlock(item, before)
