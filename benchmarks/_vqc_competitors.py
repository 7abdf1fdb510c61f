"""One variational classifier for everyone: ours, qiskit-machine-learning's, PennyLane's and sQUlearn's.

The circuit is ``ZZFeatureMap`` (linear) and RealAmplitudes; every outcome of all qubits belongs to one class; the loss
is the mean cross-entropy. All get the same circuit, rows, labels and angles. What `compare` calls rows are vectors of
angles here, new in every round; the answers are losses, or gradients, for which everyone computes the loss, too.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from benchmarks._harness import Contender, Missing, Values, load
from qkernels import AutoEngine, ExpectationProgram, ZZFeatureMap
from qkernels.variational import (
    BoundReadout,
    CrossEntropy,
    Head,
    Loss,
    ModelCircuit,
    Objective,
    RealAmplitudesAnsatz,
    compose_model,
)

__all__ = [
    "AsIfBinary",
    "AsIfSoftmax",
    "Bits",
    "Problem",
    "ours",
    "pennylane",
    "pennylane_jit",
    "qiskit_machine_learning",
    "squlearn",
]

Bits = NDArray[np.signedinteger[Any]]
Evaluate = Callable[[Values], Values]

FLOOR = 1e-10
"""Of probabilities in logarithms; no competitor's is higher."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, its rows and their labels.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_qubits)
    targets : ndarray of shape (n_rows, n_classes)
        1 in the column of the class.
    class_of : ndarray of shape (2**n_qubits,)
        Class of every outcome, qubit 0 its least significant bit.
    reps : int
        Of RealAmplitudes.
    """

    X: Values
    targets: Values
    class_of: Bits
    reps: int

    @property
    def num_qubits(self) -> int:
        """Qubits, and features."""
        return int(self.X.shape[1])

    @cached_property
    def groups(self) -> Values:
        """Outcomes → classes, 0 and 1, shape (2**n_qubits, n_classes)."""
        return np.asarray(np.eye(self.targets.shape[1])[self.class_of])

    @cached_property
    def model(self) -> ModelCircuit:
        """The circuit and its parameters."""
        return compose_model(ZZFeatureMap(reps=1), RealAmplitudesAnsatz(reps=self.reps), self.num_qubits)

    def angles(self, round_number: int, count: int = 1) -> Values:
        """Uniform in [−π, π), other ones for every round, shape (count, n_parameters)."""
        rng = np.random.default_rng([0, round_number])
        return rng.uniform(-np.pi, np.pi, (count, len(self.model.theta)))

    @cached_property
    def strings(self) -> tuple[Bits, Values]:
        """Z strings, as bit masks, that the classes' probabilities are sums of, and weights (n_strings, n_classes).

        The mask 0 is the identity. P(class) = Σ_s w(s, class) ⟨Z_s⟩.
        """
        masks = np.arange(len(self.class_of))
        signs = (-1.0) ** np.bitwise_count(masks[:, None] & masks)
        weights = signs @ self.groups / len(masks)
        used = np.flatnonzero(np.abs(weights).max(axis=1) > 1e-12)
        return used, weights[used]

    def qubits(self, mask: int) -> list[int]:
        """The qubits of a Z string."""
        return [q for q in range(self.num_qubits) if mask >> q & 1]


class AsIfSoftmax(CrossEntropy):
    """What qiskit-machine-learning takes as derivative by probabilities: that of scores whose softmax they were."""

    def gradient(self, outputs: Values, targets: Values) -> Values:
        return np.asarray(outputs - targets)


class AsIfBinary(CrossEntropy):
    """What sQUlearn takes as derivative by probabilities of several classes: that of each class against the rest."""

    def gradient(self, outputs: Values, targets: Values) -> Values:
        return np.asarray((1 - targets) / (1 - outputs) - targets / outputs)


def ours(problem: Problem, kind: str, loss: Loss | None = None, rows: slice = slice(None)) -> Contender:
    """What one evaluation inside ``VQC.fit`` is; compiled before."""
    n, model = problem.num_qubits, problem.model
    masks, weights = problem.strings
    constant = weights[masks == 0].sum(axis=0)
    observed = masks > 0
    strings = [("Z" * len(problem.qubits(m)), problem.qubits(m), 1.0) for m in masks[observed]]
    observables = tuple(SparsePauliOp.from_sparse_list([string], n) for string in strings)
    readout = BoundReadout(observables, weights[observed], constant, "probabilities")
    objective = Objective(
        AutoEngine(),
        ExpectationProgram(model.circuit, model.x, model.theta, observables=observables),
        Head(readout, loss or CrossEntropy(FLOOR)),
        problem.X[rows],
        problem.targets[rows],
        np.ones(len(problem.X[rows])),
        way="exact",
    )

    def evaluate(theta: Values) -> Values:
        return np.asarray(objective.loss(theta) if kind == "loss" else objective.gradient(theta))

    return _contender("qkernels", evaluate, {"engine": repr(AutoEngine()), "call": "Objective, as in VQC.fit"})


def qiskit_machine_learning(problem: Problem, kind: str, rounds: int) -> Contender:
    """The objective of its VQC: default sampler (exact), default gradient (parameter shifts of every row)."""
    from qiskit_machine_learning.algorithms import VQC

    model = problem.model
    n_classes = problem.targets.shape[1]
    feature_map, ansatz = ZZFeatureMap(reps=1).build(problem.num_qubits), model.ansatz.build(problem.num_qubits)
    network = VQC(
        feature_map=feature_map,
        ansatz=ansatz,
        interpret=lambda outcome: int(problem.class_of[outcome]),
        output_shape=n_classes,
    )

    def evaluate(theta: Values) -> Values:
        objective = network._create_objective(problem.X, problem.targets)  # it keeps the last loss
        if kind == "loss":
            return np.asarray(log(2) * objective.objective(theta))
        return np.asarray(objective.gradient(theta))

    settings = {
        "VQC": f"feature_map and ansatz of our circuit, output_shape={n_classes}, interpret: class of the outcome",
        "sampler": "default, QMLSampler(shots=None): exact",
        "gradient": "default, ParamShiftSamplerGradient",
        "loss": "cross_entropy, in bits: times ln 2",
    }
    return _contender("qiskit-machine-learning VQC", evaluate, settings, rounds)


def squlearn(problem: Problem, kind: str, rounds: int) -> Contender | Missing:
    """Its QNN without the softmax of its classifier, and its cross-entropy, on Qulacs."""
    name = "sQUlearn QNN on qulacs"
    if load("squlearn") is None:
        return Missing(name, "squlearn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that it imports
        from squlearn import Executor
        from squlearn.encoding_circuit import QiskitEncodingCircuit
        from squlearn.observables import CustomObservable
        from squlearn.qnn.loss import CrossEntropyLoss
        from squlearn.qnn.lowlevel_qnn.lowlevel_qnn import LowLevelQNN

    n, (masks, weights) = problem.num_qubits, problem.strings
    letters = ["".join("Z" if mask >> q & 1 else "I" for q in range(n)) for mask in masks]
    observables = [CustomObservable(n, letters, parameterized=True) for _ in weights.T]
    circuit = QiskitEncodingCircuit(problem.model.circuit)
    network = LowLevelQNN(circuit, observables, Executor("qulacs"), n, caching=False)
    loss, fixed = CrossEntropyLoss(eps=FLOOR), weights.T.ravel()
    loss.set_opt_param_op(False)

    def evaluate(theta: Values) -> Values:
        wanted = loss.loss_args_tuple if kind == "loss" else loss.gradient_args_tuple
        found = network.evaluate(problem.X, theta, fixed, *wanted)
        if kind == "loss":
            return np.asarray(loss.value(found, ground_truth=problem.targets))
        return np.asarray(loss.gradient(found, ground_truth=problem.targets, multiple_output=True))

    settings = {
        "circuit": "QiskitEncodingCircuit of the Qiskit circuit",
        "observables": "CustomObservable of the Z strings of every class, fixed coefficients",
        "executor": "Executor('qulacs')",
        "caching": "off: angles are new in every round",
    }
    return _contender(name, evaluate, settings, rounds)


def pennylane(problem: Problem, kind: str, device: str, rounds: int | None = None) -> Contender | Missing:
    """A QNode of all rows: default.qubit by backpropagation with broadcasting, or lightning.qubit by its adjoint."""
    name = f"PennyLane {device}, {'backprop' if device == 'default.qubit' else 'adjoint'}"
    package = "pennylane" if device == "default.qubit" else "pennylane_lightning"
    if load("pennylane") is None or load(package) is None:
        return Missing(name, package.replace("_", "-"))
    autograd: Any = load("autograd")
    anp: Any = load("autograd.numpy")
    probabilities = _probabilities(problem, device, "autograd")

    def mean_loss(theta: Any) -> Any:
        return -anp.mean(anp.log(anp.sum(probabilities(theta, anp) * problem.targets, axis=1)))

    both = autograd.value_and_grad(mean_loss)

    def evaluate(theta: Values) -> Values:
        return np.asarray(mean_loss(theta) if kind == "loss" else both(theta)[1])

    settings = {
        "interface": "autograd",
        "rows": "one broadcast tape" if device == "default.qubit" else "broadcast, which the device takes apart",
        "measured": "probs"
        if device == "default.qubit"
        else "expval of one Hermitian for each class, the fastest of four ways",
    }
    return _contender(name, evaluate, settings, rounds)


def pennylane_jit(problem: Problem, kind: str, rounds: int | None = None) -> tuple[Contender | Missing, float | None]:
    """The same on default.qubit, compiled by JAX, and the seconds that takes."""
    name = "PennyLane default.qubit, backprop, jax.jit"
    jax: Any = load("jax")
    for package in ("pennylane", "jax"):
        if load(package) is None:
            return Missing(name, package), None
    jax.config.update("jax_enable_x64", True)
    probabilities = _probabilities(problem, "default.qubit", "jax")

    def mean_loss(theta: Any) -> Any:
        right = (probabilities(theta, jax.numpy) * problem.targets).sum(axis=1)
        return -jax.numpy.log(right).mean()

    compiled = jax.jit(mean_loss if kind == "loss" else jax.value_and_grad(mean_loss))

    def evaluate(theta: Values) -> Values:
        found = compiled(theta)
        return np.asarray(found if kind == "loss" else found[1])

    start = time.perf_counter()
    evaluate(problem.angles(0)[0])
    seconds = time.perf_counter() - start
    settings = {"interface": "jax, jit, float64", "rows": "one broadcast tape", "compile_seconds": seconds}
    return _contender(name, evaluate, settings, rounds), seconds


def _probabilities(problem: Problem, device: str, interface: str) -> Callable[[Any, Any], Any]:
    """Angles and an array module → class probabilities of all rows."""
    qml: Any = load("pennylane")
    n, groups = problem.num_qubits, problem.groups
    wires = list(reversed(range(n)))  # its first wire is the most significant bit
    exact = device == "default.qubit"

    def measure(theta: Any) -> Any:
        _apply(qml, problem, theta)
        if exact:
            return qml.probs(wires=wires)
        return [qml.expval(qml.Hermitian(np.diag(column).astype(complex), wires=wires)) for column in groups.T]

    method = "backprop" if exact else "adjoint"
    measured = qml.QNode(measure, qml.device(device, wires=n), diff_method=method, interface=interface)

    def probabilities(theta: Any, xp: Any) -> Any:
        return measured(theta) @ groups if exact else xp.stack(measured(theta), axis=1)

    return probabilities


def _apply(qml: Any, problem: Problem, theta: Any) -> None:
    """The circuit, gate by gate as in Qiskit's."""
    n, x = problem.num_qubits, problem.X
    for q in range(n):
        qml.Hadamard(q)
    for q in range(n):
        qml.PhaseShift(2 * x[:, q], q)
    for q in range(n - 1):
        qml.CNOT([q, q + 1])
        qml.PhaseShift(2 * x[:, q] * x[:, q + 1], q + 1)
        qml.CNOT([q, q + 1])
    for layer in range(problem.reps + 1):
        for q in reversed(range(n - 1 if layer else 0)):
            qml.CNOT([q, q + 1])
        for q in range(n):
            qml.RY(theta[layer * n + q], q)


def _contender(name: str, evaluate: Evaluate, settings: Mapping[str, object], rounds: int | None = None) -> Contender:
    def prepare(angles: Values) -> Callable[[], Values]:
        return lambda: np.array([evaluate(theta) for theta in angles])

    return Contender(name, prepare, settings, rounds)
