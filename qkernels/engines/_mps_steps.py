"""The steps of a compiled matrix-product state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._items import Node
from qkernels.engines._phase_run import CONSTANT

__all__ = ["Diagonal", "Local", "Pair", "PhaseTable", "Push", "Side", "Step", "operator_tensors"]

Complex = NDArray[np.complex128]
Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True, eq=False)
class Diagonal:
    """Phases of a diagonal block on site (width 1) or on (site, site + 1) (width 2).

    `phases` is the slice of the `PhaseTable`, or the factors themselves, shape (1, 2**width), where they are constant;
    the index is the bit of `site` plus 2 × the bit of ``site + 1``.
    """

    site: int
    width: int
    phases: slice | Complex


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A one-qubit block."""

    site: int
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A two-qubit block Σ_k L_k ⊗ R_k on (site, site + 1).

    `basis`, shape (k, 2, 2), holds the operators of the constant `side`; those of the other side follow from the
    block's matrix by projection.
    """

    site: int
    node: Node
    basis: Complex
    side: Side


@dataclass(frozen=True, slots=True)
class Push:
    """Move the tensor of a site into the next one ("right") or the previous one ("left"), leaving an identity."""

    site: int
    side: Side


Step = Diagonal | Local | Pair | Push


class PhaseTable:
    """Phases of all data-dependent diagonal blocks as one function of the angles, summed element by element."""

    def __init__(self, weights: Sequence[dict[int, float]]) -> None:
        terms = max((len(w.keys() - {CONSTANT}) for w in weights), default=0)
        self._constant = np.array([w.get(CONSTANT, 0.0) for w in weights])
        self._slot = np.zeros((terms, len(weights)), dtype=np.intp)
        self._coefficient = np.zeros((terms, len(weights)))
        for column, weight in enumerate(weights):
            for t, (slot, c) in enumerate(sorted((s, c) for s, c in weight.items() if s != CONSTANT)):
                self._slot[t, column], self._coefficient[t, column] = slot, c

    def __len__(self) -> int:
        return len(self._constant)

    def factors(self, angles: NDArray[np.float64]) -> Complex:
        """Phase factors of shape (n_samples, n_columns), modulus 1."""
        phase = np.broadcast_to(self._constant, (len(angles), len(self)))
        for slot, coefficient in zip(self._slot, self._coefficient, strict=True):
            phase = phase + coefficient * angles[:, slot]
        out = np.empty(phase.shape, dtype=complex)
        np.cos(phase, out=out.real)
        np.sin(phase, out=out.imag)
        return out


def operator_tensors(matrices: Complex) -> Complex:
    """Two-site gates (n, 4, 4) as (n, 4, 4): [operator entry on the first site, entry on the second site]."""
    n = len(matrices)
    return matrices.reshape(n, 2, 2, 2, 2).transpose(0, 2, 4, 1, 3).reshape(n, 4, 4)
