"""What corrects a measured kernel matrix: one rule for the training matrix and for K(X_new, X_fit)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from qkernels.programs import Overlaps

__all__ = ["Correction"]


class Correction(BaseEstimator, ABC):
    """Base class of corrections (abstract): learned on the training matrix, applied to it and to cross blocks.

    A subclass writes `fit`, `transform_gram` and `transform_cross`. Corrections are scikit-learn objects: ``__init__``
    only stores, `fit` validates, ``clone`` and searches over their parameters work.

    Attributes
    ----------
    requires : frozenset of str
        What the correction needs beside the values: a subset of {"weights", "bits", "diagonal", "orientations"}. The
        kernel asks its engine for the union.
    guarantees_psd : bool
        Whether the corrected training matrix has no negative eigenvalue.
    """

    requires: ClassVar[frozenset[str]] = frozenset()
    guarantees_psd: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        gram: NDArray[np.float64],
        overlaps: Overlaps | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Self:
        """Learn from the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The training matrix as the corrections before this one left it.
        overlaps : Overlaps, optional
            What the engine measured, with what `requires` asked for.
        sample_weight : ndarray of shape (n_fit,), optional

        Returns
        -------
        self
        """

    @abstractmethod
    def transform_gram(self, gram: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correct the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
        """

    @abstractmethod
    def transform_cross(self, cross: NDArray[np.float64], overlaps: Overlaps | None = None) -> NDArray[np.float64]:
        """Correct K(X_new, X_fit) by the rule learned in `fit`.

        Parameters
        ----------
        cross : ndarray of shape (n_new, n_fit)
            As the corrections before this one left it.
        overlaps : Overlaps, optional
            What the engine measured.

        Returns
        -------
        ndarray of shape (n_new, n_fit)
        """
