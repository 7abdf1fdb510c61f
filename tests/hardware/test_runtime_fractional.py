"""Fractional gates through RuntimeEngine: folded angles, one circuit for all data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit.circuit import Parameter
from qiskit.circuit.library import RXGate, RZZGate
from qiskit.transpiler import InstructionProperties
from qiskit_ibm_runtime.fake_provider import FakeFez, FakeFractionalBackend

from qkernels import CPMap, OverlapProgram, ZZFeatureMap
from qkernels._errors import InvalidParameterError
from qkernels.engines import clear_cache
from qkernels.testing import assert_kernels_close
from qkernels_hardware import Ledger, RuntimeEngine
from tests.hardware.runtime_cases import exact, program_of, rows


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    clear_cache()


def engine(folder: Path, backend: object = None, **options: object) -> RuntimeEngine:
    settings = {"shots": 500, "seed": 5, "ledger": folder / "ledger.sqlite", "fractional": True}
    chosen = FakeFractionalBackend() if backend is None else backend
    return RuntimeEngine(chosen, **(settings | options))  # type: ignore[arg-type]


def zz(d: int = 3) -> OverlapProgram:
    return program_of(ZZFeatureMap(), d)


WILD = np.array([[-2.0, 0.4, 3.0], [1.0, 2.5, -0.7], [0.1, -4.0, 1.3]])
"""Rows whose RZZ angles are negative, and far above π/2."""


def angles_of(one: RuntimeEngine, program: OverlapProgram, X: np.ndarray) -> list[float]:
    """RZZ angles that reach the device."""
    one.overlaps(program, X)
    found = []
    with Ledger.open(one.ledger_path, read_only=True) as ledger:
        circuit = ledger.circuits(1)["overlap"].circuit
        for row in ledger.values(1):
            bound = circuit.assign_parameters(list(row))
            found += [float(i.operation.params[0]) for i in bound.data if i.operation.name == "rzz"]
    return found


@pytest.mark.parametrize("program", [zz(), program_of(CPMap(), 4)], ids=["zz", "cp"])
def test_every_angle_is_one_of_the_device(program: OverlapProgram, tmp_path: Path) -> None:
    X = np.hstack([WILD, WILD[:, :1]])[:, : program.num_features]
    found = angles_of(engine(tmp_path), program, X)
    assert len(found) > 0
    assert 0.0 <= min(found) <= max(found) <= np.pi / 2 + 1e-12


def test_fewer_two_qubit_gates(tmp_path: Path) -> None:
    counts = [engine(tmp_path, fractional=f).circuit(zz()).two_qubit_gates for f in (True, False)]
    assert counts[0] < counts[1]


def test_values_are_those_of_the_program(tmp_path: Path) -> None:
    """Against exact values; the model of fractional gates has little noise on them: a bound, and the order."""
    program = zz()
    found = engine(tmp_path, shots=4000).overlaps(program, WILD).values
    expected = exact(program, WILD)
    assert np.abs(found - expected).max() < 0.15
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def test_barrier_keeps_halves_apart(tmp_path: Path) -> None:
    merged, apart = (engine(tmp_path, barrier=b).circuit(zz()).two_qubit_gates for b in (False, True))
    assert merged < apart


def fez_with_rzz() -> FakeFez:
    """A model of 156 qubits that has fractional gates."""
    backend = FakeFez()
    target = backend.target
    places = {q: InstructionProperties(duration=8e-8, error=0.003) for q in target["cz"]}
    target.add_instruction(RZZGate(Parameter("t")), places)
    single = {(q,): InstructionProperties(duration=3e-8, error=3e-4) for q in range(156)}
    target.add_instruction(RXGate(Parameter("t")), single)
    return backend


@pytest.mark.slow
def test_tiles_of_fractional_circuits(tmp_path: Path) -> None:
    program, X = zz(), rows(3, 3)
    one = engine(tmp_path, fez_with_rzz(), tiles=3)
    found = one.overlaps(program, X)
    assert found.info["tiles"] == 3
    assert np.abs(found.values - exact(program, X)).max() < 0.2


def test_fractional_series_is_another_one(tmp_path: Path) -> None:
    X = rows(2, 3)
    engine(tmp_path).overlaps(zz(), X)
    assert engine(tmp_path, fractional=False).plan(zz(), X).held_entries == 0


def test_rzz_of_a_simulator_takes_any_angle(tmp_path: Path) -> None:
    found = engine(tmp_path, "aer_simulator", fractional=False, shots=1000).overlaps(zz(), WILD)
    assert_kernels_close(found, exact(zz(), WILD))


def test_folded_circuit_on_a_simulator(tmp_path: Path) -> None:
    found = engine(tmp_path, "aer_simulator", shots=1000).overlaps(zz(), WILD)
    assert_kernels_close(found, exact(zz(), WILD))


def test_clash_with_gate_twirling(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="twirling"):
        engine(tmp_path, options={"twirling": {"enable_gates": True}})
