from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.data.reading import NEEDS

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, load_table
from deepen.data.table import LeftOut, Table, bearable

Write = Callable[..., str]


def auto(source: object, bad_rows: str = "auto") -> Table:
    return load_table(source, NEEDS, DataSettings(bad_rows=bad_rows))[0]


def lines(num_good: int, *bad: str) -> str:
    good = [f"text number {at},{'ab'[at % 2]}" for at in range(num_good)]
    return "\n".join(["text,label", *good[:2], *bad, *good[2:]]) + "\n"


@pytest.mark.parametrize(
    ("bad", "rows", "may"),
    [(0, 1, True), (1, 1, False), (1, 2, True), (2, 2, False), (2, 199, False), (2, 200, True), (30, 3000, True)],
)
def test_one_in_a_hundred_or_a_single_one_may_be_bad(bad: int, rows: int, may: bool) -> None:
    assert bearable(bad, rows) is may


@pytest.mark.parametrize("bad", [",a", '"   ",a', "fine,", "fine,NaN", "one,two,three", "alone"])
def test_one_blank_cell_in_3000_rows_stops_nothing(write: Write, bad: str) -> None:
    name = write("reviews.csv", lines(2999, bad))
    table = auto(name)
    assert len(table) == 2999
    [left] = table.left_out
    assert (left.file, left.line, left.before) == ("reviews.csv", 4, 2)
    assert f"reviews.csv: 1 bad row of 3,000 left out, the first: reviews.csv line 4: {left.reason}" in table.notes
    with pytest.raises(DataError, match=r"^reviews\.csv line 4: .*data\.bad_rows=drop leaves such rows out\)$"):
        auto(name, "error")


def test_above_one_in_a_hundred_it_is_an_error_that_counts(write: Write) -> None:
    name = write("reviews.csv", lines(197, ",a", "b,", ",c"))
    with pytest.raises(DataError, match=r"^reviews\.csv line 4: text is empty; 3 of 200 rows are bad, and up to 1 %"):
        auto(name)
    table = auto(name, "drop")
    assert [left.line for left in table.left_out] == [4, 5, 6]
    with pytest.raises(DataError, match=r"3 of 200 rows are bad"):
        auto(name)  # what is in the cache by then changes nothing
    with pytest.raises(DataError, match=r"^reviews\.csv line 4: text is empty \(--set"):
        auto(name, "error")


def test_a_file_of_bad_rows_only_is_no_table(write: Write) -> None:
    with pytest.raises(DataError, match=r"^a\.csv line 2: label is empty; all 2 rows are bad$"):
        auto(write("a.csv", "text,label\na,\nb,\n"))
    with pytest.raises(DataError, match=r"it is the only row$"):
        auto([{"text": "a", "label": None}])
    with pytest.raises(DataError, match=r"a\.csv has no rows to read; 2 were dropped, the first: a\.csv line 2"):
        auto(write("a.csv", "text,label\na,\nb,\n"), "drop")


def test_the_rest_is_read_as_if_the_bad_row_was_not_there(write: Write) -> None:
    clean, spoilt = auto(write("clean.csv", lines(300))), auto(write("spoilt.csv", lines(300, "x,y,z")))
    assert clean.fingerprint == spoilt.fingerprint
    assert clean.arrow.column("id").to_pylist() == spoilt.arrow.column("id").to_pylist()


def test_a_cell_that_may_hold_swallowed_rows_is_not_left_out_unasked(write: Write) -> None:
    name = write("a.csv", lines(500, f"{'word ' * 60_000},a"))
    with pytest.raises(DataError, match=r"^a\.csv line 4: text has 300,000 characters"):
        auto(name)
    assert auto(name, "drop").left_out[0].line == 4


def test_rows_of_several_files_keep_their_file(write: Write) -> None:
    write("folder/a.csv", lines(150))
    write("folder/b.csv", lines(150, "x,y,z", ",b"))
    table = auto("folder")
    assert table.left_out == (
        LeftOut("folder/b.csv", 4, "3 cells where the other rows have 2: likely a comma inside an unquoted cell", 152),
        LeftOut("folder/b.csv", 5, "text is empty", 152),
    )
    assert [table.file_of(at) for at in (0, 149, 150, 299)] == ["folder/a.csv"] * 2 + ["folder/b.csv"] * 2


def test_what_was_left_out_is_in_the_cache_too(write: Write) -> None:
    name = write("a.csv", lines(300, "x,y,z"))
    assert auto(name).left_out == auto(name).left_out != ()
