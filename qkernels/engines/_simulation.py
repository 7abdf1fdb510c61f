"""What all simulating engines share: duplicates, caching, memory, content-keyed shots, plans.

A subclass says how states are evolved and how a block of overlaps follows from them; everything that decides whether
two calls agree (symmetry, the diagonal, which draw belongs to which pair) is here and in `_matrices`, once.
"""

from __future__ import annotations

import hashlib
import secrets
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidDataError, InvalidParameterError
from qkernels.engines import _shared_store
from qkernels.engines._answer import Found, answer
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._blockwise import ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._cache import CACHE
from qkernels.engines._draw import Draw
from qkernels.engines._expectations import combine, pauli_labels, sample_paulis
from qkernels.engines._matrices import MatrixEvaluator
from qkernels.engines._memory import MemoryLimit, resolve_memory_limit
from qkernels.engines._options import check_options, check_shots
from qkernels.engines._rows import bind_rows, check_pairs, theta_digest
from qkernels.engines._weights import PairList, too_many_circuits, weigh
from qkernels.programs import (
    ExpectationProgram,
    Expectations,
    OverlapProgram,
    Overlaps,
    Plan,
    Program,
    format_bytes,
    is_count,
)

__all__ = ["SimulationEngine"]

Values = NDArray[np.float64]


class SimulationEngine(MatrixEvaluator, Engine):
    """Base of the simulating engines (abstract): a subclass evolves states and multiplies them."""

    _available: frozenset[str] = frozenset({"diagonal", "orientations"})
    """What `need` may ask for."""

    def __init__(
        self, *, shots: int | None = None, seed: int | None = None, memory_limit: MemoryLimit = "auto"
    ) -> None:
        owner = type(self).__name__
        if shots is not None and (isinstance(shots, bool) or not isinstance(shots, (int, np.integer)) or shots < 1):
            raise InvalidParameterError(
                f"shots of {owner} must be None (exact values) or an integer >= 1, got {shots!r}."
            )
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise InvalidParameterError(
                f"seed of {owner} must be None or an integer >= 0, got {seed!r}. None draws one and keeps it."
            )
        resolve_memory_limit(memory_limit, owner)
        self.shots = None if shots is None else int(shots)
        self.seed = secrets.randbelow(2**31) if seed is None else int(seed)
        self._has_drawn_seed = seed is None
        self.memory_limit = memory_limit

    _alias: str | None = None

    @property
    def _owner(self) -> str:
        """What messages call the engine: where it works for another one, by the name of that."""
        return self._alias or type(self).__name__

    @property
    def is_exact(self) -> bool:
        return self.shots is None

    @property
    def identity(self) -> str:
        seed = None if self.shots is None or self._has_drawn_seed else self.seed
        return f"{type(self).__qualname__}({self._tag}, shots={self.shots}, seed={seed})"

    def __repr__(self) -> str:
        shown: dict[str, object] = {} if self.shots is None else {"shots": self.shots, "seed": self.seed}
        shown |= {"memory_limit": self.memory_limit} if self.memory_limit != "auto" else {}
        shown |= self._repr_options()
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    # What a subclass provides -----------------------------------------------------------------------------------

    def _repr_options(self) -> dict[str, object]:
        return {}

    @property
    @abstractmethod
    def _tag(self) -> str:
        """Names the kind of states and their precision: a part of every cache key."""

    @abstractmethod
    def _compile(self, program: Program) -> Any:
        """The program in the engine's executable form (cached by program key)."""

    @abstractmethod
    def _work_bytes(self, program: Program) -> int:
        """Bytes of work space beside states and results."""

    def _weighing_bytes(self, request: Request) -> int:
        """Bytes of work space beside those where outcomes are weighed."""
        return 0

    @abstractmethod
    def _pauli_values(self, program: ExpectationProgram, states: Any, labels: list[str]) -> Values:
        """Expectation values of Pauli strings, shape (n_samples, n_labels)."""

    @property
    def _compile_tag(self) -> str:
        """Names the executable form: a part of its cache key."""
        return type(self).__name__

    def _result_tag(self, program: Program) -> str:
        """Names where results come from: a part of the cache key of every one."""
        return self._tag

    def _check(self, program: Program) -> None:
        """Raise UnsupportedCircuitError where the engine cannot evaluate the program; must be cheap at any size."""
        self._compiled(program)

    # Preparation ------------------------------------------------------------------------------------------------

    def _compiled(self, program: Program) -> Any:
        key = ("compiled", self._compile_tag, program.key)
        return CACHE.compute(key, lambda: self._compile(program), lambda c: int(getattr(c, "nbytes", 1 << 16)))

    def _bind(self, program: Program, X: ArrayLike | Prepared, theta: ArrayLike | None, name: str) -> Prepared:
        """Rows of X as distinct bound angles with their keys; no states yet."""
        if isinstance(X, Prepared):
            if X.program_key != program.key or X.engine != self._tag:
                raise InvalidParameterError(
                    f"{name} was prepared for another program or by another engine ({X.engine}, program "
                    f"{X.program_key[:12]}…), not for {self._tag}, program {program.key[:12]}…. "
                    f"Call prepare again with this engine and program."
                )
            if theta is not None and theta_digest(theta) != X.theta:
                raise InvalidParameterError(
                    f"{name} was prepared with another theta than the one given. Prepare it again with this theta."
                )
            return X
        raw = np.asarray(X)
        content = hashlib.blake2b(np.ascontiguousarray(raw).tobytes(), digest_size=16)
        content.update(f"{raw.shape}{raw.dtype}".encode())
        key: Hashable = ("rows", self._tag, program.key, content.hexdigest(), theta_digest(theta))

        def bind() -> Prepared:
            return bind_rows(program, X, theta, name, self._tag, by_key=self._noisy)

        return bind() if raw.dtype == object else CACHE.compute(key, bind, lambda p: p.nbytes)

    def _with_states(self, program: Program, bound: Prepared) -> Prepared:
        """The same rows with their states, from the cache where they are there."""
        if bound.data is not None:
            return bound

        def evolve() -> Prepared:
            states = self._evolve(self._compiled(program), bound.angles)
            return replace(bound, data=states, nbytes=bound.nbytes + len(bound.keys) * self._state_bytes(program))

        return CACHE.compute(("states", self._tag, program.key, bound.digest), evolve, lambda p: p.nbytes)

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        bound = self._bind(program, X, theta, "X")
        self._check(program)
        sizes = self._state_bytes(program), self._work_bytes(program), self._limit
        footprint = Footprint(*sizes, result=0, num_states=len(bound.keys))
        if not footprint.fits_whole:
            raise BudgetError(self._too_large(program, footprint))
        return self._with_states(program, bound)

    # Overlaps ---------------------------------------------------------------------------------------------------

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
        if not isinstance(program, OverlapProgram):
            raise InvalidParameterError(f"program of overlaps must be an OverlapProgram, got {type(program).__name__}.")
        request, index = self._request(
            program, *self._sides(program, X, Y, theta), pairs, diagonal, need, orientation, shots, repetition
        )
        footprint = self._footprint(request)
        if reason := self._refusal(request, footprint):
            raise BudgetError(reason)
        if index is None:
            frequencies = self._cached("matrix", request, lambda: self._evaluate(request, footprint))
        else:
            frequencies = self._evaluate_pairs(request, index, footprint)
        found = Found(frequencies, info=self._info(program))
        found.stderr, found.num_shots = self._uncertainty(request, index)
        if request.weights:

            def outcomes() -> Values:
                CACHE.count("weights")
                return weigh(request, frequencies, index, lambda listed: self._weigh(listed, request, footprint))

            found.weights = self._cached("weights", request, outcomes) if index is None else outcomes()
        if "bits" in need:
            found.bits, found.outcomes = self._read(request, frequencies, index, footprint)
            found.readout = self._readout(program)
        if "diagonal" in need:
            sides = (request.a, request.b or request.a)
            first = self._own_entries(request, sides[0], frequencies)
            same = sides[0] is sides[1]
            found.diagonals = first, first if same else self._own_entries(request, sides[1], frequencies)
        return answer(request, found, index, need, repr(self))

    def _info(self, program: OverlapProgram) -> dict[str, str | int | float | bool]:
        """What `Overlaps.info` says beside what all engines say."""
        return {"num_qubits": program.num_qubits}

    def _own_entries(self, request: Request, side: Prepared, frequencies: Values) -> Values:
        """The entries of rows with themselves: those of the matrix where they stand in it."""
        if not self._noisy:
            return np.ones(side.num_samples)
        if request.b is None and request.num_pairs is None:
            values = np.diagonal(frequencies, axis1=-2, axis2=-1)
        else:
            rows = np.arange(len(side.keys))
            draw = request.draw.at_engine(self.shots)
            single = replace(request, a=side, b=None, num_pairs=len(rows), draw=draw, weights=False, outcomes=False)
            footprint = self._footprint(single)
            own = self._with_states(request.program, side) if footprint.fits_whole else side
            single = replace(single, a=replace(own, inverse=None))
            values = self._evaluate_pairs(single, np.stack([rows, rows], axis=1), footprint)
            values = values if side.inverse is None else values[..., side.inverse]
        if values.ndim == 1:
            return np.array(values)
        return np.array(values.mean(axis=0) if request.orientation == "both" else values[0])

    def _uncertainty(
        self, request: Request, index: NDArray[np.intp] | None
    ) -> tuple[Values | None, NDArray[np.int64] | None]:
        """Standard errors and numbers of shots, where the engine knows them other than by the shots asked for."""
        return None, None

    def _read(
        self, request: Request, frequencies: Values, index: NDArray[np.intp] | None, footprint: Footprint
    ) -> tuple[NDArray[np.uint8] | None, Values | None]:
        """Measured bits, or the probabilities of outcomes; where `need` may ask for them."""
        raise NotImplementedError

    def _readout(self, program: OverlapProgram) -> Values | None:
        """P(read | true) of every qubit; where `need` may ask for bits."""
        raise NotImplementedError

    def _request(
        self,
        program: Program,
        a: Prepared,
        b: Prepared | None,
        pairs: ArrayLike | None,
        diagonal: Diagonal,
        need: Need,
        orientation: Orientation,
        shots: ArrayLike | None,
        repetition: int,
    ) -> tuple[Request, NDArray[np.intp] | None]:
        """A request with its options checked, and its pairs as indices."""
        owner = self._owner
        check_options(diagonal, need, orientation, available=self._available, owner=owner, shots=self.shots)
        index = None if pairs is None else check_pairs(pairs, a.num_samples, (b or a).num_samples)
        num_pairs = None if index is None else len(index)
        asked = check_shots(shots, repetition, num_pairs, orientation, owner=owner, engine_shots=self.shots)
        two_ways: Orientation = "both" if "orientations" in need and asked is None else orientation
        draw = Draw.of(asked, self.seed, two_ways, int(repetition), directed=self._noisy)
        is_overlap = isinstance(program, OverlapProgram)
        weights, outcomes = "weights" in need and is_overlap, "bits" in need and is_overlap
        if outcomes and isinstance(asked, np.ndarray):
            raise InvalidParameterError(
                "shots of overlaps with need={'bits'} must be the engine's, the same for every pair; got shots of each "
                "pair. Ask for bits without them."
            )
        measured = self._noisy and diagonal is not False
        request = Request(program, a, b, num_pairs, draw, diagonal, orientation, weights, outcomes, measured)
        if "diagonal" in need and self._noisy and is_overlap:
            own = len(a.keys) + (0 if b is None or b is a else len(b.keys))
            if num_pairs is None and b is None and measured:
                own = 0  # they stand in the matrix
            total = draw.at_engine(self.shots).total_shots
            request = replace(request, own_entries=own, own_shots=own * int(total))
        return request, index

    def _cached(self, kind: str, request: Request, evaluate: Callable[[], Values]) -> Values:
        """A result over whole matrices, read-only: from this process, from a sibling worker, or evaluated."""
        program, a, b = request.program, request.a, request.b
        tag = self._result_tag(program)
        key: tuple[Hashable, ...] = (kind, tag, program.key, a.digest, b and b.digest, request.draw)
        if kind != "matrix":
            key = (*key, request.orientation, request.measured_diagonal)

        def compute() -> Values:
            values = _shared_store.share(repr(key), evaluate)
            values.setflags(write=False)
            return values

        return CACHE.compute(key, compute, lambda v: v.nbytes)

    def _sides(
        self, program: Program, X: ArrayLike | Prepared, Y: ArrayLike | Prepared | None, theta: ArrayLike | None
    ) -> tuple[Prepared, Prepared | None]:
        a = self._bind(program, X, theta, "X")
        b = None if Y is None else self._bind(program, Y, theta, "Y")
        if b is not None and a.theta != b.theta:
            raise InvalidParameterError(
                "X and Y were prepared with different theta; overlaps compares states of one parameter vector. "
                "Prepare both with the same theta."
            )
        return a, b

    def _weigh(
        self, pairs: PairList, request: Request, footprint: Footprint
    ) -> Iterator[tuple[NDArray[np.intp], Values]]:
        """Flat positions and outcome weights of pairs, tile by tile; where `need` may ask for them."""
        raise NotImplementedError

    # Expectations -----------------------------------------------------------------------------------------------

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        if not isinstance(program, ExpectationProgram):
            raise InvalidParameterError(
                f"program of expectations must be an ExpectationProgram, got {type(program).__name__}."
            )
        bound = self._bind(program, X, theta, "X")
        request = Request(program, bound, None, None, Draw.of(self.shots, self.seed, "canonical"))
        footprint = self._footprint(request)
        if reason := self._refusal(request, footprint):
            raise BudgetError(reason)
        found = self._cached("expectations", request, lambda: self._observe(program, bound, footprint))
        info: dict[str, str | int | float | bool] = {"engine": repr(self), "program": program.key}
        if self.shots is None:
            return Expectations(found[0], info=info)
        return Expectations(found[0], found[1], self.shots, info | {"seed": self.seed})

    def _observe(self, program: ExpectationProgram, bound: Prepared, footprint: Footprint) -> Values:
        """Values and, with shots, standard errors: shape (1 or 2, n_samples, n_observables)."""
        CACHE.count("expectations")
        labels = pauli_labels(program)
        paulis = self._all_paulis(program, bound, footprint, labels)
        variances = None
        if self.shots is not None:
            paulis, variances = sample_paulis(paulis, labels, bound.keys, self.shots, self.seed)
        found = combine(program, paulis, variances)
        return found if bound.inverse is None else found[:, bound.inverse]

    def _all_paulis(
        self, program: ExpectationProgram, bound: Prepared, footprint: Footprint, labels: list[str]
    ) -> Values:
        """Expectation values of Pauli strings in all distinct rows, shape (n_rows, n_labels)."""
        if footprint.fits_whole:
            return self._pauli_values(program, self._with_states(program, bound).data, labels)
        stripes = ranges(len(bound.keys), footprint.rows_in_memory - 1)
        parts = [self._pauli_values(program, self._side(program, bound, s).states, labels) for s in stripes]
        return np.concatenate(parts)

    # Memory and plans -------------------------------------------------------------------------------------------

    @property
    def _limit(self) -> int:
        return resolve_memory_limit(self.memory_limit, self._owner)

    def _footprint(self, request: Request) -> Footprint:
        """Memory of a request; raises where the engine cannot evaluate its circuit."""
        program = request.program
        self._check(program)
        return Footprint(
            state=self._state_bytes(program),
            work=self._work_bytes(program) + (self._weighing_bytes(request) if request.weighed_pairs else 0),
            limit=self._limit,
            result=request.result_bytes,
            num_states=request.num_states,
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
        if not isinstance(program, Program):
            raise InvalidParameterError(f"program of plan must be a program, got {type(program).__name__}.")
        a = self._row_source(program, X, theta, "X")
        b = None if Y is None else self._row_source(program, Y, theta, "Y")
        request, _ = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        footprint = self._footprint(request)
        reason = self._refusal(request, footprint)
        return Plan(
            engine=repr(self),
            num_qubits=program.num_qubits,
            circuits=self._num_circuits(request, footprint),
            entries=request.entries,
            shots=request.shots,
            memory_bytes=footprint.whole if footprint.fits_whole else max(footprint.smallest, footprint.limit),
            memory_limit_bytes=footprint.limit,
            feasible=not reason,
            reason=reason,
        )

    def _num_circuits(self, request: Request, footprint: Footprint) -> int:
        """Circuits that a request takes."""
        if request.num_pairs is None and isinstance(request.program, OverlapProgram):
            evolved = footprint.simulations(len(request.a.keys), None if request.b is None else len(request.b.keys))
        else:
            evolved = request.num_states
        return evolved + request.num_weighed

    def _row_source(self, program: Program, X: ArrayLike | int, theta: ArrayLike | None, name: str) -> Prepared:
        if not is_count(X):
            return self._bind(program, X, theta, name)
        count = int(X)  # type: ignore[arg-type]
        if count < 1:
            raise InvalidDataError(f"{name} as a row count must be >= 1, got {X!r}.")
        keys = np.broadcast_to(np.zeros(2, dtype=np.uint64), (count, 2))
        every = np.arange(count) if self._noisy else None  # rows bound under noise are put in order
        return Prepared(program.key, self._tag, "", "", keys, every, np.empty((0, 0)), None, 0)

    def _refusal(self, request: Request, footprint: Footprint) -> str:
        """Why a request is not evaluated; "" where it is."""
        if reason := too_many_circuits(request, self._owner):
            return reason
        return "" if footprint.feasible else self._too_large(request.program, footprint)

    def _too_large(self, program: Program, footprint: Footprint) -> str:
        return (
            f"{program.num_features} feature(s) on {program.num_qubits} qubits, {footprint.num_states} rows: one state "
            f"takes {format_bytes(footprint.state)} and the request at least "
            f"{format_bytes(min(footprint.smallest, footprint.whole))}, but memory_limit of {self._owner} is "
            f"{format_bytes(footprint.limit)}. {self._advice(program, footprint.num_states)}"
        )

    def _advice(self, program: Program, rows: int) -> str:
        return "Reduce X (PCA, fewer rows), or raise memory_limit."
