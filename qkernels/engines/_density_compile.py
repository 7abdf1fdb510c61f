"""A noisy compute–uncompute circuit compiled: states forward, effects backward, as real vectors over Pauli strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import UnsupportedCircuitError
from qkernels.circuits import FlatOp, PairCircuit
from qkernels.engines._arrays import thread_workspace
from qkernels.engines._compiled import Compiled
from qkernels.engines._fusion import schedule
from qkernels.engines._layouts import plan_steps
from qkernels.engines._noise_table import NoiseTable
from qkernels.engines._steps import Move, Tile
from qkernels.engines._transfer import TRANSFER, TRANSPOSED, transfer_of_unitary

__all__ = ["MOST_GATE_QUBITS", "CompiledDensity", "TransferCircuit"]

Values = NDArray[np.float64]

MOST_GATE_QUBITS = 5
"""Widest gate taken: its transfer matrix has 4^5 rows, 8 MiB."""

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}

_ZERO_STATE = np.array([1.0, 0.0, 0.0, 1.0])
"""⟨I⟩, ⟨X⟩, ⟨Y⟩, ⟨Z⟩ of |0⟩."""


class TransferCircuit(Compiled):
    """Instructions as transfer matrices on vectors; call it with bound angles.

    Parameters
    ----------
    ops : sequence of FlatOp
        Over bits, two for each qubit, in the order of application.
    num_qubits : int
    initial : ndarray of shape (n_vectors, 4**num_qubits), float64
        The vectors that every row starts from; the index counts the Pauli strings, qubit 0 least significant.
    """

    def __init__(self, ops: Sequence[FlatOp], num_qubits: int, initial: Values) -> None:
        self.num_vectors, self.num_qubits = len(initial), num_qubits
        extra = (len(initial) - 1).bit_length()
        bits = 2 * num_qubits + extra
        start = tuple(reversed(range(bits)))
        items = schedule(ops, bits, runs=False)
        steps, order = plan_steps(items, start)
        vectors = np.zeros((1, 2**extra, 4**num_qubits))
        vectors[0, : len(initial)] = initial
        state: NDArray[np.float64] = vectors.reshape(1, -1)
        nothing = Tile(np, np.float64, np.empty((1, 0)), {}, thread_workspace())
        while steps and steps[0].constant:  # the constant beginning is evolved once, now
            state = np.array(steps.pop(0)(state, nothing))
        if order != start:
            steps.append(Move(order, start))
        super().__init__(items, steps)
        self._initial = state
        self.nbytes = state.nbytes + sum(step.nbytes for step in steps) + (1 << 12)

    def __call__(self, angles: Values, out: Values) -> None:
        """Vectors of one tile of rows.

        Parameters
        ----------
        angles : ndarray of shape (n_rows, n_angles), float64
        out : ndarray of shape (n_rows, n_vectors, 4**num_qubits), float64
            Written to.
        """
        tile = Tile(np, np.float64, angles, self._gates.evaluate(angles), thread_workspace())
        state = self._initial
        for step in self._steps:
            state = step(state, tile)
        out[...] = state.reshape(len(state), -1, out.shape[-1])[:, : self.num_vectors]


class CompiledDensity:
    """A pair circuit with its noise.

    Parameters
    ----------
    pair : PairCircuit
    table : NoiseTable
        Of the qubits of the pair circuit.
    owner : str
        For messages.

    Attributes
    ----------
    num_qubits : int
        Active qubits: only they are simulated.
    readout : ndarray of shape (n, 2, 2), float64
        P(read | true) of every qubit of the program.
    places : tuple of int or None
        The active qubit that holds each qubit of the program; None for one that no instruction acts on.
    pair : PairCircuit
    forward, backward : list of FlatOp
        Instructions over bits that take states through the first half, and effects back through the second one.
    zero_state, zero_effect : ndarray of shape (4**num_qubits,), float64
        |0…0⟩, and "reads zero" before the second half.
    states, effects : TransferCircuit
        Of |0…0⟩ forward, and of "reads zero" backward. `effects` is None where nothing is undone.
    nbytes : int
    """

    def __init__(self, pair: PairCircuit, table: NoiseTable, owner: str) -> None:
        active = pair.active
        position = {q: k for k, q in enumerate(active)}
        self.num_qubits = n = len(active)
        self.pair = pair
        self.places = tuple(position.get(q) for q in pair.measured)
        self.readout = np.array([table.readout_matrix(q) for q in pair.measured])
        self.forward = list(_noisy_ops(pair.prepare.ops, table, position, owner))
        self.zero_state = np.ones(1)
        for _ in range(n):
            self.zero_state = np.kron(self.zero_state, _ZERO_STATE)
        self.states = TransferCircuit(self.forward, n, self.zero_state[None])
        undone = () if pair.undo is None else pair.undo.ops
        self.backward = [_transposed(op) for op in reversed(list(_noisy_ops(undone, table, position, owner)))]
        self.zero_effect = self._class_effects(None, 1)[0]
        self.effects = None if pair.undo is None else TransferCircuit(self.backward, n, self.zero_effect[None])
        self.nbytes = self.states.nbytes + (0 if self.effects is None else self.effects.nbytes)

    def prepare_angles(self, angles: Values) -> Values:
        """Angles of the first half for bound angles of the program."""
        return self.pair.prepare.angles.evaluate(angles)

    def undo_angles(self, angles: Values) -> Values:
        """Angles of the second half for bound angles of the program."""
        if self.pair.undo is None:
            raise ValueError("nothing is undone in this circuit")
        return self.pair.undo.angles.evaluate(angles)

    def class_effects(self, class_of: NDArray[np.intp], num_classes: int) -> TransferCircuit:
        """The effects "the outcome is of class c", to be taken back through the second half.

        Parameters
        ----------
        class_of : ndarray of shape (2**n,), intp
            Class of every outcome of the program's qubits, qubit 0 the lowest bit.
        num_classes : int

        Returns
        -------
        TransferCircuit
            One vector for each class.
        """
        return TransferCircuit(self.backward, self.num_qubits, self._class_effects(class_of, num_classes))

    def _class_effects(self, class_of: NDArray[np.intp] | None, num_classes: int) -> Values:
        """Effects before the second half, shape (num_classes, 4**num_qubits); `class_of` None is "reads zero"."""
        rows, columns = np.ones((1, 1)), np.zeros(1, dtype=np.intp)
        for matrix, place in zip(self.readout, self.places, strict=True):
            if_zero, if_one = matrix[:, 0], matrix[:, 1]
            if place is None:  # stays in |0⟩
                factor, step = if_zero[:, None], np.zeros(1, dtype=np.intp)
            else:
                factor = np.stack([0.5 * (if_zero + if_one), 0.5 * (if_zero - if_one)], axis=1)
                step = np.array([0, 3 << (2 * place)])
            if class_of is None:
                factor = factor[:1]
            rows = np.kron(factor, rows)
            columns = (step[:, None] + columns[None, :]).ravel()
        effects = np.zeros((num_classes, 4**self.num_qubits))
        if class_of is None:
            effects[:, columns] = rows
        else:
            by_class = np.zeros((num_classes, rows.shape[1]))
            np.add.at(by_class, class_of, rows)
            effects[:, columns] = by_class
        return effects


def _noisy_ops(ops: Iterable[FlatOp], table: NoiseTable, position: dict[int, int], owner: str) -> Iterable[FlatOp]:
    """Instructions over bits, each with the channel that follows it."""
    for op in ops:
        if op.name == "barrier":
            continue
        bits = tuple(b for q in op.qubits for b in (2 * position[q], 2 * position[q] + 1))
        noise = _idle_noise(op, table) if op.name == "delay" else table.transfer(op.name, op.qubits)
        if len(op.qubits) > MOST_GATE_QUBITS:
            raise UnsupportedCircuitError(
                f"Instruction {op.name!r} on qubits {list(op.qubits)} is wider than the {MOST_GATE_QUBITS} qubits that "
                f"{owner} takes under noise. Write it out in smaller gates."
            )
        if op.matrix is not None:
            matrix = transfer_of_unitary(op.matrix)
            yield _channel(bits, matrix if noise is None else noise @ matrix)
            continue
        if not op.is_directive:
            yield FlatOp(f"{TRANSFER}{op.name}", bits, op.angles, None, "", op.gate, op.free)
        if noise is not None:
            yield _channel(bits, noise)


def _channel(bits: tuple[int, ...], matrix: NDArray[Any]) -> FlatOp:
    return FlatOp("channel", bits, (), matrix, "")


def _transposed(op: FlatOp) -> FlatOp:
    if op.matrix is not None:
        return _channel(op.qubits, np.ascontiguousarray(op.matrix.T))
    name = op.name.replace(TRANSFER, TRANSPOSED)
    return FlatOp(name, op.qubits, op.angles, None, "", op.gate, op.free)


def _idle_noise(op: FlatOp, table: NoiseTable) -> Values | None:
    """What a delay does: the rule for idle qubits, and a channel of the name "delay" if there is one."""
    rule, channel = table.relaxation(op.qubits[0]), table.transfer("delay", op.qubits)
    if rule is None:
        return channel
    duration = op.angles[0]
    if isinstance(duration, int):
        raise UnsupportedCircuitError(
            f"Instruction 'delay' on qubits {list(op.qubits)} has a duration that depends on data, for which a noise "
            "table has no channel. Give it a number."
        )
    if op.unit == "dt" and table.dt is None:
        raise UnsupportedCircuitError(
            f"Instruction 'delay' on qubits {list(op.qubits)} lasts {duration} dt, but the noise table has no dt. Give "
            "NoiseTable(dt=...) in seconds."
        )
    seconds = duration * ((table.dt or 0.0) if op.unit == "dt" else _SECONDS[op.unit])
    transfer = rule.transfer(seconds)
    return transfer if channel is None else channel @ transfer
