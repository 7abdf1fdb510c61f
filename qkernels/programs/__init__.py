"""Programs: what to measure, as plain data.

- `OverlapProgram`, `ExpectationProgram`: a circuit, its parameters (and observables) under a content key.
- `Overlaps`, `Expectations`: answers with standard errors; `Plan`: what a request would do and cost.
- `row_keys`, `pair_uniforms`, `sample_frequencies`, …: content-keyed shot statistics.
"""

from qkernels.programs._program import ExpectationProgram, OverlapProgram, Program, is_count
from qkernels.programs._results import Expectations, Overlaps, Plan, format_bytes
from qkernels.programs._sampling import (
    pair_uniforms,
    row_keys,
    sample_frequencies,
    single_uniforms,
    wilson_stderr,
)

__all__ = [
    "ExpectationProgram",
    "Expectations",
    "OverlapProgram",
    "Overlaps",
    "Plan",
    "Program",
    "format_bytes",
    "is_count",
    "pair_uniforms",
    "row_keys",
    "sample_frequencies",
    "single_uniforms",
    "wilson_stderr",
]
