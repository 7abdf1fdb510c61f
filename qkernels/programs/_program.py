"""What to measure: overlaps of states, or expectation values, as frozen data with a content key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.circuit import Parameter, ParameterExpression, QuantumCircuit
from qiskit.quantum_info import Pauli, SparsePauliOp

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.circuits import FlatCircuit, flatten

__all__ = ["ExpectationProgram", "OverlapProgram", "Program"]

_ROUNDING = 1e-14
"""Of the largest coefficient of an observable: what terms that cancel may leave. Qiskit's own bound, 1e-8 whatever the
unit, would drop terms."""


@dataclass(frozen=True, eq=False)
class Program:
    """What `OverlapProgram` and `ExpectationProgram` share: a circuit, its parameters and a content key.

    Parameters
    ----------
    circuit : QuantumCircuit
    x : sequence of Parameter
        The data parameters in the order of the columns of X.
    theta : sequence of Parameter, optional
        Trainable parameters, the same for all samples.
    """

    circuit: QuantumCircuit
    x: Sequence[Parameter]
    theta: Sequence[Parameter] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.circuit, QuantumCircuit):
            raise InvalidParameterError(
                f"circuit must be a qiskit.QuantumCircuit, got {type(self.circuit).__name__}. "
                "Feature maps give one through build(n_features)."
            )
        if self.circuit.num_qubits < 1:
            raise InvalidParameterError("circuit has 0 qubits; a program needs at least 1.")
        object.__setattr__(self, "circuit", self.circuit.copy())  # the user's may change, a program must not
        object.__setattr__(self, "x", _parameters(self.x, "x"))
        object.__setattr__(self, "theta", None if self.theta is None else _parameters(self.theta, "theta"))

    @cached_property
    def flat(self) -> FlatCircuit:
        """The circuit as named standard gates with angle slots."""
        return flatten(self.circuit, self.x, self.theta or ())

    @property
    def num_qubits(self) -> int:
        """Qubits of the circuit."""
        return int(self.circuit.num_qubits)

    @property
    def num_features(self) -> int:
        """Length of a data row."""
        return len(self.x)

    @property
    def num_parameters(self) -> int:
        """Length of the trainable vector theta."""
        return len(self.theta or ())

    @cached_property
    def key(self) -> str:
        """Content key: sha256 in hex.

        Equal for two builds of one circuit, in any process, whatever the names of parameters, circuits and composite
        gates and whatever the global phase; different when a gate, an angle, the order or a qubit differs.
        """
        return hashlib.sha256(f"{type(self).__name__}\n{self.flat.key}\n{self._detail()}".encode()).hexdigest()

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in self.__dict__.items() if k not in ("flat", "terms")}  # rebuilt on demand

    def _detail(self) -> str:
        return ""

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and type(other) is type(self) and other.key == self.key

    def bind_angles(self, X: ArrayLike, theta: ArrayLike | None = None, name: str = "X") -> NDArray[np.float64]:
        """The distinct gate angles of the circuit for every row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, num_features), finite real numbers
        theta : array-like of shape (num_parameters,), optional
            Required where the program has trainable parameters.
        name : str, default="X"
            What error messages call the data.

        Returns
        -------
        ndarray of shape (n_samples, n_angles), float64
            In radians, one column for each distinct angle expression.

        Raises
        ------
        InvalidDataError
            X is not a finite real matrix of `num_features` columns, or an angle is undefined for a row.
        InvalidParameterError
            theta is missing, superfluous, not finite or of the wrong length.
        """
        X = _real_matrix(X, name)
        if X.shape[1] != self.num_features:
            raise InvalidDataError(
                f"{name} has {X.shape[1]} feature(s), but the program's circuit takes {self.num_features} "
                f"(the length of its x). Build the feature map for the number of columns of {name}."
            )
        if theta is None:
            if self.num_parameters:
                raise InvalidParameterError(
                    f"theta is None, but the program has {self.num_parameters} trainable parameters. "
                    f"Give theta of shape ({self.num_parameters},)."
                )
            return self.flat.angles.evaluate(X)
        vector = np.asarray(theta, dtype=float)
        if vector.shape != (self.num_parameters,) or not np.isfinite(vector).all():
            raise InvalidParameterError(
                f"theta must be finite and of shape ({self.num_parameters},), the program's trainable parameters; "
                f"got shape {vector.shape}."
            )
        return self.flat.angles.evaluate(np.hstack([X, np.broadcast_to(vector, (X.shape[0], len(vector)))]))


@dataclass(frozen=True, eq=False)
class OverlapProgram(Program):
    """Overlaps k(x, y) = |⟨0|U(y)†U(x)|0⟩|² of a circuit's states, and weights of the outcomes of U(y)†U(x)|0⟩.

    Parameters
    ----------
    circuit : QuantumCircuit
        U, on any number of qubits, without mid-circuit measurement or classical control.
    x : sequence of Parameter
        The data parameters in the order of the columns of X.
    theta : sequence of Parameter, optional
        Trainable parameters, the same for all samples.
    patches : sequence of sequences of int, optional
        A partition of the qubits; the weight of an outcome is the number of patches that do not read all zero. None is
        every qubit a patch of its own: the Hamming weight. Only ``need={"weights"}`` of `Engine.overlaps` asks for it.
        Kept as sorted tuples, and as None where all patches are single qubits.

    Attributes
    ----------
    num_patches : int
        Patches, or qubits where `patches` is None. Weights run from 0 to this number.

    Raises
    ------
    InvalidParameterError
        `circuit` is no `QuantumCircuit`; `patches` is no partition of its qubits; on first use: a parameter stands in
        neither `x` nor `theta`.
    UnsupportedCircuitError
        On first use: an instruction that cannot be evaluated, with its position.

    Notes
    -----
    Programs are plain data: frozen, picklable, hashed and compared by `key`. Flattening happens once, on first use
    (a few milliseconds for some hundred gates).

    Examples
    --------
    >>> from qiskit.circuit import ParameterVector, QuantumCircuit
    >>> from qkernels.programs import OverlapProgram
    >>> x = ParameterVector("x", 1)
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(2 * x[0], 0)
    >>> program = OverlapProgram(circuit, x)
    >>> program.bind_angles([[0.5], [1.0]]).ravel().tolist()
    [1.0, 2.0]
    """

    patches: Sequence[Sequence[int]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        patches = None if self.patches is None else _partition(self.patches, self.num_qubits)
        object.__setattr__(self, "patches", patches)

    @property
    def num_patches(self) -> int:
        """Patches, or qubits where `patches` is None."""
        return self.num_qubits if self.patches is None else len(self.patches)

    def _detail(self) -> str:
        return "" if self.patches is None else f"patches={self.patches}"


@dataclass(frozen=True, eq=False)
class ExpectationProgram(Program):
    """Expectation values ⟨0|U(x)† O U(x)|0⟩ of a circuit's states.

    Parameters
    ----------
    circuit : QuantumCircuit
    x : sequence of Parameter
        The data parameters in the order of the columns of X.
    theta : sequence of Parameter, optional
    observables : SparsePauliOp, Pauli, str, or a sequence of these
        Hermitian; a string is a Pauli label such as ``"ZI"`` in Qiskit's order (the right-most letter is qubit 0).

    Raises
    ------
    InvalidParameterError
        No observable, one of another width, or one that is not finite or not Hermitian.
    """

    observables: SparsePauliOp | Pauli | str | Sequence[SparsePauliOp | Pauli | str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.observables
        items: Iterable[SparsePauliOp | Pauli | str]
        items = [given] if isinstance(given, (SparsePauliOp, Pauli, str)) else list(given)
        observables = tuple(self._observable(i, o) for i, o in enumerate(items))
        if not observables:
            raise InvalidParameterError("observables is empty; give at least one Pauli label or SparsePauliOp.")
        object.__setattr__(self, "observables", observables)

    def _observable(self, i: int, observable: SparsePauliOp | Pauli | str) -> SparsePauliOp:
        try:
            operator = SparsePauliOp(observable)
        except Exception as error:
            raise InvalidParameterError(
                f"observables[{i}] = {observable!r} is neither a Pauli label nor a Pauli nor a SparsePauliOp: {error}"
            ) from error
        if operator.num_qubits != self.num_qubits:
            raise InvalidParameterError(
                f"observables[{i}] acts on {operator.num_qubits} qubits, the circuit has {self.num_qubits}. "
                "Give one letter per qubit (I where nothing is measured)."
            )
        coefficients = np.asarray(operator.coeffs)
        if coefficients.dtype != object and np.isfinite(coefficients).all():
            operator = operator.simplify(atol=_ROUNDING * np.abs(coefficients).max(initial=0.0))
            if np.abs(np.asarray(operator.coeffs).imag).max(initial=0.0) <= 1e-12:
                return operator.sort()
        raise InvalidParameterError(
            f"observables[{i}] has the coefficients {coefficients.tolist()}; they must be finite real numbers, so that "
            "the observable is Hermitian."
        )

    def _detail(self) -> str:
        return "\n".join(";".join(f"{label}={c!r}" for label, c in terms) for terms in self.terms)

    @cached_property
    def terms(self) -> list[list[tuple[str, float]]]:
        """Pauli labels and real coefficients of every observable."""
        operators = cast("tuple[SparsePauliOp, ...]", self.observables)
        return [[(label, complex(c).real) for label, c in o.to_list()] for o in operators]


def _parameters(given: object, name: str) -> tuple[Parameter, ...]:
    if isinstance(given, Iterable) and not isinstance(given, (str, ParameterExpression)):
        parameters = tuple(given)
        if all(isinstance(p, Parameter) for p in parameters):
            return parameters
    raise InvalidParameterError(
        f"{name} must be a sequence of qiskit Parameters (a ParameterVector, for example), got {given!r}."
    )


def _partition(given: object, num_qubits: int) -> tuple[tuple[int, ...], ...] | None:
    """Patches in a canonical order; None where each is a single qubit, which is what None means."""
    rule = f"patches must be a partition of the {num_qubits} qubit(s): sequences of qubit indices"
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidParameterError(f"{rule}; got {given!r}.")
    patches: list[tuple[int, ...]] = []
    for patch in given:
        if isinstance(patch, str) or not isinstance(patch, Iterable):
            raise InvalidParameterError(f"{rule}; got the entry {patch!r}. One qubit alone is a patch ({patch!r},).")
        qubits = list(patch)
        if wrong := [q for q in qubits if not is_count(q) or not 0 <= q < num_qubits]:
            raise InvalidParameterError(f"{rule} 0 to {num_qubits - 1}; got {wrong[0]!r} in the patch {tuple(qubits)}.")
        if not qubits:
            raise InvalidParameterError(f"{rule}; got an empty patch. Leave it out.")
        patches.append(tuple(sorted(int(q) for q in qubits)))
    used = sorted(q for patch in patches for q in patch)
    if twice := sorted({q for q in used if used.count(q) > 1}):
        raise InvalidParameterError(f"{rule}, each in one patch; got the qubit(s) {twice} more than once.")
    if missing := sorted(set(range(num_qubits)) - set(used)):
        raise InvalidParameterError(
            f"{rule}, each in one patch; the qubit(s) {missing} stand in none. Add a patch for them, such as "
            f"{tuple(missing)}."
        )
    return None if all(len(patch) == 1 for patch in patches) else tuple(sorted(patches))


def _real_matrix(X: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(X)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise InvalidDataError(
            f"{name} must be a matrix of real numbers of shape (n_samples, n_features), got shape {array.shape} and "
            f"dtype {array.dtype}. A single sample is {name}.reshape(1, -1); numbers held as objects become floats by "
            f"{name}.astype(float)."
        )
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidDataError(
            f"{name} must be finite, got {array[row, column]} in row {row}, column {column}. Impute or drop it first."
        )
    return array


def is_count(value: object) -> bool:
    """Whether a value is a row count instead of a matrix (`Engine.plan` takes both).

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return isinstance(value, Integral) and not isinstance(value, bool)
