"""Rows of cells out of lines: quotes that enclose cells, how they are written inside, and one that takes in rows."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress

from deepen.core.errors import DataError

# the first line of some files that were written for Excel; it names the delimiter and is no row
_EXCEL_HINT = re.compile(r"sep=.")
_ESCAPED = re.compile(r'\\(["\\])')
_INNER, _INNER_ESCAPED = re.compile(r'(?:[^"]++|"")*+'), re.compile(r'(?s)(?:[^"\\]++|\\.?|"")*+')
_SPACED = (",", ";")
_ROWS_TAKEN_IN = 2


def split_rows(
    text_lines: Iterator[str],
    delimiter: str,
    quoting: bool,
    max_cell_chars: int,
    *,
    escaped: bool = False,
    blanks: bool = False,
) -> Iterator[tuple[int, list[str], Sequence[str]]]:
    r"""Cuts lines into rows: the line each starts on, from 1, its cells, and its lines if it has several.

    With `quoting`, `"` encloses cells and two of them inside stand for one, as does a backslash before one if
    `escaped`. A cell beyond `max_cell_chars` has lost its closing quote: the error lacks the file's name. Lines without
    any cell are left out, or rows of none with `blanks`.
    """
    number = 0
    for line in text_lines:
        number += 1
        row = line.rstrip("\r\n")
        if number == 1 and _EXCEL_HINT.fullmatch(row):
            continue
        if not row:
            if blanks:
                yield number, [], ()
            continue
        if not quoting or '"' not in row:
            yield number, row.split(delimiter), ()
            continue
        used = [line]
        cells = _split_quoted(used, text_lines, delimiter, max_cell_chars, number, escaped=escaped)
        yield number, cells, used if len(used) > 1 else ()
        number += len(used) - 1


def _split_quoted(
    used: list[str], text_lines: Iterator[str], delimiter: str, max_cell_chars: int, number: int, *, escaped: bool
) -> list[str]:
    """The cells of the row that starts with the one line in `used`; the further lines that it takes are added there."""
    cells: list[str] = []
    line, at = used[0], 0
    while True:
        pieces: list[str] = []
        if line.startswith('"', at):
            inner, start, size = _INNER_ESCAPED if escaped else _INNER, at + 1, 0
            while True:
                at = inner.match(line, start).end()  # type: ignore[union-attr]  # nothing matches too
                pieces.append(line[start:at].replace('""', '"'))
                if line.startswith('"', at):
                    at += 1
                    break
                size += len(pieces[-1])
                if size > max_cell_chars:
                    said = f"a cell is longer than {max_cell_chars:,} characters; likely a quote that is never closed"
                    raise DataError(f"line {number}: {said}")
                following = next(text_lines, None)
                if following is None:
                    said = "the quote opened here is never closed; if quotes are plain text: --set data.quoting=false"
                    raise DataError(f"line {number}: {said}")
                line, start = following, 0
                used.append(line)
        enclosed = "".join(pieces)
        enclosed = _ESCAPED.sub(r"\1", enclosed) if escaped else enclosed
        end = line.find(delimiter, at)
        if end < 0:
            cells.append(enclosed + line[at:].rstrip("\r\n"))
            return cells
        cells.append(enclosed + line[at:end])
        at = end + len(delimiter)


def quote_evidence(text: str, delimiter: str, *, escaped: bool = False) -> tuple[int, int]:
    r"""How many cells of a text are enclosed in quotes (that take in no rows), and how many hold other quotes."""
    if '"' not in text:
        return 0, 0
    sep, first = re.escape(delimiter), re.escape(delimiter[0])
    inner = r'(?:[^"\\]++|\\.|"")*+' if escaped else r'(?:[^"]++|"")*+'
    pattern = re.compile(rf'(?ms)(?:^|{sep})(?:(?P<good>"{inner}"(?={sep}|\r?$))|(?P<bad>"|[^{first}"\r\n]*+"))')
    good = bad = 0
    for match in pattern.finditer(text):
        if match.lastgroup == "bad":
            bad += 1
        elif "\n" not in match["good"] or not rows_taken_in(match["good"].split("\n"), delimiter):
            good += 1
    return good, bad


def rows_taken_in(
    used: Sequence[str], delimiter: str, width: int | None = None, classes: Mapping[int, Container[str]] | None = None
) -> int:
    """How many lines of a row look like rows (a stray quote took them in), surer with the values of its `classes`."""
    filled = [line.rstrip("\r\n") for line in used if line.strip()]
    if len(filled) < (2 if classes else 2 + _ROWS_TAKEN_IN):
        return 0
    cells = [_alone(line, delimiter) for line in filled]
    width = width or len(cells[0])
    rows = [row for row in cells if len(row) == width and all(row)]
    if delimiter in _SPACED:  # a comma in a sentence has a space after it
        rows = [row for row in rows if not any(cell.startswith(" ") for cell in row[1:])]
    for at, known in (classes or {}).items():
        rows = [row for row in rows if row[at].strip() in known]
    return len(used) if width > 1 and len(rows) >= 0.9 * len(filled) else 0


def _alone(line: str, delimiter: str) -> list[str]:
    """The cells of a line as if it were a row by itself; a quote without its other end is left out."""
    if line.count('"') % 2 == 0:
        with suppress(DataError):
            return _split_quoted([line], iter(()), delimiter, len(line), 1, escaped=False)
    return line.replace('"', "").split(delimiter)
