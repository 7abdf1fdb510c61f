"""How entries are sampled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Orientation
from qkernels.programs import pair_uniforms, sample_counts, sample_frequencies

__all__ = ["Draw"]

Values = NDArray[np.float64]
Keys = NDArray[np.uint64]
Shots = int | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Draw:
    """Turns probabilities into entries: themselves, or content-keyed frequencies.

    Attributes
    ----------
    shots : int, ndarray of shape (n_pairs,) of int64, or None
        Shots of every entry, or of each pair; None for exact values. Hashable, as a part of cache keys, unless an
        array.
    seed : int
    both : bool
        Two values per pair, one for each orientation; where sampled, independent draws at half the shots.
    repetition : int
        Names an independent series of draws for the same pairs.
    """

    shots: Shots | None = None
    seed: int = 0
    both: bool = False
    repetition: int = 0

    @classmethod
    def of(
        cls, shots: Shots | None, seed: int, orientation: Orientation, repetition: int = 0, *, directed: bool = False
    ) -> Draw:
        """The draw of an engine's settings; exact draws do not depend on the seed, nor, unless `directed`, on
        the orientation.
        """
        both = orientation == "both"
        return cls(both=both and directed) if shots is None else cls(shots, seed, both, repetition)

    @property
    def num_values(self) -> int:
        """Values kept for every pair."""
        return 2 if self.both else 1

    @property
    def shots_per_value(self) -> Shots:
        """Shots behind each of them; an odd number is rounded down to two equal halves."""
        if self.shots is None:
            return 0
        return self.shots // 2 if self.both else self.shots

    @property
    def total_shots(self) -> Shots:
        """Shots behind one entry."""
        return self.num_values * self.shots_per_value

    def at_engine(self, shots: int | None) -> Draw:
        """The draw with the engine's shots for every pair."""
        return self if shots is None else replace(self, shots=shots)

    def at(self, pairs: NDArray[np.intp]) -> Draw:
        """The draw of some of the pairs."""
        return replace(self, shots=self.shots[pairs]) if isinstance(self.shots, np.ndarray) else self

    def __call__(self, p: Values, a: Keys, b: Keys) -> Values:
        """Entries for probabilities p and row keys a, b; shape (2, …) for both orientations.

        Where the orientations have different probabilities, p has that shape already.
        """
        np.clip(p, 0.0, 1.0, out=p)
        if self.shots is None:
            return p
        directed = p.ndim > max(a.ndim, b.ndim) - 1
        drawn = [
            sample_frequencies(p[k] if directed else p, self._uniforms(a, b, name), self.shots_per_value)
            for k, name in enumerate(self._directions)
        ]
        return np.stack(drawn) if self.both else drawn[0]

    def weights(self, p: Values, zero: Values, a: Keys, b: Keys, direction: int = 0) -> Values:
        """Relative frequencies of the classes of outcomes, given those of class 0.

        Parameters
        ----------
        p : ndarray of shape (n_pairs, n_classes)
            Probabilities.
        zero : ndarray of shape (n_pairs,)
            The entry of every pair in this direction: probability or frequency of class 0.
        a, b : ndarray of shape (n_pairs, 2), uint64
        direction : {0, 1}
            1 is the reverse of the canonical orientation.

        Returns
        -------
        ndarray of shape (n_pairs, n_classes)
            Rows sum to 1. Where sampled, a row times its shots is multinomial: class 0 is binomial, and each further
            class is binomial among the shots that are left, with its share of the probability that is left.
        """
        out = np.empty_like(p)
        out[:, 0] = zero
        if self.shots is None:
            out[:, 1:] = p[:, 1:]
            return out
        shots = np.broadcast_to(self.shots_per_value, zero.shape)
        remaining = shots - np.rint(zero * shots).astype(np.int64)
        tail = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
        last = p.shape[1] - 1
        for w in range(1, last):
            share = np.divide(p[:, w], tail[:, w], out=np.zeros(len(p)), where=tail[:, w] > 0.0)
            u = self._uniforms(a, b, f"{self._directions[direction]},weight={w}")
            counts = sample_counts(share, u, remaining)
            out[:, w] = counts / shots
            remaining = remaining - counts
        out[:, last] = remaining / shots
        return out

    def outcomes(
        self, p: Values, class_of: NDArray[np.intp], weights: Values, a: Keys, b: Keys, direction: int = 0
    ) -> NDArray[np.int64]:
        """Counts of single outcomes, given the relative frequencies of their classes.

        Parameters
        ----------
        p : ndarray of shape (n_pairs, n_outcomes)
            Probabilities.
        class_of : ndarray of shape (n_outcomes,), intp
        weights : ndarray of shape (n_pairs, n_classes)
            As `weights` returns them.
        a, b : ndarray of shape (n_pairs, 2), uint64
        direction : {0, 1}

        Returns
        -------
        ndarray of shape (n_pairs, n_outcomes), int64
            Multinomial within every class.
        """
        shots = np.broadcast_to(self.shots_per_value, len(p))
        counts = np.zeros(p.shape, dtype=np.int64)
        for w in range(weights.shape[1]):
            members = np.flatnonzero(class_of == w)
            remaining = np.rint(weights[:, w] * shots).astype(np.int64)
            tail = np.cumsum(p[:, members[::-1]], axis=1)[:, ::-1]
            for k, outcome in enumerate(members[:-1]):
                share = np.divide(p[:, outcome], tail[:, k], out=np.zeros(len(p)), where=tail[:, k] > 0.0)
                u = self._uniforms(a, b, f"{self._directions[direction]},outcome={outcome}")
                counts[:, outcome] = sample_counts(share, u, remaining)
                remaining = remaining - counts[:, outcome]
            if len(members):
                counts[:, members[-1]] = remaining
        return counts

    @property
    def _directions(self) -> tuple[str, ...]:
        """Names of the streams, one for each value."""
        series = f",repetition={self.repetition}" if self.repetition else ""
        return (f"{series},forward", f"{series},backward") if self.both else (series,)

    def _uniforms(self, a: Keys, b: Keys, name: str) -> Values:
        shots = self.shots_per_value
        if not isinstance(shots, np.ndarray):
            return pair_uniforms(a, b, self.seed, f"shots={shots}{name}")
        distinct, inverse = np.unique(shots, return_inverse=True)
        return pair_uniforms(a, b, self.seed, np.array([f"shots={s}{name}" for s in distinct])[inverse])
