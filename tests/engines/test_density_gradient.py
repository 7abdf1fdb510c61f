"""Gradients under noise: against differences of the engine's own values, an independent oracle, and closed forms."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from functools import cache

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import HamiltonianGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qkernels import DensityMatrixEngine
from qkernels._errors import (
    BudgetError,
    InvalidDataError,
    InvalidParameterError,
    MissingNoiseWarning,
    UnsupportedCircuitError,
)
from qkernels.circuits import PairCircuit, flatten, logical_pair
from qkernels.engines import NoiseTable, Relaxation, StatevectorEngine, clear_cache
from qkernels.engines._noisy_device import Lowered, NoisyDevice
from qkernels.feature_maps import CPMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram, Program, is_canonical, row_keys
from tests.oracle import noise, random_circuit, random_inputs

Real = NDArray[np.float64]
Built = tuple[QuantumCircuit, list[Parameter], list[Parameter]]

STEP = 1e-4
"""Of five-point differences: off by 3e-18 times a fifth derivative, and by 1e-11 from rounding."""

CLOSE = 1e-7


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
    circuit.rzx(x[1] / (t[1] + 3), 0, 1)
    circuit.sx(1)
    circuit.ry(2 ** t[0], 0)
    return circuit, [*x], [*t]


def parametric_gates() -> Built:
    x, t = ParameterVector("x", 3), ParameterVector("t", 1)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], [0, 1, 2])
    circuit.crx(x[1], 0, 2)
    circuit.r(x[2], x[0] - t[0], 1)
    circuit.cry(t[0] * x[2], 2, 1)
    circuit.rxx(x[0] * x[1], 1, 0)
    circuit.rz(x[1], 2)
    circuit.crz(x[2], 1, 0)
    circuit.ryy(0.7 * x[2], 0, 2)
    circuit.u(x[1], 0.4, t[0], 0)
    circuit.rzz(x[0], 2, 0)
    return circuit, [*x], [*t]


def constant_gates() -> Built:
    """Wide, open-controlled and bare constant gates between data."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(4)
    circuit.ry(x[0], 3)
    circuit.h([0, 1])
    circuit.ccx(3, 0, 2)
    circuit.rx(x[1], 1)
    circuit.unitary(random_unitary(8, seed=3), [2, 0, 3])
    circuit.cx(1, 3, ctrl_state=0)
    circuit.unitary(random_unitary(4, seed=4), [3, 0])
    circuit.rz(x[0] - x[1] ** 2, 0)
    circuit.iswap(0, 2)
    circuit.h([2, 0])
    return circuit, [*x], []


def idle_qubits() -> Built:
    """Delays and identities, which have noise only; nothing acts on qubits 0 and 3."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(5)
    circuit.rx(x[0], 4)
    circuit.delay(400, 4, unit="ns")
    circuit.cx(4, 1)
    circuit.barrier()
    circuit.id(1)
    circuit.ry(x[0] * x[0], 1)
    circuit.delay(2, 2, unit="us")
    return circuit, [*x], []


def prepared_state() -> Built:
    x, t = ParameterVector("x", 1), ParameterVector("t", 1)
    circuit = QuantumCircuit(2, 2)
    circuit.initialize("r-", [1, 0])
    circuit.rx(x[0], 0)
    circuit.cz(0, 1)
    circuit.ry(x[0] + t[0], 1)
    circuit.measure([0, 1], [0, 1])
    return circuit, [*x], [*t]


def mapped(feature_map: ZZFeatureMap | CPMap, d: int) -> Built:
    return feature_map.build(d), list(feature_map.parameter_vector(d)), []


CIRCUITS: dict[str, Callable[[], Built]] = {
    "shared_and_nonlinear": shared_and_nonlinear,
    "parametric_gates": parametric_gates,
    "constant_gates": constant_gates,
    "idle_qubits": idle_qubits,
    "prepared_state": prepared_state,
    "zz_linear_3": lambda: mapped(ZZFeatureMap(), 3),
    "cp_3": lambda: mapped(CPMap(ring=True), 3),
}
RELAXATION = {4: (60e-6, 50e-6, 0.1), 2: (np.inf, 20e-6, 0.3)}


class Case:
    """A circuit with a random channel after every instruction, readout errors, rows and cotangents."""

    def __init__(self, circuit: QuantumCircuit, x: list[Parameter], theta: list[Parameter], seed: int, n: int = 3):
        rng = np.random.default_rng([seed, 8])
        self.circuit, self.x, self.theta_names = circuit, x, theta
        self.program = OverlapProgram(circuit, x, theta or None)
        self.channels = {
            (op.name, op.qubits): noise.random_channel(len(op.qubits), 0.05, [seed, k])
            for k, op in enumerate(logical_pair(self.program.flat).ops)
            if op.name not in ("barrier", "delay")
        }
        self.readout = noise.random_readout(circuit.num_qubits, seed)
        relaxation = {q: Relaxation(*values) for q, values in RELAXATION.items()}
        self.engine = DensityMatrixEngine(
            NoiseTable(self.channels, readout=dict(enumerate(self.readout)), relaxation=relaxation)
        )
        inputs = random_inputs(n, len(x) + len(theta), seed) / 2
        self.X, self.theta = inputs[:, : len(x)], inputs[0, len(x) :]
        self.cotangent = rng.normal(size=(n, n))
        labels = ["".join(rng.choice(list("IXYZ"), circuit.num_qubits)) for _ in range(4)]
        self.observables = [
            SparsePauliOp(labels[:3], rng.normal(size=3)),
            SparsePauliOp("Z" * circuit.num_qubits),
            SparsePauliOp([labels[3], "I" * circuit.num_qubits], [0.5, 2.0]),
        ]
        self.observed = ExpectationProgram(circuit, x, theta or None, observables=self.observables)
        self.weights = rng.normal(size=(n, 3))

    def given(self, theta: Real) -> Real | None:
        return theta if self.theta_names else None

    def vjp(self, program: Program, cotangent: Real) -> tuple[Real, Real]:
        return self.engine.vjp(program, cotangent, self.X, theta=self.given(self.theta))

    def idle(self, operation: object, qubit: int) -> noise.Complex:
        t1, t2, excited = RELAXATION.get(qubit, (np.inf, np.inf, 0.0))
        unit = {"ns": 1e-9, "us": 1e-6, "s": 1.0}[operation.unit]  # type: ignore[attr-defined]
        return noise.relaxation_channel(t1, t2, excited, float(operation.duration) * unit)  # type: ignore[attr-defined]

    @property
    def prepares_row(self) -> NDArray[np.bool_]:
        """Whether the row of an entry is prepared, and its column undone."""
        return prepares_row(self.program, self.X, self.given(self.theta))

    def scalar(self, X: Real, theta: Real) -> float:
        """The scalar of the engine's own Gram matrix, every pair in the orientation that it has at X."""
        return float((self.cotangent * self.pinned(directed(self.engine, self.program, X, self.given(theta)))).sum())

    def oracle_scalar(self, X: Real, theta: Real) -> float:
        names, rows = [*self.x, *self.theta_names], np.hstack([X, np.tile(theta, (len(X), 1))])
        p = noise.noisy_pairs(self.circuit, names, rows, rows, self.channels, self.readout, self.idle)[..., 0]
        return float((self.cotangent * self.pinned(p)).sum())

    def pinned(self, p: Real) -> Real:
        return np.where(self.prepares_row, p, p.T)

    def observed_scalar(self, X: Real, theta: Real) -> float:
        return float((self.weights * self.engine.expectations(self.observed, X, theta=self.given(theta)).values).sum())

    def oracle_observed_scalar(self, X: Real, theta: Real) -> float:
        names, rows = [*self.x, *self.theta_names], np.hstack([X, np.tile(theta, (len(X), 1))])
        found = noise.noisy_expectations(
            self.circuit, self.observables, names, rows, self.channels, self.readout, self.idle
        )
        return float((self.weights * found).sum())


@cache
def case(name: str, n: int = 3) -> Case:
    return Case(*CIRCUITS[name](), seed=sorted(CIRCUITS).index(name), n=n)


def prepares_row(program: Program, X: Real, theta: Real | None) -> NDArray[np.bool_]:
    keys = row_keys(program.bind_angles(X, theta), program.key)
    return is_canonical(keys[:, None], keys[None])


def directed(engine: DensityMatrixEngine, program: OverlapProgram, X: Real, theta: Real | None = None) -> Real:
    """Entries with the row prepared and the column undone."""
    both = engine.overlaps(program, X, theta=theta, need={"orientations"}).orientations
    assert both is not None
    return np.where(prepares_row(program, X, theta), both[0], both[1])


def slopes(scalar: Callable[[Real], float], at: Real) -> Real:
    """Five-point differences of a scalar function."""
    found = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[index] = STEP
        near, far = (scalar(at + k * step) - scalar(at - k * step) for k in (1, 2))
        found[index] = (8.0 * near - far) / (12.0 * STEP)
    return found


def assert_slopes(found: tuple[Real, Real], scalar: Callable[[Real, Real], float], X: Real, theta: Real) -> None:
    d_theta, d_X = found
    assert d_theta.shape == theta.shape
    assert d_X.shape == X.shape
    for gradient, expected in (
        (d_theta, slopes(lambda t: scalar(X, t), theta)),
        (d_X, slopes(lambda rows: scalar(rows, theta), X)),
    ):
        scale = 1.0 + np.abs(expected).max(initial=0.0)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=CLOSE * scale)


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CIRCUITS)
def test_gradients_are_slopes_of_the_values(name: str) -> None:
    c = case(name)
    assert_slopes(c.vjp(c.program, c.cotangent), c.scalar, c.X, c.theta)
    assert_slopes(c.vjp(c.observed, c.weights), c.observed_scalar, c.X, c.theta)


@pytest.mark.parametrize("name", CIRCUITS)
def test_gradients_are_slopes_of_the_oracle(name: str) -> None:
    c = case(name, 2)
    assert_slopes(c.vjp(c.program, c.cotangent), c.oracle_scalar, c.X, c.theta)
    assert_slopes(c.vjp(c.observed, c.weights), c.oracle_observed_scalar, c.X, c.theta)


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_gradients_of_random_circuits(first: int) -> None:
    """Over the zoo of gates and expressions; all but matrices that depend on data and steps have gradients."""
    for seed in range(first, first + 10):
        circuit, parameters = random_circuit(seed, max_qubits=3, max_instructions=12)
        split = min(2, len(parameters)) if seed % 2 else 0
        flat = flatten(circuit, parameters)
        refused = any(op.name == "bound" for op in flat.ops) or any("sign" in text for text in flat.angles.texts)
        try:
            c = Case(circuit, parameters[split:], parameters[:split], seed, n=2)
            found = c.vjp(c.program, c.cotangent)
        except UnsupportedCircuitError:
            assert refused, f"random_circuit({seed})"
            continue
        assert not refused, f"random_circuit({seed})"
        assert_slopes(found, c.scalar, c.X, c.theta)
        assert_slopes(c.vjp(c.observed, c.weights), c.observed_scalar, c.X, c.theta)


def test_closed_form_of_one_qubit() -> None:
    """RY(x), then depolarising by λ: ⟨Z⟩ is λ² cos(x − y) after RY(−y), read with errors a of 0 and b of 1."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    lam, a, b = 0.9, 0.03, 0.08
    table = NoiseTable(
        {("ry", (0,)): np.diag([1.0, lam, lam, lam])}, readout={0: [[1 - a, b], [a, 1 - b]]}, form="transfer"
    )
    X, weights = np.array([[0.3], [1.1], [-0.6]]), np.arange(9.0).reshape(3, 3)
    d_theta, d_X = DensityMatrixEngine(table).vjp(OverlapProgram(circuit, x), weights, X)
    slope = -0.5 * lam**2 * (1 - a - b) * np.sin(X - X.T)  # by the row, of (1 − a) (1 + ⟨Z⟩)/2 + b (1 − ⟨Z⟩)/2
    np.testing.assert_allclose(d_X[:, 0], ((weights + weights.T) * slope).sum(axis=1), rtol=1e-12, atol=1e-14)
    assert d_theta.shape == (0,)
    z = ExpectationProgram(circuit, x, observables="Z")  # read as (1 − a) p0 + b p1 − a p0 − (1 − b) p1
    _, d_X = DensityMatrixEngine(table).vjp(z, np.ones((3, 1)), X)
    np.testing.assert_allclose(d_X, -lam * (1 - a - b) * np.sin(X), rtol=1e-12)


def test_without_noise_the_values_are_those_of_pure_states() -> None:
    feature_map = ZZFeatureMap()
    program = OverlapProgram(feature_map.build(3), feature_map.parameter_vector(3))
    rng = np.random.default_rng(0)
    X, weights = rng.uniform(-1, 1, size=(4, 3)), rng.normal(size=(4, 4))
    noiseless = DensityMatrixEngine(NoiseTable(ideal=["h", "p", "cx"]))
    exact = StatevectorEngine()
    assert_slopes(
        noiseless.vjp(program, weights, X),
        lambda rows, _: float((weights * exact.overlaps(program, rows).values).sum()),
        X,
        np.empty(0),
    )


def test_the_cotangent_need_not_be_symmetric_and_acts_linearly() -> None:
    c = case("shared_and_nonlinear")
    whole = np.concatenate([g.ravel() for g in c.vjp(c.program, c.cotangent)])
    parts = [np.triu(c.cotangent), np.tril(c.cotangent, -1).T]  # below the diagonal as above it
    split = sum(np.concatenate([g.ravel() for g in c.vjp(c.program, part)]) for part in parts)
    np.testing.assert_allclose(split, whole, rtol=1e-11, atol=1e-13)


def test_the_diagonal_moves_with_its_row() -> None:
    c = case("parametric_gates")
    _, d_X = c.vjp(c.program, np.eye(3))
    assert np.abs(d_X).max() > 1e-3  # under noise that is not unital, k(x, x) depends on x
    expected = slopes(lambda X: float(c.engine.overlaps(c.program, X, theta=c.theta).values.trace()), c.X)
    np.testing.assert_allclose(d_X, expected, rtol=0, atol=CLOSE)


def test_equal_rows_share_the_derivative_of_their_entry() -> None:
    c = case("shared_and_nonlinear")
    x = c.X[:1]

    def entry(prepared: Real, undone: Real) -> float:
        return float(directed(c.engine, c.program, np.vstack([prepared, undone]), c.theta)[0, 1])

    by_prepared, by_undone = slopes(lambda row: entry(row, x), x), slopes(lambda row: entry(x, row), x)
    assert np.abs(by_prepared - by_undone).max() > 1e-3
    weights = np.array([[0.0, 2.0], [1.0, 0.0]])
    _, d_X = c.engine.vjp(c.program, weights, np.vstack([x, x]), theta=c.theta)
    expected = 1.5 * np.vstack([by_prepared + by_undone] * 2)
    np.testing.assert_allclose(d_X, expected, rtol=0, atol=CLOSE)


def test_equal_rows_that_move_together_move_the_values() -> None:
    c = case("shared_and_nonlinear")
    X, weights = c.X[[0, 1, 0]], c.cotangent
    first = prepares_row(c.program, c.X, c.theta)[0, 1]
    twice = np.array([0, 1, 0])

    def moved(rows: Real) -> float:
        """Both copies of row 0 at once, in the matrix as the engine gives it but for the orientation."""
        p = directed(c.engine, c.program, rows, c.theta)
        off = p[0, 1] if first else p[1, 0]
        K = np.array([[p[0, 0], off], [off, p[1, 1]]])
        return float((weights * K[np.ix_(twice, twice)]).sum())

    np.testing.assert_array_equal(
        c.engine.overlaps(c.program, X, theta=c.theta).values,
        c.engine.overlaps(c.program, c.X[:2], theta=c.theta).values[np.ix_(twice, twice)],
    )
    _, d_X = c.engine.vjp(c.program, weights, X, theta=c.theta)
    expected = slopes(moved, c.X[:2])
    np.testing.assert_allclose([d_X[0] + d_X[2], d_X[1]], expected, rtol=0, atol=CLOSE)


# Sizes ------------------------------------------------------------------------------------------------------------


def one_qubit_case() -> tuple[DensityMatrixEngine, OverlapProgram]:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    circuit.rz(x[1], 0)
    circuit.rx(x[0] * x[1], 0)
    return DensityMatrixEngine(NoiseTable(noise.random_channels(circuit, 0.1, 3))), OverlapProgram(circuit, x)


def test_more_rows_than_a_tile() -> None:
    engine, program = one_qubit_case()
    X = np.random.default_rng(1).uniform(-1, 1, size=(700, 2))
    weights = np.random.default_rng(2).normal(size=700)
    _, d_X = engine.vjp(program, np.diag(weights), X)  # no row has to do with another one
    parts = [slice(i, i + 100) for i in range(0, 700, 100)]
    expected = np.concatenate([engine.vjp(program, np.diag(weights[p]), X[p])[1] for p in parts])
    np.testing.assert_allclose(d_X, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    "circuit",
    [QuantumCircuit(2), case("prepared_state").circuit.assign_parameters([0.1, 0.2])],
    ids=["no_gates", "constant"],
)
def test_a_circuit_without_angles_has_zero_gradients(circuit: QuantumCircuit) -> None:
    x, theta = ParameterVector("unused", 2), ParameterVector("t", 1)
    engine = DensityMatrixEngine(NoiseTable(noise.random_channels(circuit, 0.1, 3)))
    program = OverlapProgram(circuit, x, theta)
    d_theta, d_X = engine.vjp(program, np.ones((3, 3)), np.ones((3, 2)), theta=[0.5])
    np.testing.assert_array_equal(d_theta, [0.0])
    np.testing.assert_array_equal(d_X, np.zeros((3, 2)))


def test_a_program_without_data_has_gradients_of_theta() -> None:
    theta = ParameterVector("t", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(theta[0], 0)
    table = NoiseTable({("ry", (0,)): np.diag([1.0, 0.9, 0.9, 0.9])}, form="transfer")
    program = ExpectationProgram(circuit, [], theta, observables=["Z", "X"])
    d_theta, d_X = DensityMatrixEngine(table).vjp(program, [[1.0, 2.0]] * 2, np.empty((2, 0)), theta=[0.4])
    np.testing.assert_allclose(d_theta, 2 * 0.9 * (2 * np.cos([0.4]) - np.sin([0.4])), rtol=1e-12)
    assert d_X.shape == (2, 0)


def wide_case(n: int, limit: int) -> tuple[DensityMatrixEngine, OverlapProgram, Real, Real]:
    feature_map = ZZFeatureMap()
    circuit = feature_map.build(5)
    engine = DensityMatrixEngine(NoiseTable(noise.random_channels(circuit, 0.02, 1)), memory_limit=limit)
    rng = np.random.default_rng(3)
    program = OverlapProgram(circuit, feature_map.parameter_vector(5))
    return engine, program, rng.uniform(-1, 1, size=(n, 5)), rng.normal(size=(n, n))


def test_streamed_gradients_stay_in_memory_and_equal_those_at_once() -> None:
    """At once, 400 rows take 5 vectors of 8 KiB each, 16 MiB, beside 20 MiB of work space and 10 of matrices."""
    limit = 44 << 20
    engine, program, X, weights = wide_case(400, limit)
    generous, *_ = wide_case(400, 1 << 30)
    with joblib.parallel_config("threading", n_jobs=2):
        engine.vjp(program, weights[:2, :2], X[:2])  # what is loaded once
        tracemalloc.start()
        try:
            _, d_X = engine.vjp(program, weights, X)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= limit
        np.testing.assert_allclose(d_X, generous.vjp(program, weights, X)[1], rtol=1e-10, atol=1e-12)


def test_what_does_not_fit_is_refused_with_its_size() -> None:
    engine, program, X, weights = wide_case(20, 100 << 10)
    with pytest.raises(BudgetError, match=r"5 feature\(s\) on 5 qubits, 20 rows: .* memory_limit of DensityMatrixEngi"):
        engine.vjp(program, weights, X)
    compiled_fits = 16 << 20
    observed = ExpectationProgram(program.circuit, program.x, observables="ZZZZZ")
    rows = np.resize(X, (12000, 5)) + np.arange(12000)[:, None] * 1e-4
    engine = DensityMatrixEngine(engine.noise, memory_limit=compiled_fits)
    with (
        joblib.parallel_config("threading", n_jobs=1),
        pytest.raises(
            BudgetError,
            match=r"A gradient of 12000 rows on 5 active qubits takes at least .* memory_limit of Density.* 16",
        ),
    ):
        engine.vjp(observed, np.ones((12000, 1)), rows)


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_parallel_settings_do_not_change_gradients(backend: str) -> None:
    c = case("parametric_gates")
    expected = c.vjp(c.program, c.cotangent)
    with joblib.parallel_config(backend, n_jobs=1 if backend == "sequential" else 2):
        found = c.vjp(c.program, c.cotangent)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


# What runs --------------------------------------------------------------------------------------------------------


class SwappedDevice(NoisyDevice):
    """Runs RY(a) of two qubits as RX(π/2) RZ(a) RX(−π/2) on each other's places of four."""

    def __init__(self, table: NoiseTable) -> None:
        self.table = table

    @property
    def key(self) -> str:
        return f"swapped/{self.table.key}"

    def lower(self, program: Program) -> Lowered:
        a = ParameterVector("a", len(program.flat.angles))
        first, second = QuantumCircuit(4), QuantumCircuit(4)
        for slot, place in ((0, 3), (1, 1)):
            for circuit, sign in ((first, 1), (second, -1)):
                circuit.rx(np.pi / 2, place)
                circuit.rz(sign * a[slot], place)
                circuit.rx(-np.pi / 2, place)
        undo = flatten(second, a) if isinstance(program, OverlapProgram) else None
        return Lowered(PairCircuit(flatten(first, a), undo, (3, 1)), self.table)

    def num_active(self, program: Program) -> int:
        return 2

    def scaled(self, factor: float, *, readout: bool = True) -> SwappedDevice:
        return SwappedDevice(self.table.scaled(factor, readout=readout))


def test_gradients_are_those_of_the_circuit_that_runs() -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0] * x[1], 0)
    circuit.ry(x[1].sin(), 1)
    channel = noise.random_channel(1, 0.1, 5)
    table = NoiseTable(
        {("rz", (3,)): channel, ("rx", (1,)): channel, ("rx", (3,)): np.eye(4)},
        readout={3: [[0.9, 0.2], [0.1, 0.8]]},
    )
    engine = DensityMatrixEngine(SwappedDevice(table))
    rng = np.random.default_rng(6)
    X, weights = rng.uniform(-1, 1, size=(3, 2)), rng.normal(size=(3, 3))
    program = OverlapProgram(circuit, x)
    first = prepares_row(program, X, None)

    def scalar(rows: Real, _: Real) -> float:
        p = directed(engine, program, rows)
        return float((weights * np.where(first, p, p.T)).sum())

    assert_slopes(engine.vjp(program, weights, X), scalar, X, np.empty(0))
    observed = ExpectationProgram(circuit, x, observables=["ZI", "IX", "ZZ"])
    assert_slopes(
        engine.vjp(observed, weights, X),
        lambda rows, _: float((weights * engine.expectations(observed, rows).values).sum()),
        X,
        np.empty(0),
    )


def test_vectors_are_kept_only_where_rotations_do_not_commute() -> None:
    """ZZ-linear on 4 qubits: the phases of all qubits are one step, each of the three pairs is another, twice."""
    from qkernels.engines._cache import CACHE

    feature_map = ZZFeatureMap()
    circuit = feature_map.build(4)
    engine = DensityMatrixEngine(NoiseTable(noise.random_channels(circuit, 0.02, 1)))
    program = OverlapProgram(circuit, feature_map.parameter_vector(4))
    engine.vjp(program, np.ones((2, 2)), np.random.default_rng(0).normal(size=(2, 4)))
    gradient = CACHE.get(("gradient", engine._tag, program.key))
    assert [half.sweep.num_kept for half in gradient._halves] == [8, 8]  # type: ignore[attr-defined]


def test_gates_without_noise_are_warned_about_once() -> None:
    c = case("shared_and_nonlinear")
    engine = DensityMatrixEngine(NoiseTable({}, ideal=["h", "rx", "cx", "u", "cp", "p", "rzx", "ry", "sxdg"]))
    clear_cache()
    with pytest.warns(MissingNoiseWarning, match=r"DensityMatrixEngine has no entry for 'sx' on \[\(1,\)\]"):
        engine.vjp(c.program, c.cotangent, c.X, theta=c.theta)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.vjp(c.program, c.cotangent, c.X, theta=c.theta)


def test_answers_belong_to_the_caller() -> None:
    c = case("shared_and_nonlinear")
    first = c.vjp(c.program, c.cotangent)
    expected = [g.copy() for g in first]
    for gradient in first:
        gradient += 1.0
    for again, old in zip(c.vjp(c.program, c.cotangent), expected, strict=True):
        np.testing.assert_array_equal(again, old)


# Refusals ---------------------------------------------------------------------------------------------------------


def test_shots_are_refused() -> None:
    c = case("shared_and_nonlinear")
    engine = DensityMatrixEngine(c.engine.noise, shots=100, seed=0)
    with pytest.raises(InvalidParameterError, match="shots of DensityMatrixEngine must be None for vjp, got 100"):
        engine.vjp(c.program, c.cotangent, c.X, theta=c.theta)


@pytest.mark.parametrize(
    ("cotangent", "pattern"),
    [
        (np.ones((3, 2)), r"shape \(n_samples, n_samples\) = \(3, 3\), .* got shape \(3, 2\)"),
        (np.ones(3), r"got shape \(3,\)"),
        (np.ones((3, 3), dtype=complex), r"real .* dtype complex128"),
        (np.array([[1.0, 2.0, 3.0]] * 2 + [[1.0, np.nan, 0.0]]), r"finite, got nan at \(2, 1\)"),
    ],
    ids=["shape", "vector", "complex", "nan"],
)
def test_cotangents_are_checked(cotangent: Real, pattern: str) -> None:
    c = case("shared_and_nonlinear")
    with pytest.raises(InvalidParameterError, match=f"cotangent of vjp must be .*{pattern}"):
        c.vjp(c.program, cotangent)


def test_cotangents_of_expectations_are_checked() -> None:
    c = case("shared_and_nonlinear")
    pattern = r"cotangent of vjp .* \(n_samples, n_observables\) = \(3, 3\), .* got shape \(3, 2\)"
    with pytest.raises(InvalidParameterError, match=pattern):
        c.vjp(c.observed, np.ones((3, 2)))


def test_something_else_than_a_program_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="program of vjp must be a program, got str"):
        case("shared_and_nonlinear").engine.vjp("circuit", [[1.0]], [[0.1]])  # type: ignore[arg-type]


def test_data_and_theta_are_checked() -> None:
    c = case("shared_and_nonlinear")
    with pytest.raises(InvalidDataError, match=r"X has 1 feature\(s\), but the program's circuit takes 2"):
        c.engine.vjp(c.program, c.cotangent, c.X[:, :1], theta=c.theta)
    with pytest.raises(InvalidDataError, match="X must be finite, got nan in row 1, column 0"):
        c.engine.vjp(c.program, c.cotangent, [[0.1, 0.2], [np.nan, 0.3], [0.1, 0.4]], theta=c.theta)
    with pytest.raises(InvalidDataError, match=r"X must be a matrix of real numbers .* dtype object"):
        c.engine.vjp(c.program, c.cotangent, c.engine.prepare(c.program, c.X, c.theta))  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="theta is None, but the program has 2 trainable parameters"):
        c.engine.vjp(c.program, c.cotangent, c.X)


def test_gates_known_by_their_matrix_are_refused() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.append(HamiltonianGate(np.array([[1, 0.5], [0.5, -0.3]]), x[0]), [2])
    engine = DensityMatrixEngine(NoiseTable(noise.random_channels(circuit, 0.02, 1)))
    pattern = r"Instruction 'hamiltonian' on qubits \[2\] is known as a matrix only, .* DensityMatrixEngine"
    with pytest.raises(UnsupportedCircuitError, match=pattern):
        engine.vjp(OverlapProgram(circuit, x), np.ones((2, 2)), [[0.1], [0.2]])


def test_angles_without_derivative_are_refused() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0].sign(), 0)
    engine = DensityMatrixEngine(NoiseTable(ideal=["ry"]))
    with pytest.raises(UnsupportedCircuitError, match=r"The angle sign\(v0\) .* has no derivative"):
        engine.vjp(OverlapProgram(circuit, x), np.ones((2, 2)), [[0.1], [0.2]])


def test_a_row_at_a_kink_is_named() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0].abs(), 0)
    engine = DensityMatrixEngine(NoiseTable(ideal=["ry"]))
    with pytest.raises(InvalidDataError, match=r"Row 1 of X makes the derivative of an angle, .* got inputs \[0.0\]"):
        engine.vjp(OverlapProgram(circuit, x), np.ones((2, 2)), [[0.1], [0.0]])
