"""Where the numbers of a kernel matrix come from, as plain data, and what changed between two such records."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkernels.engines import Engine
from qkernels.kernels import CombinedKernel, QuantumKernel
from qkernels.programs import OverlapProgram
from qkernels.testing._words import in_words, without_address

__all__ = ["Json", "Provenance", "describe", "differences"]

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Provenance: TypeAlias = "dict[str, Json]"

_PACKAGES = ("qkernels", "qiskit", "qiskit-aer", "numpy", "scipy", "scikit-learn")

_TOPICS = frozenset(
    {"data", "kernel", "scaling", "circuit", "engine", "noise", "transpiled", "shots", "seed", "versions"}
)

_NOT_SETTINGS = frozenset({"shots", "seed", "memory_limit", "noise", "profile", "device", "engine"})
"""Parameters of engines that have a place of their own, or play no role for values."""


def describe(kernel: QuantumKernel, X: NDArray[np.float64]) -> Provenance:
    """Everything that decides the training matrix of a fitted kernel.

    Parameters
    ----------
    kernel : QuantumKernel
        Fitted on X.
    X : ndarray of shape (n, n_features)

    Returns
    -------
    dict
        Of JSON: "data", "kernel" (with "circuit", "noise", "engine", "shots" and "seed"; of every part where a kernel
        is made of kernels), "versions".
    """
    return {
        "data": {"shape": list(X.shape), "sha256": _data_digest(X)},
        **_describe_kernel(kernel, X.shape[1]),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _describe_kernel(kernel: QuantumKernel, n_features: int) -> Provenance:
    apart = {"feature_map", "engine"}
    if isinstance(kernel, CombinedKernel):
        apart |= set(kernel.kernels_)
    settings: Provenance = {
        name: in_words(value) for name, value in sorted(kernel.get_params(deep=False).items()) if name not in apart
    }
    found: Provenance = {"kernel": {"class": type(kernel).__name__, **settings}}
    if isinstance(kernel, CombinedKernel):
        return found | {"parts": {name: _describe_kernel(part, n_features) for name, part in kernel.kernels_.items()}}
    if hasattr(kernel, "offset_"):
        angles = np.round(kernel.factor_ * kernel.offset_, 9) + 0.0  # resolved as finely as angles are
        found["scaling"] = {"sha256": _sha256(" ".join(f"{v:.9e}" for v in [*kernel.factor_, *angles]))}
    feature_map, engine = getattr(kernel, "feature_map_", None), getattr(kernel, "engine_", None)
    if feature_map is None or not isinstance(engine, Engine):
        return found
    program = OverlapProgram(feature_map.build(n_features), feature_map.parameter_vector(n_features))
    gates = {str(name): int(count) for name, count in program.circuit.count_ops().items()}
    found["circuit"] = {
        "feature_map": without_address(repr(feature_map)),  # short: the key of the program has the rest
        "program": program.key,
        "num_qubits": program.num_qubits,
        "gates": dict(sorted(gates.items())),
    }
    return found | _describe_engine(engine, program)


def _describe_engine(engine: Engine, program: OverlapProgram) -> Provenance:
    """Settings, noise, and what is transpiled, by the attributes that noisy engines and engines around others have."""
    parameters = inspect.signature(type(engine)).parameters
    settings: Provenance = {
        name: in_words(getattr(engine, name))
        for name in parameters
        if name not in _NOT_SETTINGS and hasattr(engine, name)
    }
    found: Provenance = {"engine": {"class": type(engine).__name__, **settings}}
    inner = getattr(engine, "engine", None)
    if isinstance(inner, Engine):
        return found | _nested(_describe_engine(inner, program), found)
    noise: Provenance = {}
    profile, table = getattr(engine, "profile", None), getattr(engine, "noise", None)
    for name in ("name", "calibrated", "source", "scale", "readout", "key"):
        value = getattr(profile, name, None)
        if isinstance(value, (str, int, float)):
            noise[name] = value
    for name, value in (("table", getattr(table, "key", None)), ("noise_key", getattr(engine, "noise_key", None))):
        if isinstance(value, str):
            noise[name] = value
    if noise:
        found["noise"] = noise
    if callable(transpile := getattr(engine, "circuit", None)):
        found["transpiled"] = _whole_numbers(transpile(program))
    for name in ("shots", "seed"):
        value = getattr(engine, name, None)
        if isinstance(value, int) and not (name == "seed" and getattr(engine, "shots", None) is None):
            found[name] = value
    return found


def _whole_numbers(record: object) -> Provenance:
    """Names, counts and qubits of a dataclass; scores are left out, whose last digits are the machine's."""
    if not is_dataclass(record):
        return {}
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.repr}
    numbers: Provenance = {}
    for name, value in values.items():
        if isinstance(value, (str, int)):
            numbers[name] = value
        elif isinstance(value, tuple) and all(isinstance(v, int) for v in value):
            numbers[name] = list(value)
    return numbers


def _nested(inner: Provenance, outer: Provenance) -> Provenance:
    """The record of an engine inside another: its settings beside those of the outer one."""
    return {**inner, "engine": {**_as_dict(outer["engine"]), "inner": inner["engine"]}}


def differences(before: Mapping[str, Json], now: Mapping[str, Json]) -> dict[str, list[str]]:
    """What changed, by topic.

    Parameters
    ----------
    before, now : mapping
        As `describe` gives.

    Returns
    -------
    dict of str to list of str
        Topics ("data", "circuit", "noise", …; of a part: "k1.circuit") with one line for every change.
    """
    left, right = _flat(before), _flat(now)
    changed: dict[str, list[str]] = {}
    for path in [*left, *(path for path in right if path not in left)]:
        a, b = left.get(path), right.get(path)
        if a != b:
            topic, detail = _topic(path.split("."))
            changed.setdefault(topic, []).append(f"{detail}: {_shown(a)} → {_shown(b)}")
    return changed


def _topic(words: list[str]) -> tuple[str, str]:
    """A path up to the word that names its topic, which the name of a part may look like, and the rest of it."""
    found = (k for k, word in enumerate(words) if word in _TOPICS and words[max(k - 1, 0)] != "parts")
    depth = next(found, len(words) - 1) + 1
    return ".".join(word for word in words[:depth] if word != "parts"), ".".join(words[depth:]) or words[-1]


def _flat(record: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    flat: dict[str, Json] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _shown(value: Json) -> str:
    if value is None:
        return "none"
    text = str(value)
    is_digest = isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
    return f"{text[:12]}…" if is_digest else text


def _as_dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _data_digest(X: NDArray[np.float64]) -> str:
    """Content of a table up to 1e-9 of the largest entry of each column: another machine may round otherwise.

    Numbers that people write are multiples of powers of 2 and 10 of each other; moving the grid keeps them off its
    edges.
    """
    scale = np.abs(X).max(axis=0)
    cells = np.floor(X / np.where(scale > 0.0, scale, 1.0) * 1e9 + 1.0 / np.pi).astype(np.int64)
    return _sha256(f"{X.shape} {[f'{v:.9e}' for v in scale]} {cells.tolist()}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
