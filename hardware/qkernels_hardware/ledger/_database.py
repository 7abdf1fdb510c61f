"""The SQLite file of a ledger: opening it, changing it in whole steps, and errors that say what that means."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4
from weakref import finalize

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.ledger._lock import lock_for_writing
from qkernels_hardware.ledger._schema import APPLICATION_ID, SCHEMA, VERSION

__all__ = ["Database", "stamp"]

_PATIENCE = 30.0
"""Seconds to wait for a reader to finish; readers need milliseconds."""

_SYNCHRONOUS = "EXTRA"
"""FULL, and more: with FULL, a power cut just after a commit may bring the journal back, which undoes the commit."""


def stamp(time: datetime) -> str:
    """Write a time.

    Parameters
    ----------
    time : datetime
        With a time zone.

    Returns
    -------
    str
        ISO 8601 in UTC.
    """
    return time.isoformat(timespec="microseconds")


class Database:
    """An open ledger file. Methods may be called from several threads of the process that opened it.

    Parameters
    ----------
    path : Path
    read_only : bool
        Then the file is only read, no lock is taken and nothing is made.
    now : callable
        The time, UTC.

    Raises
    ------
    InvalidParameterError
        There is no file to read.
    ExecutionError
        It cannot be opened, is no ledger, is damaged, has another version, or another writer has it.
    """

    def __init__(self, path: Path, *, read_only: bool, now: Callable[[], datetime]) -> None:
        self.path = path
        self.read_only = read_only
        self.now = now
        self._mutex = threading.RLock()
        self._process = os.getpid()
        self._give_back: Callable[[], None] = lambda: None
        if read_only:
            self._connection = _connect_to_read(path)
        else:
            self._make_folder()
            self._give_back = lock_for_writing(path, lambda: _writer(path))
            try:
                if not path.exists():
                    self._make()
                self._connection = _connect(path, "rwc")
            except BaseException:
                self._give_back()
                raise
        # Of weak references: a ledger that nobody closed gives its lock back when it is collected.
        self._finalizer = finalize(self, _finish, self._connection, self._give_back, self._process)
        try:
            self._prepare()
        except BaseException:
            self._finalizer()
            raise

    def close(self) -> None:
        """Close the file and give the lock back; a second call does nothing."""
        if not self._finalizer.alive:
            return
        if not self.read_only and os.getpid() == self._process:
            with suppress(ExecutionError), self.change("The ledger is complete.") as connection:
                connection.execute("DELETE FROM identity WHERE key = 'writer'")
        self._finalizer()

    def rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """Read.

        Parameters
        ----------
        query : str
        *parameters : object

        Returns
        -------
        list of sqlite3.Row
            Everything, so that no reader stays in the way of a writer.

        Raises
        ------
        ExecutionError
            The file cannot be read, or the ledger is closed.
        """
        with self._mutex, self._translated(""):
            return self._connection.execute(query, parameters).fetchall()

    def find(self, circuit: int, keys: Sequence[bytes], *, failed: bool = False) -> list[tuple[int, int, int]]:
        """Look up entries.

        Parameters
        ----------
        circuit : int
        keys : sequence of bytes
        failed : bool
            With those of blocks that failed or were cancelled.

        Returns
        -------
        list of (index, block, position)
            Of the keys that a block has.
        """
        ended = "()" if failed else "('failed', 'cancelled')"
        with self._mutex, self._translated(""):
            connection = self._connection
            connection.execute("BEGIN")
            try:  # in memory, and gone with the transaction: also for those who may only read
                connection.execute("CREATE TEMP TABLE wanted (position INTEGER PRIMARY KEY, key BLOB NOT NULL)")
                connection.executemany("INSERT INTO wanted VALUES (?, ?)", enumerate(keys))
                # CROSS JOIN keeps this order: a look-up by the primary key for every wanted entry.
                found = connection.execute(
                    "SELECT wanted.position, entries.block, entries.position FROM wanted "
                    "CROSS JOIN entries ON entries.circuit = ? AND entries.key = wanted.key "
                    f"CROSS JOIN blocks ON blocks.id = entries.block AND blocks.state NOT IN {ended}",
                    (circuit,),
                ).fetchall()
            finally:
                connection.execute("ROLLBACK")
        return [(row[0], row[1], row[2]) for row in found]

    def check_writable(self) -> None:
        """Check that the ledger was opened for writing.

        Raises
        ------
        ExecutionError
            It was opened to read.
        """
        if self.read_only:
            raise ExecutionError(
                f"Ledger {self.path} was opened to read only. Open it with Ledger.open(path) to change it."
            )

    @contextmanager
    def change(self, consequence: str) -> Iterator[sqlite3.Connection]:
        """Change the ledger in one step that happens as a whole, or not at all.

        Parameters
        ----------
        consequence : str
            What it means where it fails, for the message.

        Yields
        ------
        sqlite3.Connection

        Raises
        ------
        ExecutionError
            It was opened to read, is closed, or could not be written; the ledger is as it was.
        """
        self.check_writable()
        with self._mutex, self._translated(consequence):
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk ends the transaction by itself
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self, consequence: str) -> Iterator[None]:
        if not self._finalizer.alive:
            raise ExecutionError(f"Ledger {self.path} is closed. Open it again with Ledger.open(path).")
        if os.getpid() != self._process:
            raise ExecutionError(
                f"Ledger {self.path} was opened by process {self._process}; this is process {os.getpid()}. Open it "
                "where it is used."
            )
        try:
            yield
        except sqlite3.Error as error:
            raise _explained(self.path, error, consequence) from error

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExecutionError(
                f"Ledger {self.path} cannot be made: {error}. Nothing was sent. Choose a path in a folder that you "
                "can write to."
            ) from error

    def _make(self) -> None:
        """Make the file; it gets its name when it is complete: nobody finds, and nobody leaves, half of it."""
        unfinished = self.path.with_name(f"{self.path.name}.new")
        for rest in (unfinished, Path(f"{unfinished}-journal")):  # of somebody who died here
            rest.unlink(missing_ok=True)
        connection = _connect(unfinished, "rwc")
        try:
            connection.execute("BEGIN IMMEDIATE")
            _fill(connection, stamp(self.now()))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _explained(self.path, error, "Nothing was sent.") from error
        finally:
            connection.close()
        os.replace(unfinished, self.path)

    def _prepare(self) -> None:
        """Check that the file is a ledger of this version; make it where it is empty."""
        application, version, tables = (
            self.rows(query)[0][0]
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        empty = tables == 0 and application in (0, APPLICATION_ID)
        if (not empty and application != APPLICATION_ID) or (empty and self.read_only):
            raise ExecutionError(
                f"{self.path} is {'an empty file' if empty else 'an SQLite file of another program'}, not a ledger. "
                "Nothing was sent. Choose another path."
            )
        if not empty and version != VERSION:
            raise ExecutionError(
                f"Ledger {self.path} has version {version}; this version of qkernels reads version {VERSION}. Use the "
                "version of qkernels that wrote it, or choose another path for a new ledger."
            )
        if self.read_only:
            return
        with self.change("Nothing was sent.") as connection:
            if empty:
                _fill(connection, stamp(self.now()))
            writer = {"pid": os.getpid(), "host": socket.gethostname(), "since": stamp(self.now())}
            connection.execute("INSERT OR REPLACE INTO identity VALUES ('writer', ?)", (json.dumps(writer),))


def _fill(connection: sqlite3.Connection, now: str) -> None:
    """Make an empty file a ledger, in the transaction of the caller."""
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("INSERT INTO identity VALUES ('id', ?)", (uuid4().hex,))
    connection.execute("INSERT INTO identity VALUES ('created', ?)", (now,))


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA foreign_keys = ON")
            if mode != "ro":
                connection.execute("PRAGMA journal_mode = DELETE")  # one file is the whole truth
                connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS}")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _explained(path, error, "Nothing was sent.") from error
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise InvalidParameterError(
            f"Ledger.open: path must be the file of a ledger; got {str(path)!r}, which does not exist or is not a file."
        )
    try:
        return _connect(path, "ro")
    except ExecutionError as error:
        if not Path(f"{path}-journal").exists():
            raise
        # A writer died in the middle of a step: SQLite takes it back as soon as somebody may write.
        try:
            _connect(path, "rw").close()
        except ExecutionError:
            raise ExecutionError(
                f"Ledger {path} was left in the middle of a step and must be opened once where it can be written "
                f"(Ledger.open(path), or qkernels resume). Nothing is lost. ({error})"
            ) from error
        return _connect(path, "ro")


def _writer(path: Path) -> str:
    """Who writes to a ledger now; "" where that is not known."""
    with suppress(Exception):
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            (text,) = connection.execute("SELECT value FROM identity WHERE key = 'writer'").fetchone()
        finally:
            connection.close()
        writer = json.loads(text)
        return f"process {writer['pid']} on {writer['host']}, since {writer['since']}"
    return ""


def _finish(connection: sqlite3.Connection, give_back: Callable[[], None], process: int) -> None:
    # After a fork both belong to the parent: giving the lock back here would take it from there.
    if os.getpid() == process:
        connection.close()
        give_back()


def _explained(path: Path, error: sqlite3.Error, consequence: str) -> ExecutionError:
    text = str(error)
    if "full" in text:
        advice = "The disk is full: make room and start again; the ledger goes on where it is."
    elif "readonly" in text or "unable to open" in text:
        advice = "The file or its folder cannot be written: choose another path, or change the permissions."
    elif "malformed" in text or "not a database" in text:
        advice = "The file is damaged or is no ledger: go back to a copy of it, or choose another path."
    elif "locked" in text:
        advice = f"Another program kept it for more than {_PATIENCE:.0f} s: close that one and start again."
    else:
        advice = "The ledger is as it was before this step."
    return ExecutionError(f"Ledger {path}: {text}. {consequence}{' ' if consequence else ''}{advice}")
