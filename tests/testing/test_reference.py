"""Reference files: exact numbers that people can read, and clear words about files that cannot be used."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from qkernels._errors import InvalidDataError
from qkernels.testing._reference import KernelReference

Real = NDArray[np.float64]
PROVENANCE = {"data": {"shape": [2, 3]}, "circuit": {"feature_map": "ZZFeatureMap()"}, "versions": {"numpy": "2.1.3"}}


def reference(values: Real, shots: NDArray[np.int64] | None = None, corrected: Real | None = None) -> KernelReference:
    return KernelReference("2025-01-31", PROVENANCE, values, shots, corrected)


def written(folder: Path, *arguments: object) -> tuple[Path, KernelReference]:
    path = folder / "kernel_references" / "test_a__test_b.json"
    record = reference(*arguments)
    record.write(path)
    return path, record


def read(path: Path) -> KernelReference:
    return KernelReference.read(path, ways_out="Run X.")


@given(
    values=st.integers(1, 5).flatmap(
        lambda n: arrays(np.float64, (n, n), elements=st.floats(-2, 2, allow_subnormal=True))
    ),
    symmetric=st.booleans(),
)
def test_numbers_read_back_exactly(tmp_path_factory: pytest.TempPathFactory, values: Real, symmetric: bool) -> None:
    values = (values + values.T) / 2 if symmetric else values
    shots = np.arange(values.size).reshape(values.shape)
    path, record = written(tmp_path_factory.mktemp("a"), values, shots, values / 3)
    found = read(path)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.shots, shots)
    np.testing.assert_array_equal(found.corrected, values / 3)
    assert found.stored == "2025-01-31"
    assert found.provenance == PROVENANCE
    assert found.same_content(record)


def test_the_file_is_made_for_people(tmp_path: Path) -> None:
    values = np.array([[1.0, 0.312, 0.5], [0.312, 1.0, 0.1 + 0.2], [0.5, 0.1 + 0.2, 1.0]])
    shots = np.where(np.eye(3) > 0, 0, 1000)
    path, _ = written(tmp_path, values, shots)
    text = path.read_text()
    checksum = json.loads(text)["sha256"]
    assert text == (
        "{\n"
        '"format": "qkernels kernel reference",\n'
        '"schema": 1,\n'
        '"stored": "2025-01-31",\n'
        '"provenance": {\n'
        '  "data": {"shape": [2, 3]},\n'
        '  "circuit": {\n    "feature_map": "ZZFeatureMap()"\n  },\n'
        '  "versions": {\n    "numpy": "2.1.3"\n  }\n'
        "},\n"
        '"shots": {"diagonal": 0, "others": 1000},\n'
        '"values": [\n[1.0],\n[0.312, 1.0],\n[0.5, 0.30000000000000004, 1.0]\n],\n'
        '"corrected": null,\n'
        f'"sha256": "{checksum}"\n'
        "}\n"
    )


def test_shots_of_single_pairs_are_kept(tmp_path: Path) -> None:
    shots = np.array([[0, 10, 20], [10, 0, 30], [20, 30, 0]])
    path, _ = written(tmp_path, np.eye(3), shots)
    np.testing.assert_array_equal(read(path).shots, shots)
    path, _ = written(tmp_path, np.eye(1), np.array([[7]]))
    np.testing.assert_array_equal(read(path).shots, [[7]])


def test_the_date_is_no_content() -> None:
    record = reference(np.eye(2))
    assert record.same_content(KernelReference("2026-01-01", PROVENANCE, np.eye(2), None, None))
    assert not record.same_content(reference(np.eye(3)))
    assert not record.same_content(KernelReference("2025-01-31", {}, np.eye(2), None, None))


def test_line_ends_and_spaces_do_not_count(tmp_path: Path) -> None:
    """Version control may change line ends."""
    path, record = written(tmp_path, np.eye(2))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n").replace(b": ", b":  "))
    assert read(path).same_content(record)


BROKEN = {
    "empty": (lambda t: "", r"b\.json is no kernel reference: it is no valid JSON \(.*\)\. Run X\."),
    "merge": (lambda t: "<" * 7 + " ours\n" + t, "it is no valid JSON"),
    "binary": (lambda t: "\udcff" + t, "it is no valid JSON"),
    "list": (lambda t: "[1, 2]", 'it lacks the line \'"format": "qkernels kernel reference"\'. Run X.'),
    "format": (lambda t: t.replace("kernel reference", "noise profile"), "it lacks the line"),
    "schema": (
        lambda t: t.replace('"schema": 1', '"schema": 2'),
        "has schema 2; this version of qkernels reads schema 1",
    ),
    "value": (lambda t: t.replace("[0.25, 1.0]", "[0.26, 1.0]"), "was changed after it was written: .* sha256"),
    "provenance": (lambda t: t.replace("2.1.3", "2.1.4"), "Restore it from version control, or: Run X"),
    "field": (lambda t: t.replace('"stored": "2025-01-31",\n', ""), "was changed after it was written"),
    "checksum": (lambda t: t.replace('"sha256"', '"sha257"'), "was changed after it was written"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_used_say_why(name: str, tmp_path: Path) -> None:
    change, pattern = BROKEN[name]
    path, _ = written(tmp_path, np.array([[1.0, 0.25], [0.25, 1.0]]))
    text = change(path.read_text())
    assert text != path.read_text()
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InvalidDataError, match=pattern):
        read(path)


@pytest.mark.parametrize(
    ("field", "value", "pattern"),
    [
        ("values", [], r"does not hold a kernel matrix \(no list of rows\)\. Run X"),
        ("values", 5, "no list of rows"),
        ("values", [[1.0, 0.5], [1.0]], r"rows of \[1, 2\] entries"),
        ("values", [[1.0], ["a", 1.0]], "does not hold a kernel matrix"),
        ("shots", {"diagonal": 0}, "does not hold a kernel matrix .*others"),
        ("shots", [[1]], "matrices of different shapes"),
        ("corrected", [[1.0]], "matrices of different shapes"),
        ("provenance", [], "provenance or date"),
        ("stored", 5, "provenance or date"),
    ],
)
def test_files_with_a_right_checksum_and_wrong_content_say_why(
    field: str, value: object, pattern: str, tmp_path: Path
) -> None:
    from qkernels.testing._reference import _digest

    path, _ = written(tmp_path, np.eye(2))
    content = json.loads(path.read_text()) | {field: value}
    content.pop("sha256")
    path.write_text(json.dumps(content | {"sha256": _digest(content)}))
    with pytest.raises(InvalidDataError, match=pattern):
        read(path)


def test_writing_is_one_step(tmp_path: Path) -> None:
    """Eight threads write and read one file: no reader sees a part of it, and nothing is left behind."""
    path = tmp_path / "kernel_references" / "a.json"
    reference(np.eye(40)).write(path)
    failures: list[Exception] = []

    def work(value: float) -> None:
        try:
            for _ in range(10):
                reference(np.full((40, 40), value)).write(path)
                assert len(read(path).values) == 40
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k / 8,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [found.name for found in path.parent.iterdir()] == ["a.json"]


def test_files_that_cannot_be_read_or_written_are_errors_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "kernel_references").write_text("no folder")
    with pytest.raises(OSError, match="kernel_references"):
        written(tmp_path, np.eye(2))
    with pytest.raises(OSError, match=re.escape(tmp_path.name)):
        read(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path, record = written(tmp_path, np.eye(2))
    with pytest.raises(ValueError, match="JSON"):  # NaN has no place in a reference
        reference(np.full((2, 2), np.nan)).write(path)
    assert read(path).same_content(record)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
