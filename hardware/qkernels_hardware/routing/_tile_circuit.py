"""One circuit that runs copies of another on several places of a device at once, each with its own values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, ControlFlowOp, Parameter, ParameterVector

from qkernels._errors import InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels_hardware.routing._tile_errors import used_qubits
from qkernels_hardware.routing._tiles import Tile

__all__ = ["TiledCircuit", "tile_circuit"]


@dataclass(frozen=True, slots=True)
class TiledCircuit:
    """Copies of a transpiled circuit side by side.

    Attributes
    ----------
    circuit : QuantumCircuit
        On all qubits of the device. It runs as it is; transpiling it again could move the tiles.
    tiles : tuple of Tile, length k
        Where the copies run.
    parameters : tuple of k tuples of m Parameter
        Those of each copy, in the order of the ``parameters`` of the circuit that was copied.
    registers : tuple of str, length k
        Classical register of each copy, ``"t0"``, ``"t1"``, …; its bit b is the copied circuit's classical bit b.
    """

    circuit: QuantumCircuit
    tiles: tuple[Tile, ...]
    parameters: tuple[tuple[Parameter, ...], ...]
    registers: tuple[str, ...]

    def columns(self, values: ArrayLike) -> NDArray[np.float64]:
        """Lay out the values of all copies for one run of the tiled circuit.

        Parameters
        ----------
        values : array-like of shape (P, k, m)
            ``values[p, t]`` holds the values of copy t in run p, in the order of the copied circuit's ``parameters``.
            Radians.

        Returns
        -------
        float64 array of shape (P, k·m)
            Columns in the order of ``self.circuit.parameters``.

        Raises
        ------
        InvalidDataError
            If `values` has another shape.
        """
        given = np.asarray(values, dtype=np.float64)
        shape = len(self.tiles), len(self.parameters[0])
        if given.ndim != 3 or given.shape[1:] != shape:
            raise InvalidDataError(
                f"TiledCircuit.columns: values must have the shape (runs, {shape[0]} tiles, {shape[1]} parameters); "
                f"got {given.shape}."
            )
        every = [parameter for copy in self.parameters for parameter in copy]
        position = {parameter: k for k, parameter in enumerate(every)}
        order = [position[parameter] for parameter in self.circuit.parameters]
        return given.reshape(len(given), -1)[:, order]


def tile_circuit(circuit: QuantumCircuit, tiles: Sequence[Tile], target_num_qubits: int) -> TiledCircuit:
    """Copy a transpiled circuit onto tiles.

    Parameters
    ----------
    circuit : QuantumCircuit
        The circuit that the tiles were found for.
    tiles : sequence of Tile, length >= 1
        Where the copies run, disjoint; from `find_tiles`.
    target_num_qubits : int
        Qubits of the device.

    Returns
    -------
    TiledCircuit
        Copy k has the instructions of `circuit` in their order, the parameters ``qk_t{k}_angle[0]``, … and the
        register ``t{k}``. The global phase is dropped.

    Raises
    ------
    InvalidParameterError
        If there is no tile, a tile has another number of qubits than the circuit uses, a qubit is not on the device,
        or two tiles share one.
    UnsupportedCircuitError
        If `circuit` has control flow.

    Notes
    -----
    Cost: k times the instructions of `circuit`, as deep as one copy. Shots count for all copies at once.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from qkernels_hardware.routing._tile_circuit import tile_circuit
    >>> from qkernels_hardware.routing._tiles import Tile
    >>> circuit = QuantumCircuit(5, 1)
    >>> _ = circuit.rz(Parameter("a"), 2)
    >>> _ = circuit.measure(2, 0)
    >>> tiled = tile_circuit(circuit, [Tile((0,), 0.01), Tile((3,), 0.02)], 5)
    >>> [parameter.name for parameter in tiled.circuit.parameters], tiled.registers
    (['qk_t0_angle[0]', 'qk_t1_angle[0]'], ('t0', 't1'))
    >>> tiled.columns([[[0.1], [0.2]]])
    array([[0.1, 0.2]])
    """
    used = used_qubits(circuit)
    _check(used, tiles, target_num_qubits)
    for item in circuit.data:
        if isinstance(item.operation, ControlFlowOp):
            raise UnsupportedCircuitError(
                f"tile_circuit: the circuit holds control flow ({item.operation.name!r}), which is not copied. Use a "
                "circuit without classical control."
            )
    tiled = QuantumCircuit(target_num_qubits)
    registers = [ClassicalRegister(circuit.num_clbits, f"t{k}") for k in range(len(tiles))]
    parameters = []
    for k, (tile, register) in enumerate(zip(tiles, registers, strict=True)):
        own = tuple(ParameterVector(f"qk_t{k}_angle", circuit.num_parameters))
        tiled.add_register(register)
        _copy(circuit, tiled, dict(zip(used, tile.qubits, strict=True)), register, own)
        parameters.append(own)
    return TiledCircuit(tiled, tuple(tiles), tuple(parameters), tuple(register.name for register in registers))


def _check(used: tuple[int, ...], tiles: Sequence[Tile], num_qubits: int) -> None:
    if not tiles:
        raise InvalidParameterError("tile_circuit: tiles must hold at least one tile; it is empty.")
    taken: set[int] = set()
    for tile in tiles:
        if len(tile.qubits) != len(used):
            raise InvalidParameterError(
                f"tile_circuit: every tile must have {len(used)} qubits, as many as the circuit uses; got {tile}."
            )
        if not all(0 <= qubit < num_qubits for qubit in tile.qubits):
            raise InvalidParameterError(f"tile_circuit: tiles must lie on qubits 0 to {num_qubits - 1}; got {tile}.")
        if len(taken | set(tile.qubits)) < len(taken) + len(used):
            raise InvalidParameterError(
                f"tile_circuit: a qubit may occur once in all tiles; one of {list(tile.qubits)} occurs again."
            )
        taken |= set(tile.qubits)


def _copy(
    circuit: QuantumCircuit,
    tiled: QuantumCircuit,
    place: dict[int, int],
    register: ClassicalRegister,
    parameters: tuple[Parameter, ...],
) -> None:
    """Append the instructions of a circuit on other qubits and bits, in other parameters."""
    renamed = circuit.assign_parameters(dict(zip(circuit.parameters, parameters, strict=True)))
    for item in renamed.data:
        indices = [renamed.find_bit(q).index for q in item.qubits]
        qubits = [tiled.qubits[place[q]] for q in indices if q in place]
        if item.operation.name == "barrier":  # may stand on qubits that nothing else uses
            tiled.barrier(qubits, label=item.operation.label)
            continue
        clbits = [register[renamed.find_bit(c).index] for c in item.clbits]
        tiled.append(item.replace(qubits=qubits, clbits=clbits))
