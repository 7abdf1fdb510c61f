"""scikit-learn's own checks on the estimators: only those fail that the solver underneath fails too.

scikit-learn's SVC, SVR and OneClassSVM fail check_sample_weight_equivalence themselves; ours pass, by dropping samples
of weight 0, a tight `tol`, and a repair of sampled matrices that respects the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import KernelPCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import linear_kernel
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC, SVR, OneClassSVM
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data, parametrize_with_checks

from qkernels import AutoEngine, FidelityKernel, QuantumKernelRidge, QuantumKernelSVC, QuantumKernelSVR
from qkernels.estimators import (
    QuantumGaussianProcessClassifier,
    QuantumGaussianProcessRegressor,
    QuantumKernelPCA,
    QuantumLabelPropagation,
    QuantumOneClassSVM,
    QuantumSpectralClustering,
)

ESTIMATORS = [
    QuantumKernelSVC,
    QuantumKernelSVR,
    QuantumKernelRidge,
    QuantumKernelPCA,
    QuantumOneClassSVM,
    QuantumSpectralClustering,
    QuantumLabelPropagation,
]
PROCESSES = [QuantumGaussianProcessRegressor, QuantumGaussianProcessClassifier]
"""These take no precomputed matrix."""


class LabelSpreadingOfPositiveData(LabelSpreading):
    """LabelSpreading as the checks see our face of a precomputed matrix: they shift its data above 0."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


# (estimator, whether only for precomputed matrices, check, the solver underneath and how it fails, reason)
FAILURES = [
    (
        QuantumKernelRidge,
        True,
        "check_positive_only_tag_during_fit",
        (KernelRidge(kernel="precomputed"), AssertionError, "raised UserWarning unexpectedly"),
        "the check's random matrix is no kernel matrix; KernelRidge warns that it is singular",
    ),
    (
        QuantumKernelPCA,
        False,
        "check_transformer_n_iter",
        (KernelPCA(), AttributeError, "no attribute 'n_iter_'"),
        "KernelPCA has max_iter but does not count iterations; the check leaves it out by name",
    ),
    (
        QuantumKernelPCA,
        True,
        "check_estimators_dtypes",
        (KernelPCA(kernel="precomputed"), ValueError, "significant negative eigenvalues"),
        "a kernel matrix cut to integers is not positive semidefinite",
    ),
    *(
        (
            QuantumOneClassSVM,
            True,
            check,
            (OneClassSVM(kernel="precomputed"), ValueError, "must be a square matrix"),
            "the check gives a table, not a matrix",
        )
        for check in ("check_outliers_train", "check_outliers_fit_predict")
    ),
    (
        QuantumSpectralClustering,
        True,
        "check_clustering",
        (SpectralClustering(affinity="precomputed"), ValueError, "2-dimensional and square"),
        "the check gives a table, not a matrix",
    ),
    (
        QuantumLabelPropagation,
        False,
        "check_classifiers_classes",
        (LabelSpreading(), AssertionError, "Unexpected classes_ attribute"),
        "the check's classes are -1 and 1, and -1 marks unlabelled rows; the check leaves LabelSpreading out by name",
    ),
    (
        QuantumLabelPropagation,
        True,
        "check_classifiers_train",
        (LabelSpreadingOfPositiveData(kernel=linear_kernel, alpha=0.9, max_iter=1000), AssertionError, None),
        "a linear kernel of data shifted above 0 is largest with the outermost rows: no graph of neighbours",
    ),
]


def expected_failures(estimator: BaseEstimator) -> dict[str, str]:
    is_precomputed = estimator.kernel == "precomputed"
    return {
        check: f"{reason} (test below: {type(solver[0]).__name__} fails it too)"
        for owner, only_precomputed, check, solver, reason in FAILURES
        if isinstance(estimator, owner) and (is_precomputed or not only_precomputed)
    }


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
# check_class_weight_classifiers sets max_iter=1000 and weights of 1e3 and 1e-4; with tol=1e-10 the solver stops there.
@pytest.mark.filterwarnings("ignore:Solver terminated early:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        *(estimator() for estimator in ESTIMATORS + PROCESSES),
        *(estimator(FidelityKernel(engine=AutoEngine(shots=100, seed=0))) for estimator in ESTIMATORS + PROCESSES),
        *(estimator("precomputed") for estimator in ESTIMATORS),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


@pytest.mark.parametrize(("check", "solver"), [failure[2:4] for failure in FAILURES], ids=lambda value: str(value)[:40])
def test_expected_failures_are_those_of_the_solver(check: str, solver: tuple[Any, type[Exception], str | None]) -> None:
    estimator, error, message = solver
    with pytest.raises(error, match=message):
        getattr(estimator_checks, check)("SomeName", estimator)  # the names of some solvers are exempt


@pytest.mark.parametrize("solver", [SVC(), SVR(), OneClassSVM()], ids=["SVC", "SVR", "OneClassSVM"])
def test_the_solvers_fail_where_we_pass(solver: BaseEstimator) -> None:
    # Documents the claim of this module; when a scikit-learn release mends it, this test and the claim go.
    with pytest.raises(AssertionError, match="not equivalent"):
        check_sample_weight_equivalence_on_dense_data(type(solver).__name__, solver)
