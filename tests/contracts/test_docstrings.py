"""Docstrings run, name every parameter, and raise only what exists."""

from __future__ import annotations

import builtins
import doctest
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import sklearn.exceptions

import qkernels._errors

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "qkernels", ROOT / "hardware" / "qkernels_hardware"]
MODULES = sorted(
    ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
    for package in PACKAGES
    for path in package.rglob("*.py")
)
DOORS = [name for name in MODULES if name == "qkernels_hardware" or re.fullmatch(r"qkernels(\.[a-z]\w*)?", name)]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public_objects() -> Iterator[tuple[str, object]]:
    """Every public class and function of every room, and the public methods its class defines itself."""
    seen = set()
    for door in DOORS:
        module = import_module(door)
        for name in getattr(module, "__all__", []):
            value = getattr(module, name)
            if id(value) in seen or not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            seen.add(id(value))
            yield f"{door}.{name}", value
            if inspect.isclass(value):
                for attribute, member in vars(value).items():
                    if inspect.isfunction(member) and not attribute.startswith("_"):
                        yield f"{door}.{name}.{attribute}", member


OBJECTS = dict(public_objects())
DOCUMENTED = {name: value for name, value in OBJECTS.items() if inspect.getdoc(value)}


def section(doc: str, title: str) -> str:
    """The body of a numpydoc section, up to the next underlined title; empty when it is missing."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-{{3,}}$|\Z)", doc, flags=re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def parameters_of(value: object) -> list[str]:
    """Names that a caller can pass."""
    if getattr(value, "_is_protocol", False):  # nobody calls a protocol
        return []
    try:
        signature = inspect.signature(value)
    except ValueError:  # a class without a Python-level signature
        return []
    return [name for name in signature.parameters if name not in {"self", "cls"}]


def base_documents(name: str) -> bool:
    """Whether `name` is a method whose parameters a base class in our packages documents."""
    path, _, attribute = name.rpartition(".")
    owner = OBJECTS.get(path)
    if not inspect.isclass(owner):
        return False
    bases = [base for base in owner.__mro__[1:] if base.__module__.startswith("qkernels")]
    return any(section(inspect.getdoc(vars(base).get(attribute)) or "", "Parameters") for base in bases)


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # examples may write files
    module = import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    report: list[str] = []
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("name", OBJECTS)
def test_public_object_has_a_docstring(name: str) -> None:
    value = OBJECTS[name]
    assert inspect.getdoc(value), f"{name} has no docstring"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_parameters_are_documented(name: str) -> None:
    value = DOCUMENTED[name]
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    if base_documents(name):
        return
    doc = inspect.getdoc(value) or ""
    listed = section(doc, "Parameters") + section(doc, "Attributes")  # records list their fields once
    entries = re.findall(r"^([*\w][*\w, ]*)(?: :.*)?$", listed, flags=re.MULTILINE)
    documented = {entry.strip().lstrip("*") for line in entries for entry in line.split(",")}
    assert [name for name in parameters_of(value) if name not in documented] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_raises_names_errors_that_exist(name: str) -> None:
    body = section(inspect.getdoc(DOCUMENTED[name]) or "", "Raises")
    homes = (qkernels._errors, builtins, sklearn.exceptions)
    raised = [error for line in re.findall(r"^(\w[\w., ]*)$", body, flags=re.MULTILINE) for error in line.split(", ")]
    unknown = [error for error in raised if not any(hasattr(home, error.split(".")[-1]) for home in homes)]
    assert unknown == []
