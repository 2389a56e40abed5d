from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, look
from deepen.data.readers.quoting import split_rows

Write = Callable[..., str]
BODY = [('good, "very" good', "pos"), ("bad\nreally", "neg"), ("so-so", "neg"), ("fine", "pos"), ("ok then", "pos")]


def written(delimiter: str, header: bool, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    if header:
        writer.writerow(["review", "stars"])
    writer.writerows(BODY)
    return out.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_any_delimiter_header_line_end_and_gzip(
    write: Write, delimiter: str, header: bool, end: str, packed: bool
) -> None:
    text = "\ufeff" + written(delimiter, header, end=end)
    name = write("reviews.csv", gzip.compress(text.encode()) if packed else text)
    table = read(name)
    assert rows(table) == BODY
    first = 2 if header else 1
    assert table.arrow.column("line").to_pylist() == [first, first + 1, first + 3, first + 4, first + 5]


def test_quotes_are_plain_text_where_the_file_shows_it(write: Write) -> None:
    lines = ['"Yes," he said, "of course\t1', 'the "witness" spoke\t0', '"no\t1', "never\t0"]
    assert rows(read(write("a.tsv", "\n".join(lines))))[0] == ('"Yes," he said, "of course', "1")


def test_the_hint_for_excel_is_no_row(write: Write) -> None:
    table = read(write("a.csv", "sep=;\ntext;label\nhallo, du;1\nna ja;0\n"))
    assert rows(table) == [("hallo, du", "1"), ("na ja", "0")]
    assert table.arrow.column("line").to_pylist() == [3, 4]


def test_old_mac_line_ends(write: Write) -> None:
    assert len(read(write("a.csv", "text,label\rgood,1\rbad,0\rfine,1\r"))) == 3


def test_declared_encoding(write: Write) -> None:
    text = "text,label\n很好的酒店,好\n房间太小,坏\n"
    assert rows(read(write("a.csv", text.encode("gb18030")), encoding="gb18030"))[0] == ("很好的酒店", "好")
    assert rows(read(write("b.csv", text.encode("utf-16")), encoding="utf-16"))[1] == ("房间太小", "坏")


def test_labels_stay_as_they_are(write: Write) -> None:
    assert [row[1] for row in rows(read(write("a.csv", "text,label\na b,007\nc d, 1 \ne f,1.0\n")))] == [
        "007",
        "1",
        "1.0",
    ]


def test_ragged_row_is_named_or_dropped(write: Write) -> None:
    name = write("reviews.csv", "text,label\ngood,1\nbad,very,0\nfine,1\n")
    with pytest.raises(DataError, match=r"^reviews\.csv line 3: 3 cells where the other rows have 2"):
        read(name)
    table = read(name, bad_rows="drop")
    assert len(table) == 2
    assert any("1 bad row of 3 left out, the first: reviews.csv line 3" in note for note in table.notes)


def test_unclosed_quote(write: Write) -> None:
    body = "".join(f'"text {i}",1\n' for i in range(50))
    with pytest.raises(DataError, match=r"^a\.csv line 52: the quote opened here is never closed"):
        read(write("a.csv", "text,label\n" + body + '"no end,0\nmore,1\n'))
    with pytest.raises(DataError, match=r"^b\.csv line 52: a cell is longer than 1,000 characters"):
        read(write("b.csv", "text,label\n" + body + '"no end,0\n' + "more,1\n" * 1000), max_cell_chars=1000)


def test_the_cell_limit_of_the_csv_module_is_left_alone(write: Write) -> None:
    before = csv.field_size_limit()
    long = "word " * 40_000
    assert len(rows(read(write("a.csv", f"text,label\n{long},1\nshort,0\n")))[0][0]) == len(long) - 1
    assert csv.field_size_limit() == before


def test_header_is_told_by_expected_names_and_by_content(write: Write) -> None:
    assert len(read(write("a.csv", "frage,antwort\nwie geht es,1\nwas ist das,0\nwo bist du,1\n"))) == 3
    asked = {"text": "frage", "label": "antwort"}
    assert len(read(write("b.csv", "frage,antwort\nwie geht es,ja\nwas ist das,nein\n"), columns=asked)) == 2


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
cells = st.one_of(words, st.lists(st.sampled_from(['"', ",", "\t", ";", "|", "\n", " ", "a"]), max_size=6).map("".join))


@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8)
    ),
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_wrote_is_read_back(table: list[list[str]], delimiter: str, quoting: int, end: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(table)
    lines = io.StringIO(out.getvalue(), newline="\n")
    assert [row for _, row, _ in split_rows(iter(lines), delimiter, True, 10_000)] == table


@settings(max_examples=60, deadline=None)
@given(
    table=st.lists(st.tuples(words, st.sampled_from(["a", "b"])), min_size=2, max_size=30),
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_quoted_tables_are_told_by_content(
    table: list[tuple[str, str]], delimiter: str, quoting: int, end: str
) -> None:
    kept = [(f"w {text}", label) for text, label in table]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(
                [("text", "label"), *kept]
            )
        found = rows(
            read(
                str(path),
                normalise={
                    "unicode": "none",
                    "html_entities": False,
                    "control_characters": False,
                    "white_space": False,
                },
            )
        )
    assert found == kept


def test_columns_of_one_name_are_said(write: Write) -> None:
    source = look(write("a.csv", "text,text,label\n" + "a good film,b,x\na bad film,c,y\n" * 5), DataSettings())
    assert source.names == ("text", "text_2", "label")
    assert any("several columns are called text: the first keeps the name" in warning for warning in source.warnings)


def test_rows_of_nothing_at_the_end_are_passed_over(write: Write) -> None:
    """Excel writes them for rows that were emptied."""
    file = write("a.csv", "text,label,note\na film,pos,\na play,neg,\n" + ",,\n" * 5)
    assert rows(read(file, bad_rows="auto")) == [("a film", "pos"), ("a play", "neg")]
