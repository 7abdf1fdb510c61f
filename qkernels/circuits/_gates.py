"""Matrices of the parametric standard gates as functions of whole columns of angles.

Definitions as in Qiskit's circuit library: qubit 0 of a gate is the least significant bit of its matrix index, and
the first qubit of a controlled gate is its control. Gates that are not listed here are decomposed by their own
definition (`flatten`), so this table is a list of fast paths and of the two-qubit gates that a matrix-product engine
wants whole, not a list of what is supported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIAGONAL_PARITIES", "PARAMETRIC_GATES", "gate_matrices"]

Column = NDArray[np.float64]
Matrices = NDArray[np.complex128]


def _fill(n: int, dim: int, entries: Mapping[tuple[int, int], NDArray[np.complex128] | complex]) -> Matrices:
    out = np.zeros((n, dim, dim), dtype=complex)
    for (i, j), value in entries.items():
        out[:, i, j] = value
    return out


def _rx(t: Column) -> Matrices:
    c, s = np.cos(t / 2), -1j * np.sin(t / 2)
    return _fill(len(t), 2, {(0, 0): c + 0j, (0, 1): s, (1, 0): s, (1, 1): c + 0j})


def _ry(t: Column) -> Matrices:
    c, s = np.cos(t / 2) + 0j, np.sin(t / 2) + 0j
    return _fill(len(t), 2, {(0, 0): c, (0, 1): -s, (1, 0): s, (1, 1): c})


def _rz(t: Column) -> Matrices:
    return _fill(len(t), 2, {(0, 0): np.exp(-0.5j * t), (1, 1): np.exp(0.5j * t)})


def _p(t: Column) -> Matrices:
    return _fill(len(t), 2, {(0, 0): 1.0, (1, 1): np.exp(1j * t)})


def _u(t: Column, phi: Column, lam: Column) -> Matrices:
    c, s = np.cos(t / 2), np.sin(t / 2)
    return _fill(
        len(t),
        2,
        {
            (0, 0): c + 0j,
            (0, 1): -np.exp(1j * lam) * s,
            (1, 0): np.exp(1j * phi) * s,
            (1, 1): np.exp(1j * (phi + lam)) * c,
        },
    )


def _u2(phi: Column, lam: Column) -> Matrices:
    return _u(np.full(len(phi), np.pi / 2), phi, lam)


def _r(t: Column, phi: Column) -> Matrices:
    c, s = np.cos(t / 2) + 0j, -1j * np.sin(t / 2)
    return _fill(len(t), 2, {(0, 0): c, (0, 1): s * np.exp(-1j * phi), (1, 0): s * np.exp(1j * phi), (1, 1): c})


def _cp(t: Column) -> Matrices:
    return _fill(len(t), 4, {(0, 0): 1.0, (1, 1): 1.0, (2, 2): 1.0, (3, 3): np.exp(1j * t)})


def _rzz(t: Column) -> Matrices:
    minus, plus = np.exp(-0.5j * t), np.exp(0.5j * t)
    return _fill(len(t), 4, {(0, 0): minus, (1, 1): plus, (2, 2): plus, (3, 3): minus})


def _rxx(t: Column) -> Matrices:
    c, s = np.cos(t / 2) + 0j, -1j * np.sin(t / 2)
    return _fill(len(t), 4, {(i, i): c for i in range(4)} | {(i, 3 - i): s for i in range(4)})


def _ryy(t: Column) -> Matrices:
    c, s = np.cos(t / 2) + 0j, 1j * np.sin(t / 2)
    anti = {(0, 3): s, (3, 0): s, (1, 2): -s, (2, 1): -s}
    return _fill(len(t), 4, {(i, i): c for i in range(4)} | anti)


def _rzx(t: Column) -> Matrices:
    c, s = np.cos(t / 2) + 0j, -1j * np.sin(t / 2)
    anti = {(0, 2): s, (2, 0): s, (1, 3): -s, (3, 1): -s}
    return _fill(len(t), 4, {(i, i): c for i in range(4)} | anti)


def _controlled(block: Callable[..., Matrices]) -> Callable[..., Matrices]:
    """Control on qubit 0: the block acts on the odd indices 1 and 3."""

    def build(*angles: Column) -> Matrices:
        inner = block(*angles)
        out = np.zeros((inner.shape[0], 4, 4), dtype=complex)
        out[:, 0, 0] = out[:, 2, 2] = 1.0
        out[:, 1::2, 1::2] = inner
        return out

    return build


PARAMETRIC_GATES: dict[str, tuple[int, Callable[..., Matrices]]] = {
    "rx": (1, _rx),
    "ry": (1, _ry),
    "rz": (1, _rz),
    "p": (1, _p),
    "u1": (1, _p),
    "u": (1, _u),
    "u3": (1, _u),
    "u2": (1, _u2),
    "r": (1, _r),
    "cp": (2, _cp),
    "cu1": (2, _cp),
    "crx": (2, _controlled(_rx)),
    "cry": (2, _controlled(_ry)),
    "crz": (2, _controlled(_rz)),
    "rzz": (2, _rzz),
    "rxx": (2, _rxx),
    "ryy": (2, _ryy),
    "rzx": (2, _rzx),
}
"""Gate name → (number of qubits, function from columns of angles to matrices of shape (n_samples, 2^q, 2^q))."""

DIAGONAL_PARITIES: dict[str, tuple[tuple[tuple[int, ...], float], ...]] = {
    "rz": (((0,), -0.5),),
    "p": (((0,), -0.5),),
    "u1": (((0,), -0.5),),
    "rzz": (((0, 1), -0.5),),
    "cp": (((0,), -0.25), ((1,), -0.25), ((0, 1), 0.25)),
    "cu1": (((0,), -0.25), ((1,), -0.25), ((0, 1), 0.25)),
    "crz": (((1,), -0.25), ((0, 1), 0.25)),
}
"""Diagonal gates as phases exp(i · angle · Σ c · Z_S), up to a global phase: gate name → ((qubits S, c), …).

Z_S is the product of (−1)^bit over the qubits in S: P(λ) = e^{iλ/2} exp(−iλ/2 · Z), and
CP(λ) = e^{iλ/4} exp(iλ/4 · (−Z_0 − Z_1 + Z_01)).
"""


def gate_matrices(name: str, angles: NDArray[np.float64]) -> Matrices:
    """Matrices of a parametric gate for many angles.

    Parameters
    ----------
    name : str
        A key of `PARAMETRIC_GATES`.
    angles : ndarray of shape (n_samples, n_angles), float64
        In radians, in the order of the gate's parameters.

    Returns
    -------
    ndarray of shape (n_samples, 2**q, 2**q), complex128
        The first qubit of the gate is the least significant bit.
    """
    _, build = PARAMETRIC_GATES[name]
    return build(*np.ascontiguousarray(angles.T))
