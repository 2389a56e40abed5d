"""Where the rows are in a JSON object: in a list under a key, in one list for each split, in a table by columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from deepen.core.errors import DataError
from deepen.data.columns import KNOWN_NAMES, plain_name
from deepen.data.marks import SPLIT_NAMES
from deepen.data.readers.json_stream import Cursor
from deepen.data.readers.sniff import TextFile
from deepen.data.source import clip, listed

Numbered = Iterator[tuple[int, Any]]
# what the list of rows is called where a file has other lists as well
_ROWS = ("data", "rows", "records", "examples", "annotations", "common_examples", "items", "instances", "results")
_LISTS = frozenset(("objects", "lists", "values"))
# what has these is a row, whatever lists it holds
_TEXTS = frozenset(("text", "sentence", "content", "context", "question", "premise", "sentence1", "document", "文本"))
_TOKENS = frozenset(("tokens", "words"))


@dataclass
class Entry:
    """What stands under a key; `names` is what a list called `columns` holds, as pandas writes it beside its `data`."""

    kind: Literal["objects", "lists", "values", "mapping", "value"] = "value"
    length: int = 0
    names: list[str] = field(default_factory=list)
    is_text: bool = False


@dataclass(frozen=True)
class Layout:
    """Which keys hold the rows, one for each split if they are split; no key where the whole object is read at once."""

    keys: tuple[str, ...] = ()
    told: str = ""


def survey(file: TextFile) -> tuple[dict[str, Entry], bool]:
    """What an object holds, read once without holding it, and whether more objects follow the first."""
    cursor = Cursor(file)
    entries: dict[str, Entry] = {}
    for key in cursor.each_key():
        if key in entries:
            raise DataError(f"{file.name} line {cursor.line}: the key '{clip(key)}' is there twice")
        entries[key] = entry = Entry()
        if cursor.peek() != "[":
            value = cursor.value()
            entry.kind, entry.length = ("mapping", len(value)) if isinstance(value, dict) else ("value", 1)
            entry.is_text = isinstance(value, str)
            continue
        entry.kind = "values"
        for _, value in cursor.each_item():
            entry.length += 1
            if isinstance(value, dict):
                entry.kind = "objects"
            elif isinstance(value, list) and entry.kind == "values":
                entry.kind = "lists"
            elif key == "columns":
                entry.names.append(str(value))
    if cursor.peek() == "{":
        return entries, True
    cursor.end()
    return entries, False


def list_items(file: TextFile) -> Numbered:
    """The items of a file that is one list. With the line where each starts."""
    cursor = Cursor(file)
    yield from cursor.each_item()
    cursor.end()


def values(file: TextFile) -> Numbered:
    """JSON values that follow one another, each over as many lines as it likes. With the line where each starts."""
    cursor = Cursor(file)
    while cursor.peek():
        line = cursor.line
        yield line, cursor.value()


def layout_of(name: str, entries: Mapping[str, Entry]) -> Layout:
    """Where the rows are. No keys where the object is small and another form."""
    if by_columns(entries) or is_row(entries):
        return Layout()
    every = [key for key, entry in entries.items() if entry.kind in _LISTS]
    lists = [key for key in every if entries[key].kind != "values"]
    empty = [key for key in every if not entries[key].length and _may_be_rows(key) and entries[key].kind == "values"]
    if not lists and empty:
        raise DataError(f"{name} is empty: its list '{clip(empty[0])}' holds nothing")
    splits = [key for key in lists if key.lower() in SPLIT_NAMES]
    if any(SPLIT_NAMES[key.lower()] == "train" for key in splits):
        others = [key for key in lists if key not in splits]
        told = f"one list for each split: {', '.join(f'{clip(key)} {entries[key].length:,}' for key in splits)}"
        return Layout(tuple(splits), told + (f"; {listed(others)} left alone" if others else ""))
    named = [key for key in lists if _may_be_rows(key)]
    if len(lists) == 1 and (named or entries[lists[0]].kind == "objects" or len(every) == 1):
        return Layout((lists[0],))
    if len(named) == 1:
        others = [key for key in lists if key not in named]
        return Layout((named[0],), f"the list '{clip(named[0])}' is read, and {listed(others)} left alone")
    if not lists:
        return Layout()
    raise DataError(
        f"{name} holds several lists ({_counted(entries)}), which are neither columns of one length nor called as rows "
        "are: write the one that is meant into a file of its own"
    )


def _may_be_rows(key: str) -> bool:
    return key.lower() in _ROWS or key.lower() in SPLIT_NAMES


def is_row(entries: Mapping[str, Entry]) -> bool:
    """Whether an object is a row: it has a text, or the tokens of one, or is a task of Label Studio."""
    texts = {key for key, entry in entries.items() if entry.is_text}
    tokens = {key for key, entry in entries.items() if entry.kind == "values"}
    task = "data" in entries and entries["data"].kind == "mapping" and {"annotations", "completions"} & entries.keys()
    return bool(task or texts & _TEXTS or tokens & _TOKENS)


def _counted(entries: Mapping[str, Entry]) -> str:
    lists = [(key, entry) for key, entry in entries.items() if entry.kind in _LISTS]
    return ", ".join(f"{clip(key, 40)} {entry.length:,}" for key, entry in lists[:12])


def by_columns(entries: Mapping[str, Entry]) -> bool:
    """Whether an object is a table with one list for each column, all of one length."""
    kinds = {entry.kind for entry in entries.values()}
    lengths = {entry.length for entry in entries.values()}
    if not kinds <= _LISTS or len(lengths) != 1 or lengths == {0} or is_row(entries):
        return False
    return not any(map(_may_be_rows, entries)) and ("values" in kinds or (kinds == {"lists"} and len(entries) > 1))


def listed_rows(file: TextFile, keys: Sequence[str]) -> Iterator[tuple[str, int, Any]]:
    """The items of the lists under some keys of an object. With the key and the line where each starts."""
    cursor = Cursor(file)
    for key in cursor.each_key():
        if key not in keys:
            cursor.value()
            continue
        for line, value in cursor.each_item():
            yield key, line, value


def whole_rows(file: TextFile, entries: Mapping[str, Entry]) -> tuple[list[Any], str]:
    """The rows of an object (a table in a form of pandas, a mapping of rows, a single row), and what that is called."""
    value = Cursor(file).value()
    if is_row(entries):
        return [value], "one object"
    kinds = {entry.kind for entry in entries.values()}
    if by_columns(entries):
        return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)], "a list a column"
    if kinds == {"mapping"}:
        inner = next(iter(value.values())) if len(value) == 1 else {}
        if (found := _inner_rows(inner)) is not None:
            return found, "a list inside two objects"
        if inner and all(isinstance(row, dict) for row in inner.values()):
            return list(inner.values()), "a mapping of rows"
        return _nested(value)
    if kinds == {"values"}:
        said = f"is a table with one list for each column, and they are not equally long: {_counted(entries)}"
        raise DataError(f"{file.name} {said}")
    if value and not any(isinstance(cell, list | dict) for cell in value.values()):
        return [value], "one JSON object"
    said = f"its keys are {listed(list(value))}" if value else "it is empty"
    raise DataError(
        f"{file.name} holds a JSON object without a list of objects; {said}: write one object a line, or a list"
    )


def _inner_rows(inner: Mapping[str, Any]) -> list[Any] | None:
    lists = {key: rows for key, rows in inner.items() if isinstance(rows, list) and rows and isinstance(rows[0], dict)}
    usual = [key for key in lists if key.lower() in _ROWS]
    chosen = next(iter(lists)) if len(lists) == 1 else usual[0] if len(usual) == 1 else None
    return lists[chosen] if chosen is not None else None


def _nested(value: Mapping[str, Mapping[str, Any]]) -> tuple[list[Any], str]:
    """Rows of a mapping of mappings: by index (`{"0": {"text": ...}}`) or by column (`{"text": {"0": ...}}`)."""
    outer, inner = list(value), list(dict.fromkeys(key for cells in value.values() for key in cells))
    known = [sum(plain_name(name) in KNOWN_NAMES for name in names) for names in (inner, outer)]
    numbers = [all(name.isdecimal() for name in names) for names in (inner, outer)]
    if known[0] != known[1]:
        by_row = known[0] > known[1]
    else:
        by_row = numbers == [False, True] or (numbers[0] == numbers[1] and len(outer) > len(inner))
    if by_row:
        return [{"index": key, **cells} for key, cells in value.items()], "an object a row, as pandas' orient=index"
    rows = [{name: cells[key] for name, cells in value.items() if key in cells} for key in inner]
    return rows, "an object a column, as pandas writes it"
