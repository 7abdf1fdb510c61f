"""How long until a kernel matrix is on its way to a device, and how much is sent?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit.transpiler import PassManager, generate_preset_pass_manager

from benchmarks._harness import Case, Check, Goal, Result, Row, Values, difference_of, judge_value, uniform_rows
from qkernels import OverlapProgram, StatevectorEngine, ZZFeatureMap
from qkernels_hardware import RuntimeEngine, device_model

__all__ = ["CASE"]

DEVICE = "fake_manila"

MAX_EXECUTIONS = 10_000_000


@dataclass
class Submissions:
    """What reached the point where the client sends, and when.

    Attributes
    ----------
    start : float
    last : float
        Of the last submission, simulation taken out.
    simulated : float
    jobs, pubs, payload : int
        Payload in bytes, as the client encodes it for the service.
    transpiled : int
        Circuits that went through a pass manager.
    """

    start: float = 0.0
    last: float = 0.0
    simulated: float = 0.0
    jobs: int = 0
    pubs: int = 0
    payload: int = 0
    transpiled: int = 0
    programs: list[Any] = field(default_factory=list, repr=False)

    @property
    def seconds(self) -> float:
        """From the call to the last submission."""
        return self.last - self.start


@contextmanager
def watched() -> Iterator[Submissions]:
    """Watch the client where a local job starts to be simulated: there, a remote one would be sent.

    What was sent is simulated without noise, for both alike: noise takes minutes, and is no part of the question.
    """
    from qiskit_aer import AerSimulator
    from qiskit_ibm_runtime.fake_provider.local_service import QiskitRuntimeLocalService

    found = Submissions()
    run, transpile = QiskitRuntimeLocalService._run_executor, PassManager.run

    def watch(self: Any, backend: Any, options: Any, program: Any, *args: Any, **more: Any) -> Any:
        arrived = time.perf_counter()
        found.last = arrived - found.simulated
        found.jobs += 1
        found.pubs += len(program.items)
        found.programs.append((program, options))
        job = run(self, AerSimulator(), options, program, *args, **more)
        job.result()
        found.simulated += time.perf_counter() - arrived
        return job

    def count(self: PassManager, circuits: Any, *args: Any, **more: Any) -> Any:
        found.transpiled += len(circuits) if isinstance(circuits, list) else 1
        return transpile(self, circuits, *args, **more)

    QiskitRuntimeLocalService._run_executor, PassManager.run = watch, count
    try:
        found.start = time.perf_counter()
        yield found
    finally:
        QiskitRuntimeLocalService._run_executor, PassManager.run = run, transpile
    found.payload = sum(payload_bytes(*one) for one in found.programs)
    found.programs.clear()


def payload_bytes(program: Any, simulator: Any) -> int:
    """Bytes of a job's parameters on their way to the service."""
    from qiskit_ibm_runtime.options_models.executor import ExecutorOptions
    from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

    params = QUANTUM_PROGRAM_PARAMS_CONVERTERS["v2.0"].encoder(program, ExecutorOptions())
    return len(json.dumps(params.model_dump(mode="json")).encode())


def their_gram(circuit: Any, X: Values, shots: int) -> tuple[Values, Submissions]:
    """qiskit-machine-learning's kernel on the client's new Sampler.

    The feature map ends in a barrier, as our circuit has one between its halves: then both run the same gates.
    """
    from qiskit_ibm_runtime.executor_sampler import Sampler
    from qiskit_machine_learning.kernels import FidelityQuantumKernel
    from qiskit_machine_learning.state_fidelities import ComputeUncompute

    backend = device_model(DEVICE)
    sampler = Sampler(mode=backend)
    sampler.options.default_shots = shots
    sampler.options.simulator.seed_simulator = 0
    passes = generate_preset_pass_manager(3, backend=backend, seed_transpiler=0)
    fidelity = ComputeUncompute(sampler=sampler, pass_manager=passes)
    separated = circuit.copy()
    separated.barrier()
    kernel = FidelityQuantumKernel(
        feature_map=separated, fidelity=fidelity, enforce_psd=False, evaluate_duplicates="off_diagonal"
    )
    with watched() as found:
        values = np.asarray(kernel.evaluate(X))
    return values, found


def our_gram(program: OverlapProgram, X: Values, shots: int) -> tuple[Values, Submissions]:
    """RuntimeEngine on the same model; the same entries."""
    engine = RuntimeEngine(device_model(DEVICE), shots=shots, seed=0, barrier=True, block_executions=MAX_EXECUTIONS)
    with watched() as found:
        values = engine.overlaps(program, X, diagonal=False).values
    return values, found


def run(sizes: Mapping[str, int]) -> Result:
    n, n_rows, shots = sizes["qubits"], sizes["rows"], sizes["shots"]
    feature_map = ZZFeatureMap(reps=2, entanglement="linear")
    circuit, x = feature_map.build(n), list(feature_map.parameter_vector(n))
    program = OverlapProgram(circuit, x)
    X = uniform_rows(n_rows, n)(0)
    small = ZZFeatureMap(reps=1)
    our_gram(OverlapProgram(small.build(2), list(small.parameter_vector(2))), uniform_rows(2, 2)(1), 16)  # imports
    ours, sent = our_gram(program, X, shots)
    theirs, others = their_gram(circuit, X, shots)
    exact = StatevectorEngine().overlaps(program, X).values
    i, j = np.triu_indices(n_rows, 1)
    differences = [
        difference_of(values[i, j], exact[i, j], shots, name) for name, values in (("ours", ours), ("theirs", theirs))
    ]
    check = Check(max(differences), "StatevectorEngine; both matrices, every pair by its binomial tail", sampled=True)
    question = f"{DEVICE}, ZZ linear reps=2, {n} qubits, N={n_rows}"
    competitor = "FidelityQuantumKernel"
    settings = {
        "fidelity": "ComputeUncompute(sampler, pass_manager at level 3)",
        "sampler": "qiskit_ibm_runtime.executor_sampler.Sampler, local mode",
        "enforce_psd": False,
        "evaluate_duplicates": "off_diagonal",
        "shots": shots,
    }

    def row(name: str, unit: Any, mine: float, other: float, goal: Goal | None, note: str = "") -> Row:
        return judge_value(
            f"{question}: {name}", competitor, unit, mine, goal, check, theirs=other, settings=settings, note=note
        )

    rows = [
        row("from the call to the last submission", "s", sent.seconds, others.seconds, Goal("speedup", 20.0)),
        row("payload", "B", sent.payload, others.payload, None),
        row("PUBs", "PUBs", sent.pubs, others.pubs, Goal("count", 1)),
        row("circuits transpiled", "circuits", sent.transpiled, others.transpiled, Goal("count", 1)),
        row("jobs", "jobs", sent.jobs, others.jobs, Goal("count", 1)),
    ]
    details = {
        "feature_map": repr(feature_map),
        "data": "uniform in [-1, 1)",
        "simulation": "of the circuits that were sent, without noise; taken out of all times",
        "block_executions": f"{MAX_EXECUTIONS:,}, IBM's limit of a job; the default makes three jobs of it",
        "simulated_seconds": {"ours": sent.simulated, "theirs": others.simulated},
        "largest_difference_of_the_two": float(np.abs(ours - theirs).max()),
    }
    return Result(rows, details)


CASE = Case(
    "runtime_submission",
    "From a call to the last job on its way: one transpiled circuit and one PUB against one for every pair",
    run,
    full={"qubits": 4, "rows": 100, "shots": 1024},
    quick={"qubits": 2, "rows": 5, "shots": 128},
)
