"""Runtime: kernels measured on IBM QPUs.

- `RuntimeEngine` measures; `Submission` is a request that waits for its results.
- `RuntimePlan` says what a request costs, with `Alternative` ways.

The way of a request: engine, desk (ledger and device of one request), lane (its series), blocks, runner.
"""

from qkernels_hardware.runtime._engine import RuntimeEngine
from qkernels_hardware.runtime._plan import Alternative, RuntimePlan
from qkernels_hardware.runtime._submission import Submission

__all__ = [
    "Alternative",
    "RuntimeEngine",
    "RuntimePlan",
    "Submission",
]
