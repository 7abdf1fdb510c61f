"""The pictures of the demo, with what they show in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from qkernels.cli._models import Model
from qkernels.cli._noise_words import first_repeat
from qkernels.cli._results import Outcome, Results, ScaledScores
from qkernels.cli._tables import Table
from qkernels.plotting import (
    BandwidthDisplay,
    GramDisplay,
    NoiseScaleDisplay,
    bandwidth_figure,
    gram_figure,
    noise_scale_figure,
)

_DPI = 130
_MAX_TITLE = 40
_AXIS_LETTERS = 48
"""That fit along a matrix."""
_AXIS_NAMES = 12
"""Of more classes than these, `GramDisplay` names none."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG file and its texts.

    Attributes
    ----------
    file : str
        Name of the file.
    png : bytes
        Its content.
    caption : str
        How to read it.
    alt : str
        What it shows, in numbers, for readers who do not see it.
    """

    file: str
    png: bytes
    caption: str
    alt: str


def accuracy_picture(
    outcomes: Sequence[Outcome], searches: Mapping[str, Sequence[BaseEstimator]], table: Table
) -> Picture:
    """Draw accuracy against bandwidth, from the searches of the outer folds."""
    curves = [
        BandwidthDisplay.from_search(searches[outcome.model.name], name=outcome.model.name)
        for outcome in outcomes
        if outcome.model.feature_map is not None
    ]
    tuned = np.mean([search.best_score_ for search in searches[outcomes[0].model.name]])
    largest = np.unique(table.y, return_counts=True)[1].max() / len(table.y)
    references = {"tuned RBF SVM": float(tuned), "largest class": float(largest)}
    figure = bandwidth_figure(
        curves,
        references=references,
        xlabel="bandwidth (radians; features have root-mean-square norm 1)",
        ylabel="accuracy on inner folds, best C",
        title=f"{_drawable(table.name, _MAX_TITLE)}: accuracy against bandwidth",
    )
    png = BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    peaks = [f"{c.name} {100 * c.mean.max():.1f} % at {c.bandwidths[c.mean.argmax()]:.2g}" for c in curves]
    levels = [f"{name} {100 * level:.1f} %" for name, level in references.items()]
    return Picture(
        "accuracy.png",
        png.getvalue(),
        "Accuracy on the inner folds against bandwidth, at the best C of each; the band is one standard deviation over "
        "the outer folds. A curve with its top inside the range was searched far enough. Dashed: the tuned RBF "
        "on the same inner folds. Dotted: always answering the largest class. Equal curves cover one another. Scores "
        "that were tuned on, slightly higher than those of the comparison.",
        f"Line chart. Highest accuracy of each curve: {'; '.join(peaks)}. Horizontal lines: {'; '.join(levels)}.",
    )


def noise_picture(results: Results) -> Picture:
    """Draw accuracy against the scale of noise, a panel for each quantum kernel."""
    panels, exact, words = {}, {}, []
    for outcome, found in results.under_noise:
        name = outcome.model.name
        noisy = _noise_display("noisy", [(point, point.noisy) for point in found.scales])
        kept = [(point, point.mitigated) for point in found.scales if point.mitigated is not None]
        panels[name] = [noisy, *([_noise_display("mitigated", kept)] if kept else [])]
        exact[name] = float(np.mean(first_repeat(results.settings, outcome.scores.scores)))
        ends = [f"{d.name} {100 * d.mean[-1]:.1f} % at {d.scales[-1]:g} ×" for d in panels[name]]
        words.append(f"{name}, exact {100 * exact[name]:.1f} %: {', '.join(ends)}")
    device = "" if results.noise is None else results.noise.device
    tuned = float(np.mean(first_repeat(results.settings, results.outcomes[0].scores.scores)))
    figure = noise_scale_figure(
        panels,
        references={"tuned RBF SVM": tuned, "exact kernel": exact},
        xlabel=f"noise, in multiples of that of {device}",
        ylabel="accuracy on outer folds",
        title=f"{_drawable(results.table.name, _MAX_TITLE)}: accuracy against noise",
    )
    png = BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    return Picture(
        "noise.png",
        png.getvalue(),
        f"Accuracy on the {results.settings.folds} outer folds of the first repeat against noise, in multiples of the "
        f"calibrated noise of {device} (grey: 1 ×), at {results.settings.shots:,} shots per entry; 0 × is shots alone. "
        "The band is one standard deviation over the folds. Dashed: the tuned RBF on these folds. Dotted: the exact "
        "kernel, without shots. Equal curves cover one another; a mitigated curve ends where nothing is left to "
        "mitigate.",
        f"{len(panels)} line charts; horizontal lines: tuned RBF SVM {100 * tuned:.1f} %, exact kernels. Curves end: "
        f"{'; '.join(words)}.",
    )


def _noise_display(name: str, points: Sequence[tuple[ScaledScores, tuple[float, ...]]]) -> NoiseScaleDisplay:
    scores = np.array([values for _, values in points])
    scales = [point.scale for point, _ in points]
    return NoiseScaleDisplay(scales, scores.mean(axis=1), scores.std(axis=1, ddof=1), name=name)


def gram_display(model: Model, gram: NDArray[np.float64], width: float, table: Table) -> GramDisplay:
    """A kernel matrix at a bandwidth (or gamma), named for a picture."""
    parameter = "bandwidth" if model.feature_map else "gamma"
    return GramDisplay(gram, _class_names(table), name=f"{model.name}, {parameter} {width:.2g}")


def kernels_picture(displays: Sequence[GramDisplay], table: Table) -> Picture:
    """Draw the kernel matrices side by side."""
    title = (
        f"{_drawable(table.name, _MAX_TITLE)}: kernel matrices, rows sorted by class (each has its own colour scale)"
    )
    figure = gram_figure(displays, shared_scale=False, title=title)
    png = BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    means = [f"{display.name}: {_class_means(display)}" for display in displays]
    return Picture(
        "kernels.png",
        png.getvalue(),
        "Kernel matrices of all rows at the bandwidth (or gamma) that the outer folds chose, the lower median; rows "
        "sorted by class. Bright blocks on the diagonal: rows of one class look alike. Each matrix has its own colour "
        "scale, from the 1st to the 99th percentile of its off-diagonal entries.",
        f"Heat maps of {len(displays)} kernel matrices. Mean entry within classes and between classes: "
        f"{'; '.join(means)}.",
    )


def _class_means(display: GramDisplay) -> str:
    block = np.repeat(np.arange(len(display.counts)), display.counts)
    same = block[:, None] == block[None, :]
    other_row = ~np.eye(len(block), dtype=bool)
    return f"{display.gram[same & other_row].mean():.2g} and {display.gram[~same].mean():.2g}"


def _class_names(table: Table) -> NDArray[np.str_] | NDArray[np.int64]:
    """Labels that fit beside each other on an axis and stay different."""
    if table.y.dtype.kind == "i":
        return table.y
    labels, codes = np.unique(table.y, return_inverse=True)
    if len(labels) > _AXIS_NAMES:
        return codes
    room = _AXIS_LETTERS // len(labels)
    names = [_drawable(str(label), room) for label in labels]
    if len(set(names)) < len(names):
        names = [_drawable(f"{number}: {label}", room) for number, label in enumerate(labels, start=1)]
    return np.array(names)[codes]


def _drawable(text: str, room: int) -> str:
    """Text that matplotlib draws as it is: no formula between dollar signs, no undecodable part of a file name."""
    short = text if len(text) <= room else f"{text[: room - 1]}…"
    return short.encode("utf-8", "replace").decode("utf-8").replace("$", r"\$")
