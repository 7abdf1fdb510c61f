"""The published results: every script meets its targets on its small setting, and a miss is seen by whoever runs it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "papers"
SCRIPTS = sorted(path.name for path in FOLDER.glob("[!_]*.py"))
QUICKEST = ("a05", "a13", "a17", "a23")


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # tests run side by side; idle BLAS threads would spin
    return subprocess.run(command, cwd=folder, env=one_thread, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def common() -> ModuleType:
    spec = spec_from_file_location("papers_common", FOLDER / "_common.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_row_has_a_script() -> None:
    expected = "a01 a03 a04 a05 a06 a07 a08 a10 a11 a13 a16 a17 a18 a20 a23 a24"
    assert [name.split("_")[0] for name in SCRIPTS] == expected.split()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name[:3] in QUICKEST else pytest.mark.slow) for name in SCRIPTS]
)
def test_script_meets_its_targets(name: str, tmp_path: Path) -> None:
    done = run(FOLDER / name, "--quick", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    paper, *lines = done.stdout.splitlines()
    assert paper.startswith(f"A{int(name[1:3])}: ")
    assert "et al. 20" in paper or " and " in paper
    whats, numbers = lines[::2], lines[1::2]
    assert len(whats) == len(numbers) > 0
    for line in numbers:
        assert line.startswith("    target ")
        assert ", result " in line
        assert ", tuned RBF " in line
        assert line.endswith((", met: yes", ", met: –"))
    assert any(line.endswith(", met: yes") for line in numbers)
    assert list(tmp_path.iterdir()) == []


# A miss is a failure ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        ({"low": 0.97}, 0.97, True),
        ({"low": 0.97}, 0.969, False),
        ({"low": 0.97, "slack": 0.01}, 0.961, True),
        ({"low": 0.97, "slack": 0.01}, 0.959, False),
        ({"high": 0.80}, 0.81, False),
        ({"high": 0.80, "slack": 0.02}, 0.81, True),
        ({"low": 0.95, "high": 0.97}, 0.98, False),
        ({"low": 0.95, "high": 0.97}, 0.96, True),
        ({"low": 0.95, "high": 0.97}, 0.94, False),
        ({"low": 0.0}, math.nan, False),
        ({}, math.nan, False),
    ],
)
def test_target(common: ModuleType, target: dict[str, float], value: float, met: bool) -> None:
    assert common.Check("share", value, common.Target(**target)).met is met


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({"low": 0.97}, "≥ 97.0%"),
        ({"high": 0.8, "slack": 0.025}, "≤ 80.0% ± 2.5%"),
        ({"low": 0.95, "high": 0.97}, "95.0% to 97.0%"),
        ({"low": 0.91, "high": 0.91, "slack": 0.06}, "91.0% ± 6.0%"),
    ],
)
def test_target_reads(common: ModuleType, target: dict[str, float], text: str) -> None:
    assert common.Target(**target).text(".1%") == text


def test_about_is_two_sided(common: ModuleType) -> None:
    target = common.about(0.5, 0.1)
    assert [target.holds(value) for value in (0.39, 0.41, 0.59, 0.61)] == [False, True, True, False]


def test_slack_is_two_binomial_standard_errors(common: ModuleType) -> None:
    assert common.binomial_slack(0.8, 400) == pytest.approx(2 * 0.02)


@pytest.mark.parametrize(
    ("results", "status"),
    [([0.99], 0), ([0.99, 0.5], 1), ([0.5], 1), ([math.nan], 1), ([], 1)],
    ids=["met", "one of two missed", "missed", "nan", "nothing checked"],
)
def test_status_says_whether_all_were_met(
    common: ModuleType,
    results: list[float],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["script.py", "--quick"])

    def checks(quick: bool) -> list[object]:
        assert quick
        return [common.Check("share", value, common.Target(low=0.9), rbf=0.42) for value in results]

    with pytest.raises(SystemExit) as stopped:
        common.main(common.Paper("A0", "Nobody 1999", arxiv="9901.00001"), checks, "A share.")
    assert stopped.value.code == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A0: Nobody 1999, arXiv:9901.00001"
    assert len(lines) == 1 + 2 * len(results)
    assert all("target ≥ 90.0%" in line and "tuned RBF 42.0%" in line for line in lines[2::2])


def test_numbers_without_target_do_not_count(common: ModuleType) -> None:
    informs = common.Check("forest", 0.45, None, form=".3f")
    assert informs.cells() == ("forest", "–", "0.450", "–", "–")
    assert not common.all_met([informs])
    assert common.all_met([informs, common.Check("share", 1.0, common.Target(low=0.9))])


# The table --------------------------------------------------------------------------------------------------------

FAKE = """
from _common import Check, Paper, Target, main
PAPER = Paper("{id}", "Nobody 1999", own_numbers={own})
def run(quick):
    return [Check("share of {id}", {result} if quick else 0.0, Target(low=0.9), rbf=0.42)]
if __name__ == "__main__":
    main(PAPER, run, None)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder with one script, which meets its target on the small setting only."""
    for name in ("__main__.py", "_common.py"):
        (tmp_path / name).write_text((FOLDER / name).read_text())
    (tmp_path / "a98_met.py").write_text(FAKE.format(id="A98", result=0.95, own=True))
    return tmp_path


@pytest.mark.slow
def test_table_has_every_script_of_the_folder() -> None:
    shown = " ".join(run(FOLDER, "--help", folder=FOLDER).stdout.split())
    assert f"any of {', '.join(name.removesuffix('.py') for name in SCRIPTS)};" in shown


@pytest.mark.slow
def test_table_of_one_real_script(tmp_path: Path) -> None:
    done = run(FOLDER, "--quick", "a11_concentration", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == 14
    assert "A11" in rows[0]
    assert "Thanasilp et al. 2024, arXiv:2208.11060" in rows[0]
    assert max(map(len, done.stdout.splitlines())) <= 180


def test_table_fails_when_one_script_misses(copy: Path, tmp_path: Path) -> None:
    assert run(copy, "--quick", folder=tmp_path).returncode == 0
    (copy / "a99_missed.py").write_text(FAKE.format(id="A99", result=0.85, own=True))
    done = run(copy, "--quick", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in done.stdout.splitlines() if "share" in line
    ]
    assert rows == [
        ["A98", "Nobody 1999", "share of A98", "≥ 90.0%", "95.0%", "42.0%", "yes"],
        ["A99", "Nobody 1999", "share of A99", "≥ 90.0%", "85.0%", "42.0%", "NO"],
    ]


@pytest.mark.slow
def test_targets_that_are_not_the_papers_are_marked(copy: Path, tmp_path: Path) -> None:
    note = "not the paper's own numbers"
    assert note not in run(copy, "--quick", folder=tmp_path).stdout
    assert note not in run(copy / "a98_met.py", "--quick", folder=tmp_path).stdout
    (copy / "a99_elsewhere.py").write_text(FAKE.format(id="A99", result=0.95, own=False))
    last = run(copy, "--quick", folder=tmp_path).stdout.splitlines()[-1]
    assert last.startswith("A99: ")
    assert note in last
    assert note in run(copy / "a99_elsewhere.py", "--quick", folder=tmp_path).stdout.splitlines()[0]


def test_no_name_is_cut_off_in_a_narrow_terminal(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    from rich.console import Console

    monkeypatch.syspath_prepend(str(copy))
    spec = spec_from_file_location("papers_main", copy / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.delitem(sys.modules, "_common", raising=False)
    spec.loader.exec_module(module)
    paper = module.Paper("A97", "Somebodywithaverylongname et al. 1999", arxiv="9901.00001")
    written = StringIO()
    module.print_table(
        {paper: [module.Check("share of rows that are right", 0.95, None, 0.4)]}, Console(file=written, width=60)
    )
    assert "…" not in written.getvalue()
    sys.modules.pop("_common", None)


@pytest.mark.slow
def test_full_setting_is_the_default(copy: Path, tmp_path: Path) -> None:
    assert run(copy, folder=tmp_path).returncode == 1
    assert run(copy / "a98_met.py", folder=tmp_path).returncode == 1
    assert run(copy / "a98_met.py", "--quick", folder=tmp_path).returncode == 0


def test_unknown_script_is_refused(copy: Path, tmp_path: Path) -> None:
    done = run(copy, "a97", folder=tmp_path)
    assert done.returncode == 2
    assert "unknown script 'a97'; choose from a98_met" in done.stderr
