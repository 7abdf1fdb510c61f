"""Which gates are evaluated, and together: what repeats is computed once, and what cancels is left out."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels.engines._compiled import CompiledAdjoint, CompiledCircuit
from qkernels.engines._fusion import needed_gates, schedule
from qkernels.engines._items import Wide
from qkernels.engines._steps import PhaseStep
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import OverlapProgram


def program_of(circuit: QuantumCircuit) -> OverlapProgram:
    return OverlapProgram(circuit, circuit.parameters)


def names_of(circuit: QuantumCircuit) -> list[str]:
    return [op.name for op in needed_gates(program_of(circuit).flat.ops, circuit.num_qubits)]


@pytest.mark.parametrize("entanglement", ["linear", "full"])
@pytest.mark.parametrize("num_qubits", [4, 10])
@pytest.mark.parametrize("reps", [2, 3])
def test_layers_of_a_zz_map_share_their_phases(reps: int, num_qubits: int, entanglement: str) -> None:
    program = program_of(ZZFeatureMap(reps=reps, entanglement=entanglement).build(num_qubits))
    items = schedule(needed_gates(program.flat.ops, num_qubits), num_qubits)
    runs = [item.run for item in items if isinstance(item, Wide)]
    assert len(runs) == reps
    assert len({run.signature for run in runs}) == 1
    forward = CompiledCircuit(program)
    for compiled in (forward, CompiledAdjoint(program, forward.order)):
        phases = [step for step in compiled._steps if isinstance(step, PhaseStep)]
        assert len(phases) == reps
        assert {step._shared for step in phases} == {0}
        assert all(step._gather is None for step in phases)  # the state is not permuted


def test_constant_gates_at_the_end_are_left_out() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.rx(x[0], 0)
    circuit.ry(x[1], 1)
    circuit.cx(0, 1)
    circuit.cz(1, 2)
    circuit.t(2)
    assert names_of(circuit) == ["h", "h", "rx", "ry"]


def test_constant_gates_that_put_the_bits_back_stay() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.cx(0, 1)
    circuit.rz(x[1], 1)
    circuit.cx(0, 1)
    circuit.h(1)
    assert names_of(circuit) == ["ry", "cx", "rz", "cx"]
    circuit.swap(0, 1)  # permutes the bits for good: leaving all of them out is the shorter way
    assert names_of(circuit) == ["ry", "cx", "rz"]
    circuit.rz(x[0], 1)
    assert names_of(circuit) == ["ry", "cx", "rz", "cx", "h", "swap", "rz"]
