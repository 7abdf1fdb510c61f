"""The law of whole distributions: what was read beside "all zero", against an independent simulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import Statevector

from qkernels._errors import UnsupportedCircuitError
from qkernels.engines import Engine
from qkernels.programs import Overlaps
from qkernels.testing._close import assert_kernels_close
from qkernels.testing._need_laws import outcome_numbers, weight_classes
from qkernels.testing._subject import Law, NotApplicableError, Subject
from qkernels.testing._value_laws import bound_circuits, is_prepared

__all__ = ["DISTRIBUTION_LAWS"]

Values = NDArray[np.float64]


def _distributions(s: Subject) -> None:
    engine = _without_noise(s)
    offered: list[str] = []
    for name in ("weights", "bits"):
        try:
            s.offered({name}, engine=engine)
        except NotApplicableError:
            continue
        offered.append(name)
    if not offered:
        raise NotApplicableError("the engine offers neither weights nor bits")
    classes = np.eye(s.program.num_patches + 1)[weight_classes(s.program)]
    for what, columns in (("K(X, X)", None), ("K(X, Y)", s.Y)):
        expected = _outcomes(s, s.X, s.X if columns is None else columns)
        for name in offered:
            answer = s.offered({name}, s.X, columns, engine=engine)
            if name == "weights":
                _compare(s, np.asarray(answer.weights), expected @ classes, answer, f"weights of {what}")
            elif answer.outcomes is not None:
                _compare(s, answer.outcomes, expected, answer, f"outcomes of {what}")
            else:
                read = outcome_numbers(np.asarray(answer.bits))[..., None] == np.arange(expected.shape[-1])
                _compare(s, read.mean(axis=-2), expected, answer, f"bits of {what}")


def _without_noise(s: Subject) -> Engine:
    """The engine itself, or with its noise taken to 0."""
    if s.is_noiseless:
        if s.reference is not None:
            raise NotApplicableError("the values of the given reference say nothing about other outcomes")
        return s.engine
    try:
        return s.engine.scaled(0.0)
    except UnsupportedCircuitError as error:
        raise NotApplicableError(f"scaling is refused: {error}") from None


def _outcomes(s: Subject, X: Values, Y: Values) -> Values:
    """Probabilities of the outcomes of U(y)†U(x)|0⟩, or of U(x)†U(y)|0⟩ where y has the smaller key."""
    rows, columns = (bound_circuits(s.program, Z, s.theta) for Z in (X, Y))
    prepared = is_prepared(s, X, Y, s.theta)
    found = np.empty((len(X), len(Y), 2**s.program.num_qubits))
    for i, j in np.ndindex(prepared.shape):
        first, second = (rows[i], columns[j]) if prepared[i, j] else (columns[j], rows[i])
        found[i, j] = Statevector(first).evolve(second.inverse()).probabilities()
    return found


def _compare(s: Subject, actual: Values, expected: Values, answer: Overlaps, what: str) -> None:
    shots = None if answer.num_shots is None else np.broadcast_to(answer.num_shots[..., None], actual.shape)
    try:
        assert_kernels_close(actual, expected, shots=shots, sigma=s.sigma, atol=s.atol)
    except AssertionError as difference:
        raise AssertionError(f"{what}: {difference}") from None


DISTRIBUTION_LAWS = (
    Law("distributions", "weights and bits without noise are those of an independent simulation", _distributions),
)
