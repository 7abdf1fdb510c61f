"""From a backend to the content of a profile, and back to a backend for the transpiler."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata
from math import isfinite, pi
from typing import Any

from qiskit.circuit import Gate
from qiskit.circuit.controlflow import get_control_flow_name_mapping
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from qkernels._errors import ExecutionError, InvalidParameterError

__all__ = ["ProfileBackend", "snapshot"]

_READOUT = ("prob_meas1_prep0", "prob_meas0_prep1")
"""P(reads 1 | is 0) and P(reads 0 | is 1) in properties of IBM backends, and where Aer looks for them in a target."""

_TIMING = ("granularity", "min_length", "pulse_alignment", "acquire_alignment")


def snapshot(backend: BackendV2) -> dict[str, Any]:
    """Take what a profile holds from a backend.

    Parameters
    ----------
    backend : BackendV2

    Returns
    -------
    dict
        Arguments of `NoiseProfile`.

    Raises
    ------
    InvalidParameterError
        The target of `backend` has no fixed number of qubits.
    """
    target = backend.target
    if not target.num_qubits:  # None or 0, where every instruction is on all qubits
        raise InvalidParameterError(
            f"NoiseProfile.from_backend: backend must have a fixed number of qubits; {backend.name!r} has none."
        )
    properties = backend.properties() if callable(getattr(backend, "properties", None)) else None
    qubit_properties = target.qubit_properties or [None] * target.num_qubits
    measured = {qubit: _pair(place) for (qubit, *_), place in _places(target, "measure").items()}
    qubits = [
        (_time(known, "t1"), _time(known, "t2"), *(measured.get(qubit) or _readout(properties, qubit)))
        for qubit, known in enumerate(qubit_properties)
    ]
    # sorted by name: device models list their instructions in another order in every process
    kept = {name: target.operation_from_name(name) for name in sorted(target.operation_names)}
    return {
        "name": backend.name or type(backend).__name__,
        "source": _source(backend),
        "calibrated": _date(properties),
        "num_qubits": target.num_qubits,
        "qubits": qubits,
        "instructions": {name: _rows(target, name) for name, what in kept.items() if _is_kept(name, what)},
        "dt": target.dt,
        "timing": {name: getattr(target, name) for name in _TIMING},
        # as Aer chooses: it looks for the pair in the target only
        "readout": "measured" if any(measured.values()) else "symmetric",
        "angle_bounds": {name: (0.0, pi / 2) for name, what in kept.items() if _is_quarter_turn(target, name, what)},
    }


class ProfileBackend(BackendV2):
    """A backend for the transpiler, made of the content of a noise profile; it does not run circuits.

    Parameters
    ----------
    content : mapping
        Fields of `NoiseProfile`.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__(name=content["name"], description=content["source"], backend_version=content["calibrated"])
        self._target = Target(
            description=content["source"],
            num_qubits=content["num_qubits"],
            dt=content["dt"],
            qubit_properties=[QubitProperties(t1=row[0], t2=row[1]) for row in content["qubits"]],
            **content["timing"],
        )
        standard = get_standard_gate_name_mapping()
        # the transpiler synthesizes gates in another way for a device without control flow
        control_flow = get_control_flow_name_mapping()
        for name, rows in content["instructions"].items():
            if name in control_flow:
                self._target.add_instruction(control_flow[name], name=name)
            if name not in standard:
                continue
            bounds = content["angle_bounds"].get(name)
            self._target.add_instruction(
                standard[name],
                None if rows is None else {tuple(row[0]): _properties(*row[1:]) for row in rows},
                name=name,
                angle_bounds=None if bounds is None else [bounds],
            )

    @property
    def target(self) -> Target:
        """The target of the transpiler."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No limit."""

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: object, **options: object) -> object:
        """Refuse: a noise profile is data.

        Parameters
        ----------
        run_input : object
        **options : object

        Raises
        ------
        ExecutionError
            Always.
        """
        raise ExecutionError(
            f"The backend of noise profile {self.name!r} is for the transpiler and does not run circuits. Evaluate "
            "kernels under its noise with an engine made of the profile."
        )


def _properties(error: float | None, duration: float | None) -> InstructionProperties | None:
    return None if error is None and duration is None else InstructionProperties(duration, error)


def _is_kept(name: str, operation: object) -> bool:
    return isinstance(operation, Gate) or name in {"reset", "delay", "measure", *get_control_flow_name_mapping()}


def _places(target: Target, name: str) -> Mapping[tuple[int, ...], InstructionProperties | None]:
    """Where a target has an instruction; empty where it says nothing, or has it everywhere."""
    places = target[name] if name in target.operation_names else None
    return {} if places is None or None in places else places


def _rows(target: Target, name: str) -> list[tuple[Any, ...]] | None:
    places = _places(target, name)
    if not places:
        return None
    return [(where, getattr(known, "error", None), getattr(known, "duration", None)) for where, known in places.items()]


def _is_quarter_turn(target: Target, name: str, operation: object) -> bool:
    """Whether a gate takes angles between 0 and π/2 only: the bounds of IBM's rzz, the only ones in use."""
    if not isinstance(operation, Gate) or len(operation.params) != 1 or not target.gate_has_angle_bounds(name):
        return False
    inside = [target.supported_angle_bound(name, [angle]) for angle in (-1e-6, 0.0, pi / 2, pi / 2 + 1e-6)]
    return inside == [False, True, True, False]


def _time(known: QubitProperties | None, name: str) -> float | None:
    """T1 or T2; what a device reports for a qubit that could not be measured (0, NaN) is unknown."""
    value = getattr(known, name, None)
    return float(value) if value is not None and isfinite(value) and value > 0 else None


def _pair(known: InstructionProperties | None) -> tuple[float, float] | None:
    """Both readout errors, where the properties of a measurement tell them apart."""
    one_if_zero, zero_if_one = (getattr(known, name, None) for name in _READOUT)
    return None if one_if_zero is None or zero_if_one is None else (float(one_if_zero), float(zero_if_one))


def _readout(properties: Any, qubit: int) -> tuple[float | None, float | None]:
    """Both readout errors of a qubit in the properties of a backend, where they are known."""
    if properties is None:
        return None, None
    try:
        one_if_zero, zero_if_one = (float(properties.qubit_property(qubit, name)[0]) for name in _READOUT)
    except (QiskitError, LookupError, ValueError):  # not measured; every vendor says it in another way
        return None, None
    return one_if_zero, zero_if_one


def _date(properties: Any) -> str | None:
    date = getattr(properties, "last_update_date", None)
    return None if date is None else str(date.isoformat() if hasattr(date, "isoformat") else date)


def _source(backend: BackendV2) -> str:
    """Class of a backend and the distribution that it comes from, with version and licence."""
    kind = type(backend)
    package = kind.__module__.partition(".")[0].replace("_", "-")
    try:
        about = metadata(package).json
    except PackageNotFoundError:
        return kind.__qualname__
    licence = about.get("license_expression") or about.get("license")
    return f"{kind.__qualname__} of {about['name']} {about['version']}" + (f", {licence}" if licence else "")
