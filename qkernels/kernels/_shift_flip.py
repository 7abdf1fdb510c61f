"""The two other repairs of negative eigenvalues: a shift of the diagonal, and absolute values."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qkernels.kernels._correction import Correction
from qkernels.kernels._spectrum import MappedRepair, rounding_of, weighted_spectrum
from qkernels.programs import Overlaps

__all__ = ["FlipSpectrum", "ShiftSpectrum"]

Values = NDArray[np.float64]


class ShiftSpectrum(Correction):
    r"""Repair a kernel matrix by adding to its diagonal what lifts the smallest eigenvalue to 0.

    .. math:: K \to K - \min(\lambda_{\min}, 0)\, I

    Only the training diagonal changes: K(X_new, X_fit) holds no value of a training sample with itself, so there is
    nothing to add. Hence ``transform(X_fit)`` is *not* ``fit_transform(X_fit)``: it is the matrix before the shift.

    With sample weights w the diagonal gets :math:`-\min(\lambda_{\min}, 0)/w_i`, where λ_min is that of
    :math:`\mathrm{diag}(w)^{1/2} K\, \mathrm{diag}(w)^{1/2}`. The repeated samples of the equivalent problem are
    lifted separately, so that its matrix has two values for one pair of rows; the weighted matrix is the mean over
    the repetitions. A machine with a quadratic penalty :math:`β^\top K β` (support vectors, ridge, Gaussian process)
    that is given the same weights has the same predictions with either.

    Parameters
    ----------
    rtol : float, default=1e-10
        A matrix whose smallest eigenvalue is not below ``-rtol`` times the largest is positive semidefinite and is
        left alone, bit by bit.

    Attributes
    ----------
    eigenvalues_ : ndarray of shape (n_fit,)
        Of the training matrix before the shift, ascending; with sample weights, of the matrix above for w/max(w).
    shift_ : ndarray of shape (n_fit,)
        What is added to the diagonal, >= 0; one value for all samples unless their weights differ.

    See Also
    --------
    ClipSpectrum : sets negative eigenvalues to 0 and treats training and new rows alike.
    FlipSpectrum : takes their absolute values.

    Notes
    -----
    Cost: one ``eigh`` of the symmetrised matrix, O(N³).

    A shift acts as regularisation of the same size: ridge regression with penalty α on the shifted matrix is that with
    α + shift on the matrix itself. It keeps all eigenvectors, the ones of noise included, and the order of the
    eigenvalues; one large negative eigenvalue flattens the whole kernel. A sample whose weight is small gets a large
    diagonal entry, up to 1e6 times that of the heaviest (weights below 1e-6 of the largest, 0 included, count as
    that), which is how it is kept from playing a part.

    References
    ----------
    Hubregtsen et al., "Training quantum embedding kernels on near-term quantum computers", arXiv:2105.02276
    (there "Tikhonov" regularisation).
    Chen et al., "Similarity-based classification: concepts and algorithms", JMLR 10, 747 (2009).

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.kernels import ShiftSpectrum
    >>> K = np.array([[1.0, 3.0], [3.0, 1.0]])  # eigenvalues -2 and 4
    >>> shift = ShiftSpectrum().fit(K)
    >>> shift.transform_gram(K).round(12)
    array([[3., 3.],
           [3., 3.]])
    >>> shift.transform_cross(K)
    array([[1., 3.],
           [3., 1.]])
    """

    guarantees_psd: ClassVar[bool] = True

    def __init__(self, rtol: float = 1e-10) -> None:
        self.rtol = rtol

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Find the shift.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            Training matrix; its symmetric part is used.
        overlaps : Overlaps, optional
            Not used.
        sample_weight : ndarray of shape (n_fit,), optional
            Weights >= 0; samples of weight 0 count 1e-6 of the largest.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            `rtol` is not a number in [0, 1).
        InvalidDataError
            `gram` is no finite square matrix, or the weights break their rule.
        """
        spectrum = weighted_spectrum(gram, self.rtol, sample_weight, "ShiftSpectrum")
        self.eigenvalues_ = spectrum.eigenvalues
        # K + s D⁻¹ is positive semidefinite exactly where D^½ K D^½ + s I is. A factor of D cancels.
        lift = 0.0 if spectrum.is_psd else -float(spectrum.eigenvalues[0])
        self.shift_: Values = lift / spectrum.root**2
        return self

    def transform_gram(self, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Shift the diagonal of the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Exactly symmetric where something was shifted; otherwise `gram` itself.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        if not self.shift_.any():
            return gram
        return np.asarray(0.5 * (gram + gram.T) + np.diag(self.shift_))

    def transform_cross(self, cross: Values, overlaps: Overlaps | None = None) -> Values:
        """Leave K(X_new, X_fit) as it is.

        Parameters
        ----------
        cross : ndarray of shape (n_new, n_fit)
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_new, n_fit)
            `cross` itself, also for rows of the training data.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        return cross

    def transform_stderr(self, stderr: Values, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Standard errors of the shifted training matrix, with the shift taken as it is.

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
        gram : ndarray of shape (n_fit, n_fit)
            Not used.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            `stderr` itself: a shift adds no noise away from the diagonal, and on it the size of the shift is a choice.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        return stderr


class FlipSpectrum(MappedRepair):
    r"""Repair a kernel matrix by replacing its eigenvalues by their absolute values.

    With :math:`K = V Λ V^\top`, the result is :math:`V |Λ| V^\top = K P` with :math:`P = V\, \mathrm{sign}(Λ) V^\top`,
    and K(X_new, X_fit) goes through the same linear map P, so that ``transform(X_fit)`` equals
    ``fit_transform(X_fit)``. A sample weight of 2 is the same as a repeated sample.

    Parameters
    ----------
    rtol : float, default=1e-10
        Eigenvalues down to ``-rtol`` times the largest in absolute value count as 0 and keep their sign; a matrix
        that has no others below 0 is positive semidefinite and is left alone, bit by bit.

    Attributes
    ----------
    eigenvalues_ : ndarray of shape (n_fit,)
        Of the training matrix before the flip, ascending; with sample weights, of A below.
    map_ : ndarray of shape (n_fit, n_fit), or None
        P: K P is the flipped matrix, and K(X_new, X_fit) P the flipped cross block; None where nothing was flipped.

    See Also
    --------
    ClipSpectrum : sets negative eigenvalues to 0, the smallest change that repairs.
    ShiftSpectrum : lifts all eigenvalues.

    Notes
    -----
    Cost: one ``eigh`` of the symmetrised matrix, O(N³).

    A flip keeps what clipping removes, as a feature of its own: right where negative eigenvalues carry information
    (dissimilarities that are no distances), wrong where they are noise, as they are for sampled fidelities.

    With :math:`A = D^{1/2} K D^{1/2}`, D = diag(w)/max(w), and Π₋ the projector on the eigenvectors of A below 0, the
    map is :math:`P = I - 2 D^{1/2} Π_- D^{-1/2}`. The sign of 0 is +1: what a new row has outside the span of
    the training matrix stays, and P has no jump where the last negative eigenvalue vanishes.

    References
    ----------
    Chen et al., "Similarity-based classification: concepts and algorithms", JMLR 10, 747 (2009).
    Wang et al., "Towards understanding the power of quantum kernels in the NISQ era", arXiv:2103.16774.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.kernels import FlipSpectrum
    >>> K = np.array([[1.0, 3.0], [3.0, 1.0]])  # eigenvalues -2 and 4
    >>> flip = FlipSpectrum().fit(K)
    >>> flip.transform_gram(K).round(12)
    array([[3., 1.],
           [1., 3.]])
    >>> flip.transform_cross(K).round(12)
    array([[3., 1.],
           [1., 3.]])
    """

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Find the eigenvalues to flip.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            Training matrix; its symmetric part is used.
        overlaps : Overlaps, optional
            Not used.
        sample_weight : ndarray of shape (n_fit,), optional
            Weights >= 0; samples of weight 0 count 1e-6 of the largest.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            `rtol` is not a number in [0, 1).
        InvalidDataError
            `gram` is no finite square matrix, or the weights break their rule.
        """
        spectrum = weighted_spectrum(gram, self.rtol, sample_weight, "FlipSpectrum")
        self.eigenvalues_ = eigenvalues = spectrum.eigenvalues
        self.map_ = None
        if not spectrum.is_psd:
            # The eigenvalues that are 0 but for rounding come with either sign; only the sign of the others counts.
            edge = max(float(self.rtol) * float(np.abs(eigenvalues[[0, -1]]).max()), rounding_of(eigenvalues))
            self.map_ = np.eye(len(eigenvalues)) - 2.0 * spectrum.map_of(eigenvalues < -edge)
        return self
