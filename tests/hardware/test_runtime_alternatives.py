"""The cheaper ways that a plan proposes: they cost what doing them costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from qkernels import FidelityKernel, NystroemFeatures, ProjectedKernel, ZZFeatureMap
from qkernels_hardware import Alternative, Budget, RuntimeEngine, RuntimePlan
from tests.hardware.runtime_cases import blocks_of, program_of, rows

PROGRAM = program_of(ZZFeatureMap(), 2)


def engine(folder: Path, backend: str = "fake_fez", **options: object) -> RuntimeEngine:
    settings = {"shots": 64, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine(backend, **(settings | options))  # type: ignore[arg-type]


def way(plan: RuntimePlan, begins: str) -> Alternative:
    (found,) = (one for one in plan.alternatives if one.what.startswith(begins))
    return found


def test_a_projected_kernel_has_a_job_for_each_of_three_bases(tmp_path: Path) -> None:
    one = engine(tmp_path, budget=Budget(qpu_seconds=6))
    found = way(one.plan(PROGRAM, 60), "ProjectedKernel, 180 circuits")
    execution = 250e-6 + one.circuit(PROGRAM).measured.duration
    assert found.qpu_seconds == pytest.approx(3 * (2.0 + 60 * 64 * execution))
    assert found.jobs == 3
    assert not found.fits  # 8.9 s: one job alone would have
    kernel = ProjectedKernel(ZZFeatureMap(), engine=engine(tmp_path), bandwidth=1.0)
    assert kernel.plan(rows(60, 2)).jobs == 3


def test_rows_on_both_sides_are_three_jobs_each(tmp_path: Path) -> None:
    assert way(engine(tmp_path).plan(PROGRAM, 40, 20), "ProjectedKernel").jobs == 6


def test_three_jobs_of_a_projected_kernel_count_against_a_budget_of_jobs(tmp_path: Path) -> None:
    plan = engine(tmp_path, budget=Budget(jobs=2), block_executions=10_000).plan(PROGRAM, 60)
    assert not way(plan, "ProjectedKernel").fits


def test_an_estimator_measures_all_bases_in_one_job(tmp_path: Path) -> None:
    one = engine(tmp_path, "aer", options={"resilience_level": 0})
    found = way(one.plan(PROGRAM, 60), "ProjectedKernel")
    kernel = ProjectedKernel(ZZFeatureMap(), engine=one, bandwidth=1.0)
    assert found.jobs == kernel.plan(rows(60, 2)).jobs == 1


@pytest.mark.slow
def test_nystroem_features_are_two_requests(tmp_path: Path) -> None:
    X = rows(40, 2)
    found = way(engine(tmp_path, "fake_manila").plan(PROGRAM, X), "NystroemFeatures with 20 landmarks, 610 entries")
    assert found.jobs == 2
    kernel = FidelityKernel(ZZFeatureMap(), engine=engine(tmp_path, "fake_manila"), bandwidth=1.0)
    NystroemFeatures(kernel, n_components=20, random_state=0).fit_transform(X)
    blocks = blocks_of(tmp_path / "ledger.sqlite")
    assert len(blocks) == 2
    assert sum(block.entries for block in blocks) == 610
    assert found.qpu_seconds == pytest.approx(sum(block.estimate for block in blocks))


def test_a_way_that_costs_more_is_not_proposed(tmp_path: Path) -> None:
    plan = engine(tmp_path).plan(PROGRAM, rows(12, 2))  # 78 entries in one job, or 36 circuits in three
    assert [one.what.split("=")[0] for one in plan.alternatives] == ["tiles"]
    assert plan.alternatives[0].qpu_seconds < plan.qpu_seconds
