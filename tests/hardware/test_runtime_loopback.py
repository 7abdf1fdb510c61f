"""RuntimeEngine through the unmodified client: submitted once, collected, resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qkernels import FidelityKernel, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.testing import assert_kernels_close
from qkernels_hardware import Budget, Ledger, RetryPolicy, RuntimeEngine
from tests.hardware.runtime_cases import blocks_of, program_of
from tests.loopback.handle import Loopback

FAST = RetryPolicy().scaled(0.001)


def rows(n: int, d: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.0, 1.0, (n, d))


def engine(loopback: Loopback, folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 256, "service": loopback.service(), "ledger": folder / "ledger.sqlite", "retry": FAST}
    return RuntimeEngine("ibm_manila", **(settings | options))  # type: ignore[arg-type]


def test_kernel_through_the_client(loopback: Loopback, tmp_path: Path) -> None:
    X = rows(5)
    kernel = FidelityKernel(ZZFeatureMap(), engine=engine(loopback, tmp_path), bandwidth=0.5)
    K = kernel(X)
    exact = FidelityKernel(ZZFeatureMap(), engine=StatevectorEngine(), bandwidth=0.5)(X)
    assert_kernels_close(K, exact, shots=256)
    assert len(loopback.jobs()) == 1


def test_jobs_end_within_the_time_that_was_asked_for(loopback: Loopback, tmp_path: Path) -> None:
    """A job that is stopped at its limit is billed and gives nothing: blocks are cut so that none is."""
    one = engine(loopback, tmp_path, shots=1000, block_executions=40_000, options={"max_execution_time": 6})
    kernel = FidelityKernel(ZZFeatureMap(), engine=one, bandwidth=0.5)
    planned = kernel.plan(rows(4)).jobs
    kernel(rows(4))
    jobs = loopback.jobs()
    assert [(job["status"], job["cost"]) for job in jobs] == [("Completed", 6)] * planned
    assert max(job["seconds"] for job in jobs) <= 3.0


def test_jobs_are_cut_by_the_time_that_they_may_take(loopback: Loopback, tmp_path: Path) -> None:
    """Twice what a job is estimated to take is within its limit, in the plan and in the ledger."""
    one = engine(loopback, tmp_path, shots=1000, options={"max_execution_time": 10})
    program = program_of(ZZFeatureMap(), 2)
    plan = one.plan(program, rows(6), diagonal=False)
    row = (plan.qpu_seconds - 2.0 * plan.jobs) / 15  # every job takes 2 s beside its rows
    per_job = int((10 / 2 - 2) / row)
    assert plan.jobs == -(-15 // per_job) == 2
    one.submit(program, rows(6), diagonal=False)
    assert [block.rows for block in blocks_of(tmp_path / "ledger.sqlite")] == [per_job, 15 - per_job]


def test_a_row_that_no_job_has_the_time_for_that_was_asked_for(loopback: Loopback, tmp_path: Path) -> None:
    one = engine(loopback, tmp_path, shots=10_000, options={"max_execution_time": 5})
    for ask in (one.plan, one.overlaps):
        with pytest.raises(InvalidParameterError, match=r"max_execution_time .* got 5 s; .*10,000 .* at least 1\d"):
            ask(program_of(ZZFeatureMap(), 2), rows(2))
    assert loopback.jobs() == []


def test_a_sum_asks_for_bills_before_its_budget_refuses(loopback: Loopback, tmp_path: Path) -> None:
    """Estimates of jobs without a bill count as under way; a single request asks for bills, and so does a sum."""
    bill = loopback.fault("status", method="GET", path="/metrics$", times=None)
    FidelityKernel(ZZFeatureMap(), engine=engine(loopback, tmp_path), bandwidth=0.5).fit(rows(3))
    loopback.clear(bill)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger, ledger._database.change("") as connection:
        connection.execute("UPDATE blocks SET estimate = 30.0")  # the bill will be lower
    one = engine(loopback, tmp_path, budget=Budget(qpu_seconds=20))  # two jobs of some 2 s are paid, and one before
    parts = [FidelityKernel(ZZFeatureMap(reps=reps), engine=one, bandwidth=0.5) for reps in (1, 3)]
    (parts[0] + parts[1]).fit(rows(3))
    assert len(loopback.jobs()) == 3
