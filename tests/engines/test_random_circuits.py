"""Two hundred random circuits over Qiskit's gate and expression zoo, against the oracle at 1e-10."""

from __future__ import annotations

import numpy as np
import pytest

from qkernels.engines import StatevectorEngine
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.oracle import (
    oracle_expectations,
    oracle_overlaps,
    random_circuit,
    random_inputs,
    random_observables,
)

TOLERANCE = 1e-10
NUM_CIRCUITS = 200
CHUNK = 10


@pytest.mark.parametrize(
    "first",
    [pytest.param(first, marks=pytest.mark.slow if first >= 20 else ()) for first in range(0, NUM_CIRCUITS, CHUNK)],
)
def test_gram_cross_and_expectations_equal_the_oracle(first: int) -> None:
    engine = StatevectorEngine()
    for seed in range(first, first + CHUNK):
        circuit, parameters = random_circuit(seed)
        # The first few parameters of every third circuit are trainable.
        split = min(2, len(parameters)) if seed % 3 == 0 else 0
        trained, x = parameters[:split], parameters[split:]
        rows = random_inputs(6, len(parameters), seed)
        theta = rows[0, :split] if split else None
        X, Y = rows[:4, split:], rows[4:, split:]
        expected = {"theta_params": trained, "theta": [] if theta is None else theta}
        message = f"random_circuit({seed})"

        program = OverlapProgram(circuit, x, trained or None)
        gram = engine.overlaps(program, X, theta=theta).values
        np.testing.assert_allclose(
            gram, oracle_overlaps(circuit, x, X, **expected), rtol=0, atol=TOLERANCE, err_msg=message
        )
        cross = engine.overlaps(program, Y, X, theta=theta).values
        np.testing.assert_allclose(
            cross, oracle_overlaps(circuit, x, Y, X, **expected), rtol=0, atol=TOLERANCE, err_msg=message
        )
        observables = random_observables(circuit.num_qubits, 4, seed)
        values = engine.expectations(
            ExpectationProgram(circuit, observables=observables, x=x, theta=trained or None), X, theta=theta
        ).values
        np.testing.assert_allclose(
            values,
            oracle_expectations(circuit, observables, x, X, **expected),
            rtol=0,
            atol=TOLERANCE,
            err_msg=message,
        )
