"""MPSEngine against dense simulation, closed forms, and an independent transfer matrix at 165 qubits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterExpression, ParameterVector
from qiskit.circuit import library as lib
from qiskit.quantum_info import random_unitary
from sklearn.base import clone

from qkernels._errors import BudgetError, InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import Engine, MPSEngine, StatevectorEngine
from qkernels.feature_maps import FeatureMap, HamiltonianMap, PauliFeatureMap, SeparableMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.oracle import oracle_expectations, oracle_overlaps

Real = NDArray[np.float64]

TOLERANCE = 1e-12
"""The contract asks for 1e-10; these circuits are small."""


def program_of(feature_map: FeatureMap, d: int) -> OverlapProgram:
    circuit = feature_map.build(d)
    return OverlapProgram(circuit, circuit.parameters)


def data(rows: int, d: int, seed: int = 0, scale: float = 1.0) -> Real:
    return np.random.default_rng(seed).normal(size=(rows, d)) * scale


def site_shapes(program: OverlapProgram | ExpectationProgram, rows: int = 3) -> list[tuple[int, ...]]:
    """Shapes of the tensors that are really made, without the sample axis."""
    states = MPSEngine().prepare(program, data(rows, program.num_features)).data
    return [site.shape[1:] for site in states.sites]  # type: ignore[attr-defined]


class MatrixOnly(Gate):  # type: ignore[misc]
    """A two-qubit gate of operator-Schmidt rank 4 that has a matrix once bound, and no definition."""

    def __init__(self, angle: ParameterExpression) -> None:
        super().__init__("matrix_only", 2, [angle])

    def __array__(self, dtype: object = None, copy: object = None) -> NDArray[np.complex128]:
        rng = np.random.default_rng(2)
        generator = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        values, vectors = np.linalg.eigh(generator + generator.conj().T)
        return np.asarray((vectors * np.exp(1j * float(self.params[0]) * values)) @ vectors.conj().T)


def every_gate() -> QuantumCircuit:
    """Neighbour gates of every kind, in both directions, on 5 qubits; each data angle differs."""
    x = ParameterVector("x", 14)
    c = QuantumCircuit(5)
    for q in range(5):
        c.u(0.4 + q, x[q] * 1.1, 0.3 - q, q)
    c.cx(0, 1)
    c.cx(3, 2)
    c.rzz(x[5], 2, 1)
    c.rxx(x[6], 3, 4)
    c.ryy(x[7] * x[5], 3, 2)
    c.barrier()
    c.cp(x[8], 1, 0)
    c.crx(x[9], 1, 2)
    c.cry(x[9] - x[0], 4, 3)
    c.crz(x[10], 0, 1)
    c.rzx(x[11], 2, 1)
    c.id(3)
    c.cu(x[12], 0.3, x[13], 0.1, 3, 2)
    c.swap(1, 2)
    c.iswap(3, 4)
    c.append(lib.RXGate(x[3]).control(1, ctrl_state=0), [2, 1])
    c.unitary(random_unitary(4, seed=3), [4, 3])
    c.append(MatrixOnly(x[4]), [1, 0])
    c.append(lib.RVGate(x[4], 0.3, x[8]), [2])
    c.append(lib.XXPlusYYGate(x[2], 0.4), [1, 2])
    c.ecr(2, 3)
    for q in range(5):
        c.rx(x[13 - q], q)
    return c


def generic(depth: int, n: int) -> QuantumCircuit:
    x = ParameterVector("x", n)
    c = QuantumCircuit(n)
    for layer in range(depth):
        for q in range(n):
            c.ry(x[(q + layer) % n], q)
            c.rz(x[q] ** 2, q)
        for q in range(layer % 2, n - 1, 2):
            c.cx(q + layer % 3 % 2, q + 1 - layer % 3 % 2)
    return c


CIRCUITS = {
    "zz-1-qubit": ZZFeatureMap().build(1),
    "zz-2-qubits": ZZFeatureMap().build(2),
    "zz-reps-1": ZZFeatureMap(reps=1).build(5),
    "zz-reps-2": ZZFeatureMap().build(6),
    "zz-reps-3": ZZFeatureMap(reps=3).build(6),
    "zz-rzz": ZZFeatureMap(gate="rzz").build(5),
    "zz-havlicek": ZZFeatureMap(data_map="havlicek").build(4),
    "zz-pairwise": ZZFeatureMap(reps=3, entanglement="pairwise").build(5),
    "zz-reverse": ZZFeatureMap(entanglement="reverse_linear").build(5),
    "separable": SeparableMap().build(4),
    "separable-1-qubit": SeparableMap().build(1),
    "hamiltonian": HamiltonianMap(reps=2).build(5),
    "pauli-paulis": PauliFeatureMap(paulis=["Z", "XX", "YZ"], entanglement="linear").build(4),
    "every-gate": every_gate(),
    "deep": generic(9, 6),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_overlaps_agree_with_dense_states(name: str) -> None:
    circuit = CIRCUITS[name]
    d = len(circuit.parameters)
    X, Y = data(4, d, 1), data(3, d, 2)
    program = OverlapProgram(circuit, circuit.parameters)
    engine = MPSEngine()
    reference = oracle_overlaps(circuit, circuit.parameters, X, Y)
    assert np.abs(engine.overlaps(program, X, Y).values - reference).max() < TOLERANCE
    gram = engine.overlaps(program, X).values
    assert np.abs(gram - oracle_overlaps(circuit, circuit.parameters, X)).max() < TOLERANCE
    pairs = np.array([[0, 2], [3, 1], [3, 0]])
    single = engine.overlaps(program, X, Y, pairs=pairs).values
    assert np.abs(single - reference[pairs[:, 0], pairs[:, 1]]).max() < TOLERANCE


@pytest.mark.parametrize("name", CIRCUITS)
def test_expectations_agree_with_dense_states(name: str) -> None:
    circuit = CIRCUITS[name]
    n, d = circuit.num_qubits, len(circuit.parameters)
    X = data(4, d, 3)
    rng = np.random.default_rng(4)
    labels = ["I" * n, "Z" + "I" * (n - 1), "I" * (n - 1) + "Y"]
    labels += ["".join(rng.choice(list("IXYZ"), n)) for _ in range(8)]
    program = ExpectationProgram(circuit, circuit.parameters, observables=labels)
    values = MPSEngine().expectations(program, X).values
    assert np.abs(values - oracle_expectations(circuit, labels, circuit.parameters, X)).max() < TOLERANCE


@pytest.mark.parametrize("num_rows", [1, 2, 3, 211], ids=lambda n: f"{n}-rows")
def test_any_number_of_rows(num_rows: int) -> None:
    """211 rows are several blocks with a remainder; fewer rows than threads are tiles of one row."""
    circuit = CIRCUITS["zz-rzz"]
    X, Y = data(num_rows, 5, 5), data(2, 5, 6)
    program = OverlapProgram(circuit, circuit.parameters)
    reference = oracle_overlaps(circuit, circuit.parameters, X, Y)
    assert np.abs(MPSEngine().overlaps(program, X, Y).values - reference).max() < TOLERANCE
    assert np.abs(MPSEngine().overlaps(program, Y, X).values - reference.T).max() < TOLERANCE


def test_gram_over_several_blocks_equals_cross_block() -> None:
    program = program_of(ZZFeatureMap(), 12)
    X = data(301, 12, 7, scale=0.3)
    gram = MPSEngine().overlaps(program, X).values
    assert np.array_equal(gram, gram.T)
    assert np.abs(gram - MPSEngine().overlaps(program, X, X + 0.0).values).max() < TOLERANCE
    assert np.abs(gram - StatevectorEngine().overlaps(program, X).values).max() < 1e-10


# Bonds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", ["p", "rzz"])
@pytest.mark.parametrize(("reps", "bond"), [(1, 2), (2, 4), (3, 8)])
def test_bond_of_zz_linear(reps: int, bond: int, gate: str) -> None:
    circuit = ZZFeatureMap(reps=reps, gate=gate).build(12)  # type: ignore[arg-type]
    program = ExpectationProgram(circuit, circuit.parameters, observables="Z" * 12)
    assert MPSEngine().bond_dimension(program) == bond
    shapes = site_shapes(program)
    assert [left for left, _, _ in shapes] == [min(bond, 2**q, 2 ** (12 - q)) for q in range(12)]
    assert all(d == 2 for _, d, _ in shapes)


def test_ends_of_an_overlap_state_are_merged() -> None:
    shapes = site_shapes(program_of(ZZFeatureMap(), 30))
    assert shapes[0] == (1, 32, 4)
    assert shapes[-1] == (4, 32, 1)
    assert set(shapes[1:-1]) == {(4, 2, 4)}
    assert len(shapes) == 22


@pytest.mark.parametrize("name", CIRCUITS)
def test_bond_never_exceeds_what_the_ends_allow(name: str) -> None:
    circuit = CIRCUITS[name]
    n = circuit.num_qubits
    program = ExpectationProgram(circuit, circuit.parameters, observables="Z" * n)
    for q, (left, _, right) in enumerate(site_shapes(program)):
        assert left <= 2 ** min(q, n - q)
        assert right <= 2 ** min(q + 1, n - q - 1)


def on_the_middle_pair(gates: list[str]) -> QuantumCircuit:
    """Gates between qubits 1 and 2 of four; phases on the outer pairs let the middle bond grow to 4."""
    x = ParameterVector("x", 4)
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    circuit.rzz(x[0], 0, 1)
    circuit.rzz(x[1], 2, 3)
    circuit.rx(0.4, range(4))
    for i, gate in enumerate(gates):
        name, *qubits = gate.split()
        angle = () if name in ("cx", "cz", "swap") else (x[i % 4],)
        getattr(circuit, name)(*angle, *(int(q) for q in qubits))
    for q in range(4):
        circuit.rx(x[q], q)
    return circuit


@pytest.mark.parametrize(
    ("gates", "bond"),
    [
        (["cx 1 2"], 2),
        (["cx 2 1"], 2),
        (["cz 1 2"], 2),
        (["rxx 1 2"], 2),
        (["ryy 1 2"], 2),
        (["crx 2 1"], 2),
        (["cx 1 2", "cx 1 2"], 1),
        (["cx 1 2", "rz 2", "cx 1 2"], 2),
        (["cp 1 2", "rz 1", "rzz 2 1"], 2),
        (["rzz 1 2", "rzz 2 3", "rz 2", "rzz 1 2", "rzz 0 1", "cx 2 1", "rz 1", "cx 2 1"], 2),
        (["rxx 1 2", "rx 1", "rxx 1 2"], 2),
        (["rxx 1 2", "rz 1", "rxx 1 2"], 2),
        (["rxx 1 2", "rz 1", "rz 2", "rxx 1 2"], 4),
        (["rxx 1 2", "ryy 1 2", "rzz 1 2"], 4),
        (["swap 1 2"], 4),
    ],
    ids=lambda v: ",".join(v).replace(" ", "") if isinstance(v, list) else str(v),
)
def test_gates_on_one_pair_join_before_they_cost_a_bond(gates: list[str], bond: int) -> None:
    circuit = on_the_middle_pair(gates)
    program = OverlapProgram(circuit, circuit.parameters)
    observed = ExpectationProgram(circuit, circuit.parameters, observables="ZZZZ")
    assert site_shapes(observed)[2][0] == bond
    X = data(3, len(circuit.parameters), 8)
    reference = oracle_overlaps(circuit, circuit.parameters, X)
    assert np.abs(MPSEngine().overlaps(program, X).values - reference).max() < TOLERANCE


def test_gates_after_the_data_cancel_in_overlaps_only() -> None:
    circuit = SeparableMap().build(4)
    for q in range(3):
        circuit.cx(q, q + 1)
    assert MPSEngine().bond_dimension(OverlapProgram(circuit, circuit.parameters)) == 1
    program = ExpectationProgram(circuit, circuit.parameters, observables="ZZIX")
    assert MPSEngine().bond_dimension(program) == 2
    X = data(3, 4, 9)
    reference = oracle_expectations(circuit, ["ZZIX"], circuit.parameters, X)
    assert np.abs(MPSEngine().expectations(program, X).values - reference).max() < TOLERANCE


@pytest.mark.parametrize("n", [1, 2, 6])
def test_states_that_do_not_depend_on_the_data(n: int) -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(n)
    circuit.p(x[0], 0)
    circuit.ry(0.4, range(n))
    if n > 1:
        circuit.cx(0, 1)
    circuit.p(x[0], 0)
    circuit.p(-x[0], 0)
    X = data(5, 1, 10)
    program = OverlapProgram(circuit, x)
    assert np.abs(MPSEngine().overlaps(program, X).values - 1.0).max() < TOLERANCE
    assert np.abs(MPSEngine().overlaps(program, X, X[:2] + 1.0).values - 1.0).max() < TOLERANCE
    observed = ExpectationProgram(circuit, x, observables="I" * (n - 1) + "Z")
    assert np.abs(MPSEngine().expectations(observed, X).values - np.cos(0.4)).max() < TOLERANCE


# Many qubits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [40, 165])
def test_separable_map_equals_its_closed_form(d: int) -> None:
    X, Y = data(5, d, 11, scale=0.3), data(4, d, 12, scale=0.3)
    expected = np.prod(np.cos((X[:, None] - Y[None]) / 2) ** 2, axis=2)
    values = MPSEngine().overlaps(program_of(SeparableMap(), d), X, Y).values
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=0.0)


def zz_linear_overlap(x: Real, y: Real) -> float:
    """|⟨y|x⟩|² for ZZFeatureMap(reps=2, linear, product) by a sum over bit strings, qubit by qubit.

    |x⟩ = 2^(−d) Σ_s Σ_z D(s) (−1)^(s·z) D(z) |s⟩ with D(z) = exp(2i Σ_q x_q z_q + 2i Σ_q x_q x_{q+1} (z_q ⊕ z_{q+1})).
    The running sum has one entry for each (s_q, z_q of the ket, z_q of the bra).
    """
    bits = np.array([0, 1])
    xor = bits[:, None] ^ bits[None, :]
    hadamard = 1.0 - 2.0 * (bits[:, None] & bits[None, :])
    total = np.ones((1, 1, 1), dtype=complex)
    for q in range(len(x)):
        single_x, single_y = np.exp(2j * x[q] * bits), np.exp(-2j * y[q] * bits)
        if q:
            pair_x = np.exp(2j * x[q - 1] * x[q] * xor)
            pair_y = np.exp(-2j * y[q - 1] * y[q] * xor)
            total = np.einsum("szw,st,zu,wv->tuv", total, pair_x * pair_y, pair_x, pair_y)
        total = total * (single_x * single_y)[:, None, None] * single_x[:, None] * single_y
        total = total * hadamard[:, :, None] * hadamard[:, None, :] / 4
    return float(abs(total.sum()) ** 2)


@pytest.mark.parametrize(
    ("d", "scale"), [(6, 1.0), (43, 0.1), (165, 0.04), (165, 0.5)], ids=["6", "43", "165", "165-tiny"]
)
def test_zz_linear_equals_an_independent_transfer_matrix(d: int, scale: float) -> None:
    X, Y = data(3, d, 13, scale), data(2, d, 14, scale)
    expected = np.array([[zz_linear_overlap(x, y) for y in Y] for x in X])
    values = MPSEngine().overlaps(program_of(ZZFeatureMap(), d), X, Y).values
    assert np.isfinite(values).all()
    assert np.abs(values - expected).max() < 1e-10
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_the_transfer_matrix_of_these_tests_is_right() -> None:
    circuit = ZZFeatureMap().build(5)
    X = data(2, 5, 15)
    dense = oracle_overlaps(circuit, circuit.parameters, X)
    assert abs(zz_linear_overlap(X[0], X[1]) - dense[0, 1]) < TOLERANCE


def test_expectations_at_100_qubits() -> None:
    """⟨X_0⟩ and a product over the whole line for RY angles followed by nothing else: sines and cosines."""
    d = 100
    x = ParameterVector("x", d)
    circuit = QuantumCircuit(d)
    for q in range(d):
        circuit.ry(x[q], q)
    X = data(3, d, 16, scale=0.1)
    program = ExpectationProgram(circuit, x, observables=["I" * (d - 1) + "X", "Z" * d])
    values = MPSEngine().expectations(program, X).values
    assert np.abs(values[:, 0] - np.sin(X[:, 0])).max() < TOLERANCE
    assert np.abs(values[:, 1] - np.cos(X).prod(axis=1)).max() < TOLERANCE


# Refusals -------------------------------------------------------------------------------------------------------


def with_gate(name: str, *arguments: object) -> QuantumCircuit:
    circuit = SeparableMap().build(4)  # 8 gates
    getattr(circuit, name)(*arguments)
    return circuit


@pytest.mark.parametrize(
    ("name", "arguments", "pattern"),
    [
        ("cx", (0, 2), r"'cx' on qubits \(0, 2\), position 8 .*not neighbours"),
        ("rzz", (0.3, 3, 0), r"'rzz' on qubits \(3, 0\), position 8 .*not neighbours"),
        ("ccx", (0, 1, 2), r"'ccx' on qubits \(0, 1, 2\), position 8 .*acts on 3 qubits"),
        ("unitary", (random_unitary(8, seed=1), [1, 2, 3]), r"'unitary' on qubits \(1, 2, 3\), .*3 qubits"),
    ],
    ids=["cx", "rzz", "ccx", "unitary"],
)
def test_refused_gates_are_named_with_their_position(name: str, arguments: tuple[object, ...], pattern: str) -> None:
    circuit = with_gate(name, *arguments)
    program = OverlapProgram(circuit, circuit.parameters)
    engine = MPSEngine()
    for call in (engine.prepare, engine.overlaps, engine.plan):
        with pytest.raises(UnsupportedCircuitError, match=pattern) as caught:
            call(program, data(2, 4))
        assert "StatevectorEngine" in str(caught.value)


def test_a_deep_circuit_is_refused_before_anything_is_evolved() -> None:
    program = program_of(ZZFeatureMap(reps=60), 100)
    engine = MPSEngine(memory_limit=1 << 30)
    plan = engine.plan(program, 5)
    assert not plan.feasible
    assert f"bond dimension is {2**50}" in plan.reason  # 60 gates on the middle bond, cut to 2^min(k, n - k)
    for call in (engine.overlaps, engine.prepare):
        with pytest.raises(BudgetError, match=r"bond dimension is \d+.*fewer repetitions"):
            call(program, data(5, 100))


def test_too_many_rows_are_refused_with_both_numbers() -> None:
    with pytest.raises(BudgetError, match=r"memory_limit of MPSEngine is 100\.0 MiB.*number of rows") as caught:
        MPSEngine(memory_limit=100 << 20).overlaps(program_of(SeparableMap(), 30), data(6000, 30))
    assert "6000 rows" in str(caught.value)


def test_states_that_do_not_fit_at_once_are_evolved_in_stripes() -> None:
    program = program_of(ZZFeatureMap(), 30)
    X, Y = data(2500, 30, 17, 0.1), data(2, 30, 18, 0.1)
    small = 3 * 2**20 + MPSEngine().plan(program, 2, 2).memory_bytes  # a few hundred states of 2500
    assert MPSEngine().plan(program, 2500, 2).memory_bytes > small
    striped = MPSEngine(memory_limit=small).overlaps(program, X, Y).values
    assert np.abs(striped - MPSEngine().overlaps(program, X, Y).values).max() < TOLERANCE


# Contract -------------------------------------------------------------------------------------------------------


def test_plan_counts_without_evaluating() -> None:
    program = program_of(ZZFeatureMap(), 30)
    plan = MPSEngine().plan(program, 569)
    assert plan.feasible
    assert (plan.num_qubits, plan.circuits, plan.entries) == (30, 569, 569 * 568 // 2)
    assert "MPSEngine" in str(plan)


def test_prepared_states_are_used_and_belong_to_this_engine() -> None:
    program = program_of(ZZFeatureMap(), 5)
    X, Y = data(4, 5, 19), data(2, 5, 20)
    prepared = MPSEngine().prepare(program, X)
    assert prepared.nbytes > 0
    expected = MPSEngine().overlaps(program, Y, X).values
    assert np.abs(MPSEngine().overlaps(program, Y, prepared).values - expected).max() < TOLERANCE
    with pytest.raises(InvalidParameterError, match="prepared for another program or by another engine"):
        StatevectorEngine().overlaps(program, Y, prepared)


def test_sampled_values_are_symmetric_repeatable_and_near_the_exact_ones() -> None:
    program = program_of(ZZFeatureMap(), 5)
    X = data(20, 5, 21, 0.4)
    shots = 1000
    result = MPSEngine(shots=shots, seed=3).overlaps(program, X)
    exact = MPSEngine().overlaps(program, X).values
    assert np.array_equal(result.values, result.values.T)
    assert np.array_equal(result.values[:4], MPSEngine(shots=shots, seed=3).overlaps(program, X[:4], X).values)
    five_sigma = 5 * np.sqrt(exact * (1 - exact) / shots) + 5 / shots
    assert (np.abs(result.values - exact) <= five_sigma).all()


def test_pickle_clone_and_repr() -> None:
    engine = MPSEngine(shots=10, seed=4, memory_limit=1 << 28)
    again = pickle.loads(pickle.dumps(engine))
    assert isinstance(again, Engine)
    assert repr(again) == repr(engine) == "MPSEngine(shots=10, seed=4, memory_limit=268435456)"
    assert clone(engine) is engine
    program = program_of(ZZFeatureMap(), 4)
    X = data(5, 4, 22)
    assert np.array_equal(again.overlaps(program, X).values, engine.overlaps(program, X).values)


@pytest.mark.parametrize(
    ("parameters", "pattern"),
    [
        ({"shots": 0}, "shots of MPSEngine .* got 0"),
        ({"seed": -1}, "seed of MPSEngine .* got -1"),
        ({"memory_limit": 0}, "memory_limit of MPSEngine .* got 0"),
    ],
    ids=["shots", "seed", "memory_limit"],
)
def test_parameters_are_checked(parameters: dict[str, int], pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        MPSEngine(**parameters)
