"""DepolarizingMitigation: exact inversion, rates from the diagonal, order of corrections, errors, what is refused."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qkernels import DensityMatrixEngine, FidelityKernel, HammingKernel, LocalFidelityKernel, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import NoiseTable
from qkernels.kernels import (
    BitFlipTolerance,
    ClipSpectrum,
    DepolarizingMitigation,
    ProjectedKernel,
    ReadoutMitigation,
)
from qkernels.programs import Overlaps
from tests.kernels.noisy_oracle import NoisyOracle, by_weight, ideal_outcomes

Method = Literal["single", "mean", "split"]

METHODS = pytest.mark.parametrize("method", ["single", "mean", "split"])
UNREPAIRED = pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")

RNG = np.random.default_rng(5)
X, X_NEW = RNG.normal(size=(7, 2)), RNG.normal(size=(3, 2))
READOUT = np.array([[[0.97, 0.06], [0.03, 0.94]], [[0.95, 0.09], [0.05, 0.91]]])
PERFECT = np.array([np.eye(2)] * 2)


def own_rate(row: np.ndarray) -> float:
    return 0.15 + 0.1 * np.sin(3.0 * row.sum())


def random_kernel(seed: int, n: int) -> np.ndarray:
    """Any symmetric matrix of unit diagonal: the model asks for nothing else."""
    K = np.random.default_rng(seed).uniform(size=(n, n))
    K = 0.5 * (K + K.T)
    np.fill_diagonal(K, 1.0)
    return K


def as_measured(K: np.ndarray) -> Overlaps:
    return Overlaps(K, diagonals=(np.diag(K).copy(), np.diag(K).copy()))


# The model is inverted ------------------------------------------------------------------------------------------


@METHODS
@given(seed=st.integers(0, 10_000), num_qubits=st.integers(1, 12), rate=st.floats(0.0, 0.95))
def test_one_rate_is_inverted(method: Method, seed: int, num_qubits: int, rate: float) -> None:
    K, cross = random_kernel(seed, 6), np.random.default_rng(seed).uniform(size=(3, 6))
    d = 2**num_qubits
    noisy = (1 - rate) * K + rate / d
    mitigation = DepolarizingMitigation(method, num_qubits=num_qubits).fit(noisy)
    # Rounding of entries up to 1, multiplied by 1/(1 − L).
    np.testing.assert_allclose(mitigation.transform_gram(noisy), K, atol=1e-15 / (1 - rate) * 10, rtol=0)
    new = Overlaps(cross, diagonals=(np.full(3, 1 - rate + rate / d), np.diag(noisy)))
    np.testing.assert_allclose(
        mitigation.transform_cross((1 - rate) * cross + rate / d, new), cross, atol=1e-15 / (1 - rate) * 10, rtol=0
    )
    if method != "split":
        assert mitigation.rate_ == pytest.approx(rate, abs=1e-14)
    else:
        np.testing.assert_allclose(mitigation.rates_, 1 - np.sqrt(1 - rate), atol=1e-14 / np.sqrt(1 - rate))


@given(seed=st.integers(0, 10_000), num_qubits=st.integers(1, 12))
def test_split_inverts_a_rate_for_every_row(seed: int, num_qubits: int) -> None:
    rng = np.random.default_rng(seed)
    K, cross = random_kernel(seed, 6), rng.uniform(size=(3, 6))
    rates, new = rng.uniform(0, 0.7, size=6), rng.uniform(0, 0.7, size=3)
    d = 2**num_qubits

    def loss(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a[:, None] + b - a[:, None] * b

    noisy = (1 - loss(rates, rates)) * K + loss(rates, rates) / d
    mitigation = DepolarizingMitigation("split", num_qubits=num_qubits).fit(noisy)
    np.testing.assert_allclose(mitigation.rates_, rates, atol=1e-13)
    np.testing.assert_allclose(mitigation.transform_gram(noisy), K, atol=1e-12)
    own = 1 - (2 * new - new**2) * (1 - 1 / d)
    found = mitigation.transform_cross(
        (1 - loss(new, rates)) * cross + loss(new, rates) / d, Overlaps(cross, diagonals=(own, np.diag(noisy)))
    )
    np.testing.assert_allclose(found, cross, atol=1e-12)


def test_one_rate_where_rows_differ() -> None:
    diagonal = np.array([0.9, 0.5, 0.8, 0.7])
    K = np.diag(diagonal)
    assert DepolarizingMitigation("mean", num_qubits=2).fit(K).rate_ == pytest.approx((1 - 0.725) * 4 / 3)
    # Of the two middle ones the smaller.
    assert DepolarizingMitigation("single", num_qubits=2).fit(K).rate_ == pytest.approx((1 - 0.7) * 4 / 3)
    assert DepolarizingMitigation("single", num_qubits=2).fit(K[:3, :3]).rate_ == pytest.approx((1 - 0.8) * 4 / 3)


def test_rates_below_zero_invert_too() -> None:
    # Mitigated readout may give self-values above 1.
    mitigation = DepolarizingMitigation("mean", num_qubits=1).fit(np.array([[1.02, 0.6], [0.6, 1.02]]))
    assert mitigation.rate_ == pytest.approx(-0.04)
    assert mitigation.transform_gram(np.array([[1.02]])) == pytest.approx(1.0)


# Laws -----------------------------------------------------------------------------------------------------------


@METHODS
@given(seed=st.integers(0, 10_000))
def test_order_of_the_rows_plays_no_role(method: Method, seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = random_kernel(seed, 6) + np.diag(rng.uniform(-0.4, 0, size=6))
    weights, order = rng.uniform(1, 3, size=6), rng.permutation(6)
    where = np.ix_(order, order)
    fitted = DepolarizingMitigation(method, num_qubits=2).fit(K, sample_weight=weights)
    permuted = DepolarizingMitigation(method, num_qubits=2).fit(K[where], sample_weight=weights[order])
    np.testing.assert_allclose(permuted.transform_gram(K[where]), fitted.transform_gram(K)[where], atol=1e-13)
    stderr = rng.uniform(0.01, 0.02, size=(6, 6))
    stderr = stderr + stderr.T
    np.testing.assert_allclose(
        permuted.transform_stderr(stderr[where], K[where]), fitted.transform_stderr(stderr, K)[where], rtol=1e-12
    )


@METHODS
@given(seed=st.integers(0, 10_000))
def test_weights_are_repetitions(method: Method, seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = random_kernel(seed, 5) + np.diag(rng.uniform(-0.4, 0, size=5))
    weights = rng.integers(1, 4, size=5)
    again = np.repeat(np.arange(5), weights)
    where = np.ix_(again, again)
    weighted = DepolarizingMitigation(method, num_qubits=2).fit(K, sample_weight=weights.astype(float))
    repeated = DepolarizingMitigation(method, num_qubits=2).fit(K[where])
    np.testing.assert_allclose(repeated.transform_gram(K[where]), weighted.transform_gram(K)[where], atol=1e-13)


@METHODS
@pytest.mark.parametrize("size", [1e308, 1e-308], ids=str)
def test_only_ratios_of_weights_count(method: Method, size: float) -> None:
    K = random_kernel(3, 5) - np.diag([0.1, 0.2, 0.3, 0.4, 0.5])
    weights = np.array([1.0, 0.5, 1.0, 0.25, 0.5])
    expected = DepolarizingMitigation(method, 2).fit(K, sample_weight=weights).transform_gram(K)
    found = DepolarizingMitigation(method, 2).fit(K, sample_weight=size * weights).transform_gram(K)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("method", ["single", "mean"])
def test_rows_of_weight_zero_have_no_say(method: Method) -> None:
    K = np.diag([0.9, 0.8, 0.1])  # the last one is below 1/d
    mitigation = DepolarizingMitigation(method, 2).fit(K, sample_weight=np.array([1.0, 1.0, 0.0]))
    assert mitigation.rate_ == pytest.approx((1 - (0.8 if method == "single" else 0.85)) * 4 / 3)


@METHODS
def test_training_rows_as_new_rows(method: Method) -> None:
    K = random_kernel(8, 6) - np.diag(np.linspace(0.1, 0.4, 6))
    mitigation = DepolarizingMitigation(method, 2).fit(K, as_measured(K))
    np.testing.assert_array_equal(mitigation.transform_cross(K, as_measured(K)), mitigation.transform_gram(K))
    np.testing.assert_array_equal(mitigation.transform_gram(K), mitigation.transform_gram(K).T)


@METHODS
def test_without_noise_nothing_changes(method: Method) -> None:
    K = random_kernel(1, 5)
    np.testing.assert_array_equal(DepolarizingMitigation(method, 3).fit(K).transform_gram(K), K)


def test_a_new_fit_with_another_method_starts_anew() -> None:
    K = random_kernel(1, 4) - 0.1 * np.eye(4)
    mitigation = DepolarizingMitigation("split", 2).fit(K)
    mitigation.set_params(method="mean").fit(K)
    assert not hasattr(mitigation, "rates_")
    mitigation.set_params(method="split").fit(K)
    assert not hasattr(mitigation, "rate_")


def test_parameters() -> None:
    given = {"method": "split", "num_qubits": 3, "mixed_value": None}
    assert clone(DepolarizingMitigation("split", 3)).get_params() == given
    assert DepolarizingMitigation().get_params() == {"method": "mean", "num_qubits": None, "mixed_value": None}
    assert clone(DepolarizingMitigation(mixed_value=0.3)).mixed_value == 0.3
    assert DepolarizingMitigation.requires == {"diagonal"}
    assert not DepolarizingMitigation.guarantees_psd
    assert [DepolarizingMitigation(method).entrywise for method in ("single", "mean", "split")] == [True, True, False]


# Standard errors ------------------------------------------------------------------------------------------------


@METHODS
def test_standard_errors_are_those_of_repeated_experiments(method: Method) -> None:
    experiments, shots, n = 4000, 4000, 5
    rng = np.random.default_rng(2)
    true = 0.7 * random_kernel(4, n) + 0.3 / 4 - np.diag([0.0, 0.05, 0.1, 0.15, 0.2])
    sigma = np.sqrt(true * (1 - true) / shots)
    draws = rng.binomial(shots, true, size=(experiments, n, n)) / shots
    draws = np.triu(draws) + np.triu(draws, 1).transpose(0, 2, 1)
    mitigation = DepolarizingMitigation(method, 2)
    found = np.array([mitigation.fit(K).transform_gram(K) for K in draws])
    expected = clone(mitigation).fit(true).transform_stderr(sigma, true)
    spread = found.std(axis=0, ddof=1)
    # Of a standard deviation from M draws the relative error is 1/√(2M); second-order terms are relative to the first
    # by the relative error of what is divided by, squared.
    second = 4 * (sigma.max() / (true.diagonal().min() - 0.25)) ** 2
    np.testing.assert_allclose(spread, expected, rtol=5 / np.sqrt(2 * experiments) + second, atol=1e-12)
    assert (expected - expected.T == 0).all()


@pytest.mark.parametrize("n", [5, 30])
def test_one_entry_for_the_median_is_a_bound_where_self_values_are_alike(n: int) -> None:
    experiments, sigma = 2000, 0.002
    rng = np.random.default_rng(3)
    true = np.full((n, n), 0.6) + 0.2 * np.eye(n)
    draws = true + sigma * rng.normal(size=(experiments, n, n))
    draws = np.triu(draws) + np.triu(draws, 1).transpose(0, 2, 1)
    mitigation = DepolarizingMitigation("single", 3)
    found = np.array([mitigation.fit(K).transform_gram(K) for K in draws])
    told = np.array([mitigation.fit(K).transform_stderr(np.full((n, n), sigma), K) for K in draws])
    ratio = np.sqrt((told**2).mean(axis=0)) / found.std(axis=0, ddof=1)
    # Errors of the ratio: 1/√(2M) of the spread; on the diagonal another 1/√(nM) as an entry is told 0 where it is the
    # median. Five deviations; second order in σ/0.7.
    slack = 5 / np.sqrt(2 * experiments) + 5 / np.sqrt(n * experiments) + 2 * (sigma / 0.675) ** 2
    assert ratio.min() > 1 - slack
    assert ratio.max() < np.sqrt(2) + slack
    assert np.median(ratio) > 1.05  # a bound, not the error itself


# What is said of the diagonal -----------------------------------------------------------------------------------


@METHODS
@UNREPAIRED
def test_readout_errors_first_then_depolarizing(method: Method) -> None:
    engine = NoisyOracle(own_rate if method == "split" else 0.3, READOUT)
    ideal = FidelityKernel().fit(X)
    kernel = FidelityKernel(engine=engine, corrections=[ReadoutMitigation(), DepolarizingMitigation(method)]).fit(X)
    np.testing.assert_allclose(kernel.gram_, ideal.gram_, atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X_NEW), ideal.transform(X_NEW), atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-14)
    # New rows are measured with themselves only where a correction has to be told.
    assert ("pairs" in [how for how, _ in engine.asked]) == (method == "split")
    raw = FidelityKernel(engine=engine, corrections=[DepolarizingMitigation(method)]).fit(X)
    assert np.abs(raw.gram_ - ideal.gram_).max() > 0.01  # readout errors are no depolarizing noise


@METHODS
@UNREPAIRED
def test_after_bit_flip_tolerance_random_outcomes_are_worth_more(method: Method) -> None:
    engine = NoisyOracle(own_rate if method == "split" else 0.3, PERFECT)
    kernel = FidelityKernel(engine=engine, corrections=[BitFlipTolerance(1), DepolarizingMitigation(method)]).fit(X)
    rows, new = (kernel.factor_ * (table - kernel.offset_) for table in (X, X_NEW))
    program = kernel.frozen().rule.program
    ideal = np.array([[by_weight(ideal_outcomes(program, x, y), [[0], [1]])[:2].sum() for y in rows] for x in rows])
    np.testing.assert_allclose(kernel.gram_, ideal, atol=1e-12)
    cross = [[by_weight(ideal_outcomes(program, x, y), [[0], [1]])[:2].sum() for y in rows] for x in new]
    np.testing.assert_allclose(kernel.transform(X_NEW), cross, atol=1e-12)


@METHODS
@UNREPAIRED
@pytest.mark.parametrize(
    "kernel",
    [HammingKernel(weighting=[2.0, 0.7, -0.3]), HammingKernel(), LocalFidelityKernel(), LocalFidelityKernel(patches=2)],
    ids=["any", "exponential", "linear", "one patch"],
)
def test_kernels_of_other_outcomes(method: Method, kernel: HammingKernel) -> None:
    ideal = clone(kernel).set_params(corrections=[], engine=NoisyOracle(0.0, PERFECT)).fit(X)
    engine = NoisyOracle(own_rate if method == "split" else 0.3, PERFECT)
    kernel = clone(kernel).set_params(corrections=[DepolarizingMitigation(method)], engine=engine).fit(X)
    np.testing.assert_allclose(kernel.gram_, ideal.gram_, atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X_NEW), ideal.transform(X_NEW), atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-12)


def test_split_behind_a_repair_is_refused() -> None:
    kernel = FidelityKernel(
        engine=NoisyOracle(0.3, PERFECT), corrections=[ClipSpectrum(), DepolarizingMitigation("split")]
    )
    with pytest.raises(
        InvalidParameterError, match=r"'split' of Depol.* overlaps.diagonals is None.* before the repair"
    ):
        kernel.fit(X)
    kernel.set_params(corrections=[ClipSpectrum(), DepolarizingMitigation("mean"), ClipSpectrum()]).fit(X)


@UNREPAIRED
def test_one_rate_then_one_for_each_row() -> None:
    # The first divides by a common factor, the second then finds what is left: the same as the second alone.
    engine = NoisyOracle(own_rate, PERFECT)
    both = [DepolarizingMitigation("mean"), DepolarizingMitigation("split")]
    kernel = FidelityKernel(engine=engine, corrections=both).fit(X)
    alone = FidelityKernel(engine=engine, corrections=both[1:]).fit(X)
    np.testing.assert_allclose(kernel.gram_, alone.gram_, atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X_NEW), alone.transform(X_NEW), atol=1e-12)


# With the engine that knows gates -------------------------------------------------------------------------------


def depolarizing(p: float, k: int) -> np.ndarray:
    return np.diag([1.0] + [1.0 - p] * (4**k - 1))


@METHODS
@pytest.mark.parametrize("shots", [None, 400])
def test_depolarizing_channels_on_all_qubits_are_global(method: Method, shots: int | None) -> None:
    # On two qubits a depolarizing channel after every cx commutes with all gates: the model holds exactly.
    noise = NoiseTable(defaults={"cx": depolarizing(0.04, 2)}, ideal=["h", "p"], form="transfer")
    engine = DensityMatrixEngine(noise, shots=shots, seed=3)
    kernel = FidelityKernel(engine=engine, corrections=[DepolarizingMitigation(method), ClipSpectrum()]).fit(X)
    ideal = FidelityKernel().fit(X)
    assert kernel.gram_.shape == (7, 7)
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-12)
    if shots is None:
        np.testing.assert_allclose(kernel.gram_, ideal.gram_, atol=1e-12)
        np.testing.assert_allclose(kernel.transform(X_NEW), ideal.transform(X_NEW), atol=1e-12)
        mitigation = kernel.corrections_[0]
        cx = 2 * sum(op.name == "cx" for op in kernel.frozen().rule.program.flat.ops)
        kept = (1 - mitigation.rate_) if method != "split" else (1 - mitigation.rates_[0]) ** 2
        assert kept == pytest.approx((1 - 0.04) ** cx, rel=1e-12)
    else:
        raw = FidelityKernel(engine=engine).fit(X)
        assert np.abs(kernel.gram_ - ideal.gram_).mean() < np.abs(raw.gram_ - ideal.gram_).mean()
        assert (kernel.gram_stderr_ + np.eye(7) > 0).all()


def test_exact_fidelities_stay() -> None:
    expected = FidelityKernel().fit(X)
    for method in ("single", "mean", "split"):
        kernel = FidelityKernel(corrections=[DepolarizingMitigation(method)]).fit(X)
        np.testing.assert_array_equal(kernel.gram_, expected.gram_)
        np.testing.assert_allclose(kernel.transform(X_NEW), expected.transform(X_NEW), atol=1e-15)


@UNREPAIRED
def test_known_diagonal_of_a_noiseless_engine_adds_no_error() -> None:
    engine = StatevectorEngine(shots=100, seed=0)
    kernel = FidelityKernel(engine=engine, corrections=[DepolarizingMitigation("mean")]).fit(X)
    np.testing.assert_array_equal(
        kernel.gram_stderr_, FidelityKernel(engine=engine, corrections=[]).fit(X).gram_stderr_
    )


# Bad input ------------------------------------------------------------------------------------------------------


@METHODS
def test_diagonal_without_signal_is_refused(method: Method) -> None:
    K = np.diag([0.9, 0.8, 0.24, 0.25])
    with pytest.raises(
        InvalidDataError, match=r"training row 2 \(and 1 more\): its measured value with itself, 0\.24, .* above 0\.25"
    ):
        DepolarizingMitigation(method, num_qubits=2).fit(K)


def test_new_row_without_signal_is_refused() -> None:
    K = random_kernel(1, 3) - 0.1 * np.eye(3)
    mitigation = DepolarizingMitigation("split", 1).fit(K)
    cross = Overlaps(K[:2], diagonals=(np.array([0.9, 0.5]), np.diag(K)))
    with pytest.raises(InvalidDataError, match=r"new row 1: its measured value with itself, 0\.5, must be above 0\.5"):
        mitigation.transform_cross(K[:2], cross)


def test_split_needs_the_diagonal_of_new_rows() -> None:
    mitigation = DepolarizingMitigation("split", 1).fit(random_kernel(1, 3))
    for overlaps in (None, Overlaps(np.ones((1, 3)))):
        with pytest.raises(
            InvalidParameterError, match=r"must hold diagonals, the self-values of the new rows.* got none"
        ):
            mitigation.transform_cross(np.ones((1, 3)), overlaps)


@pytest.mark.parametrize("method", ["average", None, 1], ids=repr)
def test_bad_method(method: object) -> None:
    with pytest.raises(InvalidParameterError, match=rf"method of Depol.* 'single', 'mean' or 'split'; got {method!r}"):
        DepolarizingMitigation(method, 2).fit(np.eye(2))


@pytest.mark.parametrize("num_qubits", [0, 1.5, True, "2"], ids=repr)
def test_bad_number_of_qubits(num_qubits: object) -> None:
    with pytest.raises(InvalidParameterError, match=rf"num_qubits of Depol.* integer >= 1; got {num_qubits!r}"):
        DepolarizingMitigation(num_qubits=num_qubits).fit(np.eye(2))


def test_number_of_qubits_that_nobody_gives() -> None:
    for overlaps in (None, Overlaps(np.eye(2))):
        with pytest.raises(
            InvalidParameterError, match=r"num_qubits of DepolarizingMitigation must be given .* got None"
        ):
            DepolarizingMitigation().fit(np.eye(2), overlaps)


# Exact counts by Hamming weight of three qubits, depolarized with L = 0.4.
RATE = 0.4
RANDOM = np.array([1.0, 3.0, 3.0, 1.0]) / 8
PAIR = np.array([0.5, 0.3, 0.15, 0.05])
OWN = np.array([1.0, 0.0, 0.0, 0.0])
HISTOGRAMS = (1 - RATE) * np.array([[OWN, PAIR], [PAIR, OWN]]) + RATE * RANDOM


@METHODS
@pytest.mark.parametrize(
    ("source", "mixed_value", "expected"),
    [
        (BitFlipTolerance(0), 1 / 8, 0.5),
        (BitFlipTolerance(1), 1 / 2, 0.8),
        (BitFlipTolerance(2), 7 / 8, 0.95),
        (HammingKernel(weighting="linear"), 1 / 2, 0.5 + 0.3 * 2 / 3 + 0.15 / 3),
    ],
    ids=["fidelity", "one", "two", "linear"],
)
def test_published_counts_with_the_value_of_random_outcomes(
    method: Method, source: BitFlipTolerance | HammingKernel, mixed_value: float, expected: float
) -> None:
    K = source.from_histograms(HISTOGRAMS)
    mitigation = DepolarizingMitigation(method, mixed_value=mixed_value).fit(K)
    np.testing.assert_allclose(mitigation.transform_gram(K), [[1.0, expected], [expected, 1.0]], atol=1e-13)
    if method != "split":
        assert mitigation.rate_ == pytest.approx(RATE, abs=1e-13)


def test_numbers_of_qubits_that_contradict_each_other() -> None:
    told = Overlaps(np.eye(2), info={"num_qubits": 3})
    with pytest.raises(InvalidParameterError, match=r"num_qubits of Depol.* measured qubits, 3, or None; got 2\."):
        DepolarizingMitigation(num_qubits=2).fit(np.eye(2), told)
    assert DepolarizingMitigation(num_qubits=3).fit(np.eye(2), told).rate_ == 0.0
    worth = Overlaps(np.eye(2), info={"mixed_value": 0.5})
    with pytest.raises(InvalidParameterError, match=r"random outcomes are worth 0\.5 and not 0\.125.*; got 3\."):
        DepolarizingMitigation(num_qubits=3).fit(np.eye(2), worth)
    # The right number beside another value of random outcomes, as after BitFlipTolerance, is no contradiction.
    K = BitFlipTolerance(1).from_histograms(HISTOGRAMS)
    both = Overlaps(K, info={"num_qubits": 3, "mixed_value": 0.5})
    assert DepolarizingMitigation(num_qubits=3).fit(K, both).rate_ == pytest.approx(RATE)


def test_value_of_random_outcomes_has_the_last_word() -> None:
    told = Overlaps(np.eye(2), info={"num_qubits": 1, "mixed_value": 0.5})
    K = 0.6 * np.eye(2) + 0.4 * 0.3
    assert DepolarizingMitigation(mixed_value=0.3).fit(K, told).rate_ == pytest.approx(0.4)


@pytest.mark.parametrize("mixed_value", ["0.5", np.nan, np.inf, True, [0.5]], ids=repr)
def test_bad_value_of_random_outcomes(mixed_value: object) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"mixed_value of Depol.* must be None or a finite number; got "
    ) as e:
        DepolarizingMitigation(mixed_value=mixed_value).fit(np.eye(2))
    assert repr(mixed_value) in str(e.value)


def test_value_of_random_outcomes_beside_a_number_of_qubits() -> None:
    with pytest.raises(InvalidParameterError, match=r"got num_qubits=3 and mixed_value=0\.5\. Pass one"):
        DepolarizingMitigation(num_qubits=3, mixed_value=0.5).fit(np.eye(2))


def test_value_of_random_outcomes_above_that_of_equal_rows() -> None:
    with pytest.raises(InvalidParameterError, match=r"values must be larger; got 1 and 1\.5"):
        DepolarizingMitigation(mixed_value=1.5).fit(np.eye(2))


def test_kernel_that_does_not_tell_random_outcomes() -> None:
    kernel = HammingKernel(weighting=[1.0, 1.0, 1.0], corrections=[DepolarizingMitigation()])
    with pytest.raises(InvalidParameterError, match=r"a row with itself from random outcomes.* got 1 and 1"):
        kernel.fit(X)


@pytest.mark.parametrize("kernel", [ProjectedKernel(), LocalFidelityKernel(form="reduced")], ids=["projected", "local"])
def test_kernels_without_overlaps(kernel: ProjectedKernel) -> None:
    with pytest.raises(InvalidParameterError, match=r"require \['diagonal'\]"):
        kernel.set_params(corrections=[DepolarizingMitigation()]).fit(X)


@pytest.mark.parametrize("method", ["transform_gram", "transform_cross"])
def test_before_fit(method: str) -> None:
    with pytest.raises(NotFittedError, match="DepolarizingMitigation instance is not fitted"):
        getattr(DepolarizingMitigation(), method)(np.eye(2))
    with pytest.raises(NotFittedError, match="DepolarizingMitigation instance is not fitted"):
        DepolarizingMitigation().transform_stderr(np.eye(2), np.eye(2))


def test_bad_matrices_and_weights() -> None:
    with pytest.raises(InvalidDataError, match="gram of DepolarizingMitigation must be finite; got nan in row 0, col"):
        DepolarizingMitigation(num_qubits=1).fit(np.array([[1.0, np.nan], [0.0, 1.0]]))
    with pytest.raises(InvalidDataError, match=r"gram of DepolarizingMitigation must be a square .* shape \(2, 3\)"):
        DepolarizingMitigation(num_qubits=1).fit(np.ones((2, 3)))
    with pytest.raises(InvalidDataError, match=r"sample_weight must be of shape \(2,\)"):
        DepolarizingMitigation(num_qubits=1).fit(np.eye(2), sample_weight=np.ones(3))
