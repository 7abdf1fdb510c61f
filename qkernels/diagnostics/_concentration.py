"""Spread of the off-diagonal entries of a kernel matrix, against the shot noise that would measure them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.diagnostics._matrices import off_diagonal
from qkernels.programs import RESOLUTION_SIGMAS, shots_to_resolve


@dataclass(frozen=True, slots=True)
class OffDiagonalStatistics:
    """Spread of the off-diagonal entries of a kernel matrix.

    Attributes
    ----------
    mean, std : float
        Of the entries above the diagonal; `std` without the shot noise of the matrix, where `stderr` was
        given.
    num_entries : int
        n(n−1)/2.
    shots : int
        Shots per entry that the statements below are about.
    shot_sigma : float
        sqrt(mean·(1−mean)/shots), the shot noise of an average entry.
    shot_variance : float
        mean(k(1−k))/shots over the entries, the variance that shots add to the spread.
    shots_needed : float
        4·mean·(1−mean)/std²: the shots at which `std` is two sigmas; infinite if all entries are equal.
    """

    mean: float
    std: float
    num_entries: int
    shots: int
    shot_sigma: float
    shot_variance: float
    shots_needed: float

    @property
    def indistinguishable(self) -> bool:
        """Whether the entries spread by less than two sigmas of shot noise."""
        # "<=" so that entries that are all 0 (K = I) or all 1 count, where both sides vanish.
        return self.std <= RESOLUTION_SIGMAS * self.shot_sigma

    def __str__(self) -> str:
        return (
            f"off-diagonal mean {self.mean:.3g}, std {self.std:.3g}; shot noise {self.shot_sigma:.2g} "
            f"at {self.shots:,} shots ({'not ' if self.indistinguishable else ''}resolved)"
        )


def off_diagonal_statistics(
    gram: ArrayLike, *, shots: int = 4096, stderr: ArrayLike | None = None
) -> OffDiagonalStatistics:
    """Compare the spread of kernel entries with the shot noise of a budget.

    Parameters
    ----------
    gram : array-like of shape (n, n)
        Symmetric kernel matrix with entries in [0, 1]; the diagonal is not used.
    shots : int, default=4096
        Shots per entry of the device run in question.
    stderr : array-like of shape (n, n), optional
        Standard errors of `gram` where it was itself sampled (``gram_stderr_``); their mean square is taken
        off the variance, so that the noise of the estimate does not count as spread.

    Returns
    -------
    OffDiagonalStatistics

    Raises
    ------
    InvalidDataError
        If `gram` is not a finite symmetric matrix with entries in [0, 1], or `stderr` has another shape.
    InvalidParameterError
        If `shots` is not a positive integer.

    Notes
    -----
    Fidelity kernels of many qubits concentrate: entries differ by less and less, and a matrix measured with S
    shots cannot be told from a constant one when std < 2·sqrt(mean·(1−mean)/S).

    References
    ----------
    Thanasilp et al., "Exponential concentration in quantum kernel methods", arXiv:2208.11060.

    Examples
    --------
    >>> from qkernels.diagnostics import off_diagonal_statistics
    >>> K = [[1, 0.50, 0.51], [0.50, 1, 0.49], [0.51, 0.49, 1]]
    >>> print(off_diagonal_statistics(K, shots=1000))
    off-diagonal mean 0.5, std 0.00816; shot noise 0.016 at 1,000 shots (not resolved)
    >>> round(off_diagonal_statistics(K, shots=1000).shots_needed)
    15000
    """
    if isinstance(shots, bool) or not isinstance(shots, Integral) or shots < 1:
        raise InvalidParameterError(f"off_diagonal_statistics: shots must be a positive integer; got {shots!r}.")
    entries = off_diagonal(gram, name="gram")
    outside = entries[(entries < -1e-9) | (entries > 1 + 1e-9)]
    if len(outside):
        raise InvalidDataError(
            f"gram must hold probabilities in [0, 1]; got {float(outside[0]):.6g}. Shot noise is defined for "
            "fidelity kernels only."
        )
    entries = entries.clip(0.0, 1.0)
    mean, variance = float(entries.mean()), float(entries.var())
    if stderr is not None:
        errors = np.asarray(stderr, dtype=np.float64)
        shape = np.shape(gram)
        if errors.shape != shape:
            raise InvalidDataError(f"stderr must have the shape of gram, {shape}; got {errors.shape}.")
        variance = max(variance - float((errors[np.triu_indices(len(errors), k=1)] ** 2).mean()), 0.0)
    one_shot = mean * (1.0 - mean)
    return OffDiagonalStatistics(
        mean=mean,
        std=sqrt(variance),
        num_entries=len(entries),
        shots=int(shots),
        shot_sigma=sqrt(one_shot / shots),
        shot_variance=float((entries * (1.0 - entries)).mean()) / shots,
        shots_needed=shots_to_resolve(mean, variance),
    )
