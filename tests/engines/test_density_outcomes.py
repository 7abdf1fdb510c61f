"""Weights, outcomes and measured bits under noise: against plain density matrices, and against each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BitArray
from scipy.stats import binom, chi2

from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines import DensityMatrixEngine, NoiseTable, clear_cache
from qkernels.engines._density import _MOST_PRODUCTS
from qkernels.engines._density_outcomes import paired
from qkernels.engines._noisy import packed_bits
from qkernels.feature_maps import SeparableMap
from qkernels.programs import OverlapProgram, is_canonical, row_keys
from tests.engines.noisy import CIRCUITS, IDEAL, ask, close, weights_of
from tests.oracle import random_inputs

Real = NDArray[np.float64]

every_circuit = pytest.mark.parametrize("name", CIRCUITS)
PAIRS = np.array([[3, 0], [0, 2], [2, 1], [1, 1], [3, 0]])


def partitions(num_qubits: int) -> list[list[list[int]] | None]:
    """Single qubits, one patch, and an uneven one in an odd order."""
    every = list(range(num_qubits))
    return [None, [every], [every[1:][::-1], every[:1]] if num_qubits > 1 else [[0]]]


def patched(name: str) -> list[pytest.param]:
    number = len(partitions(CIRCUITS[name]().num_qubits))
    return [pytest.param(name, k, id=f"{name}-{k}") for k in range(number)]


# Probabilities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [param for name in CIRCUITS for param in patched(name)])
def test_weights(name: str, kind: int) -> None:
    q = ask(name)
    patches = partitions(q.circuit.num_qubits)[kind]
    engine, program = DensityMatrixEngine(q.table), q.program(patches)
    both = q.both(program)
    for orientation, p in (("canonical", both[0]), ("both", both.mean(axis=0))):
        options = {"need": {"weights"}, "orientation": orientation}
        gram = engine.overlaps(program, q.X, **options)
        assert gram.weights.shape == (4, 4, program.num_patches + 1)
        assert gram.weights.dtype == np.float64
        np.testing.assert_allclose(gram.weights[..., 0], gram.values, rtol=0, atol=1e-15)
        close(gram.weights, weights_of(q.gram(p), patches))
        close(gram.weights.sum(axis=-1), 1.0)
        close(gram.values, engine.overlaps(program, q.X, orientation=orientation).values)
        cross = engine.overlaps(program, q.X, q.Y, **options)
        close(cross.weights, weights_of(q.cross(p), patches))
        pairs = engine.overlaps(program, q.X, q.Y, pairs=PAIRS, **options)
        close(pairs.weights, weights_of(q.cross(p)[tuple(PAIRS.T)], patches))
        np.testing.assert_allclose(pairs.weights[..., 0], pairs.values, rtol=0, atol=1e-15)


@every_circuit
def test_outcomes(name: str) -> None:
    q = ask(name)
    engine, program, n = DensityMatrixEngine(q.table), q.program(), q.circuit.num_qubits
    both = q.both(program)
    for orientation, p in (("canonical", both[0]), ("both", both.mean(axis=0))):
        options = {"need": {"bits"}, "orientation": orientation}
        gram = engine.overlaps(program, q.X, **options)
        assert gram.outcomes.shape == (4, 4, 2**n)
        assert gram.bits is None
        close(gram.outcomes, q.gram(p))
        np.testing.assert_allclose(gram.outcomes[..., 0], gram.values, rtol=0, atol=1e-15)
        close(gram.outcomes.sum(axis=-1), 1.0)
        close(gram.readout, q.readout)
        close(engine.overlaps(program, q.X, q.Y, **options).outcomes, q.cross(p))
        close(engine.overlaps(program, q.Y, q.X, **options).outcomes, np.swapaxes(q.cross(p), 0, 1))
        found = engine.overlaps(program, q.X, q.Y, pairs=PAIRS, **options)
        close(found.outcomes, q.cross(p)[tuple(PAIRS.T)])


@every_circuit
def test_what_is_asked_for_beside_the_values_does_not_change_them(name: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    plain = engine.overlaps(program, q.X, q.Y).values
    for need in ({"weights"}, {"bits"}, {"diagonal"}, {"orientations"}, {"weights", "bits", "diagonal"}):
        clear_cache()
        close(engine.overlaps(program, q.X, q.Y, need=need).values, plain)


def test_prepared_rows_have_outcomes() -> None:
    q = ask("wide_gates")
    engine, program = DensityMatrixEngine(q.table), q.program()
    X, Y = engine.prepare(program, q.X), engine.prepare(program, q.Y)
    for left, right in ((X, Y), (q.X, Y), (X, q.Y)):
        found = engine.overlaps(program, left, right, need={"weights", "bits"})
        close(found.outcomes, q.cross(q.both(program)[0]))
        close(found.weights, weights_of(q.cross(q.both(program)[0]), None))
    close(engine.overlaps(program, X, need={"bits"}).outcomes, q.gram(q.both(program)[0]))


def test_outcomes_in_memory_are_read_only_where_they_are_cached() -> None:
    q = ask("zz_rzz_2")
    found = DensityMatrixEngine(q.table).overlaps(q.program(), q.X, need={"weights", "bits"})
    for array in (found.weights, found.outcomes):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_many_rows_with_few_outcomes() -> None:
    """More rows than one range of effects holds, and more than a block; one qubit with ry has a closed form."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    flip = np.array([[0.9, 0.2], [0.1, 0.8]])
    engine = DensityMatrixEngine(NoiseTable(ideal=["ry"], default_readout=flip), memory_limit=1 << 28)
    X = np.random.default_rng(3).uniform(-3, 3, size=(700, 1))
    found = engine.overlaps(OverlapProgram(circuit, x), X, X[:300], need={"weights", "bits"})
    one = 0.5 - 0.5 * np.cos(X - X[:300].T)
    expected = np.stack([1 - one, one], axis=-1) @ flip.T
    close(found.outcomes, expected)
    close(found.weights, expected)


@pytest.mark.parametrize("density", [1.0, 0.1])
def test_pairs_of_states_and_effects(density: float) -> None:
    """Both ways of multiplying: the whole product, and pair by pair."""
    rng = np.random.default_rng(0)
    states, effects = rng.random((30, 16)) / 16, rng.random((7, 3, 16))
    every = np.argwhere(rng.random((7, 30)) < density)
    j, i = every.T
    found = paired(states, i, effects, j)
    close(found, [effects[b] @ states[a] for a, b in zip(i, j, strict=True)])
    wild = paired(10 * states, i, effects, j)
    assert wild.max() == 1.0  # probabilities, whatever rounding leaves


# Bits -------------------------------------------------------------------------------------------------------------


def test_bits_are_in_the_layout_of_qiskit() -> None:
    counts = np.zeros((2, 2**10), dtype=np.int64)
    counts[0, [3, 512]] = 2, 1
    counts[1, [0, 1023]] = 1, 2
    bits = packed_bits(counts, 10)
    assert bits.shape == (2, 3, 2)
    assert bits.dtype == np.uint8
    array = BitArray(bits, num_bits=10)
    assert array[0].get_counts() == {"0000000011": 2, "1000000000": 1}
    assert array[1].get_counts() == {"0000000000": 1, "1111111111": 2}


def outcomes_of(bits: NDArray[np.uint8], num_qubits: int) -> NDArray[np.int64]:
    """Counts of outcomes (…, 2**n) by Qiskit's own reading."""
    flat = bits.reshape(-1, *bits.shape[-2:])
    counts = np.zeros((len(flat), 2**num_qubits), dtype=np.int64)
    for row, one in zip(counts, BitArray(flat, num_bits=num_qubits), strict=True):
        for outcome, number in one.get_int_counts().items():
            row[outcome] = number
    return counts.reshape(*bits.shape[:-2], -1)


def weight_counts(counts: NDArray[np.int64], patches: Sequence[Sequence[int]] | None) -> Real:
    return weights_of(counts.astype(float), patches)


@pytest.mark.parametrize("orientation", ["canonical", "both"])
@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("name", ["zz_linear_3", "spare_qubits", "one_qubit", "zz_full_4"])
def test_bits_weights_and_values_are_of_the_same_shots(name: str, kind: int, orientation: str) -> None:
    q = ask(name)
    patches, n = partitions(q.circuit.num_qubits)[kind], q.circuit.num_qubits
    engine, program, shots = DensityMatrixEngine(q.table, shots=70, seed=3), q.program(patches), 70
    for Y, pairs in ((None, None), (q.Y, None), (q.Y, PAIRS), (None, PAIRS)):
        options = {"orientation": orientation, "need": {"weights", "bits"}, "pairs": pairs}
        found = engine.overlaps(program, q.X, Y, **options)
        assert found.outcomes is None
        assert found.bits.shape == (*found.values.shape, shots, 1)
        counts = outcomes_of(found.bits, n)
        np.testing.assert_array_equal(counts.sum(axis=-1), shots)
        np.testing.assert_allclose(counts[..., 0], found.values * shots, rtol=0, atol=1e-9)
        np.testing.assert_allclose(weight_counts(counts, patches), found.weights * shots, rtol=0, atol=1e-9)
        close(found.readout, q.readout)
        plain = engine.overlaps(program, q.X, Y, pairs=pairs, orientation=orientation)
        np.testing.assert_array_equal(plain.values, found.values)
        alone = engine.overlaps(program, q.X, Y, pairs=pairs, orientation=orientation, need={"weights"})
        np.testing.assert_array_equal(alone.weights, found.weights)


def test_bits_of_both_orientations_stand_one_after_the_other() -> None:
    """The first half of the shots prepares the row with the smaller key, the second half the other one."""
    q = ask("zz_linear_3")
    program, shots = q.program(), 51
    engine = DensityMatrixEngine(q.table, shots, seed=1)
    found = engine.overlaps(program, q.X, q.Y, orientation="both", need={"bits", "orientations"})
    assert found.bits.shape == (4, 3, 50, 1)
    for half in range(2):
        counts = outcomes_of(found.bits[:, :, 25 * half : 25 * (half + 1)], 3)
        np.testing.assert_allclose(counts[..., 0] / 25, found.orientations[half], rtol=0, atol=1e-12)


def test_bits_of_a_filled_diagonal_are_zeros() -> None:
    q = ask("zz_linear_3")
    engine, program = DensityMatrixEngine(q.table, 40, seed=1), q.program()
    found = engine.overlaps(program, q.X, diagonal=False, need={"bits", "weights"})
    known = np.array(q.x)[:, None] == np.array(q.x)[None]
    assert not found.bits[known].any()
    np.testing.assert_array_equal(found.weights[known], [[1.0, 0.0, 0.0, 0.0]] * known.sum())
    np.testing.assert_array_equal(found.num_shots[known], 0)
    measured = engine.overlaps(program, q.X, need={"bits"})
    np.testing.assert_array_equal(found.bits[~known], measured.bits[~known])


def sorted_pairs(rows: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(rows)


@pytest.mark.parametrize("name", ["zz_linear_3", "spare_qubits"])
def test_bits_are_distributed_as_outcomes(name: str) -> None:
    """Pearson's sum over all pairs and outcomes expected at least 5 times; the rest of a pair is one more class."""
    q = ask(name)
    program, shots, rows = q.program(), 4000, q.rows
    p = DensityMatrixEngine(q.table).overlaps(program, rows, need={"bits"}).outcomes
    bits = DensityMatrixEngine(q.table, shots, seed=11).overlaps(program, rows, need={"bits"}).bits
    counts = outcomes_of(bits, q.circuit.num_qubits)
    statistic, freedom = 0.0, 0
    for i, j in zip(*sorted_pairs(len(rows)), strict=True):
        often = p[i, j] * shots >= 5
        observed = np.append(counts[i, j, often], counts[i, j, ~often].sum())
        expected = np.append(p[i, j, often], p[i, j, ~often].sum()) * shots
        kept = expected > 1e-9
        assert observed[~kept].sum() == 0
        statistic += ((observed[kept] - expected[kept]) ** 2 / expected[kept]).sum()
        freedom += kept.sum() - 1
    assert chi2.sf(statistic, freedom) > 1e-6
    assert chi2.cdf(statistic, freedom) > 1e-6  # and not too good to be random


def test_marginals_of_qubits_are_binomial() -> None:
    """Ones of every qubit of every pair, within the exact tails at 1e-6 for all of them together."""
    q = ask("wide_gates")
    program, shots, n = q.program(), 900, 4
    p = DensityMatrixEngine(q.table).overlaps(program, q.rows, need={"bits"}).outcomes
    bits = DensityMatrixEngine(q.table, shots, seed=2).overlaps(program, q.rows, need={"bits"}).bits
    i, j = sorted_pairs(5)
    level = 1e-6 / (len(i) * n)
    for qubit in range(n):
        ones = p[i, j][:, [k for k in range(2**n) if k >> qubit & 1]].sum(axis=1)
        observed = (bits[i, j, :, -1] >> qubit & 1).sum(axis=1)
        low, high = binom.ppf(level / 2, shots, ones), binom.isf(level / 2, shots, ones)
        assert ((low <= observed) & (observed <= high)).all()


def test_weights_are_drawn_from_their_distribution() -> None:
    """Sampled weights against exact ones over many pairs: sums of deviations within five sigma of theirs."""
    q = ask("zz_linear_3")
    program, shots = q.program(), 60
    X = random_inputs(60, len(q.parameters), seed=4)
    exact = DensityMatrixEngine(q.table).overlaps(program, X, need={"weights"}).weights
    drawn = DensityMatrixEngine(q.table, shots, seed=5).overlaps(program, X, need={"weights"}).weights
    above = np.triu_indices(60)
    deviation, p = (drawn - exact)[above], exact[above]
    assert (np.abs(deviation.sum(axis=0)) < 5 * np.sqrt((p * (1 - p) / shots).sum(axis=0))).all()
    # δ_v δ_w has mean c/S and E[δ_v² δ_w²] = (e + (S − 1)(s_v s_w + 2c²))/S³, with the moments c, s, e of one shot
    for v, w in ((0, 1), (1, 2), (0, 2)):
        a, b = p[:, v], p[:, w]
        c, squares = -a * b, a * (1 - a) * b * (1 - b)
        e = a * ((1 - a) * b) ** 2 + b * ((1 - b) * a) ** 2 + (1 - a - b) * (a * b) ** 2
        variance = (e + (shots - 1) * (squares + 2 * c**2)) / shots**3 - (c / shots) ** 2
        product = deviation[:, v] * deviation[:, w] - c / shots
        assert abs(product.sum()) < 5 * np.sqrt(variance.sum())


# Refusals ---------------------------------------------------------------------------------------------------------


def test_bits_with_shots_of_each_pair_are_refused() -> None:
    q = ask("zz_rzz_2")
    engine = DensityMatrixEngine(q.table, shots=10, seed=0)
    options = {"pairs": [(0, 1), (1, 2)], "shots": [10, 20]}
    for call in (engine.overlaps, engine.plan):
        with pytest.raises(InvalidParameterError, match=r"shots of overlaps with need=\{'bits'\} must be the engine's"):
            call(q.program(), q.X, need={"bits"}, **options)
    weights = engine.overlaps(q.program(), q.X, need={"weights"}, **options).weights
    np.testing.assert_allclose(weights * [[10], [20]], np.rint(weights * [[10], [20]]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("orientation", ["canonical", "both"])
@pytest.mark.parametrize("need", ["weights", "bits"])
def test_too_many_multiplications_are_refused_with_what_fits(need: str, orientation: str) -> None:
    circuit = SeparableMap().build(8)
    program = OverlapProgram(circuit, circuit.parameters)
    engine = DensityMatrixEngine(IDEAL, memory_limit=1 << 40)
    options = {"need": {need}, "orientation": orientation}
    classes, ways = 9 if need == "weights" else 256, 2 if orientation == "both" else 1
    assert 2000 * 2000 * classes * ways * 4**8 > _MOST_PRODUCTS
    plan = engine.plan(program, 2000, 2000, **options)
    assert not plan.feasible
    assert "4,000,000 pairs on 8 active qubits" in plan.reason
    assert f"{'256 outcomes' if need == 'bits' else '9 weights'} of" in plan.reason
    most = int(re.search(r"that is ([\d,]+) pairs here", plan.reason)[1].replace(",", ""))
    assert most == _MOST_PRODUCTS // (classes * ways * 4**8)
    assert engine.plan(program, 1, most, **options).feasible
    assert not engine.plan(program, 1, most + 1, **options).feasible
    assert engine.plan(program, 2000, 2000, orientation=orientation).feasible
    rows = np.random.default_rng(0).uniform(size=(2000, 8))
    with pytest.raises(BudgetError, match=r"4,000,000 pairs on 8 active qubits, .* multiplications; Dens"):
        engine.overlaps(program, rows, rows[:2000] + 0.1, **options)


@pytest.mark.parametrize("need", ["weights", "bits"])
def test_outcomes_of_many_idle_qubits_are_refused(need: str) -> None:
    """Few active qubits, but a table of 2^34 outcomes: values are given, outcomes are not."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(34)
    circuit.ry(x[0], 3)
    circuit.cx(3, 30)
    program = OverlapProgram(circuit, x)
    engine = DensityMatrixEngine(IDEAL, memory_limit=4 << 30)
    close(engine.overlaps(program, [[0.0], [1.0]]).values[0, 1], np.cos(0.5) ** 2)
    with pytest.raises(BudgetError, match=r"memory_limit .* 4\.0 GiB.*a table of the 2\^34 outcomes"):
        engine.overlaps(program, [[0.0], [1.0]], need={need})
    assert not engine.plan(program, 2, need={need}).feasible


def test_orientation_of_outcomes_is_that_of_their_entry() -> None:
    """The canonical row is prepared, in whichever order rows are given."""
    q = ask("matrices")
    engine, program = DensityMatrixEngine(q.table), q.program()
    keys = row_keys(program.bind_angles(q.rows), program.key)
    for i, j in ((0, 1), (2, 4), (3, 0)):
        prepared, undone = (i, j) if is_canonical(keys[i], keys[j]) else (j, i)
        for X, Y in ((q.rows[[i]], q.rows[[j]]), (q.rows[[j]], q.rows[[i]])):
            close(engine.overlaps(program, X, Y, need={"bits"}).outcomes[0, 0], q.p[prepared, undone])
