from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.reading import read, rows

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, look
from deepen.data.readers.quoting import rows_taken_in, split_rows
from deepen.data.source import Fault

Write = Callable[..., str]


def gaps(name: str, **settings: Any) -> list[int]:
    source = look(name, DataSettings(**settings))
    return [line for _, line, cells in source.read(tuple(range(source.width))) if isinstance(cells, Fault)]


def film(at: int) -> str:
    return f"a film no {at},{'xy'[at % 2]}\n"


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("between", [1, 2, 50])
def test_an_opening_quote_that_takes_in_rows(write: Write, delimiter: str, between: int) -> None:
    """Quoted cells elsewhere show that quotes enclose cells here."""
    lines = [f'"a ""fine"" film no {at}"{delimiter}{"xy"[at % 2]}\n' for at in range(60)]
    plain = [film(at).replace(",", delimiter) for at in range(between)]
    body = "".join([*lines, f'"bad film 1{delimiter}y\n', *plain, f'the end"{delimiter}x\n', *lines])
    name = write("a.csv", f"text{delimiter}label\n{body}")
    assert gaps(name) == list(range(62, 62 + between + 2))
    with pytest.raises(DataError, match=rf"line 62: a quote opened here takes in {between + 2} lines .*quoting=false"):
        read(name, bad_rows="error")
    assert len(read(name, bad_rows="drop")) == 120
    assert gaps(name, quoting=False) == []
    assert len(read(name, quoting=False)) == 122 + between
    assert gaps(name, quoting=True) == []
    assert len(read(name, quoting=True)) == 121


def test_lone_quotes_are_text_where_nothing_else_is_quoted(write: Write) -> None:
    body = "".join(map(film, range(50)))
    name = write("a.csv", f'text,label\n{body}"bad film 1,y\n{body}the end",x\n')
    assert len(read(name)) == 102
    assert ('"bad film 1', "y") in rows(read(name))


def test_a_quote_that_the_next_row_closes(write: Write) -> None:
    lines = [f'"a film, no {at}",{"xy"[at % 2]}\n' for at in range(30)]
    name = write("a.csv", "text,label\n" + "".join(lines) + '"bad film,y\n"good film",x\n' + "".join(lines))
    assert gaps(name) == [32, 33]


@pytest.mark.parametrize(
    "cell",
    [
        "one\ntwo\nthree",
        "well, yes\nand no, really\nthen, so",
        "a list:\n- one, two\n- three, four\n- five, six",
        "a,\nb",
    ],
)
def test_a_text_of_several_lines_stays_one_cell(write: Write, cell: str) -> None:
    body = "".join(f'"{cell} {at}",{"xy"[at % 2]}\n' for at in range(30))
    name = write("a.csv", "text,label\n" + body)
    assert gaps(name) == []
    assert rows(read(name, normalise={"white_space": False}))[3] == (f"{cell} 3", "y")


def test_without_classes_more_lines_are_needed() -> None:
    assert rows_taken_in(['"a,b\n', "c,d\n", 'e",f\n'], ",", 2) == 0
    assert rows_taken_in(['"a,b\n', "c,d\n", "g,h\n", 'e",f\n'], ",", 2) == 4
    assert rows_taken_in(['"a,b\n', 'e",f\n'], ",", 2, {1: {"b", "f"}}) == 2
    assert rows_taken_in(['"a,c\n', 'e",f\n'], ",", 2, {1: {"b", "f"}}) == 0


words = st.text(st.sampled_from(list('ab ,"\\\n;')), max_size=8)


@given(table=st.lists(st.tuples(words, words), min_size=1, max_size=8), delimiter=st.sampled_from([",", ";", "\t"]))
def test_what_a_writer_with_backslashes_wrote_is_read_back(table: list[tuple[str, str]], delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=delimiter, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\", lineterminator="\n"
    )
    writer.writerows(table)
    lines = io.StringIO(out.getvalue(), newline="\n")
    found = [tuple(row) for _, row, _ in split_rows(iter(lines), delimiter, True, 10_000, escaped=True)]
    assert found == table


def test_quotes_behind_a_backslash(write: Write) -> None:
    lines = [f'"she said \\"wow, no {at}\\", then left",{"xy"[at % 2]}\n' for at in range(20)]
    lines += [f'"plain, {at}",x\n' for at in range(20)]
    name = write("spark.csv", "text,label\n" + "".join(lines))
    table = read(name)
    assert rows(table)[0] == ('she said "wow, no 0", then left', "x")
    assert len(table) == 40
    assert any("a backslash before quotes inside" in note for note in table.notes)
    only = write("inner.csv", "text,label\n" + "".join(f'"so \\"{at}\\" then",{"xy"[at % 2]}\n' for at in range(9)))
    assert rows(read(only))[2] == ('so "2" then', "x")


def test_a_backslash_at_the_end_of_a_cell_is_text(write: Write) -> None:
    body = "".join(f'"C:\\dir, {at}\\",{"xy"[at % 2]}\n' for at in range(20))
    assert rows(read(write("a.csv", "text,label\n" + body)))[1] == ("C:\\dir, 1\\", "y")
