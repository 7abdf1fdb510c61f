"""Laws of kernel matrices, exact and sampled, whatever the data."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.base import clone

from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine, clear_cache
from qkernels.feature_maps import CPMap, HamiltonianMap, SeparableMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram

Matrix = NDArray[np.float64]
ROUNDING = 1e-12
PSD = 1e-10

ENGINES: dict[str, Callable[..., Engine]] = {
    "statevector": StatevectorEngine,
    "mps": MPSEngine,
    "auto": AutoEngine,
}
every_engine = pytest.mark.parametrize("engine", ENGINES)


def program_of(circuit: QuantumCircuit) -> OverlapProgram:
    return OverlapProgram(circuit, circuit.parameters)


PROGRAMS = {
    "zz": program_of(ZZFeatureMap().build(3)),
    "separable": program_of(SeparableMap().build(3)),
    "hamiltonian": program_of(HamiltonianMap(1).build(3)),
    "cp": program_of(CPMap(reps=2, ring=True).build(3)),
}
every_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())


def tables(min_rows: int = 1, max_rows: int = 6) -> st.SearchStrategy[Matrix]:
    """Rows of three features, some of them repeated."""
    entries = st.floats(-4, 4, allow_subnormal=False)
    fresh = st.integers(min_rows, max_rows).flatmap(lambda n: arrays(np.float64, (n, 3), elements=entries))
    repeated = st.tuples(fresh, st.lists(st.integers(0, min_rows - 1), max_size=2))
    return repeated.map(lambda t: np.vstack([t[0], t[0][np.array(t[1], dtype=int)]]))


def random_rows(n: int, seed: int, width: int = 3) -> Matrix:
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, width))


# -- exact matrices ------------------------------------------------------------------------------------


@every_engine
@every_program
@given(X=tables())
def test_gram_is_symmetric_with_unit_diagonal_in_range_and_psd(engine: str, program: OverlapProgram, X: Matrix) -> None:
    K = ENGINES[engine]().overlaps(program, X).values
    assert K.shape == (len(X), len(X))
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(np.diag(K), 1.0)
    assert K.min() >= 0.0
    assert K.max() <= 1.0
    assert np.linalg.eigvalsh(K).min() > -PSD


@every_engine
@given(X=tables(), Y=tables())
def test_cross_is_in_range_and_its_transpose_is_the_other_cross(engine: str, X: Matrix, Y: Matrix) -> None:
    program, solver = PROGRAMS["zz"], ENGINES[engine]()
    K = solver.overlaps(program, X, Y).values
    assert K.min() >= 0.0
    assert K.max() <= 1.0
    np.testing.assert_allclose(solver.overlaps(program, Y, X).values.T, K, rtol=0, atol=ROUNDING)


@every_engine
@given(X=tables(min_rows=2), data=st.data())
def test_gram_is_equivariant_under_permutations(engine: str, X: Matrix, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(X)))))
    program, solver = PROGRAMS["cp"], ENGINES[engine]()
    K = solver.overlaps(program, X).values
    permuted = solver.overlaps(program, X[order]).values
    np.testing.assert_allclose(permuted, K[np.ix_(order, order)], rtol=0, atol=ROUNDING)


@every_engine
@given(X=tables(min_rows=2), data=st.data())
def test_duplicates_have_equal_rows_and_overlap_one(engine: str, X: Matrix, data: st.DataObject) -> None:
    again = data.draw(st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=3))
    K = ENGINES[engine]().overlaps(PROGRAMS["zz"], np.vstack([X, X[again]])).values
    for copy, original in enumerate(again, start=len(X)):
        np.testing.assert_array_equal(K[copy], K[original])
        assert K[copy, original] == 1.0


@every_engine
@given(X=tables(min_rows=2, max_rows=5))
def test_a_block_of_the_gram_is_the_cross_of_its_rows(engine: str, X: Matrix) -> None:
    program, solver = PROGRAMS["hamiltonian"], ENGINES[engine]()
    K = solver.overlaps(program, X).values
    np.testing.assert_allclose(solver.overlaps(program, X, X[:1]).values, K[:, :1], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(solver.overlaps(program, X[1:], X).values, K[1:], rtol=0, atol=ROUNDING)
    assert solver.overlaps(program, X, X[:1]).values[0, 0] == 1.0  # equal rows across two tables


@every_engine
@given(X=tables(min_rows=2), data=st.data())
def test_pairs_are_entries(engine: str, X: Matrix, data: st.DataObject) -> None:
    index = st.integers(0, len(X) - 1)
    pairs = np.array(data.draw(st.lists(st.tuples(index, index), min_size=1, max_size=8)))
    program, solver = PROGRAMS["zz"], ENGINES[engine]()
    K = solver.overlaps(program, X).values
    values = solver.overlaps(program, X, pairs=pairs).values
    np.testing.assert_allclose(values, K[tuple(pairs.T)], rtol=0, atol=ROUNDING)


@every_engine
@given(X=tables(max_rows=4))
def test_expectations_lie_in_the_numerical_range(engine: str, X: Matrix) -> None:
    circuit = ZZFeatureMap().build(3)
    program = ExpectationProgram(circuit, observables=["ZII", "IXY", "III"], x=circuit.parameters)
    values = ENGINES[engine]().expectations(program, X).values
    assert np.abs(values).max() <= 1 + ROUNDING
    np.testing.assert_allclose(values[:, 2], 1.0, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("shots", [None, 50], ids=["exact", "sampled"])
@pytest.mark.parametrize("engine", ["statevector", "auto"])
def test_the_size_of_the_blocks_does_not_count(engine: str, shots: int | None) -> None:
    """A memory limit just below the comfortable size streams the states block by block."""
    program = program_of(ZZFeatureMap(1).build(8))
    X, Y = random_rows(700, 1, 8), random_rows(90, 2, 8)
    roomy = ENGINES[engine](shots=shots, seed=3)
    states = 700 * 2**8 * 16
    tight = ENGINES[engine](shots=shots, seed=3, memory_limit=roomy.plan(program, X, Y).memory_bytes - states // 2)
    assert tight.plan(program, X, Y).feasible
    clear_cache()
    expected = roomy.overlaps(program, X, Y).values
    clear_cache()
    streamed = tight.overlaps(program, X, Y).values
    np.testing.assert_allclose(streamed, expected, rtol=0, atol=ROUNDING)

    tight = ENGINES[engine](shots=shots, seed=3, memory_limit=roomy.plan(program, X).memory_bytes - states // 2)
    clear_cache()
    K = tight.overlaps(program, X).values
    np.testing.assert_array_equal(K, K.T)
    clear_cache()
    np.testing.assert_allclose(K, roomy.overlaps(program, X).values, rtol=0, atol=ROUNDING)


@every_engine
def test_the_cache_does_not_count(engine: str) -> None:
    program, X = PROGRAMS["zz"], random_rows(9, 4)
    solver = ENGINES[engine]()
    first = solver.overlaps(program, X).values
    np.testing.assert_array_equal(solver.overlaps(program, X).values, first)
    clear_cache()
    np.testing.assert_array_equal(solver.overlaps(program, X).values, first)


@every_engine
def test_a_circuit_without_angles_keeps_the_number_of_rows(engine: str) -> None:
    """Rows that bind no angle are all equal; their count still matters."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    program, solver = OverlapProgram(circuit, x), ENGINES[engine]()
    for shape in ((3, 3), (2, 3), (4, 1)):
        X, Y = random_rows(shape[0], 1, 2), random_rows(shape[1], 2, 2)
        np.testing.assert_array_equal(solver.overlaps(program, X).values, np.ones((shape[0], shape[0])))
        np.testing.assert_array_equal(solver.overlaps(program, X, Y).values, np.ones(shape))
    expectation = ExpectationProgram(circuit, observables=["ZZ", "ZI"], x=x)
    for rows in (4, 1):
        values = solver.expectations(expectation, random_rows(rows, 3, 2)).values
        np.testing.assert_allclose(values, np.tile([1.0, 0.0], (rows, 1)), rtol=0, atol=ROUNDING)


# -- sampled entries -----------------------------------------------------------------------------------

SHOTS = 100


@every_engine
@given(X=tables(min_rows=2), Y=tables(min_rows=2), data=st.data())
def test_a_sampled_value_belongs_to_the_unordered_pair(engine: str, X: Matrix, Y: Matrix, data: st.DataObject) -> None:
    """One value in the Gram matrix, both cross blocks, single pairs and any order of the rows."""
    program, solver = PROGRAMS["zz"], ENGINES[engine](shots=SHOTS, seed=11)
    both = np.vstack([X, Y])
    n = len(X)
    K = solver.overlaps(program, both).values
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(np.diag(K), 1.0)
    np.testing.assert_array_equal(K, np.rint(K * SHOTS) / SHOTS)
    np.testing.assert_array_equal(solver.overlaps(program, X).values, K[:n, :n])
    np.testing.assert_array_equal(solver.overlaps(program, X, Y).values, K[:n, n:])
    np.testing.assert_array_equal(solver.overlaps(program, Y, X).values, K[n:, :n])
    order = np.array(data.draw(st.permutations(range(len(both)))))
    permuted = ENGINES[engine](shots=SHOTS, seed=11).overlaps(program, both[order]).values
    np.testing.assert_array_equal(permuted, K[np.ix_(order, order)])
    i, j = (np.array(data.draw(st.lists(st.integers(0, len(both) - 1), min_size=3, max_size=3))) for _ in "ij")
    pairs = np.stack([i, j], axis=1)
    np.testing.assert_array_equal(solver.overlaps(program, both, pairs=pairs).values, K[i, j])
    np.testing.assert_array_equal(solver.overlaps(program, both, pairs=pairs[:, ::-1]).values, K[i, j])


def test_engines_that_know_the_same_program_draw_the_same_values() -> None:
    program, X = PROGRAMS["zz"], random_rows(25, 8)
    matrices = [build(shots=SHOTS, seed=5).overlaps(program, X).values for build in ENGINES.values()]
    np.testing.assert_array_equal(matrices[0], matrices[1])
    np.testing.assert_array_equal(matrices[0], matrices[2])


def test_parameter_names_do_not_change_the_draws() -> None:
    left = OverlapProgram(*_renamed("x"))
    right = OverlapProgram(*_renamed("another"))
    X = random_rows(12, 9)
    engine = StatevectorEngine(shots=SHOTS, seed=5)
    clear_cache()
    first = engine.overlaps(left, X).values
    clear_cache()
    np.testing.assert_array_equal(engine.overlaps(right, X).values, first)


def _renamed(name: str) -> tuple[QuantumCircuit, ParameterVector]:
    x = ParameterVector(name, 3)
    circuit = ZZFeatureMap().build(3)
    renaming = dict(zip(circuit.parameters, x, strict=True))
    return circuit.assign_parameters(renaming), x


_SAMPLE = """
import numpy as np
from qkernels.engines import {engine}
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram

circuit = ZZFeatureMap().build(3)
X = np.random.default_rng(21).uniform(-2, 2, size=(8, 3))[{order}]
engine = {engine}(shots=100, seed=13)
print(engine.overlaps(OverlapProgram(circuit, circuit.parameters), X).values.tobytes().hex())
program = ExpectationProgram(circuit, observables=["ZXI", "IZZ"], x=circuit.parameters)
print(engine.expectations(program, X).values.tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["StatevectorEngine", "MPSEngine"])
def test_another_process_draws_the_same_values(engine: str) -> None:
    order = [3, 1, 4, 0, 5, 7, 2, 6]
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", _SAMPLE.format(engine=engine, order=order)],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    theirs, expected = (np.frombuffer(bytes.fromhex(line)).reshape(8, -1) for line in answer)
    circuit, X = ZZFeatureMap().build(3), random_rows(8, 21)
    ours = {"StatevectorEngine": StatevectorEngine, "MPSEngine": MPSEngine}[engine](shots=100, seed=13)
    K = ours.overlaps(program_of(circuit), X).values
    np.testing.assert_array_equal(theirs, K[np.ix_(order, order)])
    program = ExpectationProgram(circuit, observables=["ZXI", "IZZ"], x=circuit.parameters)
    np.testing.assert_array_equal(expected, ours.expectations(program, X).values[order])


def _draws(program: OverlapProgram, X: Matrix, **settings: int) -> tuple[Matrix, Matrix]:
    """Exact and sampled entries above the diagonal."""
    above = np.triu_indices(len(X), 1)
    exact = StatevectorEngine().overlaps(program, X).values[above]
    return exact, StatevectorEngine(**settings).overlaps(program, X).values[above]


def _standardised(exact: Matrix, sampled: Matrix, shots: int) -> Matrix:
    """Deviations in units of the binomial standard error, where that is not 0."""
    open_ = (exact > 1e-6) & (exact < 1 - 1e-6)
    exact, sampled = exact[open_], sampled[open_]
    return (sampled - exact) / np.sqrt(exact * (1 - exact) / shots)


@every_program
@pytest.mark.parametrize("shots", [1, 10, 1000])
def test_mean_and_variance_are_binomial(program: OverlapProgram, shots: int) -> None:
    exact, sampled = _draws(program, random_rows(120, 1), shots=shots, seed=0)
    variance = exact * (1 - exact) / shots
    # Sum of independent draws: 5 sigma of the sum of their variances.
    assert abs((sampled - exact).sum()) < 5 * np.sqrt(variance.sum())
    # z² of a binomial has mean 1 and variance 2 + (1 − 6 k(1−k)) / (S k(1−k)); k(1−k) is kept off 0.
    inner = (exact > 0.05) & (exact < 0.95)
    z = _standardised(exact[inner], sampled[inner], shots)
    spread = exact[inner] * (1 - exact[inner])
    fluctuation = np.sqrt((2 + (1 - 6 * spread) / (shots * spread)).sum())
    assert len(z) > 1000
    assert abs((z**2).sum() - len(z)) < 5 * fluctuation


def test_one_shot_gives_zeros_and_ones() -> None:
    exact, sampled = _draws(PROGRAMS["zz"], random_rows(60, 2), shots=1, seed=0)
    assert set(np.unique(sampled)) == {0.0, 1.0}
    assert abs((sampled - exact).sum()) < 5 * np.sqrt((exact * (1 - exact)).sum())


@pytest.mark.parametrize("change", ["seed", "shots", "program"])
def test_draws_for_another_seed_shots_or_program_are_independent(change: str) -> None:
    X = random_rows(120, 3)
    pair = [{"shots": 1000, "seed": 0}, {"shots": 1000, "seed": 0}]
    programs = [PROGRAMS["zz"], PROGRAMS["zz"]]
    if change == "program":
        programs[1] = PROGRAMS["separable"]
    else:
        pair[1] = pair[1] | {change: 999}
    exact, z = [], []
    for program, settings in zip(programs, pair, strict=True):
        k, sampled = _draws(program, X, **settings)
        exact.append(k)
        z.append((sampled - k) / np.sqrt(np.maximum(k * (1 - k), 1e-12) / settings["shots"]))
    both = np.all([(k > 0.05) & (k < 0.95) for k in exact], axis=0)
    assert both.sum() > 1000
    # The mean product of independent standardised draws has variance 1/M.
    assert abs((z[0] * z[1])[both].mean()) < 5 / np.sqrt(both.sum())


def test_draws_of_neighbouring_rows_are_independent() -> None:
    """Two rows that differ by a hair have nearly one exact value, and separate draws."""
    X = random_rows(120, 3)
    above = np.triu_indices(len(X), 1)
    z = []
    for shift in (0.0, 1e-7):
        exact, sampled = _draws(PROGRAMS["zz"], X + shift, shots=1000, seed=0)
        z.append((sampled - exact) / np.sqrt(np.maximum(exact * (1 - exact), 1e-12) / 1000))
    inner = (exact > 0.05) & (exact < 0.95)
    assert inner.sum() > 1000
    assert len(above[0]) == len(exact)
    assert abs((z[0] * z[1])[inner].mean()) < 5 / np.sqrt(inner.sum())


def test_another_seed_gives_another_matrix_and_the_same_seed_the_same() -> None:
    X = random_rows(20, 4)
    matrices = [_draws(PROGRAMS["zz"], X, shots=SHOTS, seed=seed)[1] for seed in (0, 1, 0)]
    assert (matrices[0] != matrices[1]).any()
    np.testing.assert_array_equal(matrices[0], matrices[2])


@every_engine
@pytest.mark.parametrize("shots", [1, 7, 4096])
def test_stderr_of_a_sampled_entry_is_never_zero(engine: str, shots: int) -> None:
    X = np.vstack([random_rows(12, 5), [[0.0, 0.0, 0.0], [np.pi, 0.0, 0.0]]])
    program = PROGRAMS["separable"]  # the last two rows are orthogonal: every shot gives 0
    answer = ENGINES[engine](shots=shots, seed=2).overlaps(program, X)
    off_diagonal = ~np.eye(len(X), dtype=bool)
    assert answer.values[-1, -2] == 0.0
    assert (answer.stderr[off_diagonal] > 0).all()
    assert (answer.num_shots[off_diagonal] == shots).all()
    np.testing.assert_array_equal(answer.stderr, answer.stderr.T)
    np.testing.assert_array_equal(np.diag(answer.stderr), 0.0)  # known, not sampled
    measured = ENGINES[engine](shots=shots, seed=2).overlaps(program, X, diagonal=True)
    assert (measured.stderr > 0).all()
    assert (measured.num_shots == shots).all()
    np.testing.assert_array_equal(np.diag(measured.values), 1.0)


def test_stderr_is_calibrated() -> None:
    """The reported width is the binomial one within a few per cent at many shots."""
    X, shots = random_rows(40, 6), 10_000
    program = PROGRAMS["zz"]
    exact = StatevectorEngine().overlaps(program, X).values
    stderr = StatevectorEngine(shots=shots, seed=0).overlaps(program, X).stderr
    inner = (exact > 0.1) & (exact < 0.9) & ~np.eye(len(X), dtype=bool)
    # sqrt(k(1−k)) moves by |1−2k|/(2 k(1−k)) relative to 5 sigma of k, at k = 0.1 by 13 %.
    np.testing.assert_allclose(stderr[inner], np.sqrt(exact * (1 - exact) / shots)[inner], rtol=0.15)


@every_engine
def test_both_orientations_are_averaged_and_returned(engine: str) -> None:
    program, X, Y = PROGRAMS["zz"], random_rows(8, 7), random_rows(5, 8)
    solver = ENGINES[engine](shots=SHOTS, seed=1)
    K = solver.overlaps(program, X, orientation="both", need={"orientations"})
    np.testing.assert_array_equal(K.values, K.values.T)
    np.testing.assert_array_equal(np.diag(K.values), 1.0)
    assert K.orientations.shape == (2, 8, 8)
    np.testing.assert_allclose(K.orientations.mean(axis=0), K.values, rtol=0, atol=ROUNDING)
    assert (K.orientations[0] != K.orientations[1]).any()
    half = SHOTS // 2
    np.testing.assert_array_equal(K.orientations, np.rint(K.orientations * half) / half)
    cross = solver.overlaps(program, X, Y, orientation="both").values
    np.testing.assert_array_equal(solver.overlaps(program, Y, X, orientation="both").values.T, cross)
    exact = ENGINES[engine]().overlaps(program, X, orientation="both", need={"orientations"})
    np.testing.assert_array_equal(exact.orientations[0], exact.orientations[1])


@every_engine
def test_sampled_expectations_belong_to_their_row(engine: str) -> None:
    circuit = ZZFeatureMap().build(3)
    program = ExpectationProgram(circuit, observables=["ZII", "IXY"], x=circuit.parameters)
    X = random_rows(6, 2)
    solver = ENGINES[engine](shots=SHOTS, seed=4)
    answer = solver.expectations(program, X)
    order = [5, 0, 0, 3, 2, 5, 1]
    again = solver.expectations(program, X[order])
    np.testing.assert_array_equal(again.values, answer.values[order])
    np.testing.assert_array_equal(again.stderr, answer.stderr[order])
    assert (answer.stderr > 0).all()
    assert np.abs(answer.values).max() <= 1.0


def test_sampled_expectations_are_unbiased() -> None:
    circuit = ZZFeatureMap().build(3)
    labels = ["ZII", "IXY", "XYX"]
    program = ExpectationProgram(circuit, observables=labels, x=circuit.parameters)
    X = random_rows(400, 12)
    exact = StatevectorEngine().expectations(program, X).values
    sampled = StatevectorEngine(shots=50, seed=0).expectations(program, X).values
    variance = (1 - exact**2) / 50
    assert (np.abs((sampled - exact).sum(axis=0)) < 5 * np.sqrt(variance.sum(axis=0))).all()


# -- engines as objects --------------------------------------------------------------------------------


@every_engine
def test_seed_none_draws_one_integer_and_keeps_it(engine: str) -> None:
    solver = ENGINES[engine](shots=10)
    assert isinstance(solver.seed, int)
    assert str(solver.seed) in repr(solver)
    program, X = PROGRAMS["zz"], random_rows(5, 1)
    first = solver.overlaps(program, X).values
    clear_cache()
    np.testing.assert_array_equal(solver.overlaps(program, X).values, first)
    again = ENGINES[engine](shots=10, seed=solver.seed)
    np.testing.assert_array_equal(again.overlaps(program, X).values, first)


@every_engine
def test_clone_returns_the_engine_and_pickle_keeps_its_draws(engine: str) -> None:
    solver = ENGINES[engine](shots=10)
    assert clone(solver) is solver
    program, X = PROGRAMS["zz"], random_rows(5, 1)
    first = solver.overlaps(program, X).values
    again = pickle.loads(pickle.dumps(solver))
    clear_cache()
    np.testing.assert_array_equal(again.overlaps(program, X).values, first)
    assert len(pickle.dumps(solver)) < 2000  # settings only: no cache, no lock, no states


def test_is_exact_tells_whether_values_are_sampled() -> None:
    assert all(build().is_exact for build in ENGINES.values())
    assert not any(build(shots=10).is_exact for build in ENGINES.values())
