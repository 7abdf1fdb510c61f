"""Where everything in a ledger stands, as plain data and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from qkernels_hardware.ledger._database import Database
from qkernels_hardware.ledger._queries import block_records, event_records, series_records, spending
from qkernels_hardware.ledger._records import BlockRecord, Event, SeriesRecord, Spending
from qkernels_hardware.work import BlockState

__all__ = ["LedgerSummary", "SeriesSummary", "summarise"]

_FAILED = (BlockState.FAILED, BlockState.CANCELLED)


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """Where a series stands.

    Attributes
    ----------
    series : SeriesRecord
    entries_done, entries_open, entries_failed : int
        Measured; planned or on their way; of blocks that failed or were cancelled and can be tried again.
    blocks : mapping of BlockState to int
        Blocks in each state that occurs; blocks whose entries were given back do not count.
    executions : int
        Of these blocks.
    estimated : float
        QPU seconds of these blocks, one attempt each.
    paid : float
        QPU seconds billed for this series, waste included.
    wasted : float
        Of it, for attempts without a result and for duplicates.
    shots : tuple of int
        As asked for, of every row.
    calibrations : tuple of str
        Under which its blocks were measured, oldest first.
    last : Event or None
        The latest change of one of its blocks.
    """

    series: SeriesRecord
    entries_done: int
    entries_open: int
    entries_failed: int
    blocks: Mapping[BlockState, int]
    executions: int
    estimated: float
    paid: float
    wasted: float
    shots: tuple[int, ...]
    calibrations: tuple[str, ...]
    last: Event | None


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """Where a ledger stands; ``str()`` of it is a table.

    Attributes
    ----------
    path : str
    id : str
    series : tuple of SeriesSummary
    spending : Spending
        Of all series.
    """

    path: str
    id: str
    series: tuple[SeriesSummary, ...]
    spending: Spending = field(repr=False)

    def __str__(self) -> str:
        """A table with a line per series."""
        head = [
            *("series", "backend", "program", "shots", "done", "open", "failed", "blocks", "executions"),
            *("estimated s", "paid s", "wasted s", "calibration"),
        ]
        lines = _table([head, *(_cells(summary) for summary in self.series)]) if self.series else ["no series yet"]
        lines.insert(0, f"Ledger {self.path} (id {self.id[:8]})")
        lines += [
            f"series {summary.series.id}, last change: {summary.last.time:%Y-%m-%d %H:%M:%S} UTC, block "
            f"{summary.last.block} {summary.last.what}" + (f" ({summary.last.detail})" if summary.last.detail else "")
            for summary in self.series
            if summary.last
        ]
        cost = self.spending
        lines.append(
            f"all series: {cost.jobs} jobs, {cost.paid:.1f} s paid, at most about {cost.open:.1f} s still open"
        )
        return "\n".join(lines)


def summarise(database: Database, identity: str) -> LedgerSummary:
    """Say where a ledger stands, from its SQLite file alone.

    Parameters
    ----------
    database : Database
    identity : str
        Id of the ledger.

    Returns
    -------
    LedgerSummary
    """
    blocks = block_records(database)
    last = {event.block: event for event in event_records(database)}
    duplicates: Counter[int] = Counter()
    for row in database.rows("SELECT block, coalesce(sum(usage), 0.0) AS usage FROM duplicates GROUP BY block"):
        duplicates[row["block"]] = row["usage"]
    summaries = tuple(
        _summarise_series(series, [block for block in blocks if block.series == series.id], duplicates, last)
        for series in series_records(database)
    )
    return LedgerSummary(str(database.path), identity, summaries, spending(database))


def _summarise_series(
    series: SeriesRecord, blocks: list[BlockRecord], duplicates: Mapping[int, float], last: Mapping[int | None, Event]
) -> SeriesSummary:
    live = [block for block in blocks if not block.released]
    entries: Counter[str] = Counter()
    for block in live:
        kind = "done" if block.state is BlockState.DONE else "failed" if block.state in _FAILED else "open"
        entries[kind] += block.entries
    counts = Counter(block.state for block in live)
    wasted = sum(block.waste + duplicates.get(block.id, 0.0) for block in blocks)
    stamps = sorted({block.calibration for block in blocks if block.calibration and block.state is BlockState.DONE})
    events = [last[block.id] for block in blocks if block.id in last]
    return SeriesSummary(
        series=series,
        entries_done=entries["done"],
        entries_open=entries["open"],
        entries_failed=entries["failed"],
        blocks={state: counts[state] for state in BlockState if counts[state]},
        executions=sum(block.executions for block in live),
        estimated=sum(block.estimate for block in live),
        paid=wasted + sum(block.usage or 0.0 for block in blocks),
        wasted=wasted,
        shots=tuple(sorted({block.shots for block in live})),
        calibrations=tuple(stamps),
        last=max(events, key=lambda event: event.time, default=None),
    )


def _cells(summary: SeriesSummary) -> list[str]:
    stamps = summary.calibrations
    return [
        str(summary.series.id),
        summary.series.backend,
        summary.series.program[:8],
        "/".join(map(str, summary.shots)) or "-",
        str(summary.entries_done),
        str(summary.entries_open),
        str(summary.entries_failed),
        ", ".join(f"{count} {state.value}" for state, count in summary.blocks.items()) or "-",
        str(summary.executions),
        f"{summary.estimated:.1f}",
        f"{summary.paid:.1f}",
        f"{summary.wasted:.1f}",
        "-" if not stamps else stamps[-1] + (f" and {len(stamps) - 1} before" if len(stamps) > 1 else ""),
    ]


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
