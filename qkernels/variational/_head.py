"""The head of a model: from expectation values to predictions, losses and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from qkernels._errors import InvalidParameterError
from qkernels.variational._loss import Loss, softmax
from qkernels.variational._readout import BoundReadout

__all__ = ["Head"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What stands behind the expectation values: a readout and a loss.

    Attributes
    ----------
    readout : BoundReadout
    loss : Loss
    """

    readout: BoundReadout
    loss: Loss

    def predictions(self, values: Values) -> Values:
        """Class probabilities, or numbers for regression.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_observables)
            Expectation values.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), float64
        """
        outputs = self.readout.outputs(values)
        return softmax(outputs) if self.readout.kind == "scores" else outputs

    def losses(self, values: Values, targets: Values) -> Values:
        """Losses of the samples.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_observables)
        targets : ndarray of shape (n_samples, n_outputs)

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        return _shaped(self.loss(self._seen(values), targets), (len(values),), self.loss, "a call")

    def cotangent(self, values: Values, targets: Values) -> Values:
        """Derivatives of every sample's loss with respect to its expectation values.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_observables)
        targets : ndarray of shape (n_samples, n_outputs)

        Returns
        -------
        ndarray of shape (n_samples, n_observables), float64
        """
        seen = self._seen(values)
        gradient = _shaped(self.loss.gradient(seen, targets), seen.shape, self.loss, "gradient")
        if self._has_softmax:  # the full Jacobian, p_k (δ_kj − p_j)
            gradient = seen * (gradient - np.einsum("nk,nk->n", gradient, seen)[:, None])
        return self.readout.pull_back(gradient)

    def calibrated(self, values: Values, targets: Values, weights: Values) -> Head:
        """With the offset (for regression, the slope too) that minimises the loss at these values.

        No circuit is run. Returns the head itself where nothing is to be fitted. The score of a class without samples
        keeps its offset, and the offsets of the others keep their mean.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_observables)
        targets : ndarray of shape (n_samples, n_outputs)
        weights : ndarray of shape (n_samples,)

        Returns
        -------
        Head
        """
        readout = self.readout
        if not readout.fits_offset:
            return self
        has_slope = readout.kind == "values"
        share = weights / weights.sum()
        has_samples = weights @ targets > 0 if readout.kind == "scores" else np.ones(readout.num_outputs, dtype=bool)

        def with_point(point: Values) -> Head:
            matrix = readout.matrix * point[-1] if has_slope else readout.matrix
            return replace(self, readout=replace(readout, matrix=matrix, offset=point[: readout.num_outputs]))

        def value_and_gradient(point: Values) -> tuple[float, Values]:
            head = with_point(point)
            gradient = head._by_outputs(values, targets) * share[:, None]
            found = gradient.sum(axis=0)
            if not has_samples.all():  # these samples would drive the class that they lack away without bound
                found = np.where(has_samples, found - found[has_samples].mean(), 0.0)
            if has_slope:
                found = np.append(found, np.sum(gradient * (values @ readout.matrix)))
            return float(share @ head.losses(values, targets)), found

        start = np.append(readout.offset, 1.0) if has_slope else readout.offset
        found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", tol=1e-12)
        before, _ = value_and_gradient(start)
        return with_point(np.asarray(found.x)) if np.isfinite(found.fun) and found.fun < before else self

    @property
    def _has_softmax(self) -> bool:
        """Whether the loss sees the softmax of the outputs."""
        return self.readout.kind == "scores" and not getattr(self.loss, "on_scores", False)

    def _seen(self, values: Values) -> Values:
        """What the loss is a function of."""
        outputs = self.readout.outputs(values)
        return softmax(outputs) if self._has_softmax else outputs

    def _by_outputs(self, values: Values, targets: Values) -> Values:
        identity = replace(self.readout, matrix=np.eye(self.readout.num_outputs), offset=np.zeros(1))
        return replace(self, readout=identity).cotangent(self.readout.outputs(values), targets)


def _shaped(found: object, shape: tuple[int, ...], loss: Loss, what: str) -> Values:
    """What a loss has returned, which may be anybody's."""
    array = np.asarray(found, dtype=np.float64)
    if array.shape != shape:
        raise InvalidParameterError(
            f"loss {loss!r}: {what} must return an array of shape {shape}, one row for each sample; got {array.shape}."
        )
    return array
