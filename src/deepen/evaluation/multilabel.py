"""The scores of rows with several labels each, and the thresholds above which a label is given.

Decisions are logits above 0. Start with `multilabel_scores`.

Shape legend: N examples, C labels, B resamples, K sums.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepen.core.errors import DataError
from deepen.core.seed import derive
from deepen.core.types import Score
from deepen.evaluation.classification import label_scores
from deepen.evaluation.statistics import f1, resampled_score, resampled_sums, share, share_score

_ENOUGH = 20  # with fewer rows of a label, a threshold of its own would be chance
_RESAMPLES = 200


def multilabel_scores(logits_NC: np.ndarray, many_NC: np.ndarray, names: Sequence[str], *, seed: int) -> list[Score]:
    """Every score of a model that gives each example any number of labels, those whose logit is above 0.

    The values are those of scikit-learn: `average_precision` is the mean over the labels that occur, macro F1 the mean
    over all, a share of nothing is 0. In `exact_match` all labels are right.
    """
    if not len(many_NC):
        raise DataError("no example is labelled, so there is nothing to score")
    n = len(many_NC)
    said_NC, has_NC = logits_NC > 0, many_NC > 0
    stats_NK = np.concatenate([said_NC & has_NC, said_NC, has_NC], axis=1).astype(np.float64)
    sums_BK = resampled_sums(stats_NK, seed=derive(seed, "decisions"))
    right_BC, said_BC, has_BC = np.split(sums_BK, 3, axis=1)
    counts_BN = np.random.default_rng(derive(seed, "precision")).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    ranked_B = average_precision(logits_NC, many_NC, np.vstack([np.ones(n), counts_BN]))
    return [
        resampled_score("micro_f1", f1(right_BC.sum(1), said_BC.sum(1), has_BC.sum(1)), n),
        resampled_score("macro_f1", f1(right_BC, said_BC, has_BC).mean(1), n),
        resampled_score("average_precision", ranked_B, n),
        share_score("exact_match", float((said_NC == has_NC).all(1).sum()), n),
        *label_scores(names, sums_BK[0].reshape(3, -1)),
    ]


def average_precision(logits_NC: np.ndarray, many_NC: np.ndarray, counts_BN: np.ndarray | None = None) -> np.ndarray:
    """The mean over labels of the area under precision and recall, for each way to count examples; 0 without labels."""
    counts_BN = np.ones((1, len(logits_NC))) if counts_BN is None else counts_BN
    total_B, occurring_B = np.zeros(len(counts_BN)), np.zeros(len(counts_BN))
    for logits_N, has_N in zip(logits_NC.T, many_NC.T, strict=True):
        order = np.argsort(-logits_N, kind="stable")
        ends = _ends_of_ties(logits_N[order])
        right_BE = np.cumsum(counts_BN[:, order] * has_N[order], axis=1)[:, ends]
        said_BE = np.cumsum(counts_BN[:, order], axis=1)[:, ends]
        steps_BE = np.diff(right_BE, axis=1, prepend=0)
        has_B = right_BE[:, -1]
        total_B += share(share(right_BE * steps_BE, said_BE).sum(1), has_B)
        occurring_B += has_B > 0
    return share(total_B, occurring_B)


def _ends_of_ties(falling_N: np.ndarray) -> np.ndarray:
    """The last place of each run of equal logits: they are above a cut together."""
    return np.flatnonzero(np.append(np.diff(falling_N) < 0, True))


def statistics(logits_NC: np.ndarray, many_NC: np.ndarray) -> np.ndarray:
    """What micro F1 needs to know of each example: labels that are right, said and true, of shape (N, 3)."""
    said_NC, has_NC = logits_NC > 0, many_NC > 0
    return np.stack([(said_NC & has_NC).sum(1), said_NC.sum(1), has_NC.sum(1)], 1).astype(np.float64)


def micro_f1(sums_BK: np.ndarray) -> np.ndarray:
    """Micro F1 from summed `statistics`, of shape (B,)."""
    return f1(*sums_BK.T)


def thresholds(logits_NC: np.ndarray, many_NC: np.ndarray) -> np.ndarray:
    """The logits with the highest F1: one for all labels (micro), but its own for a label that twenty examples have."""
    shared = _best_cut(logits_NC.ravel(), many_NC.ravel())
    columns = zip(logits_NC.T, many_NC.T, strict=True)
    return np.array([_best_cut(logits, has) if has.sum() >= _ENOUGH else shared for logits, has in columns])


def _best_cut(logits_N: np.ndarray, has_N: np.ndarray) -> float:
    """The cut with the highest F1, in the middle between two logits."""
    order = np.argsort(-logits_N, kind="stable")
    sorted_N, right_N = logits_N[order].astype(np.float64), np.cumsum(has_N[order])
    ends = _ends_of_ties(sorted_N)
    values = f1(right_N[ends], ends + 1.0, np.full(len(ends), float(has_N.sum())))
    at = int(ends[values.argmax()])
    below = sorted_N[at + 1] if at + 1 < len(sorted_N) else sorted_N[at] - 1
    return float((sorted_N[at] + below) / 2)
