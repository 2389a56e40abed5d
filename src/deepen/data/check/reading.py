"""What the reader says: rows that can't be used, files that can't be read, and what was evened out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deepen.core.errors import DataError
from deepen.data.check.problem import Problem, Severity, Splits

_LINE = re.compile(r" (?:line|row) (\d+)")
_SAID_BY_OTHERS = ("left out, the first", "exact cop", "the scheme, as")
_REMEDIES = {
    "empty_text": "fill or delete the rows; --set data.bad_rows=drop leaves them out",
    "empty_label": "label or delete the rows; --set data.bad_rows=drop leaves them out",
    "ragged_row": "mend the lines, or name the delimiter (--set data.delimiter=tab) or the quoting",
    "long_cell": "close the quote; --set data.max_cell_chars=N if the text is really so long",
    "bad_row": "mend the rows; --set data.bad_rows=drop leaves them out",
}
# What a reader's message holds, and the code it stands for; the first that fits.
_CODES = {
    "not_utf8": ("not UTF-8", "not utf-8"),
    "bad_row": ("the span ",),
    "empty_file": ("is empty", "has no rows", ") and no rows"),
    "columns_not_found": ("no column looks like", "has no column", "single column", "no label column"),
    "binary_file": ("binary",),
    "unknown_scheme": ("known scheme",),
}


def find(splits: Splits) -> Iterator[Problem]:
    """Rows that can't be used, of data read with `bad_rows=drop` (errors where training stops), and the notes."""
    for name, part in splits.parts.items():
        for code, (count, file, line, message) in part.table.faults.items():
            said = f"{count:,} bad rows of {name}, the first" if count > 1 else f"a bad row of {name}"
            said += f": {message}"
            severity: Severity = "error" if name in splits.stopping else "warning"
            remedy = _REMEDIES.get(code, _REMEDIES["bad_row"])
            if severity == "warning":
                remedy = f"{remedy.partition('; --set data.bad_rows')[0]}; training leaves them out"
            yield Problem(severity, code, file, line, count, said, remedy)
        for warning in part.table.warnings:
            said = warning.removeprefix(f"{part.table.name}: ")
            yield Problem("warning", "reading", part.table.name, None, len(part), said)
        notes = [note for note in part.table.notes if not any(words in note for words in _SAID_BY_OTHERS)]
        if notes:
            said = "; ".join(note.removeprefix(f"{part.table.name}: ") for note in notes)
            yield Problem("note", "reading", part.table.name, None, len(part), said)


def unreadable(error: DataError, file: str) -> Problem:
    """An error of the reader as a finding, its code told from its words."""
    message = str(error)
    code = next((code for code, texts in _CODES.items() if any(text in message for text in texts)), "unreadable")
    line = _LINE.search(message.removeprefix(file))
    if line is not None and code == "empty_file" and " is empty" in message:  # a cell is empty, not the file
        code = "empty_label" if "label is" in message else "empty_text"
    message = re.sub(rf"^{re.escape(file)}( line \d+)?: ", "", message)
    likely = re.search(r": (--set data\.encoding=\S+)$", message)
    remedy = ""
    if code == "not_utf8":
        message = message[: likely.start()] if likely else message
        named = likely.group(1) if likely else "--set data.encoding=ENCODING (gb18030, cp1252, ...)"
        remedy = f"{named}, or save it as UTF-8"
    return Problem("error", code, file, int(line.group(1)) if line else None, 1, message, remedy)
