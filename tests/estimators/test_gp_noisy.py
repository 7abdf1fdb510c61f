"""Gaussian processes on corrected kernels: priors that match the training matrix, variances that are variances."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from qkernels import CPMap, DensityMatrixEngine, FidelityKernel, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidParameterError, NotPSDWarning
from qkernels.engines import Engine, NoiseTable
from qkernels.estimators import QuantumGaussianProcessClassifier, QuantumGaussianProcessRegressor
from qkernels.kernels import (
    BitFlipTolerance,
    ClipSpectrum,
    Correction,
    DepolarizingMitigation,
    FlipSpectrum,
    HammingKernel,
    QuantumKernel,
    ReadoutMitigation,
    ShiftSpectrum,
    UnitDiagonal,
)

Real = NDArray[np.float64]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3))
NEW = 2.0 * RNG.normal(size=(9, 3))
Y = np.sin(X[:, 0]) + 0.2 * X[:, 1]
LABELS = X[:, 0] > 0
CLASSES = LABELS + (X[:, 1] > 0.5)

ONE, TWO = np.diag([1.0] + 3 * [0.98]), np.diag([1.0] + 15 * [0.85])
TABLE = NoiseTable(
    defaults={"h": ONE, "ry": ONE, "cx": TWO},
    default_readout=[[0.95, 0.08], [0.05, 0.92]],
    ideal=["p", "rz"],
    form="transfer",
)
# On two qubits depolarizing noise of the pair is global; the other table has readout errors and noise of single qubits.
GLOBAL = NoiseTable(defaults={"cx": TWO}, ideal=["h", "ry", "p", "rz"], form="transfer")
NOISY, SAMPLED = DensityMatrixEngine(TABLE), DensityMatrixEngine(TABLE, 300, 0)
MEAN = DepolarizingMitigation("mean")

CASES: dict[str, tuple[Engine, Sequence[Correction] | None]] = {
    "noisy-raw": (NOISY, []),
    "noisy-clip": (NOISY, [ClipSpectrum()]),
    "noisy-mean-clip": (NOISY, [MEAN, ClipSpectrum()]),
    "noisy-mean": (NOISY, [MEAN]),
    "noisy-all": (NOISY, [ReadoutMitigation(), DepolarizingMitigation("split"), ClipSpectrum(), UnitDiagonal()]),
    "noisy-flip": (NOISY, [MEAN, FlipSpectrum()]),
    "noisy-shift": (NOISY, [MEAN, ShiftSpectrum()]),
    "sampled-raw": (SAMPLED, []),
    "sampled-mean-clip": (SAMPLED, [MEAN, ClipSpectrum()]),
    "sampled-all": (SAMPLED, [ReadoutMitigation(), DepolarizingMitigation("split"), ClipSpectrum()]),
    "tolerant": (StatevectorEngine(), [BitFlipTolerance(1), ClipSpectrum()]),
    "tolerant-sampled": (StatevectorEngine(shots=300, seed=0), [BitFlipTolerance(1), MEAN, ClipSpectrum()]),
    "shots": (StatevectorEngine(shots=300, seed=0), None),
}
every_case = pytest.mark.parametrize("case", CASES)
UNREPAIRED = pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")


def kernel_of(case: str) -> FidelityKernel:
    engine, corrections = CASES[case]
    return FidelityKernel(CPMap(), engine, corrections=corrections)


# The prior of new rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["single", "mean", "split"])
def test_prior_under_noise_that_is_undone_is_that_without_noise(method: str) -> None:
    ideal = FidelityKernel(ZZFeatureMap()).fit(X[:, :2])
    chain = [DepolarizingMitigation(method), ClipSpectrum(), UnitDiagonal()]
    kernel = FidelityKernel(ZZFeatureMap(), DensityMatrixEngine(GLOBAL), corrections=chain[:2]).fit(X[:, :2])
    assert kernel.diag(NEW[:, :2]).max() < 0.8
    for found in (kernel, clone(kernel).set_params(corrections=chain).fit(X[:, :2])):
        np.testing.assert_allclose(found.prior_diag(NEW[:, :2]), 1.0, atol=1e-12)
        np.testing.assert_allclose(found.prior(NEW[:, :2]), ideal(NEW[:, :2]), atol=1e-12)


@every_case
@UNREPAIRED
def test_prior_diag_is_the_diagonal_of_the_prior(case: str) -> None:
    kernel = kernel_of(case).fit(X)
    np.testing.assert_allclose(np.diag(kernel.prior(NEW)), kernel.prior_diag(NEW), atol=1e-12)
    np.testing.assert_allclose(kernel.prior(NEW[:1]), kernel.prior_diag(NEW[:1])[:, None], atol=1e-12)


def test_prior_of_entrywise_corrections_is_what_they_make_of_training_rows() -> None:
    for case in ("noisy-mean-clip", "tolerant-sampled"):
        kernel = kernel_of(case)
        entrywise = [c for c in kernel.corrections if not isinstance(c, ClipSpectrum)]
        with pytest.warns(NotPSDWarning):
            unrepaired = clone(kernel).set_params(corrections=entrywise).fit(X)
        np.testing.assert_allclose(kernel.fit(X).prior(X), unrepaired.gram_, atol=1e-12)


def test_prior_without_corrections_is_the_raw_matrix() -> None:
    for kernel in (FidelityKernel(CPMap()), 0.5 * FidelityKernel(CPMap()) + FidelityKernel(CPMap(), bandwidth=0.3)):
        fitted = kernel.fit(X)
        np.testing.assert_array_equal(fitted.prior(NEW), fitted(NEW))
        np.testing.assert_array_equal(fitted.prior_diag(NEW), fitted.diag(NEW))


@UNREPAIRED
def test_priors_combine_like_kernels() -> None:
    a, b = (kernel_of(case).set_params(bandwidth=0.6) for case in ("noisy-mean-clip", "tolerant"))
    want = {"a": clone(a).fit(X), "b": clone(b).fit(X)}
    for combined, combine in ((a + 2.0 * b, lambda u, v: u + 2.0 * v), (a * b, lambda u, v: u * v)):
        fitted = combined.fit(X)
        np.testing.assert_allclose(fitted.prior(NEW), combine(*(k.prior(NEW) for k in want.values())), atol=1e-12)
        np.testing.assert_allclose(
            fitted.prior_diag(NEW), combine(*(k.prior_diag(NEW) for k in want.values())), atol=1e-12
        )


def test_unit_diagonal_of_new_rows() -> None:
    unit = UnitDiagonal().fit(np.array([[4.0, 1.0], [1.0, 1.0]]))
    own = np.array([9.0, 4.0, 0.0])
    values = np.array([[9.0, 3.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    expected = [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(unit.transform_new(values, own[:, None], own[None]), expected, atol=1e-15)
    column = unit.transform_new(own[:, None], own[:, None], own[:, None])
    np.testing.assert_allclose(column[:, 0], [1.0, 1.0, 0.0], atol=1e-15)


# Posteriors -------------------------------------------------------------------------------------------------------


def least_prior(kernel: QuantumKernel, rows: Real, alpha: Real) -> tuple[Real, Real]:
    """Explained and least variances by NumPy's solver: k (K + N)⁻¹ k and βᵀ N β."""
    cross = kernel.transform(rows)
    beta = np.linalg.solve(kernel.gram_ + np.diag(alpha), cross.T)
    return (cross * beta.T).sum(axis=1), alpha @ beta**2


@every_case
@UNREPAIRED
@pytest.mark.parametrize("alpha", ["number", "array"])
def test_regressor(case: str, alpha: str) -> None:
    """`filterwarnings=error`: scikit-learn has no negative variance to warn of, in predictions as in samples."""
    low = 0.3 if case == "sampled-raw" else 0.05  # above its negative eigenvalues
    noise = np.linspace(low, 0.5, len(X)) if alpha == "array" else np.full(len(X), low)
    given = noise if alpha == "array" else low
    model = QuantumGaussianProcessRegressor(kernel_of(case), alpha=given, normalize_y=False)
    model.fit(X, Y)
    rows = np.vstack([NEW, X[:5]])
    std = model.predict(rows, return_std=True)[1]
    explained, least = least_prior(model.kernel_, rows, noise)
    # The root of a variance v has an error of 1e-9 / 2√v, and v is at least 1e-4 here.
    np.testing.assert_allclose(
        std**2, np.maximum(model.kernel_.prior_diag(rows) - explained, least), rtol=1e-6, atol=1e-8
    )
    assert (least > 1e-4).all()
    cov = model.predict(rows, return_cov=True)[1]
    np.testing.assert_allclose(np.diag(cov), std**2, rtol=1e-6, atol=1e-8)
    assert np.linalg.eigvalsh(cov)[0] > -1e-8
    assert np.isfinite(model.sample_y(rows, 3)).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(rows, return_std=True)[1], std)


@every_case
@UNREPAIRED
@pytest.mark.parametrize("labels", [LABELS, CLASSES], ids=["two", "three"])
def test_classifier(case: str, labels: NDArray[np.int64]) -> None:
    model = QuantumGaussianProcessClassifier(kernel_of(case)).fit(X, labels)
    shares = model.predict_proba(np.vstack([NEW, X]))
    assert np.isfinite(shares).all()
    assert (shares > 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    assert QuantumGaussianProcessClassifier(kernel_of(case), multi_class="one_vs_one").fit(X, labels).predict(
        NEW
    ).shape == (9,)


def test_mitigated_posterior_is_that_without_noise() -> None:
    rows, new = X[:, :2], NEW[:, :2]
    ideal = FidelityKernel(ZZFeatureMap())
    noisy = FidelityKernel(ZZFeatureMap(), DensityMatrixEngine(GLOBAL), corrections=[MEAN, ClipSpectrum()])
    want, found = (QuantumGaussianProcessRegressor(k, alpha=0.05).fit(rows, Y) for k in (ideal, noisy))
    # Rounding of 1e-13 in the matrices, over the noise 0.05 twice.
    for a, b in zip(found.predict(new, return_std=True), want.predict(new, return_std=True), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    np.testing.assert_allclose(found.predict(new, return_cov=True)[1], want.predict(new, return_cov=True)[1], atol=1e-9)
    want, found = (QuantumGaussianProcessClassifier(k).fit(rows, LABELS) for k in (ideal, noisy))
    np.testing.assert_allclose(found.predict_proba(new), want.predict_proba(new), atol=1e-9)


def test_hamming_kernels_too() -> None:
    kernel = HammingKernel(CPMap(), NOISY, corrections=[MEAN, ClipSpectrum()])
    std = QuantumGaussianProcessRegressor(kernel, alpha=0.05).fit(X, Y).predict(NEW, return_std=True)[1]
    assert (std > 0).all()
    assert np.isfinite(QuantumGaussianProcessClassifier(kernel).fit(X, CLASSES).predict_proba(NEW)).all()


def test_a_matrix_too_indefinite_for_the_classifier_is_refused() -> None:
    kernel = HammingKernel(CPMap(), StatevectorEngine(), weighting=[1.0, 9.0, 9.0], corrections=[])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotPSDWarning)
        smallest = np.linalg.eigvalsh(clone(kernel).fit(X).gram_)[0]
        assert smallest < -4.0
        with pytest.raises(
            InvalidParameterError, match=rf"smallest eigenvalue .* is {smallest:.3g}\. Put ClipSpectrum"
        ):
            QuantumGaussianProcessClassifier(kernel).fit(X, LABELS)
