"""Hand-written circuits, one difficulty each, that a flattening or a key may get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    ControlModifier,
    InverseModifier,
    Parameter,
    ParameterVector,
    PowerModifier,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit import library as lib
from qiskit.quantum_info import Clifford, SparseObservable, SparsePauliOp, random_unitary
from qiskit.synthesis import LieTrotter, SuzukiTrotter

Built = tuple[QuantumCircuit, list[Parameter]]


@dataclass(frozen=True)
class Case:
    """A named circuit builder; angles are real for parameters in [-2.5, 2.5]."""

    name: str
    build: Callable[[], Built]


_REGISTRY: list[Case] = []


def _case(function: Callable[[], Built]) -> Callable[[], Built]:
    _REGISTRY.append(Case(function.__name__, function))
    return function


def _wall(num_qubits: int) -> QuantumCircuit:
    """A generic product state, so that no gate acts trivially."""
    circuit = QuantumCircuit(num_qubits)
    for q in range(num_qubits):
        circuit.u(0.7 + 0.4 * q, 0.3 - q, 1.1 * q + 0.2, q)
    return circuit


def _block(a: Parameter, b: Parameter) -> QuantumCircuit:
    """Two qubits, asymmetric, with a phase that matters once controlled."""
    block = QuantumCircuit(2, global_phase=a + 0.3)
    block.rx(a * b, 0)
    block.cx(1, 0)
    block.p(b - 0.2, 1)
    return block


@_case
def empty() -> Built:
    return QuantumCircuit(2), []


@_case
def without_parameters() -> Built:
    circuit = _wall(3)
    circuit.ccx(2, 0, 1)
    return circuit, []


@_case
def zz_feature_map() -> Built:
    circuit = lib.zz_feature_map(4, reps=2, entanglement="full")
    return circuit, list(circuit.parameters)


@_case
def pauli_feature_map() -> Built:
    circuit = lib.pauli_feature_map(3, reps=2, paulis=["Z", "YY", "XZY"], alpha=1.3)
    return circuit, list(circuit.parameters)


@_case
def efficient_su2() -> Built:
    circuit = lib.efficient_su2(3, reps=1)
    return circuit, list(circuit.parameters)


@_case
def many_features_out_of_alphabetical_order() -> Built:
    x = ParameterVector("x", 12)
    circuit = QuantumCircuit(3)
    for i, p in enumerate(x):
        circuit.ry(p * (1 + i / 7), i % 3)
        circuit.cx(i % 3, (i + 1) % 3)
    return circuit, list(x)


@_case
def unused_parameters() -> Built:
    x = ParameterVector("x", 4)
    circuit = QuantumCircuit(2)
    circuit.ry(x[2], 0)
    circuit.rx(x[0] * x[2], 1)
    return circuit, list(x)


@_case
def parametric_global_phase() -> Built:
    a = Parameter("a")
    circuit = QuantumCircuit(1, global_phase=a**2)
    circuit.append(lib.GlobalPhaseGate(a / 2), [])
    circuit.rx(a, 0)
    return circuit, [a]


@_case
def phase_only_parameter() -> Built:
    a = Parameter("a")
    circuit = QuantumCircuit(1, global_phase=a)
    circuit.h(0)
    return circuit, [a]


@_case
def blocks_with_one_name() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(2)
    for turn in (0.5, -1.0):
        block = QuantumCircuit(2, name="block")
        block.rx(a * turn, 0)
        block.cx(0, 1)
        block.ry(b + turn, 1)
        circuit.append(block.to_gate(), [1, 0])
    return circuit, [a, b]


@_case
def controlled_block_with_phase() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(4)
    circuit.append(_block(a, b).to_gate().control(1, annotated=False), [2, 0, 1])
    circuit.append(_block(b, a).to_gate().control(2, ctrl_state="01", annotated=False), [3, 2, 1, 0])
    return circuit, [a, b]


@_case
def lazily_controlled_block_with_phase() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(4)
    circuit.append(_block(a, b).to_gate().control(1, annotated=True), [2, 0, 1])
    circuit.append(_block(b, a).to_gate().control(2, ctrl_state=1, annotated=True), [3, 2, 1, 0])
    return circuit, [a, b]


@_case
def controlled_global_phase() -> Built:
    a = Parameter("a")
    circuit = _wall(2)
    circuit.append(lib.GlobalPhaseGate(a).control(1, annotated=False), [1])
    circuit.append(lib.GlobalPhaseGate(a * 2).control(2, ctrl_state=2, annotated=True), [0, 1])
    return circuit, [a]


@_case
def modifiers_in_every_order() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(4)
    for modifiers in (
        [InverseModifier(), ControlModifier(1, 0)],
        [PowerModifier(3), ControlModifier(1)],
        [ControlModifier(1), InverseModifier(), ControlModifier(1, 0)],
        [PowerModifier(-2)],
        [PowerModifier(0)],
    ):
        operation = AnnotatedOperation(_block(a, b).to_gate(), modifiers)
        circuit.append(operation, [3, 0, 2, 1][: operation.num_qubits])
    return circuit, [a, b]


@_case
def fractional_power() -> Built:
    a = Parameter("a")
    circuit = _wall(2)
    gate = lib.UnitaryGate(random_unitary(4, seed=5))
    circuit.append(AnnotatedOperation(gate, PowerModifier(0.3)), [1, 0])
    circuit.append(lib.RYGate(0.8).power(0.4), [0])
    circuit.rx(a, 0)
    return circuit, [a]


@_case
def inverse_and_repeat() -> Built:
    a, b = Parameter("a"), Parameter("b")
    gate = _block(a, b).to_gate()
    circuit = _wall(2)
    circuit.append(gate.inverse(), [0, 1])
    circuit.append(gate.repeat(3), [1, 0])
    circuit.append(gate.inverse(annotated=True), [1, 0])
    return circuit, [a, b]


@_case
def deeply_nested() -> Built:
    a, b = Parameter("a"), Parameter("b")
    inner = _block(a, b)
    for level in range(4):
        outer = QuantumCircuit(2, global_phase=level * a)
        outer.append(inner.to_instruction(), [level % 2, 1 - level % 2])
        outer.ry(b / (level + 1), 0)
        inner = outer
    circuit = _wall(3)
    circuit.append(inner, [2, 0])
    return circuit, [a, b]


@_case
def evolution_is_its_product_formula() -> Built:
    t = Parameter("t")
    circuit = _wall(3)
    operator = SparsePauliOp(["XXI", "IZY", "ZIZ", "YII"], [0.8, -1.1, 0.6, 0.4])
    circuit.append(lib.PauliEvolutionGate(operator, time=t), [0, 1, 2])
    circuit.append(lib.PauliEvolutionGate(operator, time=t * t, synthesis=SuzukiTrotter(2, 2)), [2, 1, 0])
    circuit.append(lib.PauliEvolutionGate(operator, time=0.7, synthesis=LieTrotter(reps=3)), [1, 0, 2])
    return circuit, [t]


@_case
def evolution_of_a_list_of_operators() -> Built:
    t = Parameter("t")
    circuit = _wall(2)
    operators = [SparsePauliOp(["XX", "YY"]), SparsePauliOp(["ZI", "IZ"], [0.3, -0.8])]
    circuit.append(lib.PauliEvolutionGate(operators, time=t), [1, 0])
    return circuit, [t]


@_case
def evolution_with_projectors() -> Built:
    t = Parameter("t")
    circuit = _wall(3)
    operator = SparseObservable.from_list([("0X", 0.7), ("+Z", -0.4)])
    circuit.append(lib.PauliEvolutionGate(operator, time=t), [2, 0])
    evolution = lib.PauliEvolutionGate(SparsePauliOp(["XZ", "ZX"]), time=t)
    circuit.append(evolution.control(1, ctrl_state=0), [1, 2, 0])
    circuit.append(evolution.inverse(), [1, 2])
    return circuit, [t]


@_case
def evolution_inside_a_controlled_block() -> Built:
    t = Parameter("t")
    block = QuantumCircuit(2, global_phase=0.4)
    block.append(lib.PauliEvolutionGate(SparsePauliOp(["XZ", "ZX", "II"], [0.5, 1.0, 0.3]), time=t), [1, 0])
    circuit = _wall(3)
    circuit.append(block.to_gate().control(1, annotated=True), [1, 0, 2])
    circuit.append(block.to_gate().control(1, ctrl_state=0, annotated=False), [2, 1, 0])
    return circuit, [t]


@_case
def evolution_beside_a_permutation_under_a_lazy_control() -> Built:
    """Qiskit cannot control a permutation by synthesis; the evolution must stay its product formula all the same."""
    t = Parameter("t")
    block = QuantumCircuit(2, global_phase=0.2)
    block.append(lib.PauliEvolutionGate(SparsePauliOp(["XZ", "ZX", "YI"], [0.5, 1.0, 0.3]), time=0.7), [0, 1])
    block.append(lib.PermutationGate([1, 0]), [0, 1])
    circuit = _wall(3)
    circuit.append(block.to_gate().control(1, annotated=True), [1, 0, 2])
    block.rx(t, 0)
    circuit.append(block.to_gate().control(1, ctrl_state=0, annotated=True), [2, 0, 1])
    return circuit, [t]


@_case
def parametric_matrices_without_definition() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(2)
    circuit.append(lib.RVGate(a, b * b, 0.4), [1])
    circuit.append(lib.HamiltonianGate(np.array([[1, 0.5j], [-0.5j, -0.3]]), a), [0])
    circuit.append(lib.HamiltonianGate(np.diag([1.0, 0.2, -0.4, 0.9]) + 0.1, b), [1, 0])
    return circuit, [a, b]


@_case
def parametric_matrix_inside_a_block() -> Built:
    a, b = Parameter("a"), Parameter("b")
    block = QuantumCircuit(2)
    block.append(lib.RVGate(a, b * b, 0.4), [1])
    block.cx(1, 0)
    block.append(lib.HamiltonianGate(np.array([[1, 0.5j], [-0.5j, -0.3]]), a), [0])
    circuit = _wall(2)
    circuit.append(block.to_gate(), [1, 0])
    return circuit, [a, b]


@_case
def lazily_controlled_parametric_matrix() -> Built:
    a = Parameter("a")
    circuit = _wall(3)
    hamiltonian = lib.HamiltonianGate(np.array([[1, 0.5j], [-0.5j, -0.3]]), a)
    circuit.append(AnnotatedOperation(hamiltonian, ControlModifier(2, 1)), [2, 0, 1])
    return circuit, [a]


@_case
def initialize_labels() -> Built:
    a = Parameter("a")
    circuit = QuantumCircuit(4)
    circuit.initialize("1r-", [3, 0, 1])
    circuit.rx(a, 0)
    circuit.ry(a * 2, 3)
    circuit.cx(0, 3)
    return circuit, [a]


@_case
def initialize_amplitudes_and_numbers() -> Built:
    a = Parameter("a")
    circuit = QuantumCircuit(5)
    circuit.initialize(np.array([0.1, 0.7j, -0.5, 0.5]), [2, 0])
    circuit.rx(a, 0)
    circuit.cx(0, 1)
    circuit.initialize(2, [4, 3])  # still untouched
    circuit.ry(a, 3)
    circuit.cx(2, 4)
    return circuit, [a]


@_case
def preparation_on_used_qubits() -> Built:
    a = Parameter("a")
    circuit = _wall(3)
    circuit.rx(a, 0)
    vector = np.array([0.1, 0.7j, -0.5, 0.5])
    circuit.prepare_state(vector, [2, 0])
    circuit.append(lib.StatePreparation("+l"), [0, 1])
    circuit.append(lib.StatePreparation(vector).inverse(), [1, 2])
    circuit.append(lib.StatePreparation(vector).control(1, annotated=True), [1, 2, 0])
    return circuit, [a]


@_case
def reset_of_fresh_qubits() -> Built:
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.barrier()
    circuit.id(0)
    circuit.reset([0, 1])
    circuit.ry(a, 0)
    circuit.reset(1)
    circuit.cx(0, 1)
    return circuit, [a]


@_case
def several_registers_and_shared_bits() -> Built:
    a, b = Parameter("a"), Parameter("b")
    bits = [Qubit() for _ in range(3)]
    circuit = QuantumCircuit(bits[:1], QuantumRegister(2, "r"), QuantumRegister(bits=[bits[2], bits[0]], name="s"))
    circuit.ry(a, circuit.qregs[1][1])
    circuit.rx(b, circuit.qregs[0])
    circuit.cx(circuit.qregs[1][1], circuit.qregs[0][1])
    circuit.rzz(a * b, circuit.qregs[1][0], circuit.qregs[0][0])
    circuit.h(range(circuit.num_qubits))
    return circuit, [a, b]


@_case
def final_measurements() -> Built:
    a = Parameter("a")
    circuit = _wall(2)
    circuit.add_register(ClassicalRegister(3, "c"))
    circuit.rx(a, 0)
    circuit.measure(0, 2)
    circuit.ry(a, 1)
    circuit.measure(1, 0)
    circuit.barrier()
    return circuit, [a]


@_case
def measure_all() -> Built:
    circuit = lib.zz_feature_map(3, reps=1)
    circuit.measure_all()
    return circuit, list(circuit.parameters)


@_case
def directives() -> Built:
    a = Parameter("a")
    circuit = _wall(2)
    circuit.barrier(label="mark")
    circuit.delay(100, 0, unit="dt")
    circuit.delay(a * a + 1, 1, unit="ns")
    circuit.id(1)
    circuit.rxx(a, 0, 1)
    circuit.barrier(1)
    return circuit, [a]


@_case
def open_controls() -> Built:
    a = Parameter("a")
    circuit = _wall(4)
    circuit.cx(0, 1, ctrl_state=0)
    circuit.crx(a, 1, 2, ctrl_state=0)
    circuit.cu(a, 0.2, 0.4, a * 2, 3, 0, ctrl_state=0)
    circuit.ccx(0, 2, 3, ctrl_state="10")
    circuit.append(lib.MCXGate(3, ctrl_state=2), [3, 1, 0, 2])
    circuit.append(lib.CPhaseGate(a, ctrl_state=0), [2, 0])
    circuit.append(lib.MCPhaseGate(a, 3, ctrl_state=5), [0, 1, 2, 3])
    return circuit, [a]


@_case
def many_controls() -> Built:
    a = Parameter("a")
    circuit = _wall(6)
    circuit.append(lib.MCXGate(5, ctrl_state=0b01101), [5, 0, 4, 2, 1, 3])
    circuit.append(lib.MCPhaseGate(a, 5), range(6))
    circuit.mcrx(a * 2, [0, 3, 4], 1)
    circuit.append(lib.RYGate(a).control(2, ctrl_state=1, annotated=False), [4, 5, 0])
    circuit.append(lib.UGate(a, a * 2, 0.3).control(3, ctrl_state=6, annotated=True), [4, 5, 0, 2])
    return circuit, [a]


@_case
def library_gates() -> Built:
    a = Parameter("a")
    circuit = _wall(5)
    circuit.rx(a, 0)
    circuit.append(lib.QFTGate(3), [4, 1, 0])
    circuit.append(lib.QFTGate(3).inverse(), [1, 0, 2])
    circuit.append(lib.PermutationGate([2, 0, 3, 1]), [0, 4, 2, 3])
    circuit.append(lib.DiagonalGate(list(np.exp(1j * np.array([0.1, 0.9, -2.0, 0.4])))), [3, 0])
    circuit.append(lib.PauliGate("XYZ"), [1, 3, 4])
    circuit.append(lib.LinearFunction([[1, 1, 0], [0, 1, 0], [0, 1, 1]]), [4, 3, 0])
    circuit.append(lib.UCRYGate([0.1, 0.2, -0.7, 0.4]), [1, 2, 3])
    circuit.append(lib.UCGate([random_unitary(2, seed=i).data for i in range(2)]), [4, 0])
    circuit.append(lib.MSGate(3, a), [0, 1, 3])
    circuit.append(lib.MCMTGate(lib.ZGate(), 2, 2), [0, 1, 2, 3])
    circuit.append(lib.GraphStateGate([[0, 1, 1], [1, 0, 0], [1, 0, 0]]), [2, 3, 4])
    circuit.append(lib.UniformSuperpositionGate(5, 3), [0, 1, 2])
    circuit.append(lib.HalfAdderGate(1), [3, 1, 2])
    circuit.append(lib.LinearPauliRotationsGate(2, 0.3, 0.1), [0, 1, 4])
    return circuit, [a]


@_case
def labelled_gates() -> Built:
    """A label is for drawings: the gate stays what its name and angles say."""
    a = Parameter("a")
    circuit = _wall(3)
    circuit.append(lib.XXPlusYYGate(-np.pi / 2, label="√iSWAP"), [2, 0])
    circuit.append(lib.RZGate(a, label="x"), [1])
    circuit.append(lib.CXGate(label="swap", ctrl_state=0), [1, 2])
    circuit.append(lib.RXXGate(a * a, label="h"), [0, 1])
    return circuit, [a]


@_case
def clifford_operation() -> Built:
    a = Parameter("a")
    body = QuantumCircuit(2)
    body.h(0)
    body.cx(0, 1)
    body.s(1)
    circuit = _wall(3)
    circuit.append(Clifford(body), [2, 0])
    circuit.rx(a, 2)
    return circuit, [a]


@_case
def unitary_matrices() -> Built:
    a = Parameter("a")
    circuit = _wall(4)
    circuit.unitary(random_unitary(8, seed=1), [3, 0, 2])
    circuit.rx(a, 3)
    circuit.append(lib.UnitaryGate(random_unitary(2, seed=2)).control(1, ctrl_state=0, annotated=False), [1, 3])
    circuit.append(lib.UnitaryGate([[1j]]), [])
    return circuit, [a]


@_case
def composed_onto_reversed_qubits() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(3)
    circuit.compose(_block(a, b), [2, 0], inplace=True)
    return circuit.reverse_bits(), [a, b]


@_case
def parameters_bound_in_part() -> Built:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0] * x[1], 0)
    circuit.append(_block(x[1], x[2]).to_gate(), [0, 1])
    return circuit.assign_parameters({x[1]: 0.8}), [x[0], x[2]]


@_case
def number_to_the_power_of_a_parameter() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(2)
    circuit.rx(2**a, 0)
    circuit.rzz(1.3 ** (a * b) + b, 0, 1)
    circuit.ry((a + 4) ** b / 5, 1)
    return circuit, [a, b]


@_case
def nonlinear_expressions() -> Built:
    a, b = Parameter("a"), Parameter("b")
    circuit = _wall(2)
    circuit.rx((a / 3).arcsin() * b.cos(), 0)
    circuit.cp((a * a + b * b + 1).log(), 0, 1)
    circuit.ry((b + 1).abs() * a.sign(), 1)
    circuit.u((a * b).exp().arctan(), a / (b + 4), (a - b).sin() ** 2, 0)
    circuit.rz((a**2 - b**2) / 4, 1)
    return circuit, [a, b]


def _named_gates() -> Iterator[Case]:
    """Every standard gate on its own, data-dependent where it has angles, in every control state."""
    for name, gate in lib.get_standard_gate_name_mapping().items():
        if name in {"delay", "reset", "measure"}:
            continue
        states = range(2 ** getattr(gate, "num_ctrl_qubits", 0)) if hasattr(gate, "ctrl_state") else [None]
        for state in states:
            closed = state is None or state == len(states) - 1
            yield Case(f"gate_{name}" if closed else f"gate_{name}_control_{state}", _single(name, state))


def _single(name: str, ctrl_state: int | None) -> Callable[[], Built]:
    def build() -> Built:
        prototype = lib.get_standard_gate_name_mapping()[name]
        x = ParameterVector("x", max(1, len(prototype.params)))
        angles = [p * 1.1 + 0.2 * i for i, p in enumerate(x)][: len(prototype.params)]
        state = {} if ctrl_state is None else {"ctrl_state": ctrl_state}
        gate = type(prototype)(*angles, **state) if angles else prototype.base_class(**state)
        circuit = _wall(max(gate.num_qubits, 1))
        circuit.ry(x[0], 0)
        circuit.append(gate, list(reversed(range(gate.num_qubits))))
        circuit.rx(x[-1] / 2, circuit.num_qubits - 1)
        return circuit, list(x)

    return build


CASES: tuple[Case, ...] = (*_REGISTRY, *_named_gates())
