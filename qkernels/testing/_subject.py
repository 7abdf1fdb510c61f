"""An engine under test on one program, and the words in which laws are written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine, clear_cache
from qkernels.programs import OverlapProgram, Overlaps

__all__ = ["DRAWS", "Law", "NotApplicableError", "Reference", "Subject", "refuses", "require"]

DRAWS = 1e-12
"""How far two equal draws may lie apart: rounding. Different draws differ by 1/shots at least."""

Values = NDArray[np.float64]
Reference = Callable[[OverlapProgram, Values, Values, Values | None], ArrayLike]


class NotApplicableError(Exception):
    """The engine does not offer what a law is about; says why."""


@dataclass(frozen=True, slots=True)
class Law:
    """A named rule; `check` raises AssertionError where it is broken, NotApplicableError where nothing can break it."""

    name: str
    text: str
    check: Callable[[Subject], None]


@dataclass(frozen=True, eq=False)
class Subject:
    """An engine and a program with data.

    Attributes
    ----------
    engine : Engine
    build : callable, or None
        Makes another engine with the same settings.
    program : OverlapProgram
    other : OverlapProgram
        Another program with the same number of features and trainable parameters.
    theta : ndarray, or None
    X, Y : ndarray of shape (n, num_features)
        Rows that all differ.
    reference : callable, or None
        Values to be expected; None is Qiskit's Statevector where the engine is noiseless.
    sigma, atol : float
    """

    engine: Engine
    build: Callable[[], Engine] | None
    program: OverlapProgram
    other: OverlapProgram
    theta: Values | None
    X: Values
    Y: Values
    reference: Reference | None
    sigma: float
    atol: float

    def overlaps(self, X: object = None, Y: object = None, *, engine: Engine | None = None, **options: Any) -> Overlaps:
        """Overlaps of the program; X is the subject's where none is given."""
        rows = self.X if X is None else X
        options.setdefault("theta", self.theta)
        return (engine or self.engine).overlaps(self.program, rows, Y, **options)  # type: ignore[arg-type]

    def fresh(self, X: object = None, Y: object = None, **options: Any) -> Overlaps:
        """The same, evaluated anew."""
        clear_cache()
        return self.overlaps(X, Y, **options)

    def offered(self, need: set[str], X: object = None, Y: object = None, **options: Any) -> Overlaps:
        """Overlaps with what `need` asks for, where the engine offers it."""
        try:
            return self.overlaps(X, Y, need=frozenset(need), **options)
        except InvalidParameterError as error:
            require("need" in str(error), f"need={need} is refused by a message that does not name need: {error}")
            raise NotApplicableError(f"need={need} is refused: {str(error).partition('. ')[0]}") from None

    @cached_property
    def gram(self) -> Overlaps:
        """The training matrix of X."""
        return self.overlaps()

    @property
    def is_sampled(self) -> bool:
        """Whether entries have shots."""
        return self.gram.num_shots is not None

    @property
    def is_noiseless(self) -> bool:
        """Whether a row with itself is known to be 1."""
        shots = self.gram.num_shots
        return self.engine.is_exact if shots is None else not np.diag(shots).any()

    @property
    def shots(self) -> int:
        """Shots of one entry of the training matrix; 0 for exact values."""
        return 0 if self.gram.num_shots is None else int(self.gram.num_shots.max())

    @property
    def pairs(self) -> NDArray[np.intp]:
        """Index pairs of different rows of X, in no particular order or orientation."""
        return np.array([[3, 0], [1, 2], [0, 4], [4, 2], [0, 3], [3, 1]])

    @property
    def rounding(self) -> float:
        """How far two answers to one question may lie apart."""
        return DRAWS if self.is_sampled else self.atol

    def same(self, actual: ArrayLike, expected: ArrayLike, what: str) -> None:
        """Require two answers to one question to agree: the same draws, or the same values up to rounding."""
        a, b = np.asarray(actual), np.asarray(expected)
        require(a.shape == b.shape, f"{what} have the shapes {a.shape} and {b.shape}")
        difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
        agree = difference <= self.rounding
        if not agree.all():
            where = tuple(int(i) for i in np.unravel_index(np.argmax(np.where(agree, -1.0, difference)), a.shape))
            raise AssertionError(f"{what} differ: {a[where]!r} and {b[where]!r} in entry {where}")


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise AssertionError with a message unless a condition holds; `assert` would vanish under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def refuses(error: type[Exception], words: Sequence[str], request: str, call: Callable[[], object]) -> None:
    """Require a call to raise an error whose message holds all words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # casts of what is refused anyway
            call()
    except error as refusal:
        missing = [word for word in words if word not in str(refusal)]
        require(not missing, f"the refusal of {request} does not say {missing}: {refusal}")
        return
    except Exception as wrong:
        raise AssertionError(f"{request} raises {type(wrong).__name__} instead of {error.__name__}: {wrong}") from wrong
    raise AssertionError(f"{request} is accepted; it takes an {error.__name__}")
