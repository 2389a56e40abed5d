"""`leakage` on models that remember and on models that do not."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
from tests.diagnosis.planted import MANY, Planted, case_of, memoriser

from deepen.core.types import Outputs
from deepen.data.near import Groups
from deepen.data.table import Part
from deepen.diagnosis.case import Case
from deepen.diagnosis.questions import leakage
from deepen.diagnosis.questions.leakage import QuestionSettings, ask, compare

LABELS = ("bad", "good")
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
SETTINGS = QuestionSettings()
Row = dict[str, str]


def texts(seed: int, num: int) -> list[Row]:
    """Rows that have nothing in common; long enough to be looked up by their letters."""
    chance = random.Random(seed)
    spell = lambda: "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6))  # noqa: E731
    return [
        {"text": " ".join(spell() for _ in range(chance.randint(5, 9))), "label": chance.choice(LABELS)}
        for _ in range(num)
    ]


def leaking(seed: int, *, copies: int = 60, near: int = 60, clean: int = 180) -> tuple[list[Row], list[Row]]:
    """Training rows and rows to try, of which some are copies and some differ in a letter and in case."""
    train, fresh = texts(seed, 200), texts(seed + 1000, clean)
    exact = [dict(row) for row in train[:copies]]
    nearly = [{**row, "text": row["text"].capitalize()[:-1] + "!"} for row in train[copies : copies + near]]
    return train, [*exact, *nearly, *fresh]


def trial(train: list[Row], rows: list[Row], model: Planted, **more: object) -> Case:
    return case_of(rows, {"full": model}, train=train, **more)


def knows(rows: list[Row], share: float, seed: int) -> Planted:
    """A model that is right about this share of all rows, seen or not."""
    chance = random.Random(seed)
    other = {"bad": "good", "good": "bad"}
    said = {row["text"]: row["label"] if chance.random() < share else other[row["label"]] for row in rows}
    return Planted(LABELS, said.__getitem__)


def remembers(train: list[Row], rows: list[Row], seed: int) -> Planted:
    """Knows by heart what begins as a training row; guesses at the others."""
    chance = random.Random(seed)
    heart = {row["text"][:12].lower(): row["label"] for row in train}
    said = {row["text"]: heart.get(row["text"][:12].lower()) or chance.choice(LABELS) for row in rows}
    return Planted(LABELS, said.__getitem__)


def test_a_memoriser_is_shallow() -> None:
    verdicts = []
    for seed in range(20):
        train, rows = leaking(seed)
        [finding] = ask(trial(train, rows, remembers(train, rows, seed)), SETTINGS)
        verdicts.append(finding.verdict)
    assert verdicts.count("shallow") >= 19


def test_knowing_copies_by_heart_is_shallow() -> None:
    train, rows = leaking(0, near=0)
    [finding] = ask(trial(train, rows, memoriser(LABELS, {row["text"]: row["label"] for row in train})), SETTINGS)
    assert finding.verdict == "shallow"


def test_an_oracle_is_deep() -> None:
    verdicts = []
    for seed in range(20):
        train, rows = leaking(seed)
        [finding] = ask(trial(train, rows, knows(rows, 1.0, seed)), SETTINGS)
        verdicts.append(finding.verdict)
    assert verdicts.count("deep") >= 19


@pytest.mark.parametrize("num", MANY)
def test_no_accusation_where_seen_rows_are_not_easier(num: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that err as often on seen rows as on others; the search itself is done once."""
    train = texts(0, 100)
    rows = [*map(dict, train), *texts(1, 200)]
    once = case_of(rows, {"full": knows(rows, 1, 0)}, train=train)
    assert once.train is not None
    twins = leakage.near_duplicates([once.train, once.rows], leakage.NearSettings())
    monkeypatch.setattr(leakage, "near_duplicates", lambda parts, settings: twins)
    verdicts = []
    for seed in range(num):
        model = knows(rows, 0.99, seed)
        case = dataclasses.replace(once, predictors={"full": lambda model=model: model}, seed=seed)
        verdicts.append(ask(case, SETTINGS)[0].verdict)
    assert verdicts.count("shallow") == 0, "the margin is 0.05 above the truth, several standard errors"
    assert verdicts.count("deep") >= 0.75 * num


def test_without_leaks_it_says_so_and_says_nothing_else() -> None:
    for seed in range(20):
        train, rows = texts(seed, 100), texts(seed + 1000, 100)
        [finding] = ask(trial(train, rows, remembers(train, rows, seed)), SETTINGS)
        assert finding.verdict == "not_applicable"
        assert "no row of test has a near-duplicate" in finding.caveat


def test_too_few_leaks_and_no_training_rows() -> None:
    train, rows = leaking(0, copies=5, near=5)
    model = remembers(train, rows, 0)
    [few] = ask(trial(train, rows, model), SETTINGS)
    [none] = ask(case_of(rows, {"full": model}), SETTINGS)
    [all_seen] = ask(trial(rows, rows, model), SETTINGS)
    assert [few.verdict, none.verdict, all_seen.verdict] == ["not_applicable"] * 3
    assert "10 of 190 rows" in few.caveat
    assert "too few" in few.caveat


def test_the_evidence_counts_what_was_planted(tmp_path: Path) -> None:
    train, rows = leaking(3)
    for row in rows[:12]:
        row["label"] = LABELS[1 - LABELS.index(row["label"])]
    [finding] = ask(trial(train, rows, remembers(train, rows, 3), folder=tmp_path), SETTINGS)
    kinds = {row["kind"]: row for row in finding.evidence}
    counted = kinds["rows"]
    assert [counted[key] for key in ("leaked", "exact", "figures", "near", "n")] == [120, 60, 0, 60, 300]
    assert kinds["twin_labels"]["agree"] == pytest.approx(108 / 120, abs=1e-4)
    assert kinds["clean"]["n"] == 180
    right = [remembers(train, rows, 3).answer(row["text"]) == row["label"] for row in rows[120:]]
    assert kinds["clean"]["score"] == pytest.approx(np.mean(right), abs=1e-5)
    clean = [json.loads(line) for line in (tmp_path / "diagnosis" / "clean.jsonl").read_text().splitlines()]
    assert clean == [{"text": row["text"], "label": row["label"]} for row in rows[120:]]
    path = tmp_path / "diagnosis" / "clean.jsonl"
    assert finding.remedy == f"deepen evaluate {tmp_path} {path} --columns text=text,label=label"


def test_rows_that_differ_in_figures_only_are_twins() -> None:
    train = [{"text": f"{chr(97 + n)} won {n}-2", "label": LABELS[n % 2]} for n in range(10)] + texts(0, 20)
    rows = [{"text": f"{chr(97 + n)} won 1-{n}", "label": LABELS[n % 2]} for n in range(10)] + texts(1, 50)
    rows.append({"text": "x won 1-1", "label": "bad"})
    [finding] = ask(trial(train, rows, knows(rows, 1.0, 0)), SETTINGS)
    assert "10 of 61 rows" in finding.caveat


def test_a_search_that_finds_nothing_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: where no twin is found, even a memoriser passes, so the verdicts above rest on the search."""
    alone = lambda parts, settings: Groups(*(np.full(sum(map(len, parts)), -1) for _ in range(2)), searched=True)  # noqa: E731
    monkeypatch.setattr(leakage, "near_duplicates", alone)
    count = itertools.count()
    monkeypatch.setattr(leakage, "fold", lambda text: "x" * next(count))
    train, rows = leaking(0)
    [finding] = ask(trial(train, rows, remembers(train, rows, 0)), SETTINGS)
    assert finding.verdict == "not_applicable"


def test_matching_takes_out_what_is_only_easier() -> None:
    """Seen things are mostly easy ones; among equals, having been seen makes no difference."""
    chance = np.random.default_rng(0)
    easy = chance.random(2000) < 0.5
    seen = chance.random(2000) < np.where(easy, 0.5, 0.05)
    right = chance.random(2000) < np.where(easy, 0.95, 0.5)
    stats = np.stack([right, np.ones(2000)], 1).astype(float)
    share = lambda sums: sums[:, 0] / sums[:, 1]  # noqa: E731
    raw = compare(stats, seen, np.zeros(2000, int), np.arange(2000), share, seed=0)
    matched = compare(stats, seen, easy.astype(int), np.arange(2000), share, seed=0)
    assert raw is not None
    assert matched is not None
    assert raw.effect.low > 0.1
    assert matched.effect.low < 0 < matched.effect.high
    assert matched.num_seen == seen.sum()


def test_unseen_things_are_weighted_to_the_strata_of_the_seen() -> None:
    """By hand: two strata, seen 3 and 1, unseen 1 and 2; a stratum without unseen things is left out."""
    right = np.array([1, 1, 0, 1, 1, 0, 1, 1.0])
    seen = np.array([1, 1, 1, 1, 0, 0, 0, 1], bool)
    strata = np.array([0, 0, 0, 1, 0, 1, 1, 2])
    stats = np.stack([right, np.ones(8)], 1)
    found = compare(stats, seen, strata, np.arange(8), lambda s: s[:, 0] / np.maximum(s[:, 1], 1e-9), seed=0)
    assert found is not None
    assert found.seen.value == pytest.approx(3 / 4)
    assert found.unseen.value == pytest.approx((3 * 1 + 1 * 0.5) / 4)
    assert (found.num_seen, found.num_unseen) == (4, 3)


# --- tagging --------------------------------------------------------------------------------------------------------


class Tagger:
    """Tags the words it takes for names; `knows` says which, by their text and what stands before."""

    num_parameters = 0

    def __init__(self, knows: dict[str, str] | None) -> None:
        self.knows = knows

    def tag(self, words: list[str], at: int) -> str:
        if self.knows is not None:
            return self.knows.get(words[at], "O")
        return {"in": "B-LOC", "mr": "B-PER"}.get(words[at - 1] if at else "", "O")

    def predict(self, part: Part) -> Outputs:
        rows = list(part.values("tokens"))
        said = [TAGS.index(self.tag(words, at)) for words in rows for at in range(len(words))]
        values = np.zeros((len(said), len(TAGS)), np.float32)
        values[np.arange(len(said)), said] = 6.0
        return Outputs(values, np.concatenate([[0], np.cumsum([len(words) for words in rows])]))


def named(seed: int, num: int, names: list[str]) -> list[dict[str, list[str]]]:
    """Rows such as `so they met in NAME with mr NAME`, words around drawn anew."""
    chance = random.Random(seed)
    spell = lambda: "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6))  # noqa: E731
    rows = []
    for _ in range(num):
        before, after = [spell() for _ in range(3)], [spell() for _ in range(3)]
        place, person = chance.sample(names, 2)
        tokens = [*before, "in", place, *after, "mr", person]
        rows.append({"tokens": tokens, "tags": ["O"] * 4 + ["B-LOC"] + ["O"] * 4 + ["B-PER"]})
    return rows


@pytest.mark.parametrize(("kind", "verdict"), [("gazetteer", "shallow"), ("reads", "deep")])
def test_names_that_were_learned_by_heart(kind: str, verdict: str) -> None:
    verdicts = []
    for seed in range(20):
        old, new = [f"old{n}" for n in range(40)], [f"new{n}" for n in range(40)]
        train, rows = named(seed, 100, old), named(seed + 1000, 60, old) + named(seed + 2000, 60, new)
        heart = {word: tag for row in train for word, tag in zip(row["tokens"], row["tags"], strict=True)}
        model = Tagger(heart if kind == "gazetteer" else None)
        of_rows, of_names = ask(case_of(rows, {"full": model}, train=train, task="tagging"), SETTINGS)
        assert of_rows.verdict == "not_applicable"
        verdicts.append(of_names.verdict)
        assert of_names.evidence[0]["seen"] == sum(
            word in heart for row in rows for word in row["tokens"] if word[:3] in ("old", "new")
        )
        assert of_names.evidence[0]["n"] == 240
    assert verdicts.count(verdict) >= 19


def test_inputs_that_the_rows_do_not_have_are_left_out(tmp_path: Path) -> None:
    """The spans of a relation may be marked in the text, and then `head` and `tail` are no columns."""
    rows = [
        {"text": f"the <e1>cat</e1> {verb} the <e2>mat</e2>", "label": label}
        for verb, label in (("made", "maker"), ("with", "other"))
    ]
    case = case_of(rows, {"full": Planted(("maker", "other"), str)}, task="relation", folder=tmp_path)
    command = leakage._command(case, "clean.jsonl", np.array([1]))
    assert command.endswith("clean.jsonl --columns text=text,label=label")
    [line] = (tmp_path / "diagnosis" / "clean.jsonl").read_text(encoding="utf-8").splitlines()
    assert set(json.loads(line)) == {"text", "label"}
