"""Work: the nouns of jobs on a device, and what they cost.

- `Job` is sent, `JobState` comes back, `Samples` are its results; `Connection` is what takes jobs.
- `MeasuredCircuit` is a circuit as it runs; `Draft` and `BlockState` are a block of entries on its way.
- `Mitigation` is what options ask for beside measuring.
- `Rates`, `Budget` and the limits of jobs: executions, seconds, how often.
"""

from qkernels_hardware.work._cost import (
    DEFAULT_BLOCK_EXECUTIONS,
    MAX_EXECUTIONS,
    MAX_JOB_SECONDS,
    OPEN_PLAN_SECONDS,
    Budget,
    Mitigation,
    Rates,
    Runs,
    circuit_seconds,
    mitigation_of,
    most_seconds,
    rows_per_job,
    runs_per_row,
)
from qkernels_hardware.work._jobs import (
    WITHOUT_JOB,
    BlockState,
    Connection,
    Draft,
    Job,
    JobState,
    JobStatus,
    MeasuredCircuit,
    Primitive,
    Samples,
)

__all__ = [
    "DEFAULT_BLOCK_EXECUTIONS",
    "MAX_EXECUTIONS",
    "MAX_JOB_SECONDS",
    "OPEN_PLAN_SECONDS",
    "WITHOUT_JOB",
    "BlockState",
    "Budget",
    "Connection",
    "Draft",
    "Job",
    "JobState",
    "JobStatus",
    "MeasuredCircuit",
    "Mitigation",
    "Primitive",
    "Rates",
    "Runs",
    "Samples",
    "circuit_seconds",
    "mitigation_of",
    "most_seconds",
    "rows_per_job",
    "runs_per_row",
]
