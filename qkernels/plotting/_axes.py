"""Where a display draws."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qkernels._errors import InvalidParameterError


def axes_of(ax: Axes | None, owner: str) -> tuple[Axes, Figure]:
    """The axes given and its figure, or new ones from pyplot."""
    if ax is None:
        # Here and not above: pyplot chooses a window system, which saving a figure does not need.
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained")
    if not isinstance(ax, Axes):
        raise InvalidParameterError(f"{owner}.plot: ax must be a matplotlib Axes or None; got {ax!r}.")
    figure = ax.get_figure(root=True)
    if figure is None:
        raise InvalidParameterError(f"{owner}.plot: ax was removed from its figure; pass one that is shown.")
    return ax, figure
