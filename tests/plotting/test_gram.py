"""A kernel matrix with its rows sorted by class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics.pairwise import rbf_kernel

from qkernels import FidelityKernel
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.plotting import GramDisplay, gram_figure

RNG = np.random.default_rng(0)
LABELS = np.array(["b", "a", "c", "a", "b", "b"])
K = rbf_kernel(RNG.normal(size=(6, 2)))


def test_rows_and_columns_are_sorted_together() -> None:
    display = GramDisplay(K, LABELS)
    order = [1, 3, 0, 4, 5, 2]  # a a b b b c, each class in the order given
    for i, row in enumerate(order):
        for j, column in enumerate(order):
            assert display.gram[i, j] == K[row, column]
    assert display.classes.tolist() == ["a", "b", "c"]
    assert display.counts.tolist() == [2, 3, 1]


def test_plot_names_classes_at_their_centres_and_draws_borders() -> None:
    ax = Figure().subplots()
    display = GramDisplay(K, LABELS, name="RBF").plot(ax=ax)
    assert display.ax_ is ax
    assert ax.get_xticks().tolist() == ax.get_yticks().tolist() == [1.0, 3.5, 5.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert sorted(line.get_ydata()[0] for line in ax.get_lines()[::2]) == [2, 5]
    assert display.image_.get_clim() == (0.0, 1.0)
    assert ax.get_title() == "RBF"
    assert len(display.figure_.axes) == 2  # with the colour scale


def test_many_classes_are_not_named() -> None:
    display = GramDisplay(np.eye(26), np.arange(26) // 2).plot(ax=Figure().subplots(), colorbar=False)
    assert display.ax_.get_xticks().tolist() == []
    assert len(display.figure_.axes) == 1


def test_a_tiny_class_is_not_named() -> None:
    labels = np.array(["many"] * 60 + ["one"])
    display = GramDisplay(np.eye(61), labels).plot(ax=Figure().subplots())
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["many"]


def test_from_kernel_and_from_function() -> None:
    X = RNG.normal(size=(6, 2))
    kernel = FidelityKernel()
    want = kernel.fit_transform(X)
    unfitted = FidelityKernel()
    assert GramDisplay.from_kernel(unfitted, X, np.zeros(6)).gram == pytest.approx(want)
    assert not hasattr(unfitted, "gram_")  # the caller's kernel is cloned
    assert GramDisplay.from_kernel(rbf_kernel, X, np.zeros(6)).gram == pytest.approx(rbf_kernel(X))


@pytest.mark.parametrize(
    ("gram", "y"), [(K[:3], LABELS[:3]), (K, LABELS[:5]), (K[0], LABELS)], ids=["cross", "labels", "vector"]
)
def test_bad_shapes(gram: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(InvalidDataError, match="gram must be square and y must have one label per row; got shapes"):
        GramDisplay(gram, y)


def test_plot_on_something_else() -> None:
    with pytest.raises(InvalidParameterError, match="ax must be a matplotlib Axes or None; got 3"):
        GramDisplay(K, LABELS).plot(ax=3)


def test_plot_on_removed_axes() -> None:
    ax = Figure().subplots()
    ax.remove()
    with pytest.raises(InvalidParameterError, match="ax was removed from its figure"):
        GramDisplay(K, LABELS).plot(ax=ax)


def test_figure_on_one_scale(tmp_path: Path) -> None:
    figure = gram_figure([GramDisplay(K, LABELS, name=str(i)) for i in range(4)], title="all")
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["0", "1", "2", "3"]
    assert sum(ax.get_visible() for ax in figure.axes) == 5  # four matrices and one scale; two cells stay empty
    figure.savefig(tmp_path / "all.png")


def test_figure_with_a_scale_each() -> None:
    narrow = 1.0 - 0.01 * (1.0 - K)
    displays = [GramDisplay(K, LABELS), GramDisplay(narrow, LABELS), GramDisplay(np.ones((6, 6)), LABELS)]
    gram_figure(displays, shared_scale=False)
    entries = narrow[~np.eye(6, dtype=bool)]
    assert displays[1].image_.get_clim() == pytest.approx(np.quantile(entries, [0.01, 0.99]))
    assert displays[2].image_.get_clim() == (0.0, 1.0)  # nothing varies


def test_bad_figure() -> None:
    with pytest.raises(InvalidDataError, match="at least one GramDisplay; got none"):
        gram_figure([])
    with pytest.raises(InvalidParameterError, match="columns must be a positive integer; got 0"):
        gram_figure([GramDisplay(K, LABELS)], columns=0)
