"""Campaigns from plan to export, on device models with few rows and shots."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from qkernels import FidelityKernel, StatevectorEngine
from qkernels._errors import ExecutionError
from qkernels.cli import app
from qkernels.cli._campaign import read_campaign
from qkernels.cli._campaign_run import prepare
from qkernels.cli._ledger_engine import LedgerEngine
from qkernels.engines import clear_cache
from qkernels.testing import assert_kernels_close
from qkernels_hardware import Ledger, RuntimeEngine
from qkernels_hardware.runtime._runner import Runner

TABLES = {
    "data": 'dataset = "iris"\nrows = 10\nfeatures = 2\n',
    "map": 'name = "zz"\n',
    "kernel": 'name = "fidelity"\nbandwidth = 0.5\n',
    "backend": 'name = "fake_manila"\nshots = 64\nblock_executions = 640\n',
}


def write(folder: Path, name: str = "small", **tables: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text("".join(f"[{table}]\n{text}\n" for table, text in (TABLES | tables).items()))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in arguments], catch_exceptions=False)


def start(*arguments: object) -> subprocess.Popen[str]:
    """A command in a process of its own, so that it can be killed."""
    code = (
        "import signal; from qkernels.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it\n"
        "main()"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}, **pipes)  # type: ignore[call-overload, no-any-return]


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} was not said: {seen}, {process.stderr and process.stderr.read()}")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that ran without trouble."""
    campaign = write(tmp_path_factory.mktemp("done"))
    result = run("submit", campaign)
    assert result.exit_code == 0, result.output
    result = run("export", campaign)
    assert result.exit_code == 0, result.output
    return campaign


def load(campaign: Path, ending: str = ".npz") -> dict[str, np.ndarray]:
    with np.load(campaign.with_suffix(ending)) as file:
        return dict(file)


# Plan -----------------------------------------------------------------------------------------------------------------


def test_a_plan_has_both_parts_and_their_sum(tmp_path: Path) -> None:
    campaign = write(tmp_path)
    result = run("plan", campaign)
    assert result.exit_code == 0, result.output
    assert "training matrix\ndevice       fake_manila" in result.stdout
    assert "28, of which the ledger holds 0" in result.stdout
    assert "test block\n" in result.stdout
    assert "together: 49 entries, of which the ledger holds 0; 3,136 new executions in 6 job(s)" in result.stdout
    assert not (tmp_path / "small.sqlite").exists()


def test_a_plan_as_json(tmp_path: Path) -> None:
    result = run("plan", write(tmp_path, budget="qpu_seconds = 100"), "--json")
    found = json.loads(result.stdout)
    assert [part["what"] for part in found["requests"]] == ["training matrix", "test block"]
    assert [part["entries"] for part in found["requests"]] == [28, 21]
    assert found["total"]["entries"] == 49
    assert found["total"]["qpu_seconds"] == pytest.approx(sum(part["qpu_seconds"] for part in found["requests"]))
    assert found["fits"]
    assert found["budget"] == {"qpu_seconds": 100, "jobs": None}


def test_a_plan_knows_what_the_ledger_holds(done: Path) -> None:
    found = json.loads(run("plan", done, "--json").stdout)
    assert found["total"]["held"] == found["total"]["entries"] == 49
    assert found["total"]["jobs"] == found["total"]["qpu_seconds"] == 0


def test_parts_that_fit_alone_are_refused_together(tmp_path: Path) -> None:
    campaign = write(tmp_path, budget="qpu_seconds = 8")
    parts = json.loads(run("plan", campaign, "--json").stdout)["requests"]
    assert all(part["feasible"] for part in parts)
    for command in ("plan", "submit", "resume"):
        result = run(command, campaign)
        assert result.exit_code == 1
        assert "error: qpu_seconds in [budget] is 8, the campaign needs about 12.8 s on fake_manila" in result.stderr
        assert "Nothing was sent. Raise the budget, or:\n- " in result.stderr
        assert "[kernel] name = 'projected'" in result.stderr
    assert not (tmp_path / "small.sqlite").exists()


@pytest.mark.slow
def test_what_no_budget_mends_is_said_without_a_larger_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored circuit that the device cannot run any more."""

    def lost_coupler(*arguments: object) -> None:
        raise ExecutionError("The device has lost a coupler.")

    assert run("submit", write(tmp_path)).exit_code == 0
    campaign = write(tmp_path, data=TABLES["data"].replace("10", "12"), budget="qpu_seconds = 1000")
    monkeypatch.setattr("qkernels_hardware.runtime._planner.check_stored", lost_coupler)
    result = run("plan", campaign)
    assert result.exit_code == 1
    assert "error: The device has lost a coupler. Nothing was sent.\n" in result.stderr


def test_a_budget_of_jobs(tmp_path: Path) -> None:
    result = run("submit", write(tmp_path, budget="jobs = 5"))
    assert result.exit_code == 1
    assert "jobs in [budget] is 5, the campaign needs 6." in result.stderr


def test_larger_blocks_are_proposed_where_they_are_fewer_jobs(tmp_path: Path) -> None:
    result = run("plan", write(tmp_path, budget="qpu_seconds = 8"))  # 6 jobs of 640 executions
    (line,) = [line for line in result.stderr.splitlines() if "block_executions = " in line]
    size = line.split("block_executions = ")[1].split(",")[0]
    assert "2 job(s) instead of 6" in line
    backend = TABLES["backend"].replace("640", size)
    again = run("plan", write(tmp_path, backend=backend, budget="qpu_seconds = 8"))
    assert again.exit_code == 0, again.output
    assert "in 2 job(s)" in again.stdout


def test_larger_blocks_are_not_proposed_where_bases_make_the_jobs(tmp_path: Path) -> None:
    # 7 and 3 rows in three bases: six jobs, however large
    kernel = 'name = "projected"\nbandwidth = 0.5\n'
    backend = TABLES["backend"].replace("640", "2000")
    result = run("plan", write(tmp_path, kernel=kernel, backend=backend, budget="qpu_seconds = 8"))
    assert result.exit_code == 1
    assert "6 job(s)" in result.stdout
    assert "block_executions" not in result.stderr


def test_larger_blocks_of_a_projected_kernel(tmp_path: Path) -> None:
    # 7 rows of 64 shots are 448 executions in each of three bases: two jobs a basis, and one with more room
    kernel = 'name = "projected"\nbandwidth = 0.5\n'
    backend = TABLES["backend"].replace("640", "256")
    result = run("plan", write(tmp_path, kernel=kernel, backend=backend, budget="qpu_seconds = 8"))
    assert "6 job(s) instead of 9" in result.stderr


def test_fewer_shots_that_fit_are_proposed_and_do_fit(tmp_path: Path) -> None:
    backend = 'name = "fake_manila"\nshots = {}\n'
    result = run("plan", write(tmp_path, backend=backend.format(4096), budget="qpu_seconds = 20"))
    (line,) = [line for line in result.stderr.splitlines() if "shots = " in line]
    fewer = int(line.split("shots = ")[1].split(" ")[0])
    assert run("plan", write(tmp_path, backend=backend.format(fewer), budget="qpu_seconds = 20")).exit_code == 0
    more = backend.format(fewer + 50)
    assert run("plan", write(tmp_path, backend=more, budget="qpu_seconds = 20")).exit_code == 1


def way(campaign: Path, words: str) -> dict[str, object]:
    """The alternative of a plan that does not fit whose description has these words."""
    found = json.loads(run("plan", campaign, "--json").stdout)["total"]["alternatives"]
    (one,) = (way for way in found if words in way["what"])
    return dict(one)


def test_a_projected_kernel_costs_what_its_own_plan_says(tmp_path: Path) -> None:
    data, budget = 'dataset = "iris"\nrows = 60\nfeatures = 2\n', "jobs = 1"
    backend = 'name = "aer"\nshots = 64\n'
    other = way(write(tmp_path, data=data, backend=backend, budget=budget), "[kernel] name = 'projected'")
    kernel = 'name = "projected"\nbandwidth = 0.5\n'
    own = json.loads(run("plan", write(tmp_path, data=data, backend=backend, kernel=kernel), "--json").stdout)["total"]
    assert (other["jobs"], other["fits"]) == (own["jobs"], False)
    assert own["jobs"] == 3 + 3  # three bases of the training rows, three of the test rows
    assert other["qpu_seconds"] == pytest.approx(own["qpu_seconds"])


def test_nystroem_features_are_two_jobs_beside_the_test_block(tmp_path: Path) -> None:
    data = 'dataset = "iris"\nrows = 60\nfeatures = 2\n'
    backend = 'name = "aer"\nshots = 64\n'
    campaign = write(tmp_path, data=data, backend=backend, budget="jobs = 1")
    assert way(campaign, "NystroemFeatures")["jobs"] == 2 + 1


# Export ---------------------------------------------------------------------------------------------------------------


def test_what_is_exported(done: Path) -> None:
    found = load(done)
    assert found["K_train"].shape == (7, 7)
    assert found["K_test"].shape == (3, 7)
    assert found["stderr_train"].shape == (7, 7)
    assert found["mask_train"].all()
    assert found["mask_test"].all()
    assert (found["tiles_train"] == 0).all()
    assert set(found["blocks_train"].ravel()) == {1, 2, 3}
    assert set(found["blocks_test"].ravel()) == {4, 5, 6}
    assert dict(zip(found["calibration_blocks"], found["calibration"], strict=True))[1].startswith("2024-05-27")
    assert np.linalg.eigvalsh(found["K_train"]).min() > -1e-10  # repaired by default
    record = json.loads(str(found["provenance"]))
    assert record["campaign"] == done.read_text()
    assert len(record["blocks"]) == 6
    assert record["corrected"]
    assert str(done.parent) not in str(found["provenance"])


def test_it_measures_the_kernel(tmp_path: Path) -> None:
    campaign = write(tmp_path, backend='name = "aer"\nshots = 2000\n', kernel="bandwidth = 0.5\ncorrections = []\n")
    assert run("submit", campaign).exit_code == 0
    result = run("export", campaign)
    assert result.exit_code == 0, result.output
    assert "70 of 70 matrix entries, as measured, without corrections" in result.stdout
    found = load(campaign)
    assert not json.loads(str(found["provenance"]))["corrected"]
    kernel = FidelityKernel(engine=StatevectorEngine(), bandwidth=0.5)
    assert_kernels_close(found["K_train"], kernel(found["X_train"]), shots=2000)
    assert_kernels_close(found["K_test"], kernel(found["X_test"], found["X_train"]), shots=2000)


def test_export_as_csv(done: Path) -> None:
    result = run("export", done, "--output", done.with_suffix(".csv"))
    assert result.exit_code == 0, result.output
    lines = done.with_suffix(".csv").read_text().splitlines()
    assert lines[0] == "part,row,column,label,value,stderr,block,tile,calibration"
    assert len(lines) == 1 + 7 * 7 + 3 * 7
    found = load(done)
    assert float(lines[2].split(",")[4]) == found["K_train"][0, 1]
    assert json.loads(done.with_suffix(".json").read_text())["data"]["name"] == "iris"


@pytest.mark.slow
def test_accuracy_is_said_beside_a_tuned_rbf(tmp_path: Path) -> None:
    campaign = write(tmp_path, data='dataset = "iris"\nrows = 21\nfeatures = 2\n', backend='name = "aer"\nshots = 64\n')
    assert run("submit", campaign).exit_code == 0
    result = run("export", campaign)
    assert "6 test rows: " in result.stdout
    assert "with an RBF kernel on the same features" in result.stdout
    assert "it ranks no kernels" in result.stdout


def test_accuracy_needs_rows(done: Path) -> None:
    assert "no accuracy: a class has fewer than 3 training rows" in run("export", done).stdout


@pytest.mark.parametrize(
    ("output", "message"),
    [("a.txt", "--output must end with .npz or .csv; got 'a.txt'"), ("gone/a.npz", "--output: cannot write")],
    ids=["ending", "folder"],
)
def test_where_it_cannot_be_written(done: Path, output: str, message: str) -> None:
    result = run("export", done, "--output", done.parent / output)
    assert result.exit_code == 1
    assert message in result.stderr


def test_nothing_is_exported_before_it_is_complete(tmp_path: Path) -> None:
    campaign = write(tmp_path)
    for command in ("export", "collect"):
        result = run(command, campaign)
        assert result.exit_code == 1
        assert "nothing was submitted" in result.stderr
    assert not (tmp_path / "small.sqlite").exists()


@pytest.mark.slow
def test_more_rows_measure_what_is_new_and_export_never_does(tmp_path: Path) -> None:
    campaign = write(tmp_path)
    assert run("submit", campaign).exit_code == 0
    blocks = len(Ledger.open(tmp_path / "small.sqlite", read_only=True).blocks())
    # Another share: other rows train, and with them the scaling changes.
    other = TABLES["data"] + "test_share = 0.4\n"
    write(tmp_path, data=other)
    result = run("export", campaign)
    assert result.exit_code == 1
    assert "lacks results: " in result.stderr
    assert f"qkernels resume {campaign.name}" in result.stderr
    with Ledger.open(tmp_path / "small.sqlite", read_only=True) as ledger:
        assert len(ledger.blocks()) == blocks


def test_an_export_after_a_change_says_what_keeps_it_from_the_results(done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(done.parent, folder)
    write(folder, backend=TABLES["backend"].replace("shots = 64", "shots = 128"))
    result = run("export", folder / done.name)
    assert result.exit_code == 1
    assert "with 64 shots, but not with 128" in result.stderr
    assert "resume small.toml`, which measures all of them" in result.stderr
    write(folder, backend=TABLES["backend"] + "seed = 7\n")
    assert "seed: 0 there, 7 here" in run("export", folder / done.name).stderr


def test_a_result_file_that_is_lost_counts_as_missing(done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(done.parent, folder)
    (file,) = (folder / "small.sqlite.results").glob("*000004*")
    file.unlink()
    campaign = folder / done.name
    result = run("export", campaign)
    assert result.exit_code == 1
    assert "lacks results: 10 of 21 of the test block" in result.stderr
    result = run("export", campaign, "--partial")
    assert result.exit_code == 0, result.output
    found, whole = load(campaign, ".partial.npz"), load(done)
    assert (~found["mask_test"]).sum() == 10
    assert (np.isnan(found["K_test"]) == ~found["mask_test"]).all()
    kept = found["mask_test"]
    assert (found["K_test"][kept] == whole["measured_test"][kept]).all()
    assert (found["K_train"] == whole["measured_train"]).all()
    assert "59 of 70 matrix entries, as measured, without corrections" not in result.stdout
    assert "60 of 70 matrix entries, as measured, without corrections" in result.stdout
    assert "no accuracy: results are missing" in result.stdout


def test_a_partial_export_does_not_take_the_place_of_a_whole_one(done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(done.parent, folder)
    campaign = folder / done.name
    (file,) = (folder / "small.sqlite.results").glob("*000004*")
    file.unlink()
    assert run("export", campaign, "--partial").exit_code == 0
    assert (load(campaign)["K_test"] == load(done)["K_test"]).all()
    assert np.isnan(load(campaign, ".partial.npz")["K_test"]).any()


def test_without_any_result_there_is_no_partial_export(done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(done.parent, folder)
    campaign = write(folder, kernel='name = "fidelity"\nbandwidth = 0.7\n')
    result = run("export", campaign, "--partial")
    assert result.exit_code == 1
    assert "has no results of this campaign as it stands now" in result.stderr
    assert not campaign.with_suffix(".partial.npz").exists()


def test_provenance_has_no_blocks_of_other_campaigns(tmp_path: Path) -> None:
    data, ledger = 'dataset = "iris"\nrows = 8\nfeatures = 2\ntest_share = 0\n', 'path = "one.sqlite"\n'
    backend = 'name = "aer"\nshots = {}\noptimization_level = {}\n'
    first = write(tmp_path, "first", data=data, backend=backend.format(16, 3), ledger=ledger)
    second = write(tmp_path, "second", data=data, backend=backend.format(32, 2), ledger=ledger)
    for campaign in (first, second):
        assert run("submit", campaign).exit_code == 0
    assert run("export", second).exit_code == 0
    found = load(second)
    record = json.loads(str(found["provenance"]))
    assert [block["shots"] for block in record["blocks"]] == [32]
    assert len(record["series"]) == 1
    assert {block["id"] for block in record["blocks"]} == set(found["blocks_train"].ravel().tolist())


@pytest.mark.slow
def test_rows_as_they_are_share_measurements(tmp_path: Path) -> None:
    data = 'dataset = "iris"\nscale = false\nrows = 10\ntest_share = {}\n'
    backend = 'name = "aer"\nshots = 16\n'
    campaign = write(tmp_path, data=data.format(0), backend=backend)
    assert run("submit", campaign).exit_code == 0
    write(tmp_path, data=data.format(0.4), backend=backend)
    found = json.loads(run("plan", campaign, "--json").stdout)["total"]
    assert found["entries"] == 6 * 7 // 2 + 4 * 6
    assert found["held"] == found["entries"]


def test_export_reads_while_another_process_writes(done: Path, tmp_path: Path) -> None:
    clear_cache()
    with Ledger.open(done.with_suffix(".sqlite")):
        result = run("export", done, "--output", tmp_path / "found.npz")
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "found.npz") as found:
        assert (found["K_train"] == load(done)["K_train"]).all()


def test_an_engine_of_a_ledger_never_measures(tmp_path: Path) -> None:
    engine = RuntimeEngine("fake_manila", shots=16, ledger=tmp_path / "l.sqlite", seed=0)
    kernel = FidelityKernel(engine=LedgerEngine(engine), bandwidth=0.5)
    X = np.array([[0.1, 0.2], [0.3, 0.4]])
    with pytest.raises(ExecutionError, match="lacks 4 of 4 entries of the training matrix"):
        kernel.fit(X)
    assert not (tmp_path / "l.sqlite").exists()
    whole = FidelityKernel(engine=engine, bandwidth=0.5).fit(X)
    assert (kernel.fit(X).gram_ == whole.gram_).all()
    with pytest.raises(ExecutionError, match="lacks 2 of 2 entries"):
        kernel.transform([[0.5, 0.6]])


KERNELS = {
    "projected": ('name = "projected"\nbandwidth = 0.5\n', 3 * 7),
    "local, reduced": ('name = "local_fidelity"\nform = "reduced"\nbandwidth = 0.5\n', 3 * 7),
    "local": ('name = "local_fidelity"\nbandwidth = 0.5\n', 28),
    "hamming": ('name = "hamming"\nbandwidth = 0.5\ncorrections = ["depolarizing_mitigation"]\n', 28),
    "both directions": ('name = "fidelity"\nbandwidth = 0.5\norientation = "both"\n', 28),
    "all corrections": (
        'name = "fidelity"\ncorrections = ["readout_mitigation", "depolarizing_mitigation", "clip_spectrum"]\n',
        28,
    ),
    "bit flips": ('corrections = ["bit_flip_tolerance", {name = "depolarizing_mitigation", method = "split"}]\n', 28),
}


@pytest.mark.parametrize("case", KERNELS)
def test_the_rehearsal_foresees_everything(tmp_path: Path, case: str) -> None:
    text, circuits = KERNELS[case]
    campaign = write(tmp_path, kernel=text, backend='name = "fake_manila"\nshots = 64\n')
    found = json.loads(run("plan", campaign, "--json").stdout)
    assert found["requests"][0]["executions"] == 64 * circuits
    assert run("submit", campaign).exit_code == 0
    jobs = found["total"]["jobs"]
    with Ledger.open(tmp_path / "small.sqlite", read_only=True) as ledger:
        assert ledger.spent().jobs == jobs
        assert sum(block.executions for block in ledger.blocks()) == found["total"]["executions"]
    result = run("export", campaign)
    assert result.exit_code == 0, result.output
    assert np.isfinite(load(campaign)["K_test"]).all()
    with Ledger.open(tmp_path / "small.sqlite", read_only=True) as ledger:
        assert ledger.spent().jobs == jobs


def test_partial_needs_a_gamma_that_is_not_learned(tmp_path: Path) -> None:
    backend = 'name = "aer"\nshots = 64\nblock_executions = 256\n'
    campaign = write(tmp_path, kernel='name = "projected"\nbandwidth = 0.5\n', backend=backend)
    assert run("submit", campaign).exit_code == 0
    (file,) = (tmp_path / "small.sqlite.results").glob("*000001*")
    file.unlink()
    result = run("export", campaign, "--partial")
    assert result.exit_code == 1
    assert "[kernel] gamma must be a number for a partial export" in result.stderr
    write(tmp_path, kernel='name = "projected"\nbandwidth = 0.5\ngamma = 0.5\n', backend=backend)
    result = run("export", campaign, "--partial")
    assert result.exit_code == 0, result.output
    found = load(campaign, ".partial.npz")
    assert 0 < found["mask_train"].sum() < 49
    assert (np.isnan(found["K_train"]) == ~found["mask_train"]).all()


# Interruptions --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_and_resumed_it_is_the_same(done: Path, tmp_path: Path) -> None:
    campaign = write(tmp_path)
    child = start("submit", campaign)
    read_until(child, "block 1: results stored")
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    result = run("export", campaign)
    assert result.exit_code == 1
    assert "lacks results: " in result.stderr
    (tmp_path / "elsewhere").mkdir()
    copied = shutil.copy(tmp_path / "small.sqlite", tmp_path / "elsewhere" / "copied.sqlite")
    result = run("status", copied)
    assert result.exit_code == 0, result.output
    assert "fake_manila" in result.stdout
    result = run("resume", campaign)
    assert result.exit_code == 0, result.output
    assert "block 1: " not in result.stdout  # what was stored is not measured again
    assert "All results are there." in result.stdout
    assert run("export", campaign).exit_code == 0
    found, whole = load(campaign), load(done)
    for name in ("K_train", "K_test", "stderr_train", "measured_test"):
        assert (found[name] == whole[name]).all(), name


@pytest.mark.slow
def test_ctrl_c_detaches_and_what_was_not_sent_is_in_the_plan(tmp_path: Path) -> None:
    campaign = write(tmp_path)
    whole = json.loads(run("plan", campaign, "--json").stdout)["total"]
    child = start("submit", campaign)
    read_until(child, "block 1: submitted")
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "Detached. Nothing is lost" in errors
    assert f"qkernels resume {campaign}" in errors
    assert "Traceback" not in errors
    left = json.loads(run("plan", campaign, "--json").stdout)["total"]
    with Ledger.open(tmp_path / "small.sqlite", read_only=True) as ledger:
        unsent = [block for block in ledger.blocks() if block.state == "planned"]
    assert left["unsent_seconds"] == pytest.approx(sum(block.estimate for block in unsent))
    sent = 3 - len(unsent)
    assert left["jobs"] == whole["jobs"] - sent
    # The three blocks of the training matrix cost the same but the last, which is smaller.
    assert whole["qpu_seconds"] - left["qpu_seconds"] == pytest.approx(sent * unsent[0].estimate, rel=0.05)
    result = run("resume", campaign)
    assert result.exit_code == 0, result.output
    assert run("export", campaign).exit_code == 0


# Status ---------------------------------------------------------------------------------------------------------------


def test_status_of_a_campaign_and_of_its_ledger(done: Path) -> None:
    ledger = done.with_suffix(".sqlite")
    first, second = run("status", done), run("status", ledger)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert "6 done" in first.stdout
    found = json.loads(run("status", ledger, "--json").stdout)
    assert found["series"][0]["entries_done"] == 49
    assert found["series"][0]["blocks"] == {"done": 6}


def test_status_needs_the_file_only(done: Path, tmp_path: Path) -> None:
    copied = shutil.copy(done.with_suffix(".sqlite"), tmp_path / "other-name")
    result = run("status", copied)
    assert result.exit_code == 0
    assert "6 done" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["other-name"]


def test_status_before_anything_was_sent(tmp_path: Path) -> None:
    campaign = write(tmp_path)
    assert "yet: nothing was sent" in run("status", campaign).stdout
    assert json.loads(run("status", campaign, "--json").stdout)["series"] == []


def test_collect_when_all_is_there(done: Path) -> None:
    result = run("collect", done)
    assert result.exit_code == 0
    assert "All results are there. Next: qkernels export" in result.stdout


def test_resume_when_all_is_there(done: Path) -> None:
    result = run("resume", done)
    assert result.exit_code == 0
    assert "block " not in result.stdout


def table(path: Path, count: int = 10) -> str:
    """Rows in a file of its own; the [data] of a campaign."""
    lines = [f"{0.1 * i},{0.05 * i * i % 1},{'ab'[i % 2]}" for i in range(count)]
    path.write_text("\n".join(["x,y,kind", *lines]) + "\n")
    return f'csv = "{path.name}"\ntarget = "kind"\n'


def test_status_and_collect_do_without_the_rows(tmp_path: Path) -> None:
    campaign = write(tmp_path, data=table(tmp_path / "own.csv"), backend='name = "aer"\nshots = 16\n')
    assert run("submit", campaign).exit_code == 0
    (tmp_path / "own.csv").unlink()
    result = run("status", campaign)
    assert result.exit_code == 0, result.output
    assert "2 done" in result.stdout
    result = run("collect", campaign)
    assert result.exit_code == 0, result.output
    assert "0 submitted block(s) are open; without" in result.stdout


# Blocks of other rows or settings -------------------------------------------------------------------------------------


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A campaign with other shots than when three of its blocks were planned."""
    campaign = write(tmp_path, backend=TABLES["backend"].replace("= 64", "= 32"))
    before = prepare(read_campaign(write(tmp_path, "before", ledger='path = "small.sqlite"\n')))
    request = before.requests[0]
    with patch.object(Runner, "submit", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        before.engine.submit(*request.arguments[:2], **request.options)
    return campaign


def states(campaign: Path) -> list[str]:
    with Ledger.open(campaign.with_suffix(".sqlite"), read_only=True) as ledger:
        return [str(block.state) for block in ledger.blocks()]


def test_collect_leaves_superseded_blocks_alone(edited: Path) -> None:
    result = run("collect", edited)
    assert result.exit_code == 0, result.output
    assert states(edited) == ["planned"] * 3
    assert "left alone: 3 block(s) planned and not sent (1, 2, 3; about " in result.stdout
    assert f"qkernels discard {edited}" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["submit", "resume"])
def test_superseded_blocks_are_not_sent_with_the_others(edited: Path, command: str) -> None:
    result = run(command, edited)
    assert result.exit_code == 0, result.output
    found = states(edited)
    assert found[:3] == ["planned"] * 3
    assert set(found[3:]) == {"done"}


def test_superseded_blocks_are_not_in_the_plan(edited: Path) -> None:
    found = json.loads(run("plan", edited, "--json").stdout)
    assert found["total"]["unsent_seconds"] == 0
    assert found["total"]["jobs"] == sum(part["jobs"] for part in found["requests"])


def test_discard_gives_superseded_blocks_up(edited: Path) -> None:
    result = run("discard", edited, "--yes")
    assert result.exit_code == 0, result.output
    assert "block 1: 10 entries of series 1, 64 shots, about 2.2 s" in result.stdout
    assert "3 block(s) given up" in result.stdout
    assert states(edited) == ["cancelled"] * 3
    assert "Nothing to give up" in run("discard", edited).stdout
    assert "left alone" not in run("collect", edited).stdout


def test_discard_asks_first(edited: Path) -> None:
    result = CliRunner().invoke(app, ["discard", str(edited)], input="n\n")
    assert result.exit_code == 1
    assert states(edited) == ["planned"] * 3


def test_discard_keeps_what_the_campaign_needs(edited: Path) -> None:
    before = edited.with_name("before.toml")
    assert "Nothing to give up" in run("discard", before, "--yes").stdout
    assert states(edited) == ["planned"] * 3


# Errors ---------------------------------------------------------------------------------------------------------------


def test_errors_are_one_paragraph(tmp_path: Path) -> None:
    result = run("plan", write(tmp_path, backend='name = "fake_manilla"\n'))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "Did you mean 'fake_manila'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_a_wrong_usage(tmp_path: Path) -> None:
    assert run("plan", tmp_path / "gone.toml").exit_code == 2


def test_help_imports_nothing_of_a_device() -> None:
    code = "import sys; from qkernels.cli import app; print('qkernels_hardware' in sys.modules, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split()[0] == "False"
