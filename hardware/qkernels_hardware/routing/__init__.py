"""Routing: circuits as a device runs them.

- `lower` gives `DeviceCircuit`: transpiled, its qubits chosen by their errors.
- `route` gives `RoutedCircuit`: the recipes of a program (overlaps, bases, estimates), with tiles or fractional gates;
  `described` gives that of a circuit that was stored.
- `find_tiles` places copies; `check_circuit`, `check_fractional_options`, `check_rzz_values` and `check_executions`
  refuse what a device would refuse.
"""

from qkernels_hardware.routing._checks import check_circuit, check_executions
from qkernels_hardware.routing._fractional import check_fractional_options
from qkernels_hardware.routing._fractional_checks import check_rzz_values
from qkernels_hardware.routing._lowering import DeviceCircuit, layout_indices, lower
from qkernels_hardware.routing._recipes import ESTIMATE, OVERLAP, Recipe, basis_of
from qkernels_hardware.routing._routing import RoutedCircuit, RouteOptions, described, recipes_of, route
from qkernels_hardware.routing._tiles import find_tiles

__all__ = [
    "ESTIMATE",
    "OVERLAP",
    "DeviceCircuit",
    "Recipe",
    "RouteOptions",
    "RoutedCircuit",
    "basis_of",
    "check_circuit",
    "check_executions",
    "check_fractional_options",
    "check_rzz_values",
    "described",
    "find_tiles",
    "layout_indices",
    "lower",
    "recipes_of",
    "route",
]
