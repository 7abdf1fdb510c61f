"""DensityMatrixEngine: values and expectation values under noise against plain density matrices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XGate
from qiskit.quantum_info import SparsePauliOp, SuperOp

from qkernels._errors import (
    UnsupportedCircuitError,
)
from qkernels.circuits import circuit_of, logical_pair
from qkernels.engines import DensityMatrixEngine, NoiseTable, StatevectorEngine, clear_cache
from qkernels.programs import ExpectationProgram, OverlapProgram, is_canonical, row_keys
from tests.engines.noisy import CIRCUITS, EXACT, FLIP, STRENGTH, ask, close, idle_channel, program_of
from tests.oracle import CASES, Case, noise, random_circuit, random_inputs, random_observables

Real = NDArray[np.float64]

every_circuit = pytest.mark.parametrize("name", CIRCUITS)


def depolarizing(num_qubits: int, p: float) -> Real:
    return np.diag([1.0] + [1.0 - p] * (4**num_qubits - 1))


# Values against the oracle ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(CIRCUITS) - {"constant"}))
def test_the_questions_can_tell(name: str) -> None:
    """Otherwise a wrong orientation, a noiseless diagonal or a forgotten readout error would pass below."""
    q = ask(name)
    values = q.p[..., 0]
    assert np.abs(values - values.T).max() > 1e3 * EXACT
    assert np.diag(values).max() < 0.999
    perfect = [np.eye(2)] * q.circuit.num_qubits
    without = noise.noisy_pairs(q.circuit, q.parameters, q.rows[:1], q.rows[1:2], q.channels, perfect, idle_channel)
    assert abs(without[0, 0, 0] - values[0, 1]) > 1e3 * EXACT


@every_circuit
def test_gram(name: str) -> None:
    q = ask(name)
    answer = DensityMatrixEngine(q.table).overlaps(q.program(), q.X)
    assert answer.values.dtype == np.float64
    assert answer.stderr is None
    assert answer.num_shots is None
    np.testing.assert_array_equal(answer.values, answer.values.T)
    close(answer.values, q.gram(q.both(q.program())[0])[..., 0])


@every_circuit
def test_cross(name: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    expected = q.cross(q.both(program)[0])[..., 0]
    answer = engine.overlaps(program, q.X, q.Y)
    assert answer.values.shape == (4, 3)
    close(answer.values, expected)  # X[2] is Y[1]: its entry is the measured one
    close(engine.overlaps(program, q.Y, q.X).values, expected.T)
    close(engine.overlaps(program, q.X, q.X).values, engine.overlaps(program, q.X).values)


@every_circuit
def test_pairs(name: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    gram, cross = engine.overlaps(program, q.X).values, q.cross(q.both(program)[0])[..., 0]
    within = np.array([[3, 0], [1, 1], [0, 3], [3, 0], [2, 1], [1, 3]])
    close(engine.overlaps(program, q.X, pairs=within).values, gram[tuple(within.T)])
    across = np.array([[3, 0], [0, 2], [2, 1], [1, 1]])
    close(engine.overlaps(program, q.X, q.Y, pairs=across).values, cross[tuple(across.T)])


@every_circuit
def test_prepared_rows(name: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    X, Y = engine.prepare(program, q.X), engine.prepare(program, q.Y)
    active = {i for op in program.flat.ops if op.name != "barrier" for i in op.qubits}
    distinct = len(np.unique(row_keys(program.bind_angles(q.X), program.key), axis=0))
    assert X.nbytes >= distinct * 16 * 4 ** len(active)
    expected = q.cross(q.both(program)[0])[..., 0]
    for left, right in ((X, Y), (X, q.Y), (q.X, Y)):
        close(engine.overlaps(program, left, right).values, expected)
    close(engine.overlaps(program, X).values, q.gram(q.both(program)[0])[..., 0])
    close(engine.overlaps(program, X, pairs=[(0, 2)]).values, q.gram(q.both(program)[0])[0, 2, 0])


@every_circuit
def test_orientations(name: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    both = q.both(program)[..., 0:1]
    gram, cross = q.gram(both)[..., 0], q.cross(both)[..., 0]
    asked = {"need": {"orientations"}}
    for options, values in (({"orientation": "both"}, gram.mean(axis=0)), ({"orientation": "canonical"}, gram[0])):
        answer = engine.overlaps(program, q.X, **options, **asked)
        close(answer.values, values)
        close(answer.orientations, gram)
        assert answer.orientations.shape == (2, 4, 4)
        close(engine.overlaps(program, q.X, **options).values, values)
    answer = engine.overlaps(program, q.X, q.Y, orientation="both", **asked)
    close(answer.values, cross.mean(axis=0))
    close(answer.orientations, cross)
    pairs = np.array([[3, 0], [0, 2], [2, 1]])
    answer = engine.overlaps(program, q.X, q.Y, pairs=pairs, orientation="both", **asked)
    close(answer.values, cross.mean(axis=0)[tuple(pairs.T)])
    close(answer.orientations, cross[:, pairs[:, 0], pairs[:, 1]])


@every_circuit
def test_diagonals(name: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    own = q.p[range(5), range(5), 0]
    of_x, of_y = own[list(q.x)], own[list(q.y)]
    for diagonal in ("auto", True, False):
        for orientation in ("canonical", "both"):
            options = {"need": {"diagonal"}, "diagonal": diagonal, "orientation": orientation}
            for found in (
                engine.overlaps(program, q.X, q.Y, **options),
                engine.overlaps(program, q.X, q.Y, pairs=[(0, 1), (3, 2)], **options),
            ):
                close(found.diagonals[0], of_x)
                close(found.diagonals[1], of_y)
            for found in (
                engine.overlaps(program, q.X, **options),
                engine.overlaps(program, q.X, pairs=[(0, 1)], **options),
            ):
                close(found.diagonals[0], of_x)
                close(found.diagonals[1], of_x)


@pytest.mark.parametrize("name", ["zz_linear_3", "spare_qubits"])
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_the_diagonal_is_measured_or_filled_with_ones(name: str, orientation: str) -> None:
    q = ask(name)
    engine, program = DensityMatrixEngine(q.table), q.program()
    options = {"orientation": orientation, "need": {"orientations", "weights", "bits"}}
    same = np.array(q.x)[:, None] == np.array(q.y)[None]
    for X, Y, known in ((q.X, None, np.array(q.x)[:, None] == np.array(q.x)[None]), (q.X, q.Y, same)):
        measured = engine.overlaps(program, X, Y, **options)
        assert measured.info["diagonal"] == "measured"
        assert (measured.values[known] < 1.0).all()
        again = engine.overlaps(program, X, Y, diagonal=True, **options)
        np.testing.assert_array_equal(again.values, measured.values)
        filled = engine.overlaps(program, X, Y, diagonal=False, **options)
        assert filled.info["diagonal"] == "filled with 1"
        np.testing.assert_array_equal(filled.values[known], 1.0)
        np.testing.assert_array_equal(filled.values[~known], measured.values[~known])
        np.testing.assert_array_equal(filled.orientations[:, known], 1.0)
        for field in ("weights", "outcomes"):
            rows = getattr(filled, field)
            np.testing.assert_array_equal(rows[..., 0], filled.values)
            np.testing.assert_array_equal(rows[known][:, 1:], 0.0)
            close(rows[~known], getattr(measured, field)[~known])
    index = np.argwhere(same)
    close(engine.overlaps(program, q.X, q.Y, pairs=index, diagonal=False).values, 1.0)
    close(engine.overlaps(program, q.X, q.Y, pairs=index).values, q.p[2, 2, 0])


@every_circuit
def test_expectations(name: str) -> None:
    q = ask(name)
    observables = [*random_observables(q.circuit.num_qubits, 6, seed=1), SparsePauliOp("Z" * q.circuit.num_qubits)]
    program = ExpectationProgram(q.circuit, q.parameters, observables=observables)
    answer = DensityMatrixEngine(q.table).expectations(program, q.X)
    idle = idle_channel if name == "idle" else None
    expected = noise.noisy_expectations(q.circuit, observables, q.parameters, q.X, q.channels, q.readout, idle)
    assert answer.stderr is None
    assert answer.values.shape == expected.shape
    close(answer.values, expected)


def test_readout_errors_of_idle_qubits_are_seen() -> None:
    """Qubits 0 and 3 of `spare_qubits` hold |0⟩: Z reads P(0|0) − P(1|0), and X has what its two outcomes differ by."""
    q = ask("spare_qubits")
    labels = ["IIIIZ", "IZIIZ", "IIIIX", "IIIIY"]
    program = ExpectationProgram(q.circuit, q.parameters, observables=labels)
    found = DensityMatrixEngine(q.table).expectations(program, q.X).values
    z = [m[0, 0] - m[1, 0] for m in q.readout]
    x = (q.readout[0][0] - q.readout[0][1]).mean()
    close(found, np.tile([z[0], z[0] * z[3], x, x], (4, 1)))


def test_trainable_parameters() -> None:
    x, theta = ParameterVector("x", 2), ParameterVector("θ", 2)
    circuit = QuantumCircuit(3)
    for k in range(3):
        circuit.ry(x[k % 2] * theta[0] + k, k)
    circuit.rzz(theta[1], 0, 1)
    circuit.cx(1, 2)
    circuit.rx(theta[0] * x[1], 2)
    X, values = random_inputs(3, 2, seed=0), np.array([0.8, -1.3])
    channels, readout = noise.random_channels(circuit, STRENGTH, 9), noise.random_readout(3, 9)
    engine = DensityMatrixEngine(NoiseTable(channels, readout=dict(enumerate(readout))))
    names, rows = [*x, *theta], np.hstack([X, np.tile(values, (3, 1))])
    p = noise.noisy_pairs(circuit, names, rows, rows, channels, readout)[..., 0]
    program = OverlapProgram(circuit, x, theta)
    found = engine.overlaps(program, X, theta=values, need={"orientations"}).orientations
    close(np.sort(found, axis=0), np.sort([p, p.T], axis=0))
    observables = random_observables(3, 3, seed=2)
    observed = ExpectationProgram(circuit, x, theta, observables=observables)
    expected = noise.noisy_expectations(circuit, observables, names, rows, channels, readout)
    close(engine.expectations(observed, X, theta=values).values, expected)


@pytest.mark.parametrize("seed", range(60, 75))
def test_random_circuits(seed: int) -> None:
    """Every gate of the zoo; the circuit is the flattened one, whose gates the library names."""
    circuit, x = random_circuit(seed, max_qubits=3, max_instructions=6)
    program = OverlapProgram(circuit, x)
    flat, angles = circuit_of(program.flat)
    channels, readout = noise.random_channels(flat, STRENGTH, seed), noise.random_readout(circuit.num_qubits, seed)
    engine = DensityMatrixEngine(NoiseTable(channels, readout=dict(enumerate(readout))))
    X = random_inputs(3, len(x), seed)
    bound = program.bind_angles(X)
    p = noise.noisy_pairs(flat, list(angles), bound, bound, channels, readout)
    answer = engine.overlaps(program, X, need={"orientations", "bits"})
    keys = row_keys(bound, program.key)
    canonical = is_canonical(keys[:, None], keys[None])
    expected = np.where(canonical[..., None], p, np.swapaxes(p, 0, 1))
    close(answer.values, expected[..., 0])
    close(answer.outcomes, expected)
    close(answer.orientations[1], np.where(canonical, p[..., 0].T, p[..., 0]))


# Without errors ---------------------------------------------------------------------------------------------------


def assert_noiseless(engine: DensityMatrixEngine, circuit: QuantumCircuit, x: list[Parameter], seed: int) -> None:
    X, Y = random_inputs(3, len(x), seed), random_inputs(2, len(x), seed + 1)
    program, exact = OverlapProgram(circuit, x), StatevectorEngine()
    close(engine.overlaps(program, X).values, exact.overlaps(program, X).values)
    answer = engine.overlaps(program, X, Y, need={"weights", "bits"})
    close(answer.weights, exact.overlaps(program, X, Y, need={"weights"}).weights)
    close(answer.readout, np.tile(np.eye(2), (circuit.num_qubits, 1, 1)))
    close(answer.outcomes.sum(axis=-1), 1.0)
    observed = ExpectationProgram(circuit, x, observables=random_observables(circuit.num_qubits, 4, seed))
    close(engine.expectations(observed, X).values, exact.expectations(observed, X).values)


def noiseless(circuit: QuantumCircuit, x: list[Parameter]) -> DensityMatrixEngine:
    """With a table that knows every gate to be ideal."""
    ops = logical_pair(OverlapProgram(circuit, x).flat).ops
    return DensityMatrixEngine(NoiseTable(ideal={op.name for op in ops}))


def assert_random_circuits(seeds: range, max_instructions: int) -> None:
    refused = 0
    for seed in seeds:
        circuit, x = random_circuit(seed, max_qubits=4, max_instructions=max_instructions)
        try:
            engine = noiseless(circuit, x)
        except UnsupportedCircuitError as error:  # a matrix of data under a lazy control: no inverse as gates
            refused += "has no gate form" in str(error)
        else:
            assert_noiseless(engine, circuit, x, seed)
    assert refused <= len(seeds) // 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 100, 25))
def test_random_circuits_without_errors_are_those_of_the_exact_engine(first: int) -> None:
    assert_random_circuits(range(first, first + 25), max_instructions=3)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_longer_random_circuits_without_errors(first: int) -> None:
    assert_random_circuits(range(first, first + 20), max_instructions=15)


SMALL_CASES = [case for case in CASES if case.build()[0].num_qubits <= 4]


@pytest.mark.parametrize("case", SMALL_CASES, ids=lambda case: case.name)
def test_cases_without_errors_are_those_of_the_exact_engine(case: Case) -> None:
    circuit, x = case.build()
    if case.name == "lazily_controlled_parametric_matrix":
        with pytest.raises(UnsupportedCircuitError, match=r"'hamiltonian' under .* has no gate form"):
            noiseless(circuit, x)
    else:
        assert_noiseless(noiseless(circuit, x), circuit, x, 0)


def test_no_gates() -> None:
    """All qubits hold |0⟩; what is read is a product of P(read | 0)."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.barrier()
    readout = noise.random_readout(2, 4)
    engine = DensityMatrixEngine(NoiseTable(readout=dict(enumerate(readout))))
    answer = engine.overlaps(OverlapProgram(circuit, x), [[0.1, 0.2], [0.3, 0.4]], need={"bits", "weights"})
    expected = np.kron(readout[1][:, 0], readout[0][:, 0])
    close(answer.outcomes, np.tile(expected, (2, 2, 1)))
    close(answer.weights[0, 1], [expected[0], expected[1] + expected[2], expected[3]])
    assert answer.info["active_qubits"] == 0
    values = engine.expectations(ExpectationProgram(circuit, x, observables="ZX"), [[0.1, 0.2]]).values
    close(values, (readout[1][0, 0] - readout[1][1, 0]) * (readout[0][0] - readout[0][1]).mean())


# Rows -------------------------------------------------------------------------------------------------------------

GAMMA = 0.1


def damped_engine(**settings: object) -> DensityMatrixEngine:
    """Amplitude damping after ry, which has no inverse of its own kind: K(x, y) ≠ K(y, x)."""
    damping = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [GAMMA, 0, 0, 1 - GAMMA]], dtype=float)
    damping[1, 1] = damping[2, 2] = np.sqrt(1 - GAMMA)
    table = NoiseTable(defaults={"ry": damping}, default_readout=FLIP, form="transfer")
    return DensityMatrixEngine(table, **settings)


def damped_circuit() -> OverlapProgram:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    return OverlapProgram(circuit, x)


def damped_values(prepared: Real, undone: Real) -> Real:
    """Bloch vectors by hand: rotated, damped, rotated back, damped, read."""
    a, b = prepared[:, None], undone[None, :]
    first_x, first_z = np.sqrt(1 - GAMMA) * np.sin(a), (1 - GAMMA) * np.cos(a) + GAMMA
    z = (1 - GAMMA) * (np.cos(b) * first_z + np.sin(b) * first_x) + GAMMA
    return FLIP[0, 0] * (1 + z) / 2 + FLIP[0, 1] * (1 - z) / 2


def damped_canonical(program: OverlapProgram, X: Real, Y: Real) -> Real:
    keys_x, keys_y = (row_keys(program.bind_angles(rows), program.key) for rows in (X, Y))
    canonical = is_canonical(keys_x[:, None], keys_y[None])
    return np.where(canonical, damped_values(X[:, 0], Y[:, 0]), damped_values(Y[:, 0], X[:, 0]).T)


def test_more_rows_than_a_block_holds() -> None:
    """Blocks are of 256 rows: orientation is that of the pair in all of them."""
    program, engine = damped_circuit(), damped_engine()
    rows = np.random.default_rng(0).uniform(-3, 3, size=(600, 1))
    rows[590], rows[400] = rows[3], rows[3]
    K = engine.overlaps(program, rows)
    np.testing.assert_array_equal(K.values, K.values.T)
    expected = damped_canonical(program, rows, rows)
    assert np.abs(expected - damped_values(rows[:, 0], rows[:, 0])).max() > 0.01
    close(K.values, expected)
    close(engine.overlaps(program, rows[:300], rows[270:]).values, expected[:300, 270:])
    close(engine.overlaps(program, rows, orientation="both").values, (expected + both_ways(program, rows)) / 2)
    pairs = np.random.default_rng(1).integers(0, 600, size=(5000, 2))
    close(engine.overlaps(program, rows, pairs=pairs).values, expected[tuple(pairs.T)])


def both_ways(program: OverlapProgram, rows: Real) -> Real:
    """The orientation that is not the canonical one."""
    forward = damped_values(rows[:, 0], rows[:, 0])
    return forward + forward.T - damped_canonical(program, rows, rows)


def test_one_row() -> None:
    q = ask("zz_linear_3")
    engine, program = DensityMatrixEngine(q.table), q.program()
    one, rows = q.rows[:1], q.rows
    expected = q.both(program)[0, ..., 0]
    close(engine.overlaps(program, one).values, expected[:1, :1])
    close(engine.overlaps(program, one, rows).values, expected[:1])
    close(engine.overlaps(program, rows, one).values, expected[:, :1])
    close(engine.overlaps(program, one, one).values, expected[:1, :1])
    close(engine.overlaps(program, one, pairs=[(0, 0)], need={"diagonal"}).diagonals[0], expected[0, :1])


def test_duplicates_are_measured_once() -> None:
    q = ask("cp_5")
    engine, program = DensityMatrixEngine(q.table), q.program()
    order = [4, 0, 0, 3, 4, 4, 1]
    expected = q.both(program)[0, ..., 0]
    close(engine.overlaps(program, q.rows[order]).values, expected[np.ix_(order, order)])
    assert engine.plan(program, q.rows[order]).entries == 4 * 5 // 2
    close(engine.overlaps(program, q.rows[order], q.rows[[4, 4]]).values, expected[np.ix_(order, [4, 4])])
    nearly = q.rows[[0, 0]] + np.array([[0.0], [1e-11]])  # angles agree to 1e-9
    np.testing.assert_array_equal(np.ptp(engine.overlaps(program, nearly).values), 0.0)


def test_a_circuit_without_parameters_has_one_value() -> None:
    circuit = CIRCUITS["constant"]()
    q = ask("constant")
    answer = DensityMatrixEngine(q.table).overlaps(OverlapProgram(circuit, ()), np.empty((3, 0)), need={"diagonal"})
    close(answer.values, q.p[0, 0, 0])
    close(answer.diagonals[0], np.full(3, q.p[0, 0, 0]))


def test_transposing_and_permuting_rows() -> None:
    q = ask("wide_gates")
    engine, program = DensityMatrixEngine(q.table), q.program()
    K = engine.overlaps(program, q.rows).values
    for order in ([4, 2, 0, 1, 3], [1, 0], [3]):
        clear_cache()
        close(engine.overlaps(program, q.rows[order]).values, K[np.ix_(order, order)])
        close(engine.overlaps(program, q.rows[order], q.rows).values, K[order])


# A second opinion -------------------------------------------------------------------------------------------------


def test_global_depolarizing_noise_is_a_formula() -> None:
    """A depolarizing channel of all qubits after every gate keeps f per gate: K = f^2g K₀ + (1 − f^2g)/2^n."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    gates = 3
    circuit.rxx(x[0], 0, 1)
    circuit.rzz(x[1], 0, 1)
    circuit.rxx(x[0] * x[1], 0, 1)
    engine = DensityMatrixEngine(
        NoiseTable(defaults={"rxx": depolarizing(2, 0.02), "rzz": depolarizing(2, 0.02)}, form="transfer")
    )
    X = random_inputs(5, 2, seed=3)
    kept = 0.98 ** (2 * gates)
    exact = StatevectorEngine().overlaps(program_of(circuit), X).values
    close(engine.overlaps(program_of(circuit), X).values, kept * exact + (1 - kept) / 4)


def test_bit_flip_after_x_is_counted_by_hand() -> None:
    """X with probability p of no effect: x, then x† undoes it or not."""
    circuit = QuantumCircuit(1)
    circuit.append(XGate(), [0])
    p = 0.2
    flip = (1 - p) * SuperOp(np.eye(4)) + p * SuperOp(XGate())
    engine = DensityMatrixEngine(NoiseTable({("x", (0,)): flip}))
    close(engine.overlaps(OverlapProgram(circuit, ()), np.empty((1, 0))).values, (1 - p) ** 2 + p**2)
