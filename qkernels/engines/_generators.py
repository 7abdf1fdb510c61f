"""Derivatives of the parametric gates: the K of ∂G = K G for each of a gate's angles, and the slopes that follow.

With E = Σ conj(λ) ψᵀ on the qubits of a gate, over states ψ behind it and their cotangents λ, the derivative of the
scalar is 2 Re Σ_ab K_ab E_ab. K does not depend on the angle of a gate exp(αK); of gates with two or three angles it
depends on some of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkernels.circuits import FlatOp, gate_matrices

__all__ = ["SlopeTable", "generators"]

Values = NDArray[np.float64]
Matrices = NDArray[np.complex128]

_X, _Y = np.array([[0, 1], [1, 0]], dtype=complex), np.array([[0, -1j], [1j, 0]])
_Z, _ONE = np.diag([1.0 + 0j, -1.0]), np.diag([0j, 1.0])


def _kron(first: Matrices, second: Matrices) -> Matrices:
    """On two qubits, the first one least significant."""
    return np.kron(second, first).astype(np.complex128)


_CONSTANT: dict[str, Matrices] = {
    "rx": -0.5j * _X,
    "ry": -0.5j * _Y,
    "rz": -0.5j * _Z,
    "p": 1j * _ONE,
    "u1": 1j * _ONE,
    "cp": 1j * _kron(_ONE, _ONE),
    "cu1": 1j * _kron(_ONE, _ONE),
    "crx": -0.5j * _kron(_ONE, _X),
    "cry": -0.5j * _kron(_ONE, _Y),
    "crz": -0.5j * _kron(_ONE, _Z),
    "rzz": -0.5j * _kron(_Z, _Z),
    "rxx": -0.5j * _kron(_X, _X),
    "ryy": -0.5j * _kron(_Y, _Y),
    "rzx": -0.5j * _kron(_Z, _X),
}


def generators(name: str, angles: Values) -> list[Matrices]:
    """K for every angle of a gate.

    Parameters
    ----------
    name : str
        A parametric gate.
    angles : ndarray of shape (n, n_angles), float64

    Returns
    -------
    list of ndarray of shape (n or 1, 2**q, 2**q), complex128
    """
    if name in _CONSTANT:
        return [_CONSTANT[name][None]]
    gates = gate_matrices(name, angles)
    if name == "r":  # RZ(φ) RX(θ) RZ(−φ)
        axis = angles[:, 1]
        return [_off_diagonal(-0.5j * np.exp(-1j * axis), -0.5j * np.exp(1j * axis)), 0.5j * (_turned(gates, _Z) - _Z)]
    # P(φ) RY(θ) P(λ), where u2 has no θ
    phi = np.exp(1j * angles[:, -2])
    found = [_off_diagonal(-0.5 * phi.conj(), 0.5 * phi), 1j * _ONE[None], 1j * _turned(gates, _ONE)]
    return found[1:] if name == "u2" else found


def _off_diagonal(upper: NDArray[np.complex128], lower: NDArray[np.complex128]) -> Matrices:
    found = np.zeros((len(upper), 2, 2), dtype=complex)
    found[:, 0, 1], found[:, 1, 0] = upper, lower
    return found


def _turned(gates: Matrices, generator: Matrices) -> Matrices:
    """G K G†: a generator before the gate as one behind it."""
    return np.asarray(gates @ generator @ gates.conj().swapaxes(-1, -2))


class SlopeTable:
    """Collects E behind every parametric gate, and evaluates gates of one name together."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[FlatOp, NDArray[np.complex128] | Values]]] = {}

    def add(self, op: FlatOp, reduced: Matrices | Values) -> None:
        """E of a gate, shape (n_rows, 2**q, 2**q)."""
        self._found.setdefault(op.name, []).append((op, reduced))

    def add_slopes(self, angles: Values, out: Values) -> None:
        """Add the derivatives with respect to the angles.

        Parameters
        ----------
        angles : ndarray of shape (n_rows, n_angles), float64
        out : ndarray of shape (n_rows, n_angles), float64
            Written to.
        """
        for name, found in self._found.items():
            n = len(angles)
            stacked = np.stack([reduced for _, reduced in found])
            own = np.stack(
                [angles[:, a] if isinstance(a, int) else np.full(n, a) for op, _ in found for a in op.angles]
            )
            own = own.reshape(len(found), -1, n).transpose(0, 2, 1)
            for which, matrices in enumerate(generators(name, own.reshape(len(found) * n, -1))):
                k = matrices if len(matrices) == 1 else matrices.reshape(stacked.shape)
                if np.iscomplexobj(stacked):
                    slopes = 2.0 * np.einsum("...ab,...ab->...", k, stacked).real
                else:
                    slopes = 2.0 * np.einsum("...ab,...ab->...", k.real, stacked)
                for (op, _), slope in zip(found, slopes, strict=True):
                    if isinstance(slot := op.angles[which], int):
                        out[:, slot] += slope
