"""Tables in text files: cells separated by a character, with or without quotes and a header.

Python's csv module is not used for reading: its cell limit is one number for the whole process, and it can't say where
a quote was opened that nothing closes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from deepen.core.errors import DataError
from deepen.data.readers.headers import are_classes, judge_header, names_columns, unique_names
from deepen.data.readers.quoting import quote_evidence, rows_taken_in, split_rows
from deepen.data.readers.sniff import Head, TextFile, lines
from deepen.data.settings import DataSettings
from deepen.data.source import BLANK, BLANK_ROW, Fault, Form, Row, Source, listed

# what no file holds: a row is one cell
NO_DELIMITER = "\0"
CANDIDATES = ("\t", ",", ";", "|")
_WORDS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space", NO_DELIMITER: "line"}
JUDGED_ROWS = 2000
_SAMPLE_ROWS = 20_000
_MOST_COLUMNS = 200_000
_NAMES_KEPT = 1000


@dataclass(frozen=True)
class Dialect:
    r"""How the rows of a file are written.

    `consistent` is the share of the judged rows that have `width` cells; `escaped` says that `\"` is a quote within a
    cell; `declared` that a person said whether there is quoting.
    """

    delimiter: str
    quoting: bool
    width: int
    consistent: float
    escaped: bool = False
    declared: bool = False

    @property
    def word(self) -> str:
        """The delimiter in a message."""
        return _WORDS.get(self.delimiter, repr(self.delimiter))

    def described(self) -> str:
        """The dialect in words."""
        quotes = "quoted cells, a backslash before quotes inside" if self.escaped else "quoted cells"
        return f"{self.word}-separated, {quotes if self.quoting else 'no quoting'}"

    def rows(
        self, text_lines: Iterator[str], max_cell_chars: int, *, blanks: bool = False
    ) -> Iterator[tuple[int, list[str], Sequence[str]]]:
        """The rows of lines, as `split_rows` gives them."""
        return split_rows(text_lines, self.delimiter, self.quoting, max_cell_chars, escaped=self.escaped, blanks=blanks)


def guess_dialect(head: Head, settings: DataSettings) -> Dialect | None:
    """How the rows of a file are written, by what splits the first into equally many cells; None if nothing does."""
    if settings.delimiter is not None:
        return judge(head.lines, settings.delimiter, settings)
    best: Dialect | None = None
    for delimiter in CANDIDATES:
        found = judge(head.lines, delimiter, settings)
        needed = 0.5 if head.is_tabular else 0.9 if delimiter == "\t" else 0.98
        if found.width < 2 or found.consistent < needed or _is_prose(head, found):
            continue
        if best is None or found.consistent > best.consistent + (0.0 if head.is_tabular else 0.02):
            best = found
    return best


def ends_in_classes(sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether the last or the first cells of rows are those of a label: few short ones that recur."""
    rows: list[list[str]] = []
    with suppress(DataError):  # a quote that is never closed is told when the file is read
        for _, cells, _ in islice(dialect.rows(iter(sample), 1 << 20), JUDGED_ROWS):
            rows += [cells] if len(cells) == dialect.width else []
    if not rows:
        return False
    ends = [Counter(cells[at].strip() for cells in rows) for at in (-1, 0)]
    return any(are_classes(counts, len(rows), share=0.2) and max(map(len, counts)) <= 40 for counts in ends)


def _is_prose(head: Head, dialect: Dialect) -> bool:
    """Sentences with one comma each look like a table; but a space follows it, no cell recurs, no name says `.csv`."""
    if dialect.delimiter not in (",", ";") or (head.is_tabular and dialect.delimiter in head.lines[0]):
        return False
    text = "".join(head.lines[:JUDGED_ROWS])
    spaced = text.count(f"{dialect.delimiter} ") > 0.5 * text.count(dialect.delimiter)
    return spaced and '"' not in text and not ends_in_classes(head.lines, dialect)


def judge(sample: Sequence[str], delimiter: str, settings: DataSettings) -> Dialect:
    """How rows are written if this separates their cells: the width that most have, and how many have it."""
    text = "".join(sample)
    good, bad = quote_evidence(text, delimiter)
    escaped = False
    if '\\"' in text and settings.quoting is not False:
        better, worse = quote_evidence(text, delimiter, escaped=True)
        escaped = better - worse > good - bad
        good, bad = (better, worse) if escaped else (good, bad)

    def judged(quoting: bool) -> Dialect:
        dialect = Dialect(delimiter, quoting, 1, 0.0, escaped and quoting, settings.quoting is not None)
        widths: Counter[int] = Counter()
        broken = 0
        try:
            for _, cells, _ in islice(dialect.rows(iter(sample), settings.max_cell_chars), JUDGED_ROWS):
                widths[len(cells)] += 1
        except DataError:
            broken = 1
        if not widths:
            return dialect
        # the wider of two equally frequent widths: a row that lost a cell is likelier than one that won some
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        return replace(dialect, width=width, consistent=count / (widths.total() + broken))

    if settings.quoting is not None:
        return judged(settings.quoting)
    if not good and not bad:
        return judged(delimiter != "\t" and '"' not in text)
    quoted = judged(True)
    if good > 9 * bad:
        return quoted
    plain = judged(False)
    if abs(plain.consistent - quoted.consistent) > 0.001 and min(plain.width, quoted.width) > 1:
        return max(plain, quoted, key=lambda dialect: dialect.consistent)
    return quoted if good >= bad else plain


def open_delimited(head: Head, dialect: Dialect, settings: DataSettings, *, expected: frozenset[str]) -> Source:
    """A delimited text file as a source."""
    file, limit = head.file, settings.max_cell_chars
    if dialect.width > _MOST_COLUMNS:
        raise DataError(
            f"{file.name} has {dialect.width:,} columns, more than {_MOST_COLUMNS:,}: is it a table of texts?"
        )
    found: list[tuple[int, list[str], Sequence[str]]] = []
    try:
        found.extend(islice(dialect.rows(iter(head.lines), limit), _SAMPLE_ROWS))
    except DataError as error:
        if len(found) < 2:
            raise DataError(f"{file.name} {error}") from None
    rows = [cells for _, cells, _ in found if any(cells)]
    if not rows:
        raise DataError(f"{file.name} is empty: no row has any cell")
    if len(rows) > 1:
        rows[0] = _fitted(rows[0], dialect.width)
    judged = judge_header(rows, expected, tabular=head.is_tabular)
    header = judged.header if settings.header is None else settings.header
    names = unique_names(rows[0]) if header else None
    if header and len(rows) == 1:
        raise DataError(f"{file.name} line 1: a header ({listed(rows[0])}) and no rows")
    width = len(rows[0]) if header else dialect.width
    counts = (Counter(row[at].strip() for row in rows[1:] if len(row) == width) for at in range(width))
    classes = {at: frozenset(seen) for at, seen in enumerate(counts) if are_classes(seen, seen.total(), share=0.2)}
    shape = _Shape(dialect, width, found[0][1] if header else None, classes)
    body = [cells for _, cells, used in found[int(header) :] if len(cells) == width and not shape.takes_in(used)]
    told = f"{file.name}: {dialect.described()}, {'first row is the header' if header else 'no header'}"
    known = names if names is not None and width <= _NAMES_KEPT else None
    form = Form("table", width, header, dialect.delimiter, dialect.quoting, escaped=dialect.escaped, names=known)
    read = lambda wanted: _read(file, shape, wanted, limit)  # noqa: E731
    warned = [judged.doubt] if judged.doubt and settings.header is None else []
    again = [name for name, num in Counter(filter(None, map(str.strip, rows[0]))).items() if header and num > 1]
    if again:
        warned.append(f"several columns are called {listed(again[:1])}: the first keeps the name, others get a number")
    named = [] if header else [(line, cells) for line, cells, _ in found[1:] if names_columns(cells)]
    for line, cells in named[:1]:
        warned.append(f"line {line} ({listed(cells)}) names columns: files with and without a header were joined?")
    warnings = tuple(f"{file.name}: {said}" for said in warned)
    return Source(file.name, names, width, body, read, notes=(told,), form=form, warnings=warnings)


def _fitted(first: list[str], width: int) -> list[str]:
    """A header that lacks the name of the row numbers, as R writes it, or ends in separators that no row has."""
    if width > 2 and len(first) == width - 1:
        return ["", *first]
    return first[:width] if width > 1 and not any(first[width:]) else first


@dataclass(frozen=True)
class _Shape:
    """What a row has to look like: its width, the header if there is one, the values of columns that have few."""

    dialect: Dialect
    width: int
    header: list[str] | None
    classes: Mapping[int, frozenset[str]]

    def takes_in(self, used: Sequence[str]) -> bool:
        """Whether a row of several lines is rather that many rows; not where a person said that quotes enclose."""
        if not used or self.dialect.declared:
            return False
        return rows_taken_in(used, self.dialect.delimiter, self.width, self.classes) > 0

    def ragged(self, found: int) -> str:
        """What is said of a row with so many cells."""
        word = self.dialect.word
        wide = f"a {word} inside an unquoted cell"
        cause = wide if found > self.width else f"a {word} is missing or a quote is not closed"
        return f"{found} cell{'s' if found != 1 else ''} where the other rows have {self.width}: likely {cause}"


def _read(file: TextFile, shape: _Shape, wanted: tuple[int, ...], max_cell_chars: int) -> Iterator[Row]:
    name, width, skip = file.name, shape.width, shape.header is not None
    rows = shape.dialect.rows(lines(file), max_cell_chars, blanks=width == 1)  # there a blank line is an empty cell
    while True:
        try:
            number, cells, used = next(rows)
        except StopIteration:
            return
        except DataError as error:
            said = str(error)
            raise DataError(said if said.startswith(name) else f"{name} {said}") from None
        if skip:
            skip = False
        elif used and shape.takes_in(used):
            told = f"a quote opened here takes in {len(used)} lines that look like rows: close it, or --set "
            told += "data.quoting=false takes quotes for plain text, true takes the lines for one cell"
            yield name, number, Fault(told, "rows_in_a_quote")
            for line in range(number + 1, number + len(used)):
                yield name, line, Fault(f"inside the quote that is opened in line {number}", "rows_in_a_quote")
        elif cells == shape.header:
            yield name, number, Fault("the header stands here again, as where two files were joined", "header_again")
        elif not any(cells) and len(cells) != 1:  # Excel ends a sheet with rows of `,,,`
            yield name, number, Fault("the row is blank", BLANK if width == 1 else BLANK_ROW)
        elif len(cells) == width:
            yield name, number, [cells[i] for i in wanted]
        else:
            yield name, number, Fault(shape.ragged(len(cells)), "ragged_row", tuple(cells))
