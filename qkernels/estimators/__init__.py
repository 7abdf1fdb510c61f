"""Estimators: scikit-learn faces on a quantum kernel; the solvers are scikit-learn's.

- `QuantumKernelSVC` (`QSVC`): classification.
- `QuantumKernelSVR` (`QSVR`), `QuantumKernelRidge`: regression.
- `QuantumKernelPCA`: components; `QuantumSpectralClustering`: clusters; `QuantumOneClassSVM`: outliers.
- `QuantumLabelPropagation`: classification from few labels.
- `QuantumGaussianProcessClassifier`, `QuantumGaussianProcessRegressor`: probabilities and standard deviations;
  `GPKernel`: a quantum kernel inside scikit-learn's own Gaussian processes.

- `VQC`, `VQR`: variational classifier and regressor; `QuantumFeatures`: expectation values for a classical head.

Those of kernels take ``kernel=`` a kernel such as `FidelityKernel`, None, a qiskit-machine-learning ``BaseKernel``, a
callable k(X, Y), or ``"precomputed"`` (Gaussian processes do not take the last). Where there are sample weights,
samples of weight 0 are dropped before anything is evaluated.
"""

from qkernels.estimators._gp_classifier import QuantumGaussianProcessClassifier
from qkernels.estimators._gp_kernel import GPKernel
from qkernels.estimators._gp_regressor import QuantumGaussianProcessRegressor
from qkernels.estimators._label_propagation import QuantumLabelPropagation
from qkernels.estimators._one_class import QuantumOneClassSVM
from qkernels.estimators._pca import QuantumKernelPCA
from qkernels.estimators._quantum_features import QuantumFeatures
from qkernels.estimators._ridge import QuantumKernelRidge
from qkernels.estimators._spectral_clustering import QuantumSpectralClustering
from qkernels.estimators._svc import QuantumKernelSVC
from qkernels.estimators._svr import QuantumKernelSVR
from qkernels.estimators._vqc import VQC
from qkernels.estimators._vqr import VQR

QSVC = QuantumKernelSVC
QSVR = QuantumKernelSVR

__all__ = [
    "QSVC",
    "QSVR",
    "VQC",
    "VQR",
    "GPKernel",
    "QuantumFeatures",
    "QuantumGaussianProcessClassifier",
    "QuantumGaussianProcessRegressor",
    "QuantumKernelPCA",
    "QuantumKernelRidge",
    "QuantumKernelSVC",
    "QuantumKernelSVR",
    "QuantumLabelPropagation",
    "QuantumOneClassSVM",
    "QuantumSpectralClustering",
]
