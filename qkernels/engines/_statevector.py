"""Exact amplitudes, fused, tiled and threaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines._arrays import thread_workspace
from qkernels.engines._base import Prepared
from qkernels.engines._blockwise import Side, ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._cache import CACHE
from qkernels.engines._compiled import CompiledAdjoint, CompiledCircuit, Gates, compile_statevector
from qkernels.engines._exact_gradients import ExactGradients
from qkernels.engines._expectations import combine, pauli_labels
from qkernels.engines._memory import MemoryLimit
from qkernels.engines._parallel import num_workers, run_tasks, shares_memory
from qkernels.engines._pauli import PauliTable
from qkernels.engines._weights import OutcomeClasses, PairList, tiles
from qkernels.programs import ExpectationProgram, OverlapProgram, Program

__all__ = ["StatevectorEngine"]

_TILE_BYTES, _SMALLEST_TILE_BYTES = 1 << 21, 1 << 18
"""States evolved together by one thread: small enough for the cache, large enough to hide call overheads."""

_TILES_PER_LIMIT = 32
"""A small memory limit makes smaller tiles: at most this part of it each."""

_BLOCK_ARRAYS, _DRAW_ARRAYS = 6, 10
"""Arrays of a block's size that its products, and the draws from it, hold at once."""

_FEW_ROWS = 24
"""Below this many rows, the three-product form of a complex product costs more memory traffic than it saves."""

Planes = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """Amplitudes of many states.

    Attributes
    ----------
    planes : ndarray of shape (2 or 1, n_samples, 2**num_qubits)
        Real and imaginary parts; the imaginary plane is absent for circuits of real gates.
    order : tuple of int
        Qubits of the state index, most significant bit first.
    """

    planes: Planes
    order: tuple[int, ...]


class StatevectorEngine(ExactGradients):
    """Exact state vectors: N simulations and one blocked matrix product for N² overlaps.

    Parameters
    ----------
    shots : int >= 1, optional
        None gives exact values. Otherwise every entry is Binomial(shots, k)/shots, the full shot noise of a
        compute–uncompute circuit, drawn by content (see Notes).
    seed : int >= 0, optional
        Seed of the shots. None draws one at construction and keeps it (`engine.seed`).
    precision : {"double", "single"}
        Arithmetic of the states. Values are float64 either way; with "single" they are good to about 1e-6.
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory. States that do not fit at once are
        evolved block by block; a request that cannot fit at all raises `BudgetError`.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule.

    See Also
    --------
    MPSEngine : nearest-neighbour circuits on many qubits.
    AutoEngine : whichever of the two is cheaper.

    Notes
    -----
    *Cost.* One state takes 2^n · 16 bytes; about 20 qubits are practical. A program is compiled once (fused constant
    blocks, phase polynomials, batched one- and two-qubit products) and evaluated over tiles of samples on threads. The
    Gram matrix takes three real matrix products over its upper triangle, K = re² + im².

    *Expectation values.* All Pauli strings that flip the same bits share one pass over the states, about 1 ns per
    amplitude and core: X, Y and Z on each of 10 qubits of 1000 rows take about as long as evolving the states.

    *Weights of outcomes* (``need={"weights"}``) are no N-state job: the other row of every pair is undone on the state,
    one circuit per unordered pair, 15 to 70 ns per amplitude and core for two repetitions of our maps. Up to 2^32
    amplitudes (2^n for every pair and orientation) are taken in one request, one to three minutes on two cores: 2896
    rows on 10 qubits. Sampling adds about 3 µs for every weight of every pair.

    *Gradients* (`vjp`, `expectations_and_vjp`) are exact, in double precision whatever `precision` is. Gates of
    trainable parameters alone are evaluated once for all rows.

    *Shots.* A draw depends on (program, unordered pair of angle rows, shots, seed, repetition) and on nothing else, so
    a sampled Gram matrix is symmetric and `transform` repeats `fit_transform`.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import OverlapProgram, StatevectorEngine, ZZFeatureMap
    >>> circuit = ZZFeatureMap(reps=1).build(2)
    >>> program = OverlapProgram(circuit, circuit.parameters)
    >>> K = StatevectorEngine().overlaps(program, [[0.1, 0.2], [0.3, 0.1]]).values
    >>> np.diag(K).tolist()
    [1.0, 1.0]
    >>> weights = StatevectorEngine().overlaps(program, [[0.1, 0.2], [0.3, 0.1]], need={"weights"}).weights
    >>> weights.shape  # Hamming weights 0, 1 and 2
    (2, 2, 3)
    """

    _available: frozenset[str] = frozenset({"diagonal", "orientations", "weights"})

    def __init__(
        self,
        shots: int | None = None,
        seed: int | None = None,
        precision: Literal["double", "single"] = "double",
        memory_limit: MemoryLimit = "auto",
    ) -> None:
        super().__init__(shots=shots, seed=seed, memory_limit=memory_limit)
        if precision not in ("double", "single"):
            raise InvalidParameterError(
                f"precision of StatevectorEngine must be 'double' or 'single', got {precision!r}."
            )
        if precision == "single" and shots is not None:
            raise InvalidParameterError(
                f"shots of StatevectorEngine need precision='double', got shots={shots!r} with precision='single': "
                "float32 probabilities depend on the block they are computed in, so draws would not be a function of "
                "the pair alone."
            )
        self.precision = precision

    @property
    def _tag(self) -> str:
        return f"statevector/{self.precision}"

    def _repr_options(self) -> dict[str, object]:
        return {} if self.precision == "double" else {"precision": self.precision}

    @property
    def _dtype(self) -> type[np.floating[Any]]:
        return np.float64 if self.precision == "double" else np.float32

    def _compile(self, program: Program) -> CompiledCircuit:
        return compile_statevector(program)

    def _state_bytes(self, program: Program) -> int:
        return (16 if self.precision == "double" else 8) << program.num_qubits

    def _work_bytes(self, program: Program) -> int:
        tile = max(self._tile_bytes, 16 << program.num_qubits)
        # a thread holds two buffers of a tile and its phases, or gathered states; and the products of one block
        block = (_BLOCK_ARRAYS + (_DRAW_ARRAYS if self.shots is not None else 0)) * 8 * self._block_rows(program) ** 2
        return num_workers() * (4 * tile + block)

    def _check(self, program: Program) -> None:
        _ = program.flat  # every flattened circuit can be evaluated; compiling waits until the memory is granted

    @property
    def _tile_bytes(self) -> int:
        return max(_SMALLEST_TILE_BYTES, min(_TILE_BYTES, self._limit // _TILES_PER_LIMIT))

    def _evolve(self, compiled: CompiledCircuit, angles: NDArray[np.float64], shared: Gates | None = None) -> States:
        """States of all rows of angles; `shared` are the gates that all rows share, where they are there already."""
        dim = 2**compiled.num_qubits
        states = np.empty((compiled.num_planes, len(angles), dim), dtype=self._dtype)
        rows = max(1, self._tile_bytes // (2 * dim * states.itemsize))
        if rows < len(angles):  # one tile needs no threads
            rows = min(rows, -(-len(angles) // num_workers()))
        tiles = [slice(i, min(i + rows, len(angles))) for i in range(0, len(angles), rows)]
        here = shares_memory()
        gates = (shared or compiled.shared(angles)) if here else None  # known by identity, which a copy does not share
        entered = self._entered(compiled, angles)
        tasks = [
            (
                angles[t],
                np,
                self._dtype,
                states[:, t] if here else None,
                gates,
                entered if entered is None else entered[t],
            )
            for t in tiles
        ]
        for tile, result in zip(tiles, run_tasks(compiled, tasks), strict=True):
            if result is not None:
                states[:, tile] = result
        states.setflags(write=False)  # cached, and shared by everything that asks for these rows
        return States(states, compiled.order)

    def _entered(self, compiled: CompiledCircuit, angles: NDArray[np.float64]) -> NDArray[Any] | None:
        """States before the first trainable gate, which training asks for again and again (cached)."""
        nbytes = 16 * len(angles) << compiled.num_qubits
        if not compiled.num_entering or nbytes > min(self._limit // 8, CACHE.max_bytes // 4):
            return None
        data = np.ascontiguousarray(angles[:, compiled.entering_slots])
        digest = hashlib.blake2b(data.tobytes() + f"{data.shape}".encode(), digest_size=16).hexdigest()
        return CACHE.compute(("entered", compiled.key, digest), lambda: compiled.enter(angles), lambda s: s.nbytes)

    def _block(self, a: States, rows: slice, b: States, columns: slice) -> NDArray[np.float64]:
        left, right = a.planes[:, rows], b.planes[:, columns]
        if len(left) == 1:
            product: NDArray[np.float64] = (left[0] @ right[0].T).astype(np.float64, copy=False)
            return np.square(product, out=product)
        if left.shape[1] == 1:  # matrix-vector products read the stored states faster than a product of two rows does
            re = (right[0] @ left[0, 0] + right[1] @ left[1, 0])[None]
            im = (right[0] @ left[1, 0] - right[1] @ left[0, 0])[None]
        elif left.shape[1] < _FEW_ROWS:
            stacked = np.concatenate([left[0], left[1]])
            on_re, on_im = stacked @ right[0].T, stacked @ right[1].T
            m = left.shape[1]
            re, im = on_re[:m] + on_im[m:], on_re[m:] - on_im[:m]
        elif a is b and rows == columns:  # on the diagonal: two symmetric products and one
            re = left[0] @ left[0].T
            re += left[1] @ left[1].T
            half = left[1] @ left[0].T
            im = half - half.T
        else:  # three real products instead of four (Gauss)
            workspace = thread_workspace()
            plus = np.add(left[0], left[1], out=workspace.take(left.shape[1:], left.dtype))
            minus = np.subtract(right[0], right[1], out=workspace.take(right.shape[1:], right.dtype))
            im = plus @ minus.T
            re = left[0] @ right[0].T
            im -= re
            im_im = left[1] @ right[1].T
            im += im_im
            re += im_im
        re *= re
        im *= im
        re += im
        values: NDArray[np.float64] = re.astype(np.float64, copy=False)
        return values

    def _select(self, states: States, rows: slice) -> States:
        return States(states.planes[:, rows], states.order)

    def _pair_values(self, a: States, i: NDArray[np.intp], b: States, j: NDArray[np.intp]) -> NDArray[np.float64]:
        left, right = a.planes[:, i], b.planes[:, j]
        re = np.einsum("pnd,pnd->n", left, right, dtype=np.float64)
        if len(left) == 1:
            return np.asarray(re**2)
        im = np.einsum("nd,nd->n", left[1], right[0], dtype=np.float64)
        im -= np.einsum("nd,nd->n", left[0], right[1], dtype=np.float64)
        return np.asarray(re**2 + im**2)

    def _undoing(self, program: Program) -> tuple[CompiledAdjoint, OutcomeClasses]:
        """U† and what its outcomes count as (cached)."""

        def compile_both() -> tuple[CompiledAdjoint, OutcomeClasses]:
            adjoint = CompiledAdjoint(program, self._compiled(program).order)
            return adjoint, OutcomeClasses(cast("OverlapProgram", program), adjoint.order)

        return CACHE.compute(("undoing", program.key), compile_both, lambda c: c[0].nbytes + c[1].nbytes)

    def _weighing_bytes(self, request: Request) -> int:
        program = request.program
        # a thread holds a third buffer of a tile and its probabilities; the outcomes are sorted once
        tile = max(self._tile_bytes, 16 << program.num_qubits)
        return num_workers() * tile + (8 << program.num_qubits)

    def _weigh(
        self, pairs: PairList, request: Request, footprint: Footprint
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        program, prepared, draw = request.program, pairs.prepared, request.draw
        angles, undone_keys, direction = pairs.undone.angles, pairs.undone.keys, pairs.direction
        adjoint, classes = self._undoing(program)
        size = max(1, self._tile_bytes // (32 << program.num_qubits))
        if footprint.fits_whole and request.num_pairs is None:
            prepared = self._with_states(program, prepared)
        held = len(prepared.keys) if footprint.fits_whole else footprint.rows_in_memory - 1
        for stripe in ranges(len(prepared.keys), held):
            part = pairs
            if held < len(prepared.keys):
                part = pairs.part(np.flatnonzero((pairs.i >= stripe.start) & (pairs.i < stripe.stop)))
            if not len(part.i):
                continue
            side, rows = self._occurring(program, prepared, part.i)
            columns = rows, part.j, part.zero, part.where

            def weights(
                tile: slice, side: Side = side, columns: tuple[NDArray[Any], ...] = columns
            ) -> NDArray[np.float64]:  # defaults bind the states of this stripe
                i, j, zero, where = (column[tile] for column in columns)
                own = j[:1] if j[0] == j[-1] else j  # sorted
                p = classes(adjoint(side.states.planes[:, i], angles[own]))
                return draw.at(where).weights(p, zero, side.keys[i], undone_keys[j], direction)

            tasks = [(t,) for t in tiles(part.j, size)]
            for (t,), found in zip(tasks, run_tasks(weights, tasks), strict=True):
                yield part.where[t], found

    def _pauli_values(self, program: ExpectationProgram, states: States, labels: list[str]) -> NDArray[np.float64]:
        order = states.order
        table = CACHE.compute(("paulis", tuple(labels), order), lambda: PauliTable(labels, order), lambda t: t.nbytes)
        return table.by_tiles(states.planes)

    def _all_paulis(
        self, program: ExpectationProgram, bound: Prepared, footprint: Footprint, labels: list[str]
    ) -> NDArray[np.float64]:
        if program.num_parameters and bound.data is None and footprint.fits_whole:
            # in training no theta comes twice: the cache is for states that may be asked for again
            return self._pauli_values(program, self._evolve(self._compiled(program), bound.angles), labels)
        return super()._all_paulis(program, bound, footprint, labels)

    def fresh_expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        if self.shots is None and isinstance(program, ExpectationProgram):
            angles, labels = program.bind_angles(X, theta), pauli_labels(program)
            result = 16 * len(angles) * (len(labels) + len(program.terms))
            sizes = self._state_bytes(program), self._work_bytes(program), self._limit
            if len(angles) and Footprint(*sizes, result=result, num_states=len(angles)).fits_whole:
                CACHE.count("expectations")
                states = self._evolve(self._compiled(program), angles)
                values: NDArray[np.float64] = combine(program, self._pauli_values(program, states, labels), None)[0]
                return values
        return super().fresh_expectations(program, X, theta=theta)

    def _in_double(self) -> StatevectorEngine:
        if self.precision == "double":
            return self
        engine = StatevectorEngine(memory_limit=self.memory_limit)
        engine._alias = self._owner
        return engine
