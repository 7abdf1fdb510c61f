"""``python -m benchmarks [case ...] [--quick] [--output DIR]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import (
    adaptive_shots,
    gram_cpmap,
    gram_zz,
    grid_search,
    memory,
    noisy_device,
    noisy_fidelity,
    noisy_gram,
    noisy_scaling,
    nystroem,
    placement,
    predict_one,
    projected,
    runtime_submission,
    runtime_tiling,
    user_circuit,
    vqc_fit,
    vqc_gradient,
    vqc_loss,
    wide_mps,
)
from benchmarks._harness import Case, Result
from benchmarks._report import Neighbours, machine, print_table, record, write_record

CASES: dict[str, Case] = {
    module.CASE.name: module.CASE
    for module in (
        gram_zz,
        gram_cpmap,
        user_circuit,
        wide_mps,
        predict_one,
        memory,
        grid_search,
        projected,
        nystroem,
        adaptive_shots,
        noisy_gram,
        noisy_device,
        noisy_scaling,
        noisy_fidelity,
        runtime_submission,
        runtime_tiling,
        placement,
        vqc_loss,
        vqc_gradient,
        vqc_fit,
    )
}

QUIET = 0.1
"""Cores that other processes may keep busy before the times are doubtful."""

RECORDS = Path(__file__).with_name("records")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, print the table, write the records.

    Returns
    -------
    int
        0, or 1 where an answer differed from a competitor's. A missed goal is shown and is no failure: goals hold for
        a quiet machine.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Timed answers, checked in the same run.")
    parser.add_argument("case", nargs="*", help=f"any of {', '.join(CASES)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does everything run and agree?")
    parser.add_argument(
        "--output", type=Path, help="folder of the JSON records (default: benchmarks/records; none for --quick)"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.case if name not in CASES]:
        parser.error(f"unknown case {unknown[0]!r}; choose from {', '.join(CASES)}")
    folder = options.output or (None if options.quick else RECORDS)

    console = Console(width=None if sys.stdout.isatty() else 200)
    results: dict[Case, Result] = {}
    for name in options.case or CASES:
        case = CASES[name]
        console.print(f"{case.name}: {case.question} ...")
        sizes = case.quick if options.quick else case.full
        with Neighbours() as neighbours:
            results[case] = case.run(sizes)
        if neighbours.cores is not None and neighbours.cores > QUIET:
            console.print(
                f"  other processes kept {neighbours.cores:.2f} cores busy meanwhile: repeat when it is quiet"
            )
        if folder is not None:
            content = record(case, sizes, results[case], machine() | {"cores_busy_with_other_work": neighbours.cores})
            write_record(folder, content)
    print_table(results, console, judged=not options.quick)
    checks = [row.check for result in results.values() for row in result.rows if row.check is not None]
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    raise SystemExit(main())
