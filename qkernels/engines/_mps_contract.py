"""Overlaps and expectation values of batches of matrix-product states, by sweeps along the line.

A sweep holds, for every pair (i, j), the matrix E_ij[a, b] = ⟨left part of state i with bond a|left part of j with b⟩.
It is laid out as [(i, a), (j, b)], so that a site is two batched matrix products without any copy in between:

    T[i, a, s, (j, b')] = Σ_b E[(i, a), (j, b)] B_j[b, s, b']        one product for each j and s, rows (i, a)
    E'[i, a', (j, b')]  = Σ_as conj(A_i[a, s, a']) T[i, a, s, (j, b')]     one product for each i
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_overlaps", "pair_overlaps", "pauli_expectations", "sweep_rows"]

Complex = NDArray[np.complex128]
Sites = Sequence[Complex]

_SWEEP_BYTES = 1 << 20
"""Work space of one sweep: it stays in a core's cache."""

_MOST_ROWS = 128
"""Rows and columns of a sweep at bond 1."""

_CHUNK_BYTES = 1 << 26
"""Work space for single pairs and for expectation values."""


def sweep_rows(max_bond: int) -> int:
    """Rows and columns of one sweep, so that T (32·rows²·bond² bytes) fits the cache.

    Odd, because strides that are powers of two fall on few cache lines and cost up to twice the time.
    """
    return max(1, min(_MOST_ROWS, isqrt(_SWEEP_BYTES // 32) // max_bond)) | 1


def block_overlaps(a: Sites, n_a: int, b: Sites, n_b: int) -> NDArray[np.float64]:
    """Overlaps |⟨a_i|b_j⟩|² of all pairs.

    Parameters
    ----------
    a, b : sequences of ndarray of shape (n or 1, left, d, right), complex128
    n_a, n_b : int
        States of either side.

    Returns
    -------
    ndarray of shape (n_a, n_b), float64
    """
    rows = sweep_rows(max(site.shape[3] for site in a))
    height = min(rows, n_a)
    width = max(1, rows * rows // height)
    out = np.empty((n_a, n_b))
    for i in range(0, n_a, height):
        i_stop = min(i + height, n_a)
        bras = select(a, slice(i, i_stop))
        for j in range(0, n_b, width):
            j_stop = min(j + width, n_b)
            amplitude = _sweep(bras, select(b, slice(j, j_stop)), i_stop - i, j_stop - j)
            out[i:i_stop, j:j_stop] = amplitude.real**2 + amplitude.imag**2
    return out


def select(sites: Sites, rows: slice | NDArray[np.intp]) -> list[Complex]:
    """Some of the states; a tensor that all states share stays as it is."""
    return [site if len(site) == 1 else site[rows] for site in sites]


def _sweep(a: Sites, b: Sites, n_a: int, n_b: int) -> Complex:
    """Amplitudes of all pairs, shape (n_a, n_b)."""
    environment = _first_columns(a[0], n_a).conj() @ _first_columns(b[0], n_b).T
    if len(a) == 1:
        return environment
    largest = max((left * d * right for _, left, d, right in (site.shape for site in b[1:-1])), default=0)
    half = np.empty(n_a * n_b * largest, dtype=complex)
    for bra, ket in zip(a[1:-1], b[1:-1], strict=True):
        environment = _step(environment, bra, ket, n_a, n_b, half)
    end = _last_columns(a[-1], n_a).conj() @ _last_columns(b[-1], n_b).T
    end *= environment
    return np.asarray(end.reshape(n_a, a[-1].shape[1], n_b, b[-1].shape[1]).sum(axis=(1, 3)))


def _first_columns(site: Complex, n: int) -> Complex:
    """The first tensor as rows (sample, bond) over the physical index."""
    _, _, d, right = site.shape
    return np.broadcast_to(site[:, 0].transpose(0, 2, 1), (n, right, d)).reshape(n * right, d)


def _last_columns(site: Complex, n: int) -> Complex:
    """The last tensor as rows (sample, bond) over the physical index."""
    _, left, d, _ = site.shape
    return np.broadcast_to(site[..., 0], (n, left, d)).reshape(n * left, d)


def _step(environment: Complex, bra: Complex, ket: Complex, n_a: int, n_b: int, half: Complex) -> Complex:
    """One site; `half` is work space for T."""
    _, left_a, d, right_a = bra.shape
    _, left_b, _, right_b = ket.shape
    half = half[: n_a * left_a * d * n_b * right_b]
    np.matmul(
        environment.reshape(n_a * left_a, n_b, left_b).transpose(1, 0, 2)[:, None],
        np.ascontiguousarray(ket.transpose(0, 2, 1, 3)),
        out=half.reshape(n_a * left_a, d, n_b, right_b).transpose(2, 1, 0, 3),
    )
    adjoint = np.ascontiguousarray(bra.reshape(len(bra), left_a * d, right_a).transpose(0, 2, 1).conj())
    product = adjoint @ half.reshape(n_a, left_a * d, n_b * right_b)
    return np.asarray(product.reshape(n_a * right_a, n_b * right_b))


def pair_overlaps(a: Sites, i: NDArray[np.intp], b: Sites, j: NDArray[np.intp]) -> NDArray[np.float64]:
    """Overlaps |⟨a_i|b_j⟩|² of single pairs, shape (n_pairs,)."""
    out = np.empty(len(i))
    for rows in _chunks(a, len(i)):
        amplitude: Complex = np.ones((1, 1, 1), dtype=complex)
        for bra, ket in zip(select(a, i[rows]), select(b, j[rows]), strict=True):
            amplitude = _advance(amplitude, bra, ket)
        out[rows] = amplitude[:, 0, 0].real ** 2 + amplitude[:, 0, 0].imag ** 2
    return out


def _chunks(sites: Sites, total: int) -> Iterator[slice]:
    """Ranges of samples whose environments at all sites fit into the work space."""
    entries = sum(site.shape[1] * (4 * site.shape[3] * site.shape[2] + site.shape[1]) for site in sites)
    rows = max(1, _CHUNK_BYTES // (16 * entries))
    return (slice(k, min(k + rows, total)) for k in range(0, total, rows))


def _advance(environment: Complex, bra: Complex, ket: Complex) -> Complex:
    """Environments [n, a, b] across one site, sample by sample."""
    _, left, d, right = ket.shape
    half = environment @ ket.reshape(len(ket), left, d * right)
    n, left_bra = half.shape[:2]
    adjoint = bra.reshape(len(bra), left_bra * d, -1).transpose(0, 2, 1).conj()
    return np.asarray(adjoint @ half.reshape(n, left_bra * d, right))


def _retreat(environment: Complex, site: Complex) -> Complex:
    """Environments of the right part, [n, a, b], across one site of bra = ket."""
    half = site.reshape(len(site), -1, site.shape[3]) @ environment.transpose(0, 2, 1)  # (n, (b, s), a')
    n = len(half)
    half = half.reshape(n, site.shape[1], -1)  # (n, b, (s, a'))
    return np.asarray(site.reshape(len(site), site.shape[1], -1).conj() @ half.transpose(0, 2, 1))


def pauli_expectations(sites: Sites, n: int, labels: Sequence[str]) -> NDArray[np.float64]:
    """Expectation values of Pauli strings.

    Parameters
    ----------
    sites : sequence of ndarray of shape (n or 1, left, 2, right), complex128
        One for each qubit.
    n : int
        States.
    labels : sequence of str
        Qiskit's order: the right-most letter is qubit 0.

    Returns
    -------
    ndarray of shape (n, n_labels), float64

    Notes
    -----
    Environments of both ends are shared by all strings, which then cost a sweep over their support only.
    """
    out = np.empty((n, len(labels)))
    for rows in _chunks(sites, n):
        tile = select(sites, rows)
        one: Complex = np.ones((1, 1, 1), dtype=complex)
        lefts, rights = [one], [one]
        for site in tile:
            lefts.append(_advance(lefts[-1], site, site))
        for site in reversed(tile):
            rights.append(_retreat(rights[-1], site))
        rights.reverse()  # rights[q] belongs to the bond left of qubit q
        for k, label in enumerate(labels):
            support = [q for q, letter in enumerate(reversed(label)) if letter != "I"]
            start, stop = (support[0], support[-1] + 1) if support else (0, 0)
            environment = lefts[start]
            for q in range(start, stop):
                environment = _advance(environment, tile[q], _apply_pauli(tile[q], label[-1 - q]))
            out[rows, k] = np.einsum("nab,nab->n", *np.broadcast_arrays(environment, rights[stop])).real
    return out


def _apply_pauli(site: Complex, letter: str) -> Complex:
    if letter == "I":
        return site
    flipped = site[:, :, ::-1] if letter in "XY" else site
    factors = {"X": (1.0, 1.0), "Y": (-1j, 1j), "Z": (1.0, -1.0)}[letter]
    return np.asarray(flipped * np.array(factors)[:, None])
