"""Scores of relations against what the official scorer of SemEval-2010 task 8 printed."""

from __future__ import annotations

import numpy as np
import pytest

from deepen.evaluation.relations import is_null, macro_f1, micro_f1, relation_scores, relation_statistics

NAMES = (
    "Cause-Effect Component-Whole Content-Container Entity-Destination Entity-Origin Instrument-Agency "
    "Member-Collection Message-Topic Product-Producer Other"
).split()
# A published output of semeval2010_task8_scorer-v1.2.pl, (9+1)-way with direction: rows are right, columns said, and
# beside them the answers of the right relation with the wrong direction.
CONFUSION = """
300 0 0 0 4 1 0 2 2 12 | 3
1 235 5 1 1 11 11 6 3 29 | 8
0 5 160 7 2 0 1 1 1 11 | 4
0 2 7 264 0 0 0 1 1 16 | 1
3 1 1 4 226 1 0 1 3 16 | 1
0 4 1 1 1 118 0 4 5 21 | 0
0 4 0 0 2 0 206 1 0 19 | 0
1 5 0 1 2 0 2 229 1 19 | 1
5 1 2 0 4 9 0 3 177 27 | 2
16 25 18 23 27 24 29 33 26 231 | 0
"""
LABELS = [f"{name}({ways})" for name in NAMES[:-1] for ways in ("e1,e2", "e2,e1")] + ["Other"]


def answers() -> tuple[np.ndarray, np.ndarray]:
    """The answers that make up the matrix."""
    said, right = [], []
    for row, line in enumerate(CONFUSION.strip().splitlines()):
        cells, turned = line.split("|")
        one = min(2 * row, 18)
        for column, count in enumerate(map(int, cells.split())):
            said += [min(2 * column, 18)] * count
            right += [one] * count
        said += [one + 1] * int(turned)
        right += [one] * int(turned)
    return np.array(said), np.array(right)


def test_they_are_those_of_the_official_scorer() -> None:
    sums = relation_statistics(*answers(), LABELS).sum(0, keepdims=True)
    assert len(answers()[0]) == 2706
    assert macro_f1(sums)[0] == pytest.approx(0.8325, abs=5e-5)
    assert micro_f1(sums)[0] == pytest.approx(0.8401, abs=5e-5)


def test_a_relation_that_does_not_occur_is_not_counted() -> None:
    right = np.array([0, 0, 18])
    assert macro_f1(relation_statistics(right, right, LABELS).sum(0, keepdims=True))[0] == 1.0


def test_without_directions_there_is_no_official_score() -> None:
    labels = ["unknown", "\u5408\u5e76", "\u6301\u80a1"]
    scores = relation_scores(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), labels, seed=0)
    assert [score.name for score in scores] == ["micro_f1"]
    assert scores[0].value == pytest.approx(2 * 2 / (3 + 3))


@pytest.mark.parametrize(("label", "answer"), [("Other", True), ("no relation", True), ("founded", False)])
def test_the_null_class_is_told_by_its_name(label: str, answer: bool) -> None:
    assert is_null(label) is answer
