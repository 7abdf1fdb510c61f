"""Composed defaults: None in the signature, a fresh object for every owner."""

from __future__ import annotations

import inspect

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers.fake_provider import GenericBackendV2
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from qkernels import (
    CircuitMap,
    ClipSpectrum,
    CPMap,
    FidelityKernel,
    QuantumKernelRidge,
    QuantumKernelSVC,
    QuantumKernelSVR,
    StatevectorEngine,
    ZZFeatureMap,
)
from qkernels._errors import InvalidParameterError

ESTIMATORS = [QuantumKernelSVC, QuantumKernelSVR, QuantumKernelRidge]


@pytest.mark.parametrize("owner", [FidelityKernel, *ESTIMATORS])
def test_no_default_is_an_object_that_could_be_shared(owner: type) -> None:
    for parameter in inspect.signature(owner).parameters.values():
        assert parameter.default is None or isinstance(parameter.default, (str, int, float, bool))


@pytest.mark.parametrize("owner", ESTIMATORS)
def test_nested_parameters_reach_inside_the_default(owner: type) -> None:
    one, other = owner(), owner()
    one.set_params(kernel__bandwidth=0.3)
    one.set_params(kernel__feature_map__reps=1, kernel__feature_map__data_map="havlicek")
    other.set_params(kernel__feature_map__reps=5)
    assert one.kernel.bandwidth == 0.3
    assert one.kernel.feature_map.get_params()["reps"] == 1
    assert one.kernel.feature_map.data_map == "havlicek"
    assert (other.kernel.bandwidth, other.kernel.feature_map.reps) == ("scale", 5)
    assert owner().kernel is None


def test_pipeline_reaches_inside_the_default() -> None:
    pipeline = make_pipeline(QuantumKernelSVC())
    pipeline.set_params(quantumkernelsvc__kernel__feature_map__reps=3, quantumkernelsvc__C=7.0)
    assert pipeline[-1].kernel.feature_map.reps == 3
    assert pipeline[-1].C == 7.0


def test_own_parameters_are_set_before_nested_ones() -> None:
    model = QuantumKernelSVC().set_params(
        kernel__feature_map__reps=4, kernel__feature_map=CPMap(), kernel=FidelityKernel(bandwidth=0.2)
    )
    assert isinstance(model.kernel.feature_map, CPMap)
    assert (model.kernel.feature_map.reps, model.kernel.bandwidth) == (4, 0.2)
    model.set_params(kernel=None, kernel__bandwidth=0.9)
    assert (model.kernel.bandwidth, model.kernel.feature_map) == (0.9, None)


def test_get_params_lists_what_is_stored() -> None:
    assert not [name for name in QuantumKernelSVC().get_params() if name.startswith("kernel__")]
    model = QuantumKernelSVC().set_params(kernel__feature_map__reps=1)
    assert model.get_params()["kernel__feature_map__reps"] == 1
    assert model.get_params()["kernel__engine"] is None


def test_round_trip_and_clone() -> None:
    model = QuantumKernelSVC(C=3.0).set_params(kernel__feature_map__reps=1)
    copy = QuantumKernelSVC().set_params(**model.get_params())
    assert repr(copy) == repr(model) == repr(clone(model))
    assert clone(model).kernel is not model.kernel


def test_failed_setting_stores_nothing() -> None:
    model = QuantumKernelSVC()
    with pytest.raises(ValueError, match="Invalid parameter 'width' for estimator FidelityKernel"):
        model.set_params(kernel__width=0.3)
    assert model.kernel is None


@pytest.mark.parametrize("name", ["kernels__bandwidth", "depth", "C__x"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid parameter|cannot be set") as caught:
        QuantumKernelSVC().set_params(**{name: 1})
    assert name.partition("__")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("model", "name", "message"),
    [
        (FidelityKernel(), "engine__shots", "engine__shots of FidelityKernel cannot be set: engine is None"),
        (
            FidelityKernel(engine=StatevectorEngine()),
            "engine__shots",
            r"engine is StatevectorEngine\(\), which has no parameters of its own",
        ),
        (QuantumKernelSVC("precomputed"), "kernel__bandwidth", "kernel is 'precomputed'"),
    ],
    ids=["engine=None", "engine", "precomputed"],
)
def test_values_without_parameters(model: object, name: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        model.set_params(**{name: 1})


def test_repr_of_a_fitted_estimator_shows_what_was_chosen() -> None:
    model = QuantumKernelSVC().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    assert "kernel=FidelityKernel(" in repr(model)
    assert "engine=AutoEngine()" in repr(model)
    assert "feature_map=ZZFeatureMap()" in repr(model)
    assert model.kernel is None
    assert repr(clone(model)) == "QuantumKernelSVC()"
    assert isinstance(model.kernel_.feature_map_, ZZFeatureMap)


def test_repr_of_nested_objects_is_their_own() -> None:
    circuit = QuantumCircuit(3)
    circuit.ry(Parameter("a"), 0)
    circuit.ry(Parameter("b"), 1)
    kernel = FidelityKernel(CircuitMap(circuit))
    inner = "FidelityKernel(feature_map=CircuitMap(circuit=<circuit: 3 qubits, 2 parameters>))"
    assert repr(kernel) == inner
    assert repr(QuantumKernelSVC(kernel, C=2.0)) == f"QuantumKernelSVC(C=2.0, kernel={inner})"
    fitted = repr(QuantumKernelSVC(kernel).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1]))
    assert repr(kernel.feature_map) in fitted
    assert kernel.feature_map.circuit is circuit  # showing changes nothing


def test_repr_of_a_nested_device_is_its_name() -> None:
    device = GenericBackendV2(5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=0)
    feature_map = ZZFeatureMap(entanglement="coupling", coupling=device)
    shown = repr(FidelityKernel(feature_map))
    assert shown == f"FidelityKernel(feature_map={feature_map!r})"
    assert f"coupling=<{device.name}>" in shown
    assert " object at 0x" not in shown


def test_repr_of_list_items_is_their_own() -> None:
    class Named(ClipSpectrum):
        def __repr__(self, N_CHAR_MAX: int = 700) -> str:
            return "Named()"

    assert repr(FidelityKernel(corrections=[Named(rtol=1e-5)])) == "FidelityKernel(corrections=[Named()])"


def test_repr_follows_scikit_learn() -> None:
    with config_context(print_changed_only=False):
        assert repr(FidelityKernel(CPMap())) == (
            "FidelityKernel(bandwidth='scale', corrections=None, engine=None, "
            "feature_map=CPMap(reps=1, ring=False, angles=None), orientation='canonical')"
        )
    long = FidelityKernel(ZZFeatureMap(entanglement=[(i, i + 1) for i in range(500)]))
    assert len(repr(long)) < 1000
