"""The requests of a test, under ``/_control``; no token is asked for, and no rule strikes them.

=======================  ==============================================================================================
``GET /ping``            process id, port, folder
``GET /jobs``            every job ever made: the ledger of truth
``GET /requests``        requests of the client since the start, oldest first: method, path, status, rule that struck
``DELETE /requests``     forget them
``GET /faults``          rules with `seen` and `hits`
``POST /faults``         add a rule (see `tests.loopback.faults`); answers its `id`
``DELETE /faults[/id]``  remove one, or all
``POST /hold``           jobs stay Queued from now on
``POST /release``        ``{"jobs": [ids]}``, ``{"count": n}`` (oldest first), or nothing: all, and hold no more
``POST /calibrate``      ``{"backend": name}``: a new calibration now
``POST /usage``          ``{"instance": crn, "limit": seconds or null}``
``POST /expire``         ``{"session": id}``: the time of a batch is over
``POST /wait``           ``{"status": [..], "count": n, "timeout": s}``: until n jobs have one of these states
=======================  ==============================================================================================
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict
from typing import Any

from tests.loopback.messages import Reply, Request, data, problem
from tests.loopback.sessions import expire
from tests.loopback.world import World

__all__ = ["control"]


def control(world: World, request: Request, log: list[dict[str, Any]]) -> Reply:
    """Do what a test asks for."""
    what = f"{request.method} {request.path.removeprefix('/_control')}"
    if what == "GET /ping":
        return data({"pid": os.getpid(), "folder": str(world.options.folder)})
    if what == "GET /jobs":
        return data(world.store.ledger())
    if what == "GET /requests":
        return data(list(log))
    if what == "DELETE /requests":
        log.clear()
        return Reply(204)
    if "/faults" in what:
        return _faults(world, request, what)
    try:
        return _act(world, what, request.json())
    except KeyError as error:
        return problem(400, 0, f"{what}: there is no {error}")


def _act(world: World, what: str, asked: dict[str, Any]) -> Reply:
    match what:
        case "POST /hold":
            world.store.change(hold=True, released=[])
        case "POST /release":
            _release(world, asked)
        case "POST /calibrate":
            world.calibrate(world.devices[asked["backend"]].name, time.time())
        case "POST /usage":
            limits = world.store.settings.get("usage_limits", {})
            world.store.change(usage_limits=limits | {asked["instance"]: asked["limit"]})
        case "POST /expire":
            expire(world, world.store.sessions[asked["session"]])
        case "POST /wait":
            return _wait(world, asked)
        case _:
            return problem(404, 0, f"no {what}")
    return Reply(204)


def _faults(world: World, request: Request, what: str) -> Reply:
    if what == "GET /faults":
        return data([{k: v for k, v in asdict(fault).items() if k != "stamps"} for fault in world.faults.all()])
    if what == "POST /faults":
        asked = request.json()
        if asked.get("kind") == "kill" and not world.options.killable:
            return problem(400, 0, "a server on a thread of the test cannot be killed; start a process")
        try:
            return data({"id": world.faults.add(asked).id})
        except (ValueError, TypeError, re.error) as error:
            return problem(400, 0, str(error))
    if request.method == "DELETE":
        _, _, number = what.partition("/faults/")
        world.faults.clear(int(number) if number else None)
        return Reply(204)
    return problem(404, 0, f"no {what}")


def _release(world: World, asked: dict[str, Any]) -> None:
    with world.store.lock:
        if not asked:
            world.store.change(hold=False, released=[])
            return
        known = list(world.store.settings.get("released", []))
        waiting = [job.id for job in world.store.find(lambda job: job.status == "Queued") if job.id not in known]
        world.store.change(released=known + list(asked.get("jobs", waiting[: asked.get("count", 0)])))


def _wait(world: World, asked: dict[str, Any]) -> Reply:
    def enough() -> bool:
        found = world.store.find(lambda job: job.status in asked["status"] and (job.prepared or job.final))
        return len(found) >= int(asked["count"])

    with world.store.lock:
        done = world.store.lock.wait_for(enough, timeout=asked.get("timeout", 20.0))
    return Reply(204) if done else problem(408, 0, f"{asked} did not happen")
