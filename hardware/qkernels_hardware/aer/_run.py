"""The compute–uncompute circuit of a device on Aer: built once, run for arrays of parameter values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Pauli

from qkernels._errors import ExecutionError, InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import circuit_of
from qkernels.programs import Program
from qkernels_hardware.aer._device import TranspiledDevice
from qkernels_hardware.aer._noise import aer_noise_model, noise_table

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel, QuantumError

__all__ = ["EXACT_METHODS", "AerCircuit"]

EXACT_METHODS = frozenset({"density_matrix"})
"""Methods of Aer that give probabilities under noise; the others follow trajectories, one for each shot."""

Values = NDArray[np.float64]


class AerCircuit:
    """A program on Aer.

    Parameters
    ----------
    device : TranspiledDevice
    program : OverlapProgram or ExpectationProgram
    method : str

    Attributes
    ----------
    readout : ndarray of shape (n, 2, 2), float64
        P(read | true) of every qubit of the program.
    nbytes : int
    """

    nbytes = 1 << 20

    def __init__(self, device: TranspiledDevice, program: Program, method: str) -> None:
        from qiskit_aer import AerSimulator

        routed = device.circuit(program)
        self._pair, self._n = routed.pair, program.num_qubits
        self._where = f"AerEngine on {routed.device}, method {method!r}"
        first, self._first = circuit_of(self._pair.prepare, "p")
        self._circuit = first
        self._second: Sequence[Parameter] = ()
        if self._pair.undo is not None:
            second, self._second = circuit_of(self._pair.undo, "q")
            self._circuit.barrier()
            self._circuit.compose(second, inplace=True)
        names = sorted({op.name for op in self._pair.ops})
        unknown = {op.name for op in self._pair.ops if not op.is_directive} - _instructions(method)
        if unknown:
            raise UnsupportedCircuitError(
                f"{self._where} cannot run the device's gate {', '.join(sorted(unknown))}, which Aer does not have. "
                "Use strategy='factored', which takes every gate, or another device."
            )
        model = device.source.model(routed.used, names)
        self._before_reading: dict[int, QuantumError] = {}
        if method in EXACT_METHODS:
            model, is_table = _merged(model, len(routed.used))
            if not is_table:
                self._before_reading = _measure_errors(model, self._pair.measured)
        for factor, with_readout in device.scaling:
            model = aer_noise_model(noise_table(model).scaled(factor, readout=with_readout), len(routed.used))
        self._simulator = AerSimulator(method=method, noise_model=model)
        self.readout = np.array([_readout_of(model, q) for q in self._pair.measured])

    def probabilities(self, prepared: Values, undone: Values) -> Values:
        """Distributions over all outcomes for pairs of rows of bound angles, shape (n_pairs, 2**n)."""
        circuit = self._circuit.copy()
        for qubit, error in self._before_reading.items():
            circuit.append(error.to_instruction(), [qubit])
        circuit.save_probabilities(list(self._pair.measured), label="found")
        p = np.array(list(self._run(circuit, prepared, undone)))
        p = np.broadcast_to(p, (len(prepared), p.shape[-1])).reshape(len(prepared), *[2] * self._n)
        for k, matrix in enumerate(self.readout):  # the last axis is qubit 0
            p = np.moveaxis(np.tensordot(matrix, p, axes=(1, self._n - k)), 0, self._n - k)
        return np.ascontiguousarray(p.reshape(len(prepared), -1))

    def sample(
        self, prepared: Values, undone: Values, shots: NDArray[np.int64], seeds: NDArray[np.intp]
    ) -> list[NDArray[np.uint8]]:
        """Measured bits of pairs, each in a run with a seed of its own: (shots, ⌈n/8⌉), sorted by outcome."""
        circuit = self._circuit.copy()
        measured = QuantumCircuit(circuit.num_qubits, self._n)
        measured.compose(circuit, inplace=True)
        measured.measure(list(self._pair.measured), range(self._n))
        binds = self._binds(measured, prepared, undone)
        found = []
        for k in range(len(prepared)):
            bound = measured.assign_parameters({parameter: values[k] for parameter, values in binds.items()})
            # one thread: the same numbers on every machine
            options = {"shots": int(shots[k]), "seed_simulator": int(seeds[k]), "max_parallel_threads": 1}
            counts = self._result(bound, options).get_counts(0).int_outcomes()
            found.append(_packed(counts, self._n))
        return found

    def paulis(self, angles: Values, labels: Sequence[str]) -> Values:
        """Expectation values of Pauli strings over the program's qubits as they are read, shape (n_rows, n_labels)."""
        if self._before_reading:
            raise UnsupportedCircuitError(
                f"{self._where}: the noise model has errors on 'measure' that are no misreading of 0 and 1. They are "
                "known for overlaps only, not for measurements in other bases."
            )
        terms = [self._read_terms(label) for label in labels]
        strings = sorted({string for term in terms for string in term})
        circuit = self._circuit.copy()
        for k, string in enumerate(strings):
            circuit.save_expectation_value(Pauli(string), list(self._pair.measured), label=f"found{k}")
        rows = [[float(data[f"found{k}"]) for k in range(len(strings))] for data in self._data(circuit, angles, None)]
        exact = np.broadcast_to(np.array(rows), (len(angles), len(strings)))
        mixing = np.array([[term.get(string, 0.0) for string in strings] for term in terms])
        return np.asarray(exact @ mixing.T)

    def _read_terms(self, label: str) -> dict[str, float]:
        """A Pauli string read with errors as a sum of strings: P becomes a + b P on every qubit."""
        terms = {"": 1.0}
        for k, letter in reversed(list(enumerate(reversed(label)))):
            if letter == "I":
                terms = {string + "I": c for string, c in terms.items()}
                continue
            if_zero, if_one = self.readout[k, 0] - self.readout[k, 1]
            offset, slope = 0.5 * (if_zero + if_one), 0.5 * (if_zero - if_one)
            grown = {string + letter: c * slope for string, c in terms.items()}
            terms = grown | ({string + "I": c * offset for string, c in terms.items()} if offset else {})
        return terms

    def _run(self, circuit: QuantumCircuit, prepared: Values, undone: Values | None) -> Iterator[Values]:
        for data in self._data(circuit, prepared, undone):
            yield np.asarray(data["found"])

    def _data(self, circuit: QuantumCircuit, prepared: Values, undone: Values | None) -> list[dict[str, Any]]:
        """What was saved, for every row of values; for all rows once where nothing depends on them."""
        binds = self._binds(circuit, prepared, undone)
        options: dict[str, Any] = {"parameter_binds": [binds]} if binds else {}
        return [one.data.to_dict() for one in self._result([circuit], options | {"shots": 1}).results]

    def _binds(self, circuit: QuantumCircuit, prepared: Values, undone: Values | None) -> dict[Parameter, list[float]]:
        columns = dict(zip(self._first, self._pair.prepare.angles.evaluate(prepared).T, strict=True))
        if undone is not None and self._pair.undo is not None:
            columns |= dict(zip(self._second, self._pair.undo.angles.evaluate(undone).T, strict=True))
        return {parameter: columns[parameter].tolist() for parameter in circuit.parameters}

    def _result(self, circuits: QuantumCircuit | list[QuantumCircuit], options: dict[str, Any]) -> Any:
        try:
            result = self._simulator.run(circuits, **options).result()
        except QiskitError as error:
            raise ExecutionError(f"{self._where} failed: {error}") from error
        if not result.success:
            failed = next((one.status for one in result.results if not one.success), result.status)
            raise ExecutionError(f"{self._where} failed: {failed}")
        return result


@cache
def _instructions(method: str) -> frozenset[str]:
    """What a method of Aer runs."""
    from qiskit_aer import AerSimulator

    # its list for matrix-product states leaves cu1 out, which they run
    return frozenset({*AerSimulator(method=method).operation_names, "cu1"})


def _merged(model: NoiseModel, num_qubits: int) -> tuple[NoiseModel, bool]:
    """The model with one set of Kraus operators for each error; as it is, and False, where a table cannot hold it.

    Aer drops terms of an error whose probability is below 1e-10. Errors of a device model have up to 144 terms, and a
    hundred gates then lose 1e-7 of the trace.
    """
    try:
        table = noise_table(model)
    except InvalidParameterError:
        return model, False
    return aer_noise_model(table, num_qubits), True


def _measure_errors(model: NoiseModel, qubits: Sequence[int]) -> dict[int, QuantumError]:
    """Errors that Aer inserts before the measurement of each qubit: they are part of what is read."""
    local = model._local_quantum_errors.get("measure", {})
    default = model._default_quantum_errors.get("measure")
    found = {qubit: local.get((qubit,), default) for qubit in qubits}
    return {qubit: error for qubit, error in found.items() if error is not None}


def _readout_of(model: NoiseModel, qubit: int) -> Values:
    """P(read | true) of a qubit in a noise model of Aer, whose matrices are transposed."""
    error = model._local_readout_errors.get((qubit,), model._default_readout_error)
    return np.eye(2) if error is None else np.asarray(error.probabilities, dtype=np.float64).T


def _packed(counts: dict[int, int], num_qubits: int) -> NDArray[np.uint8]:
    width = -(-num_qubits // 8)
    rows = [np.frombuffer(outcome.to_bytes(width, "big"), dtype=np.uint8) for outcome in sorted(counts)]
    return np.repeat(np.array(rows), [counts[outcome] for outcome in sorted(counts)], axis=0)
