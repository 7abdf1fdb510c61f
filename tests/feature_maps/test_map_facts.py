"""What the definitions of the maps imply: closed forms, symmetries, periods, cancellations, costs."""

from __future__ import annotations

from math import ceil, cos, pi, sin

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from scipy.linalg import expm
from scipy.stats import kstest

from qkernels.feature_maps import (
    CovariantMap,
    DenseAngleMap,
    FeatureMap,
    HeisenbergMap,
    HighDimMap,
    YZCXMap,
)
from tests.feature_maps.dense import PAULI, distance_up_to_phase, on

Row = NDArray[np.float64]


def state(feature_map: FeatureMap, x: Row) -> NDArray[np.complex128]:
    values = dict(zip(feature_map.parameter_vector(len(x)), x, strict=True))
    return Statevector(feature_map.build(len(x)).assign_parameters(values, strict=False)).data


def entry(feature_map: FeatureMap, x: Row, y: Row) -> float:
    return float(abs(np.vdot(state(feature_map, x), state(feature_map, y))) ** 2)


def rows(d: int, count: int = 2, seed: int = 0) -> Row:
    return np.random.default_rng(seed).uniform(-2, 2, (count, d))


def directions(feature_map: FeatureMap, x: Row) -> int:
    """Rank of the quantum metric at x: how many of the d features the kernel can tell apart there."""
    step = 1e-5
    centre = state(feature_map, x)
    shifts = step * np.eye(len(x))
    slopes = [(state(feature_map, x + s) - state(feature_map, x - s)) / (2 * step) for s in shifts]
    tangents = np.array([slope - np.vdot(centre, slope) * centre for slope in slopes])
    return int(np.linalg.matrix_rank((tangents @ tangents.conj().T).real, tol=1e-6))


PERIODS: list[tuple[FeatureMap, float]] = [
    (CovariantMap(), pi),
    (HighDimMap(qubits=2), 2 * pi),
    (HighDimMap(gate="cx"), 2 * pi),
    (YZCXMap(), 2 * pi),
    (YZCXMap(c=0.4), 2 * pi / 0.4),
    (HeisenbergMap(), 10 * pi / (2 * 5 / 3)),
    (HeisenbergMap(time=0.7, trotter_steps=3), 3 * pi / (2 * 0.7)),
    (DenseAngleMap(), 1.0),
]


@pytest.mark.parametrize(("feature_map", "period"), PERIODS, ids=lambda value: repr(value))
def test_period(feature_map: FeatureMap, period: float) -> None:
    x, y = rows(4)
    reference = entry(feature_map, x, y)
    for f in range(4):
        shift = period * np.eye(4)[f]
        assert entry(feature_map, x + shift, y) == pytest.approx(reference, abs=1e-10)
        assert abs(entry(feature_map, x + 0.37 * shift, y) - reference) > 1e-4


class TestCovariant:
    def test_left_multiplication_leaves_the_kernel(self) -> None:
        # e^{iaX} is the outermost factor of D(x), so a common shift of feature 2i is a group element on the left
        x, y = rows(7)
        for feature in (0, 2, 4, 6):
            shift = 0.83 * np.eye(7)[feature]
            assert entry(CovariantMap(), x + shift, y + shift) == pytest.approx(entry(CovariantMap(), x, y), abs=1e-12)
            assert abs(entry(CovariantMap(), x + shift, y) - entry(CovariantMap(), x, y)) > 1e-3

    @pytest.mark.parametrize("qubit", range(4))
    @pytest.mark.parametrize(
        ("entanglement", "pairs"),
        [("linear", [(0, 1), (1, 2), (2, 3)]), ([(0, 2), (2, 3)], [(0, 2), (2, 3)])],
        ids=["chain", "pairs"],
    )
    def test_rows_of_one_coset_are_one_point(
        self, entanglement: object, pairs: list[tuple[int, int]], qubit: int
    ) -> None:
        # the graph state is stabilised by X on a qubit and Z on its neighbours; exp(ibZ) X = X exp(-ibZ)
        x, y = rows(8)
        moved = x.copy()
        moved[2 * qubit] += pi / 2
        moved[2 * qubit + 1] *= -1
        for pair in pairs:
            if qubit in pair:
                moved[2 * (sum(pair) - qubit) + 1] += pi / 2
        feature_map = CovariantMap(entanglement=entanglement)
        assert entry(feature_map, x, moved) == pytest.approx(1, abs=1e-12)
        assert entry(feature_map, moved, y) == pytest.approx(entry(feature_map, x, y), abs=1e-12)
        half = (x + moved) / 2
        assert entry(feature_map, x, half) < 0.99

    def test_without_fiducial_rotation_it_is_a_product_of_the_even_features(self) -> None:
        x, y = rows(6)
        expected = np.prod(np.cos(x[::2] - y[::2]) ** 2)
        assert entry(CovariantMap(fiducial=0.0), x, y) == pytest.approx(expected, abs=1e-12)

    def test_one_feature_would_be_invisible(self) -> None:
        # the reason for the minimum of two: RX leaves |+> as it is
        assert entry(CovariantMap(), np.array([0.9, 0.0]), np.array([-0.4, 0.0])) == pytest.approx(1, abs=1e-12)

    def test_features_that_coincide_at_zero_are_told_apart_inside_the_scaled_range(self) -> None:
        # X on either end of the chain is Z on its neighbour, twice one direction less
        assert directions(CovariantMap(), np.zeros(8)) == 6
        scale = CovariantMap().scale_rule.kappa
        assert directions(CovariantMap(), np.full(8, scale / 2)) == 8


class TestHighDim:
    @pytest.mark.parametrize(("qubits", "layers"), [(10, 3), (14, 2), (17, 2)])
    def test_the_67_features_of_the_source(self, qubits: int, layers: int) -> None:
        circuit = HighDimMap(qubits=qubits).build(67)
        assert circuit.num_qubits == qubits
        assert circuit.count_ops()["ry"] == qubits * layers
        assert len(circuit.parameters) == 67

    @pytest.mark.parametrize("d", range(1, 40))
    def test_every_feature_is_used_nearly_equally_often(self, d: int) -> None:
        circuit = HighDimMap().build(d)
        used = [str(item.params[0]) for item in circuit.data if item.operation.name in {"rz", "ry"}]
        counts = [used.count(f"x[{f}]") for f in range(d)]
        assert sum(counts) == 3 * 2 * circuit.num_qubits
        assert max(counts) - min(counts) <= 1
        assert min(counts) >= 1

    def test_one_layer_is_a_product_over_qubits(self) -> None:
        x, y = rows(6)
        factors = [entry(HighDimMap(qubits=1, reps=1), x[q::2], y[q::2]) for q in range(2)]
        assert entry(HighDimMap(qubits=2, reps=1), x, y) == pytest.approx(np.prod(factors), abs=1e-12)
        assert abs(entry(HighDimMap(qubits=2, reps=2), x, y) - np.prod(factors)) > 1e-3


class TestYZCX:
    def test_two_layers_are_a_product_over_pairs_and_three_are_not(self) -> None:
        x, y = rows(4)
        for reps in (1, 2, 3):
            whole = entry(YZCXMap(reps=reps), x, y)
            halves = [entry(YZCXMap(reps=reps), x[f : f + 2], y[f : f + 2]) for f in (0, 2)]
            assert (abs(whole - np.prod(halves)) < 1e-12) == (reps < 3)

    def test_one_layer_is_a_product_over_qubits(self) -> None:
        x, y = rows(3)
        # RZ(b) RY(a)|0>: cos(a/2), e^{ib} sin(a/2) up to a phase, with a = b = x
        overlaps = np.cos(x / 2) * np.cos(y / 2) + np.exp(1j * (y - x)) * np.sin(x / 2) * np.sin(y / 2)
        assert entry(YZCXMap(reps=1), x, y) == pytest.approx(np.prod(np.abs(overlaps) ** 2), abs=1e-12)

    def test_own_bandwidth_multiplies_the_features(self) -> None:
        x, y = rows(5)
        assert entry(YZCXMap(c=0.3), x, y) == pytest.approx(entry(YZCXMap(), 0.3 * x, 0.3 * y), abs=1e-12)


class TestHeisenberg:
    def test_total_spin_does_not_depend_on_the_data(self) -> None:
        x, y = rows(4)
        for letter in "XYZ":
            total = SparsePauliOp.from_sparse_list([(letter, [q], 1.0) for q in range(5)], num_qubits=5)
            spins = [Statevector(state(HeisenbergMap(), row)).expectation_value(total).real for row in (x, y)]
            assert spins[0] == pytest.approx(spins[1], abs=1e-10)
        one = SparsePauliOp.from_sparse_list([("Z", [0], 1.0)], num_qubits=5)
        values = [Statevector(state(HeisenbergMap(), row)).expectation_value(one).real for row in (x, y)]
        assert abs(values[0] - values[1]) > 1e-3

    def test_turning_the_whole_wall_leaves_the_kernel(self) -> None:
        # U(x) W |0> becomes U(x) V W |0>; compare the part behind the wall
        x, y = rows(3)
        turn = on(4, {q: expm(-0.4j * PAULI["X"]) @ expm(0.9j * PAULI["Z"]) for q in range(4)})
        wall = state(HeisenbergMap(), np.zeros(3))
        evolutions = [self.evolution(row) for row in (x, y)]
        turned = [u @ turn @ wall for u in evolutions]
        assert abs(np.vdot(*turned)) ** 2 == pytest.approx(entry(HeisenbergMap(), x, y), abs=1e-10)

    def test_equal_qubits_would_not_see_the_data(self) -> None:
        zeros = np.eye(16)[0]
        for row in rows(3):
            assert abs(self.evolution(row)[0, 0]) == pytest.approx(1, abs=1e-10)
            assert abs(np.vdot(zeros, self.evolution(row) @ zeros)) == pytest.approx(1, abs=1e-10)

    @staticmethod
    def evolution(x: Row) -> NDArray[np.complex128]:
        circuit = HeisenbergMap().build(len(x)).assign_parameters(x)
        behind = circuit.copy_empty_like()
        for item in circuit.data[circuit.num_qubits :]:
            behind.append(item)
        assert circuit.count_ops()["u"] == circuit.num_qubits
        assert "u" not in behind.count_ops()
        return Operator(behind).data

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_closed_form_for_one_feature(self, seed: int) -> None:
        x, y = rows(1, seed=seed)
        feature_map = HeisenbergMap(seed=seed)
        wall = state(feature_map, np.zeros(1)).reshape(2, 2)
        left, right = (vectors[0] for vectors in (np.linalg.svd(wall)[2], np.linalg.svd(wall)[0].T))
        same = abs(np.vdot(left, right)) ** 2
        angle = 2 * (2 / 3) * float(x[0] - y[0])
        expected = cos(angle) ** 2 + same**2 * sin(angle) ** 2
        assert entry(feature_map, x, y) == pytest.approx(expected, abs=1e-10)

    def test_a_quarter_period_is_a_swap(self) -> None:
        swap = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex)
        circuit = HeisenbergMap(time=1.0, trotter_steps=1).build(1).assign_parameters([pi / 4])
        behind = circuit.copy_empty_like()
        for item in circuit.data[2:]:
            behind.append(item)
        assert distance_up_to_phase(Operator(behind).data, swap) < 1e-12

    def test_trotter_error_falls_with_the_number_of_steps(self) -> None:
        x, n = rows(3)[0], 4
        bonds = [sum(on(n, {j: PAULI[letter], j + 1: PAULI[letter]}) for letter in "XYZ") for j in range(3)]
        generator = sum(value * bond for value, bond in zip(x, bonds, strict=True))
        wall = state(HeisenbergMap(), np.zeros(3))
        exact = expm(-1j * n / 3 * generator) @ wall
        errors = [1 - abs(np.vdot(exact, state(HeisenbergMap(trotter_steps=t), x))) for t in (20, 40, 80)]
        # first order: the state is off by O(1/T), its overlap by O(1/T²)
        assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
        assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)

    @staticmethod
    def wall_angles(n: int, seed: int) -> Row:
        circuit = HeisenbergMap(trotter_steps=1, seed=seed).build(n - 1)
        return np.array([item.params for item in circuit.data if item.operation.name == "u"], dtype=float)

    def test_wall_is_haar_random(self) -> None:
        theta, phi, lam = self.wall_angles(1000, seed=0).T
        # cos θ, φ and λ are uniform and independent; 1e-6 is the false-alarm rate of each test
        assert kstest(np.cos(theta), "uniform", args=(-1, 2)).pvalue > 1e-6
        for angle in (phi, lam):
            assert kstest(angle, "uniform", args=(0, 2 * pi)).pvalue > 1e-6
        correlations = np.corrcoef([np.cos(theta), phi, lam])[np.triu_indices(3, 1)]
        assert np.max(np.abs(correlations)) < 5 / np.sqrt(1000)

    def test_wall_is_the_published_random_stream(self) -> None:
        # the first numbers of MT19937 with its reference seed, as in Matsumoto and Nishimura's mt19937ar
        theta, phi, lam = self.wall_angles(2, seed=5489)[0]
        assert (1 - cos(theta)) / 2 == pytest.approx(0.81472369, abs=1e-8)
        assert phi / (2 * pi) == pytest.approx(0.90579194, abs=1e-8)
        assert lam / (2 * pi) == pytest.approx(0.12698682, abs=1e-8)

    def test_shorter_walls_are_beginnings_of_longer_ones(self) -> None:
        np.testing.assert_array_equal(self.wall_angles(3, seed=4), self.wall_angles(7, seed=4)[:3])
        assert not np.allclose(self.wall_angles(3, seed=4), self.wall_angles(3, seed=5))


class TestDenseAngle:
    @staticmethod
    def closed_form(x: Row, y: Row) -> float:
        a, b = (pi * row[::2] for row in (x, y))
        difference = np.zeros(len(a))
        odd = x[1::2] - y[1::2]
        difference[: len(odd)] = 2 * pi * odd
        overlaps = np.cos(a) * np.cos(b) + np.exp(1j * difference) * np.sin(a) * np.sin(b)
        return float(np.prod(np.abs(overlaps) ** 2))

    @pytest.mark.parametrize("entanglement", ["circular", "linear", "full", [(2, 0)], []], ids=str)
    @pytest.mark.parametrize("d", [5, 6])
    def test_a_single_ring_cancels(self, entanglement: object, d: int) -> None:
        x, y = rows(d)
        feature_map = DenseAngleMap(reps=1, entanglement=entanglement)
        assert entry(feature_map, x, y) == pytest.approx(self.closed_form(x, y), abs=1e-12)

    def test_a_ring_between_two_encodings_does_not(self) -> None:
        x, y = rows(6)
        values = [entry(DenseAngleMap(entanglement=e), x, y) for e in ("circular", "linear", [])]
        assert min(abs(values[i] - values[j]) for i, j in [(0, 1), (0, 2), (1, 2)]) > 1e-3

    def test_odd_features_vanish_at_zero(self) -> None:
        x, y = rows(6)
        x[::2] = y[::2] = 0.0
        assert entry(DenseAngleMap(), x, y) == pytest.approx(1, abs=1e-12)
        assert directions(DenseAngleMap(), np.zeros(6)) == 3
        scale = DenseAngleMap().scale_rule.kappa
        assert directions(DenseAngleMap(), np.full(6, scale / 2)) == 6


@pytest.mark.parametrize(
    "make",
    [lambda last: YZCXMap(final_entangler=last), lambda last: DenseAngleMap(final_entangler=last)],
    ids=["YZCXMap", "DenseAngleMap"],
)
def test_the_last_entangler_cancels_in_a_fidelity_kernel_and_shows_elsewhere(make: object) -> None:
    x, y = rows(6)
    assert entry(make(True), x, y) == pytest.approx(entry(make(False), x, y), abs=1e-12)
    n = make(True).num_qubits(6)
    one = SparsePauliOp.from_sparse_list([("Z", [1], 1.0)], num_qubits=n)
    values = [Statevector(state(make(last), x)).expectation_value(one).real for last in (True, False)]
    assert abs(values[0] - values[1]) > 1e-3
    assert make(False).resources(6).num_cx < make(True).resources(6).num_cx


@pytest.mark.parametrize("d", [2, 3, 4, 5, 8, 13, 30])
def test_costs(d: int) -> None:
    half = ceil(d / 2)
    assert CovariantMap().num_qubits(d) == half
    assert CovariantMap().resources(d).num_cx == half - 1
    n = max(half, min(d, 4))
    assert HighDimMap().num_qubits(d) == n
    assert HighDimMap(reps=3).resources(d).num_cx == 2 * 2 * (n - 1)
    assert HighDimMap(gate="cx", reps=3).resources(d).num_cx == 2 * (n - 1)
    assert YZCXMap().num_qubits(d) == d
    assert YZCXMap(reps=5).resources(d).num_cx == 3 * (d // 2) + 2 * ((d - 1) // 2)
    assert YZCXMap(reps=5).resources(d).two_qubit_depth == (5 if d > 2 else 3)
    assert HeisenbergMap().num_qubits(d) == d + 1
    assert HeisenbergMap(trotter_steps=2).resources(d).num_cx == 3 * d * 2
    ring = half if half > 2 else half - 1
    assert DenseAngleMap().num_qubits(d) == half
    assert DenseAngleMap(reps=3).resources(d).num_cx == 3 * ring
    assert DenseAngleMap(reps=3, final_entangler=False).resources(d).num_cx == 2 * ring
