"""What a ledger says about itself: records of plain data, and the error of a result file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from qkernels._errors import ExecutionError
from qkernels_hardware.work import BlockState, Primitive

__all__ = ["BlockRecord", "Event", "LedgerFileError", "SeriesRecord", "Spending"]


class LedgerFileError(ExecutionError):
    """A result file is missing, incomplete or not what was written; the rest of the ledger is not affected.

    Parameters
    ----------
    message : str
    block : int
        The block whose file it is.

    Attributes
    ----------
    block : int
    """

    def __init__(self, message: str, block: int) -> None:
        super().__init__(message)
        self.block = block

    def __reduce__(self) -> tuple[type[LedgerFileError], tuple[str, int]]:
        return type(self), (str(self), self.block)


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """Results that may be compared with each other: one program, one transpiled circuit, one set of options.

    Attributes
    ----------
    id : int
        Of the series, in this ledger.
    key : str
        Content key of everything that affects a result.
    generation : int
        1 for the first series of this key; counts up when the user asks for a new layout.
    program : str
        Content key of the program.
    backend, instance : str
    settings : mapping
        Shots, options, layout and so on, as plain data.
    calibration : str
        Of the device when the circuits were transpiled, ISO 8601; "" where there is none.
    versions : mapping of str to str
        What wrote it: qkernels, qiskit, qiskit-ibm-runtime, QPY, Python.
    created : datetime
        UTC.
    """

    id: int
    key: str
    generation: int
    program: str
    backend: str
    instance: str
    settings: Mapping[str, object] = field(repr=False)
    calibration: str
    versions: Mapping[str, str] = field(repr=False)
    created: datetime


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block as it stands: one job's worth of entries, and the latest attempt to measure them.

    Attributes
    ----------
    id, series : int
    circuit : str
        Name of the measured circuit in its series.
    primitive : {"sampler", "estimator"}
    state : BlockState
    fingerprint : str
        sha256 of what is measured (circuit, entries, angles, shots), in hex.
    attempt : int
        Number of the latest attempt; 0 before the first one.
    tag : str
        Of the latest attempt, unique to it; "" before the first one.
    job_id, session_id : str
        Of the latest attempt; "" where there is none.
    shots : int
        As asked for, of every row.
    rows, entries, copies : int
        Entry e is measured by row e // copies, on copy e % copies.
    num_qubits : int
        Measured bits of one copy.
    num_observables : int
        0 for a Sampler.
    executions : int
        rows × shots, as billed.
    estimate : float
        QPU seconds of one attempt.
    usage : float or None
        QPU seconds that the latest attempt was billed; None where that is not known, or where it failed.
    waste : float
        QPU seconds billed for attempts that gave no result.
    calibration : str
        Of the device when it was measured; "" where it is not known.
    reason : str
        Why the latest attempt failed.
    file : str
        Name of the result file in the folder of results; "" where there is none.
    num_shots : int or None
        As measured, of every row; None before there are results. Of an Estimator: as asked for.
    released : bool
        Whether its entries were given back; it cannot be submitted any more.
    created : datetime
        UTC, like all times here.
    intended, submitted, finished : datetime or None
        Of the latest attempt.
    """

    id: int
    series: int
    circuit: str
    primitive: Primitive
    state: BlockState
    fingerprint: str = field(repr=False)
    attempt: int
    tag: str
    job_id: str
    session_id: str
    shots: int
    rows: int
    entries: int
    copies: int
    num_qubits: int
    num_observables: int
    executions: int
    estimate: float
    usage: float | None
    waste: float
    calibration: str
    reason: str
    file: str
    num_shots: int | None
    released: bool
    created: datetime
    intended: datetime | None
    submitted: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a ledger's log.

    Attributes
    ----------
    time : datetime
        UTC.
    block : int or None
    what : str
        The state entered, or "duplicate", "usage", "quarantine", "release".
    detail : str
    """

    time: datetime
    block: int | None
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Spending:
    """What the jobs of a ledger cost.

    Attributes
    ----------
    paid : float
        QPU seconds billed so far: results, failed attempts and cancelled duplicates.
    open : float
        QPU seconds that may still be billed, or were: the estimates of jobs that were or may have been submitted and
        whose usage is not known, those of failed attempts and second jobs among them.
    jobs : int
        Jobs submitted ever, duplicates included.
    """

    paid: float
    open: float
    jobs: int

    @property
    def total(self) -> float:
        """QPU seconds paid and open."""
        return self.paid + self.open
