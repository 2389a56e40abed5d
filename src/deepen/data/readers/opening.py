"""From what a person names to a source: tells files, folders and hub names apart, and files by their content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from deepen.core.errors import DataError
from deepen.core.files import fingerprint, sha256_file
from deepen.data.columns import KNOWN_NAMES, plain_name
from deepen.data.readers.brat import open_brat
from deepen.data.readers.conll import column_form, open_columns
from deepen.data.readers.conllu import conllu_form, open_conllu
from deepen.data.readers.delimited import NO_DELIMITER, ends_in_classes, guess_dialect, open_delimited
from deepen.data.readers.excel import open_excel
from deepen.data.readers.folders import Layout, folder_layout, inside, open_labelled_files
from deepen.data.readers.headers import judge_header
from deepen.data.readers.json_files import json_form, open_json
from deepen.data.readers.lines import line_form, open_lines, refuse_numbers
from deepen.data.readers.parquet_arrow import open_columnar, saved_dataset_files
from deepen.data.readers.prior import Prior, open_like
from deepen.data.readers.semeval import is_marked, open_marked
from deepen.data.readers.sniff import (
    SAMPLE_BYTES,
    Head,
    head_of,
    kind_of,
    not_there,
    open_bytes,
    other_encoding,
    reading,
    text_file,
)
from deepen.data.settings import DataSettings
from deepen.data.source import Row, Source

_JUDGED_ROWS = 5_000
_SQL = re.compile(r"\s*(INSERT\s+INTO|CREATE\s+TABLE|DROP\s+TABLE)\s+[`\"\[\w]", re.IGNORECASE)
_SQL_LINE = re.compile(r"\s*(--|/\*|#|\*|(SET|USE|BEGIN|START|LOCK|PRAGMA|SELECT)\b)", re.IGNORECASE)
_INTENT = re.compile(r"\s*- intent: *\S|## intent: *\S")


def find_files(path: Path, name: str) -> Layout:
    """The files behind a path, before any of them is read."""
    with reading(name):
        if path.is_file():
            return Layout("file", (path,))
        if not path.is_dir():
            raise DataError(name + not_there(path))
        saved = saved_dataset_files(path, name)
        if saved is not None:
            files, note = saved
            return Layout("tables", tuple(files), notes=(note,) if note else ())
        return folder_layout(path, name)


def files_key(layout: Layout, name: str) -> str:
    """A key for the content of files: their sha256 and, where names are labels, those. 16 hex digits."""
    with reading(name):
        sums = [sha256_file(file) for file in layout.files]
    return fingerprint(layout.kind, layout.labels, [file.name for file in layout.files], sums)


def files_stamp(layout: Layout, name: str) -> list[tuple[int, ...]]:
    """Node, size and times of files, which change when they are written to or replaced, whatever is put into them."""
    with reading(name):
        found = [file.stat() for file in layout.files]
    return [(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found]


def open_layout(layout: Layout, name: str, settings: DataSettings, prior: Prior) -> Source:
    """The files of a layout as one source."""
    if layout.kind == "brat":
        found = open_brat(layout.files, name, settings.encoding)
    elif layout.kind not in ("file", "tables"):
        found = open_labelled_files(layout, name, settings.encoding)
    elif layout.kind == "file":
        found = _open_file(layout.files[0], name, settings, prior)
    else:
        sources = [_open_file(file, inside(name, file), settings, prior) for file in layout.files]
        found = _joined(sources, name) if len(sources) > 1 else sources[0]
    return replace(found, notes=(*layout.notes, *found.notes), warnings=(*layout.warnings, *found.warnings))


def _joined(sources: list[Source], name: str) -> Source:
    first = sources[0]
    for other in sources[1:]:
        same = other.names == first.names if first.names is not None else other.width == first.width
        if not same and not (first.names and other.names and set(first.names) == set(other.names)):
            raise DataError(
                f"{name}: {first.name} has the columns {first.listed()}, but {other.name} has {other.listed()}: "
                "name one file"
            )

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        for source in sources:
            if source.names is None or first.names is None:
                yield from source.read(wanted)
            else:
                yield from source.read(tuple(source.names.index(first.names[i]) for i in wanted))

    notes = (f"{name}: {len(sources)} files are read as one table", *first.notes)
    warnings = tuple(warning for source in sources for warning in source.warnings)
    return replace(first, name=name, read=read, notes=notes, warnings=warnings)


def _open_file(path: Path, name: str, settings: DataSettings, prior: Prior) -> Source:
    """One file as a source, its format told by its content."""
    kind = kind_of(path, name, settings.encoding)
    if kind == "excel":
        return open_excel(path, name, settings, prior.names)
    if kind != "text":
        return open_columnar(path, name, kind)
    file = text_file(path, name, settings.encoding)
    if settings.delimiter is None or prior.like is not None:
        form = json_form(_head(path, name, settings.encoding), name)
        if form is not None:
            return open_json(file, form, expected=prior.names)
    head = head_of(file)
    if not any(line.strip() for line in head.lines):
        raise DataError(f"{name} is empty: it holds only white space")
    _refuse_others(head)
    if settings.delimiter is None and is_marked(head.lines):
        return open_marked(head)
    source = open_like(head, settings, prior) or _open_text(head, settings, prior)
    return replace(source, warnings=(*source.warnings, *other_encoding(file)))


def _open_text(head: Head, settings: DataSettings, prior: Prior) -> Source:
    """A text file by what its content looks like."""
    told = settings.delimiter is not None
    if not told and (words := conllu_form(head.lines)) is not None:
        return open_conllu(head, words)
    if not told and (columns := column_form(head.lines)) is not None:
        return open_columns(head, columns)
    dialect = guess_dialect(head, settings)
    if prior.tagged and not told and (dialect is None or dialect.delimiter == "\t"):
        columns = column_form(head.lines, asked=True)
        if columns is not None:
            return open_columns(head, columns)
    if told and (dialect is None or dialect.width < 2):
        _refuse_delimiter(head, settings)
    elif not told and prior.need_target and (dialect is None or (dialect.delimiter != "\t" and not head.is_tabular)):
        refuse_numbers(head.lines, head.name)
        lines_hold = line_form(head.lines)
        if lines_hold != "text" and not (dialect is not None and ends_in_classes(head.lines, dialect)):
            return open_lines(head, lines_hold)
    if dialect is None and (_starts_with_name(head, prior.names) if settings.header is None else settings.header):
        dialect = guess_dialect(head, settings.model_copy(update={"delimiter": NO_DELIMITER}))
    if dialect is None:
        return open_lines(head, "text")
    return open_delimited(head, dialect, settings, expected=prior.names)


def _head(path: Path, name: str, encoding: str) -> str:
    """The start of a text, up to its first line end; enough to tell JSON from other text."""
    with reading(name), open_bytes(path) as stream:
        raw = stream.read(1 << 20)
        while b"\n" not in raw and b"\r" not in raw and len(raw) < SAMPLE_BYTES:
            more = stream.read(1 << 20)
            if not more:
                break
            raw += more
    return raw.decode(encoding, errors="replace").removeprefix("\ufeff")


def _refuse_others(head: Head) -> None:
    """Stops at Rasa's own files, which hold examples under intents, and at the dump of a database, a program."""
    start = head.lines[:200]
    found = next((at for at, line in enumerate(start, 1) if _INTENT.match(line)), None)
    examples = head.lines[found : found + 9] if found is not None else ()
    if any(line.lstrip().startswith(("examples:", "- ")) for line in examples):
        raise DataError(
            f"{head.name} line {found}: Rasa's YAML is not read: write its examples into a CSV file with the columns "
            "text and intent, or as Rasa's JSON"
        )
    found = next((at for at, line in enumerate(start, 1) if _SQL.match(line)), None)
    if found is not None and not any(line.strip() and not _SQL_LINE.match(line) for line in start[: found - 1]):
        raise DataError(f"{head.name} line {found}: SQL is not read: export the table as CSV and give that file")


def _starts_with_name(head: Head, expected: frozenset[str]) -> bool:
    """A single column can have a header too: `text`, and a text on each line."""
    rows = [[line.strip().strip('"')] for line in islice(filter(str.strip, head.lines), _JUDGED_ROWS)]
    header = judge_header(rows, expected, tabular=head.is_tabular).header
    return header and (head.is_tabular or plain_name(rows[0][0]) in expected | KNOWN_NAMES)


def _refuse_delimiter(head: Head, settings: DataSettings) -> None:
    """Says which delimiter splits rows, where the one that was set does not."""
    other = guess_dialect(head, settings.model_copy(update={"delimiter": None}))
    if other is not None:
        right = "tab" if other.delimiter == "\t" else f"'{other.delimiter}'"
        raise DataError(
            f"{head.name}: the delimiter {settings.delimiter!r} splits no row, but {right} gives {other.width} "
            f"columns: --set data.delimiter={right}"
        )
