"""FidelityKernel.refine: more shots where they matter, pooled with what was measured."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.exceptions import NotFittedError

from qkernels import CircuitMap, CPMap, DensityMatrixEngine, FidelityKernel, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import NoiseTable, ZeroNoiseExtrapolation
from qkernels.kernels import ClipSpectrum, Correction, DepolarizingMitigation
from qkernels.programs import wilson_stderr

RNG = np.random.default_rng(2)
X = RNG.normal(size=(12, 3))
X_NEW = RNG.normal(size=(3, 3))
ONES = np.ones((12, 12))

pytestmark = pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")  # raw sampled matrices, on purpose


def fitted(shots: int = 30, seed: int = 0, **options: object) -> FidelityKernel:
    return FidelityKernel(CPMap(), StatevectorEngine(shots=shots, seed=seed), corrections=[], **options).fit(X)


def test_budget_is_spent_to_the_last_shot() -> None:
    kernel = fitted()
    pairs = np.triu_indices(12, 1)
    assert kernel.gram_shots_[pairs].sum() == 66 * 30
    kernel.refine(RNG.uniform(size=(12, 12)), shots=1001)
    assert kernel.gram_shots_[pairs].sum() == 66 * 30 + 1001
    np.testing.assert_array_equal(kernel.gram_shots_, kernel.gram_shots_.T)
    np.testing.assert_array_equal(np.diag(kernel.gram_), 1.0)
    np.testing.assert_array_equal(np.diag(kernel.gram_stderr_), 0.0)


def test_values_are_counts_over_shots_and_errors_follow() -> None:
    kernel = fitted().refine(RNG.uniform(size=(12, 12)), shots=5000)
    off = ~np.eye(12, dtype=bool)
    counts = kernel.gram_ * kernel.gram_shots_
    np.testing.assert_allclose(counts[off], np.rint(counts[off]), atol=1e-8)
    np.testing.assert_array_equal(kernel.gram_, kernel.gram_.T)
    np.testing.assert_allclose(
        kernel.gram_stderr_[off], wilson_stderr(kernel.gram_[off], kernel.gram_shots_[off]), rtol=1e-12
    )


def test_shots_follow_importance_and_variance() -> None:
    importance = np.zeros((12, 12))
    importance[0, 1] = importance[2, 3] = 1.0
    kernel = fitted(shots=200)
    before = kernel.gram_.copy()
    kernel.refine(importance, shots=100_000)
    changed = kernel.gram_shots_ > 200
    assert {tuple(sorted(pair)) for pair in np.argwhere(changed)} == {(0, 1), (2, 3)}
    # Neyman: total shots in the ratio of the deviations that the pilot showed
    posterior = (before * 200 + 0.5) / 201
    sigma = np.sqrt(posterior * (1 - posterior))
    ratio = kernel.gram_shots_[0, 1] / kernel.gram_shots_[2, 3]
    assert ratio == pytest.approx(sigma[0, 1] / sigma[2, 3], rel=0.02)


def test_pooled_values_are_unbiased_and_new_rounds_are_independent() -> None:
    exact = FidelityKernel(CPMap()).fit(X).gram_
    pairs = np.triu_indices(12, 1)
    scores = []
    for seed in range(20):
        kernel = fitted(shots=50, seed=seed)
        pilot = kernel.gram_[pairs]
        kernel.refine(ONES, shots=66 * 50).refine(ONES, shots=66 * 50)
        added = kernel.gram_shots_[pairs] - 50
        new = (kernel.gram_[pairs] * kernel.gram_shots_[pairs] - 50 * pilot) / np.maximum(added, 1)
        sigma = np.sqrt(exact[pairs] * (1 - exact[pairs]))
        use = (added > 20) & (sigma > 0.1)
        z_pilot = (pilot - exact[pairs]) / sigma * np.sqrt(50)
        z_new = (new - exact[pairs]) / sigma * np.sqrt(added)
        scores.append(np.stack([z_pilot[use], z_new[use]]))
    z_pilot, z_new = np.concatenate(scores, axis=1)
    n = len(z_new)
    assert n > 300
    assert abs(z_new.mean()) < 5 / np.sqrt(n)
    assert abs(np.mean(z_new**2) - 1) < 5 * np.sqrt(2 / n) * 1.5  # binomial tails are not quite normal
    # The pilot decides how many shots follow, so a weak dependence remains; the same draws again would give 1.
    assert abs(np.mean(z_pilot * z_new)) < 0.3


def test_equal_rows_are_one_row() -> None:
    Z = np.repeat(X[:4], 3, axis=0)
    kernel = FidelityKernel(CPMap(), StatevectorEngine(shots=30, seed=0), corrections=[]).fit(Z)
    kernel.refine(np.ones((12, 12)), shots=600)
    distinct = kernel.gram_shots_[::3, ::3]
    assert distinct[np.triu_indices(4, 1)].sum() == 6 * 30 + 600
    np.testing.assert_array_equal(kernel.gram_, np.repeat(np.repeat(kernel.gram_[::3, ::3], 3, 0), 3, 1))
    assert kernel.gram_[0, 1] == 1.0


def test_rows_that_the_circuit_takes_for_one_are_one_row() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    Z = np.column_stack([np.repeat([0.0, 1.0, 2.0], 2), np.arange(6.0)])  # the second feature is ignored
    kernel = FidelityKernel(CircuitMap(circuit, x=x), StatevectorEngine(shots=30, seed=0), 1.0, corrections=[]).fit(Z)
    kernel.refine(ONES[:6, :6], shots=600)
    assert kernel.gram_shots_[::2, ::2][np.triu_indices(3, 1)].sum() == 3 * 30 + 600
    np.testing.assert_array_equal(kernel.gram_shots_[[0, 2, 4], [1, 3, 5]], 0)  # known, not sampled
    np.testing.assert_array_equal(kernel.gram_, np.repeat(np.repeat(kernel.gram_[::2, ::2], 2, 0), 2, 1))
    np.testing.assert_array_equal(kernel.transform(Z[:1] + np.array([0.0, 9.0])), kernel.gram_[:1])


@pytest.mark.parametrize("corrections", [[], None], ids=["raw", "repaired"])
def test_training_rows_keep_their_refined_entries_in_any_block(corrections: list[ClipSpectrum] | None) -> None:
    kernel = FidelityKernel(CPMap(), StatevectorEngine(shots=10, seed=5), corrections=corrections).fit(X)
    kernel.refine(ONES, shots=5000)
    np.testing.assert_allclose(kernel.transform(X[::-1]), kernel.gram_[::-1], atol=1e-10)
    mixed = kernel.transform(np.concatenate([X_NEW, X[3:5]]))
    np.testing.assert_allclose(mixed[3:], kernel.gram_[3:5], atol=1e-10)
    unrefined = FidelityKernel(CPMap(), StatevectorEngine(shots=10, seed=5), corrections=[]).fit(X)
    if corrections is not None:
        np.testing.assert_array_equal(mixed[:3], unrefined.transform(X_NEW))


def test_corrections_are_fitted_anew_and_transform_agrees() -> None:
    kernel = FidelityKernel(CPMap(), StatevectorEngine(shots=10, seed=5)).fit(X)
    assert isinstance(kernel.corrections_[0], ClipSpectrum)
    first = kernel.gram_.copy()
    kernel.refine(ONES, shots=66 * 10)
    assert not np.array_equal(kernel.gram_, first)
    assert np.linalg.eigvalsh(kernel.gram_)[0] > -1e-12
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-10)
    assert kernel.transform(X_NEW).shape == (3, 12)
    again = pickle.loads(pickle.dumps(kernel)).refine(ONES, shots=100)
    np.testing.assert_array_equal(again.gram_, kernel.refine(ONES, shots=100).gram_)


def test_a_new_fit_starts_anew() -> None:
    kernel = fitted().refine(ONES, shots=1000)
    kernel.fit(X)
    np.testing.assert_array_equal(kernel.gram_, fitted().gram_)
    kernel.set_params(engine=StatevectorEngine()).fit(X)
    assert not hasattr(kernel, "gram_shots_")
    assert not hasattr(kernel, "gram_stderr_")


def test_both_orientations_take_even_numbers() -> None:
    kernel = fitted(orientation="both").refine(RNG.uniform(size=(12, 12)), shots=777)
    assert (kernel.gram_shots_ % 2 == 0).all()
    spent = kernel.gram_shots_[np.triu_indices(12, 1)].sum() - 66 * 30
    assert 777 - 66 <= spent <= 777


def test_both_orientations_spend_small_budgets_too() -> None:
    kernel = fitted(orientation="both").refine(ONES, shots=21)  # less than two for each of the 66 pairs
    assert kernel.gram_shots_[np.triu_indices(12, 1)].sum() == 66 * 30 + 20
    before = kernel.gram_
    np.testing.assert_array_equal(kernel.refine(ONES, shots=1).gram_, before)


def test_size_of_importance_plays_no_role() -> None:
    importance = RNG.uniform(size=(12, 12))
    expected = fitted().refine(importance, shots=1000).gram_shots_
    for size in (1e308, 1e-300):
        np.testing.assert_array_equal(fitted().refine(size * importance, shots=1000).gram_shots_, expected)


# Where the diagonal is measured -----------------------------------------------------------------------------------

NOISE = NoiseTable(defaults={"ry": np.diag([1.0, 0.9, 0.9, 0.9])}, ideal=["cx"], form="transfer")


def users_map() -> CircuitMap:
    """Two qubits; the third feature is ignored."""
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.ry(x[1], 1)
    circuit.cx(0, 1)
    circuit.ry(x[0] * x[1], 1)
    return CircuitMap(circuit, x=x)


def noisy(
    corrections: list[Correction], rows: np.ndarray = X, shots: int | None = 30, **options: object
) -> FidelityKernel:
    engine = DensityMatrixEngine(NOISE, shots=shots, seed=0)
    return FidelityKernel(users_map(), engine, 1.0, corrections=corrections, **options).fit(rows)


@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_measured_diagonal_is_refined_like_other_entries(orientation: str) -> None:
    kernel = noisy([], shots=1000, orientation=orientation)  # many: the errors of few are not those of a normal draw
    pairs = np.triu_indices(12)
    np.testing.assert_array_equal(kernel.gram_shots_, 1000)
    kernel.refine(ONES, shots=50_000)
    assert kernel.gram_shots_[pairs].sum() == 78 * 1000 + 50_000
    counts = kernel.gram_ * kernel.gram_shots_
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-8)
    np.testing.assert_allclose(kernel.gram_stderr_, wilson_stderr(kernel.gram_, kernel.gram_shots_), rtol=1e-12)
    np.testing.assert_array_equal(kernel.gram_, kernel.gram_.T)
    exact = noisy([], shots=None, orientation=orientation)
    assert np.diag(exact.gram_).max() < 0.9
    assert np.abs((kernel.gram_ - exact.gram_) / kernel.gram_stderr_).max() < 5.5


def test_shots_for_the_diagonal_alone() -> None:
    kernel = noisy([]).refine(np.diag(np.arange(12.0)), shots=3000)
    off = ~np.eye(12, dtype=bool)
    np.testing.assert_array_equal(kernel.gram_shots_[off], 30)
    assert np.diag(kernel.gram_shots_).sum() == 12 * 30 + 3000
    assert kernel.gram_shots_[11, 11] > kernel.gram_shots_[4, 4]


def test_rows_that_a_noisy_engine_takes_for_one_are_one_row() -> None:
    rows = np.repeat(X[:4], 3, axis=0)
    rows[:, 2] = np.arange(12)  # which the circuit ignores
    kernel = noisy([], rows)
    assert kernel.gram_[0, 1] == kernel.gram_[0, 0] < 1.0  # the value of the diagonal
    kernel.refine(ONES, shots=2000)
    distinct = kernel.gram_shots_[::3, ::3]
    assert distinct[np.triu_indices(4)].sum() == 10 * 30 + 2000
    np.testing.assert_array_equal(kernel.gram_, np.repeat(np.repeat(kernel.gram_[::3, ::3], 3, 0), 3, 1))
    np.testing.assert_array_equal(kernel.transform(rows[:2] + np.array([0.0, 0.0, 50.0])), kernel.gram_[:2])


@pytest.mark.parametrize(
    "corrections",
    [[], [DepolarizingMitigation("mean")], [DepolarizingMitigation("split"), ClipSpectrum()]],
    ids=["raw", "mean", "split"],
)
def test_mitigated_rows_keep_their_refined_entries_in_any_block(corrections: list[Correction]) -> None:
    kernel = noisy(corrections, shots=300).refine(ONES, shots=50_000)
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-12)
    mixed = kernel.transform(np.concatenate([X_NEW, X[3:5]]))
    np.testing.assert_allclose(mixed[3:], kernel.gram_[3:5], atol=1e-12)
    np.testing.assert_allclose(mixed[:3], kernel.transform(X_NEW), atol=1e-12)
    if corrections:
        ideal = FidelityKernel(users_map(), bandwidth=1.0).fit(X)
        raw = noisy([], shots=300).refine(ONES, shots=50_000)
        assert np.abs(kernel.gram_ - ideal.gram_).mean() < np.abs(raw.gram_ - ideal.gram_).mean()


def test_one_row_has_its_diagonal_to_refine() -> None:
    kernel = noisy([], X[:1]).refine([[1.0]], shots=70)
    assert kernel.gram_shots_.tolist() == [[100]]
    alone = FidelityKernel(CPMap(), StatevectorEngine(shots=30, seed=0), 1.0, corrections=[]).fit(X[:1])
    assert alone.refine([[1.0]], shots=70).gram_shots_.tolist() == [[0]]  # known without noise


@pytest.mark.parametrize("clip", [False, True])
def test_extrapolated_entries_are_no_counts(clip: bool) -> None:
    two = np.diag([1.0] + 15 * [0.85])
    table = NoiseTable(defaults={"cx": two}, ideal=["h", "ry", "p", "rz"], form="transfer")
    engine = ZeroNoiseExtrapolation(DensityMatrixEngine(table, 50, 0), fit="richardson", clip=clip)
    kernel = FidelityKernel(CPMap(), engine, corrections=[]).fit(X)
    before = kernel.gram_.copy()
    assert ((before < 0.0) | (before > 1.0)).any() != clip
    with pytest.raises(
        InvalidParameterError,
        match=r"engine of FidelityKernel must give frequencies .* for refine.*got ZeroNoiseExtrapolation\(",
    ):
        kernel.refine(ONES, 1000)
    np.testing.assert_array_equal(kernel.gram_, before)


def test_refusals() -> None:
    with pytest.raises(NotFittedError):
        FidelityKernel(engine=StatevectorEngine(shots=10, seed=0)).refine(ONES, 10)
    with pytest.raises(InvalidParameterError, match=r"must sample for refine.*got AutoEngine\(\)"):
        FidelityKernel().fit(X).refine(ONES, 10)
    kernel = fitted()
    for shots in (0, -1, 1.5, True):
        with pytest.raises(InvalidParameterError, match=f"shots of FidelityKernel.refine must be.*got {shots!r}"):
            kernel.refine(ONES, shots)
    with pytest.raises(InvalidDataError, match=r"shape \(12, 12\).*got shape \(12,\)"):
        kernel.refine(ONES[0], 10)
    with pytest.raises(InvalidDataError, match="with 1 not finite"):
        kernel.refine(np.where(np.arange(144).reshape(12, 12) == 5, np.nan, 1.0), 10)
    for importance in ("abc", [[1.0], [1.0, 2.0]], 1j * ONES):
        with pytest.raises(InvalidDataError, match=r"importance of FidelityKernel.refine .* no array of real numbers"):
            kernel.refine(importance, 10)
    np.testing.assert_array_equal(kernel.gram_, fitted().gram_)
