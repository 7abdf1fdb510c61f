"""A23: four ways to continue ⟨Z…Z⟩ to zero noise, under global and under local depolarising noise.

The paper trains a network on expectation values of an RY–RZ circuit under depolarising noise. Here an RY–RZ circuit on
3 qubits with its gates between all qubits is evaluated at 1, 2 and 3 times its noise, and the values are continued by a
line, an exponential, Richardson's polynomial, and a network (scikit-learn's MLPRegressor) that learns from rows whose
noiseless value is known.

Global noise leaves f of every value, with f = exp(−layers · rate), so all is known in closed form: the exponential is
exact, Richardson's polynomial misses (1 − f)³ of the value and the line 1 − (4f + f² − 2f³)/3. What is allowed is
rounding: a value of size f³ at 3 times the noise has the relative error ε/f³, and the fit multiplies that by at most 6.

Under local noise on all gates, a value is a sum of exponentials with different rates. No closed form is left; the
errors are shown beside those of the network and, as a rival of the network on the same three numbers, of ridge
regression with a tuned RBF kernel. These two know the noiseless values of 300 other rows, the fits know nothing. Asked
is only that each way improves on what was measured.
"""

from __future__ import annotations

from math import exp

import numpy as np
from _common import Check, Paper, Target, about, main
from numpy.typing import NDArray
from qiskit.circuit import ParameterVector, QuantumCircuit
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import ExpectationProgram, StatevectorEngine
from qkernels.engines import DensityMatrixEngine, NoiseTable, ZeroNoiseExtrapolation

PAPER = Paper(
    "A23",
    "Bhattacharjee et al. 2024",
    "Enhancing quantum variational algorithms with zero noise extrapolation via neural networks",
    "2403.07025",
    own_numbers=False,
)
QUBITS = 3
LAYERS = 4
GLOBAL_RATE = 0.15  # of every layer: four of them keep 55 % of a value
LOCAL_RATE = 0.004  # of one-qubit gates; five times that of gates on two qubits
FACTORS = (1, 2, 3)
FITS = ("linear", "exponential", "richardson")

Values = NDArray[np.float64]


def ansatz(*, local: bool) -> tuple[QuantumCircuit, ParameterVector]:
    """Layers of RY and RZ on every qubit, and a ring of CX or one gate on all qubits."""
    x = ParameterVector("x", 2 * QUBITS * LAYERS)
    circuit = QuantumCircuit(QUBITS)
    for layer in range(LAYERS):
        for q in range(QUBITS):
            circuit.ry(x[2 * (QUBITS * layer + q)], q)
            circuit.rz(x[2 * (QUBITS * layer + q) + 1], q)
        if local:
            for q in range(QUBITS):
                circuit.cx(q, (q + 1) % QUBITS)
        else:
            circuit.ccz(0, 1, 2)
    return circuit, x


def depolarizing(rate: float, qubits: int) -> Values:
    """Keeps exp(−rate) of every Pauli string on these qubits but the identity."""
    return np.diag([1.0] + (4**qubits - 1) * [exp(-rate)])


def noisy_engine(*, local: bool) -> DensityMatrixEngine:
    channels = {"ccz": depolarizing(GLOBAL_RATE, 3)}
    if local:
        one, two = depolarizing(LOCAL_RATE, 1), depolarizing(5 * LOCAL_RATE, 2)
        channels = {"ry": one, "rz": one, "cx": two}
    return DensityMatrixEngine(NoiseTable(defaults=channels, ideal=["ry", "rz"], form="transfer"))


def rms(error: Values) -> float:
    return float(np.sqrt(np.mean(error**2)))


def under_global_noise(rows: Values) -> list[Check]:
    program = ExpectationProgram(*ansatz(local=False), observables="Z" * QUBITS)
    exact = StatevectorEngine().expectations(program, rows).values.ravel()
    noisy = noisy_engine(local=False)
    f = exp(-LAYERS * GLOBAL_RATE)
    rounding = 6 * 10 * float(np.finfo(float).eps) / f ** max(FACTORS)
    missing = {"linear": 1 - (4 * f + f**2 - 2 * f**3) / 3, "exponential": 0.0, "richardson": (1 - f) ** 3}
    at = f"global noise that leaves {f:.0%}, ⟨ZZZ⟩: share of the value that is missing"
    raw = noisy.expectations(program, rows).values.ravel()
    checks = [Check(f"{at}, as measured", rms(raw - exact) / rms(exact), about(1 - f, rounding), form=".3g")]
    for fit in FITS:
        found = ZeroNoiseExtrapolation(noisy, FACTORS, fit).expectations(program, rows).values.ravel()
        target = about(missing[fit], rounding) if missing[fit] else Target(high=rounding)
        checks.append(Check(f"{at}, {fit}", rms(found - exact) / rms(exact), target, form=".3g"))
    return checks


def under_local_noise(rows: Values, known: Values) -> list[Check]:
    program = ExpectationProgram(*ansatz(local=True), observables="Z" * QUBITS)
    noisy = noisy_engine(local=True)
    exact, labels = (StatevectorEngine().expectations(program, some).values.ravel() for some in (rows, known))
    engines = [noisy if f == 1 else noisy.scaled(f) for f in FACTORS]
    measured, learned_from = (
        np.hstack([engine.expectations(program, some).values for engine in engines]) for some in (rows, known)
    )
    at = f"local noise, {len(rows)} rows, ⟨ZZZ⟩: root mean square error"
    before = rms(measured[:, 0] - exact)
    checks = [Check(f"{at}, as measured", before, None, form=".5f")]
    for fit in FITS:
        found = ZeroNoiseExtrapolation(noisy, FACTORS, fit).expectations(program, rows).values.ravel()
        checks.append(Check(f"{at}, {fit}", rms(found - exact), Target(high=before), form=".5f"))
    settings = {"hidden_layer_sizes": (16,), "activation": "tanh", "solver": "lbfgs", "alpha": 1e-4}
    regressor = MLPRegressor(**settings, max_iter=20_000, random_state=0)
    network = make_pipeline(StandardScaler(), regressor).fit(learned_from, labels)
    grid = {"alpha": np.logspace(-8, -2, 4), "gamma": np.logspace(-3, 0, 7)}
    rbf = make_pipeline(StandardScaler(), GridSearchCV(KernelRidge(kernel="rbf"), grid)).fit(learned_from, labels)
    what = f"{at}, network that learned from {len(known)} noiseless values"
    error, rival = (rms(model.predict(measured) - exact) for model in (network, rbf))
    return [*checks, Check(what, error, Target(high=before), rival, form=".5f")]


def run(quick: bool) -> list[Check]:
    rng = np.random.default_rng(0)
    rows, known = (rng.uniform(-np.pi, np.pi, (n, 2 * QUBITS * LAYERS)) for n in (100 if quick else 1000, 300))
    return under_global_noise(rows) + under_local_noise(rows, known)


if __name__ == "__main__":
    main(PAPER, run, __doc__)
