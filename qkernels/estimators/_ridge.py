"""QuantumKernelRidge: kernel ridge regression on a quantum kernel."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.kernel_ridge import KernelRidge

from qkernels._errors import InvalidParameterError
from qkernels.estimators._base import KernelEstimator
from qkernels.kernels import KernelParameter

__all__ = ["QuantumKernelRidge"]


class QuantumKernelRidge(MultiOutputMixin, RegressorMixin, KernelEstimator):
    """Kernel ridge regression on a quantum kernel: scikit-learn's ``KernelRidge`` on the kernel matrix.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``.
    alpha : float or array-like of shape (n_targets,), default=1.0
        Regularisation, >= 0; one value per target where an array.

    Attributes
    ----------
    kernel_ : QuantumKernel, ForeignKernel, or "precomputed"
        Fitted.
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Weights of the training samples; 0 for those of weight 0.
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    QuantumKernelSVR : absolute loss outside a tube; sparse in the samples.
    sklearn.kernel_ridge.KernelRidge : the solver.

    Notes
    -----
    There is no intercept: the model tends to 0 far from the data, so centre y (``TransformedTargetRegressor``). Samples
    of weight 0 are dropped before the kernel is evaluated. Cost: the kernel's (N simulations, more where memory is
    short), then O(N³).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from qkernels import QuantumKernelRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(cross_val_score(QuantumKernelRidge(alpha=0.1), X, y).mean() > 0.4)
    True
    """

    _solver_class: ClassVar[Any] = KernelRidge
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        "alpha": KernelRidge._parameter_constraints["alpha"],
    }

    def __init__(self, kernel: KernelParameter = None, *, alpha: float | ArrayLike = 1.0) -> None:
        self.kernel = kernel
        self.alpha = alpha

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit kernel and regressor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled; the square kernel matrix for ``kernel="precomputed"``.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Real numbers.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the squared errors, >= 0; also used by the kernel in what it learns.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.fit`.
        """
        rows = self._fit_solver(X, y, sample_weight, y_numeric=True, multi_output=True)
        fitted = self._solver.dual_coef_
        self.dual_coef_ = np.zeros((self.shape_fit_[0], *fitted.shape[1:]))
        self.dual_coef_[rows] = fitted
        return self

    def _check_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        # Of several values, KernelRidge takes the first ones, and drops the others without a word.
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        given = np.asarray(self.alpha)
        is_valid = given.dtype.kind in "iuf" and given.ndim <= 1 and given.size in (1, n_targets)
        if not is_valid or not (np.isfinite(given) & (given >= 0)).all():
            raise InvalidParameterError(
                "alpha of QuantumKernelRidge must be a finite number >= 0, or one for each of the "
                f"{n_targets} target(s) of y; got {self.alpha!r}."
            )
        return y

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predicted values.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,) or (n_new, n_targets), float64

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.predict(cross))
