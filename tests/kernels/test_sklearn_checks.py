"""scikit-learn's own checks on kernels as transformers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from qkernels import AutoEngine, CPMap, FidelityKernel
from qkernels.kernels import ProjectedKernel, QuantumKernel


def expected_failures(_: QuantumKernel) -> dict[str, str]:
    return {
        "check_sample_weight_equivalence_on_dense_data": "the columns of transform are the fitted rows, so fitting "
        "repeated rows gives more columns than fitting weighted rows"
    }


@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
@parametrize_with_checks(
    [
        FidelityKernel(),
        FidelityKernel(engine=AutoEngine(shots=100, seed=0)),
        ProjectedKernel(),
        ProjectedKernel(engine=AutoEngine(shots=100, seed=0)),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn(estimator: QuantumKernel, check: Callable[[QuantumKernel], None]) -> None:
    check(estimator)


def test_map_that_takes_no_single_feature_passes_the_check_of_one_feature() -> None:
    from sklearn.utils.estimator_checks import check_fit2d_1feature

    check_fit2d_1feature("FidelityKernel", FidelityKernel(CPMap()))
