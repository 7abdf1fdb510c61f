"""The part of RuntimeEngine that looks at several requests together, before any of them is made."""

from __future__ import annotations

from collections.abc import Sequence

from qkernels.engines import EngineCall
from qkernels.programs import Plan
from qkernels_hardware.ledger import Spending
from qkernels_hardware.runtime._held import is_measured
from qkernels_hardware.runtime._lane import Wanted
from qkernels_hardware.runtime._measure import MeasuringEngine
from qkernels_hardware.runtime._plan import Workload, over_budget
from qkernels_hardware.runtime._planner import Counted

__all__ = ["TogetherEngine"]


class TogetherEngine(MeasuringEngine):
    """Base of RuntimeEngine: entries that several requests share are paid once, and so is the budget they share."""

    @property
    def purse(self) -> str:
        return str(self.ledger_path.resolve())

    def plan_each(self, calls: Sequence[EngineCall]) -> list[Plan]:
        counted: Counted = set()
        return [call.plan(counted=counted) for call in calls]

    def refusal(self, calls: Sequence[EngineCall]) -> str:
        """Why requests of data go beyond a budget together; "" where they do not. Nothing is submitted or opened.

        Parameters
        ----------
        calls : sequence of EngineCall, at least one
            To engines with the ledger of this one.

        Returns
        -------
        str
        """
        engines = _engines(calls)
        limited = [engine for engine in engines if engine.budget.is_limited]
        seconds, jobs = _left(calls) if limited else (0.0, 0)
        if not jobs:
            return ""
        if self.ledger_path.exists():
            for engine in {engine.name: engine for engine in engines}.values():
                with engine._desk() as desk:  # bills that have come since then
                    desk.runner().settle()
        with self._reading() as ledger:
            spent = Spending(0.0, 0.0, 0) if ledger is None else ledger.spent()
        reasons = (over_budget(engine.budget, spent, seconds, jobs, engine.name) for engine in limited)
        return next(filter(None, reasons), "")

    def _wanted_of(self, call: EngineCall) -> list[Wanted]:
        """Every entry of a request."""
        options = call.request
        sides = self._sides(call.program, call.X, call.Y, options.pop("theta"))
        request, index = self._request(call.program, *sides, **options)
        return self._all_wanted(request, index)


def _engines(calls: Sequence[EngineCall]) -> list[TogetherEngine]:
    """Every engine once, in order."""
    found = {id(call.engine): call.engine for call in calls}.values()
    return [engine for engine in found if isinstance(engine, TogetherEngine)]


def _left(calls: Sequence[EngineCall]) -> tuple[float, int]:
    """QPU seconds and jobs of what requests on one ledger, made one after another, would send."""
    counted: Counted = set()
    work, waiting = Workload(), dict[int, float]()
    for call in calls:
        engine = call.engine
        if isinstance(engine, TogetherEngine):
            wanted = engine._wanted_of(call)
            if wanted and not is_measured(engine.ledger_path, wanted, engine._finished(call.program)):
                with engine._reading() as ledger:
                    planner = engine._planner(ledger, call.program)
                    new, blocks = planner.left(call.program, wanted, counted)
                    if new.jobs:  # what cannot be sent is to be known before the other requests are
                        engine._device.calibration(engine.ledger_path)
                        planner.check(wanted)
                work += new
                waiting |= {block.id: block.estimate for block in blocks}
    return work.seconds + sum(waiting.values()), work.jobs + len(waiting)
