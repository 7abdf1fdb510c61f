"""ProjectedKernel: a classical kernel of expectation values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.quantum_info import Pauli, SparsePauliOp
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from qkernels._errors import BandwidthWarning, InvalidParameterError
from qkernels.engines import Engine, EngineCall
from qkernels.feature_maps import AffineScaling, FeatureMap
from qkernels.kernels._circuit import CircuitKernel
from qkernels.kernels._correction import Correction
from qkernels.kernels._outer import RADIAL, Outer, OuterName, RadialOuter, make_outer, scale_gamma
from qkernels.kernels._rule import CircuitRule, KernelRule, stacked
from qkernels.programs import ExpectationProgram, Expectations, Overlaps

__all__ = ["ProjectedKernel"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Expectation values of encoded rows.

    Attributes
    ----------
    angles : ndarray of shape (n, num_features)
        The rows; equal angles are one measurement.
    found : Expectations
    """

    angles: Values
    found: Expectations

    @property
    def values(self) -> Values:
        """Shape (n, n_outputs)."""
        return self.found.values

    @property
    def stderr(self) -> Values | None:
        """Of the shape of the values; None where exact."""
        return self.found.stderr

    def take(self, angles: Values) -> Outputs | None:
        """The outputs of rows that are all among these; None where one is not."""
        if np.array_equal(angles, self.angles):
            return self
        position = {row.tobytes(): i for i, row in enumerate(self.angles)}
        rows = [position.get(row.tobytes(), -1) for row in angles]
        if -1 in rows:
            return None
        stderr = None if self.stderr is None else self.stderr[rows]
        return Outputs(angles, replace(self.found, values=self.values[rows], stderr=stderr))


@dataclass(frozen=True, slots=True, eq=False)
class ProjectedRule(CircuitRule):
    """A kernel of the expectation values of encoded rows.

    Attributes
    ----------
    program : ExpectationProgram
    outer : Outer
    """

    program: ExpectationProgram
    outer: Outer

    def outputs(self, A: Values) -> Outputs:
        """Evaluate the observables."""
        return Outputs(A, self.engine.expectations(self.program, A))

    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        self.refuse(need)
        return self.compare(self.outputs(A), None if B is None else self.outputs(B))

    def refuse(self, need: frozenset[str]) -> None:
        """Raise where corrections require what expectation values do not give."""
        if need:
            raise InvalidParameterError(
                f"corrections of ProjectedKernel cannot require {sorted(need)}: its entries are computed from "
                "expectation values, no circuit measures an entry. Remove the correction; a matrix of one set of "
                "vectors needs none."
            )

    def compare(self, a: Outputs, b: Outputs | None = None) -> Overlaps:
        """Kernel values of outputs; None for `b` is the Gram matrix of `a`."""
        values = self.outer(a.values, None if b is None else b.values)
        b = a if b is None else b
        if a.stderr is None or b.stderr is None:
            return Overlaps(values, info=a.found.info)
        variance = self.outer.variance(a.values, a.stderr, b.values, b.stderr)
        rows, columns = np.nonzero(_equal_rows(a.angles, b.angles))  # one measurement on both sides
        variance[rows, columns] = self.outer.diag_variance(a.values, a.stderr)[rows]
        return Overlaps(values, np.sqrt(variance), info=a.found.info)

    def diag(self, A: Values) -> Values:
        return np.ones(len(A)) if self.outer.unit_diagonal else self.outer.diag(self.outputs(A).values)

    def calls(
        self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()
    ) -> tuple[EngineCall, ...]:
        return (EngineCall(self.engine, self.program, stacked(A, B)),)

    def self_calls(self, A: Values, need: frozenset[str] = frozenset()) -> tuple[EngineCall, ...]:
        return () if self.outer.unit_diagonal else self.calls(A)


class ProjectedKernel(CircuitKernel):
    r"""Projected quantum kernel: a classical kernel of expectation values, a scikit-learn transformer.

    .. math:: k(x, y) = \kappa(f(x), f(y)), \qquad
        f_m(x) = \langle 0|U(\theta(x))^\dagger O_m U(\theta(x))|0\rangle

    By default the :math:`O_m` are the Paulis X, Y, Z on every qubit, so that f holds all one-qubit reduced states, and
    κ is a Gaussian, :math:`\exp(-\gamma \lVert f(x) - f(y) \rVert^2)`.

    Parameters
    ----------
    feature_map : FeatureMap, default=None
        None is ``ZZFeatureMap(reps=2, entanglement="linear", data_map="product")``.
    engine : Engine, default=None
        Who computes the expectation values; None is ``AutoEngine()``. Shots belong to the engine.
    bandwidth : "scale" or float > 0, default="scale"
        As in `FidelityKernel`.
    observables : str, SparsePauliOp, or sequence of these, default="XYZ"
        A string of different letters from X, Y, Z stands for these Paulis on every qubit: letter by letter, qubit 0
        first. Otherwise Hermitian observables on all qubits of the circuit, as ``SparsePauliOp`` or as Pauli labels in
        Qiskit's order (the right-most letter is qubit 0): ``["ZZI", "IZZ"]``.
    outer : {"rbf", "matern", "rational_quadratic", "linear"} or Kernel, default="rbf"
        The kernel κ of two vectors f, g of expectation values, with :math:`r^2 = \lVert f - g \rVert^2`:

        - "rbf": :math:`\exp(-\gamma r^2)`,
        - "matern": :math:`(1 + s) e^{-s}` with :math:`s = \sqrt{6\gamma}\, r`, Matérn's kernel with ν = 3/2,
        - "rational_quadratic": :math:`1 / (1 + \gamma r^2)`, the rational quadratic kernel with α = 1,
        - "linear": :math:`f \cdot g`,
        - an instance of a kernel from ``sklearn.gaussian_process.kernels`` is used as it is.

        "rbf", "matern" and "rational_quadratic" are scikit-learn's kernels of length scale
        :math:`1/\sqrt{2\gamma}`.
    gamma : "scale" or float > 0, default="scale"
        Multiplies the squared Euclidean distance of the vectors of expectation values, as scikit-learn's gamma does.
        The reference below multiplies :math:`\sum_k \lVert \rho_k(x) - \rho_k(y) \rVert_F^2`, which is half that
        distance for the one-qubit Paulis: its γ is twice ours. ``"scale"`` is 1/(n_outputs · Var), with the variance of
        all expectation values of the training rows (SVC's rule, weighted by `sample_weight`); where none varies from
        row to row it is 1, with a `BandwidthWarning`. "linear" does not use it; a kernel instance has its own scale,
        and `gamma` must be left alone.
    corrections : list of Correction, default=None
        Applied in order to the training matrix and to K(X_new, X_fit). None is nothing, also with shots: the matrix of
        one set of vectors is positive semidefinite. Only where `outer` is an instance that may not be (any but
        combinations of RBF, Matern, RationalQuadratic, DotProduct, ConstantKernel and WhiteKernel), it is
        ``[ClipSpectrum()]``. Corrections that require more than values are refused.

    Attributes
    ----------
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The corrected training matrix, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Standard errors of ``gram_``, corrections included (see Notes). Only where expectation values were sampled.
    gamma_ : float
        Only where `outer` is "rbf", "matern" or "rational_quadratic".
    outer_ : Kernel
        The outer kernel as scikit-learn's.
    observables_ : list of SparsePauliOp
        One for each expectation value.
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
        In `fit`: a parameter breaks its rule, an observable does not fit the circuit, or the outer kernel does not take
        vectors of this length.

    See Also
    --------
    FidelityKernel : overlaps of whole states, which concentrate as qubits are added.
    LocalFidelityKernel : overlaps of reduced states.

    Notes
    -----
    Cost: one state per row, N for a training matrix and one for each new row: the expectation values of the training
    rows are kept. On a device, one-qubit Paulis take 3 measurement bases per point: N circuits in 3 bases, not N². Then
    n_outputs · N² multiplications for the matrix.

    With shots, every Pauli term is measured with that many. `gram_stderr_` propagates the errors of the expectation
    values to first order through κ, as independent ones (observables that share terms are not); an entry of equal rows
    compares one measurement with itself, so it has no error where κ(f, f) is constant. For kernel instances,
    derivatives are central differences over one standard error: 4 · n_outputs more evaluations of κ. Of second order,
    noise adds to all distances between different rows, and lowers their entries.

    References
    ----------
    Huang et al., "Power of data in quantum machine learning", arXiv:2011.01938.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qkernels import QuantumKernelSVC
    >>> from qkernels.kernels import ProjectedKernel
    >>> X, y = load_iris(return_X_y=True)
    >>> QuantumKernelSVC(ProjectedKernel()).fit(X, y).score(X, y) > 0.9
    True
    >>> kernel = ProjectedKernel(observables=["ZZII", "IZZI", "IIZZ"], outer="matern").fit(X)
    >>> kernel.transform(X[:2]).shape
    (2, 150)
    >>> kernel.features(X[:2]).shape
    (2, 3)
    """

    _rule: ProjectedRule
    _outputs_fit: Outputs | None

    def __init__(
        self,
        feature_map: FeatureMap | None = None,
        engine: Engine | None = None,
        bandwidth: float | Literal["scale"] = "scale",
        observables: SparsePauliOp | Pauli | str | Sequence[SparsePauliOp | Pauli | str] = "XYZ",
        outer: OuterName | Kernel = "rbf",
        gamma: float | Literal["scale"] = "scale",
        corrections: Sequence[Correction] | None = None,
    ) -> None:
        self.feature_map = feature_map
        self.engine = engine
        self.bandwidth = bandwidth
        self.observables = observables
        self.outer = outer
        self.gamma = gamma
        self.corrections = corrections

    def features(self, X: ArrayLike) -> Values:
        """The vectors of expectation values, for use in any other model.

        Parameters
        ----------
        X : array-like of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, n_outputs), float64
            Column m is the expectation value of ``observables_[m]``.

        Raises
        ------
        NotFittedError
            ``bandwidth="scale"`` and `fit` was not called. A numeric bandwidth needs no fit, whatever `gamma` is.
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from qkernels import SeparableMap
        >>> from qkernels.kernels import ProjectedKernel
        >>> kernel = ProjectedKernel(SeparableMap(), bandwidth=1.0)
        >>> kernel.features([[np.pi / 2]]).round(12) + 0.0  # X, Y, Z of the state H, then P(π/2)
        array([[0., 1., 0.]])
        """
        if hasattr(self, "_rule"):
            validate_data(self, X, reset=False, skip_check_array=True)
            rule = self._rule
        elif "bandwidth" in self._what_is_learned:
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted: bandwidth='scale' is learned from training data. Call "
                "kernel.fit(X) first, or choose a numeric bandwidth: features(X) then needs no fit."
            )
        else:
            rule = cast("ProjectedRule", self._draft(check_array(X, dtype=np.float64).shape[1]))
        return np.array(rule.outputs(rule.encode(rule.check(X))).values)

    # The rule ---------------------------------------------------------------------------------------------------

    def _build_rule(self, feature_map: FeatureMap, engine: Engine, scaling: AffineScaling) -> ProjectedRule:
        owner, n_features = type(self).__name__, len(scaling.factor)
        circuit, x = feature_map.build(n_features), feature_map.parameter_vector(n_features)
        observables = self._checked_observables(int(circuit.num_qubits))
        try:
            program = ExpectationProgram(circuit, x, observables=observables)
        except InvalidParameterError as error:
            raise InvalidParameterError(
                f"observables of {owner} do not fit the circuit of {feature_map!r} on {n_features} feature(s): {error}"
            ) from error
        outer = make_outer(self.outer, self.gamma, len(program.terms), owner)
        return ProjectedRule(feature_map, engine, scaling, program, outer)

    def _checked_observables(self, num_qubits: int) -> list[SparsePauliOp | Pauli | str]:
        given = self.observables
        if isinstance(given, (SparsePauliOp, Pauli)):
            return [given]
        if isinstance(given, str) and given and not set(given) - set("XYZ") and len(set(given)) == len(given):
            return ["I" * (num_qubits - 1 - q) + letter + "I" * q for letter in given for q in range(num_qubits)]
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InvalidParameterError(
                f"observables of {type(self).__name__} must be different letters from 'XYZ' (these Paulis on every "
                f"qubit), a SparsePauliOp, or a sequence of these and of Pauli labels; got {given!r}. A single label "
                "goes into a list: ['ZZ']."
            )
        return list(given)

    def _fit_rule(self, rule: KernelRule, A: Values, weights: Values) -> ProjectedRule:
        rule = cast("ProjectedRule", rule)
        self._outputs_fit = None
        if "gamma" in self._what_is_learned:
            self._outputs_fit = rule.outputs(A)
            largest = max(sum(abs(c) for _, c in terms) for terms in rule.program.terms)
            gamma = scale_gamma(self._outputs_fit.values, weights, largest)
            if gamma is None and rule.scaling.factor.any():  # otherwise the bandwidth has warned
                warn(
                    f"gamma='scale' of {type(self).__name__} finds no variation: each of the "
                    f"{len(rule.program.terms)} expectation value(s) is the same for all training rows of positive "
                    "weight. It is set to 1. Choose observables or a feature map that depend on X, or a numeric gamma.",
                    BandwidthWarning,
                    stacklevel=2,
                )
            rule = replace(rule, outer=replace(cast("RadialOuter", rule.outer), gamma=1.0 if gamma is None else gamma))
        self.observables_, self.outer_ = list(rule.program.observables), rule.outer.kernel
        self.__dict__.pop("gamma_", None)  # of an earlier fit with another outer kernel
        if isinstance(rule.outer, RadialOuter):
            self.gamma_ = rule.outer.gamma
        return rule

    def _may_be_indefinite(self, engine: Engine) -> bool:
        return not self._rule.outer.is_psd

    @property
    def _what_is_learned(self) -> tuple[str, ...]:
        uses_gamma = isinstance(self.outer, str) and self.outer in RADIAL
        learned = uses_gamma and isinstance(self.gamma, str) and self.gamma == "scale"
        return (*super()._what_is_learned, *(["gamma"] if learned else []))

    def _fit_calls(self, rule: KernelRule, A: Values, rows: NDArray[np.intp]) -> tuple[EngineCall, ...]:
        # gamma is learned from the expectation values of all rows
        return self._calls(rule, A if "gamma" in self._what_is_learned else A[rows])

    def _cross_calls(self, A: Values) -> tuple[EngineCall, ...]:
        return self._calls(self._rule, A)

    # The outputs of the training rows are kept: prediction measures new rows only, also in another process ---------

    def _measure_fit(self, A: Values, need: frozenset[str]) -> Overlaps:
        self._rule.refuse(need)
        known = None if self._outputs_fit is None else self._outputs_fit.take(A)
        self._outputs_fit = self._rule.outputs(A) if known is None else known
        return self._rule.compare(self._outputs_fit)

    def _measure_cross(self, A: Values, need: frozenset[str]) -> Overlaps:
        return self._rule.compare(self._rule.outputs(A), self._outputs_fit)


def _equal_rows(A: Values, B: Values) -> NDArray[np.bool_]:
    """Which rows of A are which rows of B, shape (len(A), len(B))."""
    kind = np.unique(np.concatenate([A, B]), axis=0, return_inverse=True)[1].ravel()
    return np.asarray(kind[: len(A), None] == kind[None, len(A) :])
