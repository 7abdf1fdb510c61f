"""`qkernels demo`: table in, comparison, verdict and pictures out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from qiskit.providers import BackendV2
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import Pipeline

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.circuits import Resources
from qkernels.cli._html import html_page
from qkernels.cli._models import INNER_FOLDS, Model, build_models, preprocessing
from qkernels.cli._noise import evaluate_under_noise, set_up_noise
from qkernels.cli._pictures import Picture, accuracy_picture, gram_display, kernels_picture, noise_picture
from qkernels.cli._progress import steps
from qkernels.cli._record import Record, make_record, write_record
from qkernels.cli._report import print_header, print_results
from qkernels.cli._results import Outcome, QPUCost, Results, Settings
from qkernels.cli._tables import Table, check_folds, least_rows, load_table, subsample
from qkernels.diagnostics import (
    FoldScores,
    best_fit_rbf,
    compare_models,
    corrected_interval,
    off_diagonal_statistics,
    qpu_verdict,
)
from qkernels.feature_maps import FeatureMap
from qkernels.kernels import FidelityKernel
from qkernels.programs import OverlapProgram


def run_demo(settings: Settings, console: Console) -> None:
    """Run the demo and print to `console`.

    Raises
    ------
    QKernelsError
        If the table, the output folder or an option can't be used.
    """
    start, started = perf_counter(), datetime.now(UTC)
    table = load_table(settings.dataset, settings.target)
    check_folds(table, settings.folds, INNER_FOLDS)
    table = subsample(table, settings.max_rows, settings.seed, least_rows(settings.folds, INNER_FOLDS))
    _make_folder(settings.output)
    device = _device(settings.device)
    num_components = _num_components(table, settings)
    models = build_models(num_components, table.X.shape[1], settings.seed)
    _check_width(models, num_components, device, settings)
    circuits = {model.name: _circuit(model, num_components, device) for model in models}
    setup = set_up_noise(models, num_components, len(table.y), settings)
    noise = None if setup is None else setup.source
    print_header(console, table, settings, num_components, noise)

    scores, searches = _cross_validate(models, table, settings, console)
    chosen = {name: _chosen(found) for name, found in searches.items()}
    noisy = {}
    if setup is not None:
        noisy = evaluate_under_noise(setup, models, chosen, table, settings, num_components, console)
    features = Pipeline(preprocessing(num_components)).fit_transform(table.X)
    outcomes, grams = [], []
    for model in models:
        name = model.name
        outcome = Outcome(model, scores[name], chosen[name], *circuits[name], noise=noisy.get(name))
        gram = _gram(outcome, features)
        if gram is not None:
            width = outcome.typical("bandwidth" if model.feature_map else "gamma")
            grams.append(gram_display(model, gram, width, table))
        outcomes.append(_judge(outcome, gram, features, scores[models[0].name], settings.shots))

    cost = _qpu_cost(outcomes, num_components, len(table.y), device, settings.shots)
    results = Results(settings, table, num_components, device.name, device.num_qubits, outcomes, noise, cost)
    print_results(console, results)
    pictures = [accuracy_picture(outcomes, searches, table), kernels_picture(grams, table)]
    if noise is not None:
        pictures.insert(1, noise_picture(results))
    record = make_record(results, started, perf_counter() - start)
    names = _write(settings.output, results, record, pictures)
    console.print(f"\n{record.seconds:.0f} s. In {settings.output}: {', '.join(names)}", soft_wrap=True, markup=False)


def _cross_validate(
    models: Sequence[Model], table: Table, settings: Settings, console: Console
) -> tuple[dict[str, FoldScores], dict[str, list[BaseEstimator]]]:
    """Score all models on the same outer folds; return their fitted searches too."""
    searches: dict[str, list[BaseEstimator]] = defaultdict(list)
    rounds = settings.folds * settings.repeats
    with steps(console, models[0].name, rounds * len(models), rounds, f"{rounds} folds done") as step:

        def note(name: str, fold: int, search: BaseEstimator, score: float) -> None:
            del search.best_estimator_  # its kernel matrix is not needed any more
            searches[name].append(search)
            step(name)

        scores = compare_models(
            {model.name: model.search for model in models},
            table.X,
            table.y,
            n_splits=settings.folds,
            n_repeats=settings.repeats,
            random_state=settings.seed,
            n_jobs=settings.jobs,
            on_fold=note,
        )
    return scores, searches


def _chosen(searches: Sequence[BaseEstimator]) -> dict[str, tuple[float, ...]]:
    return {
        name.split("__")[-1]: tuple(float(search.best_params_[name]) for search in searches)
        for name in searches[0].best_params_
    }


def _circuit(model: Model, num_components: int, device: BackendV2) -> tuple[str | None, Resources | None]:
    """Content key and cost of the circuit; a classical model has none."""
    feature_map = model.feature_map
    if feature_map is None:
        return None, None
    return _program(feature_map, num_components).key, feature_map.resources(num_components, device)


def _program(feature_map: FeatureMap, num_components: int) -> OverlapProgram:
    return OverlapProgram(feature_map.build(num_components), feature_map.parameter_vector(num_components))


def _check_width(models: Sequence[Model], num_components: int, device: BackendV2, settings: Settings) -> None:
    """Refuse a device that is too small for a circuit, before minutes of work."""
    maps = [model.feature_map for model in models if model.feature_map is not None]
    widest = max(feature_map.num_qubits(num_components) for feature_map in maps)
    if widest > device.num_qubits:
        fitting = [k for k in range(2, num_components) if all(m.num_qubits(k) <= device.num_qubits for m in maps)]
        option = "--device" if settings.noise is None else "--noise"
        fewer = f"Use --features {fitting[-1]} or fewer, or a larger device." if fitting else "Use a larger device."
        raise InvalidParameterError(
            f"{option}: a circuit of {num_components} components has {widest} qubits, and {device.name} has "
            f"{device.num_qubits}. {fewer}"
        )


def _qpu_cost(
    outcomes: Sequence[Outcome], num_components: int, num_rows: int, device: BackendV2, shots: int
) -> QPUCost:
    """What the kernel matrix of the best map with entanglement takes on the device, as `RuntimeEngine.plan` has it."""
    from qkernels_hardware import RuntimeEngine  # imports the vendor's client

    maps = [(o, o.model.feature_map) for o in outcomes if o.model.feature_map is not None and not o.model.is_baseline]
    best, feature_map = max(maps, key=lambda candidate: candidate[0].scores.mean)
    plan = RuntimeEngine(device, shots=shots, ledger=None).plan(_program(feature_map, num_components), num_rows)
    return QPUCost(best.model.name, plan.qpu_seconds, plan.open_plan_share)


def _gram(outcome: Outcome, features: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The kernel matrix of all rows at the bandwidth that folds chose; None for a model on other features."""
    if outcome.model.feature_map is not None:
        kernel = FidelityKernel(outcome.model.feature_map, bandwidth=outcome.typical("bandwidth"))
        return np.asarray(kernel(features))
    if "pca" in outcome.model.search.estimator.named_steps:
        return np.asarray(rbf_kernel(features, gamma=outcome.typical("gamma")))
    return None


def _judge(
    outcome: Outcome,
    gram: NDArray[np.float64] | None,
    features: NDArray[np.float64],
    rbf_scores: FoldScores,
    shots: int,
) -> Outcome:
    if outcome.model.feature_map is None or gram is None:
        return outcome
    verdict = qpu_verdict(
        interval=corrected_interval(outcome.scores, rbf_scores),
        off_diagonals=off_diagonal_statistics(gram, shots=shots),
        rbf=best_fit_rbf(gram, features),
    )
    return replace(outcome, verdict=verdict)


def _write(folder: Path, results: Results, record: Record, pictures: Sequence[Picture]) -> list[str]:
    """Write all files; return their names, the one to open first."""
    for picture in pictures:
        (folder / picture.file).write_bytes(picture.png)
    write_record(folder / "results.json", record)
    (folder / "report.html").write_text(html_page(results, record, pictures), encoding="utf-8")
    return ["report.html", *(picture.file for picture in pictures), "results.json"]


def _num_components(table: Table, settings: Settings) -> int:
    """Components that every inner training part can be projected on."""
    outer = len(table.y) * (settings.folds - 1) // settings.folds
    inner = outer * (INNER_FOLDS - 1) // INNER_FOLDS
    return max(1, min(settings.features, int(table.X.shape[1]), inner - 1))


def _device(name: str) -> BackendV2:
    from qkernels_hardware import device_model  # imports the vendor's client

    return device_model(name)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):  # now, not after minutes of work
            pass
    except OSError as error:
        raise InvalidDataError(f"--output: cannot write to {path}: {error.strerror}; choose another folder.") from None
