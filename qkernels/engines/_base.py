"""The contract of every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import UnsupportedCircuitError
from qkernels.engines._prepared import Prepared
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
    setting_attributes,
    settings_text,
)

if TYPE_CHECKING:
    from qkernels.engines._calls import EngineCall

__all__ = ["CotangentOf", "Diagonal", "Engine", "Need", "Orientation", "Prepared"]

Diagonal = Literal["auto"] | bool
Orientation = Literal["canonical", "both"]
Need = Collection[str]

CotangentOf = Callable[[NDArray[np.float64]], ArrayLike]
"""From values to the derivative of a scalar with respect to them, of the same shape."""


class Engine(ABC):
    """Evaluates programs: one contract for exact, noisy and hardware engines.

    An engine holds settings only. States and matrices live in the process-wide cache (`qkernels.set_cache`), so an
    engine is cheap to pickle, and scikit-learn's `clone` hands on the same object instead of copying it.

    Attributes
    ----------
    is_exact : bool
        Whether values are exact (no shots, no noise).
    identity : str
        What values depend on.
    """

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether values are exact: no shots and no noise."""

    @property
    def identity(self) -> str:
        """What values depend on, as text that is the same in every process.

        A checkpoint belongs to one identity: device, noise, shots and seed are in it; what decides no value, such as
        limits, budgets and paths, is not, nor is a seed that the engine has drawn itself. Of engines that do not say
        more about it: their class and all attributes but ``memory_limit`` and those that begin with ``_``, unless a
        parameter of the constructor is named like them. The others must not change in an evaluation.
        """
        own = setting_attributes(self)
        parts = {k: v.identity if isinstance(v, Engine) else v for k, v in own.items() if k != "memory_limit"}
        return f"{type(self).__module__}.{type(self).__qualname__}({settings_text(parts)})"

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
            Noiseless engines give the last two, and `StatevectorEngine` gives weights; noisy engines give all four,
            bits as `Overlaps.bits` where they sample and as probabilities, `Overlaps.outcomes`, where they do not. What
            is asked for beside the values never changes them.
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
        of outcomes take one more circuit for every unordered pair (and orientation). `DensityMatrixEngine`: 2N
        simulations of half circuits, and as many for each weight or outcome that is asked for. With `shots`, entries
        are Binomial(shots, k)/shots drawn by content (program, unordered pair of rows, shots, seed, repetition):
        symmetric and the same in any block, order and process; weights are multinomial in the same way.
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

    def fresh_expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Expectation values at a theta that will not come again, as in training.

        Engines that keep nothing that depends on theta for this call are faster by that; the values are the same.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        ndarray of shape (n_samples, n_observables), float64

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError, BudgetError
            As in `expectations`.
        """
        return self.expectations(program, X, theta=theta).values

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

    def inner_calls(self, call: EngineCall) -> Sequence[EngineCall]:
        """What a request to this engine comes down to: itself, or requests to the engines that this one asks.

        Parameters
        ----------
        call : EngineCall

        Returns
        -------
        sequence of EngineCall
        """
        return (call,)

    @property
    def purse(self) -> Hashable:
        """What requests are paid from: those to engines with an equal one are planned together."""
        return id(self)

    def plan_each(self, calls: Sequence[EngineCall]) -> list[Plan]:
        """The plans of requests that are made one after another: what one of them pays for, a later one has.

        Parameters
        ----------
        calls : sequence of EngineCall
            To engines with the `purse` of this one.

        Returns
        -------
        list of Plan
        """
        return [call.plan() for call in calls]

    def plan_of(self, call: EngineCall, plans: Sequence[Plan]) -> Plan:
        """The plan of a request, from those of its `inner_calls`.

        Parameters
        ----------
        call : EngineCall
            To this engine.
        plans : sequence of Plan

        Returns
        -------
        Plan
        """
        (plan,) = plans
        return plan

    def refusal(self, calls: Sequence[EngineCall]) -> str:
        """Why requests go beyond a budget of their engines together; "" where they do not, or where there is none.

        Parameters
        ----------
        calls : sequence of EngineCall, at least one
            To engines with the `purse` of this one.

        Returns
        -------
        str
        """
        return ""

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
        raise UnsupportedCircuitError(
            f"{type(self).__name__} computes no gradients. Use qkernels.engines.parameter_shift for those of "
            "expectation values, or StatevectorEngine or DensityMatrixEngine."
        )

    def expectations_and_vjp(
        self,
        program: ExpectationProgram,
        X: ArrayLike,
        cotangent_of: CotangentOf,
        *,
        theta: ArrayLike | None = None,
        inputs: bool = True,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
        """Expectation values, and the gradients of a scalar of them: what a training step needs.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        cotangent_of : callable
            From the values, of shape (n_samples, n_observables), to the derivative of the scalar with respect to them,
            of the same shape.
        theta : array-like of shape (num_parameters,), optional
        inputs : bool, default=True
            Whether the gradient with respect to X is wanted, too; engines may save time without it.

        Returns
        -------
        values : ndarray of shape (n_samples, n_observables)
        d_theta : ndarray of shape (num_parameters,)
        d_X : ndarray of shape (n_samples, num_features), or None without `inputs`

        Raises
        ------
        UnsupportedCircuitError
            This engine has no gradients.
        """
        values = self.expectations(program, X, theta=theta).values
        d_theta, d_X = self.vjp(program, cotangent_of(values), X, theta=theta)
        return values, d_theta, d_X if inputs else None

    def scaled(self, factor: float, *, readout: bool = True) -> Engine:
        """The engine with every error `factor` times as strong; engines without a noise table refuse.

        Parameters
        ----------
        factor : float >= 0
            1 is the engine as it is.
        readout : bool, default=True
            Whether readout errors are scaled, too.

        Returns
        -------
        Engine
            With the same shots, seed and limits.

        Raises
        ------
        UnsupportedCircuitError
            This engine has no noise table, or none can hold its noise.
        """
        raise UnsupportedCircuitError(
            f"{type(self).__name__} has no noise table to scale. Use DensityMatrixEngine or AerEngine, or lengthen the "
            "circuits: ZeroNoiseExtrapolation(engine, factors=(1, 3, 5), method='fold')."
        )

    def with_layout_of(self, program: Program) -> Engine:
        """The engine with the qubits of its device that it chooses for a program, for every program of that width.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram

        Returns
        -------
        Engine
            Itself where it chooses none.
        """
        return self

    def __sklearn_clone__(self) -> Engine:
        return self
