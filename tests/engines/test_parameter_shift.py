"""The parameter-shift rule: against exact gradients at 1e-10, as one request, and with shots."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import HamiltonianGate

from qkernels._errors import InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import PARAMETRIC_GATES, circuit_of_gates, flatten, gate_matrices
from qkernels.engines import DensityMatrixEngine, MPSEngine, NoiseTable, StatevectorEngine
from qkernels.engines._parameter_shift import _RULES, num_shifts, parameter_shift
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram
from tests.engines.test_statevector_gradient import CIRCUITS, Problem, problem
from tests.oracle import oracle_state, random_circuit

Real = NDArray[np.float64]

CLOSE = 1e-10

ENGINE = StatevectorEngine()


class Counted(StatevectorEngine):
    """Notes the rows of every request."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        self.rows.append(len(np.asarray(X)))
        return super().expectations(program, X, theta=theta)


def assert_exact(c: Problem, message: str = "") -> None:
    expected = c.vjp(c.observed, c.weights)
    found = parameter_shift(ENGINE, c.observed, c.weights, c.X, theta=c.given)
    for gradient, other in zip(found, expected, strict=True):
        assert gradient is not None
        scale = 1.0 + np.abs(other).max(initial=0.0)
        np.testing.assert_allclose(gradient, other, rtol=0, atol=CLOSE * scale, err_msg=message)


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CIRCUITS)
def test_shifts_give_the_exact_gradients(name: str) -> None:
    assert_exact(problem(name), name)


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_shifts_in_random_circuits(first: int) -> None:
    for seed in range(first, first + 10):
        circuit, parameters = random_circuit(seed, max_qubits=4, max_instructions=12)
        flat = flatten(circuit, parameters)
        if any(op.name == "bound" for op in flat.ops) or any("sign" in text for text in flat.angles.texts):
            continue
        split = len(parameters) // 2
        assert_exact(Problem(circuit, parameters[split:], parameters[:split], seed, n=2), f"random_circuit({seed})")


@pytest.mark.parametrize("name", PARAMETRIC_GATES)
def test_rules_are_exact_for_every_observable(name: str) -> None:
    """d(G† M G)/dα of a random Hermitian M, as sums of G† M G at shifted angles."""
    rng = np.random.default_rng(5)
    angles = rng.uniform(-3, 3, size=len(_RULES[name]))
    dim = 2 ** PARAMETRIC_GATES[name][0]
    matrix = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    matrix = matrix + matrix.conj().T

    def turned(which: int, shift: float) -> NDArray[np.complex128]:
        gate = gate_matrices(name, (angles + shift * np.eye(len(angles))[which])[None])[0]
        return np.asarray(gate.conj().T @ matrix @ gate)

    for which, rule in enumerate(_RULES[name]):
        found = sum(factor * turned(which, shift) for shift, factor in rule)
        h = 1e-3
        slope = (8 * (turned(which, h) - turned(which, -h)) - (turned(which, 2 * h) - turned(which, -2 * h))) / (12 * h)
        np.testing.assert_allclose(found, slope, rtol=0, atol=1e-10)


def test_every_parametric_gate_has_a_rule() -> None:
    assert set(_RULES) == set(PARAMETRIC_GATES)


def test_a_parameter_shared_by_gates_is_no_single_rotation() -> None:
    """⟨Z⟩ is cos 2t after RY(t) RY(t): a shift of t itself by π/2 would give 0."""
    t = ParameterVector("t", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(t[0], 0)
    circuit.ry(t[0], 0)
    program = ExpectationProgram(circuit, [], t, observables="Z")
    d_theta, _ = parameter_shift(ENGINE, program, [[1.0]], np.empty((1, 0)), theta=[0.4])
    np.testing.assert_allclose(d_theta, [-2 * np.sin(0.8)], rtol=1e-12)


def test_other_engines_shift_too() -> None:
    """Matrix-product states; and noise, for which the exact gradient is known."""
    c = problem("classifier")
    expected = c.vjp(c.observed, c.weights)
    for gradient, other in zip(
        parameter_shift(MPSEngine(), c.observed, c.weights, c.X, theta=c.given), expected, strict=True
    ):
        np.testing.assert_allclose(gradient, other, rtol=0, atol=1e-9)  # type: ignore[arg-type]
    depolarizing = np.diag([1.0, 0.97, 0.97, 0.97])
    noisy = DensityMatrixEngine(
        NoiseTable(defaults=dict.fromkeys(("h", "p", "ry"), depolarizing), ideal=["cx"], form="transfer")
    )
    expected = noisy.vjp(c.observed, c.weights, c.X, theta=c.given)
    for gradient, other in zip(
        parameter_shift(noisy, c.observed, c.weights, c.X, theta=c.given), expected, strict=True
    ):
        np.testing.assert_allclose(gradient, other, rtol=0, atol=1e-9)  # type: ignore[arg-type]


def test_with_shots_the_gradient_is_near_the_exact_one() -> None:
    """10⁶ shots: 0.5 (v₊ − v₋) of values with standard error below 10⁻³ each, over about ten gates."""
    c = problem("classifier")
    program = ExpectationProgram(c.circuit, c.x, c.theta_names, observables=["ZZZ", "XIY"])
    weights = c.weights[:, :2]
    engine = StatevectorEngine(shots=10**6, seed=3)
    found = parameter_shift(engine, program, weights, c.X, theta=c.given)
    expected = ENGINE.vjp(program, weights, c.X, theta=c.given)
    for gradient, other in zip(found, expected, strict=True):
        assert gradient is not None
        assert 0 < np.abs(gradient - other).max() < 0.02


# Requests ---------------------------------------------------------------------------------------------------------


def test_all_shifts_and_samples_are_one_request() -> None:
    x, t = ParameterVector("x", 1), ParameterVector("t", 2)
    circuit = QuantumCircuit(2)
    circuit.rx(x[0], 0)
    circuit.ry(t[0], 0)
    circuit.crz(t[1], 0, 1)
    circuit.ry(t[0] * x[0], 1)
    program = ExpectationProgram(circuit, x, t, observables=["ZZ", "XI"])
    engine = Counted()
    X, weights = np.array([[0.1], [0.2], [0.3]]), np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 1.0]])
    parameter_shift(engine, program, weights, X, theta=[0.3, 0.4])
    assert engine.rows == [2 * (2 + 2 + 4 + 2)]  # the second sample does not count
    parameter_shift(engine, program, weights, X, theta=[0.3, 0.4], inputs=False)
    assert engine.rows[1:] == [2 * (2 + 4 + 2)]
    assert (num_shifts(program), num_shifts(program, inputs=False)) == (10, 8)
    for gradient in parameter_shift(engine, program, np.zeros((3, 2)), X, theta=[0.3, 0.4]):
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))  # type: ignore[arg-type]
    assert len(engine.rows) == 2


@pytest.mark.parametrize("name", ["classifier", "shared_and_nonlinear"])
def test_without_inputs_the_gradient_of_theta_is_the_same(name: str) -> None:
    c = problem(name)
    d_theta, d_X = parameter_shift(ENGINE, c.observed, c.weights, c.X, theta=c.given, inputs=False)
    assert d_X is None
    np.testing.assert_allclose(d_theta, c.vjp(c.observed, c.weights)[0], rtol=0, atol=1e-10)


def test_without_inputs_gates_of_data_need_no_rule() -> None:
    x, t = ParameterVector("x", 1), ParameterVector("t", 1)
    circuit = QuantumCircuit(1)
    circuit.append(HamiltonianGate(np.array([[1, 0.5], [0.5, -0.3]]), x[0]), [0])
    circuit.ry(t[0], 0)
    program = ExpectationProgram(circuit, x, t, observables="Z")
    d_theta, _ = parameter_shift(ENGINE, program, [[1.0]], [[0.4]], theta=[0.2], inputs=False)
    expected = ENGINE.expectations_and_vjp(program, [[0.4]], lambda v: [[1.0]], theta=[0.2], inputs=False)[1]
    np.testing.assert_allclose(d_theta, expected, rtol=0, atol=1e-12)


# The circuit of gates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_the_circuit_of_gates_is_the_circuit(seed: int) -> None:
    circuit, parameters = random_circuit(seed, max_qubits=4, max_instructions=15)
    flat = flatten(circuit, parameters)
    written, names, slots = circuit_of_gates(flat)
    assert len(names) == len(slots)
    values = np.random.default_rng(seed).uniform(-1, 1, size=len(parameters))
    angles = flat.angles.evaluate(values[None])[0]
    found = oracle_state(written, dict(zip(names, angles[list(slots)], strict=True)))
    expected = oracle_state(circuit, dict(zip(parameters, values, strict=True)))
    assert abs(np.vdot(found, expected)) == pytest.approx(1.0, abs=1e-10)


def test_gates_that_share_an_angle_get_one_each() -> None:
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(a, 0)
    circuit.u(a, 0.3, 2 * a, 1)
    circuit.ry(a, 1)
    written, names, slots = circuit_of_gates(flatten(circuit, [a]))
    assert slots == (0, 0, 1, 0)
    assert [list(i.operation.params) for i in written.data] == [[names[0]], [names[1], 0.3, names[2]], [names[3]]]


# Refusals ---------------------------------------------------------------------------------------------------------


def test_gates_without_a_rule_are_named() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(3)
    circuit.append(HamiltonianGate(np.array([[1, 0.5], [0.5, -0.3]]), x[0]), [2])
    program = ExpectationProgram(circuit, x, observables="ZZZ")
    with pytest.raises(UnsupportedCircuitError, match=r"no rule for instruction 'hamiltonian' on qubits \[2\]"):
        parameter_shift(ENGINE, program, [[1.0]], [[0.3]])


def test_what_is_given_is_checked() -> None:
    c = problem("classifier")
    with pytest.raises(InvalidParameterError, match="engine of parameter_shift must be an Engine, got str"):
        parameter_shift("sim", c.observed, c.weights, c.X, theta=c.given)  # type: ignore[arg-type]
    pattern = "program of parameter_shift must be an ExpectationProgram, got OverlapProgram"
    with pytest.raises(InvalidParameterError, match=pattern):
        parameter_shift(ENGINE, OverlapProgram(c.circuit, c.x, c.theta_names), c.weights, c.X)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match=r"cotangent .* \(3, 4\), .* got shape \(3, 3\)"):
        parameter_shift(ENGINE, c.observed, c.cotangent, c.X, theta=c.given)
    with pytest.raises(InvalidDataError, match=r"X has 2 feature\(s\)"):
        parameter_shift(ENGINE, c.observed, c.weights, c.X[:, :2], theta=c.given)
