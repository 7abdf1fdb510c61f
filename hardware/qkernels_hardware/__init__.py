"""Devices for qkernels: everything that needs Qiskit Aer or the IBM Runtime client.

- `device_model` gives a model of an IBM device by name.
- `list_device_models` lists them as `DeviceModel` records.

Engines that run kernels on such a device are not part of this package yet. Importing it is light: vendor
packages are imported by the functions that need them. Nothing here uses the network.
"""

from qkernels_hardware._devices import DeviceModel, device_model, list_device_models

__all__ = ["DeviceModel", "device_model", "list_device_models"]
