"""Counts what a request costs: entries that the ledger lacks, jobs, QPU seconds, and what would be cheaper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qkernels._errors import ExecutionError, QKernelsError
from qkernels.programs import ExpectationProgram, OverlapProgram, Plan, Program
from qkernels_hardware.ledger import BlockRecord, Ledger, SeriesRecord, Spending
from qkernels_hardware.routing import ESTIMATE, OVERLAP, RoutedCircuit, check_executions, find_tiles
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.runtime._differences import why_new
from qkernels_hardware.runtime._lane import Wanted
from qkernels_hardware.runtime._plan import (
    Alternative,
    RuntimePlan,
    Workload,
    alternatives_for,
    over_budget,
    plan_notes,
)
from qkernels_hardware.runtime._series import OwnSeries, stored_circuits
from qkernels_hardware.runtime._settings import Settings
from qkernels_hardware.runtime._transpiled import check_stored, routed_for
from qkernels_hardware.runtime._verdict import concentration_verdict
from qkernels_hardware.work import OPEN_PLAN_SECONDS, WITHOUT_JOB, BlockState, runs_per_row

__all__ = ["Counted", "Planner"]

Counted = set[tuple[str, str, bytes]]
"""Entries of one ledger, by series, circuit and content key."""

_TILES = 8
"""That a plan proposes."""


class Planner:
    """Plans requests of one program on one device.

    Parameters
    ----------
    device : Device
    settings : Settings
    ledger : Ledger or None
        None where there is none yet.
    program : Program
    bases : tuple of str
        Of an `ExpectationProgram`, where a Sampler measures it.
    shots : int
        Of the engine.
    own : OwnSeries
        Of the engine.

    Attributes
    ----------
    series : SeriesRecord or None
        That the requests add to; None where they open a new one.
    routed : dict of str to RoutedCircuit
        What runs: the circuits of that series, or those that a new one would have.
    """

    def __init__(
        self,
        device: Device,
        settings: Settings,
        ledger: Ledger | None,
        program: Program,
        bases: tuple[str, ...],
        shots: int,
        own: OwnSeries,
    ) -> None:
        self.device, self.settings, self.ledger, self.shots = device, settings, ledger, shots
        self.own, self.series = own, None if ledger is None else own.find(ledger, program)
        if ledger is not None and self.series is not None:
            self.routed = stored_circuits(ledger, self.series, device.backend)
        else:
            self.routed = routed_for(program, settings.route, bases, device)
        self.first = next(iter(self.routed.values()), None)
        self.rates = device.rates

    @property
    def spent(self) -> Spending:
        """What the ledger has cost so far."""
        return Spending(0.0, 0.0, 0) if self.ledger is None else self.ledger.spent()

    def plan(
        self, base: Plan, request: Any, wanted: Sequence[Wanted] | None, counted: Counted, calibration: str
    ) -> RuntimePlan:
        """A plan of a request.

        Parameters
        ----------
        base : Plan
            Of entries, shots and memory.
        request : Request
        wanted : sequence of Wanted, or None
            Its entries; None where only numbers of rows are given.
        counted : set
            Entries that other plans have counted, and that cost nothing here; those of this one are added.
        calibration : str
            Of the device now.
        """
        series = self.series
        work, held = (
            (self._counted(request), 0) if wanted is None else self._listed(series, request.program, wanted, counted)
        )
        if isinstance(request.program, ExpectationProgram):  # a row is measured in every basis, not for every value
            rows = len(request.a.keys)
            runs = [runs_per_row(one.measured, self.settings.options) for one in self.routed.values()]
            shots_in_all = rows * sum(of_a_row(self.shots) for of_a_row in runs)
            circuits = rows * len(self.routed)
            base = replace(base, circuits=circuits, entries=circuits, shots=shots_in_all)
        distinct = base.entries if wanted is None else sum(len(some.keys) for some in wanted)
        budget, spent = self.settings.budget, self.spent
        waiting = self._waiting(series, wanted or ())
        planned = [block for block in waiting if block.state is BlockState.PLANNED]  # the others are counted as new
        seconds, jobs = work.seconds + sum(block.estimate for block in planned), work.jobs + len(planned)
        obstacle = base.reason or (self._refused_circuit() if jobs else "")
        exceeded = over_budget(budget, spent, seconds, jobs, self.device.name) if jobs else ""
        reason = obstacle or exceeded
        shots = int(np.max(request.draw.total_shots))
        verdict = ""
        if wanted is not None and isinstance(request.program, OverlapProgram) and not request.weights:
            # of all-zero counts; what kernels of whole outcomes make of theirs, they alone know
            verdict = concentration_verdict(request.program, request.a, shots)
        why = ""
        if wanted is not None and self.ledger is not None and not held and not waiting:
            why = why_new(self.ledger, self.own, request.program, wanted)
        with_barrier, without_barrier = self._both(request.program)
        return RuntimePlan(
            engine=base.engine,
            num_qubits=base.num_qubits,
            circuits=base.circuits,
            entries=base.entries,
            shots=base.shots,
            memory_bytes=base.memory_bytes,
            memory_limit_bytes=base.memory_limit_bytes,
            feasible=not reason,
            reason=reason,
            device=self.device.name,
            routed=self.first,
            with_barrier=with_barrier,
            without_barrier=without_barrier,
            executions=work.executions,
            jobs=work.jobs,
            qpu_seconds=work.seconds,
            rep_delay=self.rates.rep_delay,
            open_plan_share=work.seconds / OPEN_PLAN_SECONDS,
            held_entries=held,
            paid_seconds=spent.paid,
            open_seconds=spent.open,
            calibration="" if series is None else series.calibration,
            calibration_now=calibration,
            budget=budget,
            verdict=verdict,
            alternatives=self._alternatives(request, distinct - held, shots) if work.jobs else (),
            notes=plan_notes(waiting, why),
            submitted_jobs=spent.jobs,
            obstacle=obstacle,
            exceeds_budget=bool(exceeded),
            unsent=tuple((block.id, block.estimate) for block in planned),
        )

    def left(
        self, program: Program, wanted: Sequence[Wanted], counted: Counted | None = None
    ) -> tuple[Workload, list[BlockRecord]]:
        """What a request would send: new entries, and blocks without a job.

        Parameters
        ----------
        program : Program
        wanted : sequence of Wanted
        counted : set, optional
            As in `plan`.
        """
        work, _ = self._listed(self.series, program, wanted, set() if counted is None else counted, failed=True)
        return work, self._waiting(self.series, wanted)

    def check(self, wanted: Sequence[Wanted]) -> None:
        """Whether a request can be sent at all.

        Raises
        ------
        ExecutionError
            The device cannot run the stored circuits any more.
        InvalidParameterError
            One row has more shots than a job may.
        """
        if self.series is not None:
            circuits = {name: one.measured for name, one in self.routed.items()}
            check_stored(circuits, self.series.id, self.device.backend)
        for some in wanted:
            runs = runs_per_row(self.routed[some.circuit].measured, self.settings.options)
            check_executions(1, runs(int(some.shots.max())))

    def refusal(self, program: Program, wanted: Sequence[Wanted]) -> str:
        """Why a request is over budget, with the cheapest ways to fit; "" where it is not."""
        work, old = self.left(program, wanted)
        seconds, jobs = work.seconds + sum(block.estimate for block in old), work.jobs + len(old)
        reason = over_budget(self.settings.budget, self.spent, seconds, jobs, self.device.name) if jobs else ""
        if not reason:
            return ""
        ways: tuple[Alternative, ...] = ()
        if wanted[0].circuit in (OVERLAP, ESTIMATE) and isinstance(program, OverlapProgram):
            entries = work.entries + sum(block.entries for block in old)
            ways = self._ways(_rows_of(wanted[0]), entries, int(wanted[0].shots.max()))
        cheaper = "".join(f"\n- {way}" for way in ways)
        return f"{reason} Nothing was sent. Raise the budget{f', or:{cheaper}' if cheaper else '.'}"

    def _refused_circuit(self) -> str:
        """Why the device cannot run the stored circuits any more; "" where it can, or where there are none."""
        try:
            self.check(())
        except ExecutionError as error:
            return str(error)
        return ""

    def _counted(self, request: Any) -> Workload:
        """Of numbers of rows: nothing is known to the ledger, and no rows are equal."""
        draw = request.draw
        if isinstance(request.program, ExpectationProgram):
            parts = [self._work(len(request.a.keys), int(draw.shots), one) for one in self.routed.values()]
            return sum(parts, Workload())
        counts: Counter[int] = Counter()
        if isinstance(draw.shots_per_value, np.ndarray):
            counts.update(draw.shots_per_value.tolist())
        else:
            counts[int(draw.shots_per_value)] += request.entries - request.own_entries
        counts[int(draw.at_engine(self.shots).shots_per_value)] += request.own_entries
        (routed,) = self.routed.values()
        return sum((self._work(n * draw.num_values, shots, routed) for shots, n in counts.items()), Workload())

    def _listed(
        self,
        series: SeriesRecord | None,
        program: Program,
        wanted: Sequence[Wanted],
        counted: Counted,
        *,
        failed: bool = False,
    ) -> tuple[Workload, int]:
        """Work that is left, and entries that the ledger holds, those of blocks that failed included or not."""
        work, held = Workload(), 0
        opened = f"{self.own.key(program)}/{self.own.token if self.settings.refresh else ''}"
        where = opened if series is None else str(series.id)
        for some in wanted:
            new = np.ones(len(some.keys), dtype=bool)
            if series is not None and self.ledger is not None:
                blocks, _ = self.ledger.find(series.id, some.circuit, some.keys, failed=failed)
                new = blocks < 0
                held += int((~new).sum())
            for entry in np.flatnonzero(new):
                name = where, some.circuit, bytes(some.keys[entry])
                new[entry] = name not in counted
                counted.add(name)
            for shots in np.unique(some.shots[new]):
                count = int((some.shots[new] == shots).sum())
                work += self._work(count, int(shots), self.routed[some.circuit])
        return work, held

    def _waiting(self, series: SeriesRecord | None, wanted: Sequence[Wanted]) -> list[BlockRecord]:
        """Blocks of these entries that have no job: planned and not sent yet, or ended without results."""
        if series is None or self.ledger is None:
            return []
        found: set[int] = set()
        for some in wanted:
            blocks, _ = self.ledger.find(series.id, some.circuit, some.keys, failed=True)
            found.update(blocks[blocks >= 0].tolist())
        return [block for block in self.ledger.blocks(found) if block.state in WITHOUT_JOB] if found else []

    def _work(self, entries: int, shots: int, routed: RoutedCircuit) -> Workload:
        runs = runs_per_row(routed.measured, self.settings.options)
        return Workload.of(entries, shots, routed, self.rates, self.settings.block_executions, runs)

    def _both(self, program: Any) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Two-qubit gates and depth with and without the barrier between the halves; of a stored circuit its own."""
        if not isinstance(program, OverlapProgram) or self.first is None:
            return None, None
        if self.series is not None:
            stored = self.first.two_qubit_gates, self.first.two_qubit_depth
            return (stored, None) if self.settings.route.barrier else (None, stored)
        counts = []
        for barrier in (True, False):
            options = replace(self.settings.route, barrier=barrier, tiles=1)
            (one,) = routed_for(program, options, (), self.device).values()
            counts.append((one.two_qubit_gates, one.two_qubit_depth))
        return counts[0], counts[1]

    def _alternatives(self, request: Any, entries: int, shots: int) -> tuple[Alternative, ...]:
        if not isinstance(request.program, OverlapProgram) or request.num_pairs is not None:
            return ()
        rows = len(request.a.keys), None if request.b is None else len(request.b.keys)
        return self._ways(rows, entries, shots)

    def _ways(self, rows: tuple[int, int | None], entries: int, shots: int) -> tuple[Alternative, ...]:
        if self.first is None:
            return ()
        return alternatives_for(
            rows,
            entries,
            shots,
            self.first,
            self.rates,
            self.settings.block_executions,
            self.settings.budget,
            self.spent,
            self._room(),
            runs_per_row(self.first.measured, self.settings.options),
        )

    def _room(self) -> int:
        """Tiles that a plan proposes: eight, where the device has them; 1 where tiles are used or it has not."""
        if self.first is None or self.first.measured.copies > 1 or self.settings.route.estimate:
            return 1
        try:
            find_tiles(self.first.measured.circuit, self.device.backend.target, _TILES)
        except QKernelsError:
            return 1
        return _TILES


def _rows_of(wanted: Wanted) -> tuple[int, int | None]:
    """Distinct rows behind entries of pairs; the second number is None where they are those of a Gram matrix."""
    prepared, undone = np.split(wanted.angles, 2, axis=1)
    n = len(np.unique(np.vstack([prepared, undone]), axis=0)) if prepared.shape[1] else 1
    return n, None if len(wanted.keys) >= n * (n - 1) // 2 else 0
