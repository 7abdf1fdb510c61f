"""Submits blocks of a ledger to a device, each once, whatever happens on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from qkernels._errors import BudgetError, ExecutionError, QKernelsError
from qkernels_hardware.ledger import BlockRecord, Ledger, SeriesRecord
from qkernels_hardware.runtime._transpiled import check_stored
from qkernels_hardware.service import (
    Caller,
    Fault,
    FaultKind,
    JobEndedError,
    LostError,
    RetryPolicy,
    classify,
    judge_job,
)
from qkernels_hardware.work import (
    MAX_JOB_SECONDS,
    BlockState,
    Budget,
    Connection,
    Job,
    JobState,
    JobStatus,
    MeasuredCircuit,
    most_seconds,
)

__all__ = ["Submitter", "Watch"]

Watch = Callable[[str, BlockRecord], None]
"""Called with the name of a step ("intent", "posted", "submitted", "done", …) and the block."""

log = logging.getLogger(__name__)

_CLOCK_SKEW = timedelta(days=1)
"""Jobs are looked for by their time, too, and the clock of this computer may be wrong by hours."""

_ENDED = (BlockState.FAILED, BlockState.CANCELLED)


class Submitter:
    """Brings blocks of one ledger to one connection.

    Every step is on disk before the next one is taken: the tag before the submission, the job id right after it, the
    results before the block counts as done. So a process may die at any point, and the next one goes on from there.

    Parameters
    ----------
    ledger : Ledger
        Open for writing.
    connection : Connection
    policy : RetryPolicy
    budget : Budget
    options : mapping
        Of the primitive, now; those that change results are taken from the series of a block.
    seed : int, optional
        Of a simulator.
    watch : callable, optional
    """

    def __init__(
        self,
        ledger: Ledger,
        connection: Connection,
        policy: RetryPolicy,
        budget: Budget,
        options: Mapping[str, object],
        *,
        seed: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.ledger, self.connection, self.policy, self.budget = ledger, connection, policy, budget
        self.options, self.seed = options, seed
        self._watch = watch
        self._call = Caller(policy, ledger.path)
        self._circuits: dict[int, dict[str, MeasuredCircuit]] = {}
        self._ready = self._settled = False
        self._checked: set[int] = set()
        self._runnable: set[tuple[int, str]] = set()
        self._billed: set[str] = set()

    def settle(self, blocks: Iterable[int] | None = None) -> None:
        """Ask for bills that were not known when results came, jobs failed, or second jobs could not be cancelled.

        Of these blocks; None takes all whose jobs this connection knows.
        """
        open_bills = self.ledger.unbilled()
        wanted = self._own_blocks() if blocks is None and open_bills else set(blocks or ())
        for block, job_id in open_bills:
            usage = self._usage(job_id) if block in wanted else None
            if usage is not None:
                self.ledger.note_usage(block, usage, job_id)

    def _own_blocks(self) -> set[int]:
        series = [one.id for one in self.ledger.all_series() if one.backend == self.connection.name]
        return {block.id for one in series for block in self.ledger.blocks(series=one)}

    # Submission -------------------------------------------------------------------------------------------------

    def _send(self, block: BlockRecord, *, retry_failed: bool = False) -> None:
        """Bring a block that is not done to the device, if it is not there."""
        if block.state in (BlockState.INTENT, BlockState.SUBMITTED) and self.ledger.adopt_file(block.id):
            self._say("found on disk", block.id)
        elif block.state is BlockState.INTENT:
            self._recover(block)
        elif block.state is not BlockState.SUBMITTED:
            if not retry_failed:
                self._check_attempts(block)
            self._submit(block.id)

    def _submit(self, block_id: int, *, new_attempt: bool = False) -> None:
        """Submit a block: tag, job, id; then make sure that there is no second job."""
        if not self._ready:
            self._call("open", "check the backend", self.connection.check)
            self._ready = True
        if not new_attempt and self._adopt(block_id):
            return
        block = self._record(block_id)
        self._check_budget(block)
        calibration = self._call("open", "read the calibration", self.connection.calibration)
        what = block.series, block.circuit
        if what not in self._runnable:  # the device may have changed since the block was planned
            check_stored({block.circuit: self._circuit(block)}, block.series, self.connection.backend)
            self._runnable.add(what)
        job = self._job(block)
        patience = self._call.patience(f"submit block {block_id}")
        while True:
            block = self.ledger.intend(block_id, new_attempt=new_attempt)
            self._say("intent", block_id)
            tags = f"qk-{self.ledger.id[:8]}", self.ledger.block_tag(block), block.tag
            job_id, fault = self._post(block, replace(job, tags=tags))
            if fault is None:
                break
            if fault.kind is FaultKind.NEW_BATCH:
                self.connection.close()
            elif job_id := self._look_up(block):
                break
            patience.wait(fault)
            new_attempt = True
        self.ledger.submitted(block_id, job_id, session_id=self.connection.session_id, calibration=calibration)
        self._say("submitted", block_id)
        self._drop_duplicates(self._record(block_id))

    def _post(self, block: BlockRecord, job: Job) -> tuple[str, Fault | None]:
        """The id of the job, or what went wrong; raises where trying again is no use."""
        patience = self._call.patience(f"submit block {block.id}")
        while True:
            self.policy.wait_for_slot()
            self._say("posting", block.id)
            try:
                job_id = self.connection.submit(job)
            except Exception as error:
                fault = classify(error, "submit")
                log.info("block %s was not submitted: %s", block.id, fault.message)
                if fault.kind in (FaultKind.LOOK_UP, FaultKind.NEW_BATCH):
                    return "", fault
                if fault.kind not in (FaultKind.RETRY, FaultKind.RATE_LIMITED):
                    raise self._refusal(block, fault, error) from error
                patience.wait(fault)
                continue
            self._say("posted", block.id)
            return job_id, None

    def _refusal(self, block: BlockRecord, fault: Fault, error: Exception) -> Exception:
        """What to raise where the service does not take a job, and would not take it again."""
        if isinstance(error, QKernelsError) and not isinstance(error, ExecutionError):
            return error
        if fault.kind is FaultKind.REFUSED:
            return BudgetError(
                f"The service takes no more jobs of this instance: {fault.message} Blocks that were submitted stay in "
                f"{self.ledger.path}; the same call goes on from there once the instance has time."
            )
        return ExecutionError(
            f"Block {block.id} (tag {block.tag}) was not submitted: {fault.message} The ledger {self.ledger.path} has "
            "kept everything else; the same call goes on from there."
        )

    def _recover(self, block: BlockRecord) -> None:
        """A block whose submission may have happened: take the job if there is one, else submit it again."""
        job_id = self._look_up(block) if self.connection.durable else ""
        if job_id:
            self._take(block.id, job_id)
        else:
            self._submit(block.id, new_attempt=True)

    def _adopt(self, block_id: int) -> bool:
        """Take a job that a block has and this ledger does not know of, if there is one.

        Another copy of the ledger has submitted it: one that this one was restored from, or one on another computer. Of
        the same circuit, since the tag of a block is that of its content.
        """
        if not self.connection.durable:
            return False
        block = self._record(block_id)
        found = self._living(block, self._series(block).created - _CLOCK_SKEW)
        if found:
            self.ledger.intend(block_id)
            self._take(block_id, _best(found).job_id)
        return bool(found)

    def _take(self, block_id: int, job_id: str) -> None:
        self.ledger.submitted(block_id, job_id)
        self._say("adopted", block_id)
        self._drop_duplicates(self._record(block_id))

    def _look_up(self, block: BlockRecord) -> str:
        """The job of a block, looked for until it would surely be found; "" where there is none.

        Of the latest attempt, or one of an earlier attempt that shows up late and can still give results.
        """
        waited = 0.0
        pauses = self.policy.waits()
        while True:
            found = self._living(block) or self._find(block, block.tag)
            if found:
                return _best(found).job_id
            if waited >= self.policy.tag_lag:
                return ""
            pause = next(pauses)
            self.policy.sleep(pause)
            waited += pause

    def _living(self, block: BlockRecord, since: datetime | None = None) -> list[JobState]:
        """Jobs of a block that can give results, but for those that the ledger has known and given up."""
        past = {event.detail for event in self.ledger.events(block.id) if event.what == BlockState.SUBMITTED}
        found = self._find(block, self.ledger.block_tag(block), since)
        return [job for job in found if _gives_results(job) and job.job_id not in past]

    def _find(self, block: BlockRecord, tag: str, since: datetime | None = None) -> list[JobState]:
        earliest = block.created - _CLOCK_SKEW if since is None else since
        what = f"look for the job of block {block.id} (tag {tag})"
        return self._call("find", what, lambda: self.connection.find(tag, earliest))

    def _drop_duplicates(self, block: BlockRecord) -> None:
        """A submission that was repeated on its way makes two jobs of one block: cancel all but the one we know."""
        if not self.connection.durable:
            return
        for other in self._find(block, self.ledger.block_tag(block)):
            if other.job_id == block.job_id or other.job_id in self._billed or not _gives_results(other):
                continue
            cancelled = not other.status.is_final and self._cancel(other.job_id, block)
            usage = 0.0 if cancelled and other.status is JobStatus.QUEUED else self._usage(other.job_id)
            self.ledger.note_duplicate(block.id, other.job_id, usage)
            if usage is not None:
                self._billed.add(other.job_id)
            log.warning("block %s had a second job %s; cancelled: %s", block.id, other.job_id, cancelled)
        self._checked.add(block.id)
        self._say("checked", block.id)

    def _cancel(self, job_id: str, block: BlockRecord) -> bool:
        """Cancel a job; whether it was still possible."""
        try:
            what = f"cancel job {job_id}, a second one of block {block.id}"
            return self._call("cancel", what, lambda: self.connection.cancel(job_id))
        except LostError:
            return False

    def _check_budget(self, block: BlockRecord) -> None:
        if self.budget.is_limited and not self._settled:
            self.settle()
            self._settled = True
        spent = self.ledger.spent()
        limit, jobs = self.budget.qpu_seconds, self.budget.jobs
        needed = spent.paid + spent.open + block.estimate
        own = block.estimate if block.state is BlockState.INTENT else 0.0  # it is among the open ones
        where = f"Block {block.id} and all others that are planned stay in {self.ledger.path}; raise the budget and "
        if limit is not None and self.budget.is_exceeded_by(needed - own):
            raise BudgetError(
                f"qpu_seconds of Budget is {limit:g}: {spent.paid:.1f} s are paid, {spent.open - own:.1f} s are under "
                f"way, and the next job needs about {block.estimate:.1f} s. {where}run the same call again."
            )
        if jobs is not None and spent.jobs >= jobs:
            raise BudgetError(
                f"jobs of Budget is {jobs}, and {spent.jobs} were submitted. {where}run the same call again."
            )

    def _check_attempts(self, block: BlockRecord) -> None:
        """Whether a block whose job has ended may have another one: the reason was the service's, and not too often.

        The service is asked for the reason, so that it does not matter which process has seen the job end.
        """
        if block.state not in _ENDED or not self.connection.durable:
            return
        ended = sum(event.what in _ENDED for event in self.ledger.events(block.id))
        fault = None
        if ended < self.policy.attempts and block.job_id:
            try:
                fault = judge_job(self._ask(block))
            except LostError as lost:
                log.info("block %s: %s", block.id, lost)
        if fault is None or not fault.again:
            raise JobEndedError(self._failure(block))
        log.warning("block %s: %s Submitted again.", block.id, block.reason)

    def _failure(self, block: BlockRecord) -> str:
        advice = self._longer(block) if "maximum execution time" in block.reason else "See the reason"
        return (
            f"Job {block.job_id} of block {block.id} gave no results (attempt {block.attempt}): {block.reason} "
            f"{advice}; all other blocks are safe in {self.ledger.path}. RuntimeEngine.collect(retry_failed=True), or "
            f"`qkernels resume --retry-failed`, submits it once more."
        )

    def _longer(self, block: BlockRecord) -> str:
        """What to do about a job that has too little time."""
        limit = self._limit(block)
        if limit < MAX_JOB_SECONDS:
            return f"Set max_execution_time in options of RuntimeEngine to more than {limit} s"
        return (
            f"No job may take longer (max_execution_time is {limit} s): give its entries back with Ledger.release"
            f"({block.id}), and measure them with a smaller block_executions"
        )

    def _limit(self, block: BlockRecord) -> int:
        """QPU seconds after which the job of a block is stopped."""
        limit = self.options.get("max_execution_time")
        return limit if isinstance(limit, int) else most_seconds(block.estimate)

    # Parts ------------------------------------------------------------------------------------------------------

    def _ask(self, block: BlockRecord) -> JobState:
        return self._call(
            "poll", f"ask for job {block.job_id} of block {block.id}", lambda: self.connection.state(block.job_id)
        )

    def _usage(self, job_id: str) -> float | None:
        """What a job was billed; None where that is not known: a bill may come later, and results must not wait."""
        try:
            return self._call(
                "poll", f"ask for the bill of job {job_id}", lambda: self.connection.usage(job_id), tries=3
            )
        except ExecutionError as error:
            log.info("%s", error)
            return None

    def _job(self, block: BlockRecord) -> Job:
        settings = self._series(block).settings
        planned = settings.get("seed", self.seed)  # of the engine that planned the block
        seed = (planned + int(block.fingerprint[:8], 16)) % 2**31 if isinstance(planned, int) else None
        stored = settings.get("options")
        options = dict(stored) if isinstance(stored, Mapping) else dict(self.options)
        seconds = self._limit(block)
        if self.connection.durable and block.estimate > seconds:
            raise ExecutionError(
                f"Block {block.id} needs about {block.estimate:,.1f} s, and its job would be stopped after {seconds:,} "
                f"s, with no results and a bill. {self._longer(block)}. Nothing of it was sent; all else is safe in "
                f"{self.ledger.path}."
            )
        circuit, values = self._circuit(block), self.ledger.values(block.id)
        return Job(
            circuit, block.primitive, values, block.shots, (), seconds, options, seed if isinstance(seed, int) else None
        )

    def _series(self, block: BlockRecord) -> SeriesRecord:
        return self.ledger.series_by_id(block.series)

    def _circuit(self, block: BlockRecord) -> MeasuredCircuit:
        if block.series not in self._circuits:
            self._circuits[block.series] = self.ledger.circuits(block.series)
        return self._circuits[block.series][block.circuit]

    def _record(self, block_id: int) -> BlockRecord:
        return self.ledger.blocks([block_id])[0]

    def _say(self, step: str, block_id: int) -> None:
        log.debug("block %s: %s", block_id, step)
        if self._watch is not None:
            self._watch(step, self._record(block_id))


def _gives_results(job: JobState) -> bool:
    return job.status not in (JobStatus.FAILED, JobStatus.CANCELLED)


def _best(found: Sequence[JobState]) -> JobState:
    """The job to keep of those of one block: one with results, else one that runs, else the oldest that lives."""
    order = {JobStatus.DONE: 0, JobStatus.RUNNING: 1, JobStatus.QUEUED: 2, JobStatus.CANCELLED: 3, JobStatus.FAILED: 4}
    return min(found, key=lambda state: order[state.status])
