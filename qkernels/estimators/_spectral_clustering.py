"""QuantumSpectralClustering: clusters of the graph whose weights are a quantum kernel."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from sklearn.cluster import SpectralClustering

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.estimators._graph import GraphEstimator
from qkernels.kernels import KernelParameter

__all__ = ["QuantumSpectralClustering"]

_OPTIONS = ("n_clusters", "eigen_solver", "n_components", "random_state", "n_init", "eigen_tol", "assign_labels")


class QuantumSpectralClustering(ClusterMixin, GraphEstimator):
    """Spectral clustering on a quantum kernel: scikit-learn's ``SpectralClustering`` on the kernel matrix.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``. Its values must be >= 0.
    n_clusters : int, default=8
        From 1 to the number of samples.
    eigen_solver : {"arpack", "lobpcg", "amg"}, default=None
        None is "arpack"; "amg" needs pyamg.
    n_components : int, default=None
        Eigenvectors of the graph Laplacian to cluster in, from 1 to the number of samples; None is `n_clusters`.
    random_state : int, RandomState or None, default=None
        Of the start vectors of the eigensolver and of k-means. The randomness of shots is the `seed` of the engine.
    n_init : int, default=10
        Runs of k-means, of which the best is kept.
    eigen_tol : float or "auto", default="auto"
        Tolerance of the eigensolver, >= 0.
    assign_labels : {"kmeans", "discretize", "cluster_qr"}, default="kmeans"
        How clusters are read off the eigenvectors.

    Attributes
    ----------
    kernel_ : QuantumKernel, ForeignKernel, or "precomputed"
        Fitted.
    affinity_matrix_ : ndarray of shape (n_samples, n_samples), float64
        The training matrix as weights of a graph, >= 0.
    labels_ : ndarray of shape (n_samples,), int32
        Cluster of each training row, from 0.
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    QuantumKernelPCA : eigenvectors of the matrix itself, for new rows too.
    QuantumLabelPropagation : where some rows are labelled.
    sklearn.cluster.SpectralClustering : the solver.

    Notes
    -----
    There is no `predict`: clusters are a property of the graph of the training rows; `fit_predict` returns them.

    Values are weights of a graph and must not be negative. Fidelities never are. Where the repair of sampled values or
    the mitigation of noisy ones turned some below 0, these become 0; a kernel that is negative itself (a linear outer
    kernel of expectation values) is refused.

    Cost: the kernel's (N simulations, more where memory is short), then O(N³).

    References
    ----------
    von Luxburg, "A tutorial on spectral clustering", arXiv:0711.0189.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from qkernels.estimators import QuantumSpectralClustering
    >>> X, y = load_iris(return_X_y=True)
    >>> model = QuantumSpectralClustering(n_clusters=3, random_state=0).fit(X)
    >>> bool(adjusted_rand_score(y, model.labels_) > 0.5)
    True
    """

    _solver_class: ClassVar[Any] = SpectralClustering
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        **{name: SpectralClustering._parameter_constraints[name] for name in _OPTIONS},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        n_clusters: int = 8,
        *,
        eigen_solver: Literal["arpack", "lobpcg", "amg"] | None = None,
        n_components: int | None = None,
        random_state: int | RandomState | None = None,
        n_init: int = 10,
        eigen_tol: float | Literal["auto"] = "auto",
        assign_labels: Literal["kmeans", "discretize", "cluster_qr"] = "kmeans",
    ) -> None:
        self.kernel = kernel
        self.n_clusters = n_clusters
        self.eigen_solver = eigen_solver
        self.n_components = n_components
        self.random_state = random_state
        self.n_init = n_init
        self.eigen_tol = eigen_tol
        self.assign_labels = assign_labels

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit the kernel and find the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            At least two rows, real, finite, raw or scaled; the square kernel matrix for ``kernel="precomputed"``.
        y : object, optional
            Not used.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the estimator, the kernel or the map breaks its rule, or there are more clusters or
            components than samples.
        InvalidDataError
            X has one row, the kernel has negative values, a precomputed matrix is not square, a callable returns no
            finite matrix of the right shape, or the map does not take this number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed (scikit-learn's validation), or "amg" is asked for without pyamg.
        """
        self._fit_solver(X)
        self.affinity_matrix_: NDArray[np.float64] = self._solver.affinity_matrix_
        self.labels_: NDArray[np.int32] = self._solver.labels_
        return self

    def fit_predict(self, X: ArrayLike, y: object = None) -> NDArray[np.int32]:
        """Fit, and return the cluster of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_samples,), int32
            ``labels_``.

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        return self.fit(X).labels_

    def _check_size(self, n_samples: int) -> None:
        owner = type(self).__name__
        if n_samples < 2:
            raise InvalidDataError(f"X of {owner} must have at least 2 rows; got n_samples={n_samples}.")
        for name in ("n_clusters", "n_components"):
            value = getattr(self, name)
            if value is not None and value > n_samples:
                raise InvalidParameterError(
                    f"{name} of {owner} must be at most the number of samples, {n_samples} sample(s) here; got {value}."
                )

    def _make_solver(self, gram: NDArray[np.float64], parameters: dict[str, Any]) -> Any:
        return SpectralClustering(affinity="precomputed", **parameters)
