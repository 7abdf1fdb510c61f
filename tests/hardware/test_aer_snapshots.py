"""AerEngine keeps the noise that it was made of: later changes of a model or a backend reach no engine and no key."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, ParameterVector
from qiskit.circuit.library import CXGate, RYGate
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    ReadoutError,
    RelaxationNoisePass,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
)

from qkernels import OverlapProgram
from qkernels.engines import clear_cache
from qkernels_hardware import AerEngine, NoiseProfile

Values = NDArray[np.float64]

pytestmark = pytest.mark.filterwarnings("ignore::qkernels._errors.MissingNoiseWarning")

STRATEGIES = pytest.mark.parametrize("strategy", ["factored", "circuits"])


def program() -> OverlapProgram:
    """One rotation and one CX: both halves have one two-qubit gate."""
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.cx(0, 1)
    return OverlapProgram(circuit, x)


def self_value(engine: AerEngine) -> float:
    return float(engine.overlaps(program(), [[0.7]]).values[0, 0])


def depolarized(p: float) -> float:
    """K(x, x) after two channels (1 − p) ρ + p/4, which commute with everything."""
    kept = (1.0 - p) ** 2
    return kept + (1.0 - kept) / 4.0


def model(p: float | None = None) -> NoiseModel:
    made = NoiseModel()
    if p is not None:
        made.add_all_qubit_quantum_error(depolarizing_error(p, 2), ["cx"])
    return made


# Changes after an engine was made -------------------------------------------------------------------------------


@STRATEGIES
def test_errors_added_later_reach_no_engine(strategy: str) -> None:
    changed = model()
    early = AerEngine(changed, strategy=strategy)
    changed.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), ["cx"])
    late = AerEngine(changed, strategy=strategy)
    assert self_value(early) == pytest.approx(1.0, abs=1e-12)
    assert self_value(late) == pytest.approx(depolarized(0.05), abs=1e-12)
    assert self_value(AerEngine(model(), strategy=strategy)) == pytest.approx(1.0, abs=1e-12)  # not the one of `late`


@STRATEGIES
def test_a_sweep_over_one_model_gives_every_value_its_own(strategy: str) -> None:
    changed, engines = model(), []
    for p in (0.01, 0.05, 0.2):
        changed._default_quantum_errors.clear()
        changed.add_all_qubit_quantum_error(depolarizing_error(p, 2), ["cx"])
        engines.append((p, AerEngine(changed, strategy=strategy)))
    for p, engine in engines:
        assert self_value(engine) == pytest.approx(depolarized(p), abs=1e-12)


def test_local_errors_added_later_reach_no_engine() -> None:
    changed = NoiseModel()
    changed.add_quantum_error(depolarizing_error(0.1, 2), ["cx"], [1, 0])
    early = AerEngine(changed, layout=[0, 1])
    changed.add_quantum_error(depolarizing_error(0.3, 2), ["cx"], [0, 1])
    assert self_value(early) == pytest.approx(1.0, abs=1e-12)


def weaker(backend: BackendV2) -> None:
    for name in ("cx", "sx", "measure"):
        for place, known in list(backend.target[name].items()):
            changed = InstructionProperties(duration=known.duration, error=0.2)
            backend.target.update_instruction_properties(name, place, changed)


@STRATEGIES
def test_calibration_that_changes_later_reaches_no_engine(strategy: str) -> None:
    changed = GenericBackendV2(3, seed=3)
    early = AerEngine(changed, strategy=strategy)
    weaker(changed)
    late = AerEngine(changed, strategy=strategy)
    values = [self_value(early), self_value(late)]
    clear_cache()
    assert values[0] == pytest.approx(self_value(AerEngine(GenericBackendV2(3, seed=3), strategy=strategy)), abs=1e-12)
    assert values[1] < values[0] - 0.1
    assert early.noise_key != late.noise_key


def test_a_simulator_that_changes_later_reaches_no_engine() -> None:
    simulator = AerSimulator(noise_model=model(0.05), coupling_map=[[0, 1], [1, 0]])
    early = AerEngine(simulator)
    simulator.set_options(noise_model=model(0.2), coupling_map=[[0, 1]])
    assert self_value(early) == pytest.approx(depolarized(0.05), abs=1e-12)


# Pickles --------------------------------------------------------------------------------------------------------


class Vendor(GenericBackendV2):
    """As a backend of a service: it holds a connection with a token and a lock."""

    def __init__(self, service: object) -> None:
        super().__init__(3, seed=1)
        self.service = service


@STRATEGIES
@pytest.mark.parametrize("service", [{"token": "SECRET"}, threading.Lock()], ids=["token", "lock"])
def test_pickles_hold_no_vendor_object(strategy: str, service: object) -> None:
    engine = AerEngine(Vendor(service), strategy=strategy)
    content = pickle.dumps(engine)
    assert b"SECRET" not in content
    copy = pickle.loads(content)
    assert not isinstance(copy.device, Vendor)
    assert (repr(copy), copy.noise_key) == (repr(engine), engine.noise_key)
    assert copy.circuit(program()) == engine.circuit(program())
    value = self_value(engine)
    clear_cache()
    assert self_value(copy) == pytest.approx(value, abs=1e-12)
    assert AerEngine(copy.device).circuit(program()) == engine.circuit(program())


def test_pickles_hold_no_executor_of_a_simulator() -> None:
    simulator = AerSimulator(noise_model=model(0.05))
    simulator.set_options(executor=ThreadPoolExecutor(1))
    copy = pickle.loads(pickle.dumps(AerEngine(simulator)))
    assert self_value(copy) == pytest.approx(depolarized(0.05), abs=1e-12)


def test_the_device_of_an_engine_is_what_was_given() -> None:
    for device in ("fake_manila", GenericBackendV2(3, seed=1), model(), NoiseProfile.named("fake_torino")):
        assert AerEngine(device).device is device


def test_stages_of_a_vendor_are_part_of_the_circuits() -> None:
    class Staged(GenericBackendV2):
        def get_translation_stage_plugin(self) -> str:
            return "no such stage"

    engine = pickle.loads(pickle.dumps(AerEngine(Staged(3, seed=1))))
    with pytest.raises(Exception, match="no such stage"):
        engine.circuit(program())
    assert engine.noise_key != AerEngine(GenericBackendV2(3, seed=1)).noise_key


# Keys of noise that no table holds ------------------------------------------------------------------------------


def unusual(**changes: Any) -> NoiseModel:
    """Errors that a table cannot hold beside others that it could, built anew."""
    given: dict[str, Any] = {
        "turn": 0.1,
        "flip": 0.02,
        "qubits": [0, 1],
        "read": 0.9,
        "t1": 5e-5,
        "duration": 1e-7,
        "reverse": False,
    }
    given |= changes
    made = NoiseModel(basis_gates=["rz", "sx", "cx"])
    steps: list[Callable[[], None]] = [
        lambda: made.add_all_qubit_quantum_error(
            coherent_unitary_error(RYGate(given["turn"]).to_matrix()), ["measure"]
        ),
        lambda: made.add_quantum_error(pauli_error([("X", given["flip"]), ("I", 1 - given["flip"])]), ["sx"], [0]),
        lambda: made.add_quantum_error(coherent_unitary_error(CXGate().to_matrix()), ["cx"], given["qubits"]),
        lambda: made.add_readout_error(
            ReadoutError(np.kron([[given["read"], 1 - given["read"]], [0.2, 0.8]], np.eye(2))), [0, 1]
        ),
    ]
    for step in reversed(steps) if given["reverse"] else steps:
        step()
    target = GenericBackendV2(2, seed=1).target
    sx = InstructionProperties(given["duration"], 0.0)
    target.update_instruction_properties("sx", (0,), sx)
    times = [given["t1"], 6e-5], [4e-5, 4e-5]
    made._custom_noise_passes.append(RelaxationNoisePass(*times, 1e-9, Delay, target=target))
    return made


def test_models_that_were_built_alike_have_one_key() -> None:
    assert AerEngine(unusual()).noise_key == AerEngine(unusual(reverse=True)).noise_key


@pytest.mark.parametrize(
    "changes",
    [{"turn": 0.2}, {"flip": 0.03}, {"qubits": [1, 0]}, {"read": 0.95}, {"t1": 4e-5}, {"duration": 2e-7}],
    ids=str,
)
def test_models_that_differ_have_different_keys(changes: dict[str, Any]) -> None:
    assert AerEngine(unusual()).noise_key != AerEngine(unusual(**changes)).noise_key


def test_the_key_of_an_unusual_model_is_that_of_its_pickled_engine() -> None:
    engine = AerEngine(unusual())
    copy = pickle.loads(pickle.dumps(engine))
    assert copy.noise_key == engine.noise_key == AerEngine(copy.device).noise_key
