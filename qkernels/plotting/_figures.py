"""Several displays in one picture, without pyplot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from numbers import Integral

import numpy as np
from matplotlib.figure import Figure

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.plotting._bandwidth import BandwidthDisplay
from qkernels.plotting._gram import GramDisplay

# Okabe and Ito's colours, told apart with any colour vision; markers tell them apart in print.
_STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
)
_LINES = ("--", ":", "-.")


def bandwidth_figure(
    displays: Sequence[BandwidthDisplay],
    *,
    references: Mapping[str, float] | None = None,
    xlabel: str = "bandwidth",
    ylabel: str = "accuracy",
    title: str | None = None,
) -> Figure:
    """Draw bandwidth curves on one axes.

    Parameters
    ----------
    displays : sequence of BandwidthDisplay
        At least one.
    references : mapping from str to float, optional
        Scores without a bandwidth, drawn as horizontal lines: a tuned RBF, the share of the largest class.
    xlabel, ylabel : str
        Labels of the axes.
    title : str, optional
        Title.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidDataError
        If `displays` is empty.
    """
    if not displays:
        raise InvalidDataError("bandwidth_figure: displays must hold at least one BandwidthDisplay; got none.")
    figure = Figure(figsize=(8.0, 4.8), layout="constrained")
    ax = figure.subplots()
    for index, display in enumerate(displays):
        colour, marker = _STYLES[index % len(_STYLES)]
        display.plot(ax=ax, color=colour, marker=marker, markersize=5.0, linewidth=1.6)
    for index, (name, score) in enumerate((references or {}).items()):
        ax.axhline(score, color="0.25", linestyle=_LINES[index % len(_LINES)], linewidth=1.3, label=name)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    if title:
        ax.set_title(title)
    previous = ax.get_legend()
    if previous is not None:
        previous.remove()
    # Beside the axes, where it can't cover a curve.
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def gram_figure(
    displays: Sequence[GramDisplay], *, columns: int = 3, shared_scale: bool = True, title: str | None = None
) -> Figure:
    """Draw kernel matrices side by side.

    Parameters
    ----------
    displays : sequence of GramDisplay
        At least one.
    columns : int, default=3
        Matrices per line, at least 1.
    shared_scale : bool, default=True
        Whether all matrices have the colours of 0 to 1. If not, each has its own scale, from the 1st to the 99th
        percentile of its off-diagonal entries: a kernel of small bandwidth, all entries near 1, still shows its blocks.
    title : str, optional
        Title of the whole picture.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidDataError
        If `displays` is empty.
    InvalidParameterError
        If `columns` is not a positive integer.
    """
    if not displays:
        raise InvalidDataError("gram_figure: displays must hold at least one GramDisplay; got none.")
    if isinstance(columns, bool) or not isinstance(columns, Integral) or columns < 1:
        raise InvalidParameterError(f"gram_figure: columns must be a positive integer; got {columns!r}.")
    columns = min(int(columns), len(displays))
    rows = ceil(len(displays) / columns)
    figure = Figure(figsize=(3.8 * columns + 0.6, 3.5 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for display, ax in zip(displays, axes, strict=False):
        low, high = (0.0, 1.0) if shared_scale else _spread(display)
        display.plot(ax=ax, vmin=low, vmax=high, colorbar=False)
        if not shared_scale:
            figure.colorbar(display.image_, ax=ax, shrink=0.85)
    for ax in axes[len(displays) :]:
        ax.set_visible(False)
    if shared_scale:
        figure.colorbar(displays[0].image_, ax=list(axes), label="kernel value", shrink=0.6)
    if title:
        figure.suptitle(title)
    return figure


def _spread(display: GramDisplay) -> tuple[float, float]:
    entries = display.gram[~np.eye(len(display.gram), dtype=bool)]
    low, high = (float(value) for value in np.quantile(entries, [0.01, 0.99])) if len(entries) else (0.0, 1.0)
    return (low, high) if high > low else (0.0, 1.0)
