"""Laws of the entries: what two questions about the same pair of rows have in common."""

from __future__ import annotations

import numpy as np

from qkernels.engines import clear_cache
from qkernels.programs import Overlaps
from qkernels.testing._subject import Law, Subject, require

__all__ = ["MATRIX_LAWS"]


def _answers(s: Subject) -> None:
    require(isinstance(s.engine.is_exact, bool), f"is_exact must be a bool; got {s.engine.is_exact!r}")
    shapes = {
        "K(X, X)": (s.gram, (len(s.X), len(s.X))),
        "K(X, Y)": (s.overlaps(None, s.Y), (len(s.X), len(s.Y))),
        "pairs": (s.overlaps(pairs=s.pairs), (len(s.pairs),)),
    }
    for what, (answer, shape) in shapes.items():
        require(isinstance(answer, Overlaps), f"{what} is a {type(answer).__name__}, not an Overlaps")
        require(
            answer.values.shape == shape and answer.values.dtype == np.float64,
            f"values of {what} must be float64 of shape {shape}; got {answer.values.dtype}, {answer.values.shape}",
        )
        require(
            (answer.stderr is None) == (answer.num_shots is None),
            f"{what} has only one of stderr and num_shots; sampled values have both, exact ones none",
        )
        if answer.stderr is not None and answer.num_shots is not None:
            require(not s.engine.is_exact, f"is_exact is True, but {what} has shots")
            require(
                answer.stderr.shape == shape and answer.stderr.dtype == np.float64,
                f"stderr of {what} must be float64 of shape {shape}; got {answer.stderr.dtype}, {answer.stderr.shape}",
            )
            require(
                answer.num_shots.shape == shape and answer.num_shots.dtype == np.int64,
                f"num_shots of {what} must be int64 of shape {shape}; got {answer.num_shots.dtype}, "
                f"{answer.num_shots.shape}",
            )
        for key in ("engine", "program", "diagonal"):
            require(key in answer.info, f"info of {what} lacks {key!r}")
        require(answer.info["program"] == s.program.key, f"info of {what} names another program than its key")
        told = answer.info.get("num_qubits", s.program.num_qubits)
        require(
            told == s.program.num_qubits,
            f"info of {what} says num_qubits={told!r}; the program has {s.program.num_qubits}",
        )


def _range(s: Subject) -> None:
    for what, answer in (("K(X, X)", s.gram), ("K(X, Y)", s.overlaps(None, s.Y))):
        values = answer.values
        require(np.isfinite(values).all(), f"{what} is not finite")
        require(
            values.min() >= 0.0 and values.max() <= 1.0, f"{what} reaches from {values.min()!r} to {values.max()!r}"
        )


def _symmetry(s: Subject) -> None:
    for orientation in ("canonical", "both"):
        answer = s.overlaps(orientation=orientation) if orientation == "canonical" or s.shots != 1 else s.gram
        gap = np.abs(answer.values - answer.values.T).max()
        require(gap == 0.0, f"orientation={orientation!r}: entries differ from their transposes by up to {gap:.2g}")
        for field in ("stderr", "num_shots"):
            array = getattr(answer, field)
            require(array is None or (array == array.T).all(), f"{field} is not symmetric")


def _diagonal(s: Subject) -> None:
    measured = s.overlaps(diagonal=True)
    filled = s.overlaps(diagonal=False)
    require((np.diag(filled.values) == 1.0).all(), "diagonal=False does not fill in 1")
    require("fill" in str(filled.info.get("diagonal")), f"diagonal=False is not told: {filled.info.get('diagonal')!r}")
    if s.is_noiseless:
        for how, answer in (("'auto'", s.gram), ("True", measured)):
            d = np.diag(answer.values)
            require((d == 1.0).all(), f"diagonal={how}: a row with itself has {d.min()!r} without noise")
    else:
        s.same(np.diag(s.gram.values), np.diag(measured.values), "diagonal='auto' and diagonal=True of a noisy engine")
    if measured.num_shots is not None and filled.num_shots is not None:
        require((np.diag(measured.num_shots) == s.shots).all(), "diagonal=True: num_shots is not the engine's")
        require((np.diag(filled.num_shots) == 0).all(), "diagonal=False: num_shots of what is filled in is not 0")
    off = ~np.eye(len(s.X), dtype=bool)
    for how, answer in (("True", measured), ("False", filled)):
        s.same(answer.values[off], s.gram.values[off], f"entries of different rows with diagonal={how} and 'auto'")


def _duplicates(s: Subject) -> None:
    n = len(s.X)
    double = s.fresh(np.vstack([s.X, s.X[[2, 0]]])).values
    s.same(double[:n, :n], s.gram.values, "K of rows with and without duplicates")
    for copy, original in ((n, 2), (n + 1, 0)):
        s.same(double[copy], double[original], f"row {original} and its duplicate")
        s.same(double[copy, original], s.gram.values[original, original], "a duplicate pair and the diagonal")
    across = s.fresh(s.X, np.vstack([s.Y[:1], s.X[3:4]])).values
    s.same(across[:, 1], s.gram.values[:, 3], "K(X, Y) at a row of X in Y and the same column of K(X, X)")
    within = s.fresh(pairs=np.array([[1, 1], [4, 4]])).values
    s.same(within, np.diag(s.gram.values)[[1, 4]], "pairs of a row with itself and the diagonal")


def _blocks(s: Subject) -> None:
    n = len(s.X)
    whole = s.fresh(np.vstack([s.X, s.Y])).values
    s.same(s.fresh().values, whole[:n, :n], "K(X, X) and the same block of K of all rows")
    s.same(s.fresh(s.X, s.Y).values, whole[:n, n:], "K(X, Y) and the same block of K of all rows")
    s.same(s.fresh(s.Y, s.X).values, whole[n:, :n], "K(Y, X) and the transpose of K(X, Y)")
    s.same(s.fresh(s.X[1:2], s.Y[:1]).values, whole[1:2, n : n + 1], "a single entry and the same entry of K")


def _permutation(s: Subject) -> None:
    order = np.roll(np.arange(len(s.X))[::-1], 2)
    s.same(s.fresh(s.X[order]).values, s.gram.values[np.ix_(order, order)], "K of reordered rows and reordered K")
    cross = s.overlaps(s.X, s.Y).values
    s.same(s.fresh(s.X[order], s.Y[::-1]).values, cross[order][:, ::-1], "K(X, Y) of reordered rows and reordered K")


def _pairs(s: Subject) -> None:
    i, j = s.pairs.T
    s.same(s.fresh(pairs=s.pairs).values, s.gram.values[i, j], "pairs and entries of K(X, X)")
    s.same(s.fresh(pairs=s.pairs[::-1, ::-1]).values, s.gram.values[i, j][::-1], "pairs asked for in another order")
    across = s.pairs % len(s.Y)
    s.same(
        s.fresh(s.X, s.Y, pairs=across).values,
        s.overlaps(s.X, s.Y).values[tuple(across.T)],
        "pairs and entries of K(X, Y)",
    )


def _prepared(s: Subject) -> None:
    X, Y = (s.engine.prepare(s.program, rows, s.theta) for rows in (s.X, s.Y))
    require(X.nbytes > 0 and X.num_samples == len(s.X), f"prepared rows say nbytes={X.nbytes}, {X.num_samples} samples")
    s.same(s.overlaps(X).values, s.gram.values, "K of prepared rows and K of X")
    expected = s.overlaps(s.X, s.Y).values
    for left, right, what in ((X, Y, "both sides"), (X, s.Y, "X"), (s.X, Y, "Y")):
        s.same(s.overlaps(left, right).values, expected, f"K(X, Y) with {what} prepared and without")
    s.same(s.overlaps(X, pairs=s.pairs).values, s.overlaps(pairs=s.pairs).values, "pairs of prepared rows and of X")


def _repeats(s: Subject) -> None:
    rows = s.X.copy()
    first = s.fresh(rows)
    kept = first.values.copy()
    s.same(s.overlaps(rows).values, kept, "the same question asked twice")
    if first.values.flags.writeable:
        first.values[...] = 0.5  # an answer belongs to who asked
    second = s.overlaps(rows).values.copy()
    if first.values.flags.writeable:
        first.values[...] = kept  # or every later answer would be wrong
    s.same(second, kept, "an answer and the next one after the first was written to")
    s.same(s.fresh(rows).values, kept, "the same question before and after clear_cache()")
    require((rows == s.X).all(), "X was changed")
    clear_cache()


MATRIX_LAWS = (
    Law("answers", "values and shots have their shapes and types, info names engine and program", _answers),
    Law("range", "values lie in [0, 1]", _range),
    Law("symmetry", "K(X, X) equals its transpose", _symmetry),
    Law("diagonal", "a row with itself is 1 without noise, measured with noise, 1 on request", _diagonal),
    Law("duplicates", "equal rows have equal entries, the diagonal value with each other", _duplicates),
    Law("blocks", "an entry is the same in any block, on either side of the diagonal", _blocks),
    Law("permutation", "reordered rows give the reordered matrix", _permutation),
    Law("pairs", "pairs are the entries of the matrix", _pairs),
    Law("prepared", "prepared rows give what their data give", _prepared),
    Law("repeats", "a question has one answer, whatever is in the cache", _repeats),
)
