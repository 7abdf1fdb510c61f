"""Run a program on Aer and write the answer as IBM does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0 import models
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.fake_provider.executor.run_quantum_program import run_quantum_program
from qiskit_ibm_runtime.options_models.simulator import SimulatorOptions
from qiskit_ibm_runtime.quantum_program import QuantumProgram
from samplomatic.quantum_program import CircuitItem, SamplexItem

from qkernels_hardware.aer._compact import device_noise_model
from tests.loopback.devices import Device
from tests.loopback.program import Program

__all__ = ["execute"]


def execute(program: Program, device: Device, seed: int, *, ideal: bool, mock: bool = False) -> str:
    """Results of a program as JSON text; the same seed gives the same bits.

    A `mock` device returns random bits instead.
    """
    start = datetime.now(UTC)
    found, spans = [], []
    for number, item in enumerate(program.items):
        # One stream per circuit: with one seed for all, equal circuits would have equal counts.
        item_seed = (seed + 7919 * number) % 2**31
        arrays = _run(item, program.shots, device, item_seed, ideal)
        if mock:
            rng = np.random.default_rng(item_seed)
            arrays = {k: rng.integers(0, 2, v.shape, dtype=np.int8).astype(v.dtype) for k, v in arrays.items()}
        found.append(
            models.QuantumProgramResultItemModel(
                results={k: CompressedTensorModel.from_numpy(v) for k, v in arrays.items()},
                metadata=models.ItemMetadataModel(),
            )
        )
        spans.append(_span(number, item, start))
    answer = models.QuantumProgramResultModel(
        data=found,
        metadata=models.MetadataModel(chunk_timing=spans),
        passthrough_data=program.passthrough,
        semantic_role=program.role,
    )
    return str(answer.model_dump_json())


def _run(item: Any, shots: int, device: Device, seed: int, ideal: bool) -> dict[str, np.ndarray]:
    small, qubits = compact(item.circuit)
    # One thread: with several, the noise of a shot depends on how Aer shares them out.
    options: dict[str, Any] = {"max_parallel_threads": 1}
    if not ideal:
        names = {each.operation.name for each in small.data}
        options["noise_model"] = device_noise_model(device.model, qubits, names)
    simulator = AerSimulator(**options)
    if isinstance(item, CircuitItem):
        smaller: Any = CircuitItem(small, circuit_arguments=item.circuit_arguments)
    else:
        item.samplex.finalize()
        arguments = {
            spec.name: item.samplex_arguments[spec.name]
            for spec in item.samplex_arguments.specs
            if spec.name in item.samplex_arguments
        }
        smaller = SamplexItem(small, item.samplex, samplex_arguments=arguments, shape=item.shape)
    whole = QuantumProgram(shots=shots, items=[smaller])
    # Angles as they came: the client's own simulation rounds them to five digits of π/2.
    result = run_quantum_program(simulator, whole, SimulatorOptions(seed_simulator=seed, angle_decimals=15))
    return dict(result[0].items())


def compact(circuit: QuantumCircuit) -> tuple[QuantumCircuit, list[int]]:
    """The circuit on the qubits that something other than a barrier acts on, and their old numbers."""
    acted = {q for item in circuit.data if item.operation.name != "barrier" for q in item.qubits}
    used = sorted(circuit.find_bit(q).index for q in acted) or [0]
    position = {circuit.qubits[q]: k for k, q in enumerate(used)}
    small = QuantumCircuit(len(used), global_phase=circuit.global_phase)
    for bits in circuit.cregs:
        small.add_register(bits)
    for item in circuit.data:
        if item.operation.name == "barrier":
            continue
        small.append(item.operation, [position[q] for q in item.qubits], list(item.clbits), copy=False)
    return small, used


def _span(number: int, item: Any, start: datetime) -> models.ChunkSpan:
    size = int(np.prod(item.shape, dtype=int))
    part = models.ChunkPart(
        idx_item=number, size=size, permutation=list(range(len(item.shape))), element_range=(0, size, 1)
    )
    return models.ChunkSpan(start=start, stop=datetime.now(UTC), parts=[part])
