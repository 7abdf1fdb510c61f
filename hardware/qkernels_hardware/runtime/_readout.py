"""Readout errors of the qubits that a circuit measures: read when a series is opened, and stored with it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels_hardware.aer import resolve_source
from qkernels_hardware.ledger import SeriesRecord
from qkernels_hardware.routing import ESTIMATE, OVERLAP, layout_indices
from qkernels_hardware.work import MeasuredCircuit

__all__ = ["measured_qubits", "readout_settings", "stored_readout", "symmetrized"]

Values = NDArray[np.float64]


def measured_qubits(circuit: QuantumCircuit, copies: int) -> list[list[int]]:
    """Physical qubits in the order of the program's, for every copy: routing may have moved them."""
    found = []
    for k in range(copies):
        (register,) = (r for r in circuit.cregs if r.name == f"t{k}")
        places = {item.clbits[0]: item.qubits[0] for item in circuit.data if item.operation.name == "measure"}
        found.append([circuit.find_bit(places[bit]).index for bit in register])
    return found


def readout_settings(
    backend: BackendV2, circuits: Iterable[MeasuredCircuit], *, local: bool
) -> dict[str, list[list[list[float]]]]:
    """P(read | true) of every qubit of a program, by circuit, for the settings of a series.

    What was measured belongs to the device as it was: another process, on another day, corrects the same bits by the
    same numbers.

    Parameters
    ----------
    backend : BackendV2
    circuits : iterable of MeasuredCircuit
        As they were just transpiled. Nothing is corrected in those of single bases.
    local : bool
        Whether the backend simulates: then by its noise, else by its calibration.

    Returns
    -------
    dict of str to list
        Of shape (n, 2, 2): the mean over the copies of a tiled circuit.
    """
    found = {}
    for one in circuits:
        if one.name in (OVERLAP, ESTIMATE):
            places = (
                [list(layout_indices(one.circuit, one.num_qubits, final=True))]
                if one.observables
                else measured_qubits(one.circuit, one.copies)
            )
            matrices = _simulated(backend, places) if local else [[_calibrated(backend, q) for q in t] for t in places]
            found[one.name] = np.mean(matrices, axis=0).tolist()
    return found


def stored_readout(series: SeriesRecord, circuit: str) -> Values:
    """P(read | true) of every qubit of a program when a series was opened, shape (n, 2, 2).

    Raises
    ------
    InvalidParameterError
        The series was written by a version that did not store them.
    """
    stored = series.settings.get("readout")
    if not isinstance(stored, dict):
        raise InvalidParameterError(
            f"Series {series.id} of the ledger was written by another version; use layout='refresh'."
        )
    return np.array(stored[circuit], dtype=np.float64)


def symmetrized(readout: Values) -> Values:
    """P(read | true) where a random half of the shots is flipped before the measurement, and back after it."""
    return np.asarray(0.5 * (readout + readout[:, ::-1, ::-1]))


def _simulated(backend: BackendV2, places: list[list[int]]) -> list[list[Values]]:
    used = sorted({q for tile in places for q in tile})
    model = resolve_source(backend).model(used, ["measure"])
    default = model._default_readout_error
    errors = {q: model._local_readout_errors.get((k,), default) for k, q in enumerate(used)}
    matrices = {q: np.eye(2) if e is None else np.asarray(e.probabilities).T for q, e in errors.items()}
    return [[matrices[q] for q in tile] for tile in places]


def _calibrated(backend: BackendV2, qubit: int) -> Values:
    """By the two kinds of errors where the device knows them, else by their mean."""
    try:
        known = backend.properties().qubit_property(qubit)
        wrong_one, wrong_zero = known["prob_meas1_prep0"][0], known["prob_meas0_prep1"][0]
    except (AttributeError, KeyError, TypeError):
        target = backend.target
        entry = target["measure"].get((qubit,)) if "measure" in target.operation_names else None
        wrong_one = wrong_zero = float(getattr(entry, "error", None) or 0.0)
    return np.array([[1.0 - wrong_one, wrong_zero], [wrong_one, 1.0 - wrong_zero]])
