"""`check_engine`: our engines keep every law, and an engine with one fault breaks the law it should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, SuperOp

from qkernels._errors import InvalidParameterError
from qkernels.engines import AutoEngine, DensityMatrixEngine, Engine, MPSEngine, NoiseTable, StatevectorEngine
from qkernels.feature_maps import CPMap, ZZFeatureMap
from qkernels.programs import OverlapProgram, is_canonical, row_keys
from qkernels.testing import CheckResult, EngineReport, check_engine
from tests.testing.faulty_engines import (
    CHANNELS,
    FAULTS,
    NOISY_FAULTS,
    ONE,
    READOUT,
    SHARED,
    TABLE,
    Faulty,
    FaultyNoisy,
    small_program,
)

Real = NDArray[np.float64]

ENGINES: dict[str, Callable[..., Engine]] = {"statevector": StatevectorEngine, "mps": MPSEngine, "auto": AutoEngine}

NOT_APPLICABLE = {
    "statevector": {"bits", "outcomes", "gradients", "scaled"},
    "mps": {"weights", "bits", "outcomes", "distributions", "needs-together", "gradients", "scaled"},
    "auto": {"bits", "outcomes", "gradients", "scaled"},
}


def names(report: EngineReport, status: str) -> set[str]:
    return {result.name for result in report.results if result.status == status}


@pytest.mark.parametrize("shots", [None, 1, 250])
@pytest.mark.parametrize("engine", ENGINES)
def test_our_engines_keep_every_law(engine: str, shots: int | None) -> None:
    report = check_engine(lambda: ENGINES[engine](shots=shots, seed=3))
    absent = NOT_APPLICABLE[engine] - ({"gradients"} if names(report, "passed") >= {"gradients"} else set())
    absent |= {"stderr", "frequencies"} if shots is None else set()
    absent |= {"orientations"} if shots == 1 else set()
    assert names(report, "not applicable") == absent
    assert names(report, "passed") == {result.name for result in report.results} - absent


def test_single_precision_takes_a_wider_tolerance() -> None:
    single = StatevectorEngine(precision="single")
    check_engine(single, atol=1e-5)
    with pytest.raises(AssertionError, match=r"reference \(values are those of an independent simulation\)"):
        check_engine(single)


def test_other_programs_may_be_given() -> None:
    circuit = CPMap(reps=2, ring=True).build(5)
    circuit.measure_all()
    report = check_engine(StatevectorEngine(), programs={"cp": OverlapProgram(circuit, circuit.parameters)})
    assert report.programs == ("cp",)
    assert report.failed == ()


# Engines with one fault -------------------------------------------------------------------------------------------


def failures(engine: Engine | Callable[[], Engine], **options: Any) -> tuple[set[str], str]:
    with pytest.raises(AssertionError) as caught:
        check_engine(engine, **options)
    text = str(caught.value)
    return {line.split()[1] for line in text.splitlines() if line.startswith("  FAILED")}, text


def zz_program() -> OverlapProgram:
    circuit = ZZFeatureMap().build(2)
    return OverlapProgram(circuit, circuit.parameters)


NARROW = {
    "bad-data",
    "bad-options",
    "clone",
    "diagonals",
    "distributions",
    "duplicates",
    "gradients",
    "needs-together",
    "parameters",
    "pickle",
    "plan",
    "prepared",
    "scaled",
    "stderr",
}
"""Laws about one thing: a fault there breaks no other law."""

LAWS = frozenset(result.name for result in check_engine(StatevectorEngine(), programs={"zz": zz_program()}).results)


@pytest.mark.parametrize(("fault", "shots"), FAULTS, ids=lambda v: str(v))
def test_every_fault_breaks_its_law(fault: str, shots: int | None) -> None:
    SHARED.clear()
    law = fault.partition(":")[0]
    others = frozenset() if law in NARROW else LAWS - {law}  # where several laws break, only this one is of interest
    broken, text = failures(Faulty(fault, shots), programs={"small": small_program()}, skip=others)
    assert broken == {law}, text


def test_every_law_can_be_broken() -> None:
    """`bits` and `outcomes` are those of noisy engines, below; `second-engine` takes two objects."""
    assert LAWS - {fault.partition(":")[0] for fault, _ in FAULTS} == {"bits", "outcomes", "second-engine"}


def test_a_second_engine_with_another_seed_is_no_second_engine() -> None:
    seeds = iter(range(10))
    broken, text = failures(lambda: StatevectorEngine(shots=100, seed=next(seeds)))
    assert broken == {"second-engine"}
    assert "a second engine with the same settings (a fixed seed among them)" in text
    one = StatevectorEngine()
    broken, text = failures(lambda: one)
    assert "the function gives the same object again" in text


# Noise ------------------------------------------------------------------------------------------------------------


def by_density_matrices(program: OverlapProgram, X: Real, Y: Real, theta: Real | None) -> Real:
    """The table gate by gate with Qiskit: U of the row with the smaller key, then the other U†, then readout."""
    keys = [row_keys(program.bind_angles(rows, theta), program.key) for rows in (X, Y)]
    values = np.empty((len(X), len(Y)))
    for i, j in np.ndindex(values.shape):
        rows = (X[i], Y[j]) if is_canonical(keys[0][i], keys[1][j]) else (Y[j], X[i])
        first, second = (bound(program, row, theta) for row in rows)
        state = DensityMatrix.from_int(0, 2**program.num_qubits)
        for instruction in [*first.data, *second.inverse().data]:
            qubits = [first.find_bit(q).index for q in instruction.qubits]
            state = state.evolve(SuperOp(instruction.operation), qubits)
            state = state.evolve(CHANNELS[instruction.operation.name], qubits)
        zero = READOUT[0]
        for _ in range(program.num_qubits - 1):
            zero = np.kron(READOUT[0], zero)
        values[i, j] = zero @ state.probabilities()
    return values


def bound(program: OverlapProgram, row: Real, theta: Real | None) -> QuantumCircuit:
    names = [*program.x, *(program.theta or ())]
    given = dict(zip(names, [*row, *([] if theta is None else theta)], strict=True))
    return program.circuit.assign_parameters({p: given[p] for p in program.circuit.parameters})


@pytest.mark.parametrize("shots", [None, 40], ids=["exact", "sampled"])
def test_a_noisy_engine_keeps_every_law(shots: int | None) -> None:
    report = check_engine(lambda: DensityMatrixEngine(TABLE, shots, seed=1))
    absent = {"outcomes", "gradients"} if shots else {"bits", "stderr", "frequencies"}
    assert names(report, "not applicable") == absent | {"reference"}
    program = {"small": small_program()}
    report = check_engine(DensityMatrixEngine(TABLE, shots, seed=1), programs=program, reference=by_density_matrices)
    assert "reference" in names(report, "passed")


@pytest.mark.parametrize("shots", [None, 4000], ids=["exact", "sampled"])
def test_other_noise_than_that_of_the_reference_is_found(shots: int | None) -> None:
    engine = DensityMatrixEngine(TABLE, shots, seed=1).scaled(1.3)
    broken, text = failures(engine, programs={"small": small_program()}, reference=by_density_matrices)
    assert broken == {"reference"}
    assert "Kernel matrices differ" in text


@pytest.mark.parametrize(("fault", "shots"), [(f, s) for f, every in NOISY_FAULTS.items() for s in every], ids=str)
def test_every_fault_of_a_noisy_engine_breaks_its_law(fault: str, shots: int | None) -> None:
    law = fault.partition(":")[0]
    broken, text = failures(FaultyNoisy(fault, shots), programs={"small": small_program()}, skip=LAWS - {law})
    assert broken == {law}, text


def test_bits_and_weights_belong_together() -> None:
    """Qubits in another order: every law of outcomes holds, but the weights of patches are others."""
    program = small_program()
    uneven = OverlapProgram(program.circuit, program.x, program.theta, patches=[(0, 1)])
    assert failures(FaultyNoisy("outcomes: sum"), programs={"small": uneven})[0] >= {"outcomes", "needs-together"}


# Reports ----------------------------------------------------------------------------------------------------------


def test_the_error_names_the_engine_the_checks_and_what_was_found() -> None:
    _, text = failures(Faulty("plan: entries"), programs={"small": small_program(), "zz": zz_program()})
    assert text == (
        "Faulty() fails 1 of 32 checks:\n"
        "  FAILED          plan (a plan counts the entries and shots that are taken): "
        "small: plan of K(X, X) counts 11 entries instead of 10; "
        "zz: plan of K(X, X) counts 11 entries instead of 10"
    )


def test_what_all_checks_meet_is_told_once() -> None:
    missing = NoiseTable(defaults={"h": ONE}, ideal=["ry", "rx"])  # and nothing about cx: a warning, an error here
    broken, text = failures(DensityMatrixEngine(missing), programs={"small": small_program()})
    assert len(broken) > 20
    assert text.count("has no entry for 'cx'") == 1
    assert "FAILED          range (values lie in [0, 1]): as answers" in text


def test_what_an_engine_raises_is_told() -> None:
    _, text = failures(Faulty("answers: shape of pairs"), programs={"small": small_program()})
    assert "small: pairs and entries of K(X, X) have the shapes (6, 1) and (6,)" in text
    _, text = failures(Faulty("pickle: function"), programs={"small": small_program()})
    assert "FAILED          pickle (" in text
    assert "small: raised" in text


def test_reports_print_one_line_per_check() -> None:
    results = (
        CheckResult("a", "the law of a", "passed"),
        CheckResult("b", "the law of b", "failed", "zz: found"),
        CheckResult("c", "the law of c", "not applicable", "no shots"),
        CheckResult("d", "the law of d", "passed"),
    )
    report = EngineReport("Engine()", ("zz", "cp"), results)
    assert report.failed == (results[1],)
    assert str(report) == (
        "Engine() on zz, cp: 4 checks, 2 passed, 1 failed, 1 not applicable\n"
        "  passed          a: the law of a\n"
        "  FAILED          b (the law of b): zz: found\n"
        "  not applicable  c: no shots\n"
        "  passed          d: the law of d"
    )


def test_checks_can_be_skipped() -> None:
    report = check_engine(Faulty("plan: entries"), programs={"small": small_program()}, skip={"plan"})
    assert [result for result in report.results if result.name == "plan"] == [
        CheckResult("plan", "a plan counts the entries and shots that are taken", "skipped", "on request")
    ]


# Misuse -----------------------------------------------------------------------------------------------------------

MISUSE: dict[str, tuple[Any, dict[str, Any], str]] = {
    "engine": ("statevector", {}, "engine of check_engine must be an Engine, .* it is 'statevector'"),
    "factory": (lambda: 5, {}, "engine of check_engine must be an Engine, .* it builds 5"),
    "programs-empty": (StatevectorEngine(), {"programs": {}}, r"programs of check_engine must be None or .* got \{\}"),
    "programs-list": (StatevectorEngine(), {"programs": [small_program()]}, "must be None or a non-empty mapping"),
    "programs-circuit": (
        StatevectorEngine(),
        {"programs": {"a": QuantumCircuit(1)}},
        r"programs\['a'\] of check_engine must be an OverlapProgram; got <qiskit",
    ),
    "skip-unknown": (
        StatevectorEngine(),
        {"skip": {"plans"}},
        r"skip .* got \['plans'\]\. The checks are answers, range",
    ),
    "skip-text": (StatevectorEngine(), {"skip": "plan"}, "skip of check_engine must be a collection .* got 'plan'"),
    "sigma": (StatevectorEngine(), {"sigma": 0.0}, r"sigma of check_engine must be a finite number > 0; got 0\.0"),
    "sigma-underflow": (StatevectorEngine(), {"sigma": 40}, r"sigma of check_engine must be at most 37\.5; got 40"),
    "atol": (StatevectorEngine(), {"atol": -1.0}, r"atol of check_engine must be a finite number > 0; got -1\.0"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_refused(name: str) -> None:
    engine, options, pattern = MISUSE[name]
    with pytest.raises(InvalidParameterError, match=pattern):
        check_engine(engine, **options)
