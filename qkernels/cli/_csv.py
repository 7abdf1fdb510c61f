"""CSV files: read strictly, and say in one line what to do about a bad one."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidDataError, InvalidParameterError

MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "nil", "none", "null"})
# "-" against "+" and "none" against "mild" are classes.
MISSING_LABELS = MISSING - {"-", "nil", "none"}

# More different numbers than this in a target are measurements, not classes.
MAX_NUMERIC_CLASSES = 20
MAX_FRACTIONAL_CLASSES = 10
# More labels than a third of the rows: names or measurements. Cross-validation needs rows to repeat a class.
MIN_ROWS_PER_CLASS = 3

_DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+")
"""1,5 or 1.234,5: a number of many European spreadsheets."""


@dataclass(slots=True)
class _Column:
    """A feature column and the cells that are not numbers in it."""

    name: str
    missing: int = 0
    text: int = 0
    first_line: int = 0
    example: str = ""
    infinite: int = 0


@dataclass(slots=True)
class _Reading:
    """What a pass over the file has collected."""

    columns: list[_Column]
    values: array[float] = field(default_factory=lambda: array("d"))
    labels: list[str] = field(default_factory=list)
    missing_labels: int = 0
    first_missing_label: int = 0


def read_csv(path: Path, target: str | None) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Read features and labels.

    Parameters
    ----------
    path : Path
        UTF-8 text with a header line; commas, semicolons or tabs.
    target : str or None
        The column of labels. All others are features.

    Returns
    -------
    X : ndarray of shape (n_rows, n_columns), float64
        Finite.
    labels : ndarray of shape (n_rows,), str

    Raises
    ------
    InvalidDataError
        If the file is empty, not UTF-8, ragged, without header, has unnamed or repeated columns, missing,
        infinite or text values, no feature that varies, no class, one class, or a target that looks like a
        measurement.
    InvalidParameterError
        If `target` is not given or no column has that name.
    """
    if path.is_dir():
        raise InvalidDataError(f"{path} is a folder; give a CSV file.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reading = _read(path, lines, target)
    except UnicodeDecodeError:
        raise InvalidDataError(f"{path} is not UTF-8 text; export it as CSV with UTF-8 encoding.") from None
    except csv.Error as error:
        raise InvalidDataError(f"{path} is not a readable CSV file ({error}); export it again as CSV.") from None
    except OSError as error:
        raise InvalidDataError(f"{path} cannot be read: {error.strerror}.") from None
    _check_cells(path, reading, str(target))
    X = np.array(reading.values).reshape(len(reading.labels), len(reading.columns))
    labels = np.array(reading.labels)
    if all(map(_is_number, np.unique(labels))):
        labels = np.array([f"{float(label):.15g}" for label in labels])  # 1 and 1.0 are one class
    _check_labels(path, labels, str(target))
    if not (np.ptp(X, axis=0) > 0.0).any():
        raise InvalidDataError(f"{path}: all feature columns are constant; there is nothing to learn from.")
    return X, labels


def _read(path: Path, lines: Iterator[str], target: str | None) -> _Reading:
    skipped, first = next(((i, line) for i, line in enumerate(lines) if line.strip()), (0, ""))
    if not first:
        raise InvalidDataError(f"{path} is empty; it needs a header line and one line per row.")
    delimiter = max(",;\t", key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, skipinitialspace=True))]
    at = _check_header(path, header, target)
    reading = _Reading([_Column(name) for i, name in enumerate(header) if i != at])
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue  # a blank line, or a line of delimiters as spreadsheets append them
        line = skipped + 1 + rows.line_num
        if len(row) != len(header):
            raise InvalidDataError(
                f"{path}: line {line} has {len(row)} fields, the header has {len(header)}; repair that line."
            )
        label = row.pop(at).strip()
        if label.lower() in MISSING_LABELS:
            reading.first_missing_label = reading.first_missing_label or line
            reading.missing_labels += 1
        reading.labels.append(label)
        try:
            numbers = [float(cell) for cell in row]
        except ValueError:
            numbers = [float("nan")]
        if not all(map(isfinite, numbers)) or any("_" in cell for cell in row):
            _note_bad_cells(reading.columns, row, line)
            numbers = [0.0] * len(row)  # never used: the notes end in an error
        reading.values.extend(numbers)
    if not reading.labels:
        raise InvalidDataError(f"{path} has a header and no rows; add one line per row.")
    return reading


def _check_header(path: Path, header: Sequence[str], target: str | None) -> int:
    """Position of the target, after checking the names."""
    if all(_is_number(name) for name in header):
        raise InvalidDataError(f"{path}: the first line holds numbers only; add a header line of column names.")
    unnamed = [i + 1 for i, name in enumerate(header) if not name]
    if unnamed:
        raise InvalidDataError(
            f"{path}: column {unnamed[0]} has no name; name it, or delete it if it only counts the rows."
        )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InvalidDataError(
            f"{path}: {len(repeated)} column name(s) occur more than once ({_some(repeated)}); give each column its "
            "own name."
        )
    if target is None:
        raise InvalidParameterError(
            f"{path}: say which column holds the classes, --target COLUMN; columns: {_some(header)}."
        )
    if target not in header:
        close = get_close_matches(target, header, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"columns: {_some(header)}."
        raise InvalidParameterError(f"{path} has no column {target!r} (--target); {hint}")
    if len(header) == 1:
        raise InvalidDataError(f"{path} has no feature: {target!r} is its only column; add numeric columns.")
    return header.index(target)


def _note_bad_cells(columns: Sequence[_Column], row: Sequence[str], line: int) -> None:
    for column, cell in zip(columns, row, strict=True):
        text = cell.strip()
        if text.lower() in MISSING:
            column.missing += 1
        elif not _is_number(text):
            column.text += 1
            column.example = column.example or text
        elif not isfinite(float(text)):
            column.infinite += 1
        else:
            continue
        column.first_line = column.first_line or line


def _check_cells(path: Path, reading: _Reading, target: str) -> None:
    texts = [column for column in reading.columns if column.text]
    if texts:
        first = texts[0]
        cure = "turn it into numbers (such as one 0/1 column per value) or delete the column."
        if _DECIMAL_COMMA.fullmatch(first.example):
            point = first.example.replace(".", "").replace(",", ".")
            cure = f"write numbers with a decimal point, {point}, not with a decimal comma."
        raise InvalidDataError(
            f"{path}: {_columns([c.name for c in texts])} text ({first.example[:30]!r} in line {first.first_line}); "
            f"{cure}"
        )
    gaps = [column for column in reading.columns if column.missing]
    if gaps:
        total, line = sum(column.missing for column in gaps), min(column.first_line for column in gaps)
        raise InvalidDataError(
            f"{path}: {_columns([c.name for c in gaps])} {total} missing value{'s' if total > 1 else ''} (first in "
            f"line {line}); fill them in or delete those rows."
        )
    infinite = [column for column in reading.columns if column.infinite]
    if infinite:
        raise InvalidDataError(
            f"{path}: {_columns([c.name for c in infinite])} infinite values (first in line "
            f"{infinite[0].first_line}); replace them by numbers or delete those rows."
        )
    if reading.missing_labels:
        raise InvalidDataError(
            f"{path}: target {target!r} is missing in {reading.missing_labels} row(s) (first in line "
            f"{reading.first_missing_label}); fill it in or delete those rows."
        )


def _check_labels(path: Path, labels: NDArray[np.str_], target: str) -> None:
    classes = np.unique(labels)
    if len(classes) == 1:
        raise InvalidDataError(
            f"{path}: target {target!r} has one class only ({str(classes[0])!r}); a classifier needs two or more."
        )
    numeric = all(_is_number(label) for label in classes)
    if numeric and (
        len(classes) > MAX_NUMERIC_CLASSES
        or (len(classes) > MAX_FRACTIONAL_CLASSES and not all(float(x).is_integer() for x in classes))
    ):
        raise InvalidDataError(
            f"{path}: target {target!r} has {len(classes)} different numbers and looks like a measurement; cut it into "
            "classes first (such as low/high), or choose another --target."
        )
    if len(classes) * MIN_ROWS_PER_CLASS > len(labels):
        raise InvalidDataError(
            f"{path}: target {target!r} has {len(classes)} classes in {len(labels)} rows, too few rows per class; "
            "merge classes, add rows, or choose another --target."
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python reads 1_000 as a number, other programs do not


def _columns(names: Sequence[str]) -> str:
    """``column 'a' has`` or ``columns 'a', 'b' have``."""
    shown = ", ".join(repr(name[:30]) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"column {shown} has" if len(names) == 1 else f"columns {shown} have"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")
