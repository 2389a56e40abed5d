"""Answers in a context: how they are read, found again after normalisation, decided and scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import DataError
from deepen.core.types import Outputs
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.source import Fault
from deepen.data.table import Table
from deepen.data.targets.answers import read_answers
from deepen.models.tokenizer import load_tokenizer
from deepen.models.units import encode_units
from deepen.preparation.catalog import load_task
from deepen.shallow.span_overlap import fit_overlap
from deepen.tasks.span_qa import ALWAYS_THERE, PERHAPS_NONE, best_spans, null_threshold

TASK = load_task("span_qa")
CONTEXT = "The cat  sat on the mat. The mat was red."


def table_of(answers: Any, context: str = CONTEXT, **given_: Any) -> Table:
    rows = [{"context": context, "question": "Where did it sit?", "answers": answers}]
    return load_table(rows, TASK.needs, DataSettings(**given_))[0]


@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["the mat"], "answer_start": [16]},
        [{"text": "the mat", "answer_start": 16}],
        {"text": "the mat", "answer_start": 16},
        "the mat",
        '{"text": ["the mat"], "answer_start": [16]}',
        "['the mat']",
        [{"text": "the mat"}],
    ],
)
def test_forms_of_answers(answers: Any) -> None:
    """Two spaces of the context become one, so the place is no longer 16."""
    table = table_of(answers)
    assert table.arrow.column("target").to_pylist() == [["the mat"]]
    assert table.arrow.column("starts").to_pylist() == [[15]]
    targets = TASK.targets(table.all_rows(), ALWAYS_THERE)
    assert np.flatnonzero(targets.labels_M[:, 0]).tolist() == [4]
    assert np.flatnonzero(targets.labels_M[:, 1]).tolist() == [5]


def test_wrong_places_are_put_right_and_told() -> None:
    table = table_of({"text": ["mat"], "answer_start": [27]})
    assert table.arrow.column("starts").to_pylist() == [[28]], "the nearer of the two"
    assert any("wrong places of answers" in note for note in table.notes)
    assert not any("wrong places" in note for note in table_of({"text": ["mat"], "answer_start": [20]}).notes)


def test_what_is_no_answer() -> None:
    with pytest.raises(DataError, match="line 1: the answer 'the dog' does not stand in the context"):
        table_of("the dog")
    with pytest.raises(DataError, match="line 1: label is empty"):
        table_of("")
    with pytest.raises(DataError, match="2 answers have 1 places"):
        table_of({"text": ["cat", "mat"], "answer_start": [4]})
    with pytest.raises(DataError, match="which is no number"):
        table_of({"text": ["cat"], "answer_start": ["x"]})
    with pytest.raises(DataError, match="an answer needs a 'text'"):
        table_of([{"start": 3}])
    none = table_of([]).all_rows()
    with pytest.raises(DataError, match="holds no answer"):
        TASK.labels(none, None)
    with pytest.raises(DataError, match=r"line 1: 'Where did it sit\?' has no answer"):
        TASK.check(none, ALWAYS_THERE)
    TASK.check(none, PERHAPS_NONE)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["cat", "text", "", "[1]", "{}"])
_KEYS = st.sampled_from(["text", "answer_start", "answers", "other"])


@settings(max_examples=80)
@given(st.recursive(_LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(_KEYS, part, max_size=3)))
def test_whatever_stands_in_the_cell(cell: Any) -> None:
    """An answer that stands in the context, a sentence that says what is wrong, or nothing; never a traceback."""
    found = read_answers(cell, CONTEXT, CONTEXT, lambda text: text)
    if isinstance(found, Fault):
        assert found.message
    elif found is not None:
        assert all(CONTEXT[at : at + len(text)] == text for text, at in zip(found.texts, found.starts, strict=True))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_squad_file(indent: int | None, tmp_path: Path) -> None:
    asked = [
        {"id": "1", "question": "Where?", "answers": [{"text": "the mat", "answer_start": 16}]},
        {"id": "2", "question": "Who ate?", "is_impossible": True, "answers": []},
    ]
    article = {"title": "Cats", "paragraphs": [{"context": CONTEXT, "qas": asked}]}
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [article, article]}, indent=indent))
    checked = deepen.check(path)
    assert checked["task"] == "span_qa"
    assert not any("conflict" in problem["code"] for problem in checked["findings"])
    table, _ = load_table(path, TASK.needs, DataSettings())
    assert table.arrow.column("question").to_pylist() == ["Where?", "Who ate?"] * 2
    assert table.arrow.column("target").to_pylist() == [["the mat"], []] * 2
    assert TASK.labels(table.all_rows(), None) == PERHAPS_NONE


@settings(max_examples=60)
@given(st.lists(st.floats(-9, 9), min_size=2, max_size=24), st.integers(1, 6))
def test_the_best_span_is_the_best_of_all(numbers: list[float], longest: int) -> None:
    logits = np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2)
    found = best_spans(logits, longest)
    every = [
        logits[first, 0] + logits[last, 1]
        for first in range(len(logits))
        for last in range(first, min(len(logits), first + longest))
    ]
    assert found[0].logit == pytest.approx(max(every))
    taken: set[int] = set()
    for one in found:
        assert not taken & set(range(one.first, one.last + 1)), "none overlaps another"
        taken |= set(range(one.first, one.last + 1))
    assert best_spans(np.zeros((0, 2)), longest) == []


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 1), st.booleans()), min_size=1, max_size=20))
def test_no_threshold_is_better(rows: list[tuple[int, float, bool]]) -> None:
    logits, f1, none = (np.array(column, float) for column in zip(*rows, strict=True))
    logits = logits + np.arange(len(logits)) / 1000  # no two alike
    f1 = np.where(none > 0, 0.0, f1)

    def worth(cut: float) -> float:
        return float(np.where(logits > cut, f1, none).sum())

    assert worth(null_threshold(logits, f1, none)) == pytest.approx(
        max(worth(cut) for cut in [*(logits - 1e-6), *(logits + 1e-6)])
    )


def test_the_sentence_that_shares_most() -> None:
    context = "Anna lives in Rome . Bert works in Paris with Carla .".split()
    rows = [("where does Bert work in".split(), context), ("where does Anna live in".split(), context)]
    model = fit_overlap(lambda part: iter(part), [[(8, 8)], [(3, 3)]], rows)
    assert [context[model.best_run(*row)[0]] for row in rows] == ["works", "lives"]
    logits = model.logits(*rows[0])
    assert logits.shape == (12, 2)
    assert logits[:, 0].argmax() == 6


def test_windows_of_a_long_context(tiny_model: Path) -> None:
    """Each window begins with the question, and each word of the context has one token of its own."""
    tokenizer = load_tokenizer(tiny_model)
    words = [chr(97 + at % 26) for at in range(90)]
    text, places = " ".join(words), [(2 * at, 2 * at + 1) for at in range(90)]
    found = encode_units(tokenizer, [text], [places], max_tokens=40, asked=["who was it"])
    lone = encode_units(tokenizer, ["who was it"], [[(0, 3), (4, 7), (8, 10)]], max_tokens=40)
    assert found.segments_T is not None
    assert found.units_M is not None
    assert found.sequence_counts_B is not None
    assert found.sequence_counts_B[0] == len(found.lengths_B) > 2
    assert found.lengths_B.max() <= 40
    for start, length in zip(np.cumsum(found.lengths_B) - found.lengths_B, found.lengths_B, strict=True):
        ids, kinds = found.ids_T[start : start + length], found.segments_T[start : start + length]
        size = int((kinds == 0).sum())
        assert ids[:size].tolist() == lone.ids_T.tolist(), "[CLS] who was it [SEP]"
    pieces = [tokenizer.backend.encode(word, add_special_tokens=False).ids[0] for word in words]
    assert found.ids_T[found.units_M].tolist() == pieces


def test_a_climb(tiny_model: Path, tmp_path: Path) -> None:
    """Every rung runs, the threshold for no answer is kept with the model, and answers have their places."""
    rows = WORLDS["span_qa"](400)
    given_: dict[str, Any] = {"model": tiny_model, "thorough": True, "settings": ["data.validation_at_least=60"]}
    given_["settings"] += ["rungs.top_layers.learning_rate=3e-3", "rungs.full.learning_rate=3e-3"]
    run = deepen.train(rows[:340], test=rows[340:], out=tmp_path / "run", **given_)
    assert run.ladder["task"] == "span_qa", "the columns say so"
    scores = {row["rung"]: row["score"]["value"] for row in run.ladder["rungs"]}
    assert set(scores) == {"majority", "lexical", "frozen", "top_layers", "full"}
    assert scores["full"] > scores["lexical"] + 0.1
    assert {score["name"] for score in run.ladder["test"]} == {"answer_f1", "exact_match"}
    context = "the film was very awful and the phone lovely"
    model = deepen.load(tmp_path / "run", rung="full")
    [said] = model.predict([{"context": context, "question": "what was bad"}])
    assert "awful" in said.output
    assert said.entities is not None
    assert [context[one["start"] : one["end"]] for one in said.entities] == [one["text"] for one in said.entities]
    none = model.predict([row for row in rows[240:] if not row["answers"]["text"]])
    assert len(none) > 20
    assert sum(one.output == "" for one in none) > 0.6 * len(none), "what was learned as unanswerable, and the like"
    again = model.evaluate(rows[340:])
    assert {score.name for score in again} == {"answer_f1", "exact_match"}


def test_outputs_of_no_row() -> None:
    part = table_of("mat").all_rows().take(np.zeros(0, np.int64))
    assert len(TASK.targets(part, ALWAYS_THERE)) == 0
    assert TASK.decode(Outputs(np.zeros((0, 2), np.float32), np.zeros(1, np.int64)), part, ALWAYS_THERE) == []
