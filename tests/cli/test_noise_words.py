"""Sentences and cells about noise, from results made by hand."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from qkernels.cli import _noise_words, _words
from qkernels.cli._models import Model
from qkernels.cli._notes import limit_notes, reading_notes, references
from qkernels.cli._pictures import noise_picture
from qkernels.cli._results import (
    NoiseSource,
    NoisyCircuit,
    Outcome,
    Results,
    ScaledScores,
    Settings,
    UnderNoise,
)
from qkernels.cli._tables import Table
from qkernels.diagnostics import FoldScores, corrected_interval, qpu_verdict
from qkernels.feature_maps import SeparableMap, ZZFeatureMap

SETTINGS = Settings("t", None, Path("out"), 2, 2, 2, 600, 1000, "fake_fez", 3, 1, "fez")
NOISE = NoiseSource("fake_fez", "FakeFez of a client", "2025-02-26T15:16:25-05:00", "0" * 64)
CIRCUIT = NoisyCircuit((0, 1), 2, 8, 8, 40, 0.9554)
RBF = (0.90, 0.92, 0.88, 0.90)


def scores(values: tuple[float, ...]) -> FoldScores:
    return FoldScores(values, 1.0, 1.0)


def quantum(name: str, exact: float, noisy: float, mitigated: float | None, *, baseline: bool = False) -> Outcome:
    """A kernel whose scores differ from the tuned RBF by a constant each, but for what is too small to be printed."""

    def shifted(by: float, ripple: float) -> tuple[float, ...]:
        return tuple(a + by + sign * ripple for a, sign in zip(RBF, (1, -1, 1, -1), strict=True))

    found = scores(shifted(exact, 1e-7))
    repaired = None if mitigated is None else shifted(mitigated, 4e-7)
    scales = tuple(
        ScaledScores(scale, tuple(a + scale * noisy for a in RBF[:2]), repaired and repaired[:2])
        for scale in (0.0, 0.5, 1.0, 2.0, 4.0)
    )
    noise = UnderNoise(CIRCUIT, 0.9, scores(shifted(noisy, 2e-7)), repaired and scores(repaired), scales)
    model = Model(name, None, SeparableMap() if baseline else ZZFeatureMap())
    verdict = qpu_verdict(interval=corrected_interval(found, scores(RBF)))
    return Outcome(model, found, {"bandwidth": (1.0,) * 4, "C": (1.0,) * 4}, "0" * 64, None, verdict, noise)


def results(*outcomes: Outcome, noise: NoiseSource | None = NOISE) -> Results:
    table = Table("t", np.zeros((6, 2)), np.array(["a", "a", "a", "a", "b", "b"]), "", 6)
    rbf = Outcome(Model("RBF SVM", None), scores(RBF), {"gamma": (1.0,) * 4, "C": (1.0,) * 4})
    return Results(SETTINGS, table, 2, "fake_fez", 156, [rbf, *outcomes], noise)


ZZ = quantum("ZZ", 0.01, -0.04, -0.02)
LOST = quantum("deep", 0.0, -0.20, None)


def test_findings_by_hand() -> None:
    found = _noise_words.noise_findings(results(quantum("one", 0.0, 0.0, 0.0, baseline=True), ZZ, LOST))
    assert [name for name, _ in found] == ["one (baseline, no entanglement)", "ZZ", "deep"]
    circuit = "8 two-qubit gates on 2 active qubits, estimated fidelity 0.955; "
    # ZZ: exact +1, noisy -4, mitigated -2 points against the tuned RBF.
    assert found[1][1] == (
        f"{circuit}noise and shots change accuracy by -5.0 points [-5.0, -5.0], mitigation by +2.0 [+2.0, +2.0] more; "
        "mitigated minus tuned RBF -2.0 [-2.0, -2.0]"
    )
    assert found[2][1] == (
        f"{circuit}noise and shots change accuracy by -20.0 points [-20.0, -20.0]; nothing is left to mitigate: a row "
        "measured with itself looks like random outcomes"
    )


def test_cells_by_hand() -> None:
    zz, deep = _noise_words.noise_rows(results(ZZ, LOST))
    assert zz == (
        "ZZ", "-5.0 [-5.0, -5.0]", "+2.0 [+2.0, +2.0]", "-2.0 [-2.0, -2.0]", "2", "8", "0.955", "0.900"
    )  # fmt: skip
    assert deep[1:4] == ("-20.0 [-20.0, -20.0]", "", "")
    assert len(zz) == len(_noise_words.NOISE_HEADINGS)
    rbf, line, lost = _words.comparison(results(ZZ, LOST))
    # Mean 90.0; deviations 0, 2, -2, 0 points: sqrt(8/3) = 1.63.
    assert rbf.cells[:3] == ("90.0 ± 1.6", "", "")
    assert line.cells[:4] == ("91.0 ± 1.6", "86.0 ± 1.6", "88.0 ± 1.6", "+1.0 [+1.0, +1.0]")
    assert lost.cells[1:3] == ("70.0 ± 1.6", "")
    assert len(line.cells) == len(_words.headings(results(ZZ))) - 1


def test_scales_are_of_the_first_repeat() -> None:
    noisy, mitigated, _, lost = _noise_words.scale_rows(results(ZZ, LOST))
    # The first two folds of the RBF have a mean of 91.
    assert noisy == ("ZZ, noisy", "92.0", "91.0", "89.0", "87.0", "83.0", "75.0")
    assert mitigated == ("ZZ, mitigated", "", "89.0", "89.0", "89.0", "89.0", "89.0")
    assert lost == ("deep, mitigated", "", "", "", "", "", "")
    assert len(noisy) == len(_noise_words.SCALE_HEADINGS)
    assert "on the 2 outer folds of the first repeat" in _noise_words.scale_caption(results(ZZ))
    assert "The tuned RBF has 91.0" in _noise_words.scale_caption(results(ZZ))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (ZZ, "ZZ, mitigated: 88.0 % (exact 91.0 %); minus the tuned RBF -2.0 points [-2.0, -2.0] at 95%."),
        (LOST, "deep, which nothing could mitigate: 70.0 % (exact 90.0 %)"),
    ],
    ids=["mitigated", "lost"],
)
def test_answer_is_about_the_best_map_with_entanglement(outcome: Outcome, words: str) -> None:
    found = results(quantum("one", 0.1, 0.1, 0.1, baseline=True), outcome, quantum("bad", 0.0, -0.5, -0.5))
    sentence = _noise_words.noise_sentence(found)
    assert sentence.startswith(f"Under the noise of fake_fez the best map with entanglement is {words}")


def test_protocol_names_the_day() -> None:
    assert "calibrated 2025-02-26: the same outer folds" in _noise_words.noise_protocol(SETTINGS, NOISE)
    unknown = NoiseSource("fake", "a client", None, "0" * 64)
    assert "calibrated on an unknown day" in _noise_words.noise_protocol(SETTINGS, unknown)


def test_overall_asks_for_noise_only_where_it_was_left_out() -> None:
    better = quantum("ZZ", 0.05, 0.0, 0.0)
    assert "and under device noise, before paying" in _words.overall_sentence(results(better, noise=None))
    assert "not used here before paying" in _words.overall_sentence(results(better))


def test_notes_depend_on_noise() -> None:
    exact, noisy = results(ZZ, noise=None), results(ZZ)
    assert len(reading_notes(noisy)) > len(reading_notes(exact))
    assert "arXiv:2105.02276" in references(noisy)[-1][0]
    assert not any("2105.02276" in title for title, *_ in references(exact))
    assert "by how much is not estimated" in limit_notes(exact)[0]
    assert "of fake_fez as calibrated 2025-02-26" in limit_notes(noisy)[0]
    assert not any("no estimate of fidelity" in note for note in limit_notes(noisy))


def test_picture_of_a_kernel_that_is_lost() -> None:
    picture = noise_picture(results(ZZ, LOST))
    assert imread(BytesIO(picture.png)).ndim == 3
    assert picture.file == "noise.png"
    assert "tuned RBF SVM 91.0 %" in picture.alt
    assert "ZZ, exact 92.0 %: noisy 75.0 % at 4 ×, mitigated 89.0 % at 4 ×" in picture.alt
    assert picture.alt.endswith("deep, exact 91.0 %: noisy 11.0 % at 4 ×.")
