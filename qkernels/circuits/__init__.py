"""Circuits: the only room that looks inside Qiskit circuits. Knows Qiskit, nothing of ours.

- `flatten` turns a circuit into named standard gates with angle slots (`FlatCircuit`), the form that engines compile
  and that program keys are made of; `AngleTable` is its vectorised angle function.
- `gate_matrices` and `DIAGONAL_PARITIES` give the parametric standard gates over whole columns of angles.
- `overlap_circuit` is U(x), labelled barrier, U(y)†.
- `strip_phases`, `transpile_for` and `circuit_resources` are the way to a device: phase-stripped, transpiled, counted.
"""

from qkernels.circuits._expressions import AngleTable
from qkernels.circuits._flatten import FlatCircuit, FlatOp, bound_matrices, flatten
from qkernels.circuits._gates import DIAGONAL_PARITIES, PARAMETRIC_GATES, gate_matrices
from qkernels.circuits._overlap import OVERLAP_BARRIER, overlap_circuit
from qkernels.circuits._phases import StrippedCircuit, strip_phases
from qkernels.circuits._resources import Resources, circuit_resources
from qkernels.circuits._transpile import transpile_for

__all__ = [
    "DIAGONAL_PARITIES",
    "OVERLAP_BARRIER",
    "PARAMETRIC_GATES",
    "AngleTable",
    "FlatCircuit",
    "FlatOp",
    "Resources",
    "StrippedCircuit",
    "bound_matrices",
    "circuit_resources",
    "flatten",
    "gate_matrices",
    "overlap_circuit",
    "strip_phases",
    "transpile_for",
]
