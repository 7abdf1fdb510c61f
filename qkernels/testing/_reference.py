"""Reference files: a kernel matrix and its provenance as JSON that people can read and compare line by line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidDataError
from qkernels.testing._provenance import Json, Provenance

__all__ = ["KernelReference"]

_FORMAT = "qkernels kernel reference"
_SCHEMA = 1
"""Version of the layout below; counts up with every change that an older reader would misread."""

_FIELDS = ("format", "schema", "stored", "provenance", "shots", "values", "corrected")

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class KernelReference:
    """A training matrix, stored or fresh.

    Attributes
    ----------
    stored : str
        ISO date.
    provenance : dict
        As `describe` gives.
    values : ndarray of shape (n, n), float64
        Before corrections.
    shots : ndarray of shape (n, n), int64, or None
    corrected : ndarray of shape (n, n), float64, or None
        After corrections; None where there are none.
    """

    stored: str
    provenance: Provenance
    values: Values
    shots: Counts | None
    corrected: Values | None

    def write(self, path: Path) -> None:
        """Write the file in one step: a reader, in another process too, sees the old one or the new one.

        Parameters
        ----------
        path : Path
            Its folder is made where it is missing.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{uuid4().hex}.tmp")
        try:
            temporary.write_text(self._text(), encoding="utf-8", newline="\n")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path, *, ways_out: str) -> KernelReference:
        """Read a file.

        Parameters
        ----------
        path : Path
        ways_out : str
            What to do where the file cannot be used, for messages.

        Returns
        -------
        KernelReference

        Raises
        ------
        InvalidDataError
            The file is no reference, has another schema, or was changed after it was written.
        OSError
            The file cannot be read.
        """
        content = _parse(path, ways_out)
        provenance, stored = content["provenance"], content["stored"]
        try:
            values = _matrix(content["values"])
            shots = None if content["shots"] is None else _shots(content["shots"], len(values))
            corrected = None if content["corrected"] is None else _matrix(content["corrected"])
            if not isinstance(provenance, dict) or not isinstance(stored, str):
                raise ValueError("provenance or date")
            if any(other is not None and other.shape != values.shape for other in (shots, corrected)):
                raise ValueError("matrices of different shapes")
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise InvalidDataError(f"{path} does not hold a kernel matrix ({error}). {ways_out}") from error
        return cls(stored, provenance, values, shots, corrected)

    def same_content(self, other: KernelReference) -> bool:
        """Whether two references agree in all but the date.

        Parameters
        ----------
        other : KernelReference

        Returns
        -------
        bool
        """
        return {**self._content(), "stored": ""} == {**other._content(), "stored": ""}

    def _content(self) -> dict[str, Json]:
        return {
            "format": _FORMAT,
            "schema": _SCHEMA,
            "stored": self.stored,
            "provenance": self.provenance,
            "shots": None if self.shots is None else _plain_shots(self.shots),
            "values": _rows(self.values),
            "corrected": None if self.corrected is None else _rows(self.corrected),
        }

    def _text(self) -> str:
        content = self._content()
        lines = [f"{json.dumps(name)}: {_pretty(value)}" for name, value in content.items()]
        return "{\n" + ",\n".join([*lines, f'"sha256": "{_digest(content)}"']) + "\n}\n"


def _parse(path: Path, ways_out: str) -> dict[str, Json]:
    """The content of a file, with its format, schema and checksum verified."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:  # what is no UTF-8, too
        raise InvalidDataError(f"{path} is no kernel reference: it is no valid JSON ({error}). {ways_out}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InvalidDataError(
            f'{path} is no kernel reference: it lacks the line \'"format": "{_FORMAT}"\'. {ways_out}'
        )
    if content.get("schema") != _SCHEMA:
        raise InvalidDataError(
            f"{path} has schema {content.get('schema')!r}; this version of qkernels reads schema {_SCHEMA}. Use the "
            f"version of qkernels that wrote it, or: {ways_out}"
        )
    checksum = content.pop("sha256", None)
    if set(content) != set(_FIELDS) or checksum != _digest(content):
        raise InvalidDataError(
            f"{path} was changed after it was written: its content does not have the sha256 that it says. Restore it "
            f"from version control, or: {ways_out}"
        )
    return content


def _digest(content: Mapping[str, Json]) -> str:
    """sha256 of compact JSON with sorted keys: whitespace and order do not count, everything else does."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _pretty(value: Json, indent: str = "") -> str:
    """JSON with a line for every row of a matrix and for every plain value of a record."""
    if isinstance(value, list) and any(isinstance(row, list) for row in value):
        return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in value) + "\n]"
    if isinstance(value, dict) and any(isinstance(v, (dict, str)) for v in value.values()):
        inner = indent + "  "
        lines = [f"{inner}{json.dumps(name)}: {_pretty(v, inner)}" for name, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _rows(matrix: Values | Counts) -> list[Json]:
    """Rows as lists; of a symmetric matrix the lower triangle. Python writes floats so that they read back exactly."""
    symmetric = np.array_equal(matrix, matrix.T)
    return [row[: i + 1].tolist() if symmetric else row.tolist() for i, row in enumerate(matrix)]


def _matrix(rows: Json) -> Values:
    """Inverse of `_rows`."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise ValueError("no list of rows")
    arrays = [np.array(row, dtype=np.float64) for row in rows]
    n, lengths = len(arrays), [len(row) for row in arrays]
    if lengths == list(range(1, n + 1)):
        lower = np.zeros((n, n))
        for i, row in enumerate(arrays):
            lower[i, : i + 1] = row
        matrix = lower + np.tril(lower, -1).T
    elif lengths == [n] * n:
        matrix = np.array(arrays)
    else:
        raise ValueError(f"rows of {sorted(set(lengths))} entries")
    if not np.isfinite(matrix).all():
        raise ValueError("entries that are not finite")
    return matrix


def _plain_shots(shots: Counts) -> Json:
    """Two numbers where all pairs of different rows have the same shots, and all rows with themselves."""
    diagonal, others = np.diag(shots), shots[~np.eye(len(shots), dtype=bool)]
    if len(set(diagonal.tolist())) == 1 and len(set(others.tolist())) <= 1:
        return {"diagonal": int(diagonal[0]), "others": int(others[0]) if len(others) else int(diagonal[0])}
    return _rows(shots)


def _shots(plain: Json, n: int) -> Counts:
    """Inverse of `_plain_shots`."""
    if not isinstance(plain, dict):
        return _matrix(plain).astype(np.int64)
    shots = np.full((n, n), plain["others"], dtype=np.int64)
    np.fill_diagonal(shots, plain["diagonal"])
    return shots
