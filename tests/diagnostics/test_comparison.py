"""Shared folds and the corrected interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.diagnostics import FoldScores, PairedInterval, compare_models, corrected_interval

IRIS = load_iris(return_X_y=True)


def fold_scores(seed: int, folds: int, ratio: float = 0.25) -> FoldScores:
    return FoldScores(tuple(np.random.default_rng(seed).uniform(0.8, 1.0, folds)), 1.0, ratio)


@pytest.mark.parametrize("folds", [2, 5, 10, 30])
@pytest.mark.parametrize("ratio", [1 / 9, 0.25, 1.0])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_interval_is_the_paired_t_interval_with_the_corrected_variance(
    folds: int, ratio: float, confidence: float
) -> None:
    a, b = fold_scores(1, folds, ratio), fold_scores(2, folds, ratio)
    interval = corrected_interval(a, b, confidence=confidence)
    # SciPy's interval has variance s²/J; Nadeau and Bengio put (1/J + n_test/n_train) s² in its place.
    plain = ttest_rel(a.scores, b.scores).confidence_interval(confidence)
    widening = np.sqrt((1 / folds + ratio) * folds)
    middle = np.mean(a.scores) - np.mean(b.scores)
    assert interval.difference == pytest.approx(middle)
    assert interval.low == pytest.approx(middle + widening * (plain.low - middle))
    assert interval.high == pytest.approx(middle + widening * (plain.high - middle))
    assert interval.degrees_of_freedom == folds - 1
    assert interval.confidence == confidence


def test_interval_by_hand() -> None:
    # d = (1, 3) points: mean 2, s² = 2, variance (1/2 + 1/4)·2 = 1.5, t_{0.975, 1} = 12.7062 (any table).
    interval = corrected_interval(FoldScores((0.51, 0.53), 1.0, 0.25), FoldScores((0.5, 0.5), 1.0, 0.25))
    assert interval.standard_error == pytest.approx(0.01 * np.sqrt(1.5))
    assert interval.high - interval.difference == pytest.approx(12.7062 * 0.01 * np.sqrt(1.5), rel=1e-5)
    assert str(interval) == "+2.0 points [-13.6, +17.6] at 95%"


def test_no_negative_zero_is_shown() -> None:
    assert PairedInterval(-1e-6, -0.02, 0.02, 0.01, 0.95, 9).points() == "+0.0 [-2.0, +2.0]"


@pytest.mark.parametrize("shift", [0.0, -0.1], ids=["equal scores", "equal differences"])
def test_folds_that_are_alike_give_no_interval(shift: float) -> None:
    b = FoldScores((0.9, 0.8, 0.7), 1.0, 0.5)
    interval = corrected_interval(FoldScores(tuple(score + shift for score in b.scores), 1.0, 0.5), b)
    assert not interval.is_known
    assert (interval.low, interval.high, interval.standard_error) == (-np.inf, np.inf, 0.0)
    assert interval.difference == pytest.approx(shift)
    assert str(interval) == f"{100 * shift:+.1f} points [folds alike]"


def test_folds_that_differ_give_an_interval() -> None:
    assert corrected_interval(fold_scores(1, 5), fold_scores(2, 5)).is_known


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (fold_scores(1, 5), fold_scores(2, 4), "got 5 and 4 folds"),
        (fold_scores(1, 1), fold_scores(2, 1), "got 1 and 1 folds"),
        (fold_scores(1, 5, 0.25), fold_scores(2, 5, 0.5), "ratios 0.25 and 0.5"),
    ],
    ids=["other folds", "one fold", "other sizes"],
)
def test_unpaired_scores_are_refused(a: FoldScores, b: FoldScores, words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        corrected_interval(a, b)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_confidence_out_of_range(confidence: float) -> None:
    with pytest.raises(InvalidParameterError, match=rf"confidence must lie in \(0, 1\); got {confidence}"):
        corrected_interval(fold_scores(1, 5), fold_scores(2, 5), confidence=confidence)


def test_all_models_see_the_same_folds_and_match_a_plain_loop() -> None:
    X, y = IRIS
    models = {"svc": SVC(C=0.3), "neighbours": KNeighborsClassifier(3)}
    got = compare_models(models, X, y, n_splits=3, n_repeats=2, random_state=7)
    splits = list(RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=7).split(X, y))
    for name, model in models.items():
        want = [model.fit(X[train], y[train]).score(X[test], y[test]) for train, test in splits]
        assert got[name].scores == pytest.approx(want)
        assert got[name].mean == pytest.approx(np.mean(want))
        assert got[name].std == pytest.approx(np.std(want, ddof=1))
        assert got[name].test_train_ratio == pytest.approx(0.5)


def test_a_search_is_nested_and_reported_fold_by_fold() -> None:
    calls: list[tuple[str, int, float, float]] = []

    def note(name: str, fold: int, estimator: BaseEstimator, score: float) -> None:
        calls.append((name, fold, estimator.best_params_["C"], score))

    search = GridSearchCV(SVC(), {"C": [1e-3, 1.0]}, cv=3)
    got = compare_models({"svc": search}, *IRIS, n_splits=4, n_repeats=1, on_fold=note)
    assert [call[:3] for call in calls] == [("svc", fold, 1.0) for fold in range(4)]
    assert tuple(call[3] for call in calls) == got["svc"].scores
    assert not hasattr(search, "best_params_")  # the caller's model is cloned, never fitted


@pytest.mark.slow
def test_processes_give_the_same_scores_in_the_same_order() -> None:
    order: list[int] = []
    models = {"svc": SVC()}
    shared = compare_models(models, *IRIS, n_splits=3, n_jobs=2, on_fold=lambda *call: order.append(call[1]))
    assert shared["svc"].scores == compare_models(models, *IRIS, n_splits=3)["svc"].scores
    assert order == list(range(6))


def test_regressors_are_scored_by_r2_on_shuffled_folds() -> None:
    X, y = load_diabetes(return_X_y=True)
    got = compare_models({"ridge": Ridge(), "mean": DummyRegressor()}, X, y, n_repeats=1)
    assert got["ridge"].mean > 0.3
    assert got["mean"].mean < 0.0


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"n_splits": 1}, "n_splits must be an integer of at least 2; got 1"),
        ({"n_splits": 2.5}, "n_splits must be an integer of at least 2; got 2.5"),
        ({"n_repeats": 0}, "n_repeats must be an integer of at least 1; got 0"),
        ({"random_state": -1}, "random_state must be an integer of at least 0; got -1"),
        ({"random_state": None}, "random_state must be an integer of at least 0; got None"),
    ],
    ids=str,
)
def test_bad_numbers(keywords: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidParameterError, match=words):
        compare_models({"dummy": DummyClassifier()}, *IRIS, **keywords)


@pytest.mark.parametrize(
    ("models", "words"),
    [({}, "got no model"), ({"a": SVC(), "b": Ridge()}, "got a mixture")],
    ids=["none", "mixture"],
)
def test_bad_models(models: dict[str, BaseEstimator], words: str) -> None:
    with pytest.raises(InvalidParameterError, match=words):
        compare_models(models, *IRIS)


def test_a_class_too_small_to_stratify() -> None:
    X, y = IRIS
    keep = np.r_[0:60, 100:104]
    with pytest.raises(InvalidDataError, match=r"class 2 of y has 4 row\(s\); n_splits=5 needs at least 5"):
        compare_models({"dummy": DummyClassifier()}, X[keep], y[keep])


def test_folds_without_a_score_are_not_called_alike() -> None:
    scores = FoldScores((0.9, float("nan"), 0.8), 1.0, 0.5)
    interval = corrected_interval(scores, FoldScores((0.7, 0.8, 0.9), 1.0, 0.5))
    assert "alike" not in str(interval)
    assert "nan" in str(interval)
