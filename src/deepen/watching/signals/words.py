"""How often the words of the reference come: in English words, in Chinese characters."""

from __future__ import annotations

from collections import Counter

import numpy as np

from deepen.data.words import words_of
from deepen.watching.rows import Rows
from deepen.watching.signals import Fitted, Signal

_MOST, _FEWEST_ROWS = 300, 10


def _fit(reference: Rows) -> Fitted | None:
    if reference.texts is None:
        return None
    counts = Counter(word for text in reference.texts for word in set(words_of(text)))
    often = [word for word, count in counts.most_common(_MOST) if count >= _FEWEST_ROWS]
    if not often:
        return None
    places = {word: at for at, word in enumerate(often)}
    scale_K = np.sqrt(np.array([counts[word] for word in often]) / len(reference))

    def view(rows: Rows) -> np.ndarray | None:
        if rows.texts is None:
            return None
        there_NK = np.zeros((len(rows), len(often)), np.float32)
        for row, text in enumerate(rows.texts):
            there_NK[row, [places[word] for word in set(words_of(text)) if word in places]] = 1
        return there_NK / scale_K.astype(np.float32)

    seen_NK = view(reference)
    return None if seen_NK is None else Fitted(seen_NK, view)


SIGNAL = Signal("their words", "other texts", _fit, scaled=False)
