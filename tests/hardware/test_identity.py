"""What values of the hardware engines depend on, as they tell it: not where a ledger lies or what it may cost."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit.providers.fake_provider import GenericBackendV2

from qkernels import VQC
from qkernels._errors import InvalidParameterError
from qkernels_hardware import AerEngine, Budget, NoiseProfile, RetryPolicy, RuntimeEngine


def test_aer_device_noise_and_method() -> None:
    profile = NoiseProfile.named("fake_torino")
    engines = [
        AerEngine(profile),
        AerEngine(profile.scaled(30)),
        AerEngine(profile).scaled(30),
        AerEngine("fake_fez"),
        AerEngine(GenericBackendV2(5, seed=1)),
        AerEngine(profile, layout=(0, 1)),
        AerEngine(profile, optimization_level=2),
        AerEngine(profile, strategy="circuits"),
        AerEngine(profile, shots=100, seed=0),
        AerEngine(profile, shots=100, seed=1),
        AerEngine(profile, shots=100, method="statevector"),
    ]
    assert len({engine.identity for engine in engines}) == len(engines)


def test_aer_engines_alike() -> None:
    assert AerEngine("fake_manila").identity == AerEngine("fake_manila", memory_limit=1 << 30, seed=3).identity
    sampled = AerEngine("fake_manila", shots=100)  # with a seed that it draws
    assert sampled.identity == AerEngine("fake_manila", shots=100).identity
    assert (
        sampled.scaled(2).identity == pickle.loads(pickle.dumps(AerEngine("fake_manila", shots=100).scaled(2))).identity
    )


def device(**options: Any) -> str:
    return RuntimeEngine("ibm_fez", **{"ledger": Path("a.sqlite"), "shots": 100, **options}).identity


@pytest.mark.parametrize(
    "options",
    [
        {"ledger": "moved.sqlite"},
        {"budget": Budget(qpu_seconds=60)},
        {"retry": RetryPolicy(call_deadline=90.0)},
        {"mode": "job"},
        {"block_executions": 1000},
        {"memory_limit": 1 << 30},
        {"seed": 7},  # of simulators only
        {"options": {"max_execution_time": 600}},
        {"layout": "refresh"},
    ],
    ids=str,
)
def test_runtime_settings_that_decide_no_value(options: dict[str, Any]) -> None:
    assert device(**options) == device()


def test_runtime_settings_that_do() -> None:
    settings: list[dict[str, Any]] = [
        {},
        {"shots": 200},
        {"options": {"twirling": {"enable_gates": True}}},
        {"options": {"resilience_level": 1}},
        {"layout": [3, 4]},
        {"barrier": True},
        {"tiles": 2},
        {"fractional": True},
        {"optimization_level": 2},
    ]
    assert len({device(**options) for options in settings}) == len(settings)
    assert device() != RuntimeEngine("ibm_torino", ledger="a.sqlite", shots=100).identity


def test_runtime_models(tmp_path: Path) -> None:
    first = RuntimeEngine("fake_manila", seed=0, shots=100)
    assert first.identity == RuntimeEngine("fake_manila", seed=0, shots=100, ledger=tmp_path / "l.sqlite").identity
    assert first.identity != RuntimeEngine("fake_manila", seed=1, shots=100).identity
    assert RuntimeEngine("fake_manila", shots=9).identity == RuntimeEngine("fake_manila", shots=9).identity
    mine, other = (RuntimeEngine(GenericBackendV2(5, seed=s), seed=0).identity for s in (1, 2))
    assert mine != other


def test_checkpoint_of_another_noise_level_is_refused(tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).normal(size=(6, 2)), np.arange(6) % 2
    profile = NoiseProfile.named("fake_torino")
    options: dict[str, Any] = {"optimizer": "NFT", "max_iter": 1, "reuploads": 1, "checkpoint": tmp_path / "fit.npz"}
    VQC(engine=AerEngine(profile.scaled(1)), random_state=0, **options).fit(X, y)
    with pytest.raises(InvalidParameterError, match="belongs to a fit of other data or settings"):
        VQC(engine=AerEngine(profile.scaled(30)), random_state=0, **options).fit(X, y)
