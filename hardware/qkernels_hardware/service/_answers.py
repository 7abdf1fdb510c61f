"""What the service answers, as plain data of ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels_hardware.service._faults import UnreadableAnswerError, clean_text
from qkernels_hardware.work import JobState, JobStatus, MeasuredCircuit, Samples

__all__ = [
    "by_age",
    "calibration_stamp",
    "entry",
    "job_state",
    "public_state",
    "read_bits",
    "read_values",
    "time_of_run",
]

_TOO_LONG = 1305


def entry(answer: Any, key: str) -> Any:
    """A part of an answer of the service, which may be anything."""
    try:
        return answer[key]
    except (KeyError, TypeError) as error:
        raise UnreadableAnswerError(f"An answer of IBM Quantum has no {key!r}; it may be one of a proxy.") from error


def job_state(item: Any) -> JobState:
    """A job as the service describes it."""
    state = entry(item, "state")
    status = str(entry(state, "status")).upper()
    code = state.get("reason_code") or state.get("reasonCode")
    code = int(code) if str(code).isdigit() else None
    return JobState(
        job_id=str(entry(item, "id")),
        status=_status(status),
        created=_time(item.get("created")),
        reason=clean_text(str(state.get("reason") or "")),
        reason_code=code,
        too_long=code == _TOO_LONG or "TOO LONG" in status,
    )


def public_state(job: Any) -> JobState:
    """A job as the public interface describes it; the reason code has no public name."""
    status = str(job.status())
    code = getattr(job, "_reason_code", None)
    reason = clean_text(job.error_message() or "") if status == "ERROR" else ""
    return JobState(
        job_id=str(job.job_id()),
        status=_status(status),
        created=job.creation_date,
        reason=reason,
        reason_code=code,
        too_long=code == _TOO_LONG,
    )


def _status(word: str) -> JobStatus:
    """States on the wire and of the client; one that is not known counts as waiting."""
    if word in ("COMPLETED", "DONE"):
        return JobStatus.DONE
    if word in ("FAILED", "ERROR"):
        return JobStatus.FAILED
    if word.startswith("CANCELLED"):
        return JobStatus.CANCELLED
    return JobStatus.RUNNING if word == "RUNNING" else JobStatus.QUEUED


def calibration_stamp(properties: Any) -> str:
    """When a device was calibrated, ISO 8601 in UTC: the same text wherever it is read; "" where it is not known."""
    stamp = getattr(properties, "last_update_date", None)
    return stamp.astimezone(UTC).isoformat() if isinstance(stamp, datetime) else str(stamp or "")


def time_of_run(metrics: Any) -> datetime | None:
    """When a job began to run, or where that is not known when it ended, in UTC."""
    times = metrics.get("timestamps") if isinstance(metrics, Mapping) else None
    stamps = [_time(times.get(name)) for name in ("running", "finished")] if isinstance(times, Mapping) else []
    return next((stamp.astimezone(UTC) for stamp in stamps if stamp is not None), None)


def _time(stamp: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(stamp))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def by_age(state: JobState) -> tuple[bool, float, str]:
    """For sorting: oldest first, those without a date last."""
    return state.created is None, state.created.timestamp() if state.created else 0.0, state.job_id


def read_bits(data: Any, circuit: MeasuredCircuit, job_id: str) -> Samples:
    """Bits of all copies, read in bulk."""
    arrays: list[NDArray[np.uint8]] = []
    for copy in range(circuit.copies):
        bits = data[f"t{copy}"]
        array = np.asarray(bits.array, dtype=np.uint8)
        if bits.num_bits != circuit.num_qubits:
            raise ValueError(f"register t{copy} has {bits.num_bits} bits, the circuit measures {circuit.num_qubits}")
        arrays.append(array.reshape(-1, *array.shape[-2:]))
    if len({array.shape for array in arrays}) != 1:
        raise ValueError(f"registers of one job {job_id} have the shapes {[array.shape for array in arrays]}")
    return Samples(bits=np.stack(arrays, axis=1))


def read_values(data: Any, circuit: MeasuredCircuit) -> Samples:
    """Expectation values and their standard errors."""
    columns = len(circuit.observables)
    values = np.asarray(data.evs, dtype=np.float64).reshape(-1, columns)
    stderr = np.asarray(data.stds, dtype=np.float64).reshape(-1, columns)
    if values.shape != stderr.shape:
        raise ValueError(f"values have the shape {values.shape}, their standard errors {stderr.shape}")
    return Samples(values=values, stderr=stderr)
