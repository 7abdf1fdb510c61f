"""Feature maps as scikit-learn objects: parameters, clones, pickles, caching, repr, errors, scale rules."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import joblib
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsWarning
from qkernels.circuits import Resources
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
    ScaleRule,
    SeparableMap,
    YZCXMap,
    ZZFeatureMap,
)


def user_circuit() -> QuantumCircuit:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(2, name="mine")
    circuit.ry(x[0] * x[1], 0)
    circuit.cx(0, 1)
    circuit.rz(x[2] + 0.5, 1)
    return circuit


MAPS: list[FeatureMap] = [
    ZZFeatureMap(),
    ZZFeatureMap(reps=1, entanglement=[(0, 2), (1, 0)], data_map="havlicek", gate="rzz"),
    PauliFeatureMap(),
    PauliFeatureMap(paulis=["Y", "XZ"], entanglement={1: [(0,), (1,)], 2: [(2, 0)]}, alpha=1.0),
    CPMap(),
    CPMap(reps=2, ring=True, angles=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)),
    SeparableMap(),
    HamiltonianMap(),
    HamiltonianMap(gamma=0.3, interaction_range=2),
    CovariantMap(),
    CovariantMap(fiducial=[0.3, -1.0], entanglement=[(1, 0)]),
    HighDimMap(),
    HighDimMap(qubits=2, reps=4, gate="cx"),
    YZCXMap(),
    YZCXMap(qubits=2, reps=2, c=0.5, final_entangler=False),
    HeisenbergMap(),
    HeisenbergMap(time=0.5, trotter_steps=2, seed=7),
    DenseAngleMap(),
    DenseAngleMap(reps=1, entanglement={2: [(1, 0)]}, final_entangler=False),
    CircuitMap(user_circuit()),
]
all_maps = pytest.mark.parametrize("feature_map", MAPS, ids=repr)


@all_maps
def test_build_has_one_vector_named_x(feature_map: FeatureMap) -> None:
    circuit = feature_map.build(3)
    vector = feature_map.parameter_vector(3)
    assert vector.name == "x"
    assert list(circuit.parameters) == list(vector)
    assert circuit.num_qubits == feature_map.num_qubits(3) == feature_map.resources(3).num_qubits
    assert circuit.num_clbits == 0


@all_maps
@pytest.mark.parametrize(
    "copied",
    [clone, copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=["clone", "copy", "deepcopy", "pickle"],
)
def test_copies_build_the_same_circuit(feature_map: FeatureMap, copied: Callable[[FeatureMap], FeatureMap]) -> None:
    other = copied(feature_map)
    assert type(other) is type(feature_map)
    assert other is not feature_map
    assert repr(other) == repr(feature_map)
    assert other.build(3) == feature_map.build(3)


def test_joblib_round_trip(tmp_path: object) -> None:
    joblib.dump(ZZFeatureMap(reps=3), tmp_path / "map.joblib")
    assert repr(joblib.load(tmp_path / "map.joblib")) == "ZZFeatureMap(reps=3)"


@all_maps
def test_get_params_gives_back_what_init_took(feature_map: FeatureMap) -> None:
    parameters = feature_map.get_params(deep=False)
    rebuilt = type(feature_map)(**parameters)
    assert all(getattr(rebuilt, name) is value for name, value in parameters.items())
    assert rebuilt.build(3) == feature_map.build(3)


def test_set_params_is_never_stale() -> None:
    feature_map = ZZFeatureMap()
    seen = []
    for change in [{}, {"reps": 1}, {"entanglement": "full"}, {"data_map": "havlicek"}, {"gate": "rzz"}]:
        seen.append(feature_map.set_params(**change).build(3))
        assert seen[-1] == ZZFeatureMap(**feature_map.get_params()).build(3)
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])


@pytest.mark.parametrize(
    ("feature_map", "changes"),
    [
        (CovariantMap(), [{"fiducial": 0.4}, {"fiducial": (0.4, 0.4, 0.5)}, {"entanglement": "full"}]),
        (HighDimMap(), [{"qubits": 2}, {"reps": 3}, {"gate": "cx"}]),
        (YZCXMap(), [{"qubits": 3}, {"reps": 4}, {"c": 2.0}, {"final_entangler": False}]),
        (HeisenbergMap(), [{"seed": 1}, {"trotter_steps": 2}, {"time": 0.8}]),
        (DenseAngleMap(), [{"reps": 1}, {"entanglement": "linear"}, {"final_entangler": False}]),
    ],
    ids=repr,
)
def test_every_parameter_changes_the_circuit(feature_map: FeatureMap, changes: list[dict[str, object]]) -> None:
    feature_map = clone(feature_map)
    assert {name for change in changes for name in change} == set(feature_map.get_params()) - {"coupling"}
    seen = [feature_map.build(6)]
    for change in changes:
        seen.append(feature_map.set_params(**change).build(6))
        assert seen[-1] == clone(feature_map).build(6)
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])


def test_a_list_changed_in_place_is_noticed() -> None:
    pairs = [(0, 1)]
    feature_map = ZZFeatureMap(reps=1, entanglement=pairs)
    assert feature_map.build(3).count_ops()["cx"] == 2
    pairs.append((1, 2))
    assert feature_map.build(3).count_ops()["cx"] == 4


def test_a_circuit_changed_in_place_is_noticed() -> None:
    circuit = user_circuit()
    feature_map = CircuitMap(circuit)
    assert "h" not in feature_map.build(3).count_ops()
    circuit.h(0)
    assert feature_map.build(3).count_ops()["h"] == 1


@all_maps
def test_changing_a_built_circuit_does_not_change_the_map(feature_map: FeatureMap) -> None:
    before = feature_map.build(3)
    feature_map.build(3).h(0)
    assert feature_map.build(3) == before


def test_an_invalid_value_equal_to_a_valid_one_is_still_refused() -> None:
    ZZFeatureMap(reps=1).build(3)  # True == 1 must not find this one in the cache
    with pytest.raises(InvalidParameterError, match="reps must be an integer >= 1; got True"):
        ZZFeatureMap(reps=True).build(3)


def test_equal_parameters_build_once() -> None:
    from qkernels.feature_maps._base import _BUILT

    _BUILT.clear()
    for _ in range(2):
        for feature_map in (CovariantMap([0.1, 0.2]), HighDimMap(), YZCXMap(), HeisenbergMap(), DenseAngleMap()):
            clone(feature_map).build(3)
    assert len(_BUILT) == 5


def test_the_cache_of_built_circuits_is_bounded() -> None:
    from qkernels.feature_maps._base import _BUILT, _MAX_BUILT

    for i in range(_MAX_BUILT + 20):
        CPMap(angles=(0.01 * i, 0, 0, 0, 0, 0)).build(2)
    assert len(_BUILT) == _MAX_BUILT


def test_every_point_of_a_grid_builds() -> None:
    grid = ParameterGrid({"reps": [1, np.int64(2)], "entanglement": ["linear", "full"]})
    counts = [clone(ZZFeatureMap()).set_params(**point).build(4).count_ops()["cx"] for point in grid]
    assert sorted(counts) == [6, 12, 12, 24]


@pytest.mark.parametrize(
    ("feature_map", "text"),
    [
        (ZZFeatureMap(), "ZZFeatureMap()"),
        (ZZFeatureMap(entanglement="full", reps=1), "ZZFeatureMap(reps=1, entanglement='full')"),
        (PauliFeatureMap(paulis=["Z"]), "PauliFeatureMap(paulis=['Z'])"),
        (CPMap(ring=True), "CPMap(ring=True)"),
        (SeparableMap(), "SeparableMap()"),
        (HamiltonianMap(gamma=0.5), "HamiltonianMap(gamma=0.5)"),
        (CovariantMap(fiducial=(0.5, 1.0)), "CovariantMap(fiducial=(0.5, 1.0))"),
        (HighDimMap(gate="cx", qubits=4), "HighDimMap(qubits=4, gate='cx')"),
        (YZCXMap(final_entangler=False), "YZCXMap(final_entangler=False)"),
        (HeisenbergMap(time=1.0, trotter_steps=5), "HeisenbergMap(time=1.0, trotter_steps=5)"),
        (DenseAngleMap(), "DenseAngleMap()"),
        (CircuitMap(user_circuit()), "CircuitMap(circuit=<'mine': 2 qubits, 3 parameters>)"),
        (CircuitMap(QuantumCircuit(1)), "CircuitMap(circuit=<circuit: 1 qubit, 0 parameters>)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_repr_shows_what_differs_from_the_defaults(feature_map: FeatureMap, text: str) -> None:
    assert repr(feature_map) == text


def test_repr_follows_scikit_learn_and_stays_short() -> None:
    with config_context(print_changed_only=False):
        assert repr(CPMap()) == "CPMap(reps=1, ring=False, angles=None)"
    long = ZZFeatureMap(entanglement=[(i, i + 1) for i in range(500)])
    assert len(repr(long)) <= 700


@all_maps
def test_resources_print_in_one_line(feature_map: FeatureMap) -> None:
    cost = feature_map.resources(3)
    assert isinstance(cost, Resources)
    assert "\n" not in str(cost)
    assert str(cost.num_cx) in str(cost)


@pytest.mark.parametrize(
    ("feature_map", "rule"),
    [
        (ZZFeatureMap(), ScaleRule("standard", 0.55)),
        (ZZFeatureMap(data_map="havlicek"), ScaleRule("unit", 1.0)),
        (PauliFeatureMap(), ScaleRule("standard", 0.55)),
        (PauliFeatureMap(alpha=-1.0), ScaleRule("standard", 1.1)),
        (PauliFeatureMap(data_map="havlicek"), ScaleRule("unit", 1.0)),
        (CPMap(), ScaleRule("standard", 2.0)),
        (SeparableMap(), ScaleRule("standard", 2.0)),
        (HamiltonianMap(), ScaleRule("unit", 1.0)),
        (CovariantMap(), ScaleRule("unit", 1.4)),
        (HighDimMap(), ScaleRule("standard", 0.5)),
        (YZCXMap(), ScaleRule("standard", 0.5)),
        (YZCXMap(c=0.25), ScaleRule("standard", 2.0)),
        (HeisenbergMap(), ScaleRule("standard", 0.2)),
        (HeisenbergMap(time=1.5), ScaleRule("standard", 0.6 / 1.5)),
        (DenseAngleMap(), ScaleRule("unit", 0.25)),
        (CircuitMap(user_circuit()), ScaleRule("auto")),
    ],
    ids=repr,
)
def test_scale_rule(feature_map: FeatureMap, rule: ScaleRule) -> None:
    assert feature_map.scale_rule == rule


@pytest.mark.parametrize(
    "feature_map",
    [
        *(ZZFeatureMap(), ZZFeatureMap(gate="rzz"), PauliFeatureMap(), SeparableMap(), HamiltonianMap()),
        *(HighDimMap(), HighDimMap(gate="cx"), YZCXMap(), DenseAngleMap()),
    ],
    ids=repr,
)
def test_one_feature_is_enough_where_the_definition_allows_it(feature_map: FeatureMap) -> None:
    assert feature_map.build(1).num_qubits == 1
    assert feature_map.resources(1).num_cx == 0


def test_one_feature_is_one_bond_of_the_heisenberg_map() -> None:
    assert HeisenbergMap().build(1).num_qubits == 2


@pytest.mark.parametrize("feature_map", [HighDimMap(qubits=3), YZCXMap(qubits=3)], ids=repr)
def test_more_qubits_than_features_repeat_the_features(feature_map: FeatureMap) -> None:
    circuit = feature_map.build(1)
    assert circuit.num_qubits == feature_map.num_qubits(1) == 3
    assert list(circuit.parameters) == list(feature_map.parameter_vector(1))


@all_maps
@pytest.mark.parametrize("n_features", [2.0, "3", True, None], ids=repr)
def test_the_number_of_features_is_an_integer(feature_map: FeatureMap, n_features: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"n_features must be an integer; got {n_features!r}"):
        feature_map.build(n_features)


@all_maps
@pytest.mark.parametrize("n_features", [0, -1])
def test_no_features_are_refused(feature_map: FeatureMap, n_features: int) -> None:
    with pytest.raises(InvalidDataError, match=rf"at least . feature\(s\); got {n_features} feature\(s\)"):
        feature_map.build(n_features)


BAD: list[tuple[FeatureMap, str]] = [
    *((m(reps=0), "reps must be an integer >= 1; got 0") for m in (ZZFeatureMap, PauliFeatureMap, CPMap)),
    (HamiltonianMap(reps=-2), "HamiltonianMap: reps must be an integer >= 1; got -2"),
    (ZZFeatureMap(reps=1.5), r"ZZFeatureMap: reps must be an integer >= 1; got 1\.5"),
    (CPMap(reps="2"), "CPMap: reps must be an integer >= 1; got '2'"),
    (ZZFeatureMap(data_map="zz"), "ZZFeatureMap: data_map must be one of 'product', 'havlicek'; got 'zz'"),
    (PauliFeatureMap(data_map=None), "PauliFeatureMap: data_map must be one of .* got None"),
    (ZZFeatureMap(gate="cx"), "ZZFeatureMap: gate must be one of 'p', 'rzz'; got 'cx'"),
    (ZZFeatureMap(entanglement="ring"), "entanglement must be one of 'linear', .* got 'ring'"),
    (ZZFeatureMap(entanglement=5), "entanglement must be a pattern name, .* got 5"),
    (ZZFeatureMap(entanglement=[(0, 3)]), r"2 different qubits between 0 and 2; got \(0, 3\)"),
    (ZZFeatureMap(entanglement=[(1, 1)]), r"2 different qubits between 0 and 2; got \(1, 1\)"),
    (ZZFeatureMap(entanglement=[(0, 1, 2)]), r"2 different qubits between 0 and 2; got \(0, 1, 2\)"),
    (ZZFeatureMap(entanglement=[(0, -1)]), r"2 different qubits between 0 and 2; got \(0, -1\)"),
    (ZZFeatureMap(entanglement=[(0, 1.0)]), r"2 different qubits between 0 and 2; got \(0, 1\.0\)"),
    (ZZFeatureMap(entanglement=["01"]), "2 different qubits between 0 and 2; got '01'"),
    (ZZFeatureMap(entanglement={3: [(0, 1, 2)]}), r"no entry for 2 qubit\(s\), only for \[3\]"),
    (PauliFeatureMap(paulis="ZZ"), "paulis must be a non-empty sequence of Pauli strings .* got 'ZZ'"),
    (PauliFeatureMap(paulis=[]), r"paulis must be a non-empty sequence of Pauli strings .* got \[\]"),
    (PauliFeatureMap(paulis=["Z", "ZA"]), "strings over I, X, Y and Z; got 'ZA'"),
    (PauliFeatureMap(paulis=["Z", ""]), "strings over I, X, Y and Z; got ''"),
    (PauliFeatureMap(paulis=["Z", 3]), "strings over I, X, Y and Z; got 3"),
    (PauliFeatureMap(paulis=["II"]), "a letter other than I .* got 'II'"),
    (PauliFeatureMap(paulis=["ZZZZ"]), "not be longer than the number of features, 3; got 'ZZZZ'"),
    (
        PauliFeatureMap(paulis=["ZZZ"], entanglement="pairwise"),
        "entanglement='pairwise' exists for two-qubit terms only; got a term on 3 qubits",
    ),
    (PauliFeatureMap(alpha=0), "alpha must be a finite number other than 0; got 0"),
    (PauliFeatureMap(alpha=float("nan")), "alpha must be a finite number other than 0; got nan"),
    (PauliFeatureMap(alpha="2"), "alpha must be a finite number other than 0; got '2'"),
    (CPMap(ring=1), "CPMap: ring must be one of True, False; got 1"),
    (CPMap(angles=(1.0, 2.0)), r"CPMap: angles must be None or 6 finite numbers .* got \(1\.0, 2\.0\)"),
    (CPMap(angles=[0, 0, 0, 0, 0, float("inf")]), "CPMap: angles must be None or 6 finite numbers .* inf"),
    (CPMap(angles="abcdef"), "CPMap: angles must be None or 6 finite numbers .* got 'abcdef'"),
    (CPMap(angles=3.0), r"CPMap: angles must be None or 6 finite numbers .* got 3\.0"),
    (HamiltonianMap(gamma=0.0), r"gamma must be a finite number greater than 0; got 0\.0"),
    (HamiltonianMap(gamma=None), "gamma must be a finite number greater than 0; got None"),
    (HamiltonianMap(interaction_range=0), "interaction_range must be an integer >= 1; got 0"),
    (
        HamiltonianMap(interaction_range=2, entanglement="full"),
        "interaction_range=2 replaces entanglement, .* got entanglement='full'",
    ),
    (CovariantMap(fiducial="1"), r"CovariantMap: fiducial must be a finite number, or 2 .* got '1'"),
    (CovariantMap(fiducial="12"), r"CovariantMap: fiducial must be a finite number, or 2 .* got '12'"),
    (CovariantMap(fiducial=float("inf")), r"or 2 of them \(one per qubit\), in radians; got inf"),
    (CovariantMap(fiducial=True), "fiducial must be a finite number, or 2 .* got True"),
    (CovariantMap(fiducial=None), "fiducial must be a finite number, or 2 .* got None"),
    (CovariantMap(fiducial=[0.1]), r"fiducial must be a finite number, or 2 .* got \[0\.1\]"),
    (CovariantMap(fiducial=(0.1, 0.2, 0.3)), r"fiducial must be .* got \(0\.1, 0\.2, 0\.3\)"),
    (CovariantMap(fiducial=[0.1, float("nan")]), r"fiducial must be .* got \[0\.1, nan\]"),
    (CovariantMap(fiducial=np.eye(2)), r"fiducial must be .* got array\(\["),
    (CovariantMap(entanglement=[(0, 2)]), r"CovariantMap: .*between 0 and 1; got \(0, 2\) for 3 feature"),
    (CovariantMap(entanglement="ring"), "CovariantMap: entanglement must be one of 'linear', .* got 'ring'"),
    (CovariantMap(entanglement="coupling"), "CovariantMap: entanglement='coupling' needs .* got coupling=None"),
    (HighDimMap(qubits=0), "HighDimMap: qubits must be an integer >= 1; got 0"),
    (HighDimMap(qubits=2.0), r"HighDimMap: qubits must be an integer >= 1; got 2\.0"),
    (HighDimMap(reps=0), "HighDimMap: reps must be an integer >= 1; got 0"),
    (HighDimMap(gate="iswap"), "HighDimMap: gate must be one of 'sqrt_iswap', 'cx'; got 'iswap'"),
    (YZCXMap(qubits=-1), "YZCXMap: qubits must be an integer >= 1; got -1"),
    (YZCXMap(reps=True), "YZCXMap: reps must be an integer >= 1; got True"),
    (YZCXMap(c=0), "YZCXMap: c must be a finite number greater than 0; got 0"),
    (YZCXMap(c="1"), "YZCXMap: c must be a finite number greater than 0; got '1'"),
    (YZCXMap(final_entangler=1), "YZCXMap: final_entangler must be one of True, False; got 1"),
    (HeisenbergMap(time=0.0), r"HeisenbergMap: time must be None or a finite number greater than 0; got 0\.0"),
    (HeisenbergMap(time="2"), "HeisenbergMap: time must be None or a finite number greater than 0; got '2'"),
    (HeisenbergMap(trotter_steps=0), "HeisenbergMap: trotter_steps must be an integer >= 1; got 0"),
    (HeisenbergMap(seed=-1), "HeisenbergMap: seed must be an integer >= 0; got -1"),
    (HeisenbergMap(seed=None), "HeisenbergMap: seed must be an integer >= 0; got None"),
    (HeisenbergMap(seed=2**32), r"HeisenbergMap: seed must be below 2\*\*32; got 4294967296"),
    (DenseAngleMap(reps=0), "DenseAngleMap: reps must be an integer >= 1; got 0"),
    (DenseAngleMap(entanglement=[(0, 2)]), r"DenseAngleMap: .*between 0 and 1; got \(0, 2\) for 3 feature"),
    (DenseAngleMap(final_entangler=None), "DenseAngleMap: final_entangler must be one of True, False; got None"),
]


@pytest.mark.parametrize(("feature_map", "message"), BAD, ids=[message[:60] for _, message in BAD])
def test_bad_parameters_are_named_with_their_value(feature_map: FeatureMap, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        feature_map.build(3)


@pytest.mark.parametrize(
    ("feature_map", "message"),
    [
        (HighDimMap(qubits=2, reps=1), r"HighDimMap: 2 qubit\(s\) and reps=1 hold at most 6 feature\(s\); got 7 feat"),
        (HighDimMap(qubits=1, reps=2), r"HighDimMap: 1 qubit\(s\) and reps=2 hold at most 6 feature\(s\); got 7 feat"),
        (YZCXMap(qubits=2, reps=3), r"YZCXMap: 2 qubit\(s\) and reps=3 hold at most 6 feature\(s\); got 7 feature"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_features_are_refused_rather_than_dropped(feature_map: FeatureMap, message: str) -> None:
    assert len(feature_map.build(6).parameters) == 6
    with pytest.raises(InvalidDataError, match=message):
        feature_map.build(7)


@pytest.mark.parametrize("feature_map", [YZCXMap(c=-1.0), HeisenbergMap(time=float("nan"))], ids=repr)
def test_scale_rules_name_bad_parameters_too(feature_map: FeatureMap) -> None:
    with pytest.raises(InvalidParameterError, match="greater than 0; got"):
        _ = feature_map.scale_rule


def test_long_paulis_alone_cannot_take_one_feature() -> None:
    with pytest.raises(InvalidParameterError, match=r"got \['ZZ'\] for 1 feature\(s\)"):
        PauliFeatureMap(paulis=["ZZ"]).build(1)


@pytest.mark.parametrize(
    "feature_map",
    [
        ZZFeatureMap(entanglement=[(0, 1)]),
        ZZFeatureMap(entanglement={2: [(0, 1)]}),
        HamiltonianMap(entanglement=[(0, 1)]),
        PauliFeatureMap(entanglement={1: [(0,), (1,)], 2: [(0, 1)]}),
        CPMap(),
        CovariantMap(),
        DenseAngleMap(entanglement=[(0, 1)]),
        CircuitMap(user_circuit()),
    ],
    ids=repr,
)
def test_errors_about_one_feature_say_so(feature_map: FeatureMap) -> None:
    with pytest.raises((InvalidParameterError, InvalidDataError), match=r"1 feature\(s\)"):
        feature_map.build(1)


def test_nothing_is_validated_before_build() -> None:
    bad = ZZFeatureMap(reps="many", entanglement=object(), data_map=3)
    assert bad.reps == "many"
    clone(ZZFeatureMap(reps="many"))


def test_resources_refuse_a_device_name() -> None:
    with pytest.raises(InvalidParameterError, match=r"got 'fake_fez'\. Turn .*device_model\(name\)"):
        ZZFeatureMap().resources(3, backend="fake_fez")


class TestCircuitMap:
    def test_identity_of_parameters_survives_cloning_and_pickling(self) -> None:
        circuit = user_circuit()
        x = circuit.parameters[0].vector
        feature_map = CircuitMap(circuit, x=x)
        for other in (clone(feature_map), pickle.loads(pickle.dumps(feature_map))):
            assert other.circuit is not circuit
            assert list(other.x) == list(other.circuit.parameters)
            assert other.build(3) == feature_map.build(3)

    def test_identity_of_plain_parameters_survives(self) -> None:
        a, b = Parameter("a"), Parameter("b")
        circuit = QuantumCircuit(1)
        circuit.rx(a, 0)
        circuit.ry(b, 0)
        feature_map = CircuitMap(circuit, x=[b, a])
        for other in (clone(feature_map), pickle.loads(pickle.dumps(feature_map))):
            assert [str(item.params[0]) for item in other.build(2).data] == ["x[1]", "x[0]"]

    def test_names_that_collide_with_ours_are_not_mixed_up(self) -> None:
        swapped = [Parameter("x[1]"), Parameter("x[0]")]
        circuit = QuantumCircuit(1)
        circuit.rx(swapped[0] + 2 * swapped[1], 0)
        built = CircuitMap(circuit, x=swapped).build(2)
        x = CircuitMap(circuit, x=swapped).parameter_vector(2)
        assert built.data[0].params[0] == x[0] + 2 * x[1]

    def test_parameters_inside_blocks_are_features_too(self) -> None:
        t = ParameterVector("t", 2)
        block = QuantumCircuit(1, global_phase=t[1])
        block.p(t[0], 0)
        circuit = QuantumCircuit(2)
        circuit.append(block.to_gate().control(1), [0, 1])
        built = CircuitMap(circuit).build(2)
        assert list(built.parameters) == list(CircuitMap(circuit).parameter_vector(2))

    def test_a_feature_may_be_unused_when_x_says_so(self) -> None:
        x = ParameterVector("v", 3)
        circuit = QuantumCircuit(1)
        circuit.rx(x[2], 0)
        feature_map = CircuitMap(circuit, x=x)
        assert [p.name for p in feature_map.build(3).parameters] == ["x[2]"]
        assert len(feature_map.parameter_vector(3)) == 3

    def test_measurements_at_the_end_are_ignored(self) -> None:
        circuit = user_circuit()
        circuit.measure_all()
        built = CircuitMap(circuit).build(3)
        assert "measure" not in built.count_ops()
        assert circuit.count_ops()["measure"] == 2

    @pytest.mark.parametrize("n_features", [1, 2, 4])
    def test_another_number_of_features_is_refused(self, n_features: int) -> None:
        for call in (CircuitMap(user_circuit()).build, CircuitMap(user_circuit()).num_qubits):
            with pytest.raises(InvalidDataError, match=rf"'mine' takes 3 feature\(s\); got {n_features} feature\(s\)"):
                call(n_features)

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            ([f"x{i}" for i in range(12)], r"'x11' is feature 3 and 'x2' is feature 4\. Pass x=\["),
            (["a2_7", "a10_0"], "'a10_0' is feature 0 and 'a2_7' is feature 1"),
            (["w1_10b", "w1_9b", "z"], "'w1_10b' is feature 0 and 'w1_9b' is feature 1"),
        ],
        ids=["x0 to x11", "first number", "second number"],
    )
    def test_names_that_sort_against_their_numbers_warn(self, names: list[str], message: str) -> None:
        parameters = [Parameter(name) for name in names]
        circuit = QuantumCircuit(1)
        for parameter in parameters:
            circuit.rx(parameter, 0)
        with pytest.warns(QKernelsWarning, match=message):
            CircuitMap(circuit).build(len(names))
        built = CircuitMap(circuit, x=parameters).build(len(names))  # no warning: the order was given
        assert [i.params[0] for i in built.data] == list(CircuitMap(circuit).parameter_vector(len(names)))
        CircuitMap(circuit, x=list(circuit.parameters)).build(len(names))

    @pytest.mark.parametrize(
        "parameters",
        [
            list(ParameterVector("v", 12)),
            [*ParameterVector("x", 11), Parameter("x5"), Parameter("X10"), Parameter("x4b")],
            [Parameter(name) for name in ["a", "b", "B", "_c", "θ", "alpha", "x²"]],
            [Parameter(f"x{i:02}") for i in range(12)],
            [Parameter(f"x{i}") for i in range(10)],
        ],
        ids=["vector", "mixed", "words", "padded", "one digit"],
    )
    def test_names_in_natural_order_do_not_warn(self, parameters: list[Parameter]) -> None:
        circuit = QuantumCircuit(1)
        for parameter in parameters:
            circuit.rx(parameter, 0)
        CircuitMap(circuit).build(len(parameters))  # warnings are errors

    def test_bad_parameters_are_named(self) -> None:
        circuit = user_circuit()
        x = list(circuit.parameters)
        for feature_map, message in [
            (CircuitMap("circuit"), "circuit must be a qiskit QuantumCircuit; got 'circuit'"),
            (CircuitMap(QuantumCircuit(1, name="bare")), "circuit must have free parameters.*'bare' has 0"),
            (CircuitMap(circuit, x=x[:2]), r"every free parameter of the circuit; 'x\[2\]' is missing"),
            (CircuitMap(circuit, x=[*x, x[0]]), "x must hold different parameters; got"),
            (CircuitMap(circuit, x="abc"), "x must be a ParameterVector or a sequence .* got 'abc'"),
            (CircuitMap(circuit, x=[1, 2, 3]), r"x must be a ParameterVector or .* got \[1, 2, 3\]"),
        ]:
            with pytest.raises(InvalidParameterError, match=message):
                feature_map.build(3)
