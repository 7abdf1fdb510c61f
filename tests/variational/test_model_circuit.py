"""The circuit of a model: order of uploads and blocks, places in θ, initial points, widths."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qkernels import StatevectorEngine
from qkernels._errors import InvalidDataError, InvalidParameterError, UnsupportedCircuitError
from qkernels.feature_maps import CircuitMap, FeatureMap, SeparableMap, ZZFeatureMap
from qkernels.programs import ExpectationProgram
from qkernels.variational import (
    Ansatz,
    BrickworkAnsatz,
    CircuitAnsatz,
    FarhiNevenAnsatz,
    ModelCircuit,
    QCNNAnsatz,
    RealAmplitudesAnsatz,
    RYRZAnsatz,
    check_width,
    compose_model,
)
from tests.feature_maps.dense import Matrix, product
from tests.oracle import oracle_expectations, oracle_matrix

X_ROW = np.array([0.4, -1.1, 0.7])


def model_matrix(model: ModelCircuit, x: np.ndarray, theta: np.ndarray) -> Matrix:
    values = dict(zip(model.x, x, strict=True)) | dict(zip(model.theta, theta, strict=True))
    return oracle_matrix(model.circuit, values)


def upload_matrix(feature_map: FeatureMap, x: np.ndarray, extra_qubits: int = 0) -> Matrix:
    vector = feature_map.parameter_vector(len(x))
    small = oracle_matrix(feature_map.build(len(x)), dict(zip(vector, x, strict=True)))
    return np.kron(np.eye(2**extra_qubits), small)


def block_matrix(ansatz: Ansatz, n: int, theta: np.ndarray) -> Matrix:
    return oracle_matrix(ansatz.build(n), dict(zip(ansatz.parameter_vector(n), theta, strict=True)))


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("reuploads", [1, 2, 3])
def test_uploads_and_blocks_alternate(reuploads: int, scaled: bool) -> None:
    feature_map, ansatz = ZZFeatureMap(reps=1), RYRZAnsatz(reps=1)
    model = compose_model(feature_map, ansatz, 3, reuploads=reuploads, trainable_scaling=scaled)
    count, scales = ansatz.num_parameters(3), 3 if scaled else 0
    assert len(model.theta) == scales + reuploads * count
    assert (model.scaling.start, model.scaling.stop) == (0, scales)
    assert [(b.start, b.stop) for b in model.blocks] == [
        (scales + k * count, scales + (k + 1) * count) for k in range(reuploads)
    ]
    theta = np.random.default_rng(0).uniform(-2, 2, len(model.theta))
    x = theta[:3] * X_ROW if scaled else X_ROW
    factors = []
    for k in range(reuploads):
        own = theta[scales + k * count : scales + (k + 1) * count]
        factors += [upload_matrix(feature_map, x), block_matrix(ansatz, 3, own)]
    np.testing.assert_allclose(model_matrix(model, X_ROW, theta), product(factors), atol=1e-12)


def test_parameters_are_those_of_the_model() -> None:
    model = compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(), 3, reuploads=2, trainable_scaling=True)
    assert list(model.x) == list(ZZFeatureMap().parameter_vector(3))
    assert model.theta.name == "θ"
    assert set(model.circuit.parameters) == set(model.x) | set(model.theta)
    assert model.circuit.num_qubits == 3


def test_a_model_in_a_program_of_an_engine() -> None:
    model = compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(), 3, reuploads=2, trainable_scaling=True)
    rng = np.random.default_rng(1)
    X, theta = rng.uniform(-1, 1, (4, 3)), rng.uniform(-1, 1, len(model.theta))
    program = ExpectationProgram(model.circuit, model.x, model.theta, ["ZZZ", "IXY"])
    found = StatevectorEngine().expectations(program, X, theta=theta).values
    observables = [SparsePauliOp("ZZZ"), SparsePauliOp("IXY")]
    expected = oracle_expectations(model.circuit, observables, model.x, X, model.theta, theta)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_two_models_have_one_key() -> None:
    def key() -> str:
        model = compose_model(ZZFeatureMap(), BrickworkAnsatz(), 3, reuploads=2, trainable_scaling=True)
        return ExpectationProgram(model.circuit, model.x, model.theta, "ZZZ").key

    assert key() == key()


def test_unit_scaling_is_no_scaling() -> None:
    settings = {"feature_map": ZZFeatureMap(), "ansatz": RealAmplitudesAnsatz(), "n_features": 3, "reuploads": 2}
    plain, scaled = compose_model(**settings), compose_model(**settings, trainable_scaling=True)
    theta = plain.initial_point("random", 0)
    start = np.concatenate([np.ones(3), theta])
    np.testing.assert_allclose(model_matrix(scaled, X_ROW, start), model_matrix(plain, X_ROW, theta), atol=1e-12)


def test_a_feature_that_the_map_ignores_may_be_scaled() -> None:
    x = ParameterVector("x", 3)
    circuit = QuantumCircuit(1)
    circuit.rx(x[2], 0)
    model = compose_model(CircuitMap(circuit, x), RealAmplitudesAnsatz(), 3, trainable_scaling=True)
    assert len(model.theta) == 3 + 4
    theta = np.array([5.0, 7.0, 2.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(
        model_matrix(model, X_ROW, theta), oracle_matrix(circuit, {x[2]: 2.0 * X_ROW[2]}), atol=1e-12
    )


def test_an_extra_qubit_stands_beside_the_feature_map() -> None:
    feature_map, ansatz = SeparableMap(), FarhiNevenAnsatz()
    model = compose_model(feature_map, ansatz, 3)
    assert model.circuit.num_qubits == 4
    assert model.readout_qubits == (3,)
    theta = np.random.default_rng(0).uniform(-2, 2, len(model.theta))
    expected = block_matrix(ansatz, 4, theta) @ upload_matrix(feature_map, X_ROW, 1)
    np.testing.assert_allclose(model_matrix(model, X_ROW, theta), expected, atol=1e-12)


def test_more_qubits_than_the_feature_map_has() -> None:
    ansatz = RealAmplitudesAnsatz(reps=1)
    model = compose_model(SeparableMap(), ansatz, 3, num_qubits=5)
    theta = np.random.default_rng(0).uniform(-2, 2, 10)
    expected = block_matrix(ansatz, 5, theta) @ upload_matrix(SeparableMap(), X_ROW, 2)
    np.testing.assert_allclose(model_matrix(model, X_ROW, theta), expected, atol=1e-12)


def test_the_readout_is_that_of_the_ansatz() -> None:
    assert compose_model(ZZFeatureMap(), QCNNAnsatz(readout=2), 4).readout_qubits == (1, 3)
    assert compose_model(ZZFeatureMap(), RYRZAnsatz(), 4).readout_qubits == (0, 1, 2, 3)


def test_the_identity_point_leaves_the_uploads() -> None:
    model = compose_model(ZZFeatureMap(), RYRZAnsatz(reps=2), 3, reuploads=2, trainable_scaling=True)
    point = model.initial_point("identity")
    assert point[:3].tolist() == [1.0, 1.0, 1.0]
    u = upload_matrix(ZZFeatureMap(), X_ROW)
    np.testing.assert_allclose(model_matrix(model, X_ROW, point), u @ u, atol=1e-12)


def test_small_and_random_points() -> None:
    model = compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(reps=99), 3, reuploads=2, trainable_scaling=True)
    small, random = model.initial_point("small", 3), model.initial_point("random", 3)
    assert small[:3].tolist() == random[:3].tolist() == [1.0, 1.0, 1.0]
    # 600 values: the standard deviation of the estimate is 0.1/√1200, and five of them
    assert small[3:].std() == pytest.approx(0.1, abs=5 * 0.1 / np.sqrt(1200))
    assert -pi <= random[3:].min() < -0.9 * pi
    assert 0.9 * pi < random[3:].max() < pi
    assert np.array_equal(small, model.initial_point("small", 3))
    assert not np.array_equal(small, model.initial_point("small", 4))
    assert not np.array_equal(small[3:303], small[303:])  # blocks start at different points
    assert np.array_equal(small, model.initial_point("small", np.random.RandomState(3)))


def test_a_given_point_is_copied() -> None:
    model = compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(reps=0), 2)
    given = np.array([0.5, 0.25])
    point = model.initial_point(given)
    point[0] = 9.0
    assert given.tolist() == [0.5, 0.25]
    assert model.initial_point([1, 2]).dtype == np.float64


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("zeros", "initial_point must be one of 'small', 'random', 'identity', or an array; got 'zeros'"),
        ([1.0], r"must hold 2 finite numbers, .* got \[1\.0\]"),
        ([1.0, np.nan], r"must hold 2 finite numbers, .* got \[1\.0, nan\]"),
        ([[1.0, 2.0]], r"must hold 2 finite numbers, .* got \[\[1\.0, 2\.0\]\]"),
        (["a", "b"], r"must hold 2 finite numbers, .* got \['a', 'b'\]"),
        (None, "must hold 2 finite numbers, .* got None"),
    ],
    ids=str,
)
def test_a_bad_initial_point_is_refused(kind: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(reps=0), 2).initial_point(kind)


def test_no_identity_point_is_the_ansatz_speaking() -> None:
    with pytest.raises(InvalidParameterError, match="RealAmplitudesAnsatz has no identity point on 3"):
        compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(), 3).initial_point("identity")


def turning(n: int) -> CircuitAnsatz:
    circuit = QuantumCircuit(n, name="turning")
    circuit.rx(Parameter("a"), n - 1)
    return CircuitAnsatz(circuit)


@pytest.mark.parametrize(("n", "width"), [(3, None), (4, 4)])
def test_a_circuit_of_the_right_width_fits(n: int, width: int | None) -> None:
    assert check_width(ZZFeatureMap(), turning(n), 3, width) == n


@pytest.mark.parametrize(
    ("n", "width", "message"),
    [
        (2, None, r"ZZFeatureMap has 3 qubit\(s\) for 3 feature\(s\), the model 3, .*'turning' .* has 2\."),
        (4, None, r"the model 3, .* has 4\. Give an ansatz of 3 qubit\(s\)"),
        (3, 4, r"the model 4, .* has 3\."),
    ],
)
def test_a_circuit_of_another_width_is_refused(n: int, width: int | None, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        compose_model(ZZFeatureMap(), turning(n), 3, num_qubits=width)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reuploads": 0}, "reuploads must be an integer >= 1; got 0"),
        ({"reuploads": 1.0}, r"reuploads must be an integer >= 1; got 1\.0"),
        ({"reuploads": True}, "reuploads must be an integer >= 1; got True"),
        ({"trainable_scaling": 1}, "trainable_scaling must be True or False; got 1"),
        ({"num_qubits": 2}, r"num_qubits must be None or an integer >= 3: ZZFeatureMap has 3 qubit\(s\) .* got 2"),
        ({"num_qubits": 3.0}, r"num_qubits must be None or an integer >= 3.* got 3\.0"),
        (
            {"num_qubits": 3, "ansatz": FarhiNevenAnsatz()},
            "num_qubits must be None or an integer >= 4: .* FarhiNevenAnsatz needs 1 more; got 3",
        ),
        ({"feature_map": QuantumCircuit(1)}, r"feature_map must be a FeatureMap; .* CircuitMap\(circuit\)"),
        ({"ansatz": "RealAmplitudes"}, r"ansatz must be an Ansatz; got 'RealAmplitudes'.*CircuitAnsatz\(circuit\)"),
        ({"ansatz": CircuitAnsatz("x")}, "circuit must be a qiskit QuantumCircuit; got 'x'"),
        ({"n_features": 1, "ansatz": BrickworkAnsatz()}, "BrickworkAnsatz: num_qubits must be an integer >= 2; got 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else ", ".join(value),
)
def test_a_bad_setting_is_refused(changes: dict[str, object], message: str) -> None:
    settings = {"feature_map": ZZFeatureMap(), "ansatz": RealAmplitudesAnsatz(), "n_features": 3} | changes
    with pytest.raises(InvalidParameterError, match=message):
        compose_model(**settings)


def test_errors_of_the_feature_map_come_through() -> None:
    with pytest.raises(InvalidDataError, match="needs at least 1"):
        compose_model(ZZFeatureMap(), RealAmplitudesAnsatz(), 0)


def test_a_reset_between_two_blocks_is_refused_by_the_program() -> None:
    circuit = QuantumCircuit(1)
    circuit.reset(0)  # fine on a fresh qubit, not after an upload
    circuit.rx(Parameter("a"), 0)
    model = compose_model(ZZFeatureMap(), CircuitAnsatz(circuit), 1)
    with pytest.raises(UnsupportedCircuitError, match="resets qubit 0 after gates acted on it"):
        _ = ExpectationProgram(model.circuit, model.x, model.theta, "Z").key
