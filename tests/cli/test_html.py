"""report.html of a table whose names are written to break it: whole, alone, true to results.json, and safe."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from qkernels import __version__
from qkernels.cli import app
from qkernels.feature_maps import CPMap, SeparableMap, ZZFeatureMap
from qkernels.programs import OverlapProgram

pytestmark = pytest.mark.slow  # the page is made three times

NAME = "<script>alert('d')&\"$\\foo$\".csv"
TARGET = '</title><script>alert("t")</script>'
CLASSES = ('</style><script>alert("c")</script>', "a $\\foo$ \"quoted\" 'b' &amp; c", "ünï\x07")
MAPS = {
    "Separable": SeparableMap(),
    "ZZ-linear": ZZFeatureMap(),
    "ZZ-full": ZZFeatureMap(entanglement="full"),
    "CPMap": CPMap(),
}
ROWS = 36


@dataclass(frozen=True)
class Run:
    """Files of a run, read before the next one overwrites them."""

    source: str
    page: ElementTree.Element
    record: dict[str, object]
    pictures: dict[str, bytes]
    stdout: str


def demo(arguments: list[str], folder: Path) -> Run:
    result = CliRunner().invoke(app, ["demo", *arguments])
    assert result.exit_code == 0, result.output
    source = (folder / "report.html").read_text(encoding="utf-8")
    pictures = {path.name: path.read_bytes() for path in folder.glob("*.png")}
    record = json.loads((folder / "results.json").read_text())
    return Run(source, ElementTree.fromstring(source), record, pictures, result.stdout)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three columns; the first tells the classes apart, with overlaps."""
    path = tmp_path_factory.mktemp("hostile") / NAME
    noise = np.random.default_rng(0).normal(size=(ROWS, 3)).round(3)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(['height "in" <b>cm</b>', "w&h", "<i>", TARGET])
        writer.writerows([*(noise[i] + [i % 3, 0.0, 0.0]), CLASSES[i % 3]] for i in range(ROWS))
    return path


@pytest.fixture(scope="module")
def run(table: Path) -> Run:
    options = ["--dataset", str(table), "--target", TARGET, "--output", str(table.parent / "out")]
    return demo([*options, "--folds", "2", "--repeats", "1", "--jobs", "1", "--features", "2"], table.parent / "out")


@pytest.fixture(scope="module")
def again(run: Run, table: Path) -> Run:
    """The run repeated by the command that the record gives."""
    program, subcommand, *arguments = shlex.split(str(run.record["command"]))
    assert (program, subcommand) == ("qkernels", "demo")
    return demo(arguments, table.parent / "out")


def text(element: ElementTree.Element | None) -> str:
    assert element is not None
    return "".join(element.itertext())


def rows(run: Run, caption: str) -> dict[str, list[str]]:
    """Cells of the table with this caption, by the heading of the line."""
    [found] = [table for table in run.page.iter("table") if table.find(f"caption[@id='{caption}']") is not None]
    lines = found.findall("tbody/tr")
    return {text(line.find("th")).removesuffix(" best"): [text(cell) for cell in line.findall("td")] for line in lines}


def numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"[-+]?\d[\d,]*\.?\d*", cell.replace(",", ""))]


def definitions(run: Run, heading: str) -> dict[str, ElementTree.Element]:
    """Terms of the section with this heading."""
    [section] = [part for part in run.page.iter("section") if text(part.find("h2")) == heading]
    found = {}
    for pair in section.findall("dl/div"):
        meaning = pair.find("dd")
        assert meaning is not None
        found[text(pair.find("dt"))] = meaning
    return found


class Structure(HTMLParser):
    """What a browser makes of the page: start tags in order, and that each is closed by its own end tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"br", "img", "meta"}
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_and_xml_parsers_agree(run: Run) -> None:
    assert run.source.startswith("<!DOCTYPE html>\n<html lang=")
    structure = Structure()
    structure.feed(run.source)
    structure.close()
    assert structure.open == []
    assert structure.tags == [element.tag for element in run.page.iter()]


def test_nothing_is_loaded_and_nothing_runs(run: Run) -> None:
    allowed = {"img": {"src", "alt"}, "a": {"href"}}
    for element in run.page.iter():
        assert element.tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "svg", "video"}
        assert not [name for name in element.attrib if name.startswith("on") or name in {"style", "srcset"}]
        assert {"src", "href"} & element.attrib.keys() <= allowed.get(element.tag, set())
    assert all(image.attrib["src"].startswith("data:image/png;base64,") for image in run.page.iter("img"))
    assert all(re.match(r"https://(doi|arxiv)\.org/", link.attrib["href"]) for link in run.page.iter("a"))
    [style] = run.page.iter("style")
    assert not re.search(r"url\(|@import|://", text(style))
    [policy] = [m for m in run.page.iter("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy.attrib["content"]


def test_pictures_are_those_of_the_folder(run: Run) -> None:
    embedded = [base64.b64decode(image.attrib["src"].partition(",")[2]) for image in run.page.iter("img")]
    assert embedded == [run.pictures["accuracy.png"], run.pictures["kernels.png"]]
    for figure in run.page.iter("figure"):
        image = figure.find(".//img")
        assert image is not None
        assert len(image.attrib["alt"]) > 40
        assert text(figure.find("figcaption"))


def test_alt_text_gives_the_top_of_each_curve(run: Run) -> None:
    alt = next(run.page.iter("img")).attrib["alt"]
    for name in MAPS:
        assert re.search(rf"{name} \d+\.\d % at [\d.]+[;.]", alt)
    assert "largest class 33.3 %" in alt


def test_outline_and_tables_can_be_read_aloud(run: Run) -> None:
    assert run.page.attrib["lang"] == "en"
    assert [m.attrib["content"] for m in run.page.iter("meta") if m.get("name") == "viewport"]
    levels = [int(element.tag[1]) for element in run.page.iter() if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    for heading in run.page.iter("th"):
        assert heading.attrib["scope"] in {"col", "row"}
        assert text(heading)
    names = [element.attrib["id"] for element in run.page.iter() if "id" in element.attrib]
    assert len(set(names)) == len(names)
    for element in run.page.iter():
        assert element.get("aria-labelledby", names[0]) in names
        if "tabindex" in element.attrib:
            assert element.get("aria-label") or element.get("aria-labelledby")


def test_verdict_comes_first_and_is_that_of_the_terminal(run: Run) -> None:
    first, second = run.page.findall("body/main/*")[:2]
    assert first.tag == "h1"
    assert second.attrib["class"] == "verdict"
    terminal = " ".join(run.stdout.split())
    assert f"Overall: {uncapital(text(second))}" in terminal


def test_verdicts_are_those_of_terminal_and_record(run: Run) -> None:
    terminal = " ".join(run.stdout.split())
    shown = {name: text(meaning) for name, meaning in definitions(run, "Verdict").items()}
    assert [name.split(" (")[0] for name in shown] == list(MAPS)
    for name, sentence in shown.items():
        assert f"{name}: {uncapital(sentence).removesuffix('.')}" in terminal
        [verdict] = [model["verdict"] for model in run.record["models"] if model["name"] == name.split(" (")[0]]
        assert sentence.startswith("Not worth QPU time" if verdict["ruled_out"] else "Not ruled out")
        assert all(reason in sentence for reason in verdict["reasons"])


def uncapital(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def test_comparison_shows_the_numbers_of_the_record(run: Run) -> None:
    shown = rows(run, "comparison")
    assert list(shown) == [model["name"] for model in run.record["models"]]
    for model in run.record["models"]:
        accuracy, gain, qubits, gates, two_qubit_depth, depth, seconds = shown[model["name"]]
        assert numbers(accuracy) == pytest.approx([100 * model["mean"], 100 * model["std"]], abs=0.0501)
        assert numbers(seconds) == pytest.approx([model["seconds"]], abs=0.0501)
        if model["verdict"] is None:
            assert {gain, qubits, gates, two_qubit_depth, depth} == {"–"}
            continue
        interval, cost = model["verdict"]["interval"], model["resources"]
        ends = [100 * interval[name] for name in ("difference", "low", "high")]
        assert numbers(gain) == pytest.approx(ends, abs=0.0501)
        assert [int(qubits), int(gates)] == [cost["num_qubits"], cost["routed_two_qubit_gates"]]
        assert [int(two_qubit_depth), int(depth)] == [cost["routed_two_qubit_depth"], cost["routed_depth"]]


def test_best_line_is_marked_in_words(run: Run) -> None:
    best = max(model["mean"] for model in run.record["models"])
    want = [model["name"] for model in run.record["models"] if model["mean"] == pytest.approx(best, abs=1e-12)]
    lines = [line for line in run.page.iter("tr") if "class" in line.attrib]
    assert [text(line.find("th")) for line in lines] == [f"{name} best" for name in want]


def test_evidence_shows_the_numbers_of_the_record(run: Run) -> None:
    shown = rows(run, "evidence")
    assert list(shown) == list(MAPS)
    for model in run.record["models"]:
        if model["verdict"] is None:
            continue
        spread, rbf = model["verdict"]["off_diagonals"], model["verdict"]["rbf"]
        _, std, noise, needed, likeness = shown[model["name"]]
        assert numbers(std) == pytest.approx([spread["std"]], rel=0.051)
        assert numbers(noise) == pytest.approx([2 * spread["shot_sigma"]], rel=0.051)
        assert numbers(needed) == pytest.approx([spread["shots_needed"]], abs=0.501)
        assert 0.0 <= rbf["correlation"] - float(likeness) < 0.001  # rounded down


def test_device_cost(run: Run) -> None:
    entries = ROWS * (ROWS - 1) // 2
    want = [[entries, 4096, entries * 4096], [ROWS, 4096, ROWS * 4096], [ROWS, 4096, ROWS * 4096]]
    assert [[int(cell.replace(",", "")) for cell in cells] for cells in rows(run, "cost").values()] == want
    together = f"matrix of these {ROWS} rows and its diagonal is {entries + ROWS} circuits x 4,096 shots: about"
    assert together in text(run.page)
    assert " of QPU time on fake_fez with " in text(run.page)


@pytest.mark.parametrize("written", [NAME, TARGET, *CLASSES[:2]], ids=["file", "target", "class 1", "class 2"])
def test_what_users_wrote_is_text(written: str, run: Run) -> None:
    assert written in text(run.page)
    assert written not in run.source
    assert "<script" not in run.source.lower()


def test_control_characters_are_replaced(run: Run) -> None:
    assert "ünï\ufffd (12)" in text(run.page)
    assert "\x07" not in run.source
    assert "ünï\x07" in run.record["data"]["rows_per_class"]


def test_provenance(run: Run) -> None:
    shown = {term: text(meaning) for term, meaning in definitions(run, "Provenance").items()}
    command = shown["Command that repeats the run"]
    assert shlex.split(command.replace("\\\n", "")) == shlex.split(run.record["command"])
    assert run.record["started"].endswith("+00:00")
    [moment] = run.page.iter("time")
    assert moment.attrib["datetime"] == run.record["started"]
    assert text(moment) == f"{run.record['started'][:10]} {run.record['started'][11:19]} UTC"
    assert run.record["versions"]["qkernels"] == __version__
    parts = (("Versions", "versions"), ("Settings", "settings"), ("Seeds", "seeds"), ("Machine", "machine"))
    for term, part in parts:
        assert run.record[part]
        for name, value in run.record[part].items():
            assert f"{name.replace('_', ' ')} {value}" in shown[term]
    assert "gamma 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3" in shown["Search"]


def test_data_hash_is_that_of_numbers_and_labels(run: Run, table: Path) -> None:
    with table.open(newline="", encoding="utf-8") as lines:
        _, *content = csv.reader(lines)
    values = np.array([[float(cell) for cell in row[:-1]] for row in content])
    want = hashlib.sha256(values.tobytes() + "\n".join(row[-1] for row in content).encode()).hexdigest()
    assert run.record["data"]["sha256"] == want
    assert text(run.page.find(".//code[@id='data-hash']")) == want


def test_program_keys_in_record_and_page(run: Run) -> None:
    recorded = {model["name"]: model["program_key"] for model in run.record["models"]}
    assert [name for name, key in recorded.items() if key is not None] == list(MAPS)
    shown = definitions(run, "Provenance")
    for name, feature_map in MAPS.items():
        key = OverlapProgram(feature_map.build(2), feature_map.parameter_vector(2)).key
        assert recorded[name] == key
        assert [text(code) for code in shown[name].iter("code")] == [repr(feature_map), key]


def test_files_are_named_at_the_end(run: Run) -> None:
    last = run.stdout.splitlines()[-1]
    assert last.endswith(": report.html, accuracy.png, kernels.png, results.json")


def test_repeating_the_command_changes_date_and_times_only(run: Run, again: Run) -> None:
    def timeless(run: Run) -> tuple[str, dict[str, object], dict[str, bytes]]:
        seconds = [rf"<td>{model['seconds']:.1f}</td></tr>" for model in run.record["models"]]
        source = re.sub("|".join(map(re.escape, seconds)), "<td>T</td></tr>", run.source)
        source = re.sub(r"<time.*?</time>; took \d+ s", "", source)
        models = [{**model, "seconds": 0.0} for model in run.record["models"]]
        return source, {**run.record, "started": "", "seconds": 0.0, "models": models}, run.pictures

    assert timeless(run) == timeless(again)
