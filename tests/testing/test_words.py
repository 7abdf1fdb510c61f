"""Parameters in words: equal where the parameters are, different where anything in them is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from qkernels.kernels import ClipSpectrum, ReadoutMitigation
from qkernels.testing._words import in_words


@dataclass
class Record:
    size: int
    weights: Any


class Plain:
    def __init__(self, weights: Any) -> None:
        self.weights = weights


def ramp(last: float, dtype: type = float) -> np.ndarray:
    values = np.linspace(0.0, 1.0, 5000).astype(dtype)
    values[2500] = last
    return values


SHOWN: dict[str, tuple[Any, str]] = {
    "text": ("scale", "'scale'"),
    "number": (np.float64(0.1) + 0.2, "0.30000000000000004"),
    "tuples": (((0,), (1, 2)), "((0,), (1, 2))"),
    "sets": ({"b", "a"}, "{'a', 'b'}"),
    "mapping": ({"a": [1, None]}, "{'a': [1, None]}"),
    "function": (math.sqrt, "math.sqrt"),
    "partial": (partial(math.pow, 2.0), "partial(math.pow, (2.0,), {})"),
    "correction": (ReadoutMitigation(), "ReadoutMitigation(readout=None)"),
    "corrections": ([ClipSpectrum(1e-9), ClipSpectrum()], "[ClipSpectrum(rtol=1e-09), ClipSpectrum(rtol=1e-10)]"),
    "record": (Record(3, [0.5]), "Record(size=3, weights=[0.5])"),
    "plain": (Plain(2), "Plain(weights=2)"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_words_are_short_where_they_can_be(name: str) -> None:
    value, expected = SHOWN[name]
    assert in_words(value) == expected


PAIRS: dict[str, Callable[[float], Any]] = {
    "array": ramp,
    "float32": lambda last: ramp(last, np.float32),
    "objects": lambda last: np.array([{"a": ramp(last)}], dtype=object),
    "list": lambda last: ramp(last).tolist(),
    "correction": lambda last: [ReadoutMitigation(ramp(last).reshape(-1, 2, 2))],
    "record": lambda last: Record(1, ramp(last)),
    "attributes": lambda last: Plain(Plain(ramp(last))),
    "partial": lambda last: partial(math.pow, ramp(last)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_is_elided(name: str) -> None:
    """One number of 5,000, far below what is printed."""
    build = PAIRS[name]
    one, same, other = in_words(build(0.5)), in_words(build(0.5)), in_words(build(0.5000001))
    assert one == same
    assert one != other
    assert len(one) < 500


def test_shape_and_type_are_content() -> None:
    zeros = np.zeros((4, 6))
    others = [zeros, zeros.reshape(6, 4), zeros.astype(np.float32), zeros.astype(complex)]
    assert len({in_words(v) for v in others}) == 4
    values = np.arange(12.0).reshape(3, 4)
    assert in_words(values) == in_words(np.asfortranarray(values)) == in_words(values.astype(">f8"))


def test_an_object_that_holds_itself_ends() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert in_words(loop) == "[1, …]"
