"""The default engine: statevectors or matrix-product states, whichever is cheaper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidParameterError, UnsupportedCircuitError
from qkernels.engines._auto_cost import mps_cost, statevector_cost
from qkernels.engines._base import CotangentOf, Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._memory import MemoryLimit
from qkernels.engines._mps import MPSEngine
from qkernels.engines._mps_blocks import refused_gate
from qkernels.engines._statevector import StatevectorEngine
from qkernels.feature_maps import CPMap
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
    format_bytes,
)

__all__ = ["AutoEngine"]

_ALWAYS_STATEVECTOR = 10
"""Up to this many qubits statevectors are never three times dearer, so a circuit is not even compiled for MPS."""

_MPS_ADVANTAGE = 3
"""Matrix-product states must be estimated this many times cheaper: the estimates are good to a factor of two, and
statevectors answer a single new row faster."""

_FEW_FEATURES = 12
"""Columns that any circuit of one qubit per feature handles within seconds: what PCA is advised to keep."""


class AutoEngine(Engine):
    """Exact values from statevectors or matrix-product states, whichever is cheaper for the circuit.

    Parameters
    ----------
    shots : int >= 1, optional
        None gives exact values; otherwise as in `StatevectorEngine`.
    seed : int >= 0, optional
        Seed of the shots. None draws one at construction and keeps it (`engine.seed`). The chosen engine gives the
        same values with this seed.
    precision : {"double", "single"}
        Arithmetic of `StatevectorEngine`; matrix-product states are always in double precision.
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule.

    See Also
    --------
    StatevectorEngine, MPSEngine : the engines it chooses from.

    Notes
    -----
    *Cost model.* Both engines are charged the Gram matrix of 500 rows. Per row of n qubits that is

    - for statevectors 1 ns · gates · 2ⁿ, and 250 products of 6·2ⁿ floating-point operations at 55 per ns;
    - for matrix-product states of bond χ (0.2 µs + 30 ns · χ²) · steps, and 250 sweeps: 10 ns and 32·χ³ operations at
      30 per ns for every qubit between the two dense ends, 8·χ²·2ᵏ at 55 per ns for an end of k qubits.

    Matrix-product states are chosen where the estimate is at least three times lower. The choice depends on the program
    and the precision alone, never on the data; only where the preferred engine lacks memory for the request and the
    other one has it, the other one answers. Circuits with gates that `MPSEngine` does not take, and circuits of up to
    10 qubits, go to statevectors at once. Estimating compiles the circuit for MPS (milliseconds, cached).

    Examples
    --------
    >>> from qkernels import AutoEngine, OverlapProgram, ZZFeatureMap
    >>> engine = AutoEngine()
    >>> for n_features in (8, 30):
    ...     circuit = ZZFeatureMap().build(n_features)
    ...     print(engine.choose(OverlapProgram(circuit, circuit.parameters), 569))
    StatevectorEngine()
    MPSEngine()
    """

    def __init__(
        self,
        shots: int | None = None,
        seed: int | None = None,
        precision: Literal["double", "single"] = "double",
        memory_limit: MemoryLimit = "auto",
    ) -> None:
        try:
            self._statevector = StatevectorEngine(shots, seed, precision, memory_limit)
        except InvalidParameterError as error:
            raise InvalidParameterError(str(error).replace("StatevectorEngine", "AutoEngine")) from None
        self._mps = MPSEngine(shots, self.seed, memory_limit)

    @property
    def shots(self) -> int | None:
        """Shots per entry; None for exact values."""
        return self._statevector.shots

    @property
    def seed(self) -> int:
        """Seed of the shots."""
        return self._statevector.seed

    @property
    def precision(self) -> Literal["double", "single"]:
        """Arithmetic of statevectors."""
        return self._statevector.precision

    @property
    def memory_limit(self) -> MemoryLimit:
        """Bytes a request may take."""
        return self._statevector.memory_limit

    @property
    def is_exact(self) -> bool:
        return self.shots is None

    @property
    def identity(self) -> str:
        return f"AutoEngine({self._statevector.identity})"

    def __repr__(self) -> str:
        return repr(self._statevector).replace("StatevectorEngine", "AutoEngine")

    def choose(self, program: Program, n_x: int, n_y: int | None = None) -> StatevectorEngine | MPSEngine:
        """The engine that would evaluate a request; nothing is evaluated.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        n_x, n_y : int
            Row counts; they matter only where memory is short. None is the Gram matrix of n_x rows.

        Returns
        -------
        StatevectorEngine or MPSEngine

        Raises
        ------
        InvalidParameterError
            `program` is no program.
        InvalidDataError
            A count is below 1.
        UnsupportedCircuitError
            No engine can evaluate an instruction of the circuit.
        BudgetError
            Neither engine has the memory; gives both estimates and what would fit.
        """
        return self._delegate(program, n_x, n_y)

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        """Evolve the states of all rows of X with the chosen engine.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        Prepared
            To be given to `overlaps` in place of X or Y; the engine that made it then answers.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in the chosen engine.
        BudgetError
            The states fit into `memory_limit` on neither engine.
        """
        reasons: dict[str, str] = {}
        for engine in self._candidates(program):
            try:
                return engine.prepare(program, X, theta)
            except BudgetError as error:
                reasons[engine._tag] = str(error)
        raise BudgetError(self._refusal(program, reasons))

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
        """Overlaps k(x, y) = |⟨0|U(y)†U(x)|0⟩|² by the chosen engine, or by the one that prepared X or Y.

        Parameters
        ----------
        program : OverlapProgram
        X : array-like of shape (n_x, num_features), or Prepared
        Y : array-like of shape (n_y, num_features), or Prepared, optional
            None is the Gram matrix of X.
        theta : array-like of shape (num_parameters,), optional
        pairs : array-like of shape (n_pairs, 2), integers, optional
        diagonal : {"auto", True, False}
        need : collection of str
            Where it holds "weights", `StatevectorEngine` answers: matrix-product states give none.
        orientation : {"canonical", "both"}
        shots : array-like of shape (n_pairs,), integers >= 1, optional
        repetition : int >= 0
            All as in `StatevectorEngine.overlaps`.

        Returns
        -------
        Overlaps
            ``info["engine"]`` names the engine that answered.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in the chosen engine.
        BudgetError
            The request fits into `memory_limit` on neither engine; gives both estimates.
        """
        options: dict[str, Any] = {
            "theta": theta,
            "pairs": pairs,
            "diagonal": diagonal,
            "need": need,
            "orientation": orientation,
            "shots": shots,
            "repetition": repetition,
        }
        return self._delegate(program, X, Y, **options).overlaps(program, X, Y, **options)

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        """Expectation values ⟨0|U(x)† O U(x)|0⟩ by the chosen engine.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        Expectations
            `values` of shape (n_samples, n_observables).

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in the chosen engine.
        BudgetError
            The request fits into `memory_limit` on neither engine; gives both estimates.
        """
        return self._delegate(program, X, theta=theta).expectations(program, X, theta=theta)

    def fresh_expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        if isinstance(program, ExpectationProgram) and self._candidates(program)[0] is self._statevector:
            try:
                return self._statevector.fresh_expectations(program, X, theta=theta)
            except BudgetError:  # the other engine may have the memory
                pass
        return super().fresh_expectations(program, X, theta=theta)

    def vjp(
        self, program: Program, cotangent: ArrayLike, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact gradients with respect to theta and X by `StatevectorEngine`: matrix-product states have none.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        cotangent : array-like
            Of the shape of the values.
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        tuple of two ndarray, float64
            Gradients with respect to theta and to X.

        Raises
        ------
        UnsupportedCircuitError
            The states do not fit into `memory_limit`; else as in `StatevectorEngine.vjp`.
        InvalidDataError, InvalidParameterError
            As in `StatevectorEngine.vjp`.
        """
        try:
            return self._statevector.vjp(program, cotangent, X, theta=theta)
        except BudgetError as error:
            raise UnsupportedCircuitError(self._no_gradients(error)) from error

    def expectations_and_vjp(
        self,
        program: ExpectationProgram,
        X: ArrayLike,
        cotangent_of: CotangentOf,
        *,
        theta: ArrayLike | None = None,
        inputs: bool = True,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
        """Values and exact gradients by `StatevectorEngine`, with the states evolved once.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        cotangent_of : callable
        theta : array-like of shape (num_parameters,), optional
        inputs : bool, default=True
            All as in `StatevectorEngine.expectations_and_vjp`.

        Returns
        -------
        tuple of two ndarray, and of one ndarray or None
            Values, gradients with respect to theta and to X.

        Raises
        ------
        UnsupportedCircuitError, InvalidDataError, InvalidParameterError
            As in `vjp`.
        """
        try:
            return self._statevector.expectations_and_vjp(program, X, cotangent_of, theta=theta, inputs=inputs)
        except BudgetError as error:
            raise UnsupportedCircuitError(self._no_gradients(error)) from error

    def _no_gradients(self, error: BudgetError) -> str:
        return (
            f"AutoEngine has gradients of statevectors only, matrix-product states have none: {error} Gradients of "
            "expectation values without large states: qkernels.engines.parameter_shift."
        )

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
        """The plan of the chosen engine, which it names; where neither fits, the preferred one's with the reason.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `StatevectorEngine.plan`.

        Returns
        -------
        Plan

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in the chosen engine.
        """
        options: dict[str, Any] = {
            "theta": theta,
            "pairs": pairs,
            "diagonal": diagonal,
            "need": need,
            "orientation": orientation,
            "shots": shots,
            "repetition": repetition,
        }
        plans: dict[str, Plan] = {}
        for engine in self._candidates(program, X, Y, need=need):
            plan = engine.plan(program, X, Y, **options)
            if plan.feasible:
                return plan
            plans[engine._tag] = plan
        preferred = next(iter(plans.values()))
        return replace(preferred, reason=self._refusal(program, {tag: p.reason for tag, p in plans.items()}, need))

    # The choice -------------------------------------------------------------------------------------------------

    def _delegate(
        self,
        program: Program,
        X: ArrayLike | Prepared | int,
        Y: ArrayLike | Prepared | int | None = None,
        **options: Any,
    ) -> StatevectorEngine | MPSEngine:
        """The engine for a request with these options of `plan`."""
        need: Need = options.get("need", frozenset())
        reasons: dict[str, str] = {}
        for engine in self._candidates(program, X, Y, need=need):
            if isinstance(X, Prepared) or isinstance(Y, Prepared):
                return engine
            plan = engine.plan(program, X, Y, **options)
            if plan.feasible:
                return engine
            reasons[engine._tag] = plan.reason
        raise BudgetError(self._refusal(program, reasons, need))

    def _candidates(
        self, program: Program, *rows: object, need: Need = frozenset()
    ) -> list[StatevectorEngine | MPSEngine]:
        """Engines that can answer, the cheaper one first: all that take the circuit, or the one that made the rows."""
        if not isinstance(program, Program):
            raise InvalidParameterError(
                "program of AutoEngine must be an OverlapProgram or an ExpectationProgram, got "
                f"{type(program).__name__}."
            )
        made_by = {r.engine for r in rows if isinstance(r, Prepared)}
        if self._mps._tag in made_by:
            return [self._mps]
        if made_by or "weights" in need or refused_gate(program.flat.ops):
            return [self._statevector]
        if program.num_qubits > _ALWAYS_STATEVECTOR:
            statevector = statevector_cost(program, single=self.precision == "single")
            if _MPS_ADVANTAGE * mps_cost(self._mps._compiled_mps(program)) <= statevector:
                return [self._mps, self._statevector]
        return [self._statevector, self._mps]

    def _refusal(self, program: Program, reasons: dict[str, str], need: Need = frozenset()) -> str:
        """Why neither engine answers, from the reasons of those that take the circuit, by their tags."""
        if "weights" in need:  # not a matter of what matrix-product states would take
            return " ".join(reasons.values())
        state, limit = self._statevector._state_bytes(program), self._statevector._limit
        gate = refused_gate(program.flat.ops)
        if 3 * state <= limit or (gate is None and self._mps._least_bytes(program) <= limit):
            return " ".join(reasons.values()) + (f" MPSEngine cannot take the circuit: {gate}." if gate else "")
        if gate:
            why = f"cannot take the circuit: {gate}"
        else:
            bond, least = self._mps.bond_dimension(program), self._mps._least_bytes(program)
            why = f"would need at least {format_bytes(least)} (bond dimension {bond})"
        d = program.num_features
        advice = "Use fewer qubits, or few layers of one-qubit gates and two-qubit gates on neighbours."
        if d > _FEW_FEATURES:
            advice = (
                f"Reduce X (e.g. PCA({_FEW_FEATURES})), use CPMap ({CPMap().num_qubits(d)} qubits), or "
                "entanglement='linear' with few repetitions."
            )
        return (
            f"X has {d} features; the circuit needs {program.num_qubits} qubits and one state would take "
            f"{format_bytes(state)} (memory_limit {format_bytes(limit)}). MPSEngine {why}. {advice}"
        )
