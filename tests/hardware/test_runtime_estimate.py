"""What a plan says a request costs, and what the server bills; a kernel of a thousand entries on the way."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.version import Version

pytest.importorskip("tests.loopback.server", reason="the loopback server needs internals of a newer client")

from qkernels import CPMap, FidelityKernel, StatevectorEngine, ZZFeatureMap
from qkernels.testing import assert_kernels_close
from qkernels_hardware import Ledger, RetryPolicy, RuntimeEngine, RuntimePlan
from tests.loopback.fixtures import Start
from tests.loopback.handle import Loopback

FAST = RetryPolicy(submission_period=0.01, first_wait=0.005, longest_wait=0.05, tag_lag=0.3, outage=60.0)


def data(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(0.0, 1.0, (n, d))


def engine_for(device: str, folder: Path, **options: Any) -> RuntimeEngine:
    return RuntimeEngine(device, ledger=folder / "ledger.sqlite", retry=FAST, **options)


SWEEPS = pytest.mark.skipif(
    Version(version("qiskit-aer")) < Version("0.18"),
    reason="Aer before 0.18 fails on arrays of values for a circuit as wide as a device; the server runs on Aer",
)


@pytest.mark.parametrize(
    ("model", "rows", "options", "jobs"),
    [
        ("manila", 5, {"shots": 200}, 1),
        ("manila", 5, {"shots": 200, "block_executions": 1000}, 3),
        ("manila", 4, {"shots": 3000, "barrier": True}, 1),
        ("fez", 5, {"shots": 200}, 1),
        ("fez", 5, {"shots": 200, "block_executions": 1000}, 3),
        pytest.param("fez", 5, {"shots": 400, "tiles": 4}, 1, marks=SWEEPS),
        pytest.param("fez", 5, {"shots": 400, "tiles": 4, "block_executions": 800}, 2, marks=SWEEPS),
    ],
    ids=["one", "blocks", "long", "fez-one", "fez-blocks", "fez-tiles", "fez-tiles-blocks"],
)
def test_a_plan_costs_what_is_billed(
    model: str, rows: int, options: dict[str, Any], jobs: int, start_loopback: Start, tmp_path: Path
) -> None:
    loopback = start_loopback(models=(f"fake_{model}",))
    engine = engine_for(f"ibm_{model}", tmp_path, **options)
    kernel = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)
    X = data(rows, 2)
    plan = kernel.plan(X)
    assert isinstance(plan, RuntimePlan)
    kernel(X)
    assert plan.jobs == len(loopback.jobs()) == jobs
    assert plan.qpu_seconds == pytest.approx(loopback.billed(), rel=0.2)
    with Ledger.open(engine.ledger_path, read_only=True) as ledger:
        assert ledger.spent().paid == pytest.approx(loopback.billed())


def test_a_thousand_entries(loopback: Loopback, tmp_path: Path) -> None:
    """45 rows: 990 pairs and 45 of the diagonal, in several jobs of which none is submitted twice."""
    engine = engine_for("ibm_manila", tmp_path, shots=256, block_executions=256 * 250)
    X = data(45, 3)
    K = FidelityKernel(CPMap(), engine=engine, bandwidth=0.5)(X)
    exact = FidelityKernel(CPMap(), engine=StatevectorEngine(), bandwidth=0.5)(X)
    assert_kernels_close(K, exact, shots=256)
    jobs = loopback.jobs()
    assert len(jobs) == 5
    assert sum(job["executions"] for job in jobs) == 1035 * 256
    again = FidelityKernel(CPMap(), engine=engine_for("ibm_manila", tmp_path, shots=256), bandwidth=0.5)(X)
    assert np.array_equal(again, K)
    assert len(loopback.jobs()) == 5
