"""A few planted rows for every task, so that the contract suites can run over whatever is on a shelf."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest


def _classification(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    words = {"good": "good fine great lovely".split(), "bad": "bad poor awful broken".split()}
    rows = []
    for number in range(num_rows):
        label = ("good", "bad")[number % 2]
        said = chance.choices("the a film phone room was looks very today".split(), k=chance.randint(2, 9))
        rows.append({"text": " ".join([*said, chance.choice(words[label])]), "label": label})
    return rows


def _tagging(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    rows = []
    for number in range(num_rows):
        said = chance.choices("the a film phone room was looks very today".split(), k=chance.randint(3, 9))
        tags = ["O"] * len(said)
        at = chance.randrange(len(said) + 1)
        name, kind = (["good", "lovely"], "PER") if number % 2 else (["broken"], "ORG")
        said[at:at] = name
        tags[at:at] = [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
        rows.append({"tokens": said, "ner_tags": tags})
    return rows


def _matching(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    rows = []
    for number in range(num_rows):
        first = chance.choices("the a film phone room was looks very today".split(), k=chance.randint(3, 8))
        same = number % 2 == 0
        second = chance.sample(first, len(first)) if same else chance.choices("seat desk cable music box".split(), k=5)
        rows.append({"sentence1": " ".join(first), "sentence2": " ".join(second), "label": "same" if same else "other"})
    return rows


def _relation(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    rows = []
    for number in range(num_rows):
        one, two = chance.sample("film phone room screen battery camera".split(), 2)
        label, verb = (("Cause-Effect(e1,e2)", "made"), ("Cause-Effect(e2,e1)", "with"), ("Other", "and"))[number % 3]
        rest = " ".join(chance.choices("the a today again here there".split(), k=chance.randint(1, 4)))
        rows.append({"text": f"the <e1>{one}</e1> {verb} the <e2>{two}</e2> {rest}", "label": label})
    return rows


def _multilabel(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    said_of = {"food": "tasty fresh salty".split(), "room": "clean quiet dusty".split(), "staff": "kind rude".split()}
    rows = []
    for number in range(num_rows):
        labels = sorted(chance.sample(list(said_of), (1, 2, 1, 3, 0)[number % 5]))
        said = chance.choices("the a and was very today here".split(), k=chance.randint(2, 6))
        said += [chance.choice(said_of[label]) for label in labels]
        rows.append({"text": " ".join(said), "labels": labels})
    return rows


def _span_qa(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    asked_of = {"what was good": "good fine great lovely".split(), "what was bad": "bad poor awful broken".split()}
    rows = []
    for number in range(num_rows):
        said = chance.choices("the a film phone room was looks very today".split(), k=chance.randint(4, 9))
        question, other = chance.sample(list(asked_of), 2)
        answer = "" if number % 6 == 5 else " ".join(chance.choices(asked_of[question], k=chance.randint(1, 2)))
        for words in (answer, chance.choice(asked_of[other])):
            said.insert(chance.randrange(len(said) + 1), words)
        starts = [len(" ".join([*said[: said.index(answer)], ""]))] if answer else []
        context = " ".join(said)
        answers = {"text": [answer] if answer else [], "answer_start": starts}
        rows.append({"context": context, "question": question, "answers": answers})
    return rows


def _ranking(num_rows: int) -> list[dict[str, Any]]:
    chance = random.Random(0)
    words = "good fine great lovely bad poor awful broken film phone room box desk seat music today".split()
    documents = [" ".join(chance.sample(words, 3)) for _ in range(24)]
    rows = []
    for number in range(num_rows):
        document = documents[number % len(documents)]
        said = [*chance.sample(document.split(), 2), *chance.choices("the a was looks very".split(), k=3)]
        chance.shuffle(said)
        rows.append({"query": " ".join(said), "answer": document})
    return rows


WORLDS = {
    "classification": _classification,
    "tagging": _tagging,
    "matching": _matching,
    "relation": _relation,
    "multilabel": _multilabel,
    "span_qa": _span_qa,
    "ranking": _ranking,
}


def some(names: Iterable[Any], *always: Any) -> list[Any]:
    """Parameters of which only `always` run in `make test`; `make test-services` runs the others."""
    return [
        name
        if name in always
        else pytest.param(*(name if isinstance(name, tuple) else (name,)), marks=pytest.mark.services)
        for name in names
    ]
