"""What an object is and how it is set, as text that is the same in every process: for keys of what is kept on disk."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Mapping, Set
from enum import Enum
from functools import partial
from types import MethodType

import numpy as np

__all__ = ["setting_attributes", "settings_text"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def settings_text(thing: object) -> str:
    """An object as text that is the same in every process and tells what differs apart, where it is not code.

    Parameters
    ----------
    thing : object
        Numbers, text, arrays (masked ones without their masks) and collections are taken by value; functions and
        classes by their names, so that two lambdas of one place are alike, whatever they hold; other objects by their
        class and what they would pickle.

    Returns
    -------
    str

    Examples
    --------
    >>> from qkernels.programs import settings_text
    >>> settings_text({"b": 1.5, "a": (None, print)})
    "{'a': [None, builtins.print], 'b': 1.5}"
    """
    return _text(thing, ())


def setting_attributes(thing: object, *, only_parameters: bool = False) -> dict[str, object]:
    """Attributes of an object that somebody else wrote, without those that are no settings but change in use.

    Parameters
    ----------
    thing : object
        With a ``__dict__``.
    only_parameters : bool, default=False
        Whether only attributes count that are named like parameters of the constructor, with or without ``_`` ahead;
        otherwise those that do not begin with ``_`` do, too.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> from qkernels.programs import setting_attributes
    >>> class Walk:
    ...     def __init__(self, rate):
    ...         self._rate, self._history = rate, []
    >>> setting_attributes(Walk(0.5))
    {'_rate': 0.5}
    """
    try:
        given = set(inspect.signature(type(thing)).parameters)
    except (TypeError, ValueError):  # of a class of C
        given = set()
    return {
        name: value
        for name, value in vars(thing).items()
        if name.lstrip("_") in given or not (only_parameters or name.startswith("_"))
    }


def _text(value: object, around: tuple[int, ...]) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, Enum)):
        return repr(value)
    if id(value) in around:  # an object that holds itself
        return "…"
    inside = (*around, id(value))
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return _text(value.tolist(), inside)
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array({value.shape}, {value.dtype.str}, {content})"
    if isinstance(value, Mapping):
        items = (f"{_text(k, inside)}: {_text(v, inside)}" for k, v in value.items())
        return f"{{{', '.join(sorted(items))}}}"
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(_text(one, inside) for one in value))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_text(one, inside) for one in value)}]"
    if isinstance(value, partial):
        return f"partial({_text([value.func, value.args, value.keywords], inside)})"
    if isinstance(value, MethodType):
        return f"{_text(value.__self__, inside)}.{value.__name__}"
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str):  # a generator or a method of C has no module
        return f"{module}.{name}"
    return f"{type(value).__module__}.{type(value).__qualname__}({_state(value, inside)})"


def _state(thing: object, inside: tuple[int, ...]) -> str:
    try:
        state = thing.__getstate__()
    except Exception:  # what cannot be pickled, an open file for example, may say so by any error
        state = None
    return _ADDRESS.sub("", repr(thing)) if state is None else _text(state, inside)
