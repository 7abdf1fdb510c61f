"""How long does one loss of a variational classifier on iris take, and one gradient?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import MinMaxScaler

from benchmarks._calls import compare_calls
from benchmarks._harness import Case, Contender, Goal, Missing, Result, Row, Samples, Values, judge
from benchmarks._vqc_competitors import (
    FLOOR,
    AsIfBinary,
    AsIfSoftmax,
    Problem,
    ours,
    pennylane,
    pennylane_jit,
    qiskit_machine_learning,
    squlearn,
)
from qkernels.variational import Loss

__all__ = ["CASE"]

Rivals = list[tuple[Contender | Missing, Goal | None]]

STEP = 1e-3
"""Of the central difference that shows which gradient is the loss's."""


def iris_problem(n_rows: int, reps: int) -> Problem:
    """Iris in [0, 1], every k-th row; outcome k is class k mod 3: the default of qiskit-machine-learning's VQC."""
    X, y = load_iris(return_X_y=True)
    rows = np.linspace(0, len(X) - 1, n_rows).astype(int)
    return Problem(MinMaxScaler().fit_transform(X)[rows], np.eye(3)[y[rows]], np.arange(16) % 3, reps)


def measure(
    question: str, problem: Problem, mine: Contender, rivals: Rivals, sizes: Mapping[str, int]
) -> tuple[list[Row], Samples]:
    """One row per rival."""

    def points(round_number: int) -> Values:
        return problem.angles(round_number, sizes["calls"])

    running = [rival for rival, _ in rivals if isinstance(rival, Contender)]
    seconds, differences = compare_calls(mine, running, points, sizes["rounds"])
    return judge(question, mine, rivals, seconds, differences), seconds


def slopes(problem: Problem, rival: Contender, loss: Loss) -> dict[str, float]:
    """A rival's gradient against its own loss, along that gradient; both in nats, at the angles of round 0."""
    theta = problem.angles(0)
    claimed = ours(problem, "gradient", loss).prepare(theta)()[0]
    way = claimed / np.linalg.norm(claimed)
    up, down = (rival.prepare(theta + step * way)()[0] for step in (STEP, -STEP))
    right = ours(problem, "gradient").prepare(theta)()[0]
    return {
        "slope_by_its_gradient": float(np.linalg.norm(claimed)),
        "slope_of_its_loss": float((up - down) / (2 * STEP)),
        "slope_by_our_gradient": float(right @ way),
        "cosine_of_both_gradients": float(right @ way / np.linalg.norm(right)),
    }


def run(sizes: Mapping[str, int]) -> Result:
    problem, slow = iris_problem(sizes["rows"], sizes["reps"]), sizes["slow"]
    name = f"iris {len(problem.X)} × 4, ZZ reps=1 + RealAmplitudes reps={problem.reps}, cross-entropy of 3 classes"
    qml, sq = qiskit_machine_learning(problem, "loss", slow), squlearn(problem, "loss", slow)
    jit = {kind: pennylane_jit(problem, kind) for kind in ("loss", "gradient")}
    rows, seconds = measure(
        f"{name}: one loss",
        problem,
        ours(problem, "loss"),
        [
            (qml, Goal("speedup", 300.0)),
            (pennylane(problem, "loss", "default.qubit"), Goal("speedup", 2.0)),
            (jit["loss"][0], None),
            (pennylane(problem, "loss", "lightning.qubit", slow), None),
            (sq, None),
        ],
        sizes,
    )
    all_seconds: dict[str, Samples] = {"loss": seconds}
    gradients: dict[str, tuple[Loss | None, Rivals]] = {
        "gradient": (
            None,
            [
                (pennylane(problem, "gradient", "default.qubit"), Goal("speedup", 2.0)),
                (jit["gradient"][0], None),
                (pennylane(problem, "gradient", "lightning.qubit", slow), None),
            ],
        ),
        "gradient as if probabilities were softmax scores": (
            AsIfSoftmax(FLOOR),
            [(qiskit_machine_learning(problem, "gradient", 1), Goal("speedup", 2000.0))],
        ),
        "gradient as if each class were binary": (AsIfBinary(FLOOR), [(squlearn(problem, "gradient", slow), None)]),
    }
    for kind, (loss, rivals) in gradients.items():
        mine = ours(problem, "gradient", loss)
        more, all_seconds[kind] = measure(f"{name}: one {kind}", problem, mine, rivals, sizes)
        rows += more
    suspects: list[tuple[Contender | Missing, Loss]] = [(qml, AsIfSoftmax(FLOOR)), (sq, AsIfBinary(FLOOR))]
    found = {c.name: slopes(problem, c, loss) for c, loss in suspects if isinstance(c, Contender)}
    notes = [_note(competitor, numbers) for competitor, numbers in found.items()]
    for i, row in enumerate(rows):
        if row.versus in found and "as if" in row.question:
            rows[i] = replace(row, note=_note(row.versus, found[row.versus]))
    details: dict[str, Any] = {
        "data": "iris, each feature scaled to [0, 1]; angles uniform in [−π, π), new in every round",
        "circuit": f"{problem.model.circuit.size()} gates, {len(problem.model.theta)} trained angles",
        "read": "outcome k of the four qubits is class k mod 3",
        "gradient": "with the loss at the same angles, for everyone",
        "calls": f"{sizes['calls']} in a row, seconds of one; of a contender that is not in all rounds, one call",
        "ours": dict(ours(problem, "loss").settings),
        "jit_compile_seconds": {kind: compiling for kind, (_, compiling) in jit.items()},
        "gradient_of_the_loss": found,
        "note": "; ".join(notes),
        "seconds": all_seconds,
    }
    return Result(rows, details)


def _note(name: str, slope: Mapping[str, float]) -> str:
    return (
        f"{name}: its gradient is not that of its loss. Along it, the loss changes by {slope['slope_of_its_loss']:.4f} "
        f"per radian (ours says {slope['slope_by_our_gradient']:.4f}), not by {slope['slope_by_its_gradient']:.4f}; "
        f"cosine to the gradient of the loss {slope['cosine_of_both_gradients']:.2f}"
    )


CASE = Case(
    "vqc_loss",
    "One loss and one gradient of a variational classifier on iris",
    run,
    full={"rows": 150, "reps": 3, "rounds": 9, "slow": 2, "calls": 20},
    quick={"rows": 6, "reps": 1, "rounds": 2, "slow": 1, "calls": 2},
)
