"""More shots for a measured Gram matrix, where they matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidDataError
from qkernels.kernels._fidelity_rule import FidelityRule
from qkernels.programs import Overlaps, allocate_shots, pool_frequencies, row_keys, wilson_stderr

__all__ = ["check_importance", "refine_gram", "with_refined_rows"]

Values = NDArray[np.float64]


def check_importance(importance: ArrayLike, shape: tuple[int, ...]) -> Values:
    """The importance of every entry of a matrix of this shape, between 0 and 1: only ratios count.

    Raises
    ------
    InvalidDataError
        No finite real matrix of that shape.
    """
    rule = f"importance of FidelityKernel.refine must be a finite matrix of shape {shape}, one entry for each of gram_"
    try:
        if np.iscomplexobj(importance):
            raise TypeError("it holds complex numbers")
        weights = np.abs(np.asarray(importance, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"{rule}; got no array of real numbers ({error}).") from error
    if weights.shape != shape:
        raise InvalidDataError(f"{rule}; got shape {weights.shape}.")
    if count := int((~np.isfinite(weights)).sum()):
        raise InvalidDataError(f"{rule}; got shape {weights.shape} with {count} not finite.")
    return np.asarray(weights / (weights.max() or 1.0))  # sums of huge ones would overflow


def refine_gram(
    rule: FidelityRule, A: Values, measured: Overlaps, importance: Values, shots: int, repetition: int
) -> Overlaps:
    """Measure some pairs of a Gram matrix again and pool the counts.

    Equal rows are one row: every pair of distinct rows is measured once, with the importance of all its entries; so is
    every row with itself, where an engine with noise measures it.

    Parameters
    ----------
    rule : FidelityRule
        Of a sampling engine.
    A : ndarray of shape (n, encoded_width)
    measured : Overlaps
        Of the Gram matrix of A so far, with `num_shots`.
    importance : ndarray of shape (n, n)
        Of every entry, as `check_importance` returns it.
    shots : int
        To spend now.
    repetition : int >= 1
        Number of the round, so that its draws are new.
    """
    if measured.num_shots is None:
        return measured
    _, first, inverse = np.unique(_keys(rule, A), axis=0, return_index=True, return_inverse=True)
    inverse, n = inverse.ravel(), len(first)
    # A noiseless diagonal is known; a measured one is improved like any other entry.
    i, j = np.triu_indices(n, 0 if measured.num_shots[first, first].all() else 1)
    if not len(i):
        return measured
    weight = np.zeros((n, n))
    np.add.at(weight, (inverse[:, None], inverse[None, :]), importance)
    weight += np.triu(weight.T, 1)
    values, spent = measured.values[first[i], first[j]], measured.num_shots[first[i], first[j]]
    total_shots = int(spent.sum()) + shots
    target = allocate_shots(values, weight[i, j], total_shots, minimum=0, pilot_shots=spent)
    unit = 2 if rule.orientation == "both" else 1
    more = unit * _largest_shortfalls(target - spent, shots // unit)
    chosen = np.flatnonzero(more)
    if not len(chosen):  # one shot is not enough for two orientations
        return measured
    pairs = np.stack([first[i[chosen]], first[j[chosen]]], axis=1)
    found = rule.engine.overlaps(
        rule.program, A, pairs=pairs, shots=more[chosen], repetition=repetition, orientation=rule.orientation
    )
    values[chosen], spent[chosen] = pool_frequencies(values[chosen], spent[chosen], found.values, more[chosen])
    distinct, everywhere = np.ix_(first, first), np.ix_(inverse, inverse)
    gram, total = measured.values[distinct], measured.num_shots[distinct]
    gram[i, j] = gram[j, i] = values
    total[i, j] = total[j, i] = spent
    gram, total = gram[everywhere], total[everywhere]
    stderr = np.where(total > 0, wilson_stderr(gram, np.maximum(total, 1)), 0.0)
    diagonal = np.diag(gram).copy()
    return Overlaps(gram, stderr, total, diagonals=(diagonal, diagonal), info=measured.info)


def with_refined_rows(cross: Overlaps, rule: FidelityRule, A: Values, fitted: Values, measured: Overlaps) -> Overlaps:
    """A cross block in which rows that are training rows have the refined entries of these.

    Parameters
    ----------
    cross : Overlaps
        Of A with the training rows, with `num_shots`.
    rule : FidelityRule
    A : ndarray of shape (n_new, encoded_width)
    fitted : ndarray of shape (n_fit, encoded_width)
    measured : Overlaps
        The refined Gram matrix.
    """
    if cross.num_shots is None or measured.num_shots is None:
        return cross
    a, b = _keys(rule, A), _keys(rule, fitted)
    alike = (a[:, None] == b[None, :]).all(axis=-1)
    new = np.flatnonzero(alike.any(axis=1))
    old = alike[new].argmax(axis=1)
    values, num_shots = cross.values.copy(), cross.num_shots.copy()
    values[new], num_shots[new] = measured.values[old], measured.num_shots[old]
    stderr = None if cross.stderr is None or measured.stderr is None else cross.stderr.copy()
    if stderr is not None and measured.stderr is not None:
        stderr[new] = measured.stderr[old]
    diagonals = None
    if cross.diagonals is not None:
        refined = np.diag(measured.values).copy()
        own = cross.diagonals[0].copy()
        own[new] = refined[old]
        diagonals = (own, refined)
    return replace(cross, values=values, stderr=stderr, num_shots=num_shots, diagonals=diagonals)


def _keys(rule: FidelityRule, A: Values) -> NDArray[np.uint64]:
    """Content keys of encoded rows: rows that differ only in what the circuit ignores are one point to the engine."""
    return row_keys(rule.program.bind_angles(A), rule.program.key)


def _largest_shortfalls(shortfall: NDArray[np.int64], shots: int) -> NDArray[np.int64]:
    """Whole shots in proportion to what is missing, as pairs that have too many already give nothing back."""
    missing = np.maximum(shortfall, 0)
    share = missing * (shots / missing.sum())
    more = np.floor(share).astype(np.int64)
    rest = shots - int(more.sum())
    more[np.argsort(more - share, kind="stable")[:rest]] += 1
    return np.asarray(more)
