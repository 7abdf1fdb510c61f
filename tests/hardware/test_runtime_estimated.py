"""Standard errors and shots of the Estimator route, against repeated measurements and a simulation of the client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from scipy.stats import chi2

from qkernels import ExpectationProgram, ZZFeatureMap
from qkernels.engines import clear_cache
from qkernels_hardware import RuntimeEngine
from qkernels_hardware.runtime._estimated import Estimated
from qkernels_hardware.work import mitigation_of
from tests.hardware.runtime_cases import blocks_of, exact, program_of, rows

Values = NDArray[np.float64]

TRIALS = 600
"""Of a simulation: the standard deviation of so many values has an error of 3 %."""


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def ideal(folder: Path, **options: object) -> RuntimeEngine:
    return RuntimeEngine("aer_simulator", **({"seed": 3, "ledger": folder / "ledger.sqlite"} | options))  # type: ignore[arg-type]


def constant(observables: list[SparsePauliOp]) -> ExpectationProgram:
    """A state of three qubits that depends on nothing; its row is a name."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, 0)
    circuit.ry(1.1, 1)
    circuit.cx(1, 2)
    return ExpectationProgram(circuit, ParameterVector("x", 1), observables=observables)


# A simulation of the client -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Client:
    """What the client does with shots: random flips before measurements, and readout errors learned beside them."""

    wrong_one: float
    wrong_zero: float
    circuits: int
    each: int

    def read(self, states: Values, generator: np.random.Generator) -> NDArray[np.bool_]:
        """Bits as read, flipped back: shape (circuits, each, n)."""
        flips = generator.random((self.circuits, 1, states.shape[-1])) < 0.5
        true = states.astype(bool) ^ flips
        wrong = np.where(true, self.wrong_zero, self.wrong_one)
        return true ^ (generator.random(true.shape) < wrong) ^ flips

    def estimates(self, probabilities: Values, terms: list[tuple[str, float]], seed: int) -> tuple[Values, Values]:
        """Values of a sum of Z strings and the client's standard errors, of many jobs of one row."""
        generator = np.random.default_rng(seed)
        n = len(terms[0][0])
        every = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        acts = np.array([[letter == "Z" for letter in reversed(label)] for label, _ in terms])
        c = np.array([coefficient for _, coefficient in terms])
        found = []
        for _ in range(TRIALS):
            drawn = generator.choice(2**n, size=(self.circuits, self.each), p=probabilities)
            bits = self.read(every[drawn], generator)
            rates = self.read(np.zeros((self.circuits, self.each, n)), generator).mean(axis=(0, 1))
            parities = 1.0 - 2.0 * ((bits @ acts.T.astype(float)) % 2.0)
            factors = np.exp(2.0 * acts @ rates)
            variance = ((c * factors) ** 2 * parities.mean(axis=1).var(axis=0)).sum() / self.circuits
            found.append((float(c * factors @ parities.mean(axis=(0, 1))), np.sqrt(variance)))
        values, stderr = np.array(found).T
        return values, stderr

    def said(self, n: int) -> Estimated:
        """Standard errors as the engine has them."""
        readout = np.array([[1.0 - self.wrong_one, self.wrong_zero], [self.wrong_one, 1.0 - self.wrong_zero]])
        return Estimated(mitigation_of({"resilience_level": 1}, estimator=True), np.array([readout] * n))


DEVICE = Client(wrong_one=0.006, wrong_zero=0.014, circuits=16, each=64)
LOPSIDED = Client(wrong_one=0.01, wrong_zero=0.07, circuits=16, each=64)


def projector(n: int) -> list[tuple[str, float]]:
    return [("".join("IZ"[(k >> q) & 1] for q in range(n)), 2.0**-n) for k in range(2**n)]


@pytest.mark.parametrize("client", [DEVICE, LOPSIDED])
@pytest.mark.parametrize("others", ["spread", "one neighbour"])
@pytest.mark.parametrize("p", [1.0, 0.95, 0.5, 0.05])
def test_mitigated_overlaps_scatter_by_their_standard_error(p: float, others: str, client: Client) -> None:
    """Within 10 % above 0.9; below, where the other outcomes are not known, at most what the worst of them does."""
    n = 4
    rest = np.full(2**n, 1.0 / (2**n - 1)) if others == "spread" else (np.arange(2**n) == 1).astype(float)
    rest[0] = 0.0
    probabilities = (1.0 - p) * rest
    probabilities[0] = p
    values, stderr = client.estimates(probabilities, projector(n), seed=1)
    said = np.sqrt((client.said(n).zero_stderr(values, stderr, 1024) ** 2).mean())
    ratio = said / values.std()
    assert 0.9 < ratio < (1.1 if p > 0.9 else 3.0), ratio


@pytest.mark.parametrize("client", [DEVICE, LOPSIDED])
@pytest.mark.parametrize("p", [1.0, 0.7, 0.5])
def test_mitigated_strings_scatter_by_their_standard_error(p: float, client: Client) -> None:
    """Of one string on two qubits, ⟨ZZ⟩ = 2p − 1, and 0.5 of the identity beside it."""
    terms = [("IZZ", -2.0), ("III", 0.5)]
    program = constant([SparsePauliOp.from_list(terms)])
    values, stderr = client.estimates(np.array([p, 1.0 - p] + [0.0] * 6), terms[:1], seed=2)
    said = client.said(3).stderr(program, values[:, None] + 0.5, stderr[:, None], 1024)
    assert 0.9 < np.sqrt((said**2).mean()) / values.std() < 1.1


@pytest.mark.parametrize("client", [DEVICE, LOPSIDED])
@pytest.mark.parametrize("probabilities", [[1.0] + [0.0] * 7, [0.5] + [0.0] * 6 + [0.5], [0.125] * 8])
def test_sums_of_strings_scatter_by_no_more_than_their_standard_error(
    probabilities: list[float], client: Client
) -> None:
    terms = [("IIZ", 1.0), ("IZI", 1.0), ("ZII", 1.0)]
    values, stderr = client.estimates(np.array(probabilities), terms, seed=3)
    said = client.said(3).stderr(constant([SparsePauliOp.from_list(terms)]), values[:, None], stderr[:, None], 1024)
    assert np.sqrt((said**2).mean()) > 0.9 * values.std()


# Through the client ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("distance", [0.04, 0.6])
def test_overlaps_of_the_estimator_scatter_by_their_standard_error(distance: float, tmp_path: Path) -> None:
    """They are frequencies of 256 shots: with the binomial error, which the standard error has to be, too."""
    program, count = program_of(ZZFeatureMap(), 4), 80
    A = np.full((1, 4), 0.3)
    B = 0.3 + distance + 1e-6 * np.arange(count)[:, None] * np.ones(4)
    found = ideal(tmp_path, shots=256, options={"resilience_level": 0}).overlaps(program, A, B)
    assert found.stderr is not None
    p = exact(program, A, B)
    binomial = np.sqrt(p * (1.0 - p) / 256)
    low, high = chi2.ppf([1e-6, 1 - 1e-6], count)
    assert low < (((found.values - p) / binomial) ** 2).sum() < high
    assert 0.9 < np.sqrt((found.stderr**2).mean() / (binomial**2).mean()) < 1.1


def test_shots_that_all_agree_prove_no_certainty(tmp_path: Path) -> None:
    """Wilson's half-width for 100 of 100."""
    program, X = program_of(ZZFeatureMap(), 2), rows(1, 2)
    found = ideal(tmp_path, shots=100, options={"resilience_level": 0}).overlaps(program, X, diagonal=True)
    assert found.stderr is not None
    np.testing.assert_allclose(found.stderr, [[0.005 / 1.01]], rtol=1e-9)


def test_extrapolated_overlaps_have_the_error_of_a_straight_line(tmp_path: Path) -> None:
    """Strengths 1, 3, 5 have the weights 13/12, 1/3, −5/12 at 0; what the client says may be more."""
    said = Estimated(mitigation_of({"resilience_level": 2}, estimator=True), np.array([np.eye(2)] * 2))
    weights = np.array([13 / 12, 1 / 3, -5 / 12])
    expected = np.sqrt((0.25 / 1024 + 0.25 / 1024**2) * (weights**2).sum()) / (1 + 1 / 1024)
    values, stderr = np.full(3, 0.5), np.array([0.001, 0.3, np.inf])
    np.testing.assert_allclose(said.zero_stderr(values, stderr, 1024), [expected, 0.3, expected], rtol=1e-12)


# Shots ----------------------------------------------------------------------------------------------------------


def test_twirled_estimates_say_the_shots_that_were_run(tmp_path: Path) -> None:
    """200 shots are 4 random circuits of 64."""
    engine = ideal(tmp_path, shots=200, options={"resilience_level": 1})
    X = rows(2, 2)
    overlaps = engine.overlaps(program_of(ZZFeatureMap(), 2), X)
    assert overlaps.num_shots is not None
    assert (overlaps.num_shots == 256).all()
    assert engine.overlaps(program_of(ZZFeatureMap(), 2), X, pairs=[[0, 1]], shots=[70]).num_shots == [128]
    assert engine.expectations(constant([SparsePauliOp("IZZ")]), X[:, :1]).num_shots == 256


def test_twirled_expectations_say_the_shots_that_were_run(tmp_path: Path) -> None:
    engine = ideal(tmp_path, shots=200, options={"twirling": {"enable_measure": True}})
    found = engine.expectations(constant([SparsePauliOp(["IZZ", "XYX"])]), rows(2, 1))
    assert {block.num_shots for block in blocks_of(tmp_path / "ledger.sqlite")} == {found.num_shots} == {256}


def test_shots_are_those_asked_for_without_twirling(tmp_path: Path) -> None:
    engine = ideal(tmp_path, shots=200, options={"resilience_level": 0})
    overlaps = engine.overlaps(program_of(ZZFeatureMap(), 2), rows(2, 2))
    assert overlaps.num_shots is not None
    assert (overlaps.num_shots == 200).all()
    assert engine.expectations(constant([SparsePauliOp("IZZ")]), rows(2, 1)).num_shots == 200
