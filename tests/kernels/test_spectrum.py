"""What all repairs have in common, ClipSpectrum, the chain of corrections, the warning where nothing repairs."""

from __future__ import annotations

import warnings
from typing import ClassVar, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qkernels import ClipSpectrum, FidelityKernel, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError, NotPSDWarning
from qkernels.engines import Engine
from qkernels.kernels import Correction, FlipSpectrum, ShiftSpectrum, UnitDiagonal
from qkernels.programs import Overlaps

REPAIRS = pytest.mark.parametrize(
    "repair", [ClipSpectrum, ShiftSpectrum, FlipSpectrum], ids=lambda repair: repair.__name__
)

RNG = np.random.default_rng(11)
X = RNG.normal(size=(12, 2))


def gaussian(points: np.ndarray) -> np.ndarray:
    return np.exp(-((points[:, None] - points[None, :]) ** 2).sum(axis=-1))


# A square, a hexagon and a repeated point: symmetric data, spectra with coinciding eigenvalues.
RING = np.exp(2j * np.pi * np.arange(6) / 6)
DEGENERATE = {
    "identity": np.eye(5),
    "ones": np.ones((4, 4)),
    "hexagon": gaussian(np.stack([RING.real, RING.imag], axis=1)),
    "square": np.kron(np.array([[1, 0.5], [0.5, 1]]), np.array([[1, 0.5], [0.5, 1]])),
    "repeated": gaussian(np.array([[0.0], [0.0], [1.0], [1.0], [2.0]])),
    "zero": np.zeros((3, 3)),
}


@pytest.mark.parametrize("K", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@REPAIRS
def test_psd_matrix_is_left_alone_bit_by_bit(repair: type[Correction], K: np.ndarray, weighted: bool) -> None:
    weights = np.arange(1.0, len(K) + 1) if weighted else None
    fitted = repair().fit(K, sample_weight=weights)
    np.testing.assert_array_equal(fitted.transform_gram(K), K)
    np.testing.assert_array_equal(fitted.transform_cross(K[:2]), K[:2])


@pytest.mark.parametrize("K", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@REPAIRS
def test_degenerate_spectra_are_repaired(repair: type[Correction], K: np.ndarray, weighted: bool) -> None:
    weights = np.arange(1.0, len(K) + 1) if weighted else None
    K = K - 0.7 * np.eye(len(K))
    repaired = repair().fit(K, sample_weight=weights).transform_gram(K)
    assert np.linalg.eigvalsh(repaired)[0] > -1e-14 * len(K)
    np.testing.assert_array_equal(repaired, repaired.T)
    # What is repaired needs no repair.
    np.testing.assert_array_equal(repair().fit(repaired).transform_gram(repaired), repaired)


@REPAIRS
@given(seed=st.integers(0, 10_000))
def test_order_of_the_samples_plays_no_role(repair: type[Correction], seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = rng.normal(size=(6, 6))
    K = K + K.T
    cross = rng.normal(size=(3, 6))
    weights = rng.uniform(1, 3, size=6)
    order = rng.permutation(6)
    fitted = repair().fit(K, sample_weight=weights)
    permuted = repair().fit(K[np.ix_(order, order)], sample_weight=weights[order])
    np.testing.assert_allclose(
        permuted.transform_gram(K[np.ix_(order, order)]), fitted.transform_gram(K)[np.ix_(order, order)], atol=1e-10
    )
    np.testing.assert_allclose(
        permuted.transform_cross(cross[:, order]), fitted.transform_cross(cross)[:, order], atol=1e-10
    )


def test_degenerate_negative_eigenvalues_by_hand() -> None:
    # J − 2I on 3 points has eigenvalues 1, −2, −2; clipping leaves J/3, whatever basis of the pair eigh returns.
    K = np.ones((3, 3)) - 2 * np.eye(3)
    clip = ClipSpectrum().fit(K)
    np.testing.assert_allclose(clip.transform_gram(K), np.ones((3, 3)) / 3, atol=1e-14)
    np.testing.assert_allclose(clip.transform_cross(np.array([[3.0, 0.0, 0.0]])), np.ones((1, 3)), atol=1e-14)


@given(st.integers(0, 10_000), st.integers(2, 9))
def test_result_is_the_nearest_psd_matrix(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    K = rng.normal(size=(n, n))
    K = K + K.T
    clipped = ClipSpectrum().fit(K).transform_gram(K)
    removed = clipped - K
    # Moreau: the projection on a cone leaves a remainder in the polar cone, orthogonal to the result.
    assert np.linalg.eigvalsh(clipped)[0] > -1e-12 * n
    assert np.linalg.eigvalsh(removed)[0] > -1e-12 * n
    assert abs(np.sum(removed * clipped)) < 1e-10 * n
    np.testing.assert_array_equal(clipped, clipped.T)


@given(st.integers(0, 10_000))
def test_rows_of_the_training_matrix_go_through_the_same_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = rng.normal(size=(6, 6))
    K = K + K.T
    weights = rng.integers(0, 4, size=6) + (rng.integers(0, 6) == np.arange(6))
    clip = ClipSpectrum().fit(K, sample_weight=weights.astype(float))
    np.testing.assert_allclose(clip.transform_cross(K), clip.transform_gram(K), atol=1e-7)


@given(st.integers(0, 10_000))
def test_weights_are_repetitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = rng.normal(size=(5, 5))
    K = K + K.T
    cross = rng.normal(size=(3, 5))
    weights = rng.integers(1, 4, size=5)
    again = np.repeat(np.arange(5), weights)
    weighted = ClipSpectrum().fit(K, sample_weight=weights.astype(float))
    repeated = ClipSpectrum().fit(K[np.ix_(again, again)])
    np.testing.assert_allclose(
        repeated.transform_gram(K[np.ix_(again, again)]), weighted.transform_gram(K)[np.ix_(again, again)], atol=1e-9
    )
    np.testing.assert_allclose(
        repeated.transform_cross(cross[:, again]), weighted.transform_cross(cross)[:, again], atol=1e-9
    )


@pytest.mark.parametrize(
    ("repair", "expected"),
    [
        (ClipSpectrum, [[1.5, 1.5], [1.5, 1.5]]),
        (ShiftSpectrum, [[2.0, 2.0], [2.0, 2.0]]),
        (FlipSpectrum, [[2.0, 1.0], [1.0, 2.0]]),
    ],
    ids=["clip", "shift", "flip"],
)
def test_asymmetric_matrix_is_symmetrised(repair: type[Correction], expected: list[list[float]]) -> None:
    K = np.array([[1.0, 2.2], [1.8, 1.0]])
    fitted = repair().fit(K)
    np.testing.assert_allclose(fitted.eigenvalues_, [-1.0, 3.0])
    np.testing.assert_allclose(fitted.transform_gram(K), expected)


@REPAIRS
@pytest.mark.parametrize("rtol", [-0.1, 1.0, "auto", True, None], ids=repr)
def test_bad_rtol(repair: type[Correction], rtol: object) -> None:
    name = repair.__name__
    with pytest.raises(InvalidParameterError, match=rf"rtol of {name} must be a number in \[0, 1\), got {rtol!r}"):
        repair(rtol=rtol).fit(np.eye(2))


@REPAIRS
def test_matrix_that_is_not_square(repair: type[Correction]) -> None:
    with pytest.raises(InvalidDataError, match=rf"{repair.__name__} must be a square matrix, got shape \(2, 3\)"):
        repair().fit(np.ones((2, 3)))


@REPAIRS
def test_parameters(repair: type[Correction]) -> None:
    assert clone(repair(rtol=1e-8)).get_params() == {"rtol": 1e-8}
    assert repair.guarantees_psd


# In the kernel --------------------------------------------------------------------------------------------------


class Scripted(Engine):
    """Exact values shifted by an indefinite matrix: an engine with noise; remembers what it was asked for."""

    def __init__(self, shift: float, stderr: float | None = None) -> None:
        self.shift = shift
        self.stderr = stderr
        self.needs: list[frozenset[str]] = []

    @property
    def is_exact(self) -> bool:
        return False

    def prepare(self, *args: object, **options: object) -> object:
        raise NotImplementedError

    expectations = plan = prepare

    def overlaps(self, program, X, Y=None, *, need=frozenset(), orientation="canonical", **options) -> Overlaps:
        self.needs.append(frozenset(need))
        exact = StatevectorEngine().overlaps(program, X, Y).values
        values = exact - self.shift * np.eye(*exact.shape) if Y is None else np.array(exact)
        return Overlaps(values, None if self.stderr is None else np.full(values.shape, self.stderr))


class Damping(Correction):
    """Halves everything; needs the measured diagonal."""

    requires: ClassVar[frozenset[str]] = frozenset({"diagonal"})

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor

    def fit(self, gram, overlaps=None, sample_weight=None) -> Self:
        self.seen_ = (gram.copy(), overlaps, sample_weight)
        return self

    def transform_gram(self, gram: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return self.factor * gram

    def transform_cross(self, cross: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return self.factor * cross


def test_default_repairs_where_the_engine_is_not_exact() -> None:
    noisy = FidelityKernel(engine=Scripted(0.2)).fit(X)
    assert [type(c) for c in noisy.corrections_] == [ClipSpectrum]
    assert np.linalg.eigvalsh(noisy.gram_)[0] > -1e-12
    assert FidelityKernel().fit(X).corrections_ == []


@pytest.mark.parametrize("stderr", [None, 0.05], ids=["noisy", "sampled"])
def test_unrepaired_matrix_warns_with_its_eigenvalue(stderr: float | None) -> None:
    kernel = FidelityKernel(engine=Scripted(0.2, stderr), corrections=[])
    smallest = np.linalg.eigvalsh(FidelityKernel().fit_transform(X))[0] - 0.2
    with pytest.warns(NotPSDWarning, match=rf"FidelityKernel has eigenvalues down to {smallest:.3g}") as caught:
        kernel.fit(X)
    explained = f"sampling alone explains about {-2 * 0.05 * np.sqrt(12):.2g}"
    assert (explained in str(caught[0].message)) == (stderr is not None)
    assert "ClipSpectrum()" in str(caught[0].message)


def test_correction_before_the_repair_counts_as_repaired() -> None:
    FidelityKernel(engine=Scripted(0.2), corrections=[Damping(), ClipSpectrum()]).fit(X)
    with pytest.warns(NotPSDWarning):
        FidelityKernel(engine=Scripted(0.2), corrections=[ClipSpectrum(), Damping(-1.0)]).fit(X)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_exact_matrices_never_warn(precision: str) -> None:
    repeated = np.repeat(X, 3, axis=0)  # rank-deficient: eigenvalues scatter around 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FidelityKernel(engine=StatevectorEngine(precision=precision), corrections=[]).fit(repeated)


def test_rounding_is_no_defect() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FidelityKernel(engine=Scripted(0.0), corrections=[]).fit(np.repeat(X, 3, axis=0))


def test_chain_and_what_it_needs() -> None:
    engine = Scripted(0.0)
    weights = np.arange(1.0, 13.0)
    kernel = FidelityKernel(engine=engine, corrections=[Damping(), Damping(0.1)])
    gram = kernel.fit_transform(X, sample_weight=weights)
    cross = kernel.transform(X[:2] + 0.1)
    exact = FidelityKernel().fit(X, sample_weight=weights)
    np.testing.assert_allclose(gram, 0.05 * exact.gram_, atol=1e-12)
    np.testing.assert_allclose(cross, 0.05 * exact.transform(X[:2] + 0.1), atol=1e-12)
    assert engine.needs == [frozenset({"diagonal"})] * 2
    first, second = kernel.corrections_
    np.testing.assert_allclose(first.seen_[0], exact.gram_, atol=1e-12)
    np.testing.assert_allclose(second.seen_[0], 0.5 * exact.gram_, atol=1e-12)
    assert isinstance(first.seen_[1], Overlaps)
    np.testing.assert_array_equal(first.seen_[2], weights)


@pytest.mark.parametrize("size", [1e308, 1e-308], ids=str)
def test_size_of_weights_plays_no_role(size: float) -> None:
    kernel = FidelityKernel(engine=StatevectorEngine(shots=20, seed=2)).fit(X, sample_weight=np.full(12, size))
    plain = FidelityKernel(engine=StatevectorEngine(shots=20, seed=2)).fit(X)
    assert plain.corrections_[0].map_ is not None
    np.testing.assert_allclose(kernel.gram_, plain.gram_, atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X + 0.1), plain.transform(X + 0.1), atol=1e-12)


def test_sampled_kernel_with_weights_equals_repetitions() -> None:
    engine = StatevectorEngine(shots=50, seed=2)
    weights = RNG.integers(1, 4, size=12)
    weighted = FidelityKernel(engine=engine).fit(X, sample_weight=weights)
    repeated = FidelityKernel(engine=engine).fit(X.repeat(weights, axis=0))
    first = np.cumsum(weights) - weights
    np.testing.assert_allclose(repeated.gram_[np.ix_(first, first)], weighted.gram_, atol=1e-9)
    np.testing.assert_allclose(repeated.transform(X + 0.1)[:, first], weighted.transform(X + 0.1), atol=1e-9)


@pytest.mark.parametrize("size", [1e-200, 1e-17, 1e200])
@pytest.mark.parametrize("repair", [ClipSpectrum, FlipSpectrum, ShiftSpectrum])
def test_size_of_the_matrix_plays_no_role(repair: type[Correction], size: float) -> None:
    K = np.array([[1.0, 3.0], [3.0, 1.0]])
    expected = repair().fit(K).transform_gram(K)
    np.testing.assert_allclose(repair().fit(size * K).transform_gram(size * K) / size, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["transform_gram", "transform_cross"])
@pytest.mark.parametrize("correction", [ClipSpectrum, FlipSpectrum, ShiftSpectrum, UnitDiagonal])
def test_corrections_before_fit(correction: type[Correction], method: str) -> None:
    with pytest.raises(NotFittedError, match=f"{correction.__name__} instance is not fitted"):
        getattr(correction(), method)(np.eye(2))


@pytest.mark.parametrize("correction", [ClipSpectrum, FlipSpectrum, ShiftSpectrum, UnitDiagonal])
def test_bad_matrices_and_weights(correction: type[Correction]) -> None:
    name = correction.__name__
    with pytest.raises(InvalidDataError, match=f"gram of {name} must be finite; got nan in row 0, column 1"):
        correction().fit(np.array([[1.0, np.nan], [0.0, 1.0]]))
    with pytest.raises(InvalidDataError, match=rf"gram of {name} must be a square matrix, got shape \(0, 0\)"):
        correction().fit(np.empty((0, 0)))
    if correction is not UnitDiagonal:  # which uses no weights
        for weights in (np.zeros(2), np.ones(3), np.array([1.0, -1.0])):
            with pytest.raises(InvalidDataError, match=r"[Ss]ample.weight"):
                correction().fit(np.eye(2), sample_weight=weights)
