"""VQC: accuracy, probabilities, moving to other engines, scikit-learn's tools, and bad input."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import HamiltonianGate
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import VQC, CircuitMap, DensityMatrixEngine, ExpectationProgram, StatevectorEngine, ZZFeatureMap
from qkernels._errors import (
    BandwidthWarning,
    InvalidDataError,
    InvalidParameterError,
    QKernelsWarning,
    UnsupportedCircuitError,
)
from qkernels.engines import Engine, MPSEngine, NoiseTable
from qkernels.programs import Expectations
from qkernels.variational import (
    AQGD,
    CircuitAnsatz,
    ClassesReadout,
    CrossEntropy,
    EfficientSU2Ansatz,
    ObservablesReadout,
    ParityReadout,
    QCNNAnsatz,
    RealAmplitudesAnsatz,
)
from tests.oracle.states import oracle_expectations

Values = NDArray[np.float64]

UNFINISHED = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS, SPECIES = load_iris(return_X_y=True)
PAIR, SIDE = IRIS[:100:2], SPECIES[:100:2]
NOISE = NoiseTable(defaults={"cx": np.diag([1.0, *[0.9] * 15])}, ideal=["h", "p", "ry", "rz"], form="transfer")


def quick(**options: Any) -> VQC:
    """A model of two qubits that trains in a moment; its convergence is not the subject."""
    return VQC(**{"random_state": 0, "max_iter": 30, "tol": 1e-2, **options})


@pytest.fixture(scope="module")
def fitted() -> VQC:
    return VQC(random_state=0).fit(IRIS, SPECIES)


# Learning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_iris(seed: int) -> None:
    model = VQC(random_state=seed).fit(IRIS, SPECIES)
    assert model.score(IRIS, SPECIES) >= 0.93
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.n_iter_ == len(model.loss_curve_)


def test_many_columns_take_eight_qubits() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = VQC(random_state=0, max_iter=25, tol=1e-2).fit(X[::3], y[::3])
    assert model.circuit_.num_qubits == 8
    assert model.score(X, y) > 0.9


def test_third_class_can_be_predicted() -> None:
    X, y = make_blobs(90, centers=[[-2, 0], [2, 0], [0, 3]], cluster_std=0.4, random_state=0)
    model = VQC(random_state=0).fit(X, y)
    assert set(model.predict(X)) == {0, 1, 2}
    assert model.score(X, y) > 0.95


@UNFINISHED
@pytest.mark.parametrize("num_classes", [2, 3, 5])
@pytest.mark.parametrize("features", [1, 2])
def test_model_is_widened_to_its_classes(num_classes: int, features: int) -> None:
    rng = np.random.default_rng(num_classes)
    y = np.repeat(np.arange(num_classes), 8)
    X = y[:, None] + 0.1 * rng.normal(size=(len(y), features))
    model = quick(optimizer="ADAM", max_iter=3).fit(X, y)
    assert model.predict_proba(X).shape == (len(y), num_classes)
    assert model.circuit_.num_qubits == max(features, int(np.ceil(np.log2(num_classes))))


def test_probabilities_are_those_of_the_circuit(fitted: VQC) -> None:
    X = IRIS[::30]
    circuit = fitted.circuit_
    x, theta = (ParameterVectorOf(circuit, name) for name in ("x", "θ"))
    observables = ["IIIZ", "IIZI", "IIZZ"]
    z = oracle_expectations(circuit, observables, x, fitted.factor_ * (X - fitted.offset_), theta, fitted.theta_)
    outcomes = np.stack(
        [(1 + a * z[:, 0] + b * z[:, 1] + a * b * z[:, 2]) / 4 for a, b in ((1, 1), (-1, 1), (1, -1), (-1, -1))], axis=1
    )
    expected = outcomes[:, :3] + outcomes[:, 3:] / 3
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-10)
    np.testing.assert_array_equal(fitted.predict(X), expected.argmax(axis=1))


def ParameterVectorOf(circuit: QuantumCircuit, name: str) -> list[Parameter]:
    return sorted((p for p in circuit.parameters if p.vector.name == name), key=lambda p: p.index)


def test_final_loss_is_the_mean_cross_entropy(fitted: VQC) -> None:
    p = fitted.predict_proba(IRIS)[np.arange(150), SPECIES]
    assert (p > 1e-3).all()  # the floor of the loss
    assert fitted.loss_ == pytest.approx(-np.log(p).mean(), rel=1e-9)


@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([-3, 7]), np.array([True, False])], ids=str)
def test_labels_of_any_type(labels: NDArray[Any]) -> None:
    model = quick().fit(PAIR, labels[SIDE])
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.predict(PAIR).dtype == labels.dtype
    assert model.score(PAIR, labels[SIDE]) > 0.9


@UNFINISHED
def test_two_classes_are_read_by_parity() -> None:
    model = quick().fit(PAIR, SIDE)
    assert isinstance(model.readout_, ParityReadout)
    assert isinstance(VQC(readout="classes", max_iter=1, optimizer="ADAM").fit(PAIR, SIDE).readout_, ClassesReadout)


@pytest.mark.parametrize(
    "options",
    [
        {"readout": "observables"},
        {"readout": ObservablesReadout(scale=4.0), "loss": "squared_error"},
        {"loss": CrossEntropy(floor=0.01)},
        {"feature_map": ZZFeatureMap(reps=1), "ansatz": EfficientSU2Ansatz(reps=1), "reuploads": 1},
        {"trainable_scaling": True},
        {"initial_point": "random"},
        {"optimizer": "ADAM", "batch_size": 10},
        {"optimizer": AQGD(30)},
        {"optimizer": "SPSA", "max_iter": 60},
    ],
    ids=str,
)
def test_settings_that_learn_two_species(options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert quick(**options).fit(PAIR, SIDE).score(PAIR, SIDE) > 0.9


def test_bias_of_scores_is_fitted_after_the_angles() -> None:
    model = quick(readout=ObservablesReadout(["ZIII", "IIIZ"])).fit(PAIR[:40], SIDE[:40])
    plain = quick(readout=ObservablesReadout(["ZIII", "IIIZ"], fit_bias=False)).fit(PAIR[:40], SIDE[:40])
    np.testing.assert_array_equal(model.theta_, plain.theta_)  # the optimizer never saw a bias
    assert model.loss_ < plain.loss_
    p = model.predict_proba(PAIR[:40])
    assert p[:, 1].mean() == pytest.approx(SIDE[:40].mean(), abs=1e-3)


def test_seed_decides() -> None:
    first, second, other = (quick(random_state=s).fit(PAIR, SIDE).theta_ for s in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_weights_of_zero_are_as_absent() -> None:
    weights = np.ones(50)
    weights[::5] = 0
    left_out = quick().fit(PAIR[weights > 0], SIDE[weights > 0])
    np.testing.assert_allclose(quick().fit(PAIR, SIDE, weights).theta_, left_out.theta_, rtol=1e-12)


# Going on -------------------------------------------------------------------------------------------------------


@UNFINISHED
def test_warm_start_begins_where_it_ended() -> None:
    model = VQC(random_state=0, tol=1e-2, warm_start=True).fit(PAIR, SIDE)
    before, loss = model.theta_.copy(), model.loss_
    points: list[Values] = []
    model.set_params(callback=lambda k, theta, _: points.append(theta), optimizer="ADAM", max_iter=1).fit(PAIR, SIDE)
    np.testing.assert_array_equal(points[0], before)
    assert model.loss_ <= loss * 1.5


def test_partial_fit_trains_on_with_the_first_scaling() -> None:
    model = quick(max_iter=5, optimizer="ADAM")
    model.partial_fit(PAIR[:10], SIDE[:10], classes=[0, 1, 2])
    scaling, theta = model.factor_.copy(), model.theta_.copy()
    model.partial_fit(PAIR[10:] * 3, SIDE[10:])
    np.testing.assert_array_equal(model.factor_, scaling)
    assert not np.array_equal(model.theta_, theta)
    assert model.predict_proba(PAIR).shape == (50, 3)
    with pytest.raises(InvalidDataError, match=r"label 5, which is none of the classes \[0, 1, 2\]"):
        model.partial_fit(PAIR, SIDE + 5)
    with pytest.raises(InvalidDataError, match=r"classes of partial_fit must be.*\[0, 1, 2\]; got \[0, 1\]"):
        model.partial_fit(PAIR, SIDE, classes=[0, 1])


class Watched(StatevectorEngine):
    """Notes the rows that training asks for."""

    def __init__(self, shots: int | None = None) -> None:
        super().__init__(shots=shots, seed=0)
        self.batches: list[bytes] = []
        self.fresh: list[bytes] = []
        self.num_rows = 0

    def expectations_and_vjp(self, program: Any, X: Any, *args: Any, **options: Any) -> Any:
        self.batches += [np.asarray(X).tobytes()] if len(X) > 1 else []
        return super().expectations_and_vjp(program, X, *args, **options)

    def fresh_expectations(self, program: Any, X: Any, **options: Any) -> Any:
        self.fresh += [np.asarray(X).tobytes()] if len(X) == 5 else []  # rows kept apart
        return super().fresh_expectations(program, X, **options)

    def expectations(self, program: Any, X: Any, **options: Any) -> Any:
        self.num_rows += len(X)
        return super().expectations(program, X, **options)

    def overlaps(self, program: Any, X: Any, Y: Any = None, **options: Any) -> Any:
        self.num_rows += len(options["pairs"])
        return super().overlaps(program, X, Y, **options)


@UNFINISHED
@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_further_calls_take_other_mini_batches(way: str) -> None:
    engine = Watched()
    model = quick(engine=engine, optimizer="ADAM", batch_size=10, max_iter=1, warm_start=way == "warm_start")
    for _ in range(6):
        model.fit(PAIR, SIDE) if way == "warm_start" else model.partial_fit(PAIR, SIDE)
    assert len(set(engine.batches)) == len(engine.batches) == 6


@UNFINISHED
def test_further_calls_try_other_directions() -> None:
    model, points = quick(optimizer="SPSA", max_iter=1, engine=StatevectorEngine(shots=200, seed=0)), []
    for _ in range(4):
        points.append(model.partial_fit(PAIR[::5], SIDE[::5]).theta_)
    assert np.linalg.matrix_rank(np.diff(points, axis=0), tol=1e-6) == 3


@UNFINISHED
def test_calls_of_one_seed_are_reproducible_and_failures_use_up_nothing() -> None:
    first, second = (quick(optimizer="ADAM", batch_size=10, max_iter=1).partial_fit(PAIR, SIDE) for _ in range(2))
    first.partial_fit(PAIR, SIDE)
    with pytest.raises(InvalidDataError, match="label 5"):
        second.partial_fit(PAIR, SIDE + 5)
    second.partial_fit(PAIR, SIDE)
    np.testing.assert_array_equal(first.theta_, second.theta_)


@UNFINISHED
def test_another_seed_between_calls_counts() -> None:
    first, second = (quick(optimizer="ADAM", batch_size=10, max_iter=1).partial_fit(PAIR, SIDE) for _ in range(2))
    second.set_params(random_state=7)
    assert not np.array_equal(first.partial_fit(PAIR, SIDE).theta_, second.partial_fit(PAIR, SIDE).theta_)


@UNFINISHED
def test_rows_kept_apart_stay_apart_in_further_calls() -> None:
    engine = Watched()
    model = quick(engine=engine, optimizer="ADAM", max_iter=2, early_stopping=True)
    for _ in range(3):
        model.partial_fit(PAIR, SIDE)
    assert len(engine.fresh) == 6
    assert len(set(engine.fresh)) == 1


@UNFINISHED
def test_partial_fit_keeps_the_biases_of_the_first_call() -> None:
    order = np.random.default_rng(0).permutation(150)
    model = quick(readout="observables").partial_fit(IRIS[order], SPECIES[order], classes=[0, 1, 2])
    biases = model._head.readout.offset.copy()
    assert biases.any()
    without_the_third = order[SPECIES[order] < 2][:20]
    model.set_params(max_iter=1).partial_fit(IRIS[without_the_third], SPECIES[without_the_third])
    np.testing.assert_array_equal(model._head.readout.offset, biases)
    assert set(model.predict(IRIS)) == {0, 1, 2}


@UNFINISHED
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "ADAM", "early_stopping": True, "validation_fraction": 0.4},
        {"optimizer": "COBYLA", "max_iter": 20},
        {"optimizer": "QNSPSA"},
    ],
    ids=lambda options: str(options["optimizer"]),
)
def test_circuits_and_shots_are_those_of_the_whole_fit(options: dict[str, Any]) -> None:
    engine = Watched(shots=10)
    model = quick(**{"engine": engine, "max_iter": 2, "reuploads": 1, **options}).fit(PAIR[::5, :2], SIDE[::5])
    assert model.num_circuits_ == engine.num_rows
    assert model.num_shots_ == 10 * engine.num_rows  # of parity on two qubits, one string of Z


def test_early_stopping() -> None:
    model = quick(early_stopping=True, n_iter_no_change=3, optimizer="ADAM", max_iter=60).fit(PAIR, SIDE)
    assert len(model.validation_loss_curve_) == model.n_iter_ <= 60
    assert not hasattr(quick().fit(PAIR, SIDE), "validation_loss_curve_")


def test_checkpoint_resumes_and_belongs_to_its_data(tmp_path: Path) -> None:
    path = tmp_path / "vqc.npz"

    class Stop(Exception):
        pass

    def interrupt(iteration: int, theta: Values, loss: float) -> None:
        if iteration == 3:
            raise Stop

    settings: dict[str, Any] = {"tol": 1e-2, "checkpoint": path}
    with pytest.raises(Stop):
        VQC(callback=interrupt, **settings).fit(PAIR, SIDE)
    iterations: list[int] = []
    model = VQC(callback=lambda k, *_: iterations.append(k), **settings).fit(PAIR, SIDE)
    assert iterations[0] == 4
    assert len(model.loss_curve_) == iterations[-1]
    with pytest.raises(InvalidParameterError, match="belongs to a fit of other data or settings"):
        VQC(**settings).fit(PAIR[1:], SIDE[1:])
    with pytest.raises(InvalidParameterError, match="belongs to a fit of other data or settings"):
        VQC(loss="squared_error", **settings).fit(PAIR, SIDE)


# Engines --------------------------------------------------------------------------------------------------------


def test_with_engine_keeps_what_was_trained(fitted: VQC) -> None:
    moved = fitted.with_engine(StatevectorEngine(shots=2000, seed=0))
    assert moved.engine.shots == 2000
    assert fitted.engine is None
    np.testing.assert_array_equal(moved.theta_, fitted.theta_)
    p, sampled = fitted.predict_proba(IRIS), moved.predict_proba(IRIS)
    assert 0 < np.abs(p - sampled).max() < 5 * 0.5 / np.sqrt(2000) * 2
    np.testing.assert_allclose(sampled.sum(axis=1), 1.0, atol=1e-12)
    assert sampled.min() >= 0
    plan = moved.plan(IRIS)
    assert plan.shots > 0
    assert moved.plan(10).entries < plan.entries
    with pytest.raises(InvalidParameterError, match=r"engine of VQC must be None or an engine.*got 'fez'"):
        fitted.with_engine("fez")  # type: ignore[arg-type]


@UNFINISHED
def test_with_engine_has_parameters_of_its_own() -> None:
    model = quick(ansatz=EfficientSU2Ansatz(reps=1), max_iter=1, optimizer="ADAM").fit(PAIR, SIDE)
    model.with_engine(None).set_params(ansatz__reps=5)
    assert model.ansatz.reps == 1


def test_probabilities_from_few_shots_are_probabilities(fitted: VQC) -> None:
    moved = fitted.with_engine(StatevectorEngine(shots=20, seed=0))
    raw, p = moved._predictions(IRIS), moved.predict_proba(IRIS)
    assert (raw < 0).any()  # strings of Z are sampled one by one
    assert p.min() == 0
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(p.argmax(axis=1), raw.argmax(axis=1))


@UNFINISHED
def test_gradients_that_take_very_many_circuits_warn() -> None:
    """24 angles of a two-qubit model, two shifts each, and the loss; matrix-product states have no other gradients."""
    with pytest.warns(QKernelsWarning, match=r"VQC: MPSEngine\(\) .* takes 1,225 circuits .* 49 for each of 25 row"):
        quick(engine=MPSEngine(), optimizer="ADAM", max_iter=1).fit(PAIR[::2, :2], SIDE[::2])


@UNFINISHED
def test_trains_on_shots_and_under_noise() -> None:
    for engine in (StatevectorEngine(shots=200, seed=0), DensityMatrixEngine(NOISE)):
        model = quick(
            feature_map=ZZFeatureMap(reps=1),
            ansatz=RealAmplitudesAnsatz(reps=1),
            engine=engine,
            optimizer="ADAM",
            max_iter=12,
            reuploads=1,
            bandwidth=0.2,
        ).fit(PAIR[::3, ::2], SIDE[::3])
        assert model.score(PAIR[:, ::2], SIDE) > 0.8
        assert (model.num_shots_ > 0) == (engine.shots is not None)


def test_input_gradient_is_that_of_the_loss(fitted: VQC) -> None:
    X, y = IRIS[::40], SPECIES[::40]
    gradient = fitted.input_gradient(X, y)

    def losses(X: Values) -> Values:
        return np.asarray(-np.log(fitted.predict_proba(X)[np.arange(len(y)), y]))

    for f in range(4):
        step = np.zeros(4)
        step[f] = 1e-5
        np.testing.assert_allclose(gradient[:, f], (losses(X + step) - losses(X - step)) / 2e-5, atol=1e-6)


def test_input_gradient_by_parameter_shifts(fitted: VQC) -> None:
    class Shifted(StatevectorEngine):
        def vjp(self, *args: Any, **options: Any) -> Any:
            raise UnsupportedCircuitError("no gradients")

    X, y = IRIS[::70], SPECIES[::70]
    moved = fitted.with_engine(Shifted())
    np.testing.assert_allclose(moved.input_gradient(X, y), fitted.input_gradient(X, y), atol=1e-9)


# scikit-learn's tools -------------------------------------------------------------------------------------------


@UNFINISHED
def test_grid_search_reaches_inside_the_defaults() -> None:
    model = make_pipeline(StandardScaler(), quick(max_iter=5, optimizer="ADAM"))
    grid = {"vqc__feature_map__reps": [1, 2], "vqc__ansatz__reps": [0, 1]}
    search = GridSearchCV(model, grid, cv=2).fit(PAIR, SIDE)
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_[-1]
    assert best.feature_map_.reps == search.best_params_["vqc__feature_map__reps"]
    assert best.ansatz_.reps == search.best_params_["vqc__ansatz__reps"]


def test_pickle_and_clone(fitted: VQC) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict_proba(IRIS), fitted.predict_proba(IRIS))
    assert clone(fitted).get_params()["random_state"] == 0
    assert not hasattr(clone(fitted), "theta_")


def test_representation_shows_what_was_chosen(fitted: VQC) -> None:
    assert repr(VQC()) == "VQC()"
    assert "feature_map=ZZFeatureMap(reps=1)" in repr(fitted)


def test_failed_fit_leaves_the_model_as_it_was() -> None:
    model = quick().fit(PAIR, SIDE)
    with pytest.raises(InvalidDataError):
        model.fit(PAIR[:, :2], np.zeros(50))
    assert model.predict(PAIR).shape == (50,)


# Bad input ------------------------------------------------------------------------------------------------------


def free_circuit() -> QuantumCircuit:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(4)
    circuit.ry(a, 0)
    circuit.rz(b, 1)
    return circuit


class NoGradients(StatevectorEngine):
    """An engine without gradients, and a circuit without shift rules: nothing is left."""

    def vjp(self, *args: Any, **options: Any) -> Any:
        raise UnsupportedCircuitError("no gradients")


def controlled_map() -> CircuitMap:
    x = ParameterVector("x", 4)
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.rx(x[q], q)
    return CircuitMap(circuit)


def awkward_ansatz() -> CircuitAnsatz:
    t = ParameterVector("t", 4)
    circuit = QuantumCircuit(4)
    circuit.append(HamiltonianGate(np.array([[0.0, 1.0], [1.0, 0.0]]), t[0]), [0])
    for k in (1, 2, 3):
        circuit.ry(t[k], k)
    return CircuitAnsatz(circuit)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ansatz": CircuitAnsatz(free_circuit(), [Parameter("a")])}, r"parameters must hold every free parameter"),
        ({"ansatz": CircuitAnsatz(QuantumCircuit(4))}, "circuit must have free parameters to train"),
        ({"ansatz": CircuitAnsatz(QuantumCircuit(3))}, r"the same width: ZZFeatureMap has 4 qubit.*has 3"),
        ({"ansatz": "RealAmplitudes"}, "ansatz must be an Ansatz; got 'RealAmplitudes'"),
        ({"feature_map": QuantumCircuit(2)}, r"feature_map must be a FeatureMap; got <.*Wrap a circuit: CircuitMap"),
        ({"readout": "parity"}, r"ParityReadout has 2 outcomes.*got 3 class"),
        ({"ansatz": QCNNAnsatz()}, r"ClassesReadout needs 2 measured qubit\(s\) for 3 class\(es\).*leaves 1"),
        ({"readout": ObservablesReadout(["ZIII"])}, r"must be a sequence of 3, one for each class; got 1"),
        ({"readout": "maximum"}, r"readout of VQC must be.*got 'maximum'"),
        ({"engine": "aer"}, r"engine of VQC must be None or an engine.*got 'aer'"),
        ({"loss": "hinge"}, r"loss of VQC must be 'cross_entropy', 'squared_error'.*got 'hinge'"),
        ({"optimizer": "adamw"}, r"optimizer of VQC must be one of.*got 'adamw'"),
        ({"max_iter": 0}, r"'max_iter' parameter of VQC.*Got 0"),
        ({"tol": -1.0}, r"'tol' parameter of VQC.*Got -1.0"),
        ({"batch_size": 0}, r"'batch_size' parameter of VQC.*Got 0"),
        ({"reuploads": 0}, r"'reuploads' parameter of VQC.*Got 0"),
        ({"validation_fraction": 1.0}, r"'validation_fraction' parameter of VQC.*Got 1.0"),
        ({"bandwidth": -1.0}, r"bandwidth of VQC must be 'scale'.*got -1.0"),
        ({"initial_point": "zero"}, r"initial_point must be one of 'small'.*got 'zero'"),
        ({"initial_point": [0.1]}, r"initial_point must hold 48 finite numbers.*got \[0.1\]"),
        ({"callback": 3}, r"callback of VQC must be None or a callable.*got 3"),
        (
            {"engine": NoGradients(), "feature_map": controlled_map(), "ansatz": awkward_ansatz(), "bandwidth": 0.3},
            r"'L-BFGS-B' of VQC needs gradients, and NoGradients\(\) gives none.*instruction 'hamiltonian'.*'SPSA'",
        ),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_parameters(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        VQC(**options).fit(IRIS, SPECIES)


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        (np.zeros(150), None, r"y of VQC must hold at least two classes; got one class, 0.0"),
        (SPECIES, (SPECIES != 1).astype(float), r"sample_weight is 0 for every sample of class 1 of y"),
        (SPECIES, -np.ones(150), r"sample_weight must be >= 0; got -1.0"),
    ],
)
def test_bad_targets(y: NDArray[Any], weights: Values | None, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        VQC().fit(IRIS, y, weights)


def test_map_with_extra_free_parameters() -> None:
    x, extra = ParameterVector("x", 4), Parameter("extra")
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.rx(x[q] + extra, q)
    with pytest.raises((InvalidParameterError, InvalidDataError), match=r"takes 5 feature\(s\); got 4 feature\(s\)"):
        VQC(CircuitMap(circuit), bandwidth=0.3).fit(IRIS, SPECIES)
    with pytest.raises(InvalidParameterError, match="'extra'"):
        VQC(CircuitMap(circuit, x), bandwidth=0.3).fit(IRIS, SPECIES)


def test_other_width_at_predict(fitted: VQC) -> None:
    with pytest.raises(ValueError, match="X has 3 features, but VQC is expecting 4 features"):
        fitted.predict(IRIS[:, :3])


@pytest.mark.parametrize("use", [lambda m: m.predict(IRIS), lambda m: m.plan(3), lambda m: m.with_engine(None)])
def test_not_fitted(use: Any) -> None:
    with pytest.raises(NotFittedError):
        use(VQC())


def test_strange_label_of_an_input_gradient(fitted: VQC) -> None:
    with pytest.raises(InvalidDataError, match=r"label 9, which is none of the classes \[0, 1, 2\]"):
        fitted.input_gradient(IRIS[:1], [9])


def test_too_few_samples_to_keep_some_apart() -> None:
    with pytest.raises(InvalidDataError, match=r"early_stopping of VQC cannot keep validation_fraction=0.1 of 4"):
        VQC(early_stopping=True).fit(PAIR[[0, 1, 30, 31]], SIDE[[0, 1, 30, 31]])


class NonFiniteEngine(Engine):
    """Gives NaN; its contract is that of the engine it wraps."""

    is_exact = True

    def __init__(self) -> None:
        self.inner = StatevectorEngine()

    def prepare(self, *args: Any, **options: Any) -> Any:
        return self.inner.prepare(*args, **options)

    def overlaps(self, *args: Any, **options: Any) -> Any:
        return self.inner.overlaps(*args, **options)

    def plan(self, *args: Any, **options: Any) -> Any:
        return self.inner.plan(*args, **options)

    def vjp(self, *args: Any, **options: Any) -> Any:
        return self.inner.vjp(*args, **options)

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        found = self.inner.expectations(program, X, theta=theta)
        return Expectations(found.values * np.nan)


def test_non_finite_loss_warns_and_keeps_the_start() -> None:
    with pytest.warns(ConvergenceWarning, match="training stopped because the loss is nan"):
        model = quick(engine=NonFiniteEngine(), ansatz=EfficientSU2Ansatz(reps=0), initial_point=[0.1] * 16).fit(
            PAIR, SIDE
        )
    assert model.theta_.tolist() == [0.1] * 16


@UNFINISHED
def test_constant_columns_warn() -> None:
    with pytest.warns(BandwidthWarning, match="finds no variation in X"):
        quick(optimizer="ADAM", max_iter=2).fit(np.ones((10, 2)), np.arange(10) % 2)
