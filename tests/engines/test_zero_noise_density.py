"""ZeroNoiseExtrapolation of DensityMatrixEngine: noise on gates, exact where it decays as the fit says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qkernels.engines import DensityMatrixEngine, NoiseTable, StatevectorEngine, ZeroNoiseExtrapolation
from qkernels.programs import ExpectationProgram, OverlapProgram
from qkernels.testing import check_engine

Values = NDArray[np.float64]
EXACT = StatevectorEngine()
X = np.random.default_rng(0).uniform(-1.5, 1.5, size=(6, 3))
Y = np.random.default_rng(1).uniform(-1.5, 1.5, size=(3, 3))


def depolarizing(gamma: float, num_qubits: int) -> Values:
    """e^−γ of what there was, the rest mixed, as a transfer matrix."""
    return np.diag([1.0] + (4**num_qubits - 1) * [np.exp(-gamma)])


def entangled(num_layers: int) -> tuple[QuantumCircuit, ParameterVector]:
    """Gates on all three qubits at once between rotations."""
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for layer in range(num_layers):
        for q in range(3):
            circuit.ry((layer + 1) * x[q], q)
        circuit.ccx(0, 1, 2)
        circuit.rz(x[0] - x[2], 1)
    return circuit, x


def product() -> tuple[QuantumCircuit, ParameterVector]:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.h(q)
        circuit.rz(x[q], q)
        circuit.ry(2 * x[q], q)
    return circuit, x


def uniform() -> tuple[QuantumCircuit, ParameterVector, int]:
    """Ten gates on one and two qubits."""
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[q], q)
    circuit.cx(0, 1)
    circuit.rz(x[0] * x[1], 1)
    circuit.cx(1, 2)
    for q in range(3):
        circuit.rx(x[q], q)
    circuit.cx(2, 0)
    return circuit, x, 10


# Where every value decays as the fit says ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"factors": (1, 1.5, 2.5)}, {"method": "fold", "factors": (1, 3)}], ids=str)
def test_global_depolarizing_is_undone(options: dict[str, Any]) -> None:
    circuit, x = entangled(2)
    noise = NoiseTable(defaults={"ccx": depolarizing(0.1, 3)}, ideal=["ry", "rz"], form="transfer")
    raw = DensityMatrixEngine(noise)
    solver = ZeroNoiseExtrapolation(raw, **options)
    # What is left of a distance after 4 gates, 3 times the noise: e^−1.2; fits multiply errors by at most 2 λ/Δλ = 6.
    bound = 6 * 100 * np.finfo(float).eps / np.exp(-1.2)
    program = OverlapProgram(circuit, x)
    for second in (None, Y):
        exact = EXACT.overlaps(program, X, second).values
        assert np.abs(solver.overlaps(program, X, second).values - exact).max() < bound
    np.testing.assert_allclose(np.diag(raw.overlaps(program, X).values), 1 / 8 + 7 / 8 * np.exp(-0.4), rtol=1e-12)
    observed = ExpectationProgram(circuit, x, observables=["ZZZ", "XIY", "IZI"])
    found = solver.expectations(observed, X).values
    assert np.abs(found - EXACT.expectations(observed, X).values).max() < bound


def test_pauli_strings_decay_one_by_one() -> None:
    """Local noise on a product state: every string has its own rate, so that sums of strings are exact, too."""
    circuit, x = product()
    noise = NoiseTable(defaults={g: depolarizing(0.05, 1) for g in ("h", "rz", "ry")}, ideal=(), form="transfer")
    observables = [[("ZZZ", 1.0), ("IXI", -0.5), ("III", 3.0)], [("XIZ", 2.0)]]
    observed = ExpectationProgram(circuit, x, observables=[SparsePauliOp.from_list(o) for o in observables])
    found = ZeroNoiseExtrapolation(DensityMatrixEngine(noise)).expectations(observed, X).values
    np.testing.assert_allclose(found, EXACT.expectations(observed, X).values, rtol=0, atol=1e-12)


def test_folding_is_scaling_where_noise_commutes_with_gates() -> None:
    """Depolarising of one qubit commutes with every gate on it: three gates have three times its noise."""
    circuit, x = product()
    program = OverlapProgram(circuit, x)
    noise = NoiseTable(defaults={g: depolarizing(0.03, 1) for g in ("h", "rz", "ry")}, ideal=(), form="transfer")
    answers = [
        ZeroNoiseExtrapolation(DensityMatrixEngine(noise), (1, 3, 5), "richardson", method=method).overlaps(
            program, X, Y, need={"weights", "diagonal"}, orientation="both"
        )
        for method in ("scale", "fold")
    ]
    np.testing.assert_allclose(answers[1].values, answers[0].values, rtol=0, atol=1e-12)
    assert answers[0].weights is not None
    assert answers[1].weights is not None
    np.testing.assert_allclose(answers[1].weights, answers[0].weights, rtol=0, atol=1e-12)
    for a, b in zip(answers[0].diagonals or (), answers[1].diagonals or (), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-12)


def test_readout_errors_are_extrapolated_on_request() -> None:
    """P(read 0) goes to the stationary state of the readout matrix; its distance from it decays by one factor."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    program = OverlapProgram(circuit, x)
    flip = np.array([[0.98, 0.06], [0.02, 0.94]])
    raw = DensityMatrixEngine(NoiseTable({}, default_readout=flip, ideal=["ry"]))
    stationary = 0.06 / (0.02 + 0.06)
    exact = EXACT.overlaps(program, X[:, :1]).values
    solver = ZeroNoiseExtrapolation(raw, readout=True, asymptote=stationary)
    np.testing.assert_allclose(solver.overlaps(program, X[:, :1]).values, exact, rtol=0, atol=1e-12)
    kept = ZeroNoiseExtrapolation(raw).overlaps(program, X[:, :1]).values
    np.testing.assert_array_equal(kept, raw.overlaps(program, X[:, :1]).values)
    assert np.abs(kept - exact).max() > 0.01


# Uniform noise on all gates -----------------------------------------------------------------------------------------


def test_uniform_depolarizing_leaves_a_higher_order() -> None:
    r"""Depolarising with rate γ after each of G gates of the overlap circuit.

    Its strength λ enters as exp(λ γ (M − 1)), M the mixing. A derivative by λ puts γ(M − 1) after one of the gates, at
    most the difference of two probabilities the first time, and twice as much every further time: the n-th is at most
    2^(n−1) (G γ)^n. Richardson's error with the factors 1, 2, 3 is the third difference of the values at 0 to 3, which
    is a third derivative: 4 (G γ)³. The line's is Σ |h_k| k²/2 of the second one's 2 (G γ)²: (4/3 + 4/3 + 6) (G γ)².
    """
    circuit, x, gates = uniform()
    program, gamma = OverlapProgram(circuit, x), 0.003
    one, two = depolarizing(gamma, 1), depolarizing(gamma, 2)
    noise = NoiseTable(defaults={"ry": one, "rx": one, "rz": one, "cx": two}, ideal=(), form="transfer")
    raw = DensityMatrixEngine(noise)
    exact = EXACT.overlaps(program, X).values
    strength = 2 * gates * gamma  # .06
    before = np.abs(raw.overlaps(program, X).values - exact).max()
    errors = {
        fit: np.abs(ZeroNoiseExtrapolation(raw, fit=fit).overlaps(program, X).values - exact).max()  # type: ignore[arg-type]
        for fit in ("linear", "richardson", "exponential")
    }
    assert strength / 2 < before < strength
    assert errors["linear"] < (4 / 3 + 4 / 3 + 6) * strength**2
    assert errors["richardson"] < 4 * strength**3 < before / 30
    # The exponential has no bound of a higher order for sums of rates; here they are close to each other.
    assert errors["exponential"] < before / 4


# The contract -------------------------------------------------------------------------------------------------------

NOT_FREQUENCIES = {"stderr", "frequencies", "shots-of-pairs", "orientations", "scaled"}
"""Checks that take shots of single pairs, or sampled values for frequencies of one circuit."""


@pytest.mark.parametrize(
    ("shots", "options", "skip"),
    [
        (None, {}, {"range"}),
        (None, {"fit": "linear"}, {"range", "weights"}),  # of a signed distribution
        (None, {"fit": "richardson", "factors": (1, 3), "method": "fold", "clip": True}, set()),
        (200, {"clip": True}, NOT_FREQUENCIES | {"expectations"}),  # which leave [-1, 1]
    ],
    ids=["exponential", "linear", "folded", "sampled"],
)
def test_the_contract_is_kept_but_for_what_is_documented(
    shots: int | None, options: dict[str, Any], skip: set[str]
) -> None:
    x, theta = ParameterVector("x", 2), ParameterVector("t", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.rx(theta[0] * x[1], 1)
    circuit.cx(0, 1)
    circuit.ry(x[0] * x[1], 1)
    lossy = {"ry": depolarizing(0.01, 1), "rx": depolarizing(0.01, 1), "cx": depolarizing(0.02, 2)}
    noise = NoiseTable(defaults=lossy, default_readout=[[0.98, 0.04], [0.02, 0.96]], ideal=(), form="transfer")
    wrapped = DensityMatrixEngine(noise, shots, None if shots is None else 3)
    programs = {"two qubits": OverlapProgram(circuit, x, theta)}
    check_engine(ZeroNoiseExtrapolation(wrapped, **options), programs=programs, skip=skip)
