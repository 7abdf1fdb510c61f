"""Which cultivar a wine comes from: a support vector machine on a noisy kernel of two qubits."""

import numpy as np
from sklearn.datasets import load_wine
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from qkernels import ClipSpectrum, CPMap, DensityMatrixEngine, FidelityKernel, QuantumKernelSVC
from qkernels.engines import Engine, NoiseTable
from qkernels.kernels import DepolarizingMitigation
from qkernels_hardware import AerEngine, NoiseProfile

COLUMNS = ("flavanoids", "color_intensity", "proline")


def load_table() -> tuple[np.ndarray, np.ndarray]:
    """Three columns of scikit-learn's wine table and the cultivar, 0 to 2."""
    wine = load_wine(as_frame=True)
    return wine.data[list(COLUMNS)].to_numpy(), wine.target.to_numpy()


def lab_noise() -> NoiseTable:
    """Noise as we write it down by hand: depolarizing after every gate, and bits that are read wrongly."""
    one, two = np.diag([1.0] + 3 * [0.999]), np.diag([1.0] + 15 * [0.99])
    return NoiseTable(
        defaults={"h": one, "ry": one, "cx": two},
        default_readout=[[0.985, 0.02], [0.015, 0.98]],
        ideal=["p", "rz"],
        form="transfer",
    )


def lab_engine(shots: int | None = None, seed: int = 0) -> Engine:
    """The circuit as it is written, under `lab_noise`: no transpiler plays a part."""
    return DensityMatrixEngine(lab_noise(), shots, seed)


def device_engine(shots: int | None = None, seed: int = 0) -> Engine:
    """A device as it was on the day of its calibration, on two qubits that we chose."""
    return AerEngine(NoiseProfile.named("fake_fez"), shots=shots, seed=seed, layout=[0, 1])


def build_kernel(engine: Engine | None = None) -> FidelityKernel:
    """The kernel that we use; without noise where no engine is given."""
    corrections = None if engine is None else [DepolarizingMitigation("mean"), ClipSpectrum()]
    feature_map = CPMap(ring=True)  # open, it has no C-Map on two qubits
    return FidelityKernel(feature_map, engine=engine, corrections=corrections)


def build_model(engine: Engine | None = None) -> Pipeline:
    """Standardise, then classify."""
    return make_pipeline(StandardScaler(), QuantumKernelSVC(build_kernel(engine), C=10.0))
