"""Nothing that decides a prediction changes unnoticed: neither circuit nor noise nor numbers."""

import numpy as np
import pytest
from cultivars import build_kernel, build_model, device_engine, lab_engine, load_table

from qkernels import OverlapProgram
from qkernels.testing import assert_kernels_close, check_engine

X, y = load_table()
SOME = X[::9]  # 20 wines: enough to notice a change, and a file that can be read


def test_matrix_without_noise(kernel_regression):
    kernel_regression.check(build_kernel(), SOME)


@pytest.mark.parametrize("shots", [None, 500])
def test_matrix_in_the_lab(kernel_regression, shots):
    kernel_regression.check(build_kernel(lab_engine(shots)), SOME)


def test_matrix_on_the_device(kernel_regression):
    kernel_regression.check(build_kernel(device_engine(shots=500)), SOME)


KERNEL = build_kernel().fit(SOME)
CIRCUIT = KERNEL.feature_map_.build(SOME.shape[1])
PROGRAM = OverlapProgram(CIRCUIT, KERNEL.feature_map_.parameter_vector(SOME.shape[1]))


def overlaps(engine):
    """Raw values of the kernel's circuit, before corrections, with their shots."""
    return engine.overlaps(PROGRAM, KERNEL.factor_ * (SOME - KERNEL.offset_))


@pytest.mark.parametrize("build", [lab_engine, device_engine])
def test_shots_scatter_around_the_exact_values(build):
    assert_kernels_close(overlaps(build(shots=2000)), overlaps(build()))


def test_the_device_is_not_the_lab():
    with pytest.raises(AssertionError, match="Kernel matrices differ"):
        assert_kernels_close(overlaps(lab_engine(shots=20_000)), overlaps(device_engine(shots=20_000)))


def test_mitigation_brings_the_matrix_closer_to_the_one_without_noise():
    mitigated = build_kernel(lab_engine()).fit(SOME)
    raw_error = np.abs(mitigated(SOME) - KERNEL.gram_).mean()
    assert np.abs(mitigated.gram_ - KERNEL.gram_).mean() < raw_error / 2


def test_the_engine_keeps_the_contract():
    check_engine(lambda: lab_engine(shots=100), programs={"ours": PROGRAM})


@pytest.mark.parametrize("engine", [None, lab_engine(shots=500)], ids=["ideal", "noisy"])
def test_the_model_is_good_enough(engine):
    assert build_model(engine).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.85
