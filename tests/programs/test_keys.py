"""Program keys (the rules of the contract): what must not count, and what must."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter, ParameterVector, QuantumRegister
from qiskit.circuit import library as lib
from qiskit.quantum_info import Pauli, SparsePauliOp, random_unitary

from qkernels._errors import InvalidParameterError
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.oracle import CASES, random_circuit

Build = Callable[[Sequence[Parameter]], QuantumCircuit]


def key(build: Build, names: Sequence[str] = ("a", "b")) -> str:
    x = [Parameter(name) for name in names]
    return OverlapProgram(build(x), x).key


def reference(x: Sequence[Parameter]) -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.rx(x[0] * x[1], 1)
    circuit.cx(0, 2)
    circuit.rz((x[1] - 2 * x[0]).sin() + 0.5, 2)
    circuit.append(block(x), [2, 0])
    circuit.ry(0.25, 1)
    return circuit


def block(x: Sequence[Parameter], angle: float = 0.7) -> lib.UnitaryGate:
    """An unnamed composite; Qiskit numbers such names through the process."""
    inner = QuantumCircuit(2)
    inner.p(x[0] + angle, 0)
    inner.cz(0, 1)
    return inner.to_gate()


def controlled(x: Sequence[Parameter], phase: float | Parameter, state: int = 1, lazily: bool = False):
    inner = QuantumCircuit(1, global_phase=phase)
    inner.rx(x[0], 0)
    return inner.to_gate().control(1, ctrl_state=state, annotated=lazily)


def program_of(circuit: QuantumCircuit) -> OverlapProgram:
    return OverlapProgram(circuit, circuit.parameters)


# -- same key ------------------------------------------------------------------------------------------


def test_key_is_a_sha256_in_hex() -> None:
    assert len(key(reference)) == 64
    assert set(key(reference)) <= set("0123456789abcdef")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_builds_have_one_key(case) -> None:
    keys = {OverlapProgram(*case.build()).key for _ in range(2)}
    assert len(keys) == 1


@pytest.mark.parametrize("first", range(2000, 2030, 10))
def test_two_builds_of_random_circuits_have_one_key(first: int) -> None:
    for seed in range(first, first + 10):
        keys = {OverlapProgram(*random_circuit(seed, 4, 15)).key for _ in range(2)}
        assert len(keys) == 1, seed


_KEYS_IN_ANOTHER_PROCESS = """
import sys
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.oracle import CASES, random_circuit, random_observables

for _ in range(int(sys.argv[1])):
    from qiskit import QuantumCircuit
    QuantumCircuit(1).to_gate()  # shifts the running names
for case in CASES:
    circuit, x = case.build()
    print(OverlapProgram(circuit, x).key)
for seed in range(2100, 2120):
    circuit, x = random_circuit(seed, 4, 15)
    print(OverlapProgram(circuit, x).key)
    observables = random_observables(circuit.num_qubits, 3, seed)
    print(ExpectationProgram(circuit, observables=observables, x=x).key)
"""


@pytest.mark.slow
def test_two_processes_agree_on_all_keys() -> None:
    root = Path(__file__).resolve().parents[2]
    answers = [
        subprocess.run(
            [sys.executable, "-c", _KEYS_IN_ANOTHER_PROCESS, shift],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": shift},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for shift in ("0", "7")
    ]
    assert len(answers[0]) == len(CASES) + 40
    assert answers[0] == answers[1]


@pytest.mark.parametrize("names", [("b", "a"), ("theta", "x"), ("θ₁", "θ₀"), ("p[1]", "p[0]")], ids=str)
def test_parameter_names_do_not_count(names: tuple[str, str]) -> None:
    assert key(reference, names) == key(reference)


def test_a_vector_and_loose_parameters_are_the_same() -> None:
    x = ParameterVector("x", 2)
    assert OverlapProgram(reference(x), x).key == key(reference)


def test_names_do_not_count_in_any_case() -> None:
    """Renaming in reverse alphabetical order changes how Qiskit sorts sums and products."""
    circuits = {case.name: case.build() for case in CASES}
    circuits |= {str(seed): random_circuit(seed, 4, 15) for seed in range(2200, 2230)}
    for name, (circuit, x) in circuits.items():
        fresh = [Parameter(f"z{len(x) - i:02d}") for i in range(len(x))]
        renaming = {p: q for p, q in zip(x, fresh, strict=True) if p in circuit.parameters}
        renamed = circuit.assign_parameters(renaming)
        assert OverlapProgram(renamed, fresh).key == OverlapProgram(circuit, x).key, name


def test_an_unnamed_block_built_twice_has_one_key() -> None:
    def twice(x: Sequence[Parameter]) -> QuantumCircuit:
        circuit = QuantumCircuit(2)
        circuit.append(block(x), [0, 1])
        circuit.append(block(x), [1, 0])
        return circuit

    def one_block_reused(x: Sequence[Parameter]) -> QuantumCircuit:
        circuit = QuantumCircuit(2)
        gate = block(x)
        circuit.append(gate, [0, 1])
        circuit.append(gate, [1, 0])
        return circuit

    assert key(twice) == key(twice) == key(one_block_reused)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: setattr(c, "name", "another"),
        lambda c: setattr(c, "metadata", {"author": "me"}),
        lambda c: setattr(c, "global_phase", 1.25),
        lambda c: setattr(c, "global_phase", next(iter(c.parameters)) ** 2),
        lambda c: c.append(lib.GlobalPhaseGate(0.3), []),
    ],
    ids=["name", "metadata", "global_phase", "parametric_global_phase", "global_phase_gate"],
)
def test_what_is_not_measurable_does_not_count(change: Callable[[QuantumCircuit], object]) -> None:
    x = [Parameter("a"), Parameter("b")]
    circuit = reference(x)
    change(circuit)
    assert OverlapProgram(circuit, x).key == key(reference)


def test_names_and_labels_of_blocks_do_not_count() -> None:
    def named(name: str, label: str | None) -> Build:
        def build(x: Sequence[Parameter]) -> QuantumCircuit:
            inner = QuantumCircuit(1, name=name)
            inner.rx(x[0], 0)
            circuit = QuantumCircuit(1)
            circuit.append(inner.to_gate(label=label), [0])
            return circuit

        return build

    assert key(named("first", None)) == key(named("second", "label"))


def test_registers_do_not_count() -> None:
    def build(x: Sequence[Parameter], *registers: QuantumRegister) -> QuantumCircuit:
        circuit = QuantumCircuit(*registers)
        circuit.rx(x[0], 0)
        circuit.cx(0, 2)
        return circuit

    split = (QuantumRegister(1, "left"), QuantumRegister(2, "right"))
    assert key(lambda x: build(x, QuantumRegister(3, "q"))) == key(lambda x: build(x, *split))


def test_a_bound_parameter_counts_as_its_number() -> None:
    a, b = Parameter("a"), Parameter("b")
    left, right = QuantumCircuit(1), QuantumCircuit(1)
    left.rx(a + b, 0)
    right.rx(a + 0.5, 0)
    assert OverlapProgram(left.assign_parameters({b: 0.5}), [a]).key == OverlapProgram(right, [a]).key


def test_an_angle_is_the_same_as_integer_float_and_expression() -> None:
    p = Parameter("p")
    angles = (1, 1.0, np.float64(1.0), (p * 1.0).bind({p: 1.0}))
    keys = set()
    for angle in angles:
        circuit = QuantumCircuit(1)
        circuit.rx(angle, 0)
        keys.add(program_of(circuit).key)
    assert len(keys) == 1


def test_a_parametric_delay_does_not_bring_a_name_in() -> None:
    def build(x: Sequence[Parameter]) -> QuantumCircuit:
        circuit = QuantumCircuit(1)
        circuit.delay(x[0] * x[0], 0, unit="ns")
        circuit.rx(x[1], 0)
        return circuit

    assert key(build) == key(build, ("p", "q"))


# -- different keys ------------------------------------------------------------------------------------


def _gate(circuit: QuantumCircuit) -> Build:
    """A circuit in front of the reference circuit."""
    return lambda x: reference(x).compose(circuit, range(circuit.num_qubits), front=True)


def _single(append: Callable[[QuantumCircuit, Sequence[Parameter]], object]) -> Build:
    def build(x: Sequence[Parameter]) -> QuantumCircuit:
        circuit = QuantumCircuit(3)
        append(circuit, x)
        return circuit

    return build


def _evolution(labels: list[str], coefficients: list[float], **options: object) -> Build:
    operator = SparsePauliOp(labels, coefficients)
    return _single(lambda c, x: c.append(lib.PauliEvolutionGate(operator, time=x[0], **options), [0, 1]))


def _named_block(name: str, angle: float) -> Build:
    def append(circuit: QuantumCircuit, x: Sequence[Parameter]) -> None:
        inner = QuantumCircuit(1, name=name)
        inner.rx(x[0] + angle, 0)
        circuit.append(inner.to_gate(), [0])

    return _single(append)


DIFFERENT: dict[str, list[Build]] = {
    "gate": [
        _single(lambda c, x: c.rx(x[0], 0)),
        _single(lambda c, x: c.ry(x[0], 0)),
        _single(lambda c, x: c.rz(x[0], 0)),
        _single(lambda c, x: c.rx(x[0], 0) and c.h(0)),
        _single(lambda c, x: None),
    ],
    "constant_angle": [
        _single(lambda c, x, t=t: c.rx(t, 0)) for t in (0.5, 0.25, np.nextafter(0.5, 1), -0.5)
    ],
    "expression": [
        _single(lambda c, x, f=f: c.rx(f(*x), 0))
        for f in (
            lambda a, b: a,
            lambda a, b: b,
            lambda a, b: 2 * a,
            lambda a, b: 2.0000000001 * a,
            lambda a, b: a + 1,
            lambda a, b: a * b,
            lambda a, b: a * b * b,
            lambda a, b: a.sin(),
            lambda a, b: b.sin(),
            lambda a, b: a.cos(),
            lambda a, b: (2 * a).sin(),
            lambda a, b: 2 * a.sin(),
            lambda a, b: a.sin() + b.cos(),
            lambda a, b: b.sin() + a.cos(),
            lambda a, b: 2**a,
            lambda a, b: a**2,
            lambda a, b: a.abs(),
            lambda a, b: a.sign() * a * 1.5,
        )
    ],
    # Functions that agree on a whole neighbourhood of zero, or to a dozen digits, are still different.
    "expression_far_from_zero": [
        _single(lambda c, x, f=f: c.rx(f(*x), 0))
        for f in (
            lambda a, b: (a + 5).sin(),
            lambda a, b: (a + 5).abs().sin(),
            lambda a, b: (a + 5).sin() * (a + 9).sign(),
            lambda a, b: (a + 5).sin() * (9 - a).sign(),
            lambda a, b: (a + 5 + 1e-13).sin(),
        )
    ],
    # The same functions, numbers and parameters in another structure.
    "structure_far_from_zero": [
        _single(lambda c, x, f=f: c.rx(f(*x), 0))
        for f in (
            lambda a, b: (a + 5).abs().sin() * (b + 7).sin(),
            lambda a, b: (a + 5).sin() * (b + 7).abs().sin(),
            lambda a, b: ((a + 5).sin() * (b + 7)).abs().sin(),
        )
    ],
    "order": [
        _single(lambda c, x: c.rx(x[0], 0) and c.h(0)),
        _single(lambda c, x: c.h(0) and c.rx(x[0], 0)),
    ],
    "qubit": [_single(lambda c, x, q=q: c.rx(x[0], q)) for q in range(3)],
    "qubit_order": [
        _single(lambda c, x: c.cx(0, 1)),
        _single(lambda c, x: c.cx(1, 0)),
        _single(lambda c, x: c.cx(0, 2)),
    ],
    "control_state": [
        _single(lambda c, x: c.cx(0, 1)),
        _single(lambda c, x: c.cx(0, 1, ctrl_state=0)),
        _single(lambda c, x: c.crx(x[0], 0, 1)),
        _single(lambda c, x: c.crx(x[0], 0, 1, ctrl_state=0)),
        *(_single(lambda c, x, s=s: c.append(lib.MCXGate(2, ctrl_state=s), [0, 1, 2])) for s in range(4)),
    ],
    "number_of_qubits": [lambda x, n=n: QuantumCircuit(n) for n in (1, 2, 3)],
    "same_name_different_inside": [_named_block("block", 0.1), _named_block("block", 0.2)],
    "phase_inside_a_control": [
        _single(lambda c, x, p=p: c.append(controlled(x, p), [0, 1])) for p in (0.0, 0.3, -0.3)
    ],
    "phase_inside_a_lazy_control": [
        _single(lambda c, x, p=p: c.append(controlled(x, p, lazily=True), [0, 1])) for p in (0.0, 0.3, -0.3)
    ],
    "parametric_phase_inside_a_control": [
        _single(lambda c, x: c.append(controlled(x, x[0]), [0, 1])),
        _single(lambda c, x: c.append(controlled(x, x[1]), [0, 1])),
    ],
    "control_state_of_a_block": [
        _single(lambda c, x, s=s: c.append(controlled(x, 0.3, s), [0, 1])) for s in (0, 1)
    ],
    "evolution": [
        _evolution(["XX", "ZI"], [1.0, 0.5]),
        _evolution(["XX", "ZI"], [1.0, 0.25]),
        _evolution(["XX", "IZ"], [1.0, 0.5]),
        _evolution(["ZI", "XX"], [0.5, 1.0]),  # another product formula
        _evolution(["YY", "ZI"], [1.0, 0.5]),
    ],
    "matrix": [
        _single(lambda c, x, s=s: c.unitary(random_unitary(4, seed=s), [0, 1])) for s in range(3)
    ],
    "diagonal": [
        _single(lambda c, x, d=d: c.append(lib.DiagonalGate(d), [0, 1]))
        for d in ([1, 1, 1, -1], [1, 1, -1, 1], [1, 1j, 1, -1])
    ],
    "permutation": [
        _single(lambda c, x, p=p: c.append(lib.PermutationGate(p), [0, 1, 2]))
        for p in ([0, 2, 1], [2, 0, 1], [1, 2, 0])
    ],
    "parametric_matrix": [
        _single(lambda c, x: c.append(lib.RVGate(x[0], 0.2, 0.3), [0])),
        _single(lambda c, x: c.append(lib.RVGate(x[1], 0.2, 0.3), [0])),
        _single(lambda c, x: c.append(lib.RVGate(x[0], 0.3, 0.2), [0])),
        _single(lambda c, x: c.append(lib.RVGate(0.2, x[0], 0.3), [0])),
    ],
    "hamiltonian": [
        _single(lambda c, x, h=h: c.append(lib.HamiltonianGate(np.diag([1.0, h]), x[0]), [0]))
        for h in (0.5, 0.25)
    ],
    "prepared_state": [
        _single(lambda c, x, v=v: c.initialize(v, [0, 1])) for v in ("01", "10", "+0", [0.6, 0.8j, 0, 0])
    ],
}  # fmt: skip


@pytest.mark.parametrize("builds", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_changes_the_state_changes_the_key(builds: list[Build]) -> None:
    keys = [key(build) for build in builds]
    assert len(set(keys)) == len(keys)


def test_all_different_cases_have_different_keys() -> None:
    builds = {name: OverlapProgram(*case.build()) for case in CASES for name in [case.name]}
    same: dict[str, list[str]] = {}
    for name, program in builds.items():
        same.setdefault(program.key, []).append(name)
    # one matrix under two names: neither a wrong answer nor a rule
    synonyms = [{"gate_u", "gate_u3"}, {"gate_p", "gate_u1"}, {"gate_cp", "gate_cu1"}, {"gate_cu3"}]
    for names in same.values():
        assert len(names) == 1 or any(set(names) <= s for s in synonyms), names


@pytest.mark.parametrize("seed", [3, 8, 21, 34])
def test_dropping_any_gate_of_a_random_circuit_changes_the_key(seed: int) -> None:
    circuit, x = random_circuit(seed, 4, 12)
    keys = {OverlapProgram(circuit, x).key}
    dropped = 0
    for i, instruction in enumerate(circuit.data):
        if instruction.operation.name in {"barrier", "delay", "id", "measure", "reset", "global_phase"}:
            continue
        shorter = circuit.copy()
        del shorter.data[i]
        keys.add(OverlapProgram(shorter, x).key)
        dropped += 1
    assert len(keys) == dropped + 1


def test_positions_in_x_count() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(a, 0)
    circuit.ry(b, 0)
    assert OverlapProgram(circuit, [a, b]).key != OverlapProgram(circuit, [b, a]).key


def test_trainable_and_data_parameters_differ() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(a, 0)
    circuit.ry(b, 0)
    keys = {OverlapProgram(circuit, [a, b]).key, OverlapProgram(circuit, [a], [b]).key}
    keys |= {OverlapProgram(circuit, [b], [a]).key}
    assert len(keys) == 3


# -- observables ---------------------------------------------------------------------------------------


def _expectation(observables: object) -> ExpectationProgram:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    return ExpectationProgram(circuit, observables=observables, x=x)


def test_expectation_keys_include_the_observables() -> None:
    lists: list[list[object]] = [
        ["ZI"],
        ["IZ"],
        ["ZI", "IZ"],
        ["IZ", "ZI"],
        [SparsePauliOp("ZI", 0.5)],
        [SparsePauliOp(["ZI", "IZ"], [1.0, 0.5])],
        [SparsePauliOp(["ZI", "IZ"], [0.5, 1.0])],
        [SparsePauliOp("ZI", -1.0)],
    ]
    keys = [_expectation(observables).key for observables in lists]
    assert len(set(keys)) == len(keys)


def test_one_observable_in_three_forms_has_one_key() -> None:
    forms = [["ZX"], [Pauli("ZX")], [SparsePauliOp("ZX")], [SparsePauliOp(["ZX", "ZX"], [0.25, 0.75])]]
    assert len({_expectation(form).key for form in forms}) == 1


def test_the_order_of_terms_in_an_observable_does_not_count() -> None:
    left = _expectation([SparsePauliOp(["ZI", "IX"], [1.0, 0.5])])
    right = _expectation([SparsePauliOp(["IX", "ZI"], [0.5, 1.0])])
    assert left.key == right.key


def test_overlaps_and_expectations_of_one_circuit_differ() -> None:
    expectation = _expectation(["ZI"])
    assert OverlapProgram(expectation.circuit, expectation.x).key != expectation.key


# -- patches -------------------------------------------------------------------------------------------


def _patched(patches: object = None) -> OverlapProgram:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(4)
    circuit.ry(x[0], 0)
    return OverlapProgram(circuit, x, patches=patches)


def test_patches_belong_to_the_key_where_they_are_given() -> None:
    plain = _patched()
    assert plain.key == OverlapProgram(plain.circuit, plain.x).key
    assert plain.patches is None
    assert plain.num_patches == 4
    partitions = [[(0, 1), (2, 3)], [(0, 2), (1, 3)], [(0, 1, 2, 3)], [(0,), (1,), (2, 3)]]
    programs = [_patched(patches) for patches in partitions]
    assert [program.num_patches for program in programs] == [2, 2, 1, 3]
    assert len({program.key for program in (plain, *programs)}) == 5
    assert plain != programs[0]


@pytest.mark.parametrize(
    "patches",
    [[(3, 2), (1, 0)], ([0, 1], range(2, 4)), np.array([[2, 3], [0, 1]]), iter([[2, 3], (1, 0)])],
    ids=["order", "containers", "array", "iterator"],
)
def test_one_partition_has_one_key(patches: object) -> None:
    program = _patched(patches)
    assert program.patches == ((0, 1), (2, 3))
    assert program.key == _patched([(0, 1), (2, 3)]).key
    assert all(type(q) is int for patch in program.patches for q in patch)
    assert pickle.loads(pickle.dumps(program)) == program


@pytest.mark.parametrize("patches", [[(0,), (1,), (2,), (3,)], [[2], [0], [3], [1]]], ids=["in-order", "other-order"])
def test_single_qubits_are_what_none_means(patches: object) -> None:
    assert _patched(patches).patches is None
    assert _patched(patches).key == _patched().key


@pytest.mark.parametrize(
    ("patches", "pattern"),
    [
        ([(0, 1), (1, 2, 3)], r"each in one patch; got the qubit\(s\) \[1\] more than once"),
        ([(0, 0), (1, 2, 3)], r"got the qubit\(s\) \[0\] more than once"),
        ([(0, 1)], r"the qubit\(s\) \[2, 3\] stand in none\. Add a patch for them, such as \(2, 3\)"),
        ([(0, 1, 2)], r"the qubit\(s\) \[3\] stand in none\. Add a patch for them, such as \(3,\)"),
        ([], r"the qubit\(s\) \[0, 1, 2, 3\] stand in none"),
        ([(0, 1), (), (2, 3)], r"got an empty patch\. Leave it out"),
        ([(0, 1), (2, 4)], r"sequences of qubit indices 0 to 3; got 4 in the patch \(2, 4\)"),
        ([(0, 1), (-1, 2)], r"qubit indices 0 to 3; got -1 in the patch \(-1, 2\)"),
        ([(0, 1), (2.0, 3)], r"got 2\.0 in the patch \(2\.0, 3\)"),
        ([(0, True), (2, 3)], r"got True in the patch \(0, True\)"),
        ([(0, 1), 2, 3], r"got the entry 2\. One qubit alone is a patch \(2,\)"),
        ([(0, 1), "23"], r"got the entry '23'"),
        ("0123", r"patches must be a partition of the 4 qubit\(s\): .* got '0123'"),
        (2, r"patches must be a partition of the 4 qubit\(s\): .* got 2"),
    ],
    ids=str,
)
def test_patches_are_a_partition_of_the_qubits(patches: object, pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        _patched(patches)


# -- programs as data ----------------------------------------------------------------------------------


def test_programs_are_hashed_and_compared_by_key() -> None:
    left, right = (OverlapProgram(reference(x), x) for x in (ParameterVector("x", 2), ParameterVector("y", 2)))
    other = OverlapProgram(QuantumCircuit(1), [])
    assert left == right
    assert hash(left) == hash(right)
    assert left != other
    assert left != left.key
    assert {left: 1}[right] == 1
    assert len({left, right, other}) == 2
    assert _expectation(["ZI"]) == _expectation([Pauli("ZI")])
    assert _expectation(["ZI"]) != OverlapProgram(_expectation(["ZI"]).circuit, _expectation(["ZI"]).x)


def test_programs_are_frozen() -> None:
    program = OverlapProgram(QuantumCircuit(1), [])
    with pytest.raises(AttributeError):
        program.circuit = QuantumCircuit(2)  # type: ignore[misc]


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_a_pickle_round_trip_keeps_the_key(used: bool) -> None:
    for case in CASES[:45]:
        circuit, x = case.build()
        program = OverlapProgram(circuit, x)
        if used:
            program.bind_angles(np.full((1, len(x)), 0.3))
        again = pickle.loads(pickle.dumps(program))
        assert again.key == OverlapProgram(*case.build()).key, case.name
        row = np.full((2, len(x)), 0.4)
        np.testing.assert_array_equal(again.bind_angles(row), program.bind_angles(row), err_msg=case.name)


def test_an_expectation_program_survives_a_pickle_round_trip() -> None:
    program = _expectation([SparsePauliOp(["ZI", "IX"], [1.0, 0.5])])
    again = pickle.loads(pickle.dumps(program))
    assert again == program
    assert hash(again) == hash(program)


def test_final_measurements_do_not_change_what_is_prepared() -> None:
    """Whether they count in the key is free; two builds must agree and the states too."""

    def build(x: Sequence[Parameter]) -> QuantumCircuit:
        circuit = reference(x)
        circuit.add_register(ClassicalRegister(3))
        circuit.measure(range(3), range(3))
        return circuit

    assert key(build) == key(build)
