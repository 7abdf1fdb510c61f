"""Aer under the noise of a device, as its user runs it, and qiskit-machine-learning's kernel on top of it.

All evaluate the compute–uncompute circuit with a barrier between its halves; of two rows the first is prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ClassicalRegister, Parameter, ParameterVector
from qiskit.providers import BackendV2
from qiskit.quantum_info import Kraus, SuperOp
from qiskit.result import Result
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, QuantumError

from benchmarks._harness import Contender, Values
from qkernels import OverlapProgram
from qkernels.circuits import FlatCircuit, circuit_of
from qkernels_hardware import AerEngine, device_model

__all__ = [
    "NoisyPairs",
    "aer_sampled",
    "fidelity_quantum_kernel",
    "noise_of_device",
    "transpiled_as_engine",
    "transpiled_by_user",
]

SEED = 0
"""Of Aer's counts."""

PARALLEL = {"max_parallel_experiments": 0}
"""Circuits side by side on all cores: Aer's default gives all threads to one small circuit, and takes twice as long."""


@lru_cache(maxsize=2)
def noise_of_device(name: str) -> tuple[BackendV2, NoiseModel]:
    """A device model and Aer's noise model of all its qubits: 14 s of computing for 156."""
    backend = device_model(name)
    return backend, NoiseModel.from_backend(backend)


@dataclass(frozen=True, slots=True, eq=False)
class NoisyPairs:
    """A transpiled compute–uncompute circuit on Aer.

    Attributes
    ----------
    circuit : QuantumCircuit
        On physical qubits, without measurements; the first barrier ends the first half.
    first, second : sequence of Parameter
        Of the two halves.
    first_values, second_values : callable
        Rows → values of these parameters, shape (n_rows, n_parameters).
    measured : sequence of int
        Physical qubits that are read, qubit 0 of the map first.
    model : NoiseModel
    """

    circuit: QuantumCircuit
    first: Sequence[Parameter]
    second: Sequence[Parameter]
    first_values: Callable[[Values], Values]
    second_values: Callable[[Values], Values]
    measured: Sequence[int]
    model: NoiseModel

    def frequencies(self, prepared: Values, undone: Values, shots: int) -> Values:
        """How often all qubits read 0: counts of Aer, all pairs in one job with parameter bindings."""
        circuit = self.circuit.copy()
        circuit.add_register(ClassicalRegister(len(self.measured)))
        circuit.measure(self.measured, range(len(self.measured)))
        result = self._run(circuit, self.model, prepared, undone, shots=shots, seed_simulator=SEED, **PARALLEL)
        counts = result.get_counts()
        zero = "0" * len(self.measured)
        return np.array([c.get(zero, 0) for c in (counts if isinstance(counts, list) else [counts])]) / shots

    def probabilities(self, prepared: Values, undone: Values, *, readout: bool = True) -> Values:
        """That all qubits read 0, from Aer's density matrices; readout errors in plain NumPy."""
        circuit = self.circuit.copy()
        circuit.save_probabilities(list(self.measured), label="found")
        result = self._run(circuit, self._merged(circuit), prepared, undone, method="density_matrix")
        p = np.array([one.data.to_dict()["found"] for one in result.results])
        p = p.reshape(-1, *[2] * len(self.measured))
        for qubit in self.measured:  # the last axis is qubit 0 of the map
            read_zero = np.eye(2)[:, 0]
            if readout and (qubit,) in self.model._local_readout_errors:
                read_zero = np.asarray(self.model._local_readout_errors[(qubit,)].probabilities)[:, 0]
            p = p @ read_zero
        return np.asarray(p)

    def density_matrices(self, rows: Values) -> NDArray[np.complex128]:
        """States after the first half, shape (n_rows, 2**n, 2**n)."""
        half = self.circuit.copy_empty_like()
        for item in self.circuit.data:
            if item.operation.name == "barrier":
                break
            half.append(item)
        half.save_density_matrix(list(self.measured), label="found")
        result = self._run(half, self._merged(half), rows, None, method="density_matrix")
        return np.array([np.asarray(one.data.to_dict()["found"]) for one in result.results])

    def _run(
        self, circuit: QuantumCircuit, model: NoiseModel, prepared: Values, undone: Values | None, **options: object
    ) -> Result:
        columns = dict(zip(self.first, self.first_values(prepared).T, strict=True))
        if undone is not None:
            columns |= dict(zip(self.second, self.second_values(undone).T, strict=True))
        binds = {parameter: columns[parameter].tolist() for parameter in circuit.parameters}
        result = AerSimulator(noise_model=model, **options).run([circuit], parameter_binds=[binds]).result()
        if not result.success:
            raise RuntimeError(f"Aer failed: {str(result.status)[:500]}")
        return result

    def _merged(self, circuit: QuantumCircuit) -> NoiseModel:
        """The gate errors that the circuit meets, each as one channel.

        Aer drops terms of an error whose probability is below 1e-10. Errors of a device model have up to 144 terms,
        and a hundred gates then lose 1e-7 of the trace.
        """
        met = {(item.operation.name, tuple(circuit.find_bit(q).index for q in item.qubits)) for item in circuit.data}
        merged = NoiseModel(basis_gates=self.model.basis_gates)
        for name, qubits in sorted(met):
            error = self.model._local_quantum_errors.get(name, {}).get(qubits)
            if error is not None:
                merged.add_quantum_error(QuantumError(Kraus(SuperOp(error))), name, qubits)
        return merged


def transpiled_by_user(
    circuit: QuantumCircuit, parameters: Sequence[Parameter], device: str, layout: Sequence[int]
) -> NoisyPairs:
    """The circuit as given, transpiled once with its parameters free; nothing of ours but the layout."""
    backend, model = noise_of_device(device)
    a, b = (ParameterVector(name, len(parameters)) for name in "ab")
    whole = circuit.assign_parameters(dict(zip(parameters, a, strict=True)))
    whole.barrier()
    whole.compose(circuit.assign_parameters(dict(zip(parameters, b, strict=True))).inverse(), inplace=True)
    whole.measure_all()
    isa = transpile(whole, backend, optimization_level=3, seed_transpiler=0, initial_layout=list(layout))
    measured = [isa.find_bit(item.qubits[0]).index for item in isa.data if item.operation.name == "measure"]
    isa.remove_final_measurements()
    isa.global_phase = 0  # depends on all parameters, and no probability on it
    return NoisyPairs(isa, list(a), list(b), lambda X: X, lambda X: X, measured, model)


def transpiled_as_engine(engine: AerEngine, program: OverlapProgram, device: str) -> NoisyPairs:
    """The circuit that the engine transpiled, on the qubits of the device.

    Transpiled with one parameter for each angle: with products of features as they are, Qiskit takes 12 s for CPMap of
    10 features, minutes for 16, and merges other rotations.
    """
    backend, model = noise_of_device(device)
    routed = engine.circuit(program)
    prepare, undo = routed.pair.prepare, routed.pair.undo
    if undo is None:
        raise ValueError("an OverlapProgram has two halves")
    (first, a), (second, b) = circuit_of(prepare, "a"), circuit_of(undo, "b")
    whole = QuantumCircuit(backend.num_qubits)
    whole.compose(first, routed.used, inplace=True)
    whole.barrier()
    whole.compose(second, routed.used, inplace=True)

    def values(half: FlatCircuit) -> Callable[[Values], Values]:
        return lambda X: half.angles.evaluate(program.bind_angles(X))

    return NoisyPairs(whole, list(a), list(b), values(prepare), values(undo), routed.read_from, model)


def aer_sampled(pairs: NoisyPairs, shots: int, rounds: int = 1) -> Contender:
    """Aer as its user runs it: one job for all unordered pairs, diagonal included; counts into a matrix."""

    def gram(X: Values) -> Values:
        i, j = np.triu_indices(len(X))
        K = np.empty((len(X), len(X)))
        K[i, j] = K[j, i] = pairs.frequencies(X[i], X[j], shots)
        return K

    settings = {
        "method": "automatic (it takes density_matrix)",
        "circuit": "transpiled once, level 3, not timed; one job with parameter bindings",
        "noise": "NoiseModel.from_backend, not timed",
        "shots": shots,
        "seed_simulator": SEED,
        **PARALLEL,
    }
    return Contender(f"plain Aer, {shots} shots", lambda X: lambda: gram(X), settings, rounds, shots)


def fidelity_quantum_kernel(
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    device: str,
    layout: Sequence[int],
    shots: int,
    rounds: int = 1,
) -> Contender:
    """qiskit-machine-learning's kernel of ComputeUncompute on Aer's sampler, measuring the diagonal as well.

    The feature map ends in a barrier; else the transpiler cancels gates where the two halves meet.
    """
    from qiskit_aer.primitives import SamplerV2
    from qiskit_machine_learning.kernels import FidelityQuantumKernel
    from qiskit_machine_learning.state_fidelities import ComputeUncompute

    backend, model = noise_of_device(device)
    separated = circuit.copy()
    separated.barrier()
    order = [list(parameters).index(p) for p in separated.parameters]  # it binds columns in the order of the names
    sampler = SamplerV2.from_backend(AerSimulator(noise_model=model), default_shots=shots, seed=SEED)
    passes = generate_preset_pass_manager(3, backend=backend, seed_transpiler=0, initial_layout=list(layout))
    fidelity = ComputeUncompute(sampler=sampler, pass_manager=passes)
    kernel = FidelityQuantumKernel(
        feature_map=separated, fidelity=fidelity, enforce_psd=False, evaluate_duplicates="all"
    )
    two_qubit_gates = {}
    for name, half in (("with the barrier", separated), ("without", circuit)):
        a, b = (half.assign_parameters(ParameterVector(side, len(parameters))) for side in "ab")
        two_qubit_gates[name] = fidelity.create_fidelity_circuit(a, b).num_nonlocal_gates()
    settings = {
        "fidelity": "ComputeUncompute(sampler, pass_manager at level 3); transpiled in a call before timing",
        "sampler": "qiskit_aer.primitives.SamplerV2, noise model of the device",
        "feature_map": "with a barrier at its end",
        "two_qubit_gates": two_qubit_gates,
        "enforce_psd": False,
        "evaluate_duplicates": "all",
        "shots": shots,
        "seed": SEED,
    }
    name = f"FidelityQuantumKernel on Aer, {shots} shots"
    return Contender(name, lambda X: lambda: np.asarray(kernel.evaluate(X[:, order])), settings, rounds, shots)
