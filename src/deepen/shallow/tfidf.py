"""Class frequencies, and TF-IDF with a linear model. Shape legend: N rows, C classes, V entries of a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, PositiveFloat, field_validator
from safetensors.numpy import save_file

from deepen.core.errors import ModelError
from deepen.core.files import write_json
from deepen.core.foreign import blaming
from deepen.core.progress import progress
from deepen.core.settings import Settings
from deepen.core.types import Outputs, Targets
from deepen.models.arrays import check_shapes, read_arrays, read_names
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
        num = self.rows_of(part)
        return Outputs(np.tile(self.logits_C.astype(np.float32), (num, 1)), np.arange(num + 1))

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides the logits, and shifts them."""
        self.logits_C = self.logits_C / temperature + shift_C

    def save(self, folder: Path) -> None:
        """Writes weights as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"bias": np.ascontiguousarray(self.logits_C, np.float32)}, folder / "model.safetensors")


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
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "vocabulary.json", vocabulary, indent=None)
        arrays |= {"weight": self.weight_CV, "bias": self.bias_C}
        arrays |= {f"idf.{name}": v.idf_V for name, v in self.vectorizers.items()}
        save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, folder / "model.safetensors")


@dataclass
class Lexical(Linear):
    """TF-IDF of words and characters, times a weight for each class."""

    texts: Texts

    def predict(self, part: Any) -> Outputs:
        """The logits of a part's rows."""
        values = self.logits(list(self.texts(part)))
        return Outputs(values, np.arange(len(values) + 1))

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
    try:
        made = TfidfVectorizer(min_df=min_rows, **how)
        found = made.fit_transform(texts)
    except ValueError:  # no n-gram is frequent enough
        made = TfidfVectorizer(min_df=1, **how)
        found = made.fit_transform(texts)
    return Ngrams(kind, ngrams, made.vocabulary_, made.idf_), found


def read_vectorizers(
    folder: Path, saved: Mapping[str, Any], arrays: dict[str, np.ndarray], parts: Callable[[Kind, Any], Any]
) -> dict[Kind, Ngrams]:
    """The vocabularies that a folder holds; `parts` gives the terms and the n-grams of one."""
    names, found = folder / "vocabulary.json", dict[Kind, Ngrams]()
    for name, one in saved.items():
        with blaming(names, "is damaged"):
            kind: Kind = {"word": "word", "char": "char"}[name]  # type: ignore[assignment]
            words, ngrams = parts(kind, one)
            terms = {str(term): at for at, term in enumerate(words)}
            if not terms:
                raise ValueError("it holds no words")
        check_shapes(folder / "model.safetensors", arrays, {f"idf.{kind}": (len(terms),)})
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
    strengths = sorted(settings.strengths)
    rows = np.random.default_rng(seed).permutation(len(many_NC))
    rows = np.sort(rows[: max(1000, settings.fold_work // many_NC.shape[1])])
    losses = np.zeros(len(strengths))
    folds = KFold(min(settings.folds, len(rows)), shuffle=True, random_state=seed % (1 << 32))
    with progress("lexical: choosing C", folds.get_n_splits() * len(strengths), unit="fits") as advance:
        for fit, held in folds.split(rows):
            for index, strength in enumerate(strengths):
                weight, bias = _fit_each(matrix[rows[fit]], many_NC[rows[fit]], strength, settings.fold_iterations)
                logits_NC = matrix[rows[held]] @ weight.T + bias
                losses[index] += float(np.logaddexp(0, np.where(many_NC[rows[held]] > 0, -logits_NC, logits_NC)).sum())
                advance()
    best = strengths[int(losses.argmin())]
    return Lexical(vectorizers, *_fit_each(matrix, many_NC, best, settings.max_iterations), texts)


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
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
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
    chance = np.random.default_rng(seed)
    limit = max(1000, settings.fold_work // num_classes)
    rows = np.sort(chance.permutation(len(labels_N))[:limit])
    counts = np.bincount(labels_N[rows], minlength=num_classes)
    rows = rows[counts[labels_N[rows]] >= settings.folds]
    if len(strengths) == 1 or len(np.unique(labels_N[rows])) < 2:
        return strengths[len(strengths) // 2]
    folds = StratifiedKFold(settings.folds, shuffle=True, random_state=seed % (1 << 32))
    right = np.zeros(len(strengths))
    small, weighs = matrix[rows], None if weights_N is None else weights_N[rows]
    small = small[:, np.flatnonzero(np.bincount(small.indices, minlength=small.shape[1]) >= settings.min_rows)]
    with progress("lexical: choosing C", settings.folds * len(strengths), unit="fits") as advance:
        for fit, held in folds.split(rows, labels_N[rows]):
            known = np.unique(labels_N[rows[fit]])
            for index, strength in enumerate(strengths):
                own = None if weighs is None else weighs[fit]
                weight, bias = _fit(small[fit], labels_N[rows[fit]], strength, settings.fold_iterations, own)
                guess = known[np.argmax(small[held] @ weight.T + bias, axis=1)]
                right[index] += np.sum((guess == labels_N[rows[held]]) * (1 if weighs is None else weighs[held]))
                advance()
    return strengths[int(np.argmax(right))]


def load_lexical(folder: Path, texts: Texts) -> Lexical:
    """Reads what `Lexical.save` wrote."""
    path, names = folder / "model.safetensors", folder / "vocabulary.json"
    vocabulary = read_names(names, {})
    arrays = read_arrays(path, {"weight": 2, "bias": 1, **{f"idf.{kind}": 1 for kind in vocabulary}})

    def parts(kind: Kind, saved: Any) -> Any:
        return saved["terms"], LexicalSettings(word_ngrams=saved["ngrams"]).word_ngrams

    vectorizers = read_vectorizers(folder, vocabulary, arrays, parts)
    if not vectorizers:
        raise ModelError(f"{names} is damaged: it holds no words", file=str(names))
    width = sum(len(arrays[f"idf.{kind}"]) for kind in vectorizers)
    check_shapes(path, arrays, {"weight": (len(arrays["bias"]), width)})
    return Lexical(vectorizers, arrays["weight"], arrays["bias"], texts)


def load_frequencies(folder: Path, rows_of: Callable[[Any], int]) -> Frequencies:
    """Reads what `Frequencies.save` wrote."""
    return Frequencies(read_arrays(folder / "model.safetensors", {"bias": 1})["bias"], rows_of)
