"""NystroemFeatures: a kernel of rank m from N·m entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.feature_maps import warn_of_column_order
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._coerce import ForeignKernel, KernelParameter, as_kernel
from qkernels.kernels._defaults import ComposedDefaultsMixin
from qkernels.kernels._fidelity import FidelityKernel
from qkernels.kernels._restore import unchanged_on_failure

__all__ = ["NystroemFeatures"]

Values = NDArray[np.float64]

_DEFAULT_COMPONENTS = 100

_CUTOFF = 1e-12
"""Eigenvalues of K_ZZ below this part of the largest (in absolute value) are rounding: their directions add noise."""


class NystroemFeatures(ComposedDefaultsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Nyström features: an explicit feature vector of m numbers per row from a kernel, a scikit-learn transformer.

    .. math:: \varphi(x) = K(x, Z)\, K_{ZZ}^{-1/2}, \qquad \varphi(x) \cdot \varphi(y) \approx k(x, y)

    with m landmark rows Z of the training data. Linear models on these features are kernel machines that never need
    the N × N matrix.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``.
    n_components : int >= 1, default=None
        Landmarks m, at most the number of training rows; None is 100, or all rows where there are fewer.
    selection : {"uniform", "kmeans++"}, default="uniform"
        "uniform" draws landmarks without replacement; "kmeans++" spreads them over the encoded rows (angles) by
        scikit-learn's ``kmeans_plusplus``, which costs no kernel entries.
    random_state : int, RandomState instance or None, default=None
        Of the selection.

    Attributes
    ----------
    kernel_ : QuantumKernel or ForeignKernel
        Fitted; its columns are the landmarks, its scaling is learned from all rows.
    components_ : ndarray of shape (n_components, n_features), float64
        The landmarks Z.
    component_indices_ : ndarray of shape (n_components,), intp
        Their positions in the X given to `fit`.
    normalization_ : ndarray of shape (n_components, n_components), float64
        :math:`K_{ZZ}^{-1/2}`, the pseudo-inverse root: eigenvalues below 1e-12 of the largest count as 0.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    Raises
    ------
    InvalidParameterError
        In `fit`: a parameter breaks its rule.

    See Also
    --------
    FidelityKernel : the whole matrix.
    sklearn.kernel_approximation.Nystroem : the same for classical kernels.

    Notes
    -----
    Cost: `fit` evaluates m(m−1)/2 entries, `fit_transform` (N − m)·m more, instead of N²/2; N circuits are simulated,
    or N·m run on a device (``kernel_.plan(N, m)``). Memory: N·m numbers and what the engine's `memory_limit` allows
    for states. With m = N the approximation is exact.

    References
    ----------
    Williams and Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from qkernels import NystroemFeatures
    >>> X, y = load_digits(n_class=4, return_X_y=True)
    >>> model = make_pipeline(PCA(8), NystroemFeatures(n_components=60, random_state=0), LinearSVC())
    >>> bool(model.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.9)
    True
    """

    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {"kernel": FidelityKernel}
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("kernel",)

    def __init__(
        self,
        kernel: KernelParameter = None,
        n_components: int | None = None,
        selection: Literal["uniform", "kmeans++"] = "uniform",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.kernel = kernel
        self.n_components = n_components
        self.selection = selection
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the scaling from X, choose landmarks, and evaluate the kernel among them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of this transformer, the kernel or the map breaks its rule.
        InvalidDataError
            More components than rows, or the map does not take this number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is no finite real matrix (scikit-learn's validation).
        """
        with unchanged_on_failure(self):
            self._fit(X)
        return self

    def _fit(self, X: ArrayLike) -> Values:
        data: Values = validate_data(self, X, dtype=np.float64, order="C")
        m = self._checked_components(len(data))
        if self.selection not in ("uniform", "kmeans++"):
            raise InvalidParameterError(
                f"selection of NystroemFeatures must be 'uniform' or 'kmeans++'; got {self.selection!r}."
            )
        if isinstance(self.kernel, str):
            raise InvalidParameterError(
                f"kernel of NystroemFeatures must be a kernel that can be evaluated; got {self.kernel!r}. Landmarks of "
                "a precomputed matrix are columns of it: slice them yourself."
            )
        random = check_random_state(self.random_state)

        def choose(encoded: Values) -> NDArray[np.intp]:
            if self.selection == "kmeans++":
                chosen = kmeans_plusplus(encoded, m, random_state=random)[1]
            else:
                chosen = random.permutation(len(encoded))[:m]
            return np.sort(chosen).astype(np.intp)

        kernel = as_kernel(self.kernel, type(self).__name__)
        if isinstance(kernel, ForeignKernel):
            rows = choose(data)
            gram = kernel.fit_gram(data[rows])
        else:
            gram = kernel.fit_gram(data, rows=choose)
            rows = kernel.fit_rows_
        warn_of_column_order(self)
        values, vectors = eigh(0.5 * (gram + gram.T))
        kept = values > _CUTOFF * np.abs(values).max()
        basis = vectors[:, kept]
        self.normalization_: Values = (basis / np.sqrt(values[kept])) @ basis.T
        self.kernel_: QuantumKernel | ForeignKernel = kernel
        self.component_indices_ = rows
        self.components_ = data[rows]
        self._n_features_out = m
        return data

    def _checked_components(self, n_rows: int) -> int:
        m = self.n_components
        if m is None:
            return min(_DEFAULT_COMPONENTS, n_rows)
        if isinstance(m, bool) or not isinstance(m, Integral) or m < 1:
            raise InvalidParameterError(f"n_components of NystroemFeatures must be None or an integer >= 1; got {m!r}.")
        if m > n_rows:
            raise InvalidDataError(
                f"n_components of NystroemFeatures must be at most the number of training rows, as landmarks are rows: "
                f"got n_components={m} and n_samples={n_rows}. Lower it, or leave n_components=None."
            )
        return int(m)

    def fit_transform(self, X: ArrayLike, y: object = None) -> Values:
        """Fit, and return the features of X; landmark rows are not evaluated a second time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_samples, n_components), float64

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        with unchanged_on_failure(self):
            data = self._fit(X)
            cross = np.empty((len(data), len(self.component_indices_)))
            # Not `gram_` itself: corrections may treat the training diagonal alone, and landmarks are rows like others.
            is_ours = isinstance(self.kernel_, QuantumKernel)
            cross[self.component_indices_] = self.kernel_.cross(self.components_) if is_ours else self.kernel_.gram_
            rest = np.setdiff1d(np.arange(len(data)), self.component_indices_)
            if len(rest):
                cross[rest] = self.kernel_.cross(data[rest])
            return np.asarray(cross @ self.normalization_)

    def transform(self, X: ArrayLike) -> Values:
        """Features of new rows.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_components), float64
            ``transform(X_fit)`` equals ``fit_transform(X_fit)`` to rounding.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is no finite real matrix, or has another number of features than in `fit`.
        """
        check_is_fitted(self)
        data: Values = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        return np.asarray(self.kernel_.cross(data) @ self.normalization_)
