"""Commands and options."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from qkernels._errors import QKernelsError
from qkernels.cli import _commands

MIN_WIDTH, MAX_WIDTH = 80, 110
"""Columns: narrower, the table loses digits; wider, sentences are hard to read."""

DEFAULT_JOBS = min(os.cpu_count() or 1, 4)
"""A process takes seconds to start and 300 MB; the demo is short."""

DEFAULT_FEATURES, DEFAULT_NOISY_FEATURES = 8, 6
"""Simulating noise takes four times as long for each further qubit."""

DEFAULT_DEVICE = "fake_fez"

app = typer.Typer(
    name="qkernels",
    help="Quantum kernels: an honest comparison on your table, and what it would cost on a device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without "±" shows "?" instead of a traceback
    app()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Warnings are for people who write code; what a user of the command needs to know is in the report."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"  # read by worker processes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qkernels {version('qkernels')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command()
def demo(
    dataset: Annotated[
        str, typer.Option(help="breast_cancer, digits, iris, wine, or a CSV file with a header line.")
    ] = "breast_cancer",
    target: Annotated[str | None, typer.Option(help="Column of the classes, for a CSV file.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for report.html, pictures and results.json.")] = Path(
        "qkernels-demo"
    ),
    features: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=12,
            help=f"Principal components kept. Default: {DEFAULT_FEATURES}; with --noise {DEFAULT_NOISY_FEATURES}.",
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Outer folds.")] = 5,
    repeats: Annotated[int, typer.Option(min=1, max=20, help="Repeats of the outer folds.")] = 2,
    max_rows: Annotated[int, typer.Option(min=20, help="Larger tables are sampled down to this many rows.")] = 600,
    shots: Annotated[int, typer.Option(min=1, help="Shots per kernel entry, for the verdict and --noise.")] = 4096,
    device: Annotated[
        str | None,
        typer.Option(
            help=f"Device model that circuits are routed on. Default: that of --noise, or {DEFAULT_DEVICE}.",
        ),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(help="Device model, such as fake_fez, under whose noise the tuned kernels are evaluated too."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds and samples.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes. Default: one per core, at most 4.")] = DEFAULT_JOBS,
) -> None:
    """Compare quantum kernels with a tuned RBF kernel: is a device worth it on this table?

    Nested cross-validation: all is fitted and chosen inside training folds.

    Exact simulation: no account is needed, nothing is sent anywhere.
    """
    # Imported here: --help must not wait for Qiskit and matplotlib.
    from rich.console import Console

    from qkernels.cli._demo import run_demo
    from qkernels.cli._results import Settings

    if features is None:
        features = DEFAULT_FEATURES if noise is None else DEFAULT_NOISY_FEATURES
    if device is None:
        device = DEFAULT_DEVICE if noise is None else noise
    settings = Settings(dataset, target, output, features, folds, repeats, max_rows, shots, device, seed, jobs, noise)
    console = Console(highlight=False)
    console.width = min(max(console.width, MIN_WIDTH), MAX_WIDTH)
    try:
        with _without_warnings():
            run_demo(settings, console)
    except QKernelsError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from None


_commands.register(app)
