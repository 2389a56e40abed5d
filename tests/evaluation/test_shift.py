"""A shift is seen where one was planted, and hardly ever where none was."""

from __future__ import annotations

import numpy as np
import pytest

from deepen.evaluation.shift import RISK, Seen, shift

WORDS = "the a film phone room was looks very today good bad fine seat desk cable music box again here there".split()


def rows(num: int, seed: int, *, words: list[str] = WORDS, longer: int = 0, surer: float = 0.0) -> Seen:
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, len(words) + 1)
    texts = [
        " ".join(rng.choice(words, size=int(rng.integers(4, 12)) + longer, p=chances / chances.sum()))
        for _ in range(num)
    ]
    return Seen(np.round(rng.beta(4 + surer, 2, size=num), 2), texts)


def test_rows_that_are_drawn_alike_are_hardly_ever_said_to_be_others() -> None:
    told = [bool(shift(rows(300, seed), rows(200, seed + 1000))) for seed in range(80)]
    assert np.mean(told) <= RISK + 3 * np.sqrt(RISK / 80)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("how sure the model is", rows(300, 1, surer=3.0)),
        ("the length of texts", rows(300, 2, longer=3)),
        ("their words", rows(300, 3, words=WORDS[::-1])),
    ],
)
def test_each_view_sees_what_it_is_there_for(what: str, other: Seen) -> None:
    assert what in shift(rows(600, 0), other)


def test_a_few_rows_and_very_many() -> None:
    assert shift(rows(600, 0), rows(1, 1)) == ""
    assert shift(rows(600, 0), Seen(np.zeros(0), [])) == ""
    assert "the length" in shift(rows(600, 0), rows(12, 1, longer=30)), "a handful shows what is blatant"
    assert "their words" in shift(rows(600, 0), rows(6000, 1, words=WORDS[::-1]))
