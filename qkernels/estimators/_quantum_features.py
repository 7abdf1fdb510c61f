"""QuantumFeatures: expectation values of a fixed or trained circuit, for a classical head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.quantum_info import Pauli, SparsePauliOp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine
from qkernels.estimators._model_checks import check_engine
from qkernels.estimators._variational import VariationalEstimator
from qkernels.feature_maps import FeatureMap, ZZFeatureMap, warn_of_column_order
from qkernels.kernels import ComposedDefaultsMixin, check_weights, unchanged_on_failure
from qkernels.programs import ExpectationProgram, Plan, is_count
from qkernels.variational import Ansatz, compose_model, default_ansatz, default_feature_map, learn_scaling

if TYPE_CHECKING:
    from qkernels.feature_maps import AffineScaling

__all__ = ["QuantumFeatures"]

Values = NDArray[np.float64]
Observable: TypeAlias = SparsePauliOp | Pauli | str


class QuantumFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ComposedDefaultsMixin, BaseEstimator):
    r"""Expectation values of a circuit's observables as features, a scikit-learn transformer.

    .. math:: f_m(x) = \langle 0 | U(x)^\dagger W(\theta)^\dagger\, O_m\, W(\theta)\, U(x) | 0 \rangle

    With random θ, a fixed random circuit whose outputs a classical model combines; with the θ of a trained `VQC`, its
    hidden layer.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        U(x), as in `VQC`.
    ansatz : Ansatz, default=None
        W(θ), as in `VQC`.
    engine : Engine, default=None
        None is ``AutoEngine()``. Shots belong to the engine.
    observables : str, or sequence of SparsePauliOp, Pauli or str, default="XYZ"
        A string of different letters from X, Y, Z stands for these Paulis on every qubit; otherwise Hermitian
        observables on all qubits, as operators or as Pauli labels in Qiskit's order.
    theta : {"random", "small", "identity"} or array-like of shape (n_parameters,), default="random"
        The fixed angles, as `VQC`'s `initial_point`; or a trained point such as ``vqc.theta_``.
    reuploads : int >= 1, default=2
        As in `VQC`.
    trainable_scaling : bool, default=False
        Whether `theta` begins with a factor for each feature.
    num_qubits : int, default=None
        Qubits of the circuit; None is those of the feature map, and what the ansatz adds. The others hold no data, as
        in a `VQC` that was widened to its classes.
    bandwidth : "scale" or float > 0, default="scale"
        As in `VQC`.
    random_state : int, RandomState instance or None, default=None
        For random angles.

    Attributes
    ----------
    theta_ : ndarray of shape (n_parameters,), float64
    observables_ : list of SparsePauliOp
        One for each column.
    feature_map_ : FeatureMap
    ansatz_ : Ansatz
    engine_ : Engine
    offset_, factor_ : ndarray of shape (n_features,), float64
        The circuit's x is factor_ · (x − offset_).
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    VQC : trains the angles.
    ProjectedKernel : a kernel of such features.

    Notes
    -----
    Cost: one circuit for each row, in as many measurement bases as the observables need (3 for "XYZ").

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from qkernels import QuantumFeatures
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(QuantumFeatures(random_state=0), LogisticRegression(C=100)).fit(X, y)
    >>> bool(model.score(X, y) > 0.93)
    True
    """

    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {
        "feature_map": lambda: ZZFeatureMap(reps=1),
        "ansatz": default_ansatz,
    }
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("feature_map", "ansatz", "engine")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(
            ("feature_map", "ansatz", "engine", "observables", "theta", "num_qubits", "bandwidth"), "no_validation"
        ),
        "reuploads": [Interval(Integral, 1, None, closed="left")],
        "trainable_scaling": ["boolean"],
        "random_state": ["random_state"],
    }
    _scaling: AffineScaling

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        ansatz: Ansatz | None = None,
        *,
        engine: Engine | None = None,
        observables: str | Sequence[Observable] = "XYZ",
        theta: Literal["random", "small", "identity"] | ArrayLike = "random",
        reuploads: int = 2,
        trainable_scaling: bool = False,
        num_qubits: int | None = None,
        bandwidth: float | Literal["scale"] = "scale",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.feature_map = feature_map
        self.ansatz = ansatz
        self.engine = engine
        self.observables = observables
        self.theta = theta
        self.reuploads = reuploads
        self.trainable_scaling = trainable_scaling
        self.num_qubits = num_qubits
        self.bandwidth = bandwidth
        self.random_state = random_state

    @classmethod
    def of_model(cls, model: VariationalEstimator, observables: str | Sequence[Observable] = "XYZ") -> QuantumFeatures:
        """The features of a trained model: its circuit, angles, scaling and engine.

        Parameters
        ----------
        model : VQC or VQR
            Fitted.
        observables : str, or sequence of SparsePauliOp, Pauli or str, default="XYZ"
            As in the class.

        Returns
        -------
        QuantumFeatures
            Fitted. A clone of it, fitted to other rows, learns a scaling of its own.

        Raises
        ------
        NotFittedError
            Call `fit` of the model first.
        InvalidParameterError
            The observables do not fit the circuit.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from qkernels import QuantumFeatures, VQC
        >>> X, y = load_iris(return_X_y=True)
        >>> QuantumFeatures.of_model(VQC(random_state=0).fit(X, y)).transform(X[:2]).shape
        (2, 12)
        """
        check_is_fitted(model, "theta_")
        features = cls(
            clone(model.feature_map_, safe=False),
            clone(model.ansatz_, safe=False),
            engine=model.engine,
            observables=observables,
            theta=model.theta_,
            reuploads=model.reuploads,
            trainable_scaling=model.trainable_scaling,
            num_qubits=model._program.num_qubits,
            bandwidth=model.bandwidth,
        )
        features._set_program(model._program)
        features._scaling, features.theta_ = model._scaling, np.array(model.theta_)
        features.feature_map_, features.ansatz_, features.engine_ = model.feature_map_, model.ansatz_, model.engine_
        for name in ("offset_", "factor_", "n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(features, name, getattr(model, name))
        return features

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the scaling, and take the angles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : object, optional
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            For the scaling, >= 0.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter breaks its rule, or an observable does not fit the circuit.
        InvalidDataError
            The weights break their rule, or the map does not take this number of features.
        ValueError
            X is malformed (scikit-learn's validation).
        """
        with unchanged_on_failure(self):
            try:
                self._validate_params()
            except ValueError as error:
                raise InvalidParameterError(str(error)) from None
            data = validate_data(self, X, dtype=np.float64, order="C")
            weights = check_weights(sample_weight, len(data))
            owner, n_features = type(self).__name__, data.shape[1]
            chosen = default_feature_map(n_features) if self.feature_map is None else self.feature_map
            feature_map = clone(chosen, safe=False)
            ansatz = clone(default_ansatz() if self.ansatz is None else self.ansatz, safe=False)
            engine = check_engine(self.engine, owner)
            model = compose_model(
                feature_map, ansatz, n_features, self.num_qubits, self.reuploads, self.trainable_scaling
            )
            scaling = learn_scaling(self.bandwidth, feature_map, data, weights, owner)
            theta = model.initial_point(self.theta, check_random_state(self.random_state), "theta")
            observables = _operators(self.observables, int(model.circuit.num_qubits))
            program = ExpectationProgram(model.circuit, model.x, model.theta, observables=observables)
            self._program, self._scaling, self.theta_ = program, scaling, theta
            self.observables_ = list(program.observables)
            self.feature_map_, self.ansatz_, self.engine_ = feature_map, ansatz, engine
            self.offset_, self.factor_ = scaling.offset, scaling.factor
            warn_of_column_order(self)
        return self

    def transform(self, X: ArrayLike) -> Values:
        """Expectation values of new rows.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_observables), float64

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is malformed or has another number of features.
        """
        check_is_fitted(self, "theta_")
        data = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        return np.array(self.engine_.expectations(self._program, self._scaling(data), theta=self.theta_).values)

    def plan(self, X: ArrayLike | int) -> Plan:
        """What transforming rows would take on the engine; nothing is evaluated.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features), or int
            Rows, or how many of them.

        Returns
        -------
        Plan

        Raises
        ------
        NotFittedError
            Call `fit` first.
        ValueError
            X is malformed or has another number of features.
        """
        check_is_fitted(self, "theta_")
        if is_count(X):
            return self.engine_.plan(self._program, X, theta=self.theta_)
        data = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        return self.engine_.plan(self._program, self._scaling(data), theta=self.theta_)

    @property
    def _n_features_out(self) -> int:
        return len(self.observables_)

    def _set_program(self, program: ExpectationProgram) -> None:
        observables = _operators(self.observables, program.num_qubits)
        self._program = ExpectationProgram(program.circuit, program.x, program.theta, observables=observables)
        self.observables_ = list(self._program.observables)


def _operators(given: object, num_qubits: int) -> list[Observable]:
    if isinstance(given, (SparsePauliOp, Pauli)):
        return [given]
    if isinstance(given, str) and given and not set(given) - set("XYZ") and len(set(given)) == len(given):
        return ["I" * (num_qubits - 1 - q) + letter + "I" * q for letter in given for q in range(num_qubits)]
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        return list(given)
    raise InvalidParameterError(
        "observables of QuantumFeatures must be different letters from 'XYZ' (these Paulis on every qubit), a "
        f"SparsePauliOp, or a sequence of these and of Pauli labels; got {given!r}. A single label goes into a list: "
        "['ZZ']."
    )
