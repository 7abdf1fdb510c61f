"""What is handed to a device, and what comes back: plain data between the ledger, the connections and the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.quantum_info import SparsePauliOp

__all__ = [
    "WITHOUT_JOB",
    "BlockState",
    "Connection",
    "Draft",
    "Job",
    "JobState",
    "JobStatus",
    "MeasuredCircuit",
    "Primitive",
    "Samples",
]

Primitive = Literal["sampler", "estimator"]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredCircuit:
    """A circuit as the device runs it, for all data points.

    Attributes
    ----------
    name : str
        "overlap", or the measured basis of every qubit ("ZZXY", the last letter is qubit 0).
    circuit : QuantumCircuit
        On the qubits of the device, with its measurements (none for an Estimator) and its parameters free. The
        measurements of copy k go to the classical register ``t{k}``, bit q of it is qubit q of the program.
    copies : int
        Circuits side by side, each for an entry of its own; 1 without tiling.
    num_qubits : int
        Of the program: measured bits of one copy.
    duration : float
        Seconds of one execution, without the delay between executions.
    observables : tuple of SparsePauliOp
        On the qubits of the device, where an Estimator evaluates them, all in one PUB; else empty.
    """

    name: str
    circuit: QuantumCircuit = field(repr=False)
    copies: int
    num_qubits: int
    duration: float
    observables: tuple[SparsePauliOp, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A block of work before the ledger has it: what one job would measure.

    Attributes
    ----------
    circuit : str
        Name of the measured circuit in its series.
    primitive : {"sampler", "estimator"}
    keys : ndarray of shape (n_entries, 16), uint8
        Content keys of the entries. Entry e is measured by row e // copies of `values`, on copy e % copies.
    values : ndarray of shape (n_rows, n_parameters), float64
        Columns in the order of ``circuit.parameters``. Radians.
    shots : int
        Of every row.
    executions : int
        n_rows × shots, as billed.
    estimate : float
        QPU seconds.
    """

    circuit: str
    primitive: Primitive
    keys: NDArray[np.uint8]
    values: NDArray[np.float64]
    shots: int
    executions: int
    estimate: float


class BlockState(StrEnum):
    """Where a block stands."""

    PLANNED = "planned"
    INTENT = "intent"
    """Its tag is on disk; it may or may not have been submitted."""
    SUBMITTED = "submitted"
    """Its job id is on disk."""
    DONE = "done"
    """Its results are on disk."""
    FAILED = "failed"
    CANCELLED = "cancelled"


WITHOUT_JOB = (BlockState.PLANNED, BlockState.FAILED, BlockState.CANCELLED)
"""States of blocks that the next request submits: not sent yet, or ended without results."""


class JobStatus(StrEnum):
    """Where a job stands, as the service says."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether it will not change any more."""
        return self in (JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobState:
    """A job, as the service says.

    Attributes
    ----------
    job_id : str
    status : JobStatus
    created : datetime or None
    reason : str
        Why it failed; "" where it did not.
    reason_code : int or None
    too_long : bool
        Whether it was stopped at its maximum execution time.
    """

    job_id: str
    status: JobStatus
    created: datetime | None = None
    reason: str = ""
    reason_code: int | None = None
    too_long: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What a job measured, in the order of the block's entries.

    Attributes
    ----------
    bits : ndarray of shape (n_rows, copies, shots, ⌈n/8⌉), uint8, or None
        In the layout of Qiskit's ``BitArray``. Twirling may change the number of shots.
    values, stderr : ndarray of shape (n_rows, n_observables), float64, or None
        Of an Estimator.
    """

    bits: NDArray[np.uint8] | None = None
    values: NDArray[np.float64] | None = None
    stderr: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """All that is needed to submit a block.

    Attributes
    ----------
    circuit : MeasuredCircuit
    primitive : {"sampler", "estimator"}
    values : ndarray of shape (n_rows, n_parameters), float64
    shots : int
    tags : sequence of str
        The last one is unique to this attempt.
    max_execution_time : int
        QPU seconds, 1 to 10800.
    options : mapping
        Of the primitive, as the user gave them (nested plain data).
    seed : int or None
        Of a simulator.
    """

    circuit: MeasuredCircuit
    primitive: Primitive
    values: NDArray[np.float64] = field(repr=False)
    shots: int
    tags: Sequence[str]
    max_execution_time: int
    options: Mapping[str, object]
    seed: int | None = None


class Connection(Protocol):
    """Where jobs go. Methods raise what the client raises; `classify` says what that means.

    Attributes
    ----------
    name : str
        Of the backend, for people and for the ledger.
    durable : bool
        Whether a job outlives this process.
    session_id : str
        Of the batch or session that jobs go to; "" where there is none.
    """

    name: str
    durable: bool

    @property
    def session_id(self) -> str: ...

    @property
    def backend(self) -> BackendV2:
        """What circuits are made for."""

    def submit(self, job: Job) -> str:
        """Submit a job, once; the id of it."""

    def find(self, tag: str, since: datetime | None = None) -> list[JobState]:
        """Jobs with this tag, oldest first."""

    def state(self, job_id: str) -> JobState:
        """Where a job stands now."""

    def fetch(self, job_id: str, circuit: MeasuredCircuit, primitive: Primitive) -> Samples:
        """The results of a finished job, downloaded."""

    def usage(self, job_id: str) -> float | None:
        """QPU seconds that a job was billed; None where it is not known yet."""

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; whether it was still possible."""

    def check(self) -> None:
        """Raise ExecutionError where the backend takes no jobs now (offline), warn where it is paused."""

    def calibration(self) -> str:
        """Stamp of the calibration now, ISO 8601 in UTC; "" where there is none. `backend` is of it from then on."""

    def calibration_of(self, job_id: str) -> str:
        """Stamp of the calibration under which a job ran; "" where it is not known."""

    def close(self) -> None:
        """End the batch or session that was opened; never raises."""
