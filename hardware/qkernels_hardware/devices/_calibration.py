"""From calibration data to channels: the device model of Qiskit Aer as formulas, without Aer.

A gate with average error e and duration t becomes a depolarizing channel followed by thermal relaxation of each of its
qubits during t. Relaxation explains a part of e; the depolarizing probability explains the rest, so that the average
fidelity of both together is 1 − e (the convention of ``qiskit_aer.noise.NoiseModel.from_backend``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qkernels.engines import Relaxation

__all__ = ["gate_transfer", "readout_matrix", "relaxation_of"]

Values = NDArray[np.float64]


def relaxation_of(t1: float | None, t2: float | None) -> Relaxation | None:
    """Relaxation towards |0⟩ with the times of a calibration; T2 beyond the physical bound 2 T1 counts as 2 T1.

    Parameters
    ----------
    t1, t2 : float > 0 in seconds, or None
        None is unknown: without T1 the qubit does not decay, without T2 only decay limits its coherence.

    Returns
    -------
    Relaxation or None
        None where neither time is known.
    """
    decay = np.inf if t1 is None else t1
    coherence = min(np.inf if t2 is None else t2, 2.0 * decay)
    return None if np.isinf(decay) and np.isinf(coherence) else Relaxation(decay, coherence)


def gate_transfer(
    error: float | None, duration: float | None, relaxations: Sequence[Relaxation | None], *, unitary: bool = True
) -> Values | None:
    r"""The channel that follows a gate: depolarizing, then relaxation of each of its qubits.

    Parameters
    ----------
    error : float >= 0 or None
        Average gate error 1 − F. Above d/(d+1), where F is as low as it can be, it counts as that.
    duration : float >= 0 or None
        Seconds.
    relaxations : sequence of Relaxation or None, length k
        Of the qubits of the gate, in its order.
    unitary : bool, default=True
        Whether the instruction is a gate. A reset is not: its error says nothing about depolarizing.

    Returns
    -------
    ndarray of shape (4**k, 4**k), float64, or None
        Transfer matrix as in `qkernels.engines.NoiseTable`; None for the identity.

    Notes
    -----
    With d = 2^k and the average fidelity F_r of relaxation alone, p = d (F_r − F) / (d F_r − 1) solves
    F = (1 − p) F_r + p/d, the fidelity of both channels together. Where relaxation alone is as bad as the error, p = 0.
    F_r > 1/d for every finite duration; a qubit that is fully relaxed (F_r = 1/d) gets nothing on top.
    """
    dim = 2 ** len(relaxations)
    relax: Values = np.ones((1, 1))
    for one in relaxations:
        relax = np.asarray(np.kron(np.eye(4) if one is None or not duration else one.transfer(duration), relax))
    # the average over pure states of the fidelity of a channel with d² transfer entries on its diagonal
    fidelity = (np.trace(relax) / dim + 1.0) / (dim + 1.0)
    depolarizing = 0.0
    if unitary and error and error > 1.0 - fidelity and dim * fidelity > 1.0:
        excess = min(error, dim / (dim + 1.0)) - (1.0 - fidelity)
        depolarizing = min(max(dim * excess / (dim * fidelity - 1.0), 0.0), dim**2 / (dim**2 - 1.0))
    kept = np.full(dim**2, 1.0 - depolarizing)
    kept[0] = 1.0
    transfer: Values = relax * kept
    return None if np.array_equal(transfer, np.eye(dim**2)) else transfer


def readout_matrix(one_if_zero: float, zero_if_one: float) -> Values:
    """P(read | true) of a qubit from its two error probabilities.

    Parameters
    ----------
    one_if_zero, zero_if_one : float in [0, 1]
        P(reads 1 | is 0) and P(reads 0 | is 1).

    Returns
    -------
    ndarray of shape (2, 2), float64
        Columns sum to 1.
    """
    return np.array([[1.0 - one_if_zero, zero_if_one], [one_if_zero, 1.0 - zero_if_one]])
