"""Kernels: program + engine → K, as scikit-learn transformers.

- `FidelityKernel`: k(x, y) = |⟨0|U(y)†U(x)|0⟩|²; learns a bandwidth, keeps the training matrix, transforms new rows
  to K(X_new, X_fit). `FrozenKernel`: its plain callable k(X, Y).
- `ClipSpectrum`: repair of matrices with negative eigenvalues; `Correction`: the base class of such steps.
- `QuantumKernel`: the base class of kernels; `ComposedDefaultsMixin`: parameters whose default object is fresh for
  every owner.
- `as_kernel`, `KernelParameter`, `ForeignKernel`: other people's kernels as ours.
- `check_weights`: the rule for sample weights; `unchanged_on_failure`: a fit that fails leaves an object as it was.
"""

from qkernels.kernels._algebra import CombinedKernel, ProductKernel, ScaledKernel, SumKernel
from qkernels.kernels._base import QuantumKernel
from qkernels.kernels._circuit import CircuitKernel
from qkernels.kernels._coerce import ForeignKernel, KernelParameter, as_kernel
from qkernels.kernels._correction import Correction
from qkernels.kernels._defaults import ComposedDefaultsMixin
from qkernels.kernels._fidelity import FidelityKernel
from qkernels.kernels._frozen import FrozenKernel
from qkernels.kernels._restore import unchanged_on_failure
from qkernels.kernels._rule import KernelRule
from qkernels.kernels._spectrum import ClipSpectrum
from qkernels.kernels._weights import check_weights

__all__ = [
    "CircuitKernel",
    "ClipSpectrum",
    "CombinedKernel",
    "ComposedDefaultsMixin",
    "Correction",
    "FidelityKernel",
    "ForeignKernel",
    "FrozenKernel",
    "KernelParameter",
    "KernelRule",
    "ProductKernel",
    "QuantumKernel",
    "ScaledKernel",
    "SumKernel",
    "as_kernel",
    "check_weights",
    "unchanged_on_failure",
]
