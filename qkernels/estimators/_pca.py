"""QuantumKernelPCA: principal components in the feature space of a quantum kernel."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import KernelPCA

from qkernels._errors import InvalidParameterError
from qkernels.estimators._base import KernelEstimator
from qkernels.kernels import KernelParameter

__all__ = ["QuantumKernelPCA"]

_OPTIONS = ("n_components", "eigen_solver", "tol", "max_iter", "iterated_power", "remove_zero_eig", "random_state")


class QuantumKernelPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KernelEstimator):
    """Principal components on a quantum kernel: scikit-learn's ``KernelPCA`` on the kernel matrix.

    A transformer: features for any estimator that takes none but vectors, or two columns to draw.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``.
    n_components : int, default=None
        Columns to keep, from 1 to the number of samples; None is all with an eigenvalue above 0.
    eigen_solver : {"auto", "dense", "arpack", "randomized"}, default="auto"
        "auto" is "arpack" for fewer than 10 components of more than 200 samples, otherwise "dense".
    tol : float, default=0
        Tolerance of "arpack", >= 0; 0 is its own choice.
    max_iter : int, default=None
        Limit of iterations of "arpack"; None is its own choice.
    iterated_power : int or "auto", default="auto"
        Power iterations of "randomized".
    remove_zero_eig : bool, default=False
        Whether columns with eigenvalue 0 are removed also where `n_components` is a number.
    random_state : int, RandomState or None, default=None
        Of the start vectors of "arpack" and "randomized". The randomness of shots is the `seed` of the engine.

    Attributes
    ----------
    kernel_ : QuantumKernel, ForeignKernel, or "precomputed"
        Fitted.
    eigenvalues_ : ndarray of shape (n_components,)
        Of the centred training matrix, descending; >= 0.
    eigenvectors_ : ndarray of shape (n_samples, n_components)
        Of unit length, in columns.
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    FidelityKernel : is a transformer itself, to K(X, X_fit).
    sklearn.decomposition.KernelPCA : the solver.

    Notes
    -----
    With the centred matrix HKH = V Λ Vᵀ, H = I − 11ᵀ/N, the training rows become V √Λ, and a new row with centred
    kernel values k becomes kᵀ V / √Λ. How much of the variance is kept: ``eigenvalues_[:m].sum()`` over the trace of
    HKH.

    There is no ``inverse_transform``: components are directions in the space of density matrices, and most points there
    are states of no x. scikit-learn's learns pre-images with a kernel it can evaluate between *transformed* rows, which
    a kernel of the original features is not.

    Cost: the kernel's (N simulations, more where memory is short), then O(N³) for "dense", O(N² n_components) for the
    others.

    References
    ----------
    Schölkopf, Smola, Müller, "Nonlinear component analysis as a kernel eigenvalue problem", Neural Computation 10
    (1998). Quantum kernels in it: Schuld, "Supervised quantum machine learning models are kernel methods",
    arXiv:2101.11020.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from qkernels.estimators import QuantumKernelPCA
    >>> X, y = load_wine(return_X_y=True)
    >>> bool(cross_val_score(make_pipeline(QuantumKernelPCA(n_components=8), LogisticRegression()), X, y).mean() > 0.9)
    True
    """

    _solver_class: ClassVar[Any] = KernelPCA
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        **{name: KernelPCA._parameter_constraints[name] for name in _OPTIONS},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        n_components: int | None = None,
        *,
        eigen_solver: Literal["auto", "dense", "arpack", "randomized"] = "auto",
        tol: float = 0,
        max_iter: int | None = None,
        iterated_power: int | Literal["auto"] = "auto",
        remove_zero_eig: bool = False,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.kernel = kernel
        self.n_components = n_components
        self.eigen_solver = eigen_solver
        self.tol = tol
        self.max_iter = max_iter
        self.iterated_power = iterated_power
        self.remove_zero_eig = remove_zero_eig
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit kernel and components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled; the square kernel matrix for ``kernel="precomputed"``.
        y : object, optional
            Not used.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the estimator, the kernel or the map breaks its rule, or there are more components than
            samples.
        InvalidDataError
            A precomputed matrix is not square, a callable returns no finite matrix of the right shape, or the map does
            not take this number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed, or its matrix has clearly negative eigenvalues (scikit-learn's validation).
        """
        self._fit_solver(X)
        self.eigenvalues_: NDArray[np.float64] = self._solver.eigenvalues_
        self.eigenvectors_: NDArray[np.float64] = self._solver.eigenvectors_
        return self

    def _check_size(self, n_samples: int) -> None:
        if self.n_components is not None and self.n_components > n_samples:
            raise InvalidParameterError(
                f"n_components of QuantumKernelPCA must be at most the number of samples, {n_samples} sample(s) here; "
                f"got {self.n_components}. Lower it, or leave n_components=None for all."
            )

    def fit_transform(self, X: ArrayLike, y: object = None) -> NDArray[np.float64]:
        """Fit, and return the components of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_samples, n_components), float64
            V √Λ; a data frame after ``set_output(transform="pandas")``. Equal to ``transform(X)`` except where a
            correction treats the training matrix alone (`ShiftSpectrum`).

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        self.fit(X)
        return np.asarray(self.eigenvectors_ * np.sqrt(self.eigenvalues_))  # no second look at the matrix

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Components of new rows.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_components), float64
            A data frame after ``set_output(transform="pandas")``.

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.transform(cross))

    @property
    def _n_features_out(self) -> int:
        return len(self.eigenvalues_)
