"""Rules side by side, and how their entries combine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.engines import EngineCall, check_together
from qkernels.kernels._rule import KernelRule
from qkernels.programs import Overlaps

__all__ = ["Combine", "CombinedRule", "Entries"]

Values = NDArray[np.float64]

Entries = tuple[Values, Values | None]
"""Values and their standard errors, None where exact."""

Combine = Callable[[Sequence[Entries]], Entries]
"""Entries of a combination from entries of its parts, of one shape."""


@dataclass(frozen=True, slots=True, eq=False)
class CombinedRule(KernelRule):
    """Rules side by side: encoded rows are those of the parts, column after column.

    Attributes
    ----------
    rules : tuple of KernelRule
    combine : callable
    name : str
        Of the combination, for people.
    """

    rules: tuple[KernelRule, ...]
    combine: Combine
    name: str

    @property
    def num_features(self) -> int:
        return self.rules[0].num_features

    @property
    def is_exact(self) -> bool:
        return all(rule.is_exact for rule in self.rules)

    @property
    def encoded_width(self) -> int:
        return sum(rule.encoded_width for rule in self.rules)

    def encode(self, X: Values) -> Values:
        return np.hstack([rule.encode(X) for rule in self.rules])

    def split(self, A: Values) -> list[Values]:
        """Encoded rows of every part, C-contiguous."""
        ends = np.cumsum([rule.encoded_width for rule in self.rules])[:-1]
        return [np.ascontiguousarray(part) for part in np.split(A, ends, axis=1)]

    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        check_together(self.calls(A, B, need))
        right: Sequence[Values | None] = [None] * len(self.rules) if B is None else self.split(B)
        found = [rule.measure(a, b, need) for rule, a, b in zip(self.rules, self.split(A), right, strict=True)]
        values, stderr = self.combine([(part.values, part.stderr) for part in found])
        return Overlaps(values, stderr, info={"engine": str(self)})

    def diag(self, A: Values) -> Values:
        check_together(self.self_calls(A))
        parts = zip(self.rules, self.split(A), strict=True)
        return self.combine([(rule.diag(own), None) for rule, own in parts])[0]

    def calls(
        self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()
    ) -> tuple[EngineCall, ...]:
        parts = zip(self.rules, self.sides(A), self.sides(B), strict=True)
        return tuple(call for rule, a, b in parts for call in rule.calls(a, b, need))

    def self_calls(self, A: Values, need: frozenset[str] = frozenset()) -> tuple[EngineCall, ...]:
        return tuple(
            call for rule, a in zip(self.rules, self.split(A), strict=True) for call in rule.self_calls(a, need)
        )

    def sides(self, A: Values | int | None) -> Sequence[Any]:
        """Encoded rows of every part, or the number of rows for each."""
        return self.split(A) if isinstance(A, np.ndarray) else [A] * len(self.rules)

    def __str__(self) -> str:
        return f"{self.name} of {len(self.rules)} kernel(s), {self.num_features} features"
