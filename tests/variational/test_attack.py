"""Edges of training that a user meets: caches, checkpoints of several calls, optimizers of any kind, odd readouts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import HamiltonianGate
from sklearn.exceptions import ConvergenceWarning

from qkernels import VQC, VQR, AutoEngine, ExpectationProgram, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import Engine, MPSEngine, cache_info, clear_cache, set_cache
from qkernels.variational import (
    ClassesReadout,
    CrossEntropy,
    EfficientSU2Ansatz,
    ExpectationReadout,
    ObservablesReadout,
    Readout,
    compose_model,
    gradient_way,
)
from tests.oracle.states import oracle_expectations

Values = NDArray[np.float64]

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (12, 2))
Y = np.array([0, 1, 2] * 4)
MODEL = compose_model(ZZFeatureMap(reps=1), EfficientSU2Ansatz(reps=1), 2, reuploads=2)
THETA = RNG.uniform(-1, 1, len(MODEL.theta))
PROGRAM = ExpectationProgram(MODEL.circuit, MODEL.x, MODEL.theta, observables=["ZI", "XY", "YY"])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def model(**options: Any) -> VQC:
    usual: dict[str, Any] = {"max_iter": 4, "random_state": 0, "reuploads": 1, "ansatz": EfficientSU2Ansatz(reps=1)}
    return VQC(**usual | options)


# Values that are not asked for again ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "engine",
    [
        StatevectorEngine(),
        AutoEngine(),
        StatevectorEngine(precision="single"),
        StatevectorEngine(shots=50, seed=3),
        MPSEngine(),
    ],
    ids=repr,
)
def test_fresh_values_are_the_values(engine: Engine) -> None:
    rows = np.concatenate([X, X[:3]])
    expected = engine.expectations(PROGRAM, rows, theta=THETA).values
    np.testing.assert_allclose(engine.fresh_expectations(PROGRAM, rows, theta=THETA), expected, rtol=0, atol=1e-14)
    if engine.is_exact:
        oracle = oracle_expectations(MODEL.circuit, PROGRAM.observables, MODEL.x, rows, MODEL.theta, list(THETA))
        np.testing.assert_allclose(expected, oracle, atol=1e-6 if "single" in repr(engine) else 1e-12)


@pytest.mark.parametrize("engine", [StatevectorEngine(), AutoEngine()], ids=repr)
def test_fresh_values_leave_nothing_of_theta_in_the_cache(engine: Engine) -> None:
    engine.fresh_expectations(PROGRAM, X, theta=THETA)
    entries = cache_info().entries
    for shift in range(1, 6):
        engine.fresh_expectations(PROGRAM, X, theta=THETA + shift)
    assert cache_info().entries == entries


def test_training_by_losses_alone_leaves_nothing_of_theta_in_the_cache() -> None:
    model(optimizer="COBYLA", max_iter=20).fit(X, Y)
    entries = cache_info().entries
    model(optimizer="COBYLA", max_iter=20, initial_point="random").fit(X, Y)
    assert cache_info().entries == entries + 2  # the loss of the result: its rows, and its values


def test_fresh_values_by_blocks_where_memory_is_short() -> None:
    circuit = ZZFeatureMap(reps=1).build(12)
    program = ExpectationProgram(circuit, circuit.parameters, observables="Z" * 12)
    rows = RNG.uniform(-1, 1, (400, 12))  # 25 MiB of states
    small = StatevectorEngine(memory_limit=18 << 20)
    assert not small.plan(program, rows).reason
    expected = StatevectorEngine().expectations(program, rows).values
    np.testing.assert_allclose(small.fresh_expectations(program, rows), expected, atol=1e-14)


@pytest.mark.parametrize("rows", [np.empty((0, 2)), np.zeros((3, 5)), np.full((2, 2), np.nan)], ids=["0", "5", "nan"])
def test_fresh_values_refuse_what_values_refuse(rows: Values) -> None:
    with pytest.raises(InvalidDataError) as expected:
        StatevectorEngine().expectations(PROGRAM, rows, theta=THETA)
    with pytest.raises(InvalidDataError) as found:
        StatevectorEngine().fresh_expectations(PROGRAM, rows, theta=THETA)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("max_bytes", [0, 150_000])
def test_training_without_a_cache_gives_the_same(max_bytes: int) -> None:
    expected = model().fit(X, Y).theta_
    try:
        clear_cache()
        set_cache(max_bytes)
        found = model().fit(X, Y).theta_
    finally:
        set_cache(2**30)
    np.testing.assert_allclose(found, expected, atol=1e-12)


# Gradients of theta where X has none ----------------------------------------------------------------------------------


def test_a_map_without_derivatives_leaves_exact_gradients_of_theta() -> None:
    x, theta = ParameterVector("x", 1), ParameterVector("t", 1)
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianGate([[0.0, 1.0], [1.0, 0.0]], x[0]), [0])
    circuit.ry(theta[0], 0)
    program = ExpectationProgram(circuit, x, theta, observables="Z")
    assert gradient_way(StatevectorEngine(), program, X[:, :1], THETA[:1]) == ("exact", "")


# Readouts of another kind ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readout", [ClassesReadout(), ObservablesReadout(["ZZ"])], ids=repr)
def test_regression_refuses_a_readout_of_classes(readout: Readout) -> None:
    kind = "probabilities" if isinstance(readout, ClassesReadout) else "scores"
    with pytest.raises(InvalidParameterError, match=rf"readout of VQR must give values; its kind is '{kind}'"):
        VQR(readout=readout, max_iter=2).fit(X, X[:, 0])


def test_classification_refuses_a_readout_of_numbers() -> None:
    class Numbers(ObservablesReadout):
        def bind(self, num_qubits: int, qubits: Any, num_outputs: int) -> Any:
            one = ExpectationReadout().bind(num_qubits, qubits, 1)
            return type(one)(one.observables, np.ones((1, num_outputs)), np.zeros(num_outputs), "values")

    with pytest.raises(InvalidParameterError, match="readout of VQC must give probabilities or scores; its kind is"):
        model(readout=Numbers()).fit(X, Y % 2)


# Optimizers -----------------------------------------------------------------------------------------------------------


class LossesOnly:
    """Has no use for a gradient, though it is offered one."""

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        for step in range(5):
            fun(x0 + 0.1 * step)
        return SimpleNamespace(x=x0)


class Descent:
    """Asks for a loss and for a gradient at every point."""

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        for _ in range(5):
            fun(x0)
            x0 = x0 - 0.05 * jac(x0)
        return SimpleNamespace(x=x0)


@pytest.mark.parametrize("optimizer", [LossesOnly(), Descent()], ids=lambda o: type(o).__name__)
def test_iterations_of_any_optimizer_are_noted(optimizer: Any, tmp_path: Path) -> None:
    told: list[int] = []
    path = tmp_path / "fit.npz"
    found = model(optimizer=optimizer, callback=lambda i, theta, loss: told.append(i), checkpoint=path).fit(X, Y)
    assert told == [1, 2, 3, 4, 5]
    assert found.n_iter_ == len(found.loss_curve_) == 5
    assert len(np.load(path)["loss_curve"]) == 5


def test_cobyqa_keeps_to_max_iter() -> None:
    found = model(optimizer="COBYQA", max_iter=6).fit(X, Y)
    assert found.n_iter_ == 6


def test_an_optimizer_that_returns_no_point_is_refused() -> None:
    class Nothing:
        def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
            return self.found(x0)

        def __init__(self, found: Any) -> None:
            self.found = found

    for found in (lambda x0: None, lambda x0: SimpleNamespace(x=x0[:3])):
        with pytest.raises(InvalidParameterError, match=r"minimize must return an object with the point .* \(8,\)"):
            model(optimizer=Nothing(found)).fit(X, Y)


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_a_point_that_is_not_finite_is_not_kept() -> None:
    class Diverging:
        def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
            fun(x0)
            return SimpleNamespace(x=x0 * np.nan)

    with pytest.warns(ConvergenceWarning, match="stopped because a trainable number is not finite; the best point"):
        found = model(optimizer=Diverging(), initial_point=THETA[:8]).fit(X, Y)
    np.testing.assert_array_equal(found.theta_, THETA[:8])


# Losses of one's own --------------------------------------------------------------------------------------------------


class OwnLoss(CrossEntropy):
    """Cross-entropy with other values or gradients."""

    def __init__(self, call: Any = None, gradient: Any = None) -> None:
        super().__init__()
        self.own_call, self.own_gradient = call, gradient

    def __call__(self, outputs: Values, targets: Values) -> Values:
        found: Values = super().__call__(outputs, targets) if self.own_call is None else self.own_call(outputs)
        return found

    def gradient(self, outputs: Values, targets: Values) -> Values:
        found: Values = super().gradient(outputs, targets) if self.own_gradient is None else self.own_gradient(outputs)
        return found


@pytest.mark.parametrize("engine", [None, StatevectorEngine(shots=100, seed=0)], ids=["exact", "shots"])
@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_a_gradient_that_is_not_finite_ends_training_at_the_best_point(engine: Engine | None) -> None:
    loss = OwnLoss(gradient=lambda outputs: np.full(outputs.shape, np.nan))
    with pytest.warns(ConvergenceWarning, match="stopped because the gradient of the loss is not finite"):
        found = model(loss=loss, engine=engine, initial_point=THETA[:8]).fit(X, Y)
    np.testing.assert_array_equal(found.theta_, THETA[:8])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (OwnLoss(call=lambda outputs: 1.0), r"a call must return an array of shape \(12,\).*got \(\)"),
        (OwnLoss(call=lambda outputs: outputs), r"a call must return an array of shape \(12,\).*got \(12, 3\)"),
        (OwnLoss(gradient=lambda outputs: outputs[:, :1]), r"gradient must return .* \(12, 3\).*got \(12, 1\)"),
    ],
)
def test_losses_of_another_shape_are_refused(loss: OwnLoss, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        model(loss=loss).fit(X, Y)


# Checkpoints ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["ADAM", "SPSA", "L-BFGS-B"])
def test_more_iterations_go_on_from_a_finished_checkpoint(optimizer: str, tmp_path: Path) -> None:
    options = {"optimizer": optimizer, "checkpoint": tmp_path / "fit.npz", "tol": 0.0}
    first = model(max_iter=3, **options).fit(X, Y)
    more = model(max_iter=7, **options).fit(X, Y)
    assert more.n_iter_ == 7
    assert more.loss_curve_[:3] == first.loss_curve_
    again = model(max_iter=7, **options).fit(X, Y)
    assert again.num_circuits_ == len(X)  # the loss of the result
    np.testing.assert_array_equal(again.theta_, more.theta_)


def test_further_batches_leave_the_checkpoint_alone(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    found = model(checkpoint=path).partial_fit(X, Y)
    before, theta = path.read_bytes(), found.theta_
    found.partial_fit(X, Y)
    assert not np.array_equal(found.theta_, theta)
    found.partial_fit(X[:9], Y[:9])
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 cut short", None], ids=["empty", "junk", "cut", "npy"])
def test_a_damaged_checkpoint_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "fit.npy"
    if content is None:
        np.save(path, np.ones(3))
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidParameterError, match=r"fit\.npy' is no checkpoint of a fit"):
        model(checkpoint=path).fit(X, Y)


def test_a_checkpoint_without_a_folder_is_refused_before_anything_is_evaluated(tmp_path: Path) -> None:
    told: list[int] = []
    with pytest.raises(InvalidParameterError, match=r"none/fit\.npz': its folder does not exist"):
        model(checkpoint=tmp_path / "none" / "fit.npz", callback=lambda *_: told.append(1)).fit(X, Y)
    assert not told


def test_a_checkpoint_that_is_no_path_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="checkpoint of VQC must be None or a path; got 3"):
        model(checkpoint=3).fit(X, Y)
