"""The noisy reference: one density matrix, one instruction at a time, every channel as it was given.

Slow and plain on purpose: the whole circuit U(x) U(y)† is run for every pair, forward only. A superoperator is a matrix
in Qiskit's column-stacking convention: vec index = row + dimension · column.

Noise belongs to instructions by name: gates of Qiskit's standard library, "unitary" for a bare matrix, "delay" and
"id". Everything else is what its definition makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Operation, Parameter, ParameterExpression
from qiskit.circuit.library import HamiltonianGate, RVGate, UnitaryGate, get_standard_gate_name_mapping

from .states import oracle_unitary

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Place = tuple[str, tuple[int, ...]]
Channels = Mapping[Place, Complex]
Idle = Callable[[Operation, int], Complex]
"""What a delay on a qubit does, before a channel of the name "delay" follows."""

_GATES = {n: g for n, g in get_standard_gate_name_mapping().items() if n not in ("measure", "reset", "global_phase")}
_STANDARD, _STANDARD_CLASSES = frozenset(_GATES), frozenset(gate.base_class for gate in _GATES.values())
_WHOLE_WITH_PARAMETERS = frozenset(
    "rx ry rz p u1 u u3 u2 r cp cu1 crx cry crz rzz rxx ryy rzx delay".split()  # noqa: SIM905
)
"""Standard gates that stay whole with parameters; the others are written out, as a device would have them."""


# The circuit ------------------------------------------------------------------------------------------------------


def written_out(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit in the instructions that noise is attached to, without barriers, resets and measurements."""
    out = QuantumCircuit(circuit.num_qubits)
    for operation, qubits in _leaves(circuit, range(circuit.num_qubits)):
        out.append(operation, qubits)
    return out


def undone(circuit: QuantumCircuit) -> QuantumCircuit:
    """U† in these instructions: every one of U inverted, in reverse order."""
    return written_out(written_out(circuit).inverse())


def _leaves(circuit: QuantumCircuit, where: Sequence[int]) -> Iterator[tuple[Operation, list[int]]]:
    for item in circuit.data:
        operation, name = item.operation, item.operation.name
        qubits = [where[circuit.find_bit(q).index] for q in item.qubits]
        if name in ("barrier", "measure", "reset", "global_phase"):
            continue
        if _is_whole(operation) or isinstance(operation, UnitaryGate) or _is_bound_later(operation):
            yield operation, qubits
        elif _is_open_constant(operation) or operation.definition is None:
            yield UnitaryGate(oracle_unitary(operation)), qubits
        else:
            yield from _leaves(operation.definition, qubits)


def _is_whole(operation: Operation) -> bool:
    if operation.name not in _STANDARD:
        return False
    state = getattr(operation, "ctrl_state", None)
    closed = state is None or state == 2**operation.num_ctrl_qubits - 1
    return closed and (not _has_parameters(operation) or operation.name in _WHOLE_WITH_PARAMETERS)


def _is_open_constant(operation: Operation) -> bool:
    """A standard gate with constant angles that waits for zeros: one instruction, known by its matrix."""
    return getattr(operation, "base_class", type(operation)) in _STANDARD_CLASSES and not _has_parameters(operation)


def _is_bound_later(operation: Operation) -> bool:
    """A matrix that needs numbers before it, or a definition, can be made."""
    return isinstance(operation, (HamiltonianGate, RVGate)) and _has_parameters(operation)


def _has_parameters(operation: Operation) -> bool:
    return any(isinstance(p, ParameterExpression) and p.parameters for p in getattr(operation, "params", []))


def places(circuit: QuantumCircuit) -> list[Place]:
    """(name, qubits) of all instructions of U, then U†; a parametric matrix is called "bound"."""
    found: dict[Place, None] = {}
    for half in (written_out(circuit), undone(circuit)):
        for item in half.data:
            found[place_of(half, item)] = None
    return list(found)


def place_of(circuit: QuantumCircuit, item: CircuitInstruction) -> Place:
    """(name, qubits) by which a noise table knows an instruction."""
    operation = item.operation
    known = operation.name in _STANDARD or isinstance(operation, UnitaryGate)
    return operation.name if known else "bound", tuple(circuit.find_bit(q).index for q in item.qubits)


# Channels ---------------------------------------------------------------------------------------------------------


def superoperator(kraus: Sequence[Complex]) -> Complex:
    """Σ K* ⊗ K."""
    return np.sum([np.kron(k.conj(), k) for k in kraus], axis=0)


def random_channel(num_qubits: int, strength: float, seed: int | Sequence[int]) -> Complex:
    """(1 − strength) · identity + strength · a random channel, which is neither unital nor a mixture of Paulis."""
    rng = np.random.default_rng(seed)
    d, rank = 2**num_qubits, 3
    gauss = rng.normal(size=(rank * d, d)) + 1j * rng.normal(size=(rank * d, d))
    isometry = np.linalg.qr(gauss)[0].reshape(rank, d, d)
    return (1 - strength) * np.eye(d * d) + strength * superoperator(list(isometry))


def random_channels(circuit: QuantumCircuit, strength: float, seed: int) -> dict[Place, Complex]:
    """A random channel for every (name, qubits) of U and of U†."""
    found = places(circuit)
    return {(name, where): random_channel(len(where), strength, [seed, k]) for k, (name, where) in enumerate(found)}


def random_readout(num_qubits: int, seed: int) -> list[Real]:
    """P(read | true) of every qubit: errors up to 0.15, different for 0 and 1."""
    errors = np.random.default_rng([seed, 3]).uniform(0.01, 0.15, size=(num_qubits, 2))
    return [np.array([[1 - a, b], [a, 1 - b]]) for a, b in errors]


def relaxation_channel(t1: float, t2: float, excited: float, seconds: float) -> Complex:
    """Thermal relaxation on matrix units: populations decay to (1 − excited, excited), coherences shrink."""
    decay, dephasing = np.exp(-seconds / t1), np.exp(-seconds / t2)
    ground_to_excited = (1 - decay) * excited
    excited_to_ground = (1 - decay) * (1 - excited)
    out = np.zeros((4, 4), dtype=complex)  # index row + 2 · column: ρ00, ρ10, ρ01, ρ11
    out[0, 0], out[3, 0] = 1 - ground_to_excited, ground_to_excited
    out[3, 3], out[0, 3] = 1 - excited_to_ground, excited_to_ground
    out[1, 1] = out[2, 2] = dephasing
    return out


# Simulation -------------------------------------------------------------------------------------------------------


Steps = list[tuple[Complex, tuple[int, ...]]]
"""Superoperators on qubits, in order."""


def noisy_steps(circuit: QuantumCircuit, channels: Channels, idle: Idle | None = None) -> Steps:
    """A bound circuit: every instruction, then the channel given for (name, qubits)."""
    steps: Steps = []
    for item in circuit.data:
        operation = item.operation
        place = place_of(circuit, item)
        if operation.name == "delay" and idle is not None:
            steps.append((idle(operation, place[1][0]), place[1]))
        if operation.name not in ("barrier", "delay", "id"):
            u = oracle_unitary(operation)
            steps.append((np.kron(u.conj(), u), place[1]))
        if place in channels:
            steps.append((channels[place], place[1]))
    return steps


def run_steps(steps: Steps, rho: Complex) -> Complex:
    """A density matrix after the steps."""
    for channel, qubits in steps:
        rho = apply_channel(channel, rho, qubits)
    return rho


def zero_state(num_qubits: int) -> Complex:
    """|0…0⟩⟨0…0|."""
    rho = np.zeros((2**num_qubits, 2**num_qubits), dtype=complex)
    rho[0, 0] = 1.0
    return rho


def apply_channel(channel: Complex, rho: Complex, qubits: Sequence[int]) -> Complex:
    """A channel on some qubits of a density matrix; the first qubit is the least significant one."""
    n, k = len(rho).bit_length() - 1, len(qubits)
    tensor = rho.reshape((2,) * (2 * n))  # row bits from the highest qubit down, then column bits
    rows, columns = [n - 1 - q for q in reversed(qubits)], [2 * n - 1 - q for q in reversed(qubits)]
    moved = np.tensordot(channel.reshape((2,) * (4 * k)), tensor, axes=(range(2 * k, 4 * k), columns + rows))
    return np.moveaxis(moved, range(2 * k), columns + rows).reshape(rho.shape)


def read_out(rho: Complex, readout: Sequence[Real]) -> Real:
    """Probabilities of all outcomes, read with P(read | true) of every qubit; qubit 0 is the lowest bit."""
    confusion = np.ones((1, 1))
    for matrix in readout:
        confusion = np.kron(matrix, confusion)
    return np.asarray(confusion @ np.diag(rho).real)


def noisy_outcomes(circuit: QuantumCircuit, channels: Channels, readout: Sequence[Real]) -> Real:
    """Probabilities of all outcomes of a bound circuit."""
    return read_out(run_steps(noisy_steps(written_out(circuit), channels), zero_state(circuit.num_qubits)), readout)


def noisy_pair(
    circuit: QuantumCircuit,
    x: Sequence[Parameter],
    first: ArrayLike,
    second: ArrayLike,
    channels: Channels,
    readout: Sequence[Real],
) -> Real:
    """Outcome probabilities of U(first), then U(second)†."""
    return noisy_pairs(circuit, x, [first], [second], channels, readout)[0, 0]


def noisy_pairs(
    circuit: QuantumCircuit,
    x: Sequence[Parameter],
    first: ArrayLike,
    second: ArrayLike,
    channels: Channels,
    readout: Sequence[Real],
    idle: Idle | None = None,
) -> Real:
    """Outcome probabilities of U(a), then U(b)†, for rows a of `first` and b of `second`: (n_first, n_second, 2**n)."""
    forward, back = written_out(circuit), undone(circuit)
    start = zero_state(circuit.num_qubits)
    states = [run_steps(noisy_steps(_bound(forward, x, row), channels, idle), start) for row in np.asarray(first)]
    halves = [noisy_steps(_bound(back, x, row), channels, idle) for row in np.asarray(second)]
    return np.array([[read_out(run_steps(half, rho), readout) for half in halves] for rho in states])


def noisy_expectations(
    circuit: QuantumCircuit,
    observables: Sequence[object],
    x: Sequence[Parameter],
    X: ArrayLike,
    channels: Channels,
    readout: Sequence[Real],
    idle: Idle | None = None,
) -> Real:
    """⟨O⟩ as a device reads it, (n_samples, n_observables): Pauli strings rotated ideally, then read with errors."""
    forward, n = written_out(circuit), circuit.num_qubits
    start = zero_state(n)
    states = [run_steps(noisy_steps(_bound(forward, x, row), channels, idle), start) for row in np.asarray(X)]
    turn = {
        "I": np.eye(2),
        "Z": np.eye(2),
        "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
        "Y": np.array([[1, -1j], [1, 1j]]) / np.sqrt(2),
    }
    out = np.zeros((len(states), len(observables)))
    for column, observable in enumerate(observables):
        for label, coefficient in observable.to_list():
            rotation = np.eye(1)
            for letter in label:
                rotation = np.kron(rotation, turn[letter])
            support = sum(1 << q for q, letter in enumerate(reversed(label)) if letter != "I")
            parity = np.array([(-1.0) ** (outcome & support).bit_count() for outcome in range(2**n)])
            for row, rho in enumerate(states):
                p = read_out(rotation @ rho @ rotation.conj().T, readout)
                out[row, column] += coefficient.real * (parity @ p)
    return out


def _bound(circuit: QuantumCircuit, x: Sequence[Parameter], row: ArrayLike) -> QuantumCircuit:
    values = dict(zip(x, np.asarray(row, dtype=float).tolist(), strict=True))
    return circuit.assign_parameters({p: v for p, v in values.items() if p in circuit.parameters})


__all__ = [
    "Channels",
    "Complex",
    "Idle",
    "Place",
    "Real",
    "Steps",
    "apply_channel",
    "noisy_expectations",
    "noisy_outcomes",
    "noisy_pair",
    "noisy_pairs",
    "noisy_steps",
    "place_of",
    "places",
    "random_channel",
    "random_channels",
    "random_readout",
    "read_out",
    "relaxation_channel",
    "run_steps",
    "superoperator",
    "undone",
    "written_out",
    "zero_state",
]
