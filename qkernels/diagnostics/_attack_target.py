"""What the attacks share: checked samples, the balls around them, and the gradient of the attacked model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import ExecutionError, InvalidDataError, InvalidParameterError

__all__ = ["Target", "checked_integer"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Checked samples, the ball around each of them, and the model's gradient.

    `table` makes rows a table with the column names of X, where X has some.
    """

    owner: str
    input_gradient: Callable[[Values, NDArray[Any]], Values]
    rows: Values
    labels: NDArray[Any]
    epsilon: Values
    low: Values
    high: Values
    table: Callable[[Values], Any]
    knows_names: bool

    @classmethod
    def checked(cls, owner: str, model: Any, X: ArrayLike, y: ArrayLike, epsilon: object, clip: object) -> Target:
        gradient = getattr(model, "input_gradient", None)
        if not callable(gradient):
            raise InvalidParameterError(
                f"{owner}: model must have a method input_gradient(X, y), as VQC has; got {model!r}. Kernel models "
                "have none."
            )
        rows, labels = _checked_samples(owner, X, y)
        table = _maker_of_tables(X)
        reach = _checked_epsilon(owner, epsilon, rows.shape[1])
        low, high = rows - reach, rows + reach
        if clip is not None:
            bottom, top = _checked_clip(owner, clip)
            if rows.min() < bottom or rows.max() > top:
                raise InvalidDataError(
                    f"{owner}: X must lie in clip=({bottom:g}, {top:g}); it runs from {rows.min():g} to "
                    f"{rows.max():g}. Give the range in the unit that the model gets, after scaling."
                )
            low, high = low.clip(bottom, top), high.clip(bottom, top)
        knows_names = hasattr(model, "feature_names_in_")  # then it looks for them in what it is given
        return cls(owner, gradient, rows, labels, reach, low, high, table, knows_names)

    def gradient(self, rows: Values) -> Values:
        given = self.table(rows) if self.knows_names else rows
        found = np.asarray(self.input_gradient(given, self.labels), dtype=np.float64)
        if found.shape != rows.shape:
            raise InvalidParameterError(
                f"{self.owner}: input_gradient(X, y) of the model must return the shape of X, {rows.shape}; got "
                f"{found.shape}."
            )
        if not np.isfinite(found).all():
            raise ExecutionError(
                f"{self.owner}: input_gradient of the model returned {int((~np.isfinite(found)).sum())} NaN or "
                "infinite entries. Check whether its training converged."
            )
        return found

    def inside(self, rows: Values) -> Values:
        """Rows moved to the nearest point of their balls."""
        return np.clip(rows, self.low, self.high)


def _maker_of_tables(X: Any) -> Callable[[Values], Any]:
    """From rows to what X is, a DataFrame of pandas or an array."""
    if not hasattr(X, "iloc"):
        return lambda rows: rows
    return lambda rows: type(X)(rows, columns=X.columns)


def _checked_samples(owner: str, X: ArrayLike, y: ArrayLike) -> tuple[Values, NDArray[Any]]:
    try:
        rows = np.array(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidDataError(f"{owner}: X must hold numbers; got {type(X).__name__} that does not.") from None
    labels = np.asarray(y)
    if rows.ndim != 2 or not rows.size:
        raise InvalidDataError(f"{owner}: X must have the shape (n_samples, n_features), none 0; got {rows.shape}.")
    if not np.isfinite(rows).all():
        raise InvalidDataError(f"{owner}: X holds {int((~np.isfinite(rows)).sum())} NaN or infinite entries.")
    if labels.shape != (len(rows),):
        raise InvalidDataError(
            f"{owner}: y must hold one label for each of the {len(rows)} row(s) of X; got shape {labels.shape}."
        )
    return rows, labels


def _checked_epsilon(owner: str, epsilon: object, n_features: int) -> Values:
    try:
        reach = np.array(epsilon, dtype=np.float64)
    except (TypeError, ValueError):
        reach = np.array(np.nan)
    if reach.shape not in ((), (n_features,)) or not (np.isfinite(reach) & (reach >= 0)).all():
        raise InvalidParameterError(
            f"{owner}: epsilon must be a finite number >= 0, or one for each of the {n_features} feature(s); got "
            f"{epsilon!r}."
        )
    return reach


def _checked_clip(owner: str, clip: object) -> tuple[float, float]:
    given = clip.tolist() if isinstance(clip, np.ndarray) else clip
    ends = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(ends) != 2 or not all(isinstance(end, Real) for end in ends) or not ends[0] < ends[1]:
        raise InvalidParameterError(f"{owner}: clip must be None or a pair (low, high), low < high; got {clip!r}.")
    return float(ends[0]), float(ends[1])


def checked_integer(owner: str, name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InvalidParameterError(f"{owner}: {name} must be an integer >= 1; got {value!r}.")
    return int(value)
