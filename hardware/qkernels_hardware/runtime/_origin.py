"""Where the results of a request come from, as plain data for `Overlaps.info`."""

from __future__ import annotations

from collections.abc import Sequence

from qkernels_hardware.ledger import Ledger, SeriesRecord
from qkernels_hardware.runtime._lane import Wanted

__all__ = ["origin_of"]

_MOST_IDS = 20
"""Job ids that are listed; the ledger has all of them."""


def origin_of(ledger: Ledger, series: SeriesRecord, wanted: Sequence[Wanted]) -> dict[str, str | int | float | bool]:
    """Jobs, calibrations and layout behind entries.

    Parameters
    ----------
    ledger : Ledger
    series : SeriesRecord
    wanted : sequence of Wanted

    Returns
    -------
    dict of str to str, int or float
        ``ledger``, ``series`` (number and generation), ``jobs``, ``job_ids`` (the first 20), ``qpu_seconds`` (billed so
        far), ``calibrations`` (how many), ``calibration`` (the oldest to the newest), ``tiles``, ``layout``; of a
        simulator, the ``seed`` that the series was opened with.
    """
    ids = {int(block) for some in wanted for block in ledger.find(series.id, some.circuit, some.keys)[0] if block >= 0}
    blocks = ledger.blocks(sorted(ids)) if ids else []
    jobs = list(dict.fromkeys(block.job_id for block in blocks if block.job_id))
    stamps = sorted({block.calibration for block in blocks if block.calibration})
    layout = series.settings.get("layout")
    places: list[list[int]] = next(iter(layout.values()), []) if isinstance(layout, dict) else []
    seed = series.settings.get("seed")
    return {
        **({"seed": seed} if isinstance(seed, int) else {}),
        "ledger": str(ledger.path),
        "series": f"{series.id}, generation {series.generation}",
        "jobs": len(jobs),
        "job_ids": ", ".join(jobs[:_MOST_IDS]) + (", …" if len(jobs) > _MOST_IDS else ""),
        "qpu_seconds": float(sum(block.usage or 0.0 for block in blocks)),
        "calibrations": len(stamps),
        "calibration": stamps[0] if len(stamps) == 1 else " to ".join(stamps[:: max(1, len(stamps) - 1)]),
        "tiles": max(1, len(places)),
        "layout": "; ".join(str(tuple(tile)) for tile in places),
    }
