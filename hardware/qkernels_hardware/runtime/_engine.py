"""RuntimeEngine: kernels on IBM QPUs, planned first, submitted once, kept in a ledger."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import ArrayLike
from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels.engines import Diagonal, MemoryLimit, Need, Orientation
from qkernels.programs import Program, is_count
from qkernels_hardware.routing import RoutedCircuit
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.runtime._lookup import LookupEngine
from qkernels_hardware.runtime._plan import RuntimePlan
from qkernels_hardware.runtime._planner import Counted
from qkernels_hardware.runtime._runner import Watch
from qkernels_hardware.runtime._series import OwnSeries
from qkernels_hardware.runtime._settings import Layout, Mode, settings_of
from qkernels_hardware.runtime._submission import Submission
from qkernels_hardware.runtime._together import TogetherEngine
from qkernels_hardware.service import RetryPolicy
from qkernels_hardware.work import DEFAULT_BLOCK_EXECUTIONS, BlockState, Budget

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService

__all__ = ["RuntimeEngine"]


class RuntimeEngine(LookupEngine, TogetherEngine):
    """Kernels measured on an IBM QPU through the Runtime client, or on a device model on the same way.

    The compute–uncompute circuit is transpiled once. All pairs of a request are one array of parameter values, cut into
    blocks; every block is one job of one PUB. What is planned, submitted and measured stands in a ledger on disk before
    the next step is taken, so a process may be killed at any time: the same call goes on where it ended, and nothing is
    paid twice.

    Parameters
    ----------
    backend : str or BackendV2
        A device ("ibm_fez"), an IBMBackend, a device model ("fake_fez") or another backend of Qiskit. Models and
        simulators run in this process, without account or network.
    shots : int >= 1, default=1024
        Of every entry (of every basis, for expectation values).
    service : QiskitRuntimeService, optional
        None opens the saved account, when it is first needed.
    mode : {"batch", "job", "session"}, default="batch"
        Sessions bill idle time, too, and are not part of the Open Plan.
    ledger : str, Path, "auto" or None, default="auto"
        SQLite file; its results lie beside it in ``<ledger>.results``. "auto" is ``qkernels-ledger.sqlite`` in the
        working directory for devices, and for models a ledger that ends with the process, as None is.
    budget : Budget, optional
        The most that all jobs of the ledger may cost. None is no limit.
    options : dict, optional
        Of the client's Sampler, as nested plain data: ``{"twirling": {"enable_gates": True}}``,
        ``{"dynamical_decoupling": {"enable": True}}``, ``{"max_execution_time": 600}``. With "resilience_level" or
        "resilience" the Estimator is used: error mitigation for at most 10 qubits.
    layout : "auto", "refresh" or sequence of int, default="auto"
        Physical qubits. "auto" takes the transpiler's choice by errors at first use and keeps it: later requests use
        the stored circuit. "refresh" transpiles again for the device as it is calibrated now and opens a new series,
        which shares no results with the old one; engines that are in use keep to theirs, later ones take the new one.
    optimization_level : {2, 3}, default=3
    barrier : bool, default=False
        Between U(x) and U(y)†. Without it some circuits lose gates between the halves; `plan` has both counts.
    tiles : int >= 1, default=1
        Copies of the circuit side by side on disjoint qubits with an unused one between, each measuring an entry of its
        own: so many times fewer executions. The errors of entries then differ by their tile, which is recorded.
    fractional : bool, default=False
        RZZ gates of the device with folded angles, where it has them.
    instance : str, optional
        CRN or name, where the account has several.
    block_executions : int, default=2000000
        Rows times shots of one job, at most 10 million: what one lost job costs. The default is about 9 minutes on a
        Heron, and on a Nighthawk, whose executions take 4 ms, up to 90: use a smaller number there. Jobs are cut
        smaller where twice their estimate does not fit into 3 hours or, on a device, into ``max_execution_time`` of
        `options`.
    seed : int >= 0, optional
        Of simulators. None draws one for the series that the engine opens, and goes on with one that another engine
        without a seed has opened in the ledger, on its seed.
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory.
    retry : RetryPolicy, optional
        Waits and repetitions.

    Attributes
    ----------
    is_exact : bool
        False.
    ledger_path : Path
    watch : callable or None
        Called with the name of every step ("intent", "submitted", "waiting", "done", …) and the block's record; None at
        first. It is not pickled.
    name : str
        Of the backend.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule; there is no such device model; an option is unknown.

    Warns
    -----
    CalibrationChangedWarning
        The blocks of one request were measured under different calibrations.
    QKernelsWarning
        The backend is paused; a result file is damaged and fetched again.

    See Also
    --------
    AerEngine : exact probabilities under the noise of a device model.

    Notes
    -----
    *Cost.* N(N−1)/2 entries and N of the diagonal, times shots, for a training matrix; three times N circuits for
    `qkernels.ProjectedKernel`. An execution takes about 0.25 ms on Heron devices and 4 ms on Nighthawk. `plan` says
    what a request costs, `Budget` limits it.

    *Identity.* An entry is known by its program, its two rows of angles (to 1e-9 rad), shots, backend and options. A
    second fit, another fold or more training rows measure what is new. With ``bandwidth="scale"`` another training set
    has other angles: use a number, or a kernel that was fitted once and frozen.

    *Calibrations.* `ReadoutMitigation` takes the readout errors of the day on which the series was opened: the same
    bits give the same matrix on any later day. With ``{"twirling": {"enable_measure": True}}`` these are the means of
    both kinds of errors of a qubit. Every block has the calibration under which its job ran.

    *Standard errors* are those of shots. Of an Estimator they follow from shots and readout errors, not from what the
    client says, which adds up correlated terms as if independent; with zero-noise extrapolation the larger counts. They
    are upper bounds for small overlaps, and for observables of several strings. Of a Sampler that twirls measurements
    they leave out that the shots of one random circuit have the same flips, which counts from some 10,000 shots on.
    `num_shots` are those that were run: twirling rounds them up.

    *Processes.* One process writes to a ledger at a time; worker processes of joblib wait for each other.

    Examples
    --------
    >>> from qkernels import FidelityKernel, ZZFeatureMap
    >>> from qkernels_hardware import RuntimeEngine
    >>> engine = RuntimeEngine("fake_manila", shots=256, seed=1)
    >>> kernel = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)
    >>> print(kernel.plan(20, n_features=2).jobs)
    1
    >>> kernel([[0.1, 0.2], [0.4, 0.9]]).shape
    (2, 2)
    """

    _pairs_at_once: ClassVar[int] = 1 << 30

    def __init__(
        self,
        backend: str | BackendV2,
        *,
        shots: int = 1024,
        service: QiskitRuntimeService | None = None,
        mode: Mode = "batch",
        ledger: str | Path | None = "auto",
        budget: Budget | None = None,
        options: dict[str, Any] | None = None,
        layout: Layout = "auto",
        optimization_level: int = 3,
        barrier: bool = False,
        tiles: int = 1,
        fractional: bool = False,
        instance: str | None = None,
        block_executions: int = DEFAULT_BLOCK_EXECUTIONS,
        seed: int | None = None,
        memory_limit: MemoryLimit = "auto",
        retry: RetryPolicy | None = None,
    ) -> None:
        if shots is None:
            raise InvalidParameterError("shots of RuntimeEngine must be an integer >= 1, got None: devices count.")
        super().__init__(shots=shots, seed=seed, memory_limit=memory_limit)
        self._settings = settings_of(
            backend,
            mode=mode,
            ledger=ledger,
            budget=budget,
            options=options,
            layout=layout,
            optimization_level=optimization_level,
            barrier=barrier,
            tiles=tiles,
            fractional=fractional,
            block_executions=block_executions,
            retry=retry,
        )
        self._device = Device(backend, service, instance, self._settings)
        self._series = OwnSeries(self._device, self._settings, seed, secrets.token_hex(8))
        self._path: Path | None = self._settings.ledger
        self.watch: Watch | None = None
        if self._settings.route.estimate:
            self._available = frozenset({"diagonal", "orientations"})

    def _repr_options(self) -> dict[str, object]:
        route = self._settings.route
        shown: dict[str, object] = {"backend": self.name}
        shown |= {"ledger": str(self._settings.ledger)} if self._settings.ledger is not None else {}
        shown |= {"options": self._settings.options} if self._settings.options else {}
        defaults = {"optimization_level": 3, "barrier": False, "tiles": 1, "fractional": False, "layout": None}
        return shown | {k: getattr(route, k) for k, v in defaults.items() if getattr(route, k) != v}

    # Plan, submit, collect --------------------------------------------------------------------------------------

    def circuit(self, program: Program) -> RoutedCircuit:
        """What runs on the device: layout, gates and depth after routing, duration, estimated fidelity.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
            Of expectation values, the circuit of the first basis.

        Returns
        -------
        RoutedCircuit
            As a new series would have it. A series in the ledger keeps its own circuit until ``layout="refresh"``.

        Raises
        ------
        InvalidParameterError
            The circuit has more qubits than the device, the layout does not fit it, or there are not that many tiles.
        UnsupportedCircuitError
            An instruction cannot be transpiled.
        ExecutionError
            The account or the backend cannot be opened.
        """
        self._device.calibration(self.ledger_path)  # a device that was calibrated since then has other errors
        routed = self._routed(program)
        if not routed:
            raise InvalidParameterError(
                "program of RuntimeEngine.circuit must measure something; its observables are all the identity."
            )
        return next(iter(routed.values()))

    def with_layout_of(self, program: Program) -> RuntimeEngine:
        route = self._settings.route
        if route.layout is not None or route.tiles > 1:  # tiles look for places of their own
            return self
        self._device.calibration(self.ledger_path)  # as in `circuit`
        with self._reading() as ledger:
            circuits = self._planner(ledger, program).routed
        if not circuits:  # nothing is measured
            return self
        (layout,) = next(iter(circuits.values())).layout
        other = copy(self)
        other.watch = self.watch
        other._settings = replace(self._settings, route=replace(route, layout=layout))
        other._series = copy(self._series)
        other._series.settings = other._settings
        return other

    def plan(
        self,
        program: Program,
        X: ArrayLike | int,
        Y: ArrayLike | int | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
        counted: Counted | None = None,
    ) -> RuntimePlan:
        """Costs of a request, from its circuit on the device, the ledger and the budget; nothing is submitted.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `overlaps` or `expectations`; X and Y may be numbers of rows.
        counted : set, optional
            Entries that earlier plans have counted: they cost nothing here, and those of this plan are added. Hand the
            same set, at first an empty one, to all plans of requests that are to be measured one after another.

        Returns
        -------
        RuntimePlan

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in `overlaps`.
        ExecutionError
            The account or the backend cannot be opened.
        """
        base = super().plan(
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
        a = self._row_source(program, X, theta, "X")
        b = None if Y is None else self._row_source(program, Y, theta, "Y")
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        has_data = not is_count(X) and (Y is None or not is_count(Y))
        wanted = self._all_wanted(request, index) if has_data else None
        calibration = self._device.calibration(self.ledger_path)
        with self._reading() as ledger:
            planner = self._planner(ledger, program)
            found = planner.plan(base, request, wanted, set() if counted is None else counted, calibration)
        return replace(found, ledger=str(self.ledger_path))

    def submit(
        self,
        program: Program,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Submission:
        """Hand a request to the device and return without waiting for results.

        The same request to `overlaps` or `expectations` then waits for them, in this process or in another one.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `overlaps`; Y and what follows theta only for an `OverlapProgram`.

        Returns
        -------
        Submission

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in `overlaps`.
        BudgetError
            Over budget; nothing was sent where the whole request is.
        ExecutionError
            The service refuses or does not answer; what was submitted is in the ledger.
        """
        a, b = self._sides(program, X, Y, theta)
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        wanted = self._all_wanted(request, index)
        with self._admitted(program, wanted) as desk:
            lane = desk.lane(program, self._basis_names(program))
            desk.ledger.plan_all(lane.series, desk.drafts(lane, wanted))
            blocks = desk.known_blocks(lane, wanted)
            try:
                desk.runner().submit(blocks)
            finally:
                self._device.connection.close()
            records = desk.ledger.blocks(blocks)
        return Submission(
            device=self.name,
            ledger=self.ledger_path,
            blocks=tuple(blocks),
            job_ids=tuple(record.job_id for record in records if record.job_id),
            entries=sum(len(one.keys) for one in wanted),
            done=all(record.state is BlockState.DONE for record in records),
        )

    def collect(self, *, wait: bool = True, retry_failed: bool = False, blocks: Collection[int] | None = None) -> int:
        """Bring everything of this backend in the ledger forward: submit what is planned, fetch what is finished.

        Neither data nor kernel are needed: blocks hold their own angles, series their circuits.

        Parameters
        ----------
        wait : bool, default=True
            Until all results are there. False takes what is finished now.
        retry_failed : bool, default=False
            Submit blocks again that failed as often as the policy allows, or whose job or results the service does not
            know any more.
        blocks : collection of int, optional
            Only these of the ledger, such as those that `blocks` gives; None takes all.

        Returns
        -------
        int
            Blocks that are still open.

        Raises
        ------
        BudgetError, ExecutionError
            As in `submit`; a job that failed is named, after all others were collected.
        """
        with self._desk() as desk:
            device = self._device.identity
            series = desk.ledger.all_series()
            own = [one.id for one in series if one.settings.get("identity", one.backend) == device]
            every = [b.id for s in own for b in desk.ledger.blocks(series=s) if not b.released]
            wanted = every if blocks is None else [block for block in every if block in set(blocks)]
            runner = desk.runner()
            try:
                runner.submit(wanted, retry_failed=retry_failed)
                left = runner.collect(wanted, wait=wait)
                runner.settle(every)
            finally:
                self._device.connection.close()
        return len(left)
