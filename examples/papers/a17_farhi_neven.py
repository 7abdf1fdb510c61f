"""A17: a readout qubit learns the parity of a bit string exactly, and the sign of its majority.

The data are basis states |z⟩, the readout starts in |0⟩ and every data qubit turns it about X. At the angles of the
paper ⟨Y⟩ of the readout is the parity 1 − 2·(Σ a_j z_j mod 2) of any subset of the bits, and sin(β Σ_j Z_j) for the
majority, whose sign is right with a margin of at least sin(0.1 π). Nothing is learned: the points are known.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from _common import Check, Paper, Target, about, main
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels import ExpectationProgram, StatevectorEngine
from qkernels.variational import FarhiNevenAnsatz

PAPER = Paper(
    "A17",
    "Farhi and Neven 2018",
    "Classification with quantum neural networks on near term processors",
    "1802.06002",
)
ROUNDING = 1e-12


def readout(bits: NDArray[np.int64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """⟨Y⟩ of the readout for every row of bits, the last qubit being the readout."""
    n = bits.shape[1]
    x, ansatz = ParameterVector("x", n), FarhiNevenAnsatz()
    circuit = QuantumCircuit(n + 1)
    for j in range(n):
        circuit.rx(x[j], j)  # x = π is a bit flip, but for a phase
    circuit.compose(ansatz.build(n + 1), inplace=True)
    program = ExpectationProgram(circuit, x, ansatz.parameter_vector(n + 1), observables="Y" + "I" * n)
    return StatevectorEngine().expectations(program, np.pi * bits, theta=point).values[:, 0]


def strings(n: int) -> NDArray[np.int64]:
    return np.arange(2**n)[:, None] >> np.arange(n) & 1


def run(quick: bool) -> list[Check]:
    bits = strings(6)
    subsets = [chosen for size in range(7) for chosen in combinations(range(6), size)]
    if quick:
        subsets = [chosen for chosen in subsets if len(chosen) in (0, 1, 6)]
    errors = [
        np.abs(
            readout(bits, FarhiNevenAnsatz().parity_point(7, chosen)) - (-1.0) ** bits[:, list(chosen)].sum(axis=1)
        ).max()
        for chosen in subsets
    ]
    name = f"parity of {len(subsets)} subsets of 6 bits, all 64 strings: largest error of ⟨Y⟩"
    checks = [Check(name, float(max(errors)), Target(high=ROUNDING), form=".1e")]
    for n in (5, 7, 9):
        bits = strings(n)
        majority = np.sign(n - 2 * bits.sum(axis=1))
        margins = majority * readout(bits, FarhiNevenAnsatz().majority_point(n + 1))
        # The margin is signed: one wrong string would make the minimum negative.
        checks.append(
            Check(
                f"majority of {n} bits, all {2**n} strings: smallest margin of ⟨Y⟩",
                float(margins.min()),
                about(float(np.sin(0.1 * np.pi)), ROUNDING),
                form=".12f",
            )
        )
    return checks


if __name__ == "__main__":
    main(PAPER, run, __doc__)
