"""Readouts: from expectation values of a measured circuit to class probabilities, scores or a number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, log2
from numbers import Real
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import Pauli, SparsePauliOp
from sklearn.base import BaseEstimator

from qkernels._errors import InvalidParameterError

__all__ = [
    "BoundReadout",
    "ClassesReadout",
    "ExpectationReadout",
    "ObservablesReadout",
    "ParityReadout",
    "Readout",
    "as_readout",
]

Values = NDArray[np.float64]
Kind = Literal["probabilities", "scores", "values"]
Observable: TypeAlias = SparsePauliOp | Pauli | str


@dataclass(frozen=True, slots=True, eq=False)
class BoundReadout:
    """Observables, and an affine map from their expectation values to outputs.

    Attributes
    ----------
    observables : tuple of SparsePauliOp
        On all qubits of the circuit.
    matrix : ndarray of shape (n_observables, n_outputs), float64
    offset : ndarray of shape (n_outputs,), float64
    kind : {"probabilities", "scores", "values"}
        What the outputs are: class probabilities; scores, whose softmax is the class probabilities; or numbers, in
        units of the standardised target.
    fits_offset : bool
        Whether `offset` (and for values the scale of `matrix`) is fitted after the angles.
    """

    observables: tuple[SparsePauliOp, ...]
    matrix: Values
    offset: Values
    kind: Kind
    fits_offset: bool = False

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return len(self.offset)

    def outputs(self, values: Values) -> Values:
        """Outputs, ``values @ matrix + offset``.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_observables)
            Expectation values.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), float64
        """
        return np.asarray(values @ self.matrix + self.offset)

    def pull_back(self, cotangent: Values) -> Values:
        """Derivatives with respect to the expectation values from those with respect to the outputs.

        Parameters
        ----------
        cotangent : ndarray of shape (n_samples, n_outputs)

        Returns
        -------
        ndarray of shape (n_samples, n_observables), float64
        """
        return np.asarray(cotangent @ self.matrix.T)


class Readout(BaseEstimator, ABC):
    """What is measured of a trained circuit, and what it means (abstract).

    A readout of your own stores its settings in ``__init__`` under their own names and writes two methods:
    ``required_qubits`` and ``bind``.

    Examples
    --------
    >>> import numpy as np
    >>> from qiskit.quantum_info import SparsePauliOp
    >>> from qkernels.variational import BoundReadout, Readout
    >>> class FirstQubit(Readout):  # P(qubit 0 reads 1) is the probability of the second class
    ...     def required_qubits(self, num_outputs):
    ...         return 1
    ...     def bind(self, num_qubits, qubits, num_outputs):
    ...         z = SparsePauliOp.from_sparse_list([("Z", [qubits[0]], 1.0)], num_qubits)
    ...         return BoundReadout((z,), np.array([[0.5, -0.5]]), np.array([0.5, 0.5]), "probabilities")
    >>> FirstQubit().bind(2, (0, 1), 2).outputs(np.array([[1.0], [0.0]])).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """

    @abstractmethod
    def required_qubits(self, num_outputs: int) -> int:
        """Measured qubits that `num_outputs` outputs need.

        Parameters
        ----------
        num_outputs : int
            Classes; 1 for regression.

        Returns
        -------
        int
        """

    @abstractmethod
    def bind(self, num_qubits: int, qubits: Sequence[int], num_outputs: int) -> BoundReadout:
        """The observables and the affine map for a circuit.

        Parameters
        ----------
        num_qubits : int
            Qubits of the circuit.
        qubits : sequence of int
            The measured ones; the first is the least significant bit of an outcome.
        num_outputs : int
            Classes; 1 for regression.

        Returns
        -------
        BoundReadout

        Raises
        ------
        InvalidParameterError
            The readout has another number of outputs, or needs more qubits.
        """

    def _check_qubits(self, qubits: Sequence[int], num_outputs: int) -> None:
        needed = self.required_qubits(num_outputs)
        if len(qubits) < needed:
            raise InvalidParameterError(
                f"{type(self).__name__} needs {needed} measured qubit(s) for {num_outputs} class(es); the ansatz "
                f"leaves {len(qubits)}, {tuple(qubits)}, with {2 ** len(qubits)} outcomes. Take an ansatz that leaves "
                "more, such as RealAmplitudesAnsatz, or one with a larger readout."
            )


class ParityReadout(Readout):
    r"""Two classes: the parity of all measured qubits.

    .. math:: p_0 = \tfrac12 (1 + \langle Z \cdots Z \rangle), \qquad p_1 = \tfrac12 (1 - \langle Z \cdots Z \rangle)

    Notes
    -----
    One observable. Even parity is the first class.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.

    Examples
    --------
    >>> from qkernels.variational import ParityReadout
    >>> ParityReadout().bind(3, (0, 1, 2), 2).observables[0].to_list()
    [('ZZZ', (1+0j))]
    """

    def required_qubits(self, num_outputs: int) -> int:
        return 1

    def bind(self, num_qubits: int, qubits: Sequence[int], num_outputs: int) -> BoundReadout:
        if num_outputs != 2:
            raise InvalidParameterError(
                f"ParityReadout has 2 outcomes, one for each of two classes; got {num_outputs} class(es). Use "
                "readout='classes', which takes any number."
            )
        self._check_qubits(qubits, num_outputs)
        parity = _z_string(qubits, num_qubits)
        return BoundReadout((parity,), np.array([[0.5, -0.5]]), np.array([0.5, 0.5]), "probabilities")


class ClassesReadout(Readout):
    r"""C classes: the outcomes of the first ⌈log₂ C⌉ measured qubits.

    .. math:: p_k = P(k) + \frac1C \sum_{j \ge C} P(j), \qquad k < C

    Outcome k is class k, qubit 0 its least significant bit. The probability of the outcomes that are no class is shared
    equally, so that probabilities sum to 1 and every class can be predicted.

    Notes
    -----
    Observables: the 2^m − 1 strings of Z on m qubits, all of them from one measurement basis.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.variational import ClassesReadout
    >>> readout = ClassesReadout().bind(2, (0, 1), 3)
    >>> [o.to_list()[0][0] for o in readout.observables]
    ['IZ', 'ZI', 'ZZ']
    >>> readout.outputs(np.array([[-1.0, -1.0, 1.0], [1.0, -1.0, -1.0]])).round(3).tolist()  # outcomes 3 and 2
    [[0.333, 0.333, 0.333], [0.0, 0.0, 1.0]]
    """

    def required_qubits(self, num_outputs: int) -> int:
        return max(1, ceil(log2(num_outputs)))

    def bind(self, num_qubits: int, qubits: Sequence[int], num_outputs: int) -> BoundReadout:
        self._check_qubits(qubits, num_outputs)
        m = self.required_qubits(num_outputs)
        strings = range(1, 2**m)
        read = [[q for i, q in enumerate(qubits[:m]) if s >> i & 1] for s in strings]
        observables = tuple(_z_string(some, num_qubits) for some in read)
        # P(k) = 2^−m Σ_s (−1)^{s·k} ⟨Z_s⟩
        signs = np.array([[(-1.0) ** (s & k).bit_count() for k in range(2**m)] for s in strings]) / 2**m
        shared = signs[:, num_outputs:].sum(axis=1, keepdims=True) / num_outputs
        offset = np.full(num_outputs, 1.0 / num_outputs)
        return BoundReadout(observables, signs[:, :num_outputs] + shared, offset, "probabilities")


class ObservablesReadout(Readout):
    r"""One observable for each class; probabilities are the softmax of their expectation values.

    .. math:: p_k \propto \exp(a \langle O_k \rangle + b_k)

    Parameters
    ----------
    observables : sequence of SparsePauliOp, Pauli or str, default=None
        One for each class, Hermitian, on all qubits of the circuit; a string is a Pauli label in Qiskit's order. None
        is Z on the k-th measured qubit.
    scale : float > 0, default=1.0
        The factor a.
    fit_bias : bool, default=True
        Whether the b_k are fitted, after the angles and without further circuits; otherwise they are 0.

    Notes
    -----
    The biases are not among the numbers that the optimizer moves: an optimizer that moves them together with the angles
    may follow them to a point where the angles no longer matter.

    Examples
    --------
    >>> from qkernels.variational import ObservablesReadout
    >>> [o.to_list()[0][0] for o in ObservablesReadout().bind(3, (0, 1, 2), 2).observables]
    ['IIZ', 'IZI']
    """

    def __init__(
        self, observables: Sequence[Observable] | None = None, scale: float = 1.0, fit_bias: bool = True
    ) -> None:
        self.observables = observables
        self.scale = scale
        self.fit_bias = fit_bias

    def required_qubits(self, num_outputs: int) -> int:
        return num_outputs if self.observables is None else 1

    def bind(self, num_qubits: int, qubits: Sequence[int], num_outputs: int) -> BoundReadout:
        scale = _positive(self.scale, "scale of ObservablesReadout")
        if self.observables is None:
            self._check_qubits(qubits, num_outputs)
            observables = tuple(_z_string([q], num_qubits) for q in qubits[:num_outputs])
        else:
            if isinstance(self.observables, (str, Pauli, SparsePauliOp)) or len(self.observables) != num_outputs:
                count = len(self.observables) if isinstance(self.observables, (list, tuple)) else self.observables
                raise InvalidParameterError(
                    f"observables of ObservablesReadout must be a sequence of {num_outputs}, one for each class; got "
                    f"{count!r}."
                )
            observables = tuple(_operator(o, num_qubits, f"observables[{i}]") for i, o in enumerate(self.observables))
        return BoundReadout(
            observables, scale * np.eye(num_outputs), np.zeros(num_outputs), "scores", bool(self.fit_bias)
        )


class ExpectationReadout(Readout):
    r"""A number for regression: an affine function of one expectation value.

    While the angles are trained the output is :math:`a \langle O \rangle`, in units of the standard deviation of y from
    its mean; then slope and intercept are fitted.

    Parameters
    ----------
    observable : SparsePauliOp, Pauli or str, default=None
        Hermitian, on all qubits of the circuit. None is the mean of Z over the measured qubits.
    span : float > 0, default=3.0
        The factor a: how many standard deviations an expectation value of 1 stands for.

    Examples
    --------
    >>> from qkernels.variational import ExpectationReadout
    >>> ExpectationReadout().bind(2, (0, 1), 1).observables[0].to_list()
    [('IZ', (0.5+0j)), ('ZI', (0.5+0j))]
    """

    def __init__(self, observable: Observable | None = None, span: float = 3.0) -> None:
        self.observable = observable
        self.span = span

    def required_qubits(self, num_outputs: int) -> int:
        return 1

    def bind(self, num_qubits: int, qubits: Sequence[int], num_outputs: int) -> BoundReadout:
        span = _positive(self.span, "span of ExpectationReadout")
        if self.observable is None:
            terms = [("Z", [q], 1.0 / len(qubits)) for q in qubits]
            operator = SparsePauliOp.from_sparse_list(terms, num_qubits)
        else:
            operator = _operator(self.observable, num_qubits, "observable")
        return BoundReadout((operator,), np.array([[span]]), np.zeros(1), "values", True)


_BY_NAME = {"parity": ParityReadout, "classes": ClassesReadout, "observables": ObservablesReadout}


def as_readout(readout: object, num_classes: int, owner: str) -> Readout:
    """The readout that a classifier's ``readout=`` stands for.

    Parameters
    ----------
    readout : {"auto", "parity", "classes", "observables"} or Readout
        "auto" is parity for two classes and classes for more.
    num_classes : int
    owner : str
        Class name for errors.

    Returns
    -------
    Readout

    Raises
    ------
    InvalidParameterError
        None of these.

    Examples
    --------
    >>> from qkernels.variational import as_readout
    >>> as_readout("auto", 3, "VQC")
    ClassesReadout()
    """
    if isinstance(readout, Readout):
        return readout
    if isinstance(readout, str) and readout == "auto":
        return ParityReadout() if num_classes == 2 else ClassesReadout()
    if isinstance(readout, str) and readout in _BY_NAME:
        return _BY_NAME[readout]()
    raise InvalidParameterError(
        f"readout of {owner} must be 'auto', 'parity', 'classes', 'observables', or a readout such as "
        f"ObservablesReadout(['ZI', 'IZ']); got {readout!r}."
    )


def _z_string(qubits: Sequence[int], num_qubits: int) -> SparsePauliOp:
    return SparsePauliOp.from_sparse_list([("Z" * len(qubits), list(qubits), 1.0)], num_qubits)


def _operator(observable: Observable, num_qubits: int, name: str) -> SparsePauliOp:
    try:
        operator = SparsePauliOp(observable)
    except Exception as error:
        raise InvalidParameterError(f"{name} = {observable!r} is no Pauli label, Pauli or SparsePauliOp.") from error
    if operator.num_qubits != num_qubits:
        raise InvalidParameterError(
            f"{name} of the readout must act on the {num_qubits} qubit(s) of the circuit; it acts on "
            f"{operator.num_qubits}. Give one letter per qubit, I where nothing is measured."
        )
    return operator


def _positive(value: object, name: str) -> float:
    if isinstance(value, Real) and not isinstance(value, bool) and float(value) > 0 and isfinite(value):
        return float(value)
    raise InvalidParameterError(f"{name} must be a positive number; got {value!r}.")
