"""JSON files are read whole: rows wherever an object holds them, or a line that says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, look

Write = Callable[..., str]
BODY = [("good film", "1"), ("bad film", "0"), ("fine, really", "1")]
OBJECTS = [{"text": text, "label": int(label)} for text, label in BODY]
COLUMNS: dict[str, list[Any]] = {"text": [text for text, _ in BODY], "label": [int(label) for _, label in BODY]}


def _frame(orient: str) -> str:
    return str(pd.DataFrame(OBJECTS).to_json(orient=orient))


@pytest.mark.parametrize("orient", ["columns", "index", "split", "table", "records"])
def test_every_form_of_pandas(write: Write, orient: str) -> None:
    assert rows(read(write("a.json", _frame(orient)))) == BODY
    assert rows(read(write("b.json", json.dumps(json.loads(_frame(orient)), indent=2)))) == BODY


def test_an_index_in_words(write: Write) -> None:
    frame = pd.DataFrame(OBJECTS, index=["x", "y", "z"])
    assert rows(read(write("a.json", frame.to_json()))) == BODY
    assert rows(read(write("b.json", frame.to_json(orient="index")))) == BODY
    assert rows(read(write("c.json", frame[:2].to_json(orient="index")))) == BODY[:2]


def test_a_table_by_columns(write: Write) -> None:
    assert rows(read(write("a.json", json.dumps(COLUMNS)))) == BODY
    assert rows(read(write("b.json", json.dumps(COLUMNS, indent=1)))) == BODY
    with pytest.raises(DataError, match=r"c\.json is a table .* not equally long: text 2, label 3"):
        read(write("c.json", json.dumps({"text": ["a", "b"], "label": [1, 2, 3]})))


def test_rows_that_are_lists(write: Write) -> None:
    pairs = [list(pair) for pair in BODY]
    wanted = {"text": "0", "label": "1"}
    for text in (json.dumps(pairs), "".join(json.dumps(pair) + "\n" for pair in pairs)):
        assert rows(read(write("a.json", text), columns=wanted)) == BODY
    clinc = {"val": pairs[:1], "train": pairs, "test": pairs[:2], "oos_train": [["x", "oos"]]}
    assert look(write("b.json", json.dumps(clinc)), DataSettings()).width == 3
    with pytest.raises(DataError, match=r"c\.json line 1: 1 cells where the other rows have 2"):
        read(write("c.json", json.dumps([*pairs, ["x"]])), columns=wanted)


def test_objects_one_after_another(write: Write) -> None:
    assert rows(read(write("a.json", "\n".join(json.dumps(row, indent=1) for row in OBJECTS)))) == BODY
    assert rows(read(write("b.json", "".join(json.dumps([row]) + "\n" for row in OBJECTS)))) == BODY


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OBJECTS) + " garbage",
        json.dumps(OBJECTS, indent=1) + "\n" + json.dumps(OBJECTS, indent=1),
        json.dumps({"data": OBJECTS}) + "]",
        json.dumps({"data": OBJECTS}, indent=1) + "\n[]",
        json.dumps(OBJECTS[0], indent=1) + "\nnot json",
        json.dumps(OBJECTS) + "\n" + json.dumps(OBJECTS)[:-1],
    ],
)
def test_what_follows_the_end_is_an_error(write: Write, text: str) -> None:
    with pytest.raises(DataError, match=r"^a\.json line \d+: (the JSON ends and|not JSON)"):
        read(write("a.json", text))


def test_several_lists_are_never_chosen_among_in_silence(write: Write) -> None:
    with pytest.raises(DataError, match=r"holds several lists \(reviews 3, users 1\)"):
        read(write("a.json", json.dumps({"reviews": OBJECTS, "users": [{"text": "x", "label": 1}]})))
    table = read(write("b.json", json.dumps({"data": OBJECTS, "users": [{"name": "x"}]})))
    assert rows(table) == BODY
    assert any("users left alone" in note for note in table.notes)
    with pytest.raises(DataError, match=r"c\.json is empty: its list 'data' holds nothing"):
        read(write("c.json", json.dumps({"version": "1", "data": []})))
    with pytest.raises(DataError, match="the key 'text' is there twice"):
        read(write("d.json", '{"text": ["a", "b"], "label": [1, 2], "text": ["c", "d"]}'))


def test_one_row_is_a_row(write: Write) -> None:
    """An object with a text is a row, whatever lists it holds."""
    for indent in (None, 1):
        row = {"text": "Mara flew", "label": "x", "annotations": [{"start": 0}], "tags": ["a", "b"]}
        assert rows(read(write("a.json", json.dumps(row, indent=indent)))) == [("Mara flew", "x")]


def test_keys_of_their_own_cost_what_they_hold(write: Write) -> None:
    """300 objects with 100 keys of their own: not 300 x 30,000 cells; a key that is asked for is there all the same."""
    many = [{"text": f"a {i}", "label": i % 2, **{f"k{i}_{j}": 1 for j in range(100)}} for i in range(300)]
    name = write("a.jsonl", "".join(json.dumps(row) + "\n" for row in many))
    for source in (name, many):
        found = look(source, DataSettings())
        assert sum(map(len, found.sample)) < 1_100_000
        table = read(source)
        assert len(table) == 300
        assert any("different keys" in note for note in table.notes)
    assert rows(read(name, columns={"text": "k299_3", "label": "label"}, bad_rows="drop")) == [("1", "1")]


NESTED = [
    {"id": 1, "tweet": {"text": "good film", "user": {"lang": "en"}}, "marks": [{"by": "a", "y": "pos"}]},
    {"id": 2, "tweet": {"text": "bad film", "user": {"lang": "de"}}, "marks": [{"by": "b", "y": "neg"}]},
]


def test_paths_into_objects(write: Write) -> None:
    asked = {"text": "tweet.text", "label": "tweet.user.lang"}
    for source in (write("a.json", json.dumps(NESTED)), NESTED, pd.DataFrame(NESTED)):
        assert rows(read(source, columns=asked)) == [("good film", "en"), ("bad film", "de")]
        found = rows(read(source, columns={"text": "tweet.text", "label": "marks.0.y"}))
        assert found == [("good film", "pos"), ("bad film", "neg")]
        assert rows(read(source, columns={"text": "id+tweet.text", "label": "id"}))[0] == ("1\ngood film", "1")
        with pytest.raises(DataError, match=r"tweet\.text"):  # a path is named, and never taken unasked
            read(source)
