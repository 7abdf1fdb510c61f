"""Attacks on inputs: against models whose worst case is known in closed form."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pandas import DataFrame
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from qkernels import VQC
from qkernels._errors import ExecutionError, InvalidDataError, InvalidParameterError
from qkernels.diagnostics import adversarial_fit, fgsm_attack, pgd_attack

Values = NDArray[np.float64]

WEIGHTS = np.array([2.0, -0.5, 0.0])


class Linear:
    """Loss −y·(w·x): its maximum in the ball of radius ε is at x − ε·y·sign(w)."""

    def input_gradient(self, X: Values, y: Values) -> Values:
        return -np.asarray(y)[:, None] * WEIGHTS


class Distance:
    """Loss (x − y)², whose gradient changes sign inside the ball of a point close to y."""

    calls = 0

    def input_gradient(self, X: Values, y: Values) -> Values:
        self.calls += 1
        return 2.0 * (X - np.asarray(y)[:, None])


class Recorder(BaseEstimator):  # type: ignore[misc]
    """Notes what it is fitted on; the gradient is 1 everywhere."""

    def __init__(self, warm_start: bool = False, max_iter: int = 77) -> None:
        self.warm_start = warm_start
        self.max_iter = max_iter

    def fit(self, X: Values, y: Values) -> Recorder:
        warnings.warn("not there yet", ConvergenceWarning, stacklevel=2)
        log = self.log_ if hasattr(self, "log_") else []
        self.log_: list[tuple[bool, int, Values, Values]] = [*log, (self.warm_start, self.max_iter, X, y)]
        return self

    def input_gradient(self, X: Values, y: Values) -> Values:
        return np.ones_like(X)


class PartialRecorder(Recorder):
    """The same with `partial_fit`."""

    def partial_fit(self, X: Values, y: Values) -> PartialRecorder:
        self.log_.append((self.warm_start, self.max_iter, X, y))
        self.partial_fits_ = getattr(self, "partial_fits_", 0) + 1
        return self


@pytest.fixture
def rows() -> Values:
    return np.random.default_rng(0).normal(size=(6, 3))


@pytest.fixture
def signs() -> Values:
    return np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])


# One step ---------------------------------------------------------------------------------------------------------


def test_fgsm_of_a_linear_model_is_its_worst_case(rows: Values, signs: Values) -> None:
    found = fgsm_attack(Linear(), rows, signs, 0.3)
    np.testing.assert_array_equal(found, rows - 0.3 * signs[:, None] * np.sign(WEIGHTS))


def test_epsilon_for_each_feature(rows: Values, signs: Values) -> None:
    reach = np.array([0.1, 0.4, 9.0])
    found = fgsm_attack(Linear(), rows, signs, reach)
    np.testing.assert_allclose(found - rows, -signs[:, None] * [0.1, -0.4, 0.0], atol=1e-15)


def test_given_rows_stay_as_they_are(rows: Values, signs: Values) -> None:
    before = rows.copy()
    fgsm_attack(Linear(), rows, signs, 0.3)
    pgd_attack(Linear(), rows, signs, 0.3, random_state=0)
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("attack", [fgsm_attack, pgd_attack])
def test_clip_keeps_the_range(attack: Any, signs: Values) -> None:
    rows = np.random.default_rng(1).uniform(size=(6, 3))
    found = attack(Linear(), rows, signs, 0.5, clip=(0.0, 1.0))
    np.testing.assert_allclose(found[:, :2], (rows - 0.5 * signs[:, None] * np.sign(WEIGHTS)).clip(0, 1)[:, :2])
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_clip_may_be_an_array() -> None:
    found = fgsm_attack(Linear(), [[0.2, 0.9, 0.5]], [1], 0.5, clip=np.array([0, 1]))
    np.testing.assert_allclose(found, [[0.0, 1.0, 0.5]])


@pytest.mark.parametrize("attack", [fgsm_attack, pgd_attack])
def test_radius_zero_changes_nothing(attack: Any, rows: Values, signs: Values) -> None:
    np.testing.assert_array_equal(attack(Linear(), rows, signs, 0.0), rows)


# Several steps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_pgd_of_a_linear_model_is_its_worst_case(rows: Values, signs: Values, seed: int) -> None:
    found = pgd_attack(Linear(), rows, signs, 0.3, random_state=seed)
    np.testing.assert_allclose(found[:, :2], (rows - 0.3 * signs[:, None] * np.sign(WEIGHTS))[:, :2], rtol=1e-15)


def test_pgd_leaves_features_without_gradient_where_they_started(rows: Values, signs: Values) -> None:
    found = pgd_attack(Linear(), rows, signs, 0.3, random_state=0)
    start = np.random.RandomState(0).uniform(-1, 1, rows.shape)
    np.testing.assert_allclose(found[:, 2], rows[:, 2] + 0.3 * start[:, 2], rtol=1e-15)


def test_one_full_step_without_random_start_is_fgsm(rows: Values) -> None:
    y = np.zeros(6)
    one = pgd_attack(Distance(), rows, y, 0.3, steps=1, step_size=1.0, random_start=False)
    np.testing.assert_array_equal(one, fgsm_attack(Distance(), rows, y, 0.3))


def test_gradient_is_taken_anew_at_every_step() -> None:
    # From 0 towards the farther end: the sign at 0.05 is +, and every step confirms it, up to the edge of the ball.
    model = Distance()
    found = pgd_attack(model, [[0.05]], [0.0], 0.2, steps=4, random_start=False)
    assert model.calls == 4
    np.testing.assert_allclose(found, [[0.25]])


def test_default_steps_add_up_to_two_and_a_half_radii() -> None:
    # Not yet at the edge after 1 of 10 steps of 0.25 ε: seen where the gradient ends.
    class Once(Distance):
        def input_gradient(self, X: Values, y: Values) -> Values:
            return super().input_gradient(X, y) if self.calls == 0 else np.zeros_like(X) * (self.calls + 1)

    found = pgd_attack(Once(), [[1.0]], [0.0], 0.4, steps=10, random_start=False)
    np.testing.assert_allclose(found, [[1.0 + 0.4 * 0.25]])


def test_random_start_depends_on_the_seed_only(rows: Values) -> None:
    y = rows.mean(axis=1)  # some starts lie on either side of the target: the result remembers the start
    first, again, other = (pgd_attack(Distance(), rows, y, 3.0, random_state=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_attacked_rows_stay_in_the_ball(rows: Values) -> None:
    found = pgd_attack(Distance(), rows, np.zeros(6), 0.3, steps=7, step_size=0.9, random_state=2)
    assert np.abs(found - rows).max() <= 0.3 * (1 + 1e-12)


# Training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Recorder(), PartialRecorder()], ids=["fit", "partial_fit"])
@pytest.mark.filterwarnings("ignore:not there yet")
def test_rounds_are_short_and_see_fresh_attacks(model: Recorder, rows: Values, signs: Values) -> None:
    fitted = adversarial_fit(model, rows, signs, 0.3, rounds=2, iterations=4, attack="fgsm")
    assert not hasattr(model, "log_")
    assert [(warm, most, len(X)) for warm, most, X, _ in fitted.log_] == [(False, 77, 6), (True, 4, 12), (True, 4, 12)]
    for _, _, X, y in fitted.log_[1:]:
        np.testing.assert_array_equal(X, np.vstack([rows, rows + 0.3]))
        np.testing.assert_array_equal(y, np.concatenate([signs, signs]))
    assert getattr(fitted, "partial_fits_", 0) == 2 * isinstance(model, PartialRecorder)
    assert fitted.get_params() == model.get_params()


@pytest.mark.filterwarnings("ignore:not there yet")
def test_iterations_none_leaves_max_iter(rows: Values, signs: Values) -> None:
    fitted = adversarial_fit(Recorder(), rows, signs, 0.3, rounds=1, iterations=None)
    assert [most for _, most, _, _ in fitted.log_] == [77, 77]


def test_warning_of_the_first_fit_is_not_silenced(rows: Values, signs: Values) -> None:
    with pytest.warns(ConvergenceWarning, match="not there yet") as caught:
        adversarial_fit(Recorder(), rows, signs, 0.3, rounds=3)
    assert len(caught) == 1


@pytest.mark.filterwarnings("ignore:not there yet")
def test_random_starts_differ_between_rounds_and_follow_the_seed(rows: Values, signs: Values) -> None:
    class Flat(Recorder):
        def input_gradient(self, X: Values, y: Values) -> Values:
            return np.zeros_like(X)

    def attacked(seed: int) -> list[Values]:
        fitted = adversarial_fit(Flat(), rows, signs, 0.3, rounds=2, random_state=seed)
        return [X[6:] for _, _, X, _ in fitted.log_[1:]]

    first, again = attacked(0), attacked(0)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).all()


class Line(LogisticRegression):  # type: ignore[misc]
    def input_gradient(self, X: Values, y: Values) -> Values:
        found: Values = (self.predict_proba(X)[:, 1] - y)[:, None] * self.coef_
        return found


def test_hardened_line_leans_on_the_feature_that_an_attack_cannot_turn() -> None:
    # The robust error of a line grows by ε·Σ|w|: 20 features of margin 0.25 < ε = 0.5 are worth nothing, one is.
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    X = rng.normal(size=(400, 21)) + 0.5 * y[:, None]
    X[:, 0] += 3.5 * y
    usual = Line().fit(X, y)
    hardened = adversarial_fit(Line(), X, y, 0.5, rounds=50, iterations=1, random_state=0)
    weak = [np.abs(m.coef_[0, 1:]).sum() / abs(m.coef_[0, 0]) for m in (usual, hardened)]
    assert weak[1] < 0.6 * weak[0]
    attacked = [m.score(fgsm_attack(m, X, y, 0.5), y) for m in (usual, hardened)]
    assert attacked[1] > attacked[0] + 0.1


# A quantum model --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> tuple[VQC, Values, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    X = rng.normal(scale=0.5, size=(40, 2)) + np.where(y == 1, 1.0, -1.0)[:, None]
    return VQC(max_iter=30, tol=1e-2, random_state=0).fit(X, y), X, y


def loss(model: VQC, X: Values, y: NDArray[np.int64]) -> Values:
    """Cross-entropy from what the model predicts."""
    return -np.log(model.predict_proba(X)[np.arange(len(y)), y])


def test_attacks_raise_the_loss_of_a_circuit(trained: tuple[VQC, Values, NDArray[np.int64]]) -> None:
    model, X, y = trained
    before, one, many = (
        loss(model, rows, y).mean()
        for rows in (X, fgsm_attack(model, X, y, 0.3), pgd_attack(model, X, y, 0.3, random_state=0))
    )
    assert before < one
    assert before < many
    assert many > one - 0.01


def test_fgsm_of_a_circuit_follows_central_differences(trained: tuple[VQC, Values, NDArray[np.int64]]) -> None:
    model, X, y = trained
    step = 1e-5
    slopes = np.column_stack([(loss(model, X + s, y) - loss(model, X - s, y)) / (2 * step) for s in step * np.eye(2)])
    clear = np.abs(slopes) > 1e-6
    assert clear.mean() > 0.9
    moved = np.sign(fgsm_attack(model, X, y, 0.1) - X)
    np.testing.assert_array_equal(moved[clear], np.sign(slopes)[clear])


def test_adversarial_fit_of_a_circuit_keeps_its_parameters(trained: tuple[VQC, Values, NDArray[np.int64]]) -> None:
    model, X, y = trained
    hardened = adversarial_fit(model, X, y, 0.3, rounds=2, steps=2, random_state=0)
    assert isinstance(hardened, VQC)
    assert hardened.max_iter == 30
    assert hardened.warm_start is False
    assert (hardened.theta_ != model.theta_).any()
    assert hardened.score(X, y) > 0.9


def test_a_model_of_named_columns_is_given_its_columns(trained: tuple[VQC, Values, NDArray[np.int64]]) -> None:
    """scikit-learn warns, and pytest fails here, where they are missing."""
    model, X, y = trained
    table = DataFrame(X, columns=["width", "height"])
    named = clone(model).fit(table, y)
    np.testing.assert_array_equal(fgsm_attack(named, table, y, 0.1), fgsm_attack(model, X, y, 0.1))
    attacked = pgd_attack(named, table, y, 0.1, steps=2, random_state=0)
    np.testing.assert_array_equal(attacked, pgd_attack(model, X, y, 0.1, steps=2, random_state=0))
    with pytest.raises(ValueError, match="feature names should match"):
        fgsm_attack(named, table[["height", "width"]], y, 0.1)


@pytest.mark.parametrize("attack", ["pgd", "fgsm"])
def test_adversarial_fit_keeps_the_names_of_columns(
    attack: Any, trained: tuple[VQC, Values, NDArray[np.int64]]
) -> None:
    model, X, y = trained
    table = DataFrame(X, columns=["width", "height"])
    hardened = adversarial_fit(model, table, y, 0.3, rounds=2, steps=2, attack=attack, random_state=0)
    assert hardened.feature_names_in_.tolist() == ["width", "height"]
    plain = adversarial_fit(model, X, y, 0.3, rounds=2, steps=2, attack=attack, random_state=0)
    np.testing.assert_array_equal(hardened.theta_, plain.theta_)


class Positional(Recorder):
    """Takes a DataFrame once, then only arrays: it has no ``feature_names_in_``."""

    def fit(self, X: Any, y: Values) -> Positional:
        super().fit(X, y)
        return self

    def partial_fit(self, X: Values, y: Values) -> Positional:
        assert X[:, 0].shape == y.shape
        self.num_parts_ = getattr(self, "num_parts_", 0) + 1
        return self

    def input_gradient(self, X: Values, y: Values) -> Values:
        assert X[:, 0].shape == y.shape
        return np.ones_like(X)


@pytest.mark.filterwarnings("ignore:not there yet")
def test_adversarial_fit_gives_arrays_to_models_that_know_no_names(rows: Values, signs: Values) -> None:
    table = DataFrame(rows, columns=["a", "b", "c"])
    hardened = adversarial_fit(Positional(), table, signs, 0.3, rounds=2, random_state=0)
    assert hardened.log_[0][2] is table
    assert hardened.num_parts_ == 2


# Bad input --------------------------------------------------------------------------------------------------------

CALLS = [fgsm_attack, pgd_attack, adversarial_fit]


def call(function: Any, X: object = ((0.0, 1.0),), y: object = (1,), epsilon: object = 0.1, **options: Any) -> None:
    model = options.pop("model", Recorder())
    function(model, X, y, epsilon, **options)


@pytest.mark.parametrize("function", CALLS)
def test_model_without_input_gradient(function: Any) -> None:
    with pytest.raises(InvalidParameterError, match=rf"{function.__name__}: model must .*input_gradient.*LogisticReg"):
        call(function, model=LogisticRegression())


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize(
    ("epsilon", "words"),
    [
        (-0.1, "got -0.1"),
        (np.nan, "got nan"),
        (np.inf, "got inf"),
        ("much", "got 'much'"),
        ([1, 2, 3], "each of the 2"),
    ],
    ids=str,
)
def test_bad_epsilon(function: Any, epsilon: object, words: str) -> None:
    with pytest.raises(InvalidParameterError, match=rf"{function.__name__}: epsilon must be a finite .*{words}"):
        call(function, epsilon=epsilon)


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize(
    "clip",
    [(1.0, 0.0), (1.0, 1.0), (0.0,), "01", 5.0, ("a", "b"), np.array([1, 0]), np.array(5.0), np.zeros((2, 2))],
    ids=str,
)
def test_bad_clip(function: Any, clip: object) -> None:
    with pytest.raises(InvalidParameterError, match=rf"{function.__name__}: clip must be None or a pair .*; got "):
        call(function, clip=clip)


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ([[0.0, np.nan]], [1], "X holds 1 NaN"),
        ([0.0, 1.0], [1, 1], r"shape \(n_samples, n_features\), none 0; got \(2,\)"),
        (np.empty((0, 2)), [], r"none 0; got \(0, 2\)"),
        ([["a", "b"]], [1], "X must hold numbers; got list"),
        ([[0.0, 1.0]], [1, 0], r"each of the 1 row\(s\) of X; got shape \(2,\)"),
    ],
    ids=["nan", "one dimension", "empty", "text", "y of other length"],
)
def test_bad_samples(function: Any, X: object, y: object, words: str) -> None:
    with pytest.raises(InvalidDataError, match=f"{function.__name__}: .*{words}"):
        call(function, X=X, y=y)


@pytest.mark.parametrize("function", CALLS)
def test_rows_outside_clip(function: Any) -> None:
    with pytest.raises(InvalidDataError, match=r"X must lie in clip=\(0, 1\); it runs from 0 to 7"):
        call(function, X=[[0.0, 7.0]], clip=(0.0, 1.0))


@pytest.mark.parametrize("function", [fgsm_attack, pgd_attack])
def test_gradient_of_another_shape(function: Any) -> None:
    class Wrong(Recorder):
        def input_gradient(self, X: Values, y: Values) -> Values:
            return X[:, :1]

    with pytest.raises(InvalidParameterError, match=r"the shape of X, \(1, 2\); got \(1, 1\)"):
        call(function, model=Wrong())


@pytest.mark.parametrize("function", [fgsm_attack, pgd_attack])
def test_gradient_that_is_not_finite(function: Any) -> None:
    class Broken(Recorder):
        def input_gradient(self, X: Values, y: Values) -> Values:
            return np.array([[np.nan, 1.0]])

    with pytest.raises(ExecutionError, match=f"{function.__name__}: input_gradient .* returned 1 NaN"):
        call(function, model=Broken())


@pytest.mark.parametrize(
    ("function", "name", "value", "rule"),
    [
        (pgd_attack, "steps", 0, "must be an integer >= 1; got 0"),
        (pgd_attack, "steps", True, "must be an integer >= 1; got True"),
        (pgd_attack, "step_size", 0.0, "must be None or a positive number; got 0.0"),
        (pgd_attack, "step_size", np.inf, "must be None or a positive number; got inf"),
        (pgd_attack, "random_start", "yes", "must be True or False; got 'yes'"),
        (adversarial_fit, "rounds", 0, "must be an integer >= 1; got 0"),
        (adversarial_fit, "iterations", 2.5, "must be an integer >= 1; got 2.5"),
        (adversarial_fit, "steps", -1, "must be an integer >= 1; got -1"),
        (adversarial_fit, "attack", "cw", "must be 'pgd' or 'fgsm'; got 'cw'"),
        (adversarial_fit, "model", Linear(), "must be an estimator with a fit method; got "),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_option(function: Any, name: str, value: object, rule: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"{function.__name__}: {name} {rule}"):
        call(function, **{name: value})
