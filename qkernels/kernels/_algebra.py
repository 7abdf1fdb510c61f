"""Sums, products and multiples of kernels: kernels again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import isfinite
from numbers import Real
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import EngineCall, check_together
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._combined_rule import Combine, CombinedRule, Entries
from qkernels.kernels._rule import KernelRule

__all__ = ["CombinedKernel", "ProductKernel", "ScaledKernel", "SumKernel"]

Values = NDArray[np.float64]


class CombinedKernel(QuantumKernel):
    """Base of kernels made of kernels (abstract): a subclass names its parts and says how their entries combine."""

    _rule: CombinedRule

    @property
    @abstractmethod
    def _parts(self) -> dict[str, QuantumKernel]:
        """The parts as given, by parameter name."""

    @property
    @abstractmethod
    def _combine(self) -> Combine:
        """A function that survives pickling; validates parameters that are not kernels."""

    def _checked_parts(self) -> dict[str, QuantumKernel]:
        for name, part in self._parts.items():
            if not isinstance(part, QuantumKernel):
                raise InvalidParameterError(
                    f"{name} of {type(self).__name__} must be a kernel such as FidelityKernel(); got {part!r}."
                )
        widths = {name: getattr(part, "n_features_in_", None) for name, part in self._parts.items()}
        if len(known := {w for w in widths.values() if w is not None}) > 1:
            described = " and ".join(f"{name} on {w} feature(s)" for name, w in widths.items())
            raise InvalidDataError(
                f"The kernels of {type(self).__name__} were fitted on different tables, {described} ({sorted(known)}). "
                "All parts take the same columns of X: fit them on one table, or combine kernels that are not fitted."
            )
        return self._parts

    def _learn(self, X: Values, weights: Values) -> CombinedRule:
        rules = []
        self.kernels_ = {name: clone(part) for name, part in self._checked_parts().items()}
        for name, part in self.kernels_.items():
            with self._naming(name, X.shape[1]):
                rules.append(part._learn(X, weights))
            part.n_features_in_ = X.shape[1]
        return CombinedRule(tuple(rules), self._combine, type(self).__name__)

    def _draft(self, n_features: int) -> CombinedRule:
        rules = []
        for name, part in self._checked_parts().items():
            with self._naming(name, n_features):
                rules.append(part._draft(n_features))
        return CombinedRule(tuple(rules), self._combine, type(self).__name__)

    def _fit_rule(self, rule: KernelRule, A: Values, weights: Values) -> CombinedRule:
        rule = cast("CombinedRule", rule)
        for part, own_rule, own in zip(self.kernels_.values(), rule.rules, rule.split(A), strict=True):
            part._rule = part._fit_rule(own_rule, own, weights)
        return replace(rule, rules=tuple(part._rule for part in self.kernels_.values()))

    def _check_fit(self, rule: KernelRule, A: Values) -> None:
        check_together(self._fit_calls(rule, A, self.fit_rows_))

    def _calls(self, rule: KernelRule, A: Values | int, B: Values | int | None = None) -> tuple[EngineCall, ...]:
        rule = cast("CombinedRule", rule)
        parts = zip(self._parts.values(), rule.rules, rule.sides(A), rule.sides(B), strict=True)
        return tuple(call for part, own_rule, a, b in parts for call in part._calls(own_rule, a, b))

    def _fit_calls(self, rule: KernelRule, A: Values, rows: NDArray[np.intp]) -> tuple[EngineCall, ...]:
        rule = cast("CombinedRule", rule)
        parts = zip(self.kernels_.values(), rule.rules, rule.split(A), strict=True)
        return tuple(call for part, own_rule, own in parts for call in part._fit_calls(own_rule, own, rows))

    def _cross_calls(self, A: Values) -> tuple[EngineCall, ...]:
        parts = zip(self.kernels_.values(), self._rule.split(A), strict=True)
        return tuple(call for part, own in parts for call in part._cross_calls(own))

    def _selves_calls(self, A: Values) -> tuple[EngineCall, ...]:
        parts = zip(self.kernels_.values(), self._rule.split(A), strict=True)
        return tuple(call for part, own in parts for call in part._selves_calls(own))

    def _naming(self, name: str, n_features: int) -> _NamesThePart:
        return _NamesThePart(type(self).__name__, name, n_features)

    @property
    def _learns(self) -> bool:
        return bool(self._what_is_learned)

    @property
    def _what_is_learned(self) -> tuple[str, ...]:
        names = [name for part in self._checked_parts().values() for name in part._what_is_learned]
        return tuple(dict.fromkeys(names))

    def _fit_encoded(self, A: Values, weights: Values) -> Entries:
        entries: list[Entries] = []
        for part, own in zip(self.kernels_.values(), self._rule.split(A), strict=True):
            gram = part._fit_matrix(own, weights)
            entries.append((gram, getattr(part, "gram_stderr_", None)))
        return self._rule.combine(entries)

    def _cross_encoded(self, A: Values) -> Values:
        check_together(self._cross_calls(A))
        parts = zip(self.kernels_.values(), self._rule.split(A), strict=True)
        return self._rule.combine([(part._cross_encoded(own), None) for part, own in parts])[0]

    def _new_encoded(self, A: Values) -> Values:
        check_together(self._calls(self._rule, A))
        parts = zip(self.kernels_.values(), self._rule.split(A), strict=True)
        return self._rule.combine([(part._new_encoded(own), None) for part, own in parts])[0]

    def _selves_encoded(self, A: Values) -> Values:
        check_together(self._selves_calls(A))
        parts = zip(self.kernels_.values(), self._rule.split(A), strict=True)
        return self._rule.combine([(part._selves_encoded(own), None) for part, own in parts])[0]


class _NamesThePart:
    """Context that says which part of a combination refused the number of features."""

    def __init__(self, owner: str, name: str, n_features: int) -> None:
        self.owner, self.name, self.n_features = owner, name, n_features

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InvalidDataError):
            raise InvalidDataError(
                f"{self.name} of {self.owner} does not take the {self.n_features} feature(s) of X: {error} All parts "
                "of a combined kernel take the same columns."
            ) from error


class PairKernel(CombinedKernel):
    """Base of combinations of two kernels (abstract)."""

    def __init__(self, k1: QuantumKernel, k2: QuantumKernel) -> None:
        self.k1 = k1
        self.k2 = k2

    @property
    def _parts(self) -> dict[str, QuantumKernel]:
        return {"k1": self.k1, "k2": self.k2}


class SumKernel(PairKernel):
    """k1(x, y) + k2(x, y), what ``k1 + k2`` gives.

    Parameters
    ----------
    k1, k2 : QuantumKernel
        Fitted copies are made in `fit`; both see the same columns of X. Parameters of the parts are searched as
        ``k1__bandwidth``.

    Attributes
    ----------
    kernels_ : dict of str to QuantumKernel
        The fitted parts, each with its own scaling and corrections.
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The sum of the parts' corrected training matrices, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Only where entries were sampled; the parts count as independent.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    ProductKernel, ScaledKernel : the rest of the algebra.

    Notes
    -----
    Cost: that of the parts. A sum of positive semidefinite kernels is one, and so is their product (Schur). A weighted
    mean of kernels is ``0.7 * k1 + 0.3 * k2``.

    References
    ----------
    Schölkopf and Smola, "Learning with Kernels", MIT Press 2002, section 13.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qkernels import CPMap, FidelityKernel, QuantumKernelSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> kernel = 0.5 * FidelityKernel() + 0.5 * FidelityKernel(CPMap())
    >>> QuantumKernelSVC(kernel).fit(X, y).score(X, y) > 0.9
    True
    """

    @property
    def _combine(self) -> Combine:
        return _sum


class ProductKernel(PairKernel):
    """k1(x, y) · k2(x, y), what ``k1 * k2`` gives.

    Parameters
    ----------
    k1, k2 : QuantumKernel
        Fitted copies are made in `fit`; both see the same columns of X. Parameters of the parts are searched as
        ``k1__bandwidth``.

    Attributes
    ----------
    kernels_ : dict of str to QuantumKernel
        The fitted parts, each with its own scaling and corrections.
    gram_ : ndarray of shape (n_fit, n_fit), float64
        The entrywise product of the parts' corrected training matrices, read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Only where entries were sampled; of first order, the parts count as independent.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    SumKernel, ScaledKernel : the rest of the algebra.

    Notes
    -----
    Cost: that of the parts. The entrywise product of positive semidefinite matrices is one (Schur).

    References
    ----------
    Schölkopf and Smola, "Learning with Kernels", MIT Press 2002, section 13.1.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import FidelityKernel, SeparableMap
    >>> k = FidelityKernel(SeparableMap(), bandwidth=1.0)
    >>> X = np.array([[0.0], [1.0]])
    >>> bool(np.allclose((k * k)(X), k(X) ** 2))
    True
    """

    @property
    def _combine(self) -> Combine:
        return _product


class ScaledKernel(CombinedKernel):
    """factor · k(x, y), what ``factor * k`` gives.

    Parameters
    ----------
    kernel : QuantumKernel
        A fitted copy is made in `fit`. Its parameters are searched as ``kernel__bandwidth``.
    factor : float, default=1.0
        Finite and > 0; a factor below 0 would have no positive eigenvalue.

    Attributes
    ----------
    kernels_ : dict of str to QuantumKernel
        The fitted kernel under the name "kernel".
    gram_ : ndarray of shape (n_fit, n_fit), float64
        Read-only.
    gram_stderr_ : ndarray of shape (n_fit, n_fit), float64
        Only where entries were sampled.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has string column names.

    See Also
    --------
    SumKernel, ProductKernel : the rest of the algebra.

    Notes
    -----
    Cost: that of the kernel.

    Examples
    --------
    >>> from qkernels import FidelityKernel
    >>> (2.0 * FidelityKernel(bandwidth=1.0)).diag([[0.3]])
    array([2.])
    """

    def __init__(self, kernel: QuantumKernel, factor: float = 1.0) -> None:
        self.kernel = kernel
        self.factor = factor

    @property
    def _parts(self) -> dict[str, QuantumKernel]:
        return {"kernel": self.kernel}

    @property
    def _combine(self) -> Combine:
        factor = self.factor
        if isinstance(factor, bool) or not isinstance(factor, Real) or not isfinite(factor) or not factor > 0:
            raise InvalidParameterError(f"factor of ScaledKernel must be a finite number > 0; got {factor!r}.")
        return partial(_scale, float(factor))


def _sum(entries: Sequence[Entries]) -> Entries:
    (a, da), (b, db) = entries
    return a + b, None if da is None and db is None else np.hypot(_or_zero(da), _or_zero(db))


def _product(entries: Sequence[Entries]) -> Entries:
    (a, da), (b, db) = entries
    return a * b, None if da is None and db is None else np.hypot(b * _or_zero(da), a * _or_zero(db))


def _scale(factor: float, entries: Sequence[Entries]) -> Entries:
    ((a, da),) = entries
    return factor * a, None if da is None else factor * da


def _or_zero(stderr: Values | None) -> Values:
    return np.zeros(()) if stderr is None else stderr
