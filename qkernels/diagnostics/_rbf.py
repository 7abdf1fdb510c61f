"""The Gaussian kernel that a kernel matrix resembles most."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import pdist

from qkernels._errors import InvalidDataError
from qkernels.diagnostics._matrices import off_diagonal

# gamma · median squared distance runs from "constant" to "identity" over this range.
_GRID = np.logspace(-4.0, 3.0, 36)
# A spread below this is rounding, and a correlation with it means nothing.
_NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class RBFFit:
    """The Gaussian kernel exp(−γ‖x−y‖²) closest to a kernel matrix.

    Attributes
    ----------
    gamma : float
        γ, in the units of X; 0 or infinite where the matrix is constant or the identity.
    correlation : float in [-1, 1]
        Pearson correlation of the off-diagonal entries of the two matrices.
    """

    gamma: float
    correlation: float

    def __str__(self) -> str:
        return f"correlation {self.correlation:.3f} with the best-fit RBF (gamma {self.gamma:.3g})"


def best_fit_rbf(gram: ArrayLike, X: ArrayLike) -> RBFFit:
    """Find the γ whose Gaussian kernel correlates most with a kernel matrix.

    Parameters
    ----------
    gram : array-like of shape (n, n)
        Symmetric kernel matrix of the rows of X, n at least 3.
    X : array-like of shape (n, n_features)
        The data as the kernel saw them, that is after scaling and PCA.

    Returns
    -------
    RBFFit
        With correlation 1 for a constant matrix (γ → 0) and for the identity (γ → ∞), which are limits of
        Gaussian kernels.

    Raises
    ------
    InvalidDataError
        If `gram` is not a finite symmetric matrix, or `X` has another number of rows, holds non-finite
        values, or all its rows are equal.

    Notes
    -----
    A kernel with a correlation above .98 does what a kernel of `sklearn.svm.SVC` does for nothing. At small
    bandwidth this is the rule: any fidelity kernel is 1 − quadratic form of x − y for close points
    (arXiv:2206.06686). Cost: about 60 evaluations of n²/2 exponentials.

    References
    ----------
    Canatar et al., "Bandwidth enables generalization in quantum kernel models", arXiv:2206.06686.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from qkernels.diagnostics import best_fit_rbf
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> print(best_fit_rbf(rbf_kernel(X, gamma=0.3), X))
    correlation 1.000 with the best-fit RBF (gamma 0.3)
    """
    entries = off_diagonal(gram, name="gram", minimum_rows=3)
    points = np.asarray(X, dtype=np.float64)
    n = len(np.asarray(gram))
    if points.ndim != 2 or len(points) != n or not np.isfinite(points).all():
        raise InvalidDataError(
            f"X must be a finite array with one row per row of gram ({n}); got shape {points.shape}."
        )
    if float(entries.std()) < _NO_SPREAD:
        return RBFFit(0.0 if float(entries.mean()) > _NO_SPREAD else inf, 1.0)
    distances = pdist(points, "sqeuclidean")
    if float(distances.std()) < _NO_SPREAD * max(1.0, float(distances.max())):
        raise InvalidDataError("X has the same distance between all rows: no RBF kernel varies on it.")
    scale = float(np.median(distances[distances > 0.0]))
    centred = entries - entries.mean()
    centred /= float(np.linalg.norm(centred))

    def disagreement(log_gamma: float) -> float:
        return -_correlation(np.exp(-exp(log_gamma) * distances), centred)

    grid = np.log(_GRID / scale)
    best = int(np.argmin([disagreement(float(point)) for point in grid]))
    step = log(float(_GRID[1] / _GRID[0]))
    found = minimize_scalar(
        disagreement, bounds=(grid[best] - step, grid[best] + step), method="bounded", options={"xatol": 1e-6}
    )
    return RBFFit(exp(float(found.x)), min(1.0, -float(found.fun)))


def _correlation(values: NDArray[np.float64], unit: NDArray[np.float64]) -> float:
    """Pearson correlation with a vector that is centred and of length 1; −1 where the values do not vary."""
    deviations = values - values.mean()
    length = float(np.linalg.norm(deviations))
    return float(deviations @ unit) / length if length > _NO_SPREAD else -1.0
