"""Outcome weights: exact against the oracle, sampled by their distribution, and one value per unordered pair."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from scipy.stats import chi2

from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine, cache_info, clear_cache, set_cache
from qkernels.engines._weights import MOST_AMPLITUDES, tiles
from qkernels.feature_maps import CPMap, HamiltonianMap, SeparableMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram, is_canonical, row_keys
from tests.oracle import oracle_weights, random_circuit, random_inputs

Real = NDArray[np.float64]
MIB = 1 << 20
EXACT = 1e-12

ENGINES: dict[str, Callable[..., Engine]] = {"statevector": StatevectorEngine, "auto": AutoEngine}
every_engine = pytest.mark.parametrize("engine", ENGINES)


def program_of(circuit: QuantumCircuit, patches: Sequence[Sequence[int]] | None = None) -> OverlapProgram:
    return OverlapProgram(circuit, circuit.parameters, patches=patches)


def weights_of(engine: Engine, program: OverlapProgram, X: Real, Y: Real | None = None, **options: object) -> Real:
    answer = engine.overlaps(program, X, Y, need={"weights"}, **options)
    np.testing.assert_array_equal(answer.weights[..., 0], answer.values)
    return answer.weights


def expected_weights(program: OverlapProgram, X: Real, Y: Real | None = None, both: bool = False) -> Real:
    """The oracle's, each pair in its canonical orientation, or averaged over both."""
    Y = X if Y is None else Y
    circuit, x = program.circuit, program.x
    forward = oracle_weights(circuit, x, X, Y, program.patches)
    backward = np.swapaxes(oracle_weights(circuit, x, Y, X, program.patches), 0, 1)
    if both:
        return (forward + backward) / 2
    keys_x, keys_y = (row_keys(program.bind_angles(table), program.key) for table in (X, Y))
    return np.where(is_canonical(keys_x[:, None], keys_y[None])[..., None], forward, backward)


def lopsided() -> QuantumCircuit:
    """A map whose two orientations differ clearly."""
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.ry(x[q % 3] + q, q)
    circuit.cx(0, 1)
    circuit.crz(x[1] * x[2], 1, 3)
    circuit.rxx(x[0], 2, 3)
    circuit.cx(3, 0)
    circuit.u(x[2], 0.3, x[1], 2)
    circuit.h([0, 1])
    return circuit


def real_circuit() -> QuantumCircuit:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[q], q)
        circuit.cx(q, (q + 1) % 3)
        circuit.ry(x[q] * x[2 - q], q)
    return circuit


CASES = {
    "zz": (ZZFeatureMap(entanglement="full").build(4), None),
    "zz-patches": (ZZFeatureMap().build(4), [(0, 2), (3, 1)]),
    "lopsided": (lopsided(), None),
    "lopsided-patches": (lopsided(), [[1], [3, 0, 2]]),
    "lopsided-one-patch": (lopsided(), [range(4)]),
    "real": (real_circuit(), None),
    "hamiltonian": (HamiltonianMap().build(3), None),
    "cp": (CPMap(reps=2, ring=True).build(9), [(0, 1), (2,), (3, 4), (5,)]),
    "one-qubit": (ZZFeatureMap().build(1), None),
}


@pytest.fixture
def no_cache() -> Iterator[None]:
    clear_cache()
    set_cache(0)
    yield
    set_cache(1 << 30)


# Exact ------------------------------------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("orientation", ["canonical", "both"])
@pytest.mark.parametrize("name", CASES)
def test_weights_equal_the_oracle(name: str, orientation: str, engine: str) -> None:
    program = program_of(*CASES[name])
    rows = random_inputs(9, program.num_features, seed=1)
    X, Y = rows[:6], rows[6:]
    Y[1] = X[2]  # a row meets itself
    m = program.num_patches
    solver, both = ENGINES[engine](), orientation == "both"
    gram = weights_of(solver, program, X, orientation=orientation)
    assert gram.shape == (6, 6, m + 1)
    assert gram.dtype == np.float64
    np.testing.assert_allclose(gram, expected_weights(program, X, both=both), rtol=0, atol=EXACT)
    cross = weights_of(solver, program, X, Y, orientation=orientation)
    np.testing.assert_allclose(cross, expected_weights(program, X, Y, both), rtol=0, atol=EXACT)
    pairs = np.array([[0, 3], [5, 1], [2, 2], [1, 5], [0, 3]])
    within = weights_of(solver, program, X, pairs=pairs, orientation=orientation)
    np.testing.assert_allclose(within, gram[tuple(pairs.T)], rtol=0, atol=EXACT)
    across = weights_of(solver, program, X, Y, pairs=pairs % 3, orientation=orientation)
    np.testing.assert_allclose(across, cross[tuple((pairs % 3).T)], rtol=0, atol=EXACT)


def test_the_orientation_matters() -> None:
    """Otherwise the tests above could not tell which row was undone."""
    program, X = program_of(lopsided()), random_inputs(6, 3, seed=1)
    forward = oracle_weights(program.circuit, program.x, X)
    assert np.abs(forward - np.swapaxes(forward, 0, 1)).max() > 0.01
    np.testing.assert_allclose(forward[..., 0], forward[..., 0].T, rtol=0, atol=EXACT)


@pytest.mark.slow
def test_random_circuits_equal_the_oracle() -> None:
    checked = 0
    for seed in range(60):
        circuit, parameters = random_circuit(seed, max_qubits=4)
        if {"reset", "initialize"} & {i.operation.name for i in circuit.data} or not parameters:
            continue  # the oracle's matrix has no meaning there
        X = random_inputs(3, len(parameters), seed)
        program = OverlapProgram(circuit, parameters)
        np.testing.assert_allclose(
            weights_of(StatevectorEngine(), program, X),
            expected_weights(program, X),
            rtol=0,
            atol=1e-10,
            err_msg=f"random_circuit({seed})",
        )
        checked += 1
    assert checked >= 30


def test_trainable_parameters_and_preparations_are_undone() -> None:
    x, theta = ParameterVector("x", 2), ParameterVector("t", 1)
    circuit = QuantumCircuit(2)
    circuit.initialize([0.6, 0.8], 0)
    circuit.ry(x[0] * theta[0], 0)
    circuit.rx(x[1], 1)
    circuit.cx(0, 1)
    program = OverlapProgram(circuit, x, theta)
    X, t = random_inputs(5, 2, seed=3), [0.7]
    plain = QuantumCircuit(2)  # the preparation as a rotation
    plain.ry(2 * np.arccos(0.6), 0)
    plain.compose(circuit.copy_empty_like(), inplace=True)
    for instruction in circuit.data[1:]:
        plain.append(instruction.operation, [circuit.find_bit(q).index for q in instruction.qubits])
    forward = oracle_weights(plain, x, X, theta_params=theta, theta=t)
    keys = row_keys(program.bind_angles(X, t), program.key)
    expected = np.where(is_canonical(keys[:, None], keys[None])[..., None], forward, np.swapaxes(forward, 0, 1))
    np.testing.assert_allclose(weights_of(StatevectorEngine(), program, X, theta=t), expected, rtol=0, atol=EXACT)


def test_one_qubit_rotations_have_poisson_binomial_weights_at_16_qubits() -> None:
    """A closed form where the oracle's matrices would not fit: every qubit reads 1 on its own."""
    n, X = 16, random_inputs(4, 16, seed=4) * 0.3
    weights = weights_of(StatevectorEngine(), program_of(SeparableMap().build(n)), X)
    one = np.sin((X[:, None] - X[None]) / 2) ** 2
    expected = np.ones((4, 4, 1))
    for q in range(n):
        zero_more, one_more = expected * (1 - one[..., q, None]), expected * one[..., q, None]
        expected = np.pad(zero_more, ((0, 0), (0, 0), (0, 1))) + np.pad(one_more, ((0, 0), (0, 0), (1, 0)))
    np.testing.assert_allclose(weights, expected, rtol=0, atol=EXACT)


@every_engine
def test_rows_that_bind_no_angle_or_stand_alone(engine: str) -> None:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    certain = np.broadcast_to([1.0, 0.0, 0.0], (4, 3, 3))
    program, X = OverlapProgram(circuit, x), random_inputs(4, 2, seed=22)
    np.testing.assert_array_equal(weights_of(ENGINES[engine](), program, X, X[:3]), certain)
    alone = weights_of(ENGINES[engine](), program_of(real_circuit()), random_inputs(1, 3, seed=23))
    np.testing.assert_array_equal(alone, [[[1.0, 0.0, 0.0, 0.0]]])


def test_single_precision_is_good_to_a_millionth() -> None:
    program, X = program_of(lopsided()), random_inputs(8, 3, seed=5)
    # 20 gates prepared and undone in float32: each adds at most 4 eps to the norm of the error, squares twice that.
    tolerance = 2 * 2 * 4 * 20 * np.finfo(np.float32).eps
    found = weights_of(StatevectorEngine(precision="single"), program, X)
    np.testing.assert_allclose(found, expected_weights(program, X), rtol=0, atol=tolerance)


def tables(min_rows: int = 2) -> st.SearchStrategy[Real]:
    """Rows of three features, some of them repeated."""
    entries = st.floats(-4, 4, allow_subnormal=False)
    fresh = st.integers(min_rows, 5).flatmap(lambda n: arrays(np.float64, (n, 3), elements=entries))
    repeated = st.tuples(fresh, st.lists(st.integers(0, min_rows - 1), max_size=2))
    return repeated.map(lambda t: np.vstack([t[0], t[0][np.array(t[1], dtype=int)]]))


LOPSIDED = program_of(lopsided(), [(0, 3), (1,), (2,)])


@pytest.mark.parametrize("shots", [None, 30], ids=["exact", "sampled"])
@given(X=tables(), Y=tables(), data=st.data())
def test_weights_belong_to_the_unordered_pair(shots: int | None, X: Real, Y: Real, data: st.DataObject) -> None:
    """Rows sum to 1; any order, block, side or list of pairs gives the same weights."""
    solver, both, n = StatevectorEngine(shots, seed=2), np.vstack([X, Y]), len(X)
    compare = np.testing.assert_array_equal if shots else _close
    W = weights_of(solver, LOPSIDED, both)
    assert W.min() >= 0.0
    _close(W.sum(axis=-1), 1.0)
    if shots:
        _close(W * shots, np.rint(W * shots))
    compare(W, np.swapaxes(W, 0, 1))
    np.testing.assert_array_equal(W[np.arange(len(both)), np.arange(len(both))], np.eye(1, 4).repeat(len(both), axis=0))
    compare(weights_of(solver, LOPSIDED, X), W[:n, :n])
    compare(weights_of(solver, LOPSIDED, X, Y), W[:n, n:])
    compare(weights_of(solver, LOPSIDED, Y, X), W[n:, :n])
    order = np.array(data.draw(st.permutations(range(len(both)))))
    compare(weights_of(solver, LOPSIDED, both[order]), W[np.ix_(order, order)])
    i, j = (np.array(data.draw(st.lists(st.integers(0, len(both) - 1), min_size=3, max_size=3))) for _ in "ij")
    compare(weights_of(solver, LOPSIDED, both, pairs=np.stack([i, j], axis=1)), W[i, j])


def _close(a: Real, b: Real | float) -> None:
    np.testing.assert_allclose(a, b, rtol=0, atol=EXACT)


@pytest.mark.parametrize("shots", [None, 40], ids=["exact", "sampled"])
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_weights_do_not_change_the_values(shots: int | None, orientation: str) -> None:
    program, X, Y = program_of(lopsided()), random_inputs(12, 3, seed=6), random_inputs(5, 3, seed=7)
    solver = StatevectorEngine(shots, seed=4)
    for other in (None, Y):
        plain = solver.overlaps(program, X, other, orientation=orientation)
        clear_cache()
        answer = solver.overlaps(program, X, other, orientation=orientation, need={"weights", "diagonal"})
        np.testing.assert_array_equal(answer.values, plain.values)
        assert answer.info == plain.info
        if shots:
            np.testing.assert_array_equal(answer.stderr, plain.stderr)
            np.testing.assert_array_equal(answer.num_shots, plain.num_shots)
        assert plain.weights is None


@pytest.mark.slow
@pytest.mark.parametrize("shots", [None, 50], ids=["exact", "sampled"])
def test_streamed_weights_are_the_whole_ones(shots: int | None) -> None:
    program = program_of(ZZFeatureMap().build(12))
    X, Y = random_inputs(60, 12, seed=8), random_inputs(20, 12, seed=9)
    X[5] = X[50]
    Y[3] = X[17]
    pairs = np.random.default_rng(0).integers(0, 60, size=(100, 2))
    with joblib.parallel_config(n_jobs=2):
        for other, some in ((None, None), (Y, None), (None, pairs), (Y, pairs % 20)):
            expected = weights_of(StatevectorEngine(shots, seed=3), program, X, other, pairs=some)
            limits = (StatevectorEngine(shots, seed=3, memory_limit=m * MIB) for m in range(80, 4, -1))
            plans = ((e, e.plan(program, X, other, pairs=some, need={"weights"})) for e in limits)
            tight, plan = next((e, plan) for e, plan in plans if plan.memory_bytes == e.memory_limit)  # streamed
            assert plan.feasible
            clear_cache()
            found = weights_of(tight, program, X, other, pairs=some)
            np.testing.assert_allclose(found, expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("size", [1, 4, 7, 100])
@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any))
def test_tiles_cover_all_pairs_and_keep_large_groups_apart(size: int, counts: list[int]) -> None:
    undone = np.repeat(np.arange(len(counts)), counts)
    ranges = list(tiles(undone, size))
    assert [r.start for r in ranges] == [0, *(r.stop for r in ranges[:-1])]
    assert ranges[-1].stop == len(undone)
    for r in ranges:
        assert 1 <= r.stop - r.start <= size
        rows = set(undone[r].tolist())
        assert len(rows) == 1 or all(4 * counts[row] < size for row in rows)


def test_process_backends_give_the_same_weights() -> None:
    program, X = program_of(ZZFeatureMap(entanglement="full").build(6)), random_inputs(40, 6, seed=10)
    expected = weights_of(StatevectorEngine(), program, X)
    for backend in ("threading", "loky", "sequential"):
        with joblib.parallel_config(backend, n_jobs=2):
            clear_cache()
            np.testing.assert_allclose(weights_of(StatevectorEngine(), program, X), expected, rtol=0, atol=1e-13)


# Sampled ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shots", "orientation"), [(1, "canonical"), (25, "canonical"), (400, "both")])
def test_counts_are_multinomial(shots: int, orientation: str) -> None:
    """Means and covariances of all classes, summed over pairs, within five standard errors; χ² of the whole."""
    program, X = program_of(lopsided(), [(0,), (1, 2), (3,)]), random_inputs(140, 3, seed=11)
    above = np.triu_indices(len(X), 1)
    p = weights_of(StatevectorEngine(), program, X, orientation=orientation)[above]
    f = weights_of(StatevectorEngine(shots, seed=0), program, X, orientation=orientation)[above]
    if orientation == "both":  # the classes of the two halves differ
        forward = weights_of(StatevectorEngine(), program, X)[above]
        backward = 2 * p - forward
        covariance = sum(_covariance(q) for q in (forward, backward)) / (2 * shots)
    else:
        covariance = _covariance(p) / shots
    deviation = f - p
    total = deviation.sum(axis=0)
    assert (np.abs(total) < 5 * np.sqrt(np.diagonal(covariance.sum(axis=0)))).all()
    if shots > 1:  # products of deviations estimate the covariances; their spread is at most that of the squares
        products = np.einsum("na,nb->nab", deviation, deviation)
        spread = products.std(axis=0) / np.sqrt(len(products))
        assert (np.abs(products.mean(axis=0) - covariance.mean(axis=0)) < 5 * spread).all()
    assert len(p) == 9730


def _covariance(p: Real) -> Real:
    """Of one shot: diag(p) − p pᵀ."""
    return np.einsum("na,ab->nab", p, np.eye(p.shape[1])) - np.einsum("na,nb->nab", p, p)


def test_chi_squared_of_equal_probabilities() -> None:
    """Rows far apart in content with the same probabilities: their counts add up to one multinomial sample."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[0], q)
        circuit.rz(x[1], q)
    program = program_of(circuit)
    X = np.column_stack([np.zeros(3000), np.linspace(0, 3, 3000)])
    Y = np.array([[1.2, 0.4]])  # sin²(0.6) for every qubit, whatever the phase of |0⟩
    shots = 7
    counts = weights_of(StatevectorEngine(shots, seed=1), program, X, Y)[:, 0].sum(axis=0) * shots
    one = np.sin(0.6) ** 2
    p = np.array([(1 - one) ** 3, 3 * one * (1 - one) ** 2, 3 * one**2 * (1 - one), one**3])
    expected = 3000 * shots * p
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert chi2.sf(statistic, 3) > 1e-6
    assert chi2.cdf(statistic, 3) > 1e-6


def test_draws_of_one_pair_are_its_own_in_every_request() -> None:
    program, X = program_of(lopsided()), random_inputs(7, 3, seed=12)
    solver = StatevectorEngine(60, seed=5)
    first = weights_of(solver, program, X)
    clear_cache()
    np.testing.assert_array_equal(weights_of(AutoEngine(60, seed=5), program, X), first)
    assert (weights_of(StatevectorEngine(60, seed=6), program, X) != first).any()
    pairs = [(0, 1), (2, 3)]
    many = weights_of(solver, program, X, pairs=pairs, shots=[60, 90])
    np.testing.assert_array_equal(many[0], first[0, 1])
    np.testing.assert_allclose(many[1] * 90, np.rint(many[1] * 90), rtol=0, atol=1e-10)
    again = weights_of(solver, program, X, pairs=pairs, repetition=1)
    assert (again != weights_of(solver, program, X, pairs=pairs)).any()


def test_sampled_classes_are_independent_of_the_entry() -> None:
    """Among the shots that are not all zero, class 1 has its own share: a stream of its own."""
    program, X = program_of(lopsided()), random_inputs(140, 3, seed=13)
    above, shots = np.triu_indices(140, 1), 50
    p = weights_of(StatevectorEngine(), program, X)[above]
    counts = weights_of(StatevectorEngine(shots, seed=2), program, X)[above] * shots
    rest = shots - counts[:, 0]
    share = p[:, 1] / p[:, 1:].sum(axis=1)
    usable = (rest >= 5) & (share > 0.05) & (share < 0.95) & (p[:, 0] > 0.05) & (p[:, 0] < 0.95)
    p, counts, rest, share = p[usable, 0], counts[usable], rest[usable], share[usable]
    z0 = (counts[:, 0] - shots * p) / np.sqrt(shots * p * (1 - p))
    z1 = (counts[:, 1] - rest * share) / np.sqrt(rest * share * (1 - share))
    assert len(z1) > 1000
    assert abs((z0 * z1).mean()) < 5 / np.sqrt(len(z1))
    assert abs(z1.mean()) < 5 / np.sqrt(len(z1))


# Cache and plans --------------------------------------------------------------------------------------------------


@every_engine
def test_weights_are_evaluated_once(engine: str) -> None:
    program, X = program_of(lopsided()), random_inputs(6, 3, seed=14)
    clear_cache()
    first = ENGINES[engine]().overlaps(program, X, need={"weights"})
    assert (cache_info().evaluated_weights, cache_info().evaluated_matrices) == (1, 1)
    again = ENGINES[engine]().overlaps(program, X, need=["weights"])
    assert again.weights is first.weights
    ENGINES[engine]().overlaps(program, X)
    assert (cache_info().evaluated_weights, cache_info().evaluated_matrices) == (1, 1)
    with pytest.raises(ValueError, match="read-only"):
        first.weights[0, 0, 0] = 2.0
    ENGINES[engine]().overlaps(program, X, need={"weights"}, orientation="both")
    ENGINES[engine](shots=10, seed=1).overlaps(program, X, need={"weights"})
    ENGINES[engine]().overlaps(program_of(lopsided(), [(0, 1), (2, 3)]), X, need={"weights"})
    assert cache_info().evaluated_weights == 4


@pytest.mark.parametrize(("orientation", "factor"), [("canonical", 1), ("both", 2)])
def test_plans_count_a_circuit_for_every_pair(orientation: str, factor: int) -> None:
    program, X = program_of(lopsided()), random_inputs(10, 3, seed=15)
    X[9] = X[0]  # measured once
    engine, options = StatevectorEngine(), {"need": {"weights"}, "orientation": orientation}
    assert engine.plan(program, X, **options).circuits == 9 + factor * 36
    assert engine.plan(program, 10, **options).circuits == 10 + factor * 45
    assert engine.plan(program, X, X[:4], **options).circuits == 9 + 4 + factor * 36
    assert engine.plan(program, 100, pairs=[(0, 1), (1, 5)], **options).circuits == 4 + factor * 2
    sampled = StatevectorEngine(10, seed=0)
    assert sampled.plan(program, 10, **options).shots == 450  # the same shots show the values and the weights
    plain = engine.plan(program, 10)
    assert engine.plan(program, 10, **options).memory_bytes > plain.memory_bytes
    expectation = ExpectationProgram(program.circuit, program.x, observables="ZZZZ")
    assert engine.plan(expectation, 10, **options).circuits == 10


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("shots", [None, 30], ids=["exact", "sampled"])
@pytest.mark.parametrize("request_of", ["gram", "cross", "pairs"])
def test_weights_stay_within_their_plan(request_of: str, shots: int | None) -> None:
    program = program_of(SeparableMap().build(8))
    X = np.tile(random_inputs(150, 8, seed=16), (2, 1))  # duplicates are expanded after the evaluation
    Y = random_inputs(200, 8, seed=17) if request_of == "cross" else None
    pairs = np.random.default_rng(1).integers(0, 300, size=(30_000, 2)) if request_of == "pairs" else None
    with joblib.parallel_config(n_jobs=2):
        engine = StatevectorEngine(shots, seed=0, memory_limit=512 * MIB)
        engine.overlaps(program, X[:3], need={"weights"})  # compiled
        plan = engine.plan(program, X, Y, pairs=pairs, need={"weights"})
        tracemalloc.start()
        try:
            engine.overlaps(program, X, Y, pairs=pairs, need={"weights"})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak <= plan.memory_bytes


# Refusals ---------------------------------------------------------------------------------------------------------


@every_engine
def test_too_many_circuits_are_refused_with_numbers_and_advice(engine: str) -> None:
    program, rows = program_of(ZZFeatureMap().build(12)), 2000
    circuits = rows * (rows - 1) // 2
    assert circuits << 12 > MOST_AMPLITUDES
    pattern = (
        r"need=\{'weights'\} takes a circuit for every pair and orientation: 1,999,000 circuits on 12 qubits, "
        r"8\.2e\+09 amplitudes\. StatevectorEngine weighs at most 4\.3e\+09 in one request, that is 1,048,576 circuits "
        r"here\. Use fewer rows or pairs, or fewer qubits \(PCA, CPMap\); FidelityKernel needs no weights"
    )
    solver = ENGINES[engine]()
    plan = solver.plan(program, rows, need={"weights"})
    assert not plan.feasible
    assert plan.circuits == rows + circuits
    with pytest.raises(BudgetError, match=pattern):
        solver.overlaps(program, np.zeros((rows, 12)) + np.arange(rows)[:, None], need={"weights"})
    assert solver.plan(program, rows).feasible
    assert solver.plan(program, 1024, need={"weights"}).feasible
    assert not solver.plan(program, 1449, need={"weights"}).feasible
    assert solver.plan(program, 1024, need={"weights"}, orientation="both").feasible
    assert not solver.plan(program, 1025, need={"weights"}, orientation="both").feasible


@every_engine
def test_memory_is_refused_as_for_values(engine: str) -> None:
    program = program_of(ZZFeatureMap().build(4))
    plan = ENGINES[engine](memory_limit=40 * MIB).plan(program, 3000, need={"weights"})
    assert not plan.feasible
    assert "memory_limit of StatevectorEngine is 40.0 MiB" in plan.reason


def test_matrix_product_states_give_no_weights() -> None:
    program, X = program_of(ZZFeatureMap().build(4)), random_inputs(3, 4, seed=18)
    pattern = (
        r"need=\['weights'\] is not available from MPSEngine, which gives \['diagonal', 'orientations'\]\. Outcome "
        r"weights come from StatevectorEngine"
    )
    for call in (MPSEngine().overlaps, MPSEngine().plan):
        with pytest.raises(InvalidParameterError, match=pattern):
            call(program, X, need={"weights"})
    prepared = MPSEngine().prepare(program, X)
    with pytest.raises(InvalidParameterError, match=pattern):
        AutoEngine().overlaps(program, prepared, need={"weights"})


@every_engine
def test_bits_come_from_engines_that_run_circuits(engine: str) -> None:
    program, X = program_of(ZZFeatureMap().build(2)), random_inputs(3, 2, seed=19)
    pattern = r"need=\['bits'\] is not available from StatevectorEngine, .*Measured bits come from noisy engines"
    with pytest.raises(InvalidParameterError, match=pattern):
        ENGINES[engine]().overlaps(program, X, need={"bits", "weights"})


def test_auto_engine_answers_by_statevectors_where_matrix_product_states_were_cheaper() -> None:
    program, X = program_of(ZZFeatureMap().build(12)), random_inputs(3, 12, seed=20)
    auto = AutoEngine()
    assert isinstance(auto.choose(program, 3), MPSEngine)
    answer = auto.overlaps(program, X, need={"weights"})
    assert answer.info["engine"] == "StatevectorEngine()"
    assert auto.plan(program, X, need={"weights"}).engine == "StatevectorEngine()"
    np.testing.assert_allclose(answer.values, auto.overlaps(program, X).values, rtol=0, atol=EXACT)
    wide = program_of(SeparableMap().build(40))
    assert auto.plan(wide, 3).feasible
    with pytest.raises(BudgetError, match="40 qubits"):
        auto.overlaps(wide, random_inputs(3, 40, seed=21), need={"weights"})
