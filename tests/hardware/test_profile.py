"""NoiseProfile: what it takes from a backend, and the noise and the device that it gives."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import CZGate, Measure, RZZGate, SXGate
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import PTM, SuperOp
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels.circuits import overlap_circuit, transpile_for
from qkernels.feature_maps import CPMap
from qkernels_hardware import NoiseProfile, device_model
from qkernels_hardware.devices import _profile_table

MANILA = NoiseProfile.from_backend(device_model("fake_manila"))
FEZ = NoiseProfile.named("fake_fez")
ROW = (1e-4, 1e-4, 0.01, 0.02)


def small(**changes: Any) -> NoiseProfile:
    fields: dict[str, Any] = {
        "name": "small",
        "source": "a test",
        "calibrated": "2026-01-02T03:04:05+00:00",
        "num_qubits": 2,
        "qubits": [ROW, ROW],
        "instructions": {"sx": [([0], 1e-3, 1e-8), ([1], 2e-3, 1e-8)], "cz": [([0, 1], 0.01, 1e-7)]},
    }
    return NoiseProfile(**(fields | changes))


class PlainBackend(BackendV2):
    """A backend that is nothing but a target, with properties as of an IBM backend where given."""

    def __init__(self, target: Target, properties: object = None) -> None:
        super().__init__(name="plain")
        self._target, self._properties = target, properties

    target = property(lambda self: self._target)
    max_circuits = property(lambda self: None)

    def properties(self) -> object:
        return self._properties

    @classmethod
    def _default_options(cls) -> None:
        return None

    def run(self, run_input: object, **options: object) -> None:
        raise NotImplementedError


class PropertiesOfIBM:
    """What `NoiseProfile` uses of the properties of an IBM backend; qubit 1 was not measured."""

    last_update_date = datetime.fromisoformat("2026-01-02T03:04:05+01:00")

    def qubit_property(self, qubit: int, name: str) -> tuple[float, datetime]:
        if qubit == 1:
            raise QiskitError(f"Couldn't find the property '{name}' for qubit 1.")
        return {"prob_meas1_prep0": 0.01, "prob_meas0_prep1": 0.04}[name], self.last_update_date


class MeasureProperties(InstructionProperties):
    """Properties of a measurement with both errors, where Aer looks for them."""

    prob_meas1_prep0 = 0.01
    prob_meas0_prep1 = 0.04


def two_qubits(measure: type[InstructionProperties] = InstructionProperties, **qubits: Any) -> Target:
    target = Target(num_qubits=2, **qubits)
    target.add_instruction(SXGate(), {(q,): InstructionProperties(1e-8, 1e-3) for q in (0, 1)})
    target.add_instruction(Measure(), {(q,): measure(1e-6, 0.025) for q in (0, 1)})
    return target


# --- from a backend


def test_takes_what_the_target_has() -> None:
    device = device_model("fake_manila")
    target = device.target
    assert (MANILA.name, MANILA.num_qubits, MANILA.dt) == ("fake_manila", 5, target.dt)
    assert MANILA.calibrated == device.properties().last_update_date.isoformat()
    assert [(q.t1, q.t2) for q in MANILA.qubits] == [(q.t1, q.t2) for q in target.qubit_properties]
    for name, rows in MANILA.instructions.items():
        if rows is not None:
            known = {
                where: (getattr(p, "error", None), getattr(p, "duration", None)) for where, p in target[name].items()
            }
            assert {row.qubits: (row.error, row.duration) for row in rows} == known
    assert MANILA.instructions["if_else"] is None
    assert set(MANILA.instructions) == set(target.operation_names)


def test_takes_both_readout_errors_from_the_properties() -> None:
    properties = device_model("fake_manila").properties()
    assert [(q.one_if_zero, q.zero_if_one) for q in MANILA.qubits] == [
        (properties.qubit_property(q, "prob_meas1_prep0")[0], properties.qubit_property(q, "prob_meas0_prep1")[0])
        for q in range(5)
    ]


def test_source_names_class_package_and_version() -> None:
    assert MANILA.source.startswith("FakeManilaV2 of qiskit-ibm-runtime 0.")
    assert "Apache" in MANILA.source
    here = NoiseProfile.from_backend(PlainBackend(two_qubits()))
    assert here.source == "PlainBackend"


def test_a_backend_with_properties_of_ibm() -> None:
    profile = NoiseProfile.from_backend(PlainBackend(two_qubits(), PropertiesOfIBM()))
    assert profile.calibrated == "2026-01-02T03:04:05+01:00"
    assert [q[2:] for q in profile.qubits] == [(0.01, 0.04), (None, None)]
    assert profile.readout == "symmetric"


def test_readout_errors_that_the_target_tells_apart_are_used_as_aer_does() -> None:
    backend = PlainBackend(two_qubits(MeasureProperties, qubit_properties=[QubitProperties(1e-4, 1e-4)] * 2))
    profile = NoiseProfile.from_backend(backend)
    assert profile.readout == "measured"
    aer = NoiseModel.from_backend(backend)
    np.testing.assert_array_equal(profile.table().readout_matrix(0), aer._local_readout_errors[0,].probabilities.T)
    assert NoiseProfile.from_backend(backend, readout="symmetric").readout == "symmetric"


@pytest.mark.parametrize("noise_info", [True, False])
def test_a_backend_that_knows_nothing_but_its_target(noise_info: bool) -> None:
    profile = NoiseProfile.from_backend(GenericBackendV2(3, noise_info=noise_info, seed=1))
    assert profile.calibrated is None
    assert (profile.qubits[0].t1 is not None) == noise_info
    assert len(profile.table().places) == (18 if noise_info else 0)  # id, sx, x, reset on 3 qubits, cx on 6 pairs


def test_a_simulator_of_a_device_is_the_device() -> None:
    profile = NoiseProfile.from_backend(AerSimulator.from_backend(device_model("fake_manila")))
    assert profile.table() == MANILA.table()


def test_times_that_could_not_be_measured_are_unknown() -> None:
    times = [QubitProperties(t1=0.0, t2=float("nan")), QubitProperties(t1=None, t2=float("inf"))]
    profile = NoiseProfile.from_backend(PlainBackend(two_qubits(qubit_properties=times)))
    assert [q[:2] for q in profile.qubits] == [(None, None), (None, None)]


def test_instructions_without_noise_of_their_own_are_left_out_of_the_device() -> None:
    target = two_qubits()
    target.add_instruction(Gate("mine", 1, []), {(0,): InstructionProperties(1e-8, 1e-3)})
    profile = NoiseProfile.from_backend(PlainBackend(target))
    assert ("mine", (0,)) in profile.table().places
    assert profile.backend().operation_names == ["measure", "sx"]


def test_angle_bounds_of_fractional_gates_are_kept() -> None:
    target = Target(num_qubits=2)
    target.add_instruction(
        RZZGate(Parameter("a")), {(0, 1): InstructionProperties(1e-7, 0.01)}, angle_bounds=[(0, np.pi / 2)]
    )
    profile = NoiseProfile.from_backend(PlainBackend(target))
    assert profile.angle_bounds == {"rzz": (0.0, np.pi / 2)}
    again = profile.backend().target
    assert [again.supported_angle_bound("rzz", [angle]) for angle in (-0.1, 0.1, 2.0)] == [False, True, False]


@pytest.mark.parametrize("backend", ["fake_fez", None, 5], ids=repr)
def test_from_backend_takes_backends_only(backend: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"must be a qiskit BackendV2 object; got {backend!r}"):
        NoiseProfile.from_backend(backend)  # type: ignore[arg-type]


def test_from_backend_needs_a_number_of_qubits() -> None:
    target = Target()
    target.add_instruction(CZGate())
    with pytest.raises(InvalidParameterError, match="must have a fixed number of qubits; 'plain' has none"):
        NoiseProfile.from_backend(PlainBackend(target))


# --- the noise


def test_table_is_the_noise_model_that_aer_makes_of_the_backend() -> None:
    aer = NoiseModel.from_backend(device_model("fake_manila"))
    table = MANILA.table()
    local = {(name, where): error for name, at in aer._local_quantum_errors.items() for where, error in at.items()}
    assert set(table.places) == set(local)
    for (name, where), error in local.items():
        np.testing.assert_allclose(table.transfer(name, where), PTM(SuperOp(error)).data, rtol=0, atol=1e-12)
    for q in range(5):
        np.testing.assert_array_equal(table.readout_matrix(q), aer._local_readout_errors[q,].probabilities.T)
        relaxation, [delay] = table.relaxation(q), aer._custom_noise_passes
        assert relaxation is not None
        assert (relaxation.t1, relaxation.t2, relaxation.excited) == (delay._t1s[q], delay._t2s[q], 0)
    assert table.dt == delay._dt


def test_gates_without_error_are_known_to_be() -> None:
    table = MANILA.table()
    assert "rz" in table.ideal
    assert not {"sx", "x", "cx", "id", "measure"} & table.ideal
    # sx is without error on qubit 1 only; x has not been calibrated
    rows = {"sx": [([0], 1e-3, 1e-8), ([1], 0.0, 0.0)], "x": [([0], None, None), ([1], None, None)]}
    table = small(instructions=rows).table()
    np.testing.assert_array_equal(table.transfer("sx", [1]), np.eye(4))
    assert table.places == (("sx", (0,)), ("sx", (1,)))
    assert not {"sx", "x"} & table.ideal


def test_measured_readout_errors() -> None:
    profile = MANILA.with_readout("measured")
    for q, known in enumerate(MANILA.qubits):
        expected = [[1 - known.one_if_zero, known.zero_if_one], [known.one_if_zero, 1 - known.zero_if_one]]
        np.testing.assert_array_equal(profile.table().readout_matrix(q), expected)
    # where they are not known, the error of the measurement is
    rows = {"measure": [([0], 0.03, None), ([1], None, None)]}
    table = small(qubits=[(None,) * 4] * 2, instructions=rows, readout="measured").table()
    np.testing.assert_array_equal(table.readout_matrix(0), [[0.97, 0.03], [0.03, 0.97]])
    np.testing.assert_array_equal(table.readout_matrix(1), np.eye(2))


def test_table_of_some_qubits_is_renumbered() -> None:
    chosen = [12, 3, 4, 2, 11]
    assert FEZ.table(chosen) == FEZ.table().restricted(chosen)
    assert FEZ.table(np.array(chosen)).key == FEZ.table(chosen).key  # type: ignore[arg-type]


def test_table_of_some_qubits_builds_their_channels_only(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    make = _profile_table.gate_transfer
    monkeypatch.setattr(_profile_table, "gate_transfer", lambda *a, **k: built.append(a) or make(*a, **k))
    table = FEZ.table([0, 1, 2])
    assert len(built) == len(table.places) == 3 * 4 + 4  # id, sx, x, reset; cz in both directions of two pairs


@pytest.mark.parametrize("qubits", [[], [0, 0], [-1], [5], [0.0], [True]], ids=repr)
def test_qubits_are_distinct_qubits_of_the_device(qubits: list[int]) -> None:
    with pytest.raises(InvalidParameterError, match=r"distinct integers between 0 and 4; got \[") as caught:
        MANILA.table(qubits)
    assert str(qubits) in str(caught.value)


def test_scaled_is_the_scaled_table() -> None:
    for factor in (0.0, 0.5, 1.0, 2.0):
        assert MANILA.scaled(factor).table([0, 1]) == MANILA.table([0, 1]).scaled(factor)
    assert MANILA.scaled(2.0).scaled(0.25).scale == 0.5
    assert MANILA.scaled(2.0).scaled(0.5) == MANILA
    assert MANILA.scaled(2.0).qubits == MANILA.qubits


def test_scaled_twice_is_the_channel_twice() -> None:
    table, twice = MANILA.table(), MANILA.scaled(2).table()
    channel, readout = table.transfer("cx", [0, 1]), table.readout_matrix(0)
    assert channel is not None
    np.testing.assert_allclose(twice.transfer("cx", [0, 1]), channel @ channel, rtol=0, atol=1e-15)
    np.testing.assert_allclose(twice.readout_matrix(0), readout @ readout, rtol=0, atol=1e-15)


@pytest.mark.parametrize("factor", [-1, float("nan"), float("inf"), "2", None, True], ids=repr)
def test_factor_is_a_number(factor: Any) -> None:
    with pytest.raises(InvalidParameterError, match=f"factor of NoiseProfile.scaled must be .* >= 0; got {factor!r}"):
        MANILA.scaled(factor)


# --- the device


@pytest.mark.parametrize("name", ["fake_fez", "fake_torino"])
def test_transpilation_is_that_of_the_device(name: str) -> None:
    feature_map = CPMap()
    pair = overlap_circuit(feature_map.build(10), feature_map.parameter_vector(10))
    there = transpile_for(pair, device_model(name)).circuit
    here = transpile_for(pair, NoiseProfile.named(name).backend()).circuit
    assert here.layout.final_index_layout() == there.layout.final_index_layout()
    assert here.count_ops() == there.count_ops()


def test_backend_is_the_device_for_aer_too() -> None:
    again = NoiseProfile.from_backend(MANILA.backend())
    assert again.table() == MANILA.table()
    assert again.instructions == MANILA.instructions
    assert dict(again.timing) == {name: getattr(device_model("fake_manila").target, name) for name in MANILA.timing}


def test_backend_does_not_run() -> None:
    with pytest.raises(ExecutionError, match="noise profile 'fake_manila' is for the transpiler and does not run"):
        MANILA.backend().run(QuantumCircuit(1))


# --- a value


def test_equality_and_hash_are_those_of_the_content() -> None:
    assert small() == small()
    assert len({small(), small(), small(scale=2.0)}) == 2
    assert small() != "small"
    others = [
        small(name="other"),
        small(calibrated=None),
        small(qubits=[ROW, (2e-4, 1e-4, 0.01, 0.02)]),
        small(instructions={"sx": [([0], 1e-3, 1e-8)]}),
        small(dt=1e-9),
        small(readout="measured"),
        small().scaled(2),
    ]
    assert len({small().key, *(other.key for other in others)}) == 1 + len(others)


def test_copies_are_equal() -> None:
    profile = FEZ.scaled(2)
    for again in (pickle.loads(pickle.dumps(profile)), copy.deepcopy(profile), replace(profile)):
        assert again == profile
        assert again.table([0, 1]) == profile.table([0, 1])


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MANILA.scale = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        MANILA.instructions["sx"] = ()  # type: ignore[index]


def test_repr_tells_device_day_and_scale() -> None:
    assert repr(small()) == (
        f"NoiseProfile('small', 2 qubits, calibrated 2026-01-02T03:04:05+00:00, key={small().key[:12]}…)"
    )
    changed = small(calibrated=None).scaled(2).with_readout("measured")
    assert "calibrated on an unknown day, readout='measured', scale=2, key=" in repr(changed)


BROKEN = {
    "name": ({"name": ""}, r"name of NoiseProfile must be a string that is not empty; got ''"),
    "source": ({"source": 3}, r"source of NoiseProfile must be a string that is not empty; got 3"),
    "no date": ({"calibrated": "yesterday"}, r"calibrated .* must be None or a date such as .*; got 'yesterday'"),
    "date object": ({"calibrated": 2026}, r"calibrated .* must be None or a date such as .*; got 2026"),
    "num_qubits": ({"num_qubits": 0}, r"num_qubits of NoiseProfile must be an integer >= 1; got 0"),
    "dt": ({"dt": 0.0}, r"dt of NoiseProfile must be None or > 0 seconds; got 0\.0"),
    "readout": ({"readout": "both"}, r"readout .* must be 'symmetric' or 'measured'; got 'both'"),
    "scale": ({"scale": -1.0}, r"scale of NoiseProfile must be a finite number >= 0; got -1\.0"),
    "rows": ({"qubits": [ROW]}, r"one row for each of its 2 qubits; got 1 rows"),
    "columns": ({"qubits": [ROW, ROW[:3]]}, r"rows of four: .*; got \(0\.0001, 0\.0001, 0\.01\) for qubit 1"),
    "T1": ({"qubits": [ROW, (0.0, *ROW[1:])]}, r"T1 of qubit 1 must be None or > 0 seconds; got 0\.0"),
    "T2": ({"qubits": [(1e-4, float("nan"), None, None), ROW]}, r"T2 of qubit 0 must be None or > 0 seconds; got nan"),
    "readout error": ({"qubits": [(None, None, 1.5, 0.0), ROW]}, r"P\(reads 1 \| is 0\) of qubit 0 .*; got 1\.5"),
    "half a readout": ({"qubits": [(None, None, 0.1, None), ROW]}, r"qubit 0 must have both .* got \[0\.1, None\]"),
    "qubit of a gate": ({"instructions": {"sx": [([2], 0.1, 0.1)]}}, r"qubits of 'sx' must differ .* 1; got \[2\]"),
    "qubit twice": ({"instructions": {"cz": [([1, 1], 0.1, 0.1)]}}, r"qubits of 'cz' must differ .* 1; got \[1, 1\]"),
    "place twice": ({"instructions": {"sx": [([0], 0.1, 0.1)] * 2}}, r"list the qubits of 'sx' once each"),
    "mixed widths": ({"instructions": {"u": [([0], 0, 0), ([0, 1], 0, 0)]}}, r"list the qubits of 'u' once each"),
    "row of a gate": ({"instructions": {"sx": [([0], 0.1)]}}, r"rows of three: .*; got \(\[0\], 0\.1\) for 'sx'"),
    "error": ({"instructions": {"sx": [([0], 1.5, 0.1)]}}, r"error of 'sx' on \[0\] must .* \[0, 1\]; got 1\.5"),
    "duration": ({"instructions": {"sx": [([0], 0.5, -1)]}}, r"duration of 'sx' on \[0\] must .* seconds; got -1"),
}


@pytest.mark.parametrize(("changes", "message"), BROKEN.values(), ids=BROKEN)
def test_values_keep_their_rules(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        small(**changes)


def test_with_readout_keeps_the_rule() -> None:
    with pytest.raises(InvalidParameterError, match="must be 'symmetric' or 'measured'; got 'none'"):
        MANILA.with_readout("none")  # type: ignore[arg-type]
