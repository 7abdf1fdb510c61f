"""How much memory a request may take."""

from __future__ import annotations

import os
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import Literal

from qkernels._errors import InvalidParameterError
from qkernels.programs import format_bytes

__all__ = ["MemoryLimit", "resolve_memory_limit"]

MemoryLimit = Literal["auto"] | int

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

_FALLBACK = 4 << 30
"""Bytes assumed where the system does not tell its memory."""


@lru_cache(maxsize=1)
def _machine_memory() -> int:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # no sysconf on this system
        return _FALLBACK
    for path in _CGROUP_LIMITS:
        try:
            total = min(total, int(Path(path).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return total


def resolve_memory_limit(memory_limit: MemoryLimit, owner: str) -> int:
    """Bytes that one request may take at its peak; "auto" is half the machine's (or container's) memory.

    Raises
    ------
    InvalidParameterError
        Neither "auto" nor a positive integer.
    """
    if memory_limit == "auto":
        return _machine_memory() // 2
    if isinstance(memory_limit, bool) or not isinstance(memory_limit, Integral) or memory_limit <= 0:
        raise InvalidParameterError(
            f"memory_limit of {owner} must be 'auto' or a positive integer, in bytes, got {memory_limit!r}. "
            f"'auto' is {format_bytes(_machine_memory() // 2)} here."
        )
    return int(memory_limit)
