"""A device with noise for noisy engines: programs are transpiled, their noise is looked up for the qubits they use."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from qkernels._errors import UnsupportedCircuitError
from qkernels.engines import Lowered, NoiseTable, NoisyDevice
from qkernels.programs import Program
from qkernels_hardware.aer._sources import NoiseSource
from qkernels_hardware.routing import DeviceCircuit, lower

__all__ = ["TranspiledDevice"]

_MOST_CIRCUITS = 256
"""Transpiled circuits kept in the process; each is some hundred kilobytes."""

_LOCK = threading.Lock()
_CIRCUITS: OrderedDict[tuple[str, str], DeviceCircuit] = OrderedDict()


class TranspiledDevice(NoisyDevice):
    """A noise source with a way to transpile for it.

    Parameters
    ----------
    source : NoiseSource
    optimization_level : int
    layout : tuple of int, or None
    scaling : tuple of (float, bool)
        How its noise is scaled: factors, each with whether readout errors are scaled, too.
    """

    def __init__(
        self,
        source: NoiseSource,
        optimization_level: int,
        layout: tuple[int, ...] | None,
        scaling: tuple[tuple[float, bool], ...] = (),
    ) -> None:
        self.source, self.optimization_level, self.layout, self.scaling = source, optimization_level, layout, scaling

    def __repr__(self) -> str:
        return self.source.name

    @property
    def _circuit_key(self) -> str:
        """Identity of what is transpiled for, noise apart from its scale."""
        return f"{self.source.key}/{self.optimization_level}/{self.layout}"

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self._circuit_key}/{self.scaling}".encode()).hexdigest()

    def circuit(self, program: Program) -> DeviceCircuit:
        """The circuit that runs, transpiled once for each program and process.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram

        Returns
        -------
        DeviceCircuit
        """
        key = (self._circuit_key, program.key)
        with _LOCK:
            found = _CIRCUITS.get(key)
            if found is None:
                backend = self.source.backend(program.num_qubits)
                found = lower(program, backend, self.source.name, self.optimization_level, self.layout)
                _CIRCUITS[key] = found
                if len(_CIRCUITS) > _MOST_CIRCUITS:
                    _CIRCUITS.popitem(last=False)
        return found

    def lower(self, program: Program) -> Lowered:
        circuit = self.circuit(program)
        return Lowered(circuit.pair, self.table(circuit), self.info(circuit))

    def info(self, circuit: DeviceCircuit) -> dict[str, str | int | float | bool]:
        """What `Overlaps.info` says about a circuit."""
        return {
            "device": circuit.device,
            "layout": ",".join(map(str, circuit.layout)),
            "two_qubit_gates": circuit.two_qubit_gates,
            "layout_fidelity": circuit.fidelity,
        }

    def table(self, circuit: DeviceCircuit) -> NoiseTable:
        """The noise of the qubits that a circuit uses, in its numbering.

        Parameters
        ----------
        circuit : DeviceCircuit

        Returns
        -------
        NoiseTable
        """
        table = self.source.table(circuit.used)
        for factor, readout in self.scaling:
            table = table.scaled(factor, readout=readout)
        return table

    def num_active(self, program: Program) -> int:
        return len(self.circuit(program).active)

    def with_layout(self, layout: tuple[int, ...]) -> TranspiledDevice:
        """The device with its noise, and circuits on other qubits.

        Parameters
        ----------
        layout : tuple of int

        Returns
        -------
        TranspiledDevice
        """
        return TranspiledDevice(self.source, self.optimization_level, layout, self.scaling)

    def scaled(self, factor: float, *, readout: bool = True) -> TranspiledDevice:
        NoiseTable().scaled(factor)  # refuses what is no factor
        if self.source.obstacle:
            raise UnsupportedCircuitError(
                f"AerEngine cannot scale its noise. {self.source.obstacle} Lengthen the circuits instead: "
                "ZeroNoiseExtrapolation(engine, factors=(1, 3, 5), method='fold')."
            )
        if factor == 1:  # the noise as Aer gets it: powers of a channel are written in other Kraus operators
            return self
        scaling = (*self.scaling, (float(factor), readout))
        return TranspiledDevice(self.source, self.optimization_level, self.layout, scaling)
