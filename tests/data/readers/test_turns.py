"""Columns that hold a source and its answer, and which task a table of texts looks like."""

from __future__ import annotations

from typing import Any

import pytest

from deepen.core.errors import DataError
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.turns import joined_turns, turns_of
from deepen.preparation.catalog import load_task
from deepen.preparation.read import Sources, infer_task
from deepen.preparation.recipe import make_recipe

PAIRS = {
    "translation": {"translation": {"en": "the cat {} sleeps", "de": "die Katze {} schläft"}},
    "dialogue": {
        "messages": [{"role": "user", "content": "hello {}"}, {"role": "assistant", "content": "good day {}"}]
    },
    "summarisation": {"document": "a long text {} that goes on and on", "summary": "it goes {} on"},
    "instruction": {"prompt": "name a colour {}", "completion": "blue is number {}"},
    "ranking": {"question": "where is {}", "answer": "it is at place {}"},
    "classification": {"text": "the film {} was good", "label": "very good"},
}


def filled(value: Any, number: int) -> Any:
    if isinstance(value, dict):
        return {key: filled(inner, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, number) for inner in value]
    return value.replace("{}", str(number))


def read(rows: list[dict[str, Any]], task: str, **settings: Any) -> list[dict[str, Any]]:
    table, _ = load_table(rows, load_task(task).needs, DataSettings(**settings))
    return table.arrow.to_pylist()


@pytest.mark.parametrize("task", PAIRS)
def test_what_rows_look_like(task: str) -> None:
    rows = [filled(PAIRS[task], number) for number in range(20)]
    assert infer_task(make_recipe({}), Sources(rows))[0] == task


def test_labels_in_words_are_no_answers() -> None:
    rows = [
        {"source": f"the film {number} was long", "target": ("good news", "bad news")[number % 2]}
        for number in range(20)
    ]
    assert infer_task(make_recipe({}), Sources(rows))[0] == "classification"


def test_a_translation_in_two_languages() -> None:
    [row] = read([filled(PAIRS["translation"], 1)], "translation")
    assert (row["source"], row["target"]) == ("the cat 1 sleeps", ["die Katze 1 schläft"])


def test_several_references() -> None:
    [row] = read([{"document": ["One.", "Two."], "summary": ["first", "second"]}], "summarisation")
    assert (row["source"], row["target"]) == ("One.\nTwo.", ["first", "second"])


@pytest.mark.parametrize("keys", [("role", "content"), ("from", "value")])
def test_the_last_turn_is_the_answer(keys: tuple[str, str]) -> None:
    said = [
        ("system", "be kind"),
        ("human", "hi"),
        ("gpt", "yes?"),
        ("user", "open?\nuser: no"),
        ("assistant", "till six"),
    ]
    [row] = read([{"conversations": [dict(zip(keys, turn, strict=True)) for turn in said]}], "dialogue")
    assert row["target"] == ["till six"]
    turns = [("system", "be kind"), ("user", "hi"), ("assistant", "yes?"), ("user", "open? user: no")]
    assert turns_of(row["source"]) == turns
    assert joined_turns(turns) == row["source"]


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ({"role": "tool", "content": "x"}, "line 2: messages: turn 1 has the role 'tool'; it must be one of user, "),
        ({"role": "user", "content": None}, "line 2: messages: turn 1 says nothing that is text"),
        ({"role": "user", "content": "hi"}, "line 2: label is empty .*the last turn, which must be the assistant's"),
    ],
)
def test_what_is_no_conversation_is_said(turn: dict[str, Any], said: str) -> None:
    rows = [filled(PAIRS["dialogue"], 1), {"messages": [turn]}]
    with pytest.raises(DataError, match=said):
        read(rows, "dialogue", bad_rows="error")


def test_an_empty_answer_is_said() -> None:
    with pytest.raises(DataError, match="line 2: label is empty"):
        read([{"source": "a b", "target": "c"}, {"source": "a b", "target": " "}], "translation", bad_rows="error")
