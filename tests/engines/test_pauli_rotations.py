"""Every parametric gate as Pauli rotations, and its derivative, against Qiskit's own matrix of the gate."""

from __future__ import annotations

import itertools
from functools import cache, reduce
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.circuit.library import get_standard_gate_name_mapping

from qkernels.circuits import PARAMETRIC_GATES, FlatOp
from qkernels.engines._pauli_rotations import PAULI_ROTATIONS, PauliRotation, rotations_of
from qkernels.engines._sweep import ReverseSweep
from tests.oracle import oracle_unitary

Real = NDArray[np.float64]

PAULIS = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
PLACES = {1: ((0,), (2,)), 2: ((0, 1), (1, 0), (2, 0))}
"""Qubits of three that a gate is put on."""

CASES = [(name, qubits) for name, (k, _) in PARAMETRIC_GATES.items() for qubits in PLACES[k]]
BOTH_WAYS = pytest.mark.parametrize("kind", ["transfer", "transposed"])
EVERY_GATE = pytest.mark.parametrize(("name", "qubits"), CASES, ids=lambda v: "".join(map(str, v)))


def num_angles(name: str) -> int:
    return len(get_standard_gate_name_mapping()[name].params)


@cache
def strings() -> NDArray[np.complex128]:
    """All Pauli strings of three qubits, the letter of qubit 0 in the lowest two bits of the index."""
    letters = ([PAULIS[i >> 2 * q & 3] for q in reversed(range(3))] for i in range(64))
    return np.array([reduce(np.kron, word) for word in letters])


def gate_on(name: str, angles: Real, qubits: tuple[int, ...]) -> NDArray[np.complex128]:
    """Qiskit's matrix of a gate on qubits of three."""
    u = oracle_unitary(get_standard_gate_name_mapping()[name].base_class(*angles))
    out = np.zeros((8, 8), dtype=complex)
    for column in range(8):
        inside = sum((column >> q & 1) << k for k, q in enumerate(qubits))
        rest = column & ~sum(1 << q for q in qubits)
        for row in range(len(u)):
            out[rest | sum((row >> k & 1) << q for k, q in enumerate(qubits)), column] = u[row, inside]
    return out


def sweep_of(name: str, qubits: tuple[int, ...], kind: str, initial: Real) -> ReverseSweep:
    bits = tuple(b for q in qubits for b in (2 * q, 2 * q + 1))
    return ReverseSweep([FlatOp(f"{kind}:{name}", bits, tuple(range(num_angles(name))), None, "")], 3, initial)


def test_every_parametric_gate_is_known() -> None:
    assert PAULI_ROTATIONS.keys() == PARAMETRIC_GATES.keys()


@BOTH_WAYS
@EVERY_GATE
def test_rotations_multiply_to_the_gate(name: str, qubits: tuple[int, ...], kind: str) -> None:
    angles = np.random.default_rng(3).uniform(-4, 4, size=(4, num_angles(name)))
    vectors = np.repeat(np.eye(64)[:, :, None], 4, axis=2)  # every string, for every row
    found = vectors.reshape(4, 4, 4, 64 * 4)
    for rotation in rotations_of(f"{kind}:{name}", qubits, list(range(angles.shape[1])), 3):
        sine, cosine = rotation.sine_and_cosine(np.tile(angles.T, 64))
        rotation.turn(found, *np.broadcast_arrays(sine, cosine))
    for row in range(4):
        u = gate_on(name, angles[row], qubits)
        expected = np.einsum("pij,qji->pq", strings(), u @ strings() @ u.conj().T).real / 8
        expected = expected if kind == "transfer" else expected.T
        np.testing.assert_allclose(found.reshape(64, 64, 4)[:, :, row], expected, rtol=0, atol=1e-13)


@BOTH_WAYS
@EVERY_GATE
def test_derivatives_obey_the_shift_rule_and_central_differences(name: str, qubits: tuple[int, ...], kind: str) -> None:
    """Four shifts are exact for a trigonometric polynomial of the frequencies 1/2 and 1 (arXiv:2104.05695), which the
    value is in every angle; the axis of R turns by its angle, so there they are 1 and 2. The five-point difference is
    off by h⁴/30 times a fifth derivative."""
    rng = np.random.default_rng(4)
    angles = rng.uniform(-4, 4, size=(3, num_angles(name)))
    initial, cotangents = rng.normal(size=64), rng.normal(size=(64, 3))
    found = sweep_of(name, qubits, kind, initial)(angles, cotangents)
    near, far = (np.sqrt(2) + 1) / (4 * np.sqrt(2)), (np.sqrt(2) - 1) / (4 * np.sqrt(2))
    h = 1e-3
    for row, a in itertools.product(range(3), range(angles.shape[1])):
        ends = (initial, cotangents[:, row]) if kind == "transfer" else (cotangents[:, row], initial)
        before, after = (np.tensordot(end, strings(), axes=1) for end in ends)

        def odd(shift: float, row: int = row, a: int = a, before: Any = before, after: Any = after) -> float:
            """What is odd in the shift of an angle of the value Tr(A U B U†)/8, twice."""
            moved = np.array([angles[row], angles[row]])
            moved[:, a] += (shift, -shift)
            plus, minus = (gate_on(name, m, qubits) for m in moved)
            return float(np.trace(after @ (plus @ before @ plus.conj().T - minus @ before @ minus.conj().T)).real) / 8

        scale = 2 if (name, a) == ("r", 1) else 1
        shifted = scale * (near * odd(np.pi / 2 / scale) - far * odd(3 * np.pi / 2 / scale))
        assert found[row, a] == pytest.approx(shifted, abs=1e-10)
        assert found[row, a] == pytest.approx((8 * odd(h) - odd(2 * h)) / (12 * h), abs=1e-7)


def test_constant_angles_have_no_derivatives_and_shared_ones_add_up() -> None:
    """U(a, 0.3, a) with one column of angles and a number, by the chain rule over U with three columns."""
    rng = np.random.default_rng(5)
    initial, cotangents = rng.normal(size=64), rng.normal(size=(64, 2))
    angles = np.stack([rng.uniform(-2, 2, size=2), np.full(2, 0.3)], axis=1)
    alone = sweep_of("u", (1,), "transfer", initial)(angles[:, [0, 1, 0]], cotangents)
    shared = ReverseSweep([FlatOp("transfer:u", (2, 3), (0, 0.3, 0), None, "")], 3, initial)(angles[:, :1], cotangents)
    np.testing.assert_allclose(shared[:, 0], alone[:, 0] + alone[:, 2], rtol=1e-12)


def test_commuting_is_that_of_the_pauli_strings() -> None:
    letters = ["".join(s) for s in itertools.product("IXYZ", repeat=2) if set(s) != {"I"}]
    matrices = [np.kron(*(PAULIS["IXYZ".index(c)] for c in s)) for s in letters]
    rotations = [PauliRotation({q: "IXYZ".index(c) for q, c in enumerate(s) if c != "I"}, (), 0, 1.0) for s in letters]
    for (r, a), (s, b) in itertools.product(zip(rotations, matrices, strict=True), repeat=2):
        assert r.commutes(s) == np.allclose(a @ b, b @ a)
