"""Column files: one token a line with its tag last, a blank line between sentences. Told by content, not by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deepen.core.errors import DataError
from deepen.data.sniff import TextFile, lines
from deepen.data.sources import Fault, Form, Row, Source, clip
from deepen.data.tags import OUTSIDE, is_tag

_JUDGED_LINES = 20_000
_SAMPLE_ROWS = 2000
_GAPS = re.compile(r"[ \t]+")
_DOCUMENT = "-DOCSTART-"
_TAGGED_SHARE = 0.98


@dataclass(frozen=True)
class ColumnForm:
    """How the lines of a column file are written.

    `tab` says what separates the cells, `token` which cell is the token, `digits` whether a position digit is appended
    to every token (weibo), `header` whether the first line names the columns.
    """

    tab: bool
    width: int
    token: int = 0
    digits: bool = False
    header: bool = False

    def cells(self, line: str) -> list[str]:
        """The cells of a line."""
        line = line.rstrip("\r\n")
        return line.split("\t") if self.tab else _GAPS.split(line.strip(" \t"))


def column_form(sample: Sequence[str]) -> ColumnForm | None:
    """Whether lines are those of a column file.

    Args:
        sample: The first lines of a file.

    Returns:
        How they are written; None unless nearly every line is a token without white space and ends in a tag, and
        there is an entity or a blank line among them.
    """
    filled = [line for line in sample[:_JUDGED_LINES] if line.strip()]
    body = [line for line in filled if not line.startswith((_DOCUMENT, "# "))]
    if not body:
        return None
    tab = sum("\t" in line for line in body) > 0.5 * len(body)
    bare = ColumnForm(tab, 0)
    rows = [bare.cells(line) for line in body]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    header = len(rows) > 1 and len(rows[0]) == width and not is_tag(rows[0][-1].strip()) and rows[0][0].isidentifier()
    rows = rows[1:] if header else rows
    tags = Counter(cells[-1].strip() for cells in rows if len(cells) > 1)
    tagged = sum(count for tag, count in tags.items() if is_tag(tag))
    blank = len(filled) < len(sample[:_JUDGED_LINES])
    if width < 2 or tagged < _TAGGED_SHARE * len(rows) or not (blank or len(tags) > 1):
        return None
    if set(tags) == {OUTSIDE} and not blank:
        return None
    if tab and sum(" " in cells[0].strip() for cells in rows) > 0.05 * len(rows):
        return None  # sentences with a label that looks like a tag
    token = 1 if width > 2 and _is_numbering(rows) else 0
    tokens = [cells[token] for cells in rows if len(cells) == width]
    return ColumnForm(tab, width, token, _has_digits(tokens), header)


def _is_numbering(rows: Iterable[Sequence[str]]) -> bool:
    """Whether the first cells count the tokens of each sentence from 1, as in GermEval."""
    last = 0
    for cells in rows:
        if not cells[0].isdecimal() or int(cells[0]) not in (1, last + 1):
            return False
        last = int(cells[0])
    return True


def _has_digits(tokens: Sequence[str]) -> bool:
    """Whether nearly every token is one character with the digit of its place in a word: 0 0 1 0 1 2."""
    marked = [token for token in tokens if len(token) == 2 and token[1] in "0123456789"]
    if len(tokens) < 4 or len(marked) < 0.98 * len(tokens):
        return False
    letters = sum(not token[0].isdecimal() for token in marked)
    return letters > 0.5 * len(marked) and sum(token[1] == "0" for token in marked) >= 0.2 * len(marked)


def open_columns(file: TextFile, sample: Sequence[str], form: ColumnForm) -> Source:
    """A column file as a source: a row is a sentence, and every column holds a list.

    Args:
        file: The file.
        sample: Its first lines.
        form: What `column_form` said of them.

    Returns:
        The source, with the columns `tokens` and `tags` and, between them, the file's others by number.

    Raises:
        DataError: If there is no sentence in it.
    """
    names = [f"column {index}" for index in range(form.width)]
    names[form.token], names[-1] = "tokens", "tags"

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        for line, cells in _blocks(lines(file), form):
            yield file.name, line, cells if isinstance(cells, Fault) else [cells[index] for index in wanted]

    rows = []
    for _, cells in _blocks(iter(sample), form):
        if not isinstance(cells, Fault):
            rows.append(cells)
        if len(rows) >= _SAMPLE_ROWS:
            break
    if not rows:
        raise DataError(f"{file.name} is empty: no line holds a token with its tag")
    told = f"{file.name}: {'tab' if form.tab else 'space'}-separated columns, a token and its tag a line"
    told += ", a position digit is taken off every token" if form.digits else ""
    written = Form("columns", form.width, form.header, "\t" if form.tab else " ")
    return Source(file.name, tuple(names), form.width, rows, read, notes=(told,), form=written)


def _blocks(text_lines: Iterator[str], form: ColumnForm) -> Iterator[tuple[int, list[list[str]] | Fault]]:
    """Sentences: the line each starts on, and one list a column; a broken line spoils its sentence and no other."""
    rows: list[list[str]] = []
    first = 0
    fault: tuple[int, Fault] | None = None
    for number, line in enumerate(text_lines, 1):
        if line.isspace() or line.startswith(_DOCUMENT) or (number == 1 and form.header):
            if fault or rows:
                yield fault or (first, _columns(rows))
            rows, fault = [], None
            continue
        cells = form.cells(line)
        if line.startswith("#") and (len(cells) != form.width or not is_tag(cells[-1].strip())):
            continue
        problem = _problem(cells, form)
        if problem:
            fault = fault or (number, Fault(problem))
            continue
        if not rows:
            first = number
        if form.digits:
            cells[form.token] = _without_digit(cells[form.token])
        cells[-1] = cells[-1].strip()
        rows.append(cells)
    if fault or rows:
        yield fault or (first, _columns(rows))


def _columns(rows: list[list[str]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _without_digit(token: str) -> str:
    """The token without its place in the word, which has two digits from the eleventh character on."""
    return re.sub(r"(?<=.)[0-9]+$|^[0-9]$", "", token)


def _problem(cells: list[str], form: ColumnForm) -> str:
    if len(cells) == form.width and cells[-1].strip():
        return ""
    if len(cells) < form.width or not cells[-1].strip():
        return f"'{clip(' '.join(cells), 40)}' has no tag: {len(cells)} of {form.width} columns"
    return f"{len(cells)} columns where the other lines have {form.width}"
