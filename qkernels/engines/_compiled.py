"""A program compiled for the exact engine: fused steps from |0…0⟩ to the states of a tile of samples, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from qkernels.engines._shared import share_parameters
from qkernels.engines._steps import Block, PhaseStep, Step, Tile
from qkernels.programs import OverlapProgram, Program

__all__ = ["Compiled", "CompiledAdjoint", "CompiledCircuit", "Gates", "compile_statevector", "row_gates", "slots_of"]


Gates = dict[int, NDArray[Any]]


class Compiled:
    """Steps and the gates of their blocks; a copy in another process finds its own gates again."""

    def __init__(self, items: Sequence[Item], steps: list[Step]) -> None:
        self._steps = steps
        self._items = items  # keeps the nodes alive that the table knows by identity
        self._find_gates()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not isinstance(v, GateTable)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._find_gates()  # known by identity, which a copy does not share

    def _find_gates(self) -> None:
        nodes = [item for item in self._items if isinstance(item, Node) and not item.fixed]
        self._gates = GateTable(node for node in nodes if not node.constant)
        self._shared_gates = GateTable(node for node in nodes if node.constant)

    @property
    def steps(self) -> Sequence[Step]:
        """In the order of application."""
        return self._steps

    def shared(self, angles: NDArray[np.float64], *, keep: bool = False) -> Gates:
        """Matrices of the blocks of trainable parameters, for all tiles of a call.

        Parameters
        ----------
        angles : ndarray of shape (n_samples, n_angles), float64
            Of any rows of the call.
        keep : bool
            Whether the matrices of the parts of blocks are wanted, too.

        Returns
        -------
        dict
            By the identity of a step and, with `keep`, of a part; to be used in this process only.
        """
        gates = self._shared_gates.evaluate(angles[:1])
        blocks = [s for s in self._steps if isinstance(s, Block) and s.node.constant and not s.constant]
        found = {id(step): step.matrix(gates, keep=keep) for step in blocks}
        return gates | found if keep else found


class CompiledCircuit(Compiled):
    """Steps of a circuit; call it with bound angles to get states.

    Attributes
    ----------
    key : str
        Of the program.
    num_qubits : int
    order : tuple of int
        Qubits of the state index, most significant bit first. The same for all samples, not always Qiskit's order.
    num_planes : int
        2 for (re, im); 1 where the circuit has real gates only.
    num_entering : int
        Steps before the first one that depends on trainable parameters.
    entering_slots : ndarray of intp
        Angles that these steps depend on.
    """

    num_entering = 0

    def __init__(self, program: Program) -> None:
        self.key, self.num_qubits = program.key, program.num_qubits
        n = self.num_qubits
        ops = share_parameters(program.flat)
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
        self._find_entering(program)

    def _find_entering(self, program: Program) -> None:
        columns, num_x = program.flat.angles.columns, program.flat.num_x
        used: set[int] = set()
        for k, step in enumerate(self._steps):
            slots = slots_of(step)
            if any(column >= num_x for slot in slots for column in columns[slot]):
                self.num_entering = k if used else 0
                break
            used |= slots
        else:
            self.num_entering = 0  # nothing to be trained: there is no later step
        self.entering_slots = np.array(sorted(used), dtype=np.intp)
        self._find_gates()

    def _find_gates(self) -> None:
        super()._find_gates()
        self._later_gates = row_gates(self._steps[self.num_entering :])

    def enter(self, angles: NDArray[np.float64]) -> NDArray[Any]:
        """States before the first step that depends on trainable parameters, shape (n_samples, 2**num_qubits)."""
        tile = Tile(np, np.float64, angles, self._gates.evaluate(angles), thread_workspace())
        state = tile.array(self._initial)
        for step in self._steps[: self.num_entering]:
            state = step(state, tile)
        entered: NDArray[Any] = np.array(state)
        entered.setflags(write=False)  # cached, and shared by everything that asks for these rows
        return entered

    def __call__(
        self,
        angles: NDArray[np.float64],
        xp: ModuleType = np,
        dtype: Any = np.float64,
        out: NDArray[Any] | None = None,
        shared: Gates | None = None,
        entered: NDArray[Any] | None = None,
    ) -> Array | None:
        """States of one tile.

        Parameters
        ----------
        angles : ndarray of shape (n_samples, n_angles), float64
        xp : array namespace
        dtype : real dtype of the namespace
        out : ndarray of shape (num_planes, n_samples, 2**num_qubits), optional
            NumPy only: written to instead of returning an array.
        shared : dict, optional
            As `shared` gives it for these angles; None evaluates it here.
        entered : ndarray of shape (n_samples, 2**num_qubits), optional
            As `enter` gives it for these angles; None begins at the beginning.

        Returns
        -------
        array of shape (num_planes, n_samples, 2**num_qubits), or None where `out` is given
            Real and imaginary parts; the state index follows `order`.
        """
        workspace = thread_workspace() if xp is np else None
        own = (self._gates if entered is None else self._later_gates).evaluate(angles)
        tile = Tile(xp, dtype, angles, own | (self.shared(angles) if shared is None else shared), workspace)
        state, first = (self._initial, 0) if entered is None else (entered, self.num_entering)
        state = tile.array(state)
        for step in self._steps[first:]:
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


class CompiledAdjoint(Compiled):
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
        items = schedule(adjoint_ops(needed_gates(share_parameters(flat), n), len(flat.angles)), n)
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
        gates = self._gates.evaluate(doubled) | self.shared(doubled)
        tile = Tile(np, planes.dtype.type, doubled, gates, thread_workspace())
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


def row_gates(steps: Iterable[Step]) -> GateTable:
    """The gates of those blocks that differ from sample to sample of a call."""
    return GateTable(s.node for s in steps if isinstance(s, Block) and not s.node.constant)


def slots_of(step: Step) -> set[int]:
    """Angles that a step depends on."""
    if isinstance(step, PhaseStep):
        return {int(slot) for slot in step.slots}
    if not isinstance(step, Block) or step.constant:
        return set()
    return {a for op in step.node.leaves() if op.matrix is None for a in op.angles if isinstance(a, int)}


def compile_statevector(program: Program) -> CompiledCircuit:
    """Compile a program; costs milliseconds to a second, once per program and process."""
    return CompiledCircuit(program)
