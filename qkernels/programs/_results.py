"""What engines answer: values with their uncertainty, and the plan of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Expectations", "Overlaps", "Plan"]

Info = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Overlaps of pairs of states.

    Attributes
    ----------
    values : ndarray of shape (n_x, n_y), or (n_pairs,) where pairs were asked for; float64 in [0, 1]
        Extrapolated ones (`ZeroNoiseExtrapolation`) may lie outside.
    stderr : ndarray of the shape of `values`, or None
        Standard error of sampled entries (Wilson half-width at one sigma, never 0); 0 where an entry is known
        without sampling (the diagonal of a noiseless engine). None for exact values.
    num_shots : ndarray of the shape of `values`, int64, or None
        Shots behind every entry; None for exact values.
    weights : ndarray of shape (n_x, n_y, m + 1), or (n_pairs, m + 1); float64 in [0, 1]; or None
        On request (``need={"weights"}``): relative frequencies (probabilities where exact) of the outcomes of
        U(y)†U(x)|0⟩ by weight, the number of the program's m patches that do not read all zero: the Hamming weight
        with m = num_qubits where the program has no patches. Rows sum to 1, and ``weights[..., 0]`` equals `values`;
        a row with itself has weight 0 only. Beyond weight 0 the two orientations of a pair differ: as everywhere, the
        row with the smaller key is prepared and the other undone, and ``orientation="both"`` averages the two.
    bits : ndarray of shape (n_x, n_y, shots, ⌈n/8⌉), or (n_pairs, shots, ⌈n/8⌉); uint8; or None
        On request (``need={"bits"}``) from noisy engines that sample: the measured bits in the layout of Qiskit's
        ``BitArray``, the lowest bit of the last byte is qubit 0 of the program. Sorted by outcome: the order of shots
        says nothing.
    outcomes : ndarray of shape (n_x, n_y, 2**n), or (n_pairs, 2**n); float64; or None
        The same from noisy engines without shots: the probability of every outcome, qubit 0 of the program the lowest
        bit of the index.
    readout : ndarray of shape (n, 2, 2), float64, or None
        With `bits` or `outcomes`: P(read | true) of every qubit of the program; columns sum to 1.
    diagonals : tuple of ndarray of shape (n_x,) and (n_y,), or None
        On request (``need={"diagonal"}``): the entries of every row of X and of Y with itself, measured where the
        engine is noisy.
    orientations : ndarray of shape (2, …), or None
        On request (``need={"orientations"}``): the two orientations of every entry of `values` before averaging.
    info : mapping
        Engine, program key, seed, what was measured on the diagonal, and what else the engine has to say.
    """

    values: NDArray[np.float64]
    stderr: NDArray[np.float64] | None = None
    num_shots: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    bits: NDArray[np.uint8] | None = None
    outcomes: NDArray[np.float64] | None = None
    readout: NDArray[np.float64] | None = None
    diagonals: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    orientations: NDArray[np.float64] | None = None
    info: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Expectations:
    """Expectation values of observables.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_observables), float64
    stderr : ndarray of the shape of `values`, or None for exact values
    num_shots : int or None
        Shots behind every Pauli term of every value.
    info : mapping
    """

    values: NDArray[np.float64]
    stderr: NDArray[np.float64] | None = None
    num_shots: int | None = None
    info: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request would do, before anything is done. Plans add up to that of requests made one after another.

    Attributes
    ----------
    engine : str
        The engine that would answer (`AutoEngine` names its choice).
    num_qubits : int
    circuits : int
        State preparations to simulate, or circuits to run.
    entries : int
        Distinct matrix entries (or expectation values) to evaluate, after duplicates and symmetry.
    shots : int
        Total shots; 0 for exact values.
    memory_bytes : int
        Estimated peak memory of the request, the result included.
    memory_limit_bytes : int
    feasible : bool
        Whether the request fits; `reason` says why not and what would.
    reason : str
    """

    engine: str
    num_qubits: int
    circuits: int
    entries: int
    shots: int
    memory_bytes: int
    memory_limit_bytes: int
    feasible: bool = True
    reason: str = ""

    @property
    def obstacle(self) -> str:
        """What is in the way whatever the request may cost; "" where nothing is, or a budget alone."""
        return self.reason

    def hindered(self, obstacle: str) -> Self:
        """The plan with an obstacle in its way.

        Parameters
        ----------
        obstacle : str

        Returns
        -------
        Plan
        """
        return replace(self, feasible=False, reason=obstacle)

    def __add__(self, other: Plan) -> Plan:
        """Both requests, one after the other."""
        engines = dict.fromkeys([*self.engine.split(" + "), *other.engine.split(" + ")])
        return Plan(
            engine=" + ".join(engines),
            num_qubits=max(self.num_qubits, other.num_qubits),
            circuits=self.circuits + other.circuits,
            entries=self.entries + other.entries,
            shots=self.shots + other.shots,
            memory_bytes=max(self.memory_bytes, other.memory_bytes),
            memory_limit_bytes=min(self.memory_limit_bytes, other.memory_limit_bytes),
            feasible=self.feasible and other.feasible,
            reason=" ".join(plan.reason for plan in (self, other) if plan.reason),
        )

    def __str__(self) -> str:
        verdict = "fits" if self.feasible else f"does not fit: {self.reason}"
        shots = f"{self.shots:,} shots" if self.shots else "exact"
        return (
            f"{self.engine}, {self.num_qubits} qubits: {self.circuits:,} circuits for {self.entries:,} entries, "
            f"{shots}, {format_bytes(self.memory_bytes)} of {format_bytes(self.memory_limit_bytes)}; {verdict}"
        )


def format_bytes(count: float) -> str:
    """A byte count for people.

    Parameters
    ----------
    count : float

    Returns
    -------
    str

    Examples
    --------
    >>> format_bytes(1.5 * 2**30)
    '1.5 GiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.3g} PiB"
