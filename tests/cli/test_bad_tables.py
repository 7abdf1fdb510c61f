"""A table that cannot be used gets one line that says what to do, and a non-zero exit."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from qkernels.cli import app

GOOD = "height,width,kind\n" + "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(30))


def lines(count: int, text: str) -> str:
    return "height,width,kind\n" + "".join(text.format(i=i, odd="ab"[i % 2]) + "\n" for i in range(count))


CASES: dict[str, tuple[str | bytes, str | None, str]] = {
    "empty": ("", "kind", "is empty; it needs a header line and one line per row"),
    "blank lines only": ("\n\n  \n", "kind", "is empty; it needs a header line"),
    "header only": ("height,width,kind\n", "kind", "has a header and no rows; add one line per row"),
    "no header": ("1,2,0\n3,4,1\n", "0", "the first line holds numbers only; add a header line of column names"),
    "no target given": (GOOD, None, "--target COLUMN; columns: height, width, kind."),
    "no such target": (GOOD, "price", "has no column 'price' (--target); columns: height, width, kind."),
    "target with a typo": (GOOD, "knid", "has no column 'knid' (--target); did you mean 'kind'?"),
    "missing values": (
        GOOD.replace("3,2,b", ",2,b").replace("5,4,b", "NA,4,b"),
        "kind",
        "column 'height' has 2 missing values (first in line 5); fill them in or delete those rows",
    ),
    "missing values in two columns": (
        GOOD.replace("3,2,b", "nan,?,b"),
        "kind",
        "columns 'height', 'width' have 2 missing values (first in line 5)",
    ),
    "missing class": (GOOD.replace("3,2,b", "3,2,"), "kind", "target 'kind' is missing in 1 row(s) (first in line 5)"),
    "text column": (
        GOOD.replace("3,2,b", "3,broad,b"),
        "kind",
        "column 'width' has text ('broad' in line 5); turn it into numbers",
    ),
    "decimal commas": (
        "height;kind\n1,5;a\n2,5;b\n",
        "kind",
        "'height' has text ('1,5' in line 2); write numbers with a decimal point, 1.5, not with a decimal comma.",
    ),
    "decimal commas and points of thousands": (
        "height;kind\n-1.234,50;a\n2,5;b\n",
        "kind",
        "('-1.234,50' in line 2); write numbers with a decimal point, -1234.50, not with a decimal comma.",
    ),
    "a comma that is none": (
        'height,kind\n"a,5",a\n',
        "kind",
        "turn it into numbers (such as one 0/1 column per value)",
    ),
    "underscored numbers": (GOOD.replace("3,2,b", "3,1_000,b"), "kind", "has text ('1_000' in line 5)"),
    "infinite value": (
        GOOD.replace("3,2,b", "3,inf,b"),
        "kind",
        "column 'width' has infinite values (first in line 5)",
    ),
    "one class": (lines(30, "{i},{i},a"), "kind", "has one class only ('a'); a classifier needs two or more"),
    "a measurement": (
        lines(90, "{i},{i},0.{i}"),
        "kind",
        "has 82 different numbers and looks like a measurement; cut it into classes first",
    ),
    "a name per row": (lines(30, "{i},{i},name{i}"), "kind", "has 30 classes in 30 rows, too few rows per class"),
    "too few rows per class": (
        lines(30, "{i},{i},a") + "1,2,b\n3,4,b\n1,5,b\n2,6,b\n",
        "kind",
        "class 'b' has 4 rows, too few for 5 outer and 3 inner folds. Use --folds 4, or merge or delete",
    ),
    "two rows per class": (
        lines(30, "{i},{i},a") + "1,2,b\n3,4,b\n",
        "kind",
        "class 'b' has 2 rows, too few for 5 outer and 3 inner folds. Merge or delete small classes.",
    ),
    "no feature": ("kind\na\nb\n", "kind", "has no feature: 'kind' is its only column; add numeric columns"),
    "constant features": (lines(30, "1,2,{odd}"), "kind", "all feature columns are constant"),
    "ragged": (GOOD.replace("3,2,b", "3,2,b,9"), "kind", "line 5 has 4 fields, the header has 3; repair that line"),
    "unnamed column": (",width,kind\n1,2,a\n", "kind", "column 1 has no name; name it, or delete it if it only counts"),
    "repeated names": ("a,a,kind\n1,2,a\n", "kind", "1 column name(s) occur more than once (a); give each column"),
    "Latin-1": ("größe,kind\n1,a\n".encode("latin-1"), "kind", "is not UTF-8 text; export it as CSV with UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "kind", "is not UTF-8 text; export it as CSV with UTF-8"),
    "a huge field": ("a,kind\n" + "1" * 200_000 + ",b\n", "kind", "is not a readable CSV file (field larger than"),
}


def refused(*arguments: str) -> str:
    """The one line on standard error."""
    result = CliRunner().invoke(app, ["demo", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize("case", CASES)
def test_bad_file(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, target, words = CASES[case]
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = [] if target is None else ["--target", target]
    assert words in refused("--dataset", "table.csv", *options)
    assert list(tmp_path.iterdir()) == [path]  # nothing is written for a table that is refused


def test_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = refused("--dataset", "sales.csv", "--target", "kind")
    assert message == (
        "--dataset: no file and no data set is called 'sales.csv'; give a CSV file, or one of breast_cancer, digits, "
        "iris, wine."
    )


def test_name_with_a_typo() -> None:
    assert "did you mean breast_cancer?" in refused("--dataset", "brest_cancer")


def test_folder(tmp_path: Path) -> None:
    assert refused("--dataset", str(tmp_path), "--target", "kind") == f"{tmp_path} is a folder; give a CSV file."


def test_target_of_a_built_in_table() -> None:
    assert "--target is for CSV files; iris brings its own target" in refused("--dataset", "iris", "--target", "kind")


def test_output_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.touch()
    assert f"--output: cannot write to {path}" in refused("--dataset", "iris", "--output", str(path))


def test_sample_smaller_than_the_classes() -> None:
    message = refused("--dataset", "digits", "--max-rows", "20", "--folds", "2")
    # 6 rows: 3 in every outer training part, 1 in every inner fold
    assert "--max-rows must be at least 60 for this table, 6 rows of each of its 10 classes" in message
    assert message.endswith("got 20.")


@pytest.mark.parametrize("option", ["--device", "--noise"])
def test_a_device_with_too_few_qubits(option: str, tmp_path: Path) -> None:
    message = refused("--dataset", "wine", option, "fake_manila", "--output", str(tmp_path / "out"))
    components = 8 if option == "--device" else 6
    assert message == (
        f"{option}: a circuit of {components} components has {components} qubits, and fake_manila has 5. Use "
        "--features 5 or fewer, or a larger device."
    )


def test_unknown_device(tmp_path: Path) -> None:
    message = refused("--dataset", "iris", "--device", "fake_fes", "--output", str(tmp_path / "out"))
    assert "'fake_fes'" in message
    assert "fake_fez" in message
