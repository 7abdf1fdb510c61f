"""Takes blocks of a ledger to a device and back: submitted once, found again after any crash, collected when done."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from qkernels._errors import BudgetError, ExecutionError
from qkernels_hardware.ledger import BlockRecord
from qkernels_hardware.runtime._submitter import Submitter, Watch
from qkernels_hardware.service import JobEndedError, LostError, OutageError, judge_job
from qkernels_hardware.work import BlockState, JobState, JobStatus

__all__ = ["Runner", "Watch"]

log = logging.getLogger(__name__)


class Runner(Submitter):
    """Submits and collects the blocks of one ledger on one connection."""

    def submit(self, blocks: Iterable[int], *, retry_failed: bool = False) -> None:
        """Bring blocks to the device: those that are not there yet, each once.

        With `retry_failed` also those whose jobs failed, however often, or that the service does not know any more.

        Raises
        ------
        BudgetError
            The next job would exceed the budget; what was submitted stays submitted, the rest stays planned.
        ExecutionError
            The service refuses, or does not answer for longer than `RetryPolicy.outage`; or a job has ended without
            results, for a reason that another one would not change or as often as the policy allows: after all others
            were submitted. Before any of these is raised, results that are there are collected.
        """
        wanted, trouble = list(blocks), _Trouble()
        if retry_failed:
            self._give_up_lost(wanted)
        for block in self.ledger.blocks(wanted):
            if block.state is not BlockState.DONE and not trouble.refused:
                self._try_to_send(block, trouble, retry_failed=retry_failed)
        if trouble.errors and not trouble.out:
            for block in self.ledger.blocks(wanted):
                self._try_to_fetch(block, trouble)
        if trouble.errors:
            raise trouble.errors[0]

    def collect(self, blocks: Iterable[int], *, wait: bool = True) -> list[int]:
        """Fetch what is finished; with `wait`, until everything is. Blocks that were not submitted yet are.

        Returns
        -------
        list of int
            Blocks that are not done yet.

        Raises
        ------
        ExecutionError
            A job ended without results for good, or they could not be stored: after all others were collected. Or the
            service does not answer, or refuses a job: at once, after what is finished was collected.
        BudgetError
            A job must be submitted and the budget does not allow it; what is finished was collected.
        """
        open_blocks, pauses, trouble = list(blocks), self.policy.waits(), _Trouble()
        while open_blocks:
            remaining = [b.id for b in self.ledger.blocks(open_blocks) if not self._advance(b, trouble)]
            progress = len(remaining) < len(open_blocks)
            open_blocks = remaining
            if trouble.refused or trouble.out or not wait or not open_blocks:
                break
            if progress:
                pauses = self.policy.waits()
            self.policy.sleep(next(pauses))
        if trouble.errors:
            raise trouble.errors[0]
        return open_blocks

    def _advance(self, block: BlockRecord, trouble: _Trouble) -> bool:
        """Take a block one step further; whether nothing is left to do, or to be done now."""
        if not self._try_to_fetch(block, trouble):
            return trouble.out
        block = self._record(block.id)
        settled = (BlockState.DONE, BlockState.SUBMITTED)  # submitted still: its results could not be stored
        if block.state in settled or trouble.refused:
            return True
        return not self._try_to_send(block, trouble)

    def _try_to_send(self, block: BlockRecord, trouble: _Trouble, *, retry_failed: bool = False) -> bool:
        try:
            self._send(block, retry_failed=retry_failed)
        except (BudgetError, ExecutionError) as error:
            trouble.errors.append(error)
            trouble.refused = trouble.refused or not isinstance(error, JobEndedError)
            trouble.out = trouble.out or isinstance(error, OutageError)
            return False
        return True

    def _try_to_fetch(self, block: BlockRecord, trouble: _Trouble) -> bool:
        """Whether the job of a block has ended, or there is none to wait for."""
        if block.state is not BlockState.SUBMITTED:
            return True
        if trouble.out:
            return False
        try:
            return self._fetch(block)
        except ExecutionError as error:
            trouble.errors.append(error)
            trouble.out = isinstance(error, OutageError)
            return True

    def _give_up_lost(self, blocks: Iterable[int]) -> None:
        """Give up jobs that the service does not know, or whose results it does not have; collect what is there."""
        for block in self.ledger.blocks(list(blocks), states=[BlockState.SUBMITTED]):
            try:
                self._fetch(block)
            except LostError as lost:
                if not self._is_of_another_instance(block):
                    self.ledger.failed(block.id, str(lost.__cause__))
                    self._say("failed", block.id)
            except OutageError:
                raise
            except ExecutionError as error:  # of these results; it is told when they are collected
                log.info("block %s: %s", block.id, error)

    def _is_of_another_instance(self, block: BlockRecord) -> bool:
        known, here = self._series(block).instance, str(getattr(self.connection, "instance", ""))
        return bool(known and here and known != here)

    def _fetch(self, block: BlockRecord) -> bool:
        """Whether the job of a block has ended; then its results, or the reason, are in the ledger."""
        if block.id not in self._checked or block.attempt > 1:  # a job of an earlier attempt may show up late
            self._drop_duplicates(block)
        try:
            state = self._state(block)
            if state.status is JobStatus.DONE:
                self._store(block)
                return True
        except LostError as lost:
            raise LostError(f"{lost} {self._after_loss(block)}") from lost
        if not state.status.is_final:
            self._say("waiting", block.id)
            return False
        fault = judge_job(state)
        reason = state.reason if fault is None else fault.message
        cancelled = state.status is JobStatus.CANCELLED
        self.ledger.failed(block.id, reason, usage=self._usage(block.job_id), cancelled=cancelled)
        self._say("failed", block.id)
        return True

    def _state(self, block: BlockRecord) -> JobState:
        """Where the job of a block stands; from the list of jobs where it is not known by its id."""
        try:
            return self._ask(block)
        except LostError as lost:
            for job in self._find(block, self.ledger.block_tag(block)):
                if job.job_id == block.job_id:
                    return job
            raise LostError(f"Job {block.job_id} of block {block.id} is unknown to the service: {lost}") from lost

    def _after_loss(self, block: BlockRecord) -> str:
        """What to do about a job that the service does not know, or has no results of."""
        instance = self._series(block).instance
        return (
            f"Check that the instance is the one that it was submitted to{f' ({instance})' if instance else ''}. If it "
            "is, the job is gone: RuntimeEngine.collect(retry_failed=True), or `qkernels resume --retry-failed`, gives "
            f"it up and submits block {block.id} once more, which is billed again. {self.ledger.path} has kept "
            "everything else."
        )

    def _store(self, block: BlockRecord) -> None:
        circuit = self._circuit(block)
        what = f"download the results of job {block.job_id} of block {block.id}"
        try:
            samples = self._call("fetch", what, lambda: self.connection.fetch(block.job_id, circuit, block.primitive))
        except OutageError as error:  # of these results; others may be fine
            raise ExecutionError(str(error)) from error
        self._say("downloaded", block.id)
        self.ledger.done(
            block.id, samples, usage=self._usage(block.job_id), calibration=self._calibration_of(block.job_id)
        )
        self._say("done", block.id)

    def _calibration_of(self, job_id: str) -> str:
        """Under which a job ran; "", and that of its submission stays, where it is not known: results must not wait."""
        try:
            return self._call(
                "poll", f"read the calibration of job {job_id}", lambda: self.connection.calibration_of(job_id), tries=3
            )
        except ExecutionError as error:
            log.info("%s", error)
            return ""


@dataclass
class _Trouble:
    """What went wrong in one collection."""

    errors: list[Exception] = field(default_factory=list)
    refused: bool = False
    """A block could not be submitted: the others are not tried."""
    out: bool = False
    """The service is out of order: nothing else is tried."""
