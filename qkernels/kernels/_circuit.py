"""What kernels on one feature map and one engine share: scaling, set-up, corrections."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from sklearn.base import BaseEstimator, clone

from qkernels._errors import InvalidParameterError
from qkernels.engines import AutoEngine, Engine, EngineCall
from qkernels.feature_maps import AffineScaling, Bandwidth, FeatureMap, ZZFeatureMap, check_bandwidth, fit_scaling
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._chain import as_column, correct_cross, correct_gram, correct_new, union_of_needs
from qkernels.kernels._correction import Correction
from qkernels.kernels._rule import CircuitRule, KernelRule
from qkernels.kernels._spectrum import ClipSpectrum, warn_if_not_psd
from qkernels.programs import OverlapProgram, Overlaps

if TYPE_CHECKING:
    from qkernels.kernels._qiskit_adapter import QiskitKernel

__all__ = ["CircuitKernel"]

Values = NDArray[np.float64]


class CircuitKernel(QuantumKernel):
    """Base of kernels on one feature map and one engine (abstract).

    A subclass has the parameters `feature_map`, `engine`, `bandwidth` and `corrections`, and says what is measured
    (`_build_rule`), what is learned beside the scaling (`_fit_rule`) and whether its matrices may have negative
    eigenvalues.
    """

    feature_map: FeatureMap | None
    engine: Engine | None
    bandwidth: Bandwidth
    corrections: Sequence[Correction] | None

    _rule: CircuitRule
    _measured: Overlaps
    _weights_fit: Values
    _rounds: int
    _self_values: tuple[Values | None, ...]
    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {"feature_map": ZZFeatureMap}
    _shown_when_fitted: ClassVar[tuple[str, ...]] = ("feature_map", "engine", "corrections")

    # What a subclass provides -----------------------------------------------------------------------------------

    @abstractmethod
    def _build_rule(self, feature_map: FeatureMap, engine: Engine, scaling: AffineScaling) -> CircuitRule:
        """The rule for a scaling; validates the parameters of the subclass."""

    def _may_be_indefinite(self, engine: Engine) -> bool:
        """Whether matrices from this engine may have negative eigenvalues, and get `ClipSpectrum` by default."""
        return not engine.is_exact

    # The rule ---------------------------------------------------------------------------------------------------

    def _learn(self, X: Values, weights: Values) -> CircuitRule:
        n_features = X.shape[1]
        bandwidth, feature_map, engine = self._set_up()

        def mean_overlap(angles: Values) -> float:
            program = OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))
            exact = engine if engine.is_exact else AutoEngine()
            values = exact.overlaps(program, angles).values
            n = len(values)
            return float((values.sum() - np.trace(values)) / (n * (n - 1)))

        draft = self._build_rule(feature_map, engine, AffineScaling(np.zeros(n_features), np.ones(n_features)))
        scaling = fit_scaling(bandwidth, feature_map.scale_rule, X, weights, mean_overlap)
        rule = replace(draft, scaling=scaling)
        self.feature_map_, self.engine_ = feature_map, engine
        self.offset_, self.factor_ = scaling.offset, scaling.factor
        return rule

    def _draft(self, n_features: int) -> KernelRule:
        bandwidth, feature_map, engine = self._set_up()
        factor = 1.0 if isinstance(bandwidth, str) else bandwidth
        return self._build_rule(feature_map, engine, AffineScaling(np.zeros(n_features), np.full(n_features, factor)))

    @property
    def _learns(self) -> bool:
        return bool(self._what_is_learned)

    @property
    def _what_is_learned(self) -> tuple[str, ...]:
        return ("bandwidth",) if isinstance(self.bandwidth, str) and self.bandwidth == "scale" else ()

    def _set_up(self) -> tuple[Bandwidth, FeatureMap, Engine]:
        """Validate what all kernels have, and take fresh defaults."""
        owner = type(self).__name__
        bandwidth = check_bandwidth(self.bandwidth, owner)
        engine: Engine = AutoEngine() if self.engine is None else self.engine
        if not isinstance(engine, Engine):
            raise InvalidParameterError(
                f"engine of {owner} must be None or an engine such as StatevectorEngine(shots=1000); got {engine!r}."
            )
        feature_map = ZZFeatureMap() if self.feature_map is None else self.feature_map
        if not isinstance(feature_map, FeatureMap):
            is_circuit = isinstance(feature_map, QuantumCircuit)
            what = "a QuantumCircuit; wrap it: CircuitMap(circuit)" if is_circuit else repr(feature_map)
            raise InvalidParameterError(
                f"feature_map of {owner} must be None or a feature map such as ZZFeatureMap(); got {what}."
            )
        return bandwidth, clone(feature_map), engine

    # Matrices and their corrections -----------------------------------------------------------------------------

    def _fit_encoded(self, A: Values, weights: Values) -> tuple[Values, Values | None]:
        corrections = self._resolve_corrections()
        overlaps = self._measure_fit(A, union_of_needs(corrections))
        for name in ("_measured", "_weights_fit", "gram_shots_"):
            self.__dict__.pop(name, None)  # of an earlier fit on a sampling engine
        if overlaps.num_shots is not None:
            kept = replace(overlaps, weights=None, bits=None, outcomes=None, orientations=None)  # small in a pickle
            self._measured, self._weights_fit, self._rounds = kept, weights, 0
        return self._correct(corrections, overlaps, weights)

    def _correct(
        self, corrections: list[Correction], overlaps: Overlaps, weights: Values
    ) -> tuple[Values, Values | None]:
        """The training matrix after fresh corrections fitted to it, and its standard errors; keeps the corrections."""
        found = correct_gram(corrections, overlaps, weights)
        is_repaired = bool(corrections) and corrections[-1].guarantees_psd
        if not is_repaired and (corrections or self._may_be_indefinite(self._rule.engine)):
            warn_if_not_psd(found.gram, found.stderr, type(self).__name__)
        self.corrections_, self._self_values = corrections, found.self_values
        if overlaps.num_shots is not None:
            self.gram_shots_ = overlaps.num_shots
        return found.gram, found.stderr

    def _cross_encoded(self, A: Values) -> Values:
        need = union_of_needs(self.corrections_)
        if np.array_equal(A, self._encoded_fit):
            if not self.corrections_:
                return self.gram_
            # As in `fit`: half the entries of a cross block, and the engine has them in its cache.
            kept = getattr(self, "_measured", None)
            overlaps = self._measure_fit(A, need) if kept is None or need - {"diagonal"} else kept
        else:
            overlaps = self._measure_cross(A, need)
        selves = partial(self._rule.measure_selves, A, need - {"diagonal"})
        return correct_cross(self.corrections_, overlaps, self._self_values, selves)

    def _new_encoded(self, A: Values) -> Values:
        need = union_of_needs(self.corrections_) - {"diagonal"}
        return correct_new(self.corrections_, self._rule.measure(A, None, need), is_column=False)

    def _selves_encoded(self, A: Values) -> Values:
        need = union_of_needs(self.corrections_) - {"diagonal"}
        # Where values are enough, what a noiseless engine knows is not measured.
        selves = self._rule.measure_selves(A, need) if need else Overlaps(self._rule.diag(A))
        return correct_new(self.corrections_, as_column(selves), is_column=True)[:, 0]

    def _calls(self, rule: KernelRule, A: Values | int, B: Values | int | None = None) -> tuple[EngineCall, ...]:
        needs = frozenset[str]() if self.corrections is None else union_of_needs(self._resolve_corrections())
        return rule.calls(A, B, needs)

    def _cross_calls(self, A: Values) -> tuple[EngineCall, ...]:
        return () if np.array_equal(A, self._encoded_fit) else super()._cross_calls(A)

    def _selves_calls(self, A: Values) -> tuple[EngineCall, ...]:
        return self._rule.self_calls(A, union_of_needs(self.corrections_) - {"diagonal"})

    def _measure_fit(self, A: Values, need: frozenset[str]) -> Overlaps:
        """Raw values of the training matrix."""
        return self._rule.measure(A, None, need)

    def _measure_cross(self, A: Values, need: frozenset[str]) -> Overlaps:
        """Raw values of K(A, A_fit)."""
        return self._rule.measure(A, self._encoded_fit, need)

    def _resolve_corrections(self) -> list[Correction]:
        """Fresh corrections for this fit; without any wish, what the matrices of this kernel and engine need."""
        if self.corrections is None:
            return [ClipSpectrum()] if self._may_be_indefinite(self._rule.engine) else []
        owner = type(self).__name__
        if isinstance(self.corrections, (Correction, str)) or not isinstance(self.corrections, Sequence):
            raise InvalidParameterError(
                f"corrections of {owner} must be None or a list of corrections such as [ClipSpectrum()]; "
                f"got {self.corrections!r}."
            )
        for position, correction in enumerate(self.corrections):
            if not isinstance(correction, Correction):
                raise InvalidParameterError(
                    f"corrections[{position}] of {owner} must be a correction such as ClipSpectrum(); "
                    f"got {correction!r}."
                )
        return [clone(correction) for correction in self.corrections]

    # Other libraries --------------------------------------------------------------------------------------------

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
        self._fitted_rule("as_qiskit_kernel()")
        from qkernels.kernels._qiskit_adapter import QiskitKernel  # imports a library that only some users need

        return QiskitKernel(self._rule, self._encoded_fit)
