"""DensityMatrixEngine with shots: exactly binomial, and a pure function of what is measured."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.circuit import Parameter
from scipy.stats import binom

from qkernels._errors import InvalidParameterError
from qkernels.engines import DensityMatrixEngine, clear_cache, set_cache
from qkernels.programs import ExpectationProgram, OverlapProgram, Overlaps, is_canonical, row_keys, wilson_stderr
from tests.engines.noisy import Question, ask
from tests.oracle import random_inputs, random_observables

Real = NDArray[np.float64]

SHOTS = 200
NAMES = ["zz_linear_3", "wide_gates", "spare_qubits"]
some_circuits = pytest.mark.parametrize("name", NAMES)
every_orientation = pytest.mark.parametrize("orientation", ["canonical", "both"])


def rows_of(q: Question, count: int, seed: int = 0) -> Real:
    return random_inputs(count, len(q.parameters), seed) / 2


def sampled(q: Question, shots: int = SHOTS, seed: int = 3) -> DensityMatrixEngine:
    return DensityMatrixEngine(q.table, shots=shots, seed=seed)


FIELDS = ("values", "stderr", "num_shots", "weights", "bits")


def assert_same(found: Overlaps, expected: Overlaps, where: object = ()) -> None:
    for field in FIELDS:
        a, b = getattr(found, field), getattr(expected, field)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b[where], err_msg=field)


# A function of content --------------------------------------------------------------------------------------------


@some_circuits
@every_orientation
def test_draws_belong_to_the_pair_of_rows(name: str, orientation: str) -> None:
    """The same in any block, order, subset, side and engine."""
    q = ask(name)
    program, both = q.program(), rows_of(q, 11)
    both[9] = both[2]
    options = {"orientation": orientation, "need": {"weights", "bits"}}
    K = sampled(q).overlaps(program, both, **options)
    np.testing.assert_array_equal(K.values, K.values.T)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(K, field), np.swapaxes(getattr(K, field), 0, 1))
    each = SHOTS // 2 * 2
    np.testing.assert_allclose(np.rint(K.values * each), K.values * each, rtol=0, atol=1e-9)
    X, Y = both[:6], both[6:]
    clear_cache()
    assert_same(sampled(q).overlaps(program, X, **options), K, np.s_[:6, :6])
    assert_same(sampled(q).overlaps(program, X, Y, **options), K, np.s_[:6, 6:])
    assert_same(sampled(q).overlaps(program, Y, X, **options), K, np.s_[6:, :6])
    assert_same(sampled(q).overlaps(program, X, X, **options), K, np.s_[:6, :6])
    order = np.random.default_rng(1).permutation(11)
    clear_cache()
    assert_same(sampled(q).overlaps(program, both[order], **options), K, np.ix_(order, order))
    pairs = np.array([[0, 7], [9, 9], [7, 0], [2, 9], [4, 1]])
    assert_same(sampled(q).overlaps(program, both, pairs=pairs, **options), K, tuple(pairs.T))
    prepared = sampled(q).prepare(program, both)
    assert_same(sampled(q).overlaps(program, prepared, Y, **options), K, np.s_[:, 6:])


@some_circuits
def test_self_values_are_those_of_the_matrix(name: str) -> None:
    q = ask(name)
    program, X, Y = q.program(), rows_of(q, 5), rows_of(q, 3, seed=9)
    engine = sampled(q)
    for orientation in ("canonical", "both"):
        K, L = (np.diag(engine.overlaps(program, rows, orientation=orientation).values) for rows in (X, Y))
        for found in (
            engine.overlaps(program, X, Y, need={"diagonal"}, orientation=orientation),
            engine.overlaps(program, X, Y, pairs=[(0, 1)], need={"diagonal"}, orientation=orientation),
            engine.overlaps(program, X, Y, pairs=[(0, 1)], shots=[9], need={"diagonal"}, orientation=orientation),
        ):
            np.testing.assert_array_equal(found.diagonals[0], K)
            np.testing.assert_array_equal(found.diagonals[1], L)
        for diagonal in ("auto", False):
            found = engine.overlaps(program, X, need={"diagonal"}, diagonal=diagonal, orientation=orientation)
            np.testing.assert_array_equal(found.diagonals[0], K)
            np.testing.assert_array_equal(found.diagonals[1], K)


_PROGRAM = """
import pickle, sys
engine, program, observed, X, options = pickle.loads(open(sys.argv[1], "rb").read())
answer = engine.overlaps(program, X, **options)
means = engine.expectations(observed, X)
fields = [answer.values, answer.weights, answer.bits, *answer.diagonals, means.values, means.stderr]
open(sys.argv[1], "wb").write(pickle.dumps(fields))
"""


@pytest.mark.slow
def test_another_process_draws_the_same(tmp_path: Path) -> None:
    q = ask("zz_linear_3")
    program, X = q.program(), rows_of(q, 6)
    observed = ExpectationProgram(q.circuit, q.parameters, observables=["ZZI", "IXY"])
    engine, options = sampled(q), {"need": {"weights", "bits", "diagonal"}, "orientation": "both"}
    order = [3, 1, 4, 0, 5, 2]
    path = tmp_path / "request.pickle"
    path.write_bytes(pickle.dumps((engine, program, observed, X[order], options)))
    subprocess.run([sys.executable, "-c", _PROGRAM, str(path)], check=True, cwd=Path(__file__).resolve().parents[2])
    theirs = pickle.loads(path.read_bytes())
    ours, means = engine.overlaps(program, X, **options), engine.expectations(observed, X)
    square = np.ix_(order, order)
    expected = [ours.values[square], ours.weights[square], ours.bits[square]]
    expected += [*(d[order] for d in ours.diagonals), means.values[order], means.stderr[order]]
    for one, other in zip(theirs, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_pickled_engine_draws_the_same() -> None:
    q = ask("one_qubit")
    engine = DensityMatrixEngine(q.table, shots=20)  # with a seed of its own
    first = engine.overlaps(q.program(), q.X, need={"bits", "weights"})
    clear_cache()
    again = pickle.loads(pickle.dumps(engine))
    assert again.seed == engine.seed
    assert_same(again.overlaps(q.program(), q.X, need={"bits", "weights"}), first)


def test_draws_do_not_depend_on_the_cache() -> None:
    q = ask("zz_rzz_2")
    engine, program, options = sampled(q), q.program(), {"need": {"weights", "bits"}, "orientation": "both"}
    expected = engine.overlaps(program, q.X, q.Y, **options)
    clear_cache()
    set_cache(0)
    try:
        assert_same(engine.overlaps(program, q.X, q.Y, **options), expected)
    finally:
        set_cache(1 << 30)


def test_names_of_parameters_do_not_change_the_draws() -> None:
    q = ask("zz_rzz_2")
    names = [Parameter(f"other{k}") for k in range(len(q.parameters))]
    other = OverlapProgram(q.circuit.assign_parameters(dict(zip(q.parameters, names, strict=True))), names)
    first = sampled(q).overlaps(q.program(), q.X, need={"bits"})
    clear_cache()
    assert_same(sampled(q).overlaps(other, q.X, need={"bits"}), first)


# Errors and shots -------------------------------------------------------------------------------------------------


@some_circuits
@every_orientation
@pytest.mark.parametrize("shots", [2, 7, 4096])
def test_every_entry_has_shots_and_an_error(name: str, orientation: str, shots: int) -> None:
    q = ask(name)
    each = shots // 2 * 2 if orientation == "both" else shots
    answer = sampled(q, shots).overlaps(q.program(), q.X, orientation=orientation)
    np.testing.assert_array_equal(answer.num_shots, each)  # the diagonal, too
    assert answer.num_shots.dtype == np.int64
    assert (answer.stderr > 0).all()
    np.testing.assert_array_equal(answer.stderr, wilson_stderr(answer.values, each))
    assert answer.info["diagonal"] == "measured"
    known = np.array(q.x)[:, None] == np.array(q.x)[None]
    filled = sampled(q, shots).overlaps(q.program(), q.X, orientation=orientation, diagonal=False)
    np.testing.assert_array_equal(filled.values[known], 1.0)
    np.testing.assert_array_equal(filled.stderr[known], 0.0)
    np.testing.assert_array_equal(filled.num_shots[known], 0)
    np.testing.assert_array_equal(filled.values[~known], answer.values[~known])
    np.testing.assert_array_equal(filled.num_shots[~known], each)


def test_one_shot_is_zero_or_one() -> None:
    q = ask("zz_linear_3")
    X = rows_of(q, 40)
    exact = DensityMatrixEngine(q.table).overlaps(q.program(), X).values[np.triu_indices(40)]
    drawn = sampled(q, 1).overlaps(q.program(), X).values[np.triu_indices(40)]
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert abs((drawn - exact).sum()) < 5 * np.sqrt((exact * (1 - exact)).sum())
    with pytest.raises(InvalidParameterError, match="shots of DensityMatrixEngine must be >= 2, got 1"):
        sampled(q, 1).overlaps(q.program(), X, orientation="both")


# Statistics -------------------------------------------------------------------------------------------------------


@some_circuits
@pytest.mark.parametrize("shots", [10, 1000])
def test_entries_are_binomial(name: str, shots: int) -> None:
    q = ask(name)
    program, X = q.program(), rows_of(q, 70)
    above = np.triu_indices(70)  # the diagonal is drawn like the rest
    p = DensityMatrixEngine(q.table).overlaps(program, X).values[above]
    counts = np.rint(sampled(q, shots, seed=1).overlaps(program, X).values[above] * shots)
    level = 1e-6 / len(p)  # exact tails, all entries together at 1e-6
    assert (binom.cdf(counts, shots, p) > level / 2).all()
    assert (binom.sf(counts - 1, shots, p) > level / 2).all()
    assert abs((counts - shots * p).sum()) < 5 * np.sqrt((shots * p * (1 - p)).sum())
    # z² of a binomial has mean 1 and variance 2 + (1 − 6 p(1−p)) / (S p(1−p)); p(1−p) is kept off 0
    inner = (p > 0.05) & (p < 0.95)
    assert inner.sum() > 500
    spread = (p * (1 - p))[inner]
    z = (counts - shots * p)[inner] / np.sqrt(shots * spread)
    assert abs((z**2).sum() - len(z)) < 5 * np.sqrt((2 + (1 - 6 * spread) / (shots * spread)).sum())


@some_circuits
def test_orientations_are_drawn_from_their_own_probabilities(name: str) -> None:
    """Independent halves: each binomial with the probability of its direction, which differ."""
    q = ask(name)
    program, X, shots = q.program(), rows_of(q, 70), 100_001
    above = np.triu_indices(70)
    options = {"orientation": "both", "need": {"orientations"}}
    p = DensityMatrixEngine(q.table).overlaps(program, X, **options).orientations[:, *above]
    found = sampled(q, shots, seed=1).overlaps(program, X, **options)
    drawn, half = found.orientations[:, *above], 50_000
    np.testing.assert_array_equal(found.orientations.mean(axis=0), found.values)
    np.testing.assert_array_equal(found.num_shots, 2 * half)
    np.testing.assert_allclose(drawn * half, np.rint(drawn * half), rtol=0, atol=1e-7)
    z = (drawn - p) / np.sqrt(p * (1 - p) / half)
    inner = (p > 0.01).all(axis=0) & (p < 0.99).all(axis=0)
    z, count = z[:, inner], inner.sum()
    assert count > 500
    assert (np.abs(z.mean(axis=1)) < 5 / np.sqrt(count)).all()
    assert abs((z[0] * z[1]).mean()) < 5 / np.sqrt(count)
    # each half belongs to its own direction: swapped, the deviations are larger by the squared differences
    swapped = (drawn[::-1] - p)[:, inner] / np.sqrt(p * (1 - p) / half)[:, inner]
    squares = np.square([z, swapped]).sum(axis=(1, 2))
    assert squares[0] < 2 * count + 5 * np.sqrt(2 * 2 * count)
    assert squares[1] > squares[0] + 10 * np.sqrt(2 * 2 * count)


@every_orientation
def test_shots_of_each_pair_are_those_of_an_engine_with_them(orientation: str) -> None:
    q = ask("zz_linear_3")
    program, X, Y = q.program(), rows_of(q, 5), rows_of(q, 4, seed=8)
    Y[0] = X[0]
    pairs, shots = np.array([[0, 0], [1, 2], [4, 3], [1, 2], [3, 0]]), np.array([2, 50, 51, 1000, 7])
    options = {"orientation": orientation, "need": {"weights"}}
    answer = sampled(q, 9).overlaps(program, X, Y, pairs=pairs, shots=shots, **options)
    for k, s in enumerate(shots):
        alone = sampled(q, int(s)).overlaps(program, X, Y, pairs=pairs[k : k + 1], **options)
        for field in ("values", "stderr", "num_shots", "weights"):
            np.testing.assert_array_equal(getattr(answer, field)[k], getattr(alone, field)[0])
    assert answer.info["shots"] == "per pair"


def standardised(q: Question, X: Real, **settings: object) -> tuple[Real, NDArray[np.bool_]]:
    """Deviations of entries in sigmas, and which of them are kept."""
    above = np.triu_indices(len(X))
    options = {k: settings.pop(k) for k in ("repetition",) if k in settings}
    p = DensityMatrixEngine(q.table).overlaps(q.program(), X).values[above]
    drawn = DensityMatrixEngine(q.table, **settings).overlaps(q.program(), X, **options).values[above]
    return (drawn - p) / np.sqrt(p * (1 - p) / settings["shots"]), (p > 0.05) & (p < 0.95)


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"shots": 201}, {"repetition": 1}, {"repetition": 2, "seed": 9}], ids=str
)
def test_other_draws_are_independent(change: dict[str, int]) -> None:
    """The mean product of independent standardised draws has variance 1/M."""
    q = ask("zz_linear_3")
    X, settings = rows_of(q, 70), {"shots": 200, "seed": 3}
    (a, inner), (b, _) = standardised(q, X, **settings), standardised(q, X, **settings | change)
    assert (a != b).any()
    assert inner.sum() > 500
    assert abs((a * b)[inner].mean()) < 5 / np.sqrt(inner.sum())
    again, _ = standardised(q, X, **settings | change)
    np.testing.assert_array_equal(again, b)


def test_weights_of_other_repetitions_are_independent() -> None:
    q = ask("zz_linear_3")
    X, above = rows_of(q, 50), np.triu_indices(50)
    p = DensityMatrixEngine(q.table).overlaps(q.program(), X, need={"weights"}).weights[above]
    z = []
    for repetition in range(3):
        drawn = sampled(q).overlaps(q.program(), X, need={"weights"}, repetition=repetition).weights[above]
        z.append((drawn - p)[:, 1:] / np.sqrt(p * (1 - p) / SHOTS)[:, 1:])
    for a, b in ((0, 1), (1, 2), (0, 2)):
        # weights of one pair are dependent; pairs are not: each weight by itself
        assert (np.abs((z[a] * z[b]).mean(axis=0)) < 5 / np.sqrt(len(p))).all()


# Expectation values -----------------------------------------------------------------------------------------------


def test_sampled_expectations_belong_to_their_row() -> None:
    q = ask("spare_qubits")
    observables = random_observables(5, 4, seed=3)
    program = ExpectationProgram(q.circuit, q.parameters, observables=observables)
    X = rows_of(q, 6)
    answer = sampled(q).expectations(program, X)
    assert answer.num_shots == SHOTS
    clear_cache()
    order = [5, 0, 0, 3, 2, 5, 1]
    again = sampled(q).expectations(program, X[order])
    np.testing.assert_array_equal(again.values, answer.values[order])
    np.testing.assert_array_equal(again.stderr, answer.stderr[order])


def test_sampled_expectations_are_binomial_with_readout_errors() -> None:
    q = ask("spare_qubits")
    labels = ["ZIIIZ", "IXZII", "IZIIZ", "YIXII"]
    program = ExpectationProgram(q.circuit, q.parameters, observables=labels)
    X, shots = rows_of(q, 400, seed=12), 50
    mean = DensityMatrixEngine(q.table).expectations(program, X).values
    answer = sampled(q, shots).expectations(program, X)
    ones = np.rint((answer.values + 1) / 2 * shots)
    p = (1 + mean) / 2
    assert (np.abs((ones - shots * p).sum(axis=0)) < 5 * np.sqrt((shots * p * (1 - p)).sum(axis=0))).all()
    level = 1e-6 / p.size
    assert (binom.cdf(ones, shots, p) > level / 2).all()
    assert (binom.sf(ones - 1, shots, p) > level / 2).all()
    assert (answer.stderr > 0).all()
    np.testing.assert_allclose(answer.stderr, 2 * wilson_stderr(ones / shots, shots), rtol=1e-12)


# Orientation ------------------------------------------------------------------------------------------------------


def test_the_canonical_row_is_prepared_with_shots_too() -> None:
    """10⁶ shots tell the two directions of these pairs apart."""
    q = ask("zz_linear_3")
    program, shots = q.program(), 1_000_000
    found = sampled(q, shots).overlaps(program, q.rows).values
    keys = row_keys(program.bind_angles(q.rows), program.key)
    told = 0
    for i in range(5):
        for j in range(i):
            prepared, undone = (i, j) if is_canonical(keys[i], keys[j]) else (j, i)
            right, wrong = q.p[prepared, undone, 0], q.p[undone, prepared, 0]
            sigma = np.sqrt(right * (1 - right) / shots)
            assert abs(found[i, j] - right) < 5 * sigma
            told += abs(wrong - right) > 12 * sigma
    assert told >= 3
