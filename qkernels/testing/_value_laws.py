"""Laws of the numbers themselves: against an independent simulation, and between values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from qkernels._errors import InvalidParameterError, UnsupportedCircuitError
from qkernels.engines import clear_cache
from qkernels.programs import ExpectationProgram, Program, is_canonical, row_keys
from qkernels.testing._close import assert_kernels_close
from qkernels.testing._subject import Law, NotApplicableError, Subject, refuses, require

__all__ = ["VALUE_LAWS", "bound_circuits", "is_prepared"]

_STEP = 1e-4
"""Of central differences: an error of 1e-8 from the third derivative, and 1e-11 from rounding."""

_SLOPE_TOLERANCE = 1e-6
"""Third derivatives of values with angles of at most a few times x are below 600."""

Values = NDArray[np.float64]


def bound_circuits(program: Program, X: Values, theta: Values | None) -> list[QuantumCircuit]:
    """The circuit of every row, without measurements.

    Parameters
    ----------
    program : OverlapProgram or ExpectationProgram
    X : ndarray of shape (n, num_features)
    theta : ndarray, or None

    Returns
    -------
    list of QuantumCircuit
    """
    circuit: QuantumCircuit = program.circuit.remove_final_measurements(inplace=False)
    names = [*program.x, *(program.theta or ())]
    bound = []
    for row in X:
        values = dict(zip(names, [*row, *([] if theta is None else theta)], strict=True))
        bound.append(circuit.assign_parameters({p: values[p] for p in circuit.parameters}))
    return bound


def _statevectors(program: Program, X: Values, theta: Values | None) -> list[Statevector]:
    """States by Qiskit, gate by gate."""
    return [Statevector(circuit) for circuit in bound_circuits(program, X, theta)]


def _expected_overlaps(s: Subject, X: Values, Y: Values) -> ArrayLike:
    if s.reference is not None:
        return s.reference(s.program, X, Y, s.theta)
    if not s.is_noiseless:
        raise NotApplicableError("the engine is noisy, and no reference was given")
    return _noiseless_overlaps(s, X, Y)


def _noiseless_overlaps(s: Subject, X: Values, Y: Values) -> Values:
    left, right = (np.array([state.data for state in _statevectors(s.program, rows, s.theta)]) for rows in (X, Y))
    return np.asarray(np.abs(left.conj() @ right.T) ** 2)


def _reference(s: Subject) -> None:
    for what, rows, columns in (("K(X, X)", s.X, None), ("K(X, Y)", s.X, s.Y)):
        expected = np.asarray(_expected_overlaps(s, rows, rows if columns is None else columns))
        try:
            assert_kernels_close(s.overlaps(rows, columns), expected, sigma=s.sigma, atol=s.atol)
        except AssertionError as difference:
            raise AssertionError(f"{what}: {difference}") from None


def _observed(s: Subject, labels: list[str | SparsePauliOp]) -> ExpectationProgram:
    return ExpectationProgram(s.program.circuit, s.program.x, s.program.theta, observables=labels)


def _expectations(s: Subject) -> None:
    n = s.program.num_qubits
    paulis = ["Z" * n, "X" + "I" * (n - 1), "I" * (n - 1) + "Y", "I" * n]
    mixture = SparsePauliOp(paulis[:2], [2.0, -0.5])
    program = _observed(s, [*paulis, mixture])
    try:
        answer = s.engine.expectations(program, s.X, theta=s.theta)
    except UnsupportedCircuitError as error:
        raise NotApplicableError(f"expectations are refused: {error}") from None
    values = answer.values
    require(
        values.shape == (len(s.X), 5) and values.dtype == np.float64,
        f"values must be float64 of shape {(len(s.X), 5)}; got {values.dtype}, {values.shape}",
    )
    require(np.abs(values[:, :4]).max() <= 1.0 + s.atol, "the expectation value of a Pauli string is outside [-1, 1]")
    s.same(values[:, 3], np.ones(len(s.X)), "the expectation value of the identity and 1")
    s.same(values[:, 4], 2.0 * values[:, 0] - 0.5 * values[:, 1], "a sum of Pauli strings and the sum of their values")
    clear_cache()
    again = s.engine.expectations(program, s.X[::-1], theta=s.theta).values
    s.same(again[::-1], values, "expectation values of reordered rows and reordered ones")
    require((answer.stderr is None) == (answer.num_shots is None), "only one of stderr and num_shots is there")
    if answer.stderr is not None:
        require((answer.stderr[:, :3] > 0).all(), "stderr of a sampled expectation value is 0")
    if not s.is_noiseless:
        return
    states = _statevectors(program, s.X, s.theta)
    expected = np.array([[state.expectation_value(SparsePauliOp(p)).real for p in paulis] for state in states])
    # A Pauli string reads 1 or -1, so (1 + value)/2 is a frequency.
    shots = None if answer.num_shots is None else np.broadcast_to(answer.num_shots, (len(s.X), 3))
    assert_kernels_close(
        (1.0 + values[:, :3]) / 2.0, (1.0 + expected[:, :3]) / 2.0, shots=shots, sigma=s.sigma, atol=s.atol
    )


def _gradients(s: Subject) -> None:
    if s.is_sampled:
        raise NotApplicableError("the engine has shots")
    rng = np.random.default_rng(2)
    rows = s.X[:3]
    observed = _observed(s, ["Z" * s.program.num_qubits, "X" + "I" * (s.program.num_qubits - 1)])
    theta = np.zeros(0) if s.theta is None else s.theta
    refusals = []
    for program, shape in ((s.program, (3, 3)), (observed, (3, 2))):
        cotangent = rng.normal(size=shape)

        def scalar(X: Values, t: Values, program: Program = program, cotangent: Values = cotangent) -> float:
            given = None if s.theta is None else t
            if isinstance(program, ExpectationProgram):
                return float((cotangent * s.engine.expectations(program, X, theta=given).values).sum())
            return float((cotangent * _values_of_one_orientation(s, rows, X, given)).sum())

        try:
            d_theta, d_X = s.engine.vjp(program, cotangent, rows, theta=s.theta)
        except UnsupportedCircuitError as error:
            refusals.append(str(error))
            continue
        for what, found, expected in (
            ("theta", d_theta, _slopes(lambda t: scalar(rows, t), theta)),
            ("X", d_X, _slopes(lambda X: scalar(X, theta), rows)),
        ):
            require(found.shape == expected.shape, f"gradient of {what} has shape {found.shape}")
            gap = np.abs(found - expected).max(initial=0.0)
            require(
                gap <= max(_SLOPE_TOLERANCE, s.atol / _STEP),
                f"gradient of {what} is off by {gap:.2g} from central differences",
            )
    if len(refusals) == 2:
        raise NotApplicableError(f"gradients are refused: {refusals[0]}")


def _values_of_one_orientation(s: Subject, rows: Values, moved: Values, theta: Values | None) -> Values:
    """K of rows that moved a little, each pair prepared and undone as before: the canonical choice jumps."""
    prepared, now = (is_prepared(s, X, X, t) for X, t in ((rows, s.theta), (moved, theta)))
    values, both = (s.overlaps(moved, theta=theta, orientation=which).values for which in ("canonical", "both"))
    return np.asarray(np.where(prepared == now, values, 2.0 * both - values))


def is_prepared(s: Subject, X: Values, Y: Values, theta: Values | None) -> NDArray[np.bool_]:
    """Whether row i of X is prepared and row j of Y undone, rather than the other way round.

    Parameters
    ----------
    s : Subject
    X, Y : ndarray of shape (n, num_features)
    theta : ndarray, or None

    Returns
    -------
    ndarray of shape (n_x, n_y), bool
    """
    left, right = (row_keys(s.program.bind_angles(rows, theta), s.program.key) for rows in (X, Y))
    return is_canonical(left[:, None], right[None])


def _slopes(function: Callable[[Values], float], at: Values) -> Values:
    """Central differences of a scalar function."""
    slopes = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[index] = _STEP
        slopes[index] = (function(at + step) - function(at - step)) / (2.0 * _STEP)
    return slopes


def _scaled(s: Subject) -> None:
    try:
        same = s.engine.scaled(1.0)
    except UnsupportedCircuitError as error:
        raise NotApplicableError(f"scaling is refused: {error}") from None
    s.same(s.fresh(engine=same).values, s.gram.values, "K(X, X) of the engine and of scaled(1.0)")
    found = s.overlaps(engine=s.engine.scaled(0.0), diagonal=True)
    assert_kernels_close(found, _noiseless_overlaps(s, s.X, s.X), sigma=s.sigma, atol=s.atol)
    refuses(InvalidParameterError, ["factor", "-1"], "scaled(-1.0)", lambda: s.engine.scaled(-1.0))


VALUE_LAWS = (
    Law("reference", "values are those of an independent simulation", _reference),
    Law(
        "expectations", "expectation values are linear, in range, and those of an independent simulation", _expectations
    ),
    Law("gradients", "vjp is the slope of the values", _gradients),
    Law("scaled", "noise to the factor 1 is the engine's, to the factor 0 none", _scaled),
)
