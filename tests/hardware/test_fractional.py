"""Folded RZZ angles: the same unitary for every row, legal for every row, before and after transpilation."""

from __future__ import annotations

import pickle
from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Delay, Parameter, ParameterVector
from qiskit.circuit.library import RXGate, RZZGate, XXPlusYYGate
from qiskit.providers import BackendV2
from qiskit.quantum_info import Operator, Statevector, random_unitary
from qiskit.transpiler import InstructionProperties

from qkernels import CircuitMap, CPMap, OverlapProgram, PauliFeatureMap, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import StrippedCircuit, circuit_of, overlap_circuit, strip_phases, transpile_for
from qkernels.feature_maps import FeatureMap
from qkernels_hardware.routing._fractional import FractionalCircuit, fractional_form
from qkernels_hardware.routing._fractional_angles import fold_rzz_angles
from qkernels_hardware.routing._fractional_checks import check_fractional_options, check_rzz_values, fold_fixed_angles
from tests.oracle.random_circuits import random_circuit, random_inputs

SEAMS = [0.0, pi / 2, -pi / 2, pi, -pi, 3 * pi / 2, -3 * pi / 2, 2 * pi, -2 * pi, 5 * pi, 1e-300, -1e-300]


def angles_of(stripped: StrippedCircuit, seed: int, rows: int = 6) -> NDArray[np.float64]:
    """Random rows, rows of multiples of π/2, and one row of huge angles."""
    rng = np.random.default_rng(seed)
    m = len(stripped.angles)
    near = rng.uniform(-9.0, 9.0, (rows, m))
    seams = rng.choice(SEAMS, (rows, m))
    huge = rng.uniform(-1e9, 1e9, (1, m))
    return np.concatenate([near, seams, huge])


def largest_difference(one: QuantumCircuit, other: QuantumCircuit) -> float:
    """Largest entry of the difference of two unitaries, after their phases are made equal."""
    a, b = Operator(one).data, Operator(other).data
    overlap = np.vdot(b, a)
    return float(np.abs(a - b * overlap / abs(overlap)).max()) if abs(overlap) > 0 else 1.0


def assert_same_unitaries(stripped: StrippedCircuit, form: FractionalCircuit, angles: NDArray[np.float64]) -> None:
    for row, values in zip(angles, form.values(angles), strict=True):
        assert largest_difference(stripped.bind(row), form.circuit.assign_parameters(values)) < 1e-10


def assert_legal(circuit: QuantumCircuit, values: NDArray[np.float64]) -> None:
    """Bind every row and look at the numbers, without the code under test."""
    for row in values:
        bound = circuit.assign_parameters(row)
        angles = [float(item.params[0]) for item in bound.data if item.operation.name == "rzz"]
        assert all(0.0 <= angle <= pi / 2 for angle in angles)


def overlap_of(feature_map: FeatureMap, num_features: int, *, barrier: bool) -> QuantumCircuit:
    return overlap_circuit(feature_map.build(num_features), feature_map.parameter_vector(num_features), barrier=barrier)


def ising_map() -> CircuitMap:
    """A user's circuit: trainable-looking fixed angles, RY between RZZ layers, other axes, CX and SWAP."""
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    circuit.rzz(0.3 * x[0], 0, 1)
    circuit.ry(x[1], [0, 1])
    circuit.ry(0.4, 2)
    circuit.rzz(2 * x[0] * x[1], 1, 0)
    circuit.rxx(x[2] - 4.0, 1, 2)
    circuit.rzz(2.5, 0, 2)
    circuit.swap(0, 2)
    circuit.rzz(x[1], 0, 1)
    circuit.cx(1, 0)
    circuit.crz(x[2], 0, 2)
    return CircuitMap(circuit, x)


MAPS = {
    "zz-linear": (ZZFeatureMap(), 4),
    "zz-linear-rzz": (ZZFeatureMap(gate="rzz"), 4),
    "zz-havlicek": (ZZFeatureMap(data_map="havlicek", reps=1), 3),
    "zz-full": (ZZFeatureMap(entanglement="full"), 4),
    "zz-circular": (ZZFeatureMap(entanglement="circular", reps=3), 4),
    "zz-pairwise": (ZZFeatureMap(entanglement="pairwise"), 5),
    "pauli": (PauliFeatureMap(paulis=("Z", "XY", "ZZZ")), 3),
    "cpmap": (CPMap(), 5),
    "circuit-map": (ising_map(), 3),
}


@pytest.mark.parametrize("merge", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("barrier", [False, True], ids=["open", "barrier"])
@pytest.mark.parametrize(("feature_map", "num_features"), MAPS.values(), ids=MAPS)
def test_overlap_circuits_keep_their_unitary(
    feature_map: FeatureMap, num_features: int, barrier: bool, merge: bool
) -> None:
    stripped = strip_phases(overlap_of(feature_map, num_features, barrier=barrier))
    form = fractional_form(stripped, merge=merge)
    angles = angles_of(stripped, seed=1, rows=3)
    assert_same_unitaries(stripped, form, angles)
    assert_legal(form.circuit, form.values(angles))


SOLE_GATES = {
    "rzz": lambda c, a: c.rzz(a, 0, 1),
    "rzz-reversed": lambda c, a: c.rzz(a, 1, 0),
    "rzz-negated": lambda c, a: c.rzz(-a, 0, 1),
    "rzz-scaled": lambda c, a: c.rzz(1.7 * a - 0.3, 0, 1),
    "rxx": lambda c, a: c.rxx(a, 0, 1),
    "ryy": lambda c, a: c.ryy(a, 0, 1),
    "rzx": lambda c, a: c.rzx(a, 0, 1),
    "crx": lambda c, a: c.crx(a, 0, 1),
    "cry": lambda c, a: c.cry(a, 1, 0),
    "crz": lambda c, a: c.crz(a, 0, 1),
    "crz-open": lambda c, a: c.crz(a, 0, 1, ctrl_state=0),
    "cp": lambda c, a: c.cp(a, 0, 1),
    "xx-plus-yy": lambda c, a: c.append(_xx_plus_yy(a), [0, 1]),
    "cx-rz-cx": lambda c, a: (c.cx(0, 1), c.rz(a, 1), c.cx(0, 1)),
    "cx-p-cx": lambda c, a: (c.cx(1, 0), c.p(a, 0), c.cx(1, 0)),
}


def _xx_plus_yy(angle: Parameter) -> XXPlusYYGate:
    return XXPlusYYGate(angle, 0.7)


@pytest.mark.parametrize("append", SOLE_GATES.values(), ids=SOLE_GATES)
def test_one_gate_at_every_seam(append: object) -> None:
    circuit = QuantumCircuit(2)
    append(circuit, Parameter("a"))  # type: ignore[operator]
    stripped = strip_phases(circuit)
    form = fractional_form(stripped, merge=False)
    one = np.array([*SEAMS, 0.3, -0.3, 2.0, -2.0, 4.0, -4.0, 1e6, -1e6])
    angles = np.tile(one[:, None], (1, len(stripped.angles)))
    assert_same_unitaries(stripped, form, angles)
    assert_legal(form.circuit, form.values(angles))
    wide = [item for item in form.circuit.data if len(item.qubits) == 2 and item.params]
    assert {item.operation.name for item in wide} <= {"rzz"}  # a transpiler may write others as RZZ of any angle


def random_ising(seed: int) -> QuantumCircuit:
    """Random gates of every kind that the rewriting knows, and some that it does not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    circuit = QuantumCircuit(n)
    fresh = iter(ParameterVector("a", 60))
    one = ["h", "sx", "sxdg", "x", "y", "z", "s", "sdg", "t", "id"]
    turns = ["rx", "ry", "rz", "p"]
    pairs = ["cx", "cz", "swap", "ecr", "iswap", "cy"]
    double = ["rzz"] * 8 + ["rxx", "ryy", "rzx", "crx", "cry", "crz", "cp"]
    for _ in range(25):
        kind = rng.choice(["one", "turn", "fixed turn", "pair", "double", "fixed double", "rest"], p=_WEIGHTS)
        q = [int(k) for k in rng.permutation(n)]
        angle = next(fresh) if kind in ("turn", "double") else float(rng.choice([rng.uniform(-7, 7), *SEAMS]))
        if kind == "one":
            getattr(circuit, rng.choice(one))(q[0])
        elif "turn" in kind:
            getattr(circuit, rng.choice(turns))(angle, q[0])
        elif kind == "pair":
            getattr(circuit, rng.choice(pairs))(q[0], q[1])
        elif "double" in kind:
            getattr(circuit, rng.choice(double))(angle, q[0], q[1])
        elif rng.random() < 0.5:
            circuit.barrier(q[: int(rng.integers(1, n + 1))])
        else:
            circuit.unitary(random_unitary(4, seed=int(rng.integers(1000))), q[:2])
    return circuit


_WEIGHTS = [0.2, 0.15, 0.1, 0.12, 0.3, 0.08, 0.05]


@pytest.mark.parametrize("merge", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("seed", range(30))
def test_random_circuits_keep_their_unitary(seed: int, merge: bool) -> None:
    stripped = strip_phases(random_ising(seed))
    form = fractional_form(stripped, merge=merge)
    angles = angles_of(stripped, seed, rows=2)
    assert_same_unitaries(stripped, form, angles)
    assert_legal(form.circuit, form.values(angles))


# Seeds whose circuits hold an entangling gate and no RV, which phase stripping refuses.
@pytest.mark.parametrize("seed", [0, 6, 7, 9, 10, 12, 16, 20, 21, 22, 24, 25, 26, 29, 32, 38, 41, 43, 44, 52])
def test_any_gate_of_qiskit_passes(seed: int) -> None:
    circuit, parameters = random_circuit(seed, max_qubits=4, max_instructions=20)
    clean = circuit.copy_empty_like()  # without measurements and preparations, which have no unitary
    for item in circuit.data:
        if item.operation.name not in ("measure", "initialize", "reset"):
            clean.append(item.operation, item.qubits)
    stripped = strip_phases(clean)
    form = fractional_form(stripped, merge=True)
    for row in random_inputs(2, len(parameters), seed):
        values = dict(zip(parameters, row, strict=True))
        numbers = [float(e.bind({p: values[p] for p in e.parameters}).numeric()) for e in stripped.expressions]
        assert_same_unitaries(stripped, form, np.array([numbers]).reshape(1, -1))


def test_rzz_counts_of_the_linear_map() -> None:
    """Two CX per pair and layer become one RZZ; without a barrier the two layers in the middle become one."""
    for d in range(4, 9):
        for barrier, merge, expected in ((True, True, 4), (False, False, 4), (False, True, 3)):
            form = fractional_form(strip_phases(overlap_of(ZZFeatureMap(), d, barrier=barrier)), merge=merge)
            assert form.circuit.num_nonlocal_gates() == form.circuit.count_ops()["rzz"] == expected * (d - 1)


def test_the_merged_linear_map_needs_no_pulse_for_its_signs() -> None:
    form = fractional_form(strip_phases(overlap_of(ZZFeatureMap(), 6, barrier=False)), merge=True)
    assert set(form.circuit.count_ops()) == {"h", "rz", "rzz"}


def test_the_barrier_costs_one_pulse_per_pair() -> None:
    form = fractional_form(strip_phases(overlap_of(ZZFeatureMap(), 6, barrier=True)), merge=True)
    assert form.circuit.count_ops()["rx"] == 5


def test_a_sum_of_two_rzz_is_one_gate_only_where_they_touch() -> None:
    a, b = Parameter("a"), Parameter("b")
    counts = []
    for between in ("nothing", "rz", "barrier", "rx", "x", "cx"):
        circuit = QuantumCircuit(2)
        circuit.rzz(a, 0, 1)
        if between == "barrier":
            circuit.barrier()
        elif between == "cx":
            circuit.cx(0, 1)
        elif between == "x":
            circuit.x(0)
        elif between != "nothing":
            getattr(circuit, between)(0.3, 0)
        circuit.rzz(-b, 1, 0)
        counts.append(fractional_form(strip_phases(circuit), merge=True).circuit.count_ops()["rzz"])
    assert counts == [1, 1, 2, 2, 2, 2]


def test_a_kernel_entry_of_equal_rows_has_zero_angles_in_the_middle() -> None:
    circuit = overlap_of(ZZFeatureMap(reps=1), 2, barrier=False)
    stripped = strip_phases(circuit)
    form = fractional_form(stripped, merge=True)
    values = dict.fromkeys(circuit.parameters, 0.7)
    numbers = [float(e.bind({p: values[p] for p in e.parameters}).numeric()) for e in stripped.expressions]
    (rzz,) = [form.parameters.index(i.params[0]) for i in form.circuit.data if i.operation.name == "rzz"]
    assert form.values(np.array([numbers]))[0, rzz] == 0.0


def test_fixed_angles_become_numbers() -> None:
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.rzz(2.5, 0, 1)
    circuit.h([0, 1])
    stripped = strip_phases(circuit)
    form = fractional_form(stripped, merge=False)
    assert form.parameters == ()
    assert form.values(np.empty((3, 0))).shape == (3, 0)
    (angle,) = [item.params[0] for item in form.circuit.data if item.operation.name == "rzz"]
    assert angle == pytest.approx(pi - 2.5)
    assert largest_difference(circuit, form.circuit) < 1e-12


def test_a_pattern_with_something_between_stays() -> None:
    circuit = QuantumCircuit(2)
    for gate in (lambda: circuit.rx(0.2, 1), lambda: circuit.barrier(), lambda: circuit.x(0)):
        circuit.cx(0, 1)
        gate()
        circuit.rz(Parameter(f"a{len(circuit.data)}"), 1)
        circuit.cx(0, 1)
    form = fractional_form(strip_phases(circuit), merge=False)
    assert form.circuit.count_ops()["cx"] == 6


def test_parameters_are_ours_and_in_order() -> None:
    form = fractional_form(strip_phases(overlap_of(ZZFeatureMap(), 4, barrier=False)), merge=False)
    assert list(form.circuit.parameters) == list(form.parameters)
    assert len(form.parameters) > 10
    assert all(p.name.startswith("qk_") for p in form.parameters)


def test_two_forms_side_by_side() -> None:
    stripped = strip_phases(overlap_of(ZZFeatureMap(), 2, barrier=False))
    forms = [fractional_form(stripped, merge=True, name=f"qk_tile{k}") for k in (0, 1)]
    both = QuantumCircuit(4)
    both.compose(forms[0].circuit, [0, 1], inplace=True)
    both.compose(forms[1].circuit, [2, 3], inplace=True)
    assert both.num_parameters == 2 * len(forms[0].parameters)


def test_measurements_and_delays_are_kept() -> None:
    length = Parameter("length")
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.rzz(Parameter("a"), 0, 1)
    circuit.append(Delay(length, "dt"), [0])
    circuit.measure([0, 1], [1, 0])
    stripped = strip_phases(circuit)
    form = fractional_form(stripped, merge=True)
    ends = [
        (form.circuit.find_bit(i.qubits[0]).index, form.circuit.find_bit(i.clbits[0]).index)
        for i in form.circuit.data
        if i.operation.name == "measure"
    ]
    assert ends == [(0, 1), (1, 0)]
    (delay,) = [i for i in form.circuit.data if i.operation.name == "delay"]
    values = form.values(np.array([[0.5, 100.0]]))
    assert values[0, form.parameters.index(delay.params[0])] == 100.0


def test_legal_angles_are_not_touched() -> None:
    angles = np.random.default_rng(0).uniform(0.0, pi / 2, 1000)
    folded, negative, odd = fold_rzz_angles(angles)
    assert (folded == angles).all()
    assert not negative.any()
    assert not odd.any()


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e6, 1e12, 1e18], ids=str)
def test_folding_is_exact_for_angles_of_any_size(scale: float) -> None:
    angles = np.concatenate([np.random.default_rng(1).uniform(-scale, scale, 500), scale * np.array(SEAMS)])
    folded, negative, odd = fold_rzz_angles(angles)
    assert ((folded >= 0.0) & (folded <= pi / 2)).all()
    back = np.exp(1j * np.where(negative, -folded, folded)) * np.where(odd, -1.0, 1.0)
    np.testing.assert_allclose(back, np.exp(1j * angles), atol=1e-15)


def test_values_of_a_row_do_not_depend_on_its_neighbours() -> None:
    stripped = strip_phases(overlap_of(ZZFeatureMap(entanglement="full"), 4, barrier=False))
    form = fractional_form(stripped, merge=True)
    angles = angles_of(stripped, seed=2, rows=40)
    together = form.values(angles)
    for k, row in enumerate(angles):
        np.testing.assert_array_equal(form.values(row[None, :])[0], together[k])


def test_values_survive_pickling() -> None:
    stripped = strip_phases(overlap_of(ZZFeatureMap(), 3, barrier=False))
    form = fractional_form(stripped, merge=True)
    angles = angles_of(stripped, seed=3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(form)).values(angles), form.values(angles))


def test_no_rows() -> None:
    stripped = strip_phases(overlap_of(ZZFeatureMap(), 3, barrier=False))
    form = fractional_form(stripped, merge=True)
    assert form.values(np.empty((0, form.num_angles))).shape == (0, len(form.parameters))


def test_wrong_number_of_angles() -> None:
    form = fractional_form(strip_phases(overlap_of(ZZFeatureMap(), 2, barrier=False)), merge=True)
    with pytest.raises(InvalidParameterError, match=r"angles must be of shape \(P, 12\).*got \(3, 5\)"):
        form.values(np.zeros((3, 5)))


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
def test_angles_that_are_not_finite(bad: float) -> None:
    form = fractional_form(strip_phases(overlap_of(ZZFeatureMap(), 2, barrier=False)), merge=True)
    angles = np.zeros((3, form.num_angles))
    angles[1, 2] = bad
    with pytest.raises(InvalidDataError, match=f"row 1 holds {bad} in column 2"):
        form.values(angles)


def test_a_transpiled_circuit_is_refused() -> None:
    stripped = transpile_for(overlap_of(ZZFeatureMap(), 2, barrier=False), fractional_model("five"))
    with pytest.raises(InvalidParameterError, match="has a layout"):
        fractional_form(stripped, merge=True)


def test_an_angle_that_is_not_linear_is_refused() -> None:
    angles = ParameterVector("angle", 1)
    circuit = QuantumCircuit(2)
    circuit.rzz(angles[0] ** 2, 0, 1)
    with pytest.raises(UnsupportedCircuitError, match=r"instruction 'rzz' at position 0.*angle\[0\]\*\*2"):
        fractional_form(StrippedCircuit(circuit, angles, (Parameter("x"),)), merge=True)


def fractional_model(name: str) -> BackendV2:
    """The 5-qubit model of the client, or fake_fez with RZZ and RX beside its own gates."""
    from qiskit_ibm_runtime.fake_provider import FakeFez, FakeFractionalBackend
    from qiskit_ibm_runtime.utils import backend_converter

    knows_limits = hasattr(backend_converter, "rzz_wrapper")  # since 0.48
    if name == "five":
        return FakeFractionalBackend()
    backend = FakeFez()
    target = backend.target
    for gate, like, bounds in (
        (RZZGate(Parameter("theta")), "cz", [(0.0, pi / 2)] if knows_limits else None),
        (RXGate(Parameter("theta")), "sx", None),
    ):
        copied = {q: InstructionProperties(p.duration, p.error) for q, p in target[like].items()}
        target.add_instruction(gate, copied, angle_bounds=bounds)
    return backend


def on_device(circuit: QuantumCircuit, backend: BackendV2) -> QuantumCircuit:
    """As engines do: transpiled with stripped angles, which are then named again by what they stand for."""
    stripped = transpile_for(circuit, backend)
    expressions = dict(zip(stripped.angles, stripped.expressions, strict=True))
    return fold_fixed_angles(stripped.circuit.assign_parameters(expressions, strict=False))


def columns(form: FractionalCircuit, isa: QuantumCircuit, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns of the parameters that the transpiler has kept."""
    return values[:, [form.parameters.index(p) for p in isa.parameters]]


def measured_overlap(
    program: OverlapProgram, *, barrier: bool
) -> tuple[QuantumCircuit, ParameterVector, ParameterVector]:
    logical, a = circuit_of(program.flat)
    b = ParameterVector("b", len(a))
    whole = overlap_circuit(logical, a, b, barrier=barrier)
    whole.add_register(ClassicalRegister(program.num_qubits, "read"))
    whole.measure(range(program.num_qubits), range(program.num_qubits))
    return whole, a, b


def probability_of_zeros(bound: QuantumCircuit) -> float:
    """Of the measured bits of a circuit without free parameters, on the qubits that it uses only."""
    read = {bound.find_bit(i.clbits[0]).index: i.qubits[0] for i in bound.data if i.operation.name == "measure"}
    used = [q for q in bound.qubits if q in read.values() or any(q in i.qubits for i in _gates(bound))]
    small = QuantumCircuit(len(used))
    for item in _gates(bound):
        small.append(item.operation, [used.index(q) for q in item.qubits])
    state = Statevector(small)
    return float(state.probabilities([used.index(read[k]) for k in sorted(read)])[0])


def _gates(circuit: QuantumCircuit) -> list:
    return [i for i in circuit.data if i.operation.name not in ("measure", "barrier")]


@pytest.mark.parametrize("merge", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("barrier", [False, True], ids=["open", "barrier"])
@pytest.mark.parametrize("model", ["five", "fez"])
@pytest.mark.parametrize("name", ["zz-linear", "zz-full", "cpmap", "circuit-map"])
def test_transpiled_overlaps_agree_with_the_statevector_engine(
    name: str, model: str, barrier: bool, merge: bool
) -> None:
    feature_map, d = MAPS[name]
    program = OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d))
    whole, a, b = measured_overlap(program, barrier=barrier)
    stripped = strip_phases(whole)
    form = fractional_form(stripped, merge=merge)
    isa = on_device(form.circuit, fractional_model(model))
    X = np.random.default_rng(5).normal(scale=2.0, size=(3, d))
    rows = program.bind_angles(X)
    pairs = [(0, 1), (2, 0), (1, 1)]
    angles = []
    for i, j in pairs:
        known = {**dict(zip(a, rows[i], strict=True)), **dict(zip(b, rows[j], strict=True))}
        angles.append([float(e.bind({p: known[p] for p in e.parameters}).numeric()) for e in stripped.expressions])
    values = columns(form, isa, form.values(np.array(angles)))
    check_rzz_values(isa, values)
    exact = StatevectorEngine().overlaps(program, X).values
    for (i, j), row in zip(pairs, values, strict=True):
        assert probability_of_zeros(isa.assign_parameters(row)) == pytest.approx(exact[i, j], abs=1e-10)


@pytest.mark.parametrize("model", ["five", "fez"])
@pytest.mark.parametrize("name", [k for k in MAPS if k != "cpmap"])
def test_transpiled_circuits_are_legal_for_every_row(name: str, model: str) -> None:
    from qiskit_ibm_runtime.utils.utils import is_isa_circuit

    feature_map, d = MAPS[name]
    backend = fractional_model(model)
    for merge in (False, True):
        circuit = overlap_of(feature_map, d, barrier=False)
        circuit.measure_all()
        stripped = strip_phases(circuit)
        form = fractional_form(stripped, merge=merge)
        isa = on_device(form.circuit, backend)
        values = columns(form, isa, form.values(angles_of(stripped, seed=6, rows=20)))
        check_rzz_values(isa, values)
        assert is_isa_circuit(isa, backend.target) == ""
        assert_legal(isa, values[::8])


@pytest.mark.parametrize("model", ["five", "fez"])
def test_angles_that_are_not_folded_are_found(model: str) -> None:
    circuit = overlap_of(ZZFeatureMap(gate="rzz", reps=1), 3, barrier=True)
    isa = on_device(circuit, fractional_model(model))
    values = np.full((5, isa.num_parameters), 0.5)
    values[3] = -2.0  # 2·(-2)·(-2) = 8
    with pytest.raises(UnsupportedCircuitError, match=r"instruction 'rzz' on qubits \(\d+, \d+\) at position \d+ has"):
        check_rzz_values(isa, values)


def test_the_message_names_row_and_value() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3)
    circuit.rzz(a, 0, 1)
    circuit.rzz(a - 2 * b, 2, 1)
    check_rzz_values(circuit, np.array([[1.0, 0.5], [pi / 2, 0.0]]))
    with pytest.raises(UnsupportedCircuitError, match=r"qubits \(2, 1\) at position 1 has the angle -0.5 for row 2"):
        check_rzz_values(circuit, np.array([[1.0, 0.5], [pi / 2, 0.0], [0.5, 0.5]]))
    with pytest.raises(UnsupportedCircuitError, match=r"qubits \(0, 1\) at position 0 has the angle 1.6 for row 0"):
        check_rzz_values(circuit, np.array([[1.6, 0.5]]))


@pytest.mark.parametrize("angle", [-1e-12, 1.6], ids=str)
def test_a_fixed_angle_out_of_range_is_found(angle: float) -> None:
    circuit = QuantumCircuit(2)
    circuit.rzz(angle, 0, 1)
    with pytest.raises(UnsupportedCircuitError, match=f"the angle {angle} for every row"):
        check_rzz_values(circuit, np.empty((0, 0)))


def test_the_limits_themselves_are_legal() -> None:
    circuit = QuantumCircuit(2)
    circuit.rzz(Parameter("a"), 0, 1)
    check_rzz_values(circuit, np.array([[0.0], [pi / 2], [pi / 2 + 1e-11]]))


def test_fixed_angles_are_folded_in_a_transpiled_circuit() -> None:
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    for angle in (0.3, -0.3, 2.0, -2.0, 4.0, 7.0, pi, -pi / 2):
        circuit.rzz(angle, 1, 0)
        circuit.rx(0.4, [0, 1])
    folded = fold_fixed_angles(circuit)
    check_rzz_values(folded, np.empty((1, 0)))
    assert largest_difference(circuit, folded) < 1e-12


def test_folding_fixed_angles_keeps_layout_and_free_angles() -> None:
    isa = transpile_for(overlap_of(ZZFeatureMap(gate="rzz"), 3, barrier=False), fractional_model("fez")).circuit
    isa.rzz(-0.5, 4, 5)
    folded = fold_fixed_angles(isa)
    assert folded.layout is isa.layout
    assert folded.layout is not None
    assert folded.parameters == isa.parameters


def test_a_circuit_without_such_angles_is_returned_as_it_is() -> None:
    circuit = QuantumCircuit(2)
    circuit.rzz(0.5, 0, 1)
    assert fold_fixed_angles(circuit) is circuit


def test_values_of_another_shape_are_refused() -> None:
    circuit = QuantumCircuit(2)
    circuit.rzz(Parameter("a"), 0, 1)
    with pytest.raises(InvalidParameterError, match=r"values must be of shape \(P, 1\).*got \(2, 3\)"):
        check_rzz_values(circuit, np.zeros((2, 3)))


CLASHES = {
    "twirling": ({"twirling": {"enable_gates": True}}, "twirling.enable_gates"),
    "pec": ({"resilience": {"pec_mitigation": True}}, "PEC"),
    "pea": ({"resilience": {"zne_mitigation": True, "zne": {"amplifier": "pea"}}}, "amplifier 'pea'"),
    "folding": ({"resilience": {"zne_mitigation": True}}, "amplifier 'gate_folding'"),
    "level-2": ({"resilience_level": 2}, "resilience_level=2 .gate twirling.* and resilience_level=2 .ZNE"),
    "level-2-no-zne": ({"resilience_level": 2, "resilience": {"zne_mitigation": False}}, "gate twirling, unless"),
}


@pytest.mark.parametrize(("options", "named"), CLASHES.values(), ids=CLASHES)
def test_options_that_clash_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidParameterError, match=named):
        check_fractional_options(options)


COMPATIBLE = {
    "none": {},
    "measurement": {"twirling": {"enable_measure": True, "enable_gates": False}},
    "decoupling": {"dynamical_decoupling": {"enable": True}, "default_shots": 100},
    "trex": {"resilience_level": 1, "resilience": {"measure_mitigation": True, "zne_mitigation": None}},
    "level-2-bare": {
        "resilience_level": 2,
        "twirling": {"enable_gates": False},
        "resilience": {"zne_mitigation": False},
    },
}


@pytest.mark.parametrize("options", COMPATIBLE.values(), ids=COMPATIBLE)
def test_other_options_pass(options: dict[str, object]) -> None:
    check_fractional_options(options)


def test_options_may_hold_the_clients_own_objects() -> None:
    models = pytest.importorskip("qiskit_ibm_runtime.options_models", reason="the client has them since 0.49")
    with pytest.raises(InvalidParameterError, match=r"twirling\.enable_gates"):
        check_fractional_options({"twirling": models.TwirlingOptions(enable_gates=True)})
