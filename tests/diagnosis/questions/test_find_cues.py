"""Cues in data: found if planted, rarely if not, and named once."""

from __future__ import annotations

import random

import numpy as np

from deepen.diagnosis.questions.surface_cues.find import find_cues

WORDS = [f"w{n}" for n in range(60)]


def world(seed: int, num_rows: int = 300) -> tuple[list[list[str]], np.ndarray]:
    chance = random.Random(seed)
    rows = [chance.choices(WORDS, k=chance.randint(4, 10)) for _ in range(num_rows)]
    return rows, np.array([chance.randrange(3) for _ in rows])


def test_chance_is_rarely_a_cue() -> None:
    """With nothing to find, every discovery is a false one: one world in a hundred may have some."""
    found = [find_cues(*world(seed), 3) for seed in range(50)]
    assert sum(map(bool, found)) <= 3


def test_a_planted_word_is_found_and_no_run_that_holds_it() -> None:
    rows, labels_N = world(0)
    for at in np.flatnonzero(labels_N == 1)[:30]:
        rows[at].insert(1, "zqxv")
    [cue] = find_cues(rows, labels_N, 3)
    assert (cue.kind, cue.text, cue.label, cue.n, cue.share) == ("word", "zqxv", 1, 30, 1.0)
    np.testing.assert_allclose(cue.z, (1 - 1 / 3) / (2 / 9 / 30) ** 0.5, rtol=0.1)


def test_runs_places_and_marks_are_told_apart() -> None:
    rows, labels_N = world(1, 900)
    for nth, at in enumerate(np.flatnonzero(labels_N == 0)[:200]):
        if nth < 60:
            rows[at].append("!")
        elif nth < 120:
            rows[at].insert(0, "w5")
        else:
            rows[at][1:1] = ["w7", "w8"]
    kinds = {(cue.kind, cue.text) for cue in find_cues(rows, labels_N, 3)}
    assert {("punctuation", "!"), ("first", "w5"), ("ngram", "w7 w8")} <= kinds


def test_a_length_is_one_cue_a_label() -> None:
    rows, labels_N = world(2)
    for at in np.flatnonzero(labels_N == 2)[:25]:
        rows[at] += random.Random(int(at)).choices(WORDS, k=15)
    lengths = [cue for cue in find_cues(rows, labels_N, 3) if cue.kind == "length"]
    assert [cue.label for cue in lengths] == [2]
    assert lengths[0].shortest > 10
    assert lengths[0].n == 25
