"""Every ansatz against matrices written from its definition; counts, order, identity points, readouts, errors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import product as tuples
from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import efficient_su2, real_amplitudes
from scipy.linalg import expm
from sklearn.base import clone

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.programs import ExpectationProgram
from qkernels.variational import (
    Ansatz,
    BrickworkAnsatz,
    CircuitAnsatz,
    EfficientSU2Ansatz,
    FarhiNevenAnsatz,
    MPSAnsatz,
    QCNNAnsatz,
    RealAmplitudesAnsatz,
    RYRZAnsatz,
    TreeAnsatz,
)
from tests.feature_maps.dense import PAULI, Matrix, X, cx, cz, on, product, rotation
from tests.oracle import oracle_matrix


def user_circuit() -> QuantumCircuit:
    a, b, c = (Parameter(name) for name in "abc")
    circuit = QuantumCircuit(3, name="mine")
    circuit.ry(b, 0)
    circuit.crx(a * c + a, 0, 2)
    circuit.rz(b + 0.5, 1)
    circuit.cx(1, 2)
    return circuit


ANSATZE: list[Ansatz] = [
    RealAmplitudesAnsatz(),
    RealAmplitudesAnsatz(reps=2, entanglement=[(2, 0), (0, 1)]),
    EfficientSU2Ansatz(reps=1, entanglement="full"),
    RYRZAnsatz(),
    RYRZAnsatz(reps=0),
    BrickworkAnsatz(),
    BrickworkAnsatz(reps=2),
    QCNNAnsatz(),
    QCNNAnsatz(block="ry", shared=False, readout=2),
    TreeAnsatz(),
    TreeAnsatz(block="ry"),
    MPSAnsatz(),
    MPSAnsatz(block="ry"),
    FarhiNevenAnsatz(),
    FarhiNevenAnsatz(reps=2, interactions=["XX"]),
    CircuitAnsatz(user_circuit()),
]
all_ansatze = pytest.mark.parametrize("ansatz", ANSATZE, ids=repr)


def angles(count: int, seed: int = 0) -> list[float]:
    return list(np.random.default_rng(seed).uniform(-3, 3, count))


def unitary(ansatz: Ansatz, num_qubits: int, values: list[float]) -> Matrix:
    circuit = ansatz.build(num_qubits)
    return oracle_matrix(circuit, dict(zip(ansatz.parameter_vector(num_qubits), values, strict=True)))


def layered(
    n: int, reps: int, axes: str, entangler: Callable[[int, int, int], Matrix], pairs: list[tuple[int, int]]
) -> tuple[Matrix, int]:
    """Rotations, then (entanglers, rotations) `reps` times, angle after angle; the matrix and the number of angles."""
    values = iter(angles(1000))
    gates: list[Matrix] = []
    used = 0
    for layer in range(reps + 1):
        gates += [entangler(n, a, b) for a, b in pairs] if layer else []
        for axis in axes:
            for q in range(n):
                gates.append(rotation(n, axis, (q,), next(values)))
                used += 1
    return product(gates), used


PAIRS: dict[str, list[tuple[int, int]]] = {
    "linear": [(0, 1), (1, 2), (2, 3)],
    "reverse_linear": [(2, 3), (1, 2), (0, 1)],
    "full": [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)],
    "circular": [(3, 0), (0, 1), (1, 2), (2, 3)],
    "pairwise": [(0, 1), (2, 3), (1, 2)],
}


@pytest.mark.parametrize("reps", [0, 1, 3])
@pytest.mark.parametrize("entanglement", PAIRS)
@pytest.mark.parametrize(
    ("kind", "axes", "entangler"),
    [(RealAmplitudesAnsatz, "Y", cx), (EfficientSU2Ansatz, "YZ", cx), (RYRZAnsatz, "YZ", cz)],
    ids=["real_amplitudes", "efficient_su2", "ryrz"],
)
def test_layered_ansatze_are_their_definition(
    kind: type[Ansatz], axes: str, entangler: Callable[[int, int, int], Matrix], entanglement: str, reps: int
) -> None:
    expected, count = layered(4, reps, axes, entangler, PAIRS[entanglement])
    ansatz = kind(reps=reps, entanglement=entanglement)
    assert ansatz.num_parameters(4) == count
    np.testing.assert_allclose(unitary(ansatz, 4, angles(1000)[:count]), expected, atol=1e-12)


def test_pairs_of_the_user_are_taken_as_they_are() -> None:
    expected, count = layered(3, 2, "Y", cx, [(2, 0), (0, 1)])
    ansatz = RealAmplitudesAnsatz(reps=2, entanglement=[(2, 0), (0, 1)])
    np.testing.assert_allclose(unitary(ansatz, 3, angles(1000)[:count]), expected, atol=1e-12)


@pytest.mark.parametrize("entanglement", PAIRS)
@pytest.mark.parametrize(
    ("kind", "function"), [(RealAmplitudesAnsatz, real_amplitudes), (EfficientSU2Ansatz, efficient_su2)]
)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_they_equal_the_functions_of_qiskit(
    kind: type[Ansatz], function: Callable[..., QuantumCircuit], entanglement: str, n: int
) -> None:
    theirs = function(n, entanglement=entanglement)
    values = angles(theirs.num_parameters)
    expected = oracle_matrix(theirs, dict(zip(theirs.parameters, values, strict=True)))
    np.testing.assert_allclose(unitary(kind(entanglement=entanglement), n, values), expected, atol=1e-12)


def euler(n: int, q: int, values: list[float]) -> list[Matrix]:
    return [rotation(n, axis, (q,), value) for axis, value in zip("ZYZ", values, strict=True)]


def su4(n: int, a: int, b: int, values: list[float]) -> list[Matrix]:
    middle = sum(v * on(n, {a: PAULI[p], b: PAULI[p]}) for p, v in zip("XYZ", values[6:9], strict=True))
    return [
        *euler(n, a, values[:3]),
        *euler(n, b, values[3:6]),
        expm(-0.5j * middle),
        *euler(n, a, values[9:12]),
        *euler(n, b, values[12:]),
    ]


def ry_block(n: int, a: int, b: int, values: list[float]) -> list[Matrix]:
    return [rotation(n, "Y", (a,), values[0]), rotation(n, "Y", (b,), values[1]), cx(n, a, b)]


BLOCKS = {"su4": (15, su4), "ry": (2, ry_block)}


def walls(n: int, pairs: list[tuple[int, int]], values: list[float], block: str = "su4") -> list[Matrix]:
    size, gates = BLOCKS[block]
    return [g for k, (a, b) in enumerate(pairs) for g in gates(n, a, b, values[size * k : size * (k + 1)])]


@pytest.mark.parametrize(
    ("n", "pairs"), [(2, [(0, 1)]), (3, [(0, 1), (1, 2)]), (5, [(0, 1), (2, 3), (1, 2), (3, 4)])], ids=[2, 3, 5]
)
@pytest.mark.parametrize("reps", [1, 2])
def test_brickwork_is_its_definition(n: int, pairs: list[tuple[int, int]], reps: int) -> None:
    values = angles(15 * len(pairs) * reps)
    assert BrickworkAnsatz(reps).num_parameters(n) == len(values)
    expected = product(walls(n, pairs * reps, values))
    np.testing.assert_allclose(unitary(BrickworkAnsatz(reps), n, values), expected, atol=1e-12)


def test_a_block_reaches_all_fifteen_directions() -> None:
    # the derivatives of a general SU(4) span the 15 generators, at a generic point
    values = np.array(angles(15))
    u = unitary(BrickworkAnsatz(), 2, list(values))
    shifted = [unitary(BrickworkAnsatz(), 2, list(values + 1e-6 * e)) for e in np.eye(15)]
    tangents = np.array([(u.conj().T @ (v - u)).ravel() / 1e-6 for v in shifted])
    singular = np.linalg.svd(np.hstack([tangents.real, tangents.imag]), compute_uv=False)
    assert singular[-1] > 1e-2


TREES: dict[int, list[tuple[int, int]]] = {
    2: [(0, 1)],
    3: [(0, 1), (1, 2)],
    4: [(0, 1), (2, 3), (1, 3)],
    5: [(0, 1), (2, 3), (1, 3), (3, 4)],
    6: [(0, 1), (2, 3), (4, 5), (1, 3), (3, 5)],
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("n", TREES)
@pytest.mark.parametrize("kind", [TreeAnsatz, MPSAnsatz])
def test_tree_and_chain_are_their_definition(kind: type[Ansatz], n: int, block: str) -> None:
    pairs = TREES[n] if kind is TreeAnsatz else [(i, i + 1) for i in range(n - 1)]
    values = angles(BLOCKS[block][0] * (n - 1) + (block == "ry"))
    gates = walls(n, pairs, values, block)
    if block == "ry":
        gates.append(rotation(n, "Y", (n - 1,), values[-1]))
    ansatz = kind(block=block)
    assert ansatz.num_parameters(n) == len(values)
    assert ansatz.readout_qubits(n) == (n - 1,)
    np.testing.assert_allclose(unitary(ansatz, n, values), product(gates), atol=1e-12)


# qubits: levels of (convolution pairs, pooling pairs), and what remains
QCNN: dict[tuple[int, int], tuple[list[tuple[list[tuple[int, int]], list[tuple[int, int]]]], tuple[int, ...]]] = {
    (2, 1): ([([(0, 1)], [(0, 1)])], (1,)),
    (3, 1): ([([(0, 1), (1, 2)], [(0, 1)]), ([(1, 2)], [(1, 2)])], (2,)),
    (4, 1): ([([(0, 1), (2, 3), (1, 2)], [(0, 1), (2, 3)]), ([(1, 3)], [(1, 3)])], (3,)),
    (4, 2): ([([(0, 1), (2, 3), (1, 2)], [(0, 1), (2, 3)])], (1, 3)),
    (5, 2): (
        [([(0, 1), (2, 3), (1, 2), (3, 4)], [(0, 1), (2, 3)]), ([(1, 3), (3, 4)], [(1, 3)])],
        (3, 4),
    ),
    (5, 3): ([([(0, 1), (2, 3), (1, 2), (3, 4)], [(0, 1), (2, 3)])], (1, 3, 4)),
}


def pooling(n: int, a: int, b: int, values: list[float]) -> list[Matrix]:
    zero, one = np.diag([1, 0]).astype(complex), np.diag([0, 1]).astype(complex)
    turns = [expm(-0.5j * value * PAULI[p]) for p, value in zip("ZX", values, strict=True)]
    crz = on(n, {a: zero}) + on(n, {a: one, b: turns[0]})
    crx = on(n, {a: one}) + on(n, {a: zero, b: turns[1]})
    return [crz, crx]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("case", QCNN, ids=str)
def test_qcnn_is_its_definition(case: tuple[int, int], block: str, shared: bool) -> None:
    n, readout = case
    levels, _ = QCNN[case]
    size = BLOCKS[block][0]
    values = angles(1000)
    gates: list[Matrix] = []
    place = 0
    for convolutions, poolings in levels:
        for pairs, width, make in ((convolutions, size, BLOCKS[block][1]), (poolings, 2, pooling)):
            for k, (a, b) in enumerate(pairs):
                start = place if shared else place + k * width
                gates += make(n, a, b, values[start : start + width])
            place += width if shared else width * len(pairs)
    ansatz = QCNNAnsatz(block=block, shared=shared, readout=readout)
    assert ansatz.num_parameters(n) == place
    np.testing.assert_allclose(unitary(ansatz, n, values[:place]), product(gates), atol=1e-12)


@pytest.mark.parametrize("case", QCNN, ids=str)
def test_qcnn_says_which_qubits_remain(case: tuple[int, int]) -> None:
    n, readout = case
    assert QCNNAnsatz(readout=readout).readout_qubits(n) == QCNN[case][1]


def test_the_readout_of_a_qcnn_depends_on_every_qubit() -> None:
    ansatz = QCNNAnsatz()
    u = unitary(ansatz, 5, angles(ansatz.num_parameters(5)))
    (readout,) = ansatz.readout_qubits(5)
    seen = u.conj().T @ on(5, {readout: PAULI["Z"]}) @ u
    for q in range(5):
        traced = sum(on(5, {q: p}) @ seen @ on(5, {q: p}) for p in PAULI.values()) / 4
        assert np.abs(seen - traced).max() > 1e-2


@pytest.mark.parametrize("reps", [1, 2])
@pytest.mark.parametrize("interactions", [("ZX",), ("ZX", "XX")])
@pytest.mark.parametrize("n", [2, 4])
def test_farhi_neven_is_its_definition(n: int, interactions: tuple[str, ...], reps: int) -> None:
    values = angles(1 + reps * len(interactions) * (n - 1))
    later = iter(values[1:])
    gates = [rotation(n, "X", (n - 1,), values[0])]
    for _ in range(reps):
        for letters in interactions:
            gates += [rotation(n, letters, (j, n - 1), next(later)) for j in range(n - 1)]
    ansatz = FarhiNevenAnsatz(reps=reps, interactions=interactions)
    assert ansatz.num_parameters(n) == len(values)
    assert ansatz.readout_qubits(n) == (n - 1,)
    assert ansatz.extra_qubits == 1
    np.testing.assert_allclose(unitary(ansatz, n, values), product(gates), atol=1e-12)


def labels(ansatz: Ansatz, point: NDArray[np.float64], num_data: int, basis: str) -> dict[tuple[int, ...], float]:
    """⟨Y⟩ or ⟨Z⟩ of the readout for every data string, by the oracle."""
    u = unitary(ansatz, num_data + 1, list(point))
    observable = on(num_data + 1, {num_data: PAULI[basis]})
    found = {}
    for bits in tuples((0, 1), repeat=num_data):
        state = u[:, sum(bit << j for j, bit in enumerate(bits))]  # the readout starts in 0
        found[bits] = float(np.vdot(state, observable @ state).real)
    return found


@pytest.mark.parametrize("basis", ["Y", "Z"])
@pytest.mark.parametrize("subset", [None, [0], [1, 4], [5, 0, 2], []], ids=str)
def test_parity_is_exact(subset: list[int] | None, basis: str) -> None:
    ansatz = FarhiNevenAnsatz()
    chosen = range(6) if subset is None else subset
    for bits, label in labels(ansatz, ansatz.parity_point(7, subset, basis), 6, basis).items():
        assert label == pytest.approx(1 - 2 * (sum(bits[j] for j in chosen) % 2), abs=1e-12)


def test_parity_is_the_unitary_of_the_paper() -> None:
    x = on(4, {3: X})
    factors = [expm(0.25j * pi * x)]
    for j in (0, 2):
        projector = (np.eye(16) - on(4, {j: PAULI["Z"]})) / 2
        factors.append(expm(0.5j * pi * projector @ x))
    ansatz = FarhiNevenAnsatz(reps=2, interactions=("XX", "ZX"))
    np.testing.assert_allclose(unitary(ansatz, 4, list(ansatz.parity_point(4, [0, 2]))), product(factors), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("basis", ["Y", "Z"])
@pytest.mark.parametrize("n", [5, 7, 9])
def test_majority_has_the_right_sign_and_the_margin_of_the_paper(n: int, basis: str) -> None:
    ansatz = FarhiNevenAnsatz(interactions=("ZX",))
    found = labels(ansatz, ansatz.majority_point(n + 1, basis), n, basis)
    for bits, label in found.items():
        assert np.sign(label) == (1 if sum(bits) < n / 2 else -1)
    assert min(abs(label) for label in found.values()) == pytest.approx(np.sin(0.1 * pi), abs=1e-12)


@all_ansatze
def test_build_has_one_vector_named_theta(ansatz: Ansatz) -> None:
    circuit = ansatz.build(3)
    assert ansatz.parameter_vector(3).name == "θ"
    assert list(circuit.parameters) == list(ansatz.parameter_vector(3))
    assert circuit.num_parameters == ansatz.num_parameters(3)
    assert circuit.num_qubits == 3
    assert circuit.num_clbits == 0
    assert set(ansatz.readout_qubits(3)) <= set(range(3))
    assert ansatz.resources(3).num_qubits == 3


@all_ansatze
def test_two_builds_have_one_key(ansatz: Ansatz) -> None:
    keys = set()
    for other in (ansatz, ansatz, clone(ansatz), pickle.loads(pickle.dumps(ansatz))):
        keys.add(ExpectationProgram(other.build(3), (), other.parameter_vector(3), "ZZZ").key)
    assert len(keys) == 1


@all_ansatze
def test_clones_and_pickles_have_the_same_settings(ansatz: Ansatz) -> None:
    for other in (clone(ansatz), pickle.loads(pickle.dumps(ansatz))):
        assert type(other) is type(ansatz)
        assert repr(other) == repr(ansatz)


@all_ansatze
def test_given_angles_take_the_place_of_the_vector(ansatz: Ansatz) -> None:
    values = angles(ansatz.num_parameters(3))
    other = ParameterVector("θ", len(values) + 4)  # same names as the ansatz's own, as in a model of several blocks
    part = other[4:]
    circuit = ansatz.build(3, part)
    assert list(circuit.parameters) == list(part)
    found = oracle_matrix(circuit, dict(zip(part, values, strict=True)))
    np.testing.assert_allclose(found, unitary(ansatz, 3, values), atol=1e-12)


@all_ansatze
def test_too_few_angles_are_refused(ansatz: Ansatz) -> None:
    count = ansatz.num_parameters(3)
    with pytest.raises(InvalidParameterError, match=rf"theta must hold {count} angle\(s\) on 3 qubit\(s\); got 1\.$"):
        ansatz.build(3, ParameterVector("t", 1))


@pytest.mark.parametrize(
    ("ansatz", "n"),
    [
        *((RealAmplitudesAnsatz(reps=r), 2) for r in (0, 2, 4)),
        (RealAmplitudesAnsatz(reps=4, entanglement=[(0, 1), (2, 1)]), 3),
        (RealAmplitudesAnsatz(reps=3, entanglement=[(0, 1), (1, 0)]), 2),  # CX CX is of order 3
        (RealAmplitudesAnsatz(), 1),
        (EfficientSU2Ansatz(reps=4, entanglement="linear"), 3),
        (RYRZAnsatz(reps=2), 4),
        (RYRZAnsatz(reps=4, entanglement="full"), 4),
        (RYRZAnsatz(reps=1, entanglement=[(0, 1), (1, 0)]), 2),
        (BrickworkAnsatz(reps=2), 4),
        (QCNNAnsatz(), 5),
        (QCNNAnsatz(shared=False, readout=2), 4),
        (TreeAnsatz(), 5),
        (MPSAnsatz(), 4),
        (FarhiNevenAnsatz(reps=2), 4),
    ],
    ids=lambda value: repr(value),
)
def test_the_identity_point_gives_the_identity(ansatz: Ansatz, n: int) -> None:
    point = ansatz.identity_point(n)
    assert point.dtype == np.float64
    assert np.abs(unitary(ansatz, n, list(point)) - np.eye(2**n)).max() < 1e-12


@pytest.mark.parametrize(
    ("ansatz", "n", "reason"),
    [
        (RealAmplitudesAnsatz(), 2, "its entanglers do not cancel at reps=3"),
        (RealAmplitudesAnsatz(reps=2), 3, "its entanglers do not cancel at reps=2"),
        (EfficientSU2Ansatz(reps=1), 2, "its entanglers do not cancel at reps=1"),
        (RYRZAnsatz(reps=3), 2, "its entanglers do not cancel at reps=3"),
        (TreeAnsatz("ry"), 4, "the CX of block='ry' stay"),
        (MPSAnsatz("ry"), 4, "the CX of block='ry' stay"),
        (QCNNAnsatz("ry"), 4, "the CX of block='ry' stay"),
        (CircuitAnsatz(user_circuit()), 3, "nothing is known about its angles"),
    ],
    ids=lambda value: repr(value),
)
def test_where_there_is_no_identity_it_says_so(ansatz: Ansatz, n: int, reason: str) -> None:
    with pytest.raises(InvalidParameterError, match=rf"no identity point on {n} qubit\(s\): {reason}"):
        ansatz.identity_point(n)


@pytest.mark.parametrize(
    ("ansatz", "n", "cx"),
    [
        (RealAmplitudesAnsatz(), 5, 12),
        (RealAmplitudesAnsatz(entanglement="full"), 5, 30),
        (BrickworkAnsatz(reps=2), 5, 24),
        (TreeAnsatz(), 5, 12),
        (MPSAnsatz("ry"), 5, 4),
        (QCNNAnsatz(), 4, 3 * 4 + 3 * 4),
        (FarhiNevenAnsatz(), 4, 12),
    ],
    ids=lambda value: repr(value),
)
def test_costs_are_those_of_the_docstrings(ansatz: Ansatz, n: int, cx: int) -> None:
    assert ansatz.resources(n).num_cx == cx


def test_circuit_ansatz_keeps_the_circuit_and_its_order() -> None:
    circuit = user_circuit()
    values = [0.3, -1.2, 2.0]
    expected = oracle_matrix(circuit, dict(zip(circuit.parameters, values, strict=True)))
    np.testing.assert_allclose(unitary(CircuitAnsatz(circuit), 3, values), expected, atol=1e-12)
    a, b, c = circuit.parameters
    reordered = CircuitAnsatz(circuit, parameters=[c, a, b])
    np.testing.assert_allclose(unitary(reordered, 3, [2.0, 0.3, -1.2]), expected, atol=1e-12)
    assert {p.name for p in circuit.parameters} == {"a", "b", "c"}  # the user's circuit is as it was


def test_circuit_ansatz_takes_vectors_of_the_same_name_in_another_order() -> None:
    theta = ParameterVector("θ", 3)
    circuit = QuantumCircuit(1)
    for angle, axis in zip(theta, "xyz", strict=True):
        getattr(circuit, "r" + axis)(angle, 0)
    ansatz = CircuitAnsatz(circuit, parameters=[theta[2], theta[0], theta[1]])
    expected = product([rotation(1, p, (0,), v) for p, v in zip("XYZ", (0.2, 0.3, 0.1), strict=True)])
    np.testing.assert_allclose(unitary(ansatz, 1, [0.1, 0.2, 0.3]), expected, atol=1e-12)


def test_final_measurements_of_a_circuit_are_ignored() -> None:
    circuit = user_circuit()
    circuit.measure_all()
    built = CircuitAnsatz(circuit).build(3)
    assert built.num_clbits == 0
    assert "measure" not in built.count_ops()


def test_a_circuit_with_a_global_phase_and_a_register_keeps_its_unitary() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(1, 2, global_phase=a)
    circuit.rx(a, 0)
    expected = np.exp(0.7j) * rotation(1, "X", (0,), 0.7)
    np.testing.assert_allclose(unitary(CircuitAnsatz(circuit), 1, [0.7]), expected, atol=1e-12)


def test_mid_circuit_measurement_is_refused() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    circuit.rx(a, 0)
    with pytest.raises(UnsupportedCircuitError, match="'rx' at position 1 acts on qubit 0 after its measurement"):
        CircuitAnsatz(circuit).build(1)


def test_circuit_ansatz_prints_its_size() -> None:
    ansatz = CircuitAnsatz(user_circuit())
    assert repr(ansatz) == "CircuitAnsatz(circuit=<'mine': 3 qubits, 3 parameters>)"
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rx(a, 0)
    assert repr(CircuitAnsatz(circuit)) == "CircuitAnsatz(circuit=<circuit: 1 qubit, 1 parameter>)"
    assert repr(CircuitAnsatz(circuit, [a])) == (
        "CircuitAnsatz(circuit=<circuit: 1 qubit, 1 parameter>, parameters=[Parameter(a)])"
    )
    assert repr(CircuitAnsatz("x")) == "CircuitAnsatz(circuit='x')"


def bad_parameters(case: str) -> CircuitAnsatz:
    circuit = user_circuit()
    a, b, c = circuit.parameters
    given = {"missing": [a, b], "strange": [a, b, c, Parameter("d")], "twice": [a, b, c, a], "text": "abc"}
    return CircuitAnsatz(circuit, parameters=given[case])


ERRORS: list[tuple[Ansatz, int, str]] = [
    (RealAmplitudesAnsatz(reps=-1), 3, "RealAmplitudesAnsatz: reps must be an integer >= 0; got -1"),
    (EfficientSU2Ansatz(reps=1.5), 3, r"EfficientSU2Ansatz: reps must be an integer >= 0; got 1\.5"),
    (RYRZAnsatz(reps=True), 3, "RYRZAnsatz: reps must be an integer >= 0; got True"),
    (BrickworkAnsatz(reps=0), 3, "BrickworkAnsatz: reps must be an integer >= 1; got 0"),
    (FarhiNevenAnsatz(reps="2"), 3, "FarhiNevenAnsatz: reps must be an integer >= 1; got '2'"),
    (RealAmplitudesAnsatz(entanglement="ring"), 3, "entanglement must be one of 'linear', .* got 'ring'"),
    (RYRZAnsatz(entanglement=4), 3, "RYRZAnsatz: entanglement must be a pattern name or a list .* got 4"),
    *(
        (RYRZAnsatz(entanglement=[pair]), 3, rf"pairs of different qubits between 0 and 2; got {shown}")
        for pair, shown in [
            ((0, 3), r"\(0, 3\)"),
            ((1, 1), r"\(1, 1\)"),
            ((0, -1), r"\(0, -1\)"),
            ((0, 1, 2), r"\(0, 1, 2\)"),
            ((True, 0), r"\(True, 0\)"),
            ((0, 1.0), r"\(0, 1\.0\)"),
            ("01", "'01'"),
            (7, "7"),
        ]
    ),
    (TreeAnsatz(block="rx"), 3, "TreeAnsatz: block must be one of 'su4', 'ry'; got 'rx'"),
    (MPSAnsatz(block=None), 3, "MPSAnsatz: block must be one of 'su4', 'ry'; got None"),
    (QCNNAnsatz(block=1), 3, "QCNNAnsatz: block must be one of 'su4', 'ry'; got 1"),
    (QCNNAnsatz(shared=1), 3, "QCNNAnsatz: shared must be one of True, False; got 1"),
    (QCNNAnsatz(readout=0), 3, "QCNNAnsatz: readout must be an integer >= 1; got 0"),
    (QCNNAnsatz(readout=3), 3, "QCNNAnsatz: readout must be less than the number of qubits, 3, .* got 3"),
    (FarhiNevenAnsatz(interactions=()), 3, r"interactions must be a non-empty sequence of 'ZX' and 'XX'; got \(\)"),
    (FarhiNevenAnsatz(interactions="ZX"), 3, "interactions must be a non-empty sequence .* got 'ZX'"),
    (FarhiNevenAnsatz(interactions=["ZZ"]), 3, r"interactions must be .* got \['ZZ'\]"),
    (CircuitAnsatz("rx"), 3, "CircuitAnsatz: circuit must be a qiskit QuantumCircuit; got 'rx'"),
    (CircuitAnsatz(QuantumCircuit(3, name="empty")), 3, "must have free parameters to train; 'empty' has 0"),
    (CircuitAnsatz(user_circuit()), 4, r"circuit 'mine' has 3 qubit\(s\); got 4 qubit\(s\)"),
    (bad_parameters("missing"), 3, "every free parameter of the circuit; 'c' is missing"),
    (bad_parameters("strange"), 3, "parameters must stand in the circuit; 'd' does not"),
    (bad_parameters("twice"), 3, "a sequence of different Parameters; got"),
    (bad_parameters("text"), 3, "a sequence of different Parameters; got 'abc'"),
    (BrickworkAnsatz(), 1, "BrickworkAnsatz: num_qubits must be an integer >= 2; got 1"),
    (RealAmplitudesAnsatz(), 0, "RealAmplitudesAnsatz: num_qubits must be an integer >= 1; got 0"),
    (RealAmplitudesAnsatz(), 2.0, r"num_qubits must be an integer >= 1; got 2\.0"),
    (RealAmplitudesAnsatz(), True, "num_qubits must be an integer >= 1; got True"),
]


@pytest.mark.parametrize(("ansatz", "n", "message"), ERRORS, ids=range(len(ERRORS)))
def test_a_setting_that_breaks_its_rule_is_refused(ansatz: Ansatz, n: int, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ansatz.build(n)


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({}, {"subset": [3]}, r"different data qubits between 0 and 2; got \[3\]"),
        ({}, {"subset": [0, 0]}, r"different data qubits between 0 and 2; got \[0, 0\]"),
        ({}, {"basis": "X"}, "basis must be one of 'Y', 'Z'; got 'X'"),
        ({"interactions": ["XX"]}, {}, r"interactions must hold 'ZX' for parity and majority; got \['XX'\]"),
    ],
)
def test_bad_parity_is_refused(settings: dict[str, object], arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        FarhiNevenAnsatz(**settings).parity_point(4, **arguments)
