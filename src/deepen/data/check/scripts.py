"""Scripts and, by them, languages: told from Unicode, without a model. Shape legend: N rows, S scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np

from deepen.data.check.problem import Problem, Severity, Splits, place, rows, shown, verb
from deepen.data.near import row_texts
from deepen.data.table import Part

# First code of each range and its script; what lies between is no letter, or of a script that isn't told apart.
_RANGES: tuple[tuple[int, int, str], ...] = (
    (0x41, 0x5A, "Latin"),
    (0x61, 0x7A, "Latin"),
    (0xC0, 0x24F, "Latin"),
    (0x370, 0x3FF, "Greek"),
    (0x400, 0x52F, "Cyrillic"),
    (0x590, 0x5FF, "Hebrew"),
    (0x600, 0x6FF, "Arabic"),
    (0x900, 0x97F, "Devanagari"),
    (0xE00, 0xE7F, "Thai"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x3040, 0x30FF, "Kana"),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7AF, "Hangul"),
)
_NAMES = sorted({name for _, _, name in _RANGES})
_STARTS = np.array([start for start, _, _ in _RANGES], dtype=np.uint32)
_ENDS = np.array([end for _, end, _ in _RANGES], dtype=np.uint32)
_CODES = np.array([_NAMES.index(name) for _, _, name in _RANGES])
# a letter of one script that stands in for its twin of another: pаypal with a Cyrillic a
_LOOKALIKE = re.compile("[A-Za-z][\u0370-\u03ff\u0400-\u052f]|[\u0370-\u03ff\u0400-\u052f][A-Za-z]")
_WORD = re.compile(r"\w+")
_MAIN_SHARE, _ODD_SHARE = 0.9, 0.1
_PIECE = 2048
_FEW_LETTERS = 4
_KANA_SHARE = 0.2


def find(splits: Splits) -> Iterator[Problem]:
    """Rows in another script than the others, several scripts side by side, letters that pose as others."""
    for name, part in splits.parts.items():
        yield from _rows(name, part)
        yield from _lookalikes(name, part)


def main_scripts(part: Part) -> np.ndarray:
    """For each row the number of the script that most of its letters are of; -1 with fewer than four letters."""
    texts = row_texts(part)
    pieces = [_main(list(islice(texts, _PIECE))) for _ in range(0, len(part), _PIECE)]
    return np.concatenate(pieces) if pieces else np.zeros(0, int)


def _main(texts: list[str]) -> np.ndarray:
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), dtype=np.uint32)
    row = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    at = np.searchsorted(_STARTS, codes, side="right") - 1
    letter = (at >= 0) & (codes <= _ENDS[np.maximum(at, 0)])
    cells = row[letter] * len(_NAMES) + _CODES[at[letter]]
    counts_NS = np.bincount(cells, minlength=len(texts) * len(_NAMES)).reshape(len(texts), len(_NAMES))
    # one sign of these says as much as a few letters, and Japanese mixes Kana with Han
    weighted_NS = counts_NS * np.array([3 if name in ("Han", "Kana", "Hangul") else 1 for name in _NAMES])
    kana, han = _NAMES.index("Kana"), _NAMES.index("Han")
    japanese_N = counts_NS[:, kana] > _KANA_SHARE * counts_NS[:, han]
    weighted_NS[:, kana] += np.where(japanese_N, weighted_NS[:, han], 0)
    return np.where(weighted_NS.sum(1) >= _FEW_LETTERS, weighted_NS.argmax(1), -1)


def _rows(name: str, part: Part) -> Iterator[Problem]:
    main_N = main_scripts(part)
    told = main_N >= 0
    if not told.any():
        return
    counts = np.bincount(main_N[told], minlength=len(_NAMES))
    share_S = counts / counts.sum()
    top = int(share_S.argmax())
    file = part.table.name
    listed = ", ".join(f"{_NAMES[s]} {share_S[s]:.0%}" for s in np.argsort(-share_S) if share_S[s] >= _ODD_SHARE)
    if share_S[top] < _MAIN_SHARE:
        message = f"the rows of {name} are in several scripts: {listed}"
        remedy = "--model with a multilingual encoder, e.g. intfloat/multilingual-e5-small"
        yield Problem("note", "mixed_scripts", file, None, len(part), message, remedy)
    odd = np.flatnonzero(told & (main_N != top) & (share_S[main_N] < _ODD_SHARE))
    if len(odd):
        first = int(odd[0])
        text = next(iter(row_texts(part, np.array([first]))))
        message = (
            f"{rows(len(odd))} of {name} {verb(len(odd), 'are')} mostly in another script than the rest "
            f"({_NAMES[top]}), as {_NAMES[int(main_N[first])]} in {shown(text)}"
        )
        severity: Severity = "warning" if len(odd) >= 0.01 * len(part) else "note"
        remedy = "take them out, or --model with a multilingual encoder"
        yield Problem(severity, "other_script", file, place(part, first), len(odd), message, remedy)


def _lookalikes(name: str, part: Part) -> Iterator[Problem]:
    first, word, count = -1, "", 0
    for at, text in enumerate(row_texts(part)):
        if not text.isascii() and (match := _LOOKALIKE.search(text)):
            count += 1
            if first < 0:
                first = at
                around = (found for found in _WORD.finditer(text) if found.start() <= match.start() < found.end())
                word = next(around, match).group()
    if count:
        message = (
            f"{rows(count)} of {name} {verb(count, 'mix')} letters of two scripts in one word, as "
            f"{shown(word)}: they look alike, and a model sees an unknown word"
        )
        remedy = "replace the letters; a common trick in spam"
        yield Problem("warning", "lookalike_letters", part.table.name, place(part, first), count, message, remedy)
