"""A kernel without data: the raw function k(X, Y) with its scaling, safe to hand to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels.kernels._rule import KernelRule

__all__ = ["FrozenKernel"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FrozenKernel:
    """The raw kernel function k(X, Y) of a fitted kernel, as ``frozen()`` gives it.

    A plain callable for anything that takes one, such as ``SVC(kernel=...)``. scikit-learn's ``clone`` returns the same
    object, so its scaling stays that of the data it was fitted on, also across the folds of a cross-validation: scores
    then see a little of the test folds. Use the kernel as a transformer or inside an estimator of ours where the
    scaling should be learned inside the fold.

    Attributes
    ----------
    rule : KernelRule
        Scaling, circuit and engine.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from qkernels import FidelityKernel
    >>> X, y = load_iris(return_X_y=True)
    >>> SVC(kernel=FidelityKernel().fit(X).frozen()).fit(X, y).score(X, y) > 0.9
    True
    """

    rule: KernelRule

    def __call__(self, X: ArrayLike, Y: ArrayLike | None = None) -> Values:
        """Evaluate the raw matrix: no corrections.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
        Y : array-like of shape (n_y, n_features), optional
            None is X.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64

        Raises
        ------
        InvalidDataError
            Another number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X or Y is no finite real matrix.
        """
        A = self.rule.encode(self.rule.check(X, "X"))
        B = A if Y is None or Y is X else self.rule.encode(self.rule.check(Y, "Y"))
        same = B is A or np.array_equal(A, B)
        return np.array(self.rule.measure(A, None if same else B).values)

    def diag(self, X: ArrayLike) -> Values:
        """The raw values k(x, x), shape (n_x,).

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)

        Returns
        -------
        ndarray of shape (n_x,), float64
            For fidelities 1 on noiseless engines, without evaluating anything; measured on noisy ones.

        Raises
        ------
        InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As for a call.
        """
        return self.rule.diag(self.rule.encode(self.rule.check(X, "X")))

    def __sklearn_clone__(self) -> Self:
        return self

    def __repr__(self) -> str:
        return f"FrozenKernel({self.rule})"
