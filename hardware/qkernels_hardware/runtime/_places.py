"""Where ledgers lie, and who may write them now."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from threading import Lock

from qkernels._errors import ExecutionError
from qkernels_hardware.ledger import Ledger

__all__ = ["id_of", "in_this_process", "open_ledger", "own_ledger", "private_ledger"]

_WORKER_WAIT = 0.2
"""Seconds between two looks of a worker process at a ledger that a sibling has open."""

_IN_THIS_PROCESS: defaultdict[Path, Lock] = defaultdict(Lock)
"""Threads of one process wait for each other; the lock on disk is between processes."""


def in_this_process(path: Path) -> Lock:
    """What one thread at a time holds that works with a ledger."""
    return _IN_THIS_PROCESS[path.resolve()]


def open_ledger(path: Path) -> Ledger:
    """A ledger for writing; a worker process waits while a sibling has it.

    Raises
    ------
    ExecutionError
        Another process has it, or it cannot be written.
    """
    is_worker = multiprocessing.parent_process() is not None
    while True:
        try:
            return Ledger.open(path)
        except ExecutionError as error:
            if not is_worker or "one writer" not in str(error):
                raise
        time.sleep(_WORKER_WAIT)


def id_of(path: Path) -> str:
    """Which ledger lies there; it is made where there is none.

    Raises
    ------
    ExecutionError
        As in `open_ledger`.
    """
    if not path.exists():
        with in_this_process(path), open_ledger(path) as made:
            return made.id
    with Ledger.open(path, read_only=True) as found:
        return found.id


@lru_cache(maxsize=1)
def own_ledger() -> Path:
    """Where the ledger lies that ends with this process: in a folder that is removed then.

    One for all engines that have no other, so that the same entry has one value in all of them.
    """
    return private_ledger()


def private_ledger() -> Path:
    """A ledger of its own in such a folder."""
    folder = Path(tempfile.mkdtemp(prefix="qkernels-"))
    atexit.register(_remove, folder, os.getpid())
    return folder / "ledger.sqlite"


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked process inherits what is registered
        shutil.rmtree(folder, ignore_errors=True)
