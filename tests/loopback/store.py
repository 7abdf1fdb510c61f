"""What survives a restart: jobs with their parameters and results, sessions, and settings of the server.

One folder; every file is written beside its place and renamed, so that a kill leaves the old file or the new one.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

__all__ = ["FINAL", "Job", "Session", "Store", "iso", "iso_or_none"]

FINAL = ("Completed", "Failed", "Cancelled")


def iso(time: float) -> str:
    """Seconds since 1970 as IBM writes a time, in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")


def iso_or_none(time: float | None) -> str | None:
    """The same for a time that may not have come."""
    return None if time is None else iso(time)


@dataclass(slots=True)
class Job:
    """A job; `status` is Queued, Running, Completed, Failed or Cancelled."""

    id: str
    ordinal: int
    instance: str
    backend: str
    program: str
    tags: list[str]
    created: float
    session: str | None = None
    private: bool = False
    cost: float | None = None
    log_level: str | None = None
    status: str = "Queued"
    reason: str | None = None
    reason_code: int | None = None
    running: float | None = None
    finished: float | None = None
    prepared: bool = False
    estimate: float | None = None
    executions: int = 0
    seconds: float = 0.0
    runs: int = 0
    reads: int = 0
    deleted: bool = False

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in FINAL


@dataclass(slots=True)
class Session:
    """A batch (mode ``batch``) or a session (mode ``dedicated``)."""

    id: str
    instance: str
    backend: str
    mode: str
    created: float
    max_ttl: float
    accepting: bool = True
    closed: float | None = None


@dataclass(slots=True)
class Store:
    """Everything the server knows; hold `lock` to read two things together or to change one."""

    folder: Path
    jobs: dict[str, Job] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    lock: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        (self.folder / "jobs").mkdir(parents=True, exist_ok=True)
        (self.folder / "sessions").mkdir(exist_ok=True)
        for path in sorted(self.folder.glob("jobs/*/job.json")):
            job = Job(**json.loads(path.read_text()))
            if job.status == "Running":  # its results were not stored
                job.status, job.running = "Queued", None
            self.jobs[job.id] = job
        for path in sorted(self.folder.glob("sessions/*.json")):
            session = Session(**json.loads(path.read_text()))
            self.sessions[session.id] = session
        path = self.folder / "settings.json"
        if path.exists():
            self.settings = json.loads(path.read_text())

    def new_job(self, params: str, /, **known: Any) -> Job:
        """Store a job with the text of its parameters."""
        with self.lock:
            ordinal = 1 + max((job.ordinal for job in self.jobs.values()), default=0)
            job = Job(id=f"lb{uuid4().hex[:18]}", ordinal=ordinal, **known)
            self.write_text(job, "params.json", params)
            self.jobs[job.id] = job
            self.save(job)
        return job

    def new_session(self, **known: Any) -> Session:
        """Store a session."""
        with self.lock:
            session = Session(id=str(uuid4()), **known)
            self.sessions[session.id] = session
            self.save_session(session)
        return session

    def save(self, job: Job) -> None:
        """Write a job down, and wake everybody who waits for a change."""
        with self.lock:
            _replace(self._folder(job) / "job.json", json.dumps(asdict(job)))
            self.lock.notify_all()

    def save_session(self, session: Session) -> None:
        """Write a session down."""
        with self.lock:
            _replace(self.folder / "sessions" / f"{session.id}.json", json.dumps(asdict(session)))
            self.lock.notify_all()

    def change(self, **settings: Any) -> None:
        """Change settings of the server."""
        with self.lock:
            self.settings.update(settings)
            _replace(self.folder / "settings.json", json.dumps(self.settings))
            self.lock.notify_all()

    def write_text(self, job: Job, name: str, text: str) -> None:
        """Write a file beside the job."""
        folder = self._folder(job)
        folder.mkdir(exist_ok=True)
        _replace(folder / name, text)

    def read_text(self, job: Job, name: str) -> str | None:
        """Read a file beside the job; None where there is none."""
        path = self._folder(job) / name
        return path.read_text() if path.exists() else None

    def find(self, wanted: Callable[[Job], bool]) -> list[Job]:
        """Jobs in order of creation."""
        with self.lock:
            return sorted((job for job in self.jobs.values() if wanted(job)), key=lambda job: job.ordinal)

    def consumed(self, instance: str) -> float:
        """QPU seconds billed to an instance."""
        return sum(job.seconds for job in self.find(lambda job: job.instance == instance))

    def ledger(self) -> list[dict[str, Any]]:
        """Every job ever made, for tests."""
        return [{f.name: getattr(job, f.name) for f in fields(Job)} for job in self.find(lambda job: True)]

    def _folder(self, job: Job) -> Path:
        return self.folder / "jobs" / job.id


def _replace(path: Path, text: str) -> None:
    """Write by name exchange; the thread is in the name because two may write the same file."""
    beside = path.with_name(f"{path.name}.{threading.get_ident()}.tmp")
    beside.write_text(text)
    os.replace(beside, path)
