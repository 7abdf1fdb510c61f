"""Sentences and cells from results made by hand."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from qkernels.circuits import Resources
from qkernels.cli import _words
from qkernels.cli._models import Model
from qkernels.cli._notes import limit_notes, reading_notes
from qkernels.cli._results import Outcome, QPUCost, Results, Settings
from qkernels.cli._tables import Table
from qkernels.diagnostics import FoldScores, OffDiagonalStatistics, RBFFit, corrected_interval, qpu_verdict
from qkernels.feature_maps import SeparableMap, ZZFeatureMap

SETTINGS = Settings("t", None, Path("out"), 2, 5, 1, 600, 1000, "fake_fez", 3, 1)
RBF = FoldScores((0.90, 0.91, 0.89, 0.90, 0.90), 1.0, 0.25)
COST = Resources(2, 9, 4, 7, 4, "fake_fez", "cz", 40, 4, 25, 4)


def quantum(name: str, shift: float, *, baseline: bool = False, shots_needed: float = 50.0) -> Outcome:
    """A kernel that differs from the tuned RBF by a shift, up to noise of 0.2 points."""
    noise = (0.002, -0.002, 0.0, 0.002, -0.002)
    scores = FoldScores(tuple(a + shift + b for a, b in zip(RBF.scores, noise, strict=True)), 2.0, 0.25)
    verdict = qpu_verdict(
        interval=corrected_interval(scores, RBF),
        off_diagonals=OffDiagonalStatistics(0.5, 0.1, 15, 1000, 0.0158, 0.00025, shots_needed),
        rbf=RBFFit(0.1, 0.9599),
    )
    model = Model(name, None, SeparableMap() if baseline else ZZFeatureMap())
    return Outcome(model, scores, {"bandwidth": (1.0,) * 5, "C": (1.0,) * 5}, "0" * 64, COST, verdict)


def results(*outcomes: Outcome, rows_in_table: int = 6) -> Results:
    table = Table("t", np.zeros((6, 2)), np.array(["a", "a", "a", "a", "b", "b"]), "", rows_in_table)
    rbf = Outcome(Model("RBF SVM", None), RBF, {"gamma": (1.0,) * 5, "C": (1.0,) * 5})
    return Results(SETTINGS, table, 2, "fake_fez", 156, [rbf, *outcomes])


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (-0.05, "not worth QPU time on t; every map with entanglement is ruled out."),
        (0.008, "better than the tuned RBF on t in exact simulation: ZZ. Confirm it on rows not used here"),
        (0.05, "better than the tuned RBF on t in exact simulation: ZZ."),
    ],
    ids=["worse", "a little better", "better"],
)
def test_overall(shift: float, words: str) -> None:
    assert _words.overall_sentence(results(quantum("ZZ", shift))).startswith(words)


def test_overall_is_undecided_where_the_interval_holds_zero_and_one_point() -> None:
    scores = FoldScores((0.95, 0.88, 0.93, 0.85, 0.92), 2.0, 0.25)
    wide = Outcome(
        Model("ZZ", None, ZZFeatureMap()), scores, {}, verdict=qpu_verdict(interval=corrected_interval(scores, RBF))
    )
    assert _words.overall_sentence(results(wide)).startswith("undecided on t; not ruled out, and not shown")


def test_baseline_has_no_vote() -> None:
    found = results(quantum("Separable", 0.05, baseline=True), quantum("ZZ", -0.05))
    assert _words.overall_sentence(found).startswith("not worth QPU time")
    assert [name for name, _ in _words.verdicts(found)] == ["Separable (baseline, no entanglement)", "ZZ"]


def test_cells_by_hand() -> None:
    rbf, zz = _words.comparison(results(quantum("ZZ", 0.02)))
    # Mean 90.0; deviations 0, 1, -1, 0, 0 points: sqrt(2/4) = 0.71.
    assert rbf.cells == ("90.0 ± 0.7", "", "", "", "", "", "1.0")
    assert not rbf.is_best
    # Differences 2.2, 1.8, 2.0, 2.2, 1.8: mean 2, s = 0.2, error 0.2·sqrt(1/5 + 1/4) = 0.134, t_4 = 2.776: 0.37.
    assert zz.cells[1:] == ("+2.0 [+1.6, +2.4]", "2", "4", "4", "25", "2.0")
    assert zz.is_best
    assert len(zz.cells) == len(_words.HEADINGS) - 1


def test_equal_means_are_both_best() -> None:
    tied = Outcome(Model("other", None), FoldScores(RBF.scores[::-1], 1.0, 0.25), {})
    assert [row.is_best for row in _words.comparison(results(tied))] == [True, True]


def test_evidence_by_hand() -> None:
    found = results(quantum("ZZ", 0.02), quantum("flat", 0.02, shots_needed=inf))
    zz, flat = _words.evidence(found)
    assert zz == ("ZZ", "+2.0 [+1.6, +2.4]", "0.10", "0.032", "50", "0.959")
    assert flat[4] == "no number"
    assert len(zz) == len(_words.EVIDENCE_HEADINGS)


def test_best_sentence_compares_with_the_best_quantum_kernel() -> None:
    ahead = _words.best_sentence(results(quantum("ZZ", 0.02)).outcomes)
    assert ahead == "Highest accuracy: ZZ, 92.0 %."
    behind = _words.best_sentence(results(quantum("ZZ", -0.02), quantum("CP", -0.04)).outcomes)
    assert behind == "Highest accuracy: RBF SVM, 90.0 %; over the best quantum kernel +2.0 points [+1.6, +2.4] at 95%."


def test_the_floor_names_models_that_do_not_beat_it() -> None:
    share = "Always answering the largest class scores 66.7 %"
    assert _words.floor_sentence(results(quantum("ZZ", 0.02))) == f"{share}."
    low = Outcome(Model("flat", None, ZZFeatureMap()), FoldScores((2 / 3,) * 5, 1.0, 0.25), {})
    assert _words.floor_sentence(results(low, quantum("ZZ", 0.02))) == f"{share}; not better: flat."
    found = results(low)
    nothing = Results(SETTINGS, found.table, 2, "fake_fez", 156, [low])
    assert _words.floor_sentence(nothing) == (
        f"{share}: no model beats it, and nothing about kernels follows from these folds."
    )


def test_device_costs_by_hand() -> None:
    costs = _words.device_costs(results(quantum("ZZ", 0.02)))
    assert [(cost.circuits, cost.total_shots) for cost in costs] == [(15, 15_000), (6, 6_000), (6, 6_000)]


def test_the_device_sentence_has_the_diagonal_and_the_time() -> None:
    found = results(quantum("ZZ", 0.02))
    sentence = "On a device the matrix of these 6 rows and its diagonal is 21 circuits x 1,000 shots"
    assert _words.device_sentence(found) == f"{sentence}."
    short = replace(found, cost=QPUCost("ZZ", 7.3, 7.3 / 600))
    assert _words.device_sentence(short).startswith(
        f"{sentence}: about 7 s of QPU time on fake_fez with ZZ, 1% of the 10 minutes that an Open Plan has in 28 days"
    )
    long = replace(found, cost=QPUCost("ZZ", 11_340.0, 18.9))
    assert ": about 3.1 hours of QPU time on fake_fez with ZZ, 18.9 times the 10 minutes" in _words.device_sentence(
        long
    )


def test_notes_depend_on_the_table() -> None:
    whole, sample = results(quantum("ZZ", 0.02)), results(quantum("ZZ", 0.02), rows_in_table=1000)
    assert "always answering the largest class scores 66.7 % here" in reading_notes(whole)[0]
    assert len(limit_notes(sample)) == len(limit_notes(whole)) + 1
    assert any(note.startswith("Only 6 of 1,000 rows were used") for note in limit_notes(sample))
    assert "a stratified sample of 1,000" in _words.table_sentence(sample.table)
