"""Positive semidefiniteness: the spectrum that repairs look at, clipping, and the warning where nothing repairs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh
from sklearn.utils.validation import check_is_fitted

from qkernels._errors import InvalidDataError, InvalidParameterError, NotPSDWarning
from qkernels.kernels._correction import Correction
from qkernels.kernels._weights import check_weights
from qkernels.programs import Overlaps

__all__ = [
    "ClipSpectrum",
    "MappedRepair",
    "Spectrum",
    "check_gram",
    "rounding_of",
    "warn_if_not_psd",
    "weighted_spectrum",
]

Values = NDArray[np.float64]

NOT_PSD_RTOL = 1e-6
"""λ_min below −1e-6 λ_max is no rounding: double precision leaves 1e-15 N, single-precision states some 1e-7."""

WEIGHT_FLOOR = 1e-6
"""Relative weight given to samples of weight 0, which keeps the weighted problem invertible."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Eigenvalues and eigenvectors of A = D^½ K D^½, with D = diag(w)/max(w) and K symmetrised.

    Attributes
    ----------
    root : ndarray of shape (n,)
        The diagonal of D^½.
    eigenvalues : ndarray of shape (n,)
        Ascending.
    vectors : ndarray of shape (n, n)
        Columns.
    is_psd : bool
        Whether no eigenvalue is below −rtol times the largest, up to rounding.
    """

    root: Values
    eigenvalues: Values
    vectors: Values
    is_psd: bool

    def map_of(self, chosen: NDArray[np.bool_]) -> Values:
        """D^½ Π D^−½ with the projector Π on the chosen eigenvectors: for columns of cross blocks, from the right."""
        vectors = self.vectors[:, chosen]
        return np.asarray((self.root[:, None] * vectors) @ (vectors.T / self.root))


def check_gram(gram: Values, owner: str) -> Values:
    """The training matrix of `owner` as a finite square matrix.

    Raises
    ------
    InvalidDataError
        It is none.
    """
    gram = np.asarray(gram, dtype=np.float64)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not len(gram):
        raise InvalidDataError(f"gram of {owner} must be a square matrix, got shape {gram.shape}.")
    if not np.isfinite(gram).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(gram))[0])
        raise InvalidDataError(
            f"gram of {owner} must be finite; got {gram[row, column]} in row {row}, column {column}."
        )
    return gram


def weighted_spectrum(gram: Values, rtol: float, sample_weight: Values | None, owner: str) -> Spectrum:
    """The spectrum that the repairs of `owner` look at; validates `gram` and `rtol`.

    With R the matrix that repeats rows w times, R K Rᵀ = Σ λ u uᵀ over the eigenpairs (λ, v) of A that are not 0, and
    u = R diag(w)^−½ v: what is done to the λ of A is done to the matrix of repeated samples.
    """
    if isinstance(rtol, bool) or not isinstance(rtol, Real) or not 0 <= rtol < 1:
        raise InvalidParameterError(f"rtol of {owner} must be a number in [0, 1), got {rtol!r}.")
    gram = check_gram(gram, owner)
    root = np.ones(len(gram))
    if sample_weight is not None:
        weights = check_weights(sample_weight, len(gram))
        root = np.sqrt(np.maximum(weights / weights.max(), WEIGHT_FLOOR))  # relative: huge ones would overflow
    eigenvalues, vectors = eigh(0.5 * (gram + gram.T) * np.outer(root, root), check_finite=False)
    edge = float(rtol) * max(eigenvalues[-1], 0.0)
    return Spectrum(root, eigenvalues, vectors, bool(eigenvalues[0] >= -max(edge, rounding_of(eigenvalues))))


def rounding_of(eigenvalues: Values) -> float:
    """Size of rounding errors in eigenvalues, given in ascending order: relative to the largest in absolute value."""
    return float(len(eigenvalues) * np.finfo(np.float64).eps * np.abs(eigenvalues[[0, -1]]).max())


class MappedRepair(Correction):
    """Base of repairs by one linear map for training rows and new ones (abstract): a subclass finds it in `fit`.

    Parameters
    ----------
    rtol : float, default=1e-10

    Attributes
    ----------
    map_ : ndarray of shape (n_fit, n_fit), or None
        Multiplied onto columns; None where nothing is to be repaired.
    """

    guarantees_psd: ClassVar[bool] = True
    map_: Values | None

    def __init__(self, rtol: float = 1e-10) -> None:
        self.rtol = rtol

    def transform_gram(self, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Repair the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Exactly symmetric where something was repaired; otherwise `gram` itself.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        if self.map_ is None:
            return gram
        mapped = 0.5 * (gram + gram.T) @ self.map_
        return np.asarray(0.5 * (mapped + mapped.T))

    def transform_cross(self, cross: Values, overlaps: Overlaps | None = None) -> Values:
        """Apply the same linear map to K(X_new, X_fit).

        Parameters
        ----------
        cross : ndarray of shape (n_new, n_fit)
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_new, n_fit)

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        return cross if self.map_ is None else np.asarray(cross @ self.map_)

    def transform_stderr(self, stderr: Values, gram: Values, overlaps: Overlaps | None = None) -> Values:
        r"""Standard errors of the repaired training matrix, with the map taken as it is.

        .. math:: \mathrm{Var}_{ij} = \tfrac14 \left[(\sigma^2 P^{\circ 2})_{ij} + (\sigma^2 P^{\circ 2})_{ji}
            + 2 \sigma_{ij}^2 P_{ii} P_{jj}\right], \qquad \mathrm{Var}_{ii} = (\sigma^2 P^{\circ 2})_{ii}

        with the squares of the entries of the map P. Different unordered pairs count as independent, also those of
        repeated rows.

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
            σ, symmetric.
        gram : ndarray of shape (n_fit, n_fit)
            Not used.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Symmetric; `stderr` itself where nothing is repaired.

        Raises
        ------
        NotFittedError
            Call `fit` first.

        Notes
        -----
        The map depends on the same noise, which is left out; what first order adds takes N⁴ operations. Compared with
        repeated experiments the errors found here are some 3 to 15 % too small off the diagonal (root mean square over
        entries; fidelities of 30 to 60 rows at 100 to 2000 shots, and indefinite matrices without noise), and up to
        40 % too large on the diagonal where small eigenvalues are noise. The errors before the repair are 15 to 45 %
        too large.
        """
        check_is_fitted(self)
        if self.map_ is None:
            return stderr
        own = np.diag(self.map_)
        squares = stderr**2
        mapped = squares @ self.map_**2
        variance = 0.25 * (mapped + mapped.T) + 0.5 * squares * np.outer(own, own)
        np.fill_diagonal(variance, np.diag(mapped))
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))  # a variance, but for rounding


class ClipSpectrum(MappedRepair):
    r"""Repair a kernel matrix by setting its negative eigenvalues to 0.

    The result is the nearest positive semidefinite matrix in Frobenius norm; with sample weights w, in the weighted
    norm :math:`\sum_{ij} w_i w_j (K_{ij} - P_{ij})^2`, so that a weight of 2 is the same as a repeated sample. The
    cross block K(X_new, X_fit) goes through the same linear map, so that ``transform(X_fit)`` equals
    ``fit_transform(X_fit)``.

    Parameters
    ----------
    rtol : float, default=1e-10
        Eigenvalues up to ``rtol`` times the largest count as 0. A matrix whose smallest eigenvalue is not below
        ``-rtol`` times the largest is positive semidefinite and is left alone, bit by bit.

    Attributes
    ----------
    eigenvalues_ : ndarray of shape (n_fit,)
        Of the training matrix before clipping, ascending; with sample weights, of A below.
    map_ : ndarray of shape (n_fit, n_fit), or None
        K P is the clipped matrix, and K(X_new, X_fit) P the clipped cross block; None where nothing was clipped.

    See Also
    --------
    FidelityKernel : uses it where values are sampled or noisy, unless `corrections` says otherwise.
    FlipSpectrum : takes absolute values instead.
    ShiftSpectrum : adds to the diagonal instead.

    Notes
    -----
    Cost: one ``eigh`` of the symmetrised matrix, O(N³). ``eig`` with V diag Vᵀ, used by some libraries, is wrong where
    eigenvalues coincide: its eigenvectors are not orthogonal there.

    With :math:`A = D^{1/2} K D^{1/2}`, D = diag(w)/max(w), and Π the projector on the eigenvectors of A above 0, the
    map is :math:`P = D^{1/2} Π D^{-1/2}`.

    References
    ----------
    Wang et al., "Towards understanding the power of quantum kernels in the NISQ era", arXiv:2103.16774.
    Hubregtsen et al., "Training quantum embedding kernels on near-term quantum computers", arXiv:2105.02276.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import ClipSpectrum
    >>> K = np.array([[1.0, 0.9, 0.2], [0.9, 1.0, 0.9], [0.2, 0.9, 1.0]])
    >>> clip = ClipSpectrum().fit(K)
    >>> bool(clip.eigenvalues_[0] < 0)
    True
    >>> bool(np.linalg.eigvalsh(clip.transform_gram(K))[0] > -1e-12)
    True
    """

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Find the eigenvalues to clip.

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
        spectrum = weighted_spectrum(gram, self.rtol, sample_weight, "ClipSpectrum")
        self.eigenvalues_ = spectrum.eigenvalues
        self.map_ = None
        if not spectrum.is_psd:
            edge = float(self.rtol) * max(spectrum.eigenvalues[-1], 0.0)
            self.map_ = spectrum.map_of(spectrum.eigenvalues > edge)
        return self


def warn_if_not_psd(gram: Values, stderr: Values | None, owner: str) -> None:
    """Warn about a training matrix that is clearly not positive semidefinite: λ_min < −1e-6 λ_max."""
    eigenvalues = eigvalsh(0.5 * (gram + gram.T))
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    if smallest >= -NOT_PSD_RTOL * max(largest, 0.0):
        return
    noise = ""
    if stderr is not None:
        # A symmetric random matrix of entries with deviation σ has eigenvalues within ±2σ√N (Wigner's semicircle).
        edge = 2.0 * float(np.sqrt(np.mean(stderr**2))) * float(np.sqrt(len(gram)))
        noise = f" (sampling alone explains about {-edge:.2g})"
    warnings.warn(
        f"The training matrix of {owner} has eigenvalues down to {smallest:.3g}{noise}, and its corrections do not "
        "repair it: solvers that need a positive semidefinite matrix may fail or find a wrong optimum. Add "
        "ClipSpectrum() as the last of corrections, or leave corrections=None.",
        NotPSDWarning,
        stacklevel=3,
    )
