"""Options of the client's primitives, as nested plain data of the user: checked, completed, identified."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any

from qkernels._errors import InvalidParameterError
from qkernels_hardware.work import MAX_JOB_SECONDS, Primitive

__all__ = ["check_option_names", "is_resilient", "option_key", "primitive_options"]

_ESTIMATOR_ONLY = ("resilience_level", "resilience")
_OURS = {
    "default_shots": "shots",
    "default_precision": "shots",
}
_NOT_FOR_RESULTS = ("max_execution_time", "environment")
"""Options that change no result, and so no series."""


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_count_or_auto(value: object) -> bool:
    return value == "auto" or _is_count(value)


_RULES: dict[tuple[str, ...], tuple[str, Callable[[Any], bool]]] = {
    ("max_execution_time",): (
        f"an integer from 1 to {MAX_JOB_SECONDS} (QPU seconds of a job)",
        lambda value: _is_count(value) and value <= MAX_JOB_SECONDS,
    ),
    ("execution", "rep_delay"): ("a finite number >= 0 (seconds between executions)", _is_time),
    ("execution", "meas_type"): ("'classified': kernels are made of bits", lambda value: value == "classified"),
    ("twirling", "num_randomizations"): ("'auto' or an integer >= 1", _is_count_or_auto),
    ("twirling", "shots_per_randomization"): ("'auto' or an integer >= 1", _is_count_or_auto),
}
"""Options that costs and results are computed from: the client would take other spellings, and we would not."""


def is_resilient(options: Mapping[str, object]) -> bool:
    """Whether options ask for error mitigation that only an Estimator has."""
    return any(name in options for name in _ESTIMATOR_ONLY)


def primitive_of(options: Mapping[str, object]) -> Primitive:
    """The primitive that has these options."""
    return "estimator" if is_resilient(options) else "sampler"


def option_key(options: Mapping[str, object]) -> str:
    """Identity of the options that results depend on: canonical JSON."""
    kept = {name: value for name, value in options.items() if name not in _NOT_FOR_RESULTS}
    return json.dumps(kept, sort_keys=True, default=str)


def check_option_names(options: object, *, local: bool) -> dict[str, Any]:
    """Options as a dictionary of plain data.

    Parameters
    ----------
    options : mapping or None
    local : bool
        Whether the backend is a simulator or a device model.

    Returns
    -------
    dict

    Raises
    ------
    InvalidParameterError
        They are no mapping of plain data; an option is unknown, has a value that is not allowed, belongs to
        RuntimeEngine itself, asks for private results, or is for simulators only.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise InvalidParameterError(
            f"options of RuntimeEngine must be None or a dict of options, as in "
            f"{{'twirling': {{'enable_gates': True}}}}; got {type(options).__name__}."
        )
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(options)))
    except TypeError as error:
        raise InvalidParameterError(
            f"options of RuntimeEngine must hold plain data only (numbers, text, lists, dicts): {error}."
        ) from None
    for name, ours in _OURS.items():
        if name in plain:
            raise InvalidParameterError(
                f"options of RuntimeEngine must not hold {name!r}; got {plain[name]!r}. Use {ours}= of RuntimeEngine."
            )
    environment = plain.get("environment")
    if isinstance(environment, dict):
        if environment.get("private"):
            raise InvalidParameterError(
                "options of RuntimeEngine must not hold environment.private=True: the results of a private job can be "
                "read once, so that an interrupted download would lose what was paid for."
            )
        if "job_tags" in environment:
            raise InvalidParameterError(
                "options of RuntimeEngine must not hold environment.job_tags: tags tell which job belongs to which "
                "block of the ledger. Leave them out."
            )
        if environment.get("max_execution_time") is not None:
            raise InvalidParameterError(
                f"options of RuntimeEngine must not hold environment.max_execution_time; got "
                f"{environment['max_execution_time']!r}. Put max_execution_time beside environment, not into it."
            )
    if not local and plain.get("simulator"):
        raise InvalidParameterError(
            f"options of RuntimeEngine must not hold 'simulator' on a device; got {plain['simulator']!r}. Leave it "
            "out, or use a device model such as 'fake_fez'."
        )
    primitive_options(primitive_of(plain), plain, local=local)
    _check_values(plain)
    return plain


def _check_values(options: Mapping[str, object]) -> None:
    for path, (rule, is_allowed) in _RULES.items():
        value: object = options
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None and not is_allowed(value):
            raise InvalidParameterError(
                f"{'.'.join(path)} in options of RuntimeEngine must be {rule}, got {value!r}. Leave it out for the "
                "default."
            )


def primitive_options(primitive: Primitive, options: Mapping[str, object], *, local: bool) -> Any:
    """The client's options.

    Parameters
    ----------
    primitive : {"sampler", "estimator"}
    options : mapping
        Nested plain data.
    local : bool
        For local mode, where limits and tags mean nothing.

    Returns
    -------
    SamplerOptions or EstimatorOptions

    Raises
    ------
    InvalidParameterError
        Names an unknown option, with the closest ones, or one whose value the client refuses.
    """
    from pydantic import ValidationError
    from qiskit_ibm_runtime.options_models import EstimatorOptions, SamplerOptions

    model = SamplerOptions if primitive == "sampler" else EstimatorOptions
    given = {name: value for name, value in options.items() if not (local and name in _NOT_FOR_RESULTS)}
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = _names(model, where[:-1])
            close = get_close_matches(where[-1], known, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise InvalidParameterError(
                f"options of RuntimeEngine must be options of the client's {primitive}; got {'.'.join(where)!r}. {hint}"
                f"Known here: {', '.join(sorted(known))}."
            ) from None
        raise InvalidParameterError(
            f"options of RuntimeEngine: {'.'.join(where)} is not accepted by the client, got "
            f"{first.get('input')!r}: {first['msg']}."
        ) from None


def _names(model: Any, path: list[str]) -> list[str]:
    """Names of the options at a place in the client's model."""
    for name in path:
        annotation = model.model_fields[name].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next((one for one in options if hasattr(one, "model_fields")), None)
        if model is None:
            return []
    return [name for name in model.model_fields if not name.startswith("_")]
