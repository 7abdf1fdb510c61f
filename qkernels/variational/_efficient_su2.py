"""EfficientSU2Ansatz: RY, RZ and CX."""

from __future__ import annotations

from qkernels.variational._layered import LayeredAnsatz
from qkernels.variational._patterns import Entanglement, cnots_cancel

__all__ = ["EfficientSU2Ansatz"]


class EfficientSU2Ansatz(LayeredAnsatz):
    r"""RY and RZ rotations and CX entanglers.

    RY, then RZ, on every qubit; then `reps` times CX on the pairs of the entanglement and RY, RZ on every qubit.
    The angles of a layer are those of all RY, then those of all RZ.

    Parameters
    ----------
    reps : int, default=3
        Repetitions, at least 0.
    entanglement : str or list of pairs, default="reverse_linear"
        ``"linear"``, ``"reverse_linear"``, ``"full"``, ``"circular"``, ``"pairwise"``, or the pairs
        (control, target) themselves.

    See Also
    --------
    RealAmplitudesAnsatz : half the angles.
    RYRZAnsatz : the same rotations with CZ.

    Notes
    -----
    2n·(reps + 1) angles. Cost: reps·(n − 1) CX with a linear pattern, reps·n(n − 1)/2 with ``"full"``.

    The name is the field's: Qiskit has a class ``EfficientSU2`` and a function ``efficient_su2``, and this ansatz
    equals the function at its default gates, angles in the same order.

    Identity point: zeros, where the CX cancel (two qubits and even `reps`, for example).

    References
    ----------
    Kandala et al., "Hardware-efficient variational quantum eigensolver for small molecules and quantum magnets",
    arXiv:1704.05018.

    Examples
    --------
    >>> from qkernels.variational import EfficientSU2Ansatz
    >>> EfficientSU2Ansatz(reps=1).num_parameters(3)
    12
    """

    _rotations = ("ry", "rz")
    _entangler = "cx"

    def __init__(self, reps: int = 3, entanglement: Entanglement = "reverse_linear") -> None:
        self.reps = reps
        self.entanglement = entanglement

    def _cancel(self, pairs: list[tuple[int, int]], num_qubits: int) -> bool:
        return cnots_cancel(pairs, self.reps, num_qubits)
