"""Documents ranked by how often they are right, and by BM25. Shape legend: N queries, D documents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.types import Outputs
from deepen.models.arrays import check_shapes, read_arrays, read_names
from deepen.shallow.model import ARRAYS, Scaled, of_rows, write_model

Asked = Callable[[Any], tuple[list[list[str]], list[str], list[list[str]]]]
"""The words of a part's queries; the documents they are ranked among; the words of those."""
_K1, _B = 1.5, 0.75
_DOCUMENTS = "documents.json"


@dataclass
class Popular(Scaled):
    """Ranks documents by how often they were right in training, whatever is asked; the rung `majority`."""

    counts: dict[str, int]
    asked: Asked

    @property
    def num_parameters(self) -> int:
        """One a document."""
        return len(self.counts)

    def predict(self, part: Any) -> Outputs:
        """The same scores for every query: log counts."""
        queries, documents, _ = self.asked(part)
        scores_D = np.array([math.log(self.counts.get(text, 0) + 0.5) for text in documents], np.float32)
        return of_rows(np.tile(scores_D / self.temperature, (len(queries), 1)).astype(np.float32))

    def save(self, folder: Path) -> None:
        """Writes documents and counts."""
        _save(folder, self.counts, self.temperature)


@dataclass
class Bm25(Scaled):
    """Ranks documents by the words they share with the query, rare ones first, as bm25s scores them."""

    asked: Asked
    num_parameters: int = 0

    def predict(self, part: Any) -> Outputs:
        """BM25 of every document for every query."""
        queries, _, documents = self.asked(part)
        scores_ND = np.zeros((len(queries), len(documents)), np.float32)
        if documents and any(documents):
            index = _index(documents)
            for row, words in enumerate(queries):
                if words:
                    scores_ND[row] = index.get_scores(list(words))
        return of_rows((scores_ND / self.temperature).astype(np.float32))

    def save(self, folder: Path) -> None:
        """Writes the temperature; word counts are those of the documents at hand."""
        _save(folder, {}, self.temperature)


def _index(documents: Sequence[Sequence[str]]) -> Any:
    try:
        import bm25s
    except ImportError:
        raise SettingError("the rung lexical of ranking needs bm25s: pip install deepen[ranking]") from None
    index = bm25s.BM25(method="lucene", k1=_K1, b=_B)
    index.index([list(words) for words in documents], show_progress=False)
    return index


def fit_popular(answers: Sequence[str], asked: Asked) -> Popular:
    """Counts documents."""
    return Popular(dict(sorted(Counter(answers).items())), asked)


def fit_bm25(asked: Asked) -> Bm25:
    """There is nothing to learn; what is missing to run it is said at once."""
    _index([["a"]])
    return Bm25(asked)


def _save(folder: Path, counts: dict[str, int], temperature: float) -> None:
    arrays = {"counts": list(counts.values()), "temperature": [temperature]}
    write_model(folder, arrays, names=list(counts), file=_DOCUMENTS, dtype=np.float64)


def load_popular(folder: Path, asked: Asked) -> Popular:
    """Reads what `Popular.save` wrote."""
    arrays = read_arrays(folder / ARRAYS, {"temperature": 1, "counts": 1})
    documents = read_names(folder / _DOCUMENTS, [])
    check_shapes(folder / ARRAYS, arrays, {"counts": (len(documents),)})
    counts = dict(zip(documents, arrays["counts"].astype(int).tolist(), strict=True))
    return Popular(counts, asked, temperature=float(arrays["temperature"][0]))


def load_bm25(folder: Path, asked: Asked) -> Bm25:
    """Reads what `Bm25.save` wrote."""
    return Bm25(asked, temperature=float(read_arrays(folder / ARRAYS, {"temperature": 1})["temperature"][0]))
