"""Jobs on a device model: the client's own primitives in local mode, without network or account."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, QuantumRegister
from qiskit.providers import BackendV2
from qiskit.quantum_info import PauliList, SparsePauliOp

from qkernels._errors import ExecutionError
from qkernels_hardware.aer import resolve_source
from qkernels_hardware.service._answers import calibration_stamp
from qkernels_hardware.service._options import primitive_options
from qkernels_hardware.work import Job, JobState, JobStatus, MeasuredCircuit, Primitive, Samples

__all__ = ["LocalConnection"]

ANGLE_DECIMALS = 12
"""Local mode rounds angles to (π/2)·10^−decimals; the client's default of 5 is 1e-5 rad."""

_COMPACT_FROM = 8
"""Devices with more qubits are cut down to the active ones: the noise of 156 qubits takes the simulator seconds."""


class LocalConnection:
    """A device model or a simulator as a place where jobs go.

    Parameters
    ----------
    backend : BackendV2
        Fake backend, AerSimulator or any backend with a target.

    Attributes
    ----------
    name : str
    durable : bool
        False: a job is lost with the process.
    session_id : str
        "": there are no sessions.
    """

    durable = False
    session_id = ""

    def __init__(self, backend: BackendV2) -> None:
        self.backend = backend
        self.name = str(backend.name or type(backend).__name__)
        self._results: dict[str, Samples] = {}

    def submit(self, job: Job) -> str:
        """Run a job now."""
        found = self._estimate(job) if job.primitive == "estimator" else self._sample(job)
        job_id = f"local-{uuid.uuid4()}"
        self._results[job_id] = found
        return job_id

    def find(self, tag: str, since: datetime | None = None) -> list[JobState]:
        """Nothing: jobs of other processes are lost."""
        return []

    def state(self, job_id: str) -> JobState:
        """Done, or failed where the process that ran it is gone."""
        if job_id in self._results:
            return JobState(job_id, JobStatus.DONE)
        return JobState(job_id, JobStatus.FAILED, reason="a local job ends with its process", reason_code=LOST)

    def fetch(self, job_id: str, circuit: MeasuredCircuit, primitive: Primitive) -> Samples:
        """The results, once."""
        return self._results.pop(job_id)

    def usage(self, job_id: str) -> float | None:
        """A simulation costs nothing."""
        return 0.0

    def cancel(self, job_id: str) -> bool:
        """Too late: the job has run."""
        return False

    def check(self) -> None:
        """A model is always there."""

    def calibration(self) -> str:
        """When the device was calibrated, ISO 8601 in UTC, where the model says so."""
        try:
            properties = self.backend.properties()
        except AttributeError:
            return ""
        return calibration_stamp(properties)

    def calibration_of(self, job_id: str) -> str:
        """The same: a model is not calibrated anew."""
        return self.calibration()

    def close(self) -> None:
        """Nothing to close."""

    # Simulation -------------------------------------------------------------------------------------------------

    def _sample(self, job: Job) -> Samples:
        """Every copy of a tiled circuit on its own: copies share no gate, and 32 qubits at once are too many."""
        pieces = _copies(job.circuit)
        bits = [self._run_copy(job, circuit, names, k) for k, (circuit, names) in enumerate(pieces)]
        return Samples(bits=np.stack(bits, axis=1))

    def _run_copy(self, job: Job, circuit: QuantumCircuit, names: Sequence[str], copy: int) -> NDArray[np.uint8]:
        all_names = [p.name for p in job.circuit.circuit.parameters]
        values = job.values[:, [all_names.index(name) for name in names]]
        sampler, circuit, _ = self._primitive(job, circuit, copy)
        pub = (circuit, values) if values.shape[1] else (circuit,)
        result = _run(lambda: sampler.run([pub], shots=job.shots).result(), self.name)
        array = np.asarray(result[0].data["t0"].array)
        return array.reshape(len(job.values) if values.shape[1] else 1, *array.shape[-2:])

    def _estimate(self, job: Job) -> Samples:
        estimator, circuit, qubits = self._primitive(job, job.circuit.circuit, 0)
        observables = [_on(qubits, one) for one in job.circuit.observables]
        values = [job.values[:, None, :]] if job.values.shape[1] else []
        precision = (job.shots - 0.5) ** -0.5  # the client takes the ceiling of 1/precision²
        result = _run(lambda: estimator.run([(circuit, observables, *values)], precision=precision).result(), self.name)
        shape = (len(job.values), len(observables))
        data = result[0].data
        return Samples(values=np.asarray(data.evs).reshape(shape), stderr=np.asarray(data.stds).reshape(shape))

    def _primitive(self, job: Job, circuit: QuantumCircuit, copy: int) -> tuple[Any, QuantumCircuit, list[int]]:
        """A primitive of the client, the circuit as it takes it, and the qubits of the device that this one has."""
        from qiskit_ibm_runtime.executor_estimator import Estimator
        from qiskit_ibm_runtime.executor_sampler import Sampler

        options = primitive_options(job.primitive, job.options, local=True)
        options.simulator.angle_decimals = ANGLE_DECIMALS
        options.simulator.seed_simulator = None if job.seed is None else (job.seed + copy) % 2**31
        mode: Any = self.backend
        qubits = list(range(circuit.num_qubits))
        scheduled = options.dynamical_decoupling.enable
        if not scheduled and self.backend.num_qubits and self.backend.num_qubits > _COMPACT_FROM:
            qubits = _qubits_in_use(circuit, job.circuit.observables)
            mode, circuit = self._compact(circuit, qubits)
        make = Sampler if job.primitive == "sampler" else Estimator
        return make(mode=mode, options=options), circuit, qubits

    def _compact(self, circuit: QuantumCircuit, used: list[int]) -> tuple[Any, QuantumCircuit]:
        """A simulator with the noise of the qubits that a circuit uses, and the circuit on these."""
        from qiskit_aer import AerSimulator

        names = sorted({item.operation.name for item in circuit.data})
        model = resolve_source(self.backend).model(used, names)
        small = QuantumCircuit(QuantumRegister(len(used)), *circuit.cregs)
        position = {circuit.qubits[q]: k for k, q in enumerate(used)}
        for item in circuit.data:
            if item.operation.name != "barrier":
                small.append(item.operation, [position[q] for q in item.qubits], item.clbits)
        return AerSimulator(noise_model=model), small


LOST = -1
"""Reason code of a local job whose process has ended."""


def _qubits_in_use(circuit: QuantumCircuit, observables: Sequence[SparsePauliOp]) -> list[int]:
    """Qubits that a circuit or an observable acts on, ascending."""
    used = {circuit.find_bit(q).index for item in circuit.data if item.operation.name != "barrier" for q in item.qubits}
    for one in observables:
        used.update(np.flatnonzero((one.paulis.x | one.paulis.z).any(axis=0)).tolist())
    return sorted(used)


def _on(qubits: list[int], observable: SparsePauliOp) -> SparsePauliOp:
    """An observable on some of its qubits only; it is the identity on the others."""
    paulis = observable.paulis
    kept = PauliList.from_symplectic(paulis.z[:, qubits], paulis.x[:, qubits])
    return SparsePauliOp(kept, observable.coeffs)


def _copies(measured: MeasuredCircuit) -> list[tuple[QuantumCircuit, list[str]]]:
    """Each copy of a tiled circuit alone, measuring into ``t0``, with the names of its parameters in order."""
    circuit = measured.circuit
    if measured.copies == 1:
        return [(circuit, [p.name for p in circuit.parameters])]
    pieces = []
    for k in range(measured.copies):
        (register,) = (r for r in circuit.cregs if r.name == f"t{k}")
        qubits = _component(circuit, register)
        alone = QuantumCircuit(circuit.qubits, ClassicalRegister(len(register), "t0"))
        for item in circuit.data:
            if item.operation.name != "barrier" and qubits.issuperset(item.qubits):
                clbits = [alone.cregs[0][list(register).index(c)] for c in item.clbits]
                alone.append(item.operation, item.qubits, clbits)
        pieces.append((alone, [p.name for p in alone.parameters]))
    return pieces


def _component(circuit: QuantumCircuit, register: ClassicalRegister) -> set[Any]:
    """Qubits that a gate joins, directly or not, to those measured into a register."""
    bits = set(register)
    qubits = {q for item in circuit.data for q in item.qubits if bits.intersection(item.clbits)}
    grown = True
    while grown:
        grown = False
        for item in circuit.data:
            if (
                item.operation.name != "barrier"
                and qubits.intersection(item.qubits)
                and not qubits.issuperset(item.qubits)
            ):
                qubits.update(item.qubits)
                grown = True
    return qubits


def _run(run: Any, device: str) -> Any:
    """Results of a local job; what the client raises here has no common class."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*[Oo]ptions.*(local|simulator).*")
            warnings.filterwarnings("ignore", message="No positive, finite standard errors")  # the identity has none
            return run()
    except Exception as error:
        raise ExecutionError(f"A job on the model {device} failed: {type(error).__name__}: {error}") from error
