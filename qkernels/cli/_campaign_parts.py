"""What a campaign names, as objects: rows, feature map, kernel, engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from qkernels import feature_maps, kernels
from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsError
from qkernels.cli._campaign import Campaign, DataPart, NamedPart
from qkernels.cli._campaign_check import check_keys, choose
from qkernels.cli._models import preprocessing
from qkernels.cli._sample import draw_rows
from qkernels.cli._tables import load_table, subsample
from qkernels.engines import Engine

if TYPE_CHECKING:
    from qkernels_hardware import RuntimeEngine

__all__ = ["Split", "build_engine", "build_kernel", "load_rows"]

Values = NDArray[np.float64]
Labels = NDArray[np.str_] | NDArray[np.int64]
Made = TypeVar("Made")

MAPS: Mapping[str, type[feature_maps.FeatureMap]] = {
    "covariant": feature_maps.CovariantMap,
    "cpmap": feature_maps.CPMap,
    "dense_angle": feature_maps.DenseAngleMap,
    "hamiltonian": feature_maps.HamiltonianMap,
    "heisenberg": feature_maps.HeisenbergMap,
    "high_dim": feature_maps.HighDimMap,
    "pauli": feature_maps.PauliFeatureMap,
    "reuploading": feature_maps.ReuploadingMap,
    "separable": feature_maps.SeparableMap,
    "yzcx": feature_maps.YZCXMap,
    "zz": feature_maps.ZZFeatureMap,
}
KERNELS: Mapping[str, type[kernels.CircuitKernel]] = {
    "fidelity": kernels.FidelityKernel,
    "hamming": kernels.HammingKernel,
    "local_fidelity": kernels.LocalFidelityKernel,
    "projected": kernels.ProjectedKernel,
}
CORRECTIONS: Mapping[str, type[kernels.Correction]] = {
    "bit_flip_tolerance": kernels.BitFlipTolerance,
    "clip_spectrum": kernels.ClipSpectrum,
    "depolarizing_mitigation": kernels.DepolarizingMitigation,
    "flip_spectrum": kernels.FlipSpectrum,
    "readout_mitigation": kernels.ReadoutMitigation,
    "shift_spectrum": kernels.ShiftSpectrum,
    "unit_diagonal": kernels.UnitDiagonal,
}
_OURS = ("feature_map", "engine", "corrections")
"""Parameters of kernels that a campaign gives in other places."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows of a campaign, split, and scaled and projected by what the training rows have, or used as they are.

    Attributes
    ----------
    name : str
        Of the data set.
    X_train, X_test : ndarray of shape (n_rows, n_features)
        No test rows where the share is 0.
    y_train, y_test : ndarray of shape (n_rows,)
    digest : str
        sha256 of the full table.
    """

    name: str
    X_train: Values
    X_test: Values
    y_train: Labels
    y_test: Labels
    digest: str


def load_rows(part: DataPart) -> Split:
    """Load, sample and split; scale and project, where that is wanted.

    Raises
    ------
    InvalidDataError, InvalidParameterError
        The table cannot be classified, classes are too small for a split, there are too many features, or no file.
    """
    if not part.is_there:
        raise InvalidParameterError(f"[data] csv must be a file, seen from the campaign; got {part.csv}.")
    with _as_keys():
        table = load_table(part.dataset or str(part.csv), part.target)
        table = subsample(table, part.rows or len(table.y), part.seed)
    X, y = table.X, table.y
    train, test = np.arange(len(y)), np.empty(0, dtype=np.intp)
    if part.test_share > 0:
        labels, counts = np.unique(y, return_counts=True)
        smallest, count = int(counts.min()), round(part.test_share * len(y))
        if smallest < 2 or min(count, len(y) - count) < table.num_classes:
            rare = str(labels[counts.argmin()])
            raise InvalidDataError(
                f"[data] test_share must leave a row of each of the {table.num_classes} classes on both sides; got "
                f"{part.test_share} of {len(y)} rows, {smallest} of them of the smallest class, {rare!r}. Take more "
                "rows or another share, or merge small classes; 0 is no test block."
            )
        train = draw_rows(y, len(y) - count, part.seed, least=1, spare=1)
        test = np.setdiff1d(np.arange(len(y)), train)
    most = min(X.shape[1], len(train))
    if part.features is not None and part.features > most:
        raise InvalidDataError(
            f"[data] features must be at most {most}, the smaller number of {X.shape[1]} columns and {len(train)} "
            f"training rows; got {part.features}."
        )
    steps = [step for step in preprocessing(part.features or most) if part.features is not None or step[0] != "pca"]
    scaling = (Pipeline(steps) if part.scale else FunctionTransformer()).fit(X[train])
    X_test = scaling.transform(X[test]) if len(test) else np.empty((0, part.features or X.shape[1]))
    return Split(table.name, np.asarray(scaling.transform(X[train])), X_test, y[train], y[test], table.digest)


def build_kernel(campaign: Campaign, engine: Engine, *, corrected: bool = True) -> kernels.CircuitKernel:
    """The kernel on an engine.

    Parameters
    ----------
    campaign : Campaign
    engine : Engine
    corrected : bool, default=True
        False leaves corrections out.

    Raises
    ------
    InvalidParameterError
        A name or a parameter is unknown.
    """
    part, where = campaign.kernel, f"{campaign.path.name}: [kernel]"
    kind = KERNELS[choose(_short(part.name, "Kernel"), KERNELS, f"{where} name")]
    allowed = [name for name in signature(kind).parameters if name not in _OURS]
    check_keys(part.options, allowed + (["corrections"] if not corrected else []), where)
    corrections = build_corrections(campaign) if corrected else []
    return kind(feature_map=build_map(campaign), engine=engine, corrections=corrections, **part.options)


def build_map(campaign: Campaign) -> feature_maps.FeatureMap:
    """The feature map.

    Raises
    ------
    InvalidParameterError
        Its name or a parameter is unknown.
    """
    part, where = campaign.feature_map, f"{campaign.path.name}: [map]"
    return _made(part, MAPS[choose(_short(part.name, "FeatureMap", "Map"), MAPS, f"{where} name")], where)


def build_corrections(campaign: Campaign) -> list[kernels.Correction] | None:
    """The corrections, fresh; None where the campaign says nothing, which is the default of the kernel.

    Raises
    ------
    InvalidParameterError
        A name or a parameter is unknown.
    """
    if campaign.kernel.corrections is None:
        return None
    found = []
    for position, part in enumerate(campaign.kernel.corrections):
        where = f"{campaign.path.name}: [kernel] corrections[{position}]"
        found.append(_made(part, CORRECTIONS[choose(part.name, CORRECTIONS, f"{where} name")], where))
    return found


def build_engine(campaign: Campaign) -> RuntimeEngine:
    """The engine of the campaign, on its ledger; a device is opened when it is first needed.

    Raises
    ------
    InvalidParameterError
        The backend is no device model, or an option is unknown or out of range.
    """
    from qkernels_hardware import Budget, RuntimeEngine

    backend = dict(campaign.backend)
    name = backend.pop("name")
    budget = Budget(**campaign.budget) if campaign.budget else None
    try:
        return RuntimeEngine(name, ledger=campaign.ledger, budget=budget, options=dict(campaign.options), **backend)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{campaign.path.name}: {error}") from None


def _made(part: NamedPart, kind: type[Made], where: str) -> Made:
    check_keys(part.options, signature(kind).parameters, where)
    return kind(**part.options)


def _short(name: str, *endings: str) -> str:
    """A class name without what all of its kind end with: "ZZFeatureMap" is "ZZ"."""
    for ending in endings:
        if name.endswith(ending) and name != "CPMap":
            return name.removesuffix(ending)
    return name


@contextmanager
def _as_keys() -> Iterator[None]:
    """Errors about tables name options of the demo; here they are keys."""
    words = {"--dataset": "[data] dataset", "--target": "[data] target", "--max-rows": "[data] rows"}
    try:
        yield
    except QKernelsError as error:
        text = str(error)
        for option, key in words.items():
            text = text.replace(option, key)
        raise type(error)(text) from None
