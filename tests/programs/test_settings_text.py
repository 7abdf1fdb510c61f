"""Objects as text: equal for equal settings in every process, different for different ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

from qkernels.programs import setting_attributes, settings_text


class Setting:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def method(self) -> None:
        pass


class Slotted:
    __slots__ = ("rate",)

    def __init__(self, rate: float) -> None:
        self.rate = rate


class Unpicklable:
    def __getstate__(self) -> object:
        raise RuntimeError("a connection")


def made_here() -> Any:
    return lambda: None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.int64(3), 3),
        (np.float64(0.1), 0.1),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "yy", "zzz"}, {"zzz", "yy", "x"}),
        (np.arange(5000.0), np.arange(5000.0)),
        (Setting(_rate=0.1, call=made_here()), Setting(_rate=0.1, call=made_here())),
        (Setting().method, Setting().method),
        (Setting(lock=threading.Lock()), Setting(lock=threading.Lock())),
        ((i for i in range(3)), (i for i in range(3))),
        (Unpicklable(), Unpicklable()),
    ],
    ids=[
        "NumPy integer",
        "NumPy number",
        "order of a dict",
        "order of a set",
        "array",
        "lambda",
        "method",
        "lock",
        "generator",
        "error",
    ],
)
def test_equal_settings_have_one_text(first: object, second: object) -> None:
    assert settings_text(first) == settings_text(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 1.0),
        (1, "1"),
        (None, "None"),
        ([1, [2]], [1, 2]),
        (np.arange(5000.0), np.where(np.arange(5000) == 2500, 0.0, np.arange(5000.0))),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (Setting(_rate=0.1), Setting(_rate=0.2)),
        (Slotted(0.1), Slotted(0.2)),
        (Setting(part=Setting(rate=1)), Setting(part=Setting(rate=2))),
        (partial(print, 1), partial(print, 2)),
        (print, len),
        (Setting, Slotted),
        (str.upper, str.lower),
    ],
    ids=[
        "integer and float",
        "number and text",
        "None and text",
        "nesting",
        "one number of an array",
        "shape",
        "private attribute",
        "slot",
        "part",
        "partial",
        "function",
        "class",
        "method of C",
    ],
)
def test_other_settings_have_another_text(first: object, second: object) -> None:
    assert settings_text(first) != settings_text(second)


def test_object_that_holds_itself() -> None:
    ring = Setting(rate=1)
    ring.__dict__["again"] = ring
    assert "'rate': 1" in settings_text(ring)


@pytest.mark.slow
def test_text_is_the_same_in_every_process() -> None:
    code = """
import numpy as np
from functools import partial
from qkernels.programs import settings_text
from qkernels.variational import CrossEntropy
print(settings_text([{"a", "b", "c"}, object(), print, np.arange(3), CrossEntropy(), lambda: 0, partial(min, 1)]))
"""

    def text(seed: int) -> str:
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        return run.stdout

    assert text(1) == text(2)


class Walk:
    def __init__(self, rate: float, steps: int) -> None:
        self._rate, self.steps = rate, steps
        self.calls = 0
        self._history: list[float] = []


def test_setting_attributes_leave_out_private_state() -> None:
    assert setting_attributes(Walk(0.5, 3)) == {"_rate": 0.5, "steps": 3, "calls": 0}


def test_setting_attributes_may_be_those_of_the_constructor_only() -> None:
    assert setting_attributes(Walk(0.5, 3), only_parameters=True) == {"_rate": 0.5, "steps": 3}
