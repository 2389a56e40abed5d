"""Words that no other row of the reference has, and characters that it has not: new topics, typos, damage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from deepen.data.words import words_of
from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal


def unknown(texts: Sequence[str]) -> tuple[np.ndarray, Callable[[Sequence[str]], np.ndarray]]:
    """The share of unknown words and of unknown characters.

    Returns:
        Both for each text as seen from the others, shares_N2, and a function that gives them for other texts.
    """
    words = Counter(word for text in texts for word in set(words_of(text)))
    characters = Counter(character for text in texts for character in set(text))

    def shares(others: Sequence[str], own: int) -> np.ndarray:
        made = np.zeros((len(others), 2), np.float32)
        for row, text in enumerate(others):
            found = words_of(text)
            made[row, 0] = np.mean([words[word] <= own for word in found]) if found else 0.0
            made[row, 1] = np.mean([characters[one] <= own for one in text]) if text else 0.0
        return made

    return shares(texts, 1), lambda others: shares(others, 0)


def _fit(reference: Rows) -> Fitted | None:
    if reference.texts is None:
        return None
    shares_N2, view = unknown(reference.texts)
    return Fitted(shares_N2, lambda rows: None if rows.texts is None else view(rows.texts))


SIGNAL = Signal("words that are not known", "unknown words", _fit)
