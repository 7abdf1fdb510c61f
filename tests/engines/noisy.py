"""Noisy circuits with their answers: every instruction has a random channel, every qubit a readout error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Operation, Parameter, ParameterVector
from qiskit.circuit.library import HamiltonianGate, RVGate, U2Gate
from qiskit.quantum_info import random_unitary

from qkernels.engines import NoiseTable, Relaxation
from qkernels.feature_maps import CPMap, HamiltonianMap, PauliFeatureMap, SeparableMap, ZZFeatureMap
from qkernels.programs import OverlapProgram, is_canonical, row_keys
from tests.oracle import noise

Real = NDArray[np.float64]

EXACT = 1e-10
STRENGTH = 0.03

DT = 2e-9
RELAXATION = {0: (60e-6, 50e-6, 0.1), 1: (30e-6, 60e-6, 0.0), 2: (np.inf, 20e-6, 0.3)}
"""T1, T2, excited population of the idle qubits of `idle_circuit`; qubit 3 has none."""
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "dt": DT}


def idle_channel(operation: Operation, qubit: int) -> noise.Complex:
    """Relaxation during a delay."""
    t1, t2, excited = RELAXATION.get(qubit, (np.inf, np.inf, 0.0))
    return noise.relaxation_channel(t1, t2, excited, float(operation.duration) * _SECONDS[operation.unit])


# Circuits ---------------------------------------------------------------------------------------------------------


def one_qubit() -> QuantumCircuit:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.u(x[0], 0.3, x[1], 0)
    circuit.sx(0)
    circuit.rz(x[0] * x[1], 0)
    return circuit


def matrices() -> QuantumCircuit:
    """Bare matrices, constant and depending on data, beside named gates; every gate has a direction."""
    x = ParameterVector("a", 2)  # named as the library names its own
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], [0, 1, 2])
    circuit.unitary(random_unitary(4, seed=1), [2, 0])
    circuit.append(HamiltonianGate(np.array([[1, 0.5j], [-0.5j, -0.3]]), x[1]), [1])
    circuit.unitary(random_unitary(2, seed=2), [1])
    circuit.append(HamiltonianGate(np.diag([1.0, 0.2, -0.4, 0.9]) + 0.1, x[0] * x[1]), [1, 0])
    circuit.append(RVGate(x[0], x[1] ** 2, 0.4), [2])
    circuit.unitary(random_unitary(8, seed=3), [1, 2, 0])
    return circuit


def wide_gates() -> QuantumCircuit:
    """Three-qubit gates, open controls, gates whose inverse has another name or none."""
    x = ParameterVector("b", 3)
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    circuit.rx(x[0], 3)
    circuit.ccx(2, 0, 3)
    circuit.rzz(x[1], 1, 3)
    circuit.cswap(3, 1, 0)
    circuit.cx(1, 2, ctrl_state=0)
    circuit.crx(x[2], 2, 0, ctrl_state=0)
    circuit.iswap(0, 1)
    circuit.s(2)
    circuit.csx(2, 3)
    circuit.append(U2Gate(x[0], x[1] - 1), [1])
    circuit.crz(x[2], 3, 2)
    circuit.t(0)
    return circuit


def blocks() -> QuantumCircuit:
    """Composite gates: their definitions are what runs."""
    x = ParameterVector("x", 2)
    inner = QuantumCircuit(2, global_phase=x[0])
    inner.rx(x[0] * x[1], 0)
    inner.cx(1, 0)
    inner.cu(x[1], 0.2, 0.4, 0.1, 0, 1)
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.append(inner.to_gate(), [2, 0])
    circuit.append(inner.to_gate().inverse(), [1, 2])
    circuit.append(inner.to_instruction(), [0, 1])
    turn = QuantumCircuit(1, global_phase=0.3)
    turn.rx(x[1], 0)
    circuit.append(turn.to_gate().control(1, annotated=False), [1, 0])
    return circuit


def idle_circuit() -> QuantumCircuit:
    """Delays in several units, identities, barriers; all of qubit 1 is idle."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(4)
    circuit.h([0, 2, 3])
    circuit.delay(300, 0, unit="ns")
    circuit.delay(1000, 2, unit="dt")
    circuit.delay(2, 1, unit="us")
    circuit.barrier(label="user")
    circuit.rx(x[0], 0)
    circuit.id(3)
    circuit.delay(5e-6, 2, unit="s")
    circuit.cx(0, 2)
    circuit.delay(0.001, 3, unit="ms")
    circuit.delay(400000, 2, unit="ps")
    circuit.barrier()
    circuit.ry(x[1], [2, 3])
    circuit.id(1)
    return circuit


def spare_qubits() -> QuantumCircuit:
    """Five qubits, of which nothing acts on 0 and 3."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(5)
    circuit.ry(x[0], 4)
    circuit.h(1)
    circuit.cx(4, 1)
    circuit.barrier()
    circuit.rzz(x[1], 2, 1)
    circuit.rx(x[0] - x[1], 2)
    return circuit


def initialized() -> QuantumCircuit:
    """States prepared on fresh qubits, measurements at the end."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(3, 3)
    circuit.initialize("r-", [2, 0])
    circuit.initialize([0.6, 0.8j], 1)
    circuit.rx(x[0], 0)
    circuit.cx(0, 1)
    circuit.ry(x[1], 2)
    circuit.cz(2, 1)
    circuit.measure([0, 1, 2], [2, 0, 1])
    return circuit


def constant() -> QuantumCircuit:
    """Gates, but none that depends on data; one feature that nothing uses."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.t(0)
    circuit.cx(0, 1)
    circuit.sx(1)
    return circuit


def constant_end() -> QuantumCircuit:
    """Constant gates at the end, which cancel without noise."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.rx(x[1], 1)
    circuit.cx(0, 1)
    circuit.t(1)
    circuit.h([0, 1])
    circuit.swap(0, 1)
    return circuit


CIRCUITS: dict[str, Callable[[], QuantumCircuit]] = {
    "zz_linear_3": lambda: ZZFeatureMap().build(3),
    "zz_full_4": lambda: ZZFeatureMap(1, entanglement="full").build(4),
    "zz_rzz_2": lambda: ZZFeatureMap(gate="rzz").build(2),
    "cp_5": lambda: CPMap(ring=True).build(5),
    "hamiltonian_3": lambda: HamiltonianMap().build(3),
    "pauli_yy_3": lambda: PauliFeatureMap(1, paulis=("Z", "YY")).build(3),
    "separable_2": lambda: SeparableMap().build(2),
    "one_qubit": one_qubit,
    "matrices": matrices,
    "wide_gates": wide_gates,
    "blocks": blocks,
    "idle": idle_circuit,
    "spare_qubits": spare_qubits,
    "initialized": initialized,
    "constant": constant,
    "constant_end": constant_end,
}


# Questions and answers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Question:
    """A program with its noise, rows, and the distributions of all outcomes for all of them.

    Attributes
    ----------
    rows : ndarray of shape (5, n_features)
        Distinct.
    x, y : tuple of int
        The rows that X and Y hold; one of X twice, one in both.
    p : ndarray of shape (5, 5, 2**n)
        Outcomes of U(rows[j])† U(rows[i])|0⟩.
    """

    circuit: QuantumCircuit
    parameters: tuple[Parameter, ...]
    channels: dict[noise.Place, noise.Complex]
    readout: list[Real]
    table: NoiseTable
    rows: Real
    p: Real
    x: tuple[int, ...] = (0, 1, 2, 1)
    y: tuple[int, ...] = (3, 2, 4)

    @property
    def X(self) -> Real:
        return self.rows[list(self.x)]

    @property
    def Y(self) -> Real:
        return self.rows[list(self.y)]

    def program(self, patches: Sequence[Sequence[int]] | None = None) -> OverlapProgram:
        return OverlapProgram(self.circuit, self.parameters, patches=patches)

    def both(self, program: OverlapProgram) -> Real:
        """Distributions (2, 5, 5, 2**n) with the row of the smaller key prepared, and the other way round."""
        keys = row_keys(program.bind_angles(self.rows), program.key)
        canonical = is_canonical(keys[:, None], keys[None])[..., None]
        swapped = np.swapaxes(self.p, 0, 1)
        return np.stack([np.where(canonical, self.p, swapped), np.where(canonical, swapped, self.p)])

    def gram(self, of: Real) -> Real:
        """Entries for X and X."""
        return of[..., self.x, :, :][..., self.x, :]

    def cross(self, of: Real) -> Real:
        """Entries for X and Y."""
        return of[..., self.x, :, :][..., self.y, :]


@cache
def ask(name: str) -> Question:
    circuit = CIRCUITS[name]()
    x = tuple(circuit.parameters) or (Parameter("unused"),)
    seed = sorted(CIRCUITS).index(name)
    rows = np.random.default_rng([seed, 5]).uniform(-1.5, 1.5, size=(5, len(x)))
    channels = noise.random_channels(circuit, STRENGTH, seed)
    readout = noise.random_readout(circuit.num_qubits, seed)
    is_idle = name == "idle"
    idle = idle_channel if is_idle else None
    relaxation = {q: Relaxation(*values) for q, values in RELAXATION.items()} if is_idle else None
    table = NoiseTable(channels, readout=dict(enumerate(readout)), relaxation=relaxation, dt=DT)
    p = noise.noisy_pairs(circuit, x, rows, rows, channels, readout, idle)
    p.setflags(write=False)
    return Question(circuit, x, channels, readout, table, rows, p)


def weights_of(p: Real, patches: Sequence[Sequence[int]] | None) -> Real:
    """Probabilities of weights from those of outcomes (…, 2**n)."""
    n = p.shape[-1].bit_length() - 1
    groups = [(q,) for q in range(n)] if patches is None else patches
    out = np.zeros((*p.shape[:-1], len(groups) + 1))
    for outcome in range(2**n):
        out[..., sum(any(outcome >> q & 1 for q in patch) for patch in groups)] += p[..., outcome]
    return out


# For all tests of the engine --------------------------------------------------------------------------------------

FLIP = np.array([[0.97, 0.08], [0.03, 0.92]])
"""A readout matrix P(read | true)."""

IDEAL = NoiseTable(ideal=["h", "ry", "rx", "p", "rz", "u", "cx"])


def program_of(circuit: QuantumCircuit) -> OverlapProgram:
    return OverlapProgram(circuit, circuit.parameters)


def line(num_qubits: int) -> OverlapProgram:
    """Qubits side by side."""
    return program_of(SeparableMap().build(num_qubits))


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=EXACT)
