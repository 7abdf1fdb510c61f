"""What kernels of the whole outcome share: a function of the outcome's weight instead of its all-zero count alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines import Engine, EngineCall, Orientation
from qkernels.feature_maps import AffineScaling, FeatureMap
from qkernels.kernels._circuit import CircuitKernel
from qkernels.kernels._fidelity_rule import check_orientation, self_pairs
from qkernels.kernels._rule import CircuitRule
from qkernels.programs import OverlapProgram, Overlaps

__all__ = ["OutcomeKernel"]

Values = NDArray[np.float64]

_PRIOR = 0.5
"""Pseudo-count of every class (Jeffreys), so that the standard error of a sampled entry is never 0."""

_ADVICE = (
    "HammingKernel and LocalFidelityKernel need the outcome distribution of every pair; ProjectedKernel and "
    "LocalFidelityKernel(form='reduced') need one state for every row and are local too."
)


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeRule(CircuitRule):
    """Mean of a function of the outcome's weight.

    Attributes
    ----------
    program : OverlapProgram
        With the patches whose non-zero readings are counted.
    orientation : {"canonical", "both"}
    score : ndarray of shape (n_patches + 1,)
        The function: its value for every weight.
    """

    program: OverlapProgram
    orientation: Orientation
    score: Values

    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        try:
            found = self.engine.overlaps(self.program, A, B, need=need | {"weights"}, orientation=self.orientation)
        except BudgetError as error:
            raise BudgetError(f"{error} {_ADVICE}") from None
        scored = self._scored(found)
        if "diagonal" in need:
            left = self.diag(A) if B is not None else np.diag(scored.values).copy()
            scored = replace(scored, diagonals=(left, left if B is None else self.diag(B)))
        return scored if "weights" in need else replace(scored, weights=None)  # kept and pickled with the kernel

    def measure_selves(self, A: Values, need: frozenset[str] = frozenset()) -> Overlaps:
        pairs = self_pairs(A)
        need = need | {"weights"}
        return self._scored(self.engine.overlaps(self.program, A, pairs=pairs, need=need, orientation=self.orientation))

    def _scored(self, found: Overlaps) -> Overlaps:
        if found.weights is None:
            raise InvalidParameterError(f"{self.engine!r} returned no outcome weights, which this kernel is made of.")
        values = np.asarray(found.weights @ self.score)
        info = {
            "num_qubits": self.program.num_qubits,
            **found.info,
            "self_value": float(self.score[0]),
            "mixed_value": float(self._random_weights() @ self.score),
        }
        if found.num_shots is None:
            return replace(found, values=values, info=info)
        # Posterior of the class probabilities under a Dirichlet prior; its variance of Σ p_w g(w).
        counts = found.weights * found.num_shots[..., None] + _PRIOR
        total = counts.sum(axis=-1)
        mean = counts @ self.score / total
        variance = (counts @ self.score**2 / total - mean**2) / (total + 1.0)
        stderr = np.where(found.num_shots > 0, np.sqrt(np.maximum(variance, 0.0)), 0.0)
        return replace(found, values=values, stderr=stderr, info=info)

    def _random_weights(self) -> Values:
        """Distribution of the weight of random bits: a patch of q qubits reads zero with probability 2^−q."""
        patches = self.program.patches
        sizes = [1] * self.program.num_qubits if patches is None else [len(patch) for patch in patches]
        distribution = np.ones(1)
        for size in sizes:
            distribution = np.convolve(distribution, [0.5**size, 1.0 - 0.5**size])
        return distribution

    def diag(self, A: Values) -> Values:
        return np.full(len(A), self.score[0]) if self.is_noiseless else self.measure_selves(A).values

    def calls(
        self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()
    ) -> tuple[EngineCall, ...]:
        options = {"need": need | {"weights"}, "orientation": self.orientation}
        return (EngineCall(self.engine, self.program, A, B, options, _ADVICE),)

    def self_calls(self, A: Values, need: frozenset[str] = frozenset()) -> tuple[EngineCall, ...]:
        if self.is_noiseless and not need:
            return ()
        options = {"pairs": self_pairs(A), "need": need | {"weights"}, "orientation": self.orientation}
        return (EngineCall(self.engine, self.program, A, None, options),)


class OutcomeKernel(CircuitKernel):
    """Base of kernels of outcome weights (abstract): a subclass says which patches count and what a weight is worth."""

    orientation: Orientation

    @abstractmethod
    def _patches(self, num_qubits: int) -> tuple[tuple[int, ...], ...] | None:
        """Patches whose non-zero readings are counted; None for single qubits."""

    @abstractmethod
    def _score(self, num_patches: int) -> Values:
        """Value of every weight."""

    def _may_be_indefinite(self, engine: Engine) -> bool:
        return True  # the outcome of U(y)†U(x) is a symmetric function of x and y only in its all-zero part

    def _build_rule(self, feature_map: FeatureMap, engine: Engine, scaling: AffineScaling) -> CircuitRule:
        check_orientation(self.orientation, type(self).__name__)
        n_features = len(scaling.factor)
        circuit, x = feature_map.build(n_features), feature_map.parameter_vector(n_features)
        patches = self._patches(int(circuit.num_qubits))
        score = self._score(int(circuit.num_qubits) if patches is None else len(patches))
        program = OverlapProgram(circuit, x, patches=patches)
        return OutcomeRule(feature_map, engine, scaling, program, self.orientation, score)
