"""A server without its sockets: options, devices, store and rules together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.loopback.devices import Device, device
from tests.loopback.faults import Faults
from tests.loopback.store import Job, Store

__all__ = ["Options", "World"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a server is started.

    Attributes
    ----------
    folder : Path
        State; a server that is started on the folder of another one goes on where that one ended.
    models : tuple of str
        Device models to serve.
    ideal : bool
        Without noise.
    seed : int
    run_seconds : float
        A job is Running for at least this long.
    usage_limit : float or None
        QPU seconds of each instance; its jobs wait when they are used up. Set at the first start of a folder.
    max_qpy : int or None
        Newest QPY version that jobs may have; None is the newest that Qiskit reads here.
    batch_ttl : float
        Seconds after its first job that a batch lives.
    killable : bool
        It is a process of its own, so that a rule may end it.
    """

    folder: Path
    models: tuple[str, ...] = ("fake_manila",)
    ideal: bool = True
    seed: int = 0
    run_seconds: float = 0.0
    usage_limit: float | None = None
    max_qpy: int | None = None
    batch_ttl: float = 28800.0
    killable: bool = False


@dataclass(slots=True)
class World:
    """What requests and the queue share."""

    options: Options
    store: Store = field(init=False)
    devices: dict[str, Device] = field(init=False)
    faults: Faults = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.options.folder)
        self.devices = {each.name: each for each in map(device, self.options.models)}
        self.faults = Faults(self._wake)
        if "usage_limit" not in self.store.settings:
            self.store.change(usage_limit=self.options.usage_limit)

    def device(self, name: str) -> Device | None:
        """A served device, by its own name or the name of its mock twin."""
        return next((each for each in self.devices.values() if name in (each.name, each.twin)), None)

    def status_of(self, name: str) -> str:
        """``active``, ``paused`` or ``offline``."""
        for status in ("offline", "paused"):
            if self.faults.standing(status, name) is not None:
                return status
        return "active"

    def limit(self, instance: str) -> float | None:
        """QPU seconds of an instance; None where there is no limit."""
        limits = self.store.settings.get("usage_limits", {})
        return limits.get(instance, self.store.settings["usage_limit"])  # type: ignore[no-any-return]

    def exhausted(self, instance: str) -> bool:
        """Whether the QPU seconds of an instance are used up."""
        limit = self.limit(instance)
        return limit is not None and self.store.consumed(instance) >= limit

    def calibrations(self, name: str) -> list[float]:
        """Times of new calibrations."""
        return list(self.store.settings.get("calibrations", {}).get(name, []))

    def calibrate(self, name: str, now: float) -> None:
        """Make a new calibration."""
        with self.store.lock:
            known = self.store.settings.get("calibrations", {})
            self.store.change(calibrations=known | {name: [*self.calibrations(name), now]})

    def held(self, job: Job) -> bool:
        """Whether a test holds the job in the queue."""
        settings = self.store.settings
        return bool(settings.get("hold")) and job.id not in settings.get("released", [])

    def point(self, name: str, method: str = "", path: str = "", tags: Sequence[str] = ()) -> None:
        """End the process here, where a rule says so."""
        if self.faults.on_point(name, method, path, tags) is not None:
            self.kill()

    def kill(self) -> None:
        """End the process as ``kill -9`` does: nothing is flushed, nothing is closed."""
        os._exit(137)

    def _wake(self) -> None:
        with self.store.lock:
            self.store.lock.notify_all()
