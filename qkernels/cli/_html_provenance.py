"""Where the numbers of the page come from: what results.json holds, for people."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import islice
from typing import cast

from qkernels.cli._html_tags import Markup, definitions, element, join, section
from qkernels.cli._record import Record

_MAX_CLASSES = 12
_MAX_LABEL = 60


def provenance(record: Record) -> Markup:
    """The last section of the page."""
    return section(
        "Provenance",
        definitions(
            [
                ("Date", _date(record)),
                ("Command that repeats the run", _command(record.command)),
                ("Data", _data(record.data)),
                ("Settings", _pairs(record.settings)),
                ("Search", _pairs(record.protocol)),
                ("Seeds", _pairs(record.seeds)),
                ("Versions", _pairs(record.versions)),
                ("Machine", _pairs(record.machine)),
                *([] if record.noise is None else [("Noise", _pairs(record.noise))]),
            ]
        ),
        element("h3", "Circuits"),
        element(
            "p",
            "A circuit's key is the sha256 of its gates, angles and qubits, not of its names: equal keys mean equal "
            "kernels at equal bandwidth.",
        ),
        definitions(_circuits(record)),
        element("p", "results.json, written beside this page, holds all of the above and the scores of all folds."),
    )


def _date(record: Record) -> Markup:
    day, time = record.started.removesuffix("+00:00").split("T")
    return join(element("time", f"{day} {time} UTC", datetime=record.started), f"; took {record.seconds:.0f} s")


def _command(command: str) -> Markup:
    """An option on each line, which a POSIX shell reads as one command."""
    program, subcommand, *options = (shlex.quote(word) for word in shlex.split(command))
    lines = [f"{name} {value}" for name, value in zip(options[::2], options[1::2], strict=True)]
    return element("code", " \\\n  ".join([f"{program} {subcommand}", *lines]), class_="block", id="command")


def _data(data: Mapping[str, object]) -> Markup:
    counts = cast("Mapping[str, int]", data["rows_per_class"])
    classes = [f"{_shortened(label)} ({count:,})" for label, count in islice(counts.items(), _MAX_CLASSES)]
    more = f" and {len(counts) - _MAX_CLASSES} more" if len(counts) > _MAX_CLASSES else ""
    return join(
        f"{data['name']}: {data['rows_used']:,} of {data['rows_in_table']:,} rows, {data['columns']:,} columns. "
        f"Rows per class: {', '.join(classes)}{more}. sha256 of the whole table: ",
        element("code", str(data["sha256"]), id="data-hash"),
    )


def _circuits(record: Record) -> list[tuple[str, Markup]]:
    found = [model for model in record.models if model["program_key"] is not None]
    return [
        (
            str(model["name"]),
            join(element("code", str(model["feature_map"])), ", key ", element("code", str(model["program_key"]))),
        )
        for model in found
    ]


def _pairs(values: Mapping[str, object]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in values.items())


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{item:g}" for item in value)
    return "–" if value is None else str(value)


def _shortened(label: str) -> str:
    return label if len(label) <= _MAX_LABEL else f"{label[: _MAX_LABEL - 1]}…"
