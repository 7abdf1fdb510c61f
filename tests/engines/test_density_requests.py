"""DensityMatrixEngine as an engine: memory kept, plans that count right, options checked, pickles, processes."""

from __future__ import annotations

import pickle
import re
import tracemalloc
from collections.abc import Iterator

import joblib
import numpy as np
import pytest
from cloudpickle import dumps, loads
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.base import clone

from qkernels._errors import BudgetError, InvalidDataError, InvalidParameterError
from qkernels.engines import DensityMatrixEngine, NoiseTable, StatevectorEngine, clear_cache, set_cache
from qkernels.engines._density import TransferCircuit
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.engines.noisy import FLIP, IDEAL, STRENGTH, Question, ask, close, line, program_of
from tests.oracle import noise, random_inputs, random_observables

Real = NDArray[np.float64]


@pytest.fixture
def no_cache() -> Iterator[None]:
    clear_cache()
    set_cache(0)
    yield
    set_cache(1 << 30)


# Memory -----------------------------------------------------------------------------------------------------------


def tightest(engine: DensityMatrixEngine, program: OverlapProgram, *rows: Real, **options: object) -> int:
    """The smallest memory_limit that is feasible, to 8 KiB; less than all states take."""
    step = 1 << 13
    limit = whole = engine.plan(program, *rows, **options).memory_bytes
    settings = engine.noise, engine.shots, engine.seed
    while DensityMatrixEngine(*settings, limit - step).plan(program, *rows, **options).feasible:
        limit -= step
    assert limit < whole
    return limit


STREAMED = ZZFeatureMap(1).build(4)
STREAMED_TABLE = NoiseTable(noise.random_channels(STREAMED, STRENGTH, 3), default_readout=FLIP)


@pytest.mark.parametrize("shots", [None, 40], ids=["exact", "sampled"])
@pytest.mark.parametrize("shape", ["gram", "cross", "pairs"])
def test_streamed_answers_are_those_in_memory(shape: str, shots: int | None) -> None:
    program, X = program_of(STREAMED), random_inputs(24, 4, seed=2)
    X[7] = X[20]
    Y = None if shape == "gram" else np.vstack([random_inputs(10, 4, seed=3), X[:2]])
    pairs = np.argwhere(np.ones((24, 12)))[::7] if shape == "pairs" else None
    options = {"pairs": pairs, "need": {"diagonal", "weights", "bits", "orientations"}, "orientation": "both"}
    with joblib.parallel_config(n_jobs=1):
        whole = DensityMatrixEngine(STREAMED_TABLE, shots, 5)
        tight = DensityMatrixEngine(STREAMED_TABLE, shots, 5, tightest(whole, program, X, Y, **options))
        expected = whole.overlaps(program, X, Y, **options)
        clear_cache()
        found = tight.overlaps(program, X, Y, **options)
    for field in ("values", "weights", "orientations", "outcomes" if shots is None else "bits"):
        close(getattr(found, field), getattr(expected, field))
    for side in (0, 1):
        close(found.diagonals[side], expected.diagonals[side])


def test_streamed_expectations_are_those_in_memory() -> None:
    program = ExpectationProgram(STREAMED, STREAMED.parameters, observables=random_observables(4, 3, seed=1))
    X = random_inputs(30, 4, seed=2)
    with joblib.parallel_config(n_jobs=1):
        whole = DensityMatrixEngine(STREAMED_TABLE)
        expected = whole.expectations(program, X).values
        clear_cache()
        tight = DensityMatrixEngine(STREAMED_TABLE, memory_limit=tightest(whole, program, X))
        close(tight.expectations(program, X).values, expected)


def peak_of(engine: DensityMatrixEngine, program: OverlapProgram, *rows: Real, **options: object) -> int:
    engine.overlaps(program, *(part[:2] for part in rows), **options)  # compiled
    tracemalloc.start()
    try:
        engine.overlaps(program, *rows, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


REQUESTS = {
    "values": (5, 500, {}, None),
    "sampled-values": (3, 500, {"orientation": "both"}, 50),
    "weights": (4, 250, {"need": {"weights"}}, None),
    "sampled-weights": (3, 300, {"need": {"weights"}, "orientation": "both"}, 50),
    "outcomes": (4, 120, {"need": {"bits"}}, None),
    "bits": (2, 60, {"need": {"bits"}}, 20_000),
    "bits-of-many-outcomes": (6, 20, {"need": {"bits", "weights"}}, 500),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_stay_within_their_plan(name: str) -> None:
    n, rows, options, shots = REQUESTS[name]
    program, X = line(n), random_inputs(rows, n, seed=5)
    X = np.vstack([X, X[: rows // 3]])  # duplicates are expanded after the evaluation
    with joblib.parallel_config(n_jobs=2):
        clear_cache()
        engine = DensityMatrixEngine(IDEAL, shots, 0, memory_limit=1 << 30)
        plan = engine.plan(program, X, **options)
        assert peak_of(engine, program, X, **options) <= plan.memory_bytes


@pytest.mark.slow
@pytest.mark.parametrize("need", [(), ("weights",), ("bits",)], ids=str)
def test_streamed_requests_stay_within_the_limit(need: tuple[str, ...]) -> None:
    """All states take 29 MiB; they come in stripes."""
    program, X, Y = line(5), random_inputs(1500, 5, seed=6), random_inputs(3, 5, seed=7)
    with joblib.parallel_config(n_jobs=2):
        whole = DensityMatrixEngine(IDEAL).plan(program, X, Y, need=need).memory_bytes
        engine = DensityMatrixEngine(IDEAL, memory_limit=whole - (16 << 20))
        plan = engine.plan(program, X, Y, need=need)
        assert plan.feasible
        assert plan.memory_bytes == engine.memory_limit  # streamed
        clear_cache()
        assert peak_of(engine, program, X, Y, need=need) <= engine.memory_limit


def test_a_circuit_that_is_too_wide_is_refused_with_what_fits() -> None:
    limit = 64 << 20
    engine = DensityMatrixEngine(IDEAL, memory_limit=limit)
    with pytest.raises(BudgetError) as caught:
        engine.overlaps(line(12), random_inputs(2, 12, seed=0))
    found = re.search(r"The circuit has 12 active qubits; about (\d+) fit here\.", str(caught.value))
    assert found is not None
    assert "memory_limit of DensityMatrixEngine is 64.0 MiB" in str(caught.value)
    assert "AerEngine(strategy='circuits'" in str(caught.value)
    most = int(found[1])
    assert 3 <= most < 12
    assert engine.plan(line(most), 3).feasible
    assert not engine.plan(line(most + 1), 3).feasible
    with pytest.raises(BudgetError, match="12 active qubits"):
        engine.prepare(line(12), random_inputs(2, 12, seed=0))
    assert "12 active qubits" in engine.plan(line(12), 2).reason
    small = DensityMatrixEngine(IDEAL, memory_limit=1 << 20).plan(line(2), 3)
    assert "The circuit has 2 active qubits; not even one fits here." in small.reason


def test_only_active_qubits_take_memory() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(40)
    circuit.ry(x[0], 20)
    circuit.cx(20, 39)
    circuit.barrier()
    engine = DensityMatrixEngine(NoiseTable(ideal=["ry", "cx"], default_readout=FLIP), memory_limit=64 << 20)
    answer = engine.overlaps(OverlapProgram(circuit, x), [[0.3], [1.0]])
    assert answer.info["active_qubits"] == 2
    assert answer.info["num_qubits"] == 40
    pure = np.cos((0.3 - 1.0) / 2) ** 2
    both = pure * FLIP[0, 0] + (1 - pure) * FLIP[0, 1]
    close(answer.values[0, 1], both * FLIP[0, 0] ** 39)


# Plans ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def half_circuits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Vectors taken through half a circuit, call by call."""
    counted: list[int] = []
    run = TransferCircuit.__call__

    def counting(self: TransferCircuit, angles: Real, out: Real) -> None:
        counted.append(len(angles) * self.num_vectors)
        run(self, angles, out)

    monkeypatch.setattr(TransferCircuit, "__call__", counting)
    clear_cache()
    return counted


@pytest.mark.parametrize(
    ("options", "entries"),
    [
        ({}, 10),
        ({"diagonal": False}, 6),
        ({"orientation": "both"}, 10),
        ({"need": ["diagonal"]}, 10),
        ({"need": ["diagonal"], "diagonal": False}, 10),
        ({"need": ["weights"]}, 10),
        ({"need": ["bits"]}, 10),
        ({"need": ["weights", "bits", "diagonal"], "orientation": "both"}, 10),
    ],
    ids=str,
)
def test_plan_of_a_gram_matrix_is_what_is_done(
    options: dict[str, object], entries: int, half_circuits: list[int]
) -> None:
    q = ask("zz_rzz_2")
    engine, program, X = DensityMatrixEngine(q.table), q.program(), q.rows[[0, 1, 2, 3, 1]]
    plan = engine.plan(program, X, **options)
    assert not half_circuits
    engine.overlaps(program, X, **options)
    assert (plan.entries, plan.shots, plan.feasible, plan.reason) == (entries, 0, True, "")
    assert plan.circuits == sum(half_circuits)


def test_plan_of_prepared_rows_is_what_is_done(half_circuits: list[int]) -> None:
    q = ask("zz_rzz_2")
    engine, program = DensityMatrixEngine(q.table), q.program()
    X = engine.prepare(program, q.rows)
    half_circuits.clear()
    for need in ((), ("weights",)):
        plan = engine.plan(program, X, need=need)
        engine.overlaps(program, X, need=need)
        assert plan.circuits == sum(half_circuits) == len(need) * 5 * 3


@pytest.mark.parametrize("diagonal", ["auto", False])
def test_plan_of_a_cross_block_is_what_is_done(diagonal: object, half_circuits: list[int]) -> None:
    q = ask("zz_rzz_2")
    engine, program = DensityMatrixEngine(q.table), q.program()
    plan = engine.plan(program, q.X, q.Y, diagonal=diagonal, need={"diagonal"})
    engine.overlaps(program, q.X, q.Y, diagonal=diagonal, need={"diagonal"})
    assert plan.entries == 3 * 3 + 3 + 3  # X has three distinct rows
    assert plan.circuits == sum(half_circuits) == 2 * 6
    assert engine.plan(program, q.X, q.Y).entries == 9
    assert engine.plan(program, 3, 3, need={"diagonal"}).entries == 15


@pytest.mark.parametrize("need", [(), ("diagonal",), ("weights",), ("bits", "diagonal")], ids=str)
@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_plan_of_pairs_is_at_least_what_is_done(
    need: tuple[str, ...], orientation: str, half_circuits: list[int]
) -> None:
    """Which rows occur in pairs, and which of them are undone, is not looked up."""
    q = ask("zz_rzz_2")
    engine, program, pairs = DensityMatrixEngine(q.table), q.program(), [(0, 1), (2, 3), (1, 1)]
    plan = engine.plan(program, q.rows, pairs=pairs, need=need, orientation=orientation)
    engine.overlaps(program, q.rows, pairs=pairs, need=need, orientation=orientation)
    assert plan.entries == 3 + (5 if "diagonal" in need else 0)
    assert sum(half_circuits) <= plan.circuits <= 3 * sum(half_circuits)


@pytest.mark.parametrize("orientation", ["canonical", "both"])
def test_plan_counts_shots(orientation: str) -> None:
    q = ask("zz_rzz_2")
    engine, program = DensityMatrixEngine(q.table, shots=101, seed=0), q.program()
    each = 100 if orientation == "both" else 101
    options = {"orientation": orientation}
    assert engine.plan(program, 4, **options).shots == 10 * each
    assert engine.plan(program, 4, diagonal=False, **options).shots == 6 * each
    assert engine.plan(program, 4, 3, need={"diagonal"}, **options).shots == (12 + 7) * each
    pairs = {"pairs": [(0, 1), (2, 2)]}
    assert engine.plan(program, 4, **pairs, **options).shots == 2 * each
    assert engine.plan(program, 4, need={"diagonal"}, **pairs, **options).shots == (2 + 4) * each
    taken = engine.plan(program, 4, shots=[10, 20], need={"diagonal"}, **pairs, **options).shots
    assert taken == 30 + 4 * each
    answer = engine.overlaps(program, q.rows[:4], **options)
    assert int(np.triu(answer.num_shots).sum()) == 10 * each


@pytest.mark.parametrize("need", [(), ("diagonal",), ("weights",)], ids=str)
def test_plan_counts_streamed_rows_again(need: tuple[str, ...], half_circuits: list[int]) -> None:
    program, X, Y = program_of(STREAMED), random_inputs(20, 4, seed=2), random_inputs(4, 4, seed=3)
    with joblib.parallel_config(n_jobs=1):
        whole = DensityMatrixEngine(STREAMED_TABLE)
        tight = DensityMatrixEngine(STREAMED_TABLE, memory_limit=tightest(whole, program, X, Y, need=need))
        plan = tight.plan(program, X, Y, need=need)
        tight.overlaps(program, X, Y, need=need)
    assert plan.circuits > whole.plan(program, X, Y, need=need).circuits
    assert sum(half_circuits) <= plan.circuits
    if not need:  # else an upper bound: which rows are undone in which stripe, for example, is not looked up
        assert plan.circuits == sum(half_circuits)


@pytest.mark.parametrize("need", [(), ("weights",), ("bits",)], ids=str)
def test_pairs_evolve_only_the_rows_that_occur(need: tuple[str, ...], half_circuits: list[int]) -> None:
    """All states take 31 MiB, those of three pairs nothing."""
    program, X = line(5), random_inputs(2000, 5, seed=6)
    engine, pairs = DensityMatrixEngine(IDEAL), [(0, 1), (1999, 3), (5, 5)]
    with joblib.parallel_config(n_jobs=2):
        plan = engine.plan(program, X, pairs=pairs, need=need)
        assert peak_of(engine, program, X[:2]) > 0  # compiled
        half_circuits.clear()
        tracemalloc.start()
        try:
            found = engine.overlaps(program, X, pairs=pairs, need=need).values
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak <= plan.memory_bytes
    assert sum(half_circuits) <= plan.circuits < 500
    exact = StatevectorEngine().overlaps(program, X[[0, 1999]], X[[1, 3]]).values
    close(found, [exact[0, 0], exact[1, 1], 1.0])


# Checks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "fake_fez", {}, np.eye(4)], ids=["none", "name", "dict", "matrix"])
def test_noise_is_a_table(given: object) -> None:
    pattern = re.escape(f"noise of DensityMatrixEngine must be a NoiseTable, got {given!r}. For a device by name use")
    with pytest.raises(InvalidParameterError, match=pattern):
        DensityMatrixEngine(given)


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"shots": 0}, "shots of DensityMatrixEngine must be None .* got 0"),
        ({"shots": 1.5}, r"shots of DensityMatrixEngine must be None .* got 1\.5"),
        ({"seed": -1}, "seed of DensityMatrixEngine must be None .* got -1"),
        ({"memory_limit": 0}, "memory_limit of DensityMatrixEngine .* got 0"),
    ],
    ids=["shots", "shots-float", "seed", "memory_limit"],
)
def test_settings_are_checked(settings: dict[str, object], pattern: str) -> None:
    with pytest.raises(InvalidParameterError, match=pattern):
        DensityMatrixEngine(IDEAL, **settings)


def test_requests_are_checked() -> None:
    q = ask("zz_rzz_2")
    engine, program = DensityMatrixEngine(q.table), q.program()
    for call in (engine.overlaps, engine.plan):
        with pytest.raises(InvalidParameterError, match=r"need=\['counts'\] is not available from DensityMatrixEngine"):
            call(program, q.X, need={"counts"})
        with pytest.raises(InvalidDataError, match=r"X has 1 feature\(s\)"):
            call(program, q.X[:, :1])
        with pytest.raises(InvalidDataError, match="Y must be finite, got nan in row 0, column 1"):
            call(program, q.X, [[0.0, np.nan]])
        with pytest.raises(InvalidParameterError, match=r"pairs\[:, 1\] must lie in \[0, 4\)"):
            call(program, q.X, pairs=[(0, 4)])
        with pytest.raises(InvalidParameterError, match="repetition=1 was asked for, but this DensityMatrixEngine"):
            call(program, q.X, repetition=1)


def test_prepared_rows_belong_to_their_noise() -> None:
    q = ask("zz_rzz_2")
    engine, program = DensityMatrixEngine(q.table), q.program()
    prepared = engine.prepare(program, q.X)
    with pytest.raises(InvalidParameterError, match="X was prepared for another program or by another engine"):
        engine.scaled(2).overlaps(program, prepared)
    with pytest.raises(InvalidParameterError, match="X was prepared for another program or by another engine"):
        StatevectorEngine().overlaps(program, prepared)
    again = DensityMatrixEngine(q.table, memory_limit=1 << 30).overlaps(program, prepared).values
    close(again, engine.overlaps(program, q.X).values)
    with pytest.raises(TypeError, match="Prepared states are not pickled"):
        pickle.dumps(prepared)
    for array in (prepared.data.prepared, prepared.data.undone, prepared.keys):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


# Engines as objects -----------------------------------------------------------------------------------------------


def test_pickles_hold_settings_and_noise_only() -> None:
    q = ask("cp_5")
    program = q.program()
    engine = DensityMatrixEngine(q.table, shots=50, seed=4, memory_limit=1 << 30)
    fresh = len(pickle.dumps(DensityMatrixEngine(q.table, shots=50, seed=4, memory_limit=1 << 30)))
    values = engine.overlaps(program, q.X).values
    text = pickle.dumps(engine)
    assert len(text) == fresh  # no cache, no keys
    again = pickle.loads(text)
    assert repr(again) == repr(engine)
    assert again.noise == q.table
    clear_cache()
    np.testing.assert_array_equal(again.overlaps(program, q.X).values, values)


def test_clone_and_repr() -> None:
    table = ask("one_qubit").table
    engine = DensityMatrixEngine(table, shots=7, seed=1, memory_limit=1 << 30)
    assert clone(engine) is engine
    assert repr(engine) == f"DensityMatrixEngine(shots=7, seed=1, memory_limit=1073741824, noise={table!r})"
    assert repr(DensityMatrixEngine(table)) == f"DensityMatrixEngine(noise={table!r})"
    assert not engine.is_exact
    assert not DensityMatrixEngine(table).is_exact
    assert isinstance(DensityMatrixEngine(table, 10).seed, int)


def test_info_says_what_was_done() -> None:
    q = ask("spare_qubits")
    info = DensityMatrixEngine(q.table, shots=10, seed=3).overlaps(q.program(), q.X).info
    assert info["num_qubits"] == 5
    assert info["active_qubits"] == 3
    assert info["diagonal"] == "measured"
    assert (info["shots"], info["seed"], info["repetition"]) == (10, 3, 0)
    assert info["program"] == q.program().key


def test_another_table_is_another_answer_in_the_cache() -> None:
    """Nothing of one engine's cache is handed to another with other noise."""
    q = ask("zz_rzz_2")
    program, other = q.program(), q.table.scaled(2)
    first = DensityMatrixEngine(q.table).overlaps(program, q.X, need={"weights", "bits"})
    second = DensityMatrixEngine(other).overlaps(program, q.X, need={"weights", "bits"})
    for field in ("values", "weights", "outcomes", "readout"):
        assert np.abs(getattr(first, field) - getattr(second, field)).max() > 1e-3
    observed = ExpectationProgram(q.circuit, q.parameters, observables=["ZZ"])
    means = [DensityMatrixEngine(table).expectations(observed, q.X).values for table in (q.table, other)]
    assert np.abs(means[0] - means[1]).max() > 1e-3


@pytest.mark.usefixtures("no_cache")
def test_values_do_not_depend_on_the_cache() -> None:
    q = ask("matrices")
    answer = DensityMatrixEngine(q.table).overlaps(q.program(), q.X, need={"weights", "bits", "diagonal"})
    forward = q.gram(q.both(q.program())[0])
    close(answer.values, forward[..., 0])
    close(answer.outcomes, forward)


# Processes --------------------------------------------------------------------------------------------------------


def answers(q: Question, engine: DensityMatrixEngine) -> list[Real]:
    clear_cache()
    program = q.program()
    found = engine.overlaps(program, q.X, q.Y, need={"weights", "bits", "diagonal"}, orientation="both")
    observed = ExpectationProgram(q.circuit, q.parameters, observables="Z" * q.circuit.num_qubits)
    read = found.outcomes if found.bits is None else found.bits
    return [found.values, found.weights, read, *found.diagonals, engine.expectations(observed, q.X).values]


@pytest.mark.parametrize("shots", [None, 30], ids=["exact", "sampled"])
@pytest.mark.parametrize("options", [{"backend": "threading"}, {"backend": "loky"}, {"n_jobs": 1}], ids=str)
def test_every_backend_gives_the_same_answers(options: dict[str, object], shots: int | None) -> None:
    q = ask("matrices")
    engine = DensityMatrixEngine(q.table, shots, 2)
    expected = answers(q, engine)
    with joblib.parallel_config(**{"n_jobs": 2} | options):
        found = answers(q, engine)
    for one, other in zip(found, expected, strict=True):
        close(one, other)


def test_tasks_can_go_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cluster backend of joblib needs: tasks and results that survive pickling, and no shared arrays."""
    q = ask("matrices")
    engine = DensityMatrixEngine(q.table)
    expected = answers(q, engine)

    def distant(function, tasks):
        for task in tasks:
            moved, arguments = loads(dumps((function, task)))
            yield loads(dumps(moved(*arguments)))

    for module in ("_density", "_matrices", "_blockwise"):
        monkeypatch.setattr(f"qkernels.engines.{module}.run_tasks", distant)
    monkeypatch.setattr("qkernels.engines._density.shares_memory", lambda: False)
    for one, other in zip(answers(q, engine), expected, strict=True):
        close(one, other)
