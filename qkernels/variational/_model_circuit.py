"""The circuit of a variational model: uploads of the data between blocks of an ansatz."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.utils import check_random_state

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps import FeatureMap
from qkernels.variational._ansatz import Ansatz
from qkernels.variational._circuit_ansatz import CircuitAnsatz

__all__ = ["INITIAL_POINTS", "ModelCircuit", "check_width", "compose_model"]

INITIAL_POINTS = ("small", "random", "identity")

_SMALL = 0.1
"""Standard deviation of ``"small"`` in radians: close to where the blocks were designed to start, off the point where
gradients vanish by symmetry."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelCircuit:
    """A model circuit U(x) W(θ₁) U(x) W(θ₂) … and where its trainable numbers stand.

    Attributes
    ----------
    circuit : QuantumCircuit
        Its parameters are elements of `x` and `theta`.
    x : ParameterVector
        The features, the vector of the feature map.
    theta : ParameterVector
        The trainable numbers: the scaling of the features where it is trained, then the angles of block 1, 2, ….
    scaling : slice
        Place of the scaling in `theta`; empty where it is not trained.
    blocks : tuple of slice
        Place of the angles of each block in `theta`.
    ansatz : Ansatz
        The ansatz of all blocks.
    readout_qubits : tuple of int
        The qubits that the ansatz leaves the result on.
    """

    circuit: QuantumCircuit
    x: ParameterVector
    theta: ParameterVector
    scaling: slice
    blocks: tuple[slice, ...]
    ansatz: Ansatz
    readout_qubits: tuple[int, ...]

    def initial_point(
        self,
        kind: Literal["small", "random", "identity"] | ArrayLike = "small",
        random_state: int | np.random.RandomState | None = None,
        name: str = "initial_point",
    ) -> NDArray[np.float64]:
        """Return a point to start training from; a trained scaling starts at 1.

        Parameters
        ----------
        kind : {"small", "random", "identity"} or array-like of shape (len(theta),), default="small"
            ``"small"``: normal with standard deviation 0.1 rad. ``"random"``: uniform in [−π, π). ``"identity"``:
            every block the identity, see ``Ansatz.identity_point``. An array is the point itself, scaling included.
        random_state : int, RandomState instance or None, default=None
            For ``"small"`` and ``"random"``.
        name : str, default="initial_point"
            What the caller's parameter is called, for errors.

        Returns
        -------
        ndarray of shape (len(theta),), float64
            In radians, but for the scaling, which has no unit.

        Raises
        ------
        InvalidParameterError
            `kind` is neither a known name nor a finite array of the right length, or the ansatz has no identity
            point.
        """
        if not isinstance(kind, str):
            return self._given_point(kind, name)
        if kind not in INITIAL_POINTS:
            listed = ", ".join(repr(name) for name in INITIAL_POINTS)
            raise InvalidParameterError(f"{name} must be one of {listed}, or an array; got {kind!r}.")
        rng = check_random_state(random_state)
        point = np.ones(len(self.theta))
        for block in self.blocks:
            count = block.stop - block.start
            if kind == "identity":
                point[block] = self.ansatz.identity_point(self.circuit.num_qubits)
            elif kind == "small":
                point[block] = rng.normal(0.0, _SMALL, count)
            else:
                point[block] = rng.uniform(-pi, pi, count)
        return point

    def _given_point(self, given: ArrayLike, name: str) -> NDArray[np.float64]:
        try:
            point = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            point = np.empty(0)
        if point.shape != (len(self.theta),) or not np.isfinite(point).all():
            raise InvalidParameterError(
                f"{name} must hold {len(self.theta)} finite numbers, one for each trainable parameter of the "
                f"model; got {given!r}."
            )
        return point


def compose_model(
    feature_map: FeatureMap,
    ansatz: Ansatz,
    n_features: int,
    num_qubits: int | None = None,
    reuploads: int = 1,
    trainable_scaling: bool = False,
) -> ModelCircuit:
    """Return the circuit U(x) W(θ₁) U(x) W(θ₂) … of `reuploads` uploads, the first U(x) on the state 0…0.

    Parameters
    ----------
    feature_map : FeatureMap
        U(x), on the first qubits.
    ansatz : Ansatz
        W(θ), on all qubits; each block has its own angles.
    n_features : int
        Number of features d.
    num_qubits : int, default=None
        Qubits of the model; None is those of the feature map and the ansatz's extra ones. Qubits beyond those of
        the feature map hold no data.
    reuploads : int, default=1
        Number of times that the data are uploaded, at least 1.
    trainable_scaling : bool, default=False
        Whether feature i enters as s_i·x_i with a trainable s_i, the same in all uploads.

    Returns
    -------
    ModelCircuit

    Raises
    ------
    InvalidParameterError
        A setting breaks its rule, here or in the feature map or ansatz, or the widths do not fit.
    InvalidDataError
        The feature map cannot take that many features.
    UnsupportedCircuitError
        A circuit of the user's holds an instruction that cannot be trained.

    Notes
    -----
    Cost: `reuploads` times the gates of U(x) and of W(θ). On one qubit and enough uploads such a model is a
    universal approximator of functions of x.

    References
    ----------
    Pérez-Salinas et al., "Data re-uploading for a universal quantum classifier", arXiv:1907.02085.
    Schuld, Sweke and Meyer, "The effect of data encoding on the expressive power of variational quantum machine
    learning models", arXiv:2008.08605.

    Examples
    --------
    >>> from qkernels.feature_maps import ZZFeatureMap
    >>> from qkernels.variational import RealAmplitudesAnsatz, compose_model
    >>> upload, ansatz = ZZFeatureMap(reps=1), RealAmplitudesAnsatz(reps=0)
    >>> model = compose_model(upload, ansatz, 2, reuploads=2, trainable_scaling=True)
    >>> model.scaling, model.blocks
    (slice(0, 2, None), (slice(2, 4, None), slice(4, 6, None)))
    >>> model.initial_point([1.0, 1.0, 0.1, 0.2, 0.3, 0.4]).tolist()
    [1.0, 1.0, 0.1, 0.2, 0.3, 0.4]
    """
    if isinstance(reuploads, bool) or not isinstance(reuploads, Integral) or reuploads < 1:
        raise InvalidParameterError(f"reuploads must be an integer >= 1; got {reuploads!r}.")
    if not isinstance(trainable_scaling, (bool, np.bool_)):
        raise InvalidParameterError(f"trainable_scaling must be True or False; got {trainable_scaling!r}.")
    width = check_width(feature_map, ansatz, n_features, num_qubits)
    x = feature_map.parameter_vector(n_features)
    num_scales = len(x) if trainable_scaling else 0
    count = ansatz.num_parameters(width)
    theta = ParameterVector("θ", num_scales + int(reuploads) * count)
    upload = _scaled(feature_map.build(n_features), x, theta) if trainable_scaling else feature_map.build(n_features)
    starts = [num_scales + k * count for k in range(int(reuploads))]
    circuit = QuantumCircuit(width, name="model")
    for start in starts:
        circuit.compose(upload, range(upload.num_qubits), inplace=True)
        circuit.compose(ansatz.build(width, theta[start : start + count]), range(width), inplace=True)
    blocks = tuple(slice(start, start + count) for start in starts)
    return ModelCircuit(circuit, x, theta, slice(0, num_scales), blocks, ansatz, ansatz.readout_qubits(width))


def check_width(feature_map: FeatureMap, ansatz: Ansatz, n_features: int, num_qubits: int | None = None) -> int:
    """Return the number of qubits of a model; refuse a feature map and an ansatz that do not fit.

    Parameters
    ----------
    feature_map : FeatureMap
        The feature map.
    ansatz : Ansatz
        The ansatz.
    n_features : int
        Number of features d.
    num_qubits : int, default=None
        Qubits of the model; None is those of the feature map and the ansatz's extra ones.

    Returns
    -------
    int
        Number of qubits.

    Raises
    ------
    InvalidParameterError
        `feature_map` or `ansatz` is none, `num_qubits` is less than the feature map and the ansatz need, or the
        circuit of a `CircuitAnsatz` has another width.
    InvalidDataError
        The feature map cannot take that many features.
    """
    if not isinstance(feature_map, FeatureMap):
        raise InvalidParameterError(
            f"feature_map must be a FeatureMap; got {feature_map!r}. Wrap a circuit: CircuitMap(circuit)."
        )
    if not isinstance(ansatz, Ansatz):
        raise InvalidParameterError(
            f"ansatz must be an Ansatz; got {ansatz!r}. Wrap a circuit: CircuitAnsatz(circuit)."
        )
    needed = feature_map.num_qubits(n_features) + ansatz.extra_qubits
    names = f"{type(feature_map).__name__} has {needed - ansatz.extra_qubits} qubit(s) for {n_features} feature(s)"
    if num_qubits is None:
        num_qubits = needed
    elif isinstance(num_qubits, bool) or not isinstance(num_qubits, Integral) or num_qubits < needed:
        raise InvalidParameterError(
            f"num_qubits must be None or an integer >= {needed}: {names}, and {type(ansatz).__name__} needs "
            f"{ansatz.extra_qubits} more; got {num_qubits!r}."
        )
    if isinstance(ansatz, CircuitAnsatz) and isinstance(ansatz.circuit, QuantumCircuit):
        width = ansatz.circuit.num_qubits
        if width != num_qubits:
            raise InvalidParameterError(
                f"ansatz and feature_map must have the same width: {names}, the model {num_qubits}, and the circuit "
                f"{ansatz.circuit.name!r} of the CircuitAnsatz has {width}. Give an ansatz of {num_qubits} qubit(s), "
                "or a feature map of as many qubits as the ansatz."
            )
    return int(num_qubits)


def _scaled(upload: QuantumCircuit, x: ParameterVector, theta: ParameterVector) -> QuantumCircuit:
    """The upload with s_i·x_i for x_i; two steps, since an old and a new expression hold the same name."""
    used = [i for i, feature in enumerate(x) if feature in upload.parameters]
    detour = ParameterVector("qkernels.detour", len(x))
    detoured = upload.assign_parameters({x[i]: detour[i] for i in used})
    return detoured.assign_parameters({detour[i]: theta[i] * x[i] for i in used})
