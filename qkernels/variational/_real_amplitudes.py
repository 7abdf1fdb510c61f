"""RealAmplitudesAnsatz: RY and CX."""

from __future__ import annotations

from qkernels.variational._layered import LayeredAnsatz
from qkernels.variational._patterns import Entanglement, cnots_cancel

__all__ = ["RealAmplitudesAnsatz"]


class RealAmplitudesAnsatz(LayeredAnsatz):
    r"""RY rotations and CX entanglers: from a real state, a real state.

    RY on every qubit; then `reps` times CX on the pairs of the entanglement and RY on every qubit. The angles run
    over the qubits, then over the layers.

    Parameters
    ----------
    reps : int, default=3
        Repetitions, at least 0.
    entanglement : str or list of pairs, default="reverse_linear"
        ``"linear"``, ``"reverse_linear"``, ``"full"``, ``"circular"``, ``"pairwise"``, or the pairs
        (control, target) themselves.

    See Also
    --------
    EfficientSU2Ansatz : RY and RZ, complex states.

    Notes
    -----
    n·(reps + 1) angles. Cost: reps·(n − 1) CX with a linear pattern, reps·n(n − 1)/2 with ``"full"``, on which
    ``"reverse_linear"`` gives the same unitary.

    The name is the field's: Qiskit has a class ``RealAmplitudes`` and a function ``real_amplitudes``, and this
    ansatz equals the function, angles in the same order.

    Identity point: zeros, where the CX cancel (two qubits and even `reps`, for example).

    Examples
    --------
    >>> from qkernels.variational import RealAmplitudesAnsatz
    >>> RealAmplitudesAnsatz(reps=1)
    RealAmplitudesAnsatz(reps=1)
    >>> RealAmplitudesAnsatz().num_parameters(4)
    16
    >>> print(RealAmplitudesAnsatz().resources(4))
    4 qubits, 25 gates (9 CX), depth ...
    """

    _rotations = ("ry",)
    _entangler = "cx"

    def __init__(self, reps: int = 3, entanglement: Entanglement = "reverse_linear") -> None:
        self.reps = reps
        self.entanglement = entanglement

    def _cancel(self, pairs: list[tuple[int, int]], num_qubits: int) -> bool:
        return cnots_cancel(pairs, self.reps, num_qubits)
