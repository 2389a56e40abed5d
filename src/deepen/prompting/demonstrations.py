"""Labelled texts that a prompt shows: those most like the text that is asked about, as many of each label.

Shape legend: N texts that are asked about, E texts to choose from, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass
class Examples:
    """Chooses examples by the words they share with a text, rare ones first (TF-IDF, as runs of characters too).

    Attributes:
        texts: E labelled texts.
        labels: The number of each one's label.
        words: What each label is called.
        shown: How many are shown: as many of each label, or one each of the labels with the most similar texts.
        most_similar_last: Whether the most similar stands just before the question, or first.
    """

    texts: list[str]
    labels: list[int]
    words: tuple[str, ...]
    shown: int
    most_similar_last: bool = True

    @cached_property
    def _fitted(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
        return vectoriser, vectoriser.fit_transform(self.texts)

    def __call__(self, texts: Sequence[str], without: np.ndarray | None = None) -> list[list[tuple[str, str]]]:
        """The examples that each text is asked with.

        Args:
            texts: N texts.
            without: The example that each text is, which is not shown with it; None: they are none.

        Returns:
            For each text its examples in order, as text and what the label is called.
        """
        vectoriser, known = self._fitted
        asked = vectoriser.transform(texts)
        labels_E = np.array(self.labels)
        found = []
        for at in range(len(texts)):
            likeness_E = np.asarray((known @ asked[at].T).todense()).ravel()
            if without is not None:
                likeness_E[without[at]] = -1.0
            chosen = self._chosen(likeness_E, labels_E)
            chosen = chosen[::-1] if self.most_similar_last else chosen
            found.append([(self.texts[one], self.words[labels_E[one]]) for one in chosen])
        return found

    def _chosen(self, likeness_E: np.ndarray, labels_E: np.ndarray) -> list[int]:
        """The most similar texts of each label, the most similar of all first; of too many labels the one with it."""
        each = max(1, self.shown // len(self.words))
        order = np.argsort(-likeness_E, kind="stable")
        taken = np.zeros(len(self.words), np.int64)
        chosen: list[int] = []
        for one in order[likeness_E[order] >= 0]:
            if len(chosen) == max(self.shown, 1):
                break
            if taken[labels_E[one]] < each:
                taken[labels_E[one]] += 1
                chosen.append(int(one))
        return chosen
