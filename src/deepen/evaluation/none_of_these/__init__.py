"""How strange a row is to a model: a shelf of scores that tell rows of none of the labels from rows of one.

A file has one value `SCORE`; a higher number is stranger. What each of them counts, and from what sum on a row is
refused, is chosen on rows (`inference/none_of_these.py`).

Shape legend: N rows, K kept training rows, F numbers of a state, C labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepen.core.types import Score
from deepen.evaluation.statistics import bootstrap, f1, share_score

_NEAR, _BLOCK = 5, 256
_NONE = -2.0  # less than any cosine


@dataclass(frozen=True)
class Kept:
    """Training rows: what the model makes of them, of length 1, dense or sparse, its logits, and their labels."""

    states_KF: Any
    logits_KC: np.ndarray
    labels_K: np.ndarray


@dataclass(frozen=True)
class Seen:
    """What a model says of rows, its calibrated logits, and what its head reads, as `Kept`; None if it keeps none."""

    logits_NC: np.ndarray
    states_NF: Any = None


@dataclass(frozen=True)
class Strangeness:
    """A score of strangeness; `needs_rows` says that it compares with training rows."""

    title: str
    of: Callable[[Seen, Kept | None], np.ndarray]
    needs_rows: bool = False


def far(rows_NF: Any, kept_KF: Any, *, labels_K: np.ndarray | None = None, answers_N: Any = None) -> np.ndarray:
    """One less the mean cosine of each row and the five training rows that are nearest to it.

    Args:
        rows_NF: Vectors of length 1, dense or sparse, as `kept_KF`.
        labels_K: If given, only training rows with the label that is the row's own answer, `answers_N`, count.
    """
    num, found = min(_NEAR, kept_KF.shape[0]), [np.zeros(0)]
    for start in range(0, rows_NF.shape[0], _BLOCK):
        cosines: Any = rows_NF[start : start + _BLOCK] @ kept_KF.T
        cosines = cosines if isinstance(cosines, np.ndarray) else cosines.toarray()
        if labels_K is not None:
            cosines = np.where(labels_K == answers_N[start : start + _BLOCK, None], cosines, _NONE)
        top = np.partition(cosines, -num, axis=1)[:, -num:]
        there = top > _NONE
        found.append(1 - np.where(there, top, 0).sum(1) / np.maximum(1, there.sum(1)))
    return np.concatenate(found)


def shelf() -> dict[str, Strangeness]:
    """All scores by name."""
    from deepen.core.shelf import values
    from deepen.evaluation import none_of_these

    return values(none_of_these, Strangeness)


def auroc(strange_N: np.ndarray, outside_N: np.ndarray) -> float:
    """How often a row of none of the labels is stranger than a row of one; 0.5 is chance."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(outside_N, strange_N))


def outside_scores(strange_N: np.ndarray, refused_N: np.ndarray, outside_N: np.ndarray, *, seed: int) -> list[Score]:
    """The scores of refusing.

    Args:
        strange_N: How strange each row is.
        refused_N: Whether it is refused.
        outside_N: Whether it belongs to none of the labels.

    Returns:
        `coverage`, the share of rows of a known label that are answered; where there are others too, `oos_f1`, of
        which those are the positive ones, and `oos_auroc`, which depends on no threshold.

    Source:
        DeLong et al. 1988, https://doi.org/10.2307/2531595, for the interval of the last.
    """
    num_outside = int(outside_N.sum())
    known = len(outside_N) - num_outside
    found = [share_score("coverage", int((~refused_N & ~outside_N).sum()), known)] if known else []
    if not num_outside:
        return found
    stats_N3 = np.stack([refused_N & outside_N, refused_N, outside_N], axis=1)
    one = bootstrap(stats_N3, lambda sums: f1(sums[:, 0], sums[:, 1], sums[:, 2]), seed=seed)
    found.append(Score("oos_f1", one.value, len(outside_N), one.low, one.high))
    if not known:
        return found
    value, half = auroc(strange_N, outside_N), 1.96 * _auroc_error(strange_N[outside_N], strange_N[~outside_N])
    return [*found, Score("oos_auroc", value, len(outside_N), max(0.0, value - half), min(1.0, value + half))]


def _auroc_error(outside_A: np.ndarray, known_B: np.ndarray) -> float:
    """The standard error of the AUROC."""

    def below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        others = np.sort(others)
        left, right = (np.searchsorted(others, values, side=side) for side in ("left", "right"))
        return np.asarray((left + right) / 2 / len(others))

    return float(
        np.sqrt(below(outside_A, known_B).var() / len(outside_A) + below(known_B, outside_A).var() / len(known_B))
    )
