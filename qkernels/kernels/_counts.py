"""What corrections and kernels made of counts check before they use them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.programs import Overlaps

__all__ = ["check_all_zero", "check_uncorrected", "frequencies_of"]

Values = NDArray[np.float64]

_ROUNDING = 1e-9
"""Two ways to add up the same counts or probabilities agree to this."""


def check_uncorrected(gram: Values, overlaps: Overlaps, owner: str) -> None:
    """Refuse a matrix that is not the measured one: a correction made of counts would undo what came before.

    Raises
    ------
    InvalidParameterError
        An earlier correction changed the matrix.
    """
    if gram is overlaps.values or np.array_equal(gram, overlaps.values):
        return
    change = float(np.abs(gram - overlaps.values).max()) if gram.shape == overlaps.values.shape else np.inf
    raise InvalidParameterError(
        f"{owner} must come first in corrections: it starts from the counts of every entry, and a correction before "
        f"it has changed the matrix (by up to {change:.3g}), which would be lost. Move {owner} to the front."
    )


def check_all_zero(frequencies: Values, overlaps: Overlaps, owner: str) -> None:
    """Refuse entries that are not the probability of reading zero everywhere.

    Raises
    ------
    InvalidParameterError
        The kernel is another function of its outcomes.
    """
    off = float(np.abs(frequencies - overlaps.values).max(initial=0.0))
    if off > _ROUNDING:
        raise InvalidParameterError(
            f"{owner} corrects fidelities, the probability of reading zero on all qubits; the entries given are "
            f"another function of the outcomes (off by up to {off:.3g}). Use it with FidelityKernel."
        )


def frequencies_of(histograms: ArrayLike, owner: str) -> Values:
    """Relative frequencies of Hamming weights from counts.

    Parameters
    ----------
    histograms : array-like of shape (n_x, n_y, n_qubits + 1)
        Counts >= 0, index = Hamming weight, at least one count for every entry.
    owner : str
        The method that takes them, for errors.

    Returns
    -------
    ndarray of shape (n_x, n_y, n_qubits + 1), float64

    Raises
    ------
    InvalidDataError
        Something else.
    """
    rule = f"H of {owner} must hold counts of shape (n_x, n_y, n_qubits + 1), index = Hamming weight"
    try:
        if np.iscomplexobj(histograms):
            raise TypeError("it holds complex numbers")
        counts = np.asarray(histograms, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"{rule}; got no array of real numbers ({error}).") from error
    if counts.ndim != 3 or counts.shape[2] < 2:
        raise InvalidDataError(f"{rule}; got shape {counts.shape}.")
    wrong = ~(np.isfinite(counts) & (counts >= 0.0))
    if wrong.any():
        x, y, weight = (int(index) for index in np.argwhere(wrong)[0])
        raise InvalidDataError(
            f"{rule}, finite and >= 0; got {counts[x, y, weight]} for weight {weight} of entry ({x}, {y})."
        )
    total = counts.sum(axis=2)
    if not total.all():
        x, y = (int(index) for index in np.argwhere(total == 0.0)[0])
        raise InvalidDataError(f"{rule}, at least one count for every entry; got none for entry ({x}, {y}).")
    return np.asarray(counts / total[:, :, None])
