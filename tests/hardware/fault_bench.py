"""A server, and what tests of faults do with it: fit on a ledger of their own, and check the promise after it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qkernels_hardware import Ledger, RuntimeEngine
from qkernels_hardware.work._jobs import BlockState
from tests.hardware.kill_client import make_engine, make_kernel, rows
from tests.loopback.guard.sitecustomize import install
from tests.loopback.handle import Loopback

__all__ = ["BLOCKS", "a_ledger", "a_reference", "a_server", "cleared", "fit", "jobs_of", "prove", "unpaced"]

BLOCKS = 3


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """One for all tests, since each has a ledger of its own; nothing leaves this machine."""
    from qiskit_ibm_runtime.accounts import management

    folder = tmp_path_factory.mktemp("loopback")
    with pytest.MonkeyPatch.context() as patch, Loopback(folder, thread=True) as found:
        for name in list(os.environ):
            if any(word in name.lower() for word in ("_proxy", "qiskit_ibm", "qiskit_functions")):
                patch.delenv(name)
        for name, value in found.settings.items():
            patch.setenv(name, value)
        patch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(folder / "no-account.json"))
        tried = install(patch.setattr)
        yield found
        assert tried == []


@pytest.fixture(autouse=True)
def cleared(server: Loopback) -> Iterator[None]:
    yield
    server.clear()
    server.release()
    server.limit_usage(None)


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure of the token service, IBM's SDK lets all calls sleep for 60 s: not in a test."""
    from ibm_cloud_sdk_core.token_managers.token_manager import TokenManager

    def request(manager: Any) -> None:
        manager._save_token_info(manager.request_token())

    monkeypatch.setattr(TokenManager, "paced_request_token", request)


@pytest.fixture(name="ledger")
def a_ledger(tmp_path: Path) -> Iterator[Path]:
    """A ledger in memory, where that is possible: these tests write much, and no power fails."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder) / "ledger.sqlite"


@pytest.fixture(scope="module", name="reference")
def a_reference(server: Loopback, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The matrix of a call that nothing happens to."""
    return fit(make_engine(tmp_path_factory.mktemp("reference") / "ledger.sqlite"))


def fit(engine: RuntimeEngine) -> np.ndarray:
    return make_kernel(engine)(rows(4))


def jobs_of(server: Loopback, path: Path) -> list[dict[str, Any]]:
    with Ledger.open(path, read_only=True) as ledger:
        return server.jobs(f"qk-{ledger.id[:8]}")


def prove(server: Loopback, path: Path, *, lost: int = 0) -> None:
    """As many jobs as blocks, each billed once; what is lost costs nothing."""
    jobs = jobs_of(server, path)
    with Ledger.open(path, read_only=True) as ledger:
        blocks, spent = ledger.blocks(), ledger.spent()
    done = [job for job in jobs if job["status"] == "Completed"]
    assert [block.state for block in blocks] == [BlockState.DONE] * BLOCKS
    assert {job["id"] for job in done} == {block.job_id for block in blocks}
    assert len(done) == BLOCKS
    assert len(jobs) - len(done) == lost
    assert spent.paid == pytest.approx(sum(job["seconds"] for job in jobs))
