"""The base class of quantum kernels: a scikit-learn transformer from X to K(X, X_fit)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine
from qkernels.kernels._correction import Correction
from qkernels.kernels._defaults import ComposedDefaultsMixin
from qkernels.kernels._restore import unchanged_on_failure
from qkernels.kernels._spectrum import ClipSpectrum, warn_if_not_psd
from qkernels.kernels._weights import check_weights
from qkernels.programs import Overlaps

__all__ = ["QuantumKernel"]

Values = NDArray[np.float64]


class QuantumKernel(ComposedDefaultsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base class of quantum kernels (abstract).

    A subclass has the parameters ``engine`` and ``corrections``, sets ``engine_`` in `_learn`, and says what is encoded
    (`_encode`) and how encoded rows are compared (`_measure`). Validation, weights, corrections, the training matrix
    and scikit-learn's transformer interface are here, once.
    """

    corrections: Sequence[Correction] | None
    engine_: Engine

    # What a subclass provides -----------------------------------------------------------------------------------

    @abstractmethod
    def _learn(self, X: Values, weights: Values) -> None:
        """Validate parameters and learn what depends on the data; set ``engine_``."""

    @abstractmethod
    def _encode(self, X: Values) -> Values:
        """Rows of X as the circuit takes them, C-contiguous."""

    @abstractmethod
    def _measure(self, A: Values, B: Values | None, need: frozenset[str]) -> Overlaps:
        """Raw kernel values of encoded rows; B is None for the Gram matrix of A."""

    # scikit-learn -----------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the scaling and the corrections, and evaluate the training matrix.

        A fit that fails leaves the kernel as it was.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : object, optional
            Not used.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0 of the samples in everything that is learned. Rows of weight 0 stay columns of `transform`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the kernel, the map or a correction breaks its rule.
        InvalidDataError
            The weights break their rule, or the map does not take this number of features.
        UnsupportedCircuitError
            The engine cannot evaluate the circuit.
        BudgetError
            The request does not fit into the engine's limits.
        ValueError
            X is no finite real matrix (scikit-learn's validation).
        """
        self.fit_gram(X, sample_weight)
        return self

    def fit_transform(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Values:
        """Fit, and return the training matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        ndarray of shape (n_samples, n_samples), float64
            A copy of ``gram_``; a data frame after ``set_output(transform="pandas")``.

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        return np.array(self.fit_gram(X, sample_weight))

    def transform(self, X: ArrayLike) -> Values:
        """K(X, X_fit), corrected by the rules learned in `fit`.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_fit), float64
            Column j is the kernel with the j-th row given to `fit`. ``transform(X_fit)`` equals
            ``fit_transform(X_fit)``.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is no finite real matrix, or has another number of features than in `fit`.
        """
        return np.array(self.cross(X))

    # The same without copies and data frames, for estimators ----------------------------------------------------

    def fit_gram(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Values:
        """Fit, and return the training matrix without a copy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        ndarray of shape (n_samples, n_samples), float64
            ``gram_`` itself, read-only.

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        with unchanged_on_failure(self):
            return self._fit_gram(X, sample_weight)

    def _fit_gram(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Values:
        data: Values = validate_data(self, X, dtype=np.float64, order="C")
        weights = check_weights(sample_weight, len(data))
        self._learn(data, weights / weights.max())  # only ratios count there, and sums of huge weights overflow
        corrections = self._resolve_corrections()
        encoded = self._encode(data)
        overlaps = self._measure(encoded, None, _union_of_needs(corrections))
        gram = overlaps.values
        for correction in corrections:
            gram = correction.fit(gram, overlaps, weights).transform_gram(gram)
        if not self.engine_.is_exact and not (corrections and corrections[-1].guarantees_psd):
            warn_if_not_psd(gram, overlaps.stderr, type(self).__name__)
        gram = gram.view()
        gram.setflags(write=False)
        self.corrections_ = corrections
        self.gram_ = gram
        self.__dict__.pop("gram_stderr_", None)  # of an earlier fit on a sampling engine
        if overlaps.stderr is not None:
            self.gram_stderr_ = overlaps.stderr
        self._encoded_fit = encoded
        self._n_features_out = len(encoded)
        return gram

    def cross(self, X: ArrayLike) -> Values:
        """K(X, X_fit) as `transform` gives it, without a copy.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_fit), float64
            May be read-only.

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `transform`.
        """
        check_is_fitted(self)
        encoded = self._encode(validate_data(self, X, dtype=np.float64, order="C", reset=False))
        if not self.corrections_ and np.array_equal(encoded, self._encoded_fit):
            return self.gram_
        overlaps = self._measure(encoded, self._encoded_fit, _union_of_needs(self.corrections_))
        cross = overlaps.values
        for correction in self.corrections_:
            cross = correction.transform_cross(cross, overlaps)
        return cross

    def _resolve_corrections(self) -> list[Correction]:
        """Fresh corrections for this fit; without any wish, what sampled or noisy values need."""
        if self.corrections is None:
            return [] if self.engine_.is_exact else [ClipSpectrum()]
        owner = type(self).__name__
        if isinstance(self.corrections, (Correction, str)) or not isinstance(self.corrections, Sequence):
            raise InvalidParameterError(
                f"corrections of {owner} must be None or a list of corrections such as [ClipSpectrum()]; "
                f"got {self.corrections!r}."
            )
        for position, correction in enumerate(self.corrections):
            if not isinstance(correction, Correction):
                raise InvalidParameterError(
                    f"corrections[{position}] of {owner} must be a correction such as ClipSpectrum(); "
                    f"got {correction!r}."
                )
        return [clone(correction) for correction in self.corrections]


def _union_of_needs(corrections: Sequence[Correction]) -> frozenset[str]:
    return frozenset().union(*(correction.requires for correction in corrections))
