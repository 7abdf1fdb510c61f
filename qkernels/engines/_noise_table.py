"""NoiseTable: which channel follows which instruction, without any vendor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkernels._errors import InvalidParameterError
from qkernels.engines._noise_matrices import (
    Place,
    checked_channel,
    checked_place,
    checked_qubit,
    checked_stochastic,
    matrix_power,
)
from qkernels.engines._transfer import relaxation_transfer

__all__ = ["NoiseTable", "Relaxation"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Relaxation of an idle qubit.

    Attributes
    ----------
    t1, t2 : float > 0
        In seconds; t2 <= 2 t1. May be infinite.
    excited : float in [0, 1]
        Population of the excited state in equilibrium.
    """

    t1: float
    t2: float
    excited: float = 0.0

    def __post_init__(self) -> None:
        for name in ("t1", "t2", "excited"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise InvalidParameterError(f"{name} of Relaxation must be a number, got {value!r}.")
            object.__setattr__(self, name, float(value))  # one text for one value, in keys
        for name in ("t1", "t2"):
            if not getattr(self, name) > 0:
                raise InvalidParameterError(f"{name} of Relaxation must be > 0 seconds, got {getattr(self, name)!r}.")
        if self.t2 > 2 * self.t1 * (1 + 1e-9):
            raise InvalidParameterError(f"t2 of Relaxation must be <= 2 t1, got t1={self.t1!r} and t2={self.t2!r}.")
        if not 0.0 <= self.excited <= 1.0:
            raise InvalidParameterError(f"excited of Relaxation must lie in [0, 1], got {self.excited!r}.")

    def transfer(self, seconds: float) -> Values:
        """What an idle time does, as a transfer matrix.

        Parameters
        ----------
        seconds : float >= 0

        Returns
        -------
        ndarray of shape (4, 4), float64
        """
        return relaxation_transfer(self.t1, self.t2, seconds, self.excited)


class NoiseTable:
    r"""Noise of a device as data: the channel that follows each instruction, and readout errors.

    Parameters
    ----------
    channels : mapping of (str, tuple of int) to channel, optional
        (instruction name, qubits) → the channel that acts on these qubits *after* the ideal instruction. A channel is
        a superoperator of shape (4^k, 4^k) in Qiskit's column-stacking convention, or anything that
        `qiskit.quantum_info.SuperOp` takes; the first qubit is the least significant one. "id" and "delay" are names
        like others; a gate known by its matrix alone is "unitary", or "bound" where it depends on data. Composite gates
        are written out, and so are gates with data-dependent angles for which there is no formula ("cu", "xx_plus_yy"
        and the like): what applies are the entries of the gates inside.
    defaults : mapping of str to channel, optional
        Instruction name → channel on qubits that `channels` does not list for this name.
    readout : mapping of int to array-like of shape (2, 2), optional
        Qubit → P(read | true): entry [i, j] is the probability to read i in state j; columns sum to 1.
    default_readout : array-like of shape (2, 2), optional
        For the qubits that `readout` does not list; None is no error.
    relaxation : mapping of int to Relaxation, optional
        What delays in a circuit do to a qubit; None is nothing.
    dt : float, optional
        Seconds of a sample, the unit of delays in "dt".
    ideal : iterable of str, default=("rz", "p", "u1")
        Instructions known to have no error: by default those that are changes of the reference frame on IBM devices.
        Other gates without an entry are evaluated as ideal, too, but with a
        `MissingNoiseWarning`.
    form : {"superoperator", "transfer"}
        "transfer": channels are real matrices R_PQ = Tr(P Λ(Q))/2^k over Pauli strings, two bits per qubit in the order
        I, X, Y, Z, the first qubit least significant.

    Attributes
    ----------
    key : str
        sha256 of the content, in hex.

    Raises
    ------
    InvalidParameterError
        A channel has another shape than its qubits, is not finite, not trace preserving, not Hermitian or not
        completely positive (tolerance 1e-8); a readout matrix is not stochastic; a time, a qubit or a name breaks its
        rule.

    Examples
    --------
    >>> import numpy as np
    >>> from qkernels.engines import NoiseTable
    >>> flip = np.array([[0.97, 0.05], [0.03, 0.95]])
    >>> table = NoiseTable({}, default_readout=flip)
    >>> table.readout_matrix(3)[1, 0].item()  # reads 1 in state 0
    0.03
    """

    def __init__(
        self,
        channels: Mapping[Place, ArrayLike] | None = None,
        *,
        defaults: Mapping[str, ArrayLike] | None = None,
        readout: Mapping[int, ArrayLike] | None = None,
        default_readout: ArrayLike | None = None,
        relaxation: Mapping[int, Relaxation] | None = None,
        dt: float | None = None,
        ideal: Iterable[str] = ("rz", "p", "u1"),
        form: Literal["superoperator", "transfer"] = "superoperator",
    ) -> None:
        if form not in ("superoperator", "transfer"):
            raise InvalidParameterError(f"form of NoiseTable must be 'superoperator' or 'transfer', got {form!r}.")
        if dt is not None and (isinstance(dt, bool) or not isinstance(dt, Real) or not 0 < dt < np.inf):
            raise InvalidParameterError(f"dt of NoiseTable must be None or > 0 seconds, got {dt!r}.")
        for name, given in (
            ("channels", channels),
            ("defaults", defaults),
            ("readout", readout),
            ("relaxation", relaxation),
        ):
            if given is not None and not isinstance(given, Mapping):
                raise InvalidParameterError(f"{name} of NoiseTable must be None or a mapping, got {given!r}.")
        if isinstance(ideal, str):
            raise InvalidParameterError(f"ideal of NoiseTable must be names such as ({ideal!r},), got {ideal!r}.")
        self._channels: dict[Place, Values] = {}
        for place, channel in (channels or {}).items():
            name, qubits = checked_place(place)
            self._channels[name, qubits] = checked_channel(channel, form, f"({name!r}, {qubits})", len(qubits))
        self._defaults = {
            str(name): checked_channel(channel, form, f"default of {name!r}")
            for name, channel in (defaults or {}).items()
        }
        self._readout = {
            checked_qubit(q, "readout"): checked_stochastic(m, f"readout of qubit {q}")
            for q, m in (readout or {}).items()
        }
        self._default_readout = (
            None if default_readout is None else checked_stochastic(default_readout, "default_readout")
        )
        self._relaxation = {checked_qubit(q, "relaxation"): _rule(r, q) for q, r in (relaxation or {}).items()}
        self.dt = None if dt is None else float(dt)
        self.ideal = frozenset(ideal)

    def __repr__(self) -> str:
        return (
            f"NoiseTable({len(self._channels)} channels, {len(self._defaults)} defaults, {len(self._readout)} readout "
            f"matrices, key={self.key[:12]}…)"
        )

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in self.__dict__.items() if k != "key"}  # use must not change a pickle, or joblib's hash

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        default = [] if self._default_readout is None else [self._default_readout]
        for matrix in (*self._channels.values(), *self._defaults.values(), *self._readout.values(), *default):
            matrix.setflags(write=False)  # which a pickle does not keep

    def __deepcopy__(self, memo: dict[int, object]) -> NoiseTable:
        return self  # nothing in it changes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseTable) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def places(self) -> tuple[Place, ...]:
        """(name, qubits) of all channels but the defaults."""
        return tuple(self._channels)

    @property
    def default_names(self) -> tuple[str, ...]:
        """Names of the instructions that have a default channel."""
        return tuple(self._defaults)

    def transfer(self, name: str, qubits: Sequence[int]) -> Values | None:
        """The channel after an instruction as a transfer matrix; None where there is none.

        Parameters
        ----------
        name : str
        qubits : sequence of int

        Returns
        -------
        ndarray of shape (4**k, 4**k), float64, or None
        """
        found = self._channels.get((name, tuple(qubits)))
        if found is None:
            found = self._defaults.get(name)
            if found is not None and len(found) != 4 ** len(qubits):
                return None
        return found

    def readout_matrix(self, qubit: int) -> Values:
        """P(read | true) of a qubit, shape (2, 2); columns sum to 1.

        Parameters
        ----------
        qubit : int

        Returns
        -------
        ndarray of shape (2, 2), float64
        """
        found = self._readout.get(qubit, self._default_readout)
        return np.eye(2) if found is None else found

    def relaxation(self, qubit: int) -> Relaxation | None:
        """How an idle qubit relaxes; None where it does not.

        Parameters
        ----------
        qubit : int

        Returns
        -------
        Relaxation or None
        """
        return self._relaxation.get(qubit)

    def scaled(self, factor: float, *, readout: bool = True) -> NoiseTable:
        r"""The table with every error `factor` times as strong: channels to the power of `factor`.

        Parameters
        ----------
        factor : float >= 0
            0 is no noise, 1 this table, 2 every channel twice. Between integers the power is that of the real matrix,
            :math:`\exp(f \log R)`, which may leave the set of channels by a little where a channel is no exponential.
        readout : bool, default=True
            Whether readout errors are scaled, too, by the power of their stochastic matrices.

        Returns
        -------
        NoiseTable

        Raises
        ------
        InvalidParameterError
            `factor` is no finite number >= 0, or a channel has no real power (an eigenvalue below 0).
        """
        if isinstance(factor, bool) or not isinstance(factor, Real) or not np.isfinite(factor) or factor < 0:
            raise InvalidParameterError(f"factor of NoiseTable.scaled must be a finite number >= 0, got {factor!r}.")
        f = float(factor)
        scaled = object.__new__(NoiseTable)
        scaled._channels = {place: matrix_power(m, f, str(place)) for place, m in self._channels.items()}
        scaled._defaults = {name: matrix_power(m, f, name) for name, m in self._defaults.items()}
        scaled._readout, scaled._default_readout = dict(self._readout), self._default_readout
        if readout:
            scaled._readout = {q: matrix_power(m, f, f"readout of qubit {q}") for q, m in self._readout.items()}
            if self._default_readout is not None:
                scaled._default_readout = matrix_power(self._default_readout, f, "default_readout")
        scaled._relaxation = (
            {q: Relaxation(r.t1 / f, r.t2 / f, r.excited) for q, r in self._relaxation.items()} if f else {}
        )
        scaled.dt, scaled.ideal = self.dt, self.ideal
        return scaled

    def restricted(self, qubits: Sequence[int]) -> NoiseTable:
        """The table of some qubits, renumbered: ``qubits[k]`` becomes qubit k.

        Parameters
        ----------
        qubits : sequence of int, distinct

        Returns
        -------
        NoiseTable
            Entries with other qubits are left out; defaults stay, on the places they had.

        Raises
        ------
        InvalidParameterError
            A qubit stands there twice.
        """
        position = {int(q): k for k, q in enumerate(qubits)}
        if len(position) < len(qubits):
            raise InvalidParameterError(f"qubits of NoiseTable.restricted must be distinct, got {list(qubits)}.")
        part = object.__new__(NoiseTable)
        part._channels = {
            (name, tuple(position[q] for q in where)): m
            for (name, where), m in self._channels.items()
            if all(q in position for q in where)
        }
        part._defaults = dict(self._defaults)
        part._readout = {position[q]: m for q, m in self._readout.items() if q in position}
        part._default_readout = self._default_readout
        part._relaxation = {position[q]: r for q, r in self._relaxation.items() if q in position}
        part.dt, part.ideal = self.dt, self.ideal
        return part

    @cached_property
    def key(self) -> str:
        """sha256 of the content, in hex."""
        digest = hashlib.sha256(f"dt={self.dt!r};ideal={sorted(self.ideal)}\n".encode())
        parts: list[tuple[str, Values | None]] = [
            *((f"c{place}", m) for place, m in sorted(self._channels.items(), key=lambda item: item[0])),
            *((f"d{name}", m) for name, m in sorted(self._defaults.items())),
            *((f"r{q}", m) for q, m in sorted(self._readout.items())),
            ("r", self._default_readout),
            *((f"t{q}{r!r}", None) for q, r in sorted(self._relaxation.items())),
        ]
        for text, matrix in parts:
            digest.update(text.encode() + b"\n")
            if matrix is not None:
                digest.update(np.ascontiguousarray(matrix + 0.0).tobytes())
        return digest.hexdigest()


def _rule(rule: object, qubit: int) -> Relaxation:
    if not isinstance(rule, Relaxation):
        raise InvalidParameterError(
            f"relaxation of NoiseTable must hold a Relaxation(t1, t2) for every qubit; got {rule!r} for qubit {qubit}."
        )
    return rule
