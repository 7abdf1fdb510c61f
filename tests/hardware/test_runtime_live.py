"""A kernel of four rows on a real device of IBM Quantum: off unless ``QKERNELS_LIVE=1``, at most 20 QPU seconds.

It needs a saved account (or ``QISKIT_IBM_TOKEN`` and ``QISKIT_IBM_INSTANCE``). ``QKERNELS_LIVE_BACKEND`` names the
device; without it, the one with the shortest queue is taken. ``QKERNELS_LIVE_LEDGER`` names a file for the ledger: a
test that is interrupted, or that waits too long in a queue, then goes on where it ended and pays nothing twice.

    QKERNELS_LIVE=1 QKERNELS_LIVE_LEDGER=~/qkernels-live.sqlite python -m pytest tests/hardware/test_runtime_live.py
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from qkernels import FidelityKernel, StatevectorEngine, ZZFeatureMap
from qkernels_hardware import Budget, Ledger, RuntimeEngine

SECONDS = 20.0
SHOTS = 512

pytestmark = pytest.mark.skipif(
    os.environ.get("QKERNELS_LIVE") != "1",
    reason="costs up to 20 QPU seconds of an IBM Quantum account; QKERNELS_LIVE=1 turns it on",
)


def device() -> str:
    from qiskit_ibm_runtime import QiskitRuntimeService

    named = os.environ.get("QKERNELS_LIVE_BACKEND")
    return named or str(QiskitRuntimeService().least_busy(operational=True, simulator=False).name)


def test_a_small_kernel_on_a_device(tmp_path: Path) -> None:
    path = Path(os.environ.get("QKERNELS_LIVE_LEDGER") or tmp_path / "live.sqlite").expanduser()
    engine = RuntimeEngine(device(), shots=SHOTS, ledger=path, budget=Budget(qpu_seconds=SECONDS), mode="job")
    kernel = FidelityKernel(ZZFeatureMap(), engine=engine, bandwidth=0.5)
    X = np.random.default_rng(3).uniform(0.0, 1.0, (4, 2))
    plan = kernel.plan(X)
    assert plan.qpu_seconds + plan.paid_seconds < SECONDS
    K = kernel(X)
    exact = FidelityKernel(ZZFeatureMap(), engine=StatevectorEngine(), bandwidth=0.5)(X)
    # Two qubits: gates and readout of today's devices take a few percent away, and shots scatter by two.
    assert np.abs(K - exact).max() < 0.25
    assert np.allclose(K, K.T)
    with Ledger.open(path, read_only=True) as ledger:
        spent = ledger.spent()
    assert spent.jobs == 1
    assert 0.0 < spent.paid <= SECONDS
    assert np.array_equal(kernel(X), K)
