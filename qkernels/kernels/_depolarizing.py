"""DepolarizingMitigation: the inverse of global depolarizing noise, read off the diagonal."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, isfinite
from numbers import Integral, Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.kernels._correction import Correction
from qkernels.kernels._spectrum import check_gram
from qkernels.kernels._unit_diagonal import stderr_of_ratio
from qkernels.kernels._weights import check_weights
from qkernels.programs import Overlaps

__all__ = ["DepolarizingMitigation"]

Values = NDArray[np.float64]


class DepolarizingMitigation(Correction):
    r"""Undo global depolarizing noise, with rates that the measured diagonal shows.

    The model of every entry is :math:`\tilde K_{ij} = (1 - L_{ij}) K_{ij} + L_{ij}/d` with d = 2^n: with probability L
    the circuit ends in the maximally mixed state. Without noise, a row has the overlap 1 with itself; so the measured
    diagonal tells L, and the model is inverted:

    .. math:: L_{ii} = (1 - \tilde K_{ii}) \frac{d}{d - 1}, \qquad
        K_{ij} = \frac{\tilde K_{ij} - L_{ij}/d}{1 - L_{ij}}

    Parameters
    ----------
    method : {"single", "mean", "split"}, default="mean"
        - "single": one L for all entries, from one entry of the diagonal: the median one. (The reference takes the
          first row; the median does not depend on the order of rows. Of two middle ones it is the smaller.)
        - "mean": one L for all entries, from the mean of the diagonal.
        - "split": every row has its own rate, :math:`\lambda_i = 1 - \sqrt{1 - L_{ii}}`, and
          :math:`L_{ij} = \lambda_i + \lambda_j - \lambda_i \lambda_j`. The diagonal becomes 1; new rows are measured
          with themselves.
    num_qubits : int >= 1, default=None
        n. None takes what the engine says; to be given where a matrix of fidelities comes without its measurement.
        Another number than the engine's is refused.
    mixed_value : float, default=None
        The kernel's value of random outcomes, in place of 1/d. None takes 1/d, or what the kernel or a correction
        before this one says instead (see Notes); to be given, and then alone, where a matrix of something else than
        fidelities comes without its measurement. It has the last word: under strong readout errors random outcomes
        are worth something else, too.

    Attributes
    ----------
    rate_ : float
        L. Only with "single" and "mean".
    rates_ : ndarray of shape (n_fit,), float64
        λ of every training row. Only with "split".

    See Also
    --------
    ReadoutMitigation, BitFlipTolerance : to be put before this one.
    ClipSpectrum : to be put after it.

    Notes
    -----
    Order. The rates are those of the matrix as the corrections before this one left it: readout errors that are undone
    first no longer count as depolarizing (their asymptote is not 1/d). After a repair of eigenvalues the diagonal says
    nothing about noise any more, so repairs come after; "split" refuses to stand behind one, where self-values of new
    rows are unknown. The inverse multiplies noise by 1/(1 − L) and leaves negative eigenvalues: follow it with
    `ClipSpectrum`, not with `ShiftSpectrum`, whose shift of the diagonal takes back part of what was gained.

    Of `HammingKernel`, `LocalFidelityKernel` and `BitFlipTolerance` the model is the same with the kernel's value of
    random outcomes in place of 1/d. Inside a kernel this is known. A matrix of ``from_histograms`` does not tell it:
    pass ``mixed_value``, :math:`\sum_w g(w) \binom{n}{w} 2^{-n}` for n qubits, where g is the weighting (1 up to t and
    0 above for `BitFlipTolerance`) with g(0) = 1.

    Standard errors are of first order in those of entry and diagonal. An error of the rates moves all entries together:
    off the diagonal, errors of different entries are then not independent.

    Cost: the diagonal has to be measured (N more entries; engines with noise always do), and for new rows their
    entries with themselves.

    References
    ----------
    Hubregtsen et al., "Training quantum embedding kernels on near-term quantum computers", arXiv:2105.02276, section V.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.kernels import BitFlipTolerance, DepolarizingMitigation
    >>> K = np.array([[1.0, 0.6], [0.6, 1.0]])
    >>> noisy = 0.7 * K + 0.3 / 4
    >>> mitigation = DepolarizingMitigation("mean", num_qubits=2).fit(noisy)
    >>> round(mitigation.rate_, 12)
    0.3
    >>> mitigation.transform_gram(noisy).round(12)
    array([[1. , 0.6],
           [0.6, 1. ]])

    A matrix of published counts of three qubits, in which one wrong bit counts as none: random outcomes are worth
    (1 + 3)/8.

    >>> H = np.array([[[78, 12, 9, 1], [25, 15, 50, 10]], [[25, 15, 50, 10], [78, 12, 9, 1]]])
    >>> K = BitFlipTolerance(1).from_histograms(H)
    >>> round(DepolarizingMitigation(mixed_value=0.5).fit(K).rate_, 12)
    0.2
    """

    requires: ClassVar[frozenset[str]] = frozenset({"diagonal"})

    def __init__(
        self,
        method: Literal["single", "mean", "split"] = "mean",
        num_qubits: int | None = None,
        mixed_value: float | None = None,
    ) -> None:
        self.method = method
        self.num_qubits = num_qubits
        self.mixed_value = mixed_value

    @property
    def entrywise(self) -> bool:
        """Whether one rate is used for all entries."""
        return self.method != "split"

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Find the rates.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            Training matrix with its measured diagonal.
        overlaps : Overlaps, optional
            ``info`` tells the number of qubits and the value of random outcomes; with "split", `diagonals` must be
            known.
        sample_weight : ndarray of shape (n_fit,), optional
            Weights >= 0 of median and mean: a weight of 2 is the same as a repeated row.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            `method` is none of the three; `num_qubits` is no integer >= 1, contradicts what was measured, or is given
            by nobody; `mixed_value` is no finite number, or is given beside `num_qubits`; the value of a row with
            itself is not above that of random outcomes; or "split" stands behind a correction that has no rule for the
            self-values of new rows.
        InvalidDataError
            `gram` is no finite square matrix, the weights break their rule, or an entry of the diagonal is not above
            1/d (of rows of positive weight; with "split", of all rows).
        """
        if self.method not in ("single", "mean", "split"):
            raise InvalidParameterError(
                f"method of DepolarizingMitigation must be 'single', 'mean' or 'split'; got {self.method!r}."
            )
        gram = check_gram(gram, "DepolarizingMitigation")
        weights = check_weights(sample_weight, len(gram))
        self._pure, self._mixed = self._limits(overlaps)
        if self.method == "split" and overlaps is not None and overlaps.diagonals is None:
            raise InvalidParameterError(
                "method='split' of DepolarizingMitigation must know self-values of new rows, and overlaps.diagonals is "
                "None: a correction before it (a repair of eigenvalues) has no rule for them, or the engine gave none. "
                "Move DepolarizingMitigation before the repair, or use method='mean'."
            )
        diagonal = np.diag(gram)
        counts = weights > 0.0
        self._check_above(diagonal, counts | (self.method == "split"), "training row")
        for name in ("rate_", "rates_"):
            self.__dict__.pop(name, None)  # of an earlier fit with another method
        if self.method == "split":
            self._left = np.sqrt(self._kept(diagonal))
            self.rates_: Values = 1.0 - self._left
            return self
        if self.method == "mean":
            self._shares = weights / weights.max()
            self._shares /= self._shares.sum()
            value = self._pure - float(self._shares @ (self._pure - diagonal))  # exact where there is no noise
        else:
            value = _lower_median(diagonal[counts], weights[counts])
            self._shares = ((diagonal == value) & counts).astype(np.float64)  # equal ones count as one measurement
        self._one_rate = float(self._kept(np.array(value)))
        self.rate_ = 1.0 - self._one_rate
        return self

    def transform_gram(self, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Invert the noise of the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            May lie outside [0, 1] where `gram` was sampled.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        return self._inverted(gram, np.outer(self._left, self._left) if hasattr(self, "rates_") else self._one_rate)

    def transform_cross(self, cross: Values, overlaps: Overlaps | None = None) -> Values:
        """Invert the noise of K(X_new, X_fit).

        Parameters
        ----------
        cross : ndarray of shape (n_new, n_fit)
        overlaps : Overlaps
            With "split", `diagonals` has the self-values of the new rows.

        Returns
        -------
        ndarray of shape (n_new, n_fit)

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            "split" without the self-values of the new rows.
        InvalidDataError
            With "split", the self-value of a new row is not above 1/d.
        """
        check_is_fitted(self)
        if not hasattr(self, "rates_"):
            return self._inverted(cross, self._one_rate)
        if overlaps is None or overlaps.diagonals is None:
            raise InvalidParameterError(
                "overlaps of DepolarizingMitigation.transform_cross must hold diagonals, the self-values of the new "
                "rows, with method='split'; got none. Measure them, or use method='mean'."
            )
        own = overlaps.diagonals[0]
        self._check_above(own, np.ones(len(own), dtype=np.bool_), "new row")
        return self._inverted(cross, np.outer(np.sqrt(self._kept(own)), self._left))

    def transform_new(self, values: Values, left: Values, right: Values, overlaps: Overlaps | None = None) -> Values:
        """Invert the noise of entries of new rows among themselves.

        Parameters
        ----------
        values : ndarray of shape (n_new, n_new), or (n_new, 1)
        left, right : ndarray of shape (n_new, 1), and (1, n_new) or (n_new, 1)
            Self-values, which tell the rates with "split".
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of the shape of `values`

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidDataError
            With "split", the self-value of a new row is not above 1/d.
        """
        check_is_fitted(self)
        if not hasattr(self, "rates_"):
            return self._inverted(values, self._one_rate)
        own = left.ravel()
        self._check_above(own, np.ones(len(own), dtype=np.bool_), "new row")
        return self._inverted(values, np.sqrt(self._kept(left) * self._kept(right)))

    def transform_stderr(self, stderr: Values, gram: Values, overlaps: Overlaps | None = None) -> Values:
        r"""Standard errors after the inversion, those of the rates included.

        With m = 1/d and δ the value that sets the rate, :math:`K_{ij} - m = (1 - m)(\tilde K_{ij} - m)/(δ - m)`, so

        .. math:: \mathrm{Var}_{ij} = \frac{\sigma_{ij}^2}{(1 - L)^2}
            + \left(\frac{K_{ij} - m}{δ - m}\right)^2 \sigma_δ^2

        and less on the diagonal, which δ moves with; with "split", as for `UnitDiagonal` of :math:`\tilde K - m`.

        With "single" they are bounds from above: the error of the median counts as that of the entry found there. That
        is right where self-values differ by more than their errors. Where they do not, the median takes part of the
        errors away, and what is found here is too large: by up to 1.3 away from the diagonal and 1.42 (√2, as δ then
        has no error at all) on it, in repeated experiments with 5 to 60 equal self-values; at weak overlaps by less.

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
            σ, symmetric.
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            0 where the inversion makes an entry 1 whatever was measured: on the diagonal with "split", at the median
            with "single".

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        above = self.transform_gram(gram) - self._mixed
        span = self._pure - self._mixed
        own = np.diag(stderr)
        if hasattr(self, "rates_"):
            left = np.outer(self._left, self._left)
            return stderr_of_ratio(stderr / left, above, own / (span * self._left**2))
        slope = above / (span * self._one_rate)  # what an error of δ takes away from an entry
        shared = self._shares * own
        # Equal entries of the diagonal that "single" finds are taken for one measurement, so they all move with δ.
        of_rate = float(np.linalg.norm(shared) if self.method == "mean" else shared.max())
        found = np.hypot(stderr / self._one_rate, slope * of_rate)
        by_itself = np.abs(1.0 / self._one_rate - np.diag(slope) * self._shares) * own
        by_others = np.diag(slope) * np.sqrt(np.maximum(of_rate**2 - shared**2, 0.0))
        np.fill_diagonal(found, np.hypot(by_itself, by_others))
        return np.asarray(found)

    def _limits(self, overlaps: Overlaps | None) -> tuple[float, float]:
        """Entries of a row with itself without noise, and of random outcomes."""
        n = self.num_qubits
        if n is not None and (isinstance(n, bool) or not isinstance(n, Integral) or n < 1):
            raise InvalidParameterError(
                f"num_qubits of DepolarizingMitigation must be None or an integer >= 1; got {n!r}."
            )
        given = self.mixed_value
        if given is not None and (isinstance(given, bool) or not isinstance(given, Real) or not isfinite(given)):
            raise InvalidParameterError(
                f"mixed_value of DepolarizingMitigation must be None or a finite number; got {given!r}."
            )
        if given is not None and n is not None:
            raise InvalidParameterError(
                "num_qubits of DepolarizingMitigation must be None where mixed_value is given, which takes the place "
                f"of 2**-num_qubits; got num_qubits={n!r} and mixed_value={given!r}. Pass one of them."
            )
        info = {} if overlaps is None else overlaps.info
        pure = float(info.get("self_value", 1.0))
        mixed = float(given) if given is not None else self._told_value(info)
        if not pure > mixed:
            raise InvalidParameterError(
                "DepolarizingMitigation takes kernels that tell a row with itself from random outcomes: their values "
                f"must be larger; got {pure:.6g} and {mixed:.6g}. Leave it out for this kernel."
            )
        return pure, mixed

    def _told_value(self, info: Mapping[str, object]) -> float:
        """The entry of random outcomes by what is told and by `num_qubits`, which must not contradict each other."""
        n, told = self.num_qubits, info.get("num_qubits")
        if n is not None and told is not None and told != n:
            raise InvalidParameterError(
                f"num_qubits of DepolarizingMitigation must be the number of measured qubits, {told}, or None; got "
                f"{n!r}. Leave it None, or pass mixed_value for another value of random outcomes."
            )
        n = n if told is None else int(str(told))
        if "mixed_value" not in info:
            if n is None:
                raise InvalidParameterError(
                    "num_qubits of DepolarizingMitigation must be given where the engine does not say how many qubits "
                    "it measured; got None."
                )
            return 0.5**n
        mixed = float(str(info["mixed_value"]))
        if told is None and n is not None and not isclose(mixed, 0.5**n, rel_tol=1e-9):
            raise InvalidParameterError(
                f"num_qubits of DepolarizingMitigation must be None where random outcomes are worth {mixed:.6g} and "
                f"not {0.5**n:.6g}, as the kernel or a correction before it says; got {n!r}."
            )
        return mixed

    def _kept(self, diagonal: Values) -> Values:
        """1 − L for self-values."""
        return np.asarray((diagonal - self._mixed) / (self._pure - self._mixed))

    def _inverted(self, values: Values, kept: Values | float) -> Values:
        return np.asarray((values - (1.0 - kept) * self._mixed) / kept)

    def _check_above(self, diagonal: Values, counts: NDArray[np.bool_], what: str) -> None:
        wrong = np.flatnonzero(counts & ~(diagonal > self._mixed))
        if not len(wrong):
            return
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise InvalidDataError(
            f"DepolarizingMitigation cannot invert the noise of {what} {wrong[0]}{more}: its measured value with "
            f"itself, {float(diagonal[wrong[0]]):.6g}, must be above {self._mixed:.6g}, that of the maximally mixed "
            "state (1/d of a fidelity), where no signal is left. Use a shallower circuit, more shots, or leave it out."
        )


def _lower_median(values: Values, weights: Values) -> float:
    """The smallest value that at least half of the weight does not exceed."""
    order = np.argsort(values)
    total = np.cumsum(weights[order] / weights.max())
    return float(values[order][np.searchsorted(total, 0.5 * total[-1] * (1.0 - 1e-12))])
