"""Slices of the scored rows: their scores are those of their rows, for every task, and few rows are said to be few."""

import json
import shutil

import numpy as np
import pytest
from tests.reporting.fabricate import LABELS, write

from deepen.core.errors import DataError
from deepen.core.ladder import read_ladder
from deepen.evaluation.statistics import wilson
from deepen.preparation.catalog import tasks
from deepen.reporting.row_scores import row_scores
from deepen.reporting.slices import read_slices


def slices_of(run):
    return read_slices(run, read_ladder(run / "ladder.json"))


def lines(run):
    path = run / "rungs" / "full" / "predictions-test.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def group(run, start):
    return next(group for group in slices_of(run).groups if group.title.startswith(start))


@pytest.fixture
def told_apart(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    n = len(lines(run))
    columns = {"product": ["tv" if at < 20 else "phone" for at in range(n)]}
    columns["price"] = [None if at == 0 else at / 2 for at in range(n)]
    columns["short"] = ["a", "b"]  # of other rows than these
    counts = dict(zip(LABELS, (3000, 8, 120, 12), strict=True))
    write(tmp_path / "run" / "slices.json", {"training_rows": counts, "columns": columns})
    return tmp_path / "run"


def test_a_slice_has_the_score_of_its_rows(told_apart):
    rows = lines(told_apart)[20:]
    right = sum(row["output"] == row["target"] for row in rows)
    few, many = sorted(group(told_apart, "By column “product”").slices, key=lambda one: one.score["n"])
    assert many.score == {
        "name": "accuracy",
        "value": right / len(rows),
        "low": wilson(right, len(rows))[0],
        "high": wilson(right, len(rows))[1],
        "n": len(rows),
    }
    assert (few.name, few.few, many.few) == ("tv", True, False)
    assert few.apart == ""


def test_every_way_to_tell_rows_apart(told_apart):
    found = {group.title: [one.name for one in group.slices] for group in slices_of(told_apart).groups}
    assert list(found) == [
        "By length of the text, in letters",
        "By label",
        "By how many training rows have the rarest of its labels",
        "By column “product”, not learned from",
        "By column “price”, not learned from",
    ]
    assert found["By how many training rows have the rarest of its labels"] == [
        *("1 to 9", "10 to 49", "50 to 199", "1,000 or more"),
    ]
    assert found["By column “price”, not learned from"][-1] == "(empty)"
    for one in slices_of(told_apart).groups:
        assert sum(slice.score["n"] for slice in one.slices) == len(lines(told_apart))


def test_a_slice_that_is_worse_is_named(told_apart):
    path = told_apart / "rungs" / "full" / "predictions-test.jsonl"
    rows = lines(told_apart)
    for row in rows:
        row["output"] = LABELS[1] if row["target"] == LABELS[0] else row["target"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [(one.name, one.apart) for one in group(told_apart, "By label").slices if one.apart != "higher"] == [
        (LABELS[0], "lower")
    ]


def test_a_run_of_an_earlier_release(run):
    titles = [group.title for group in slices_of(run).groups]
    assert titles == ["By length of the text, in letters", "By label"]


def test_a_damaged_file_is_named(told_apart):
    (told_apart / "slices.json").write_text('{"columns": 3}', encoding="utf-8")
    with pytest.raises(DataError, match=r"slices\.json is damaged"):
        slices_of(told_apart)


PAIRS = {
    "classification": ([("a", "a"), ("b", "a")], "accuracy", 0.5),
    "multilabel": ([(["a"], ["a", "b"]), (["b"], ["b"])], "micro_f1", 0.8),
    "span_qa": ([(["Eiffel Tower"], "the Eiffel tower"), ([], "x")], "answer_f1", 0.5),
    "matching": ([("1.5", 2.0), ("1.0", 1.0)], "mae", 0.25),
    "ranking": ([("one", "one"), ("two", "one")], "recall_at_1", 0.5),
    "tagging": (
        [(["B-PER", "I-PER", "O", "B-PER"], ["B-PER", "I-PER", "O", "B-ORG"]), (["O"], ["O"])],
        "entity_f1",
        0.5,
    ),
}


@pytest.mark.parametrize("task", PAIRS)
def test_the_score_of_each_task(task):
    pairs, name, value = PAIRS[task]
    found = row_scores(tasks()[task].shown.answer, pairs).of(np.arange(len(pairs)))
    assert (found["name"], found["n"]) == (name, 2)
    assert found["value"] == pytest.approx(value)
    assert found["low"] <= value <= found["high"]


def test_rows_that_are_all_right_are_not_certain():
    found = row_scores("many", [(["a"], ["a"])] * 20).of(np.arange(20))
    assert found["low"] == pytest.approx(wilson(20, 20)[0])
