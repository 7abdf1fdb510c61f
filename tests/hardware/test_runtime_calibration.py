"""Calibrations behind results: readout errors that stay with a series, and stamps of when a job ran."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from qkernels import ZZFeatureMap
from qkernels._errors import CalibrationChangedWarning
from qkernels.engines import clear_cache
from qkernels.kernels import ReadoutMitigation
from qkernels_hardware import Ledger, RetryPolicy, RuntimeEngine, device_model
from qkernels_hardware.ledger._records import BlockRecord
from qkernels_hardware.runtime._readout import measured_qubits
from qkernels_hardware.service import RemoteConnection
from qkernels_hardware.service._answers import calibration_stamp, time_of_run
from tests.hardware.runtime_cases import blocks_of, program_of, rows
from tests.loopback.handle import Loopback

FAST = RetryPolicy().scaled(0.001)
TWIRLED = {"twirling": {"enable_measure": True}}


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Time zones may be set; the one of the computer comes back."""
    with monkeypatch.context() as context:
        yield context
    time.tzset()


def lopsided() -> AerSimulator:
    """Reads a 1 as 0 more often than a 0 as 1, as devices do."""
    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.99, 0.01], [0.07, 0.93]]))
    return AerSimulator(noise_model=noise)


def device(loopback: Loopback, folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 64, "service": loopback.service(), "ledger": folder / "ledger.sqlite", "retry": FAST}
    return RuntimeEngine("ibm_manila", **(settings | options))  # type: ignore[arg-type]


def mitigated(engine: RuntimeEngine, n: int) -> NDArray[np.float64]:
    measured = engine.overlaps(program_of(ZZFeatureMap(), 2), rows(n, 2), need={"bits"})
    return ReadoutMitigation().fit(measured.values, measured).transform_gram(measured.values, measured)


def stamps() -> tuple[str, str]:
    """The calibration that the snapshot has, and the one an hour later, in UTC."""
    first = datetime.fromisoformat("2024-05-27T15:27:23-03:00").astimezone(UTC)
    return first.isoformat(), (first + timedelta(hours=1)).isoformat()


# Readout errors -------------------------------------------------------------------------------------------------


def test_twirled_measurements_have_symmetric_errors(tmp_path: Path) -> None:
    engine = RuntimeEngine(lopsided(), shots=64, seed=1, ledger=tmp_path / "ledger.sqlite", options=TWIRLED)
    found = engine.overlaps(program_of(ZZFeatureMap(), 2), rows(2, 2), need={"bits"})
    assert found.readout is not None
    np.testing.assert_allclose(found.readout, [[[0.96, 0.04], [0.04, 0.96]]] * 2, rtol=1e-12)


@pytest.mark.slow
def test_mitigated_diagonal_of_twirled_measurements(tmp_path: Path) -> None:
    """A row has 32 random circuits of 125 shots.

    The mean of 8 entries scatters by √((2·0.033²/32 + 0.093/4000)/8) = 0.0034 around 1: flips that the shots of a
    circuit share, and shots. With the errors of measurements that are not twirled it is 0.94.
    """
    engine = RuntimeEngine(lopsided(), shots=4000, seed=1, ledger=tmp_path / "ledger.sqlite", options=TWIRLED)
    assert abs(np.diag(mitigated(engine, 8)).mean() - 1.0) < 5 * 0.0034


def test_stored_bits_are_corrected_by_the_errors_of_their_day(loopback: Loopback, tmp_path: Path) -> None:
    before = mitigated(device(loopback, tmp_path), 3)
    for _ in range(4):
        loopback.calibrate("ibm_manila")
    clear_cache()
    assert (mitigated(device(loopback, tmp_path), 3) == before).all()
    assert len(loopback.jobs()) == 1


def test_readout_errors_are_those_of_the_calibration_of_the_series(loopback: Loopback, tmp_path: Path) -> None:
    """Two calibrations of the server make readout errors 1.1² times as large."""
    for _ in range(2):
        loopback.calibrate("ibm_manila")
    found = device(loopback, tmp_path).overlaps(program_of(ZZFeatureMap(), 2), rows(2, 2), need={"bits"}).readout
    with Ledger.open(tmp_path / "ledger.sqlite", read_only=True) as ledger:
        ((places,),) = (measured_qubits(one.circuit, 1) for one in ledger.circuits(1).values())
    known = [device_model("fake_manila").properties().qubit_property(q) for q in places]
    assert found is not None
    np.testing.assert_allclose(found[:, 1, 0], [1.21 * one["prob_meas1_prep0"][0] for one in known], rtol=1e-9)
    np.testing.assert_allclose(found[:, 0, 1], [1.21 * one["prob_meas0_prep1"][0] for one in known], rtol=1e-9)


# Stamps ---------------------------------------------------------------------------------------------------------


def test_stamps_are_of_the_time_when_a_job_ran(loopback: Loopback, tmp_path: Path) -> None:
    """Three jobs are submitted together; the device is calibrated after the first one."""
    program, X = program_of(ZZFeatureMap(), 2), rows(3, 2)
    engine = device(loopback, tmp_path, block_executions=128)
    loopback.hold()
    engine.submit(program, X)
    loopback.wait("Queued", 3)
    loopback.release(count=1)
    loopback.wait("Completed", 1)
    loopback.calibrate("ibm_manila")
    loopback.release()
    with pytest.warns(CalibrationChangedWarning, match="2 calibrations"):
        info = engine.overlaps(program, X).info
    first, second = stamps()
    assert [block.calibration for block in blocks_of(tmp_path / "ledger.sqlite")] == [first, second, second]
    assert info["calibrations"] == 2


def test_adopted_job_has_a_stamp(loopback: Loopback, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def watch(step: str, block: BlockRecord) -> None:
        if step == "posted":
            raise Killed

    program, X = program_of(ZZFeatureMap(), 2), rows(2, 2)
    engine = device(loopback, tmp_path)
    engine.watch = watch
    with pytest.raises(Killed):
        engine.submit(program, X)
    loopback.wait("Completed", 1)
    loopback.calibrate("ibm_manila")
    device(loopback, tmp_path).overlaps(program, X)
    (block,) = blocks_of(tmp_path / "ledger.sqlite")
    assert (block.calibration, len(loopback.jobs())) == (stamps()[0], 1)


def test_results_do_not_wait_for_their_stamp(loopback: Loopback, tmp_path: Path) -> None:
    """Where the calibration of a job is not known, that of its submission stays."""
    program, X = program_of(ZZFeatureMap(), 2), rows(2, 2)
    engine = device(loopback, tmp_path)
    engine.submit(program, X)
    loopback.wait("Completed", 1)
    loopback.fault("status", code=404, method="GET", path="/properties$", times=None)
    assert engine.collect() == 0
    (block,) = blocks_of(tmp_path / "ledger.sqlite")
    assert block.calibration == stamps()[0]


def test_stamps_are_the_same_in_all_time_zones(loopback: Loopback, zone: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("UTC", "Europe/Zurich", "America/New_York"):
        zone.setenv("TZ", name)
        time.tzset()
        found.append(RemoteConnection("ibm_manila", service=loopback.service()).calibration())
    assert found == [stamps()[0]] * 3


def test_stamp_of_a_model_is_in_utc() -> None:
    program = program_of(ZZFeatureMap(), 2)
    info = RuntimeEngine("fake_manila", shots=16, seed=0).overlaps(program, rows(2, 2)).info
    assert info["calibration"] == "2024-05-27T18:27:23+00:00"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2029-12-31T23:00:00+00:00"),
        ("yesterday", "yesterday"),
        (None, ""),
    ],
)
def test_stamp_of_properties(stamp: object, expected: str) -> None:
    assert calibration_stamp(SimpleNamespace(last_update_date=stamp)) == expected


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"timestamps": {"running": "2030-01-01T02:00:00+02:00", "finished": "2030-01-01T05:00:00Z"}}, 0),
        ({"timestamps": {"running": None, "finished": "2030-01-01T05:00:00Z"}}, 5),
        ({"timestamps": {}}, None),
        ({"timestamps": None}, None),
        (None, None),
    ],
)
def test_time_when_a_job_ran(metrics: object, expected: int | None) -> None:
    wanted = None if expected is None else datetime(2030, 1, 1, expected, tzinfo=UTC)
    assert time_of_run(metrics) == wanted
