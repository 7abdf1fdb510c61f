"""An engine that shares no code with the library's: outcome distributions by plain NumPy, with noise of a known kind.

Row x is depolarized globally with rate λ(x), so a pair with λ + λ' − λλ'; then every qubit is read with its own error.
Everything that `need` may ask for is there, exact or sampled by content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from qkernels.engines import Engine
from qkernels.programs import OverlapProgram, Overlaps, wilson_stderr
from tests.oracle import oracle_matrix

Rate = Callable[[np.ndarray], float]


def ideal_outcomes(program: OverlapProgram, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pr(b) of U(y)†U(x)|0⟩, with x the smaller row."""
    first, second = sorted([x.tolist(), y.tolist()])
    u, v = (oracle_matrix(program.circuit, dict(zip(program.x, row, strict=True))) for row in (first, second))
    return np.abs(v.conj().T @ u[:, 0]) ** 2


def read(p: np.ndarray, readout: np.ndarray) -> np.ndarray:
    """Distribution of what is read; the matrix of all outcomes at once, qubit 0 the lowest bit."""
    full = np.eye(1)
    for matrix in readout:
        full = np.kron(matrix, full)
    return full @ p


def by_weight(p: np.ndarray, patches: list[list[int]]) -> np.ndarray:
    weights = np.zeros(len(patches) + 1)
    for outcome, share in enumerate(p):
        weights[sum(any(outcome >> q & 1 for q in patch) for patch in patches)] += share
    return weights


class NoisyOracle(Engine):
    """Global depolarizing noise and readout errors, exactly as documented above."""

    def __init__(self, rate: float | Rate, readout: np.ndarray, shots: int | None = None, seed: int = 0) -> None:
        self.rate = rate
        self.readout = readout
        self.shots = shots
        self.seed = seed
        self.asked: list[tuple[str, frozenset[str]]] = []

    @property
    def is_exact(self) -> bool:
        return False

    def prepare(self, *args: object, **options: object) -> object:
        raise NotImplementedError

    expectations = plan = prepare

    def _rate(self, row: np.ndarray) -> float:
        return float(self.rate(row) if callable(self.rate) else 1 - np.sqrt(1 - self.rate))

    def _pair(self, program: OverlapProgram, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distribution, and counts by outcome drawn by content."""
        a, b = self._rate(x), self._rate(y)
        loss = a + b - a * b
        p = ideal_outcomes(program, x, y)
        p = read((1 - loss) * p + loss / len(p), self.readout)
        if self.shots is None:
            return p, p
        content = np.array(sorted([x.tolist(), y.tolist()])).tobytes() + f"{program.key}{self.seed}".encode()
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8], "little"))
        counts = rng.multinomial(self.shots, p / p.sum())
        return counts / self.shots, counts

    def overlaps(self, program, X, Y=None, *, need=frozenset(), pairs=None, shots=None, **options) -> Overlaps:
        assert shots is None
        X = np.asarray(X)
        other = X if Y is None else np.asarray(Y)
        self.asked.append(("pairs" if pairs is not None else "gram" if Y is None else "cross", frozenset(need)))
        if pairs is None:
            where = [(i, j) for i in range(len(X)) for j in range(len(other))]
            shape: tuple[int, ...] = (len(X), len(other))
        else:
            where, shape = [tuple(pair) for pair in pairs], (len(pairs),)
        found = [self._pair(program, X[i], other[j]) for i, j in where]
        p = np.array([one for one, _ in found])
        values = p[:, 0].reshape(shape)
        result: dict[str, object] = {"readout": self.readout if "bits" in need else None}
        if self.shots is not None:
            num_shots = np.full(shape, self.shots)
            result |= {"stderr": wilson_stderr(values, num_shots), "num_shots": num_shots}
        if "weights" in need:
            patches = program.patches or [[q] for q in range(program.num_qubits)]
            result["weights"] = np.array([by_weight(one, patches) for one in p]).reshape(*shape, -1)
        if "bits" in need and self.shots is None:
            result["outcomes"] = p.reshape(*shape, -1)
        elif "bits" in need:
            bits = [np.repeat(np.arange(len(counts), dtype=np.uint8), counts) for _, counts in found]
            result["bits"] = np.array(bits)[..., None].reshape(*shape, self.shots, 1)
        if "diagonal" in need and pairs is None:
            own = [np.array([self._pair(program, row, row)[0][0] for row in table]) for table in (X, other)]
            result["diagonals"] = tuple(own)
        return Overlaps(values, info={"num_qubits": program.num_qubits}, **result)
