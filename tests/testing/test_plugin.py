"""The pytest plugin as a user's project meets it: light until used, references beside tests, updates on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import qkernels.estimators  # pytester forgets modules that are imported during a run; compiled ones load only once
import qkernels.testing._check_engine
import qkernels.testing._regression  # noqa: F401

pytest_plugins = ["pytester"]

OPTION = "--update-kernel-references"

TEST = """
import numpy as np
import pytest
from qkernels import FidelityKernel, StatevectorEngine

X = np.linspace(0.0, 1.0, 12).reshape(4, 3)

@pytest.mark.parametrize("shots", [None, 100])
def test_gram(kernel_regression, shots):
    engine = StatevectorEngine(shots=shots, seed=1)
    kernel_regression.check(FidelityKernel(engine=engine, bandwidth={bandwidth}), X)

class TestMore:
    def test_two(self, kernel_regression):
        kernel_regression(FidelityKernel(), X)
        kernel_regression(FidelityKernel(), X[:2], name="small")
"""

FILES = [
    "test_noise__TestMore__test_two.json",
    "test_noise__TestMore__test_two@small.json",
    "test_noise__test_gram[100].json",
    "test_noise__test_gram[None].json",
]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]")
    folder = pytester.mkdir("tests")
    (folder / "test_noise.py").write_text(TEST.format(bandwidth=0.5))
    return pytester


def files(project: pytest.Pytester) -> list[str]:
    return sorted(path.name for path in (project.path / "tests" / "kernel_references").iterdir())


def test_the_plugin_is_registered() -> None:
    [found] = [entry for entry in entry_points(group="pytest11") if entry.name == "qkernels"]
    assert found.value == "qkernels.testing._plugin"


def test_references_are_written_compared_and_updated(project: pytest.Pytester) -> None:
    missing = project.runpytest_inprocess()
    missing.assert_outcomes(failed=3)
    missing.stdout.fnmatch_lines(
        [
            "E*There is no kernel reference tests/kernel_references/test_noise__test_gram[[]None[]].json yet.*",
            f'E*pytest "tests/test_noise.py::test_gram[[]None[]]" {OPTION}',
        ]
    )
    missing.stdout.no_fnmatch_line("*_regression.py*")  # the failure points at the test, not into the library

    written = project.runpytest_inprocess(OPTION)
    written.assert_outcomes(passed=3)
    written.stdout.fnmatch_lines(
        ["*kernel references*", *(f"wrote kernel_references/{name}".replace("[", "[[]") for name in FILES)]
    )
    assert files(project) == FILES

    project.runpytest_inprocess().assert_outcomes(passed=3)
    again = project.runpytest_inprocess(OPTION)
    again.assert_outcomes(passed=3)
    again.stdout.no_fnmatch_line("wrote*")

    (project.path / "tests" / "test_noise.py").write_text(TEST.format(bandwidth=0.6))
    changed = project.runpytest_inprocess()
    changed.assert_outcomes(passed=1, failed=2)
    changed.stdout.fnmatch_lines(
        [
            "E*differs from its reference tests/kernel_references/test_noise__test_gram[[]None[]].json*",
            "E*Changed since then: kernel, scaling.",
            "E*kernel: bandwidth: 0.5 → 0.6",
            "E*of 16 exact entries by more than atol=1e-09.",
            f'E*pytest "tests/test_noise.py::test_gram[[]None[]]" {OPTION}',
        ]
    )
    accepted = project.runpytest_inprocess(OPTION, "-k", "100")
    accepted.stdout.fnmatch_lines(["wrote kernel_references/test_noise__test_gram[[]100[]].json"])
    project.runpytest_inprocess().assert_outcomes(passed=2, failed=1)


def test_references_are_found_from_any_folder(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project.runpytest_inprocess(OPTION).assert_outcomes(passed=3)
    monkeypatch.chdir(project.path / "tests")
    project.runpytest_inprocess("test_noise.py").assert_outcomes(passed=3)
    (project.path / "tests" / "test_noise.py").write_text(TEST.format(bandwidth=0.6))
    changed = project.runpytest_inprocess("test_noise.py", "-k", "None")
    changed.stdout.fnmatch_lines([f'E*pytest "test_noise.py::test_gram[[]None[]]" {OPTION}'])


def test_damaged_references_say_so(project: pytest.Pytester) -> None:
    project.runpytest_inprocess(OPTION)
    path = project.path / "tests" / "kernel_references" / FILES[0]
    path.write_text(path.read_text().replace('"stored": "', '"stored": "x'))
    found = project.runpytest_inprocess("-k", "test_two")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["E*InvalidDataError: *was changed after it was written: its content does not have*"])


@pytest.mark.slow
def test_workers_write_side_by_side(project: pytest.Pytester) -> None:
    (project.path / "tests" / "test_noise.py").write_text(
        """
import numpy as np
import pytest
from qkernels import FidelityKernel

@pytest.mark.parametrize("k", range(6))
def test_gram(kernel_regression, k):
    kernel_regression.check(FidelityKernel(bandwidth=0.1 * (k + 1)), np.linspace(0.0, 1.0, 8).reshape(4, 2))
"""
    )
    written = project.runpytest_subprocess(OPTION, "-n", "2", "-p", "xdist")
    written.assert_outcomes(passed=6)
    names = [f"test_noise__test_gram[{k}].json" for k in range(6)]
    assert files(project) == names
    written.stdout.fnmatch_lines([f"wrote kernel_references/test_noise__test_gram[[]{k}[]].json" for k in range(6)])


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("plain-1.5", "test_names__test_a[plain-1.5].json"),
        ("a/b:c*d", "test_names__test_a[a_b_c_d]~"),
        ("x" * 300, "test_names__test_a[" + "x" * 101 + "~"),
        ("é", "test_names__test_a["),
    ],
    ids=["plain", "separators", "long", "letters"],
)
def test_names_of_files_suit_every_file_system(parameter: str, name: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_names=f"""
        import pytest
        from qkernels import FidelityKernel

        @pytest.mark.parametrize("p", ["a"], ids=[{parameter!r}])
        def test_a(kernel_regression, p):
            kernel_regression.check(FidelityKernel(bandwidth=1.0), [[0.1], [0.5]])
        """
    )
    pytester.runpytest_inprocess(OPTION).assert_outcomes(passed=1)
    [found] = (pytester.path / "kernel_references").iterdir()
    assert found.name.startswith(name)
    assert len(found.name.encode()) < 200
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_different_tests_have_different_files(pytester: pytest.Pytester) -> None:
    """The words of these names are the same once they are joined."""
    test = """
        import pytest
        from qkernels import FidelityKernel

        def test_two(kernel_regression):
            kernel_regression.check(FidelityKernel(bandwidth=0.1), [[0.1], [0.5]])
            kernel_regression.check(FidelityKernel(bandwidth=0.2), [[0.1], [0.5]], name="b")
            kernel_regression.check(FidelityKernel(bandwidth=0.3), [[0.1], [0.5]], name="b@c")

        def test_two__b(kernel_regression):
            kernel_regression.check(FidelityKernel(bandwidth=0.4), [[0.1], [0.5]])

        class Test:
            def test_two(self, kernel_regression):
                kernel_regression.check(FidelityKernel(bandwidth=0.5), [[0.1], [0.5]])

        @pytest.mark.parametrize("p", [6, 7, 8], ids=["a::b", "a__b", "a:_b"])
        def test_p(kernel_regression, p):
            kernel_regression.check(FidelityKernel(bandwidth=0.1 * p), [[0.1], [0.5]])
        """
    other = """
        from qkernels import FidelityKernel

        def test_two(kernel_regression):
            kernel_regression.check(FidelityKernel(bandwidth=0.9), [[0.1], [0.5]])
        """
    pytester.makepyfile(test_a=test.replace("class Test", "class TestX"), test_a__TestX=other)
    pytester.runpytest_inprocess(OPTION).assert_outcomes(passed=7)
    names = [path.name for path in (pytester.path / "kernel_references").iterdir()]
    assert len(names) == 9
    assert {"test_a__test_two.json", "test_a__test_two@b.json", "test_a__TestX__test_two.json"} < set(names)
    pytester.runpytest_inprocess().assert_outcomes(passed=7)


def test_names_of_files_differ_in_more_than_capitals(pytester: pytest.Pytester) -> None:
    """Many file systems take "a" and "A" for one."""
    pytester.makepyfile(
        test_a="""
        import pytest
        from qkernels import FidelityKernel

        @pytest.mark.parametrize("p", range(1, 6), ids=["a", "A", "none", "None", "True-x"])
        def test_p(kernel_regression, p):
            kernel_regression.check(FidelityKernel(bandwidth=0.1 * p), [[0.1], [0.5]])

        def test_x(kernel_regression):
            kernel_regression.check(FidelityKernel(bandwidth=0.6), [[0.1], [0.5]])

        def test_X(kernel_regression):
            kernel_regression.check(FidelityKernel(bandwidth=0.7), [[0.1], [0.5]])
        """
    )
    pytester.runpytest_inprocess(OPTION).assert_outcomes(passed=7)
    names = [path.name for path in (pytester.path / "kernel_references").iterdir()]
    assert len({name.casefold() for name in names}) == 7
    plain = {f"test_a__test_{rest}.json" for rest in ("p[a]", "p[None]", "p[True-x]", "x")}
    assert {name for name in names if "~" not in name} == plain


PROBE = """
import json, sys

def test_probe():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


def loaded(folder: Path, *options: str) -> set[str]:
    """Modules loaded in a pytest run of a project that has nothing to do with qkernels."""
    (folder / "test_probe.py").write_text(PROBE)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads((folder / "modules.json").read_text()))


def test_an_unrelated_project_pays_for_three_small_modules(tmp_path: Path) -> None:
    ours = loaded(tmp_path) - loaded(tmp_path, "-p", "no:qkernels")
    assert ours == {"qkernels", "qkernels.testing", "qkernels.testing._plugin"}


@pytest.mark.slow
def test_the_room_loads_its_names_on_first_use() -> None:
    code = """
import sys, qkernels.testing as room
heavy = {"numpy", "scipy", "qiskit", "sklearn", "pytest"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert set(room.__all__) <= set(dir(room))
for name in room.__all__:
    assert getattr(room, name).__name__ == name
assert "pytest" not in sys.modules  # the checks work without it
try:
    room.assert_kernels_equal
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "module 'qkernels.testing' has no attribute 'assert_kernels_equal'", done.stderr
