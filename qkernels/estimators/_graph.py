"""Kernel matrices as graphs: rows are nodes, values are weights of edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from qkernels._errors import InvalidDataError
from qkernels.estimators._base import KernelEstimator
from qkernels.kernels import QuantumKernel

__all__ = ["GraphEstimator", "KernelGraph"]

Values = NDArray[np.float64]
Weights: TypeAlias = Values | sparse.csr_array

ROUNDING = 1e-10
"""Relative to the largest value: smaller differences are rounding, 1e-15 to 1e-13 from one engine to another."""


class GraphEstimator(KernelEstimator):
    """Base of estimators that read the training matrix as weights of a graph, which must be >= 0 (abstract)."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self._is_precomputed
        return tags

    def _training_matrix(self, data: Values, weights: Values, rows: NDArray[np.intp]) -> Values:
        """The training matrix, not negative.

        A repair of sampled values, or a mitigation of noisy ones, may turn small values negative; these become 0. What
        the kernel itself gives, before its corrections, must not be negative.
        """
        gram = super()._training_matrix(data, weights, rows)
        if gram.min() >= 0.0:
            return gram
        raw = np.asarray(self.kernel_(data)) if isinstance(self.kernel_, QuantumKernel) else gram
        if raw.min() < -ROUNDING * np.abs(raw).max():
            raise InvalidDataError(self._says_negative(raw))
        return np.asarray(np.maximum(gram, 0.0))

    def _says_negative(self, raw: Values) -> str:
        row, column = (int(i) for i in np.unravel_index(int(np.argmin(raw)), raw.shape))
        smallest, owner = f"{raw[row, column]:.3g}", type(self).__name__
        if self._is_precomputed:
            return (
                f"Negative values in data passed to {owner}: with kernel='precomputed' X holds weights of a graph, "
                f"which must be >= 0; got {smallest} in row {row}, column {column}. Where only noise makes them "
                "negative, pass np.maximum(K, 0)."
            )
        return (
            f"kernel of {owner} must not have negative values, because they are weights of a graph; {self.kernel_!r} "
            f"gives {smallest} between rows {row} and {column}. Use a fidelity kernel, or a projected kernel with an "
            "RBF outer kernel."
        )


@dataclass(frozen=True, slots=True, eq=False)
class KernelGraph:
    """The nearest-neighbour graph of a training matrix, as a callable for ``LabelSpreading(kernel=...)``.

    Attributes
    ----------
    weights : csr_array or ndarray of shape (n_fit, n_fit)
        Symmetric, 0 on the diagonal; sparse where `n_neighbors` is a number.
    n_neighbors : int, or None
        None: every row is a neighbour of every other.
    """

    weights: Weights
    n_neighbors: int | None

    @classmethod
    def of(cls, gram: Values, n_neighbors: int | None) -> KernelGraph:
        """Connect two rows where either is among the nearest neighbours of the other (union)."""
        others = np.array(gram)
        np.fill_diagonal(others, 0.0)  # a row is no neighbour of itself
        if n_neighbors is None:
            return cls(np.maximum(others, others.T), None)
        nearest = _nearest(others, n_neighbors)
        return cls(nearest.maximum(nearest.T).tocsr(), n_neighbors)

    def __call__(self, X: Values, Y: Values) -> Weights:
        """The graph, whatever is asked for: ``LabelSpreading`` asks for (X, X) in its `fit`."""
        return self.weights

    def edges_of(self, cross: Values) -> Weights:
        """Weights of edges from new rows to fitted ones, in the shape of the cross block; negative values become 0."""
        weights = np.maximum(cross, 0.0)
        return weights if self.n_neighbors is None else _nearest(weights, self.n_neighbors)


def _nearest(values: Values, n_neighbors: int) -> sparse.csr_array:
    """The largest `n_neighbors` values of each row and all that tie with the smallest of them; >= 0.

    Keeping ties makes the result independent of the order of the rows, and of rounding.
    """
    k = min(n_neighbors, values.shape[1])
    smallest = np.partition(values, -k, axis=1)[:, -k]
    return sparse.csr_array(np.where(values >= (1.0 - ROUNDING) * smallest[:, None], values, 0.0))
