"""Does the default engine take all 30 columns of breast_cancer in seconds?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from benchmarks._competitors import aer_states, overlap_product
from benchmarks._harness import (
    Case,
    Check,
    Goal,
    Result,
    Values,
    compare,
    compile_seconds,
    engine_contender,
    judge_value,
)
from qkernels import AutoEngine, MPSEngine, OverlapProgram, ZZFeatureMap

__all__ = ["CASE"]


def angles_of_table(n_rows: int, n_features: int) -> Callable[[int], Values]:
    """Standardised columns times 0.55/√d, the map's own scale rule, with a relative jitter of 1e-3 per round."""
    X = StandardScaler().fit_transform(load_breast_cancer().data[:n_rows, :n_features])
    scaled = X * 0.55 / np.sqrt(n_features)

    def rows(round_number: int) -> Values:
        noise = np.random.default_rng(round_number).standard_normal(scaled.shape)
        return np.asarray(scaled * (1 + 1e-3 * noise))

    return rows


def transfer_sum(X: Values, Y: Values) -> Values:
    """k(x, y) of matching rows, exactly, from its sum over basis states; knows no circuit and no library.

    With f(x, a) = exp i(Σ 2 x_i a_i + Σ 2 x_i x_{i+1} (a_i ⊕ a_{i+1})), the state is
    ψ_b = 2^-n f(x, b) Σ_a (−1)^(a·b) f(x, a), so ⟨ψ(y)|ψ(x)⟩ is a sum over three bits (a, b, c) per site that only
    neighbouring sites couple: one 8 × 8 transfer matrix per site.
    """
    a, b, c = ((np.arange(8) >> k) & 1 for k in range(3))
    sign = (-1.0) ** (a * b + b * c)

    def coupling(p: Values, q: Values, left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.complex128]:
        """Phases of a and b at x, of b and c at y, for bits that are (or differ, between sites) as given."""
        ones = [bits[left] ^ bits[right] for bits in (a, b, c)]
        phase = np.multiply.outer(p, ones[0] + ones[1]) - np.multiply.outer(q, ones[1] + ones[2])
        return np.asarray(np.exp(1j * phase))

    zero = np.zeros(8, dtype=np.intp)
    site, (left, right) = np.arange(8), np.indices((8, 8))
    total = np.ones((len(X), 8), dtype=np.complex128)
    for i in range(X.shape[1]):
        if i:
            pair = coupling(2 * X[:, i - 1] * X[:, i], 2 * Y[:, i - 1] * Y[:, i], left, right)
            total = np.einsum("nl,nlr->nr", total, pair)
        total *= sign * coupling(2 * X[:, i], 2 * Y[:, i], zero, site) / 4
    return np.asarray(np.abs(total.sum(axis=1)) ** 2)


def run(sizes: Mapping[str, int]) -> Result:
    d, n_rows, narrow = sizes["features"], sizes["rows"], sizes["narrow_features"]
    feature_map = ZZFeatureMap(reps=2, entanglement="linear", data_map="product")
    engine, rows = AutoEngine(), angles_of_table(n_rows, d)
    circuit, x = feature_map.build(d), list(feature_map.parameter_vector(d))
    compiling = compile_seconds(engine, lambda: OverlapProgram(circuit, x), rows)
    program = OverlapProgram(circuit, x)
    ours = engine_contender(engine, program)
    seconds, _ = compare(ours, [], rows, sizes["rounds"])

    X = rows(0)
    answer = engine.overlaps(program, X)
    index = np.random.default_rng(0).integers(n_rows, size=(sizes["pairs"], 2))
    exact = transfer_sum(X[index[:, 0]], X[index[:, 1]])
    wide = Check(
        float(np.abs(answer.values[index[:, 0], index[:, 1]] - exact).max()), f"exact sum in NumPy, {len(index)} pairs"
    )

    small, small_x = feature_map.build(narrow), list(feature_map.parameter_vector(narrow))
    small_program, small_rows = OverlapProgram(small, small_x), angles_of_table(n_rows, narrow)(0)
    reference = overlap_product(aer_states(small, small_x)(small_rows))
    differences, used = {}, {}
    for narrow_engine in (engine, MPSEngine()):
        got = narrow_engine.overlaps(small_program, small_rows)
        differences[repr(narrow_engine)] = float(np.abs(got.values - reference).max())
        used[repr(narrow_engine)] = got.info["engine"]
    statevectors = Check(max(differences.values()), f"Aer statevectors, {narrow} features")

    question = f"ZZ-linear product reps=2, {d} features, N={n_rows}: whole Gram"
    time = median(seconds[ours.name])
    result = [
        judge_value(question, check.against, "s", time, Goal("value", 3.0), check) for check in (statevectors, wide)
    ]
    details = {
        "feature_map": repr(feature_map),
        "data": "breast_cancer standardised times 0.55/sqrt(d), relative jitter 1e-3 in every round",
        "ours": {"engine": repr(engine), "chosen": answer.info["engine"], "chosen_narrow": used},
        "narrow_differences": differences,
        "compile_seconds": compiling,
        "seconds": seconds,
    }
    return Result(result, details)


CASE = Case(
    "wide_mps",
    "All 30 columns of a table through the default engine",
    run,
    full={"features": 30, "rows": 569, "narrow_features": 12, "pairs": 2000, "rounds": 5},
    quick={"features": 6, "rows": 12, "narrow_features": 3, "pairs": 30, "rounds": 2},
)
