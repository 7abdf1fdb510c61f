"""Score against the strength of noise."""

from __future__ import annotations

from typing import Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator, validation_curve

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import Engine
from qkernels.plotting._curves import CurveDisplay, name_of, parameters_named, sorted_curve


class NoiseScaleDisplay(CurveDisplay):
    """Score of one model against the scale of the noise that its kernel is evaluated under.

    Make one from numbers, or with `from_estimator` (cross-validates), then call `plot`.

    Parameters
    ----------
    scales : array-like of shape (n_scales,)
        Multiples of the noise, at least 0: 0 is none, 1 is the device as it was calibrated.
    mean : array-like of shape (n_scales,)
        Mean score at each scale.
    std : array-like of shape (n_scales,), optional
        Standard deviation of the scores, drawn as a band.
    name : str, optional
        Label of the curve.

    Attributes
    ----------
    scales, mean, std, name
        The parameters, sorted by scale.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        After `plot`.

    Raises
    ------
    InvalidDataError
        If the arrays are no vectors of one length, or a scale is below 0 or not finite.

    See Also
    --------
    noise_scale_figure : several models, a panel for each.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from qkernels.plotting import NoiseScaleDisplay
    >>> display = NoiseScaleDisplay([0.0, 1.0, 2.0], [0.95, 0.93, 0.88], name="ZZ").plot(ax=Figure().subplots())
    >>> display.line_.get_xdata().tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(
        self,
        scales: ArrayLike,
        mean: ArrayLike,
        std: ArrayLike | None = None,
        *,
        name: str | None = None,
    ) -> None:
        values, scores, spread = sorted_curve("NoiseScaleDisplay", "scales", scales, mean, std)
        allowed = np.isfinite(values) & (values >= 0.0)
        if not allowed.all():
            raise InvalidDataError(
                f"NoiseScaleDisplay: scales must be finite and at least 0; got {float(values[~allowed][0]):g}."
            )
        self.scales, self.mean, self.std = values, scores, spread
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        scales: ArrayLike = (0.0, 0.5, 1.0, 2.0, 4.0),
        param_name: str | None = None,
        cv: int | BaseCrossValidator | None = None,
        scoring: str | None = None,
        name: str | None = None,
    ) -> Self:
        """Cross-validate an estimator at each scale of the noise of its engine.

        Parameters
        ----------
        estimator : estimator
            E.g. `QuantumKernelSVC` on a kernel with ``engine=AerEngine("fake_fez")``, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Labels.
        scales : array-like of shape (n_scales,), default=(0, 0.5, 1, 2, 4)
            Numbers of at least 0; ``engine.scaled(scale)`` takes the place of the engine.
        param_name : str, optional
            The engine's parameter, e.g. ``"kernel__engine"``. By default the only one whose name ends in ``engine``
            and that is not None.
        cv : int or splitter, optional
            As in `sklearn.model_selection.validation_curve`.
        scoring : str, optional
            A scikit-learn scorer; by default the estimator's own score.
        name : str, optional
            Label; by default the class of the last step.

        Returns
        -------
        NoiseScaleDisplay
            Not drawn yet.

        Raises
        ------
        InvalidParameterError
            If there is no, or more than one, engine and `param_name` is not given, or `param_name` does not name an
            engine, or a scale is below 0.
        UnsupportedCircuitError
            If the engine has no noise to scale.

        Notes
        -----
        Cost: the noise of every scale is simulated, n_scales times the cost of one cross-validation.
        """
        found = _engine_parameter(estimator, param_name)
        engine = estimator.get_params(deep=True)[found]
        values = np.asarray(scales, dtype=np.float64)
        engines = [engine.scaled(float(scale)) for scale in values]
        _, scores = validation_curve(estimator, X, y, param_name=found, param_range=engines, cv=cv, scoring=scoring)
        return cls(values, scores.mean(axis=1), scores.std(axis=1), name=name or name_of(estimator))

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
        NoiseScaleDisplay
            Itself, with ``ax_``, ``figure_`` and ``line_``.

        Raises
        ------
        InvalidParameterError
            If `ax` is not a matplotlib Axes.
        """
        self._draw(self.scales, "scale of the noise", ax, name, line_kw)
        return self


def _engine_parameter(estimator: BaseEstimator, given: str | None) -> str:
    """The parameter that holds the engine."""
    engines = parameters_named(estimator, "engine", lambda value: isinstance(value, Engine))
    if given is None and len(engines) == 1:
        return engines[0]
    if given is not None and isinstance(estimator.get_params(deep=True).get(given), Engine):
        return given
    raise InvalidParameterError(
        f"NoiseScaleDisplay.from_estimator: param_name must name an engine of {type(estimator).__name__}, whose noise "
        f"is scaled; it has {len(engines)}; got {given!r}. Candidates: {', '.join(engines) or '-'}."
    )
