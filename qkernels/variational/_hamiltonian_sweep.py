"""The numerical part of HamiltonianEmbedding: states after every layer, and the reverse sweep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qkernels.variational._blocks import SU4_GENERATORS, SU4_SIZE
from qkernels.variational._patterns import brick_pairs

__all__ = ["EmbeddedMatrices", "LayerMatrices", "Trace", "backward", "evolve", "layer_matrices"]

Complex = NDArray[np.complex128]
Real64 = NDArray[np.float64]

_PAULI: dict[str, Complex] = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]).astype(complex),
}


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedMatrices:
    """Data matrices in the form that the evaluation needs: H_M = Q diag(E) Qᵀ.

    Attributes
    ----------
    energies : ndarray of shape (n_samples, dim), float64
        Eigenvalues E of H_M, in the unit of the data.
    vectors : ndarray of shape (n_samples, dim, dim), float64
        Eigenvectors in the columns.
    """

    energies: Real64
    vectors: Real64


class LayerMatrices(NamedTuple):
    """Trainable layers V of shape (L, dim, dim); products of the gates before and from each, (m + 1, L, dim, dim)."""

    unitaries: Complex
    prefixes: Complex
    suffixes: Complex


class Trace(NamedTuple):
    """What the reverse sweep needs: phases, states in the eigenbasis after W, the same in the basis of the qubits."""

    phases: Complex
    inner: Complex
    encoded: Complex
    final: Complex


@cache
def _generators(num_qubits: int) -> Complex:
    """Pauli operators of all angles of a layer, in the order of the gates, shape (m, dim, dim)."""

    def operator(factors: dict[int, str]) -> Complex:
        matrix = np.eye(1, dtype=complex)
        for q in reversed(range(num_qubits)):
            matrix = np.kron(matrix, _PAULI[factors.get(q, "I")])
        return matrix

    return np.array(
        [
            operator(dict(zip(pair, letters, strict=True)) if place is None else {pair[place]: letters})
            for pair in brick_pairs(range(num_qubits))
            for letters, place in SU4_GENERATORS
        ]
    )


def layer_matrices(angles: Real64) -> LayerMatrices:
    """Matrices of all layers for angles of shape (L, m)."""
    num_layers, count = angles.shape
    generators = _generators(count // SU4_SIZE + 1)
    dim = generators.shape[1]
    cosines, sines = np.cos(angles / 2)[..., None, None], np.sin(angles / 2)[..., None, None]
    gates = cosines * np.eye(dim) - 1j * sines * generators
    prefixes = np.empty((count + 1, num_layers, dim, dim), dtype=complex)
    suffixes = np.empty_like(prefixes)
    prefixes[0] = suffixes[count] = np.eye(dim)
    for j in range(count):
        prefixes[j + 1] = gates[:, j] @ prefixes[j]
        suffixes[count - 1 - j] = suffixes[count - j] @ gates[:, count - 1 - j]
    return LayerMatrices(prefixes[count], prefixes, suffixes)


def evolve(data: EmbeddedMatrices, times: Real64, layers: LayerMatrices) -> Trace:
    """Run all layers on every sample, from the uniform superposition."""
    num_samples, dim = data.energies.shape
    phases = np.exp(-0.5j * times[:, None, None] * data.energies)
    inner = np.empty((len(times), num_samples, dim), dtype=complex)
    encoded = np.empty_like(inner)
    state = np.full((num_samples, dim), dim**-0.5, dtype=complex)
    for k, phase in enumerate(phases):
        inner[k] = phase * _into_eigenbasis(data, state)
        encoded[k] = _out_of_eigenbasis(data, inner[k])
        state = _apply(layers.unitaries[k], encoded[k])
    return Trace(phases, inner, encoded, state)


def backward(data: EmbeddedMatrices, trace: Trace, layers: LayerMatrices, weights: Real64) -> tuple[Real64, Real64]:
    """Gradient of Σ c p by times (L,) and angles (L, m), from d(Σ c p) = 2 Re⟨λ|dψ⟩ with λ = c ψ at the end."""
    num_layers, _, dim = trace.inner.shape
    adjoint = weights * trace.final
    by_time = np.empty(num_layers)
    outer = np.empty((num_layers, dim, dim), dtype=complex)
    for k in reversed(range(num_layers)):
        outer[k] = np.einsum("na,nb->ab", trace.encoded[k], adjoint.conj())
        inner = _into_eigenbasis(data, _apply(layers.unitaries[k].conj().T, adjoint))
        by_time[k] = np.sum(data.energies * (inner.conj() * trace.inner[k]).imag)
        adjoint = _out_of_eigenbasis(data, trace.phases[k].conj() * inner)
    # dV/dθ_j = (gates after j) (−i P_j/2) (gates up to j), and the gradient is 2 Re tr(dV · outer)
    around = layers.prefixes[1:] @ outer @ layers.suffixes[1:]
    generators = _generators(dim.bit_length() - 1)
    return by_time, np.asarray(np.einsum("jab,jlba->lj", generators, around).imag)


def _into_eigenbasis(data: EmbeddedMatrices, states: Complex) -> Complex:
    return _apply(data.vectors.transpose(0, 2, 1), states)


def _out_of_eigenbasis(data: EmbeddedMatrices, states: Complex) -> Complex:
    return _apply(data.vectors, states)


def _apply(matrices: Complex | Real64, states: Complex) -> Complex:
    """Matrix times the state of every sample.

    One small product per sample, also where all share the matrix: a single tall product would be split over the
    threads of BLAS, which costs several times more than the arithmetic.
    """
    return np.asarray(np.matmul(matrices, states[..., None])[..., 0])
