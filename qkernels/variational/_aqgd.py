"""AQGD: analytic quantum gradient descent, as published, and by the chain rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError
from qkernels.programs import is_count

__all__ = ["AQGD"]

Values = NDArray[np.float64]
Loss = Callable[[Values], float]
Gradient = Callable[[Values], Values]


class AQGD:
    r"""Analytic quantum gradient descent with momentum, by qiskit-machine-learning.

    .. math:: m \leftarrow (1 - \mu)\, g + \mu\, m, \qquad \theta \leftarrow \theta - \eta\, m

    Parameters
    ----------
    max_iter : int >= 1, default=100
        Gradient steps.
    eta : float > 0, default=1.0
        Step size η.
    momentum : float in [0, 1), default=0.25
        Momentum μ.
    gradient : {"chain", "loss-shift"}, default="chain"
        ``"chain"``: g is the gradient of the loss, by the chain rule through it. ``"loss-shift"``: as published and
        as the library does without a gradient, half the difference of the *loss* at θ_i ± π/2. That is the gradient
        only where the loss is itself an expectation value of a circuit in which each θ_i turns one Pauli rotation;
        for cross-entropy it is not.
    tol : float, default=1e-6
        Smallest change of the loss, averaged over a window of 10, and of the point.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule.

    Notes
    -----
    Cost of a step: a loss and a gradient; for ``"loss-shift"`` 2 · n_parameters + 1 losses.

    References
    ----------
    Joshi, Katyayan and Ahmed (2021), arXiv:2102.08949.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.variational import AQGD
    >>> found = AQGD(gradient="loss-shift").minimize(lambda t: float(np.cos(t[0])), np.array([1.0]))
    >>> bool(abs(found.x[0] - np.pi) < 1e-2)
    True
    """

    def __init__(
        self,
        max_iter: int = 100,
        eta: float = 1.0,
        momentum: float = 0.25,
        gradient: Literal["chain", "loss-shift"] = "chain",
        tol: float = 1e-6,
    ) -> None:
        if gradient not in ("chain", "loss-shift"):
            raise InvalidParameterError(f"gradient of AQGD must be 'chain' or 'loss-shift'; got {gradient!r}.")
        if not is_count(max_iter) or max_iter < 1:
            raise InvalidParameterError(f"max_iter of AQGD must be an integer >= 1; got {max_iter!r}.")
        if not 0 <= momentum < 1:
            raise InvalidParameterError(f"momentum of AQGD must be in [0, 1); got {momentum!r}.")
        if not eta > 0:
            raise InvalidParameterError(f"eta of AQGD must be > 0; got {eta!r}.")
        self.max_iter, self.eta, self.momentum, self.gradient, self.tol = int(max_iter), eta, momentum, gradient, tol

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"AQGD({settings})"

    @property
    def needs_gradient(self) -> bool:
        """Whether `minimize` needs ``jac``."""
        return self.gradient == "chain"

    def minimize(
        self,
        fun: Loss,
        x0: Values,
        jac: Gradient | None = None,
        bounds: list[tuple[float, float]] | None = None,
    ) -> Any:
        """Minimise `fun` from `x0`.

        Parameters
        ----------
        fun : callable
            Point of shape (n_parameters,) → loss.
        x0 : ndarray of shape (n_parameters,)
        jac : callable, optional
            Point → gradient; not used by ``"loss-shift"``.
        bounds : list of tuple, optional
            Not used.

        Returns
        -------
        OptimizerResult
            With ``x``, ``fun`` and ``nit``.

        Raises
        ------
        InvalidParameterError
            ``gradient="chain"`` without `jac`.
        """
        if self.needs_gradient and jac is None:
            raise InvalidParameterError(
                "AQGD(gradient='chain') needs the gradient of the loss; got jac=None. Use an engine with gradients, or "
                "gradient='loss-shift'."
            )
        from qiskit_machine_learning.optimizers import AQGD as LibraryAQGD

        optimizer: Any = LibraryAQGD(maxiter=self.max_iter, eta=self.eta, momentum=self.momentum, tol=self.tol)
        start = np.array(x0, dtype=np.float64)  # the library changes its point in place
        return optimizer.minimize(fun, start, jac=jac if self.needs_gradient else None)
