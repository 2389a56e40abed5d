"""Messages in Chinese, found by the templates of the catalogue in `zh/`.

A line of the catalogue is an English template, a tab and its translation. `{}` stands for what was filled in, `{s}`
for the ending of a plural. In the translation `{}` is the next place and `{2}` the third; what is filled in is left as
it is, unless it is a message of two words and more itself, or the place is written `{!}` or `{2!}`: then it is always
our own words. `=` says that no person reads the text, or that it is the same in Chinese. Start with `translated`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path

FOLDER = Path(__file__).parent / "zh"
_MARK = re.compile(r"^(\s*(?:- |-> )?)(?:(note|warning|bug|SettingError|DataError|ModelError): )?")
_MARKS = {None: "", "note": "提示：", "warning": "警告：", "bug": "程序缺陷："}
_PLACE = re.compile(r"\{(\d*)(!?)\}")
_ENDS = {". ": "。", "; ": "；", ": ": "：", ", ": "，", "  ": "  ", ".": "。", ";": "；", ":": "：", ",": "，", "": ""}
_SEPARATORS = (". ", "; ", ": ", ", ", "  ")
_BRACKETS = re.compile(r"(.*\S) ?\(([^()]*(?:\([^()]*\)[^()]*)*)\)(.?)", re.DOTALL)
_STARTS = re.compile(r"[ ;,:(]")
_NUMBERS = re.compile(r"[-+±\d.,%\[\] ]+")
_QUOTES = ("'", '"', "`", "“")
_CHINESE = re.compile("[\u2e80-\u9fff\uff00-\uffef，。；：“”（）]")
_FEW_LETTERS, _SOME_LETTERS = 12, 8
_BEFORE_CLAUSES = (": ", "; ", ", ", "(")
_OF_CLAUSES = (". ", "; ", ": ")
_MOST_WORDS = 3
_DEEPEST = 8

ON_PAGES = re.compile(r'data-say="([^"]+)"|\bsay\("([^"]+)"|\b\w+: "([A-Z][a-z ]*[a-z])"')
"""What the pages of a server say (`serving/*.html`), each in one of the groups."""
Answer = tuple[str | tuple[int, bool], ...]
"""A translation: texts, and places with whether they are ours."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A template in pieces between its places, and its translation; `own` are the places that hold our words."""

    pieces: tuple[str, ...]
    answer: Answer
    own: frozenset[int]
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
        found.append(text[at:end])
        return found if all(self._takes(at, value) for at, value in enumerate(found)) else None

    def _takes(self, at: int, value: str) -> bool:
        """Whether a place may hold this: several sentences or clauses only where messages of ours are told."""
        before = self.pieces[at] or (self.pieces[at - 1] if at and at - 1 in self.own else "")
        if before.endswith(_QUOTES) or value.startswith(_QUOTES) or _NUMBERS.fullmatch(value):
            return True
        if at in self.own and (before.endswith(_BEFORE_CLAUSES) or not before):
            return at > 0 or ". " not in value
        value = value.lstrip(",;: ")
        return not any(mark in value for mark in (("; ",) if before.endswith(_BEFORE_CLAUSES) else _OF_CLAUSES))

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
    start = _MARK.match(text)
    if start and start.end() and text[start.end() :].strip():
        before, name = start.groups()
        return f"{before}{_MARKS.get(name, f'{name}: ')}{translated(text[start.end() :], ours=ours)}"
    body = text.rstrip()
    found = _translated(body, ours=ours) if body else None
    return text if found is None else found + text[len(body) :]


def _translated(text: str, *, ours: bool = True, words: bool = True, depth: int = 0) -> str | None:
    """None for what is no message. `ours` says that it is known to be one; `words`, that a single word will do."""
    if depth > _DEEPEST or not text:
        return None
    found = _whole(text, ours=ours, words=words, depth=depth)
    return found if found is not None else _by_parts(text, ours=ours, words=words and depth > 0, depth=depth)


def _whole(text: str, *, ours: bool, words: bool, depth: int, letters: int = 0) -> str | None:
    """A text that one template made, of which so many letters at least are fixed."""
    for entry in _entries():
        if entry.longest in text and entry.letters >= letters and (words or entry.speaks or not entry.is_word):
            values = entry.values(text)
            if values is not None:
                values = _apart(entry, values, depth)
                if entry.speaks or _is_meant(entry, values, ours=ours, depth=depth):
                    return _filled(entry, values, depth)
    return None


def _apart(entry: Entry, values: list[str], depth: int) -> list[str]:
    """What was filled in, two places that stand side by side told apart: the second begins where a message does."""
    for at, piece in enumerate(entry.pieces[1:-1]):
        if not piece:
            text = values[at] + values[at + 1]
            starts = _STARTS.finditer(text) if at + 1 in entry.own and at not in entry.own else ()
            known = (
                found.start()
                for found in starts
                if _translated(text[found.start() :].strip(), words=False, depth=depth + 1) is not None
            )
            cut = next(known, len(text))
            values = [*values[:at], text[:cut], text[cut:], *values[at + 2 :]]
    return values


def _is_meant(entry: Entry, values: list[str], *, ours: bool, depth: int) -> bool:
    """Whether a template of few letters is the right one: names and numbers are short, and our own words are known.

    In a text that may be a person's, at least two places must hold words of ours.
    """
    num_known = 0
    for at, value in enumerate(values):
        after_clause = entry.pieces[at].endswith(_BEFORE_CLAUSES)
        free = value.startswith(_QUOTES) or _NUMBERS.fullmatch(value) is not None
        free = free or (after_clause and "; " not in value and (at in entry.own or entry.letters >= _SOME_LETTERS))
        if not free and any(mark in value.strip(",;: ") for mark in _SEPARATORS):
            return False
        known = at in entry.own and _translated(value.strip(), depth=depth + 1) is not None
        if not known and not free and len(value.split()) > _MOST_WORDS:
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
        if found and _CHINESE.match(found) and _CHINESE.match(said.rstrip(" ")[-1:]):
            said = said.rstrip(" ")
        said += values[at] if found is None else found
    return said


def _by_parts(text: str, *, ours: bool, words: bool, depth: int) -> str | None:
    """Clauses that were put together, and what stands in brackets behind them, read in the way that knows most."""
    readings = (read(text, ours=ours, words=words, depth=depth) for read in (_by_clauses, _by_brackets))
    return min((found for found in readings if found), key=lambda found: sum(map(str.isascii, found)), default=None)


def _by_clauses(text: str, *, ours: bool, words: bool, depth: int) -> str | None:
    """As many clauses at once as one template makes, beginning with the first; None if none is a message."""
    parts, ends = _parted(text)
    shown: list[str] = []
    known: list[bool] = []
    marks: list[str] = []
    at = 0
    while at < len(parts) and len(text) > len(parts[0]):
        found, last = None, at
        for last in range(len(parts) - 1, at, -1):
            some = (
                "".join(f"{part}{end}" for part, end in zip(parts[at:last], ends[at:last], strict=True)) + parts[last]
            )
            for one in (f"{some}.", some) if ends[last].startswith(".") else (some,):
                if found is None:
                    found = _whole(one.strip(), ours=ours, words=words, depth=depth + 1, letters=_SOME_LETTERS)
            if found is not None:
                break
        else:
            last = at
            found = _translated(parts[at].strip(), ours=ours, words=words, depth=depth + 1)
        shown.append(parts[at] if found is None else found)
        known.append(found is not None)
        marks.append(ends[last])
        at = last + 1
    if any(known):
        beside = zip(known, [*known[1:], False], strict=True)
        said = zip(shown, marks, beside, strict=True)
        return "".join(f"{part}{_ENDS[mark] if any(two) else mark}" for part, mark, two in said).replace("。。", "。")
    return None


def _by_brackets(text: str, *, ours: bool, words: bool, depth: int) -> str | None:
    """A text with something in brackets at its end."""
    bracket = _BRACKETS.fullmatch(text)
    if not bracket:
        return None
    before, inside, after = bracket.groups()
    two = [_translated(part.strip(), ours=ours, words=words, depth=depth + 1) for part in (before, inside)]
    if two == [None, None]:
        return None
    head, inner = (old if new is None else new for old, new in zip((before, inside), two, strict=True))
    return f"{head}（{inner}）{after}"


def _parted(text: str) -> tuple[list[str], list[str]]:
    """A text between separators that stand in no quotes and no brackets, and what follows each part."""
    parts, ends, start, deep, quote = [], [], 0, 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`" and (at == 0 or not text[at - 1].isalnum()):
            quote = char if char in text[at + 1 :] else ""
        elif char in "([{“":
            deep += 1
        elif char in ")]}”":
            deep = max(0, deep - 1)
        elif not deep and at >= start and (end := next((e for e in _SEPARATORS if text.startswith(e, at)), "")):
            parts.append(text[start:at])
            ends.append(end)
            start = at + len(end)
    rest = text[start:]
    end = rest[-1:] if rest[-1:] in (".", ";", ":", ",") else ""
    return [*parts, rest[: len(rest) - len(end)]], [*ends, end]


@cache
def _entries() -> list[Entry]:
    """Every template, those first of which most is fixed."""
    made: dict[tuple[str, ...], Entry] = {}
    for _, template, chinese in catalogue():
        if chinese != "=":
            for plural in product(("", "s"), repeat=template.count("{s}")):
                ends = iter(plural)
                pieces = tuple(re.sub(r"\{s\}", lambda _, ends=ends: next(ends), template).split("{}"))  # type: ignore[misc]
                for entry in _entry(pieces, _answer(chinese)):
                    made.setdefault(entry.pieces, entry)
    return sorted(made.values(), key=_rank)


def _entry(pieces: tuple[str, ...], answer: Answer) -> Iterator[Entry]:
    """A template; and without the file and line that it begins with, for where these are said apart."""
    own = frozenset(place[0] for place in answer if isinstance(place, tuple) and place[1])
    yield Entry(pieces, answer, own, sum(map(str.isalpha, "".join(pieces))), max(pieces, key=len))
    for num, places in ((1, ("", ": ")), (2, ("", " line ", ": "))):
        starts = len(pieces) > num and pieces[:num] == places[:num] and pieces[num].startswith(places[num])
        said = next((at for at, piece in enumerate(answer) if isinstance(piece, str) and "：" in piece), None)
        if starts and said is not None and said == 2 * num - 1:
            first = str(answer[said]).partition("：")[2]
            rest = tuple(one if isinstance(one, str) else (one[0] - num, one[1]) for one in answer[said + 1 :])
            if all(isinstance(one, str) or one[0] >= 0 for one in rest):
                short = (pieces[num].removeprefix(": "), *pieces[num + 1 :])
                found = next(_entry(short, tuple(one for one in (first, *rest) if one != "")))
                if found.speaks:
                    yield found


def _rank(entry: Entry) -> tuple[bool, int, int]:
    return len(entry.pieces) > 1, -len("".join(entry.pieces)), -len(entry.pieces[0])


def _answer(chinese: str) -> Answer:
    found: list[str | tuple[int, bool]] = []
    at = number = 0
    for place in _PLACE.finditer(chinese):
        found.append(chinese[at : place.start()])
        found.append((int(place.group(1) or number), bool(place.group(2))))
        number += not place.group(1)
        at = place.end()
    return tuple(piece for piece in (*found, chinese[at:]) if piece != "")
