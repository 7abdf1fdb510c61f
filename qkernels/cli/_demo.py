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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import Pipeline

from qkernels._errors import InvalidDataError
from qkernels.circuits import Resources
from qkernels.cli._html import html_page
from qkernels.cli._models import INNER_FOLDS, Model, build_models, preprocessing
from qkernels.cli._pictures import Picture, accuracy_picture, gram_display, kernels_picture
from qkernels.cli._record import Record, make_record, write_record
from qkernels.cli._report import print_header, print_results
from qkernels.cli._results import Outcome, Results, Settings
from qkernels.cli._tables import Table, check_folds, load_table, subsample
from qkernels.diagnostics import (
    FoldScores,
    best_fit_rbf,
    compare_models,
    corrected_interval,
    off_diagonal_statistics,
    qpu_verdict,
)
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
    table = subsample(load_table(settings.dataset, settings.target), settings.max_rows, settings.seed)
    check_folds(table, settings.folds, INNER_FOLDS)
    _make_folder(settings.output)
    device = _device(settings.device)
    num_components = _num_components(table, settings)
    models = build_models(num_components, table.X.shape[1], settings.seed)
    print_header(console, table, settings, num_components)

    circuits = {model.name: _circuit(model, num_components, device) for model in models}
    scores, searches = _cross_validate(models, table, settings, console)
    features = Pipeline(preprocessing(num_components)).fit_transform(table.X)
    outcomes, grams = [], []
    for model in models:
        outcome = Outcome(model, scores[model.name], _chosen(searches[model.name]), *circuits[model.name])
        gram = _gram(outcome, features)
        if gram is not None:
            width = outcome.typical("bandwidth" if model.feature_map else "gamma")
            grams.append(gram_display(model, gram, width, table))
        outcomes.append(_judge(outcome, gram, features, scores[models[0].name], settings.shots))

    results = Results(settings, table, num_components, device.name, device.num_qubits, outcomes)
    print_results(console, results)
    pictures = [accuracy_picture(outcomes, searches, table), kernels_picture(grams, table)]
    record = make_record(results, started, perf_counter() - start)
    names = _write(settings.output, results, record, pictures)
    console.print(f"\n{record.seconds:.0f} s. In {settings.output}: {', '.join(names)}", soft_wrap=True, markup=False)


def _cross_validate(
    models: Sequence[Model], table: Table, settings: Settings, console: Console
) -> tuple[dict[str, FoldScores], dict[str, list[BaseEstimator]]]:
    """Score all models on the same outer folds; return their fitted searches too."""
    searches: dict[str, list[BaseEstimator]] = defaultdict(list)
    rounds = settings.folds * settings.repeats
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(models[0].name, total=rounds * len(models))

        def note(name: str, fold: int, search: BaseEstimator, score: float) -> None:
            del search.best_estimator_  # its kernel matrix is not needed any more
            searches[name].append(search)
            progress.update(task, description=name, advance=1)
            if not console.is_terminal and fold == rounds - 1:
                console.print(f"  {name}: {rounds} folds done")

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
    program = OverlapProgram(feature_map.build(num_components), feature_map.parameter_vector(num_components))
    return program.key, feature_map.resources(num_components, device)


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
