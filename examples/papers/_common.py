"""What the scripts of this folder share: papers, targets and checks, and the search of the RBF kernel beside them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC

NOT_OWN_NUMBERS = "targets by an independent computation of this setting, not the paper's own numbers"

Folds = int | Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True, slots=True)
class Paper:
    """A published result; `id` is its row in the table of `make papers`.

    `own_numbers` is False where the finding is shown on other data or in another setting than the paper's.
    """

    id: str
    authors: str
    title: str = ""
    arxiv: str = ""
    own_numbers: bool = True

    def __str__(self) -> str:
        return ", ".join(part for part in (self.authors, self.title, self.arxiv and f"arXiv:{self.arxiv}") if part)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a number must lie, ends included; it may miss that by `slack`, which the script derives from its sample."""

    low: float = -inf
    high: float = inf
    slack: float = 0.0

    def text(self, form: str) -> str:
        ends = f"{self.low:{form}} to {self.high:{form}}"
        if self.low == self.high:
            ends = f"{self.low:{form}}"
        elif self.high == inf:
            ends = f"≥ {self.low:{form}}"
        elif self.low == -inf:
            ends = f"≤ {self.high:{form}}"
        return f"{ends} ± {self.slack:{form}}" if self.slack else ends

    def holds(self, value: float) -> bool:
        """False for NaN."""
        return self.low - self.slack <= value <= self.high + self.slack


def about(value: float, slack: float = 0.0) -> Target:
    return Target(value, value, slack)


def binomial_slack(share: float, rows: int) -> float:
    """Two standard errors of a share that is estimated on this many rows."""
    return 2.0 * sqrt(share * (1.0 - share) / rows)


@dataclass(frozen=True, slots=True)
class Check:
    """One number beside its target and, where there is one, beside the tuned RBF kernel's number."""

    what: str
    result: float
    target: Target | None
    rbf: float | None = None
    form: str = ".1%"

    @property
    def met(self) -> bool | None:
        """None where the number only informs."""
        return None if self.target is None else self.target.holds(self.result)

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, target, result, RBF and verdict as text."""
        target = "–" if self.target is None else self.target.text(self.form)
        rbf = "–" if self.rbf is None else f"{self.rbf:{self.form}}"
        return self.what, target, f"{self.result:{self.form}}", rbf, {True: "yes", False: "NO", None: "–"}[self.met]


def all_met(checks: Sequence[Check]) -> bool:
    """Whether something was checked and no check missed its target."""
    verdicts = [check.met for check in checks]
    return True in verdicts and False not in verdicts


def main(paper: Paper, run: Callable[[bool], list[Check]], description: str | None) -> NoReturn:
    """Run one script: print the paper and its checks, exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small setting of the test suite")
    quick = parser.parse_args().quick
    print(f"{paper.id}: {paper}" if paper.own_numbers else f"{paper.id}: {paper} ({NOT_OWN_NUMBERS})")
    checks = run(quick)
    for check in checks:
        what, target, result, rbf, met = check.cells()
        print(f"  {what}\n    target {target}, result {result}, tuned RBF {rbf}, met: {met}")
    raise SystemExit(0 if all_met(checks) else 1)


def tuned_rbf(*steps: TransformerMixin, svm: BaseEstimator | None = None, cv: Folds = 5) -> Pipeline:
    """The classical rival: `steps` are fitted on the rows that it gets, then C and γ are chosen by folds of these."""
    grid = {"C": [1.0, 10.0, 100.0, 1000.0], "gamma": np.logspace(-3, 1, 9)}
    return make_pipeline(*steps, GridSearchCV(SVC() if svm is None else svm, grid, cv=cv))
