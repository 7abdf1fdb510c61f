"""Processes that die: whatever the point, a step of the ledger was taken or not begun, and the next process goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkernels._errors import ExecutionError, QKernelsWarning
from qkernels_hardware.ledger import _database as _ledger_database
from qkernels_hardware.ledger._ledger import Ledger
from qkernels_hardware.ledger._records import LedgerFileError
from qkernels_hardware.work._jobs import BlockState
from tests.hardware.ledger_cases import ESTIMATE, draft, measured, new_series, opened

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import os, signal, sys
from pathlib import Path
from qkernels_hardware.ledger import _files as _ledger_files
from qkernels_hardware.ledger._ledger import Ledger
from tests.hardware.ledger_cases import draft, measured, new_series, opened

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal")


def run(script: str, path: Path) -> None:
    """A process that kills itself."""
    command = [sys.executable, "-c", PREAMBLE + script, str(path)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == -signal.SIGKILL, found.stderr


MID_TRANSACTION = """
ledger, blocks, _ = opened(Path(sys.argv[1]))
ledger._database._connection.execute("PRAGMA cache_size = 10")  # changed pages reach the file before the end
ledger._log = die
ledger.plan(1, draft(5000, seed=7))
"""


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose writer was killed in the middle of a transaction."""
    path = tmp_path_factory.mktemp("torn") / "campaign.sqlite"
    run(MID_TRANSACTION, path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "campaign.sqlite"


def copied(torn: Path, path: Path) -> Path:
    for suffix in ("", "-journal"):
        Path(f"{path}{suffix}").write_bytes(Path(f"{torn}{suffix}").read_bytes())
    assert Path(f"{path}-journal").stat().st_size > 1000  # the half of a step is in the file
    return path


def is_as_before(ledger: Ledger) -> bool:
    found, _ = ledger.find(1, "overlap", draft(5000, seed=7).keys)
    return [block.id for block in ledger.blocks()] == [1] and bool((found == -1).all())


def test_a_writer_takes_half_a_step_back(torn: Path, path: Path) -> None:
    with Ledger.open(copied(torn, path)) as ledger:
        assert is_as_before(ledger)
        assert ledger.plan(1, draft(5000, seed=7)) == 2


def test_a_reader_takes_half_a_step_back(torn: Path, path: Path) -> None:
    with Ledger.open(copied(torn, path), read_only=True) as reader:
        assert is_as_before(reader)


def test_a_reader_who_may_not_write_says_what_to_do(torn: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _ledger_database._connect

    def connect(path: Path, mode: str) -> object:
        if mode == "rw":
            raise ExecutionError("read-only file system")
        return real(path, mode)

    monkeypatch.setattr(_ledger_database, "_connect", connect)
    with pytest.raises(ExecutionError, match=r"in the middle of a step.*opened once where it can be written"):
        Ledger.open(copied(torn, path), read_only=True)


BEFORE_DONE = """
ledger, (block,), (work,) = opened(Path(sys.argv[1]))
ledger.intend(block)
ledger.submitted(block, "job-1")
rename = os.replace
def replace(*names):
    {step}
_ledger_files.os.replace = replace
ledger.done(block, measured(work), usage=1.0)
"""


def test_a_kill_between_file_and_done_leaves_a_file_to_adopt(path: Path) -> None:
    run(BEFORE_DONE.format(step="rename(*names); die()"), path)
    with Ledger.open(path) as ledger:  # the lock went with the process
        assert ledger.blocks()[0].state is BlockState.SUBMITTED
        assert ledger.adopt_file(1)
        assert (ledger.read(1).bits == measured(draft()).bits).all()


def test_a_kill_before_the_rename_leaves_nothing_to_adopt(path: Path) -> None:
    run(BEFORE_DONE.format(step="die()"), path)
    with Ledger.open(path) as ledger:
        assert ledger.blocks()[0].state is BlockState.SUBMITTED
        assert not ledger.adopt_file(1)
        ledger.done(1, measured(draft()), usage=1.0)
        assert [file.name for file in ledger.results.iterdir()] == ["block-000001.npz"]


def test_another_process_is_refused_until_the_writer_is_killed(path: Path) -> None:
    script = "ledger, _, _ = opened(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()\n"
    command = [sys.executable, "-c", PREAMBLE + script, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "open\n"
            with pytest.raises(ExecutionError, match=f"process {writer.pid} on "):
                Ledger.open(path)
            with Ledger.open(path, read_only=True) as reader:
                assert len(reader.blocks()) == 1
        finally:
            writer.kill()
    with Ledger.open(path) as ledger:
        assert ledger.intend(1).attempt == 1


# --- any steps in any order, and a death at any point


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches kill -9."""


@dataclass
class Expected:
    """What one block should be."""

    state: BlockState = BlockState.PLANNED
    attempt: int = 0
    released: bool = False
    bills: dict[int, float] = field(default_factory=dict)

    def allows(self, step: str) -> bool:
        ended = self.state in (BlockState.FAILED, BlockState.CANCELLED)
        begins = (ended or self.state is BlockState.PLANNED) and not self.released
        return {
            "intend": begins,
            "intend again": begins or self.state is BlockState.INTENT,
            "submitted": self.state is BlockState.INTENT,
            "done": self.state is BlockState.SUBMITTED,
            "failed": self.state in (BlockState.INTENT, BlockState.SUBMITTED),
            "cancelled": self.state in (BlockState.INTENT, BlockState.SUBMITTED),
            "release": ended or self.state is BlockState.PLANNED,
            "lose the file": self.state is BlockState.DONE,
        }[step]

    def take(self, step: str) -> None:
        if step in ("intend", "intend again"):
            self.state, self.attempt = BlockState.INTENT, self.attempt + 1
        elif step == "release":
            self.released = True
            self.state = BlockState.CANCELLED if self.state is BlockState.PLANNED else self.state
        elif step in ("submitted", "lose the file"):
            self.state = BlockState.SUBMITTED
        else:
            self.state = BlockState(step)
            self.bills[self.attempt] = 2.0 if step == "done" else 0.5


def take(ledger: Ledger, block: int, step: str) -> None:
    work = draft(seed=block - 1)
    if step in ("intend", "intend again"):
        ledger.intend(block, new_attempt=step == "intend again")
    elif step == "submitted":
        ledger.submitted(block, f"job-{block}-{ledger.blocks([block])[0].attempt}")
    elif step == "done":
        ledger.done(block, measured(work, seed=block), usage=2.0)
    elif step in ("failed", "cancelled"):
        ledger.failed(block, "why", usage=0.5, cancelled=step == "cancelled")
    elif step == "release":
        ledger.release(block)
    else:
        (ledger.results / f"block-{block:06d}.npz").unlink(missing_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", QKernelsWarning)
            ledger.read(block)


def check(ledger: Ledger, expected: dict[int, Expected]) -> None:
    records = {record.id: record for record in ledger.blocks()}
    for block, wanted in expected.items():
        record = records[block]
        assert (record.state, record.attempt, record.released) == (wanted.state, wanted.attempt, wanted.released)
        keys = draft(seed=block - 1).keys
        counts = wanted.state not in (BlockState.FAILED, BlockState.CANCELLED)
        assert (ledger.find(1, "overlap", keys)[0] == (block if counts else -1)).all()
        if wanted.state is BlockState.DONE:
            bits = ledger.read(block).bits
            assert bits is not None
            assert (bits == measured(draft(seed=block - 1), seed=block).bits).all()
    spent = ledger.spent()
    unbilled = [
        wanted
        for wanted in expected.values()
        if wanted.state in (BlockState.INTENT, BlockState.SUBMITTED) and wanted.attempt not in wanted.bills
    ]
    assert spent.paid == sum(sum(wanted.bills.values()) for wanted in expected.values())
    assert spent.open == ESTIMATE * len(unbilled)
    tags = [event.detail for event in ledger.events() if event.what == "intent"]
    assert len(set(tags)) == len(tags) == sum(wanted.attempt for wanted in expected.values())


ACTIONS = st.tuples(
    st.sampled_from([1, 2]),
    st.sampled_from(
        ["intend", "submitted", "done", "intend again", "failed", "cancelled", "release", "lose the file", "go on"]
    ),
    st.sampled_from(["no", "no", "during", "after"]),
)


def next_step(wanted: Expected) -> str:
    return {
        BlockState.PLANNED: "intend",
        BlockState.INTENT: "submitted",
        BlockState.SUBMITTED: "done",
        BlockState.DONE: "lose the file",
        BlockState.FAILED: "intend",
        BlockState.CANCELLED: "intend",
    }[wanted.state]


@given(st.lists(ACTIONS, min_size=3, max_size=10))
@settings(max_examples=25)
def test_any_steps_and_deaths_leave_a_ledger_that_is_true(actions: list[tuple[int, str, str]]) -> None:
    with TemporaryDirectory() as folder, patch.object(_ledger_database, "_SYNCHRONOUS", "OFF"):
        path = Path(folder) / "campaign.sqlite"
        ledger, blocks, _ = opened(path, blocks=2)
        expected = {block: Expected() for block in blocks}
        for block, name, death in actions:
            step = next_step(expected[block]) if name == "go on" else name
            killed = False
            with patch.object(Ledger, "_log", side_effect=Killed) if death == "during" else nullcontext():
                try:
                    take(ledger, block, step)
                except (ExecutionError, LedgerFileError):
                    pass
                except Killed:
                    killed = True
            if expected[block].allows(step) and not killed:
                expected[block].take(step)
            if death != "no":
                ledger._database._finalizer()  # what the system does for a process that is gone
                ledger = Ledger.open(path)
                if killed and step == "lose the file":  # still to be noticed
                    with suppress(LedgerFileError):
                        take(ledger, block, step)
                    expected[block].take(step)
            check(ledger, expected)
        ledger.close()


def test_a_third_series_after_a_crash_keeps_its_number(path: Path) -> None:
    ledger, _, _ = opened(path)
    with patch.object(Ledger, "_now", side_effect=Killed), pytest.raises(Killed):
        new_series(ledger)
    ledger._database._finalizer()
    with Ledger.open(path) as again:
        assert len(again.all_series()) == 1
        assert new_series(again).generation == 2
