"""Losses: how far the outputs of a readout are from the targets, and the derivatives of just that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError

__all__ = ["CrossEntropy", "Loss", "SoftmaxCrossEntropy", "SquaredError", "as_loss", "softmax"]

Values = NDArray[np.float64]


class Loss(ABC):
    """A loss per sample with its derivatives (abstract).

    Any object with the two methods serves as a loss; sample weights and the mean are taken care of elsewhere.

    Attributes
    ----------
    on_scores : bool
        Whether `outputs` are the scores of a readout of scores, before the softmax; False: the probabilities.
    """

    on_scores: bool = False

    @abstractmethod
    def __call__(self, outputs: Values, targets: Values) -> Values:
        """Losses of the samples.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_outputs), float64
            Class probabilities (or scores, see `on_scores`); for regression one column of numbers.
        targets : ndarray of shape (n_samples, n_outputs), float64
            1 in the column of the class and 0 elsewhere; for regression the standardised y.

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """

    @abstractmethod
    def gradient(self, outputs: Values, targets: Values) -> Values:
        """Derivatives of every sample's loss with respect to its outputs.

        Parameters
        ----------
        outputs, targets : ndarray of shape (n_samples, n_outputs), float64
            As in the call.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), float64
        """

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


class CrossEntropy(Loss):
    r"""Cross-entropy of class probabilities, :math:`-\sum_k t_k \log p_k`.

    Below a floor ε the logarithm goes on as its tangent, :math:`\log ε + p/ε - 1`. So the loss is finite and has a
    continuous derivative for p = 0 too, and for the p < 0 that shots or mitigation may give; `gradient` is the
    derivative of this loss.

    Parameters
    ----------
    floor : float in (0, 1), default=1e-3
        The floor ε: no sample's derivative exceeds 1/ε.

    Raises
    ------
    InvalidParameterError
        `floor` is no number between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.variational import CrossEntropy
    >>> CrossEntropy()(np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]])).round(4).tolist()
    [0.2877]
    """

    def __init__(self, floor: float = 1e-3) -> None:
        if isinstance(floor, bool) or not isinstance(floor, Real) or not 0 < floor < 1:
            raise InvalidParameterError(f"floor of CrossEntropy must be a number between 0 and 1; got {floor!r}.")
        self.floor: float = float(floor)

    def __call__(self, outputs: Values, targets: Values) -> Values:
        clipped = np.maximum(outputs, self.floor)
        logs = np.log(clipped) + (outputs - clipped) / self.floor
        return np.asarray(-np.einsum("nk,nk->n", targets, logs))

    def gradient(self, outputs: Values, targets: Values) -> Values:
        return np.asarray(-targets / np.maximum(outputs, self.floor))


class SoftmaxCrossEntropy(Loss):
    r"""Cross-entropy of the softmax of scores, :math:`\log \sum_j e^{s_j} - \sum_k t_k s_k`.

    Its derivative, softmax(s) − t, holds the full Jacobian of the softmax.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.variational import SoftmaxCrossEntropy
    >>> SoftmaxCrossEntropy().gradient(np.zeros((1, 2)), np.array([[1.0, 0.0]])).tolist()
    [[-0.5, 0.5]]
    """

    on_scores = True

    def __call__(self, outputs: Values, targets: Values) -> Values:
        top = outputs.max(axis=1, keepdims=True)
        total = np.log(np.exp(outputs - top).sum(axis=1)) + top[:, 0]
        return np.asarray(total - np.einsum("nk,nk->n", targets, outputs))

    def gradient(self, outputs: Values, targets: Values) -> Values:
        return np.asarray(softmax(outputs) - targets)


class SquaredError(Loss):
    r"""Sum of squared differences, :math:`\sum_k (p_k - t_k)^2`; for classes, the Brier score.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.variational import SquaredError
    >>> SquaredError()(np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]])).tolist()
    [0.125]
    """

    def __call__(self, outputs: Values, targets: Values) -> Values:
        difference = outputs - targets
        return np.asarray(np.einsum("nk,nk->n", difference, difference))

    def gradient(self, outputs: Values, targets: Values) -> Values:
        return np.asarray(2.0 * (outputs - targets))


def softmax(scores: Values) -> Values:
    """Softmax over the columns.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)

    Returns
    -------
    ndarray of the same shape, float64
        Rows sum to 1.
    """
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def as_loss(loss: object, kind: str, owner: str) -> Loss:
    """The loss that ``loss=`` of an estimator stands for.

    Parameters
    ----------
    loss : {"cross_entropy", "squared_error"} or an object like `Loss`
    kind : {"probabilities", "scores", "values"}
        Of the readout's outputs: cross-entropy of scores is `SoftmaxCrossEntropy`.
    owner : str
        Class name for errors.

    Returns
    -------
    Loss

    Raises
    ------
    InvalidParameterError
        None of these, cross-entropy for regression, or a loss of scores where the readout gives none.

    Examples
    --------
    >>> from qkernels.variational import as_loss
    >>> as_loss("cross_entropy", "scores", "VQC")
    SoftmaxCrossEntropy()
    """
    if isinstance(loss, str) and loss == "squared_error":
        return SquaredError()
    if isinstance(loss, str) and loss == "cross_entropy" and kind != "values":
        return SoftmaxCrossEntropy() if kind == "scores" else CrossEntropy()
    if callable(loss) and callable(getattr(loss, "gradient", None)) and not isinstance(loss, type):
        if getattr(loss, "on_scores", False) and kind != "scores":
            raise InvalidParameterError(
                f"loss of {owner} is {loss!r}, which takes scores, but the readout gives {kind}. Use "
                "readout='observables', or a loss of probabilities such as CrossEntropy()."
            )
        return loss  # type: ignore[return-value]
    names = "'squared_error'" if kind == "values" else "'cross_entropy', 'squared_error'"
    raise InvalidParameterError(
        f"loss of {owner} must be {names}, or an object with a call (outputs, targets) and a method gradient(outputs, "
        f"targets), such as {'SquaredError' if kind == 'values' else 'CrossEntropy'}(); got {loss!r}."
    )
