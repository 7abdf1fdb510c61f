"""Executable steps of the exact engine and the layout of the state between them.

A tile of states is one array of shape (samples, 2^n), real while only real gates have acted, complex from then on.
The bits of its index are qubits in some order, the *layout*. A block is applied as a matrix product wherever its qubits
stand side by side; at the front or the back of the layout the product can leave them at either end at no cost, because
a matrix product takes transposed factors as they are. Which layouts a circuit goes through is chosen in `_layouts`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._arrays import Array, Workspace, complex_dtype, rotate, sincos
from qkernels.engines._blocks import Matrices, block_matrix, real_if_possible
from qkernels.engines._items import Node, choose_split, is_real_block
from qkernels.engines._phase_run import CONSTANT, PhaseRun, Signature, signs

__all__ = ["Block", "End", "Frame", "Layout", "Move", "PhaseStep", "Step", "Tile"]

Layout = tuple[int, ...]
"""Qubits of the state index, most significant bit first."""

End = Literal["front", "back", "middle"]

_PHASE_CHUNK = 1 << 14
"""Amplitudes of a wide run handled at once; their buffers stay in a 1 MiB cache."""


@dataclass(slots=True)
class Tile:
    """What a step needs beside the state: the tile's angles, its parametric gates, the namespace and real dtype."""

    xp: ModuleType
    dtype: Any
    angles: NDArray[np.float64]
    gates: dict[int, Matrices]
    workspace: Workspace | None = None
    factors: dict[int, tuple[Array, Array]] = field(default_factory=dict)
    """Phase factors that several steps of the tile share."""

    def array(self, constant: NDArray[Any]) -> Array:
        """A constant of a step in the tile's namespace and precision."""
        dtype = complex_dtype(self.xp, self.dtype) if np.iscomplexobj(constant) else self.dtype
        return constant.astype(dtype, copy=False) if self.xp is np else self.xp.asarray(constant, dtype=dtype)

    def matmul(self, a: Array, b: Array) -> Array:
        """Batched matrix product, into the workspace where there is one."""
        if self.workspace is None:
            wide = complex_dtype(self.xp, self.dtype)
            if a.dtype != b.dtype:  # namespaces other than NumPy do not promote here
                a, b = self.xp.astype(a, wide, copy=False), self.xp.astype(b, wide, copy=False)
            return a @ b
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        return np.matmul(a, b, out=self.workspace.take(shape, np.result_type(a, b)))


class Step(ABC):
    """One step: takes and returns an array of shape (samples or 1, 2^n)."""

    constant = False
    keeps_real = False

    @abstractmethod
    def __call__(self, state: Array, tile: Tile) -> Array:
        """Apply the step to a tile."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of constants held."""


class Move(Step):
    """Bring the qubits into another layout: one strided copy."""

    constant = True
    keeps_real = True
    nbytes = 0

    def __init__(self, before: Layout, after: Layout) -> None:
        runs: list[list[int]] = []  # neighbours that stay neighbours move as one axis
        for position in (before.index(q) for q in after):
            if runs and position == runs[-1][-1] + 1:
                runs[-1].append(position)
            else:
                runs.append([position])
        by_position = sorted(range(len(runs)), key=lambda r: runs[r][0])
        self._shape = tuple(2 ** len(runs[r]) for r in by_position)
        self._axes = (0, *(1 + by_position.index(r) for r in range(len(runs))))
        self._layouts = before, after

    @property
    def reversed(self) -> Move:
        """Back to the layout before."""
        before, after = self._layouts
        return Move(after, before)

    def __call__(self, state: Array, tile: Tile) -> Array:
        xp = tile.xp
        moved = xp.permute_dims(xp.reshape(state, (state.shape[0], *self._shape)), self._axes)
        if tile.workspace is not None:
            out = tile.workspace.take(moved.shape, moved.dtype)
            np.copyto(out, moved)
            moved = out
        return xp.reshape(moved, (state.shape[0], -1))


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the qubits of a block stand in the index of a state, and where a product leaves them.

    Attributes
    ----------
    left, right : int
        Dimensions of the qubits before and behind those of the block.
    end : {"front", "back", "middle"}
    """

    left: int
    right: int
    end: End

    @property
    def reversed(self) -> Frame:
        """From the layout behind the product to the one before it."""
        if self.end == "front" and self.right == 1:
            return Frame(1, self.left, "back")
        if self.end == "back" and self.left == 1:
            return Frame(self.right, 1, "front")
        return self

    def apply(self, state: Array, matrix: Array, tile: Tile) -> Array:
        """The product, shape (samples, 2^n); `matrix` has one for each sample, or is one for all."""
        xp, samples = tile.xp, state.shape[0]
        dim, left, right = matrix.shape[-1], self.left, self.right
        if self.end == "middle" or (self.end == "front" and left == 1):
            if matrix.ndim == 3 and left > 1:
                matrix = matrix[:, None, ...]
            pair = self._real_columns(state, matrix, tile)
            shape = (samples, left, dim, -1) if left > 1 else (samples, dim, -1)
            product = tile.matmul(matrix, xp.reshape(pair, shape))
            if pair is not state:
                product = xp.reshape(product, (product.shape[0], -1)).view(state.dtype)
        elif right == 1:
            rows = xp.reshape(state, (samples, left, dim))
            if self.end == "back" and matrix.ndim == 2:
                product = tile.matmul(xp.reshape(state, (-1, dim)), xp.matrix_transpose(matrix))
                return xp.reshape(product, (samples, -1))
            if self.end == "back":
                product = tile.matmul(rows, xp.matrix_transpose(matrix))
            else:
                product = tile.matmul(matrix, xp.matrix_transpose(rows))
        else:  # at the front, sent to the back
            columns = xp.matrix_transpose(xp.reshape(state, (samples, dim, right)))
            product = tile.matmul(columns, xp.matrix_transpose(matrix))
        return xp.reshape(product, (product.shape[0], -1))

    @staticmethod
    def _real_columns(state: Array, matrix: Array, tile: Tile) -> Array:
        """A complex state as twice as many real columns where the matrix is real (NumPy only): half the arithmetic."""
        if tile.workspace is not None and np.iscomplexobj(state) and not np.iscomplexobj(matrix):
            return state.view(tile.dtype)
        return state


class Block(Step):
    """A fused block as a matrix product: one matrix for all samples, or one per sample built for the tile.

    Parameters
    ----------
    node : Node
    before : layout
        The block's qubits stand side by side in it.
    end : {"front", "back", "middle"}
        Where the product leaves them.

    Attributes
    ----------
    node : Node
    qubits : list of int
        Most significant first.
    frame : Frame
    """

    def __init__(self, node: Node, before: Layout, end: End) -> None:
        self.node = node
        self.qubits = [q for q in before if q in node.qubits]
        self.constant = node.fixed
        first = before.index(self.qubits[0])
        self.frame = Frame(2**first, 2 ** (len(before) - first - len(self.qubits)), end)
        self._real = is_real_block(node)
        self._matrix = None
        if node.fixed:
            self._matrix = real_if_possible(block_matrix(node, self.qubits, {}))[0]
            self._real = not np.iscomplexobj(self._matrix)
        self.keeps_real = self._real

    @property
    def nbytes(self) -> int:
        return 0 if self._matrix is None else int(self._matrix.nbytes)

    def __call__(self, state: Array, tile: Tile) -> Array:
        return self.frame.apply(state, tile.array(self.matrix(tile.gates)), tile)

    def matrix(self, gates: dict[int, Matrices], *, keep: bool = False) -> NDArray[Any]:
        """Its matrix, or one for each row of angles; with `keep`, those of its parts are added to `gates`."""
        if self._matrix is not None:
            return np.asarray(self._matrix)
        if id(self) in gates:
            return gates[id(self)]
        blocks = block_matrix(self.node, self.qubits, gates, keep=keep)
        blocks = blocks[0] if len(blocks) == 1 else blocks  # one row of angles for all states
        return blocks.real if self._real else blocks


class PhaseStep(Step):
    """A wide run: phases of all basis states, sine and cosine, one rotation, and at the end a bit permutation.

    Qubits are split into a high and a low half. A term Z_S is Z_high(S) · Z_low(S), so the phases follow from two
    matrix products over the distinct halves instead of one over all terms; where no term crosses a split, the phase
    factors are an outer product and only 2^high + 2^low sines are needed.
    """

    def __init__(self, run: PhaseRun, layout: Layout, shared: int | None = None) -> None:
        self._shared = shared
        self._per_row = run.per_row
        n = len(layout)
        bit = {q: n - 1 - i for i, q in enumerate(layout)}
        terms = {_remap(mask, bit): weight for mask, weight in run.terms.items()}
        low, self._crossing = choose_split(list(terms), n)
        self._num_bits = n
        highs = sorted({mask >> low for mask in terms})
        lows = sorted({mask & ((1 << low) - 1) for mask in terms})
        slots = sorted({s for weight in terms.values() for s in weight if s != CONSTANT})
        weights = np.zeros((len(slots) + 1, len(highs), len(lows)))
        for mask, weight in terms.items():
            row, column = highs.index(mask >> low), lows.index(mask & ((1 << low) - 1))
            for slot, value in weight.items():
                weights[slots.index(slot) if slot != CONSTANT else -1, row, column] += value
        self.slots = np.asarray(slots, dtype=np.intp)
        z_high, z_low = signs(highs, n - low), signs(lows, low)
        self._num_lows = len(lows)
        if self._crossing:
            self._weights = weights.reshape(len(slots) + 1, -1)
            self._z_high, self._z_low = np.ascontiguousarray(z_high.T), z_low
        else:
            only_high = weights[:, :, [m == 0 for m in lows]].sum(axis=2)
            only_low = weights[:, [m == 0 for m in highs], :].sum(axis=1)
            self._weights = np.empty((0, 0))
            self._z_high, self._z_low = only_high @ z_high, only_low @ z_low
        self._gather: NDArray[np.intp] | None = None
        if not run.is_diagonal:
            inverse = np.argsort(run.output_index())  # out[b] = in[inverse[b]], in Qiskit's bit order
            to_standard = _basis_states(bit, n)  # position in this layout → basis state
            self._gather = np.argsort(to_standard)[inverse[to_standard]]
            self._scatter = np.argsort(self._gather)

    @property
    def nbytes(self) -> int:
        gather = 0 if self._gather is None else self._gather.nbytes
        return int(self._weights.nbytes + self._z_high.nbytes + self._z_low.nbytes + 2 * gather)

    def __call__(self, state: Array, tile: Tile) -> Array:
        xp = tile.xp
        angles = self._angles(tile)
        n = max(angles.shape[0], state.shape[0])
        if tile.workspace is None:
            cosine, sine = self._factors(angles, tile)
            state = rotate(xp, state, cosine, sine, None)
            return state if self._gather is None else xp.take(state, xp.asarray(self._gather), axis=1)
        out = tile.workspace.take((n, state.shape[1]), complex_dtype(np, tile.dtype))
        rows = max(1, _PHASE_CHUNK >> self._num_bits)
        one_row = angles.shape[0] == 1  # its factors serve all states
        kept, first = None, True
        if self._shared is not None:
            first = self._shared not in tile.factors
            shape = (angles.shape[0], state.shape[1])
            kept = tile.factors.setdefault(self._shared, (np.empty(shape, tile.dtype), np.empty(shape, tile.dtype)))
        for start in range(0, n, rows):  # in parts that stay in the cache through all passes
            part = slice(start, start + rows)
            own = slice(None) if one_row else part
            fresh = first and (start == 0 or not one_row)
            if kept is not None:
                cosine, sine = kept[0][own], kept[1][own]
                if fresh:
                    cosine[...], sine[...] = self._factors(angles[own], tile)
            elif fresh:
                cosine, sine = self._factors(angles[own], tile)
            rotate(np, state if state.shape[0] == 1 else state[part], cosine, sine, out[part])
        if self._gather is None:
            return out
        gathered = tile.workspace.take(out.shape, out.dtype)
        return np.take(out, self._gather, axis=1, out=gathered, mode="clip")  # "raise" would buffer the output

    def back(self, states: NDArray[Any], tile: Tile) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Undo the run on states and on their cotangents (NumPy only).

        Parameters
        ----------
        states : ndarray of shape (2 * n_samples, 2^n), complex128
            The states behind the run, then the cotangents λ of the same samples.
        tile : Tile

        Returns
        -------
        states : ndarray of the same shape
            Before the run.
        slopes : ndarray of shape (n_samples, n_slots), float64
            2 Re⟨λ|∂ψ⟩ with respect to the angles in `slots`.
        """
        workspace, n = tile.workspace, len(states) // 2
        if workspace is None:
            raise ValueError("gradients are evaluated by NumPy")
        if self._gather is not None:
            states = np.take(states, self._scatter, axis=1, out=workspace.take(states.shape, states.dtype), mode="clip")
        cosine, sine = self._factors(self._angles(tile), tile)
        factors = np.empty(cosine.shape, dtype=complex)
        factors.real = cosine
        np.negative(sine, out=factors.imag)
        out = workspace.take((2, n, states.shape[1]), complex)
        slopes = np.empty((n, len(self.slots)))
        rows = max(1, _PHASE_CHUNK >> self._num_bits)
        for start in range(0, n, rows):
            part = slice(start, min(start + rows, n))
            own = factors if len(factors) == 1 else factors[part]
            psi, cotangent = states[part], states[n + part.start : n + part.stop]
            slopes[part] = self._weighed(cotangent.imag * psi.real - cotangent.real * psi.imag)
            np.multiply(psi, own, out=out[0, part])
            np.multiply(cotangent, own, out=out[1, part])
        return out.reshape(2 * n, -1), slopes

    def _weighed(self, products: NDArray[np.float64]) -> NDArray[np.float64]:
        """Twice the sums over all basis states of products times what a unit of every angle adds to the phase."""
        n = len(products)
        if self._crossing:
            sums = products.reshape(n, -1, self._z_low.shape[1]) @ self._z_low.T
            sums = self._z_high.T @ sums
            return np.asarray(2.0 * (sums.reshape(n, -1) @ self._weights[:-1].T))
        halves = products.reshape(n, self._z_high.shape[1], self._z_low.shape[1])
        found = halves.sum(axis=2) @ self._z_high[:-1].T
        found += halves.sum(axis=1) @ self._z_low[:-1].T
        return np.asarray(2.0 * found)

    def _angles(self, tile: Tile) -> Array:
        """The angles of the run and a 1 for its constant phases; one row where they are the same for all samples."""
        rows = tile.angles if self._per_row else tile.angles[:1]
        return tile.array(np.concatenate([rows[:, self.slots], np.ones((len(rows), 1))], axis=1))

    def forget_unless_repeated(self, wide: Sequence[tuple[Signature, Layout]]) -> None:
        """Share factors only with a step of the same phases in the same layout."""
        if self._shared is not None and wide.count(wide[self._shared]) == 1:
            self._shared = None

    def _factors(self, angles: Array, tile: Tile) -> tuple[Array, Array]:
        """Cosine and sine of the phases of all basis states, shape (samples, 2^n)."""
        xp, n = tile.xp, angles.shape[0]
        if self._crossing:
            weights = xp.reshape(angles @ tile.array(self._weights), (n, -1, self._num_lows))
            halves = tile.array(self._z_high) @ weights
            phases = xp.reshape(halves, (-1, self._num_lows)) @ tile.array(self._z_low)
            sine, cosine = sincos(xp, xp.reshape(phases, (n, -1)))
            return cosine, sine
        sine_h, cosine_h = sincos(xp, angles @ tile.array(self._z_high))
        sine_l, cosine_l = sincos(xp, angles @ tile.array(self._z_low))
        sine_h, cosine_h = sine_h[:, :, None], cosine_h[:, :, None]
        sine_l, cosine_l = sine_l[:, None, :], cosine_l[:, None, :]
        cosine = cosine_h * cosine_l - sine_h * sine_l
        sine = sine_h * cosine_l + cosine_h * sine_l
        return xp.reshape(cosine, (n, -1)), xp.reshape(sine, (n, -1))


def _remap(mask: int, bit: dict[int, int]) -> int:
    return sum(1 << position for q, position in bit.items() if mask >> q & 1)


def _basis_states(bit: dict[int, int], n: int) -> NDArray[np.intp]:
    """Basis state (Qiskit order) at every position of a layout."""
    position = np.arange(1 << n)
    out = np.zeros_like(position)
    for q, p in bit.items():
        out |= (position >> p & 1) << q
    return out.astype(np.intp)
