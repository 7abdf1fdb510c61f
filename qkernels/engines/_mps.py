"""Matrix-product states, exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels.engines._memory import MemoryLimit
from qkernels.engines._mps_compile import CompiledMPS, compile_mps
from qkernels.engines._mps_contract import block_overlaps, pair_overlaps, pauli_expectations, select, sweep_rows
from qkernels.engines._mps_evolve import evolve_tile
from qkernels.engines._parallel import num_workers, run_tasks
from qkernels.engines._simulation import SimulationEngine
from qkernels.programs import ExpectationProgram, Program

__all__ = ["MPSEngine"]

_TILE_BYTES = 1 << 22
"""States evolved together by one thread."""

_LONGEST_BLOCK = 256
"""Rows of one block of overlaps, as far as memory goes."""


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """A batch of matrix-product states.

    Attributes
    ----------
    sites : list of ndarray of shape (count or 1, left, d, right), complex128
        d is 2, and 2^k where k qubits at an end are merged.
    count : int
    """

    sites: list[NDArray[np.complex128]]
    count: int


class MPSEngine(SimulationEngine):
    """Exact matrix-product states for circuits of nearest-neighbour gates on a line of qubits.

    The states of N samples are one array (N, left, 2, right) for each qubit. Bond dimensions follow from the circuit:
    a CX, CZ, RZZ, CP, RXX or controlled rotation multiplies its bond by 2, other two-qubit gates by at most 4, and a
    bond never exceeds 2^min(k, n−k) with k qubits on one side. Nothing is truncated.

    Parameters
    ----------
    shots : int >= 1, optional
        None gives exact values. Otherwise every entry is Binomial(shots, k)/shots, drawn by content as in
        `StatevectorEngine`.
    seed : int >= 0, optional
        Seed of the shots. None draws one at construction and keeps it (`engine.seed`).
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory. States that do not fit at once are
        evolved block by block; a request that cannot fit at all raises `BudgetError`.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule.

    See Also
    --------
    StatevectorEngine : any circuit, about 20 qubits.
    AutoEngine : whichever of the two is cheaper.

    Notes
    -----
    *What it takes.* All one-qubit gates, and two-qubit gates on neighbours (q, q + 1). What acts on one pair is joined
    first: CX, P, CX is one diagonal phase, and diagonal phases on a pair join across other diagonal gates. So
    ZZFeatureMap(reps=2) with linear entanglement has bond 4. A gate on other qubits, or on more than two, raises
    UnsupportedCircuitError with its name, qubits and position.

    *Cost.* With bond χ, a state takes about 32·n·χ² bytes and a pair of states 4·n·χ³ complex multiplications, in two
    batched matrix products per qubit (0.1 µs per qubit and pair at χ = 4 on one core). Sums are in double precision:
    values agree with statevectors to 1e-10, and the absolute error stays there at hundreds of qubits.

    References
    ----------
    Schollwöck, "The density-matrix renormalization group in the age of matrix product states", arXiv:1008.3477.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels import MPSEngine, OverlapProgram, ZZFeatureMap
    >>> circuit = ZZFeatureMap().build(40)
    >>> program = OverlapProgram(circuit, circuit.parameters)
    >>> MPSEngine().bond_dimension(program)
    4
    >>> X = np.linspace(0.0, 0.1, 80).reshape(2, 40)
    >>> MPSEngine().overlaps(program, X).values.shape
    (2, 2)
    """

    def __init__(self, shots: int | None = None, seed: int | None = None, memory_limit: MemoryLimit = "auto") -> None:
        super().__init__(shots=shots, seed=seed, memory_limit=memory_limit)

    def bond_dimension(self, program: Program) -> int:
        """Largest bond dimension of the program's states; nothing is evaluated.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram

        Returns
        -------
        int
            1 for product states. Gates at the end of an `OverlapProgram` that do not depend on data cancel in the
            overlap and do not count.

        Raises
        ------
        UnsupportedCircuitError
            A gate is neither on one qubit nor on two neighbours.
        """
        return self._compiled_mps(program).max_bond

    @property
    def _tag(self) -> str:
        return "mps"

    def _compile(self, program: Program) -> CompiledMPS:
        return compile_mps(program)

    def _compiled_mps(self, program: Program) -> CompiledMPS:
        compiled = self._compiled(program)
        return compiled if isinstance(compiled, CompiledMPS) else compile_mps(program)

    def _state_bytes(self, program: Program) -> int:
        return self._compiled_mps(program).state_bytes

    def _work_bytes(self, program: Program) -> int:
        compiled = self._compiled_mps(program)
        one = 16 * compiled.peak_entries + compiled.state_bytes
        bond = compiled.max_bond
        sweep = 16 * bond**2 * (6 * sweep_rows(bond) ** 2 + 8 * sweep_rows(bond))
        return num_workers() * (3 * max(one, _TILE_BYTES) + max(sweep, 8 * self._block_rows(program) ** 2))

    def _block_rows(self, program: Program) -> int:
        rows = sweep_rows(self._compiled_mps(program).max_bond)
        return rows * max(1, _LONGEST_BLOCK // (2 * rows))

    def _evolve(self, compiled: CompiledMPS, angles: NDArray[np.float64]) -> States:
        n = len(angles)
        rows = max(1, _TILE_BYTES // (16 * compiled.peak_entries))
        rows = min(rows, max(1, -(-n // num_workers())))
        tiles = [slice(k, min(k + rows, n)) for k in range(0, n, rows)]
        sites: list[NDArray[np.complex128]] = []
        for tile, part in zip(tiles, run_tasks(evolve_tile, [(compiled, angles[t]) for t in tiles]), strict=True):
            if not sites:
                if len(tiles) == 1:
                    return _sealed(States(part, n))
                varies = zip(part, compiled.varies, strict=True)
                sites = [np.empty((n, *site.shape[1:]), complex) if v else site for site, v in varies]
            for whole, piece, v in zip(sites, part, compiled.varies, strict=True):
                if v:
                    whole[tile] = piece
        return _sealed(States(sites, n))

    def _block(self, a: States, rows: slice, b: States, columns: slice) -> NDArray[np.float64]:
        n_a, n_b = len(range(a.count)[rows]), len(range(b.count)[columns])
        return block_overlaps(select(a.sites, rows), n_a, select(b.sites, columns), n_b)

    def _select(self, states: States, rows: slice) -> States:
        return States(select(states.sites, rows), len(range(states.count)[rows]))

    def _pair_values(self, a: States, i: NDArray[np.intp], b: States, j: NDArray[np.intp]) -> NDArray[np.float64]:
        return pair_overlaps(a.sites, i, b.sites, j)

    def _pauli_values(self, program: ExpectationProgram, states: States, labels: list[str]) -> NDArray[np.float64]:
        return pauli_expectations(states.sites, states.count, labels)

    def _least_bytes(self, program: Program) -> int:
        """What the circuit needs whatever the number of rows."""
        return 3 * self._state_bytes(program) + self._work_bytes(program)

    def _advice(self, program: Program, rows: int) -> str:
        if self._least_bytes(program) <= self._limit:
            return "Reduce the number of rows, or raise memory_limit."
        return (
            f"The circuit's bond dimension is {self._compiled_mps(program).max_bond}; it doubles with every entangling "
            "gate on a bond. Use fewer repetitions or layers, reduce X (e.g. PCA), or raise memory_limit."
        )


def _sealed(states: States) -> States:
    """Read-only: cached states are shared by everything that asks for these rows."""
    for site in states.sites:
        site.setflags(write=False)
    return states
