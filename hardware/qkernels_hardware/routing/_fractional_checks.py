"""What the client leaves undone before a job with fractional gates is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression
from qiskit.circuit.library import RZZGate

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import AngleTable
from qkernels_hardware.routing._fractional_angles import fold_rzz_angles

__all__ = ["check_fractional_options", "check_rzz_values", "fold_fixed_angles"]

_LARGEST = pi / 2 + 1e-10
"""The device's own limit; the client allows the same rounding."""


def fold_fixed_angles(isa_circuit: QuantumCircuit) -> QuantumCircuit:
    """Fold RZZ gates with a number for their angle, in a transpiled circuit.

    Parameters
    ----------
    isa_circuit : QuantumCircuit
        For a device with fractional gates.

    Returns
    -------
    QuantumCircuit
        The same up to a global phase, with its layout; X and RZ beside RZZ whose angle was not in [0, π/2]. The
        circuit itself where there is none.

    Notes
    -----
    At level 3 Qiskit may write fixed two-qubit gates as RZZ of any angle. qiskit-ibm-runtime has put the limits into
    its targets since 0.48, which makes Qiskit fold them; this is for older clients, and models without the limits.
    """
    folded = isa_circuit.copy_empty_like()
    changed = False
    for item in isa_circuit.data:
        angle = item.operation.params[0] if item.operation.name == "rzz" else None
        if angle is None or isinstance(angle, ParameterExpression) or 0.0 <= angle <= _LARGEST:
            folded.append(item)
            continue
        changed = True
        size, negative, odd = fold_rzz_angles(np.array([float(angle)]))
        first = item.qubits[0]
        if odd[0]:
            folded.rz(pi, item.qubits)
        if negative[0]:
            folded.x(first)
        folded.append(RZZGate(float(size[0])), item.qubits)
        if negative[0]:
            folded.x(first)
    return folded if changed else isa_circuit


def check_rzz_values(isa_circuit: QuantumCircuit, values: NDArray[np.float64]) -> None:
    """Refuse a transpiled circuit in which an RZZ angle leaves [0, π/2] for some row of values.

    Parameters
    ----------
    isa_circuit : QuantumCircuit
        As it will be submitted, without control flow.
    values : ndarray of shape (P, k), float64
        Parameter values in the order of ``isa_circuit.parameters``.

    Raises
    ------
    InvalidParameterError
        `values` is not of shape (P, k).
    UnsupportedCircuitError
        An angle is below 0 or above π/2 (by more than 1e-10); the message names instruction, row and value.

    Notes
    -----
    Every distinct angle expression is evaluated over all rows as the transpiler left it: one array operation each.
    """
    parameters = list(isa_circuit.parameters)
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(parameters):
        raise InvalidParameterError(
            f"check_rzz_values: values must be of shape (P, {len(parameters)}), one column per parameter of "
            f"isa_circuit; got {given.shape}."
        )
    table = AngleTable({p: k for k, p in enumerate(parameters)})
    symbolic: list[tuple[str, int]] = []
    for position, item in enumerate(isa_circuit.data):
        if item.operation.name != "rzz":
            continue
        angle = item.operation.params[0]
        qubits = tuple(isa_circuit.find_bit(q).index for q in item.qubits)
        where = f"instruction 'rzz' on qubits {qubits} at position {position}"
        if isinstance(angle, ParameterExpression) and angle.parameters:
            symbolic.append((where, table.add(angle, where)))
        elif not 0.0 <= float(angle) <= _LARGEST:
            raise _out_of_range(where, float(angle), "every row")
    if not symbolic:
        return
    angles = table.evaluate(given)
    bad = (angles < 0.0) | (angles > _LARGEST)
    for where, slot in symbolic:
        rows = np.flatnonzero(bad[:, slot])
        if len(rows):
            raise _out_of_range(where, float(angles[rows[0], slot]), f"row {rows[0]}")


def check_fractional_options(options: Mapping[str, object]) -> None:
    """Refuse options of the Sampler or the Estimator that do not work with fractional gates.

    Parameters
    ----------
    options : mapping
        Options of the client, nested as it takes them, e.g. ``{"twirling": {"enable_gates": True}}``.

    Raises
    ------
    InvalidParameterError
        Gate twirling, probabilistic error cancellation (PEC) or zero-noise extrapolation (ZNE, by amplification PEA
        or by gate folding) is switched on, by itself or by ``resilience_level=2``; the message names the options.

    Notes
    -----
    Twirling, PEC and PEA put Paulis around two-qubit gates, which only Clifford gates allow. Gate folding leaves RZZ
    as it is without a word, so it would extrapolate from noise that was never amplified. Measurement twirling,
    readout mitigation (TREX) and dynamical decoupling are not refused.
    """
    level = _option(options, "resilience_level")
    twirling = _option(options, "twirling", "enable_gates")
    extrapolation = _option(options, "resilience", "zne_mitigation")
    clashes = []
    if twirling:
        clashes.append("twirling.enable_gates (gate twirling)")
    if _option(options, "resilience", "pec_mitigation"):
        clashes.append("resilience.pec_mitigation (PEC)")
    if extrapolation:
        amplifier = _option(options, "resilience", "zne", "amplifier") or "gate_folding"
        clashes.append(f"resilience.zne_mitigation (ZNE with amplifier {amplifier!r})")
    if level == 2 and twirling is None:
        clashes.append("resilience_level=2 (gate twirling, unless twirling.enable_gates is False)")
    if level == 2 and extrapolation is None:
        clashes.append("resilience_level=2 (ZNE, unless resilience.zne_mitigation is False)")
    if clashes:
        raise InvalidParameterError(
            f"options must not switch on {' and '.join(clashes)} together with fractional gates: these methods need "
            "CZ gates. Switch them off, or do not use fractional gates."
        )


def _option(options: object, *path: str) -> object:
    """One nested option; None where it is not set."""
    for key in path:
        options = options.get(key) if isinstance(options, Mapping) else getattr(options, key, None)
    return options


def _out_of_range(where: str, angle: float, row: str) -> UnsupportedCircuitError:
    return UnsupportedCircuitError(
        f"{where} has the angle {angle} for {row}; a device runs RZZ only for angles in [0, π/2] = [0, {pi / 2}]. "
        "Fold the angles with fractional_form before transpilation, or do not use fractional gates."
    )
