"""Engines: who computes it, without any vendor.

- `Engine` is the contract: overlaps, expectation values, plans. `Prepared` are states ready for overlaps.
- `StatevectorEngine`: exact amplitudes, and the weights of outcomes. `MPSEngine`: matrix-product states of
  nearest-neighbour circuits, exact.
- `AutoEngine`: whichever of the two is cheaper; what ``engine=None`` means everywhere.
- `DensityMatrixEngine`: exact values under the noise of a `NoiseTable`, or of a `NoisyDevice` (`Lowered` is what runs
  there). `ZeroNoiseExtrapolation` wraps a noisy engine.
- `parameter_shift`: gradients of expectation values on engines that have none of their own; `num_shifts`: how many
  circuits they take.
- `EngineCall`: a request that is not made yet; `plan_together`, `check_together`: what several cost, and whether a
  budget that they share holds all.
- `PairwiseEngine`: base of engines that run one circuit for each pair.
- `blas_cap`: one BLAS thread for as long as small pieces of work run beside each other.
- `set_cache`, `clear_cache`, `cache_info`: the process-wide cache of programs, states, matrices and expectation values.
"""

from qkernels.engines._auto import AutoEngine
from qkernels.engines._base import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.engines._cache import CacheInfo, cache_info, clear_cache, set_cache
from qkernels.engines._calls import EngineCall, check_together, plan_together
from qkernels.engines._density import DensityMatrixEngine
from qkernels.engines._memory import MemoryLimit
from qkernels.engines._mps import MPSEngine
from qkernels.engines._noise_table import NoiseTable, Relaxation
from qkernels.engines._noisy_device import Lowered, NoisyDevice
from qkernels.engines._pairwise import PairBatch, PairwiseEngine
from qkernels.engines._parallel import blas_cap
from qkernels.engines._parameter_shift import num_shifts, parameter_shift
from qkernels.engines._statevector import StatevectorEngine
from qkernels.engines._zero_noise import ZeroNoiseExtrapolation

__all__ = [
    "AutoEngine",
    "CacheInfo",
    "DensityMatrixEngine",
    "Diagonal",
    "Engine",
    "EngineCall",
    "Lowered",
    "MPSEngine",
    "MemoryLimit",
    "Need",
    "NoiseTable",
    "NoisyDevice",
    "Orientation",
    "PairBatch",
    "PairwiseEngine",
    "Prepared",
    "Relaxation",
    "StatevectorEngine",
    "ZeroNoiseExtrapolation",
    "blas_cap",
    "cache_info",
    "check_together",
    "clear_cache",
    "num_shifts",
    "parameter_shift",
    "plan_together",
    "set_cache",
]
