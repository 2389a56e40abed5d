"""One answer, or a gap that is said, for each row of the input: by its id, its file and its line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.contracts import golden
from tests.contracts.conftest import Deepen, Finished

import deepen as front_door

ODD = [
    ("7", "a lovely film"),
    ("x-1", ""),
    ("=1+1", "=HYPERLINK(1)"),
    ("-1", "not good zebra"),
    ("007", "  "),
    ("é", "好 电影"),
    ("", "line one\nline two"),
    ("9", '"quoted", with a comma'),
]


def table(name: str, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("id", "text")) -> Path:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return Path(name)


def read(name: str) -> list[list[str]]:
    with Path(name).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def said(rows: list[dict[str, Any]]) -> list[Any]:
    return [row.get("output", row.get("skipped")) for row in rows]


def test_answers_are_joined_by_id_and_line(finished: Finished, deepen: Deepen) -> None:
    table("new.csv", ODD)
    answer = deepen("predict", finished.folder, "new.csv", "--json")
    rows = answer.json["predictions"]
    assert [row["row"]["id"] for row in rows] == [name or None for name, _ in ODD]
    assert [row["row"]["line"] for row in rows] == [2, 3, 4, 5, 6, 7, 8, 10]
    assert {row["row"]["file"] for row in rows} == {"new.csv"}
    assert [set(row) == golden.GAP for row in rows] == [not text.strip() for _, text in ODD]
    assert all(set(row["row"]) == golden.ROW for row in rows)
    assert rows[1]["skipped"] == rows[4]["skipped"] == "text is empty"
    assert "new.csv: 2 of 8 rows get no answer, the first: line 3: text is empty; line 6: text is empty" in answer.err
    good = [text for _, text in ODD if text.strip()]
    alone = front_door.load(finished.folder).predict(good)
    assert [row["probabilities"] for row in rows if "output" in row] == [one.probabilities for one in alone]


def test_a_table_of_answers_has_the_rows_of_the_input(finished: Finished, deepen: Deepen) -> None:
    table("new.csv", [(*row, "kept") for row in ODD], ("id", "text", "output"))
    answer = deepen("predict", finished.folder, "new.csv", "--out", "answers.csv")
    assert answer.out.strip() == "6 predictions, and 2 rows without one in answers.csv"
    header, *rows = read("answers.csv")
    assert header == ["id", "text", "output", "output_2", "p_negative", "p_positive"]
    guarded = {"=1+1": "'=1+1", "=HYPERLINK(1)": "'=HYPERLINK(1)"}
    assert [row[:3] for row in rows] == [[guarded.get(cell, cell) for cell in (*row, "kept")] for row in ODD]
    assert [row[3:] == ["", "", ""] for row in rows] == [not text.strip() for _, text in ODD]
    deepen("predict", finished.folder, "new.csv", "--out", "answers.jsonl")
    lines = [json.loads(line) for line in Path("answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line.get("output", "") for line in lines] == [row[3] for row in rows]


@pytest.mark.parametrize(
    ("name", "content", "reasons"),
    [
        ("a.txt", "good film\n\nbad film\n  \nso so\n", ["the line is blank", "the line is blank"]),
        ("a.csv", "id,text\n1,good film\n2\n3,bad film\n4,a,b\n5,so so\n", ["1 cell where", "3 cells where"]),
        (
            "a.jsonl",
            '{"text": "good film"}\n{"text": 5\n{"text": "bad film"}\n[1]\n{"text": "so so"}\n',
            ["not", "a J"],
        ),
        (
            "a.json",
            '[{"text": "good film"}, {"text": null}, {"text": "bad film"}, 5, {"text": "so so"}]',
            ["text", "a J"],
        ),
        ("a.csv", "text,n\ngood film,1\n,2\nbad film,3\n,\nso so,5\n", ["text is empty", "the row is blank"]),
    ],
    ids=["lines", "ragged", "jsonl", "json", "empty"],
)
def test_a_row_that_cant_be_answered_is_a_gap(
    finished: Finished, deepen: Deepen, name: str, content: str, reasons: list[str]
) -> None:
    Path(name).write_text(content)
    rows = deepen("predict", finished.folder, name, "--json").json["predictions"]
    assert ["skipped" in row for row in rows] == [False, True, False, True, False]
    assert [row["inputs"]["text"] for row in rows[::2]] == ["good film", "bad film", "so so"]
    assert all(row["skipped"].startswith(reason) for row, reason in zip(rows[1::2], reasons, strict=True))
    deepen("predict", finished.folder, name, "--out", "answers.csv")
    assert ["" in row[-2:] for row in read("answers.csv")[1:]] == [False, True, False, True, False]
    if name.endswith((".txt", ".csv")) and "text,n" not in content:
        deepen("predict", finished.folder, name, "--set", "data.bad_rows=drop").out  # noqa: B018
    printed = deepen("predict", finished.folder, name).out.splitlines()
    assert [line.startswith("(no answer)\tline ") for line in printed] == [False, True, False, True, False]


def test_a_file_of_bad_rows_only_is_all_gaps(finished: Finished, deepen: Deepen) -> None:
    table("new.csv", [(str(at), " ") for at in range(5)])
    rows = deepen("predict", finished.folder, "new.csv", "--json").json["predictions"]
    assert [row["row"]["id"] for row in rows] == list("01234")
    deepen("predict", finished.folder, "new.csv", "--set", "data.bad_rows=error").failed("DataError")


def test_rows_in_memory_keep_their_place(finished: Finished) -> None:
    model = front_door.load(finished.folder)
    found = model.predict(["a good film", "", "a bad film"])
    assert [(one.row, one.skipped) for one in found] == [
        ({"id": None, "file": None, "line": 1}, None),
        ({"id": None, "file": None, "line": 2}, "text is empty"),
        ({"id": None, "file": None, "line": 3}, None),
    ]
    frame = pd.DataFrame({"guid": [10, 11, 12], "text": ["a good film", None, "a bad film"]})
    found = model.predict(frame)
    assert [(one.row or {})["id"] for one in found] == [10, 11, 12]
    assert [one.output is None for one in found] == [False, True, False]
    assert [one.output is None for one in model.predict(["a good film", None])] == [False, True]
    with pytest.raises(front_door.DataError, match="text is empty"):
        front_door.load(finished.folder, settings=["data.bad_rows=error"]).predict(["a good film", ""])


@pytest.mark.parametrize(
    ("columns", "own"),
    [
        (("id", "text"), "id"),
        (("text", "ID"), "ID"),
        (("index", "idx", "text"), "idx"),
        (("tweet_id", "text"), "tweet_id"),
        (("tweet_id", "user_id", "text"), None),
        (("文本", "编号"), "编号"),
        (("order", "text"), None),
        (("text", "topic"), None),
    ],
)
def test_which_column_has_the_ids(
    finished: Finished, deepen: Deepen, columns: tuple[str, ...], own: str | None
) -> None:
    table("new.csv", [tuple(f"{name} {at}" for name in columns) for at in range(3)], columns)
    words = [] if "text" in columns else ["--columns", "text=文本"]
    rows = deepen("predict", finished.folder, "new.csv", *words, "--json").json["predictions"]
    assert [row["row"]["id"] for row in rows] == [own and f"{own} {at}" for at in range(3)]


def test_rows_of_a_folder_say_their_file(finished: Finished, deepen: Deepen) -> None:
    Path("many").mkdir()
    table("many/a.csv", [("1", "good film"), ("2", "")])
    table("many/b.csv", [("3", ""), ("4", "bad film")])
    rows = deepen("predict", finished.folder, "many", "--json").json["predictions"]
    places = [(row["row"]["id"], row["row"]["file"], row["row"]["line"], "skipped" in row) for row in rows]
    assert places == [
        ("1", "many/a.csv", 2, False),
        ("2", "many/a.csv", 3, True),
        ("3", "many/b.csv", 2, True),
        ("4", "many/b.csv", 3, False),
    ]
    deepen("predict", finished.folder, "many", "--out", "answers.csv")
    assert [row[0] for row in read("answers.csv")] == ["id", "1", "2", "3", "4"]


def test_many_rows_are_joined_exactly(finished: Finished, write_big: Callable[[], int]) -> None:
    num = write_big()
    found = front_door.load(finished.folder, rung="majority").predict("big.csv")
    assert len(found) == num
    for at, one in enumerate(found):
        assert one.row == {"id": f"行{at}", "file": "big.csv", "line": at + 2}
        assert (one.skipped is None) == bool(at % 7)
        assert one.skipped is not None or one.inputs == {"text": f"电影 {at}"}


@pytest.fixture
def write_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    monkeypatch.chdir(tmp_path)

    def write() -> int:
        num = 40_000
        table("big.csv", [(f"行{at}", f"电影 {at}" if at % 7 else "") for at in range(num)])
        return num

    return write


@pytest.mark.parametrize(
    ("cells", "own"),
    [
        (["K-0", "K-1", "K-2"], True),
        (["17", "18", "4"], True),
        (["行1", "行2", "行3"], True),
        (["K-0", "K-0", "K-2"], False),
        (["K-0", "", "K-2"], False),
        (["0.5", "0.25", "0.75"], False),
        (["two words", "K-1", "K-2"], False),
    ],
)
def test_the_first_column_may_look_like_ids(finished: Finished, deepen: Deepen, cells: list[str], own: bool) -> None:
    table("new.csv", [(cell, f"a film {at}") for at, cell in enumerate(cells)], ("order", "text"))
    answer = deepen("predict", finished.folder, "new.csv", "--json")
    assert [row["row"]["id"] for row in answer.json["predictions"]] == (cells if own else [None] * 3)
    assert ("the ids of the rows are column 'order'" in answer.err) == own
