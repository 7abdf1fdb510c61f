"""Plans and budgets of kernels that ask a device for more than one request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qkernels import (
    CPMap,
    DepolarizingMitigation,
    FidelityKernel,
    HammingKernel,
    LocalFidelityKernel,
    NystroemFeatures,
    OverlapProgram,
    ProjectedKernel,
    SeparableMap,
    StatevectorEngine,
    ZeroNoiseExtrapolation,
)
from qkernels._errors import BudgetError, ExecutionError, InvalidParameterError
from qkernels.engines import Engine, clear_cache
from qkernels.kernels import QuantumKernel
from qkernels_hardware import Budget, RuntimeEngine, RuntimePlan
from qkernels_hardware.ledger import Ledger, SeriesRecord
from tests.hardware.runtime_cases import blocks_of, rows

X, NEW = rows(6, 3), rows(2, 3, seed=7)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def engine(
    folder: Path, seconds: float | None = None, name: str = "ledger", jobs: int | None = None, **options: object
) -> RuntimeEngine:
    budget = None if seconds is None and jobs is None else Budget(qpu_seconds=seconds, jobs=jobs)
    settings = {"shots": 50, "seed": 5, "ledger": folder / f"{name}.sqlite", "budget": budget}
    return RuntimeEngine("fake_manila", **(settings | options))  # type: ignore[arg-type]


def kernel_program() -> OverlapProgram:
    return OverlapProgram(CPMap().build(3), CPMap().parameter_vector(3))


def fidelity(one: Engine, **options: object) -> FidelityKernel:
    return FidelityKernel(CPMap(), engine=one, bandwidth=0.8, **options)  # type: ignore[arg-type]


def projected(one: RuntimeEngine) -> ProjectedKernel:
    return ProjectedKernel(CPMap(), engine=one, bandwidth=0.8)


def planned(kernel: QuantumKernel, *data: np.ndarray | int) -> RuntimePlan:
    plan = kernel.plan(*data, n_features=3)
    assert isinstance(plan, RuntimePlan)
    return plan


def series_of(path: Path) -> list[SeriesRecord]:
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.all_series()


def was_sent(folder: Path, name: str = "ledger") -> bool:
    path = folder / f"{name}.sqlite"
    return path.exists() and bool(blocks_of(path))


# Plans ----------------------------------------------------------------------------------------------------------


def test_the_plan_of_a_sum_has_the_cost_of_all_parts(tmp_path: Path) -> None:
    one = engine(tmp_path)
    parts = [planned(kernel, X) for kernel in (fidelity(one), projected(one))]
    plan = planned(fidelity(one) + projected(one), X)
    for name in ("entries", "circuits", "shots", "executions", "jobs", "qpu_seconds"):
        assert getattr(plan, name) == pytest.approx(sum(getattr(part, name) for part in parts)), name
    assert plan.feasible


def test_the_plan_of_a_multiple_is_that_of_the_kernel(tmp_path: Path) -> None:
    one = engine(tmp_path)
    assert planned(0.5 * fidelity(one), X) == planned(fidelity(one), X)


@pytest.mark.parametrize("data", [X, len(X)], ids=["data", "numbers"])
@pytest.mark.parametrize("room", [-0.01, 0.01], ids=["too little", "enough"])
def test_parts_share_the_budget_of_their_ledger(data: np.ndarray | int, room: float, tmp_path: Path) -> None:
    free = engine(tmp_path)
    needed = sum(planned(kernel, data).qpu_seconds for kernel in (fidelity(free), projected(free)))
    one = engine(tmp_path, needed + room)
    plan = planned(fidelity(one) * projected(one), data)
    assert plan.feasible == (room > 0)
    assert planned(fidelity(one), data).feasible
    assert planned(projected(one), data).feasible
    assert ("EXCEEDED" in str(plan)) == (room < 0)
    if room < 0:
        assert f"the request needs about {needed:.1f} s on fake_manila" in plan.reason


def test_a_limit_of_jobs_is_shared_too(tmp_path: Path) -> None:
    one = engine(tmp_path, budget=Budget(jobs=3))  # one for overlaps, three bases
    plan = planned(fidelity(one) + projected(one), X)
    assert "jobs of Budget is 3, the request needs 4" in plan.reason


def test_nested_sums_add_up(tmp_path: Path) -> None:
    one = engine(tmp_path)
    flat = [planned(kernel, X).qpu_seconds for kernel in (fidelity(one), projected(one))]
    other = FidelityKernel(SeparableMap(), engine=one, bandwidth=0.8)
    plan = planned((fidelity(one) + projected(one)) * (0.5 * other), X)
    assert plan.qpu_seconds == pytest.approx(sum(flat) + planned(other, X).qpu_seconds)
    assert len(plan.parts) == 3


def test_kernels_of_the_same_circuits_pay_once(tmp_path: Path) -> None:
    free = engine(tmp_path)
    alone = planned(fidelity(free), X)
    one = engine(tmp_path, alone.qpu_seconds + 0.01)
    local = LocalFidelityKernel(CPMap(), engine=one, bandwidth=0.8)
    kernel = 0.5 * local + 0.5 * fidelity(one)
    plan = planned(kernel, X)
    assert (plan.executions, plan.jobs, plan.feasible) == (alone.executions, alone.jobs, True)
    kernel.fit(X)  # as planned
    assert sum(block.executions for block in blocks_of(one.ledger_path)) == alone.executions


def test_parts_on_two_engines_share_the_ledger(tmp_path: Path) -> None:
    free = engine(tmp_path)
    needed = sum(planned(kernel, X).qpu_seconds for kernel in (fidelity(free), projected(free)))
    first, second = (engine(tmp_path, needed - 0.01) for _ in range(2))
    kernel = fidelity(first) + projected(second)
    assert not planned(kernel, X).feasible
    with pytest.raises(BudgetError, match="Nothing was sent"):
        kernel.fit(X)
    assert not was_sent(tmp_path)


def test_parts_on_two_ledgers_have_budgets_of_their_own(tmp_path: Path) -> None:
    free = engine(tmp_path)
    first = engine(tmp_path, planned(fidelity(free), X).qpu_seconds + 0.01, "first")
    second = engine(tmp_path, planned(projected(free), X).qpu_seconds + 0.01, "second")
    kernel = fidelity(first) + projected(second)
    assert planned(kernel, X).feasible
    kernel.fit(X)
    assert was_sent(tmp_path, "first")
    assert was_sent(tmp_path, "second")


def test_a_simulated_part_costs_nothing_on_the_device(tmp_path: Path) -> None:
    one, exact = engine(tmp_path), StatevectorEngine()
    alone = planned(fidelity(one), X)
    for kernel in (fidelity(one) + fidelity(exact), fidelity(exact) + fidelity(one)):
        plan = planned(kernel, X)
        assert plan.qpu_seconds == alone.qpu_seconds
        assert plan.entries == alone.entries + 15
        assert "StatevectorEngine" in str(plan)


def test_what_corrections_of_parts_require_is_in_the_plan(tmp_path: Path) -> None:
    one = engine(tmp_path)
    corrected = fidelity(one, corrections=[DepolarizingMitigation("mean")])
    assert planned(1.0 * corrected, 6, 2).executions == 50 * (6 * 2 + 6 + 2)


def test_noise_strengths_share_the_budget(tmp_path: Path) -> None:
    def plan(one: RuntimeEngine) -> RuntimePlan:
        kernel = FidelityKernel(CPMap(), engine=ZeroNoiseExtrapolation(one, factors=(1, 3)), bandwidth=0.8)
        return planned(kernel, X)

    free = plan(engine(tmp_path))
    assert free.qpu_seconds == pytest.approx(sum(part.qpu_seconds for part in free.parts))
    assert len(free.parts) == 2
    assert not plan(engine(tmp_path, free.qpu_seconds - 0.01)).feasible
    assert plan(engine(tmp_path, free.qpu_seconds + 0.01)).feasible


def extrapolated(one: RuntimeEngine) -> FidelityKernel:
    return FidelityKernel(CPMap(), engine=ZeroNoiseExtrapolation(one, factors=(1, 3)), bandwidth=0.8)


def test_strengths_are_refused_together_before_anything_is_sent(tmp_path: Path) -> None:
    seconds = [part.qpu_seconds for part in planned(extrapolated(engine(tmp_path)), X).parts]
    kernel = extrapolated(engine(tmp_path, max(seconds) + 0.01))
    with pytest.raises(BudgetError, match=r"Nothing was sent"):
        kernel.fit(X)
    assert not was_sent(tmp_path)
    extrapolated(engine(tmp_path, sum(seconds) + 0.01)).fit(X)
    assert was_sent(tmp_path)


def test_strengths_of_expectation_values_are_refused_together(tmp_path: Path) -> None:
    def kernel(one: RuntimeEngine) -> ProjectedKernel:
        inner = ZeroNoiseExtrapolation(one, factors=(1, 3))
        return ProjectedKernel(CPMap(), engine=inner, bandwidth=0.8, gamma=1.0)

    seconds = [part.qpu_seconds for part in planned(kernel(engine(tmp_path)), X).parts]
    with pytest.raises(BudgetError, match=r"Nothing was sent"):
        kernel(engine(tmp_path, max(seconds) + 0.01)).fit(X)
    assert not was_sent(tmp_path)
    kernel(engine(tmp_path, sum(seconds) + 0.01)).fit(X)
    assert was_sent(tmp_path)


def test_strengths_of_a_part_are_refused_with_the_other_parts(tmp_path: Path) -> None:
    whole, alone = (planned(kernel(engine(tmp_path)), X).qpu_seconds for kernel in (extrapolated, projected))
    one = engine(tmp_path, whole + alone - 0.01)
    with pytest.raises(BudgetError, match=r"Nothing was sent"):
        (projected(one) + extrapolated(one)).fit(X)
    assert not was_sent(tmp_path)
    one = engine(tmp_path, whole + alone + 0.01)
    (projected(one) + extrapolated(one)).fit(X)
    assert was_sent(tmp_path)


def test_expectation_values_at_all_strengths_are_planned_as_they_are_measured(tmp_path: Path) -> None:
    """Every Pauli string apart, so nothing is shared with the kernel that is not extrapolated."""

    def kernel(one: RuntimeEngine) -> ProjectedKernel:
        inner = ZeroNoiseExtrapolation(one, factors=(1, 3))
        return ProjectedKernel(CPMap(), engine=inner, bandwidth=0.8, gamma=1.0)

    projected(engine(tmp_path)).fit(X)
    assert planned(kernel(engine(tmp_path)), X).held_entries == 0
    kernel(engine(tmp_path)).fit(X)
    clear_cache()
    plan = planned(kernel(engine(tmp_path, 0.001)), X)
    assert (plan.jobs, plan.feasible) == (0, True)
    kernel(engine(tmp_path, 0.001)).fit(X)


@pytest.mark.parametrize("prepared", [False, True], ids=["rows", "prepared"])
@pytest.mark.parametrize(
    ("columns", "pairs", "jobs"), [(6, None, 2), (3, None, 4), (None, [[0, 0], [1, 1], [2, 2]], 4)]
)
def test_self_values_that_are_entries_too_are_paid_once(
    columns: int | None, pairs: list[list[int]] | None, jobs: int, prepared: bool, tmp_path: Path
) -> None:
    program = kernel_program()
    options = {"pairs": pairs, "need": {"diagonal"}}

    def ask(one: RuntimeEngine) -> np.ndarray:
        solver = ZeroNoiseExtrapolation(one, factors=(1, 3))
        rows = X if columns is None or not prepared else solver.prepare(program, X)
        return solver.overlaps(program, rows, None if columns is None else X[:columns], **options).values

    with pytest.raises(BudgetError, match=rf"needs {jobs}\b"):
        ask(engine(tmp_path, jobs=jobs - 1))
    assert not (tmp_path / "ledger.sqlite").exists()
    ask(engine(tmp_path, jobs=jobs))
    assert len(blocks_of(tmp_path / "ledger.sqlite")) == jobs


def test_equal_parts_at_all_strengths_are_planned_once(tmp_path: Path) -> None:
    solver = ZeroNoiseExtrapolation(engine(tmp_path, jobs=2), factors=(1, 3))
    kernel = 0.5 * fidelity(solver) + 0.5 * fidelity(solver)
    plan = planned(kernel, X)
    assert (plan.jobs, plan.feasible) == (2, True)
    kernel.fit(X)


def test_what_an_extrapolation_cannot_give_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    one = engine(tmp_path)
    local = LocalFidelityKernel(CPMap(), engine=ZeroNoiseExtrapolation(one, factors=(1, 3)), bandwidth=0.8)
    with pytest.raises(InvalidParameterError, match="weights"):
        (projected(one) + local).fit(X)
    assert not was_sent(tmp_path)


@pytest.mark.parametrize("extrapolate", [False, True], ids=["plain", "extrapolated"])
def test_a_refused_request_opens_no_series(extrapolate: bool, tmp_path: Path) -> None:
    """Or an engine that is made later would take the empty one, and what was paid for would seem to be lost."""

    def solver(**options: object) -> RuntimeEngine | ZeroNoiseExtrapolation:
        clear_cache()
        one = engine(tmp_path, **options)
        return ZeroNoiseExtrapolation(one, factors=(1, 3)) if extrapolate else one

    program, path = kernel_program(), tmp_path / "ledger.sqlite"
    with pytest.raises(BudgetError):
        solver(seconds=0.001).overlaps(program, X)
    assert not path.exists() or series_of(path) == []
    first = solver().overlaps(program, X).values
    jobs = len(blocks_of(path))
    with pytest.raises(BudgetError):
        solver(jobs=jobs, layout="refresh").overlaps(program, X)
    assert np.array_equal(solver(jobs=jobs).overlaps(program, X).values, first)


@pytest.mark.parametrize("num_rows", [4, 5, 6])
def test_a_budget_of_what_the_plan_says_is_enough(num_rows: int, tmp_path: Path) -> None:
    """However the seconds of many jobs are added up."""
    program, data = kernel_program(), X[:num_rows]
    seconds = engine(tmp_path, block_executions=170).plan(program, data).qpu_seconds
    engine(tmp_path, seconds, block_executions=170).overlaps(program, data)
    assert len(blocks_of(tmp_path / "ledger.sqlite")) > 1


def test_a_part_that_the_device_cannot_run_any_more_is_found_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fidelity(engine(tmp_path)) + projected(engine(tmp_path))).fit(X[:3])
    path = tmp_path / "ledger.sqlite"
    before, last = len(blocks_of(path)), series_of(path)[-1].id

    def lost(circuits: object, series: int, backend: object) -> None:
        if series == last:
            lost_coupler()

    monkeypatch.setattr("qkernels_hardware.runtime._planner.check_stored", lost)
    monkeypatch.setattr("qkernels_hardware.runtime._desk.check_stored", lost)
    clear_cache()
    one = engine(tmp_path, jobs=100)
    with pytest.raises(ExecutionError, match="lost a coupler"):
        (fidelity(one) + projected(one)).fit(X)
    assert len(blocks_of(path)) == before


def lost_coupler(*arguments: object) -> None:
    raise ExecutionError("The device has lost a coupler.")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1000.0, 0.001], ids=["enough", "too little"])
def test_a_sum_keeps_what_a_budget_cannot_mend(seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored circuit that the device cannot run any more; whether the budget is exceeded is said beside it."""
    (fidelity(engine(tmp_path)) + projected(engine(tmp_path))).fit(X[:3])
    one = engine(tmp_path, seconds)
    monkeypatch.setattr("qkernels_hardware.runtime._planner.check_stored", lost_coupler)
    for plan in (planned(fidelity(one), X), planned(fidelity(one) + projected(one), X)):
        assert not plan.feasible
        assert plan.obstacle == "The device has lost a coupler."
        assert plan.reason.startswith(plan.obstacle)
        assert plan.exceeds_budget == ("EXCEEDED" in str(plan)) == (seconds < 1)


def test_a_sum_keeps_that_memory_is_too_small(tmp_path: Path) -> None:
    one = engine(tmp_path, memory_limit=1000)
    parts = [planned(kernel, X) for kernel in (fidelity(one), projected(one))]
    plan = planned(fidelity(one) + projected(one), X)
    assert [part.reason for part in parts if part.reason] == [part.obstacle for part in parts if part.obstacle]
    assert plan.obstacle == plan.reason == " ".join(part.reason for part in parts if part.reason) != ""
    assert not plan.exceeds_budget


def test_engines_of_one_ledger_pay_for_shared_entries_once(tmp_path: Path) -> None:
    alone = planned(fidelity(engine(tmp_path)), X)
    first, second = (engine(tmp_path, alone.qpu_seconds + 0.01) for _ in range(2))
    kernel = fidelity(first) + HammingKernel(CPMap(), engine=second, bandwidth=0.8)
    plan = planned(kernel, X)
    assert (plan.executions, plan.jobs, plan.feasible) == (alone.executions, alone.jobs, True)
    kernel.fit(X)
    assert sum(block.executions for block in blocks_of(first.ledger_path)) == alone.executions


@pytest.mark.parametrize(
    "other", [{"optimization_level": 2}, {"seed": 6}, {"name": "other"}], ids=["circuit", "seed", "ledger"]
)
def test_engines_share_no_entries_of_other_series(other: dict[str, object], tmp_path: Path) -> None:
    first, second = engine(tmp_path), engine(tmp_path, **other)  # type: ignore[arg-type]
    alone = planned(fidelity(first), X)
    kernel = fidelity(first) + HammingKernel(CPMap(), engine=second, bandwidth=0.8)
    assert planned(kernel, X).executions == 2 * alone.executions


def test_two_engines_that_ask_for_a_new_layout_share_no_entries(tmp_path: Path) -> None:
    fidelity(engine(tmp_path)).fit(X)
    clear_cache()
    first, second = (engine(tmp_path, layout="refresh") for _ in range(2))
    alone = planned(fidelity(first), X)
    plan = planned(fidelity(first) + HammingKernel(CPMap(), engine=second, bandwidth=0.8), X)
    assert plan.executions == 2 * alone.executions > 0


# Before anything is sent ----------------------------------------------------------------------------------------


def test_a_fit_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    free = engine(tmp_path)
    needed = sum(planned(kernel, X).qpu_seconds for kernel in (fidelity(free), projected(free)))
    one = engine(tmp_path, needed - 0.01)
    with pytest.raises(BudgetError, match=rf"needs about {needed:.1f} s on fake_manila. Nothing was sent"):
        (projected(one) + fidelity(one)).fit(X)
    assert not was_sent(tmp_path)


@pytest.mark.slow
def test_a_transform_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    free, new = engine(tmp_path, name="free"), rows(40, 3, seed=7)
    one = engine(tmp_path, planned(fidelity(free) + projected(free), new, X).qpu_seconds - 2.5)
    kernel = (fidelity(one) + projected(one)).fit(X)  # 21 entries and 6 rows; the block has 240 entries and 40 rows
    sent = len(blocks_of(one.ledger_path))
    with pytest.raises(BudgetError, match="Nothing was sent"):
        kernel.transform(new)
    assert len(blocks_of(one.ledger_path)) == sent
    kernel.transform(new[:2])


def test_the_raw_function_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    def kernel(one: RuntimeEngine) -> QuantumKernel:
        return fidelity(one) + HammingKernel(SeparableMap(), engine=one, bandwidth=0.8)

    one = engine(tmp_path, planned(kernel(engine(tmp_path)), X, NEW).qpu_seconds - 0.01)
    with pytest.raises(BudgetError, match="Nothing was sent"):
        kernel(one)(X, NEW)
    assert not was_sent(tmp_path)


def test_self_values_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    one = engine(tmp_path, budget=Budget(jobs=3))
    kernel = (fidelity(one) + FidelityKernel(SeparableMap(), engine=one, bandwidth=0.8)).fit(X)
    sent = len(blocks_of(one.ledger_path))
    assert sent == 2  # a job for each part: one is left, two are needed
    for selves in (kernel.prior_diag, kernel.diag):
        with pytest.raises(BudgetError, match="Nothing was sent"):
            selves(NEW)
    assert len(blocks_of(one.ledger_path)) == sent


def test_self_values_that_are_known_need_no_budget(tmp_path: Path) -> None:
    one = engine(tmp_path, budget=Budget(jobs=4))
    kernel = (fidelity(one) + FidelityKernel(SeparableMap(), engine=one, bandwidth=0.8)).fit(X)
    first = kernel.prior_diag(NEW)
    clear_cache()
    np.testing.assert_array_equal(kernel.prior_diag(NEW), first)


@pytest.mark.slow
def test_landmarks_pay_for_themselves_only(tmp_path: Path) -> None:
    free = engine(tmp_path)
    # landmarks of both parts, and all rows of the one that learns gamma from them
    needed = planned(fidelity(free), 2).qpu_seconds + planned(projected(free), X).qpu_seconds
    one = engine(tmp_path, needed + 0.01)
    model = NystroemFeatures(projected(one) + fidelity(one), n_components=2, random_state=0)
    model.fit(X)
    assert sum(block.estimate for block in blocks_of(one.ledger_path)) == pytest.approx(needed, abs=0.01)


def test_what_was_measured_needs_no_budget(tmp_path: Path) -> None:
    first = (fidelity(engine(tmp_path)) + projected(engine(tmp_path))).fit(X)
    clear_cache()
    one = engine(tmp_path, 0.001)
    again = (fidelity(one) + projected(one)).fit(X)
    np.testing.assert_array_equal(first.gram_, again.gram_)
