"""FidelityKernel: k(x, y) = |⟨0|U(y)†U(x)|0⟩|²."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine, Orientation, ZeroNoiseExtrapolation
from qkernels.feature_maps import AffineScaling, FeatureMap
from qkernels.kernels._chain import union_of_needs
from qkernels.kernels._circuit import CircuitKernel
from qkernels.kernels._correction import Correction
from qkernels.kernels._fidelity_rule import FidelityRule, check_orientation
from qkernels.kernels._refine import check_importance, refine_gram, with_refined_rows
from qkernels.kernels._restore import unchanged_on_failure
from qkernels.programs import OverlapProgram, Overlaps

__all__ = ["FidelityKernel"]

Values = NDArray[np.float64]


class FidelityKernel(CircuitKernel):
    r"""Fidelity (compute–uncompute) quantum kernel, a scikit-learn transformer.

    .. math:: k(x, y) = |\langle 0|U(\theta(y))^\dagger U(\theta(x))|0\rangle|^2

    with the circuit U of a feature map and the angles θ that `bandwidth` makes of the data.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        None is ``ZZFeatureMap(reps=2, entanglement="linear", data_map="product")``.
    engine : Engine, default=None
        Who computes it; None is ``AutoEngine()``: exact, by statevectors or matrix-product states. Shots and their seed
        belong to the engine: ``StatevectorEngine(shots=1000, seed=0)``.
    bandwidth : "scale" or float > 0, default="scale"
        ``"scale"`` learns from the training data, per feature, what the map's `scale_rule` says:

        - "standard": :math:`\theta_f = \kappa/\sqrt{d} \cdot (x_f - \mathrm{mean}_f)/\mathrm{std}_f`,
        - "unit": min–max to [0, 1],
        - "auto": standardised, times the factor for which the mean off-diagonal entry over 100 training rows is .55
          (bisection; the rows are chosen by content, so the order of X plays no role; evaluated exactly).

        Constant features become 0, with a `BandwidthWarning` where all are. A number multiplies raw X, without
        centring; nothing is learned then.
    corrections : list of Correction, default=None
        Applied in order to the training matrix and to K(X_new, X_fit). None is nothing on exact engines and
        ``[ClipSpectrum()]`` on all others, whose matrices have negative eigenvalues; ``[]`` is nothing anywhere. On
        devices and under noise first what undoes errors of readout (`ReadoutMitigation` or `BitFlipTolerance`), then
        `DepolarizingMitigation`, a repair last.
    orientation : {"canonical", "both"}, default="canonical"
        Which of two rows is prepared and which undone. "canonical" decides by content; "both" averages the two
        orientations at half the shots each. They differ only under noise.

    Attributes
    ----------
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The corrected training matrix, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Standard errors of ``gram_``, corrections included, to first order. Only where entries were sampled.
    gram_shots_ : ndarray of shape (n_fit, n_fit), int64
        Shots behind every entry. Only where entries were sampled.
    feature_map_ : FeatureMap
    engine_ : Engine
    corrections_ : list of Correction
        Fitted.
    offset_, factor_ : ndarray of shape (n_features,), float64
        θ = factor_ · (x − offset_).
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    Raises
    ------
    InvalidParameterError
        In `fit`: a parameter breaks its rule.

    See Also
    --------
    QuantumKernelSVC : classifier on this kernel.
    ClipSpectrum : repair of matrices with negative eigenvalues.
    ReadoutMitigation, DepolarizingMitigation : corrections of noise.

    Notes
    -----
    Cost: N circuits are simulated for N distinct rows, plus one matrix product, as long as their states fit into the
    `memory_limit` of the engine. Where they do not, states are simulated again block by block: more than N circuits
    (``engine.plan`` counts them). With shots, N(N−1)/2 entries of `shots` each. States and matrices are cached
    process-wide by content, so `transform` of new rows simulates these rows only, while the states of the training rows
    are in the cache.

    ``make_pipeline(FidelityKernel(), SVC(kernel="precomputed"))`` puts sample weights 0 into scikit-learn's SVC, which
    then returns wrong decision values; ``QuantumKernelSVC`` drops such rows first.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.
    Shaydulin and Wild, "Importance of kernel bandwidth in quantum machine learning", arXiv:2111.05451.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from qkernels import FidelityKernel
    >>> X, y = load_iris(return_X_y=True)
    >>> kernel = FidelityKernel().fit(X)
    >>> kernel
    FidelityKernel(engine=AutoEngine(), feature_map=ZZFeatureMap())
    >>> kernel.transform(X[:2]).shape
    (2, 150)
    >>> model = make_pipeline(FidelityKernel(), SVC(kernel="precomputed")).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> FidelityKernel(bandwidth=0.5)(X[:1], X[:1])  # nothing to learn: no fit needed
    array([[1.]])
    """

    _rule: FidelityRule

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        engine: Engine | None = None,
        bandwidth: float | Literal["scale"] = "scale",
        corrections: Sequence[Correction] | None = None,
        orientation: Orientation = "canonical",
    ) -> None:
        self.feature_map = feature_map
        self.engine = engine
        self.bandwidth = bandwidth
        self.corrections = corrections
        self.orientation = orientation

    def _build_rule(self, feature_map: FeatureMap, engine: Engine, scaling: AffineScaling) -> FidelityRule:
        check_orientation(self.orientation, type(self).__name__)
        n_features = len(scaling.factor)
        program = OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))
        return FidelityRule(feature_map, engine, scaling, program, self.orientation)

    def refine(self, importance: ArrayLike, shots: int) -> Self:
        r"""Spend more shots on the training matrix, where they matter.

        Shots go to pairs in proportion to :math:`|g_{ij}| \sqrt{k_{ij} (1 - k_{ij})}` and are pooled with what was
        measured before (`allocate_shots`); then corrections are fitted anew. May be called again, with the importance
        that the better matrix gives.

        Parameters
        ----------
        importance : array-like of shape (n_fit, n_fit)
            g: derivative of what matters with respect to every entry; only absolute values and ratios count. For a
            support vector machine :math:`\alpha_i \alpha_j`, for ridge regression
            :math:`\beta_i \alpha_j + \beta_j \alpha_i` (arXiv:2605.14672).
        shots : int >= 1
            To spend now, over all pairs together; pairs of a row with itself are among them where the engine measures
            them, that is under noise. With ``orientation="both"`` a pair takes an even number, so one may
            be left.

        Returns
        -------
        self
            With new ``gram_``, ``gram_stderr_`` and ``gram_shots_``. In `transform`, rows equal to training rows have
            the refined entries, too; other rows are not refined, nor is the raw function k(X, Y).

        Raises
        ------
        NotFittedError
            Call `fit` first.
        InvalidDataError
            `importance` is no finite real matrix of the shape of ``gram_``.
        InvalidParameterError
            `shots` is no integer >= 1, the engine is exact or extrapolates (`ZeroNoiseExtrapolation`), or a correction
            requires counts (`ReadoutMitigation`, `BitFlipTolerance`).
        BudgetError
            The request does not fit into the engine's limits.

        Examples
        --------
        >>> import numpy as np
        >>> from qkernels import FidelityKernel, StatevectorEngine
        >>> X = np.linspace(0.0, 1.0, 12).reshape(6, 2)
        >>> kernel = FidelityKernel(engine=StatevectorEngine(shots=20, seed=0)).fit(X)
        >>> importance = np.zeros((6, 6))
        >>> importance[0, 5] = 1.0
        >>> kernel.refine(importance, shots=1000).gram_shots_[0].tolist()
        [0, 20, 20, 20, 20, 1020]
        """
        check_is_fitted(self)
        if isinstance(shots, bool) or not isinstance(shots, Integral) or shots < 1:
            raise InvalidParameterError(f"shots of FidelityKernel.refine must be an integer >= 1; got {shots!r}.")
        if not hasattr(self, "_measured"):
            raise InvalidParameterError(
                f"engine of FidelityKernel must sample for refine to add shots; got {self.engine_!r}, whose entries "
                "are exact."
            )
        values = self._measured.values
        if isinstance(self.engine_, ZeroNoiseExtrapolation) or values.min() < 0.0 or values.max() > 1.0:
            raise InvalidParameterError(
                f"engine of FidelityKernel must give frequencies of one circuit for refine, which pools counts; got "
                f"{self.engine_!r}, whose entries are made of several and may lie outside [0, 1]. Give the engine more "
                "shots instead."
            )
        weights = check_importance(importance, self.gram_.shape)
        corrections = self._resolve_corrections()
        if counts := sorted(union_of_needs(corrections) - {"diagonal"}):
            raise InvalidParameterError(
                f"corrections of FidelityKernel must correct values alone for refine, which pools values of different "
                f"numbers of shots; got {corrections!r}, which require {counts}. Fit with more shots of the engine "
                "instead, or remove the correction."
            )
        with unchanged_on_failure(self):
            self._rounds += 1
            self._measured = refine_gram(
                self._rule, self._encoded_fit, self._measured, weights, int(shots), self._rounds
            )
            self._keep(*self._correct(corrections, self._measured, self._weights_fit))
        return self

    def _measure_cross(self, A: Values, need: frozenset[str]) -> Overlaps:
        found = super()._measure_cross(A, need)
        is_refined = hasattr(self, "_measured") and self._rounds > 0
        return with_refined_rows(found, self._rule, A, self._encoded_fit, self._measured) if is_refined else found
