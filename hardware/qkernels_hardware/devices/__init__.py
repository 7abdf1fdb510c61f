"""Devices: models of IBM devices by name, and their calibration as data.

- `device_model`, `list_device_models` and `DeviceModel`: models by name.
- `NoiseProfile`: the calibration of one day; `list_noise_profiles` names those that come with the package.
"""

from qkernels_hardware.devices._models import DeviceModel, device_model, list_device_models
from qkernels_hardware.devices._profile import NoiseProfile
from qkernels_hardware.devices._profile_io import list_noise_profiles

__all__ = [
    "DeviceModel",
    "NoiseProfile",
    "device_model",
    "list_device_models",
    "list_noise_profiles",
]
