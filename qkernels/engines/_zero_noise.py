"""Zero-noise extrapolation: another engine's answers at several noise strengths, continued to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._calls import EngineCall, check_together, plan_each
from qkernels.engines._continuation import Continuation
from qkernels.engines._expectations import pauli_labels
from qkernels.engines._extrapolation import Fit
from qkernels.engines._folding import of_paulis
from qkernels.engines._memory import MemoryLimit, resolve_memory_limit
from qkernels.engines._strengths import Strengths
from qkernels.engines._zero_noise_options import (
    OWNER,
    Method,
    check_asymptote,
    check_choice,
    check_factors,
    check_flag,
    check_noisy,
    check_request,
    scaled_engines,
)
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
)

__all__ = ["ZeroNoiseExtrapolation"]

A = TypeVar("A", Overlaps, Expectations)


class ZeroNoiseExtrapolation(Engine):
    r"""Values without noise, extrapolated from those of a noisy engine at several noise strengths.

    Parameters
    ----------
    engine : Engine
        With noise: DensityMatrixEngine, AerEngine, or any other engine of noisy circuits. Its shots are those of every
        entry *at every factor*.
    factors : sequence of float > 0, default=(1, 2, 3)
        Noise strengths, ascending; 1 is the noise of the engine. Odd integers where gates are folded.
    fit : {"exponential", "linear", "richardson"}
        How every entry is continued to strength 0.

        - "exponential": :math:`a + b e^{-c\lambda}` with the asymptote a known. Exact under global depolarising noise,
          which many local errors in a deep circuit come close to. Where values on both sides of a, or shot noise, leave
          it undefined, the linear fit answers; ``info["linear_entries"]`` counts such entries.
        - "linear": the least-squares line. The least shot noise; curvature remains as bias.
        - "richardson": the polynomial through all points. The least bias at weak noise, and the most shot noise.
    method : {"auto", "scale", "fold"}
        "scale" takes ``engine.scaled(factor)``, an engine with another noise table. "fold" runs the program with U
        replaced by U(U†U)^k for the factor 2k + 1. "auto" scales where the engine can.
    readout : bool, default=False
        Whether readout errors are scaled and extrapolated, too. By default they stay as they are at all strengths and
        in the result, as on a device, where only gates can be lengthened.
    asymptote : "auto" or float
        a of the exponential fit, the value at infinite noise. "auto" is that of the maximally mixed state, read without
        error: 2⁻ⁿ for overlaps, 0 for Pauli strings, whose sums expectation values are. Another one is right where
        strong relaxation ends elsewhere, or where readout errors are strong and not extrapolated.
    clip : bool, default=False
        Whether overlaps outside [0, 1] are moved to the next of its ends. Expectation values never are.

    Attributes
    ----------
    shots : int or None
        Of the wrapped engine, for every entry at every factor.
    seed : int or None
        Of the wrapped engine.
    memory_limit : "auto" or int
        Of the wrapped engine.
    method : {"scale", "fold"}
        The one in use.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule; the engine has no noise; the factors cannot be folded.

    See Also
    --------
    NoiseTable.scaled : what a noise strength means for a table.

    Notes
    -----
    *Values outside of [0, 1].* All other engines give overlaps in [0, 1]. Extrapolated ones may leave it, by shot noise
    or by what the fit does not capture: moving them to the ends would bias every average over them. Kernels and PSD
    repair take them as they are; ask for ``clip=True`` where probabilities are needed.

    *Shots.* Draws at different factors are independent, also in repetitions: repetition r of a request is repetition
    r·n_factors + k of the request at factor k. Standard errors are propagated, to first order where the fit is not
    linear. Entries are no frequencies of one circuit, so there are no shots of single pairs and no refinement of a
    fitted kernel. With weights :math:`h_k` of a fit, the standard error grows by :math:`\sqrt{\sum h_k^2}`: for
    the factors (1, 2, 3) 1.5 (linear) and 4.4 (Richardson).

    *Budgets.* Requests at all factors are held against the budget of the engine inside together, before the first is
    made, also in sums and products of kernels.

    *Beside the values.* ``need={"diagonal"}`` and ``need={"orientations"}`` are extrapolated likewise; with
    ``orientation="both"`` each orientation is extrapolated before they are averaged. Weights of outcomes are given
    where they remain a signed distribution whose class 0 is the value: from engines without shots, with a linear
    combination ("linear", "richardson") and without `clip`. Bits are refused.

    *Folding* lengthens the circuit of both halves by the factor, delays included. Which row is prepared is decided by
    keys that differ between the lengths, so both orientations are always run, at half the shots each, and their mean is
    extrapolated: ``need={"orientations"}`` is refused. All lengths run on the qubits that the engine chooses for the
    circuit itself (`Engine.with_layout_of`); of an engine that chooses others for longer ones there is a warning.

    *Cost.* The wrapped engine's, once for every factor; the fit takes at most 0.1 µs for every entry and factor on one
    core. All answers are held until the last has come.

    References
    ----------
    Temme, Bravyi and Gambetta, "Error mitigation for short-depth quantum circuits", arXiv:1612.02058.
    Endo, Benjamin and Li, "Practical quantum error mitigation for near-future applications", arXiv:1712.09271.
    Giurgica-Tiron et al., "Digital zero noise extrapolation for quantum error mitigation", arXiv:2005.10921.

    Examples
    --------
    >>> import numpy as np
    >>> from qiskit.circuit import ParameterVector, QuantumCircuit
    >>> from qkernels.engines import DensityMatrixEngine, NoiseTable, ZeroNoiseExtrapolation
    >>> from qkernels.programs import OverlapProgram
    >>> x = ParameterVector("x", 2)
    >>> circuit = QuantumCircuit(2)
    >>> for q in range(2):
    ...     _ = circuit.ry(x[q], q)
    >>> _ = circuit.cx(0, 1)
    >>> program, X = OverlapProgram(circuit, x), np.array([[0.1, 0.4], [0.7, -0.2]])
    >>> depolarizing = np.diag([1.0] + 15 * [0.95])
    >>> noise = NoiseTable(defaults={"cx": depolarizing}, ideal=["ry"], form="transfer")
    >>> DensityMatrixEngine(noise).overlaps(program, X).values.round(3)
    array([[0.927, 0.776],
           [0.776, 0.927]])
    >>> ZeroNoiseExtrapolation(DensityMatrixEngine(noise)).overlaps(program, X).values.round(3)
    array([[1.   , 0.833],
           [0.833, 1.   ]])
    """

    def __init__(
        self,
        engine: Engine,
        factors: Sequence[float] = (1, 2, 3),
        fit: Fit = "exponential",
        *,
        method: Method = "auto",
        readout: bool = False,
        asymptote: Literal["auto"] | float = "auto",
        clip: bool = False,
    ) -> None:
        if isinstance(engine, ZeroNoiseExtrapolation):
            raise InvalidParameterError(
                f"engine of {OWNER} must be noisy; got {engine!r}, which extrapolates already. Give all factors to one."
            )
        check_noisy(engine)
        numbers = check_factors(factors)
        check_choice(fit, "fit", ("exponential", "linear", "richardson"))
        check_choice(method, "method", ("auto", "scale", "fold"))
        check_flag(readout, "readout")
        check_flag(clip, "clip")
        self._engine, self._readout, self._asked_method = engine, readout, method
        self._continuation = Continuation(numbers, fit, check_asymptote(asymptote, fit), clip)
        self._strengths = Strengths.of(engine, numbers, scaled_engines(engine, method, numbers, readout))

    @property
    def engine(self) -> Engine:
        """The wrapped engine."""
        return self._engine

    @property
    def factors(self) -> tuple[float, ...]:
        """Noise strengths."""
        return self._continuation.factors

    @property
    def fit(self) -> Fit:
        """How entries are continued to strength 0."""
        return self._continuation.fit

    @property
    def method(self) -> Literal["scale", "fold"]:
        """How the noise is made stronger."""
        return self._strengths.method

    @property
    def readout(self) -> bool:
        """Whether readout errors are scaled, too."""
        return self._readout

    @property
    def asymptote(self) -> Literal["auto"] | float:
        """Value at infinite noise, of the exponential fit."""
        return self._continuation.asymptote

    @property
    def clip(self) -> bool:
        """Whether overlaps are kept in [0, 1]."""
        return self._continuation.clip

    @property
    def shots(self) -> int | None:
        """Shots of every entry at every factor; None where nothing is sampled."""
        return self._strengths.shots

    @property
    def seed(self) -> int | None:
        """Seed of the shots."""
        seed: int | None = getattr(self._engine, "seed", None)
        return seed

    @property
    def memory_limit(self) -> MemoryLimit:
        """Bytes a request may take."""
        limit: MemoryLimit = getattr(self._engine, "memory_limit", "auto")
        return limit

    @property
    def is_exact(self) -> bool:
        return False

    @property
    def identity(self) -> str:
        options = f"{self.readout}, {self.fit}, {self.asymptote}, {self.clip}"
        return f"{OWNER}({self._strengths.tag}, {options}, {self._engine.identity})"

    def __repr__(self) -> str:
        defaults = {"method": "auto", "readout": False, "asymptote": "auto", "clip": False}
        changed = {k: v for k, v in self._options.items() if v != defaults[k]}
        shown = {"factors": self.factors, "fit": self.fit} | changed
        return f"{OWNER}({self._engine!r}, {', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    def __reduce__(self) -> tuple[partial[ZeroNoiseExtrapolation], tuple[()]]:
        return partial(type(self), self._engine, self.factors, self.fit, **self._options), ()

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "method": self._asked_method,
            "readout": self.readout,
            "asymptote": self.asymptote,
            "clip": self.clip,
        }

    def scaled(self, factor: float, *, readout: bool = True) -> ZeroNoiseExtrapolation:
        """The same extrapolation of the wrapped engine with every error `factor` times as strong.

        Parameters
        ----------
        factor : float >= 0
        readout : bool, default=True

        Returns
        -------
        ZeroNoiseExtrapolation

        Raises
        ------
        UnsupportedCircuitError
            The wrapped engine has no noise table.
        """
        wrapped = self._engine.scaled(factor, readout=readout)
        return ZeroNoiseExtrapolation(wrapped, self.factors, self.fit, **self._options)

    # Requests ---------------------------------------------------------------------------------------------------

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        """Evolve the states of all rows of X at every noise strength.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        Prepared

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in the wrapped engine.
        BudgetError
            The states of one noise strength, or of all together, do not fit into `memory_limit`.
        """
        _check_program(program, Program, "prepare")
        return self._strengths.prepare(program, X, theta, resolve_memory_limit(self.memory_limit, OWNER))

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
        """Overlaps k(x, y) = |⟨0|U(y)†U(x)|0⟩|², extrapolated to no noise.

        Parameters
        ----------
        program : OverlapProgram
        X : array-like of shape (n_x, num_features), or Prepared
        Y : array-like of shape (n_y, num_features), or Prepared, optional
            None is the Gram matrix of X.
        theta : array-like of shape (num_parameters,), optional
        pairs : array-like of shape (n_pairs, 2), integers, optional
        diagonal : {"auto", True, False}
            As in `Engine.overlaps`; measured entries are extrapolated, too.
        need : collection of str
            Subset of {"diagonal", "orientations"}; see the class for "weights".
        orientation : {"canonical", "both"}
        shots : None
            Entries are no frequencies of one circuit, so there are no shots of single pairs.
        repetition : int >= 0

        Returns
        -------
        Overlaps
            `values` may lie outside of [0, 1]; `num_shots` are those of all noise strengths together.
            ``info["linear_entries"]``: entries that the exponential fit left to the linear one.

        Raises
        ------
        InvalidDataError, UnsupportedCircuitError
            As in the wrapped engine.
        InvalidParameterError
            An option breaks its rule; X or Y was prepared by another engine.
        BudgetError
            The request does not fit into `memory_limit`.
        """
        _check_program(program, OverlapProgram, "overlaps")
        request: dict[str, Any] = {"theta": theta, "pairs": pairs, "diagonal": diagonal, "need": need}
        request |= {"orientation": orientation, "repetition": repetition}
        call = EngineCall(self, program, X, Y, {**request, "shots": shots})
        check_together([call])
        self._check_memory(call)
        found, *selves = self._strengths.overlaps(program, X, Y, **request)
        both = orientation == "both" and self.method == "scale"
        answer = self._signed(self._continuation.overlaps(program, found, need, repetition, both=both))
        if "diagonal" not in need:
            return answer
        if not selves:  # they are on the diagonal
            own = np.ascontiguousarray(np.diagonal(answer.values))
            return replace(answer, diagonals=(own, own))
        sides = [self._continuation.overlaps(program, side, (), repetition, both=both).values for side in selves]
        return replace(answer, diagonals=(sides[0], sides[-1]))

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        """Expectation values ⟨0|U(x)† O U(x)|0⟩, every Pauli string extrapolated to no noise.

        Parameters
        ----------
        program : ExpectationProgram
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        Expectations
            `num_shots` are those of a Pauli string at all noise strengths together. ``info["linear_entries"]``: values
            of strings that the exponential fit left to the linear one.

        Raises
        ------
        InvalidDataError, UnsupportedCircuitError, BudgetError
            As in the wrapped engine.
        InvalidParameterError
            `program` is no `ExpectationProgram`, or theta does not fit.
        """
        _check_program(program, ExpectationProgram, "expectations")
        check_together([EngineCall(self, program, X, options={"theta": theta})])
        labels = pauli_labels(program)
        found = self._strengths.expectations(of_paulis(program, labels), X, theta)
        return self._signed(self._continuation.expectations(program, labels, found))

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
        """What a request would do: circuits and shots of all noise strengths together.

        Parameters
        ----------
        program, X, Y, theta, pairs, diagonal, need, orientation, shots, repetition
            As in `overlaps`; X and Y may be row counts.

        Returns
        -------
        Plan
            `entries` are those of the result, or of one factor: of expectation values every Pauli string is one.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnsupportedCircuitError
            As in `overlaps`.
        """
        _check_program(program, Program, "plan")
        options: dict[str, Any] = {"theta": theta, "pairs": pairs, "diagonal": diagonal, "need": need}
        options |= {"orientation": orientation, "shots": shots, "repetition": repetition}
        (plan,) = plan_each([EngineCall(self, program, X, Y, options)])
        return plan

    def inner_calls(self, call: EngineCall) -> list[EngineCall]:
        """The requests at all factors to the engine inside.

        Parameters
        ----------
        call : EngineCall
            To this engine.

        Returns
        -------
        list of EngineCall
        """
        options = call.request
        self._check_request(*(options[name] for name in ("diagonal", "need", "orientation", "shots", "repetition")))
        del options["shots"]
        return list(self._strengths.calls(_asked_inside(call.program), call.X, call.Y, **options))

    def plan_of(self, call: EngineCall, plans: Sequence[Plan]) -> Plan:
        """The plan of a request, from those of all factors.

        Parameters
        ----------
        call : EngineCall
            To this engine.
        plans : sequence of Plan
            Of its `inner_calls`.

        Returns
        -------
        Plan
        """
        asked = (call.request[name] for name in ("pairs", "need", "orientation"))
        plan = self._strengths.plan(plans, _asked_inside(call.program), call.X, call.Y, *asked)
        return replace(plan, engine=repr(self))

    # Checks -----------------------------------------------------------------------------------------------------

    def _check_request(
        self, diagonal: Diagonal, need: Need, orientation: Orientation, shots: ArrayLike | None, repetition: int
    ) -> None:
        available = {"diagonal"}
        available |= {"orientations"} if self.method == "scale" else set()
        available |= {"weights"} if self.shots is None and self.fit != "exponential" and not self.clip else set()
        check_request(diagonal, need, orientation, shots, repetition, self, available)

    def _check_memory(self, call: EngineCall) -> None:
        if not isinstance(call.X, Prepared) and not isinstance(call.Y, Prepared):
            (plan,) = plan_each([call])
            obstacle = plan.obstacle
        else:  # the wrapped engine knows what its states take
            asked = (call.request[name] for name in ("pairs", "need", "orientation"))
            held = self._strengths.held_bytes(call.program, call.X, call.Y, *asked)
            limit = resolve_memory_limit(self.memory_limit, OWNER)
            obstacle = self._strengths.too_large(held, limit, 0) if held > limit else ""
        if obstacle:
            raise BudgetError(obstacle)

    def _signed(self, answer: A) -> A:
        """The answer with this engine's name on it."""
        return replace(answer, info={**answer.info, "engine": repr(self), "method": self.method})


def _asked_inside(program: Program) -> Program:
    """What the engine inside is asked for: of observables every Pauli string apart."""
    return of_paulis(program, pauli_labels(program)) if isinstance(program, ExpectationProgram) else program


def _check_program(program: object, kind: type[Program], method: str) -> None:
    if not isinstance(program, kind):
        wanted = "a program" if kind is Program else f"an {kind.__name__}"
        raise InvalidParameterError(f"program of {method} must be {wanted}, got {type(program).__name__}.")
