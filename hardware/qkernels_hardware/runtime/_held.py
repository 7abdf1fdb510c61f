"""What a ledger has of a request, read beside any writer and without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels_hardware.ledger import BlockRecord, Ledger, LedgerFileError, SeriesRecord
from qkernels_hardware.runtime._lane import Wanted
from qkernels_hardware.work import BlockState

__all__ = ["blocks_with", "held_entries", "is_measured", "measured_entries", "read_entries"]

Found = NDArray[np.int64]
Current = Callable[[Ledger], SeriesRecord | None]
"""The series that a request adds to, of an open ledger; None where it would open one."""


def held_entries(path: Path, wanted: Sequence[Wanted], current: Current, num_entries: int) -> Found:
    """Blocks and tiles that measured entries.

    Parameters
    ----------
    path : Path
        Of the ledger; there may be none.
    wanted : sequence of Wanted
        What is measured of the same entries: the two directions of pairs, or the bases of rows; nothing where the
        values are known without measuring.
    current : callable
    num_entries : int

    Returns
    -------
    ndarray of shape (2, n_entries), int64
        The block, −1 where a result is missing or its file cannot be used, and the tile on which it was measured; of
        the first of `wanted`.
    """
    missing = np.full((2, num_entries), -1, dtype=np.int64)
    if not wanted:
        return missing
    if not path.exists():
        return missing
    with Ledger.open(path, read_only=True) as ledger:
        series = current(ledger)
        if series is None:
            return missing
        copies = {b.id: b.copies for b in ledger.blocks(series=series.id, states=[BlockState.DONE])}
        copies = {block: count for block, count in copies.items() if _readable(ledger, block)}
        parts = []
        for some in wanted:
            blocks, positions = ledger.find(series.id, some.circuit, some.keys)
            usable = np.isin(blocks, list(copies))
            counts = np.array([copies.get(int(block), 1) for block in blocks], dtype=np.int64)
            parts.append(np.where(usable, np.stack([blocks, positions % counts]), -1))
    complete = np.all([part[0] >= 0 for part in parts], axis=0)
    return np.where(complete, parts[0], -1)


def blocks_with(path: Path, wanted: Sequence[Wanted], current: Current) -> list[BlockRecord]:
    """Blocks that have any of these entries, in whatever state, oldest first.

    Parameters
    ----------
    path, wanted, current
        As in `held_entries`.

    Returns
    -------
    list of BlockRecord
    """
    if not path.exists():
        return []
    with Ledger.open(path, read_only=True) as ledger:
        series = current(ledger)
        if series is None:
            return []
        found: set[int] = set()
        for some in wanted:
            blocks, _ = ledger.find(series.id, some.circuit, some.keys, failed=True)
            found.update(blocks[blocks >= 0].tolist())
        return ledger.blocks(found) if found else []


def is_measured(path: Path, wanted: Sequence[Wanted], current: Current) -> bool:
    """Whether there are results of all these entries; their files are not looked at.

    Parameters
    ----------
    path, wanted, current
        As in `held_entries`.
    """
    if not path.exists():
        return False
    with Ledger.open(path, read_only=True) as ledger:
        series = current(ledger)
        return series is not None and _is_done(ledger, series.id, wanted)


def measured_entries(path: Path, wanted: Sequence[Wanted], current: Current) -> list[list[NDArray[Any]]] | None:
    """What was measured of each entry, as `read_entries`; None where something is left to measure or to fetch again.

    Parameters
    ----------
    path, wanted, current
        As in `held_entries`.
    """
    if not path.exists():
        return None
    with Ledger.open(path, read_only=True) as ledger:
        series = current(ledger)
        if series is None or not _is_done(ledger, series.id, wanted):
            return None
        try:
            return [read_entries(ledger, series.id, some) for some in wanted]
        except LedgerFileError:  # who may write puts the file aside and fetches its block again
            return None


def read_entries(ledger: Ledger, series: int, wanted: Wanted) -> list[NDArray[Any]]:
    """What was measured of each entry: bits (shots, ⌈n/8⌉), or values and standard errors (2, n_observables).

    Parameters
    ----------
    ledger : Ledger
    series : int
    wanted : Wanted
        All of them measured.

    Raises
    ------
    LedgerFileError
        A result file is damaged; its block has to be fetched again.
    """
    blocks, positions = ledger.find(series, wanted.circuit, wanted.keys)
    found: list[Any] = [None] * len(blocks)
    for block in ledger.blocks(set(blocks.tolist())):
        samples = ledger.read(block.id)
        for entry in np.flatnonzero(blocks == block.id):
            row, copy = divmod(int(positions[entry]), block.copies)
            if samples.bits is not None:
                found[entry] = samples.bits[row, copy]
            elif samples.values is not None and samples.stderr is not None:
                found[entry] = np.stack([samples.values[row], samples.stderr[row]])
    return found


def _is_done(ledger: Ledger, series: int, wanted: Sequence[Wanted]) -> bool:
    blocks = [ledger.find(series, some.circuit, some.keys)[0] for some in wanted]
    done = [block.id for block in ledger.blocks(series=series, states=[BlockState.DONE])]
    return all(np.isin(some, done).all() for some in blocks)


def _readable(ledger: Ledger, block: int) -> bool:
    """Whether the result file is there and what was written."""
    try:
        ledger.read(block)
    except LedgerFileError:
        return False
    return True
