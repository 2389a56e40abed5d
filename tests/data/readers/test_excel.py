"""Workbooks are read as they are."""

from __future__ import annotations

import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.data.reading import read, rows

from deepen.core.errors import DataError

openpyxl = pytest.importorskip("openpyxl")
BODY = [("good film", "pos"), ("bad film", "neg"), ("fine, really", "pos")]


def _book(path: Path, sheets: dict[str, list[list[Any]]]) -> str:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, held in sheets.items():
        sheet = book.create_sheet(title)
        for row in held:
            sheet.append(row)
    book.save(path)
    return str(path)


def test_a_sheet(tmp_path: Path) -> None:
    held = [["text", "label"], *map(list, BODY)]
    name = _book(tmp_path / "a.xlsx", {"Sheet": held})
    table = read(name)
    assert rows(table) == BODY
    assert table.arrow.column("line").to_pylist() == [2, 3, 4]
    (tmp_path / "other").write_bytes(Path(name).read_bytes())
    assert rows(read(tmp_path / "other")) == BODY


def test_of_several_sheets_it_is_said_which(tmp_path: Path) -> None:
    held = [["text", "label"], *map(list, BODY)]
    table = read(_book(tmp_path / "a.xlsx", {"Notes": [], "Answers": held, "More": [["x"]]}))
    assert rows(table) == BODY
    assert any("sheet 'Answers'; Notes, More left alone" in note for note in table.notes)


def test_cells(tmp_path: Path) -> None:
    held = [
        ["text", "label", None],
        ["a", 1.0, None],
        ["b", True],
        [None, None],
        ["c", date(2024, 5, 1)],
        ["d", "x", "y"],
    ]
    name = _book(tmp_path / "a.xlsx", {"S": held})
    table = read(name)
    assert rows(table) == [("a", "1"), ("b", "true"), ("c", "2024-05-01 00:00:00"), ("d", "x")]
    assert table.arrow.column("line").to_pylist() == [2, 3, 5, 6]
    with pytest.raises(DataError, match=r"a\.xlsx line 3: label is empty"):
        read(_book(tmp_path / "a.xlsx", {"S": [["text", "label"], ["a", 1], ["b", None]]}), bad_rows="error")


def test_without_a_header(tmp_path: Path) -> None:
    name = _book(tmp_path / "a.xlsx", {"S": [list(row) for row in BODY] * 3})
    assert rows(read(name, header=False)) == BODY * 3


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.xlsx is empty: no sheet has a row"):
        read(_book(tmp_path / "a.xlsx", {"S": []}))
    whole = Path(_book(tmp_path / "b.xlsx", {"S": [["text", "label"], ["a", 1]]})).read_bytes()
    for at in (40, len(whole) // 2, len(whole) - 30):
        (tmp_path / "c.xlsx").write_bytes(whole[:at])
        with pytest.raises(DataError, match=r"c\.xlsx is"):
            read(tmp_path / "c.xlsx")
    with zipfile.ZipFile(tmp_path / "d.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(300 << 20))
    with pytest.raises(DataError, match=r"d\.xlsx would unpack to 300 MB"):
        read(tmp_path / "d.xlsx")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _book(tmp_path / "a.xlsx", {"S": [["text", "label"], ["a", 1]]})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"a\.xlsx is an Excel workbook.*pip install openpyxl"):
        read(name)
