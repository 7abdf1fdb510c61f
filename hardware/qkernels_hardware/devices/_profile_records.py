"""The rows of a noise profile, and the rules their values keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeGuard

from qkernels._errors import InvalidParameterError

__all__ = ["GateNoise", "QubitNoise", "check_header", "gate_rows", "qubit_rows"]


class QubitNoise(NamedTuple):
    """Calibration of one qubit; None is unknown.

    Attributes
    ----------
    t1, t2 : float > 0 or None
        Seconds.
    one_if_zero, zero_if_one : float in [0, 1] or None
        Readout errors P(reads 1 | is 0) and P(reads 0 | is 1) as measured; both or neither.
    """

    t1: float | None
    t2: float | None
    one_if_zero: float | None
    zero_if_one: float | None


class GateNoise(NamedTuple):
    """Calibration of one instruction on certain qubits; None is unknown.

    Attributes
    ----------
    qubits : tuple of int
        In the order of the instruction.
    error : float in [0, 1] or None
        Average gate error; of a measurement, the probability to read the wrong value.
    duration : float >= 0 or None
        Seconds.
    """

    qubits: tuple[int, ...]
    error: float | None
    duration: float | None


def check_header(
    name: object, source: object, calibrated: object, num_qubits: object, dt: object, readout: object, scale: object
) -> None:
    """Check what a profile says about itself.

    Parameters
    ----------
    name, source, calibrated, num_qubits, dt, readout, scale : object
        Fields of `NoiseProfile`.

    Raises
    ------
    InvalidParameterError
        A field breaks its rule.
    """
    for field, text in (("name", name), ("source", source)):
        if not isinstance(text, str) or not text:
            raise InvalidParameterError(f"{field} of NoiseProfile must be a string that is not empty; got {text!r}.")
    if calibrated is not None and not _is_date(calibrated):
        raise InvalidParameterError(
            "calibrated of NoiseProfile must be None or a date such as '2025-02-26T15:16:25-05:00'; got "
            f"{calibrated!r}."
        )
    if isinstance(num_qubits, bool) or not isinstance(num_qubits, Integral) or num_qubits < 1:
        raise InvalidParameterError(f"num_qubits of NoiseProfile must be an integer >= 1; got {num_qubits!r}.")
    if dt is not None and not (_is_number(dt) and dt > 0):
        raise InvalidParameterError(f"dt of NoiseProfile must be None or > 0 seconds; got {dt!r}.")
    if readout not in ("symmetric", "measured"):
        raise InvalidParameterError(f"readout of NoiseProfile must be 'symmetric' or 'measured'; got {readout!r}.")
    if not (_is_number(scale) and scale >= 0):
        raise InvalidParameterError(f"scale of NoiseProfile must be a finite number >= 0; got {scale!r}.")


def qubit_rows(rows: Iterable[Sequence[float | None]], num_qubits: int) -> tuple[QubitNoise, ...]:
    """Turn rows (t1, t2, one_if_zero, zero_if_one) into checked records.

    Parameters
    ----------
    rows : iterable of sequences of 4 numbers or None
    num_qubits : int

    Returns
    -------
    tuple of QubitNoise, length num_qubits

    Raises
    ------
    InvalidParameterError
        A row has another length or a value out of range, or their number is not `num_qubits`.
    """
    records = tuple(_qubit(q, row) for q, row in enumerate(rows))
    if len(records) != num_qubits:
        raise InvalidParameterError(
            f"qubits of NoiseProfile must have one row for each of its {num_qubits} qubits; got {len(records)} rows."
        )
    return records


def gate_rows(
    instructions: Mapping[str, Iterable[Sequence[Any]] | None], num_qubits: int
) -> dict[str, tuple[GateNoise, ...] | None]:
    """Turn rows (qubits, error, duration) of every instruction into checked records.

    Parameters
    ----------
    instructions : mapping of str to iterable of rows, or None
        None: the instruction exists on all qubits, without error.
    num_qubits : int

    Returns
    -------
    dict of str to tuple of GateNoise, or None

    Raises
    ------
    InvalidParameterError
        A row names qubits that do not exist, twice, or in a number of their own, or has a value out of range.
    """
    checked: dict[str, tuple[GateNoise, ...] | None] = {}
    for name, rows in instructions.items():
        if rows is None:
            checked[name] = None
            continue
        records = tuple(_gate(name, row, num_qubits) for row in rows)
        if len({record.qubits for record in records}) != len(records) or len({len(r.qubits) for r in records}) > 1:
            raise InvalidParameterError(
                f"instructions of NoiseProfile must list the qubits of {name!r} once each, always the same number of "
                "them."
            )
        checked[name] = records
    return checked


def _qubit(qubit: int, row: Sequence[float | None]) -> QubitNoise:
    if not isinstance(row, Sequence) or len(row) != 4:
        raise InvalidParameterError(
            "qubits of NoiseProfile must hold rows of four: T1, T2, P(reads 1 | is 0), P(reads 0 | is 1); got "
            f"{row!r} for qubit {qubit}."
        )
    for what, time in zip(("T1", "T2"), row[:2], strict=True):
        if time is not None and not (_is_number(time) and time > 0):
            raise InvalidParameterError(
                f"qubits of NoiseProfile: {what} of qubit {qubit} must be None or > 0 seconds; got {time!r}."
            )
    for what, error in zip(("P(reads 1 | is 0)", "P(reads 0 | is 1)"), row[2:], strict=True):
        if error is not None and not (_is_number(error) and 0 <= error <= 1):
            raise InvalidParameterError(
                f"qubits of NoiseProfile: {what} of qubit {qubit} must be None or lie in [0, 1]; got {error!r}."
            )
    if (row[2] is None) != (row[3] is None):
        raise InvalidParameterError(
            f"qubits of NoiseProfile: qubit {qubit} must have both readout errors or neither; got {list(row[2:])}."
        )
    return QubitNoise(*(None if value is None else float(value) for value in row))


def _gate(name: str, row: Sequence[Any], num_qubits: int) -> GateNoise:
    if not isinstance(row, Sequence) or len(row) != 3 or not isinstance(row[0], Sequence):
        raise InvalidParameterError(
            f"instructions of NoiseProfile must hold rows of three: qubits, error, duration; got {row!r} for {name!r}."
        )
    qubits, error, duration = row
    valid = [isinstance(q, Integral) and not isinstance(q, bool) and 0 <= int(q) < num_qubits for q in qubits]
    if not valid or not all(valid) or len(set(qubits)) != len(qubits):
        raise InvalidParameterError(
            f"instructions of NoiseProfile: the qubits of {name!r} must differ and lie between 0 and "
            f"{num_qubits - 1}; got {list(qubits)}."
        )
    where = f"of {name!r} on {list(qubits)}"
    if error is not None and not (_is_number(error) and 0 <= error <= 1):
        raise InvalidParameterError(
            f"instructions of NoiseProfile: the error {where} must be None or lie in [0, 1]; got {error!r}."
        )
    if duration is not None and not (_is_number(duration) and duration >= 0):
        raise InvalidParameterError(
            f"instructions of NoiseProfile: the duration {where} must be None or >= 0 seconds; got {duration!r}."
        )
    return GateNoise(
        tuple(int(q) for q in qubits),
        None if error is None else float(error),
        None if duration is None else float(duration),
    )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _is_date(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
