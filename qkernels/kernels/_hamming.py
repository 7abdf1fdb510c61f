"""HammingKernel: a function of the Hamming weight of the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine, Orientation
from qkernels.feature_maps import FeatureMap
from qkernels.kernels._correction import Correction
from qkernels.kernels._counts import frequencies_of
from qkernels.kernels._outcomes import OutcomeKernel

__all__ = ["HammingKernel"]

Values = NDArray[np.float64]
Weighting = Literal["exponential", "linear"] | Callable[[NDArray[np.intp]], ArrayLike] | Sequence[float]


class HammingKernel(OutcomeKernel):
    r"""Hamming kernel: a weight function of the Hamming weight of the compute–uncompute outcome.

    .. math:: k(x, y) = \sum_b g(|b|)\, |\langle b|U(\theta(y))^\dagger U(\theta(x))|0\rangle|^2

    with |b| the number of ones in the outcome b; k(x, x) is g(0), which is 1 for the named functions. It uses all
    counts of the same circuits as `FidelityKernel`, which is the special case g(0) = 1, g(w) = 0 for w > 0, and
    concentrates later with the number of qubits.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        None is ``ZZFeatureMap(reps=2, entanglement="linear", data_map="product")``.
    engine : Engine, default=None
        None is ``AutoEngine()``.
    bandwidth : "scale" or float > 0, default="scale"
        As in `FidelityKernel`.
    weighting : {"exponential", "linear"}, callable or sequence of float, default="exponential"
        The function g. "exponential": :math:`g(w) = e^{-\lambda w}` with λ = `decay`; "linear":
        :math:`g(w) = 1 - w/n` (`LocalFidelityKernel` of single qubits). A callable takes the array 0 … n and returns
        n + 1 finite numbers; a sequence holds them.
    decay : float > 0, default=1.0
        λ of "exponential"; not used otherwise.
    corrections : list of Correction, default=None
        As in `FidelityKernel`; None is ``[ClipSpectrum()]`` on every engine, exact ones too (see Notes).
    orientation : {"canonical", "both"}, default="canonical"
        Which of two rows is prepared and which undone: "canonical" decides by content, "both" averages. They differ
        here even without noise.

    Attributes
    ----------
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The corrected training matrix, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Standard errors of ``gram_``, corrections included, to first order. Only where entries were sampled.
    gram_shots_ : ndarray of shape (n_fit, n_fit), int64
        Shots behind every entry. Only where entries were sampled.
    feature_map_ : FeatureMap
    engine_ : Engine
    corrections_ : list of Correction
        Fitted.
    offset_, factor_ : ndarray of shape (n_features,), float64
        θ = factor_ · (x − offset_).
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    Raises
    ------
    InvalidParameterError
        In `fit`: a parameter breaks its rule.

    See Also
    --------
    LocalFidelityKernel : patches of qubits instead of a weight function.
    FidelityKernel : the all-zero count alone.

    Notes
    -----
    Pr(b) for x, y differs from Pr(b) for y, x where b ≠ 0, so one orientation per pair is evaluated, and the matrix may
    have negative eigenvalues even where it is exact.

    Cost: on a device, the circuits and shots of `FidelityKernel`. In simulation, N(N−1)/2 outcome distributions are
    no N-state job: N·2^n states and N²·4^n/2 multiplications; larger requests than some minutes are refused with the
    numbers (``kernel.plan``).

    References
    ----------
    Agnihotri, Krebsbach, Reiter and Wellens, "Support Vector Machine with a Scalable Quantum Kernel",
    arXiv:2605.31449.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.feature_maps import SeparableMap
    >>> from qkernels.kernels import HammingKernel
    >>> k = HammingKernel(SeparableMap(), bandwidth=1.0, decay=np.log(2))
    >>> k([[0.0, 0.0]], [[0.0, np.pi]])  # one of two qubits reads 1: e^(−λ)
    array([[0.5]])
    """

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        engine: Engine | None = None,
        bandwidth: float | Literal["scale"] = "scale",
        weighting: Weighting = "exponential",
        decay: float = 1.0,
        corrections: Sequence[Correction] | None = None,
        orientation: Orientation = "canonical",
    ) -> None:
        self.feature_map = feature_map
        self.engine = engine
        self.bandwidth = bandwidth
        self.weighting = weighting
        self.decay = decay
        self.corrections = corrections
        self.orientation = orientation

    def from_histograms(self, H: ArrayLike) -> Values:
        r"""Kernel matrix of counts by Hamming weight, such as published ones; no fit is needed.

        Parameters
        ----------
        H : array-like of shape (n_x, n_y, n_qubits + 1)
            Counts >= 0 (or relative frequencies) of every pair of rows, index = Hamming weight.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64
            Raw values, without corrections.

        Raises
        ------
        InvalidParameterError
            `weighting` or `decay` breaks its rule.
        InvalidDataError
            `H` has another shape, holds what is no count, or has an entry without any count.

        Notes
        -----
        The matrix does not tell what it is made of: `DepolarizingMitigation` after it needs ``mixed_value``, the value
        of random outcomes, which is :math:`\sum_w g(w) \binom{n}{w} 2^{-n}` for n qubits; ``num_qubits`` would say
        2^−n.

        Examples
        --------
        >>> from qkernels.kernels import HammingKernel
        >>> HammingKernel(weighting="linear").from_histograms([[[70, 20, 10], [1, 0, 0]]])
        array([[0.8, 1. ]])
        """
        frequencies = frequencies_of(H, "HammingKernel.from_histograms")
        return np.asarray(frequencies @ self._score(frequencies.shape[2] - 1))

    def _patches(self, num_qubits: int) -> None:
        return None

    def _score(self, num_patches: int) -> Values:
        weights = np.arange(num_patches + 1)
        if isinstance(self.weighting, str):
            if self.weighting == "linear":
                return np.asarray(1.0 - weights / num_patches)
            if self.weighting == "exponential":
                return np.asarray(np.exp(-self._checked_decay() * weights))
        given = self.weighting(weights) if callable(self.weighting) else self.weighting
        try:
            score = np.asarray(None if isinstance(given, str) else given, dtype=np.float64)
        except (TypeError, ValueError):
            score = np.empty(0)
        if score.shape != (num_patches + 1,) or not np.isfinite(score).all():
            raise InvalidParameterError(
                "weighting of HammingKernel must be 'exponential', 'linear', a callable of the weights or a sequence, "
                f"with one finite number for each Hamming weight 0 to {num_patches} of {num_patches} qubit(s); "
                f"got {self.weighting!r}" + ("." if isinstance(given, str) else f", which gives shape {score.shape}.")
            )
        return score

    def _checked_decay(self) -> float:
        decay = self.decay
        if isinstance(decay, bool) or not isinstance(decay, Real) or not isfinite(decay) or not decay > 0:
            raise InvalidParameterError(f"decay of HammingKernel must be a finite number > 0; got {decay!r}.")
        return float(decay)
