"""GPKernel: a quantum kernel as a covariance function of scikit-learn's Gaussian processes."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from qkernels._errors import InvalidParameterError
from qkernels.kernels import FrozenKernel, KernelRule
from qkernels.programs import Plan

__all__ = ["MATRICES_PER_GRADIENT", "GPKernel", "check_bandwidth_bounds", "tuning_cost"]

Values = NDArray[np.float64]

STEP = 2.0**-18
"""Step of the central difference in log c. For a phase φ its truncation error is about STEP² φ³/6, its rounding error
about 5e-16/STEP: equal near φ = 4, where both are 1e-10."""

MATRICES_PER_GRADIENT = 3
"""The matrix itself and the two of the central difference."""


class GPKernel(Kernel):
    r"""Quantum kernel as a covariance function of scikit-learn's Gaussian processes, with a bandwidth to tune.

    .. math:: k_c(x, y) = k(c\,\theta(x), c\,\theta(y))

    with the angles θ that the frozen kernel makes of the data and a relative bandwidth c. The hyperparameter is log c,
    as everywhere in scikit-learn's kernels: ``theta``, ``bounds``, sums, products, ``clone`` and pickling work as for
    its own, as in ``ConstantKernel() * GPKernel(frozen) + WhiteKernel()``.

    Parameters
    ----------
    kernel : FrozenKernel
        ``FidelityKernel().fit(X).frozen()``, or that of any other quantum kernel, sums and products included. The
        scaling is that of the rows given to its `fit`, whatever the Gaussian process is fitted on.
    bandwidth : float, default=1.0
        The factor c on all angles, > 0; 1 is the kernel as it was fitted.
    bandwidth_bounds : pair of floats > 0, or "fixed", default=(0.1, 10.0)
        Where a Gaussian process may look for c. "fixed" takes c out of the hyperparameters.

    See Also
    --------
    QuantumGaussianProcessRegressor, QuantumGaussianProcessClassifier : faces that learn the scaling themselves.

    Notes
    -----
    Values are raw: corrections are not part of a frozen kernel.

    The gradient with respect to log c is a central difference of two more matrices at :math:`c\,e^{\pm h}`,
    h = 2⁻¹⁸: 3 matrices in all. Its error per entry is about :math:`h^2|\partial^3 k|/6 + 5 \cdot 10^{-16}/h`:
    some 1e-10 for phases up to 4 rad, growing with their third power beyond.

    Differences of sampled or noisy values are mostly noise, and would have to be paid for at every step of an
    optimizer, so the gradient is refused unless the engine is exact. With ``bandwidth_bounds="fixed"`` nothing of the
    kernel is tuned, and amplitude and noise (``ConstantKernel``, ``WhiteKernel``) can be tuned on any engine: on one
    matrix, which the cache holds. Raw sampled matrices have negative eigenvalues; an `alpha` of the Gaussian process
    above them keeps the marginal likelihood finite.

    References
    ----------
    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, chapter 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
    >>> from qkernels import FidelityKernel, SeparableMap
    >>> from qkernels.estimators import GPKernel
    >>> X = np.linspace(-2, 2, 30).reshape(-1, 1)
    >>> y = np.sin(2 * X[:, 0]) + 0.1 * np.random.default_rng(0).normal(size=30)
    >>> frozen = FidelityKernel(SeparableMap(), bandwidth=1.0).fit(X).frozen()
    >>> model = GaussianProcessRegressor(ConstantKernel() * GPKernel(frozen) + WhiteKernel(0.1)).fit(X, y)
    >>> bool(abs(model.kernel_.k1.k2.bandwidth - 2) < 0.1)  # the frequency of y
    True
    """

    def __init__(
        self,
        kernel: FrozenKernel,
        bandwidth: float = 1.0,
        bandwidth_bounds: tuple[float, float] | Literal["fixed"] = (0.1, 10.0),
    ) -> None:
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.bandwidth_bounds = bandwidth_bounds

    @property
    def hyperparameter_bandwidth(self) -> Hyperparameter:
        """What scikit-learn tunes: name, bounds, and whether it is fixed."""
        self._checked_rule()
        return Hyperparameter("bandwidth", "numeric", self.bandwidth_bounds)

    def __call__(self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False) -> Any:
        """The raw matrix, and its gradient with respect to log c on request.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
        Y : array-like of shape (n_y, n_features), optional
            None is X.
        eval_gradient : bool, default=False
            Whether to return the gradient too; only where Y is None.

        Returns
        -------
        K : ndarray of shape (n_x, n_y), float64
        K_gradient : ndarray of shape (n_x, n_x, 1), float64
            Only where `eval_gradient`; of shape (n_x, n_x, 0) where the bandwidth is fixed.

        Raises
        ------
        InvalidParameterError
            A parameter breaks its rule, or a gradient is asked of an engine that is not exact.
        InvalidDataError
            Another number of features.
        UnsupportedCircuitError, BudgetError
            From the engine.
        ValueError
            X or Y is no finite real matrix, or a gradient is asked for with Y.
        """
        rule = self._checked_rule()
        A = rule.encode(rule.check(X, "X"))
        if not eval_gradient:
            B = A if Y is None or Y is X else rule.encode(rule.check(Y, "Y"))
            return _matrix(rule, self.bandwidth, A, None if B is A or np.array_equal(A, B) else B)
        if Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        if isinstance(self.bandwidth_bounds, str):
            return _matrix(rule, self.bandwidth, A), np.empty((len(A), len(A), 0))
        if not rule.is_exact:
            raise InvalidParameterError(
                f"bandwidth of GPKernel can only be tuned on an exact engine; got {self.kernel!r}. "
                f"{tuning_cost(rule.plan(len(A)), len(A))} Pass bandwidth_bounds='fixed', or optimizer=None to the "
                "Gaussian process; or tune the same kernel on an exact engine and pass the bandwidth found."
            )
        upper, lower = (_matrix(rule, self.bandwidth * exp(step), A) for step in (STEP, -STEP))
        upper -= lower
        upper /= 2 * STEP
        return _matrix(rule, self.bandwidth, A), upper[:, :, np.newaxis]

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
        InvalidParameterError, InvalidDataError, UnsupportedCircuitError, BudgetError, ValueError
            As for a call.
        """
        rule = self._checked_rule()
        return np.array(rule.diag(self.bandwidth * rule.encode(rule.check(X))))

    def is_stationary(self) -> bool:
        """Whether k(x, y) depends on x − y alone.

        Returns
        -------
        bool
            False: for most feature maps it does not.
        """
        return False

    def _checked_rule(self) -> KernelRule:
        if not isinstance(self.kernel, FrozenKernel):
            raise InvalidParameterError(
                "kernel of GPKernel must be a frozen kernel, such as FidelityKernel().fit(X).frozen(), because "
                f"scikit-learn's clones of any other forget what it has learned; got {self.kernel!r}."
            )
        if not _is_positive(self.bandwidth):
            raise InvalidParameterError(f"bandwidth of GPKernel must be a finite number > 0; got {self.bandwidth!r}.")
        if not (isinstance(self.bandwidth_bounds, str) and self.bandwidth_bounds == "fixed"):
            check_bandwidth_bounds(self.bandwidth_bounds, "GPKernel", " or 'fixed'")
        return self.kernel.rule

    def __repr__(self) -> str:
        return f"GPKernel({self.kernel!r}, bandwidth={self.bandwidth:.3g})"


def check_bandwidth_bounds(bounds: object, owner: str, alternative: str = "") -> tuple[float, float]:
    """Bounds of the relative bandwidth, validated.

    Raises
    ------
    InvalidParameterError
        No pair of finite numbers 0 < low <= high.
    """
    pair = list(bounds) if isinstance(bounds, (Sequence, np.ndarray)) and not isinstance(bounds, str) else []
    if len(pair) != 2 or not all(map(_is_positive, pair)) or pair[0] > pair[1]:
        raise InvalidParameterError(
            f"bandwidth_bounds of {owner} must be a pair (low, high) with 0 < low <= high{alternative}; got {bounds!r}."
        )
    return float(pair[0]), float(pair[1])


def tuning_cost(plan: Plan, n_rows: int) -> str:
    """What one evaluation of a marginal likelihood with its gradient costs, as a sentence.

    Parameters
    ----------
    plan : Plan
        Of one training matrix.
    n_rows : int
    """
    circuits, shots = MATRICES_PER_GRADIENT * plan.circuits, MATRICES_PER_GRADIENT * plan.shots
    return (
        f"One evaluation of the marginal likelihood with its gradient takes {MATRICES_PER_GRADIENT} matrices of "
        f"{n_rows:,} rows: {circuits:,} circuits and {shots:,} shots on {plan.engine}."
    )


def _matrix(rule: KernelRule, factor: float, A: Values, B: Values | None = None) -> Values:
    # A copy: Gaussian processes add the noise to the diagonal in place, and measured arrays may be read-only.
    return np.array(rule.measure(factor * A, None if B is None else factor * B).values)


def _is_positive(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < inf
