"""Whether the first row of a table names its columns, by what sets it apart from the rows below.

A row of data is as likely to stand first as anywhere else. Each sign is therefore weighed by how rarely a row would
show it by chance: a value that no other row has where values recur, a text shorter than all below, a word above
numbers. Weights are powers of ten: 2 says that one row in a hundred looks so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from deepen.data.columns import KNOWN_NAMES, plain_name
from deepen.data.source import clip

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
_SENTENCE_END = re.compile(r'[.!。！…]["”’)]?$')
_MISSING = frozenset(("", "-", "--", "?", "n/a", "na", "nan", "null", "none", "nil", "<na>", "unknown", "missing"))
# names that tell a header beside those that columns are chosen by
_MORE_NAMES = frozenset(
    (
        *("tokens", "token", "words", "word", "ner_tags", "tags", "pos", "passage", "positive", "negative"),
        *("context", "answer", "answers", "query", "question", "relation", "sentence", "name", "source"),
    )
)
_LONGEST_NAME = 60
_MOST_WORDS = 9
_CAP = 2.5
_MOST_JUDGED = 2_000  # columns
_NEEDED, _NEEDED_IN_TABLE = 2.0, 1.2
_SURE, _DOUBTFUL = 2.0, 0.7
_FEW_ROWS = 30


@dataclass(frozen=True)
class Verdict:
    """Whether there is a header, and a sentence if that is in doubt; empty if it is not."""

    header: bool
    doubt: str = ""


@dataclass(frozen=True)
class _Sign:
    """What one column says: how rarely a row looks so by chance, what speaks against a name, how usual the name is."""

    kind: str
    weight: float = 0.0
    against: float = 0.0
    known: float = 0.0


def judge_header(rows: Sequence[Sequence[str]], expected: frozenset[str], *, tabular: bool) -> Verdict:
    """Whether the first row names the columns. The better supported answer, with what is in doubt."""
    first = [cell.strip() for cell in rows[0]]
    body = [row for row in rows[1:] if list(row) != list(rows[0])]
    filled = [cell for cell in first if cell]
    if not filled:
        return Verdict(False)
    if len(filled) > 1 and filled == [str(at) for at in range(len(filled))] and len(body) > 1:  # as pandas names them
        below = [row[at].strip() for row in body for at in range(len(first)) if at < len(row)]
        counts = not any(cell in ("0", "1", "") or NUMBER.fullmatch(cell) for cell in below)
        return Verdict(counts and tabular)
    if any(NUMBER.fullmatch(cell) for cell in filled):
        return Verdict(False)
    usual = expected | KNOWN_NAMES | _MORE_NAMES
    judged = list(enumerate(first[:_MOST_JUDGED]))
    signs = [_sign(cell, [row[at].strip() for row in body if at < len(row)], usual) for at, cell in judged]
    weight = _weigh(signs, sum(bool(cell) for _, cell in judged))
    if len({plain_name(cell) for cell in filled}) < len(filled):
        weight -= 1.5
    header = weight >= (_NEEDED_IN_TABLE if tabular else _NEEDED)
    shown = ", ".join(clip(cell, 30) for cell in filled[:6])
    sure = weight >= _SURE and (len(body) >= _FEW_ROWS or all(sign.known for sign in signs))
    if header and not sure:
        return Verdict(True, f"the first row ({shown}) is taken for a header; if it is a row: --set data.header=false")
    if not header and weight >= _DOUBTFUL and len(first) > 1:
        return Verdict(False, f"the first row ({shown}) is taken for a row; if it is a header: --set data.header=true")
    return Verdict(header)


def _weigh(signs: Sequence[_Sign], named: int) -> float:
    """All signs together; the best of k columns counts k times as likely, but for words above numbers."""
    weight = -sum(sign.against for sign in signs)
    best = {"number": max((sign.weight for sign in signs if sign.kind == "number"), default=0.0)}
    for kind in ("class", "text"):
        found = [sign.weight for sign in signs if sign.kind == kind]
        best[kind] = max(0.0, min(_CAP, max(found)) - log10(len(found))) if found else 0.0
    weight += max(min(_CAP, best["number"]), best["class"]) + best["text"]
    known = [sign.known for sign in signs if sign.known]
    return weight + min(3.0, 1.5 * sum(known)) + (3.0 if len(known) == named > 1 else 0.0)


def _sign(cell: str, below: Sequence[str], usual: frozenset[str]) -> _Sign:
    """What one cell says beside those below it."""
    values = [value for value in below if value]
    counts = Counter(values)
    known = 0.0 if cell in counts else _known(cell, counts, usual)
    if are_classes(counts, len(values)) and cell in counts:
        return _Sign("class", against=2.5)
    if not cell or cell.lower() in _MISSING:
        return _Sign("none", against=1.0 if cell and values else 0.0)
    against = 1.5 if _SENTENCE_END.search(cell) or len(cell) > _LONGEST_NAME or len(cell.split()) > _MOST_WORDS else 0.0
    if not values:  # a row that has what no other has
        return _Sign("class", log10(len(below) + 1), against, known)
    if all(NUMBER.fullmatch(value) for value in values):
        return _Sign("number", max(2.0, log10(len(values) + 1)) if len(values) > 1 else 0.5, against, known)
    if are_classes(counts, len(values)):
        once = sum(count == 1 for count in counts.values())
        weight = 0.0 if _alike(cell, counts) else log10((len(values) + 1) / (once + 1))
        return _Sign("class", weight, against, known)
    if cell in counts and not known:
        return _Sign("text", against=0.5)
    return _Sign("text", _shorter(cell, values), against, known)


def _known(cell: str, counts: Counter[str], usual: frozenset[str]) -> float:
    """Whether a cell is a usual name, or made with one where the values below are not made so."""
    plain = plain_name(cell)
    if {plain, cell} & usual:
        return 1.0
    made = "_" in cell and " " not in cell and bool(set(plain.split("_")) & usual)
    return 1.6 if made and 2 * sum("_" in value for value in counts) < len(counts) else 0.0


def are_classes(counts: Counter[str], num: int, share: float = 0.5) -> bool:
    """Whether values recur as those of a label do: at most this share of them differ."""
    return num > 2 and len(counts) <= max(2, share * num) and sum(map(len, counts)) <= 80 * len(counts)


def _alike(cell: str, counts: Counter[str]) -> bool:
    """Whether a cell is one of the values in another spelling, or made of their words: what_day beside what_time."""
    fold = {value.casefold() for value in counts}
    if cell.casefold() in fold:
        return True
    words = set(re.split(r"[\W_]+", cell.casefold())) - {""}
    return len(counts) > 2 and sum(bool(words & set(re.split(r"[\W_]+", value))) for value in fold) > 1


def _shorter(cell: str, values: Sequence[str]) -> float:
    """How rare a text as short as this one is below it; nothing in a file that is sorted by length."""
    limit = 1.5 * len(cell)
    if len(values[0]) <= limit:
        return 0.0
    return log10((len(values) + 1) / (sum(len(value) <= limit for value in values) + 1))


def names_columns(cells: Sequence[str]) -> bool:
    """Whether every cell of a row is a usual name of a column, as where two files were joined with their headers."""
    plain = [plain_name(cell) for cell in cells if cell.strip()]
    return len(plain) > 1 and len(set(plain)) == len(plain) and all(name in KNOWN_NAMES for name in plain)


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Names of columns out of cells: a name that comes again gets a number, as does an empty one."""
    taken: set[str] = set()
    again: Counter[str] = Counter()
    names: list[str] = []
    for index, cell in enumerate(cells):
        name = first = cell.strip() or f"column {index}"
        while name in taken:
            again[first] += 1
            name = f"{first}_{again[first] + 1}"
        taken.add(name)
        names.append(name)
    return tuple(names)
