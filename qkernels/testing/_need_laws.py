"""Laws of what is asked for beside the values: ``need=`` and ``orientation="both"``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.programs import OverlapProgram, Overlaps
from qkernels.testing._subject import Law, NotApplicableError, Subject, require

__all__ = ["NEED_LAWS", "outcome_numbers", "weight_classes"]

Values = NDArray[np.float64]


def _each_request(s: Subject, need: set[str], check: Callable[[Overlaps, str], None], **options: Any) -> None:
    """A law about Gram matrix, cross block and pairs; asking never changes the values."""
    requests: dict[str, tuple[object, dict[str, Any]]] = {
        "K(X, X)": (None, {}),
        "K(X, Y)": (s.Y, {}),
        "pairs": (None, {"pairs": s.pairs}),
    }
    for what, (Y, chosen) in requests.items():
        answer = s.offered(need, s.X, Y, **options, **chosen)
        plain = s.overlaps(s.X, Y, **options, **chosen)
        s.same(answer.values, plain.values, f"{what}: values with need={need} and without")
        check(answer, what)


def _same_by_pairs(s: Subject, need: set[str], field: str) -> None:
    """The extra of a pair is a function of the unordered pair, as its value is."""
    whole = getattr(s.offered(need), field)
    require(np.array_equal(whole, np.swapaxes(whole, 0, 1)), f"{field} of (i, j) and (j, i) differ")
    part = getattr(s.offered(need, pairs=s.pairs), field)
    s.same(part, whole[tuple(s.pairs.T)], f"{field} of pairs and of K(X, X)")
    order = np.roll(np.arange(len(s.X)), 2)
    again = getattr(s.offered(need, s.X[order]), field)
    s.same(again, whole[np.ix_(order, order)], f"{field} of reordered rows and reordered {field}")


def weight_classes(program: OverlapProgram) -> NDArray[np.intp]:
    """The weight of every outcome; qubit 0 is the lowest bit of its index."""
    outcomes = np.arange(2**program.num_qubits)
    patches = program.patches or [(q,) for q in range(program.num_qubits)]
    reads = [(outcomes & sum(1 << q for q in patch)) != 0 for patch in patches]
    return np.asarray(np.sum(reads, axis=0), dtype=np.intp)


def _distribution(values: Values, what: str, atol: float) -> None:
    require(values.min() >= -atol and values.max() <= 1.0 + atol, f"{what} reach from {values.min()} to {values.max()}")
    gap = np.abs(values.sum(axis=-1) - 1.0).max()
    require(gap <= atol, f"{what} sum to 1 up to {gap:.2g} only")


def _weights(s: Subject) -> None:
    def check(answer: Overlaps, what: str) -> None:
        shape = (*answer.values.shape, s.program.num_patches + 1)
        require(answer.weights is not None, f"{what}: need={{'weights'}} gives none")
        weights = np.asarray(answer.weights)
        require(weights.shape == shape, f"{what}: weights have shape {weights.shape} instead of {shape}")
        _distribution(weights, f"{what}: weights", s.rounding)
        s.same(weights[..., 0], answer.values, f"{what}: weights[..., 0] and values")
        if answer.num_shots is not None:
            counts = weights * answer.num_shots[..., None]
            require(np.abs(counts - np.rint(counts)).max() < 1e-6, f"{what}: weights are no multiples of 1/shots")

    _each_request(s, {"weights"}, check)
    _same_by_pairs(s, {"weights"}, "weights")
    if s.shots != 1:
        _each_request(s, {"weights"}, check, orientation="both")


def _bits(s: Subject) -> None:
    if not s.is_sampled:
        raise NotApplicableError("the engine has no shots; see outcomes")
    n = s.program.num_qubits

    def check(answer: Overlaps, what: str) -> None:
        require(answer.bits is not None, f"{what}: need={{'bits'}} of an engine with shots gives no bits")
        bits, shots = np.asarray(answer.bits), np.asarray(answer.num_shots)
        shape = (*answer.values.shape, int(shots.max()), -(-n // 8))
        require(
            bits.shape == shape and bits.dtype == np.uint8,
            f"{what}: bits must be uint8 of shape {shape}; got {bits.dtype}, {bits.shape}",
        )
        require(n % 8 == 0 or not (bits[..., 0] >> (n % 8)).any(), f"{what}: bits beyond the {n} qubits are set")
        zeros = (bits == 0).all(axis=-1).sum(axis=-1)
        s.same(zeros / bits.shape[-2], answer.values, f"{what}: the fraction of all-zero bits and values")
        outcomes = outcome_numbers(bits)
        require((np.diff(outcomes, axis=-1) >= 0).all(), f"{what}: bits are not sorted by outcome")
        _readout(answer, n, what)

    _each_request(s, {"bits"}, check)
    _same_by_pairs(s, {"bits"}, "bits")


def _outcomes(s: Subject) -> None:
    if s.is_sampled:
        raise NotApplicableError("the engine has shots; see bits")
    n = s.program.num_qubits

    def check(answer: Overlaps, what: str) -> None:
        require(answer.outcomes is not None, f"{what}: need={{'bits'}} of an engine without shots gives no outcomes")
        outcomes, shape = np.asarray(answer.outcomes), (*answer.values.shape, 2**n)
        require(outcomes.shape == shape, f"{what}: outcomes have shape {outcomes.shape} instead of {shape}")
        _distribution(outcomes, f"{what}: outcomes", s.atol)
        s.same(outcomes[..., 0], answer.values, f"{what}: outcomes[..., 0] and values")
        _readout(answer, n, what)

    _each_request(s, {"bits"}, check)
    _same_by_pairs(s, {"bits"}, "outcomes")


def _readout(answer: Overlaps, n: int, what: str) -> None:
    require(answer.readout is not None, f"{what}: need={{'bits'}} gives no readout matrices")
    readout = np.asarray(answer.readout)
    require(readout.shape == (n, 2, 2), f"{what}: readout has shape {readout.shape} instead of {(n, 2, 2)}")
    _distribution(np.swapaxes(readout, -1, -2), f"{what}: columns of readout", 1e-9)


def outcome_numbers(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Outcomes as numbers; the last byte holds qubits 0 to 7."""
    place = 256 ** np.arange(bits.shape[-1])[::-1]
    return np.asarray(bits.astype(np.int64) @ place, dtype=np.int64)


def _diagonals(s: Subject) -> None:
    own, other = np.diag(s.gram.values), np.diag(s.overlaps(s.Y).values)

    def check(answer: Overlaps, what: str) -> None:
        require(answer.diagonals is not None, f"{what}: need={{'diagonal'}} gives none")
        d_x, d_y = answer.diagonals  # type: ignore[misc]
        s.same(d_x, own, f"{what}: diagonals[0] and the diagonal of K(X, X)")
        if what == "K(X, Y)":
            s.same(d_y, other, f"{what}: diagonals[1] and the diagonal of K(Y, Y)")
        else:
            s.same(d_y, own, f"{what}: diagonals[1] and the diagonal of K(X, X)")

    _each_request(s, {"diagonal"}, check)


def _orientations(s: Subject) -> None:
    if s.shots == 1:
        raise NotApplicableError("one shot cannot be split over two orientations")

    def check(answer: Overlaps, what: str) -> None:
        require(answer.orientations is not None, f"{what}: need={{'orientations'}} gives none")
        both, shape = np.asarray(answer.orientations), (2, *answer.values.shape)
        require(both.shape == shape, f"{what}: orientations have shape {both.shape} instead of {shape}")
        s.same(both.mean(axis=0), answer.values, f"{what}: the mean of orientations and values")
        if answer.num_shots is None:
            return
        half = answer.num_shots // 2
        require((2 * half == answer.num_shots).all(), f"{what}: num_shots are not two equal halves")
        require(answer.num_shots.max() <= s.shots, f"{what}: both orientations take more than {s.shots} shots")
        counts = both * half
        require(np.abs(counts - np.rint(counts)).max() < 1e-6, f"{what}: orientations are no multiples of 2/shots")

    _each_request(s, {"orientations"}, check, orientation="both")
    if not s.is_sampled:
        forward, backward = np.asarray(s.offered({"orientations"}, orientation="both").orientations)
        distance = np.minimum(np.abs(forward - s.gram.values), np.abs(backward - s.gram.values))
        require(distance.max() <= s.atol, "canonical values are neither of the two orientations")


def _needs_together(s: Subject) -> None:
    offered: list[str] = []
    for name in ("weights", "bits", "diagonal"):
        try:
            s.offered({name})
        except NotApplicableError:
            continue
        offered.append(name)
    if len(offered) < 2:
        raise NotApplicableError(f"the engine offers {offered or 'nothing'} beside the values")
    together = s.offered(set(offered))
    s.same(together.values, s.gram.values, f"values with need={set(offered)} and without")
    for name in offered:
        for field in {"weights": ("weights",), "diagonal": ("diagonals",), "bits": ("bits", "outcomes")}[name]:
            alone, beside = getattr(s.offered({name}), field), getattr(together, field)
            require((alone is None) == (beside is None), f"{field} asked for alone and with {offered}: one is None")
            if alone is not None:
                s.same(np.asarray(beside), np.asarray(alone), f"{field} asked for with {offered} and alone")
    if {"weights", "bits"} <= set(offered):
        classes = weight_classes(s.program)
        if together.bits is not None:
            weight = classes[outcome_numbers(together.bits)]
            found = np.stack([(weight == w).mean(axis=-1) for w in range(s.program.num_patches + 1)], axis=-1)
        else:
            found = np.asarray(together.outcomes) @ np.eye(s.program.num_patches + 1)[classes]
        s.same(found, np.asarray(together.weights), "weights counted from bits or outcomes and weights")


NEED_LAWS = (
    Law("weights", "need={'weights'}: distributions whose weight 0 is the value", _weights),
    Law("bits", "need={'bits'} with shots: their all-zero fraction is the value", _bits),
    Law("outcomes", "need={'bits'} without shots: distributions whose outcome 0 is the value", _outcomes),
    Law("diagonals", "need={'diagonal'}: the entries of every row with itself", _diagonals),
    Law("orientations", "orientation='both': the mean of two orientations, one of which is canonical", _orientations),
    Law("needs-together", "what is asked for together is what is asked for alone", _needs_together),
)
