"""What all noiseless engines share: duplicates, caching, memory, blocks, content-keyed shots.

A subclass says how states are evolved and how a block of overlaps follows from them; everything that decides whether
two calls agree (symmetry, the diagonal, which draw belongs to which pair) is here, once.
"""

from __future__ import annotations

import hashlib
import secrets
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidDataError, InvalidParameterError
from qkernels.engines import _shared_store
from qkernels.engines._answer import answer
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._blockwise import Side, fill, ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._cache import CACHE
from qkernels.engines._draw import Draw
from qkernels.engines._expectations import combine, pauli_labels, sample_paulis
from qkernels.engines._memory import MemoryLimit, resolve_memory_limit
from qkernels.engines._options import check_options, check_shots
from qkernels.engines._parallel import run_tasks
from qkernels.engines._rows import as_scalars, bind_rows, check_pairs, theta_digest
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

__all__ = ["ExactEngine"]

_CHUNK_BYTES = 1 << 20
"""States gathered at once on either side of single pairs."""

Values = NDArray[np.float64]


class ExactEngine(Engine):
    """Base of the noiseless engines (abstract): a subclass evolves states and multiplies them."""

    _available: ClassVar[frozenset[str]] = frozenset({"diagonal", "orientations"})
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
        self.memory_limit = memory_limit

    @property
    def is_exact(self) -> bool:
        return self.shots is None

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
    def _state_bytes(self, program: Program) -> int:
        """Bytes of one state."""

    @abstractmethod
    def _work_bytes(self, program: Program) -> int:
        """Bytes of work space beside states and results."""

    def _weighing_bytes(self, program: Program) -> int:
        """Bytes of work space beside those where outcomes are weighed."""
        return 0

    @abstractmethod
    def _evolve(self, compiled: Any, angles: NDArray[np.float64]) -> Any:
        """States of all rows of angles."""

    @abstractmethod
    def _block(self, a: Any, rows: slice, b: Any, columns: slice) -> Values:
        """Overlaps of two ranges of states, shape (rows, columns)."""

    @abstractmethod
    def _pair_values(self, a: Any, i: NDArray[np.intp], b: Any, j: NDArray[np.intp]) -> Values:
        """Overlaps of single pairs, shape (n_pairs,)."""

    @abstractmethod
    def _pauli_values(self, states: Any, labels: list[str]) -> Values:
        """Expectation values of Pauli strings, shape (n_samples, n_labels)."""

    @abstractmethod
    def _select(self, states: Any, rows: slice) -> Any:
        """A range of states."""

    def _check(self, program: Program) -> None:
        """Raise UnsupportedCircuitError where the engine cannot evaluate the program; must be cheap at any size."""
        self._compiled(program)

    def _block_rows(self, program: Program) -> int:
        """Rows and columns of one block of overlaps."""
        return 256

    def _pair_chunk(self, program: Program) -> int:
        """Pairs evaluated at once by one thread: the states of both sides are gathered for them."""
        return max(1, _CHUNK_BYTES // self._state_bytes(program))

    # Preparation ------------------------------------------------------------------------------------------------

    def _compiled(self, program: Program) -> Any:
        key = ("compiled", type(self).__name__, program.key)
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
        if raw.dtype == object:
            return bind_rows(program, X, theta, name, self._tag)
        return CACHE.compute(key, lambda: bind_rows(program, X, theta, name, self._tag), lambda p: p.nbytes)

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
        weights = None
        if request.weights:

            def outcomes() -> Values:
                CACHE.count("weights")
                return weigh(request, frequencies, index, lambda listed: self._weigh(listed, request, footprint))

            weights = self._cached("weights", request, outcomes) if index is None else outcomes()
        return answer(request, frequencies, weights, index, need, repr(self))

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
        owner = type(self).__name__
        check_options(diagonal, need, orientation, available=self._available, owner=owner, shots=self.shots)
        index = None if pairs is None else check_pairs(pairs, a.num_samples, (b or a).num_samples)
        num_pairs = None if index is None else len(index)
        asked = check_shots(shots, repetition, num_pairs, orientation, owner=owner, engine_shots=self.shots)
        draw = Draw.of(asked, self.seed, orientation, int(repetition))
        weights = "weights" in need and isinstance(program, OverlapProgram)
        return Request(program, a, b, num_pairs, draw, diagonal, orientation, weights), index

    def _cached(self, kind: str, request: Request, evaluate: Callable[[], Values]) -> Values:
        """A result over whole matrices, read-only: from this process, from a sibling worker, or evaluated."""
        program, a, b = request.program, request.a, request.b
        key: tuple[Hashable, ...] = (kind, self._tag, program.key, a.digest, b and b.digest, request.draw)
        if kind == "weights":
            key = (*key, request.orientation)

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

    def _evaluate(self, request: Request, footprint: Footprint) -> Values:
        """The matrix over distinct rows by blocks, then expanded to all rows."""
        CACHE.count("matrices")
        program, a, b, draw = request.program, request.a, request.b, request.draw
        other = a if b is None else b
        out = np.empty((2, len(a.keys), len(other.keys)) if draw.both else (len(a.keys), len(other.keys)))
        rows = self._block_rows(program)
        if footprint.fits_whole:
            a = self._with_states(program, a)
            left = Side(0, a.keys, a.data)
            if b is None:
                right = left
            else:
                other = self._with_states(program, b)
                right = Side(0, other.keys, other.data)
            fill(out, left, right, self._block, draw, rows, symmetric=b is None)
        else:
            self._stream(out, program, a, b, draw, footprint)
        if b is None:
            i = j = np.arange(len(a.keys))
        else:
            _, i, j = np.intersect1d(as_scalars(a.keys), as_scalars(other.keys), return_indices=True)
        out[..., i, j] = 1.0  # a row with itself, also across train and test
        if a.inverse is None and other.inverse is None:
            return out
        every_row = np.arange(len(a.keys)) if a.inverse is None else a.inverse
        every_column = np.arange(len(other.keys)) if other.inverse is None else other.inverse
        return out[..., every_row[:, None], every_column]

    def _stream(
        self,
        out: Values,
        program: Program,
        a: Prepared,
        b: Prepared | None,
        draw: Draw,
        footprint: Footprint,
    ) -> None:
        """States that do not fit at once: a long stripe of rows stays while short stripes pass by."""
        other = a if b is None else b
        long, short = footprint.stripes
        rows = min(self._block_rows(program), short)
        for i in ranges(len(a.keys), long):
            left = self._side(program, a, i)
            if b is None:
                fill(out, left, left, self._block, draw, rows, symmetric=True)
            for j in ranges(len(other.keys), short):
                if b is None and j.stop <= i.stop:
                    continue
                j = slice(max(j.start, i.stop), j.stop) if b is None else j
                fill(out, left, self._side(program, other, j), self._block, draw, rows, symmetric=b is None)

    def _side(self, program: Program, bound: Prepared, rows: slice) -> Side:
        """States of a range of rows, evolved now unless they are there."""
        compiled = self._compiled(program)
        states = self._evolve(compiled, bound.angles[rows]) if bound.data is None else self._select(bound.data, rows)
        return Side(rows.start, bound.keys[rows], states)

    def _evaluate_pairs(self, request: Request, pairs: NDArray[np.intp], footprint: Footprint) -> Values:
        """Single pairs: only rows that occur in a pair of different rows are evolved, some at a time."""
        CACHE.count("matrices")
        program, a, b, draw = request.program, request.a, request.b or request.a, request.draw
        i = pairs[:, 0] if a.inverse is None else a.inverse[pairs[:, 0]]
        j = pairs[:, 1] if b.inverse is None else b.inverse[pairs[:, 1]]
        values = np.ones((2, len(pairs)) if draw.both else (len(pairs),))
        different = np.flatnonzero((a.keys[i] != b.keys[j]).any(axis=1))
        different = different[np.argsort(i[different], kind="stable")]
        size = max(1, len(different)) if footprint.fits_whole else max(1, footprint.rows_in_memory // 2)
        for part in ranges(len(different), size):
            where = different[part]
            left, ii = self._occurring(program, a, i[where])
            right, jj = self._occurring(program, b, j[where])
            chunks = [(c,) for c in ranges(len(where), self._pair_chunk(program))]

            def chunk(
                c: slice, left: Side = left, right: Side = right, ii: Any = ii, jj: Any = jj, where: Any = where
            ) -> Values:  # defaults bind the values of this round
                p = self._pair_values(left.states, ii[c], right.states, jj[c])
                return draw.at(where[c])(p, left.keys[ii[c]], right.keys[jj[c]])

            for (c,), found in zip(chunks, run_tasks(chunk, chunks), strict=True):
                values[..., where[c]] = found
        return values

    def _occurring(self, program: Program, bound: Prepared, rows: NDArray[np.intp]) -> tuple[Side, NDArray[np.intp]]:
        """States of the rows that occur in a list, and the list as positions among them."""
        if bound.data is not None:
            return Side(0, bound.keys, bound.data), rows
        distinct, position = np.unique(rows, return_inverse=True)
        states = self._evolve(self._compiled(program), bound.angles[distinct])
        return Side(0, bound.keys[distinct], states), position

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
        if footprint.fits_whole:
            paulis = self._pauli_values(self._with_states(program, bound).data, labels)
        else:
            stripes = ranges(len(bound.keys), footprint.rows_in_memory - 1)
            paulis = np.concatenate([self._pauli_values(self._side(program, bound, s).states, labels) for s in stripes])
        variances = None
        if self.shots is not None:
            paulis, variances = sample_paulis(paulis, labels, bound.keys, self.shots, self.seed)
        found = combine(program, paulis, variances)
        return found if bound.inverse is None else found[:, bound.inverse]

    # Memory and plans -------------------------------------------------------------------------------------------

    @property
    def _limit(self) -> int:
        return resolve_memory_limit(self.memory_limit, type(self).__name__)

    def _footprint(self, request: Request) -> Footprint:
        """Memory of a request; raises where the engine cannot evaluate its circuit."""
        program = request.program
        self._check(program)
        return Footprint(
            state=self._state_bytes(program),
            work=self._work_bytes(program) + (self._weighing_bytes(program) if request.weights else 0),
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
        request, index = self._request(program, a, b, pairs, diagonal, need, orientation, shots, repetition)
        footprint = self._footprint(request)
        reason = self._refusal(request, footprint)
        if index is None and isinstance(program, OverlapProgram):
            circuits = footprint.simulations(len(a.keys), None if b is None else len(b.keys))
        else:
            circuits = request.num_states
        return Plan(
            engine=repr(self),
            num_qubits=program.num_qubits,
            circuits=circuits + request.num_weighed,
            entries=request.entries,
            shots=request.shots,
            memory_bytes=footprint.whole if footprint.fits_whole else max(footprint.smallest, footprint.limit),
            memory_limit_bytes=footprint.limit,
            feasible=not reason,
            reason=reason,
        )

    def _row_source(self, program: Program, X: ArrayLike | int, theta: ArrayLike | None, name: str) -> Prepared:
        if not is_count(X):
            return self._bind(program, X, theta, name)
        count = int(X)  # type: ignore[arg-type]
        if count < 1:
            raise InvalidDataError(f"{name} as a row count must be >= 1, got {X!r}.")
        keys = np.broadcast_to(np.zeros(2, dtype=np.uint64), (count, 2))
        return Prepared(program.key, self._tag, "", "", keys, None, np.empty((0, 0)), None, 0)

    def _refusal(self, request: Request, footprint: Footprint) -> str:
        """Why a request is not evaluated; "" where it is."""
        if reason := too_many_circuits(request, type(self).__name__):
            return reason
        return "" if footprint.feasible else self._too_large(request.program, footprint)

    def _too_large(self, program: Program, footprint: Footprint) -> str:
        return (
            f"{program.num_features} feature(s) on {program.num_qubits} qubits, {footprint.num_states} rows: one state "
            f"takes {format_bytes(footprint.state)} and the request at least "
            f"{format_bytes(min(footprint.smallest, footprint.whole))}, but memory_limit of {type(self).__name__} is "
            f"{format_bytes(footprint.limit)}. {self._advice(program, footprint.num_states)}"
        )

    def _advice(self, program: Program, rows: int) -> str:
        return "Reduce X (PCA, fewer rows), or raise memory_limit."
