"""The steps of a campaign: its requests, what they cost together, and their way to the device and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qkernels._errors import BudgetError
from qkernels.cli._campaign import Campaign
from qkernels.cli._campaign_blocks import collect, waiting
from qkernels.cli._campaign_parts import build_corrections, build_engine, load_rows
from qkernels.cli._campaign_ways import Need, cheaper_ways
from qkernels.cli._campaign_work import Work, requests_of

if TYPE_CHECKING:
    from qkernels_hardware import Alternative, RuntimePlan, Submission

__all__ = ["Total", "Work", "add_up", "check_budget", "plan_work", "prepare", "resume", "submit"]


@dataclass(frozen=True, slots=True)
class Total:
    """What a whole campaign costs; `reason` says why it is refused, "" where it fits.

    Attributes
    ----------
    entries, held, executions, jobs : int
        Distinct ones to measure, those that the ledger knows, and what is new. Jobs count blocks that wait to be sent.
    qpu_seconds : float
        Of new jobs, and of the campaign's blocks that wait to be sent.
    unsent_seconds : float
        Of the latter.
    paid_seconds, open_seconds : float
        Of the ledger.
    reason : str
    obstacle : str
        Why no budget is enough; "" where there is nothing of the kind.
    alternatives : tuple of Alternative
    """

    entries: int
    held: int
    executions: int
    jobs: int
    qpu_seconds: float
    unsent_seconds: float
    paid_seconds: float
    open_seconds: float
    reason: str = ""
    obstacle: str = ""
    alternatives: tuple[Alternative, ...] = ()


def prepare(campaign: Campaign) -> Work:
    """Load the rows and let the kernel say what it will ask for; nothing is opened.

    Raises
    ------
    InvalidParameterError, InvalidDataError
        A part of the campaign cannot be used.
    """
    split = load_rows(campaign.data)
    corrections = build_corrections(campaign) or []
    need = frozenset[str]().union(*(one.requires for one in corrections))
    return Work(campaign, split, requests_of(campaign, split, need), build_engine(campaign))


def plan_work(work: Work, step: Callable[[str], None] = lambda what: None) -> list[RuntimePlan]:
    """The plan of every request.

    Raises
    ------
    UnsupportedCircuitError, InvalidParameterError
        The circuit does not fit the device.
    ExecutionError
        The account or the device cannot be opened.
    """
    plans = []
    counted: set[tuple[str, str, bytes]] = set()
    for request in work.requests:
        step(request.what)
        plans.append(work.engine.plan(*request.arguments, **request.options, counted=counted))
    return plans


def add_up(work: Work, plans: Sequence[RuntimePlan]) -> Total:
    """The cost of all requests together, against the budget as a whole."""
    first, budget = plans[0], work.engine.budget
    unsent_blocks, submitted = waiting(work), _submitted_jobs(work)
    unsent, unsent_jobs = sum(block.estimate for block in unsent_blocks), len(unsent_blocks)
    seconds, jobs = sum(plan.qpu_seconds for plan in plans) + unsent, sum(plan.jobs for plan in plans) + unsent_jobs
    spent = first.paid_seconds + first.open_seconds
    parts = ", ".join(f"{r.what} {plan.qpu_seconds:.1f} s" for r, plan in zip(work.requests, plans, strict=True))
    reason = obstacle = next((plan.obstacle for plan in plans if plan.obstacle), "")
    if not reason and jobs and budget.qpu_seconds is not None and spent + seconds > budget.qpu_seconds:
        before = f", beside {spent:.1f} s paid or under way" if spent else ""
        reason = (
            f"qpu_seconds in [budget] is {budget.qpu_seconds:g}, the campaign needs about {seconds:.1f} s on "
            f"{first.device} ({parts}{f', not sent yet {unsent:.1f} s' if unsent else ''}){before}."
        )
    if not reason and jobs and budget.jobs is not None and submitted + jobs > budget.jobs:
        before = f", beside {submitted} submitted" if submitted else ""
        reason = f"jobs in [budget] is {budget.jobs}, the campaign needs {jobs}{before}."
    return Total(
        entries=sum(plan.entries for plan in plans),
        held=sum(plan.held_entries for plan in plans),
        executions=sum(plan.executions for plan in plans),
        jobs=jobs,
        qpu_seconds=seconds,
        unsent_seconds=unsent,
        paid_seconds=first.paid_seconds,
        open_seconds=first.open_seconds,
        reason=reason,
        obstacle=obstacle,
        alternatives=cheaper_ways(work, plans, Need(spent, unsent, submitted, unsent_jobs)) if reason and jobs else (),
    )


def check_budget(total: Total) -> None:
    """Refuse a campaign that does not fit as a whole.

    Raises
    ------
    BudgetError
        With the cheapest ways to fit.
    """
    if total.obstacle:
        raise BudgetError(f"{total.obstacle} Nothing was sent.")
    if total.reason:
        ways = "".join(f"\n- {way}" for way in total.alternatives)
        raise BudgetError(f"{total.reason} Nothing was sent. Raise the budget{f', or:{ways}' if ways else '.'}")


def submit(work: Work) -> list[Submission]:
    """Hand all requests to the device.

    On a device model the results are stored, too: its jobs end with this process.

    Raises
    ------
    BudgetError, ExecutionError
        As `RuntimeEngine.submit`.
    """
    found = []
    for request in work.requests:
        arguments = request.arguments if request.Y is not None else request.arguments[:2]
        found.append(work.engine.submit(*arguments, **request.options))
        if work.is_local:
            collect(work, wait=True)
    return found


def resume(work: Work, *, retry_failed: bool = False) -> int:
    """Submit what is missing and wait until all results are there; blocks that are still open, 0.

    Raises
    ------
    BudgetError, ExecutionError
        As `submit` and `collect`.
    """
    if retry_failed and work.campaign.ledger.exists():
        collect(work, wait=False, retry_failed=True)
    submit(work)
    return collect(work, wait=True)


def _submitted_jobs(work: Work) -> int:
    """Jobs of the ledger so far, whichever campaign they are of."""
    from qkernels_hardware import Ledger

    if not work.campaign.ledger.exists():
        return 0
    with Ledger.open(work.campaign.ledger, read_only=True) as ledger:
        return ledger.spent().jobs
