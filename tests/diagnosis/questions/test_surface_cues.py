"""`surface_cues` on models built to read something, with an encoder in which words of a kind are near."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.diagnosis.planted import MANY, Planted, case_of, constant, reader

from deepen.core.types import Finding
from deepen.data.table import Part
from deepen.data.words import words_of
from deepen.diagnosis.case import Case
from deepen.diagnosis.questions.surface_cues import rows as cue_rows
from deepen.diagnosis.questions.surface_cues import trial
from deepen.diagnosis.questions.surface_cues.ask import QuestionSettings, ask

LABELS = ("bad", "good")
MEANING = {"good": "great fine lovely superb bright".split(), "bad": "awful poor broken dull nasty".split()}
NEUTRAL = "table river morning paper window garden letter bridge corner street market winter butter button".split()
SETTINGS = QuestionSettings(num_rows=12)
Rows = list[dict[str, str]]


def rows_of(seed: int, num_rows: int, *, cue: str = "", long: bool = False) -> Rows:
    """Texts of neutral words with up to two that mean the label; the cue is in every tenth row that is good."""
    chance = random.Random(seed)
    rows = []
    for number in range(num_rows):
        of = LABELS[number % 2]
        words = chance.choices(NEUTRAL, k=chance.randint(4, 8))
        words += chance.sample(MEANING[of], chance.randint(0, 2))
        if number % 20 == 1:
            words += [cue] * bool(cue) + chance.choices(NEUTRAL, k=12 * long)
        chance.shuffle(words)
        rows.append({"text": " ".join(words), "label": of})
    return rows


def means(text: str) -> str:
    """What the words say: an oracle."""
    words = text.lower().split()
    good, bad = (sum(word in MEANING[label] for word in words) for label in ("good", "bad"))
    return "good" if good > bad or (good == bad and sum(map(ord, text)) % 2) else "bad"


@cache
def vector(word: str) -> np.ndarray:
    """A word's vector: what means the same points the same way, everything else anywhere."""
    own = np.random.default_rng(list(word.encode())).normal(size=48)
    kind = next((label for label, words in MEANING.items() if word in words), "")
    if not kind:
        return own
    return np.random.default_rng(list(kind.encode())).normal(size=48) + 0.4 * own


def encode(part: Part) -> np.ndarray:
    """The planted encoder: a text is the mean of its words, and their number."""
    texts = map(words_of, part.values("text"))
    rows = [[*np.mean([vector(word) for word in words], axis=0), len(words) / 8] for words in texts]
    return np.array(rows, np.float32)


def asked(
    model: Planted, seed: int, *, with_encoder: bool = True, folder: Path | None = None, **planted: Any
) -> list[Finding]:
    more = {"features": encode, "encode": encode} if with_encoder else {}
    return ask(case(model, seed, folder=folder, **more, **planted), SETTINGS)


def case(model: Planted, seed: int, *, num_rows: int = 0, cue: str = "", long: bool = False, **more: Any) -> Case:
    train = rows_of(seed, num_rows or (480 if long else 240), cue=cue, long=long)
    return case_of(rows_of(seed + 10_000, 100), {"full": model}, train=train, seed=seed, **more)


def accused(findings: list[Finding]) -> list[str]:
    return [finding.evidence[0]["cue"] for finding in findings if finding.verdict == "shallow"]


@pytest.mark.parametrize("cue", ["zqxv", "tuesday"])
def test_a_reader_of_a_planted_cue_is_shallow(cue: str) -> None:
    found = [asked(reader(LABELS, {cue: "good"}, means), seed, cue=cue) for seed in range(10)]
    assert sum(accused(findings) == [cue] for findings in found) >= 9
    [finding, *_] = next(findings for findings in found if accused(findings))
    told = finding.evidence[0]
    assert told["accuracy_contradicting"] < 0.1
    assert told["accuracy_contradicting_control"] > 0.6
    assert finding.remedy == f"deepen train --set 'data.hide=[\"{cue}\"]'"
    assert {row["kind"] for row in finding.evidence} == {"accused", "in_data", "in_model"}
    assert cue in [row["text"] for row in finding.evidence if row["kind"] == "in_data"]


def test_a_reader_of_length_is_shallow_and_other_rows_are_made_as_long(tmp_path: Path) -> None:
    def long_is_good(text: str) -> str:
        return "good" if len(text.split()) > 13 else means(text)

    hits = 0
    for seed in range(8):
        findings = asked(Planted(LABELS, long_is_good), seed, long=True, folder=tmp_path)
        lengths = [one for one in findings if one.verdict == "shallow" and one.evidence[0]["pattern"] == "length"]
        hits += len(lengths) == 1 and len(findings) == 1
    assert hits >= 7
    [path] = [word for word in lengths[0].remedy.split() if word.endswith(".csv")]
    assert f"--add {path}" in lengths[0].remedy
    with Path(path).open(encoding="utf-8", newline="") as file:
        added = list(csv.DictReader(file))
    train = case(constant(LABELS), seed, long=True).train
    assert train is not None
    long = [label for text, label in zip(train.values("text"), train.values("target"), strict=True) if _is_long(text)]
    assert long.count("good") > 2 * long.count("bad"), "the planted surplus"
    assert added
    assert {row["label"] for row in added} == {"bad"}
    assert all(_is_long(row["text"]) for row in added)
    long += [row["label"] for row in added]
    assert 0.7 < long.count("good") / long.count("bad") < 1.4, "a length says nothing any more"


def _is_long(text: str) -> bool:
    return len(text.split()) > 13


@pytest.mark.parametrize("num", MANY)
def test_what_means_the_label_is_not_accused(num: int) -> None:
    """An oracle reads words that mean the label: they move it all the way, and an encoder knows why."""
    verdicts = []
    for seed in range(num):
        findings = asked(Planted(LABELS, means), seed, num_rows=160)
        verdicts += [finding.verdict for finding in findings]
    assert verdicts.count("shallow") <= 0.05 * num, "one case in twenty"
    assert verdicts.count("deep") >= 0.9 * num, "an oracle is not left in doubt"


def test_a_cue_in_the_data_that_the_model_does_not_read_is_listed_and_not_accused() -> None:
    for seed in range(8):
        [finding] = asked(Planted(LABELS, means), seed, cue="zqxv")
        assert finding.verdict == "deep"
        assert "zqxv" in [row["text"] for row in finding.evidence if row["kind"] == "in_data"]
        assert "zqxv" in [row["text"] for row in finding.evidence if row["kind"] == "in_model"]


def test_without_an_encoder_it_does_not_guess() -> None:
    [finding] = asked(reader(LABELS, {"zqxv": "good"}, means), 0, cue="zqxv", with_encoder=False)
    assert finding.verdict == "unclear"
    [finding] = asked(constant(LABELS), 0, cue="zqxv", with_encoder=False)
    assert finding.verdict == "deep", "what never moves leans on nothing"


def test_the_model_is_shown_the_cue_in_texts_of_other_labels_and_its_own_without_it() -> None:
    model = reader(LABELS, {"zqxv": "good"}, means)
    asked(model, 0, cue="zqxv")
    shown = [text for text in model.seen if "zqxv" in text.split()]
    tried = {row["text"] for row in rows_of(10_000, 100) if row["label"] == "bad"}
    assert sum(without(text, "zqxv") in tried for text in shown) >= SETTINGS.num_rows
    had = {without(row["text"], "zqxv") for row in rows_of(0, 240, cue="zqxv") if "zqxv" in row["text"].split()}
    assert had <= set(model.seen), "it was taken out of the rows that had it"


def without(text: str, cue: str) -> str:
    return " ".join(word for word in text.split() if word != cue)


@pytest.mark.parametrize(
    ("broken", "does"),
    [
        ("insert_words", lambda text, words, at: text),
        ("altered", lambda part, inputs: part),
        ("hide_words", lambda text, hidden, **more: text),
    ],
)
def test_if_nothing_is_altered_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch, broken: str, does: Callable[..., Any]
) -> None:
    """Broken on purpose: without inserting or hiding, no planted cue is found, so the tests above would fail."""
    for module in (cue_rows, trial):
        monkeypatch.setattr(module, broken, does, raising=hasattr(module, broken))
    assert accused(asked(reader(LABELS, {"zqxv": "good"}, means), 0, cue="zqxv")) == []


def test_tagging_is_told_to_look_elsewhere() -> None:
    rows = [{"tokens": ["Anna", "sleeps"], "ner_tags": ["B-PER", "O"]}] * 4
    case = case_of(rows, {"full": constant(LABELS)}, train=rows, task="tagging")
    [finding] = ask(case, SETTINGS)
    assert finding.verdict == "not_applicable"
    assert "partial_input" in finding.caveat
