"""Noise models of Aer and noise tables: from one to the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Delay

from qkernels._errors import InvalidParameterError
from qkernels.engines import NoiseTable, Relaxation
from qkernels_hardware.aer._errors import error_of_transfer, transfer_of_error
from qkernels_hardware.aer._model import check_model, insert_error, insert_readout, local_errors

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel

__all__ = ["aer_noise_model", "noise_table"]

Values = NDArray[np.float64]

_NO_EFFECT = 1e-12
"""Entries of a transfer matrix below this are rounding errors."""


def noise_table(
    noise_model: NoiseModel, qubits: Sequence[int] | None = None, *, ideal: Iterable[str] = ("rz", "p", "u1")
) -> NoiseTable:
    """Write a noise model of Aer as a noise table.

    Parameters
    ----------
    noise_model : qiskit_aer.noise.NoiseModel
    qubits : sequence of int, distinct, optional
        Only these, renumbered: ``qubits[k]`` becomes qubit k. By default all, with their numbers.
    ideal : iterable of str, default=("rz", "p", "u1")
        Instructions known to have no error; a noise model does not list them.

    Returns
    -------
    NoiseTable
        Local and default errors, readout errors, and relaxation during delays. An error that Aer inserts before a
        measurement is a part of its readout matrix.

    Raises
    ------
    InvalidParameterError
        `noise_model` is no NoiseModel, or has what a table cannot hold; the message names it: readout errors of
        several qubits at once, noise passes other than relaxation during delays, errors on delays besides it, errors
        with control flow, errors before a measurement that turn coherences into populations.

    Notes
    -----
    Cost: 3 ms per two-qubit error of a device model. Aer finds errors by the label of an instruction where it has one;
    a table by its name.
    """
    check_model(noise_model, "noise_table")
    position = None if qubits is None else {qubit: k for k, qubit in enumerate(qubits)}
    channels, before_measurement = {}, {}
    for name, where, error in local_errors(noise_model, position):
        transfer = transfer_of_error(error, f"of {name!r} on qubits {where} of the noise model")
        if name == "measure":
            before_measurement[where[0]] = _misread(transfer, str(where))
        else:
            channels[name, where] = transfer
    defaults = {
        name: transfer_of_error(error, f"of {name!r} on all qubits of the noise model")
        for name, error in noise_model._default_quantum_errors.items()
        if name != "barrier"  # Aer takes barriers out before it inserts errors
    }
    everywhere = _misread(defaults.pop("measure"), "all") if "measure" in defaults else np.eye(2)
    readout, default_readout = _readout(noise_model, position)
    default_readout = np.eye(2) if default_readout is None else default_readout
    dt, relaxation = _relaxation(noise_model, position)
    if relaxation and "delay" in {*defaults, *(name for name, _ in channels)}:
        raise _refuse("errors on 'delay' that act before relaxation")  # in a table, they act after it
    return NoiseTable(
        channels,
        defaults=defaults,
        readout={
            q: readout.get(q, default_readout) @ before_measurement.get(q, everywhere)
            for q in sorted(readout.keys() | before_measurement.keys())
        },
        default_readout=None
        if np.array_equal(default_readout @ everywhere, np.eye(2))
        else default_readout @ everywhere,
        relaxation=relaxation,
        dt=dt,
        ideal=ideal,
        form="transfer",
    )


def aer_noise_model(table: NoiseTable, num_qubits: int, basis_gates: Collection[str] | None = None) -> NoiseModel:
    """Write a noise table as a noise model of Aer.

    Parameters
    ----------
    table : NoiseTable
    num_qubits : int
        Qubits of the circuits that will be simulated; a table has no number of its own.
    basis_gates : collection of str, optional
        Of the noise model: what a transpiler may use for circuits that are not transpiled yet. Names of `table` are
        added.

    Returns
    -------
    qiskit_aer.noise.NoiseModel
        `noise_table` of it has the same channels, readout matrices and relaxation.

    Raises
    ------
    InvalidParameterError
        A channel is not completely positive, as fractional powers of some channels are; the message names it.

    Notes
    -----
    Cost: 2 ms per two-qubit channel. Channels become Kraus operators.
    """
    from qiskit_aer.noise import NoiseModel, ReadoutError, RelaxationNoisePass

    model = NoiseModel(basis_gates=None if basis_gates is None else sorted(basis_gates))
    for name in table.default_names:
        error = error_of_transfer(_default_transfer(table, name), f"of {name!r} on all qubits")
        model._default_quantum_errors[name] = error
        model._noise_instructions.add(name)
        model.add_basis_gates(name)
    for name, where in table.places:
        transfer = table.transfer(name, where)
        ideal = transfer is None or np.array_equal(transfer, np.eye(len(transfer)))
        if transfer is not None and (name in table.default_names or not ideal):
            insert_error(model, name, where, error_of_transfer(transfer, f"of {name!r} on qubits {where}"))
            model.add_basis_gates(name)
    for qubit in range(num_qubits):
        if not np.array_equal(readout := table.readout_matrix(qubit), np.eye(2)):
            insert_readout(model, (qubit,), ReadoutError(readout.T))
    relaxations = [table.relaxation(qubit) or Relaxation(np.inf, np.inf) for qubit in range(num_qubits)]
    if any(np.isfinite([r.t1, r.t2]).any() for r in relaxations):
        noise_pass = RelaxationNoisePass(
            [r.t1 for r in relaxations],
            [min(r.t2, 2 * r.t1) for r in relaxations],
            table.dt,
            Delay,
            excited_state_populations=[r.excited for r in relaxations],
        )
        model._custom_noise_passes.append(noise_pass)
    return model


def _refuse(what: str) -> InvalidParameterError:
    return InvalidParameterError(f"The noise model has {what}, which a NoiseTable cannot hold.")


def _misread(transfer: Values, qubits: str) -> Values:
    """P(measured | true) of a channel before a measurement."""
    if len(transfer) > 4:
        raise _refuse(f"an error on 'measure' of several qubits at once (qubits {qubits})")
    if np.abs(transfer[3, 1:3]).max() > _NO_EFFECT:
        raise _refuse(f"an error on 'measure' (qubits {qubits}) that turns coherences into populations")
    offset, factor = transfer[3, 0], transfer[3, 3]  # z → offset + factor z, with z = 1 for state 0 and −1 for 1
    zero = np.array([1.0 + offset + factor, 1.0 + offset - factor]) / 2.0
    return np.array([zero, 1.0 - zero])


def _readout(noise_model: NoiseModel, position: dict[int, int] | None) -> tuple[dict[int, Values], Values | None]:
    """P(read | true) of qubits of their own, and of all others."""
    found = {}
    for where, error in noise_model._local_readout_errors.items():
        if position is not None and not any(q in position for q in where):
            continue
        if len(where) > 1:
            raise _refuse(f"a readout error of the qubits {tuple(where)} together")
        found[where[0] if position is None else position[where[0]]] = error.probabilities.T
    default = noise_model._default_readout_error
    return found, None if default is None else default.probabilities.T


def _relaxation(noise_model: NoiseModel, position: dict[int, int] | None) -> tuple[float | None, dict[int, Relaxation]]:
    """Seconds of a sample, and relaxation of idle qubits."""
    from qiskit_aer.noise import RelaxationNoisePass

    passes = noise_model._custom_noise_passes
    for noise_pass in passes:
        if type(noise_pass) is not RelaxationNoisePass:
            raise _refuse(f"the noise pass {type(noise_pass).__name__}")
        if noise_pass._ops != (Delay,):
            names = ", ".join(op.__name__ for op in noise_pass._ops) or "all instructions"
            raise _refuse(f"a RelaxationNoisePass for {names} instead of Delay only")
    if not passes:
        return None, {}
    if len(passes) > 1:
        raise _refuse(f"{len(passes)} relaxation passes")
    [only] = passes
    relaxation = {}
    for qubit, times in enumerate(zip(only._t1s.tolist(), only._t2s.tolist(), only._p1s.tolist(), strict=True)):
        if np.isfinite(times[:2]).any() and (position is None or qubit in position):
            relaxation[qubit if position is None else position[qubit]] = Relaxation(*times)
    return only._dt or None, relaxation


def _default_transfer(table: NoiseTable, name: str) -> Values:
    """A default channel: what qubits get that the table does not list."""
    beyond, num_qubits = 1 + max((max(where) for _, where in table.places), default=0), 1
    while (found := table.transfer(name, range(beyond, beyond + num_qubits))) is None:
        num_qubits += 1  # a table tells it to as many qubits as the channel has only
    return found
