"""What displays of a curve share: checked points, the estimator's parameter that is varied, and the drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from qkernels._errors import InvalidDataError
from qkernels.plotting._axes import axes_of

Values = NDArray[np.float64]


def sorted_curve(
    owner: str, axis: str, values: ArrayLike, mean: ArrayLike, std: ArrayLike | None
) -> tuple[Values, Values, Values | None]:
    """The points of a curve in the order of their positions, after checking that they are vectors of one length."""
    places, scores = np.asarray(values, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    spread = None if std is None else np.asarray(std, dtype=np.float64)
    shapes = [np.shape(item) for item in (places, scores, spread) if item is not None]
    if places.ndim != 1 or len(places) == 0 or len(set(shapes)) != 1:
        raise InvalidDataError(f"{owner}: {axis}, mean and std must be vectors of one length; got shapes {shapes}.")
    order = np.argsort(places)
    return places[order], scores[order], None if spread is None else spread[order]


class CurveDisplay:
    """Base of displays of a score against one number."""

    mean: Values
    std: Values | None
    name: str | None
    ax_: Axes
    figure_: Figure
    line_: Line2D

    def _draw(
        self, values: Values, what: str, ax: Axes | None, name: str | None, line_kw: Mapping[str, object]
    ) -> None:
        """The curve, with a band of one standard deviation."""
        self.ax_, self.figure_ = axes_of(ax, type(self).__name__)
        label = name or self.name
        style: dict[str, object] = {"marker": "o", "label": label, **line_kw}
        (self.line_,) = self.ax_.plot(values, self.mean, **style)  # type: ignore[arg-type]
        if self.std is not None:
            low, high, color = self.mean - self.std, self.mean + self.std, self.line_.get_color()
            self.ax_.fill_between(values, low, high, color=color, alpha=0.12, linewidth=0.0)
        self.ax_.set_xlabel(what)
        self.ax_.set_ylabel("score")
        if label:
            self.ax_.legend()


def parameters_named(
    estimator: BaseEstimator, last: str, accept: Callable[[object], bool] = lambda value: True
) -> list[str]:
    """Names of an estimator's parameters, nested ones too, that end in a word and whose value is accepted."""
    parameters = estimator.get_params(deep=True)
    return [name for name, value in parameters.items() if name.split("__")[-1] == last and accept(value)]


def name_of(estimator: BaseEstimator) -> str:
    """The class of an estimator, of a pipeline that of its last step."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return type(last).__name__
