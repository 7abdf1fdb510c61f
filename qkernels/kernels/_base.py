"""The base class of quantum kernels: a scikit-learn transformer from X to K(X, X_fit)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import EngineCall, plan_together
from qkernels.feature_maps import warn_of_column_order
from qkernels.kernels._defaults import ComposedDefaultsMixin
from qkernels.kernels._frozen import FrozenKernel
from qkernels.kernels._restore import unchanged_on_failure
from qkernels.kernels._rule import KernelRule
from qkernels.kernels._weights import check_weights
from qkernels.programs import Plan, is_count

if TYPE_CHECKING:
    from qkernels.kernels._algebra import ProductKernel, ScaledKernel, SumKernel

__all__ = ["QuantumKernel"]

Values = NDArray[np.float64]


class QuantumKernel(ComposedDefaultsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base class of quantum kernels (abstract).

    The way of the data, in `fit` as in `transform`: X is validated, the *rule* (scaling, circuit, engine; all that is
    learned except the training rows) encodes its rows as angles, and encoded rows are compared. A subclass says what
    the rule is (`_learn`, `_draft`) and how a training matrix and a cross block follow from encoded rows
    (`_fit_encoded`, `_cross_encoded`). Validation, weights, the raw function, the scikit-learn interface and the
    algebra of kernels are here, once.

    ``k1 + k2``, ``k1 * k2`` and ``0.5 * k1`` are kernels again: `SumKernel`, `ProductKernel`, `ScaledKernel`.
    """

    _rule: KernelRule
    _encoded_fit: Values

    # What a subclass provides -----------------------------------------------------------------------------------

    @abstractmethod
    def _learn(self, X: Values, weights: Values) -> KernelRule:
        """Validate the parameters, learn the scaling, set the public fitted attributes; the engine is not asked."""

    @abstractmethod
    def _draft(self, n_features: int) -> KernelRule:
        """The rule without anything learned: right in all but the scaling; the whole rule where nothing is learned."""

    @property
    @abstractmethod
    def _learns(self) -> bool:
        """Whether the rule depends on data, so that the raw function needs a fit."""

    @abstractmethod
    def _fit_encoded(self, A: Values, weights: Values) -> tuple[Values, Values | None]:
        """The corrected training matrix of encoded rows, and its standard errors where sampled."""

    @abstractmethod
    def _cross_encoded(self, A: Values) -> Values:
        """K(A, A_fit), corrected by the rules learned in `_fit_encoded`."""

    def _fit_rule(self, rule: KernelRule, A: Values, weights: Values) -> KernelRule:
        """Learn from encoded rows what is not the scaling; nothing by default."""
        return rule

    def _check_fit(self, rule: KernelRule, A: Values) -> None:
        """Refuse a fit to encoded rows that asks engines for more than they may spend; one request checks itself."""

    # What engines will be asked for -----------------------------------------------------------------------------

    def _calls(self, rule: KernelRule, A: Values | int, B: Values | int | None = None) -> tuple[EngineCall, ...]:
        """For a matrix, with what corrections require."""
        return rule.calls(A, B)

    def _fit_calls(self, rule: KernelRule, A: Values, rows: NDArray[np.intp]) -> tuple[EngineCall, ...]:
        """In a fit whose matrix is that of some of the encoded rows."""
        return self._calls(rule, A[rows])

    def _cross_calls(self, A: Values) -> tuple[EngineCall, ...]:
        """For K(A, A_fit)."""
        return self._calls(self._rule, A, self._encoded_fit)

    def _selves_calls(self, A: Values) -> tuple[EngineCall, ...]:
        """For the self-values of encoded rows."""
        return self._rule.self_calls(A)

    # scikit-learn -----------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the scaling and the corrections, and evaluate the training matrix.

        A fit that fails leaves the kernel as it was.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real, finite, raw or scaled.
        y : object, optional
            Not used.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0 of the samples in everything that is learned. Rows of weight 0 stay columns of `transform`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            A parameter of the kernel, the map or a correction breaks its rule.
        InvalidDataError
            The weights break their rule, or the map does not take this number of features.
        UnsupportedCircuitError
            The engine cannot evaluate the circuit.
        BudgetError
            The request does not fit into the engine's limits.
        ValueError
            X is no finite real matrix (scikit-learn's validation).
        """
        self.fit_gram(X, sample_weight)
        return self

    def fit_transform(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Values:
        """Fit, and return the training matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        ndarray of shape (n_samples, n_samples), float64
            A copy of ``gram_``; a data frame after ``set_output(transform="pandas")``.

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        return np.array(self.fit_gram(X, sample_weight))

    def transform(self, X: ArrayLike) -> Values:
        """K(X, X_fit), corrected by the rules learned in `fit`.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_fit), float64
            Column j is the kernel with the j-th row given to `fit`. ``transform(X_fit)`` equals
            ``fit_transform(X_fit)``, except for corrections that say otherwise (`ShiftSpectrum`).

        Raises
        ------
        NotFittedError
            Call `fit` first.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X is no finite real matrix, or has another number of features than in `fit`.
        """
        return np.array(self.cross(X))

    # The same without copies and data frames, for estimators ----------------------------------------------------

    def fit_gram(
        self,
        X: ArrayLike,
        sample_weight: ArrayLike | None = None,
        rows: Callable[[Values], NDArray[np.intp]] | None = None,
    ) -> Values:
        """Fit, and return the training matrix without a copy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), optional
        rows : callable, optional
            Encoded rows (angles) of X → indices of those that become the columns of `transform`, kept as
            ``fit_rows_``; None is all. The scaling is learned from all of X, the matrix is evaluated among these rows
            only: landmarks of a low-rank approximation.

        Returns
        -------
        ndarray of shape (n_fit, n_fit), float64
            ``gram_`` itself, read-only.

        Raises
        ------
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `fit`.
        """
        with unchanged_on_failure(self):
            data: Values = validate_data(self, X, dtype=np.float64, order="C")
            weights = check_weights(sample_weight, len(data))
            ratios = weights / weights.max()  # they count, and sums of huge weights overflow
            rule = self._learn(data, ratios)
            warn_of_column_order(self)
            encoded = rule.encode(data)
            self.fit_rows_ = np.arange(len(data)) if rows is None else rows(encoded)
            self._check_fit(rule, encoded)
            self._rule = self._fit_rule(rule, encoded, ratios)
            if rows is not None:
                encoded, weights = encoded[self.fit_rows_], weights[self.fit_rows_]
            return self._fit_matrix(encoded, weights)

    def _fit_matrix(self, encoded: Values, weights: Values) -> Values:
        self._encoded_fit = encoded
        self._n_features_out = len(encoded)
        return self._keep(*self._fit_encoded(encoded, weights))

    def _keep(self, gram: Values, stderr: Values | None) -> Values:
        gram = gram.view()
        gram.setflags(write=False)
        self.gram_ = gram
        self.__dict__.pop("gram_stderr_", None)  # of an earlier fit on a sampling engine
        if stderr is not None:
            self.gram_stderr_ = stderr
        return gram

    def cross(self, X: ArrayLike) -> Values:
        """K(X, X_fit) as `transform` gives it, without a copy.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_fit), float64
            May be read-only.

        Raises
        ------
        NotFittedError, UnsupportedCircuitError, BudgetError, ValueError
            As `transform`.
        """
        check_is_fitted(self)
        return self._cross_encoded(self._rule.encode(validate_data(self, X, dtype=np.float64, order="C", reset=False)))

    def prior(self, X: ArrayLike) -> Values:
        """K(X, X) of new rows as a Gaussian process takes it: by the corrections of single entries and self-values.

        What mixes entries, as repairs of eigenvalues do, has no rule for pairs of new rows and leaves them.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new, n_new), float64
            Without corrections the raw matrix. Its diagonal is `prior_diag`. Under noise it may have negative
            eigenvalues, also together with `cross` and ``gram_``.

        Raises
        ------
        NotFittedError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `transform`; a correction may refuse a new row (`DepolarizingMitigation`).
        """
        check_is_fitted(self)
        encoded = self._rule.encode(validate_data(self, X, dtype=np.float64, order="C", reset=False))
        return np.array(self._new_encoded(encoded))

    def prior_diag(self, X: ArrayLike) -> Values:
        """The diagonal of `prior`, from the self-values alone.

        Parameters
        ----------
        X : array-like of shape (n_new, n_features)

        Returns
        -------
        ndarray of shape (n_new,), float64

        Raises
        ------
        NotFittedError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As `prior`.
        """
        check_is_fitted(self)
        encoded = self._rule.encode(validate_data(self, X, dtype=np.float64, order="C", reset=False))
        return np.array(self._selves_encoded(encoded))

    def _new_encoded(self, A: Values) -> Values:
        """`prior` of encoded rows; raw values unless a subclass has corrections."""
        return self._rule.measure(A).values

    def _selves_encoded(self, A: Values) -> Values:
        """`prior_diag` of encoded rows."""
        return self._rule.diag(A)

    # The raw function -------------------------------------------------------------------------------------------

    def __call__(self, X: ArrayLike, Y: ArrayLike | None = None) -> Values:
        """Evaluate the raw matrix K(X, Y): with everything learned, no corrections.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
        Y : array-like of shape (n_y, n_features), optional
            None is X.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64

        Raises
        ------
        NotFittedError
            Something is learned from data and `fit` was not called. A numeric bandwidth needs no fit.
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
            For fidelities 1 on noiseless engines, without evaluating anything; measured on noisy ones.

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
            Raw values, without corrections. Its scaling is that of the data seen here, also across the folds of a
            later cross-validation.

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
        return FrozenKernel(self._fitted_rule("frozen()"))

    def plan(self, X: ArrayLike | int, Y: ArrayLike | int | None = None, *, n_features: int | None = None) -> Plan:
        """What a matrix would cost: circuits, entries, shots, memory; nothing is evaluated and no fit is needed.

        What corrections require beside the values is counted. The plan of a combined kernel is the sum of its parts',
        feasible only where a budget that they share holds all of them.

        Parameters
        ----------
        X, Y : array-like of shape (n, n_features), or int
            Data, or numbers of rows; None for Y is the Gram matrix of X. Of data, equal rows are counted once, and an
            engine with a ledger says what it has already measured; both need the angles, so of a kernel that learns a
            scaling and is not fitted only the shapes are used.
        n_features : int, optional
            Needed where X is a number of rows and the kernel is not fitted.

        Returns
        -------
        Plan
            Of the engine; a request that does not fit has ``feasible=False`` and says why.

        Raises
        ------
        InvalidParameterError
            A parameter of the kernel breaks its rule, or `n_features` is missing or no integer >= 1.
        InvalidDataError
            The map does not take this number of features, or a number of rows is below 1.
        UnsupportedCircuitError
            The engine cannot evaluate the circuit.
        ValueError
            X or Y is no matrix (scikit-learn's validation).

        Examples
        --------
        >>> from qkernels import CPMap, FidelityKernel, StatevectorEngine
        >>> kernel = FidelityKernel(CPMap(), engine=StatevectorEngine(shots=1000, seed=0))
        >>> plan = kernel.plan(100, n_features=8)
        >>> plan.num_qubits, plan.entries, plan.shots
        (5, 4950, 4950000)
        """
        owner = type(self).__name__
        if n_features is not None and (not is_count(n_features) or n_features < 1):
            raise InvalidParameterError(
                f"n_features of {owner}.plan must be None or an integer >= 1; got {n_features!r}."
            )
        given = (X,) if Y is None else (X, Y)
        rows = [rows if is_count(rows) else check_array(rows, dtype=None).shape for rows in given]
        counts = [row if isinstance(row, tuple) else (int(row), n_features) for row in rows]  # type: ignore[arg-type]
        if hasattr(self, "_rule"):
            rule = self._rule
        else:
            width = n_features if n_features is not None else counts[0][1]
            if width is None:
                raise InvalidParameterError(
                    f"n_features of {owner}.plan must be given where X is a number of rows and the "
                    f"kernel is not fitted; got X={X!r}. Pass X itself, or n_features=..."
                )
            rule = self._draft(int(width))
        for name, (_, width) in zip("XY", counts, strict=False):
            if width is not None and width != rule.num_features:
                raise InvalidDataError(
                    f"{name} has {width} feature(s), but this {owner} takes {rule.num_features} feature(s)."
                )
        knows_angles = hasattr(self, "_rule") or not self._learns
        sides = [
            rule.encode(rule.check(data, name)) if knows_angles and not is_count(data) else count
            for name, data, (count, _) in zip("XY", given, counts, strict=False)
        ]
        return plan_together(self._calls(rule, sides[0], sides[1] if len(sides) > 1 else None))

    def _function(self, X: ArrayLike) -> FrozenKernel:
        if hasattr(self, "_rule"):
            validate_data(self, X, reset=False, skip_check_array=True)
            return FrozenKernel(self._rule)
        if self._learns:
            raise NotFittedError(self._advice("k(X, Y)"))
        return FrozenKernel(self._draft(check_array(X, dtype=np.float64).shape[1]))

    def _fitted_rule(self, wanted: str) -> KernelRule:
        if not hasattr(self, "_rule"):
            raise NotFittedError(self._advice(wanted))
        return self._rule

    def _advice(self, wanted: str) -> str:
        owner = type(self).__name__
        if self._learns:
            names = self._what_is_learned
            learned = " and ".join(f"{name}='scale'" for name in names) + (" is" if len(names) == 1 else " are")
            numeric = " and ".join(f"a numeric {name}" for name in names)
            return (
                f"This {owner} is not fitted: {learned} learned from training data. Use it in one of three ways: "
                "QuantumKernelSVC(kernel); make_pipeline(kernel, SVC(kernel='precomputed')); or "
                f"kernel.fit(X).frozen(), a callable with the scaling of X. With {numeric}, kernel(X, Y) needs no fit."
            )
        return (
            f"This {owner} is not fitted: {wanted} needs fit(X) to know the number of features, also where nothing "
            "else is learned. Call kernel.fit(X) first; kernel(X, Y) itself needs no fit."
        )

    @property
    def _what_is_learned(self) -> tuple[str, ...]:
        """Parameters whose "scale" is learned from data."""
        return ("bandwidth",)

    # Algebra ----------------------------------------------------------------------------------------------------

    def __add__(self, other: QuantumKernel) -> SumKernel:
        from qkernels.kernels._algebra import SumKernel  # the algebra is built on this class

        return SumKernel(self, other) if isinstance(other, QuantumKernel) else NotImplemented

    def __radd__(self, other: int) -> QuantumKernel:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # where `sum` starts

    def __truediv__(self, other: float) -> ScaledKernel:
        from qkernels.kernels._algebra import ScaledKernel

        if isinstance(other, Real) and other != 0:
            return ScaledKernel(self, 1.0 / float(other))
        return NotImplemented

    def __mul__(self, other: QuantumKernel | float) -> ProductKernel | ScaledKernel:
        from qkernels.kernels._algebra import ProductKernel, ScaledKernel

        if isinstance(other, QuantumKernel):
            return ProductKernel(self, other)
        return ScaledKernel(self, float(other)) if isinstance(other, Real) else NotImplemented

    def __rmul__(self, other: float) -> ProductKernel | ScaledKernel:
        return self * other
