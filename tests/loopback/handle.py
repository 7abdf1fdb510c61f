"""What a test holds in its hands: a running server.

::

    with Loopback(folder) as loopback:  # a process; with thread=True a thread of this one
        loopback.fault("after_status", method="POST", path="^/jobs$", code=504)
        subprocess.run(client, env=loopback.env)
        assert loopback.billed() == seconds
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.loopback.messages import HOST

__all__ = ["Loopback"]

_ROOT = Path(__file__).resolve().parents[2]
_GUARD = Path(__file__).resolve().parent / "guard"
_STRAY = ("_proxy", "qiskit_", "iam_", "global_search", "global_catalog", "qe_")


class Loopback:
    """A server for tests.

    Parameters
    ----------
    folder : Path
        State of the server, and the home folder of clients.
    thread : bool
        Serve on a thread of this process: starts in milliseconds, but cannot be killed.
    models : sequence of str
        Device models, e.g. ``("fake_manila", "fake_fez")``, served as ``ibm_manila``, ``ibm_fez``.
    ideal, seed, run_seconds, usage_limit, max_qpy, batch_ttl
        See `tests.loopback.world.Options`.
    """

    def __init__(
        self, folder: Path, *, thread: bool = False, models: tuple[str, ...] = ("fake_manila",), **options: Any
    ):
        self.folder = Path(folder)
        self._thread = thread
        self._options = {"models": models, **options}
        self._server: Any = None
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self._begin()

    @property
    def base(self) -> str:
        """Address of the server."""
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """`url` of an account; "experimental" makes the client take it as it is."""
        return f"{self.base}/experimental/api/v1"

    @property
    def crn(self) -> str:
        """`instance` of an account: the open one."""
        return "crn:v1:bluemix:public:quantum-computing:us-east:a/loopback-account:loopback-open::"

    @property
    def token(self) -> str:
        """`token` of an account; the server takes no other one."""
        return "loopback-obviously-not-a-token"

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that lead the client here."""
        return {
            "IAM_URL": self.base,
            "GLOBAL_SEARCH_URL": self.base,
            "GLOBAL_CATALOG_URL": self.base,
            "QISKIT_IBM_CHANNEL": "ibm_quantum_platform",
            "QISKIT_IBM_TOKEN": self.token,
            "QISKIT_IBM_URL": self.url,
            "QISKIT_IBM_INSTANCE": self.crn,
            "USAGE_DATA_OPT_OUT": "True",
            "NO_PROXY": HOST,
        }

    @property
    def env(self) -> dict[str, str]:
        """Whole environment of a client process: led here, and unable to leave this machine."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not any(word in k.lower() for word in _STRAY)}
        path = os.pathsep.join(filter(None, [str(_GUARD), str(_ROOT), os.environ.get("PYTHONPATH")]))
        return kept | self.settings | {"HOME": str(home), "PYTHONPATH": path, "LOOPBACK_GUARD": "1"}

    def service(self, **account: Any) -> Any:
        """A `QiskitRuntimeService` of this process; needs the fixture `loopback` or `start_loopback`.

        Raises
        ------
        RuntimeError
            The environment would send the token to IBM.
        """
        from qiskit_ibm_runtime import QiskitRuntimeService

        if any(os.environ.get(name) != value for name, value in self.settings.items()):
            raise RuntimeError("the environment does not lead the client to this server; use the fixtures")
        known = {"channel": "ibm_quantum_platform", "token": self.token, "url": self.url, "instance": self.crn}
        return QiskitRuntimeService(**(known | account))

    def jobs(self, tag: str | None = None) -> list[dict[str, Any]]:
        """Every job ever made, oldest first: id, tags, status, reason, reason_code, seconds, executions, runs, ...

        Parameters
        ----------
        tag : str, optional
            Those that have this tag.
        """
        found = self._ask("GET", "/jobs")
        return [job for job in found if tag is None or tag in job["tags"]]

    def billed(self) -> float:
        """QPU seconds of all jobs."""
        return float(sum(job["seconds"] for job in self.jobs()))

    def requests(self, method: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """Requests of the client, oldest first: method, path, status, fault, query, time."""
        found = self._ask("GET", "/requests")
        return [each for each in found if method in (None, each["method"]) and path in (None, each["path"])]

    def fault(self, kind: str, **rule: Any) -> int:
        """Let something go wrong (see `tests.loopback.faults`); the number of the rule, for `clear`."""
        return int(self._ask("POST", "/faults", {"kind": kind, **rule})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Rules, with how often they matched (`seen`) and struck (`hits`)."""
        return list(self._ask("GET", "/faults"))

    def clear(self, number: int | None = None) -> None:
        """Remove one rule, or all; ends delays."""
        self._ask("DELETE", "/faults" if number is None else f"/faults/{number}")

    def hold(self) -> None:
        """Let jobs wait in the queue from now on; they are checked, but do not run."""
        self._ask("POST", "/hold")

    def release(self, jobs: list[str] | None = None, count: int | None = None) -> None:
        """Let some jobs run, by id or the oldest ones; without arguments all, and hold no more."""
        self._ask("POST", "/release", {k: v for k, v in (("jobs", jobs), ("count", count)) if v is not None})

    def calibrate(self, backend: str) -> None:
        """Make a new calibration now."""
        self._ask("POST", "/calibrate", {"backend": backend})

    def limit_usage(self, seconds: float | None) -> None:
        """Change the QPU seconds of the instance; jobs wait when they are used up."""
        self._ask("POST", "/usage", {"instance": self.crn, "limit": seconds})

    def expire_batch(self, session: str) -> None:
        """End a batch as if its time were over; its queued jobs fail."""
        self._ask("POST", "/expire", {"session": session})

    def wait(self, status: str | tuple[str, ...], count: int = 1, timeout: float = 20.0) -> None:
        """Wait until so many jobs are Queued (and checked), Running, Completed, Failed or Cancelled.

        Raises
        ------
        TimeoutError
        """
        wanted = [status] if isinstance(status, str) else list(status)
        self._ask("POST", "/wait", {"status": wanted, "count": count, "timeout": timeout})

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._server is not None or (self._process is not None and self._process.poll() is None)

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is None:
            raise RuntimeError("a server on a thread cannot be killed; use thread=False")
        self._process.send_signal(signal.SIGKILL)
        self._reap()

    def wait_for_death(self, timeout: float = 20.0) -> None:
        """Wait until a rule has ended the process."""
        if self._process is None:
            raise RuntimeError("a server on a thread cannot be killed; use thread=False")
        self._process.wait(timeout)
        self._reap()

    def restart(self) -> None:
        """Start again on the same port and folder; rules and the list of requests are gone, jobs are not."""
        self.stop()
        self._begin()

    def stop(self) -> None:
        """End the server; the folder stays."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        elif self._process is not None:
            self._process.kill()
            self._reap()

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _begin(self) -> None:
        if self._thread:
            from tests.loopback.server import Server
            from tests.loopback.world import Options

            self._server = Server(Options(folder=self.folder / "server", **self._options), self.port)
            self._server.start()
            self.port = self._server.port
            return
        command = [sys.executable, "-m", "tests.loopback.server", *self._arguments()]
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "server.err", "a") as errors:
            self._process = subprocess.Popen(
                command, cwd=_ROOT, env=self.env, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        # The line comes after a few seconds of imports, or never.
        watchdog = threading.Timer(60.0, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise RuntimeError(f"the server did not start: {(self.folder / 'server.err').read_text()}")
        self.port = json.loads(line)["port"]

    def _arguments(self) -> list[str]:
        found = ["--folder", str(self.folder / "server"), "--port", str(self.port)]
        for name, value in self._options.items():
            if name == "models":
                found += [word for model in value for word in ("--backend", model)]
            elif name == "ideal":
                found += [] if value else ["--noise"]
            elif value is not None:
                found += [f"--{name.replace('_', '-')}", str(value)]
        return found

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        line = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            line.request(method, f"/_control{path}", None if body is None else json.dumps(body))
            reply = line.getresponse()
            found = reply.read()
        finally:
            line.close()
        if reply.status == 408:
            states = [(job["id"], job["status"], job["reason"]) for job in self.jobs()]
            raise TimeoutError(f"{json.loads(found)['errors'][0]['message']}; jobs: {states}")
        if reply.status >= 400:
            raise ValueError(json.loads(found)["errors"][0]["message"])
        return json.loads(found) if found else None
