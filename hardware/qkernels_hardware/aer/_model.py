"""Inside of a noise model of Aer, whose errors no public method gives or takes one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from typing import TYPE_CHECKING

from qkernels._errors import InvalidParameterError
from qkernels.programs import settings_text

if TYPE_CHECKING:
    from qiskit_aer.noise import LocalNoisePass, NoiseModel, QuantumError, ReadoutError

__all__ = ["check_model", "insert_error", "insert_readout", "local_errors", "model_digest", "snapshot_of"]


def check_model(noise_model: object, owner: str) -> None:
    """Check that an argument is a noise model.

    Parameters
    ----------
    noise_model : object
    owner : str
        Name of the function, for the message.

    Raises
    ------
    InvalidParameterError
        It is none.
    """
    from qiskit_aer.noise import NoiseModel

    if not isinstance(noise_model, NoiseModel):
        raise InvalidParameterError(f"{owner}: noise_model must be a qiskit_aer.noise.NoiseModel; got {noise_model!r}.")


def local_errors(
    noise_model: NoiseModel, position: Mapping[int, int] | None
) -> Iterator[tuple[str, tuple[int, ...], QuantumError]]:
    """Go through the errors on certain qubits.

    Parameters
    ----------
    noise_model : qiskit_aer.noise.NoiseModel
    position : mapping of int to int, or None
        Qubit → its new number: errors inside of these qubits only. None is all, with their numbers.

    Yields
    ------
    name : str
    qubits : tuple of int
    error : qiskit_aer.noise.QuantumError
    """
    for name, places in noise_model._local_quantum_errors.items():
        if name == "barrier":  # Aer takes barriers out before it inserts errors
            continue
        for where, error in places.items():
            if position is None:
                yield name, tuple(where), error
            elif all(q in position for q in where):
                yield name, tuple(position[q] for q in where), error


def insert_error(model: NoiseModel, name: str, qubits: tuple[int, ...], error: QuantumError) -> None:
    """Add an error; `NoiseModel.add_quantum_error` would drop an identity that takes a default error away.

    Parameters
    ----------
    model : qiskit_aer.noise.NoiseModel
        Is changed.
    name : str
    qubits : tuple of int
    error : qiskit_aer.noise.QuantumError
    """
    model._local_quantum_errors.setdefault(name, {})[qubits] = error
    model._noise_qubits.update(qubits)
    model._noise_instructions.add(name)


def insert_readout(model: NoiseModel, qubits: tuple[int, ...], error: ReadoutError) -> None:
    """Add a readout error, also one that takes the error of all qubits away.

    Parameters
    ----------
    model : qiskit_aer.noise.NoiseModel
        Is changed.
    qubits : tuple of int
    error : qiskit_aer.noise.ReadoutError
    """
    model._local_readout_errors[qubits] = error
    model._noise_qubits.update(qubits)
    model._noise_instructions.add("measure")


def snapshot_of(noise_model: NoiseModel) -> NoiseModel:
    """A noise model as it is now: what is added to the given one later is not in it.

    Parameters
    ----------
    noise_model : qiskit_aer.noise.NoiseModel

    Returns
    -------
    qiskit_aer.noise.NoiseModel
        Errors are shared, not copied: a model replaces them, and no method changes one. (Copies of those of 156 qubits
        would take five seconds.)
    """
    taken = copy(noise_model)
    taken.__dict__.update({name: copy(value) for name, value in vars(noise_model).items()})
    taken._local_quantum_errors = {name: dict(places) for name, places in noise_model._local_quantum_errors.items()}
    taken._custom_noise_passes = deepcopy(noise_model._custom_noise_passes)
    return taken


def model_digest(noise_model: NoiseModel) -> str:
    """What tells a noise model from any other, by content: two that were built alike have one digest.

    Parameters
    ----------
    noise_model : qiskit_aer.noise.NoiseModel

    Returns
    -------
    str
        sha256 in hex, of everything that Aer reads but the numbers by which it knows errors.
    """
    errors = [{k: v for k, v in error.items() if k != "id"} for error in noise_model.to_dict()["errors"]]
    passes = [_pass_text(noise_pass) for noise_pass in noise_model._custom_noise_passes]
    text = repr((sorted(settings_text(error) for error in errors), passes))
    return hashlib.sha256(text.encode()).hexdigest()


def _pass_text(noise_pass: LocalNoisePass) -> str:
    from qiskit_aer.noise import RelaxationNoisePass

    kind = f"{type(noise_pass).__module__}.{type(noise_pass).__qualname__}"
    if (
        type(noise_pass) is not RelaxationNoisePass
    ):  # `compact_noise_model` refuses it: there are no values to tell apart
        return kind
    target = noise_pass._target
    durations = (
        None
        if target is None
        else {
            name: {str(where): getattr(known, "duration", None) for where, known in (target[name] or {}).items()}
            for name in target.operation_names
        }
    )
    numbers = noise_pass._t1s, noise_pass._t2s, noise_pass._p1s, noise_pass._dt, noise_pass._ops, durations
    return f"{kind}({settings_text(numbers)})"
