"""Which series of a ledger a request belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from qiskit.providers import BackendV2

from qkernels._errors import InvalidParameterError
from qkernels.programs import Program
from qkernels_hardware.ledger import Ledger, SeriesRecord
from qkernels_hardware.routing import RoutedCircuit, described
from qkernels_hardware.runtime._device import Device
from qkernels_hardware.runtime._lane import Lane, series_key
from qkernels_hardware.runtime._settings import Settings
from qkernels_hardware.runtime._transpiled import recipes_for
from qkernels_hardware.service import option_key, primitive_of
from qkernels_hardware.work import BlockState, MeasuredCircuit, runs_per_row

__all__ = ["OwnSeries", "key_settings", "lane_of", "stored_circuits"]


class OwnSeries:
    """The series that one engine works with: of every program one, from its first use on.

    Another engine may open a new generation at any time. What an engine has measured before it can only be compared
    with more of the same series, so it keeps to that one; an engine that is made later takes the newest.

    Parameters
    ----------
    device : Device
    settings : Settings
    seed : int, optional
        Of a simulator, where the user gave one. A seed that was drawn is no part of what a series is known by: another
        process draws another one, and goes on with the series all the same.
    token : str
        Names the engine, where it asks for a new layout.
    """

    def __init__(self, device: Device, settings: Settings, seed: int | None, token: str) -> None:
        self.device, self.settings, self.token = device, settings, token
        self.seed = seed if device.local else None
        self._generations: dict[str, int] = {}

    def key(self, program: Program) -> str:
        """Identity of the series of a program."""
        return series_key(program, self.device.identity, self.known_by)

    @property
    def known_by(self) -> dict[str, object]:
        """What of the settings is part of the identity of a series."""
        return key_settings(self.settings, self.seed)

    def content(self, program: Program, circuits: Iterable[MeasuredCircuit]) -> dict[str, str]:
        """What makes the results of each circuit, by its name: blocks are called after it, and simulated by it.

        Jobs of another circuit have other names, whenever they were made. The seed is left out: of two engines of which
        one has drawn it and one was given it, the same number gives the same values.
        """
        settings = series_key(program, self.device.identity, key_settings(self.settings, None))
        return {one.name: hashlib.sha256(f"{settings}\n{_written(one)}".encode()).hexdigest() for one in circuits}

    def find(self, ledger: Ledger, program: Program) -> SeriesRecord | None:
        """The series that a request adds to; None where it opens a new one.

        With ``layout="refresh"`` an engine has a generation of its own. One that was interrupted is taken over: the
        newest generation, if it was opened like this, as long as blocks of it wait for results.
        """
        key = self.key(program)
        newest = ledger.series(key)
        if newest is None:
            return None
        if self.settings.refresh:
            return self._noted(ledger, key) or (newest if _was_interrupted(ledger, newest) else None)
        kept = self._generations.setdefault(key, newest.generation)
        if kept == newest.generation:
            return newest
        known = [one for one in ledger.all_series() if one.key == key and one.generation == kept]
        if known:
            return known[0]
        self._generations[key] = newest.generation  # the ledger is another one than before
        return newest

    def finished(self, ledger: Ledger, program: Program) -> SeriesRecord | None:
        """The series whose results count without a word to the ledger: a new layout is noted first as the engine's."""
        return self._noted(ledger, self.key(program)) if self.settings.refresh else self.find(ledger, program)

    def keep(self, ledger: Ledger, program: Program, record: SeriesRecord) -> None:
        """Remember which series a program has."""
        key = self.key(program)
        if self.settings.refresh:
            ledger.note(self._note(key), str(record.id))
        else:
            self._generations[key] = record.generation

    def generation(self, path: Path, program: Program) -> int:
        """Of the series of a program in the ledger at `path`; of the one that would be opened, where there is none."""
        key = self.key(program)
        if key not in self._generations and path.exists():
            with Ledger.open(path, read_only=True) as ledger:
                self.find(ledger, program)
        return self._generations.setdefault(key, 1)

    def _noted(self, ledger: Ledger, key: str) -> SeriesRecord | None:
        own = ledger.notes().get(self._note(key))
        return None if own is None else ledger.series_by_id(int(own))

    def _note(self, key: str) -> str:
        return f"layout/{key}/{self.token}"


def _was_interrupted(ledger: Ledger, newest: SeriesRecord) -> bool:
    unfinished = (BlockState.PLANNED, BlockState.INTENT, BlockState.SUBMITTED)
    blocks = ledger.blocks(series=newest.id, states=unfinished) if newest.settings.get("refresh") else []
    return any(not block.released for block in blocks)


def _written(measured: MeasuredCircuit) -> str:
    """A circuit as a text that is the same in every process; QPY has random names of parameters."""
    circuit = measured.circuit
    places = {bit: place for bits in (circuit.qubits, circuit.clbits) for place, bit in enumerate(bits)}
    lines = [
        (
            item.operation.name,
            [str(one) for one in item.operation.params],
            [places[q] for q in item.qubits + item.clbits],
        )
        for item in circuit.data
    ]
    return f"{lines}\n{[one.to_sparse_list() for one in measured.observables]}"


def key_settings(settings: Settings, seed: int | None) -> dict[str, object]:
    """What of the settings is part of the identity of a series."""
    route_options = settings.route
    return {
        "options": option_key(settings.options),
        "optimization_level": route_options.optimization_level,
        "layout": route_options.layout,
        "barrier": route_options.barrier,
        "tiles": route_options.tiles,
        "fractional": route_options.fractional,
        "estimate": route_options.estimate,
        "seed": seed,
    }


def stored_circuits(ledger: Ledger, record: SeriesRecord, backend: BackendV2) -> dict[str, RoutedCircuit]:
    """The circuits of a series as they run now, read and not transpiled."""
    names, layout = _parameter_names(ledger, record), record.settings["layout"]
    if not isinstance(layout, dict):
        raise TypeError("the layout of a series is a mapping")
    circuits = ledger.circuits(record.id)
    return {name: described(one, layout[name], names[name], backend) for name, one in circuits.items()}


def _parameter_names(ledger: Ledger, record: SeriesRecord) -> dict[str, list[str]]:
    """Names of the parameters of one copy of every circuit of a series.

    Raises
    ------
    InvalidParameterError
        The series was written by a version that did not store them.
    """
    names = record.settings.get("names")
    if not isinstance(names, dict):
        raise InvalidParameterError(
            f"Series {record.id} of ledger {ledger.path} was written by another version; use layout='refresh'."
        )
    return names


def lane_of(ledger: Ledger, record: SeriesRecord, program: Program, settings: Settings, bases: tuple[str, ...]) -> Lane:
    """A series of a ledger, ready to make values."""
    names = _parameter_names(ledger, record)
    circuits = ledger.circuits(record.id)
    return Lane(
        series=record.id,
        circuits=circuits,
        recipes=recipes_for(program, settings.route, bases),
        names=names,
        primitive=primitive_of(settings.options),
        calibration=record.calibration,
        runs={name: runs_per_row(one, settings.options) for name, one in circuits.items()},
    )
