"""Tables to classify: scikit-learn's, or a CSV file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.cli._csv import read_csv
from qkernels.cli._sample import draw_rows

BUILT_IN = ("breast_cancer", "digits", "iris", "wine")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Numbers and labels, checked.

    Attributes
    ----------
    name : str
        Of the data set, or of the file.
    X : ndarray of shape (n_rows, n_columns), float64
    y : ndarray of shape (n_rows,)
        Labels, strings or integers.
    digest : str
        sha256 of the full table (before `subsample`).
    num_rows_full : int
        Rows of the full table.
    raised : tuple of str
        Classes of which a sample holds more than their share, so that none is too small.
    """

    name: str
    X: NDArray[np.float64]
    y: NDArray[np.str_] | NDArray[np.int64]
    digest: str
    num_rows_full: int
    raised: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """Different labels."""
        return len(np.unique(self.y))


def load_table(dataset: str, target: str | None) -> Table:
    """Load a data set of scikit-learn by name, or a CSV file by path.

    Raises
    ------
    InvalidParameterError
        If there is neither a data set nor a file of that name, or `target` is missing or not wanted.
    InvalidDataError
        If the table cannot be classified as it is.
    """
    if dataset in BUILT_IN:
        if target is not None:
            raise InvalidParameterError(
                f"--target is for CSV files; {dataset} brings its own target. Leave --target out."
            )
        bunch = getattr(datasets, f"load_{dataset}")()
        X, labels = np.asarray(bunch.data, dtype=np.float64), np.asarray(bunch.target_names)[bunch.target]
        return _table(dataset, X, labels)
    path = Path(dataset)
    if not path.exists():
        close = get_close_matches(dataset.lower(), BUILT_IN, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else f"give a CSV file, or one of {', '.join(BUILT_IN)}."
        raise InvalidParameterError(f"--dataset: no file and no data set is called {dataset!r}; {hint}")
    X, text_labels = read_csv(path, target)
    return _table(path.name, X, text_labels)


def subsample(table: Table, max_rows: int, seed: int, least: int = 2) -> Table:
    """At most `max_rows` rows, drawn so that classes keep their shares, but `least` rows of each where there are.

    Raises
    ------
    InvalidParameterError
        If `max_rows` has no room for these.
    """
    if len(table.y) <= max_rows:
        return table
    _, counts = np.unique(table.y, return_counts=True)
    needed = int(np.minimum(counts, least).sum())
    if max_rows < needed:
        raise InvalidParameterError(
            f"--max-rows must be at least {needed} for this table, {least} rows of each of its {table.num_classes} "
            f"classes (or all that a class has); got {max_rows}."
        )
    keep = draw_rows(table.y, max_rows, seed, least=least)
    return replace(table, X=table.X[keep], y=table.y[keep], raised=_raised(table.y, keep))


def least_rows(folds: int, inner_folds: int) -> int:
    """Rows of a class that nested cross-validation needs."""
    rows = folds
    while not _fits(rows, folds, inner_folds):
        rows += 1
    return rows


def _raised(y: NDArray[np.generic], keep: NDArray[np.intp]) -> tuple[str, ...]:
    """Classes that have a row and more above their share in a sample."""
    labels, kinds, counts = np.unique(y, return_inverse=True, return_counts=True)
    drawn = np.bincount(kinds[keep], minlength=len(labels))
    return tuple(str(label) for label in labels[drawn >= counts * len(keep) / len(y) + 1])


def check_folds(table: Table, folds: int, inner_folds: int) -> None:
    """Refuse classes that are too small for nested cross-validation, naming what would do."""
    labels, counts = np.unique(table.y, return_counts=True)
    smallest = int(counts.min())
    if _fits(smallest, folds, inner_folds):
        return
    label = labels[counts.argmin()]
    possible = [k for k in range(2, folds) if _fits(smallest, k, inner_folds)]
    advice = f"Use --folds {possible[-1]}, or merge" if possible else "Merge"
    raise InvalidDataError(
        f"class {str(label)!r} has {smallest} row{'s' if smallest != 1 else ''}, too few for {folds} outer and "
        f"{inner_folds} inner folds. {advice} or delete small classes."
    )


def _fits(rows: int, folds: int, inner_folds: int) -> bool:
    """Whether a class has a row in each outer fold, and in each inner fold of every outer training part."""
    return rows >= folds and rows - -(-rows // folds) >= inner_folds


def _table(name: str, X: NDArray[np.float64], labels: NDArray[np.str_]) -> Table:
    text = labels.astype(str)
    digest = hashlib.sha256(np.ascontiguousarray(X).tobytes() + "\n".join(text).encode()).hexdigest()
    y: NDArray[np.str_] | NDArray[np.int64] = text
    if all(label.removeprefix("-").isdecimal() and len(label) < 18 for label in np.unique(text)):
        y = text.astype(np.int64)  # so that 10 sorts after 9
    return Table(name, X, y, digest, len(X))
