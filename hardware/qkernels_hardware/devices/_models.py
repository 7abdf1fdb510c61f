"""Device models by name: snapshots of IBM devices that come with the Runtime client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError


@dataclass(frozen=True, slots=True, order=True)
class DeviceModel:
    """One line of the list of device models.

    Attributes
    ----------
    num_qubits : int
        Qubits of the device.
    name : str
        Name for `device_model`, e.g. ``"fake_fez"``.
    two_qubit_gate : str
        Native two-qubit gate, e.g. ``"cz"``; ``"cx+ecr"`` where there are several, empty where there is none.
    """

    num_qubits: int
    name: str
    two_qubit_gate: str

    def __str__(self) -> str:
        return f"{self.name:<20} {self.num_qubits:>4} qubits  {self.two_qubit_gate or '-'}"


def device_model(name: str) -> BackendV2:
    """Return a model of an IBM device: its coupling map, gates and calibration on a past day.

    Parameters
    ----------
    name : str
        ``"fake_fez"``, ``"FakeFez"``, ``"ibm_fez"`` or ``"fez"``; upper and lower case are the same.

    Returns
    -------
    BackendV2
        A new instance, for transpilation and noisy simulation. No network and no account are needed.

    Raises
    ------
    InvalidParameterError
        If there is no such device model; the message names the closest ones.

    Notes
    -----
    Cost: about a second for the first call of a process (importing the client), then milliseconds.

    Examples
    --------
    >>> from qkernels_hardware import device_model
    >>> device_model("fez").num_qubits
    156
    """
    if not isinstance(name, str):
        raise InvalidParameterError(
            f"device_model: name must be a string such as 'fake_fez'; got {name!r}. A BackendV2 object needs "
            "no name: pass it on as it is."
        )
    classes = _model_classes()
    short = _short_name(name)
    if short not in classes:
        close = get_close_matches(short, classes, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(repr(f'fake_{match}') for match in close)}? " if close else ""
        raise InvalidParameterError(
            f"device_model: name must be the name of a device model; got {name!r}. {hint}"
            f"list_device_models() lists all {len(classes)}."
        )
    return classes[short]()


@cache
def list_device_models() -> tuple[DeviceModel, ...]:
    """List the device models, smallest first.

    Returns
    -------
    tuple of DeviceModel
        Sorted by number of qubits, then name. Each prints as one line of a table.

    Notes
    -----
    Cost: reads one small file per device (0.3 s in all, once per process); no device is instantiated.

    Examples
    --------
    >>> from qkernels_hardware import list_device_models
    >>> [str(model) for model in list_device_models() if model.name == "fake_fez"]
    ['fake_fez              156 qubits  cz']
    """
    return tuple(sorted(_describe(model) for model in _model_classes().values()))


def _short_name(name: str) -> str:
    short = name.strip().lower()
    for prefix in ("fake", "ibm"):
        short = short.removeprefix(prefix).lstrip("_- ")
    return short.removesuffix("v2")


@cache
def _model_classes() -> dict[str, type[Any]]:
    """Map short names ("fez") to the classes of the client's fake provider, without instantiating any."""
    from qiskit_ibm_runtime import fake_provider

    models: list[type[Any]] = [
        member
        for member in vars(fake_provider).values()
        if isinstance(member, type) and getattr(member, "backend_name", None) and hasattr(member, "conf_filename")
    ]
    return {_short_name(model.backend_name): model for model in models}


def _describe(model: type[Any]) -> DeviceModel:
    configuration = json.loads(Path(model.dirname, model.conf_filename).read_text(encoding="utf-8"))
    wide = {
        gate["name"]
        for gate in configuration["gates"]
        if gate.get("coupling_map") and len(gate["coupling_map"][0]) == 2
    }
    return DeviceModel(configuration["n_qubits"], model.backend_name, "+".join(sorted(wide)))
