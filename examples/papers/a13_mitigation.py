"""A13: global depolarizing noise of a kernel matrix is undone exactly, by rates that its diagonal shows.

The model of the paper, K̃ = (1 − L) K + L/d, is put on matrices of every kind: fidelities of random states, an RBF
kernel, and symmetric matrices of unit diagonal that are no kernels at all. "single" and "mean" take one L, "split" one
rate for every row, with L_ij = λ_i + λ_j − λ_i λ_j. What is left after the inversion is rounding, multiplied by
1/(1 − L): at most 1e-12 is asked for with L up to 0.9. Training matrix and K(X_new, X_fit) go through the same rule. No
RBF kernel beside: nothing is learned here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from _common import Check, Paper, Target, main
from numpy.typing import NDArray

from qkernels.kernels import DepolarizingMitigation
from qkernels.programs import Overlaps

PAPER = Paper(
    "A13",
    "Hubregtsen et al. 2022",
    "Training quantum embedding kernels on near-term quantum computers",
    "2105.02276",
)
ROWS, NEW = 12, 5
LARGEST = 0.9

Values = NDArray[np.float64]


def fidelities(rng: np.random.Generator, qubits: int) -> Values:
    """Of random states."""
    states = rng.normal(size=(ROWS + NEW, 2**qubits, 2)) @ [1.0, 1.0j]
    states /= np.linalg.norm(states, axis=1)[:, None]
    return np.asarray(np.abs(states @ states.conj().T) ** 2)


def gaussians(rng: np.random.Generator, qubits: int) -> Values:
    """An RBF kernel of random points."""
    points = rng.normal(size=(ROWS + NEW, qubits))
    return np.asarray(np.exp(-np.square(points[:, None] - points).sum(axis=2) / qubits))


def anything(rng: np.random.Generator, qubits: int) -> Values:
    """Symmetric, with entries in [0, 1] and ones on the diagonal; indefinite."""
    half = np.triu(rng.uniform(size=(ROWS + NEW, ROWS + NEW)), 1)
    return np.asarray(half + half.T + np.eye(ROWS + NEW))


KINDS: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "fidelities": fidelities,
    "RBF": gaussians,
    "no kernel": anything,
}


def error(method: str, K: Values, rates: Values, qubits: int) -> float:
    """Largest error of all entries between training rows and of new rows with these, after noise and its inversion."""
    loss = rates[:, None] + rates - rates[:, None] * rates
    noisy = (1 - loss) * K + loss / 2**qubits
    own = np.diag(noisy)
    mitigation = DepolarizingMitigation(method, num_qubits=qubits)
    gram, cross = noisy[:ROWS, :ROWS], noisy[ROWS:, :ROWS]
    mitigation.fit(gram, Overlaps(gram, diagonals=(own[:ROWS], own[:ROWS])))
    found = [
        mitigation.transform_gram(gram),
        mitigation.transform_cross(cross, Overlaps(cross, diagonals=(own[ROWS:], own))),
    ]
    return float(np.abs(np.concatenate(found) - K[:, :ROWS]).max())


def run(quick: bool) -> list[Check]:
    repeats = 20 if quick else 200
    checks = []
    for method in ("single", "mean", "split"):
        for name, kind in KINDS.items():
            rng = np.random.default_rng(0)
            worst = 0.0
            for repeat in range(repeats):
                qubits = 1 + repeat % 10
                rates = rng.uniform(0, 1 - np.sqrt(1 - LARGEST), size=ROWS + NEW)
                if method != "split":
                    rates[:] = rates[0]
                worst = max(worst, error(method, kind(rng, qubits), rates, qubits))
            checks.append(
                Check(f"{method}, {name}, 1 to 10 qubits: largest error", worst, Target(high=1e-12), form=".1e")
            )
    return checks


if __name__ == "__main__":
    main(PAPER, run, __doc__)
