"""Programs: what to measure, as plain data.

- `OverlapProgram`, `ExpectationProgram`: a circuit, its parameters (and observables) under a content key.
- `Overlaps`, `Expectations`: answers with standard errors; `Plan`: what a request would do and cost.
- `row_keys`, `pair_uniforms`, `sample_frequencies`, …: content-keyed shot statistics.
- `shots_for_stderr`, `shots_to_resolve`, `shots_for_gram_error`: shots that answer a question; `allocate_shots`,
  `pool_frequencies`: a budget shared among pairs, and two measurements of them in one.
- `settings_text`: an object as text for keys that outlive a process; `setting_attributes`: what goes into them.
"""

from qkernels.programs._allocation import allocate_shots, pool_frequencies
from qkernels.programs._program import ExpectationProgram, OverlapProgram, Program, is_count
from qkernels.programs._results import Expectations, Overlaps, Plan, format_bytes
from qkernels.programs._sampling import (
    is_canonical,
    pair_uniforms,
    row_keys,
    sample_counts,
    sample_frequencies,
    single_uniforms,
    wilson_stderr,
)
from qkernels.programs._settings_text import setting_attributes, settings_text
from qkernels.programs._shots import (
    RESOLUTION_SIGMAS,
    shots_for_gram_error,
    shots_for_stderr,
    shots_to_resolve,
)

__all__ = [
    "RESOLUTION_SIGMAS",
    "ExpectationProgram",
    "Expectations",
    "OverlapProgram",
    "Overlaps",
    "Plan",
    "Program",
    "allocate_shots",
    "format_bytes",
    "is_canonical",
    "is_count",
    "pair_uniforms",
    "pool_frequencies",
    "row_keys",
    "sample_counts",
    "sample_frequencies",
    "setting_attributes",
    "settings_text",
    "shots_for_gram_error",
    "shots_for_stderr",
    "shots_to_resolve",
    "single_uniforms",
    "wilson_stderr",
]
