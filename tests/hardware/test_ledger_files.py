"""Result files of a ledger: written whole or not at all, checked when read, moved with it."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qkernels._errors import ExecutionError, QKernelsWarning
from qkernels_hardware.ledger import _files as _ledger_files
from qkernels_hardware.ledger._files import pack, unpack
from qkernels_hardware.ledger._ledger import Ledger
from qkernels_hardware.ledger._records import LedgerFileError
from qkernels_hardware.work._jobs import BlockState, Samples
from tests.hardware.ledger_cases import SHOTS, done, draft, expectation, measured, new_series, opened, overlap


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "campaign.sqlite"


def result_file(ledger: Ledger, block: int) -> Path:
    return ledger.results / f"block-{block:06d}.npz"


def same(first: Samples, second: Samples) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and a.dtype == b.dtype and np.array_equal(a, b))
        for a, b in ((getattr(first, name), getattr(second, name)) for name in ("bits", "values", "stderr"))
    )


def test_results_come_back_bit_for_bit(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work, seed=5)
        assert same(ledger.read(block), measured(work, seed=5))
        assert [file.name for file in ledger.results.iterdir()] == ["block-000001.npz"]
        assert ledger.results.name == "campaign.sqlite.results"
    with Ledger.open(path, read_only=True) as reader:
        assert same(reader.read(block), measured(work, seed=5))


def test_results_of_tiles_and_of_an_estimator_come_back(path: Path) -> None:
    with Ledger.open(path) as ledger:
        series = new_series(ledger, overlap(copies=2), expectation()).id
        tiles, values = draft(5, copies=2, columns=4), draft(3, circuit="values", columns=1)
        first, second = ledger.plan_all(series, [tiles, values])
        estimated = Samples(values=np.array([[0.1, -1 / 3]] * 3), stderr=np.full((3, 2), 1e-300))
        for block, samples in ((first, measured(tiles, copies=2, num_shots=32)), (second, estimated)):
            ledger.intend(block)
            ledger.submitted(block, f"job-{block}")
            ledger.done(block, samples, usage=1.0)
            assert same(ledger.read(block), samples)
        assert [block.num_shots for block in ledger.blocks()] == [32, SHOTS]


@pytest.mark.parametrize(
    ("bits", "problem"),
    [
        (None, "there are no bits"),
        (np.zeros((2, 1, SHOTS, 1), dtype=np.uint8), r"shape \(3, 1, shots, 1\).*got \(2, 1, 16, 1\)"),
        (np.zeros((3, 2, SHOTS, 1), dtype=np.uint8), r"got \(3, 2, 16, 1\)"),
        (np.zeros((3, 1, SHOTS, 2), dtype=np.uint8), r"got \(3, 1, 16, 2\)"),
        (np.zeros((3, 1, 0, 1), dtype=np.uint8), r"got \(3, 1, 0, 1\)"),
        (np.zeros((3, SHOTS, 1), dtype=np.uint8), r"got \(3, 16, 1\)"),
        (np.zeros((3, 1, SHOTS, 1), dtype=bool), "type uint8; got .*bool"),
    ],
    ids=["nothing", "rows", "copies", "bytes", "no shots", "no copies", "type"],
)
def test_results_that_do_not_fit_are_refused(path: Path, bits: np.ndarray | None, problem: str) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        with pytest.raises(ExecutionError, match=f"job job-1 gave results that do not fit block 1: .*{problem}"):
            ledger.done(block, Samples(bits=bits), usage=1.0)
        assert ledger.blocks()[0].state is BlockState.SUBMITTED
        assert not ledger.results.exists()


@pytest.mark.parametrize("missing", ["values", "stderr", "shape"])
def test_estimates_that_do_not_fit_are_refused(path: Path, missing: str) -> None:
    with Ledger.open(path) as ledger:
        block = ledger.plan(new_series(ledger, expectation()).id, draft(3, circuit="values", columns=1))
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        columns = 1 if missing == "shape" else 2
        arrays = {name: np.zeros((3, columns)) for name in ("values", "stderr") if name != missing}
        with pytest.raises(ExecutionError, match=r"there are no|must have shape \(3, 2\)"):
            ledger.done(block, Samples(**arrays), usage=1.0)


# --- a disk that does not take them


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        with monkeypatch.context() as patch:
            patch.setattr(_ledger_files.os, call, full)
            with pytest.raises(
                ExecutionError, match=r"No space left.*the service still has them \(job job-1\)"
            ) as caught:
                ledger.done(block, measured(work), usage=1.0)
        assert str(path) in str(caught.value)
        assert ledger.blocks()[0].state is BlockState.SUBMITTED
        assert not result_file(ledger, block).exists()
        assert not ledger.adopt_file(block)
        ledger.done(block, measured(work), usage=1.0)
        assert same(ledger.read(block), measured(work))
        assert [file.name for file in ledger.results.iterdir()] == ["block-000001.npz"]


def test_a_file_where_the_folder_should_be_is_named(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        ledger.results.touch()
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        with pytest.raises(ExecutionError, match=r"campaign\.sqlite\.results.*the service still has them"):
            ledger.done(block, measured(work), usage=1.0)
        assert not ledger.adopt_file(block)
        assert ledger.blocks()[0].state is BlockState.SUBMITTED


# --- files that are not what they were


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def rewrite(file: Path) -> None:
    """A valid file of this block with other bits, as an editor of results would leave it."""
    samples, identity = unpack(file.read_bytes())
    assert samples.bits is not None
    identity.pop("format")
    identity.pop("version")
    file.write_bytes(pack(Samples(bits=samples.bits ^ 1), identity))


def foreign(file: Path) -> None:
    samples, identity = unpack(file.read_bytes())
    file.write_bytes(pack(samples, {**identity, "ledger": "0" * 32}))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped": (flip, "it cannot be read|checksum"),
    "truncated": (lambda file: os.truncate(file, file.stat().st_size // 2), "bytes"),
    "empty": (lambda file: os.truncate(file, 0), "it has 0 of"),
    "rewritten": (rewrite, "checksum"),
    "missing": (lambda file: file.unlink(), "it is missing"),
    "swapped": (lambda file: shutil.copy(file.with_name("block-000002.npz"), file), "it belongs to block 2"),
    "foreign": (foreign, "it belongs to another ledger"),
    "other": (lambda file: file.write_bytes(b"theirs" * 10_000), "it cannot be read|allow_pickle"),
}


@pytest.mark.parametrize("kind", list(DAMAGE))
def test_a_bad_file_is_put_aside_and_the_rest_is_used(path: Path, kind: str) -> None:
    ledger, (first, second), (work, other) = opened(path, blocks=2)
    damage, problem = DAMAGE[kind]
    with ledger:
        done(ledger, first, work, seed=1)
        done(ledger, second, other, seed=2)
        damage(result_file(ledger, first))
        with (
            pytest.warns(QKernelsWarning, match=r"block 1, cannot be used.*fetched again from job job-1"),
            pytest.raises(LedgerFileError, match=problem) as caught,
        ):
            ledger.read(first)
        assert caught.value.block == first
        record = ledger.blocks([first])[0]
        assert (record.state, record.job_id, record.num_shots) == (BlockState.SUBMITTED, "job-1", None)
        assert same(ledger.read(second), measured(other, seed=2))
        kept = [] if kind == "missing" else ["block-000001.npz.quarantine-1"]
        assert sorted(file.name for file in ledger.results.iterdir()) == [*kept, "block-000002.npz"]
        assert (ledger.spent().paid, ledger.spent().open) == (5.0, 0.0)  # nothing is paid again
        ledger.done(first, measured(work, seed=1), usage=2.5)
        assert same(ledger.read(first), measured(work, seed=1))
        assert ledger.spent().paid == 5.0


def test_the_second_bad_file_does_not_replace_the_first(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)
        for _ in range(2):
            flip(result_file(ledger, block))
            with pytest.warns(QKernelsWarning), pytest.raises(LedgerFileError):
                ledger.read(block)
            ledger.done(block, measured(work), usage=None)
        names = {file.name for file in ledger.results.iterdir()}
        assert names >= {"block-000001.npz.quarantine-1", "block-000001.npz.quarantine-2"}


def test_the_state_is_stored_also_where_warnings_are_errors(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)
        result_file(ledger, block).unlink()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(QKernelsWarning):
                ledger.read(block)
        assert ledger.blocks()[0].state is BlockState.SUBMITTED


def test_a_reader_leaves_a_bad_file_where_it_is(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)
        flip(result_file(ledger, block))
    with Ledger.open(path, read_only=True) as reader:
        with pytest.raises(LedgerFileError, match="read only: nothing was changed"):
            reader.read(block)
        assert reader.blocks()[0].state is BlockState.DONE
    assert [file.name for file in ledger.results.iterdir()] == ["block-000001.npz"]


def test_a_file_that_may_not_be_read_is_no_bad_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)

        def refuse(_: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", refuse)
            with pytest.raises(ExecutionError, match=r"cannot be read: .*Nothing was changed") as caught:
                ledger.read(block)
        assert not isinstance(caught.value, LedgerFileError)
        assert same(ledger.read(block), measured(work))


def test_a_block_without_a_job_must_be_measured_again_and_its_bill_is_waste(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)
        with ledger._database.change("") as connection:
            connection.execute("UPDATE attempts SET job_id = ''")
        result_file(ledger, block).unlink()
        with pytest.warns(QKernelsWarning, match="must be measured again"), pytest.raises(LedgerFileError):
            ledger.read(block)
        record = ledger.blocks()[0]
        assert (record.state, record.usage, record.waste, ledger.spent().paid) == (BlockState.PLANNED, None, 2.5, 2.5)
        assert ledger.intend(block).attempt == 2


# --- files found after a crash


def crashed(ledger: Ledger, block: int, samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there, and the step that says so was not taken."""
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_finish", lambda *_: None)
        ledger.done(block, samples, usage=1.5, calibration="2030-02-02")


def test_a_finished_file_is_adopted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        crashed(ledger, block, measured(work), monkeypatch)
        assert ledger.blocks()[0].state is BlockState.SUBMITTED
        assert ledger.adopt_file(block)
        record = ledger.blocks()[0]
        assert (record.state, record.usage, record.calibration) == (BlockState.DONE, 1.5, "2030-02-02")
        assert same(ledger.read(block), measured(work))


def test_a_folder_that_comes_back_is_adopted(path: Path, tmp_path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)
        ledger.results.rename(tmp_path / "elsewhere")
        with pytest.warns(QKernelsWarning, match="it is missing"), pytest.raises(LedgerFileError):
            ledger.read(block)
        assert not ledger.adopt_file(block)
        (tmp_path / "elsewhere").rename(ledger.results)
        assert ledger.adopt_file(block)
        assert same(ledger.read(block), measured(work))


@pytest.mark.parametrize("kind", ["flipped", "truncated", "foreign", "other"])
def test_a_bad_file_is_not_adopted(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        crashed(ledger, block, measured(work), monkeypatch)
        DAMAGE[kind][0](result_file(ledger, block))
        assert not ledger.adopt_file(block)
        assert ledger.blocks()[0].state is BlockState.SUBMITTED


def test_a_file_of_another_attempt_is_not_adopted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        ledger.intend(block)
        ledger.submitted(block, "job-1")
        crashed(ledger, block, measured(work), monkeypatch)
        ledger.failed(block, "lost")
        ledger.intend(block)
        assert not ledger.adopt_file(block)
        assert ledger.blocks()[0].state is BlockState.INTENT


# --- moving


def test_a_ledger_moves_with_its_folder(path: Path, tmp_path: Path) -> None:
    ledger, (block, planned), (work, _) = opened(path, blocks=2)
    with ledger:
        done(ledger, block, work)
    target = tmp_path / "archive"
    target.mkdir()
    path.rename(target / "renamed.sqlite")
    ledger.results.rename(target / "renamed.sqlite.results")
    with Ledger.open(target / "renamed.sqlite") as moved:
        assert moved.id == ledger.id
        assert same(moved.read(block), measured(work))
        assert moved.intend(planned).tag.startswith(f"qk-{ledger.id[:8]}-{planned}-")


def test_nothing_of_a_result_file_is_pickled(path: Path) -> None:
    ledger, (block,), (work,) = opened(path)
    with ledger:
        done(ledger, block, work)
        with np.load(result_file(ledger, block), allow_pickle=False) as arrays:
            assert {name: arrays[name].dtype.kind for name in arrays.files} == {"header": "u", "bits": "u"}
