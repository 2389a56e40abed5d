"""Text for a terminal and cells for a spreadsheet: nothing in them is obeyed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deepen.core.files import replacing

# Control characters, half characters, and what turns the direction of the letters after it.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_RAW_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d[\d.,' ]*|[.,]\d+)([eE][+-]?\d+)?\s?%?")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_FIRST = ("\t", "\r", "\n")


def printable(text: str) -> str:
    r"""A text that can be printed on one line: control characters, and bytes that are not UTF-8, as `\xff`.

    An escape sequence in it does nothing to a terminal, and letters stay in their order.

    Example:
        >>> print(printable("a\udcff\n.csv"), printable("\x1b[31mred"))
        a\xff\x0a.csv \x1b[31mred
    """
    return text if text.isprintable() else _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or code >= 0xD800 else f"\\u{code:04x}"


def lines_printable(text: str) -> str:
    """As `printable`, but lines and tabs stay."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def json_printable(text: str) -> str:
    """JSON that means the same and can be printed: what JSON itself leaves raw is written as numbers."""
    return _RAW_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula: `'` before one; numbers are left, since they compute nothing.

    Example:
        >>> guarded("=1+1"), guarded("fine"), guarded("-1.5"), plain(guarded("-1-1"))
        ("'=1+1", 'fine', '-1.5', '-1-1')

    Source:
        https://owasp.org/www-community/attacks/CSV_Injection
    """
    formula = text.lstrip().startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula or text.startswith(_FIRST) else text


def plain(cell: str, known: Sequence[str] = ()) -> str:
    """A cell without the mark that `guarded` put before it. `known` texts are meant as they stand."""
    marked = cell.startswith("'") and cell[1:].lstrip().startswith((*_FORMULA, *_FIRST)) and cell not in known
    return cell[1:] if marked else cell


def write_csv(path: Path, rows: Iterable[Iterable[Any]], *, bom: bool = False) -> None:
    """Writes a table for spreadsheets, the names of columns first, whole or not at all; cells are guarded."""
    encoding = "utf-8-sig" if bom else "utf-8"  # with a byte order mark or without
    with replacing(path) as beside, beside.open("w", encoding=encoding, errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])
