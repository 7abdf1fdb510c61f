"""CircuitAnsatz: any circuit of the user's as an ansatz."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qkernels._errors import InvalidParameterError
from qkernels.circuits import flatten
from qkernels.variational._ansatz import Angles, Ansatz

__all__ = ["CircuitAnsatz"]


class CircuitAnsatz(Ansatz):
    r"""A user's own circuit as an ansatz.

    Parameters
    ----------
    circuit : QuantumCircuit
        Its free parameters are the angles θ, also several times and inside expressions. Gates, barriers and
        measurements at the end (ignored) are fine.
    parameters : ParameterVector or sequence of Parameter, default=None
        The angles in order, each free parameter of the circuit once; None is ``circuit.parameters``, sorted by
        name, vectors by index.

    See Also
    --------
    Ansatz : base class, for ansätze of any number of qubits.

    Notes
    -----
    Cost: that of the circuit. `build` replaces the parameters by the elements of one vector named θ, and follows
    changes made to `circuit` in place. The number of qubits is that of the circuit.

    Clones and pickles keep the identity of parameters between `circuit` and `parameters`.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from qkernels.variational import CircuitAnsatz
    >>> a, b = Parameter("a"), Parameter("b")
    >>> circuit = QuantumCircuit(1, name="two turns")
    >>> _ = circuit.ry(a, 0)
    >>> _ = circuit.rz(a * b, 0)
    >>> CircuitAnsatz(circuit)
    CircuitAnsatz(circuit=<'two turns': 1 qubit, 2 parameters>)
    >>> [str(i.params[0]) for i in CircuitAnsatz(circuit, parameters=[b, a]).build(1)]
    ['θ[1]', 'θ[0]*θ[1]']
    """

    def __init__(
        self, circuit: QuantumCircuit, parameters: ParameterVector | Sequence[Parameter] | None = None
    ) -> None:
        self.circuit = circuit
        self.parameters = parameters

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Name the circuit by its size: its own text is an address."""
        if not isinstance(self.circuit, QuantumCircuit):
            return str(super().__repr__(N_CHAR_MAX))
        name = "circuit" if _RUNNING_NAME.fullmatch(self.circuit.name) else repr(self.circuit.name)
        counts = [(self.circuit.num_qubits, "qubit"), (self.circuit.num_parameters, "parameter")]
        sizes = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
        order = "" if self.parameters is None else f", parameters={self.parameters!r}"
        text = f"CircuitAnsatz(circuit=<{name}: {sizes}>{order})"
        return text if len(text) <= N_CHAR_MAX else text[: N_CHAR_MAX - 4] + "...)"

    def _checked_qubits(self, num_qubits: object) -> int:
        if not isinstance(self.circuit, QuantumCircuit):
            raise InvalidParameterError(
                f"CircuitAnsatz: circuit must be a qiskit QuantumCircuit; got {self.circuit!r}."
            )
        count = super()._checked_qubits(num_qubits)
        if count != self.circuit.num_qubits:
            raise InvalidParameterError(
                f"CircuitAnsatz: the circuit {self.circuit.name!r} has {self.circuit.num_qubits} qubit(s); got "
                f"{count} qubit(s). Build it for the number of qubits of the feature map."
            )
        return count

    def _count(self, num_qubits: int) -> int:
        return len(self._checked_parameters())

    def _circuit(self, theta: Angles, num_qubits: int) -> QuantumCircuit:
        parameters = self._checked_parameters()
        flatten(self.circuit, (), parameters)  # refuses what cannot be evaluated, by position in the user's circuit
        unmeasured = self.circuit.remove_final_measurements(inplace=False)
        circuit = QuantumCircuit(num_qubits, name=self.circuit.name, global_phase=unmeasured.global_phase)
        for item in unmeasured.data:
            circuit.append(item.operation, [unmeasured.find_bit(qubit).index for qubit in item.qubits])
        # two steps: Qiskit refuses a new parameter whose name one of the old ones still has
        detour = ParameterVector("qkernels.detour", len(parameters))
        circuit = circuit.assign_parameters(dict(zip(parameters, detour, strict=True)))
        return circuit.assign_parameters(dict(zip(detour, theta, strict=True)))

    def _checked_parameters(self) -> list[Parameter]:
        free = list(self.circuit.parameters)
        if not free:
            raise InvalidParameterError(
                f"CircuitAnsatz: circuit must have free parameters to train; {self.circuit.name!r} has 0."
            )
        if self.parameters is None:
            return free
        is_sequence = isinstance(self.parameters, (ParameterVector, Sequence)) and not isinstance(self.parameters, str)
        given: list[object] = list(self.parameters) if is_sequence else [None]
        parameters = [p for p in given if isinstance(p, Parameter)]
        if len(parameters) != len(given) or len(set(parameters)) != len(parameters):
            raise InvalidParameterError(
                "CircuitAnsatz: parameters must be a ParameterVector or a sequence of different Parameters; got "
                f"{self.parameters!r}."
            )
        if missing := [p.name for p in free if p not in set(parameters)]:
            raise InvalidParameterError(
                f"CircuitAnsatz: parameters must hold every free parameter of the circuit; {missing[0]!r} is missing. "
                "Bind it with circuit.assign_parameters or add it to parameters."
            )
        if strange := [p.name for p in parameters if p not in set(free)]:
            raise InvalidParameterError(
                f"CircuitAnsatz: parameters must stand in the circuit; {strange[0]!r} does not, so that it could not "
                "be trained. Drop it."
            )
        return parameters


_RUNNING_NAME = re.compile(r"circuit-\d+(-\d+)?")
"""Qiskit's name of a circuit that was given none; it counts the circuits of the process."""
