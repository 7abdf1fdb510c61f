"""The part of a ledger that follows a job: its steps from intent to its end, and what it was billed."""

from __future__ import annotations

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.ledger._base import LedgerBase
from qkernels_hardware.ledger._records import BlockRecord
from qkernels_hardware.ledger._secrets import scrubbed
from qkernels_hardware.work import BlockState

__all__ = ["LedgerSteps"]


class LedgerSteps(LedgerBase):
    """Steps of blocks, each on disk when its method returns."""

    def block_tag(self, record: BlockRecord) -> str:
        """Name what the tags of all attempts of a block begin with; copies of a ledger have the same.

        Parameters
        ----------
        record : BlockRecord

        Returns
        -------
        str
            ``qk-<ledger>-<block>-<fingerprint>``.
        """
        return f"qk-{self.id[:8]}-{record.id}-{record.fingerprint[:8]}"

    def intend(self, block: int, *, new_attempt: bool = False) -> BlockRecord:
        """Begin an attempt: its tag is on disk before anything is sent.

        Parameters
        ----------
        block : int
            PLANNED, FAILED or CANCELLED.
        new_attempt : bool, default=False
            Also INTENT: its job was looked up by tag and is not there. That attempt is given up.

        Returns
        -------
        BlockRecord
            With the new tag: `block_tag` and ``-a<attempt>``.

        Raises
        ------
        ExecutionError
            The block is in another state or its entries were given back, or the ledger cannot be written.
        """
        allowed = [BlockState.PLANNED, BlockState.FAILED, BlockState.CANCELLED]
        if new_attempt:
            allowed.append(BlockState.INTENT)
        with self._step(block, BlockState.INTENT, allowed, "Nothing was sent.") as (connection, record):
            if record.released:
                raise ExecutionError(
                    f"Ledger {self.path}: the entries of block {record.id} were given back; it cannot be submitted. "
                    "Plan them again."
                )
            now = self._now()
            if record.state is BlockState.INTENT:
                connection.execute(
                    "UPDATE attempts SET kept = 0, reason = 'no job was found', finished = ? "
                    "WHERE block = ? AND attempt = ?",
                    (now, record.id, record.attempt),
                )
            attempt = record.attempt + 1
            tag = f"{self.block_tag(record)}-a{attempt}"
            connection.execute(
                "INSERT INTO attempts (block, attempt, tag, intended) VALUES (?, ?, ?, ?)",
                (record.id, attempt, tag, now),
            )
            connection.execute("UPDATE blocks SET state = 'intent', attempt = ? WHERE id = ?", (attempt, record.id))
            self._log(connection, record.id, BlockState.INTENT, tag)
        return self._block(record.id)

    def submitted(self, block: int, job_id: str, *, session_id: str = "", calibration: str = "") -> None:
        """Store the id of the job that measures a block.

        Parameters
        ----------
        block : int
            INTENT.
        job_id : str
        session_id : str, default=""
        calibration : str, default=""
            Of the device now.

        Raises
        ------
        InvalidParameterError
            `job_id` is empty.
        ExecutionError
            The block is in another state, or the ledger cannot be written.
        """
        if not job_id:
            raise InvalidParameterError("Ledger.submitted: job_id must not be empty; got ''.")
        consequence = (
            f"Job {job_id} was submitted and its id could not be stored; its tag is stored, so the next start finds "
            "the job by it and does not submit again."
        )
        with self._step(block, BlockState.SUBMITTED, [BlockState.INTENT], consequence) as (connection, record):
            connection.execute(
                "UPDATE attempts SET job_id = ?, session_id = ?, calibration = ?, submitted = ? "
                "WHERE block = ? AND attempt = ?",
                (job_id, session_id, calibration, self._now(), record.id, record.attempt),
            )
            connection.execute("UPDATE blocks SET state = 'submitted' WHERE id = ?", (record.id,))
            self._log(connection, record.id, BlockState.SUBMITTED, job_id)

    def failed(self, block: int, reason: str, *, usage: float | None = None, cancelled: bool = False) -> None:
        """Give an attempt up. The entries stay with the block, so that it can be tried again.

        Parameters
        ----------
        block : int
            INTENT or SUBMITTED.
        reason : str
            What looks like a token in it is not stored.
        usage : float, default=None
            QPU seconds billed all the same; they count as waste.
        cancelled : bool, default=False
            The block becomes CANCELLED, not FAILED.

        Raises
        ------
        ExecutionError
            The block is in another state, or the ledger cannot be written.
        """
        state = BlockState.CANCELLED if cancelled else BlockState.FAILED
        allowed = [BlockState.INTENT, BlockState.SUBMITTED]
        text = scrubbed(reason)
        consequence = f"That the attempt ended ({text}) was not stored; the next start asks for its job again."
        with self._step(block, state, allowed, consequence) as (connection, record):
            connection.execute(
                "UPDATE attempts SET kept = 0, reason = ?, usage = coalesce(?, usage), finished = ? "
                "WHERE block = ? AND attempt = ?",
                (text, usage, self._now(), record.id, record.attempt),
            )
            connection.execute("UPDATE blocks SET state = ? WHERE id = ?", (state.value, record.id))
            self._log(connection, record.id, state, text)

    def release(self, block: int) -> None:
        """Give the entries of a block back, so that others may measure them. It cannot be submitted any more.

        Parameters
        ----------
        block : int
            FAILED, CANCELLED, or PLANNED (which becomes CANCELLED).

        Raises
        ------
        ExecutionError
            The block is in another state, or the ledger cannot be written.
        """
        allowed = [BlockState.PLANNED, BlockState.FAILED, BlockState.CANCELLED]
        with self._step(block, "released", allowed, "Nothing was sent.") as (connection, record):
            connection.execute("DELETE FROM entries WHERE block = ?", (record.id,))
            state = BlockState.CANCELLED if record.state is BlockState.PLANNED else record.state
            connection.execute("UPDATE blocks SET released = 1, state = ? WHERE id = ?", (state.value, record.id))
            self._log(connection, record.id, "release", f"{record.entries} entries")

    def note_usage(self, block: int, usage: float, job_id: str = "") -> None:
        """Store what a job of a block was billed; of a failed attempt and of a second job it is waste.

        Parameters
        ----------
        block : int
        usage : float
            QPU seconds. A second call replaces the first.
        job_id : str, default=""
            Of an attempt of this block or of a duplicate; "" is the latest attempt.

        Raises
        ------
        ExecutionError
            There was no attempt, or the ledger cannot be written.
        """
        with self._step(block, "billed", list(BlockState), f"Its bill ({usage:g} s) was not stored.") as (
            connection,
            record,
        ):
            if record.attempt == 0:
                raise ExecutionError(f"Ledger {self.path}: block {record.id} was never submitted; it costs nothing.")
            connection.execute(
                "UPDATE attempts SET usage = ? WHERE block = ? AND CASE ? WHEN '' THEN attempt = ? ELSE job_id = ? END",
                (float(usage), record.id, job_id, record.attempt, job_id),
            )
            connection.execute(
                "UPDATE duplicates SET usage = ? WHERE block = ? AND job_id = ?", (float(usage), record.id, job_id)
            )
            self._log(connection, record.id, "usage", f"{job_id}: {usage:g} s" if job_id else f"{usage:g} s")

    def note_duplicate(self, block: int, job_id: str, usage: float | None) -> None:
        """Store a job that was submitted beside the one that counts.

        Parameters
        ----------
        block : int
        job_id : str
            Of an earlier attempt whose id is known, it is counted there.
        usage : float or None
            QPU seconds billed; None where it is not known. A second call for this job replaces what was not known.

        Raises
        ------
        ExecutionError
            The ledger cannot be written.
        """
        with self._step(block, "billed", list(BlockState), f"The second job {job_id} was not stored.") as (
            connection,
            record,
        ):
            known = connection.execute(
                "UPDATE attempts SET usage = coalesce(?, usage) WHERE job_id = ?", (usage, job_id)
            ).rowcount
            if not known:
                connection.execute(
                    "INSERT INTO duplicates VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (job_id) DO UPDATE SET usage = coalesce(excluded.usage, usage)",
                    (job_id, record.id, usage, self._now()),
                )
            self._log(connection, record.id, "duplicate", job_id)
