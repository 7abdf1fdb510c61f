"""Between our kernels and qiskit-machine-learning's. The only module that imports that library; imported lazily."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit_machine_learning.kernels import BaseKernel

from qkernels._errors import InvalidDataError
from qkernels.kernels._rule import CircuitRule

__all__ = ["QiskitKernel", "is_qiskit_kernel"]

Values = NDArray[np.float64]


def is_qiskit_kernel(kernel: object) -> bool:
    """Whether this is one of qiskit-machine-learning's kernels."""
    return isinstance(kernel, BaseKernel)


class QiskitKernel(BaseKernel):
    """A fitted kernel as a qiskit-machine-learning ``BaseKernel``.

    ``enforce_psd`` is False: a repair belongs to a training matrix and its cross block together, and ``evaluate`` does
    not know which one it is asked for. Exact matrices need none.

    scikit-learn's ``clone`` returns the same object: a deep copy would copy the engine and what it holds.

    Parameters
    ----------
    rule : CircuitRule
    fit_angles : ndarray of shape (n_fit, n_features)
        Encoded training rows. Entries between them are looked up, which makes ``PegasosQSVC``, which asks for one row
        at a time, fast.
    """

    def __init__(self, rule: CircuitRule, fit_angles: Values) -> None:
        super().__init__(feature_map=rule.feature_map.build(rule.num_features), enforce_psd=False)
        self._num_features = rule.num_features  # also those that the circuit ignores
        self._rule = rule
        self._gram = rule.measure(fit_angles).values
        self._position = {row.tobytes(): i for i, row in enumerate(fit_angles)}

    def evaluate(self, x_vec: ArrayLike, y_vec: ArrayLike | None = None) -> Values:
        """Evaluate the raw kernel matrix.

        Parameters
        ----------
        x_vec : array-like of shape (n_x, n_features), or (n_features,)
        y_vec : array-like of shape (n_y, n_features), or (n_features,), optional
            None is `x_vec`. May have no rows.

        Returns
        -------
        ndarray of shape (n_x, n_y), float64 in [0, 1]

        Raises
        ------
        InvalidDataError
            Another number of features.
        """
        A = self._encode(x_vec, "x_vec")
        B = A if y_vec is None or y_vec is x_vec else self._encode(y_vec, "y_vec")
        if not len(A) or not len(B):
            return np.empty((len(A), len(B)))
        rows, columns = self._positions(A), self._positions(B)
        if rows is not None and columns is not None:
            return np.array(self._gram[np.ix_(rows, columns)])
        return np.array(self._rule.measure(A, None if B is A else B).values)

    def _encode(self, vectors: ArrayLike, name: str) -> Values:
        data: Any = np.asarray(vectors, dtype=np.float64)
        if data.ndim == 1:
            data = data.reshape(1, -1)
        if data.ndim != 2 or data.shape[1] != self._num_features:
            columns = f", {data.shape[1]} feature(s)" if data.ndim == 2 else ""
            raise InvalidDataError(
                f"{name} must have shape (n, {self._num_features}): the kernel was fitted on {self._num_features} "
                f"feature(s); got {np.shape(vectors)}{columns}."
            )
        return self._rule.encode(self._rule.check(data, name)) if len(data) else data

    def __sklearn_clone__(self) -> Self:
        return self

    def _positions(self, angles: Values) -> list[int] | None:
        found = []
        for row in angles:
            position = self._position.get(row.tobytes())
            if position is None:
                return None
            found.append(position)
        return found
