"""What the commands of a campaign say: sentences for people, plain data for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkernels.cli._campaign_run import Total
from qkernels.cli._campaign_work import Work

if TYPE_CHECKING:
    from qkernels_hardware import BlockRecord, RuntimePlan

__all__ = ["as_json", "block_line", "header", "others_line", "plain", "plan_json", "total_lines"]

_PLAN_FIELDS = (
    *("num_qubits", "entries", "held_entries", "circuits", "executions", "jobs", "shots", "qpu_seconds", "rep_delay"),
    *("open_plan_share", "with_barrier", "without_barrier", "calibration", "calibration_now", "verdict", "notes"),
    *("feasible", "reason", "alternatives"),
)


def header(work: Work) -> str:
    """What is measured, in a line."""
    split, campaign = work.split, work.campaign
    rows = f"{len(split.y_train)} training and {len(split.y_test)} test rows, {split.X_train.shape[1]} features"
    corrections = campaign.kernel.corrections
    named = "" if corrections is None else f", {' and '.join(one.name for one in corrections) or 'no corrections'}"
    kernel = f"{campaign.kernel.name} kernel of {campaign.feature_map.name}{named}"
    return f"{campaign.name}: {kernel} on {split.name}, {rows}; {work.engine.name}, {work.engine.shots:,} shots"


def total_lines(total: Total) -> list[str]:
    """The sum of a plan."""
    unsent = f", {total.unsent_seconds:.1f} s of it planned before and not sent" if total.unsent_seconds else ""
    entries = f"{total.entries:,} entries, of which the ledger holds {total.held:,}"
    work = (
        f"{total.executions:,} new executions in {total.jobs:,} job(s); {total.qpu_seconds:.1f} s of QPU time{unsent}"
    )
    return [
        f"together: {entries}; {work}",
        f"ledger: {total.paid_seconds:.1f} s paid, {total.open_seconds:.1f} s under way",
    ]


def block_line(block: BlockRecord) -> str:
    """What a block that was never sent would have measured."""
    what = f"{block.entries:,} entries of series {block.series}, {block.shots:,} shots"
    return f"block {block.id}: {what}, about {block.estimate:.1f} s, planned on {block.created:%Y-%m-%d %H:%M} UTC"


def others_line(others: Sequence[BlockRecord], path: Path) -> str:
    """Open blocks that are not of a campaign, and what they cost."""
    unsent = [block for block in others if block.state == "planned"]
    sent = [block for block in others if block.state != "planned"]
    parts = [
        f"{len(some)} block(s) {what} ({', '.join(str(block.id) for block in some)}; about "
        f"{sum(block.estimate for block in some):.1f} s)"
        for some, what in ((unsent, "planned and not sent"), (sent, "under way"))
        if some
    ]
    give_up = f" `qkernels discard {path}` gives up what was not sent." if unsent else ""
    return f"of other rows or settings than the campaign has now, and left alone: {', '.join(parts)}.{give_up}"


def plan_json(work: Work, plans: Sequence[RuntimePlan], total: Total) -> dict[str, Any]:
    """A plan as plain data."""
    budget = work.engine.budget
    return {
        "campaign": work.campaign.name,
        "device": work.engine.name,
        "ledger": str(work.campaign.ledger),
        "requests": [
            {
                "what": request.what,
                "program": request.program.key,
                "circuit": None if plan.routed is None else str(plan.routed),
                **{name: plain(getattr(plan, name)) for name in _PLAN_FIELDS},
            }
            for request, plan in zip(work.requests, plans, strict=True)
        ],
        "total": plain(total),
        "budget": plain(budget),
        "fits": not total.reason,
    }


def as_json(value: object) -> str:
    """JSON for a program; no infinity, no NaN."""
    return json.dumps(plain(value), indent=2, allow_nan=False)


def plain(value: object) -> Any:
    """Records, dates and paths as what JSON has."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)
