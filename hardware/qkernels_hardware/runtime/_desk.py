"""One request at work: its series in the ledger, the blocks it needs, the device they go to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.programs import Program
from qkernels_hardware.ledger import LedgerFileError, SeriesRecord
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.runtime._held import read_entries
from qkernels_hardware.runtime._lane import Lane, Wanted
from qkernels_hardware.runtime._places import in_this_process, open_ledger
from qkernels_hardware.runtime._readout import readout_settings
from qkernels_hardware.runtime._runner import Runner, Watch
from qkernels_hardware.runtime._series import OwnSeries, lane_of
from qkernels_hardware.runtime._settings import Settings
from qkernels_hardware.runtime._transpiled import check_stored, routed_for
from qkernels_hardware.service import RetryPolicy
from qkernels_hardware.work import BlockState, Draft

__all__ = ["Desk"]

_READINGS = 3
"""How often results are fetched again that turn out to be damaged."""

_AT_ONCE = RetryPolicy(submissions_per_period=1_000_000, submission_period=1e-3).scaled(1e-3)
"""Nobody limits or delays the jobs of a model."""


class Desk:
    """A ledger, open for one request.

    Parameters
    ----------
    device : Device
    settings : Settings
    series : OwnSeries
        Of the engine.
    path : Path
        Of the ledger.
    seed : int
        Of simulators, for series that are opened now.
    watch : callable, optional
    """

    def __init__(
        self, device: Device, settings: Settings, series: OwnSeries, path: Path, seed: int, watch: Watch | None = None
    ) -> None:
        self.device, self.settings, self.series, self._seed = device, settings, series, seed
        self._watch = watch
        self._lock = in_this_process(path)
        self._lock.acquire()
        try:
            self.ledger = open_ledger(path)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.ledger.close()
        finally:
            self._lock.release()

    # Series -----------------------------------------------------------------------------------------------------

    def lane(self, program: Program, bases: tuple[str, ...] = ()) -> Lane:
        """The series of a program: the one in the ledger, or a new one with circuits transpiled now."""
        record = self.series.find(self.ledger, program)
        if record is None:
            record = self._add(program, bases)
        self.series.keep(self.ledger, program, record)
        return lane_of(self.ledger, record, program, self.settings, bases)

    def _add(self, program: Program, bases: tuple[str, ...]) -> SeriesRecord:
        calibration = self.device.calibration(self.ledger.path)
        routed = routed_for(program, self.settings.route, bases, self.device)
        circuits = [one.measured for one in routed.values()]
        return self.ledger.add_series(
            self.series.key(program),
            program=program.key,
            backend=self.device.name,
            instance=self.device.instance,
            settings={
                "known_by": self.series.known_by,
                "content": self.series.content(program, circuits),
                "refresh": self.settings.refresh,
                "options": self.settings.options,
                "layout": {name: [list(places) for places in one.layout] for name, one in routed.items()},
                "names": {name: list(one.names) for name, one in routed.items()},
                "routed": {name: str(one) for name, one in routed.items()},
                "readout": readout_settings(self.device.backend, circuits, local=self.device.local),
                "tiles": self.settings.route.tiles,
                "fractional": self.settings.route.fractional,
                "mode": self.settings.mode,
                "identity": self.device.identity,
                "seed": self._seed if self.device.local else None,
            },
            circuits=circuits,
            calibration=calibration,
        )

    # Blocks -----------------------------------------------------------------------------------------------------

    def drafts(self, lane: Lane, wanted: Sequence[Wanted]) -> list[Draft]:
        """Blocks for the entries that the ledger does not know, each entry once.

        Raises
        ------
        ExecutionError
            The device cannot run the stored circuit any more.
        """
        found: list[Draft] = []
        seen: set[tuple[str, bytes]] = set()
        for some in wanted:
            blocks, _ = self.ledger.find(lane.series, some.circuit, some.keys, failed=True)
            new = []
            for entry in np.flatnonzero(blocks < 0):
                name = some.circuit, bytes(some.keys[entry])
                if name not in seen:
                    seen.add(name)
                    new.append(entry)
            if new:  # a request that the ledger answers needs no backend
                if not found:
                    self.device.calibration(self.ledger.path)
                    check_stored(lane.circuits, lane.series, self.device.backend)
                part, size = some.take(np.array(new)), self.settings.block_executions
                found += lane.drafts(part, self.device.rates, size, bounded=self.device.bounds_rzz)
        return found

    def known_blocks(self, lane: Lane, wanted: Sequence[Wanted]) -> list[int]:
        """Blocks that the ledger has for these entries, those that failed included, ascending."""
        blocks = [self.ledger.find(lane.series, some.circuit, some.keys, failed=True)[0] for some in wanted]
        found = np.unique(np.concatenate(blocks)) if blocks else np.empty(0, dtype=np.int64)
        return [int(block) for block in found if block >= 0]

    def runner(self) -> Runner:
        """What submits and collects."""
        return Runner(
            self.ledger,
            self.device.connection,
            _AT_ONCE if self.device.local else self.settings.policy,
            self.settings.budget,
            self.settings.options,
            seed=self._seed if self.device.local else None,
            watch=self._watch,
        )

    def read(self, lane: Lane, wanted: Wanted) -> list[NDArray[Any]]:
        """What was measured of each entry: bits (shots, ⌈n/8⌉), or values and standard errors (2, n_observables).

        Raises
        ------
        LedgerFileError
            A result file is damaged; its block has to be fetched again.
        """
        return read_entries(self.ledger, lane.series, wanted)

    def bring(self, lane: Lane, wanted: Sequence[Wanted]) -> None:
        """All entries into the ledger: those that it does not have are measured now.

        Raises
        ------
        BudgetError, ExecutionError
            As `Runner.submit` and `Runner.collect`.
        """
        self.ledger.plan_all(lane.series, self.drafts(lane, wanted))
        blocks = self.known_blocks(lane, wanted)
        open_blocks = [b.id for b in self.ledger.blocks(blocks) if b.state is not BlockState.DONE] if blocks else []
        if not open_blocks:
            return
        runner = self.runner()
        try:
            runner.submit(open_blocks)
            runner.collect(open_blocks)
        finally:
            self.device.connection.close()

    def measure(self, lane: Lane, wanted: Sequence[Wanted]) -> list[list[NDArray[Any]]]:
        """All entries: from the ledger, or measured now.

        Raises
        ------
        BudgetError, ExecutionError
            As `bring`.
        """
        for _ in range(_READINGS - 1):
            self.bring(lane, wanted)
            try:
                return [self.read(lane, some) for some in wanted]
            except LedgerFileError:  # it was put aside with a warning; fetch its block again
                continue
        self.bring(lane, wanted)
        return [self.read(lane, some) for some in wanted]
