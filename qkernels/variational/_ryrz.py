"""RYRZAnsatz: RY, RZ and CZ, the classifier circuit of Havlíček et al."""

from __future__ import annotations

from qkernels.variational._layered import LayeredAnsatz
from qkernels.variational._patterns import Entanglement

__all__ = ["RYRZAnsatz"]


class RYRZAnsatz(LayeredAnsatz):
    r"""RY and RZ rotations and CZ entanglers.

    RY, then RZ, on every qubit; then `reps` times CZ on the pairs of the entanglement and RY, RZ on every qubit.
    The angles of a layer are those of all RY, then those of all RZ.

    Parameters
    ----------
    reps : int, default=3
        The depth of the source, at least 0; 0 is one layer of rotations without entanglers.
    entanglement : str or list of pairs, default="linear"
        ``"linear"``, ``"reverse_linear"``, ``"full"``, ``"circular"``, ``"pairwise"``, or the pairs themselves.
        All CZ commute: only the set of pairs counts.

    See Also
    --------
    EfficientSU2Ansatz : the same rotations with CX.

    Notes
    -----
    2n·(reps + 1) angles. Cost: reps·(n − 1) CZ with a linear pattern, reps·n(n − 1)/2 with ``"full"``; a layer on
    a line has two-qubit depth 2.

    Identity point: zeros, for an even number of repetitions.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.

    Examples
    --------
    >>> from qkernels.variational import RYRZAnsatz
    >>> RYRZAnsatz(reps=1).build(2).draw("text", fold=-1)
         ┌──────────┐┌──────────┐   ┌──────────┐┌──────────┐
    q_0: ┤ Ry(θ[0]) ├┤ Rz(θ[2]) ├─■─┤ Ry(θ[4]) ├┤ Rz(θ[6]) ├
         ├──────────┤├──────────┤ │ ├──────────┤├──────────┤
    q_1: ┤ Ry(θ[1]) ├┤ Rz(θ[3]) ├─■─┤ Ry(θ[5]) ├┤ Rz(θ[7]) ├
         └──────────┘└──────────┘   └──────────┘└──────────┘
    """

    _rotations = ("ry", "rz")
    _entangler = "cz"

    def __init__(self, reps: int = 3, entanglement: Entanglement = "linear") -> None:
        self.reps = reps
        self.entanglement = entanglement

    def _cancel(self, pairs: list[tuple[int, int]], num_qubits: int) -> bool:
        odd: set[frozenset[int]] = set()
        for pair in pairs:
            odd ^= {frozenset(pair)}
        return self.reps % 2 == 0 or not odd
