"""The reference simulator: one state, one gate at a time, every matrix from Qiskit's gate itself.

Slow and plain on purpose. It binds the parameters with Qiskit, walks the instructions and contracts each
gate's matrix into a NumPy tensor. Semantics are those of a device: a gate whose definition only approximates
its matrix (a Trotterised ``PauliEvolutionGate``) is run by its definition.

Bit order is Qiskit's: qubit 0 is the least significant bit of an index into a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    InverseModifier,
    Operation,
    Parameter,
    PowerModifier,
)
from qiskit.circuit.library import Initialize, PauliEvolutionGate
from qiskit.quantum_info import Pauli, SparsePauliOp

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Observable = SparsePauliOp | Pauli | str

_PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
_IDLE = frozenset({"barrier", "delay", "id"})


def oracle_state(circuit: QuantumCircuit, values: Mapping[Parameter, float] | Sequence[float] = ()) -> Complex:
    """State that `circuit` prepares from |0...0>.

    Parameters
    ----------
    circuit : QuantumCircuit
        Measurements may only be last on their qubits; they are ignored.
    values : mapping or sequence
        A value for each parameter. Parameters that the circuit does not hold are ignored in a mapping;
        a sequence follows ``circuit.parameters``.

    Returns
    -------
    ndarray of shape (2**num_qubits,), complex128
        Amplitudes with the circuit's global phase.
    """
    if not isinstance(values, Mapping):
        values = dict(zip(circuit.parameters, values, strict=True))
    present = {p: float(v) for p, v in values.items() if p in circuit.parameters}
    bound = circuit.assign_parameters(present)
    start = np.zeros(2**circuit.num_qubits, dtype=complex)
    start[0] = 1.0
    return _run(bound, _split(start[:, None], circuit.num_qubits)).reshape(2**circuit.num_qubits)


def oracle_unitary(operation: Operation) -> Complex:
    """Matrix (2**k, 2**k) of a bound operation on k qubits, its first qubit least significant."""
    size = 2**operation.num_qubits
    identity = _split(np.eye(size, dtype=complex), operation.num_qubits)
    return _apply(operation, identity, range(operation.num_qubits)).reshape(size, size)


def oracle_states(
    circuit: QuantumCircuit,
    x: Iterable[Parameter],
    X: ArrayLike,
    theta_params: Iterable[Parameter] = (),
    theta: Sequence[float] = (),
) -> Complex:
    """States (n_samples, 2**num_qubits) for the rows of X (n_samples, n_features)."""
    trained = dict(zip(theta_params, theta, strict=True))
    names = list(x)
    rows = np.asarray(X, dtype=float)
    return np.array([oracle_state(circuit, dict(zip(names, row, strict=True)) | trained) for row in rows])


def oracle_overlaps(
    circuit: QuantumCircuit,
    x: Iterable[Parameter],
    X: ArrayLike,
    Y: ArrayLike | None = None,
    theta_params: Iterable[Parameter] = (),
    theta: Sequence[float] = (),
) -> Real:
    """|<0|U(y)^dagger U(x)|0>|^2 for every row x of X and y of Y (default X), shape (n_x, n_y)."""
    x, theta_params = list(x), list(theta_params)
    left = oracle_states(circuit, x, X, theta_params, theta)
    right = left if Y is None else oracle_states(circuit, x, Y, theta_params, theta)
    return np.array([[abs(np.vdot(b, a)) ** 2 for b in right] for a in left]).reshape(len(left), len(right))


def oracle_matrix(circuit: QuantumCircuit, values: Mapping[Parameter, float]) -> Complex:
    """Matrix (2**num_qubits, 2**num_qubits) of a circuit without resets, with its global phase."""
    bound = circuit.assign_parameters({p: float(v) for p, v in values.items() if p in circuit.parameters})
    identity = np.eye(2**circuit.num_qubits, dtype=complex)
    return _run(bound, _split(identity, circuit.num_qubits))


def oracle_weights(
    circuit: QuantumCircuit,
    x: Iterable[Parameter],
    X: ArrayLike,
    Y: ArrayLike | None = None,
    patches: Sequence[Sequence[int]] | None = None,
    theta_params: Iterable[Parameter] = (),
    theta: Sequence[float] = (),
) -> Real:
    """Probabilities of the outcomes of U(y)^dagger U(x)|0> by weight, shape (n_x, n_y, num_patches + 1).

    Row x of X is prepared and row y of Y (default X) is undone. The weight of an outcome is the number of patches
    (default: every qubit its own) in which some qubit reads 1.
    """
    trained = dict(zip(theta_params, theta, strict=True))
    names, n = list(x), circuit.num_qubits
    groups = [(q,) for q in range(n)] if patches is None else [tuple(patch) for patch in patches]
    rows = np.asarray(X, dtype=float)
    others = rows if Y is None else np.asarray(Y, dtype=float)
    prepared, undone = (
        [oracle_matrix(circuit, dict(zip(names, row, strict=True)) | trained) for row in table]
        for table in (rows, others)
    )
    result = np.zeros((len(rows), len(others), len(groups) + 1))
    for i, u in enumerate(prepared):
        for j, v in enumerate(undone):
            amplitudes = v.conj().T @ u[:, 0]
            for outcome, amplitude in enumerate(amplitudes):
                weight = sum(any(outcome >> q & 1 for q in patch) for patch in groups)
                result[i, j, weight] += abs(amplitude) ** 2
    return result


def oracle_expectations(
    circuit: QuantumCircuit,
    observables: Sequence[Observable],
    x: Iterable[Parameter],
    X: ArrayLike,
    theta_params: Iterable[Parameter] = (),
    theta: Sequence[float] = (),
) -> Real:
    """<psi(x)|O|psi(x)> for every row x of X and observable O, shape (n_samples, n_observables)."""
    states = oracle_states(circuit, x, X, theta_params, theta)
    matrices = [observable_matrix(observable) for observable in observables]
    return np.array([[np.vdot(s, m @ s).real for m in matrices] for s in states]).reshape(len(states), -1)


def observable_matrix(observable: Observable) -> Complex:
    """Matrix of a Pauli string (leftmost letter = highest qubit), a Pauli or a SparsePauliOp."""
    operator = SparsePauliOp(observable)
    total = np.zeros((2**operator.num_qubits,) * 2, dtype=complex)
    for label, coefficient in operator.to_list():
        term = np.eye(1, dtype=complex)
        for letter in label:
            term = np.kron(term, _PAULI[letter])
        total += coefficient * term
    return total


def _split(columns: Complex, num_qubits: int) -> Complex:
    """(2**n, m) as (2, ..., 2, m) with axis q belonging to qubit q."""
    tensor = columns.reshape((2,) * num_qubits + (columns.shape[1],))
    return tensor.transpose(*reversed(range(num_qubits)), num_qubits)


def _join(tensor: Complex) -> Complex:
    """Inverse of `_split`."""
    num_qubits = tensor.ndim - 1
    return tensor.transpose(*reversed(range(num_qubits)), num_qubits).reshape(2**num_qubits, -1)


def _run(circuit: QuantumCircuit, tensor: Complex) -> Complex:
    """Columns (2**n, m) after the circuit, from columns given as a tensor with one axis per qubit."""
    return _join(_walk(circuit, tensor, range(circuit.num_qubits)))


def _walk(circuit: QuantumCircuit, tensor: Complex, where: Sequence[int]) -> Complex:
    measured: set[int] = set()
    for instruction in circuit.data:
        qubits = [where[circuit.find_bit(bit).index] for bit in instruction.qubits]
        name = instruction.operation.name
        if name == "measure":
            measured.update(qubits)
        elif name not in _IDLE:
            if measured.intersection(qubits):
                raise ValueError(f"the oracle takes no {name!r} after a measurement on the same qubit")
            tensor = _contract(instruction.operation, tensor, qubits)
    return tensor * np.exp(1j * float(circuit.global_phase))


def _apply(operation: Operation, tensor: Complex, qubits: Sequence[int]) -> Complex:
    return _join(_contract(operation, tensor, qubits))


def _contract(operation: Operation, tensor: Complex, qubits: Sequence[int]) -> Complex:
    if isinstance(operation, Initialize):
        return _initialize(operation, tensor, qubits)
    if operation.name == "reset":
        return _fresh(tensor, qubits, keep=True)
    if isinstance(operation, AnnotatedOperation):
        return _multiply(_annotated(operation), tensor, qubits)
    runs_definition = isinstance(operation, PauliEvolutionGate) or not hasattr(operation, "__array__")
    if not runs_definition:
        return _multiply(np.asarray(operation.to_matrix(), dtype=complex), tensor, qubits)
    if operation.definition is None:
        raise ValueError(f"the oracle knows no matrix and no definition of {operation.name!r}")
    return _walk(operation.definition, tensor, list(qubits))


def _multiply(matrix: Complex, tensor: Complex, qubits: Sequence[int]) -> Complex:
    k = len(qubits)
    # Axes of the reshaped matrix: output bits then input bits, each from the most significant down.
    gate = matrix.reshape((2,) * (2 * k))
    axes = list(reversed(qubits))
    moved = np.tensordot(gate, tensor, axes=(range(k, 2 * k), axes))
    return np.moveaxis(moved, range(k), axes)


def _annotated(operation: AnnotatedOperation) -> Complex:
    matrix = oracle_unitary(operation.base_op)
    for modifier in operation.modifiers:
        if isinstance(modifier, InverseModifier):
            matrix = matrix.conj().T
        elif isinstance(modifier, PowerModifier):
            matrix = _power(matrix, modifier.power)
        elif isinstance(modifier, ControlModifier):
            matrix = _controlled(matrix, modifier.num_ctrl_qubits, modifier.ctrl_state)
        else:
            raise ValueError(f"the oracle knows no modifier {modifier!r}")
    return matrix


def _power(matrix: Complex, exponent: float) -> Complex:
    if float(exponent).is_integer():
        return np.linalg.matrix_power(matrix, int(exponent))
    values, vectors = np.linalg.eig(matrix)
    return vectors @ np.diag(np.exp(1j * exponent * np.angle(values))) @ np.linalg.inv(vectors)


def _controlled(matrix: Complex, num_controls: int, state: int) -> Complex:
    """Controls come first in the qubit list, so their value is the low part of an index."""
    result = np.eye(len(matrix) * 2**num_controls, dtype=complex)
    rows = np.arange(len(matrix)) * 2**num_controls + state
    result[np.ix_(rows, rows)] = matrix
    return result


def _fresh(tensor: Complex, qubits: Sequence[int], keep: bool) -> Complex:
    """The part of `tensor` where `qubits` are 0 (the rest must be empty), with or without their axes."""
    index = tuple(0 if axis in qubits else slice(None) for axis in range(tensor.ndim))
    part = tensor[index]
    if not np.isclose(np.linalg.norm(part), np.linalg.norm(tensor), rtol=0, atol=1e-12):
        raise ValueError(f"the oracle resets only qubits that are still in |0>, not {list(qubits)}")
    return tensor if keep else part


def _initialize(operation: Initialize, tensor: Complex, qubits: Sequence[int]) -> Complex:
    rest = _fresh(tensor, qubits, keep=False)
    target = _initial_vector(operation.params, len(qubits)).reshape((2,) * len(qubits))
    # outer product: axes of target run from the highest of `qubits` down
    return np.moveaxis(np.multiply.outer(target, rest), range(len(qubits)), list(reversed(qubits)))


def _initial_vector(params: Sequence[complex | str], num_qubits: int) -> Complex:
    letters = {"0": [1, 0], "1": [0, 1], "+": [1, 1], "-": [1, -1], "r": [1, 1j], "l": [1, -1j]}
    if all(isinstance(value, str) for value in params):
        vector = np.ones(1, dtype=complex)
        for letter in params:
            vector = np.kron(vector, np.array(letters[letter], dtype=complex))
        return vector / np.linalg.norm(vector)
    if len(params) == 1:
        vector = np.zeros(2**num_qubits, dtype=complex)
        vector[int(np.real(params[0]))] = 1.0
        return vector
    return np.asarray(params, dtype=complex)
