"""Result files: packed measurements with the identity of their block inside, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels_hardware.work import Samples

__all__ = ["digest", "file_name", "pack", "quarantine", "unpack", "write_whole"]

_FORMAT = "qkernels results"
_VERSION = 1


def digest(content: bytes) -> str:
    """Hash the content of a file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    str
        sha256 in hex.
    """
    return hashlib.sha256(content).hexdigest()


def file_name(block: int) -> str:
    """Name the result file of a block.

    Parameters
    ----------
    block : int

    Returns
    -------
    str
        Relative to the folder of results.
    """
    return f"block-{block:06d}.npz"


def pack(samples: Samples, identity: Mapping[str, object]) -> bytes:
    """Write measurements as the bytes of a compressed npz file.

    Parameters
    ----------
    samples : Samples
    identity : mapping
        Plain data: which block of which ledger this is.

    Returns
    -------
    bytes
    """
    header = json.dumps({"format": _FORMAT, "version": _VERSION, **identity}).encode()
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(header, dtype=np.uint8)}
    for name in ("bits", "values", "stderr"):
        if (array := getattr(samples, name)) is not None:
            arrays[name] = array
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
    return buffer.getvalue()


def unpack(content: bytes) -> tuple[Samples, dict[str, Any]]:
    """Read measurements and the identity of their block.

    Parameters
    ----------
    content : bytes
        Of a file that `pack` wrote.

    Returns
    -------
    samples : Samples
    identity : dict

    Raises
    ------
    ValueError
        It is no such file, or damaged.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            found = {name: arrays[name] for name in ("bits", "values", "stderr") if name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, NotImplementedError) as error:
        raise ValueError(f"it cannot be read ({type(error).__name__}: {error})") from error
    if header.get("format") != _FORMAT or header.get("version") != _VERSION:
        raise ValueError(f"it says to be {header.get('format')!r} version {header.get('version')!r}")
    return Samples(**found), header


def write_whole(folder: Path, name: str, content: bytes) -> None:
    """Write a file so that after a crash there is all of it or nothing.

    Parameters
    ----------
    folder : Path
        Made where missing.
    name : str
    content : bytes

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full. An older file of this name is as it was.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True)
        _sync_folder(folder.parent)
    unfinished = folder / f"{name}.tmp"
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, folder / name)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(folder)


def quarantine(folder: Path, name: str) -> Path | None:
    """Move a file out of the way, next to where it was.

    Parameters
    ----------
    folder : Path
    name : str

    Returns
    -------
    Path or None
        Where it is now; None where there was no such file.

    Raises
    ------
    OSError
        It cannot be moved.
    """
    if not os.path.lexists(folder / name):
        return None
    number = 1
    while os.path.lexists(target := folder / f"{name}.quarantine-{number}"):
        number += 1
    os.replace(folder / name, target)
    _sync_folder(folder)
    return target


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable; a file's own fsync does not cover its name."""
    if os.name == "nt":  # pragma: no cover - Windows has no fsync of a folder, and orders renames itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
