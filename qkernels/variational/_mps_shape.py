"""MPSAnsatz: a chain of two-qubit blocks."""

from __future__ import annotations

from typing import Literal

from qkernels.variational._funnel import FunnelAnsatz

__all__ = ["MPSAnsatz"]


class MPSAnsatz(FunnelAnsatz):
    r"""A chain (matrix product state of bond dimension 2): blocks on (0,1), (1,2), …, (n−2, n−1).

    The last qubit is the readout.

    Parameters
    ----------
    block : {"su4", "ry"}, default="su4"
        ``"su4"``: a general two-qubit block of 15 angles (see `BrickworkAnsatz`); ``"ry"``: RY on both qubits,
        CX(first→second), and one RY on the readout at the very end.

    See Also
    --------
    TreeAnsatz : the blocks in a tree, at logarithmic depth.

    Notes
    -----
    15·(n − 1) angles, or 2·(n − 1) + 1 for ``"ry"``. Cost: n − 1 blocks of 3 CX (``"ry"``: 1), one after the other.

    Not to be confused with `MPSEngine`, which evaluates any circuit.

    Identity point: zeros, for ``"su4"``.

    References
    ----------
    Huggins et al., "Towards quantum machine learning with tensor networks", arXiv:1803.11537.

    Examples
    --------
    >>> from qkernels.variational import MPSAnsatz
    >>> MPSAnsatz().num_parameters(4)
    45
    >>> MPSAnsatz("ry").resources(4).num_cx
    3
    """

    def __init__(self, block: Literal["su4", "ry"] = "su4") -> None:
        self.block = block

    def _pairs(self, num_qubits: int) -> list[tuple[int, int]]:
        return [(i, i + 1) for i in range(num_qubits - 1)]
