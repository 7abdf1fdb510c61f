"""What displays of a curve share: checked points, the estimator's parameter that is varied, and the drawing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from qkernels._errors import InvalidDataError

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


def draw_curve(ax: Axes, values: Values, mean: Values, std: Values | None, style: dict[str, object]) -> Line2D:
    """The curve, with a band of one standard deviation."""
    (line,) = ax.plot(values, mean, **style)  # type: ignore[arg-type]
    if std is not None:
        ax.fill_between(values, mean - std, mean + std, color=line.get_color(), alpha=0.12, linewidth=0.0)
    return line


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
