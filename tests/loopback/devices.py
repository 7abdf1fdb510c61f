"""The backends of the server: snapshots that come with the client, under the names of real devices."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from qiskit.transpiler import Target

from qkernels_hardware import device_model

__all__ = ["Device", "device"]

# A new calibration per change: errors up, lifetimes down, by this factor.
_DRIFT = 1.1


class Device:
    """A served backend: ``fake_manila`` is served as ``ibm_manila``."""

    def __init__(self, model: str) -> None:
        self.model = device_model(model)
        self.name = self.model.name.replace("fake_", "ibm_")
        self.twin = self.name.replace("ibm_", "mock_")
        folder = Path(self.model.dirname)
        self._configuration: dict[str, Any] = json.loads((folder / self.model.conf_filename).read_text())
        self._properties: dict[str, Any] = json.loads((folder / self.model.props_filename).read_text())
        stamp = datetime.fromisoformat(self._properties["last_update_date"])
        self._properties["last_update_date"] = stamp.astimezone(UTC).isoformat()  # the client takes any zone for UTC

    @cached_property
    def target(self) -> Target:
        """What the device runs, with durations and errors of the snapshot."""
        return self.model.target

    @property
    def num_qubits(self) -> int:
        """Qubits of the device."""
        return int(self._configuration["n_qubits"])

    @property
    def rep_delay(self) -> float:
        """Default delay between executions, in seconds; the file has microseconds."""
        return float(self._configuration.get("default_rep_delay", 250.0)) * 1e-6

    def listed(self, name: str, status: str, queue: int) -> dict[str, Any]:
        """Line of ``GET /backends``."""
        line = {
            "name": name,
            "status": {"name": status},
            "qubits": self.num_qubits,
            "physical_qubits": self.num_qubits,
            "queue_length": queue,
        }
        return line | ({"class": "mock"} if name == self.twin else {})

    def configuration(self, name: str) -> dict[str, Any]:
        """Answer of ``GET /backends/{name}/configuration``."""
        return self._configuration | {"backend_name": name}

    def properties(self, name: str, calibration: int) -> dict[str, Any]:
        """Answer of ``GET /backends/{name}/properties`` after some new calibrations, an hour apart."""
        found = self._properties | {"backend_name": name}
        if calibration == 0:
            return found
        found = copy.deepcopy(found)
        later = timedelta(hours=calibration)
        found["last_update_date"] = (datetime.fromisoformat(found["last_update_date"]) + later).isoformat()
        for qubit in found["qubits"]:
            for entry in qubit:
                if entry["name"] in ("T1", "T2"):
                    entry["value"] /= _DRIFT**calibration
                if entry["name"] in ("readout_error", "prob_meas0_prep1", "prob_meas1_prep0"):
                    entry["value"] = min(0.45, entry["value"] * _DRIFT**calibration)
        for gate in found["gates"]:
            for entry in gate["parameters"]:
                if entry["name"] == "gate_error" and entry["value"] < 1.0:
                    entry["value"] = min(0.5, entry["value"] * _DRIFT**calibration)
        return found


@cache
def device(model: str) -> Device:
    """The device of a model; read once for all servers of a process."""
    return Device(model)
