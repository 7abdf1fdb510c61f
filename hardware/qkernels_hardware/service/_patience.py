"""Calls of a connection that are repeated while the service is out of order, and the errors that end that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from qkernels._errors import ExecutionError, QKernelsError
from qkernels_hardware.service._faults import Fault, FaultKind, Step, classify
from qkernels_hardware.service._retry import RetryPolicy

__all__ = ["Caller", "JobEndedError", "LostError", "OutageError", "Patience"]

T = TypeVar("T")

_AGAIN = (FaultKind.RETRY, FaultKind.RATE_LIMITED, FaultKind.LOOK_UP)


class OutageError(ExecutionError):
    """The service has not answered for longer than the policy waits."""


class LostError(ExecutionError):
    """The service does not know a job."""


class JobEndedError(ExecutionError):
    """A job ended without results, and is not submitted again."""


class Patience:
    """Waits between repetitions of one thing, until the service has been out of order for too long.

    Parameters
    ----------
    policy : RetryPolicy
    what : str
        What is repeated, for messages: "submit block 3".
    ledger : Path
        For messages.
    """

    def __init__(self, policy: RetryPolicy, what: str, ledger: Path) -> None:
        self._policy, self._what, self._ledger = policy, what, ledger
        self._pauses = policy.waits()
        self._start = policy.clock()

    def wait(self, fault: Fault) -> None:
        """Sleep before the next try.

        Raises
        ------
        OutageError
            There were enough.
        """
        if self._policy.clock() - self._start > self._policy.outage:
            raise OutageError(
                f"Could not {self._what} for {self._policy.outage:g} s: {fault.message} Nothing is lost: "
                f"{self._ledger} has everything that was planned and submitted. Run the same call again later."
            )
        self._policy.sleep(next(self._pauses))


class Caller:
    """Makes calls, each until it is answered.

    Parameters
    ----------
    policy : RetryPolicy
    ledger : Path
        For messages.
    """

    def __init__(self, policy: RetryPolicy, ledger: Path) -> None:
        self._policy, self._ledger = policy, ledger

    def patience(self, what: str) -> Patience:
        """Waits for repetitions of something."""
        return Patience(self._policy, what, self._ledger)

    def __call__(self, step: Step, what: str, call: Callable[[], T], *, tries: int | None = None) -> T:
        """The answer of a call.

        Parameters
        ----------
        step : Step
        what : str
            For messages, as of `Patience`.
        call : callable
        tries : int, optional
            How often at most; None is until the policy's outage.

        Raises
        ------
        OutageError
            No answer for too long.
        LostError
            The service does not know the job.
        ExecutionError
            Another fault, where repeating is no use.
        InvalidParameterError
            A parameter of the user is refused.
        """
        patience = self.patience(what)
        while True:
            try:
                return call()
            except Exception as error:
                if isinstance(error, QKernelsError) and not isinstance(error, ExecutionError):
                    raise
                fault = classify(error, step)
                if fault.kind is FaultKind.NOT_FOUND:
                    raise LostError(f"Could not {what}: {fault.message}") from error
                if fault.kind not in _AGAIN:
                    raise ExecutionError(
                        f"Could not {what}: {fault.message} {self._ledger} has kept everything; the same call goes on "
                        "from there."
                    ) from error
                tries = None if tries is None else tries - 1
                if tries == 0:
                    raise OutageError(f"Could not {what}: {fault.message}") from error
                patience.wait(fault)
