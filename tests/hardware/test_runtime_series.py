"""Series of a ledger: who takes which, on which qubits, with which seed, and what a plan says where none fits."""

from __future__ import annotations

import copy
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qkernels import CPMap, ExpectationProgram, ZZFeatureMap
from qkernels._errors import ExecutionError
from qkernels.engines import clear_cache
from qkernels_hardware import Budget, Ledger, RuntimeEngine
from qkernels_hardware.routing import _routing
from qkernels_hardware.runtime import _transpiled
from tests.hardware.kill_client import make_engine
from tests.hardware.runtime_cases import blocks_of, entries_of, program_of, rows
from tests.loopback.devices import Device
from tests.loopback.handle import Loopback

ZZ = program_of(ZZFeatureMap(), 2)
X = rows(6, 2)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def manila(folder: Path, **options: Any) -> RuntimeEngine:
    settings = {"shots": 100, "seed": 0, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine("fake_manila", **(settings | options))


def series_of(path: Path) -> list[int]:
    with Ledger.open(path, read_only=True) as ledger:
        return [one.generation for one in ledger.all_series()]


# Generations ----------------------------------------------------------------------------------------------------


def test_an_engine_keeps_its_series_when_another_one_opens_a_new_one(tmp_path: Path) -> None:
    one = manila(tmp_path)
    one.overlaps(ZZ, X[:4])
    manila(tmp_path, layout="refresh").overlaps(ZZ, X[:5])
    found = one.overlaps(ZZ, X)
    assert found.info["series"] == "1, generation 1"
    entries = {n: sum(b.entries for b in blocks_of(one.ledger_path) if b.series == n) for n in (1, 2)}
    assert entries == {1: 21, 2: 15}


def test_an_engine_made_after_a_new_layout_mixes_in_nothing_of_the_old_series(tmp_path: Path) -> None:
    manila(tmp_path).overlaps(ZZ, X[:4])
    new = manila(tmp_path, layout="refresh").overlaps(ZZ, X).values
    found = manila(tmp_path).overlaps(ZZ, X)
    assert found.info["series"] == "2, generation 2"
    assert np.array_equal(found.values, new)


@pytest.mark.slow
def test_expectations_of_an_engine_made_after_a_new_layout_are_the_new_ones(tmp_path: Path) -> None:
    feature_map = ZZFeatureMap()
    program = ExpectationProgram(feature_map.build(2), x=feature_map.parameter_vector(2), observables=["ZI", "XX"])
    manila(tmp_path).expectations(program, X)
    new = manila(tmp_path, layout="refresh").expectations(program, X).values
    assert np.array_equal(manila(tmp_path).expectations(program, X).values, new)


def test_a_pickled_engine_keeps_its_series(tmp_path: Path) -> None:
    one = manila(tmp_path)
    one.overlaps(ZZ, X[:4])
    kept = pickle.dumps(one)
    manila(tmp_path, layout="refresh").overlaps(ZZ, X[:2])
    assert pickle.loads(kept).overlaps(ZZ, X).info["series"] == "1, generation 1"


def test_an_engine_whose_ledger_is_another_one_takes_the_series_of_that(tmp_path: Path) -> None:
    manila(tmp_path).overlaps(ZZ, X[:2])
    one = manila(tmp_path, layout="refresh")
    one.overlaps(ZZ, X[:2])
    plain = manila(tmp_path)
    assert plain.overlaps(ZZ, X[:2]).info["series"] == "2, generation 2"
    one.ledger_path.unlink()
    assert plain.overlaps(ZZ, X[:3]).info["series"] == "1, generation 1"


def interrupted(engine: RuntimeEngine) -> None:
    """An engine whose process ends when the first of its blocks is measured."""

    def stop(step: str, block: object) -> None:
        if step == "done":
            raise KeyboardInterrupt

    engine.watch = stop
    with pytest.raises(KeyboardInterrupt):
        engine.overlaps(ZZ, X[:4])


@pytest.mark.slow
def test_a_new_layout_that_was_the_first_one_goes_on_after_an_interruption(tmp_path: Path) -> None:
    def refreshing() -> RuntimeEngine:
        return manila(tmp_path, layout="refresh", block_executions=200)

    interrupted(refreshing())
    refreshing().overlaps(ZZ, X[:4])
    assert series_of(tmp_path / "ledger.sqlite") == [1]
    assert entries_of(tmp_path / "ledger.sqlite") == 10


def test_results_of_a_new_layout_are_read_while_another_one_writes(tmp_path: Path) -> None:
    one = manila(tmp_path, layout="refresh")
    whole = one.overlaps(ZZ, X[:4]).values
    with Ledger.open(one.ledger_path):
        assert np.array_equal(one.overlaps(ZZ, X[:3]).values, whole[:3, :3])


@pytest.mark.slow
def test_a_new_layout_does_not_go_on_with_an_interrupted_old_one(tmp_path: Path) -> None:
    interrupted(manila(tmp_path, block_executions=200))
    found = manila(tmp_path, layout="refresh").overlaps(ZZ, X[:4])
    assert found.info["series"] == "2, generation 2"


def test_readout_errors_are_those_of_the_results_when_the_ledger_was_removed(tmp_path: Path) -> None:
    one = manila(tmp_path)
    one.overlaps(ZZ, X[:3], need={"bits"})
    one.ledger_path.unlink()
    assert one.overlaps(ZZ, X[:3], need={"bits"}).info["series"] == "1, generation 1"
    assert entries_of(one.ledger_path) == 6  # an answer without its ledger is none: it was measured again


def test_a_ledger_at_the_same_path_gives_its_own_results(tmp_path: Path) -> None:
    other = manila(tmp_path, ledger=tmp_path / "other.sqlite", seed=None)
    one = manila(tmp_path, seed=None)
    expected, first = other.overlaps(ZZ, X[:3]).values, one.overlaps(ZZ, X[:3]).values
    one.ledger_path.unlink()
    shutil.rmtree(f"{one.ledger_path}.results")
    other.ledger_path.rename(one.ledger_path)
    Path(f"{other.ledger_path}.results").rename(f"{one.ledger_path}.results")
    assert not np.array_equal(first, expected)
    assert np.array_equal(one.overlaps(ZZ, X[:3]).values, expected)


# Stored circuits ------------------------------------------------------------------------------------------------


def test_nothing_is_transpiled_where_the_ledger_has_the_circuit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manila(tmp_path).overlaps(ZZ, X[:3])

    def refuse(*_: object) -> None:
        raise AssertionError("transpiled again")

    monkeypatch.setattr(_routing, "transpile_for", refuse)
    _transpiled._routed.cache_clear()  # as in a new process
    one = manila(tmp_path, budget=Budget(qpu_seconds=60))
    assert one.plan(ZZ, X).held_entries == 6
    one.overlaps(ZZ, X)
    assert entries_of(one.ledger_path) == 21


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"tiles": 2}, {"barrier": True}], ids=["plain", "tiles", "barrier"])
def test_a_plan_describes_a_stored_circuit_as_it_did_before(options: dict[str, Any], tmp_path: Path) -> None:
    one = RuntimeEngine("fake_fez", shots=16, seed=0, ledger=tmp_path / "ledger.sqlite", **options)
    before = one.plan(ZZ, X)
    one.overlaps(ZZ, X[:2])
    after = one.plan(ZZ, X)
    assert after.routed == before.routed
    own = "with_barrier" if options.get("barrier") else "without_barrier"
    assert getattr(after, own) == getattr(before, own)


def test_fidelities_are_those_of_the_best_and_the_worst_tile() -> None:
    one = RuntimeEngine("fake_fez", shots=16, tiles=3)
    routed, target = one.circuit(ZZ), one.backend.target
    found = []
    for tile in routed.layout:
        product = 1.0
        for item in routed.measured.circuit.data:
            qubits = tuple(routed.measured.circuit.find_bit(q).index for q in item.qubits)
            if set(qubits) <= set(tile) and item.operation.name != "barrier":
                product *= 1.0 - (target[item.operation.name][qubits].error or 0.0)
        found.append(product)
    assert (routed.fidelity, routed.worst_fidelity) == pytest.approx((max(found), min(found)), rel=1e-9)


# A device that changes --------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], None]


def on_calibration(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Let the served device change with its next calibration."""
    served = Device.properties

    def properties(self: Device, name: str, calibration: int) -> dict[str, Any]:
        found = copy.deepcopy(served(self, name, calibration))
        if calibration:
            change(found)
        return found

    monkeypatch.setattr(Device, "properties", properties)


def spoil_couplers(properties: dict[str, Any]) -> None:
    """Couplers of qubits 3 and 4 get errors of 0.4."""
    for gate in properties["gates"]:
        if len(gate["qubits"]) == 2 and {3, 4} & set(gate["qubits"]):
            for entry in gate["parameters"]:
                entry["value"] = 0.4 if entry["name"] == "gate_error" else entry["value"]


def lose_coupler(properties: dict[str, Any]) -> None:
    """The coupler of qubits 3 and 4 is out of order."""
    for gate in properties["gates"]:
        if sorted(gate["qubits"]) == [3, 4]:
            gate["parameters"].append(
                {"name": "operational", "date": properties["last_update_date"], "unit": "", "value": 0}
            )


@pytest.mark.parametrize("by_name", [True, False], ids=["name", "object"])
def test_a_new_layout_is_that_of_the_device_now(
    by_name: bool, loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, spoil_couplers)
    backend: Any = "ibm_manila" if by_name else loopback.service().backend("ibm_manila")
    path = tmp_path / "ledger.sqlite"
    assert make_engine(path, backend).overlaps(ZZ, X[:2]).info["layout"] == "(4, 3)"
    loopback.calibrate("ibm_manila")
    found = make_engine(path, backend, layout="refresh").overlaps(ZZ, X[:2])
    assert set(str(found.info["layout"])) & {"3", "4"} == set()


def test_an_engine_that_was_open_before_routes_new_programs_on_the_device_now(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, spoil_couplers)
    one, other = make_engine(tmp_path / "ledger.sqlite"), program_of(ZZFeatureMap(reps=1), 2)
    one.overlaps(ZZ, X[:2])
    loopback.calibrate("ibm_manila")
    planned = one.plan(other, X[:2])
    assert planned.routed is not None
    found = one.overlaps(other, X[:2])
    assert set(str(found.info["layout"])) & {"3", "4"} == set()
    assert str(planned.routed.layout[0]) == found.info["layout"]


def test_a_layout_that_is_handed_on_is_that_of_the_device_now(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, spoil_couplers)
    one, other = make_engine(tmp_path / "ledger.sqlite"), program_of(ZZFeatureMap(reps=1), 2)
    one.overlaps(ZZ, X[:2])
    loopback.calibrate("ibm_manila")
    handed_on = one.with_layout_of(other)  # nothing else has asked for the calibration yet
    assert set(handed_on.circuit(ZZ).layout[0]) & {3, 4} == set()


def test_a_plan_describes_the_stored_circuit_and_not_the_one_of_today(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, spoil_couplers)
    path = tmp_path / "ledger.sqlite"
    make_engine(path).overlaps(ZZ, X[:2])
    loopback.calibrate("ibm_manila")
    plan = make_engine(path).plan(ZZ, X)
    assert plan.routed is not None
    assert plan.routed.layout == ((4, 3),)
    cx = 0.6**plan.routed.two_qubit_gates  # six of 1 − 0.4; what else has errors makes it smaller
    assert 0.8 * cx < plan.routed.fidelity < cx
    assert plan.calibration_now > plan.calibration


def test_a_stored_circuit_that_the_device_has_lost_is_not_submitted(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, lose_coupler)
    path = tmp_path / "ledger.sqlite"
    one = make_engine(path)
    one.overlaps(ZZ, X[:2])
    loopback.calibrate("ibm_manila")
    jobs = len(loopback.jobs())
    plan = make_engine(path).plan(ZZ, X)
    assert not plan.feasible
    assert "no 'cx' on qubits [4, 3]" in plan.reason
    for engine in (one, make_engine(path)):  # one that read the device before, and one that reads it now
        with pytest.raises(ExecutionError, match=r"circuit of series 1 .*no 'cx' on qubits \[4, 3\].*layout='refresh'"):
            engine.overlaps(ZZ, X)
    assert len(loopback.jobs()) == jobs
    assert entries_of(path) == sum(block.entries for block in blocks_of(path))  # nothing is planned that cannot run
    assert make_engine(path, layout="refresh").overlaps(ZZ, X).info["layout"] != "(4, 3)"


def test_what_the_ledger_holds_of_a_lost_circuit_is_read(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, lose_coupler)
    path = tmp_path / "ledger.sqlite"
    before = make_engine(path).overlaps(ZZ, X[:3]).values
    loopback.calibrate("ibm_manila")
    clear_cache()
    one = make_engine(path)
    assert one.plan(ZZ, X[:3]).feasible
    assert np.array_equal(one.overlaps(ZZ, X[:3]).values, before)


def test_a_block_that_was_planned_before_the_device_lost_its_circuit_is_not_submitted(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_calibration(monkeypatch, lose_coupler)
    path = tmp_path / "ledger.sqlite"
    one = make_engine(path)

    def stop(step: str, block: object) -> None:
        if step == "checked":  # the first of several blocks is submitted
            raise KeyboardInterrupt

    one.watch = stop
    with pytest.raises(KeyboardInterrupt):
        one.overlaps(ZZ, X)
    loopback.wait("Completed")
    loopback.calibrate("ibm_manila")
    with pytest.raises(ExecutionError, match="circuit of series 1"):
        make_engine(path).collect()
    assert len(loopback.jobs()) == 1
    assert entries_of(path) == 4  # what was there was collected all the same


# Seeds of models --------------------------------------------------------------------------------------------------


def test_an_engine_without_a_seed_goes_on_with_the_series_of_another_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    first = manila(tmp_path, seed=None)
    first.overlaps(ZZ, X[:4])
    clear_cache()
    found = manila(tmp_path, seed=None).overlaps(ZZ, X)
    assert series_of(path) == [1]
    assert entries_of(path) == 21
    assert found.info["seed"] == first.seed


def test_a_resumed_run_without_a_seed_is_the_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([11, 22, 11])  # by the process that is killed, by the next one, and by one that is left alone
    monkeypatch.setattr("qkernels.engines._simulation.secrets.randbelow", lambda _: next(drawn))

    def engine(name: str) -> RuntimeEngine:
        return RuntimeEngine("aer_simulator", shots=100, ledger=tmp_path / name, block_executions=500)

    def stop(step: str, block: object) -> None:
        if step == "done":
            raise KeyboardInterrupt

    first = engine("killed.sqlite")
    first.watch = stop
    with pytest.raises(KeyboardInterrupt):
        first.overlaps(ZZ, X[:4])
    assert entries_of(first.ledger_path) == 5
    clear_cache()
    resumed = engine("killed.sqlite").overlaps(ZZ, X[:4]).values
    clear_cache()
    assert np.array_equal(engine("other.sqlite").overlaps(ZZ, X[:4]).values, resumed)


def test_the_seed_that_an_engine_shows_gives_its_values_again(tmp_path: Path) -> None:
    drawn = manila(tmp_path, ledger=tmp_path / "drawn.sqlite", seed=None)
    given = manila(tmp_path, ledger=tmp_path / "given.sqlite", seed=drawn.seed)
    assert np.array_equal(drawn.overlaps(ZZ, X[:4]).values, given.overlaps(ZZ, X[:4]).values)


def test_seeds_that_were_given_have_series_of_their_own(tmp_path: Path) -> None:
    for seed in (0, 1, None):
        manila(tmp_path, seed=seed).overlaps(ZZ, X[:2])
    with Ledger.open(tmp_path / "ledger.sqlite", read_only=True) as ledger:
        assert len({one.key for one in ledger.all_series()}) == 3


# What a plan says -------------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "shots": ({"shots": 128}, r"with 100 shots, but not with 128"),
    "seed": ({"seed": 3}, r"other settings \(seed: 0 there, 3 here\)"),
    "no seed": ({"seed": None}, r"seed: 0 there, none given here"),
    "tiles": ({"tiles": 2}, r"tiles: 1 there, 2 here"),
    "barrier": ({"barrier": True}, r"barrier: False there, True here"),
    "layout": ({"layout": (0, 1)}, r"layout: auto there, \[0, 1\] here"),
    "options": ({"options": {"twirling": {"enable_gates": True}}}, r'options: {} there, .*"enable_gates": true.* here'),
    "resilience": ({"options": {"resilience_level": 1}}, r"\(options: {} there, {\"resilience_level\": 1} here\)"),
    "several": ({"seed": 3, "barrier": True}, r"\(barrier: False there, True here; seed: 0 there, 3 here\)"),
    "refresh": ({"layout": "refresh"}, r"layout='refresh' opens a series of its own"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_says_which_setting_keeps_it_from_what_the_ledger_has(name: str, tmp_path: Path) -> None:
    changes, text = CHANGES[name]
    settings: dict[str, Any] = {"shots": 100, "seed": 0, "ledger": tmp_path / "ledger.sqlite"}
    RuntimeEngine("fake_fez", **settings).overlaps(ZZ, X[:1])
    notes = RuntimeEngine("fake_fez", **(settings | changes)).plan(ZZ, X[:2]).notes
    assert len(notes) == 1
    assert "all entries are new" in notes[0]
    assert re.search(text, notes[0]), notes[0]


def test_a_plan_says_that_the_ledger_is_of_another_circuit(tmp_path: Path) -> None:
    manila(tmp_path).overlaps(ZZ, X[:2])
    (note,) = manila(tmp_path).plan(program_of(CPMap(), 2), X[:2]).notes
    assert "measurements of 1 circuit(s), but not of this one" in note


def test_a_plan_says_that_the_ledger_is_of_another_device(tmp_path: Path) -> None:
    manila(tmp_path).overlaps(ZZ, X[:2])
    other = RuntimeEngine("fake_fez", shots=100, seed=0, ledger=tmp_path / "ledger.sqlite")
    (note,) = other.plan(ZZ, X[:2]).notes
    assert "(backend: fake_manila there, fake_fez here)" in note


def test_a_plan_says_first_that_rows_are_new(tmp_path: Path) -> None:
    manila(tmp_path).overlaps(ZZ, X[:2])
    (note,) = manila(tmp_path).plan(ZZ, X[2:]).notes
    assert note.startswith("the ledger has measured this circuit before, but these rows are not among those measured")


def test_a_plan_takes_nothing_for_measured_that_is_only_planned(tmp_path: Path) -> None:
    def stop(step: str, block: object) -> None:
        raise KeyboardInterrupt

    one = manila(tmp_path)
    one.watch = stop
    with pytest.raises(KeyboardInterrupt):
        one.overlaps(ZZ, X[:2])
    assert manila(tmp_path).plan(ZZ, X[2:]).notes == ()
    assert manila(tmp_path, seed=1).plan(ZZ, X[2:]).notes == ()


def test_a_plan_on_a_series_without_blocks_names_the_settings(tmp_path: Path) -> None:
    manila(tmp_path).overlaps(ZZ, X[:2])
    poor = manila(tmp_path, seed=1, budget=Budget(qpu_seconds=0.1))
    with pytest.raises(Exception, match="Budget"):
        poor.overlaps(ZZ, X[:2])
    (note,) = poor.plan(ZZ, X[:2]).notes
    assert "seed: 0 there, 1 here" in note
