"""The unitary of every map against Kronecker products written from its definition."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator
from scipy.linalg import expm

from qkernels.feature_maps import (
    CircuitMap,
    CovariantMap,
    CPMap,
    DenseAngleMap,
    FeatureMap,
    HamiltonianMap,
    HeisenbergMap,
    HighDimMap,
    PauliFeatureMap,
    SeparableMap,
    YZCXMap,
    ZZFeatureMap,
)
from tests.feature_maps.dense import (
    PAULI,
    H,
    Matrix,
    cx,
    cz,
    distance_up_to_phase,
    on,
    phase,
    product,
    rotation,
    sqrt_iswap,
)


def features(count: int, seed: int = 0) -> list[float]:
    return list(np.random.default_rng(seed).uniform(-2, 2, count))


def unitary(feature_map: FeatureMap, values: list[float]) -> Matrix:
    circuit = feature_map.build(len(values))
    x = feature_map.parameter_vector(len(values))
    return Operator(circuit.assign_parameters(dict(zip(x, values, strict=True)), strict=False)).data


def hadamards(n: int, width: int | None = None) -> list[Matrix]:
    return [on(n, {q: H}) for q in range(n if width is None else width)]


@pytest.mark.parametrize("reps", [1, 2])
@pytest.mark.parametrize("gate", ["p", "rzz"])
@pytest.mark.parametrize("data_map", ["product", "havlicek"])
@pytest.mark.parametrize(
    ("entanglement", "pairs"),
    [
        ("linear", [(0, 1), (1, 2), (2, 3)]),
        ("full", [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        ("circular", [(3, 0), (0, 1), (1, 2), (2, 3)]),
        ("pairwise", [(0, 1), (2, 3), (1, 2)]),
        ([(3, 1), (0, 2)], [(3, 1), (0, 2)]),
    ],
    ids=["linear", "full", "circular", "pairwise", "pairs"],
)
def test_zz_is_its_definition(
    entanglement: object, pairs: list[tuple[int, int]], data_map: str, gate: str, reps: int
) -> None:
    x = features(4)
    gates: list[Matrix] = []
    for _ in range(reps):
        gates += hadamards(4)
        gates += [on(4, {i: phase(2 * x[i])}) for i in range(4)]
        for i, j in pairs:
            phi = x[i] * x[j] if data_map == "product" else (pi - x[i]) * (pi - x[j])
            gates += [cx(4, i, j), on(4, {j: phase(2 * phi)}), cx(4, i, j)]
    feature_map = ZZFeatureMap(reps=reps, entanglement=entanglement, data_map=data_map, gate=gate)
    assert distance_up_to_phase(unitary(feature_map, x), product(gates)) < 1e-12


@pytest.mark.parametrize("data_map", ["product", "havlicek"])
@pytest.mark.parametrize("alpha", [2.0, -0.7])
def test_pauli_is_a_product_of_exponentials(data_map: str, alpha: float) -> None:
    x = features(4)
    gates: list[Matrix] = []
    for _ in range(2):
        gates += hadamards(4)
        gates += [rotation(4, "Y", (i,), alpha * x[i]) for i in range(4)]
        for block in [(0, 1, 2), (1, 2, 3)]:
            terms = [x[i] if data_map == "product" else pi - x[i] for i in block]
            # "XIZ" acts with its rightmost letter on the first qubit of the block
            gates.append(rotation(4, "ZIX", block, alpha * float(np.prod(terms))))
    feature_map = PauliFeatureMap(paulis=["Y", "XIZ"], data_map=data_map, alpha=alpha)
    assert distance_up_to_phase(unitary(feature_map, x), product(gates)) < 1e-12


def cp_reference(x: list[float], reps: int, ring: bool, angles: tuple[float, ...]) -> Matrix:
    """CPMap gate by gate; layers, pairs and angles written out again from the definition."""
    d = len(x)
    n = next(q for q in range(1, d + 1) if sum(q >> k for k in range(q.bit_length())) >= d)
    alpha, beta, gamma, p1, p2, p3 = angles
    gates: list[Matrix] = []

    def head(q1: int, q2: int, first: float, second: float, third: float) -> None:
        gates.extend([rotation(n, "Z", (q2,), -pi / 2), cx(n, q2, q1)])
        gates.extend([rotation(n, "Z", (q1,), first), rotation(n, "Y", (q2,), second)])
        gates.extend([cx(n, q1, q2), rotation(n, "Y", (q2,), third)])

    for _ in range(reps):
        left, width, offset = d, n, 0
        while left:
            m = min(width, left)
            for i in range(m):
                gates.extend([on(n, {i: H}), on(n, {i: phase(x[offset + i])})])
            left, offset, width = left - m, offset + m, width // 2
            if not left:
                break
            pairs = [*((i, i + 1) for i in range(0, m - 1, 2)), *((i, i + 1) for i in range(1, m - 1, 2))]
            pairs += [(m - 1, 0)] if ring else []
            if m == 2:
                pairs = [(1, 0)] if ring else []
            for q1, q2 in pairs:
                head(q1, q2, alpha, beta, gamma)
                gates.extend([cx(n, q2, q1), rotation(n, "Z", (q1,), pi / 2)])
            for i in range(m // 2):
                head(i, i + (m + 1) // 2, p1, p2, p3)
    return product(gates)


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
@pytest.mark.parametrize("d", [2, 3, 4, 6, 8, 10])
def test_cpmap_is_its_definition(d: int, ring: bool) -> None:
    defaults = (-pi / 3, pi / 6, -pi / 9, pi / 7, pi / 9, -pi / 7)
    x = features(d)
    assert distance_up_to_phase(unitary(CPMap(ring=ring), x), cp_reference(x, 1, ring, defaults)) < 1e-12


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
def test_cpmap_repetitions_and_angles(ring: bool) -> None:
    x, angles = features(7), (0.3, -0.8, 1.1, 0.2, -0.4, 0.9)
    expected = cp_reference(x, 2, ring, angles)
    for given in (angles, list(angles), np.array(angles)):
        assert distance_up_to_phase(unitary(CPMap(reps=2, ring=ring, angles=given), x), expected) < 1e-12


@pytest.mark.parametrize("d", [3, 8])
def test_cpmap_is_open_unless_asked(d: int) -> None:
    defaults = (-pi / 3, pi / 6, -pi / 9, pi / 7, pi / 9, -pi / 7)
    found = unitary(CPMap(), features(d))
    assert distance_up_to_phase(found, cp_reference(features(d), 1, False, defaults)) < 1e-12
    assert distance_up_to_phase(found, cp_reference(features(d), 1, True, defaults)) > 1e-3


def test_cpmap_on_five_qubits_entangles_the_listed_pairs() -> None:
    pairs = [
        tuple(circuit_qubits)
        for circuit_qubits in (
            [CPMap(ring=True).build(8).find_bit(q).index for q in item.qubits]
            for item in CPMap(ring=True).build(8).data
            if item.operation.name == "cx"
        )
    ]
    c_maps = [(0, 1), (2, 3), (1, 2), (3, 4), (4, 0)]
    expected = [pair for a, b in c_maps for pair in [(b, a), (a, b), (b, a)]]
    expected += [pair for a, b in [(0, 3), (1, 4)] for pair in [(b, a), (a, b)]]
    expected += [(0, 1), (1, 0), (0, 1)]  # the single C-Map (1, 0) of the layer of width 2
    expected += [(1, 0), (0, 1)]
    assert pairs == expected


def test_separable_is_its_definition() -> None:
    x = features(4)
    expected = on(4, {i: phase(x[i]) @ H for i in range(4)})
    assert distance_up_to_phase(unitary(SeparableMap(), x), expected) < 1e-12


@pytest.mark.parametrize(
    ("parameters", "pairs"),
    [
        ({}, [(0, 1), (1, 2), (2, 3)]),
        ({"entanglement": "full"}, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        ({"interaction_range": 1}, [(0, 1), (1, 2), (2, 3)]),
        ({"interaction_range": 2}, [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]),
        ({"interaction_range": 9}, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
    ],
    ids=["linear", "full", "range-1", "range-2", "range-9"],
)
def test_hamiltonian_is_its_definition(parameters: dict[str, object], pairs: list[tuple[int, int]]) -> None:
    x, gamma = features(4), 0.6
    gates = hadamards(4)
    for _ in range(3):
        gates += [rotation(4, "Z", (i,), 2 * gamma * x[i]) for i in range(4)]
        gates += [rotation(4, "XX", (i, j), pi * gamma**2 * (1 - x[i]) * (1 - x[j])) for i, j in pairs]
    feature_map = HamiltonianMap(reps=3, gamma=gamma, **parameters)
    assert distance_up_to_phase(unitary(feature_map, x), product(gates)) < 1e-12


def test_circuit_map_is_the_users_circuit() -> None:
    circuit = QuantumCircuit(2)
    a, b = Parameter("a"), Parameter("b")
    circuit.ry(a * b, 0)
    circuit.cx(0, 1)
    circuit.rx(b, 1)
    expected = product(
        [rotation(2, "Y", (0,), 0.4 * 1.3), cx(2, 0, 1), rotation(2, "X", (1,), 1.3)],
    )
    assert distance_up_to_phase(unitary(CircuitMap(circuit), [0.4, 1.3]), expected) < 1e-12
    assert distance_up_to_phase(unitary(CircuitMap(circuit, x=[b, a]), [1.3, 0.4]), expected) < 1e-12


@pytest.mark.parametrize("d", [2, 3, 6, 7])
@pytest.mark.parametrize(
    ("entanglement", "pairs"),
    [
        ("linear", lambda n: [(i, i + 1) for i in range(n - 1)]),
        ("full", lambda n: [(i, j) for i in range(n) for j in range(i + 1, n)]),
        ([], lambda n: []),
    ],
    ids=["linear", "full", "none"],
)
@pytest.mark.parametrize("per_qubit", [False, True], ids=["one angle", "angles"])
def test_covariant_is_its_definition(entanglement: object, pairs: object, d: int, per_qubit: bool) -> None:
    x = features(d)
    n = (d + 1) // 2
    angles = features(n, seed=1) if per_qubit else [0.7] * n
    gates = [rotation(n, "Y", (i,), angles[i]) for i in range(n)]
    gates += [cz(n, i, j) for i, j in pairs(n)]
    for i in range(n):
        if 2 * i + 1 < d:
            gates.append(expm(1j * x[2 * i + 1] * on(n, {i: PAULI["Z"]})))
        gates.append(expm(1j * x[2 * i] * on(n, {i: PAULI["X"]})))
    for fiducial in (angles, tuple(angles), np.array(angles)) if per_qubit else (0.7, np.float64(0.7)):
        feature_map = CovariantMap(fiducial=fiducial, entanglement=entanglement)
        assert distance_up_to_phase(unitary(feature_map, x), product(gates)) < 1e-12


def test_covariant_fiducial_is_pi_half_by_default() -> None:
    x = features(4)
    assert distance_up_to_phase(unitary(CovariantMap(), x), unitary(CovariantMap(fiducial=[pi / 2] * 2), x)) < 1e-12


def test_sqrt_iswap_of_the_reference_squares_to_iswap() -> None:
    iswap = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
    root = sqrt_iswap(2, 0, 1)
    assert np.max(np.abs(root @ root - iswap)) < 1e-15
    # of the two roots the principal one: it exchanges with +i/√2, and keeps with +1/√2
    assert root[1, 2] == pytest.approx(1j / np.sqrt(2))
    assert root[1, 1] == pytest.approx(1 / np.sqrt(2))


@pytest.mark.parametrize("gate", ["sqrt_iswap", "cx"])
@pytest.mark.parametrize(
    ("parameters", "d", "n", "layers"),
    [
        ({}, 1, 1, 2),
        ({}, 2, 2, 2),
        ({}, 4, 4, 2),
        ({}, 5, 4, 2),
        ({}, 9, 5, 2),
        ({"qubits": 2}, 13, 2, 3),
        ({"qubits": 3, "reps": 1}, 9, 3, 1),
        ({"qubits": 4, "reps": 3}, 5, 4, 3),
    ],
    ids=str,
)
def test_high_dim_is_its_definition(parameters: dict[str, int], d: int, n: int, layers: int, gate: str) -> None:
    x = features(d)
    entangler = sqrt_iswap if gate == "sqrt_iswap" else cx
    gates = hadamards(n)
    angles = [x[s % d] for s in range(3 * n * layers)]
    for layer in range(layers):
        if layer > 0:
            pairs = [(i, i + 1) for i in range(n - 1)]
            gates += [entangler(n, *pair) for pair in [*pairs[::2], *pairs[1::2]]]
        for letter in "ZYZ":
            gates += [rotation(n, letter, (i,), angles.pop(0)) for i in range(n)]
    assert not angles
    assert distance_up_to_phase(unitary(HighDimMap(gate=gate, **parameters), x), product(gates)) < 1e-12


@pytest.mark.parametrize("final_entangler", [True, False], ids=["last CX", "no last CX"])
@pytest.mark.parametrize(
    ("parameters", "d", "n", "layers"),
    [
        ({}, 1, 1, 3),
        ({}, 2, 2, 3),
        ({}, 5, 5, 3),
        ({"reps": 1}, 4, 4, 1),
        ({"reps": 4, "c": 0.6}, 4, 4, 4),
        ({"qubits": 2}, 7, 2, 4),
        ({"qubits": 5}, 3, 5, 3),
    ],
    ids=str,
)
def test_yzcx_is_its_definition(
    parameters: dict[str, float], d: int, n: int, layers: int, final_entangler: bool
) -> None:
    x, c = features(d), parameters.get("c", 1.0)
    gates, j = [], 0
    for layer in range(layers):
        for i in range(n):
            gates += [rotation(n, "Y", (i,), c * x[j % d]), rotation(n, "Z", (i,), c * x[j % d])]
            j += 1
        if layer < layers - 1 or final_entangler:
            gates += [cx(n, i, i + 1) for i in range(n - 1) if i % 2 == layer % 2]
    feature_map = YZCXMap(final_entangler=final_entangler, **parameters)
    assert distance_up_to_phase(unitary(feature_map, x), product(gates)) < 1e-12


@pytest.mark.parametrize(
    ("parameters", "d"),
    [({}, 1), ({}, 3), ({"time": 0.9, "trotter_steps": 1}, 2), ({"trotter_steps": 4, "seed": 11}, 4)],
    ids=str,
)
def test_heisenberg_is_its_definition(parameters: dict[str, float], d: int) -> None:
    x, n = features(d), d + 1
    time, steps = parameters.get("time", n / 3), parameters.get("trotter_steps", 10)
    uniform = np.random.RandomState(parameters.get("seed", 0)).random_sample((n, 3))
    gates = []
    for i, (u, v, w) in enumerate(uniform):
        turns = [rotation(1, "Z", (0,), 2 * pi * w), rotation(1, "Y", (0,), np.arccos(1 - 2 * u))]
        gates.append(on(n, {i: product([*turns, rotation(1, "Z", (0,), 2 * pi * v)])}))
    for _ in range(int(steps)):
        for j in range(d):
            bond = sum(on(n, {j: PAULI[letter], j + 1: PAULI[letter]}) for letter in "XYZ")
            gates.append(expm(-1j * time / steps * x[j] * bond))
    assert distance_up_to_phase(unitary(HeisenbergMap(**parameters), x), product(gates)) < 1e-11


@pytest.mark.parametrize("final_entangler", [True, False], ids=["last CX", "no last CX"])
@pytest.mark.parametrize("reps", [1, 2, 3])
@pytest.mark.parametrize(
    ("entanglement", "d", "pairs"),
    [
        ("circular", 1, []),
        ("circular", 3, [(0, 1)]),
        ("circular", 6, [(2, 0), (0, 1), (1, 2)]),
        ("circular", 7, [(3, 0), (0, 1), (1, 2), (2, 3)]),
        ("linear", 5, [(0, 1), (1, 2)]),
        ([(2, 0), (1, 2)], 6, [(2, 0), (1, 2)]),
    ],
    ids=["one qubit", "two qubits", "ring of 3", "ring of 4", "linear", "pairs"],
)
def test_dense_angle_is_its_definition(
    entanglement: object, d: int, pairs: list[tuple[int, int]], reps: int, final_entangler: bool
) -> None:
    x = features(d)
    n = (d + 1) // 2
    gates: list[Matrix] = []
    for repetition in range(reps):
        for i in range(n):
            gates.append(rotation(n, "Y", (i,), 2 * pi * x[2 * i]))
            gates += [on(n, {i: phase(2 * pi * x[2 * i + 1])})] if 2 * i + 1 < d else []
        gates += [cx(n, i, j) for i, j in pairs] if repetition < reps - 1 or final_entangler else []
    feature_map = DenseAngleMap(reps=reps, entanglement=entanglement, final_entangler=final_entangler)
    assert distance_up_to_phase(unitary(feature_map, x), product(gates)) < 1e-12
