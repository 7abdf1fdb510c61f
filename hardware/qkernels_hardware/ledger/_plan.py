"""Drafts become blocks: checked, fingerprinted, and their entries claimed."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.ledger._database import Database, stamp
from qkernels_hardware.ledger._queries import circuit_row
from qkernels_hardware.ledger._records import SeriesRecord
from qkernels_hardware.work import Draft

__all__ = ["add_block", "key_bytes", "load_angles"]

_KEY_BYTES = 16


def key_bytes(keys: NDArray[np.uint8]) -> list[bytes]:
    """Turn rows of content keys into bytes.

    Parameters
    ----------
    keys : ndarray of shape (n, 16), uint8

    Returns
    -------
    list of bytes

    Raises
    ------
    InvalidParameterError
        They have another shape or type.
    """
    if keys.dtype != np.uint8 or keys.ndim != 2 or keys.shape[1] != _KEY_BYTES:
        raise InvalidParameterError(
            f"Ledger: keys must have shape (n, {_KEY_BYTES}) and type uint8; got {keys.shape}, {keys.dtype}."
        )
    joined = keys.tobytes()
    return [joined[start : start + _KEY_BYTES] for start in range(0, len(joined), _KEY_BYTES)]


def add_block(database: Database, connection: sqlite3.Connection, series: SeriesRecord, draft: Draft) -> int:
    """Store a draft as a planned block, in the transaction of the caller.

    Parameters
    ----------
    database : Database
    connection : sqlite3.Connection
    series : SeriesRecord
    draft : Draft

    Returns
    -------
    int
        Number of the block.

    Raises
    ------
    InvalidParameterError
        The draft does not fit together, or names an entry twice.
    ExecutionError
        Another block has one of its entries.
    """
    circuit = circuit_row(database, series.id, draft.circuit)
    keys = key_bytes(draft.keys)
    _check(draft, circuit["copies"])
    values = np.ascontiguousarray(draft.values, dtype="<f8").tobytes()
    cursor = connection.execute(
        "INSERT INTO blocks (circuit, primitive, state, fingerprint, shots, n_rows, n_entries, executions, estimate, "
        "created) VALUES (?, ?, 'planned', ?, ?, ?, ?, ?, ?, ?)",
        (
            circuit["id"],
            draft.primitive,
            _fingerprint(series, draft, values),
            int(draft.shots),
            len(draft.values),
            len(keys),
            int(draft.executions),
            float(draft.estimate),
            stamp(database.now()),
        ),
    )
    block = int(cursor.lastrowid or 0)
    connection.execute(
        "INSERT INTO angles VALUES (?, ?, ?, ?)",
        (block, draft.values.shape[1], zlib.compress(values, 1), hashlib.sha256(values).hexdigest()),
    )
    claims = ((circuit["id"], key, block, position) for position, key in enumerate(keys))
    try:
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", claims)
    except sqlite3.IntegrityError as error:
        raise _claimed(database, circuit["id"], keys, block) from error
    return block


def load_angles(database: Database, block: int) -> NDArray[np.float64]:
    """Load the angles of a block.

    Parameters
    ----------
    database : Database
    block : int

    Returns
    -------
    ndarray of shape (n_rows, n_parameters), float64

    Raises
    ------
    InvalidParameterError
        There is no such block.
    ExecutionError
        They are not what was stored.
    """
    rows = database.rows("SELECT * FROM angles JOIN blocks ON blocks.id = block WHERE block = ?", int(block))
    if not rows:
        raise InvalidParameterError(f"Ledger: block must be one of this ledger; got {block!r}.")
    (row,) = rows
    try:
        content = zlib.decompress(row["data"])
    except zlib.error:
        content = b""
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise ExecutionError(
            f"Ledger {database.path}: the angles of block {block} are not what was stored; the file is damaged. Go "
            "back to a copy of it. Nothing was sent."
        )
    values = np.frombuffer(content, dtype="<f8").reshape(row["n_rows"], row["n_columns"])
    return values.astype(np.float64)


def _check(draft: Draft, copies: int) -> None:
    values = draft.values
    if values.ndim != 2 or values.dtype != np.float64 or not np.isfinite(values).all():
        raise InvalidParameterError(
            "Ledger.plan: values must be finite numbers of shape (n_rows, n_parameters) and type float64; got "
            f"{values.shape}, {values.dtype}."
        )
    if len(draft.keys) == 0 or len(values) != ceil(len(draft.keys) / copies):
        raise InvalidParameterError(
            f"Ledger.plan: values must have a row for every {copies} of the keys; got {len(values)} rows for "
            f"{len(draft.keys)} keys."
        )
    if draft.shots < 1 or draft.executions < 0 or not draft.estimate >= 0.0:
        raise InvalidParameterError(
            "Ledger.plan: shots must be at least 1, executions and estimate at least 0; got "
            f"{draft.shots}, {draft.executions}, {draft.estimate}."
        )


def _fingerprint(series: SeriesRecord, draft: Draft, values: bytes) -> str:
    """Hash what is measured, not where it is noted: in another ledger, the same block is the same.

    A series may say in its settings what the content of each circuit is; else its key is that of all of them.
    """
    contents = series.settings.get("content")
    content = contents[draft.circuit] if isinstance(contents, Mapping) else series.key
    head = f"{content}\n{draft.circuit}\n{draft.primitive}\n{draft.shots}\n{draft.keys.shape}\n{draft.values.shape}\n"
    return hashlib.sha256(head.encode() + draft.keys.tobytes() + values).hexdigest()


def _claimed(database: Database, circuit: int, keys: list[bytes], block: int) -> Exception:
    """Why an entry could not be claimed; inside the transaction that failed."""
    if len(set(keys)) < len(keys):
        return InvalidParameterError(
            f"Ledger.plan: keys must be different from each other; {len(keys) - len(set(keys))} of {len(keys)} occur "
            "again. Measure an entry once."
        )
    for key in keys:
        rows = database.rows(
            "SELECT blocks.id, state FROM entries JOIN blocks ON blocks.id = block "
            "WHERE entries.circuit = ? AND key = ? AND block <> ?",
            circuit,
            key,
            block,
        )
        if rows:
            return ExecutionError(
                f"Ledger {database.path}: an entry of this draft belongs to block {rows[0]['id']}, which is "
                f"{rows[0]['state']!r}; it would be measured twice. Read it from there, try that block again, or give "
                f"its entries back with release({rows[0]['id']})."
            )
    return ExecutionError(f"Ledger {database.path}: an entry of this draft could not be claimed.")
