"""Parameters in words that are equal only where the parameters are: nothing is elided."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_words", "without_address"]

_LONGEST = 400
"""Characters of one value; longer ones end in a digest of all of them."""


def in_words(value: object) -> str:
    """A parameter as text: all parameters of an object, and the content of an array as its shape, dtype and digest.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
        ``repr`` for plain values. Text beyond 400 characters ends in a digest.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.kernels import ClipSpectrum, ReadoutMitigation
    >>> in_words([ClipSpectrum(), None])
    '[ClipSpectrum(rtol=1e-10), None]'
    >>> in_words(ReadoutMitigation(np.ones((3, 2, 2))))
    'ReadoutMitigation(readout=array((3, 2, 2), float64, sha256:cf966f1001f0))'
    """
    text = _words(value, ())
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def without_address(text: str) -> str:
    """A representation without addresses in memory, which differ from run to run."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _words(value: object, above: tuple[int, ...]) -> str:
    if id(value) in above:
        return "…"  # an object that holds itself
    above = (*above, id(value))
    if isinstance(value, np.generic):
        return _words(value.item(), above)
    if isinstance(value, np.ndarray):
        return _array(value, above)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _sequence(value, above)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_words(k, above)}: {_words(v, above)}" for k, v in value.items()) + "}"
    if isinstance(value, (FunctionType, BuiltinFunctionType, MethodType, type)):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, partial):
        return f"partial({_words(value.func, above)}, {_words(value.args, above)}, {_words(value.keywords, above)})"
    if (found := _parameters(value)) is not None:
        return f"{type(value).__name__}({', '.join(f'{name}={_words(v, above)}' for name, v in found.items())})"
    if hasattr(value, "__array__"):  # a table of pandas, an operator of Qiskit
        return f"{type(value).__name__}({_array(np.asarray(value), above)})"
    return without_address(repr(value))


def _parameters(value: object) -> dict[str, object] | None:
    """What an object is made of, where it says so: parameters, fields, or attributes if it has no words of its own."""
    get_params = getattr(value, "get_params", None)
    if callable(get_params):
        return dict(sorted(get_params(deep=False).items()))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if type(value).__repr__ is object.__repr__ and hasattr(value, "__dict__"):
        return dict(sorted(vars(value).items()))
    return None


def _sequence(
    value: list[object] | tuple[object, ...] | set[object] | frozenset[object], above: tuple[int, ...]
) -> str:
    words = [_words(v, above) for v in value]
    if isinstance(value, list):
        return f"[{', '.join(words)}]"
    if isinstance(value, tuple):
        return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
    return "{" + ", ".join(sorted(words)) + "}"


def _array(array: NDArray[np.generic], above: tuple[int, ...]) -> str:
    if array.dtype.kind == "O":
        return f"array({array.shape}, {_words(array.tolist(), above)})"
    content = np.ascontiguousarray(array)
    if content.dtype.byteorder == ">":
        content = content.astype(content.dtype.newbyteorder("<"))
    digest = hashlib.sha256(content.tobytes()).hexdigest()[:12]
    return f"array({array.shape}, {array.dtype.name}, sha256:{digest})"
