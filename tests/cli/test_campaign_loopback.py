"""Campaigns through the unmodified client, against a server on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from qkernels import FidelityKernel, StatevectorEngine
from qkernels.cli import app
from qkernels.testing import assert_kernels_close
from qkernels_hardware import RetryPolicy
from tests.loopback.fixtures import fail_closed, loopback, start_loopback
from tests.loopback.handle import Loopback

__all__ = ["fail_closed", "loopback", "start_loopback"]

CAMPAIGN = """
[data]
dataset = "iris"
rows = 8
features = 2
test_share = 0.4

[kernel]
bandwidth = 0.5
corrections = []

[backend]
name = "ibm_manila"
shots = 256

[budget]
qpu_seconds = 30
"""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waits of seconds."""
    monkeypatch.setattr("qkernels_hardware.runtime._settings.RetryPolicy", lambda: RetryPolicy().scaled(0.01))


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    path = tmp_path / "paid.toml"
    path.write_text(CAMPAIGN)
    return path


def run(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(word) for word in arguments], input=answer, catch_exceptions=False)


def test_from_plan_to_export(loopback: Loopback, campaign: Path) -> None:
    result = run("plan", campaign)
    assert result.exit_code == 0, result.output
    assert loopback.jobs() == []
    loopback.hold()
    result = run("submit", campaign, "--yes")
    assert result.exit_code == 0, result.output
    assert "waiting for results" in result.stdout
    assert f"Next: qkernels collect {campaign}" in result.stdout
    assert len(loopback.jobs()) == 2
    result = run("collect", campaign)
    assert "2 block(s) are open. Next: qkernels collect" in result.stdout
    result = run("export", campaign)
    assert result.exit_code == 1
    assert "lacks results: 10 of" not in result.stderr
    assert "lacks results: " in result.stderr
    loopback.release()
    result = run("collect", campaign, "--wait")
    assert result.exit_code == 0, result.output
    assert "All results are there." in result.stdout
    assert run("export", campaign).exit_code == 0
    with np.load(campaign.with_suffix(".npz")) as found:
        kernel = FidelityKernel(engine=StatevectorEngine(), bandwidth=0.5)
        assert_kernels_close(found["K_train"], kernel(found["X_train"]), shots=256)
        assert_kernels_close(found["K_test"], kernel(found["X_test"], found["X_train"]), shots=256)
    assert len(loopback.jobs()) == 2
    for path in campaign.parent.rglob("*"):
        if path.is_file() and "loopback0" not in path.parts:
            assert loopback.token.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("command", ["submit", "resume"])
def test_a_device_is_not_paid_without_asking(loopback: Loopback, campaign: Path, command: str) -> None:
    result = run(command, campaign, answer="n\n")
    assert result.exit_code == 1
    assert "Submit 2 job(s), about " in result.stdout
    assert loopback.jobs() == []


def test_over_budget_nothing_is_sent(loopback: Loopback, campaign: Path) -> None:
    campaign.write_text(CAMPAIGN.replace("= 30", "= 5"))
    result = run("submit", campaign, "--yes")
    assert result.exit_code == 1
    assert "qpu_seconds in [budget] is 5, the campaign needs about " in result.stderr
    assert loopback.jobs() == []


@pytest.mark.slow
def test_ctrl_c_leaves_jobs_in_the_queue(loopback: Loopback, campaign: Path) -> None:
    loopback.hold()
    code = (
        "import signal; from unittest.mock import patch\n"
        "from qkernels_hardware import RetryPolicy; from qkernels.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it\n"
        "with patch('qkernels_hardware.runtime._settings.RetryPolicy', lambda: RetryPolicy().scaled(0.01)): main()"
    )
    command = [sys.executable, "-u", "-c", code, "resume", "--yes", str(campaign)]
    child = subprocess.Popen(command, env=loopback.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    loopback.wait("Queued", 2, timeout=60)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 130, errors
    assert f"qkernels resume {campaign}" in errors
    assert [job["status"] for job in loopback.jobs()] == ["Queued", "Queued"]
    loopback.release()
    result = run("resume", campaign, answer="n\n")
    assert result.exit_code == 0, result.output  # nothing new, nothing to ask
    assert "All results are there." in result.stdout
    assert len(loopback.jobs()) == 2


def test_blocks_that_failed_are_sent_again_when_asked_for(loopback: Loopback, campaign: Path) -> None:
    loopback.fault("job_fail", times=None, reason="Something broke.")
    result = run("resume", campaign, "--yes")
    assert result.exit_code == 1
    assert "gave no results" in result.stderr
    assert "Something broke." in result.stderr
    assert "--retry-failed" in result.stderr
    loopback.clear()
    sent = len(loopback.jobs())
    assert run("resume", campaign, "--yes").exit_code == 1
    result = run("resume", campaign, "--yes", "--retry-failed")
    assert result.exit_code == 0, result.output
    assert "All results are there." in result.stdout
    assert [job["status"] for job in loopback.jobs()[sent:]] == ["Completed", "Completed"]


def test_status_needs_no_server(loopback: Loopback, campaign: Path) -> None:
    assert run("resume", campaign, "--yes").exit_code == 0
    loopback.stop()
    assert "2 done" in run("status", campaign).stdout


def test_export_needs_no_server(loopback: Loopback, campaign: Path) -> None:
    assert run("resume", campaign, "--yes").exit_code == 0
    loopback.stop()
    result = run("export", campaign)
    assert result.exit_code == 0, result.output
