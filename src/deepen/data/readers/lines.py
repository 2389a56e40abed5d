"""Lines without columns: `label text`, fastText's `__label__x text`, or one text a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any, Literal

from deepen.core.errors import DataError
from deepen.data.readers.sniff import Head, source_of_lines
from deepen.data.source import BLANK, Fault, Form, Source, clip

LineForm = Literal["fasttext", "fasttext_many", "fine", "label", "text"]
_FASTTEXT = "__label__"
_FINE = re.compile(r"[A-Za-z][\w-]*:[A-Za-z][\w-]*")
_FEATURE = re.compile(r"[+-]?\d+:[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL = re.compile(r"[+-]?(\d*\.\d+|\d+\.?)([eE][+-]?\d+)?")
_SAMPLE_ROWS = 20_000
_INSIDE_SHARE = 0.1
# words that begin sentences and name no class
_OPENERS = frozenset(
    "i my me we our you your he she they his her their it its this that these those the an is are was were am be been "
    "do does did have has had what how who where when why which there here in on at to of and but so if for with from "
    "as by or can could will would should i'm i've it's that's der die das ein eine ich wir er sie es le la les un une "
    "je il nous el los las una yo que de en".split()
)


def line_form(sample: Sequence[str]) -> LineForm:
    """What the lines of a file hold: a text, or labels before it.

    `fasttext` marks labels `__label__`, `fasttext_many` several; `fine` is `COARSE:fine`; `label` whole numbers or few
    words that start every line.
    """
    rows = [line.split(None, 1) for line in sample if line.strip()]
    firsts = [row[0] for row in rows]
    if is_fasttext(sample):
        several = sum(len(row) > 1 and row[1].startswith(_FASTTEXT) for row in rows)
        return "fasttext_many" if several > max(1, 0.001 * len(rows)) else "fasttext"
    if len(rows) < 2 or any(len(row) < 2 for row in rows):
        return "text"
    counts = Counter(firsts)
    if len(counts) == len(rows) or (len(counts) < 2 and not firsts[0].isdecimal()):
        return "text"
    if all(_FINE.fullmatch(first) for first in counts):
        return "fine" if len(counts) <= max(2, 0.5 * len(rows)) else "text"
    if all(first.removeprefix("-").isdecimal() for first in counts):
        return "label" if len(counts) <= max(2, 0.5 * len(rows)) and not is_numbering(firsts) else "text"
    if 2 * sum(count for first, count in counts.items() if first.lower() in _OPENERS) >= len(rows):
        return "text"
    # words: a list of sentences also starts with repeated words, but with many different ones
    return "label" if len(counts) <= max(2, 0.02 * len(rows)) and min(counts.values()) > 1 else "text"


def is_numbering(values: Sequence[str]) -> bool:
    """Whether whole numbers count 1, 2, 3 ... and begin anew, as the numbers of tokens do and labels rarely do."""
    numbers = [int(value) for value in values if value.isdecimal() and len(value) < 10]
    if len(numbers) < max(4, 0.9 * len(values)) or max(numbers) < 2:
        return False
    pairs = list(pairwise(numbers))
    up = sum(after == before + 1 for before, after in pairs)
    anew = sum(after in (0, 1) and before > after for before, after in pairs)
    return up + anew >= 0.95 * len(pairs) and 2 * up >= len(pairs)


def refuse_numbers(sample: Sequence[str], name: str) -> None:
    """Stops at numbers without text, as libsvm has them: the first would be taken for a label, the rest for a text."""
    rows = [line.partition("#")[0].split() for line in sample[:_SAMPLE_ROWS] if line.strip()]
    rows = [row for row in rows if row]
    sparse = sum(
        len(row) > 1 and all(_FEATURE.fullmatch(cell) for cell in row[1:] if cell[:4] != "qid:") for row in rows
    )
    dense = sum(len(row) > 2 and all(map(_DECIMAL.fullmatch, row)) for row in rows)
    decimals = any("." in cell for row in rows for cell in row[1:])
    if rows and (sparse >= 0.95 * len(rows) or (decimals and dense >= 0.95 * len(rows))):
        form = "lines of a label and numbered features (libsvm)" if sparse >= dense else "rows of numbers"
        raise DataError(f"{name} holds {form}, no text: give the texts that the numbers were made from")


def is_fasttext(sample: Sequence[str]) -> bool:
    """Whether every line begins with a label that is marked as one."""
    filled = [line for line in sample if line.strip()]
    return bool(filled) and all(line.lstrip().startswith(_FASTTEXT) for line in filled)


_FORMS: dict[LineForm, tuple[tuple[str, ...], str]] = {
    "fasttext": (("label", "text"), "fastText lines; '__label__' is taken off the labels"),
    "fasttext_many": (("label", "text"), "fastText lines with several labels; '__label__' is taken off them"),
    "fine": (
        ("label", "text", "label_fine"),
        "lines of COARSE:fine and a text; 'label' is the part before the colon, "
        "--columns label=label_fine takes it whole",
    ),
    "label": (("label", "text"), "lines of a label, a space and a text"),
    "text": (("text",), "one text a line"),
}


def open_lines(head: Head, form: LineForm, *, header: bool = False) -> Source:
    """A file of lines as a source: `text`, `label` before it, `label_fine` where that has a colon."""
    names, told = _FORMS[form]
    if header:
        first = next((line.strip() for line in head.lines if line.strip()), "")
        names = (first.strip('"'),)
        told += f"; the first, '{clip(first)}', is the header (--set data.header=false reads it as a text)"
    named = names if form != "text" or header else None
    written = Form("lines", len(names), header, line_form=form, names=named)
    rows = lambda text_lines: islice(_cut(text_lines, form), int(header), None)  # noqa: E731
    few = Head(head.file, head.lines[:_SAMPLE_ROWS])
    empty = " is empty: no line holds a text"
    source = source_of_lines(few, named, rows, form=written, told=told, empty=empty, most=_SAMPLE_ROWS)
    return replace(source, warnings=_doubts(source.sample, head.name)) if form == "label" else source


def _doubts(cut: Sequence[Sequence[str]], name: str) -> tuple[str, ...]:
    """A warning where the words taken for labels are words of the texts too."""
    labels = {cells[0].casefold() for cells in cut}
    if all(label.removeprefix("-").isdecimal() for label in labels):
        return ()
    inside = sum(bool(labels & set(cells[1].casefold().split())) for cells in cut)
    if inside <= _INSIDE_SHARE * len(cut):
        return ()
    shown = ", ".join(clip(label, 20) for label in sorted({cells[0] for cells in cut})[:4])
    return (
        f"{name}: the first word of every line is taken for its label ({shown}), though {inside:,} of {len(cut):,} "
        "texts have these words too; if lines are whole texts, write them into a column of a CSV file",
    )


def _cut(text_lines: Iterable[str], form: LineForm) -> Iterator[tuple[int, Sequence[Any] | Fault]]:
    for number, line in enumerate(text_lines, 1):
        yield number, Fault("the line is blank", BLANK) if line.isspace() else _cells(line, form)


def _cells(line: str, form: LineForm) -> Sequence[Any] | Fault:
    if form == "text":
        return [line.rstrip("\r\n")]
    if form == "fasttext_many":
        labels, text = [], line.strip()
        while text.startswith(_FASTTEXT):
            label, *rest = text.split(None, 1)
            labels.append(label.removeprefix(_FASTTEXT))
            text = rest[0] if rest else ""
        return [labels, text] if labels else Fault("no __label__ before the text", "empty_label")
    if "\t" in line:
        label, *rest = line.split(None, 1)
        text = rest[0].rstrip("\r\n") if rest else ""
    else:
        label, _, text = line.strip().partition(" ")
    if form == "fine":
        if ":" not in label:
            return Fault(f"'{clip(label)}' is not a COARSE:fine label as on the other lines")
        return [label.partition(":")[0], text, label]
    if form == "fasttext":
        if not label.startswith(_FASTTEXT) or text.lstrip().startswith(_FASTTEXT):
            return Fault("not one __label__ and a text; a row has one label here")
        label = label.removeprefix(_FASTTEXT)
    return [label, text]
