"""Service: connections to what runs jobs, and what to make of its faults.

- `LocalConnection` runs jobs of device models; `RemoteConnection` those of IBM Quantum, through its client.
- `classify` and `judge_job` name a fault; `Caller` tries again as `RetryPolicy` says, and gives up with an error.
- `primitive_options`, `option_key`, `primitive_of`: options of Sampler and Estimator.
"""

from qkernels_hardware.service._faults import Fault, FaultKind, classify, judge_job
from qkernels_hardware.service._local import LocalConnection
from qkernels_hardware.service._options import check_option_names, is_resilient, option_key, primitive_of
from qkernels_hardware.service._patience import Caller, JobEndedError, LostError, OutageError
from qkernels_hardware.service._remote import RemoteConnection
from qkernels_hardware.service._retry import RetryPolicy

__all__ = [
    "Caller",
    "Fault",
    "FaultKind",
    "JobEndedError",
    "LocalConnection",
    "LostError",
    "OutageError",
    "RemoteConnection",
    "RetryPolicy",
    "check_option_names",
    "classify",
    "is_resilient",
    "judge_job",
    "option_key",
    "primitive_of",
]
