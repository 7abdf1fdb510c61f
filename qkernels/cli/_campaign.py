"""Campaigns: a TOML file that says which kernel of which rows is measured where, and what it may cost."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qkernels._errors import InvalidParameterError
from qkernels.cli._campaign_check import (
    FLAG,
    NUMBER,
    SHARE,
    TEXT,
    Rule,
    at_least,
    check_keys,
    check_values,
    one_of,
    refuse_secrets,
)

__all__ = ["Campaign", "DataPart", "KernelPart", "NamedPart", "read_campaign"]

_TABLES = ("data", "map", "kernel", "backend", "options", "budget", "ledger")

_DATA = {
    "dataset": one_of("breast_cancer", "digits", "iris", "wine"),
    "csv": TEXT,
    "target": TEXT,
    "rows": at_least(4),
    "features": at_least(1),
    "scale": FLAG,
    "test_share": SHARE,
    "seed": at_least(0),
}
_QUBITS = Rule(
    "'auto' or a list of qubits such as [0, 1, 2]; 'refresh' would measure anew in every command: for a new layout, "
    "name another ledger in [ledger]",
    lambda value: value == "auto" or isinstance(value, list),
)
_BACKEND = {
    "name": TEXT,
    "instance": TEXT,
    "shots": at_least(1),
    "mode": one_of("batch", "job", "session"),
    "tiles": at_least(1),
    "fractional": FLAG,
    "barrier": FLAG,
    "layout": _QUBITS,
    "optimization_level": at_least(2),
    "block_executions": at_least(1),
    "seed": at_least(0),
}
_BUDGET = {"qpu_seconds": NUMBER, "jobs": at_least(1)}
_BANDWIDTH = Rule("'scale' or a number > 0", lambda value: value == "scale" or NUMBER.accepts(value))
_CORRECTIONS = Rule(
    "a list of names, or of tables with a name, such as ['readout_mitigation', {name = 'clip_spectrum'}]",
    lambda value: isinstance(value, list) and all(isinstance(one, str | dict) for one in value),
)


@dataclass(frozen=True, slots=True)
class DataPart:
    """Which rows.

    Attributes
    ----------
    dataset : str or None
        Of scikit-learn.
    csv : Path or None
        The other way; with `target`, the column of the labels.
    target : str or None
    rows : int or None
        Larger tables are sampled down to this many.
    features : int or None
        Principal components; None keeps all columns.
    scale : bool
        Whether columns are scaled by what the training rows have. Rows that are used as they are keep their angles
        whatever rows are beside them.
    test_share : float
    seed : int
        Of the sample and the split.
    """

    dataset: str | None = None
    csv: Path | None = None
    target: str | None = None
    rows: int | None = None
    features: int | None = None
    scale: bool = True
    test_share: float = 0.3
    seed: int = 0

    @property
    def is_there(self) -> bool:
        """Whether the rows can be loaded: a file may have been moved since they were measured."""
        return self.csv is None or self.csv.is_file()


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A map or a correction: its name and its parameters."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KernelPart:
    """The kernel: name, bandwidth, other parameters, corrections (None is the kernel's default)."""

    name: str = "fidelity"
    options: Mapping[str, Any] = field(default_factory=dict)
    corrections: tuple[NamedPart, ...] | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign file, read and checked.

    Attributes
    ----------
    path : Path
    text : str
        Of the file.
    data : DataPart
    feature_map : NamedPart
    kernel : KernelPart
    backend : mapping
        Arguments of RuntimeEngine, its name as "name".
    options : mapping
        Of the client.
    budget : mapping
        Arguments of Budget.
    ledger : Path
    """

    path: Path
    text: str = field(repr=False)
    data: DataPart
    feature_map: NamedPart
    kernel: KernelPart
    backend: Mapping[str, Any]
    options: Mapping[str, Any]
    budget: Mapping[str, Any]
    ledger: Path

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return self.path.stem


def read_campaign(path: Path) -> Campaign:
    """Read a campaign and check it; nothing is loaded and nothing is asked for.

    Raises
    ------
    InvalidParameterError
        The file cannot be read, a table or a key is unknown or missing, a value breaks its rule, or there is a secret.
    """
    path = Path(path).absolute()
    text, content = _parse(path)
    where = path.name
    refuse_secrets(content, where)
    check_keys(content, _TABLES, where, "table")
    tables = {name: _table(content, name, where) for name in _TABLES}
    check_values(tables["ledger"], {"path": TEXT}, f"{where}: [ledger]")
    check_values(tables["budget"], _BUDGET, f"{where}: [budget]")
    ledger = tables["ledger"].get("path", f"{path.stem}.sqlite")
    return Campaign(
        path=path,
        text=text,
        data=_data(tables["data"], path.parent, f"{where}: [data]"),
        feature_map=_named(tables["map"] or {"name": "zz"}, f"{where}: [map]"),
        kernel=_kernel(tables["kernel"], f"{where}: [kernel]"),
        backend=_backend(tables["backend"], f"{where}: [backend]"),
        options=tables["options"],
        budget=tables["budget"],
        ledger=path.parent / Path(ledger).expanduser(),
    )


def _parse(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise InvalidParameterError(f"{path} cannot be read: {error.strerror}. Name a campaign file.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidParameterError(f"{path.name} is no TOML file: {error}. Text stands in quotes in TOML.") from None


def _table(content: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InvalidParameterError(f"{where}: {name} must be a table, [{name}] on a line of its own; got {table!r}.")
    return table


def _data(table: dict[str, Any], folder: Path, place: str) -> DataPart:
    check_values(table, _DATA, place)
    if ("dataset" in table) == ("csv" in table):
        raise InvalidParameterError(
            f"{place} must hold either dataset (such as 'iris') or csv (a file); got "
            f"{'both' if 'csv' in table else 'neither'}."
        )
    if ("csv" in table) != ("target" in table):
        got = "csv without it" if "csv" in table else "it with dataset, which brings its own"
        raise InvalidParameterError(f"{place} target must be given with csv, the column of the labels; got {got}.")
    if "csv" in table:
        table = {**table, "csv": folder / Path(table["csv"]).expanduser()}
    if "features" in table and not table.get("scale", True):
        raise InvalidParameterError(
            f"{place} features must be left out with scale = false, as principal components are learned from the "
            f"training rows like the scaling; got {table['features']}. Write the columns that you want into a CSV file."
        )
    return DataPart(**table)


def _named(entry: object, place: str) -> NamedPart:
    table = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(table, dict) or not TEXT.accepts(table.get("name")):
        raise InvalidParameterError(f"{place} name must be {TEXT.words}; got {entry!r}.")
    return NamedPart(table["name"], {key: value for key, value in table.items() if key != "name"})


def _kernel(table: dict[str, Any], place: str) -> KernelPart:
    for key, rule in (("bandwidth", _BANDWIDTH), ("corrections", _CORRECTIONS)):
        if key in table:
            check_values({key: table[key]}, {key: rule}, place)
    part = _named({"name": "fidelity", **table}, place)
    options = {key: value for key, value in part.options.items() if key != "corrections"}
    corrections = None
    if "corrections" in table:
        listed = enumerate(table["corrections"])
        corrections = tuple(_named(entry, f"{place} corrections[{position}]") for position, entry in listed)
    return KernelPart(part.name, options, corrections)


def _backend(table: dict[str, Any], place: str) -> dict[str, Any]:
    check_values(table, _BACKEND, place)
    if "name" not in table:
        raise InvalidParameterError(f"{place} must hold name, a device ('ibm_fez') or a device model ('fake_fez').")
    return {"seed": 0, **table}
