"""Tiles on threads: work over blocks goes through joblib, the BLAS pools are capped meanwhile."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

__all__ = ["num_workers", "run_tasks", "shares_memory"]

T = TypeVar("T")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # scans the loaded libraries once: about a millisecond


@lru_cache(maxsize=1)
def _num_cores() -> int:
    return int(joblib.cpu_count(only_physical_cores=False))  # reads the container's limits from files


class _BlasCap:
    """One BLAS thread while any of our tiles runs.

    The limit is a setting of the process. Two overlapping `threadpool_limits` blocks would restore each other's value,
    so the first one in sets it and the last one out restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limiter: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limiter = _controller().limit(limits=1, user_api="blas")
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._limiter.restore_original_limits()


blas_cap = _BlasCap()


def num_workers() -> int:
    """Threads to use here: one inside a worker of joblib or multiprocessing, else the available cores."""
    backend, n_jobs = get_active_backend(prefer="threads")
    if backend.nesting_level or multiprocessing.parent_process() is not None:
        return 1
    if n_jobs is not None and n_jobs != 1:
        return int(joblib.effective_n_jobs(n_jobs))
    return _num_cores()


def shares_memory() -> bool:
    """Whether tasks may write into arrays of the caller (threads), or must return their blocks (processes)."""
    return bool(get_active_backend(prefer="threads")[0].supports_sharedmem)


def run_tasks(function: Callable[..., T], tasks: Sequence[tuple[Any, ...]]) -> Iterator[T]:
    """Results of ``function(*task)`` in the order of the tasks, computed on threads where that can help.

    Inside ``joblib.parallel_config(backend)`` of a distributed backend (dask, ray, spark) the tasks go there, so
    `function` returns its block and shares nothing. Consume the iterator to its end: finished blocks are handed over
    one by one, so that the caller never holds all of them twice.
    """
    workers = min(num_workers(), len(tasks))
    with blas_cap():
        if workers <= 1:
            for task in tasks:
                yield function(*task)
            return
        backend, _ = get_active_backend(prefer="threads")
        return_as = "generator" if backend.supports_return_generator else "list"
        parallel = joblib.Parallel(n_jobs=workers, prefer="threads", batch_size=1, return_as=return_as)
        yield from parallel(joblib.delayed(function)(*task) for task in tasks)
