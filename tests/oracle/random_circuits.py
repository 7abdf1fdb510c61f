"""Seeded random circuits over the gate and expression zoo of Qiskit.

`random_circuit(seed)` always returns the same circuit for a seed. Every angle is real and finite
as long as all parameters stay within [-DOMAIN, DOMAIN].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    Clbit,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Parameter,
    ParameterExpression,
    ParameterVector,
    PowerModifier,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit import library as lib
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Pauli, SparsePauliOp, random_unitary
from qiskit.synthesis import SuzukiTrotter

DOMAIN = 2.5

Angle = float | ParameterExpression
Build = Callable[..., Instruction]

# name: (number of qubits, number of angles, constructor)
_STANDARD: dict[str, tuple[int, int, Build]] = {
    "x": (1, 0, lib.XGate), "y": (1, 0, lib.YGate), "z": (1, 0, lib.ZGate), "h": (1, 0, lib.HGate),
    "s": (1, 0, lib.SGate), "sdg": (1, 0, lib.SdgGate), "t": (1, 0, lib.TGate), "tdg": (1, 0, lib.TdgGate),
    "sx": (1, 0, lib.SXGate), "sxdg": (1, 0, lib.SXdgGate), "id": (1, 0, lib.IGate),
    "rx": (1, 1, lib.RXGate), "ry": (1, 1, lib.RYGate), "rz": (1, 1, lib.RZGate), "p": (1, 1, lib.PhaseGate),
    "u1": (1, 1, lib.U1Gate), "u2": (1, 2, lib.U2Gate), "u3": (1, 3, lib.U3Gate), "u": (1, 3, lib.UGate),
    "r": (1, 2, lib.RGate),
    "cx": (2, 0, lib.CXGate), "cy": (2, 0, lib.CYGate), "cz": (2, 0, lib.CZGate), "ch": (2, 0, lib.CHGate),
    "cs": (2, 0, lib.CSGate), "csdg": (2, 0, lib.CSdgGate), "csx": (2, 0, lib.CSXGate),
    "cp": (2, 1, lib.CPhaseGate), "crx": (2, 1, lib.CRXGate), "cry": (2, 1, lib.CRYGate),
    "crz": (2, 1, lib.CRZGate), "cu": (2, 4, lib.CUGate), "cu1": (2, 1, lib.CU1Gate),
    "cu3": (2, 3, lib.CU3Gate),
    "swap": (2, 0, lib.SwapGate), "iswap": (2, 0, lib.iSwapGate), "dcx": (2, 0, lib.DCXGate),
    "ecr": (2, 0, lib.ECRGate), "rxx": (2, 1, lib.RXXGate), "ryy": (2, 1, lib.RYYGate),
    "rzz": (2, 1, lib.RZZGate), "rzx": (2, 1, lib.RZXGate), "xx_plus_yy": (2, 2, lib.XXPlusYYGate),
    "xx_minus_yy": (2, 2, lib.XXMinusYYGate),
    "ccx": (3, 0, lib.CCXGate), "ccz": (3, 0, lib.CCZGate), "cswap": (3, 0, lib.CSwapGate),
    "rccx": (3, 0, lib.RCCXGate), "mcp": (3, 1, lambda a: lib.MCPhaseGate(a, 2)),
    "c3x": (4, 0, lib.C3XGate), "c3sx": (4, 0, lib.C3SXGate), "rc3x": (4, 0, lib.RC3XGate),
    "mcx": (4, 0, lambda: lib.MCXGate(3)), "mcp3": (4, 1, lambda a: lib.MCPhaseGate(a, 3)),
    "c4x": (5, 0, lib.C4XGate), "mcx4": (5, 0, lambda: lib.MCXGate(4)),
    "global_phase": (0, 1, lib.GlobalPhaseGate),
}  # fmt: skip

# Gates that Qiskit can control by synthesis, whatever their angles.
_CONTROLLABLE = (
    "x", "z", "h", "s", "t", "sx", "rx", "ry", "rz", "p", "u", "u3", "cx", "cz", "cp", "crx", "swap",
    "rzz", "ccx",
)  # fmt: skip

STANDARD_GATES = tuple(_STANDARD)


def random_circuit(
    seed: int, max_qubits: int = 6, max_instructions: int = 40
) -> tuple[QuantumCircuit, list[Parameter]]:
    """A circuit on 1 to `max_qubits` qubits and the parameters that its expressions were drawn from.

    Not every parameter needs to occur in the circuit; the list may be empty.
    """
    return _Generator(seed).circuit(max_qubits, max_instructions)


def random_inputs(num_samples: int, num_parameters: int, seed: int) -> NDArray[np.float64]:
    """Rows (num_samples, num_parameters) in the domain of the random expressions."""
    return np.random.default_rng([seed, 7]).uniform(-DOMAIN, DOMAIN, size=(num_samples, num_parameters))


def random_observables(num_qubits: int, count: int, seed: int) -> list[SparsePauliOp]:
    """Hermitian sums of up to five Pauli strings, diagonal ones and the identity among them."""
    rng = np.random.default_rng([seed, 11])
    observables = []
    for index in range(count):
        letters = ["IZ", "IXYZ", "XY", "I"][index % 4]
        terms = ["".join(rng.choice(list(letters), num_qubits)) for _ in range(1 + int(rng.integers(5)))]
        observables.append(SparsePauliOp(terms, rng.normal(size=len(terms))))
    return observables


class _Generator:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.parameters = self._draw_parameters()

    def circuit(self, max_qubits: int, max_instructions: int) -> tuple[QuantumCircuit, list[Parameter]]:
        circuit = self._empty(1 + int(self.rng.integers(max_qubits)))
        circuit.global_phase = self._phase()
        if self._chance(0.2):
            self._initialize(circuit)
        for _ in range(1 + int(self.rng.integers(max_instructions))):
            self._append(circuit)
        if self._chance(0.2):
            self._measure(circuit)
        return circuit, self.parameters

    # -- parameters and angles ------------------------------------------------------------------------

    def _draw_parameters(self) -> list[Parameter]:
        kind = int(self.rng.integers(6))
        if kind == 0:
            return []
        count = 1 + int(self.rng.integers(5))
        if kind == 1:  # loose, in an order that is not alphabetical
            return [Parameter(f"{'zyxwv'[i]}{self.seed}") for i in range(count)]
        if kind == 2:
            return [*ParameterVector("x", count), Parameter("a"), Parameter("unused")]
        return list(ParameterVector("x", count))

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _pick(self, options: Sequence[str]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def _number(self, low: float = -3.2, high: float = 3.2) -> float:
        if self._chance(0.1):
            return int(self.rng.integers(-2, 3))
        return float(self.rng.uniform(low, high))

    def _phase(self) -> Angle:
        return self.angle() if self._chance(0.5) else 0.0

    def _parameter(self) -> Parameter:
        usable = [p for p in self.parameters if p.name != "unused"]
        return usable[int(self.rng.integers(len(usable)))]

    def angle(self, depth: int = 2) -> Angle:
        """A constant or an expression, real for parameters within the domain."""
        if not self.parameters or self._chance(0.25):
            return self._number()
        p, q, a, b = self._parameter(), self._parameter(), self._number(), self._number()
        plain: list[Callable[[], Angle]] = [
            lambda: p, lambda: a * p, lambda: a * p + b, lambda: a + q - p * b, lambda: p * q,
            lambda: (np.pi - p) * (np.pi - q), lambda: p**2, lambda: p**3 / 4, lambda: p**2 - q**2,
            lambda: 1 - p, lambda: -p, lambda: +p, lambda: p / 3,
            lambda: p / (q + 4), lambda: a / (p * p + 1), lambda: 2 / (q + 5),
            lambda: (p + 4) ** 0.5, lambda: (p + 4) ** q / 4, lambda: (p * p) ** 0.5, lambda: 2.0**p,
            lambda: 3**q / 4,
            lambda: p.sin(), lambda: (a * p).cos(), lambda: (p / 2).tan(), lambda: (p / 3).arcsin(),
            lambda: (p / 3).arccos(), lambda: (p * a).arctan(), lambda: (p / 2).exp(), lambda: (q + 4).log(),
            lambda: p.abs(), lambda: abs(p + 1), lambda: p.sign() * a, lambda: p.conjugate() + q,
            lambda: (p + q).abs().log() if p is not q else (p * p + 1).log(),
        ]  # fmt: skip
        if depth and self._chance(0.3):
            inner = self.angle(depth - 1)
            if isinstance(inner, ParameterExpression) and inner.parameters:
                plain = [
                    lambda: inner.sin() * a, lambda: inner.cos() + p, lambda: inner.arctan(),
                    lambda: inner.abs(),
                    lambda: inner.sin().exp(), lambda: (inner.cos() + 2).log(), lambda: inner.cos().arccos(),
                    lambda: 2 ** inner.sin(), lambda: (inner * inner + 1) ** -0.5, lambda: inner * a - b,
                    lambda: inner.sin() / (q.cos() + 2), lambda: inner.sign(), lambda: inner.conjugate(),
                ]  # fmt: skip
        return plain[int(self.rng.integers(len(plain)))]()

    # -- circuits and instructions --------------------------------------------------------------------

    def _empty(self, num_qubits: int) -> QuantumCircuit:
        kind = int(self.rng.integers(3))
        if kind == 0 and num_qubits > 1:
            first = 1 + int(self.rng.integers(num_qubits - 1))
            return QuantumCircuit(QuantumRegister(first, "left"), QuantumRegister(num_qubits - first, "right"))
        if kind == 1:
            return QuantumCircuit([Qubit() for _ in range(num_qubits)], [Clbit()])
        return QuantumCircuit(num_qubits)

    def _wires(self, circuit: QuantumCircuit, count: int) -> list[int]:
        return [int(i) for i in self.rng.permutation(circuit.num_qubits)[:count]]

    def _initialize(self, circuit: QuantumCircuit) -> None:
        count = 1 + int(self.rng.integers(min(circuit.num_qubits, 3)))
        wires = self._wires(circuit, count)
        kind = int(self.rng.integers(4))
        if kind == 0:
            circuit.initialize("".join(self.rng.choice(list("01+-rl"), count)), wires)
        elif kind == 1:
            circuit.initialize(int(self.rng.integers(2**count)), wires)
        elif kind == 2:
            circuit.initialize(self._amplitudes(count), wires)
        else:
            circuit.reset(wires)

    def _amplitudes(self, num_qubits: int) -> NDArray[np.complex128]:
        vector = self.rng.normal(size=2**num_qubits) + 1j * self.rng.normal(size=2**num_qubits)
        return vector / np.linalg.norm(vector)

    def _measure(self, circuit: QuantumCircuit) -> None:
        if self._chance(0.5):
            circuit.measure_all()
            return
        count = 1 + int(self.rng.integers(circuit.num_qubits))
        register = ClassicalRegister(count, "out")
        circuit.add_register(register)
        circuit.measure(self._wires(circuit, count), register)

    def _append(self, circuit: QuantumCircuit) -> None:
        room = circuit.num_qubits
        if self._chance(0.05):
            if self._chance(0.5):
                circuit.barrier(*self._wires(circuit, 1 + int(self.rng.integers(room))))
            else:
                circuit.delay(100, self._wires(circuit, 1)[0], unit="ns")
        elif self._chance(0.65):
            circuit_gate = self._standard([n for n, (k, _, _) in _STANDARD.items() if k <= room])
            circuit.append(circuit_gate, self._wires(circuit, circuit_gate.num_qubits))
        elif self._chance(0.6):
            operation = self._special(room)
            circuit.append(operation, self._wires(circuit, operation.num_qubits))
        else:
            operation = self._composite(room)
            circuit.append(operation, self._wires(circuit, operation.num_qubits))

    def _standard(self, names: Sequence[str]) -> Gate:
        _, angles, build = _STANDARD[self._pick(names)]
        gate = build(*(self.angle() for _ in range(angles)))
        if getattr(gate, "num_ctrl_qubits", 0) and self._chance(0.25):
            gate = gate.to_mutable()
            gate.ctrl_state = int(self.rng.integers(2**gate.num_ctrl_qubits))
        if self._chance(0.05):
            return gate.inverse()
        if gate.num_qubits == 1 and gate.name in {"rx", "p", "x", "s"} and self._chance(0.05):
            return gate.power(2)
        return gate

    def _special(self, room: int) -> Instruction:
        """Gates outside the standard list."""
        width = 1 + int(self.rng.integers(min(room, 3)))
        options: dict[str, Callable[[], Instruction]] = {
            "unitary": lambda: lib.UnitaryGate(random_unitary(2**width, seed=int(self.rng.integers(2**31)))),
            "permutation": lambda: lib.PermutationGate([int(i) for i in self.rng.permutation(width)]),
            "diagonal": lambda: lib.DiagonalGate(list(np.exp(1j * self.rng.uniform(-3, 3, 2**width)))),
            "qft": lambda: lib.QFTGate(width),
            "pauli": lambda: lib.PauliGate("".join(self.rng.choice(list("IXYZ"), width))),
            "rv": lambda: lib.RVGate(self.angle(), self.angle(), self.angle()),
            "evolution": lambda: self._evolution(width),
            "rotation": lambda: lib.PauliProductRotationGate(Pauli(self._word(width)), self.angle()),
            "prepare": lambda: lib.StatePreparation(self._amplitudes(width)),
            "prepare_label": lambda: lib.StatePreparation("".join(self.rng.choice(list("01+-rl"), width))),
            "unprepare": lambda: lib.StatePreparation(self._amplitudes(width)).inverse(),
            "ms": lambda: lib.MSGate(max(width, 2), self.angle()) if room > 1 else lib.HGate(),
            "ucry": lambda: lib.UCRYGate([self._number() for _ in range(2 ** (width - 1))]),
            "hamiltonian": lambda: lib.HamiltonianGate(self._hermitian(width), self.angle()),
            "linear": lambda: lib.LinearFunction(np.tri(width, dtype=bool)),
        }
        return options[self._pick(sorted(options))]()

    def _word(self, width: int) -> str:
        word = "".join(self.rng.choice(list("IXYZ"), width))
        return word if set(word) != {"I"} else "Z" * width

    def _hermitian(self, width: int) -> NDArray[np.complex128]:
        matrix = self.rng.normal(size=(2**width,) * 2) + 1j * self.rng.normal(size=(2**width,) * 2)
        return (matrix + matrix.conj().T) / 4

    def _evolution(self, width: int) -> Gate:
        terms = [self._word(width) for _ in range(1 + int(self.rng.integers(3)))]
        operator = SparsePauliOp(terms, self.rng.normal(size=len(terms)))
        synthesis = SuzukiTrotter(order=2, reps=2) if self._chance(0.3) else None
        return lib.PauliEvolutionGate(operator, time=self.angle(), synthesis=synthesis)

    def _composite(self, room: int) -> Instruction:
        """A block with its own phase, perhaps inverted, repeated or controlled."""
        controls = 1 + int(self.rng.integers(2)) if room > 2 else 1
        wants_control = room > controls and self._chance(0.5)
        lazily = self._chance(0.5)
        body = self._body(room - controls if wants_control else room, synthesised=wants_control and not lazily)
        if not wants_control:
            return self._modified(body)
        gate = body.to_gate(label=None)
        state = int(self.rng.integers(2**controls))
        if lazily and self._chance(0.5):
            modifiers = [InverseModifier(), PowerModifier(int(self.rng.integers(-2, 4)))]
            self.rng.shuffle(modifiers)
            return AnnotatedOperation(gate, [*modifiers, ControlModifier(controls, state)])
        return gate.control(controls, ctrl_state=state, annotated=lazily)

    def _body(self, room: int, synthesised: bool, depth: int = 1) -> QuantumCircuit:
        width = 1 + int(self.rng.integers(min(room, 3)))
        body = QuantumCircuit(width, global_phase=self.angle(1))
        names = _CONTROLLABLE if synthesised else tuple(_STANDARD)
        fitting = [n for n in names if _STANDARD[n][0] <= width]
        for _ in range(1 + int(self.rng.integers(5))):
            operation: Instruction
            if depth and self._chance(0.15):
                operation = self._body(width, synthesised, depth - 1).to_gate()
            elif not synthesised and self._chance(0.2):
                operation = self._special(width)
            else:
                operation = self._standard(fitting)
            body.append(operation, self._wires(body, operation.num_qubits))
        return body

    def _modified(self, body: QuantumCircuit) -> Instruction:
        kind = int(self.rng.integers(7))
        if kind == 0:
            body.barrier()
            body.delay(10, 0, unit="ns")
            return body.to_instruction()
        gate = body.to_gate()
        if kind == 1:
            return gate.repeat(2)
        if kind == 2:
            return gate.inverse(annotated=True)
        if kind == 3:
            return gate.power(int(self.rng.integers(-2, 4)), annotated=True)
        if kind == 4:
            try:
                return gate.inverse()
            except QiskitError:  # a gate inside has no inverse without numbers
                return gate
        return gate
