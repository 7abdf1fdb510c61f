"""Measured circuits as bytes: QPY for the circuit, JSON for its observable."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import qiskit
from qiskit import qpy
from qiskit.quantum_info import SparsePauliOp

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.work import MeasuredCircuit

__all__ = ["StoredCircuit"]

_MAGIC = b"QISKIT"


@dataclass(frozen=True, slots=True)
class StoredCircuit:
    """A measured circuit as a ledger keeps it.

    Attributes
    ----------
    name, copies, num_qubits, duration
        As in `MeasuredCircuit`.
    qpy : bytes
        The circuit, in the QPY version of the installed Qiskit.
    observables : str
        JSON: of every observable, its number of qubits and its terms.
    """

    name: str
    copies: int
    num_qubits: int
    duration: float
    qpy: bytes = field(repr=False)
    observables: str = field(default="[]", repr=False)

    @property
    def num_observables(self) -> int:
        """How many observables there are."""
        return len(json.loads(self.observables))

    @classmethod
    def of(cls, circuit: MeasuredCircuit) -> StoredCircuit:
        """Pack a circuit.

        Parameters
        ----------
        circuit : MeasuredCircuit

        Returns
        -------
        StoredCircuit

        Raises
        ------
        InvalidParameterError
            A coefficient of an observable is not a number.
        """
        buffer = BytesIO()
        qpy.dump(circuit.circuit, buffer)
        observables = json.dumps([_plain(observable) for observable in circuit.observables], separators=(",", ":"))
        return cls(circuit.name, circuit.copies, circuit.num_qubits, circuit.duration, buffer.getvalue(), observables)

    def load(self, where: str, written_by: str = "another version") -> MeasuredCircuit:
        """Unpack the circuit.

        Parameters
        ----------
        where : str
            File it comes from, for messages.
        written_by : str
            Version of Qiskit that wrote it, for messages.

        Returns
        -------
        MeasuredCircuit

        Raises
        ------
        ExecutionError
            It is newer than the installed Qiskit can read, or damaged.
        """
        version = self.qpy[6] if self.qpy[:6] == _MAGIC and len(self.qpy) > 6 else None
        if version is not None and version > qpy.QPY_VERSION:
            raise ExecutionError(
                f"{where}: the circuit {self.name!r} was written by Qiskit {written_by} in QPY version {version}; the "
                f"installed Qiskit {qiskit.__version__} reads QPY up to version {qpy.QPY_VERSION}. Install Qiskit "
                f"{written_by} or later. The results in this file are not affected."
            )
        try:
            with warnings.catch_warnings():
                # A newer Qiskit with the same QPY version is fine; the version that wrote it is in the ledger.
                warnings.filterwarnings("ignore", message="The qiskit version used to generate the provided QPY")
                (circuit,) = qpy.load(BytesIO(self.qpy))
        except Exception as error:  # the reader raises anything from struct.error to its own errors
            raise ExecutionError(
                f"{where}: the circuit {self.name!r} cannot be read ({type(error).__name__}: {error}). The file is "
                f"damaged, or Qiskit {qiskit.__version__} cannot read what Qiskit {written_by} wrote: go back to a "
                "copy of the file or to that version."
            ) from error
        observables = tuple(_observable(content) for content in json.loads(self.observables))
        return MeasuredCircuit(self.name, circuit, self.copies, self.num_qubits, self.duration, observables)


def _plain(observable: SparsePauliOp) -> dict[str, Any]:
    try:
        terms = [
            [pauli, list(qubits), complex(factor).real, complex(factor).imag]
            for pauli, qubits, factor in observable.to_sparse_list()
        ]
    except TypeError as error:
        raise InvalidParameterError(
            "StoredCircuit.of: observables must have numbers as coefficients; got a parameter. Bind it first."
        ) from error
    return {"num_qubits": observable.num_qubits, "terms": terms}


def _observable(content: Mapping[str, Any]) -> SparsePauliOp:
    terms = [(pauli, qubits, complex(real, imag)) for pauli, qubits, real, imag in content["terms"]]
    return SparsePauliOp.from_sparse_list(terms, num_qubits=content["num_qubits"])
