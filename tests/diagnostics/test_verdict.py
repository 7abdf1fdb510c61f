"""The rule of three."""

from __future__ import annotations

import pytest

from qkernels._errors import InvalidParameterError
from qkernels.diagnostics import (
    FoldScores,
    OffDiagonalStatistics,
    PairedInterval,
    RBFFit,
    corrected_interval,
    qpu_verdict,
)


def interval(low: float, high: float) -> PairedInterval:
    return PairedInterval((low + high) / 2, low, high, 0.01, 0.95, 9)


def spread(std: float) -> OffDiagonalStatistics:
    """Entries around 0.5 at 2500 shots: two sigmas are 0.02."""
    return OffDiagonalStatistics(0.5, std, 100, 2500, 0.01, 1e-4, 4 * 0.25 / std**2)


@pytest.mark.parametrize(
    ("high", "std", "correlation", "reasons"),
    [
        (0.011, 0.021, 0.979, []),
        (0.009, 0.021, 0.979, ["below +1 point"]),
        (0.011, 0.019, 0.979, ["2,500 shots are 0.02 (2,770 shots needed)"]),
        (0.011, 0.021, 0.981, ["correlates .981 with K (limit .98)"]),
        (-0.02, 0.001, 0.99999, ["below +1 point", "1,000,000 shots needed", "correlates .999 with K"]),
    ],
    ids=["none", "interval", "shot noise", "rbf", "all"],
)
def test_each_part_of_the_rule(high: float, std: float, correlation: float, reasons: list[str]) -> None:
    verdict = qpu_verdict(interval=interval(-0.03, high), off_diagonals=spread(std), rbf=RBFFit(0.1, correlation))
    assert verdict.ruled_out == bool(reasons)
    assert len(verdict.reasons) == len(reasons)
    for got, want in zip(verdict.reasons, reasons, strict=True):
        assert want in got
    assert str(verdict).startswith("not worth QPU time: " if reasons else "not ruled out: ")


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (
            interval(-0.01, 0.02),
            "not ruled out: a gain of +1 point is inside the interval, +0.5 points [-1.0, +2.0]",
        ),
        (interval(0.01, 0.03), "not ruled out: better than the tuned RBF, +2.0 points [+1.0, +3.0]"),
        (None, "not ruled out: no comparison with a tuned RBF was made"),
    ],
    ids=["undecided", "better", "no comparison"],
)
def test_words_when_nothing_speaks_against(evidence: PairedInterval | None, words: str) -> None:
    assert str(qpu_verdict(interval=evidence, rbf=RBFFit(0.1, 0.5))).startswith(words)


@pytest.mark.parametrize("shift", [0.0, -0.1, 0.1])
def test_folds_that_are_alike_rule_nothing_out(shift: float) -> None:
    ours, rbf = FoldScores((0.5 + shift, 0.5 + shift), 1.0, 1.0), FoldScores((0.5, 0.5), 1.0, 1.0)
    verdict = qpu_verdict(interval=corrected_interval(ours, rbf))
    assert not verdict.ruled_out
    assert str(verdict) == (
        f"not ruled out: these folds cannot tell it from the tuned RBF, {100 * shift:+.1f} points [folds alike]"
    )


def test_evidence_is_kept() -> None:
    rbf = RBFFit(0.1, 0.99)
    assert qpu_verdict(rbf=rbf).rbf is rbf
    assert qpu_verdict(rbf=rbf).interval is None


def test_no_evidence_is_an_error() -> None:
    with pytest.raises(InvalidParameterError, match="at least one of interval, off_diagonals and rbf"):
        qpu_verdict()
