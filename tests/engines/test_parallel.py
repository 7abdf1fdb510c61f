"""Tiles on joblib: the same values on every backend, as many threads as the user said, BLAS left as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from cloudpickle import dumps, loads
from joblib import parallel_config
from sklearn.datasets import load_iris
from threadpoolctl import threadpool_info

from qkernels.engines import MPSEngine, StatevectorEngine, clear_cache
from qkernels.engines._parallel import blas_cap, num_workers
from qkernels.estimators import QuantumKernelSVC
from qkernels.feature_maps import CPMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram

BACKENDS = ["threading", "loky", "multiprocessing", "sequential"]


def gram(seed: int, engine: StatevectorEngine | MPSEngine) -> np.ndarray:
    feature_map = CPMap(ring=True) if isinstance(engine, StatevectorEngine) else ZZFeatureMap()
    program = OverlapProgram(feature_map.build(12), feature_map.parameter_vector(12))
    X = np.random.default_rng(seed).uniform(-1, 1, size=(600, 12))
    return engine.overlaps(program, X).values


@pytest.mark.parametrize("engine", [StatevectorEngine(), MPSEngine()], ids=repr)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same_values(backend: str, engine: StatevectorEngine | MPSEngine) -> None:
    expected = gram(1, engine)
    with parallel_config(backend, n_jobs=2):
        clear_cache()
        np.testing.assert_allclose(gram(1, engine), expected, rtol=0, atol=1e-13)


def test_estimators_fit_under_a_process_backend() -> None:
    X, y = load_iris(return_X_y=True)
    with parallel_config("loky", n_jobs=2):
        assert QuantumKernelSVC().fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ({"n_jobs": 1}, 1),
        ({"backend": "threading", "n_jobs": 1}, 1),
        ({"backend": "sequential"}, 1),
        ({"backend": "loky", "n_jobs": 3}, 3),
    ],
    ids=str,
)
def test_the_configured_number_of_jobs_is_used(options: dict[str, object], workers: int) -> None:
    with parallel_config(**options):
        assert num_workers() == workers
    assert num_workers() == joblib.cpu_count()


def test_overlapping_caps_leave_the_blas_threads_as_they_were() -> None:
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()

    def use(_: int) -> list[int]:
        with blas_cap():
            return threads()

    assert use(0) == [1] * len(before)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(50)))
    assert threads() == before
    assert use(0) == [1] * len(before)


def test_concurrent_threads_get_right_values() -> None:
    expected = [gram(seed, StatevectorEngine()) for seed in range(4)]
    clear_cache()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: gram(seed % 4, StatevectorEngine()), range(8)))
    for seed, values in enumerate(found):
        np.testing.assert_allclose(values, expected[seed % 4], rtol=0, atol=1e-13)


def observed(seed: int) -> np.ndarray:
    circuit = CPMap(ring=True).build(12)
    program = ExpectationProgram(circuit, circuit.parameters, observables=["XXIIIIII", "IIYIIZII", "ZIIIIIIZ"])
    X = np.random.default_rng(seed).uniform(-1, 1, size=(600, 12))
    return StatevectorEngine().expectations(program, X).values


def weighed(seed: int) -> np.ndarray:
    circuit = CPMap(ring=True).build(9)
    X = np.random.default_rng(seed).uniform(-1, 1, size=(40, 9))
    answer = StatevectorEngine().overlaps(OverlapProgram(circuit, circuit.parameters), X, need={"weights"})
    assert answer.weights is not None
    return answer.weights


@pytest.mark.slow
def test_tasks_can_go_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cluster backend of joblib needs: tasks and results that survive pickling, and no shared arrays."""

    def distant(function, tasks):
        for task in tasks:
            moved, arguments = loads(dumps((function, task)))
            yield loads(dumps(moved(*arguments)))

    questions = [lambda: gram(2, StatevectorEngine()), lambda: gram(2, MPSEngine()), lambda: observed(2)]
    questions.append(lambda: weighed(2))
    expected = [question() for question in questions]
    for module in ("_statevector", "_mps", "_blockwise"):
        monkeypatch.setattr(f"qkernels.engines.{module}.run_tasks", distant)
    monkeypatch.setattr("qkernels.engines._statevector.shares_memory", lambda: False)
    for question, values in zip(questions, expected, strict=True):
        clear_cache()
        np.testing.assert_allclose(question(), values, rtol=0, atol=1e-13)
