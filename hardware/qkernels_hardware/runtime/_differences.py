"""Why a ledger that has measurements has none of a request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from qkernels.programs import Program
from qkernels_hardware.ledger import BlockRecord, Ledger, SeriesRecord
from qkernels_hardware.runtime._lane import Wanted
from qkernels_hardware.runtime._series import OwnSeries
from qkernels_hardware.work import BlockState

__all__ = ["why_new"]

_NAMES = {"layout": "auto", "seed": "none given"}
"""What a setting is called that was left out."""


def why_new(ledger: Ledger, own: OwnSeries, program: Program, wanted: Sequence[Wanted]) -> str:
    """What keeps a request from the measurements of a ledger; "" where there are none.

    Parameters
    ----------
    ledger : Ledger
    own : OwnSeries
        Of the engine.
    program : Program
    wanted : sequence of Wanted
        Of which the ledger has no entry.
    """
    if not wanted:
        return ""
    current = own.find(ledger, program)
    blocks = [] if current is None else ledger.blocks(series=current.id, states=[BlockState.DONE])
    if blocks:
        return _other_entries(blocks, wanted)
    used = {block.series for block in ledger.blocks(states=[BlockState.DONE])}
    measured = [one for one in ledger.all_series() if one.id in used]
    same = [one for one in measured if one.program == program.key]
    if same:
        return _other_settings(min((_differences(one, own) for one in reversed(same)), key=len))
    count = len({one.program for one in measured})
    return (
        f"the ledger has measurements of {count} circuit(s), but not of this one: all entries are new. Another feature "
        "map, other settings of it, another number of features or another kind of kernel make another circuit."
        if measured
        else ""
    )


def _other_entries(blocks: Iterable[BlockRecord], wanted: Iterable[Wanted]) -> str:
    """Of the same series: other shots, or other angles."""
    there, asked = {block.shots for block in blocks}, {int(shots) for some in wanted for shots in some.shots}
    if not there & asked:
        return (
            f"the ledger has measured this circuit with {_listed(there)} shots, but not with {_listed(asked)}: all "
            "entries are new. An entry belongs to its shots; ask with those of the ledger to use what is there."
        )
    return (
        "the ledger has measured this circuit before, but these rows are not among those measured: all entries are "
        "new. If they should be among them: what is fitted to the training rows (bandwidth='scale', a scaler or PCA "
        "before the kernel) gives other angles with other rows. Use rows that were scaled once ([data] scale = false "
        "in a campaign) and a numeric bandwidth, or a kernel fitted once: kernel.fit(X).frozen()."
    )


def _other_settings(differences: Sequence[str]) -> str:
    if not differences:
        return "layout='refresh' opens a series of its own: all entries are new."
    return (
        f"the ledger has measured this circuit, but with other settings ({'; '.join(differences)}): all entries are "
        "new. Results of different settings are not mixed; ask with those of the ledger to use what is there."
    )


def _differences(series: SeriesRecord, own: OwnSeries) -> list[str]:
    """What a series was measured with, and is asked for otherwise now."""
    stored = series.settings.get("known_by")
    there = {"backend": series.settings.get("identity"), **(stored if isinstance(stored, Mapping) else {})}
    now = {"backend": own.device.identity, **json.loads(json.dumps(own.known_by))}
    return [
        f"{name}: {_shown(name, there[name])} there, {_shown(name, now[name])} here"
        for name in now
        if name in there and there[name] != now[name] and name != "estimate"  # that follows from the options
    ]


def _shown(name: str, value: object) -> str:
    return _NAMES.get(name, "none") if value is None else str(value)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
