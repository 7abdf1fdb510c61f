"""Expectation values of Pauli strings: any set of labels, any width, whole or streamed, evaluated once."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine, cache_info, clear_cache, set_cache
from qkernels.engines._pauli import PauliTable
from qkernels.feature_maps import CPMap, HamiltonianMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram
from tests.oracle import oracle_expectations, random_circuit, random_inputs

MIB = 1 << 20
EXACT = 1e-12

ENGINES: dict[str, Callable[..., Engine]] = {"statevector": StatevectorEngine, "mps": MPSEngine, "auto": AutoEngine}
every_engine = pytest.mark.parametrize("engine", ENGINES)


def real_circuit(n: int) -> QuantumCircuit:
    """Real gates only: strings with an odd number of Y are 0."""
    x = ParameterVector("x", n)
    circuit = QuantumCircuit(n)
    for layer in range(2):
        for q in range(n):
            circuit.ry((layer + 1) * x[(q + layer) % n], q)
        for q in range(n - 1):
            circuit.cx(q, q + 1)
    return circuit


CIRCUITS = {
    "real": real_circuit(3),
    "phases": ZZFeatureMap(entanglement="full").build(3),
    "blocks": HamiltonianMap().build(3),
    "one-qubit": ZZFeatureMap().build(1),
    "one-real-qubit": real_circuit(1),
    "eight": CPMap(ring=True).build(12),
}


def every_label(n: int) -> list[str]:
    return ["".join(letters) for letters in itertools.product("IXYZ", repeat=n)]


def random_labels(n: int, count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("IXYZ"), n)) for _ in range(count)]


def values_of(engine: Engine, circuit: QuantumCircuit, labels: Sequence[str], X: NDArray[np.float64]) -> NDArray:
    return engine.expectations(ExpectationProgram(circuit, circuit.parameters, observables=labels), X).values


@pytest.fixture
def no_cache() -> Iterator[None]:
    clear_cache()
    set_cache(0)
    yield
    set_cache(1 << 30)


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_kind_of_string_equals_the_oracle(name: str) -> None:
    circuit = CIRCUITS[name]
    n = circuit.num_qubits
    labels = every_label(n) if n <= 3 else [*random_labels(n, 20, 0), "Y" * n, "X" * n, "Z" * n, "I" * n]
    X = random_inputs(5, len(circuit.parameters), seed=1)
    expected = oracle_expectations(circuit, labels, circuit.parameters, X)
    np.testing.assert_allclose(values_of(StatevectorEngine(), circuit, labels, X), expected, rtol=0, atol=EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_strings_of_random_circuits_equal_the_oracle(first: int) -> None:
    """Layouts in which the bits of a state do not stand in Qiskit's order, among others."""
    for seed in range(first, first + 10):
        circuit, parameters = random_circuit(seed)
        n = circuit.num_qubits
        labels = every_label(n) if n <= 2 else random_labels(n, 30, seed)
        X = random_inputs(3, len(parameters), seed)
        program = ExpectationProgram(circuit, parameters, observables=labels)
        np.testing.assert_allclose(
            StatevectorEngine().expectations(program, X).values,
            oracle_expectations(circuit, labels, parameters, X),
            rtol=0,
            atol=1e-10,
            err_msg=f"random_circuit({seed})",
        )


@pytest.mark.parametrize(
    "circuit", [ZZFeatureMap(1, entanglement="full").build(10), real_circuit(10)], ids=["complex", "real"]
)
def test_bits_beyond_one_sign_matrix(circuit: QuantumCircuit) -> None:
    """More than 8 bits: sums over the high and the low bits apart, flips on either side and on both."""
    labels = ["Z" + "I" * 9, "I" * 9 + "Z", "I" * 9 + "X", "Y" + "I" * 9, "Y" + "I" * 8 + "Y", "Y" * 10]
    labels += random_labels(10, 4, 5)
    X = random_inputs(2, 10, seed=2)
    expected = oracle_expectations(circuit, labels, circuit.parameters, X)
    np.testing.assert_allclose(values_of(StatevectorEngine(), circuit, labels, X), expected, rtol=0, atol=EXACT)


def test_strings_of_many_qubits_are_products_of_bloch_vectors() -> None:
    n = 14
    x = ParameterVector("x", 2 * n)
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(x[q], q)
        circuit.rz(x[n + q], q)
    X = random_inputs(5, 2 * n, seed=14)
    polar, azimuth = X[:, :n], X[:, n:]
    bloch = {
        "I": np.ones_like(polar),
        "X": np.sin(polar) * np.cos(azimuth),
        "Y": np.sin(polar) * np.sin(azimuth),
        "Z": np.cos(polar),
    }
    labels = ["I" * (n - 1 - q) + letter + "I" * q for q in range(n) for letter in "XYZ"]
    labels += [*random_labels(n, 40, 15), "Y" * n]
    expected = [np.prod([bloch[letter][:, n - 1 - k] for k, letter in enumerate(label)], axis=0) for label in labels]
    found = values_of(StatevectorEngine(), circuit, labels, X)
    np.testing.assert_allclose(found, np.transpose(expected), rtol=0, atol=EXACT)


def test_many_strings_that_flip_the_same_bits() -> None:
    circuit = real_circuit(7)
    labels = ["".join(letters) for letters in itertools.product("IZ", repeat=7)]  # 128 of one group
    labels += ["X" + label[1:] for label in labels[:16]]
    X = random_inputs(4, 7, seed=3)
    expected = oracle_expectations(circuit, labels, circuit.parameters, X)
    np.testing.assert_allclose(values_of(StatevectorEngine(), circuit, labels, X), expected, rtol=0, atol=EXACT)


def test_single_precision_is_that_of_the_states() -> None:
    circuit = ZZFeatureMap(entanglement="full").build(6)
    labels = [*random_labels(6, 30, 4), "YYYYYY", "ZZZZZZ"]
    X = random_inputs(6, 6, seed=4)
    expected = oracle_expectations(circuit, labels, circuit.parameters, X)
    # ‖δψ‖ <= 4 eps for each gate; a string moves by twice that.
    tolerance = 8 * np.finfo(np.float32).eps * circuit.decompose(reps=3).size()
    found = values_of(StatevectorEngine(precision="single"), circuit, labels, X)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    assert (found != values_of(StatevectorEngine(), circuit, labels, X)).any()


def test_several_tiles_and_any_number_of_rows() -> None:
    circuit = ZZFeatureMap(entanglement="full").build(8)
    labels = random_labels(8, 10, 6)
    X = random_inputs(333, 8, seed=5)
    found = values_of(StatevectorEngine(), circuit, labels, X)
    np.testing.assert_allclose(found[[0, 150, 332]], values_of(StatevectorEngine(), circuit, labels, X[[0, 150, 332]]))
    with joblib.parallel_config("sequential"):
        clear_cache()
        np.testing.assert_allclose(values_of(StatevectorEngine(), circuit, labels, X), found, rtol=0, atol=1e-14)


@pytest.mark.usefixtures("no_cache")
def test_streamed_states_give_the_same_values() -> None:
    circuit, X = ZZFeatureMap().build(12), random_inputs(300, 12, seed=6)
    labels = [*random_labels(12, 10, 7), "X" * 12]
    program = ExpectationProgram(circuit, circuit.parameters, observables=labels)
    expected = StatevectorEngine().expectations(program, X).values
    with joblib.parallel_config(n_jobs=2):  # which fixes the work space
        tight = StatevectorEngine(memory_limit=24 * MIB)  # the states alone take 19 MiB
        plan = tight.plan(program, X)
        assert plan.feasible
        assert plan.memory_bytes == 24 * MIB  # streamed
        np.testing.assert_allclose(tight.expectations(program, X).values, expected, rtol=0, atol=1e-13)


@every_engine
@given(rows=st.lists(st.integers(0, 4), min_size=1, max_size=8), labels=st.sets(st.sampled_from(every_label(3))))
def test_values_belong_to_their_row_and_label(engine: str, rows: list[int], labels: set[str]) -> None:
    """Permuted and repeated rows, and any other labels beside them, change nothing."""
    circuit, table = HamiltonianMap(1).build(3), random_inputs(5, 3, seed=8)
    chosen = [*sorted(labels, reverse=True), "XYZ"]
    whole = values_of(ENGINES[engine](), circuit, every_label(3), table)
    columns = [every_label(3).index(label) for label in chosen]
    found = values_of(ENGINES[engine](), circuit, chosen, table[rows])
    np.testing.assert_allclose(found, whole[rows][:, columns], rtol=0, atol=EXACT)
    assert np.abs(whole).max() <= 1 + EXACT
    purity = (whole**2).sum(axis=1) / 8  # of a pure state
    np.testing.assert_allclose(purity, 1.0, rtol=0, atol=EXACT)


def test_wide_matrix_product_states_share_their_environments() -> None:
    """X, Y, Z of 30 qubits and products of neighbours, against reduced circuits of the light cone."""
    n, X = 30, random_inputs(4, 30, seed=9) * 0.2
    circuit = ZZFeatureMap(1).build(n)
    labels = ["I" * (n - 1 - q) + letter + "I" * q for q in range(n) for letter in "XYZ"]
    found = values_of(MPSEngine(), circuit, labels, X).reshape(4, n, 3)
    for q in (0, 13, 29):  # one layer: a qubit knows its neighbours only
        near = [k for k in (q - 1, q, q + 1) if 0 <= k < n]
        small = ZZFeatureMap(1).build(len(near))
        position = near.index(q)
        own = ["I" * (len(near) - 1 - position) + letter + "I" * position for letter in "XYZ"]
        expected = oracle_expectations(small, own, small.parameters, X[:, near])
        np.testing.assert_allclose(found[:, q], expected, rtol=0, atol=EXACT)


# Cache ------------------------------------------------------------------------------------------------------------


def evaluated() -> int:
    return cache_info().evaluated_expectations


@every_engine
def test_values_are_evaluated_once(engine: str) -> None:
    circuit, X = ZZFeatureMap().build(4), random_inputs(20, 4, seed=10)
    program = ExpectationProgram(circuit, circuit.parameters, observables=["ZIII", "IXYI"])
    clear_cache()
    first = ENGINES[engine]().expectations(program, X)
    assert evaluated() == 1
    for _ in range(3):  # what a grid over an outer kernel's γ or over C asks for
        again = ENGINES[engine]().expectations(
            ExpectationProgram(circuit.copy(), circuit.parameters, observables=["ZIII", "IXYI"]), X.copy()
        )
        np.testing.assert_array_equal(again.values, first.values)
    assert evaluated() == 1
    assert cache_info().evaluated_matrices == 0


@every_engine
@pytest.mark.parametrize("change", ["rows", "observables", "shots", "seed", "coefficient"])
def test_another_question_is_evaluated(engine: str, change: str) -> None:
    circuit, X = ZZFeatureMap().build(4), random_inputs(20, 4, seed=11)
    settings = {"shots": 100, "seed": 3}
    observables: list[object] = ["ZIII", "IXYI"]
    program = ExpectationProgram(circuit, circuit.parameters, observables=observables)
    clear_cache()
    first = ENGINES[engine](**settings).expectations(program, X)
    if change == "rows":
        X = X + 0.1
    elif change in settings:
        settings[change] += 1
    else:
        other = "ZIIX" if change == "observables" else SparsePauliOp("ZIII", 0.5)
        program = ExpectationProgram(circuit, circuit.parameters, observables=[other, "IXYI"])
    again = ENGINES[engine](**settings).expectations(program, X)
    assert evaluated() == 2
    assert (again.values != first.values).any()


@every_engine
def test_sampled_values_are_evaluated_once_with_their_errors(engine: str) -> None:
    circuit, X = ZZFeatureMap().build(4), random_inputs(20, 4, seed=12)
    program = ExpectationProgram(circuit, circuit.parameters, observables=["ZIII", "IXYI", "IIII"])
    clear_cache()
    first, again = (ENGINES[engine](shots=50, seed=1).expectations(program, X) for _ in "ab")
    assert evaluated() == 1
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(again.stderr, first.stderr)
    clear_cache()
    afresh = ENGINES[engine](shots=50, seed=1).expectations(program, X)
    np.testing.assert_array_equal(afresh.values, first.values)
    np.testing.assert_array_equal(afresh.stderr, first.stderr)
    np.testing.assert_array_equal(first.values[:, 2], ENGINES[engine]().expectations(program, X).values[:, 2])
    np.testing.assert_array_equal(first.stderr[:, 2], 0.0)  # the identity is not measured


@every_engine
@pytest.mark.parametrize("shots", [None, 20], ids=["exact", "sampled"])
def test_cached_values_are_read_only(engine: str, shots: int | None) -> None:
    circuit, X = ZZFeatureMap().build(3), random_inputs(4, 3, seed=13)
    program = ExpectationProgram(circuit, circuit.parameters, observables=["ZII"])
    answer = ENGINES[engine](shots=shots, seed=0).expectations(program, X)
    for array in (answer.values, *([] if answer.stderr is None else [answer.stderr])):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 2.0


def _worker(seed: int) -> tuple[int, NDArray[np.float64]]:
    circuit, X = ZZFeatureMap().build(3), random_inputs(6, 3, seed=seed)
    clear_cache()
    values = values_of(StatevectorEngine(shots=9, seed=2), circuit, ["ZII", "IYX"], X)
    return evaluated(), values


def test_worker_processes_share_their_tables() -> None:
    """As matrices: a sibling's finished table is read instead of evaluated."""
    with joblib.parallel_config("loky", n_jobs=2):
        counts = joblib.Parallel(batch_size=1)(joblib.delayed(_worker)(21) for _ in range(6))
    expected = _worker(21)[1]
    for _, values in counts:
        np.testing.assert_array_equal(values, expected)
    assert 1 <= sum(count for count, _ in counts) <= 2  # two workers may start at the same moment


def test_the_table_of_strings_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Sequence[str]] = []

    class Counted(PauliTable):
        def __init__(self, labels: Sequence[str], order: tuple[int, ...]) -> None:
            made.append(labels)
            super().__init__(labels, order)

    monkeypatch.setattr("qkernels.engines._statevector.PauliTable", Counted)
    clear_cache()
    circuit, labels = CIRCUITS["phases"], random_labels(3, 20, seed=30)
    program = ExpectationProgram(circuit, circuit.parameters, observables=labels)
    for seed in range(4):
        X = random_inputs(1, 3, seed)
        expected = oracle_expectations(circuit, labels, circuit.parameters, X)
        np.testing.assert_allclose(StatevectorEngine().expectations(program, X).values, expected, rtol=0, atol=EXACT)
    StatevectorEngine().expectations(ExpectationProgram(circuit, circuit.parameters, observables=labels[:5]), X)
    assert [len(table) for table in made] == [len(set(labels)), len(set(labels[:5]))]


@pytest.mark.slow
def test_thousands_of_single_strings_need_no_square_matrix() -> None:
    labels = ["".join(letters) for letters in itertools.product("IXYZ", repeat=6)][1:]
    circuit = ZZFeatureMap(reps=1).build(6)
    program = ExpectationProgram(circuit, circuit.parameters, observables=labels)
    X = np.random.default_rng(0).normal(size=(2, 6))
    tracemalloc.start()
    values = StatevectorEngine().expectations(program, X).values
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # a dense (4095, 4095) matrix alone takes 134 MB
    np.testing.assert_allclose((values**2).sum(axis=1) + 1.0, 2.0**6, rtol=1e-12)  # a pure state: Σ⟨P⟩² = 2^n
