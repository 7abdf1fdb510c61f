"""Programs made of a program: with folded gates, under another name, with its Pauli strings apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels.circuits import overlap_circuit, split_halves
from qkernels.engines._cache import CACHE
from qkernels.programs import ExpectationProgram, Program

__all__ = ["FOLD_BARRIER", "folded", "of_paulis", "renamed"]

FOLD_BARRIER = "qkernels.fold"
"""Label of the barriers between U and U†, so that no transpiler cancels them."""

_PROGRAM_BYTES = 1 << 16
"""What a folded circuit is charged in the cache."""

P = TypeVar("P", bound=Program)


def folded(program: P, factor: int) -> P:
    """The program with every gate run `factor` times: U becomes U (U† U)^k, k = (factor − 1)/2.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    factor : odd int >= 1
        1 is the program itself.

    Returns
    -------
    OverlapProgram or ExpectationProgram
        With the same parameters, and another key. Measurements are dropped; copies of U are separated by barriers.

    Raises
    ------
    UnsupportedCircuitError
        An instruction has no inverse.

    References
    ----------
    Giurgica-Tiron et al., "Digital zero noise extrapolation for quantum error mitigation", arXiv:2005.10921.
    """
    if factor == 1:
        return program

    def fold() -> P:
        once = _unitary(program)
        back = once.inverse()
        circuit = once.copy()
        for _ in range((factor - 1) // 2):
            for part in (back, once):
                circuit.barrier(label=FOLD_BARRIER)
                circuit.compose(part, inplace=True)
        return replace(program, circuit=circuit)

    return CACHE.compute(("folded", program.key, factor), fold, lambda _: factor * _PROGRAM_BYTES)


def renamed(program: P, repetition: int) -> P:
    """The same program under another key, so that draws that depend on the key are independent.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    repetition : int >= 0
        Barriers put behind the circuit; 0 is the program itself.

    Returns
    -------
    OverlapProgram or ExpectationProgram
    """
    if repetition == 0:
        return program

    def rename() -> P:
        circuit = program.circuit.copy()
        for _ in range(repetition):
            circuit.barrier(0)
        return replace(program, circuit=circuit)

    return CACHE.compute(("renamed", program.key, repetition), rename, lambda _: _PROGRAM_BYTES)


def of_paulis(program: ExpectationProgram, labels: Sequence[str]) -> ExpectationProgram:
    """The program with these Pauli strings for its observables.

    Parameters
    ----------
    program : ExpectationProgram
    labels : sequence of str

    Returns
    -------
    ExpectationProgram
    """
    key = ("of paulis", program.key, tuple(labels))
    return CACHE.compute(key, lambda: replace(program, observables=tuple(labels)), lambda _: _PROGRAM_BYTES)


def _unitary(program: Program) -> QuantumCircuit:
    """What comes before the barrier of the overlap circuit: composites written out, measurements dropped."""
    undone = ParameterVector("qkernels.undone", program.num_features)
    return split_halves(overlap_circuit(program.circuit, program.x, undone))[0]
