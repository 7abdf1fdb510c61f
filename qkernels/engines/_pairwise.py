"""PairwiseEngine: engines that run one circuit for each pair, from distributions or from shots of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._base import Prepared
from qkernels.engines._blockwise import ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._cache import CACHE
from qkernels.engines._draw import Draw
from qkernels.engines._noisy import NoisyEngine
from qkernels.engines._weights import OutcomeClasses, PairList, gather
from qkernels.programs import OverlapProgram, Program, format_bytes, is_canonical, pair_uniforms

__all__ = ["PairBatch", "PairwiseEngine"]

_ENTRY_BYTES = 256
"""What an entry of the cache takes beside its numbers."""

Values = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """Pairs of rows to measure: U(x) of one, U(y)† of the other.

    Attributes
    ----------
    prepared, undone : ndarray of shape (n_pairs, n_angles), float64
        Bound angles of the program.
    prepared_keys, undone_keys : ndarray of shape (n_pairs, 2), uint64
        Content keys of the rows.
    shots : ndarray of shape (n_pairs,), int64
    stream : str
        Names the direction and the repetition of what is measured.
    """

    prepared: Values
    undone: Values
    prepared_keys: NDArray[np.uint64]
    undone_keys: NDArray[np.uint64]
    shots: NDArray[np.int64]
    stream: str

    def __len__(self) -> int:
        return len(self.shots)

    def take(self, where: Index | slice) -> PairBatch:
        """Some of the pairs.

        Parameters
        ----------
        where : ndarray of int, or slice

        Returns
        -------
        PairBatch
        """
        return PairBatch(
            self.prepared[where],
            self.undone[where],
            self.prepared_keys[where],
            self.undone_keys[where],
            self.shots[where],
            self.stream,
        )

    def seeds(self, seed: int) -> Index:
        """A seed for every pair, by its rows, the engine's seed and the stream.

        Parameters
        ----------
        seed : int
            Of the engine.

        Returns
        -------
        ndarray of shape (n_pairs,), intp
            Below 2^31.
        """
        uniforms = pair_uniforms(self.prepared_keys, self.undone_keys, seed, f"bits,{self.stream}")
        return np.asarray(uniforms * 2.0**31, dtype=np.intp)


class PairwiseEngine(NoisyEngine):
    """Base of engines that run the compute–uncompute circuit of every pair (abstract).

    A subclass runs pairs. What a pair gave is kept in the process-wide cache by content, so a pair is run once, however
    often and in whichever matrix it is asked for.

    Parameters
    ----------
    shots : int >= 1, optional
        None gives exact probabilities.
    seed : int >= 0, optional
        Seed of the shots. None draws one at construction and keeps it.
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory.
    """

    _pairs_at_once: ClassVar[int] = 8192
    """Pairs handed over in one run."""

    # What a subclass provides -----------------------------------------------------------------------------------

    @property
    def _samples(self) -> bool:
        """Whether the engine measures shots itself; else it gives distributions, and shots are drawn from them."""
        return False

    @abstractmethod
    def _outcome_probabilities(self, program: OverlapProgram, prepared: Values, undone: Values) -> Values:
        """Distributions over all outcomes for pairs of rows.

        Parameters
        ----------
        program : OverlapProgram
        prepared, undone : ndarray of shape (n_pairs, n_angles), float64
            Bound angles of the program.

        Returns
        -------
        ndarray of shape (n_pairs, 2**n), float64
            Readout errors included; qubit 0 of the program is the lowest bit of the index.
        """

    def _measured_bits(self, program: OverlapProgram, pairs: PairBatch) -> list[NDArray[Any]]:
        """Measured bits of pairs, where `_samples`.

        Parameters
        ----------
        program : OverlapProgram
        pairs : PairBatch

        Returns
        -------
        list of ndarray of shape (shots, ⌈n/8⌉), uint8
            The same for the same `PairBatch.seeds`, where they are the engine's to choose. Or of shape (2,), float64,
            where a value and its standard error are measured.
        """
        raise NotImplementedError

    # Pairs ------------------------------------------------------------------------------------------------------

    def _batch(self, a: Prepared, i: Index, b: Prepared, j: Index, stream: str, draw: Draw) -> PairBatch:
        """Pairs of a prepared row of `a` and an undone row of `b`."""
        shots = np.array(np.broadcast_to(np.asarray(draw.shots_per_value, dtype=np.int64), len(i)))
        return PairBatch(a.angles[i], b.angles[j], a.keys[i], b.keys[j], shots, stream)

    def _measured(self, program: OverlapProgram, pairs: PairBatch) -> Iterator[tuple[slice, list[Any]]]:
        """What the engine measured of each pair, from the cache or now."""
        settings = [(int(shots), self.seed) for shots in pairs.shots]
        keys = pairs.prepared_keys, pairs.undone_keys
        for part in ranges(len(pairs), self._pairs_at_once):

            def run(where: Index, part: slice = part) -> list[Any]:
                return self._measured_bits(program, pairs.take(part).take(where))

            names = self._names(program, pairs.stream, settings[part], keys[0][part], keys[1][part])
            yield part, _from_cache(names, run)

    def _exact(
        self, program: OverlapProgram, a: Prepared, i: Index, b: Prepared, j: Index
    ) -> Iterator[tuple[slice, list[Any]]]:
        """The distribution of each pair, from the cache or computed now."""
        for part in ranges(len(i), self._pairs_at_once):

            def run(where: Index, part: slice = part) -> list[Any]:
                angles = a.angles[i[part][where]], b.angles[j[part][where]]
                return list(self._outcome_probabilities(program, *angles))

            keys = a.keys[i[part]], b.keys[j[part]]
            yield part, _from_cache(self._names(program, "", [None] * len(keys[0]), *keys), run)

    def _names(
        self,
        program: OverlapProgram,
        stream: str,
        settings: list[Any],
        prepared: NDArray[np.uint64],
        undone: NDArray[np.uint64],
    ) -> list[tuple[object, ...]]:
        """Keys of the cache."""
        tag, rows = self._result_tag(program), zip(settings, map(bytes, prepared), map(bytes, undone), strict=True)
        return [("pair", tag, program.key, stream, setting, x, y) for setting, x, y in rows]

    def _directed(
        self, request: Request, a: Prepared, i: Index, b: Prepared, j: Index
    ) -> Iterator[tuple[int, Prepared, Index, Index]]:
        """Directions with their pairs: one joint side, and its rows to prepare and to undo."""
        joint = a if b is a else replace(a, keys=np.vstack([a.keys, b.keys]), angles=np.vstack([a.angles, b.angles]))
        j = j if b is a else j + len(a.keys)
        canonical = is_canonical(joint.keys[i], joint.keys[j])
        for direction in range(2 if request.draw.both else 1):
            forward = canonical == (direction == 0)
            yield direction, joint, np.where(forward, i, j), np.where(forward, j, i)

    def _batches(self, request: Request, a: Prepared, i: Index, b: Prepared, j: Index) -> list[PairBatch]:
        """What is measured for pairs of a row of `a` and one of `b`: a batch for each direction."""
        draw = request.draw
        return [
            self._batch(side, prepared, side, undone, _stream(draw, k), draw)
            for k, side, prepared, undone in self._directed(request, a, i, b, j)
        ]

    def _pair_entries(
        self,
        request: Request,
        a: Prepared,
        i: Index,
        b: Prepared,
        j: Index,
        read: Callable[[NDArray[Any]], float] | None = None,
    ) -> Values:
        """Entries of pairs of a row of `a` and one of `b`, shape (n_pairs,) or (2, n_pairs).

        `read` takes something else from what was measured than the frequency of all zeros.
        """
        program, draw = request.program, request.draw
        values = np.empty((2 if draw.both else 1, len(i)))
        if not isinstance(program, OverlapProgram):
            raise NotImplementedError("expectation values are no pairs")
        if self._samples:
            found = [self._measured(program, batch) for batch in self._batches(request, a, i, b, j)]
        else:
            directed = self._directed(request, a, i, b, j)
            found = [self._exact(program, side, prepared, side, undone) for _, side, prepared, undone in directed]
        for row, parts in zip(values, found, strict=True):
            for part, measured in parts:
                row[part] = [(read or _zero)(one) for one in measured]
        entries: Values = values if draw.both else values[0]
        return entries if self._samples else draw(entries, a.keys[i], b.keys[j])

    def _all_pairs(self, request: Request) -> tuple[Index, Index]:
        """Distinct rows of the entries of a matrix; one half of a Gram matrix."""
        a, b = request.a, request.b
        if b is None:
            i, j = np.triu_indices(len(a.keys))
            return i, j
        i, j = (m.ravel() for m in np.indices((len(a.keys), len(b.keys))))
        return i, j

    def _listed_pairs(self, request: Request, pairs: Index) -> tuple[Index, Index]:
        """Distinct rows of listed entries."""
        a, b = request.a, request.b or request.a
        i = pairs[:, 0] if a.inverse is None else a.inverse[pairs[:, 0]]
        j = pairs[:, 1] if b.inverse is None else b.inverse[pairs[:, 1]]
        return i, j

    def _evaluate(self, request: Request, footprint: Footprint) -> Values:
        CACHE.count("matrices")
        return self._matrix(request)

    def _matrix(self, request: Request, read: Callable[[NDArray[Any]], float] | None = None) -> Values:
        """A whole matrix of entries."""
        a, b = request.a, request.b or request.a
        i, j = self._all_pairs(request)
        values = self._pair_entries(request, a, i, b, j, read)
        out = np.empty((*values.shape[:-1], len(a.keys), len(b.keys)))
        out[..., i, j] = values
        if request.b is None:
            out[..., j, i] = values
        rows, columns = (np.arange(len(s.keys)) if s.inverse is None else s.inverse for s in (a, b))
        return np.asarray(out[..., rows[:, None], columns])

    def _evaluate_pairs(self, request: Request, pairs: Index, footprint: Footprint) -> Values:
        CACHE.count("matrices")
        i, j = self._listed_pairs(request, pairs)
        return self._pair_entries(request, request.a, i, request.b or request.a, j)

    # Outcomes ---------------------------------------------------------------------------------------------------

    def _distributions(
        self, program: OverlapProgram, classes: OutcomeClasses | None, pairs: PairList, footprint: Footprint
    ) -> Iterator[tuple[slice, Values]]:
        for span, found in self._exact(program, pairs.prepared, pairs.i, pairs.undone, pairs.j):
            p = np.array(found)
            yield span, p if classes is None else classes(p)

    def _weigh(self, pairs: PairList, request: Request, footprint: Footprint) -> Iterator[tuple[Index, Values]]:
        if not self._samples:
            yield from super()._weigh(pairs, request, footprint)
            return
        program = request.program
        if isinstance(program, OverlapProgram):
            for span, found in self._own_bits(program, pairs, request):
                yield pairs.where[span], np.array([weights_of_bits(bits, program) for bits in found])

    def _read(
        self, request: Request, frequencies: Values, index: Index | None, footprint: Footprint
    ) -> tuple[NDArray[np.uint8] | None, Values | None]:
        program = request.program
        if not self._samples or not isinstance(program, OverlapProgram):
            return super()._read(request, frequencies, index, footprint)
        _, counted = self._uncertainty(request, index)
        each = int(request.draw.shots_per_value) if counted is None else int(counted.max())
        directions = 2 if request.orientation == "both" else 1
        empty = np.zeros((directions * each, -(-program.num_qubits // 8)), dtype=np.uint8)

        def bits(pairs: PairList) -> Iterator[tuple[Index, NDArray[np.uint8]]]:
            return self._bits(pairs, request, footprint)

        return gather(request, frequencies, index, bits, empty), None

    def _bits(
        self, pairs: PairList, request: Request, footprint: Footprint
    ) -> Iterator[tuple[Index, NDArray[np.uint8]]]:
        if not self._samples:
            yield from super()._bits(pairs, request, footprint)
            return
        program = request.program
        if isinstance(program, OverlapProgram):
            for span, found in self._own_bits(program, pairs, request):
                yield pairs.where[span], np.array([bits[np.lexsort(bits.T[::-1])] for bits in found])

    def _own_bits(
        self, program: OverlapProgram, pairs: PairList, request: Request
    ) -> Iterator[tuple[slice, list[NDArray[np.uint8]]]]:
        draw = request.draw.at(pairs.where)
        stream = _stream(draw, pairs.direction)
        yield from self._measured(program, self._batch(pairs.prepared, pairs.i, pairs.undone, pairs.j, stream, draw))

    # Memory and plans -------------------------------------------------------------------------------------------

    def _run_bytes(self, program: Program) -> int:
        """Bytes that running a circuit takes."""
        return 0

    def _footprint(self, request: Request) -> Footprint:
        program = request.program
        self._check(program)
        pairs = min(request.entries, self._pairs_at_once)
        work = self._run_bytes(program) + (0 if self._samples else (16 * pairs << program.num_qubits))
        return Footprint(state=1, work=work, limit=self._limit, result=request.result_bytes, num_states=0)

    def _refusal(self, request: Request, footprint: Footprint) -> str:
        return "" if footprint.feasible else self._too_large(request.program, footprint)

    def _too_large(self, program: Program, footprint: Footprint) -> str:
        return (
            f"The request takes at least {format_bytes(footprint.whole)}, {format_bytes(footprint.work)} of it to run "
            f"circuits of {program.num_qubits} qubits, but memory_limit of {self._owner} is "
            f"{format_bytes(footprint.limit)}. Use fewer qubits (PCA, CPMap) or fewer rows, or raise memory_limit."
        )

    def _num_circuits(self, request: Request, footprint: Footprint) -> int:
        if not isinstance(request.program, OverlapProgram):
            return len(request.a.keys)
        return request.entries * (2 if request.orientation == "both" else 1)

    def _check(self, program: Program) -> None:
        _ = program.flat  # a circuit is transpiled when it runs

    def _state_bytes(self, program: Program) -> int:
        return 1

    def _work_bytes(self, program: Program) -> int:
        return self._run_bytes(program)

    # What a simulation of states would need ---------------------------------------------------------------------

    def _with_states(self, program: Program, bound: Prepared) -> Prepared:
        return bound  # there are none

    def _evolve(self, compiled: Any, angles: Values) -> Any:
        raise NotImplementedError

    def _select(self, states: Any, rows: slice) -> Any:
        raise NotImplementedError


def _stream(draw: Draw, direction: int) -> str:
    return f"{draw.repetition},{direction if draw.both else 0}"


def _from_cache(names: list[tuple[object, ...]], run: Callable[[Index], list[Any]]) -> list[Any]:
    """Values under these keys; `run` gives those at the positions that are missing, each once."""
    found: list[Any] = [CACHE.get(name) for name in names]
    missing = {name: k for k, name in enumerate(names) if found[k] is None}
    if not missing:
        return found
    new = run(np.fromiter(missing.values(), dtype=np.intp))
    fresh = dict(zip(missing, new, strict=True))
    for name, value in fresh.items():
        CACHE.put(name, np.array(value), value.nbytes + _ENTRY_BYTES)
    return [fresh[name] if value is None else value for name, value in zip(names, found, strict=True)]


def _zero(found: NDArray[Any]) -> float:
    """The all-zero part of a distribution or of measured bits."""
    if found.dtype == np.uint8:
        return 1.0 - np.count_nonzero(found.any(axis=-1)) / len(found)
    return float(found[0])


def weights_of_bits(bits: NDArray[np.uint8], program: OverlapProgram) -> Values:
    """Relative frequencies of the weights of measured outcomes.

    Parameters
    ----------
    bits : ndarray of shape (shots, ⌈n/8⌉), uint8
    program : OverlapProgram
        With its patches.

    Returns
    -------
    ndarray of shape (num_patches + 1,), float64
    """
    ones = np.unpackbits(bits, axis=-1)[:, ::-1][:, : program.num_qubits]  # qubit 0 first
    patches = program.patches or [(q,) for q in range(program.num_qubits)]
    weight = np.sum([ones[:, list(patch)].any(axis=1) for patch in patches], axis=0)
    return np.asarray(np.bincount(weight, minlength=program.num_patches + 1) / len(bits))
