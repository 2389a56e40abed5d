"""Errors that a person can put right; everything else that is raised is a bug.

The command line prints the three kinds below as one line, `DataError: reviews.csv line 17: label is empty`, without a
traceback, and exits with 2.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class DeepenError(Exception):
    """Something the caller can put right; the place (file, line, column) is given, or read from the message."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(one_line(message, _LONGEST) if _RAW.search(message) or len(message) > _LONGEST else message)
        named = _PLACE.match(message) if file is None or line is None else None
        self.file = file if file is not None else named.group("file") if named else None
        self.line = line if line is not None else _number(named and named.group("line"))
        self.column = column if column is not None else _number(named and named.group("column"))


# What a terminal would obey, and what can't be written down; a message quotes files and words as they are.
_RAW = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST = 2_000
_PLACE = re.compile(
    r"(?:can't read |recipe )?(?P<file>[^:]{1,4000}?)(?: is not \w+)?[:,]? line (?P<line>\d[\d,]{0,15})"
    r"(?:,? column (?P<column>\d{1,15}))?\b"
)


def _number(text: str | None) -> int | None:
    return int(text.replace(",", "")) if text else None


class SettingError(DeepenError):
    """A setting, an argument or a recipe key is wrong."""


class DataError(DeepenError):
    """A file, a row or a cell is not what the task needs; names file, line and column where there is one."""


class ModelError(DeepenError):
    """A model can't be found, read or trusted."""


class Interrupted(KeyboardInterrupt):
    """A climb was interrupted, and its folder, the argument, holds what it takes to go on."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """The end of an error message that names the right spelling, or lists what there is.

    Example:
        >>> nearest("frozn", ["majority", "frozen"])
        "did you mean 'frozen'?"
    """
    known = sorted(choices)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    more = f" and {len(known) - _MOST_CHOICES:,} more" if len(known) > _MOST_CHOICES else ""
    return f"choose from: {', '.join(known[:_MOST_CHOICES])}{more}"


_MOST_CHOICES = 60


def one_line(text: str, most: int = 300) -> str:
    r"""A text as one line that a terminal shows and does not obey: control characters become their numbers.

    Example:
        >>> print(one_line("a \n b\x1b[31m"))
        a b\x1b[31m
    """
    flat = " ".join(text[: 4 * most].split())
    shown = "".join(char if char.isprintable() or char in _JOINERS else _escaped(char) for char in flat)
    return shown if len(shown) <= most and len(text) <= 4 * most else f"{shown[: most - 1]}…"


_JOINERS = "\u200c\u200d"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


# What the libraries that check values say, and the words for it.
_PLAIN = {
    r"^Value error, ": "",
    r"\bInput should be\b": "it must be",
    r"\bInput should have\b": "it must have",
    r"a valid integer.*": "a whole number",
    r"a valid number.*": "a number",
    r"a valid boolean.*": "true or false",
    r"a valid string.*": "text",
    r"a valid (tuple|list|set).*": "a list",
    r"a valid (dictionary|mapping).*": "a section with settings of its own",
    r"greater than or equal to": "at least",
    r"less than or equal to": "at most",
    r"greater than": "above",
    r"less than": "below",
    r"^(Tuple|List|Set) should have": "it must have",
    r" items? after validation, not (\d+)": r" values, not \1",
    r"^Field required": "a value is missing",
}


def plain_words(message: str) -> str:
    """A message of pydantic as we say it. Words that are not the library's own are left alone.

    Example:
        >>> plain_words("Input should be a valid integer, unable to parse string as an integer")
        'it must be a whole number'
    """
    for pattern, words in _PLAIN.items():
        message = re.sub(pattern, words, message)
    return message
