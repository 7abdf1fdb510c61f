"""Repeated cross-validation on shared folds, and the corrected interval of a paired difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isinf, sqrt
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, cross_validate
from sklearn.utils.parallel import Parallel, delayed

from qkernels._errors import InvalidDataError, InvalidParameterError

_ROUNDING = 1e-12
"""Differences of scores that are closer than this, by their size, are equal but for rounding."""

FoldCallback = Callable[[str, int, BaseEstimator, float], None]


@dataclass(frozen=True, slots=True)
class FoldScores:
    """Scores of one model in a repeated cross-validation.

    Attributes
    ----------
    scores : tuple of float, length n_repeats · n_splits
        What ``estimator.score`` gave on the held-out part of each fold (accuracy for classifiers, R² for
        regressors).
    seconds : float
        Wall times of all fits and scores, added up.
    test_train_ratio : float
        Rows held out per row trained on, n_test/n_train; 1/(n_splits − 1) but for rounding.
    """

    scores: tuple[float, ...]
    seconds: float
    test_train_ratio: float

    @property
    def mean(self) -> float:
        """Mean score."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """Standard deviation over folds (not a standard error: folds share their training rows)."""
        return float(np.std(self.scores, ddof=1))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.std:.3f} over {len(self.scores)} folds, {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class PairedInterval:
    """Confidence interval of the difference of two models' scores.

    Attributes
    ----------
    difference : float
        Mean of score − baseline.
    low, high : float
        Ends of the interval; infinite where the difference is the same in all folds, see `is_known`.
    standard_error : float
        Corrected for the overlap of training sets.
    confidence : float
        E.g. 0.95.
    degrees_of_freedom : int
        Number of folds − 1.
    """

    difference: float
    low: float
    high: float
    standard_error: float
    confidence: float
    degrees_of_freedom: int

    @property
    def is_known(self) -> bool:
        """Whether folds differ, so that an interval can be told; few rows or two constant answers make them alike."""
        return not isinf(self.low)

    def __str__(self) -> str:
        return self.points(" points") + (f" at {self.confidence:.0%}" if self.is_known else "")

    def points(self, unit: str = "") -> str:
        """The interval in points (hundredths), as ``+0.4 [-2.3, +3.2]``, or ``+0.0 [folds alike]``.

        Parameters
        ----------
        unit : str, default=""
            Written after the difference.

        Returns
        -------
        str
        """
        # "+ 0.0" turns a rounded -0.0 into 0.0.
        middle, low, high = (round(100 * value, 1) + 0.0 for value in (self.difference, self.low, self.high))
        ends = f"{low:+.1f}, {high:+.1f}" if self.is_known else "folds alike"
        return f"{middle:+.1f}{unit} [{ends}]"


def compare_models(
    models: Mapping[str, BaseEstimator],
    X: ArrayLike,
    y: ArrayLike,
    *,
    n_splits: int = 5,
    n_repeats: int = 2,
    random_state: int = 0,
    n_jobs: int | None = None,
    on_fold: FoldCallback | None = None,
) -> dict[str, FoldScores]:
    """Score several models by repeated cross-validation, all on the same folds.

    Nested cross-validation is this with models that search their own parameters, e.g. `GridSearchCV` around a
    pipeline: all that is learned (scaling, PCA, parameters) is then learned inside each training fold.

    Parameters
    ----------
    models : mapping from str to estimator
        All classifiers (folds are stratified), or all regressors. They are cloned for each fold.
    X : array-like of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,)
        Labels or targets.
    n_splits : int, default=5
        Folds per repeat, at least 2.
    n_repeats : int, default=2
        Repeats, each with another shuffle, at least 1.
    random_state : int, default=0
        Seed of the shuffles; folds are the same for all models.
    n_jobs : int, optional
        Processes that share the fits, as in scikit-learn; results do not depend on it.
    on_fold : callable, optional
        Called here after each fold, in order, as ``on_fold(name, fold, fitted_estimator, score)``.

    Returns
    -------
    dict from str to FoldScores

    Raises
    ------
    InvalidParameterError
        If `models` is empty or mixes classifiers and regressors, or `n_splits`, `n_repeats` or `random_state`
        is not an integer in range.
    InvalidDataError
        If a class has fewer rows than `n_splits`.

    Notes
    -----
    Cost: n_repeats · n_splits fits of each model.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.svm import SVC
    >>> from qkernels.diagnostics import compare_models, corrected_interval
    >>> scores = compare_models({"svc": SVC(), "dummy": DummyClassifier()}, *load_iris(return_X_y=True))
    >>> print(f"{scores['svc'].mean:.2f} {scores['dummy'].mean:.2f}")
    0.96 0.33
    >>> corrected_interval(scores["svc"], scores["dummy"]).low > 0.5
    True
    """
    classify = _check_models(models)
    for name, value, minimum in (
        ("n_splits", n_splits, 2),
        ("n_repeats", n_repeats, 1),
        ("random_state", random_state, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise InvalidParameterError(
                f"compare_models: {name} must be an integer of at least {minimum}; got {value!r}."
            )
    folds = (RepeatedStratifiedKFold if classify else RepeatedKFold)(
        n_splits=n_splits, n_repeats=n_repeats, random_state=random_state
    )
    if classify:
        labels, counts = np.unique(np.asarray(y), return_counts=True)
        if counts.min() < n_splits:
            raise InvalidDataError(
                f"compare_models: class {labels[counts.argmin()]!s} of y has {counts.min()} row(s); "
                f"n_splits={n_splits} needs at least {n_splits} of each. Lower n_splits or merge classes."
            )
    splits = list(folds.split(np.zeros(len(np.asarray(y))), y))
    ratio = float(np.mean([len(test) / len(train) for train, test in splits]))
    tasks = [(name, fold) for name in models for fold in range(len(splits))]
    runs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(cross_validate)(
            models[name], X, y, cv=[splits[fold]], return_estimator=True, error_score="raise", n_jobs=1
        )
        for name, fold in tasks
    )
    scores: dict[str, list[float]] = {name: [] for name in models}
    seconds = dict.fromkeys(models, 0.0)
    for (name, fold), run in zip(tasks, runs, strict=True):
        scores[name].append(float(run["test_score"][0]))
        seconds[name] += float(run["fit_time"][0] + run["score_time"][0])
        if on_fold is not None:
            on_fold(name, fold, run["estimator"][0], scores[name][-1])
    return {name: FoldScores(tuple(scores[name]), seconds[name], ratio) for name in models}


def corrected_interval(scores: FoldScores, baseline: FoldScores, *, confidence: float = 0.95) -> PairedInterval:
    r"""Return the Nadeau–Bengio corrected paired t interval of a difference of scores.

    Parameters
    ----------
    scores, baseline : FoldScores
        Of two models on the same folds, from one call of `compare_models`.
    confidence : float in (0, 1), default=0.95
        Two-sided level.

    Returns
    -------
    PairedInterval

    Raises
    ------
    InvalidDataError
        If the two do not hold the same number of folds (at least 2) of the same sizes.
    InvalidParameterError
        If `confidence` is not in (0, 1).

    Notes
    -----
    With J differences :math:`d_j` of sample variance :math:`s^2`, the interval is :math:`\bar d \pm
    t_{J-1}\,\sqrt{(1/J + n_\text{test}/n_\text{train})\, s^2}`. The second term makes up for training sets
    that overlap, which the plain t interval takes for independent: it is then too narrow, and more so with
    more repeats.

    Where all :math:`d_j` are equal, :math:`s^2 = 0` says nothing about other folds: a handful of test rows, or two
    models that answer one class, give it as well as two equal models. The ends are then infinite.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 239-281 (2003).
    Bouckaert and Frank, "Evaluating the replicability of significance tests for comparing learning
    algorithms", PAKDD 2004 (repeated k-fold).

    Examples
    --------
    >>> from qkernels.diagnostics import FoldScores, corrected_interval
    >>> ours = FoldScores((0.93, 0.97, 0.95, 0.96, 0.94), 1.0, 0.25)
    >>> rbf = FoldScores((0.94, 0.97, 0.97, 0.96, 0.96), 1.0, 0.25)
    >>> print(corrected_interval(ours, rbf))
    -1.0 points [-2.9, +0.9] at 95%
    """
    a, b = np.asarray(scores.scores), np.asarray(baseline.scores)
    if len(a) != len(b) or len(a) < 2 or not np.isclose(scores.test_train_ratio, baseline.test_train_ratio):
        raise InvalidDataError(
            "corrected_interval needs the scores of two models on the same folds, at least 2; got "
            f"{len(a)} and {len(b)} folds with test/train ratios {scores.test_train_ratio:.3g} and "
            f"{baseline.test_train_ratio:.3g}."
        )
    if not 0.0 < confidence < 1.0:
        raise InvalidParameterError(f"corrected_interval: confidence must lie in (0, 1); got {confidence!r}.")
    differences = a - b
    mean, freedom = float(differences.mean()), len(a) - 1
    error = sqrt((1.0 / len(a) + scores.test_train_ratio) * float(differences.var(ddof=1)))
    half = float(student_t.ppf(0.5 + confidence / 2.0, freedom)) * error
    if np.ptp(differences) <= _ROUNDING * max(1.0, float(np.abs(a).max()), float(np.abs(b).max())):
        error, half = 0.0, inf
    return PairedInterval(mean, mean - half, mean + half, error, confidence, freedom)


def _check_models(models: Mapping[str, BaseEstimator]) -> bool:
    """Whether the models are classifiers."""
    kinds = {bool(is_classifier(model)) for model in models.values()}
    if len(kinds) != 1:
        problem = "a mixture of classifiers and other estimators" if kinds else "no model"
        raise InvalidParameterError(
            f"compare_models: models must hold classifiers only or regressors only; got {problem}."
        )
    return kinds.pop()
