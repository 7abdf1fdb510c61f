"""Laws of the engine as an object: copies, plans, trainable parameters, and what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import Engine, clear_cache
from qkernels.programs import ExpectationProgram, Plan
from qkernels.testing._subject import Law, NotApplicableError, Subject, refuses, require

__all__ = ["SETTING_LAWS"]

_STATE_BYTES = 1024
"""What a pickle may grow by with use: settings resolved lazily, but no matrices (24 rows below take 4.6 kB)."""


def _same_answers(s: Subject, other: Engine, what: str) -> None:
    require(type(other) is type(s.engine), f"{what} is a {type(other).__name__}, not a {type(s.engine).__name__}")
    require(repr(other) == repr(s.engine), f"{what} is {other!r}, not {s.engine!r}")
    s.same(s.fresh(engine=other).values, s.gram.values, f"K(X, X) of the engine and of {what}")
    s.same(s.fresh(s.Y, s.X, engine=other).values, s.overlaps(s.Y, s.X).values, f"K(Y, X) of the engine and of {what}")


def _second_engine(s: Subject) -> None:
    if s.build is None:
        raise NotApplicableError("an engine was given; a function that builds one is needed")
    other = s.build()
    require(other is not s.engine, "the function gives the same object again")
    _same_answers(s, other, "a second engine with the same settings (a fixed seed among them)")


def _clone(s: Subject) -> None:
    require(clone(s.engine) is s.engine, "sklearn.base.clone copies the engine; __sklearn_clone__ must return self")


def _pickle(s: Subject) -> None:
    clear_cache()
    copy: Engine = pickle.loads(pickle.dumps(s.engine))
    before = len(pickle.dumps(copy))
    rows = np.random.default_rng(3).uniform(-1.0, 1.0, size=(24, s.X.shape[1]))
    s.overlaps(rows, engine=copy)
    growth = len(pickle.dumps(copy)) - before
    require(growth <= _STATE_BYTES, f"a pickle grows by {growth} bytes with use: an engine holds settings only")
    _same_answers(s, pickle.loads(pickle.dumps(s.engine)), "a pickled copy")
    prepared = s.engine.prepare(s.program, s.X, s.theta)
    refuses(TypeError, ["pickle"], "pickling prepared rows", lambda: pickle.dumps(prepared))


def _plan(s: Subject) -> None:
    n, m = len(s.X), len(s.Y)
    requests: dict[str, tuple[tuple[object, ...], dict[str, Any], int]] = {
        "K(X, X)": ((s.X,), {}, n * (n - 1) // 2 + (0 if s.is_noiseless else n)),
        "K(X, Y)": ((s.X, s.Y), {}, n * m),
        "pairs": ((s.X,), {"pairs": s.pairs[:4]}, 4),
    }
    for what, (rows, options, entries) in requests.items():
        plan = s.engine.plan(s.program, *rows, theta=s.theta, **options)  # type: ignore[arg-type]
        require(isinstance(plan, Plan), f"plan of {what} is a {type(plan).__name__}, not a Plan")
        require(plan.feasible and not plan.reason, f"plan of {what} says it does not fit, but it does: {plan.reason}")
        require(plan.entries == entries, f"plan of {what} counts {plan.entries} entries instead of {entries}")
        answer = s.overlaps(*rows, **options)
        taken = 0
        if answer.num_shots is not None:
            taken = int((np.triu(answer.num_shots) if what == "K(X, X)" else answer.num_shots).sum())
        require(plan.shots == taken, f"plan of {what} counts {plan.shots} shots, the answer has {taken}")
        require(plan.circuits >= 1 and plan.memory_bytes > 0, f"plan of {what} takes nothing: {plan}")
    counted = s.engine.plan(s.program, n, theta=s.theta)
    by_rows = s.engine.plan(s.program, s.X, theta=s.theta)
    require(
        (counted.entries, counted.shots, counted.circuits) == (by_rows.entries, by_rows.shots, by_rows.circuits),
        f"plans of {n} rows by count and by data differ: {counted} and {by_rows}",
    )
    doubled = s.engine.plan(s.program, np.vstack([s.X, s.X]), theta=s.theta)
    require(doubled.entries == by_rows.entries, "a plan counts the entries of duplicate rows twice")


def _parameters(s: Subject) -> None:
    if s.theta is None:
        refuses(InvalidParameterError, ["theta"], "theta without parameters", lambda: s.overlaps(theta=[0.1]))
        return
    theta = s.theta
    moved = s.overlaps(theta=theta + 0.3).values
    require((moved != s.gram.values).any(), "another theta gives the same matrix")
    s.same(s.fresh(theta=theta.tolist()).values, s.gram.values, "theta as a list and as an array")
    prepared = s.engine.prepare(s.program, s.X, theta)
    wrong: dict[str, Callable[[], object]] = {
        "theta=None": lambda: s.overlaps(theta=None),
        "theta of another length": lambda: s.overlaps(theta=[*theta, 0.1]),
        "theta with NaN": lambda: s.overlaps(theta=theta * np.nan),
        "another theta than that of prepared rows": lambda: s.overlaps(prepared, theta=theta + 0.3),
    }
    for what, call in wrong.items():
        refuses(InvalidParameterError, ["theta"], what, call)


def _bad_data(s: Subject) -> None:
    width = s.X.shape[1]
    holes = s.X.copy()
    holes[1, 0] = np.nan
    wrong: dict[str, tuple[object, str]] = {
        "a column too many": (np.hstack([s.X, s.X[:, :1]]), f"{width + 1} feature(s)"),
        "a column too few": (s.X[:, 1:], f"{width - 1} feature(s)"),
        "NaN": (holes, "nan"),
        "an infinite number": (np.where(np.isnan(holes), np.inf, holes), "inf"),
        "one dimension": (s.X[0], "shape"),
        "no rows": (s.X[:0], "0 sample(s)"),
        "text": (s.X.astype(str), "dtype"),
        "complex numbers": (s.X + 1j, "dtype"),
    }
    engine, program, theta = s.engine, s.program, s.theta
    calls: dict[str, Callable[[Any], object]] = {
        "overlaps(X)": lambda bad: engine.overlaps(program, bad, theta=theta),
        "overlaps(X, Y)": lambda bad: engine.overlaps(program, s.X, bad, theta=theta),
        "plan(X)": lambda bad: engine.plan(program, bad, theta=theta),
        "prepare(X)": lambda bad: engine.prepare(program, bad, theta),
    }
    for name, call in calls.items():
        side = "Y" if "Y" in name else "X"
        for what, (bad, word) in wrong.items():
            refuses(InvalidDataError, [side, word], f"{name} with {what} in {side}", lambda c=call, b=bad: c(b))  # type: ignore[misc]
    refuses(InvalidDataError, ["X", "0"], "plan of 0 rows", lambda: engine.plan(program, 0, theta=theta))


def _bad_options(s: Subject) -> None:
    good = {"pairs": [[0, 1], [1, 2]]}
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("pairs", {"pairs": [[0, len(s.X)]]}),
        ("pairs", {"pairs": [[-1, 0]]}),
        ("pairs", {"pairs": [[0, 1, 2]]}),
        ("pairs", {"pairs": [[0.0, 1.0]]}),
        ("pairs", {"pairs": []}),
        ("need", {"need": {"nonsense"}}),
        ("need", {"need": "diagonal"}),
        ("diagonal", {"diagonal": "yes"}),
        ("orientation", {"orientation": "forward"}),
        ("repetition", {"repetition": -1}),
        ("repetition", {"repetition": 0.5}),
        ("shots", {"shots": [10]}),
        ("shots", {"shots": [0, 10], **good}),
        ("shots", {"shots": [10, 10, 10], **good}),
        ("shots", {"shots": [1.0, 1.0], **good}),
    ]
    for name, options in wrong:
        for method in ("overlaps", "plan"):
            refuses(
                InvalidParameterError,
                [name],
                f"{method} with {options}",
                lambda m=method, o=options: getattr(s.engine, m)(s.program, s.X, theta=s.theta, **o),  # type: ignore[misc]
            )
    _wrong_programs(s)


def _wrong_programs(s: Subject) -> None:
    n = s.program.num_qubits
    expectation = ExpectationProgram(s.program.circuit, s.program.x, s.program.theta, observables=["Z" * n])
    for what, call in {
        "overlaps of an ExpectationProgram": lambda: s.engine.overlaps(expectation, s.X, theta=s.theta),  # type: ignore[arg-type]
        "overlaps of a circuit": lambda: s.engine.overlaps(s.program.circuit, s.X),
        "plan of a circuit": lambda: s.engine.plan(s.program.circuit, s.X),
        "expectations of an OverlapProgram": lambda: s.engine.expectations(s.program, s.X, theta=s.theta),  # type: ignore[arg-type]
    }.items():
        refuses(InvalidParameterError, ["program"], what, call)
    prepared = s.engine.prepare(s.program, s.X, s.theta)
    refuses(
        InvalidParameterError,
        ["prepared"],
        "rows prepared for another program",
        lambda: s.engine.overlaps(s.other, prepared),
    )


SETTING_LAWS = (
    Law("second-engine", "a second engine with the same settings gives the same values", _second_engine),
    Law("clone", "scikit-learn's clone returns the engine itself", _clone),
    Law("pickle", "a pickled copy gives the same values and holds no state", _pickle),
    Law("plan", "a plan counts the entries and shots that are taken", _plan),
    Law("parameters", "theta counts, and is refused where it does not fit", _parameters),
    Law("bad-data", "X and Y that do not fit are refused with an InvalidDataError", _bad_data),
    Law("bad-options", "options that break their rule are refused with an InvalidParameterError", _bad_options),
)
