"""The head: what is fitted to values once the angles are trained."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from qkernels.variational import Head, ObservablesReadout, SoftmaxCrossEntropy

RNG = np.random.default_rng(0)
VALUES = RNG.uniform(-1, 1, (30, 3))
HEAD = Head(ObservablesReadout(["ZI", "IZ", "ZZ"]).bind(2, (0, 1), 3), SoftmaxCrossEntropy())


def test_biases_of_all_classes_minimise_the_loss() -> None:
    targets = np.eye(3)[np.repeat([0, 1, 2], [20, 7, 3])]
    fitted = HEAD.calibrated(VALUES, targets, np.ones(30))
    # at the minimum over the biases, the mean probability of a class is its frequency
    np.testing.assert_allclose(fitted.predictions(VALUES).mean(axis=0), targets.mean(axis=0), atol=1e-5)


def test_a_class_without_samples_keeps_its_bias() -> None:
    targets = np.eye(3)[np.repeat([0, 1], [24, 6])]
    fitted = HEAD.calibrated(VALUES, targets, np.ones(30))
    scores = HEAD.readout.outputs(VALUES)

    def loss(shift: float) -> float:  # of classes 0 and 1, up and down by as much
        moved = scores + np.array([shift, -shift, 0.0])
        return float(np.mean(np.log(np.exp(moved).sum(axis=1)) - (moved * targets).sum(axis=1)))

    best = minimize_scalar(loss).x
    assert fitted.readout.offset[2] == 0.0
    np.testing.assert_allclose(fitted.readout.offset, [best, -best, 0.0], atol=1e-4)
    assert abs(best) > 0.1


def test_one_class_alone_moves_no_bias() -> None:
    targets = np.eye(3)[np.zeros(30, dtype=int)]
    fitted = HEAD.calibrated(VALUES, targets, np.ones(30))
    assert fitted.readout.offset == pytest.approx(np.zeros(3), abs=0)
