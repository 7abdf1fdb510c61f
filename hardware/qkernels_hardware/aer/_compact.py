"""Noise models of a few qubits instead of a whole device.

A simulation that hands the noise of 156 qubits to Aer spends seconds on errors that no gate of a small circuit meets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from qiskit.circuit import Delay
from qiskit.providers import BackendV2
from qiskit.transpiler import QubitProperties, Target

from qkernels._errors import InvalidParameterError
from qkernels_hardware.aer._model import check_model, insert_error, insert_readout, local_errors

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel, RelaxationNoisePass

__all__ = ["compact_noise_model", "device_noise_model"]


def compact_noise_model(noise_model: NoiseModel, qubits: Sequence[int]) -> NoiseModel:
    """Cut a noise model down to some qubits, renumbered.

    Parameters
    ----------
    noise_model : qiskit_aer.noise.NoiseModel
    qubits : sequence of int, distinct
        ``qubits[k]`` becomes qubit k.

    Returns
    -------
    qiskit_aer.noise.NoiseModel
        With the errors inside of `qubits`, and all errors that apply to every qubit. Errors are shared, not copied.

    Raises
    ------
    InvalidParameterError
        `noise_model` is no NoiseModel, or has noise passes other than `RelaxationNoisePass`; the message names them.
    """
    from qiskit_aer.noise import NoiseModel

    check_model(noise_model, "compact_noise_model")
    position = {qubit: k for k, qubit in enumerate(qubits)}
    compact = NoiseModel(basis_gates=noise_model.basis_gates)
    for name, error in noise_model._default_quantum_errors.items():
        compact._default_quantum_errors[name] = error
        compact._noise_instructions.add(name)
    for name, where, error in local_errors(noise_model, position):
        insert_error(compact, name, where, error)
    if noise_model._default_readout_error is not None:
        compact.add_all_qubit_readout_error(noise_model._default_readout_error, warnings=False)
    for where, error in noise_model._local_readout_errors.items():
        if all(q in position for q in where):
            insert_readout(compact, tuple(position[q] for q in where), error)
    for noise_pass in noise_model._custom_noise_passes:
        compact._custom_noise_passes.append(_compact_pass(noise_pass, list(qubits)))
    return compact


def device_noise_model(backend: BackendV2, qubits: Sequence[int], names: Collection[str] | None = None) -> NoiseModel:
    """Make the noise model of some qubits of a device, renumbered.

    Parameters
    ----------
    backend : BackendV2
    qubits : sequence of int, distinct
        ``qubits[k]`` becomes qubit k.
    names : collection of str, optional
        Errors of these instructions only.

    Returns
    -------
    qiskit_aer.noise.NoiseModel
        The errors that ``NoiseModel.from_backend(backend)`` has inside of `qubits`. Readout errors and relaxation
        during delays are there whatever `names` says.

    Notes
    -----
    Cost: 15 ms per two-qubit and 2 ms per one-qubit place; the model of all 156 qubits of a device takes 10 s.
    """
    from qiskit_aer.noise import NoiseModel, RelaxationNoisePass
    from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors

    known = backend.target.qubit_properties
    target = _part_of_target(backend.target, list(qubits))
    wanted = _part_of_target(backend.target, list(qubits), names)
    model = NoiseModel(basis_gates=backend.operation_names)
    for where, error in basic_device_readout_errors(target=target):
        model.add_readout_error(error, where, warnings=False)
    for name, where, error in basic_device_gate_errors(target=wanted):
        model.add_quantum_error(error, name, where, warnings=False)
    if known:
        times = [_times(known[q]) for q in qubits]
        t1s, t2s = ([pair[i] for pair in times] for i in (0, 1))
        noise_pass = RelaxationNoisePass(
            t1s, t2s, backend.dt, Delay, excited_state_populations=[0] * len(times), target=target
        )
        model._custom_noise_passes.append(noise_pass)
    return model


def _compact_pass(noise_pass: RelaxationNoisePass, qubits: list[int]) -> RelaxationNoisePass:
    from qiskit_aer.noise import RelaxationNoisePass

    if type(noise_pass) is not RelaxationNoisePass:
        raise InvalidParameterError(
            f"compact_noise_model: the noise model has the noise pass {type(noise_pass).__name__}, which may depend on "
            "the numbers of qubits. Simulate all qubits of the device with Aer itself."
        )
    target = noise_pass._target
    return RelaxationNoisePass(
        noise_pass._t1s[qubits].tolist(),
        noise_pass._t2s[qubits].tolist(),
        noise_pass._dt,
        noise_pass._ops or None,
        excited_state_populations=noise_pass._p1s[qubits].tolist(),
        target=None if target is None else _part_of_target(target, qubits),
    )


def _part_of_target(
    target: Target,
    qubits: list[int],
    names: Collection[str] | None = None,
) -> Target:
    """Instructions inside of some qubits, renumbered; without those on all qubits, which have no errors."""
    position = {qubit: k for k, qubit in enumerate(qubits)}
    known = target.qubit_properties
    part = Target(
        num_qubits=len(qubits),
        dt=target.dt,
        qubit_properties=[known[q] if known else QubitProperties() for q in qubits],
    )
    for name in target.operation_names:
        everywhere = target[name]
        if everywhere is None or None in everywhere or (names is not None and name not in names):
            continue
        inside = {
            tuple(position[q] for q in where): properties
            for where, properties in everywhere.items()
            if all(q in position for q in where)
            # Aer takes the error of a measurement for a number
            and (name != "measure" or getattr(properties, "error", None) is not None)
        }
        if inside:
            part.add_instruction(target.operation_from_name(name), inside, name=name)
    return part


def _times(known: QubitProperties) -> tuple[float, float]:
    """T1 and T2 as Aer completes them."""
    t1 = np.inf if known.t1 is None else known.t1
    return t1, min(np.inf if known.t2 is None else known.t2, 2 * t1)
