"""Numbers about kernels and models, and attacks on models. Returns data, never draws.

=========================  =======================================================================
`compare_models`           repeated cross-validation of several models on the same folds
`corrected_interval`       Nadeau–Bengio interval of a paired difference of their scores
`off_diagonal_statistics`  spread of kernel entries against the shot noise of a budget
`best_fit_rbf`             the Gaussian kernel that a kernel matrix resembles most
`qpu_verdict`              the rule made of the three: is a kernel worth time on a device?
`fgsm_attack`              samples changed by one step of the input gradient, so that a model errs
`pgd_attack`               the same in several projected steps
`adversarial_fit`          training with attacked samples
=========================  =======================================================================

The answers are the frozen records `FoldScores`, `PairedInterval`, `OffDiagonalStatistics`, `RBFFit` and
`Verdict`. Attacks take any `InputGradientModel`.
"""

from qkernels.diagnostics._attacks import InputGradientModel, adversarial_fit, fgsm_attack, pgd_attack
from qkernels.diagnostics._comparison import FoldScores, PairedInterval, compare_models, corrected_interval
from qkernels.diagnostics._concentration import OffDiagonalStatistics, off_diagonal_statistics
from qkernels.diagnostics._rbf import RBFFit, best_fit_rbf
from qkernels.diagnostics._verdict import Verdict, qpu_verdict

__all__ = [
    "FoldScores",
    "InputGradientModel",
    "OffDiagonalStatistics",
    "PairedInterval",
    "RBFFit",
    "Verdict",
    "adversarial_fit",
    "best_fit_rbf",
    "compare_models",
    "corrected_interval",
    "fgsm_attack",
    "off_diagonal_statistics",
    "pgd_attack",
    "qpu_verdict",
]
