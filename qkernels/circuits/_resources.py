"""What a circuit costs: qubits, gates and depth before and after routing on a device."""

from __future__ import annotations

from dataclasses import dataclass

from qiskit import QuantumCircuit, transpile
from qiskit.providers import BackendV2

from qkernels.circuits._transpile import transpile_for

# Every one-qubit standard gate stays one gate; everything wider becomes CX and one-qubit gates.
_COUNTED_BASIS = (
    *("id", "h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg"),
    *("rx", "ry", "rz", "r", "p", "u", "cx"),
)
_NOT_GATES = frozenset({"barrier", "delay", "measure", "reset"})


@dataclass(frozen=True, slots=True)
class Resources:
    """The cost of one circuit; ``print`` it for a one- or two-line summary.

    Attributes
    ----------
    num_qubits : int
        Qubits of the circuit.
    num_gates : int
        One-qubit gates plus CX, all-to-all connectivity, nothing optimised away.
    num_cx : int
        CX gates, all-to-all connectivity.
    depth : int
        Longest chain of gates.
    two_qubit_depth : int
        Longest chain of CX.
    backend : str or None
        Name of the device; None where no device was given, and then all attributes below are None.
    two_qubit_gate : str or None
        The device's two-qubit gates that were used, e.g. ``"cz"`` (``"cz+rzz"`` if several).
    routed_gates, routed_two_qubit_gates, routed_depth, routed_two_qubit_depth : int or None
        The same counts in the device's own gates after layout, routing and optimisation.
    """

    num_qubits: int
    num_gates: int
    num_cx: int
    depth: int
    two_qubit_depth: int
    backend: str | None = None
    two_qubit_gate: str | None = None
    routed_gates: int | None = None
    routed_two_qubit_gates: int | None = None
    routed_depth: int | None = None
    routed_two_qubit_depth: int | None = None

    def __str__(self) -> str:
        text = (
            f"{self.num_qubits} qubits, {self.num_gates} gates ({self.num_cx} CX), "
            f"depth {self.depth} ({self.two_qubit_depth} two-qubit), all-to-all"
        )
        if self.backend is not None:
            text += (
                f"\non {self.backend}: {self.routed_gates} gates "
                f"({self.routed_two_qubit_gates} {self.two_qubit_gate or 'two-qubit'}), "
                f"depth {self.routed_depth} ({self.routed_two_qubit_depth} two-qubit), routed"
            )
        return text


def circuit_resources(
    circuit: QuantumCircuit,
    backend: BackendV2 | None = None,
    optimization_level: int = 3,
    seed_transpiler: int = 0,
) -> Resources:
    """Count the gates of a circuit and, given a device, what is left of them after routing.

    Parameters
    ----------
    circuit : QuantumCircuit
        With or without free parameters.
    backend : BackendV2, optional
        A device or device model, to transpile the circuit for.
    optimization_level, seed_transpiler : int
        As in `transpile_for`; only used with a backend.

    Returns
    -------
    Resources
        Measurements, barriers, delays and resets are not counted.

    Raises
    ------
    InvalidParameterError, UnsupportedCircuitError
        As `transpile_for`, when a backend is given.

    Notes
    -----
    Cost: one translation to CX and one-qubit gates (milliseconds); with a backend one transpilation (up to
    seconds).

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qkernels.circuits import circuit_resources
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.h(0)
    >>> _ = circuit.rzz(0.3, 0, 1)
    >>> print(circuit_resources(circuit))
    2 qubits, 4 gates (2 CX), depth 4 (2 two-qubit), all-to-all
    """
    counted = transpile(circuit, basis_gates=list(_COUNTED_BASIS), optimization_level=0)
    num_gates, num_cx, depth, two_qubit_depth = _count(counted)
    if backend is None:
        return Resources(circuit.num_qubits, num_gates, num_cx, depth, two_qubit_depth)
    routed = transpile_for(circuit, backend, optimization_level, seed_transpiler).circuit
    used = {item.operation.name for item in routed.data if len(item.qubits) > 1} - _NOT_GATES
    return Resources(
        *(circuit.num_qubits, num_gates, num_cx, depth, two_qubit_depth),
        backend.name,
        "+".join(sorted(used)) or None,
        *_count(routed),
    )


def _count(circuit: QuantumCircuit) -> tuple[int, int, int, int]:
    """Gates, gates on two or more qubits, depth, and depth in gates on two or more qubits."""
    wide = [i for i in circuit.data if len(i.qubits) > 1 and i.operation.name not in _NOT_GATES]
    num_gates = sum(i.operation.name not in _NOT_GATES for i in circuit.data)
    depth = circuit.depth(lambda i: i.operation.name not in _NOT_GATES)
    wide_depth = circuit.depth(lambda i: len(i.qubits) > 1 and i.operation.name not in _NOT_GATES)
    return num_gates, len(wide), depth, wide_depth
