"""Answers that are text, without a network: the source itself, its first sentences, the commonest, the most similar.

Shape legend: N rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.files import write_json
from deepen.core.types import Texts
from deepen.data.words import words_of
from deepen.models.arrays import read_names

_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
_MOST_SENTENCES = 10
_SAYS, _MEMORY = "answers.json", "memory.json"
_AT_ONCE = 512


def plain_texts(texts: Sequence[str]) -> Texts:
    """Answers of what is no network: without probabilities, and whole."""
    none = np.zeros(len(texts))
    return Texts(tuple(texts), none * np.nan, none.astype(np.int64), ("end",) * len(texts), none, none)


def sentences(text: str) -> list[str]:
    """The sentences of a text, by their marks and by line ends.

    Example:
        >>> sentences("It rains. We stay!"), sentences("下雨了。我们不走")
        (['It rains.', 'We stay!'], ['下雨了。', '我们不走'])
    """
    return [found for part in _END.split(text) if (found := part.strip())]


@dataclass
class Says:
    """Answers with the same text whatever the source (`text`), or with its first sentences; 0 of them is all of it."""

    text: str | None = None
    num_sentences: int = 0
    num_parameters: int = 0

    def predict(self, part: Any) -> Any:
        """One answer a row, as `Texts`."""
        if self.text is not None:
            return plain_texts([self.text] * len(part))
        found = list(part.values("source"))
        if self.num_sentences:
            found = [" ".join(sentences(text)[: self.num_sentences]) for text in found]
        return plain_texts(found)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Nothing: there are no probabilities."""

    def save(self, folder: Path) -> None:
        """Writes what it says."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _SAYS, {"text": self.text, "sentences": self.num_sentences})


def commonest(answers: Sequence[str]) -> Says:
    """Says the commonest answer of training; of equally common ones the first."""
    return Says(text=Counter(answers).most_common(1)[0][0], num_parameters=1)


def lead(answers: Sequence[str]) -> Says:
    """Says as many first sentences as an answer of training usually has."""
    usual = int(np.median([len(sentences(text)) for text in answers[:1000]]))
    return Says(num_sentences=min(max(1, usual), _MOST_SENTENCES), num_parameters=1)


def load_says(folder: Path) -> Says:
    """Reads what `Says.save` wrote."""
    found = read_names(folder / _SAYS, {})
    text, number = found.get("text"), found.get("sentences")
    if not (text is None or isinstance(text, str)) or type(number) is not int:
        raise ModelError(f"{folder / _SAYS} is damaged: it holds no answer")
    return Says(text, number)


@dataclass
class Memory:
    """Answers with that of the most similar training row, by the rare words that the two sources share (TF-IDF)."""

    sources: list[str]
    answers: list[str] = field(repr=False)

    @property
    def num_parameters(self) -> int:
        """One a row."""
        return len(self.sources)

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectors = TfidfVectorizer(analyzer=words_of, sublinear_tf=True, dtype=np.float32)
        return vectors, vectors.fit_transform([*self.sources, "\ufffd"]).T.tocsc()  # never without a word

    def nearest(self, texts: Sequence[str], num: int, without: Sequence[int | None] | None = None) -> np.ndarray:
        """The rows whose sources are most similar, shape (N, num), the most similar first.

        Args:
            num: At most as many as there are rows.
            without: The row of each text itself, which is not among its neighbours.
        """
        vectors, columns = self._index
        found = []
        for at in range(0, len(texts), _AT_ONCE):
            near = np.asarray((vectors.transform(texts[at : at + _AT_ONCE]) @ columns).todense())[:, :-1]
            for row, own in enumerate(() if without is None else without[at : at + _AT_ONCE]):
                if own is not None:
                    near[row, own] = -1.0
            found.append(np.argsort(-near, axis=1, kind="stable")[:, :num])
        return np.concatenate(found) if found else np.zeros((0, num), np.int64)

    def predict(self, part: Any) -> Any:
        """One answer a row, as `Texts`."""
        near = self.nearest(list(part.values("source")), 1)
        return plain_texts([self.answers[at] for at in near[:, 0]])

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Nothing: there are no probabilities."""

    def save(self, folder: Path) -> None:
        """Writes the training rows."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _MEMORY, {"sources": self.sources, "answers": self.answers}, indent=None)


def load_memory(folder: Path) -> Memory:
    """Reads what `Memory.save` wrote."""
    found = read_names(folder / _MEMORY, {})
    sources, answers = found.get("sources"), found.get("answers")
    if not (isinstance(sources, list) and isinstance(answers, list) and len(sources) == len(answers) > 0):
        raise ModelError(f"{folder / _MEMORY} is damaged: it holds no rows")
    return Memory([str(text) for text in sources], [str(text) for text in answers])
