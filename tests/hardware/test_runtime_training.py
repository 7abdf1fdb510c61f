"""RuntimeEngine: what training a variational model costs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels import VQC
from qkernels.engines import clear_cache
from qkernels.variational import RealAmplitudesAnsatz
from qkernels_hardware import RuntimeEngine
from tests.hardware.runtime_cases import blocks_of

Values = NDArray[np.float64]


class OneStep:
    """A loss, its gradient, and a point that is new."""

    def minimize(self, fun: Any, x0: Values, jac: Any = None, bounds: Any = None) -> Any:
        fun(x0)
        return SimpleNamespace(x=x0 - 0.1 * jac(x0))


def test_circuits_and_shots_of_a_fit_are_those_of_its_jobs(tmp_path: Path) -> None:
    """Three strings of Z in one basis; the values, two shifts of each of four angles, and the values of the result."""
    clear_cache()
    X, y = np.random.default_rng(0).uniform(-1, 1, (6, 2)), np.arange(6) % 3
    engine = RuntimeEngine("aer_simulator", shots=50, seed=0, ledger=tmp_path / "ledger.sqlite")
    ansatz = RealAmplitudesAnsatz(reps=1)
    model = VQC(None, ansatz, engine=engine, optimizer=OneStep(), reuploads=1, random_state=0).fit(X, y)
    blocks = blocks_of(tmp_path / "ledger.sqlite")
    assert sum(block.entries for block in blocks) == 6 * (1 + 2 * 4 + 1)
    assert model.num_circuits_ == sum(block.entries for block in blocks)
    assert model.num_shots_ == sum(block.executions for block in blocks)
