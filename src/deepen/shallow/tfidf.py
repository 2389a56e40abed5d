"""Class frequencies, and TF-IDF with a linear model. Shape legend: N rows, C classes, V entries of a vocabulary."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, PositiveFloat, field_validator

from deepen.core.errors import ModelError
from deepen.core.foreign import blaming
from deepen.core.progress import progress
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Targets
from deepen.models.arrays import check_shapes, read_arrays, read_names
from deepen.shallow.model import ARRAYS, NAMES, of_rows, write_model
from deepen.shallow.ngrams import WORD, Kind, Ngrams

Texts = Callable[[Any], Iterator[str]]
_LONGEST_NGRAM = 10


class LexicalSettings(Settings):
    """Surface words and characters, linearly weighed."""

    word_ngrams: tuple[int, int] = (1, 2)
    """Shortest and longest run of words."""
    char_ngrams: tuple[int, int] = (2, 5)
    """Shortest and longest run of characters inside words; in Chinese they do the work."""
    min_rows: int = Field(default=2, ge=1)
    """An n-gram must occur in this many training rows; once is noise and doubles the vocabulary."""
    strengths: tuple[PositiveFloat, ...] = Field(default=(0.3, 1.0, 3.0, 10.0), min_length=1)
    """Values of C (inverse regularisation) to choose from."""
    folds: int = Field(default=3, ge=2)
    """Folds of the cross-validation that chooses C."""
    fold_work: int = Field(default=30_000, ge=1)
    """Cross-validation uses at most this many rows x classes (but 1,000 rows at least): C hardly depends on more."""
    fold_iterations: int = Field(default=20, ge=1)
    """L-BFGS iterations of a fit inside the cross-validation; the order of the Cs is settled early."""
    max_iterations: int = Field(default=60, ge=1)
    """L-BFGS iterations of one fit."""
    tag_l1: float = Field(default=0.05, ge=0)
    """For tagging: the penalty on the size of each weight, which drops most features; as c1 of crfsuite."""
    tag_l2: float = Field(default=0.01, ge=0)
    """For tagging: the penalty on its square; as c2 of crfsuite."""

    @field_validator("word_ngrams", "char_ngrams")
    @classmethod
    def _shortest_first(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1] <= _LONGEST_NGRAM:
            raise ValueError(f"write the shortest and the longest, from 1 to {_LONGEST_NGRAM}, as in [1, 2]")
        return value


@dataclass
class Frequencies:
    """Says how often each class was seen in training, whatever the text."""

    logits_C: np.ndarray
    rows_of: Callable[[Any], int]

    @property
    def num_parameters(self) -> int:
        """One a class."""
        return len(self.logits_C)

    def predict(self, part: Any) -> Outputs:
        """The same logits for every row."""
        return of_rows(np.tile(self.logits_C.astype(np.float32), (self.rows_of(part), 1)))

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides the logits, and shifts them."""
        self.logits_C = self.logits_C / temperature + shift_C

    def save(self, folder: Path) -> None:
        """Writes weights as safetensors."""
        write_model(folder, {"bias": self.logits_C})


@dataclass
class Linear:
    """A weight for each output and each thing that is seen, TF-IDF among it: what one text and pairs share."""

    vectorizers: dict[Kind, Ngrams]
    weight_CV: np.ndarray
    bias_C: np.ndarray

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return int(self.weight_CV.size + self.bias_C.size)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides weights and biases, and shifts biases."""
        self.weight_CV, self.bias_C = self.weight_CV / temperature, self.bias_C / temperature + shift_C

    def _logits(self, matrix: Any) -> np.ndarray:
        return np.asarray(matrix @ self.weight_CV.T + self.bias_C, dtype=np.float32)

    def _write(self, folder: Path, vocabulary: Any, **arrays: np.ndarray) -> None:
        arrays |= {"weight": self.weight_CV, "bias": self.bias_C}
        arrays |= {f"idf.{name}": one.idf_V for name, one in self.vectorizers.items()}
        write_model(folder, arrays, names=vocabulary)


@dataclass
class Lexical(Linear):
    """TF-IDF of words and characters, times a weight for each class."""

    texts: Texts

    def predict(self, part: Any) -> Outputs:
        """The logits of a part's rows."""
        return of_rows(self.logits(list(self.texts(part))))

    def features(self, part: Any) -> Any:
        """What it sees of each row: TF-IDF of words and characters, sparse, features_NV."""
        return _matrix(self.vectorizers, list(self.texts(part)))

    def logits(self, texts: list[str]) -> np.ndarray:
        """logits_NC of these texts."""
        return self._logits(_matrix(self.vectorizers, texts))

    def save(self, folder: Path) -> None:
        """Writes the vocabulary as JSON, weights and document frequencies as safetensors."""
        about = {name: {"ngrams": list(one.ngrams), "terms": one.terms} for name, one in self.vectorizers.items()}
        self._write(folder, about)


def fit_vectorizer(kind: Kind, ngrams: tuple[int, int], texts: list[str], min_rows: int) -> tuple[Ngrams, Any]:
    """The n-grams that so many texts have, or all where none is so frequent, and the features of the texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    how: dict[str, Any] = {"analyzer": "word", "token_pattern": WORD} if kind == "word" else {"analyzer": "char_wb"}
    how |= {"ngram_range": ngrams, "sublinear_tf": True, "dtype": np.float32}
    made = TfidfVectorizer(min_df=min_rows, **how)
    try:
        found = made.fit_transform(texts)
    except ValueError:  # no n-gram is frequent enough
        found = made.set_params(min_df=1).fit_transform(texts)
    return Ngrams(kind, ngrams, made.vocabulary_, made.idf_), found


def read_vectorizers(folder: Path, saved: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> dict[Kind, Ngrams]:
    """The vocabularies that a folder holds; of each the terms and the n-grams are saved."""
    found: dict[Kind, Ngrams] = {}
    for name, about in saved.items():
        with blaming(folder / NAMES, "is damaged"):
            kind: Kind = {"word": "word", "char": "char"}[name]  # type: ignore[assignment]
            terms = {str(term): at for at, term in enumerate(about["terms"])}
            ngrams = LexicalSettings(word_ngrams=about["ngrams"]).word_ngrams
            if not terms:
                raise ValueError("it holds no words")
        check_shapes(folder / ARRAYS, arrays, {f"idf.{kind}": (len(terms),)})
        found[kind] = Ngrams(kind, ngrams, terms, arrays[f"idf.{kind}"])
    return found


def _matrix(vectorizers: Mapping[Kind, Ngrams], texts: list[str]) -> Any:
    from scipy.sparse import hstack

    return hstack([v.transform(texts) for v in vectorizers.values()]).tocsr()


def fit_lexical(
    texts: Texts, part: Any, targets: Targets, num_classes: int, settings: LexicalSettings, seed: int
) -> Lexical:
    """Fits TF-IDF and a logistic regression, whose C cross-validation chooses; one class is a score."""
    vectorizers, matrix = _tf_idf(texts, part, settings)
    if num_classes == 1:
        return Lexical(vectorizers, *_ridge(matrix, targets.labels_M, settings, seed), texts)
    strength = _choose(matrix, targets, num_classes, settings, seed)
    weight, bias = _fit(matrix, targets.labels_M, strength, settings.max_iterations, targets.weights_M)
    return Lexical(vectorizers, weight, bias, texts)


def _tf_idf(texts: Texts, part: Any, settings: LexicalSettings) -> tuple[dict[Kind, Ngrams], Any]:
    """The vocabulary of a part's texts, and their features_NV."""
    from scipy.sparse import hstack

    rows = list(texts(part))
    min_rows = settings.min_rows if len(rows) >= 200 else 1
    both: dict[Kind, tuple[int, int]] = {"word": settings.word_ngrams, "char": settings.char_ngrams}
    fitted = {kind: fit_vectorizer(kind, ngrams, rows, min_rows) for kind, ngrams in both.items()}
    return {kind: made for kind, (made, _) in fitted.items()}, hstack([block for _, block in fitted.values()]).tocsr()


def fit_many(texts: Texts, part: Any, many_NC: np.ndarray, settings: LexicalSettings, seed: int) -> Lexical:
    """Fits TF-IDF and a logistic regression for each label (logit above 0), one C that cross-validation chooses."""
    from sklearn.model_selection import KFold

    vectorizers, matrix = _tf_idf(texts, part, settings)
    rows = _drawn(len(many_NC), many_NC.shape[1], settings, seed)
    small, given_NC = matrix[rows], many_NC[rows]

    def loss_of(fit: np.ndarray, held: np.ndarray, strength: float) -> float:
        weight, bias = _fit_each(small[fit], given_NC[fit], strength, settings.fold_iterations)
        logits_NC = small[held] @ weight.T + bias
        return float(np.logaddexp(0, np.where(given_NC[held] > 0, -logits_NC, logits_NC)).sum())

    folds = KFold(min(settings.folds, len(rows)), shuffle=True, random_state=seed % (1 << 32))
    best = _cheapest(sorted(settings.strengths), folds.split(rows), loss_of)
    return Lexical(vectorizers, *_fit_each(matrix, many_NC, best, settings.max_iterations), texts)


def _drawn(num_rows: int, num_outputs: int, settings: LexicalSettings, seed: int) -> np.ndarray:
    """The rows that cross-validation uses, rising."""
    limit = max(1000, settings.fold_work // num_outputs)
    return np.sort(np.random.default_rng(seed).permutation(num_rows)[:limit])


def _cheapest(
    strengths: list[float],
    splits: Iterable[tuple[np.ndarray, np.ndarray]],
    loss_of: Callable[[np.ndarray, np.ndarray, float], float],
) -> float:
    """The strength with the least loss over the folds, each of which is fitted on some rows and held to others."""
    folds, losses = list(splits), np.zeros(len(strengths))
    with progress("lexical: choosing C", len(folds) * len(strengths), unit="fits") as advance:
        for fit, held in folds:
            for index, strength in enumerate(strengths):
                losses[index] += loss_of(fit, held, strength)
                advance()
    return strengths[int(losses.argmin())]


def _fit_each(matrix: Any, many_NC: np.ndarray, strength: float, max_iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of each label; one that all rows have, or none, gets its frequency."""
    weight = np.zeros((many_NC.shape[1], matrix.shape[1]))
    has_C = many_NC.sum(0, dtype=np.int64)
    bias = np.log((has_C + 0.5) / (len(many_NC) - has_C + 0.5))
    for at in np.flatnonzero((has_C > 0) & (has_C < len(many_NC))):
        two, ends = _fit(matrix, many_NC[:, at], strength, max_iterations)
        weight[at], bias[at] = two[1] - two[0], ends[1] - ends[0]
    return weight.astype(np.float32), bias.astype(np.float32)


def _ridge(matrix: Any, scores_N: np.ndarray, settings: LexicalSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A linear model of scores; cross-validation chooses its strength."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, KFold

    folds = KFold(min(settings.folds, len(scores_N)), shuffle=True, random_state=seed % (1 << 32))
    model = Ridge(solver="sparse_cg", tol=1e-3, random_state=0)
    search = GridSearchCV(model, {"alpha": [1 / c for c in settings.strengths]}, cv=folds, scoring="r2")
    best = search.fit(matrix, scores_N).best_estimator_
    return np.atleast_2d(best.coef_), np.atleast_1d(best.intercept_)


def _fit(
    matrix: Any, labels_N: np.ndarray, strength: float, max_iterations: int, weights_N: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model = LogisticRegression(C=strength, max_iter=max_iterations, tol=1e-3)
        model.fit(matrix, labels_N, sample_weight=weights_N)
    return both_sides(model)


def both_sides(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of a fitted logistic regression, a row a class."""
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    # Two classes share one weight vector; half to each side keeps softmax equal to the sigmoid.
    return np.vstack([-model.coef_, model.coef_]) / 2, np.concatenate([-model.intercept_, model.intercept_]) / 2


def _choose(matrix: Any, targets: Targets, num_classes: int, settings: LexicalSettings, seed: int) -> float:
    from sklearn.model_selection import StratifiedKFold

    labels_N, weights_N = targets.labels_M, targets.weights_M
    strengths = sorted(settings.strengths)
    rows = _drawn(len(labels_N), num_classes, settings, seed)
    rows = rows[np.bincount(labels_N[rows])[labels_N[rows]] >= settings.folds]
    labels_N, weights_N = labels_N[rows], None if weights_N is None else weights_N[rows]
    if len(strengths) == 1 or len(np.unique(labels_N)) < 2:
        return strengths[len(strengths) // 2]
    small = matrix[rows]
    small = small[:, np.flatnonzero(np.bincount(small.indices, minlength=small.shape[1]) >= settings.min_rows)]

    def loss_of(fit: np.ndarray, held: np.ndarray, strength: float) -> float:
        own = None if weights_N is None else weights_N[fit]
        weight, bias = _fit(small[fit], labels_N[fit], strength, settings.fold_iterations, own)
        guess = np.unique(labels_N[fit])[np.argmax(small[held] @ weight.T + bias, axis=1)]
        return -float(np.sum((guess == labels_N[held]) * (1 if weights_N is None else weights_N[held])))

    folds = StratifiedKFold(settings.folds, shuffle=True, random_state=seed % (1 << 32))
    return _cheapest(strengths, folds.split(rows, labels_N), loss_of)


def load_lexical(folder: Path, texts: Texts) -> Lexical:
    """Reads what `Lexical.save` wrote."""
    names = folder / NAMES
    vocabulary = read_names(names, {})
    arrays = read_arrays(folder / ARRAYS, {"weight": 2, "bias": 1, **{f"idf.{kind}": 1 for kind in vocabulary}})
    vectorizers = read_vectorizers(folder, vocabulary, arrays)
    if not vectorizers:
        raise ModelError(f"{names} is damaged: it holds no words", file=str(names))
    width = sum(len(arrays[f"idf.{kind}"]) for kind in vectorizers)
    check_shapes(folder / ARRAYS, arrays, {"weight": (len(arrays["bias"]), width)})
    return Lexical(vectorizers, arrays["weight"], arrays["bias"], texts)


def load_frequencies(folder: Path, rows_of: Callable[[Any], int]) -> Frequencies:
    """Reads what `Frequencies.save` wrote."""
    return Frequencies(read_arrays(folder / ARRAYS, {"bias": 1})["bias"], rows_of)
