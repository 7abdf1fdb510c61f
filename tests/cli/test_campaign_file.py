"""Campaign files: what is read, and every way to get one wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.cli._campaign import Campaign, read_campaign
from qkernels.cli._campaign_parts import build_engine, build_kernel, build_map, load_rows
from qkernels.cli._rehearsal import Rehearsal
from qkernels.feature_maps import CPMap, ZZFeatureMap
from qkernels.kernels import ClipSpectrum, DepolarizingMitigation, FidelityKernel, HammingKernel, ReadoutMitigation

SMALL = """
[data]
dataset = "iris"
rows = 12

[backend]
name = "fake_manila"
"""


def write(folder: Path, text: str = SMALL) -> Path:
    path = folder / "small.toml"
    path.write_text(text)
    return path


def read(folder: Path, text: str = SMALL) -> Campaign:
    return read_campaign(write(folder, text))


def test_little_has_to_be_said(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.name == "small"
    assert found.ledger == tmp_path / "small.sqlite"
    assert found.kernel.corrections is None
    assert isinstance(build_map(found), ZZFeatureMap)
    kernel = build_kernel(found, Rehearsal())
    assert isinstance(kernel, FidelityKernel)
    assert kernel.corrections is None
    assert build_engine(found).ledger_path == found.ledger


def test_simulators_draw_the_same_in_every_command(tmp_path: Path) -> None:
    # The seed is part of a simulated result: a random one would make each command start anew.
    assert build_engine(read(tmp_path)).seed == build_engine(read(tmp_path)).seed == 0


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = (
        SMALL
        + """
shots = 64
mode = "job"
layout = [1, 2]
tiles = 1
fractional = false
barrier = true
optimization_level = 2
block_executions = 1000
seed = 5
instance = "somewhere"

[map]
name = "CPMap"
ring = false

[kernel]
name = "hamming"
bandwidth = 0.25
weighting = "linear"
corrections = ["DepolarizingMitigation", {name = "clip_spectrum", rtol = 1e-8}]

[options.twirling]
enable_gates = true

[budget]
qpu_seconds = 12.5
jobs = 3

[ledger]
path = "deep/l.sqlite"
"""
    )
    found = read(tmp_path, text)
    kernel = build_kernel(found, Rehearsal())
    assert isinstance(kernel, HammingKernel)
    assert (kernel.weighting, kernel.bandwidth) == ("linear", 0.25)
    assert isinstance(kernel.feature_map, CPMap)
    assert not kernel.feature_map.ring
    first, second = kernel.corrections or []
    assert isinstance(first, DepolarizingMitigation)
    assert isinstance(second, ClipSpectrum)
    assert second.rtol == 1e-8
    engine = build_engine(found)
    assert (engine.shots, engine.seed, engine.budget.qpu_seconds, engine.budget.jobs) == (64, 5, 12.5, 3)
    assert engine.ledger_path == tmp_path / "deep" / "l.sqlite"


@pytest.mark.parametrize("name", ["zz", "ZZ", "ZZFeatureMap"])
def test_maps_have_more_than_one_name(tmp_path: Path, name: str) -> None:
    assert isinstance(build_map(read(tmp_path, f'{SMALL}\n[map]\nname = "{name}"')), ZZFeatureMap)


BAD = {
    "no TOML": ("[data\n", "small.toml is no TOML file: .*line 1"),
    "unknown table": (SMALL + "[kernle]\n", r"no table 'kernle'. Did you mean 'kernel'\? Allowed: .*budget"),
    "no table": ("data = 3\n", r"small.toml: data must be a table, \[data\] on a line of its own; got 3"),
    "unknown key": (
        SMALL + "shotss = 3\n",
        r"\[backend\] has no key 'shotss'. Did you mean 'shots'\? Allowed: ",
    ),
    "wrong type": (SMALL + "shots = 'many'\n", r"\[backend\] shots must be an integer >= 1; got 'many'"),
    "truth is no number": (SMALL + "shots = true\n", r"\[backend\] shots must be an integer >= 1; got True"),
    "out of range": (SMALL + "tiles = 0\n", r"\[backend\] tiles must be an integer >= 1; got 0"),
    "flag": (SMALL + "barrier = 1\n", r"\[backend\] barrier must be true or false; got 1"),
    "refresh": (SMALL + "layout = 'refresh'\n", r"\[backend\] layout must be 'auto' or a list .*measure anew"),
    "mode": (SMALL + "mode = 'fast'\n", r"\[backend\] mode must be 'batch', 'job' or 'session'; got 'fast'"),
    "no backend": ("[data]\ndataset = 'iris'\n", r"\[backend\] must hold name"),
    "no data": ("[backend]\nname = 'fake_manila'\n", r"\[data\] must hold either dataset .* got neither"),
    "both": ("[data]\ndataset = 'iris'\ncsv = 'a.csv'\n", r"\[data\] must hold either dataset .* got both"),
    "data set": ("[data]\ndataset = 'irises'\n", r"\[data\] dataset must be .*'iris'.*; got 'irises'"),
    "no target": ("[data]\ncsv = 'a.csv'\n", r"\[data\] target must be given with csv.*got csv without it"),
    "target": ("[data]\ndataset = 'iris'\ntarget = 'x'\n", r"\[data\] target .* brings its own"),
    "components of rows as they are": (
        SMALL.replace("rows = 12", "features = 2\nscale = false"),
        r"\[data\] features must be left out with scale = false, .*; got 2",
    ),
    "scale": (SMALL.replace("rows = 12", "scale = 'no'"), r"\[data\] scale must be true or false; got 'no'"),
    "share": ("[data]\ndataset = 'iris'\ntest_share = 1.0\n", r"test_share must be a number >= 0 and < 1; got 1.0"),
    "bandwidth": (
        SMALL + "[kernel]\nbandwidth = -1\n",
        r"bandwidth must be 'scale' or a number > 0; got -1",
    ),
    "corrections": (SMALL + "[kernel]\ncorrections = 'x'\n", r"\[kernel\] corrections must be a list .*; got 'x'"),
    "correction": (SMALL + "[kernel]\ncorrections = [{rtol = 1}]\n", r"corrections\[0\] name must be text"),
    "budget": (SMALL + "[budget]\nqpu_seconds = 0\n", r"\[budget\] qpu_seconds must be a number > 0; got 0"),
    "infinite budget": (SMALL + "[budget]\nqpu_seconds = inf\n", r"qpu_seconds must be a number > 0; got inf"),
    "ledger": (SMALL + "[ledger]\npath = ''\n", r"\[ledger\] path must be text that is not empty; got ''"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_named(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(InvalidParameterError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"gone\.toml cannot be read: No such file"):
        read_campaign(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[backend]\ntoken = 'obviously-fake'\n", r"\[backend\] must not hold 'token'"),
        ("[account]\nAPI_KEY = 'obviously-fake'\n", r"\[account\] must not hold 'API_KEY'"),
        ("[options.environment]\nibm_password = 'obviously-fake'\n", r"\[options\] environment must not hold"),
    ],
    ids=["token", "key in an unknown table", "deep"],
)
def test_secrets_are_refused_and_not_repeated(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(InvalidParameterError, match=place + r".*save_account") as caught:
        read(tmp_path, text)
    assert "obviously-fake" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[map]\nname = 'zzz'\n", r"\[map\] name must be a name that is known; got 'zzz'. Did you mean 'zz'\?"),
        ("[map]\nname = 'zz'\nrep = 2\n", r"\[map\] has no key 'rep'. Did you mean 'reps'\?"),
        ("[kernel]\nname = 'fidelty'\n", r"\[kernel\] name must be .* got 'fidelty'. Did you mean 'fidelity' or"),
        ("[kernel]\ngamma = 1\n", r"\[kernel\] has no key 'gamma'. .*Allowed: bandwidth, orientation"),
        ("[kernel]\ncorrections = ['clip']\n", r"corrections\[0\] name must be .* got 'clip'.*clip_spectrum"),
        ("[kernel]\ncorrections = [{name = 'unit_diagonal', x = 1}]\n", r"corrections\[0\] has no key 'x'"),
    ],
    ids=["map", "map option", "kernel", "kernel option", "correction", "correction option"],
)
def test_names_of_parts(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        build_kernel(read(tmp_path, SMALL + table), Rehearsal())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("optimization_level = 9\n", "small.toml: optimization_level of RuntimeEngine must be 2 or 3, got 9"),
        ("[options]\ntwirl = 1\n", "small.toml: options of RuntimeEngine .* got 'twirl'"),
    ],
    ids=["level", "option"],
)
def test_what_the_engine_refuses_names_the_file(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        build_engine(read(tmp_path, SMALL + table))


def test_corrections_by_name(tmp_path: Path) -> None:
    kernel = build_kernel(read(tmp_path, SMALL + "[kernel]\ncorrections = ['readout_mitigation']\n"), Rehearsal())
    (only,) = kernel.corrections or []
    assert isinstance(only, ReadoutMitigation)


def test_rows_are_scaled_by_the_training_part(tmp_path: Path) -> None:
    split = load_rows(read(tmp_path, SMALL.replace("rows = 12", "rows = 30\nfeatures = 2\ntest_share = 0.2")).data)
    assert split.X_train.shape == (24, 2)
    assert split.X_test.shape == (6, 2)
    assert abs(split.X_train.mean(axis=0)).max() < 1e-12
    assert (split.X_train**2).sum(axis=1).mean() == pytest.approx(1.0)
    assert sorted(split.y_test) == sorted(["setosa", "versicolor", "virginica"] * 2)


def test_rows_as_they_are(tmp_path: Path) -> None:
    split = load_rows(read(tmp_path, SMALL.replace("rows = 12", "scale = false")).data)
    table = load_iris().data
    rows = np.vstack([split.X_train, split.X_test])
    assert sorted(rows.tolist()) == sorted(table.tolist())


def test_a_file_of_rows_may_be_gone_until_they_are_loaded(tmp_path: Path) -> None:
    text = "[data]\ncsv = 'a.csv'\ntarget = 'x'\n[backend]\nname = 'fake_manila'\n"
    found = read(tmp_path, text)
    with pytest.raises(InvalidParameterError, match=r"\[data\] csv must be a file, .*a.csv"):
        load_rows(found.data)


def test_no_test_block(tmp_path: Path) -> None:
    split = load_rows(read(tmp_path, SMALL.replace("rows = 12", "rows = 12\ntest_share = 0")).data)
    assert split.X_train.shape == (12, 4)
    assert split.X_test.shape == (0, 4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("features = 5\n", r"\[data\] features must be at most 4, .* got 5"),
        ("test_share = 0.01\n", r"\[data\] test_share must leave a row of each of the 3 classes .* got 0.01"),
    ],
    ids=["features", "share"],
)
def test_rows_that_do_not_suffice(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        load_rows(read(tmp_path, SMALL.replace("rows = 12\n", "rows = 12\n" + keys)).data)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    lines = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(20)]
    (tmp_path / "own.csv").write_text("\n".join(["x,y,kind", *lines]) + "\n")
    text = "[data]\ncsv = 'own.csv'\ntarget = 'kind'\n[backend]\nname = 'fake_manila'\n"
    split = load_rows(read(tmp_path, text).data)
    assert split.name == "own.csv"
    assert split.X_train.shape == (14, 2)
    with pytest.raises(InvalidParameterError, match=r"no column 'kin' \(\[data\] target\)"):
        load_rows(read(tmp_path, text.replace("'kind'", "'kin'")).data)


def test_the_example_is_a_campaign() -> None:
    found = read_campaign(Path(__file__).parents[2] / "examples" / "campaign.toml")
    assert found.backend["name"] == "fake_fez"
    assert load_rows(found.data).X_train.shape == (28, 4)
    assert len(build_kernel(found, Rehearsal()).corrections or []) == 3
    assert build_engine(found).budget.qpu_seconds == 240
