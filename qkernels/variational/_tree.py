"""TreeAnsatz: a binary tree of two-qubit blocks."""

from __future__ import annotations

from typing import Literal

from qkernels.variational._funnel import FunnelAnsatz

__all__ = ["TreeAnsatz"]


class TreeAnsatz(FunnelAnsatz):
    r"""A binary tree (tree tensor network): each level halves the qubits.

    On each level a block acts on the qubits still alive, two by two, and the second of each pair stays alive; a
    qubit without partner waits for the next level. The last qubit alive is the readout.

    Parameters
    ----------
    block : {"su4", "ry"}, default="su4"
        ``"su4"``: a general two-qubit block of 15 angles (see `BrickworkAnsatz`); ``"ry"``: RY on both qubits,
        CX(first→second), and one RY on the readout at the very end.

    See Also
    --------
    MPSAnsatz : the blocks in a chain.
    QCNNAnsatz : neighbours coupled on each level, shared angles.

    Notes
    -----
    15·(n − 1) angles, or 2·(n − 1) + 1 for ``"ry"``. Cost: n − 1 blocks of 3 CX (``"ry"``: 1), in ⌈log₂ n⌉ levels.

    Identity point: zeros, for ``"su4"``.

    References
    ----------
    Grant et al., "Hierarchical quantum classifiers", arXiv:1804.03680.

    Examples
    --------
    >>> from qkernels.variational import TreeAnsatz
    >>> TreeAnsatz("ry").build(4).draw("text", fold=-1)
         ┌──────────┐
    q_0: ┤ Ry(θ[0]) ├──■───────────────────────────────
         ├──────────┤┌─┴─┐┌──────────┐
    q_1: ┤ Ry(θ[1]) ├┤ X ├┤ Ry(θ[4]) ├──■──────────────
         ├──────────┤└───┘└──────────┘  │
    q_2: ┤ Ry(θ[2]) ├──■────────────────┼──────────────
         ├──────────┤┌─┴─┐┌──────────┐┌─┴─┐┌──────────┐
    q_3: ┤ Ry(θ[3]) ├┤ X ├┤ Ry(θ[5]) ├┤ X ├┤ Ry(θ[6]) ├
         └──────────┘└───┘└──────────┘└───┘└──────────┘
    >>> TreeAnsatz().readout_qubits(4)
    (3,)
    """

    def __init__(self, block: Literal["su4", "ry"] = "su4") -> None:
        self.block = block

    def _pairs(self, num_qubits: int) -> list[tuple[int, int]]:
        pairs: list[tuple[int, int]] = []
        alive = list(range(num_qubits))
        while len(alive) > 1:
            level = list(zip(alive[::2], alive[1::2], strict=False))
            pairs += level
            alive = [b for _, b in level] + alive[2 * len(level) :]
        return pairs
