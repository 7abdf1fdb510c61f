"""Expectation values of Pauli strings from statevectors: one pass over the states for each set of flipped bits.

With P = i^y X_flip Z_mask (y letters Y, each i X Z) and c_b = conj(ψ_{b ⊕ flip}) ψ_b,

    ⟨ψ|P|ψ⟩ = Σ_b i^y (−1)^(mask·b) c_b = 2 Σ'_b (−1)^(mask·b) Re(i^y c_b),

because b and b ⊕ flip give complex conjugate terms; Σ' runs over the half of b whose highest flipped bit is 0. So all
strings that flip the same bits share c, and their values are one matrix product with a matrix of signs. Strings of I
and Z flip nothing: their values are |ψ|² times signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._blockwise import ranges
from qkernels.engines._parallel import run_tasks
from qkernels.engines._phase_run import signs

__all__ = ["PauliTable"]

Values = NDArray[np.float64]

_HIGH_BITS = 8
"""Bits summed by the matrix product; the few sums that are left over the other bits are cheap, and no sign matrix has
more than 2^8 columns."""

_TILE_BYTES = 1 << 20
"""States whose strings one thread evaluates together: a copy and the products stay in its cache."""

_LABELS_AT_ONCE = 64
"""Strings of one product, so that its work space stays below an eighth of the states'."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Strings with the same flipped bits and the same part of c.

    Attributes
    ----------
    flip : int
    of : {"re", "im"}
        Which part of c counts; c is real where nothing is flipped.
    columns : ndarray of shape (n_strings,), intp
        Where the values belong.
    high, low : ndarray of shape (n_strings, 2^bits), float64
        Signs (−1)^(mask·b) as a product over the high and the low bits of b, factors included in `high`.
    """

    flip: int
    of: Literal["re", "im"]
    columns: NDArray[np.intp]
    high: Values
    low: Values


class PauliTable:
    """Pauli strings grouped for batches of states; call it with states to get values.

    Parameters
    ----------
    labels : sequence of str
        Qiskit's order: the right-most letter is qubit 0.
    order : tuple of int
        Qubits of the state index, most significant bit first.

    Attributes
    ----------
    nbytes : int
        Bytes of the signs.
    """

    def __init__(self, labels: Sequence[str], order: tuple[int, ...]) -> None:
        self._num_bits = n = len(order)
        self._num_labels = len(labels)
        groups: dict[tuple[int, Literal["re", "im"]], list[tuple[int, int, float]]] = {}
        for k, label in enumerate(labels):
            by_bit = [(1 << (n - 1 - i), label[n - 1 - q]) for i, q in enumerate(order)]
            flip = sum(bit for bit, letter in by_bit if letter in "XY")
            mask = sum(bit for bit, letter in by_bit if letter in "ZY")
            turns = label.count("Y") % 4
            if flip:
                top = flip.bit_length() - 1  # 0 in the half that is summed: the bit drops out
                mask = (mask >> (top + 1)) << top | mask & ((1 << top) - 1)
            factor = (2.0 if flip else 1.0) * (-1.0 if turns in (1, 2) else 1.0)  # Re(i^y c) = c', −c'', −c', c''
            groups.setdefault((flip, "im" if turns % 2 else "re"), []).append((k, mask, factor))
        self._parts = [
            self._part(flip, of, strings[i : i + _LABELS_AT_ONCE])
            for (flip, of), strings in sorted(groups.items())
            for i in range(0, len(strings), _LABELS_AT_ONCE)
        ]
        self.nbytes = sum(part.high.nbytes + part.low.nbytes for part in self._parts)

    def _part(self, flip: int, of: Literal["re", "im"], strings: Sequence[tuple[int, int, float]]) -> _Part:
        columns, masks, factors = (list(column) for column in zip(*strings, strict=True))
        bits = self._num_bits - (1 if flip else 0)
        low_bits = max(0, bits - _HIGH_BITS)
        high = signs([m >> low_bits for m in masks], bits - low_bits) * np.array(factors)[:, None]
        return _Part(flip, of, np.array(columns), high, signs([m & ((1 << low_bits) - 1) for m in masks], low_bits))

    def __call__(self, planes: NDArray[np.floating[Any]]) -> Values:
        """Expectation values of a few states.

        Parameters
        ----------
        planes : ndarray of shape (2 or 1, n_samples, 2**num_qubits)
            Real and imaginary parts.

        Returns
        -------
        ndarray of shape (n_samples, n_labels), float64
        """
        # Samples last: then every flip is a slice of long rows, whichever bits it flips.
        states = [np.ascontiguousarray(plane.T, dtype=np.float64) for plane in planes]
        out = np.zeros((self._num_labels, planes.shape[1]))
        products = np.empty((2, *states[0].shape))
        seen: tuple[int, str] | None = None
        for part in self._parts:
            if len(states) == 1 and part.of == "im":
                continue  # c is real
            if seen != (part.flip, part.of):
                c = _products(states, part, products)
                seen = part.flip, part.of
            partial = part.high @ c.reshape(part.high.shape[1], -1)
            if part.low.shape[1] > 1:
                partial = (part.low[:, None] @ partial.reshape(*part.low.shape, -1))[:, 0]
            out[part.columns] = partial
        return out.T

    def by_tiles(self, planes: NDArray[np.floating[Any]]) -> Values:
        """Expectation values of any number of states, tile by tile on threads; shape (n_samples, n_labels)."""
        rows = max(1, _TILE_BYTES // (16 * planes.shape[2]))
        if rows >= planes.shape[1]:
            return self(planes)
        return np.concatenate(list(run_tasks(self, [(planes[:, part],) for part in ranges(planes.shape[1], rows)])))

    def cotangents(self, planes: NDArray[np.floating[Any]], weights: NDArray[np.floating[Any]]) -> Values:
        """Σ_k w_k P_k|ψ⟩ for a few states: the cotangents λ of Σ_k w_k⟨ψ|P_k|ψ⟩, with the derivative 2 Re⟨λ|∂ψ⟩.

        Parameters
        ----------
        planes : ndarray of shape (2 or 1, n_samples, 2**num_qubits)
            Real and imaginary parts.
        weights : ndarray of shape (n_samples, n_labels), float64

        Returns
        -------
        ndarray of the shape of `planes`, float64
            Of real states only the real part, as imaginary ones have no part in the derivative of a real state.
        """
        states = [np.ascontiguousarray(plane.T, dtype=np.float64) for plane in planes]
        out = [np.zeros_like(state) for state in states]
        sums: dict[tuple[int, str], Values] = {}
        for part in self._parts:
            if len(states) == 1 and part.of == "im":
                continue
            spread = weights[:, part.columns].T
            if part.low.shape[1] > 1:  # (strings, low, samples)
                spread = part.low[:, :, None] * spread[:, None]
            found = part.high.T @ spread.reshape(len(spread), -1)
            key = part.flip, part.of
            sums[key] = sums[key] + found if key in sums else found
        for (flip, of), found in sums.items():
            _add_products(states, out, flip, of, found.reshape(-1, weights.shape[0]))
        return np.stack([plane.T for plane in out])


def _add_products(states: list[Values], out: list[Values], flip: int, of: str, factors: Values) -> None:
    """Add the derivatives of Σ factors · c by conj(ψ), with the c of `_products`."""
    if not flip:
        for plane, state in zip(out, states, strict=True):
            plane += factors * state
        return
    halves, targets = [_halves(state, flip) for state in states], [_halves(plane, flip) for plane in out]
    half = 0.5 * factors.reshape(halves[0][0].shape)
    if of == "re":
        for (lower, upper), (to_lower, to_upper) in zip(halves, targets, strict=True):
            to_lower[...] += half * upper
            to_upper[...] += half * lower
        return
    (re, im), (to_re, to_im) = halves, targets
    to_re[1][...] += half * im[0]
    to_im[0][...] += half * re[1]
    to_im[1][...] -= half * re[0]
    to_re[0][...] -= half * im[1]


def _products(states: list[Values], part: _Part, space: Values) -> Values:
    """Re c or Im c over the half of b that counts, shape (2^(n−1) or 2^n, n_samples); `space` is written to."""
    size = len(states[0]) // (2 if part.flip else 1)
    halves = [_halves(state, part.flip) for state in states]
    shape = halves[0][0].shape
    c, other = (s[:size].reshape(shape) for s in space)
    if part.of == "re":
        np.multiply(halves[0][1], halves[0][0], out=c)
        if len(states) == 2:
            np.multiply(halves[1][1], halves[1][0], out=other)
            c += other
    else:
        np.multiply(halves[0][1], halves[1][0], out=c)
        np.multiply(halves[1][1], halves[0][0], out=other)
        c -= other
    return space[0, :size]


def _halves(state: Values, flip: int) -> tuple[Values, Values]:
    """ψ_b and ψ_{b ⊕ flip} for the b whose highest flipped bit is 0, as views; shape (…, n_samples)."""
    shape: list[int] = []
    lower: list[int | slice] = []
    upper: list[int | slice] = []
    run = 1
    for bit in reversed(range(len(state).bit_length() - 1)):
        if not flip >> bit & 1:
            run *= 2
            continue
        highest = bit == flip.bit_length() - 1
        shape += [run, 2]
        lower += [slice(None), 0 if highest else slice(None)]
        upper += [slice(None), 1 if highest else slice(None, None, -1)]
        run = 1
    tensor = state.reshape(*shape, run, state.shape[1])
    return tensor[tuple(lower)], tensor[tuple(upper)]
