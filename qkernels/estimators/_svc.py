"""QuantumKernelSVC: support vector classification on a quantum kernel."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.svm import SVC
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import Engine
from qkernels.estimators._base import KernelEstimator
from qkernels.kernels import FidelityKernel, KernelParameter

__all__ = ["QuantumKernelSVC"]

_OPTIONS = (
    "C",
    "shrinking",
    "tol",
    "cache_size",
    "class_weight",
    "verbose",
    "max_iter",
    "decision_function_shape",
    "break_ties",
)


class QuantumKernelSVC(ClassifierMixin, KernelEstimator):
    r"""Support vector classifier on a quantum kernel: scikit-learn's ``SVC`` on the kernel matrix.

    Works on any numeric table as it is: the default kernel learns its scaling from the training data.

    Parameters
    ----------
    kernel : QuantumKernel, BaseKernel, callable, "precomputed", or None, default=None
        None is ``FidelityKernel()``. Any kernel of ours, sums and products included; a qiskit-machine-learning
        ``BaseKernel``; a callable k(X, Y) → matrix; or ``"precomputed"``: then X is the kernel matrix itself,
        (n_samples, n_samples) in `fit` and (n_new, n_samples) afterwards.
    C : float, default=1.0
        Inverse regularisation, > 0.
    shrinking : bool, default=True
        Whether the solver uses its shrinking heuristic.
    tol : float, default=1e-10
        Tolerance of the solver, > 0. Tighter than scikit-learn's 1e-3, so that a sample weight of 2 gives what a
        repeated sample gives; the time is in the kernel.
    cache_size : float, default=200
        Memory of the solver's own cache in MB.
    class_weight : dict or "balanced", default=None
        Factors of C per class.
    verbose : bool, default=False
        Whether the solver prints.
    max_iter : int, default=-1
        Limit of solver iterations; -1 is none.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        One column per class, or one per pair of classes.
    break_ties : bool, default=False
        Whether `predict` decides ties by the decision function (needs "ovr" and more than two classes).
    refine_shots : int >= 1, default=None
        Shots to spend on the training matrix after a first fit, over all pairs together, where the dual objective is
        most sensitive: in proportion to :math:`|\alpha_i \alpha_j| \sqrt{k_{ij} (1 - k_{ij})}` (arXiv:2605.14672, see
        `FidelityKernel.refine`). None spends none. Needs a `FidelityKernel` on an engine with shots, which are then
        those of the first fit.
    refine_rounds : int >= 1, default=2
        In how many rounds they are spent, each with the support vectors that the one before found.

    Attributes
    ----------
    kernel_ : QuantumKernel, ForeignKernel, or "precomputed"
        Fitted; ``kernel_.feature_map_``, ``kernel_.engine_`` and ``kernel_.gram_`` show what was chosen.
    classes_ : ndarray of shape (n_classes,)
    class_weight_ : ndarray of shape (n_classes,)
    support_ : ndarray of shape (n_SV,), int32
        Rows of the X given to `fit` that are support vectors.
    n_support_ : ndarray of shape (n_classes,), int32
    dual_coef_ : ndarray of shape (n_classes - 1, n_SV)
    intercept_ : ndarray of shape (n_classes * (n_classes - 1) / 2,)
    fit_status_ : int
        0 where the solver converged.
    n_iter_ : ndarray of shape (n_classes * (n_classes - 1) / 2,), int32
    shape_fit_ : tuple of int
        Shape of the X given to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    QuantumKernelSVR : regression.
    FidelityKernel : the default kernel and its parameters.
    sklearn.svm.SVC : the solver.

    Notes
    -----
    Probabilities: scikit-learn deprecated ``SVC(probability=...)``, so there is no such parameter. Use
    ``CalibratedClassifierCV(QuantumKernelSVC(), ensemble=False)``.

    Samples of weight 0 are dropped before the kernel is evaluated: with precomputed and callable kernels,
    scikit-learn's SVC returns wrong decision values for them.

    Searches reach inside the default kernel: ``GridSearchCV(QuantumKernelSVC(), {"kernel__bandwidth": [...],
    "kernel__feature_map__reps": [1, 2], "C": [...]})``. The kernel matrices are cached, so varying C costs none.

    Cost: the kernel's (N simulations, more where memory is short), then the solver's O(N²) to O(N³).

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import cross_val_score
    >>> from qkernels import QuantumKernelSVC
    >>> X, y = load_wine(return_X_y=True)
    >>> bool(cross_val_score(QuantumKernelSVC(), X, y).mean() > 0.9)
    True
    """

    _solver_class: ClassVar[Any] = SVC
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": "no_validation",
        **{name: SVC._parameter_constraints[name] for name in _OPTIONS},
        "refine_shots": [Interval(Integral, 1, None, closed="left"), None],
        "refine_rounds": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        kernel: KernelParameter = None,
        *,
        C: float = 1.0,
        shrinking: bool = True,
        tol: float = 1e-10,
        cache_size: float = 200,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        verbose: bool = False,
        max_iter: int = -1,
        decision_function_shape: Literal["ovr", "ovo"] = "ovr",
        break_ties: bool = False,
        refine_shots: int | None = None,
        refine_rounds: int = 2,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.refine_shots = refine_shots
        self.refine_rounds = refine_rounds

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit kernel and classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled; the square kernel matrix for ``kernel="precomputed"``.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of C per sample, >= 0; also used by the kernel in what it learns.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the classifier, the kernel or the map breaks its rule.
        InvalidDataError
            The weights break their rule or remove all samples of a class, a precomputed matrix is not square, a
            callable returns no finite matrix of the right shape, or the map does not take this number of features.
        UnsupportedCircuitError
            The engine cannot evaluate the circuit.
        BudgetError
            The request does not fit into the engine's limits.
        ValueError
            X or y is malformed, or y has one class only (scikit-learn's validation).
        """
        rows = self._fit_solver(X, y, sample_weight)
        solver = self._solver
        self.classes_: NDArray[Any] = solver.classes_
        self.class_weight_ = solver.class_weight_
        self.support_ = rows[solver.support_].astype(np.int32)
        self.n_support_ = solver.n_support_
        self.dual_coef_ = solver.dual_coef_
        self.intercept_ = solver.intercept_
        self.fit_status_ = solver.fit_status_
        self.n_iter_ = solver.n_iter_
        return self

    def _check_size(self, n_samples: int) -> None:
        # Before anything is measured, and paid for.
        engine = self.kernel.engine if isinstance(self.kernel, FidelityKernel) else None
        if self.refine_shots is not None and (engine is None or (isinstance(engine, Engine) and engine.is_exact)):
            raise InvalidParameterError(
                f"refine_shots of QuantumKernelSVC needs a FidelityKernel on an engine with shots, such as "
                f"FidelityKernel(engine=StatevectorEngine(shots=1000)); got kernel={self.kernel!r}. Choose such a "
                "kernel, or leave refine_shots=None."
            )

    def _make_solver(self, gram: NDArray[np.float64], parameters: dict[str, Any]) -> SVC:
        options = {name: parameters[name] for name in _OPTIONS}
        return SVC(kernel="precomputed", **options)

    def _improve(self, solver: SVC, targets: NDArray[Any] | None, options: dict[str, Any]) -> SVC:
        if self.refine_shots is None:
            return solver
        share, rest = divmod(int(self.refine_shots), int(self.refine_rounds))
        for shots in [share + (i < rest) for i in range(self.refine_rounds)]:
            if shots:
                alphas = np.abs(np.asarray(solver.dual_coef_))
                importance = np.zeros(self.kernel_.gram_.shape)
                importance[np.ix_(solver.support_, solver.support_)] = alphas.T @ alphas
                self.kernel_.refine(importance, shots)
                solver = clone(solver).fit(self.kernel_.gram_, targets, **options)
        return solver

    def _check_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        check_classification_targets(y)
        if len(classes := np.unique(y)) < 2:
            raise InvalidDataError(
                f"y of QuantumKernelSVC must hold at least two classes; got one class, {classes.tolist()[0]!r}."
            )
        return y

    def _check_remaining(self, y: NDArray[Any], rows: NDArray[np.intp]) -> None:
        if lost := sorted(set(np.unique(y).tolist()) - set(np.unique(y[rows]).tolist())):
            raise InvalidDataError(
                f"sample_weight is 0 for every sample of class {lost[0]!r} of y. Every class needs a sample of "
                "positive weight; remove the class from X and y to fit without it."
            )

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Signed distances to the separating hyperplanes, up to a factor.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,), (n_new, n_classes) or (n_new, n_classes * (n_classes - 1) / 2), float64
            Two classes; more classes with "ovr"; more classes with "ovo".

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed or has another number of features.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.decision_function(cross))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted class labels.

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
            As `decision_function`.
        """
        cross = self._cross(X)
        return np.asarray(self._solver.predict(cross))
