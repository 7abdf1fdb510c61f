"""The default model of a table, its width, and how its columns become angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkernels.engines import AutoEngine
from qkernels.feature_maps import (
    AffineScaling,
    Bandwidth,
    FeatureMap,
    ReuploadingMap,
    ZZFeatureMap,
    check_bandwidth,
    fit_scaling,
)
from qkernels.programs import OverlapProgram
from qkernels.variational._ansatz import Ansatz
from qkernels.variational._circuit_ansatz import CircuitAnsatz
from qkernels.variational._efficient_su2 import EfficientSU2Ansatz
from qkernels.variational._readout import Readout

__all__ = ["default_ansatz", "default_feature_map", "learn_scaling", "model_width"]

Values = NDArray[np.float64]

_MOST_QUBITS = 8
"""Qubits of the default model: gradients of that width take milliseconds, and they do not vanish."""


def default_feature_map(n_features: int) -> FeatureMap:
    """The feature map that ``feature_map=None`` of a variational model stands for.

    Parameters
    ----------
    n_features : int
        Number of features d.

    Returns
    -------
    FeatureMap
        ``ZZFeatureMap(reps=1)``, a qubit for each feature, up to 8 features; ``ReuploadingMap(8)`` for more.

    Examples
    --------
    >>> from qkernels.variational import default_feature_map
    >>> default_feature_map(4), default_feature_map(30)
    (ZZFeatureMap(reps=1), ReuploadingMap())
    """
    return ZZFeatureMap(reps=1) if n_features <= _MOST_QUBITS else ReuploadingMap(_MOST_QUBITS)


def default_ansatz() -> Ansatz:
    """The ansatz that ``ansatz=None`` of a variational model stands for.

    Returns
    -------
    Ansatz
        ``EfficientSU2Ansatz(reps=2)``. RY and CX alone cannot turn the phases that a ZZ map writes into what is
        measured.

    Examples
    --------
    >>> from qkernels.variational import default_ansatz
    >>> default_ansatz()
    EfficientSU2Ansatz(reps=2)
    """
    return EfficientSU2Ansatz(reps=2)


def learn_scaling(bandwidth: object, feature_map: FeatureMap, X: Values, weights: Values, owner: str) -> AffineScaling:
    """The scaling of the columns of X that ``bandwidth=`` stands for, as kernels learn it.

    Parameters
    ----------
    bandwidth : "scale" or float > 0
    feature_map : FeatureMap
    X : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,), >= 0
    owner : str
        Class name for errors.

    Returns
    -------
    AffineScaling

    Raises
    ------
    InvalidParameterError
        `bandwidth` is neither "scale" nor a positive number.
    """
    checked: Bandwidth = check_bandwidth(bandwidth, owner)
    n_features = X.shape[1]

    def mean_overlap(angles: Values) -> float:
        program = OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))
        values = AutoEngine().overlaps(program, angles).values
        n = len(values)
        return float((values.sum() - np.trace(values)) / (n * (n - 1)))

    return fit_scaling(checked, feature_map.scale_rule, X, weights, mean_overlap)


def model_width(
    feature_map: FeatureMap, ansatz: Ansatz, readout: Readout, n_features: int, num_outputs: int
) -> int | None:
    """Qubits of a model: more than those of the feature map where the readout needs them and the ansatz can have them.

    Parameters
    ----------
    feature_map : FeatureMap
    ansatz : Ansatz
    readout : Readout
    n_features : int
        Number of features d.
    num_outputs : int
        Classes; 1 for regression.

    Returns
    -------
    int or None
        For `compose_model`, which refuses what is no feature map or ansatz; None where their width is fixed.

    Examples
    --------
    >>> from qkernels.feature_maps import ZZFeatureMap
    >>> from qkernels.variational import ClassesReadout, RealAmplitudesAnsatz, model_width
    >>> model_width(ZZFeatureMap(), RealAmplitudesAnsatz(), ClassesReadout(), 2, 5)
    3
    """
    if not isinstance(feature_map, FeatureMap) or not isinstance(ansatz, Ansatz) or isinstance(ansatz, CircuitAnsatz):
        return None
    usual = feature_map.num_qubits(n_features) + ansatz.extra_qubits
    reads_all = len(ansatz.readout_qubits(usual)) == usual
    return max(usual, readout.required_qubits(num_outputs)) if reads_all else usual
