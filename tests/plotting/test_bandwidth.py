"""Score against bandwidth."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import FidelityKernel, QuantumKernelSVC, SeparableMap
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.plotting import BandwidthDisplay, bandwidth_figure

X, Y = load_iris(return_X_y=True)
X, Y = X[::5], Y[::5]


class GaussianSVC(ClassifierMixin, BaseEstimator):
    """A fast classifier with a bandwidth: an RBF machine of gamma = bandwidth²."""

    def __init__(self, bandwidth: float = 1.0, C: float = 1.0) -> None:
        self.bandwidth = bandwidth
        self.C = C

    def fit(self, X: np.ndarray, y: np.ndarray) -> GaussianSVC:
        self.machine_ = SVC(gamma=self.bandwidth**2, C=self.C).fit(X, y)
        self.classes_ = self.machine_.classes_
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.machine_.predict(X)


def test_from_estimator_is_cross_validation_at_each_bandwidth() -> None:
    display = BandwidthDisplay.from_estimator(GaussianSVC(), X, Y, bandwidths=[3.0, 0.1], cv=3)
    assert display.bandwidths.tolist() == [0.1, 3.0]  # sorted
    for value, mean, std in zip(display.bandwidths, display.mean, display.std, strict=True):
        scores = cross_val_score(GaussianSVC(value), X, Y, cv=3)
        assert (mean, std) == pytest.approx((scores.mean(), scores.std()))
    assert display.name == "GaussianSVC"


@pytest.mark.parametrize(
    "estimator",
    [
        QuantumKernelSVC(),
        QuantumKernelSVC(FidelityKernel(SeparableMap())),
        make_pipeline(StandardScaler(), QuantumKernelSVC()),
    ],
    ids=["default kernel", "own kernel", "pipeline"],
)
def test_the_bandwidth_of_our_estimators_is_found(estimator: BaseEstimator) -> None:
    display = BandwidthDisplay.from_estimator(estimator, X[:, :2], Y, bandwidths=[0.2, 8.0], cv=2)
    assert display.mean.shape == (2,)
    assert display.name == "QuantumKernelSVC"


def test_without_a_bandwidth_the_candidates_are_named() -> None:
    with pytest.raises(InvalidParameterError, match=r"param_name must be given for SVC; it has 0 .* got None"):
        BandwidthDisplay.from_estimator(SVC(), X, Y, bandwidths=[1.0])
    two = make_pipeline(FidelityKernel(bandwidth=1.0), GaussianSVC())
    with pytest.raises(InvalidParameterError, match="fidelitykernel__bandwidth, gaussiansvc__bandwidth"):
        BandwidthDisplay.from_estimator(two, X, Y, bandwidths=[1.0])


def fitted_search(seed: int = 0) -> GridSearchCV:
    rows = np.random.default_rng(seed).permutation(len(X))
    grid = {"bandwidth": [0.01, 0.3, 10.0], "C": [0.01, 1.0, 100.0]}
    return GridSearchCV(GaussianSVC(), grid, cv=3).fit(X[rows], Y[rows])


def test_from_search_takes_the_best_of_the_other_parameters() -> None:
    search = fitted_search()
    display = BandwidthDisplay.from_search(search, name="RBF")
    for value, mean in zip(display.bandwidths, display.mean, strict=True):
        at_value = [
            score
            for candidate, score in zip(
                search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
            )
            if candidate["bandwidth"] == value
        ]
        assert len(at_value) == 3
        assert mean == max(at_value)
    assert display.mean.max() == search.best_score_


def test_from_several_searches_is_their_mean_and_spread() -> None:
    searches = [fitted_search(seed) for seed in range(3)]
    single = np.array([BandwidthDisplay.from_search(search).mean for search in searches])
    display = BandwidthDisplay.from_search(searches)
    assert display.mean == pytest.approx(single.mean(axis=0))
    assert display.std == pytest.approx(single.std(axis=0, ddof=1))


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ([], "must hold a fitted search; got none"),
        (GridSearchCV(GaussianSVC(), {"bandwidth": [1.0]}), "search is not fitted"),
        (GridSearchCV(SVC(), {"C": [1.0]}, cv=2).fit(X, Y), r"whose name ends in 'bandwidth'; got \['C'\]"),
        (
            [fitted_search(), GridSearchCV(GaussianSVC(), {"bandwidth": [1.0]}, cv=2).fit(X, Y)],
            r"the same bandwidths; got \[\[0.01, 0.3, 10.0\], \[1.0\]\]",
        ),
    ],
    ids=["none", "not fitted", "no bandwidth", "different ones"],
)
def test_bad_search(search: GridSearchCV | list[GridSearchCV], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        BandwidthDisplay.from_search(search)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.1, 1.0], [0.5]), r"vectors of one length; got shapes \[\(2,\), \(1,\)\]"),
        (([], []), "vectors of one length"),
        (([0.0, 1.0], [0.5, 0.5]), "bandwidths must be positive; got 0"),
        (([0.1], [0.5], [0.1, 0.2]), "vectors of one length"),
    ],
    ids=["lengths", "empty", "zero", "std"],
)
def test_bad_numbers(arguments: tuple[list[float], ...], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        BandwidthDisplay(*arguments)


def test_plot_draws_the_curve_with_its_band() -> None:
    ax = Figure().subplots()
    display = BandwidthDisplay([1.0, 0.1], [0.6, 0.9], [0.1, 0.02], name="ZZ").plot(ax=ax, color="red")
    assert display.ax_ is ax
    assert display.line_.get_xydata().tolist() == [[0.1, 0.9], [1.0, 0.6]]
    assert display.line_.get_color() == "red"
    band = ax.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((0.5, 0.92))
    assert ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ZZ"]


def test_plot_without_axes_makes_a_figure() -> None:
    import matplotlib.pyplot as plt

    display = BandwidthDisplay([1.0], [0.6]).plot()
    assert display.figure_.number in plt.get_fignums()
    plt.close(display.figure_)


def test_plot_on_something_else() -> None:
    with pytest.raises(InvalidParameterError, match="ax must be a matplotlib Axes or None; got 'here'"):
        BandwidthDisplay([1.0], [0.6]).plot(ax="here")


def test_figure_of_several_curves_and_references() -> None:
    curves = [BandwidthDisplay([0.1, 1.0], [0.9, 0.6], name=name) for name in "abc"]
    figure = bandwidth_figure(curves, references={"RBF": 0.95}, title="table")
    [ax] = figure.axes
    assert len({line.get_color() for line in ax.get_lines()}) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c", "RBF"]
    assert ax.get_legend() is None
    assert ax.get_title() == "table"


def test_figure_of_nothing() -> None:
    with pytest.raises(InvalidDataError, match="at least one BandwidthDisplay; got none"):
        bandwidth_figure([])
