"""Renormalisation of a kernel matrix to unit diagonal, with the rule for new rows."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from qkernels._errors import InvalidDataError
from qkernels.kernels._correction import Correction
from qkernels.kernels._spectrum import rounding_of, weighted_spectrum
from qkernels.programs import Overlaps

__all__ = ["UnitDiagonal"]

Values = NDArray[np.float64]

PSD_RTOL = 1e-10
"""The default of the repairs: what they leave alone has no eigenvalue below −1e-10 of the largest."""

LENGTH_RTOL = 1e-12
"""Squared lengths up to this part of the largest K_jj are rounding: their directions would be noise."""


class UnitDiagonal(Correction):
    r"""Renormalise a positive semidefinite kernel matrix to unit diagonal.

    .. math:: K_{ij} \to K_{ij} / \sqrt{K_{ii} K_{jj}}, \qquad k_{*j} \to k_{*j} / \sqrt{s_* K_{jj}}

    A row k_* of K(X_new, X_fit) does not say what the kernel of its point with itself is. The induced self-value
    :math:`s_* = k_*^\top K^+ k_*` takes its place: the squared length of the point in the feature space of K, as far as
    the training points span it. For training points it is K_ii, so that ``transform(X_fit)`` equals
    ``fit_transform(X_fit)``.

    Parameters
    ----------
    rtol : float, default=1e-12
        Eigenvalues up to ``rtol`` times the largest are left out of the pseudo-inverse K⁺.

    Attributes
    ----------
    scale_ : ndarray of shape (n_fit,)
        1/√K_jj; 0 where K_jj counts as 0.
    root_ : ndarray of shape (n_fit, rank)
        A root of the pseudo-inverse: s_* is the squared length of ``k_* @ root_``.

    See Also
    --------
    ClipSpectrum : the repair that has to come first wherever values are sampled or noisy.

    Notes
    -----
    Cost: one ``eigh`` in `fit`, O(N³); O(N · rank) for each new row.

    Both rules multiply rows and columns by positive numbers (a congruence), so a positive semidefinite matrix stays
    one; an indefinite one is refused, because its self-values may be negative.

    Points of length 0 have no direction. Where K_jj is 0, row and column j become 0, the diagonal included; a new row
    with s_* = 0 (nothing in common with any training point) becomes 0. Up to 1e-12 of the largest K_jj counts as 0.

    Limits of the rule for new rows. s_* is at most the true self-value of the point, so a row that is nearly orthogonal
    to all training points is scaled up, to unit length. Noise in k_* that falls on a small eigenvalue λ enters s_* as
    noise²/λ: with sampled values a new row has a larger s_* than a training row, and its entries come out too small. A
    larger `rtol`, near σ√N/λ_max for standard errors σ, limits that; ``transform(X_fit)`` then equals
    ``fit_transform(X_fit)`` only up to what is left out.

    Sample weights are not used: for k_* in the span of K, where exact and clipped rows are, repeated samples give the
    same s_*.

    References
    ----------
    Schölkopf and Smola, "Learning with Kernels", MIT Press (2002): normalised kernels.
    Chen et al., "Similarity-based classification: concepts and algorithms", JMLR 10, 747 (2009): rules for new rows
    that agree with those for training rows.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.kernels import UnitDiagonal
    >>> K = np.array([[4.0, 1.0], [1.0, 1.0]])
    >>> unit = UnitDiagonal().fit(K)
    >>> unit.transform_gram(K)
    array([[1. , 0.5],
           [0.5, 1. ]])
    >>> unit.transform_cross(np.array([[8.0, 2.0], [0.0, 0.0]])).round(12)  # twice the first point, and nothing
    array([[1. , 0.5],
           [0. , 0. ]])
    """

    guarantees_psd: ClassVar[bool] = True

    def __init__(self, rtol: float = 1e-12) -> None:
        self.rtol = rtol

    def fit(self, gram: Values, overlaps: Overlaps | None = None, sample_weight: Values | None = None) -> Self:
        """Learn the scale of every training point and the root of the pseudo-inverse.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            Positive semidefinite training matrix; its symmetric part is used.
        overlaps : Overlaps, optional
            Not used.
        sample_weight : ndarray of shape (n_fit,), optional
            Not used.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            `rtol` is not a number in [0, 1).
        InvalidDataError
            `gram` is no finite square matrix, or has negative eigenvalues.
        """
        gram = np.asarray(gram, dtype=np.float64)
        spectrum = weighted_spectrum(gram, self.rtol, None, "UnitDiagonal")
        smallest, largest = float(spectrum.eigenvalues[0]), float(spectrum.eigenvalues[-1])
        rounding = rounding_of(spectrum.eigenvalues)
        if smallest < -max(PSD_RTOL * largest, rounding):
            raise InvalidDataError(
                "gram of UnitDiagonal must be positive semidefinite, or self-values would be negative; its eigenvalues "
                f"are between {smallest:.3g} and {largest:.3g}. Put a repair first: "
                "corrections=[ClipSpectrum(), UnitDiagonal()]."
            )
        # Eigenvalues no larger than the negative ones that rounding has left are rounding too.
        kept = spectrum.eigenvalues > max(float(self.rtol) * largest, rounding, -smallest)
        self.root_: Values = spectrum.vectors[:, kept] / np.sqrt(spectrum.eigenvalues[kept])
        self._floor = LENGTH_RTOL * max(float(np.diag(gram).max()), 0.0)
        self.scale_ = self._inverse_lengths(np.diag(gram))
        return self

    def transform_gram(self, gram: Values, overlaps: Overlaps | None = None) -> Values:
        """Renormalise the training matrix.

        Parameters
        ----------
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Exactly symmetric, with a diagonal of 1 (0 for points of length 0).

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        scaled = 0.5 * (gram + gram.T) * np.outer(self.scale_, self.scale_)
        np.fill_diagonal(scaled, self.scale_ > 0.0)
        return np.asarray(scaled)

    def transform_cross(self, cross: Values, overlaps: Overlaps | None = None) -> Values:
        """Renormalise K(X_new, X_fit) by the induced self-values of its rows.

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
        rows = self._inverse_lengths(np.square(cross @ self.root_).sum(axis=1))
        return np.asarray(rows[:, None] * cross * self.scale_)

    def transform_new(self, values: Values, left: Values, right: Values, overlaps: Overlaps | None = None) -> Values:
        """Renormalise entries of new rows among themselves by their self-values.

        Parameters
        ----------
        values : ndarray of shape (n_new, n_new), or (n_new, 1)
        left, right : ndarray of shape (n_new, 1), and (1, n_new) or (n_new, 1)
            Self-values.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of the shape of `values`
            1 for a row with itself; 0 where a row has length 0.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        rows, columns = (self._inverse_lengths(own.ravel()).reshape(own.shape) for own in (left, right))
        return np.asarray(values * rows * columns)

    def transform_stderr(self, stderr: Values, gram: Values, overlaps: Overlaps | None = None) -> Values:
        r"""Standard errors of the renormalised training matrix.

        .. math:: \mathrm{Var}_{ij} = \frac{\sigma_{ij}^2}{K_{ii} K_{jj}} + \frac{K_{ij}^2}{4 K_{ii} K_{jj}}
            \left(\frac{\sigma_{ii}^2}{K_{ii}^2} + \frac{\sigma_{jj}^2}{K_{jj}^2}\right), \qquad \mathrm{Var}_{ii} = 0

        Entries count as independent; those of a repaired matrix are not quite.

        Parameters
        ----------
        stderr : ndarray of shape (n_fit, n_fit)
            σ, symmetric.
        gram : ndarray of shape (n_fit, n_fit)
            The matrix given to `fit`.
        overlaps : Overlaps, optional
            Not used.

        Returns
        -------
        ndarray of shape (n_fit, n_fit)
            Symmetric; 0 on the diagonal.

        Raises
        ------
        NotFittedError
            Call `fit` first.
        """
        check_is_fitted(self)
        scaled = np.outer(self.scale_, self.scale_)
        return stderr_of_ratio(stderr * scaled, 0.5 * (gram + gram.T) * scaled, np.diag(stderr) * self.scale_**2)

    def _inverse_lengths(self, squared: Values) -> Values:
        """1/√s; 0 where s counts as 0."""
        inverse = np.zeros(len(squared))
        found = squared > self._floor
        inverse[found] = 1.0 / np.sqrt(squared[found])
        return inverse


def stderr_of_ratio(own: Values, ratio: Values, relative: Values) -> Values:
    """First-order standard errors of R_ij = A_ij/√(a_i a_j), where a is the diagonal of A; 0 on the diagonal.

    Parameters
    ----------
    own : ndarray of shape (n, n)
        Errors of A_ij, divided by √(a_i a_j).
    ratio : ndarray of shape (n, n)
        R.
    relative : ndarray of shape (n,)
        Relative errors of a.
    """
    stderr = np.hypot(own, 0.5 * np.abs(ratio) * np.hypot(relative[:, None], relative[None, :]))
    np.fill_diagonal(stderr, 0.0)
    return np.asarray(stderr)
