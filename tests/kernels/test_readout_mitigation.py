"""ReadoutMitigation: exact inverse of outcomes, packed bits of any width, errors of shots, order, what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit.primitives import BitArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from qkernels import DensityMatrixEngine, FidelityKernel, HammingKernel, StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import NoiseTable
from qkernels.kernels import BitFlipTolerance, ClipSpectrum, ReadoutMitigation, _zero_weights
from qkernels.programs import Overlaps, wilson_stderr
from tests.kernels.noisy_oracle import NoisyOracle, read

UNREPAIRED = pytest.mark.filterwarnings("ignore::qkernels._errors.NotPSDWarning")

RNG = np.random.default_rng(9)
X, X_NEW = RNG.normal(size=(6, 2)), RNG.normal(size=(3, 2))
READOUT = np.array([[[0.97, 0.06], [0.03, 0.94]], [[0.95, 0.09], [0.05, 0.91]]])


def random_readout(rng: np.random.Generator, num_qubits: int, largest: float = 0.3) -> np.ndarray:
    errors = rng.uniform(0.0, largest, size=(num_qubits, 2))
    return np.array([[[1 - a, b], [a, 1 - b]] for a, b in errors])


def inverse_row(readout: np.ndarray) -> np.ndarray:
    """What every outcome counts: the row "true outcome 0" of the inverse of the matrix of all outcomes."""
    full = np.eye(1)
    for matrix in readout:
        full = np.kron(matrix, full)
    return np.linalg.inv(full)[0]


def packed(bits: np.ndarray) -> np.ndarray:
    """Booleans of shape (..., shots, n), qubit 0 first, in Qiskit's own layout."""
    return BitArray.from_bool_array(bits, order="little").array


def measured(bits: np.ndarray, readout: np.ndarray) -> Overlaps:
    values = np.mean(~bits.any(axis=-1), axis=-1)
    shots = np.full(values.shape, bits.shape[-2])
    return Overlaps(values, wilson_stderr(values, shots), shots, bits=packed(bits), readout=readout)


def mitigated(overlaps: Overlaps, correction: ReadoutMitigation | None = None) -> np.ndarray:
    correction = ReadoutMitigation() if correction is None else correction
    return correction.fit(overlaps.values, overlaps).transform_gram(overlaps.values, overlaps)


# Values ---------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), num_qubits=st.integers(1, 5))
def test_outcomes_are_inverted(seed: int, num_qubits: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.ones(2**num_qubits), size=(3, 3))
    true = 0.5 * (true + true.transpose(1, 0, 2))
    readout = random_readout(rng, num_qubits)
    p = np.array([[read(one, readout) for one in row] for row in true])
    correction = ReadoutMitigation().fit(p[..., 0], Overlaps(p[..., 0], outcomes=p, readout=readout))
    overlaps = Overlaps(p[..., 0], outcomes=p)
    # Rounding of 2^n terms, each of them multiplied by up to the product of the largest factors.
    bound = 1e-15 * 2**num_qubits * np.abs(correction.factors_).max(axis=1).prod()
    np.testing.assert_allclose(correction.transform_gram(p[..., 0], overlaps), true[..., 0], atol=bound)
    np.testing.assert_allclose(
        correction.transform_cross(p[:2, :, 0], Overlaps(p[:2, :, 0], outcomes=p[:2])), true[:2, :, 0], atol=bound
    )


@pytest.mark.parametrize("num_qubits", [1, 3, 8, 9, 16, 19])
def test_packed_bits_of_any_width(num_qubits: int) -> None:
    rng = np.random.default_rng(num_qubits)
    bits = rng.random(size=(4, 4, 50, num_qubits)) < 0.3
    bits = np.where(np.tri(4, dtype=bool)[:, :, None, None], bits, bits.transpose(1, 0, 2, 3))
    readout = random_readout(rng, num_qubits)
    correction = ReadoutMitigation()
    found = mitigated(measured(bits, readout), correction)
    inverse = np.linalg.inv(readout)[:, 0, :]
    weights = np.prod(np.where(bits, inverse[:, 1], inverse[:, 0]), axis=-1)
    np.testing.assert_allclose(correction.factors_, inverse, rtol=1e-12)
    np.testing.assert_allclose(found, weights.mean(axis=-1), rtol=1e-10, atol=1e-13 * np.abs(weights).max())
    np.testing.assert_array_equal(found, found.T)


def test_blocks_of_entries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = RNG.random(size=(5, 5, 30, 9)) < 0.2
    bits = np.where(np.tri(5, dtype=bool)[:, :, None, None], bits, bits.transpose(1, 0, 2, 3))
    overlaps = measured(bits, random_readout(RNG, 9))
    correction = ReadoutMitigation()
    expected = mitigated(overlaps, correction)
    errors = correction.transform_stderr(overlaps.stderr, overlaps.values, overlaps)
    monkeypatch.setattr(_zero_weights, "_BLOCK_BYTES", 16 * 30 * 3)  # three entries at a time
    np.testing.assert_array_equal(mitigated(overlaps, correction), expected)
    np.testing.assert_array_equal(correction.transform_stderr(overlaps.stderr, overlaps.values, overlaps), errors)


def test_perfect_readout_changes_nothing() -> None:
    bits = RNG.random(size=(3, 3, 40, 4)) < 0.2
    bits = np.where(np.tri(3, dtype=bool)[:, :, None, None], bits, bits.transpose(1, 0, 2, 3))
    overlaps = measured(bits, np.array([np.eye(2)] * 4))
    correction = ReadoutMitigation()
    np.testing.assert_array_equal(mitigated(overlaps, correction), overlaps.values)
    np.testing.assert_allclose(
        correction.transform_stderr(overlaps.stderr, overlaps.values, overlaps), overlaps.stderr, rtol=1e-12
    )


def test_values_outside_the_unit_interval_are_kept() -> None:
    readout = np.array([[[0.9, 0.2], [0.1, 0.8]]])
    for read_as, value in ((True, -0.2 / 0.7), (False, 0.8 / 0.7)):
        assert mitigated(measured(np.full((1, 1, 10, 1), read_as), readout)) == pytest.approx(value)


def test_flipped_labels_are_read_the_other_way_round() -> None:
    bits = np.ones((1, 1, 10, 1), dtype=bool)
    assert mitigated(measured(bits, np.array([[[0.0, 1.0], [1.0, 0.0]]]))) == 1.0


def test_given_matrices_come_before_those_of_the_engine() -> None:
    bits = RNG.random(size=(1, 1, 100, 1)) < 0.4
    overlaps = measured(bits, np.array([np.eye(2)]))
    readout = np.array([[[0.9, 0.2], [0.1, 0.8]]])
    expected = mitigated(measured(bits, readout))
    np.testing.assert_array_equal(mitigated(overlaps, ReadoutMitigation(readout.tolist())), expected)


# Standard errors ------------------------------------------------------------------------------------------------


def test_values_and_errors_of_repeated_experiments() -> None:
    experiments, shots, n = 3000, 500, 3
    rng = np.random.default_rng(1)
    true = rng.dirichlet(np.ones(2**n))
    readout = random_readout(rng, n)
    p = read(true, readout)
    outcomes = rng.choice(2**n, p=p / p.sum(), size=(experiments, 1, 1, shots))
    correction = ReadoutMitigation(readout)
    found, claimed = [], []
    for drawn in outcomes:
        overlaps = measured((drawn[..., None] >> np.arange(n) & 1).astype(bool), readout)
        found.append(mitigated(overlaps, correction).item())
        claimed.append(correction.transform_stderr(overlaps.stderr, overlaps.values, overlaps).item())
    weights = inverse_row(readout)
    sigma = np.sqrt((p @ weights**2 - (p @ weights) ** 2) / shots)
    assert abs(np.mean(found) - true[0]) < 5 * sigma / np.sqrt(experiments)
    assert np.std(found, ddof=1) == pytest.approx(sigma, rel=5 / np.sqrt(2 * experiments))
    # The continuity term adds w0²/(4 S²) to the variance.
    np.testing.assert_allclose(
        np.sqrt(np.mean(np.square(claimed))), sigma, rtol=5 / np.sqrt(experiments * shots) + 0.01
    )


def test_error_of_shots_that_all_read_alike_is_not_zero() -> None:
    readout = np.array([[[0.9, 0.2], [0.1, 0.8]]] * 2)
    overlaps = measured(np.zeros((1, 1, 50, 2), dtype=bool), readout)
    correction = ReadoutMitigation()
    assert mitigated(overlaps, correction) == pytest.approx((0.8 / 0.7) ** 2)
    found = correction.transform_stderr(overlaps.stderr, overlaps.values, overlaps)
    assert found == pytest.approx((0.8 / 0.7) ** 2 / 100 / (1 + 1 / 50))


# In a kernel ----------------------------------------------------------------------------------------------------


@UNREPAIRED
def test_readout_errors_alone_are_undone() -> None:
    ideal = FidelityKernel().fit(X)
    engine = NoisyOracle(0.0, READOUT)
    kernel = FidelityKernel(engine=engine, corrections=[ReadoutMitigation()]).fit(X)
    assert np.abs(kernel(X) - ideal.gram_).max() > 0.05
    np.testing.assert_allclose(kernel.gram_, ideal.gram_, atol=1e-12)
    np.testing.assert_allclose(np.diag(kernel.gram_), 1.0, atol=1e-12)
    np.testing.assert_allclose(kernel.transform(X_NEW), ideal.transform(X_NEW), atol=1e-12)
    np.testing.assert_array_equal(kernel.transform(X), kernel.gram_)
    np.testing.assert_array_equal(kernel.diag(X), np.diag(kernel(X)))  # raw
    assert not hasattr(kernel, "gram_stderr_")


@UNREPAIRED
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_readout_of_the_engine_that_knows_gates(orientation: str) -> None:
    rows, new = RNG.normal(size=(6, 3)), RNG.normal(size=(2, 3))
    noise = NoiseTable(readout=dict(enumerate(random_readout(RNG, 3, 0.1))), ideal=["h", "p", "cx", "rz"])
    ideal = FidelityKernel().fit(rows)
    kernel = FidelityKernel(
        engine=DensityMatrixEngine(noise), corrections=[ReadoutMitigation()], orientation=orientation
    ).fit(rows)
    np.testing.assert_allclose(kernel.gram_, ideal.gram_, atol=1e-12)
    np.testing.assert_allclose(kernel.transform(new), ideal.transform(new), atol=1e-12)


@UNREPAIRED
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_sampled_entries_lie_within_their_errors(orientation: str) -> None:
    rows, new = RNG.normal(size=(20, 3)), RNG.normal(size=(4, 3))
    noise = NoiseTable(readout=dict(enumerate(random_readout(RNG, 3, 0.1))), ideal=["h", "p", "cx", "rz"])
    engine = DensityMatrixEngine(noise, shots=400, seed=1)
    ideal = FidelityKernel().fit(rows)
    kernel = FidelityKernel(engine=engine, corrections=[ReadoutMitigation()], orientation=orientation).fit(rows)
    pairs = np.triu_indices(20)
    scores = ((kernel.gram_ - ideal.gram_) / kernel.gram_stderr_)[pairs]
    # 210 independent entries; their weights are bounded, so the mean square is within 5 sigma of a normal one
    assert abs(np.mean(scores**2) - 1) < 5 * np.sqrt(2 / len(scores))
    assert np.abs(scores).max() < 5.5
    np.testing.assert_array_equal(kernel.transform(rows), kernel.gram_)
    # The one rule for cross blocks.
    assert np.abs(kernel.transform(new) - ideal.transform(new)).max() < 5.5 * kernel.gram_stderr_.max()
    order = RNG.permutation(20)
    again = clone(kernel).fit(rows[order])
    np.testing.assert_allclose(again.gram_, kernel.gram_[np.ix_(order, order)], atol=1e-14)


def test_bits_are_not_kept_with_the_kernel() -> None:
    engine = NoisyOracle(0.1, READOUT, shots=3000)
    kernel = FidelityKernel(engine=engine, corrections=[ReadoutMitigation(), ClipSpectrum()]).fit(X)
    assert len(pickle.dumps(kernel)) < 36 * 3000  # one byte for every shot
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel)).transform(X_NEW), kernel.transform(X_NEW))


def test_parameters() -> None:
    assert clone(ReadoutMitigation()).get_params() == {"readout": None}
    np.testing.assert_array_equal(clone(ReadoutMitigation(READOUT)).readout, READOUT)
    assert ReadoutMitigation.requires == {"bits"}
    assert ReadoutMitigation().entrywise
    assert not ReadoutMitigation.guarantees_psd


# Bad input ------------------------------------------------------------------------------------------------------


def test_not_first() -> None:
    bits = RNG.random(size=(2, 2, 30, 2)) < 0.2
    overlaps = measured(bits, READOUT)
    with pytest.raises(InvalidParameterError, match=r"ReadoutMitigation must come first in corrections.*up to 0\.5\)"):
        ReadoutMitigation().fit(overlaps.values - 0.5, overlaps)
    kernel = FidelityKernel(
        engine=NoisyOracle(0.1, READOUT, shots=100), corrections=[BitFlipTolerance(1), ReadoutMitigation()]
    )
    with pytest.raises(InvalidParameterError, match="Move ReadoutMitigation to the front"):
        kernel.fit(X)
    ReadoutMitigation().fit(overlaps.values.copy(), overlaps)  # the same values are no change


def test_kernel_of_other_outcomes() -> None:
    kernel = HammingKernel(engine=NoisyOracle(0.1, READOUT), corrections=[ReadoutMitigation()])
    with pytest.raises(InvalidParameterError, match=r"another function of the outcomes \(off by up to 0\.\d+\)"):
        kernel.fit(X)


def test_engine_without_bits() -> None:
    with pytest.raises(InvalidParameterError, match=r"need=\['bits'\] is not available from StatevectorEngine"):
        FidelityKernel(engine=StatevectorEngine(shots=10, seed=0), corrections=[ReadoutMitigation()]).fit(X)
    for overlaps, got in ((None, "None"), (Overlaps(np.eye(2)), "neither")):
        with pytest.raises(InvalidParameterError, match=f"must hold the bits or the outcomes.*got {got}"):
            ReadoutMitigation(READOUT).fit(np.eye(2), overlaps)


def test_readout_that_nobody_gives() -> None:
    overlaps = measured(np.zeros((1, 1, 3, 2), dtype=bool), None)
    with pytest.raises(InvalidParameterError, match=r"readout of ReadoutMitigation must be given.*got None"):
        ReadoutMitigation().fit(overlaps.values, overlaps)


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        ("abc", r"got no array of numbers"),
        ([[0.9, 0.1], [0.1, 0.9]], r"shape \(n_qubits, 2, 2\); got shape \(2, 2\)"),
        (np.ones((0, 2, 2)), r"got shape \(0, 2, 2\)"),
        ([np.eye(2), [[0.9, 0.1], [0.2, 0.8]]], r"got \[\[0\.9, 0\.1\], \[0\.2, 0\.8\]\] for qubit 1.* transposed"),
        ([np.eye(2), [[1.1, 0.0], [-0.1, 1.0]]], r"\[\[1\.1, 0\.0\], \[-0\.1, 1\.0\]\] for qubit 1"),
        ([np.eye(2), [[np.nan, 0.0], [0.0, 1.0]]], r"\[\[nan, 0\.0\], \[0\.0, 1\.0\]\] for qubit 1"),
        ([np.eye(2), [[0.6, 0.6], [0.4, 0.4]]], r"\[\[0\.6, 0\.6\], \[0\.4, 0\.4\]\] of qubit 1 is singular"),
        ([np.eye(2)] * 9, r"got 9 matrices for 1 byte\(s\) per shot"),
        ([np.eye(2)] * 3, r"got 3 matrices for 1 byte\(s\) per shot of 2 qubit\(s\)"),
    ],
    ids=["text", "one", "none", "transposed", "outside", "nan", "singular", "nine", "three"],
)
def test_bad_readout(readout: object, message: str) -> None:
    kernel = FidelityKernel(engine=NoisyOracle(0.1, READOUT, shots=20), corrections=[ReadoutMitigation(readout)])
    with pytest.raises(InvalidParameterError, match=f"readout of ReadoutMitigation must .*{message}"):
        kernel.fit(X)


def test_outcomes_of_another_number_of_qubits() -> None:
    p = np.full((1, 1, 8), 1 / 8)
    with pytest.raises(InvalidParameterError, match=r"got 2 matrices for 8 outcomes\."):
        ReadoutMitigation(READOUT).fit(p[..., 0], Overlaps(p[..., 0], outcomes=p))


def test_errors_of_what_was_not_sampled() -> None:
    p = np.full((1, 1, 4), 1 / 4)
    overlaps = Overlaps(p[..., 0], outcomes=p, readout=READOUT)
    correction = ReadoutMitigation().fit(p[..., 0], overlaps)
    with pytest.raises(InvalidParameterError, match="must hold the bits of sampled entries; got bits=None"):
        correction.transform_stderr(np.ones((1, 1)), p[..., 0], overlaps)


def test_before_fit_and_bad_matrices() -> None:
    for method in ("transform_gram", "transform_cross"):
        with pytest.raises(NotFittedError, match="ReadoutMitigation instance is not fitted"):
            getattr(ReadoutMitigation(), method)(np.eye(2))
    with pytest.raises(NotFittedError, match="ReadoutMitigation instance is not fitted"):
        ReadoutMitigation().transform_stderr(np.eye(2), np.eye(2))
    with pytest.raises(InvalidDataError, match="gram of ReadoutMitigation must be finite; got nan in row 0, column 1"):
        ReadoutMitigation().fit(np.array([[1.0, np.nan], [0.0, 1.0]]))
