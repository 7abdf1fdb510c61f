"""The published and derived facts about CPMap: qubits, CX, depth, closed form, C-Map identity, period."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector
from scipy.linalg import expm

from qkernels._errors import InvalidDataError
from qkernels.feature_maps import CPMap, SeparableMap, ZZFeatureMap
from tests.feature_maps.dense import PAULI, cx, distance_up_to_phase, on, product, rotation

QUBITS = {
    2: 2,
    3: 2,
    4: 3,
    5: 4,
    6: 4,
    7: 4,
    8: 5,
    9: 6,
    10: 6,
    11: 7,
    12: 8,
    13: 8,
    14: 8,
    15: 8,
    16: 9,
    17: 10,
    18: 10,
    19: 11,
    20: 12,
    21: 12,
    22: 12,
    23: 13,
    24: 14,
    25: 14,
    26: 15,
    27: 16,
    28: 16,
    29: 16,
    30: 16,
    31: 16,
    32: 17,
    40: 22,
    50: 27,
    60: 32,
    64: 33,
    100: 52,
    128: 65,
}


@pytest.mark.parametrize(("d", "qubits"), QUBITS.items())
def test_number_of_qubits(d: int, qubits: int) -> None:
    assert CPMap().num_qubits(d) == qubits
    assert CPMap().build(d).num_qubits == qubits


@pytest.mark.parametrize("d", range(2, 129))
def test_number_of_qubits_is_the_smallest_with_enough_room(d: int) -> None:
    def room(q: int) -> int:
        return 2 * q - bin(q).count("1")

    n = CPMap().num_qubits(d)
    assert room(n) >= d > room(n - 1)


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
@pytest.mark.parametrize("d", [*range(2, 33), 60, 64, 100, 128])
def test_number_of_cx(d: int, ring: bool) -> None:
    widths, left, width = [], d, CPMap().num_qubits(d)
    while left:
        widths.append(min(width, left))
        left, width = left - widths[-1], width // 2
    total = 0
    for m in widths[:-1]:
        c_maps = (1 if ring else 0) if m == 2 else (m if ring else m - 1)
        total += 3 * c_maps + 2 * (m // 2)
    assert CPMap(ring=ring).build(d).count_ops().get("cx", 0) == total
    assert CPMap(reps=2, ring=ring).resources(d).num_cx == 2 * total


@pytest.mark.parametrize(
    ("d", "qubits", "cx_ring", "depth_ring", "two_qubit_depth_ring", "cx_open"),
    [
        (3, 2, 5, 15, 5, 2),
        (6, 4, 16, 22, 8, 13),
        (8, 5, 24, 37, 16, 18),
        (10, 6, 35, 44, 19, 29),
        (13, 8, 48, 41, 16, 42),
        (16, 9, 56, 57, 24, 47),
        (22, 12, 83, 64, 27, 74),
        (30, 16, 112, 62, 24, 103),
        (60, 32, 224, 62, 24, 215),
        (100, 52, 387, 84, 35, 375),
    ],
)
def test_table_of_costs(
    d: int, qubits: int, cx_ring: int, depth_ring: int, two_qubit_depth_ring: int, cx_open: int
) -> None:
    cost = CPMap(ring=True).resources(d)
    assert (cost.num_qubits, cost.num_cx) == (qubits, cx_ring)
    assert (cost.depth, cost.two_qubit_depth) == (depth_ring, two_qubit_depth_ring)
    default = CPMap().resources(d)
    assert (default.num_qubits, default.num_cx) == (qubits, cx_open)


@pytest.mark.parametrize(
    ("d", "full", "full_depth", "linear", "linear_depth"),
    [(3, 6, 11, 8, 16), (8, 56, 41, 28, 31), (13, 156, 71, 48, 46), (22, 462, 125, 84, 73)],
)
def test_table_of_zz_costs(d: int, full: int, full_depth: int, linear: int, linear_depth: int) -> None:
    zz_full = ZZFeatureMap(reps=1, entanglement="full").resources(d)
    zz_linear = ZZFeatureMap(reps=2, entanglement="linear").resources(d)
    assert (zz_full.num_cx, zz_full.depth) == (full, full_depth)
    assert (zz_linear.num_cx, zz_linear.depth) == (linear, linear_depth)


def kernel_entry(feature_map: object, x: list[float], y: list[float]) -> float:
    circuit = feature_map.build(len(x))
    states = [Statevector(circuit.assign_parameters(row)).data for row in (x, y)]
    return float(abs(np.vdot(*states)) ** 2)


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
@pytest.mark.parametrize("d", [3, 6, 10, 13])
def test_closed_form_where_the_later_layers_agree(d: int, ring: bool) -> None:
    rng = np.random.default_rng(d)
    n = CPMap().num_qubits(d)
    x = rng.uniform(-3, 3, d)
    y = np.concatenate([rng.uniform(-3, 3, n), x[n:]])
    expected = np.prod(np.cos((x[:n] - y[:n]) / 2) ** 2)
    assert kernel_entry(CPMap(ring=ring), list(x), list(y)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
def test_entangled_where_the_later_layers_differ(ring: bool) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-1, 1, (2, 8))
    assert abs(kernel_entry(CPMap(ring=ring), list(x), list(y)) - np.prod(np.cos((x - y) / 2) ** 2)) > 1e-3


@pytest.mark.parametrize("angles", [(-pi / 3, pi / 6, -pi / 9), (0.3, -1.2, 2.1), (pi / 2, -pi / 2, pi / 2)], ids=str)
def test_c_map_is_a_heisenberg_exponential(angles: tuple[float, float, float]) -> None:
    alpha, beta, gamma = angles
    a, b, c = (beta + pi / 2) / 2, (pi / 2 - gamma) / 2, (pi / 2 - alpha) / 2
    generator = sum(
        weight * on(2, {0: PAULI[letter], 1: PAULI[letter]}) for letter, weight in zip("XYZ", (a, b, c), strict=True)
    )
    gates = [rotation(2, "Z", (1,), -pi / 2), cx(2, 1, 0), rotation(2, "Z", (0,), alpha)]
    gates += [rotation(2, "Y", (1,), beta), cx(2, 0, 1), rotation(2, "Y", (1,), gamma)]
    gates += [cx(2, 1, 0), rotation(2, "Z", (0,), pi / 2)]
    assert distance_up_to_phase(product(gates), expm(1j * generator)) < 1e-12
    if angles == (-pi / 3, pi / 6, -pi / 9):
        assert (a, b, c) == pytest.approx((pi / 3, 11 * pi / 36, 5 * pi / 12))


def test_c_map_of_the_circuit_is_a_heisenberg_exponential() -> None:
    # d = 3: H P on both qubits, C-Map(1, 0), P-Map(0, 1), H P on qubit 0. With p1 = p2 = p3 = 0 and x = 0
    # everything around the C-Map is known.
    alpha, beta, gamma = 0.3, -1.2, 2.1
    circuit = CPMap(ring=True, angles=(alpha, beta, gamma, 0, 0, 0)).build(3).assign_parameters([0.0, 0.0, 0.0])
    a, b, c = (beta + pi / 2) / 2, (pi / 2 - gamma) / 2, (pi / 2 - alpha) / 2
    generator = sum(
        weight * on(2, {0: PAULI[letter], 1: PAULI[letter]}) for letter, weight in zip("XYZ", (a, b, c), strict=True)
    )
    hadamard = (PAULI["X"] + PAULI["Z"]) / np.sqrt(2)
    pooling = [rotation(2, "Z", (1,), -pi / 2), cx(2, 1, 0), cx(2, 0, 1)]
    expected = product([on(2, {0: hadamard, 1: hadamard}), expm(1j * generator), *pooling, on(2, {0: hadamard})])
    assert distance_up_to_phase(Operator(circuit).data, expected) < 1e-12


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
@pytest.mark.parametrize("d", [2, 6])
def test_period_two_pi_in_each_feature(d: int, ring: bool) -> None:
    x, y = np.random.default_rng(1).uniform(-2, 2, (2, d))
    reference = kernel_entry(CPMap(ring=ring), list(x), list(y))
    for f in range(d):
        shifted = x.copy()
        shifted[f] += 2 * pi
        assert kernel_entry(CPMap(ring=ring), list(shifted), list(y)) == pytest.approx(reference, abs=1e-12)


@pytest.mark.parametrize("ring", [True, False], ids=["ring", "open"])
def test_two_features_have_no_entangler_and_are_separable(ring: bool) -> None:
    assert CPMap(ring=ring).resources(2).num_cx == 0
    x, y = [0.4, -1.1], [1.3, 0.2]
    assert kernel_entry(CPMap(ring=ring), x, y) == pytest.approx(kernel_entry(SeparableMap(), x, y), abs=1e-12)


@pytest.mark.parametrize("n_features", [1, 0, -3])
def test_fewer_than_two_features_are_an_error(n_features: int) -> None:
    message = rf"CPMap needs at least 2 feature\(s\); got {n_features} feature\(s\)"
    for call in (CPMap().build, CPMap().num_qubits, CPMap().resources):
        with pytest.raises(InvalidDataError, match=message):
            call(n_features)
