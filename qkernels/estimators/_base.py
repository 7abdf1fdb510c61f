"""What the estimators share: a kernel in front of a scikit-learn solver with a precomputed matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.feature_maps import warn_of_column_order
from qkernels.kernels import (
    ComposedDefaultsMixin,
    FidelityKernel,
    KernelParameter,
    as_kernel,
    check_weights,
    unchanged_on_failure,
)

__all__ = ["KernelEstimator"]

Values = NDArray[np.float64]


class KernelEstimator(ComposedDefaultsMixin, BaseEstimator):
    """Base of the estimators (abstract): a kernel matrix, then a scikit-learn solver; no solver of ours.

    Samples of weight 0 are dropped before the kernel is evaluated. With precomputed and callable kernels scikit-learn's
    SVC otherwise mixes up rows and returns wrong decision values.

    A subclass names its solver, whose parameters it shares, and calls `_fit_solver` and `_cross`. y is used where the
    tags of the subclass require it (classifiers, regressors), and ignored elsewhere.
    """

    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {"kernel": FidelityKernel}
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("kernel",)
    _solver_class: ClassVar[Any]
    """The scikit-learn estimator underneath."""

    _parameter_constraints: ClassVar[dict[str, Any]]

    kernel: KernelParameter

    @property
    def _is_precomputed(self) -> bool:
        return isinstance(self.kernel, str) and self.kernel == "precomputed"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._is_precomputed
        tags.input_tags.sparse = False
        return tags

    def _fit_solver(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None, **y_options: bool
    ) -> NDArray[np.intp]:
        """Validate, evaluate the kernel of all rows of positive weight, fit the solver; return these rows."""
        with unchanged_on_failure(self):
            return self._fit_rows(X, y, sample_weight, **y_options)

    def _fit_rows(
        self, X: ArrayLike, y: ArrayLike | None, sample_weight: ArrayLike | None, **y_options: bool
    ) -> NDArray[np.intp]:
        parameters = {k: v for k, v in self.get_params(deep=False).items() if k != "kernel"}
        try:
            self._validate_params()
        except ValueError as error:
            raise InvalidParameterError(str(error)) from None
        data, targets = self._validated(X, y, **y_options)
        if self._is_precomputed and data.shape[0] != data.shape[1]:
            raise InvalidDataError(
                f"X of {type(self).__name__} with kernel='precomputed' must be a square matrix, the kernel between all "
                f"training samples; got shape {data.shape}."
            )
        if targets is not None:
            targets = self._check_targets(targets)
        self._check_size(len(data))
        self.shape_fit_ = data.shape
        weights = check_weights(sample_weight, len(data))
        rows = np.flatnonzero(weights)
        if targets is not None:
            self._check_remaining(targets, rows)
        if len(rows) < len(data):
            data, targets, weights = data[rows], None if targets is None else targets[rows], weights[rows]
        gram = self._training_matrix(data, weights, rows)
        warn_of_column_order(self)
        options = {} if sample_weight is None else {"sample_weight": weights}
        solver = self._make_solver(gram, parameters).fit(gram, targets, **options)
        self._solver = self._improve(solver, targets, options)
        self._check_solver(self._solver)
        self._rows = rows
        return rows

    def _validated(self, X: ArrayLike, y: ArrayLike | None, **y_options: bool) -> tuple[Values, NDArray[Any] | None]:
        if not get_tags(self).target_tags.required:
            return validate_data(self, X, dtype=np.float64, order="C"), None
        data, targets = validate_data(self, X, y, dtype=np.float64, order="C", **y_options)
        return data, targets

    def _training_matrix(self, data: Values, weights: Values, rows: NDArray[np.intp]) -> Values:
        if self._is_precomputed:
            self.kernel_: Any = "precomputed"
            return data if len(rows) == data.shape[1] else np.ascontiguousarray(data[:, rows])
        self.kernel_ = as_kernel(self.kernel, type(self).__name__)
        return np.asarray(self.kernel_.fit_gram(data, weights))

    def _make_solver(self, gram: Values, parameters: dict[str, Any]) -> Any:
        """The solver, not fitted, for this training matrix; `parameters` are those of the estimator but `kernel`."""
        return self._solver_class(kernel="precomputed", **parameters)

    def _improve(self, solver: Any, targets: NDArray[Any] | None, options: dict[str, Any]) -> Any:
        """A better solver after a first fit, where the kernel can be measured better."""
        return solver

    def _check_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        return y

    def _check_size(self, n_samples: int) -> None:
        """Refuse parameters that ask for more than this number of samples can give."""

    def _check_solver(self, solver: Any) -> None:
        """Warn about what the solver found."""

    def _check_remaining(self, y: NDArray[Any], rows: NDArray[np.intp]) -> None:
        """Refuse weights that leave nothing to learn from."""

    def _cross(self, X: ArrayLike) -> Values:
        """K(X, X_fit) for the rows that were fitted."""
        check_is_fitted(self)
        data: Values = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        if not isinstance(self.kernel_, str):
            return np.asarray(self.kernel_.cross(data))
        return data if len(self._rows) == data.shape[1] else np.ascontiguousarray(data[:, self._rows])
