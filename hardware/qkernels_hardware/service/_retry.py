"""Every number of waiting and trying again: how often to submit, how long to wait, when to give up."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from qkernels._errors import InvalidParameterError

__all__ = ["RetryPolicy"]

# Durations of the policy itself; `scaled` changes these and leaves those of requests alone.
_PACE = ("submission_period", "first_wait", "longest_wait", "tag_lag", "outage")


class _History:
    """Times of the last submissions, and the random numbers of the jitter: what a policy remembers."""

    def __init__(self, size: int, seed: int | None) -> None:
        self.lock = threading.Lock()
        self.times: deque[float] = deque(maxlen=size)
        self.random = random.Random(seed)


@dataclass(frozen=True)
class RetryPolicy:
    """When to submit, to poll, to try again and to give up.

    A submission waits until fewer than `submissions_per_period` others fall into the `submission_period` seconds
    before it. This is stricter than a bucket that refills, which lets twice as many pass in one unlucky minute.

    Parameters
    ----------
    submissions_per_period : int, default=5
        Jobs in `submission_period` seconds: the limit that IBM publishes for a user.
    submission_period : float, default=60.0
        Seconds.
    first_wait, longest_wait : float, default=2.0 and 30.0
        Seconds before the first repetition and the limit of their doubling; also between two looks at a job.
    jitter : float, default=0.25
        Every wait is shortened by a random part of itself, up to this one, so that many programs do not ask at once.
    tag_lag : float, default=60.0
        Seconds until a job can be relied on to be found by its tags.
    outage : float, default=900.0
        Seconds of faults without a single answer after which waiting ends with an ExecutionError. Nothing is lost then.
    attempts : int, default=2
        Jobs for one block: how many may fail for reasons of the service before it counts as failed.
    connect_timeout : float, default=5.0
        Seconds until a connection stands.
    request_deadline : float, default=60.0
        Seconds without a byte from the server in any request but a submission.
    submit_deadline : float, default=300.0
        Seconds without a byte from the server in a submission, whose data may be large.
    call_deadline : float, default=180.0
        Seconds of one call altogether, with all requests that it makes.
    seed : int or None, default=None
        Of the jitter.
    clock, sleep : callable, default=time.monotonic and time.sleep
        Tests pass others.

    Raises
    ------
    InvalidParameterError
        If a number is outside of its range.

    Notes
    -----
    A policy can be copied and pickled; the copy does not remember submissions. One policy may be used by many threads.

    Examples
    --------
    >>> from qkernels_hardware import RetryPolicy
    >>> patient = RetryPolicy(outage=3600.0)
    >>> (patient.submissions_per_period, patient.submission_period, patient.tag_lag)
    (5, 60.0, 60.0)
    """

    submissions_per_period: int = 5
    submission_period: float = 60.0
    first_wait: float = 2.0
    longest_wait: float = 30.0
    jitter: float = 0.25
    tag_lag: float = 60.0
    outage: float = 900.0
    attempts: int = 2
    connect_timeout: float = 5.0
    request_deadline: float = 60.0
    submit_deadline: float = 300.0
    call_deadline: float = 180.0
    seed: int | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False, compare=False)
    _history: _History = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("submissions_per_period", "attempts"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidParameterError(f"{name} of RetryPolicy must be an integer of at least 1, got {value!r}.")
        for name in (*_PACE, "connect_timeout", "request_deadline", "submit_deadline", "call_deadline"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InvalidParameterError(
                    f"{name} of RetryPolicy must be a finite number of seconds above 0, got {value!r}."
                )
        if not 0 <= self.jitter < 1:
            raise InvalidParameterError(f"jitter of RetryPolicy must be in [0, 1), got {self.jitter!r}.")
        if self.longest_wait < self.first_wait:
            raise InvalidParameterError(
                f"longest_wait of RetryPolicy must be at least first_wait={self.first_wait!r}, "
                f"got {self.longest_wait!r}."
            )
        self._forget()

    def scaled(self, factor: float) -> RetryPolicy:
        """The same policy with all waits multiplied by `factor`; deadlines of requests stay.

        Parameters
        ----------
        factor : float
            Above 0; 0.001 makes a policy for tests.

        Returns
        -------
        RetryPolicy
            With a memory of its own.

        Raises
        ------
        InvalidParameterError
            If `factor` is not a finite number above 0.
        """
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
            raise InvalidParameterError(
                f"factor of RetryPolicy.scaled must be a finite number above 0, got {factor!r}."
            )
        changes: dict[str, Any] = {name: getattr(self, name) * factor for name in _PACE}
        return replace(self, **changes)

    def wait_for_slot(self) -> float:
        """Wait until a job may be submitted, and count it as submitted.

        Returns
        -------
        float
            Seconds waited.
        """
        waited = 0.0
        while True:
            with self._history.lock:
                now = self.clock()
                delay = self._until_slot(now)
                if delay <= 0:
                    self._history.times.append(now)
                    return waited
            self.sleep(delay)
            waited += delay

    def _until_slot(self, now: float) -> float:
        """Seconds until the oldest submission that counts is a whole period old."""
        times = self._history.times
        if len(times) < self.submissions_per_period:
            return 0.0
        return times[0] + self.submission_period - now

    def waits(self) -> Iterator[float]:
        """Waits without end: doubling from `first_wait` to `longest_wait`, each shortened by the jitter.

        Yields
        ------
        float
            Seconds.
        """
        wait = self.first_wait
        while True:
            with self._history.lock:
                part = self._history.random.random()
            yield wait * (1 - self.jitter * part)
            wait = min(2 * wait, self.longest_wait)

    def _forget(self) -> None:
        object.__setattr__(self, "_history", _History(self.submissions_per_period, self.seed))

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self._forget()
