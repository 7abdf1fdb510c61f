"""Requests that are not made yet: what they cost together, and whether they fit into a budget that they share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, cast

from numpy.typing import ArrayLike

from qkernels._errors import BudgetError
from qkernels.engines._base import Engine, Prepared
from qkernels.programs import Plan, Program

__all__ = ["EngineCall", "check_together", "plan_each", "plan_together"]


@dataclass(frozen=True, slots=True, eq=False)
class EngineCall:
    """A request to an engine, to be planned before it is made.

    Attributes
    ----------
    engine : Engine
    program : OverlapProgram or ExpectationProgram
    X : array-like of shape (n_x, num_features), Prepared, or int
        Rows, or their number.
    Y : array-like of shape (n_y, num_features), Prepared, or int, or None
    options : mapping
        Further arguments of `Engine.plan`.
    advice : str
        What the reason of a plan that does not fit ends with.
    """

    engine: Engine
    program: Program
    X: ArrayLike | Prepared | int
    Y: ArrayLike | Prepared | int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """The arguments of `Engine.plan` that follow the rows, those that are not among the options too."""
        defaults: dict[str, Any] = {"theta": None, "pairs": None, "diagonal": "auto", "need": frozenset()}
        return defaults | {"orientation": "canonical", "shots": None, "repetition": 0, **self.options}

    def plan(self, **more: Any) -> Plan:
        """The plan of this request alone, for rows that are not prepared.

        Parameters
        ----------
        **more
            Further arguments that only this kind of engine takes.

        Returns
        -------
        Plan
        """
        X, Y = cast(Any, self.X), cast(Any, self.Y)
        return self.engine.plan(self.program, X, Y, **self.options, **more)


def plan_each(calls: Sequence[EngineCall]) -> list[Plan]:
    """The plans of requests that are made one after another: what one of them pays for, a later one has.

    Parameters
    ----------
    calls : sequence of EngineCall

    Returns
    -------
    list of Plan
    """
    inner = [list(call.engine.inner_calls(call)) for call in calls]
    plans: dict[int, Plan] = {}
    for some in _by_purse([one for ones in inner for one in ones]):
        plans |= zip(map(id, some), some[0].engine.plan_each(some), strict=True)
    found = (
        call.engine.plan_of(call, [plans[id(one)] for one in ones]) for call, ones in zip(calls, inner, strict=True)
    )
    return [
        replace(plan, reason=f"{plan.reason} {call.advice}") if call.advice and not plan.feasible else plan
        for call, plan in zip(calls, found, strict=True)
    ]


def plan_together(calls: Sequence[EngineCall]) -> Plan:
    """The plan of requests that are to be made one after another.

    Parameters
    ----------
    calls : sequence of EngineCall, at least one

    Returns
    -------
    Plan
        Of a single request its own; of several the sum, feasible only where a budget that they share holds all.
    """
    return reduce(add, plan_each(calls))


def check_together(calls: Sequence[EngineCall]) -> None:
    """Refuse requests that do not all fit into a budget, before any of them is made.

    An engine around another one is asked for the requests that it makes there (`Engine.inner_calls`).

    Parameters
    ----------
    calls : sequence of EngineCall
        Of data, not of numbers of rows.

    Raises
    ------
    BudgetError
        The requests fit one by one at best.
    """
    for some in _by_purse([one for call in calls for one in call.engine.inner_calls(call)]):
        if reason := some[0].engine.refusal(some):
            raise BudgetError(
                f"{reason} Nothing was sent. Raise the budget, or ask for less: fewer rows or shots, or one part alone "
                "(its plan says what it takes)."
            )


def _by_purse(calls: Sequence[EngineCall]) -> list[list[EngineCall]]:
    """Requests that are paid from one purse together, in order."""
    found: dict[Hashable, list[EngineCall]] = {}
    for call in calls:
        found.setdefault(call.engine.purse, []).append(call)
    return list(found.values())
