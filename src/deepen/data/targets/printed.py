"""Lists and mappings that were printed into a cell: as JSON, as Python prints them, as NumPy does.

`DataFrame.to_csv` writes what `str` gives: `['a', 'b']`, `['a' 'b']` for an array, `array(['a'], dtype=object)` within
a mapping. Nothing is evaluated; what is not wholly a value of these kinds is left a text.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>[bBuUrR]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))"""
    r"""|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])"""
    r"""|(?P<call>[A-Za-z_][\w.]*)\((?=\s*[\[('"\dA-Za-z+-])|(?P<word>[A-Za-z_][\w.]*)|(?P<mark>[\[\](){},:=]))""",
    re.DOTALL,
)
_WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None, "nan": None}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_MOST_DEEP = 50


class _NoValueError(Exception):
    """The text is no printed value."""


def parse_printed(text: str) -> Any:
    """The list or mapping that a text is. None if the text is anything else, also where NumPy left items out (`...`).

    Example:
        >>> parse_printed("['B-PER' 'O']"), parse_printed("{'text': array(['a b'], dtype=object)}")
        (['B-PER', 'O'], {'text': ['a b']})
    """
    text = text.strip()
    if not text.startswith(("[", "{", "array(", "np.array(")) or text[-1] not in "]})":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value, end = _value(text, 0, 0)
        except _NoValueError:
            return None
        if text[end:].strip():
            return None
    return value if isinstance(value, list | dict) else None


def _next(text: str, at: int) -> re.Match[str]:
    found = _TOKEN.match(text, at)
    if found is None:
        raise _NoValueError
    return found


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    found = _next(text, at)
    kind, said = found.lastgroup, found[found.lastgroup or 0]
    if depth > _MOST_DEEP:
        raise _NoValueError
    if kind == "text":
        return _unquoted(said), found.end()
    if kind == "number":
        return _number(said), found.end()
    if kind == "word" and said in _WORDS:
        return _WORDS[said], found.end()
    if kind == "call":
        return _called(text, found.end(), depth)
    if kind == "mark" and said in _CLOSING:
        items, at = _items(text, found.end(), _CLOSING[said], depth)
        return dict(items) if said == "{" else items, at
    raise _NoValueError


def _number(said: str) -> int | float:
    try:
        return int(said)
    except ValueError:
        return float(said)


def _unquoted(said: str) -> str:
    try:
        value = ast.literal_eval(said.replace("\n", "\\n"))
    except (ValueError, SyntaxError):
        raise _NoValueError from None
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _items(text: str, at: int, closing: str, depth: int) -> tuple[list[Any], int]:
    """Items up to the closing bracket, of a mapping pairs; NumPy writes no commas between them."""
    found: list[Any] = []
    while True:
        mark = _next(text, at)
        if mark["mark"] == closing:
            return found, mark.end()
        if mark["mark"] == ",":
            at = mark.end()
            continue
        value, at = _value(text, at, depth + 1)
        if closing == "}":
            key, colon = value, _next(text, at)
            if colon["mark"] != ":" or not isinstance(key, str | int | float):
                raise _NoValueError
            value, at = _value(text, colon.end(), depth + 1)
            value = key, value
        found.append(value)


def _called(text: str, at: int, depth: int) -> tuple[Any, int]:
    """What a type was called with, as in `array([...], dtype=object)` and `np.str_('a')`: its first value."""
    value, at = _value(text, at, depth + 1)
    while True:
        mark = _next(text, at)
        at = mark.end()
        if mark["mark"] == ")":
            return value, at
