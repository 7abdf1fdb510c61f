"""The way to an account, an instance and a backend of IBM Quantum, with errors that say what to do."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qkernels._errors import ExecutionError, InvalidParameterError, QKernelsError
from qkernels_hardware.service._faults import FaultKind, classify, clean_text
from qkernels_hardware.service._retry import RetryPolicy
from qkernels_hardware.service._transport import bound_requests, quiet, within

if TYPE_CHECKING:
    from qiskit_ibm_runtime import IBMBackend, QiskitRuntimeService

__all__ = ["describe_service", "open_backend", "open_service", "plan_of_instance"]

_SAVE = (
    "Save one once: QiskitRuntimeService.save_account(channel='ibm_quantum_platform', token='<API key>', "
    "instance='<CRN or name>', set_as_default=True), from qiskit_ibm_runtime; or set the environment variables "
    "QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE. API keys are made on https://quantum.cloud.ibm.com."
)
_SHOWN = 10


def open_service(
    service: QiskitRuntimeService | None = None,
    *,
    name: str | None = None,
    instance: str | None = None,
    channel: str | None = None,
    policy: RetryPolicy | None = None,
) -> QiskitRuntimeService:
    """Connect to IBM Quantum with a saved account, or prepare a service that exists.

    Parameters
    ----------
    service : QiskitRuntimeService or None, default=None
        Taken as it is; the other arguments are for None.
    name : str or None, default=None
        Of a saved account; None takes the default one, or the environment variables ``QISKIT_IBM_*``.
    instance : str or None, default=None
        CRN or name of the instance; None takes that of the account.
    channel : str or None, default=None
        "ibm_quantum_platform" or "ibm_cloud"; None takes that of the account.
    policy : RetryPolicy or None, default=None
        Deadlines of its requests; None takes the defaults.

    Returns
    -------
    QiskitRuntimeService
        Its requests have deadlines now, and a submission is never repeated by the client.

    Raises
    ------
    ExecutionError
        If there is no account, the token is rejected, or the service cannot be reached.
    InvalidParameterError
        If `service` is something else, or there is no account `name`, no `instance` or no `channel` of that name.

    Notes
    -----
    About six requests. No token is kept, printed or put into a message.
    """
    from qiskit_ibm_runtime import QiskitRuntimeService

    policy = policy if policy is not None else RetryPolicy()
    if service is not None:
        _check_service(service)
    else:
        given: dict[str, Any] = {"name": name, "instance": instance, "channel": channel}
        arguments = {key: value for key, value in given.items() if value is not None}
        try:
            with quiet():
                service = within(policy.call_deadline, "open the account", lambda: QiskitRuntimeService(**arguments))
        except Exception as error:
            # The chain of client errors holds requests with their headers.
            raise _explain(error, name, instance, channel) from None
    bound_requests(service, policy)
    return service


def open_backend(
    service: QiskitRuntimeService,
    name: str,
    use_fractional_gates: bool = False,
    *,
    instance: str | None = None,
    policy: RetryPolicy | None = None,
) -> IBMBackend:
    """A backend of a service.

    Parameters
    ----------
    service : QiskitRuntimeService
    name : str
        Such as "ibm_fez".
    use_fractional_gates : bool, default=False
        Whether its target has ``rzz`` and ``rx``.
    instance : str or None, default=None
        CRN or name of the instance to use it through; None takes the first that has it.
    policy : RetryPolicy or None, default=None
        Deadlines of the requests; None takes the defaults.

    Returns
    -------
    IBMBackend

    Raises
    ------
    InvalidParameterError
        If the instance has no such backend, or the backend has no fractional gates.
    ExecutionError
        If the service does not list its backends, or not the configuration of this one.
    """
    from qiskit.providers.exceptions import QiskitBackendNotFoundError
    from qiskit_ibm_runtime.exceptions import IBMInputValueError

    policy = policy if policy is not None else RetryPolicy()

    def find() -> IBMBackend:
        backend = service.backend(name, instance=instance, use_fractional_gates=use_fractional_gates)
        _ = backend.target  # read now, inside of the deadline: the client reads properties when they are first needed
        return backend

    try:
        with quiet():
            return within(policy.call_deadline, f"open backend {name}", find)
    except QiskitBackendNotFoundError:
        raise _explain_backend(service, name, policy) from None
    except IBMInputValueError as error:
        raise InvalidParameterError(
            f"Backend {name!r} cannot be opened with use_fractional_gates={use_fractional_gates!r} and "
            f"instance={instance!r}: {clean_text(error)}"
        ) from None
    except QKernelsError:
        raise
    except Exception as error:
        raise _outage(f"backend {name!r} cannot be opened", error) from None


def describe_service(service: QiskitRuntimeService) -> tuple[str, str]:
    """Channel and instance (CRN) of a service: what it can be opened with again, and no secret.

    Parameters
    ----------
    service : QiskitRuntimeService

    Returns
    -------
    channel, instance : str
    """
    return str(service.channel), str(service.active_instance() or "")


def plan_of_instance(service: QiskitRuntimeService, instance: str) -> str:
    """Name of the plan of an instance in small letters; "" where the client does not tell."""
    with contextlib.suppress(Exception):
        for known in service.instances():
            if known.get("crn") == instance:
                return str(known.get("plan") or "").lower()
    return ""


def _check_service(service: object) -> None:
    from qiskit_ibm_runtime import QiskitRuntimeService

    if not isinstance(service, QiskitRuntimeService) or service.is_local:
        raise InvalidParameterError(
            "service must be a QiskitRuntimeService of IBM Quantum or None (the saved account), "
            f"got {type(service).__name__}."
        )


def _explain(error: Exception, name: str | None, instance: str | None, channel: str | None) -> QKernelsError:
    """Our error for one of opening a service."""
    from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError
    from qiskit_ibm_runtime.exceptions import IBMInputValueError

    if isinstance(error, QKernelsError):
        return error
    if isinstance(error, AccountNotFoundError):
        if name is None:
            return ExecutionError(f"No IBM Quantum account was found. {_SAVE}")
        saved = _saved_accounts()
        return InvalidParameterError(f"There is no saved IBM Quantum account {name!r}.{_suggest(name, saved)} {_SAVE}")
    if isinstance(error, IBMInputValueError):
        return _explain_instance(error, name, instance, channel)
    fault = classify(error, "open")
    if fault.kind is FaultKind.ACCOUNT:
        return ExecutionError(
            "IBM Quantum rejected the token of the account: it is empty, mistyped, expired or deleted. "
            f"The service itself answered. {_SAVE} Add overwrite=True to replace a saved account."
        )
    if isinstance(error, ValueError):
        return InvalidParameterError(
            f"The account cannot be opened with name={name!r}, instance={instance!r}, channel={channel!r}: "
            f"{clean_text(error)}"
        )
    return _outage("the account cannot be opened", error)


def _explain_instance(
    error: Exception, name: str | None, instance: str | None, channel: str | None
) -> InvalidParameterError:
    """Our error for an instance that the account has no access to."""
    wanted = instance if instance is not None else "of the account"
    known = _instance_names(name, channel)
    return InvalidParameterError(
        f"instance {wanted!r} is none that this account has access to.{_suggest(str(wanted), known)} "
        f"The client says: {clean_text(error)}"
    )


def _explain_backend(service: QiskitRuntimeService, name: str, policy: RetryPolicy) -> QKernelsError:
    """Our error for a backend that was not found, also because the client swallowed an outage."""
    try:
        with quiet():
            names = within(policy.call_deadline, "list the backends", lambda: _backend_names(service))
    except Exception as error:
        return _outage("the backends cannot be listed", error)
    if not names:
        return ExecutionError(
            "IBM Quantum lists no backends for this instance: either it has none (see "
            "https://quantum.cloud.ibm.com/instances), or the service did not answer; then try again later."
        )
    if name in names:
        return ExecutionError(
            f"Backend {name!r} is listed, but its configuration cannot be read: an outage, or it is being retired. "
            "Try again later."
        )
    return InvalidParameterError(f"backend {name!r} is none that this instance has.{_suggest(name, names)}")


def _outage(what: str, error: BaseException) -> ExecutionError:
    return ExecutionError(
        f"IBM Quantum cannot be reached or does not answer as it should ({what}): an outage or the network; "
        f"your token may be fine. Try again later. The client says: {clean_text(error) or type(error).__name__}"
    )


def _backend_names(service: QiskitRuntimeService) -> list[str]:
    """Names of the backends; of one request where the client allows it."""
    listed = getattr(getattr(service, "_active_api_client", None), "list_backends", None)
    if listed is not None:
        return sorted(str(item["name"]) for item in listed())
    return sorted(str(backend.name) for backend in service.backends())


def _saved_accounts() -> list[str]:
    from qiskit_ibm_runtime import QiskitRuntimeService

    with contextlib.suppress(Exception):
        return sorted(QiskitRuntimeService.saved_accounts())
    return []


def _instance_names(name: str | None, channel: str | None) -> list[str]:
    """Names of the instances of an account; empty where they cannot be had."""
    with contextlib.suppress(Exception), quiet():
        from qiskit_ibm_runtime.accounts import AccountManager

        account: Any = AccountManager.get(name=name, channel=channel)
        found = within(RetryPolicy().call_deadline, "list the instances", account.list_instances)
        return sorted(str(item["name"]) for item in found)
    return []


def _suggest(wanted: str, known: Sequence[str]) -> str:
    """The names that exist, close ones first; "" where none are known."""
    if not known:
        return ""
    close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(repr(item) for item in close)}?"
    shown = ", ".join(repr(item) for item in known[:_SHOWN])
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f" There are {shown}{more}."
