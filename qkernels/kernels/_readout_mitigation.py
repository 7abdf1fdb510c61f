"""ReadoutMitigation: the inverse of readout errors, qubit by qubit."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from qkernels._errors import InvalidParameterError
from qkernels.kernels._correction import Correction
from qkernels.kernels._counts import check_all_zero, check_uncorrected
from qkernels.kernels._spectrum import check_gram
from qkernels.kernels._zero_weights import mean_and_spread, mean_of_outcomes
from qkernels.programs import Overlaps

__all__ = ["ReadoutMitigation"]

Values = NDArray[np.float64]

_STOCHASTIC = 1e-8
"""Columns of probabilities sum to 1 to this, as in `NoiseTable`."""

_SINGULAR = 1e-6
"""Determinants P(0|0) + P(1|1) − 1 below this would multiply errors a million times."""


class ReadoutMitigation(Correction):
    r"""Undo readout errors by the tensored inverse of the readout matrices.

    .. math:: K_{ij} \to \sum_b p_{ij}(b) \prod_q (A_q^{-1})_{0, b_q}

    with the measured distribution p of the bits b of one entry and :math:`A_q = P(\text{read} | \text{true})` of
    every qubit. Where readout errors of different qubits are independent and A is right, the result is unbiased: the
    all-zero probability of a perfect readout.

    Parameters
    ----------
    readout : array-like of shape (n_qubits, 2, 2), default=None
        P(read | true) of every qubit: entry [q, i, j] is the probability to read i in state j, columns sum to 1
        (Qiskit's ``ReadoutError`` has the transposed matrix). None takes what the engine says of itself.

    Attributes
    ----------
    readout_ : ndarray of shape (n_qubits, 2, 2), float64
    factors_ : ndarray of shape (n_qubits, 2), float64
        :math:`(A_q^{-1})_{0, b}`, what a bit b of qubit q multiplies.

    See Also
    --------
    DepolarizingMitigation : for errors of gates; to be put after this one.
    BitFlipTolerance : against a few wrong bits, without a readout matrix.

    Notes
    -----
    It must come first among the corrections, and works on fidelities. Entries are kept as they come out: estimates
    without bias lie outside [0, 1] where the truth is near an end, and clipping them would bring the bias back.
    Repairs (`ClipSpectrum`) take such values.

    Every shot of an entry gets the weight :math:`\prod_q (A_q^{-1})_{0, b_q}`; the entry is their mean. Its standard
    error follows from their variance, with the continuity term of Wilson's interval, which it becomes for a perfect
    readout: the error of an entry whose shots all read alike is not 0. Noise grows by about
    :math:`\prod_q 1/(1 - \epsilon_q)` with the readout errors ε_q.

    The diagonal is corrected, too; it is 1 afterwards only where readout is all there is of errors.

    Cost: no further circuits. Bits of all shots are held: N²·shots·⌈n/8⌉ bytes; bytes of 8 qubits are looked up in
    tables, in blocks of bounded size.

    References
    ----------
    Bravyi et al., "Mitigating measurement errors in multiqubit experiments", arXiv:2006.14044.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.kernels import ReadoutMitigation
    >>> from qkernels.programs import Overlaps
    >>> A = np.array([[0.9, 0.2], [0.1, 0.8]])  # of one qubit
    >>> outcomes = np.einsum("ij,xyj->xyi", A, [[[1.0, 0.0], [0.4, 0.6]], [[0.4, 0.6], [1.0, 0.0]]])
    >>> measured = Overlaps(outcomes[..., 0], outcomes=outcomes, readout=A[None])
    >>> measured.values.round(2)
    array([[0.9 , 0.48],
           [0.48, 0.9 ]])
    >>> ReadoutMitigation().fit(measured.values, measured).transform_gram(measured.values, measured).round(12)
    array([[1. , 0.4],
           [0.4, 1. ]])
    """

    requires: ClassVar[frozenset[str]] = frozenset({"bits"})

    def __init__(self, readout: ArrayLike | None = None) -> None:
        self.readout = readout

    @property
    def entrywise(self) -> bool:
        """True: every entry has its own bits."""
        return True

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Invert the readout matrices.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The measured training matrix.
        overlaps : Overlaps
            With `bits` or `outcomes`, and with `readout` unless it is a parameter.
        sample_weight : ndarray of shape (n_fit,), optional
            Not used.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            `readout` is given by nobody, is no array of stochastic matrices, has a singular one, or is of another
            number of qubits than the bits; there are neither bits nor outcomes; an earlier correction has changed the
            matrix; its entries are not fidelities.
        InvalidDataError
            `gram` is no finite square matrix.
        """
        gram = check_gram(gram, "ReadoutMitigation")
        measured = _measured(overlaps, "fit")
        check_uncorrected(gram, measured, "ReadoutMitigation")
        given = measured.readout if self.readout is None else self.readout
        if given is None:
            raise InvalidParameterError(
                "readout of ReadoutMitigation must be given where the engine does not know its readout errors; got "
                "None. Give P(read | true) of every qubit, shape (n_qubits, 2, 2), from a calibration."
            )
        readout = _checked_readout(given)
        _check_width(len(readout), measured)
        perfect = np.tile([1.0, 0.0], (len(readout), 1))
        check_all_zero(_means(measured, perfect), measured, "ReadoutMitigation")
        self.readout_ = readout
        determinant = readout[:, 0, 0] * readout[:, 1, 1] - readout[:, 0, 1] * readout[:, 1, 0]
        self.factors_ = np.stack([readout[:, 1, 1], -readout[:, 0, 1]], axis=1) / determinant[:, None]
        return self

    def transform_gram(self, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Mitigated values of the training matrix, the diagonal included.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`; its entries are computed anew.
        overlaps : Overlaps
            With `bits` or `outcomes`.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Exactly symmetric; may lie outside [0, 1].

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            There are neither bits nor outcomes, or those of another number of qubits.
        """
        mitigated = self.transform_cross(gram, overlaps)
        return np.asarray(np.triu(mitigated) + np.triu(mitigated, 1).T)  # the two triangles differ by rounding

    def transform_cross(self, cross: Values, overlaps: Overlaps | None = None) -> Values:
        """Mitigated values of K(X_new, X_fit), with the readout matrices of `fit`.

        Parameters
        ----------
        cross : ndarray of shape (n_new, n_fit)
            Its entries are computed anew.
        overlaps : Overlaps
            With `bits` or `outcomes`.

        Returns
        -------
        ndarray of shape (n_new, n_fit)
            May lie outside [0, 1].

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            There are neither bits nor outcomes, or those of another number of qubits.
        """
        check_is_fitted(self)
        measured = _measured(overlaps, "transform")
        _check_width(len(self.factors_), measured)
        return _means(measured, self.factors_)

    def transform_stderr(self, stderr: Values, gram: Values, overlaps: Overlaps | None = None) -> Values:
        r"""Standard errors from the variance v of the weights of the S shots of every entry.

        .. math:: \frac{\sqrt{v/S + w_0^2/(4 S^2)}}{1 + 1/S}, \qquad w_0 = \prod_q (A_q^{-1})_{00}

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
            Of the measured matrix.
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps
            With `bits`.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Never 0 where an entry was sampled.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidParameterError
            There are no bits, or those of another number of qubits.
        """
        check_is_fitted(self)
        measured = _measured(overlaps, "transform_stderr")
        if measured.bits is None:
            raise InvalidParameterError(
                "overlaps of ReadoutMitigation.transform_stderr must hold the bits of sampled entries; got bits=None."
            )
        _check_width(len(self.factors_), measured)
        shots = measured.bits.shape[-2]
        _, variance = mean_and_spread(measured.bits, self.factors_)
        smallest = float(np.prod(self.factors_[:, 0])) / (2.0 * shots)
        found = np.hypot(np.sqrt(variance / shots), smallest) / (1.0 + 1.0 / shots)
        return np.asarray(np.triu(found) + np.triu(found, 1).T)


def _measured(overlaps: Overlaps | None, method: str) -> Overlaps:
    if overlaps is None or (overlaps.bits is None and overlaps.outcomes is None):
        raise InvalidParameterError(
            f"overlaps of ReadoutMitigation.{method} must hold the bits or the outcomes of every entry; got "
            f"{'None' if overlaps is None else 'neither'}. Noisy engines give them to a kernel that asks."
        )
    return overlaps


def _means(measured: Overlaps, factors: Values) -> Values:
    if measured.bits is not None:
        return mean_and_spread(measured.bits, factors)[0]
    if measured.outcomes is None:
        raise InvalidParameterError("overlaps of ReadoutMitigation must hold bits or outcomes; got neither.")
    return mean_of_outcomes(measured.outcomes, factors)


def _checked_readout(given: ArrayLike) -> Values:
    """Stochastic matrices that can be inverted."""
    rule = "readout of ReadoutMitigation must be P(read | true) of every qubit, shape (n_qubits, 2, 2)"
    try:
        readout = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"{rule}; got no array of numbers ({error}).") from error
    if readout.ndim != 3 or readout.shape[1:] != (2, 2) or not len(readout):
        raise InvalidParameterError(f"{rule}; got shape {readout.shape}.")
    for qubit, matrix in enumerate(readout):
        off = float(np.abs(matrix.sum(axis=0) - 1.0).max())
        if not off <= _STOCHASTIC or not ((matrix >= 0) & (matrix <= 1)).all():
            raise InvalidParameterError(
                f"{rule}, with columns of probabilities that sum to 1; got {matrix.tolist()} for qubit {qubit}. "
                "Qiskit's ReadoutError has the transposed matrix."
            )
        if abs(determinant := float(matrix[0, 0] + matrix[1, 1] - 1.0)) < _SINGULAR:
            raise InvalidParameterError(
                f"{rule}, that can be inverted; the matrix {matrix.tolist()} of qubit {qubit} is singular (determinant "
                f"{determinant:.2g}): what is read there says nothing about the state. Use other qubits."
            )
    return readout


def _check_width(num_qubits: int, measured: Overlaps) -> None:
    if measured.bits is not None:
        fits, what = measured.bits.shape[-1] == -(-num_qubits // 8), f"{measured.bits.shape[-1]} byte(s) per shot"
    else:
        count = 0 if measured.outcomes is None else measured.outcomes.shape[-1]
        fits, what = count == 2**num_qubits, f"{count} outcomes"
    said = measured.info.get("num_qubits", num_qubits)
    if not fits or said != num_qubits:
        raise InvalidParameterError(
            "readout of ReadoutMitigation must have one matrix for every measured qubit; got "
            f"{num_qubits} matrices for {what}" + (f" of {said} qubit(s)." if said != num_qubits else ".")
        )
