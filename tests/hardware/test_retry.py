"""Waiting and trying again, on a clock of our own."""

from __future__ import annotations

import pickle
import threading
from itertools import islice

import pytest

from qkernels._errors import InvalidParameterError
from qkernels_hardware.service._retry import RetryPolicy


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def policy_on(clock: Clock, **settings: object) -> RetryPolicy:
    return RetryPolicy(clock=clock, sleep=clock.sleep, **settings)  # type: ignore[arg-type]


def test_no_minute_holds_more_than_five_submissions() -> None:
    clock = Clock()
    policy = policy_on(clock)
    times = []
    for pause in (0.0, 50.0, 1.0, 0.0, 3.0, 0.0, 0.0, 2.0, 40.0, 0.0, 0.0, 0.0, 100.0, 0.0):
        clock.sleep(pause)
        policy.wait_for_slot()
        times.append(clock.now)
    assert all(later - earlier >= 60.0 for earlier, later in zip(times, times[5:], strict=False))


def test_the_sixth_submission_waits_until_the_first_is_a_minute_old() -> None:
    clock = Clock()
    policy = policy_on(clock)
    waited = []
    for _ in range(6):
        waited.append(policy.wait_for_slot())
        clock.sleep(1.0)
    assert waited == [0.0, 0.0, 0.0, 0.0, 0.0, 55.0]


def test_threads_share_the_slots() -> None:
    policy = RetryPolicy(submission_period=0.2, submissions_per_period=2)
    taken: list[float] = []

    def submit() -> None:
        policy.wait_for_slot()
        taken.append(policy.clock())

    threads = [threading.Thread(target=submit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    # A slot is counted before the thread notes the time, so a little less than the period may lie between two notes.
    assert taken[4] - taken[0] >= 0.35


def test_waits_double_to_the_longest() -> None:
    assert list(islice(RetryPolicy(jitter=0.0).waits(), 6)) == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_jitter_shortens_waits_by_at_most_its_part() -> None:
    plain = list(islice(RetryPolicy(jitter=0.0).waits(), 50))
    shaken = list(islice(RetryPolicy(jitter=0.25, seed=1).waits(), 50))
    assert all(0.75 * full <= short <= full for full, short in zip(plain, shaken, strict=True))
    assert len(set(shaken)) == 50


def test_a_seed_makes_waits_repeatable() -> None:
    assert list(islice(RetryPolicy(seed=3).waits(), 9)) == list(islice(RetryPolicy(seed=3).waits(), 9))


def test_scaled_changes_waits_and_not_deadlines() -> None:
    policy = RetryPolicy().scaled(0.01)
    waits = (policy.submission_period, policy.first_wait, policy.longest_wait, policy.tag_lag, policy.outage)
    assert waits == pytest.approx((0.6, 0.02, 0.3, 0.6, 9.0))
    assert (policy.connect_timeout, policy.request_deadline, policy.submit_deadline, policy.call_deadline) == (
        5.0,
        60.0,
        300.0,
        180.0,
    )
    assert (policy.submissions_per_period, policy.attempts) == (5, 2)


def test_a_pickle_keeps_the_settings_and_forgets_submissions() -> None:
    policy = RetryPolicy(first_wait=3.0, seed=5)
    for _ in range(5):
        policy.wait_for_slot()
    copy = pickle.loads(pickle.dumps(policy))
    assert copy == policy
    assert copy.wait_for_slot() == 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"submissions_per_period": 0},
            "submissions_per_period of RetryPolicy must be an integer of at least 1, got 0",
        ),
        ({"attempts": 1.5}, "attempts of RetryPolicy must be an integer of at least 1, got 1.5"),
        ({"tag_lag": 0.0}, "tag_lag of RetryPolicy must be a finite number of seconds above 0, got 0.0"),
        ({"outage": float("inf")}, "outage of RetryPolicy must be a finite number of seconds above 0, got inf"),
        ({"request_deadline": "60"}, "request_deadline of RetryPolicy must be a finite number of seconds above 0"),
        ({"jitter": 1.0}, r"jitter of RetryPolicy must be in \[0, 1\), got 1.0"),
        ({"longest_wait": 1.0}, "longest_wait of RetryPolicy must be at least first_wait=2.0, got 1.0"),
    ],
    ids=["submissions", "attempts", "lag", "outage", "deadline", "jitter", "longest"],
)
def test_bad_numbers_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        RetryPolicy(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [0, -1.0, float("nan"), True, "2"])
def test_a_bad_factor_is_refused(factor: object) -> None:
    with pytest.raises(InvalidParameterError, match=r"factor of RetryPolicy\.scaled must be a finite number above 0"):
        RetryPolicy().scaled(factor)  # type: ignore[arg-type]
