"""Opening accounts, instances and backends against a server on this machine; every failure says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("qiskit_ibm_runtime.executor_sampler", reason="the client has no executor")
pytest.importorskip("qiskit_aer")

from qkernels._errors import ExecutionError, InvalidParameterError
from qkernels_hardware.service._account import describe_service, open_backend, open_service, plan_of_instance
from qkernels_hardware.service._retry import RetryPolicy
from tests.loopback.handle import Loopback

SHORT = RetryPolicy(call_deadline=5.0, request_deadline=1.0)


def save_account(name: str, **account: object) -> None:
    """Write an account as the client keeps it, also one that it would not save."""
    from qiskit_ibm_runtime.accounts import management

    path = Path(management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE)
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {name: {"channel": "ibm_quantum_platform", **account}}))


def saved(loopback: Loopback, name: str, **changes: object) -> None:
    save_account(name, **({"token": loopback.token, "url": loopback.url, "instance": loopback.crn} | changes))


def without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "URL", "INSTANCE", "CHANNEL"):
        monkeypatch.delenv(f"QISKIT_IBM_{name}", raising=False)


def test_the_environment_is_an_account(loopback: Loopback) -> None:
    service = open_service()
    assert describe_service(service) == ("ibm_quantum_platform", loopback.crn)
    assert open_backend(service, "ibm_manila").num_qubits == 5


def test_a_saved_account_is_opened_by_its_name(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    without_environment(monkeypatch)
    saved(loopback, "lab")
    assert describe_service(open_service(name="lab")) == ("ibm_quantum_platform", loopback.crn)


def test_an_instance_is_opened_by_its_name(loopback: Loopback) -> None:
    _, instance = describe_service(open_service(instance="loopback-paid"))
    assert instance != loopback.crn
    assert "loopback-paid" in instance


def test_a_service_that_exists_is_taken(loopback: Loopback) -> None:
    service = loopback.service()
    assert open_service(service) is service


def test_the_client_prints_nothing(loopback: Loopback, capfd: pytest.CaptureFixture[str]) -> None:
    open_backend(open_service(instance="loopback-paid"), "ibm_manila")
    assert capfd.readouterr() == ("", "")


def test_the_plan_of_an_instance(loopback: Loopback) -> None:
    service = open_service()
    assert plan_of_instance(service, loopback.crn) == "open"
    assert plan_of_instance(service, "crn:of:another") == ""


def test_no_account_says_how_to_save_one(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    without_environment(monkeypatch)
    with pytest.raises(ExecutionError, match=r"No IBM Quantum account.*save_account\(channel='ibm_quantum_platform'"):
        open_service()


def test_the_advice_on_saving_is_a_call_that_works(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    from qiskit_ibm_runtime import QiskitRuntimeService

    without_environment(monkeypatch)
    with pytest.raises(ExecutionError) as caught:
        open_service()
    call = "QiskitRuntimeService.save_account" + str(caught.value).split("QiskitRuntimeService.save_account")[1]
    call = call[: call.index("True)") + 5].replace("<API key>", loopback.token).replace("<CRN or name>", loopback.crn)
    eval(call, {"QiskitRuntimeService": QiskitRuntimeService})
    assert list(QiskitRuntimeService.saved_accounts()) == ["default-ibm-quantum-platform"]


def test_an_unknown_account_name_shows_close_ones(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    without_environment(monkeypatch)
    saved(loopback, "laboratory")
    with pytest.raises(
        InvalidParameterError, match=r"no saved IBM Quantum account 'labratory'\. Did you mean 'laboratory'\?"
    ):
        open_service(name="labratory")


def test_a_rejected_token(loopback: Loopback) -> None:
    loopback.fault("bad_key", times=None)
    with pytest.raises(ExecutionError, match="rejected the token") as caught:
        open_service(policy=SHORT)
    assert "outage" not in str(caught.value)
    assert loopback.token not in str(caught.value)


def test_an_empty_token_is_a_rejected_one(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    without_environment(monkeypatch)
    saved(loopback, "lab", token="")
    with pytest.raises(ExecutionError, match="rejected the token of the account: it is empty"):
        open_service(name="lab")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "iam_outage"},
        {"kind": "drop_before", "path": "^/identity/token$"},
        {"kind": "status", "path": "search$", "code": 500},
        {"kind": "delay", "path": "search$", "seconds": 30.0},
    ],
    ids=["token service down", "token service not reached", "search down", "search hangs"],
)
def test_an_outage_does_not_look_like_a_bad_token(loopback: Loopback, fault: dict[str, object]) -> None:
    kind = str(fault.pop("kind"))
    loopback.fault(kind, times=None, **fault)
    policy = RetryPolicy(call_deadline=1.0) if kind == "delay" else SHORT
    with pytest.raises(ExecutionError, match=r"outage|No answer of IBM Quantum within 1 s") as caught:
        open_service(policy=policy)
    assert "rejected" not in str(caught.value)
    assert loopback.token not in str(caught.value)


def test_an_unknown_instance_name_shows_close_ones(loopback: Loopback) -> None:
    with pytest.raises(InvalidParameterError, match=r"instance 'loopback-opne' is none.*Did you mean 'loopback-open'"):
        open_service(instance="loopback-opne")


def test_an_unknown_crn_shows_the_instances(loopback: Loopback) -> None:
    crn = "crn:v1:bluemix:public:quantum-computing:us-east:a/other:other::"
    with pytest.raises(InvalidParameterError, match="There are 'loopback-open', 'loopback-paid'"):
        open_service(instance=crn)


def test_an_unknown_channel(loopback: Loopback) -> None:
    with pytest.raises(InvalidParameterError, match=r"channel='ibm_quantum'.*'ibm_quantum_platform'"):
        open_service(channel="ibm_quantum")


@pytest.mark.parametrize("service", ["ibm_fez", 7], ids=["str", "int"])
def test_something_else_is_no_service(service: object) -> None:
    with pytest.raises(
        InvalidParameterError, match=f"service must be a QiskitRuntimeService.*got {type(service).__name__}"
    ):
        open_service(service)  # type: ignore[arg-type]


def test_a_local_service_is_none_of_ibm() -> None:
    from qiskit_ibm_runtime import QiskitRuntimeService

    with pytest.raises(InvalidParameterError, match=r"service must be .* got QiskitRuntimeLocalService"):
        open_service(QiskitRuntimeService(channel="local"))


def test_an_unknown_backend_shows_close_ones(loopback: Loopback) -> None:
    with pytest.raises(InvalidParameterError, match=r"backend 'ibm_manilla' is none.*Did you mean 'ibm_manila'\?"):
        open_backend(open_service(), "ibm_manilla")


def test_a_backend_without_fractional_gates(loopback: Loopback) -> None:
    with pytest.raises(InvalidParameterError, match="'ibm_manila' cannot be opened with use_fractional_gates=True"):
        open_backend(open_service(), "ibm_manila", use_fractional_gates=True)


def test_backends_that_cannot_be_listed_are_an_outage(loopback: Loopback) -> None:
    service = open_service()
    loopback.fault("status", path="^/backends", code=503, times=None)
    with pytest.raises(ExecutionError, match=r"backends cannot be listed.*your token may be fine"):
        open_backend(service, "ibm_manila")


def test_a_service_that_was_opened_in_an_outage_finds_its_backends_later(loopback: Loopback) -> None:
    # The client gives a service without backends then, and says nothing; 501 is none that it repeats for 15 s.
    rule = loopback.fault("status", path="^/backends", code=501, times=None)
    service = open_service()
    with pytest.raises(ExecutionError, match="backends cannot be listed"):
        open_backend(service, "ibm_manila")
    loopback.clear(rule)
    assert open_backend(service, "ibm_manila").name == "ibm_manila"


def test_a_configuration_that_cannot_be_read(loopback: Loopback) -> None:
    service = open_service()
    loopback.fault("status", path="/configuration$", code=404, times=None)
    with pytest.raises(ExecutionError, match="'ibm_manila' is listed, but its configuration cannot be read"):
        open_backend(service, "ibm_manila")
