"""Score against bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator, validation_curve

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.plotting._curves import CurveDisplay, name_of, parameters_named, sorted_curve


class BandwidthDisplay(CurveDisplay):
    """Score of one model against the bandwidth of its kernel.

    Make one with `from_estimator` (cross-validates) or `from_search` (reads a fitted grid search), then call
    `plot`.

    Parameters
    ----------
    bandwidths : array-like of shape (n_bandwidths,)
        Positive numbers.
    mean : array-like of shape (n_bandwidths,)
        Mean score at each bandwidth.
    std : array-like of shape (n_bandwidths,), optional
        Standard deviation of the scores, drawn as a band.
    name : str, optional
        Label of the curve.

    Attributes
    ----------
    bandwidths, mean, std, name
        The parameters, sorted by bandwidth.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        After `plot`.

    See Also
    --------
    bandwidth_figure : several curves in one picture.

    Notes
    -----
    Bandwidth is to a quantum kernel what gamma is to an RBF kernel: left alone, most maps are near chance
    (arXiv:2111.05451).

    References
    ----------
    Shaydulin and Wild, "Importance of kernel bandwidth in quantum machine learning", arXiv:2111.05451.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from qkernels.plotting import BandwidthDisplay
    >>> display = BandwidthDisplay([0.1, 1.0], [0.95, 0.60], name="ZZ").plot(ax=Figure().subplots())
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(
        self,
        bandwidths: ArrayLike,
        mean: ArrayLike,
        std: ArrayLike | None = None,
        *,
        name: str | None = None,
    ) -> None:
        values, scores, spread = sorted_curve("BandwidthDisplay", "bandwidths", bandwidths, mean, std)
        if not (values > 0.0).all():
            raise InvalidDataError(
                f"BandwidthDisplay: bandwidths must be positive; got {float(values.min()):g}. They are "
                "drawn on a logarithmic axis."
            )
        self.bandwidths, self.mean, self.std = values, scores, spread
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        bandwidths: ArrayLike,
        param_name: str | None = None,
        cv: int | BaseCrossValidator | None = None,
        scoring: str | None = None,
        name: str | None = None,
    ) -> Self:
        """Cross-validate an estimator at each bandwidth.

        Parameters
        ----------
        estimator : estimator
            E.g. `QuantumKernelSVC`, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Labels.
        bandwidths : array-like of shape (n_bandwidths,)
            Positive numbers.
        param_name : str, optional
            The parameter, e.g. ``"quantumkernelsvc__kernel__bandwidth"``. By default the only one whose name
            ends in ``bandwidth``; ``kernel__bandwidth`` where the kernel is still None.
        cv : int or splitter, optional
            As in `sklearn.model_selection.validation_curve`.
        scoring : str, optional
            A scikit-learn scorer; by default the estimator's own score.
        name : str, optional
            Label; by default the class of the last step.

        Returns
        -------
        BandwidthDisplay
            Not drawn yet.

        Raises
        ------
        InvalidParameterError
            If there is no, or more than one, bandwidth parameter and `param_name` is not given.
        """
        values = np.asarray(bandwidths, dtype=np.float64)
        found = param_name or _bandwidth_parameter(estimator)
        _, scores = validation_curve(
            estimator, X, y, param_name=found, param_range=values.tolist(), cv=cv, scoring=scoring
        )
        return cls(values, scores.mean(axis=1), scores.std(axis=1), name=name or name_of(estimator))

    @classmethod
    def from_search(cls, search: BaseEstimator | Sequence[BaseEstimator], *, name: str | None = None) -> Self:
        """Read the scores that a grid search over a bandwidth has made already.

        Parameters
        ----------
        search : fitted GridSearchCV, or a sequence of them
            With one parameter whose name ends in ``bandwidth``; at each bandwidth the best of the other
            parameters counts. A sequence (the outer folds of a nested cross-validation) is averaged.
        name : str, optional
            Label of the curve.

        Returns
        -------
        BandwidthDisplay
            `std` is the spread over the folds of one search, or over the searches of a sequence. The scores
            are those of the search's own (inner) folds, slightly optimistic as any tuned score.

        Raises
        ------
        InvalidDataError
            If a search is not fitted or searched no bandwidth, or the searches used different ones.
        """
        searches = [search] if isinstance(search, BaseEstimator) else list(search)
        if not searches:
            raise InvalidDataError("BandwidthDisplay.from_search: search must hold a fitted search; got none.")
        curves = [_curve(item) for item in searches]
        if any(curve.keys() != curves[0].keys() for curve in curves):
            raise InvalidDataError(
                "BandwidthDisplay.from_search: all searches must have searched the same bandwidths; got "
                f"{[sorted(curve) for curve in curves]}."
            )
        bandwidths = sorted(curves[0])
        if len(curves) == 1:
            mean, std = np.array([curves[0][value] for value in bandwidths]).T
            return cls(bandwidths, mean, std, name=name)
        scores = np.array([[curve[value][0] for value in bandwidths] for curve in curves])
        return cls(bandwidths, scores.mean(axis=0), scores.std(axis=0, ddof=1), name=name)

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **line_kw: object) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a new figure. Draw several displays on one axes to compare them.
        name : str, optional
            Label; by default that of the display.
        **line_kw : object
            Passed to ``ax.plot``.

        Returns
        -------
        BandwidthDisplay
            Itself, with ``ax_``, ``figure_`` and ``line_``.

        Raises
        ------
        InvalidParameterError
            If `ax` is not a matplotlib Axes.
        """
        self._draw(self.bandwidths, "bandwidth", ax, name, line_kw)
        self.ax_.set_xscale("log")
        return self


def _bandwidth_parameter(estimator: BaseEstimator) -> str:
    """The only parameter named bandwidth; a kernel that is None makes a fresh default when it is set."""
    names = parameters_named(estimator, "bandwidth")
    if not names:
        names = [f"{name}__bandwidth" for name in parameters_named(estimator, "kernel", lambda value: value is None)]
    if len(names) != 1:
        raise InvalidParameterError(
            f"BandwidthDisplay.from_estimator: param_name must be given for {type(estimator).__name__}; "
            f"it has {len(names)} bandwidth parameters; got None. Candidates: {', '.join(names) or '-'}."
        )
    return str(names[0])


def _curve(search: BaseEstimator) -> dict[float, tuple[float, float]]:
    """Bandwidth → mean and standard deviation of the best candidate at that bandwidth."""
    results = getattr(search, "cv_results_", None)
    if results is None:
        raise InvalidDataError("BandwidthDisplay.from_search: search is not fitted; call its fit first.")
    columns = [key for key in results if key.startswith("param_") and key.split("__")[-1] == "bandwidth"]
    columns += [key for key in results if key == "param_bandwidth"]
    if len(columns) != 1:
        raise InvalidDataError(
            "BandwidthDisplay.from_search: search must have one parameter whose name ends in 'bandwidth'; "
            f"got {[key.removeprefix('param_') for key in results if key.startswith('param_')]}."
        )
    best: dict[float, tuple[float, float]] = {}
    rows = zip(results[columns[0]], results["mean_test_score"], results["std_test_score"], strict=True)
    for value, mean, std in rows:
        if not isinstance(value, str) and mean > best.get(float(value), (-np.inf, 0.0))[0]:
            best[float(value)] = (float(mean), float(std))
    return best
