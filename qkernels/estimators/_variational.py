"""What VQC and VQR share: a model circuit, an objective, training, and moving to another engine."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections.abc import Callable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import Engine, parameter_shift
from qkernels.estimators._checkpoint_key import checkpoint_key
from qkernels.estimators._model_checks import check_bound, check_engine
from qkernels.feature_maps import AffineScaling, FeatureMap, ZZFeatureMap, warn_of_column_order
from qkernels.kernels import ComposedDefaultsMixin, check_weights, unchanged_on_failure
from qkernels.programs import ExpectationProgram, Plan, is_count
from qkernels.variational import (
    Ansatz,
    Callback,
    Checkpoint,
    Head,
    Objective,
    Readout,
    TrainingOptions,
    as_loss,
    compose_model,
    default_ansatz,
    default_feature_map,
    gradient_way,
    learn_scaling,
    model_width,
    resolve_optimizer,
    train,
)

__all__ = ["VariationalEstimator"]

Values = NDArray[np.float64]
InitialPoint = Literal["small", "random", "identity"] | ArrayLike


class VariationalEstimator(ComposedDefaultsMixin, BaseEstimator):
    """Base of VQC and VQR (abstract): scaled rows, a model circuit, a readout, a loss, an optimizer.

    A subclass has the parameters named below, and says what its targets and its readout are.
    """

    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {
        "feature_map": lambda: ZZFeatureMap(reps=1),
        "ansatz": default_ansatz,
    }
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("feature_map", "ansatz", "engine")
    _parameter_constraints: ClassVar[dict[str, Any]]

    feature_map: FeatureMap | None
    ansatz: Ansatz | None
    engine: Engine | None
    readout: Any
    loss: Any
    optimizer: Any
    max_iter: int
    tol: float
    batch_size: int | None
    initial_point: InitialPoint
    reuploads: int
    trainable_scaling: bool
    bandwidth: float | Literal["scale"]
    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    checkpoint: str | os.PathLike[str] | None
    callback: Callback | None
    random_state: Any

    # What a subclass provides -----------------------------------------------------------------------------------

    @abstractmethod
    def _learn_targets(self, y: NDArray[Any], weights: Values) -> None:
        """Learn what targets mean (classes, or mean and scale) from rows of positive weight; refuse what is none."""

    @abstractmethod
    def _targets(self, y: NDArray[Any]) -> Values:
        """Targets of the loss, shape (n_samples, n_outputs); refuses labels that are no class."""

    @property
    @abstractmethod
    def _num_outputs(self) -> int:
        """Outputs of the readout."""

    @abstractmethod
    def _choose_readout(self) -> Readout:
        """The readout, validated."""

    def _check_y(self, y: NDArray[Any]) -> NDArray[Any]:
        """Refuse targets of another kind."""
        return y

    # Fitting ----------------------------------------------------------------------------------------------------

    def _fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, goes_on: bool, is_part: bool = False
    ) -> Self:
        """Fit from the start; or, where `goes_on`, from the trained point with its scaling and targets.

        Where `is_part`, further calls are to follow: the limit of iterations is where this one should end.
        """
        with unchanged_on_failure(self):
            try:
                self._validate_params()
            except ValueError as error:
                raise InvalidParameterError(str(error)) from None
            for name in ("max_iter", "batch_size", "reuploads", "n_iter_no_change"):
                if isinstance(getattr(self, name), bool):  # scikit-learn takes them for integers
                    value = getattr(self, name)
                    raise InvalidParameterError(f"{name} of {type(self).__name__} must be an integer; got {value!r}.")
            options: dict[str, Any] = {} if goes_on else self._y_options
            data, y = validate_data(self, X, y, dtype=np.float64, order="C", reset=not goes_on, **options)
            y = self._check_y(np.asarray(y))
            weights = check_weights(sample_weight, len(data))
            rows = weights > 0
            if not goes_on:
                self._learn_targets(y, weights)
            data, y, weights = data[rows], y[rows], weights[rows]
            rng = self._random_numbers(goes_on)
            start = self.theta_ if goes_on else self._build(data, weights, rng)
            warn_of_column_order(self)
            self._train(self._scaling(data), y, weights, start, rng, goes_on=goes_on, is_part=is_part)
            self._stream = (self.random_state, rng) if isinstance(self.random_state, Integral) else None
        return self

    def _random_numbers(self, goes_on: bool) -> np.random.RandomState:
        """Those of this call: of one int, a single stream through all calls that train on."""
        rng: np.random.RandomState = check_random_state(self.random_state)
        before = getattr(self, "_stream", None) if self._trains_on(goes_on) else None
        if before is not None and isinstance(self.random_state, Integral) and before[0] == self.random_state:
            rng = copy.deepcopy(before[1])  # a call that fails must not use it up
        return rng

    def _trains_on(self, goes_on: bool) -> bool:
        """Whether a call may know of earlier ones; a checkpoint is gone on with in processes that do not."""
        return goes_on or (self.warm_start and self.checkpoint is None)

    @property
    def _y_options(self) -> dict[str, Any]:
        return {}

    def _build(self, data: Values, weights: Values, rng: np.random.RandomState) -> Values:
        """The model for a table of this width; returns the point to start from."""
        owner, n_features = type(self).__name__, data.shape[1]
        before = getattr(self, "theta_", None) if self.warm_start else None
        feature_map, ansatz, engine = self._composed(n_features)
        readout = self._choose_readout()
        width = model_width(feature_map, ansatz, readout, n_features, self._num_outputs)
        model = compose_model(feature_map, ansatz, n_features, width, self.reuploads, self.trainable_scaling)
        num_qubits = int(model.circuit.num_qubits)
        bound = readout.bind(num_qubits, model.readout_qubits, self._num_outputs)
        check_bound(bound, self._num_outputs, owner)
        self._scaling: AffineScaling = learn_scaling(self.bandwidth, feature_map, data, weights, owner)
        self._program = ExpectationProgram(model.circuit, model.x, model.theta, observables=bound.observables)
        self._head = Head(bound, as_loss(self.loss, bound.kind, owner))
        self.feature_map_, self.ansatz_, self.engine_, self.readout_ = feature_map, ansatz, engine, readout
        self.offset_, self.factor_ = self._scaling.offset, self._scaling.factor
        if before is not None and before.shape == (len(model.theta),):
            return np.array(before)
        return model.initial_point(self.initial_point, rng)

    def _composed(self, n_features: int) -> tuple[FeatureMap, Ansatz, Engine]:
        """Fresh copies of what the model is made of."""
        feature_map = default_feature_map(n_features) if self.feature_map is None else self.feature_map
        ansatz = default_ansatz() if self.ansatz is None else self.ansatz
        return clone(feature_map, safe=False), clone(ansatz, safe=False), check_engine(self.engine, type(self).__name__)

    def _train(
        self,
        angles: Values,
        y: NDArray[Any],
        weights: Values,
        start: Values,
        rng: np.random.RandomState,
        *,
        goes_on: bool,
        is_part: bool,
    ) -> None:
        owner = type(self).__name__
        method = resolve_optimizer(self.optimizer, owner)
        if self.callback is not None and not callable(self.callback):
            raise InvalidParameterError(
                f"callback of {owner} must be None or a callable (iteration, theta, loss); got {self.callback!r}."
            )
        seed = int(rng.randint(2**31 - 1))
        targets = self._targets(y)
        # a file holds one fit, not a series of batches
        checkpoint = None if goes_on else self._checkpoint(method.settings, angles, targets, weights)
        if checkpoint is not None and self.random_state is None:
            seed = int(checkpoint.key[:7], 16)  # another process must keep the same rows apart
        if not (self._trains_on(goes_on) and hasattr(self, "_split_seed")):
            self._split_seed = seed  # later calls with the same labels keep the same rows apart, not trained on yet
        kept, apart = self._split(y)
        way, reason = None, ""
        if method.takes_gradient:
            way, reason = gradient_way(self.engine_, self._program, angles, start)

        def objective(rows: NDArray[np.intp] | slice, batch_size: int | None) -> Objective:
            return Objective(
                self.engine_,
                self._program,
                self._head,
                angles[rows],
                targets[rows],
                weights[rows],
                way=way,
                batch_size=batch_size,
                seed=seed,
            )

        training = objective(kept, self.batch_size)
        validation = None if apart is None else objective(apart, None)
        options = TrainingOptions(
            max_iter=int(self.max_iter),
            tol=float(self.tol),
            seed=seed,
            callback=self.callback,
            validation=None if validation is None else validation.loss,
            patience=int(self.n_iter_no_change),
            checkpoint=checkpoint,
            no_gradient=reason,
            warns_at_limit=not is_part,
            owner=owner,
        )
        found = train(training, start, method, options)
        self.theta_ = found.theta
        self.loss_curve_, self.n_iter_ = found.loss_curve, max(1, len(found.loss_curve))
        self.__dict__.pop("validation_loss_curve_", None)
        if apart is not None:
            self.validation_loss_curve_ = found.validation_curve
        values = self.engine_.expectations(self._program, angles, theta=self.theta_).values
        training.spent.add(len(angles))
        spent = [training.spent] if validation is None else [training.spent, validation.spent]
        self.num_circuits_ = sum(each.num_circuits for each in spent)
        self.num_shots_ = sum(each.num_shots for each in spent)
        if not goes_on:  # further batches may be small and one-sided: angles follow them, what was fitted last does not
            self._head = self._head.calibrated(values, targets, weights)
        self.loss_ = float(weights @ self._head.losses(values, targets) / weights.sum())

    def _split(self, y: NDArray[Any]) -> tuple[NDArray[np.intp] | slice, NDArray[np.intp] | None]:
        """Rows to train on, and rows kept apart for early stopping."""
        if not self.early_stopping:
            return slice(None), None
        kind = StratifiedShuffleSplit if self._num_outputs > 1 else ShuffleSplit
        splitter = kind(1, test_size=self.validation_fraction, random_state=self._split_seed)
        try:
            kept, apart = next(splitter.split(np.zeros((len(y), 1)), y))
        except ValueError as error:
            raise InvalidDataError(
                f"early_stopping of {type(self).__name__} cannot keep validation_fraction={self.validation_fraction!r} "
                f"of {len(y)} sample(s) apart: {error} Give more samples, or early_stopping=False."
            ) from error
        return kept, apart

    def _checkpoint(self, settings: str, angles: Values, targets: Values, weights: Values) -> Checkpoint | None:
        path = self.checkpoint
        if path is None:
            return None
        if not isinstance(path, (str, os.PathLike)):
            raise InvalidParameterError(f"checkpoint of {type(self).__name__} must be None or a path; got {path!r}.")
        return Checkpoint(Path(path), checkpoint_key(self, settings, angles, targets, weights))

    # Use --------------------------------------------------------------------------------------------------------

    def _predictions(self, X: ArrayLike) -> Values:
        """Class probabilities, or numbers in units of the standardised y."""
        angles = self._angles(X)
        found = self.engine_.expectations(self._program, angles, theta=self.theta_)
        return self._head.predictions(found.values)

    def _angles(self, X: ArrayLike) -> Values:
        check_is_fitted(self, "theta_")
        return self._scaling(validate_data(self, X, dtype=np.float64, order="C", reset=False))

    def with_engine(self, engine: Engine | None) -> Self:
        """The trained model on another engine: the same circuit, angles and readout, nothing refitted.

        Parameters
        ----------
        engine : Engine or None
            Where new rows are evaluated from now on: a noisy one, or a device. None is ``AutoEngine()``.

        Returns
        -------
        VQC or VQR
            A fitted copy; this model is left as it is.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            `engine` is none.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from qkernels import StatevectorEngine, VQC
        >>> X, y = load_iris(return_X_y=True)
        >>> model = VQC(max_iter=20, tol=1e-2, random_state=0).fit(X, y)
        >>> bool(model.with_engine(StatevectorEngine(shots=1000, seed=0)).score(X, y) > 0.8)
        True
        """
        check_is_fitted(self, "theta_")
        moved = copy.copy(self)
        for name, value in self.get_params(deep=False).items():
            if hasattr(value, "set_params"):  # whose own parameters can be set through the model
                setattr(moved, name, clone(value))
        moved.engine, moved.engine_ = engine, check_engine(engine, type(self).__name__)
        return moved

    def plan(self, X: ArrayLike | int) -> Plan:
        """What predicting rows would take on this model's engine; nothing is evaluated.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features), or int
            Rows, or how many of them.

        Returns
        -------
        Plan
            Circuits, shots, memory; on hardware engines time and money too.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        ValueError
            X is malformed or has another number of features.
        """
        check_is_fitted(self, "theta_")
        rows = X if is_count(X) else self._angles(X)
        return self.engine_.plan(self._program, rows, theta=self.theta_)

    def input_gradient(self, X: ArrayLike, y: ArrayLike) -> Values:
        """Derivative of every sample's loss with respect to its own row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Their targets.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float64
            Per unit of X as given. 0 for features that were constant in `fit`.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidDataError
            A label is no class of `fit`.
        UnsupportedCircuitError
            The engine has no gradients for the circuit.
        ValueError
            X or y is malformed.

        Notes
        -----
        Cost: about a loss and its gradient; on engines with shots, parameter shifts of every gate.
        """
        check_is_fitted(self, "theta_")
        data, y = validate_data(self, X, y, dtype=np.float64, order="C", reset=False)
        angles, targets = self._scaling(data), self._targets(np.asarray(y))

        def cotangent(values: Values) -> Values:
            return self._head.cotangent(values, targets)

        way, _ = gradient_way(self.engine_, self._program, angles, self.theta_)
        if way == "shift":
            values = self.engine_.expectations(self._program, angles, theta=self.theta_).values
            found = parameter_shift(self.engine_, self._program, cotangent(values), angles, theta=self.theta_)[1]
        else:
            found = self.engine_.expectations_and_vjp(self._program, angles, cotangent, theta=self.theta_)[2]
        return np.asarray(found) * self.factor_

    @property
    def circuit_(self) -> Any:
        """The model circuit with free parameters x and θ.

        Returns
        -------
        QuantumCircuit
            A copy.

        Raises
        ------
        AttributeError
            Not fitted.
        """
        if "_program" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no circuit_ before fit.")
        return self._program.circuit.copy()
