"""`qkernels demo --noise`, on a table small enough for a test, against the public pipeline."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from sklearn.datasets import load_iris
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline
from typer.testing import CliRunner, Result

from qkernels import (
    ClipSpectrum,
    CPMap,
    DepolarizingMitigation,
    FidelityKernel,
    OverlapProgram,
    QuantumKernelSVC,
    SeparableMap,
    ZZFeatureMap,
)
from qkernels._errors import InvalidParameterError
from qkernels.cli import app
from qkernels.cli._models import TOLERANCE, Model, build_models, preprocessing
from qkernels.cli._noise import Task, evaluate_under_noise, outer_folds, read_fold, set_up_noise
from qkernels.cli._results import Settings
from qkernels.cli._tables import Table, load_table
from qkernels_hardware import AerEngine, NoiseProfile, device_model

pytestmark = pytest.mark.slow  # a whole comparison under noise

MAPS = {
    "Separable": SeparableMap(),
    "ZZ-linear": ZZFeatureMap(),
    "ZZ-full": ZZFeatureMap(entanglement="full"),
    "CPMap": CPMap(),
}
FOLDS, REPEATS, SHOTS, SEED = 2, 1, 300, 5
SCALES = [0.0, 0.5, 1.0, 2.0, 4.0]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """36 rows of iris, four columns, two of which are kept."""
    path = tmp_path_factory.mktemp("noise") / "flowers.csv"
    bunch = load_iris()
    rows = np.r_[0:12, 60:72, 110:122]
    lines = [f"{','.join(map(str, bunch.data[row]))},{bunch.target_names[bunch.target[row]]}" for row in rows]
    path.write_text("\n".join(["a,b,c,d,species", *lines]) + "\n")
    return replace(load_table(str(path), "species"), name=str(path))


@pytest.fixture(scope="module")
def out(table: Table) -> Path:
    return Path(table.name).parent / "out"


@pytest.fixture(scope="module")
def result(table: Table, out: Path) -> Result:
    options = {
        "--dataset": table.name,
        "--target": "species",
        "--output": out,
        "--features": 2,
        "--folds": FOLDS,
        "--repeats": REPEATS,
        "--shots": SHOTS,
        "--seed": SEED,
        "--noise": "manila",
        "--jobs": 1,
    }
    return CliRunner().invoke(app, ["demo", *(str(part) for option in options.items() for part in option)])


@pytest.fixture(scope="module")
def record(result: Result, out: Path) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    return json.loads((out / "results.json").read_text())


@pytest.fixture(scope="module")
def page(result: Result, out: Path) -> ElementTree.Element:
    return ElementTree.fromstring((out / "report.html").read_text(encoding="utf-8"))


def models(record: dict[str, object]) -> dict[str, dict[str, object]]:
    return {model["name"]: model for model in record["models"]}


def text(element: ElementTree.Element | None) -> str:
    assert element is not None
    return "".join(element.itertext())


def rows(page: ElementTree.Element, caption: str) -> tuple[list[str], dict[str, list[str]]]:
    """Headings and lines of the table with this caption."""
    [found] = [item for item in page.iter("table") if item.find(f"caption[@id='{caption}']") is not None]
    lines = {
        text(line.find("th")).removesuffix(" best"): [text(cell) for cell in line.findall("td")]
        for line in found.findall("tbody/tr")
    }
    return [text(heading) for heading in found.findall("thead/tr/th")], lines


def points(interval: dict[str, float | None]) -> str:
    if interval["low"] is None:  # JSON has no infinity
        return f"{100 * (interval['difference'] or 0.0) + 0.0:+.1f} [folds alike]"
    low, middle, high = (round(100 * (interval[name] or 0.0), 1) + 0.0 for name in ("low", "difference", "high"))
    return f"{middle:+.1f} [{low:+.1f}, {high:+.1f}]"


def test_it_ends_well_and_fits_a_log(result: Result) -> None:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "Warning" not in result.stdout
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines[:-1]) <= 80
    assert lines[-1].endswith(": report.html, accuracy.png, noise.png, kernels.png, results.json")
    assert "noisy % mitigated %" in " ".join(result.stdout.split())


def test_noise_and_its_source_are_recorded(record: dict[str, object]) -> None:
    profile = NoiseProfile.from_backend(device_model("fake_manila"))
    assert record["noise"] == {
        "device": "fake_manila",
        "source": profile.source,
        "calibrated": profile.calibrated,
        "key": profile.key,
        "mitigation": "DepolarizingMitigation('mean')",
        "repair": "ClipSpectrum()",
    }
    assert record["settings"]["noise"] == "manila"
    assert record["settings"]["device"] == "manila"  # routed on the device of the noise, unless told otherwise
    assert record["seeds"]["shots"] == SEED
    assert [name for name, model in models(record).items() if "noise" in model] == list(MAPS)
    words = shlex.split(record["command"])
    assert words[words.index("--noise") + 1] == "manila"


@pytest.mark.parametrize("name", ["ZZ-linear", "CPMap"])
def test_scores_are_those_of_the_public_pipeline(name: str, record: dict[str, object], table: Table) -> None:
    model = models(record)[name]
    found = model["noise"]
    engine = AerEngine("fake_manila", shots=SHOTS, seed=SEED)
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    mitigations = {"noisy": [ClipSpectrum()], "mitigated": [DepolarizingMitigation("mean"), ClipSpectrum()]}
    for fold, (train, test) in enumerate(folds.split(table.X, table.y)):
        bandwidth, C = (model["chosen"][parameter][fold] for parameter in ("bandwidth", "C"))
        for label, corrections in mitigations.items():
            kernel = FidelityKernel(MAPS[name], engine=engine, bandwidth=bandwidth, corrections=corrections)
            machine = QuantumKernelSVC(kernel, C=C, tol=TOLERANCE)
            pipeline = Pipeline([*preprocessing(2), ("svm", machine)]).fit(table.X[train], table.y[train])
            assert found[label]["scores"][fold] == pipeline.score(table.X[test], table.y[test])


@pytest.mark.parametrize("name", MAPS)
def test_without_noise_and_shots_the_exact_scores_come_back(name: str, record: dict[str, object], table: Table) -> None:
    model = models(record)[name]
    settings = Settings("t", None, Path("out"), 2, FOLDS, REPEATS, 600, SHOTS, "manila", SEED, 1, "manila")
    engine = AerEngine("fake_manila").scaled(0.0)
    for fold, (train, test) in enumerate(outer_folds(table, settings)):
        bandwidth, C = (model["chosen"][parameter][fold] for parameter in ("bandwidth", "C"))
        reading = read_fold(Task(Model(name, None, MAPS[name]), 0.0, train, test, bandwidth, C), engine, table, 2)
        assert reading.noisy == reading.mitigated == model["scores"][fold]
        assert reading.self_value == pytest.approx(1.0, abs=1e-12)


def test_scale_1_is_the_device(record: dict[str, object]) -> None:
    for name in MAPS:
        found = models(record)[name]["noise"]
        assert [scores["scale"] for scores in found["scales"]] == SCALES
        for label in ("noisy", "mitigated"):
            assert found["scales"][2][label] == found[label]["scores"]


def test_other_scales_are_of_the_first_repeat(table: Table) -> None:
    settings = replace(noisy_settings("fake_manila"), repeats=2)
    models = [Model("classical", None), Model("ZZ", None, ZZFeatureMap())]
    setup = set_up_noise(models, 2, len(table.y), settings)
    assert setup is not None
    bandwidths, log = (0.2, 0.4, 0.6, 0.8), StringIO()  # of the four folds
    chosen = {"ZZ": {"bandwidth": bandwidths, "C": (1.0, 10.0, 1.0, 10.0)}}
    found = evaluate_under_noise(setup, models, chosen, table, settings, 2, Console(file=log))
    assert list(found) == ["ZZ"]
    assert log.getvalue().strip() == "ZZ, noisy: 12 evaluations done"
    assert [len(scores.noisy) for scores in found["ZZ"].scales] == [2] * len(SCALES)
    folds = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=SEED).split(table.X, table.y)
    for fold, (train, test) in enumerate(folds):
        for position, scale in enumerate(SCALES if fold < 2 else [1.0]):
            engine = AerEngine("fake_manila", shots=SHOTS, seed=SEED).scaled(scale)
            task = Task(models[1], scale, train, test, bandwidths[fold], chosen["ZZ"]["C"][fold])
            reading = read_fold(task, engine, table, 2)
            if scale == 1.0:
                assert found["ZZ"].noisy.scores[fold] == reading.noisy
            if fold < 2:
                assert found["ZZ"].scales[position].noisy[fold] == reading.noisy


def test_intervals_are_those_of_paired_differences(record: dict[str, object]) -> None:
    for name in MAPS:
        model = models(record)[name]
        found = model["noise"]
        cost = np.subtract(found["noisy"]["scores"], model["scores"])
        back = np.subtract(found["mitigated"]["scores"], found["noisy"]["scores"])
        assert found["noisy_minus_exact"]["difference"] == pytest.approx(cost.mean())
        assert found["mitigated_minus_noisy"]["difference"] == pytest.approx(back.mean())
        assert found["noisy_minus_exact"]["degrees_of_freedom"] == FOLDS * REPEATS - 1
        assert found["noisy"]["test_train_ratio"] == model["test_train_ratio"]


def test_circuits_are_those_of_the_engine(record: dict[str, object]) -> None:
    engine = AerEngine("fake_manila")
    for name, feature_map in MAPS.items():
        circuit = models(record)[name]["noise"]["circuit"]
        found = engine.circuit(OverlapProgram(feature_map.build(2), feature_map.parameter_vector(2)))
        assert circuit["layout"] == list(found.layout)
        assert circuit["active_qubits"] == len(found.active)
        assert circuit["two_qubit_gates"] == found.two_qubit_gates
        assert circuit["fidelity"] == pytest.approx(found.fidelity)
    noise = {name: models(record)[name]["noise"] for name in MAPS}
    assert noise["Separable"]["circuit"]["two_qubit_gates"] == 0
    # One pair, 2 CX per repetition, 2 repetitions, U(x) and U(y) backwards.
    assert noise["ZZ-linear"]["circuit"]["two_qubit_gates"] == 8
    assert 0.5 < noise["ZZ-linear"]["self_value"] < noise["Separable"]["self_value"] < 1.0


def test_page_shows_the_columns_of_noise(page: ElementTree.Element, record: dict[str, object]) -> None:
    headings, lines = rows(page, "comparison")
    assert headings[:4] == ["kernel", "accuracy %", "noisy %", "mitigated %"]
    assert list(lines) == list(models(record))
    for name, model in models(record).items():
        for label, cell in zip(("noisy", "mitigated"), lines[name][1:3], strict=True):
            if name not in MAPS:
                assert cell == "–"
                continue
            scores = 100 * np.array(model["noise"][label]["scores"])
            assert cell == f"{scores.mean():.1f} ± {scores.std(ddof=1):.1f}"


def test_page_shows_the_numbers_of_the_record(page: ElementTree.Element, record: dict[str, object]) -> None:
    _, lines = rows(page, "noise")
    assert list(lines) == list(MAPS)
    reference = record["models"][0]["scores"]
    for name, (cost, back, gain, qubits, gates, fidelity, self_value) in lines.items():
        found = models(record)[name]["noise"]
        assert cost == points(found["noisy_minus_exact"])
        assert back == points(found["mitigated_minus_noisy"])
        difference = 100 * np.subtract(found["mitigated"]["scores"], reference).mean()
        assert float(gain.split()[0]) == pytest.approx(difference, abs=0.0501)
        assert [int(qubits), int(gates)] == [found["circuit"]["active_qubits"], found["circuit"]["two_qubit_gates"]]
        assert float(fidelity) == pytest.approx(found["circuit"]["fidelity"], abs=0.000501)
        assert float(self_value) == pytest.approx(found["self_value"], abs=0.000501)
    headings, lines = rows(page, "noise-scale")
    assert headings == ["kernel", "exact", "0 ×", "0.5 ×", "1 ×", "2 ×", "4 ×"]
    for name in MAPS:
        model = models(record)[name]
        exact, *noisy = lines[f"{name}, noisy"]
        assert float(exact) == pytest.approx(100 * np.mean(model["scores"][:FOLDS]), abs=0.0501)
        for cell, scores in zip(noisy, model["noise"]["scales"], strict=True):
            assert float(cell) == pytest.approx(100 * np.mean(scores["noisy"]), abs=0.0501)


def test_page_and_terminal_say_the_same_about_noise(page: ElementTree.Element, result: Result) -> None:
    terminal = " ".join(result.stdout.split())
    [section] = [part for part in page.iter("section") if text(part.find("h2")) == "Under noise"]
    assert text(section.find("p")) in terminal
    found = {text(pair.find("dt")): text(pair.find("dd")) for pair in section.find("dl").findall("div")}
    assert [name.split(" (")[0] for name in found] == list(MAPS)
    for name, sentence in found.items():
        assert f"{name}: {sentence}" in terminal
    [answer] = [text(p) for p in page.iter("p") if text(p).startswith("Under the noise of fake_manila")]
    assert answer in terminal


def test_page_holds_the_picture(page: ElementTree.Element, out: Path) -> None:
    images = list(page.iter("img"))
    embedded = [base64.b64decode(image.attrib["src"].partition(",")[2]) for image in images]
    assert embedded == [(out / name).read_bytes() for name in ("accuracy.png", "noise.png", "kernels.png")]
    assert len(embedded[1]) > 10_000
    for name in MAPS:
        assert f"{name}, exact " in images[1].attrib["alt"]


def test_page_does_not_say_that_noise_is_left_out(page: ElementTree.Element) -> None:
    words = text(page)
    assert "Nothing here was measured on a device. Noise is a model" in words
    assert "is not estimated" not in words
    assert "no estimate of fidelity" not in words


def refused(*arguments: str) -> str:
    """The one line on standard error."""
    result = CliRunner().invoke(app, ["demo", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    return line


def test_unknown_noise(tmp_path: Path) -> None:
    message = refused(
        "--dataset", "iris", "--noise", "fake_fes", "--device", "fake_manila", "--features", "2", "--output",
        str(tmp_path / "out"),
    )  # fmt: skip
    assert message.startswith("error: --noise: device_model: name must be the name of a device model; got 'fake_fes'.")
    assert "Did you mean 'fake_fez'" in message


def test_too_many_active_qubits(tmp_path: Path) -> None:
    message = refused("--noise", "fake_fez", "--features", "12", "--output", str(tmp_path / "out"))
    assert message == (
        "error: --noise: Separable has 12 active qubits on fake_fez with --features 12, and noise is simulated on at "
        "most 9 here. Use --features 9 or fewer, or leave --noise out."
    )


def noisy_settings(noise: str, jobs: int = 1) -> Settings:
    return Settings("t", None, Path("out"), 6, FOLDS, REPEATS, 600, SHOTS, "fake_fez", SEED, jobs, noise)


def test_device_with_too_few_qubits() -> None:
    with pytest.raises(InvalidParameterError, match=r"--noise: .* the circuit has 6 qubits; backend 'fake_manila' has"):
        set_up_noise(build_models(6, 30, 0), 6, 100, noisy_settings("fake_manila"))


def test_memory_is_shared_by_the_processes() -> None:
    def limit(jobs: int) -> int:
        setup = set_up_noise(build_models(2, 4, 0), 2, 100, noisy_settings("fake_manila", jobs))
        assert setup is not None
        memory_limit = setup.engine.memory_limit
        assert isinstance(memory_limit, int)
        return memory_limit

    assert limit(4) == limit(1) // 4
    # Half the machine's memory in bytes for as many processes: next to nothing is left for each.
    with pytest.raises(
        InvalidParameterError, match=r"--noise: the noisy matrix of Separable takes .* for each process"
    ):
        limit(limit(1))


def test_noise_that_leaves_nothing_to_mitigate(table: Table) -> None:
    # Depolarized so far that a row measured with itself is like random outcomes, 1/4 on two qubits.
    engine = AerEngine("fake_manila", shots=SHOTS, seed=SEED).scaled(300.0)
    train, test = outer_folds(table, noisy_settings("fake_manila"))[0]
    task = Task(Model("ZZ", None, ZZFeatureMap()), 300.0, train, test, 0.5, 1.0)
    reading = read_fold(task, engine, table, 2)
    assert reading.mitigated is None
    assert 0.0 <= reading.noisy <= 1.0
    assert reading.self_value < 0.4


@pytest.mark.parametrize(
    ("options", "features", "device"),
    [
        ([], 8, "fake_fez"),
        (["--noise", "fake_torino"], 6, "fake_torino"),
        (["--noise", "fake_torino", "--features", "7", "--device", "fake_manila"], 7, "fake_manila"),
    ],
    ids=["without noise", "with noise", "given"],
)
def test_defaults(options: list[str], features: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []
    monkeypatch.setattr("qkernels.cli._demo.run_demo", lambda settings, console: seen.append(settings))
    assert CliRunner().invoke(app, ["demo", *options]).exit_code == 0
    assert (seen[0].features, seen[0].device) == (features, device)
