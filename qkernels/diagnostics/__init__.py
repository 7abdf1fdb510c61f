"""Numbers about kernels and models. Returns data, never draws.

=========================  =======================================================================
`compare_models`           repeated cross-validation of several models on the same folds
`corrected_interval`       Nadeau–Bengio interval of a paired difference of their scores
`off_diagonal_statistics`  spread of kernel entries against the shot noise of a budget
`best_fit_rbf`             the Gaussian kernel that a kernel matrix resembles most
`qpu_verdict`              the rule made of the three: is a kernel worth time on a device?
=========================  =======================================================================

The answers are the frozen records `FoldScores`, `PairedInterval`, `OffDiagonalStatistics`, `RBFFit` and
`Verdict`.
"""

from qkernels.diagnostics._comparison import FoldScores, PairedInterval, compare_models, corrected_interval
from qkernels.diagnostics._concentration import OffDiagonalStatistics, off_diagonal_statistics
from qkernels.diagnostics._rbf import RBFFit, best_fit_rbf
from qkernels.diagnostics._verdict import Verdict, qpu_verdict

__all__ = [
    "FoldScores",
    "OffDiagonalStatistics",
    "PairedInterval",
    "RBFFit",
    "Verdict",
    "best_fit_rbf",
    "compare_models",
    "corrected_interval",
    "off_diagonal_statistics",
    "qpu_verdict",
]
