"""Gates of trainable parameters alone: their matrices change with every call, but are the same for all of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from qkernels.circuits import FlatCircuit, FlatOp

__all__ = ["SharedOp", "share_parameters"]


@dataclass(frozen=True, slots=True, eq=False)
class SharedOp(FlatOp):
    """A gate whose angles depend on theta only: fused as constant gates are, evaluated once for a call."""

    @property
    def is_constant(self) -> bool:
        """Whether the op is the same for all samples: it is."""
        return True


def share_parameters(flat: FlatCircuit) -> Sequence[FlatOp]:
    """The gates of a circuit, with those that depend on theta only as `SharedOp`."""
    of_data = [any(column < flat.num_x for column in columns) for columns in flat.angles.columns]
    return [_shared(op) if _is_shared(op, of_data) else op for op in flat.ops]


def _is_shared(op: FlatOp, of_data: Sequence[bool]) -> bool:
    return not op.is_constant and not any(of_data[a] for a in op.angles if isinstance(a, int))


def _shared(op: FlatOp) -> SharedOp:
    return SharedOp(**{f.name: getattr(op, f.name) for f in fields(op)})
