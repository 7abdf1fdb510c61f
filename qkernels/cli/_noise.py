"""The tuned kernels under the noise of a device: as measured, and mitigated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.cli._models import TOLERANCE, Model, preprocessing
from qkernels.cli._progress import steps
from qkernels.cli._results import NoiseSource, NoisyCircuit, ScaledScores, Settings, UnderNoise
from qkernels.cli._tables import Table
from qkernels.diagnostics import FoldScores
from qkernels.engines import Engine
from qkernels.estimators import QuantumKernelSVC
from qkernels.feature_maps import FeatureMap
from qkernels.kernels import ClipSpectrum, Correction, DepolarizingMitigation, FidelityKernel
from qkernels.programs import OverlapProgram, Plan, format_bytes

if TYPE_CHECKING:
    from qkernels_hardware import AerEngine

SCALES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Multiples of the noise, for the picture; 1 is the device."""

MAX_ACTIVE_QUBITS = 9
"""With more, a fold of some hundred rows takes an hour: 16 · 4^n bytes for each row, and hundreds of gates."""

MITIGATION = "DepolarizingMitigation('mean')"

REPAIR = "ClipSpectrum()"

Chosen = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, eq=False)
class NoisySetup:
    """An engine with noise, and what its device would run.

    Attributes
    ----------
    engine : AerEngine
    source : NoiseSource
    circuits : mapping from str to NoisyCircuit
        By model.
    """

    engine: AerEngine
    source: NoiseSource
    circuits: Mapping[str, NoisyCircuit]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One outer fold of a model at a scale of the noise."""

    model: Model
    scale: float
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    bandwidth: float
    C: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Accuracies from one measured pair of matrices.

    Attributes
    ----------
    noisy : float
    mitigated : float or None
        None where an entry of the diagonal is not above that of random outcomes.
    self_value : float
        Mean of the diagonal.
    seconds : float
    """

    noisy: float
    mitigated: float | None
    self_value: float
    seconds: float


def set_up_noise(models: Sequence[Model], num_components: int, num_rows: int, settings: Settings) -> NoisySetup | None:
    """The engine that --noise asks for, after transpiling all circuits; None without --noise.

    Raises
    ------
    InvalidParameterError
        There is no such device model, or a circuit is too wide for it or for a simulation of its noise.
    """
    if settings.noise is None:
        return None
    from qkernels_hardware import AerEngine, NoiseProfile, device_model  # imports the vendor's client

    programs = {model.name: _program(model.feature_map, num_components) for model in models if model.feature_map}
    try:
        # A profile holds all that a worker process needs, so that all processes transpile for the same device.
        profile = NoiseProfile.from_backend(device_model(settings.noise))
        machine = AerEngine(profile).plan(next(iter(programs.values())), 1).memory_limit_bytes
        engine = AerEngine(
            profile,
            settings.shots,
            strategy="factored",
            seed=settings.seed,
            memory_limit=max(1, machine // settings.jobs),
        )
        circuits = {}
        for name, program in programs.items():
            found = engine.circuit(program)
            active = len(found.active)
            _check_size(name, active, engine.plan(program, num_rows), num_components, profile.name)
            gates = (found.two_qubit_gates, found.two_qubit_depth, found.depth)
            circuits[name] = NoisyCircuit(found.layout, active, *gates, found.fidelity)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"--noise: {error}") from None
    return NoisySetup(engine, NoiseSource(profile.name, profile.source, profile.calibrated, profile.key), circuits)


def _check_size(name: str, active: int, plan: Plan, num_components: int, device: str) -> None:
    if active > MAX_ACTIVE_QUBITS:
        fitting = num_components - (active - MAX_ACTIVE_QUBITS)
        raise InvalidParameterError(
            f"{name} has {active} active qubits on {device} with --features {num_components}, and noise is simulated "
            f"on at most {MAX_ACTIVE_QUBITS} here. Use --features {fitting} or fewer, or leave --noise out."
        )
    if not plan.feasible:
        raise InvalidParameterError(
            f"the noisy matrix of {name} takes {format_bytes(plan.memory_bytes)}, and "
            f"{format_bytes(plan.memory_limit_bytes)} are left for each process. Use fewer --features, --max-rows or "
            "--jobs."
        )


def evaluate_under_noise(
    setup: NoisySetup,
    models: Sequence[Model],
    chosen: Mapping[str, Chosen],
    table: Table,
    settings: Settings,
    num_components: int,
    console: Console,
) -> dict[str, UnderNoise]:
    """Score the quantum kernels under noise, on the outer folds that the exact ones were scored on.

    Bandwidth and C are those that the exact inner search chose in each fold; scaling and PCA are fitted to its training
    rows. At scale 1 all folds are scored, at the other scales those of the first repeat.
    """
    quantum = [model for model in models if model.feature_map is not None]
    splits = outer_folds(table, settings)
    tasks = [task for model in quantum for task in _tasks(model, splits, chosen[model.name], settings.folds)]
    engines = {scale: setup.engine.scaled(scale) for scale in SCALES}
    runs = Parallel(n_jobs=settings.jobs, return_as="generator")(
        delayed(read_fold)(task, engines[task.scale], table, num_components) for task in tasks
    )
    each = len(tasks) // len(quantum)
    readings: dict[str, dict[float, list[Reading]]] = {model.name: {s: [] for s in SCALES} for model in quantum}
    with steps(console, f"{quantum[0].name}, noisy", len(tasks), each, f"{each} evaluations done") as step:
        for task, reading in zip(tasks, runs, strict=True):
            readings[task.model.name][task.scale].append(reading)
            step(f"{task.model.name}, noisy")
    ratio = float(np.mean([len(test) / len(train) for train, test in splits]))
    return {name: _summary(setup.circuits[name], found, ratio, settings.folds) for name, found in readings.items()}


def outer_folds(table: Table, settings: Settings) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and test rows of the folds of `compare_models`, in its order."""
    folds = RepeatedStratifiedKFold(n_splits=settings.folds, n_repeats=settings.repeats, random_state=settings.seed)
    return list(folds.split(np.zeros(len(table.y)), table.y))


def read_fold(task: Task, engine: Engine, table: Table, num_components: int) -> Reading:
    """Measure the matrices of a fold once, and classify its test rows without and with mitigation."""
    start, (X, y) = perf_counter(), (table.X, table.y)
    features = Pipeline(preprocessing(num_components)).fit(X[task.train])
    A, B = features.transform(X[task.train]), features.transform(X[task.test])
    kernel = FidelityKernel(task.model.feature_map, engine=engine, bandwidth=task.bandwidth)
    gram, cross = kernel(A), kernel(B, A)

    def score(corrections: Sequence[Correction]) -> float:
        fitted, new = gram, cross
        for correction in corrections:
            correction.fit(fitted)
            fitted, new = correction.transform_gram(fitted), correction.transform_cross(new)
        machine = QuantumKernelSVC("precomputed", C=task.C, tol=TOLERANCE).fit(fitted, y[task.train])
        return float(machine.score(new, y[task.test]))

    num_qubits = _program(task.model.feature_map, num_components).num_qubits
    mitigation = DepolarizingMitigation("mean", num_qubits)
    try:
        mitigation.fit(gram)
    except InvalidDataError:  # the noise is so strong that a row measured with itself looks like random outcomes
        mitigated = None
    else:
        mitigated = score([mitigation, ClipSpectrum()])
    return Reading(score([ClipSpectrum()]), mitigated, float(np.mean(np.diag(gram))), perf_counter() - start)


def _tasks(
    model: Model, splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], chosen: Chosen, first_repeat: int
) -> Iterator[Task]:
    for fold, (train, test) in enumerate(splits):
        for scale in SCALES if fold < first_repeat else (1.0,):
            yield Task(model, scale, train, test, chosen["bandwidth"][fold], chosen["C"][fold])


def _summary(
    circuit: NoisyCircuit, readings: Mapping[float, Sequence[Reading]], ratio: float, first_repeat: int
) -> UnderNoise:
    device = readings[1.0]
    seconds = sum(reading.seconds for reading in device)
    mitigated = _mitigated(device)
    return UnderNoise(
        circuit,
        float(np.mean([reading.self_value for reading in device])),
        FoldScores(tuple(reading.noisy for reading in device), seconds, ratio),
        None if mitigated is None else FoldScores(mitigated, seconds, ratio),
        tuple(
            ScaledScores(scale, tuple(reading.noisy for reading in first), _mitigated(first))
            for scale, found in readings.items()
            for first in [found[:first_repeat]]
        ),
    )


def _mitigated(readings: Sequence[Reading]) -> tuple[float, ...] | None:
    scores = tuple(reading.mitigated for reading in readings if reading.mitigated is not None)
    return scores if len(scores) == len(readings) else None


def _program(feature_map: FeatureMap | None, num_components: int) -> OverlapProgram:
    if feature_map is None:
        raise ValueError("a classical model has no program")
    return OverlapProgram(feature_map.build(num_components), feature_map.parameter_vector(num_components))
