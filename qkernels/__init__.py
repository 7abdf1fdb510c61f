"""Quantum kernels as scikit-learn estimators, evaluated exactly, with their cost on an IBM device beside them.

The names that a first script needs are here; everything else is in the room that owns it:

- `qkernels.feature_maps`: x to circuit (`ZZFeatureMap`, `CPMap`, `CircuitMap`, ...)
- `qkernels.programs`: what to measure (`OverlapProgram`, `ExpectationProgram`)
- `qkernels.engines`: who computes it (`AutoEngine`, `StatevectorEngine`, `MPSEngine`, `DensityMatrixEngine`), and the
  cache
- `qkernels.kernels`: circuits to kernel matrices (`FidelityKernel`, `ProjectedKernel`, `ClipSpectrum`, ...)
- `qkernels.variational`: circuits with trainable angles, readouts, losses, optimizers
- `qkernels.estimators`: scikit-learn faces (`QuantumKernelSVC`, `QuantumKernelPCA`, `VQC`, `VQR`, ...)
- `qkernels.diagnostics`, `qkernels.plotting`: numbers about kernels, and their pictures
- `qkernels.testing`: regression tests of noisy kernels
- `qkernels.circuits`: what is done to a circuit before it is evaluated

Names are imported on first use, so `import qkernels` costs next to nothing.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from qkernels import QuantumKernelSVC
>>> X, y = load_iris(return_X_y=True)
>>> QuantumKernelSVC().fit(X, y).predict(X[:1])
array([0])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qkernels._errors import QKernelsError
    from qkernels.engines import (
        AutoEngine,
        DensityMatrixEngine,
        MPSEngine,
        NoiseTable,
        StatevectorEngine,
        ZeroNoiseExtrapolation,
        set_cache,
    )
    from qkernels.estimators import (
        QSVC,
        QSVR,
        VQC,
        VQR,
        QuantumFeatures,
        QuantumGaussianProcessClassifier,
        QuantumGaussianProcessRegressor,
        QuantumKernelPCA,
        QuantumKernelRidge,
        QuantumKernelSVC,
        QuantumKernelSVR,
        QuantumLabelPropagation,
        QuantumOneClassSVM,
        QuantumSpectralClustering,
    )
    from qkernels.feature_maps import (
        CircuitMap,
        CovariantMap,
        CPMap,
        DenseAngleMap,
        HamiltonianMap,
        HeisenbergMap,
        HighDimMap,
        PauliFeatureMap,
        ReuploadingMap,
        SeparableMap,
        YZCXMap,
        ZZFeatureMap,
    )
    from qkernels.kernels import (
        BitFlipTolerance,
        ClipSpectrum,
        DepolarizingMitigation,
        FidelityKernel,
        FlipSpectrum,
        HammingKernel,
        LocalFidelityKernel,
        NystroemFeatures,
        ProjectedKernel,
        ReadoutMitigation,
        ShiftSpectrum,
        UnitDiagonal,
    )
    from qkernels.programs import ExpectationProgram, OverlapProgram

__version__ = "0.1.0"

__all__ = [
    "QSVC",
    "QSVR",
    "VQC",
    "VQR",
    "AutoEngine",
    "BitFlipTolerance",
    "CPMap",
    "CircuitMap",
    "ClipSpectrum",
    "CovariantMap",
    "DenseAngleMap",
    "DensityMatrixEngine",
    "DepolarizingMitigation",
    "ExpectationProgram",
    "FidelityKernel",
    "FlipSpectrum",
    "HamiltonianMap",
    "HammingKernel",
    "HeisenbergMap",
    "HighDimMap",
    "LocalFidelityKernel",
    "MPSEngine",
    "NoiseTable",
    "NystroemFeatures",
    "OverlapProgram",
    "PauliFeatureMap",
    "ProjectedKernel",
    "QKernelsError",
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
    "ReadoutMitigation",
    "ReuploadingMap",
    "SeparableMap",
    "ShiftSpectrum",
    "StatevectorEngine",
    "UnitDiagonal",
    "YZCXMap",
    "ZZFeatureMap",
    "ZeroNoiseExtrapolation",
    "__version__",
    "set_cache",
]

_ROOM_OF_NAME = {
    "QKernelsError": "_errors",
    "CPMap": "feature_maps",
    "CircuitMap": "feature_maps",
    "CovariantMap": "feature_maps",
    "DenseAngleMap": "feature_maps",
    "HamiltonianMap": "feature_maps",
    "HeisenbergMap": "feature_maps",
    "HighDimMap": "feature_maps",
    "PauliFeatureMap": "feature_maps",
    "ReuploadingMap": "feature_maps",
    "SeparableMap": "feature_maps",
    "YZCXMap": "feature_maps",
    "ZZFeatureMap": "feature_maps",
    "ExpectationProgram": "programs",
    "OverlapProgram": "programs",
    "AutoEngine": "engines",
    "DensityMatrixEngine": "engines",
    "MPSEngine": "engines",
    "NoiseTable": "engines",
    "StatevectorEngine": "engines",
    "ZeroNoiseExtrapolation": "engines",
    "set_cache": "engines",
    "BitFlipTolerance": "kernels",
    "ClipSpectrum": "kernels",
    "DepolarizingMitigation": "kernels",
    "FidelityKernel": "kernels",
    "FlipSpectrum": "kernels",
    "HammingKernel": "kernels",
    "LocalFidelityKernel": "kernels",
    "NystroemFeatures": "kernels",
    "ProjectedKernel": "kernels",
    "ReadoutMitigation": "kernels",
    "ShiftSpectrum": "kernels",
    "UnitDiagonal": "kernels",
    "QSVC": "estimators",
    "QSVR": "estimators",
    "VQC": "estimators",
    "VQR": "estimators",
    "QuantumFeatures": "estimators",
    "QuantumGaussianProcessClassifier": "estimators",
    "QuantumGaussianProcessRegressor": "estimators",
    "QuantumKernelPCA": "estimators",
    "QuantumKernelRidge": "estimators",
    "QuantumKernelSVC": "estimators",
    "QuantumKernelSVR": "estimators",
    "QuantumLabelPropagation": "estimators",
    "QuantumOneClassSVM": "estimators",
    "QuantumSpectralClustering": "estimators",
}

_ROOMS = frozenset(
    {"circuits", "cli", "diagnostics", "plotting", "testing", "variational", *_ROOM_OF_NAME.values()} - {"_errors"}
)


def __getattr__(name: str) -> object:
    """Import a public name, or a room, when it is first used (PEP 562)."""
    if name in _ROOMS:
        return import_module(f"qkernels.{name}")
    if name not in _ROOM_OF_NAME:
        raise AttributeError(f"module 'qkernels' has no attribute {name!r}")
    value: object = getattr(import_module(f"qkernels.{_ROOM_OF_NAME[name]}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not, so that completion offers them."""
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__, *_ROOMS})
