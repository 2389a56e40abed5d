"""Texts that are something else: numbers, dates, JSON, addresses, markup, placeholders, wrongly decoded letters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from deepen.data.check.problem import Problem, Severity, Splits, place, rows, shown, targets, verb
from deepen.data.near import fold, row_texts
from deepen.data.table import Part
from deepen.data.targets.labels import label_table

_NUMBER = re.compile(r"[+\-$€£¥]?\s?\d[\d.,\s]*%?")
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{4}年\d{1,2}月(\d{1,2}日)?)"
    r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
)
_ADDRESS = re.compile(r"(https?://|www\.)\S+", re.IGNORECASE)
_MARKUP = re.compile(
    r"</?(p|br|div|span|a|b|i|em|strong|td|tr|table|img|li|ul|ol|script|style|h[1-6])(\s[^<>]*)?/?>", re.I
)
# UTF-8 that was read as Latin-1 or GBK, after NFKC; U+FFFD stands for bytes that are lost
_WRONG = re.compile("[ÃÂ][\u00a0-\u00bf\u2018-\u2122]|â€|ðŸ|ï»¿|\ufffd|锟斤拷|烫烫烫")
PLACEHOLDERS = frozenset(
    "nan null none n/a na #n/a #ref! #value! #name? undefined nil <na> tbd todo [deleted] [removed] 无 空".split()
    + "(null) <null> \\n".split()  # as databases write it: \\N, in small letters
)
_ALL_WRONG_SHARE, _MANY_SHARE = 0.5, 0.01
_TOLD = 0.25
_TELLING_CHARS = 3


def _is_json(text: str) -> bool:
    if text[:1] not in "{[" or text[-1:] not in "}]":
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


_KINDS: tuple[tuple[str, Callable[[str], object], str, str], ...] = (
    ("text_is_date", _DATE.fullmatch, "a date", "column"),
    ("text_is_number", _NUMBER.fullmatch, "a number", "column"),
    ("text_is_json", _is_json, "JSON", "column"),
    ("text_is_address", _ADDRESS.fullmatch, "a web address", "column"),
    ("placeholder", lambda text: text.lower() in PLACEHOLDERS, "a placeholder for a missing text", "drop"),
    ("markup", lambda text: "<" in text and _MARKUP.search(text), "HTML markup", "strip"),
    ("wrong_letters", lambda text: not text.isascii() and _WRONG.search(text), "wrongly decoded letters", "encode"),
)
_REMEDY = {
    "column": "--columns text=COLUMN names another column",
    "few": "nothing to do if they belong here, else take these rows out",
    "lost": "take the file once more from its source: U+FFFD stands where letters were lost",
    "drop": "delete the rows; where the cell is left empty, --set data.bad_rows=drop does",
    "strip": "take the tags out of the texts",
    "encode": "save the file again as UTF-8 from its source, or --set data.encoding=ENCODING",
}


def find(splits: Splits) -> Iterator[Problem]:
    """Rows whose text is no text, or not readable; an error where most rows are like that.

    `NaN`, `null`, `N/A` written out in a text file may be what a person typed, so the reader takes them; but mostly a
    program wrote them for a missing text, so one is a warning. What the format itself marks as missing is an error of
    the reader.
    """
    for name, part in splits.parts.items():
        yield from _kinds(name, part, splits.has_tags)
        if splits.has_labels and part.table.has_target and name == "train":
            yield from _label_in_text(part)


def _kinds(name: str, part: Part, tagged: bool) -> Iterator[Problem]:
    counts: Counter[str] = Counter()
    firsts: dict[str, tuple[int, str]] = {}
    for at, text in enumerate(row_texts(part)):
        code = next((code for code, matches, _, _ in _KINDS if matches(text)), "")
        counts[code] += 1
        firsts.setdefault(code, (at, text))
    for code, _, what, remedy in _KINDS:
        share = counts[code] / max(len(part), 1)
        wrong = share > _ALL_WRONG_SHARE and remedy == "column"
        few = remedy == "column" and not wrong
        if not counts[code] or (few and tagged):  # a date line, a row of a table: sentences of running text
            continue
        at, text = firsts[code]
        remedy = "few" if few else "lost" if code == "wrong_letters" and "\ufffd" in text else remedy
        does = verb(counts[code], "hold" if code in ("markup", "wrong_letters") else "are")
        message = f"{rows(counts[code])} of {name} ({share:.1%}) {does} {what}, as {shown(text)}"
        message += ": is it the right column?" if wrong else ""
        many = share >= _MANY_SHARE or code == "placeholder"
        severity: Severity = "error" if wrong else "warning" if many else "note"
        yield Problem(severity, code, part.table.name, place(part, at), counts[code], message, _REMEDY[remedy])


def _label_in_text(part: Part) -> Iterator[Problem]:
    """Rows that say their own label, beyond how often rows say another row's label."""
    folded_labels = {label: fold(label) for label in label_table(part)}
    telling = {label for label in folded_labels.values() if len(label) >= _TELLING_CHARS and not label.isdecimal()}
    if not telling:
        return
    labels = [folded_labels[target] for target in targets(part)]
    own = np.zeros(len(part), dtype=bool)
    other = np.zeros(len(part), dtype=bool)
    for at, (text, label) in enumerate(zip(row_texts(part), labels, strict=True)):
        if label in telling:
            another = labels[(at * 7919 + 13) % len(labels)]
            folded = fold(text)
            own[at] = _names(folded, label)
            other[at] = another != label and _names(folded, another)
    if own.mean() - other.mean() >= _TOLD:
        first, count = int(np.flatnonzero(own)[0]), int(own.sum())
        message = (
            f"{rows(count)} of train ({own.mean():.0%}) name their own label, as {shown(labels[first])}; "
            f"only {other.mean():.0%} name that of another row: the model will read it off and understand nothing"
        )
        remedy = "--columns text=COLUMN without the label, or take the label out of the texts"
        yield Problem("warning", "label_in_text", part.table.name, place(part, first), count, message, remedy)


def _names(text: str, label: str) -> bool:
    return f" {label} " in f" {text} " or (not label.isascii() and label in text)
