"""JSON: one object a line, a list of objects, or an object that holds them in one way or another; streamed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from deepen.core.errors import DataError
from deepen.data.readers.exports import export_of, is_pair
from deepen.data.readers.json_layout import Numbered, layout_of, list_items, listed_rows, survey, values, whole_rows
from deepen.data.readers.json_stream import short
from deepen.data.readers.keys import keys_of
from deepen.data.readers.sniff import TextFile, lines
from deepen.data.source import Fault, Form, Row, Source

JsonForm = Literal["lines", "list", "object"]
_SAMPLE_ROWS = 5000
_SAMPLE_CHARS = 32 << 20


def json_form(head: str, name: str) -> JsonForm | None:
    """Whether a text is JSON, and which form; a broken `.json` is still JSON, a broken list of other names is text."""
    text = head.lstrip()
    named = re.search(r"\.(json|jsonl|ndjson)(\.gz)?$", name.lower()) is not None
    first, *rest = re.split(r"[\r\n]+", text, maxsplit=1)
    after = rest[0].lstrip()[:1] if rest else ""
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        value = None
    if text.startswith("["):
        if not named and not text[1:].lstrip().startswith(("{", "]")):
            return None
        return "lines" if isinstance(value, list) and (after == "[" or is_pair(value)) else "list"
    if not text.startswith("{"):
        return "lines" if named else None
    if not isinstance(value, dict):
        if re.match(r'\{\s*"', text) and not re.search(r"\.(jsonl|ndjson)(\.gz)?$", name.lower()):
            goes_on = first.rstrip().endswith(("{", "[", ",", ":"))
            return "lines" if after == "{" and not goes_on else "object"
        return "lines" if named else None
    return "object" if not after and any(isinstance(item, list | dict) for item in value.values()) else "lines"


def open_json(file: TextFile, form: JsonForm, *, expected: frozenset[str] = frozenset()) -> Source:
    """A JSON file as a source; the columns are the keys of its first objects."""
    numbered, told, names = _layout(file, form)
    first = _first(file.name, numbered())
    tool = export_of(first)

    def rows() -> Numbered:
        for line, value in numbered():
            if tool is None or isinstance(value, Fault):
                yield line, value
            else:
                yield from ((line, row) for row in tool.rows(value))

    sample = first if tool is None else _first(file.name, rows())
    notes = [f"{file.name}: {told}" + (f", as {tool.tool} writes it" if tool is not None else "")]
    if objects := [row for row in sample if isinstance(row, dict)]:
        keys = keys_of(objects, expected)
        notes += [f"{file.name}: {keys.told}"] if keys.told else []
        if not keys.names:
            raise DataError(f"{file.name} is empty: it holds no JSON object with a key")
        return _source(file.name, rows, keys.names, keys.sample, notes)
    if cells := [row for row in sample if isinstance(row, list)]:
        return _lists(file.name, rows, cells, names, notes)
    if alone := [(row,) for row in sample if isinstance(row, str)]:
        texts = lambda: ((line, {"text": row} if isinstance(row, str) else row) for line, row in rows())  # noqa: E731
        return _source(file.name, texts, ("text",), alone, notes)
    found = f"'{type(sample[0]).__name__}' where objects are needed" if sample else "nothing"
    raise DataError(f"{file.name} is empty: it holds no JSON object with a key, but {found}")


def _source(
    name: str, rows: Callable[[], Numbered], keys: tuple[str, ...], sample: Sequence[Sequence[Any]], notes: list[str]
) -> Source:
    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        some = [keys[i] for i in wanted]
        for line, row in rows():
            if isinstance(row, dict):
                yield name, line, [row.get(key) for key in some]
            else:
                yield name, line, _fault(row, "an object")

    return Source(name, keys, len(keys), sample, read, notes=tuple(notes), form=Form("json", len(keys)))


def _lists(
    name: str, rows: Callable[[], Numbered], sample: list[list[Any]], names: list[str] | None, notes: list[str]
) -> Source:
    """Rows that are lists of cells; `names` are those of the last columns, the others are called by their number."""
    width = Counter(map(len, sample)).most_common(1)[0][0]
    if not width:
        raise DataError(f"{name} is empty: its rows are lists without a cell")

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        for line, row in rows():
            if not isinstance(row, list):
                yield name, line, _fault(row, "a list of cells")
            elif len(row) != width:
                yield name, line, Fault(f"{len(row)} cells where the other rows have {width}", "ragged_row")
            else:
                yield name, line, [row[i] for i in wanted]

    named = names is not None and 0 < len(set(names)) == len(names) <= width
    called = (*map(str, range(width - len(names))), *names) if named and names is not None else None
    whole = [row for row in sample if len(row) == width]
    return Source(name, called, width, whole, read, notes=tuple(notes), form=Form("json", width))


def _layout(file: TextFile, form: JsonForm) -> tuple[Callable[[], Numbered], str, list[str] | None]:
    """A function that streams what stands where rows do, how that is called, and names of columns beside them."""
    if form == "lines":
        return lambda: _line_values(file), "JSON Lines", None
    if form == "list":
        return lambda: list_items(file), "a JSON list", None
    entries, more = survey(file)
    if more:
        return lambda: values(file), "JSON objects, one after another", None
    layout = layout_of(file.name, entries)
    if not layout.keys:
        found, told = whole_rows(file, entries)
        return lambda: iter(list(enumerate(found, 1))), f"JSON, {told}", None
    told = f"a JSON list{'; ' if layout.told else ''}{layout.told}"
    if len(layout.keys) == 1:
        names = entries["columns"].names if "columns" in entries and layout.keys == ("data",) else None
        return lambda: ((line, value) for _, line, value in listed_rows(file, layout.keys)), told, names or None

    def marked() -> Numbered:
        """Rows with the split whose list they stand in, as if the file had a column for it."""
        for split, line, row in listed_rows(file, layout.keys):
            more = {**row, "split": split} if isinstance(row, dict) else row
            yield line, [*row, split] if isinstance(row, list) else more

    return marked, told, ["split"]


def _fault(row: Any, needed: str) -> Fault:
    return row if isinstance(row, Fault) else Fault(f"a JSON {type(row).__name__} where {needed} is needed")


def _first(name: str, numbered: Numbered) -> list[Any]:
    """What the first rows hold; lines that are no JSON are faults of their own, unless there is nothing else."""
    found, chars = [], 0
    broken = ""
    for line, value in numbered:
        if isinstance(value, Fault):
            broken = broken or f"{name} line {line}: {value.message}"
            continue
        found.append(value)
        cells = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        chars += sum(len(cell) for cell in cells if isinstance(cell, str | list | dict))
        if len(found) >= _SAMPLE_ROWS or chars >= _SAMPLE_CHARS:
            break
    if broken and not found:
        raise DataError(broken)
    return found


def _line_values(file: TextFile) -> Numbered:
    loads = json.loads
    for number, line in enumerate(lines(file), 1):
        if line.isspace():
            continue
        try:
            value = loads(line)
        except (ValueError, RecursionError) as error:
            yield number, Fault(f"not JSON: {short(error, line)}")
            continue
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            yield from ((number, item) for item in value)
        else:
            yield number, value
