"""The place where a RuntimeEngine works: a backend that is opened when it is needed, and the connection to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels_hardware.aer import resolve_source
from qkernels_hardware.devices import device_model
from qkernels_hardware.runtime._settings import Settings, is_local
from qkernels_hardware.service import Caller, LocalConnection
from qkernels_hardware.work import Connection, Rates

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService

    from qkernels_hardware.service import RemoteConnection

__all__ = ["Device"]


class Device:
    """A backend by name or as an object, with its connection.

    Parameters
    ----------
    backend : str or BackendV2
    service : QiskitRuntimeService, optional
    instance : str, optional
    settings : Settings

    Attributes
    ----------
    name : str
    local : bool
    """

    _identity: str | None

    def __init__(
        self,
        backend: str | BackendV2,
        service: QiskitRuntimeService | None,
        instance: str | None,
        settings: Settings,
    ) -> None:
        self.local = is_local(backend)
        self._settings = settings
        self._connection: LocalConnection | RemoteConnection
        if self.local:
            if service is not None:
                raise InvalidParameterError(
                    f"service of RuntimeEngine must be None for a device model or a simulator, got "
                    f"{type(service).__name__} with backend={_shown(backend)}."
                )
            self._connection = LocalConnection(_model(backend))
        else:
            from qkernels_hardware.service import RemoteConnection

            self._connection = RemoteConnection(
                backend,
                service=service,
                mode=settings.mode,
                policy=settings.policy,
                instance=instance,
                use_fractional_gates=settings.route.fractional,
            )
        self.name = self._connection.name
        self._by_name = isinstance(backend, str)
        self._identity = self.name if self._by_name or not self.local else None

    @property
    def connection(self) -> Connection:
        """Where jobs go."""
        return self._connection

    @property
    def backend(self) -> BackendV2:
        """What circuits are transpiled for; looked up when it is first needed."""
        return self._connection.backend

    def calibration(self, ledger: Path) -> str:
        """When the device was calibrated last; from then on circuits are made and checked for what it is since then.

        Parameters
        ----------
        ledger : Path
            For messages.

        Raises
        ------
        ExecutionError
            The service does not answer.
        """
        return Caller(self._settings.policy, ledger)("open", "read the calibration", self._connection.calibration)

    @property
    def identity(self) -> str:
        """The name, and for a model that somebody made what it does: two may have one name."""
        if self._identity is None:
            self._identity = f"{self.name}/{resolve_source(self.backend).key[:16]}"
        return self._identity

    @property
    def rates(self) -> Rates:
        """How it bills; a model stops no job before it ends."""
        limit = None if self.local else self._settings.max_execution_time
        return Rates.of(self.backend, self._settings.rep_delay, limit)

    @property
    def bounds_rzz(self) -> bool:
        """Whether RZZ is for angles from 0 to π/2 only, as on devices of IBM; simulators take any angle."""
        return not self.local or type(self.backend).__module__.startswith("qiskit_ibm_runtime")

    @property
    def instance(self) -> str:
        """CRN of the instance; "" where there is none or it is not known yet."""
        return str(getattr(self._connection, "instance", ""))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self.local:  # results of jobs stay behind, and a model that has a name is made again
            state["_connection"] = self.name if self._by_name else self.backend
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.local:
            self._connection = LocalConnection(_model(state["_connection"]))


def _model(backend: str | BackendV2) -> BackendV2:
    if not isinstance(backend, str):
        return backend
    if backend.strip().lower().startswith("aer"):
        from qiskit_aer import AerSimulator

        return AerSimulator()
    return device_model(backend)


def _shown(backend: str | BackendV2) -> str:
    return repr(backend) if isinstance(backend, str) else str(backend.name)
