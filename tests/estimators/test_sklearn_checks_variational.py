"""scikit-learn's own checks on the variational estimators, on exact engines.

The weight checks compare two long optimisations digit by digit, so they run with few iterations, as scikit-learn itself
gives its neural networks other parameters there.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from qkernels import VQC, VQR, QuantumFeatures

FEW_ITERATIONS = {"check_sample_weight_equivalence_on_dense_data", "check_sample_weights_invariance"}


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
# Most checks look at the interface on noise, where 20 iterations say as much as 200.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([VQC(), VQR(), QuantumFeatures()])
def test_scikit_learn(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    name = getattr(getattr(check, "func", check), "__name__", "")
    if name in FEW_ITERATIONS and hasattr(estimator, "max_iter"):
        estimator.set_params(max_iter=20)
    check(estimator)
