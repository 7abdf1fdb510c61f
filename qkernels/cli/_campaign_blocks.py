"""Blocks of a campaign's ledger: those of its requests as they stand now, and those of other rows or settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from qkernels._errors import ExecutionError
from qkernels.cli._campaign import Campaign
from qkernels.cli._campaign_work import Work

if TYPE_CHECKING:
    from qkernels_hardware import BlockRecord, RuntimeEngine

__all__ = ["collect", "collect_submitted", "discard", "other_blocks", "own_blocks", "waiting"]

_UNSENT = ("planned",)
"""States of blocks that the next submission would send and that no plan counts as new."""

_OPEN = ("planned", "intent", "submitted")
"""States of blocks that cost something, or will."""


def own_blocks(work: Work) -> list[BlockRecord]:
    """Blocks with entries of the requests of a campaign, in whatever state, oldest first."""
    if not work.campaign.ledger.exists():
        return []
    found = [block for one in work.requests for block in work.engine.blocks(*one.arguments, **one.options)]
    return sorted({block.id: block for block in found}.values(), key=lambda block: block.id)


def other_blocks(work: Work) -> list[BlockRecord]:
    """Open blocks of the ledger with no entry that the campaign asks for: it was edited, or they are of another one."""
    own = {block.id for block in own_blocks(work)}
    return [block for block in _open_blocks(work.campaign) if block.id not in own]


def waiting(work: Work) -> list[BlockRecord]:
    """Blocks of the campaign that wait to be sent."""
    return [block for block in own_blocks(work) if block.state in _UNSENT]


def collect(work: Work, *, wait: bool, retry_failed: bool = False) -> int:
    """Fetch what is finished of the campaign's own blocks, and send those that were planned; blocks that are open.

    Raises
    ------
    ExecutionError
        There is no ledger, a job failed, or the service does not answer.
    BudgetError
        A block that waits to be sent does not fit.
    """
    _check_ledger(work.campaign)
    own = [block.id for block in own_blocks(work)]
    return work.engine.collect(wait=wait or work.is_local, retry_failed=retry_failed, blocks=own)


def collect_submitted(campaign: Campaign, engine: RuntimeEngine, *, wait: bool) -> int:
    """Fetch what was submitted, whichever rows it is of: for a campaign whose rows are not there any more.

    Raises
    ------
    ExecutionError
        As `collect`.
    """
    _check_ledger(campaign)
    submitted = [block.id for block in _open_blocks(campaign) if block.state == "submitted"]
    return engine.collect(wait=wait, blocks=submitted)


def discard(campaign: Campaign, blocks: Collection[BlockRecord]) -> None:
    """Give up blocks that were never sent: nothing sends them any more, and a plan may measure their entries.

    Raises
    ------
    ExecutionError
        Another process writes to the ledger.
    """
    from qkernels_hardware import Ledger

    with Ledger.open(campaign.ledger) as ledger:
        for block in blocks:
            ledger.release(block.id)


def _open_blocks(campaign: Campaign) -> list[BlockRecord]:
    from qkernels_hardware import Ledger

    if not campaign.ledger.exists():
        return []
    with Ledger.open(campaign.ledger, read_only=True) as ledger:
        return [block for block in ledger.blocks() if block.state in _OPEN and not block.released]


def _check_ledger(campaign: Campaign) -> None:
    if not campaign.ledger.exists():
        raise ExecutionError(f"There is no ledger {campaign.ledger}: nothing was submitted. Run qkernels submit first.")
