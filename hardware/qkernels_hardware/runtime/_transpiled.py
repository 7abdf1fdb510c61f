"""Circuits of programs: from the ledger where it has them, else transpiled, once for each device and process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from qiskit.providers import BackendV2

from qkernels._errors import ExecutionError, UnsupportedCircuitError
from qkernels.programs import Program
from qkernels_hardware.routing import Recipe, RoutedCircuit, RouteOptions, check_circuit, recipes_of, route
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.work import MeasuredCircuit

__all__ = ["check_stored", "recipes_for", "routed_for"]


@lru_cache(maxsize=128)
def recipes_for(program: Program, options: RouteOptions, bases: tuple[str, ...]) -> dict[str, Recipe]:
    """Circuits before transpilation, made once for each program and process."""
    return recipes_of(program, options, bases)


def routed_for(
    program: Program, options: RouteOptions, bases: tuple[str, ...], device: Device
) -> dict[str, RoutedCircuit]:
    """Transpiled circuits, made once for each program, process and calibration that the device has been read with."""
    return _routed(program, options, bases, _ByIdentity(device))


def check_stored(circuits: Mapping[str, MeasuredCircuit], series: int, backend: BackendV2) -> None:
    """Whether a device, as it is now, can run the circuits that were transpiled for it once.

    Raises
    ------
    ExecutionError
        Names the series, the instruction and its qubits.
    """
    for one in circuits.values():
        try:
            check_circuit(one.circuit, backend.target, str(backend.name))
        except UnsupportedCircuitError as error:
            raise ExecutionError(
                f"The device has changed since the circuit of series {series} was stored: {error} It was not sent. "
                "RuntimeEngine(layout='refresh') transpiles it anew and opens a new series; what was measured stays."
            ) from error


@lru_cache(maxsize=128)
def _routed(
    program: Program, options: RouteOptions, bases: tuple[str, ...], device: _ByIdentity
) -> dict[str, RoutedCircuit]:
    return route(recipes_for(program, options, bases), device.backend, options)


class _ByIdentity:
    """A device as it was read last, as a key: an IBMBackend has another target from the next calibration on."""

    def __init__(self, device: Device) -> None:
        self.backend = device.backend
        self._known_by = self.backend if device.local else self.backend.target

    def __hash__(self) -> int:
        return id(self._known_by)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other._known_by is self._known_by
