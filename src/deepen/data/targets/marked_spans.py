"""Two marked spans of a text: `<e1>...</e1>` tags, or names that are looked up in it.

A span is where it starts and ends, in characters of the text without tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r"</?e[12]>")
_OPEN = {"<e1>": 0, "<e2>": 1}


@dataclass(frozen=True, slots=True)
class Marked:
    """A text without tags, and where its two spans stand; None for one that was not found."""

    text: str
    first: tuple[int, int] | None
    second: tuple[int, int] | None


def from_tags(tagged: str) -> Marked:
    """Takes the tags out of a text. They are `<e1>...</e1>` and `<e2>...</e2>`.

    Example:
        >>> from_tags("the <e1>cat</e1> on a <e2>mat</e2>")
        Marked(text='the cat on a mat', first=(4, 7), second=(13, 16))
    """
    out, starts, spans, at = "", [0, 0], [None, None], 0
    for tag in _TAG.finditer(tagged):
        out += tagged[at : tag.start()]
        at = tag.end()
        which = int(tag.group()[-2]) - 1
        if tag.group() in _OPEN:
            starts[which] = len(out)
        else:
            spans[which] = (starts[which], len(out))  # type: ignore[call-overload]
    return Marked(out + tagged[at:], spans[0], spans[1])


def find_names(text: str, first: str, second: str) -> Marked:
    """Looks two names up in a text; where one is part of the other or both are the same, they don't share a place.

    Of each name the first place that can be had without overlap.

    Example:
        >>> find_names("东方航空与上航合并", "上航", "东方航空")
        Marked(text='东方航空与上航合并', first=(5, 7), second=(0, 4))
    """
    one, two = _places(text, first), _places(text, second)
    for a in one:
        for b in two:
            if a[1] <= b[0] or b[1] <= a[0]:
                return Marked(text, a, b)
    return Marked(text, one[0] if one else None, two[0] if two else None)


def _places(text: str, name: str) -> list[tuple[int, int]]:
    found = [match.span() for match in re.finditer(re.escape(name), text)] if name else []
    return found or [match.span() for match in re.finditer(re.escape(name), text, re.IGNORECASE) if name]


def with_marks(marked: Marked, *, marks: tuple[str, str]) -> tuple[str, tuple[int, int]]:
    """The text with a mark before and after each span, and where those start; a span not found is put at the end.

    Example:
        >>> with_marks(Marked("a cat sat", (2, 5), (6, 9)), marks=("@", "#"))
        ('a @ cat @ # sat #', (2, 10))
    """
    text, spans = marked.text, [marked.first, marked.second]
    order = sorted((span, which) for which, span in enumerate(spans) if span is not None)
    out, at, places = "", 0, [0, 0]
    for (start, end), which in order:
        start = max(start, at)
        end = max(end, start)
        out += text[at:start]
        places[which] = len(out)
        out += f"{marks[which]} {text[start:end]} {marks[which]}"
        at = end
        if text[at : at + 1].isalnum():
            out += " "
    out += text[at:]
    for which, span in enumerate(spans):
        if span is None:
            out += " "
            places[which] = len(out)
            out += marks[which]
    return out, (places[0], places[1])
