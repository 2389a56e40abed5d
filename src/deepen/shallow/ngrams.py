"""TF-IDF of word or character n-grams whose vocabulary is known.

The numbers are those of scikit-learn's TfidfVectorizer, bit for bit, which learns the vocabulary; importing it takes
longer than a saved model needs to answer, and this needs numpy and a sparse matrix.

Shape legend: N texts, V entries of a vocabulary, K n-grams of all texts, each counted once a text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

WORD = r"\w+|[^\w\s]"
"""What a word is, as a regular expression."""
_WORD = re.compile(WORD)
Kind = Literal["word", "char"]


@dataclass(frozen=True)
class Ngrams:
    """A vocabulary of n-grams with how rare each is.

    Attributes:
        kind: Runs of words, or of characters inside words and at their edges.
        ngrams: The shortest and the longest run.
        vocabulary: N-gram to its place.
        idf_V: Inverse document frequencies.
    """

    kind: Kind
    ngrams: tuple[int, int]
    vocabulary: Mapping[str, int]
    idf_V: np.ndarray

    @property
    def terms(self) -> list[str]:
        """The n-grams in their order."""
        return sorted(self.vocabulary, key=lambda term: self.vocabulary[term])

    def transform(self, texts: Sequence[str]) -> Any:
        """Rows of length 1, sparse, features_NV: 1 + log of how often an n-gram is there, times its idf."""
        from scipy.sparse import csr_matrix

        runs, place = _word_runs if self.kind == "word" else _char_runs, self.vocabulary
        counted = [Counter(place[run] for run in runs(text.lower(), *self.ngrams) if run in place) for text in texts]
        offsets_N1 = np.concatenate([[0], np.cumsum([len(one) for one in counted], dtype=np.int64)])
        places_K = np.array([at for one in counted for at in one], np.int32)
        values_K = np.array([number for one in counted for number in one.values()], np.float32)
        matrix = csr_matrix((values_K, places_K, offsets_N1), shape=(len(texts), len(place)))
        matrix.sort_indices()
        matrix.data = np.log(matrix.data) + np.float32(1)
        matrix.data *= self.idf_V[matrix.indices]
        owners_K = np.repeat(np.arange(len(texts)), np.diff(offsets_N1))
        squares_N = np.bincount(owners_K, weights=matrix.data * matrix.data, minlength=len(texts))
        lengths_N = np.sqrt(np.where(squares_N > 0, squares_N, 1.0))
        matrix.data = (matrix.data / lengths_N[owners_K]).astype(np.float32)
        return matrix


def _word_runs(text: str, shortest: int, longest: int) -> Iterator[str]:
    words = _WORD.findall(text)
    for size in range(shortest, longest + 1):
        yield from (" ".join(words[at : at + size]) for at in range(len(words) - size + 1))


def _char_runs(text: str, shortest: int, longest: int) -> Iterator[str]:
    """A word that is shorter than a run is one by itself, with the spaces around it, and has no longer ones."""
    for word in text.split():
        spaced = f" {word} "
        for size in range(shortest, longest + 1):
            if len(spaced) <= size:
                yield spaced
                break
            yield from (spaced[at : at + size] for at in range(len(spaced) - size + 1))
