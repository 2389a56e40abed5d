"""How far up the right document stands. Shape legend: N queries, D documents, K sums, B resamples."""

from __future__ import annotations

import numpy as np

from deepen.core.errors import DataError
from deepen.core.types import Score
from deepen.evaluation.statistics import resampled_score, resampled_sums, share, share_score

TOP = 10
"""nDCG and recall look at so many documents."""


def ranks(scores_ND: np.ndarray, right_N: np.ndarray) -> np.ndarray:
    """The place of each query's right document from 1, the middle of equals; NaN where there is none (below 0).

    Example:
        >>> ranks(np.array([[0.1, 0.9, 0.5], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.array([2, 0, -100])).tolist()
        [2.0, 1.5, nan]
    """
    if not scores_ND.shape[1]:
        return np.full(len(right_N), np.nan)
    own_N1 = np.take_along_axis(scores_ND, np.maximum(right_N, 0)[:, None], 1)
    above_N, equal_N = (scores_ND > own_N1).sum(1), (scores_ND == own_N1).sum(1)
    return np.where(right_N < 0, np.nan, 1 + above_N + (equal_N - 1) / 2)


def ranking_statistics(scores_ND: np.ndarray, right_N: np.ndarray) -> np.ndarray:
    """1 / rank, gain, hit and 1 for each query that has a right document, else zeros: what scores are summed from.

    Source:
        Järvelin and Kekäläinen 2002 (https://doi.org/10.1145/582415.582418) for the gain, 1 / log2(1 + rank).
    """
    ranks_N = ranks(scores_ND, right_N)
    near_N = ranks_N <= TOP
    gain_N = np.where(near_N, 1 / np.log2(1 + ranks_N), 0.0)
    return np.nan_to_num(np.stack([1 / ranks_N, gain_N, near_N.astype(float), np.isfinite(ranks_N)], axis=1))


def mrr(sums_BK: np.ndarray) -> np.ndarray:
    """The mean of 1 / rank from summed statistics."""
    return share(sums_BK[:, 0], sums_BK[:, 3])


def ranking_scores(scores_ND: np.ndarray, right_N: np.ndarray, *, seed: int) -> list[Score]:
    """MRR, nDCG@10 and recall@10 with 95 % intervals; queries without a right document (below 0) are left out."""
    stats_NK = ranking_statistics(scores_ND, right_N)
    stats_NK = stats_NK[stats_NK[:, 3] > 0]
    n = len(stats_NK)
    if not n:
        raise DataError("no query has a right document, so there is nothing to score")
    sums_BK = resampled_sums(stats_NK, seed=seed)
    return [
        resampled_score("mrr", mrr(sums_BK), n),
        resampled_score("ndcg_at_10", share(sums_BK[:, 1], sums_BK[:, 3]), n),
        share_score("recall_at_10", float(stats_NK[:, 2].sum()), n),
    ]
