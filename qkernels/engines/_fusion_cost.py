"""Estimated cost of a schedule, in nanoseconds per state on one core.

The estimates only rank schedules; no result depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qkernels.engines._items import Item, Node, Wide, crosses_every_split, is_range, is_real_block
from qkernels.engines._phase_run import Signature

__all__ = ["total_cost"]

_MATMUL_NS = (0.5, 0.5, 0.5, 0.55, 0.8, 1.35, 2.4, 4.6, 9.0, 18.0)
"""Applying a real matrix of dimension 2^m, by m (measured with OpenBLAS on AVX2)."""

_MOVE_NS = 1.2
"""Bringing the qubits of a block together: one strided copy."""

_PHASE_NS = 5.0
"""Sine, cosine and rotation of a wide run."""

_OUTER_NS = 2.5
"""The same where the phase factors are an outer product."""

_AGAIN_NS = 1.0
"""The rotation alone, with the phase factors of an equal run before."""

_TERM_NS = 0.05
"""One more term in the phases of a wide run (a row of a matrix product)."""

_BUILD_NS = 60.0
"""One gate multiplied into a small matrix of one sample, per 16 entries."""


def total_cost(items: Sequence[Item], num_qubits: int) -> float:
    """Estimated cost of a schedule.

    Parameters
    ----------
    items : sequence of Node or Wide
    num_qubits : int

    Returns
    -------
    float
        Nanoseconds per state.
    """
    started = False
    total = 0.0
    seen: set[Signature] = set()
    for item in items:
        started = started or isinstance(item, Wide) or not item.constant
        if not started:  # the constant beginning is evolved once, at compile time
            continue
        if isinstance(item, Wide):
            signature = item.run.signature
            total += _wide_cost(item, num_qubits, signature in seen)
            seen.add(signature)
        else:
            total += _block_cost(item, num_qubits)
    return total


def _wide_cost(wide: Wide, num_qubits: int, again: bool) -> float:
    reals = 2.0 ** (num_qubits + 1)
    gather = 0.0 if wide.run.is_diagonal else _MOVE_NS
    if again or not wide.run.per_row:
        return reals * (_AGAIN_NS + gather)
    phase = _PHASE_NS if crosses_every_split(list(wide.run.terms), num_qubits) else _OUTER_NS
    return reals * (phase + _TERM_NS * math.sqrt(len(wide.run.terms)) + gather) + 4e3


def _block_cost(item: Node, num_qubits: int) -> float:
    reals = 2.0 ** (num_qubits + 1)
    m = min(len(item.qubits) + (not is_real_block(item)), len(_MATMUL_NS) - 1)
    move = 0.1 if is_range(item.qubits) else _MOVE_NS
    cost = reals * (_MATMUL_NS[m] + move) + 500.0
    return float(cost if item.constant else cost + _build_cost(item))


def _build_cost(node: Node) -> float:
    own: float = _BUILD_NS * max(1.0, 4.0 ** len(node.qubits) / 16) * len(node.parts)
    return own + sum(_build_cost(p) for p in node.parts if isinstance(p, Node) and not p.constant)
