"""Excel workbooks (.xlsx), read by openpyxl: the first sheet with rows, its cells as they are shown."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError
from deepen.core.foreign import blaming
from deepen.data.readers.headers import judge_header, unique_names
from deepen.data.readers.sniff import reading
from deepen.data.settings import DataSettings
from deepen.data.source import Form, Row, Source, as_text, clip, listed

_SAMPLE_ROWS = 5000
_MOST_BYTES, _MOST_TIMES = 256 << 20, 100
_MOST_COLUMNS = 16_384
_SHOWN_SHEETS = 8


def open_excel(path: Path, name: str, settings: DataSettings, expected: frozenset[str]) -> Source:
    """A workbook as a source: the first sheet with rows, the others named; lines are those that Excel counts."""
    _check_size(path, name)
    sheet, others = _sheet(path, name)
    found = list(islice(_rows(path, name, sheet), _SAMPLE_ROWS))
    if not found:
        raise DataError(f"{name} is empty: no sheet has a row")
    width = max(len(cells) for _, cells in found)
    shown = [[(as_text(cell) or "").strip() for cell in _padded(cells, width)] for _, cells in found]
    judged = judge_header(shown, expected, tabular=True)
    header = judged.header if settings.header is None else settings.header
    if header and len(found) == 1:
        raise DataError(
            f"{name} line {found[0][0]}: a header ({listed([cell for cell in shown[0] if cell])}) and no rows"
        )
    names = unique_names(shown[0]) if header else None

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        for line, cells in islice(_rows(path, name, sheet), int(header), None):
            yield name, line, [cells[at] if at < len(cells) else None for at in wanted]

    told = f"{name}: Excel, sheet '{clip(sheet)}'" + (f"; {listed(others, _SHOWN_SHEETS)} left alone" if others else "")
    notes = (f"{told}, {'first row is the header' if header else 'no header'}",)
    warned = (f"{name}: {judged.doubt}",) if judged.doubt and settings.header is None else ()
    sample = [_padded(cells, width) for _, cells in found[int(header) :]]
    return Source(name, names, width, sample, read, notes, form=Form("excel", width, header), warnings=warned)


def _check_size(path: Path, name: str) -> None:
    with blaming(name, "is damaged or cut short", kind=DataError), zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _MOST_BYTES and size > _MOST_TIMES * path.stat().st_size:
        raise DataError(f"{name} would unpack to {size >> 20:,} MB: save it as CSV if it is a table")


@contextmanager
def _book(path: Path, name: str) -> Iterator[Any]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        said = "the package that reads them is missing: pip install openpyxl, or save it as CSV"
        raise DataError(f"{name} is an Excel workbook, and {said}") from None
    with reading(name), path.open("rb") as stream:
        with blaming(name, "is damaged or cut short", kind=DataError):
            book = load_workbook(stream, read_only=True, data_only=True)
        try:
            yield book
        finally:
            book.close()


def _sheet(path: Path, name: str) -> tuple[str, list[str]]:
    """The first sheet that has rows, and the names of the others."""
    with _book(path, name) as book:
        titles = [sheet.title for sheet in book.worksheets]
    for title in titles:
        if next(_rows(path, name, title), None) is not None:
            return title, [other for other in titles if other != title]
    raise DataError(f"{name} is empty: no sheet has a row")


def _rows(path: Path, name: str, sheet: str) -> Iterator[tuple[int, list[Any]]]:
    """The line and the cells of each row that holds something."""
    with _book(path, name) as book, blaming(name, "is damaged or cut short", kind=DataError):
        for line, row in enumerate(book[sheet].iter_rows(values_only=True, max_col=_MOST_COLUMNS), 1):
            cells = [_cell(value) for value in row]
            while cells and cells[-1] is None:
                cells.pop()
            if cells:
                yield line, cells


def _cell(value: Any) -> Any:
    """Numbers as Excel shows them, dates as ISO writes them, blank texts as nothing."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, datetime | date):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return None if isinstance(value, str) and not value.strip() else value


def _padded(cells: Sequence[Any], width: int) -> list[Any]:
    return [*cells, *[None] * (width - len(cells))]
