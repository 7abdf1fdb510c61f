"""Engines: who computes it, without any vendor."""

from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._cache import CacheInfo, cache_info, clear_cache, set_cache
from qkernels.engines._statevector import StatevectorEngine

__all__ = ["CacheInfo", "Diagonal", "Engine", "Need", "Orientation", "Prepared", "StatevectorEngine", "cache_info", "clear_cache", "set_cache"]
