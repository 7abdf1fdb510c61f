"""The contract of every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import UnsupportedCircuitError
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram, Overlaps, Plan, Program

__all__ = ["Diagonal", "Engine", "Need", "Orientation", "Prepared"]

Diagonal = Literal["auto"] | bool
Orientation = Literal["canonical", "both"]
Need = Collection[str]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """States of the rows of X, ready for any number of overlaps: the opaque answer of `Engine.prepare`.

    Attributes
    ----------
    program_key : str
        The program whose circuit prepared the states.
    engine : str
        Which engine's states these are, precision included; another engine refuses them.
    digest : str
        Hash of the bound angles, the identity of the data.
    keys : ndarray of shape (n_unique, 2), uint64
        Content keys of the distinct rows.
    inverse : ndarray of shape (n_samples,), intp, or None
        Position of every sample among the distinct rows; None where all rows differ.
    angles : ndarray of shape (n_unique, n_angles), float64
    data : object or None
        The states in the engine's own form; None where they are rebuilt block by block to save memory.
    nbytes : int
        Memory held.
    """

    program_key: str
    engine: str
    digest: str
    keys: NDArray[np.uint64]
    inverse: NDArray[np.intp] | None
    angles: NDArray[np.float64]
    data: object
    nbytes: int
    _unpicklable: bool = field(default=True, repr=False)

    @property
    def num_samples(self) -> int:
        """Rows of X."""
        return len(self.keys) if self.inverse is None else len(self.inverse)

    def __reduce__(self) -> str:
        raise TypeError("Prepared states are not pickled; keep X and call engine.prepare again (it is cached).")


class Engine(ABC):
    """Evaluates programs: one contract for exact, noisy and hardware engines.

    An engine holds settings only. States and matrices live in the process-wide cache (`qkernels.set_cache`), so an
    engine is cheap to pickle, and scikit-learn's `clone` hands on the same object instead of copying it.

    Attributes
    ----------
    is_exact : bool
        Whether values are exact (no shots, no noise).
    """

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether values are exact: no shots and no noise."""

    @abstractmethod
    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        """Evolve the states of all rows of X, to be used in `overlaps` any number of times."""

    @abstractmethod
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
    ) -> Overlaps:
        """Overlaps k(x, y) = |⟨0|U(y)†U(x)|0⟩|² for all pairs of rows, or for the given index pairs."""

    @abstractmethod
    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        """Expectation values of the program's observables for every row of X."""

    @abstractmethod
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
    ) -> Plan:
        """What `overlaps` or `expectations` would do and cost; nothing is evaluated. X and Y may be row counts."""

    def vjp(
        self, program: Program, cotangent: ArrayLike, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradients with respect to theta and X; engines that have none refuse.

        Raises
        ------
        UnsupportedCircuitError
            This engine has no gradients.
        """
        raise UnsupportedCircuitError(f"{type(self).__name__} computes no gradients.")

    def __sklearn_clone__(self) -> Engine:
        return self
