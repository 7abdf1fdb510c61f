"""CircuitMap: any circuit of the user's as a feature map."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from sklearn.base import BaseEstimator

from qkernels._errors import InvalidDataError, InvalidParameterError, QKernelsWarning, user_stacklevel
from qkernels.feature_maps._base import FeatureMap, ScaleRule


class CircuitMap(FeatureMap):
    r"""A user's own circuit as a feature map: k(x, y) = |⟨0|U(y)†U(x)|0⟩|².

    Parameters
    ----------
    circuit : QuantumCircuit
        Its d free parameters are the features. Gates, state preparation at the start, barriers and
        measurements at the end (ignored) are fine; engines name what they cannot take.
    x : ParameterVector or sequence of Parameter, default=None
        The features in order, where ``circuit.parameters`` (sorted by name, vectors by index) is not the
        order of the columns of X. It must hold every free parameter of the circuit, and may hold more, which
        are features without effect. None warns where that order is not the natural one: single parameters x0
        to x11 sort as x0, x1, x10, x11, x2, …, the elements of a vector do not. Columns go by position: a data
        frame whose columns are named like the features and stand in another order gives a warning in `fit`.

    See Also
    --------
    FeatureMap : base class, for maps of a variable number of features.

    Notes
    -----
    Cost: that of the circuit. `build` replaces the parameters by the elements of one vector named x. It
    follows changes made to `circuit` in place.

    Clones and pickles keep the identity of parameters between `circuit` and `x`.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> from qkernels.feature_maps import CircuitMap
    >>> a, b = Parameter("a"), Parameter("b")
    >>> circuit = QuantumCircuit(1, name="two turns")
    >>> _ = circuit.ry(a, 0)
    >>> _ = circuit.rz(a * b, 0)
    >>> CircuitMap(circuit)
    CircuitMap(circuit=<'two turns': 1 qubit, 2 parameters>)
    >>> [str(i.params[0]) for i in CircuitMap(circuit, x=[b, a]).build(2)]
    ['x[1]', 'x[0]*x[1]']
    """

    def __init__(self, circuit: QuantumCircuit, x: ParameterVector | Sequence[Parameter] | None = None) -> None:
        self.circuit = circuit
        self.x = x

    def num_qubits(self, n_features: int) -> int:
        """Return the number of qubits of the circuit.

        Parameters
        ----------
        n_features : int
            Number of features; must be that of the circuit.

        Returns
        -------
        int
            Number of qubits.

        Raises
        ------
        InvalidParameterError
            If `circuit` is no circuit, or `x` does not hold its parameters.
        InvalidDataError
            If `n_features` differs from the number of features of the circuit.
        """
        self._checked_features(len(self.parameter_vector(n_features)))
        return int(self.circuit.num_qubits)

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        features = self._checked_features(len(x))
        if self.x is None:
            _warn_of_unnatural_order([feature.name for feature in features])
        circuit = self.circuit.remove_final_measurements(inplace=False)
        replacement = dict(zip(features, x, strict=True))
        used = [feature for feature in features if feature in circuit.parameters]
        new_names = {element.name for element in x}
        if any(f.name in new_names and f.name != replacement[f].name for f in used):
            # Qiskit refuses a replacement while another old parameter still has the new name.
            detour = ParameterVector("qkernels.detour", len(used))
            circuit = circuit.assign_parameters(dict(zip(used, detour, strict=True)))
            return circuit.assign_parameters({t: replacement[f] for t, f in zip(detour, used, strict=True)})
        return circuit.assign_parameters({feature: replacement[feature] for feature in used})

    @property
    def scale_rule(self) -> ScaleRule:
        """``"auto"``."""
        return ScaleRule("auto")

    def _checked_features(self, n_features: int) -> list[Parameter]:
        if not isinstance(self.circuit, QuantumCircuit):
            raise InvalidParameterError(f"CircuitMap: circuit must be a qiskit QuantumCircuit; got {self.circuit!r}.")
        features = list(self.circuit.parameters) if self.x is None else self._checked_x()
        if not features:
            raise InvalidParameterError(
                f"CircuitMap: circuit must have free parameters, the features; {self.circuit.name!r} has 0."
            )
        if n_features != len(features):
            raise InvalidDataError(
                f"CircuitMap: the circuit {self.circuit.name!r} takes {len(features)} feature(s); got "
                f"{n_features} feature(s). Choose the columns (e.g. PCA) or pass another circuit."
            )
        return features

    def _checked_x(self) -> list[Parameter]:
        is_sequence = isinstance(self.x, (ParameterVector, Sequence)) and not isinstance(self.x, str)
        features = list(self.x) if self.x is not None and is_sequence else [None]
        if not all(isinstance(feature, Parameter) for feature in features):
            raise InvalidParameterError(
                f"CircuitMap: x must be a ParameterVector or a sequence of Parameter; got {self.x!r}."
            )
        if len(set(features)) != len(features):
            raise InvalidParameterError(f"CircuitMap: x must hold different parameters; got {self.x!r}.")
        missing = [p.name for p in self.circuit.parameters if p not in set(features)]
        if missing:
            raise InvalidParameterError(
                f"CircuitMap: x must hold every free parameter of the circuit; {missing[0]!r} is missing. "
                "Bind it with circuit.assign_parameters or add it to x."
            )
        return features


def warn_of_column_order(owner: BaseEstimator) -> None:
    """Warn where columns of X are named like the features of a `CircuitMap` among the parameters, in another order.

    Parameters
    ----------
    owner : estimator
        With ``feature_names_in_`` where X had column names.

    Warns
    -----
    QKernelsWarning
        Columns go by position.
    """
    columns = [str(name) for name in getattr(owner, "feature_names_in_", ())]
    for value in owner.get_params().values() if columns else ():
        if not isinstance(value, CircuitMap) or not isinstance(value.circuit, QuantumCircuit):
            continue
        features = [str(f.name) for f in (value.circuit.parameters if value.x is None else value.x)]
        if columns != features and sorted(columns) == sorted(features):
            place = [column == feature for column, feature in zip(columns, features, strict=True)].index(False)
            warnings.warn(
                "CircuitMap: the columns of X are named like the parameters of the circuit, but go by position: column "
                f"{place} is {columns[place]!r} and becomes {features[place]!r}. Reorder them, X[{features!r}], or "
                "pass x=[...] with the parameters in the order of the columns.",
                QKernelsWarning,
                stacklevel=user_stacklevel(),
            )


def _warn_of_unnatural_order(names: list[str]) -> None:
    """Warn where x10 comes before x2: names alike but for their numbers, and the numbers do not ascend."""
    last: dict[tuple[str, ...], tuple[tuple[int, ...], str]] = {}
    for name in names:
        parts = re.split("([0-9]+)", name)
        text, numbers = tuple(parts[::2]), tuple(int(digits) for digits in parts[1::2])
        before, earlier = last.get(text, (numbers, name))
        if numbers < before:
            warnings.warn(
                f"CircuitMap: x=None takes the parameters in the order of circuit.parameters, sorted as text: "
                f"{earlier!r} is feature {names.index(earlier)} and {name!r} is feature {names.index(name)}. Pass "
                "x=[...] with the parameters in the order of the columns of X, or build the circuit on a "
                "ParameterVector. x=list(circuit.parameters) keeps this order and does not warn.",
                QKernelsWarning,
                stacklevel=4,
            )
            return
        last[text] = numbers, name
