"""Answers of one request at several noise strengths, continued to one answer without noise."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import QKernelsWarning, user_stacklevel
from qkernels.engines._base import Need
from qkernels.engines._expectations import combine
from qkernels.engines._extrapolation import Extrapolation, Fit, extrapolate
from qkernels.programs import ExpectationProgram, Expectations, OverlapProgram, Overlaps, Program

__all__ = ["Continuation"]

Values = NDArray[np.float64]
Info = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, eq=False)
class Continuation:
    """How answers are continued to noise strength 0.

    Attributes
    ----------
    factors : tuple of float
    fit : {"exponential", "linear", "richardson"}
    asymptote : "auto" or float
    clip : bool
        Whether overlaps are kept in [0, 1].
    """

    factors: tuple[float, ...]
    fit: Fit
    asymptote: Literal["auto"] | float
    clip: bool

    def overlaps(
        self, program: OverlapProgram, found: Sequence[Overlaps], need: Need, repetition: int, *, both: bool
    ) -> Overlaps:
        """The answer to a request for overlaps, but for its diagonals.

        Parameters
        ----------
        program : OverlapProgram
        found : sequence of Overlaps
            At every factor.
        need, repetition
            Of the request.
        both : bool
            Whether the two orientations are extrapolated and then averaged, not the values.

        Returns
        -------
        Overlaps
        """
        errors = [f.stderr for f in found if f.stderr is not None]
        shots = [f.num_shots for f in found if f.num_shots is not None]
        mixed = 2.0**-program.num_qubits
        ways: list[Extrapolation] = []
        if both or "orientations" in need:
            pairs = [f.orientations for f in found if f.orientations is not None]
            # The error of the mean of two equal halves of the shots is that of each half, divided by √2.
            halves = [np.sqrt(2.0) * e for e in errors]
            ways = [self._to_zero([pair[direction] for pair in pairs], mixed, halves) for direction in (0, 1)]
        if both:
            values = np.asarray(0.5 * (self._clipped(ways[0].values) + self._clipped(ways[1].values)))
            stderr = _stderr_of_mean(ways[0].stderr, ways[1].stderr)
            num_linear = ways[0].num_linear + ways[1].num_linear
        else:
            result = self._to_zero([f.values for f in found], mixed, errors)
            values, stderr, num_linear = self._clipped(result.values), result.stderr, result.num_linear
        num_shots = None
        sampling: Info = {}
        if shots:
            num_shots = np.asarray(sum(shots), dtype=np.int64)
            sampling = {"shots": int(num_shots.max(initial=0)), "repetition": repetition}
        weights = None
        if "weights" in need:
            weights = self._to_zero([f.weights for f in found if f.weights is not None], mixed).values
        orientations = np.stack([self._clipped(w.values) for w in ways]) if "orientations" in need else None
        info = {**self._place(found), **self._info(program, num_linear), **sampling}
        return Overlaps(values, stderr, num_shots, weights, orientations=orientations, info=info)

    def expectations(
        self, program: ExpectationProgram, labels: Sequence[str], found: Sequence[Expectations]
    ) -> Expectations:
        """The answer to a request for expectation values.

        Parameters
        ----------
        program : ExpectationProgram
        labels : sequence of str
            The Pauli strings of its observables, in the order of `pauli_labels`.
        found : sequence of Expectations
            Those of the strings, at every factor.

        Returns
        -------
        Expectations
        """
        is_identity = np.array([set(label) == {"I"} for label in labels])
        errors = [f.stderr for f in found if f.stderr is not None]
        shots = [f.num_shots for f in found if f.num_shots is not None]
        result = self._to_zero([f.values for f in found], np.where(is_identity, 1.0, 0.0), errors)
        variances = None if result.stderr is None else np.square(result.stderr)
        combined = combine(program, result.values, variances)
        info = {**self._place(found), **self._info(program, result.num_linear)}
        if variances is None:
            return Expectations(combined[0], info=info)
        return Expectations(combined[0], combined[1], sum(shots), info)

    def _to_zero(self, values: Sequence[Values], mixed: float | Values, stderr: Sequence[Values] = ()) -> Extrapolation:
        asymptote = mixed if self.asymptote == "auto" else self.asymptote
        return extrapolate(values, self.factors, self.fit, asymptote, stderr or None)

    def _clipped(self, values: Values) -> Values:
        return np.clip(values, 0.0, 1.0) if self.clip else values

    def _place(self, found: Sequence[Overlaps] | Sequence[Expectations]) -> Info:
        """What the answer at the first factor says of itself; the layouts of all where they are not one.

        Warns
        -----
        QKernelsWarning
            Layouts differ.
        """
        layouts = [str(f.info.get("layout", "")) for f in found]
        if len(set(layouts)) == 1:
            return dict(found[0].info)
        listed = "; ".join(f"{layout} (factor {factor})" for factor, layout in zip(self.factors, layouts, strict=True))
        warnings.warn(
            f"ZeroNoiseExtrapolation compares noise strengths on different qubits: {listed}. Their errors differ by "
            "more than the factor. Fix the layout of the wrapped engine, without tiles.",
            QKernelsWarning,
            stacklevel=user_stacklevel(),
        )
        return {**found[0].info, "layout": listed}

    def _info(self, program: Program, num_linear: int) -> Info:
        factors = ", ".join(map(str, self.factors))
        return {"program": program.key, "factors": factors, "fit": self.fit, "linear_entries": num_linear}


def _stderr_of_mean(a: Values | None, b: Values | None) -> Values | None:
    return None if a is None or b is None else np.asarray(np.hypot(a, b) / 2.0)
