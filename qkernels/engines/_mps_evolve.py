"""A tile of samples evolved as matrix-product states: one array (samples, left, 2, right) for each qubit.

A tensor that does not depend on the data keeps a leading dimension of 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._blocks import block_matrix
from qkernels.engines._mps_compile import CompiledMPS
from qkernels.engines._mps_steps import Diagonal, Local, Pair, Push, operator_tensors

__all__ = ["evolve_tile"]

Complex = NDArray[np.complex128]


def evolve_tile(compiled: CompiledMPS, angles: NDArray[np.float64]) -> list[Complex]:
    """Tensors of the states of one tile.

    Parameters
    ----------
    compiled : CompiledMPS
    angles : ndarray of shape (n_samples, n_angles), float64

    Returns
    -------
    list of ndarray of shape (n_samples or 1, left, d, right), complex128
        One for each entry of ``compiled.site_shapes``; d > 2 where qubits are merged, first qubit most significant.
    """
    zero = np.zeros((1, 1, 2, 1), dtype=complex)
    zero[0, 0, 0, 0] = 1.0
    sites = [zero] * compiled.num_qubits
    gates = compiled.gates.evaluate(angles)
    factors = compiled.phases.factors(angles)
    for step in compiled.steps:
        q = step.site
        if isinstance(step, Push):
            _push(sites, step)
        elif isinstance(step, Local):
            sites[q] = _rotate(sites[q], block_matrix(step.node, step.node.qubits, gates))
        elif isinstance(step, Pair):
            left, right = _operators(step, block_matrix(step.node, step.node.qubits[::-1], gates))
            sites[q] = _widen_right(sites[q], left)
            sites[q + 1] = _widen_left(sites[q + 1], right)
        else:
            phases = factors[:, step.phases] if isinstance(step.phases, slice) else step.phases
            _phase(sites, step, phases)
    return _merge_ends(sites, compiled.head, compiled.tail)


def _rotate(site: Complex, matrices: Complex) -> Complex:
    """Apply one-qubit matrices (n or 1, 2, 2)."""
    u = matrices[:, None, :, :, None]
    return np.asarray(u[:, :, :, 0] * site[:, :, :1] + u[:, :, :, 1] * site[:, :, 1:])


def _phase(sites: list[Complex], step: Diagonal, phases: Complex) -> None:
    q = step.site
    if step.width == 1:
        sites[q] = sites[q] * phases[:, None, :, None]
        return
    # Σ_k P_k ⊗ D_k: the bond carries the bit k of the first site.
    n, left, _, right = sites[q].shape
    copied = np.zeros((n, left, 2, right, 2), dtype=complex)
    copied[:, :, 0, :, 0] = sites[q][:, :, 0]
    copied[:, :, 1, :, 1] = sites[q][:, :, 1]
    sites[q] = copied.reshape(n, left, 2, 2 * right)
    by_bit = phases.reshape(-1, 2, 2).transpose(0, 2, 1)  # (sample, bit of q, bit of q + 1)
    turned = sites[q + 1][:, :, None] * by_bit[:, None, :, :, None]
    n, left, _, _, right = turned.shape
    sites[q + 1] = turned.reshape(n, 2 * left, 2, right)


def _operators(step: Pair, matrices: Complex) -> tuple[Complex, Complex]:
    """L_k and R_k, shapes (n or 1, k, 2, 2): the basis on its side, the coefficients on the other."""
    tensors = operator_tensors(matrices)
    if step.side == "right":
        tensors = tensors.transpose(0, 2, 1)
    coefficients = step.basis.reshape(len(step.basis), 4).conj() @ tensors
    other = coefficients.reshape(len(tensors), -1, 2, 2)
    return (step.basis[None], other) if step.side == "left" else (other, step.basis[None])


def _widen_right(site: Complex, operators: Complex) -> Complex:
    """Apply L_k and append k to the right bond."""
    u = operators.transpose(0, 2, 3, 1)  # (n, s, t, k)
    out = u[:, None, :, 0, None] * site[:, :, :1, :, None] + u[:, None, :, 1, None] * site[:, :, 1:, :, None]
    n, left, _, right, k = out.shape
    return out.reshape(n, left, 2, right * k)


def _widen_left(site: Complex, operators: Complex) -> Complex:
    """Apply R_k and append k to the left bond."""
    u = operators[:, None, :, :, :, None]  # (n, 1, k, s, t, 1)
    out = u[:, :, :, :, 0] * site[:, :, None, :1] + u[:, :, :, :, 1] * site[:, :, None, 1:]
    n, left, k, _, right = out.shape
    return out.reshape(n, left * k, 2, right)


def _push(sites: list[Complex], step: Push) -> None:
    q = step.site
    n, left, _, right = sites[q].shape
    if step.side == "right":
        following = sites[q + 1]
        product = sites[q].reshape(n, left * 2, right) @ following.reshape(len(following), right, -1)
        sites[q + 1] = product.reshape(len(product), left * 2, 2, -1)
        sites[q] = np.eye(2 * left, dtype=complex).reshape(1, left, 2, 2 * left)
    else:
        previous = sites[q - 1]
        product = previous.reshape(len(previous), -1, left) @ sites[q].reshape(n, left, 2 * right)
        sites[q - 1] = product.reshape(len(product), -1, 2, 2 * right)
        sites[q] = np.eye(2 * right, dtype=complex).reshape(1, 2 * right, 2, right)


def _merge_ends(sites: list[Complex], head: int, tail: int) -> list[Complex]:
    inner = sites[head : len(sites) - tail]
    return [_merge(sites[:head]), *inner, *([_merge(sites[len(sites) - tail :])] if tail else [])]


def _merge(sites: list[Complex]) -> Complex:
    merged = sites[0]
    for site in sites[1:]:
        n, left, d, bond = merged.shape
        product = merged.reshape(n, left * d, bond) @ site.reshape(len(site), bond, -1)
        merged = product.reshape(len(product), left, 2 * d, -1)
    return merged
