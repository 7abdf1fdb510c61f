"""A5: the update of AQGD, analytic quantum gradient descent, holds the exact gradient of an expectation value.

AQGD takes half the difference of its objective at θ_i ± π/2. Where the objective is an expectation value ⟨P⟩ of a
circuit in which each θ_i turns one Pauli rotation, that is the gradient. Two steps with momentum are compared with
steps by the gradient of the reverse sweep, which shifts nothing. For the cross-entropy −log((1 + ⟨P⟩)/2) the same
differences are no gradient: how far off they are is shown without a target.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from _common import Check, Paper, Target, main
from numpy.typing import NDArray

from qkernels import ExpectationProgram, StatevectorEngine
from qkernels.variational import AQGD, EfficientSU2Ansatz

PAPER = Paper(
    "A5",
    "Joshi et al. 2021",
    "Evaluating the performance of some local optimizers for variational quantum classifiers",
    "2102.08949",
)
ENGINE = StatevectorEngine()
ETA, MOMENTUM, STEPS = 1.0, 0.25, 2

Values = NDArray[np.float64]


class _Objective:
    """A function of ⟨P⟩ after an EfficientSU2 circuit, and its gradient by the reverse sweep."""

    def __init__(
        self, program: ExpectationProgram, outer: Callable[[float], float], slope: Callable[[float], float]
    ) -> None:
        self.program, self.outer, self.slope = program, outer, slope

    def expectation(self, theta: Values) -> float:
        return float(ENGINE.expectations(self.program, theta[None]).values[0, 0])

    def __call__(self, theta: Values) -> float:
        return self.outer(self.expectation(theta))

    def gradient(self, theta: Values) -> Values:
        _, found = ENGINE.vjp(self.program, [[self.slope(self.expectation(theta))]], theta[None])
        return np.asarray(found[0])


def deviation(objective: _Objective, start: Values, steps: int) -> float:
    """Largest difference of an angle after steps of AQGD, and of the same rule with the exact gradient."""
    found = AQGD(steps, ETA, MOMENTUM, gradient="loss-shift").minimize(objective, start.copy()).x
    theta, momentum = start.copy(), np.zeros_like(start)
    for _ in range(steps):
        momentum = (1 - MOMENTUM) * objective.gradient(theta) + MOMENTUM * momentum
        theta -= ETA * momentum
    return float(np.abs(found - theta).max())


def run(quick: bool) -> list[Check]:
    rng, paulis = np.random.default_rng(0), 3 if quick else 10
    expectations, entropies, scale = [], [], []
    for n in range(2, 6):
        circuit, theta = EfficientSU2Ansatz().build(n), EfficientSU2Ansatz().parameter_vector(n)
        for _ in range(paulis):
            pauli = "".join(rng.choice(list("IXYZ"), n))
            program = ExpectationProgram(circuit, theta, observables=pauli)
            start = rng.uniform(-np.pi, np.pi, len(theta))
            expectations.append(deviation(_Objective(program, float, lambda _: 1.0), start, STEPS))
            entropy = _Objective(program, lambda e: -np.log((1 + e) / 2), lambda e: -1 / (1 + e))
            entropies.append(deviation(entropy, start, 1))
            scale.append(ETA * (1 - MOMENTUM) * np.abs(entropy.gradient(start)).max())
    at = f"EfficientSU2 on 2 to 5 qubits, {len(expectations)} random Pauli operators"
    share = float(np.median([off / step for off, step in zip(entropies, scale, strict=True) if step > 1e-6]))
    return [
        Check(
            f"{at}: largest error of an angle after {STEPS} steps",
            max(expectations),
            Target(high=1e-10),
            form=".1e",
        ),
        Check("the same for cross-entropy, 1 step: median error as a share of the step", share, None),
    ]


if __name__ == "__main__":
    main(PAPER, run, __doc__)
