"""Writes the noise profiles that come with qkernels_hardware, from the device models of the installed Runtime client.

    python hardware/make_profiles.py [FOLDER [NAME ...]]

FOLDER is that of the package by default. The same version of the client writes the same bytes.
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import replace
from pathlib import Path

from qkernels_hardware import NoiseProfile, device_model

NAMES = ("fake_fez", "fake_miami", "fake_torino")
"""Heron with 156 qubits, Nighthawk with 120, and the earlier Heron with 133."""

FOLDER = Path(__file__).parent / "qkernels_hardware" / "devices" / "profiles"


def make_profile(name: str) -> NoiseProfile:
    """The profile of a device model, its source completed by the copyright line of the file that it comes from."""
    backend = device_model(name)
    text = inspect.getsource(inspect.getmodule(type(backend)))
    copyright_line = re.search(r"\(C\) Copyright [^\n]*?(?=\.?\n)", text)
    if copyright_line is None or "Apache License, Version 2.0" not in text:
        raise SystemExit(f"{name}: the source of {type(backend).__name__} is not under the Apache License, Version 2.0")
    profile = NoiseProfile.from_backend(backend)
    return replace(profile, source=f"{profile.source}, {copyright_line.group()}; converted to this format")


def main(folder: Path, names: list[str]) -> None:
    """Write the profiles of `names` to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / f"{name}.json"
        profile = make_profile(name)
        profile.save(path)
        sys.stdout.write(f"{path.name}: {profile}, {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, sys.argv[2:] or list(NAMES))
