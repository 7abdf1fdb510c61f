"""What goes wrong: rules that a test adds and removes while the server runs.

Every rule has a `kind` and says how often it strikes: the first `skip` matches pass, the next `times` are hit, all
further ones pass (``times=None``: no end). Kinds of requests look at `method` and `path` (searched as regular
expressions; the path is without ``/experimental/api/v1``), kinds of jobs at `tags` (searched in the tags, joined by
spaces), kinds of devices at `backend` (``None``: all).

=================  ====================================================================================================
requests           at most one rule strikes a request, the oldest
=================  ====================================================================================================
status             answers `code` (503) with `body` and, if given, a ``Retry-After`` of `retry_after`; nothing is done
drop_before        closes the connection; nothing is done
drop_after         does it, then closes the connection
after_status       does it, then answers `code` (504)
delay              waits `seconds` (30) before doing it; clearing the rule ends the wait
slow_drip          answers `chunk` (16) bytes every `seconds` (0.05)
truncate           sends `fraction` (0.5) of the body, then closes the connection
html200            answers 200 with a page of HTML; does it before, unless ``done=False``
empty              does it, then answers 204 without a body
rate_limit         more than `capacity` (5) matches in `per` (60) seconds, on a clock `speed` (1) times as fast: 429
usage_limit        409 "Usage exceeds instance limit"
closed_batch       400 with code 1217
iam_outage         the token service answers `code` (503)
bad_key            the token service answers 400
kill               the process ends at `point`: ``before_store`` and ``after_store`` of a job, ``before_answer``,
                   ``mid_answer``; in the queue ``before_run``, ``mid_run`` (done, not stored), ``after_run``
=================  ====================================================================================================

=================  ====================================================================================================
jobs               when the job's turn comes
=================  ====================================================================================================
job_fail           Failed with `reason` and `code` (1010), billed `seconds` (0)
job_cancel         Cancelled, billed `seconds` (0)
job_too_long       Cancelled with 1305, billed its maximum time or, without one, its estimate
=================  ====================================================================================================

=================  ====================================================================================================
standing           as long as the rule is there
=================  ====================================================================================================
tag_lag            a job is not found by its tags for `seconds` (60) after its creation
count_skew         ``count`` of a page of jobs is off by `by` (1)
duplicate_pages    pages overlap: each starts with the last job of the page before
reorder_pages      jobs of a page come in reverse
offline, paused    of a device; its jobs wait
token_ttl          new tokens live `seconds` (2)
calibration        a new calibration after `after_jobs` (1) completed jobs, `times` (1) times
=================  ====================================================================================================
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["JOBS", "KINDS", "POINTS", "REQUESTS", "Fault", "Faults"]

_JOBS_POST = ("^POST$", "^/jobs$")
_TOKEN = ("^POST$", "^/identity/token$")
_ANY = ("", "")

# Kind: method, path and parameters with their defaults.
REQUESTS: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "status": (_ANY, {"code": 503, "body": None, "retry_after": None}),
    "drop_before": (_ANY, {}),
    "drop_after": (_ANY, {}),
    "after_status": (_ANY, {"code": 504}),
    "delay": (_ANY, {"seconds": 30.0}),
    "slow_drip": (_ANY, {"chunk": 16, "seconds": 0.05}),
    "truncate": (_ANY, {"fraction": 0.5}),
    "html200": (_ANY, {"done": True}),
    "empty": (("^GET$", "/results$"), {}),
    "rate_limit": (_JOBS_POST, {"capacity": 5, "per": 60.0, "speed": 1.0, "retry_after": None}),
    "usage_limit": (_JOBS_POST, {}),
    "closed_batch": (_JOBS_POST, {}),
    "iam_outage": (_TOKEN, {"code": 503}),
    "bad_key": (_TOKEN, {}),
}
JOBS: dict[str, dict[str, Any]] = {
    "job_fail": {"reason": "Internal error.", "code": 1010, "seconds": 0.0},
    "job_cancel": {"seconds": 0.0},
    "job_too_long": {},
}
_STANDING: dict[str, dict[str, Any]] = {
    "tag_lag": {"seconds": 60.0},
    "count_skew": {"by": 1},
    "duplicate_pages": {},
    "reorder_pages": {},
    "offline": {},
    "paused": {},
    "token_ttl": {"seconds": 2.0},
}
POINTS = ("before_store", "after_store", "before_answer", "mid_answer", "before_run", "mid_run", "after_run")
KINDS = (*REQUESTS, *JOBS, *_STANDING, "kill", "calibration")


@dataclass(slots=True)
class Fault:
    """A rule; `seen` counts matches and `hits` the strikes."""

    id: int
    kind: str
    method: str = ""
    path: str = ""
    tags: str = ""
    backend: str | None = None
    times: int | None = 1
    skip: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0
    stamps: list[float] = field(default_factory=list)

    def strikes(self) -> bool:
        """Count a match; whether it is one of those to hit."""
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.hits >= self.times):
            return False
        if self.kind == "rate_limit" and not self._over():
            return False
        self.hits += 1
        return True

    def _over(self) -> bool:
        now = time.monotonic() * self.settings["speed"]
        self.stamps = [stamp for stamp in self.stamps if now - stamp < self.settings["per"]]
        if len(self.stamps) >= self.settings["capacity"]:
            return True
        self.stamps.append(now)
        return False


class Faults:
    """All rules of a server; `changed` is called after every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._rules: list[Fault] = []
        self._made = 0
        self._changed = changed
        self._lock = threading.Condition()

    def add(self, rule: dict[str, Any]) -> Fault:
        """Add a rule.

        Raises
        ------
        ValueError
            Its kind, its point or one of its settings does not exist.
        re.error
            A pattern is none.
        """
        rule = dict(rule)
        kind = rule.pop("kind", None)
        if kind not in KINDS:
            raise ValueError(f"no fault of kind {kind!r}; there are {', '.join(KINDS)}")
        known = {
            name: rule.pop(name) for name in ("method", "path", "tags", "backend", "times", "skip") if name in rule
        }
        (method, path), defaults = REQUESTS.get(kind, (_ANY, JOBS.get(kind) or _STANDING.get(kind) or {}))
        if kind in ("rate_limit", *_STANDING):
            known.setdefault("times", None)
        if kind == "kill":
            defaults = {"point": "before_answer"}
        if kind == "calibration":
            defaults = {}
            known["skip"] = int(rule.pop("after_jobs", 1)) - 1
        if unknown := set(rule) - set(defaults):
            raise ValueError(
                f"fault {kind} has no {', '.join(sorted(unknown))}; it has {', '.join(defaults) or 'none'}"
            )
        settings = defaults | rule
        where: dict[str, Any] = {"method": method, "path": path} | known
        if kind == "kill" and settings["point"] not in POINTS:
            raise ValueError(f"no point {settings['point']!r}; there are {', '.join(POINTS)}")
        with self._lock:
            self._made += 1
            fault = Fault(id=self._made, kind=kind, settings=settings, **where)
            for pattern in (fault.method, fault.path, fault.tags):
                re.compile(pattern)
            self._rules.append(fault)
        self._changed()
        return fault

    def clear(self, number: int | None = None) -> None:
        """Remove one rule, or all."""
        with self._lock:
            self._rules = [fault for fault in self._rules if number not in (None, fault.id)]
            self._lock.notify_all()
        self._changed()

    def all(self) -> list[Fault]:
        """Rules, oldest first."""
        with self._lock:
            return list(self._rules)

    def on_request(self, method: str, path: str) -> Fault | None:
        """The rule that strikes a request."""
        return self._take(lambda f: f.kind in REQUESTS and _matches(f, method, path))

    def on_job(self, kinds: Sequence[str], tags: Sequence[str]) -> Fault | None:
        """The rule that strikes a job."""
        return self._take(lambda f: f.kind in kinds and _tagged(f, tags))

    def on_point(self, point: str, method: str, path: str, tags: Sequence[str] = ()) -> Fault | None:
        """The rule that ends the process here."""
        return self._take(
            lambda f: (
                f.kind == "kill" and f.settings["point"] == point and _matches(f, method, path) and _tagged(f, tags)
            )
        )

    def on_completed(self, backend: str) -> Fault | None:
        """The rule that makes a new calibration now."""
        return self._take(lambda f: f.kind == "calibration" and f.backend in (None, backend))

    def standing(self, kind: str, backend: str | None = None) -> dict[str, Any] | None:
        """Settings of the newest rule of a standing kind."""
        with self._lock:
            found = [f for f in self._rules if f.kind == kind and f.backend in (None, backend)]
            return found[-1].settings if found else None

    def wait(self, fault: Fault, seconds: float) -> None:
        """Wait, at most until the rule is removed."""
        with self._lock:
            self._lock.wait_for(lambda: fault not in self._rules, timeout=seconds)

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._rules if matches(fault) and fault.strikes()), None)


def _matches(fault: Fault, method: str, path: str) -> bool:
    return bool(re.search(fault.method, method) and re.search(fault.path, path))


def _tagged(fault: Fault, tags: Sequence[str]) -> bool:
    return bool(re.search(fault.tags, " ".join(tags)))
