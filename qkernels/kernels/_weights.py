"""Sample weights: one rule for kernels and estimators."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from qkernels._errors import InvalidDataError

__all__ = ["check_weights"]


def check_weights(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64]:
    """Sample weights as an array; all ones for None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float, or None
    n_samples : int

    Returns
    -------
    ndarray of shape (n_samples,), float64
        A new array.

    Raises
    ------
    InvalidDataError
        Wrong shape, a weight that is negative or not finite, or no positive weight at all.

    Examples
    --------
    >>> from qkernels.kernels import check_weights
    >>> check_weights(None, 3)
    array([1., 1., 1.])
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    try:
        weights = check_array(sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight", copy=True)
    except ValueError as error:
        raise InvalidDataError(str(error)) from error
    if weights.shape != (n_samples,):
        raise InvalidDataError(
            f"sample_weight must be of shape ({n_samples},), one weight for each sample of X; got shape "
            f"{weights.shape}."
        )
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise InvalidDataError(f"sample_weight must be >= 0; got {weights[row]} for sample {row}.")
    if not weights.any():
        raise InvalidDataError(
            f"Sample weights must contain at least one non-zero number; all {n_samples} weights are 0."
        )
    return np.asarray(weights, dtype=np.float64)
