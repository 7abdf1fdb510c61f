"""Settings of a RuntimeEngine: checked once, plain data from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels.programs import is_count
from qkernels_hardware.routing import RouteOptions, check_fractional_options
from qkernels_hardware.service import RetryPolicy, check_option_names, is_resilient
from qkernels_hardware.work import MAX_EXECUTIONS, Budget

__all__ = ["Layout", "Mode", "Settings", "is_local", "settings_of"]

Mode = Literal["batch", "job", "session"]
Layout = Literal["auto", "refresh"] | Sequence[int]

DEFAULT_LEDGER = "qkernels-ledger.sqlite"
"""In the working directory."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a RuntimeEngine was asked for, checked.

    Attributes
    ----------
    route : RouteOptions
    refresh : bool
        Whether the first use of every program opens a new series.
    mode : {"batch", "job", "session"}
    ledger : Path or None
        None is one of this process.
    budget : Budget
    options : dict
    block_executions : int
    policy : RetryPolicy
    """

    route: RouteOptions
    refresh: bool
    mode: Mode
    ledger: Path | None
    budget: Budget
    options: dict[str, Any]
    block_executions: int
    policy: RetryPolicy = field(repr=False)

    @property
    def rep_delay(self) -> float | None:
        """Seconds between shots that the options ask for; None is the device's own."""
        execution = self.options.get("execution")
        delay = execution.get("rep_delay") if isinstance(execution, dict) else None
        return None if delay is None else float(delay)

    @property
    def max_execution_time(self) -> int | None:
        """QPU seconds after which the options let a job be stopped; None leaves that to its estimate."""
        limit = self.options.get("max_execution_time")
        return None if limit is None else int(limit)


def is_local(backend: str | BackendV2) -> bool:
    """Whether jobs run in this process: on a device model or a simulator."""
    if isinstance(backend, str):
        return backend.strip().lower().startswith(("fake", "aer"))
    return not hasattr(backend, "service")


def settings_of(
    backend: object,
    *,
    mode: object,
    ledger: object,
    budget: object,
    options: object,
    layout: object,
    optimization_level: object,
    barrier: object,
    tiles: object,
    fractional: object,
    block_executions: object,
    retry: object,
) -> Settings:
    """Check what RuntimeEngine was asked for; errors name the parameter and the value."""
    if not isinstance(backend, str | BackendV2):
        raise InvalidParameterError(
            "backend of RuntimeEngine must be the name of a device ('ibm_fez'), of a device model ('fake_fez') or a "
            f"BackendV2; got {backend!r}."
        )
    local = is_local(backend)
    if mode not in ("batch", "job", "session"):
        raise InvalidParameterError(f"mode of RuntimeEngine must be 'batch', 'job' or 'session', got {mode!r}.")
    for name, value in (("barrier", barrier), ("fractional", fractional)):
        if not isinstance(value, bool):
            raise InvalidParameterError(f"{name} of RuntimeEngine must be True or False, got {value!r}.")
    if not is_count(optimization_level) or optimization_level not in (2, 3):
        raise InvalidParameterError(
            f"optimization_level of RuntimeEngine must be 2 or 3, got {optimization_level!r}: lower levels take the "
            "first qubits of the device, whatever their errors."
        )
    if budget is not None and not isinstance(budget, Budget):
        raise InvalidParameterError(
            f"budget of RuntimeEngine must be None or a Budget, as in Budget(qpu_seconds=60); got {budget!r}."
        )
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise InvalidParameterError(f"retry of RuntimeEngine must be None or a RetryPolicy; got {retry!r}.")
    copies = _whole("tiles", tiles, 1, 10_000, "copies of the circuit side by side; 1 is one circuit")
    size = _whole("block_executions", block_executions, 1, MAX_EXECUTIONS, "rows × shots that one job may have")
    plain = check_option_names(options, local=local)
    if fractional:
        check_fractional_options(plain)
    estimate = is_resilient(plain)
    if estimate and copies > 1:
        raise InvalidParameterError(
            f"tiles of RuntimeEngine must be 1 with options that ask for resilience, got {tiles!r}: an Estimator "
            "evaluates one circuit at a time."
        )
    fixed = None if isinstance(layout, str) and layout in ("auto", "refresh") else _qubits(layout)
    route = RouteOptions(int(optimization_level), fixed, bool(barrier), copies, bool(fractional), estimate)
    return Settings(
        route=route,
        refresh=isinstance(layout, str) and layout == "refresh",
        mode=mode,
        ledger=_ledger_path(ledger, local=local),
        budget=budget or Budget(),
        options=plain,
        block_executions=size,
        policy=retry or RetryPolicy(),
    )


def _whole(name: str, value: object, lowest: int, highest: int, meaning: str) -> int:
    if not is_count(value) or not lowest <= int(value) <= highest:  # type: ignore[call-overload]
        raise InvalidParameterError(
            f"{name} of RuntimeEngine must be an integer from {lowest} to {highest:,} ({meaning}); got {value!r}."
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def _qubits(layout: object) -> tuple[int, ...]:
    is_list = isinstance(layout, Sequence | np.ndarray) and not isinstance(layout, str)
    entries = list(layout) if is_list else []  # type: ignore[call-overload]
    if not entries or not all(is_count(q) and q >= 0 for q in entries) or len(set(entries)) < len(entries):
        raise InvalidParameterError(
            "layout of RuntimeEngine must be 'auto', 'refresh' or a sequence of different qubits of the device (one "
            f"for each qubit of the circuit); got {layout!r}."
        )
    return tuple(int(q) for q in entries)


def _ledger_path(ledger: object, *, local: bool) -> Path | None:
    if isinstance(ledger, str) and ledger == "auto":
        return None if local else Path(DEFAULT_LEDGER).absolute()
    if ledger is None:
        if not local:
            raise InvalidParameterError(
                "ledger of RuntimeEngine must be a path for jobs on a device, got None: results that are paid for "
                f"would be lost with the process. Leave it out ({DEFAULT_LEDGER!r} in the working directory)."
            )
        return None
    if not isinstance(ledger, str | Path) or not str(ledger).strip():
        raise InvalidParameterError(
            f"ledger of RuntimeEngine must be a path, 'auto', or None for device models; got {ledger!r}."
        )
    return Path(ledger).expanduser().absolute()
