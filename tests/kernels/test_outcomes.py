"""HammingKernel and LocalFidelityKernel against dense unitaries and closed forms."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from qkernels import (
    ClipSpectrum,
    CPMap,
    FidelityKernel,
    HammingKernel,
    LocalFidelityKernel,
    MPSEngine,
    QuantumKernelSVC,
    SeparableMap,
    StatevectorEngine,
    ZZFeatureMap,
)
from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsError
from qkernels.engines import cache_info, clear_cache
from qkernels.feature_maps import FeatureMap
from qkernels.kernels import QuantumKernel
from qkernels.programs import OverlapProgram, row_keys
from tests.oracle import oracle_unitary

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 3))
X_NEW = RNG.normal(size=(4, 3))
PATCHES = [(0, 2), (1,)]
Patches = list[tuple[int, ...]] | None


def unitaries(feature_map: FeatureMap, Z: np.ndarray) -> np.ndarray:
    """U(z) of every row, dense."""
    circuit = feature_map.build(Z.shape[1])
    vector = feature_map.parameter_vector(Z.shape[1])
    return np.stack(
        [oracle_unitary(circuit.assign_parameters(dict(zip(vector, row, strict=True))).to_gate()) for row in Z]
    )


def outcomes(feature_map: FeatureMap, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """|⟨b|U(y)†U(x)|0⟩|² for x in A, y in B: shape (n_a, n_b, 2^n)."""
    U, V = unitaries(feature_map, A), unitaries(feature_map, B)
    return np.abs(np.einsum("ykb,xk->xyb", V.conj(), U[:, :, 0])) ** 2


def prepared_first(feature_map: FeatureMap, A: np.ndarray, B: np.ndarray, patches: Patches) -> np.ndarray:
    """Whether the row of A has the smaller content key and is the one prepared by U."""
    d = A.shape[1]
    program = OverlapProgram(feature_map.build(d), feature_map.parameter_vector(d), patches=patches)
    a, b = (row_keys(program.bind_angles(Z), program.key) for Z in (A, B))
    first, second = a[:, None], b[None, :]
    return (first[..., 0] < second[..., 0]) | ((first[..., 0] == second[..., 0]) & (first[..., 1] <= second[..., 1]))


def expected(
    feature_map: FeatureMap,
    A: np.ndarray,
    B: np.ndarray,
    score: np.ndarray,
    orientation: str = "canonical",
    patches: Patches = None,
) -> np.ndarray:
    """Mean score of the outcome, with the orientation of the contract."""
    forward, backward = outcomes(feature_map, A, B) @ score, outcomes(feature_map, B, A).swapaxes(0, 1) @ score
    if orientation == "both":
        return (forward + backward) / 2
    return np.where(prepared_first(feature_map, A, B, patches), forward, backward)


def ones(num_qubits: int) -> np.ndarray:
    return np.array([bin(b).count("1") for b in range(2**num_qubits)])


def patch_score(num_qubits: int, patches: list[tuple[int, ...]]) -> np.ndarray:
    return np.array([np.mean([all(not b >> q & 1 for q in patch) for patch in patches]) for b in range(2**num_qubits)])


KERNELS = {
    "exponential": (lambda: HammingKernel(ZZFeatureMap(), bandwidth=0.7, decay=0.5), lambda n: np.exp(-0.5 * ones(n))),
    "linear": (lambda: HammingKernel(ZZFeatureMap(), bandwidth=0.7, weighting="linear"), lambda n: 1 - ones(n) / n),
    "callable": (
        lambda: HammingKernel(ZZFeatureMap(), bandwidth=0.7, weighting=lambda w: (w <= 1) * 1.0),
        lambda n: (ones(n) <= 1) * 1.0,
    ),
    "numbers": (
        lambda: HammingKernel(ZZFeatureMap(), bandwidth=0.7, weighting=[1.0, 0.0, 0.5, -0.2]),
        lambda n: np.array([1.0, 0.0, 0.5, -0.2])[ones(n)],
    ),
    "local": (
        lambda: LocalFidelityKernel(ZZFeatureMap(), bandwidth=0.7),
        lambda n: patch_score(n, [(q,) for q in range(n)]),
    ),
    "patches": (
        lambda: LocalFidelityKernel(ZZFeatureMap(), bandwidth=0.7, patches=PATCHES),
        lambda n: patch_score(n, PATCHES),
    ),
    "pairs": (
        lambda: LocalFidelityKernel(ZZFeatureMap(), bandwidth=0.7, patches=2),
        lambda n: patch_score(n, [(0, 1), (2,)]),
    ),
}


@pytest.mark.parametrize("orientation", ["canonical", "both"])
@pytest.mark.parametrize("name", KERNELS)
def test_values(name: str, orientation: str) -> None:
    make, score = KERNELS[name]
    kernel = make().set_params(orientation=orientation, corrections=[ClipSpectrum(rtol=0.9)])
    A, B = 0.7 * X, 0.7 * X_NEW
    patches = {"pairs": [(0, 1), (2,)], "patches": PATCHES}.get(name)  # of single qubits: as none
    want = expected(ZZFeatureMap(), B, A, score(3), orientation, patches)
    np.testing.assert_allclose(kernel(X_NEW, X), want, atol=1e-12)
    gram = kernel(X)
    np.testing.assert_allclose(gram, expected(ZZFeatureMap(), A, A, score(3), orientation, patches), atol=1e-12)
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_allclose(kernel.diag(X), score(3)[0])


def test_orientations_differ_so_the_rule_matters() -> None:
    score = np.exp(-ones(3))
    forward = outcomes(ZZFeatureMap(), X, X) @ score
    assert np.abs(forward - forward.T).max() > 0.01


@pytest.mark.parametrize("patches", [1, 2, PATCHES], ids=["single", "pairs", "given"])
def test_reduced_states(patches: int | list[tuple[int, ...]]) -> None:
    kernel = LocalFidelityKernel(CPMap(ring=False), bandwidth=0.9, patches=patches, form="reduced")
    Z, Z_new = RNG.normal(size=(6, 4)), RNG.normal(size=(3, 4))  # three qubits
    groups = {1: [(0,), (1,), (2,)], 2: [(0, 1), (2,)]}.get(patches, patches) if isinstance(patches, int) else patches

    def reduced(rows: np.ndarray, patch: tuple[int, ...]) -> np.ndarray:
        states = unitaries(CPMap(ring=False), 0.9 * rows)[:, :, 0].reshape(-1, 2, 2, 2)  # axes: qubits 2, 1, 0
        axes = [3 - q for q in patch]
        rest = [axis for axis in (1, 2, 3) if axis not in axes]
        matrix = states.transpose(0, *axes, *rest).reshape(len(rows), 2 ** len(patch), -1)
        return matrix @ matrix.conj().swapaxes(1, 2)

    want = np.mean(
        [np.einsum("xij,yji->xy", reduced(Z_new, p), reduced(Z, p)).real for p in groups],
        axis=0,
    )
    np.testing.assert_allclose(kernel(Z_new, Z), want, atol=1e-12)
    gram = kernel.fit_transform(Z)
    purity = np.mean([np.einsum("xij,xji->x", reduced(Z, p), reduced(Z, p)).real for p in groups], axis=0)
    np.testing.assert_allclose(np.diag(gram), purity, atol=1e-12)
    np.testing.assert_allclose(kernel.diag(Z), purity, atol=1e-12)
    assert purity.min() < 0.99  # the map entangles the patches
    assert np.linalg.eigvalsh(gram)[0] > -1e-12
    assert kernel.corrections_ == []


@pytest.mark.parametrize("form", ["overlap", "reduced"])
def test_one_patch_of_all_qubits_is_the_fidelity(form: str) -> None:
    local = LocalFidelityKernel(CPMap(), patches=9, form=form).fit(X)
    np.testing.assert_allclose(local(X_NEW, X), FidelityKernel(CPMap()).fit(X)(X_NEW, X), atol=1e-12)


def test_closed_forms_of_the_separable_map() -> None:
    c = np.cos((X_NEW[:, None] - X[None]) / 2) ** 2
    local = LocalFidelityKernel(SeparableMap(), bandwidth=1.0)(X_NEW, X)
    np.testing.assert_allclose(local, c.mean(axis=2), atol=1e-12)
    hamming = HammingKernel(SeparableMap(), bandwidth=1.0, decay=0.3)(X_NEW, X)
    np.testing.assert_allclose(hamming, np.prod(c + np.exp(-0.3) * (1 - c), axis=2), atol=1e-12)


def test_large_decay_is_the_fidelity() -> None:
    hamming = HammingKernel(decay=60.0).fit(X)
    np.testing.assert_allclose(hamming(X), FidelityKernel().fit(X)(X), atol=1e-12)


@pytest.mark.parametrize(
    "kernel",
    [
        HammingKernel(engine=StatevectorEngine(shots=400, seed=3), corrections=[ClipSpectrum()]),
        LocalFidelityKernel(engine=StatevectorEngine(shots=400, seed=3), patches=PATCHES),
        LocalFidelityKernel(engine=StatevectorEngine(shots=400, seed=3), form="reduced"),
    ],
    ids=["hamming", "patches", "reduced"],
)
def test_sampled_entries_lie_within_their_errors(kernel: QuantumKernel) -> None:
    Z = RNG.normal(size=(20, 3))
    exact = clone(kernel).set_params(engine=None).fit(Z)(Z)
    fitted = kernel.fit(Z)
    off = ~np.eye(20, dtype=bool)
    assert (fitted.gram_stderr_[off] > 0).all()
    deviations = ((fitted(Z) - exact) / np.where(off, fitted.gram_stderr_, 1.0))[np.triu_indices(20, 1)]
    # 190 entries, some correlated through shared rows: a mean square of 1 within 5 sigma of 20 independent rows
    assert abs(np.mean(deviations**2) - 1) < 5 * np.sqrt(2 / 20)
    assert np.abs(deviations).max() < 5.5
    np.testing.assert_allclose(fitted.transform(Z), fitted.gram_, atol=1e-10)
    np.testing.assert_allclose(fitted.diag(Z), np.diag(fitted(Z)), rtol=1e-12)


def test_exact_matrices_are_repaired_by_default() -> None:
    Z = RNG.normal(size=(25, 3))
    kernel = HammingKernel(weighting=[1.0, 0.0, 0.0, 1.0], bandwidth=2.0).fit(Z)
    assert np.linalg.eigvalsh(kernel(Z))[0] < -1e-6
    assert np.linalg.eigvalsh(kernel.gram_)[0] > -1e-12
    np.testing.assert_allclose(kernel.transform(Z), kernel.gram_, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [HammingKernel(), LocalFidelityKernel(), LocalFidelityKernel(form="reduced")])
def test_classifies_iris(kernel: QuantumKernel) -> None:
    Z, y = load_iris(return_X_y=True)
    model = QuantumKernelSVC(kernel, C=100.0)  # local kernels vary little, so they need a large C
    assert cross_val_score(model, Z, y).mean() > 0.94
    model.fit(Z, y)
    assert pickle.loads(pickle.dumps(model)).predict(Z[:1]).tolist() == [0]


def test_reduced_form_takes_many_qubits() -> None:
    Z = RNG.normal(size=(4, 30))
    gram = LocalFidelityKernel(engine=MPSEngine(), form="reduced").fit_transform(Z)
    assert gram.shape == (4, 4)


def test_overlap_form_of_many_qubits_is_refused_with_the_cost() -> None:
    with pytest.raises(QKernelsError, match=r"qubits.*ProjectedKernel and LocalFidelityKernel"):
        HammingKernel().fit(RNG.normal(size=(4, 30)))
    plan = HammingKernel().plan(4, n_features=30)
    assert not plan.feasible
    assert "need one state for every row" in plan.reason


def test_plans() -> None:
    sampled = StatevectorEngine(shots=100, seed=0)
    assert HammingKernel(engine=sampled).plan(10, n_features=3).shots == 4500
    assert LocalFidelityKernel(engine=sampled, form="reduced").plan(10, n_features=3).shots == 10 * 9 * 100


def test_training_rows_are_not_evaluated_twice() -> None:
    clear_cache()
    kernel = HammingKernel().fit(X)
    assert kernel.corrections_  # with none, `gram_` itself is returned
    np.testing.assert_allclose(kernel.transform(X), kernel.gram_, atol=1e-12)
    assert cache_info().evaluated_weights == 1


def test_outcome_weights_are_not_kept() -> None:
    kernel = HammingKernel(engine=StatevectorEngine(shots=100, seed=0)).fit(RNG.normal(size=(40, 10)))
    assert len(pickle.dumps(kernel)) < 40 * 40 * 8 * 8  # weights alone are 40 · 40 · 11 numbers


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (HammingKernel(weighting="quadratic"), "weighting of HammingKernel must be 'exponential'.*got 'quadratic'"),
        (HammingKernel(weighting=[1.0, 0.5]), r"Hamming weight 0 to 3 of 3 qubit\(s\).*which gives shape \(2,\)"),
        (HammingKernel(weighting=[1.0, np.nan, 0.0, 0.0]), "one finite number"),
        (HammingKernel(weighting=lambda w: "x"), "weighting of HammingKernel"),
        (HammingKernel(decay=0.0), "decay of HammingKernel must be a finite number > 0; got 0.0"),
        (HammingKernel(orientation="forward"), "orientation of HammingKernel must be .*; got 'forward'"),
        (LocalFidelityKernel(form="local"), "form of LocalFidelityKernel must be 'overlap' or 'reduced'; got 'local'"),
        (LocalFidelityKernel(patches=0), "patches of LocalFidelityKernel must be an integer >= 1.*got 0"),
        (LocalFidelityKernel(patches=[(0, 1), (1, 2)]), "sequences of different qubits"),
        (LocalFidelityKernel(patches=[()]), "non-empty"),
        (LocalFidelityKernel(patches="01"), "got '01'"),
        (LocalFidelityKernel(patches=[(0, 1, 2, 3)]), r"3 qubit\(s\), 0 to 2, once; qubit 3 is none of them"),
        (LocalFidelityKernel(patches=[(0, 2)]), "qubit 1 is missing"),
        (LocalFidelityKernel(patches=[(0, 2)], form="reduced"), "qubit 1 is missing"),
    ],
)
def test_bad_parameters(kernel: QuantumKernel, message: str) -> None:
    with pytest.raises((InvalidParameterError, InvalidDataError), match=message):
        kernel.fit(X)
    assert not hasattr(kernel, "n_features_in_")


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
@parametrize_with_checks(
    [
        HammingKernel(),
        LocalFidelityKernel(engine=StatevectorEngine(shots=100, seed=0), patches=2),
        LocalFidelityKernel(form="reduced"),
    ],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "the columns of transform are the fitted rows, so fitting "
        "repeated rows gives more columns than fitting weighted rows"
    },
)
def test_scikit_learn(estimator: QuantumKernel, check: Callable[[QuantumKernel], None]) -> None:
    check(estimator)
