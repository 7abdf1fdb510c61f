"""``python examples/papers [--quick] [script ...]``: run the scripts of this folder and print one table."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

from _common import NOT_OWN_NUMBERS, Check, Paper, all_met
from rich.console import Console
from rich.table import Table

SCRIPTS = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def print_table(results: dict[Paper, list[Check]], console: Console) -> None:
    table = Table("id", "paper", "check", "target", "result", "tuned RBF", "met")
    table.columns[1].overflow = "fold"  # in a narrow terminal: more lines, no name cut off
    for paper, checks in results.items():
        for i, check in enumerate(checks):
            last = i == len(checks) - 1
            who = (paper.id, f"{paper.authors}{paper.arxiv and f', arXiv:{paper.arxiv}'}") if i == 0 else ("", "")
            table.add_row(*who, *check.cells(), style="red" if check.met is False else None, end_section=last)
    console.print(table)
    if others := [paper.id for paper in results if not paper.own_numbers]:
        console.print(f"{', '.join(others)}: {NOT_OWN_NUMBERS}.", highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python examples/papers", description="Published results, checked.")
    parser.add_argument("script", nargs="*", help=f"any of {', '.join(SCRIPTS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="the small setting of the test suite")
    options = parser.parse_args()
    if unknown := [name for name in options.script if name not in SCRIPTS]:
        parser.error(f"unknown script {unknown[0]!r}; choose from {', '.join(SCRIPTS)}")

    console = Console(width=None if sys.stdout.isatty() else 180)
    results: dict[Paper, list[Check]] = {}
    for name in options.script or SCRIPTS:
        script = import_module(name)
        start = perf_counter()
        results[script.PAPER] = script.run(options.quick)
        console.print(f"{name}: {perf_counter() - start:.0f} s", highlight=False)
    print_table(results, console)
    return 0 if all(all_met(checks) for checks in results.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
