"""Messages in Chinese, found by the templates of the catalogue in `zh/`.

A line of the catalogue is an English template, a tab and its translation. `{}` stands for what was filled in, `{s}` for
the ending of a plural. In the translation `{}` is the next place and `{2}` the third; what is filled in is left as it
is, unless it is a message of two words and more itself, or the place is written `{!}` or `{2!}`: then it is always our own
words. `=` says that no person reads the text, or that it is the same in Chinese. Start with `translated`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path

FOLDER = Path(__file__).parent / "zh"
_MARK = re.compile(r"^(\s*(?:- )?)(note|warning|bug|interrupted|SettingError|DataError|ModelError)(: )")
_MARKS = {"note": "提示：", "warning": "警告：", "bug": "程序缺陷："}
_PLACE = re.compile(r"\{(\d*)(!?)\}")
_SEPARATORS = ((". ", "。"), ("; ", "；"), (": ", "："), (", ", "，"), ("  ", "  "))
_BRACKETS = re.compile(r"(.*?)( ?)\((.*)\)(.?)", re.DOTALL)
_STARTS = re.compile(r"[ ;,:(]")
_QUOTES = ("'", '"', "`", "“")
_CHINESE = re.compile("[\u2e80-\u9fff\uff00-\uffef，。；：“”（）]")
_FEW_LETTERS = 12
_BEFORE_CLAUSES = (": ", "; ", ", ", "(")
_MOST_WORDS = 3
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A template in pieces between its places, and its translation: texts, and places with whether they are ours."""

    pieces: tuple[str, ...]
    answer: tuple[str | tuple[int, bool], ...]
    letters: int
    longest: str

    def values(self, text: str) -> list[str] | None:
        """What was filled in, if a text was made from this template; None if it was not."""
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return [] if text == first else None
        if not (text.startswith(first) and text.endswith(last)) or len(text) < len(first) + len(last):
            return None
        at, end, found = len(first), len(text) - len(last), []
        for piece in self.pieces[1:-1]:
            there = text.find(piece, at, end)
            if there < 0:
                return None
            found.append(text[at:there])
            at = there + len(piece)
        return [*found, text[at:end]]

    @property
    def is_word(self) -> bool:
        """Whether it is a single word, as names of columns are."""
        return len(self.pieces) == 1 and " " not in self.longest

    @property
    def speaks(self) -> bool:
        """Whether so much of it is fixed that a text of somebody else is not taken for it."""
        return self.letters >= _FEW_LETTERS and " " in self.longest.strip()


def catalogue() -> Iterator[tuple[str, str, str]]:
    """The name of the file, the template and the translation of each line."""
    for path in sorted(FOLDER.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            template, _, chinese = line.partition("\t")
            yield path.stem, template, chinese


@lru_cache(4096)
def translated(text: str, *, ours: bool = True) -> str:
    """A message in Chinese; what the catalogue does not know stays as it is, and white space around it too.

    `ours` says that it is the program's; where it may be a person's, only whole sentences are taken for messages.

    Example:
        >>> translated("chosen: full; 3 s in all")
        '选中：full；共 3 秒'
    """
    mark = _MARK.match(text)
    if mark:
        name = mark.group(2)
        return f"{mark.group(1)}{_MARKS.get(name, name + ': ')}{translated(text[mark.end() :], ours=ours)}"
    body = text.strip()
    found = _translated(body, ours=ours) if body else None
    if found is None:
        return text
    start = text[: len(text) - len(text.lstrip())]
    return f"{start}{found}{text[len(text.rstrip()) :]}"


def _translated(text: str, *, ours: bool = True, words: bool = True, depth: int = 0) -> str | None:
    """None for what is no message. `ours` says that it is known to be one; `words`, that a single word will do."""
    if depth > _DEEPEST or not text:
        return None
    for entry in _entries():
        if entry.longest in text and (words or entry.speaks or not entry.is_word):
            values = _apart(entry, entry.values(text), depth)
            if values is not None and (entry.speaks or _is_meant(entry, values, ours=ours, depth=depth)):
                return _filled(entry, values, depth)
    return _by_parts(text, ours=ours, words=words and depth > 0, depth=depth)


def _apart(entry: Entry, values: list[str] | None, depth: int) -> list[str] | None:
    """What was filled in, with two places that stand side by side told apart: the second begins where a message does."""
    own = {piece[0] for piece in entry.answer if isinstance(piece, tuple) and piece[1]}
    for at, piece in enumerate(entry.pieces[1:-1] if values else ()):
        if values and not piece:
            text = values[at] + values[at + 1]
            starts = [found.start() for found in _STARTS.finditer(text)] if at + 1 in own and at not in own else []
            cut = next((cut for cut in starts if _translated(text[cut:].strip(), depth=depth + 1) is not None), len(text))
            values[at : at + 2] = [text[:cut], text[cut:]]
    return values


def _is_meant(entry: Entry, values: list[str], *, ours: bool, depth: int) -> bool:
    """Whether a template of few letters is the right one: names and numbers are short, and our own words are known.

    In a text that may be a person's, at least two places must hold words of ours.
    """
    own = {piece[0] for piece in entry.answer if isinstance(piece, tuple) and piece[1]}
    num_known = 0
    for at, value in enumerate(values):
        free = value.startswith(_QUOTES) or (at in own and entry.pieces[at].endswith(_BEFORE_CLAUSES))
        if not free and any(mark in value for mark, _ in _SEPARATORS):
            return False
        known = at in own and _translated(value.strip(), depth=depth + 1) is not None
        if not known and not value.startswith(_QUOTES) and len(value.split()) > _MOST_WORDS:
            return False
        num_known += known
    return ours or num_known > 1


def _filled(entry: Entry, values: list[str], depth: int) -> str:
    said = ""
    for piece in entry.answer:
        if isinstance(piece, str):
            said += piece
            continue
        at, ours = piece
        found = None
        if ours or not entry.pieces[at].endswith(_QUOTES):
            found = _translated(values[at].strip(), ours=ours, depth=depth + 1)
        value = values[at] if found is None else found
        if found and said.endswith(" ") and _CHINESE.match(found):
            said = said.rstrip(" ") if _CHINESE.match(said.rstrip(" ")[-1:] or " ") else said
        said += value
    return re.sub(r" {2,}(?=\S)", " ", said) if "  " not in "".join(values) else said


def _by_parts(text: str, *, ours: bool, words: bool, depth: int) -> str | None:
    """Clauses that were put together, each by itself; None if none of them is a message."""

    def one(part: str) -> str | None:
        part = part.strip()
        if ". " in part and _is_made(f"{part}."):
            part = f"{part}."
        return _translated(part, ours=ours, words=words, depth=depth + 1)

    if text[-1] in ".:;," and len(text) > 1:
        ended = one(text[:-1])
        return None if ended is None else ended + "。：；，"[".:;,".index(text[-1])]
    for separator, mark in _SEPARATORS:
        parts = _parted(text, separator)
        if separator == ". " and len(parts) > 2:
            parts = _sentences(parts)
        if len(parts) > 1:
            found = [one(part) for part in parts]
            if any(part is not None for part in found):
                shown = [new if new is not None else parts[at] for at, new in enumerate(found)]
                return mark.join(shown).replace("。。", "。")
    bracket = _BRACKETS.fullmatch(text)
    if bracket:
        before, _, inside, after = bracket.groups()
        two = [one(part) for part in (before, inside)]
        if any(part is not None for part in two):
            head, inner = (old if new is None else new for old, new in zip((before, inside), two, strict=True))
            return f"{head}（{inner}）{after}"
    return None


def _sentences(parts: list[str]) -> list[str]:
    """Sentences, those that one template makes together left together."""
    at, found = 0, []
    while at < len(parts):
        for end in range(len(parts), at + 1, -1):
            some = ". ".join(parts[at:end])
            if any(_is_made(one) for one in (some, f"{some}.")):
                break
        else:
            end = at + 1
        found.append(". ".join(parts[at:end]))
        at = end
    return found


def _is_made(text: str) -> bool:
    """Whether a template of several sentences makes this text."""
    made_of_several = (entry for entry in _entries() if any(". " in piece for piece in entry.pieces))
    return any(entry.longest in text and entry.values(text) is not None for entry in made_of_several)


def _parted(text: str, separator: str) -> list[str]:
    """A text between separators that stand in no quotes and no brackets."""
    parts, start, deep, quote = [], 0, 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`" and (at == 0 or not text[at - 1].isalnum()):
            quote = char if char in text[at + 1 :] else ""
        elif char in "([{“":
            deep += 1
        elif char in ")]}”":
            deep = max(0, deep - 1)
        elif not deep and text.startswith(separator, at) and at >= start:
            parts.append(text[start:at])
            start = at + len(separator)
    return [*parts, text[start:]]


@cache
def _entries() -> list[Entry]:
    """Every template, those first of which most is fixed."""
    made: dict[tuple[str, ...], Entry] = {}
    for _, template, chinese in catalogue():
        if chinese == "=" or not chinese:
            continue
        for ends in product(("", "s"), repeat=template.count("{s}")):
            left = iter(ends)
            pieces = tuple(re.sub(r"\{s\}", lambda _, left=left: next(left), template).split("{}"))  # type: ignore[misc]
            fixed = "".join(pieces)
            entry = Entry(pieces, _answer(chinese), sum(map(str.isalpha, fixed)), max(pieces, key=len))
            made.setdefault(pieces, entry)
    return sorted(made.values(), key=_rank)


def _rank(entry: Entry) -> tuple[bool, int, int]:
    return len(entry.pieces) > 1, -len("".join(entry.pieces)), -len(entry.pieces[0])


def _answer(chinese: str) -> tuple[str | tuple[int, bool], ...]:
    found: list[str | tuple[int, bool]] = []
    at = number = 0
    for place in _PLACE.finditer(chinese):
        found.append(chinese[at : place.start()])
        found.append((int(place.group(1) or number), bool(place.group(2))))
        number += not place.group(1)
        at = place.end()
    return tuple(piece for piece in (*found, chinese[at:]) if piece != "")
