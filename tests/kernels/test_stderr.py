"""Standard errors through corrections: those of repeated experiments, entry by entry, and what kernels make of them."""

from __future__ import annotations

from typing import Self

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qkernels import (
    ClipSpectrum,
    DensityMatrixEngine,
    FidelityKernel,
    FlipSpectrum,
    HammingKernel,
    ShiftSpectrum,
    StatevectorEngine,
    UnitDiagonal,
)
from qkernels._errors import NotPSDWarning
from qkernels.engines import NoiseTable
from qkernels.kernels import Correction, DepolarizingMitigation, ProjectedKernel, ReadoutMitigation
from qkernels.programs import Overlaps

UNREPAIRED = pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")

RNG = np.random.default_rng(21)
X = RNG.normal(size=(10, 3))


def symmetric(noise: np.ndarray) -> np.ndarray:
    return np.triu(noise) + np.triu(noise, 1).swapaxes(-1, -2)


def separable(rows: np.ndarray) -> np.ndarray:
    return np.prod(np.cos((rows[:, None] - rows) / 2) ** 2, axis=2)


# One correction -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("repair", [ClipSpectrum, FlipSpectrum], ids=lambda repair: repair.__name__)
def test_linear_map_of_a_repair(repair: type[Correction], weighted: bool) -> None:
    experiments, n = 20_000, 6
    rng = np.random.default_rng(1)
    K = symmetric(rng.normal(size=(n, n)))
    sigma = symmetric(rng.uniform(0.01, 0.1, size=(n, n)))
    fitted = repair().fit(K, sample_weight=rng.uniform(1, 3, size=n) if weighted else None)
    noise = symmetric(rng.normal(size=(experiments, n, n))) * sigma
    spread = np.array([fitted.transform_gram(K + one) for one in noise]).std(axis=0, ddof=1)
    # Linear and normal: a standard deviation from M draws is off by 1/√(2M), 36 of them stay within 5 of these.
    found = fitted.transform_stderr(sigma, K)
    np.testing.assert_allclose(found, spread, rtol=5 / np.sqrt(2 * experiments))
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize(("scale", "shots"), [(0.5, 100), (1.0, 2000)])
def test_clipping_with_its_map_fitted_anew(scale: float, shots: int) -> None:
    """The numbers that the docstring gives of what leaving out the noise of the map costs."""
    experiments, n = 400, 30
    rng = np.random.default_rng(0)
    true = separable(rng.normal(size=(n, 2)) * scale)
    draws = symmetric(np.triu(rng.binomial(shots, true, size=(experiments + 1, n, n)) / shots, 1)) + np.eye(n)
    spread = np.std([ClipSpectrum().fit(K).transform_gram(K) for K in draws[1:]], axis=0, ddof=1)
    sigma = np.sqrt(draws[0] * (1 - draws[0]) / shots)
    found = ClipSpectrum().fit(draws[0]).transform_stderr(sigma, draws[0])
    off = ~np.eye(n, dtype=bool)

    def ratio(where: np.ndarray) -> float:
        return float(np.sqrt(np.mean(found[where] ** 2) / np.mean(spread[where] ** 2)))

    assert 0.85 < ratio(off) < 1.0
    assert 1.0 < ratio(~off) < 1.4
    assert 1.15 < np.sqrt(np.mean(sigma[off] ** 2) / np.mean(spread[off] ** 2)) < 1.5  # the errors before


def test_renormalisation() -> None:
    experiments, n = 20_000, 4
    rng = np.random.default_rng(3)
    K = separable(rng.normal(size=(n, 2))) * np.outer(a := rng.uniform(1, 2, size=n), a)
    sigma = symmetric(rng.uniform(0.001, 0.004, size=(n, n)))
    noise = symmetric(rng.normal(size=(experiments, n, n))) * sigma
    found = UnitDiagonal().fit(K).transform_stderr(sigma, K)
    ratios = K + noise
    lengths = np.sqrt(np.einsum("kii->ki", ratios))
    spread = (ratios / (lengths[:, :, None] * lengths[:, None, :])).std(axis=0, ddof=1)
    # Relative errors of the lengths are below .004, so terms of second order are 1e-5 of the first.
    np.testing.assert_allclose(found, spread, rtol=5 / np.sqrt(2 * experiments) + 1e-4, atol=1e-12)
    np.testing.assert_array_equal(np.diag(found), 0.0)


def test_renormalisation_of_points_without_length() -> None:
    K = np.diag([4.0, 0.0])
    np.testing.assert_array_equal(UnitDiagonal().fit(K).transform_stderr(np.ones((2, 2)), K), np.zeros((2, 2)))


@pytest.mark.parametrize("correction", [ClipSpectrum(), FlipSpectrum()], ids=["clip", "flip"])
def test_what_is_left_alone_keeps_its_errors(correction: Correction) -> None:
    K, sigma = separable(X), np.full((10, 10), 0.1)
    assert correction.fit(K).transform_stderr(sigma, K) is sigma


def test_shift_and_unknown_corrections_keep_errors() -> None:
    K, sigma = np.array([[1.0, 3.0], [3.0, 1.0]]), np.full((2, 2), 0.1)
    assert ShiftSpectrum().fit(K).transform_stderr(sigma, K) is sigma
    assert Doubling().transform_stderr(sigma, K) is sigma  # a subclass that says nothing


@pytest.mark.parametrize("correction", [ClipSpectrum, FlipSpectrum, ShiftSpectrum, UnitDiagonal])
def test_before_fit(correction: type[Correction]) -> None:
    with pytest.raises(NotFittedError, match=f"{correction.__name__} instance is not fitted"):
        correction().transform_stderr(np.eye(2), np.eye(2))


# In kernels -----------------------------------------------------------------------------------------------------


class Doubling(Correction):
    """A correction of a user, as short as it can be."""

    def fit(self, gram: np.ndarray, overlaps: Overlaps | None = None, sample_weight: object = None) -> Self:
        self.told_ = overlaps
        return self

    def transform_gram(self, gram: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return 2.0 * gram

    def transform_cross(self, cross: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return 2.0 * cross


class TellingDoubling(Doubling):
    """The same with errors."""

    def transform_stderr(self, stderr: np.ndarray, gram: np.ndarray, overlaps: Overlaps | None = None) -> np.ndarray:
        return 2.0 * stderr


KERNELS = {
    "fidelity": FidelityKernel(engine=StatevectorEngine(shots=50, seed=2)),
    "hamming": HammingKernel(engine=StatevectorEngine(shots=50, seed=2)),
    "projected": ProjectedKernel(engine=StatevectorEngine(shots=50, seed=2)),
}


@UNREPAIRED
@pytest.mark.parametrize("name", KERNELS)
def test_errors_go_through_the_chain(name: str) -> None:
    raw = clone(KERNELS[name]).set_params(corrections=[]).fit(X)
    chain = [TellingDoubling(), FlipSpectrum(), UnitDiagonal()]
    kernel = clone(KERNELS[name]).set_params(corrections=chain).fit(X)
    gram, stderr = raw.gram_, raw.gram_stderr_
    for correction in chain:
        fitted = clone(correction).fit(gram)
        gram, stderr = fitted.transform_gram(gram), fitted.transform_stderr(stderr, gram)
    np.testing.assert_allclose(kernel.gram_, gram, atol=1e-12)
    np.testing.assert_allclose(kernel.gram_stderr_, stderr, atol=1e-12)
    np.testing.assert_array_equal(kernel(X), raw.gram_)  # the function stays raw
    np.testing.assert_array_equal(kernel.diag(X), np.diag(raw.gram_))


def test_warning_speaks_of_the_errors_of_what_it_warns_of() -> None:
    engine = StatevectorEngine(shots=20, seed=2)
    raw = FidelityKernel(engine=engine).fit(X)
    rule = raw.frozen().rule
    sigma = rule.measure(rule.encode(X)).stderr
    edge = 2 * np.sqrt(np.mean((2 * sigma) ** 2) * 10)
    with pytest.warns(NotPSDWarning, match=f"sampling alone explains about {-edge:.2g}"):
        FidelityKernel(engine=engine, corrections=[TellingDoubling()]).fit(X)


@UNREPAIRED
def test_repeated_experiments_of_a_whole_chain() -> None:
    experiments = 120
    rows = X[:4]
    noise = NoiseTable(
        defaults={"cx": np.diag([1.0] + [0.97] * 15)},
        default_readout=[[0.98, 0.05], [0.02, 0.95]],
        ideal=["h", "p"],
        form="transfer",
    )
    chain = [ReadoutMitigation(), DepolarizingMitigation("mean")]

    def fitted(shots: int | None, seed: int) -> FidelityKernel:
        return FidelityKernel(engine=DensityMatrixEngine(noise, shots, seed), corrections=chain).fit(rows)

    runs = [fitted(2000, seed) for seed in range(experiments)]
    spread = np.std([run.gram_ for run in runs], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([run.gram_stderr_**2 for run in runs], axis=0))
    # Second order: the square of the relative error of the mean diagonal above 1/d; 0.02 is more than the error of one
    # mitigated entry, 1/2/√2000 times the largest weight of a shot, 1.12.
    remaining = 1 - max(run.corrections_[1].rate_ for run in runs)
    second = (0.02 / remaining / np.sqrt(4)) ** 2
    np.testing.assert_allclose(claimed, spread, rtol=5 / np.sqrt(2 * experiments) + second)
    limit = fitted(None, 0).gram_
    assert np.abs(np.mean([run.gram_ for run in runs], axis=0) - limit).max() < (
        5 * spread.max() / np.sqrt(experiments) + second
    )


@UNREPAIRED
def test_corrections_are_told_what_came_before() -> None:
    told = Doubling()
    kernel = FidelityKernel(
        engine=StatevectorEngine(shots=50, seed=2), corrections=[DepolarizingMitigation(), told, ClipSpectrum()]
    ).fit(X)
    overlaps = kernel.corrections_[1].told_
    np.testing.assert_array_equal(overlaps.values, kernel(X))  # what was measured
    np.testing.assert_array_equal(overlaps.diagonals[0], 1.0)
    assert overlaps.info["num_qubits"] == 3
    behind = FidelityKernel(
        engine=StatevectorEngine(shots=50, seed=2), corrections=[ClipSpectrum(), DepolarizingMitigation(), told]
    )
    assert behind.fit(X).corrections_[2].told_.diagonals is None
