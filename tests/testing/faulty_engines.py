"""Engines with one fault each, by the name of the law that it breaks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Kraus, SuperOp

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import DensityMatrixEngine, Engine, NoiseTable, Prepared, StatevectorEngine
from qkernels.programs import Expectations, OverlapProgram, Overlaps

Real = NDArray[np.float64]


def small_program() -> OverlapProgram:
    x, theta = ParameterVector("x", 2), ParameterVector("t", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0] * theta[0], 0)
    circuit.rx(x[1] + 0.4, 1)
    circuit.cx(0, 1)
    circuit.ry(x[1] * theta[1], 0)
    circuit.h(1)
    return OverlapProgram(circuit, x, theta)


def damping(gamma: float) -> SuperOp:
    return SuperOp(Kraus([[[1, 0], [0, np.sqrt(1 - gamma)]], [[0, np.sqrt(gamma)], [0, 0]]]))


READOUT = np.array([[0.97, 0.06], [0.03, 0.94]])
ONE, TWO = damping(0.05), damping(0.06).tensor(damping(0.02))
CHANNELS = dict.fromkeys(("h", "p", "ry", "rx", "rz", "x"), ONE) | {"cx": TWO}
TABLE = NoiseTable(defaults=CHANNELS, default_readout=READOUT)


class Fault(Engine):
    """Right answers but for one fault, by name."""

    fault: str

    def overlaps(self, program: Any, X: Any, Y: Any = None, **options: Any) -> Overlaps:
        before = BEFORE.get(self.fault)
        if before is not None:
            X, Y, options = before(self, X, Y, options)
        answer = super().overlaps(program, X, Y, **options)
        after = AFTER.get(self.fault)
        return answer if after is None else after(self, answer, X, Y, options)


class Faulty(Fault, StatevectorEngine):
    """A noiseless engine with one fault."""

    def __init__(self, fault: str, shots: int | None = None, seed: int = 3) -> None:
        super().__init__(shots, seed)
        self.fault = fault
        self.kept: list[Real] = []
        if fault == "pickle: function":
            self.function = lambda: None

    @property
    def is_exact(self) -> bool:
        return True if self.fault == "answers: exact" else super().is_exact

    def expectations(self, program: Any, X: Any, **options: Any) -> Expectations:
        answer = super().expectations(program, X, **options)
        return EXPECTATIONS.get(self.fault, lambda a: a)(answer)

    def plan(self, program: Any, X: Any, *rows: Any, **options: Any) -> Any:
        before = BEFORE.get(self.fault)
        if before is not None and self.fault.startswith("bad"):
            X, _, options = before(self, X, None, options)
        plan = super().plan(program, X, *rows, **options)
        return PLANS.get(self.fault, lambda p, X: p)(plan, X)

    def prepare(self, program: Any, X: Any, theta: Any = None) -> Prepared:
        prepared = super().prepare(program, X, theta)
        return replace(prepared, nbytes=0) if self.fault == "prepared: nothing held" else prepared

    def vjp(self, program: Any, cotangent: Any, X: Any, *, theta: Any = None) -> tuple[Real, Real]:
        if not self.fault.startswith("gradients"):
            return super().vjp(program, cotangent, X, theta=theta)
        slope = 0.0 if self.fault == "gradients: zero" else 1.0
        return np.zeros(np.size([] if theta is None else theta)), slope * np.ones_like(X)

    def scaled(self, factor: float, *, readout: bool = True) -> Engine:
        if self.fault == "scaled: anything":
            return self
        if self.fault == "scaled: other draws":
            return StatevectorEngine(self.shots, self.seed + 1)
        return super().scaled(factor, readout=readout)

    def __sklearn_clone__(self) -> Engine:
        return copy.copy(self) if self.fault == "clone: copy" else self

    def __reduce__(self) -> Any:
        return (Faulty, (self.fault, self.shots, 4)) if self.fault == "pickle: no seed" else super().__reduce__()


Change = Callable[[Real], Real]


def entries(change: Callable[[Real], Real], where: Callable[[Any, Any, Any], bool] = lambda X, Y, o: True) -> Any:
    """A fault that changes values of some requests."""

    def after(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
        return replace(answer, values=change(answer.values.copy())) if where(X, Y, options) else answer

    return after


def extra(field: str, change: Callable[[Any], Any]) -> Any:
    """A fault in what is asked for beside the values."""

    def after(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
        found = getattr(answer, field)
        return answer if found is None else replace(answer, **{field: change(found)})

    return after


def is_gram(X: Any, Y: Any, options: Any) -> bool:
    return Y is None and options.get("pairs") is None


def is_cross(X: Any, Y: Any, options: Any) -> bool:
    return Y is not None and options.get("pairs") is None


def is_pairs(X: Any, Y: Any, options: Any) -> bool:
    return options.get("pairs") is not None


def bump(K: Real) -> Real:
    K[0, 1] += 1e-9
    return K


def by_position(K: Real) -> Real:
    i = np.arange(len(K))
    return K * (1 - 1e-6 * np.abs(i[:, None] - i) % 3)


def with_duplicates(K: Real) -> Real:
    equal = (np.abs(K[:, None] - K[None]).max(axis=-1) == 0.0) & ~np.eye(len(K), dtype=bool)
    return np.where(equal, 0.99, K)


def drift(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
    engine.kept.append(np.zeros(1))
    return replace(answer, values=answer.values * (1 - 1e-6 * len(engine.kept)))


def remember(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
    engine.kept.append(answer.values.copy())
    return answer


SHARED: dict[bytes, Real] = {}


def shared(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
    """Hands out its own cache, which anyone may write to."""
    values = answer.values.copy()
    return replace(answer, values=SHARED.setdefault(values.tobytes(), values))


def scribble(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    if isinstance(X, np.ndarray) and X.flags.writeable and X.dtype == float:
        X[0, 0] += 1e-3
    return X, Y, options


def without(*keys: str) -> Any:
    """A fault that ignores options."""
    return lambda engine, X, Y, options: (X, Y, {k: v for k, v in options.items() if k not in keys})


def told(**changes: Any) -> Any:
    return lambda engine, answer, X, Y, options: replace(answer, **changes)


def no_key(key: str) -> Any:
    return lambda engine, answer, X, Y, options: replace(
        answer, info={k: v for k, v in answer.info.items() if k != key}
    )


def stderr_of_certain(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
    certain = (answer.values == 0.0) | (answer.values == 1.0)
    return replace(answer, stderr=np.where(certain, 0.0, answer.stderr))


def reverse_beyond_zero(weights: Real) -> Real:
    return np.concatenate([weights[..., :1], weights[..., :0:-1]], axis=-1)


def lean(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
    """Weights depend on what else is asked for."""
    if answer.weights is None or "diagonal" not in options["need"]:
        return answer
    return replace(answer, weights=reverse_beyond_zero(answer.weights))


def finite(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    return np.nan_to_num(X) if isinstance(X, np.ndarray) and X.dtype == float else X, Y, options


def plain_error(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    if isinstance(X, np.ndarray) and X.ndim == 1:
        raise TypeError("X is no matrix")
    return X, Y, options


def unnamed(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    if isinstance(X, np.ndarray) and X.ndim == 1:
        raise InvalidDataError("wrong")
    return X, Y, options


def lenient(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    need = options.get("need", frozenset())
    return X, Y, options | {"need": need if isinstance(need, str) else set(need) - {"nonsense"}}


def zero_shots(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    if options.get("shots") is not None and 0 in options["shots"]:
        options = options | {"shots": [10] * len(options["shots"])}
    return X, Y, options


def refuse_weights(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    if "weights" in options.get("need", ()):
        raise InvalidParameterError("no.")
    return X, Y, options


def default_theta(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    if options.get("theta") is None and not isinstance(X, Prepared) and X.shape[1] == 2:
        options = options | {"theta": [0.1, 0.2]}
    return X, Y, options


BEFORE: dict[str, Any] = {
    "repeats: writes to X": scribble,
    "shots-of-pairs: ignored": without("shots"),
    "repetitions: ignored": without("repetition"),
    "diagonal: ignored": without("diagonal"),
    "parameters: accepted": default_theta,
    "weights: refused without a word": refuse_weights,
    "bad-data: NaN": finite,
    "bad-data: TypeError": plain_error,
    "bad-data: nothing said": unnamed,
    "bad-options: need": lenient,
    "bad-options: shots": zero_shots,
}

AFTER: dict[str, Any] = {
    "answers: float32": entries(lambda K: K.astype(np.float32)),
    "answers: shape of pairs": entries(lambda K: K[:, None], is_pairs),
    "answers: no program": no_key("program"),
    "answers: num_qubits": lambda e, a, X, Y, o: replace(a, info={**a.info, "num_qubits": 7}),
    "answers: no stderr": told(stderr=None),
    "answers: shots are floats": lambda e, a, X, Y, o: replace(a, num_shots=a.num_shots.astype(float)),
    "range: above one": entries(lambda K: K * 1.001),
    "range: NaN": entries(lambda K: np.where(np.equal(K, K.min()), np.nan, K)),
    "symmetry: one entry": entries(bump, is_gram),
    "diagonal: below one": entries(lambda K: K - 1e-6 * np.eye(len(K)), is_gram),
    "diagonal: not told": no_key("diagonal"),
    "duplicates: below one": entries(with_duplicates, is_gram),
    "blocks: cross": entries(lambda K: K * (1 - 1e-6), is_cross),
    "permutation: position": entries(by_position, is_gram),
    "pairs: other values": entries(lambda K: K * (1 - 1e-6), is_pairs),
    "prepared: other values": entries(lambda K: K * (1 - 1e-6), lambda X, Y, o: isinstance(X, Prepared)),
    "repeats: drift": drift,
    "repeats: shared": shared,
    "stderr: certain": stderr_of_certain,
    "stderr: three times": lambda e, a, X, Y, o: replace(a, stderr=3.0 * a.stderr),
    "stderr: a third": lambda e, a, X, Y, o: replace(a, stderr=a.stderr / 3.0),
    "frequencies: moved": entries(lambda K: np.where(K < 1.0, K + 1e-4, K)),
    "frequencies: other shots": lambda e, a, X, Y, o: replace(a, num_shots=a.num_shots * 2),
    "weights: other zero": extra("weights", lambda w: np.roll(w, 1, axis=-1)),
    "weights: sum": extra("weights", lambda w: w * np.r_[1.0, np.full(w.shape[-1] - 1, 0.5)]),
    "weights: shape": extra("weights", lambda w: w[..., :-1]),
    "distributions: reversed": extra("weights", reverse_beyond_zero),
    "diagonals: constant": extra("diagonals", lambda d: tuple(0.5 * v for v in d)),
    "diagonals: swapped": extra("diagonals", lambda d: d[::-1]),
    "orientations: mean": extra("orientations", lambda v: v * 0.9),
    "orientations: one": extra("orientations", lambda v: v[:1]),
    "needs-together: weights": lean,
    "pickle: state": remember,
    "reference: square": entries(lambda K: K**2),
}

EXPECTATIONS: dict[str, Callable[[Expectations], Expectations]] = {
    "expectations: half": lambda a: replace(a, values=a.values * 0.5),
    "expectations: sign": lambda a: replace(a, values=a.values * [-1, 1, 1, 1, 1]),
    "expectations: order": lambda a: replace(a, values=np.sort(a.values, axis=0)),
    "expectations: certain": lambda a: replace(a, stderr=np.zeros_like(a.values)),
    "expectations: shape": lambda a: replace(a, values=a.values.T),
}

PLANS: dict[str, Callable[[Any, Any], Any]] = {
    "plan: entries": lambda p, X: replace(p, entries=p.entries + 1),
    "plan: shots": lambda p, X: replace(p, shots=p.shots // 2),
    "plan: no": lambda p, X: replace(p, feasible=False, reason="too large"),
    "plan: duplicates": lambda p, X: replace(p, entries=45) if np.ndim(X) == 2 and len(X) == 10 else p,
}

SAMPLED = {
    "answers: exact",
    "answers: no stderr",
    "answers: shots are floats",
    "stderr: certain",
    "stderr: three times",
    "stderr: a third",
    "frequencies: moved",
    "frequencies: other shots",
    "pickle: no seed",
    "expectations: certain",
    "plan: shots",
    "bad-options: shots",
    "scaled: other draws",
}
BOTH = {"distributions: reversed", "shots-of-pairs: ignored", "repetitions: ignored", "diagonal: ignored"}
OTHERS = {
    "answers: exact",
    "prepared: nothing held",
    "gradients: zero",
    "gradients: one",
    "scaled: anything",
    "scaled: other draws",
    "clone: copy",
    "pickle: function",
    "pickle: no seed",
}
FAULTS = [
    (fault, shots)
    for fault in sorted({*BEFORE, *AFTER, *EXPECTATIONS, *PLANS, *OTHERS})
    for shots in ((None, 200) if fault in BOTH else (200,) if fault in SAMPLED else (None,))
]


class FaultyNoisy(Fault, DensityMatrixEngine):
    """A noisy engine with one fault."""

    def __init__(self, fault: str, shots: int | None = None, seed: int = 3, table: NoiseTable | None = None) -> None:
        super().__init__(table or TABLE, shots, seed)
        self.fault = fault

    def scaled(self, factor: float, *, readout: bool = True) -> Any:
        found = super().scaled(factor, readout=readout)
        if self.fault.startswith("distributions"):
            return FaultyNoisy(self.fault, self.shots, self.seed, found.noise)
        return found

    def __reduce__(self) -> Any:
        return FaultyNoisy, (self.fault, self.shots, self.seed)


def one_way(engine: Fault, answer: Overlaps, X: Any, Y: Any, options: Any) -> Overlaps:
    """K(X, Y) always prepares X: half of its entries are those of the other orientation."""
    if not is_cross(X, Y, options) or options.get("orientation", "canonical") == "both":
        return answer
    both = DensityMatrixEngine(TABLE).overlaps(
        small_program(), X, Y, theta=options["theta"], orientation="both", need={"orientations"}
    )
    return replace(answer, values=both.orientations[1])


def average(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    return X, Y, options | {"orientation": "both"}


def filled(engine: Fault, X: Any, Y: Any, options: Any) -> Any:
    return X, Y, options | ({"diagonal": False} if options.get("diagonal", "auto") == "auto" else {})


def halves(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    bits = bits.copy()
    bits[..., ::2, :] = 0
    return np.sort(bits, axis=-2)


BEFORE |= {"orientations: averaged": average, "diagonal: filled": filled}
AFTER |= {
    "blocks: one way": one_way,
    "bits: zeros": extra("bits", halves),
    "bits: unsorted": extra("bits", lambda b: b[..., ::-1, :]),
    "bits: high": extra("bits", lambda b: b | 128),
    "bits: type": extra("bits", lambda b: b.astype(np.int64)),
    "bits: readout": extra("readout", lambda r: np.swapaxes(r, 1, 2)),
    "bits: no readout": extra("readout", lambda r: None),
    "outcomes: other zero": extra("outcomes", lambda p: np.roll(p, 1, axis=-1)),
    "outcomes: sum": extra("outcomes", lambda p: p * np.r_[1.0, np.full(p.shape[-1] - 1, 0.9)]),
    "outcomes: order of qubits": extra("outcomes", lambda p: p[..., [0, 2, 1, 3]]),
    "distributions: outcomes": extra("outcomes", lambda p: p[..., [0, 2, 1, 3]]),
    "distributions: bits": extra("bits", lambda b: np.array([0, 2, 1, 3], dtype=np.uint8)[b]),
    "outcomes: readout": extra("readout", lambda r: r[:1]),
}
NOISY_FAULTS = {
    "blocks: one way": {None},
    "bits: zeros": {40},
    "bits: unsorted": {40},
    "bits: high": {40},
    "bits: type": {40},
    "bits: readout": {40},
    "bits: no readout": {40},
    "outcomes: other zero": {None},
    "outcomes: sum": {None},
    "outcomes: readout": {None},
    "distributions: reversed": {None, 2000},
    "distributions: outcomes": {None},
    "distributions: bits": {2000},
    "orientations: averaged": {None},
    "diagonal: filled": {None, 40},
}
