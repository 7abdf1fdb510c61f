"""Engines: who computes it, without any vendor.

- `Engine` is the contract: overlaps, expectation values, plans. `Prepared` are states ready for overlaps.
- `StatevectorEngine`: exact amplitudes, and the weights of outcomes. `MPSEngine`: matrix-product states of
  nearest-neighbour circuits, exact.
- `AutoEngine`: whichever of the two is cheaper; what ``engine=None`` means everywhere.
- `set_cache`, `clear_cache`, `cache_info`: the process-wide cache of programs, states, matrices and expectation values.
"""

from qkernels.engines._auto import AutoEngine
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._cache import CacheInfo, cache_info, clear_cache, set_cache
from qkernels.engines._mps import MPSEngine
from qkernels.engines._statevector import StatevectorEngine

__all__ = [
    "AutoEngine",
    "CacheInfo",
    "Diagonal",
    "Engine",
    "MPSEngine",
    "Need",
    "Orientation",
    "Prepared",
    "StatevectorEngine",
    "cache_info",
    "clear_cache",
    "set_cache",
]
