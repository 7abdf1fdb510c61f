"""What `check_engine` found out: one line for every check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CheckResult", "EngineReport"]

Status = Literal["passed", "failed", "not applicable", "skipped"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome of one check over all programs.

    Attributes
    ----------
    name : str
        What ``skip=`` of `check_engine` calls it.
    law : str
        The rule, as a sentence.
    status : {"passed", "failed", "not applicable", "skipped"}
        "failed" where the law is broken for any program; "not applicable" where the engine rightly offers nothing to
        check.
    detail : str
        The programs for which the law is broken, each with what was found; or why nothing was checked.
    """

    name: str
    law: str
    status: Status
    detail: str = ""

    def __str__(self) -> str:
        if self.status == "failed":
            return f"FAILED          {self.name} ({self.law}): {self.detail}"
        return f"{self.status:<16}{self.name}: {self.detail or self.law}"


@dataclass(frozen=True, slots=True)
class EngineReport:
    """Outcome of all checks of an engine; prints as one line per check.

    Attributes
    ----------
    engine : str
        Its repr.
    programs : tuple of str
        Names of the programs it was checked on.
    results : tuple of CheckResult
        In a fixed order.
    """

    engine: str
    programs: tuple[str, ...]
    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.status == "failed")

    def __str__(self) -> str:
        found = [result.status for result in self.results]
        counts = ", ".join(f"{found.count(status)} {status}" for status in dict.fromkeys(found))
        head = f"{self.engine} on {', '.join(self.programs)}: {len(found)} checks, {counts}"
        return "\n".join([head, *(f"  {result}" for result in self.results)])
