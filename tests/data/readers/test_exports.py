"""What annotation tools write is read as it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.data.reading import NEEDS, read, rows

from deepen.core.errors import DataError
from deepen.data.load import Need
from deepen.tasks.tagging import NEEDS as TAGGED

Write = Callable[..., str]
MANY = (NEEDS[0], Need("label", "labels"))
TEXT = "Mara flew to Lyon"
SPANS = [[0, 4, "PER"], [13, 17, "LOC"]]
TAGS = ["B-PER", "O", "O", "B-LOC"]
NAMED = [{"start": start, "end": end, "label": label} for start, end, label in SPANS]


def _studio(kind: str, values: list[dict[str, Any]], name: str = "sentiment", **more: Any) -> dict[str, Any]:
    result = [{"type": kind, "value": value, "from_name": name, "to_name": "text"} for value in values]
    return {"id": 1, "data": {"text": TEXT}, "annotations": [{"id": 1, "result": result, **more}]}


def _tokens(text: str) -> list[dict[str, Any]]:
    return [{"text": word, "start": text.index(word), "end": text.index(word) + len(word)} for word in text.split()]


SPANNED: dict[str, Any] = {
    "Label Studio": [
        _studio("labels", [{"start": s, "end": e, "labels": [label]} for s, e, label in SPANS], name="ner_marks")
    ],
    "Label Studio, hypertext": [
        _studio(
            "hypertextlabels",
            [
                {"start": "/p[1]", "end": "/p[1]", "globalOffsets": {"start": s, "end": e}, "hypertextlabels": [label]}
                for s, e, label in SPANS
            ],
        )
    ],
    "Label Studio, completions": [
        {
            "data": {"text": TEXT},
            "completions": _studio(
                "labels", [{"start": 0, "end": 4, "labels": ["PER"]}, {"start": 13, "end": 17, "labels": ["LOC"]}]
            )["annotations"],
        }
    ],
    "Prodigy": [{"text": TEXT, "tokens": _tokens(TEXT), "spans": NAMED, "answer": "accept"}],
    "spaCy, pairs": [[TEXT, {"entities": SPANS}]],
    "spaCy, an annotator's file": {"classes": ["PER", "LOC"], "annotations": [[TEXT, {"entities": SPANS}]]},
    "doccano, old": [{"text": TEXT, "labels": SPANS}],
    "doccano, new": [{"text": TEXT, "label": SPANS}],
    "doccano, relations": [
        {
            "text": TEXT,
            "entities": [{"start_offset": s, "end_offset": e, "label": label} for s, e, label in SPANS],
            "relations": [],
        }
    ],
    "Dataturks": [
        {
            "content": TEXT,
            "annotation": [{"label": [label], "points": [{"start": s, "end": e - 1}]} for s, e, label in SPANS],
            "extras": None,
        }
    ],
    "Rasa": {
        "rasa_nlu_data": {
            "common_examples": [
                {
                    "text": TEXT,
                    "intent": "fly",
                    "entities": [{"start": s, "end": e, "entity": label, "value": "x"} for s, e, label in SPANS],
                }
            ],
            "regex_features": [],
        }
    },
}


@pytest.mark.parametrize("tool", SPANNED)
def test_spans(write: Write, tool: str) -> None:
    held = SPANNED[tool]
    texts = [json.dumps(held), json.dumps(held, indent=1)]
    texts += ["".join(json.dumps(row) + "\n" for row in held)] if isinstance(held, list) else []
    for text in texts:
        assert rows(read(write("a.json", text), needs=TAGGED)) == [(TEXT, TEXT.split(), TAGS)]


def test_doccano_of_before_has_numbers_for_labels(write: Write) -> None:
    spans = [{"label": 3, "start_offset": 0, "end_offset": 4, "user": 1}]
    table = read(write("a.json", json.dumps([{"id": 1, "text": TEXT, "annotations": spans}])), needs=TAGGED)
    assert rows(table)[0][2] == ["B-3", "O", "O", "O"]
    whole = [{"text": text, "annotations": [{"label": at, "user": 1}]} for at, text in enumerate("ab")]
    assert rows(read(write("b.json", json.dumps(whole)))) == [("a", "0"), ("b", "1")]


def test_a_text_without_entities(write: Write) -> None:
    none = {"text": "It rained", "tokens": _tokens("It rained"), "answer": "accept"}
    tagged = {"text": TEXT, "tokens": _tokens(TEXT), "spans": NAMED, "answer": "accept"}
    found = rows(read(write("a.jsonl", json.dumps(tagged) + "\n" + json.dumps(none) + "\n"), needs=TAGGED))
    assert found[1] == ("It rained", ["It", "rained"], ["O", "O"])
    tasks = [_studio("labels", [{"start": 0, "end": 4, "labels": ["PER"]}]), _studio("labels", [])]
    assert rows(read(write("b.json", json.dumps(tasks)), needs=TAGGED))[1][2] == ["O"] * 4


def test_sentences_of_spacy_2(write: Write) -> None:
    tokens = [{"orth": word, "ner": tag} for word, tag in zip(TEXT.split(), ["U-PER", "O", "O", "U-LOC"], strict=True)]
    held = [{"id": 0, "paragraphs": [{"raw": TEXT, "sentences": [{"tokens": tokens}, {"tokens": tokens[:1]}]}]}]
    found = rows(read(write("a.json", json.dumps(held)), needs=TAGGED))
    assert [row[2] for row in found] == [TAGS, ["B-PER"]]


CHOSEN: dict[str, Any] = {
    "Label Studio": [_studio("choices", [{"choices": ["Praise"]}])],
    "Label Studio, any name": [_studio("choices", [{"choices": ["Praise"]}], name="my control")],
    "Label Studio, a cancelled one first": [
        {
            "data": {"text": TEXT},
            "annotations": [
                {"was_cancelled": True, "result": []},
                *_studio("choices", [{"choices": ["Praise"]}])["annotations"],
            ],
        }
    ],
    "spaCy": [{"text": TEXT, "cats": {"Blame": 0.0, "Praise": 1.0}}],
    "spaCy, pairs": [[TEXT, {"cats": {"Blame": False, "Praise": True}}]],
    "Prodigy, choice": [
        {"text": TEXT, "options": [{"id": "Praise", "text": "p"}], "accept": ["Praise"], "answer": "accept"}
    ],
    "doccano": [{"text": TEXT, "label": ["Praise"]}],
    "Dataturks": [{"content": TEXT, "annotation": {"labels": ["Praise"], "note": ""}, "extras": None}],
}


@pytest.mark.parametrize("tool", CHOSEN)
def test_one_label(write: Write, tool: str) -> None:
    assert rows(read(write("a.json", json.dumps(CHOSEN[tool])))) == [(TEXT, "Praise")]


@pytest.mark.parametrize(
    "held",
    [
        [_studio("choices", [{"choices": ["a", "b"]}])],
        [{"text": TEXT, "sentiment": {"choices": ["a", "b"]}, "annotator": 1}],
        [{"text": TEXT, "cats": {"a": 1, "b": 1, "c": 0}}],
        [{"text": TEXT, "options": [], "accept": ["b", "a"], "answer": "accept"}],
        [_studio("taxonomy", [{"taxonomy": [["a"], ["b"]]}])],
    ],
)
def test_several_labels(write: Write, held: Any) -> None:
    for text in (json.dumps(held), json.dumps(held[0]) + "\n"):
        assert rows(read(write("a.jsonl", text), needs=MANY)) == [(TEXT, ["a", "b"])]


def test_a_task_that_nobody_labelled_is_no_negative(write: Write) -> None:
    tasks = [_studio("choices", [{"choices": ["x"]}]), {"id": 2, "data": {"text": "b"}, "annotations": []}]
    with pytest.raises(DataError, match=r"^a\.json line 1: label is empty"):
        read(write("a.json", json.dumps(tasks)), bad_rows="error")


@pytest.mark.parametrize("kind", [{"x": "labels"}, ["labels"], None, 5])
def test_an_annotation_of_no_known_type_is_a_bad_row(write: Write, kind: Any) -> None:
    task = _studio("labels", [{"start": 0, "end": 4, "labels": ["PER"]}])
    odd = json.loads(json.dumps(task))
    for item in odd["annotations"][0]["result"]:
        item["type"] = kind
    with pytest.raises(DataError, match="line 1: a span is"):
        read(write("a.json", json.dumps([task, odd])), needs=TAGGED)
