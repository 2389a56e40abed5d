"""Scores of answers against what the official scripts of SQuAD 2.0 and CMRC 2018 (v5) print for them.

`answers_reference.jsonl` holds cuts of sentences of our own and what the two scripts' functions made of them; CMRC's
cuts words out of Chinese with NLTK's word tokenizer, without its splitter of sentences.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepen.evaluation.answers import answer_statistics, best_match

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "answers_reference.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['said']} | {row['right'][:1]}" for row in ROWS])
def test_they_are_those_of_the_scripts(row: dict) -> None:
    assert best_match(row["said"], row["right"]) == pytest.approx((row["exact"], row["f1"]), abs=1e-8)


def test_the_reference_holds_all_kinds() -> None:
    assert {row["exact"] for row in ROWS} == {0, 1}
    assert sum(0 < row["f1"] < 1 for row in ROWS) > 30
    assert any(not row["right"] for row in ROWS)


def test_statistics_of_an_example() -> None:
    assert answer_statistics(["cat"], [["dog", "cat"]]).tolist() == [[1.0, 1.0, 1.0]]
