"""Every error and warning of qkernels, and which line a warning is about: the user's (`user_stacklevel`).

A message names the parameter, its owner, the rule, the value received, and what to do about it.
Errors that a caller would expect as `ValueError` or `RuntimeError` are those too, so that scikit-learn tools
(`GridSearchCV(error_score=...)`, estimator checks) treat them as they treat scikit-learn's own.
"""

from __future__ import annotations

import sys

__all__ = [
    "BandwidthWarning",
    "BudgetError",
    "CalibrationChangedWarning",
    "ConcentrationWarning",
    "ExecutionError",
    "InvalidDataError",
    "InvalidParameterError",
    "MissingNoiseWarning",
    "NotPSDWarning",
    "QKernelsError",
    "QKernelsWarning",
    "UnsupportedCircuitError",
    "user_stacklevel",
]

_BETWEEN = frozenset({"qkernels", "qkernels_hardware", "sklearn", "joblib", "functools", "contextlib"})
"""Packages whose frames lie between a user's line and a warning."""


class QKernelsError(Exception):
    """Base class of every error that qkernels raises on purpose."""


class InvalidParameterError(QKernelsError, ValueError):
    """A parameter of one of our classes or functions breaks its rule."""


class InvalidDataError(QKernelsError, ValueError):
    """The data (X, y, sample_weight, a table) cannot be used as they are."""


class UnsupportedCircuitError(QKernelsError, ValueError):
    """A circuit holds an instruction that the chosen engine cannot evaluate; names it and its position."""


class ExecutionError(QKernelsError, RuntimeError):
    """An evaluation started and could not be finished."""


class BudgetError(QKernelsError, RuntimeError):
    """A request exceeds a limit set by the user: memory, shots, QPU seconds or jobs."""


class QKernelsWarning(UserWarning):
    """Base class of every warning of qkernels."""


class NotPSDWarning(QKernelsWarning):
    """A training matrix has eigenvalues clearly below zero and nothing repairs it."""


class ConcentrationWarning(QKernelsWarning):
    """Kernel entries are indistinguishable from each other at the shots used."""


class BandwidthWarning(QKernelsWarning):
    """The bandwidth leaves the kernel close to the identity or close to constant."""


class MissingNoiseWarning(QKernelsWarning):
    """A circuit uses a gate that a noise model does not know; it is evaluated without error."""


class CalibrationChangedWarning(QKernelsWarning):
    """A device was recalibrated between two parts of one series of measurements."""


def user_stacklevel() -> int:
    """`stacklevel` for a call of `warnings.warn` in the calling function.

    Returns
    -------
    int
        Of the innermost line that is neither ours nor of a library that calls us for the user.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    return level
