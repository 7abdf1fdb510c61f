"""QuantumKernelSVR: support vector regression on a quantum kernel."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.svm import SVR

from qkernels.estimators._base import KernelEstimator
from qkernels.kernels import KernelParameter

__all__ = ["QuantumKernelSVR"]

_OPTIONS = ("C", "epsilon", "shrinking", "tol", "cache_size", "verbose", "max_iter")


class QuantumKernelSVR(RegressorMixin, KernelEstimator):
    """Support vector regression on a quantum kernel: scikit-learn's ``SVR`` on the kernel matrix.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``.
    C : float, default=1.0
        Inverse regularisation, > 0, in units of y: scale y, or search C.
    epsilon : float, default=0.1
        Half-width of the tube without loss, >= 0, in units of y.
    shrinking : bool, default=True
        Whether the solver uses its shrinking heuristic.
    tol : float, default=1e-10
        Tolerance of the solver, > 0.
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
    QuantumKernelRidge : squared loss, closed form.
    sklearn.svm.SVR : the solver.

    Notes
    -----
    Samples of weight 0 are dropped before the kernel is evaluated. Cost: the kernel's (N simulations, more where memory
    is short), then the solver's O(N²) to O(N³).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from qkernels import QuantumKernelSVR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(cross_val_score(QuantumKernelSVR(C=100), X, y).mean() > 0.45)
    True
    """

    _solver_class: ClassVar[Any] = SVR
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        **{name: SVR._parameter_constraints[name] for name in _OPTIONS},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        *,
        C: float = 1.0,
        epsilon: float = 0.1,
        shrinking: bool = True,
        tol: float = 1e-10,
        cache_size: float = 200,
        verbose: bool = False,
        max_iter: int = -1,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.epsilon = epsilon
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.verbose = verbose
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit kernel and regressor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled; the square kernel matrix for ``kernel="precomputed"``.
        y : array-like of shape (n_samples,)
            Real numbers.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of C per sample, >= 0; also used by the kernel in what it learns.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.fit`.
        """
        rows = self._fit_solver(X, y, sample_weight, y_numeric=True)
        solver = self._solver
        self.support_ = rows[solver.support_].astype(np.int32)
        self.n_support_ = solver.n_support_
        self.dual_coef_ = solver.dual_coef_
        self.intercept_ = solver.intercept_
        self.fit_status_ = solver.fit_status_
        self.n_iter_ = solver.n_iter_
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predicted values.

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
        return np.asarray(self._solver.predict(cross))
