"""BitFlipTolerance and published counts: the same matrix by three ways, errors of shots, order, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qkernels import DensityMatrixEngine, FidelityKernel, HammingKernel, LocalFidelityKernel, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError, NotPSDWarning
from qkernels.engines import NoiseTable
from qkernels.kernels import BitFlipTolerance, ClipSpectrum, ReadoutMitigation
from qkernels.programs import Overlaps, wilson_stderr
from tests.oracle import oracle_weights

UNREPAIRED = pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")

RNG = np.random.default_rng(3)
X, X_NEW = RNG.normal(size=(8, 3)), RNG.normal(size=(3, 3))
SHOTS = StatevectorEngine(shots=300, seed=4)


def step(t: int) -> list[float]:
    return [1.0] * (t + 1) + [0.0] * (3 - t)


# Published counts -----------------------------------------------------------------------------------------------


def test_counts_by_hand() -> None:
    H = np.array([[[7, 2, 1], [0, 0, 4]], [[1, 1, 2], [10, 0, 0]], [[0, 3, 0], [5, 5, 10]]])
    for t, expected in enumerate(([[0.7, 0], [0.25, 1], [0, 0.25]], [[0.9, 0], [0.5, 1], [1, 0.5]], np.ones((3, 2)))):
        np.testing.assert_allclose(BitFlipTolerance(t).from_histograms(H), expected, rtol=1e-15)
    np.testing.assert_allclose(
        HammingKernel(weighting=[1.0, 0.5, -1.0]).from_histograms(H),
        [[0.7, -1], [-0.125, 1], [0.5, -0.125]],
        rtol=1e-15,
    )
    np.testing.assert_allclose(
        HammingKernel(decay=np.log(2)).from_histograms(H[:1]), [[0.7 + 0.1 + 0.025, 0.25]], rtol=1e-15
    )


def test_tolerance_is_a_step_of_the_hamming_kernel() -> None:
    H = RNG.integers(0, 50, size=(4, 5, 4)) + (np.arange(4) == 0)
    for t in range(4):
        np.testing.assert_allclose(
            BitFlipTolerance(t).from_histograms(H), HammingKernel(weighting=step(t)).from_histograms(H), rtol=1e-14
        )


def test_matrix_from_the_counts_of_a_kernel_is_that_of_the_kernel() -> None:
    kernel = HammingKernel(engine=SHOTS, corrections=[ClipSpectrum()]).fit(X)
    rule = kernel.frozen().rule
    weights = SHOTS.overlaps(rule.program, rule.encode(X), need={"weights"}).weights
    counts = np.rint(weights * 300).astype(int)
    np.testing.assert_allclose(HammingKernel().from_histograms(counts), kernel(X), atol=1e-14)
    np.testing.assert_allclose(HammingKernel().from_histograms(counts.tolist()), kernel(X), atol=1e-14)


@pytest.mark.parametrize(
    "take", [BitFlipTolerance(1).from_histograms, HammingKernel().from_histograms], ids=["tolerance", "hamming"]
)
@pytest.mark.parametrize(
    ("H", "message"),
    [
        ([[1, 2], [3, 4]], r"got shape \(2, 2\)"),
        (np.ones((2, 2, 1)), r"got shape \(2, 2, 1\)"),
        ("abc", "got no array of real numbers"),
        (np.ones((1, 1, 3)) * 1j, r"got no array of real numbers \(it holds complex numbers\)"),
        ([[[1, 0, 0], [1, -2, 0]]], r"finite and >= 0; got -2\.0 for weight 1 of entry \(0, 1\)"),
        ([[[1, 0, np.nan]]], r"got nan for weight 2 of entry \(0, 0\)"),
        ([[[1, 0, np.inf]]], r"got inf for weight 2 of entry \(0, 0\)"),
        ([[[1, 0, 0]], [[0, 0, 0]]], r"at least one count for every entry; got none for entry \(1, 0\)"),
    ],
    ids=["matrix", "no qubit", "text", "complex", "negative", "nan", "inf", "empty"],
)
def test_bad_counts(take: object, H: object, message: str) -> None:
    with pytest.raises(InvalidDataError, match=rf"H of \w+\.from_histograms must hold counts .*{message}"):
        take(H)


def test_bad_parameters_for_counts() -> None:
    with pytest.raises(InvalidDataError, match=r"t of BitFlipTolerance .* got t=3 for the counts of 2 qubit\(s\)"):
        BitFlipTolerance(3).from_histograms([[[1, 0, 0]]])
    with pytest.raises(InvalidParameterError, match="t of BitFlipTolerance must be an integer >= 0; got -1"):
        BitFlipTolerance(-1).from_histograms([[[1, 0, 0]]])
    with pytest.raises(InvalidParameterError, match=r"weighting of HammingKernel .* shape \(2,\)"):
        HammingKernel(weighting=[1.0, 0.0]).from_histograms([[[1, 0, 0]]])
    with pytest.raises(InvalidParameterError, match="decay of HammingKernel must be a finite number > 0; got 0"):
        HammingKernel(decay=0).from_histograms([[[1, 0, 0]]])


# In a kernel ----------------------------------------------------------------------------------------------------


@UNREPAIRED
@pytest.mark.parametrize("t", range(4))
def test_outcomes_up_to_the_tolerance_count(t: int) -> None:
    kernel = FidelityKernel(corrections=[BitFlipTolerance(t)]).fit(X)
    rule = kernel.frozen().rule
    found = oracle_weights(rule.program.circuit, rule.program.x, rule.encode(X))[..., : t + 1].sum(axis=-1)
    # One of the two orders of every pair of rows; which one is tested with the engines.
    off = np.minimum(np.abs(kernel.gram_ - found), np.abs(kernel.gram_ - found.T))
    assert off.max() < 1e-12
    np.testing.assert_array_equal(kernel.gram_, kernel.gram_.T)
    np.testing.assert_array_equal(np.diag(kernel.gram_), 1.0)
    hamming = HammingKernel(weighting=step(t), corrections=[]).fit(X)
    np.testing.assert_allclose(kernel.gram_, hamming.gram_, atol=1e-14)
    np.testing.assert_allclose(kernel.transform(X_NEW), hamming.transform(X_NEW), atol=1e-14)
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-14)


@UNREPAIRED
def test_tolerance_of_nothing_and_of_everything() -> None:
    none = FidelityKernel(engine=SHOTS, corrections=[BitFlipTolerance(0)]).fit(X)
    plain = FidelityKernel(engine=SHOTS, corrections=[]).fit(X)
    np.testing.assert_array_equal(none.gram_, plain.gram_)
    np.testing.assert_array_equal(none.gram_stderr_, plain.gram_stderr_)
    np.testing.assert_allclose(FidelityKernel(corrections=[BitFlipTolerance(3)]).fit(X).gram_, 1.0, atol=1e-14)


@UNREPAIRED
def test_errors_are_those_of_the_tolerated_counts() -> None:
    kernel = FidelityKernel(engine=SHOTS, corrections=[BitFlipTolerance(1)]).fit(X)
    off = ~np.eye(8, dtype=bool)
    counts = kernel.gram_ * 300
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    np.testing.assert_allclose(kernel.gram_stderr_[off], wilson_stderr(kernel.gram_[off], 300), rtol=1e-12)
    np.testing.assert_array_equal(np.diag(kernel.gram_stderr_), 0.0)
    exact = FidelityKernel(corrections=[BitFlipTolerance(1)]).fit(X)
    scores = ((kernel.gram_ - exact.gram_)[off] / kernel.gram_stderr_[off])[::2]
    assert np.abs(scores).max() < 5.5
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-14)


def test_measured_diagonal_counts_too() -> None:
    flips = np.array([[0.9, 0.1], [0.1, 0.9]])  # one flip in ten on each of three qubits, and nothing else
    noise = NoiseTable(default_readout=flips, ideal=["h", "p", "cx", "rz"])
    kernel = FidelityKernel(engine=DensityMatrixEngine(noise), corrections=[BitFlipTolerance(1), ClipSpectrum()]).fit(X)
    np.testing.assert_allclose(np.diag(kernel(X)), 0.9**3, atol=1e-12)
    raw = BitFlipTolerance(1).fit(kernel(X), measured := _measure(kernel))
    np.testing.assert_allclose(np.diag(raw.transform_gram(kernel(X), measured)), 0.9**3 + 3 * 0.1 * 0.81, atol=1e-12)


def _measure(kernel: FidelityKernel) -> Overlaps:
    rule = kernel.frozen().rule
    return rule.measure(rule.encode(X), None, frozenset({"weights"}))


def test_exact_matrix_that_is_indefinite_warns() -> None:
    rows = RNG.normal(size=(25, 3))
    kernel = FidelityKernel(bandwidth=2.0, corrections=[BitFlipTolerance(1)])
    with pytest.warns(NotPSDWarning, match="FidelityKernel has eigenvalues down to -"):
        kernel.fit(rows)
    assert np.linalg.eigvalsh(kernel.gram_)[0] < -1e-6
    repaired = kernel.set_params(corrections=[BitFlipTolerance(1), ClipSpectrum()]).fit_transform(rows)
    assert np.linalg.eigvalsh(repaired)[0] > -1e-12


def test_order_of_the_rows_plays_no_role() -> None:
    kernel = FidelityKernel(engine=SHOTS, corrections=[BitFlipTolerance(1), ClipSpectrum()]).fit(X)
    order = RNG.permutation(8)
    again = clone(kernel).fit(X[order])
    np.testing.assert_allclose(again.gram_, kernel.gram_[np.ix_(order, order)], atol=1e-12)
    np.testing.assert_allclose(again.transform(X_NEW), kernel.transform(X_NEW)[:, order], atol=1e-12)


def test_weights_are_repetitions() -> None:
    weights = RNG.integers(1, 4, size=8)
    corrections = [BitFlipTolerance(1), ClipSpectrum()]
    weighted = FidelityKernel(engine=SHOTS, corrections=corrections).fit(X, sample_weight=weights)
    repeated = FidelityKernel(engine=SHOTS, corrections=corrections).fit(X.repeat(weights, axis=0))
    first = np.cumsum(weights) - weights
    np.testing.assert_allclose(repeated.gram_[np.ix_(first, first)], weighted.gram_, atol=1e-9)


def test_plan_counts_what_the_correction_requires() -> None:
    kernel = FidelityKernel(corrections=[BitFlipTolerance(1), ClipSpectrum()], engine=StatevectorEngine())
    assert (
        kernel.plan(20, n_features=3).circuits
        == HammingKernel(engine=StatevectorEngine()).plan(20, n_features=3).circuits
    )
    assert kernel.plan(20, n_features=3).circuits > FidelityKernel().plan(20, n_features=3).circuits
    assert kernel.fit(X).plan(20) == kernel.plan(20, n_features=3)
    with pytest.raises(InvalidParameterError, match=r"need=\['bits'\] is not available from StatevectorEngine"):
        FidelityKernel(engine=StatevectorEngine(), corrections=[ReadoutMitigation()]).plan(20, n_features=3)


def test_parameters() -> None:
    assert clone(BitFlipTolerance(2)).get_params() == {"t": 2}
    assert BitFlipTolerance.requires == {"weights"}
    assert BitFlipTolerance().entrywise
    assert not BitFlipTolerance.guarantees_psd


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [-1, 1.0, True, "1", None], ids=repr)
def test_bad_tolerance(t: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"t of BitFlipTolerance must be an integer >= 0; got {t!r}"):
        FidelityKernel(corrections=[BitFlipTolerance(t)]).fit(X)


def test_tolerance_above_the_number_of_qubits() -> None:
    with pytest.raises(InvalidDataError, match=r"at most the number of qubits; got t=4 for the counts of 3 qubit\(s\)"):
        FidelityKernel(corrections=[BitFlipTolerance(4)]).fit(X)


def test_not_first() -> None:
    kernel = FidelityKernel(engine=SHOTS, corrections=[ClipSpectrum(), BitFlipTolerance(1)])
    with pytest.raises(InvalidParameterError, match=r"BitFlipTolerance must come first in corrections.*to the front"):
        kernel.fit(X)


def test_kernels_of_other_outcomes() -> None:
    with pytest.raises(InvalidParameterError, match=r"another function of the outcomes \(off by up to 0\.\d+\)"):
        HammingKernel(corrections=[BitFlipTolerance(1)]).fit(X)
    with pytest.raises(InvalidParameterError, match=r"the weights of 2 patch\(es\) of 3 qubits"):
        LocalFidelityKernel(patches=2, corrections=[BitFlipTolerance(1)]).fit(X)


def test_without_weights() -> None:
    for overlaps, got in ((None, "None"), (Overlaps(np.eye(2)), "weights=None")):
        with pytest.raises(InvalidParameterError, match=rf"BitFlipTolerance\.fit must hold weights .* got {got}"):
            BitFlipTolerance().fit(np.eye(2), overlaps)


def test_before_fit_and_bad_matrices() -> None:
    for method in ("transform_gram", "transform_cross", "inform"):
        with pytest.raises(NotFittedError, match="BitFlipTolerance instance is not fitted"):
            getattr(BitFlipTolerance(), method)(Overlaps(np.eye(2)) if method == "inform" else np.eye(2))
    with pytest.raises(NotFittedError, match="BitFlipTolerance instance is not fitted"):
        BitFlipTolerance().transform_stderr(np.eye(2), np.eye(2))
    with pytest.raises(InvalidDataError, match=r"gram of BitFlipTolerance must be a square matrix, got shape \(2, 3\)"):
        BitFlipTolerance().fit(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("corrections", "counts"), [([BitFlipTolerance(1)], "weights"), ([ReadoutMitigation()], "bits")], ids=str
)
def test_more_shots_for_some_pairs_are_refused(corrections: list[object], counts: str) -> None:
    kernel = FidelityKernel(engine=SHOTS).fit(X).set_params(corrections=corrections)
    gram = kernel.gram_
    with pytest.raises(InvalidParameterError, match=rf"correct values alone for refine.*which require \['{counts}'\]"):
        kernel.refine(np.ones((8, 8)), shots=100)
    assert kernel.gram_ is gram
