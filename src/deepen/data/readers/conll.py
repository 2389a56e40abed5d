"""Column files: one token a line with its tag last or first, a blank line between sentences. Told by content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from deepen.core.errors import DataError
from deepen.data.columns import WORD_NAMES, numbers_sentences, plain_name
from deepen.data.readers.quoting import split_rows
from deepen.data.readers.sniff import Head, source_of_lines
from deepen.data.source import Fault, Form, Source, clip
from deepen.data.targets.tag_forms import tag_form
from deepen.data.targets.tags import OUTSIDE, is_tag

JUDGED_LINES = 20_000
SHARE = 0.98
_GAPS = re.compile(r"[ \t]+")
_DOCUMENT = "-DOCSTART-"
_EVEN_SHARE = 0.9
_LONGEST_SENTENCE = 1000
_CALLED = {"\t": "tab", " ": "space", ",": "comma"}


@dataclass(frozen=True)
class ColumnForm:
    """How the lines of a column file are written: what parts cells, where token and tag stand, which tags are known."""

    gap: str
    width: int
    token: int = 0
    tag: int = -1
    digits: bool = False
    header: bool = False
    known: frozenset[str] = frozenset()

    def cells(self, line: str) -> list[str]:
        """The cells of a line."""
        line = line.rstrip("\r\n")
        if self.gap == " ":
            return _GAPS.split(line.strip(" \t"))
        if self.gap == "," and '"' in line:
            return next(split_rows(iter([line]), ",", line.count('"') % 2 == 0, len(line)))[1]
        return line.split(self.gap)


def column_form(sample: Sequence[str], *, asked: bool = False) -> ColumnForm | None:
    """How lines of a column file are written, or None if they are none.

    Nearly every line is a token without white space and ends (or begins) with a tag, and there is an entity or a blank
    line among them. Tags that have no B- or I- need blank lines between sentences, or to be asked for.
    """
    sample = sample[:JUDGED_LINES]
    filled = [line for line in sample if line.strip()]
    body = [line for line in filled if not line.startswith((_DOCUMENT, "# "))]
    if not body:
        return None
    gap = "\t" if sum("\t" in line for line in body) > 0.5 * len(body) else " "
    gap = "," if gap == " " and sum("," in line and " " not in line.strip() for line in body) > 0.9 * len(body) else gap
    bare = ColumnForm(gap, 0)
    rows = [bare.cells(line) for line in body]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    even = [cells for cells in rows if len(cells) == width]
    if width < 2 or len(even) < _EVEN_SHARE * len(rows):
        return None
    blank = len(filled) < len(sample)
    named = any(plain_name(cell) in WORD_NAMES for cell in rows[0]) and any(map(numbers_sentences, rows[0]))
    if not blank and (gap == "," or named):
        return None  # a table with a column for the sentence
    for tag in (-1, 0):
        found = _with_prefix(rows, bare, width, tag, blank=blank)
        found = found or _without_prefix(sample, even, bare, tag, asked=asked)
        if found is not None:
            return found
    return None


def _with_prefix(
    rows: Sequence[Sequence[str]], bare: ColumnForm, width: int, tag: int, *, blank: bool
) -> ColumnForm | None:
    """The form of lines whose tags are of a scheme, as B-PER and O."""
    first = rows[0]
    header = len(rows) > 1 and len(first) == width and not is_tag(first[tag].strip()) and first[0].isidentifier()
    rows = rows[1:] if header else rows
    tags = Counter(cells[tag].strip() for cells in rows if len(cells) > 1)
    tagged = sum(count for name, count in tags.items() if is_tag(name))
    if tagged < SHARE * len(rows) or not (blank or len(tags) > 1) or (tag == 0 and set(tags) == {OUTSIDE}):
        return None
    if set(tags) == {OUTSIDE} and not blank:
        return None
    token = 0 if tag == -1 else width - 1
    if bare.gap == "\t" and sum(" " in cells[token].strip() for cells in rows if len(cells) > 1) > 0.05 * len(rows):
        return None  # sentences with a label that looks like a tag
    token = 1 if tag == -1 and width > 2 and _is_numbering(rows) else token
    token = next((at for at, cell in enumerate(first) if header and plain_name(cell) in WORD_NAMES), token)
    tokens = [cells[token] for cells in rows if len(cells) == width]
    digits = tag == -1 and _has_digits(tokens)
    return replace(bare, width=width, token=token, tag=tag, digits=digits, header=header, known=frozenset(tags))


def _without_prefix(
    sample: Sequence[str], rows: Sequence[Sequence[str]], bare: ColumnForm, tag: int, *, asked: bool
) -> ColumnForm | None:
    """The form of lines whose tags are told by what they do: few, without white space, in blocks of several lines."""
    blocks = sum(bool(line.strip()) and not before.strip() for before, line in pairwise(["", *sample]))
    in_blocks = blocks > 1 and len(rows) >= 2 * blocks
    if len(rows) < 4 or bare.gap == "," or (tag == 0 and not asked) or not (in_blocks or asked):
        return None
    token = 0 if tag == -1 else len(rows[0]) - 1
    token = 1 if tag == -1 and len(rows[0]) > 2 and _is_numbering(rows) else token
    header = plain_name(rows[0][token]) in WORD_NAMES
    body = rows[1:] if header else rows
    tokens = Counter(cells[token].strip() for cells in body)
    tags = Counter(cells[tag].strip() for cells in body)
    spaced = sum(count for cell, count in tokens.items() if not cell or re.search(r"\s", cell))
    if spaced > 0.05 * len(body) or len(tags) >= len(tokens) or len(tags) < 2:
        return None
    if tag_form([list(tags.elements())]) in (None, "prefix"):
        return None
    return replace(bare, width=len(rows[0]), token=token, tag=tag, header=header, known=frozenset(tags))


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


def open_columns(head: Head, form: ColumnForm) -> Source:
    """A column file as a source, a sentence a row, a list in every column: `tokens`, others by number, `tags`."""
    names = [f"column {index}" for index in range(form.width)]
    names[form.token], names[form.tag] = "tokens", "tags"
    told = f"{_CALLED[form.gap]}-separated columns, a token and its tag a line"
    told += ", a position digit is taken off every token" if form.digits else ""
    written = Form("columns", form.width, form.header, form.gap)
    empty = " is empty: no line holds a token with its tag"
    rows = lambda text_lines: in_blocks(_words(text_lines, form))  # noqa: E731
    source = source_of_lines(head, tuple(names), rows, form=written, told=told, empty=empty)
    size = len(source.sample[0][0])
    if len(source.sample) == 1 and size > _LONGEST_SENTENCE:
        said = f"{head.name}: {size:,} lines of a token and its tag, and no blank line says where a sentence ends"
        raise DataError(f"{said}: write one after each")
    return source


def in_blocks(judged: Iterable[tuple[int, list[str] | Fault | None]]) -> Iterator[tuple[int, list[list[str]] | Fault]]:
    """Sentences out of lines of words, which None ends and a fault spoils: where each starts, and a list a column."""
    rows: list[list[str]] = []
    first = 0
    fault: tuple[int, Fault] | None = None
    for number, cells in chain(judged, [(0, None)]):
        if cells is None:
            if fault or rows:
                yield fault or (first, [list(column) for column in zip(*rows, strict=True)])
            rows, fault = [], None
        elif isinstance(cells, Fault):
            fault = fault or (number, cells)
        else:
            first = first if rows else number
            rows.append(cells)


def _words(text_lines: Iterable[str], form: ColumnForm) -> Iterator[tuple[int, list[str] | Fault | None]]:
    """The cells of each line, what is wrong with it, or None where a sentence ends; comments are passed over."""
    head = ""
    for number, line in enumerate(text_lines, 1):
        head = line if number == 1 and form.header else head
        if line.isspace() or line.startswith(_DOCUMENT) or (head and line == head):
            yield number, None
            continue
        cells = form.cells(line)
        width, tag = len(cells), cells[form.tag].strip()
        if line.startswith("#") and (width != form.width or not (tag in form.known or is_tag(tag))):
            continue
        if width < form.width or not tag:
            yield number, Fault(f"'{clip(' '.join(cells), 40)}' has no tag: {width} of {form.width} columns")
        elif width > form.width:
            yield number, Fault(f"{width} columns where the other lines have {form.width}")
        else:
            if form.digits:  # the place in the word, which has two digits from the eleventh character on
                cells[form.token] = re.sub(r"(?<=.)[0-9]+$|^[0-9]$", "", cells[form.token])
            cells[form.tag] = tag
            yield number, cells
