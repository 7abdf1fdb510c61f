"""Aer: kernels under the noise of a device, and where that noise comes from.

- `AerEngine`: all pairs by Aer, or by a noise table.
- `resolve_source` makes a `NoiseSource` of a device model, a backend, a profile or a noise model.
"""

from qkernels_hardware.aer._engine import AerEngine
from qkernels_hardware.aer._sources import resolve_source

__all__ = [
    "AerEngine",
    "resolve_source",
]
