"""Several displays in one picture, without pyplot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from numbers import Integral

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.plotting._bandwidth import BandwidthDisplay
from qkernels.plotting._gram import GramDisplay
from qkernels.plotting._noise_scale import NoiseScaleDisplay

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
    columns, rows = _grid("gram_figure", columns, len(displays))
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


def noise_scale_figure(
    panels: Mapping[str, Sequence[NoiseScaleDisplay]],
    *,
    references: Mapping[str, float | Mapping[str, float]] | None = None,
    columns: int = 2,
    xlabel: str = "scale of the noise",
    ylabel: str = "accuracy",
    title: str | None = None,
) -> Figure:
    """Draw scores against the scale of noise, a panel for each model.

    Parameters
    ----------
    panels : mapping from str to sequence of NoiseScaleDisplay
        Title of each panel, and the curves in it, at least one; curves of one name have one style in all panels.
    references : mapping from str to float or mapping, optional
        Scores without noise, drawn as horizontal lines: a tuned RBF. A mapping gives the value by panel.
    columns : int, default=2
        Panels per line, at least 1.
    xlabel, ylabel : str
        Labels of the axes, which all panels share.
    title : str, optional
        Title of the whole picture.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidDataError
        If there is no panel, or a panel without a curve.
    InvalidParameterError
        If `columns` is not a positive integer.
    """
    empty = [name for name, displays in panels.items() if not displays]
    if not panels or empty:
        raise InvalidDataError(
            "noise_scale_figure: panels must hold at least one NoiseScaleDisplay each; got "
            f"{f'none in {empty[0]!r}' if empty else 'no panel'}."
        )
    columns, rows = _grid("noise_scale_figure", columns, len(panels))
    figure = Figure(figsize=(4.2 * columns + 0.4, 2.9 * rows + 1.0), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    styles: dict[str | None, int] = {}
    handles: dict[str, Artist] = {}
    for (panel, displays), ax in zip(panels.items(), axes, strict=False):
        ax.axvline(1.0, color="0.85", linewidth=4.0, zorder=0)  # the device as it was calibrated
        for display in displays:
            index = styles.setdefault(display.name, len(styles))
            colour, marker = _STYLES[index % len(_STYLES)]
            # The first is drawn broad, so that it can be seen where later ones cover it.
            size, width = (8.0, 3.2) if index == 0 else (5.0, 1.6)
            display.plot(ax=ax, color=colour, marker=marker, markersize=size, linewidth=width)
        for index, (name, score) in enumerate((references or {}).items()):
            level = score[panel] if isinstance(score, Mapping) else score
            ax.axhline(level, color="0.25", linestyle=_LINES[index % len(_LINES)], linewidth=1.3, label=name)
        ax.set(title=panel, xlabel="", ylabel="", xticks=sorted({s for d in displays for s in d.scales.tolist()}))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.grid(alpha=0.3, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        handles |= {text: handle for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
        previous = ax.get_legend()
        if previous is not None:
            previous.remove()
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    for ax in axes[max(0, len(panels) - columns) : len(panels)]:  # nothing stands below them
        ax.set_xlabel(xlabel)
        ax.tick_params(labelbottom=True)
    for ax in axes[: len(panels) : columns]:
        ax.set_ylabel(ylabel)
    if title:
        figure.suptitle(title)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _grid(owner: str, columns: int, count: int) -> tuple[int, int]:
    """Columns and rows for some panels."""
    if isinstance(columns, bool) or not isinstance(columns, Integral) or columns < 1:
        raise InvalidParameterError(f"{owner}: columns must be a positive integer; got {columns!r}.")
    columns = min(int(columns), count)
    return columns, ceil(count / columns)


def _spread(display: GramDisplay) -> tuple[float, float]:
    entries = display.gram[~np.eye(len(display.gram), dtype=bool)]
    low, high = (float(value) for value in np.quantile(entries, [0.01, 0.99])) if len(entries) else (0.0, 1.0)
    return (low, high) if high > low else (0.0, 1.0)
