"""What a request costs on a device, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Self

from qkernels.programs import Plan
from qkernels_hardware.ledger import BlockRecord, Spending
from qkernels_hardware.routing import RoutedCircuit
from qkernels_hardware.work import BlockState, Budget, Rates, Runs, rows_per_job

__all__ = ["Alternative", "RuntimePlan", "Workload", "alternatives_for", "over_budget"]

ONE_RUN = Runs()
"""A row is one circuit with the shots that are asked for."""

_LANDMARKS = 20
"""Of the Nyström approximation that a plan proposes."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A cheaper way to an answer.

    Attributes
    ----------
    what : str
    qpu_seconds : float
    jobs : int
    fits : bool
        Whether the budget allows it.
    """

    what: str
    qpu_seconds: float
    jobs: int
    fits: bool

    def __str__(self) -> str:
        return f"{self.what}: {_time(self.qpu_seconds)}{'' if self.fits else ' (still over budget)'}"


@dataclass(frozen=True, slots=True)
class Workload:
    """Entries to measure, and what they cost.

    Attributes
    ----------
    entries, executions, jobs : int
    seconds : float
        QPU seconds.
    """

    entries: int = 0
    executions: int = 0
    jobs: int = 0
    seconds: float = 0.0

    def __add__(self, other: Workload) -> Workload:
        return Workload(
            self.entries + other.entries,
            self.executions + other.executions,
            self.jobs + other.jobs,
            self.seconds + other.seconds,
        )

    @classmethod
    def of(
        cls, entries: int, shots: int, routed: RoutedCircuit, rates: Rates, block_executions: int, runs: Runs = ONE_RUN
    ) -> Workload:
        """Of entries of one circuit, without looking at data."""
        if entries <= 0:
            return cls()
        measured = routed.measured
        rows = ceil(entries / measured.copies)
        jobs = ceil(rows / rows_per_job(measured, runs(shots), block_executions, rates))
        executions = rows * runs(shots)
        seconds = rates.seconds(executions, measured.duration) + (jobs - 1) * rates.seconds(0, 0.0)
        return cls(entries, executions, jobs, seconds)


@dataclass(frozen=True, slots=True)
class RuntimePlan(Plan):
    """What a request would do on a device; ``print`` it.

    Attributes
    ----------
    engine, num_qubits, memory_bytes, memory_limit_bytes
        As in `qkernels.programs.Plan`.
    entries : int
        Distinct matrix entries. Of expectation values, which are read from one measurement together: distinct rows
        times measured bases.
    circuits : int
        Rows of parameter values to run.
    shots : int
        Total shots, those of all tiles.
    feasible, reason : bool, str
        Whether the request fits into memory and budget and the device can run it, and why not.
    device : str
    routed : RoutedCircuit or None
        The circuit that runs, the stored one where the ledger has it: layout, gates, depth, fidelity estimated from the
        errors of now. Of the first basis where there are several.
    with_barrier, without_barrier : (int, int) or None
        Two-qubit gates and two-qubit depth of the circuit with and without the barrier between its halves; where the
        ledger has the circuit only those of that one.
    executions : int
        Rows of parameter values times shots, as billed, of what the ledger does not have.
    jobs : int
    qpu_seconds : float
        2 s a job and, for every execution, the delay between executions and the length of the circuit.
    rep_delay : float
        That delay, seconds.
    open_plan_share : float
        `qpu_seconds` as a part of an Open Plan of 28 days (600 s).
    held_entries : int
        Entries that the ledger has, or has submitted; 0 where only numbers of rows are given.
    paid_seconds, open_seconds : float
        QPU seconds that the whole ledger has been billed, and those under way.
    calibration : str
        Of the device when the stored circuit was transpiled; "" where nothing is stored.
    calibration_now : str
        Of the device now; "" where it has none.
    budget : Budget
    verdict : str
        Whether the kernel can be told from the identity at these shots; "" where only numbers of rows are given, and
        for kernels that are no all-zero count (``need={"weights"}``, expectation values).
    alternatives : tuple of Alternative
        Cheaper ways, cheapest first.
    notes : tuple of str
    ledger : str
        Path of the ledger that is paid from.
    submitted_jobs : int
        Jobs of that ledger so far.
    obstacle : str
        Why no budget is enough: the memory, or a stored circuit that the device cannot run any more; "" where there is
        nothing of the kind.
    exceeds_budget : bool
        Whether the budget is too small, or those that the parts of a sum have together are.
    unsent : tuple of (int, float)
        Blocks with entries of the request that are planned and not sent yet, with their QPU seconds.
    parts : tuple of Plan
        Those that a sum was made of; none of a single request. A sum has no circuit, verdict and alternatives of its
        own, and a budget where it is that of all parts.
    """

    device: str = ""
    routed: RoutedCircuit | None = None
    with_barrier: tuple[int, int] | None = None
    without_barrier: tuple[int, int] | None = None
    executions: int = 0
    jobs: int = 0
    qpu_seconds: float = 0.0
    rep_delay: float = 0.0
    open_plan_share: float = 0.0
    held_entries: int = 0
    paid_seconds: float = 0.0
    open_seconds: float = 0.0
    calibration: str = ""
    calibration_now: str = ""
    budget: Budget = field(default_factory=Budget)
    verdict: str = ""
    alternatives: tuple[Alternative, ...] = ()
    notes: tuple[str, ...] = ()
    ledger: str = ""
    submitted_jobs: int = 0
    obstacle: str = ""
    exceeds_budget: bool = False
    unsent: tuple[tuple[int, float], ...] = ()
    parts: tuple[Plan, ...] = ()

    def hindered(self, obstacle: str) -> Self:
        return replace(self, feasible=False, reason=obstacle, obstacle=obstacle, parts=())

    def __add__(self, other: Plan) -> RuntimePlan:
        """Both requests, one after the other, against the budgets that they share."""
        from qkernels_hardware.runtime._joint import joint_plan  # a sum is made of this class

        return joint_plan([*_parts(self), *_parts(other)])

    def __radd__(self, other: Plan) -> RuntimePlan:
        from qkernels_hardware.runtime._joint import joint_plan

        return joint_plan([*_parts(other), *_parts(self)])

    def __str__(self) -> str:
        rows = [("device", self.device)]
        for part in _parts(self):
            rows += part._circuit_rows() if isinstance(part, RuntimePlan) else [("beside", str(part))]
        share = f"{self.open_plan_share:.0%} of an Open Plan of 28 days"
        rows += [
            ("entries", f"{self.entries:,}, of which the ledger holds {self.held_entries:,}"),
            ("executions", f"{self.executions:,} in {self.jobs:,} job(s); {self.shots:,} shots in all"),
            ("QPU time", f"{_time(self.qpu_seconds)} ({share}; {self.rep_delay * 1e6:g} µs between executions)"),
            ("ledger", f"{_time(self.paid_seconds)} paid, {_time(self.open_seconds)} under way"),
        ]
        if self.budget.is_limited:
            limits = [f"{self.budget.qpu_seconds:g} s"] if self.budget.qpu_seconds is not None else []
            limits += [f"{self.budget.jobs} jobs"] if self.budget.jobs is not None else []
            rows.append(("budget", ", ".join(limits) + (": EXCEEDED" if self.exceeds_budget else ": fits")))
        if self.calibration:
            changed = self.calibration_now and self.calibration_now != self.calibration
            now = f"; the device is now of {self.calibration_now}" if changed else ""
            rows.append(("calibration", self.calibration + now))
        rows += [("verdict", one.verdict) for one in _parts(self) if isinstance(one, RuntimePlan) and one.verdict]
        rows += [("note", note) for note in self.notes]
        if not self.feasible:
            rows.append(("refused", self.reason))
        rows += [("instead", str(one)) for one in self.alternatives]
        return "\n".join(f"{name:<12} {text}" for name, text in rows)

    def _circuit_rows(self) -> list[tuple[str, str]]:
        """What runs, and what the barrier between its halves costs."""
        rows = []
        if self.routed is not None:
            rows.append(("circuit", str(self.routed).removeprefix(f"{self.device}: ")))
        if self.with_barrier is not None and self.without_barrier is not None:
            (gates, depth), (fewer, shallower) = self.with_barrier, self.without_barrier
            counts = f"{gates} two-qubit gates with it (depth {depth}), {fewer} without (depth {shallower})"
            rows.append(("barrier", counts))
        return rows


def _parts(plan: Plan) -> tuple[Plan, ...]:
    """Plans of single requests."""
    return plan.parts if isinstance(plan, RuntimePlan) and plan.parts else (plan,)


def over_budget(budget: Budget, spent: Spending, seconds: float, jobs: int, device: str) -> str:
    """Why a request of that many QPU seconds and jobs is refused; "" where it is not."""
    limit, most = budget.qpu_seconds, budget.jobs
    if limit is not None and budget.is_exceeded_by(spent.paid + spent.open + seconds):
        before = f" beside {spent.paid:.1f} s paid and {spent.open:.1f} s under way" if spent.total else ""
        return f"qpu_seconds of Budget is {limit:g}, the request needs about {seconds:.1f} s on {device}{before}."
    if most is not None and spent.jobs + jobs > most:
        before = f" beside {spent.jobs} submitted" if spent.jobs else ""
        return f"jobs of Budget is {most}, the request needs {jobs}{before}."
    return ""


def alternatives_for(
    rows: tuple[int, int | None],
    entries: int,
    shots: int,
    routed: RoutedCircuit,
    rates: Rates,
    block_executions: int,
    budget: Budget,
    spent: Spending,
    tiles: int = 1,
    runs: Runs = ONE_RUN,
) -> tuple[Alternative, ...]:
    """Cheaper ways to an answer about the same rows, cheapest first.

    Parameters
    ----------
    rows : (int, int or None)
        Distinct rows of X and of Y.
    entries : int
        To be measured.
    shots : int
    routed : RoutedCircuit
    rates : Rates
    block_executions : int
    budget : Budget
    spent : Spending
    tiles : int
        Copies that the device has room for; 1 proposes none.
    runs : Runs
        What the device runs for a row.
    """
    measured, n, other = routed.measured, rows[0], rows[1] or 0
    left = None if budget.qpu_seconds is None else budget.qpu_seconds - spent.total

    def alternative(what: str, requests: Sequence[int], each: int, copies: int = measured.copies) -> Alternative:
        """Requests of so many entries, measured one after another."""
        circuits = [ceil(count / copies) for count in requests]
        size = rows_per_job(measured, runs(each), block_executions, rates)
        jobs = sum(ceil(count / size) for count in circuits)
        seconds = rates.seconds(sum(circuits) * runs(each), measured.duration) + (jobs - 1) * rates.seconds(0, 0.0)
        fits = not budget.is_exceeded_by(spent.total + seconds)
        return Alternative(what, seconds, jobs, fits and (budget.jobs is None or spent.jobs + jobs <= budget.jobs))

    found = []
    fewer = shots if left is None else _affordable(left, entries, shots, routed, rates, block_executions, runs)
    if 1 <= fewer < shots:
        noise = f"standard error of an entry up to {0.5 / fewer**0.5:.2g}"
        found.append(alternative(f"shots={fewer} instead of {shots} ({noise})", [entries], fewer))
    if rows[1] is None:
        landmarks = min(_LANDMARKS, n)
        requests = [landmarks * (landmarks + 1) // 2, landmarks * (n - landmarks)]  # of fit and of transform
        what = f"NystroemFeatures with {landmarks} landmarks, {sum(requests):,} entries instead of {entries:,}"
        found.append(alternative(what, requests, shots))
    # A job for each of three bases, of each side; an Estimator takes all bases in one.
    requests = [3 * n, 3 * other] if measured.observables else [n, other] * 3
    what = f"ProjectedKernel, {sum(requests):,} circuits of half the depth instead of {entries:,} entries"
    found.append(alternative(what, requests, shots, copies=1))
    if tiles > 1:
        found.append(alternative(f"tiles={tiles}, that many entries side by side", [entries], shots, copies=tiles))
    as_asked = alternative("", [entries], shots)
    cheaper = (one for one in found if one.qpu_seconds < as_asked.qpu_seconds)
    return tuple(sorted(cheaper, key=lambda one: one.qpu_seconds))


def _affordable(
    seconds: float, entries: int, shots: int, routed: RoutedCircuit, rates: Rates, block_executions: int, runs: Runs
) -> int:
    """Shots of every entry that fit into QPU seconds; 0 where none do."""
    measured = routed.measured
    circuits = ceil(entries / measured.copies)
    jobs = ceil(circuits / rows_per_job(measured, runs(shots), block_executions, rates))  # with fewer shots not more
    left = (seconds - jobs * rates.seconds(0, 0.0)) / (rates.rep_delay + measured.duration)
    fits, beyond = 0, shots + 1
    while beyond - fits > 1:  # executions only grow with shots
        middle = (fits + beyond) // 2
        fits, beyond = (middle, beyond) if circuits * runs(middle) <= left else (fits, middle)
    return fits


def plan_notes(waiting: Sequence[BlockRecord], why_new: str) -> tuple[str, ...]:
    """What a user should know about the ledger's part in a plan.

    Parameters
    ----------
    waiting : sequence of BlockRecord
        Those with entries of the request that have no job.
    why_new : str
        Why the ledger has nothing of the request, though it has measurements; "" where that is not so.
    """
    planned = [block for block in waiting if block.state is BlockState.PLANNED]
    ended = [str(block.id) for block in waiting if block.state is not BlockState.PLANNED]
    notes = []
    if planned:
        seconds = _time(sum(block.estimate for block in planned))
        notes.append(
            f"of what the ledger holds, {len(planned)} block(s) are planned and not sent yet: the next call sends "
            f"them, for about {seconds} beside the QPU time above."
        )
    if ended:
        notes.append(
            f"block(s) {', '.join(ended)} ended without results and are counted as new; where the same call refuses "
            "to submit them again, RuntimeEngine.collect(retry_failed=True) does."
        )
    return (*notes, why_new) if why_new else tuple(notes)


def _time(seconds: float) -> str:
    """QPU seconds for people."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds:,.0f} s ({seconds / 60:.0f} min)"
    return f"{seconds:,.0f} s ({seconds / 3600:.1f} h)"
