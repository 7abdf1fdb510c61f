"""The plan of several requests: what they cost together, against every budget that they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TypeVar

from qkernels.programs import Plan
from qkernels_hardware.ledger import Spending
from qkernels_hardware.runtime._plan import RuntimePlan, over_budget
from qkernels_hardware.work import OPEN_PLAN_SECONDS, Budget

__all__ = ["joint_plan"]

_T = TypeVar("_T")


def joint_plan(parts: Sequence[Plan]) -> RuntimePlan:
    """The sum of plans of single requests, at least one of them on a device.

    Parameters
    ----------
    parts : sequence of Plan

    Returns
    -------
    RuntimePlan
        Feasible where nothing but a budget is in the way of any part, and the parts of every ledger together fit into
        its budgets.
    """
    plain = reduce(Plan.__add__, parts)
    runs = [part for part in parts if isinstance(part, RuntimePlan)]
    ledgers: dict[str, list[RuntimePlan]] = {}
    for run in runs:
        ledgers.setdefault(run.ledger, []).append(run)
    # Not the budgets of single parts: their reasons name less than the sum.
    obstacles = [part.obstacle for part in parts if part.obstacle]
    exceeded = [reason for reason in map(_over_budget, ledgers.values()) if reason]
    reasons = [*obstacles, *exceeded]
    seconds = sum(run.qpu_seconds for run in runs)
    return RuntimePlan(
        engine=plain.engine,
        num_qubits=plain.num_qubits,
        circuits=plain.circuits,
        entries=plain.entries,
        shots=plain.shots,
        memory_bytes=plain.memory_bytes,
        memory_limit_bytes=plain.memory_limit_bytes,
        feasible=not reasons,
        reason=" ".join(dict.fromkeys(reasons)),
        device=_devices(runs),
        executions=sum(run.executions for run in runs),
        jobs=sum(run.jobs for run in runs),
        qpu_seconds=seconds,
        rep_delay=max(run.rep_delay for run in runs),
        open_plan_share=seconds / OPEN_PLAN_SECONDS,
        held_entries=sum(run.held_entries for run in runs),
        paid_seconds=sum(of_one[-1].paid_seconds for of_one in ledgers.values()),
        open_seconds=sum(of_one[-1].open_seconds for of_one in ledgers.values()),
        budget=_only((run.budget for run in runs), Budget()),
        calibration=_only((run.calibration for run in runs), ""),
        calibration_now=_only((run.calibration_now for run in runs), ""),
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
        ledger=_only((run.ledger for run in runs), ""),
        obstacle=" ".join(dict.fromkeys(obstacles)),
        exceeds_budget=bool(exceeded),
        submitted_jobs=sum(of_one[-1].submitted_jobs for of_one in ledgers.values()),
        unsent=tuple(dict.fromkeys(block for run in runs for block in run.unsent)),
        parts=tuple(parts),
    )


def _over_budget(runs: Sequence[RuntimePlan]) -> str:
    """Why requests on one ledger exceed a budget together; "" where they do not."""
    last, unsent = runs[-1], dict(block for run in runs for block in run.unsent)
    seconds = sum(run.qpu_seconds for run in runs) + sum(unsent.values())
    jobs = sum(run.jobs for run in runs) + len(unsent)
    if not jobs:
        return ""
    spent = Spending(last.paid_seconds, last.open_seconds, last.submitted_jobs)
    budgets = dict.fromkeys(run.budget for run in runs)
    return next(filter(None, (over_budget(one, spent, seconds, jobs, _devices(runs)) for one in budgets)), "")


def _devices(runs: Iterable[RuntimePlan]) -> str:
    return " + ".join(dict.fromkeys(run.device for run in runs))


def _only(values: Iterable[_T], otherwise: _T) -> _T:
    """The value of all, where they agree."""
    found = set(values)
    return found.pop() if len(found) == 1 else otherwise
