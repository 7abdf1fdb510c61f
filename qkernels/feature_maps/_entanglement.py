"""Which qubits each multi-qubit gate of a feature map acts on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from numbers import Integral
from typing import TypeAlias

from qiskit.providers import BackendV2
from qiskit.transpiler import CouplingMap

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps._coupling import device_pairs

PATTERNS = ("linear", "full", "circular", "pairwise", "reverse_linear", "sca", "coupling")

Block = tuple[int, ...]
Entanglement: TypeAlias = str | Sequence[Sequence[int]] | Mapping[int, Sequence[Sequence[int]]]
Coupling: TypeAlias = BackendV2 | CouplingMap | Sequence[Sequence[int]]


def entangled_blocks(
    owner: str,
    entanglement: Entanglement,
    num_qubits: int,
    *,
    block_size: int = 2,
    repetition: int = 0,
    coupling: Coupling | None = None,
    n_features: int | None = None,
) -> list[Block]:
    """Return the blocks of qubits of one repetition, in the order in which gates are applied.

    Parameters
    ----------
    owner : str
        Class name for error messages.
    entanglement : str, sequence of blocks, or mapping of block size to sequence of blocks
        A name of `PATTERNS`, or the blocks themselves.
    num_qubits : int
        Number of qubits n.
    block_size : int, default=2
        Qubits per block.
    repetition : int, default=0
        Only the pattern ``"sca"`` depends on it.
    coupling : BackendV2, CouplingMap or sequence of pairs, optional
        The device of ``entanglement="coupling"``.
    n_features : int, optional
        For error messages, where it is not the number of qubits.

    Returns
    -------
    list of tuple of int
        Empty where a named pattern has no block of that size on n qubits.

    Raises
    ------
    InvalidParameterError
        If the pattern is unknown or does not exist for the block size, a block does not fit, or
        ``"coupling"`` comes without a usable device.
    """
    if isinstance(entanglement, str):
        if entanglement not in PATTERNS:
            listed = ", ".join(repr(pattern) for pattern in PATTERNS)
            raise InvalidParameterError(
                f"{owner}: entanglement must be one of {listed}, or a list of qubit tuples; got {entanglement!r}."
            )
        if block_size > num_qubits:
            return []
        if block_size == 1:
            return [(i,) for i in range(num_qubits)]
        if entanglement == "coupling":
            _require_pairs(owner, entanglement, block_size)
            return list(device_pairs(owner, coupling, num_qubits))
        if entanglement == "pairwise":
            _require_pairs(owner, entanglement, block_size)
        return _pattern(entanglement, num_qubits, block_size, repetition)
    if isinstance(entanglement, Mapping):
        if block_size not in entanglement:
            raise InvalidParameterError(
                f"{owner}: entanglement must hold the blocks of every size used; it has no entry for "
                f"{block_size} qubit(s), only for {sorted(entanglement)}."
            )
        return [_check_block(owner, b, num_qubits, block_size, n_features) for b in entanglement[block_size]]
    if not isinstance(entanglement, Sequence):
        raise InvalidParameterError(
            f"{owner}: entanglement must be a pattern name, a list of qubit tuples, or a mapping of block "
            f"size to such a list; got {entanglement!r}."
        )
    if block_size == 1:
        return [(i,) for i in range(num_qubits)]
    return [_check_block(owner, block, num_qubits, block_size, n_features) for block in entanglement]


def _pattern(name: str, num_qubits: int, size: int, repetition: int) -> list[Block]:
    if name == "full":
        return list(combinations(range(num_qubits), size))
    linear: list[Block] = [tuple(range(i, i + size)) for i in range(num_qubits - size + 1)]
    if name == "linear":
        return linear
    if name == "reverse_linear":
        return linear[::-1]
    if name == "pairwise":
        return linear[::2] + linear[1::2]
    # circular: the blocks that wrap around come first (Qiskit's order, which matters where blocks do not
    # commute)
    wrapping: list[Block] = []
    if num_qubits > size:
        starts = range(num_qubits - size + 1, num_qubits)
        wrapping = [tuple((i + k) % num_qubits for k in range(size)) for i in starts]
    blocks = wrapping + linear
    if name == "circular":
        return blocks
    # sca, "shifted circular alternating" (Sim et al., arXiv:1905.10876): the circular blocks rotated by one
    # more place per repetition, and reversed inside at every second one.
    shift = len(blocks) - repetition % len(blocks)
    shifted = blocks[shift:] + blocks[:shift]
    return [block[::-1] for block in shifted] if repetition % 2 else shifted


def _require_pairs(owner: str, entanglement: str, block_size: int) -> None:
    if block_size != 2:
        raise InvalidParameterError(
            f"{owner}: entanglement={entanglement!r} exists for two-qubit terms only; got a term on "
            f"{block_size} qubits. Use 'linear', 'circular', 'full', or a list of qubit tuples."
        )


def _check_block(owner: str, block: object, num_qubits: int, size: int, n_features: int | None) -> Block:
    is_block = isinstance(block, Sequence) and not isinstance(block, str)
    qubits: tuple[object, ...] = tuple(block) if is_block else ()  # type: ignore[arg-type]
    valid = (
        len(qubits) == size
        and len(set(qubits)) == size
        and all(isinstance(q, Integral) and not isinstance(q, bool) for q in qubits)
        and all(0 <= int(q) < num_qubits for q in qubits)  # type: ignore[call-overload]
    )
    if not valid:
        raise InvalidParameterError(
            f"{owner}: entanglement must hold blocks of {size} different qubits between 0 and "
            f"{num_qubits - 1}; got {block!r} for {num_qubits if n_features is None else n_features} feature(s)."
        )
    return tuple(int(q) for q in qubits)  # type: ignore[call-overload]
