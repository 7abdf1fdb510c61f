"""One writer per ledger: a lock of the operating system, gone with the process that holds it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from qkernels._errors import ExecutionError

__all__ = ["lock_for_writing"]


def lock_for_writing(path: Path, holder: Callable[[], str]) -> Callable[[], None]:
    """Take the lock of a ledger, without waiting.

    Parameters
    ----------
    path : Path
        Of the ledger; the lock is the file beside it that ends in ``.lock``.
    holder : callable
        Says who has it, for the message; "" where that is not known.

    Returns
    -------
    callable
        Gives the lock back.

    Raises
    ------
    ExecutionError
        Another writer has it, the folder cannot be written to, or the file system has no locks.
    """
    # Not local to a thread: the thread that closes a ledger may be another than the one that opened it.
    lock = FileLock(f"{path}.lock", thread_local=False)
    try:
        with warnings.catch_warnings():
            # filelock 3.21 and later falls back to a marker file with a warning; a killed writer would leave it behind.
            warnings.filterwarnings("error", message="flock not supported")
            lock.acquire(blocking=False)
    except Timeout:
        who = holder()
        raise ExecutionError(
            f"Ledger {path} is open for writing in another place{f' ({who})' if who else ''}; a ledger has one writer "
            "at a time. Nothing was sent. Wait until that one ends, or end it; reading (status) is possible meanwhile."
        ) from None
    except (NotImplementedError, UserWarning) as error:
        raise ExecutionError(
            f"Ledger {path}: its file system has no file locks ({error}), so two processes could submit the same "
            "work. Nothing was sent. Put the ledger on a local disk."
        ) from error
    except OSError as error:
        raise ExecutionError(
            f"Ledger {path} cannot be written: {error}. Nothing was sent. Choose a path in a folder that you can "
            "write to."
        ) from error
    return lock.release
