"""Where noise comes from: a device model, a backend, a noise profile or a noise model of Aer, behind one face."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels.engines import NoiseTable
from qkernels_hardware.aer._model import model_digest, snapshot_of
from qkernels_hardware.aer._target import TargetBackend, fingerprint, plain_target
from qkernels_hardware.devices import NoiseProfile, device_model

if TYPE_CHECKING:
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

    from qkernels_hardware.aer._engine import Device

__all__ = ["ModelSource", "NoiseSource", "ProfileSource", "resolve_source"]

_ADVICE = "Simulate with strategy='circuits', where Aer gets the noise model as it is."


class NoiseSource(ABC):
    """A device for the transpiler, with its noise, as they are now (abstract).

    Keys say for good which noise values belong to, so a source keeps nothing that its maker may still change.

    Attributes
    ----------
    name : str
    obstacle : str
        Why a table cannot hold the noise; "" where it can.
    """

    name: str
    obstacle: str = ""

    @property
    @abstractmethod
    def key(self) -> str:
        """Identity of the device and its noise."""

    @abstractmethod
    def backend(self, num_qubits: int) -> BackendV2:
        """What circuits of that many qubits are transpiled for."""

    @abstractmethod
    def table(self, qubits: Sequence[int]) -> NoiseTable:
        """The noise of some qubits, renumbered in their order."""

    @abstractmethod
    def model(self, qubits: Sequence[int], names: Sequence[str]) -> NoiseModel:
        """The same for Aer: errors of the named gates on these qubits, renumbered in their order."""

    @property
    @abstractmethod
    def snapshot(self) -> BackendV2 | NoiseProfile | NoiseModel:
        """What an engine of this noise can be made of, without connections, caches or tokens."""

    def check(self) -> None:
        """Raise InvalidParameterError where a table cannot hold the noise."""
        if self.obstacle:
            raise InvalidParameterError(f"{self.obstacle} {_ADVICE}")


class ProfileSource(NoiseSource):
    """A calibration snapshot.

    Parameters
    ----------
    profile : NoiseProfile
    backend : BackendV2, optional
        The backend it was taken from: circuits are transpiled for it, and Aer makes its own model of it.
    """

    def __init__(self, profile: NoiseProfile, backend: BackendV2 | None = None) -> None:
        self.profile, self.name = profile, profile.name
        self._taken = None if backend is None else TargetBackend.of(backend, self.name)
        self._made: BackendV2 | None = None
        # a target may hold more than a profile does: gates of its own, with definitions of their own
        self._key = profile.key if self._taken is None else f"{profile.key}/{fingerprint(self._taken)}"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_made": None}

    @property
    def key(self) -> str:
        return self._key

    @property
    def snapshot(self) -> BackendV2 | NoiseProfile:
        return self._taken or self.profile

    def backend(self, num_qubits: int) -> BackendV2:
        if self._taken is not None:
            return self._taken
        if self._made is None:
            self._made = self.profile.backend()
        return self._made

    def table(self, qubits: Sequence[int]) -> NoiseTable:
        return self.profile.table(qubits)

    def model(self, qubits: Sequence[int], names: Sequence[str]) -> NoiseModel:
        from qkernels_hardware.aer._compact import device_noise_model
        from qkernels_hardware.aer._noise import aer_noise_model

        if self._taken is None:
            return aer_noise_model(self.table(qubits), len(qubits))
        return device_noise_model(self._taken, qubits, names)


class ModelSource(NoiseSource):
    """A noise model of Aer.

    Parameters
    ----------
    noise_model : NoiseModel
    backend : BackendV2, optional
        What circuits are transpiled for; None is the model's basis gates without a coupling map.
    name : str
    """

    def __init__(self, noise_model: NoiseModel, backend: BackendV2 | None, name: str) -> None:
        self.noise_model, self.name = snapshot_of(noise_model), name
        self._backend = None if backend is None else TargetBackend.of(backend, name)
        coupling = None if self._backend is None else fingerprint(self._backend)
        parts = (name, self._noise_text(), sorted(noise_model.basis_gates), coupling)
        self._key = hashlib.sha256(repr(parts).encode()).hexdigest()

    def _noise_text(self) -> str:
        """What tells the noise from any other."""
        from qkernels_hardware.aer._noise import noise_table

        try:
            return noise_table(self.noise_model).key
        except InvalidParameterError as error:  # what a table cannot hold, Aer still runs
            self.obstacle = str(error)
            return model_digest(self.noise_model)

    @property
    def key(self) -> str:
        return self._key

    @property
    def snapshot(self) -> NoiseModel:
        return self.noise_model

    def backend(self, num_qubits: int) -> BackendV2:
        if self._backend is not None:
            return self._backend
        mentioned = [int(q) for q in self.noise_model.noise_qubits]
        width = max([num_qubits, *(q + 1 for q in mentioned)])
        return TargetBackend(self.name, plain_target(self.noise_model.basis_gates, width))

    def table(self, qubits: Sequence[int]) -> NoiseTable:
        from qkernels_hardware.aer._noise import noise_table

        return noise_table(self.noise_model, qubits)

    def model(self, qubits: Sequence[int], names: Sequence[str]) -> NoiseModel:
        from qkernels_hardware.aer._compact import compact_noise_model

        return compact_noise_model(self.noise_model, qubits)


@lru_cache(maxsize=32)
def _named_source(name: str) -> ProfileSource:
    """Device models by name: a second to read one of 156 qubits, once per process."""
    backend = device_model(name)
    return ProfileSource(NoiseProfile.from_backend(backend), backend)


def _coupled(simulator: AerSimulator) -> BackendV2 | None:
    """What circuits for a simulator are transpiled for; None where it couples all qubits.

    The target of a simulator with ``coupling_map=`` leaves the coupling map out.
    """
    if simulator.coupling_map is None:
        return None
    target, edges = simulator.target, [tuple(edge) for edge in simulator.coupling_map]
    wide = [name for name in target.operation_names if getattr(target.operation_from_name(name), "num_qubits", 0) == 2]
    if all(set(target.qargs_for_operation_name(name) or [()]) <= set(edges) for name in wide):
        backend: BackendV2 = simulator
        return backend
    noise = simulator.options.noise_model
    names = simulator.operation_names if noise is None else noise.basis_gates
    width = max(q for edge in edges for q in edge) + 1
    return TargetBackend(simulator.name, plain_target(sorted(names), width, edges))


def resolve_source(device: Device) -> NoiseSource:
    """The noise source that a user's `device` means.

    Parameters
    ----------
    device : str, BackendV2, NoiseProfile, AerSimulator or NoiseModel

    Returns
    -------
    NoiseSource

    Raises
    ------
    InvalidParameterError
        No such device model (names the closest ones), or none of these types.
    """
    if isinstance(device, str):
        return _named_source(device)
    if isinstance(device, NoiseProfile):
        return ProfileSource(device)
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

    if isinstance(device, NoiseModel):
        return ModelSource(device, None, "noise model")
    if isinstance(device, AerSimulator):
        return ModelSource(device.options.noise_model or NoiseModel(), _coupled(device), device.name)
    if isinstance(device, BackendV2):
        return ProfileSource(NoiseProfile.from_backend(device), device)
    raise InvalidParameterError(
        "device of AerEngine must be the name of a device model such as 'fake_fez', a BackendV2, an AerSimulator, a "
        f"NoiseModel or a NoiseProfile; got {device!r}."
    )
