"""How commands of a campaign begin and end: messages instead of tracebacks, notes for warnings, a way back."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from qkernels._errors import QKernelsError, QKernelsWarning

if TYPE_CHECKING:
    from rich.console import Console

    from qkernels_hardware import RuntimeEngine

__all__ = ["DETACHED", "come_back", "guarded", "steps_of_blocks"]

DETACHED = 130
"""Exit code after Ctrl-C: 128 and the number of the signal, as shells have it."""

_SAID = {
    "submitted": "submitted",
    "adopted": "found again on the device",
    "found on disk": "results found on disk",
    "done": "results stored",
    "failed": "gave no results",
}
"""Steps of a block that people want to know."""


def come_back(path: Path) -> str:
    """How to go on after Ctrl-C."""
    file = shlex.quote(str(path))
    return (
        f"Detached. Nothing is lost: jobs that were submitted go on without this process, and the ledger knows them. "
        f"Come back with `qkernels resume {file}`, or look with `qkernels status {file}`."
    )


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Run a command: errors of ours are one message, Ctrl-C says how to come back, warnings are notes.

    Raises
    ------
    typer.Exit
        With 1 after an error of ours, 130 after Ctrl-C.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", QKernelsWarning)
        try:
            yield
        except KeyboardInterrupt:
            typer.echo(f"\n{come_back(path)}", err=True)
            raise typer.Exit(DETACHED) from None
        except QKernelsError as error:
            typer.echo(f"error: {_paragraph(str(error))}", err=True)
            raise typer.Exit(1) from None
        finally:
            for text in dict.fromkeys(str(one.message) for one in caught):
                typer.echo(f"note: {_paragraph(text)}", err=True)


@contextmanager
def steps_of_blocks(engine: RuntimeEngine, console: Console, what: str) -> Iterator[None]:
    """Say what happens to blocks: a line for each step that counts, on a terminal what is going on below."""
    waiting: set[int] = set()
    with console.status(what) as status:

        def watch(step: str, block: object) -> None:
            number = int(getattr(block, "id", 0))
            if step in _SAID:
                job = getattr(block, "job_id", "")
                console.print(f"block {number}: {_SAID[step]}{f' (job {job})' if job else ''}", soft_wrap=True)
            if step == "waiting":
                waiting.add(number)
            else:
                waiting.discard(number)
            status.update(f"{what}, {len(waiting)} block(s) in the queue or running" if waiting else what)

        before, engine.watch = engine.watch, watch
        try:
            yield
        finally:
            engine.watch = before


def _paragraph(text: str) -> str:
    """One paragraph; lines of a list stay lines."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
