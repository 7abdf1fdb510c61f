"""kill -9 anywhere, then the same program again: as many jobs as blocks, each paid once, the matrix bit for bit.

A sample runs always; the rest is marked slow.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tests.loopback.server", reason="the loopback server needs internals of a newer client")

from qkernels_hardware import Ledger
from qkernels_hardware.work._jobs import BlockState
from tests.hardware.kill_client import POINTS, Run
from tests.loopback.handle import Loopback

BLOCKS = 4
DEFAULT = ("while posting", "after the file")
SLOW = tuple(point for point in POINTS[:-2] if point not in DEFAULT)


class Client:
    """A warm process that forks one process per run."""

    def __init__(self, server: Loopback, folder: Path) -> None:
        script = Path(__file__).with_name("kill_client.py")
        self._errors = open(folder / "client.err", "a")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            env=server.env | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def run(self, run: Run) -> dict[str, Any]:
        """What a run said; ``signal`` is 9 where it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = {name: value for name, value in asdict(run).items() if name not in ("seen", "events")}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()


class Bench:
    """A server, clients, and the matrix of a run that nobody disturbed."""

    def __init__(self, server: Loopback, folder: Path) -> None:
        self.server, self.folder = server, folder
        self._clients: dict[int, Client] = {}
        self._count = 0
        self._lock = threading.Lock()
        first = self.plan()
        said = self.run(first)
        assert said.get("error") is None, said
        self.events = int(said["events"])
        self.seen = said["seen"]
        self.reference = np.load(first.out)
        self.prove(first)

    def plan(self, **what: Any) -> Run:
        """A run on a ledger of its own."""
        with self._lock:
            self._count += 1
            folder = self.folder / f"run{self._count}"
        folder.mkdir()
        return Run(ledger=str(folder / "ledger.sqlite"), out=str(folder / "K.npy"), **what)

    def run(self, run: Run, client: int = 0) -> dict[str, Any]:
        """What a run said, on one of two clients."""
        with self._lock:
            if client not in self._clients:
                self._clients[client] = Client(self.server, self.folder)
        return self._clients[client].run(run)

    def finish(self, run: Run, client: int = 0) -> dict[str, Any]:
        """The same program again, undisturbed."""
        said = self.run(Run(run.ledger, run.out, tag_lag=run.tag_lag), client)
        assert said["signal"] == 0, said
        assert said.get("error") is None, said
        return said

    def jobs(self, run: Run) -> list[dict[str, Any]]:
        """Jobs that the server has of a ledger."""
        with Ledger.open(run.ledger, read_only=True) as ledger:
            return self.server.jobs(f"qk-{ledger.id[:8]}")

    def prove(self, run: Run) -> None:
        """The promise."""
        jobs = self.jobs(run)
        with Ledger.open(run.ledger, read_only=True) as ledger:
            blocks, spent = ledger.blocks(), ledger.spent()
        assert [job["status"] for job in jobs] == ["Completed"] * BLOCKS
        assert [block.state for block in blocks] == [BlockState.DONE] * BLOCKS
        assert {job["id"] for job in jobs} == {block.job_id for block in blocks}
        assert sum(job["seconds"] for job in jobs) == pytest.approx(sum(block.usage or 0.0 for block in blocks))
        assert spent.paid == pytest.approx(sum(job["seconds"] for job in jobs))
        assert spent.jobs == BLOCKS
        assert spent.open == 0.0
        assert np.array_equal(np.load(run.out), self.reference)
        shutil.rmtree(Path(run.ledger).parent)

    def kill_and_finish(self, client: int = 0, **how: Any) -> dict[str, Any]:
        """A run that is killed, another one that is not, and the promise."""
        run = self.plan(**how)
        said = self.run(run, client)
        assert said["signal"] in ((9,) if run.point else (0, 9)), said
        assert said.get("error") is None, said
        if said["signal"] == 9:
            self.finish(run, client)
        self.prove(run)
        return said

    def close(self) -> None:
        """End the clients."""
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with Loopback(tmp_path_factory.mktemp("loopback"), thread=True) as found:
        yield found


@pytest.fixture(scope="module")
def bench(server: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(server, tmp_path_factory.mktemp("runs"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_faults(server: Loopback) -> Iterator[None]:
    yield
    server.clear()
    server.release()


def by_two(calls: list[Callable[[int], Any]]) -> list[Any]:
    """Calls, on two clients side by side; each gets the number of its client."""
    waiting = list(enumerate(calls))
    found: dict[int, Any] = {}

    def take(client: int) -> None:
        while waiting:
            try:
                number, call = waiting.pop(0)
            except IndexError:
                return
            found[number] = call(client)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(take, range(2)))
    return [found[number] for number in range(len(calls))]


# Named points -------------------------------------------------------------------------------------------------------


def test_an_undisturbed_run_passes_every_point(bench: Bench) -> None:
    assert [point for point in POINTS[:-2] if not bench.seen.get(point)] == []
    assert bench.events > 200


@pytest.mark.parametrize("point", DEFAULT)
def test_killed_at_a_point(bench: Bench, point: str) -> None:
    bench.kill_and_finish(point=point, nth=2)


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 4], ids=["first", "last"])
@pytest.mark.parametrize("point", POINTS[:-2])
def test_killed_at_every_point(bench: Bench, point: str, nth: int) -> None:
    if nth > bench.seen[point]:
        nth = bench.seen[point]
    bench.kill_and_finish(point=point, nth=nth)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [("posted", "adopted"), ("while posting", "adopted"), ("after the file", "found on disk"), ("intent", "intent")],
)
def test_killed_again_while_coming_back(bench: Bench, first: str, second: str) -> None:
    run = bench.plan(point=first, nth=2)
    assert bench.run(run)["signal"] == 9
    again = Run(run.ledger, run.out, point=second)
    assert bench.run(again)["signal"] == 9
    bench.finish(run)
    bench.prove(run)


def test_a_job_that_is_made_after_its_client_died_is_found(bench: Bench) -> None:
    bench.server.fault("delay", method="POST", path="^/jobs$", seconds=0.4, skip=1)
    run = bench.plan(point="while posting", nth=2, tag_lag=2.0)
    assert bench.run(run)["signal"] == 9
    assert len(bench.jobs(run)) == 1
    assert "adopted" in bench.finish(run)["seen"]
    bench.prove(run)


def test_killed_between_a_failed_job_and_the_next_one(bench: Bench) -> None:
    """The service lets a job fail, and the program dies before it submits another one."""
    bench.server.fault("job_fail", tags=r"qk-\w+-2-\w+", code=1010)
    run = bench.plan(point="failed")
    assert bench.run(run)["signal"] == 9
    bench.finish(run)
    assert sorted(job["status"] for job in bench.jobs(run)) == ["Completed"] * BLOCKS + ["Failed"]
    assert np.array_equal(np.load(run.out), bench.reference)


# Any moment ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_event(bench: Bench, seed: int) -> None:
    bench.kill_and_finish(event=random.Random(seed).randint(1, bench.events))


@pytest.mark.slow
def test_killed_at_thirty_random_events(bench: Bench) -> None:
    draw = random.Random("thirty")
    events = [draw.randint(1, bench.events) for _ in range(30)]
    said = by_two([lambda client, k=k: bench.kill_and_finish(client, event=k) for k in events])
    assert sum(one["signal"] == 9 for one in said) >= 25  # a faster server needs fewer polls, and so events


@pytest.mark.slow
def test_killed_at_ten_random_times(bench: Bench) -> None:
    draw = random.Random("ten")
    delays = [draw.uniform(0.02, 1.0) for _ in range(10)]
    by_two([lambda client, t=t: bench.kill_and_finish(client, delay=t) for t in delays])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["after_status", "drop_after", "drop_before"])
def test_killed_at_random_events_while_answers_are_lost(bench: Bench, kind: str) -> None:
    """Faults and kills together: what the dead process had not noted is found all the same."""
    draw = random.Random(kind)
    for _ in range(4):
        bench.server.fault(kind, method="POST", path="^/jobs$", skip=draw.randint(0, 3), times=2)
        bench.kill_and_finish(event=draw.randint(bench.events // 4, bench.events))
        bench.server.clear()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_over_and_over(bench: Bench, seed: int) -> None:
    """Each process gets a little further than the one before, whatever it was doing."""
    draw = random.Random(f"over and over {seed}")
    run = bench.plan()
    for number in range(40):
        event = draw.randint(60, 60 + 10 * number)
        said = bench.run(Run(run.ledger, run.out, event=event))
        if said["signal"] == 0:
            break
    assert said.get("error") is None, said
    bench.prove(run)


# Processes side by side ---------------------------------------------------------------------------------------------


def test_a_second_process_is_refused(bench: Bench) -> None:
    run = bench.plan()
    with Ledger.open(run.ledger):
        said = bench.run(run)
    assert said["error"] == "ExecutionError"
    assert "one writer" in said["text"]
    bench.finish(run)
    bench.prove(run)


def test_two_processes_at_once(bench: Bench) -> None:
    run = bench.plan()
    said = by_two([lambda client: bench.run(run, client)] * 2)
    assert {one.get("error") for one in said} <= {None, "ExecutionError"}
    assert all("one writer" in one.get("text", "one writer") for one in said)
    bench.finish(run)
    bench.prove(run)


def test_another_process_collects(bench: Bench) -> None:
    bench.server.hold()
    run = bench.plan(point="polling")
    assert bench.run(run)["signal"] == 9
    bench.server.release()
    said = bench.run(Run(run.ledger, run.out, mode="collect"))
    assert said.get("error") is None, said
    with Ledger.open(run.ledger, read_only=True) as ledger:
        assert {block.state for block in ledger.blocks()} == {BlockState.DONE}
    before = len(bench.jobs(run))
    bench.finish(run)
    assert len(bench.jobs(run)) == before
    bench.prove(run)


# The server ---------------------------------------------------------------------------------------------------------


SERVER_POINTS: dict[str, dict[str, Any]] = {
    "before_store": {"method": "POST", "path": "^/jobs$", "skip": 1},
    "after_store": {"method": "POST", "path": "^/jobs$", "skip": 1},
    "before_answer": {"method": "POST", "path": "^/jobs$", "skip": 1},
    "before_answer of a poll": {"method": "GET", "path": "^/jobs/[^/]+$"},
    "before_answer of results": {"method": "GET", "path": "/results$"},
    "mid_answer": {"method": "GET", "path": "/results$"},
    "before_run": {"skip": 1},
    "mid_run": {"skip": 1},
    "after_run": {"skip": 1},
}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """With a server that can be killed."""
    with Loopback(tmp_path_factory.mktemp("mortal")) as server:
        found = Bench(server, tmp_path_factory.mktemp("runs"))
        yield found
        found.close()


@pytest.mark.slow
@pytest.mark.parametrize("point", SERVER_POINTS)
def test_the_server_is_killed_while_the_client_waits(mortal: Bench, point: str) -> None:
    mortal.server.fault("kill", point=point.split(" of ")[0], **SERVER_POINTS[point])
    run = mortal.plan(outage=60.0, tag_lag=2.0)
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(mortal.run, run)
        mortal.server.wait_for_death()
        mortal.server.restart()
        said = client.result(60.0)
    assert said.get("error") is None, said
    mortal.prove(run)


@pytest.mark.slow
def test_the_client_gives_up_on_a_dead_server_and_comes_back(mortal: Bench) -> None:
    mortal.server.fault("kill", point="after_store", method="POST", path="^/jobs$", skip=1)
    run = mortal.plan(outage=0.5)
    said = mortal.run(run)
    assert said["error"] == "OutageError"
    assert "block 2" in said["text"]
    assert str(run.ledger) in said["text"]
    mortal.server.restart()
    mortal.finish(run)
    mortal.prove(run)
