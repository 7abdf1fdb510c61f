"""Matrices shared between the worker processes of one parent."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from qkernels.engines import _shared_store


def ask(log: str, key: str, values: list[float], answers: multiprocessing.Queue[list[float]]) -> None:
    """In a worker: ask for a matrix that takes a while, and note every evaluation."""

    def compute() -> np.ndarray:
        with Path(log).open("ab", buffering=0) as file:
            file.write(b"x")
        time.sleep(0.3)
        return np.array(values)

    answers.put(_shared_store.share(key, compute).tolist())


def run_workers(tmp_path: Path, keys: list[str]) -> tuple[int, list[list[float]]]:
    """Evaluations that were made, and the answers, of workers that start together."""
    context, log = multiprocessing.get_context("spawn"), tmp_path / "log"
    log.touch()
    answers = context.Queue()
    workers = [context.Process(target=ask, args=(str(log), key, [1.0, 2.0], answers)) for key in keys]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    return log.stat().st_size, found


def test_workers_that_ask_at_the_same_moment_evaluate_once(tmp_path: Path) -> None:
    key = f"one matrix {tmp_path}"
    assert run_workers(tmp_path, [key] * 3) == (1, [[1.0, 2.0]] * 3)


@pytest.mark.slow
def test_other_matrices_are_evaluated_on_their_own(tmp_path: Path) -> None:
    assert run_workers(tmp_path, [f"a {tmp_path}", f"b {tmp_path}"])[0] == 2


def test_a_main_process_shares_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute() -> np.ndarray:
        calls.append(1)
        return np.zeros(1)

    for _ in range(2):
        _shared_store.share(f"main {tmp_path}", compute)
    assert len(calls) == 2


@pytest.mark.parametrize("error", [OSError, NotImplementedError])
def test_files_that_cannot_be_locked_cost_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(path: Path) -> None:
        raise error("no locks here")

    monkeypatch.setattr(_shared_store, "_lock", refuse)
    monkeypatch.setattr(_shared_store, "_worker_directory", lambda: tmp_path)
    assert _shared_store.share("key", lambda: np.ones(2)).tolist() == [1.0, 1.0]
    assert len(list(tmp_path.glob("*.npy"))) == 1
