"""DensityMatrixEngine: exact values under noise, in 2N simulations of half circuits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import BudgetError, InvalidParameterError
from qkernels.engines._blockwise import ranges
from qkernels.engines._budget import Footprint, Request
from qkernels.engines._cache import CACHE
from qkernels.engines._density_compile import CompiledDensity, TransferCircuit
from qkernels.engines._density_gradient import DensityGradient, check_cotangent
from qkernels.engines._density_outcomes import paired, pauli_readout
from qkernels.engines._draw import Draw
from qkernels.engines._memory import MemoryLimit
from qkernels.engines._noise_table import NoiseTable
from qkernels.engines._noisy import NoisyEngine
from qkernels.engines._noisy_device import Lowered, NoisyDevice, TableDevice
from qkernels.engines._parallel import num_workers, run_tasks, shares_memory
from qkernels.engines._weights import OutcomeClasses, PairList
from qkernels.programs import ExpectationProgram, OverlapProgram, Program

__all__ = ["DensityMatrixEngine"]

_TILE_BYTES, _SMALLEST_TILE_BYTES = 1 << 20, 1 << 17
"""Vectors evolved together by one thread."""

_TILES_PER_LIMIT = 32

_BLOCK_ROWS = 256
"""Rows and columns of one block of entries."""

_TILES_OF_EFFECTS = 4
"""Effects of all classes, for several undone rows, held at once."""

_MOST_PRODUCTS = 1 << 39
"""Multiplications (pairs · outcomes · 4^n) for weights or outcomes in one request: about a minute on two cores."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NoisyStates:
    """Rows as states and as effects.

    Attributes
    ----------
    prepared : ndarray of shape (n_rows, 4**n), float64
        Tr(P ρ) of the noisy U(x)|0⟩, for all Pauli strings P of the active qubits.
    undone : ndarray of shape (n_rows, 4**n), float64, or None
        Tr(P M)/2^n of the effect "reads zero after the noisy U(x)†"; None where nothing is undone.
    """

    prepared: Values
    undone: Values | None


class DensityMatrixEngine(NoisyEngine):
    r"""Exact compute–uncompute probabilities under noise: 2N simulations and one real matrix product for N² entries.

    With ρ(x) the state after the noisy U(x) and M(y) the effect "all qubits read 0", taken back through the noisy
    U(y)† by adjoint channels, the probability that a device with this noise would measure is

    .. math:: k(x, y) = \mathrm{Tr}\, M(y)\, ρ(x)

    for every pair, readout errors included. It is not Tr ρ(x)ρ(y), its diagonal is below 1, and k(x, y) ≠ k(y, x):
    of two rows the one with the smaller key is prepared, or both ways are averaged (``orientation="both"``).

    Parameters
    ----------
    noise : NoiseTable, or NoisyDevice
        Channels by instruction and qubits, with the gate names and qubits of the program's circuit as it is written.
        For a circuit transpiled for a device see ``qkernels_hardware.AerEngine``.
    shots : int >= 1, optional
        None gives exact probabilities. Otherwise every entry is Binomial(shots, k)/shots, drawn by content.
    seed : int >= 0, optional
        Seed of the shots. None draws one at construction and keeps it (`engine.seed`).
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory.

    Attributes
    ----------
    noise : NoiseTable or NoisyDevice
    is_exact : bool
        False: values are those of a noisy device, with shots or without.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule.

    Warns
    -----
    MissingNoiseWarning
        When a circuit is compiled that uses gates for which the table has no entry.

    See Also
    --------
    StatevectorEngine : without noise.

    Notes
    -----
    *Cost.* A row takes 2 · 8 · 4^n bytes on n active qubits (qubits that a gate acts on): 64 KiB on 6, 4 MiB on 9. Each
    gate is a real matrix over Pauli strings, fused with its neighbours and batched over rows; entries are a product of
    real matrices of shape (N, 4^n). About 10 active qubits are practical.

    *Weights and outcomes* (``need={"weights"}``, ``{"bits"}``) take one effect for each weight (n + 1) or outcome (2^n)
    and row: that many more simulations and products, up to 2^39 multiplications in one request.

    *Expectation values* include readout errors of the measured qubits; rotations into the measured basis are ideal.

    *Gradients* (`vjp`) keep vectors of the way forward, tile by tile of rows: at most 8 · 4^n bytes for each
    data-dependent instruction and row, one for all that stand together and commute.

    References
    ----------
    Hubregtsen et al., "Training quantum embedding kernels on near-term quantum computers", arXiv:2105.02276, for
    kernels under depolarising noise; the pairing of states with Heisenberg-evolved effects is textbook.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import DensityMatrixEngine, OverlapProgram, ZZFeatureMap
    >>> from qkernels.engines import NoiseTable
    >>> depolarizing = np.diag([1.0, 0.99, 0.99, 0.99])
    >>> noise = NoiseTable(defaults={"h": depolarizing, "p": depolarizing}, ideal=["cx"], form="transfer")
    >>> circuit = ZZFeatureMap(reps=1).build(2)
    >>> program = OverlapProgram(circuit, circuit.parameters)
    >>> K = DensityMatrixEngine(noise).overlaps(program, [[0.1, 0.2], [0.3, 0.1]]).values
    >>> bool((np.diag(K) < 1.0).all())
    True
    """

    def __init__(
        self,
        noise: NoiseTable | NoisyDevice,
        shots: int | None = None,
        seed: int | None = None,
        memory_limit: MemoryLimit = "auto",
    ) -> None:
        super().__init__(shots=shots, seed=seed, memory_limit=memory_limit)
        if not isinstance(noise, (NoiseTable, NoisyDevice)):
            raise InvalidParameterError(
                f"noise of {type(self).__name__} must be a NoiseTable, got {noise!r}. For a device by name use "
                "qkernels_hardware.AerEngine."
            )
        self._noise = noise
        self._device = noise if isinstance(noise, NoisyDevice) else TableDevice(noise)

    @property
    def noise(self) -> NoiseTable | NoisyDevice:
        """The noise table, or the device."""
        return self._noise

    def scaled(self, factor: float, *, readout: bool = True) -> DensityMatrixEngine:
        """The engine with `factor` times the noise, the same shots and seed.

        Parameters
        ----------
        factor : float >= 0
        readout : bool, default=True
            Whether readout errors are scaled, too.

        Returns
        -------
        DensityMatrixEngine

        Raises
        ------
        InvalidParameterError
            As `NoiseTable.scaled`.
        """
        noise = self.noise.scaled(factor, readout=readout)
        other = DensityMatrixEngine(noise, self.shots, self.seed, self.memory_limit)
        other._has_drawn_seed = self._has_drawn_seed
        return other

    # What is evaluated ------------------------------------------------------------------------------------------

    def _lowered(self, program: Program) -> Lowered:
        """The program as it runs, with the noise of its qubits (cached)."""
        key = ("lowered", self._tag, program.key)
        return CACHE.compute(key, lambda: self._device.lower(program), lambda _: 1 << 16)

    @property
    def _tag(self) -> str:
        return f"density/{self._device.key}"

    @property
    def _compile_tag(self) -> str:
        return self._tag

    def _repr_options(self) -> dict[str, object]:
        return {"noise": self.noise}

    def _info(self, program: OverlapProgram) -> dict[str, str | int | float | bool]:
        lowered = self._lowered(program)
        return super()._info(program) | {"active_qubits": self._compiled(program).num_qubits} | dict(lowered.info)

    def _compile(self, program: Program) -> CompiledDensity:
        lowered = self._lowered(program)
        lowered.warn_about_missing(self._owner)
        return CompiledDensity(lowered.pair, lowered.table, self._owner)

    def _check(self, program: Program) -> None:
        _ = program.flat  # compiling waits until the memory is granted

    def _active_qubits(self, program: Program) -> int:
        """Active qubits, known before anything of their size is made."""
        return self._device.num_active(program)

    def _state_bytes(self, program: Program) -> int:
        return self._row_bytes(program, self._active_qubits(program))

    def _row_bytes(self, program: Program, num_active: int) -> int:
        """Bytes of the vectors of one row."""
        return (16 if isinstance(program, OverlapProgram) else 8) << 2 * num_active

    def _work_bytes(self, program: Program) -> int:
        return self._room(self._active_qubits(program))

    def _room(self, num_active: int) -> int:
        """Bytes of work space beside states and results."""
        tile, block = max(self._tile_bytes, 8 << 2 * num_active), 16 * 8 * _BLOCK_ROWS**2
        return num_workers() * (4 * tile + block) + (4 * 8 << 2 * num_active)

    def _block_rows(self, program: Program) -> int:
        return _BLOCK_ROWS

    @property
    def _tile_bytes(self) -> int:
        return max(_SMALLEST_TILE_BYTES, min(_TILE_BYTES, self._limit // _TILES_PER_LIMIT))

    def _evolve(self, compiled: CompiledDensity, angles: Values) -> NoisyStates:
        prepared = self._run(compiled.states, compiled.prepare_angles(angles))[:, 0]
        undone = None
        if compiled.effects is not None:
            undone = self._run(compiled.effects, compiled.undo_angles(angles))[:, 0]
        return NoisyStates(prepared, undone)

    def _run(self, circuit: TransferCircuit, angles: Values) -> Values:
        """Vectors of all rows of angles, shape (n_rows, n_vectors, 4**n), by tiles on threads."""
        dim = 4**circuit.num_qubits
        out = np.empty((len(angles), circuit.num_vectors, dim))
        rows = max(1, self._tile_bytes // (8 * dim * circuit.num_vectors))
        if rows < len(angles):
            rows = min(rows, -(-len(angles) // num_workers()))
        tiles = [slice(i, min(i + rows, len(angles))) for i in range(0, len(angles), rows)]
        shared = shares_memory()

        def one(part: Values, into: Values | None) -> Values | None:
            found = np.empty((len(part), circuit.num_vectors, dim)) if into is None else into
            circuit(part, found)
            return found if into is None else None

        tasks = [(angles[t], out[t] if shared else None) for t in tiles]
        for tile, result in zip(tiles, run_tasks(one, tasks), strict=True):
            if result is not None:
                out[tile] = result
        out.setflags(write=False)  # cached, and shared by everything that asks for these rows
        return out

    def _select(self, states: NoisyStates, rows: slice) -> NoisyStates:
        return NoisyStates(states.prepared[rows], None if states.undone is None else states.undone[rows])

    def _directed_block(self, prepared: NoisyStates, rows: slice, undone: NoisyStates, columns: slice) -> Values:
        return np.asarray(prepared.prepared[rows] @ _effects(undone)[columns].T)

    def _directed_pairs(
        self, prepared: NoisyStates, i: NDArray[np.intp], undone: NoisyStates, j: NDArray[np.intp]
    ) -> Values:
        return np.asarray(np.einsum("nd,nd->n", prepared.prepared[i], _effects(undone)[j]))

    # Outcomes ---------------------------------------------------------------------------------------------------

    def _refusal(self, request: Request, footprint: Footprint) -> str:
        if not request.weighed_pairs:
            return "" if footprint.feasible else self._too_large(request.program, footprint)
        n, m = self._active_qubits(request.program), request.program.num_qubits
        what = f"{2**m:,} outcomes" if request.outcomes else f"{request.num_classes} weights"
        if not footprint.feasible:
            return (
                f"{self._too_large(request.program, footprint)} need={{'bits'}} or {{'weights'}} takes {what} of "
                f"{request.weighed_pairs:,} pairs, and a table of the 2^{m} outcomes."
            )
        classes = 2**m if request.outcomes else request.num_classes
        each = classes * (request.num_weighed // request.weighed_pairs) * 4**n  # in one orientation or both
        products = request.weighed_pairs * each
        if products <= _MOST_PRODUCTS:
            return ""
        return (
            f"need={{'bits'}} or {{'weights'}} takes {what} of {request.weighed_pairs:,} pairs on {n} active qubits, "
            f"{float(products):.2g} multiplications; {self._owner} does at most {float(_MOST_PRODUCTS):.2g} in "
            f"one request, that is {_MOST_PRODUCTS // each:,} pairs here. Use fewer rows or pairs, or fewer qubits "
            "(PCA, CPMap)."
        )

    def _weighing_bytes(self, request: Request) -> int:
        n, m = self._active_qubits(request.program), request.program.num_qubits
        classes = 2**m if request.outcomes else request.num_classes
        row, tiles = 8 * classes << 2 * n, _TILES_OF_EFFECTS * self._tile_bytes
        # the effects of one range of rows, and up to six arrays of the size of its distributions
        effects, distributions = max(tiles, row), max(tiles, 8 * classes * request.num_rows)
        tables = (3 * 8 << m) + (2 * 8 << m + n)  # classes of all outcomes, and their effects
        return num_workers() * (2 * self._tile_bytes + 4 * row) + 4 * row + effects + 6 * distributions + tables

    def _distributions(
        self, program: OverlapProgram, classes: OutcomeClasses | None, pairs: PairList, footprint: Footprint
    ) -> Iterator[tuple[NDArray[np.intp], Values]]:
        compiled, kind = self._compiled(program), "outcomes" if classes is None else "weights"
        every = np.arange(2**program.num_qubits)
        class_of, number = (every, len(every)) if classes is None else (classes.class_of, program.num_patches + 1)
        key = ("class effects", self._tag, program.key, kind)
        circuit = CACHE.compute(key, lambda: compiled.class_effects(class_of, number), lambda c: c.nbytes)
        prepared = pairs.prepared
        if footprint.fits_whole and len(prepared.keys) <= footprint.num_states:  # else few rows occur in pairs
            prepared = self._with_states(program, prepared)
        held = len(prepared.keys) if footprint.fits_whole else footprint.rows_in_memory - 1
        for stripe in ranges(len(prepared.keys), held):
            inside = np.flatnonzero((pairs.i >= stripe.start) & (pairs.i < stripe.stop))
            if not len(inside):
                continue
            side, i = self._occurring(program, prepared, pairs.i[inside])
            starts = np.flatnonzero(np.diff(pairs.j[inside], prepend=-1))
            stops = np.append(starts[1:], len(inside))
            largest = max(4**compiled.num_qubits, len(side.keys))
            size = max(1, _TILES_OF_EFFECTS * self._tile_bytes // (8 * number * largest))
            for rows in ranges(len(starts), size):
                span = slice(int(starts[rows.start]), int(stops[rows.stop - 1]))
                where = inside[span]
                undone, position = np.unique(pairs.j[where], return_inverse=True)
                effects = self._run(circuit, compiled.undo_angles(pairs.undone.angles[undone]))
                yield where, paired(side.states.prepared, i[span], effects, position)

    def _num_circuits(self, request: Request, footprint: Footprint) -> int:
        program = request.program
        if not isinstance(program, OverlapProgram):
            return request.num_states
        n_b = None if request.b is None else len(request.b.keys)
        if request.num_pairs is None:
            evolved, undone = footprint.simulations(len(request.a.keys), n_b), request.num_rows
            evolved += 2 * request.own_entries if n_b is not None and not footprint.fits_whole else 0
        else:  # rows that occur, once for values and once for outcomes
            undone = min(request.num_rows, 2 * request.num_pairs)
            occurring = min(request.num_states, 2 * request.num_pairs)
            evolved = occurring * (2 if request.weighed_pairs else 1) + request.own_entries
        classes = (request.num_classes if request.weights else 0) + (1 << program.num_qubits if request.outcomes else 0)
        ways = 2 if request.orientation == "both" else 1
        stripes = 1 if footprint.fits_whole else -(-request.num_rows // (footprint.rows_in_memory - 1))
        return 2 * evolved + undone * classes * ways * stripes

    def _readout(self, program: OverlapProgram) -> Values:
        return np.array(self._compiled(program).readout)

    # Expectation values -----------------------------------------------------------------------------------------

    def _pauli_values(self, program: ExpectationProgram, states: NoisyStates, labels: list[str]) -> Values:
        compiled = self._compiled(program)
        key = ("pauli readout", self._tag, program.key)
        table = CACHE.compute(key, lambda: pauli_readout(compiled, labels), lambda t: int(t.data.nbytes))
        return np.asarray((table @ states.prepared.T).T)

    # Gradients --------------------------------------------------------------------------------------------------

    def vjp(
        self, program: Program, cotangent: ArrayLike, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> tuple[Values, Values]:
        """Gradients under noise of a scalar with respect to theta and X, by one sweep back through the channels.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram
        cotangent : array-like of shape (n_samples, n_samples) or (n_samples, n_observables)
            Derivative of the scalar with respect to ``overlaps(program, X).values`` (the Gram matrix with its measured
            diagonal; it need not be symmetric) or to ``expectations(program, X).values``.
        X : array-like of shape (n_samples, num_features)
        theta : array-like of shape (num_parameters,), optional

        Returns
        -------
        ndarray of shape (num_parameters,), ndarray of shape (n_samples, num_features)

        Raises
        ------
        InvalidDataError
            X does not fit the program, or an angle has no finite derivative for a row.
        InvalidParameterError
            The engine has shots; `program` is no program; cotangent has another shape than the values or is not finite;
            theta does not fit.
        UnsupportedCircuitError
            A data-dependent gate is known by its matrix only, or an angle has no derivative.
        BudgetError
            The states, or the vectors kept for a row, do not fit into `memory_limit`.

        Notes
        -----
        Which row of a pair is prepared follows from the content of the rows and jumps as they change; the gradient is
        that of the values with the rows staying prepared or undone as they are. Equal rows, of which neither is the
        first, share the derivatives of their common entry in equal parts.

        *Cost.* About three times the simulation of the rows on 4 active qubits, up to ten times on 8, whatever the
        number of parameters.

        Examples
        --------
        >>> import numpy as np
        >>> from qkernels import DensityMatrixEngine, OverlapProgram, ZZFeatureMap
        >>> from qkernels.engines import NoiseTable
        >>> noise = NoiseTable(defaults={"p": np.diag([1.0, 0.9, 0.9, 0.9])}, ideal=["h", "cx"], form="transfer")
        >>> circuit = ZZFeatureMap(reps=1).build(2)
        >>> program = OverlapProgram(circuit, circuit.parameters)
        >>> d_theta, d_X = DensityMatrixEngine(noise).vjp(program, np.ones((2, 2)), [[0.1, 0.2], [0.3, 0.1]])
        >>> d_theta.shape, d_X.shape
        ((0,), (2, 2))
        """
        owner = self._owner
        if not isinstance(program, Program):
            raise InvalidParameterError(f"program of vjp must be a program, got {type(program).__name__}.")
        if self.shots is not None:
            raise InvalidParameterError(
                f"shots of {owner} must be None for vjp, got {self.shots}: sampled values have no gradients. Use the "
                "engine without shots."
            )
        bound = self._bind(program, np.asarray(X), theta, "X")
        weights = check_cotangent(program, cotangent, bound.num_samples)
        request = Request(program, bound, None, None, Draw())
        if reason := self._refusal(request, self._footprint(request)):
            raise BudgetError(reason)
        compiled = self._compiled(program)
        key = ("gradient", self._tag, program.key)
        gradient = CACHE.compute(key, lambda: DensityGradient(program, compiled, owner), lambda g: g.nbytes)
        footprint, tile = gradient.footprint(bound.num_samples, self._limit, self._work_bytes(program))
        rows = self._with_states(program, bound) if footprint.fits_whole and compiled.effects is not None else bound

        def evolve(part: slice) -> tuple[Values, Values]:
            states = self._side(program, rows, part).states
            return states.prepared, _effects(states)

        data = np.asarray(X, dtype=np.float64)
        shared = np.empty(0) if theta is None else np.asarray(theta, dtype=np.float64)
        values = np.concatenate([data, np.broadcast_to(shared, (len(data), len(shared)))], axis=1)
        found = gradient(rows, values, weights, evolve, footprint, tile)
        return found[:, data.shape[1] :].sum(axis=0), np.ascontiguousarray(found[:, : data.shape[1]])

    def _advice(self, program: Program, rows: int) -> str:
        n = self._active_qubits(program)
        most = next((k for k in range(n, 0, -1) if 3 * self._row_bytes(program, k) + self._room(k) <= self._limit), 0)
        fits = f"about {most} fit here" if most else "not even one fits here"
        return (
            f"The circuit has {n} active qubits; {fits}. Use fewer of them (PCA, CPMap), fewer rows, or raise "
            "memory_limit. AerEngine(strategy='circuits') holds one pair at a time, and with "
            "method='matrix_product_state' and shots it follows trajectories of wide circuits."
        )


def _effects(states: NoisyStates) -> Values:
    if states.undone is None:
        raise ValueError("these states were prepared for expectation values")
    return states.undone
