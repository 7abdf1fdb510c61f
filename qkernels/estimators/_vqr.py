"""VQR: variational quantum regression."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine
from qkernels.estimators._variational import InitialPoint, VariationalEstimator
from qkernels.estimators._vqc import TRAINING_CONSTRAINTS
from qkernels.feature_maps import FeatureMap
from qkernels.variational import Ansatz, Callback, ExpectationReadout, Loss, OptimizerParameter, Readout

__all__ = ["VQR"]

Values = NDArray[np.float64]


class VQR(RegressorMixin, VariationalEstimator):
    r"""Variational quantum regression: an affine function of a trained circuit's expectation value.

    .. math:: \hat y(x) = b + a \langle 0 | U(x)^\dagger W(\theta)^\dagger\, O\, W(\theta)\, U(x) | 0 \rangle

    y is standardised inside. The angles θ are trained with a fixed slope, then a and b are fitted: by `fit`, and by the
    first call of `partial_fit`.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        As in `VQC`.
    ansatz : Ansatz, default=None
        As in `VQC`.
    engine : Engine, default=None
        As in `VQC`.
    readout : Readout, default=None
        None is ``ExpectationReadout()``: O is the mean of Z over the measured qubits.
    loss : "squared_error" or Loss, default="squared_error"
        Of the standardised y.
    optimizer : str or object, default="L-BFGS-B"
        As in `VQC`.
    max_iter : int >= 1, default=200
        As in `VQC`.
    tol : float >= 0, default=1e-4
        As in `VQC`.
    batch_size : int >= 1, default=None
        As in `VQC`.
    initial_point : {"small", "random", "identity"} or array-like, default="small"
        As in `VQC`.
    reuploads : int >= 1, default=2
        As in `VQC`.
    trainable_scaling : bool, default=False
        As in `VQC`.
    bandwidth : "scale" or float > 0, default="scale"
        As in `VQC`.
    warm_start : bool, default=False
        As in `VQC`.
    early_stopping : bool, default=False
        As in `VQC`.
    validation_fraction : float in (0, 1), default=0.1
        As in `VQC`.
    n_iter_no_change : int >= 1, default=10
        As in `VQC`.
    checkpoint : str or path, default=None
        As in `VQC`.
    callback : callable, default=None
        As in `VQC`.
    random_state : int, RandomState instance or None, default=None
        As in `VQC`.

    Attributes
    ----------
    theta_ : ndarray of shape (n_parameters,), float64
    coef_, intercept_ : float
        Slope a and intercept b, in units of y.
    loss_ : float
        Mean loss of the training rows at the end; for squared errors, 1 − R².
    loss_curve_ : list of float
        Loss of every iteration, before a and b are fitted; in further calls of `partial_fit`, with those of the first.
    validation_loss_curve_ : list of float
        Only with `early_stopping`.
    n_iter_ : int
    num_circuits_, num_shots_ : int
        As in `VQC`.
    circuit_ : QuantumCircuit
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
    VQC : classification, with more about all parameters.
    QuantumKernelRidge : a kernel of the same feature maps, in closed form.

    Notes
    -----
    Cost: as `VQC`.

    References
    ----------
    Mitarai et al., "Quantum circuit learning", arXiv:1803.00745.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import VQR
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> y = 20 + 3 * np.sin(2 * X[:, 0])
    >>> bool(VQR(random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = TRAINING_CONSTRAINTS

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        ansatz: Ansatz | None = None,
        *,
        engine: Engine | None = None,
        readout: Readout | None = None,
        loss: Literal["squared_error"] | Loss = "squared_error",
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
        """Learn scaling, angles, slope and intercept.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : array-like of shape (n_samples,)
            Real numbers.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of the samples' losses, >= 0; also used for the scalings. Rows of weight 0 are dropped.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `VQC.fit`.

        Warns
        -----
        ConvergenceWarning
            As `VQC.fit`.
        """
        return self._fit(X, y, sample_weight, goes_on=False)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on from the present angles, on these rows: at most `max_iter` further iterations.

        The scalings, the model, slope, intercept and the engine are those of the first call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.

        Warns
        -----
        ConvergenceWarning
            A loss was not finite: the best point is kept.
        """
        return self._fit(X, y, sample_weight, goes_on=hasattr(self, "theta_"), is_part=True)

    def predict(self, X: ArrayLike) -> Values:
        """Predicted values.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,), float64

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed or has another number of features.
        """
        standardised = self._predictions(X)[:, 0]
        return np.ldexp(standardised * self._y_scale + self._y_mean, self._y_exponent)

    @property
    def coef_(self) -> float:
        """Slope, in units of y per unit of the expectation value."""
        return float(np.ldexp(self._head.readout.matrix[0, 0] * self._y_scale, self._y_exponent))

    @property
    def intercept_(self) -> float:
        """Intercept, in units of y."""
        return float(np.ldexp(self._head.readout.offset[0] * self._y_scale + self._y_mean, self._y_exponent))

    # Targets ----------------------------------------------------------------------------------------------------

    @property
    def _y_options(self) -> dict[str, Any]:
        return {"y_numeric": True}

    @property
    def _num_outputs(self) -> int:
        return 1

    def _choose_readout(self) -> Readout:
        readout = ExpectationReadout() if self.readout is None else self.readout
        if not isinstance(readout, Readout):
            raise InvalidParameterError(
                f"readout of VQR must be None or a readout such as ExpectationReadout('ZZ'); got {self.readout!r}."
            )
        return readout

    def _check_y(self, y: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(column_or_1d(y, warn=True), dtype=np.float64)

    def _learn_targets(self, y: NDArray[Any], weights: Values) -> None:
        y, weights = y[weights > 0], weights[weights > 0]
        # mean and scale are those of y / 2^exponent, within [-1, 1]: squares neither overflow nor vanish
        self._y_exponent = int(np.frexp(np.abs(y).max())[1])
        y, share = np.ldexp(y, -self._y_exponent), weights / weights.sum()
        self._y_mean = float(share @ y)
        deviation = float(np.sqrt(share @ (y - self._y_mean) ** 2))
        self._y_scale = deviation if deviation > 0 else float(np.ldexp(1.0, -max(self._y_exponent, 0)))

    def _targets(self, y: NDArray[Any]) -> Values:
        return np.asarray((np.ldexp(y, -self._y_exponent) - self._y_mean) / self._y_scale)[:, None]
