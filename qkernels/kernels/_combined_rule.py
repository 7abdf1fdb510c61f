"""Rules side by side, and how their entries combine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkernels.kernels._rule import KernelRule
from qkernels.programs import Overlaps, Plan

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
        right: Sequence[Values | None] = [None] * len(self.rules) if B is None else self.split(B)
        found = [rule.measure(a, b, need) for rule, a, b in zip(self.rules, self.split(A), right, strict=True)]
        values, stderr = self.combine([(part.values, part.stderr) for part in found])
        return Overlaps(values, stderr, info={"engine": str(self)})

    def diag(self, A: Values) -> Values:
        parts = zip(self.rules, self.split(A), strict=True)
        return self.combine([(rule.diag(own), None) for rule, own in parts])[0]

    def plan(self, n_rows: int, n_columns: int | None = None) -> Plan:
        plans = [rule.plan(n_rows, n_columns) for rule in self.rules]
        reasons = [plan.reason for plan in plans if plan.reason]
        return Plan(
            engine=" + ".join(dict.fromkeys(plan.engine for plan in plans)),
            num_qubits=max(plan.num_qubits for plan in plans),
            circuits=sum(plan.circuits for plan in plans),
            entries=sum(plan.entries for plan in plans),
            shots=sum(plan.shots for plan in plans),
            memory_bytes=max(plan.memory_bytes for plan in plans),
            memory_limit_bytes=min(plan.memory_limit_bytes for plan in plans),
            feasible=all(plan.feasible for plan in plans),
            reason=" ".join(reasons),
        )

    def __str__(self) -> str:
        return f"{self.name} of {len(self.rules)} kernel(s), {self.num_features} features"
