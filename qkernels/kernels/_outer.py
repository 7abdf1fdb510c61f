"""Outer kernels: classical kernels of vectors of expectation values, evaluated by scikit-learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    Exponentiation,
    Kernel,
    KernelOperator,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)

from qkernels._errors import InvalidParameterError

__all__ = ["RADIAL", "GivenOuter", "LinearOuter", "Outer", "OuterName", "RadialOuter", "make_outer", "scale_gamma"]

OuterName = Literal["rbf", "matern", "rational_quadratic", "linear"]
Values = NDArray[np.float64]

_TILE_EDGE = 120
"""Rows and columns evaluated at once: temporaries of 113 KiB stay in the processor's cache, and below the size from
which memory is taken from the system and given back each time, which would take longer than the arithmetic."""

_CONSTANT_RTOL = 1e-12
"""An output whose values differ by less than this part of what observables can reach differs by rounding."""

RADIAL: dict[str, tuple[Callable[[float], Kernel], Callable[[float, Values], Values]]] = {
    "rbf": (
        lambda length: RBF(length),
        lambda gamma, squares: -gamma * np.exp(-gamma * squares),
    ),
    "matern": (
        lambda length: Matern(length, nu=1.5),
        lambda gamma, squares: -3.0 * gamma * np.exp(-np.sqrt(6.0 * gamma * squares)),
    ),
    "rational_quadratic": (
        lambda length: RationalQuadratic(length, alpha=1.0),
        lambda gamma, squares: -gamma / (1.0 + gamma * squares) ** 2,
    ),
}
"""Name → scikit-learn's kernel of a length scale, and its derivative by the squared distance for a given γ."""


class Outer(ABC):
    """A kernel function k(f, g) of two vectors of outputs (abstract)."""

    @property
    @abstractmethod
    def kernel(self) -> Kernel:
        """The same function as a scikit-learn kernel."""

    @property
    @abstractmethod
    def is_psd(self) -> bool:
        """Whether every matrix of it is known to be positive semidefinite."""

    @property
    def unit_diagonal(self) -> bool:
        """Whether k(f, f) = 1 for all f."""
        return False

    @abstractmethod
    def __call__(self, F: Values, G: Values | None = None) -> Values:
        """Matrix of k(f, g) for the rows of F, shape (n, m), and of G, default F; exactly symmetric where G is None."""

    @abstractmethod
    def diag(self, F: Values) -> Values:
        """k(f, f) for the rows of F."""

    @abstractmethod
    def variance(self, F: Values, dF: Values, G: Values, dG: Values) -> Values:
        """Variance of k(f, g) to first order, for independent errors dF, dG of all outputs, shape (len(F), len(G))."""

    @abstractmethod
    def diag_variance(self, F: Values, dF: Values) -> Values:
        """Variance of k(f, f) to first order, where both sides are one measurement, shape (len(F),)."""


@dataclass(frozen=True, slots=True, eq=False)
class RadialOuter(Outer):
    """A function of γ·‖f − g‖².

    Attributes
    ----------
    name : str
        A key of `RADIAL`.
    gamma : float
    """

    name: str
    gamma: float

    @property
    def kernel(self) -> Kernel:
        return RADIAL[self.name][0](1.0 / (sqrt(2.0) * sqrt(self.gamma)))  # 2γ may overflow

    @property
    def is_psd(self) -> bool:
        return True

    @property
    def unit_diagonal(self) -> bool:
        return True

    def __call__(self, F: Values, G: Values | None = None) -> Values:
        # Two arguments always: scikit-learn then sums squares of differences. Distances from scalar products would be
        # faster for long vectors, but not 0 between equal rows, and 1e-8 off where rows are close.
        kernel, is_gram, G = self.kernel, G is None, F if G is None else G
        out = np.empty((len(F), len(G)))
        for i in range(0, len(F), _TILE_EDGE):
            rows = slice(i, i + _TILE_EDGE)
            for j in range(i if is_gram else 0, len(G), _TILE_EDGE):
                columns = slice(j, j + _TILE_EDGE)
                out[rows, columns] = tile = kernel(F[rows], G[columns])
                if is_gram:
                    out[columns, rows] = tile.T
        return out

    def diag(self, F: Values) -> Values:
        return np.ones(len(F))

    def variance(self, F: Values, dF: Values, G: Values, dG: Values) -> Values:
        # ∂k/∂f_m = 2 κ'(r²) (f_m − g_m) for k = κ(r²); the sum over m of (f_m − g_m)² (df_m² + dg_m²) is six products.
        slope = RADIAL[self.name][1](self.gamma, cdist(F, G, "sqeuclidean"))
        F2, G2, dF2, dG2 = F**2, G**2, dF**2, dG**2
        sums = dF2 @ G2.T + F2 @ dG2.T - 2.0 * ((F * dF2) @ G.T + F @ (G * dG2).T)
        sums += (F2 * dF2).sum(axis=1)[:, None] + (G2 * dG2).sum(axis=1)
        return np.asarray(4.0 * slope**2 * np.maximum(sums, 0.0))

    def diag_variance(self, F: Values, dF: Values) -> Values:
        return np.zeros(len(F))


@dataclass(frozen=True, slots=True, eq=False)
class LinearOuter(Outer):
    """The scalar product f·g."""

    @property
    def kernel(self) -> Kernel:
        return DotProduct(sigma_0=0.0)

    @property
    def is_psd(self) -> bool:
        return True

    def __call__(self, F: Values, G: Values | None = None) -> Values:
        values = self.kernel(F, G)
        return np.asarray(values if G is not None else 0.5 * (values + values.T))

    def diag(self, F: Values) -> Values:
        return np.asarray(self.kernel.diag(F))

    def variance(self, F: Values, dF: Values, G: Values, dG: Values) -> Values:
        return np.asarray(dF**2 @ (G**2).T + F**2 @ (dG**2).T)

    def diag_variance(self, F: Values, dF: Values) -> Values:
        return np.asarray(4.0 * (F**2 * dF**2).sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class GivenOuter(Outer):
    """A scikit-learn kernel as the user gave it.

    Attributes
    ----------
    given : Kernel
    owner : str
        Class name for errors.
    """

    given: Kernel
    owner: str

    @property
    def kernel(self) -> Kernel:
        return self.given

    @property
    def is_psd(self) -> bool:
        return _is_psd(self.given)

    def __call__(self, F: Values, G: Values | None = None) -> Values:
        values = self._evaluate(lambda: self.given(F, G), F, (len(F), len(F if G is None else G)))
        return values if G is not None else 0.5 * (values + values.T)

    def diag(self, F: Values) -> Values:
        return self._evaluate(lambda: self.given.diag(F), F, (len(F),))

    def _evaluate(self, function: Callable[[], Values], F: Values, shape: tuple[int, ...]) -> Values:
        try:
            values = np.asarray(function(), dtype=np.float64)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InvalidParameterError(
                f"outer of {self.owner} cannot be evaluated on vectors of {F.shape[1]} expectation value(s), one for "
                f"each observable; got {self.given!r}, which says: {error}"
            ) from error
        if values.shape != shape or not np.isfinite(values).all():
            what = "values that are not finite" if values.shape == shape else f"an array of shape {values.shape}"
            raise InvalidParameterError(
                f"outer of {self.owner} must give a finite matrix of shape {shape} for {F.shape[1]} expectation "
                f"value(s) per row; got {what} from {self.given!r}."
            )
        return values

    def variance(self, F: Values, dF: Values, G: Values, dG: Values) -> Values:
        # Central differences over one standard error, output by output: a first-order variance that needs no gradient.
        total = np.zeros((len(F), len(G)))
        for step in _steps(dF):
            total += (0.5 * (self(F + step, G) - self(F - step, G))) ** 2
        for step in _steps(dG):
            total += (0.5 * (self(F, G + step) - self(F, G - step))) ** 2
        return total

    def diag_variance(self, F: Values, dF: Values) -> Values:
        squares = [(0.5 * (self.diag(F + step) - self.diag(F - step))) ** 2 for step in _steps(dF)]
        return np.asarray(np.sum(squares, axis=0))


def _steps(errors: Values) -> list[Values]:
    """The errors of one output at a time."""
    return [errors * np.eye(errors.shape[1])[column] for column in np.flatnonzero(errors.any(axis=0))]


def _is_psd(kernel: Kernel) -> bool:
    """Whether a scikit-learn kernel is made of positive semidefinite ones only; False where it is not known."""
    if isinstance(kernel, KernelOperator):
        return _is_psd(kernel.k1) and _is_psd(kernel.k2)
    if isinstance(kernel, Exponentiation):
        return float(kernel.exponent).is_integer() and kernel.exponent >= 0 and _is_psd(kernel.kernel)
    return type(kernel) in (RBF, ConstantKernel, DotProduct, Matern, RationalQuadratic, WhiteKernel)


def make_outer(outer: object, gamma: object, num_outputs: int, owner: str) -> Outer:
    """The outer kernel of the parameters `outer` and `gamma` of a kernel; γ = 1 where it has to be learned.

    Parameters
    ----------
    outer : {"rbf", "matern", "rational_quadratic", "linear"} or Kernel
    gamma : "scale" or float > 0
    num_outputs : int
        Length of the vectors.
    owner : str
        Class name for errors.

    Returns
    -------
    Outer

    Raises
    ------
    InvalidParameterError
        `outer` or `gamma` breaks its rule, or `outer` does not take vectors of this length.
    """
    is_number = isinstance(gamma, Real) and not isinstance(gamma, bool) and 0 < float(gamma) < inf
    if not is_number and not (isinstance(gamma, str) and gamma == "scale"):
        raise InvalidParameterError(
            f"gamma of {owner} must be 'scale' (learned from the data) or a positive number that multiplies squared "
            f"distances of expectation values; got {gamma!r}."
        )
    if isinstance(outer, str) and outer in RADIAL:
        return RadialOuter(outer, float(gamma) if isinstance(gamma, Real) else 1.0)
    if isinstance(outer, str) and outer == "linear":
        return LinearOuter()
    if not isinstance(outer, Kernel):
        is_class = isinstance(outer, type) and issubclass(outer, Kernel)
        got = f"the class {outer.__name__}; make an instance: {outer.__name__}()" if is_class else repr(outer)  # type: ignore[attr-defined]
        raise InvalidParameterError(
            f"outer of {owner} must be one of 'rbf', 'matern', 'rational_quadratic', 'linear', or an instance of a "
            f"kernel of sklearn.gaussian_process.kernels; got {got}."
        )
    if is_number:
        raise InvalidParameterError(
            f"gamma of {owner} must stay 'scale' where outer is a kernel instance, which has its own scale; got "
            f"gamma={gamma!r} with outer={outer!r}. Set the scale there, such as RBF(length_scale=1/sqrt(2*gamma))."
        )
    given = GivenOuter(clone(outer), owner)
    given(np.zeros((2, num_outputs)))  # errors before anything is measured
    return given


def scale_gamma(outputs: Values, weights: Values, largest: float) -> float | None:
    """γ of ``gamma="scale"``: 1/(n_outputs · Var), as scikit-learn's SVC has it, with weights.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_outputs)
    weights : ndarray of shape (n_samples,), >= 0, not all 0
        A weight of 2 is the same as a repeated row.
    largest : float
        What outputs can reach, to tell variation from rounding.

    Returns
    -------
    float or None
        None where no output varies from row to row.
    """
    outputs, weights = outputs[weights > 0], weights[weights > 0]
    if (np.ptp(outputs, axis=0) <= _CONSTANT_RTOL * largest).all():
        return None
    weights = weights / weights.sum()
    mean = (weights @ outputs).mean()
    variance = (weights @ (outputs - mean) ** 2).mean()
    return float(1.0 / (outputs.shape[1] * variance))
