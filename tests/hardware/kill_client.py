"""A program that measures a kernel and may be killed anywhere: one process per run, forked from one that is warm.

Started with the environment of `Loopback.env`, it imports what a user's program would, then reads runs from its
standard input, one JSON object a line (see `Run`), and answers each with a JSON line when its process has ended:
``{"signal": 9, ...}`` or what the run has to say. A fork has its own process id and memory and nothing of the runs
before it, and dies by SIGKILL as any process does; it saves the seconds of importing Qiskit for each of them.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qkernels import FidelityKernel, ZZFeatureMap
from qkernels_hardware import RetryPolicy, RuntimeEngine

__all__ = ["POINTS", "Run", "make_engine", "make_kernel", "rows"]

POINTS = (
    *("before the series", "after the series", "while planning", "after planning", "before intent", "while intending"),
    *("intent", "posting", "while posting", "answered", "posted", "while noting the id", "submitted", "checked"),
    *("polling", "downloading", "downloaded", "before the file", "half a file", "after the file", "while noting"),
    *("done", "found on disk", "adopted"),
)
"""Where a run can be killed, in the order in which a run gets there (the last two: a run after a kill)."""

POLICY = {"submission_period": 0.01, "first_wait": 0.005, "longest_wait": 0.05, "tag_lag": 0.3, "outage": 30.0}

NOTED = {"intent": "while intending", "submitted": "while noting the id", "done": "while noting"}
"""Points before the commit that brings a block to a state."""

SHOTS = 64


@dataclass
class Run:
    """What a process is to do.

    Attributes
    ----------
    ledger : str
    out : str
        File for the matrix.
    mode : {"fit", "submit", "collect"}
    point : str
        One of `POINTS`, where it is killed at the `nth` time; "" nowhere.
    event : int
        Killed at this event, whatever it is (statements of SQLite, requests, answers, steps of the engine, files that
        are renamed); 0 at none.
    delay : float
        Seconds after which it is killed; 0 never.
    tag_lag, outage : float
        Of the policy.
    """

    ledger: str
    out: str
    mode: str = "fit"
    point: str = ""
    nth: int = 1
    event: int = 0
    delay: float = 0.0
    tag_lag: float = 0.3
    outage: float = 30.0
    seen: Counter[str] = field(default_factory=Counter)
    events: int = 0

    def come(self, point: str) -> None:
        """Die here, if it is the place."""
        self.seen[point] += 1
        if point and point == self.point and self.seen[point] == self.nth:
            die()

    def tick(self) -> None:
        """Die now, if it is the time."""
        self.events += 1
        if self.events == self.event:
            die()


def die() -> None:
    """As ``kill -9`` does it: nothing is flushed, nothing is closed."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # a signal to oneself arrives before this is over


def rows(n: int = 5) -> np.ndarray:
    """The data: 15 entries, in blocks of four."""
    return np.random.default_rng(11).uniform(0.0, 1.0, (n, 2))


def make_engine(ledger: str | Path, backend: str = "ibm_manila", **changes: Any) -> RuntimeEngine:
    """The engine of all runs: blocks of four rows, and little waiting; `changes` are of its policy or its own."""
    of_policy = {name: changes.pop(name) for name in list(changes) if name in RetryPolicy.__dataclass_fields__}
    policy = RetryPolicy(**(POLICY | of_policy))
    return RuntimeEngine(
        backend, **({"shots": SHOTS, "ledger": ledger, "retry": policy, "block_executions": 4 * SHOTS} | changes)
    )


def make_kernel(engine: RuntimeEngine) -> FidelityKernel:
    """The kernel of all runs."""
    return FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)


def work(run: Run) -> None:
    """One run, in a process of its own."""
    engine = make_engine(run.ledger, tag_lag=run.tag_lag, outage=run.outage)
    if run.mode == "collect":
        engine.collect()
        return
    lay_traps(run, engine)
    if run.delay:
        threading.Timer(run.delay, die).start()
    kernel = make_kernel(engine)
    np.save(run.out, kernel(rows()))


def lay_traps(run: Run, engine: RuntimeEngine) -> None:
    """Let the run come to its points: through the steps that the engine tells, and around what it calls."""
    from qkernels_hardware.ledger import _results as _ledger_results
    from qkernels_hardware.ledger import _series as _ledger_series
    from qkernels_hardware.ledger._ledger import Ledger
    from qkernels_hardware.service._remote import RemoteConnection

    def watch(step: str, block: object) -> None:
        run.tick()
        run.come(step)

    engine.watch = watch
    around(Ledger, "add_series", run, "before the series", "after the series")
    around(_ledger_series, "add_block", run, "while planning", "")
    around(Ledger, "plan_all", run, "", "after planning")
    around(Ledger, "intend", run, "before intent", "")
    around(RemoteConnection, "state", run, "polling", "")
    around(RemoteConnection, "fetch", run, "downloading", "")
    around(_ledger_results, "write_whole", run, "before the file", "")
    trap_files(run)
    trap_requests(run)
    trap_statements(run)


def around(owner: object, name: str, run: Run, before: str, after: str) -> None:
    """Let a run come to a point before and after a call."""
    call: Callable[..., Any] = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        run.come(before)
        found = call(*args, **kwargs)
        run.come(after)
        return found

    setattr(owner, name, wrapped)


def trap_files(run: Run) -> None:
    """Before and after a result file gets its name."""
    replace = os.replace

    def wrapped(source: Any, target: Any) -> None:
        results = str(target).endswith(".npz")
        run.tick()
        if results:
            run.come("half a file")
        replace(source, target)
        run.tick()
        if results:
            run.come("after the file")

    os.replace = wrapped


def trap_requests(run: Run) -> None:
    """Before a request, between a request and its answer, and after the answer."""
    from urllib3.connection import HTTPConnection

    request, getresponse = HTTPConnection.request, HTTPConnection.getresponse

    def ask(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        run.tick()
        request(self, method, url, *args, **kwargs)
        self.is_submission = method == "POST" and url.split("?")[0].endswith("/jobs")

    def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
        run.tick()
        if self.is_submission:
            run.come("while posting")
        found = getresponse(self, *args, **kwargs)
        run.tick()
        if self.is_submission:
            run.come("answered")
        return found

    HTTPConnection.request, HTTPConnection.getresponse = ask, answer  # type: ignore[method-assign]


def trap_statements(run: Run) -> None:
    """Before and after every statement of SQLite; by name, before the commit of some."""
    connect = sqlite3.connect
    last = [""]

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
            run.tick()
            for state, point in NOTED.items():
                if f"SET state = '{state}'" in statement:
                    last[0] = point
            if statement == "COMMIT" and last[0]:
                point, last[0] = last[0], ""
                run.come(point)
            found = super().execute(statement, *args)
            run.tick()
            return found

    def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return connect(*args, **({"factory": Connection} | kwargs))

    sqlite3.connect = traced


def serve() -> None:
    """Fork a process for each line."""
    import qiskit_ibm_runtime.executor_sampler  # noqa: F401

    import qkernels_hardware.service._remote  # noqa: F401

    for line in sys.stdin:
        run = Run(**json.loads(line))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _child(run, writer)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        found = json.loads(said) if said else {}
        found |= {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "child": child}
        print(json.dumps(found), flush=True)  # noqa: T201


def _child(run: Run, writer: int) -> None:
    found: dict[str, Any] = {}
    try:
        work(run)
    except BaseException as error:
        found = {"error": type(error).__name__, "text": str(error)}
    found |= {"events": run.events, "seen": run.seen}
    os.write(writer, json.dumps(found).encode())
    os._exit(0)  # whatever else runs: timers, threads of the client


def line_of(run: Run) -> str:
    """A run as a line of input."""
    return json.dumps({k: v for k, v in asdict(run).items() if k not in ("seen", "events")}) + "\n"


if __name__ == "__main__":
    serve()
