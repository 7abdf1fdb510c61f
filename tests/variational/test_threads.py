"""Fits in threads: the process has the settings afterwards that it had before, and seeds decide as ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit_machine_learning.utils import algorithm_globals
from threadpoolctl import threadpool_info

from qkernels import VQC

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Values = NDArray[np.float64]

X = np.random.default_rng(0).uniform(-1, 1, (12, 2))
Y = np.arange(12) % 2
PATIENCE = 20.0
"""Seconds to wait for the other thread, which never takes as long unless it failed."""


def fit(**options: Any) -> Values:
    theta: Values = VQC(**{"max_iter": 3, "random_state": 0, **options}).fit(X, Y).theta_
    return theta


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_overlapping_fits_leave_the_blas_threads_as_they_were() -> None:
    """The second fit begins in the middle of the first and outlives it."""
    before = blas_threads()
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def in_first(*_: object) -> None:
        first_is_in.set()
        assert second_is_in.wait(PATIENCE)

    def in_second(*_: object) -> None:
        second_is_in.set()
        assert first_is_out.wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fit, callback=in_first)
        assert first_is_in.wait(PATIENCE)
        second = pool.submit(fit, callback=in_second)
        first.result()
        first_is_out.set()
        second.result()
    assert blas_threads() == before


def test_seeds_decide_in_threads_and_the_users_generator_is_left_alone() -> None:
    expected = fit(optimizer="SPSA")
    before = algorithm_globals.random_seed
    algorithm_globals.random_seed = 1234
    drawn = algorithm_globals.random.random(3)
    try:
        algorithm_globals.random_seed = 1234
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: fit(optimizer="SPSA"), range(6)))
        assert algorithm_globals.random_seed == 1234
        np.testing.assert_array_equal(algorithm_globals.random.random(3), drawn)
    finally:
        algorithm_globals.random_seed = before
    for theta in found:
        np.testing.assert_array_equal(theta, expected)


def test_a_callback_may_fit_a_model_of_its_own() -> None:
    inner: list[Values] = []
    outer = fit(optimizer="SPSA", callback=lambda *_: inner.append(fit(optimizer="SPSA", random_state=1)))
    np.testing.assert_array_equal(inner[0], fit(optimizer="SPSA", random_state=1))
    assert outer.shape == inner[0].shape


@pytest.mark.parametrize("optimizer", ["ADAM", "SPSA", "L-BFGS-B"])
def test_a_callback_may_wait_for_a_fit_in_another_thread(optimizer: str) -> None:
    inner: list[Values] = []

    def waits(*_: object) -> None:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(fit, optimizer="SPSA", random_state=1)
            try:
                inner.append(future.result(PATIENCE))
            except TimeoutError:
                raise StopIteration from None  # lets the other thread go on

    outer = fit(optimizer=optimizer, callback=waits)
    assert len(inner) >= 2
    np.testing.assert_array_equal(inner[0], fit(optimizer="SPSA", random_state=1))
    np.testing.assert_array_equal(outer, fit(optimizer=optimizer))
