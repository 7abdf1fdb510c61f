"""What every part of a ledger builds on: the open file, its blocks and log, and one step of one block."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from qkernels._errors import ExecutionError
from qkernels_hardware.ledger._database import Database, stamp
from qkernels_hardware.ledger._queries import block_records, event_records, spending, unbilled_jobs
from qkernels_hardware.ledger._records import BlockRecord, Event, Spending
from qkernels_hardware.ledger._secrets import refuse_secrets
from qkernels_hardware.ledger._summary import LedgerSummary, summarise
from qkernels_hardware.work import BlockState

__all__ = ["LedgerBase"]


class LedgerBase:
    """An open ledger: its blocks, log, notes and costs.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path
        self.read_only = database.read_only
        self.results = self.path.with_name(f"{self.path.name}.results")
        self.id: str = database.rows("SELECT value FROM identity WHERE key = 'id'")[0][0]

    def blocks(
        self,
        ids: Collection[int] | None = None,
        *,
        series: int | None = None,
        states: Collection[BlockState] | None = None,
    ) -> list[BlockRecord]:
        """List blocks, oldest first.

        Parameters
        ----------
        ids : collection of int, default=None
        series : int, default=None
        states : collection of BlockState, default=None
            Only these; None takes all.

        Returns
        -------
        list of BlockRecord

        Raises
        ------
        InvalidParameterError
            An id is not one of this ledger.
        """
        return block_records(self._database, ids, series, states)

    def events(self, block: int | None = None) -> list[Event]:
        """List the log, oldest first.

        Parameters
        ----------
        block : int, default=None
            Only of this one.

        Returns
        -------
        list of Event
        """
        return event_records(self._database, block)

    def note(self, key: str, value: str | None) -> None:
        """Store a short text under a key.

        Parameters
        ----------
        key : str
        value : str or None
            None removes it.

        Raises
        ------
        InvalidParameterError
            It looks like a token.
        ExecutionError
            The ledger cannot be written.
        """
        refuse_secrets({key: value}, "Ledger.note", "note")
        with self._database.change(f"The note {key!r} was not stored.") as connection:
            if value is None:
                connection.execute("DELETE FROM notes WHERE key = ?", (key,))
            else:
                connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    def notes(self) -> dict[str, str]:
        """Get all notes.

        Returns
        -------
        dict of str to str
        """
        return {row["key"]: row["value"] for row in self._database.rows("SELECT * FROM notes ORDER BY key")}

    def unbilled(self) -> list[tuple[int, str]]:
        """List jobs that count no more, or have given their results, and whose bill is not known.

        Returns
        -------
        list of (int, str)
            Block and job id.
        """
        return unbilled_jobs(self._database)

    def spent(self) -> Spending:
        """Add up what all jobs cost.

        Returns
        -------
        Spending
        """
        return spending(self._database)

    def summary(self) -> LedgerSummary:
        """Say where everything stands, from the SQLite file alone.

        Returns
        -------
        LedgerSummary
            ``str()`` of it is a table.
        """
        return summarise(self._database, self.id)

    def _now(self) -> str:
        return stamp(self._database.now())

    def _block(self, block: int) -> BlockRecord:
        return self.blocks([block])[0]

    def _log(self, connection: sqlite3.Connection, block: int, what: str, detail: str) -> None:
        connection.execute(
            "INSERT INTO events (time, block, what, detail) VALUES (?, ?, ?, ?)",
            (self._now(), block, str(what), detail),
        )

    def _check_state(self, record: BlockRecord, target: str, allowed: Sequence[BlockState]) -> None:
        if record.state not in allowed:
            names = ", ".join(repr(state.value) for state in allowed)
            raise ExecutionError(
                f"Ledger {self.path}: block {record.id} is {record.state.value!r} and cannot become {str(target)!r}; "
                f"it must be one of {names}."
            )

    @contextmanager
    def _step(
        self, block: int, target: str, allowed: Sequence[BlockState], consequence: str
    ) -> Iterator[tuple[sqlite3.Connection, BlockRecord]]:
        """Change one block in one transaction, from a state that allows it."""
        with self._database.change(consequence) as connection:
            record = self._block(block)
            self._check_state(record, target, allowed)
            yield connection, record
