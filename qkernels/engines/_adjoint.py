"""The gates of U† from those of U, over the same angles and their negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import AnnotatedOperation
from qiskit.circuit.annotated_operation import InverseModifier

from qkernels.circuits import DIAGONAL_PARITIES, FlatOp

__all__ = ["adjoint_angles", "adjoint_ops"]

_OWN_INVERSES = frozenset({"x", "y", "cx", "swap"})
"""Constant gates whose names the phase runs know, and that undo themselves."""


def adjoint_angles(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles of U† from the bound angles of U, shape (n_samples, 2 · n_angles): themselves, then their negatives."""
    return np.concatenate([angles, -angles], axis=1)


def adjoint_ops(ops: Sequence[FlatOp], num_angles: int) -> list[FlatOp]:
    """The gates of U† in the order of application.

    Parameters
    ----------
    ops : sequence of FlatOp
        The gates of U.
    num_angles : int
        Columns of the angles of U; slots of the result count over `adjoint_angles`.

    Returns
    -------
    list of FlatOp
    """
    return [_adjoint(op, num_angles) for op in reversed(ops)]


def _adjoint(op: FlatOp, num_angles: int) -> FlatOp:
    if op.is_directive:
        return op
    negative = tuple(a + num_angles if isinstance(a, int) else -a for a in op.angles)
    if op.matrix is not None:
        matrix = np.ascontiguousarray(op.matrix.conj().T)
        if op.name in DIAGONAL_PARITIES:
            return replace(op, angles=negative, matrix=matrix)
        return op if op.name in _OWN_INVERSES else replace(op, name="unitary", angles=(), matrix=matrix)
    if op.name == "bound":
        gate = op.gate
        if isinstance(gate, AnnotatedOperation):
            inverse = AnnotatedOperation(gate.base_op, [*gate.modifiers, InverseModifier()])
        else:
            inverse = AnnotatedOperation(gate, InverseModifier())
        return replace(op, gate=inverse)
    if op.name in ("u", "u3"):  # U(θ, φ, λ)† = U(−θ, −λ, −φ)
        theta, phi, lam = negative
        return replace(op, angles=(theta, lam, phi))
    if op.name == "u2":  # U2(φ, λ) = U(π/2, φ, λ)
        phi, lam = negative
        return replace(op, name="u", angles=(-np.pi / 2, lam, phi))
    if op.name == "r":  # a rotation by θ about an axis at φ
        return replace(op, angles=(negative[0], op.angles[1]))
    return replace(op, angles=negative)  # exp(−iθG) for one angle θ
