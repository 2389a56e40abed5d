"""Scores of relations between two spans: with direction, as SemEval-2010 task 8 counts, and without the null class.

Shape legend: N examples, R relations, K sums (3 R), B resamples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from deepen.core.types import Score
from deepen.evaluation.statistics import f1, resampled_score, resampled_sums, share

_DIRECTED = re.compile(r"(.+)\((e1,e2|e2,e1)\)$")
_NULL = frozenset(("other", "unknown", "na", "n/a", "no_relation", "none", "null", "无", "无关系", "未知", "其他"))


def is_null(label: str) -> bool:
    """Whether a label says that there is none of the relations."""
    return label.strip().lower().replace(" ", "_") in _NULL


def is_directed(labels: Sequence[str]) -> bool:
    """Whether labels name directions, as in `Cause-Effect(e1,e2)`."""
    return any(_DIRECTED.match(label) for label in labels)


def relation_of(label: str) -> str:
    """A label without its direction."""
    found = _DIRECTED.match(label)
    return found.group(1) if found else label


def relation_statistics(said_N: np.ndarray, right_N: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Right (direction too), said and labelled for each relation but the null class, (N, 3 R), as officially scored."""
    names = sorted({relation_of(label) for label in labels if not is_null(label)})
    place_C = np.array([names.index(relation_of(label)) if not is_null(label) else -1 for label in labels])
    sums_NK = np.zeros((len(said_N), 3 * len(names)), np.int64)
    rows = np.arange(len(said_N))
    columns = (np.where(said_N == right_N, place_C[said_N], -1), place_C[said_N], place_C[right_N])
    for at, column_N in enumerate(columns):
        counted = column_N >= 0
        sums_NK[rows[counted], at * len(names) + column_N[counted]] = 1
    return sums_NK


def macro_f1(sums_BK: np.ndarray) -> np.ndarray:
    """The mean of F1 over the relations that occur, as the official scorer of SemEval-2010 task 8 has it."""
    right, said, labelled = np.split(sums_BK, 3, axis=1)
    return share(f1(right, said, labelled).sum(1), (labelled > 0).sum(1))


def micro_f1(sums_BK: np.ndarray) -> np.ndarray:
    """F1 over all relations together, without the null class."""
    return f1(*(part.sum(1) for part in np.split(sums_BK, 3, axis=1)))


def relation_scores(said_N: np.ndarray, right_N: np.ndarray, labels: Sequence[str], *, seed: int) -> list[Score]:
    """Official macro-F1 where relations have directions, and micro-F1 without the null class.

    Source:
        Hendrickx et al. 2010, https://aclanthology.org/S10-1006
    """
    sums_BK = resampled_sums(relation_statistics(said_N, right_N, labels), seed=seed)
    forms = {"micro_f1": micro_f1} | ({"official_macro_f1": macro_f1} if is_directed(labels) else {})
    return [resampled_score(name, value_of(sums_BK), len(said_N)) for name, value_of in forms.items()]


def triple_scores(counts_N3: np.ndarray, *, seed: int) -> list[Score]:
    """Precision, recall and F1 of triples (right, said and true in each row); `n` is what each is a share of."""
    right_B, said_B, true_B = resampled_sums(counts_N3, seed=seed).T
    either = said_B[0] + true_B[0] - right_B[0]
    return [
        resampled_score("precision", share(right_B, said_B), int(said_B[0])),
        resampled_score("recall", share(right_B, true_B), int(true_B[0])),
        resampled_score("f1", f1(right_B, said_B, true_B), int(either)),
    ]
