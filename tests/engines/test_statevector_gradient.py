"""Exact gradients: against central differences of the oracle, closed forms, and themselves in tiles and stripes."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc
from collections.abc import Callable, Iterator

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import HamiltonianGate, efficient_su2, real_amplitudes
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qkernels._errors import BudgetError, InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import PARAMETRIC_GATES, AngleDerivatives, flatten, gate_matrices
from qkernels.engines import StatevectorEngine, cache_info, clear_cache
from qkernels.engines._cache import CACHE
from qkernels.engines._compiled import CompiledCircuit
from qkernels.engines._generators import generators
from qkernels.engines._reverse import Reverse
from qkernels.engines._steps import Block, Move, PhaseStep, Step
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram, Program
from tests.oracle import oracle_expectations, oracle_overlaps, random_circuit, random_inputs, random_observables
from tests.oracle.cases import CASES, Case

Real = NDArray[np.float64]
Built = tuple[QuantumCircuit, list[Parameter], list[Parameter]]

STEP = 1e-3
"""Of five-point differences: off by 3e-14 times a fifth derivative, and by 1e-12 from rounding."""

CLOSE = 1e-7

ENGINE = StatevectorEngine()


@pytest.fixture
def empty_cache() -> Iterator[None]:
    clear_cache()
    yield
    clear_cache()


# Circuits: the circuit, its data and its trainable parameters --------------------------------------------------------


def shared_and_nonlinear() -> Built:
    x, t = ParameterVector("x", 2), ParameterVector("t", 2)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.rx(x[0] * t[0], 0)
    circuit.cx(0, 1)
    circuit.u(x[1], t[1] ** 2, x[0].sin(), 1)
    circuit.cp(x[0] * x[1], 1, 0)
    circuit.p(t[0], 0)
    circuit.u(t[0], t[1], t[0] * t[1], 0)
    circuit.rzx(x[1] / (t[1] + 3), 0, 1)
    circuit.sx(1)
    circuit.ry(2 ** t[0], 0)
    return circuit, [*x], [*t]


def all_gates() -> Built:
    """Every parametric gate, of parameters and of data, on neighbours and across."""
    x, t = ParameterVector("x", 3), ParameterVector("t", 4)
    circuit = QuantumCircuit(4)
    circuit.ry(0.3, [0, 1, 2, 3])
    circuit.sx([1, 2])
    for k, (given, source) in enumerate(((t, "t"), (x, "x"), (t, "t"))):
        circuit.u(given[0], given[1], given[2], k)
        circuit.crx(given[1], 3, 1 - k % 2)
        circuit.r(given[2], given[0], 1)
        circuit.cry(given[0] * given[2], 2, 0)
        circuit.rxx(given[0] * given[1], 1, 2)
        circuit.rz(given[1], 2)
        circuit.crz(given[2], 0, 3)
        circuit.ryy(0.7 * given[2], 0, 2)
        circuit.rzx(given[0], 3, 2)
        circuit.u(given[1], 0.4, given[0], 3)
        circuit.rzz(given[0], 2, 0)
        circuit.cp(given[1], 1, 3)
        circuit.p(given[-1], 0)
        circuit.rx(given[-1] ** 2, 3)
        circuit.h(1)
        assert source in "xt"
    return circuit, [*x], [*t]


def real_states() -> Built:
    """RY and real constants only: states without imaginary part, of data and parameters in turn."""
    x, t = ParameterVector("x", 3), ParameterVector("t", 6)
    circuit = QuantumCircuit(3)
    for layer in range(2):
        for q in range(3):
            circuit.ry(x[q] * (layer + 1), q)
        circuit.cx([0, 1], [1, 2])
        for q in range(3):
            circuit.ry(t[3 * layer + q], q)
        circuit.cz(2, 0)
        circuit.cry(t[layer], 0, 2)
    return circuit, [*x], [*t]


def trained_before_data() -> Built:
    x, t = ParameterVector("x", 2), ParameterVector("t", 4)
    circuit = QuantumCircuit(3)
    circuit.ry(t[0], [0, 1, 2])
    circuit.rzz(t[1], 0, 2)
    circuit.rx(x[0], 1)
    circuit.cx(1, 0)
    circuit.rz(t[2] + x[1], 0)
    circuit.ry(t[3], 2)
    circuit.cx(0, 2)
    return circuit, [*x], [*t]


def wide_and_idle() -> Built:
    """Wide constants, open controls, directives; nothing acts on qubit 5, and one parameter is nowhere."""
    x, t = ParameterVector("x", 2), ParameterVector("t", 3)
    circuit = QuantumCircuit(6, 1)
    circuit.initialize("r-", [1, 0])
    circuit.ry(x[0], 3)
    circuit.h([0, 1])
    circuit.ccx(3, 0, 2)
    circuit.rx(t[0], 1)
    circuit.barrier()
    circuit.unitary(random_unitary(16, seed=3), [2, 0, 3, 4])
    circuit.cx(1, 3, ctrl_state=0)
    circuit.delay(400, 4, unit="ns")
    circuit.rz(x[0] - x[1] ** 2, 0)
    circuit.id(1)
    circuit.iswap(0, 2)
    circuit.ry(t[1] * x[1], 4)
    circuit.swap(4, 1)
    circuit.ry(t[0].cos(), 2)
    circuit.measure(0, 0)
    return circuit, [*x], [*t]


def phases(n: int, groups: int, *, trained: bool) -> Built:
    """Runs of phases on all qubits or within groups of them, of data or of parameters, with permutations of bits."""
    x, t = ParameterVector("x", 2), ParameterVector("t", 2)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for layer in range(2):
        angle = t[layer] if trained else x[layer]
        for first in range(0, n, n // groups):
            for i, j in itertools.combinations(range(first, first + n // groups), 2):
                circuit.cp(angle if trained else angle * (i + 1) / 8 + x[0] * x[1] * j / 20, i, j)
        for q in range(n):
            circuit.rz(angle * (q + 1) / 8, q)
        circuit.cx(range(n - 1), range(1, n))
        circuit.x(1)
        circuit.swap(0, n - 1)
        circuit.ry(t[1] + 0.1, range(n))
        if trained and layer == 0:
            circuit.rx(x[0] * x[1], range(n))
    return circuit, [*x], [*t]


def classifier(n: int, reps: int, ansatz: Callable[..., QuantumCircuit] = real_amplitudes) -> Built:
    feature_map = ZZFeatureMap(reps=1)
    trained = ansatz(n, reps=reps)
    return feature_map.build(n).compose(trained), list(feature_map.parameter_vector(n)), list(trained.parameters)


CIRCUITS: dict[str, Callable[[], Built]] = {
    "shared_and_nonlinear": shared_and_nonlinear,
    "all_gates": all_gates,
    "real_states": real_states,
    "trained_before_data": trained_before_data,
    "wide_and_idle": wide_and_idle,
    "phases_across": lambda: phases(6, 1, trained=False),
    "phases_apart": lambda: phases(6, 2, trained=False),
    "phases_of_parameters": lambda: phases(8, 1, trained=True),
    "classifier": lambda: classifier(3, 2),
    "efficient_su2": lambda: classifier(4, 1, efficient_su2),
    "zz_full": lambda: (ZZFeatureMap(entanglement="full").build(4), list(ZZFeatureMap().parameter_vector(4)), []),
}


class Problem:
    """A circuit with observables, rows, cotangents; gradients by the engine and by differences of the oracle."""

    def __init__(self, circuit: QuantumCircuit, x: list[Parameter], theta: list[Parameter], seed: int, n: int = 3):
        rng = np.random.default_rng([seed, 5])
        self.circuit, self.x, self.theta_names = circuit, x, theta
        inputs = random_inputs(n, len(x) + len(theta), seed) / 2
        self.X, self.theta = inputs[:, : len(x)], inputs[0, len(x) :]
        self.given = self.theta if theta else None
        self.observables = random_observables(circuit.num_qubits, 4, seed)
        self.observed = ExpectationProgram(circuit, x, theta or None, observables=self.observables)
        self.program = OverlapProgram(circuit, x, theta or None)
        self.weights, self.cotangent = rng.normal(size=(n, 4)), rng.normal(size=(n, n))

    def vjp(self, program: Program, cotangent: Real, engine: StatevectorEngine = ENGINE) -> tuple[Real, Real]:
        return engine.vjp(program, cotangent, self.X, theta=self.given)

    def observed_scalar(self, X: Real, theta: Real) -> float:
        values = oracle_expectations(self.circuit, self.observables, self.x, X, self.theta_names, theta)
        return float((self.weights * values).sum())

    def paired_scalar(self, X: Real, theta: Real) -> float:
        values = oracle_overlaps(self.circuit, self.x, X, None, self.theta_names, theta)
        return float((self.cotangent * values).sum())

    def assert_gradients(self, message: str = "") -> None:
        self.assert_slopes(self.vjp(self.observed, self.weights), self.observed_scalar, f"{message} expectations")
        self.assert_slopes(self.vjp(self.program, self.cotangent), self.paired_scalar, f"{message} overlaps")

    def assert_slopes(self, found: tuple[Real, Real], scalar: Callable[[Real, Real], float], message: str) -> None:
        expected = (
            slopes(lambda t: scalar(self.X, t), self.theta),
            slopes(lambda rows: scalar(rows, self.theta), self.X),
        )
        for gradient, other in zip(found, expected, strict=True):
            assert gradient.shape == other.shape
            scale = 1.0 + np.abs(other).max(initial=0.0)
            np.testing.assert_allclose(gradient, other, rtol=0, atol=CLOSE * scale, err_msg=message)


def slopes(scalar: Callable[[Real], float], at: Real) -> Real:
    """Five-point differences of a scalar function."""
    found = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[index] = STEP
        near, far = (scalar(at + k * step) - scalar(at - k * step) for k in (1, 2))
        found[index] = (8.0 * near - far) / (12.0 * STEP)
    return found


def problem(name: str, n: int = 3) -> Problem:
    return Problem(*CIRCUITS[name](), seed=sorted(CIRCUITS).index(name), n=n)


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CIRCUITS)
def test_gradients_are_slopes_of_the_oracle(name: str) -> None:
    problem(name).assert_gradients(name)


@pytest.mark.parametrize("case", [c for c in CASES if c.build()[1]], ids=lambda c: c.name)
def test_gradients_of_every_gate(case: Case) -> None:
    circuit, parameters = case.build()
    flat = flatten(circuit, parameters)
    if any(op.name == "bound" for op in flat.ops) or any("sign" in text for text in flat.angles.texts):
        pytest.skip("has no derivative")
    trained = parameters[:1]  # the same gates of parameters, of data, and of both
    Problem(circuit, parameters[1:], trained, seed=3, n=2).assert_gradients(case.name)


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_gradients_of_random_circuits(first: int) -> None:
    """Over the zoo of gates and expressions; all but matrices that depend on data and steps have gradients."""
    for seed in range(first, first + 10):
        circuit, parameters = random_circuit(seed, max_qubits=5, max_instructions=20)
        split = len(parameters) // 2 if seed % 3 else len(parameters)
        flat = flatten(circuit, parameters)
        refused = any(op.name == "bound" for op in flat.ops) or any("sign" in text for text in flat.angles.texts)
        case = Problem(circuit, parameters[split:], parameters[:split], seed, n=2)
        if refused:
            with pytest.raises(UnsupportedCircuitError):
                case.vjp(case.observed, case.weights)
        else:
            case.assert_gradients(f"random_circuit({seed})")


def test_closed_form_of_one_qubit() -> None:
    """⟨Z⟩ is cos(θ x), and the overlap cos²(θ (x − y)/2)."""
    x, t = ParameterVector("x", 1), ParameterVector("t", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(t[0] * x[0], 0)
    X, theta = np.array([[0.3], [1.1], [-0.6]]), 0.8
    d_theta, d_X = ENGINE.vjp(ExpectationProgram(circuit, x, t, observables="Z"), np.ones((3, 1)), X, theta=[theta])
    np.testing.assert_allclose(d_X, -theta * np.sin(theta * X), rtol=1e-12)
    np.testing.assert_allclose(d_theta, [-(X * np.sin(theta * X)).sum()], rtol=1e-12)
    weights = np.arange(9.0).reshape(3, 3)
    d_theta, d_X = ENGINE.vjp(OverlapProgram(circuit, x, t), weights, X, theta=[theta])
    gap = X - X.T
    slope = -0.5 * np.sin(theta * gap)
    np.testing.assert_allclose(d_X[:, 0], theta * ((weights + weights.T) * slope).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(d_theta, [(weights * slope * gap).sum()], rtol=1e-12)


@pytest.mark.parametrize("name", PARAMETRIC_GATES)
def test_generators_are_derivatives_of_the_gates(name: str) -> None:
    num_angles = {"u": 3, "u3": 3, "u2": 2, "r": 2}.get(name, 1)
    angles = np.random.default_rng(4).uniform(-3, 3, size=(5, num_angles))
    found = generators(name, angles)
    assert len(found) == num_angles
    for which, generator in enumerate(found):
        step = np.zeros(num_angles)
        step[which] = 1e-5
        slope = (gate_matrices(name, angles + step) - gate_matrices(name, angles - step)) / 2e-5
        np.testing.assert_allclose(generator @ gate_matrices(name, angles), slope, rtol=0, atol=1e-9)


def test_class_projectors_of_many_strings() -> None:
    """256 strings of Z on 8 qubits."""
    circuit, x, t = classifier(8, 1)
    rng = np.random.default_rng(2)
    labels = ["".join("Z" if k >> q & 1 else "I" for q in range(8)) for k in range(256)]
    observables = [SparsePauliOp(labels, rng.normal(size=256) / 16) for _ in range(3)]
    program = ExpectationProgram(circuit, x, t, observables=observables)
    X, weights, theta = rng.normal(size=(2, 8)), rng.normal(size=(2, 3)), rng.normal(size=len(t))
    d_theta, _ = ENGINE.vjp(program, weights, X, theta=theta)
    direction = rng.normal(size=len(t))

    def scalar(at: Real) -> float:
        found = oracle_expectations(circuit, observables, x, X, t, theta + at[0] * direction)
        return float((weights * found).sum())

    np.testing.assert_allclose(d_theta @ direction, slopes(scalar, np.zeros(1))[0], rtol=0, atol=CLOSE)


def test_zero_cotangents_have_zero_gradients() -> None:
    c = problem("all_gates")
    for gradient in (*c.vjp(c.observed, np.zeros((3, 4))), *c.vjp(c.program, np.zeros((3, 3)))):
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


def test_the_diagonal_of_a_gram_matrix_has_no_gradient() -> None:
    c = problem("all_gates")
    for gradient in c.vjp(c.program, np.diag([3.0, -1.0, 2.0])):
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


def test_gradients_are_linear_in_the_cotangent() -> None:
    c = problem("shared_and_nonlinear")
    parts = [c.vjp(c.observed, np.where(np.arange(4) == k, c.weights, 0.0)) for k in range(4)]
    for whole, pieces in zip(c.vjp(c.observed, c.weights), zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(whole, sum(pieces), rtol=0, atol=1e-12)


def test_equal_rows_have_gradients_of_their_own() -> None:
    c = problem("classifier")
    X = c.X[[0, 1, 0, 2, 1]]
    weights = np.random.default_rng(1).normal(size=(5, 4))
    d_theta, d_X = ENGINE.vjp(c.observed, weights, X, theta=c.theta)
    alone = [ENGINE.vjp(c.observed, weights[i : i + 1], X[i : i + 1], theta=c.theta) for i in range(5)]
    np.testing.assert_allclose(d_X, np.concatenate([a[1] for a in alone]), rtol=0, atol=1e-12)
    np.testing.assert_allclose(d_theta, sum(a[0] for a in alone), rtol=0, atol=1e-12)
    pairs = np.random.default_rng(2).normal(size=(5, 5))
    _, d_X = ENGINE.vjp(c.program, pairs, X, theta=c.theta)

    def scalar(rows: Real) -> float:
        return float((pairs * oracle_overlaps(c.circuit, c.x, rows, None, c.theta_names, c.theta)).sum())

    np.testing.assert_allclose(d_X, slopes(scalar, X), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_gradients_are_in_double_precision(precision: str) -> None:
    c = problem("all_gates")
    engine = StatevectorEngine(precision=precision)  # type: ignore[arg-type]
    for found, expected in zip(c.vjp(c.observed, c.weights, engine), c.vjp(c.observed, c.weights), strict=True):
        np.testing.assert_array_equal(found, expected)


# Values and gradients together --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CIRCUITS)
def test_values_and_gradients_at_once(name: str) -> None:
    """Of a scalar that is no linear function of the values: half the sum of squares of their distance to targets."""
    c = problem(name)
    targets = c.weights
    values, d_theta, d_X = ENGINE.expectations_and_vjp(c.observed, c.X, lambda v: v - targets, theta=c.given)
    expected = oracle_expectations(c.circuit, c.observables, c.x, c.X, c.theta_names, c.theta)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)

    def scalar(X: Real, theta: Real) -> float:
        found = oracle_expectations(c.circuit, c.observables, c.x, X, c.theta_names, theta)
        return float(0.5 * ((found - targets) ** 2).sum())

    assert d_X is not None
    c.assert_slopes((d_theta, d_X), scalar, name)


@pytest.mark.parametrize("name", CIRCUITS)
def test_without_inputs_the_gradient_of_theta_is_the_same(name: str) -> None:
    c = problem(name)
    values, d_theta, d_X = ENGINE.expectations_and_vjp(
        c.observed, c.X, lambda v: c.weights, theta=c.given, inputs=False
    )
    assert d_X is None
    np.testing.assert_allclose(d_theta, c.vjp(c.observed, c.weights)[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(values, ENGINE.expectations(c.observed, c.X, theta=c.given).values, rtol=0, atol=1e-13)


def test_without_inputs_data_need_no_derivative() -> None:
    x, t = ParameterVector("x", 2), ParameterVector("t", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0].abs(), 0)
    circuit.rx(x[0].sign(), 0)
    circuit.append(HamiltonianGate(np.array([[1, 0.5], [0.5, -0.3]]), x[1]), [1])
    circuit.ry(t[0] * x[1], 0)
    circuit.cx(0, 1)
    program = ExpectationProgram(circuit, x, t, observables=["ZZ", "XI"])
    X, weights = np.array([[0.0, 0.4], [0.7, -0.2]]), np.array([[1.0, 2.0], [0.5, -1.0]])
    _, d_theta, _ = ENGINE.expectations_and_vjp(program, X, lambda v: weights, theta=[0.6], inputs=False)
    expected = slopes(
        lambda at: float((weights * oracle_expectations(circuit, ["ZZ", "XI"], x, X, t, at)).sum()), np.array([0.6])
    )
    np.testing.assert_allclose(d_theta, expected, rtol=0, atol=CLOSE)
    with pytest.raises(UnsupportedCircuitError, match="'hamiltonian'"):
        ENGINE.expectations_and_vjp(program, X, lambda v: weights, theta=[0.6])


def test_cotangents_of_the_wrong_shape_are_refused_also_here() -> None:
    c = problem("classifier")
    with pytest.raises(
        InvalidParameterError, match=r"shape \(n_samples, n_observables\) = \(3, 4\), .* got shape \(3,\)"
    ):
        ENGINE.expectations_and_vjp(c.observed, c.X, lambda v: v[:, 0], theta=c.given)


def test_training_leaves_nothing_in_the_cache_that_grows(empty_cache: None) -> None:
    c = problem("efficient_su2", n=20)
    weights = np.ones((20, 4))

    def step(k: int) -> None:
        ENGINE.expectations_and_vjp(c.observed, c.X, lambda v: weights, theta=c.theta + 0.01 * k, inputs=False)

    step(0)
    before = cache_info()
    for k in range(1, 6):
        step(k)
    assert cache_info().entries == before.entries
    assert cache_info().nbytes == before.nbytes


def test_states_of_old_parameters_are_not_cached(empty_cache: None) -> None:
    c = problem("efficient_su2", n=20)
    ENGINE.expectations(c.observed, c.X, theta=c.theta)
    kinds = [key[0] for key in CACHE._entries if isinstance(key, tuple)]
    assert "states" not in kinds
    assert "entered" in kinds  # the states before the first trainable gate serve all parameters


def test_states_before_training_follow_the_data(empty_cache: None) -> None:
    """Those of other rows, and of the same rows in another order, are others."""
    c = problem("efficient_su2")
    last = c.X + np.array([0.0, 0.0, 0.0, 0.3])
    for X in (c.X, c.X[::-1], c.X + 0.1, last, c.X[:2], c.X):
        found = ENGINE.expectations(c.observed, X, theta=c.theta).values
        expected = oracle_expectations(c.circuit, c.observables, c.x, X, c.theta_names, c.theta)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_states_before_training_belong_to_a_circuit(empty_cache: None) -> None:
    """Two circuits with the same angles."""
    x, t = ParameterVector("x", 2), ParameterVector("t", 2)
    X, theta = np.array([[0.4, 0.9], [1.2, -0.3]]), [0.5, 0.8]
    for name in ("rx", "ry"):
        circuit = QuantumCircuit(2)
        for q in range(2):
            getattr(circuit, name)(x[q], q)
        circuit.cx(0, 1)
        for q in range(2):
            circuit.ry(t[q], q)
        observables = ["ZI", "YX"]
        program = ExpectationProgram(circuit, x, t, observables=observables)
        assert ENGINE._compiled(program).num_entering > 0
        found = ENGINE.expectations(program, X, theta=theta).values
        expected = oracle_expectations(circuit, observables, x, X, t, theta)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


# What is fused ------------------------------------------------------------------------------------------------------


def test_trained_gates_are_one_matrix_for_all_rows() -> None:
    circuit, x, t = classifier(4, 3)
    compiled = CompiledCircuit(ExpectationProgram(circuit, x, t, observables="ZZZZ"))
    blocks = [s for s in compiled.steps[compiled.num_entering :] if isinstance(s, Block)]
    angles = flatten(circuit, x, t).angles.evaluate(np.random.default_rng(0).normal(size=(5, 4 + len(t))))
    assert blocks
    shared = compiled.shared(angles)
    for block in blocks:
        assert block.node.constant
        assert block.constant or shared[id(block)].ndim == 2


def test_steps_before_the_first_wanted_angle_are_not_undone() -> None:
    circuit, x, t = classifier(4, 1)
    compiled = CompiledCircuit(ExpectationProgram(circuit, x, t, observables="ZZZZ"))
    columns = flatten(circuit, x, t).angles.columns
    trained = {k for k, used in enumerate(columns) if used[-1] >= 4}
    assert compiled.num_entering > 0
    assert len(Reverse(compiled, trained)._steps) == len(compiled.steps) - compiled.num_entering
    assert not Reverse(compiled, set())._steps


@pytest.mark.parametrize("ends", [("front", "front"), ("front", "back"), ("middle", "middle")])
def test_every_frame_is_undone_by_its_reverse(ends: tuple[str, str]) -> None:
    from qkernels.engines._arrays import Workspace
    from qkernels.engines._steps import Frame, Tile

    rng = np.random.default_rng(3)
    state = rng.normal(size=(3, 64)) + 1j * rng.normal(size=(3, 64))
    matrix = np.asarray(random_unitary(4, seed=1).data)
    sizes = [(4, 4)] if ends[0] == "middle" else [(1, 16), (16, 1)]
    for left, right in sizes:
        for end in ends:
            frame = Frame(left, right, end)  # type: ignore[arg-type]
            tile = Tile(np, np.float64, np.empty((3, 0)), {}, Workspace())
            there = np.array(frame.apply(state, matrix, tile))
            back = frame.reversed.apply(there, matrix.conj().T, tile)
            np.testing.assert_allclose(back, state, rtol=0, atol=1e-12)


def test_layouts_and_phases_are_covered() -> None:
    """The circuits above go through blocks at either end and in the middle, moves, and runs of phases of all kinds."""
    steps: list[Step] = []
    for build in CIRCUITS.values():
        circuit, x, t = build()
        steps += CompiledCircuit(ExpectationProgram(circuit, x, t or None, observables="I" * circuit.num_qubits)).steps
    assert any(isinstance(step, Move) for step in steps)
    assert {step.frame.end for step in steps if isinstance(step, Block)} == {"front", "back", "middle"}
    assert {step.node.constant for step in steps if isinstance(step, Block)} == {True, False}
    runs = [step for step in steps if isinstance(step, PhaseStep)]
    assert {(step._crossing, step._gather is None) for step in runs} == {(True, True), (True, False), (False, False)}
    assert {step._per_row for step in runs} == {True, False}


# Sizes ------------------------------------------------------------------------------------------------------------


def large() -> tuple[ExpectationProgram, OverlapProgram, Real, Real]:
    circuit, x, t = classifier(8, 2, efficient_su2)
    rng = np.random.default_rng(7)
    observables = ["ZZZZZZZZ", "IXIIIIII", "IIIYIIZI"]
    observed, program = ExpectationProgram(circuit, x, t, observables=observables), OverlapProgram(circuit, x, t)
    return observed, program, rng.normal(size=(300, 8)) * 0.5, rng.normal(size=len(t))


def test_tiles_and_threads_do_not_change_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    observed, program, X, theta = large()
    rng = np.random.default_rng(1)
    weights, pairs = rng.normal(size=(300, 3)), rng.normal(size=(300, 300)) / 100
    with joblib.parallel_config("sequential"):
        expected = ENGINE.vjp(observed, weights, X, theta=theta), ENGINE.vjp(program, pairs, X, theta=theta)
    monkeypatch.setattr("qkernels.engines._gradient_request._TILE_BYTES", 1 << 16)
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend, n_jobs=2):
            found = ENGINE.vjp(observed, weights, X, theta=theta), ENGINE.vjp(program, pairs, X, theta=theta)
        for a, b in zip([g for pair in found for g in pair], [g for pair in expected for g in pair], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def test_streamed_gradients_stay_in_memory_and_equal_those_at_once(empty_cache: None) -> None:
    circuit, x, t = classifier(11, 1)
    rng = np.random.default_rng(2)
    observed = ExpectationProgram(circuit, x, t, observables=["Z" * 11, "X" + "I" * 10, "IIYIIIIIZII"])
    X, weights, theta = rng.normal(size=(600, 11)), rng.normal(size=(600, 3)), rng.normal(size=len(t))
    limit = 24 << 20  # the states take 19 MiB
    engine = StatevectorEngine(memory_limit=limit)
    with joblib.parallel_config("threading", n_jobs=2):
        engine.vjp(observed, weights[:2], X[:2], theta=theta)  # what is loaded once
        tracemalloc.start()
        try:
            values, d_theta, d_X = engine.expectations_and_vjp(observed, X, lambda v: weights, theta=theta)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak <= limit
    assert d_X is not None
    expected = ENGINE.vjp(observed, weights, X, theta=theta)
    np.testing.assert_allclose(d_theta, expected[0], rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(d_X, expected[1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(values, ENGINE.expectations(observed, X, theta=theta).values, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_streamed_gram_gradients_equal_those_at_once(empty_cache: None) -> None:
    _, program, _, theta = large()
    rng = np.random.default_rng(3)
    X, pairs = rng.normal(size=(400, 8)), rng.normal(size=(400, 400)) / 100
    engine = StatevectorEngine(memory_limit=36 << 20)
    with joblib.parallel_config("threading", n_jobs=1):
        found = engine.vjp(program, pairs, X, theta=theta)
    for a, b in zip(found, ENGINE.vjp(program, pairs, X, theta=theta), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def test_what_does_not_fit_is_refused_with_its_size() -> None:
    observed, _, X, theta = large()
    with pytest.raises(
        BudgetError, match=r"A gradient of 300 row\(s\) on 8 qubits takes .* of StatevectorEngine is 1\."
    ):
        StatevectorEngine(memory_limit=1 << 20).vjp(observed, np.ones((300, 3)), X, theta=theta)


@pytest.mark.parametrize("circuit", [QuantumCircuit(2), problem("wide_and_idle").circuit.assign_parameters([0.1] * 4)])
def test_a_circuit_without_angles_has_zero_gradients(circuit: QuantumCircuit) -> None:
    x, theta = ParameterVector("unused", 2), ParameterVector("t", 1)
    program = OverlapProgram(circuit, x, theta)
    d_theta, d_X = ENGINE.vjp(program, np.ones((3, 3)), np.ones((3, 2)), theta=[0.5])
    np.testing.assert_array_equal(d_theta, [0.0])
    np.testing.assert_array_equal(d_X, np.zeros((3, 2)))


def test_a_program_without_data_has_gradients_of_theta() -> None:
    theta = ParameterVector("t", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(theta[0], 0)
    program = ExpectationProgram(circuit, [], theta, observables=["Z", "X"])
    d_theta, d_X = ENGINE.vjp(program, [[1.0, 2.0]] * 2, np.empty((2, 0)), theta=[0.4])
    np.testing.assert_allclose(d_theta, 2 * (2 * np.cos([0.4]) - np.sin([0.4])), rtol=1e-12)
    assert d_X.shape == (2, 0)


def test_compiled_sweeps_survive_pickling() -> None:
    """Blocks are known by identity, which a copy in another process does not share."""
    c = problem("all_gates")
    c.vjp(c.observed, c.weights)
    gradient = CACHE.get(("gradient", ENGINE._compile_tag, c.observed.key, True))
    sweep = gradient.sweep  # type: ignore[attr-defined]
    copy = pickle.loads(pickle.dumps(sweep))
    angles = c.observed.bind_angles(c.X, c.given)
    states = ENGINE._evolve(gradient.compiled, angles).planes  # type: ignore[attr-defined]
    weights = gradient.weights(c.weights)  # type: ignore[attr-defined]
    first, again = sweep(angles, states, weights, None), copy(angles, states, weights, None)
    np.testing.assert_array_equal(again[0], first[0])
    for a, b in zip(again[1], first[1], strict=True):
        np.testing.assert_array_equal(a, b)


class RenamedEngine(StatevectorEngine):
    """Compiles for itself, under its own name."""


@pytest.mark.parametrize("evicted", ["compiled", "gradient", "everything", "nothing, but another class"])
def test_gradients_do_not_depend_on_what_the_cache_still_holds(evicted: str, empty_cache: None) -> None:
    """Gates are known by the identity of their parts: those of a program that was compiled again are others."""
    c = problem("all_gates")
    expected = c.vjp(c.observed, c.weights)
    with CACHE._lock:
        for key in [k for k in CACHE._entries if evicted == "everything" or (isinstance(k, tuple) and k[0] == evicted)]:
            CACHE.nbytes -= CACHE._entries.pop(key)[1]
    engine = RenamedEngine() if "class" in evicted else ENGINE
    found = engine.vjp(c.observed, c.weights, c.X, theta=c.given)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)
    _, d_theta, _ = engine.expectations_and_vjp(c.observed, c.X, lambda _: c.weights, theta=c.given)
    np.testing.assert_allclose(d_theta, expected[0], atol=1e-12)


# Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["vjp", "expectations_and_vjp"])
def test_shots_are_refused(method: str) -> None:
    c = problem("classifier")
    engine = StatevectorEngine(shots=100, seed=0)
    pattern = f"shots of StatevectorEngine must be None for {method}, got 100.*qkernels.engines.parameter_shift"
    calls = {
        "vjp": lambda: engine.vjp(c.observed, c.weights, c.X, theta=c.given),
        "expectations_and_vjp": lambda: engine.expectations_and_vjp(c.observed, c.X, lambda v: v, theta=c.given),
    }
    with pytest.raises(InvalidParameterError, match=pattern):
        calls[method]()


def test_something_else_than_a_program_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="program of vjp must be a program, got str"):
        ENGINE.vjp("circuit", [[1.0]], [[0.1]])  # type: ignore[arg-type]
    c = problem("classifier")
    pattern = "program of expectations_and_vjp must be an ExpectationProgram, got OverlapProgram"
    with pytest.raises(InvalidParameterError, match=pattern):
        ENGINE.expectations_and_vjp(c.program, c.X, lambda v: v, theta=c.given)  # type: ignore[arg-type]


def test_data_theta_and_cotangents_are_checked() -> None:
    c = problem("classifier")
    with pytest.raises(InvalidDataError, match=r"X has 2 feature\(s\), but the program's circuit takes 3"):
        ENGINE.vjp(c.observed, c.weights, c.X[:, :2], theta=c.given)
    with pytest.raises(InvalidDataError, match=r"X has 0 sample\(s\); at least 1 is needed"):
        ENGINE.vjp(c.observed, c.weights[:0], c.X[:0], theta=c.given)
    with pytest.raises(InvalidParameterError, match="theta is None, but the program has 9 trainable parameters"):
        ENGINE.vjp(c.observed, c.weights, c.X)
    with pytest.raises(InvalidParameterError, match=r"cotangent of vjp must be .*\(3, 3\), .* got shape \(3, 4\)"):
        ENGINE.vjp(c.program, c.weights, c.X, theta=c.given)
    with pytest.raises(InvalidParameterError, match=r"cotangent of vjp must be finite, got nan at \(0, 0\)"):
        ENGINE.vjp(c.observed, np.full((3, 4), np.nan), c.X, theta=c.given)


def test_gates_known_by_their_matrix_are_refused() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.append(HamiltonianGate(np.array([[1, 0.5], [0.5, -0.3]]), x[0]), [2])
    pattern = r"Instruction 'hamiltonian' on qubits \[2\] is known as a matrix only, .* StatevectorEngine"
    with pytest.raises(UnsupportedCircuitError, match=pattern):
        ENGINE.vjp(OverlapProgram(circuit, x), np.ones((2, 2)), [[0.1], [0.2]])


def test_angles_without_derivative_are_refused() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0].sign(), 0)
    with pytest.raises(UnsupportedCircuitError, match=r"The angle sign\(v0\) .* has no derivative"):
        ENGINE.vjp(OverlapProgram(circuit, x), np.ones((2, 2)), [[0.1], [0.2]])


def test_derivatives_of_chosen_columns_only() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.rx(x[0].sign(), 0)
    circuit.ry(3 * x[0] * x[1], 0)
    derivatives = AngleDerivatives(flatten(circuit, x).angles, columns=[1])
    np.testing.assert_array_equal(derivatives(np.array([[-2.0, 5.0]]), np.array([[1.0, 2.0]])), [[0.0, -12.0]])
