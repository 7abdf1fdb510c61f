"""The public names: a change here is a change of the interface and belongs in CHANGELOG.md."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import qkernels

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent.name for path in (ROOT / "qkernels").glob("*/__init__.py"))

PUBLIC = {
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
    "QSVC",
    "QSVR",
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
    "VQC",
    "VQR",
    "YZCXMap",
    "ZZFeatureMap",
    "ZeroNoiseExtrapolation",
    "__version__",
    "set_cache",
}


def test_snapshot() -> None:
    assert set(qkernels.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_name_resolves_and_is_listed(name: str) -> None:
    assert getattr(qkernels, name) is not None
    assert name in dir(qkernels)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_name_survives_pickle_and_copy(name: str) -> None:
    value = getattr(qkernels, name)
    assert pickle.loads(pickle.dumps(value)) is value
    assert copy.deepcopy(value) is value


def test_star_import_gives_all_names() -> None:
    namespace: dict[str, object] = {}
    exec("from qkernels import *", namespace)
    assert namespace.keys() - {"__builtins__"} == PUBLIC


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'qkernels' has no attribute 'QuantumKernelSVM'"):
        qkernels.QuantumKernelSVM  # noqa: B018


def test_aliases_are_the_same_class() -> None:
    assert qkernels.QSVC is qkernels.QuantumKernelSVC
    assert qkernels.QSVR is qkernels.QuantumKernelSVR


def test_version_is_that_of_the_distribution() -> None:
    assert qkernels.__version__ == version("qkernels")


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_room_is_an_attribute_without_importing_it(room: str) -> None:
    program = f"import qkernels; print(qkernels.{room}.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"qkernels.{room}", done.stderr


@pytest.mark.parametrize("module", [*(f"qkernels.{room}" for room in ROOMS), "qkernels._errors", "qkernels_hardware"])
def test_room_lists_its_names(module: str) -> None:
    room = import_module(module)
    assert room.__doc__, f"{module} has no docstring that maps it"
    # Sorted as ruff sorts (RUF022): constants, then classes, then functions; each alphabetically.
    assert len(set(room.__all__)) == len(room.__all__)
    assert [name for name in room.__all__ if not hasattr(room, name)] == []
    assert [name for name in room.__all__ if name.startswith("_")] == []
