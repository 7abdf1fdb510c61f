"""Gates gathered for a matrix-product state: as few two-qubit blocks as the order of the gates allows.

Every two-qubit block multiplies a bond, so what belongs together is brought together first: CX, P, CX on one pair is
one block, and diagonal blocks on one pair join across other diagonal gates, with which they commute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from qkernels.circuits import FlatOp
from qkernels.engines._phase_run import PhaseRun

__all__ = ["Block", "gather_blocks", "refused_gate"]


@dataclass(slots=True, eq=False)
class Block:
    """Gates on one qubit or on one pair of neighbours, applied together.

    Attributes
    ----------
    qubits : tuple of int
        (q,) or (q, q + 1).
    ops : list of FlatOp
        In the order of application.
    run : PhaseRun or None
        The block as a phase polynomial over its own qubits (bit i is ``qubits[i]``) where it is diagonal.
    """

    qubits: tuple[int, ...]
    ops: list[FlatOp] = field(default_factory=list)
    run: PhaseRun | None = None

    @property
    def is_constant(self) -> bool:
        """Whether no gate of the block depends on the data."""
        return all(op.is_constant for op in self.ops)


def refused_gate(ops: Iterable[FlatOp]) -> str | None:
    """What is wrong with the first gate that is neither on one qubit nor on two neighbours; None where none is."""
    for position, op in enumerate(ops):
        if op.is_directive or len(op.qubits) == 1:
            continue
        if len(op.qubits) > 2:
            rule = f"acts on {len(op.qubits)} qubits"
        elif abs(op.qubits[0] - op.qubits[1]) != 1:
            rule = "acts on two qubits that are not neighbours"
        else:
            continue
        return f"Instruction {op.name!r} on qubits {op.qubits}, position {position} of the flattened circuit, {rule}"
    return None


def gather_blocks(ops: Sequence[FlatOp]) -> list[Block]:
    """Blocks equivalent to a sequence of neighbour gates (directives left out), in the order of application."""
    return _join_diagonals([part for block in _collect_pairs(ops) for part in _split(block)])


def _collect_pairs(ops: Sequence[FlatOp]) -> list[Block]:
    """Join what acts on one pair without a gate to a third qubit in between, and runs of one-qubit gates."""
    blocks: list[Block] = []
    pair_at: dict[int, Block] = {}  # qubit → the pair block that acted on it last
    run_at: dict[int, Block] = {}  # qubit → the one-qubit gates after that
    for op in ops:
        qubits = tuple(sorted(op.qubits))
        if len(qubits) == 1:
            if qubits[0] not in run_at:
                run_at[qubits[0]] = Block(qubits)
                blocks.append(run_at[qubits[0]])
            run_at[qubits[0]].ops.append(op)
            continue
        block = pair_at.get(qubits[0])
        runs = [run_at.pop(q) for q in qubits if q in run_at]
        if block is None or block is not pair_at.get(qubits[1]):
            block = Block(qubits)
            blocks.append(block)
        else:
            for run in runs:  # between two gates on one pair: a part of the block
                block.ops += run.ops
                run.ops = []
        block.ops.append(op)
        pair_at |= dict.fromkeys(qubits, block)
    return [block for block in blocks if block.ops]


def _split(block: Block) -> list[Block]:
    """A pair block as it is; a run of one-qubit gates as alternating diagonal and other stretches."""
    if len(block.qubits) == 2:
        block.run = _phase_run(block)
        return [block]
    parts: list[Block] = []
    for op in block.ops:
        single = Block(block.qubits, [op])
        single.run = _phase_run(single)
        if parts and (parts[-1].run is None) == (single.run is None):
            parts[-1].ops.append(op)
        else:
            parts.append(single)
    for part in parts:
        part.run = _phase_run(part) if part.run is not None else None
    return parts


def _join_diagonals(blocks: Sequence[Block]) -> list[Block]:
    """Move diagonal blocks back to one they can join: everything in between on their qubits is diagonal too."""
    kept: list[Block] = []
    reach: dict[int, dict[tuple[int, ...], Block]] = {}  # qubit → diagonal blocks since its last other gate
    for block in blocks:
        near = [reach.setdefault(q, {}) for q in block.qubits]
        if block.run is None:
            for found in near:
                found.clear()
            kept.append(block)
            continue
        host = near[0].get(block.qubits)
        if len(near) == 1:
            host = next(reversed(near[0].values()), None)  # any diagonal block on the qubit takes it
        elif host is not near[1].get(block.qubits):
            host = None
        if host is not None:
            host.ops += block.ops
            host.run = _phase_run(host)
            continue
        for q, found in zip(block.qubits, near, strict=True):
            single = found.pop((q,), None) if len(near) == 2 else None
            if single is not None:
                block.ops = [*single.ops, *block.ops]
                single.ops = []
            found[block.qubits] = block
        block.run = _phase_run(block)
        kept.append(block)
    return [block for block in kept if block.ops]


def _phase_run(block: Block) -> PhaseRun | None:
    if not all(PhaseRun.accepts(op) for op in block.ops):
        return None
    run = PhaseRun(len(block.qubits))
    for op in block.ops:
        run.add(replace(op, qubits=tuple(block.qubits.index(q) for q in op.qubits)))
    return run if run.is_diagonal else None
