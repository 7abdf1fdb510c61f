"""The part of a ledger that knows what is to be measured: series, their circuits, and who measures which entry."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray
from qiskit import qpy

from qkernels._errors import InvalidParameterError
from qkernels_hardware.ledger._base import LedgerBase
from qkernels_hardware.ledger._circuits import StoredCircuit
from qkernels_hardware.ledger._plan import add_block, key_bytes, load_angles
from qkernels_hardware.ledger._queries import circuit_row, measured_circuits, series_records
from qkernels_hardware.ledger._records import SeriesRecord
from qkernels_hardware.ledger._secrets import refuse_secrets
from qkernels_hardware.work import BlockState, Draft, MeasuredCircuit

__all__ = ["LedgerSeries"]


class LedgerSeries(LedgerBase):
    """Series, circuits, entries and plans of a ledger."""

    def series(self, key: str) -> SeriesRecord | None:
        """Find the newest generation of a series.

        Parameters
        ----------
        key : str
            Content key of everything that affects a result.

        Returns
        -------
        SeriesRecord or None
        """
        found = series_records(self._database, key)
        return found[-1] if found else None

    def series_by_id(self, series: int) -> SeriesRecord:
        """Find a series by its number.

        Parameters
        ----------
        series : int

        Returns
        -------
        SeriesRecord

        Raises
        ------
        InvalidParameterError
            There is no such series.
        """
        found = series_records(self._database, number=series)
        if not found:
            raise InvalidParameterError(f"Ledger: series must be one of this ledger; got {series!r}.")
        return found[0]

    def all_series(self) -> list[SeriesRecord]:
        """List all series, oldest first.

        Returns
        -------
        list of SeriesRecord
        """
        return series_records(self._database)

    def add_series(
        self,
        key: str,
        *,
        program: str,
        backend: str,
        instance: str,
        settings: Mapping[str, object],
        circuits: Sequence[MeasuredCircuit | StoredCircuit],
        calibration: str,
    ) -> SeriesRecord:
        """Begin a series, or the next generation of one.

        Parameters
        ----------
        key : str
            Content key of everything that affects a result.
        program : str
            Content key of the program.
        backend, instance : str
        settings : mapping
            Nested plain data. Written to disk: no tokens. Blocks are fingerprinted by what "content", a mapping by the
            names of circuits, says of theirs; where it is missing, by `key`.
        circuits : sequence of MeasuredCircuit or StoredCircuit
        calibration : str
            Of the device, ISO 8601; "" where there is none.

        Returns
        -------
        SeriesRecord

        Raises
        ------
        InvalidParameterError
            `settings` holds something like a token, or is no plain data; two circuits have one name.
        ExecutionError
            The ledger cannot be written.
        """
        packed = [circuit if isinstance(circuit, StoredCircuit) else StoredCircuit.of(circuit) for circuit in circuits]
        names = [circuit.name for circuit in packed]
        if len(set(names)) < len(names):
            raise InvalidParameterError(f"Ledger.add_series: circuits must have different names; got {names}.")
        text = _settings_text(settings)
        refuse_secrets([program, backend, instance, calibration], "Ledger.add_series", "program, backend or instance")
        with self._database.change("Nothing was sent.") as connection:
            previous = self.series(key)
            generation = 1 if previous is None else previous.generation + 1
            cursor = connection.execute(
                "INSERT INTO series (key, generation, program, backend, instance, settings, calibration, versions, "
                "created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(key, generation, program, backend, instance),
                    *(text, calibration, json.dumps(_versions()), self._now()),
                ),
            )
            connection.executemany(
                "INSERT INTO circuits (series, name, copies, num_qubits, duration, n_observables, observables, qpy) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        cursor.lastrowid,
                        c.name,
                        c.copies,
                        c.num_qubits,
                        c.duration,
                        c.num_observables,
                        c.observables,
                        c.qpy,
                    )
                    for c in packed
                ],
            )
        return series_records(self._database, key)[-1]

    def circuits(self, series: int) -> dict[str, MeasuredCircuit]:
        """Load the circuits of a series, as they were transpiled for its first block.

        Parameters
        ----------
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
            A circuit is newer than the installed Qiskit can read (the message names both versions), or damaged.
        """
        return measured_circuits(self._database, int(series))

    def find(
        self, series: int, circuit: str, keys: NDArray[np.uint8], *, failed: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Look up which blocks measure entries.

        Parameters
        ----------
        series : int
        circuit : str
        keys : ndarray of shape (n, 16), uint8
        failed : bool, default=False
            Also in blocks that failed or were cancelled.

        Returns
        -------
        blocks, positions : ndarray of shape (n,), int64
            Block and position in the block; -1 where there is none, or, unless `failed`, only one that failed or was
            cancelled.

        Raises
        ------
        InvalidParameterError
            There is no such circuit, or `keys` have another shape.
        """
        number = circuit_row(self._database, int(series), circuit)["id"]
        blocks, positions = np.full((2, len(keys)), -1, dtype=np.int64)
        found = np.array(self._database.find(number, key_bytes(keys), failed=failed), dtype=np.int64).reshape(-1, 3)
        blocks[found[:, 0]] = found[:, 1]
        positions[found[:, 0]] = found[:, 2]
        return blocks, positions

    def plan(self, series: int, draft: Draft) -> int:
        """Store a draft as a block and claim its entries.

        Parameters
        ----------
        series : int
        draft : Draft

        Returns
        -------
        int
            Number of the block; never used again in this ledger.

        Raises
        ------
        InvalidParameterError, ExecutionError
            As `plan_all`.
        """
        return self.plan_all(series, [draft])[0]

    def plan_all(self, series: int, drafts: Sequence[Draft]) -> list[int]:
        """Store drafts as blocks and claim their entries: all of them, or none.

        Parameters
        ----------
        series : int
        drafts : sequence of Draft

        Returns
        -------
        list of int

        Raises
        ------
        InvalidParameterError
            There is no such series; a draft does not fit together or names an entry twice.
        ExecutionError
            Another block has one of the entries (also one that failed: try it again or `release` it), or the ledger
            cannot be written.
        """
        record, blocks = self.series_by_id(series), []
        with self._database.change("Nothing was sent.") as connection:
            for draft in drafts:
                block = add_block(self._database, connection, record, draft)
                self._log(connection, block, BlockState.PLANNED, f"{len(draft.keys)} entries")
                blocks.append(block)
        return blocks

    def values(self, block: int) -> NDArray[np.float64]:
        """Load the angles of a block.

        Parameters
        ----------
        block : int

        Returns
        -------
        ndarray of shape (n_rows, n_parameters), float64
            Bit for bit those of the draft. Radians.

        Raises
        ------
        InvalidParameterError
            There is no such block.
        ExecutionError
            They are not what was stored.
        """
        return load_angles(self._database, block)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "qpy": str(qpy.QPY_VERSION)}
    for package in ("qkernels", "qiskit", "qiskit-ibm-runtime"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _settings_text(settings: Mapping[str, object]) -> str:
    refuse_secrets(settings, "Ledger.add_series")
    try:
        return json.dumps(dict(settings), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            "Ledger.add_series: settings must be plain data (texts, finite numbers, booleans, None, lists, mappings); "
            f"got something else ({error})."
        ) from error
