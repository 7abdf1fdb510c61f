"""HamiltonianEmbedding against matrix exponentials and central differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm
from sklearn.base import clone

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.variational import BrickworkAnsatz, HamiltonianEmbedding
from tests.oracle import oracle_matrix

Real = NDArray[np.float64]


def matrices(count: int, size: int, seed: int = 0) -> Real:
    return np.random.default_rng(seed).uniform(-1, 1, (count, size, size))


def expected(M: Real, theta: Real, layers: int, n: int, time: float | None) -> Real:
    """Probabilities by the definition: scipy's exponential, and the circuit of BrickworkAnsatz for the layers."""
    ansatz = BrickworkAnsatz()
    vector = ansatz.parameter_vector(n)
    table = theta.reshape(layers, -1)
    found = []
    for matrix in M:
        hamiltonian = (matrix + matrix.T) / 2
        state = np.full(2**n, 2 ** (-n / 2), dtype=complex)
        for row in table:
            t, angles = (row[0], row[1:]) if time is None else (time, row)
            state = expm(-0.5j * t * hamiltonian) @ state
            state = oracle_matrix(ansatz.build(n), dict(zip(vector, angles, strict=True))) @ state
        found.append(np.abs(state) ** 2)
    return np.array(found)


CASES = [(1, 2, True), (2, 2, False), (3, 3, True), (2, 4, True)]
cases = pytest.mark.parametrize(("layers", "n", "trained"), CASES)


@cases
def test_probabilities_are_the_definition(layers: int, n: int, trained: bool) -> None:
    model = HamiltonianEmbedding(layers=layers, time=0.7, trainable_time=trained)
    M = matrices(3, 2**n)
    theta = np.random.default_rng(1).uniform(-2, 2, model.num_parameters(2**n))
    assert len(theta) == layers * (15 * (n - 1) + trained)
    found = model.probabilities(model.embed(M), theta)
    np.testing.assert_allclose(found, expected(M, theta, layers, n, None if trained else 0.7), atol=1e-12)


@cases
def test_the_gradient_is_that_of_the_probabilities(layers: int, n: int, trained: bool) -> None:
    model = HamiltonianEmbedding(layers=layers, trainable_time=trained)
    data = model.embed(matrices(4, 2**n))
    rng = np.random.default_rng(2)
    theta = rng.uniform(-2, 2, model.num_parameters(2**n))
    cotangent = rng.normal(size=(4, 2**n))
    probabilities, gradient = model.vjp(data, theta, cotangent)
    np.testing.assert_array_equal(probabilities, model.probabilities(data, theta))
    step = 1e-5
    differences = [
        np.sum(cotangent * (model.probabilities(data, theta + e) - model.probabilities(data, theta - e))) / (2 * step)
        for e in step * np.eye(len(theta))
    ]
    np.testing.assert_allclose(gradient, differences, atol=1e-8)


def test_a_cotangent_may_be_a_function_of_the_probabilities() -> None:
    model = HamiltonianEmbedding(layers=2)
    data = model.embed(matrices(4, 4))
    theta = model.initial_point(4, random_state=0)
    p = model.probabilities(data, theta)
    given = model.vjp(data, theta, -1 / p)
    called = model.vjp(data, theta, lambda q: -1 / q)
    np.testing.assert_array_equal(given[1], called[1])


def test_small_matrices_are_padded_with_zeros() -> None:
    model = HamiltonianEmbedding(layers=2)
    M = matrices(2, 5)
    padded = np.zeros((2, 8, 8))
    padded[:, :5, :5] = M
    theta = model.initial_point(8, random_state=0)
    np.testing.assert_allclose(
        model.probabilities(model.embed(M), theta), model.probabilities(model.embed(padded), theta), atol=1e-12
    )
    assert model.embed(np.ones((1, 1, 1))).energies.shape == (1, 4)
    assert model.embed(matrices(1, 2)).vectors.shape == (1, 4, 4)


def test_only_the_symmetric_part_counts() -> None:
    model = HamiltonianEmbedding(layers=1)
    M = matrices(2, 4)
    theta = model.initial_point(4, random_state=0)
    transposed = model.probabilities(model.embed(M.transpose(0, 2, 1)), theta)
    np.testing.assert_allclose(model.probabilities(model.embed(M), theta), transposed, atol=1e-12)


def test_integers_are_data_too() -> None:
    # uint8 pixels: the sum of a pixel and its mirror must not wrap around
    pixels = np.full((1, 4, 4), 200, dtype=np.uint8)
    np.testing.assert_allclose(HamiltonianEmbedding().embed(pixels).energies[0, -1], 800.0, rtol=1e-12)


def test_the_initial_point_has_the_times_and_small_angles() -> None:
    model = HamiltonianEmbedding(layers=40, time=0.3)
    table = model.initial_point(8, random_state=0).reshape(40, 31)
    assert set(table[:, 0]) == {0.3}
    # 1200 values, five standard deviations of the estimate
    assert table[:, 1:].std() == pytest.approx(0.1, abs=5 * 0.1 / np.sqrt(2400))
    assert np.array_equal(table.ravel(), model.initial_point(8, random_state=0))
    fixed = HamiltonianEmbedding(layers=2, trainable_time=False).initial_point(4, random_state=0, spread=0.0)
    assert fixed.tolist() == [0.0] * 30


def test_it_is_a_scikit_learn_object() -> None:
    model = HamiltonianEmbedding(layers=3, time=0.5)
    assert clone(model).get_params() == {"layers": 3, "time": 0.5, "trainable_time": True}
    assert repr(model) == "HamiltonianEmbedding(layers=3, time=0.5)"


def test_it_learns_what_one_layer_of_angles_can_tell() -> None:
    # two kinds of matrices that differ in the sign of one coupling, by plain gradient descent
    signs = np.array([1, -1] * 10)
    M = 0.1 * matrices(20, 4)
    M[:, 0, 1] += 2 * signs
    model = HamiltonianEmbedding(layers=3)
    data, labels = model.embed(M), (signs < 0).astype(int)
    target = np.eye(4)[labels]
    theta = model.initial_point(4, random_state=0)
    for _ in range(200):
        p, gradient = model.vjp(data, theta, lambda p: -target / (20 * np.maximum(p, 1e-6)))
        theta = theta - 0.1 * gradient
    assert np.mean(p.argmax(axis=1) == labels) == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((4, 4)), r"of shape \(n_samples, m, m\); got shape \(4, 4\)"),
        (np.ones((1, 4, 5)), r"got shape \(1, 4, 5\)"),
        (np.ones((0, 4, 4)), r"got shape \(0, 4, 4\)"),
        (1j * np.ones((1, 4, 4)), r"must be real .* dtype complex128"),
        (np.full((1, 2, 2), "a"), "must be real .* dtype <U1"),
        (np.full((1, 2, 2), np.inf), "matrices must be finite; got NaN or infinity"),
    ],
    ids=["two", "not square", "empty", "complex", "text", "infinite"],
)
def test_bad_matrices_are_refused(given: NDArray[np.generic], message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        HamiltonianEmbedding().embed(given)


@pytest.mark.parametrize(
    ("settings", "dim", "message"),
    [
        ({"layers": 0}, 4, "layers must be an integer >= 1; got 0"),
        ({"layers": True}, 4, "layers must be an integer >= 1; got True"),
        ({"time": np.nan}, 4, "time must be a finite number; got nan"),
        ({"time": "1"}, 4, "time must be a finite number; got '1'"),
        ({"trainable_time": 1}, 4, "trainable_time must be True or False; got 1"),
        ({}, 6, "dim must be a power of 2, at least 4; got 6"),
        ({}, 2, "dim must be a power of 2, at least 4; got 2"),
        ({}, 4.0, r"dim must be a power of 2, at least 4; got 4\.0"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings: dict[str, object], dim: int, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        HamiltonianEmbedding(**settings).num_parameters(dim)


@pytest.mark.parametrize("theta", [np.zeros(15), np.full(16, np.nan), np.zeros((1, 16))], ids=["short", "nan", "2-d"])
def test_a_bad_theta_is_refused(theta: Real) -> None:
    model = HamiltonianEmbedding(layers=1)
    with pytest.raises(InvalidParameterError, match=r"theta must hold 16 finite numbers; got shape"):
        model.probabilities(model.embed(matrices(1, 4)), theta)


def test_a_cotangent_of_another_shape_is_refused() -> None:
    model = HamiltonianEmbedding(layers=1)
    with pytest.raises(InvalidParameterError, match=r"cotangent must have the shape \(2, 4\) .* got \(4, 2\)"):
        model.vjp(model.embed(matrices(2, 4)), np.zeros(16), np.zeros((4, 2)))
