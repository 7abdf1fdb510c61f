"""A durable ledger of measurements: what was planned, submitted and measured, so that nothing is lost or paid twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from types import TracebackType

from qkernels_hardware.ledger._database import Database
from qkernels_hardware.ledger._results import LedgerResults
from qkernels_hardware.ledger._series import LedgerSeries
from qkernels_hardware.ledger._steps import LedgerSteps

__all__ = ["Ledger"]


class Ledger(LedgerSeries, LedgerSteps, LedgerResults):
    """A ledger of measurements: one SQLite file with the whole state, and packed results in files beside it.

    Open it with `Ledger.open`, as a context manager or with `close` at the end. A ledger has one writer at a time and
    any number of readers. Every method that changes something changes it in one step that is on disk when the method
    returns; a process that is killed, or a disk that is full, leaves the step done or not begun.

    A block goes from PLANNED over INTENT and SUBMITTED to DONE, or to FAILED or CANCELLED and from there to INTENT
    again. An entry (a circuit of a series and a content key) belongs to one block: it is not measured twice.

    Parameters
    ----------
    database : Database
        From `open`, which makes ledgers.

    Attributes
    ----------
    path : Path
        Of the SQLite file.
    id : str
        32 hex digits, made once with the file; the first 8 are in every job tag.
    read_only : bool
    results : Path
        Folder of the result files: the name of the ledger and ``.results``. It moves with the ledger.

    Notes
    -----
    A step costs a few milliseconds (it waits for the disk); 10^5 entries are planned or looked up within a second or
    two. A result file holds about 0.25 to 1.2 bytes per execution.
    """

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        read_only: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> Ledger:
        """Open a ledger, or make one.

        Parameters
        ----------
        path : str or path
            Of the SQLite file; made where missing, with its folder, unless `read_only`.
        read_only : bool, default=False
            Read the SQLite file without a lock, also while another process writes, and without the folder of results.
        clock : callable, default=None
            The time with its time zone; None takes that of the computer.

        Returns
        -------
        Ledger

        Raises
        ------
        InvalidParameterError
            `read_only`, and there is no such file.
        ExecutionError
            Another process writes to it; it is damaged, of another version or no ledger; its folder cannot be written.
        """
        now = _utc_now if clock is None else lambda: clock().astimezone(UTC)
        database = Database(Path(path).expanduser().resolve(), read_only=read_only, now=now)
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close the file and let other writers in; a second call does nothing."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({str(self.path)!r}, id={self.id[:8]!r}{', read_only=True' if self.read_only else ''})"


def _utc_now() -> datetime:
    return datetime.now(UTC)
