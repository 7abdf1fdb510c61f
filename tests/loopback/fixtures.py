"""Fixtures around the server; a conftest that imports them makes them known to the tests beside it.

While any of them is active, this process does not leave the machine: a connection or a look-up of another name
raises `LeftLoopbackError`, and the test fails even if something swallows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.loopback.guard.sitecustomize import LeftLoopbackError, install
from tests.loopback.handle import Loopback

__all__ = ["LeftLoopbackError", "fail_closed", "loopback", "start_loopback"]

_STRAY = ("_proxy", "qiskit_ibm", "qiskit_functions")


class Start(Protocol):
    """What `start_loopback` is: `Loopback` without the folder."""

    def __call__(self, *, thread: bool = ..., **options: Any) -> Loopback: ...


@pytest.fixture
def fail_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Nothing leaves this machine; the list holds the addresses that were tried, and has to be empty at the end."""
    for name in list(os.environ):
        if any(word in name.lower() for word in _STRAY):
            monkeypatch.delenv(name)
    tried = install(monkeypatch.setattr)
    yield tried
    assert tried == [], f"the test tried to leave this machine: {tried}"


@pytest.fixture
def start_loopback(
    fail_closed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Loopback]]:
    """A function that starts servers, ``start_loopback(thread=False, models=(...), ...)``; they end with the test.

    The environment of this process leads the client to the one started last.
    """
    _require(monkeypatch, tmp_path)
    running: list[Loopback] = []

    def start(*, thread: bool = True, **options: Any) -> Loopback:
        found = Loopback(tmp_path / f"loopback{len(running)}", thread=thread, **options)
        running.append(found)
        for name, value in found.settings.items():
            monkeypatch.setenv(name, value)
        return found

    yield start
    for each in running:
        each.stop()


@pytest.fixture
def loopback(start_loopback: Start) -> Loopback:
    """A server on a thread: ``ibm_manila`` without noise, empty."""
    return start_loopback()


def _require(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Skip where the server cannot be, and hide the account of whoever runs the tests."""
    try:
        import tests.loopback.server  # noqa: F401
    except ImportError as error:
        pytest.skip(f"the loopback server needs internals of a newer qiskit-ibm-runtime: {error}")
    from qiskit_ibm_runtime.accounts import management

    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(folder / "no-account.json"))
