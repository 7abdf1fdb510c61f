"""NoiseProfile: the calibration of a device on one day, as data that no update changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from qiskit.providers import BackendV2

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels.engines import NoiseTable
from qkernels_hardware.devices._profile_backend import ProfileBackend, snapshot
from qkernels_hardware.devices._profile_io import digest, format_profile, header, parse_profile, shipped_profile
from qkernels_hardware.devices._profile_records import GateNoise, QubitNoise, check_header, gate_rows, qubit_rows
from qkernels_hardware.devices._profile_table import table_of

__all__ = ["NoiseProfile"]


@dataclass(frozen=True, eq=False, repr=False)
class NoiseProfile:
    r"""Calibration of a device on one day: a snapshot that gives the same noise on every machine and in every version.

    Make one with `from_backend`, `load` or `named`.

    Parameters
    ----------
    name : str
        Of the device.
    source : str
        Where the numbers come from, with version and licence.
    calibrated : str or None
        ISO 8601 date and time of the calibration; None where the source has none.
    num_qubits : int >= 1
    qubits : sequence of num_qubits rows (t1, t2, one_if_zero, zero_if_one)
        T1 and T2 in seconds and the readout errors P(reads 1 | is 0) and P(reads 0 | is 1); None is unknown.
    instructions : mapping of str to rows (qubits, error, duration), or None
        The places of every instruction, with average gate error and seconds; "measure" has the probability to read
        the wrong value and the readout time. None instead of rows: on all qubits, without error.
    dt : float > 0 or None, default=None
        Seconds of a sample, the unit of delays.
    timing : mapping of str to int, optional
        Timing constraints of `qiskit.transpiler.Target`: "granularity", "min_length", "pulse_alignment",
        "acquire_alignment".
    angle_bounds : mapping of str to (float, float), optional
        Lowest and highest angle of one-parameter gates that do not take every angle.
    readout : {"symmetric", "measured"}, default="symmetric"
        Readout errors of `table`: the error of "measure" for both states, as Aer makes it of a backend, or
        ``one_if_zero`` and ``zero_if_one`` where known. The all-zero outcome of close points depends on the first of
        them, which may be far from their mean (medians of fake_fez: 0.004 and 0.011).
    scale : float >= 0, default=1.0
        How strong the noise of `table` is; see `scaled`.

    Attributes
    ----------
    key : str
        sha256 of everything above, in hex. Equality and hash are those of the key.

    Raises
    ------
    InvalidParameterError
        A value is out of range, or names a qubit that does not exist.

    Notes
    -----
    The noise is that of ``qiskit_aer.noise.NoiseModel.from_backend``: depolarizing and thermal relaxation after every
    gate, readout errors, relaxation during delays; crosstalk and drift are not part of it. Everything here works
    without Aer and without the package that the device comes from.

    Examples
    --------
    >>> from qkernels_hardware import NoiseProfile
    >>> profile = NoiseProfile.named("fake_fez")
    >>> profile.num_qubits, profile.calibrated
    (156, '2025-02-26T15:16:25-05:00')
    >>> table = profile.scaled(2.0).table([0, 1, 2])
    >>> round(table.readout_matrix(0)[1, 0].item(), 4)  # P(reads 1 | is 0), twice 0.0115 but for what flips back
    0.0227
    """

    name: str
    source: str
    calibrated: str | None
    num_qubits: int
    qubits: tuple[QubitNoise, ...]
    instructions: Mapping[str, tuple[GateNoise, ...] | None]
    dt: float | None = None
    timing: Mapping[str, int] = field(default_factory=dict)
    angle_bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    readout: Literal["symmetric", "measured"] = "symmetric"
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_header(self.name, self.source, self.calibrated, self.num_qubits, self.dt, self.readout, self.scale)
        checked = {
            "num_qubits": int(self.num_qubits),
            "qubits": qubit_rows(self.qubits, self.num_qubits),
            "instructions": MappingProxyType(gate_rows(self.instructions, self.num_qubits)),
            "dt": None if self.dt is None else float(self.dt),
            "timing": MappingProxyType({str(k): int(v) for k, v in self.timing.items()}),
            "angle_bounds": MappingProxyType({k: (float(a), float(b)) for k, (a, b) in self.angle_bounds.items()}),
            "scale": float(self.scale),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = [repr(self.name), f"{self.num_qubits} qubits", f"calibrated {self.calibrated or 'on an unknown day'}"]
        if self.readout != "symmetric":
            shown.append(f"readout={self.readout!r}")
        if self.scale != 1.0:
            shown.append(f"scale={self.scale:g}")
        return f"NoiseProfile({', '.join(shown)}, key={self.key[:12]}…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseProfile) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> tuple[Callable[..., NoiseProfile], tuple[Any, ...]]:
        # read-only mappings do not pickle
        values = (getattr(self, one.name) for one in fields(self))
        return NoiseProfile, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values)

    @classmethod
    def from_backend(
        cls, backend: BackendV2, *, readout: Literal["symmetric", "measured"] | None = None
    ) -> NoiseProfile:
        """Take the calibration that a backend has now.

        Parameters
        ----------
        backend : BackendV2
            A device, a device model (`device_model`), or any backend whose target has errors and durations. What it
            does not know stays unknown and counts as no error.
        readout : {"symmetric", "measured"} or None, default=None
            See the class. None is what Aer does: "symmetric", unless the target itself tells the two errors apart.

        Returns
        -------
        NoiseProfile

        Raises
        ------
        InvalidParameterError
            `backend` is no BackendV2, or has no fixed number of qubits.

        Notes
        -----
        Cost: 0.1 s for 156 qubits, after what the backend needs to know them itself. A backend that asks a service for
        its calibration does so here, and never again.
        Instructions of the device that are neither gates nor reset, delay, measure or control flow are left out.

        Examples
        --------
        >>> from qkernels_hardware import NoiseProfile, device_model
        >>> NoiseProfile.from_backend(device_model("fake_manila")).calibrated
        '2024-05-27T15:27:23-03:00'
        """
        if not isinstance(backend, BackendV2):
            raise InvalidParameterError(
                f"NoiseProfile.from_backend: backend must be a qiskit BackendV2 object; got {backend!r}. Turn a name "
                "into a device model with device_model(name)."
            )
        taken = snapshot(backend)
        return cls(**(taken if readout is None else taken | {"readout": readout}))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, verify: bool = True) -> NoiseProfile:
        """Read a profile from a file.

        Parameters
        ----------
        path : path of a file that `save` wrote
        verify : bool, default=True
            Whether the content must be what was saved. False accepts a file that was edited by hand: its values are
            still checked one by one, and the profile has a key of its own.

        Returns
        -------
        NoiseProfile

        Raises
        ------
        InvalidDataError
            The file is no noise profile, has another schema, was changed after it was saved, or has a value out of
            range.
        OSError
            The file cannot be read.
        """
        return cls._parse(Path(path).read_bytes(), str(path), verify)

    @classmethod
    def named(cls, name: str) -> NoiseProfile:
        """Return a profile that comes with this package.

        Parameters
        ----------
        name : str
            One of `list_noise_profiles`, spelled as for `device_model`: "fake_fez", "FakeFez" or "fez".

        Returns
        -------
        NoiseProfile

        Raises
        ------
        InvalidParameterError
            There is no such profile; the message names the closest ones.

        Examples
        --------
        >>> from qkernels_hardware import NoiseProfile
        >>> NoiseProfile.named("torino").num_qubits
        133
        """
        entry = shipped_profile(name)
        return cls._parse(entry.read_bytes(), entry.name, verify=True)

    @classmethod
    def _parse(cls, text: bytes, where: str, verify: bool) -> NoiseProfile:
        content, checksum = parse_profile(text, where)
        try:
            profile = cls(**{one.name: content[one.name] for one in fields(cls)})
        except (InvalidParameterError, AttributeError, TypeError, ValueError) as error:
            raise InvalidDataError(f"{where} holds a value that breaks a rule: {error}") from error
        if verify and profile.key != checksum:
            raise InvalidDataError(
                f"{where} was changed after it was saved: its content has the sha256 {profile.key[:12]}…, the file "
                f"says {checksum[:12]}…. Restore the file, or accept the change with NoiseProfile.load(path, "
                "verify=False) and save it again."
            )
        return profile

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile to a file: JSON, one row per line, with a checksum over the content.

        Parameters
        ----------
        path : path of the file; an existing one is replaced

        Raises
        ------
        OSError
            The file cannot be written.
        """
        Path(path).write_text(format_profile(self._content()), encoding="utf-8", newline="\n")

    @cached_property
    def key(self) -> str:
        """sha256 of the content, in hex."""
        return digest(self._content())

    def _content(self) -> dict[str, Any]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {name: dict(value) if isinstance(value, MappingProxyType) else value for name, value in values.items()}
        return header(plain)

    def scaled(self, factor: float) -> NoiseProfile:
        """The profile with every error `factor` times as strong.

        Parameters
        ----------
        factor : float >= 0
            On top of the scale that the profile has already. 0 is no noise.

        Returns
        -------
        NoiseProfile
            Its table is that of this profile after `NoiseTable.scaled`: channels and readout errors to the power of
            `factor`, relaxation times divided by it. Calibration data stay what was measured.

        Raises
        ------
        InvalidParameterError
            `factor` is no finite number >= 0.

        Examples
        --------
        >>> from qkernels_hardware import NoiseProfile
        >>> NoiseProfile.named("fake_fez").scaled(2.0).scaled(0.5) == NoiseProfile.named("fake_fez")
        True
        """
        if isinstance(factor, bool) or not isinstance(factor, Real) or not isfinite(factor) or factor < 0:
            raise InvalidParameterError(f"factor of NoiseProfile.scaled must be a finite number >= 0; got {factor!r}.")
        return replace(self, scale=self.scale * float(factor))

    def with_readout(self, readout: Literal["symmetric", "measured"]) -> NoiseProfile:
        """The profile with the other kind of readout errors.

        Parameters
        ----------
        readout : {"symmetric", "measured"}
            See the class.

        Returns
        -------
        NoiseProfile

        Raises
        ------
        InvalidParameterError
            `readout` is neither.

        Examples
        --------
        >>> from qkernels_hardware import NoiseProfile
        >>> profile = NoiseProfile.named("fake_fez").with_readout("measured")
        >>> profile.table([0]).readout_matrix(0).round(4).tolist()
        [[0.9946, 0.0176], [0.0054, 0.9824]]
        """
        return replace(self, readout=readout)

    def table(self, qubits: Sequence[int] | None = None) -> NoiseTable:
        """The noise as data for `DensityMatrixEngine`.

        Parameters
        ----------
        qubits : sequence of int, distinct, optional
            Only these, renumbered: ``qubits[k]`` becomes qubit k. By default all.

        Returns
        -------
        NoiseTable
            Gates that the device has without error are listed as such; gates that it lists without calibration are not
            listed.

        Raises
        ------
        InvalidParameterError
            `qubits` are not distinct qubits of the device, or a channel has no real power (`scale`).

        Notes
        -----
        Cost: 0.4 ms per place inside of `qubits`: 25 ms for 10 qubits of a 156-qubit device, 0.4 s for all. A scale
        that is no integer takes 3 ms per place more.
        """
        table = table_of(self, self._chosen(qubits))
        return table if self.scale == 1.0 else table.scaled(self.scale)

    def backend(self) -> BackendV2:
        """The device for the transpiler: coupling, gates, errors and durations.

        Returns
        -------
        BackendV2
            Transpilation finds the layout that it finds on the device that the profile was made of. It cannot run
            circuits; `scale` and the measured readout errors are not part of it.

        Notes
        -----
        Gates that Qiskit has no standard gate for are left out.

        Examples
        --------
        >>> from qkernels_hardware import NoiseProfile
        >>> NoiseProfile.named("fake_torino").backend().num_qubits
        133
        """
        return ProfileBackend(self._content())

    def _chosen(self, qubits: Sequence[int] | None) -> list[int]:
        if qubits is None:
            return list(range(self.num_qubits))
        chosen = list(qubits)
        integers = all(isinstance(q, Integral) and not isinstance(q, bool) for q in chosen)
        if (
            not chosen
            or not integers
            or len(set(chosen)) != len(chosen)
            or not 0 <= min(chosen) <= max(chosen) < self.num_qubits
        ):
            raise InvalidParameterError(
                f"qubits of NoiseProfile.table must be distinct integers between 0 and {self.num_qubits - 1}; got "
                f"{chosen!r}."
            )
        return [int(q) for q in chosen]
