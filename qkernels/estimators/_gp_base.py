"""What the Gaussian processes share: a fitted kernel as scikit-learn's covariance function, and the rules of tuning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, eigh, eigvalsh, solve_triangular
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine
from qkernels.estimators._base import KernelEstimator
from qkernels.estimators._gp_kernel import MATRICES_PER_GRADIENT, GPKernel, check_bandwidth_bounds, tuning_cost
from qkernels.kernels import CombinedKernel, Correction, ForeignKernel, QuantumKernel, as_kernel

__all__ = ["FittedCovariance", "GaussianProcessEstimator", "Optimizer"]

Values = NDArray[np.float64]
Optimizer = Literal["fmin_l_bfgs_b"] | Callable[..., tuple[Values, float]] | None
"""What ``optimizer=`` takes, as in scikit-learn's Gaussian processes."""

LOGISTIC_NOISE = 4.0
"""The logistic likelihood has a curvature of at most 1/4: to Laplace's approximation it is this variance or more."""

_ROUNDING = 1e-9
"""What is left of a variance is compared with 0 after a subtraction; the prior is raised by this part more."""

LEAST_EVALUATIONS = 2
"""L-BFGS-B looks at its start and at one step at least."""


class FittedCovariance(Kernel):
    r"""A fitted kernel with its corrections, as scikit-learn's Gaussian processes ask for it: nothing to tune.

    Its rows have a first column more than X: their number among the training rows, -1 for new rows. So the training
    matrix is ``gram_``, also where a multi-class scheme takes some of its rows, and cross blocks are those of the
    kernel; new rows among themselves have its `prior`.

    Where values are noisy, sampled or repaired, prior and training rows together may be no covariance: the variance of
    the posterior, :math:`k_{**} - k_*^\top (K + N)^{-1} k_*` with the noise N of the likelihood, would be negative. Of
    any covariance it is at least :math:`β^\top N β` with :math:`β = (K + N)^{-1} k_*`, what the noise of y alone
    contributes. A prior that leaves less is raised to that.

    Parameters
    ----------
    kernel : QuantumKernel or ForeignKernel
        Fitted.
    noise : float or ndarray of shape (n_fit,)
        The least variance that the likelihood adds to the training values.

    Raises
    ------
    LinAlgError
        The training matrix plus `noise` is not positive definite.
    """

    def __init__(self, kernel: QuantumKernel | ForeignKernel, noise: float | Values) -> None:
        self.kernel = kernel
        self.noise = noise
        self._factor: Values | None = None
        if isinstance(kernel, QuantumKernel) and (_corrections_of(kernel) or not kernel.frozen().rule.is_exact):
            self._factor = cholesky(kernel.gram_ + np.diag(np.broadcast_to(noise, len(kernel.gram_))), lower=True)

    def __call__(self, X: Values, Y: Values | None = None, eval_gradient: bool = False) -> Any:
        K = self._matrix(X, Y)
        return (K, np.empty((*K.shape, 0))) if eval_gradient else K

    def _matrix(self, X: Values, Y: Values | None) -> Values:
        if Y is None:
            rows = _training_rows(X)
            return self._new(X[:, 1:]) if rows is None else np.asarray(self.kernel.gram_[np.ix_(rows, rows)])
        if (columns := _training_rows(Y)) is not None:
            return np.asarray(self.kernel.cross(X[:, 1:])[:, columns])
        return np.asarray(self.kernel.cross(Y[:, 1:])[:, _training_rows(X)].T)  # classifiers put training rows first

    def diag(self, X: Values) -> Values:
        if not isinstance(self.kernel, QuantumKernel):
            return np.array([self._new(row)[0, 0] for row in X[:, np.newaxis, 1:]])
        own: Values = self.kernel.prior_diag(X[:, 1:])
        if self._factor is None:
            return own
        explained, least = self._explained(X[:, 1:])
        return np.asarray(np.maximum(own, np.square(explained).sum(axis=0) + least))

    def is_stationary(self) -> bool:
        return False

    def _new(self, X: Values) -> Values:
        if not isinstance(self.kernel, QuantumKernel):
            return np.array(as_kernel(self.kernel.kernel, "FittedCovariance").fit_gram(X))
        prior = self.kernel.prior(X)
        if self._factor is None:
            return prior
        explained, least = self._explained(X)
        product = explained.T @ explained
        rest = 0.5 * (prior + prior.T) - product
        np.fill_diagonal(rest, np.maximum(np.diag(rest), least))
        return np.asarray(product + _positive_part(rest))

    def _explained(self, X: Values) -> tuple[Values, Values]:
        """V with VᵀV = C (K + N)⁻¹ Cᵀ for C = K(X, X_fit), and the least variances βᵀ N β."""
        solved: Values = solve_triangular(self._factor, self.kernel.cross(X).T, lower=True)
        beta: Values = solve_triangular(self._factor, solved, lower=True, trans="T")
        return solved * (1.0 + _ROUNDING), np.square(beta).T @ np.broadcast_to(self.noise, len(beta))

    def __sklearn_clone__(self) -> Self:
        return self  # a clone of the kernel would not be fitted


def _positive_part(rest: Values) -> Values:
    """A matrix without its negative eigenvalues, with the diagonal it had; `rest` itself where it has none."""
    eigenvalues, vectors = eigh(rest)
    if eigenvalues[0] >= -_ROUNDING * eigenvalues[-1]:
        return rest
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    clipped = np.square(root).sum(axis=1)
    root *= np.sqrt(np.divide(np.diag(rest), clipped, out=np.zeros(len(rest)), where=clipped > 0.0))[:, None]
    return np.asarray(root @ root.T)


def _numbered(X: Values, *, training: bool) -> Values:
    """Rows for `FittedCovariance`."""
    return np.column_stack([np.arange(len(X)) if training else np.full(len(X), -1), X])


def _training_rows(X: Values) -> NDArray[np.intp] | None:
    """Numbers among the training rows; None for new rows."""
    numbers = X[:, 0].astype(np.intp)
    return None if numbers[0] < 0 else numbers


class GaussianProcessEstimator(KernelEstimator):
    """Base of the Gaussian processes (abstract): a fitted kernel, then scikit-learn's Gaussian process on it.

    Without an optimizer the process gets the kernel as it was fitted, corrections included; with one it gets a
    `GPKernel`, whose bandwidth it tunes.
    """

    optimizer: Optimizer
    n_restarts_optimizer: int
    bandwidth_bounds: tuple[float, float]

    def _fit_rows(
        self, X: ArrayLike, y: ArrayLike | None, sample_weight: ArrayLike | None, **y_options: bool
    ) -> NDArray[np.intp]:
        if self._is_precomputed:
            raise InvalidParameterError(
                f"kernel of {type(self).__name__} must be a kernel function, because the variance at a new row needs "
                "k(x, x), which K(X, X_fit) does not hold; got 'precomputed'. Pass a callable k(X, Y) instead."
            )
        try:
            return super()._fit_rows(X, y, sample_weight, **y_options)
        except LinAlgError as error:
            if not hasattr(self.kernel_, "gram_"):
                raise
            gram = self.kernel_.gram_
            raise InvalidParameterError(self._not_positive(eigvalsh(0.5 * (gram + gram.T))[0])) from error

    def _not_positive(self, smallest: float) -> str:
        """The message for a matrix with this smallest eigenvalue that has no Cholesky factor."""
        return (
            f"kernel of {type(self).__name__} must give a positive semidefinite training matrix; the smallest "
            f"eigenvalue of {self.kernel_!r} is {smallest:.3g}. Put ClipSpectrum() last in its corrections."
        )

    def _training_matrix(self, data: Values, weights: Values, rows: NDArray[np.intp]) -> Values:
        """The rows that the process is fitted on; it asks its covariance function for their matrix."""
        bounds = check_bandwidth_bounds(self.bandwidth_bounds, type(self).__name__)
        self.kernel_ = as_kernel(self.kernel, type(self).__name__)
        if self.optimizer is None:
            self.kernel_.fit_gram(data)
            return _numbered(data, training=True)
        self._fit_tunable(self.kernel_, data, bounds)
        return data

    def _make_solver(self, gram: Values, parameters: dict[str, Any]) -> Any:
        options = {name: value for name, value in parameters.items() if name != "bandwidth_bounds"}
        return self._solver_class(kernel=self._covariance(options.get("alpha", LOGISTIC_NOISE)), **options)

    def _covariance(self, noise: float | Values) -> Kernel:
        """The covariance function of the prior, from the fitted kernel and the variance that the likelihood adds."""
        if self.optimizer is None:
            return FittedCovariance(self.kernel_, noise)
        return GPKernel(self.kernel_.frozen(), bandwidth_bounds=self.bandwidth_bounds)

    def _rows_for_solver(self, X: ArrayLike) -> Values:
        """New rows as the fitted process takes them."""
        check_is_fitted(self)
        data: Values = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        return _numbered(data, training=False) if isinstance(self._solver.kernel, FittedCovariance) else data

    # Tuning -----------------------------------------------------------------------------------------------------

    def _fit_tunable(self, kernel: QuantumKernel | ForeignKernel, data: Values, bounds: tuple[float, float]) -> None:
        """Fit a kernel whose bandwidth can be tuned; what costs money is refused before it is evaluated."""
        owner, given = type(self).__name__, f"got optimizer={self.optimizer!r}"
        if not isinstance(kernel, QuantumKernel):
            raise InvalidParameterError(
                f"optimizer of {owner} must be None where kernel has no bandwidth to tune, as {kernel!r}; {given}."
            )
        if not bounds[0] <= 1 <= bounds[1]:
            raise InvalidParameterError(
                f"bandwidth_bounds of {owner} must include 1, the kernel as it learned its scaling, where the search "
                f"starts; got {self.bandwidth_bounds!r}."
            )
        engines = [value for value in kernel.get_params(deep=True).values() if isinstance(value, Engine)]
        if costly := [engine for engine in engines if not engine.is_exact]:
            raise InvalidParameterError(
                f"optimizer of {owner} must be None unless the engine is exact; {given} with {costly[0]!r}. "
                f"{self._search_cost(kernel, data)} Pass optimizer=None, or tune on an exact engine (engine=None) and "
                "use what it finds: GPKernel(kernel.fit(X).frozen(), bandwidth_, 'fixed') is a kernel for "
                "scikit-learn's Gaussian processes on any engine."
            )
        kernel.fit_gram(data)
        if corrections := _corrections_of(kernel):
            raise InvalidParameterError(
                f"optimizer of {owner} must be None where the kernel has corrections, because they are learned at one "
                f"bandwidth; {given} with corrections {corrections!r}. Pass corrections=[] to tune on raw matrices."
            )

    def _search_cost(self, kernel: QuantumKernel, data: Values) -> str:
        plan = kernel.plan(data)
        sentence = tuning_cost(plan, len(data))
        if callable(self.optimizer):
            return sentence
        starts = 1 + self.n_restarts_optimizer
        matrices = MATRICES_PER_GRADIENT * LEAST_EVALUATIONS * starts
        return (
            f"{sentence} A search from {starts} start(s) takes {LEAST_EVALUATIONS * starts} evaluations at the very "
            f"least: {matrices * plan.circuits:,} circuits, {matrices * plan.shots:,} shots."
        )


def _corrections_of(kernel: QuantumKernel) -> list[Correction]:
    """Fitted corrections, those of the parts included."""
    if isinstance(kernel, CombinedKernel):
        return [correction for part in kernel.kernels_.values() for correction in _corrections_of(part)]
    return list(getattr(kernel, "corrections_", []))
