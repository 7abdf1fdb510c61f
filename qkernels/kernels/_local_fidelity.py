"""LocalFidelityKernel: similarity patch by patch of qubits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral
from operator import index
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import Engine, EngineCall, Orientation
from qkernels.feature_maps import AffineScaling, FeatureMap
from qkernels.kernels._correction import Correction
from qkernels.kernels._fidelity_rule import check_orientation
from qkernels.kernels._outcomes import OutcomeKernel
from qkernels.kernels._rule import CircuitRule, stacked
from qkernels.programs import ExpectationProgram, Overlaps

__all__ = ["LocalFidelityKernel"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReducedRule(CircuitRule):
    """Overlaps of reduced states: a linear kernel of Pauli expectation values.

    Attributes
    ----------
    program : ExpectationProgram
        All Pauli strings but the identity on every patch.
    factors : ndarray of shape (n_observables,)
        1/(n_patches · 2^|P|) for the patch of every string.
    constant : float
        What the identities contribute.
    """

    program: ExpectationProgram
    factors: Values
    constant: float

    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        if need:
            raise InvalidParameterError(
                f"corrections that require {sorted(need)} cannot correct LocalFidelityKernel(form='reduced'), which is "
                "made of expectation values. Use form='overlap', or remove the correction."
            )
        a = self.engine.expectations(self.program, A)
        b = a if B is None else self.engine.expectations(self.program, B)
        values = (a.values * self.factors) @ b.values.T + self.constant
        if B is None:
            values = 0.5 * (values + values.T)
        if a.stderr is None or b.stderr is None:
            return Overlaps(values, info=a.info)
        # First order in independent errors; on the diagonal both factors are one measurement, so errors add twice.
        squares = self.factors**2
        variance = (a.values**2 * squares) @ (b.stderr**2).T + (a.stderr**2 * squares) @ (b.values**2).T
        if B is None:
            np.fill_diagonal(variance, 2.0 * np.diag(variance))
        return Overlaps(values, np.sqrt(variance), info=a.info)

    def diag(self, A: Values) -> Values:
        values = self.engine.expectations(self.program, A).values
        return np.asarray(values**2 @ self.factors + self.constant)

    def calls(
        self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()
    ) -> tuple[EngineCall, ...]:
        return (EngineCall(self.engine, self.program, stacked(A, B)),)


class LocalFidelityKernel(OutcomeKernel):
    r"""Local fidelity: similarity patch by patch of qubits, averaged over the patches.

    ``form="overlap"``: the probability that a patch reads zero after the compute–uncompute circuit,

    .. math:: k(x, y) = \frac{1}{m} \sum_P \mathrm{Pr}(b_P = 0 \mid U(\theta(y))^\dagger U(\theta(x))|0\rangle),

    ``form="reduced"``: the overlap of the patch's reduced states,

    .. math:: k(x, y) = \frac{1}{m} \sum_P \mathrm{Tr}(\rho_P(x)\, \rho_P(y)).

    Both equal the fidelity where one patch holds all qubits, and concentrate later than it where patches are small.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        None is ``ZZFeatureMap(reps=2, entanglement="linear", data_map="product")``.
    engine : Engine, default=None
        None is ``AutoEngine()``.
    bandwidth : "scale" or float > 0, default="scale"
        As in `FidelityKernel`.
    patches : int >= 1 or sequence of sequences of int, default=1
        Qubits per patch, in order (the last patch may be smaller), or the patches themselves: qubit numbers, every
        qubit of the circuit in one patch.
    form : {"overlap", "reduced"}, default="overlap"
    corrections : list of Correction, default=None
        As in `FidelityKernel`; None is ``[ClipSpectrum()]`` with "overlap" on every engine (see Notes), nothing with
        "reduced".
    orientation : {"canonical", "both"}, default="canonical"
        As in `HammingKernel`; "reduced" has none.

    Attributes
    ----------
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The corrected training matrix, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Standard errors of ``gram_``, corrections included, to first order. Only where entries were sampled.
    gram_shots_ : ndarray of shape (n_fit, n_fit), int64
        Shots behind every entry. Only where entries were sampled, not with "reduced".
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
    HammingKernel : any function of the Hamming weight.
    ProjectedKernel : other functions of reduced states.

    Notes
    -----
    With "overlap", one orientation per pair is evaluated, as the outcome is not symmetric in x and y, and the matrix
    may have negative eigenvalues even where it is exact; cost as for `HammingKernel`. With "reduced", the matrix is
    positive semidefinite, its diagonal is the mean purity of the patches (below 1 where the map entangles them; with
    shots above the purity by the variances of the expectation values), and N states suffice; the number of Pauli
    strings grows as 4^|P|.

    A multi-scale kernel is a sum: ``0.5 * LocalFidelityKernel(patches=1) + 0.5 * FidelityKernel()``.

    References
    ----------
    Zendejas-Morales, Saikia and Singh, "Local and Multi-Scale Strategies to Mitigate Exponential Concentration in
    Quantum Kernels", arXiv:2602.16097.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.feature_maps import SeparableMap
    >>> from qkernels.kernels import LocalFidelityKernel
    >>> k = LocalFidelityKernel(SeparableMap(), bandwidth=1.0)
    >>> k([[0.0, 0.0]], [[0.0, np.pi]])  # one of two qubits differs
    array([[0.5]])
    """

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        engine: Engine | None = None,
        bandwidth: float | Literal["scale"] = "scale",
        patches: int | Sequence[Sequence[int]] = 1,
        form: Literal["overlap", "reduced"] = "overlap",
        corrections: Sequence[Correction] | None = None,
        orientation: Orientation = "canonical",
    ) -> None:
        self.feature_map = feature_map
        self.engine = engine
        self.bandwidth = bandwidth
        self.patches = patches
        self.form = form
        self.corrections = corrections
        self.orientation = orientation

    def _build_rule(self, feature_map: FeatureMap, engine: Engine, scaling: AffineScaling) -> CircuitRule:
        if self.form not in ("overlap", "reduced"):
            raise InvalidParameterError(
                f"form of LocalFidelityKernel must be 'overlap' or 'reduced'; got {self.form!r}."
            )
        if self.form == "overlap":
            return super()._build_rule(feature_map, engine, scaling)
        check_orientation(self.orientation, type(self).__name__)
        n_features = len(scaling.factor)
        circuit, x = feature_map.build(n_features), feature_map.parameter_vector(n_features)
        n = int(circuit.num_qubits)
        patches = self._patches(n)
        labels: list[str] = []
        factors: list[float] = []
        for patch in patches:
            for letters in list(product("IXYZ", repeat=len(patch)))[1:]:
                on = dict(zip(patch, letters, strict=True))
                labels.append("".join(on.get(q, "I") for q in reversed(range(n))))
                factors.append(1.0 / (len(patches) * 2 ** len(patch)))
        constant = float(np.mean([0.5 ** len(patch) for patch in patches]))
        program = ExpectationProgram(circuit, x, observables=labels)
        return ReducedRule(feature_map, engine, scaling, program, np.array(factors), constant)

    def _may_be_indefinite(self, engine: Engine) -> bool:
        return self.form == "overlap"

    def _patches(self, num_qubits: int) -> tuple[tuple[int, ...], ...]:
        given = self.patches
        size = int(given) if isinstance(given, Integral) and not isinstance(given, bool) else 0
        if size >= 1:
            starts = range(0, num_qubits, size)
            return tuple(tuple(range(start, min(start + size, num_qubits))) for start in starts)
        try:
            patches = tuple(tuple(index(qubit) for qubit in patch) for patch in given)  # type: ignore[union-attr]
        except TypeError:
            patches = ()
        qubits = [qubit for patch in patches for qubit in patch]
        if not patches or not all(patches) or len(set(qubits)) < len(qubits) or min(qubits) < 0:
            raise InvalidParameterError(
                "patches of LocalFidelityKernel must be an integer >= 1 (qubits per patch) or a sequence of non-empty "
                f"sequences of different qubits, such as [(0, 1), (2, 3)]; got {given!r}."
            )
        if sorted(qubits) != list(range(num_qubits)):
            wrong = sorted(set(qubits).symmetric_difference(range(num_qubits)))
            raise InvalidDataError(
                f"patches of LocalFidelityKernel must hold each of the circuit's {num_qubits} qubit(s), 0 to "
                f"{num_qubits - 1}, once; qubit {wrong[0]} is {'missing' if wrong[0] < num_qubits else 'none of them'} "
                f"in {given!r}. Give patches of these, or an integer."
            )
        return patches

    def _score(self, num_patches: int) -> Values:
        return 1.0 - np.arange(num_patches + 1) / num_patches
