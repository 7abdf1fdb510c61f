"""Estimated cost of a program on statevectors and on matrix-product states, to choose between them.

Integers (picoseconds), because the bond of a deep circuit on many qubits exceeds what a float can hold.
"""

from __future__ import annotations

from qkernels.engines._mps_compile import CompiledMPS
from qkernels.programs import Program

__all__ = ["mps_cost", "statevector_cost"]

_PAIRS_PER_ROW = 250
"""The job whose cost is compared is the Gram matrix of 500 rows. It is fixed, so that the choice, and with it every
last bit of a sampled value, is the same in fit, in transform and on any part of the data."""

# Picoseconds on one core, measured with OpenBLAS on AVX2; only their ratios matter, and those to a factor of two.
_GEMM_FLOP = 18
_SWEEP_FLOP = 33
_SWEEP_SITE = 10_000
_GATE_AND_AMPLITUDE = 1_000
_STEP = 200_000
_STEP_AND_ENTRY = 15_000


def statevector_cost(program: Program, *, single: bool) -> int:
    """Picoseconds per row: its evolution and 250 products of 6·2^n operations."""
    gates = sum(not op.is_directive for op in program.flat.ops)
    per_amplitude = gates * _GATE_AND_AMPLITUDE + _PAIRS_PER_ROW * 6 * _GEMM_FLOP
    return (per_amplitude << program.num_qubits) // (2 if single else 1)


def mps_cost(compiled: CompiledMPS) -> int:
    """Picoseconds per row: its evolution and 250 sweeps, the two dense ends as matrix products."""
    evolution = len(compiled.steps) * (_STEP + _STEP_AND_ENTRY * 2 * compiled.max_bond**2)
    shapes = compiled.site_shapes
    pair = sum(8 * d * (left * right) ** 2 * _GEMM_FLOP for left, d, right in (shapes[0], shapes[-1]))
    for left, d, right in shapes[1:-1]:
        pair += _SWEEP_SITE + 8 * d * left * right * (left + right) * _SWEEP_FLOP
    return evolution + _PAIRS_PER_ROW * pair
