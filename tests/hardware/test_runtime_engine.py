"""RuntimeEngine on device models: values, diagonals, orientations, what is stored and what is measured again."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError
from qiskit_ibm_runtime.fake_provider import FakeManilaV2
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from qkernels import (
    CPMap,
    FidelityKernel,
    HamiltonianMap,
    HammingKernel,
    OverlapProgram,
    QuantumKernelSVC,
    ReadoutMitigation,
    StatevectorEngine,
    ZZFeatureMap,
)
from qkernels._errors import (
    CalibrationChangedWarning,
    ExecutionError,
    InvalidParameterError,
    QKernelsWarning,
    UnsupportedCircuitError,
)
from qkernels.engines import clear_cache
from qkernels.testing import assert_kernels_close, check_engine
from qkernels_hardware import AerEngine, Ledger, RuntimeEngine
from qkernels_hardware.runtime._readout import measured_qubits
from qkernels_hardware.service._local import LocalConnection
from tests.hardware.runtime_cases import blocks_of, constant, entries_of, exact, program_of, rows, user_gates


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def ideal(folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 300, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine("aer_simulator", **(settings | options))  # type: ignore[arg-type]


def manila(folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 300, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine("fake_manila", **(settings | options))  # type: ignore[arg-type]


# The contract of engines ----------------------------------------------------------------------------------------


def test_keeps_the_laws_of_engines() -> None:
    programs = {"user gates": user_gates()}
    check_engine(lambda: RuntimeEngine("aer_simulator", shots=100, seed=3), programs=programs)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aer_simulator", "fake_manila"])
def test_keeps_the_laws_of_engines_on_more_programs(backend: str) -> None:
    check_engine(lambda: RuntimeEngine(backend, shots=100, seed=3))


PROGRAMS: dict[str, Callable[[], OverlapProgram]] = {
    "zz-linear": lambda: program_of(ZZFeatureMap(), 3),
    "zz-full": lambda: program_of(ZZFeatureMap(entanglement="full"), 3),
    "cp": lambda: program_of(CPMap(), 4),
    "hamiltonian": lambda: program_of(HamiltonianMap(), 3),
    "user gates": user_gates,
    "one feature": lambda: program_of(ZZFeatureMap(), 1),
    "six qubits": lambda: program_of(ZZFeatureMap(), 6),
    "no parameters": constant,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_exact_values_without_noise(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]()
    X = rows(4, program.num_features)
    found = ideal(tmp_path).overlaps(program, X, X[1:3])
    assert_kernels_close(found, exact(program, X, X[1:3]))


@pytest.mark.parametrize("name", ["zz-linear", "zz-full", "cp", "user gates", "one feature", "no parameters"])
def test_same_distribution_as_the_exact_noisy_engine(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]()
    X = rows(4, program.num_features)
    found = manila(tmp_path, barrier=True, shots=1000).overlaps(program, X)
    assert_kernels_close(found, AerEngine("fake_manila").overlaps(program, X))


def test_wrong_order_of_parameters_is_seen(tmp_path: Path) -> None:
    program = program_of(ZZFeatureMap(), 3)
    X = rows(4, 3)
    found = ideal(tmp_path).overlaps(program, X, X[:2])
    with pytest.raises(AssertionError):
        assert_kernels_close(found, exact(program, X[:, [1, 2, 0]], X[:2, [1, 2, 0]]))


# Requests -------------------------------------------------------------------------------------------------------


def test_pairs_and_their_shots(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(4, 3)
    pairs, shots = [(0, 1), (3, 2), (1, 1), (1, 0)], [100, 700, 50, 100]
    found = ideal(tmp_path).overlaps(program, X, pairs=pairs, shots=shots)
    assert found.num_shots.tolist() == shots
    assert found.values[0] == found.values[3]
    assert_kernels_close(found, exact(program, X, pairs=pairs))
    assert sorted((b.shots, b.entries) for b in blocks_of(tmp_path / "ledger.sqlite")) == [(50, 1), (100, 1), (700, 1)]


def test_both_orientations_are_measured_at_half_the_shots(tmp_path: Path) -> None:
    program, X = PROGRAMS["user gates"](), rows(3, 2)
    found = ideal(tmp_path).overlaps(program, X, orientation="both", need={"orientations"})
    assert found.orientations.shape == (2, 3, 3)
    np.testing.assert_allclose(found.orientations.mean(axis=0), found.values)
    assert (found.num_shots == 300).all()
    assert {(b.shots, b.entries) for b in blocks_of(tmp_path / "ledger.sqlite")} == {(150, 12)}


def test_repetitions_are_measured_anew(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    engine = ideal(tmp_path)
    first, second = (engine.overlaps(program, X, repetition=k) for k in (0, 1))
    assert (first.values != second.values).any()
    assert entries_of(tmp_path / "ledger.sqlite") == 12


def test_duplicates_are_measured_once(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    K = ideal(tmp_path).overlaps(program, np.vstack([X, X[:2]])).values
    assert (K[3:, 3:] == K[:2, :2]).all()
    assert K[0, 3] == K[0, 0]
    assert entries_of(tmp_path / "ledger.sqlite") == 6


def test_diagonal_that_is_not_wanted_is_not_measured(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(4, 3)
    engine = manila(tmp_path)
    found = engine.overlaps(program, X, diagonal=False)
    assert (np.diag(found.values) == 1.0).all()
    assert (np.diag(found.num_shots) == 0).all()
    assert entries_of(tmp_path / "ledger.sqlite") == 6
    measured = engine.overlaps(program, X)
    assert (np.diag(measured.values) < 1.0).any()
    assert (measured.values[0, 1:] == found.values[0, 1:]).all()
    assert entries_of(tmp_path / "ledger.sqlite") == 10


def test_diagonal_beside_a_cross_matrix_goes_in_one_submission(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(5, 3)
    found = manila(tmp_path).overlaps(program, X[:3], X[2:], need={"diagonal", "weights", "bits"})
    assert [len(side) for side in found.diagonals] == [3, 3]
    assert found.diagonals[0][2] == found.diagonals[1][0] == found.values[2, 0]
    assert found.weights.shape == (3, 3, 4)
    assert found.bits.shape == (3, 3, 300, 1)
    (block,) = blocks_of(tmp_path / "ledger.sqlite")
    assert block.entries == 9 + 4  # row 2 stands in the matrix


def test_weights_of_patches(tmp_path: Path) -> None:
    plain = PROGRAMS["zz-linear"]()
    program = OverlapProgram(plain.circuit, plain.x, patches=[(0, 2), (1,)])
    X = rows(3, 3)
    found = ideal(tmp_path, shots=2000).overlaps(program, X, need={"weights"})
    expected = StatevectorEngine().overlaps(program, X, need={"weights"}).weights
    for weight in (1, 2):
        assert_kernels_close(found.weights[..., weight], expected[..., weight], shots=2000)


def test_hamming_kernel_from_measured_bits(tmp_path: Path) -> None:
    X = rows(3, 3)
    kernel = HammingKernel(ZZFeatureMap(), engine=ideal(tmp_path), bandwidth=1.0)
    assert kernel(X).shape == (3, 3)


def test_readout_of_the_qubits_that_are_measured(tmp_path: Path) -> None:
    """SWAPs move a program's qubits: they are not measured where they started."""
    program, X = PROGRAMS["zz-full"](), rows(2, 3)
    engine = manila(tmp_path, layout=(0, 2, 4))
    found = engine.overlaps(program, X, need={"bits"})
    with Ledger.open(engine.ledger_path, read_only=True) as ledger:
        circuit = ledger.circuits(1)["overlap"].circuit
    (places,) = measured_qubits(circuit, 1)
    assert engine.circuit(program).layout[0] == (0, 2, 4)
    assert places != [0, 2, 4]  # else this shows nothing
    model = NoiseModel.from_backend(FakeManilaV2())
    expected = [model._local_readout_errors[(q,)].probabilities.T for q in places]
    np.testing.assert_allclose(found.readout, expected, atol=1e-9)


def test_readout_mitigation(tmp_path: Path) -> None:
    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.95, 0.05], [0.2, 0.8]]))
    backend = AerSimulator(noise_model=noise)
    engine = RuntimeEngine(backend, shots=4000, seed=1, ledger=tmp_path / "ledger.sqlite")
    X = rows(3, 3)
    raw = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)
    mended = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5, corrections=[ReadoutMitigation()])
    exact_kernel = FidelityKernel(ZZFeatureMap(), bandwidth=0.5)(X)
    error = np.abs(mended.fit_transform(X) - exact_kernel).max()
    assert error < 0.05 < np.abs(raw(X) - exact_kernel).max()


def test_two_models_with_one_name_share_nothing(tmp_path: Path) -> None:
    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.1, 0.9]]))
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    found = []
    for backend in (AerSimulator(), AerSimulator(noise_model=noise)):
        engine = RuntimeEngine(backend, shots=500, seed=1, ledger=tmp_path / "ledger.sqlite")
        found.append(np.diag(engine.overlaps(program, X).values))
    assert (found[0] == 1.0).all()
    assert (found[1] < 0.9).all()
    assert entries_of(tmp_path / "ledger.sqlite") == 12


# Measured once --------------------------------------------------------------------------------------------------


def test_what_is_held_is_not_measured_again(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(6, 3)
    path = tmp_path / "ledger.sqlite"
    first = ideal(tmp_path).overlaps(program, X[:4]).values
    clear_cache()
    second = ideal(tmp_path)
    assert second.plan(program, X[:4]).jobs == 0
    assert (second.overlaps(program, X[:4]).values == first).all()
    assert entries_of(path) == 10
    more = second.overlaps(program, X).values
    assert (more[:4, :4] == first).all()
    assert entries_of(path) == 21
    assert (second.overlaps(program, X[4:], X[:4]).values == more[4:, :4]).all()
    assert entries_of(path) == 21


def test_another_c_measures_nothing(tmp_path: Path) -> None:
    X, y = rows(8, 2), np.arange(8) % 2
    engine = ideal(tmp_path)
    for C in (1.0, 10.0):
        clear_cache()
        QuantumKernelSVC(FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5), C=C).fit(X, y).predict(X)
    assert entries_of(tmp_path / "ledger.sqlite") == 36


def test_set_params_measures_what_is_new(tmp_path: Path) -> None:
    X, y = rows(5, 2), np.arange(5) % 2
    model = QuantumKernelSVC(FidelityKernel(ZZFeatureMap(), engine=ideal(tmp_path), bandwidth=0.5)).fit(X, y)
    model.set_params(kernel__bandwidth=0.7).fit(X, y)
    assert entries_of(tmp_path / "ledger.sqlite") == 30
    model.set_params(kernel__bandwidth=0.5).fit(X, y)
    assert entries_of(tmp_path / "ledger.sqlite") == 30


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_in_workers_measures_every_entry_once(backend: str, tmp_path: Path) -> None:
    import joblib

    X, y = rows(12, 2), np.arange(12) % 2
    model = QuantumKernelSVC(FidelityKernel(ZZFeatureMap(), engine=ideal(tmp_path, shots=50)))
    grid = {"C": [1.0, 10.0], "kernel__bandwidth": [0.4, 0.8]}
    with joblib.parallel_backend(backend), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of few members of a class
        GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
    assert entries_of(tmp_path / "ledger.sqlite") == 2 * 78


def test_workers_share_the_ledger_that_ends_with_the_process() -> None:
    import joblib

    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    engine = RuntimeEngine("aer_simulator", shots=64, seed=0)
    here = engine.overlaps(program, X).values
    with joblib.parallel_backend("loky"):
        there = joblib.Parallel(n_jobs=2)(joblib.delayed(_values)(engine, program, X) for _ in range(2))
    assert all((one == here).all() for one in there)


def _values(engine: RuntimeEngine, program: OverlapProgram, X: np.ndarray) -> np.ndarray:
    return engine.overlaps(program, X).values


@pytest.mark.slow
def test_another_process_measures_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from qkernels import FidelityKernel, ZZFeatureMap\n"
        "from qkernels_hardware import RuntimeEngine\n"
        "engine = RuntimeEngine('aer_simulator', shots=64, seed=5, ledger=sys.argv[1])\n"
        "kernel = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)\n"
        "print(kernel([[0.1, 0.2], [0.4, 0.9], [0.7, 0.3]]).tobytes().hex())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "ledger.sqlite")]
    answers = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert answers[0] == answers[1]
    assert entries_of(tmp_path / "ledger.sqlite") == 6


def test_threads_of_one_process_wait_for_each_other(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(6, 3)
    errors: list[BaseException] = []

    def work(start: int) -> None:
        try:
            ideal(tmp_path).overlaps(program, X[start : start + 4])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in (0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# Copies and pickles ---------------------------------------------------------------------------------------------


def test_clone_is_the_engine_itself(tmp_path: Path) -> None:
    engine = ideal(tmp_path)
    assert clone(engine) is engine


@pytest.mark.parametrize(
    "backend",
    ["fake_manila", "aer_simulator", FakeManilaV2(), AerSimulator(), GenericBackendV2(3, seed=1)],
    ids=["name", "aer", "fake", "simulator", "generic"],
)
def test_pickled_engine_gives_the_same_values(backend: object, tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(2, 3)
    engine = RuntimeEngine(backend, shots=50, seed=1, ledger=tmp_path / "ledger.sqlite")  # type: ignore[arg-type]
    copy = pickle.loads(pickle.dumps(engine))
    values = engine.overlaps(program, X).values
    clear_cache()
    assert (copy.overlaps(program, X).values == values).all()
    assert entries_of(tmp_path / "ledger.sqlite") == 3


def test_refresh_opens_one_generation_for_each_engine(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    old = ideal(tmp_path)
    old.overlaps(program, X)
    first, second = (ideal(tmp_path, layout="refresh") for _ in range(2))
    assert first.plan(program, X).jobs == 1
    for engine in (first, second, pickle.loads(pickle.dumps(first)), second, first):
        clear_cache()
        engine.overlaps(program, X)
    assert first.plan(program, X).jobs == 0
    with Ledger.open(old.ledger_path, read_only=True) as ledger:
        assert [series.generation for series in ledger.all_series()] == [1, 2, 3]
    assert entries_of(old.ledger_path) == 18


# What an answer says of itself ----------------------------------------------------------------------------------


def test_info_names_jobs_ledger_and_layout(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    engine = manila(tmp_path, block_executions=600)
    info = engine.overlaps(program, X).info
    assert info["ledger"] == str(tmp_path / "ledger.sqlite")
    assert info["series"] == "1, generation 1"
    assert info["jobs"] == 3
    assert len(str(info["job_ids"]).split(", ")) == 3
    assert info["calibrations"] == 1
    assert str(info["calibration"]).startswith("2024-05-27")
    assert info["tiles"] == 1
    assert info["layout"] == str(engine.circuit(program).layout[0])


def test_blocks_of_several_calibrations_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    engine = manila(tmp_path)
    engine.overlaps(program, X[:2])
    monkeypatch.setattr(LocalConnection, "calibration", lambda self: "2030-01-01T00:00:00")
    with pytest.warns(CalibrationChangedWarning, match="fake_manila under 2 calibrations.*2024.*2030-01-01"):
        info = engine.overlaps(program, X).info
    assert info["calibrations"] == 2
    assert engine.plan(program, X).calibration_now == "2030-01-01T00:00:00"
    engine.overlaps(program, X[:2])  # of one calibration: no warning


def test_damaged_result_is_measured_again(tmp_path: Path) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    engine = manila(tmp_path, block_executions=600)
    before = engine.overlaps(program, X).values
    victim = sorted((tmp_path / "ledger.sqlite.results").glob("*.npz"))[0]
    victim.write_bytes(victim.read_bytes()[:100])
    clear_cache()
    with pytest.warns(QKernelsWarning, match="block-0*1"):
        after = engine.overlaps(program, X).values
    same = after == before  # the seed of a block is by its content
    assert same.all()
    assert [b.attempt for b in blocks_of(tmp_path / "ledger.sqlite")] == [2, 1, 1]


def test_failed_job_is_tried_again_by_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, X = PROGRAMS["zz-linear"](), rows(3, 3)
    engine = ideal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(LocalConnection, "submit", _broken)
        with pytest.raises(ExecutionError, match="no luck"):
            engine.overlaps(program, X)
    assert engine.overlaps(program, X).values.shape == (3, 3)
    assert entries_of(tmp_path / "ledger.sqlite") == 6


def _broken(self: object, job: object) -> str:
    raise ExecutionError("no luck")


def test_delay_that_depends_on_data_is_refused(tmp_path: Path) -> None:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    t = Parameter("t")
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.delay(t, 0, "ns")
    with pytest.raises(UnsupportedCircuitError, match="delay"):
        ideal(tmp_path).overlaps(OverlapProgram(circuit, [t]), [[1.0], [2.0]])


def test_too_many_qubits_for_the_device(tmp_path: Path) -> None:
    with pytest.raises((InvalidParameterError, UnsupportedCircuitError), match=r"6 qubits.*5|6.*fake_manila"):
        manila(tmp_path).overlaps(PROGRAMS["six qubits"](), rows(2, 6))
