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
from deepen.data.readers.sniff import TextFile, lines
from deepen.data.settings import DataSettings
from deepen.data.source import BLANK, BLANK_ROW, Fault, Form, Row, Source, listed

# what no file holds: a row is one cell
NO_DELIMITER = "\0"
_CANDIDATES = ("\t", ",", ";", "|")
_WORDS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space", NO_DELIMITER: "line"}
_JUDGED_ROWS = 2000
_SAMPLE_ROWS = 20_000
_MOST_COLUMNS = 200_000
_NAMES_KEPT = 1000
Classes = Mapping[int, frozenset[str]]


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

    def described(self) -> str:
        """The dialect in words."""
        word = _WORDS.get(self.delimiter, repr(self.delimiter))
        quotes = "quoted cells, a backslash before quotes inside" if self.escaped else "quoted cells"
        return f"{word}-separated, {quotes if self.quoting else 'no quoting'}"

    def rows(
        self, text_lines: Iterator[str], max_cell_chars: int, *, blanks: bool = False
    ) -> Iterator[tuple[int, list[str], Sequence[str]]]:
        """The rows of lines, as `split_rows` gives them."""
        return split_rows(text_lines, self.delimiter, self.quoting, max_cell_chars, escaped=self.escaped, blanks=blanks)


def guess_dialect(sample: Sequence[str], settings: DataSettings, *, name: str = "") -> Dialect | None:
    """How the rows of a file are written, by what splits the first into equally many cells; None if nothing does."""
    if settings.delimiter is not None:
        return judge(sample, settings.delimiter, settings)
    tabular = is_tabular(name)
    best: Dialect | None = None
    for delimiter in _CANDIDATES:
        found = judge(sample, delimiter, settings)
        needed = 0.5 if tabular else 0.9 if delimiter == "\t" else 0.98
        if found.width < 2 or found.consistent < needed:
            continue
        if _is_prose(sample, found, tabular=tabular):
            continue
        if best is None or found.consistent > best.consistent + (0.02 if not tabular else 0.0):
            best = found
    return best


def ends_in_classes(sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether the last or the first cells of rows are those of a label: few short ones that recur."""
    rows: list[list[str]] = []
    with suppress(DataError):  # a quote that is never closed is told when the file is read
        for _, cells, _ in islice(dialect.rows(iter(sample), 1 << 20), _JUDGED_ROWS):
            rows += [cells] if len(cells) == dialect.width else []
    if not rows:
        return False
    ends = [Counter(cells[at].strip() for cells in rows) for at in (-1, 0)]
    return any(are_classes(counts, len(rows), share=0.2) and max(map(len, counts)) <= 40 for counts in ends)


def _is_prose(sample: Sequence[str], dialect: Dialect, *, tabular: bool) -> bool:
    """Sentences with one comma each look like a table; but a space follows it, no cell recurs, no name says `.csv`."""
    if dialect.delimiter not in (",", ";") or (tabular and dialect.delimiter in sample[0]):
        return False
    text = "".join(sample[:_JUDGED_ROWS])
    spaced = text.count(f"{dialect.delimiter} ") > 0.5 * text.count(dialect.delimiter)
    return spaced and '"' not in text and not ends_in_classes(sample, dialect)


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
        made = Dialect(delimiter, quoting, 1, 0.0, escaped and quoting, settings.quoting is not None)
        return _widths(sample, made, settings.max_cell_chars)

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


def _widths(sample: Sequence[str], dialect: Dialect, max_cell_chars: int) -> Dialect:
    widths: Counter[int] = Counter()
    broken = 0
    try:
        for _, cells, _ in islice(dialect.rows(iter(sample), max_cell_chars), _JUDGED_ROWS):
            widths[len(cells)] += 1
    except DataError:
        broken = 1
    if not widths:
        return dialect
    # the wider of two equally frequent widths: a row that lost a cell is likelier than one that won some
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return replace(dialect, width=width, consistent=count / (sum(widths.values()) + broken))


def open_delimited(
    file: TextFile, sample: Sequence[str], dialect: Dialect, settings: DataSettings, *, expected: frozenset[str]
) -> Source:
    """A delimited text file as a source."""
    if dialect.width > _MOST_COLUMNS:
        raise DataError(
            f"{file.name} has {dialect.width:,} columns, more than {_MOST_COLUMNS:,}: is it a table of texts?"
        )
    found: list[tuple[int, list[str], Sequence[str]]] = []
    try:
        found.extend(islice(dialect.rows(iter(sample), settings.max_cell_chars), _SAMPLE_ROWS))
    except DataError as error:
        if len(found) < 2:
            raise DataError(f"{file.name} {error}") from None
    rows = [cells for _, cells, _ in found if any(cells)]
    if not rows:
        raise DataError(f"{file.name} is empty: no row has any cell")
    if len(rows) > 1:
        rows[0] = _fitted(rows[0], dialect.width)
    judged = judge_header(rows, expected, tabular=is_tabular(file.name))
    header = judged.header if settings.header is None else settings.header
    names = unique_names(rows[0]) if header else None
    if header and len(rows) == 1:
        raise DataError(f"{file.name} line 1: a header ({listed(rows[0])}) and no rows")
    width = len(rows[0]) if header else dialect.width
    shape = _Shape(width, found[0][1] if header else None, _classes(rows[1:], width))
    body = [
        cells
        for _, cells, used in found[1 if header else 0 :]
        if len(cells) == width and not shape.takes_in(used, dialect)
    ]
    told = f"{file.name}: {dialect.described()}, {'first row is the header' if header else 'no header'}"
    warnings = [judged.doubt] if judged.doubt and settings.header is None else []
    again = [name for name, num in Counter(filter(None, map(str.strip, rows[0]))).items() if header and num > 1]
    if again:
        warnings.append(
            f"several columns are called {listed(again[:1])}: the first keeps the name, others get a number"
        )
    named = None if header else next(((at, cells) for at, cells, _ in found[1:] if names_columns(cells)), None)
    if named is not None:
        warnings.append(
            f"line {named[0]} ({listed(named[1])}) names columns: files with and without a header were joined?"
        )

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        return _read(file, dialect, shape, wanted, settings.max_cell_chars)

    known = names if names is not None and width <= _NAMES_KEPT else None
    form = Form("table", width, header, dialect.delimiter, dialect.quoting, escaped=dialect.escaped, names=known)
    warned = tuple(f"{file.name}: {warning}" for warning in warnings)
    return Source(file.name, names, width, body, read, notes=(told,), form=form, warnings=warned)


def is_tabular(name: str) -> bool:
    """Whether a file is called as tables are."""
    return name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".tab"))


@dataclass(frozen=True)
class _Shape:
    """What a row of a file has to look like: its width, the header if there is one, the values of its classes."""

    width: int
    header: list[str] | None
    classes: Classes

    def takes_in(self, used: Sequence[str], dialect: Dialect) -> bool:
        """Whether a row of several lines is rather that many rows; not where a person said that quotes enclose."""
        if not used or dialect.declared:
            return False
        return rows_taken_in(used, dialect.delimiter, self.width, self.classes) > 0


def _fitted(first: list[str], width: int) -> list[str]:
    """A header that lacks the name of the row numbers, as R writes it, or ends in separators that no row has."""
    if width > 2 and len(first) == width - 1:
        return ["", *first]
    return first[:width] if width > 1 and not any(first[width:]) else first


def _classes(body: Sequence[Sequence[str]], width: int) -> Classes:
    """The values of the columns that have few."""
    found = {}
    for at in range(width):
        counts = Counter(row[at].strip() for row in body if len(row) == width)
        if are_classes(counts, counts.total(), share=0.2):
            found[at] = frozenset(counts)
    return found


def _read(
    file: TextFile, dialect: Dialect, shape: _Shape, wanted: tuple[int, ...], max_cell_chars: int
) -> Iterator[Row]:
    name, width, skip = file.name, shape.width, shape.header is not None
    rows = dialect.rows(lines(file), max_cell_chars, blanks=width == 1)  # there a blank line is an empty cell
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
        elif used and shape.takes_in(used, dialect):
            yield name, number, Fault(_taken_in(len(used)), "rows_in_a_quote")
            for line in range(number + 1, number + len(used)):
                yield name, line, Fault(f"inside the quote that is opened in line {number}", "rows_in_a_quote")
        elif cells == shape.header:
            yield name, number, Fault("the header stands here again, as where two files were joined", "header_again")
        elif not any(cells) and len(cells) != 1:  # Excel ends a sheet with rows of `,,,`
            yield name, number, Fault("the row is blank", BLANK if width == 1 else BLANK_ROW)
        elif len(cells) == width:
            yield name, number, [cells[i] for i in wanted]
        else:
            yield name, number, Fault(_ragged(len(cells), width, dialect), "ragged_row", tuple(cells))


def _taken_in(num: int) -> str:
    return (
        f"a quote opened here takes in {num} lines that look like rows: close it, or --set data.quoting=false "
        "takes quotes for plain text, true takes the lines for one cell"
    )


def _ragged(found: int, width: int, dialect: Dialect) -> str:
    word = _WORDS.get(dialect.delimiter, repr(dialect.delimiter))
    cells = f"{found} cell{'s' if found != 1 else ''}"
    cause = f"a {word} inside an unquoted cell" if found > width else f"a {word} is missing or a quote is not closed"
    return f"{cells} where the other rows have {width}: likely {cause}"
