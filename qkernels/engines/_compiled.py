"""A program compiled for the exact engine: fused steps from |0…0⟩ to the states of a tile of samples."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._arrays import Array, as_namespace_array
from qkernels.engines._blocks import GateTable
from qkernels.engines._fusion import Node, schedule
from qkernels.engines._steps import C, Step, Tile, make_step
from qkernels.programs import OverlapProgram, Program

__all__ = ["CompiledCircuit", "compile_statevector"]


class CompiledCircuit:
    """Steps of a circuit; call it with bound angles to get states.

    Attributes
    ----------
    num_qubits : int
    order : tuple of int
        Qubits of the state index, most significant bit first. The same for all samples, not always Qiskit's order.
    num_planes : int
        2 for (re, im); 1 where the circuit has real gates only.
    """

    def __init__(self, program: Program) -> None:
        self.num_qubits = n = program.num_qubits
        items = schedule(program.flat.ops, n, drop_trailing=isinstance(program, OverlapProgram))
        layout: tuple[int, ...] = tuple(reversed(range(n)))
        initial = np.zeros((1, 2**n))
        initial[0, 0] = 1.0
        nothing = Tile(np, np.float64, np.empty((1, 0)), {})
        steps: list[Step] = []
        leaves = []
        for item in items:
            step = make_step(item, layout)
            layout = step.after
            if step.constant and not steps:  # the constant beginning is evolved once, now
                initial = step(initial, nothing)
            else:
                steps.append(step)
                leaves.extend(item.leaves() if isinstance(item, Node) else [])
        self._steps = steps
        self._gates = GateTable(leaves)
        self._initial = initial
        self._layout = layout
        self.order = tuple(label for label in layout if label != C)
        self.num_planes = 2 if C in layout else 1
        self.nbytes = initial.nbytes + sum(step.nbytes for step in steps) + (1 << 12)

    def __call__(self, angles: NDArray[np.float64], xp: ModuleType = np, dtype: Any = np.float64) -> Array:
        """States of one tile.

        Parameters
        ----------
        angles : ndarray of shape (n_samples, n_angles), float64
        xp : array namespace
        dtype : real dtype of the namespace

        Returns
        -------
        array of shape (num_planes, n_samples, 2**num_qubits)
            Real and imaginary parts; the state index follows `order`.
        """
        tile = Tile(xp, dtype, angles, self._gates.evaluate(angles))
        state = as_namespace_array(xp, self._initial, dtype)
        for step in self._steps:
            state = step(state, tile)
        n = angles.shape[0]
        if state.shape[0] != n:  # nothing depends on the data
            state = xp.broadcast_to(state, (n, state.shape[1]))
        if self.num_planes == 1:
            return xp.reshape(state, (1, n, -1))
        high = 2 ** self._layout.index(C)
        planes = xp.permute_dims(xp.reshape(state, (n, high, 2, -1)), (2, 0, 1, 3))
        return xp.reshape(planes, (2, n, -1))


def compile_statevector(program: Program) -> CompiledCircuit:
    """Compile a program; costs milliseconds to a second, once per program and process."""
    return CompiledCircuit(program)
