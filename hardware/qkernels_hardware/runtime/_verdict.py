"""Whether a kernel can be told from the identity with the shots that are asked for: from a simulation without noise."""

from __future__ import annotations

import numpy as np

from qkernels._errors import QKernelsError
from qkernels.circuits import circuit_of
from qkernels.engines import AutoEngine, MPSEngine, Prepared
from qkernels.programs import RESOLUTION_SIGMAS, OverlapProgram, shots_to_resolve

__all__ = ["concentration_verdict"]

_MOST_ROWS = 100
"""Rows that are simulated; 4 950 pairs say enough about a mean and a spread."""

_MOST_AMPLITUDES = 1 << 23
"""Amplitudes of all statevectors together: some seconds."""


def concentration_verdict(program: OverlapProgram, rows: Prepared, shots: int) -> str:
    """A verdict in words, by a rule.

    "Not worth QPU time" where the exact off-diagonal entries spread by less than two standard errors of the shots.

    Parameters
    ----------
    program : OverlapProgram
    rows : Prepared
        Bound rows.
    shots : int
        Of every entry.

    Returns
    -------
    str
        One sentence; where the circuit cannot be simulated, that.

    References
    ----------
    Thanasilp et al., "Exponential concentration in quantum kernel methods", arXiv:2208.11060.
    """
    if len(rows.keys) < 2:
        return "unknown: one distinct row has no off-diagonal entries."
    try:
        circuit, parameters = circuit_of(program.flat)
        simulated = OverlapProgram(circuit, parameters)
        count = _affordable_rows(simulated, min(len(rows.keys), _MOST_ROWS))
        if count < 2:
            return f"unknown: {program.num_qubits} qubits take too long to simulate for a plan."
        chosen = np.linspace(0, len(rows.keys) - 1, count).astype(np.intp)
        gram = AutoEngine().overlaps(simulated, rows.angles[chosen]).values
        exact = gram[np.triu_indices(count, 1)]
    except QKernelsError as error:
        return f"unknown: the circuit cannot be simulated exactly here ({error})"
    mean, spread = float(exact.mean()), float(exact.std())
    noise = float(np.sqrt((exact * (1.0 - exact)).mean() / shots))
    needed = shots_to_resolve(min(mean, 1.0), float(exact.var()))
    seen = f"exact off-diagonal entries are {mean:.3g} ± {spread:.2g}, shot noise is {noise:.2g} at {shots:,} shots"
    if mean * shots < 1.0:
        return (
            f"not worth QPU time: {seen}; an entry would count less than one all-zero outcome, which cannot be told "
            "from the identity matrix. Use a smaller bandwidth or fewer qubits."
        )
    if spread < RESOLUTION_SIGMAS * noise:
        return (
            f"not worth QPU time: {seen}; entries cannot be told apart below about {needed:,.0f} shots. Use a smaller "
            "bandwidth, fewer qubits, or more shots."
        )
    return f"distinguishable without noise: {seen}; about {min(needed, shots):,.0f} shots would do."


def _affordable_rows(program: OverlapProgram, rows: int) -> int:
    """Rows that are simulated in a few seconds: all of them as matrix-product states, less of large statevectors."""
    if isinstance(AutoEngine().choose(program, rows), MPSEngine):
        return rows
    return min(rows, _MOST_AMPLITUDES >> program.num_qubits)
