"""The benchmarks at tiny sizes: everything runs and agrees, records are well-formed, wrong answers get no time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Statevector, state_fidelity

from benchmarks import __main__ as program
from benchmarks._competitors import GateList
from benchmarks._harness import (
    Case,
    Check,
    Contender,
    Goal,
    Missing,
    Result,
    Row,
    Values,
    canonical_rows,
    compare,
    difference_of,
    judge,
    judge_value,
    load,
    run_child,
    uniform_rows,
)
from benchmarks._noisy_competitors import transpiled_as_engine, transpiled_by_user
from benchmarks._report import Neighbours
from benchmarks.gram_zz import layer_phases, zz_gates
from benchmarks.user_circuit import user_circuit
from benchmarks.wide_mps import transfer_sum
from qkernels import OverlapProgram, ZZFeatureMap
from qkernels.programs import is_canonical, row_keys
from qkernels_hardware import AerEngine


def strict(text: str) -> Any:
    """Parse JSON that has no NaN and no infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


QUICKEST = ("adaptive_shots", "noisy_scaling", "placement", "runtime_submission", "wide_mps")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICKEST else pytest.mark.slow) for name in program.CASES]
)
def test_case_runs_and_agrees(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([name, "--quick", "--output", str(tmp_path)]) == 0
    assert name in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]
    record = strict((tmp_path / f"{name}.json").read_text())
    assert record["case"] == name
    assert record["sizes"] == dict(program.CASES[name].quick)
    assert set(record["machine"]) >= {"processor", "cores", "python", "blas_threads"}
    assert record["versions"]["numpy"] == np.__version__
    assert record["rows"]
    for row in record["rows"]:
        if "not installed" in row["note"]:
            assert row["theirs"] is None
            assert row["met"] is None
            continue
        assert row["check"]["passed"]
        assert row["check"]["difference"] <= 1e-10
        assert math.isfinite(row["ours"]) if row["unit"] == "exponent" else row["ours"] > 0


@pytest.mark.slow
def test_search_evaluates_what_the_goal_says(tmp_path: Path) -> None:
    """In a process of its own, as a user runs it: worker processes of other tests are not its workers."""
    command = [sys.executable, "-m", "benchmarks", "grid_search", "--quick", "--output", str(tmp_path)]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True)
    rows = strict((tmp_path / "grid_search.json").read_text())["rows"]
    assert [row["ours"] for row in rows] == [30, 30]
    assert [row["met"] for row in rows] == [True, True]
    assert [row["theirs"] for row in rows] == [120, 120]


def test_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        program.main(["gram_zzz"])
    assert stopped.value.code == 2
    assert "unknown case 'gram_zzz'" in capsys.readouterr().err


@pytest.mark.slow
def test_quick_runs_write_no_record_unless_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "RECORDS", tmp_path)
    monkeypatch.setattr(program, "CASES", {"stub": stub(lambda X: X)})
    assert program.main(["--quick"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert program.main([]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["stub.json"]


# A wrong answer has no time -------------------------------------------------------------------------------------


def stub(theirs: Callable[[Values], Values]) -> Case:
    """A case whose own answer is X itself."""
    ours = Contender("ours", lambda X: lambda: X)
    rival = Contender("theirs", lambda X: lambda: theirs(X), {"option": 1})

    def run(sizes: object) -> Result:
        seconds, differences = compare(ours, [rival], uniform_rows(3, 2), rounds=3)
        return Result(judge("copy", ours, [(rival, Goal("ratio", 1e9))], seconds, differences), {"seconds": seconds})

    return Case("stub", "What does a copy cost?", run, full={"rows": 3}, quick={"rows": 3})


def with_nan(X: Values) -> Values:
    return np.where(X.max() == X, np.nan, X)


@pytest.mark.parametrize("wrong", [lambda X: X + 1e-6, with_nan], ids=["off by 1e-6", "nan"])
def test_failed_check_reports_no_time(
    wrong: Callable[[Values], Values], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "CASES", {"stub": stub(wrong)})
    assert program.main(["--output", str(tmp_path)]) == 1
    (row,) = strict((tmp_path / "stub.json").read_text())["rows"]
    assert (row["ours"], row["theirs"], row["ratio"], row["met"]) == (None, None, None, False)
    assert row["check"]["passed"] is False


def test_one_wrong_round_fails_the_check() -> None:
    calls = []

    def sometimes(X: Values) -> Values:
        calls.append(X)
        return X + (len(calls) == 3)

    assert stub(sometimes).run({}).rows[0].met is False


def test_right_answer_has_a_time_and_its_settings() -> None:
    (row,) = stub(lambda X: X + 1e-12).run({}).rows
    assert row.met is True
    assert row.ratio is not None
    assert row.settings == {"option": 1}


def test_failed_value_is_withheld() -> None:
    row = judge_value("peak", "bound", "B", 1.0, Goal("value", 2.0), Check(1e-3, "other"), theirs=3.0)
    assert (row.ours, row.theirs, row.met) == (None, None, False)


def frequencies(shift: float, shots: int = 400) -> Case:
    """A case whose rival counts shots of values that are off by `shift`."""
    ours = Contender("ours", lambda X: lambda: np.full_like(X, 0.5))

    def draw(X: Values) -> Values:
        return np.random.default_rng(0).binomial(shots, 0.5 + shift, size=X.shape) / shots

    rival = Contender("theirs", lambda X: lambda: draw(X), shots=shots)

    def run(sizes: object) -> Result:
        seconds, differences = compare(ours, [rival], uniform_rows(30, 3), rounds=1)
        return Result(judge("counts", ours, [(rival, None)], seconds, differences), {"note": "Counts are noisy."})

    return Case("counts", "What do counts cost?", run, full={}, quick={})


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.2], ids=["right", "wrong"])
def test_counts_are_held_against_exact_values(
    shift: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "CASES", {"counts": frequencies(shift)})
    assert program.main(["--output", str(tmp_path)]) == (1 if shift else 0)
    (row,) = strict((tmp_path / "counts.json").read_text())["rows"]
    assert row["check"]["sampled"]
    assert row["check"]["passed"] is not bool(shift)
    assert (row["ours"] is None) is bool(shift)
    written = capsys.readouterr()
    assert ("within shot noise" in written.out) is not bool(shift)
    assert "counts: Counts are noisy." in written.out
    assert ("theirs: Kernel matrices differ" in written.err) is bool(shift)


def test_values_that_are_no_frequencies_have_no_time() -> None:
    assert difference_of(np.array([0.5, np.nan]), np.array([0.5, 0.5]), shots=4) == math.inf
    assert difference_of(np.array([0.3]), np.array([0.3]), shots=4) == math.inf
    assert difference_of(np.array([0.25]), np.array([0.5]), shots=4) == 0.0


def test_missing_competitor_is_a_row_without_numbers() -> None:
    assert load("no_such_package_of_anybody") is None
    ours = Contender("ours", lambda X: lambda: X)
    (row,) = judge("q", ours, [(Missing("qulacs loop", "qulacs"), Goal("speedup", 4.0))], {"ours": [1.0]}, {})
    assert (row.ours, row.theirs, row.met, row.note) == (1.0, None, None, "qulacs is not installed")


# The harness ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "ours", "theirs", "met"),
    [
        (Goal("ratio", 4.0), 4.0, 1.0, True),
        (Goal("ratio", 4.0), 4.1, 1.0, False),
        (Goal("speedup", 10.0), 1.0, 10.0, True),
        (Goal("speedup", 10.0), 1.0, 9.9, False),
        (Goal("value", 3.0), 2.9, None, True),
        (Goal("value", 3.0), 3.1, None, False),
        (Goal("count", 30), 30, 120, True),
        (Goal("count", 30), 29, 120, False),
        (Goal("about", 1.0, within=0.1), 0.91, None, True),
        (Goal("about", 1.0, within=0.1), 1.11, None, False),
        (Goal("about", 1.0, within=0.1), float("nan"), None, False),
    ],
    ids=lambda value: f"{value.kind} {value.bound:g}" if isinstance(value, Goal) else None,
)
def test_goals(goal: Goal, ours: float, theirs: float | None, met: bool) -> None:
    assert Row("q", "them", "s", ours, theirs, goal, None).met is met


def test_ratio_is_the_one_the_goal_speaks_of() -> None:
    assert Row("q", "them", "s", 1.0, 4.0, Goal("ratio", 1.0), None).ratio == 0.25
    assert Row("q", "them", "s", 1.0, 4.0, Goal("speedup", 1.0), None).ratio == 4.0


@pytest.mark.slow
def test_rounds_have_new_rows_and_contenders_may_stop_early() -> None:
    seen: list[tuple[str, float]] = []

    def contender(name: str, rounds: int | None = None) -> Contender:
        def prepare(X: Values) -> Callable[[], Values]:
            seen.append((name, float(X[0, 0])))
            return lambda: X

        return Contender(name, prepare, rounds=rounds)

    seconds, _ = compare(contender("a"), [contender("b"), contender("c", 1)], uniform_rows(2, 2), rounds=3)
    assert {name: len(samples) for name, samples in seconds.items()} == {"a": 3, "b": 3, "c": 1}
    assert [name for name, _ in seen] == ["a", "b", "c", *"abc", *"ba", *"ab"]  # a warm-up, then the order rotates
    assert len({value for name, value in seen if name == "a"}) == 4  # nothing but the program can be cached
    assert {value for name, value in seen if name == "b"} == {value for name, value in seen if name == "a"}


def test_other_work_is_seen_where_the_system_tells() -> None:
    with Neighbours() as neighbours:
        sum(range(10**6))  # own work does not count
    assert neighbours.cores is None or 0 <= neighbours.cores <= (os.cpu_count() or 1)


def test_failing_child_says_why() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'qubits'"):
        run_child("benchmarks.memory", {})


# The same circuit for everybody ---------------------------------------------------------------------------------


def states(gates: GateList, X: Values) -> list[Statevector]:
    circuit, parameters = gates.circuit()
    return [Statevector(circuit.assign_parameters(dict(zip(parameters, a, strict=True)))) for a in gates.angles(X)]


@pytest.mark.parametrize("rzz", [False, True], ids=["cx", "rzz"])
def test_zz_gates_are_the_map(rzz: bool) -> None:
    X = np.random.default_rng(1).uniform(-1, 1, size=(3, 4))
    circuit = ZZFeatureMap(reps=2, entanglement="full").build(4)
    for x, state in zip(X, states(zz_gates(4, rzz=rzz), X), strict=True):
        assert state_fidelity(state, Statevector(circuit.assign_parameters(x))) == pytest.approx(1, abs=1e-12)


def test_diagonals_by_hand_are_the_map() -> None:
    X = np.random.default_rng(1).uniform(-1, 1, size=(1, 3))
    circuit = ZZFeatureMap(reps=1, entanglement="full").build(3)
    by_hand = Statevector(np.exp(1j * layer_phases(X)[0]) / np.sqrt(8))
    assert state_fidelity(by_hand, Statevector(circuit.assign_parameters(X[0]))) == pytest.approx(1, abs=1e-12)


def test_user_circuit_gates_are_the_circuit() -> None:
    circuit, x, gates = user_circuit(4, 6)
    assert circuit.depth() == 12
    X = np.random.default_rng(1).uniform(-1, 1, size=(3, 4))
    for row, state in zip(X, states(gates, X), strict=True):
        bound = circuit.assign_parameters(dict(zip(x, row, strict=True)))
        assert state_fidelity(state, Statevector(bound)) == pytest.approx(1, abs=1e-12)


def test_transfer_sum_is_the_overlap_of_states() -> None:
    X, Y = np.random.default_rng(1).uniform(-1, 1, size=(2, 3, 5))
    circuit = ZZFeatureMap(reps=2, entanglement="linear").build(5)
    expected = [
        state_fidelity(Statevector(circuit.assign_parameters(x)), Statevector(circuit.assign_parameters(y)))
        for x, y in zip(X, Y, strict=True)
    ]
    np.testing.assert_allclose(transfer_sum(X, Y), expected, atol=1e-12)


# Under noise ----------------------------------------------------------------------------------------------------


def test_canonical_rows_are_the_rows_in_canonical_order() -> None:
    feature_map = ZZFeatureMap(reps=1)
    overlap = OverlapProgram(feature_map.build(2), feature_map.parameter_vector(2))
    plain = uniform_rows(12, 2)
    X = canonical_rows(overlap, plain)(3)
    np.testing.assert_array_equal(np.sort(X, axis=0), np.sort(plain(3), axis=0))
    keys = row_keys(overlap.bind_angles(X), overlap.key)
    i, j = np.triu_indices(12)
    assert is_canonical(keys[i], keys[j]).all()


def test_both_ways_to_run_aer_by_hand_agree_and_know_their_errors() -> None:
    """Transpiled by Qiskit alone and as our engine did; states of trace 1, mixed; readout lowers the diagonal."""
    feature_map = ZZFeatureMap(reps=1, entanglement="linear")
    circuit, x = feature_map.build(2), feature_map.parameter_vector(2)
    overlap, engine = OverlapProgram(circuit, x), AerEngine("fake_manila")
    by_user = transpiled_by_user(circuit, x, "fake_manila", engine.circuit(overlap).layout)
    as_engine = transpiled_as_engine(engine, overlap, "fake_manila")
    X, Y = np.random.default_rng(1).uniform(-1, 1, size=(2, 3, 2))
    for readout in (True, False):
        values = by_user.probabilities(X, Y, readout=readout)
        np.testing.assert_allclose(values, as_engine.probabilities(X, Y, readout=readout), atol=1e-10)
    assert (by_user.probabilities(X, X) < by_user.probabilities(X, X, readout=False) - 1e-3).all()
    rho = by_user.density_matrices(X)
    np.testing.assert_allclose(np.trace(rho, axis1=1, axis2=2), 1, atol=1e-10)
    purity = np.einsum("nab,nba->n", rho, rho).real
    pure = [Statevector(circuit.assign_parameters(a)).data for a in X]
    fidelity = np.einsum("na,nab,nb->n", np.conj(pure), rho, pure).real
    assert ((purity > 0.8) & (purity < 1 - 1e-3)).all()
    assert ((fidelity > 0.8) & (fidelity < 1 - 1e-3)).all()
