"""ZeroNoiseExtrapolation over an engine whose noise is a formula: what it asks for and what it makes of the answers."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from math import exp
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from sklearn.base import clone

from qkernels._errors import (
    BudgetError,
    InvalidDataError,
    InvalidParameterError,
    QKernelsWarning,
    UnsupportedCircuitError,
)
from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine, ZeroNoiseExtrapolation
from qkernels.engines._expectations import pauli_labels
from qkernels.engines._extrapolation import linear_coefficients, richardson_coefficients
from qkernels.engines._folding import of_paulis
from qkernels.feature_maps import CPMap, ZZFeatureMap
from qkernels.kernels import FidelityKernel, HammingKernel, ProjectedKernel
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram, Overlaps
from tests.engines.depolarized import DepolarizedEngine, ScalableEngine, at_zero

Values = NDArray[np.float64]
EPS = float(np.finfo(float).eps)

CIRCUIT = ZZFeatureMap(reps=1).build(3)
PROGRAM = OverlapProgram(CIRCUIT, CIRCUIT.parameters)
OBSERVED = ExpectationProgram(
    CIRCUIT, CIRCUIT.parameters, observables=["ZZZ", SparsePauliOp(["XII", "III", "IZZ"], [0.5, 2.0, -0.25]), "III"]
)
GATES = sum(not op.is_directive for op in PROGRAM.flat.ops)
RATE = 0.3 / GATES  # one run of the circuit keeps exp(−0.3), both halves exp(−0.6)
ODD = (1, 3, 5)
X = np.random.default_rng(0).uniform(-1, 1, size=(6, 3))
Y = np.vstack([np.random.default_rng(1).uniform(-1, 1, size=(3, 3)), X[2]])
EXACT = StatevectorEngine()

WAYS = {"scale": (ScalableEngine, (1, 2, 3)), "fold": (DepolarizedEngine, ODD)}
both_ways = pytest.mark.parametrize("way", WAYS)


def engine(way: str = "scale", fit: str = "exponential", **options: Any) -> ZeroNoiseExtrapolation:
    kind, factors = WAYS[way]
    own = {name: options.pop(name) for name in ("shots", "seed", "tilt", "limit") if name in options}
    return ZeroNoiseExtrapolation(kind(RATE, **own), options.pop("factors", factors), fit, **options)


def rounding(way: str) -> float:
    """Error of an exponential fit of exact values: eps over the least distance left, times the slope of the fit."""
    last = WAYS[way][1][-1]
    return 4 * last * 16 * EPS / exp(-0.6 * last)


# Global depolarising noise: the exponential is exact ----------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_exponential_undoes_global_depolarizing(way: str, orientation: str) -> None:
    solver = engine(way)
    for second in (None, Y):
        found = solver.overlaps(PROGRAM, X, second, orientation=orientation)
        exact = EXACT.overlaps(PROGRAM, X, second).values
        assert np.abs(found.values - exact).max() <= rounding(way)
        assert found.stderr is None
        assert found.num_shots is None
        assert found.info["linear_entries"] == 0
    raw = solver.engine.overlaps(PROGRAM, X).values
    assert np.abs(raw - EXACT.overlaps(PROGRAM, X).values).max() > 0.3


@pytest.mark.parametrize("fit", ["linear", "richardson"])
@both_ways
def test_linear_combinations_leave_what_the_formula_says(way: str, fit: str) -> None:
    factors = WAYS[way][1]
    coefficients = {"linear": linear_coefficients, "richardson": richardson_coefficients}[fit](factors)
    exact = EXACT.overlaps(PROGRAM, X, Y).values
    left = at_zero(coefficients, factors, exp(-0.6))
    found = engine(way, fit).overlaps(PROGRAM, X, Y).values
    np.testing.assert_allclose(found, 0.125 + (exact - 0.125) * left, rtol=0, atol=1e-13)
    if (way, fit) == ("scale", "richardson"):  # (1 − f)³ of the distance is missing
        assert left == pytest.approx(1 - (1 - exp(-0.6)) ** 3, abs=1e-14)


@both_ways
def test_expectation_values(way: str) -> None:
    found = engine(way).expectations(OBSERVED, X)
    exact = EXACT.expectations(OBSERVED, X).values
    assert np.abs(found.values - exact).max() <= rounding(way) * 3  # coefficients up to 2, and two terms
    assert found.values[:, 2].tolist() == [1.0] * len(X)  # the identity
    assert (found.stderr, found.num_shots) == (None, None)
    assert found.info["program"] == OBSERVED.key


def test_orientations_are_extrapolated_one_by_one() -> None:
    exact = EXACT.overlaps(PROGRAM, X).values
    found = engine(tilt=0.5).overlaps(PROGRAM, X, orientation="both", need={"orientations"})
    assert found.orientations is not None
    assert np.abs(found.orientations - exact).max() <= 10 * rounding("scale")  # the reverse decays 1.5 times as fast
    np.testing.assert_array_equal(found.orientations.mean(axis=0), found.values)
    alone = engine(tilt=0.5).overlaps(PROGRAM, X, orientation="both")
    np.testing.assert_array_equal(alone.values, found.values)
    assert alone.orientations is None
    canonical = engine(tilt=0.5).overlaps(PROGRAM, X, need={"orientations"})
    assert canonical.orientations is not None
    np.testing.assert_array_equal(canonical.orientations[0], canonical.values)


def test_folding_runs_both_orientations() -> None:
    """Keys decide which row is prepared and differ between the lengths: only the mean of both is one curve."""
    wrapped = DepolarizedEngine(RATE, tilt=0.5)
    found = ZeroNoiseExtrapolation(wrapped, ODD, "richardson").overlaps(PROGRAM, X, Y)
    exact = EXACT.overlaps(PROGRAM, X, Y).values - 0.125
    left = [at_zero(richardson_coefficients(ODD), ODD, exp(-0.6 * tilt)) for tilt in (1.0, 1.5)]
    same = (X[:, None] == Y[None]).all(axis=-1)
    mean = np.where(same, left[0], np.mean(left))  # a row with itself has one orientation
    np.testing.assert_allclose(found.values, 0.125 + exact * mean, rtol=0, atol=1e-13)


# The contract -------------------------------------------------------------------------------------------------------

SOLVERS = {
    "exact": engine("scale"),
    "fold": engine("fold", "linear"),
    "sampled": engine("scale", shots=200, seed=3),
    "sampled_both": engine("scale", "richardson", shots=200, seed=3),
    "sampled_fold": engine("fold", shots=200, seed=3),
}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())


@every_solver
def test_one_value_per_unordered_pair(solver: ZeroNoiseExtrapolation) -> None:
    gram = solver.overlaps(PROGRAM, X)
    np.testing.assert_allclose(gram.values, gram.values.T, rtol=0, atol=1e-14)
    cross = solver.overlaps(PROGRAM, X, Y)
    np.testing.assert_allclose(solver.overlaps(PROGRAM, Y, X).values.T, cross.values, rtol=0, atol=1e-14)
    np.testing.assert_allclose(cross.values[:, 3], gram.values[:, 2], rtol=0, atol=1e-14)  # the row of X in Y
    order = [4, 0, 5, 2, 1, 3]
    np.testing.assert_allclose(
        solver.overlaps(PROGRAM, X[order]).values, gram.values[np.ix_(order, order)], rtol=0, atol=1e-14
    )
    index = [(0, 1), (5, 2), (3, 3), (1, 0)]
    pairs = solver.overlaps(PROGRAM, X, pairs=index)
    for found, whole in ((pairs.values, gram.values), (pairs.stderr, gram.stderr), (pairs.num_shots, gram.num_shots)):
        if found is not None and whole is not None:
            np.testing.assert_allclose(found, whole[tuple(np.transpose(index))], rtol=1e-13)


@every_solver
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_self_values_are_those_of_the_matrix(solver: ZeroNoiseExtrapolation, orientation: Any) -> None:
    gram = solver.overlaps(PROGRAM, X, orientation=orientation, need={"diagonal"})
    assert gram.diagonals is not None
    np.testing.assert_array_equal(gram.diagonals[0], np.diag(gram.values))
    np.testing.assert_array_equal(gram.diagonals[1], gram.diagonals[0])
    cross = solver.overlaps(PROGRAM, X, Y, orientation=orientation, need={"diagonal"})
    assert cross.diagonals is not None
    np.testing.assert_allclose(cross.diagonals[0], gram.diagonals[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(cross.diagonals[1][3], gram.diagonals[0][2], rtol=0, atol=1e-14)
    assert cross.diagonals[1].shape == (4,)
    for request in ({"pairs": [(0, 1)]}, {"diagonal": False}):
        found = solver.overlaps(PROGRAM, X, orientation=orientation, need={"diagonal"}, **request)
        assert found.diagonals is not None
        np.testing.assert_allclose(found.diagonals[0], gram.diagonals[0], rtol=0, atol=1e-14)


@every_solver
def test_a_diagonal_filled_with_one_stays_one(solver: ZeroNoiseExtrapolation) -> None:
    found = solver.overlaps(PROGRAM, X, Y, diagonal=False)
    assert found.values[2, 3] == 1.0
    if found.stderr is not None and found.num_shots is not None:
        assert found.stderr[2, 3] == 0.0
        assert found.num_shots[2, 3] == 0


@every_solver
def test_prepared_rows_come_back(solver: ZeroNoiseExtrapolation) -> None:
    prepared = solver.prepare(PROGRAM, X)
    assert prepared.num_samples == len(X)
    assert prepared.nbytes == 3 * X.nbytes
    for need in (frozenset(), {"diagonal"}):
        expected = solver.overlaps(PROGRAM, X, Y, need=need)
        for second in (Y, solver.prepare(PROGRAM, Y)):
            found = solver.overlaps(PROGRAM, prepared, second, need=need)
            np.testing.assert_array_equal(found.values, expected.values)
            for a, b in zip(found.diagonals or (), expected.diagonals or (), strict=True):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(solver.overlaps(PROGRAM, prepared).values, solver.overlaps(PROGRAM, X).values)


def test_theta_reaches_every_factor() -> None:
    x, theta = ParameterVector("x", 2), ParameterVector("t", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.ry(x[1], 1)
    circuit.crx(theta[0] * x[1], 0, 1)
    program = OverlapProgram(circuit, x, theta)
    observed = ExpectationProgram(circuit, x, theta, observables="ZZ")
    for way in WAYS:
        solver, t = engine(way), [0.7]
        exact = EXACT.overlaps(program, X[:, :2], theta=t).values
        assert np.abs(solver.overlaps(program, X[:, :2], theta=t).values - exact).max() < 1e-12
        exact = EXACT.expectations(observed, X[:, :2], theta=t).values
        assert np.abs(solver.expectations(observed, X[:, :2], theta=t).values - exact).max() < 1e-12
        prepared = solver.prepare(program, X[:, :2], t)
        np.testing.assert_array_equal(prepared.keys, engine(way).prepare(program, X[:, :2], t).keys)


@pytest.mark.parametrize("fit", ["linear", "richardson"])
def test_weights_are_a_signed_distribution(fit: str) -> None:
    for way in WAYS:
        found = engine(way, fit).overlaps(PROGRAM, X, Y, need={"weights"})
        assert found.weights is not None
        np.testing.assert_allclose(found.weights.sum(axis=-1), 1.0, rtol=0, atol=1e-13)
        np.testing.assert_allclose(found.weights[..., 0], found.values, rtol=0, atol=1e-14)
        coefficients = {"linear": linear_coefficients, "richardson": richardson_coefficients}[fit](WAYS[way][1])
        left = at_zero(coefficients, WAYS[way][1], exp(-0.6))
        exact, mixed = EXACT.overlaps(PROGRAM, X, Y, need={"weights"}).weights, np.array([1, 3, 3, 1]) / 8
        assert exact is not None
        np.testing.assert_allclose(found.weights, mixed + (exact - mixed) * left, rtol=0, atol=1e-13)


# Shots --------------------------------------------------------------------------------------------------------------


def sampled_cross(way: str, fit: str, kept: float) -> tuple[list[Overlaps], Values]:
    """Two repetitions of 900 entries, and the exact ones; every unit of noise keeps exp(−kept) of the distance."""
    kind, factors = WAYS[way]
    solver = ZeroNoiseExtrapolation(kind(kept / 2 / GATES, shots=4000, seed=5), factors, fit)  # type: ignore[arg-type]
    rng = np.random.default_rng(4)
    rows, columns = rng.uniform(-0.6, 0.6, size=(30, 3)), rng.uniform(-0.6, 0.6, size=(30, 3))
    found = [solver.overlaps(PROGRAM, rows, columns, repetition=r) for r in range(2)]
    return found, EXACT.overlaps(PROGRAM, rows, columns).values


@pytest.mark.parametrize("fit", ["linear", "richardson"])
@both_ways
def test_draws_at_different_factors_are_independent(way: str, fit: str) -> None:
    """The spread is the root of Σ h² σ², which draws common to all factors would not have; and there is no bias."""
    found, exact = sampled_cross(way, fit, 0.2)
    factors = WAYS[way][1]
    h = {"linear": linear_coefficients, "richardson": richardson_coefficients}[fit](factors)
    p = np.stack([0.125 + (exact - 0.125) * np.exp(-0.2 * f) for f in factors])
    variance = np.tensordot(h**2, p * (1 - p), axes=1) / 4000
    z = [((f.values - np.tensordot(h, p, axes=1)) / np.sqrt(variance)).ravel() for f in found]
    for sample in z:
        assert abs(sample.mean()) < 5 / np.sqrt(sample.size)
        assert (sample**2).mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / sample.size))
    assert abs((z[0] * z[1]).mean()) < 5 / np.sqrt(z[0].size)  # repetitions are independent, too
    assert found[0].stderr is not None
    np.testing.assert_allclose((found[0].stderr ** 2).mean(), variance.mean(), rtol=0.01)


@both_ways
def test_standard_errors_of_the_exponential_hold(way: str) -> None:
    found, exact = sampled_cross(way, "exponential", 0.2)
    far = exact > 0.4  # well above the asymptote, where the first order is the whole story but for some percent
    assert far.sum() > 200
    for f in found:
        assert f.stderr is not None
        z = (f.values - exact)[far] / f.stderr[far]
        assert (z**2).mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / z.size) + 0.05)
        assert abs(z.mean()) < 5 / np.sqrt(z.size) + 0.05


def test_expectation_draws_at_different_factors_are_independent() -> None:
    """Draws of expectation values have no repetition; here they are made independent all the same."""
    shots, rows = 400, np.random.default_rng(9).uniform(-1, 1, size=(800, 3))
    solver = engine("scale", "richardson", shots=shots, seed=1)
    found = solver.expectations(OBSERVED, rows)
    exact = EXACT.expectations(OBSERVED, rows).values
    means = np.stack([exact[:, 0] * exp(-0.3 * f) for f in (1, 2, 3)])
    h = richardson_coefficients((1, 2, 3))
    variance = h**2 @ ((1 - means**2) / shots)
    z = (found.values[:, 0] - h @ means) / np.sqrt(variance)
    assert abs(z.mean()) < 5 / np.sqrt(len(rows))
    assert (z**2).mean() == pytest.approx(1.0, abs=5 * np.sqrt(2 / len(rows)))
    assert found.stderr is not None
    np.testing.assert_allclose(found.stderr[:, 0] ** 2, variance, rtol=0.1)  # of Wilson at 400 shots, for |mean| < .9
    assert found.num_shots == 3 * shots
    assert (found.stderr[:, 2] == 0.0).all()
    again = engine("scale", "richardson", shots=shots, seed=1).expectations(OBSERVED, rows)
    np.testing.assert_array_equal(again.values, found.values)
    assert (engine("scale", shots=shots, seed=2).expectations(OBSERVED, rows).values != found.values).any()


def test_repetitions_of_the_wrapped_engine_are_numbered_by_factor() -> None:
    wrapped = DepolarizedEngine(RATE, shots=100, seed=0)
    ZeroNoiseExtrapolation(wrapped, ODD).overlaps(PROGRAM, X, repetition=4)
    assert [asked["repetition"] for asked in wrapped.asked] == [12, 13, 14]


@both_ways
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_shots_are_counted_at_all_factors(way: str, orientation: Any) -> None:
    found = engine(way, shots=101, seed=0).overlaps(PROGRAM, X, orientation=orientation)
    each = 100 if orientation == "both" or way == "fold" else 101
    assert found.num_shots is not None
    assert found.stderr is not None
    assert (found.num_shots == 3 * each).all()
    assert found.num_shots.dtype == np.int64
    assert (found.stderr > 0).all()
    assert found.info["shots"] == 3 * each


def test_entries_at_the_asymptote_are_left_to_the_line() -> None:
    solver, line = engine(shots=50, seed=0), engine(fit="linear", shots=50, seed=0)
    found, straight = solver.overlaps(PROGRAM, X), line.overlaps(PROGRAM, X)
    bent = found.values != straight.values
    assert 0 < found.info["linear_entries"] == (~bent).sum() < bent.size
    assert straight.info["linear_entries"] == 0


def test_values_are_clipped_on_request_only() -> None:
    free = engine("scale", "richardson", shots=60, seed=0).overlaps(PROGRAM, X)
    assert free.values.max() > 1.0
    clipped = engine("scale", "richardson", shots=60, seed=0, clip=True).overlaps(
        PROGRAM, X, need={"orientations", "diagonal"}, orientation="both"
    )
    assert clipped.orientations is not None
    for values in (clipped.values, clipped.orientations):
        assert values.min() >= 0.0
        assert values.max() <= 1.0
    observed = engine("scale", "richardson", shots=60, seed=0, clip=True).expectations(OBSERVED, X)
    assert observed.values.min() < 0.0


# Plans and memory ---------------------------------------------------------------------------------------------------


@both_ways
def test_plan_counts_all_factors(way: str) -> None:
    solver = engine(way, shots=100, seed=0)
    one = solver.engine.plan(PROGRAM, X, Y, orientation="both" if way == "fold" else "canonical")
    plan = solver.plan(PROGRAM, X, Y)
    assert (plan.circuits, plan.shots, plan.entries) == (3 * one.circuits, 3 * one.shots, one.entries)
    assert plan.engine == repr(solver)
    assert plan.feasible
    counts = solver.plan(PROGRAM, len(X), len(Y))
    assert (counts.circuits, counts.shots) == (plan.circuits, plan.shots)
    selves = solver.plan(PROGRAM, X, Y, need={"diagonal"})
    assert selves.entries == plan.entries + len(X) + len(Y)
    assert selves.shots == plan.shots + 3 * 100 * (len(X) + len(Y))
    assert solver.plan(PROGRAM, X, need={"diagonal"}) == solver.plan(PROGRAM, X)
    assert solver.plan(OBSERVED, X).shots == 3 * solver.engine.plan(OBSERVED, X).shots


def test_what_the_engine_has_no_memory_for_is_refused_with_its_reason() -> None:
    solver = engine(limit=20_000)
    plan = solver.plan(PROGRAM, X)
    assert not plan.feasible
    with pytest.raises(BudgetError, match="21 entries are too many"):
        solver.overlaps(PROGRAM, X)


def test_answers_of_all_factors_count() -> None:
    one = ScalableEngine(RATE).plan(PROGRAM, X).memory_bytes
    held = 36 * 8 * 4
    assert engine(limit=one + held).plan(PROGRAM, X).feasible
    solver = engine(limit=one + held - 1)
    with pytest.raises(
        BudgetError, match=r"Answers at 3 noise strengths take 1\.1 KiB .*memory_limit of ScalableEngine"
    ):
        solver.overlaps(PROGRAM, X)
    prepared = engine(limit=10_000).prepare(PROGRAM, np.tile(X, (20, 1)))
    with pytest.raises(BudgetError, match=r"Answers at 3 noise strengths take 450\.0 KiB .* is 9\.8 KiB"):
        engine(limit=10_000).overlaps(PROGRAM, prepared)
    with pytest.raises(BudgetError, match=r"States at 3 noise strengths take 8\.4 KiB, .*is 4\.9 KiB"):
        engine(limit=5_000).prepare(PROGRAM, np.tile(X, (20, 1)))


# Parameters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factors", "pattern"),
    [
        ((1,), r"at least two different numbers > 0 .*got \(1,\)"),
        ((), r"at least two different numbers > 0 .*got \(\)"),
        ((1, 1, 2), r"got \(1, 1, 2\) with \[1\] more than once\. Try \(1, 2\)"),
        ((3, 1, 2), r"in ascending order.*got \(3, 1, 2\)\. Try \(1, 2, 3\)"),
        ((-1, 1), r"got \(-1, 1\)"),
        ((0, 1, 2), r"got \(0, 1, 2\)"),
        ((1, float("nan")), r"got \(1, nan\)"),
        ((1, float("inf")), r"got \(1, inf\)"),
        ((1, True), r"got \(1, True\)"),
        ((1, "2"), r"got \(1, '2'\)"),
        ("12", "got '12'"),
        (3, "got 3"),
    ],
    ids=str,
)
def test_factors_are_checked(factors: Any, pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=rf"factors of ZeroNoiseExtrapolation must be .*{pattern}"):
        ZeroNoiseExtrapolation(ScalableEngine(), factors)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"fit": "cubic"}, r"fit of .* must be one of \['exponential', 'linear', 'richardson'\]; got 'cubic'"),
        ({"fit": ["linear"]}, r"fit of .* got \['linear'\]"),
        ({"method": "both"}, r"method of .* must be one of \['auto', 'scale', 'fold'\]; got 'both'"),
        ({"readout": 1}, r"readout of .* must be True or False; got 1"),
        ({"clip": "no"}, r"clip of .* must be True or False; got 'no'"),
        ({"asymptote": "zero"}, r"asymptote of .* must be 'auto' or a finite number; got 'zero'"),
        ({"asymptote": float("inf")}, r"asymptote of .* got inf"),
        ({"asymptote": 0.5, "fit": "linear"}, r"asymptote of .* belongs to fit='exponential'; got asymptote=0\.5"),
        ({"method": "fold"}, r"factors of .* must be odd integers .*got \(1, 2, 3\) \(method='fold'\)"),
        (
            {"method": "fold", "factors": ODD, "readout": True},
            r"readout of .* must be False where gates are folded.*got True \(method='fold'\)",
        ),
    ],
    ids=str,
)
def test_parameters_are_checked(options: dict[str, Any], pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        ZeroNoiseExtrapolation(ScalableEngine(), **options)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({}, r"must be odd integers where gates are folded.*got \(1, 2, 3\) \(DepolarizedEngine has no noise table"),
        ({"factors": (1, 1.5)}, r"must be odd integers where gates are folded.*got \(1, 1\.5\)"),
        ({"factors": ODD, "readout": True}, r"readout of .* got True \(DepolarizedEngine has no noise table"),
        ({"method": "scale"}, r"method of .* is 'scale', but DepolarizedEngine has no noise table to scale"),
    ],
    ids=str,
)
def test_an_engine_without_noise_table_folds(options: dict[str, Any], pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        ZeroNoiseExtrapolation(DepolarizedEngine(), **options)
    assert ZeroNoiseExtrapolation(DepolarizedEngine(), ODD).method == "fold"


class UnscalableEngine(ScalableEngine):
    """One that scales, but not this noise."""

    def scaled(self, factor: float, *, readout: bool = True) -> UnscalableEngine:
        raise UnsupportedCircuitError("UnscalableEngine cannot scale its noise. Fold gates.")


def test_what_refuses_to_scale_folds() -> None:
    solver = ZeroNoiseExtrapolation(UnscalableEngine(RATE), ODD)
    assert solver.method == "fold"
    exact = EXACT.overlaps(PROGRAM, X).values
    assert np.abs(solver.overlaps(PROGRAM, X).values - exact).max() <= rounding("fold")
    with pytest.raises(
        InvalidParameterError, match=r"odd integers .*UnscalableEngine cannot scale its noise, so gates"
    ):
        ZeroNoiseExtrapolation(UnscalableEngine())
    with pytest.raises(InvalidParameterError, match=r"method of .* is 'scale', but UnscalableEngine cannot scale its"):
        ZeroNoiseExtrapolation(UnscalableEngine(), ODD, method="scale")


def test_folding_takes_two_shots() -> None:
    with pytest.raises(InvalidParameterError, match=r"at least 2 shots where gates are folded.*shots=1\)"):
        ZeroNoiseExtrapolation(DepolarizedEngine(shots=1), ODD)


@pytest.mark.parametrize(
    "noiseless",
    [StatevectorEngine(), StatevectorEngine(100, seed=0), MPSEngine(), AutoEngine(), AutoEngine(100, seed=0)],
    ids=repr,
)
def test_noiseless_engines_are_refused(noiseless: Engine) -> None:
    with pytest.raises(InvalidParameterError, match=r"engine of .* must have noise; got \w+Engine\(.*nothing to"):
        ZeroNoiseExtrapolation(noiseless)


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"engine of .* must be an Engine.*got str"):
        ZeroNoiseExtrapolation("fake_fez")  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match=r"got ZeroNoiseExtrapolation\(.*extrapolates already"):
        ZeroNoiseExtrapolation(engine())


@pytest.mark.parametrize(
    ("solver", "options", "pattern"),
    [
        (engine(), {"need": {"bits"}}, r"need=\{'bits'\} is not available .*readout=True\. Got ZeroNoise"),
        (engine(), {"need": {"weights"}}, r"need=\{'weights'\} is available from .*Got .*fit='exponential'"),
        (engine(fit="linear", shots=9), {"need": {"weights"}}, r"need=\{'weights'\} .*no shots.*Got .*shots=9"),
        (engine(fit="linear", clip=True), {"need": {"weights"}}, r"need=\{'weights'\} .*Got .*clip=True"),
        (engine("fold"), {"need": {"orientations"}}, r"need=\{'orientations'\} is not available .*gates are folded"),
        (engine(), {"need": {"phases"}}, r"need=\['phases'\] is not available from ZeroNoiseExtrapolation"),
        (engine(), {"need": "diagonal"}, r"need must be a set of names .*got the string 'diagonal'"),
        (engine(), {"diagonal": "no"}, r"diagonal must be .*got 'no'"),
        (engine(), {"orientation": "forward"}, r"orientation must be .*got 'forward'"),
        (engine(shots=10), {"need": {"orientations"}}, r"takes orientation='both'; got 'canonical'"),
        (engine(shots=1), {"orientation": "both"}, r"must be >= 2, got 1"),
        (engine(), {"repetition": 2}, r"repetition=2 was asked for, but the wrapped engine .* draws nothing"),
        (engine(shots=10), {"repetition": -1}, r"repetition must be an integer >= 0, got -1"),
        (engine(shots=10), {"repetition": 1.0}, r"repetition must be an integer >= 0, got 1\.0"),
        (engine(shots=10), {"pairs": [(0, 1)], "shots": [20]}, r"shots of single pairs are not available .*got \[20\]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_requests_are_checked(solver: ZeroNoiseExtrapolation, options: dict[str, Any], pattern: str) -> None:
    for call in (solver.overlaps, solver.plan):
        with pytest.raises(InvalidParameterError, match=pattern):
            call(PROGRAM, X, **options)


def test_programs_are_checked() -> None:
    solver = engine()
    with pytest.raises(InvalidParameterError, match="program of overlaps must be an OverlapProgram, got Expectation"):
        solver.overlaps(OBSERVED, X)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="program of expectations must be an ExpectationProgram, got Over"):
        solver.expectations(PROGRAM, X)  # type: ignore[arg-type]
    for call in (solver.plan, solver.prepare):
        with pytest.raises(InvalidParameterError, match=r"program of \w+ must be a program, got str"):
            call("circuit", X)
    for way in WAYS:
        with pytest.raises(InvalidDataError, match=r"X has 2 feature\(s\)"):
            engine(way).overlaps(PROGRAM, X[:, :2])


def test_rows_prepared_elsewhere_are_refused() -> None:
    solver = engine()
    other = OverlapProgram(CPMap().build(3), CPMap().parameter_vector(3))
    for foreign, name in ((solver.engine.prepare(PROGRAM, X), "X"), (engine("fold").prepare(PROGRAM, X), "Y")):
        rows = (foreign,) if name == "X" else (X, foreign)
        with pytest.raises(
            InvalidParameterError, match=f"{name} was prepared for another program or by another engine"
        ):
            solver.overlaps(PROGRAM, *rows)
    with pytest.raises(InvalidParameterError, match="X was prepared for another program"):
        solver.overlaps(other, solver.prepare(PROGRAM, X))


def test_engines_without_noise_table_say_so() -> None:
    for plain in (StatevectorEngine(), DepolarizedEngine()):
        with pytest.raises(UnsupportedCircuitError, match=rf"{type(plain).__name__} has no noise table to scale\. Use"):
            plain.scaled(2.0)
        with pytest.raises(UnsupportedCircuitError, match="has no noise table"):
            plain.scaled(2.0, readout=False)
    with pytest.raises(UnsupportedCircuitError, match="DepolarizedEngine has no noise table"):
        engine("fold").scaled(2.0)


# The object ---------------------------------------------------------------------------------------------------------


def test_readout_is_scaled_on_request_only() -> None:
    for readout in (False, True):
        wrapped = ScalableEngine(RATE)
        solver = ZeroNoiseExtrapolation(wrapped, (1, 1.5, 2), readout=readout)
        assert wrapped.asked == [{"factor": f, "readout": readout} for f in (1.5, 2)]  # 1 is the engine itself
        assert solver.factors == (1, 1.5, 2)
        assert solver.readout is readout


def test_an_asymptote_of_ones_own() -> None:
    solver = ZeroNoiseExtrapolation(ScalableEngine(RATE), asymptote=0.0)
    raw = [ScalableEngine(RATE * f).overlaps(PROGRAM, X[:1]).values[0, 0] for f in (1, 2, 3)]
    # NumPy takes square roots of weights: the values themselves
    line = np.polynomial.Polynomial.fit([1, 2, 3], np.log(raw), 1, w=raw)
    assert solver.overlaps(PROGRAM, X[:1]).values[0, 0] == pytest.approx(np.exp(line(0.0)), rel=1e-12)


def test_scaled_scales_what_is_wrapped() -> None:
    solver = engine(fit="richardson", clip=True).scaled(2.0)
    assert repr(solver.engine) == repr(ScalableEngine(2 * RATE))
    assert (solver.fit, solver.clip, solver.factors) == ("richardson", True, (1, 2, 3))


def test_settings_of_the_engine_show() -> None:
    solver = engine(shots=70, seed=4, limit=1 << 20)
    assert (solver.shots, solver.seed, solver.memory_limit, solver.is_exact) == (70, 4, 1 << 20, False)
    assert (engine().shots, engine().is_exact, engine().method, engine().asymptote) == (None, False, "scale", "auto")
    for name in ("shots", "seed", "factors", "fit", "clip"):
        with pytest.raises(AttributeError):
            setattr(solver, name, 1)


def test_repr_shows_what_is_not_default() -> None:
    wrapped = repr(ScalableEngine(RATE))
    assert repr(engine()) == f"ZeroNoiseExtrapolation({wrapped}, factors=(1, 2, 3), fit='exponential')"
    shown = repr(engine("scale", factors=(1.0, 2.5), asymptote=0.25, readout=True, method="scale", clip=True))
    assert shown == (
        f"ZeroNoiseExtrapolation({wrapped}, factors=(1, 2.5), fit='exponential', method='scale', readout=True, "
        "asymptote=0.25, clip=True)"
    )


@every_solver
def test_pickle_and_clone(solver: ZeroNoiseExtrapolation) -> None:
    again = pickle.loads(pickle.dumps(solver))
    assert repr(again) == repr(solver)
    assert again.method == solver.method
    np.testing.assert_array_equal(again.overlaps(PROGRAM, X).values, solver.overlaps(PROGRAM, X).values)
    assert clone(solver) is solver


def test_info_says_how() -> None:
    info = engine("fold", shots=100, seed=0).overlaps(PROGRAM, X, repetition=2).info
    assert info["engine"] == repr(engine("fold", shots=100, seed=0))
    assert info["program"] == PROGRAM.key
    assert (info["factors"], info["fit"], info["method"]) == ("1, 3, 5", "exponential", "fold")
    assert info["repetition"] == 2
    assert info["diagonal"] == "measured"


# Layouts of folded circuits -----------------------------------------------------------------------------------------


class PlacedEngine(DepolarizedEngine):
    """Of a device that has a pair of better qubits for long circuits, unless the layout is fixed."""

    def __init__(self, rate: float, layout: str = "auto") -> None:
        super().__init__(rate)
        self.layout = layout

    def layout_of(self, program: OverlapProgram | ExpectationProgram) -> str:
        if self.layout != "auto":
            return self.layout
        return "short" if program.key in (PROGRAM.key, OBSERVED_PAULIS.key) else "long"

    def kept(self, program: Any, backward: bool = False) -> float:
        return super().kept(program, backward) ** (0.25 if self.layout_of(program) == "long" else 1.0)

    def overlaps(self, program: OverlapProgram, *rows: Any, **options: Any) -> Overlaps:
        return replace(super().overlaps(program, *rows, **options), info={"layout": self.layout_of(program)})

    def expectations(self, program: ExpectationProgram, *rows: Any, **options: Any) -> Expectations:
        return replace(super().expectations(program, *rows, **options), info={"layout": self.layout_of(program)})


class LaidOutEngine(PlacedEngine):
    """The same with the hook by which the layout is kept."""

    def with_layout_of(self, program: Any) -> LaidOutEngine:
        return LaidOutEngine(self.rate, self.layout_of(program))


OBSERVED_PAULIS = of_paulis(OBSERVED, pauli_labels(OBSERVED))


@pytest.mark.parametrize("factors", [ODD, (3, 5)], ids=str)
def test_all_lengths_run_on_the_qubits_of_the_program(factors: tuple[int, ...]) -> None:
    solver = ZeroNoiseExtrapolation(LaidOutEngine(RATE), factors)
    found = solver.overlaps(PROGRAM, X, Y)
    assert np.abs(found.values - EXACT.overlaps(PROGRAM, X, Y).values).max() <= rounding("fold")
    assert found.info["layout"] == "short"
    prepared = solver.overlaps(PROGRAM, solver.prepare(PROGRAM, X), Y)
    np.testing.assert_array_equal(prepared.values, found.values)
    values = solver.expectations(OBSERVED, X)
    assert np.abs(values.values - EXACT.expectations(OBSERVED, X).values).max() <= 3 * rounding("fold")
    assert values.info["layout"] == "short"


def test_layouts_that_differ_are_listed_with_a_warning() -> None:
    solver = ZeroNoiseExtrapolation(PlacedEngine(RATE), ODD)
    listed = "short (factor 1); long (factor 3); long (factor 5)"
    with pytest.warns(QKernelsWarning, match=re.escape(f"on different qubits: {listed}.")) as warned:
        found = solver.overlaps(PROGRAM, X)
    assert found.info["layout"] == listed
    assert [w.filename for w in warned] == [__file__]
    with pytest.warns(QKernelsWarning, match="on different qubits"):
        assert solver.expectations(OBSERVED, X).info["layout"] == listed


def test_engines_without_layouts_keep_themselves() -> None:
    for plain in (EXACT, DepolarizedEngine()):
        assert plain.with_layout_of(PROGRAM) is plain


# In kernels ---------------------------------------------------------------------------------------------------------


def test_kernels_take_it_as_an_engine_with_noise() -> None:
    exact = FidelityKernel(engine=StatevectorEngine(), bandwidth=0.7).fit(X)
    kernel = FidelityKernel(engine=engine("fold", shots=2000, seed=0), bandwidth=0.7).fit(X)
    assert [type(c).__name__ for c in kernel.corrections_] == ["ClipSpectrum"]
    assert kernel.gram_shots_.tolist() == np.full((6, 6), 6000).tolist()
    assert np.linalg.eigvalsh(kernel.gram_).min() > -1e-12
    np.testing.assert_allclose(kernel.gram_, exact.gram_, rtol=0, atol=5 * kernel.gram_stderr_.max())
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, rtol=0, atol=1e-12)
    without = FidelityKernel(engine=engine(), bandwidth=0.7, corrections=[])
    np.testing.assert_allclose(without.fit(X).gram_, exact.gram_, rtol=0, atol=1e-12)
    projected = [ProjectedKernel(engine=e, bandwidth=0.7).fit(X).gram_ for e in (engine(), StatevectorEngine())]
    np.testing.assert_allclose(projected[0], projected[1], rtol=0, atol=1e-12)


def test_a_kernel_of_outcomes_takes_linear_combinations() -> None:
    factors = (1, 3, 5, 7)
    engines = (StatevectorEngine(), DepolarizedEngine(RATE), engine("fold", "richardson", factors=factors))
    options: dict[str, Any] = {"feature_map": ZZFeatureMap(reps=1), "bandwidth": 0.7, "orientation": "both"}
    exact, raw, found = (HammingKernel(engine=e, corrections=[], **options).fit(X).gram_ for e in engines)
    mixed = (raw - exact * exp(-0.6)) / (1 - exp(-0.6))
    left = at_zero(richardson_coefficients(factors), factors, exp(-0.6))
    np.testing.assert_allclose(found, mixed + (exact - mixed) * left, rtol=0, atol=1e-12)
    with pytest.raises(InvalidParameterError, match=r"need=\{'weights'\} is available from ZeroNoiseExtrapolation"):
        HammingKernel(engine=engine(), bandwidth=0.7).fit(X)


def test_a_fitted_kernel_is_not_refined() -> None:
    kernel = FidelityKernel(engine=engine(shots=4000, seed=0, clip=True), bandwidth=0.7).fit(X)
    with pytest.raises(InvalidParameterError, match=r"frequencies of one circuit for refine.*ZeroNoiseExtrapolation"):
        kernel.refine(np.ones((6, 6)), shots=1000)
