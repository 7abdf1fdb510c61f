"""An oracle that shares no code with the library: plain NumPy on the matrices of Qiskit's own gates.

- `states`: the state, overlaps, outcome weights and expectations of a circuit.
- `random_circuits`: seeded circuits that cover the gate and expression zoo.
- `cases`: hand-written circuits, one difficulty each.
"""

from __future__ import annotations

from .cases import CASES, Case
from .random_circuits import DOMAIN, random_circuit, random_inputs, random_observables
from .states import (
    observable_matrix,
    oracle_expectations,
    oracle_matrix,
    oracle_overlaps,
    oracle_state,
    oracle_states,
    oracle_unitary,
    oracle_weights,
)

__all__ = [
    "CASES",
    "DOMAIN",
    "Case",
    "observable_matrix",
    "oracle_expectations",
    "oracle_matrix",
    "oracle_overlaps",
    "oracle_state",
    "oracle_states",
    "oracle_unitary",
    "oracle_weights",
    "random_circuit",
    "random_inputs",
    "random_observables",
]
