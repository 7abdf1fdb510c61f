"""The ledger: series, entries, steps of a block, costs, and what it refuses."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.ledger import _database as _ledger_database
from qkernels_hardware.ledger._circuits import StoredCircuit
from qkernels_hardware.ledger._ledger import Ledger
from qkernels_hardware.ledger._secrets import refuse_secrets, scrubbed
from qkernels_hardware.work._jobs import BlockState, Draft, MeasuredCircuit
from tests.hardware.ledger_cases import SHOTS, clock, done, draft, expectation, measured, new_series, opened, overlap


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "campaign.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened_ledger:
        yield opened_ledger


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.name != "test_the_settings_of_sqlite_are_durable":
        monkeypatch.setattr(_ledger_database, "_SYNCHRONOUS", "OFF")


# --- the file


def test_the_identity_is_made_once(path: Path) -> None:
    with Ledger.open(path) as ledger:
        first = ledger.id
    with Ledger.open(str(path)) as again, Ledger.open(path, read_only=True) as reader:
        assert again.id == reader.id == first
    assert re.fullmatch("[0-9a-f]{32}", first)


def test_the_folder_is_made(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "a" / "b" / "campaign.sqlite") as ledger:
        assert ledger.path.is_file()


def test_the_settings_of_sqlite_are_durable(ledger: Ledger) -> None:
    database = ledger._database
    assert database.rows("PRAGMA journal_mode")[0][0] == "delete"
    assert database.rows("PRAGMA synchronous")[0][0] >= 2  # FULL, or EXTRA, which is more
    assert database.rows("PRAGMA user_version")[0][0] == 1


def test_a_second_writer_is_refused_and_told_who_writes(ledger: Ledger) -> None:
    with pytest.raises(ExecutionError, match=f"process {os.getpid()} on .*Nothing was sent") as caught:
        Ledger.open(ledger.path)
    assert str(ledger.path) in str(caught.value)
    assert new_series(ledger).generation == 1  # the first one goes on


def test_a_closed_ledger_lets_the_next_writer_in_and_does_nothing_more(path: Path) -> None:
    first = Ledger.open(path)
    first.close()
    first.close()
    with Ledger.open(path), pytest.raises(ExecutionError, match="is closed"):
        first.all_series()


def test_a_ledger_that_nobody_closed_gives_its_lock_back(path: Path) -> None:
    Ledger.open(path)
    with Ledger.open(path) as ledger:
        assert ledger.all_series() == []


def test_another_thread_may_close(path: Path) -> None:
    ledger = Ledger.open(path)
    thread = Thread(target=ledger.close)
    thread.start()
    thread.join()
    with Ledger.open(path) as again:
        assert again.id == ledger.id


def test_a_process_that_was_forked_off_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: parent + 1)
        with pytest.raises(ExecutionError, match=f"opened by process {parent}; this is process {parent + 1}"):
            ledger.all_series()


def test_readers_need_no_lock(ledger: Ledger) -> None:
    new_series(ledger)
    with Ledger.open(ledger.path, read_only=True) as first, Ledger.open(ledger.path, read_only=True) as second:
        assert first.all_series() == second.all_series() == ledger.all_series()
        new_series(ledger)
        assert len(first.all_series()) == 2


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"path must be the file of a ledger; got .*campaign\.sqlite"):
        Ledger.open(path, read_only=True)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger: new_series(ledger),
        lambda ledger: ledger.intend(1),
        lambda ledger: ledger.done(1, measured(draft()), usage=None),
        lambda ledger: ledger.adopt_file(1),
        lambda ledger: ledger.note("key", "value"),
    ],
    ids=["series", "intend", "done", "adopt", "note"],
)
def test_a_reader_changes_nothing(path: Path, change: Callable[[Ledger], object]) -> None:
    opened(path)[0].close()
    before = path.read_bytes()
    with Ledger.open(path, read_only=True) as reader, pytest.raises(ExecutionError, match="opened to read only"):
        change(reader)
    assert path.read_bytes() == before


def test_another_version_is_refused(path: Path) -> None:
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    for read_only in (False, True):
        with pytest.raises(ExecutionError, match=r"has version 7; this version of qkernels reads version 1\. Use"):
            Ledger.open(path, read_only=read_only)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(ExecutionError, match="an SQLite file of another program, not a ledger"):
        Ledger.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused(path: Path, read_only: bool) -> None:
    path.write_text("theirs\n" * 500)
    with pytest.raises(ExecutionError, match="is no ledger"):
        Ledger.open(path, read_only=read_only)
    assert path.read_text() == "theirs\n" * 500


def test_a_ledger_is_there_when_it_is_complete(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers find none before, and neither does the next process after a crash."""

    def crash(*_: object) -> None:
        assert not path.exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("qkernels_hardware.ledger._database.os.replace", crash)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(path)
    assert not path.exists()
    with Ledger.open(path) as ledger:
        assert len(ledger.id) == 32
    assert sorted(each.name for each in path.parent.iterdir() if each.suffix != ".lock") == [path.name]


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.touch()
    with pytest.raises(ExecutionError, match="is an empty file, not a ledger"):
        Ledger.open(path, read_only=True)
    with Ledger.open(path) as ledger:
        assert len(ledger.id) == 32


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExecutionError, match=r"file/campaign\.sqlite.*Nothing was sent"):
        Ledger.open(tmp_path / "file" / "campaign.sqlite")


def test_a_read_only_folder_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(name: object, *args: int, **named: int) -> int:
        if str(name).endswith(".lock"):
            raise PermissionError(13, "Permission denied", str(name))
        return real(name, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ExecutionError, match=r"campaign\.sqlite cannot be written: .*Permission.*Nothing was sent"):
        Ledger.open(path)


def test_a_read_only_file_is_named(path: Path) -> None:
    opened(path)[0].close()
    ledger = Ledger.open(path)
    ledger._database._connection.execute("PRAGMA query_only = ON")  # as root, permissions do not stop us
    with pytest.raises(ExecutionError, match=r"campaign\.sqlite: .*readonly.*Nothing was sent\..*permissions"):
        ledger.intend(1)
    ledger.close()


def test_a_file_system_without_locks_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def missing(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(ExecutionError, match=r"its file system has no file locks.*local disk"):
        Ledger.open(path)


def test_a_full_disk_leaves_every_step_as_it_was(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        pages = ledger._database.rows("PRAGMA page_count")[0][0]
        ledger._database.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ExecutionError, match=r"campaign\.sqlite: .*full\. Nothing was sent\. .*make room"):
            ledger.plan(1, draft(2000, seed=9))
        assert [record.id for record in ledger.blocks()] == [block]
        ledger._database.rows(f"PRAGMA max_page_count = {pages + 1000}")
        assert len(ledger.blocks([ledger.plan(1, draft(2000, seed=9))])) == 1


def test_a_full_disk_after_the_submission_says_that_the_job_is_found_by_its_tag(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        ledger.intend(block)
        pages = ledger._database.rows("PRAGMA page_count")[0][0]
        ledger._database.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ExecutionError, match=r"Job job-1 was submitted .* finds the job by it"):
            ledger.submitted(block, "job-1", session_id="x" * 20000)
        assert ledger.blocks([block])[0].state is BlockState.INTENT


# --- series and circuits


def test_a_series_is_found_again_with_what_wrote_it(path: Path) -> None:
    times = clock()
    with Ledger.open(path, clock=lambda: next(times)) as ledger:
        record = new_series(ledger)
    with Ledger.open(path, read_only=True) as reader:
        assert reader.series("series key") == record
        assert reader.series("another") is None
    assert (record.backend, record.instance, record.program) == ("fake_manila", "instance name", "0123456789abcdef")
    assert record.settings["options"] == {"twirling": {"enable_gates": True}}
    assert record.versions["qpy"] == str(qpy.QPY_VERSION)
    assert set(record.versions) == {"qkernels", "qiskit", "qiskit-ibm-runtime", "qpy", "python"}
    assert record.created.tzinfo == UTC
    assert record.created.year == 2030


def test_a_new_layout_is_a_new_generation(ledger: Ledger) -> None:
    first, other, second = new_series(ledger), new_series(ledger, key="other"), new_series(ledger)
    assert (first.generation, other.generation, second.generation) == (1, 1, 2)
    assert ledger.series("series key") == second
    assert ledger.all_series() == [first, other, second]


def test_circuits_come_back_as_they_were(ledger: Ledger) -> None:
    given = {"overlap": overlap(copies=3), "values": expectation()}
    loaded = ledger.circuits(new_series(ledger, *given.values()).id)
    assert list(loaded) == ["overlap", "values"]
    for name, circuit in loaded.items():
        assert circuit.circuit == given[name].circuit
        assert list(circuit.circuit.parameters) == list(given[name].circuit.parameters)
        assert circuit.observables == given[name].observables
        assert (circuit.copies, circuit.num_qubits, circuit.duration) == (given[name].copies, 2, 1e-6)


def test_a_circuit_of_a_newer_qiskit_names_both_versions(ledger: Ledger) -> None:
    stored = StoredCircuit.of(overlap())
    newer = StoredCircuit("overlap", 1, 2, 0.0, stored.qpy[:6] + bytes([250]) + stored.qpy[7:])
    series = new_series(ledger)
    record = ledger.add_series(
        "new", program="", backend="", instance="", settings={}, circuits=[newer], calibration=""
    )
    with pytest.raises(ExecutionError, match=f"QPY version 250; .* up to version {qpy.QPY_VERSION}.* Install Qiskit"):
        ledger.circuits(record.id)
    assert list(ledger.circuits(series.id)) == ["overlap"]


def test_a_damaged_circuit_is_an_execution_error(ledger: Ledger) -> None:
    stored = StoredCircuit.of(overlap())
    damaged = StoredCircuit("overlap", 1, 2, 0.0, stored.qpy[: len(stored.qpy) // 2])
    record = ledger.add_series(
        "d", program="", backend="", instance="", settings={}, circuits=[damaged], calibration=""
    )
    with pytest.raises(ExecutionError, match="the circuit 'overlap' cannot be read"):
        ledger.circuits(record.id)


def test_two_circuits_of_one_name_are_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidParameterError, match=r"different names; got \['overlap', 'overlap'\]"):
        new_series(ledger, overlap(), overlap())
    assert ledger.all_series() == []


def test_an_observable_with_a_parameter_is_refused() -> None:
    observable = SparsePauliOp(["Z"], np.array([Parameter("a")]))
    with pytest.raises(InvalidParameterError, match="observables must have numbers"):
        StoredCircuit.of(MeasuredCircuit("values", QuantumCircuit(1), 1, 1, 0.0, (observable,)))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"seed": object()}, "not JSON serializable"), ({"angle": float("nan")}, "not JSON compliant")],
    ids=["object", "nan"],
)
def test_settings_are_plain_data(ledger: Ledger, settings: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"settings must be plain data.*{problem}"):
        ledger.add_series("k", program="", backend="", instance="", settings=settings, circuits=[], calibration="")


# --- no token on disk

FAKE = "not-a-real-word-9000"


@pytest.mark.parametrize(
    "settings",
    [
        {"token": FAKE},
        {"account": {"apikey": FAKE}},
        {"options": [{"API_KEY": FAKE}]},
        {"a": ({"proxy-password": FAKE},)},
        {"client_secret": FAKE},
        {"headers": {"Authorization": FAKE}},
        {"header": f"Authorization: Bearer {FAKE}"},
        {"header": f"apikey {FAKE}"},
        {"proxy": f"http://user:{FAKE}@proxy.example:80"},
    ],
    ids=["token", "apikey", "api_key", "password", "secret", "authorization", "bearer", "header", "proxy"],
)
def test_a_token_does_not_reach_the_disk(path: Path, settings: dict[str, object]) -> None:
    with Ledger.open(path) as ledger:
        with pytest.raises(InvalidParameterError, match="must not hold secrets") as caught:
            ledger.add_series("k", program="", backend="", instance="", settings=settings, circuits=[], calibration="")
        with pytest.raises(InvalidParameterError):
            ledger.note(*next((key, str(value)) for key, value in settings.items()))
        assert ledger.all_series() == []
    assert FAKE not in str(caught.value)
    assert FAKE.encode() not in path.read_bytes()


def test_a_token_in_an_error_does_not_reach_the_disk(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        ledger.intend(block)
        ledger.failed(block, f"401 for Authorization: apikey {FAKE} at /jobs")
        reason = ledger.blocks()[0].reason
    assert reason == "401 for Authorization: apikey *** at /jobs"
    assert FAKE.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{{"token": "{FAKE}"}}', '{"token": "***"}'),
        (f"?apikey={FAKE}&x=1", "?apikey=***&x=1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MX0.abc-_1 was refused", "*** was refused"),
        ("https://user:hidden@host/x", "https://user:***@host/x"),
        (
            "Internal error 9999 in job d1abc: the token was fine",
            "Internal error 9999 in job d1abc: the token was fine",
        ),
        (
            "crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::",
            "crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::",
        ),
    ],
    ids=["json", "query", "jwt", "url", "prose", "crn"],
)
def test_texts_are_scrubbed(text: str, expected: str) -> None:
    assert scrubbed(text) == expected
    assert scrubbed(expected) == expected


def test_ordinary_settings_are_no_secrets() -> None:
    refuse_secrets({"options": {"resilience": {"zne": [1, 3, 5]}}, "instance": "crn:v1:a:b:c/1:2::"}, "f")


# --- entries


def test_entries_are_found_where_they_are_measured(ledger: Ledger) -> None:
    series = new_series(ledger).id
    drafts = [draft(3, seed=1), draft(2, seed=2)]
    first, second = ledger.plan_all(series, drafts)
    unknown = draft(1, seed=3).keys
    keys = np.concatenate([drafts[1].keys[::-1], unknown, drafts[0].keys[1:2], drafts[1].keys[:1]])
    blocks, positions = ledger.find(series, "overlap", keys)
    assert blocks.tolist() == [second, second, -1, first, second]
    assert positions.tolist() == [1, 0, -1, 1, 0]
    assert blocks.dtype == positions.dtype == np.int64


def test_no_keys_find_nothing(ledger: Ledger) -> None:
    blocks, positions = ledger.find(new_series(ledger).id, "overlap", np.zeros((0, 16), dtype=np.uint8))
    assert blocks.shape == positions.shape == (0,)


def test_entries_of_another_series_or_circuit_do_not_count(ledger: Ledger) -> None:
    work = draft()
    first, second = new_series(ledger, overlap(), expectation()), new_series(ledger)
    ledger.plan(first.id, work)
    assert (ledger.find(second.id, "overlap", work.keys)[0] == -1).all()
    assert (ledger.find(first.id, "values", work.keys)[0] == -1).all()


def test_entries_that_failed_are_not_found_and_stay_claimed(ledger: Ledger) -> None:
    series, work = new_series(ledger).id, draft()
    block = ledger.plan(series, work)
    ledger.intend(block)
    ledger.failed(block, "the device was recalibrated")
    assert (ledger.find(series, "overlap", work.keys)[0] == -1).all()
    assert (ledger.find(series, "overlap", work.keys, failed=True)[0] == block).all()
    with pytest.raises(ExecutionError, match=rf"belongs to block {block}, which is 'failed'.*release\({block}\)"):
        ledger.plan(series, work)
    ledger.intend(block)
    assert (ledger.find(series, "overlap", work.keys)[0] == block).all()


def test_released_entries_are_measured_by_others(ledger: Ledger) -> None:
    series, work = new_series(ledger).id, draft()
    first = ledger.plan(series, work)
    ledger.release(first)
    second = ledger.plan(series, work)
    assert (ledger.find(series, "overlap", work.keys)[0] == second).all()
    record = ledger.blocks([first])[0]
    assert (record.state, record.released) == (BlockState.CANCELLED, True)
    with pytest.raises(ExecutionError, match=f"entries of block {first} were given back"):
        ledger.intend(first)


def test_plans_are_stored_all_or_none(ledger: Ledger) -> None:
    series = new_series(ledger).id
    ledger.plan(series, draft(seed=1))
    with pytest.raises(ExecutionError, match="belongs to block 1, which is 'planned'; it would be measured twice"):
        ledger.plan_all(series, [draft(seed=2), draft(seed=1)])
    assert len(ledger.blocks()) == 1
    assert (ledger.find(series, "overlap", draft(seed=2).keys)[0] == -1).all()


def test_an_entry_twice_in_a_draft_is_refused(ledger: Ledger) -> None:
    work = draft(3)
    twice = Draft("overlap", "sampler", work.keys[[0, 1, 0]], work.values, SHOTS, 48, 1.0)
    with pytest.raises(InvalidParameterError, match="keys must be different from each other; 1 of 3 occur again"):
        ledger.plan(new_series(ledger).id, twice)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"keys": np.zeros((3, 8), dtype=np.uint8)}, r"shape \(n, 16\) and type uint8; got \(3, 8\)"),
        ({"keys": np.zeros((3, 16))}, "type uint8; got .*float64"),
        ({"keys": np.zeros((0, 16), dtype=np.uint8)}, "3 rows for 0 keys"),
        ({"values": np.zeros((2, 2))}, "2 rows for 3 keys"),
        ({"values": np.full((3, 2), np.nan)}, "values must be finite"),
        ({"values": np.zeros((3, 2), dtype=np.float32)}, "type float64; got .*float32"),
        ({"shots": 0}, "shots must be at least 1.*got 0"),
        ({"estimate": float("nan")}, "estimate at least 0; got .*nan"),
        ({"circuit": "other"}, r"circuit must be one of series 1 \(overlap\); got 'other'"),
    ],
    ids=["short keys", "float keys", "no keys", "rows", "nan", "float32", "shots", "estimate", "circuit"],
)
def test_a_draft_that_does_not_fit_together_is_refused(ledger: Ledger, wrong: dict[str, object], problem: str) -> None:
    work = draft(3)
    fields = {name: getattr(work, name) for name in work.__slots__} | wrong
    with pytest.raises(InvalidParameterError, match=problem):
        ledger.plan(new_series(ledger).id, Draft(**fields))
    assert ledger.blocks() == []


def test_unknown_numbers_are_refused(ledger: Ledger) -> None:
    new_series(ledger)
    with pytest.raises(InvalidParameterError, match="series must be one of this ledger; got 5"):
        ledger.plan(5, draft())
    with pytest.raises(InvalidParameterError, match="series must be one of this ledger; got 5"):
        ledger.circuits(5)
    with pytest.raises(InvalidParameterError, match="block must be one of this ledger; got 9"):
        ledger.blocks([9])
    with pytest.raises(InvalidParameterError, match="block must be one of this ledger; got 9"):
        ledger.values(9)


def test_angles_come_back_bit_for_bit(ledger: Ledger) -> None:
    work = draft(5, copies=2, columns=4)
    work.values[0] = [0.1, -0.0, 5e-324, 1e300]
    block = ledger.plan(new_series(ledger, overlap(copies=2)).id, work)
    assert ledger.values(block).tobytes() == work.values.tobytes()
    assert ledger.values(block).shape == (3, 4)


def test_damaged_angles_are_found(ledger: Ledger) -> None:
    block = ledger.plan(new_series(ledger).id, draft())
    with ledger._database.change("") as connection:
        data = bytearray(connection.execute("SELECT data FROM angles").fetchone()[0])
        data[len(data) // 2] ^= 1
        connection.execute("UPDATE angles SET data = ?", (bytes(data),))
    with pytest.raises(ExecutionError, match=f"the angles of block {block} are not what was stored"):
        ledger.values(block)


def test_a_hundred_thousand_entries(ledger: Ledger) -> None:
    series = new_series(ledger).id
    drafts = [draft(25_000, seed=seed) for seed in range(4)]
    blocks = ledger.plan_all(series, drafts)
    keys = np.concatenate([work.keys for work in drafts])
    order = np.random.default_rng(0).permutation(len(keys))
    found, positions = ledger.find(series, "overlap", keys[order])
    assert np.array_equal(found, np.repeat(blocks, 25_000)[order])
    assert np.array_equal(positions, np.tile(np.arange(25_000), 4)[order])


# --- steps of a block


def test_a_block_tells_its_life(path: Path) -> None:
    times = clock()
    with Ledger.open(path, clock=lambda: next(times)) as ledger:
        work = draft(5, copies=2, columns=4)
        block = ledger.plan(new_series(ledger, overlap(copies=2)).id, work)
        planned = ledger.blocks([block])[0]
        assert (planned.state, planned.attempt, planned.tag, planned.num_shots) == (BlockState.PLANNED, 0, "", None)
        assert (planned.rows, planned.entries, planned.copies, planned.shots) == (3, 5, 2, SHOTS)
        intended = ledger.intend(block)
        ledger.submitted(block, "job-1", session_id="batch-1", calibration="2030-01-02")
        ledger.done(block, measured(work, copies=2, num_shots=20), usage=1.5, calibration="2030-01-03")
        record = ledger.blocks([block])[0]
        assert [event.what for event in ledger.events(block)] == ["planned", "intent", "submitted", "done"]
    assert (record.state, record.job_id, record.session_id) == (BlockState.DONE, "job-1", "batch-1")
    assert (record.usage, record.waste, record.calibration, record.num_shots) == (1.5, 0.0, "2030-01-03", 20)
    assert record.tag == intended.tag
    assert record.intended is not None
    assert record.submitted is not None
    assert record.finished is not None
    assert record.created < record.intended < record.submitted < record.finished


def test_tags_name_ledger_block_content_and_attempt(ledger: Ledger) -> None:
    block = ledger.plan(new_series(ledger).id, draft())
    first = ledger.intend(block)
    second = ledger.intend(block, new_attempt=True)
    assert first.tag == f"qk-{ledger.id[:8]}-{block}-{first.fingerprint[:8]}-a1"
    assert second.tag == f"qk-{ledger.id[:8]}-{block}-{first.fingerprint[:8]}-a2"
    assert second.attempt == 2
    assert len(second.tag) <= 60


def test_the_fingerprint_is_that_of_the_work(tmp_path: Path) -> None:
    """A resumed and an undisturbed run measure the same blocks, also in two ledgers."""
    prints = set()
    for name in ("a", "b"):
        with Ledger.open(tmp_path / name) as ledger:
            block = ledger.plan(new_series(ledger).id, draft())
            prints.add(ledger.blocks([block])[0].fingerprint)
    assert len(prints) == 1
    with Ledger.open(tmp_path / "c") as ledger:
        work = draft()
        work.values[0, 0] += 1e-15
        block = ledger.plan(new_series(ledger).id, work)
        assert ledger.blocks([block])[0].fingerprint not in prints


STEPS: dict[str, Callable[[Ledger, int], object]] = {
    "intend": lambda ledger, block: ledger.intend(block),
    "submitted": lambda ledger, block: ledger.submitted(block, "job"),
    "done": lambda ledger, block: ledger.done(block, measured(draft()), usage=1.0),
    "failed": lambda ledger, block: ledger.failed(block, "why"),
    "release": lambda ledger, block: ledger.release(block),
    "adopt": lambda ledger, block: ledger.adopt_file(block),
    "read": lambda ledger, block: ledger.read(block),
}
ALLOWED = {
    BlockState.PLANNED: {"intend", "release"},
    BlockState.INTENT: {"submitted", "failed", "adopt"},
    BlockState.SUBMITTED: {"done", "failed", "adopt"},
    BlockState.DONE: {"read"},
    BlockState.FAILED: {"intend", "release"},
    BlockState.CANCELLED: {"intend", "release"},
}


def bring(ledger: Ledger, block: int, state: BlockState) -> None:
    """From planned to a state."""
    if state is not BlockState.PLANNED:
        ledger.intend(block)
    if state in (BlockState.SUBMITTED, BlockState.DONE):
        ledger.submitted(block, "job")
    if state is BlockState.DONE:
        ledger.done(block, measured(draft()), usage=1.0)
    if state in (BlockState.FAILED, BlockState.CANCELLED):
        ledger.failed(block, "why", cancelled=state is BlockState.CANCELLED)


@pytest.mark.parametrize("state", list(BlockState))
@pytest.mark.parametrize("step", list(STEPS))
def test_only_some_steps_lead_from_a_state(path: Path, state: BlockState, step: str) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        bring(ledger, block, state)
        before = ledger.blocks(), ledger.events(), ledger.spent()
        if step in ALLOWED[state]:
            STEPS[step](ledger, block)
            return
        with pytest.raises(ExecutionError, match=f"block {block} is '{state.value}'") as caught:
            STEPS[step](ledger, block)
        assert (ledger.blocks(), ledger.events(), ledger.spent()) == before
    for allowed in (s for s in BlockState if step in ALLOWED[s]):
        assert repr(allowed.value) in str(caught.value)


def test_an_attempt_is_not_given_up_by_accident(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        ledger.intend(block)
        with pytest.raises(ExecutionError, match="is 'intent' and cannot become 'intent'"):
            ledger.intend(block)


def test_a_job_needs_an_id(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        ledger.intend(block)
        with pytest.raises(InvalidParameterError, match="job_id must not be empty"):
            ledger.submitted(block, "")


def test_blocks_are_selected(path: Path) -> None:
    ledger, (first, second, third), _ = opened(path, blocks=3)
    with ledger:
        other = new_series(ledger, key="other").id
        fourth = ledger.plan(other, draft())
        ledger.intend(second)
        assert [block.id for block in ledger.blocks()] == [first, second, third, fourth]
        assert [block.id for block in ledger.blocks([third, first])] == [first, third]
        assert [block.id for block in ledger.blocks(series=other)] == [fourth]
        assert [block.id for block in ledger.blocks(series=1, states=[BlockState.PLANNED])] == [first, third]
        assert ledger.blocks([]) == []


# --- costs


def test_costs_add_up(path: Path) -> None:
    ledger, blocks, drafts = opened(path, blocks=5)
    with ledger:
        done(ledger, blocks[0], drafts[0], usage=2.0)
        done(ledger, blocks[1], drafts[1], usage=None)
        ledger.intend(blocks[2])
        ledger.intend(blocks[3])
        ledger.submitted(blocks[3], "job-4")
        ledger.failed(blocks[3], "user error", usage=0.5)
        ledger.intend(blocks[3])
        ledger.submitted(blocks[3], "job-5")
        ledger.note_duplicate(blocks[0], "job-6", 0.25)
        spent = ledger.spent()
        assert (spent.paid, spent.open, spent.jobs) == (2.75, 9.0, 5)
        assert spent.total == 11.75
        assert ledger.blocks([blocks[3]])[0].waste == 0.5
        ledger.note_usage(blocks[1], 4.0)
        assert (ledger.spent().paid, ledger.spent().open) == (6.75, 6.0)
        ledger.note_usage(blocks[1], 3.0)
        assert ledger.spent().paid == 5.75


def test_a_bill_that_comes_late_for_a_failed_attempt_is_waste(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        bring(ledger, block, BlockState.FAILED)
        ledger.note_usage(block, 1.25)
        record = ledger.blocks()[0]
        assert (record.usage, record.waste, ledger.spent().paid) == (None, 1.25, 1.25)


def test_jobs_without_a_bill_are_listed_until_it_comes(path: Path) -> None:
    ledger, blocks, drafts = opened(path, blocks=3)
    with ledger:
        done(ledger, blocks[0], drafts[0], usage=None)
        first = ledger.blocks([blocks[0]])[0].job_id
        for job in ("job-2", "job-3"):
            ledger.intend(blocks[1])
            ledger.submitted(blocks[1], job)
            if job == "job-2":
                ledger.failed(blocks[1], "node failure")
        before = ledger.spent().open
        ledger.note_duplicate(blocks[1], "job-4", None)
        assert ledger.spent().open == before + ledger.blocks([blocks[1]])[0].estimate  # a budget must not forget it
        assert ledger.unbilled() == [(blocks[0], first), (blocks[1], "job-2"), (blocks[1], "job-4")]  # job-3 runs
        for at, (block, job) in enumerate(ledger.unbilled()):
            ledger.note_usage(block, 2.0**at, job)
        assert ledger.unbilled() == []
        assert (ledger.blocks([blocks[0]])[0].usage, ledger.blocks([blocks[1]])[0].waste) == (1.0, 2.0)
        assert (ledger.spent().paid, ledger.summary().series[0].wasted) == (7.0, 6.0)


def test_what_was_never_submitted_costs_nothing(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger, pytest.raises(ExecutionError, match=f"block {block} was never submitted"):
        ledger.note_usage(block, 1.0)


def test_a_duplicate_counts_once(path: Path) -> None:
    ledger, (block,), _ = opened(path)
    with ledger:
        bring(ledger, block, BlockState.SUBMITTED)
        ledger.note_duplicate(block, "second", None)
        ledger.note_duplicate(block, "second", 0.5)
        ledger.note_duplicate(block, "second", None)
        assert (ledger.spent().jobs, ledger.spent().paid) == (2, 0.5)
        ledger.note_duplicate(block, "job", 1.0)  # the job of an attempt is counted there
        assert (ledger.spent().jobs, ledger.spent().paid) == (2, 1.5)


# --- notes and summary


def test_notes_are_kept_replaced_and_removed(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.note("batch", "b-1")
        ledger.note("batch", "b-2")
        ledger.note("other", "x")
        ledger.note("other", None)
    with Ledger.open(path, read_only=True) as reader:
        assert reader.notes() == {"batch": "b-2"}


def test_the_summary_needs_the_file_alone(path: Path, tmp_path: Path) -> None:
    ledger, blocks, drafts = opened(path, blocks=4)
    with ledger:
        done(ledger, blocks[0], drafts[0], usage=2.0)
        bring(ledger, blocks[1], BlockState.SUBMITTED)
        bring(ledger, blocks[2], BlockState.FAILED)
        ledger.note_duplicate(blocks[0], "second", 0.25)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(path, elsewhere / "copy.sqlite")
    with Ledger.open(elsewhere / "copy.sqlite", read_only=True) as reader:
        summary = reader.summary()
    assert os.listdir(elsewhere) == ["copy.sqlite"]
    (series,) = summary.series
    assert (series.entries_done, series.entries_open, series.entries_failed) == (3, 6, 3)
    assert {state.value: count for state, count in series.blocks.items()} == {
        "planned": 1,
        "submitted": 1,
        "done": 1,
        "failed": 1,
    }
    assert (series.executions, series.estimated, series.paid, series.wasted) == (4 * 3 * SHOTS, 12.0, 2.25, 0.25)
    assert series.shots == (SHOTS,)
    assert series.calibrations == ("2030-01-02T00:00:00+00:00",)
    assert series.last is not None
    assert series.last.what == "duplicate"
    text = str(summary).splitlines()
    assert "copy.sqlite" in text[0]
    assert text[2].split()[:7] == ["1", "fake_manila", "01234567", str(SHOTS), "3", "6", "3"]
    assert "1 planned, 1 submitted, 1 done, 1 failed" in text[2]
    assert text[-1] == "all series: 3 jobs, 2.2 s paid, at most about 3.0 s still open"


def test_the_summary_of_a_new_ledger(ledger: Ledger) -> None:
    assert "no series yet" in str(ledger.summary())


def test_times_are_utc(path: Path) -> None:
    local = timezone(timedelta(hours=9))
    with Ledger.open(path, clock=lambda: datetime(2030, 1, 1, 3, tzinfo=local)) as ledger:
        assert new_series(ledger).created == datetime(2029, 12, 31, 18, tzinfo=UTC)
