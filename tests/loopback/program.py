"""What a job asks for, read from its parameters and checked as IBM would.

The client sends almost anything; a job that breaks a rule fails with a reason. All codes are 1002 ("error in the
validation process of the job") because IBM publishes no list of finer ones for this program.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.transpiler import Target
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS
from qiskit_ibm_runtime.utils.utils import is_isa_circuit, is_valid_rzz_pub
from samplomatic.quantum_program import CircuitItem

from tests.loopback.billing import Work, circuit_seconds

__all__ = ["INVALID", "MAX_EXECUTIONS", "Program", "Rejected", "read_program"]

MAX_EXECUTIONS = 10_000_000  # a job, IBM "job limits"
INVALID = 1002


class Rejected(Exception):
    """A job breaks a rule."""

    def __init__(self, reason: str, code: int = INVALID) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Program:
    """A checked program."""

    shots: int
    items: tuple[Any, ...]
    work: tuple[Work, ...]
    rep_delay: float | None
    passthrough: Any = field(repr=False)
    role: str | None

    @property
    def executions(self) -> int:
        """Shots of all bindings and randomizations."""
        return sum(item.executions for item in self.work)


def read_program(text: str, target: Target, max_qpy: int) -> Program:
    """Decode and check the parameters of a job.

    Raises
    ------
    Rejected
        A rule is broken; the text is the reason that the job fails with.
    """
    params = json.loads(text)
    version = params.get("schema_version")
    if version != "v2.0":
        raise Rejected(f"Schema version {version!r} is not supported; v2.0 is.")
    converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[version]
    qpy = params["quantum_program"]["circuits"].get("qpy_version", 0)
    if qpy > max_qpy:
        raise Rejected(f"QPY version {qpy} is newer than {max_qpy}, the newest that this service reads.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = converter.model.model_validate(params)
            found, options = converter.decoder(model)
    except Exception as error:
        raise Rejected(f"The input is not valid: {error}") from error
    _check(found, target)
    work = tuple(Work(prod(item.shape) * found.shots, circuit_seconds(item.circuit, target)) for item in found.items)
    program = Program(
        shots=found.shots,
        items=tuple(found.items),
        work=work,
        rep_delay=options.execution.rep_delay,
        passthrough=model.quantum_program.passthrough_data,
        role=model.quantum_program.semantic_role,
    )
    if program.executions > MAX_EXECUTIONS:
        raise Rejected(f"The job has {program.executions} executions; the limit is {MAX_EXECUTIONS}.")
    return program


def _check(program: Any, target: Target) -> None:
    if program.meas_level != "classified":
        raise Rejected(f"Measurement level {program.meas_level!r} is not supported.")
    for number, item in enumerate(program.items):
        if problem := is_isa_circuit(item.circuit, target):
            raise Rejected(f"Circuit {number}: {problem}")
        if not isinstance(item, CircuitItem):
            continue
        if not np.isfinite(item.circuit_arguments).all():
            raise Rejected(f"Circuit {number}: a parameter value is not finite.")
        if item.circuit.count_ops().get("rzz") and (problem := is_valid_rzz_pub(_pub(item))):
            raise Rejected(f"Circuit {number}: {problem}")


def _pub(item: Any) -> SamplerPub:
    values = {tuple(item.circuit.parameters): item.circuit_arguments} if item.circuit.num_parameters else None
    return SamplerPub.coerce((item.circuit, values))
