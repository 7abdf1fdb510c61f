"""The others, each used as its documentation suggests and with the settings that were fastest here.

All return a kernel matrix: of k(x, y) = |⟨ψ(y)|ψ(x)⟩|², where a simulator that only gives states gets the NumPy product
that is the yardstick of the first question, or the Gaussian of one-qubit Pauli expectation values (the ``projected``
functions).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from scipy.spatial.distance import cdist

from benchmarks._harness import Contender, Missing, Values, load

__all__ = [
    "GateList",
    "aer",
    "aer_projected",
    "aer_states",
    "fidelity_statevector_kernel",
    "numpy_product",
    "overlap_product",
    "qulacs_diagonal",
    "qulacs_loop",
    "qulacs_projected",
    "squlearn_projected",
]

Amplitudes = NDArray[np.complex128]

ROTATIONS = frozenset({"RX", "RY", "RZ", "RZZ"})


@dataclass(frozen=True, slots=True)
class GateList:
    """A circuit for simulators that are not Qiskit's.

    Attributes
    ----------
    num_qubits : int
    gates : tuple of (name, qubit, ...)
        "H", "CX", and "RX", "RY", "RZ", "RZZ" (not for Qulacs), each of which takes the next angle.
    angles : callable
        Rows → angles of all rotations, shape (n_rows, n_rotations), in plain NumPy.
    """

    num_qubits: int
    gates: tuple[tuple[str, *tuple[int, ...]], ...]
    angles: Callable[[Values], Values]

    def circuit(self) -> tuple[QuantumCircuit, list[Parameter]]:
        """The same circuit in Qiskit with one free parameter per rotation."""
        circuit = QuantumCircuit(self.num_qubits)
        parameters: list[Parameter] = []
        for name, *qubits in self.gates:
            if name in ROTATIONS:
                parameters.append(Parameter(f"angle{len(parameters):05d}"))
                getattr(circuit, name.lower())(parameters[-1], *qubits)
            else:
                getattr(circuit, name.lower())(*qubits)
        return circuit, parameters


def overlap_product(A: Amplitudes) -> Values:
    """|A A†|², as one line of NumPy writes it."""
    return np.asarray(np.abs(A @ A.conj().T) ** 2)


def numpy_product(states: Callable[[Values], Amplitudes]) -> Contender:
    """The yardstick: one product of complex128 states that are there already; computing them is not timed."""

    def prepare(X: Values) -> Callable[[], Values]:
        A = np.ascontiguousarray(states(X), dtype=np.complex128)
        return lambda: overlap_product(A)

    settings = {"expression": "abs(A @ A.conj().T)**2", "dtype": "complex128", "threads": "BLAS default"}
    return Contender("NumPy product of ready states", prepare, settings)


def fidelity_statevector_kernel(circuit: QuantumCircuit, parameters: Sequence[Parameter], rounds: int = 1) -> Contender:
    """qiskit-machine-learning's exact kernel, as constructed by default."""
    from qiskit_machine_learning.kernels import FidelityStatevectorKernel

    order = [list(parameters).index(p) for p in circuit.parameters]  # it binds columns in the order of the names
    kernel = FidelityStatevectorKernel(feature_map=circuit)

    def prepare(X: Values) -> Callable[[], Values]:
        return lambda: np.asarray(kernel.evaluate(X[:, order]))

    return Contender("FidelityStatevectorKernel", prepare, {"arguments": "defaults"}, rounds)


def aer_states(
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    angles: Callable[[Values], Values] | None = None,
    optimization_level: int = 1,
    **options: object,
) -> Callable[[Values], Amplitudes]:
    """Aer's state vectors of all rows in one job with parameter bindings; transpiled once, before."""
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(method="statevector", **options)
    saved = circuit.copy()
    saved.save_statevector()
    compiled = transpile(saved, simulator, optimization_level=optimization_level, seed_transpiler=0)

    def states(X: Values) -> Amplitudes:
        values = X if angles is None else angles(X)
        bindings = {p: values[:, i].tolist() for i, p in enumerate(parameters) if p in saved.parameters}
        result = simulator.run([compiled], parameter_binds=[bindings], shots=1).result()
        return np.array([np.asarray(result.data(i)["statevector"]) for i in range(len(X))])

    return states


def aer(
    circuit: QuantumCircuit,
    parameters: Sequence[Parameter],
    *,
    angles: Callable[[Values], Values] | None = None,
    name: str = "Aer statevectors + product",
    rounds: int = 2,
) -> Contender:
    """Aer, all rows in one job, and the same product; `angles` where the parameters are no features."""
    options = {"runtime_parameter_bind_enable": True}
    states = aer_states(circuit, parameters, angles, **options)

    def prepare(X: Values) -> Callable[[], Values]:
        return lambda: overlap_product(states(X))

    settings = {"method": "statevector", "transpile": "once, level 1, not timed", "shots": 1, **options}
    settings["circuit"] = "as given" if angles is None else "rewritten, one parameter per angle, angles by NumPy"
    return Contender(name, prepare, settings, rounds)


QULACS_SETTINGS = {
    "circuit": "ParametricQuantumCircuit, built once, not timed; gates as in the Qiskit circuit",
    "angles": "one NumPy evaluation for all rows, timed",
    "threads": "qulacs default (OpenMP from its own threshold of qubits on)",
}


def qulacs_loop(gates: GateList, rounds: int = 3) -> Contender | Missing:
    """Qulacs: one parametric circuit, built before; per row set the angles, evolve, copy; then the product."""
    name = "qulacs loop + product"
    qulacs: Any = load("qulacs")
    if qulacs is None:
        return Missing(name, "qulacs")
    states = qulacs_states(qulacs, gates)

    def gram(X: Values) -> Values:
        A = np.empty((len(X), 2**gates.num_qubits), dtype=np.complex128)
        for row, state in enumerate(states(X)):
            A[row] = state.get_vector()
        return overlap_product(A)

    return Contender(name, lambda X: lambda: gram(X), QULACS_SETTINGS, rounds)


def qulacs_states(qulacs: Any, gates: GateList) -> Callable[[Values], Iterator[Any]]:
    """The state of every row in turn, always in the same ``QuantumState``."""
    circuit = qulacs.ParametricQuantumCircuit(gates.num_qubits)
    for kind, *qubits in gates.gates:
        if kind in ROTATIONS:
            getattr(circuit, f"add_parametric_{kind}_gate")(qubits[0], 0.0)
        elif kind == "CX":
            circuit.add_CNOT_gate(*qubits)
        else:
            getattr(circuit, f"add_{kind}_gate")(*qubits)
    state = qulacs.QuantumState(gates.num_qubits)

    def states(X: Values) -> Iterator[Any]:
        for values in (-gates.angles(X)).tolist():  # qulacs: RZ(a) = exp(+i a Z / 2)
            for position, angle in enumerate(values):
                circuit.set_parameter(position, angle)
            state.set_zero_state()
            circuit.update_quantum_state(state)
            yield state

    return states


def qulacs_diagonal(
    num_qubits: int, repetitions: int, phases: Callable[[Values], Values], rounds: int = 3
) -> Contender | Missing:
    """Qulacs for layers H⊗n, then a diagonal: the user computes the diagonals in NumPy and hands them over whole."""
    name = "qulacs, diagonals by hand + product"
    qulacs: Any = load("qulacs")
    if qulacs is None:
        return Missing(name, "qulacs")
    hadamards = [qulacs.gate.H(i) for i in range(num_qubits)]
    state = qulacs.QuantumState(num_qubits)
    everything = list(range(num_qubits))

    def gram(X: Values) -> Values:
        A = np.empty((len(X), 2**num_qubits), dtype=np.complex128)
        for row, diagonal in enumerate(np.exp(1j * phases(X))):
            gate = qulacs.gate.DiagonalMatrix(everything, diagonal)
            state.set_zero_state()
            for _ in range(repetitions):
                for hadamard in hadamards:
                    hadamard.update_quantum_state(state)
                gate.update_quantum_state(state)
            A[row] = state.get_vector()
        return overlap_product(A)

    settings = {"circuit": "H gates and one DiagonalMatrix per row; phases of all rows by one NumPy product, timed"}
    return Contender(name, lambda X: lambda: gram(X), settings, rounds)


def gaussian(F: Values, gamma: float) -> Values:
    """exp(−γ‖f − g‖²) for all pairs of rows, as one line of SciPy writes it."""
    return np.asarray(np.exp(-gamma * cdist(F, F, "sqeuclidean")))


def bloch_vectors(A: Amplitudes) -> Values:
    """X, Y, Z of every qubit from all states at once, shape (n_rows, 3 n)."""
    n = A.shape[1].bit_length() - 1
    columns = []
    for q in range(n):
        halves = A.reshape(len(A), 2 ** (n - 1 - q), 2, 2**q)
        zero, one = halves[:, :, 0], halves[:, :, 1]
        c = 2 * np.einsum("ijk,ijk->i", zero.conj(), one)
        z = np.einsum("ijk,ijk->i", zero.conj(), zero) - np.einsum("ijk,ijk->i", one.conj(), one)
        columns += [c.real, c.imag, z.real]
    return np.stack(columns, axis=1)


def squlearn_projected(
    circuit: QuantumCircuit, parameters: Sequence[Parameter], gamma: float, rounds: int = 2
) -> Contender | Missing:
    """The ProjectedQuantumKernel of sQUlearn on Qulacs, of the same Qiskit circuit; its gamma is ours."""
    name = "sQUlearn ProjectedQuantumKernel on qulacs"
    if load("squlearn") is None:
        return Missing(name, "squlearn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that it imports
        from squlearn import Executor
        from squlearn.encoding_circuit import QiskitEncodingCircuit
        from squlearn.kernel.lowlevel_kernel import ProjectedQuantumKernel

    order = [list(parameters).index(p) for p in circuit.parameters]  # it binds columns in the order of the names
    kernel = ProjectedQuantumKernel(
        QiskitEncodingCircuit(circuit, mode="features"), Executor("qulacs"), gamma=gamma, caching=False
    )

    def prepare(X: Values) -> Callable[[], Values]:
        return lambda: np.asarray(kernel.evaluate(X[:, order]))

    settings = {
        "encoding_circuit": "QiskitEncodingCircuit of the Qiskit circuit, built once, not timed",
        "executor": "Executor('qulacs')",
        "measurement": "XYZ",
        "outer_kernel": "gaussian",
        "gamma": gamma,
        "caching": "off: rows are new in every round",
        "threads": "qulacs default",
    }
    return Contender(name, prepare, settings, rounds)


def qulacs_projected(gates: GateList, gamma: float, rounds: int = 3) -> Contender | Missing:
    """Qulacs by hand: every row is evolved once, then gives all its expectation values."""
    name = "qulacs loop by hand + SciPy"
    qulacs: Any = load("qulacs")
    if qulacs is None:
        return Missing(name, "qulacs")
    states, n = qulacs_states(qulacs, gates), gates.num_qubits
    observables = [qulacs.Observable(n) for _ in range(3 * n)]
    for position, observable in enumerate(observables):
        observable.add_operator(1.0, f"{'XYZ'[position // n]} {position % n}")

    def gram(X: Values) -> Values:
        F = np.array([[o.get_expectation_value(state) for o in observables] for state in states(X)])
        return gaussian(F, gamma)

    return Contender(name, lambda X: lambda: gram(X), QULACS_SETTINGS, rounds)


def aer_projected(circuit: QuantumCircuit, parameters: Sequence[Parameter], gamma: float) -> Contender:
    """Aer's state vectors in one job; the user computes reduced states of all rows in NumPy."""
    options = {"runtime_parameter_bind_enable": True}
    states = aer_states(circuit, parameters, **options)
    settings = {"method": "statevector", "transpile": "once, level 1, not timed", "shots": 1, **options}
    name = "Aer statevectors, NumPy by hand + SciPy"
    return Contender(name, lambda X: lambda: gaussian(bloch_vectors(states(X)), gamma), settings, 2)
