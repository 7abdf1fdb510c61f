"""The contract of every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
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
    theta : str
        Hash of the trainable parameters they were bound with.
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
    theta: str
    keys: NDArray[np.uint64]
    inverse: NDArray[np.intp] | None
    angles: NDArray[np.float64]
    data: object
    nbytes: int

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
        """Evolve the states of all rows of X.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        Prepared
            Opaque; has `nbytes`; to be given to `overlaps` in place of X or Y.

        Raises
        ------
        InvalidDataError
            X does not fit the program.
        UnsupportedCircuitError
            The engine cannot evaluate an instruction of the circuit.
        BudgetError
            The states do not fit into `memory_limit`.
        """

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
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Overlaps:
        """Overlaps k(x, y) = |⟨0|U(y)†U(x)|0⟩|² for all pairs of rows, or for the given index pairs.

        Parameters
        ----------
        program : OverlapProgram
        X : array-like of shape (n_x, num_features), or Prepared
        Y : array-like of shape (n_y, num_features), or Prepared, optional
            None is the Gram matrix of X: only one half is computed.
        theta : array-like of shape (num_parameters,), optional
        pairs : array-like of shape (n_pairs, 2), integers, optional
            Index pairs (row of X, row of Y or of X); only these are evaluated.
        diagonal : {"auto", True, False}
            Entries of a row with itself. "auto": 1 on noiseless engines, measured on noisy ones; True measures them;
            False takes them as 1.
        need : collection of str
            What the kernel or its corrections require: subset of {"weights", "bits", "diagonal", "orientations"}.
            Noiseless engines give the last two, and `StatevectorEngine` gives weights; bits come from engines that run
            circuits. What is asked for beside the values never changes them.
        orientation : {"canonical", "both"}
            "canonical" prepares the row with the smaller key and undoes the other one. "both" averages the two
            orientations of every pair, at shots/2 each: values, which differ under noise only, and weights, which
            differ on all engines. ``need={"orientations"}`` gives both orientations of the values, not of the weights.
        shots : array-like of shape (n_pairs,), integers >= 1, optional
            Shots of each pair instead of the engine's; only with `pairs`, on an engine that samples. With
            ``orientation="both"`` at least 2. The draw of a pair at S shots is the one of an engine with ``shots=S``.
        repetition : int >= 0
            Names a series of draws, on an engine that samples. Draws of different repetitions are independent, also
            for the same pair, shots and seed; 0 is the series that is drawn when nothing is said.

        Returns
        -------
        Overlaps
            Arrays are read-only where they come from the cache.

        Raises
        ------
        InvalidDataError
            X or Y does not fit the program.
        InvalidParameterError
            An option breaks its rule.
        UnsupportedCircuitError
            The engine cannot evaluate an instruction of the circuit.
        BudgetError
            The request does not fit into `memory_limit`, or weights are asked for more pairs than the engine takes;
            says what would.

        Notes
        -----
        On noiseless engines: N simulations and one blocked matrix product; duplicate rows are simulated once. Weights
        of outcomes take one more circuit for every unordered pair (and orientation). With `shots`, entries are
        Binomial(shots, k)/shots drawn by content (program, unordered pair of rows, shots, seed, repetition): symmetric
        and the same in any block, order and process; weights are multinomial in the same way.
        """

    @abstractmethod
    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        """Expectation values ⟨0|U(x)† O U(x)|0⟩ of the program's observables.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        Expectations
            `values` of shape (n_samples, n_observables). Arrays come from the cache and are read-only.

        Raises
        ------
        InvalidDataError
            X does not fit the program.
        InvalidParameterError
            `program` is no `ExpectationProgram`, or theta does not fit.
        UnsupportedCircuitError
            The engine cannot evaluate an instruction of the circuit.
        BudgetError
            One state does not fit into `memory_limit`.

        Notes
        -----
        With `shots`, every Pauli term is sampled on its own with that many shots, keyed by (program, row, term, shots,
        seed); variances add up with the squared coefficients.
        """

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
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Plan:
        """What a request would do; nothing is evaluated.

        Parameters
        ----------
        program, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `overlaps`.
        X, Y : array-like, or int
            Data, or row counts (then duplicates are unknown and not counted out).

        Returns
        -------
        Plan
            With `feasible` and `reason`; a request that does not fit is no error here.

        Raises
        ------
        InvalidDataError
            X or Y does not fit the program, or a count is below 1.
        InvalidParameterError
            An option breaks its rule.
        UnsupportedCircuitError
            The engine cannot evaluate an instruction of the circuit.
        """

    def vjp(
        self, program: Program, cotangent: ArrayLike, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradients of a scalar with respect to theta and X; engines that have none refuse.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        cotangent : array-like
            Derivative of the scalar with respect to the program's values, of their shape.
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        ndarray of shape (num_parameters,), ndarray of shape (n_samples, num_features)

        Raises
        ------
        UnsupportedCircuitError
            This engine has no gradients.
        """
        raise UnsupportedCircuitError(f"{type(self).__name__} computes no gradients.")

    def __sklearn_clone__(self) -> Engine:
        return self
