"""The measuring part of RuntimeEngine: requests as entries of a ledger, values from what was measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.providers import BackendV2

from qkernels._errors import BudgetError, CalibrationChangedWarning, ExecutionError
from qkernels.engines import Diagonal, Need, Orientation, PairBatch, PairwiseEngine, Prepared
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Program,
    settings_text,
)
from qkernels_hardware.ledger import Ledger
from qkernels_hardware.routing import ESTIMATE, OVERLAP, RoutedCircuit, basis_of
from qkernels_hardware.runtime._desk import Desk
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.runtime._estimated import Estimated
from qkernels_hardware.runtime._held import Current, is_measured, measured_entries
from qkernels_hardware.runtime._lane import Wanted, entry_keys
from qkernels_hardware.runtime._observe import observe
from qkernels_hardware.runtime._origin import origin_of
from qkernels_hardware.runtime._places import id_of, own_ledger, private_ledger
from qkernels_hardware.runtime._planner import Planner
from qkernels_hardware.runtime._readout import stored_readout, symmetrized
from qkernels_hardware.runtime._runner import Watch
from qkernels_hardware.runtime._series import OwnSeries, key_settings
from qkernels_hardware.runtime._settings import Settings
from qkernels_hardware.runtime._transpiled import routed_for
from qkernels_hardware.work import Budget, Mitigation, mitigation_of

__all__ = ["MeasuringEngine"]

Values = NDArray[np.float64]
Index = NDArray[np.intp]


class MeasuringEngine(PairwiseEngine):
    """Base of RuntimeEngine: it brings what a request needs into a ledger and reads it there."""

    _settings: Settings
    _device: Device
    _series: OwnSeries
    _path: Path | None
    watch: Watch | None

    @property
    def name(self) -> str:
        """Of the backend."""
        return self._device.name

    @property
    def backend(self) -> BackendV2:
        """The backend; a device is looked up when it is first needed."""
        return self._device.backend

    @property
    def budget(self) -> Budget:
        """The most that the jobs of the ledger may cost."""
        return self._settings.budget

    @property
    def ledger_path(self) -> Path:
        """SQLite file; in a temporary folder where the ledger ends with the process."""
        if self._path is None:
            self._path = private_ledger() if self.budget.is_limited else own_ledger()
        return self._path

    def __getstate__(self) -> dict[str, Any]:
        # a worker process uses the temporary ledger of its parent: an entry has one value in both
        return self.__dict__ | {"watch": None, "_path": self.ledger_path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._settings.ledger is None and not self.ledger_path.parent.exists():  # it has ended with its process
            self._path = None

    @property
    def identity(self) -> str:
        # of what a series of the ledger is known by, all but the program
        settings = key_settings(self._settings, self._series.seed)
        return f"RuntimeEngine({self._device.identity}, shots={self.shots}, {settings_text(settings)})"

    @property
    def _samples(self) -> bool:
        return True

    @property
    def _each(self) -> int:
        """Shots of every entry."""
        return int(self.shots or 0)

    @property
    def _tag(self) -> str:
        route = self._settings.route
        return f"runtime/{self._device.identity}/{self.ledger_path}/{route}/{self._settings.options}/{self._refreshed}"

    @property
    def _refreshed(self) -> str:
        return self._series.token if self._settings.refresh else ""

    @property
    def _compile_tag(self) -> str:
        return self._tag

    def _result_tag(self, program: Program) -> str:
        if isinstance(program, ExpectationProgram) and not self._bases(program):
            return self._tag  # only the identity: nothing is measured, and no ledger needed
        # another ledger at the same path has other results; its name is known before the first of them
        generation = self._series.generation(self.ledger_path, program)
        return f"{self._tag}/{id_of(self.ledger_path)}/generation {generation}"

    # What is measured -------------------------------------------------------------------------------------------

    def _desk(self) -> Desk:
        return Desk(self._device, self._settings, self._series, self.ledger_path, self.seed, self.watch)

    def _current(self, program: Program) -> Current:
        return lambda ledger: self._series.find(ledger, program)

    def _finished(self, program: Program) -> Current:
        return lambda ledger: self._series.finished(ledger, program)

    @property
    def _circuit_name(self) -> str:
        return ESTIMATE if self._settings.route.estimate else OVERLAP

    def _wanted(self, batches: Sequence[PairBatch]) -> list[Wanted]:
        return [Wanted.of_pairs(self._circuit_name, batch) for batch in batches]

    def _pair_entries(
        self,
        request: Any,
        a: Prepared,
        i: Index,
        b: Prepared,
        j: Index,
        read: Callable[[NDArray[Any]], float] | None = None,
    ) -> Values:
        if request.measured_diagonal:
            return super()._pair_entries(request, a, i, b, j, read)
        differ = np.flatnonzero((a.keys[i] != b.keys[j]).any(axis=1))
        values = np.ones((2, len(i)) if request.draw.both else len(i))
        if len(differ):
            part = replace(request, draw=request.draw.at(differ))
            values[..., differ] = super()._pair_entries(part, a, i[differ], b, j[differ], read)
        return values

    def _footprint(self, request: Any) -> Any:
        # measured bits as they are read, and once more in the cache
        bits = 0 if self._settings.route.estimate else 2 * request.shots * -(-request.program.num_qubits // 8)
        footprint = super()._footprint(request)
        return replace(footprint, work=footprint.work + bits)

    def _cached(self, kind: str, request: Any, evaluate: Callable[[], Values]) -> Values:
        # a matrix whose diagonal was not measured is another one
        known = kind == "matrix" and not request.measured_diagonal
        return super()._cached("matrix but its diagonal" if known else kind, request, evaluate)

    def _evaluate(self, request: Any, footprint: Any) -> Values:
        self._bring(request, None)
        return super()._evaluate(request, footprint)

    def _evaluate_pairs(self, request: Any, pairs: Index, footprint: Any) -> Values:
        self._bring(request, pairs)
        return super()._evaluate_pairs(request, pairs, footprint)

    def _bring(self, request: Any, index: Index | None) -> None:
        """Everything that a request needs into the ledger, in one submission and within the budget."""
        wanted = self._all_wanted(request, index)
        if wanted and not is_measured(self.ledger_path, wanted, self._finished(request.program)):
            with self._admitted(request.program, wanted) as desk:
                desk.bring(desk.lane(request.program), wanted)

    def _measured_bits(self, program: OverlapProgram, pairs: PairBatch) -> list[NDArray[Any]]:
        (found,) = self._measure(program, self._wanted([pairs]))
        return [one[:, 0] for one in found] if self._settings.route.estimate else found

    def _measure(
        self, program: Program, wanted: Sequence[Wanted], bases: tuple[str, ...] = ()
    ) -> list[list[NDArray[Any]]]:
        """Entries, from the ledger or measured now; the budget is checked before anything is sent.

        Where all of them are there, the ledger is only read: another process may have it, or nobody may write to it.
        """
        found = measured_entries(self.ledger_path, wanted, self._finished(program))
        if found is not None:
            return found
        with self._admitted(program, wanted) as desk:
            return desk.measure(desk.lane(program, bases), wanted)

    def _reading(self) -> AbstractContextManager[Ledger | None]:
        """The ledger, open beside any writer; None where there is none yet."""
        return Ledger.open(self.ledger_path, read_only=True) if self.ledger_path.exists() else nullcontext()

    @contextmanager
    def _admitted(self, program: Program, wanted: Sequence[Wanted]) -> Iterator[Desk]:
        """The ledger, open for a request that fits into the budget; one that does not opens no series."""
        if not self.ledger_path.exists():
            self._check_budget(None, program, wanted)
        with self._desk() as desk:
            self._check_budget(desk, program, wanted)
            yield desk

    def _check_budget(self, desk: Desk | None, program: Program, wanted: Sequence[Wanted]) -> None:
        if not self.budget.is_limited:
            return
        ledger = None if desk is None else desk.ledger
        new, blocks = self._planner(ledger, program).left(program, wanted)
        if not new.jobs and not blocks:
            return
        self._device.calibration(self.ledger_path)  # a new circuit is made for the device as it is now
        if desk is not None:
            desk.runner().settle()  # bills that have come since then
        if reason := self._planner(ledger, program).refusal(program, wanted):
            raise BudgetError(reason)

    def _uncertainty(self, request: Any, index: Index | None) -> tuple[Values | None, NDArray[np.int64] | None]:
        if self._settings.route.estimate:
            values = self._entries("estimate", request, index, lambda found: float(found[0]))
            stderr = self._entries("stderr", request, index, lambda found: float(found[1]))
            return self._estimated_uncertainty(request, values, stderr)
        shots = self._entries("shots", request, index, lambda found: float(len(found)))
        return None, np.rint(shots).astype(np.int64)  # twirling changes their number

    def _estimated_uncertainty(self, request: Any, values: Values, stderr: Values) -> tuple[Values, NDArray[np.int64]]:
        estimated = self._estimated(request.program)
        asked = np.broadcast_to(request.draw.shots_per_value, values.shape)
        found, shots = np.empty_like(values), np.empty(values.shape, dtype=np.int64)
        for each in np.unique(asked):
            where = asked == each
            found[where] = estimated.zero_stderr(values[where], stderr[where], int(each))
            shots[where] = self._mitigation.runs(int(each))
        return found, shots

    def _estimated(self, program: Program) -> Estimated:
        return Estimated(self._mitigation, self._stored_readout(program, ESTIMATE))

    def _entries(self, kind: str, request: Any, index: Index | None, read: Callable[[NDArray[Any]], float]) -> Values:
        if index is None:  # cached like the matrix: else a cached answer would go through all pairs again
            return self._cached(kind, request, lambda: self._matrix(request, read))
        i, j = self._listed_pairs(request, index)
        return self._pair_entries(request, request.a, i, request.b or request.a, j, read)

    def _readout(self, program: OverlapProgram) -> Values | None:
        """P(read | true) as the measured bits have it; the mean over tiles, where there are some."""
        readout = self._stored_readout(program, OVERLAP)
        return symmetrized(readout) if self._mitigation.twirls_measurements else readout

    def _stored_readout(self, program: Program, circuit: str) -> Values:
        """Of the series that has just given results."""
        with Ledger.open(self.ledger_path, read_only=True) as ledger:
            series = self._current(program)(ledger)
            if series is None:
                raise ExecutionError(
                    f"Ledger {self.ledger_path} has lost the results of this request; it was replaced or restored. "
                    "The same call measures them again."
                )
            return stored_readout(series, circuit)

    @property
    def _mitigation(self) -> Mitigation:
        return mitigation_of(self._settings.options, estimator=self._settings.route.estimate)

    def _observe(self, program: ExpectationProgram, bound: Prepared, footprint: object) -> Values:
        rows = len(bound.keys)
        if self._settings.route.estimate:
            wanted = [self._rows_wanted(ESTIMATE, bound)]
            (found,) = self._measure(program, wanted)
            values = np.stack(found, axis=1)
            values[1] = self._estimated(program).stderr(program, values[0], values[1], self._each)
        else:
            bases = self._bases(program)
            names = tuple(basis for basis, _ in bases)
            wanted = [self._rows_wanted(name, bound) for name in names]
            found_bits = self._measure(program, wanted, names) if names else []
            values = observe(program, bases, dict(zip(names, found_bits, strict=True)), rows)
        return values if bound.inverse is None else values[:, bound.inverse]

    def _rows_of_bases(self, program: ExpectationProgram, bound: Prepared) -> list[Wanted]:
        names = (ESTIMATE,) if self._settings.route.estimate else self._basis_names(program)
        return [self._rows_wanted(name, bound) for name in names]

    def _basis_names(self, program: Program) -> tuple[str, ...]:
        """Bases that the Sampler measures; none for overlaps and for an Estimator."""
        if self._settings.route.estimate or not isinstance(program, ExpectationProgram):
            return ()
        return tuple(basis for basis, _ in self._bases(program))

    def _rows_wanted(self, circuit: str, bound: Prepared) -> Wanted:
        shots = np.full(len(bound.keys), self._each, dtype=np.int64)
        return Wanted(circuit, entry_keys(bound.keys, self._each), bound.angles, shots)

    def _bases(self, program: ExpectationProgram) -> list[tuple[str, list[str]]]:
        return basis_of(sorted({label for terms in program.terms for label, _ in terms}))

    def _pauli_values(self, program: ExpectationProgram, states: Any, labels: list[str]) -> Values:
        raise NotImplementedError

    def _outcome_probabilities(self, program: OverlapProgram, prepared: Values, undone: Values) -> Values:
        raise NotImplementedError

    def _compile(self, program: Program) -> Any:
        raise NotImplementedError

    def overlaps(
        self,
        program: OverlapProgram,
        X: ArrayLike | Prepared,
        Y: ArrayLike | Prepared | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Overlaps:
        found = super().overlaps(
            program,
            X,
            Y,
            theta=theta,
            pairs=pairs,
            diagonal=diagonal,
            need=need,
            orientation=orientation,
            shots=shots,
            repetition=repetition,
        )
        a, b = self._sides(program, X, Y, theta)
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        return replace(found, info={**found.info, **self._origin(program, self._all_wanted(request, index))})

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        found = super().expectations(program, X, theta=theta)
        bound = self._bind(program, X, theta, "X")
        info = {**found.info, **self._origin(program, self._rows_of_bases(program, bound))}
        return replace(found, num_shots=self._mitigation.runs(self._each), info=info)

    def _origin(self, program: Program, wanted: Sequence[Wanted]) -> dict[str, str | int | float | bool]:
        """Where results come from; warns where they were measured under several calibrations."""
        if not self.ledger_path.exists():
            return {}
        with Ledger.open(self.ledger_path, read_only=True) as ledger:
            series = self._current(program)(ledger)
            found = {} if series is None else origin_of(ledger, series, wanted)
        if int(found.get("calibrations", 0)) > 1:
            warnings.warn(
                f"The blocks of this request were measured on {self.name} under {found['calibrations']} calibrations "
                f"({found['calibration']}): entries may differ by more than their shots. layout='refresh' measures all "
                "of them anew.",
                CalibrationChangedWarning,
                stacklevel=3,
            )
        return found

    def _routed(self, program: Program) -> dict[str, RoutedCircuit]:
        return routed_for(program, self._settings.route, self._basis_names(program), self._device)

    def _planner(self, ledger: Ledger | None, program: Program) -> Planner:
        bases = self._basis_names(program)
        return Planner(self._device, self._settings, ledger, program, bases, self._each, self._series)

    def _all_wanted(self, request: Any, index: Index | None) -> list[Wanted]:
        """Every entry that a request needs, those of rows with themselves included."""
        program = request.program
        if not isinstance(program, OverlapProgram):
            return self._rows_of_bases(program, request.a)
        a, b = request.a, request.b or request.a
        i, j = self._all_pairs(request) if index is None else self._listed_pairs(request, index)
        part = request
        if not request.measured_diagonal:
            differ = np.flatnonzero((a.keys[i] != b.keys[j]).any(axis=1))
            i, j, part = i[differ], j[differ], replace(request, draw=request.draw.at(differ))
        batches = self._batches(part, a, i, b, j)
        if request.own_entries:
            own = replace(request, draw=request.draw.at_engine(self.shots))
            for side in (a,) if b is a else (a, b):
                rows = np.arange(len(side.keys))
                batches += self._batches(own, side, rows, side, rows)
        return Wanted.joined(self._wanted([batch for batch in batches if len(batch)]))
