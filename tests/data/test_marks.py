"""Rows that are marked for testing, or that a person rejected, are not learned in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.data.reading import NEEDS, read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, load_table, look
from deepen.data.marks import ForSplit, mark_columns
from deepen.data.source import Split
from deepen.data.targets.labels import check_labels

Write = Callable[..., str]
MARKED = [
    {"body of it": f"text {at} of it", "kind of": "ab"[at % 2], "split": ("train", "Train", "test", "dev")[at % 4]}
    for at in range(40)
]
AS = {"text": "body of it", "label": "kind of"}


def _texts(source: Any, **more: Any) -> list[str]:
    return [row[0] for row in rows(read(source, **more))]


def _csv(held: list[dict[str, Any]]) -> str:
    return "\n".join([",".join(held[0]), *(",".join(map(str, row.values())) for row in held)]) + "\n"


@pytest.mark.parametrize(("split", "first", "number"), [("train", 0, 20), ("test", 2, 10), ("validation", 3, 10)])
def test_a_column_says_which_rows(write: Write, split: Split, first: int, number: int) -> None:
    for source in (write("a.csv", _csv(MARKED)), write("a.json", json.dumps(MARKED)), MARKED):
        table = read(ForSplit(source, split), columns=AS)
        found = rows(table)
        assert (found[0][0], len(found)) == (f"text {first} of it", number)
        assert any("train 20, validation 10, test 10" in note and split in note for note in table.notes)
        assert not table.left_out
        assert len(read(source, columns=AS)) == 40
        assert table.marked == {"train": 20, "validation": 10, "test": 10}
        assert table.names == ("body of it", "kind of", "split")


def test_a_mark_is_no_label(write: Write) -> None:
    """Two or three different values look like labels; the column of kinds has more."""
    held = [{**row, "kind of": f"kind {at % 9}"} for at, row in enumerate(MARKED)]
    _, columns = load_table(write("a.csv", _csv(held)), NEEDS, DataSettings())
    assert columns.target == ("kind of",)
    assert len(read(ForSplit(held, "train"), columns={"text": "body of it", "label": "split"})) == 40


def test_where_nothing_is_for_a_split_all_is_read_with_a_warning() -> None:
    tests = [{"text": f"text {at}", "label": "ab"[at % 2], "split": "test"} for at in range(10)]
    table = read(ForSplit(tests, "train"))
    assert len(table) == 10
    assert any("test 10; none is for train" in warning for warning in table.warnings)
    assert not read(ForSplit(tests, "test")).warnings


@pytest.mark.parametrize("values", [("red", "blue"), ("1", "2"), ("train", "bus", "car"), ("", "")])
def test_other_values_are_no_marks(values: tuple[str, ...]) -> None:
    held = [{"text": f"t {at}", "label": "ab"[at % 2], "set": values[at % len(values)]} for at in range(12)]
    assert not mark_columns(look(held, DataSettings()))
    assert len(read(ForSplit(held, "train"))) == 12


def test_the_lists_of_an_object_are_splits(write: Write) -> None:
    called = [{"text": row["body of it"], "label": row["kind of"]} for row in MARKED[:10]]
    held = {"train": called[:6], "test": called[6:9], "dev": called[9:]}
    for indent in (None, 1):
        name = write("a.json", json.dumps(held, indent=indent))
        assert len(read(ForSplit(name, "train"))) == 6
        assert len(read(ForSplit(name, "test"))) == 3
        assert len(read(name)) == 10
        assert any("train 6, test 3, dev 1" in note for note in read(name).notes)
    pairs = {name: [list(row.values()) for row in part] for name, part in held.items()}
    found = rows(read(ForSplit(write("b.json", json.dumps(pairs)), "test"), columns={"text": "0", "label": "1"}))
    assert found == [("text 6 of it", "a"), ("text 7 of it", "b"), ("text 8 of it", "a")]


JUDGED = [
    {"text": f"text {at}", "label": ("A", "B")[at % 2], "answer": ("accept", "accept", "reject", "ignore", "")[at % 5]}
    for at in range(50)
]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_what_a_person_rejected_is_no_truth(write: Write, split: Split) -> None:
    for source in (write("a.jsonl", "".join(json.dumps(row) + "\n" for row in JUDGED)), JUDGED):
        table = read(ForSplit(source, split), bad_rows="error")
        assert [row[0] for row in rows(table)] == [row["text"] for row in JUDGED if row["answer"] == "accept"]
        assert len(table.left_out) == 30
        assert "answer is reject" in table.left_out[0].reason
        assert any("30 rows were rejected or ignored" in note for note in table.notes)
        assert not table.faults
        assert len(_texts(source)) == 50  # to predict, every text has an answer


def test_rejected_rows_can_be_the_other_class() -> None:
    held = [{**row, "label": "A"} for row in JUDGED]
    table = read(ForSplit(held, "train"))
    with pytest.raises(DataError, match=r"one class only: every label is 'A'.*--columns label=answer"):
        check_labels(table.all_rows())
    asked = read(ForSplit(held[:4], "train"), columns={"label": "answer"})
    assert [row[1] for row in rows(asked)] == ["accept", "accept", "reject", "ignore"]


def test_an_answer_of_another_kind_is_none() -> None:
    held = [{"question": "a b", "answer": "accept", "text": "c", "label": "x"}, {"answer": "it depends", "text": "d"}]
    assert not mark_columns(look(held, DataSettings()))


def test_nothing_accepted() -> None:
    with pytest.raises(DataError, match=r"no rows to read; 2 were rejected or ignored"):
        read(ForSplit([{"text": "a", "label": "b", "answer": "reject"}] * 2, "train"))


def marked(*values: str) -> list[dict[str, str]]:
    return [{"text": f"text {at} of it", "label": "ab"[at % 2], "split": values[at % len(values)]} for at in range(60)]


def test_rows_whose_mark_is_misspelt_are_counted() -> None:
    source = marked(*["train"] * 14, *["test"] * 5, "tset")
    found = read(ForSplit(source, "train"))
    assert len(found) == 42
    assert "column 'split' names no split in 3 rows, as tset: such rows are left out" in found.warnings[-1]
    found = read(ForSplit(marked(*["train"] * 19, "tset"), "train"))
    assert len(found) == 60
    assert "such rows are read too" in found.warnings[-1]


@pytest.mark.parametrize(("values", "loud"), [(("train", "train", "tset"), True), (("1", "2", "3"), False)])
def test_a_column_that_is_called_split_and_marks_nothing_is_said(values: tuple[str, ...], loud: bool) -> None:
    found = read(ForSplit(marked(*values), "train"))
    assert len(found) == 60
    said = [line for line in (found.warnings if loud else found.notes) if "'split' marks no rows, for it holds" in line]
    assert len(said) == 1


@pytest.mark.parametrize(("name", "yes", "no"), [("is_test", "test", "train"), ("is_valid", "validation", "train")])
def test_a_column_of_flags_marks_rows(name: str, yes: Split, no: Split) -> None:
    source = [{"text": f"text {at} of it", "label": "ab"[at % 2], name: int(at % 5 == 0)} for at in range(60)]
    assert len(read(ForSplit(source, yes))) == 12
    assert len(read(ForSplit(source, no))) == 48
