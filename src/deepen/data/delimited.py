"""Tables in text files: cells separated by a character, with or without quotes and a header.

Python's csv module is not used for reading: its cell limit is one number for the whole process, and it can't say where
a quote was opened that nothing closes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from deepen.core.errors import DataError
from deepen.data.columns import KNOWN_NAMES, plain_name
from deepen.data.settings import DataSettings
from deepen.data.sniff import TextFile, lines
from deepen.data.sources import Fault, Form, Row, Source, listed

_CANDIDATES = ("\t", ",", ";", "|")
_WORDS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space"}
_JUDGED_ROWS = 2000
_SAMPLE_ROWS = 20_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
# the first line of some files that were written for Excel; it names the delimiter and is no row
_EXCEL_HINT = re.compile(r"sep=.")
_HEADER_CELL = re.compile(r"#?\w[\w .\-/#()]{0,40}")


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are written. `consistent` is the share of the judged rows that have `width` cells."""

    delimiter: str
    quoting: bool
    width: int
    consistent: float

    def described(self) -> str:
        """The dialect in words."""
        word = _WORDS.get(self.delimiter, repr(self.delimiter))
        return f"{word}-separated, {'quoted cells' if self.quoting else 'no quoting'}"


def split_rows(
    text_lines: Iterator[str], delimiter: str, quoting: bool, max_cell_chars: int
) -> Iterator[tuple[int, list[str]]]:
    """Cuts lines into rows of cells.

    Args:
        text_lines: Lines with their line ends.
        delimiter: What separates cells.
        quoting: Whether `"` encloses cells; two of them inside stand for one.
        max_cell_chars: A quoted cell that grows beyond this many characters has lost its closing quote.

    Yields:
        The line a row starts on, from 1, and its cells; lines without any cell are left out.

    Raises:
        DataError: If a quote is never closed; the message lacks the file's name.
    """
    number = 0
    for line in text_lines:
        number += 1
        row = line.rstrip("\r\n")
        if not row or (number == 1 and _EXCEL_HINT.fullmatch(row)):
            continue
        if not quoting or '"' not in row:
            yield number, row.split(delimiter)
            continue
        cells, used = _split_quoted(line, text_lines, delimiter, max_cell_chars, number)
        yield number, cells
        number += used


def _split_quoted(
    line: str, text_lines: Iterator[str], delimiter: str, max_cell_chars: int, number: int
) -> tuple[list[str], int]:
    """The cells of the row that starts with this line, and how many further lines it took."""
    cells: list[str] = []
    used = 0
    at = 0
    while True:
        pieces: list[str] = []
        if line.startswith('"', at):
            start, size = at + 1, 0
            while True:
                end = line.find('"', start)
                if end < 0:
                    pieces.append(line[start:])
                    size += len(line) - start
                    following = next(text_lines, None) if size <= max_cell_chars else None
                    if following is None:
                        raise DataError(_unclosed(number, size, max_cell_chars))
                    line, start, used = following, 0, used + 1
                elif line.startswith('"', end + 1):
                    pieces.append(line[start : end + 1])
                    size += end + 1 - start
                    start = end + 2
                else:
                    pieces.append(line[start:end])
                    at = end + 1
                    break
        end = line.find(delimiter, at)
        if end < 0:
            pieces.append(line[at:].rstrip("\r\n"))
            cells.append("".join(pieces))
            return cells, used
        pieces.append(line[at:end])
        cells.append("".join(pieces))
        at = end + len(delimiter)


def _unclosed(number: int, size: int, limit: int) -> str:
    if size > limit:
        return f"line {number}: a cell is longer than {limit:,} characters; likely a quote that is never closed"
    return f"line {number}: the quote opened here is never closed; if quotes are plain text: --set data.quoting=false"


def guess_dialect(sample: Sequence[str], settings: DataSettings, *, name: str = "") -> Dialect | None:
    """How the rows of a file are written, by what splits its first rows into equally many cells.

    Args:
        sample: The first lines.
        settings: A declared delimiter or quoting is taken as it is.
        name: The file's name; `.csv` and `.tsv` count for something when the content leaves a doubt.

    Returns:
        The dialect; None if no delimiter splits the lines consistently into two cells or more.
    """
    if settings.delimiter is not None:
        return _judge(sample, settings.delimiter, settings)
    bare = name.lower().removesuffix(".gz")
    tabular = bare.endswith((".csv", ".tsv", ".tab"))
    best: Dialect | None = None
    for delimiter in _CANDIDATES:
        found = _judge(sample, delimiter, settings)
        needed = 0.5 if tabular else 0.9 if delimiter == "\t" else 0.98
        if found.width < 2 or found.consistent < needed:
            continue
        if not tabular and delimiter == "," and _is_prose(sample, found):
            continue
        if best is None or found.consistent > best.consistent + (0.02 if not tabular else 0.0):
            best = found
    return best


def _is_prose(sample: Sequence[str], dialect: Dialect) -> bool:
    """Sentences with one comma each look like a table; in prose a space follows the comma."""
    text = "".join(sample[:_JUDGED_ROWS])
    return not dialect.quoting and text.count(", ") > 0.5 * text.count(",")


def _judge(sample: Sequence[str], delimiter: str, settings: DataSettings) -> Dialect:
    if settings.quoting is not None:
        return _widths(sample, delimiter, settings.quoting, settings.max_cell_chars)
    good, bad = _quote_evidence("".join(sample), delimiter)
    if not good and not bad:
        return _widths(sample, delimiter, delimiter != "\t", settings.max_cell_chars)
    quoted = _widths(sample, delimiter, True, settings.max_cell_chars)
    if good > 9 * bad:
        return quoted
    plain = _widths(sample, delimiter, False, settings.max_cell_chars)
    if abs(plain.consistent - quoted.consistent) > 0.001 and min(plain.width, quoted.width) > 1:
        return max(plain, quoted, key=lambda dialect: dialect.consistent)
    return quoted if good >= bad else plain


def _quote_evidence(text: str, delimiter: str) -> tuple[int, int]:
    """How many cells are enclosed in quotes, and how many hold a quote that encloses nothing."""
    if '"' not in text:
        return 0, 0
    sep = re.escape(delimiter)
    first = re.escape(delimiter[0])
    pattern = re.compile(rf'(?m)(?:^|{sep})(?:(?P<good>"(?:[^"]++|"")*+"(?={sep}|\r?$))|(?P<bad>"|[^{first}"\r\n]*+"))')
    counts = Counter(match.lastgroup for match in pattern.finditer(text))
    return counts["good"], counts["bad"]


def _widths(sample: Sequence[str], delimiter: str, quoting: bool, max_cell_chars: int) -> Dialect:
    widths: Counter[int] = Counter()
    broken = 0
    try:
        for _, cells in islice(split_rows(iter(sample), delimiter, quoting, max_cell_chars), _JUDGED_ROWS):
            widths[len(cells)] += 1
    except DataError:
        broken = 1
    if not widths:
        return Dialect(delimiter, quoting, 1, 0.0)
    # the wider of two equally frequent widths: a row that lost a cell is likelier than one that won some
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return Dialect(delimiter, quoting, width, count / (sum(widths.values()) + broken))


def has_header(rows: Sequence[Sequence[str]], expected: frozenset[str]) -> bool:
    """Whether the first row names the columns.

    Args:
        rows: The first rows.
        expected: Names that another file of the same data has, or that were asked for.

    Returns:
        True if it holds expected or usual names that do not recur below, or differs from what is below as names do.
    """
    first, body = [cell.strip() for cell in rows[0]], rows[1:]
    plain = [plain_name(cell) for cell in first]
    if expected & {*first, *plain}:
        return True
    if len(set(plain)) < len(plain) or any(_NUMBER.fullmatch(cell) for cell in first):
        return False
    if not all(_HEADER_CELL.fullmatch(cell) or not cell for cell in first) or not any(first):
        return False
    below = [{row[i].strip() for row in body if i < len(row)} for i in range(len(first))]
    if any(name in KNOWN_NAMES and cell not in seen for name, cell, seen in zip(plain, first, below, strict=True)):
        return True
    if len(body) < 2 or any(len(cell.split()) > 3 for cell in first):
        return False
    return any(seen and all(_NUMBER.fullmatch(cell) for cell in seen if cell) and any(seen) for seen in below)


def open_delimited(
    file: TextFile, sample: Sequence[str], dialect: Dialect, settings: DataSettings, *, expected: frozenset[str]
) -> Source:
    """A delimited text file as a source.

    Args:
        file: The file.
        sample: Its first lines.
        dialect: How its rows are written.
        settings: A declared header is taken as it is.
        expected: Column names that are known to matter.

    Returns:
        The source.

    Raises:
        DataError: If there is a header and nothing else, or a quote is never closed.
    """
    rows: list[list[str]] = []
    try:
        for _, cells in split_rows(iter(sample), dialect.delimiter, dialect.quoting, settings.max_cell_chars):
            rows.append(cells)
            if len(rows) >= _SAMPLE_ROWS:
                break
    except DataError as error:
        if len(rows) < 2:
            raise DataError(f"{file.name} {error}") from None
    rows = [cells for cells in rows if any(cells)]
    if not rows:
        raise DataError(f"{file.name} is empty: no row has any cell")
    header = settings.header if settings.header is not None else has_header(rows, expected)
    names = _unique_names(rows[0]) if header else None
    if header and len(rows) == 1:
        raise DataError(f"{file.name} line 1: a header ({listed(rows[0])}) and no rows")
    width = len(rows[0]) if header else dialect.width
    body = [cells for cells in rows[1 if header else 0 :] if len(cells) == width]
    told = f"{file.name}: {dialect.described()}, {'first row is the header' if header else 'no header'}"

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        return _read(file, dialect, width, header, wanted, settings.max_cell_chars)

    form = Form("table", width, header, dialect.delimiter, dialect.quoting)
    return Source(file.name, names, width, body, read, notes=(told,), form=form)


def _read(
    file: TextFile, dialect: Dialect, width: int, header: bool, wanted: tuple[int, ...], max_cell_chars: int
) -> Iterator[Row]:
    name = file.name
    skip = header
    rows = split_rows(lines(file), dialect.delimiter, dialect.quoting, max_cell_chars)
    while True:
        try:
            number, cells = next(rows)
        except StopIteration:
            return
        except DataError as error:
            said = str(error)
            raise DataError(said if said.startswith(name) else f"{name} {said}") from None
        if skip:
            skip = False
        elif len(cells) == width:
            yield name, number, [cells[i] for i in wanted]
        elif any(cells):
            yield name, number, Fault(_ragged(len(cells), width, dialect), "ragged_row")


def _ragged(found: int, width: int, dialect: Dialect) -> str:
    word = _WORDS.get(dialect.delimiter, repr(dialect.delimiter))
    cells = f"{found} cell{'s' if found != 1 else ''}"
    cause = f"a {word} inside an unquoted cell" if found > width else f"a {word} is missing or a quote is not closed"
    return f"{cells} where the other rows have {width}: likely {cause}"


def _unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    taken: set[str] = set()
    again: Counter[str] = Counter()
    names: list[str] = []
    for index, cell in enumerate(cells):
        name = first = cell.strip() or f"column {index}"
        while name in taken:
            again[first] += 1
            name = f"{first}_{again[first] + 1}"
        taken.add(name)
        names.append(name)
    return tuple(names)
