"""Training: what stops it, what it keeps, and what a checkpoint restores."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from qkernels import ExpectationProgram, StatevectorEngine, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.variational import (
    Checkpoint,
    ClassesReadout,
    CrossEntropy,
    Head,
    Objective,
    RealAmplitudesAnsatz,
    State,
    TrainingOptions,
    compose_model,
    resolve_optimizer,
    train,
)

Values = NDArray[np.float64]

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (20, 2))
TARGETS = np.eye(3)[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.3)]
MODEL = compose_model(ZZFeatureMap(reps=1), RealAmplitudesAnsatz(reps=1), 2, reuploads=2)
START = RNG.normal(0, 0.3, len(MODEL.theta))
BOUND = ClassesReadout().bind(2, (0, 1), 3)


def objective(loss: CrossEntropy | None = None, **options: Any) -> Objective:
    program = ExpectationProgram(MODEL.circuit, MODEL.x, MODEL.theta, observables=BOUND.observables)
    head = Head(BOUND, CrossEntropy() if loss is None else loss)
    options = {"way": "exact", **options}
    return Objective(StatevectorEngine(), program, head, X, TARGETS, np.ones(20), **options)


def run(what: Objective, optimizer: object = "L-BFGS-B", **options: Any) -> Any:
    settings: dict[str, Any] = {"max_iter": 500, "tol": 1e-5, "seed": 0, **options}
    return train(what, START, resolve_optimizer(optimizer, "VQC"), TrainingOptions(**settings))


def test_converges_and_notes_every_iterate() -> None:
    what, noted = objective(), []
    found = run(what, callback=lambda k, theta, loss: noted.append((k, theta, loss)))
    assert found.has_converged
    assert [k for k, _, _ in noted] == list(range(1, len(found.loss_curve) + 1))
    assert [loss for _, _, loss in noted] == found.loss_curve
    for _, theta, loss in noted[:3]:
        assert objective().loss(theta) == pytest.approx(loss, rel=1e-10)
    assert found.loss_curve == sorted(found.loss_curve, reverse=True)
    np.testing.assert_array_equal(found.theta, what.best_theta)
    assert np.abs(objective().gradient(found.theta)).max() < 1e-2


@pytest.mark.parametrize("optimizer", ["COBYLA", "Nelder-Mead", "SPSA", "ADAM", "AQGD", "BFGS", "SLSQP", "QNSPSA"])
def test_every_kind_of_optimizer_lowers_the_loss(optimizer: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = run(objective(), optimizer, max_iter=30)
    assert 1 <= len(found.loss_curve) <= 31  # the COBYLA of older SciPy versions tells of one point more
    assert objective().loss(found.theta) < objective().loss(START)


def test_iteration_limit_warns() -> None:
    with pytest.warns(ConvergenceWarning, match=r"VQC: the optimizer stopped before it converged .*3 of at most 3"):
        found = run(objective(), max_iter=3)
    assert not found.has_converged
    assert len(found.loss_curve) == 3


def test_callback_may_stop() -> None:
    def callback(iteration: int, theta: Values, loss: float) -> None:
        if iteration == 2:
            raise StopIteration

    assert len(run(objective(), callback=callback).loss_curve) == 2


class Breaks(CrossEntropy):
    """Not a number from the 6th evaluation on."""

    calls = 0

    def __call__(self, outputs: Values, targets: Values) -> Values:
        self.calls += 1
        return super().__call__(outputs, targets) * (np.nan if self.calls > 5 else 1.0)


@pytest.mark.parametrize("optimizer", ["L-BFGS-B", "COBYLA", "SPSA", "ADAM"])
def test_non_finite_loss_stops_keeps_the_best_point_and_warns(optimizer: str) -> None:
    what = objective(Breaks())
    with pytest.warns(ConvergenceWarning, match="because the loss is nan; the best point so far is kept"):
        found = run(what, optimizer)
    assert what.num_losses == 6
    assert what.best_theta is not None
    np.testing.assert_array_equal(found.theta, what.best_theta)
    assert objective().loss(found.theta) == pytest.approx(what.best_loss, rel=1e-12)
    assert np.isfinite(found.loss_curve).all()


def test_loss_that_is_never_finite_keeps_the_start() -> None:
    loss = Breaks()
    loss.calls = 99
    with pytest.warns(ConvergenceWarning, match="the loss is nan"):
        found = run(objective(loss))
    np.testing.assert_array_equal(found.theta, START)


def test_early_stopping_keeps_the_point_of_the_lowest_validation_loss() -> None:
    seen: list[Values] = []

    def validation(theta: Values) -> float:  # best at the 3rd iterate
        seen.append(theta)
        return abs(len(seen) - 3.0)

    found = run(objective(), validation=validation, patience=4, tol=1e-9)
    assert len(found.loss_curve) == 7
    assert found.validation_curve == [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(found.theta, seen[2])
    assert found.has_converged


def test_optimizer_without_gradient_is_refused_clearly() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"optimizer='BFGS' of VQC needs gradients, and StatevectorEngine\(\) gives none"
    ):
        run(objective(way=None), "BFGS")


# Checkpoints ----------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def interrupted_at(iteration: int) -> Any:
    def callback(k: int, theta: Values, loss: float) -> None:
        if k == iteration:
            raise Interrupted

    return callback


def test_fit_resumes_from_the_last_iterate(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "fit.npz", "key")
    with pytest.raises(Interrupted):
        run(objective(), callback=interrupted_at(4), checkpoint=checkpoint)
    state = checkpoint.read()
    assert state is not None
    assert len(state.loss_curve) == 4
    assert not state.is_done
    first: list[tuple[int, float]] = []
    found = run(objective(), checkpoint=checkpoint, callback=lambda k, _, loss: first.append((k, loss)))
    assert first[0][0] == 5
    assert found.loss_curve[:4] == state.loss_curve
    assert found.loss_curve[4] < state.loss_curve[3]
    assert list(tmp_path.iterdir()) == [tmp_path / "fit.npz"]


def test_finished_fit_is_read_back_without_an_evaluation(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "fit.npz", "key")
    first = run(objective(), checkpoint=checkpoint)
    what = objective()
    again = run(what, checkpoint=checkpoint)
    np.testing.assert_array_equal(first.theta, again.theta)
    assert again.loss_curve == first.loss_curve
    assert what.num_losses == 0


def test_more_iterations_go_on(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "fit.npz", "key")
    with pytest.warns(ConvergenceWarning, match="3 of at most 3"):
        run(objective(), max_iter=3, checkpoint=checkpoint)
    found = run(objective(), max_iter=500, checkpoint=checkpoint)
    assert found.has_converged
    assert len(found.loss_curve) > 3


def test_mini_batches_go_on_after_a_resume(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "fit.npz", "key")
    with pytest.raises(Interrupted):
        run(objective(batch_size=5), "ADAM", callback=interrupted_at(3), checkpoint=checkpoint)
    state = checkpoint.read()
    assert state is not None
    assert state.num_batches == 3
    resumed = objective(batch_size=5)
    with pytest.raises(Interrupted):
        run(resumed, "ADAM", callback=interrupted_at(5), checkpoint=checkpoint)
    assert resumed.num_batches == 5


def test_state_survives_the_file(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "fit.npz", "key")
    checkpoint.write(State(np.array([1.0, 2.0]), [0.5], [0.6], np.array([3.0, 4.0]), 7, True, True))
    state = checkpoint.read()
    assert state is not None
    assert (state.theta.tolist(), state.loss_curve, state.validation_curve) == ([1.0, 2.0], [0.5], [0.6])
    assert state.best_theta is not None
    assert state.best_theta.tolist() == [3.0, 4.0]
    assert (state.num_batches, state.is_done, state.has_converged) == (7, True, True)


def test_checkpoint_of_another_fit_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    run(objective(), checkpoint=Checkpoint(path, "a" * 20))
    before = path.read_bytes()
    with pytest.raises(InvalidParameterError, match=r"fit.npz' belongs to a fit of other data.*aaaaaaaaaaaa…"):
        run(objective(), checkpoint=Checkpoint(path, "b" * 20))
    assert path.read_bytes() == before


def test_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    path.write_text("nothing of ours")
    with pytest.raises(InvalidParameterError, match=r"fit.npz' is no checkpoint of a fit"):
        Checkpoint(path, "key").read()


# Progress -------------------------------------------------------------------------------------------------------


class FakeConsole:
    """A console that keeps what its status line says."""

    is_terminal = True
    lines: list[str] = []  # noqa: RUF012 - of the one test

    def __init__(self, **options: Any) -> None:
        self.stopped = False

    def status(self, text: str) -> FakeConsole:
        return self

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.lines.append("stopped")

    def update(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(("seconds", "is_terminal"), [(0.0, True), (0.0, False), (1e9, True)])
def test_progress_shows_on_a_terminal_once_a_fit_takes_long(
    seconds: float, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console.Console", FakeConsole)
    monkeypatch.setattr("qkernels.variational._training._SHOWN_AFTER", seconds)
    monkeypatch.setattr(FakeConsole, "is_terminal", is_terminal)
    monkeypatch.setattr(FakeConsole, "lines", [])
    found = run(objective())
    if seconds == 0.0 and is_terminal:
        assert FakeConsole.lines[0] == f"VQC: iteration 1 of at most 500, loss {found.loss_curve[0]:.6g}"
        assert len(FakeConsole.lines) == len(found.loss_curve) + 1
        assert FakeConsole.lines[-1] == "stopped"
    else:
        assert FakeConsole.lines == []
