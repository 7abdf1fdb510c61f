"""Calls of the IBM client with an end: deadlines, no silent second submission, and nothing printed or warned."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from qkernels_hardware.service._faults import DeadlineError, keep_answer
from qkernels_hardware.service._retry import RetryPolicy

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService

__all__ = ["bound_requests", "quiet", "within"]

_T = TypeVar("_T")
_CLIENT = "qiskit_ibm_runtime"
_CLIENT_MODULES = rf"({_CLIENT}|qiskit_mitigation|samplomatic|ibm_cloud_sdk_core|ibm_platform_services)(\..*)?"

_here = threading.local()
_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_filter: Any = None
_quiet_level: int | None = None


def within(seconds: float, what: str, call: Callable[[], _T]) -> _T:
    """Do `call` on a thread of its own and wait for it at most `seconds`.

    The client has calls that never end: reads without a timeout, and pages of jobs that are counted differently than
    they are listed. A call given up goes on in the background, but starts no further request.

    Raises
    ------
    DeadlineError
        If it takes longer.
    """
    outcome: list[_T] = []
    failure: list[BaseException] = []
    given_up, finished = threading.Event(), threading.Event()

    def work() -> None:
        _here.given_up = given_up
        try:
            outcome.append(call())
        except BaseException as error:
            keep_answer(error)
            failure.append(error)
        finally:
            finished.set()

    threading.Thread(target=work, daemon=True, name="qkernels-ibm").start()
    try:
        done = finished.wait(seconds)
    except BaseException:  # Ctrl-C
        given_up.set()
        raise
    if not done:
        given_up.set()
        raise DeadlineError(
            f"No answer of IBM Quantum within {seconds:g} s ({what}). What was submitted is not lost; try again later."
        )
    if failure:
        raise failure[0]
    return outcome[0]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and log lines of the client from the user, who gets those that matter from us.

    Where warnings are errors they would break a call half-way. Both settings belong to the whole process, so they are
    changed by the first user and put back by the last one; only modules of the client are concerned.
    """
    _enter_quiet()
    try:
        yield
    finally:
        _leave_quiet()


def _enter_quiet() -> None:
    global _quiet_users, _quiet_filter, _quiet_level
    with _quiet_lock:
        _quiet_users += 1
        if _quiet_users > 1:
            return
        warnings.filterwarnings("ignore", module=_CLIENT_MODULES)
        _quiet_filter = warnings.filters[0]
        logger = logging.getLogger(_CLIENT)
        _quiet_level = logger.level
        if logger.getEffectiveLevel() == logging.WARNING:  # what users who set nothing have
            logger.setLevel(logging.ERROR)


def _leave_quiet() -> None:
    global _quiet_users
    with _quiet_lock:
        _quiet_users -= 1
        if _quiet_users:
            return
        with contextlib.suppress(ValueError, AttributeError):
            warnings.filters.remove(_quiet_filter)  # type: ignore[attr-defined]
        if _quiet_level is not None:
            logging.getLogger(_CLIENT).setLevel(_quiet_level)


def bound_requests(service: QiskitRuntimeService, policy: RetryPolicy) -> None:
    """Give every request of a service a deadline, and send every submission once.

    The client repeats a submission that was answered with 5xx, though the job may exist, and waits for answers without
    end. Both are settings of its HTTP session, which is private; where it is not as expected it stays as it is, and
    looking up tags and `within` still hold.
    """
    clients = [
        getattr(service, "_active_api_client", None),
        *dict(getattr(service, "_api_clients", None) or {}).values(),
    ]
    for client in clients:
        session = getattr(client, "_session", None)
        for prefix, adapter in dict(getattr(session, "adapters", None) or {}).items():
            if type(getattr(adapter, "max_retries", None)).__name__ == "PostForcelistRetry":
                session.mount(prefix, _adapter_class()(policy))  # type: ignore[union-attr]
        if session is not None and hasattr(session, "_timeout"):
            session._timeout = (policy.connect_timeout, policy.request_deadline)


@functools.cache
def _adapter_class() -> Callable[[RetryPolicy], Any]:
    """The adapter, made late: requests is not needed where nothing is sent."""
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as RequestsConnectionError
    from urllib3.util.retry import Retry

    class BoundedAdapter(HTTPAdapter):
        """Requests with an end, of which only those that change nothing are repeated."""

        def __init__(self, policy: RetryPolicy) -> None:
            self._policy = policy
            # Connections that never stood are tried again for all, broken ones for GET alone; the status of an answer
            # is for `classify`.
            retries = Retry(
                total=2,
                connect=2,
                read=1,
                backoff_factor=0.1,
                allowed_methods=frozenset({"GET"}),
                status_forcelist=(),
                respect_retry_after_header=False,
                raise_on_status=False,
            )
            super().__init__(max_retries=retries)

        def send(
            self, request: PreparedRequest, stream: bool = False, timeout: Any = None, *args: Any, **kwargs: Any
        ) -> Response:
            given_up = getattr(_here, "given_up", None)
            if given_up is not None and given_up.is_set():
                raise RequestsConnectionError("The call that makes this request was given up.", request=request)
            longest = self._policy.submit_deadline if request.method == "POST" else self._policy.request_deadline
            bounded = (self._policy.connect_timeout, longest)
            return super().send(request, stream, bounded, *args, **kwargs)

    return BoundedAdapter
