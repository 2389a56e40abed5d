"""What an alarm shows: the words that moved, by name, and the rows that tell most.

Shape legend: N rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from deepen.data.words import mostly_chinese, words_of
from deepen.inference.analogies import unit_length
from deepen.watching.rows import Rows
from deepen.watching.signals import squeezed
from deepen.watching.signals.groups import DIRECTIONS, risen

_WORDS, _ROWS = 8, 20
_SURE = 4.0  # standard errors; thousands of words are looked at
_FEWEST = 5
_MOST_ROWS = 4000


def moved_words(reference: Sequence[str], window: Sequence[str]) -> list[dict[str, float | str]]:
    """Words that come more or less often than in the reference, the surest first; of Chinese, pairs of characters.

    Returns:
        `word`, and in which share of the rows it was (`before`) and is (`now`).
    """
    counts = [Counter(word for text in texts for word in _terms(text)) for texts in (reference, window)]
    found = []
    for word in counts[0].keys() | counts[1].keys():
        before, now = counts[0][word] / len(reference), counts[1][word] / len(window)
        pooled = (counts[0][word] + counts[1][word]) / (len(reference) + len(window))
        error = np.sqrt(pooled * (1 - pooled) * (1 / len(reference) + 1 / len(window)))
        if max(counts[0][word], counts[1][word]) >= _FEWEST and error and abs(now - before) / error >= _SURE:
            found.append((abs(now - before) / error, word, before, now))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [{"word": word, "before": round(before, 4), "now": round(now, 4)} for _, word, before, now in found[:_WORDS]]


def _terms(text: str) -> set[str]:
    words = [word for word in words_of(text) if any(map(str.isalnum, word))]
    if not mostly_chinese([text]):
        return set(words)
    return {one + two for one, two in pairwise(words) if len(one) == len(two) == 1} | {w for w in words if len(w) > 1}


def telling_rows(reference: Rows, rows: Rows) -> list[str]:
    """The ids of the rows that tell most: of the groups that have come up most, else the least sure ones.

    The same text is told once.
    """
    if rows.states_NF is None or reference.states_NF is None or len(rows) < _FEWEST:
        return [rows.ids[at] for at in np.argsort(rows.confidences_N, kind="stable")[:_ROWS]]
    rows = rows.take(np.arange(max(0, len(rows) - _MOST_ROWS), len(rows)))
    squeeze = squeezed(reference.states_NF, DIRECTIONS)
    own_NF, other_NF = (unit_length(squeeze(one.states_NF)) for one in (rows, reference))
    heap_NK = risen(np.concatenate([other_NF, own_NF]))
    own_NK, other_NK = heap_NK[len(reference) :], heap_NK[: len(reference)]
    come_up_N = (own_NK > 0) @ (own_NK.mean(0) - other_NK.mean(0))
    texts = rows.texts or rows.ids
    first: dict[str, str] = {}
    for at in np.argsort(-come_up_N, kind="stable"):
        first.setdefault(texts[at], rows.ids[at])
    return list(first.values())[:_ROWS]
