"""What a campaign measured, as arrays in a file: from its ledger alone, never measuring anything."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import ExecutionError, InvalidDataError, InvalidParameterError
from qkernels.cli._campaign_blocks import own_blocks
from qkernels.cli._campaign_parts import build_kernel
from qkernels.cli._campaign_work import Work
from qkernels.cli._ledger_engine import Answer, LedgerEngine
from qkernels.cli._rehearsal import TEST, TRAINING
from qkernels.kernels import CircuitKernel, FidelityKernel
from qkernels.programs import Expectations, Overlaps

__all__ = ["Export", "export", "missing_entries", "write_export"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_VERSIONED = ("qkernels", "qiskit", "qiskit-ibm-runtime", "scikit-learn", "numpy")


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """Kernel matrices with all that belongs to them.

    Attributes
    ----------
    K_train : ndarray of shape (n_train, n_train)
        Corrected; of a partial export as measured, NaN where something is missing.
    K_test : ndarray of shape (n_test, n_train)
    mask_train, mask_test : ndarray of bool of the same shapes
        Where there are results.
    arrays : mapping of str to ndarray
        All arrays of the file, these included.
    provenance : mapping
        Plain data.
    """

    K_train: Values
    K_test: Values
    mask_train: Mask
    mask_test: Mask
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)
    provenance: Mapping[str, Any] = field(repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.mask_train.all() and self.mask_test.all())


def missing_entries(work: Work) -> dict[str, tuple[int, int]]:
    """Entries (or rows, for expectation values) that the ledger lacks, and all of them, by kind of request."""
    found: dict[str, tuple[int, int]] = {}
    for request in work.requests:
        blocks, _ = work.engine.held(*request.arguments, **request.options)
        parts = [blocks]
        if request.Y is not None and "diagonal" in request.options.get("need", ()):
            options = {name: v for name, v in request.options.items() if name in ("theta", "orientation")}
            for rows in (request.X, request.Y):
                selves = np.repeat(np.arange(len(rows)), 2).reshape(-1, 2)
                parts.append(work.engine.held(request.program, rows, pairs=selves, **options)[0])
        missing, count = found.get(request.what, (0, 0))
        found[request.what] = missing + sum(int((p < 0).sum()) for p in parts), count + sum(p.size for p in parts)
    return found


def export(work: Work, *, partial: bool = False) -> Export:
    """Fit and transform with the results of the ledger.

    Parameters
    ----------
    work : Work
    partial : bool, default=False
        Take what is there: without corrections, NaN where an entry is missing.

    Raises
    ------
    ExecutionError
        There is no ledger, or no result in it; or it lacks results and `partial` is False: says how many.
    InvalidParameterError
        `partial`, and the kernel learns from rows that are missing.
    """
    if not work.campaign.ledger.exists():
        raise ExecutionError(f"There is no ledger {work.campaign.ledger}: nothing was submitted. Nothing to export.")
    missing = missing_entries(work)
    lacking = {what: counts for what, counts in missing.items() if counts[0]}
    nothing = all(lost == count for lost, count in missing.values())
    if lacking and not partial:
        words = ", ".join(f"{lost:,} of {count:,} of the {what}" for what, (lost, count) in lacking.items())
        why = _why_nothing(work) if nothing else ""
        ways = ", which measures all of them" if nothing else ", or take what is there with --partial"
        raise ExecutionError(
            f"The ledger {work.campaign.ledger} lacks results: {words}.{why} Get them with `qkernels resume "
            f"{work.campaign.path.name}`{ways}."
        )
    if nothing:
        raise ExecutionError(
            f"The ledger {work.campaign.ledger} has no results of this campaign as it stands now: nothing to export."
        )
    engine = LedgerEngine(work.engine, partial=partial)
    kernel = build_kernel(work.campaign, engine, corrected=not lacking)
    if TRAINING in lacking and getattr(kernel, "gamma", None) == "scale" and getattr(kernel, "outer", "") != "linear":
        raise InvalidParameterError(
            f"{work.campaign.path.name}: [kernel] gamma must be a number for a partial export while training rows are "
            "missing: 'scale' is learned from the expectation values of all of them. Wait for the rest, or set gamma."
        )
    split = work.split
    K_train = np.array(kernel.fit(split.X_train).gram_)
    engine.what = TEST
    K_test = np.array(kernel.transform(split.X_test)) if len(split.X_test) else np.empty((0, len(K_train)))
    train, test = engine.answers[TRAINING], engine.answers.get(TEST)
    mask_train, mask_test = _mask(train, train), np.ones(K_test.shape, dtype=bool)
    if test is not None:
        mask_test = _mask(test, train)
    K_train[~mask_train] = K_test[~mask_test] = np.nan
    arrays = _arrays(work, kernel, {"train": train, "test": test})
    matrices = {"K_train": K_train, "K_test": K_test, "mask_train": mask_train, "mask_test": mask_test}
    if "stderr_train" in arrays:
        arrays["stderr_train"][~mask_train] = np.nan
    provenance = _provenance(work, kernel)
    return Export(K_train, K_test, mask_train, mask_test, matrices | arrays, provenance)


def _why_nothing(work: Work) -> str:
    """Why a ledger with measurements has none of the campaign, to be said in a message; "" where that is not so."""
    for request in work.requests:
        if why := work.engine.why_new(*request.arguments, **request.options):
            return f" {why[0].upper()}{why[1:]}"
    return ""


def _mask(answer: Answer, columns: Answer) -> Mask:
    """Entries of a matrix that are there; of expectation values both rows must be."""
    if isinstance(answer.found, Overlaps):
        return answer.mask
    return np.asarray(answer.mask[:, None] & columns.mask[None, :])


def _arrays(work: Work, kernel: CircuitKernel, answers: Mapping[str, Answer | None]) -> dict[str, NDArray[Any]]:
    split = work.split
    arrays: dict[str, NDArray[Any]] = {
        "X_train": split.X_train,
        "X_test": split.X_test,
        "y_train": split.y_train,
        "y_test": split.y_test,
    }
    if hasattr(kernel, "gram_stderr_"):
        arrays["stderr_train"] = np.array(kernel.gram_stderr_)
    for side, answer in answers.items():
        if answer is None:
            continue
        arrays[f"blocks_{side}"], arrays[f"tiles_{side}"] = answer.blocks, answer.tiles
        measured = isinstance(kernel, FidelityKernel) or isinstance(answer.found, Expectations)
        if measured and answer.found.stderr is not None:  # other entries are functions of more than one frequency
            absent = ~answer.mask
            for name, array in (("measured", answer.found.values), ("measured_stderr", answer.found.stderr)):
                arrays[f"{name}_{side}"] = np.array(array)
                arrays[f"{name}_{side}"][absent] = np.nan
    return arrays


def _provenance(work: Work, kernel: CircuitKernel) -> dict[str, Any]:
    from qkernels_hardware import Ledger

    blocks = own_blocks(work)
    with Ledger.open(work.campaign.ledger, read_only=True) as ledger:
        series = [one for one in ledger.all_series() if one.id in {block.series for block in blocks}]
        identity = ledger.id
    return {
        "campaign": work.campaign.text,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {"name": work.split.name, "sha256": work.split.digest},
        "kernel": repr(kernel).replace(str(work.campaign.ledger), work.campaign.ledger.name),
        "corrected": bool(kernel.corrections_),
        "ledger": {"file": work.campaign.ledger.name, "id": identity},
        "series": [
            {"id": s.id, "program": s.program, "backend": s.backend, "calibration": s.calibration} for s in series
        ],
        "blocks": [
            {
                "id": block.id,
                "state": str(block.state),
                "job_id": block.job_id,
                "calibration": block.calibration,
                "shots": block.shots,
                "finished": None if block.finished is None else block.finished.isoformat(),
                "qpu_seconds": block.usage,
            }
            for block in blocks
        ],
        "versions": {name: version(name) for name in _VERSIONED},
    }


def write_export(path: Path, found: Export) -> list[Path]:
    """Write ``.npz``, or ``.csv`` with its provenance in ``.json`` beside it; the files.

    Raises
    ------
    InvalidParameterError
        Another ending.
    InvalidDataError
        The file cannot be written.
    """
    try:
        if path.suffix == ".npz":
            stamps = [(block["id"], block["calibration"]) for block in found.provenance["blocks"]]
            content: dict[str, Any] = {
                **found.arrays,
                "calibration_blocks": np.array([one for one, _ in stamps], dtype=np.int64),
                "calibration": np.array([stamp for _, stamp in stamps], dtype=np.str_),
                "provenance": np.array(json.dumps(found.provenance, indent=2)),
            }
            with open(path, "wb") as file:
                np.savez_compressed(file, **content)
            return [path]
        if path.suffix == ".csv":
            _write_csv(path, found)
            beside = path.with_suffix(".json")
            record = {**found.provenance, "csv_sha256": sha256(path.read_bytes()).hexdigest()}
            beside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            return [path, beside]
    except OSError as error:
        raise InvalidDataError(f"--output: cannot write {path}: {error.strerror}. Choose another file.") from None
    raise InvalidParameterError(f"--output must end with .npz or .csv; got {path.name!r}.")


def _write_csv(path: Path, found: Export) -> None:
    """A line for every entry; values that are missing are empty."""
    stamps = {block["id"]: block["calibration"] for block in found.provenance["blocks"]}
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["part", "row", "column", "label", "value", "stderr", "block", "tile", "calibration"])
        for part, K in (("train", found.K_train), ("test", found.K_test)):
            stderr = found.arrays.get(f"stderr_{part}")
            labels, blocks, tiles = (found.arrays.get(f"{name}_{part}") for name in ("y", "blocks", "tiles"))
            for i, j in product(*map(range, K.shape)):
                error = "" if stderr is None else _cell(stderr[i, j])
                at: tuple[Any, ...] = ("", "", "")
                if blocks is not None and tiles is not None and blocks.ndim == 2 and blocks[i, j] >= 0:
                    block = int(blocks[i, j])
                    at = (block, int(tiles[i, j]), stamps.get(block, ""))
                table.writerow([part, i, j, "" if labels is None else labels[i], _cell(K[i, j]), error, *at])


def _cell(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value))
