"""Kernels: program + engine → K, as scikit-learn transformers.

The way of the data: a `KernelRule` (all that is learned but the training rows) encodes rows of X as angles and measures
encoded rows; a kernel adds training rows, corrections and scikit-learn's interface.

- `FidelityKernel`: k(x, y) = |⟨0|U(y)†U(x)|0⟩|²; learns a bandwidth, keeps the training matrix, transforms new rows
  to K(X_new, X_fit). `FrozenKernel`: the plain callable k(X, Y) of any kernel.
- `HammingKernel`, `LocalFidelityKernel`: functions of the whole outcome of the same circuits.
- `SumKernel`, `ProductKernel`, `ScaledKernel`: what ``k1 + k2``, ``k1 * k2`` and ``0.5 * k1`` give.
- `NystroemFeatures`: feature vectors of rank m from N·m entries.
- `ReadoutMitigation`, `BitFlipTolerance`, `DepolarizingMitigation`: what undoes noise of a device, in this order.
- `ClipSpectrum`, `FlipSpectrum`, `ShiftSpectrum`: repair of matrices with negative eigenvalues; `UnitDiagonal`:
  renormalisation; `Correction`: the base class of all such steps.
- `QuantumKernel`, `CircuitKernel`, `CombinedKernel`: base classes; `ComposedDefaultsMixin`: parameters whose default
  object is fresh for every owner.
- `as_kernel`, `KernelParameter`, `ForeignKernel`: other people's kernels as ours.
- `check_weights`: the rule for sample weights; `unchanged_on_failure`: a fit that fails leaves an object as it was.
"""

from qkernels.kernels._algebra import CombinedKernel, ProductKernel, ScaledKernel, SumKernel
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._bit_flip import BitFlipTolerance
from qkernels.kernels._circuit import CircuitKernel
from qkernels.kernels._coerce import ForeignKernel, KernelParameter, as_kernel
from qkernels.kernels._correction import Correction
from qkernels.kernels._defaults import ComposedDefaultsMixin
from qkernels.kernels._depolarizing import DepolarizingMitigation
from qkernels.kernels._fidelity import FidelityKernel
from qkernels.kernels._frozen import FrozenKernel
from qkernels.kernels._hamming import HammingKernel
from qkernels.kernels._local_fidelity import LocalFidelityKernel
from qkernels.kernels._nystroem import NystroemFeatures
from qkernels.kernels._projected import ProjectedKernel
from qkernels.kernels._readout_mitigation import ReadoutMitigation
from qkernels.kernels._restore import unchanged_on_failure
from qkernels.kernels._rule import KernelRule
from qkernels.kernels._shift_flip import FlipSpectrum, ShiftSpectrum
from qkernels.kernels._spectrum import ClipSpectrum
from qkernels.kernels._unit_diagonal import UnitDiagonal
from qkernels.kernels._weights import check_weights

__all__ = [
    "BitFlipTolerance",
    "CircuitKernel",
    "ClipSpectrum",
    "CombinedKernel",
    "ComposedDefaultsMixin",
    "Correction",
    "DepolarizingMitigation",
    "FidelityKernel",
    "FlipSpectrum",
    "ForeignKernel",
    "FrozenKernel",
    "HammingKernel",
    "KernelParameter",
    "KernelRule",
    "LocalFidelityKernel",
    "NystroemFeatures",
    "ProductKernel",
    "ProjectedKernel",
    "QuantumKernel",
    "ReadoutMitigation",
    "ScaledKernel",
    "ShiftSpectrum",
    "SumKernel",
    "UnitDiagonal",
    "as_kernel",
    "check_weights",
    "unchanged_on_failure",
]
