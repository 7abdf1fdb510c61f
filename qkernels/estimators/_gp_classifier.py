"""QuantumGaussianProcessClassifier: Gaussian process classification on a quantum kernel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.estimators._gp_base import GaussianProcessEstimator, Optimizer
from qkernels.kernels import KernelParameter

__all__ = ["QuantumGaussianProcessClassifier"]

Values = NDArray[np.float64]

_OPTIONS = ("optimizer", "n_restarts_optimizer", "max_iter_predict", "multi_class", "n_jobs", "random_state")


class QuantumGaussianProcessClassifier(ClassifierMixin, GaussianProcessEstimator):
    r"""Gaussian process classification on a quantum kernel: scikit-learn's ``GaussianProcessClassifier`` on it.

    The kernel is the covariance of a latent function, whose logistic function is the probability of a class; the
    posterior is approximated by Laplace's method. Several classes are that many problems of two classes.

    Parameters
    ----------
    kernel : FidelityKernel, BaseKernel, callable, or None, default=None
        None is ``FidelityKernel()``. Also any other quantum kernel, sums and products included, a
        qiskit-machine-learning ``BaseKernel``, or a callable k(X, Y) → matrix. The prior variance of the latent
        function is k(x, x): 1 for fidelities, which keeps probabilities cautious; ``10 * FidelityKernel()`` lets them
        come closer to 0 and 1.
    optimizer : "fmin_l_bfgs_b", callable or None, default=None
        None takes the kernel as it was fitted, corrections included. Otherwise one factor on all its angles is tuned
        by the marginal likelihood, for each problem of two classes its own; only on exact engines and without
        corrections. A callable is as in scikit-learn.
    n_restarts_optimizer : int, default=0
        Further starts of the optimizer, drawn log-uniformly from `bandwidth_bounds`.
    bandwidth_bounds : pair of floats, default=(0.1, 10.0)
        Where the factor is searched, 0 < low <= 1 <= high; the search starts at 1.
    max_iter_predict : int, default=100
        Limit of Newton iterations for the mode of the posterior.
    multi_class : {"one_vs_rest", "one_vs_one"}, default="one_vs_rest"
        How several classes become problems of two; there are no probabilities with "one_vs_one".
    n_jobs : int, default=None
        Problems of two classes fitted at the same time; None is 1 outside a joblib context.
    random_state : int, RandomState or None, default=None
        Of the further starts. The randomness of shots is the `seed` of the engine.

    Attributes
    ----------
    kernel_ : FidelityKernel or ForeignKernel
        Fitted, with the scaling it learned from X; ``kernel_.feature_map_``, ``kernel_.engine_`` and ``kernel_.gram_``
        show what was chosen.
    bandwidth_ : ndarray of shape (n_problems,), float64
        The factors on the angles of ``kernel_``, all 1 without an optimizer; one problem for two classes, otherwise one
        for each class, or each pair of classes with "one_vs_one".
    classes_ : ndarray of shape (n_classes,)
    log_marginal_likelihood_value_ : float
        In Laplace's approximation; the mean over the problems of two classes.
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    GPKernel : the kernel inside scikit-learn's own Gaussian processes, where the amplitude is tuned too.
    QuantumKernelSVC : without probabilities, and with sample weights.
    sklearn.gaussian_process.GaussianProcessClassifier : the solver.

    Notes
    -----
    The logistic likelihood acts like a noise of variance >= 4 on the latent function, so that singular matrices, also
    of duplicate rows, need no care.

    ``n_restarts_optimizer`` is done here: in scikit-learn's classifier the further starts are exponentials of what they
    should be, and lie at the upper bound for the most part.

    As in `QuantumGaussianProcessRegressor`, k(x, x) of new rows is corrected, and where values are noisy, sampled or
    repaired, variances of the latent function are at least what its noise, with 4 for the variance, contributes.
    Without a repair, a training matrix with eigenvalues below about -4 is refused.

    Cost: the kernel's (N simulations, more where memory is short): all problems of two classes share one matrix. Then
    O(N³) for each problem and Newton iteration. With an optimizer three matrices for each evaluation of a marginal
    likelihood and its gradient, commonly 10 to 30 of them for each problem.

    References
    ----------
    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, algorithms 3.1, 3.2 and 5.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qkernels.estimators import QuantumGaussianProcessClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = QuantumGaussianProcessClassifier().fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict_proba(X[:2]).shape
    (2, 3)
    """

    _solver_class: ClassVar[Any] = GaussianProcessClassifier
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        "bandwidth_bounds": "no_validation",
        **{name: GaussianProcessClassifier._parameter_constraints[name] for name in _OPTIONS},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        *,
        optimizer: Optimizer = None,
        n_restarts_optimizer: int = 0,
        bandwidth_bounds: tuple[float, float] = (0.1, 10.0),
        max_iter_predict: int = 100,
        multi_class: Literal["one_vs_rest", "one_vs_one"] = "one_vs_rest",
        n_jobs: int | None = None,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.kernel = kernel
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.bandwidth_bounds = bandwidth_bounds
        self.max_iter_predict = max_iter_predict
        self.multi_class = multi_class
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit kernel and process.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the process, the kernel or the map breaks its rule; an optimizer is asked for with an engine
            that is not exact (the message holds the cost), with corrections, or with a kernel without bandwidth; or the
            training matrix has large negative eigenvalues.
        InvalidDataError
            y has one class only, a callable returns no finite matrix of the right shape, or the map does not take this
            number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X or y is malformed (scikit-learn's validation).
        """
        self._fit_solver(X, y)
        self.classes_: NDArray[Any] = self._solver.classes_
        problems = getattr(self._solver.base_estimator_, "estimators_", [self._solver.base_estimator_])
        self.bandwidth_ = np.array([getattr(problem.kernel_, "bandwidth", 1.0) for problem in problems])
        self.log_marginal_likelihood_value_ = float(self._solver.log_marginal_likelihood_value_)
        return self

    def _check_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        check_classification_targets(y)
        if len(classes := np.unique(y)) < 2:
            raise InvalidDataError(
                f"y of {type(self).__name__} must hold at least two classes; got one class, {classes.tolist()[0]!r}."
            )
        return y

    def _make_solver(self, gram: Values, parameters: dict[str, Any]) -> Any:
        if self.optimizer is not None and self.n_restarts_optimizer:
            search = _Restarts(self.optimizer, self.n_restarts_optimizer, self.random_state)
            parameters = {**parameters, "optimizer": search, "n_restarts_optimizer": 0}
        return super()._make_solver(gram, parameters)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted class labels.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,)
            Of the dtype of ``classes_``.

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        rows = self._rows_for_solver(X)
        return np.asarray(self._solver.predict(rows))

    def predict_proba(self, X: ArrayLike) -> Values:
        """Probabilities of the classes, averaged over the posterior.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_classes), float64
            Rows sum to 1; columns in the order of ``classes_``.

        Raises
        ------
        InvalidParameterError
            ``multi_class="one_vs_one"`` with more than two classes.
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        rows = self._rows_for_solver(X)
        if len(self.classes_) > 2 and self._solver.multi_class == "one_vs_one":
            raise InvalidParameterError(
                f"multi_class of {type(self).__name__} must be 'one_vs_rest' for probabilities of {len(self.classes_)} "
                "classes; got 'one_vs_one'."
            )
        return np.asarray(self._solver.predict_proba(rows))


@dataclass(frozen=True, slots=True)
class _Restarts:
    """An optimizer that starts another one several times: at the given point and at random ones within the bounds."""

    optimizer: Literal["fmin_l_bfgs_b"] | Callable[..., tuple[Values, float]]
    restarts: int
    random_state: int | RandomState | None

    def __call__(
        self, obj_func: Callable[..., tuple[float, Values]], initial_theta: Values, bounds: Values
    ) -> tuple[Values, float]:
        random = check_random_state(self.random_state)
        further = random.uniform(bounds[:, 0], bounds[:, 1], size=(self.restarts, len(bounds)))
        found = [self._search(obj_func, start, bounds) for start in (initial_theta, *further)]
        return min(found, key=lambda point_and_value: point_and_value[1])

    def _search(
        self, obj_func: Callable[..., tuple[float, Values]], start: Values, bounds: Values
    ) -> tuple[Values, float]:
        if not isinstance(self.optimizer, str):
            return self.optimizer(obj_func, start, bounds=bounds)
        result = minimize(obj_func, start, method="L-BFGS-B", jac=True, bounds=bounds)
        if not result.success:
            warnings.warn(
                f"L-BFGS-B did not converge from bandwidth {np.exp(start)}: {result.message}",
                ConvergenceWarning,
                stacklevel=2,
            )
        return result.x, float(result.fun)
