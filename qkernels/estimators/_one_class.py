"""QuantumOneClassSVM: outlier detection on a quantum kernel."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OutlierMixin
from sklearn.svm import OneClassSVM

from qkernels.estimators._base import KernelEstimator
from qkernels.kernels import KernelParameter

__all__ = ["QuantumOneClassSVM"]

_OPTIONS = ("nu", "shrinking", "tol", "cache_size", "verbose", "max_iter")


class QuantumOneClassSVM(OutlierMixin, KernelEstimator):
    """Outlier detection on a quantum kernel: scikit-learn's ``OneClassSVM`` on the kernel matrix.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``.
    nu : float, default=0.5
        In (0, 1]: at most this fraction of the training samples, by weight, are outliers, and at least this fraction
        are support vectors.
    shrinking : bool, default=True
        Whether the solver uses its shrinking heuristic.
    tol : float, default=1e-10
        Tolerance of the solver, > 0. Tighter than scikit-learn's 1e-3, so that a sample weight of 2 gives what a
        repeated sample gives; the time is in the kernel.
    cache_size : float, default=200
        Memory of the solver's own cache in MB.
    verbose : bool, default=False
        Whether the solver prints.
    max_iter : int, default=-1
        Limit of solver iterations; -1 is none.

    Attributes
    ----------
    kernel_ : QuantumKernel, ForeignKernel, or "precomputed"
        Fitted.
    support_ : ndarray of shape (n_SV,), int32
        Rows of the X given to `fit` that are support vectors.
    n_support_ : ndarray of shape (1,), int32
    dual_coef_ : ndarray of shape (1, n_SV)
    intercept_ : ndarray of shape (1,)
    offset_ : ndarray of shape (1,)
        ``decision_function`` is ``score_samples - offset_``.
    fit_status_ : int
        0 where the solver converged.
    n_iter_ : int
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    QuantumKernelSVC : where outliers are labelled.
    sklearn.svm.OneClassSVM : the solver.

    Notes
    -----
    Samples of weight 0 are dropped before the kernel is evaluated, and weights count as repetitions: scikit-learn's own
    solver passes neither check.

    With k(x, x) = 1, as for fidelities and for an RBF kernel, the region found is where the kernel with the support
    vectors is large. Where all values are close to 0 (too large a bandwidth) every new row is an outlier.

    Cost: the kernel's (N simulations, more where memory is short), then the solver's O(N²) to O(N³).

    References
    ----------
    Schölkopf et al., "Estimating the support of a high-dimensional distribution", Neural Computation 13 (2001).
    Kyriienko, Magnusson, "Unsupervised quantum machine learning for fraud detection", arXiv:2208.01203.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.estimators import QuantumOneClassSVM
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> model = QuantumOneClassSVM(nu=0.1).fit(X)
    >>> model.predict([[0.0, 0.0], [4.0, -4.0]])
    array([ 1, -1])
    """

    _solver_class: ClassVar[Any] = OneClassSVM
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        **{name: OneClassSVM._parameter_constraints[name] for name in _OPTIONS},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        *,
        nu: float = 0.5,
        shrinking: bool = True,
        tol: float = 1e-10,
        cache_size: float = 200,
        verbose: bool = False,
        max_iter: int = -1,
    ) -> None:
        self.kernel = kernel
        self.nu = nu
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.verbose = verbose
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit kernel and boundary.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled; the square kernel matrix for ``kernel="precomputed"``.
        y : object, optional
            Not used.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0, counted as repetitions; also used by the kernel in what it learns.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the estimator, the kernel or the map breaks its rule.
        InvalidDataError
            The weights break their rule, a precomputed matrix is not square, a callable returns no finite matrix of the
            right shape, or the map does not take this number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed (scikit-learn's validation).
        """
        rows = self._fit_solver(X, sample_weight=sample_weight)
        solver = self._solver
        self.support_ = rows[solver.support_].astype(np.int32)
        self.n_support_ = solver.n_support_
        self.dual_coef_ = solver.dual_coef_
        self.intercept_ = solver.intercept_
        self.offset_ = solver.offset_
        self.fit_status_ = solver.fit_status_
        self.n_iter_ = solver.n_iter_
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Signed distances to the boundary, up to a factor: positive inside, negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,), float64

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.decision_function(cross))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Weighted sums of kernel values with the support vectors: the larger, the more usual.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,), float64

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.score_samples(cross))

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """1 for inliers, -1 for outliers.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,), intp

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.predict(cross))
