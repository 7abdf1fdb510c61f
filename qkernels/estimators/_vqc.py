"""VQC: the variational quantum classifier."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from qkernels._errors import InvalidDataError
from qkernels.engines import Engine
from qkernels.estimators._variational import InitialPoint, VariationalEstimator
from qkernels.feature_maps import FeatureMap
from qkernels.variational import Ansatz, Callback, Loss, OptimizerParameter, Readout, as_readout

__all__ = ["TRAINING_CONSTRAINTS", "VQC"]

Values = NDArray[np.float64]

TRAINING_CONSTRAINTS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "feature_map",
            "ansatz",
            "engine",
            "readout",
            "loss",
            "optimizer",
            "initial_point",
            "bandwidth",
            "checkpoint",
            "callback",
        ),
        "no_validation",  # by their own rooms, with messages that say more
    ),
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "reuploads": [Interval(Integral, 1, None, closed="left")],
    "trainable_scaling": ["boolean"],
    "warm_start": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


class VQC(ClassifierMixin, VariationalEstimator):
    r"""Variational quantum classifier: a trained circuit whose outcomes are class probabilities.

    .. math:: p_k(x) = \operatorname{readout}_k \big( W(\theta_L)\, U(x) \cdots W(\theta_1)\, U(x)\, |0\rangle \big)

    with L = `reuploads`, 2 by default; 1 is the plain W(θ)U(x) of the first papers. The angles θ minimise a loss over
    the training rows, with exact gradients on exact engines and parameter-shift gradients on others. Works on any
    numeric table as it is: the scaling of the columns is learned.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        U(x). None is ``ZZFeatureMap(reps=1)`` up to 8 features, and ``ReuploadingMap(8)`` above: 8 qubits whatever the
        number of features. A nested parameter, ``set_params(feature_map__reps=2)``, makes it a `ZZFeatureMap`, with a
        qubit for each feature.
    ansatz : Ansatz, default=None
        W(θ). None is ``EfficientSU2Ansatz(reps=2)``. Any Qiskit circuit is one: ``CircuitAnsatz(circuit)``.
    engine : Engine, default=None
        Who evaluates the circuits; None is ``AutoEngine()``, exact. Shots belong to the engine.
    readout : {"auto", "parity", "classes", "observables"} or Readout, default="auto"
        From measured qubits to classes: `ParityReadout`, `ClassesReadout`, `ObservablesReadout`, or your own. "auto" is
        parity for two classes and classes for more. Where the classes need more qubits than the feature map has, the
        model gets them.
    loss : {"cross_entropy", "squared_error"} or Loss, default="cross_entropy"
        `CrossEntropy` of the probabilities (`SoftmaxCrossEntropy` for scores), `SquaredError`, or any object with a
        call and a method ``gradient``, see `Loss`.
    optimizer : str or object, default="L-BFGS-B"
        A name: one of scipy's ("L-BFGS-B", "BFGS", "CG", "SLSQP", "COBYLA", "Nelder-Mead", …) or of
        qiskit-machine-learning's ("SPSA", "QNSPSA", "AQGD", "ADAM", "AMSGRAD", "NFT", "UMDA"). Or any object with a
        method ``minimize(fun, x0, jac, bounds)``, which then brings its own number of iterations.
    max_iter : int >= 1, default=200
        Iterations of an optimizer given by name (function evaluations for COBYLA, COBYQA and TNC); not of an object.
    tol : float >= 0, default=1e-4
        Tolerance of scipy's optimizers, and smallest improvement that counts for `early_stopping`.
    batch_size : int >= 1, default=None
        Rows of each evaluation, a new mini-batch every time; None is all rows. For optimizers that stand noise: ADAM,
        AQGD, SPSA. Weights of rows are relative to the mean of all rows.
    initial_point : {"small", "random", "identity"} or array-like, default="small"
        Where θ starts: normal with standard deviation 0.1, uniform in [−π, π), the angles at which the ansatz is the
        identity (where it has some), or the point itself.
    reuploads : int >= 1, default=2
        How often U(x) and W(θ) follow each other, with new angles each time.
    trainable_scaling : bool, default=False
        Whether a factor for each feature, starting at 1, is trained, too.
    bandwidth : "scale" or float > 0, default="scale"
        How columns of X become angles, as in `FidelityKernel`.
    warm_start : bool, default=False
        Whether a further `fit` starts from the θ of the last one.
    early_stopping : bool, default=False
        Whether some rows are kept apart, and training ends when their loss no longer improves; the best θ is kept.
    validation_fraction : float in (0, 1), default=0.1
        Rows kept apart.
    n_iter_no_change : int >= 1, default=10
        Iterations without improvement that end training.
    checkpoint : str or path, default=None
        A file (``.npz``) written after each iteration. A fit of the same data and settings, engine included, goes on
        from it; others are refused. What a path, a budget or a limit is set to does not count, nor does a seed that an
        engine has drawn itself. A finished fit goes on where `max_iter`, or the limit of an optimizer object, is
        raised. Objects whose limit is not one of the iterations that are counted here (those of other makers, for
        example) begin with a full number of them at the last iterate. Attributes of such objects, and of own engines,
        must not change in a fit, but for those that begin with ``_``. Of `partial_fit`, only the first call uses it.
    callback : callable, default=None
        ``callback(iteration, theta, loss)`` after each iteration; raise StopIteration in it to end training. With a
        `checkpoint`, another `fit` then goes on.
    random_state : int, RandomState instance or None, default=None
        For the initial point, mini-batches, the rows kept apart, and qiskit-machine-learning's optimizers. Calls of
        `partial_fit`, and of `fit` with `warm_start`, go on with the random numbers of one int; they keep the same rows
        apart where they get the same labels in the same order, and otherwise perhaps some that were trained on.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    theta_ : ndarray of shape (n_parameters,), float64
        The trained numbers: factors of the features where they are trained, then angles in radians.
    loss_ : float
        Mean loss of the training rows at ``theta_``.
    loss_curve_ : list of float
        Loss of every iteration.
    validation_loss_curve_ : list of float
        The same for the rows kept apart. Only with `early_stopping`.
    n_iter_ : int
        Iterations, as the optimizer counts them; gradients (or losses) evaluated where it does not tell.
    num_circuits_ : int
        Circuits of the last call by the plan of the engine: those of losses, of parameter shifts, of the rows kept
        apart, and of ``loss_`` at the end. Rows that a cache or a ledger knows are counted like the others. An exact
        gradient comes with its loss.
    num_shots_ : int
        Shots behind them; 0 where exact.
    circuit_ : QuantumCircuit
        The model, with free parameters x and θ.
    feature_map_ : FeatureMap
    ansatz_ : Ansatz
    engine_ : Engine
    readout_ : Readout
    offset_, factor_ : ndarray of shape (n_features,), float64
        The circuit's x is factor_ · (x − offset_).
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    VQR : regression.
    QuantumFeatures : expectation values for a classical head.
    QuantumKernelSVC : a kernel of the same feature maps, whose training is convex.

    Notes
    -----
    No bias is trained with the angles. An `ObservablesReadout` has biases, which are fitted afterwards: by `fit`, and
    by the first call of `partial_fit`.

    Cost: on exact engines an iteration takes about three times a loss, whatever the number of parameters; on engines
    with shots, two circuits for each row and gate with a trained angle, in one request; so, too, on matrix-product
    states, which have no other gradients. SPSA and QNSPSA by name begin every call (also of `partial_fit`, and of a fit
    that goes on from a checkpoint) with 50 losses that set their gains. Memory: one state for each row and thread.
    Progress shows on a terminal after 3 s.

    For small tables a kernel method finds the best function of the same feature map outright: compare with
    `QuantumKernelSVC`.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qkernels import VQC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = VQC(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.93)
    True
    >>> model.predict_proba(X[:1]).shape
    (1, 3)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = TRAINING_CONSTRAINTS

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        ansatz: Ansatz | None = None,
        *,
        engine: Engine | None = None,
        readout: Literal["auto", "parity", "classes", "observables"] | Readout = "auto",
        loss: Literal["cross_entropy", "squared_error"] | Loss = "cross_entropy",
        optimizer: OptimizerParameter = "L-BFGS-B",
        max_iter: int = 200,
        tol: float = 1e-4,
        batch_size: int | None = None,
        initial_point: InitialPoint = "small",
        reuploads: int = 2,
        trainable_scaling: bool = False,
        bandwidth: float | Literal["scale"] = "scale",
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        checkpoint: str | os.PathLike[str] | None = None,
        callback: Callback | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.feature_map = feature_map
        self.ansatz = ansatz
        self.engine = engine
        self.readout = readout
        self.loss = loss
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.initial_point = initial_point
        self.reuploads = reuploads
        self.trainable_scaling = trainable_scaling
        self.bandwidth = bandwidth
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.checkpoint = checkpoint
        self.callback = callback
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn scaling and angles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of the samples' losses, >= 0; also used for the scaling. Rows of weight 0 are dropped.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter breaks its rule; feature map and ansatz differ in width; the readout has fewer outcomes than
            there are classes; the optimizer needs a gradient and the engine has none; the checkpoint is another fit's.
        InvalidDataError
            y has one class only, the weights break their rule or remove all samples of a class, or the map does not
            take this number of features.
        UnsupportedCircuitError
            The engine cannot evaluate the circuit, or the map and ansatz leave a parameter free.
        BudgetError
            The request does not fit into the engine's limits.
        ValueError
            X or y is malformed (scikit-learn's validation).

        Warns
        -----
        ConvergenceWarning
            The optimizer did not converge within `max_iter`, or within the limit that an object brings; SPSA, QNSPSA
            and NFT have no other end than that and never warn of it. Or a loss was not finite: the best point is kept.
        QKernelsWarning
            The engine is exact and has gradients by parameter shifts only, of more than 1000 circuits each.
        """
        return self._fit(X, y, sample_weight, goes_on=False)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train on from the present angles, on these rows: at most `max_iter` further iterations.

        Scaling, classes, model, biases and engine are those of the first call (another engine: `with_engine`), which
        should bring all classes; what the optimizer remembers of earlier calls (a momentum, curvature) is not kept.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), optional
            All labels that later calls may bring; of use in the first call. None is those of y.
        sample_weight : array-like of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`; a label that is no class is an InvalidDataError.

        Warns
        -----
        ConvergenceWarning
            A loss was not finite: the best point is kept.
        """
        goes_on = hasattr(self, "theta_")
        self._given_classes = None if classes is None else np.unique(np.asarray(classes))
        try:
            if goes_on and self._given_classes is not None and not np.array_equal(self._given_classes, self.classes_):
                raise InvalidDataError(
                    f"classes of partial_fit must be those of the first call, {self.classes_.tolist()}; got "
                    f"{self._given_classes.tolist()}."
                )
            return self._fit(X, y, sample_weight, goes_on=goes_on, is_part=True)
        finally:
            del self._given_classes

    def predict_proba(self, X: ArrayLike) -> Values:
        """Class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_classes), float64
            Columns as in ``classes_``; rows sum to 1. Probabilities that shot noise or mitigation makes negative are 0,
            and the others are scaled.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed or has another number of features.
        """
        p = np.maximum(self._predictions(X), 0.0)
        total = p.sum(axis=1, keepdims=True)
        return np.where(total > 0, p / np.where(total > 0, total, 1.0), 1.0 / p.shape[1])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted class labels: those of the largest probability.

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
            As `predict_proba`.
        """
        best = self._predictions(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    # Classes ----------------------------------------------------------------------------------------------------

    @property
    def _num_outputs(self) -> int:
        return len(self.classes_)

    def _choose_readout(self) -> Readout:
        return as_readout(self.readout, len(self.classes_), type(self).__name__)

    def _check_y(self, y: NDArray[Any]) -> NDArray[Any]:
        check_classification_targets(y)
        return np.asarray(column_or_1d(y, warn=True))

    def _learn_targets(self, y: NDArray[Any], weights: Values) -> None:
        given = getattr(self, "_given_classes", None)
        classes = np.unique(y) if given is None else given
        if len(classes) < 2:
            raise InvalidDataError(
                f"y of {type(self).__name__} must hold at least two classes; got one class, {classes.tolist()[0]!r}."
            )
        if given is None and (lost := sorted(set(classes.tolist()) - set(np.unique(y[weights > 0]).tolist()))):
            raise InvalidDataError(
                f"sample_weight is 0 for every sample of class {lost[0]!r} of y. Every class needs a sample of "
                "positive weight; remove the class from X and y to fit without it."
            )
        self.classes_: NDArray[Any] = classes

    def _targets(self, y: NDArray[Any]) -> Values:
        if strange := sorted(set(np.unique(y).tolist()) - set(self.classes_.tolist())):
            raise InvalidDataError(
                f"y holds the label {strange[0]!r}, which is none of the classes {self.classes_.tolist()} of this "
                f"{type(self).__name__}. Give all labels as classes= in the first partial_fit."
            )
        return np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]
