"""A promise is broken in as many cases as it says at most, and its numbers are those of the textbook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from deepen.core.errors import DataError, SettingError
from deepen.evaluation.bounds import THRESHOLDS, by_slice, lower_bound, promise, rows_needed, threshold, upper_bound
from deepen.evaluation.promises import bound_file, expired, read_bound, write_bound

COUNTS = st.integers(1, 400).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))
SHARES = st.floats(0.005, 0.5)


@pytest.mark.parametrize(("wrong", "rows"), [(0, 10), (1, 10), (10, 10), (3, 59), (17, 1800), (900, 1800)])
def test_the_numbers_of_scipy(wrong: int, rows: int) -> None:
    both = binomtest(wrong, rows).proportion_ci(confidence_level=0.9, method="exact")  # its sides have 95 % each
    assert upper_bound(wrong, rows) == pytest.approx(both.high, abs=1e-12)
    assert lower_bound(wrong, rows) == pytest.approx(both.low, abs=1e-12)


def test_of_no_rows_nothing_is_known() -> None:
    assert (upper_bound(0, 0), lower_bound(0, 0)) == (1.0, 0.0)
    assert not promise([], "error", at_most=0.5).kept


@given(COUNTS, st.floats(0.5, 0.999))
def test_a_bound_is_where_the_test_turns(counts: tuple[int, int], confidence: float) -> None:
    wrong, rows = counts
    upper = upper_bound(wrong, rows, confidence=confidence)
    assert wrong / rows <= upper <= 1
    assert lower_bound(wrong, rows, confidence=confidence) <= wrong / rows
    if wrong < rows:
        assert binom.cdf(wrong, rows, upper) == pytest.approx(1 - confidence, rel=1e-6)
        assert upper < upper_bound(wrong + 1, rows, confidence=confidence)
        assert upper > upper_bound(wrong, rows + 1, confidence=confidence)


@given(SHARES, st.floats(0, 1), st.floats(0.5, 0.99))
def test_the_rows_that_it_takes(at_most: float, part: float, confidence: float) -> None:
    share = 0.8 * part * at_most
    rows = rows_needed(at_most, confidence=confidence, share=share)
    assert rows is not None
    wrong = int(np.ceil(share * rows - 1e-9))
    assert upper_bound(wrong, rows, confidence=confidence) <= at_most
    if not share:
        assert upper_bound(0, rows - 1, confidence=confidence) > at_most
    assert rows_needed(at_most, confidence=confidence, share=at_most) is None


def test_how_many_rows_for_nothing_wrong() -> None:
    """The rule of three: some 3 / e."""
    assert [rows_needed(e) for e in (0.1, 0.05, 0.01, 0.001)] == [29, 59, 299, 2995]


@pytest.mark.parametrize("at_most", [0.02, 0.1])
def test_a_plain_promise_is_kept(at_most: float) -> None:
    """Where the true share is just above what is promised, the promise is made in 5 % of cases at most."""
    chance = np.random.default_rng(0)
    wrongs = [int((chance.random(400) < 1.001 * at_most).sum()) for _ in range(500)]
    kept = {wrong: promise(np.arange(400) < wrong, "error", at_most=at_most).kept for wrong in set(wrongs)}
    made = [kept[wrong] for wrong in wrongs]  # the order of rows says nothing
    assert np.mean(made) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


def _rows(chance: np.random.Generator, number: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and the probability that each answer is wrong."""
    scores_N = chance.beta(12, 1, number)
    wrong_N = {
        "calibrated": 1 - scores_N,
        "too sure": np.minimum(1, 3 * (1 - scores_N)),
        "blind": np.full(number, 0.06),
        "wrong where it is sure": 0.03 + 0.05 * (scores_N > 0.97),
    }[kind]
    return scores_N, wrong_N


@pytest.mark.parametrize("kind", ["calibrated", "too sure", "blind", "wrong where it is sure"])
@pytest.mark.parametrize("counted", ["all", "answered"])
@pytest.mark.parametrize("at_most", [0.02, 0.05])
def test_promises_are_broken_as_rarely_as_they_say(kind: str, counted: Any, at_most: float) -> None:
    chance = np.random.default_rng(1)
    many_M, risk_M = _rows(chance, 200_000, kind)
    shares: dict[float, float] = {}
    draws, broken = 250, 0
    for _ in range(draws):
        scores_N, risk_N = _rows(chance, 600, kind)
        found = threshold(scores_N, chance.random(600) < risk_N, "error", at_most=at_most, counted=counted)
        if found.threshold is not None:
            if found.threshold not in shares:
                answered_M = many_M >= found.threshold
                of = len(many_M) if counted == "all" else max(1, answered_M.sum())
                shares[found.threshold] = risk_M[answered_M].sum() / of
            broken += shares[found.threshold] > at_most
    assert broken / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_a_promise_is_worth_something() -> None:
    """Most of what could be answered is."""
    chance = np.random.default_rng(2)
    for counted, best in (("all", 0.99), ("answered", 0.99)):
        found = []
        for _ in range(20):
            scores_N, risk_N = _rows(chance, 2000, "calibrated")
            wrong_N = chance.random(2000) < 0.3 * risk_N
            found.append(threshold(scores_N, wrong_N, "error", at_most=0.05, counted=counted).coverage)  # type: ignore[arg-type]
        assert np.mean(found) > 0.9 * best, counted


@given(st.integers(0, 10_000), st.integers(1, 300), st.sampled_from(["all", "answered"]), SHARES)
def test_what_always_holds(seed: int, rows: int, counted: Any, at_most: float) -> None:
    chance = np.random.default_rng(seed)
    scores_N, wrong_N = chance.random(rows), chance.random(rows) < chance.random() * 0.3
    found = threshold(scores_N, wrong_N, "disagreement", at_most=at_most, counted=counted)
    order = chance.permutation(rows)
    again = threshold(scores_N[order], wrong_N[order], "disagreement", at_most=at_most, counted=counted)
    assert (again.threshold, again.wrong, again.coverage) == (found.threshold, found.wrong, found.coverage)
    assert found.kept is (found.threshold is not None)
    if found.threshold is None:
        assert (found.coverage, found.wrong) == (0, 0)
        return
    assert found.threshold in THRESHOLDS
    answered_N = scores_N >= found.threshold
    assert found.coverage == pytest.approx(answered_N.mean())
    assert found.wrong == (answered_N & wrong_N).sum()
    assert found.upper <= at_most + 1e-9
    if counted == "answered":
        assert answered_N.sum() >= (rows_needed(at_most) or 0), "so few rows never promise anything"
    bolder = threshold(scores_N, wrong_N, "disagreement", at_most=min(0.9, 1.5 * at_most), counted="all")
    if counted == "all":
        assert bolder.threshold is not None
        assert bolder.threshold <= found.threshold


def test_a_wish_that_cannot_be_met_says_what_it_takes() -> None:
    few = threshold(np.full(20, 0.9), np.zeros(20), "error", at_most=0.01, counted="answered")
    assert (few.kept, few.threshold, few.coverage) == (False, None, 0.0)
    assert few.why == (
        "20 rows are not enough for at most 0.01 at 0.95: it takes 437 that are answered, of which none is wrong"
    )
    some = promise(np.arange(100) < 3, "error", at_most=0.05)
    assert some.why.endswith("it takes 59 of which none is wrong, or 361 if as many are wrong as here")
    many = promise(np.arange(100) < 30, "error", at_most=0.05)
    assert many.why.endswith("no number of rows would do, since too many are wrong")
    for wrong in ({"at_most": 0.0}, {"at_most": 1.0}, {"at_most": 0.1, "confidence": 1.5}, {"at_most": float("nan")}):
        with pytest.raises(SettingError, match="it must be a share between 0 and 1"):
            promise([False], "error", **wrong)
    with pytest.raises(SettingError, match="not of the same rows"):
        threshold([0.1, 0.2], [True], "error", at_most=0.1)


def test_slices_have_thresholds_of_their_own() -> None:
    chance = np.random.default_rng(3)
    slices = np.repeat(["short", "long", "rare"], [2000, 2000, 5])
    scores_N = chance.beta(12, 1, len(slices))
    wrong_N = chance.random(len(slices)) < np.where(slices == "long", 4, 1) * (1 - scores_N) / 2
    found = by_slice(scores_N, wrong_N, slices, "error", at_most=0.03)
    one = {part.name: part for part in found.slices}
    assert one["short"].threshold is not None
    assert one["long"].threshold is not None
    assert one["short"].threshold < one["long"].threshold
    assert one["short"].upper <= 0.03
    pooled = threshold(scores_N[slices == "short"], wrong_N[slices == "short"], "error", at_most=0.03)
    assert pooled.threshold is not None
    assert one["short"].threshold >= pooled.threshold, "it shares its confidence with the others"
    assert one["rare"].rows == 5
    assert found.rows == 4005
    assert by_slice([], [], [], "error", at_most=0.03).kept is False
    rare = by_slice(scores_N, wrong_N, slices, "error", at_most=0.03, counted="answered")
    assert (rare.kept, rare.slices[1].name, rare.slices[1].threshold) == (False, "rare", None)
    assert "of 'rare'" in rare.why


def test_a_promise_is_stored_with_its_run(tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    scores_N, slices = chance.random(500), chance.choice(["a", "b"], 500)
    made = by_slice(scores_N, chance.random(500) < 0.001, slices, "harm", at_most=0.05)
    path = write_bound(tmp_path, "cascade", made)
    assert path == tmp_path / "bounds" / "cascade.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    promised = "promise at_most confidence rows threshold coverage since expired why".split()
    assert set(promised) <= set(record)
    assert read_bound(tmp_path, "cascade") == made
    gone = expired(made, "the rows that come are longer")
    write_bound(tmp_path, "cascade", gone)
    assert (read_bound(tmp_path, "cascade").expired, read_bound(tmp_path, "cascade").why) == (True, gone.why)
    path.write_text(json.dumps(record | {"later": 1}), encoding="utf-8")
    assert read_bound(tmp_path, "cascade") == made
    for broken in ({"promise": "luck"}, {"upper": 7}, {"at_most": "x"}, {"slices": 3}, {"expired": "no"}):
        path.write_text(json.dumps(record | broken), encoding="utf-8")
        with pytest.raises(DataError, match="it holds no bound"):
            read_bound(tmp_path, "cascade")
    with pytest.raises(DataError, match="does not exist"):
        read_bound(tmp_path, "nothing")
    for name in ("", "../x", "A", "a b", "x" * 99):
        with pytest.raises(SettingError, match="no name for a bound"):
            bound_file(tmp_path, name)


def test_what_is_lacking_where_only_the_answered_count() -> None:
    few = threshold(np.full(60, 0.9), np.arange(60) < 6, "error", at_most=0.05, counted="answered")
    assert (
        few.why
        == "60 rows are not enough for at most 0.05 at 0.95: it takes 86 that are answered, of which none is wrong"
    )
    scores_N = np.linspace(0.5, 0.99, 600)
    bound = threshold(scores_N, np.arange(600) % 25 == 0, "error", at_most=0.05, counted="answered")
    assert not bound.kept
    said = re.fullmatch(
        r"(\d+) of the (\d+) surest of 600 rows are wrong, too many .*: it takes ([\d,]+) as sure .*", bound.why
    )
    assert said is not None
    wrong, surest, needed = (int(one.replace(",", "")) for one in said.groups())
    assert 86 <= surest < 120
    assert wrong == (np.arange(600)[-surest:] % 25 == 0).sum()
    assert needed > surest
    hopeless = threshold(scores_N, np.arange(600) % 5 == 0, "error", at_most=0.05, counted="answered")
    assert hopeless.why.endswith("no number of rows as sure would do")
