"""A kernel without data: the raw function k(X, Y) with its scaling, safe to hand to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from qkernels._errors import InvalidDataError
from qkernels.engines import AutoEngine, Engine, MPSEngine, Orientation, StatevectorEngine
from qkernels.feature_maps import FeatureMap
from qkernels.kernels._bandwidth import AffineScaling
from qkernels.programs import OverlapProgram, Overlaps

__all__ = ["FrozenKernel"]

Values = NDArray[np.float64]

NOISELESS = (AutoEngine, MPSEngine, StatevectorEngine)
"""Engines whose k(x, x) is 1 by construction, also with shots: nothing needs to be evaluated."""


@dataclass(frozen=True, slots=True, eq=False)
class FrozenKernel:
    """The raw kernel function k(X, Y) of a fitted `FidelityKernel`, as ``frozen()`` gives it.

    A plain callable for anything that takes one, such as ``SVC(kernel=...)`` or ``GaussianProcessRegressor`` adapters.
    scikit-learn's ``clone`` returns the same object, so its scaling stays that of the data it was fitted on, also
    across the folds of a cross-validation: scores then see a little of the test folds. Use the kernel as a transformer
    or inside an estimator of ours where the scaling should be learned inside the fold.

    Attributes
    ----------
    feature_map : FeatureMap
    engine : Engine
    scaling : AffineScaling
        θ = factor · (x − offset).
    program : OverlapProgram
    orientation : {"canonical", "both"}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from qkernels import FidelityKernel
    >>> X, y = load_iris(return_X_y=True)
    >>> SVC(kernel=FidelityKernel().fit(X).frozen()).fit(X, y).score(X, y) > 0.9
    True
    """

    feature_map: FeatureMap
    engine: Engine
    scaling: AffineScaling
    program: OverlapProgram
    orientation: Orientation

    def __call__(self, X: ArrayLike, Y: ArrayLike | None = None) -> Values:
        """Evaluate the raw matrix: no corrections.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
        Y : array-like of shape (n_y, n_features), optional
            None is X.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64 in [0, 1]

        Raises
        ------
        InvalidDataError
            Another number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X or Y is no finite real matrix.
        """
        A = self.encode(X, "X")
        B = A if Y is None or Y is X else self.encode(Y, "Y")
        same = B is A or np.array_equal(A, B)
        return np.array(self.measure(A, None if same else B).values)

    def diag(self, X: ArrayLike) -> Values:
        """The raw values k(x, x), shape (n_x,).

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)

        Returns
        -------
        ndarray of shape (n_x,), float64
            1 on noiseless engines, without evaluating anything; measured on noisy ones.

        Raises
        ------
        InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As for a call.
        """
        A = self.encode(X, "X")
        if self.engine.is_exact or isinstance(self.engine, NOISELESS):
            return np.ones(len(A))
        pairs = np.repeat(np.arange(len(A)), 2).reshape(-1, 2)
        return np.array(self.engine.overlaps(self.program, A, pairs=pairs, orientation=self.orientation).values)

    def encode(self, X: ArrayLike, name: str = "X") -> Values:
        """Angles for the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
        name : str
            How errors call X.

        Returns
        -------
        ndarray of shape (n_x, n_features), float64, C-contiguous

        Raises
        ------
        InvalidDataError
            Another number of features.
        ValueError
            X is no finite real matrix.
        """
        data = check_array(X, dtype=np.float64, order="C", input_name=name)
        if data.shape[1] != self.program.num_features:
            raise InvalidDataError(
                f"{name} has {data.shape[1]} feature(s), but this kernel was fitted on "
                f"{self.program.num_features} feature(s)."
            )
        return self.scaling(data)

    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        """Raw values of encoded rows.

        Parameters
        ----------
        A : ndarray of shape (n_a, n_features)
            From `encode`.
        B : ndarray of shape (n_b, n_features), optional
        need : frozenset of str

        Returns
        -------
        Overlaps

        Raises
        ------
        UnsupportedCircuitError, BudgetError
            From the engine.
        """
        return self.engine.overlaps(self.program, A, B, need=need, orientation=self.orientation)

    def __sklearn_clone__(self) -> Self:
        return self

    def __repr__(self) -> str:
        return f"FrozenKernel({self.feature_map!r}, {self.program.num_features} features, {self.engine!r})"
