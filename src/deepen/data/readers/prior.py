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
from deepen.data.columns import KNOWN_NAMES, TARGET, Columns, Need, plain_name
from deepen.data.known import share_known
from deepen.data.needs import TEXT_NAMES
from deepen.data.readers.conll import column_form, open_columns
from deepen.data.readers.conllu import conllu_form, open_conllu
from deepen.data.readers.delimited import Dialect, guess_dialect, is_tabular, judge, open_delimited
from deepen.data.readers.headers import NUMBER, judge_header
from deepen.data.readers.lines import LineForm, is_fasttext, line_form, open_lines
from deepen.data.readers.sniff import TextFile
from deepen.data.settings import DataSettings
from deepen.data.source import Form, Source, clip

_JUDGED_ROWS = 2000
_DELIMITERS = ("\t", ",", ";", "|")
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

    def is_named(self, cells: Sequence[str]) -> bool:
        """Whether cells hold the names of the inputs, as asked for or as in the training file."""
        have = {*map(str.strip, cells), *map(plain_name, cells)}
        if self.asked is not None:
            asked = [value for name, value in self.asked.items() if name != TARGET]
            groups = [[value] if value in have else [part.strip() for part in value.split("+")] for value in asked]
        else:
            found = self.like.inputs if self.like is not None else {}
            groups = [list(map(str, found.get(need.name, ()))) for need in self.texts]
        parts = [part for group in groups for part in group]
        if not parts or any(not group for group in groups) or all(part.isdecimal() for part in parts):
            return False
        return all(part in have or plain_name(part) in have for part in parts)


def open_like(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source | None:
    """A text file as a source like the training file, settings first; None if nothing that is known tells its form."""
    like = prior.like
    if like is None:
        return None
    if settings.delimiter is None:
        if (words := conllu_form(sample)) is not None:
            return open_conllu(file, sample, words)
        asked = prior.need_target and like.form is not None and like.form.kind == "columns"
        columns = column_form(sample, asked=asked) if prior.tagged else None
        if columns is not None:
            return open_columns(file, sample, columns)
        if is_fasttext(sample):
            return open_lines(file, sample, line_form(sample))
    for way in (_named, _with_labels, _labelled_lines, _as_trained):
        if (found := way(file, sample, settings, prior)) is not None:
            return found
    if not prior.one_text:
        return None
    return _table(file, sample, settings, prior) or _texts(file, sample, settings, prior)


def _delimiters(settings: DataSettings, like: Columns) -> tuple[str, ...]:
    if settings.delimiter is not None:
        return (settings.delimiter,)
    first = like.form.delimiter if like.form is not None and like.form.kind == "table" else None
    return tuple(dict.fromkeys((first, *_DELIMITERS) if first else _DELIMITERS))


def _rows(sample: Sequence[str], dialect: Dialect, settings: DataSettings) -> list[list[str]]:
    """The first rows that can be cut; a quote that nothing closes ends them."""
    found: list[list[str]] = []
    rows = dialect.rows(iter(sample), settings.max_cell_chars)
    with suppress(DataError):
        found.extend(cells for _, cells, _ in islice(rows, _JUDGED_ROWS) if any(cells))
    return found


def _table_of(
    file: TextFile, sample: Sequence[str], dialect: Dialect, settings: DataSettings, header: bool, *more: str
) -> Source:
    set_header = settings.model_copy(update={"header": header})
    source = open_delimited(file, sample, dialect, set_header, expected=frozenset())
    return replace(source, notes=(*source.notes, *(f"{file.name}: {note}" for note in more)))


def _named(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source | None:
    """A file whose first row has the names of the inputs."""
    more = sum(bool(line.strip()) for line in sample) > 1
    if prior.like is None or settings.header is False:
        return None
    for delimiter in _delimiters(settings, prior.like):
        dialect = judge(sample, delimiter, settings)
        rows = _rows(sample, dialect, settings)
        if not rows or not prior.is_named(rows[0]) or _is_sentence(file, rows[0], delimiter, prior):
            continue
        if len(rows[0]) > 1:
            return _table_of(file, sample, dialect, settings, True)
        return _single(file, sample, settings, header=True) if more else None
    return None


def _is_sentence(file: TextFile, first: Sequence[str], delimiter: str, prior: Prior) -> bool:
    """Whether a first row with the name of the text may be a text itself: `text, and more`."""
    spaced = any(cell.startswith(" ") for cell in first[1:])
    if not spaced or is_tabular(file.name) or delimiter == "\t" or len(prior.texts) > 1:
        return False
    target = prior.like.target if prior.like is not None else None
    return not {str(part) for part in target or ()} & {cell.strip() for cell in first}


def _single(file: TextFile, sample: Sequence[str], settings: DataSettings, *, header: bool) -> Source:
    """A single column: cells that may be quoted where the name says that it is a table, lines as they are elsewhere."""
    if is_tabular(file.name):
        bare = file.name.lower().removesuffix(".gz")
        delimiter = settings.delimiter or ("," if bare.endswith(".csv") else "\t")
        dialect = judge(sample, delimiter, settings)
        if dialect.width == 1 and dialect.consistent == 1.0:
            first = sample[0].strip()
            no = f"'{clip(first)}' names the column; --set data.header=false reads it as a text"
            return _table_of(file, sample, dialect, settings, header, *([no] if header else []))
    return open_lines(file, sample, "text", header=header)


def _labelled_lines(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source | None:
    """Lines that begin with labels which training saw."""
    like = prior.like
    rows = [line.split(None, 1) for line in sample[:_JUDGED_ROWS] if line.strip()]
    if like is None or not like.values or settings.delimiter is not None or not all(len(row) > 1 for row in rows):
        return None
    form = like.form.line_form if like.form is not None else None
    lines: LineForm = "fine" if form == "fine" else "label"
    firsts = [row[0] for row in rows]
    if lines == "fine":
        firsts = [first if first in like.values else first.partition(":")[0] for first in firsts]
    known = share_known(firsts, like.values)
    if prior.need_target:
        return open_lines(file, sample, lines) if known == 1.0 or (known > 0.5 and form == lines) else None
    if form != lines or is_tabular(file.name) or known < 1.0 or len(rows) < 4 or len(set(firsts)) < 2:
        return None
    source = open_lines(file, sample, lines)
    whole = f"{file.name}: if those words are part of the texts: --set data.delimiter=tab"
    return replace(source, notes=(*source.notes, whole))


def _with_labels(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source | None:
    """A table with a column of labels that training saw."""
    like = prior.like
    if like is None or not like.values:
        return None
    best: tuple[float, Dialect, list[list[str]], int] | None = None
    for delimiter in _delimiters(settings, like):
        dialect = judge(sample, delimiter, settings)
        if dialect.width < 2 or dialect.consistent < _SURE:
            continue
        if prior.one_text and not is_tabular(file.name) and _is_prose(sample, dialect):
            continue
        rows = [cells for cells in _rows(sample, dialect, settings) if len(cells) == dialect.width]
        shares = [share_known([cells[at] for cells in rows[1:] or rows], like.values) for at in range(dialect.width)]
        if max(shares) >= _SURE and (best is None or max(shares) > best[0]):
            best = max(shares), dialect, rows, shares.index(max(shares))
    if best is None:
        return None
    _, dialect, rows, at = best
    header = settings.header if settings.header is not None else _names_labels(rows, at, like.values)
    trained = like.form.header if like.form is not None else None
    more = [*_other_header(header, trained, settings)]
    more += _lines_instead(dialect, settings) if prior.one_text and not is_tabular(file.name) else []
    return _table_of(file, sample, dialect, settings, header, *more)


def _names_labels(rows: Sequence[Sequence[str]], at: int, values: Sequence[str]) -> bool:
    """Whether the first row is a header, where a column holds known labels in all others."""
    first = [cell.strip() for cell in rows[0]]
    if len(rows) < 2 or not first[at] or share_known([first[at]], values) or len(set(first)) < len(first):
        return False
    if {plain_name(cell) for cell in first} & KNOWN_NAMES:
        return True
    sizes = [median(len(cells[i].strip()) for cells in rows[1:]) for i in range(len(first))]
    longest = max((i for i in range(len(first)) if i != at), key=lambda i: sizes[i])
    return 2 * len(first[longest]) <= sizes[longest] + 8 and all(len(cell.split()) < 2 for cell in first)


def _is_prose(sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether lines of as many commas each are prose: spaces after most, no quoted cell, number column, usual name."""
    judged = [line.rstrip("\r\n") for line in sample[:_JUDGED_ROWS] if line.strip()]
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


def _as_trained(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source | None:
    """A table with the delimiter and the width of the training file."""
    like = prior.like
    form = _form_of(like, sample, settings, file.name) if like is not None else None
    if like is None or form is None or form.delimiter is None or settings.delimiter not in (None, form.delimiter):
        return None
    dialect = judge(sample, form.delimiter, settings)
    rows = _rows(sample, dialect, settings)
    tabular = is_tabular(file.name)
    if dialect.width != form.width or dialect.consistent < (0.5 if tabular else 0.98) or len(rows[0]) != form.width:
        return None
    # no column of it holds known labels, so only the name of the file can speak for a table
    doubtful = prior.one_text and settings.delimiter is None and form.delimiter != "\t"
    if doubtful and (not tabular or _is_prose(sample, dialect)):
        return None
    rows = [cells for cells in rows if len(cells) == form.width]
    judged = judge_header(rows, frozenset(), tabular=tabular)
    header = settings.header if settings.header is not None else len(rows) > 1 and judged.header
    doubt = [judged.doubt] if judged.doubt and settings.header is None and header == form.header else []
    doubt += _lines_instead(dialect, settings) if doubtful and not header else []
    return _table_of(file, sample, dialect, settings, header, *_other_header(header, form.header, settings), *doubt)


def _form_of(like: Columns, sample: Sequence[str], settings: DataSettings, name: str) -> Form | None:
    """The form of the training file, if it is a table; of runs of 0.1.0, which do not say, that of the file at hand."""
    if like.form is not None:
        return like.form if like.form.kind == "table" and like.form.width > 1 else None
    numbers = [part for parts in (*like.inputs.values(), like.target or ()) for part in parts if isinstance(part, int)]
    found = guess_dialect(sample, settings, name=name) if numbers else None
    if found is None or found.width <= max(numbers):
        return None
    return Form("table", found.width, False, found.delimiter, found.quoting)


def _other_header(header: bool, trained: bool | None, settings: DataSettings) -> tuple[str, ...]:
    if settings.header is not None or trained is None or header == trained:
        return ()
    if header:
        return ("the training file had no header; if the first row is none: --set data.header=false",)
    return ("the training file had a header; if the first row is one: --set data.header=true",)


def _table(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source | None:
    """A file that its name or a setting calls a table, for one text a row."""
    if settings.delimiter is None and not is_tabular(file.name) and settings.header is not True:
        return None
    lines = [line.strip() for line in sample if line.strip()]
    usual = {plain_name(name) for need in prior.texts for name in (need.name, *need.names, *TEXT_NAMES)}
    named = len(lines) > 1 and plain_name(lines[0].strip('"')) in usual
    dialect = _dialect(file, sample, settings) if not named else None
    if dialect is None:
        header = settings.header if settings.header is not None else named
        return _single(file, sample, settings, header=header)
    rows = [cells for cells in _rows(sample, dialect, settings) if len(cells) == dialect.width]
    judged = judge_header(rows, frozenset(), tabular=is_tabular(file.name)) if len(rows) > 1 else None
    header = settings.header if settings.header is not None else judged is not None and judged.header
    trained = prior.like.form.header if prior.like is not None and prior.like.form is not None else None
    if header:
        return _table_of(file, sample, dialect, settings, True, *_other_header(True, trained, settings))
    if settings.delimiter is None and (dialect.consistent < 0.98 or _is_prose(sample, dialect)):
        return None
    return _table_of(file, sample, dialect, settings, False, *_lines_instead(dialect, settings))


def _lines_instead(dialect: Dialect, settings: DataSettings) -> list[str]:
    if settings.delimiter is not None or dialect.delimiter == "\t":
        return []
    return ["if each line is one text: --set data.delimiter=tab"]


def _dialect(file: TextFile, sample: Sequence[str], settings: DataSettings) -> Dialect | None:
    """What splits the rows; None if there is a single column."""
    if settings.delimiter is not None:
        found = judge(sample, settings.delimiter, settings)
        return found if found.width > 1 else None
    if not is_tabular(file.name):
        return None
    bare = file.name.lower().removesuffix(".gz")
    own = judge(sample, "," if bare.endswith(".csv") else "\t", settings)
    quoted = any(line.startswith('"') for line in sample)  # cells that a writer of tables enclosed
    if own.width == 1 and own.consistent == 1.0 and (quoted or not bare.endswith(".csv")):
        return None
    return guess_dialect(sample, settings, name=file.name)


def _texts(file: TextFile, sample: Sequence[str], settings: DataSettings, prior: Prior) -> Source:
    """One text a line, and what else it could have been."""
    source = open_lines(file, sample, "text", header=bool(settings.header))
    notes, warned = list(source.notes), list(source.warnings)
    other = guess_dialect(sample, settings.model_copy(update={"delimiter": None}), name=file.name)
    if other is not None and settings.delimiter is None:
        sign = "tab" if other.delimiter == "\t" else other.delimiter
        notes.append(
            f"{file.name}: if it is a table of {other.width} columns: --set 'data.delimiter={sign}' and, say, "
            f"--columns {prior.texts[0].name}=1"
        )
    values = prior.like.values if prior.like is not None else ()
    firsts = [line.split(None, 1)[0] for line in sample[:_JUDGED_ROWS] if line.strip()]
    if values and share_known(firsts, values) == 1.0:
        warned.append(
            f"{file.name}: every line begins with a label of the run, as '{clip(firsts[0], 40)}', and is read whole; "
            "if those are labels, write the texts alone"
        )
    return replace(source, notes=tuple(notes), warnings=tuple(warned))
