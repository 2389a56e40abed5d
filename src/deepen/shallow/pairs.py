"""The surface of two texts: what they share, how long they are, and the words of each, with a linear model on top.

Shape legend: N pairs, C outputs, V entries of a vocabulary, F overlap features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.types import Outputs, Targets
from deepen.data.words import longest_run, words_of
from deepen.models.arrays import check_shapes, read_arrays, read_names
from deepen.shallow.ngrams import Kind, Ngrams
from deepen.shallow.tfidf import LexicalSettings, Linear, both_sides, fit_vectorizer, read_vectorizers

Pairs = Callable[[Any], tuple[list[str], list[str]]]
_NGRAMS: dict[Kind, tuple[int, int]] = {"word": (1, 2), "char": (2, 4)}


@dataclass
class PairSurface(Linear):
    """Overlap, lengths, TF-IDF similarity and the words of each side, times a weight for each output."""

    scale_F: np.ndarray
    pairs: Pairs

    def predict(self, part: Any) -> Outputs:
        """The logits of a part's pairs."""
        values = self._logits(_matrix(self.vectorizers, self.scale_F, *self.pairs(part)))
        return Outputs(values, np.arange(len(values) + 1))

    def save(self, folder: Path) -> None:
        """Writes the vocabularies as JSON and the numbers as safetensors."""
        self._write(folder, {kind: one.terms for kind, one in self.vectorizers.items()}, scale=self.scale_F)


def overlap_features(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """What two texts share on their surface, features_NF.

    Shares of common words, of common character 3-grams, of each side's words that the other has, the longest common run
    of words, the words that stay when one is edited into the other, lengths, negations and numbers on one side only.
    """
    return np.array([_overlap(a, b) for a, b in zip(first, second, strict=True)], dtype=np.float32)


_NOT = frozenset("not no n't never nobody nothing none without 不 没 无 非 未".split())


def _overlap(first: str, second: str) -> list[float]:
    one, two = words_of(first), words_of(second)
    a, b = set(one), set(two)
    grams = [{text[i : i + 3] for i in range(max(1, len(text) - 2))} for text in (first.lower(), second.lower())]
    numbers = [{word for word in words if word[:1].isdigit()} for words in (a, b)]
    common = len(a & b)
    return [
        common / max(1, len(a | b)),
        len(grams[0] & grams[1]) / max(1, len(grams[0] | grams[1])),
        common / max(1, len(a)),
        common / max(1, len(b)),
        longest_run(one, two) / max(1, min(len(one), len(two))),
        SequenceMatcher(None, one, two, autojunk=False).ratio(),
        abs(len(one) - len(two)) / max(1, len(one) + len(two)),
        (len(one) - len(two)) / max(1, len(one) + len(two)),
        float(bool(a & _NOT) != bool(b & _NOT)),
        float(bool(numbers[0] ^ numbers[1])),
        float(one == two),
    ]


def _matrix(vectorizers: Mapping[Kind, Ngrams], scale_F: np.ndarray, first: list[str], second: list[str]) -> Any:
    """Overlap and cosine similarities, then the TF-IDF words of each side by itself."""
    return _joined(_dense(vectorizers, first, second) / scale_F, vectorizers["word"], first, second)


def _dense(vectorizers: Mapping[Kind, Ngrams], first: list[str], second: list[str]) -> np.ndarray:
    sides = [(vectorizer.transform(first), vectorizer.transform(second)) for vectorizer in vectorizers.values()]
    cosines = [np.asarray(one.multiply(two).sum(1)).ravel() for one, two in sides]
    dense = np.column_stack([overlap_features(first, second), *cosines])
    return np.column_stack([dense, dense**2])


def _joined(dense: np.ndarray, words: Ngrams, first: list[str], second: list[str]) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(dense.astype(np.float32)), words.transform(first), words.transform(second)]).tocsr()


def fit_pairs(
    pairs: Pairs, part: Any, targets: Targets, num_outputs: int, settings: LexicalSettings, seed: int
) -> PairSurface:
    """Fits a linear model on the surface of pairs; cross-validation chooses its strength. One output is a score."""
    first, second = pairs(part)
    rows = settings.min_rows
    vectorizers = {kind: fit_vectorizer(kind, ngrams, first + second, rows)[0] for kind, ngrams in _NGRAMS.items()}
    dense = _dense(vectorizers, first, second)
    scale_F = np.maximum(dense.std(0), 1e-6).astype(np.float32)
    matrix = _joined(dense / scale_F, vectorizers["word"], first, second)
    weight_CV, bias_C = _fit(matrix, targets, num_outputs, settings, seed)
    return PairSurface(vectorizers, weight_CV, bias_C, scale_F, pairs)


def _fit(
    matrix: Any, targets: Targets, num_outputs: int, settings: LexicalSettings, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

    targets_N = targets.labels_M
    if num_outputs == 1:
        ridge = RidgeCV(alphas=[1 / c for c in settings.strengths]).fit(matrix, targets_N)
        return np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_)
    rare = np.bincount(targets_N).min() < settings.folds
    folds = (KFold if rare else StratifiedKFold)(settings.folds, shuffle=True, random_state=seed % (1 << 32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        model = LogisticRegression(max_iter=settings.max_iterations, tol=1e-3)
        search = GridSearchCV(model, {"C": list(settings.strengths)}, cv=folds, error_score=0.0)
        best = search.fit(matrix, targets_N, sample_weight=targets.weights_M).best_estimator_
    return both_sides(best)


def load_pairs(folder: Path, pairs: Pairs) -> PairSurface:
    """Reads what `PairSurface.save` wrote."""
    path, names = folder / "model.safetensors", folder / "vocabulary.json"
    terms = read_names(names, {})
    if set(terms) != set(_NGRAMS):
        raise ModelError(f"{names} is damaged: it must hold {' and '.join(_NGRAMS)}", file=str(names))
    arrays = read_arrays(path, {"weight": 2, "bias": 1, "scale": 1, **{f"idf.{kind}": 1 for kind in terms}})
    vectorizers = read_vectorizers(folder, terms, arrays, lambda kind, words: (words, _NGRAMS[kind]))
    wide = len(arrays["scale"]) + 2 * len(arrays["idf.word"])
    check_shapes(path, arrays, {"weight": (len(arrays["bias"]), wide)})
    return PairSurface(vectorizers, arrays["weight"], arrays["bias"], arrays["scale"], pairs)
