"""Phase stripping leaves the circuit's action alone and nothing that a transpiler could choke on."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ControlledGate,
    ControlModifier,
    Parameter,
    ParameterVector,
    PowerModifier,
)
from qiskit.circuit import library as lib
from qiskit.quantum_info import Operator

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import strip_phases
from tests.oracle import CASES, oracle_state, random_circuit, random_inputs

PHASE_GATES = {"p", "u1", "u2", "u3", "u", "cp", "cu1", "mcphase", "cu", "cu3"}
WITHOUT_GATE_FORM = {
    "parametric_matrices_without_definition",
    "parametric_matrix_inside_a_block",
    "lazily_controlled_parametric_matrix",
}


def assert_same_state(circuit: QuantumCircuit, values: dict[Parameter, float]) -> None:
    stripped = strip_phases(circuit)
    fidelity = abs(np.vdot(oracle_state(circuit, values), oracle_state(stripped.bind(values))))
    assert fidelity == pytest.approx(1, abs=1e-10)
    assert stripped.circuit.global_phase == 0
    assert len(stripped.angles) == len(stripped.expressions)
    assert list(stripped.circuit.parameters) == list(stripped.angles)
    parametric = {i.operation.name for i in stripped.circuit.data if any(map(is_parameter, i.operation.params))}
    assert not parametric & PHASE_GATES
    used = [p for i in stripped.circuit.data for p in i.operation.params if is_parameter(p)]
    assert used == list(stripped.angles)  # one fresh parameter per slot, in order


def is_parameter(value: object) -> bool:
    return isinstance(value, Parameter)


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in WITHOUT_GATE_FORM], ids=lambda c: c.name)
def test_hand_written_circuits(case: object) -> None:
    circuit, parameters = case.build()
    values = np.random.default_rng(0).uniform(-2, 2, len(parameters))
    assert_same_state(circuit, dict(zip(parameters, values, strict=True)))


@pytest.mark.parametrize("case", [c for c in CASES if c.name in WITHOUT_GATE_FORM], ids=lambda c: c.name)
def test_what_no_transpiler_can_write_in_gates_is_named(case: object) -> None:
    with pytest.raises(UnsupportedCircuitError, match=r"strip_phases: instruction '\w+' at position \d"):
        strip_phases(case.build()[0])


@pytest.mark.parametrize("seed", range(40))
def test_random_circuits(seed: int) -> None:
    circuit, parameters = random_circuit(seed, max_qubits=5, max_instructions=25)
    values = dict(zip(parameters, random_inputs(1, len(parameters), seed)[0], strict=True))
    if not has_gate_form(circuit):
        with pytest.raises(UnsupportedCircuitError, match=r"no definition|has no gate form"):
            strip_phases(circuit)
        return
    assert_same_state(circuit, values)


def has_gate_form(circuit: QuantumCircuit) -> bool:
    """False where a gate is only known as a matrix of its parameters, at any depth."""
    for item in circuit.data:
        operation = getattr(item.operation, "base_op", item.operation)
        symbolic = any(getattr(p, "parameters", ()) for p in operation.params)
        if symbolic and operation.name in ("rv", "hamiltonian"):
            return False
        annotated = operation is not item.operation
        fractional = annotated and any(
            int(m.power) != m.power for m in item.operation.modifiers if isinstance(m, PowerModifier)
        )
        if symbolic and fractional:
            return False
        if symbolic and type(operation).__name__ in ("Gate", "Instruction", "ControlledGate"):
            base = operation.base_gate if isinstance(operation, ControlledGate) else operation
            if base.definition is not None and not has_gate_form(base.definition):
                return False
    return True


GATES = [
    *(lib.PhaseGate, lib.U1Gate, lib.U2Gate, lib.U3Gate, lib.UGate, lib.CPhaseGate, lib.CU1Gate),
    *(lib.CUGate, lib.CU3Gate, lib.RGate, lib.CRZGate, lib.XXPlusYYGate),
]


@pytest.mark.parametrize("bound", [False, True], ids=["parametric", "numeric"])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_gate_by_gate_as_a_unitary(gate: type, bound: bool) -> None:
    count = {"U2Gate": 2, "U3Gate": 3, "UGate": 3, "CUGate": 4, "CU3Gate": 3, "RGate": 2, "XXPlusYYGate": 2}
    x = ParameterVector("x", count.get(gate.__name__, 1))
    values = np.linspace(0.4, 1.9, len(x))
    operation = gate(*(values if bound else x))
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, circuit.qubits)
    stripped = strip_phases(circuit)
    assert len(stripped.angles) == 0 if bound else len(stripped.angles) >= len(x)
    reference = Operator(circuit.assign_parameters([] if bound else values))
    assert Operator(stripped.bind(dict(zip(x, values, strict=True)))).equiv(reference)


@pytest.mark.parametrize("ctrl_state", [0, 1])
@pytest.mark.parametrize("gate", [lib.CPhaseGate, lib.CU1Gate, lib.CRXGate], ids=lambda g: g.__name__)
def test_open_controls(gate: type, ctrl_state: int) -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.append(gate(a, ctrl_state=ctrl_state), [1, 0])
    stripped = strip_phases(circuit)
    assert "cp" not in stripped.circuit.count_ops()
    assert Operator(stripped.bind({a: 0.7})).equiv(Operator(circuit.assign_parameters({a: 0.7})))


def test_the_listed_rewritings() -> None:
    a, b, c = (Parameter(name) for name in "abc")
    circuit = QuantumCircuit(2, global_phase=a)
    circuit.p(a, 0)
    circuit.u(a, b, c, 1)
    circuit.cp(a * b, 0, 1)
    stripped = strip_phases(circuit)
    gates = [(i.operation.name, [stripped.circuit.find_bit(q).index for q in i.qubits]) for i in stripped.circuit]
    assert gates == [
        *[("rz", [0]), ("rz", [1]), ("ry", [1]), ("rz", [1])],
        *[("rz", [0]), ("rz", [1]), ("rzz", [0, 1])],
    ]
    values = {a: 0.3, b: -1.1, c: 0.8}
    angles = [float(e.bind({p: values[p] for p in e.parameters}).numeric()) for e in stripped.expressions]
    assert angles == pytest.approx([0.3, 0.8, 0.3, -1.1, -0.165, -0.165, 0.165])


@pytest.mark.parametrize("annotated", [False, True], ids=["plain", "annotated"])
def test_a_phase_under_a_control_is_kept(annotated: bool) -> None:
    a = Parameter("a")
    block = QuantumCircuit(1, global_phase=2 * a)
    block.rx(a, 0)
    circuit = QuantumCircuit(2)
    circuit.append(block.to_gate().control(1, annotated=annotated), [0, 1])
    rotation = np.array([[np.cos(0.35), -1j * np.sin(0.35)], [-1j * np.sin(0.35), np.cos(0.35)]])
    expected = np.eye(4, dtype=complex)
    expected[np.ix_([1, 3], [1, 3])] = np.exp(1.4j) * rotation  # control is qubit 0, the least significant bit
    assert Operator(strip_phases(circuit).bind({a: 0.7})).equiv(Operator(expected))


def test_barriers_measurements_and_labels_stay() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(2, 1)
    circuit.append(lib.RXGate(a, label="turn"), [0])
    circuit.barrier(label="mark")
    circuit.measure(0, 0)
    stripped = strip_phases(circuit).circuit
    assert [(i.operation.name, i.operation.label) for i in stripped.data] == [
        ("rx", "turn"),
        ("barrier", "mark"),
        ("measure", None),
    ]
    assert stripped.cregs == circuit.cregs


def test_the_circuit_itself_is_untouched() -> None:
    circuit = lib.zz_feature_map(3)
    before = circuit.copy()
    strip_phases(circuit)
    assert circuit == before


def test_control_flow_is_refused() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    with pytest.raises(UnsupportedCircuitError, match="'if_else' at position 1 is control flow"):
        strip_phases(circuit)


def test_fractional_powers_of_parametric_gates_have_no_gate_form() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    powered = AnnotatedOperation(lib.RXGate(a), [PowerModifier(0.5), ControlModifier(1)])
    circuit.append(powered, [0, 1])
    with pytest.raises(UnsupportedCircuitError, match=r"'annotated' at position 0 .* has no gate form"):
        strip_phases(circuit)


def test_bind_takes_angles_or_original_values() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(a * b, 0)
    circuit.rz(b, 0)
    stripped = strip_phases(circuit)
    assert stripped.bind({a: 2.0, b: 0.25}) == stripped.bind([0.5, 0.25]) == stripped.bind(np.array([0.5, 0.25]))
    with pytest.raises(InvalidParameterError, match=r"values must hold 2 angles, .* got 3"):
        stripped.bind([0.1, 0.2, 0.3])
    with pytest.raises(InvalidParameterError, match="every original parameter; 'a' is missing"):
        stripped.bind({b: 0.25})
