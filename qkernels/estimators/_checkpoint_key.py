"""What a checkpoint belongs to: data, model, engine and settings of a fit under one key."""

from __future__ import annotations

import hashlib
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qkernels.programs import settings_text

if TYPE_CHECKING:
    from qkernels.estimators._variational import VariationalEstimator

__all__ = ["checkpoint_key"]

Values = NDArray[np.float64]


def checkpoint_key(
    model: VariationalEstimator, optimizer: str, angles: Values, targets: Values, weights: Values
) -> str:
    """A key that is the same in every process and differs where a fit may end elsewhere.

    Limits of iterations are not part of it: a fit goes on when they are raised.

    Parameters
    ----------
    model : VQC or VQR
        Built for the data.
    optimizer : str
        Its settings, see `Method`.
    angles, targets, weights : ndarray
        Scaled rows, what they are to give, and how much they count.

    Returns
    -------
    str
    """
    head = model._head
    stops = (model.validation_fraction, model.n_iter_no_change) if model.early_stopping else None
    seed = model.random_state if isinstance(model.random_state, Integral) else None
    start = model.initial_point
    readout = (head.readout.kind, head.readout.matrix, head.readout.offset, head.readout.fits_offset)
    parts = [
        model._program.key,
        readout,
        head.loss,
        optimizer,
        (float(model.tol), model.batch_size, stops),
        model.engine_.identity,
        start if isinstance(start, str) else np.asarray(start, dtype=np.float64),
        None if seed is None else int(seed),
        (angles, targets, weights),
    ]
    return hashlib.sha256(settings_text(parts).encode()).hexdigest()
