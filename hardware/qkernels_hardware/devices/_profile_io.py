"""Noise profiles as text: JSON with one row per line, a checksum over its content, and the shipped files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels_hardware.devices._models import _short_name

__all__ = ["SCHEMA", "digest", "format_profile", "list_noise_profiles", "parse_profile", "shipped_profile"]

SCHEMA = 1
"""Version of the layout below; counts up with every change that an older reader would misread."""

_FORMAT = "qkernels noise profile"
_FIELDS = (
    *("format", "schema", "name", "source", "calibrated", "num_qubits", "dt", "timing", "angle_bounds"),
    *("readout", "scale", "qubits", "instructions"),
)


def digest(content: Mapping[str, Any]) -> str:
    """Hash the content of a profile.

    Parameters
    ----------
    content : mapping
        What `NoiseProfile` writes, without the checksum.

    Returns
    -------
    str
        sha256 in hex of its compact JSON: whitespace does not count, everything else does.
    """
    return hashlib.sha256(json.dumps(content, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def format_profile(content: Mapping[str, Any]) -> str:
    """Write the content of a profile as text.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    str
        JSON with one row per line, so that two versions can be compared line by line, and the checksum at its end.
    """
    return "{\n" + ",\n".join([*_lines(content), f'"sha256": "{digest(content)}"']) + "\n}\n"


def parse_profile(text: bytes, where: str) -> tuple[dict[str, Any], str]:
    """Read the text of a profile.

    Parameters
    ----------
    text : bytes
    where : str
        Name of the file, for messages.

    Returns
    -------
    content : dict
        Its fields, not checked beyond their names.
    checksum : str
        What the file says about its content.

    Raises
    ------
    InvalidDataError
        The text is no JSON, no noise profile, or has another schema, missing or unknown fields.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InvalidDataError(f"{where} is not a noise profile: it is no valid JSON ({error}).") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InvalidDataError(f'{where} is not a noise profile: it lacks the line \'"format": "{_FORMAT}"\'.')
    if content.get("schema") != SCHEMA:
        raise InvalidDataError(
            f"{where} has schema {content.get('schema')!r}; this version of qkernels reads schema {SCHEMA}. Write it "
            "again with NoiseProfile.from_backend(backend).save(path), or use the version of qkernels that wrote it."
        )
    checksum = content.pop("sha256", None)
    missing = [field for field in _FIELDS if field not in content]
    unknown = [field for field in content if field not in _FIELDS]
    if missing or unknown:
        raise InvalidDataError(
            f"{where} must hold the fields of a noise profile; missing: {missing}, unknown: {unknown}. Take the file "
            "from where it came, or write it again with NoiseProfile.from_backend(backend).save(path)."
        )
    return {field: content[field] for field in _FIELDS}, str(checksum)


def header(content: Mapping[str, Any]) -> dict[str, Any]:
    """Put the two fields in front that say what a file is.

    Parameters
    ----------
    content : mapping
        The other fields, in any order.

    Returns
    -------
    dict
        All fields in the order of the file.
    """
    complete = {"format": _FORMAT, "schema": SCHEMA, **content}
    return {field: complete[field] for field in _FIELDS}


def list_noise_profiles() -> tuple[str, ...]:
    """List the noise profiles that come with this package.

    Returns
    -------
    tuple of str
        Names for `NoiseProfile.named`, sorted.

    Examples
    --------
    >>> from qkernels_hardware import list_noise_profiles
    >>> list_noise_profiles()
    ('fake_fez', 'fake_miami', 'fake_torino')
    """
    return tuple(sorted(Path(entry.name).stem for entry in _folder().iterdir() if entry.name.endswith(".json")))


def shipped_profile(name: object) -> Traversable:
    """Find the file of a profile that comes with this package.

    Parameters
    ----------
    name : str
        As `device_model` takes them: "fake_fez", "FakeFez", "ibm_fez" or "fez".

    Returns
    -------
    Traversable

    Raises
    ------
    InvalidParameterError
        There is no such profile; the message names the closest ones.
    """
    names = {_short_name(shipped): shipped for shipped in list_noise_profiles()}
    short = _short_name(name) if isinstance(name, str) else ""
    if short not in names:
        close = get_close_matches(short, names, n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(repr(names[match]) for match in close)}? " if close else ""
        raise InvalidParameterError(
            f"NoiseProfile.named: name must be one of {', '.join(map(repr, names.values()))}; got {name!r}. {hint}"
            "Of any other device: NoiseProfile.from_backend(backend), of a file: NoiseProfile.load(path)."
        )
    return _folder() / f"{names[short]}.json"


def _folder() -> Traversable:
    return files("qkernels_hardware.devices") / "profiles"


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    for field, value in content.items():
        if field == "qubits":
            yield f'"{field}": {_rows(value)}'
        elif field == "instructions":
            inner = [f"{json.dumps(name)}: {'null' if rows is None else _rows(rows)}" for name, rows in value.items()]
            yield f'"{field}": {{\n' + ",\n".join(inner) + "\n}"
        else:
            yield f'"{field}": {json.dumps(value, ensure_ascii=False, allow_nan=False)}'


def _rows(rows: list[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]"
