"""RuntimeEngine: expectation values by Sampler and by Estimator, projected kernels, mitigated overlaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from scipy.stats import chi2

from qkernels import AutoEngine, ExpectationProgram, FidelityKernel, ProjectedKernel, ZZFeatureMap
from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import clear_cache
from qkernels_hardware import RuntimeEngine
from tests.hardware.runtime_cases import blocks_of, entries_of, exact, program_of, rows

OBSERVABLES = [
    SparsePauliOp(["IIX", "IIY"], [1.0, -0.5]),
    SparsePauliOp(["XYI", "ZZZ", "III"], [0.7, 0.4, 0.25]),
    SparsePauliOp(["YXZ"], [1.0]),
    SparsePauliOp(["III"], [2.0]),
]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def lopsided(observables: list[SparsePauliOp]) -> ExpectationProgram:
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[q % 2] + 0.4 * q, q)
    circuit.cx(0, 1)
    circuit.rz(x[0] * x[1], 1)
    circuit.cx(1, 2)
    circuit.sx(2)
    return ExpectationProgram(circuit, x, observables=observables)


def ideal(folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 800, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine("aer_simulator", **(settings | options))  # type: ignore[arg-type]


def manila(folder: Path, **options: object) -> RuntimeEngine:
    settings = {"shots": 1000, "seed": 5, "ledger": folder / "ledger.sqlite"}
    return RuntimeEngine("fake_manila", **(settings | options))  # type: ignore[arg-type]


def test_observables_of_several_bases(tmp_path: Path) -> None:
    program, X = lopsided(OBSERVABLES), rows(5, 2)
    found = ideal(tmp_path).expectations(program, X)
    expected = AutoEngine().expectations(program, X).values
    assert (np.abs(found.values - expected) < 5.0 * found.stderr + 1e-12).all()
    assert (found.values[:, 3] == 2.0).all()
    assert (found.stderr[:, 3] == 0.0).all()


def test_identity_alone_is_measured_nowhere(tmp_path: Path) -> None:
    program = lopsided([SparsePauliOp(["III"], [2.0])])
    engine = ideal(tmp_path)
    assert engine.plan(program, rows(3, 2)).jobs == 0
    assert (engine.expectations(program, rows(3, 2)).values == 2.0).all()
    assert not engine.ledger_path.exists()


@pytest.mark.slow
def test_standard_errors_are_honest(tmp_path: Path) -> None:
    """The spread of independent measurements over their standard errors is that of a chi-square."""
    program, X = lopsided(OBSERVABLES[:3]), rows(80, 2)
    found = ideal(tmp_path, shots=200).expectations(program, X)
    pulls = (found.values - AutoEngine().expectations(program, X).values) / found.stderr
    low, high = chi2.ppf([1e-6, 1 - 1e-6], len(X))
    squares = (pulls**2).sum(axis=0)
    assert ((low < squares) & (squares < high)).all()


def test_duplicate_rows_are_measured_once(tmp_path: Path) -> None:
    program, X = lopsided(OBSERVABLES), rows(3, 2)
    found = ideal(tmp_path).expectations(program, np.vstack([X, X[:1]])).values
    assert (found[3] == found[0]).all()
    blocks = blocks_of(tmp_path / "ledger.sqlite")
    assert {b.entries for b in blocks} == {3}


def test_projected_kernel_takes_three_circuits_for_a_row(tmp_path: Path) -> None:
    X = rows(6, 3)
    engine = ideal(tmp_path, shots=4000)
    kernel = ProjectedKernel(ZZFeatureMap(), gamma=0.5, engine=engine, bandwidth=0.5)
    K = kernel(X)
    assert np.abs(K - ProjectedKernel(ZZFeatureMap(), gamma=0.5, bandwidth=0.5)(X)).max() < 0.1
    assert entries_of(tmp_path / "ledger.sqlite") == 3 * 6
    kernel(rows(7, 3))  # one row more
    assert entries_of(tmp_path / "ledger.sqlite") == 3 * 7


def test_plan_counts_a_block_for_every_basis(tmp_path: Path) -> None:
    plan = ProjectedKernel(ZZFeatureMap(), engine=ideal(tmp_path), bandwidth=0.5).plan(6, n_features=3)
    assert (plan.jobs, plan.executions) == (3, 3 * 6 * 800)
    assert (plan.circuits, plan.shots) == (3 * 6, 3 * 6 * 800)  # three observables of one qubit in each


def test_info_of_expectations_names_their_jobs(tmp_path: Path) -> None:
    info = manila(tmp_path).expectations(lopsided(OBSERVABLES), rows(2, 2)).info
    assert info["jobs"] == len(blocks_of(tmp_path / "ledger.sqlite"))
    assert info["calibrations"] == 1


# By the Estimator -----------------------------------------------------------------------------------------------


def test_estimator_overlaps_without_noise(tmp_path: Path) -> None:
    program, X = program_of(ZZFeatureMap(), 3), rows(3, 3)
    found = ideal(tmp_path, options={"resilience_level": 0}).overlaps(program, X)
    assert (np.abs(found.values - exact(program, X)) < 5.0 * found.stderr + 1e-6).all()
    assert (found.stderr > 0.0).all()


@pytest.mark.slow
def test_mitigated_diagonals_are_nearer_to_1(tmp_path: Path) -> None:
    program, x = program_of(ZZFeatureMap(), 3), rows(1, 3)
    plain = manila(tmp_path, shots=4000).overlaps(program, x).values[0, 0]
    trex, zne = (
        manila(tmp_path, shots=4000, options={"resilience_level": level}).overlaps(program, x) for level in (1, 2)
    )
    assert plain + 5.0 * trex.stderr[0, 0] < trex.values[0, 0] < 1.0
    assert abs(1.0 - zne.values[0, 0]) < 1.0 - trex.values[0, 0]
    assert zne.stderr[0, 0] > 0.0


def test_estimator_expectations(tmp_path: Path) -> None:
    program, X = lopsided(OBSERVABLES[:3]), rows(2, 2)
    found = ideal(tmp_path, shots=4000, options={"resilience_level": 0}).expectations(program, X)
    expected = AutoEngine().expectations(program, X).values
    assert (np.abs(found.values - expected) < 6.0 * found.stderr + 1e-6).all()
    (block,) = blocks_of(tmp_path / "ledger.sqlite")
    assert block.executions == 4 * 2 * 4000  # four bases


def test_estimator_work_counts_noise_factors(tmp_path: Path) -> None:
    program = program_of(ZZFeatureMap(), 3)
    counts = [manila(tmp_path, options={"resilience_level": k}).plan(program, 5).executions for k in (1, 2)]
    factors = {"resilience": {"zne_mitigation": True, "zne": {"noise_factors": [1, 2, 3, 5]}}}
    counts.append(manila(tmp_path, options=factors).plan(program, 5).executions)
    assert counts == [15 * 1024, 3 * 15 * 1024, 4 * 15 * 1024]  # measurements are twirled: 16 × 64 shots


def test_estimator_has_no_bits(tmp_path: Path) -> None:
    engine = manila(tmp_path, options={"resilience_level": 1})
    with pytest.raises(InvalidParameterError, match="bits"):
        engine.overlaps(program_of(ZZFeatureMap(), 2), rows(2, 2), need={"bits"})


def test_estimator_is_for_ten_qubits(tmp_path: Path) -> None:
    engine = ideal(tmp_path, options={"resilience_level": 1})
    with pytest.raises(UnsupportedCircuitError, match="at most 10 qubits; the circuit has 11"):
        engine.overlaps(program_of(ZZFeatureMap(), 11), rows(2, 11))


def test_tiles_and_estimator_are_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"tiles of RuntimeEngine must be 1 with options.*got 2"):
        RuntimeEngine("fake_fez", tiles=2, options={"resilience_level": 1})


def test_fidelity_kernel_through_the_estimator(tmp_path: Path) -> None:
    engine = manila(tmp_path, shots=2000, options={"resilience_level": 1})
    kernel = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)
    assert kernel.fit_transform(rows(2, 2)).shape == (2, 2)
