"""The part of a ledger that keeps results: files that are there as a whole or not at all, and checked when read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np

from qkernels._errors import ExecutionError, QKernelsWarning
from qkernels_hardware.ledger._base import LedgerBase
from qkernels_hardware.ledger._files import digest, file_name, pack, quarantine, unpack, write_whole
from qkernels_hardware.ledger._records import BlockRecord, LedgerFileError
from qkernels_hardware.work import BlockState, Samples

__all__ = ["LedgerResults"]


class LedgerResults(LedgerBase):
    """Results of blocks."""

    def done(self, block: int, samples: Samples, *, usage: float | None, calibration: str = "") -> None:
        """Store the results of a block: the file first, then that it is there.

        Parameters
        ----------
        block : int
            SUBMITTED.
        samples : Samples
        usage : float or None
            QPU seconds billed; None where it is not known yet (`note_usage`).
        calibration : str, default=""
            Of the device when it was measured; "" keeps that of the submission.

        Raises
        ------
        ExecutionError
            The block is in another state, the results do not fit it, or they could not be stored: then the block is as
            it was, and the service still has them.
        """
        record = self._block(block)
        self._database.check_writable()
        self._check_state(record, BlockState.DONE, [BlockState.SUBMITTED])
        if problem := _misfit(samples, record):
            raise ExecutionError(
                f"Ledger {self.path}: job {record.job_id} gave results that do not fit block {record.id}: {problem}. "
                "They were not stored."
            )
        identity = {
            **self._identity(record),
            "job_id": record.job_id,
            "usage": usage,
            "calibration": calibration or record.calibration,
        }
        content = pack(samples, identity)
        consequence = (
            f"The results of block {record.id} could not be stored; the service still has them (job {record.job_id}), "
            "and the next start takes them from there."
        )
        try:
            write_whole(self.results, file_name(record.id), content)
        except OSError as error:
            raise ExecutionError(
                f"Ledger {self.path}: {error}. {consequence} Make room, or change the permissions."
            ) from error
        self._finish(record, samples, content, identity, consequence)

    def adopt_file(self, block: int) -> bool:
        """Take results that were written just before a crash: the file is there, whole, and says that it is this one.

        Parameters
        ----------
        block : int
            INTENT or SUBMITTED.

        Returns
        -------
        bool
            Whether the block is DONE now; otherwise nothing has changed.

        Raises
        ------
        ExecutionError
            The block is in another state, or the ledger cannot be written.
        """
        record = self._block(block)
        self._database.check_writable()
        self._check_state(record, BlockState.DONE, [BlockState.INTENT, BlockState.SUBMITTED])
        try:
            content = (self.results / file_name(record.id)).read_bytes()
            samples, identity = unpack(content)
        except (OSError, ValueError):
            return False
        if any(identity.get(name) != value for name, value in self._identity(record).items()):
            return False
        if _misfit(samples, record):
            return False
        self._finish(record, samples, content, identity, f"The results are in {self.results / file_name(record.id)}.")
        return True

    def read(self, block: int) -> Samples:
        """Read the results of a block, checked against what was written.

        Parameters
        ----------
        block : int
            DONE.

        Returns
        -------
        Samples
            Bit for bit what `done` was given.

        Raises
        ------
        LedgerFileError
            The file is missing, incomplete, or another one. It was moved to ``<name>.quarantine-<n>``, and the block is
            SUBMITTED again (its job can be fetched again) or PLANNED (it has no job id); a QKernelsWarning says so. Of
            a ledger that was opened to read, nothing is moved.
        ExecutionError
            The block is in another state, or the file cannot be read for another reason.
        """
        record = self._block(block)
        if record.state is not BlockState.DONE:
            raise ExecutionError(
                f"Ledger {self.path}: block {record.id} is {record.state.value!r}; only a block that is 'done' has "
                "results."
            )
        path = self.results / record.file
        samples, problem = None, "it is missing"
        try:
            samples, problem = self._verified(record, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise ExecutionError(f"Ledger {self.path}: {path} cannot be read: {error}. Nothing was changed.") from error
        if samples is None:
            raise self._put_back(record, path, problem)
        return samples

    def _identity(self, record: BlockRecord) -> dict[str, object]:
        return {"ledger": self.id, "block": record.id, "fingerprint": record.fingerprint, "tag": record.tag}

    def _finish(
        self, record: BlockRecord, samples: Samples, content: bytes, identity: Mapping[str, Any], consequence: str
    ) -> None:
        """Say that the file of a block is there."""
        num_shots = record.shots if samples.bits is None else samples.bits.shape[2]
        # Nobody else writes, but another thread may have gone on since the record was read.
        allowed: Sequence[BlockState] = [record.state]
        with self._step(record.id, BlockState.DONE, allowed, consequence) as (connection, _):
            connection.execute(
                "UPDATE attempts SET usage = coalesce(?, usage), calibration = ?, finished = ?, "
                "job_id = CASE job_id WHEN '' THEN ? ELSE job_id END WHERE block = ? AND attempt = ?",
                (
                    *(identity["usage"], identity["calibration"], self._now(), identity["job_id"]),
                    *(record.id, record.attempt),
                ),
            )
            connection.execute(
                "UPDATE blocks SET state = 'done', file = ?, size = ?, sha256 = ?, num_shots = ? WHERE id = ?",
                (file_name(record.id), len(content), digest(content), num_shots, record.id),
            )
            self._log(connection, record.id, BlockState.DONE, file_name(record.id))

    def _verified(self, record: BlockRecord, content: bytes) -> tuple[Samples | None, str]:
        """The results in a file, or why it is not the one that was written."""
        (row,) = self._database.rows("SELECT size, sha256 FROM blocks WHERE id = ?", record.id)
        if digest(content) == row["sha256"]:
            samples, _ = unpack(content)
            problem = _misfit(samples, record)
            return (None, problem) if problem else (samples, "")
        try:
            _, identity = unpack(content)
        except ValueError as error:
            return None, f"it has {len(content)} of {row['size']} bytes" if len(content) < row["size"] else str(error)
        if identity.get("ledger") != self.id:
            return None, "it belongs to another ledger"
        if identity.get("block") != record.id:
            return None, f"it belongs to block {identity.get('block')}"
        return None, "its content is not what was written (checksum)"

    def _put_back(self, record: BlockRecord, path: Path, problem: str) -> LedgerFileError:
        """Take a block back from DONE because of its file."""
        if self.read_only:
            return LedgerFileError(
                f"{path}, the results of block {record.id}, cannot be used: {problem}. The ledger is open to read "
                "only: nothing was changed. If the folder of results is elsewhere, put it beside the ledger.",
                record.id,
            )
        try:
            moved = quarantine(path.parent, path.name)
        except OSError as error:
            raise ExecutionError(
                f"Ledger {self.path}: {path}, the results of block {record.id}, cannot be used ({problem}) and not be "
                f"moved away: {error}. Nothing was changed."
            ) from error
        state = BlockState.SUBMITTED if record.job_id else BlockState.PLANNED
        with self._step(record.id, state, [BlockState.DONE], f"{path} cannot be used: {problem}.") as (connection, _):
            connection.execute(
                "UPDATE blocks SET state = ?, file = '', size = NULL, sha256 = '', num_shots = NULL WHERE id = ?",
                (state.value, record.id),
            )
            # Without a job there is nothing to fetch: what was paid for is lost, and counts as waste.
            connection.execute(
                "UPDATE attempts SET finished = NULL, kept = ? WHERE block = ? AND attempt = ?",
                (int(state is BlockState.SUBMITTED), record.id, record.attempt),
            )
            self._log(connection, record.id, "quarantine", f"{path.name}: {problem}")
        remedy = f"can be fetched again from job {record.job_id}" if record.job_id else "must be measured again"
        kept = f" It was moved to {moved}." if moved else ""
        message = f"{path}, the results of block {record.id}, cannot be used: {problem}.{kept} The block {remedy}."
        warn(message, QKernelsWarning, stacklevel=3)
        return LedgerFileError(message, record.id)


def _misfit(samples: Samples, record: BlockRecord) -> str:
    """Why results are not those of a block; "" where they may be."""
    if record.primitive == "sampler":
        bits = samples.bits
        if bits is None:
            return "there are no bits"
        num_bytes = -(-record.num_qubits // 8)
        num_shots = bits.shape[2] if bits.ndim == 4 else 0
        expected = (record.rows, record.copies, num_shots, num_bytes)
        if bits.dtype != np.uint8 or bits.shape != expected or num_shots < 1:
            shape = f"({record.rows}, {record.copies}, shots, {num_bytes})"
            return f"bits must have shape {shape} and type uint8; got {bits.shape}, {bits.dtype}"
        return ""
    for name in ("values", "stderr"):
        array = getattr(samples, name)
        if array is None:
            return f"there are no {name}"
        shape = f"({record.rows}, {record.num_observables})"
        if array.dtype != np.float64 or array.shape != (record.rows, record.num_observables):
            return f"{name} must have shape {shape} and type float64; got {array.shape}, {array.dtype}"
    return ""
