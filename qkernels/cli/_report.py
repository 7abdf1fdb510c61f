"""What the demo prints."""

from __future__ import annotations

import textwrap

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from qkernels.cli import _noise_words, _words
from qkernels.cli._results import NoiseSource, Results, Settings
from qkernels.cli._tables import Table

_MADE_ROOM = ("qubits", "2q gates", "2q depth", "depth")
"""Columns of the comparison that make room for those of noise, whose sentences describe the circuits."""


def print_header(
    console: Console, table: Table, settings: Settings, num_components: int, noise: NoiseSource | None = None
) -> None:
    """Say what will be done."""
    _say(console, _words.table_sentence(table), "bold")
    _say(console, _words.protocol_sentence(settings, num_components))
    if noise is not None:
        _say(console, _noise_words.noise_protocol(settings, noise))


def print_results(console: Console, results: Results) -> None:
    """Print the table, what its columns mean, and the verdict."""
    console.print()
    console.print(_grid(results, wide=console.width >= 95))
    units = [unit for unit in _words.units(results) if results.noise is None or unit[0] != "2q gates and depth"]
    columns = "; ".join(f"{column}: {meaning}" for column, meaning in units)
    _say(console, f"{columns}.", "dim")
    _say(console, _words.device_sentence(results), "dim")
    if results.noise is not None:
        _print_noise(console, results, results.noise)
    console.print("\n[bold]Verdict[/bold]")
    _say(console, _words.rule_sentence(results.settings), "dim")
    for name, sentence in _words.verdicts(results):
        _say(console, f"{name}: {sentence}", indent="  ")
    console.print()
    noisy = [] if results.noise is None else [_noise_words.noise_sentence(results)]
    found = [_words.best_sentence(results.outcomes), _words.floor_sentence(results), *noisy]
    for sentence in (*found, f"Overall: {_words.overall_sentence(results)}"):
        _say(console, sentence, "bold")


def _print_noise(console: Console, results: Results, noise: NoiseSource) -> None:
    console.print("\n[bold]Noise[/bold]")
    _say(console, f"{_noise_words.noise_protocol(results.settings, noise)} {_noise_words.noise_method()}", "dim")
    for name, sentence in _noise_words.noise_findings(results):
        _say(console, f"{name}: {sentence}.", indent="  ")


def _grid(results: Results, wide: bool) -> RichTable:
    headings = _words.headings(results)
    shown = [i for i, heading in enumerate(headings) if results.noise is None or heading not in _MADE_ROOM]
    grid = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1) if wide else 0)
    first, *others = (headings[i] for i in shown)
    grid.add_column(first, no_wrap=True)
    for heading in others:
        two_lines = heading.startswith(("2q", "time"))
        grid.add_column(heading.replace(" ", "\n") if two_lines else heading, justify="right", no_wrap=True)
    for row in _words.comparison(results):
        accuracy, *cells = (escape(cell) for cell in row.cells)
        line = [row.name, f"[bold]{accuracy}[/bold]" if row.is_best else accuracy, *cells]
        grid.add_row(*(line[i] for i in shown))
    return grid


def _say(console: Console, text: str, style: str = "", indent: str = "") -> None:
    """Print a paragraph, wrapped here so that a log gets no trailing spaces and a hanging indent."""
    wrapped = textwrap.fill(
        text,
        width=max(console.width - 1, 40),
        initial_indent=indent,
        subsequent_indent=indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(escape(wrapped), style=style or None, soft_wrap=True)
