"""NoiseTable: what it takes, what it refuses, how it scales, and what its key depends on."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import XGate
from qiskit.quantum_info import PTM, Chi, Choi, Kraus, Operator, Stinespring, SuperOp, random_unitary

from qkernels._errors import InvalidParameterError
from qkernels.engines import NoiseTable, Relaxation
from tests.oracle.noise import random_channel, relaxation_channel, superoperator

Real = NDArray[np.float64]

EXACT = 1e-12
FLIP = np.array([[0.97, 0.05], [0.03, 0.95]])


def close(found: object, expected: object, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def depolarizing(p: float, num_qubits: int = 1) -> Real:
    """As a transfer matrix: every Pauli string but the identity shrinks."""
    return np.diag([1.0] + [1.0 - p] * (4**num_qubits - 1))


def damping(gamma: float) -> Real:
    """Amplitude damping as a transfer matrix."""
    out = np.diag([1.0, np.sqrt(1 - gamma), np.sqrt(1 - gamma), 1 - gamma])
    out[3, 0] = gamma
    return out


def default(channel: object, form: str = "superoperator") -> Real:
    """The transfer matrix that a table makes of a channel on one qubit."""
    found = NoiseTable(defaults={"x": channel}, form=form).transfer("x", (0,))
    assert found is not None
    return found


# Channels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
@pytest.mark.parametrize("kind", [SuperOp, Kraus, PTM, Choi, Chi, Stinespring], ids=lambda kind: kind.__name__)
def test_channels_of_qiskit_are_taken(kind: type, num_qubits: int) -> None:
    """In both forms: such an object says itself in which form it is."""
    channel, where = random_channel(num_qubits, 0.4, num_qubits), tuple(range(num_qubits))
    expected = NoiseTable({("gate", where): channel}).transfer("gate", where)
    for form in ("superoperator", "transfer"):
        table = NoiseTable({("gate", where): kind(SuperOp(channel))}, form=form)
        close(table.transfer("gate", where), expected, 1e-8)  # Kraus operators are found to about that


@pytest.mark.parametrize("form", ["superoperator", "transfer"])
def test_unitary_errors_are_taken(form: str) -> None:
    u = random_unitary(2, seed=1)
    circuit = QuantumCircuit(1)
    circuit.append(u, [0])
    expected = default(superoperator([u.data]))
    for given in (u, Operator(u), circuit, circuit.to_gate()):
        close(default(given, form), expected)
    turned = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0], [0, 0, 0, -1]])
    close(default(XGate(), form), turned)


def test_the_first_qubit_is_the_least_significant_one() -> None:
    """A flip of the first qubit of the place, and nothing on the second."""
    flip, p = np.array([[0, 1], [1, 0]]), 0.25
    channel = (1 - p) * np.eye(16) + p * superoperator([np.kron(np.eye(2), flip)])
    found = NoiseTable({("cx", (4, 1)): channel}).transfer("cx", (4, 1))
    one = np.diag([1, 1, 1 - 2 * p, 1 - 2 * p])
    close(found, np.kron(np.eye(4), one))
    assert NoiseTable({("cx", (4, 1)): channel}).transfer("cx", (1, 4)) is None


def test_transfer_matrices_are_taken_as_they_are() -> None:
    given = damping(0.2)
    table = NoiseTable({("x", (0,)): given}, defaults={"y": given.tolist()}, form="transfer")
    np.testing.assert_array_equal(table.transfer("x", (0,)), given)
    np.testing.assert_array_equal(table.transfer("y", (7,)), given)
    given[:] = 0.0  # the table has its own
    np.testing.assert_array_equal(table.transfer("x", (0,)), damping(0.2))
    with pytest.raises(ValueError, match="read-only"):
        table.transfer("x", (0,))[:] = 0.0


def test_lists_are_matrices() -> None:
    channel = random_channel(1, 0.3, 1)
    close(default(channel.tolist()), default(channel))


def test_what_a_table_says() -> None:
    table = NoiseTable(
        {("cx", (0, 1)): np.eye(16), ("x", 2): np.eye(4), ("id", (np.int64(3),)): np.eye(4)},
        defaults={"x": random_channel(1, 0.1, 0), "cx": np.eye(16)},
        readout={np.int64(1): FLIP},
        default_readout=np.eye(2)[::-1],
        relaxation={0: Relaxation(1e-4, 2e-4)},
        dt=1,
        ideal=["rz", "rz"],
    )
    assert table.places == (("cx", (0, 1)), ("x", (2,)), ("id", (3,)))
    assert table.default_names == ("x", "cx")
    close(table.transfer("x", [2]), np.eye(4))  # listed
    close(table.transfer("x", (0,)), table.transfer("x", (9,)))
    assert table.transfer("cx", (1, 0)) is not None
    assert table.transfer("x", (0, 1)) is None  # a default of another width
    assert table.transfer("h", (0,)) is None
    close(table.readout_matrix(1), FLIP)
    close(table.readout_matrix(0), [[0, 1], [1, 0]])
    close(NoiseTable().readout_matrix(5), np.eye(2))
    assert table.relaxation(0) == Relaxation(1e-4, 2e-4)
    assert table.relaxation(1) is None
    assert (table.dt, table.ideal) == (1.0, frozenset({"rz"}))
    assert NoiseTable().ideal == {"rz", "p", "u1"}
    assert repr(table) == f"NoiseTable(3 channels, 2 defaults, 1 readout matrices, key={table.key[:12]}…)"


def test_relaxation_is_a_channel() -> None:
    rule = Relaxation(50e-6, 70e-6, 0.1)
    close(rule.transfer(3e-6), default(relaxation_channel(50e-6, 70e-6, 0.1, 3e-6)))
    close(rule.transfer(0.0), np.eye(4))
    close(Relaxation(np.inf, np.inf).transfer(1.0), np.eye(4))


# Refusals ---------------------------------------------------------------------------------------------------------

HALF = np.diag([1.0, 0.5, 0.5, 1.0]) + 0.5j * np.diag([0, 1, 1, 0])
"""Not Hermitian: the coherences ρ01 and ρ10 turn the same way."""

TABLES: dict[str, tuple[Callable[[], object], str]] = {
    "form": (
        lambda: NoiseTable(form="ptm"),
        "form of NoiseTable must be 'superoperator' or 'transfer', got 'ptm'.",
    ),
    "channels-list": (
        lambda: NoiseTable([np.eye(4)[0, 0]]),
        "channels of NoiseTable must be None or a mapping, got [",
    ),
    "defaults-matrix": (lambda: NoiseTable(defaults="x"), "defaults of NoiseTable must be None or a mapping, got 'x'."),
    "readout-list": (lambda: NoiseTable(readout=(1,)), "readout of NoiseTable must be None or a mapping, got (1,)."),
    "relaxation-list": (
        lambda: NoiseTable(relaxation=[1]),
        "relaxation of NoiseTable must be None or a mapping, got [1].",
    ),
    "place-name": (
        lambda: NoiseTable({"x": np.eye(4)}),
        "channels of NoiseTable must be keyed by (instruction name, qubits) such as ('cx', (0, 1)); got 'x'.",
    ),
    "place-twice": (lambda: NoiseTable({("cx", (1, 1)): np.eye(16)}), "such as ('cx', (0, 1)); got ('cx', (1, 1))."),
    "place-negative": (lambda: NoiseTable({("x", (-1,)): np.eye(4)}), "got ('x', (-1,))."),
    "place-empty": (lambda: NoiseTable({("x", ()): np.eye(4)}), "got ('x', ())."),
    "place-float": (lambda: NoiseTable({("x", (0.0,)): np.eye(4)}), "got ('x', (0.0,))."),
    "place-bool": (lambda: NoiseTable({("x", (True,)): np.eye(4)}), "got ('x', (True,))."),
    "width": (
        lambda: NoiseTable({("cx", (0, 1)): np.eye(4)}),
        "The channel ('cx', (0, 1)) of NoiseTable must have shape (4^k, 4^k) of k qubits, here k = 2; got (4, 4).",
    ),
    "unitary-matrix": (
        lambda: default(np.eye(2)),
        "The channel default of 'x' of NoiseTable must have shape (4^k, 4^k) of k >= 1 qubits; got (2, 2).",
    ),
    "odd-size": (lambda: default(np.eye(5)), "of k >= 1 qubits; got (5, 5)."),
    "rectangle": (lambda: default(np.ones((4, 16))), "of k >= 1 qubits; got (4, 16)."),
    "vector": (lambda: default(np.ones(4)), "of k >= 1 qubits; got (4,)."),
    "text": (
        lambda: default("noise"),
        "The channel default of 'x' of NoiseTable must be a matrix or what qiskit.quantum_info.SuperOp takes: ",
    ),
    "none": (lambda: default(None), "The channel default of 'x' of NoiseTable must"),
    "measurement": (lambda: default(measured()), "must be a matrix or what qiskit.quantum_info.SuperOp takes: "),
    "nan": (lambda: default(np.full((4, 4), np.nan)), "The channel default of 'x' of NoiseTable must be finite."),
    "trace": (
        lambda: default(0.9 * np.eye(4)),
        "The channel default of 'x' of NoiseTable must preserve the trace; it is off by 0.1.",
    ),
    "trace-transfer": (
        lambda: default(np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) / 4, "transfer"),
        "must preserve the trace; it is off by 0.25.",
    ),
    "transposition": (
        lambda: default(np.diag([1.0, 1, -1, 1]), "transfer"),
        "default of 'x' of NoiseTable must be completely positive; its Choi matrix has the eigenvalue -0.5.",
    ),
    "growing": (lambda: default(np.diag([1.0, 1.2, 1.2, 1.2]), "transfer"), "must be completely positive;"),
    "not-hermitian": (
        lambda: default(HALF),
        (
            "The channel default of 'x' of NoiseTable must map Hermitian matrices to Hermitian ones: its transfer "
            "matrix over Pauli strings must be real; imaginary parts are up to 0.5."
        ),
    ),
    "complex-transfer": (
        lambda: default(superoperator([np.diag([1, 1j])]), "transfer"),
        "its transfer matrix over Pauli strings must be real; imaginary parts are up to 1.",
    ),
    "readout-qubit": (
        lambda: NoiseTable(readout={-1: FLIP}),
        "readout of NoiseTable must be keyed by qubits (integers >= 0); got -1.",
    ),
    "readout-name": (lambda: NoiseTable(readout={"q": FLIP}), "must be keyed by qubits (integers >= 0); got 'q'."),
    "readout-shape": (
        lambda: NoiseTable(readout={3: [0.1, 0.2]}),
        "readout of qubit 3 of NoiseTable must be a 2 × 2 matrix of probabilities; got [0.1, 0.2].",
    ),
    "readout-text": (lambda: NoiseTable(readout={3: "low"}), "a 2 × 2 matrix of probabilities; got 'low'."),
    "readout-negative": (lambda: NoiseTable(default_readout=[[1.1, 0], [-0.1, 1]]), "got [[1.1, 0], [-0.1, 1]]."),
    "readout-transposed": (
        lambda: NoiseTable(default_readout=FLIP.T),
        (
            "default_readout of NoiseTable must be P(read | true) with columns that sum to 1 (off by 0.02); got "
            "[[0.97, 0.03], [0.05, 0.95]]. Qiskit's ReadoutError has the transposed matrix."
        ),
    ),
    "relaxation-pair": (
        lambda: NoiseTable(relaxation={2: (1e-4, 1e-4)}),
        "relaxation of NoiseTable must hold a Relaxation(t1, t2) for every qubit; got (0.0001, 0.0001) for qubit 2.",
    ),
    "relaxation-qubit": (
        lambda: NoiseTable(relaxation={"a": Relaxation(1, 1)}),
        "relaxation of NoiseTable must be keyed by qubits (integers >= 0); got 'a'.",
    ),
    "dt-zero": (lambda: NoiseTable(dt=0), "dt of NoiseTable must be None or > 0 seconds, got 0."),
    "dt-nan": (lambda: NoiseTable(dt=np.nan), "dt of NoiseTable must be None or > 0 seconds, got nan."),
    "dt-infinite": (lambda: NoiseTable(dt=np.inf), "dt of NoiseTable must be None or > 0 seconds, got inf."),
    "dt-text": (lambda: NoiseTable(dt="1ns"), "dt of NoiseTable must be None or > 0 seconds, got '1ns'."),
    "ideal-text": (lambda: NoiseTable(ideal="rz"), "ideal of NoiseTable must be names such as ('rz',), got 'rz'."),
    "t1-negative": (lambda: Relaxation(-1, 1), "t1 of Relaxation must be > 0 seconds, got -1.0."),
    "t2-nan": (lambda: Relaxation(1, np.nan), "t2 of Relaxation must be > 0 seconds, got nan."),
    "t2-long": (lambda: Relaxation(1e-4, 3e-4), "t2 of Relaxation must be <= 2 t1, got t1=0.0001 and t2=0.0003."),
    "t1-text": (lambda: Relaxation("long", 1), "t1 of Relaxation must be a number, got 'long'."),
    "excited": (lambda: Relaxation(1, 1, 1.5), "excited of Relaxation must lie in [0, 1], got 1.5."),
    "excited-nan": (lambda: Relaxation(1, 1, np.nan), "excited of Relaxation must lie in [0, 1], got nan."),
    "restricted-twice": (
        lambda: NoiseTable().restricted([1, 0, 1]),
        "qubits of NoiseTable.restricted must be distinct, got [1, 0, 1].",
    ),
}


def measured() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("name", TABLES)
def test_refusals(name: str) -> None:
    build, message = TABLES[name]
    with pytest.raises(InvalidParameterError, match=re.escape(message)):
        build()


def test_tolerances_allow_rounding() -> None:
    channel = np.eye(16) + 1e-9 * np.random.default_rng(0).normal(size=(16, 16))
    NoiseTable({("cx", (0, 1)): channel})
    NoiseTable(default_readout=FLIP + 1e-10)


# Scaling ----------------------------------------------------------------------------------------------------------

FACTORS = [0, 0.25, 0.5, 1, 1.5, 2, 3, np.float64(2.5), np.int64(2)]


@pytest.mark.parametrize("factor", FACTORS, ids=str)
def test_depolarizing_noise_scales_by_powers(factor: float) -> None:
    table = NoiseTable({("cx", (0, 1)): depolarizing(0.1, 2)}, defaults={"x": depolarizing(0.02)}, form="transfer")
    scaled = table.scaled(factor)
    close(scaled.transfer("cx", (0, 1)), np.diag([1.0] + [0.9**factor] * 15))
    close(scaled.transfer("x", (5,)), np.diag([1.0] + [0.98**factor] * 3))


@pytest.mark.parametrize("factor", FACTORS, ids=str)
def test_relaxation_scales_like_time(factor: float) -> None:
    """As a channel of the table, and as the rule for delays."""
    rule = Relaxation(50e-6, 70e-6, 0.15)
    channel = relaxation_channel(50e-6, 70e-6, 0.15, 2e-6)
    scaled = NoiseTable({("x", (0,)): channel}, relaxation={0: rule}).scaled(factor)
    close(scaled.transfer("x", (0,)), rule.transfer(float(factor) * 2e-6))
    if factor:
        close(scaled.relaxation(0).transfer(2e-6), rule.transfer(float(factor) * 2e-6))
    else:
        assert scaled.relaxation(0) is None


@pytest.mark.parametrize("factor", FACTORS, ids=str)
def test_damping_and_flips_scale(factor: float) -> None:
    """1 − γ and 1 − ε₀ − ε₁ are what remains; their powers remain after more of it."""
    table = NoiseTable(defaults={"x": damping(0.3)}, readout={0: FLIP}, default_readout=FLIP, form="transfer")
    scaled = table.scaled(factor)
    close(scaled.transfer("x", (0,)), damping(1 - 0.7 ** float(factor)))
    kept, ends = 0.92 ** float(factor), np.array([0.05, 0.03]) / 0.08  # the stationary distribution
    expected = kept * np.eye(2) + (1 - kept) * np.outer(ends, [1, 1])
    for qubit in (0, 1):
        close(scaled.readout_matrix(qubit), expected)
        close(table.scaled(factor, readout=False).readout_matrix(qubit), FLIP)
    assert scaled.readout_matrix(0).sum(axis=0) == pytest.approx([1, 1])


def test_scaling_by_an_integer_is_the_channel_so_many_times() -> None:
    channel = random_channel(2, 0.2, 3)
    table = NoiseTable({("cx", (0, 1)): channel})
    close(
        table.scaled(3).transfer("cx", (0, 1)),
        NoiseTable({("cx", (0, 1)): channel @ channel @ channel}).transfer("cx", (0, 1)),
    )


@pytest.mark.parametrize("seed", range(4))
def test_roots_of_random_channels(seed: int) -> None:
    channel = random_channel(1 + seed % 2, 0.1, seed)
    where = (0,) if seed % 2 == 0 else (0, 1)
    table = NoiseTable({("gate", where): channel})
    close(table.scaled(0.5).scaled(2).transfer("gate", where), table.transfer("gate", where), 1e-10)
    close(
        table.scaled(1 / 3).transfer("gate", where) @ table.scaled(2 / 3).transfer("gate", where),
        table.transfer("gate", where),
        1e-10,
    )


def test_roots_of_channels_with_dependent_eigenvectors() -> None:
    """A Jordan block: the root of [[a, b], [0, a]] is [[√a, b/(2√a)], [0, √a]]."""
    a, b = 0.9, 0.01
    channel = np.diag([1.0, a, a, a])
    channel[1, 2] = b
    root = np.diag([1.0, *[np.sqrt(a)] * 3])
    root[1, 2] = b / (2 * np.sqrt(a))
    found = NoiseTable(defaults={"x": channel}, form="transfer").scaled(0.5).transfer("x", (0,))
    close(found, root, 1e-10)


def test_projections_are_their_own_roots() -> None:
    everything, reset = np.diag([1.0, 0, 0, 0]), np.zeros((4, 4))
    reset[[0, 3], 0] = 1.0
    for channel in (everything, reset):
        table = NoiseTable(defaults={"x": channel}, form="transfer")
        for factor in (0.5, 1.5, 2):
            close(table.scaled(factor).transfer("x", (0,)), channel)
        close(table.scaled(0).transfer("x", (0,)), np.eye(4))


def test_scaling_by_one_changes_nothing_and_by_zero_removes_everything() -> None:
    table = full_table()
    assert table.scaled(1) == table
    assert table.scaled(1.0, readout=False) == table
    nothing = table.scaled(0)
    assert nothing.places == table.places
    assert nothing.default_names == table.default_names
    for name, where in nothing.places:
        close(nothing.transfer(name, where), np.eye(4 ** len(where)))
    close(nothing.readout_matrix(0), np.eye(2))
    close(nothing.readout_matrix(9), np.eye(2))
    close(table.scaled(0, readout=False).readout_matrix(0), table.readout_matrix(0))
    assert (nothing.dt, nothing.ideal) == (table.dt, table.ideal)


@pytest.mark.parametrize("factor", [-1, -0.5, np.inf, np.nan, True, "2", None, 1j], ids=str)
def test_factors_are_numbers(factor: object) -> None:
    with pytest.raises(
        InvalidParameterError,
        match=re.escape(f"factor of NoiseTable.scaled must be a finite number >= 0, got {factor!r}."),
    ):
        full_table().scaled(factor)


@pytest.mark.parametrize(
    ("table", "what"),
    [
        (NoiseTable({("x", (1,)): np.diag([1.0, -0.2, -0.3, 0.4])}, form="transfer"), "('x', (1,))"),
        (NoiseTable(defaults={"y": np.diag([1.0, 0.4, -0.3, -0.2])}, form="transfer"), "y"),
        (NoiseTable(readout={4: [[0.3, 0.6], [0.7, 0.4]]}), "readout of qubit 4"),
        (NoiseTable(default_readout=[[0.3, 0.6], [0.7, 0.4]]), "default_readout"),
    ],
    ids=["channel", "default", "readout", "default-readout"],
)
def test_negative_eigenvalues_have_no_real_roots(table: NoiseTable, what: str) -> None:
    message = f"factor of NoiseTable.scaled must be an integer for {what}, whose matrix has no real power 0.5; got 0.5."
    with pytest.raises(InvalidParameterError, match=re.escape(message)):
        table.scaled(0.5)
    table.scaled(2)


# Restriction ------------------------------------------------------------------------------------------------------


def test_restricted_tables() -> None:
    table = full_table()
    part = table.restricted([2, 0])
    assert part.places == (("cx", (1, 0)), ("x", (1,)))
    close(part.transfer("cx", (1, 0)), table.transfer("cx", (0, 2)))
    close(part.transfer("x", (1,)), table.transfer("x", (0,)))
    close(part.transfer("h", (0,)), table.transfer("h", (2,)))  # a default
    close(part.readout_matrix(1), table.readout_matrix(0))
    close(part.readout_matrix(0), table.readout_matrix(2))
    assert part.relaxation(1) == table.relaxation(0)
    assert part.relaxation(0) is None
    assert (part.dt, part.ideal) == (table.dt, table.ideal)
    assert table.restricted(range(5)) == table
    assert table.restricted([2, 0]).scaled(2) == table.scaled(2).restricted([2, 0])


# Identity ---------------------------------------------------------------------------------------------------------


def content() -> dict[str, dict[str, object]]:
    return {
        "channels": {("cx", (0, 2)): random_channel(2, 0.1, 1), ("x", (0,)): random_channel(1, 0.1, 2)},
        "defaults": {"h": random_channel(1, 0.1, 3), "u": random_channel(1, 0.1, 4)},
        "readout": {0: FLIP, 1: FLIP[::-1, ::-1]},
        "relaxation": {0: Relaxation(1e-4, 1e-4, 0.1), 1: Relaxation(1e-4, 2e-4)},
        "rest": {"default_readout": np.array([[0.9, 0.2], [0.1, 0.8]]), "dt": 1e-9, "ideal": ("rz", "p")},
    }


def table_of(given: dict[str, dict[str, object]]) -> NoiseTable:
    return NoiseTable(
        given["channels"],
        defaults=given["defaults"],
        readout=given["readout"],
        relaxation=given["relaxation"],
        **given["rest"],
    )


def full_table() -> NoiseTable:
    return table_of(content())


def test_equal_tables_have_equal_keys() -> None:
    """In any order of entries, whatever kind of numbers they hold, and in another process's copy."""
    table, given = full_table(), content()
    for part in ("channels", "defaults", "readout", "relaxation"):
        given[part] = dict(reversed(given[part].items()))
    given["rest"] |= {"ideal": ["p", "rz", "p"], "dt": np.float64(1e-9)}
    given["relaxation"] = {
        np.int64(q): Relaxation(np.float64(r.t1), np.float64(r.t2), r.excited) for q, r in given["relaxation"].items()
    }
    other = table_of(given)
    assert other.key == table.key
    assert other == table
    assert hash(other) == hash(table)
    assert len({table, other}) == 1
    assert table != "table"
    assert Relaxation(1, 2) == Relaxation(1.0, 2.0)
    tables = [NoiseTable(relaxation={0: Relaxation(one, one)}, dt=one) for one in (1, 1.0, np.float64(1), np.int64(1))]
    assert len(set(tables)) == 1


def changes() -> dict[str, NoiseTable]:
    """Tables that differ from `full_table` in one thing."""
    tables = {}

    def change(name: str, part: str, **entries: object) -> None:
        given = content()
        given[part] = given[part] | entries
        tables[name] = table_of(given)

    def move(name: str, part: str, old: object, new: object) -> None:
        given = content()
        entry = given[part].pop(old)
        if new is not None:
            given[part][new] = entry
        tables[name] = table_of(given)

    nearly = random_channel(2, 0.1, 1)
    nearly[0, 5] += 1e-10
    given = content()
    given["channels"]["cx", (0, 2)] = nearly
    tables["entry"] = table_of(given)
    move("qubits", "channels", ("cx", (0, 2)), ("cx", (2, 0)))
    move("other-qubit", "channels", ("x", (0,)), ("x", (1,)))
    move("name", "channels", ("x", (0,)), ("y", (0,)))
    move("dropped", "channels", ("x", (0,)), None)
    move("default-name", "defaults", "h", "g")
    move("default-dropped", "defaults", "h", None)
    change("default-entry", "defaults", h=random_channel(1, 0.1, 9))
    move("readout-qubit", "readout", 1, 2)
    move("readout-dropped", "readout", 1, None)
    move("relaxation-qubit", "relaxation", 1, 2)
    move("relaxation-dropped", "relaxation", 0, None)
    change("default-readout", "rest", default_readout=FLIP)
    change("no-default-readout", "rest", default_readout=None)
    change("dt", "rest", dt=2e-9)
    change("no-dt", "rest", dt=None)
    change("ideal", "rest", ideal=("rz",))
    given = content()
    given["relaxation"][0] = Relaxation(1e-4, 1e-4, 0.2)
    tables["excited"] = table_of(given)
    given = content()
    given["defaults"]["x"] = given["channels"].pop(("x", (0,)))  # a default in place of a channel
    tables["channel-as-default"] = table_of(given)
    given = content()
    given["channels"]["x", (0,)], given["defaults"]["h"] = given["defaults"]["h"], given["channels"]["x", (0,)]
    tables["exchanged"] = table_of(given)
    tables["scaled"] = full_table().scaled(2)
    tables["restricted"] = full_table().restricted([0, 1])
    return tables


def test_any_change_is_another_key() -> None:
    tables = changes() | {"itself": full_table(), "empty": NoiseTable()}
    keys = {name: table.key for name, table in tables.items()}
    assert len(set(keys.values())) == len(tables), keys
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys.values())


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "deepcopy", "pickle"]
)
def test_copies_are_equal(copied: Callable[[NoiseTable], NoiseTable]) -> None:
    table = full_table()
    for original in (table, table.scaled(2), table.restricted([2, 0])):
        again = copied(original)
        assert again == original
        for name, where in original.places:
            np.testing.assert_array_equal(again.transfer(name, where), original.transfer(name, where))
        np.testing.assert_array_equal(again.readout_matrix(1), original.readout_matrix(1))
        assert again.relaxation(1) == original.relaxation(1)
        assert again.scaled(2) == original.scaled(2)
        for qubit in (1, 99):  # listed, and the default
            with pytest.raises(ValueError, match="read-only"):
                again.readout_matrix(qubit)[:] = 0.0


def test_use_changes_no_pickle() -> None:
    """scikit-learn compares parameters before and after `fit` by joblib's hash."""
    table = full_table()
    before = joblib.hash(table), pickle.dumps(table)
    assert table.key == full_table().key
    assert table.transfer("h", (1,)) is not None
    assert (joblib.hash(table), pickle.dumps(table)) == before
