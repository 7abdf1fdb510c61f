"""Noise tables at work: which entry counts where, how scaled and restricted tables act, what is missing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels._errors import InvalidParameterError, MissingNoiseWarning, UnsupportedCircuitError
from qkernels.engines import DensityMatrixEngine, NoiseTable, Relaxation, StatevectorEngine, clear_cache
from qkernels.programs import ExpectationProgram, OverlapProgram
from tests.engines.noisy import FLIP, STRENGTH, ask, close
from tests.oracle import noise

Real = NDArray[np.float64]

# Noise tables on circuits -----------------------------------------------------------------------------------------


def test_defaults_stand_where_no_channel_is_listed() -> None:
    """A default of "cx" on all places but (1, 2); defaults of another width than the gate do not count."""
    q = ask("zz_linear_3")
    everywhere, here = noise.random_channel(2, 0.1, 1), noise.random_channel(2, 0.1, 2)
    one = noise.random_channel(1, 0.1, 3)
    table = NoiseTable({("cx", (1, 2)): here}, defaults={"cx": everywhere, "h": one, "p": one})
    channels = {
        (name, where): here if (name, where) == ("cx", (1, 2)) else everywhere if name == "cx" else one
        for name, where in noise.places(q.circuit)
    }
    expected = noise.noisy_pairs(q.circuit, q.parameters, q.rows[:2], q.rows[:2], channels, [np.eye(2)] * 3)
    answer = DensityMatrixEngine(table).overlaps(q.program(), q.rows[:2], need={"orientations"})
    close(sorted(answer.orientations[:, 0, 1]), sorted([expected[0, 1, 0], expected[1, 0, 0]]))


def test_default_readout_stands_where_no_matrix_is_listed() -> None:
    own = np.array([[0.9, 0.3], [0.1, 0.7]])
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], [0, 1])
    engine = DensityMatrixEngine(NoiseTable(readout={1: own}, default_readout=FLIP, ideal=["ry"]))
    answer = engine.overlaps(OverlapProgram(circuit, x), [[0.2], [1.4]], need={"bits"})
    p = np.cos((0.2 - 1.4) / 2) ** 2
    one = FLIP @ [p, 1 - p]
    other = own @ [p, 1 - p]
    close(answer.outcomes[0, 1], np.kron(other, one))
    close(answer.readout, [FLIP, own])


def test_table_scaled_by_two_is_every_channel_twice() -> None:
    q = ask("zz_linear_3")
    twice = {place: channel @ channel for place, channel in q.channels.items()}
    for readout, matrices in ((True, [m @ m for m in q.readout]), (False, q.readout)):
        expected = noise.noisy_pairs(q.circuit, q.parameters, q.rows[:2], q.rows[:2], twice, matrices)[..., 0]
        engine = DensityMatrixEngine(q.table, shots=None, seed=3, memory_limit=1 << 30)
        scaled = engine.scaled(2, readout=readout)
        assert (scaled.shots, scaled.seed, scaled.memory_limit) == (None, 3, 1 << 30)
        found = scaled.overlaps(q.program(), q.rows[:2], need={"orientations"}).orientations
        close(np.sort(found, axis=0), np.sort([expected, expected.T], axis=0))


def test_table_scaled_by_zero_and_one() -> None:
    for name in ("wide_gates", "idle"):
        q = ask(name)
        engine, program = DensityMatrixEngine(q.table), q.program()
        close(engine.scaled(0).overlaps(program, q.X).values, StatevectorEngine().overlaps(program, q.X).values)
        np.testing.assert_array_equal(
            engine.scaled(1).overlaps(program, q.X).values, engine.overlaps(program, q.X).values
        )
        assert engine.scaled(1).noise == engine.noise
    with pytest.raises(
        InvalidParameterError, match=r"factor of NoiseTable\.scaled must be a finite number >= 0, got -1"
    ):
        engine.scaled(-1)


def test_scaled_relaxation_is_that_of_shorter_times() -> None:
    """Half the noise of a delay is the delay of half its length."""
    q = ask("idle")
    rules = {0: Relaxation(60e-6, 50e-6, 0.1), 2: Relaxation(30e-6, 40e-6)}
    values = []
    for unit in (2, 1):
        x = q.parameters
        circuit = QuantumCircuit(3)
        circuit.ry(x[0], 0)
        circuit.rx(x[1], 2)
        circuit.delay(10 * unit, 0, unit="us")
        circuit.delay(4 * unit, 2, unit="us")
        circuit.cx(0, 2)
        engine = DensityMatrixEngine(NoiseTable(relaxation=rules, ideal=["ry", "rx", "cx"]))
        engine = engine.scaled(0.5) if unit == 2 else engine
        values.append(engine.overlaps(OverlapProgram(circuit, x), q.X, need={"orientations"}).orientations)
    close(np.sort(values[0], axis=0), np.sort(values[1], axis=0))


def test_restricted_tables_are_of_renumbered_qubits() -> None:
    """The circuit of qubits (2, 0) alone, with the table of these qubits."""
    q = ask("idle")
    x = ParameterVector("x", 2)
    wide, narrow = QuantumCircuit(3), QuantumCircuit(2)
    for circuit, a, b in ((wide, 2, 0), (narrow, 0, 1)):
        circuit.h([a, b])
        circuit.ry(x[0], a)
        circuit.cx(b, a)
        circuit.delay(3, a, unit="us")
        circuit.rx(x[1], b)
    channels = noise.random_channels(wide, STRENGTH, 8)
    readout = dict(enumerate(noise.random_readout(3, 8)))
    table = NoiseTable(channels, readout=readout, relaxation={2: Relaxation(30e-6, 20e-6)})
    X = q.X
    full = DensityMatrixEngine(table).overlaps(OverlapProgram(wide, x), X, need={"orientations", "bits"})
    part = DensityMatrixEngine(table.restricted([2, 0])).overlaps(
        OverlapProgram(narrow, x), X, need={"orientations", "bits"}
    )
    # qubit 1 of the wide circuit reads 0 with its own probability, and is independent
    idle = readout[1][0, 0]
    close(np.sort(full.orientations, axis=0), idle * np.sort(part.orientations, axis=0))
    close(full.outcomes[0, 0, [0, 4, 1, 5]], idle * part.outcomes[0, 0])


# What is missing or does not fit ----------------------------------------------------------------------------------


def test_missing_entries_are_named_once() -> None:
    q = ask("zz_linear_3")
    table = NoiseTable({("h", (0,)): np.eye(4), ("cx", (0, 1)): np.eye(16)}, ideal=["p"])
    engine = DensityMatrixEngine(table)
    clear_cache()
    pattern = (
        r"The noise of DensityMatrixEngine has no entry for 'cx' on \[\(1, 2\)\]; 'h' on \[\(1,\), \(2,\)\]: evaluated "
        r"without error\. Add channels or defaults to the noise table, or name the gates in its ideal="
    )
    with pytest.warns(MissingNoiseWarning, match=pattern) as caught:
        engine.overlaps(q.program(), q.X)
    assert len(caught) == 1
    engine.overlaps(q.program(), q.X, q.Y, need={"weights"})  # said once for a program
    with pytest.warns(MissingNoiseWarning, match=r"'cx' on \[\(1, 2\)\]"):
        engine.expectations(ExpectationProgram(q.circuit, q.parameters, observables="ZZZ"), q.X)


def test_nothing_is_missing_for_ideal_gates_and_directives() -> None:
    q = ask("idle")
    clear_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = {name for name, _ in noise.places(q.circuit)} - {"delay", "id"}
        DensityMatrixEngine(NoiseTable(ideal=names)).overlaps(q.program(), q.X)
        DensityMatrixEngine(q.table).overlaps(q.program(), q.X)


def test_default_of_another_width_is_missing() -> None:
    circuit = QuantumCircuit(2)
    circuit.unitary(np.eye(4), [0, 1])
    engine = DensityMatrixEngine(NoiseTable(defaults={"unitary": np.eye(4)}))
    with pytest.warns(MissingNoiseWarning, match=r"no entry for 'unitary' on \[\(0, 1\)\]"):
        engine.overlaps(OverlapProgram(circuit, ()), np.empty((1, 0)))


def test_reversed_qubits_are_another_place() -> None:
    circuit = QuantumCircuit(2)
    circuit.cz(1, 0)
    engine = DensityMatrixEngine(NoiseTable({("cz", (0, 1)): np.eye(16)}))
    with pytest.warns(MissingNoiseWarning, match=r"no entry for 'cz' on \[\(1, 0\)\]"):
        engine.overlaps(OverlapProgram(circuit, ()), np.empty((1, 0)))


def test_gates_on_more_than_five_qubits_are_refused() -> None:
    circuit = QuantumCircuit(6)
    circuit.unitary(np.eye(64), [3, 1, 0, 2, 4, 5])
    with pytest.raises(
        UnsupportedCircuitError,
        match=r"Instruction 'unitary' on qubits \[3, 1, 0, 2, 4, 5\] is wider than the 5 qubits that "
        r"DensityMatrixEngine takes under noise\. Write it out",
    ):
        DensityMatrixEngine(NoiseTable(ideal=["unitary"])).overlaps(OverlapProgram(circuit, ()), np.empty((1, 0)))
    five = QuantumCircuit(5)
    five.unitary(np.eye(32), range(5))
    engine = DensityMatrixEngine(NoiseTable(ideal=["unitary"]))
    close(engine.overlaps(OverlapProgram(five, ()), np.empty((1, 0))).values, 1.0)


def test_delays_in_dt_need_dt() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    circuit.delay(160, 0, unit="dt")
    program, rules = OverlapProgram(circuit, x), {0: Relaxation(1e-4, 1e-4)}
    with pytest.raises(UnsupportedCircuitError, match=r"'delay' on qubits \[0\] lasts 160.* dt, but .* has no dt"):
        DensityMatrixEngine(NoiseTable(relaxation=rules, ideal=["ry"])).overlaps(program, [[0.1]])
    slow = DensityMatrixEngine(NoiseTable(relaxation=rules, ideal=["ry"], dt=1e-7)).overlaps(program, [[0.1]]).values
    assert slow[0, 0] < 1 - 1e-4
    without = DensityMatrixEngine(NoiseTable(ideal=["ry"])).overlaps(program, [[0.1]]).values
    close(without, 1.0)


def test_delays_that_depend_on_data_are_refused_where_they_matter() -> None:
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.delay(x[0] + 2, 0, unit="us")
    program = OverlapProgram(circuit, x)
    close(DensityMatrixEngine(NoiseTable(ideal=["h"])).overlaps(program, [[0.1], [0.3]]).values, 1.0)
    with pytest.raises(UnsupportedCircuitError, match=r"'delay' on qubits \[0\] has a duration that depends on data"):
        DensityMatrixEngine(NoiseTable(ideal=["h"], relaxation={0: Relaxation(1e-4, 1e-4)})).overlaps(program, [[0.1]])
