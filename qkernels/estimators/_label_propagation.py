"""QuantumLabelPropagation: few labels spread over the graph of a quantum kernel."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.semi_supervised import LabelSpreading
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets

from qkernels._errors import InvalidDataError, QKernelsWarning
from qkernels.estimators._graph import GraphEstimator, KernelGraph
from qkernels.kernels import KernelParameter

__all__ = ["QuantumLabelPropagation"]

UNLABELLED = -1
"""scikit-learn's mark for rows without a label."""


class QuantumLabelPropagation(ClassifierMixin, GraphEstimator):
    r"""Classification from few labels: scikit-learn's ``LabelSpreading`` on the neighbour graph of a quantum kernel.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        As in `QuantumKernelSVC`; None is ``FidelityKernel()``. Its values must be >= 0.
    n_neighbors : int, default=10
        Edges that each row keeps, >= 1: those to the rows with the largest kernel values, and to all that tie with the
        smallest of them. Where there are fewer other rows, all are neighbours. None keeps every edge, which needs a
        kernel close to 0 between classes: otherwise the many weak edges outweigh the few strong ones.
    alpha : float, default=0.9
        In (0, 1): how much of its label a row takes from its neighbours rather than from y.
    max_iter : int, default=1000
        Limit of iterations, >= 1; scikit-learn warns when it is reached.
    tol : float, default=1e-6
        The iteration ends when the distributions change by less than this, summed over all rows and classes.

    Attributes
    ----------
    kernel_ : QuantumKernel, ForeignKernel, or "precomputed"
        Fitted.
    graph_ : csr_array or ndarray of shape (n_samples, n_samples), float64
        W, symmetric, 0 on the diagonal; dense for ``n_neighbors=None``.
    classes_ : ndarray of shape (n_classes,)
        Without -1.
    label_distributions_ : ndarray of shape (n_samples, n_classes), float64
        Rows sum to 1; rows of zeros are connected to no labelled row.
    transduction_ : ndarray of shape (n_samples,)
        Label found for each training row; the first class for rows connected to no labelled row.
    n_iter_ : int
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    QuantumSpectralClustering : without labels.
    QuantumKernelSVC : where every row is labelled.
    sklearn.semi_supervised.LabelSpreading : the solver.

    Notes
    -----
    W holds the kernel values between neighbours, 0 elsewhere and on the diagonal: rows i and j are connected, with
    weight :math:`k(x_i, x_j)`, where *either* is among the `n_neighbors` nearest of the other (the union, which is
    symmetric, keeps whole weights, and leaves a row without edges only where its kernel values are 0). With the
    degrees :math:`D_{ii} = \sum_j W_{ij}`, :math:`S = D^{-1/2} W D^{-1/2}`, and Y the given labels as unit vectors,

    .. math:: F = (I - αS)^{-1} Y

    is the fixed point that the solver iterates to; its rows, divided by their sums, are ``label_distributions_``.

    New rows do not change the graph: `predict_proba` averages the distributions of the `n_neighbors` fitted rows
    nearest to a new one, weighted by the kernel. So ``fit(X, y).predict(X)`` is not ``transduction_``.

    Values are weights of a graph and must not be negative. Where the repair of sampled values or the mitigation of
    noisy ones turned some below 0, these become 0; a kernel that is negative itself (a linear outer kernel of
    expectation values) is refused.

    Cost: the kernel's (N simulations, more where memory is short) on labelled and unlabelled rows together, then
    O(N · n_neighbors · n_classes) per iteration.

    References
    ----------
    Zhou, Bousquet, Lal, Weston, Schölkopf, "Learning with local and global consistency", NIPS 16 (2004).
    von Luxburg, "A tutorial on spectral clustering", arXiv:0711.0189, for graphs of nearest neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from qkernels.estimators import QuantumLabelPropagation
    >>> X, y = load_wine(return_X_y=True)
    >>> few = np.full(len(y), -1)
    >>> few[::20] = y[::20]  # 9 of 178 labels
    >>> model = QuantumLabelPropagation().fit(X, few)
    >>> bool(np.mean(model.transduction_ == y) > 0.9)
    True
    """

    _solver_class: ClassVar[Any] = LabelSpreading
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        **{name: LabelSpreading._parameter_constraints[name] for name in ("alpha", "max_iter", "tol")},
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        *,
        n_neighbors: int | None = 10,
        alpha: float = 0.9,
        max_iter: int = 1000,
        tol: float = 1e-6,
    ) -> None:
        self.kernel = kernel
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the kernel and spread the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Labelled and unlabelled rows, real, finite, raw or scaled; the square kernel matrix for
            ``kernel="precomputed"``.
        y : array-like of shape (n_samples,)
            Class labels; -1 marks rows without one, so where some are unlabelled, labels must be numbers.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the estimator, the kernel or the map breaks its rule.
        InvalidDataError
            No row is labelled, labels are texts and some rows are marked by -1, the kernel has negative values, a
            precomputed matrix is not square, a callable returns no finite matrix of the right shape, or the map does
            not take this number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X or y is malformed (scikit-learn's validation).

        Warns
        -----
        QKernelsWarning
            Rows are connected to no labelled row.
        """
        self._fit_solver(X, y)
        solver = self._solver
        self.graph_: NDArray[np.float64] | sparse.csr_array = solver.kernel.weights
        self.classes_: NDArray[Any] = solver.classes_
        self.label_distributions_: NDArray[np.float64] = solver.label_distributions_
        self.transduction_: NDArray[Any] = solver.transduction_
        self.n_iter_: int = solver.n_iter_
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Distributions over the classes, from the nearest fitted rows.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_classes), float64
            Rows sum to 1; all entries are equal for a row whose kernel with every fitted row that has a label is 0.

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        cross = self._cross(X)
        classes = np.asarray(self._solver.kernel.edges_of(cross) @ self.label_distributions_)
        total = classes.sum(axis=1, keepdims=True)
        even = np.full(classes.shape, 1.0 / len(self.classes_))
        probabilities: NDArray[np.float64] = np.divide(classes, total, out=even, where=total > 0.0)
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Most probable class labels.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,)
            Of the dtype of ``classes_``.

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `QuantumKernelSVC.decision_function`.
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[np.argmax(probabilities, axis=1)])

    def _check_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        is_text = any(isinstance(label, str) for label in y)
        if is_text and np.any((y == UNLABELLED) | (y == str(UNLABELLED))):
            raise InvalidDataError(
                "y of QuantumLabelPropagation mixes texts with the mark -1 of unlabelled rows, which is a number; got "
                f"labels {sorted({str(label) for label in y})[:5]}. Encode the labels as numbers (LabelEncoder), then "
                "mark rows with -1."
            )
        check_classification_targets(y)
        if np.all(y == UNLABELLED):
            raise InvalidDataError(
                f"y of QuantumLabelPropagation must label at least one row; all {len(y)} entries are -1, which marks "
                "rows without a label."
            )
        return y

    def _make_solver(self, gram: NDArray[np.float64], parameters: dict[str, Any]) -> Any:
        n_neighbors = parameters.pop("n_neighbors")
        return LabelSpreading(kernel=KernelGraph.of(gram, n_neighbors), **parameters)

    def _check_solver(self, solver: Any) -> None:
        lost = ~solver.label_distributions_.any(axis=1)
        if lost.any():
            warnings.warn(
                f"{np.count_nonzero(lost)} of {len(lost)} rows given to QuantumLabelPropagation, row "
                f"{int(np.argmax(lost))} the first, are connected to no labelled row: their label_distributions_ are "
                f"0, their transduction_ is the first class, {solver.classes_.tolist()[0]!r}. Label more rows, or "
                f"raise n_neighbors (now {self.n_neighbors}).",
                QKernelsWarning,
                stacklevel=5,
            )
