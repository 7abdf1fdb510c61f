"""Losses: values by definition, derivatives against central differences of the reported loss."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax as scipy_softmax
from sklearn.metrics import log_loss

from qkernels._errors import InvalidParameterError
from qkernels.variational import (
    BoundReadout,
    CrossEntropy,
    Head,
    Loss,
    SoftmaxCrossEntropy,
    SquaredError,
    as_loss,
    softmax,
)

Values = NDArray[np.float64]

T = np.eye(3)[[0, 2, 1, 1, 0]]
SCORES = np.random.default_rng(1).normal(size=(5, 3))
P = scipy_softmax(SCORES, axis=1)


class CubicError(Loss):
    """A user's loss that is no cross-entropy."""

    def __call__(self, outputs: Values, targets: Values) -> Values:
        return np.asarray((np.abs(outputs - targets) ** 3).sum(axis=1))

    def gradient(self, outputs: Values, targets: Values) -> Values:
        return np.asarray(3 * (outputs - targets) * np.abs(outputs - targets))


def central_differences(loss: Loss, outputs: Values, targets: Values, step: float = 1e-6) -> Values:
    found = np.zeros_like(outputs)
    for k in range(outputs.shape[1]):
        shift = np.zeros_like(outputs)
        shift[:, k] = step
        found[:, k] = (loss(outputs + shift, targets) - loss(outputs - shift, targets)) / (2 * step)
    return found


@pytest.mark.parametrize("loss", [CrossEntropy(), SoftmaxCrossEntropy(), SquaredError(), CubicError()], ids=repr)
@pytest.mark.parametrize("outputs", [P, SCORES / 10], ids=["probabilities", "any"])
def test_gradient_is_that_of_the_loss(loss: Loss, outputs: Values) -> None:
    np.testing.assert_allclose(loss.gradient(outputs, T), central_differences(loss, outputs, T), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("p", [-0.2, 0.0, 0.5e-3, 0.9])
def test_cross_entropy_and_its_gradient_agree_on_both_sides_of_the_floor(p: float) -> None:
    loss, outputs, target = CrossEntropy(), np.array([[p, 1 - p]]), np.array([[1.0, 0.0]])
    expected = -np.log(p) if p > 1e-3 else -np.log(1e-3) - (p / 1e-3 - 1)
    assert loss(outputs, target)[0] == pytest.approx(expected, rel=1e-12)
    slopes = central_differences(loss, outputs, target, 1e-7)
    np.testing.assert_allclose(loss.gradient(outputs, target), slopes, rtol=1e-6, atol=1e-6)
    assert np.isfinite(loss.gradient(outputs, target)).all()


def test_cross_entropy_is_scikit_learns_log_loss() -> None:
    assert CrossEntropy()(P, T).mean() == pytest.approx(log_loss(T.argmax(axis=1), P), rel=1e-12)
    assert SoftmaxCrossEntropy()(SCORES, T).mean() == pytest.approx(log_loss(T.argmax(axis=1), P), rel=1e-12)


def test_softmax_cross_entropy_does_not_overflow() -> None:
    assert SoftmaxCrossEntropy()(np.array([[1000.0, 0.0, 0.0]]), T[:1]).tolist() == [0.0]


def test_softmax() -> None:
    np.testing.assert_allclose(softmax(SCORES), P, rtol=1e-12)


@pytest.mark.parametrize("loss", [CrossEntropy(), SoftmaxCrossEntropy(), SquaredError(), CubicError()], ids=repr)
def test_head_pulls_back_through_the_whole_jacobian_of_the_softmax(loss: Loss) -> None:
    rng = np.random.default_rng(2)
    readout = BoundReadout((), rng.normal(size=(4, 3)), rng.normal(size=3), "scores")
    head, values = Head(readout, loss), rng.normal(size=(5, 4))
    found = np.zeros_like(values)
    for k in range(4):
        shift = np.zeros_like(values)
        shift[:, k] = 1e-6
        found[:, k] = (head.losses(values + shift, T) - head.losses(values - shift, T)) / 2e-6
    cotangent = head.cotangent(values, T)
    np.testing.assert_allclose(cotangent, found, rtol=1e-6, atol=1e-7)
    if loss.on_scores:
        return
    # what a Jacobian reduced to its diagonal would give is something else
    p = head.predictions(values)
    diagonal = readout.pull_back(loss.gradient(p, T) * p * (1 - p))
    assert np.abs(cotangent - diagonal).max() > 0.1


@pytest.mark.parametrize("kind", ["scores", "values"])
def test_calibration_finds_the_best_offset(kind: str) -> None:
    rng = np.random.default_rng(3)
    values, weights = rng.normal(size=(40, 2)), rng.uniform(0.5, 2.0, 40)
    if kind == "scores":
        readout = BoundReadout((), np.eye(2), np.zeros(2), "scores", fits_offset=True)
        head, targets = Head(readout, SoftmaxCrossEntropy()), np.eye(2)[(rng.random(40) < 0.3).astype(int)]
        found = head.calibrated(values, targets, weights).readout
        # at the minimum the weighted mean probabilities are the weighted frequencies of the classes
        p = scipy_softmax(values + found.offset, axis=1)
        np.testing.assert_allclose(weights @ p, weights @ targets, rtol=1e-4)
    else:
        readout = BoundReadout((), np.ones((2, 1)), np.zeros(1), "values", fits_offset=True)
        targets = (2 + 0.3 * values.sum(axis=1) + rng.normal(size=40))[:, None]
        found = Head(readout, SquaredError()).calibrated(values, targets, weights).readout
        slope, intercept = np.polyfit(values.sum(axis=1), targets[:, 0], 1, w=np.sqrt(weights))
        np.testing.assert_allclose([found.matrix[0, 0], found.offset[0]], [slope, intercept], rtol=1e-4)


def test_calibration_of_probabilities_is_nothing() -> None:
    head = Head(BoundReadout((), np.eye(2), np.zeros(2), "probabilities"), CrossEntropy())
    assert head.calibrated(P[:, :2], T[:, :2], np.ones(5)) is head


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("cross_entropy", "probabilities", CrossEntropy),
        ("cross_entropy", "scores", SoftmaxCrossEntropy),
        ("squared_error", "values", SquaredError),
    ],
)
def test_names(name: str, kind: str, expected: type[Loss]) -> None:
    assert type(as_loss(name, kind, "VQC")) is expected


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        ("hinge", "probabilities", r"loss of VQC must be 'cross_entropy', 'squared_error'.*got 'hinge'"),
        ("cross_entropy", "values", r"loss of VQC must be 'squared_error'.*got 'cross_entropy'"),
        (SquaredError, "values", r"loss of VQC must be.*got <class"),
        (lambda o, t: o, "values", r"method gradient.*got <function"),
        (SoftmaxCrossEntropy(), "probabilities", r"SoftmaxCrossEntropy\(\), which takes scores.*gives probabilities"),
    ],
)
def test_bad_losses(loss: object, kind: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        as_loss(loss, kind, "VQC")


@pytest.mark.parametrize("floor", [0.0, 1.0, "x", True])
def test_bad_floor(floor: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"floor of CrossEntropy .* got {floor!r}"):
        CrossEntropy(floor)  # type: ignore[arg-type]
