"""Attacks on the inputs of a differentiable model, and training against them."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from qkernels._errors import InvalidParameterError
from qkernels.diagnostics._attack_target import Target, checked_integer

__all__ = ["InputGradientModel", "adversarial_fit", "fgsm_attack", "pgd_attack"]

Values = NDArray[np.float64]
Seed = int | np.random.RandomState | None
Model = TypeVar("Model", bound=BaseEstimator)

_STEPS = 10
"""Gradient steps of PGD where nothing is said."""

_REACH = 2.5
"""Sum of all steps in units of epsilon: from any start the far side of the ball is within reach (arXiv:1706.06083)."""


class InputGradientModel(Protocol):
    """What a model must have to be attacked; `qkernels.VQC` has it, and any object of yours may."""

    def input_gradient(self, X: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:
        """Derivatives of each sample's loss with respect to its features.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float64
            A DataFrame where the attacked samples are one and the model has ``feature_names_in_``.
        y : ndarray of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples, n_features), float64
        """


def fgsm_attack(
    model: InputGradientModel,
    X: ArrayLike,
    y: ArrayLike,
    epsilon: float | ArrayLike,
    *,
    clip: tuple[float, float] | None = None,
) -> Values:
    r"""Fast gradient sign method: one step of size ε that raises the loss of every sample.

    .. math:: x' = x + \varepsilon \, \operatorname{sign} \frac{\partial \ell(x, y)}{\partial x}

    Parameters
    ----------
    model : object with a method ``input_gradient(X, y)``
        A fitted model, such as `VQC`.
    X : array-like of shape (n_samples, n_features)
        Samples to start from, as the model gets them.
    y : array-like of shape (n_samples,)
        Their true labels (targets, for a regressor).
    epsilon : float, or array-like of shape (n_features,)
        Largest change of a feature, at least 0, in the unit of X.
    clip : tuple (low, high), default=None
        Range of valid features, such as ``(0, 16)`` for grey values; attacked samples stay inside.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float64
        Attacked samples; the features lie within `epsilon` of X.

    Raises
    ------
    InvalidParameterError
        `model` has no ``input_gradient``, or one of another shape; `epsilon` is negative or not finite; `clip` is no
        pair low < high.
    InvalidDataError
        X is not a finite array of two dimensions, y has another length, or X leaves the range of `clip`.
    ExecutionError
        The model's gradient is not finite.

    See Also
    --------
    pgd_attack : several smaller steps; the stronger attack.

    Notes
    -----
    Cost: one gradient for all samples together.

    References
    ----------
    Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", arXiv:1412.6572.
    Lu, Duan and Deng, "Quantum adversarial machine learning", arXiv:2001.00030.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.diagnostics import fgsm_attack
    >>> class Distance:  # its loss is (x − y)²
    ...     def input_gradient(self, X, y):
    ...         return 2 * (X - np.asarray(y)[:, None])
    >>> fgsm_attack(Distance(), [[0.5], [0.9]], [0.0, 1.0], epsilon=0.25).tolist()
    [[0.75], [0.65]]
    """
    target = Target.checked("fgsm_attack", model, X, y, epsilon, clip)
    return target.inside(target.rows + target.epsilon * np.sign(target.gradient(target.rows)))


def pgd_attack(
    model: InputGradientModel,
    X: ArrayLike,
    y: ArrayLike,
    epsilon: float | ArrayLike,
    *,
    steps: int = _STEPS,
    step_size: float | None = None,
    random_start: bool = True,
    clip: tuple[float, float] | None = None,
    random_state: Seed = None,
) -> Values:
    r"""Projected gradient descent on the samples: sign steps that raise the loss, kept within ε of the start.

    .. math:: x_{t+1} = \Pi_{\|x' - x\|_\infty \le \varepsilon}
              \left( x_t + \alpha \operatorname{sign} \frac{\partial \ell(x_t, y)}{\partial x} \right)

    Parameters
    ----------
    model : object with a method ``input_gradient(X, y)``
        A fitted model, such as `VQC`.
    X : array-like of shape (n_samples, n_features)
        Samples to start from, as the model gets them.
    y : array-like of shape (n_samples,)
        Their true labels (targets, for a regressor).
    epsilon : float, or array-like of shape (n_features,)
        Largest change of a feature, at least 0, in the unit of X.
    steps : int, default=10
        Gradient steps, at least 1.
    step_size : float, default=None
        α, in units of `epsilon`; None is ``2.5 / steps``.
    random_start : bool, default=True
        Whether to start at a uniformly random point of the ball; False starts at X itself.
    clip : tuple (low, high), default=None
        Range of valid features; attacked samples stay inside.
    random_state : int, RandomState instance or None, default=None
        For the random start.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float64
        Attacked samples, the last iterates; the features lie within `epsilon` of X.

    Raises
    ------
    InvalidParameterError
        As `fgsm_attack`; `steps` is no integer from 1 on, `step_size` is not positive, or `random_start` is no bool.
    InvalidDataError
        As `fgsm_attack`.
    ExecutionError
        The model's gradient is not finite.

    See Also
    --------
    fgsm_attack : one step of size ε.
    adversarial_fit : training against this attack.

    Notes
    -----
    Cost: `steps` gradients for all samples together. With one step of size 1 and no random start it is `fgsm_attack`.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv:1706.06083.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.diagnostics import pgd_attack
    >>> class Distance:  # its loss is (x − y)²
    ...     def input_gradient(self, X, y):
    ...         return 2 * (X - np.asarray(y)[:, None])
    >>> pgd_attack(Distance(), [[0.5], [0.9]], [0.0, 2.0], epsilon=0.25, random_state=0).round(6).tolist()
    [[0.75], [0.65]]
    """
    target = Target.checked("pgd_attack", model, X, y, epsilon, clip)
    count = checked_integer("pgd_attack", "steps", steps)
    is_number = isinstance(step_size, Real) and not isinstance(step_size, bool)
    if step_size is not None and not (is_number and 0 < float(step_size) < np.inf):
        raise InvalidParameterError(f"pgd_attack: step_size must be None or a positive number; got {step_size!r}.")
    if not isinstance(random_start, (bool, np.bool_)):
        raise InvalidParameterError(f"pgd_attack: random_start must be True or False; got {random_start!r}.")
    rows = target.rows
    if random_start:
        shifts = check_random_state(random_state).uniform(-1.0, 1.0, rows.shape)
        rows = target.inside(rows + target.epsilon * shifts)
    step = target.epsilon * (_REACH / count if step_size is None else float(step_size))
    for _ in range(count):
        rows = target.inside(rows + step * np.sign(target.gradient(rows)))
    return rows


def adversarial_fit(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    epsilon: float | ArrayLike,
    *,
    rounds: int = 20,
    iterations: int | None = 3,
    attack: Literal["pgd", "fgsm"] = "pgd",
    steps: int = _STEPS,
    clip: tuple[float, float] | None = None,
    random_state: Seed = None,
) -> Model:
    """Fit a copy of a model, then train on, in short rounds, with freshly attacked samples among the others.

    Each round attacks the model as it is now on X, and trains it further on X together with the result, both under the
    true labels. Rounds are many and short: a model that is trained to the end against one attack learns to evade just
    that one.

    Parameters
    ----------
    model : estimator with ``fit(X, y)`` and ``input_gradient(X, y)``
        Such as `VQC`. It is cloned and stays as it is. Rounds go on by ``partial_fit`` where it has that, otherwise by
        ``fit``, with ``warm_start`` where it has that.
    X : array-like of shape (n_samples, n_features)
        Training samples. The first fit gets them as they are, a DataFrame too; the rounds give one only to a model that
        has ``feature_names_in_`` then, and arrays to others.
    y : array-like of shape (n_samples,)
        Labels (targets, for a regressor).
    epsilon : float, or array-like of shape (n_features,)
        Largest change of a feature that the model shall withstand, in the unit of X.
    rounds : int, default=20
        Rounds after the first fit, at least 1.
    iterations : int or None, default=3
        The model's ``max_iter`` in the rounds; None leaves it as it is. Of no effect on models without ``max_iter``.
    attack : {"pgd", "fgsm"}, default="pgd"
        The attack to train against.
    steps : int, default=10
        Gradient steps of ``"pgd"``.
    clip : tuple (low, high), default=None
        Range of valid features; attacked samples stay inside.
    random_state : int, RandomState instance or None, default=None
        For the random starts of ``"pgd"``. The model has its own.

    Returns
    -------
    estimator
        A fitted model of the same class, with the parameters of `model`.

    Raises
    ------
    InvalidParameterError
        As `pgd_attack`; `model` is no estimator; `rounds` or `iterations` is no integer from 1 on; `attack` is neither.
    InvalidDataError
        As `pgd_attack`.
    ExecutionError
        The model's gradient is not finite.

    See Also
    --------
    pgd_attack, fgsm_attack : what it trains against; also what to test it with, on samples that it has not seen.

    Notes
    -----
    Cost: one fit; per round `steps` gradients of n_samples rows and `iterations` iterations of twice as many.
    The rounds end before they converge, as they should, and scikit-learn's ConvergenceWarning is silenced for them.
    Accuracy on clean samples may fall: compare it too.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv:1706.06083.
    Ren et al., "Experimental quantum adversarial learning with programmable superconducting qubits", arXiv:2204.01738.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from qkernels.diagnostics import adversarial_fit, fgsm_attack
    >>> class Line(LogisticRegression):
    ...     def input_gradient(self, X, y):
    ...         return (self.predict_proba(X)[:, 1] - y)[:, None] * self.coef_
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = rng.normal(size=(400, 21)) + 0.5 * y[:, None]  # 20 weak features,
    >>> X[:, 0] += 3.5 * y  # and a good one
    >>> usual = Line().fit(X, y)
    >>> hardened = adversarial_fit(Line(), X, y, epsilon=0.5, rounds=50, iterations=1, random_state=0)
    >>> [round(m.score(fgsm_attack(m, X, y, epsilon=0.5), y), 1) for m in (usual, hardened)]
    [0.7, 0.9]
    """
    if not isinstance(model, BaseEstimator) or not callable(getattr(model, "fit", None)):
        raise InvalidParameterError(f"adversarial_fit: model must be an estimator with a fit method; got {model!r}.")
    checked_integer("adversarial_fit", "rounds", rounds)
    checked_integer("adversarial_fit", "steps", steps)
    if iterations is not None:
        checked_integer("adversarial_fit", "iterations", iterations)
    if attack not in ("pgd", "fgsm"):
        raise InvalidParameterError(f"adversarial_fit: attack must be 'pgd' or 'fgsm'; got {attack!r}.")
    target = Target.checked("adversarial_fit", model, X, y, epsilon, clip)
    rows, labels, rng = target.rows, target.labels, check_random_state(random_state)
    fitted: Model = clone(model)
    own = fitted.get_params(deep=False)
    fitted.fit(X if hasattr(X, "iloc") else rows, labels)
    table = target.table if hasattr(fitted, "feature_names_in_") else np.asarray  # by name, or by position
    given = table(rows)
    short = {"warm_start": True} | ({} if iterations is None else {"max_iter": iterations})
    fitted.set_params(**{name: value for name, value in short.items() if name in own})
    train_on = getattr(fitted, "partial_fit", fitted.fit)
    for _ in range(rounds):
        if attack == "fgsm":
            attacked = fgsm_attack(fitted, given, labels, epsilon, clip=clip)
        else:
            attacked = pgd_attack(fitted, given, labels, epsilon, steps=steps, clip=clip, random_state=rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            train_on(table(np.vstack([rows, attacked])), np.concatenate([labels, labels]))
    fitted.set_params(**{name: own[name] for name in short if name in own})
    return fitted
