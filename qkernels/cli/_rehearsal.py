"""A rehearsal: what a kernel will ask an engine for, written down without measuring anything."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import ExecutionError
from qkernels.engines import Diagonal, Engine, Need, Orientation, Prepared
from qkernels.kernels import CircuitKernel
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram, Overlaps, Plan, Program

__all__ = ["Rehearsal", "Request", "rehearse"]

Values = NDArray[np.float64]

TRAINING, TEST = "training matrix", "test block"


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request of a kernel, to be handed to the `plan`, `submit` or `held` of an engine.

    Attributes
    ----------
    what : str
        "training matrix" or "test block".
    program : OverlapProgram or ExpectationProgram
    X : ndarray of shape (n_x, num_features)
    Y : ndarray of shape (n_y, num_features), or None
    options : mapping
        Further arguments.
    """

    what: str
    program: Program
    X: Values
    Y: Values | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Positional arguments of the engine's methods."""
        return (self.program, self.X, self.Y)


class Rehearsal(Engine):
    """An engine that writes down what it is asked for and answers with values that mean nothing.

    Its answers have the right shapes and are those of no degenerate kernel, so that `fit` and `transform` run through:
    a matrix of 1/2 with 1 on its diagonal, expectation values that differ from row to row. No request of a kernel
    depends on earlier answers, except through what corrections learn; leave these out, and give their `need` here.

    Parameters
    ----------
    need : collection of str
        What corrections require, added to every request for overlaps.

    Attributes
    ----------
    requests : list of Request
        Each one once.
    what : str
        Name of the requests to come.
    """

    def __init__(self, need: Need = frozenset()) -> None:
        self.need = frozenset(need)
        self.requests: list[Request] = []
        self.what = TRAINING
        self._known: set[tuple[object, ...]] = set()

    @property
    def is_exact(self) -> bool:
        """False: the kernel shall ask for what a device has to measure."""
        return False

    def overlaps(
        self,
        program: OverlapProgram,
        X: ArrayLike | Prepared,
        Y: ArrayLike | Prepared | None = None,
        *,
        theta: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        diagonal: Diagonal = "auto",
        need: Need = frozenset(),
        orientation: Orientation = "canonical",
        shots: ArrayLike | None = None,
        repetition: int = 0,
    ) -> Overlaps:
        """Note the request; placeholders."""
        a, b = np.array(X, dtype=np.float64), None if Y is None else np.array(Y, dtype=np.float64)
        options = {"theta": theta, "pairs": pairs, "diagonal": diagonal, "need": self.need | frozenset(need)}
        self._note(program, a, b, options | {"orientation": orientation, "shots": shots, "repetition": repetition})
        if pairs is not None:
            i, j = np.asarray(pairs, dtype=np.intp).T
        else:
            i, j = np.indices((len(a), len(a if b is None else b)))
        values = np.where((a[i] == (a if b is None else b)[j]).all(axis=-1), 1.0, 0.5)
        weights = None
        if "weights" in need:
            weights = np.zeros((*values.shape, program.num_patches + 1))
            weights[..., 0], weights[..., -1] = values, 1.0 - values
        selves = (np.ones(len(a)), np.ones(len(a if b is None else b)))
        return Overlaps(values, weights=weights, diagonals=selves if "diagonal" in need else None)

    def expectations(
        self, program: ExpectationProgram, X: ArrayLike, *, theta: ArrayLike | None = None
    ) -> Expectations:
        """Note the request; placeholders."""
        rows = np.array(X, dtype=np.float64)
        self._note(program, rows, None, {"theta": theta})
        count = len(program.terms)
        return Expectations(np.cos(1.0 + np.arange(len(rows) * count)).reshape(len(rows), count))

    def _note(self, program: Program, a: Values, b: Values | None, options: dict[str, Any]) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        shown = {name: np.asarray(value).tolist() for name, value in given.items() if name != "need"}
        key = (program.key, a.tobytes(), b"" if b is None else b.tobytes(), repr(shown), options.get("need"))
        if key not in self._known:
            self._known.add(key)
            self.requests.append(Request(self.what, program, a, b, given))

    def prepare(self, program: Program, X: ArrayLike, theta: ArrayLike | None = None) -> NoReturn:
        """Refuse: kernels hand over rows."""
        raise ExecutionError("Rehearsal has no states; it notes what a kernel asks for.")

    def plan(self, program: Program, X: ArrayLike | int, Y: ArrayLike | int | None = None, **options: Any) -> Plan:
        """Refuse: requests are planned by the engine that measures them."""
        raise ExecutionError("Rehearsal plans nothing; hand its requests to the engine of the campaign.")


def rehearse(kernel: CircuitKernel, X_train: Values, X_test: Values) -> list[Request]:
    """What a kernel asks for in ``fit(X_train)`` and ``transform(X_test)``.

    Parameters
    ----------
    kernel : CircuitKernel
        On a `Rehearsal`, without corrections.
    X_train : ndarray of shape (n_train, n_features)
    X_test : ndarray of shape (n_test, n_features)
        May be empty.

    Returns
    -------
    list of Request

    Raises
    ------
    InvalidParameterError, InvalidDataError
        From the kernel or its map.
    """
    engine = kernel.engine
    if not isinstance(engine, Rehearsal):
        raise ExecutionError(f"A rehearsal needs a kernel on a Rehearsal, got {engine!r}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that mean nothing
        engine.what = TRAINING
        kernel.fit(X_train)
        engine.what = TEST
        if len(X_test):
            kernel.transform(X_test)
    return engine.requests
