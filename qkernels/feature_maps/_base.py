"""The base class of feature maps: caching, validation of the feature count, resources, repr, cloning."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.providers import BackendV2
from qiskit.transpiler import CouplingMap
from sklearn import get_config
from sklearn.base import BaseEstimator, clone

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.circuits import Resources, circuit_resources


@dataclass(frozen=True, slots=True)
class ScaleRule:
    r"""How ``bandwidth="scale"`` feeds a feature map.

    Attributes
    ----------
    kind : {"standard", "unit", "auto"}
        ``"standard"``: :math:`\theta_f = \kappa/\sqrt{d} \cdot (x_f - \text{mean}_f)/\text{std}_f`.
        ``"unit"``: min-max scaling to [0, 1], for maps whose pair phase does not vanish with a shrinking
        input.
        ``"auto"``: standardise, then search a factor from the data; for maps nobody has tuned.
    kappa : float or None
        The factor :math:`\kappa`, in radians; None for ``"auto"``.
    """

    kind: Literal["standard", "unit", "auto"]
    kappa: float | None = None


class FeatureMap(BaseEstimator, ABC):
    r"""Base class of feature maps: x of shape (d,) → QuantumCircuit.

    A subclass stores its parameters in ``__init__`` under their own names and writes one method,
    ``_circuit(x)``, which validates them and returns the circuit for a `ParameterVector` of length d.
    It may also override ``num_qubits``, ``scale_rule`` and ``_minimum_features``.

    Feature maps are scikit-learn objects: ``get_params``, ``set_params`` and ``clone`` work, parameters can
    be searched, and nothing is validated before `build`.

    Notes
    -----
    ``build`` is cached by the values of the parameters, process-wide, so that clones share the work and a map
    never returns a stale circuit after ``set_params``. All maps with d features share one `ParameterVector`.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qkernels.feature_maps import FeatureMap
    >>> class AngleMap(FeatureMap):
    ...     def __init__(self, factor=1.0):
    ...         self.factor = factor
    ...     def _circuit(self, x):
    ...         circuit = QuantumCircuit(len(x))
    ...         for i, angle in enumerate(x):
    ...             circuit.ry(self.factor * angle, i)
    ...         return circuit
    >>> AngleMap(factor=2.0)
    AngleMap(factor=2.0)
    >>> AngleMap().resources(3).num_gates
    3
    """

    _minimum_features = 1

    @abstractmethod
    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        """Return a new circuit for the features `x`; validate the map's own parameters first."""

    def build(self, n_features: int) -> QuantumCircuit:
        """Return the circuit for d = `n_features` features.

        Parameters
        ----------
        n_features : int
            Number of features d.

        Returns
        -------
        QuantumCircuit
            Its free parameters are elements of one ``ParameterVector("x", d)``, see `parameter_vector`. Qubit
            0 is the least significant bit. A copy: changing it does not change the map.

        Raises
        ------
        InvalidParameterError
            If a parameter of the map breaks its rule.
        InvalidDataError
            If the map cannot take that many features.
        """
        x = self.parameter_vector(n_features)
        try:
            key = (type(self), len(x), _freeze(self.get_params(deep=False)))
        except TypeError:  # a parameter without a content key (a circuit): build anew
            return self._circuit(x)
        circuit = _BUILT.get(key)
        if circuit is None:
            circuit = self._circuit(x)
            if len(_BUILT) >= _MAX_BUILT:  # list(): a copy, since other threads may be building too
                _BUILT.pop(list(_BUILT)[0], None)  # noqa: RUF015
            _BUILT[key] = circuit
        return circuit.copy()

    def parameter_vector(self, n_features: int) -> ParameterVector:
        """Return the vector ``x`` of length `n_features` that `build` uses, the same one at every call.

        Parameters
        ----------
        n_features : int
            Number of features d.

        Returns
        -------
        ParameterVector
            Of length d. A feature that the map ignores is in the vector and not in the circuit.

        Raises
        ------
        InvalidParameterError
            If `n_features` is not an integer.
        InvalidDataError
            If the map needs more features.
        """
        if isinstance(n_features, bool) or not isinstance(n_features, Integral):
            raise InvalidParameterError(f"{type(self).__name__}: n_features must be an integer; got {n_features!r}.")
        if n_features < self._minimum_features:
            raise InvalidDataError(
                f"{type(self).__name__} needs at least {self._minimum_features} feature(s); got "
                f"{n_features} feature(s). Add features, or use a map that takes fewer."
            )
        return _feature_vector(int(n_features))

    def num_qubits(self, n_features: int) -> int:
        """Return the number of qubits for d = `n_features` features.

        Parameters
        ----------
        n_features : int
            Number of features d.

        Returns
        -------
        int
            d, unless the map says otherwise.

        Raises
        ------
        InvalidParameterError, InvalidDataError
            As `build` for the number of features.
        """
        return len(self.parameter_vector(n_features))

    def resources(self, n_features: int, backend: BackendV2 | None = None) -> Resources:
        """Return qubits, gates and depth of one U(x), and with a device the same after routing.

        Parameters
        ----------
        n_features : int
            Number of features d.
        backend : BackendV2, optional
            A device or device model; names are resolved by ``qkernels_hardware.device_model``.

        Returns
        -------
        Resources
            Printable. A kernel entry costs twice the gates: U(x) and U(y)†.

        Raises
        ------
        InvalidParameterError, InvalidDataError
            As `build`, and if `backend` is not a BackendV2 or has too few qubits.
        """
        return circuit_resources(self.build(n_features), backend)

    @property
    def scale_rule(self) -> ScaleRule:
        """How ``bandwidth="scale"`` feeds this map (`ScaleRule`)."""
        return ScaleRule("auto")

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Name the parameters that differ from their defaults; all under ``print_changed_only=False``."""
        defaults = {name: parameter.default for name, parameter in inspect.signature(type(self)).parameters.items()}
        values = self.get_params(deep=False)
        show_all = not get_config()["print_changed_only"]
        shown = [
            f"{name}={_describe(values[name])}"
            for name, default in defaults.items()
            if show_all or repr(values[name]) != repr(default)
        ]
        text = f"{type(self).__name__}({', '.join(shown)})"
        return text if len(text) <= N_CHAR_MAX else text[: N_CHAR_MAX - 4] + "...)"

    def __sklearn_clone__(self) -> Self:
        # A device must not be deep-copied: a live one holds a connection.
        return type(self)(
            **{
                name: value if isinstance(value, BackendV2) else clone(value, safe=False)
                for name, value in self.get_params(deep=False).items()
            }
        )

    def __getstate__(self) -> dict[str, object]:
        # A device is pickled as what the map needs of it: no connection, no token.
        state = dict(super().__getstate__())
        return {name: value.coupling_map if isinstance(value, BackendV2) else value for name, value in state.items()}

    def _require_integer(self, name: str, minimum: int) -> int:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise InvalidParameterError(
                f"{type(self).__name__}: {name} must be an integer >= {minimum}; got {value!r}."
            )
        return int(value)

    def _require_number(self, name: str, rule: str, accepts: Callable[[float], bool]) -> float:
        value = getattr(self, name)
        is_number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
        if not is_number or not accepts(float(value)):
            raise InvalidParameterError(f"{type(self).__name__}: {name} must be {rule}; got {value!r}.")
        return float(value)

    def _require_choice(self, name: str, choices: Sequence[object]) -> None:
        value = getattr(self, name)
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            listed = ", ".join(repr(choice) for choice in choices)
            raise InvalidParameterError(f"{type(self).__name__}: {name} must be one of {listed}; got {value!r}.")


_RUNNING_NAME = re.compile(r"circuit-\d+(-\d+)?")
"""Qiskit's name of a circuit that was given none; it counts the circuits of the process."""

_MAX_BUILT = 128
_BUILT: dict[Hashable, QuantumCircuit] = {}


@cache
def _feature_vector(n_features: int) -> ParameterVector:
    return ParameterVector("x", n_features)


def _freeze(value: object) -> Hashable:
    """Turn parameter values into a hashable key by content; TypeError where there is none."""
    if isinstance(value, Mapping):
        return "mapping", tuple((_freeze(key), _freeze(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), tuple(_freeze(item) for item in value)
    if isinstance(value, np.ndarray):
        return "array", value.shape, value.dtype.str, tuple(value.ravel().tolist())
    if isinstance(value, BackendV2):
        return _freeze(value.coupling_map)
    if isinstance(value, CouplingMap):
        return "coupling", value.size(), tuple(value.get_edges())
    if value is None or isinstance(value, (str, bool, int, float, np.generic)):
        return type(value), value  # the type counts: True == 1, and only one of them is a valid reps
    raise TypeError(f"no content key for {type(value).__name__}")


def _describe(value: object) -> str:
    if isinstance(value, QuantumCircuit):
        name = "circuit" if _RUNNING_NAME.fullmatch(value.name) else repr(value.name)
        return f"<{name}: {_count(value.num_qubits, 'qubit')}, {_count(value.num_parameters, 'parameter')}>"
    if isinstance(value, BackendV2):
        return f"<{value.name}>"
    if isinstance(value, CouplingMap):
        return f"<CouplingMap: {_count(value.size(), 'qubit')}>"
    return repr(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
