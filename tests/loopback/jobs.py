"""The requests under ``/jobs``: submit, look up, list, results, metrics, logs, tags, cancel, delete."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.loopback.messages import Reply, Request, data, problem, text
from tests.loopback.sessions import CLOSED
from tests.loopback.store import Job, iso, iso_or_none
from tests.loopback.world import World

__all__ = ["route_jobs"]

_NOT_FOUND = 1291
_MAX_TAGS, _MAX_TAG = 8, 86  # codes 1204 and 1205 are documented, the values are not


def route_jobs(world: World, request: Request, instance: str) -> Reply | None:
    """Answer the requests under ``/jobs``."""
    if request.path == "/jobs":
        return {"POST": _submit, "GET": _list}[request.method](world, request, instance)
    found = re.fullmatch(r"/jobs/([^/]+)(?:/(\w+))?", request.path)
    answer = found and _ANSWERS.get((request.method, found[2] or ""))
    if not found or not answer:
        return None
    job = world.store.jobs.get(found[1])
    if job is None or job.deleted or job.instance != instance:
        return problem(404, _NOT_FOUND, f"Job {found[1]} is not found.")
    return answer(world, request, job)


def _submit(world: World, request: Request, instance: str) -> Reply:
    asked = request.json()
    if world.device(asked.get("backend", "")) is None:
        return problem(404, 1007, f"Backend {asked.get('backend')} is not found.")
    tags = list(asked.get("tags", []))
    if len(tags) > _MAX_TAGS:
        return problem(400, 1204, f"{len(tags)} tags; the limit is {_MAX_TAGS}.")
    if too_long := [tag for tag in tags if len(tag) > _MAX_TAG]:
        return problem(400, 1205, f"Tag {too_long[0]} is longer than {_MAX_TAG} characters.")
    if (session_id := asked.get("session_id")) is not None:
        session = world.store.sessions.get(session_id)
        if session is None or session.instance != instance:
            return problem(404, 1218, f"Session {session_id} is not found.")
        if not session.accepting or session.closed is not None:
            return problem(400, CLOSED, "The session is closed.")
    world.point("before_store", request.method, request.path, tags)
    job = world.store.new_job(
        json.dumps(asked.get("params", {})),
        instance=instance,
        backend=asked["backend"],
        program=asked.get("program_id", ""),
        tags=tags,
        created=time.time(),
        session=session_id,
        private=bool(asked.get("private")),
        cost=asked.get("cost"),
        log_level=asked.get("log_level"),
    )
    world.point("after_store", request.method, request.path, tags)
    return data({"id": job.id, "backend": job.backend})


def _list(world: World, request: Request, instance: str) -> Reply:
    found = world.store.find(lambda job: job.instance == instance and not job.deleted and _listed(world, request, job))
    if request.first("sort") != "ASC":
        found.reverse()
    count = len(found)
    if (skew := world.faults.standing("count_skew")) is not None:
        count += skew["by"]
    offset, limit = int(request.first("offset") or 0), int(request.first("limit") or 10)
    if offset and world.faults.standing("duplicate_pages") is not None:
        offset -= 1
    page = found[offset : offset + limit]
    if world.faults.standing("reorder_pages") is not None:
        page.reverse()
    without = request.first("exclude_params") == "true"
    return data(
        {"jobs": [_shown(world, job, without) for job in page], "count": count, "limit": limit, "offset": offset}
    )


def _listed(world: World, request: Request, job: Job) -> bool:
    """Whether a job fits a query."""
    tags = request.query.get("tags", [])
    if tags and (lag := world.faults.standing("tag_lag")) is not None and time.time() - job.created < lag["seconds"]:
        return False
    same = {"backend": job.backend, "program": job.program, "session_id": job.session or ""}
    if any(request.first(name) not in (None, value) for name, value in same.items()):
        return False
    if (pending := request.first("pending")) is not None and (pending == "true") == job.final:
        return False
    created = datetime.fromisoformat(iso(job.created))  # rounded as the client sees it
    after, before = request.first("created_after"), request.first("created_before")
    if after is not None and created < datetime.fromisoformat(after):
        return False
    if before is not None and created > datetime.fromisoformat(before):
        return False
    return set(tags) <= set(job.tags)


def _shown(world: World, job: Job, without_params: bool) -> dict[str, Any]:
    state: dict[str, Any] = {"status": job.status}
    if job.reason is not None:
        state |= {"reason": job.reason, "reason_code": job.reason_code}
    found = {
        "id": job.id,
        "backend": job.backend,
        "state": state,
        "status": job.status,
        "program": {"id": job.program},
        "created": iso(job.created),
        "tags": job.tags,
        "private": job.private,
        "estimated_running_time_seconds": job.estimate,
        "estimated_max_running_time_seconds": job.estimate,
        "usage": {"quantum_seconds": job.seconds, "seconds": job.seconds},
    }
    if job.session is not None:
        found["session_id"] = job.session
    if job.cost is not None:
        found["cost"] = job.cost
    if not without_params and not job.private:
        found["params"] = json.loads(world.store.read_text(job, "params.json") or "{}")
    return found


def _show(world: World, request: Request, job: Job) -> Reply:
    return data(_shown(world, job, request.first("exclude_params") == "true"))


def _results(world: World, _request: Request, job: Job) -> Reply:
    if not job.final:
        return Reply(204)
    if job.status != "Completed":
        return text(job.reason or "")
    if job.private and job.reads:
        return problem(404, _NOT_FOUND, f"The results of the private job {job.id} have been read.")
    with world.store.lock:
        job.reads += 1
        world.store.save(job)
    return text(world.store.read_text(job, "result.json") or "")


def _metrics(_world: World, _request: Request, job: Job) -> Reply:
    usage = {"quantum_seconds": job.seconds, "seconds": job.seconds, "qpu_charge_time_seconds": job.seconds}
    return data(
        {
            "timestamps": {
                "created": iso(job.created),
                "running": iso_or_none(job.running),
                "finished": iso_or_none(job.finished),
            },
            "usage": usage | {"status": "complete" if job.final else "pending"},
            "estimated_start_time": None,
            "executions": job.executions,
            "num_circuits": None,
        }
    )


def _logs(world: World, _request: Request, job: Job) -> Reply:
    return text(world.store.read_text(job, "logs.txt") or "")


def _cancel(world: World, _request: Request, job: Job) -> Reply:
    with world.store.lock:
        if job.final:
            return problem(409, 1295, f"Job {job.id} is {job.status} and cannot be cancelled.")
        # A running job is billed what it has consumed; here that is all of it.
        job.seconds = (job.estimate or 0.0) if job.status == "Running" else 0.0
        job.status, job.finished = "Cancelled", time.time()
        world.store.save(job)
    return Reply(204)


def _retag(world: World, request: Request, job: Job) -> Reply:
    with world.store.lock:
        job.tags = list(request.json()["tags"])
        world.store.save(job)
    return Reply(204)


def _delete(world: World, _request: Request, job: Job) -> Reply:
    with world.store.lock:
        if not job.final:
            return problem(409, 1295, f"Job {job.id} is {job.status} and cannot be deleted.")
        job.deleted = True
        world.store.save(job)
    return Reply(204)


_ANSWERS: dict[tuple[str, str], Callable[[World, Request, Job], Reply]] = {
    ("GET", ""): _show,
    ("GET", "results"): _results,
    ("GET", "metrics"): _metrics,
    ("GET", "logs"): _logs,
    ("POST", "cancel"): _cancel,
    ("PUT", "tags"): _retag,
    ("DELETE", ""): _delete,
}
