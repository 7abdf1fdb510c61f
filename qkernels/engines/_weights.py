"""Weights of the outcomes of U(y)†U(x)|0⟩ for many pairs of rows: which row is undone on which, and what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Prepared
from qkernels.engines._budget import Request
from qkernels.programs import OverlapProgram, is_canonical

__all__ = ["MOST_AMPLITUDES", "OutcomeClasses", "PairList", "gather", "tiles", "too_many_circuits", "weigh"]

MOST_AMPLITUDES = 1 << 32
"""Amplitudes (2^n for every pair and orientation) weighed in one request. An entry of a kernel matrix is a product of
two ready states, but its weights take a circuit of their own: 15 to 70 ns per amplitude on one core for two repetitions
of our maps (24 for ZZ-full), so this is about a minute on two cores, and up to three."""

_SHARED_PART = 4
"""A row that is undone on at least 1/4 of a tile's states gets tiles of its own, in which its gates are built once."""

Values = NDArray[np.float64]
Index = NDArray[np.intp]


class OutcomeClasses:
    """Outcomes of all qubits by their weight; call it with probabilities to get those of the weights.

    Parameters
    ----------
    program : OverlapProgram
    order : tuple of int
        Qubits of the outcome index, most significant bit first.

    Attributes
    ----------
    class_of : ndarray of shape (2**n,), intp
        Weight of every outcome.
    """

    def __init__(self, program: OverlapProgram, order: tuple[int, ...]) -> None:
        n = len(order)
        outcome = np.arange(1 << n)
        weight = np.zeros(1 << n, dtype=np.intp)
        for patch in program.patches or [(q,) for q in range(n)]:
            mask = sum(1 << (n - 1 - order.index(q)) for q in patch)
            weight += (outcome & mask) != 0
        self.class_of = weight
        self._sorted: Index = np.argsort(weight, kind="stable")
        self._starts = np.searchsorted(weight[self._sorted], np.arange(program.num_patches + 1))
        self.nbytes = weight.nbytes + self._sorted.nbytes + self._starts.nbytes

    def __call__(self, probabilities: NDArray[np.floating[Any]]) -> Values:
        """Probabilities of the weights, shape (n_states, num_patches + 1), from those of outcomes (n_states, 2^n)."""
        ordered = np.take(probabilities, self._sorted, axis=1)
        return np.asarray(np.add.reduceat(ordered, self._starts, axis=1, dtype=np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of different rows, each with its role; sorted by the row that is undone.

    Attributes
    ----------
    prepared, undone : Prepared
        The sides that the rows belong to.
    i, j : ndarray of shape (n_pairs,), intp
        Rows of `prepared` and of `undone`.
    zero : ndarray of shape (n_pairs,), float64
        Probability or frequency of weight 0: the entry of the pair.
    where : ndarray of shape (n_pairs,), intp
        Flat position of the pair in the answer.
    direction : {0, 1}
        0 prepares the row with the smaller key, 1 the other one.
    """

    prepared: Prepared
    undone: Prepared
    i: Index
    j: Index
    zero: Values
    where: Index
    direction: int

    def part(self, pairs: Index) -> PairList:
        """Some of the pairs."""
        columns = self.i[pairs], self.j[pairs], self.zero[pairs], self.where[pairs]
        return PairList(self.prepared, self.undone, *columns, self.direction)


def weigh(
    request: Request,
    frequencies: Values,
    pairs: Index | None,
    evaluate: Callable[[PairList], Iterator[tuple[Index, Values]]],
) -> Values:
    """Weights of a request, over all rows.

    Parameters
    ----------
    request : Request
    frequencies : ndarray of shape (n_x, n_y) or (n_pairs,), with two orientations where these are kept: (2, …)
        The entries.
    pairs : ndarray of shape (n_pairs, 2), intp, or None
    evaluate : callable
        Flat positions and weights of the pairs of a list, tile by tile.

    Returns
    -------
    ndarray of shape (n_x, n_y, num_patches + 1) or (n_pairs, num_patches + 1), float64
    """
    return gather(request, frequencies, pairs, evaluate, np.zeros(request.num_classes))


def gather(
    request: Request,
    frequencies: Values,
    pairs: Index | None,
    evaluate: Callable[[PairList], Iterator[tuple[Index, NDArray[Any]]]],
    empty: NDArray[Any],
) -> NDArray[Any]:
    """What is evaluated pair by pair beside the entries, over all rows.

    Parameters
    ----------
    request, frequencies, pairs
        As in `weigh`.
    evaluate : callable
        Flat positions and results of the pairs of a list, tile by tile.
    empty : ndarray of zeros
        The result of one pair: a distribution (float64), averaged over orientations; or measured bits of shape
        (shots, …) (uint8), the orientations one after the other.

    Returns
    -------
    ndarray of shape (n_x, n_y, …) or (n_pairs, …)
    """
    a, b = request.a, request.b or request.a
    directions = (0, 1) if request.orientation == "both" else (0,)
    entries = frequencies if request.draw.both else np.broadcast_to(frequencies, (len(directions), *frequencies.shape))
    if pairs is not None:
        i, j = (_distinct(side, column) for side, column in zip((a, b), pairs.T, strict=True))
        entry = entries
        out = np.zeros((len(pairs), *empty.shape), dtype=empty.dtype)
        flat = out
    else:
        n_a, n_b = len(a.keys), len(b.keys)
        first = 0 if request.measured_diagonal else 1
        i, j = np.triu_indices(n_a, first) if request.b is None else (m.ravel() for m in np.indices((n_a, n_b)))
        entry = entries[:, _first_rows(a)[i], _first_rows(b)[j]]
        out = np.zeros((n_a, n_b, *empty.shape), dtype=empty.dtype)
        flat = out.reshape(n_a * n_b, *empty.shape)
    where = np.arange(len(i)) if pairs is not None else i * len(b.keys) + j
    is_distribution = empty.dtype.kind == "f"
    if is_distribution:
        out[..., 0] = 1.0  # stays where a row meets itself; measured bits stay 0 there
    asked = np.arange(len(i)) if request.measured_diagonal else np.flatnonzero((a.keys[i] != b.keys[j]).any(axis=1))
    if is_distribution:
        flat[where[asked]] = 0.0
    i, j, where = i[asked], j[asked], where[asked]
    for direction in directions:
        half = slice(direction * len(empty) // len(directions), (direction + 1) * len(empty) // len(directions))
        for part in _pair_lists(a, b, i, j, entry[direction, asked], where, direction):
            for positions, found in evaluate(part):
                if is_distribution:
                    flat[positions] += found / len(directions)
                else:
                    flat[positions, half] = found
    if pairs is not None:
        return out
    if request.b is None:
        lower = np.tril_indices(len(a.keys), -1)
        out[lower] = out[lower[::-1]]
    if a.inverse is None and b.inverse is None:
        return out
    rows, columns = (np.arange(len(s.keys)) if s.inverse is None else s.inverse for s in (a, b))
    return np.asarray(out[rows[:, None], columns])


def _distinct(side: Prepared, rows: Index) -> Index:
    return rows if side.inverse is None else side.inverse[rows]


def _first_rows(side: Prepared) -> Index:
    """A row of the data for every distinct row."""
    if side.inverse is None:
        return np.arange(len(side.keys))
    return np.unique(side.inverse, return_index=True)[1]


def _pair_lists(
    a: Prepared, b: Prepared, i: Index, j: Index, zero: Values, where: Index, direction: int
) -> Iterator[PairList]:
    """Pairs of a row i of a and a row j of b by what is prepared: all in one list where a is b, else in two."""
    prepares_i = is_canonical(a.keys[i], b.keys[j]) == (direction == 0)
    if a is b:
        i, j = np.where(prepares_i, i, j), np.where(prepares_i, j, i)
        prepares_i = np.ones(len(i), dtype=np.bool_)
    for chosen, prepared, undone, rows, others in ((prepares_i, a, b, i, j), (~prepares_i, b, a, j, i)):
        k = np.flatnonzero(chosen)
        k = k[np.lexsort((rows[k], others[k]))]
        if len(k):
            yield PairList(prepared, undone, rows[k], others[k], zero[k], where[k], direction)


def tiles(undone: Index, size: int) -> Iterator[slice]:
    """Ranges of at most `size` pairs: of one undone row where it has many pairs, of several otherwise.

    Parameters
    ----------
    undone : ndarray of shape (n_pairs,), intp
        Sorted.
    size : int
    """
    starts = np.flatnonzero(np.diff(undone, prepend=-1))
    first: int | None = None  # of the open range of several rows
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(undone)], strict=True):
        alone = _SHARED_PART * (stop - start) >= size
        if first is not None and (alone or stop - first > size):
            yield slice(first, start)
            first = None
        if alone:
            yield from (slice(k, min(k + size, stop)) for k in range(start, stop, size))
        elif first is None:
            first = start
    if first is not None:
        yield slice(first, len(undone))


def too_many_circuits(request: Request, owner: str) -> str:
    """Why the outcomes of a request are not weighed, and what to do; "" where they are."""
    n, circuits = request.program.num_qubits, request.num_weighed
    if circuits << n <= MOST_AMPLITUDES:
        return ""
    return (
        f"need={{'weights'}} takes a circuit for every pair and orientation: {circuits:,} circuits on {n} qubits, "
        f"{float(circuits << n):.2g} amplitudes. {owner} weighs at most {float(MOST_AMPLITUDES):.2g} in one request, "
        f"that is {MOST_AMPLITUDES >> n:,} circuits here. Use fewer rows or pairs, or fewer qubits (PCA, CPMap); "
        "FidelityKernel needs no weights and takes one circuit for each row."
    )
