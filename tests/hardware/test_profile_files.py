"""Noise profiles as files: shipped ones, saved ones, and files that are not what they were."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qkernels._errors import InvalidDataError, InvalidParameterError
from qkernels_hardware import NoiseProfile, device_model, list_device_models, list_noise_profiles

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "hardware" / "qkernels_hardware" / "devices" / "profiles"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "manila.json"
    NoiseProfile.from_backend(device_model("fake_manila")).save(path)
    return path


def test_a_file_gives_back_the_profile(saved: Path) -> None:
    profile = NoiseProfile.from_backend(device_model("fake_manila")).scaled(2.0).with_readout("measured")
    profile.save(saved)
    again = NoiseProfile.load(str(saved))
    assert again == profile
    assert (again.scale, again.readout) == (2.0, "measured")
    assert again.table() == profile.table()


def test_saving_again_writes_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    NoiseProfile.load(saved).save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == saved.read_bytes()


def test_whitespace_is_no_edit(saved: Path) -> None:
    profile = NoiseProfile.load(saved)
    saved.write_text(json.dumps(json.loads(saved.read_text()), indent=4))
    assert NoiseProfile.load(saved) == profile


# --- files that are not what they were


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_an_edited_number_is_found_and_can_be_accepted(saved: Path) -> None:
    original = NoiseProfile.load(saved)
    edited(saved, lambda content: content["qubits"][2].__setitem__(0, 1e-3))
    with pytest.raises(InvalidDataError, match="was changed after it was saved") as caught:
        NoiseProfile.load(saved)
    accepted = NoiseProfile.load(saved, verify=False)
    assert str(saved) in str(caught.value)
    assert original.key[:12] in str(caught.value)
    assert accepted.key[:12] in str(caught.value)
    assert "NoiseProfile.load(path, verify=False)" in str(caught.value)
    assert accepted.qubits[2].t1 == 1e-3
    accepted.save(saved)
    assert NoiseProfile.load(saved) == accepted != original


@pytest.mark.parametrize("field", ["name", "source", "calibrated", "dt", "scale", "readout"])
def test_every_field_counts(saved: Path, field: str) -> None:
    other = {"calibrated": "2030-01-01", "dt": 1e-9, "scale": 0.5, "readout": "measured"}.get(field, "other")
    edited(saved, lambda content: content.__setitem__(field, other))
    with pytest.raises(InvalidDataError, match="was changed after it was saved"):
        NoiseProfile.load(saved)


BAD_EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "schema": (
        lambda content: content.__setitem__("schema", 2),
        r"has schema 2; this version of qkernels reads schema 1\. Write it again with NoiseProfile\.from_backend",
    ),
    "format": (lambda content: content.pop("format"), r"is not a noise profile: it lacks the line '\"format\""),
    "missing": (lambda content: content.pop("qubits"), r"missing: \['qubits'\], unknown: \[\]"),
    "unknown": (lambda content: content.__setitem__("t3", 1), r"missing: \[\], unknown: \['t3'\]"),
    "value": (lambda content: content["qubits"][0].__setitem__(1, -1), r"breaks a rule: .*T2 of qubit 0 .* got -1"),
    "type": (lambda content: content.__setitem__("qubits", 5), r"holds a value that breaks a rule"),
    "nothing": (lambda content: content.__setitem__("timing", None), r"holds a value that breaks a rule"),
    "not a number": (lambda content: content["qubits"][0].__setitem__(0, float("nan")), r"T1 of qubit 0 .* got nan"),
}


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(("change", "message"), BAD_EDITS.values(), ids=BAD_EDITS)
def test_files_that_cannot_be_used(
    saved: Path, change: Callable[[dict[str, Any]], Any], message: str, verify: bool
) -> None:
    edited(saved, change)
    with pytest.raises(InvalidDataError, match=message) as caught:
        NoiseProfile.load(saved, verify=verify)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b"3"], ids=repr)
def test_files_that_are_something_else(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(text)
    with pytest.raises(InvalidDataError, match=re.escape(f"{path} is not a noise profile")):
        NoiseProfile.load(path)


def test_a_checksum_that_is_gone(saved: Path) -> None:
    edited(saved, lambda content: content.pop("sha256"))
    with pytest.raises(InvalidDataError, match=r"the file says None…\. Restore the file"):
        NoiseProfile.load(saved)
    assert NoiseProfile.load(saved, verify=False).name == "fake_manila"


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        NoiseProfile.load(tmp_path / "nowhere.json")


# --- shipped profiles


def test_shipped_profiles_are_the_three_sizes() -> None:
    assert {NoiseProfile.named(name).num_qubits for name in list_noise_profiles()} == {120, 133, 156}
    assert list(list_noise_profiles()) == sorted(path.stem for path in SHIPPED.glob("*.json"))


@pytest.mark.parametrize("name", list_noise_profiles())
def test_shipped_profile_names_source_licence_and_day(name: str) -> None:
    profile = NoiseProfile.named(name)
    assert profile.name == name
    assert re.search(r"^Fake\w+ of qiskit-ibm-runtime 0\.\d+\.\d+, Apache 2\.0, \(C\) Copyright IBM 20", profile.source)
    assert re.fullmatch(r"202\d-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", profile.calibrated or "")
    assert (SHIPPED / f"{name}.json").stat().st_size < 150_000


@pytest.mark.slow
def test_the_script_writes_the_shipped_profiles_again(tmp_path: Path) -> None:
    names = sorted(set(list_noise_profiles()) & {model.name for model in list_device_models()})
    assert {"fake_fez", "fake_torino"} <= set(names)  # which every supported version of the client has
    script = str(ROOT / "hardware" / "make_profiles.py")
    done = subprocess.run([sys.executable, script, str(tmp_path), *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, line in zip(names, done.stdout.splitlines(), strict=True):
        assert line.startswith(f"{name}.json: NoiseProfile('{name}', ")
        ours, theirs = (json.loads((folder / f"{name}.json").read_text()) for folder in (SHIPPED, tmp_path))
        for content in (ours, theirs):  # the version of the client may be another
            content["source"] = re.sub(r"\d+\.\d+\.\d+|20\d\d(-20\d\d)?", "…", content["source"])
            del content["sha256"]
        assert ours == theirs


@pytest.mark.parametrize("name", ["fake_fez", "FakeFez", "ibm_fez", " FEZ "])
def test_spellings_of_a_name(name: str) -> None:
    assert NoiseProfile.named(name).name == "fake_fez"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fake_fes", r"got 'fake_fes'\. Did you mean 'fake_fez'\?"),
        ("fake_manila", r"'fake_torino'; got 'fake_manila'\. .*NoiseProfile\.from_backend\(backend\), of a file"),
        ("qqqqqq", r"must be one of 'fake_fez', 'fake_miami', 'fake_torino'; got 'qqqqqq'\. Of any other"),
        (None, r"got None\. Of any other"),
    ],
)
def test_names_that_are_not_shipped(name: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        NoiseProfile.named(name)


def test_profiles_need_no_vendor_package() -> None:
    program = """
import sys
for name in ("qiskit_aer", "qiskit_ibm_runtime", "qiskit_ibm_provider"):
    sys.modules[name] = None  # importing it raises
from qkernels_hardware import NoiseProfile, list_noise_profiles
profile = NoiseProfile.named(list_noise_profiles()[0]).scaled(2.0)
print(len(profile.table([0, 1, 2]).places), profile.backend().num_qubits)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["16", "156"]
