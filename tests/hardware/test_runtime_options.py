"""Options and settings of a RuntimeEngine: twirling, decoupling, exact angles, blocks, and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import Statevector
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.options_models import SamplerOptions

from qkernels import FidelityKernel, OverlapProgram, ReadoutMitigation, ZZFeatureMap
from qkernels._errors import BudgetError, ExecutionError, InvalidParameterError
from qkernels.engines import clear_cache
from qkernels.testing import assert_kernels_close
from qkernels_hardware import AerEngine, Budget, Ledger, RuntimeEngine
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.service import _local
from qkernels_hardware.service._local import LocalConnection
from qkernels_hardware.work._jobs import Job
from tests.hardware.runtime_cases import blocks_of, exact, program_of, rows


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def engine(folder: Path, backend: object = "fake_manila", **options: object) -> RuntimeEngine:
    settings = {"shots": 200, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine(backend, **(settings | options))  # type: ignore[arg-type]


def zz(d: int = 3) -> OverlapProgram:
    return program_of(ZZFeatureMap(), d)


# Options that change what is measured ---------------------------------------------------------------------------


TWIRLING = {"twirling": {"enable_gates": True, "enable_measure": True}}


def test_twirling_changes_the_number_of_shots(tmp_path: Path) -> None:
    found = engine(tmp_path, shots=1000, options=TWIRLING).overlaps(zz(), rows(3, 3), need={"bits", "weights"})
    assert (found.num_shots == 1024).all()
    assert found.bits.shape == (3, 3, 1024, 1)
    np.testing.assert_allclose((found.values * 1024) % 1.0, 0.0)
    np.testing.assert_allclose((found.bits == 0).all(axis=-1).mean(axis=-1), found.values)
    np.testing.assert_allclose(found.weights.sum(axis=-1), 1.0)
    (block,) = blocks_of(tmp_path / "ledger.sqlite")
    assert (block.shots, block.num_shots) == (1000, 1024)


def test_twirled_halves_of_both_orientations(tmp_path: Path) -> None:
    found = engine(tmp_path, shots=200, options=TWIRLING).overlaps(zz(), rows(2, 3), orientation="both", need={"bits"})
    assert (found.num_shots == found.bits.shape[2]).all()
    assert found.num_shots[0, 1] >= 200


def test_twirled_readout_mitigation(tmp_path: Path) -> None:
    kernel = FidelityKernel(
        ZZFeatureMap(), engine=engine(tmp_path, options=TWIRLING), bandwidth=0.5, corrections=[ReadoutMitigation()]
    )
    assert np.isfinite(kernel.fit_transform(rows(2, 3))).all()


def test_dynamical_decoupling(tmp_path: Path) -> None:
    options = {"dynamical_decoupling": {"enable": True, "sequence_type": "XY4"}}
    found = engine(tmp_path, options=options, shots=500).overlaps(zz(), rows(2, 3))
    assert (np.diag(found.values) > 0.5).all()


@pytest.mark.slow
def test_dynamical_decoupling_simulates_the_whole_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: LocalConnection, circuit: object) -> object:
        raise AssertionError("idle qubits have no delays then")

    monkeypatch.setattr(LocalConnection, "_compact", refuse)
    options = {"dynamical_decoupling": {"enable": True}}
    found = engine(tmp_path, "fake_fez", options=options).overlaps(zz(2), rows(2, 2))
    assert (np.diag(found.values) > 0.5).all()


def test_large_device_is_cut_down_to_the_qubits_in_use(tmp_path: Path) -> None:
    program, X = zz(), rows(3, 3)
    one = engine(tmp_path, "fake_fez", shots=1000, barrier=True)
    layout = one.circuit(program).layout[0]
    expected = AerEngine("fake_fez", layout=layout).overlaps(program, X)
    assert_kernels_close(one.overlaps(program, X), expected)


def test_other_options_are_another_series(tmp_path: Path) -> None:
    program, X = zz(), rows(3, 3)
    engine(tmp_path).overlaps(program, X)
    assert engine(tmp_path, options=TWIRLING).plan(program, X).held_entries == 0
    assert engine(tmp_path, seed=6).plan(program, X).held_entries == 0
    assert engine(tmp_path, shots=201).plan(program, X).held_entries == 0
    assert engine(tmp_path, barrier=True).plan(program, X).held_entries == 0
    assert engine(tmp_path, options={"max_execution_time": 60}).plan(program, X).held_entries == 6
    assert engine(tmp_path, block_executions=400).plan(program, X).held_entries == 6


def test_angles_reach_the_client_unrounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Job] = []
    real = LocalConnection.submit
    monkeypatch.setattr(LocalConnection, "submit", lambda self, job: seen.append(job) or real(self, job))
    decimals: list[int] = []
    monkeypatch.setattr(Sampler, "run", _noting(Sampler.run, decimals))
    program, X = zz(2), rows(3, 2)
    engine(tmp_path, "aer_simulator").overlaps(program, X)
    (job,) = seen
    assert decimals == [12]
    circuit = job.circuit.circuit.remove_final_measurements(inplace=False)
    found = sorted(abs(Statevector(circuit.assign_parameters(list(row))).data[0]) ** 2 for row in job.values)
    np.testing.assert_allclose(found, sorted(exact(program, X)[np.triu_indices(3)]), atol=1e-12)


def _noting(run: object, decimals: list[int]) -> object:
    def replaced(self: Sampler, *given: object, **options: object) -> object:
        decimals.append(self.options.simulator.angle_decimals)
        return run(self, *given, **options)  # type: ignore[operator]

    return replaced


def test_client_rounds_angles_by_default() -> None:
    assert SamplerOptions().simulator.angle_decimals < _local.ANGLE_DECIMALS


# Blocks ---------------------------------------------------------------------------------------------------------


def test_blocks_are_cut_by_executions(tmp_path: Path) -> None:
    X, program = rows(5, 3), zz()
    whole = engine(tmp_path / "whole", "aer_simulator").overlaps(program, X)
    cut = engine(tmp_path / "cut", "aer_simulator", block_executions=800).overlaps(program, X)
    assert [b.entries for b in blocks_of(tmp_path / "cut" / "ledger.sqlite")] == [4, 4, 4, 3]
    assert_kernels_close(whole, exact(program, X))
    assert_kernels_close(cut, exact(program, X))


def test_blocks_have_numbers_of_their_own(tmp_path: Path) -> None:
    """One seed for all jobs would give the same noise to the first entry of each."""
    program = zz(1)
    X = np.full((2, 1), 0.3) + np.array([[0.0], [1e-6]])
    X = np.vstack([X, [[0.9]]])
    one = engine(tmp_path, "aer_simulator", shots=2000, block_executions=2000)
    K = one.overlaps(program, X).values
    assert K[0, 2] != K[1, 2]


@pytest.mark.slow
def test_thousand_pairs(tmp_path: Path) -> None:
    program, X = zz(), rows(45, 3)
    found = engine(tmp_path, "aer_simulator", shots=500).overlaps(program, X)
    assert len(blocks_of(tmp_path / "ledger.sqlite")) == 1
    assert_kernels_close(found, exact(program, X))


def test_bits_that_do_not_fit_into_memory(tmp_path: Path) -> None:
    one = engine(tmp_path, shots=1_000_000, memory_limit=100_000_000)
    with pytest.raises(BudgetError, match="memory_limit of RuntimeEngine is"):
        one.overlaps(zz(), rows(40, 3))
    assert not one.ledger_path.exists()


def test_what_the_ledger_holds_needs_no_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, X = zz(), rows(3, 3)
    values = engine(tmp_path, budget=Budget(jobs=1)).overlaps(program, X).values
    clear_cache()
    again = engine(tmp_path, budget=Budget(jobs=1))
    monkeypatch.setattr(Device, "backend", property(lambda self: pytest.fail("nothing is to be sent")))
    assert (again.overlaps(program, X).values == values).all()


# Refusals -------------------------------------------------------------------------------------------------------


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "shots none": ({"shots": None}, "shots of RuntimeEngine must be an integer >= 1, got None"),
    "shots zero": ({"shots": 0}, "shots of RuntimeEngine must be .* got 0"),
    "shots true": ({"shots": True}, "shots of RuntimeEngine must be .* got True"),
    "backend": ({"backend": 3}, "backend of RuntimeEngine must be the name of a device.*got 3"),
    "model": ({"backend": "fake_manilla"}, "fake_manila"),
    "service": ({"service": object()}, "service of RuntimeEngine must be None for a device model.*got object"),
    "mode": ({"mode": "bach"}, "mode of RuntimeEngine must be 'batch', 'job' or 'session', got 'bach'"),
    "barrier": ({"barrier": 1}, "barrier of RuntimeEngine must be True or False, got 1"),
    "fractional": ({"fractional": "yes"}, "fractional of RuntimeEngine must be True or False, got 'yes'"),
    "level": ({"optimization_level": 1}, "optimization_level of RuntimeEngine must be 2 or 3, got 1"),
    "level true": ({"optimization_level": True}, "optimization_level of RuntimeEngine must be 2 or 3, got True"),
    "budget": ({"budget": 60}, r"budget of RuntimeEngine must be None or a Budget.*got 60"),
    "retry": ({"retry": 3}, "retry of RuntimeEngine must be None or a RetryPolicy; got 3"),
    "tiles": ({"tiles": 0}, "tiles of RuntimeEngine must be an integer from 1 .* got 0"),
    "tiles true": ({"tiles": True}, "tiles of RuntimeEngine must be an integer .* got True"),
    "blocks": ({"block_executions": 20_000_000}, "block_executions .* to 10,000,000 .* got 20000000"),
    "layout word": ({"layout": "best"}, "layout of RuntimeEngine must be 'auto', 'refresh' or .* got 'best'"),
    "layout twice": ({"layout": [0, 0, 1]}, r"layout of RuntimeEngine .* got \[0, 0, 1\]"),
    "layout negative": ({"layout": [0, -1]}, r"layout of RuntimeEngine .* got \[0, -1\]"),
    "ledger": ({"ledger": 7}, "ledger of RuntimeEngine must be a path, 'auto', or None .* got 7"),
    "ledger empty": ({"ledger": " "}, "ledger of RuntimeEngine must be a path"),
    "ledger none": ({"ledger": None, "backend": "ibm_fez"}, "ledger of RuntimeEngine must be a path .* got None"),
    "options type": ({"options": [1]}, "options of RuntimeEngine must be None or a dict .* got list"),
    "options data": ({"options": {"twirling": object()}}, "options of RuntimeEngine must hold plain data only"),
    "option unknown": ({"options": {"twirlin": {}}}, "got 'twirlin'. Did you mean 'twirling'"),
    "option inside": ({"options": {"twirling": {"enable_gate": True}}}, "'twirling.enable_gate'.*'enable_gates'"),
    "option value": ({"options": {"twirling": {"num_randomizations": "many"}}}, "num_randomizations.*got 'many'"),
    "default shots": ({"options": {"default_shots": 5}}, "'default_shots'; got 5. Use shots="),
    "private": ({"options": {"environment": {"private": True}}}, "environment.private=True"),
    "tags": ({"options": {"environment": {"job_tags": ["a"]}}}, "environment.job_tags"),
    "time as a float": (
        {"options": {"max_execution_time": 9.0}},
        "max_execution_time in options of RuntimeEngine must be an integer from 1 to 10800 .* got 9.0",
    ),
    "time as text": ({"options": {"max_execution_time": "9"}}, "max_execution_time .* must be an integer .* got '9'"),
    "time true": ({"options": {"max_execution_time": True}}, "max_execution_time .* must be an integer .* got True"),
    "no time": ({"options": {"max_execution_time": 0}}, "max_execution_time .* must be an integer .* got 0"),
    "too much time": (
        {"options": {"max_execution_time": 10_801}},
        "max_execution_time .* from 1 to 10800 .* got 10801",
    ),
    "time elsewhere": (
        {"options": {"environment": {"max_execution_time": 9}}},
        "must not hold environment.max_execution_time; got 9. Put max_execution_time beside environment",
    ),
    "delay": (
        {"options": {"execution": {"rep_delay": -1}}},
        r"execution\.rep_delay in options of RuntimeEngine must be a finite number >= 0 .* got -1",
    ),
    "measurement": (
        {"options": {"execution": {"meas_type": "kerneled"}}},
        r"execution\.meas_type in options of RuntimeEngine must be 'classified'.* got 'kerneled'",
    ),
    "randomizations": ({"options": {"twirling": {"num_randomizations": 4.0}}}, r"num_randomizations .* got 4\.0"),
    "simulator": (
        {"options": {"simulator": {"angle_decimals": 5}}, "backend": "ibm_fez"},
        "must not hold 'simulator' on a device",
    ),
    "clash": (
        {"fractional": True, "options": {"twirling": {"enable_gates": True}}},
        "twirling",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_settings(name: str) -> None:
    given, message = REFUSED[name]
    settings = {"backend": "fake_manila"} | given
    with pytest.raises(InvalidParameterError, match=message):
        RuntimeEngine(settings.pop("backend"), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layout", "message"),
    [([0, 1], "layout of RuntimeEngine"), ([0, 1, 9], "layout of RuntimeEngine")],
    ids=["short", "no such qubit"],
)
def test_layout_that_does_not_fit(layout: list[int], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        engine(tmp_path, layout=layout).overlaps(zz(), rows(2, 3))


def test_more_shots_than_a_job_takes(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"at most 10,000,000 .* got 1 × 20,000,000"):
        engine(tmp_path, shots=20_000_000).overlaps(zz(), rows(2, 3))


def test_ledger_that_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    content = np.random.default_rng(0).bytes(4096)
    path.write_bytes(content)
    with pytest.raises(ExecutionError, match=r"ledger\.sqlite"):
        engine(tmp_path).overlaps(zz(), rows(2, 3))
    assert path.read_bytes() == content


def test_ledger_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExecutionError, match="file"):
        engine(tmp_path / "file").overlaps(zz(), rows(2, 3))


def test_ledger_in_another_hand(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite"), pytest.raises(ExecutionError, match="one writer"):
        engine(tmp_path).overlaps(zz(), rows(2, 3))


def test_repr_names_what_is_not_default(tmp_path: Path) -> None:
    text = repr(engine(tmp_path, tiles=2, options=TWIRLING))
    for part in ("backend='fake_manila'", "shots=200", "tiles=2", "enable_gates", "ledger.sqlite"):
        assert part in text
    assert "barrier" not in text
