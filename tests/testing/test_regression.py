"""`KernelRegression`: what it takes for a difference, and that its words name what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.base import clone

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import DensityMatrixEngine, NoiseTable, StatevectorEngine
from qkernels.feature_maps import CircuitMap, CPMap, ZZFeatureMap
from qkernels.kernels import (
    ClipSpectrum,
    FidelityKernel,
    FlipSpectrum,
    HammingKernel,
    ProjectedKernel,
    QuantumKernel,
    ReadoutMitigation,
    UnitDiagonal,
)
from qkernels.testing import KernelRegression
from qkernels.testing._provenance import describe, differences
from qkernels.testing._reference import KernelReference

Real = NDArray[np.float64]

X = np.random.default_rng(4).normal(size=(8, 3))
DEPOLARIZING = {name: np.diag([1.0] + 3 * [0.99]) for name in ("h", "p", "ry", "rz")} | {
    "cx": np.diag([1.0] + 15 * [0.97])
}
NOISE = NoiseTable(defaults=DEPOLARIZING, form="transfer")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "kernel_references"


def store(folder: Path, kernel: QuantumKernel, rows: Real = X, **options: Any) -> Path:
    KernelRegression(folder, "test_k", update=True).check(kernel, rows, **options)
    [path] = folder.iterdir()
    return path


def check(folder: Path, kernel: QuantumKernel, rows: Real = X, **options: Any) -> None:
    KernelRegression(folder, "test_k", command='pytest "t.py::k"').check(kernel, rows, **options)


def failure(folder: Path, kernel: QuantumKernel, rows: Real = X, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        check(folder, kernel, rows, **options)
    return str(caught.value)


def rewrite(path: Path, change: Callable[[KernelReference], KernelReference]) -> None:
    """Another reference, with a right checksum: as if written by other code or in another environment."""
    change(KernelReference.read(path, ways_out="")).write(path)


def with_version(package: str, version: str) -> Callable[[KernelReference], KernelReference]:
    def change(r: KernelReference) -> KernelReference:
        return replace(r, provenance=r.provenance | {"versions": r.provenance["versions"] | {package: version}})

    return change


def sampling(shots: int = 200, seed: int = 1, **options: Any) -> FidelityKernel:
    return FidelityKernel(engine=StatevectorEngine(shots=shots, seed=seed), **options)


KERNELS: dict[str, QuantumKernel] = {
    "exact": FidelityKernel(),
    "sampled": sampling(),
    "sampled-flip": sampling(corrections=[FlipSpectrum()]),
    "sampled-both": sampling(orientation="both", corrections=[ClipSpectrum(), UnitDiagonal()]),
    "noisy": FidelityKernel(engine=DensityMatrixEngine(NOISE)),
    "noisy-sampled": FidelityKernel(engine=DensityMatrixEngine(NOISE, shots=100, seed=0)),
    "hamming-sampled": HammingKernel(engine=StatevectorEngine(shots=50, seed=0)),
    "projected-sampled": ProjectedKernel(engine=StatevectorEngine(shots=50, seed=0)),
    "sum": FidelityKernel() + 0.5 * sampling(feature_map=CPMap()),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_same_kernel_agrees_with_its_reference(name: str, folder: Path) -> None:
    path = store(folder, KERNELS[name])
    before = path.read_bytes()
    check(folder, KERNELS[name])
    check(folder, KERNELS[name].fit(X[:4]))  # a fresh copy is fitted in any case
    assert path.read_bytes() == before


def test_provenance_names_everything(folder: Path) -> None:
    table = NOISE.scaled(2.0)
    path = store(folder, FidelityKernel(CPMap(), DensityMatrixEngine(table, shots=100, seed=7)))
    found = KernelReference.read(path, ways_out="").provenance
    assert found["data"]["shape"] == [8, 3]
    assert found["kernel"] == {
        "class": "FidelityKernel",
        "bandwidth": "'scale'",
        "corrections": "None",
        "orientation": "'canonical'",
    }
    circuit = CPMap().build(3)
    assert found["circuit"]["feature_map"] == "CPMap()"
    assert found["circuit"]["num_qubits"] == circuit.num_qubits
    assert found["circuit"]["gates"] == dict(circuit.count_ops())
    assert len(found["circuit"]["program"]) == 64
    assert found["engine"] == {"class": "DensityMatrixEngine"}
    assert found["noise"] == {"table": table.key}
    assert found["shots"] == 100
    assert found["seed"] == 7
    assert {"qkernels", "qiskit", "qiskit-aer", "numpy", "scipy", "scikit-learn"} == set(found["versions"])


def test_provenance_of_a_sum_names_its_parts(folder: Path) -> None:
    found = KernelReference.read(store(folder, KERNELS["sum"]), ways_out="").provenance
    assert found["kernel"] == {"class": "SumKernel"}
    assert found["parts"]["k1"]["circuit"]["feature_map"] == "ZZFeatureMap()"
    scaled = found["parts"]["k2"]
    assert scaled["kernel"] == {"class": "ScaledKernel", "factor": "0.5"}
    assert scaled["parts"]["kernel"]["circuit"]["feature_map"] == "CPMap()"
    assert scaled["parts"]["kernel"]["shots"] == 200


def test_a_part_that_changed_is_named(folder: Path) -> None:
    store(folder, KERNELS["sum"])
    text = failure(folder, FidelityKernel() + 0.5 * sampling(feature_map=CPMap(), seed=2, bandwidth=0.5))
    assert "Changed since then: k2.kernel.kernel, k2.kernel.scaling, k2.kernel.seed.\n" in text
    assert "  k2.kernel.kernel: bandwidth: 'scale' → 0.5\n" in text
    assert "  k2.kernel.seed: seed: 1 → 2\n" in text


class Profiled(StatevectorEngine):
    """An engine of a device with a calibration, as a vendor's package has them."""

    def __init__(self, profile: Any, shots: int | None = None, seed: int = 0, strategy: str = "auto") -> None:
        super().__init__(shots, seed)
        self.profile, self.strategy = profile, strategy

    @property
    def noise_key(self) -> str:
        return f"{self.profile.key}+transpiled"

    @property
    def _tag(self) -> str:
        return f"{super()._tag}/{self.profile.key}"


class Profile:
    def __init__(self, name: str, calibrated: str, scale: float = 1.0) -> None:
        self.name, self.calibrated, self.scale = name, calibrated, scale
        self.key = f"{name}{calibrated}{scale}"


def test_provenance_has_the_profile_of_a_device(folder: Path) -> None:
    engine = Profiled(Profile("fake_fez", "2025-02-26"), strategy="factored")
    found = KernelReference.read(store(folder, FidelityKernel(engine=engine)), ways_out="").provenance
    key = "fake_fez2025-02-261.0"
    assert found["noise"] == {
        "name": "fake_fez",
        "calibrated": "2025-02-26",
        "scale": 1.0,
        "key": key,
        "noise_key": f"{key}+transpiled",
    }
    assert found["engine"] == {"class": "Profiled", "strategy": "'factored'"}
    assert "shots" not in found
    assert "seed" not in found  # without shots it plays no role


# What changed -----------------------------------------------------------------------------------------------------


def test_exact_numbers_agree_up_to_the_tolerance(folder: Path) -> None:
    path = store(folder, FidelityKernel())
    rewrite(path, lambda r: replace(r, values=r.values + 9e-10))
    check(folder, FidelityKernel())
    text = failure(folder, FidelityKernel(), atol=1e-10)
    assert "only the numbers did" in text
    assert "64 of 64 exact entries by more than atol=1e-10" in text


def test_only_numbers(folder: Path) -> None:
    path = store(folder, FidelityKernel())
    rewrite(path, lambda r: replace(r, values=r.values * 0.99, stored="2020-02-02"))
    text = failure(folder, FidelityKernel())
    assert text.startswith(
        "The kernel matrix differs from its reference kernel_references/test_k.json, stored on 2020-02-02.\n"
        "Nothing in its provenance changed (data, circuit, noise, shots, seed, versions): only the numbers did.\n"
        "Kernel matrices differ: 64 of 64 exact entries by more than atol=1e-09.\n"
    )
    assert text.endswith('\nIf this is as it should be, accept it with\n  pytest "t.py::k" --update-kernel-references')


def test_the_circuit(folder: Path) -> None:
    store(folder, FidelityKernel(ZZFeatureMap()))
    text = failure(folder, FidelityKernel(ZZFeatureMap(reps=3)))
    assert "Changed since then: circuit.\n" in text
    assert "  circuit: feature_map: ZZFeatureMap() → ZZFeatureMap(reps=3)\n" in text
    assert "  circuit: gates.h: 6 → 9\n" in text
    assert "…" in next(line for line in text.splitlines() if line.startswith("  circuit: program:"))


def test_the_circuit_behind_one_name(folder: Path) -> None:
    def mapped(angle: float) -> CircuitMap:
        x = ParameterVector("x", 3)
        circuit = QuantumCircuit(3)
        for q in range(3):
            circuit.ry(x[q], q)
        circuit.crx(angle, 0, 1)
        circuit.ry(x[0], 1)
        return CircuitMap(circuit, x)

    store(folder, FidelityKernel(mapped(0.5), bandwidth=1.0))
    check(folder, FidelityKernel(mapped(0.5), bandwidth=1.0))  # nothing that differs from build to build
    text = failure(folder, FidelityKernel(mapped(0.6), bandwidth=1.0))
    assert "Changed since then: circuit.\n  circuit: program:" in text


def test_the_noise(folder: Path) -> None:
    store(folder, FidelityKernel(engine=DensityMatrixEngine(NOISE)))
    text = failure(folder, FidelityKernel(engine=DensityMatrixEngine(NOISE.scaled(1.1))))
    assert f"Changed since then: noise.\n  noise: table: {NOISE.key[:12]}… → " in text


def test_the_profile(folder: Path) -> None:
    path = store(folder, FidelityKernel(engine=Profiled(Profile("fake_fez", "2025-02-26"))))
    rewrite(path, lambda r: replace(r, values=r.values * 0.9))
    text = failure(folder, FidelityKernel(engine=Profiled(Profile("fake_fez", "2025-09-01", 2.0))))
    assert "Changed since then: noise.\n" in text
    assert "  noise: calibrated: 2025-02-26 → 2025-09-01\n" in text
    assert "  noise: scale: 1.0 → 2.0\n" in text


def test_the_versions(folder: Path) -> None:
    path = store(folder, FidelityKernel())
    rewrite(path, with_version("qiskit", "1.0.0"))
    check(folder, FidelityKernel())  # the numbers decide
    rewrite(path, lambda r: replace(r, values=r.values * 0.99))
    text = failure(folder, FidelityKernel())
    assert "Changed since then: versions.\n  versions: qiskit: 1.0.0 → " in text


def test_a_package_that_is_gone(folder: Path) -> None:
    path = store(folder, FidelityKernel())
    rewrite(path, with_version("qiskit-aer", "none of this is installed"))
    rewrite(path, lambda r: replace(r, values=r.values * 0.99))
    assert "  versions: qiskit-aer: none of this is installed → " in failure(folder, FidelityKernel())


def test_other_data_are_a_failure_whatever_the_numbers(folder: Path) -> None:
    store(folder, sampling())
    moved = X.copy()
    moved[0, 0] += 1e-8
    text = failure(folder, sampling(), moved)
    assert "Changed since then: data" in text
    assert "The matrices are of different data, so their entries cannot be compared." in text
    text = failure(folder, sampling(), X[:5])
    assert "  data: shape: [8, 3] → [5, 3]\n" in text


def test_the_kernel_and_the_engine(folder: Path) -> None:
    store(folder, sampling(bandwidth=1.0))
    text = failure(folder, sampling(bandwidth=0.2))
    assert "Changed since then: kernel, scaling.\n  kernel: bandwidth: 1.0 → 0.2\n" in text
    text = failure(folder, FidelityKernel(engine=DensityMatrixEngine(NOISE.scaled(9.0), 200, 1), bandwidth=1.0))
    assert "  engine: class: StatevectorEngine → DensityMatrixEngine\n" in text
    assert "  noise: table: none → " in text


def test_rounding_of_another_machine_is_no_change(folder: Path) -> None:
    """As after a PCA or a scaler that sums in another order, with columns of very different scales."""
    wide = np.hstack([X, 1e6 * X, np.zeros((8, 1)), np.ones((8, 1)), 1e-6 * (X - X.mean(axis=0))])
    store(folder, FidelityKernel(), wide)
    rng = np.random.default_rng(0)
    for _ in range(20):
        check(folder, FidelityKernel(), wide * (1 + 1e-15 * rng.normal(size=wide.shape)))
    small = wide.copy()
    small[:, -1] *= 1.00001
    assert "of different data" in failure(folder, FidelityKernel(), small)


# Sampled matrices -------------------------------------------------------------------------------------------------


def redrawn(r: KernelReference) -> KernelReference:
    """The stored frequencies are those of another seed, unknown to its provenance."""
    other = sampling(seed=99).fit(X)
    return replace(r, values=other(X), corrected=np.array(other.gram_))


def test_draws_are_a_function_of_their_provenance(folder: Path) -> None:
    path = store(folder, sampling())
    rewrite(path, redrawn)
    text = failure(folder, sampling())
    assert "only the numbers did" in text
    assert "entries have other draws than the reference, though shots, seed and the versions of qkernels, " in text
    assert "They agree within shot noise; same_draws=False asks for no more than that." in text
    check(folder, sampling(), same_draws=False)


def test_a_change_far_below_shot_noise_is_found(folder: Path) -> None:
    """0.1 % of bandwidth at 200 shots: other rows, so other draws."""
    store(folder, sampling(bandwidth=0.5))
    text = failure(folder, sampling(bandwidth=0.5005))
    assert "Changed since then: kernel, scaling." in text
    assert "They agree within shot noise" in text
    check(folder, sampling(bandwidth=0.5005), same_draws=False)
    table = DensityMatrixEngine(NOISE, 100, 0)
    store(folder, FidelityKernel(engine=table))
    assert "Changed since then: noise." in failure(folder, FidelityKernel(engine=table.scaled(1.1)))


def test_one_other_draw_is_found(folder: Path) -> None:
    def one_shot(r: KernelReference) -> KernelReference:
        values = r.values.copy()
        values[2, 5] = values[5, 2] = (round(values[2, 5] * 200) + 1) / 200
        return replace(r, values=values)

    path = store(folder, sampling())
    rewrite(path, one_shot)
    assert "\n1 entries have other draws" in failure(folder, sampling())
    check(folder, sampling(), same_draws=False)


def test_with_other_versions_statistics_decide(folder: Path) -> None:
    path = store(folder, sampling())
    rewrite(path, lambda r: with_version("scipy", "1.0")(redrawn(r)))
    check(folder, sampling())
    rewrite(path, lambda r: replace(r, values=np.where(np.eye(8) > 0, 1.0, np.round(r.values * 0.5, 2))))
    text = failure(folder, sampling())
    assert "Changed since then: versions." in text
    assert "of 28 sampled entries (family-wise level 5.7e-07, sigma=5, Holm)" in text


NOISY = FidelityKernel(ZZFeatureMap(), DensityMatrixEngine(NOISE, 100, 0), bandwidth=0.55)
LIKE = {"feature_map": ZZFeatureMap(), "engine": NOISY.engine, "bandwidth": 0.55}

UNRELATED: dict[str, tuple[FidelityKernel, list[str]]] = {
    "noise": (FidelityKernel(**LIKE | {"engine": NOISY.engine.scaled(1.05)}), ["noise"]),
    "bandwidth": (FidelityKernel(**LIKE | {"bandwidth": 0.56}), ["kernel", "scaling"]),
    "circuit": (FidelityKernel(**LIKE | {"feature_map": ZZFeatureMap(entanglement="circular")}), ["circuit"]),
    "corrections": (FidelityKernel(**LIKE | {"bandwidth": 0.56}, corrections=[ClipSpectrum()]), ["kernel", "scaling"]),
}


@pytest.mark.parametrize("package", ["scikit-learn", "numpy", "qkernels"])
@pytest.mark.parametrize("change", UNRELATED)
def test_another_version_hides_no_other_change(change: str, package: str, folder: Path) -> None:
    """Changes below shot noise, stored by another version: seen as if the versions were the same."""
    other, topics = UNRELATED[change]
    rewrite(store(folder, NOISY), with_version(package, "1.0"))
    check(folder, NOISY)  # the same draws
    text = failure(folder, other)
    assert f"Changed since then: {', '.join([*topics, 'versions'])}.\n" in text
    assert f"other draws than the reference, and it is not only what draws that changed: {', '.join(topics)}.\n" in text
    seeded = clone(other).set_params(engine=DensityMatrixEngine(other.engine.noise, 100, seed=1))
    assert f"what draws that changed: {', '.join(topics)}.\n" in failure(folder, seeded)


def test_another_version_of_what_does_not_draw_is_no_reason(folder: Path) -> None:
    path = store(folder, sampling())
    rewrite(path, with_version("scikit-learn", "1.0"))
    check(folder, sampling())
    rewrite(path, redrawn)
    text = failure(folder, sampling())
    assert "Changed since then: versions.\n  versions: scikit-learn: 1.0 → " in text
    assert (
        "though shots, seed and the versions of qkernels, qiskit, qiskit-aer, numpy and scipy are the same.\n"
        "They agree within shot noise; same_draws=False asks for no more than that."
    ) in text
    rewrite(path, with_version("numpy", "1.0"))  # both, as after an upgrade of everything
    check(folder, sampling())


def test_corrections_of_other_draws_are_compared_by_their_parameters(folder: Path) -> None:
    corrected = sampling(corrections=[ReadoutMitigation(np.tile(np.eye(2), (600, 1, 1)))])
    record = {"seed": 2, "corrections": [ClipSpectrum()]}
    store(folder, sampling(corrections=[ClipSpectrum()]))
    check(folder, sampling(**record))
    check(folder, sampling(**record), same_draws=False)
    for other in ([ClipSpectrum(rtol=1e-9)], [FlipSpectrum()], None):
        text = failure(folder, sampling(**record | {"corrections": other}), same_draws=False)
        assert "  kernel: corrections: [ClipSpectrum(rtol=1e-10)] → " in text
        assert "agree within shot noise. Corrected ones of other draws cannot be compared, and the corrections" in text
    changed = np.tile(np.eye(2), (600, 1, 1))
    changed[300] = 0.5  # elided by repr
    assert repr(ReadoutMitigation(changed)) == repr(corrected.corrections[0])
    before = describe(corrected.set_params(corrections=corrected.corrections), X)
    now = describe(sampling(corrections=[ReadoutMitigation(changed)]), X)
    assert list(differences(before, now)) == ["kernel"]


@pytest.mark.parametrize(
    "other",
    [sampling(shots=1000), sampling(seed=5), FidelityKernel(engine=StatevectorEngine())],
    ids=["shots", "seed", "exact"],
)
def test_other_shots_and_seeds_agree_by_statistics(other: FidelityKernel, folder: Path) -> None:
    store(folder, sampling())
    check(folder, other)
    text = failure(folder, other.set_params(feature_map=CPMap()))
    assert "sampled entries" in text
    assert "circuit: feature_map: ZZFeatureMap() → CPMap()" in text


def test_shots_and_seed_are_told(folder: Path) -> None:
    path = store(folder, sampling())
    rewrite(path, lambda r: replace(r, values=np.where(np.eye(8) > 0, 1.0, 0.5)))
    text = failure(folder, sampling(shots=1000, seed=5))
    assert "Changed since then: shots, seed.\n  shots: shots: 200 → 1000\n  seed: seed: 1 → 5\n" in text


def test_corrected_matrices_are_compared_where_draws_are_the_same(folder: Path) -> None:
    path = store(folder, sampling())
    rewrite(path, lambda r: replace(r, corrected=r.corrected * 1.001))
    text = failure(folder, sampling())
    assert "Before corrections the matrices agree. Corrected kernel matrices differ: 64 of 64 entries" in text
    store(folder, sampling())
    text = failure(folder, sampling(corrections=[FlipSpectrum()]))
    assert "  kernel: corrections: None → [FlipSpectrum(rtol=1e-10)]\n" in text
    assert "Corrected kernel matrices differ: 64 of 64 entries by more than atol" in text


def test_corrections_that_come_count_by_what_they_do(folder: Path) -> None:
    """The exact matrix has unit diagonal and no negative eigenvalue."""
    store(folder, FidelityKernel())
    check(folder, FidelityKernel(corrections=[ClipSpectrum(), UnitDiagonal()]))
    noisy = {"engine": DensityMatrixEngine(NOISE), "feature_map": ZZFeatureMap()}
    store(folder, FidelityKernel(corrections=[], **noisy))
    text = failure(folder, FidelityKernel(corrections=[UnitDiagonal()], **noisy))
    assert "  kernel: corrections: [] → [UnitDiagonal(rtol=1e-12)]\n" in text
    assert "Corrected kernel matrices differ: 64 of 64 entries" in text


NO_FREQUENCIES = KERNELS | {"scaled": 0.3 * sampling()}


@pytest.mark.parametrize("name", ["hamming-sampled", "projected-sampled", "sum", "scaled"])
def test_what_is_no_frequency_has_to_be_the_same_draws(name: str, folder: Path) -> None:
    path = store(folder, NO_FREQUENCIES[name])
    rewrite(path, lambda r: with_version("scipy", "1.0")(replace(r, values=r.values * 0.999)))
    text = failure(folder, NO_FREQUENCIES[name])
    assert "64 of 64 sampled entries by more than atol" in text
    assert "exact" not in text
    assert "These sampled entries are no frequencies of shots, so only the same draws can be compared." in text


# Files ------------------------------------------------------------------------------------------------------------


def test_a_missing_reference_says_how_to_make_it(folder: Path) -> None:
    assert failure(folder, FidelityKernel()) == (
        "There is no kernel reference kernel_references/test_k.json yet. Write it with\n"
        '  pytest "t.py::k" --update-kernel-references\n'
        "look at it, and put it under version control."
    )
    assert not folder.exists()


def test_damaged_references_are_refused_and_replaced(folder: Path) -> None:
    path = store(folder, FidelityKernel())
    path.write_text(path.read_text().replace("1.0]", "0.9]", 1))
    with pytest.raises(InvalidDataError, match=r'was changed after .*Write it again with pytest "t\.py::k" --update'):
        check(folder, FidelityKernel())
    store(folder, FidelityKernel())
    check(folder, FidelityKernel())


def test_updating_writes_only_what_changed(folder: Path) -> None:
    written: list[Path] = []

    def update(kernel: QuantumKernel) -> None:
        KernelRegression(folder, "test_k", update=True, on_write=written.append).check(kernel, X)

    update(sampling())
    path = folder / "test_k.json"
    rewrite(path, lambda r: replace(r, stored="2020-02-02"))
    before = path.read_bytes()
    update(sampling())
    assert path.read_bytes() == before
    assert written == [path]
    update(sampling(seed=2))
    assert written == [path, path]
    check(folder, sampling(seed=2))


def test_several_matrices_of_one_test_have_names(folder: Path) -> None:
    regression = KernelRegression(folder, "test_k", update=True)
    regression.check(FidelityKernel(), X)
    regression(FidelityKernel(), X[:5], name="small")
    assert {path.name for path in folder.iterdir()} == {"test_k.json", "test_k@small.json"}
    with pytest.raises(InvalidParameterError, match="must differ between the matrices of one test; 'small' was used"):
        regression.check(FidelityKernel(), X, name="small")
    with pytest.raises(
        InvalidParameterError, match=r"name of kernel_regression must be a part of a file name: .*; got 'a/b'"
    ):
        regression.check(FidelityKernel(), X, name="a/b")
    assert repr(regression) == f"KernelRegression({str(folder)!r}, 'test_k', update=True)"


@pytest.mark.parametrize("name", ["a\0b", "a\tb", "\ud800", "a:b", "a|b", 5, None], ids=repr)
def test_names_that_no_file_can_have_are_refused(name: Any, folder: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"name of kernel_regression must be a part of .*; got ") as caught:
        check(folder, FidelityKernel(), name=name)
    assert str(caught.value).endswith(f"got {name!r}.")


def test_names_of_matrices_differ_in_more_than_capitals(folder: Path) -> None:
    regression = KernelRegression(folder, "test_k", update=True)
    regression.check(FidelityKernel(), X[:2], name="a")
    with pytest.raises(InvalidParameterError, match=r"name of .* must differ .*'A' was used before"):
        regression.check(FidelityKernel(), X[:2], name="A")


def test_names_are_as_long_as_file_systems_take(folder: Path) -> None:
    longest = "é" * 121 + "n"  # 243 bytes; with "test_k@" and ".json" 255
    store(folder, FidelityKernel(), X[:2], name=longest)
    check(folder, FidelityKernel(), X[:2], name=longest)
    with pytest.raises(InvalidParameterError, match=r"name of .* must be shorter: .* at most 255 bytes, .* has 256\."):
        check(folder, FidelityKernel(), X[:2], name=longest + "n")


def test_the_name_of_a_test_is_a_part_of_a_file_name(folder: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"test of KernelRegression must be a part of .* got 'a/b'"):
        KernelRegression(folder, "a/b")
    with pytest.raises(InvalidParameterError, match=r"test of KernelRegression must not contain '@', .* got 'a@b'"):
        KernelRegression(folder, "a@b")


def test_what_is_no_kernel_is_refused(folder: Path) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"kernel of kernel_regression must be a kernel such as .*; got 'rbf'"
    ):
        check(folder, "rbf")


def test_the_options_of_the_comparison_are_checked(folder: Path) -> None:
    store(folder, sampling())
    with pytest.raises(InvalidParameterError, match="sigma must be a finite number > 0; got -1"):
        check(folder, sampling(), sigma=-1)
