"""Devices for qkernels: everything that needs Qiskit Aer or the IBM Runtime client.

- `device_model` gives a model of an IBM device by name.
- `list_device_models` lists them as `DeviceModel` records.
- `NoiseProfile` is the calibration of a device on one day as data: its noise table, its coupling and gates;
  `list_noise_profiles` names those that come with the package.
- `AerEngine` evaluates kernels under the noise of a device; `DeviceCircuit` is what then runs, after routing.
- `RuntimeEngine` measures kernels on IBM QPUs, or on device models on the same way; `RoutedCircuit` is what it runs.
- `RuntimePlan` says what a request costs, with `Alternative` ways; `Budget` limits it.
- `Ledger` keeps what was planned, submitted and measured, in blocks (`BlockRecord`) of one job each; `Submission` is a
  request that waits for its results.
- `RetryPolicy` has every number of waiting and trying again.

Importing it is light: vendor packages are imported by the functions that need them. Only `RuntimeEngine` with a device
of IBM Quantum uses the network.
"""

from qkernels_hardware.aer import AerEngine
from qkernels_hardware.devices import DeviceModel, NoiseProfile, device_model, list_device_models, list_noise_profiles
from qkernels_hardware.ledger import BlockRecord, Ledger
from qkernels_hardware.routing import DeviceCircuit, RoutedCircuit
from qkernels_hardware.runtime import Alternative, RuntimeEngine, RuntimePlan, Submission
from qkernels_hardware.service import RetryPolicy
from qkernels_hardware.work import Budget

__all__ = [
    "AerEngine",
    "Alternative",
    "BlockRecord",
    "Budget",
    "DeviceCircuit",
    "DeviceModel",
    "Ledger",
    "NoiseProfile",
    "RetryPolicy",
    "RoutedCircuit",
    "RuntimeEngine",
    "RuntimePlan",
    "Submission",
    "device_model",
    "list_device_models",
    "list_noise_profiles",
]
