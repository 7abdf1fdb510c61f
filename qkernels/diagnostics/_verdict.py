"""The verdict on a kernel, by a fixed rule."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf

from qkernels._errors import InvalidParameterError
from qkernels.diagnostics._comparison import PairedInterval
from qkernels.diagnostics._concentration import OffDiagonalStatistics
from qkernels.diagnostics._rbf import RBFFit

MINIMUM_GAIN = 0.01
"""A gain over the tuned RBF that would pay for a device: one point of accuracy."""

RBF_CORRELATION = 0.98
"""A kernel that correlates more than this with an RBF kernel is one, for all that a classifier can tell."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a kernel is worth time on a device, and why not.

    Attributes
    ----------
    reasons : tuple of str
        One sentence per part of the rule that speaks against it; empty if none does.
    interval : PairedInterval or None
        Evidence: the gain over the tuned RBF.
    off_diagonals : OffDiagonalStatistics or None
        Evidence: spread of the entries against shot noise.
    rbf : RBFFit or None
        Evidence: likeness to a Gaussian kernel.
    """

    reasons: tuple[str, ...]
    interval: PairedInterval | None = None
    off_diagonals: OffDiagonalStatistics | None = None
    rbf: RBFFit | None = None

    @property
    def ruled_out(self) -> bool:
        """Whether any part of the rule speaks against the kernel."""
        return bool(self.reasons)

    def __str__(self) -> str:
        if self.reasons:
            return f"not worth QPU time: {'; '.join(self.reasons)}"
        if self.interval is None:
            return "not ruled out: no comparison with a tuned RBF was made"
        if not self.interval.is_known:
            points = self.interval.points(" points")
            return f"not ruled out: these folds cannot tell it from the tuned RBF, {points}"
        if self.interval.low > 0.0:
            return f"not ruled out: better than the tuned RBF, {self.interval}"
        return f"not ruled out: a gain of {_points(MINIMUM_GAIN)} is inside the interval, {self.interval}"


def qpu_verdict(
    *,
    interval: PairedInterval | None = None,
    off_diagonals: OffDiagonalStatistics | None = None,
    rbf: RBFFit | None = None,
) -> Verdict:
    """Judge a kernel by a rule that was fixed before the numbers were seen.

    Not worth QPU time if any of these holds: the corrected interval of (quantum − tuned RBF) lies below +1
    point of accuracy (where all folds are alike, there is no interval); the off-diagonal entries spread by
    less than two sigmas of the shots budgeted; the best-fit RBF kernel correlates with K above .98.

    Parameters
    ----------
    interval : PairedInterval, optional
        From `corrected_interval`, the kernel's model against a tuned RBF model.
    off_diagonals : OffDiagonalStatistics, optional
        From `off_diagonal_statistics`, at the shots budgeted.
    rbf : RBFFit, optional
        From `best_fit_rbf`.

    Returns
    -------
    Verdict
        ``str`` gives it in words. "Not ruled out" is not a recommendation: it says that these data do not
        decide.

    Raises
    ------
    InvalidParameterError
        If no evidence is given.

    Examples
    --------
    >>> from qkernels.diagnostics import RBFFit, qpu_verdict
    >>> print(qpu_verdict(rbf=RBFFit(gamma=0.1, correlation=0.991)))
    not worth QPU time: an RBF kernel correlates .991 with K (limit .98)
    """
    if interval is None and off_diagonals is None and rbf is None:
        raise InvalidParameterError(
            "qpu_verdict: at least one of interval, off_diagonals and rbf must be given; got none."
        )
    reasons = []
    if interval is not None and interval.high < MINIMUM_GAIN:
        reasons.append(f"against the tuned RBF {interval.points(' points')}, below {_points(MINIMUM_GAIN)}")
    if off_diagonals is not None and off_diagonals.indistinguishable:
        needed = off_diagonals.shots_needed
        cure = "no number of shots resolves it" if isinf(needed) else f"{needed:,.0f} shots needed"
        reasons.append(
            f"shot noise hides the kernel: entries spread by {off_diagonals.std:.2g}, two sigmas of "
            f"{off_diagonals.shots:,} shots are {2 * off_diagonals.shot_sigma:.2g} ({cure})"
        )
    if rbf is not None and rbf.correlation > RBF_CORRELATION:
        likeness, limit = _fraction(rbf.correlation, 3), _fraction(RBF_CORRELATION, 2)
        reasons.append(f"an RBF kernel correlates {likeness} with K (limit {limit})")
    return Verdict(tuple(reasons), interval, off_diagonals, rbf)


def _points(gain: float) -> str:
    return f"{100 * gain:+.0f} point"


def _fraction(value: float, digits: int) -> str:
    """A correlation as .991; rounded down, so that nothing reads as 1 that is not."""
    floor = int(value * 10**digits + 1e-9) / 10**digits
    return f"{floor:.{digits}f}".removeprefix("0")
