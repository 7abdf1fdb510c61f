"""A bar on a terminal, lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Step = Callable[[str], None]
"""Notes that a step of the task of this name is done."""


@contextmanager
def steps(console: Console, first: str, total: int, each: int, what: str) -> Iterator[Step]:
    """Count steps.

    Parameters
    ----------
    console : Console
    first : str
        Name of the first task.
    total : int
        Steps of all tasks.
    each : int
        Steps of one task; a log gets a line where a task has as many.
    what : str
        Said about a task in a log: how many of what are done.
    """
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    done: dict[str, int] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(first, total=total)

        def step(name: str) -> None:
            done[name] = done.get(name, 0) + 1
            progress.update(task, description=name, advance=1)
            if not console.is_terminal and done[name] == each:
                console.print(f"  {name}: {what}")

        yield step
