"""The surface of two texts: what they share, how long they are, and the words of each, with a linear model on top.

Shape legend: N pairs, C outputs, V entries of a vocabulary, F overlap features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from deepen.core.errors import ModelError
from deepen.core.files import write_json
from deepen.core.foreign import blaming
from deepen.core.types import Outputs
from deepen.data.words import longest_run, split_words
from deepen.models.arrays import check_shapes, read_arrays, read_names
from deepen.shallow.tfidf import LexicalSettings

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

Pairs = Callable[[Any], tuple[list[str], list[str]]]
_NGRAMS = {"word": (1, 2), "char": (2, 4)}


@dataclass
class PairSurface:
    """Overlap, lengths, TF-IDF similarity and the words of each side, times a weight for each output."""

    vectorizers: dict[str, TfidfVectorizer]
    weight_CV: np.ndarray
    bias_C: np.ndarray
    scale_F: np.ndarray
    pairs: Pairs

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return int(self.weight_CV.size + self.bias_C.size)

    def predict(self, part: Any) -> Outputs:
        """The logits of a part's pairs."""
        matrix = _matrix(self.vectorizers, self.scale_F, *self.pairs(part))
        values = np.asarray(matrix @ self.weight_CV.T + self.bias_C, dtype=np.float32)
        return Outputs(values, np.arange(len(values) + 1))

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides weights and biases, and shifts biases."""
        self.weight_CV, self.bias_C = self.weight_CV / temperature, self.bias_C / temperature + shift_C

    def save(self, folder: Path) -> None:
        """Writes the vocabularies as JSON and the numbers as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        terms = {name: sorted(v.vocabulary_, key=v.vocabulary_.get) for name, v in self.vectorizers.items()}
        write_json(folder / "vocabulary.json", terms, indent=None)
        arrays = {"weight": self.weight_CV, "bias": self.bias_C, "scale": self.scale_F}
        arrays |= {f"idf.{name}": v.idf_ for name, v in self.vectorizers.items()}
        save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, folder / "model.safetensors")


def overlap_features(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """What two texts share on their surface.

    Returns:
        features_NF: shares of common words, of common character 3-grams, of each side's words that the other has, the
        length of the longest common run of words, the share of words that stay when one is edited into the other, the
        difference of lengths, and whether just one holds a negation or a number that the other lacks.
    """
    return np.array([_overlap(a, b) for a, b in zip(first, second, strict=True)], dtype=np.float32)


_NOT = frozenset("not no n't never nobody nothing none without 不 没 无 非 未".split())


def _overlap(first: str, second: str) -> list[float]:
    one, two = ([text[s:e].lower() for s, e in split_words(text)] for text in (first, second))
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


def _vectorizer(kind: str, **fixed: Any) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    analyzer = "word" if kind == "word" else "char_wb"
    pattern = r"\w+|[^\w\s]" if kind == "word" else None
    return TfidfVectorizer(
        analyzer=analyzer,
        ngram_range=_NGRAMS[kind],
        token_pattern=pattern,
        sublinear_tf=True,
        dtype=np.float32,
        **fixed,
    )


def _matrix(vectorizers: dict[str, Any], scale_F: np.ndarray, first: list[str], second: list[str]) -> Any:
    """Overlap and cosine similarities, then the TF-IDF words of each side by itself."""
    return _joined(_dense(vectorizers, first, second) / scale_F, vectorizers["word"], first, second)


def _dense(vectorizers: dict[str, Any], first: list[str], second: list[str]) -> np.ndarray:
    sides = [(vectorizer.transform(first), vectorizer.transform(second)) for vectorizer in vectorizers.values()]
    cosines = [np.asarray(one.multiply(two).sum(1)).ravel() for one, two in sides]
    dense = np.column_stack([overlap_features(first, second), *cosines])
    return np.column_stack([dense, dense**2])


def _joined(dense: np.ndarray, words: Any, first: list[str], second: list[str]) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(dense.astype(np.float32)), words.transform(first), words.transform(second)]).tocsr()


def fit_pairs(
    pairs: Pairs, part: Any, targets_N: np.ndarray, num_outputs: int, settings: LexicalSettings, seed: int
) -> PairSurface:
    """Fits a linear model on the surface of pairs; cross-validation chooses its strength. One output is a score."""
    first, second = pairs(part)
    vectorizers = {}
    for kind in _NGRAMS:
        try:
            vectorizers[kind] = _vectorizer(kind, min_df=settings.min_rows).fit(first + second)
        except ValueError:  # no n-gram is frequent enough
            vectorizers[kind] = _vectorizer(kind, min_df=1).fit(first + second)
    dense = _dense(vectorizers, first, second)
    scale_F = np.maximum(dense.std(0), 1e-6).astype(np.float32)
    matrix = _joined(dense / scale_F, vectorizers["word"], first, second)
    weight_CV, bias_C = _fit(matrix, targets_N, num_outputs, settings, seed)
    return PairSurface(vectorizers, weight_CV, bias_C, scale_F, pairs)


def _fit(
    matrix: Any, targets_N: np.ndarray, num_outputs: int, settings: LexicalSettings, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

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
        best = search.fit(matrix, targets_N).best_estimator_
    if len(best.classes_) > 2:
        return best.coef_, best.intercept_
    # Two classes share one weight vector; half to each side keeps softmax equal to the sigmoid.
    return np.vstack([-best.coef_, best.coef_]) / 2, np.concatenate([-best.intercept_, best.intercept_]) / 2


def load_pairs(folder: Path, pairs: Pairs) -> PairSurface:
    """Reads what `PairSurface.save` wrote."""
    path, names = folder / "model.safetensors", folder / "vocabulary.json"
    terms = read_names(names, {})
    if set(terms) != set(_NGRAMS):
        raise ModelError(f"{names} is damaged: it must hold {' and '.join(_NGRAMS)}", file=str(names))
    arrays = read_arrays(path, {"weight": 2, "bias": 1, "scale": 1, **{f"idf.{kind}": 1 for kind in terms}})
    vectorizers, sizes = {}, {}
    for kind, words in terms.items():
        with blaming(names, "is damaged"):
            vocabulary = {str(term): at for at, term in enumerate(words)}
            vectorizers[kind] = _vectorizer(kind, vocabulary=vocabulary)
        sizes[f"idf.{kind}"] = (len(vocabulary),)
        check_shapes(path, arrays, sizes)
        with blaming(names, "is damaged"):
            vectorizers[kind].idf_ = arrays[f"idf.{kind}"]
    wide = len(arrays["scale"]) + 2 * len(arrays["idf.word"])
    check_shapes(path, arrays, {"weight": (len(arrays["bias"]), wide)})
    return PairSurface(vectorizers, arrays["weight"], arrays["bias"], arrays["scale"], pairs)
