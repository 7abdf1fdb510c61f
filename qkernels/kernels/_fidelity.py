"""FidelityKernel: k(x, y) = |⟨0|U(y)†U(x)|0⟩|²."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from qkernels._errors import InvalidParameterError
from qkernels.engines import AutoEngine, Engine, Orientation
from qkernels.feature_maps import FeatureMap, ZZFeatureMap
from qkernels.kernels._bandwidth import AffineScaling, Bandwidth, check_bandwidth, fit_scaling
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._correction import Correction
from qkernels.kernels._frozen import FrozenKernel
from qkernels.programs import OverlapProgram, Overlaps

if TYPE_CHECKING:
    from qkernels.kernels._qiskit_adapter import QiskitKernel

__all__ = ["FidelityKernel"]

Values = NDArray[np.float64]


class FidelityKernel(QuantumKernel):
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
        ``[ClipSpectrum()]`` on all others, whose matrices have negative eigenvalues; ``[]`` is nothing anywhere.
    orientation : {"canonical", "both"}, default="canonical"
        Which of two rows is prepared and which undone. "canonical" decides by content; "both" averages the two
        orientations at half the shots each. They differ only under noise.

    Attributes
    ----------
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The corrected training matrix, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Standard errors of the measured entries before corrections. Only where entries were sampled.
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

    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {"feature_map": ZZFeatureMap}
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("feature_map", "engine", "corrections")

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

    # Fitting ----------------------------------------------------------------------------------------------------

    def _learn(self, X: Values, weights: Values) -> None:
        bandwidth, feature_map, engine, program = self._set_up(X.shape[1])

        def mean_overlap(angles: Values) -> float:
            exact = engine if engine.is_exact else AutoEngine()
            values = exact.overlaps(program, angles).values
            n = len(values)
            return float((values.sum() - np.trace(values)) / (n * (n - 1)))

        scaling = fit_scaling(bandwidth, feature_map.scale_rule, X, weights, mean_overlap)
        self.feature_map_, self.engine_ = feature_map, engine
        self.offset_, self.factor_ = scaling.offset, scaling.factor
        self._frozen = FrozenKernel(feature_map, engine, scaling, program, self.orientation)

    def _set_up(self, n_features: int) -> tuple[Bandwidth, FeatureMap, Engine, OverlapProgram]:
        """Validate the parameters and build the program for this number of features."""
        bandwidth = check_bandwidth(self.bandwidth, type(self).__name__)
        if self.orientation not in ("canonical", "both"):
            raise InvalidParameterError(
                f"orientation of FidelityKernel must be 'canonical' or 'both'; got {self.orientation!r}."
            )
        engine: Engine = AutoEngine() if self.engine is None else self.engine
        if not isinstance(engine, Engine):
            raise InvalidParameterError(
                f"engine of FidelityKernel must be None or an engine such as StatevectorEngine(shots=1000); "
                f"got {engine!r}."
            )
        feature_map = ZZFeatureMap() if self.feature_map is None else self.feature_map
        if not isinstance(feature_map, FeatureMap):
            is_circuit = isinstance(feature_map, QuantumCircuit)
            what = "a QuantumCircuit; wrap it: CircuitMap(circuit)" if is_circuit else repr(feature_map)
            raise InvalidParameterError(
                f"feature_map of FidelityKernel must be None or a feature map such as ZZFeatureMap(); got {what}."
            )
        feature_map = clone(feature_map)
        circuit, x = feature_map.build(n_features), feature_map.parameter_vector(n_features)
        return bandwidth, feature_map, engine, OverlapProgram(circuit, x)

    def _encode(self, X: Values) -> Values:
        return self._frozen.scaling(X)

    def _measure(self, A: Values, B: Values | None, need: frozenset[str]) -> Overlaps:
        return self._frozen.measure(A, B, need)

    # The raw function -------------------------------------------------------------------------------------------

    def __call__(self, X: ArrayLike, Y: ArrayLike | None = None) -> Values:
        """Evaluate the raw matrix K(X, Y): learned scaling, no corrections.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
        Y : array-like of shape (n_y, n_features), optional
            None is X.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64 in [0, 1]

        Raises
        ------
        NotFittedError
            The bandwidth is learned from data and `fit` was not called. A numeric bandwidth needs no fit.
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        return self._function(X)(X, Y)

    def diag(self, X: ArrayLike) -> Values:
        """The raw values k(x, x).

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)

        Returns
        -------
        ndarray of shape (n_x,), float64
            1 on noiseless engines, without evaluating anything; measured on noisy ones.

        Raises
        ------
        NotFittedError, InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As for a call.
        """
        return self._function(X).diag(X)

    def frozen(self) -> FrozenKernel:
        """The fitted kernel as a plain callable k(X, Y) that scikit-learn's ``clone`` does not reset.

        Returns
        -------
        FrozenKernel
            Its scaling is that of the data seen here, also across the folds of a later cross-validation.

        Raises
        ------
        NotFittedError
            Call `fit` first.

        Examples
        --------
        >>> from sklearn.base import clone
        >>> from qkernels import FidelityKernel
        >>> k = FidelityKernel().fit([[0.0, 1.0], [1.0, 0.0], [0.5, 0.2]]).frozen()
        >>> clone(k) is k
        True
        """
        if not hasattr(self, "_frozen"):
            raise NotFittedError(self._advice("frozen()"))
        return self._frozen

    def as_qiskit_kernel(self) -> QiskitKernel:
        """The fitted kernel as a qiskit-machine-learning ``BaseKernel`` on our engine.

        For ``qiskit_machine_learning.algorithms.QSVC``, ``PegasosQSVC`` and whatever else takes a ``BaseKernel``.
        In the other direction, ``QuantumKernelSVC(kernel=their_kernel)`` takes theirs.

        Returns
        -------
        BaseKernel
            Its ``evaluate`` gives the raw matrix. Entries between rows seen in `fit` are looked up.

        Raises
        ------
        NotFittedError
            Call `fit` first.

        Examples
        --------
        >>> from qiskit_machine_learning.algorithms import QSVC
        >>> from sklearn.datasets import load_iris
        >>> from qkernels import FidelityKernel
        >>> X, y = load_iris(return_X_y=True)
        >>> kernel = FidelityKernel().fit(X).as_qiskit_kernel()
        >>> QSVC(quantum_kernel=kernel).fit(X, y).score(X, y) > 0.9
        True
        """
        from qkernels.kernels._qiskit_adapter import QiskitKernel  # imports a library that only some users need

        if not hasattr(self, "_frozen"):
            raise NotFittedError(self._advice("as_qiskit_kernel()"))
        return QiskitKernel(self._frozen, self._encoded_fit)

    def _function(self, X: ArrayLike) -> FrozenKernel:
        if hasattr(self, "_frozen"):
            validate_data(self, X, reset=False, skip_check_array=True)
            return self._frozen
        if self._learns:
            raise NotFittedError(self._advice("k(X, Y)"))
        n_features = check_array(X, dtype=np.float64).shape[1]
        bandwidth, feature_map, engine, program = self._set_up(n_features)
        raw = AffineScaling(np.zeros(n_features), np.full(n_features, bandwidth))
        return FrozenKernel(feature_map, engine, raw, program, self.orientation)

    @property
    def _learns(self) -> bool:
        return isinstance(self.bandwidth, str) and self.bandwidth == "scale"

    def _advice(self, wanted: str) -> str:
        if self._learns:
            return (
                "This FidelityKernel is not fitted: bandwidth='scale' is learned from training data. Use it in one of "
                "three ways: QuantumKernelSVC(kernel); make_pipeline(kernel, SVC(kernel='precomputed')); or "
                "kernel.fit(X).frozen(), a callable with the scaling of X. With a numeric bandwidth, kernel(X, Y) "
                "needs no fit."
            )
        return (
            f"This FidelityKernel is not fitted: {wanted} needs fit(X) to know the number of features, also with "
            f"bandwidth={self.bandwidth!r}, where nothing else is learned. Call kernel.fit(X) first; kernel(X, Y) "
            "itself needs no fit."
        )
