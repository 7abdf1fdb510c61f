"""A backend of IBM Quantum as a place where jobs go, through the unmodified client."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from qkernels._errors import ExecutionError, InvalidParameterError, QKernelsWarning
from qkernels_hardware.service._account import describe_service, open_backend, open_service, plan_of_instance
from qkernels_hardware.service._answers import (
    by_age,
    calibration_stamp,
    entry,
    job_state,
    public_state,
    read_bits,
    read_values,
    time_of_run,
)
from qkernels_hardware.service._faults import FaultKind, UnreadableAnswerError, classify, clean_text
from qkernels_hardware.service._options import primitive_options
from qkernels_hardware.service._retry import RetryPolicy
from qkernels_hardware.service._transport import bound_requests, quiet, within
from qkernels_hardware.work import Job, JobState, MeasuredCircuit, Primitive, Samples

if TYPE_CHECKING:
    from qiskit_ibm_runtime import IBMBackend, QiskitRuntimeService

__all__ = ["Mode", "RemoteConnection"]

_T = TypeVar("_T")
Mode = Literal["batch", "job", "session"]
_MODES = ("batch", "job", "session")
_PAGE = 20

log = logging.getLogger(__name__)


class RemoteConnection:
    """A backend of IBM Quantum.

    Nothing is sent before the first call that needs it. Every call has a deadline. What the client prints and warns
    about is held back; what matters of it comes from `check`.

    Parameters
    ----------
    backend : IBMBackend or str
        A name is looked up when it is needed.
    service : QiskitRuntimeService or None, default=None
        None takes that of the backend, or opens one with the three arguments below.
    mode : {"batch", "job", "session"}, default="batch"
        Batch and session are opened by the first submission and ended by `close`; after that, or after their time is
        over, the next submission opens another one.
    policy : RetryPolicy or None, default=None
        Deadlines.
    account, instance, channel : str or None, default=None
        As `name`, `instance` and `channel` of `open_service`.
    use_fractional_gates : bool, default=False
        For a backend that is looked up by name.

    Attributes
    ----------
    name : str
    durable : bool
        True.
    mode : {"batch", "job", "session"}
    policy : RetryPolicy

    Raises
    ------
    InvalidParameterError
        If `backend`, `service` or `mode` is something else.

    Notes
    -----
    A pickle holds the names of backend, account, instance and channel, and no token: where it is opened again, the
    account has to be saved there or given by the environment.
    """

    durable = True

    def __init__(
        self,
        backend: IBMBackend | str,
        *,
        service: QiskitRuntimeService | None = None,
        mode: Mode = "batch",
        policy: RetryPolicy | None = None,
        account: str | None = None,
        instance: str | None = None,
        channel: str | None = None,
        use_fractional_gates: bool = False,
    ) -> None:
        if mode not in _MODES:
            raise InvalidParameterError(f"mode of RuntimeEngine must be 'batch', 'job' or 'session', got {mode!r}.")
        self.mode: Mode = mode
        self.policy = policy if policy is not None else RetryPolicy()
        self._account, self._instance, self._channel = account, instance, channel
        self._fractional = bool(use_fractional_gates)
        self._service: QiskitRuntimeService | None = None
        self._backend: IBMBackend | None = None
        self._target_of = ""
        if isinstance(backend, str):
            self.name = backend
        else:
            self._take_backend(backend)
        if service is not None:
            self._take_service(service)
        self._lock = threading.RLock()
        self._workload: Any = None

    # Account ----------------------------------------------------------------------------------------------------

    def _take_backend(self, backend: object) -> None:
        from qiskit_ibm_runtime import IBMBackend

        if not isinstance(backend, IBMBackend):
            raise InvalidParameterError(
                f"backend of RemoteConnection must be an IBMBackend or its name, got {type(backend).__name__}."
            )
        self.name = str(backend.name)
        self._backend = backend
        self._fractional = bool(getattr(backend.options, "use_fractional_gates", False))
        self._take_service(backend.service)
        self._instance = str(getattr(backend, "_instance", None) or self._instance or "") or None

    def _take_service(self, service: QiskitRuntimeService) -> None:
        self._service = open_service(service, policy=self.policy)
        channel, instance = describe_service(service)
        self._channel = self._channel or channel
        self._instance = self._instance or instance or None

    @property
    def service(self) -> QiskitRuntimeService:
        """The service; opened when it is first needed (about six requests)."""
        with self._lock:
            if self._service is not None:
                return self._service
            service = open_service(
                name=self._account,
                instance=self._instance,
                channel=None if self._account else self._channel,
                policy=self.policy,
            )
            self._take_service(service)
            self._channel, self._instance = describe_service(service)
            return service

    @property
    def backend(self) -> IBMBackend:
        """The backend; looked up when it is first needed."""
        with self._lock:
            if self._backend is None:
                service = self.service
                self._backend = open_backend(
                    service, self.name, self._fractional, instance=self._instance, policy=self.policy
                )
                self._instance = str(getattr(self._backend, "_instance", None) or self._instance or "") or None
                bound_requests(service, self.policy)
            return self._backend

    @property
    def instance(self) -> str:
        """CRN of the instance, for the ledger; "" where it is not known yet."""
        return self._instance or ""

    @property
    def channel(self) -> str:
        """Channel of the account; "" where it is not known yet."""
        return self._channel or ""

    # Jobs -------------------------------------------------------------------------------------------------------

    def submit(self, job: Job) -> str:
        """Submit a job, once; its id. One PUB with all rows.

        Three requests; one more opens the batch or session.

        Raises
        ------
        InvalidParameterError
            An option is refused.
        Exception
            What the client raises; see `classify`.
        """
        options = _job_options(job)
        backend = self.backend
        seconds = self.policy.submit_deadline + self.policy.call_deadline
        return self._call("submit a job", lambda: self._post(job, options, backend), seconds)

    def _post(self, job: Job, options: Any, backend: IBMBackend) -> str:
        from qiskit_ibm_runtime.executor_estimator import Estimator
        from qiskit_ibm_runtime.executor_sampler import Sampler

        mode = self._open_workload(backend)
        circuit = job.circuit.circuit
        if job.primitive == "sampler":
            pub = (circuit, job.values) if circuit.num_parameters else (circuit,)
            return str(Sampler(mode=mode, options=options).run([pub], shots=job.shots).job_id())
        observables = list(job.circuit.observables)
        bindings = (job.values[:, None, :],) if circuit.num_parameters else ()
        # The client takes ⌈1/precision²⌉ shots: half a shot less keeps rounding from adding one.
        precision = (job.shots - 0.5) ** -0.5
        run = Estimator(mode=mode, options=options).run([(circuit, observables, *bindings)], precision=precision)
        return str(run.job_id())

    def _open_workload(self, backend: IBMBackend) -> Any:
        """The batch or session that is open, or a new one; in job mode one that the service knows nothing of."""
        from qiskit_ibm_runtime import Batch, Session

        if self.mode == "job":
            # With the backend itself the client looks it up by name once more, and submits to the first instance of
            # the account that has one of this name. A batch without an id keeps to this backend.
            return Batch(backend=backend, create_new=False)
        with self._lock:
            if self._workload is None:
                if self.mode == "session":
                    self._refuse_open_plan()
                self._workload = (Batch if self.mode == "batch" else Session)(backend=backend)
            return self._workload

    def _refuse_open_plan(self) -> None:
        if plan_of_instance(self.service, self.instance) == "open":
            raise InvalidParameterError(
                "mode of RuntimeEngine must be 'batch' or 'job' on the Open Plan, which has no sessions, got 'session'."
            )

    @property
    def session_id(self) -> str:
        """Id of the batch or session that is open; "" where there is none."""
        return str(getattr(self._workload, "session_id", None) or "")

    def find(self, tag: str, since: datetime | None = None) -> list[JobState]:
        """Jobs with a tag, oldest first: of one page of 20, a tag belongs to one attempt or one block.

        `since` is compared with the clock of the service; without a zone it is local time.
        """
        if since is not None and since.tzinfo is not None:
            since = since.astimezone(UTC)  # the client takes any other zone for the local one
        page = self._api("jobs_get")
        if page is None:
            return self._find_slowly(tag, since)
        answer = self._call("look for a job by its tag", lambda: page(limit=_PAGE, job_tags=[tag], created_after=since))
        found = {}
        for item in entry(answer, "jobs"):
            if tag in item.get("tags", [tag]):
                state = job_state(item)
                found[state.job_id] = state
        return sorted(found.values(), key=by_age)

    def _find_slowly(self, tag: str, since: datetime | None) -> list[JobState]:
        """Through the public call, which never ends where the service counts differently than it lists."""
        service = self.service
        jobs = self._call(
            "look for a job by its tag",
            lambda: [public_state(job) for job in service.jobs(limit=_PAGE, job_tags=[tag], created_after=since)],
        )
        return sorted(jobs, key=by_age)

    def state(self, job_id: str) -> JobState:
        """Where a job stands now. One request."""
        get = self._api("job_get")
        if get is None:
            service = self.service
            return self._call("ask for a job", lambda: public_state(service.job(job_id)))
        return job_state(self._call("ask for a job", lambda: get(job_id)))

    def fetch(self, job_id: str, circuit: MeasuredCircuit, primitive: Primitive) -> Samples:
        """The results of a finished job, downloaded anew each time. Three requests.

        Raises
        ------
        UnreadableAnswerError
            They are empty or not those of `circuit`; downloading them again may help.
        Exception
            What the client raises; see `classify`.
        """
        service = self.service

        def download() -> Any:
            job = service.job(job_id)
            try:
                return job.result(timeout=self.policy.request_deadline)
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableAnswerError(
                    f"The results of job {job_id} cannot be read: {type(error).__name__}: {clean_text(error)}"
                ) from error

        result = self._call("download results", download)
        try:
            data = result[0].data
            return read_bits(data, circuit, job_id) if primitive == "sampler" else read_values(data, circuit)
        except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
            # None where the service sends an empty answer; the client says nothing.
            what = "are empty" if result is None else f"cannot be read ({type(error).__name__}: {clean_text(error)})"
            raise UnreadableAnswerError(
                f"The results of job {job_id} {what}; downloading them again may help."
            ) from error

    def usage(self, job_id: str) -> float | None:
        """QPU seconds that a job was billed; None as long as the bill is not complete."""
        metrics = self._metrics("ask for a bill", job_id)
        usage = metrics.get("usage") if isinstance(metrics, Mapping) else None
        if not isinstance(usage, Mapping) or usage.get("status", "complete") == "pending":
            return None
        seconds = usage.get("quantum_seconds")
        return None if seconds is None else float(seconds)

    def _metrics(self, what: str, job_id: str) -> Any:
        ask, service = self._api("job_metadata"), self.service
        return self._call(what, lambda: (ask or (lambda job: service.job(job).metrics()))(job_id))

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; whether it was still possible."""
        service = self.service
        try:
            self._call("cancel a job", lambda: service.job(job_id).cancel())
        except Exception as error:
            if classify(error, "cancel").kind is FaultKind.NOT_FOUND:
                return False
            raise
        return True

    # Backend ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Look whether the backend takes jobs and the instance has time.

        Raises
        ------
        ExecutionError
            If it is offline. Jobs would be accepted, and wait.
        InvalidParameterError
            If `mode` is "session" on the Open Plan.

        Warns
        -----
        QKernelsWarning
            If the backend is paused, or the usage limit of the instance is reached: jobs will wait.
        """
        backend, service = self.backend, self.service
        if self.mode == "session":
            self._refuse_open_plan()
        status = self._call("ask for the backend", backend.status)
        if not status.operational:
            raise ExecutionError(
                f"Backend {self.name} is offline ({status.status_msg}). IBM would accept jobs, and they would wait. "
                "Choose another backend, or try again later."
            )
        if status.status_msg != "active":
            warnings.warn(
                f"Backend {self.name} is {status.status_msg}: it accepts jobs, but runs none for now.",
                QKernelsWarning,
                stacklevel=2,
            )
        if self._call("ask for the usage", service.usage).get("usage_limit_reached"):
            warnings.warn(
                "The usage limit of the instance is reached: jobs will wait until it has time again.",
                QKernelsWarning,
                stacklevel=2,
            )

    def remaining(self) -> float | None:
        """QPU seconds that the instance has left; None where the service does not tell."""
        seconds = self._call("ask for the usage", self.service.usage).get("usage_remaining_seconds")
        return None if seconds is None else float(seconds)

    def calibration(self) -> str:
        """Time of the current calibration, ISO 8601 in UTC; "" where there is none.

        Two requests more where it is another one than at the last call: gates and errors of `backend` are read anew.
        """
        backend = self.backend
        properties = self._call("read the calibration", lambda: backend.properties(refresh=True))
        found = calibration_stamp(properties)
        if found != self._target_of:
            self._call("read the backend", backend.refresh)
            self._target_of = found
        return found

    def calibration_of(self, job_id: str) -> str:
        """Time of the calibration under which a job ran, as `calibration` says it; "" where that is not known.

        Two requests.
        """
        moment = time_of_run(self._metrics("ask when a job ran", job_id))
        if moment is None:
            return ""
        backend = self.backend
        return calibration_stamp(
            self._call("read the calibration of a job", lambda: backend.properties(datetime=moment))
        )

    def close(self) -> None:
        """End the batch or session; its jobs still run. Never raises: what does not end now ends by itself."""
        with self._lock:
            workload, self._workload = self._workload, None
        if workload is None:
            return
        try:
            self._call("close the batch", workload.close)
        except Exception as error:
            log.info("%s of %s was not closed: %s", self.mode, self.name, clean_text(error))

    # Calls ------------------------------------------------------------------------------------------------------

    def _call(self, what: str, call: Callable[[], _T], seconds: float | None = None) -> _T:
        with quiet():
            return within(self.policy.call_deadline if seconds is None else seconds, what, call)

    def _api(self, name: str) -> Any:
        """A call of the client that its public interface has no equal for; None where it is gone."""
        service = self.service
        client = None
        with contextlib.suppress(Exception):
            client = service._get_api_client(self._instance)
        return getattr(client or getattr(service, "_active_api_client", None), name, None)

    def __repr__(self) -> str:
        return f"RemoteConnection({self.name!r}, mode={self.mode!r}, instance={self.instance!r})"

    def __getstate__(self) -> dict[str, Any]:
        hidden = {"_service": None, "_backend": None, "_workload": None, "_target_of": ""}
        return {key: value for key, value in (self.__dict__ | hidden).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()


def _job_options(job: Job) -> Any:
    """Options of the client with what is ours: tags and the limit of QPU time."""
    options = primitive_options(job.primitive, job.options, local=False)
    if options.environment.private:
        raise InvalidParameterError(
            "options of RuntimeEngine must not hold environment.private=True: the results of a private job can be read "
            "once, so that an interrupted download would lose what was paid for."
        )
    options.environment.job_tags = list(job.tags)
    options.max_execution_time = int(job.max_execution_time)
    return options
