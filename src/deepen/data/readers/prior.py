"""Opens a text file as one like the training file: what a run knows of its data decides, and no guess is made anew.

In this order: a first row with the names of the inputs, the form of the training file, and, where one text is needed
and no label, one text a line. Whatever is taken is said in a note, with the setting that gives the other reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median

from deepen.core.errors import DataError
from deepen.data.columns import KNOWN_NAMES, TARGET, TEXT_NAMES, Columns, Need, plain_name
from deepen.data.places import share_known
from deepen.data.readers.conll import column_form, open_columns
from deepen.data.readers.conllu import conllu_form, open_conllu
from deepen.data.readers.delimited import CANDIDATES, JUDGED_ROWS, Dialect, guess_dialect, judge, open_delimited
from deepen.data.readers.headers import NUMBER, judge_header
from deepen.data.readers.lines import LineForm, is_fasttext, line_form, open_lines
from deepen.data.readers.sniff import Head
from deepen.data.settings import DataSettings
from deepen.data.source import Form, Source, clip

_SURE = 0.9


@dataclass(frozen=True)
class Prior:
    """What is known of a file before it is opened: names of columns, the training file (`like`), columns as `asked`."""

    names: frozenset[str] = frozenset()
    like: Columns | None = None
    needs: tuple[Need, ...] = ()
    need_target: bool = True
    asked: Mapping[str, str] | None = None

    @property
    def tagged(self) -> bool:
        """Whether words with tags are wanted."""
        return any(need.kind == "tokens" for need in self.needs)

    @property
    def texts(self) -> list[Need]:
        """The inputs that have to be there."""
        return [need for need in self.needs if need.name != TARGET and not need.optional]

    @property
    def one_text(self) -> bool:
        """Whether a line can be a row: one text is needed, no label, and no column beside the first was asked for."""
        return not self.need_target and len(self.texts) == 1 and {*(self.asked or {}).values()} <= {"0"}


def open_like(head: Head, settings: DataSettings, prior: Prior) -> Source | None:
    """A text file as a source like the training file, settings first; None if nothing that is known tells its form."""
    if prior.like is None:
        return None
    trained = prior.like.form or Form("memory")
    if settings.delimiter is None:
        if (words := conllu_form(head.lines)) is not None:
            return open_conllu(head, words)
        asked = prior.need_target and trained.kind == "columns"
        if prior.tagged and (columns := column_form(head.lines, asked=asked)) is not None:
            return open_columns(head, columns)
        if is_fasttext(head.lines):
            return open_lines(head, line_form(head.lines))
    file = _File(head, settings, prior, prior.like, trained)
    found = file.named() or file.with_labels() or file.labelled_lines() or file.as_trained()
    return found or ((file.table() or file.texts()) if prior.one_text else None)


@dataclass(frozen=True)
class _File:
    """A file that is to be read like the training file, which was `trained`; each way gives None if it does not fit."""

    head: Head
    settings: DataSettings
    prior: Prior
    like: Columns
    trained: Form

    def _rows(self, dialect: Dialect) -> list[list[str]]:
        """The first rows that can be cut; a quote that nothing closes ends them."""
        found: list[list[str]] = []
        rows = dialect.rows(iter(self.head.lines), self.settings.max_cell_chars)
        with suppress(DataError):
            found.extend(cells for _, cells, _ in islice(rows, JUDGED_ROWS) if any(cells))
        return found

    def _judge(self, delimiter: str) -> Dialect:
        return judge(self.head.lines, delimiter, self.settings)

    def _is_header(self, judged: bool) -> bool:
        return judged if self.settings.header is None else self.settings.header

    @property
    def _delimiters(self) -> tuple[str, ...]:
        if self.settings.delimiter is not None:
            return (self.settings.delimiter,)
        first = self.trained.delimiter if self.trained.kind == "table" else None
        return tuple(dict.fromkeys((first, *CANDIDATES) if first else CANDIDATES))

    @property
    def _own_delimiter(self) -> str:
        """What the name of a table says that parts its cells."""
        return "," if self.head.name.lower().removesuffix(".gz").endswith(".csv") else "\t"

    def _open(self, dialect: Dialect, header: bool, *more: str) -> Source:
        settings = self.settings.model_copy(update={"header": header})
        source = open_delimited(self.head, dialect, settings, expected=frozenset())
        return replace(source, notes=(*source.notes, *(f"{self.head.name}: {note}" for note in more)))

    def named(self) -> Source | None:
        """A file whose first row has the names of the inputs."""
        if self.settings.header is False:
            return None
        for delimiter in self._delimiters:
            dialect = self._judge(delimiter)
            first = next(iter(self._rows(dialect)), None)
            if first is None or not self._names_inputs(first) or self._is_sentence(first, delimiter):
                continue
            if len(first) > 1:
                return self._open(dialect, True)
            return self._single(header=True) if sum(bool(line.strip()) for line in self.head.lines) > 1 else None
        return None

    def _names_inputs(self, cells: Sequence[str]) -> bool:
        """Whether cells hold the names of the inputs, as asked for or as in the training file."""
        have = {*map(str.strip, cells), *map(plain_name, cells)}
        if self.prior.asked is not None:
            asked = [value for name, value in self.prior.asked.items() if name != TARGET]
            groups = [[value] if value in have else [part.strip() for part in value.split("+")] for value in asked]
        else:
            groups = [list(map(str, self.like.inputs.get(need.name, ()))) for need in self.prior.texts]
        parts = [part for group in groups for part in group]
        if not all(groups) or all(part.isdecimal() for part in parts):
            return False
        return all(part in have or plain_name(part) in have for part in parts)

    def _is_sentence(self, first: Sequence[str], delimiter: str) -> bool:
        """Whether a first row with the name of the text may be a text itself: `text, and more`."""
        spaced = any(cell.startswith(" ") for cell in first[1:])
        if not spaced or self.head.is_tabular or delimiter == "\t" or len(self.prior.texts) > 1:
            return False
        return not set(map(str, self.like.target or ())) & {cell.strip() for cell in first}

    def _single(self, *, header: bool) -> Source:
        """A single column: cells that may be quoted where the name says that it is a table, lines elsewhere."""
        if self.head.is_tabular:
            dialect = self._judge(self.settings.delimiter or self._own_delimiter)
            if dialect.width == 1 and dialect.consistent == 1.0:
                first = clip(self.head.lines[0].strip())
                no = f"'{first}' names the column; --set data.header=false reads it as a text"
                return self._open(dialect, header, *([no] if header else []))
        return open_lines(self.head, "text", header=header)

    def labelled_lines(self) -> Source | None:
        """Lines that begin with labels which training saw."""
        rows = [line.split(None, 1) for line in self.head.lines[:JUDGED_ROWS] if line.strip()]
        values, form = self.like.values, self.trained.line_form
        if not values or self.settings.delimiter is not None or not all(len(row) > 1 for row in rows):
            return None
        lines: LineForm = "fine" if form == "fine" else "label"
        firsts = [row[0] for row in rows]
        if lines == "fine":
            firsts = [first if first in values else first.partition(":")[0] for first in firsts]
        known = share_known(firsts, values)
        if self.prior.need_target:
            return open_lines(self.head, lines) if known == 1.0 or (known > 0.5 and form == lines) else None
        if form != lines or self.head.is_tabular or known < 1.0 or len(rows) < 4 or len(set(firsts)) < 2:
            return None
        source = open_lines(self.head, lines)
        whole = f"{self.head.name}: if those words are part of the texts: --set data.delimiter=tab"
        return replace(source, notes=(*source.notes, whole))

    def with_labels(self) -> Source | None:
        """A table with a column of labels that training saw."""
        if not self.like.values:
            return None
        best: tuple[float, Dialect, list[list[str]], int] | None = None
        may_be_prose = self.prior.one_text and not self.head.is_tabular
        for delimiter in self._delimiters:
            dialect = self._judge(delimiter)
            if dialect.width < 2 or dialect.consistent < _SURE or (may_be_prose and self._is_prose(dialect)):
                continue
            rows = [cells for cells in self._rows(dialect) if len(cells) == dialect.width]
            below = rows[1:] or rows
            shares = [share_known([cells[at] for cells in below], self.like.values) for at in range(dialect.width)]
            if max(shares) >= _SURE and (best is None or max(shares) > best[0]):
                best = max(shares), dialect, rows, shares.index(max(shares))
        if best is None:
            return None
        _, dialect, rows, at = best
        header = self._is_header(self._names_labels(rows, at))
        more = self._lines_instead(dialect) if may_be_prose else []
        return self._open(dialect, header, *self._other_header(header), *more)

    def _names_labels(self, rows: Sequence[Sequence[str]], at: int) -> bool:
        """Whether the first row is a header, where a column holds known labels in all others."""
        first = [cell.strip() for cell in rows[0]]
        if len(rows) < 2 or not first[at] or share_known([first[at]], self.like.values) or len(set(first)) < len(first):
            return False
        if {plain_name(cell) for cell in first} & KNOWN_NAMES:
            return True
        sizes = [median(len(cells[i].strip()) for cells in rows[1:]) for i in range(len(first))]
        longest = max((i for i in range(len(first)) if i != at), key=lambda i: sizes[i])
        return 2 * len(first[longest]) <= sizes[longest] + 8 and all(len(cell.split()) < 2 for cell in first)

    def _is_prose(self, dialect: Dialect) -> bool:
        """Whether lines of as many commas each are prose: spaces after most, no quoted cell, number, usual name."""
        judged = [line.rstrip("\r\n") for line in self.head.lines[:JUDGED_ROWS] if line.strip()]
        delimiter = dialect.delimiter
        text = "\n".join(line.rstrip(f"{delimiter} ") for line in judged)  # the last cells may be empty
        if delimiter.isspace() or 2 * text.count(f"{delimiter} ") <= text.count(delimiter):
            return False
        if any(line.startswith('"') or f'{delimiter}"' in line for line in judged):
            return False
        rows = [cells for line in judged if len(cells := line.split(delimiter)) == dialect.width]
        if not rows or {plain_name(cell) for cell in rows[0]} & KNOWN_NAMES:
            return False
        return not any(all(NUMBER.fullmatch(cell.strip()) for cell in column) for column in zip(*rows, strict=True))

    def as_trained(self) -> Source | None:
        """A table with the delimiter and the width of the training file."""
        form = self._table_form()
        if form is None or form.delimiter is None or self.settings.delimiter not in (None, form.delimiter):
            return None
        dialect = self._judge(form.delimiter)
        rows = self._rows(dialect)
        tabular = self.head.is_tabular
        if dialect.width != form.width or dialect.consistent < (0.5 if tabular else 0.98) or len(rows[0]) != form.width:
            return None
        # no column of it holds known labels, so only the name of the file can speak for a table
        doubtful = self.prior.one_text and self.settings.delimiter is None and form.delimiter != "\t"
        if doubtful and (not tabular or self._is_prose(dialect)):
            return None
        rows = [cells for cells in rows if len(cells) == form.width]
        judged = judge_header(rows, frozenset(), tabular=tabular)
        header = self._is_header(len(rows) > 1 and judged.header)
        doubt = [judged.doubt] if judged.doubt and self.settings.header is None and header == form.header else []
        doubt += self._lines_instead(dialect) if doubtful and not header else []
        return self._open(dialect, header, *self._other_header(header, form.header), *doubt)

    def _table_form(self) -> Form | None:
        """The training file's form, if it is a table; of runs of 0.1.0, which don't say, that of the file at hand."""
        if self.like.form is not None:
            return self.trained if self.trained.kind == "table" and self.trained.width > 1 else None
        parts = [part for parts in (*self.like.inputs.values(), self.like.target or ()) for part in parts]
        numbers = [part for part in parts if isinstance(part, int)]
        found = guess_dialect(self.head, self.settings) if numbers else None
        if found is None or found.width <= max(numbers):
            return None
        return Form("table", found.width, False, found.delimiter, found.quoting)

    def _other_header(self, header: bool, trained: bool | None = None) -> tuple[str, ...]:
        trained = self.trained.header if trained is None else trained
        if self.settings.header is not None or trained is None or header == trained:
            return ()
        if header:
            return ("the training file had no header; if the first row is none: --set data.header=false",)
        return ("the training file had a header; if the first row is one: --set data.header=true",)

    def _lines_instead(self, dialect: Dialect) -> list[str]:
        if self.settings.delimiter is not None or dialect.delimiter == "\t":
            return []
        return ["if each line is one text: --set data.delimiter=tab"]

    def table(self) -> Source | None:
        """A file that its name or a setting calls a table, for one text a row."""
        if self.settings.delimiter is None and not self.head.is_tabular and self.settings.header is not True:
            return None
        lines = [line.strip() for line in self.head.lines if line.strip()]
        usual = {plain_name(name) for need in self.prior.texts for name in (need.name, *need.names, *TEXT_NAMES)}
        named = len(lines) > 1 and plain_name(lines[0].strip('"')) in usual
        dialect = self._dialect() if not named else None
        if dialect is None:
            return self._single(header=self._is_header(named))
        rows = [cells for cells in self._rows(dialect) if len(cells) == dialect.width]
        judged = len(rows) > 1 and judge_header(rows, frozenset(), tabular=self.head.is_tabular).header
        if self._is_header(judged):
            return self._open(dialect, True, *self._other_header(True))
        if self.settings.delimiter is None and (dialect.consistent < 0.98 or self._is_prose(dialect)):
            return None
        return self._open(dialect, False, *self._lines_instead(dialect))

    def _dialect(self) -> Dialect | None:
        """What splits the rows; None if there is a single column."""
        if self.settings.delimiter is not None:
            found = self._judge(self.settings.delimiter)
            return found if found.width > 1 else None
        if not self.head.is_tabular:
            return None
        own = self._judge(self._own_delimiter)
        quoted = any(line.startswith('"') for line in self.head.lines)  # cells that a writer of tables enclosed
        if own.width == 1 and own.consistent == 1.0 and (quoted or self._own_delimiter != ","):
            return None
        return guess_dialect(self.head, self.settings)

    def texts(self) -> Source:
        """One text a line, and what else it could have been."""
        name = self.head.name
        source = open_lines(self.head, "text", header=bool(self.settings.header))
        other = guess_dialect(self.head, self.settings) if self.settings.delimiter is None else None
        if other is not None:
            sign = "tab" if other.delimiter == "\t" else other.delimiter
            told = f"{name}: if it is a table of {other.width} columns: --set 'data.delimiter={sign}' and, say, "
            source = replace(source, notes=(*source.notes, f"{told}--columns {self.prior.texts[0].name}=1"))
        firsts = [line.split(None, 1)[0] for line in self.head.lines[:JUDGED_ROWS] if line.strip()]
        if self.like.values and share_known(firsts, self.like.values) == 1.0:
            said = f"every line begins with a label of the run, as '{clip(firsts[0], 40)}', and is read whole"
            warned = f"{name}: {said}; if those are labels, write the texts alone"
            source = replace(source, warnings=(*source.warnings, warned))
        return source
