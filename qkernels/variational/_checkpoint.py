"""Checkpoints: the state of a fit on disk, written whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qkernels._errors import InvalidParameterError

__all__ = ["Checkpoint", "State"]

Values = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class State:
    """What of a fit outlives its process; nothing of the optimizer's own.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        The last iterate, or the result.
    loss_curve : list of float
        Loss of every iterate.
    validation_curve : list of float
        The same on the validation samples.
    best_theta : ndarray of shape (n_parameters,), or None
        Iterate of the lowest validation loss.
    num_batches : int
        Mini-batches used up.
    is_done : bool
        Whether the fit has ended, other than by its callback.
    has_converged : bool
        Whether the optimizer said so, or patience with the validation loss was at its end.
    budget : int
        The most iterations that the optimizer could take when it ended, with or without convergence.
    """

    theta: Values
    loss_curve: list[float]
    validation_curve: list[float]
    best_theta: Values | None = None
    num_batches: int = 0
    is_done: bool = False
    has_converged: bool = False
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file that a fit writes after each iterate and starts from.

    Attributes
    ----------
    path : Path
        Written as NumPy's ``.npz``.
    key : str
        Content key of data and settings: another fit's file is refused.
    """

    path: Path
    key: str

    def read(self) -> State | None:
        """The state in the file; None where there is none.

        Returns
        -------
        State or None

        Raises
        ------
        InvalidParameterError
            The file is no checkpoint, or that of a fit with other data or settings; or its folder does not exist.
        """
        if not self.path.parent.is_dir():
            raise InvalidParameterError(f"checkpoint {str(self.path)!r}: its folder does not exist. Make it first.")
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
            key, best = str(found["key"]), found["best_theta"]
            state = State(
                theta=found["theta"],
                loss_curve=found["loss_curve"].tolist(),
                validation_curve=found["validation_curve"].tolist(),
                best_theta=best if best.size else None,
                num_batches=int(found["num_batches"]),
                is_done=bool(found["is_done"]),
                has_converged=bool(found["has_converged"]),
                budget=int(found["budget"]),
            )
        except (OSError, KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
            raise InvalidParameterError(
                f"checkpoint {str(self.path)!r} is no checkpoint of a fit ({error}). Choose another path."
            ) from error
        if key != self.key:
            raise InvalidParameterError(
                f"checkpoint {str(self.path)!r} belongs to a fit of other data or settings ({key[:12]}…, this one is "
                f"{self.key[:12]}…). Choose another path, or delete the file."
            )
        return state

    def write(self, state: State) -> None:
        """Replace the file by a state.

        Parameters
        ----------
        state : State
        """
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    key=np.array(self.key),
                    theta=state.theta,
                    loss_curve=np.array(state.loss_curve, dtype=np.float64),
                    validation_curve=np.array(state.validation_curve, dtype=np.float64),
                    best_theta=np.empty(0) if state.best_theta is None else state.best_theta,
                    num_batches=np.array(state.num_batches),
                    is_done=np.array(state.is_done),
                    has_converged=np.array(state.has_converged),
                    budget=np.array(state.budget),
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
