"""Other people's kernels as ours: what ``kernel=`` of an estimator takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.feature_maps import FeatureMap
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._fidelity import FidelityKernel

__all__ = ["ForeignKernel", "KernelParameter", "as_kernel"]

Values = NDArray[np.float64]


class HasEvaluate(Protocol):
    """What is used of a qiskit-machine-learning ``BaseKernel``."""

    def evaluate(self, x_vec: Values, y_vec: Values | None = None) -> Values:
        """Kernel matrix of two sets of rows."""


KernelParameter = QuantumKernel | HasEvaluate | Callable[[Values, Values], ArrayLike] | Literal["precomputed"] | None
"""What ``kernel=`` of an estimator takes."""


class ForeignKernel:
    """A kernel that is not ours, remembering the rows it was fitted on.

    Parameters
    ----------
    kernel : callable or BaseKernel
        What the user gave.
    function : callable
        k(X, Y) → matrix of shape (len(X), len(Y)).

    Attributes
    ----------
    gram_ : ndarray of shape (n_fit, n_fit), float64
    """

    def __init__(self, kernel: object, function: Callable[[Values, Values], ArrayLike]) -> None:
        self.kernel = kernel
        self._function = function

    def fit_gram(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Values:
        """Evaluate the training matrix; there is nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_samples, n_samples), float64

        Raises
        ------
        InvalidDataError
            The kernel's answer is no finite matrix of that shape.
        """
        self._X_fit = np.array(X, dtype=np.float64)
        self.gram_ = self._evaluate(self._X_fit)
        return self.gram_

    def cross(self, X: ArrayLike) -> Values:
        """K(X, X_fit).

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_fit), float64

        Raises
        ------
        NotFittedError
            Call `fit_gram` first.
        InvalidDataError
            The kernel's answer is no finite matrix of that shape.
        """
        if not hasattr(self, "_X_fit"):
            raise NotFittedError(f"{self!r} is not fitted; call fit_gram first.")
        return self._evaluate(np.asarray(X, dtype=np.float64))

    def _evaluate(self, X: Values) -> Values:
        expected = (len(X), len(self._X_fit))
        values = np.asarray(self._function(X, self._X_fit), dtype=np.float64)
        if values.shape != expected:
            raise InvalidDataError(
                f"The kernel {self.kernel!r} must return a matrix of shape {expected}, one row for each row of its "
                f"first argument; got shape {values.shape}. A function of two vectors needs a loop around it."
            )
        if not np.isfinite(values).all():
            row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise InvalidDataError(
                f"The kernel {self.kernel!r} must return finite values; got {values[row, column]} in row {row}, "
                f"column {column}."
            )
        return values

    def __repr__(self) -> str:
        return f"ForeignKernel({self.kernel!r})"


def as_kernel(kernel: object, owner: str) -> QuantumKernel | ForeignKernel:
    """A fresh kernel to fit, from whatever ``kernel=`` of an estimator takes.

    Parameters
    ----------
    kernel : QuantumKernel, qiskit-machine-learning BaseKernel, callable, or None
        None is ``FidelityKernel()``; our kernels are cloned, so fitting leaves the parameter alone.
    owner : str
        Class name for errors.

    Returns
    -------
    QuantumKernel or ForeignKernel

    Raises
    ------
    InvalidParameterError
        None of these.

    Examples
    --------
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from qkernels.kernels import as_kernel
    >>> as_kernel(rbf_kernel, "QuantumKernelSVC").fit_gram([[0.0], [1.0]]).shape
    (2, 2)
    """
    if kernel is None:
        return FidelityKernel()
    if isinstance(kernel, QuantumKernel):
        return clone(kernel)  # type: ignore[no-any-return]
    if "qiskit_machine_learning" in sys.modules:  # not imported: nobody can have made one
        from qkernels.kernels._qiskit_adapter import is_qiskit_kernel

        if is_qiskit_kernel(kernel):
            return ForeignKernel(kernel, kernel.evaluate)  # type: ignore[attr-defined]
    if callable(kernel) and not isinstance(kernel, type):
        return ForeignKernel(kernel, kernel)
    hint = ""
    if isinstance(kernel, FeatureMap):
        hint = f" Make a kernel of the feature map: FidelityKernel({kernel!r})."
    elif isinstance(kernel, type):
        hint = f" Pass an instance: {kernel.__name__}()."
    elif isinstance(kernel, str):
        hint = " For classical kernels by name use scikit-learn's estimators."
    raise InvalidParameterError(
        f"kernel of {owner} must be None, a kernel such as FidelityKernel(), a qiskit-machine-learning BaseKernel, a "
        f"callable k(X, Y) or 'precomputed'; got {kernel!r}.{hint}"
    )
