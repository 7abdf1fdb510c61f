"""Tiles on threads: work over blocks goes through joblib, the BLAS pools are capped meanwhile."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import joblib
from joblib.parallel import ParallelBackendBase, get_active_backend
from threadpoolctl import ThreadpoolController

__all__ = ["blas_cap", "num_workers", "run_tasks", "shares_memory"]

T = TypeVar("T")


@lru_cache(maxsize=1)
def _controller(num_modules: int) -> ThreadpoolController:
    """The loaded BLAS libraries; scanning takes a millisecond, so it is done again only after further imports."""
    return ThreadpoolController()


@lru_cache(maxsize=1)
def _num_cores() -> int:
    return int(joblib.cpu_count(only_physical_cores=False))  # reads the container's limits from files


class _BlasCap:
    """One BLAS thread while our tiles run, or a training with its tiny linear algebra.

    The limit is a setting of the process. Overlapping limits of several threads would restore each other's value, so
    only the thread that comes first sets it, and the same thread takes it back; tiles of other threads that still run
    then may use more cores, which costs a little time and nothing else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            mine = not self._held
            self._held = True
        if not mine:
            yield
            return
        try:
            with _controller(len(sys.modules)).limit(limits=1, user_api="blas"):
                yield
        finally:
            with self._lock:
                self._held = False


blas_cap = _BlasCap()


_LOCAL_PROCESS_BACKENDS = frozenset({"LokyBackend", "MultiprocessingBackend"})
"""Backends of joblib on this machine; threads serve our tiles better, as nothing needs to be copied to them."""


def _backend() -> tuple[ParallelBackendBase, int | None]:
    """The backend that tiles run on, and the number of jobs the user configured, if any."""
    active, n_jobs = get_active_backend()
    if type(active).__name__ in _LOCAL_PROCESS_BACKENDS:
        active = get_active_backend(prefer="threads", require="sharedmem")[0]
    return active, n_jobs


def num_workers() -> int:
    """Threads to use here: what ``joblib.parallel_config(n_jobs=…)`` says, one inside a worker, else all cores."""
    active, n_jobs = _backend()
    if active.nesting_level or multiprocessing.parent_process() is not None:
        return 1
    if type(active).__name__ == "SequentialBackend":
        return 1
    return _num_cores() if n_jobs is None else int(joblib.effective_n_jobs(n_jobs))


def shares_memory() -> bool:
    """Whether tasks may write into arrays of the caller (threads), or must return their blocks."""
    return bool(getattr(_backend()[0], "supports_sharedmem", False))


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
        backend = _backend()[0]
        local = shares_memory()
        return_as = "generator" if backend.supports_return_generator else "list"
        with joblib.parallel_config("threading" if local else backend, n_jobs=workers):
            parallel = joblib.Parallel(batch_size=1, return_as=return_as)
        yield from parallel(joblib.delayed(function)(*task) for task in tasks)
