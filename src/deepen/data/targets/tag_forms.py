"""How tags say what they mean where they are not B-PER and O: PER-B, PER and O, B and I alone, or a tag for every word.

They are told apart over the first rows and written as tags with a prefix, so that all that follows knows one form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from deepen.data.targets.tags import OUTSIDE, is_tag

TagForm = Literal["prefix", "suffix", "marks", "types", "each"]
ONLY_TYPE = "ENTITY"
_SUFFIX = re.compile(r"(.+)[-_]([BIESMLU])")
_MARKS = frozenset("BIESMLU")
_OUTSIDES = frozenset((OUTSIDE, "_", "-"))
_SHARE = 0.98
_MOST_CHARS = 40
_MOST_TYPES = 500
TOLD_OF: dict[TagForm, str] = {
    "prefix": "",
    "suffix": "tags end in B and I (PER-B), read as B-PER",
    "marks": f"tags are B, I and O without a type, read as one type, {ONLY_TYPE}",
    "types": "tags are types without B- and I- (PER, O): words of one type that follow each other are one entity",
    "each": "every word has a tag and none is O, as parts of speech: each word is tagged by itself, B- and its tag",
}


def tag_form(rows: Iterable[Sequence[str]], *, sure: bool = False) -> TagForm | None:
    """How tags are written (B-PER, PER-B, B, PER and O, or a tag for every word); None if they are no tags."""
    counts = Counter(tag for row in rows for tag in row)
    total = counts.total()
    if not total:
        return None

    def nearly_all(fits: Iterable[str]) -> bool:
        return sum(counts[tag] for tag in fits) >= _SHARE * total

    if nearly_all(tag for tag in counts if is_tag(tag)):
        return "prefix"
    if nearly_all(tag for tag in counts if tag == OUTSIDE or _SUFFIX.fullmatch(tag)):
        return "suffix"
    if set(counts) <= _MARKS | _OUTSIDES and counts.keys() & {"B", "I"}:
        return "marks"
    short = all(0 < len(tag) <= _MOST_CHARS and not re.search(r"\s", tag) for tag in counts)
    most = _MOST_TYPES if sure else min(_MOST_TYPES, max(3, 0.2 * total))
    if not short or len(counts) > most or all(tag.isdecimal() for tag in counts):
        return None
    return "types" if counts.keys() & _OUTSIDES else "each"


def with_prefix(tags: Sequence[str], form: TagForm) -> list[str]:
    """Tags of a form with a prefix.

    Example:
        >>> with_prefix(["PER", "PER", "O", "LOC"], "types"), with_prefix(["PER-B", "PER-I"], "suffix")
        (['B-PER', 'I-PER', 'O', 'B-LOC'], ['B-PER', 'I-PER'])
    """
    if form == "prefix":
        return list(tags)
    out, before = [], ""
    for tag in tags:
        if form == "suffix" and (parts := _SUFFIX.fullmatch(tag)):
            out.append(f"{parts[2]}-{parts[1]}")
        elif (form != "each" and tag in _OUTSIDES) or not tag:
            out.append(OUTSIDE if tag else "")
        elif form == "marks" and tag in _MARKS:
            out.append(f"{tag}-{ONLY_TYPE}")
        elif form in ("types", "each"):
            out.append(f"{'I' if form == 'types' and tag == before else 'B'}-{tag}")
        else:
            out.append(tag)
        before = tag
    return out


_LANGUAGE = re.compile(r"[a-z]{2,}(?:-[a-z]+)*:")
_FEWEST_TOKENS = 5


def language_prefix(rows: Iterable[Sequence[str]]) -> str:
    """What every token begins with, as WikiANN writes the language: `en:`; empty if they share nothing."""
    tokens = [token for row in rows for token in row]
    found = _LANGUAGE.match(tokens[0]) if len(tokens) >= _FEWEST_TOKENS else None
    return found[0] if found is not None and all(token.startswith(found[0]) for token in tokens) else ""
