r"""Standard errors of what an Estimator evaluates: the client adds up those of Pauli strings as if independent.

All strings of one basis come from the same shots. Of a projector onto |0…0⟩, the mean of 2^n strings, the client's
standard error is up to :math:`2^{n/2}` times too small near 1, and too large near 0. It is not used where the variance
follows from what was measured: N shots in R random circuits, under readout errors that are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels.programs import ExpectationProgram
from qkernels_hardware.routing import basis_of
from qkernels_hardware.runtime._observe import least_stderr
from qkernels_hardware.work import Mitigation

__all__ = ["Estimated"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Sampling:
    """How a row was sampled.

    Attributes
    ----------
    circuits, shots : int
        Random circuits, and shots of all of them.
    shared : ndarray of shape (n,)
        Of every qubit, the variance that the flips of random circuits add to a value of 1.
    learned : ndarray of shape (n,)
        The same of what was learned of readout errors.
    """

    circuits: int
    shots: int
    shared: Values
    learned: Values


class Estimated:
    r"""Standard errors of one series.

    Parameters
    ----------
    mitigation : Mitigation
    readout : ndarray of shape (n, 2, 2), float64
        P(read | true) of every qubit of the program when the series was opened.

    Notes
    -----
    Let :math:`\epsilon_q` be the mean of the two readout errors of a qubit and :math:`\delta_q` half their difference.
    TREX multiplies the mean of a string on the qubits S by :math:`f_S = \prod_{q \in S} 1/(1 - 2\epsilon_q)`. Over R
    random circuits with N shots together, the variance of its value z is

    .. math:: \frac{f_S^2 - z^2}{N} + 4 z^2 \sum_{q \in S} (f_q^2 \delta_q^2 / R + v_q), \qquad
        v_q = \frac{\epsilon_q (1 - \epsilon_q) - \delta_q^2}{N} + \frac{\delta_q^2}{R}

    of shots; of flips, which all shots of one random circuit share; and of what TREX has learned, which all rows of a
    job share. A projector weighs a shot by :math:`\prod_q (A_q^{-1})_{0 b_q}` with symmetric readout matrices A. The
    second moment of a factor is :math:`\alpha_q = f_q^2 (1 - 3\epsilon_q + 3\epsilon_q^2)` for a qubit in state 0 and
    :math:`\beta_q = f_q^2 \epsilon_q (1 - \epsilon_q)` in state 1, so that with the probability p of |0…0⟩

    .. math:: \frac{1}{N} \Bigl(p \prod_q \alpha_q + (1 - p) \max_q \beta_q \prod_{r \ne q} \alpha_r - p^2\Bigr)
        + p^2 \sum_q (f_q^2 \delta_q^2 / R + v_q) + (1 - p)^2 \max_q (f_q^2 \delta_q^2 / R + v_q).

    It is an upper bound: of the other outcomes only their sum is known, and all of it is put where it weighs most.

    Zero-noise extrapolation multiplies what is of single circuits by the factor of a straight line to 0; where the
    client says more, that counts. An observable of several strings, whose values are not known apart, has the client's
    variance times the number of its strings in one basis: the most that a sum of so many correlated terms can have.
    """

    def __init__(self, mitigation: Mitigation, readout: Values) -> None:
        self._mitigation = mitigation
        wrong_one, wrong_zero = readout[:, 1, 0], readout[:, 0, 1]
        mean = (wrong_one + wrong_zero) / 2.0
        difference = np.abs(wrong_one - wrong_zero) / 2.0
        self._difference = difference if mitigation.twirls_measurements else np.zeros_like(difference)
        self._flip = self._difference / (1.0 - 2.0 * mean)
        self._error = mean if mitigation.mitigates_readout else np.zeros_like(mean)
        self._factor = 1.0 / (1.0 - 2.0 * self._error)
        self._amplified = _variance_at_zero(mitigation.noise_factors)

    def _sampling(self, asked: int) -> _Sampling:
        circuits, each = self._mitigation.runs.spread(asked)
        learning = self._mitigation.learning or circuits
        d, e = self._difference, self._error
        learned = (e * (1.0 - e) - d**2) / (learning * each) + d**2 / learning
        return _Sampling(
            circuits,
            circuits * each,
            shared=self._amplified * self._flip**2 / circuits,
            learned=learned if self._mitigation.mitigates_readout else np.zeros_like(d),
        )

    def zero_stderr(self, values: Values, stderr: Values, asked: int) -> Values:
        """Of the probability to read zero everywhere.

        Parameters
        ----------
        values : ndarray
            As estimated; they may lie outside of [0, 1].
        stderr : ndarray of the same shape
            Of the client.
        asked : int
            Shots.

        Returns
        -------
        ndarray of the same shape
            Never 0.
        """
        sampling, e = self._sampling(asked), self._error
        shots, shared = sampling.shots, sampling.shared + sampling.learned
        p = np.clip(values, 0.0, 1.0)
        zero = self._factor**2 * (1.0 - 3.0 * e + 3.0 * e**2)
        one = self._factor**2 * e * (1.0 - e)
        moment = zero.prod() * (p + (1.0 - p) * (one / zero).max())
        least = float(np.prod(self._factor * (1.0 - e))) / (2.0 * shots)  # as in Wilson's interval
        variance = self._amplified * ((moment - p**2) / shots + least**2)
        variance += p**2 * shared.sum() + (1.0 - p) ** 2 * shared.max()
        return self._at_least(np.sqrt(variance) / (1.0 + 1.0 / shots), stderr)

    def stderr(self, program: ExpectationProgram, values: Values, stderr: Values, asked: int) -> Values:
        """Of observables.

        Parameters
        ----------
        program : ExpectationProgram
        values, stderr : ndarray of shape (n_rows, n_observables)
            As estimated, and of the client.
        asked : int
            Shots of each basis.

        Returns
        -------
        ndarray of shape (n_rows, n_observables)
        """
        sampling, identity = self._sampling(asked), "I" * program.num_qubits
        found = np.zeros_like(values)
        for k, terms in enumerate(program.terms):
            strings = [(label, c) for label, c in terms if label != identity]
            if len(strings) == 1:
                offset = sum(c for label, c in terms if label == identity)
                found[:, k] = self._of_one(strings[0], values[:, k] - offset, stderr[:, k], sampling)
            elif strings:
                found[:, k] = self._of_several(strings, stderr[:, k], sampling)
        return np.maximum(found, least_stderr(program, sampling.shots))

    def _of_one(self, string: tuple[str, float], values: Values, stderr: Values, sampling: _Sampling) -> Values:
        label, coefficient = string
        acts = _support(label)
        z = np.clip(values / coefficient, -1.0, 1.0)
        factor = float(self._factor[acts].prod())
        shared = 4.0 * float((sampling.shared + sampling.learned)[acts].sum())
        variance = self._amplified * (factor**2 - z**2) / sampling.shots + shared * z**2
        return self._at_least(abs(coefficient) * np.sqrt(variance), stderr)

    def _of_several(self, strings: Sequence[tuple[str, float]], stderr: Values, sampling: _Sampling) -> Values:
        size = np.array([abs(c) for _, c in strings])
        acts = np.array([_support(label) for label, _ in strings])
        together = max(len(members) for _, members in basis_of([label for label, _ in strings]))
        # between random circuits the client takes the variance of a sample by its length, not by one less
        bias = sampling.circuits / (sampling.circuits - 1) if sampling.circuits > 1 else 1.0
        factors = np.where(acts, self._factor, 1.0).prod(axis=1)
        most = self._amplified * float(size @ factors) ** 2 / sampling.shots  # where the client's fit has none
        variance = np.where(np.isfinite(stderr), together * bias * stderr**2, most)
        return np.asarray(np.sqrt(variance + ((2.0 * size @ acts) ** 2) @ sampling.learned))

    def _at_least(self, found: Values, stderr: Values) -> Values:
        if not self._mitigation.noise_factors:
            return np.asarray(found)
        return np.asarray(np.where(np.isfinite(stderr), np.maximum(found, stderr), found))


def _variance_at_zero(factors: Sequence[float]) -> float:
    """Of a straight line through values of variance 1 at the noise factors; 1 without extrapolation."""
    x = np.array(factors)
    spread = float(((x - x.mean()) ** 2).sum()) if len(x) else 0.0
    return 1.0 / len(x) + float(x.mean()) ** 2 / spread if spread else 1.0


def _support(label: str) -> NDArray[np.bool_]:
    """Qubits that a string acts on."""
    return np.array([letter != "I" for letter in reversed(label)])
