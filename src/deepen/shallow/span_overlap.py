"""Answers by the surface of a text: where answers mostly stand, and the sentence that shares most with the question.

Shape legend: N rows, M words of all contexts, V words of the vocabulary.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.foreign import blaming
from deepen.core.types import Outputs
from deepen.models.arrays import check_shapes, read_arrays, read_names
from deepen.shallow.model import ARRAYS, NAMES, offsets_of, write_model

Asked = Callable[[Any], Iterator[tuple[list[str], list[str]]]]
"""The words of the question and of the context of each row of a part."""
_MOST_PLACES = 256
_SENTENCE_END = frozenset(".!?。！？；;")
_WORD = re.compile(r"\w")


@dataclass
class _Spans:
    """What both models share: logits for two outputs, start and end, that can be scaled and shifted."""

    asked: Asked
    temperature: float
    shift_C: np.ndarray

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides every later logit, and shifts it."""
        self.temperature *= temperature
        self.shift_C = self.shift_C / temperature + shift_C

    def predict(self, part: Any) -> Outputs:
        """The logits of a part's words: that the answer starts here, that it ends here."""
        rows = [self.logits(question, context) for question, context in self.asked(part)]
        values = np.concatenate(rows) if rows else np.zeros((0, 2))
        return Outputs((values / self.temperature + self.shift_C).astype(np.float32), offsets_of(rows))

    def logits(self, question: Sequence[str], context: Sequence[str]) -> np.ndarray:
        """Logits of shape (M, 2) for the words of one context, before scaling."""
        raise NotImplementedError

    def _write(self, folder: Path, arrays: dict[str, Any], names: Any = None) -> None:
        arrays |= {"temperature": [self.temperature], "shift": self.shift_C}
        write_model(folder, arrays, names=names, dtype=np.float64)


@dataclass
class UsualPlace(_Spans):
    """Says how often an answer starts and ends at each place, whatever is asked; the rung `majority`."""

    logits_P2: np.ndarray

    @property
    def num_parameters(self) -> int:
        """Two a place."""
        return int(self.logits_P2.size)

    def logits(self, question: Sequence[str], context: Sequence[str]) -> np.ndarray:
        """The logits of the places, the last for all that lie beyond."""
        return self.logits_P2[np.minimum(np.arange(len(context)), len(self.logits_P2) - 1)]

    def save(self, folder: Path) -> None:
        """Writes the logits as safetensors."""
        self._write(folder, {"places": self.logits_P2})


@dataclass
class Overlap(_Spans):
    """The best run of words in the sentence that shares most with the question; rare words count for more."""

    weights: dict[str, float]
    rare: float
    longest: int
    sure_2: np.ndarray
    else_2: np.ndarray

    @property
    def num_parameters(self) -> int:
        """A weight for each word."""
        return len(self.weights)

    def logits(self, question: Sequence[str], context: Sequence[str]) -> np.ndarray:
        """High where the chosen run starts and ends, low elsewhere."""
        out = np.tile(self.else_2, (len(context), 1))
        if context:
            start, end = self.best_run(question, context)
            out[start, 0], out[end, 1] = self.sure_2
        return out

    def best_run(self, question: Sequence[str], context: Sequence[str]) -> tuple[int, int]:
        """First and last word of the heaviest run that the question does not hold, in the sentence of most overlap."""
        asked = {word.lower() for word in question}
        words = [word.lower() for word in context]
        weight = [self.weights.get(word, self.rare) if _WORD.search(word) else 0.0 for word in words]
        sentences = _sentences(context)
        overlap = [sum(weight[at] for at in set(_firsts(words, asked, some))) for some in sentences]
        first, stop = sentences[int(np.argmax(overlap))]
        best, found = -1.0, (first, first)
        at = first
        while at < stop:
            run = at
            while run < stop and words[run] not in asked and weight[run] > 0 and run - at < self.longest:
                run += 1
            total = sum(weight[at:run])
            if total > best:
                best, found = total, (at, max(at, run - 1))
            at = max(run, at + 1)
        return found

    def save(self, folder: Path) -> None:
        """Writes the words as JSON and the numbers as safetensors."""
        numbers = {
            "weights": list(self.weights.values()),
            "rare": [self.rare],
            "sure": self.sure_2,
            "else": self.else_2,
        }
        self._write(folder, numbers, {"words": list(self.weights), "longest": self.longest})


def _sentences(context: Sequence[str]) -> list[tuple[int, int]]:
    ends = [at + 1 for at, word in enumerate(context) if word in _SENTENCE_END]
    cuts = sorted({0, *ends, len(context)})
    return list(pairwise(cuts))


def _firsts(words: Sequence[str], asked: set[str], sentence: tuple[int, int]) -> Iterator[int]:
    """The places of different words of a sentence that the question holds."""
    seen = set()
    for at in range(*sentence):
        if words[at] in asked and words[at] not in seen:
            seen.add(words[at])
            yield at


def fit_usual_place(asked: Asked, spans: Sequence[Sequence[tuple[int, int]]], part: Any) -> UsualPlace:
    """Counts where answers start and end."""
    there, hits = np.zeros(_MOST_PLACES), np.zeros((_MOST_PLACES, 2))
    for (_, context), row in zip(asked(part), spans, strict=True):
        np.add.at(there, np.minimum(np.arange(len(context)), _MOST_PLACES - 1), 1)
        for span in row:
            for side in (0, 1):
                hits[min(span[side], _MOST_PLACES - 1), side] += 1
    share_P2 = (hits + 0.5 * hits.sum(0) / max(1.0, there.sum())) / (there[:, None] + 0.5)
    return UsualPlace(asked, 1.0, np.zeros(2), _log_odds(share_P2))


def fit_overlap(asked: Asked, spans: Sequence[Sequence[tuple[int, int]]], part: Any) -> Overlap:
    """Counts in how many contexts each word stands, how often the chosen run is right, how long most answers are."""
    contexts = {tuple(context) for _, context in asked(part)}
    counts = Counter(word.lower() for context in contexts for word in set(context))
    num = len(contexts)
    weights = {word: math.log((num + 1) / (count + 0.5)) for word, count in sorted(counts.items())}
    lengths = [last - first + 1 for row in spans for first, last in row] or [1]
    longest = max(1, int(np.quantile(lengths, 0.9)))
    model = Overlap(asked, 1.0, np.zeros(2), weights, math.log(2 * num + 2), longest, np.zeros(2), np.zeros(2))
    right, rows, words, answers = np.zeros(2), 0, 0, 0
    for (question, context), row in zip(asked(part), spans, strict=True):
        if not context:
            continue
        rows, words, answers = rows + 1, words + len(context), answers + len(row)
        found = model.best_run(question, context)
        right += [any(found[side] == span[side] for span in row) for side in (0, 1)]
    model.sure_2 = _log_odds((right + 0.5) / (rows + 1))
    model.else_2 = _log_odds((np.maximum(answers - right, 0) + 0.5) / (words + 1))
    return model


def _log_odds(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)))


def load_usual_place(folder: Path, asked: Asked) -> UsualPlace:
    """Reads what `UsualPlace.save` wrote."""
    arrays = _read(folder, places=2)
    check_shapes(folder / ARRAYS, arrays, {"places": (len(arrays["places"]), 2)})
    return UsualPlace(asked, float(arrays["temperature"][0]), arrays["shift"], arrays["places"])


def load_overlap(folder: Path, asked: Asked) -> Overlap:
    """Reads what `Overlap.save` wrote."""
    names = folder / NAMES
    arrays, about = _read(folder, weights=1, rare=1, sure=1, **{"else": 1}), read_names(names, {})
    with blaming(names, "is damaged"):
        words, longest = list(map(str, about["words"])), int(about["longest"])
    check_shapes(folder / ARRAYS, arrays, {"weights": (len(words),), "sure": (2,), "else": (2,)})
    weights = dict(zip(words, arrays["weights"].tolist(), strict=True))
    scale = float(arrays["temperature"][0]), arrays["shift"]
    return Overlap(asked, *scale, weights, float(arrays["rare"][0]), longest, arrays["sure"], arrays["else"])


def _read(folder: Path, **sizes: int) -> dict[str, np.ndarray]:
    arrays = read_arrays(folder / ARRAYS, {"temperature": 1, "shift": 1, **sizes})
    if len(arrays["shift"]) != 1:
        check_shapes(folder / ARRAYS, arrays, {"shift": (2,)})
    return arrays
