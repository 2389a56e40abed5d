"""Raw text to words with their places, and words back to a text.

A word is what gets one tag: a Latin word, a number, a punctuation mark, or one Chinese character.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np

# Han with its extensions and compatibility forms, kana, and the marks that iterate them.
CJK = "\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# What a text without spaces between its words also holds: the punctuation of Chinese and its full-width forms.
_JOINED = re.compile(f"[{CJK}\u3001-\u3003\u3008-\u3020\uff00-\uffef]")
_HAN = re.compile(f"[{CJK}]")
_CHINESE_SHARE = 0.3
_LETTER = rf"(?:[^\W\d_{CJK}]|[\u0300-\u036f])"
_WORD = re.compile(
    rf"""
    (?:{_LETTER}\.){{2,}}                   # U.S.
    | [''](?:s|re|ve|ll|d|m|t)\b            # it 's
    | \d+(?:[.,:]\d+)*                      # 1,250.5  12:30
    | {_LETTER}(?:{_LETTER}|\d)*            # word  B2B
    | [{CJK}]                               # a Chinese character
    | \S                                    # a mark
    """.replace("['']", "['\u2019]"),
    re.VERBOSE | re.IGNORECASE,
)


def split_words(text: str) -> list[tuple[int, int]]:
    """Where the words of a raw text stand; every character that is not white space belongs to one.

    Abbreviations with points, numbers with points and clitics stay whole, as in most tagged English; hyphenated words
    are cut, since an entity may end at the hyphen.

    Example:
        >>> text = "The U.S. paid $1,250 我在London."
        >>> [text[start:end] for start, end in split_words(text)]
        ['The', 'U.S.', 'paid', '$', '1,250', '我', '在', 'London', '.']
    """
    return [match.span() for match in _WORD.finditer(text)]


def join_words(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text that words make up, and where each stands in it.

    A space goes between two words unless one of the characters that meet is Chinese, and none at all into a row of
    single characters of which some are Chinese: a word written character by character stays one word.

    Example:
        >>> join_words(["EU", "rejects"])
        ('EU rejects', [(0, 2), (3, 10)])
        >>> join_words(["在", "London", "住"])[0], join_words(list("我用QQ"))[0]
        ('在London住', '我用QQ')
    """
    spelled = all(len(word) == 1 for word in words) and any(map(_HAN.match, words))
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at = 0
    last = ""
    for word in words:
        if last and not spelled and not _JOINED.match(last) and not _JOINED.match(word):
            parts.append(" ")
            at += 1
        parts.append(word)
        places.append((at, at + len(word)))
        at += len(word)
        last = word[-1:]
    return "".join(parts), places


def own_pieces(
    words: Sequence[tuple[int, int]], pieces: Sequence[tuple[int, int] | None]
) -> tuple[list[tuple[int, int]], np.ndarray]:
    """The word that each piece of a tokenizer belongs to.

    Words that share a piece, as two characters in a Chinese vocabulary may, become one; a piece between words belongs
    to the next word, since it is the mark that starts it. -1 for a special token, whose place is None.

    Example:
        >>> places, owners = own_pieces([(0, 1), (1, 2), (3, 8)], [None, (0, 2), (3, 6), (6, 8), None])
        >>> places, owners.tolist()
        ([(0, 2), (3, 8)], [-1, 0, 1, 1, -1])
    """
    starts, ends = (np.array([place[side] for place in words]) for side in (0, 1))
    joined = np.zeros(len(words), bool)  # with the word before
    owners = np.full(len(pieces), -1)
    for at, piece in enumerate(pieces):
        if piece is not None:
            owners[at] = first = min(int(np.searchsorted(ends, piece[0], side="right")), len(words) - 1)
            last = int(np.searchsorted(starts, piece[1], side="left")) - 1
            joined[first + 1 : last + 1] = True
    number = np.cumsum(~joined) - 1
    kept = np.flatnonzero(~joined)
    places = [(int(starts[one]), int(ends[stop - 1])) for one, stop in zip(kept, [*kept[1:], len(words)], strict=True)]
    return places, np.where(owners < 0, -1, number[owners])


def longest_run(one: Sequence[str], two: Sequence[str]) -> int:
    """The longest run of words that both have, in their order.

    Example:
        >>> longest_run("a b c d".split(), "x b c a".split())
        2
    """
    best, row = 0, [0] * (len(two) + 1)
    for word in one:
        before = 0
        for at, other in enumerate(two, 1):
            before, row[at] = row[at], before + 1 if word == other else 0
            best = max(best, row[at])
    return best


def mostly_chinese(texts: Iterable[str]) -> bool:
    """Whether so many letters of some texts are Chinese that an English model is of little use."""
    letters = [char for text in texts for char in text if char.isalpha()]
    return bool(letters) and sum(map(bool, map(_HAN.match, letters))) / len(letters) > _CHINESE_SHARE


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text without case, as cues and hidden words are compared."""
    return tuple(text[start:end].lower() for start, end in split_words(text))


def hide_words(text: str, hidden: Collection[tuple[str, ...]], *, only: str = "") -> str:
    """A text without some words; where nothing else stands in it, a mark for an unknown word.

    `hidden` are words, or runs of words, as `words_of` gives them; all that are found go, whatever their case. `only`
    is `first` or `last`: only where the text begins or ends with them; empty for everywhere.

    Example:
        >>> hide_words("Good, zqxv good film", [("zqxv",), ("good", "film")]), hide_words("Zqxv", [("zqxv",)])
        ('Good,', '\ufffd')
    """
    if not any(run[0] in text.lower() for run in hidden):
        return text
    places = split_words(text)
    words = [text[start:end].lower() for start, end in places]
    gone: set[int] = set()
    for run in hidden:
        last = len(words) - len(run)
        starts = {"first": range(min(1, last + 1)), "last": range(max(0, last), last + 1)}.get(only, range(last + 1))
        for at in starts:
            if tuple(words[at : at + len(run)]) == run:
                gone.update(range(at, at + len(run)))
    if not gone:
        return text
    if len(gone) == len(words):
        return "\ufffd"
    kept = []
    done = 0
    for at in sorted(gone):
        start, end = places[at]
        kept.append(text[done:start])
        done = end
        while done < len(text) and text[done] == " " and (not kept[-1] or kept[-1][-1] == " "):
            done += 1  # one of the two spaces around it goes too
    return "".join([*kept, text[done:]]).strip()


def insert_words(text: str, words: str, at: int) -> str:
    """A text with some words put before its word `at`, or at its end; between spaces unless they are Chinese.

    Example:
        >>> insert_words("a fine film", "zqxv", 1), insert_words("很好", "真", 5)
        ('a zqxv fine film', '很好真')
    """
    places = split_words(text)
    place = places[at][0] if at < len(places) else len(text)
    glue = "" if _HAN.match(words) else " "
    return f"{text[:place].rstrip()}{glue}{words}{glue}{text[place:].lstrip()}".strip()
