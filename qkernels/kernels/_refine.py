"""More shots for a measured Gram matrix, where they matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkernels.kernels._fidelity_rule import FidelityRule
from qkernels.programs import Overlaps, allocate_shots, pool_frequencies, wilson_stderr

__all__ = ["refine_gram"]

Values = NDArray[np.float64]


def refine_gram(
    rule: FidelityRule, A: Values, measured: Overlaps, importance: Values, shots: int, repetition: int
) -> Overlaps:
    """Measure some pairs of a Gram matrix again and pool the counts.

    Equal rows are one row: every pair of distinct rows is measured once, with the importance of all its entries.

    Parameters
    ----------
    rule : FidelityRule
        Of a sampling engine.
    A : ndarray of shape (n, encoded_width)
    measured : Overlaps
        Of the Gram matrix of A so far, with `num_shots`.
    importance : ndarray of shape (n, n)
        Derivative of what matters with respect to every entry.
    shots : int
        To spend now.
    repetition : int >= 1
        Number of the round, so that its draws are new.
    """
    _, first, inverse = np.unique(A, axis=0, return_index=True, return_inverse=True)
    n = len(first)
    if n < 2 or measured.num_shots is None:
        return measured
    weight = np.zeros((n, n))
    np.add.at(weight, (inverse[:, None], inverse[None, :]), np.abs(importance))
    i, j = np.triu_indices(n, 1)
    values, spent = measured.values[first[i], first[j]], measured.num_shots[first[i], first[j]]
    known = np.maximum(spent, 1)
    target = allocate_shots(values, weight[i, j] + weight[j, i], int(spent.sum()) + shots, minimum=0, pilot_shots=known)
    more = _largest_shortfalls(target - spent, shots)
    if rule.orientation == "both":
        more -= more % 2
    chosen = np.flatnonzero(more)
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
    return Overlaps(gram, stderr, total, info=measured.info)


def _largest_shortfalls(shortfall: NDArray[np.int64], shots: int) -> NDArray[np.int64]:
    """Whole shots in proportion to what is missing, as pairs that have too many already give nothing back."""
    missing = np.maximum(shortfall, 0)
    share = missing * (shots / missing.sum())
    more = np.floor(share).astype(np.int64)
    rest = shots - int(more.sum())
    more[np.argsort(more - share, kind="stable")[:rest]] += 1
    return np.asarray(more)
