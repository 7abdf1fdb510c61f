"""BitFlipTolerance: a few wrong bits count as none."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom
from sklearn.utils.validation import check_is_fitted

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.kernels._correction import Correction
from qkernels.kernels._counts import check_all_zero, check_uncorrected, frequencies_of
from qkernels.kernels._spectrum import check_gram
from qkernels.programs import Overlaps, wilson_stderr

__all__ = ["BitFlipTolerance"]

Values = NDArray[np.float64]


class BitFlipTolerance(Correction):
    r"""Count every outcome of Hamming weight up to t as zero.

    .. math:: K_{ij} \to \sum_{w \le t} \mathrm{Pr}(\text{the outcome has weight } w)

    A few flipped bits of a wide register turn a zero outcome into another one, at a rate that grows with the number of
    qubits; the tolerance takes them back. It also takes in outcomes that are right: the kernel becomes a smoother one,
    `HammingKernel` with the step function g(w) = 1 for w ≤ t and 0 above.

    Parameters
    ----------
    t : int >= 0, default=1
        At most the number of qubits; 0 changes nothing.

    Attributes
    ----------
    num_qubits_ : int

    See Also
    --------
    HammingKernel : other functions of the Hamming weight.
    ReadoutMitigation : takes back readout errors alone, without bias, at the price of noise.

    Notes
    -----
    It must come first among the corrections, and works on fidelities: kernels of other functions of the outcome
    (`HammingKernel`, `LocalFidelityKernel` with its weights of patches) are refused.

    Outcomes other than zero depend on which of two rows is prepared and which undone, so that the corrected matrix may
    have negative eigenvalues also where values are exact. Corrections after it are told that random outcomes are worth
    :math:`2^{-n} \sum_{w \le t} \binom{n}{w}` instead of 2^−n, which `DepolarizingMitigation` subtracts.

    Cost: none on a device, whose counts it uses; in exact simulation, outcome distributions of all pairs as for
    `HammingKernel`.

    References
    ----------
    Agliardi et al., "Mitigating exponential concentration in covariant quantum kernels for subspace and real-world
    data", arXiv:2412.07915.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import FidelityKernel, StatevectorEngine
    >>> from qkernels.kernels import BitFlipTolerance, ClipSpectrum
    >>> X = np.linspace(0.0, 1.0, 12).reshape(6, 2)
    >>> engine = StatevectorEngine(shots=1000, seed=0)
    >>> kernel = FidelityKernel(engine=engine, corrections=[BitFlipTolerance(1), ClipSpectrum()]).fit(X)
    >>> bool((kernel.gram_ > kernel(X) - 0.1).all())
    True

    Counts published with a paper, of three qubits and one pair of rows:

    >>> BitFlipTolerance(1).from_histograms([[[70, 20, 8, 2]]])
    array([[0.9]])
    """

    requires: ClassVar[frozenset[str]] = frozenset({"weights"})

    def __init__(self, t: int = 1) -> None:
        self.t = t

    @property
    def entrywise(self) -> bool:
        """True: every entry has its own counts."""
        return True

    def from_histograms(self, H: ArrayLike) -> Values:
        """Kernel matrix of counts by Hamming weight, such as published ones; no fit is needed.

        Parameters
        ----------
        H : array-like of shape (n_x, n_y, n_qubits + 1)
            Counts >= 0 (or relative frequencies) of every pair of rows, index = Hamming weight.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64 in [0, 1]

        Raises
        ------
        InvalidParameterError
            `t` is no integer >= 0.
        InvalidDataError
            `H` has another shape, holds what is no count, has an entry without any count, or is of fewer than `t`
            qubits.

        Notes
        -----
        The matrix does not tell what it is made of: `DepolarizingMitigation` after it needs ``mixed_value``, the value
        of random outcomes, which is ``scipy.stats.binom.cdf(t, n, 0.5)`` for n qubits; ``num_qubits`` would say 2^−n.

        Examples
        --------
        >>> from qkernels.kernels import BitFlipTolerance
        >>> BitFlipTolerance(0).from_histograms([[[3, 1, 0], [1, 0, 0]]])
        array([[0.75, 1.  ]])
        """
        t = self._checked_tolerance()
        frequencies = frequencies_of(H, "BitFlipTolerance.from_histograms")
        _check_qubits(t, frequencies.shape[2] - 1)
        return _tolerated(frequencies, t)

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Check that the matrix is made of counts of the right kind; nothing is learned.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The measured training matrix.
        overlaps : Overlaps
            With `weights`.
        sample_weight : ndarray of shape (n_fit,), optional
            Not used.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            `t` is no integer >= 0; there are no weights, or those of patches of qubits; an earlier correction has
            changed the matrix; its entries are not fidelities.
        InvalidDataError
            `gram` is no finite square matrix, or `t` is above the number of qubits.
        """
        t = self._checked_tolerance()
        gram = check_gram(gram, "BitFlipTolerance")
        measured, weights = _counted(overlaps, "fit")
        check_uncorrected(gram, measured, "BitFlipTolerance")
        num_qubits = weights.shape[-1] - 1
        if (n := measured.info.get("num_qubits", num_qubits)) != num_qubits:
            raise InvalidParameterError(
                f"overlaps.weights of BitFlipTolerance must count qubits; got the weights of {num_qubits} patch(es) of "
                f"{n} qubits. Use it with FidelityKernel."
            )
        check_all_zero(weights[..., 0], measured, "BitFlipTolerance")
        _check_qubits(t, num_qubits)
        self.num_qubits_ = num_qubits
        return self

    def transform_gram(self, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Count again, with tolerance.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`; its entries are counted anew.
        overlaps : Overlaps
            With `weights`.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            There are no weights.
        """
        check_is_fitted(self)
        return _tolerated(_counted(overlaps, "transform_gram")[1], int(self.t))

    def transform_cross(self, cross: Values, overlaps: Overlaps | None = None) -> Values:
        """Count again, with tolerance.

        Parameters
        ----------
        cross : ndarray of shape (n_new, n_fit)
            Its entries are counted anew.
        overlaps : Overlaps
            With `weights`.

        Returns
        -------
        ndarray of shape (n_new, n_fit)

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            There are no weights.
        """
        check_is_fitted(self)
        return _tolerated(_counted(overlaps, "transform_cross")[1], int(self.t))

    def transform_stderr(self, stderr: Values, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Standard errors of the new counts: Wilson half-widths of the tolerated outcomes.

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
            Of the measured matrix; where `overlaps` has no numbers of shots, it is returned.
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps
            With `weights` and `num_shots`.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            0 where an entry is known without shots.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            There are no weights.
        """
        check_is_fitted(self)
        measured, weights = _counted(overlaps, "transform_stderr")
        if measured.num_shots is None:
            return stderr
        shots = np.maximum(measured.num_shots, 1)
        return np.where(measured.num_shots > 0, wilson_stderr(_tolerated(weights, int(self.t)), shots), 0.0)

    def inform(self, overlaps: Overlaps) -> Overlaps:
        """Tell later corrections what random outcomes are worth with tolerance.

        Parameters
        ----------
        overlaps : Overlaps

        Returns
        -------
        Overlaps
            With another ``info["mixed_value"]``.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        mixed = float(binom.cdf(int(self.t), self.num_qubits_, 0.5))
        return replace(overlaps, info={**overlaps.info, "mixed_value": mixed})

    def _checked_tolerance(self) -> int:
        if isinstance(self.t, bool) or not isinstance(self.t, Integral) or self.t < 0:
            raise InvalidParameterError(f"t of BitFlipTolerance must be an integer >= 0; got {self.t!r}.")
        return int(self.t)


def _check_qubits(t: int, num_qubits: int) -> None:
    if t > num_qubits:
        raise InvalidDataError(
            f"t of BitFlipTolerance must be at most the number of qubits; got t={t} for the counts of {num_qubits} "
            "qubit(s)."
        )


def _counted(overlaps: Overlaps | None, method: str) -> tuple[Overlaps, Values]:
    if overlaps is None or overlaps.weights is None:
        raise InvalidParameterError(
            f"overlaps of BitFlipTolerance.{method} must hold weights of outcomes, which it counts; got "
            f"{'None' if overlaps is None else 'weights=None'}. A kernel asks its engine for them; of published counts "
            "from_histograms makes a matrix."
        )
    return overlaps, overlaps.weights


def _tolerated(frequencies: Values, t: int) -> Values:
    """Of frequencies by weight; they add up to 1 but for rounding."""
    return np.asarray(np.minimum(frequencies[..., : t + 1].sum(axis=-1), 1.0))
