"""What would make a campaign fit its budget, with what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qkernels._errors import QKernelsError
from qkernels.cli._campaign import KernelPart
from qkernels.cli._campaign_parts import build_engine
from qkernels.cli._campaign_work import Work, requests_of
from qkernels.cli._rehearsal import Request

if TYPE_CHECKING:
    from qkernels_hardware import Alternative, RuntimeEngine, RuntimePlan

__all__ = ["Need", "cheaper_ways"]

_MAX_EXECUTIONS = 10_000_000
"""Rows times shots of one job, as the service allows."""


@dataclass(frozen=True, slots=True)
class Need:
    """What counts beside new requests.

    Attributes
    ----------
    spent : float
        QPU seconds paid or under way.
    unsent : float
        Of blocks that wait to be sent.
    jobs : int
        Submitted so far.
    unsent_jobs : int
    """

    spent: float
    unsent: float
    jobs: int
    unsent_jobs: int


def cheaper_ways(work: Work, plans: Sequence[RuntimePlan], need: Need) -> tuple[Alternative, ...]:
    """Cheaper ways for the whole campaign, cheapest first, each against the budget.

    Parameters
    ----------
    work : Work
    plans : sequence of RuntimePlan
        Of all requests.
    need : Need
    """
    from qkernels_hardware import Alternative

    budget, costly = work.engine.budget, [plan for plan in plans if plan.jobs]
    if not costly:
        return ()
    found = []
    for what, seconds, jobs in (
        *_tiles(costly),
        *_nystroem(costly),
        *_fewer_jobs(work, costly),
        *_fewer_shots(work, costly, need),
        *_projected(work),
    ):
        total, count = seconds + need.unsent, jobs + need.unsent_jobs
        fits = budget.qpu_seconds is None or need.spent + total <= budget.qpu_seconds
        fits = fits and (budget.jobs is None or need.jobs + count <= budget.jobs)
        found.append(Alternative(what, total, count, fits))
    before = sum(plan.qpu_seconds for plan in costly) + need.unsent
    cheaper = [way for way in found if way.fits or way.qpu_seconds < before]
    return tuple(sorted(cheaper, key=lambda way: way.qpu_seconds))


Way = tuple[str, float, int]
"""What to change, QPU seconds and jobs."""


def _tiles(plans: Sequence[RuntimePlan]) -> list[Way]:
    """Where every plan proposes it."""
    ways = [way for plan in plans for way in plan.alternatives if way.what.startswith("tiles=")]
    if len(ways) < len(plans):
        return []
    copies = int(ways[0].what.split(",")[0].removeprefix("tiles="))
    seconds, jobs = sum(way.qpu_seconds for way in ways), sum(way.jobs for way in ways)
    return [(f"[backend] tiles = {copies}, that many entries side by side", seconds, jobs)]


def _nystroem(plans: Sequence[RuntimePlan]) -> list[Way]:
    """Of the training matrix; the test block costs what it costs."""
    ways = [way for way in plans[0].alternatives if way.what.startswith("Nystroem")]
    seconds, jobs = sum(plan.qpu_seconds for plan in plans[1:]), sum(plan.jobs for plan in plans[1:])
    what = "in Python, for the training matrix: {}"
    return [(what.format(way.what), way.qpu_seconds + seconds, way.jobs + jobs) for way in ways]


def _rates(plans: Sequence[RuntimePlan]) -> tuple[float, float]:
    """QPU seconds of an execution, and of a job beside them."""
    each = plans[0].rep_delay + (plans[0].routed.measured.duration if plans[0].routed is not None else 0.0)
    jobs, executions = sum(plan.jobs for plan in plans), sum(plan.executions for plan in plans)
    return each, max(0.0, sum(plan.qpu_seconds for plan in plans) - each * executions) / jobs


def _fewer_jobs(work: Work, plans: Sequence[RuntimePlan]) -> list[Way]:
    """Larger blocks, where there are many small ones, planned as they would run: a basis, and hours, end a job too."""
    jobs = sum(plan.jobs for plan in plans)
    if jobs == len(plans):
        return []
    size = min(max(plan.executions for plan in plans), _MAX_EXECUTIONS)
    other = replace(work.campaign, backend={**work.campaign.backend, "block_executions": size})
    try:
        again = _plans(build_engine(other), work.requests)
    except QKernelsError:  # a way that is none is not proposed
        return []
    fewer = sum(plan.jobs for plan in again)
    what = f"[backend] block_executions = {size}, {fewer} job(s) instead of {jobs}"
    return [(what, sum(plan.qpu_seconds for plan in again), fewer)] if fewer < jobs else []


def _fewer_shots(work: Work, plans: Sequence[RuntimePlan], need: Need) -> list[Way]:
    """The most shots with which everything new fits into the QPU seconds."""
    limit, shots = work.engine.budget.qpu_seconds, work.engine.shots or 1
    executions, jobs = sum(plan.executions for plan in plans), sum(plan.jobs for plan in plans)
    if limit is None or not executions:
        return []
    each, fixed = _rates(plans)
    per_shot = each * executions / shots
    fewer = int((limit - need.spent - need.unsent - fixed * jobs) / per_shot)
    if not 1 <= fewer < shots:
        return []
    noise = f"standard error of an entry up to {0.5 / fewer**0.5:.2g}"
    return [(f"[backend] shots = {fewer} instead of {shots} ({noise})", fixed * jobs + per_shot * fewer, jobs)]


def _plans(engine: RuntimeEngine, requests: Sequence[Request]) -> list[RuntimePlan]:
    """Plans of requests that are made one after another."""
    counted: set[tuple[str, str, bytes]] = set()
    return [engine.plan(*request.arguments, **request.options, counted=counted) for request in requests]


def _projected(work: Work) -> list[Way]:
    """The same map with a projected kernel, planned as it would run."""
    if any(not hasattr(request.program, "patches") for request in work.requests):
        return []  # it has expectation values already
    options = {name: value for name, value in work.campaign.kernel.options.items() if name == "bandwidth"}
    other = replace(work.campaign, kernel=KernelPart("projected", options))
    try:
        requests = requests_of(other, work.split, frozenset())
        plans = _plans(work.engine, requests)
    except QKernelsError:
        return []
    circuits = sum(plan.executions for plan in plans) // (work.engine.shots or 1)
    what = f"[kernel] name = 'projected', {circuits:,} circuits of half the depth"
    return [(what, sum(plan.qpu_seconds for plan in plans), sum(plan.jobs for plan in plans))]
