"""The raw kernel function with everything it learned: rows of X to kernel values, and nothing about training rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import AutoEngine, Engine, EngineCall, MPSEngine, StatevectorEngine, plan_together
from qkernels.feature_maps import AffineScaling, FeatureMap
from qkernels.programs import Overlaps, Plan

__all__ = ["CircuitRule", "KernelRule", "stacked"]

Values = NDArray[np.float64]

NOISELESS = (AutoEngine, MPSEngine, StatevectorEngine)
"""Engines whose k(x, x) is 1 by construction, also with shots: nothing needs to be evaluated."""


class KernelRule(ABC):
    """What `fit` learned, without the training rows (abstract): plain data that may be pickled and shared.

    Data go through it in two steps: `encode` turns rows of X into rows of angles, `measure` compares encoded rows.
    """

    @property
    @abstractmethod
    def num_features(self) -> int:
        """Columns of X."""

    @property
    def encoded_width(self) -> int:
        """Columns of encoded rows."""
        return self.num_features

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether values are exact: no shots and no noise."""

    @abstractmethod
    def encode(self, X: Values) -> Values:
        """Rows of angles for rows of X.

        Parameters
        ----------
        X : ndarray of shape (n, num_features), finite
            As `check` returns it.

        Returns
        -------
        ndarray of shape (n, encoded_width), float64, C-contiguous
        """

    @abstractmethod
    def measure(self, A: Values, B: Values | None = None, need: frozenset[str] = frozenset()) -> Overlaps:
        """Raw kernel values of encoded rows.

        Parameters
        ----------
        A : ndarray of shape (n_a, encoded_width)
        B : ndarray of shape (n_b, encoded_width), optional
            None is the Gram matrix of A.
        need : frozenset of str
            What corrections require beside the values, as in `Engine.overlaps`.

        Returns
        -------
        Overlaps
            Arrays may be read-only.

        Raises
        ------
        InvalidParameterError
            The engine or the kernel does not give what `need` asks for.
        UnsupportedCircuitError, BudgetError
            From the engine.
        """

    @abstractmethod
    def diag(self, A: Values) -> Values:
        """The raw values k(a, a).

        Parameters
        ----------
        A : ndarray of shape (n_a, encoded_width)

        Returns
        -------
        ndarray of shape (n_a,), float64
        """

    @abstractmethod
    def calls(
        self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()
    ) -> tuple[EngineCall, ...]:
        """What `measure` would ask engines for.

        Parameters
        ----------
        A, B : ndarray of shape (n, encoded_width), or int
            Encoded rows, or numbers of rows. None for B is a Gram matrix.
        need : frozenset of str
            What corrections require, as in `measure`.

        Returns
        -------
        tuple of EngineCall
        """

    def plan(self, A: Values | int, B: Values | int | None = None, need: frozenset[str] = frozenset()) -> Plan:
        """What a matrix would cost; nothing is evaluated.

        Parameters
        ----------
        A, B, need
            As in `calls`.

        Returns
        -------
        Plan
        """
        return plan_together(self.calls(A, B, need))

    def self_calls(self, A: Values, need: frozenset[str] = frozenset()) -> tuple[EngineCall, ...]:
        """What `diag` would ask engines for, or `CircuitRule.measure_selves` where corrections require more.

        Parameters
        ----------
        A : ndarray of shape (n_a, encoded_width)
        need : frozenset of str
            What corrections require, as in `measure`.

        Returns
        -------
        tuple of EngineCall
        """
        return self.calls(A)

    def check(self, X: object, name: str = "X") -> Values:
        """X as a finite real matrix of the right width.

        Parameters
        ----------
        X : array-like of shape (n, num_features)
        name : str
            What errors call X.

        Returns
        -------
        ndarray of shape (n, num_features), float64, C-contiguous

        Raises
        ------
        InvalidDataError
            Another number of features.
        ValueError
            X is no finite real matrix.
        """
        data: Values = check_array(X, dtype=np.float64, order="C", input_name=name)
        if data.shape[1] != self.num_features:
            raise InvalidDataError(
                f"{name} has {data.shape[1]} feature(s), but this kernel was fitted on {self.num_features} feature(s)."
            )
        return data


def stacked(A: Values | int, B: Values | int | None) -> Values | int:
    """Rows of both sides; their number where one of them is only counted."""
    if B is None:
        return A
    if isinstance(A, np.ndarray) and isinstance(B, np.ndarray):
        return np.vstack([A, B])
    return sum(len(side) if isinstance(side, np.ndarray) else side for side in (A, B))


@dataclass(frozen=True, slots=True, eq=False)
class CircuitRule(KernelRule):
    """A rule around one feature map and one engine (abstract).

    Attributes
    ----------
    feature_map : FeatureMap
    engine : Engine
    scaling : AffineScaling
        θ = factor · (x − offset).
    """

    feature_map: FeatureMap
    engine: Engine
    scaling: AffineScaling

    @property
    def num_features(self) -> int:
        return len(self.scaling.factor)

    @property
    def is_exact(self) -> bool:
        return self.engine.is_exact

    @property
    def is_noiseless(self) -> bool:
        """Whether k(x, x) of a fidelity is 1 by construction, also with shots."""
        return self.engine.is_exact or isinstance(self.engine, NOISELESS)

    def encode(self, X: Values) -> Values:
        return self.scaling(X)

    def measure_selves(self, A: Values, need: frozenset[str] = frozenset()) -> Overlaps:
        """Raw kernel values of encoded rows with themselves, with what corrections require.

        Parameters
        ----------
        A : ndarray of shape (n_a, encoded_width)
        need : frozenset of str
            As in `measure`.

        Returns
        -------
        Overlaps
            Of shape (n_a,).

        Raises
        ------
        InvalidParameterError
            No circuit measures an entry of this kernel.
        """
        raise InvalidParameterError(f"No circuit measures the self-values of {self}.")

    def __str__(self) -> str:
        return f"{self.feature_map!r}, {self.num_features} features, {self.engine!r}"
