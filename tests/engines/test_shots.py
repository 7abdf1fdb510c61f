"""Shots of every pair and repetitions: binomial draws that belong to (pair, shots, seed, repetition)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from qkernels._errors import InvalidParameterError
from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine, clear_cache
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import (
    OverlapProgram,
    is_canonical,
    pair_uniforms,
    row_keys,
    sample_counts,
    sample_frequencies,
    wilson_stderr,
)

Real = NDArray[np.float64]

ENGINES: dict[str, Callable[..., Engine]] = {"statevector": StatevectorEngine, "mps": MPSEngine, "auto": AutoEngine}
every_engine = pytest.mark.parametrize("engine", ENGINES)

CIRCUIT = ZZFeatureMap().build(3)
PROGRAM = OverlapProgram(CIRCUIT, CIRCUIT.parameters)


def rows(n: int, seed: int) -> Real:
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 3))


def all_pairs(n: int) -> NDArray[np.intp]:
    return np.stack(np.triu_indices(n, 1), axis=1)


# Shots of each pair -----------------------------------------------------------------------------------------------


@every_engine
@given(data=st.data())
def test_a_pair_at_s_shots_draws_what_an_engine_with_s_shots_draws(engine: str, data: st.DataObject) -> None:
    X, Y = rows(5, 1), rows(4, 2)
    index = st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from([1, 2, 50, 51, 1000]))
    asked = np.array(data.draw(st.lists(index, min_size=1, max_size=8)))
    pairs, shots = asked[:, :2], asked[:, 2]
    other = data.draw(st.sampled_from([None, Y]))
    answer = ENGINES[engine](shots=7, seed=3).overlaps(PROGRAM, X, other, pairs=pairs, shots=shots)
    for k, s in enumerate(shots):
        alone = ENGINES[engine](shots=int(s), seed=3).overlaps(PROGRAM, X, other, pairs=pairs[k : k + 1])
        assert answer.values[k] == alone.values[0]
        assert answer.stderr[k] == alone.stderr[0]
        assert answer.num_shots[k] == alone.num_shots[0]
    assert answer.values.dtype == np.float64
    assert answer.num_shots.dtype == np.int64


@every_engine
def test_the_engines_shots_for_every_pair_are_todays_values(engine: str) -> None:
    X, pairs = rows(6, 3), all_pairs(6)
    solver = ENGINES[engine](shots=40, seed=1)
    K = solver.overlaps(PROGRAM, X)
    for options in ({}, {"shots": np.full(15, 40)}, {"repetition": 0}, {"shots": np.full(15, 40), "repetition": 0}):
        answer = solver.overlaps(PROGRAM, X, pairs=pairs, **options)
        np.testing.assert_array_equal(answer.values, K.values[tuple(pairs.T)])
        np.testing.assert_array_equal(answer.stderr, K.stderr[tuple(pairs.T)])


@every_engine
def test_a_row_with_itself_takes_no_shots_unless_measured(engine: str) -> None:
    X, pairs = np.vstack([rows(2, 4), rows(1, 4)]), [(0, 1), (1, 1), (0, 2)]
    solver = ENGINES[engine](shots=10, seed=0)
    answer = solver.overlaps(PROGRAM, X, pairs=pairs, shots=[20, 30, 40])
    np.testing.assert_array_equal(answer.num_shots, [20, 0, 0])
    np.testing.assert_array_equal(answer.stderr[1:], 0.0)
    np.testing.assert_array_equal(answer.values[1:], 1.0)
    assert answer.info["shots"] == "per pair"
    measured = solver.overlaps(PROGRAM, X, pairs=pairs, shots=[20, 30, 40], diagonal=True)
    np.testing.assert_array_equal(measured.num_shots, [20, 30, 40])
    assert (measured.stderr > 0).all()


@every_engine
def test_both_orientations_share_the_shots_of_a_pair(engine: str) -> None:
    X, pairs, shots = rows(8, 5), all_pairs(8), np.arange(2, 30)
    solver = ENGINES[engine](shots=100, seed=2)
    options = {"pairs": pairs, "orientation": "both", "need": {"orientations"}}
    answer = solver.overlaps(PROGRAM, X, shots=shots, **options)
    half = shots // 2
    np.testing.assert_array_equal(answer.num_shots, 2 * half)
    np.testing.assert_allclose(answer.orientations * half, np.rint(answer.orientations * half), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(answer.orientations.mean(axis=0), answer.values)
    assert solver.plan(PROGRAM, X, shots=shots, pairs=pairs, orientation="both").shots == 2 * half.sum()
    for k in (0, 11, 27):  # as an engine with these shots draws
        alone = ENGINES[engine](shots=int(shots[k]), seed=2).overlaps(
            PROGRAM, X, **options | {"pairs": pairs[k : k + 1]}
        )
        np.testing.assert_array_equal(answer.orientations[:, k], alone.orientations[:, 0])


def test_draws_are_binomial_with_the_shots_of_their_pair() -> None:
    """Sums of deviations and of standardised squares within five sigma; every shot count occurs often."""
    X, pairs = rows(150, 6), all_pairs(150)
    shots = np.random.default_rng(0).integers(1, 40, size=len(pairs))
    exact = StatevectorEngine().overlaps(PROGRAM, X, pairs=pairs).values
    drawn = StatevectorEngine(shots=1, seed=4).overlaps(PROGRAM, X, pairs=pairs, shots=shots).values
    variance = exact * (1 - exact) / shots
    assert abs((drawn - exact).sum()) < 5 * np.sqrt(variance.sum())
    np.testing.assert_allclose(drawn * shots, np.rint(drawn * shots), rtol=0, atol=1e-12)
    inner = (exact > 0.05) & (exact < 0.95)
    assert inner.sum() > 3000
    z = ((drawn - exact) / np.sqrt(variance, where=inner, out=np.ones_like(variance)))[inner]
    spread = (exact * (1 - exact))[inner]
    # z² of a binomial has mean 1 and variance 2 + (1 − 6 k(1−k)) / (S k(1−k))
    fluctuation = np.sqrt((2 + (1 - 6 * spread) / (shots[inner] * spread)).sum())
    assert abs((z**2).sum() - len(z)) < 5 * fluctuation


# Repetitions ------------------------------------------------------------------------------------------------------


@every_engine
def test_repetitions_are_series_of_their_own(engine: str) -> None:
    X, Y = rows(7, 7), rows(4, 8)
    solver = ENGINES[engine](shots=60, seed=5)
    today = solver.overlaps(PROGRAM, X)
    assert today.info["repetition"] == 0
    series = [solver.overlaps(PROGRAM, X, repetition=r) for r in range(4)]
    np.testing.assert_array_equal(series[0].values, today.values)
    for k in range(1, 4):
        assert series[k].info["repetition"] == k
        assert (series[k].values != series[k - 1].values).any()
        np.testing.assert_array_equal(series[k].values, series[k].values.T)
    clear_cache()
    np.testing.assert_array_equal(solver.overlaps(PROGRAM, X, repetition=2).values, series[2].values)
    cross = solver.overlaps(PROGRAM, X, Y, repetition=2).values
    np.testing.assert_array_equal(solver.overlaps(PROGRAM, Y, X, repetition=np.int64(2)).values.T, cross)
    pairs = [(0, 3), (6, 1), (3, 3)]
    some = solver.overlaps(PROGRAM, X, pairs=pairs, repetition=2).values
    np.testing.assert_array_equal(some, series[2].values[tuple(np.transpose(pairs))])


@pytest.mark.parametrize("orientation", ["canonical", "both"])
@pytest.mark.parametrize("shots", [(200, 200), (200, 300)], ids=["equal-shots", "other-shots"])
def test_draws_of_different_repetitions_are_independent(shots: tuple[int, int], orientation: str) -> None:
    """The mean product of independent standardised draws has variance 1/M; so have all pairs of four series."""
    X, pairs = rows(120, 9), all_pairs(120)
    exact = StatevectorEngine().overlaps(PROGRAM, X, pairs=pairs).values
    inner = (exact > 0.05) & (exact < 0.95)
    assert inner.sum() > 1000
    solver = StatevectorEngine(shots=10, seed=6)
    z = []
    for repetition, s in enumerate([*shots, *shots]):
        drawn = solver.overlaps(
            PROGRAM,
            X,
            pairs=pairs,
            shots=np.full(len(pairs), s),
            repetition=repetition,
            orientation=orientation,
        ).values
        z.append(((drawn - exact)[inner]) / np.sqrt((exact * (1 - exact))[inner] / s))
    for a in range(4):
        assert abs(z[a].mean()) < 5 / np.sqrt(inner.sum())
        for b in range(a):
            assert abs((z[a] * z[b]).mean()) < 5 / np.sqrt(inner.sum())


def test_repeated_rounds_of_one_pair_add_up_to_more_shots() -> None:
    """What an adaptive budget does: rounds of different sizes for one pair, each in a repetition of its own."""
    X = rows(2, 10)
    exact = StatevectorEngine().overlaps(PROGRAM, X).values[0, 1]
    solver, rounds = StatevectorEngine(shots=1, seed=7), 400
    sizes = 1 + np.arange(rounds) % 5
    counts = [
        solver.overlaps(PROGRAM, X, pairs=[(0, 1)], shots=[s], repetition=r).values[0] * s for r, s in enumerate(sizes)
    ]
    low, high = binom.interval(1 - 1e-6, sizes.sum(), exact)
    assert low <= np.rint(sum(counts)) <= high


# Plans and refusals -----------------------------------------------------------------------------------------------


@every_engine
def test_plans_add_up_the_shots(engine: str) -> None:
    solver, pairs, shots = ENGINES[engine](shots=9, seed=0), [(0, 1), (1, 2), (0, 2)], [10, 20, 5]
    assert solver.plan(PROGRAM, 3, pairs=pairs, shots=shots).shots == 35
    assert solver.plan(PROGRAM, rows(3, 11), pairs=pairs, shots=shots, repetition=3).shots == 35
    assert solver.plan(PROGRAM, 3, pairs=pairs).shots == 27
    assert solver.plan(PROGRAM, 3, pairs=pairs, shots=shots).entries == 3


WRONG = {
    "zero": ({"shots": [1, 0]}, r"shots of every pair must be >= 1; got 0 for pair 1\. Leave out pairs that need none"),
    "negative": ({"shots": [-3, 2]}, "must be >= 1; got -3 for pair 0"),
    "one-for-two-orientations": (
        {"shots": [4, 1], "orientation": "both"},
        "must be >= 2: orientation='both' splits them over two circuits; got 1 for pair 1",
    ),
    "length": ({"shots": [1, 2, 3]}, r"shots must be integers of shape \(2,\), one for each pair, got shape \(3,\)"),
    "number": ({"shots": 5}, r"shots must be integers of shape \(2,\), one for each pair, got shape \(\)"),
    "floats": ({"shots": [1.0, 2.0]}, "shots must be integers .* dtype float64"),
    "booleans": ({"shots": [True, True]}, "shots must be integers .* dtype bool"),
    "matrix": ({"shots": [5, 5], "pairs": None}, r"shots of each pair and need pairs; .* \w+Engine\(shots=…\)"),
    "repetition-negative": ({"repetition": -1}, "repetition must be an integer >= 0, got -1"),
    "repetition-bool": ({"repetition": True}, "repetition must be an integer >= 0, got True"),
    "repetition-float": ({"repetition": 1.0}, r"repetition must be an integer >= 0, got 1\.0"),
}


@every_engine
@pytest.mark.parametrize("name", WRONG)
def test_wrong_shots_are_refused(engine: str, name: str) -> None:
    given_options, pattern = WRONG[name]
    options = {"pairs": [(0, 1), (1, 2)]} | given_options
    solver = ENGINES[engine](shots=20, seed=0)
    for call in (solver.overlaps, solver.plan):
        with pytest.raises(InvalidParameterError, match=pattern):
            call(PROGRAM, rows(3, 12), **options)


@every_engine
@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (
            {"shots": [5]},
            r"shots were given for each pair, but this \w+Engine is exact and draws nothing\. Sample with",
        ),
        ({"repetition": 2}, r"repetition=2 was asked for, but this \w+Engine is exact"),
    ],
    ids=["shots", "repetition"],
)
def test_exact_engines_draw_nothing(engine: str, options: dict[str, object], pattern: str) -> None:
    solver = ENGINES[engine]()
    for call in (solver.overlaps, solver.plan):
        with pytest.raises(InvalidParameterError, match=pattern):
            call(PROGRAM, rows(3, 13), pairs=[(0, 1)], **options)
    assert solver.overlaps(PROGRAM, rows(3, 13), pairs=[(0, 1)], repetition=0).stderr is None


# The statistics they rest on --------------------------------------------------------------------------------------


def test_counts_and_errors_take_one_number_of_shots_or_one_for_each() -> None:
    rng = np.random.default_rng(1)
    p, u, shots = rng.uniform(size=200), rng.uniform(size=200), rng.integers(1, 500, size=200)
    counts = sample_counts(p, u, shots)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(
        counts, [sample_counts(p[k : k + 1], u[k : k + 1], int(shots[k]))[0] for k in range(200)]
    )
    assert (binom.cdf(counts, shots, p) >= u).all()  # inversion: the smallest count whose tail holds u
    assert ((counts == 0) | (binom.cdf(counts - 1, shots, p) < u)).all()
    frequencies = sample_frequencies(p, u, shots)
    np.testing.assert_array_equal(frequencies, counts / shots)
    np.testing.assert_array_equal(
        wilson_stderr(frequencies, shots),
        [wilson_stderr(frequencies[k : k + 1], int(shots[k]))[0] for k in range(200)],
    )
    # Wilson's interval at one sigma: (f + 1/2S ± width·(1 + 1/S)) solve (f − p)² = p(1−p)/S
    f, s = frequencies[:5], shots[:5]
    for sign in (-1, 1):
        edge = (f + 1 / (2 * s)) / (1 + 1 / s) + sign * wilson_stderr(f, s)
        np.testing.assert_allclose((f - edge) ** 2, edge * (1 - edge) / s, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(
        sample_counts(np.array([0.0, 0.3, 1.0]), np.full(3, 0.5), np.array([9, 0, 9])), [0, 0, 9]
    )


def test_one_stream_for_each_pair() -> None:
    keys = row_keys(rows(6, 14), PROGRAM.key)
    a, b = keys[:3], keys[3:]
    names = np.array(["one", "two", "one"])
    mixed = pair_uniforms(a, b, 0, names)
    np.testing.assert_array_equal(pair_uniforms(b, a, 0, names), mixed)
    one, two = (pair_uniforms(a, b, 0, name) for name in ("one", "two"))
    np.testing.assert_array_equal(mixed, np.where(names == "one", one, two))
    assert (one != two).all()


def test_the_canonical_orientation_is_the_smaller_key_first() -> None:
    small, large = np.array([1, 7], dtype=np.uint64), np.array([1, 8], dtype=np.uint64)
    high = np.array([2**63 + 1, 0], dtype=np.uint64)
    for first, second in ((small, large), (large, high), (small, high)):
        assert is_canonical(first, second)
        assert not is_canonical(second, first)
    assert is_canonical(small, small)
    keys = np.stack([small, large, high])
    np.testing.assert_array_equal(is_canonical(keys[:, None], keys[None]), np.triu(np.ones((3, 3), dtype=bool)))
