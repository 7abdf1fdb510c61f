"""What errors of the client mean; those made here have the chains of causes that the client gives them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from qiskit.providers.exceptions import QiskitBackendNotFoundError

pytest.importorskip("qiskit_ibm_runtime")

import requests
from ibm_cloud_sdk_core import ApiException
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError, InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import (
    IBMInputValueError,
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobNotFound,
    RuntimeJobTimeoutError,
    RuntimeProgramNotFound,
)

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.service._faults import (
    DeadlineError,
    FaultKind,
    UnreadableAnswerError,
    classify,
    clean_text,
    judge_job,
    keep_answer,
)
from qkernels_hardware.work._jobs import JobState, JobStatus

K = FaultKind
Make = Callable[[], Exception]


def caught(make: Make) -> Exception:
    """The error that a call raises."""
    try:
        make()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def api(status: int, body: object = None) -> Make:
    """As ``RetrySession.request`` raises it for an answer."""

    def make() -> Exception:
        response = requests.Response()
        response.status_code = status
        response._content = json.dumps(body if body is not None else {}).encode()
        response.url = "http://loopback.test/jobs"
        try:
            response.raise_for_status()
        except requests.RequestException as error:
            if status == 401:
                raise IBMNotAuthorizedError(str(error)) from error
            if status == 503:
                raise RequestsApiError(f"Unexpected response received from server. {error}")  # noqa: B904  as the client does
            raise RequestsApiError(f"{error}. {response.text}", status) from error
        raise AssertionError

    return make


def no_answer(reason: str) -> Make:
    """As ``RetrySession.request`` raises it where there is no answer."""

    def make() -> Exception:
        try:
            raise requests.ConnectionError(reason)
        except requests.RequestException as error:
            raise RequestsApiError(reason, -1) from error

    return make


def post(inner: Make) -> Make:
    """As ``QiskitRuntimeService._run`` raises errors of ``POST /jobs``: the status is hidden behind ``from None``."""

    def make() -> Exception:
        try:
            inner()
        except RequestsApiError as error:
            if error.status_code == 404:
                raise RuntimeProgramNotFound(f"Program not found: {error.message}") from None
            raise IBMRuntimeError(f"Failed to run program: {error}") from None
        raise AssertionError

    return make


def account(cause: Exception | None) -> Make:
    def make() -> Exception:
        raise InvalidAccountError("Unable to retrieve instances.") from cause

    return make


def throw(error: Exception) -> Make:
    def make() -> Exception:
        raise error

    return make


def new_shape(code: int) -> dict[str, object]:
    return {"errors": [{"code": code, "message": "something"}]}


def old_shape(code: int) -> dict[str, object]:
    return {"error": {"code": code, "message": "something"}}


ROWS = [
    ("no account", throw(AccountNotFoundError("Unable to find account.")), "open", K.ACCOUNT),
    ("bad token", account(ApiException(400, message="not found")), "open", K.ACCOUNT),
    ("empty token", account(None), "open", K.ACCOUNT),
    ("IAM outage", account(ApiException(503, message="down")), "open", K.RETRY),
    ("IAM not reached", account(requests.ConnectionError("refused")), "open", K.RETRY),
    ("unknown instance", throw(IBMInputValueError("not a valid instance name")), "open", K.FATAL),
    ("backend missing", throw(QiskitBackendNotFoundError("No backend matches")), "open", K.FATAL),
    ("backend list unreadable while submitting", throw(QiskitBackendNotFoundError("No backend")), "submit", K.RETRY),
    ("401 at the start", api(401), "open", K.ACCOUNT),
    ("GET before a POST: 500", api(500), "submit", K.RETRY),
    ("GET before a POST: 503", api(503), "submit", K.RETRY),
    ("GET before a POST: no answer", no_answer("aborted"), "submit", K.RETRY),
    ("opening a batch: 504", api(504), "submit", K.RETRY),
    ("POST 400", post(api(400)), "submit", K.FATAL),
    ("POST 401", api(401), "submit", K.RETRY),
    ("POST 403", post(api(403)), "submit", K.ACCOUNT),
    ("POST 404", post(api(404)), "submit", K.FATAL),
    ("POST 409", post(api(409)), "submit", K.REFUSED),
    ("POST 413", post(api(413)), "submit", K.FATAL),
    ("POST 429", post(api(429)), "submit", K.RATE_LIMITED),
    ("POST 400 with 1202", post(api(400, new_shape(1202))), "submit", K.RATE_LIMITED),
    ("POST 500", post(api(500)), "submit", K.LOOK_UP),
    ("POST 503", post(api(503)), "submit", K.LOOK_UP),
    ("POST 504", post(api(504)), "submit", K.LOOK_UP),
    ("POST repeated too often", post(no_answer("Max retries exceeded")), "submit", K.LOOK_UP),
    ("POST dropped", post(no_answer("Connection aborted.")), "submit", K.LOOK_UP),
    ("POST answered with HTML", throw(requests.JSONDecodeError("Expecting value", "<html>", 0)), "submit", K.LOOK_UP),
    ("POST answered without an id", throw(KeyError("id")), "submit", K.LOOK_UP),
    ("POST given up", throw(DeadlineError("no answer")), "submit", K.LOOK_UP),
    ("batch closed here", throw(IBMRuntimeError("The session is closed.")), "submit", K.NEW_BATCH),
    ("batch closed there, new shape", post(api(400, new_shape(1217))), "submit", K.NEW_BATCH),
    ("batch closed there, old shape", post(api(400, old_shape(1217))), "submit", K.NEW_BATCH),
    (
        "instance of another service",
        throw(IBMRuntimeError("The backend crn (c) is not among the instances")),
        "submit",
        K.FATAL,
    ),
    (
        "circuit refused by the client",
        throw(IBMInputValueError("All pubs must have the same number")),
        "submit",
        K.FATAL,
    ),
    ("job failed", throw(RuntimeJobFailureError("Unable to retrieve job result. x")), "fetch", K.JOB_FAILED),
    ("job cancelled", throw(RuntimeInvalidStateError("Job was cancelled.")), "fetch", K.JOB_CANCELLED),
    ("job too long", throw(RuntimeJobMaxTimeoutError("Error code 1305; ran too long")), "fetch", K.JOB_TOO_LONG),
    ("timeout passed", throw(RuntimeJobTimeoutError("Timed out")), "fetch", K.RETRY),
    ("GET 500 while waiting", api(500), "poll", K.RETRY),
    ("GET 503 while waiting", api(503), "poll", K.RETRY),
    ("GET repeated too often", no_answer("Max retries exceeded"), "poll", K.RETRY),
    ("GET dropped", no_answer("Connection aborted."), "poll", K.RETRY),
    ("GET 429", api(429), "poll", K.RATE_LIMITED),
    ("GET 404", api(404), "poll", K.NOT_FOUND),
    ("GET 403", api(403), "poll", K.ACCOUNT),
    ("GET 400", api(400), "poll", K.FATAL),
    ("GET 401 while IAM is down", api(401), "poll", K.RETRY),
    ("GET answered with HTML", throw(requests.JSONDecodeError("Expecting value", "<html>", 0)), "poll", K.RETRY),
    ("results truncated", no_answer("IncompleteRead"), "fetch", K.RETRY),
    ("results empty", throw(UnreadableAnswerError("The results of job j are empty")), "fetch", K.RETRY),
    ("cancel a finished job", throw(RuntimeInvalidStateError("Job cannot be cancelled")), "cancel", K.NOT_FOUND),
    ("cancel, 500", throw(IBMRuntimeError("Failed to cancel job: '500 Server Error: x'")), "cancel", K.RETRY),
    ("service.job(bad id)", throw(RuntimeJobNotFound("Job not found: j")), "fetch", K.NOT_FOUND),
    ("service.job with 5xx", throw(IBMRuntimeError("Failed to retrieve job: '502 Server Error: x'")), "fetch", K.RETRY),
    ("look-up of tags, 500", api(500), "find", K.RETRY),
    ("call given up", throw(DeadlineError("no answer")), "find", K.RETRY),
    ("error of ours", throw(InvalidParameterError("no")), "submit", K.FATAL),
    ("anything else", throw(ZeroDivisionError("division by zero")), "poll", K.FATAL),
]


@pytest.mark.parametrize(("make", "during", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_kind_of_each_fault(make: Make, during: str, kind: FaultKind) -> None:
    assert classify(caught(make), during).kind is kind  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "during", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_kind_survives_another_raise_in_the_handler_of_an_unrelated_error(
    make: Make, during: str, kind: FaultKind
) -> None:
    error = caught(make)
    keep_answer(error)

    def once_more() -> Exception:
        try:
            api(409, new_shape(1217))()
        except RequestsApiError:
            raise error  # noqa: B904  the context that Python adds is the point
        raise AssertionError

    assert classify(caught(once_more), during).kind is kind  # type: ignore[arg-type]


def test_ctrl_c_is_nothing_to_try_again() -> None:
    assert classify(KeyboardInterrupt(), "submit").kind is K.FATAL


def test_status_and_code_are_reported() -> None:
    fault = classify(caught(post(api(409, new_shape(1299)))), "submit")
    assert (fault.status, fault.code) == (409, 1299)


def test_the_code_is_found_in_a_text_where_nothing_else_is_left() -> None:
    assert classify(IBMRuntimeError('Failed to run program: {"errors":[{"code":1217}]}'), "submit").kind is K.NEW_BATCH


@pytest.mark.parametrize(
    ("code", "again"), [(1010, True), (9999, True), (1217, True), (1003, False), (None, False)], ids=str
)
def test_a_failed_job_is_worth_another_one_where_the_service_failed(code: int | None, again: bool) -> None:
    text = "it" if code is None else f"Error code {code}; it"
    assert classify(RuntimeJobFailureError(f"Unable to retrieve job result. {text}"), "fetch").again is again
    state = JobState("j1", JobStatus.FAILED, reason="it", reason_code=code)
    fault = judge_job(state)
    assert fault is not None
    assert (fault.kind, fault.again) == (K.JOB_FAILED, again)
    assert "j1" in fault.message


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (JobState("j", JobStatus.QUEUED), None),
        (JobState("j", JobStatus.RUNNING), None),
        (JobState("j", JobStatus.DONE), None),
        (JobState("j", JobStatus.CANCELLED), K.JOB_CANCELLED),
        (JobState("j", JobStatus.CANCELLED, reason_code=1305), K.JOB_TOO_LONG),
        (JobState("j", JobStatus.FAILED, too_long=True), K.JOB_TOO_LONG),
    ],
    ids=["queued", "running", "done", "cancelled", "1305", "too long"],
)
def test_what_a_state_means(state: JobState, kind: FaultKind | None) -> None:
    fault = judge_job(state)
    assert (None if fault is None else fault.kind) is kind


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer obviously-not-a-token",
        "header apikey obviously-not-a-token was sent",
        "{'access_token': 'obviously-not-a-token'}",
        'token="obviously-not-a-token"',
        "QISKIT_IBM_TOKEN=obviously-not-a-token",
    ],
    ids=["bearer", "apikey", "json", "keyword", "environment"],
)
def test_messages_hold_no_token(text: str) -> None:
    assert "obviously" not in clean_text(text)
    assert "obviously" not in classify(IBMRuntimeError(text), "poll").message


def test_ordinary_words_about_tokens_stay() -> None:
    assert clean_text("the token service is not available") == "the token service is not available"


def test_messages_are_one_line_of_bounded_length() -> None:
    text = clean_text("a\n b " + "c" * 5000)
    assert text.startswith("a b ccc")
    assert len(text) == 600


def test_errors_of_the_connection_are_execution_errors() -> None:
    assert issubclass(DeadlineError, ExecutionError)
    assert issubclass(UnreadableAnswerError, ExecutionError)
