"""Gradients of expectation values from values at shifted angles: for engines with shots, and for hardware."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.circuits import AngleDerivatives, FlatCircuit, circuit_of_gates
from qkernels.engines._base import Engine
from qkernels.engines._density_gradient import check_cotangent
from qkernels.programs import ExpectationProgram

__all__ = ["num_shifts", "parameter_shift"]

Values = NDArray[np.float64]

Rule = tuple[tuple[float, float], ...]
"""Shifts of an angle, in radians, and the factors of the values there."""


def _rule(lowest: float) -> Rule:
    """Four terms, for values that hold the frequencies `lowest` and 2 · `lowest` of an angle (arXiv:2107.12390)."""
    terms = []
    for which, turn in enumerate((0.25, 0.75, 1.25, 1.75)):
        factor = (-1.0) ** which * lowest / (8.0 * math.sin(0.5 * math.pi * turn) ** 2)
        terms.append((math.pi * (turn if turn < 1 else turn - 2) / lowest, factor))
    return tuple(terms)


_TWO_TERMS: Rule = ((0.5 * math.pi, 0.5), (-0.5 * math.pi, -0.5))
"""For values that hold the frequency 1 only, as those of gates whose generator has two eigenvalues, 1 apart."""

_CONTROLLED, _AXIS = _rule(0.5), _rule(1.0)

_RULES: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx", "cp", "cu1"), (_TWO_TERMS,)),
    **dict.fromkeys(("crx", "cry", "crz"), (_CONTROLLED,)),
    **dict.fromkeys(("u", "u3"), (_TWO_TERMS,) * 3),
    "u2": (_TWO_TERMS,) * 2,
    "r": (_TWO_TERMS, _AXIS),
}
"""Gate name → the rule of each of its angles. The angle of an axis turns it from both sides, at twice the frequency."""


def parameter_shift(
    engine: Engine,
    program: ExpectationProgram,
    cotangent: ArrayLike,
    X: ArrayLike,
    *,
    theta: ArrayLike | None = None,
    inputs: bool = True,
) -> tuple[Values, Values | None]:
    """Gradients of a scalar of expectation values by the parameter-shift rule.

    The angle of every gate is shifted on its own; the derivatives of the angles with respect to data and parameters,
    whatever expressions they are, come in by the chain rule. So the rule is exact for parameters that several gates
    share, too. All shifts of all samples are one request to the engine.

    Parameters
    ----------
    engine : Engine
        Any with expectation values: with shots, with noise, or a device.
    program : ExpectationProgram
    cotangent : array-like of shape (n_samples, n_observables)
        Derivative of the scalar with respect to the program's values. Samples with only zeros are not evaluated.
    X : array-like of shape (n_samples, num_features)
    theta : array-like of shape (num_parameters,), optional
    inputs : bool, default=True
        Whether the gradient with respect to X is wanted, too. Without it, angles of data alone are not shifted.

    Returns
    -------
    d_theta : ndarray of shape (num_parameters,), float64
    d_X : ndarray of shape (n_samples, num_features), float64, or None without `inputs`

    Raises
    ------
    InvalidParameterError
        `engine` is no engine; `program` is no `ExpectationProgram`; cotangent has another shape than the values or is
        not finite; theta does not fit.
    InvalidDataError
        X does not fit the program, or an angle has no finite derivative for a row.
    UnsupportedCircuitError
        A gate is known by its matrix only, or an angle has no derivative.

    Notes
    -----
    *Cost.* Two circuits for each sample and angle of a gate, four for angles of controlled rotations. Exact engines
    have `Engine.vjp`, which costs a few circuits for each sample whatever the number of parameters. The rule is for the
    values, not for a scalar that is no linear function of them: give the derivative of the scalar as `cotangent`.

    Engines with shots give the gradients of a sample of theirs: their mean is the exact gradient, if `cotangent` does
    not come from the same shots.

    References
    ----------
    Mitarai et al., arXiv:1803.00745; Schuld et al., arXiv:1811.11184; for more than two terms Wierichs et al.,
    arXiv:2107.12390.

    Examples
    --------
    >>> import numpy as np
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import ParameterVector
    >>> from qkernels import ExpectationProgram, StatevectorEngine
    >>> from qkernels.engines import parameter_shift
    >>> t = ParameterVector("t", 1)
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(2 * t[0], 0)
    >>> program = ExpectationProgram(circuit, [], t, observables="Z")
    >>> d_theta, _ = parameter_shift(StatevectorEngine(), program, [[1.0]], np.empty((1, 0)), theta=[0.3])
    >>> bool(abs(d_theta[0] + 2 * np.sin(0.6)) < 1e-12)
    True
    """
    if not isinstance(engine, Engine):
        raise InvalidParameterError(f"engine of parameter_shift must be an Engine, got {type(engine).__name__}.")
    if not isinstance(program, ExpectationProgram):
        raise InvalidParameterError(
            f"program of parameter_shift must be an ExpectationProgram, got {type(program).__name__}."
        )
    flat = program.flat
    bound = program.bind_angles(X, theta)
    weights = check_cotangent(program, cotangent, len(bound))
    derivatives = AngleDerivatives(flat.angles, _columns(flat, inputs))
    slopes = _slopes(engine, program, bound, weights, inputs)
    data = np.asarray(X, dtype=np.float64)
    shared = np.empty(0) if theta is None else np.asarray(theta, dtype=np.float64)
    values = np.concatenate([data, np.broadcast_to(shared, (len(data), len(shared)))], axis=1)
    found = derivatives(values, slopes)
    d_x = np.ascontiguousarray(found[:, : flat.num_x]) if inputs else None
    return found[:, flat.num_x :].sum(axis=0), d_x


def num_shifts(program: ExpectationProgram, *, inputs: bool = True) -> int:
    """Circuits that `parameter_shift` evaluates for each sample.

    Parameters
    ----------
    program : ExpectationProgram
    inputs : bool, default=True
        As in `parameter_shift`.

    Returns
    -------
    int

    Raises
    ------
    UnsupportedCircuitError
        A gate is known by its matrix only.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import ParameterVector
    >>> from qkernels import ExpectationProgram
    >>> from qkernels.engines import num_shifts
    >>> t = ParameterVector("t", 2)
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.ry(t[0], 0), circuit.cry(t[1], 0, 1)
    >>> num_shifts(ExpectationProgram(circuit, [], t, observables="ZZ"))
    6
    """
    return len(_places(program.flat, inputs))


def _slopes(engine: Engine, program: ExpectationProgram, bound: Values, weights: Values, inputs: bool) -> Values:
    """Derivatives with respect to the program's angles, shape (n_samples, n_angles)."""
    circuit, names, slots = circuit_of_gates(program.flat)
    places = _places(program.flat, inputs)
    rows = np.flatnonzero(weights.any(axis=1))
    out = np.zeros(bound.shape)
    if not places or not len(rows):
        return out
    angles = np.repeat(bound[rows][None][:, :, list(slots)], len(places), axis=0)
    for block, (place, shift, _) in zip(angles, places, strict=True):
        block[:, place] += shift
    shifted = ExpectationProgram(circuit, names, observables=program.observables)
    values = engine.expectations(shifted, angles.reshape(-1, len(slots))).values.reshape(len(places), len(rows), -1)
    for (place, _, factor), at_shift in zip(places, values, strict=True):
        out[rows, slots[place]] += factor * (weights[rows] * at_shift).sum(axis=1)
    return out


def _columns(flat: FlatCircuit, inputs: bool) -> range:
    """Of data and parameters, those that gradients are wanted for."""
    return range(0 if inputs else flat.num_x, flat.num_x + flat.num_theta)


def _places(flat: FlatCircuit, inputs: bool) -> list[tuple[int, float, float]]:
    """Every shift of a gate's angle: its place among all angles of gates, the shift, and the factor of the value."""
    columns = _columns(flat, inputs)
    wanted = {k for k, used in enumerate(flat.angles.columns) if any(c in columns for c in used)}
    return [(place, shift, factor) for place, rule in _shifted(flat, wanted) for shift, factor in rule]


def _shifted(flat: FlatCircuit, wanted: set[int]) -> list[tuple[int, Rule]]:
    """Angles of gates that are shifted, by their place among all angles of gates, with their rules."""
    found = []
    place = 0
    for op in flat.ops:
        for which, slot in enumerate(op.angles):
            if not isinstance(slot, int):
                continue
            if slot in wanted:
                if op.name not in _RULES:
                    raise UnsupportedCircuitError(
                        f"parameter_shift has no rule for instruction {op.gate.name if op.gate else op.name!r} on "
                        f"qubits {list(op.qubits)}. Write it out in rotations, such as rx, ry, rz and rzz."
                    )
                found.append((place, _RULES[op.name][which]))
            place += 1
    return found
