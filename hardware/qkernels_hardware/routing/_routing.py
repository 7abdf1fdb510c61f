"""Transpile the circuits of a program for a device: once, checked, with what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.transpiler.exceptions import TranspilerError

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import transpile_for
from qkernels.programs import OverlapProgram, Program
from qkernels_hardware.routing._checks import check_circuit
from qkernels_hardware.routing._fractional import fold_fixed_angles, fractional_form
from qkernels_hardware.routing._lowering import fidelity_of, layout_indices, not_transpiled
from qkernels_hardware.routing._recipes import Recipe, recipe, recipe_of
from qkernels_hardware.routing._tile_circuit import tile_circuit
from qkernels_hardware.routing._tiles import find_tiles
from qkernels_hardware.work import MeasuredCircuit, circuit_seconds

__all__ = ["RouteOptions", "RoutedCircuit", "described", "recipes_of", "route"]

_SEEDS = 8
"""Of the transpiler, tried where a circuit needs swaps; 0 to 7, so that every process finds the same circuit."""


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """How circuits are made for a device.

    Attributes
    ----------
    optimization_level : int
    layout : tuple of int, or None
        None leaves it to the transpiler.
    barrier : bool
    tiles : int
        Copies side by side; 1 is none.
    fractional : bool
    estimate : bool
        For an Estimator.
    """

    optimization_level: int = 3
    layout: tuple[int, ...] | None = None
    barrier: bool = False
    tiles: int = 1
    fractional: bool = False
    estimate: bool = False


@dataclass(frozen=True, slots=True)
class RoutedCircuit:
    """A circuit of a program on a device; ``print`` it for one line.

    Attributes
    ----------
    device : str
    layout : tuple of tuple of int
        Physical qubits of every tile, one tile without tiling: where the program's qubits start, or, with tiles, the
        qubits that each one uses.
    two_qubit_gates, depth, two_qubit_depth : int
        Of one tile, U(x) and U(y)† together where the program is an `OverlapProgram`.
    duration : float
        Seconds of one execution.
    fidelity : float
        Product of 1 − error over gates and measurements of the best tile. 1 where errors are unknown.
    worst_fidelity : float
        Of the worst tile.
    measured : MeasuredCircuit
        What is stored and submitted.
    names : tuple of str
        Names of the parameters of one tile.
    """

    device: str
    layout: tuple[tuple[int, ...], ...]
    two_qubit_gates: int
    depth: int
    two_qubit_depth: int
    duration: float
    fidelity: float
    worst_fidelity: float
    measured: MeasuredCircuit = field(repr=False, compare=False)
    names: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        if len(self.layout) > 1:
            where = f"{len(self.layout)} tiles of {len(self.layout[0])} qubits"
            fidelity = f"{self.fidelity:.3g} to {self.worst_fidelity:.3g}"
        else:
            where, fidelity = f"qubits {list(self.layout[0])}", f"{self.fidelity:.3g}"
        return (
            f"{self.device}: {where}, {self.two_qubit_gates} two-qubit gates, depth {self.depth} "
            f"({self.two_qubit_depth} two-qubit), {self.duration * 1e6:.2f} µs, estimated fidelity {fidelity}"
        )


def recipes_of(program: Program, options: RouteOptions, bases: Sequence[str]) -> dict[str, Recipe]:
    """The circuits that a program measures, before transpilation.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    options : RouteOptions
    bases : sequence of str
        Of an `ExpectationProgram`, where it is measured by a Sampler.
    """
    if options.estimate or isinstance(program, OverlapProgram):
        made = [recipe(program, barrier=options.barrier, estimate=options.estimate)]
    else:
        made = [recipe(program, barrier=False, basis=basis) for basis in bases]
    if options.fractional:
        made = [_fractional(one, merge=not options.barrier) for one in made]
    return {one.name: one for one in made}


def _fractional(plain: Recipe, *, merge: bool) -> Recipe:
    """The same circuit with its RZZ angles folded for every row of data."""
    form = fractional_form(plain.stripped, merge=merge)
    if "rzz" not in form.circuit.count_ops():  # nothing to gain, and more gates on single qubits
        return plain
    columns = list(plain.columns)
    return recipe_of(
        plain.name,
        form.circuit,
        form.parameters,
        plain.observables,
        lambda angles: form.values(plain.table.evaluate(angles)[:, columns]),
    )


def route(recipes: dict[str, Recipe], backend: BackendV2, options: RouteOptions) -> dict[str, RoutedCircuit]:
    """Transpile circuits, all onto the qubits of the first one.

    Parameters
    ----------
    recipes : dict of str to Recipe
    backend : BackendV2
    options : RouteOptions

    Returns
    -------
    dict of str to RoutedCircuit

    Raises
    ------
    InvalidParameterError
        The circuit has more qubits than the device, the layout does not fit it, or there are not that many tiles.
    UnsupportedCircuitError
        An instruction cannot be transpiled.
    """
    if options.fractional and "rzz" not in backend.target.operation_names:
        raise InvalidParameterError(
            f"fractional of RuntimeEngine must be False for {backend.name}, which has no rzz gate; got True. Devices "
            "of IBM Quantum have it where RuntimeEngine opens them by name."
        )
    routed: dict[str, RoutedCircuit] = {}
    layout = options.layout
    for name, one in recipes.items():
        routed[name] = _route(one, backend, replace(options, layout=layout))
        if layout is None and options.tiles == 1:
            layout = routed[name].layout[0]
    return routed


def _transpiled(one: Recipe, backend: BackendV2, options: RouteOptions) -> QuantumCircuit:
    """The circuit on the device's qubits; of several tries the one with the least errors, where it needs swaps.

    A circuit that fits the coupling map is placed by its errors, whatever the seed. Where swaps are needed, the best of
    some seeds has up to 0.08 more fidelity than the first (docs/placement.md).
    """
    best, highest = None, -1.0
    for seed in range(_SEEDS):
        circuit = _one_try(one, backend, options, seed)
        fidelity = fidelity_of(circuit, backend.target)
        if fidelity > highest:
            best, highest = circuit, fidelity
        if circuit.layout is None or circuit.layout.final_layout is None:
            break
    return best


def _one_try(one: Recipe, backend: BackendV2, options: RouteOptions, seed: int) -> QuantumCircuit:
    try:
        transpiled = transpile_for(one.stripped.circuit, backend, options.optimization_level, seed, options.layout)
    except InvalidParameterError as error:
        message = str(error).replace("transpile_for: initial_layout", "layout of RuntimeEngine")
        raise InvalidParameterError(message.replace("transpile_for", "RuntimeEngine")) from None
    except TranspilerError as error:
        delays = "give them a length that is, or leave them out"
        circuit = one.stripped.circuit
        raise not_transpiled(error, circuit, backend, options.layout, "RuntimeEngine", delays) from error
    # the stripped circuit is stripped once more on its way: its angles get new names, one for one
    renamed = dict(zip(transpiled.angles, transpiled.expressions, strict=True))
    circuit = transpiled.circuit.assign_parameters(renamed, strict=False)
    return fold_fixed_angles(circuit) if options.fractional else circuit


def _route(one: Recipe, backend: BackendV2, options: RouteOptions) -> RoutedCircuit:
    device = str(backend.name)
    n = one.source.num_qubits
    circuit = _transpiled(one, backend, options)
    if any(item.operation.name == "delay" and item.operation.unit != "dt" for item in circuit.data):
        raise UnsupportedCircuitError(
            f"The circuit has a delay in seconds, and {device} does not say how long its time step is. Leave the delay "
            "out, or use a device that has one."
        )
    check_circuit(circuit, backend.target, device)
    names = [parameter.name for parameter in circuit.parameters]
    layout = [layout_indices(circuit, n, final=False)]
    whole = circuit
    if options.tiles > 1:
        tiles = find_tiles(circuit, backend.target, options.tiles)
        whole = tile_circuit(circuit, tiles, circuit.num_qubits).circuit
        layout = [tile.qubits for tile in tiles]
        check_circuit(whole, backend.target, device)
    observables = tuple(o.apply_layout(circuit.layout, num_qubits=circuit.num_qubits) for o in one.observables)
    duration = circuit_seconds(circuit, backend)
    measured = MeasuredCircuit(one.name, whole, len(layout), n, duration, observables)
    return described(measured, layout, names, backend)


def described(
    measured: MeasuredCircuit, layout: Sequence[Sequence[int]], names: Sequence[str], backend: BackendV2
) -> RoutedCircuit:
    """A circuit that was transpiled for a device, now or earlier, with the errors that the device has now.

    Parameters
    ----------
    measured : MeasuredCircuit
    layout : sequence of sequence of int
        As in `RoutedCircuit`.
    names : sequence of str
        As in `RoutedCircuit`.
    backend : BackendV2
    """
    circuit, target = measured.circuit, backend.target
    tiles = [set(tile) for tile in layout] if measured.copies > 1 else [None]
    fidelities = [fidelity_of(circuit, target, tile) for tile in tiles]
    return RoutedCircuit(
        device=str(backend.name),
        layout=tuple(tuple(tile) for tile in layout),
        two_qubit_gates=circuit.num_nonlocal_gates() // measured.copies,
        depth=circuit.depth(lambda item: item.operation.name not in ("barrier", "measure")),
        two_qubit_depth=circuit.depth(lambda item: len(item.qubits) == 2 and item.operation.name != "barrier"),
        duration=measured.duration,
        fidelity=max(fidelities),
        worst_fidelity=min(fidelities),
        measured=measured,
        names=tuple(names),
    )
