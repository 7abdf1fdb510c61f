"""QuantumGaussianProcessRegressor: Gaussian process regression on a quantum kernel."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel, WhiteKernel

from qkernels._errors import InvalidParameterError
from qkernels.estimators._gp_base import GaussianProcessEstimator, Optimizer
from qkernels.kernels import KernelParameter
from qkernels.programs import is_count

__all__ = ["QuantumGaussianProcessRegressor"]

Values = NDArray[np.float64]

_OPTIONS = ("optimizer", "n_restarts_optimizer", "normalize_y", "random_state")

DEFAULT_NOISE = 0.1
"""Of the variance of y. Much smaller values, such as scikit-learn's 1e-10, fit the noise of y, and then the marginal
likelihood of a matrix without full rank says nothing about its bandwidth."""

NOISE_BOUNDS = (1e-5, 1e5)
"""Where the noise is searched: scikit-learn's."""


class QuantumGaussianProcessRegressor(MultiOutputMixin, RegressorMixin, GaussianProcessEstimator):
    r"""Gaussian process regression on a quantum kernel: scikit-learn's ``GaussianProcessRegressor`` on it.

    The kernel is the covariance of the prior; predictions come with standard deviations.

    Parameters
    ----------
    kernel : FidelityKernel, BaseKernel, callable, or None, default=None
        None is ``FidelityKernel()``. Also any other quantum kernel, sums and products included, a
        qiskit-machine-learning ``BaseKernel``, or a callable k(X, Y) → matrix.
    alpha : float, array-like of shape (n_samples,), or None, default=None
        Variance of the noise on y, >= 0, in units of k(x, x): what is added to the diagonal of the training matrix. One
        value per sample where an array. None is 0.1, on sampling engines plus the spectral edge of the sampling noise
        (see Notes); with an optimizer the noise is tuned too, from 0.1 within (1e-5, 1e5).
    optimizer : "fmin_l_bfgs_b", callable or None, default=None
        None takes the kernel as it was fitted, corrections included. Otherwise one factor on all its angles is tuned
        by the marginal likelihood, and the noise with it where ``alpha=None``; only on exact engines and without
        corrections. A callable is as in scikit-learn.
    n_restarts_optimizer : int, default=0
        Further starts of the optimizer, drawn log-uniformly from `bandwidth_bounds` and the bounds of the noise.
    bandwidth_bounds : pair of floats, default=(0.1, 10.0)
        Where the factor is searched, 0 < low <= 1 <= high; the search starts at 1.
    normalize_y : bool, default=True
        Whether mean and scale are taken out of y first, and put back into predictions. Other than in scikit-learn the
        default is True: fidelities have the prior mean 0 and variance 1, and no amplitude is tuned.
    random_state : int, RandomState or None, default=None
        Of the further starts. The randomness of shots is the `seed` of the engine.

    Attributes
    ----------
    kernel_ : FidelityKernel or ForeignKernel
        Fitted, with the scaling it learned from X; ``kernel_.feature_map_``, ``kernel_.engine_`` and ``kernel_.gram_``
        show what was chosen.
    bandwidth_ : float
        The factor on the angles of ``kernel_``; 1 without an optimizer. The tuned covariance function is
        ``GPKernel(model.kernel_.frozen(), model.bandwidth_)``.
    alpha_ : float or ndarray of shape (n_samples,)
        The noise used.
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        :math:`(K + \alpha)^{-1} y`, with y normalised; scikit-learn's ``alpha_``.
    log_marginal_likelihood_value_ : float
        Of y normalised; summed over targets.
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    GPKernel : the kernel inside scikit-learn's own Gaussian processes, where amplitude and noise are tuned too.
    QuantumKernelRidge : the same mean with ``alpha``, without the variances.
    sklearn.gaussian_process.GaussianProcessRegressor : the solver.

    Notes
    -----
    Fidelity kernels have at most 4ⁿ dimensions for n qubits, and duplicate rows lower the rank further: without noise
    the training matrix may be singular. Any `alpha` above about 1e-10 makes the computation stable; the default also
    keeps the noise of y out of the fit.

    With entries of standard error σ (``gram_stderr_`` of the kernel, its corrections included) the matrix has
    eigenvalues that are off by up to about 2σ√N (Wigner). Smaller ones say nothing, but get large weights where `alpha`
    is smaller: means are off, and variances at new rows go below 0, which scikit-learn sets to 0 with a warning. Hence
    the addition in ``alpha=None``: with `ClipSpectrum`, the matrix plus this edge is in no direction clearly smaller
    than the true one.

    The marginal likelihood needs a fair noise: with one that is too small it takes a bandwidth so large that the kernel
    becomes the identity and stands for the noise. Leave ``alpha=None``, unless the noise is known. scikit-learn warns
    where the noise found is at its lower bound, as for y without noise. The marginal likelihood has several maxima:
    ``n_restarts_optimizer`` looks for better ones.

    The variance at a new row uses its k(x, x) as corrections of single entries and self-values leave it
    (`QuantumKernel.prior_diag`); repairs of eigenvalues have no rule for new rows. Where values are noisy, sampled or
    repaired, prior and training matrix may then not fit together. So variances are at least :math:`β^\top N β`, with N
    the noise `alpha` and :math:`β = (K + N)^{-1} k_*`: what the noise of y contributes to the mean, which no Gaussian
    process goes below. Joint covariances (`return_cov`, `sample_y`) keep these variances and lose negative eigenvalues.

    There are no sample weights: scikit-learn's process takes none. Use an array `alpha`, the variance of the noise of
    each sample.

    Cost: the kernel's (N simulations, more where memory is short), then O(N³). With an optimizer three matrices and
    O(N³) for each evaluation of the marginal likelihood and its gradient, commonly 10 to 30 of them. `return_std`
    costs k(x, x) of every new row, which is 1 without evaluation for fidelities on noiseless engines; `return_cov`
    the matrix among new rows.

    References
    ----------
    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, algorithm 2.1 and chapter 5.
    Rapp and Roth, "Quantum Gaussian process regression for Bayesian optimization", arXiv:2304.12923.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import FidelityKernel, SeparableMap
    >>> from qkernels.estimators import QuantumGaussianProcessRegressor
    >>> X = np.linspace(-2, 2, 40).reshape(-1, 1)
    >>> y = 5 + np.sin(2 * X[:, 0])
    >>> kernel = FidelityKernel(SeparableMap(), bandwidth=1.0)  # cos²((x − y)/2)
    >>> model = QuantumGaussianProcessRegressor(kernel, alpha=0.01, optimizer="fmin_l_bfgs_b").fit(X, y)
    >>> round(model.bandwidth_, 2)  # the frequency of y
    2.0
    >>> mean, std = model.predict([[0.5], [1.5]], return_std=True)
    >>> bool(np.all(np.abs(mean - 5 - np.sin([1.0, 3.0])) < 3 * std))
    True
    """

    _solver_class: ClassVar[Any] = GaussianProcessRegressor
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("kernel", "alpha")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        "alpha": [*GaussianProcessRegressor._parameter_constraints["alpha"], "array-like", None],
        "bandwidth_bounds": "no_validation",
        **{name: GaussianProcessRegressor._parameter_constraints[name] for name in _OPTIONS},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        *,
        alpha: float | ArrayLike | None = None,
        optimizer: Optimizer = None,
        n_restarts_optimizer: int = 0,
        bandwidth_bounds: tuple[float, float] = (0.1, 10.0),
        normalize_y: bool = True,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.kernel = kernel
        self.alpha = alpha
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.bandwidth_bounds = bandwidth_bounds
        self.normalize_y = normalize_y
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit kernel and process.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Real numbers.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the process, the kernel or the map breaks its rule; an optimizer is asked for with an engine
            that is not exact (the message holds the cost), with corrections, or with a kernel without bandwidth; or the
            matrix plus `alpha` is not positive definite.
        InvalidDataError
            A callable returns no finite matrix of the right shape, or the map does not take this number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X or y is malformed (scikit-learn's validation).
        """
        self._fit_solver(X, y, y_numeric=True, multi_output=True)
        solver = self._solver
        self.bandwidth_ = 1.0 if self.optimizer is None else float(solver.kernel_.bandwidth)
        self.dual_coef_: Values = solver.alpha_
        self.log_marginal_likelihood_value_ = float(solver.log_marginal_likelihood_value_)
        return self

    def _check_size(self, n_samples: int) -> None:
        if self.alpha is None or np.ndim(self.alpha) == 0:
            return
        alpha = np.asarray(self.alpha, dtype=np.float64)
        if alpha.shape != (n_samples,) or not np.all(np.isfinite(alpha) & (alpha >= 0)):
            raise InvalidParameterError(
                f"alpha of {type(self).__name__} must be a number or an array of shape ({n_samples},), one for each "
                f"sample, finite and >= 0; got {self.alpha!r}."
            )

    def _make_solver(self, gram: Values, parameters: dict[str, Any]) -> Any:
        alpha = self.alpha
        if self._tunes_noise:
            alpha = 0.0
        elif alpha is None:
            alpha = DEFAULT_NOISE + self._sampling_edge()
        elif np.ndim(alpha):
            alpha = np.array(alpha, dtype=np.float64)
        return super()._make_solver(gram, {**parameters, "alpha": alpha})

    @property
    def _tunes_noise(self) -> bool:
        return self.optimizer is not None and self.alpha is None

    def _covariance(self, noise: float | Values) -> Kernel:
        covariance = super()._covariance(noise)
        return covariance + WhiteKernel(DEFAULT_NOISE, NOISE_BOUNDS) if self._tunes_noise else covariance

    def _check_solver(self, solver: Any) -> None:
        self.alpha_: float | Values = solver.alpha
        if self._tunes_noise:
            # From here on as with a given alpha: noise in the factor of the training matrix, none at new rows.
            self.alpha_ = float(solver.kernel_.k2.noise_level)
            solver.kernel_ = solver.kernel_.k1

    def _sampling_edge(self) -> float:
        """How far sampling moves eigenvalues: a symmetric random matrix of deviation σ has them within ±2σ√N."""
        stderr = getattr(self.kernel_, "gram_stderr_", None)
        return 0.0 if stderr is None else float(2 * np.sqrt(np.mean(stderr**2)) * np.sqrt(len(stderr)))

    def _not_positive(self, smallest: float) -> str:
        return (
            f"alpha of {type(self).__name__} is too small for the training matrix of {self.kernel_!r}: its smallest "
            f"eigenvalue is {smallest:.3g}, and with alpha={self.alpha!r} on the diagonal it is not positive definite. "
            "Increase alpha, leave it None, or put ClipSpectrum() last in the corrections of the kernel."
        )

    def predict(
        self, X: ArrayLike, return_std: bool = False, return_cov: bool = False
    ) -> Values | tuple[Values, Values]:
        """Mean of the posterior, with its standard deviation or covariance on request.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)
        return_std : bool, default=False
            Whether to return the standard deviations of the function (without the noise of y) too.
        return_cov : bool, default=False
            Whether to return the joint covariance of the function at all new rows too.

        Returns
        -------
        mean : ndarray of shape (n_new,) or (n_new, n_targets), float64
        std : ndarray of shape (n_new,) or (n_new, n_targets), float64
            Only where `return_std`.
        cov : ndarray of shape (n_new, n_new) or (n_new, n_new, n_targets), float64
            Only where `return_cov`.

        Raises
        ------
        InvalidParameterError
            Both are asked for.
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        if return_std and return_cov:
            raise InvalidParameterError(
                f"return_std and return_cov of {type(self).__name__}.predict must not both be True; got both. The "
                "standard deviations are the roots of the diagonal of the covariance."
            )
        rows = self._rows_for_solver(X)
        answer: Values | tuple[Values, Values] = self._solver.predict(
            rows, return_std=return_std, return_cov=return_cov
        )
        return answer

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: int | RandomState | None = 0) -> Values:
        """Functions drawn from the posterior, at the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)
        n_samples : int, default=1
            Number of functions, >= 1.
        random_state : int, RandomState or None, default=0

        Returns
        -------
        ndarray of shape (n_new, n_samples) or (n_new, n_targets, n_samples), float64

        Raises
        ------
        InvalidParameterError
            `n_samples` is no integer >= 1.
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        if not is_count(n_samples) or n_samples < 1:
            raise InvalidParameterError(
                f"n_samples of {type(self).__name__}.sample_y must be an integer >= 1; got {n_samples!r}."
            )
        rows = self._rows_for_solver(X)
        return np.asarray(self._solver.sample_y(rows, n_samples, random_state))
