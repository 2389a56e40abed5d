"""JSON: one object a line, or a list of objects (alone, or under a key such as `data`), streamed."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from deepen.core.errors import DataError
from deepen.data.answers import squad_rows
from deepen.data.sniff import TextFile, lines, open_bytes, reading
from deepen.data.sources import Fault, Form, Row, Source, clip

JsonForm = Literal["lines", "list", "object"]
_SAMPLE_ROWS = 5000
_MAX_OBJECT_CHARS = 64 << 20
_READ_CHARS = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def json_form(head: str, name: str) -> JsonForm | None:
    """Whether a text is JSON, and which form of it.

    Args:
        head: The start of the text.
        name: The file's name; a broken `.json` is still JSON, a broken list of other names is text.

    Returns:
        The form; None if it is not JSON.
    """
    text = head.lstrip()
    named = re.search(r"\.(json|jsonl|ndjson)(\.gz)?$", name.lower()) is not None
    if text.startswith("["):
        inner = text[1:].lstrip()
        return "list" if inner.startswith(("{", "]")) or named else None
    if not text.startswith("{"):
        return "lines" if named else None
    first, *rest = text.split("\n", 1)
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        if re.match(r'\{\s*"', text) and not re.search(r"\.(jsonl|ndjson)(\.gz)?$", name.lower()):
            goes_on = first.rstrip().endswith(("{", "[", ",", ":"))
            return "lines" if rest and rest[0].lstrip().startswith("{") and not goes_on else "object"
        return "lines" if named else None
    alone = not rest or not rest[0].strip()
    return "object" if alone and any(_is_rows(item) for item in value.values()) else "lines"


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def open_json(file: TextFile, form: JsonForm) -> Source:
    """A JSON file as a source; the columns are the keys of its first objects.

    Args:
        file: The file.
        form: What `json_form` said.

    Returns:
        The source.

    Raises:
        DataError: If it is not JSON, or holds something other than objects.
    """

    def objects() -> Iterator[tuple[int, Any]]:
        for line, value in _line_objects(file) if form == "lines" else _list_objects(file):
            rows = squad_rows(value) if isinstance(value, dict) and "paragraphs" in value else ()
            yield from ((line, row) for row in rows or (value,))

    first = [value for _, value in islice(objects(), _SAMPLE_ROWS) if isinstance(value, dict)]
    names = tuple(dict.fromkeys(key for value in first for key in value))
    if not names:
        raise DataError(f"{file.name} is empty: it holds no JSON object with a key")

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        keys = [names[i] for i in wanted]
        for line, value in objects():
            if isinstance(value, dict):
                yield file.name, line, [value.get(key) for key in keys]
            else:
                yield file.name, line, Fault(f"a JSON {type(value).__name__} where an object is needed")

    told = "JSON Lines" if form == "lines" else "a JSON list"
    sample = [[value.get(name) for name in names] for value in first]
    written = Form("json", len(names))
    return Source(file.name, names, len(names), sample, read, notes=(f"{file.name}: {told}",), form=written)


def _line_objects(file: TextFile) -> Iterator[tuple[int, Any]]:
    loads = json.loads
    for number, line in enumerate(lines(file), 1):
        if line.isspace():
            continue
        try:
            value = loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{file.name} line {number}: not JSON: {_short(error, line)}") from None
        yield number, value


def _list_objects(file: TextFile) -> Iterator[tuple[int, Any]]:
    cursor = _Cursor(file)
    if cursor.peek() == "{":
        _enter_list(cursor)
    cursor.take("[")
    if cursor.peek() == "]":
        return
    while True:
        cursor.peek()
        line = cursor.line
        yield line, cursor.value()
        if cursor.peek() != ",":
            cursor.take("]")
            return
        cursor.take(",")


def _enter_list(cursor: _Cursor) -> None:
    """Goes to the first list of objects among the values of an object."""
    cursor.take("{")
    while cursor.peek() != "}":
        cursor.value()
        cursor.take(":")
        if cursor.peek() == "[" and cursor.after_bracket() == "{":
            return
        cursor.value()
        if cursor.peek() == ",":
            cursor.take(",")
    raise DataError(f"{cursor.name} holds a JSON object without a list of objects; write one object a line, or a list")


class _Cursor:
    """A place in a JSON text that is read piece by piece."""

    def __init__(self, file: TextFile) -> None:
        self.name = file.name
        self.line = 1
        self._source = _pieces(file)
        self._line_end = file.line_end
        self._buffer = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._move(match.end() if match else self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def after_bracket(self) -> str:
        """The next character after the bracket that `peek` is at, without moving."""
        while True:
            match = _SPACE.match(self._buffer, self._at + 1)
            end = match.end() if match else self._at + 1
            if end < len(self._buffer):
                return self._buffer[end]
            if not self._fill():
                return ""

    def take(self, mark: str) -> None:
        """Goes past one character that has to be there."""
        found = self.peek()
        if found != mark:
            said = f"{found!r}" if found else "the end of the file"
            line = self.line - (not found and self._buffer.endswith(self._line_end))
            raise DataError(f"{self.name} line {line}: not JSON: '{mark}' is expected and {said} is found")
        self._move(self._at + 1)

    def value(self) -> Any:
        """Reads one whole value."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                held = len(self._buffer) - self._at
                if isinstance(error, RecursionError) or held > _MAX_OBJECT_CHARS or not self._fill():
                    self._move(getattr(error, "pos", self._at))
                    raise DataError(f"{self.name} line {self.line}: not JSON: {_short(error)}") from None
                continue
            if end == len(self._buffer) and self._fill():
                continue  # a number may go on in the next piece
            self._move(end)
            return value

    def _move(self, to: int) -> None:
        self.line += self._buffer.count(self._line_end, self._at, to)
        self._at = to

    def _fill(self) -> bool:
        piece = next(self._source, "")
        # doubling what is held keeps the number of attempts at one long value small
        while piece and len(piece) < len(self._buffer) - self._at:
            more = next(self._source, "")
            if not more:
                break
            piece += more
        if piece:
            self._buffer = self._buffer[self._at :] + piece
            self._at = 0
        return bool(piece)


def _pieces(file: TextFile) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(file.encoding)()
    first = True
    line = 1
    with reading(file.name), open_bytes(file.path) as stream:
        while True:
            raw = stream.read(_READ_CHARS)
            try:
                text = decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(file.line_end.encode())
                said = f"byte 0x{error.object[error.start]:02x} is not {file.encoding}"
                raise DataError(f"{file.name} line {line}: {said}; declare it: --set data.encoding=...") from None
            except UnicodeError as error:
                raise DataError(f"{file.name} line {line}: not {file.encoding}: {error}") from None
            line += text.count(file.line_end)
            if first:
                text = text.removeprefix("\ufeff")
                first = False
            if text:
                yield text
            if not raw:
                return


def _short(error: Exception, line: str = "") -> str:
    """What is wrong, without the line that the decoder counts in the piece it was given."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return clip(str(error), 120)
    if line and error.pos >= len(line.rstrip()):
        return "the line ends before the object does; write one object a line, or a list"
    return error.msg + (f" (column {error.colno})" if line else "")
