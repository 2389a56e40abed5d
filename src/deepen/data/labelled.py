"""Lines without columns: `label text`, fastText's `__label__x text`, or one text a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from deepen.core.errors import DataError
from deepen.data.sniff import TextFile, lines
from deepen.data.sources import Fault, Form, Row, Source, clip

LineForm = Literal["fasttext", "fine", "label", "text"]
_FASTTEXT = "__label__"
_FINE = re.compile(r"[A-Za-z][\w-]*:[A-Za-z][\w-]*")
_SAMPLE_ROWS = 20_000


def line_form(sample: Sequence[str]) -> LineForm:
    """What the lines of a file hold.

    Args:
        sample: The first lines.

    Returns:
        `fasttext`: labels marked `__label__`; `fine`: `COARSE:fine text`; `label`: a label, white space, a text, where
        the labels are whole numbers or few words that start every line; `text`: a text.
    """
    rows = [line.split(None, 1) for line in sample if line.strip()]
    firsts = [row[0] for row in rows]
    if rows and all(first.startswith(_FASTTEXT) for first in firsts):
        return "fasttext"
    if len(rows) < 2 or any(len(row) < 2 for row in rows):
        return "text"
    counts = Counter(firsts)
    if len(counts) == len(rows) or (len(counts) < 2 and not firsts[0].isdecimal()):
        return "text"
    if all(_FINE.fullmatch(first) for first in counts):
        return "fine" if len(counts) <= max(2, 0.5 * len(rows)) else "text"
    if all(first.removeprefix("-").isdecimal() for first in counts):
        return "label" if len(counts) <= max(2, 0.5 * len(rows)) else "text"
    # words: a list of sentences also starts with repeated words, but with many different ones
    return "label" if len(counts) <= max(2, 0.02 * len(rows)) and min(counts.values()) > 1 else "text"


def open_lines(file: TextFile, sample: Sequence[str], form: LineForm) -> Source:
    """A file of lines as a source, with the columns `label` and `text`, or `text` alone.

    Args:
        file: The file.
        sample: Its first lines.
        form: What `line_form` said of them.

    Returns:
        The source; `fine` has a third column `label_fine`, and `label` is the part before the colon.
    """
    names, told = {
        "fasttext": (("label", "text"), "fastText lines; '__label__' is taken off the labels"),
        "fine": (
            ("label", "text", "label_fine"),
            "lines of COARSE:fine and a text; 'label' is the part before the colon, "
            "--columns label=label_fine takes it whole",
        ),
        "label": (("label", "text"), "lines of a label, a space and a text"),
        "text": (("text",), "one text a line"),
    }[form]

    def read(wanted: tuple[int, ...]) -> Iterator[Row]:
        for line, cells in _cut(lines(file), form):
            yield file.name, line, cells if isinstance(cells, Fault) else [cells[i] for i in wanted]

    cut = [cells for _, cells in _cut(iter(sample[:_SAMPLE_ROWS]), form) if not isinstance(cells, Fault)]
    if not cut:
        raise DataError(f"{file.name} is empty: no line holds a text")
    written = Form("lines", len(names), header=False, line_form=form)
    names_or_none = names if form != "text" else None
    return Source(file.name, names_or_none, len(names), cut, read, notes=(f"{file.name}: {told}",), form=written)


def _cut(text_lines: Iterator[str], form: LineForm) -> Iterator[tuple[int, Sequence[str] | Fault]]:
    for number, line in enumerate(text_lines, 1):
        if line.isspace():
            continue
        if form == "text":
            yield number, [line.rstrip("\r\n")]
            continue
        label, _, text = line.strip().partition(" ") if "\t" not in line else _partition(line)
        if form == "fasttext":
            if not label.startswith(_FASTTEXT) or text.lstrip().startswith(_FASTTEXT):
                yield number, Fault("not one __label__ and a text; a row has one label here")
                continue
            label = label.removeprefix(_FASTTEXT)
        elif form == "fine":
            if ":" not in label:
                yield number, Fault(f"'{clip(label)}' is not a COARSE:fine label as on the other lines")
                continue
            yield number, [label.partition(":")[0], text, label]
            continue
        yield number, [label, text]


def _partition(line: str) -> tuple[str, str, str]:
    label, *rest = line.split(None, 1)
    return label, " ", rest[0].rstrip("\r\n") if rest else ""
