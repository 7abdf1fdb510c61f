"""HamiltonianEmbedding: data matrices as Hamiltonians between trainable layers; an exact evaluator of its own."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.variational._blocks import SU4_SIZE
from qkernels.variational._hamiltonian_sweep import EmbeddedMatrices, backward, evolve, layer_matrices

__all__ = ["HamiltonianEmbedding"]

Real64 = NDArray[np.float64]


class HamiltonianEmbedding(BaseEstimator):
    r"""Re-uploading model for square data matrices, on a simulator only.

    Each layer is :math:`W(t_l; M) = \exp(-i t_l H_M/2)` with :math:`H_M = (M + M^\top)/2`, then a trainable layer
    V(θ_l) of SU(4) blocks on neighbouring qubits; the first one acts on :math:`|+\rangle^{\otimes n}` with
    :math:`2^n` the size of M, zero-padded. The score of class k is the probability of basis state k.

    Parameters
    ----------
    layers : int, default=15
        Number of layers L, at least 1.
    time : float, default=1.0
        Initial value of every t_l, in 1/(unit of the data); and its value throughout where it is not trained.
    trainable_time : bool, default=True
        Whether the t_l are trained.

    See Also
    --------
    BrickworkAnsatz : V(θ_l) is one repetition of it.

    Notes
    -----
    *Simulator side only*: the exponential of a data matrix is no gate with an angle, so there is no circuit, no
    shots and no device behind this class. It is an exact evaluator in NumPy.

    Cost: one eigendecomposition per sample in `embed`; then 3 matrix–vector products of size 2^n per layer and sample
    for the probabilities, and as many again for the gradient; memory of 2L + 1 states per sample.

    θ runs over the layers: t_l where it is trained, then the 15·(n − 1) angles of `BrickworkAnsatz`.

    References
    ----------
    Wang et al., "Quantum Hamiltonian embedding of images for data reuploading classifiers", 2024, arXiv:2407.14055.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.variational import HamiltonianEmbedding
    >>> model = HamiltonianEmbedding(layers=2)
    >>> data = model.embed(np.arange(32.0).reshape(2, 4, 4) / 32)
    >>> theta = model.initial_point(4, random_state=0)
    >>> model.probabilities(data, theta).sum(axis=1).round(12).tolist()
    [1.0, 1.0]
    """

    def __init__(self, layers: int = 15, time: float = 1.0, trainable_time: bool = True) -> None:
        self.layers = layers
        self.time = time
        self.trainable_time = trainable_time

    def embed(self, matrices: ArrayLike) -> EmbeddedMatrices:
        """Diagonalise the data, once for all iterations.

        Parameters
        ----------
        matrices : array-like of shape (n_samples, m, m)
            Real data matrices M, such as images; padded with zeros to the next power of 2, at least 4.

        Returns
        -------
        EmbeddedMatrices

        Raises
        ------
        InvalidDataError
            `matrices` is not a finite real array of that shape.
        """
        given = np.asarray(matrices)
        if given.ndim != 3 or given.shape[1] != given.shape[2] or not given.size or given.dtype.kind not in "fiub":
            raise InvalidDataError(
                "HamiltonianEmbedding: matrices must be real and of shape (n_samples, m, m); got shape "
                f"{given.shape} and dtype {given.dtype}. Reshape rows of pixels: X.reshape(len(X), m, m)."
            )
        if not np.isfinite(given).all():
            raise InvalidDataError(
                "HamiltonianEmbedding: matrices must be finite; got NaN or infinity. Impute it first."
            )
        size = given.shape[1]
        dim = 2 ** max(2, (size - 1).bit_length())
        padded = np.zeros((len(given), dim, dim))
        padded[:, :size, :size] = (given + given.transpose(0, 2, 1).astype(float)) / 2
        energies, vectors = np.linalg.eigh(padded)
        return EmbeddedMatrices(energies, vectors)

    def num_parameters(self, dim: int) -> int:
        """Return the length of θ.

        Parameters
        ----------
        dim : int
            Size 2^n of the embedded matrices, n ≥ 2.

        Returns
        -------
        int
            L·(15·(n − 1) + 1), or L·15·(n − 1) without trained times.

        Raises
        ------
        InvalidParameterError
            `layers`, `time` or `trainable_time` breaks its rule, or `dim` is no power of 2 from 4 on.
        """
        return self._checked_layers() * (self._num_times() + SU4_SIZE * (_num_qubits(dim) - 1))

    def initial_point(
        self, dim: int, random_state: int | np.random.RandomState | None = None, spread: float = 0.1
    ) -> Real64:
        """Return a point to start training from: times as given, angles normal around 0.

        Parameters
        ----------
        dim : int
            Size of the embedded matrices.
        random_state : int, RandomState instance or None, default=None
            For the angles.
        spread : float, default=0.1
            Standard deviation of the angles, in radians.

        Returns
        -------
        ndarray of shape (num_parameters(dim),), float64

        Raises
        ------
        InvalidParameterError
            As `num_parameters`.
        """
        count = self.num_parameters(dim)
        point = check_random_state(random_state).normal(0.0, spread, count).reshape(self.layers, -1)
        point[:, : self._num_times()] = self.time
        return np.asarray(point.ravel(), dtype=np.float64)

    def probabilities(self, data: EmbeddedMatrices, theta: ArrayLike) -> Real64:
        """Return the probabilities of the basis states after the last layer.

        Parameters
        ----------
        data : EmbeddedMatrices
            The result of `embed`.
        theta : array-like of shape (num_parameters(dim),)
            Times and angles, layer by layer.

        Returns
        -------
        ndarray of shape (n_samples, dim), float64
            Rows sum to 1.

        Raises
        ------
        InvalidParameterError
            As `num_parameters`, or `theta` is not finite or of another length.
        """
        times, angles = self._split(data, theta)
        return np.asarray(np.abs(evolve(data, times, layer_matrices(angles)).final) ** 2)

    def vjp(
        self, data: EmbeddedMatrices, theta: ArrayLike, cotangent: ArrayLike | Callable[[Real64], ArrayLike]
    ) -> tuple[Real64, Real64]:
        r"""Return the probabilities and :math:`\sum_{ik} c_{ik}\, \partial p_{ik}/\partial\theta`.

        Parameters
        ----------
        data : EmbeddedMatrices
            The result of `embed`.
        theta : array-like of shape (num_parameters(dim),)
            Times and angles, layer by layer.
        cotangent : array-like of shape (n_samples, dim), or a callable
            The derivatives c of the loss by the probabilities, or a function that gives them from the
            probabilities, which saves an evaluation.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, dim), float64
        gradient : ndarray of shape (num_parameters(dim),), float64
            Exact.

        Raises
        ------
        InvalidParameterError
            As `probabilities`, or `cotangent` has another shape.
        """
        times, angles = self._split(data, theta)
        layers = layer_matrices(angles)
        trace = evolve(data, times, layers)
        probabilities = np.abs(trace.final) ** 2
        weights = np.asarray(cotangent(probabilities) if callable(cotangent) else cotangent, dtype=float)
        if weights.shape != probabilities.shape:
            raise InvalidParameterError(
                f"HamiltonianEmbedding: cotangent must have the shape {probabilities.shape} of the probabilities; "
                f"got {weights.shape}."
            )
        by_time, by_angle = backward(data, trace, layers, weights)
        columns = [by_time[:, None], by_angle] if self.trainable_time else [by_angle]
        return probabilities, np.hstack(columns).ravel()

    def _split(self, data: EmbeddedMatrices, theta: ArrayLike) -> tuple[Real64, Real64]:
        """Times (L,) and angles (L, blocks, 15) of θ."""
        count = self.num_parameters(data.energies.shape[1])
        vector = np.asarray(theta, dtype=float)
        if vector.shape != (count,) or not np.isfinite(vector).all():
            raise InvalidParameterError(
                f"HamiltonianEmbedding: theta must hold {count} finite numbers; got shape {vector.shape}."
            )
        table = vector.reshape(self.layers, -1)
        num_times = self._num_times()
        times = table[:, 0] if num_times else np.full(self.layers, float(self.time))
        return times, table[:, num_times:]

    def _checked_layers(self) -> int:
        if isinstance(self.layers, bool) or not isinstance(self.layers, Integral) or self.layers < 1:
            raise InvalidParameterError(f"HamiltonianEmbedding: layers must be an integer >= 1; got {self.layers!r}.")
        is_number = isinstance(self.time, Real) and not isinstance(self.time, bool)
        if not is_number or not np.isfinite(self.time):
            raise InvalidParameterError(f"HamiltonianEmbedding: time must be a finite number; got {self.time!r}.")
        if not isinstance(self.trainable_time, (bool, np.bool_)):
            raise InvalidParameterError(
                f"HamiltonianEmbedding: trainable_time must be True or False; got {self.trainable_time!r}."
            )
        return int(self.layers)

    def _num_times(self) -> int:
        return int(self.trainable_time)


def _num_qubits(dim: int) -> int:
    if isinstance(dim, bool) or not isinstance(dim, Integral) or dim < 4 or dim & (dim - 1):
        raise InvalidParameterError(f"HamiltonianEmbedding: dim must be a power of 2, at least 4; got {dim!r}.")
    return int(dim).bit_length() - 1
