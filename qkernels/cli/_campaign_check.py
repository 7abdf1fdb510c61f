"""Checks of a TOML file: which tables and keys there are, what their values may be, and no secrets among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

from qkernels._errors import InvalidParameterError

__all__ = [
    "FLAG",
    "NUMBER",
    "SHARE",
    "TEXT",
    "Rule",
    "at_least",
    "check_keys",
    "check_values",
    "choose",
    "one_of",
    "refuse_secrets",
]

_SECRETS = re.compile(r"token|api[-_ ]?key|passw(or)?d|passwd|secret|credential|authorization", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value may be.

    Attributes
    ----------
    words : str
        After "must be".
    accepts : callable
    """

    words: str
    accepts: Callable[[object], bool]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def at_least(lowest: int) -> Rule:
    """An integer of some size."""
    return Rule(f"an integer >= {lowest}", lambda value: _is_whole(value) and value >= lowest)  # type: ignore[operator]


def one_of(*names: str) -> Rule:
    """One of some words."""
    return Rule(", ".join(map(repr, names[:-1])) + f" or {names[-1]!r}", lambda value: value in names)


TEXT = Rule("text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))
FLAG = Rule("true or false", lambda value: isinstance(value, bool))
NUMBER = Rule("a number > 0", lambda value: _is_number(value) and value > 0)  # type: ignore[operator]
SHARE = Rule("a number >= 0 and < 1", lambda value: _is_number(value) and 0 <= value < 1)  # type: ignore[operator]


def check_keys(found: Collection[str], allowed: Collection[str], place: str, what: str = "key") -> None:
    """Refuse unknown names.

    Raises
    ------
    InvalidParameterError
        Names the place, the names that are allowed there, and close ones.
    """
    for name in found:
        if name not in allowed:
            raise InvalidParameterError(f"{place} has no {what} {name!r}. {_hint(name, allowed)}")


def choose(name: str, allowed: Collection[str], place: str) -> str:
    """One of the allowed names, however it is written: "ZZ", "zz" and "Z_Z" are one.

    Raises
    ------
    InvalidParameterError
        There is no such name.
    """
    squashed = {re.sub(r"[^a-z0-9]", "", one.lower()): one for one in allowed}
    found = squashed.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    if found is None:
        raise InvalidParameterError(f"{place} must be a name that is known; got {name!r}. {_hint(name, allowed)}")
    return found


def check_values(table: Mapping[str, Any], rules: Mapping[str, Rule], place: str) -> None:
    """Refuse unknown keys, and values that break their rule.

    Raises
    ------
    InvalidParameterError
        Names the place, the key, the rule and the value.
    """
    check_keys(table, rules, place)
    for key, value in table.items():
        if not rules[key].accepts(value):
            raise InvalidParameterError(f"{place} {key} must be {rules[key].words}; got {value!r}.")


def refuse_secrets(content: object, place: str) -> None:
    """Refuse keys that are named like a secret, at any depth. The message never holds the value.

    Raises
    ------
    InvalidParameterError
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            if _SECRETS.search(str(key)):
                raise InvalidParameterError(
                    f"{place} must not hold {str(key)!r} (its value is not shown): a campaign is copied and kept with "
                    "its results. Save the account once, outside of it, with "
                    "QiskitRuntimeService.save_account(token=..., instance=...); it is then found by itself. Delete "
                    "the key here, and make a new API key if others could read this file."
                )
            inner = f"{place} {key}" if place.endswith("]") else f"{place} [{key}]"
            refuse_secrets(value, inner)
    elif isinstance(content, list):
        for value in content:
            refuse_secrets(value, place)


def _hint(name: str, allowed: Collection[str]) -> str:
    close = get_close_matches(name.lower(), allowed, n=3, cutoff=0.6)
    question = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{question}Allowed: {', '.join(sorted(allowed)) or 'none'}."
