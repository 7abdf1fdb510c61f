"""Every engine × feature map × program against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qkernels._errors import UnsupportedCircuitError
from qkernels.engines import AutoEngine, Engine, MPSEngine, StatevectorEngine
from qkernels.feature_maps import (
    CircuitMap,
    CovariantMap,
    CPMap,
    DenseAngleMap,
    FeatureMap,
    HamiltonianMap,
    HeisenbergMap,
    HighDimMap,
    PauliFeatureMap,
    SeparableMap,
    YZCXMap,
    ZZFeatureMap,
)
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.oracle import (
    oracle_expectations,
    oracle_overlaps,
    random_inputs,
    random_observables,
)

EXACT = 1e-10


def _user_circuit() -> CircuitMap:
    """Nearest neighbours, nonlinear angles, loose parameters, one of them idle."""
    a, b, c, idle = (Parameter(name) for name in ("c", "b", "a", "idle"))
    circuit = QuantumCircuit(4, global_phase=a * b)
    circuit.h(range(4))
    for repetition in range(2):
        circuit.ry((a * b).sin() + repetition, 0)
        circuit.rz(b**2 / 3, 1)
        circuit.p((c + 4).log(), 2)
        circuit.rx(2**a / 4, 3)
        for q in (2, 0, 1):
            circuit.cx(q, q + 1)
        circuit.u(a, b.abs(), -c, 1)
        circuit.rxx(a - c, 2, 1)
        circuit.cp(b * c, 0, 1)
        circuit.rzz((c / 3).arcsin(), 3, 2)
    return CircuitMap(circuit, [a, b, c, idle])


def _far_circuit() -> CircuitMap:
    """Gates between distant qubits, blocks, open controls: for the state vector only."""
    x = ParameterVector("x", 3)
    block = QuantumCircuit(2, global_phase=x[0])
    block.rx(x[1], 0)
    block.cx(1, 0)
    circuit = QuantumCircuit(4)
    circuit.h([0, 2])
    circuit.append(block.to_gate().control(1, ctrl_state=0, annotated=False), [3, 0, 2])
    circuit.crx(x[2], 0, 3, ctrl_state=0)
    circuit.cswap(0, 3, 1)
    circuit.iswap(0, 2)
    circuit.append(block.to_gate(), [1, 3])
    circuit.ccx(2, 0, 3)
    return CircuitMap(circuit, x)


@dataclass(frozen=True)
class MapCase:
    name: str
    build: Callable[[], FeatureMap]
    n_features: int


LOCAL_MAPS = [
    MapCase("zz_default_1", ZZFeatureMap, 1),
    MapCase("zz_default_2", ZZFeatureMap, 2),
    MapCase("zz_default_5", ZZFeatureMap, 5),
    MapCase("zz_linear_havlicek_4", lambda: ZZFeatureMap(3, data_map="havlicek"), 4),
    MapCase("zz_linear_rzz_4", lambda: ZZFeatureMap(gate="rzz"), 4),
    MapCase("zz_pairwise_5", lambda: ZZFeatureMap(1, entanglement="pairwise"), 5),
    MapCase("zz_descending_pairs_4", lambda: ZZFeatureMap(2, entanglement=[(3, 2), (2, 1), (1, 0)]), 4),
    MapCase("pauli_linear_4", lambda: PauliFeatureMap(paulis=("Z", "XX")), 4),
    MapCase("pauli_y_3", lambda: PauliFeatureMap(1, paulis=("Y", "ZZ"), alpha=0.7), 3),
    MapCase("separable_1", SeparableMap, 1),
    MapCase("separable_6", SeparableMap, 6),
    MapCase("hamiltonian_4", HamiltonianMap, 4),
    MapCase("hamiltonian_gamma_3", lambda: HamiltonianMap(3, gamma=0.4), 3),
    MapCase("cp_2", CPMap, 2),
    MapCase("cp_3", lambda: CPMap(reps=2, ring=True), 3),
    MapCase("covariant_2", CovariantMap, 2),
    MapCase("covariant_angles_7", lambda: CovariantMap([0.3, -1.0, 2.0, 0.7]), 7),
    MapCase("high_dim_9", HighDimMap, 9),
    MapCase("high_dim_cx_1", lambda: HighDimMap(gate="cx"), 1),
    MapCase("high_dim_narrow_13", lambda: HighDimMap(qubits=2), 13),
    MapCase("yzcx_5", YZCXMap, 5),
    MapCase("yzcx_narrow_7", lambda: YZCXMap(qubits=3, c=0.6, final_entangler=False), 7),
    MapCase("heisenberg_1", HeisenbergMap, 1),
    MapCase("heisenberg_4", lambda: HeisenbergMap(time=0.8, trotter_steps=3, seed=5), 4),
    MapCase("dense_angle_linear_7", lambda: DenseAngleMap(entanglement="linear"), 7),
    MapCase("circuit_local_4", _user_circuit, 4),
]
FAR_MAPS = [
    MapCase("zz_full_5", lambda: ZZFeatureMap(entanglement="full"), 5),
    MapCase("zz_circular_5", lambda: ZZFeatureMap(1, entanglement="circular", data_map="havlicek"), 5),
    MapCase("pauli_three_body_4", lambda: PauliFeatureMap(1, paulis=("Z", "YY", "ZXZ"), entanglement="full"), 4),
    MapCase("hamiltonian_full_4", lambda: HamiltonianMap(1, entanglement="full"), 4),
    MapCase("cp_5", lambda: CPMap(ring=True), 5),
    MapCase("cp_open_8", CPMap, 8),
    MapCase("cp_reps_9", lambda: CPMap(reps=2, ring=True, angles=(0.1, 0.7, -0.3, 1.1, 0.2, -0.9)), 9),
    MapCase("covariant_full_8", lambda: CovariantMap(entanglement="full"), 8),
    MapCase("dense_angle_7", DenseAngleMap, 7),
    MapCase("circuit_far_3", _far_circuit, 3),
]
MAPS = {case.name: case for case in LOCAL_MAPS + FAR_MAPS}

ENGINES: dict[str, Callable[[], Engine]] = {
    "statevector": StatevectorEngine,
    "statevector_single": lambda: StatevectorEngine(precision="single"),
    "mps": MPSEngine,
    "auto": AutoEngine,
    "auto_single": lambda: AutoEngine(precision="single"),
}
COMBINATIONS = [
    pytest.param(engine, case, id=f"{engine}-{case.name}")
    for engine in ENGINES
    for case in (LOCAL_MAPS if engine == "mps" else LOCAL_MAPS + FAR_MAPS)
]


@dataclass(frozen=True)
class Question:
    """A map's circuit, rows to ask about, and what the oracle and the arithmetic allow."""

    circuit: QuantumCircuit
    x: list[Parameter]
    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    tolerance: float


def ask(case: MapCase, engine: str) -> Question:
    circuit = case.build().build(case.n_features)
    x = list(circuit.parameters[0].vector)  # one vector; not all of it needs to occur
    assert len(x) == case.n_features
    rows = random_inputs(7, case.n_features, seed=case.n_features)
    tolerance = _single_tolerance(circuit) if "single" in engine else EXACT
    return Question(circuit, x, rows[:4], rows[4:], tolerance)


def _single_tolerance(circuit: QuantumCircuit) -> float:
    """Rounding of float32: each of G gates adds at most 4 eps to the error of a state of norm 1.

    k = |<a|b>|² then moves by at most 2 (‖δa‖ + ‖δb‖) + 2 · 2^n eps, the last term from the scalar product.
    """
    eps = np.finfo(np.float32).eps
    gates = circuit.decompose(reps=3).size()
    return float(eps * (16 * gates + 2 * 2**circuit.num_qubits))


@pytest.mark.parametrize(("engine", "case"), COMBINATIONS)
def test_gram(engine: str, case: MapCase) -> None:
    q = ask(case, engine)
    overlaps = ENGINES[engine]().overlaps(OverlapProgram(q.circuit, q.x), q.X)
    assert overlaps.values.dtype == np.float64
    assert overlaps.stderr is None
    np.testing.assert_allclose(overlaps.values, oracle_overlaps(q.circuit, q.x, q.X), rtol=0, atol=q.tolerance)


@pytest.mark.parametrize(("engine", "case"), COMBINATIONS)
def test_cross(engine: str, case: MapCase) -> None:
    q = ask(case, engine)
    values = ENGINES[engine]().overlaps(OverlapProgram(q.circuit, q.x), q.X, q.Y).values
    assert values.shape == (4, 3)
    np.testing.assert_allclose(values, oracle_overlaps(q.circuit, q.x, q.X, q.Y), rtol=0, atol=q.tolerance)


@pytest.mark.parametrize(("engine", "case"), COMBINATIONS)
def test_pairs(engine: str, case: MapCase) -> None:
    q = ask(case, engine)
    program, solver = OverlapProgram(q.circuit, q.x), ENGINES[engine]()
    gram, cross = oracle_overlaps(q.circuit, q.x, q.X), oracle_overlaps(q.circuit, q.x, q.X, q.Y)
    within = np.array([[3, 0], [1, 1], [0, 3], [3, 0], [2, 1]])
    values = solver.overlaps(program, q.X, pairs=within).values
    np.testing.assert_allclose(values, gram[tuple(within.T)], rtol=0, atol=q.tolerance)
    across = np.array([[3, 0], [0, 2], [1, 1]])
    values = solver.overlaps(program, q.X, q.Y, pairs=across).values
    np.testing.assert_allclose(values, cross[tuple(across.T)], rtol=0, atol=q.tolerance)


@pytest.mark.parametrize(("engine", "case"), COMBINATIONS)
def test_prepared_states(engine: str, case: MapCase) -> None:
    q = ask(case, engine)
    program, solver = OverlapProgram(q.circuit, q.x), ENGINES[engine]()
    X, Y = solver.prepare(program, q.X), solver.prepare(program, q.Y)
    assert X.nbytes > 0
    expected = oracle_overlaps(q.circuit, q.x, q.X, q.Y)
    for left, right in ((X, Y), (X, q.Y), (q.X, Y)):
        values = solver.overlaps(program, left, right).values
        np.testing.assert_allclose(values, expected, rtol=0, atol=q.tolerance)


@pytest.mark.parametrize(("engine", "case"), COMBINATIONS)
def test_expectations(engine: str, case: MapCase) -> None:
    q = ask(case, engine)
    observables = random_observables(q.circuit.num_qubits, 6, seed=case.n_features)
    program = ExpectationProgram(q.circuit, observables=observables, x=q.x)
    expectations = ENGINES[engine]().expectations(program, q.X)
    assert expectations.stderr is None
    scale = max(np.abs(o.coeffs).sum() for o in observables)  # of the rounding in the states
    expected = oracle_expectations(q.circuit, observables, q.x, q.X)
    assert expectations.values.shape == expected.shape
    np.testing.assert_allclose(
        expectations.values, expected, rtol=0, atol=q.tolerance * (scale if "single" in engine else 1)
    )


@pytest.mark.parametrize("engine", ["statevector", "mps", "auto"])
def test_trainable_parameters(engine: str) -> None:
    x, theta = ParameterVector("x", 2), ParameterVector("θ", 2)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[q % 2] * theta[0] + q, q)
    circuit.rzz(theta[1], 0, 1)
    circuit.cx(1, 2)
    circuit.rx(theta[0] * x[1], 2)
    X, values = random_inputs(4, 2, seed=0), [0.8, -1.3]
    expected = {"theta_params": theta, "theta": values}
    solver, observables = ENGINES[engine](), random_observables(3, 3, seed=2)
    overlaps = solver.overlaps(OverlapProgram(circuit, x, theta), X, theta=values).values
    np.testing.assert_allclose(overlaps, oracle_overlaps(circuit, x, X, **expected), rtol=0, atol=EXACT)
    program = ExpectationProgram(circuit, observables=observables, x=x, theta=theta)
    np.testing.assert_allclose(
        solver.expectations(program, X, theta=values).values,
        oracle_expectations(circuit, observables, x, X, **expected),
        rtol=0,
        atol=EXACT,
    )


@pytest.mark.parametrize("engine", ["statevector", "mps", "auto"])
@pytest.mark.parametrize("observables", ["ZXY", ["ZXY", "III"], ["YYY", "IIX"]], ids=str)
def test_pauli_strings_are_observables(engine: str, observables: str | list[str]) -> None:
    circuit = HamiltonianMap().build(3)
    X = random_inputs(3, 3, seed=6)
    program = ExpectationProgram(circuit, observables=observables, x=circuit.parameters)
    listed = [observables] if isinstance(observables, str) else observables
    np.testing.assert_allclose(
        ENGINES[engine]().expectations(program, X).values,
        oracle_expectations(circuit, listed, circuit.parameters, X),
        rtol=0,
        atol=EXACT,
    )


@pytest.mark.parametrize("name", ["zz_full_5", "circuit_far_3", "cp_5"])
def test_mps_refuses_what_is_not_nearest_neighbour(name: str) -> None:
    q = ask(MAPS[name], "mps")
    with pytest.raises(UnsupportedCircuitError, match="MPSEngine"):
        MPSEngine().overlaps(OverlapProgram(q.circuit, q.x), q.X)
