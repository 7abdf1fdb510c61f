"""The tables of a ledger, and what they are for."""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "SCHEMA", "VERSION"]

VERSION = 1
"""Counts up with every change that an older reader would misread."""

APPLICATION_ID = 0x514B4C47
"""Marks the file as a ledger of ours ("QKLG")."""

SCHEMA = (
    # Who this ledger is, and who writes to it now.
    "CREATE TABLE identity (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        program TEXT NOT NULL,
        backend TEXT NOT NULL,
        instance TEXT NOT NULL,
        settings TEXT NOT NULL,
        calibration TEXT NOT NULL,
        versions TEXT NOT NULL,
        created TEXT NOT NULL,
        UNIQUE (key, generation)
    )""",
    """CREATE TABLE circuits (
        id INTEGER PRIMARY KEY,
        series INTEGER NOT NULL REFERENCES series (id),
        name TEXT NOT NULL,
        copies INTEGER NOT NULL,
        num_qubits INTEGER NOT NULL,
        duration REAL NOT NULL,
        n_observables INTEGER NOT NULL,
        observables TEXT NOT NULL,
        qpy BLOB NOT NULL,
        UNIQUE (series, name)
    )""",
    # AUTOINCREMENT: a number is never used again, it is part of tags and of file names.
    """CREATE TABLE blocks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        circuit INTEGER NOT NULL REFERENCES circuits (id),
        primitive TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('planned', 'intent', 'submitted', 'done', 'failed', 'cancelled')),
        attempt INTEGER NOT NULL DEFAULT 0,
        fingerprint TEXT NOT NULL,
        shots INTEGER NOT NULL,
        n_rows INTEGER NOT NULL,
        n_entries INTEGER NOT NULL,
        executions INTEGER NOT NULL,
        estimate REAL NOT NULL,
        released INTEGER NOT NULL DEFAULT 0,
        file TEXT NOT NULL DEFAULT '',
        size INTEGER,
        sha256 TEXT NOT NULL DEFAULT '',
        num_shots INTEGER,
        created TEXT NOT NULL
    )""",
    # Apart from the blocks: a listing of blocks does not read them.
    """CREATE TABLE angles (
        block INTEGER PRIMARY KEY REFERENCES blocks (id),
        n_columns INTEGER NOT NULL,
        data BLOB NOT NULL,
        sha256 TEXT NOT NULL
    )""",
    # The primary key is what makes an entry measured once.
    """CREATE TABLE entries (
        circuit INTEGER NOT NULL REFERENCES circuits (id),
        key BLOB NOT NULL,
        block INTEGER NOT NULL REFERENCES blocks (id),
        position INTEGER NOT NULL,
        PRIMARY KEY (circuit, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX entries_of_block ON entries (block)",
    # kept: whether the attempt still counts; the usage of the others is waste.
    """CREATE TABLE attempts (
        block INTEGER NOT NULL REFERENCES blocks (id),
        attempt INTEGER NOT NULL,
        tag TEXT NOT NULL UNIQUE,
        kept INTEGER NOT NULL DEFAULT 1,
        job_id TEXT NOT NULL DEFAULT '',
        session_id TEXT NOT NULL DEFAULT '',
        usage REAL,
        calibration TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        intended TEXT NOT NULL,
        submitted TEXT,
        finished TEXT,
        PRIMARY KEY (block, attempt)
    )""",
    """CREATE TABLE duplicates (
        job_id TEXT PRIMARY KEY,
        block INTEGER NOT NULL REFERENCES blocks (id),
        usage REAL,
        time TEXT NOT NULL
    )""",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        block INTEGER,
        what TEXT NOT NULL,
        detail TEXT NOT NULL
    )""",
)
