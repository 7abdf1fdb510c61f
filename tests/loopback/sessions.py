"""Batches and sessions: made, closed, expired."""

from __future__ import annotations

import re
import time
from typing import Any

from tests.loopback.messages import Reply, Request, data, problem
from tests.loopback.store import Session, iso_or_none
from tests.loopback.world import World

__all__ = ["CLOSED", "close_expired", "expire", "route_sessions"]

CLOSED = 1217


def route_sessions(world: World, request: Request, instance: str) -> Reply | None:
    """Answer the requests under ``/sessions``."""
    if request.path == "/sessions" and request.method == "POST":
        return _create(world, request.json(), instance)
    found = re.fullmatch(r"/sessions/([^/]+)(/close)?", request.path)
    if found is None:
        return None
    session = world.store.sessions.get(found[1])
    if session is None or session.instance != instance:
        return problem(404, 1218, f"Session {found[1]} is not found.")
    with world.store.lock:
        if request.method == "GET":
            return data(_details(world, session))
        if request.method == "PATCH":
            session.accepting = bool(request.json().get("accepting_jobs", True))
            _close_idle(world, session)
            return Reply(204)
        if request.method == "DELETE" and found[2]:
            expire(world, session, "Cancelled")
            return Reply(204)
    return None


def expire(world: World, session: Session, status: str = "Failed") -> None:
    """End a batch: its queued jobs fail (or are cancelled), a running one ends as usual."""
    with world.store.lock:
        for job in world.store.find(lambda job: job.session == session.id and job.status == "Queued"):
            job.status, job.finished = status, time.time()
            if status == "Failed":
                job.reason, job.reason_code = "The batch ended before the job ran.", CLOSED
            world.store.save(job)
        session.accepting, session.closed = False, time.time()
        world.store.save_session(session)


def close_expired(world: World, now: float) -> None:
    """End the batches whose time is over; it counts from their first job."""
    for session in list(world.store.sessions.values()):
        if session.closed is None:
            started = [job.running for job in world.store.find(lambda job, s=session: job.session == s.id)]  # type: ignore[misc]
            first = min((each for each in started if each is not None), default=None)
            if first is not None and now > first + session.max_ttl:
                expire(world, session)


def _create(world: World, asked: dict[str, Any], instance: str) -> Reply:
    mode = asked.get("mode", "dedicated")
    if world.device(asked.get("backend", "")) is None:
        return problem(404, 1007, f"Backend {asked.get('backend')} is not found.")
    ttl = float(asked.get("max_ttl") or world.options.batch_ttl)
    session = world.store.new_session(
        instance=instance, backend=asked["backend"], mode=mode, created=time.time(), max_ttl=ttl
    )
    return data(_details(world, session), 201)


def _details(world: World, session: Session) -> dict[str, Any]:
    jobs = world.store.find(lambda job: job.session == session.id)
    _close_idle(world, session)
    state = "closed" if session.closed is not None else "active" if any(job.running for job in jobs) else "open"
    started = [job.running for job in jobs if job.running is not None]
    ended = [job.finished for job in jobs if job.finished is not None]
    return {
        "id": session.id,
        "backend_name": session.backend,
        "mode": session.mode,
        "state": state,
        "accepting_jobs": session.accepting,
        "max_ttl": session.max_ttl,
        "active_ttl": session.max_ttl,
        "interactive_ttl": 60,
        "elapsed_time": sum(job.seconds for job in jobs),
        "started_at": iso_or_none(min(started, default=None)),
        "activated_at": iso_or_none(min(started, default=None)),
        "last_job_started": iso_or_none(max(started, default=None)),
        "last_job_completed": iso_or_none(max(ended, default=None)),
        "closed_at": iso_or_none(session.closed),
        "timestamps": [],
    }


def _close_idle(world: World, session: Session) -> None:
    """A batch that accepts no jobs is closed when its last one ends."""
    waiting = world.store.find(lambda job: job.session == session.id and not job.final)
    if not session.accepting and not waiting and session.closed is None:
        session.closed = time.time()
    world.store.save_session(session)
