"""Finished matrices shared between the worker processes of one parent.

``GridSearchCV(n_jobs=2)`` runs its fits in worker processes, each with a cache of its own, and would evaluate every
matrix once per worker. Workers therefore also look into a private directory of their parent process for matrices that
a sibling has finished. The main process never reads or writes it, and removes it when it exits.

A worker that asks for a matrix which a sibling is evaluating waits for it (a file lock per matrix, which the system
releases when its holder dies).
"""

from __future__ import annotations

import atexit
import hashlib
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._cache import CACHE

__all__ = ["share"]


def _directory(owner_pid: int) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "user"
    name = f"qkernels-{version('qkernels')}-{user}-{owner_pid}-{_start_time(owner_pid)}"
    return Path(tempfile.gettempdir()) / name


def _start_time(pid: int) -> str:
    """When a process started, so that a process id used again is not taken for the old one; "0" where unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def _worker_directory() -> Path | None:
    """The parent's directory, made on first use and readable by this user only; None in a main process."""
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return None
    directory = _directory(parent.pid)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        owned = not hasattr(os, "getuid") or directory.stat().st_uid == os.getuid()
    except OSError:
        return None
    return directory if owned and not directory.is_symlink() else None


def share(key: str, compute: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
    """The matrix under this key from a sibling worker, or computed and left for the siblings."""
    directory = _worker_directory() if CACHE.max_bytes else None
    if directory is None:
        return compute()
    path = directory / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"
    with ExitStack() as held:
        # Where files cannot be locked, siblings may evaluate one matrix at the same time; whichever is last wins.
        with suppress(OSError, NotImplementedError):
            held.enter_context(_lock(path))
        found = _load(path)
        if found is None:
            found = compute()
            _leave(directory, path, found)
        return found


def _lock(path: Path) -> AbstractContextManager[object]:
    from filelock import FileLock  # 20 ms that no main process needs

    return FileLock(path.with_suffix(".lock"), poll_interval=0.01)


def _load(path: Path) -> NDArray[np.float64] | None:
    """A sibling's matrix; None where there is none or it cannot be read."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError):
        return None


def _leave(directory: Path, path: Path, values: NDArray[np.float64]) -> None:
    """Write the matrix for the siblings, within the bound of the cache."""
    try:
        used = sum(f.stat().st_size for f in directory.glob("*.npy"))
        if used + values.nbytes <= CACHE.max_bytes:
            with tempfile.NamedTemporaryFile(dir=directory, suffix=".part", delete=False) as file:
                np.save(file, values)
            os.replace(file.name, path)  # atomic: a sibling sees the whole file or none
    except OSError:  # disk full or directory gone: sharing is only an optimisation
        pass


def _remove_own() -> None:
    if multiprocessing.parent_process() is None:
        shutil.rmtree(_directory(os.getpid()), ignore_errors=True)


atexit.register(_remove_own)
