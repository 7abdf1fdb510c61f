"""Rows of a ledger as records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime

from qkernels._errors import InvalidParameterError
from qkernels_hardware.ledger._circuits import StoredCircuit
from qkernels_hardware.ledger._database import Database
from qkernels_hardware.ledger._records import BlockRecord, Event, SeriesRecord, Spending
from qkernels_hardware.work import BlockState, MeasuredCircuit

__all__ = [
    "block_records",
    "circuit_row",
    "event_records",
    "measured_circuits",
    "series_records",
    "spending",
    "unbilled_jobs",
]

_BLOCKS = """
SELECT blocks.id, circuits.series, circuits.name AS circuit, blocks.primitive, blocks.state, blocks.fingerprint,
    blocks.attempt, attempts.tag, attempts.job_id, attempts.session_id, blocks.shots, blocks.n_rows, blocks.n_entries,
    circuits.copies, circuits.num_qubits, circuits.n_observables, blocks.executions, blocks.estimate,
    CASE WHEN attempts.kept THEN attempts.usage END AS usage,
    (SELECT coalesce(sum(past.usage), 0.0) FROM attempts AS past WHERE past.block = blocks.id AND NOT past.kept)
        AS waste,
    attempts.calibration, attempts.reason, blocks.file, blocks.num_shots, blocks.released, blocks.created,
    attempts.intended, attempts.submitted, attempts.finished
FROM blocks JOIN circuits ON circuits.id = blocks.circuit
LEFT JOIN attempts ON attempts.block = blocks.id AND attempts.attempt = blocks.attempt
"""

_UNKNOWN = (
    "attempts.usage IS NULL AND (attempts.job_id <> '' OR attempts.attempt = blocks.attempt AND state = 'intent')"
)
"""Attempts that were or may have been submitted, given up or not, and whose bill is not known."""


def series_records(database: Database, key: str | None = None, number: int | None = None) -> list[SeriesRecord]:
    """List series, oldest first.

    Parameters
    ----------
    database : Database
    key : str or None
        Only the generations of this one.
    number : int or None
        Only this one.

    Returns
    -------
    list of SeriesRecord
    """
    rows = database.rows(
        "SELECT * FROM series WHERE (? IS NULL OR key = ?) AND (? IS NULL OR id = ?) ORDER BY id",
        *(key, key, number, number),
    )
    return [
        SeriesRecord(
            id=row["id"],
            key=row["key"],
            generation=row["generation"],
            program=row["program"],
            backend=row["backend"],
            instance=row["instance"],
            settings=json.loads(row["settings"]),
            calibration=row["calibration"],
            versions=json.loads(row["versions"]),
            created=datetime.fromisoformat(row["created"]),
        )
        for row in rows
    ]


def measured_circuits(database: Database, series: int) -> dict[str, MeasuredCircuit]:
    """Load the circuits of a series.

    Parameters
    ----------
    database : Database
    series : int

    Returns
    -------
    dict of str to MeasuredCircuit
        By name, in the order in which they were stored.

    Raises
    ------
    InvalidParameterError
        There is no such series.
    ExecutionError
        A circuit is newer than the installed Qiskit can read, or damaged.
    """
    found = database.rows("SELECT versions FROM series WHERE id = ?", series)
    if not found:
        raise InvalidParameterError(f"Ledger.circuits: series must be one of this ledger; got {series!r}.")
    written_by = json.loads(found[0]["versions"]).get("qiskit", "another version")
    rows = database.rows("SELECT * FROM circuits WHERE series = ? ORDER BY id", series)
    stored = [
        StoredCircuit(row["name"], row["copies"], row["num_qubits"], row["duration"], row["qpy"], row["observables"])
        for row in rows
    ]
    return {circuit.name: circuit.load(f"Ledger {database.path}", written_by) for circuit in stored}


def circuit_row(database: Database, series: int, name: str) -> sqlite3.Row:
    """Find a circuit by its name.

    Parameters
    ----------
    database : Database
    series : int
    name : str

    Returns
    -------
    sqlite3.Row
        With ``id``, ``copies`` and ``num_qubits``.

    Raises
    ------
    InvalidParameterError
        There is no such circuit in this series.
    """
    rows = database.rows("SELECT id, name, copies, num_qubits FROM circuits WHERE series = ?", series)
    for row in rows:
        if row["name"] == name:
            return row
    names = ", ".join(row["name"] for row in rows) or "there is none"
    raise InvalidParameterError(f"Ledger: circuit must be one of series {series!r} ({names}); got {name!r}.")


def block_records(
    database: Database,
    ids: Collection[int] | None = None,
    series: int | None = None,
    states: Collection[BlockState] | None = None,
) -> list[BlockRecord]:
    """List blocks, oldest first.

    Parameters
    ----------
    database : Database
    ids, series, states
        Only these.

    Returns
    -------
    list of BlockRecord

    Raises
    ------
    InvalidParameterError
        An id is not one of this ledger.
    """
    if ids is not None and len(ids) == 1:
        rows = database.rows(f"{_BLOCKS} WHERE blocks.id = ?", int(next(iter(ids))))
    else:
        rows = database.rows(f"{_BLOCKS} ORDER BY blocks.id")
    if ids is not None:
        wanted = {int(block) for block in ids}
        rows = [row for row in rows if row["id"] in wanted]
        if missing := sorted(wanted - {row["id"] for row in rows}):
            raise InvalidParameterError(f"Ledger: block must be one of this ledger; got {missing[0]}.")
    return [
        _block(row)
        for row in rows
        if (series is None or row["series"] == series) and (states is None or row["state"] in states)
    ]


def event_records(database: Database, block: int | None = None) -> list[Event]:
    """List the log, oldest first.

    Parameters
    ----------
    database : Database
    block : int or None
        Only of this one.

    Returns
    -------
    list of Event
    """
    rows = database.rows("SELECT * FROM events WHERE ? IS NULL OR block = ? ORDER BY id", block, block)
    return [Event(datetime.fromisoformat(row["time"]), row["block"], row["what"], row["detail"]) for row in rows]


def unbilled_jobs(database: Database) -> list[tuple[int, str]]:
    """List jobs that count no more, or have given their results, and whose bill is not known.

    Parameters
    ----------
    database : Database

    Returns
    -------
    list of (int, str)
        Block and job id.
    """
    rows = database.rows("""
        SELECT blocks.id, attempts.job_id FROM attempts JOIN blocks ON blocks.id = attempts.block
            WHERE attempts.job_id <> '' AND attempts.usage IS NULL AND (blocks.state = 'done' OR NOT attempts.kept)
        UNION ALL SELECT block, job_id FROM duplicates WHERE usage IS NULL ORDER BY 1, 2
    """)
    return [(row[0], row[1]) for row in rows]


def spending(database: Database) -> Spending:
    """Add up what the jobs cost.

    Parameters
    ----------
    database : Database

    Returns
    -------
    Spending
    """
    (row,) = database.rows(f"""
        SELECT (SELECT coalesce(sum(usage), 0.0) FROM attempts) + (SELECT coalesce(sum(usage), 0.0) FROM duplicates),
            (SELECT coalesce(sum(blocks.estimate), 0.0) FROM blocks
                JOIN attempts ON attempts.block = blocks.id WHERE {_UNKNOWN})
            + (SELECT coalesce(sum(blocks.estimate), 0.0) FROM blocks
                JOIN duplicates ON duplicates.block = blocks.id WHERE duplicates.usage IS NULL),
            (SELECT count(*) FROM attempts WHERE job_id <> '') + (SELECT count(*) FROM duplicates)
    """)
    return Spending(paid=row[0], open=row[1], jobs=row[2])


def _block(row: sqlite3.Row) -> BlockRecord:
    return BlockRecord(
        id=row["id"],
        series=row["series"],
        circuit=row["circuit"],
        primitive=row["primitive"],
        state=BlockState(row["state"]),
        fingerprint=row["fingerprint"],
        attempt=row["attempt"],
        tag=row["tag"] or "",
        job_id=row["job_id"] or "",
        session_id=row["session_id"] or "",
        shots=row["shots"],
        rows=row["n_rows"],
        entries=row["n_entries"],
        copies=row["copies"],
        num_qubits=row["num_qubits"],
        num_observables=row["n_observables"],
        executions=row["executions"],
        estimate=row["estimate"],
        usage=row["usage"],
        waste=row["waste"],
        calibration=row["calibration"] or "",
        reason=row["reason"] or "",
        file=row["file"],
        num_shots=row["num_shots"],
        released=bool(row["released"]),
        created=datetime.fromisoformat(row["created"]),
        intended=_time(row["intended"]),
        submitted=_time(row["submitted"]),
        finished=_time(row["finished"]),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
