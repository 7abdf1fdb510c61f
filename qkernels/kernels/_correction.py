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

    A subclass writes `fit`, `transform_gram` and `transform_cross`, and `transform_stderr` where it does more than add
    what is known. Corrections are scikit-learn objects: ``__init__`` only stores, `fit` validates, ``clone``
    and ``set_params`` work. A kernel holds a list of them, which has no names for its members: searches take whole
    lists, ``{"kernel__corrections": [[ClipSpectrum()], [DepolarizingMitigation("mean"), ClipSpectrum()]]}``, not single
    parameters of one.

    Attributes
    ----------
    requires : frozenset of str
        What the correction needs beside the values: a subset of {"weights", "bits", "diagonal", "orientations"}. The
        kernel asks its engine for the union.
    guarantees_psd : bool
        Whether the corrected training matrix has no negative eigenvalue.

    Notes
    -----
    Corrections are applied in the order of the list, each fitted to what those before it left. First what undoes errors
    of single measurements (`ReadoutMitigation`, `BitFlipTolerance`), which start from the counts themselves; then what
    undoes noise of the circuit (`DepolarizingMitigation`), which compares entries with the diagonal; repairs of
    eigenvalues (`ClipSpectrum`) last: they mix entries, and what mixes entries hides both counts and self-values.
    """

    requires: ClassVar[frozenset[str]] = frozenset()
    guarantees_psd: ClassVar[bool] = False

    @property
    def entrywise(self) -> bool:
        """Whether every entry is corrected alone, by one rule for all pairs of rows.

        `transform_cross` of such a correction also takes the self-values of new rows, as a column: what corrections
        after it are told about them. After any other correction, self-values of new rows are unknown.
        """
        return False

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
            What the engine measured, with what `requires` asked for. `values` are raw. `diagonals` are self-values as
            the corrections before this one left them, None where one of them has no rule for new rows. `info` has the
            entries of `inform`.
        sample_weight : ndarray of shape (n_fit,), optional

        Returns
        -------
        self
        """

    @abstractmethod
    def transform_gram(self, gram: NDArray[np.float64], overlaps: Overlaps | None = None) -> NDArray[np.float64]:
        """Correct the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            As given to `fit`.

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
            What the engine measured, in the sense of `fit`.

        Returns
        -------
        ndarray of shape (n_new, n_fit)
        """

    def transform_new(
        self,
        values: NDArray[np.float64],
        left: NDArray[np.float64],
        right: NDArray[np.float64],
        overlaps: Overlaps | None = None,
    ) -> NDArray[np.float64]:
        """Correct entries of new rows among themselves: what a Gaussian process takes for their prior covariance.

        Parameters
        ----------
        values : ndarray of shape (n_new, n_new), or (n_new, 1)
            All pairs of new rows, or every row with itself, as the corrections before this one left them.
        left, right : ndarray of shape (n_new, 1), and (1, n_new) or (n_new, 1)
            The self-values of both rows of an entry, as the corrections before this one left them.
        overlaps : Overlaps, optional
            What the engine measured for these entries.

        Returns
        -------
        ndarray of the shape of `values`
            Here what `transform_cross` gives where the correction is entrywise; one that mixes entries has no rule for
            pairs of new rows, and `values` is returned.
        """
        return self.transform_cross(values, overlaps) if self.entrywise else values

    def transform_stderr(
        self, stderr: NDArray[np.float64], gram: NDArray[np.float64], overlaps: Overlaps | None = None
    ) -> NDArray[np.float64]:
        """Standard errors of the corrected training matrix.

        To first order in the errors of `gram`, which count as independent for different unordered pairs of rows.

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
            Standard errors of `gram`, symmetric.
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            As given to `fit`.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Here `stderr` itself: right for a correction that adds what does not depend on the measured values.
        """
        return stderr

    def inform(self, overlaps: Overlaps) -> Overlaps:
        """What corrections after this one are told in place of `overlaps`.

        Parameters
        ----------
        overlaps : Overlaps
            What this one was told. ``info["num_qubits"]`` are the measured qubits; ``info["self_value"]`` is the entry
            of a row with itself without noise (1 where it is missing) and ``info["mixed_value"]`` that of random
            outcomes (2^−num_qubits where it is missing).

        Returns
        -------
        Overlaps
            Here `overlaps` itself. A correction that changes what an outcome is worth replaces the last two.
        """
        return overlaps
