"""What circuits are transpiled for, as data: targets without the backend they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy

from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import CouplingMap, Target

__all__ = ["TargetBackend", "fingerprint", "plain_target"]

_NOT_GATES = frozenset({"measure", "reset", "delay", "barrier", "for_loop", "if_else", "switch_case", "while_loop"})

_STAGES = ("get_translation_stage_plugin", "get_scheduling_stage_plugin")
"""Methods by which a backend names stages of its own to the transpiler."""


class TargetBackend(BackendV2):
    """A target for the transpiler; it does not run circuits.

    Parameters
    ----------
    name : str
    target : Target
    stages : tuple of (str or None), length 2
        Plugins that translate and schedule for it; None is the transpiler's own.
    """

    def __init__(self, name: str, target: Target, stages: tuple[str | None, ...] = (None, None)) -> None:
        super().__init__(name=name)
        self._target, self.stages = target, stages

    @classmethod
    def of(cls, backend: BackendV2, name: str) -> TargetBackend:
        """What a backend is now: later changes do not reach it, and it holds no service and no token.

        Parameters
        ----------
        backend : BackendV2
        name : str

        Returns
        -------
        TargetBackend

        Notes
        -----
        Cost: 30 ms for 156 qubits.
        """
        stages = tuple(getattr(backend, stage)() if hasattr(backend, stage) else None for stage in _STAGES)
        return cls(name, deepcopy(backend.target), stages)

    @property
    def target(self) -> Target:
        """What circuits are transpiled for."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No limit."""
        return

    def get_translation_stage_plugin(self) -> str | None:
        """The transpiler asks for it by this name."""
        return self.stages[0]

    def get_scheduling_stage_plugin(self) -> str | None:
        """The transpiler asks for it by this name."""
        return self.stages[1]

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: object, **options: object) -> None:
        """Refuse: this backend is for the transpiler."""
        raise NotImplementedError("TargetBackend does not run circuits.")


def plain_target(
    basis_gates: Sequence[str], num_qubits: int, coupling: Sequence[Sequence[int]] | None = None
) -> Target:
    """Gates without errors and durations, on all pairs of qubits or on those given.

    Parameters
    ----------
    basis_gates : sequence of str
        What Qiskit has no standard gate for is left out.
    num_qubits : int
    coupling : sequence of pairs of int, optional

    Returns
    -------
    Target
    """
    known = get_standard_gate_name_mapping()
    names = [gate for gate in basis_gates if gate in known and gate not in _NOT_GATES]
    edges = None if coupling is None else CouplingMap([list(edge) for edge in coupling])
    names += ["measure", "reset", "delay"]
    return Target.from_configuration(names, num_qubits=num_qubits, coupling_map=edges)


def fingerprint(backend: TargetBackend) -> str:
    """Instructions and where they stand, without what a profile or a noise model says of them.

    Parameters
    ----------
    backend : TargetBackend

    Returns
    -------
    str
        Hexadecimal.
    """
    parts: list[object] = []
    target = backend.target
    for name in sorted(target.operation_names):
        operation = target.operation_from_name(name)
        is_class = isinstance(operation, type)  # control flow
        params = [] if is_class else [str(p) for p in operation.params]
        kind = operation.__name__ if is_class else type(operation).__name__
        parts.append((name, kind, params, sorted(target[name] or {}, key=repr)))
    if any(backend.stages):
        parts.append(backend.stages)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
