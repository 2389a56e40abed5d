"""A file that is predicted or scored is read in the form of the training file; what decided is said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.data.reading import NEEDS

from deepen.core.errors import DataError
from deepen.data.columns import AskedColumns, Columns, Need, columns_from_json, columns_to_json, parse_columns
from deepen.data.load import DataSettings, load_table

Write = Callable[..., str]
WORDS = "the a film phone room was looks very today I it my".split()
SIGNS = {"positive": ("good", "fine"), "negative": ("bad", "poor")}
FORMS = ("header.csv", "bare.csv", "bare.tsv", "label.txt", "fast.txt", "rows.jsonl", "folder", "own.csv")
PAIR = (Need("sentence1", "text"), Need("sentence2", "text"), Need("label", "category"))


def _training_rows() -> list[tuple[str, str]]:
    rows = []
    for number in range(60):
        label = ("positive", "negative")[number % 2]
        said = [WORDS[(number * step) % len(WORDS)] for step in (1, 2, 3, 5)[: 2 + number % 3]]
        said.insert(number % 3, SIGNS[label][number % 4 // 2])
        rows.append((" ".join(said) + (", really" if number % 3 else ""), label))
    return rows


def table(rows: list[tuple[str, ...]], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


@pytest.fixture(params=FORMS)
def trained(request: pytest.FixtureRequest, write: Write) -> Columns:
    """The columns that a training file of each form leaves."""
    return columns_of(request.param, write)


def columns_of(form: str, write: Write) -> Columns:
    rows = _training_rows()
    texts = {
        "header.csv": table([("text", "label"), *rows]),
        "bare.csv": table(rows),
        "bare.tsv": "".join(f"{label}\t{text}\n" for text, label in rows),
        "label.txt": "".join(f"{label} {text}\n" for text, label in rows),
        "fast.txt": "".join(f"__label__{label} {text}\n" for text, label in rows),
        "rows.jsonl": "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows),
        "own.csv": table([("Beschwerde", "Abteilung"), *rows], ";"),
    }
    if form == "folder":
        for number, (text, label) in enumerate(rows):
            write(f"train/folder/{label}/{number}.txt", f"{text}\n")
    else:
        write(f"train/{form}", texts[form])
    settings = DataSettings(header=True) if form == "own.csv" else DataSettings()
    columns = load_table(f"train/{form}", NEEDS, settings)[1]
    return columns_from_json(json.loads(json.dumps(columns_to_json(columns))))


def read(name: str, columns: Columns | AskedColumns, *, label: bool = False, **settings: Any) -> tuple[list[Any], str]:
    """The texts of a file, or its texts and labels, and what is told of it."""
    found, chosen = load_table(name, NEEDS, DataSettings(**settings), columns=columns, need_target=label)
    part = found.all_rows()
    rows = list(zip(part.values("text"), part.values("target"), strict=True)) if label else list(part.values("text"))
    return rows, "\n".join((*chosen.reasons.values(), *found.notes, *found.warnings))


def formats(folder: Path, texts: list[str]) -> dict[str, str]:
    """The same texts as people write them: name of the file by form."""
    ids = [f"case {number}" for number in range(len(texts))]
    pairs = list(zip(ids, texts, strict=True))
    files = {
        "named.csv": table([("text",), *((text,) for text in texts)]),
        "ids.csv": table([("id", "text"), *pairs]),
        "wide.csv": table([("label", "id", "text"), *(("positive", *pair) for pair in pairs)]),
        "semicolons.csv": table([("id", "text"), *pairs], ";"),
        "ids.tsv": table([("id", "text"), *pairs], "\t"),
        "usual.csv": table([("nr", "review"), *pairs]),
        "bare.txt": "".join(f"{text}\n" for text in texts),
        "rows.jsonl": "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in pairs),
        "list.json": json.dumps([{"text": text} for text in texts]),
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8", newline="")
    pq.write_table(pa.table({"id": ids, "text": texts}), folder / "rows.parquet")
    return {name: str(folder / name) for name in (*files, "rows.parquet")}


TEXTS = {
    "commas": ["a fine room, zebra bad broken awful", "the film, it was good"],
    "one line": ["a fine room, zebra bad broken awful"],
    "semicolons": [f"well; the film was {word}" for word in ("good", "bad", "awful", "fine")],
    "bars": [f"well | the film was {word}" for word in ("good", "bad", "awful", "fine")],
    "no space": ["good,bad", "fine,awful", "great,poor"],
    "first words": ["I broke it on day one", "The room was bad and awful", "The film was not good", "I was glad"],
    "my": [f"{('i', 'my')[number % 2]} feel so {word}; joy" for number, word in enumerate(WORDS * 9)],
    "quotes": ['"Great" he said', 'a "bad" film', 'so "good, or bad"'],
    "tags": ["I O", "you O", "good B-PER"],
    "names": ["title", "the film was good", "a room was bad"],
    "a label": ["positive vibes only"],
    "brackets": ["[sic] good film", "[sic] bad film"],
    "thousand": [
        f"{WORDS[number % 12]} film, number {number}; {'good' if number % 3 else 'bad'}" for number in range(1000)
    ],
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_same_texts_in_every_form(trained: Columns, name: str, tmp_path: Path) -> None:
    for form, file in formats(tmp_path, TEXTS[name]).items():
        assert read(file, trained)[0] == TEXTS[name], form


_PIECES = (
    "positive",
    "negative",
    "0",
    "1",
    ",",
    ";",
    "|",
    '"',
    "'",
    "I",
    "the",
    "film",
    "label",
    "O",
    "B-PER",
    "好",
    "-",
)


@hypothesis_settings(max_examples=15)
@given(
    form=st.sampled_from(("header.csv", "bare.csv", "label.txt")),
    texts=st.lists(
        st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5).map(lambda words: f"x {' '.join(words)}"),
        min_size=1,
        max_size=12,
    ),
)
def test_any_texts_in_every_form(form: str, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    columns = _KEPT.get(form) or _KEPT.setdefault(form, _columns_anywhere(form, folder))
    for kind, file in formats(folder, texts).items():
        assert read(file, columns)[0] == texts, (form, kind)


_KEPT: dict[str, Columns] = {}


def _columns_anywhere(form: str, folder: Path) -> Columns:
    def write(name: str, content: str) -> str:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return str(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return columns_of(form, write)


def labelled(folder: Path, rows: list[tuple[str, str]]) -> dict[str, str]:
    """The same texts and labels as people write them."""
    turned = [(label, text) for text, label in rows]
    files = {
        "named.csv": table([("text", "label"), *rows]),
        "turned.csv": table([("label", "text"), *turned]),
        "usual.csv": table([("sentiment", "review"), *turned]),
        "own.csv": table([("Kommentar", "Etikett"), *rows]),
        "own turned.csv": table([("Etikett", "Kommentar"), *turned]),
        "bare.csv": table(rows),
        "bare turned.csv": table(turned),
        "bare ids.csv": table([(f"n{number}", *row) for number, row in enumerate(rows)]),
        "semicolons.csv": table(rows, ";"),
        "semicolons.txt": table(rows, ";"),
        "bare.tsv": table(rows, "\t"),
        "tabs.txt": table(turned, "\t"),
        "lines.txt": "".join(f"{label} {text}\n" for text, label in rows),
        "fast.txt": "".join(f"__label__{label} {text}\n" for text, label in rows),
        "rows.jsonl": "".join(json.dumps({"label": label, "text": text}) + "\n" for text, label in rows),
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8", newline="")
    return {name: str(folder / name) for name in files}


@pytest.mark.parametrize("num_rows", [1, 2, 8])
def test_the_same_labels_in_every_form(trained: Columns, num_rows: int, tmp_path: Path) -> None:
    rows = [
        ("a good film, really", "positive"),
        ("the bad room", "negative"),
        ('so "great" it was', "positive"),
        ("it was awful; broken", "negative"),
        ("I loved the fine room", "positive"),
        ("I was poor", "negative"),
        ("the film is lovely", "positive"),
        ("my bad", "negative"),
    ][:num_rows]
    for form, file in labelled(tmp_path, rows).items():
        assert read(file, trained, label=True)[0] == rows, form
        if form != "lines.txt":
            assert read(file, trained)[0] == [text for text, _ in rows], form


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.csv", "id,text\ncase 17,the film was good\ncase 18,a bad room\n", ["the film was good", "a bad room"]),
        ("b.csv", "nr;beschwerde\n17;the film was good\n18;a bad room\n", ["the film was good", "a bad room"]),
        ("e.csv", "the film was good,\na bad room,\n", ["the film was good", "a bad room"]),
        ("c.csv", "17,the film was good\n18,a bad room\n", ["the film was good", "a bad room"]),
        ("d.jsonl", '{"nr": "case 17", "beschwerde": "the film was good"}\n', ["the film was good"]),
    ],
)
def test_a_number_of_a_column_is_no_id(write: Write, name: str, content: str, texts: list[str]) -> None:
    found, told = read(write(name, content), columns_of("bare.csv", write))
    assert found == texts
    assert "text is column" in told


@pytest.mark.parametrize("form", ["bare.csv", "header.csv"])
def test_a_first_row_that_is_data(write: Write, form: str) -> None:
    columns = columns_of(form, write)
    for first in ("question,positive", "date,negative", "great film,N/A"):
        rows = [
            first,
            *(",".join(reversed(row.split(" | "))) for row in ("positive | a good one", "negative | a bad one")),
        ]
        found, _ = read(write("new.csv", "\n".join([*rows, *rows[1:], *rows[1:]]) + "\n"), columns)
        assert len(found) == 7, first


def test_what_is_told_can_be_followed(write: Write) -> None:
    columns = columns_of("header.csv", write)
    lines = write("a.txt", "well;the film was good\nso;a room was bad\n")
    found, told = read(lines, columns)
    assert found == ["well;the film was good", "so;a room was bad"]
    assert "one text a line" in told
    assert "--set 'data.delimiter=;' and, say, --columns text=1" in told
    asked = AskedColumns(parse_columns("text=1"), columns)
    assert read(lines, asked, delimiter=";")[0] == ["the film was good", "a room was bad"]
    bare = write("b.csv", "17,the film was good\n18,a room was bad\n")
    found, told = read(bare, columns)
    assert found == ["the film was good", "a room was bad"]
    assert "if each line is one text: --set data.delimiter=tab" in told
    assert read(bare, columns, delimiter="tab")[0] == ["17,the film was good", "18,a room was bad"]
    named = write("c.csv", "title\nthe film was good\n")
    found, told = read(named, columns)
    assert found == ["the film was good"]
    assert "--set data.header=false reads it as a text" in told
    assert read(named, columns, header=False)[0] == ["title", "the film was good"]
    text = write("d.txt", "text\nthe film, it was good\n")
    found, told = read(text, columns)
    assert found == ["the film, it was good"]
    assert "is the header (--set data.header=false reads it as a text)" in told
    assert read(text, columns, header=False)[0] == ["text", "the film, it was good"]
    assert read(write("e.txt", "title\nthe film\n"), columns, header=True)[0] == ["the film"]


def test_a_header_where_training_had_none_and_none_where_it_had_one(write: Write) -> None:
    rows = [*_training_rows()[:4]]
    found, told = read(
        write("a.csv", table([("Kommentar", "Etikett"), *rows])), columns_of("bare.csv", write), label=True
    )
    assert found == rows
    assert "the training file had no header; if the first row is none: --set data.header=false" in told
    bare = write("b.csv", table(rows))
    found, told = read(bare, columns_of("header.csv", write), label=True)
    assert found == rows
    assert "the training file had a header; if the first row is one: --set data.header=true" in told
    assert read(bare, columns_of("header.csv", write), label=True, header=True)[0] == rows[1:]


def test_lines_that_begin_with_labels(write: Write) -> None:
    lines = "positive vibes only\nnegative thoughts here\npositive thing said\nnegative film was\n"
    whole = lines.splitlines()
    found, told = read(write("a.txt", lines), columns_of("header.csv", write))
    assert found == whole
    assert "every line begins with a label of the run, as 'positive', and is read whole" in told
    columns = columns_of("label.txt", write)
    found, told = read(write("a.txt", lines), columns)
    assert found == [line.split(" ", 1)[1] for line in whole]
    assert "if those words are part of the texts: --set data.delimiter=tab" in told
    assert read("a.txt", columns, delimiter="tab")[0] == whole


def test_a_column_that_was_joined_in_training_is_missing(write: Write) -> None:
    rows = "".join(f"good {number},some body {number},{number % 2}\n" for number in range(9))
    train = write("train.csv", "title,body,stars\n" + rows)
    _, columns = load_table(train, NEEDS, DataSettings(), columns=parse_columns("text=title+body,label=stars"))
    new = write("new.csv", "id,title\n1,good film\n")
    with pytest.raises(DataError, match=r"has no column 'body', which was a part of text in training") as error:
        read(new, columns)
    remedy = str(error.value).partition("--columns ")[2].partition(" goes")[0]
    assert read(new, AskedColumns(parse_columns(remedy), columns))[0] == ["good film"]


def test_the_name_of_the_text_may_begin_a_text(write: Write) -> None:
    for form in ("header.csv", "rows.jsonl"):
        columns = columns_of(form, write)
        assert read(write("a.txt", "text, and more\nother, words\n"), columns)[0] == ["text, and more", "other, words"]
        assert read(write("b.txt", "text, label\nother, good\n"), columns)[0] == ["other"]


def test_the_first_column_of_lines_is_the_line(write: Write) -> None:
    columns = columns_of("bare.csv", write)
    asked = AskedColumns({"text": "0"}, columns)
    assert read(write("a.txt", "hello, you\nwell, me\n"), asked)[0] == ["hello, you", "well, me"]
    assert read(write("a.csv", "hello there,17\nwell me,18\n"), asked)[0] == ["hello there", "well me"]


def test_json_is_json_whatever_the_training_file_was(write: Write) -> None:
    columns = columns_of("own.csv", write)
    name = write("new.jsonl", '{"Beschwerde": "good; bad"}\n')
    assert read(name, columns, delimiter=";")[0] == ["good; bad"]


def test_pairs_by_place_and_by_name(write: Write) -> None:
    rows = [(f"first one {number}", f"second two {number}", str(number % 2)) for number in range(9)]
    bare = load_table(write("bare.tsv", table(rows, "\t")), PAIR, DataSettings())[1]
    assert bare.inputs == {"sentence1": (0,), "sentence2": (1,)}
    new = write("new.csv", table([("sentence2", "sentence1"), *((row[1], row[0]) for row in rows)]))
    without = write("new.tsv", table([row[:2] for row in rows], "\t"))
    for name in (new, without):
        found, _ = load_table(name, PAIR, DataSettings(), columns=bare, need_target=False)
        assert list(found.all_rows().values("sentence1")) == [row[0] for row in rows], name
    with pytest.raises(DataError, match="sentence1 and sentence2"):
        load_table(write("new.txt", "one text\nanother\n"), PAIR, DataSettings(), columns=bare, need_target=False)


def test_runs_of_the_first_release_do_not_know_their_form(write: Write) -> None:
    for form in ("header.csv", "bare.csv", "bare.tsv"):
        columns = columns_of(form, write)
        old = {key: value for key, value in columns_to_json(columns).items() if key not in ("form", "values")}
        read_back = replace(columns_from_json(old), values=("negative", "positive"))
        assert read_back.form is None
        rows = _training_rows()[:6]
        same = table([("text", "label"), *rows]) if form == "header.csv" else table(rows)
        same = "".join(f"{label}\t{text}\n" for text, label in rows) if form == "bare.tsv" else same
        name = write(f"new.{form[-3:]}", same)
        assert read(name, read_back)[0] == [text for text, _ in rows]
        assert read(name, read_back, label=True)[0] == rows


@pytest.mark.parametrize(
    "wrong", [{"width": "2"}, {"delimiter": ""}, {"delimiter": '"'}, {"header": "yes"}, {"names": [1]}, {"names": "ab"}]
)
def test_a_form_that_was_tampered_with(write: Write, wrong: dict[str, Any]) -> None:
    kept = columns_to_json(columns_of("header.csv", write))
    kept["form"] |= wrong
    with pytest.raises((ValueError, TypeError)):
        columns_from_json(kept)
