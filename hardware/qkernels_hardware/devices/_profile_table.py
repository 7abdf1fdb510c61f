"""From the numbers of a noise profile to a noise table of some of its qubits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qkernels.engines import NoiseTable, Relaxation
from qkernels_hardware.devices._calibration import gate_transfer, readout_matrix, relaxation_of
from qkernels_hardware.devices._profile_records import GateNoise

if TYPE_CHECKING:
    from qkernels_hardware.devices._profile import NoiseProfile

__all__ = ["table_of"]

Values = NDArray[np.float64]

_VIRTUAL = ("rz", "p", "u1")
"""Changes of the reference frame: without pulse, so without error, also where a device does not list them."""

_NOT_GATES = ("reset", "delay", "measure")
"""Their errors say nothing about depolarizing; measurements have readout errors instead."""


def table_of(profile: NoiseProfile, qubits: Sequence[int]) -> NoiseTable:
    """Make the noise table of some qubits, renumbered, without looking at `scale`.

    Parameters
    ----------
    profile : NoiseProfile
    qubits : sequence of int, distinct

    Returns
    -------
    NoiseTable
        ``qubits[k]`` is its qubit k. Channels are built for places inside of `qubits` only.
    """
    position = {qubit: k for k, qubit in enumerate(qubits)}
    relaxations = {q: relaxation_of(profile.qubits[q].t1, profile.qubits[q].t2) for q in qubits}
    return NoiseTable(
        _channels(profile, position, relaxations),
        readout={position[q]: matrix for q, matrix in _readouts(profile) if q in position},
        relaxation={position[q]: one for q, one in relaxations.items() if one is not None},
        dt=profile.dt,
        ideal={*_VIRTUAL, *(name for name, rows in profile.instructions.items() if _is_ideal(name, rows))},
        form="transfer",
    )


def _channels(
    profile: NoiseProfile, position: Mapping[int, int], relaxations: Mapping[int, Relaxation | None]
) -> dict[tuple[str, tuple[int, ...]], Values]:
    channels = {}
    for name, rows in profile.instructions.items():
        if rows is None or name in ("measure", "delay") or _is_ideal(name, rows):
            continue
        for where, error, duration in rows:
            if not all(q in position for q in where) or (error is None and duration is None):
                continue
            found = gate_transfer(error, duration, [relaxations[q] for q in where], unitary=name not in _NOT_GATES)
            # without error, and known to be: the identity keeps an engine from warning
            channel = np.eye(4 ** len(where)) if found is None else found
            channels[name, tuple(position[q] for q in where)] = channel
    return channels


def _readouts(profile: NoiseProfile) -> Iterator[tuple[int, Values]]:
    for (qubit, *_), error, _ in profile.instructions.get("measure") or ():
        known = profile.qubits[qubit]
        if profile.readout == "measured" and known.one_if_zero is not None and known.zero_if_one is not None:
            yield qubit, readout_matrix(known.one_if_zero, known.zero_if_one)
        elif error:
            yield qubit, readout_matrix(error, error)


def _is_ideal(name: str, rows: Iterable[GateNoise] | None) -> bool:
    """Whether an instruction is known to be without error everywhere."""
    if name in _NOT_GATES:
        return False
    return rows is None or all(row.error == 0 and row.duration == 0 for row in rows)
