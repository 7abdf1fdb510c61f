"""Where a circuit runs, and with which noise: the one thing a noisy engine asks a vendor's package for."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from qkernels._errors import MissingNoiseWarning, user_stacklevel
from qkernels.circuits import PairCircuit, logical_pair
from qkernels.engines._noise_table import NoiseTable
from qkernels.programs import OverlapProgram, Program

__all__ = ["Lowered", "NoisyDevice", "TableDevice"]


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A program as it runs on a device.

    Attributes
    ----------
    pair : PairCircuit
        In the gates of the device, on its own numbering of qubits.
    table : NoiseTable
        Noise of those qubits, in the same numbering.
    info : mapping
        What `Overlaps.info` is to say about it: the layout, for example.
    """

    pair: PairCircuit
    table: NoiseTable
    info: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def warn_about_missing(self, owner: str) -> None:
        """Warn about gates that the table does not know.

        Parameters
        ----------
        owner : str
            The engine, for the message.

        Warns
        -----
        MissingNoiseWarning
            Names the gates and their qubits.
        """
        missing: dict[str, set[tuple[int, ...]]] = {}
        for op in self.pair.ops:
            known = op.is_directive or op.name in self.table.ideal
            if not known and self.table.transfer(op.name, op.qubits) is None:
                missing.setdefault(op.name, set()).add(op.qubits)
        if missing:
            named = "; ".join(f"{name!r} on {sorted(where)}" for name, where in sorted(missing.items()))
            warnings.warn(
                f"The noise of {owner} has no entry for {named}: evaluated without error. Add channels or defaults to "
                "the noise table, or name the gates in its ideal=... where they have none.",
                MissingNoiseWarning,
                stacklevel=user_stacklevel(),
            )


class NoisyDevice(ABC):
    """What runs programs, with noise (abstract): transpilation and noise behind one face."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Identity of the device, its noise and its transpilation; a part of every cache key."""

    @abstractmethod
    def lower(self, program: Program) -> Lowered:
        """The program as it runs here.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram

        Returns
        -------
        Lowered

        Raises
        ------
        UnsupportedCircuitError
            An instruction cannot run here.
        InvalidParameterError
            The circuit has more qubits than the device.
        """

    @abstractmethod
    def num_active(self, program: Program) -> int:
        """Qubits that a gate acts on when the program runs here.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram

        Returns
        -------
        int
        """

    @abstractmethod
    def scaled(self, factor: float, *, readout: bool = True) -> NoisyDevice:
        """The device with `factor` times the noise, transpiled alike.

        Parameters
        ----------
        factor : float >= 0
        readout : bool, default=True
            Whether readout errors are scaled, too.

        Returns
        -------
        NoisyDevice
        """


class TableDevice(NoisyDevice):
    """A noise table for the circuit as it is written: nothing is transpiled.

    Parameters
    ----------
    table : NoiseTable
    """

    def __init__(self, table: NoiseTable) -> None:
        self.table = table

    def __repr__(self) -> str:
        return repr(self.table)

    @property
    def key(self) -> str:
        return self.table.key

    def lower(self, program: Program) -> Lowered:
        return Lowered(logical_pair(program.flat, undo=isinstance(program, OverlapProgram)), self.table)

    def num_active(self, program: Program) -> int:
        return len({q for op in program.flat.ops if op.name != "barrier" for q in op.qubits})

    def scaled(self, factor: float, *, readout: bool = True) -> TableDevice:
        return TableDevice(self.table.scaled(factor, readout=readout))
