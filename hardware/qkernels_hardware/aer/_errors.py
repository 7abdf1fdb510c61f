"""One error of an Aer noise model as a transfer matrix, and back."""

from __future__ import annotations

from functools import cache, lru_cache, reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import PTM, Choi, Kraus, SuperOp

from qkernels._errors import InvalidParameterError

if TYPE_CHECKING:
    from qiskit_aer.noise import QuantumError
    from qiskit_aer.noise.errors.base_quantum_error import BaseQuantumError

__all__ = ["error_of_transfer", "transfer_of_error"]

Values = NDArray[np.float64]
Step = tuple[str, tuple[int, ...], bytes]
"""Name, qubits and parameters of an instruction, or a number of its own: equal steps have equal matrices."""

_PAULIS = {"x": "X", "y": "Y", "z": "Z"}

_CHANNELS = frozenset({"kraus", "superop", "unitary", "reset", "pauli"})
"""With the standard gates, the instructions that name and parameters determine."""

_CUT = 1e-15
"""Kraus operators of smaller weight are rounding errors of an eigenvalue 0."""

_NEGATIVE = 1e-7
"""How far a channel may be from completely positive, as the sum of negative eigenvalues of its Choi matrix over d; a
`NoiseTable` that was checked is closer."""


def transfer_of_error(error: BaseQuantumError, where: str) -> Values:
    """Turn an error into a transfer matrix.

    Parameters
    ----------
    error : qiskit_aer.noise.QuantumError, PauliError or PauliLindbladError
        A mixture of circuits on k qubits.
    where : str
        What it belongs to, for messages.

    Returns
    -------
    ndarray of shape (4**k, 4**k), float64
        As in `qkernels.engines.NoiseTable`.

    Raises
    ------
    InvalidParameterError
        A circuit of the mixture holds an instruction that is no channel.

    Notes
    -----
    Cost: 20 µs per circuit of the mixture. Circuits that differ only in the Pauli string they begin with, as those of
    depolarizing followed by relaxation do, share one matrix: their strings add up to a diagonal.
    """
    if not hasattr(error, "circuits"):  # Pauli channels are kept as lists of strings
        return np.ascontiguousarray(PTM(SuperOp(error)).data.real)
    k = error.num_qubits
    diagonals: dict[tuple[Step, ...], Values] = {}
    matrices: dict[Step, Values] = {}
    for circuit, probability in zip(error.circuits, error.probabilities, strict=True):
        signs, steps = _parse(circuit, matrices, where)
        diagonals[steps] = diagonals.get(steps, 0.0) + probability * signs
    total = np.zeros((4**k, 4**k))
    for steps, diagonal in diagonals.items():
        transfer = np.diag(diagonal)
        for step in steps:
            transfer = _after(matrices[step], step[1], transfer)
        total += transfer
    return total


def error_of_transfer(transfer: Values, where: str) -> QuantumError:
    """Turn a transfer matrix into an error that Aer can simulate.

    Parameters
    ----------
    transfer : ndarray of shape (4**k, 4**k), float64
    where : str
        What it belongs to, for messages.

    Returns
    -------
    qiskit_aer.noise.QuantumError
        The Kraus operators of the channel, complete to rounding.

    Raises
    ------
    InvalidParameterError
        The matrix is no channel, as fractional powers of some channels are.
    """
    from qiskit_aer.noise import QuantumError

    dim = round(np.sqrt(len(transfer)))
    values, vectors = np.linalg.eigh(Choi(PTM(transfer)).data)
    negative = -float(values[values < 0.0].sum()) / dim
    if negative > _NEGATIVE:
        raise InvalidParameterError(
            f"The channel {where} is not completely positive (by {negative:.2g}), so Aer cannot simulate it. Scale the "
            "noise by an integer factor, or use DensityMatrixEngine, which takes it as it is."
        )
    # columns of the Choi matrix are stacked: an eigenvector is an operator, column by column
    operators = [
        np.sqrt(value) * vector.reshape(dim, dim, order="F")
        for value, vector in zip(values, vectors.T, strict=True)
        if value > _CUT
    ]
    if negative > _CUT * len(transfer):
        weight, basis = np.linalg.eigh(sum(one.conj().T @ one for one in operators))
        restore = (basis / np.sqrt(weight)) @ basis.conj().T
        operators = [one @ restore for one in operators]
    return QuantumError(Kraus(operators))


def _parse(circuit: QuantumCircuit, matrices: dict[Step, Values], where: str) -> tuple[Values, tuple[Step, ...]]:
    """Signs that the leading Pauli strings of a circuit give to Pauli strings, and the steps that follow them."""
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    signs = _signs("I", (0,), len(index))
    steps: list[Step] = []
    for item in circuit.data:
        name = item.name
        if name in ("id", "barrier"):
            continue
        qubits = tuple([index[qubit] for qubit in item.qubits])
        if not steps and (name == "pauli" or name in _PAULIS):
            signs = signs * _signs(_PAULIS.get(name) or item.params[0], qubits, len(index))
            continue
        operation = item.operation  # item.params lacks the matrix of a unitary
        known = name in _CHANNELS or name in _gates()
        step = (name, qubits, _bytes(operation.params) if known else str(len(matrices)).encode())
        if step not in matrices:
            matrices[step] = _matrix(operation, where)
        steps.append(step)
    return signs, tuple(steps)


@lru_cache(maxsize=1024)
def _signs(letters: str, qubits: tuple[int, ...], num_qubits: int) -> Values:
    """Diagonal of the transfer matrix of a Pauli string: −1 at the strings that anticommute with it."""
    single = {
        "I": [1.0, 1.0, 1.0, 1.0],
        "X": [1.0, 1.0, -1.0, -1.0],
        "Y": [1.0, -1.0, 1.0, -1.0],
        "Z": [1.0, -1.0, -1.0, 1.0],
    }
    placed = dict(zip(qubits, reversed(letters.lstrip("+")), strict=True))  # the last letter is of the first qubit
    signs = reduce(np.kron, [np.array(single[placed.get(qubit, "I")]) for qubit in reversed(range(num_qubits))])
    signs.setflags(write=False)
    return signs


@cache
def _gates() -> frozenset[str]:
    return frozenset(get_standard_gate_name_mapping())


def _bytes(params: list[object]) -> bytes:
    return b"|".join(p.tobytes() if isinstance(p, np.ndarray) else repr(p).encode() for p in params)


def _matrix(operation: object, where: str) -> Values:
    try:
        found = SuperOp(operation)
    except QiskitError as error:
        raise InvalidParameterError(
            f"The error {where} holds the instruction {getattr(operation, 'name', operation)!r}, which is no channel: "
            f"{error}"
        ) from error
    return np.ascontiguousarray(PTM(found).data.real)


def _after(matrix: Values, qubits: tuple[int, ...], transfer: Values) -> Values:
    """A transfer matrix followed by one that acts on some of its qubits."""
    size = len(transfer)
    k, m = (size.bit_length() - 1) // 2, len(qubits)
    # the first qubit is the last axis
    axes = [k - 1 - qubit for qubit in reversed(qubits)]
    moved = np.tensordot(matrix.reshape((4,) * 2 * m), transfer.reshape((4,) * k + (size,)), (range(m, 2 * m), axes))
    return np.ascontiguousarray(np.moveaxis(moved, range(m), axes)).reshape(size, size)
