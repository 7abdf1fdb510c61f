"""The part of RuntimeEngine that looks at several requests together, before any of them is made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from qkernels.engines import EngineCall
from qkernels.programs import Plan
from qkernels_hardware.ledger import Ledger
from qkernels_hardware.runtime._held import is_measured
from qkernels_hardware.runtime._lane import Lane, Wanted
from qkernels_hardware.runtime._measure import MeasuringEngine
from qkernels_hardware.runtime._plan import over_budget
from qkernels_hardware.runtime._planner import Counted

__all__ = ["TogetherEngine"]


class TogetherEngine(MeasuringEngine):
    """Base of RuntimeEngine: entries that several requests share are paid once, and so is the budget they share."""

    @property
    def purse(self) -> str:
        return str(self.ledger_path.resolve())

    def plan_all(self, calls: Sequence[EngineCall]) -> Plan:
        """The plan of requests that are to be made one after another; entries that they share cost once.

        Parameters
        ----------
        calls : sequence of EngineCall, at least one
            To engines with the ledger of this one.

        Returns
        -------
        RuntimePlan
        """
        counted: Counted = set()
        return reduce(add, (call.plan(counted=counted) for call in calls))

    def refusal(self, calls: Sequence[EngineCall]) -> str:
        """Why requests of data go beyond a budget together; "" where they do not. Nothing is submitted.

        Parameters
        ----------
        calls : sequence of EngineCall, at least one
            To engines with the ledger of this one.

        Returns
        -------
        str
        """
        engines = [engine for engine in _engines(calls) if engine.budget.is_limited]
        more = _new_jobs(calls) if engines else []
        if not more:
            return ""
        for engine in {engine.name: engine for engine in _engines(calls)}.values():
            with engine._desk() as desk:  # bills that have come since then
                desk.runner().settle()
        with Ledger.open(self.ledger_path, read_only=True) as ledger:
            spent = ledger.spent()
        reasons = (over_budget(engine.budget, spent, sum(more), len(more), engine.name) for engine in engines)
        return next(filter(None, reasons), "")

    def _wanted_of(self, call: EngineCall) -> list[Wanted]:
        """Every entry of a request."""
        options: dict[str, Any] = {"theta": None, "pairs": None, "diagonal": "auto", "need": frozenset()}
        options |= {"orientation": "canonical", "shots": None, "repetition": 0, **call.options}
        sides = self._sides(call.program, call.X, call.Y, options.pop("theta"))
        request, index = self._request(call.program, *sides, **options)
        return self._all_wanted(request, index)


def _engines(calls: Sequence[EngineCall]) -> list[TogetherEngine]:
    """Every engine once, in order."""
    found = {id(call.engine): call.engine for call in calls}.values()
    return [engine for engine in found if isinstance(engine, TogetherEngine)]


def _new_jobs(calls: Sequence[EngineCall]) -> list[float]:
    """QPU seconds of every job that requests on one ledger would send."""
    lanes: dict[int, tuple[TogetherEngine, Lane, list[Wanted]]] = {}  # engines may share a series
    for engine in _engines(calls):
        for call in (call for call in calls if call.engine is engine):
            wanted = engine._wanted_of(call)
            if wanted and not is_measured(engine.ledger_path, wanted, engine._finished(call.program)):
                with engine._desk() as desk:
                    lane = desk.lane(call.program, engine._basis_names(call.program))
                lanes.setdefault(lane.series, (engine, lane, []))[-1].extend(wanted)
    found = []
    for engine, lane, wanted in lanes.values():
        with engine._desk() as desk:
            found += [draft.estimate for draft in desk.drafts(lane, wanted)]
            found += [block.estimate for block in desk.unsent(lane, wanted)]
    return found
