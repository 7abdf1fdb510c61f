"""The few array operations of the exact engine that are worth a NumPy special case.

Steps are written against an array namespace (the Python array API), so that they run on NumPy, CuPy and PyTorch arrays
alike. NumPy gets in-place variants that stay in the processor's cache.
"""

from __future__ import annotations

import math
import threading
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Workspace", "complex_dtype", "rotate", "sincos", "thread_workspace"]

Array = Any
"""An array of whichever namespace the engine runs on."""

_CHUNK = 1 << 14
"""Elements handled at once by the NumPy special cases: eight float64 buffers of this size fit a 1 MiB L2 cache."""

# Taylor coefficients in r² on |r| <= π/8: the first neglected terms are below 1e-17.
_SIN = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(1, 7)]
_COS = [(-1.0) ** k / math.factorial(2 * k) for k in range(1, 8)]
_TWO_PI_HIGH = 6.28125  # exact in 11 bits, so that turns · high is exact for |φ| < 2^40
_TWO_PI_LOW = (2.0 * math.pi - _TWO_PI_HIGH) + 2.4492935982947064e-16  # the tail that float64 2π drops
_LARGE_ANGLE = 1e6
"""Radians beyond which the two-step reduction would lose digits; NumPy's own functions take over."""


def sincos(xp: ModuleType, phi: Array) -> tuple[Array, Array]:
    """Sine and cosine of angles in radians.

    NumPy evaluates float64 sine and cosine without vector instructions on most builds (13 ns per value each); the
    polynomials below use plain vectorised arithmetic and cost about a quarter. Absolute error below 5e-15.
    """
    if xp is not np or phi.dtype != np.float64:
        return xp.sin(phi), xp.cos(phi)
    flat = phi.reshape(-1)
    sine, cosine = np.empty_like(flat), np.empty_like(flat)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        _sincos_chunk(flat[part], sine[part], cosine[part])
    return sine.reshape(phi.shape), cosine.reshape(phi.shape)


def _sincos_chunk(phi: NDArray[np.float64], sine: NDArray[np.float64], cosine: NDArray[np.float64]) -> None:
    if np.abs(phi).max(initial=0.0) > _LARGE_ANGLE:
        np.sin(phi, out=sine)
        np.cos(phi, out=cosine)
        return
    turns = np.multiply(phi, 1.0 / (2.0 * math.pi))
    np.rint(turns, out=turns)
    r = np.multiply(turns, -_TWO_PI_HIGH)
    r += phi
    turns *= _TWO_PI_LOW
    r -= turns
    r *= 0.125  # to |r| <= π/8; three angle doublings bring it back
    square = np.multiply(r, r, out=turns)
    np.multiply(square, _SIN[-1], out=sine)
    for coefficient in _SIN[-2::-1]:
        sine += coefficient
        sine *= square
    sine += 1.0
    sine *= r
    # 1 − cos, doubled as 2 sin²: keeps the small quantity and with it the relative accuracy
    np.multiply(square, _COS[-1], out=cosine)
    for coefficient in _COS[-2::-1]:
        cosine += coefficient
        cosine *= square
    cosine += 1.0
    for _ in range(3):
        np.multiply(sine, sine, out=square)
        sine *= cosine
        sine *= 2.0
        np.multiply(square, -2.0, out=cosine)
        cosine += 1.0


def rotate(xp: ModuleType, state: Array, cosine: Array, sine: Array, out: Array | None) -> Array:
    """Multiply a state by cos + i sin; it may be real and may have one row for all samples. `out` is for NumPy only."""
    if out is None:
        return (cosine + 1j * sine) * state
    if not np.iscomplexobj(state):
        np.multiply(state, cosine, out=out.real)
        np.multiply(state, sine, out=out.imag)
        return out
    out.real = cosine
    out.imag = sine
    out *= state
    return out


def complex_dtype(xp: ModuleType, real: Any) -> Any:
    """The complex dtype of a real one."""
    if xp is np:
        return np.result_type(real, np.complex64)
    return xp.complex128 if real == xp.float64 else xp.complex64


class Workspace:
    """Two buffers that the steps of one NumPy tile write to in turn.

    Fresh arrays of a megabyte come from the operating system page by page, which costs more than the arithmetic on
    them. A step reads the buffer that the step before wrote and writes the other one.
    """

    def __init__(self) -> None:
        self._buffers: list[NDArray[np.uint8]] = [np.empty(0, np.uint8), np.empty(0, np.uint8)]
        self._turn = 0

    def take(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The buffer whose turn it is, uninitialised, in the asked shape."""
        self._turn ^= 1
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        if self._buffers[self._turn].size < nbytes:
            self._buffers[self._turn] = np.empty(nbytes, dtype=np.uint8)
        flat: NDArray[Any] = self._buffers[self._turn][:nbytes].view(dtype)
        return flat.reshape(shape)


_LOCAL = threading.local()


def thread_workspace() -> Workspace:
    """The workspace of the running thread."""
    if not hasattr(_LOCAL, "workspace"):
        _LOCAL.workspace = Workspace()
    workspace: Workspace = _LOCAL.workspace
    return workspace
