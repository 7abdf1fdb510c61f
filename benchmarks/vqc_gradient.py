"""How much longer than a loss alone does a loss with its gradient take, at 100 parameters?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median

import numpy as np
from qiskit.quantum_info import Statevector

from benchmarks._harness import Case, Check, Contender, Goal, Missing, Result, Row, Values, compare, judge
from benchmarks._vqc_competitors import FLOOR, Bits, Problem, ours, pennylane, pennylane_jit

__all__ = ["CASE"]

CHECKED_ROWS, CHECKED_ANGLES = 3, 6


def parity_problem(n_qubits: int, n_rows: int, reps: int) -> Problem:
    """Random rows and labels; the parity of all qubits is the class."""
    rng = np.random.default_rng(0)
    targets = np.eye(2)[rng.integers(2, size=n_rows)]
    parity = np.bitwise_count(np.arange(2**n_qubits)).astype(np.intp) % 2
    return Problem(rng.uniform(-1.0, 1.0, (n_rows, n_qubits)), targets, parity, reps)


def by_qiskit(problem: Problem, theta: Values, angles: Bits) -> Values:
    """Derivatives of the loss of the first rows, by parameter shifts of Qiskit's states."""
    model, groups = problem.model, problem.groups

    def probabilities(row: int, point: Values) -> Values:
        values = dict(zip((*model.x, *model.theta), (*problem.X[row], *point), strict=True))
        return np.asarray(Statevector(model.circuit.assign_parameters(values)).probabilities() @ groups)

    found = np.zeros(len(angles))
    for row in range(CHECKED_ROWS):
        target = problem.targets[row]
        weights = -target / np.maximum(probabilities(row, theta), FLOOR)
        for place, angle in enumerate(angles):
            shift = np.zeros(len(theta))
            shift[angle] = np.pi / 2  # every angle is in one RY
            slope = (probabilities(row, theta + shift) - probabilities(row, theta - shift)) / 2
            found[place] += weights @ slope / CHECKED_ROWS
    return found


def run(sizes: Mapping[str, int]) -> Result:
    problem, slow = parity_problem(sizes["qubits"], sizes["rows"], sizes["reps"]), sizes["slow"]
    gradient, loss = ours(problem, "gradient"), replace(ours(problem, "loss"), name="qkernels, loss alone")
    jit, compiling = pennylane_jit(problem, "gradient", slow)
    rivals: list[Contender | Missing] = [pennylane(problem, "gradient", "default.qubit", slow), jit]
    running = [rival for rival in rivals if isinstance(rival, Contender)]
    n_angles = len(problem.model.theta)
    name = f"{problem.num_qubits} qubits, {n_angles} angles, {len(problem.X)} rows: loss and gradient"
    seconds, differences = compare(gradient, [*running, loss], problem.angles, sizes["rounds"])

    theta = problem.angles(0)[0]
    angles = np.random.default_rng(1).choice(n_angles, min(CHECKED_ANGLES, n_angles), replace=False)
    few = ours(problem, "gradient", rows=slice(CHECKED_ROWS)).prepare(theta[None])()[0]
    difference = float(np.abs(few[angles] - by_qiskit(problem, theta, angles)).max())
    check = Check(difference, f"parameter shifts of Qiskit's states, {CHECKED_ROWS} rows, {len(angles)} angles")
    mine, alone = median(seconds[gradient.name]), median(seconds[loss.name])
    passed = check.passed
    rows = [
        Row(
            name,
            "ours, loss alone",
            "s",
            mine if passed else None,
            alone if passed else None,
            Goal("ratio", 5.0),
            check,
            loss.settings,
        ),
        *judge(name, gradient, [(rival, None) for rival in rivals], seconds, differences),
    ]
    details = {
        "circuit": f"ZZ linear reps=1, RealAmplitudes reps={problem.reps}, {problem.model.circuit.size()} gates",
        "data": "uniform in [-1, 1), labels at random; angles uniform in [−π, π), new in every round",
        "read": "parity of all qubits, cross-entropy",
        "ours": dict(gradient.settings),
        "jit_compile_seconds": compiling,
        "seconds": seconds,
    }
    return Result(rows, details)


CASE = Case(
    "vqc_gradient",
    "A loss with its gradient against a loss alone, 10 qubits, 100 angles, 500 rows",
    run,
    full={"qubits": 10, "rows": 500, "reps": 9, "rounds": 9, "slow": 2},
    quick={"qubits": 3, "rows": 10, "reps": 1, "rounds": 2, "slow": 1},
)
