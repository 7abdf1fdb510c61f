"""The laws that every engine keeps, checked on an engine that anyone wrote."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from numbers import Real

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels._errors import InvalidParameterError
from qkernels.engines import Engine, clear_cache
from qkernels.feature_maps import ZZFeatureMap
from qkernels.programs import OverlapProgram
from qkernels.testing._distribution_laws import DISTRIBUTION_LAWS
from qkernels.testing._matrix_laws import MATRIX_LAWS
from qkernels.testing._need_laws import NEED_LAWS
from qkernels.testing._report import CheckResult, EngineReport
from qkernels.testing._setting_laws import SETTING_LAWS
from qkernels.testing._shot_laws import SHOT_LAWS
from qkernels.testing._subject import Law, NotApplicableError, Reference, Subject
from qkernels.testing._tails import LARGEST_SIGMA
from qkernels.testing._value_laws import VALUE_LAWS

__all__ = ["check_engine"]

_LAWS = (*MATRIX_LAWS, *SHOT_LAWS, *NEED_LAWS, *SETTING_LAWS, *VALUE_LAWS, *DISTRIBUTION_LAWS)


def check_engine(
    engine: Engine | Callable[[], Engine],
    *,
    programs: Mapping[str, OverlapProgram] | None = None,
    reference: Reference | None = None,
    skip: Collection[str] = (),
    sigma: float = 5.0,
    atol: float = 1e-10,
) -> EngineReport:
    r"""Check that an engine keeps the contract of `Engine`, on a few small programs.

    For everyone who writes an engine: put it into a test, and print the report to see what was checked. Engines may be
    exact, sampled, noisy, or noisy and exact (``is_exact=False`` without shots, diagonals below 1).

    Parameters
    ----------
    engine : Engine, or callable without arguments that builds one
        With a callable, two objects with the same settings are compared too; its seed must be fixed.
    programs : mapping of str to OverlapProgram, optional
        None is two programs of 3 qubits with gates between neighbours: a ZZ feature map, and a lopsided circuit with
        trainable parameters and patches. Data are uniform in [-1, 1].
    reference : callable, optional
        ``reference(program, X, Y, theta)`` gives the values to be expected, shape (n_x, n_y): of noise, too, where the
        row with the smaller key is prepared and the other undone. None is Qiskit's ``Statevector`` for noiseless
        engines, and nothing for noisy ones. ``Statevector`` takes a ``PauliEvolutionGate`` as the exponential that it
        names, not as the product formula that a device runs.
    skip : collection of str
        Names of checks to leave out, such as "range" for an engine that extrapolates beyond [0, 1].
    sigma : float in (0, 37.5], default=5.0
        Family-wise level of every comparison of sampled values, as in `assert_kernels_close`.
    atol : float > 0, default=1e-10
        Largest difference of exact values, and of two exact answers to one question. 1e-5 suits single precision.

    Returns
    -------
    EngineReport
        Every check with its outcome, where none failed.

    Raises
    ------
    AssertionError
        At least one check failed; names them, with what was found for each program.
    InvalidParameterError
        `engine` is no engine and builds none; `programs` is empty or holds something else; `skip` names no check;
        `sigma` or `atol` break their rules.

    See Also
    --------
    assert_kernels_close : how sampled values are compared.

    Notes
    -----
    Some 150 small requests for every program: a second on a simulator. The process-wide cache is cleared on the
    way, since an answer from the cache proves nothing.

    Sampled values must be a pure function of what is measured: the same in any block, order and process.

    Examples
    --------
    >>> from qkernels import StatevectorEngine
    >>> from qkernels.testing import check_engine
    >>> report = check_engine(lambda: StatevectorEngine(shots=100, seed=0))
    >>> print("\n".join(str(report).splitlines()[:4]))
    StatevectorEngine(shots=100, seed=0) on zz, lopsided: 32 checks, 28 passed, 4 not applicable
      passed          answers: values and shots have their shapes and types, info names engine and program
      passed          range: values lie in [0, 1]
      passed          symmetry: K(X, X) equals its transpose
    """
    build = None if isinstance(engine, Engine) else engine
    subject = engine if isinstance(engine, Engine) else _built(engine)
    cases = _checked_programs(programs)
    for name, value in (("sigma", sigma), ("atol", atol)):
        if isinstance(value, bool) or not isinstance(value, Real) or not np.isfinite(value) or value <= 0:
            raise InvalidParameterError(f"{name} of check_engine must be a finite number > 0; got {value!r}.")
    if sigma > LARGEST_SIGMA:
        raise InvalidParameterError(f"sigma of check_engine must be at most {LARGEST_SIGMA:g}; got {sigma!r}.")
    names = [law.name for law in _LAWS]
    if isinstance(skip, str) or (unknown := sorted(set(skip) - set(names))):
        wrong = skip if isinstance(skip, str) else unknown
        raise InvalidParameterError(
            f"skip of check_engine must be a collection of names of checks; got {wrong!r}. The checks are "
            f"{', '.join(names)}."
        )
    subjects = {name: _subject(subject, build, name, cases, reference, sigma, atol) for name in cases}
    results = tuple(
        CheckResult(law.name, law.text, "skipped", "on request") if law.name in skip else _judge(law, subjects)
        for law in _LAWS
    )
    clear_cache()
    report = EngineReport(repr(subject), tuple(cases), results)
    if report.failed:
        raise AssertionError(_refusal(report))
    return report


def _refusal(report: EngineReport) -> str:
    """The checks that failed; what several of them found is told once."""
    lines = [f"{report.engine} fails {len(report.failed)} of {len(report.results)} checks:"]
    first: dict[str, str] = {}
    for result in report.failed:
        seen = first.setdefault(result.detail, result.name)
        told = result if seen == result.name else replace(result, detail=f"as {seen}")
        lines.append(f"  {told}")
    return "\n".join(lines)


def _judge(law: Law, subjects: Mapping[str, Subject]) -> CheckResult:
    """One law on every program: failed where one breaks it, passed where one keeps it."""
    broken: list[str] = []
    reasons: list[str] = []
    for name, subject in subjects.items():
        try:
            law.check(subject)
        except NotApplicableError as reason:
            reasons.append(str(reason))
        except AssertionError as found:
            broken.append(f"{name}: {found}")
        except Exception as error:  # whatever an engine raises, the other laws are still worth checking
            broken.append(f"{name}: raised {type(error).__name__}: {error}")
    if broken:
        return CheckResult(law.name, law.text, "failed", "; ".join(broken))
    if len(reasons) == len(subjects):
        return CheckResult(law.name, law.text, "not applicable", reasons[0])
    return CheckResult(law.name, law.text, "passed")


def _built(engine: object) -> Engine:
    found = engine() if callable(engine) else engine
    if not isinstance(found, Engine):
        what = "builds" if callable(engine) else "is"
        raise InvalidParameterError(
            f"engine of check_engine must be an Engine, or a callable without arguments that builds one; it {what} "
            f"{found!r}."
        )
    return found


def _checked_programs(programs: Mapping[str, OverlapProgram] | None) -> dict[str, OverlapProgram]:
    if programs is None:
        return _default_programs()
    if not isinstance(programs, Mapping) or not programs:
        raise InvalidParameterError(
            f"programs of check_engine must be None or a non-empty mapping of names to programs; got {programs!r}."
        )
    for name, program in programs.items():
        if not isinstance(program, OverlapProgram):
            raise InvalidParameterError(
                f"programs[{name!r}] of check_engine must be an OverlapProgram; got {program!r}."
            )
    return dict(programs)


def _default_programs() -> dict[str, OverlapProgram]:
    zz = ZZFeatureMap().build(3)
    x, theta = ParameterVector("x", 2), ParameterVector("θ", 2)
    lopsided = QuantumCircuit(3)  # the outcomes of U(y)†U(x) and of U(x)†U(y) differ
    for q in range(3):
        lopsided.ry(x[q % 2] * theta[0] + q / 2, q)
    lopsided.cx(0, 1)
    lopsided.rz(x[1] * theta[1], 1)
    lopsided.cx(1, 2)
    lopsided.rx(x[0] + theta[1], 2)
    lopsided.h(0)
    return {
        "zz": OverlapProgram(zz, zz.parameters),
        "lopsided": OverlapProgram(lopsided, x, theta, patches=[(0, 1), (2,)]),
    }


def _subject(
    engine: Engine,
    build: Callable[[], Engine] | None,
    name: str,
    programs: Mapping[str, OverlapProgram],
    reference: Reference | None,
    sigma: float,
    atol: float,
) -> Subject:
    program = programs[name]
    rng = np.random.default_rng(7)
    rows = rng.uniform(-1.0, 1.0, size=(8, program.num_features))
    theta = rng.uniform(0.5, 1.0, size=program.num_parameters) if program.num_parameters else None
    longer = program.circuit.remove_final_measurements(inplace=False)
    longer.x(0)
    other = OverlapProgram(longer, program.x, program.theta)
    return Subject(engine, build, program, other, theta, rows[:5], rows[5:], reference, sigma, atol)
