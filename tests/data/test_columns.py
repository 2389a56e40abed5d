from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.data.reading import NEEDS, rows

from deepen.core.errors import DataError, SettingError
from deepen.data.columns import Columns, Need, columns_from_json, columns_to_json, parse_columns
from deepen.data.load import DataSettings, load_table

Write = Callable[..., str]
PLAIN = DataSettings()
PAIR = (
    Need("text_a", "text", ("sentence1", "premise")),
    Need("text_b", "text", ("sentence2", "hypothesis")),
    Need("label", "category"),
)


def found(source: str, columns: object = None, needs: tuple[Need, ...] = NEEDS) -> Columns:
    return load_table(source, needs, PLAIN, columns=columns)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("Review,Stars", "Review", "Stars"),
        ("cat,label,review", "review", "label"),
        ("评论,情感", "评论", "情感"),
        ("id,airline_sentiment,tweet", "tweet", "airline_sentiment"),
        ("label,Text ID,my text", "my text", "label"),
    ],
)
def test_by_name(write: Write, header: str, text: str, label: str) -> None:
    names = header.split(",")
    lines = [",".join(f"{name} value {i % 2}" for name in names) for i in range(6)]
    columns = found(write("a.csv", "\n".join([header, *lines])))
    assert columns.inputs == {"text": (text,)}
    assert columns.target == (label,)
    assert "by its name" in columns.reasons["text"]


def test_by_content(write: Write) -> None:
    lines = [f"{i},{'ab'[i % 2]},some longer text number {i}, title {i}" for i in range(10)]
    columns = found(write("a.csv", "\n".join(lines)))
    assert columns.inputs == {"text": (2,)}
    assert columns.target == (1,)
    assert "by content" in columns.reasons["label"]
    assert "2 different values" in columns.reasons["label"]


def test_a_file_sorted_by_label(write: Write) -> None:
    columns = found(write("a.tsv", "".join(f"text number {i}\t1\n" for i in range(20_100)) + "end\t0\n"))
    assert columns.target == (1,)


def test_another_choice_is_said(write: Write) -> None:
    columns = found(write("a.csv", "title,text,label,category\na,b,1,x\nc,d,0,y\n"))
    assert "'title' could be it too: --columns text=title" in columns.reasons["text"]
    assert "'category' could be it too" in columns.reasons["label"]


def test_pairs(write: Write) -> None:
    columns = found(write("a.csv", "id,sentence1,sentence2,label\n1,a b,c d,1\n2,e f,g h,0\n"), needs=PAIR)
    assert columns.inputs == {"text_a": ("sentence1",), "text_b": ("sentence2",)}
    bare = found(write("b.tsv", "".join(f"first {i}\tsecond one {i}\t{i % 2}\n" for i in range(8))), needs=PAIR)
    assert bare.inputs == {"text_a": (0,), "text_b": (1,)}


def test_asked_for(write: Write) -> None:
    name = write("a.csv", "title,description,stars\nbig,news,1\nno,news here,2\n")
    table, columns = load_table(name, NEEDS, PLAIN, columns=parse_columns("text=title+description,label=stars"))
    assert rows(table)[0] == ("big\nnews", "1")
    assert columns.reasons["text"] == "text is columns 'title' + 'description', as asked for"
    numbered, _ = load_table(write("b.csv", "1,x y,z\n2,v,w u\n"), NEEDS, PLAIN, columns={"text": "1+2", "label": "0"})
    assert rows(numbered)[0] == ("x y\nz", "1")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"text": "titel"}, "has no column 'titel' for text; did you mean 'title'"),
        ({"txt": "title"}, "the task has no 'txt'; did you mean 'text'"),
        ({"text": "7"}, "has no column '7' for text"),
    ],
)
def test_asked_for_what_is_not_there(write: Write, asked: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        found(write("a.csv", "title,stars\nbig news,1\nno news,2\n"), asked)


@pytest.mark.parametrize("text", ["text", "=a", "text=", "text=a,text=b", ""])
def test_unreadable_columns(text: str) -> None:
    with pytest.raises(SettingError):
        parse_columns(text)


def test_no_column_fits(write: Write) -> None:
    body = "".join(f"{i},{i * 7}\n" for i in range(30))
    with pytest.raises(DataError, match=r"no column looks like 'text'; the columns are a, b: say which"):
        found(write("a.csv", "a,b\n" + body))


def test_the_columns_of_training_apply_to_other_files(write: Write) -> None:
    columns = found(
        write("train.csv", "title,body,stars\nbig,news,1\nno,more,2\n"), parse_columns("text=body,label=stars")
    )
    test, again = load_table(write("test.csv", "stars,body,title\n2,x,y\n1,v,w\n"), NEEDS, PLAIN, columns=columns)
    assert rows(test) == [("x", "2"), ("v", "1")]
    assert again.reasons["text"] == "text is column 'body', as in the training data"
    assert columns_from_json(columns_to_json(columns)) == columns


def test_predicting_needs_no_target(write: Write) -> None:
    columns = found(write("train.tsv", "".join(f"{i % 2}\ttext number {i}\n" for i in range(8))))
    assert columns.target == (0,)
    table, again = load_table(write("new.tsv", "hello you\nand me\n"), NEEDS, PLAIN, columns=columns, need_target=False)
    assert [row[0] for row in rows(table)] == ["hello you", "and me"]
    assert again.target is None
    named = found(write("train.csv", "text,label\na b,1\nc d,0\n"))
    table, _ = load_table(write("new.csv", "id,text\n7,hello\n"), NEEDS, PLAIN, columns=named, need_target=False)
    assert rows(table) == [("hello", None)]
    table, _ = load_table(write("one.csv", "text\nhello\nyou\n"), NEEDS, PLAIN, columns=named, need_target=False)
    assert rows(table) == [("hello", None), ("you", None)]


def test_an_empty_label_is_no_error_when_predicting(write: Write) -> None:
    name = write("a.csv", "text,label\na b,1\nc d,\n")
    table, _ = load_table(name, NEEDS, PLAIN, need_target=False)
    assert rows(table) == [("a b", "1"), ("c d", None)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html><body>\n<table>\n", "it holds a web page"),
        ("文本，标签\n好，正\n坏，负\n", "--set data.delimiter=， reads them"),
    ],
)
def test_a_single_column_with_a_known_cause(write: Write, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        found(write("a.csv", content))
    if "，" in content:
        table = load_table(write("a.csv", content), NEEDS, DataSettings(delimiter="，"))[0]
        assert len(table.all_rows()) == 2
