"""What an error of the client means for a job: whether it may exist, and what to do next."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from qkernels._errors import ExecutionError, QKernelsError
from qkernels_hardware.work import JobState, JobStatus

__all__ = [
    "DeadlineError",
    "Fault",
    "FaultKind",
    "Step",
    "UnreadableAnswerError",
    "classify",
    "clean_text",
    "judge_job",
    "keep_answer",
]

Step = Literal["open", "find", "submit", "poll", "fetch", "cancel"]


class FaultKind(StrEnum):
    """What to do after a fault."""

    RETRY = "retry"
    """Nothing happened, or nothing that matters: try again."""
    LOOK_UP = "look up"
    """A job may have been made: look for its tag before anything else is submitted."""
    RATE_LIMITED = "rate limited"
    """Nothing happened; wait before trying again."""
    NEW_BATCH = "new batch"
    """Nothing happened: the batch or session takes no more jobs, another one does."""
    REFUSED = "refused"
    """The usage limit of the instance is reached: stop, and come back later."""
    JOB_FAILED = "job failed"
    JOB_CANCELLED = "job cancelled"
    JOB_TOO_LONG = "job too long"
    """Stopped at its maximum execution time."""
    NOT_FOUND = "not found"
    """No job with this id, or none that can still be cancelled."""
    ACCOUNT = "account"
    """No account, a rejected token, or no right to do this."""
    FATAL = "fatal"
    """A mistake in the request, or an error that nothing is known about."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, judged.

    Attributes
    ----------
    kind : FaultKind
    message : str
        One sentence or two, without secrets.
    status : int or None
        HTTP status, where there was one.
    code : int or None
        Reason code of IBM, where there was one.
    again : bool
        For a failed job: whether the reason lies with the service, so that another job may do better.
    """

    kind: FaultKind
    message: str
    status: int | None = None
    code: int | None = None
    again: bool = False


class UnreadableAnswerError(ExecutionError):
    """The service answered with nothing, or with something that is not what it should be."""


class DeadlineError(ExecutionError):
    """A call to the service took longer than it may."""


_CLOSED = 1217
_NO_SESSION = 1218
_TOO_LONG = 1305
_RATE = 1202
# IBM's registry answers to these "retry the action": the validation service, the converter, the backend or its queue
# failed, not the job. A batch that was closed over a waiting job belongs to them. 9999 is an internal error.
_SERVICE_FAILED = frozenset({1000, 1006, 1008, 1010, 1011, _CLOSED, 9999})
_PASSING = frozenset({408, 425})
_HEADER = re.compile(r"(?i)\b(apikey|bearer)\s+[\w.~+/=-]{6,}")
_FIELD = re.compile(r"(?i)\b(\w*(?:token|apikey|api_key|authorization))([\"']?\s*[=:]\s*[\"']?)[\w.~+/=-]{6,}")
_STATUS = re.compile(r"\b([45]\d\d) (?:Client|Server) Error\b")
_CODE = re.compile(r"(?i)(?:error code|[\"']?code[\"']?)\s*[:= ]\s*[\"']?(\d{4})\b")
_LONGEST_TEXT = 600


def clean_text(error: BaseException | str) -> str:
    """The text of an error in one line, without tokens, at most 600 characters."""
    text = " ".join(str(error).split())
    text = _FIELD.sub(r"\1\2***", _HEADER.sub(r"\1 ***", text))
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def classify(error: BaseException, during: Step) -> Fault:
    """What an error of the client means.

    Decided by class, HTTP status and reason code. The client hides the latter two behind ``raise … from None``; the
    chain of contexts still has them. Text counts only where there is nothing else.

    Parameters
    ----------
    error : BaseException
        As the client raised it.
    during : {"open", "find", "submit", "poll", "fetch", "cancel"}
        What was being done.

    Returns
    -------
    Fault
    """
    from qiskit_ibm_runtime import exceptions as client

    if isinstance(error, UnreadableAnswerError | DeadlineError):
        return _make(FaultKind.LOOK_UP if during == "submit" else FaultKind.RETRY, error)
    if isinstance(error, QKernelsError) or not isinstance(error, Exception):
        return _make(FaultKind.FATAL, error)
    if isinstance(error, client.RuntimeJobMaxTimeoutError):
        return _make(FaultKind.JOB_TOO_LONG, error)
    if isinstance(error, client.RuntimeJobFailureError):
        fault = _make(FaultKind.JOB_FAILED, error)
        return _make(FaultKind.JOB_FAILED, error, again=fault.code in _SERVICE_FAILED)
    if isinstance(error, client.RuntimeInvalidStateError):
        return _make(FaultKind.NOT_FOUND if during == "cancel" else FaultKind.JOB_CANCELLED, error)
    if isinstance(error, client.RuntimeJobNotFound):
        return _make(FaultKind.NOT_FOUND, error)
    kind = _account_kind(error, during)
    return _make(kind if kind is not None else _request_kind(error, during), error)


def judge_job(state: JobState) -> Fault | None:
    """What a job that ended without results means; None for all others.

    Parameters
    ----------
    state : JobState

    Returns
    -------
    Fault or None
    """
    text = clean_text(state.reason) or "the service gives no reason"
    where = f"Job {state.job_id}"
    code = state.reason_code
    if state.too_long or (state.status is JobStatus.CANCELLED and code == _TOO_LONG):
        return Fault(FaultKind.JOB_TOO_LONG, f"{where} was stopped at its maximum execution time: {text}.", code=code)
    if state.status is JobStatus.CANCELLED:
        return Fault(FaultKind.JOB_CANCELLED, f"{where} was cancelled: {text}.", code=code)
    if state.status is JobStatus.FAILED:
        again = code in _SERVICE_FAILED
        return Fault(FaultKind.JOB_FAILED, f"{where} failed: {text}.", code=code, again=again)
    return None


def _account_kind(error: Exception, during: Step) -> FaultKind | None:
    """Kinds of errors that concern the account; None for all other errors."""
    from qiskit_ibm_runtime import exceptions as client
    from qiskit_ibm_runtime.accounts.exceptions import InvalidAccountError

    if isinstance(error, InvalidAccountError):
        # The client says "bad token" also where the token service or the search for instances is down.
        cause = error.__cause__
        if cause is None or _status(cause) in (400, 401, 403):
            return FaultKind.ACCOUNT
        return FaultKind.RETRY
    if isinstance(error, client.IBMAccountError):
        return FaultKind.ACCOUNT
    if isinstance(error, client.IBMNotAuthorizedError):
        # 401 also comes while the token service is down: the client then sends the key itself, which is refused.
        return FaultKind.ACCOUNT if during == "open" else FaultKind.RETRY
    return None


def _request_kind(error: Exception, during: Step) -> FaultKind:
    """Kinds of errors of requests."""
    from qiskit.providers.exceptions import JobTimeoutError, QiskitBackendNotFoundError
    from qiskit_ibm_runtime import exceptions as client
    from qiskit_ibm_runtime.api.exceptions import RequestsApiError
    from requests.exceptions import RequestException

    if isinstance(error, client.IBMRuntimeError) and during == "submit":
        return _submission_kind(error)
    if isinstance(error, RequestsApiError | client.IBMRuntimeError):
        return _status_kind(error, during)
    if isinstance(error, QiskitBackendNotFoundError):
        # While submitting, the client reads the list of backends again and takes an unreadable one for an empty one.
        return FaultKind.FATAL if during == "open" else FaultKind.RETRY
    if isinstance(error, JobTimeoutError | client.IBMApiError):
        return FaultKind.RETRY
    if isinstance(error, RequestException | TimeoutError | ConnectionError | json.JSONDecodeError | KeyError):
        # An answer that cannot be read says nothing about what was done before it was sent.
        return FaultKind.LOOK_UP if during == "submit" else FaultKind.RETRY
    return FaultKind.FATAL


def _submission_kind(error: Exception) -> FaultKind:
    """Kinds of errors of ``POST /jobs``, which the client raises as IBMRuntimeError, and of nothing else."""
    status, code = _status(error), _code(error)
    if code in (_CLOSED, _NO_SESSION) or (status is None and "session is closed" in str(error)):
        return FaultKind.NEW_BATCH
    if status == 429 or code == _RATE:
        return FaultKind.RATE_LIMITED
    if status == 409:
        return FaultKind.REFUSED
    if status == 403:
        return FaultKind.ACCOUNT
    if status is not None and 400 <= status < 500 and status not in _PASSING:
        return FaultKind.FATAL
    if status is None and "is not among the instances" in str(error):
        return FaultKind.FATAL
    return FaultKind.LOOK_UP


def _status_kind(error: Exception, during: Step) -> FaultKind:
    """Kinds of errors of all other requests, before or without a submission."""
    status, code = _status(error), _code(error)
    if status == 429 or code == _RATE:
        return FaultKind.RATE_LIMITED
    if during == "submit" and code in (_CLOSED, _NO_SESSION):
        return FaultKind.NEW_BATCH
    if status is None or status >= 500 or status in _PASSING:
        return FaultKind.RETRY
    if status == 401:
        return FaultKind.ACCOUNT if during == "open" else FaultKind.RETRY
    if status == 404 and during in ("poll", "fetch", "cancel"):
        return FaultKind.NOT_FOUND
    if status == 409 and during in ("open", "submit"):
        return FaultKind.REFUSED
    return FaultKind.ACCOUNT if status == 403 else FaultKind.FATAL


def _make(kind: FaultKind, error: BaseException, again: bool = False) -> Fault:
    text = clean_text(error) or type(error).__name__
    return Fault(kind, text, status=_status(error), code=_code(error), again=again)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all errors that it was raised from or in."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def keep_answer(error: BaseException) -> None:
    """Note HTTP status and reason code on the error itself: raised once more, it gets the context of that place."""
    with contextlib.suppress(AttributeError, TypeError):
        error._qkernels_answer = (_status(error), _code(error))  # type: ignore[attr-defined]


def _status(error: BaseException) -> int | None:
    """HTTP status of an error, wherever it is kept; None where there was no answer."""
    kept = getattr(error, "_qkernels_answer", None)
    if kept is not None:
        return kept[0]  # type: ignore[no-any-return]
    for link in _chain(error):
        for holder in (link, getattr(link, "response", None)):
            status = getattr(holder, "status_code", None)
            if isinstance(status, int) and status >= 100:
                return status
    found = _STATUS.search(str(error))
    return int(found.group(1)) if found else None


def _code(error: BaseException) -> int | None:
    """Reason code of an error: from the answer of the service, else from the text that the client made of it."""
    kept = getattr(error, "_qkernels_answer", None)
    if kept is not None:
        return kept[1]  # type: ignore[no-any-return]
    for link in _chain(error):
        code = getattr(link, "_reason_code", None) or _code_of_answer(getattr(link, "response", None))
        if code is not None:
            return code
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else None


def _code_of_answer(response: Any) -> int | None:
    """Reason code in the body of an answer, in its old and its new shape."""
    try:
        body = response.json() if response is not None else {}
        first = body["errors"][0] if body.get("errors") else body.get("error", body)
        return int(first["code"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
