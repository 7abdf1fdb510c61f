"""The objective: its loss by the oracle, its gradient as that of this loss, and what it evaluates how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkernels import DensityMatrixEngine, ExpectationProgram, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine, NoiseTable
from qkernels.variational import (
    BoundReadout,
    ClassesReadout,
    CrossEntropy,
    EfficientSU2Ansatz,
    GradientWay,
    Head,
    Loss,
    NonFiniteLossError,
    Objective,
    ObservablesReadout,
    ParityReadout,
    Readout,
    SoftmaxCrossEntropy,
    SquaredError,
    compose_model,
    gradient_way,
)
from tests.oracle.states import oracle_expectations

Values = NDArray[np.float64]

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (7, 2))
WEIGHTS = RNG.uniform(0.5, 2.0, 7)
MODEL = compose_model(ZZFeatureMap(reps=1), EfficientSU2Ansatz(reps=1), 2, reuploads=2, trainable_scaling=True)
THETA = RNG.uniform(-1, 1, len(MODEL.theta))
# Λ(ρ) = (1 − λ)ρ + λ·1/4 with λ = 0.07 after each CX, as its transfer matrix.
NOISE = NoiseTable(defaults={"cx": np.diag([1.0, *[0.93] * 15])}, ideal=["h", "p", "ry", "rz"], form="transfer")
CASES: dict[str, tuple[Readout, Loss, int]] = {
    "parity": (ParityReadout(), CrossEntropy(), 2),
    "classes": (ClassesReadout(), CrossEntropy(), 3),
    "brier": (ClassesReadout(), SquaredError(), 3),
    "scores": (ObservablesReadout(["ZI", "IX", "YY"], scale=2.0), SoftmaxCrossEntropy(), 3),
    "softmax-brier": (ObservablesReadout(["ZI", "IX", "YY"], scale=2.0), SquaredError(), 3),
}


def targets(num_classes: int) -> Values:
    return np.eye(num_classes)[np.arange(7) % num_classes]


def bound(readout: Readout, num_classes: int) -> BoundReadout:
    return readout.bind(2, MODEL.readout_qubits, num_classes)


def objective(
    case: str = "classes",
    engine: Engine | None = None,
    way: GradientWay | None = "exact",
    batch_size: int | None = None,
) -> Objective:
    readout, loss, k = CASES[case]
    program = ExpectationProgram(MODEL.circuit, MODEL.x, MODEL.theta, observables=bound(readout, k).observables)
    head = Head(bound(readout, k), loss)
    engine = StatevectorEngine() if engine is None else engine
    return Objective(engine, program, head, X, targets(k), WEIGHTS, way=way, batch_size=batch_size, seed=1)


def oracle_loss(case: str, theta: Values) -> float:
    """The weighted mean loss, from plain state vectors and the definition of each loss."""
    readout, loss, k = CASES[case]
    head = bound(readout, k)
    values = oracle_expectations(MODEL.circuit, head.observables, MODEL.x, X, MODEL.theta, theta)
    outputs = values @ head.matrix + head.offset
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True) if head.kind == "scores" else outputs
    squared = isinstance(loss, SquaredError)
    losses = ((p - targets(k)) ** 2).sum(axis=1) if squared else -np.log(p[targets(k) == 1])
    return float(np.average(losses, weights=WEIGHTS))


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_the_oracle(case: str) -> None:
    found = objective(case)
    loss, gradient = found.loss_and_gradient(THETA)
    assert loss == pytest.approx(oracle_loss(case, THETA), rel=1e-12)
    assert found.loss(THETA) == loss
    for k in range(len(THETA)):
        ahead, behind = THETA.copy(), THETA.copy()
        ahead[k] += 1e-5
        behind[k] -= 1e-5
        slope = (oracle_loss(case, ahead) - oracle_loss(case, behind)) / 2e-5
        assert gradient[k] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_parameter_shifts_give_the_same_gradient(case: str) -> None:
    exact, shifted = objective(case), objective(case, way="shift")
    np.testing.assert_allclose(shifted.gradient(THETA), exact.gradient(THETA), atol=1e-10)


def test_noisy_engine_gives_the_gradient_of_its_own_loss() -> None:
    engine = DensityMatrixEngine(NOISE)
    found = objective("classes", engine)
    gradient = found.gradient(THETA)
    ahead, behind = THETA.copy(), THETA.copy()
    ahead[3] += 1e-5
    behind[3] -= 1e-5
    assert gradient[3] == pytest.approx((found.loss(ahead) - found.loss(behind)) / 2e-5, abs=1e-8)
    assert found.loss(THETA) != pytest.approx(objective("classes").loss(THETA), abs=1e-3)


def test_nothing_is_evaluated_twice_at_one_point(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        own = getattr(StatevectorEngine, name)
        return lambda *args, **options: (calls.append(name), own(*args, **options))[1]

    for name in ("fresh_expectations", "expectations_and_vjp"):
        monkeypatch.setattr(StatevectorEngine, name, counted(name))
    found = objective()
    found.loss_and_gradient(THETA)
    found.loss(THETA)
    found.gradient(THETA)
    assert calls == ["expectations_and_vjp"]
    assert (found.num_losses, found.num_gradients, found.spent.num_circuits, found.spent.num_shots) == (1, 1, 7, 0)
    found.loss(THETA + 1)
    assert calls == ["expectations_and_vjp", "fresh_expectations"]


def test_shots_are_counted() -> None:
    found = objective("classes", StatevectorEngine(shots=100, seed=0), way=None)
    found.loss(THETA)
    assert (found.spent.num_circuits, found.spent.num_shots) == (7, 100 * 7 * 3)  # three strings of Z


def test_parameter_shifts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    own = StatevectorEngine.expectations

    def counted(engine: StatevectorEngine, program: ExpectationProgram, X: Any, **options: Any) -> Any:
        rows.append(len(X))
        return own(engine, program, X, **options)

    monkeypatch.setattr(StatevectorEngine, "expectations", counted)
    found = objective("classes", StatevectorEngine(shots=100, seed=0), way="shift")
    found.loss_and_gradient(THETA)
    assert len(rows) == 2  # the values, and all shifts
    assert (found.spent.num_circuits, found.spent.num_shots) == (sum(rows), 100 * 3 * sum(rows))


def test_gradient_is_the_callers_own() -> None:
    found = objective()
    found.gradient(THETA)[:] = 0.0
    assert found.gradient(THETA).any()


def test_batches_pass_through_all_rows_and_are_seeded() -> None:
    found, again = objective(batch_size=2), objective(batch_size=2)
    seen = [found._next_batch()[0] for _ in range(3)]
    assert len(np.unique(np.concatenate(seen), axis=0)) == 6
    np.testing.assert_array_equal(seen, [again._next_batch()[0] for _ in range(3)])
    assert not np.array_equal(np.concatenate(seen), np.concatenate([found._next_batch()[0] for _ in range(3)]))


def test_batches_go_on_where_they_were_left() -> None:
    found, resumed = objective(batch_size=2), objective(batch_size=2)
    for _ in range(4):
        found._next_batch()
    resumed.num_batches = found.num_batches
    np.testing.assert_array_equal(found._next_batch()[0], resumed._next_batch()[0])


def test_batch_losses_average_to_the_whole() -> None:
    """The mean over a pass through the data, with the weights of the rows inside."""
    one = objective(batch_size=1)
    losses = [one.loss(THETA + 1e-15 * k) for k in range(7)]
    assert np.mean(losses) == pytest.approx(oracle_loss("classes", THETA), rel=1e-9)
    assert not one.is_deterministic


def test_best_point_is_remembered() -> None:
    found = objective()
    losses = [found.loss(THETA + shift) for shift in (0.0, 0.5, 1.0, 1.5)]
    assert found.best_loss == min(losses)
    assert found.best_theta is not None
    np.testing.assert_array_equal(found.best_theta, THETA + 0.5 * int(np.argmin(losses)))


class BrokenLoss(CrossEntropy):
    def __call__(self, outputs: Values, targets: Values) -> Values:
        return np.full(len(outputs), np.nan)


def test_non_finite_loss_and_point() -> None:
    found = objective()
    with pytest.raises(NonFiniteLossError, match="a trainable number is not finite"):
        found.loss(THETA * np.nan)
    found.head = Head(found.head.readout, BrokenLoss())
    with pytest.raises(NonFiniteLossError, match="the loss is nan"):
        found.loss(THETA + 0.1)
    with pytest.raises(NonFiniteLossError, match="the loss is nan"):
        found.gradient(THETA + 0.2)


def test_no_gradient() -> None:
    with pytest.raises(InvalidParameterError, match="This objective has no gradients"):
        objective(way=None).gradient(THETA)


def test_looking_for_gradients_evaluates_nothing_on_an_engine_without() -> None:
    """On a device a row is a job."""

    class Device(DensityMatrixEngine):
        def expectations(self, *args: Any, **options: Any) -> Any:
            raise AssertionError("a job was sent")

        def vjp(self, *args: Any, **options: Any) -> Any:
            return Engine.vjp(self, *args, **options)

    assert gradient_way(Device(NOISE), objective().program, X, THETA) == ("shift", "")


@pytest.mark.parametrize(
    ("engine", "way"),
    [
        (StatevectorEngine(), "exact"),
        (StatevectorEngine(shots=10, seed=0), "shift"),
        (DensityMatrixEngine(NOISE), "exact"),
    ],
    ids=repr,
)
def test_way_of_engines(engine: Engine, way: str) -> None:
    program = objective().program
    assert gradient_way(engine, program, X, THETA) == (way, "")
