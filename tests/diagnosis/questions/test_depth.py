"""`depth` on ladders whose shape is known."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diagnosis.planted import MANY, Planted, case_of, constant

from deepen.diagnosis.questions.depth import QuestionSettings, ask, depths

LABELS = ("bad", "good")


def rows_of(seed: int, num_rows: int = 400) -> list[dict[str, str]]:
    chance = random.Random(seed)
    return [{"text": f"row {n} {chance.random()}", "label": chance.choice(LABELS)} for n in range(num_rows)]


def knows(rows: list[dict[str, str]], share: float, seed: int) -> Planted:
    """A model that is right about this share of the rows, and wrong about the others."""
    chance = random.Random(seed)
    other = {"bad": "good", "good": "bad"}
    said = {row["text"]: row["label"] if chance.random() < share else other[row["label"]] for row in rows}
    return Planted(LABELS, said.__getitem__)


@pytest.mark.parametrize("seed", range(20))
def test_what_only_the_deep_rung_knows_is_deep(seed: int) -> None:
    rows = rows_of(seed)
    ladder = {"majority": constant(LABELS), "lexical": knows(rows, 0.7, seed), "full": knows(rows, 0.9, seed + 100)}
    [finding] = ask(case_of(rows, ladder), QuestionSettings())
    assert finding.verdict == "deep"


@pytest.mark.parametrize("seed", range(20))
def test_what_surface_words_know_as_well_is_shallow(seed: int) -> None:
    rows = rows_of(seed)
    lexical = knows(rows, 0.9, seed)
    [finding] = ask(case_of(rows, {"lexical": lexical, "full": lexical}), QuestionSettings())
    assert finding.verdict == "shallow"
    assert finding.remedy.endswith("--rung lexical")


@pytest.mark.parametrize("num", MANY)
def test_two_rungs_that_are_as_good_are_rarely_told_apart(num: int) -> None:
    verdicts = []
    for seed in range(num):
        rows = rows_of(seed, 300)
        ladder = {"lexical": knows(rows, 0.8, seed), "full": knows(rows, 0.8, seed + 1000)}
        verdicts.append(ask(case_of(rows, ladder), QuestionSettings())[0].verdict)
    assert verdicts.count("deep") <= 0.05 * num, "a 95 % interval is above 0 by chance in 2.5 % of the cases"


def test_the_shares_add_up_and_the_never_right_are_named() -> None:
    rows = [{"text": f"row {n}", "label": LABELS[n % 2]} for n in range(40)]
    right = {row["text"]: row["label"] for row in rows}
    first = dict(right) | {f"row {n}": LABELS[1 - n % 2] for n in range(10)}
    deep = dict(right) | {f"row {n}": LABELS[1 - n % 2] for n in range(4)} | {"row 30": LABELS[1]}
    ladder = {"lexical": Planted(LABELS, first.__getitem__), "full": Planted(LABELS, deep.__getitem__)}
    case = case_of(rows, ladder)
    [finding] = ask(case, QuestionSettings())
    shares = {(row["kind"], row.get("rung")): row["n"] for row in finding.evidence if "share" in row}
    assert shares == {
        ("first_right", "lexical"): 29,
        ("first_right", "full"): 6,
        ("lost", None): 1,
        ("never_right", None): 4,
    }
    ids = list(case.rows.values("id"))
    assert set(finding.examples) == set(ids[:4])


def test_without_a_shallow_rung_it_says_what_to_add() -> None:
    rows = rows_of(0, 20)
    [finding] = ask(case_of(rows, {"full": constant(LABELS)}), QuestionSettings())
    assert finding.verdict == "not_applicable"
    assert "--rungs" in finding.caveat


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_depth_is_where_it_stays_right(right: list[list[bool]]) -> None:
    right_RN = np.array(right)
    for depth, column in zip(depths(right_RN), right_RN.T, strict=True):
        assert column[depth:].all()
        assert depth == 0 or not column[depth - 1]
