"""A noisy engine that is a formula: global depolarising noise, p = a + (k − a) exp(−rate · gates)."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, exp

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels.engines import Diagonal, Engine, Need, Orientation, Prepared, StatevectorEngine
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
    pair_uniforms,
    row_keys,
    sample_frequencies,
    single_uniforms,
    wilson_stderr,
)

Values = NDArray[np.float64]
EXACT = StatevectorEngine()


class DepolarizedEngine(Engine):
    """Without a noise table: every gate costs exp(−rate); backwards exp(−rate (1 + tilt))."""

    def __init__(
        self, rate: float = 0.01, shots: int | None = None, seed: int = 0, tilt: float = 0.0, limit: int = 1 << 30
    ) -> None:
        self.rate, self.shots, self.seed, self.tilt, self.memory_limit = rate, shots, seed, tilt, limit
        self.asked: list[dict[str, object]] = []

    @property
    def is_exact(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self.rate:.6g}, shots={self.shots})"

    def kept(self, program: Program, backward: bool = False) -> float:
        """What is left of the distance from the mixed state after one run of the circuit."""
        gates = sum(not op.is_directive for op in program.flat.ops)
        return exp(-self.rate * gates * (1.0 + self.tilt * backward))

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        rows = np.asarray(X, dtype=float)
        angles = program.bind_angles(rows, theta)
        keys = row_keys(angles, program.key)
        return Prepared(program.key, repr(self), "", "", keys, None, angles, (rows, theta), rows.nbytes)

    def _rows(self, program: Program, X: ArrayLike | Prepared) -> Values:
        if isinstance(X, Prepared):
            assert X.program_key == program.key
            assert X.engine == repr(self)
            return X.data[0]
        return np.asarray(X, dtype=float)

    def overlaps(
        self,
        program: OverlapProgram,
        X: ArrayLike | Prepared,
        Y: ArrayLike | Prepared | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Overlaps:
        assert shots is None
        assert self.shots is not None or repetition == 0
        self.asked.append({"program": program, "repetition": repetition, "need": frozenset(need)})
        a = self._rows(program, X)
        b = a if Y is None else self._rows(program, Y)
        keys = [row_keys(program.bind_angles(rows, theta), program.key) for rows in (a, b)]
        # every entry as one of a cross block, so that self-values are measured like others
        options = {"theta": theta, "need": {"weights"} & set(need), "orientation": orientation}
        exact = EXACT.overlaps(program, a, b, **options)
        k, weights = np.array(exact.values), exact.weights
        same = (keys[0][:, None] == keys[1][None]).all(axis=-1)
        if pairs is not None:
            i, j = np.asarray(pairs).T
            k, same, left, right = k[i, j], same[i, j], keys[0][i], keys[1][j]
            weights = None if weights is None else weights[i, j]
        else:
            left, right = keys[0][:, None], keys[1][None]
        mixed = 2.0**-program.num_qubits
        p = np.stack([mixed + (k - mixed) * self.kept(program, way) ** 2 for way in (False, True)])
        p[1, same] = p[0, same]
        stderr, num_shots = None, None
        if self.shots is None:
            values = p.mean(axis=0) if orientation == "both" else p[0]
        else:
            each = self.shots // 2 if orientation == "both" else self.shots
            names = [f"{each},{repetition},{way}" for way in range(2)]
            p = np.stack(
                [
                    sample_frequencies(q, pair_uniforms(left, right, self.seed, name), each)
                    for q, name in zip(p, names, strict=True)
                ]
            )
            values = p.mean(axis=0) if orientation == "both" else p[0]
            num_shots = np.full(values.shape, 2 * each if orientation == "both" else each)
            stderr = wilson_stderr(values, num_shots)
        if diagonal is False:
            values[same], p[:, same] = 1.0, 1.0
            if num_shots is not None and stderr is not None:
                num_shots[same], stderr[same] = 0, 0.0
        if weights is not None:
            assert self.shots is None
            classes = np.array([comb(program.num_qubits, w) for w in range(program.num_qubits + 1)]) * mixed
            weights = classes + (weights - classes) * self.kept(program) ** 2
        orientations = p if "orientations" in need else None
        return Overlaps(values, stderr, num_shots, weights, orientations=orientations, info={"diagonal": "measured"})

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        self.asked.append({"program": program})
        keys = row_keys(program.bind_angles(X, theta), program.key)
        values, variances = np.zeros((2, len(np.asarray(X)), len(program.terms)))
        for column, terms in enumerate(program.terms):
            for label, coefficient in terms:
                if set(label) == {"I"}:
                    values[:, column] += coefficient
                    continue
                one = ExpectationProgram(program.circuit, program.x, program.theta, label)
                mean = EXACT.expectations(one, X, theta=theta).values[:, 0] * self.kept(program)
                if self.shots is not None:
                    u = single_uniforms(keys, self.seed, f"{label},{self.shots}")
                    frequency = sample_frequencies(0.5 + 0.5 * mean, u, self.shots)
                    mean = 2.0 * frequency - 1.0
                    variances[:, column] += (2.0 * coefficient * wilson_stderr(frequency, self.shots)) ** 2
                values[:, column] += coefficient * mean
        if self.shots is None:
            return Expectations(values)
        return Expectations(values, np.sqrt(variances), self.shots)

    def plan(
        self,
        program: Program,
        X: ArrayLike | int,
        Y: ArrayLike | int | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Plan:
        n_x, n_y = (n if isinstance(n, int) else len(np.asarray(n)) for n in (X, X if Y is None else Y))
        entries = n_x * n_y if pairs is None else len(np.asarray(pairs))
        if isinstance(program, ExpectationProgram):
            entries = n_x
        elif pairs is None and Y is None:
            entries = n_x * (n_x + 1) // 2
        memory = 1000 * entries
        feasible = memory <= self.memory_limit
        return Plan(
            engine=repr(self),
            num_qubits=program.num_qubits,
            circuits=2 * entries if orientation == "both" else entries,
            entries=entries,
            shots=entries * (self.shots or 0),
            memory_bytes=memory,
            memory_limit_bytes=self.memory_limit,
            feasible=feasible,
            reason="" if feasible else f"{entries} entries are too many",
        )


class ScalableEngine(DepolarizedEngine):
    """With a noise strength that can be scaled."""

    def scaled(self, factor: float, *, readout: bool = True) -> ScalableEngine:
        self.asked.append({"factor": factor, "readout": readout})
        return ScalableEngine(self.rate * factor, self.shots, self.seed, self.tilt, self.memory_limit)


def at_zero(coefficients: Sequence[float], factors: Sequence[float], kept: float) -> float:
    """Σ h_k f^λ_k: what a linear combination leaves of a distance that decays by f for every unit of noise."""
    return float(sum(h * kept**f for h, f in zip(coefficients, factors, strict=True)))
