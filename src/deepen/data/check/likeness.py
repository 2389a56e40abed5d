"""How well validation and test stand for training: can a classifier tell them? Shape legend: N rows of both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepen.core.seed import derive
from deepen.data.check.problem import Problem, Splits, rows
from deepen.data.near import row_texts
from deepen.data.table import Part

_MOST_ROWS = 2_000
_FEWEST_ROWS = 50
_FOLDS = 5
_UNLIKE, _VERY_UNLIKE = 0.6, 0.8
_MOST_CHARS = 2_000


def find(splits: Splits) -> Iterator[Problem]:
    """For validation and test, the area under the curve of a classifier that tells their rows from training rows.

    0.5 is what rows drawn from one source give; 1 is a split that shares nothing with the training rows. It sees words
    and pairs of words, so it misleads where the difference is deeper, or only in the labels.
    """
    for name, part in splits.parts.items():
        if name == "train" or min(len(part), len(splits.train)) < _FEWEST_ROWS:
            continue
        area, low, high = told_apart(splits.train, part)
        num = min(len(part), _MOST_ROWS) + min(len(splits.train), _MOST_ROWS)
        said = f"a classifier tells rows of {name} from training rows with AUC {area:.2f} [{low:.2f}, {high:.2f}]"
        if low <= _UNLIKE:
            message = f"{said}, 0.5 is what one source gives ({rows(num)} looked at)"
            yield Problem("note", "split_likeness", part.table.name, None, num, message)
            continue
        word = "hardly stand" if low > _VERY_UNLIKE else "don't quite stand"
        message = f"{said}: they {word} for the training rows, so scores on the two will differ"
        remedy = "split once more from one source, or keep it on purpose as a test of another domain"
        yield Problem("warning", "unlike_train", part.table.name, None, num, message, remedy)


def told_apart(train: Part, other: Part) -> tuple[float, float, float]:
    """The cross-validated area under the curve, with its 95 % interval (Hanley and McNeil 1982)."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    first, second = _some(train), _some(other)
    texts = [*first, *second]
    which_N = np.repeat([0, 1], [len(first), len(second)])
    # words, or single signs where there are no spaces between words
    pattern = r"[^\W\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]"
    words = HashingVectorizer(
        n_features=2**17, ngram_range=(1, 2), token_pattern=pattern, alternate_sign=False, binary=True
    )
    model = LogisticRegression(C=1.0, class_weight="balanced", solver="liblinear", random_state=0)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=derive(0, "likeness") % 2**32)
    scores_N = cross_val_predict(model, words.transform(texts), which_N, cv=folds, method="decision_function")
    area = float(roc_auc_score(which_N, scores_N))
    error = _standard_error(area, len(second), len(first))
    return area, max(0.0, area - 1.96 * error), min(1.0, area + 1.96 * error)


def _some(part: Part) -> list[str]:
    """A bounded number of rows, the same for the same part."""
    num = len(part)
    at = np.arange(num)
    if num > _MOST_ROWS:
        at = np.sort(np.random.default_rng(derive(0, "likeness rows")).choice(num, _MOST_ROWS, replace=False))
    return [text[:_MOST_CHARS] for text in row_texts(part, at)]


def _standard_error(area: float, positives: int, negatives: int) -> float:
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))
