"""A small series, drafts and results for the tests of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qkernels_hardware.ledger._ledger import Ledger
from qkernels_hardware.ledger._records import SeriesRecord
from qkernels_hardware.work._jobs import Draft, MeasuredCircuit, Samples

QUBITS = 2
SHOTS = 16
ESTIMATE = 3.0


def clock() -> Iterator[datetime]:
    """Times one second apart."""
    time = datetime(2030, 1, 1, tzinfo=UTC)
    while True:
        yield time
        time += timedelta(seconds=1)


def overlap(copies: int = 1) -> MeasuredCircuit:
    angles = ParameterVector("qk", QUBITS * copies)
    registers = [ClassicalRegister(QUBITS, f"t{copy}") for copy in range(copies)]
    circuit = QuantumCircuit(QuantumRegister(QUBITS * copies, "q"), *registers)
    for qubit, angle in enumerate(angles):
        circuit.rz(2 * angle + 0.25, qubit)
        circuit.sx(qubit)
        circuit.measure(qubit, qubit)
    return MeasuredCircuit("overlap", circuit, copies, QUBITS, 1e-6)


def expectation() -> MeasuredCircuit:
    circuit = QuantumCircuit(QUBITS)
    circuit.rx(ParameterVector("qk", 1)[0], 1)
    observables = (SparsePauliOp(["ZI", "XY"], [1.0, 0.1 - 0.3j]), SparsePauliOp(["II"], [1 / 3]))
    return MeasuredCircuit("values", circuit, 1, QUBITS, 1e-6, observables)


def new_series(ledger: Ledger, *circuits: MeasuredCircuit, key: str = "series key") -> SeriesRecord:
    return ledger.add_series(
        key,
        program="0123456789abcdef",
        backend="fake_manila",
        instance="instance name",
        settings={"shots": SHOTS, "layout": [0, 1], "options": {"twirling": {"enable_gates": True}}},
        circuits=circuits or (overlap(),),
        calibration="2030-01-01T00:00:00+00:00",
    )


def draft(entries: int = 3, *, seed: int = 0, copies: int = 1, circuit: str = "overlap", columns: int = 2) -> Draft:
    """Random keys and angles; another seed has other keys."""
    rng = np.random.default_rng(seed)
    rows = ceil(entries / copies)
    keys = rng.integers(0, 256, (entries, 16), dtype=np.uint8)
    values = rng.normal(size=(rows, columns))
    primitive = "sampler" if circuit == "overlap" else "estimator"
    return Draft(circuit, primitive, keys, values, SHOTS, rows * SHOTS, ESTIMATE)


def measured(work: Draft, *, copies: int = 1, seed: int = 0, num_shots: int = SHOTS) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples(bits=rng.integers(0, 4, (len(work.values), copies, num_shots, 1), dtype=np.uint8))


def done(
    ledger: Ledger, block: int, work: Draft, *, seed: int = 0, job_id: str = "", usage: float | None = 2.5
) -> None:
    """From planned to done."""
    ledger.intend(block)
    ledger.submitted(block, job_id or f"job-{block}", calibration="2030-01-02T00:00:00+00:00")
    ledger.done(block, measured(work, seed=seed), usage=usage)


def opened(path: Path, blocks: int = 1) -> tuple[Ledger, list[int], list[Draft]]:
    """A new ledger with one series and planned blocks."""
    ledger = Ledger.open(path)
    drafts = [draft(seed=seed) for seed in range(blocks)]
    return ledger, ledger.plan_all(new_series(ledger).id, drafts), drafts
