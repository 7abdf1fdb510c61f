"""Answers to the requests of the client."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.loopback import auth
from tests.loopback.jobs import route_jobs
from tests.loopback.messages import Reply, Request, data, problem
from tests.loopback.sessions import route_sessions
from tests.loopback.world import World

__all__ = ["PREFIX", "answer"]

PREFIX = "/experimental/api/v1"
_TOKEN_SECONDS = 3600.0


def answer(world: World, request: Request) -> Reply:
    """Do what a request asks for."""
    if request.path == "/identity/token":
        lifetime = world.faults.standing("token_ttl") or {"seconds": _TOKEN_SECONDS}
        return auth.issue(request, lifetime["seconds"])
    if (entry := auth.catalog_entry(request.path)) is not None:
        return entry
    if not auth.authorized(request):
        return problem(401, 1200, "The token is not valid or has expired.")
    if request.path == "/v3/resources/search":
        return auth.search()
    instance = request.headers.get("service-crn", "")
    if instance not in [each.crn for each in auth.INSTANCES]:
        return problem(404, 1210, f"Instance {instance} is not found.")
    if request.path == "/instances/usage":
        return _usage(world, instance)
    found = (
        _route_backends(world, request)
        or route_jobs(world, request, instance)
        or route_sessions(world, request, instance)
        or _workloads(world, request, instance)
    )
    return found or problem(404, 1000, f"{request.method} {request.path} is not found.")


def _usage(world: World, instance: str) -> Reply:
    used, limit = world.store.consumed(instance), world.limit(instance)
    found = {"instance_id": instance, "plan_id": "loopback", "usage_consumed_seconds": used}
    found["usage_limit_reached"] = world.exhausted(instance)
    return data(found if limit is None else found | {"usage_limit_seconds": limit})


def _route_backends(world: World, request: Request) -> Reply | None:
    if request.path == "/backends":
        names = [name for device in world.devices.values() for name in (device.name, device.twin)]
        mocks = request.first("include_mocks") is not None
        lines = [_line(world, name) for name in names if mocks or not name.startswith("mock_")]
        return data({"devices": lines, "version": "2.0.0"})
    found = re.fullmatch(r"/backends/([^/]+)/(configuration|properties|status)", request.path)
    if found is None:
        return None
    name, what = found[1], found[2]
    device = world.device(name)
    if device is None:
        return problem(404, 1007, f"Backend {name} is not found.")
    if what == "configuration":
        return data(device.configuration(name))
    if what == "properties":
        return data(device.properties(name, _calibration(world, device.name, request.first("updated_before"))))
    status = world.status_of(device.name)
    return data(
        {
            "state": status != "offline",
            "status": status,
            "message": "",
            "length_queue": _queue(world, name),
            "backend_version": device.configuration(name)["backend_version"],
        }
    )


def _line(world: World, name: str) -> dict[str, object]:
    device = world.device(name)
    assert device is not None
    status = {"active": "online"}.get(world.status_of(device.name), world.status_of(device.name))
    return device.listed(name, status, _queue(world, name))


def _queue(world: World, name: str) -> int:
    return len(world.store.find(lambda job: job.backend == name and not job.final))


def _calibration(world: World, name: str, before: str | None) -> int:
    """Number of new calibrations until a time."""
    times = world.calibrations(name)
    if before is None:
        return len(times)
    moment = datetime.fromisoformat(before)
    limit = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return sum(time <= limit for time in times)


def _workloads(world: World, request: Request, instance: str) -> Reply | None:
    if request.path != "/workloads":
        return None
    found = world.store.find(lambda job: job.instance == instance and not job.deleted)
    lines = [{"id": job.id, "mode": "job", "backend": job.backend, "status": job.status.lower()} for job in found]
    return data({"workloads": lines, "total_count": len(lines)})
