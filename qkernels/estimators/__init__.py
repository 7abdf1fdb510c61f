"""Estimators: scikit-learn faces on a quantum kernel; the solvers are scikit-learn's.

- `QuantumKernelSVC` (`QSVC`): classification.
- `QuantumKernelSVR` (`QSVR`), `QuantumKernelRidge`: regression.

All take ``kernel=`` a `FidelityKernel`, None, a qiskit-machine-learning ``BaseKernel``, a callable k(X, Y), or
``"precomputed"``. Samples of weight 0 are dropped before the kernel is evaluated.
"""

from qkernels.estimators._ridge import QuantumKernelRidge
from qkernels.estimators._svc import QuantumKernelSVC
from qkernels.estimators._svr import QuantumKernelSVR

QSVC = QuantumKernelSVC
QSVR = QuantumKernelSVR

__all__ = ["QSVC", "QSVR", "QuantumKernelRidge", "QuantumKernelSVC", "QuantumKernelSVR"]
