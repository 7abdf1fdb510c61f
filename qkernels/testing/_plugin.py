"""The pytest plugin: the fixture `kernel_regression` and the option ``--update-kernel-references``.

pytest loads this file in every run in every project where qkernels is installed, so it imports nothing of ours, and no
library but pytest, until the fixture is used.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from qkernels.testing._regression import KernelRegression

_FOLDER = "kernel_references"
_PROPERTY = "kernel_reference"
_LONGEST = 120
"""Bytes of a file name; file systems take 255, with what is added to it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-kernel-references``."""
    parser.getgroup("qkernels").addoption(
        "--update-kernel-references",
        action="store_true",
        help="write the kernel matrices of this run as references of kernel_regression, instead of comparing them",
    )


@pytest.fixture
def kernel_regression(request: pytest.FixtureRequest) -> KernelRegression:
    """Compare training matrices with references stored beside the test: ``kernel_regression.check(kernel, X)``."""
    from qkernels.testing._regression import KernelRegression

    node, path = request.node, request.path

    def on_write(written: Path) -> None:
        node.user_properties.append((_PROPERTY, f"{written.parent.name}/{written.name}"))

    return KernelRegression(
        path.parent / _FOLDER,
        _file_name(path.stem, node.nodeid),
        update=request.config.getoption("update_kernel_references"),
        command=f'pytest "{_shown(path)}::{node.nodeid.partition("::")[2]}"',
        on_write=on_write,
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the references that were written, by other processes too."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    written = sorted({v for r in reports for k, v in getattr(r, "user_properties", ()) if k == _PROPERTY})
    if written:
        terminalreporter.section("kernel references")
        for name in written:
            terminalreporter.write_line(f"wrote {name}")


def _shown(path: Path) -> str:
    """A path as seen from where the tests were started."""
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)


def _file_name(module: str, nodeid: str) -> str:
    """Module, class and test as a name for every file system; different tests have different ones.

    Where words and the "__" between them cannot be told apart, or characters had to be left out, a digest is added;
    also where the test or its parameters hold capitals, "None", "True" and "False" apart, as many file systems take
    "a" and "A" for one. (Modules and classes that differ in capitals alone are not told apart there.)
    """
    names, bracket, parameters = nodeid.partition("::")[2].partition("[")
    words = [module, *names.split("::")]
    name = "__".join(words) + bracket + parameters
    safe = re.sub(r"[^\w.,=+\[\]-]", "_", name).encode()[:_LONGEST].decode(errors="ignore")
    ambiguous = any("__" in word or "[" in word or word != word.strip("_") for word in words)
    told = words[-1] + bracket + parameters
    ambiguous |= told != re.sub(r"\b(none|true|false)\b", lambda word: word[0].capitalize(), told.casefold())
    if safe == name and not ambiguous:
        return safe
    whole = "\0".join([*words, parameters])
    return f"{safe}~{hashlib.sha256(whole.encode(errors='surrogatepass')).hexdigest()[:8]}"
