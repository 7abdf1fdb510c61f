"""Score against the scale of noise."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import DensityMatrixEngine, FidelityKernel, QuantumKernelSVC, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import Engine, NoiseTable
from qkernels.plotting import NoiseScaleDisplay, noise_scale_figure

X, Y = load_iris(return_X_y=True)
X, Y = X[::5, :2], Y[::5]

DEPOLARIZING = np.diag([1.0, 0.9, 0.9, 0.9])
ENGINE = DensityMatrixEngine(
    NoiseTable(defaults={"h": DEPOLARIZING, "p": DEPOLARIZING}, ideal=["cx"], form="transfer"), shots=200, seed=0
)


def machine(engine: Engine = ENGINE) -> QuantumKernelSVC:
    return QuantumKernelSVC(FidelityKernel(ZZFeatureMap(reps=1), engine=engine))


def test_from_estimator_is_cross_validation_at_each_scale() -> None:
    estimator = machine()
    display = NoiseScaleDisplay.from_estimator(estimator, X, Y, scales=[3.0, 0.0], cv=3)
    assert display.scales.tolist() == [0.0, 3.0]  # sorted
    for scale, mean, std in zip(display.scales, display.mean, display.std, strict=True):
        scores = cross_val_score(machine(ENGINE.scaled(scale)), X, Y, cv=3)
        assert (mean, std) == pytest.approx((scores.mean(), scores.std()))
    assert display.name == "QuantumKernelSVC"
    assert estimator.kernel.engine is ENGINE  # the caller's estimator is cloned


def test_the_engine_of_a_pipeline_is_found() -> None:
    display = NoiseScaleDisplay.from_estimator(make_pipeline(StandardScaler(), machine()), X, Y, scales=[1.0], cv=2)
    assert display.name == "QuantumKernelSVC"
    named = NoiseScaleDisplay.from_estimator(
        make_pipeline(StandardScaler(), machine()),
        X,
        Y,
        scales=[1.0],
        param_name="quantumkernelsvc__kernel__engine",
        cv=2,
    )
    assert named.mean == display.mean


@pytest.mark.parametrize(
    ("estimator", "param_name", "words"),
    [
        (SVC(), None, r"an engine of SVC, .*; it has 0; got None\. Candidates: -\."),
        (QuantumKernelSVC(FidelityKernel()), None, "it has 0; got None"),  # its engine is None
        (
            make_pipeline(FidelityKernel(engine=ENGINE), machine()),
            None,
            "it has 2; got None. Candidates: fidelitykernel__engine, quantumkernelsvc__kernel__engine",
        ),
        (machine(), "kernel__bandwidth", "it has 1; got 'kernel__bandwidth'. Candidates: kernel__engine"),
        (machine(), "engine", "got 'engine'"),
    ],
    ids=["no engine", "default engine", "two engines", "another parameter", "no such parameter"],
)
def test_engines_that_cannot_be_found(estimator: BaseEstimator, param_name: str | None, words: str) -> None:
    with pytest.raises(InvalidParameterError, match=words):
        NoiseScaleDisplay.from_estimator(estimator, X, Y, param_name=param_name)


def test_an_engine_without_noise() -> None:
    with pytest.raises(UnsupportedCircuitError, match="StatevectorEngine has no noise table to scale"):
        NoiseScaleDisplay.from_estimator(machine(StatevectorEngine()), X, Y)


def test_scale_below_zero() -> None:
    with pytest.raises(InvalidParameterError, match="-1"):
        NoiseScaleDisplay.from_estimator(machine(), X, Y, scales=[-1.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.0, 1.0], [0.5]), r"scales, mean and std must be vectors of one length; got shapes \[\(2,\), \(1,\)\]"),
        (([], []), "vectors of one length"),
        (([0.0], [0.1], [0.1, 0.2]), "vectors of one length"),
        (([1.0, -0.5], [0.5, 0.5]), "scales must be finite and at least 0; got -0.5"),
        (([1.0, np.nan], [0.5, 0.5]), "scales must be finite and at least 0; got nan"),
    ],
    ids=["lengths", "empty", "std", "negative", "nan"],
)
def test_bad_numbers(arguments: tuple[list[float], ...], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        NoiseScaleDisplay(*arguments)


def test_plot_draws_the_curve_with_its_band() -> None:
    ax = Figure().subplots()
    display = NoiseScaleDisplay([2.0, 0.0], [0.6, 0.9], [0.1, 0.02], name="ZZ").plot(ax=ax, color="red")
    assert display.ax_ is ax
    assert display.line_.get_xydata().tolist() == [[0.0, 0.9], [2.0, 0.6]]
    assert display.line_.get_color() == "red"
    band = ax.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((0.5, 0.92))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ZZ"]


def test_plot_on_something_else() -> None:
    with pytest.raises(InvalidParameterError, match="ax must be a matplotlib Axes or None; got 'here'"):
        NoiseScaleDisplay([1.0], [0.6]).plot(ax="here")


def test_figure_has_a_panel_for_each_model_and_one_legend() -> None:
    noisy, mitigated = (NoiseScaleDisplay([0.0, 1.0, 4.0], [0.9, 0.8, 0.6], name=name) for name in ("noisy", "better"))
    panels = {"a": [noisy, mitigated], "b": [noisy], "c": [mitigated]}
    exact = {"a": 0.91, "b": 0.92, "c": 0.93}
    figure = noise_scale_figure(panels, references={"RBF": 0.95, "exact": exact}, xlabel="times", title="table")
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in shown] == ["a", "b", "c"]
    assert figure.get_suptitle() == "table"
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["noisy", "better", "RBF", "exact"]
    assert all(ax.get_legend() is None for ax in shown)
    for ax in shown:
        levels = {line.get_label(): line.get_ydata()[0] for line in ax.get_lines()}
        assert levels["RBF"] == 0.95
        assert levels["exact"] == exact[ax.get_title()]
        assert ax.get_xticks().tolist() == [0.0, 1.0, 4.0]
    # One style for each name, also where the curve is the only one of its panel.
    colours = [{line.get_label(): line.get_color() for line in ax.get_lines()} for ax in shown]
    assert colours[0]["noisy"] == colours[1]["noisy"] != colours[0]["better"] == colours[2]["better"]
    # The axis is named below the last panel of each column.
    assert [ax.get_xlabel() for ax in shown] == ["", "times", "times"]


def test_bad_figure() -> None:
    display = NoiseScaleDisplay([1.0], [0.6])
    with pytest.raises(InvalidDataError, match="at least one NoiseScaleDisplay each; got no panel"):
        noise_scale_figure({})
    with pytest.raises(InvalidDataError, match="at least one NoiseScaleDisplay each; got none in 'b'"):
        noise_scale_figure({"a": [display], "b": []})
    with pytest.raises(InvalidParameterError, match="noise_scale_figure: columns must be a positive integer; got 0"):
        noise_scale_figure({"a": [display]}, columns=0)
