"""Laws that every kernel keeps on every map, with exact and with sampled values."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Matern

from qkernels import (
    AutoEngine,
    CircuitMap,
    CovariantMap,
    CPMap,
    DenseAngleMap,
    FidelityKernel,
    HamiltonianMap,
    HammingKernel,
    HeisenbergMap,
    HighDimMap,
    LocalFidelityKernel,
    PauliFeatureMap,
    ProjectedKernel,
    SeparableMap,
    StatevectorEngine,
    YZCXMap,
    ZZFeatureMap,
)
from qkernels._errors import BandwidthWarning
from qkernels.feature_maps import FeatureMap
from qkernels.kernels import CircuitKernel, QuantumKernel
from tests.oracle import oracle_expectations, oracle_states

RNG = np.random.default_rng(17)
X = RNG.normal(size=(7, 4)) * [1.0, 20.0, 0.1, 3.0]
X_NEW = RNG.normal(size=(3, 4)) * [1.0, 20.0, 0.1, 3.0]


def users_circuit() -> QuantumCircuit:
    x = ParameterVector("input", 4)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.crx(x[1] * x[2], 0, 1)
    circuit.u(x[3], 0.3, x[0], 2)
    circuit.ccx(0, 1, 2)
    circuit.ry(x[2], 2)
    return circuit


MAPS: dict[str, FeatureMap] = {
    "circuit": CircuitMap(users_circuit()),
    "covariant": CovariantMap(fiducial=1.0),  # at the default, one-qubit expectation values are all 0: test below
    "cp": CPMap(ring=True),
    "dense angle": DenseAngleMap(),
    "hamiltonian": HamiltonianMap(),
    "heisenberg": HeisenbergMap(trotter_steps=2),
    "high dim": HighDimMap(),
    "pauli": PauliFeatureMap(),
    "separable": SeparableMap(),
    "yzcx": YZCXMap(),
    "zz": ZZFeatureMap(),
}
KERNELS: dict[str, Callable[..., CircuitKernel]] = {
    "fidelity": FidelityKernel,
    "projected": ProjectedKernel,
    "projected, Matérn": lambda *a: ProjectedKernel(*a, outer=Matern(nu=2.5), observables="XZ"),
    "hamming": HammingKernel,
    "local": LocalFidelityKernel,
    "local, reduced": lambda *a: LocalFidelityKernel(*a, patches=2, form="reduced"),
}
ENGINES = {"exact": None, "sampled": StatevectorEngine(shots=60, seed=2)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("feature_map", MAPS)
@pytest.mark.parametrize("name", KERNELS)
def test_laws(name: str, feature_map: str, engine: str) -> None:
    kernel: QuantumKernel = KERNELS[name](MAPS[feature_map], ENGINES[engine])
    gram = kernel.fit_transform(X)
    np.testing.assert_array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram)[0] > -1e-10
    np.testing.assert_allclose(kernel.transform(X), gram, atol=1e-10)
    cross = kernel.transform(X_NEW)
    assert cross.shape == (3, 7)
    assert np.isfinite(cross).all()
    np.testing.assert_allclose(kernel.diag(X), np.diag(kernel(X)), atol=1e-12)
    np.testing.assert_allclose(kernel(X_NEW, X), kernel(X, X_NEW).T, rtol=1e-12)  # one value per unordered pair
    assert hasattr(kernel, "gram_stderr_") == (engine == "sampled")

    order = RNG.permutation(7)
    again = clone(kernel).fit(X[order])
    np.testing.assert_allclose(again.gram_, gram[np.ix_(order, order)], atol=1e-8)
    np.testing.assert_allclose(again.transform(X_NEW), cross[:, order], atol=1e-8)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel)).transform(X_NEW), cross)
    assert kernel.plan(7, n_features=4).feasible


@pytest.mark.parametrize("feature_map", MAPS)
def test_fidelity_and_projected_values(feature_map: str) -> None:
    """Against the states of the oracle, at the angles that were learned."""
    fidelity = FidelityKernel(MAPS[feature_map]).fit(X)
    projected = ProjectedKernel(MAPS[feature_map]).fit(X)
    built = fidelity.feature_map_
    angles = fidelity.factor_ * (X - fidelity.offset_)
    states = oracle_states(built.build(4), built.parameter_vector(4), angles)
    np.testing.assert_allclose(fidelity.gram_, np.abs(states @ states.conj().T) ** 2, atol=1e-10)
    n = int(np.log2(states.shape[1]))
    labels = ["I" * (n - 1 - q) + letter + "I" * q for q in range(n) for letter in "XYZ"]
    z = oracle_expectations(built.build(4), labels, built.parameter_vector(4), angles)
    gamma = 1.0 / (3 * n * z.var())
    want = np.exp(-gamma * ((z[:, None] - z[None]) ** 2).sum(axis=2))
    np.testing.assert_allclose(projected.gram_, want, atol=1e-10)


def test_one_qubit_states_of_the_covariant_map_do_not_see_the_data() -> None:
    with pytest.warns(BandwidthWarning, match="gamma='scale' of ProjectedKernel finds no variation"):
        kernel = ProjectedKernel(CovariantMap()).fit(X)
    np.testing.assert_allclose(kernel.features(X), 0.0, atol=1e-12)
    pairs = ProjectedKernel(CovariantMap(), observables=["XX", "XZ", "YY", "ZX"]).fit(X)
    assert pairs.gram_.std() > 0.1


def test_engines_agree_on_every_kernel() -> None:
    for make in KERNELS.values():
        one, two = make(ZZFeatureMap(), StatevectorEngine()), make(ZZFeatureMap(), AutoEngine())
        np.testing.assert_allclose(one.fit(X).gram_, two.fit(X).gram_, atol=1e-12)
