"""Tag schemes (IOB1, IOB2, BIOES, BMES), told apart over the data and turned into IOB2; spans of characters into tags.

Start with `Survey`: it is shown every row's tags once, and `scheme` then says how they are written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deepen.core.errors import DataError
from deepen.data.source import clip

OUTSIDE = "O"
_TAG = re.compile(r"([BIESMLU])([-_])(.+)")
_STARTS = frozenset("BSU")
_OPEN = frozenset("BIM")
_START_KEYS = ("start", "start_offset", "begin", "from")
_END_KEYS = ("end", "end_offset", "stop", "to")
_LABEL_KEYS = ("label", "type", "entity", "entity_type", "entity_group", "tag", "labels")


def is_tag(text: str) -> bool:
    """Whether a text is a tag of a known scheme: `O`, `B-PER`, `I_LOC`, `E-ORG`."""
    return text == OUTSIDE or _TAG.fullmatch(text) is not None


@dataclass
class Survey:
    """How often each tag follows each other, over all rows; '' stands for the start of a row."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def see(self, tags: Sequence[str]) -> None:
        """Counts one row."""
        self.pairs.update(zip(["", *tags], tags, strict=False))

    @property
    def tags(self) -> set[str]:
        """The different tags."""
        return {tag for _, tag in self.pairs}


@dataclass(frozen=True)
class Scheme:
    """How tags are written: IOB1, IOB2, BIOES or BMES; `broken` counts tags that can't follow what is before them."""

    name: str
    broken: int = 0


def scheme_of(survey: Survey, name: str) -> Scheme:
    """The scheme that tags are written in.

    IOB1 writes `B-` only where two entities of a type touch, IOB2 at the start of every entity. A file with a few wrong
    tags is judged by what most of its entities do. It misleads on a handful of rows: the same tags may be either, and
    then mean the same entities.
    """
    marks: set[str] = set()
    needless = started_by_i = unclosed = 0
    for (before, tag), count in survey.pairs.items():
        (mark, kind), (before_mark, before_kind) = (_parts(text, name) for text in (tag, before))
        marks.add(mark)
        inside = bool(kind) and kind == before_kind and before_mark in _OPEN
        if mark in _STARTS:
            needless += count * (not inside)
        elif mark != OUTSIDE:
            started_by_i += count * (not inside)
        if before_mark in _OPEN and (mark in _STARTS or mark == OUTSIDE):
            unclosed += count
    if "M" in marks:
        return Scheme("BMES", unclosed + started_by_i)
    if marks & {"E", "S", "L", "U"}:
        return Scheme("BIOES", unclosed + started_by_i)
    if started_by_i > needless:
        return Scheme("IOB1", needless)
    return Scheme("IOB2", started_by_i)


def _parts(tag: str, name: str) -> tuple[str, str]:
    if tag in (OUTSIDE, ""):
        return tag, ""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise DataError(
            f"{name}: the tag '{clip(tag, 40)}' is of no known scheme; IOB1, IOB2, BIOES and BMES are read: O, B-PER, "
            "I-PER"
        )
    return match.group(1), match.group(3)


def to_iob2(tags: Sequence[str]) -> list[str]:
    """Tags of any known scheme as IOB2.

    What no entity can go on from starts one, as the script of CoNLL 2003 reads it: `O I-PER` becomes `O B-PER`. They
    are `O`, `B-TYPE` and `I-TYPE`.

    Example:
        >>> to_iob2(["I-PER", "I-PER", "B-PER", "O", "S-LOC", "B_ORG", "E_ORG", "I-ORG"])
        ['B-PER', 'I-PER', 'B-PER', 'O', 'B-LOC', 'B-ORG', 'I-ORG', 'B-ORG']
    """
    out: list[str] = []
    before_kind, open_ = "", False
    for tag in tags:
        if tag == OUTSIDE:
            out.append(tag)
            before_kind, open_ = "", False
            continue
        mark, kind = tag[0], tag[2:]
        goes_on = mark not in _STARTS and open_ and kind == before_kind
        out.append(f"{'I' if goes_on else 'B'}-{kind}")
        before_kind, open_ = kind, mark in _OPEN
    return out


def spans_of(cell: Any) -> list[tuple[int, int, str]] | str:
    """The sorted spans of a cell: [start, end, label], by name, or CLUE's mapping; or a text of what is wrong."""
    if isinstance(cell, Mapping):
        return _clue_spans(cell)
    if not isinstance(cell, list | tuple):
        return f"a {type(cell).__name__} where a list of spans is needed"
    spans = []
    for item in cell:
        found = _one_span(item)
        if found is None:
            return f"a span is {clip(str(item))}, where [start, end, label] or start, end and label by name are needed"
        spans.append(found)
    return sorted(spans)


def holds_spans(cell: Any) -> bool:
    """Whether a cell is a list of spans (or CLUE's mapping), not of tags; an empty list may be either and is not."""
    if isinstance(cell, Mapping):
        return isinstance(_clue_spans(cell), list)
    return isinstance(cell, list | tuple) and bool(cell) and all(_one_span(item) is not None for item in cell)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def _one_span(item: Any) -> tuple[int, int, str] | None:
    if isinstance(item, Mapping):
        parts = [
            next((item[key] for key in keys if key in item), None) for keys in (_START_KEYS, _END_KEYS, _LABEL_KEYS)
        ]
    elif isinstance(item, list | tuple) and len(item) == 3:
        parts = list(item)
    else:
        return None
    start, end, label = _whole(parts[0]), _whole(parts[1]), parts[2]
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if start is None or end is None or not isinstance(label, str) or not label.strip():
        return None
    return start, end, label.strip()


def _clue_spans(cell: Mapping[str, Any]) -> list[tuple[int, int, str]] | str:
    spans = []
    for label, texts in cell.items():
        for places in texts.values() if isinstance(texts, Mapping) else [None]:
            for place in places if isinstance(places, list) else [None]:
                if not isinstance(place, list) or len(place) != 2 or not all(isinstance(x, int) for x in place):
                    return "labels are a mapping, but not of label to text to [start, last]"
                spans.append((place[0], place[1] + 1, str(label)))
    return sorted(spans)


def cut_at_spans(
    words: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int, str]], text: str
) -> tuple[list[tuple[int, int]], list[str]] | str:
    """The words of a text, cut where a (sorted) span begins or ends in one, and their tags; or what is wrong."""
    edges = set()
    end_before, label_before = 0, ""
    for start, end, label in spans:
        if not 0 <= start < end <= len(text):
            return f"the span {start}-{end} {clip(label)} is out of range: the text has {len(text)} characters"
        if start < end_before:
            return f"the span {start}-{end} {clip(label)} overlaps {clip(label_before)}, which ends at {end_before}"
        end_before, label_before = end, label
        edges |= {start, end}
    cut: list[tuple[int, int]] = []
    for start, end in words:
        for edge in sorted(edge for edge in edges if start < edge < end) if edges else ():
            cut.append((start, edge))
            start = edge
        cut.append((start, end))
    tags = []
    at = 0
    began = -1
    for start, _ in cut:
        while at < len(spans) and spans[at][1] <= start:
            at += 1
        if at < len(spans) and spans[at][0] <= start:
            tags.append(f"{'I' if began == at else 'B'}-{spans[at][2]}")
            began = at
        else:
            tags.append(OUTSIDE)
    return cut, tags
