"""Keeps tokens and passwords out of what is written to disk."""

from __future__ import annotations

import re
from collections.abc import Mapping

from qkernels._errors import InvalidParameterError

__all__ = ["refuse_secrets", "scrubbed"]

_NAMES = ("token", "apikey", "password", "passwd", "secret", "authorization", "credential")
_HEADER = re.compile(
    r"(authorization['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|apikey|basic)\s+)?)(?!\*\*\*)[^\s'\",;]+", re.IGNORECASE
)
_SCHEME = re.compile(r"\b((?:bearer|apikey)\s+)[^\s'\",;]{6,}", re.IGNORECASE)
_FIELD = re.compile(
    r"((?:token|api[_-]?key|passw(?:or)?d|secret|credential)s?['\"]?\s*[:=]\s*['\"]?)(?!\*\*\*)[^\s'\",;&}]+",
    re.IGNORECASE,
)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?")
_URL = re.compile(r"(://[^/@\s:]*):[^/@\s]+@")


def refuse_secrets(content: object, owner: str, path: str = "settings") -> None:
    """Refuse data that hold a token or a password.

    Parameters
    ----------
    content : object
        Nested plain data.
    owner : str
        Function whose argument it is, for the message.
    path : str
        Name of the argument, for the message.

    Raises
    ------
    InvalidParameterError
        A key, at any depth, is named like a secret, or a text holds one. The message never holds the value.
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            if any(name in re.sub(r"[^a-z]", "", str(key).lower()) for name in _NAMES):
                raise InvalidParameterError(
                    f"{owner}: {path} must not hold secrets, they would be written to disk; got the key {str(key)!r} "
                    "(its value is not shown). Leave it out and save the account with "
                    "QiskitRuntimeService.save_account(...)."
                )
            refuse_secrets(value, owner, f"{path}[{str(key)!r}]")
    elif isinstance(content, (list, tuple)):
        for position, value in enumerate(content):
            refuse_secrets(value, owner, f"{path}[{position}]")
    elif isinstance(content, str) and scrubbed(content) != content:
        raise InvalidParameterError(
            f"{owner}: {path} must not hold secrets, they would be written to disk; got a text with something like a "
            "token or a password in it (not shown). Leave it out."
        )


def scrubbed(text: str) -> str:
    """Replace what looks like a token or a password in a text, for instance the message of an error.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        With ``***`` where a secret was.
    """
    text = _JWT.sub("***", text)
    for pattern in (_HEADER, _SCHEME, _FIELD):
        text = pattern.sub(r"\1***", text)
    return _URL.sub(r"\1:***@", text)
