"""Everything that goes wrong on the way to IBM Quantum and back, and what RuntimeEngine makes of it.

Two lists: faults that a call survives, and faults that end it with an error after which the next call goes on.
`docs/faults.md` has a line for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["STOPPED", "SURVIVED", "Stop", "Survival"]

POST = {"method": "POST", "path": "^/jobs$"}
POLL = {"method": "GET", "path": "^/jobs/[^/]+$"}
LIST = {"method": "GET", "path": "^/jobs$"}
RESULTS = {"method": "GET", "path": "/results$"}
BILL = {"method": "GET", "path": "/metrics$"}
BATCH = {"method": "POST", "path": "^/sessions$"}
SHORT = {"request_deadline": 0.5, "submit_deadline": 0.5}
SECOND_BLOCK = r"qk-\w+-2-\w+"

Rule = dict[str, Any]


def rule(kind: str, where: dict[str, str] | None = None, **settings: Any) -> Rule:
    """A rule of the server, where a place has a name."""
    return {"kind": kind, **(where or {}), **settings}


@dataclass(frozen=True)
class Survival:
    """A fault that one call survives.

    Attributes
    ----------
    id : str
    rules : tuple of rules of the server
    policy : mapping
        Changes of the policy.
    mode : str
    lost : int
        Jobs beside those that count; they are billed nothing.
    early : tuple of rules
        There before the account is opened.
    midway : bool
        `rules` are there once the first job was submitted; else after the account was opened.
    """

    id: str
    rules: tuple[Rule, ...]
    policy: dict[str, Any] = field(default_factory=dict)
    mode: str = "batch"
    lost: int = 0
    early: tuple[Rule, ...] = ()
    midway: bool = False


@dataclass(frozen=True)
class Stop:
    """A fault that ends a call.

    Attributes
    ----------
    id : str
    rules : tuple of rules of the server
    error : str
        Class.
    says : tuple of str
        What the message has; {job}, {block} and {ledger} stand for those.
    then : {"same", "retry", "other"}
        With the rules gone: the same call finishes; only after ``collect(retry_failed=True)``; not with these settings.
    engine : mapping
        Settings of the engine.
    early : tuple of rules
        There before the account is opened.
    midway : bool
        `rules` are there once the first job was submitted; else after the account was opened.
    """

    id: str
    rules: tuple[Rule, ...]
    error: str
    says: tuple[str, ...]
    then: str = "same"
    engine: dict[str, Any] = field(default_factory=dict)
    early: tuple[Rule, ...] = ()
    midway: bool = False


SHORT_TOKENS = rule("token_ttl", seconds=1.0)  # the client takes a new one for each request
LOST_ANSWER = rule("after_status", POST, skip=1)

SURVIVED = (
    # Submission: what is not answered is looked for before it is sent again.
    Survival("post-500", (rule("status", POST, code=500, times=2, skip=1),)),
    Survival("post-503", (rule("status", POST, code=503, times=1),)),
    Survival("post-504-done", (LOST_ANSWER,)),
    Survival("post-504-done-job-mode", (LOST_ANSWER,), mode="job"),
    Survival("post-504-done-each", (rule("after_status", POST, times=3),)),
    Survival("post-dropped-before", (rule("drop_before", POST, skip=1),)),
    Survival("post-dropped-after", (rule("drop_after", POST, skip=1),)),
    Survival("post-html-done", (rule("html200", POST, skip=1),)),
    Survival("post-html-not-done", (rule("html200", POST, skip=1, done=False),)),
    Survival("post-truncated", (rule("truncate", POST, skip=1),)),
    Survival("post-slow-drip", (rule("slow_drip", POST, chunk=16, seconds=0.01),)),
    Survival("post-401", (rule("status", POST, code=401, times=2),)),
    Survival("post-408", (rule("status", POST, code=408),)),
    Survival("post-429", (rule("status", POST, code=429, times=3),)),
    Survival("post-429-retry-after", (rule("status", POST, code=429, times=2, retry_after=1),)),
    Survival("post-rate-bucket", (rule("rate_limit", capacity=1, per=60.0, speed=60.0),)),
    Survival("post-hang", (rule("delay", POST, skip=1, seconds=0.9),), {**SHORT, "tag_lag": 2.0}),
    # Requests that the client makes on the way to a submission.
    Survival("usage-503", (rule("status", {"method": "GET", "path": "^/instances/usage$"}, times=2, skip=1),)),
    Survival("status-503", (rule("status", {"method": "GET", "path": "/status$"}, times=2),)),
    Survival("properties-503", (rule("status", {"method": "GET", "path": "/properties$"}, times=2, skip=2),)),
    # Polling.
    Survival("poll-500", (rule("status", POLL, code=500, times=3),)),
    Survival("poll-429", (rule("status", POLL, code=429, times=2),)),
    Survival("poll-429-retry-after", (rule("status", POLL, code=429, retry_after=1),)),
    Survival("poll-401", (rule("status", POLL, code=401, times=2),)),
    Survival("poll-404-once", (rule("status", POLL, code=404),)),
    Survival("poll-dropped", (rule("drop_before", POLL, times=3),)),
    Survival("poll-truncated", (rule("truncate", POLL, times=2),)),
    Survival("poll-html", (rule("html200", POLL, times=2),)),
    Survival("poll-hang", (rule("delay", POLL, seconds=2.0),), SHORT),
    Survival(
        "poll-unknown-state", (rule("status", POLL, code=200, body='{"id": "x", "state": {"status": "Tuning"}}'),)
    ),
    # Results.
    Survival("results-500", (rule("status", RESULTS, code=500, times=2),)),
    Survival("results-dropped", (rule("drop_before", RESULTS, times=3),)),
    Survival("results-truncated", (rule("truncate", RESULTS, times=2),)),
    Survival("results-empty", (rule("empty", times=2),)),
    Survival("results-other-json", (rule("status", RESULTS, code=200, body="{}", times=2),)),
    Survival("results-html", (rule("html200", RESULTS),)),
    Survival("results-slow-drip", (rule("slow_drip", RESULTS, chunk=256, seconds=0.01),)),
    Survival("results-hang", (rule("delay", RESULTS, seconds=2.0),), SHORT),
    # Jobs.
    Survival("job-failed-by-service", (rule("job_fail", code=1010, tags=SECOND_BLOCK),), lost=1),
    # Batches.
    Survival("batch-closed", (rule("closed_batch", skip=1),)),
    Survival("batch-post-503", (rule("status", BATCH),)),
    Survival("batch-post-504-done", (rule("after_status", BATCH),)),
    Survival("batch-close-500", (rule("status", {"method": "PATCH", "path": "^/sessions/"}, code=500, times=None),)),
    Survival("batch-close-dropped", (rule("drop_before", {"method": "PATCH", "path": "^/sessions/"}, times=None),)),
    # The search by tags.
    Survival("tags-lag", (LOST_ANSWER, rule("tag_lag", seconds=0.3)), {"tag_lag": 2.0}),
    Survival("tags-count-skew", (LOST_ANSWER, rule("count_skew", by=1))),
    Survival("tags-pages-overlap", (LOST_ANSWER, rule("duplicate_pages"))),
    Survival("tags-pages-reordered", (LOST_ANSWER, rule("reorder_pages"))),
    Survival("tags-503", (LOST_ANSWER, rule("status", LIST, times=3, skip=3))),
    Survival("tags-dropped", (LOST_ANSWER, rule("drop_before", LIST, times=3, skip=3))),
    # The account.
    Survival("token-expires", (), early=(SHORT_TOKENS,)),
    Survival("iam-outage-midway", (rule("iam_outage", times=3),), early=(SHORT_TOKENS,), midway=True),
)

STOPPED = (
    # Submission.
    Stop("post-503-for-long", (rule("status", POST, skip=1, times=None),), "OutageError", ("block 2", "{ledger}")),
    Stop("post-400", (rule("status", POST, code=400, skip=1),), "ExecutionError", ("Block 2", "400", "{ledger}")),
    Stop("post-403", (rule("status", POST, code=403, skip=1),), "ExecutionError", ("Block 2", "403", "{ledger}")),
    Stop("post-404", (rule("status", POST, code=404, skip=1),), "ExecutionError", ("Block 2", "{ledger}")),
    Stop("post-413", (rule("status", POST, code=413, skip=1),), "ExecutionError", ("Block 2", "413", "{ledger}")),
    Stop("usage-limit", (rule("usage_limit", skip=1),), "BudgetError", ("no more jobs", "{ledger}")),
    # Polling and results.
    Stop("poll-503-for-long", (rule("status", POLL, times=None),), "OutageError", ("{job}", "block 1", "{ledger}")),
    Stop(
        "job-unknown",
        (rule("status", POLL, code=404, times=2), rule("tag_lag", seconds=600.0)),
        "LostError",
        ("{job}", "block 1", "instance"),
    ),
    Stop(
        "results-empty-for-long",
        (rule("empty", times=None),),
        "ExecutionError",
        ("{job}", "block 1", "empty", "{ledger}"),
    ),
    Stop("results-404", (rule("status", RESULTS, code=404),), "LostError", ("{job}", "block 1", "{ledger}")),
    # Jobs.
    Stop(
        "job-failed-by-service-twice",
        (rule("job_fail", code=1010, tags=SECOND_BLOCK, times=2),),
        "JobEndedError",
        ("{job}", "block 2", "attempt 2", "Internal error", "retry_failed", "{ledger}"),
        "retry",
    ),
    Stop(
        "job-failed-by-user",
        (rule("job_fail", code=1517, reason="The circuit is not supported.", tags=SECOND_BLOCK),),
        "JobEndedError",
        ("{job}", "block 2", "not supported", "retry_failed", "{ledger}"),
        "retry",
    ),
    Stop(
        "job-cancelled",
        (rule("job_cancel", tags=SECOND_BLOCK),),
        "JobEndedError",
        ("{job}", "block 2", "was cancelled", "retry_failed", "{ledger}"),
        "retry",
    ),
    Stop(
        "job-too-long",
        (rule("job_too_long", tags=SECOND_BLOCK),),
        "JobEndedError",
        ("{job}", "block 2", "max_execution_time", "{ledger}"),
        "retry",
    ),
    # Sessions.
    Stop("session-on-open-plan", (), "InvalidParameterError", ("mode", "Open Plan"), "other", {"mode": "session"}),
    # The device.
    Stop("backend-offline", (rule("offline"),), "ExecutionError", ("ibm_manila", "offline", "{ledger}")),
    Stop(
        "backend-unknown",
        (),
        "InvalidParameterError",
        ("ibm_manilla", "'ibm_manila'"),
        "other",
        {"backend": "ibm_manilla"},
    ),
    # The account.
    Stop("bad-token", (), "ExecutionError", ("rejected the token",), early=(rule("bad_key", times=None),)),
    Stop("iam-outage", (), "ExecutionError", ("your token may be fine",), early=(rule("iam_outage", times=None),)),
    Stop(
        "token-revoked-midway",
        (rule("bad_key", times=None),),
        "OutageError",
        ("401", "{ledger}"),
        early=(SHORT_TOKENS,),
        midway=True,
    ),
    Stop(
        "backends-500-at-start",
        (),
        "ExecutionError",
        ("backends", "ry again later"),
        early=(rule("status", {"method": "GET", "path": "^/backends$"}, code=500, times=None),),
    ),
    Stop("instance-unknown", (), "InvalidParameterError", ("instance",), "other", {"instance": "loopback-opem"}),
)
