"""AerEngine: kernels under the noise of a device, exactly in 2N simulations or pair by pair on Aer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import (
    DensityMatrixEngine,
    Diagonal,
    Engine,
    MemoryLimit,
    Need,
    Orientation,
    Prepared,
)
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram, Overlaps, Plan, Program, is_count
from qkernels_hardware.aer._circuits import AerCircuitsEngine
from qkernels_hardware.aer._device import TranspiledDevice
from qkernels_hardware.aer._run import EXACT_METHODS
from qkernels_hardware.aer._sources import resolve_source
from qkernels_hardware.devices import NoiseProfile
from qkernels_hardware.routing import DeviceCircuit

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel

__all__ = ["AerEngine", "Device"]

Device: TypeAlias = "str | BackendV2 | NoiseProfile | NoiseModel"

Strategy = Literal["auto", "factored", "circuits"]


class AerEngine(Engine):
    """Kernels as a device with noise would measure them, simulated.

    The compute–uncompute circuit is transpiled once for the device, with its measurements and a barrier between the
    halves, and evaluated with the noise of exactly the gates and qubits that it then uses.

    Parameters
    ----------
    device : str, BackendV2, AerSimulator, NoiseModel or NoiseProfile
        A device model by name ("fake_fez"), any backend (its noise is what its target says about errors, durations, T1
        and T2), a simulator of Aer with its noise model, a noise model of Aer (its basis gates, all qubits coupled), or
        a dated snapshot.
    shots : int >= 1, optional
        None gives exact probabilities. Otherwise every entry is Binomial(shots, k)/shots, drawn by content.
    strategy : {"auto", "factored", "circuits"}, default="auto"
        "factored": `DensityMatrixEngine` on the noise as a table, 2N simulations of half circuits for N² entries.
        "circuits": every pair on Aer. Both give the same probabilities, and with shots the same draws. "auto" is
        "factored" unless the states of a request on its active qubits do not fit while single pairs do, a table cannot
        hold the noise, or `method` follows trajectories; ``info["strategy"]`` and ``info["strategy_reason"]`` say which
        and why.
    seed : int >= 0, optional
        Seed of the shots, and of nothing else. None draws one at construction and keeps it (`engine.seed`).
    optimization_level : {2, 3}, default=3
        Of Qiskit's transpiler. Levels 0 and 1 are refused: they take the first qubits of the device, whatever their
        errors.
    layout : "auto" or sequence of int, default="auto"
        Physical qubit of every qubit of the circuit; "auto" leaves the choice to the transpiler, which scores layouts
        by their errors. `circuit` tells what was chosen.
    method : str, optional
        Of AerSimulator, for "circuits": None is "density_matrix", which is exact. "statevector",
        "matrix_product_state" and what else this build of Aer has for rotations by any angle follow one trajectory for
        each shot and need `shots`; matrix-product states reach wide circuits.
    memory_limit : "auto" or int
        Bytes a request may take at its peak; "auto" is half the machine's memory.

    Attributes
    ----------
    is_exact : bool
        False: values are those of a noisy device.
    device : str, BackendV2, AerSimulator, NoiseModel or NoiseProfile
        As given. Its noise was taken when the engine was made: what happens to the object later changes no value. In a
        pickle, a snapshot takes its place: of a backend the target, of a simulator the noise model.

    Raises
    ------
    InvalidParameterError
        A parameter breaks its rule; there is no such device model (the closest names are listed); `strategy` is
        "factored" and a table cannot hold the noise (named) or `method` follows trajectories.

    Warns
    -----
    MissingNoiseWarning
        When a circuit is compiled that uses gates for which the noise has no entry.

    See Also
    --------
    qkernels.DensityMatrixEngine : the same for circuits as they are written.
    NoiseProfile : a dated snapshot, so that a regression test does not drift.

    Notes
    -----
    *Cost.* Reading a device model of 156 qubits takes one to three seconds, once per process; transpiling and compiling
    0.2 s for a program of 60 two-qubit gates. "factored" then costs what `DensityMatrixEngine` does: 16 · 4^n bytes a
    row on n active qubits, about 10 of them at most. "circuits" runs N(N+1)/2 circuits of milliseconds each, 16 · 4^n
    bytes at a time; what a pair gave is kept by content in the process-wide cache. With trajectories every pair is a
    run of its own, seeded by content.

    *Values* are compute–uncompute probabilities with readout errors: the diagonal is below 1, and the row with the
    smaller key is prepared. ``orientation="both"`` averages the two ways.

    *Expectation values* are those after the transpiled U(x), with readout errors; rotations into the measured basis are
    ideal. Trajectories give none.

    Examples
    --------
    >>> from qkernels import CPMap, FidelityKernel
    >>> from qkernels_hardware import AerEngine
    >>> kernel = FidelityKernel(CPMap(), engine=AerEngine("fake_fez"), bandwidth=1.0)
    >>> bool(kernel([[0.1, 0.2, 0.3]])[0, 0] < 1.0)  # noise: below 1 even for a row with itself
    True
    """

    def __init__(
        self,
        device: Device,
        shots: int | None = None,
        strategy: Strategy = "auto",
        seed: int | None = None,
        optimization_level: int = 3,
        layout: Literal["auto"] | Sequence[int] = "auto",
        method: str | None = None,
        memory_limit: MemoryLimit = "auto",
    ) -> None:
        if strategy not in ("auto", "factored", "circuits"):
            raise InvalidParameterError(
                f"strategy of AerEngine must be 'auto', 'factored' or 'circuits', got {strategy!r}."
            )
        if not is_count(optimization_level) or optimization_level not in (2, 3):
            raise InvalidParameterError(
                f"optimization_level of AerEngine must be 2 or 3, got {optimization_level!r}: lower levels take the "
                "first qubits of the device, whatever their errors."
            )
        if method is not None and method not in (methods := _methods()):
            raise InvalidParameterError(f"method of AerEngine must be None or one of {methods}, got {method!r}.")
        samples = method is not None and method not in EXACT_METHODS
        if samples and shots is None:
            raise InvalidParameterError(
                f"shots of AerEngine must be an integer >= 1 with method={method!r}, whose trajectories have no exact "
                "probabilities; got None."
            )
        if samples and strategy == "factored":
            raise InvalidParameterError(
                f"method of AerEngine with strategy='factored' must be None or 'density_matrix', got {method!r}."
            )
        fixed = None if isinstance(layout, str) and layout == "auto" else _check_layout(layout)
        self.device, self.strategy, self.method = device, strategy, method
        self.optimization_level, self.layout = optimization_level, "auto" if fixed is None else fixed
        self._set_up(TranspiledDevice(resolve_source(device), optimization_level, fixed), shots, seed, memory_limit)
        if strategy == "factored":
            self._transpiled.source.check()

    def __getstate__(self) -> dict[str, object]:
        is_plain = isinstance(self.device, (str, NoiseProfile))  # a vendor's object may hold tokens and locks
        return self.__dict__ | {"device": self.device if is_plain else self._transpiled.source.snapshot}

    def _set_up(
        self, transpiled: TranspiledDevice, shots: int | None, seed: int | None, memory_limit: MemoryLimit
    ) -> None:
        self._transpiled = transpiled
        method = self.method or "density_matrix"
        try:
            self._factored = DensityMatrixEngine(transpiled, shots, seed, memory_limit)
        except InvalidParameterError as error:
            raise InvalidParameterError(str(error).replace("DensityMatrixEngine", "AerEngine")) from None
        self._factored._alias = "AerEngine"
        self._circuits = AerCircuitsEngine(transpiled, method, shots, self._factored.seed, memory_limit)

    @property
    def shots(self) -> int | None:
        """Shots per entry; None for exact probabilities."""
        return self._factored.shots

    @property
    def seed(self) -> int:
        """Seed of the shots."""
        return self._factored.seed

    @property
    def memory_limit(self) -> MemoryLimit:
        """Bytes a request may take."""
        return self._factored.memory_limit

    @property
    def is_exact(self) -> bool:
        return False

    @property
    def profile(self) -> NoiseProfile | None:
        """The snapshot of the device's calibration; None where the noise is a noise model of Aer."""
        return getattr(self._transpiled.source, "profile", None)

    @property
    def noise_key(self) -> str:
        """Identity of the noise, its scale and the transpilation, in hex."""
        return self._transpiled.key

    @property
    def identity(self) -> str:
        return f"AerEngine({self.strategy}, {self.method}, {self._factored.identity})"

    def __repr__(self) -> str:
        shown = [repr(self.device) if isinstance(self.device, (str, NoiseProfile)) else self._transpiled.source.name]
        defaults = {"shots": None, "strategy": "auto", "optimization_level": 3, "layout": "auto", "method": None}
        shown += [f"{k}={getattr(self, k)!r}" for k, v in defaults.items() if getattr(self, k) != v]
        shown += [f"seed={self.seed}"] if self.shots is not None else []
        shown += [f"memory_limit={self.memory_limit}"] if self.memory_limit != "auto" else []
        scaled = "".join(f".scaled({f:g}{'' if r else ', readout=False'})" for f, r in self._transpiled.scaling)
        return f"AerEngine({', '.join(shown)}){scaled}"

    def circuit(self, program: Program) -> DeviceCircuit:
        """What runs on the device: layout, gates and depth after routing, estimated fidelity.

        Parameters
        ----------
        program : OverlapProgram or ExpectationProgram

        Returns
        -------
        DeviceCircuit

        Raises
        ------
        InvalidParameterError
            The circuit has more qubits than the device, or `layout` does not fit it.
        UnsupportedCircuitError
            An instruction cannot be transpiled.
        """
        return self._transpiled.circuit(program)

    def scaled(self, factor: float, *, readout: bool = True) -> AerEngine:
        """The engine with `factor` times the noise: same circuits, same shots and seed.

        Parameters
        ----------
        factor : float >= 0
            Channels are taken to this power (`qkernels.engines.NoiseTable.scaled`).
        readout : bool, default=True
            Whether readout errors are scaled, too.

        Returns
        -------
        AerEngine

        Raises
        ------
        InvalidParameterError
            `factor` is no finite number >= 0.
        UnsupportedCircuitError
            A table cannot hold the noise.
        """
        return self._on(self._transpiled.scaled(factor, readout=readout))

    def with_layout_of(self, program: Program) -> AerEngine:
        if self.layout != "auto":
            return self
        layout = self.circuit(program).layout
        other = self._on(self._transpiled.with_layout(layout))
        other.layout = layout
        return other

    def _on(self, transpiled: TranspiledDevice) -> AerEngine:
        other = object.__new__(AerEngine)
        other.__dict__.update(self.__dict__)
        other._set_up(transpiled, self.shots, self.seed, self.memory_limit)
        other._factored._has_drawn_seed = self._factored._has_drawn_seed
        return other

    # Requests ---------------------------------------------------------------------------------------------------

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> Prepared:
        return self._choose(program)[0].prepare(program, X, theta)

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
        options: dict[str, Any] = {
            "theta": theta,
            "pairs": pairs,
            "diagonal": diagonal,
            "need": need,
            "orientation": orientation,
            "shots": shots,
            "repetition": repetition,
        }
        engine, how = self._choose(program, X, Y, **options)
        found = engine.overlaps(program, X, Y, **options)
        return replace(found, info={**found.info, "engine": repr(self), **how})

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        engine, how = self._choose(program, X, theta=theta)
        found = engine.expectations(program, X, theta=theta)
        return replace(found, info={**found.info, "engine": repr(self), **how})

    def vjp(
        self, program: Program, cotangent: ArrayLike, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        engine, _ = self._choose(program)
        if engine is self._circuits:
            obstacle = self._transpiled.source.obstacle
            advice = f"{obstacle} Use" if obstacle else "Use strategy='factored', or"
            raise UnsupportedCircuitError(
                f"AerEngine computes no gradients with strategy='circuits'. {advice} qkernels.engines.parameter_shift "
                "for those of expectation values."
            )
        return engine.vjp(program, cotangent, X, theta=theta)

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
        options: dict[str, Any] = {
            "theta": theta,
            "pairs": pairs,
            "diagonal": diagonal,
            "need": need,
            "orientation": orientation,
            "shots": shots,
            "repetition": repetition,
        }
        engine, how = self._choose(program, X, Y, **options)
        plan = engine.plan(program, X, Y, **options)
        return replace(plan, engine=f"{self!r}, {how['strategy']}")

    def _choose(
        self,
        program: Program,
        X: ArrayLike | Prepared | int | None = None,
        Y: ArrayLike | Prepared | int | None = None,
        **options: Any,
    ) -> tuple[DensityMatrixEngine | AerCircuitsEngine, dict[str, str]]:
        """The engine that answers a request with these options of `plan`, and what `info` says about it."""
        if not isinstance(program, Program):
            raise InvalidParameterError(
                "program of AerEngine must be an OverlapProgram or an ExpectationProgram, got "
                f"{type(program).__name__}."
            )
        if self.strategy != "auto":
            engine = self._factored if self.strategy == "factored" else self._circuits
            return engine, {"strategy": self.strategy, "strategy_reason": "asked for"}
        if self._circuits._samples:
            return self._circuits, {"strategy": "circuits", "strategy_reason": f"method={self.method!r} samples"}
        if obstacle := self._transpiled.source.obstacle:
            return self._circuits, {"strategy": "circuits", "strategy_reason": obstacle}
        reason = f"states and effects on {self._transpiled.num_active(program)} active qubits fit"
        if X is not None and not isinstance(X, Prepared) and not isinstance(Y, Prepared):
            refused = self._factored.plan(program, X, Y, **options).reason
            if refused and self._circuits.plan(program, X, Y, **options).feasible:
                return self._circuits, {"strategy": "circuits", "strategy_reason": refused}
        return self._factored, {"strategy": "factored", "strategy_reason": reason}


@cache
def _methods() -> list[str]:
    """Methods of this build of Aer that simulate noise."""
    from qiskit_aer import AerSimulator

    # stabilizer states take no rotations by any angle
    without = {"automatic", "unitary", "superop", "stabilizer", "extended_stabilizer"}
    return sorted(set(AerSimulator().available_methods()) - without)


def _check_layout(layout: object) -> tuple[int, ...]:
    rule = "layout of AerEngine must be 'auto' or distinct physical qubits, one for each qubit of the circuit"
    if isinstance(layout, str) or not isinstance(layout, Sequence | np.ndarray):
        raise InvalidParameterError(f"{rule}; got {layout!r}.")
    qubits = list(layout)
    integers = all(is_count(q) and q >= 0 for q in qubits)
    if not qubits or not integers or len(set(qubits)) != len(qubits):
        raise InvalidParameterError(f"{rule}; got {layout!r}.")
    return tuple(int(q) for q in qubits)
