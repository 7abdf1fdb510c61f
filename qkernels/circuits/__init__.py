"""Circuits: the only room that looks inside Qiskit circuits. Knows Qiskit, nothing of ours.

- `flatten` turns a circuit into named standard gates with angle slots (`FlatCircuit`), the form that engines compile
  and that program keys are made of; `AngleTable` is its vectorised angle function.
- `gate_matrices` and `DIAGONAL_PARITIES` give the parametric standard gates over whole columns of angles.
- `overlap_circuit` is U(x), labelled barrier, U(y)†.
- `PairCircuit` is that circuit as two flattened halves, `logical_pair` as written; `circuit_of` is the way back from
  `flatten`, `circuit_of_gates` too, with a parameter for each angle of each gate; `split_halves` cuts at the barrier.
- `strip_phases`, `transpile_for` and `circuit_resources` are the way to a device: phase-stripped, transpiled, counted.
"""

from qkernels.circuits._derivatives import AngleDerivatives
from qkernels.circuits._expressions import AngleTable
from qkernels.circuits._flatten import FlatCircuit, FlatOp, bound_matrices, flatten
from qkernels.circuits._gates import DIAGONAL_PARITIES, PARAMETRIC_GATES, gate_matrices
from qkernels.circuits._overlap import OVERLAP_BARRIER, overlap_circuit
from qkernels.circuits._pair import PairCircuit, circuit_of, circuit_of_gates, logical_pair, split_halves
from qkernels.circuits._phases import StrippedCircuit, strip_phases
from qkernels.circuits._resources import Resources, circuit_resources
from qkernels.circuits._transpile import transpile_for

__all__ = [
    "DIAGONAL_PARITIES",
    "OVERLAP_BARRIER",
    "PARAMETRIC_GATES",
    "AngleDerivatives",
    "AngleTable",
    "FlatCircuit",
    "FlatOp",
    "PairCircuit",
    "Resources",
    "StrippedCircuit",
    "bound_matrices",
    "circuit_of",
    "circuit_of_gates",
    "circuit_resources",
    "flatten",
    "gate_matrices",
    "logical_pair",
    "overlap_circuit",
    "split_halves",
    "strip_phases",
    "transpile_for",
]
