"""JSON text that is read piece by piece, so that a long list is never held whole."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from deepen.core.errors import DataError
from deepen.data.readers.sniff import TextFile, open_bytes, reading
from deepen.data.source import clip

_MAX_OBJECT_CHARS = 64 << 20
_READ_CHARS = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Cursor:
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

    def take(self, mark: str) -> None:
        """Goes past one character that has to be there."""
        found = self.peek()
        if found != mark:
            said = f"{found!r}" if found else "the end of the file"
            line = self.line - (not found and self._buffer.endswith(self._line_end))
            raise DataError(f"{self.name} line {line}: not JSON: '{mark}' is expected and {said} is found")
        self._move(self._at + 1)

    def end(self) -> None:
        """Makes sure that nothing follows: what stands after the end would be lost."""
        if self.peek():
            rest = clip(self._buffer[self._at : self._at + 40], 20)
            said = f"the JSON ends and '{rest}' follows; write one list a file, or one object a line"
            raise DataError(f"{self.name} line {self.line}: {said}")

    def value(self) -> Any:
        """Reads one whole value."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                held = len(self._buffer) - self._at
                if held > _MAX_OBJECT_CHARS:
                    said = f"one value is longer than {_MAX_OBJECT_CHARS >> 20} MB; write one object a line, or a list"
                    raise DataError(f"{self.name} line {self.line}: {said}") from None
                if isinstance(error, RecursionError) or not self._fill():
                    self._move(getattr(error, "pos", self._at))
                    raise DataError(f"{self.name} line {self.line}: not JSON: {short(error)}") from None
                continue
            if end == len(self._buffer) and self._fill():
                continue  # a number may go on in the next piece
            self._move(end)
            return value

    def each_item(self) -> Iterator[tuple[int, Any]]:
        """The items of a list, each with the line where it starts."""
        for _ in self._parts("[", "]"):
            self.peek()
            line = self.line
            yield line, self.value()

    def each_key(self) -> Iterator[str]:
        """The keys of an object; the cursor stands before the value of each, which is to be read."""
        for _ in self._parts("{", "}"):
            key = self.value()
            if not isinstance(key, str):
                raise DataError(f"{self.name} line {self.line}: not JSON: a key is a text in double quotes")
            self.take(":")
            yield key

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        """Stops before each of the parts between brackets, which is to be read."""
        self.take(opening)
        more = self.peek() != closing
        while more:
            yield
            more = self.peek() == ","
            if more:
                self.take(",")
        self.take(closing)

    def _move(self, to: int) -> None:
        self.line += self._buffer.count(self._line_end, self._at, to)
        self._at = to

    def _fill(self) -> bool:
        """Reads on; doubling what is held keeps the number of attempts at one long value small."""
        piece = more = next(self._source, "")
        while more and len(piece) < len(self._buffer) - self._at:
            more = next(self._source, "")
            piece += more
        if piece:
            self._buffer, self._at = self._buffer[self._at :] + piece, 0
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


def short(error: Exception, line: str = "") -> str:
    """What is wrong, without the line that the decoder counts in the piece it was given; `line` is a whole one."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return clip(str(error), 120)
    if line and error.pos >= len(line.rstrip()):
        return "the line ends before the object does; write one object a line, or a list"
    return error.msg + (f" (column {error.colno})" if line else "")
