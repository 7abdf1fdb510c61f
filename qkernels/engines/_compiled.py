"""A program compiled for the exact engine: fused steps from |0…0⟩ to the states of a tile of samples, and back."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._adjoint import adjoint_angles, adjoint_ops
from qkernels.engines._arrays import Array, Workspace, thread_workspace
from qkernels.engines._blocks import GateTable
from qkernels.engines._fusion import needed_gates, schedule
from qkernels.engines._items import Item, Node
from qkernels.engines._layouts import plan_steps
from qkernels.engines._steps import Step, Tile
from qkernels.programs import OverlapProgram, Program

__all__ = ["CompiledAdjoint", "CompiledCircuit", "compile_statevector"]


class _Compiled:
    """Steps and the gates of their data-dependent blocks; a copy in another process finds its own gates again."""

    def __init__(self, items: Sequence[Item], steps: list[Step]) -> None:
        self._steps = steps
        self._items = items  # keeps the nodes alive that the table knows by identity
        self._gates = self._gate_table()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_gates"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._gates = self._gate_table()  # knows its nodes by identity, which a copy does not share

    def _gate_table(self) -> GateTable:
        return GateTable(item for item in self._items if isinstance(item, Node) and not item.constant)


class CompiledCircuit(_Compiled):
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
        ops = program.flat.ops
        items = schedule(needed_gates(ops, n) if isinstance(program, OverlapProgram) else ops, n)
        steps, self.order = plan_steps(items, tuple(reversed(range(n))))
        initial: NDArray[Any] = np.zeros((1, 2**n))
        initial[0, 0] = 1.0
        nothing = Tile(np, np.float64, np.empty((1, 0)), {}, Workspace())
        while steps and steps[0].constant:  # the constant beginning is evolved once, now
            initial = np.array(steps.pop(0)(initial, nothing))
        super().__init__(items, steps)
        self._initial = initial
        self.num_planes = 2 if np.iscomplexobj(initial) or not all(s.keeps_real for s in steps) else 1
        self.nbytes = initial.nbytes + sum(step.nbytes for step in steps) + (1 << 12)

    def __call__(
        self,
        angles: NDArray[np.float64],
        xp: ModuleType = np,
        dtype: Any = np.float64,
        out: NDArray[Any] | None = None,
    ) -> Array | None:
        """States of one tile.

        Parameters
        ----------
        angles : ndarray of shape (n_samples, n_angles), float64
        xp : array namespace
        dtype : real dtype of the namespace
        out : ndarray of shape (num_planes, n_samples, 2**num_qubits), optional
            NumPy only: written to instead of returning an array.

        Returns
        -------
        array of shape (num_planes, n_samples, 2**num_qubits), or None where `out` is given
            Real and imaginary parts; the state index follows `order`.
        """
        workspace = thread_workspace() if xp is np else None
        tile = Tile(xp, dtype, angles, self._gates.evaluate(angles), workspace)
        state = tile.array(self._initial)
        for step in self._steps:
            state = step(state, tile)
        n = angles.shape[0]
        if state.shape[0] != n:  # nothing depends on the data
            state = xp.broadcast_to(state, (n, state.shape[1]))
        if xp is not np:
            return xp.stack([xp.real(state), xp.imag(state)]) if self.num_planes == 2 else state[None, ...]
        planes = np.empty((self.num_planes, *state.shape), dtype=dtype) if out is None else out
        planes[0] = state.real
        if self.num_planes == 2:
            planes[1] = state.imag
        return planes if out is None else None


class CompiledAdjoint(_Compiled):
    """Steps of U†, for states that the program's `CompiledCircuit` made; call it to undo other rows on them.

    Parameters
    ----------
    program : OverlapProgram
    start : tuple of int
        The `order` of that `CompiledCircuit`. Constant gates at the end of U are left out here where they are there.

    Attributes
    ----------
    order : tuple of int
        Qubits of the index of outcomes, most significant bit first.
    """

    def __init__(self, program: Program, start: tuple[int, ...]) -> None:
        n, flat = program.num_qubits, program.flat
        items = schedule(adjoint_ops(needed_gates(flat.ops, n), len(flat.angles)), n)
        steps, self.order = plan_steps(items, start)
        super().__init__(items, steps)
        self.nbytes = sum(step.nbytes for step in steps) + (1 << 12)

    def __call__(self, planes: NDArray[np.floating[Any]], angles: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        """Probabilities of all outcomes of U(y)†|ψ⟩.

        Parameters
        ----------
        planes : ndarray of shape (2 or 1, n_states, 2**num_qubits)
            Real and imaginary parts of the states ψ.
        angles : ndarray of shape (n_states or 1, n_angles), float64
            Bound angles of the rows y; one row is undone on all states.

        Returns
        -------
        ndarray of shape (n_states, 2**num_qubits)
            The outcome index follows `order`.
        """
        doubled = adjoint_angles(angles)
        tile = Tile(np, planes.dtype.type, doubled, self._gates.evaluate(doubled), thread_workspace())
        state: NDArray[Any] = planes[0]
        if len(planes) == 2:
            state = np.empty(planes.shape[1:], np.result_type(planes.dtype, np.complex64))
            state.real, state.imag = planes
        for step in self._steps:
            state = step(state, tile)
        probabilities: NDArray[np.floating[Any]] = np.square(state.real)
        if np.iscomplexobj(state):
            probabilities += np.square(state.imag)
        return probabilities


def compile_statevector(program: Program) -> CompiledCircuit:
    """Compile a program; costs milliseconds to a second, once per program and process."""
    return CompiledCircuit(program)
