"""Device models by name, without account, network, or instantiating all of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels_hardware import DeviceModel, device_model, list_device_models


@pytest.mark.parametrize("name", ["fake_fez", "FakeFez", "fez", "ibm_fez", "FAKE_FEZ", " fez ", "fake-fez"])
def test_spellings_of_a_name(name: str) -> None:
    backend = device_model(name)
    assert isinstance(backend, BackendV2)
    assert (backend.name, backend.num_qubits) == ("fake_fez", 156)


@pytest.mark.parametrize("name", ["fake_manila", "FakeManilaV2", "manila"])
def test_older_models_whose_class_ends_in_v2(name: str) -> None:
    assert device_model(name).num_qubits == 5


def test_every_call_gives_a_new_instance() -> None:
    assert device_model("fez") is not device_model("fez")


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("fake_fes", "fake_fez"), ("sherbroke", "fake_sherbrooke"), ("torinno", "fake_torino")],
)
def test_a_typo_is_answered_with_close_names(typo: str, meant: str) -> None:
    with pytest.raises(InvalidParameterError, match=rf"got '{typo}'\. Did you mean .*'{meant}'"):
        device_model(typo)


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(InvalidParameterError, match=r"got 'qqqqqq'\. list_device_models\(\) lists all \d+"):
        device_model("qqqqqq")


@pytest.mark.parametrize("name", [3, None, ["fez"]], ids=repr)
def test_a_name_is_a_string(name: object) -> None:
    with pytest.raises(InvalidParameterError, match="name must be a string such as 'fake_fez'; got"):
        device_model(name)


def test_the_list_is_sorted_and_prints_as_a_table() -> None:
    models = list_device_models()
    assert list(models) == sorted(models)
    assert len({model.name for model in models}) == len(models) >= 50
    assert len({len(str(m).split("qubits")[0]) for m in models}) == 1  # one column for the numbers
    assert DeviceModel(156, "fake_fez", "cz") in models


@pytest.mark.parametrize("name", ["fake_fez", "fake_nairobi", "fake_sherbrooke", "fake_armonk"])
def test_the_list_agrees_with_the_device_itself(name: str) -> None:
    (model,) = [m for m in list_device_models() if m.name == name]
    backend = device_model(name)
    assert model.num_qubits == backend.num_qubits
    wide = {instruction.name for instruction, qubits in backend.instructions if qubits is not None and len(qubits) == 2}
    assert model.two_qubit_gate == "+".join(sorted(wide))


def test_every_name_of_the_list_is_accepted() -> None:
    from qkernels_hardware.devices._models import _model_classes, _short_name

    assert {_short_name(model.name) for model in list_device_models()} == set(_model_classes())


def test_importing_the_package_does_not_import_the_client() -> None:
    code = "import sys, qkernels_hardware; print([m for m in ('qiskit_ibm_runtime', 'qiskit_aer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
