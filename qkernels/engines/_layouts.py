"""The layouts that a circuit's state goes through, chosen together by a beam search.

So qubits hardly ever have to be moved for their own sake: a block's product can leave them at either end of the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qkernels.engines._items import Item, Wide, is_real_block
from qkernels.engines._phase_run import Signature
from qkernels.engines._steps import Block, End, Layout, Move, PhaseStep, Step

__all__ = ["plan_steps"]

_MIN_COLUMNS = 8
"""A batched product with fewer columns is slower than bringing the qubits to an end of the layout."""

_BEAM = 6
"""Layouts kept at every step while the layouts of a circuit are chosen."""

_MOVE_COST, _MIDDLE_COST = 1.0, 0.15
"""Relative cost of one strided copy of the state, and of a product in the middle of the layout."""

_AGAIN_COST = 2.0
"""Relative cost of sines and cosines that an equal run in the same layout would have spared."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """One way to apply a block: the layout to move to (or None), the end of the product, the layout after it."""

    cost: float
    move_to: Layout | None
    end: End
    after: Layout


def _choices(qubits: Sequence[int], before: Layout, mixed: bool) -> Iterator[_Choice]:
    inside = tuple(q for q in before if q in qubits)
    rest = tuple(q for q in before if q not in qubits)
    first = before.index(inside[0])
    if before[first : first + len(inside)] == inside:
        right = 2 ** (len(before) - first - len(inside))
        if first == 0 or right == 1:
            transposed = 0.3 if mixed else 0.05  # a real matrix meets a complex state as a complex one there
            yield _Choice(0.0 if first == 0 else transposed, None, "front", (*inside, *rest))
            yield _Choice(transposed, None, "back", (*rest, *inside))
        elif right >= _MIN_COLUMNS:
            yield _Choice(_MIDDLE_COST, None, "middle", before)
    front, back = (*inside, *rest), (*rest, *inside)
    for arranged in (front, back):
        if arranged != before:
            yield _Choice(_MOVE_COST, arranged, "front", front)
            yield _Choice(_MOVE_COST + 0.05, arranged, "back", back)


_Beam = dict[Layout, tuple[float, tuple[Any, ...]]]


def _prefer_repeated(beam: _Beam, signature: Signature, seen: dict[Signature, Layout]) -> _Beam:
    """Charge layouts in which the phases of an earlier, equal run cannot be used again."""
    if signature not in seen:
        seen[signature] = min(beam, key=lambda layout: beam[layout][0])
        return beam
    earlier = seen[signature]
    return {k: (cost + (0.0 if k == earlier else _AGAIN_COST), history) for k, (cost, history) in beam.items()}


def plan_steps(items: Sequence[Item], start: Layout) -> tuple[list[Step], Layout]:
    """Steps of a schedule, with layouts chosen together by a beam search over where every block leaves its qubits.

    Parameters
    ----------
    items : sequence of Node or Wide
    start : tuple of int
        The layout of the first state, most significant bit first.

    Returns
    -------
    steps : list of Step
    layout : tuple of int
        The layout of the final state, most significant bit first.
    """
    beam: _Beam = {start: (0.0, ())}
    seen: dict[Signature, Layout] = {}
    for item in items:
        if isinstance(item, Wide):  # leaves the layout alone
            beam = _prefer_repeated(beam, item.run.signature, seen)
            continue
        grown: _Beam = {}
        mixed = is_real_block(item)
        for layout, (cost, history) in beam.items():
            for choice in _choices(item.qubits, layout, mixed):
                total = cost + choice.cost
                if choice.after not in grown or total < grown[choice.after][0]:
                    grown[choice.after] = (total, (history, choice))
        beam = dict(sorted(grown.items(), key=lambda entry: entry[1][0])[:_BEAM])
    history = min(beam.values(), key=lambda entry: entry[0])[1]
    choices: list[_Choice] = []
    while history:
        history, choice = history
        choices.append(choice)
    return _make_steps(items, choices[::-1], start)


def _make_steps(items: Sequence[Item], choices: Sequence[_Choice], layout: Layout) -> tuple[list[Step], Layout]:
    steps: list[Step] = []
    remaining = iter(choices)
    wide: list[tuple[Signature, Layout]] = []
    for item in items:
        if isinstance(item, Wide):
            wide.append((item.run.signature, layout))
            steps.append(PhaseStep(item.run, layout, wide.index(wide[-1])))
            continue
        choice = next(remaining)
        if choice.move_to is not None:
            steps.append(Move(layout, choice.move_to))
            layout = choice.move_to
        steps.append(Block(item, layout, choice.end))
        layout = choice.after
    for step in steps:  # factors are kept only where a later step of the same phases and layout needs them
        if isinstance(step, PhaseStep):
            step.forget_unless_repeated(wide)
    return steps, layout
