"""A series in use: what a program measures on a device, and what the ledger has of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines import PairBatch
from qkernels.programs import Program
from qkernels_hardware.routing import Recipe, check_executions, check_rzz_values
from qkernels_hardware.work import Draft, MeasuredCircuit, Primitive, Rates, Runs, rows_per_job

__all__ = ["Lane", "Wanted", "entry_keys", "overlap_keys", "series_key"]

Values = NDArray[np.float64]
Keys = NDArray[np.uint8]

_TILED_NAME = re.compile(r"qk_t(\d+)_angle\[(\d+)\]")


def series_key(program: Program, backend: str, settings: Mapping[str, object]) -> str:
    """Identity of everything that affects a result but data and shots, in hex.

    The logical program, never the transpiled circuit: two processes that route a circuit differently share results of
    the first route.
    """
    text = json.dumps({"program": program.key, "backend": backend, **settings}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def overlap_keys(pairs: PairBatch) -> Keys:
    """Content keys of pairs, shape (n_pairs, 16): the two rows, shots, direction and repetition."""
    names = [f"{int(shots)}|{pairs.stream}" for shots in pairs.shots]
    rows = zip(names, map(bytes, pairs.prepared_keys), map(bytes, pairs.undone_keys), strict=True)
    return _digests(name.encode() + b"|" + x + y for name, x, y in rows)


def entry_keys(rows: NDArray[np.uint64], shots: int) -> Keys:
    """Content keys of single rows, shape (n_rows, 16)."""
    return _digests(f"{shots}|".encode() + bytes(row) for row in rows)


def _digests(texts: Iterable[bytes]) -> Keys:
    found = b"".join(hashlib.blake2b(text, digest_size=16).digest() for text in texts)
    return np.frombuffer(found, dtype=np.uint8).reshape(-1, 16)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Entries that a request needs of one circuit.

    Attributes
    ----------
    circuit : str
    keys : ndarray of shape (n_entries, 16), uint8
    angles : ndarray of shape (n_entries, n_angles), float64
        Bound angles: of the prepared row and then of the undone one, for overlaps.
    shots : ndarray of shape (n_entries,), int64
    """

    circuit: str
    keys: Keys
    angles: Values
    shots: NDArray[np.int64]

    @classmethod
    def of_pairs(cls, circuit: str, pairs: PairBatch) -> Wanted:
        """Entries of a kernel matrix."""
        return cls(circuit, overlap_keys(pairs), np.hstack([pairs.prepared, pairs.undone]), pairs.shots)

    @staticmethod
    def joined(parts: Sequence[Wanted]) -> list[Wanted]:
        """All entries of one circuit together, each once: at most one element."""
        if not parts:
            return []
        columns = zip(*((one.keys, one.angles, one.shots) for one in parts), strict=True)
        keys, angles, shots = (np.concatenate(column) for column in columns)
        _, first = np.unique(keys, axis=0, return_index=True)
        return [Wanted(parts[0].circuit, keys, angles, shots).take(np.sort(first))]

    def take(self, where: NDArray[np.intp]) -> Wanted:
        """Some of the entries."""
        return Wanted(self.circuit, self.keys[where], self.angles[where], self.shots[where])


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """The circuits of a series with what makes values for them.

    Attributes
    ----------
    series : int
        In the ledger.
    circuits : mapping of str to MeasuredCircuit
    recipes : mapping of str to Recipe
    names : mapping of str to sequence of str
        Names of the parameters of one copy, in the order of the transpiled circuit.
    primitive : {"sampler", "estimator"}
    calibration : str
        When the circuits were transpiled.
    runs : mapping of str to Runs
        What the device runs for a row of each.
    """

    series: int
    circuits: Mapping[str, MeasuredCircuit]
    recipes: Mapping[str, Recipe] = field(repr=False)
    names: Mapping[str, Sequence[str]] = field(repr=False)
    primitive: Primitive
    calibration: str
    runs: Mapping[str, Runs]

    def drafts(self, wanted: Wanted, rates: Rates, block_executions: int, *, bounded: bool) -> list[Draft]:
        """Entries cut into blocks: all rows of a block have the same shots, and a block is one job.

        Parameters
        ----------
        wanted : Wanted
        rates : Rates
        block_executions : int
            Rows times shots that a block may have.
        bounded : bool
            Whether the device takes RZZ only for angles from 0 to π/2.

        Raises
        ------
        InvalidParameterError
            One row has more shots, or takes longer, than a job may.
        UnsupportedCircuitError
            An angle is one that the device's RZZ does not have.
        """
        blocks = []
        for shots in np.unique(wanted.shots):
            where = np.flatnonzero(wanted.shots == shots)
            measured, each = self.circuits[wanted.circuit], self.runs[wanted.circuit](int(shots))
            check_executions(1, each)
            size = rows_per_job(measured, each, block_executions, rates) * measured.copies
            order = where[np.argsort(_scrambled(wanted.keys[where]))] if measured.copies > 1 else where
            for start in range(0, len(order), size):
                blocks.append(self._draft(wanted.take(order[start : start + size]), int(shots), rates, bounded))
        return blocks

    def _draft(self, wanted: Wanted, shots: int, rates: Rates, bounded: bool) -> Draft:
        measured = self.circuits[wanted.circuit]
        values = self._values(wanted)
        if bounded:
            check_rzz_values(measured.circuit, values)
        executions = len(values) * self.runs[wanted.circuit](shots)
        estimate = rates.seconds(executions, measured.duration)
        return Draft(wanted.circuit, self.primitive, wanted.keys, values, shots, executions, estimate)

    def _values(self, wanted: Wanted) -> Values:
        """Values of the parameters of the measured circuit, shape (n_rows, n_parameters)."""
        measured, names = self.circuits[wanted.circuit], list(self.names[wanted.circuit])
        values = self.recipes[wanted.circuit].values(names, wanted.angles)
        columns = [parameter.name for parameter in measured.circuit.parameters]
        if measured.copies == 1:
            return np.ascontiguousarray(values[:, [names.index(name) for name in columns]])
        k = measured.copies
        missing = -len(values) % k  # copies of the last row measure it again
        padded = np.vstack([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values
        placed = padded.reshape(len(padded) // k, k, len(names))
        found = [_TILED_NAME.fullmatch(name) for name in columns]
        if any(one is None for one in found):
            raise InvalidParameterError("A stored tiled circuit has parameters of another version; refresh its layout.")
        where = [(int(one.group(1)), int(one.group(2))) for one in found if one is not None]
        return np.ascontiguousarray(placed[:, [t for t, _ in where], [j for _, j in where]])


def _scrambled(keys: Keys) -> NDArray[np.uint64]:
    """An order that has nothing to do with the rows: content keys are hashes already.

    Entries are spread over tiles in this order, so that no row or column of a matrix lies on one tile.
    """
    return np.ascontiguousarray(keys).view(np.uint64)[:, 0]
