"""A kernel matrix with its rows sorted by class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from qkernels._errors import InvalidDataError
from qkernels.plotting._axes import axes_of

# Beyond this many classes, names on the axes run into each other.
_MAX_NAMED_CLASSES = 12
# A class that takes less of the axis than this gets no name: it would overlap its neighbour's.
_MIN_NAMED_SHARE = 0.04


class GramDisplay:
    """A kernel matrix, its rows and columns sorted by class.

    A kernel that separates the classes shows bright blocks on the diagonal; one that is too narrow shows a
    bright line only, one that is too wide is bright everywhere.

    Parameters
    ----------
    gram : array-like of shape (n_samples, n_samples)
        Kernel matrix.
    y : array-like of shape (n_samples,)
        Labels, any order.
    name : str, optional
        Title.

    Attributes
    ----------
    gram : ndarray of shape (n_samples, n_samples), float64
        Sorted.
    classes, counts : ndarray of shape (n_classes,)
        Labels in the order drawn, and their numbers of rows.
    name : str or None
        As given.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage
        After `plot`.

    See Also
    --------
    gram_figure : several matrices in one picture.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from qkernels.plotting import GramDisplay
    >>> K = [[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]]
    >>> display = GramDisplay(K, ["b", "a", "b"]).plot(ax=Figure().subplots())
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['a', 'b']
    """

    def __init__(self, gram: ArrayLike, y: ArrayLike, *, name: str | None = None) -> None:
        matrix, labels = np.asarray(gram, dtype=np.float64), np.asarray(y)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or labels.shape != matrix.shape[:1]:
            raise InvalidDataError(
                "GramDisplay: gram must be square and y must have one label per row; got shapes "
                f"{matrix.shape} and {labels.shape}."
            )
        order = np.argsort(labels, kind="stable")
        self.gram: NDArray[np.float64] = matrix[np.ix_(order, order)]
        self.classes, self.counts = np.unique(labels, return_counts=True)
        self.name = name

    @classmethod
    def from_kernel(
        cls,
        kernel: BaseEstimator | Callable[[NDArray[np.float64]], NDArray[np.float64]],
        X: ArrayLike,
        y: ArrayLike,
        *,
        name: str | None = None,
    ) -> Self:
        """Evaluate a kernel on data.

        Parameters
        ----------
        kernel : kernel transformer or callable
            A `FidelityKernel` (cloned and fitted to X), or a function of X that returns the matrix, such as
            `sklearn.metrics.pairwise.rbf_kernel`.
        X : array-like of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Labels.
        name : str, optional
            Title.

        Returns
        -------
        GramDisplay
            Not drawn yet.
        """
        if hasattr(kernel, "fit_transform"):
            return cls(clone(kernel).fit_transform(X), y, name=name)
        return cls(kernel(np.asarray(X, dtype=np.float64)), y, name=name)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cmap: str | Colormap = "viridis",
        vmin: float | None = 0.0,
        vmax: float | None = 1.0,
        colorbar: bool = True,
    ) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a new figure.
        cmap : str or Colormap, default="viridis"
            Colours.
        vmin, vmax : float or None, default=0 and 1
            Values at the ends of the colours; None takes them from the matrix.
        colorbar : bool, default=True
            Whether to draw the scale.

        Returns
        -------
        GramDisplay
            Itself, with ``ax_``, ``figure_`` and ``image_``.

        Raises
        ------
        InvalidParameterError
            If `ax` is not a matplotlib Axes.
        """
        self.ax_: Axes
        self.figure_: Figure
        self.image_: AxesImage
        self.ax_, self.figure_ = axes_of(ax, type(self).__name__)
        n = len(self.gram)
        self.image_ = self.ax_.imshow(
            self.gram, cmap=cmap, vmin=vmin, vmax=vmax, extent=(0, n, n, 0), interpolation="auto"
        )
        ends = np.cumsum(self.counts)
        for end in ends[:-1]:
            self.ax_.axhline(end, color="white", linewidth=1.0)
            self.ax_.axvline(end, color="white", linewidth=1.0)
        named = self.counts >= _MIN_NAMED_SHARE * n
        if len(self.classes) > _MAX_NAMED_CLASSES:
            named[:] = False
        centres = (ends - self.counts / 2)[named]
        labels = [str(label) for label in self.classes[named]]
        self.ax_.set_xticks(centres, labels)
        self.ax_.set_yticks(centres, labels, rotation=90, va="center")
        self.ax_.tick_params(length=0)
        if self.name:
            self.ax_.set_title(self.name)
        if colorbar:
            self.figure_.colorbar(self.image_, ax=self.ax_, label="kernel value")
        return self
