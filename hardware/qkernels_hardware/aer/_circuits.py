"""Every pair on Aer: one circuit with arrays of parameter values, or a run for each pair where Aer samples."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import MemoryLimit, PairBatch, PairwiseEngine, Prepared
from qkernels.programs import ExpectationProgram, OverlapProgram, Program
from qkernels_hardware.aer._device import TranspiledDevice
from qkernels_hardware.aer._run import EXACT_METHODS, AerCircuit

__all__ = ["AerCircuitsEngine"]

Values = NDArray[np.float64]


class AerCircuitsEngine(PairwiseEngine):
    """All pairs as circuits on Aer.

    Parameters
    ----------
    device : TranspiledDevice
    method : str
        Of AerSimulator.
    shots, seed, memory_limit
        As in `AerEngine`.
    """

    def __init__(
        self,
        device: TranspiledDevice,
        method: str,
        shots: int | None,
        seed: int | None,
        memory_limit: MemoryLimit = "auto",
    ) -> None:
        super().__init__(shots=shots, seed=seed, memory_limit=memory_limit)
        self._device, self.method, self._alias = device, method, "AerEngine"

    @property
    def _samples(self) -> bool:
        return self.method not in EXACT_METHODS

    @property
    def _tag(self) -> str:
        return f"aer/{self.method}/{self._device.key}"

    @property
    def _compile_tag(self) -> str:
        return self._tag

    def _repr_options(self) -> dict[str, object]:
        return {"device": self._device, "method": self.method}

    def _compile(self, program: Program) -> AerCircuit:
        circuit = AerCircuit(self._device, program, self.method)
        with suppress(InvalidParameterError):  # noise that a table cannot hold: what Aer misses, it does not tell
            self._device.lower(program).warn_about_missing("AerEngine")
        return circuit

    def _info(self, program: OverlapProgram) -> dict[str, str | int | float | bool]:
        routed = self._device.info(self._device.circuit(program))
        return super()._info(program) | routed | {"method": self.method}

    def _readout(self, program: OverlapProgram) -> Values:
        return np.array(self._compiled(program).readout)

    def _run_bytes(self, program: Program) -> int:
        n = self._device.num_active(program)
        if self._samples:  # one trajectory; matrix-product states grow as they must
            return 2 * 16 << n if self.method == "statevector" else 0
        return 2 * 16 << 2 * n

    def _outcome_probabilities(self, program: OverlapProgram, prepared: Values, undone: Values) -> Values:
        circuit: AerCircuit = self._compiled(program)
        return circuit.probabilities(prepared, undone)

    def _measured_bits(self, program: OverlapProgram, pairs: PairBatch) -> list[NDArray[np.uint8]]:
        circuit: AerCircuit = self._compiled(program)
        return circuit.sample(pairs.prepared, pairs.undone, pairs.shots, pairs.seeds(self.seed))

    def _all_paulis(self, program: ExpectationProgram, bound: Prepared, footprint: object, labels: list[str]) -> Values:
        if self._samples:
            raise UnsupportedCircuitError(
                f"AerEngine(method={self.method!r}) measures overlaps only: its trajectories have no exact expectation "
                "values to draw from. Use method=None for expectation values, and for kernels made of them."
            )
        circuit: AerCircuit = self._compiled(program)
        return circuit.paulis(bound.angles, labels)

    def _pauli_values(self, program: ExpectationProgram, states: object, labels: list[str]) -> Values:
        raise NotImplementedError
