"""How well predicted scores go with the right ones. Shape legend: N examples, K sums, B resamples."""

from __future__ import annotations

import numpy as np

from deepen.core.types import Score
from deepen.evaluation.statistics import resampled_score, resampled_sums


def pearson_statistics(said_N: np.ndarray, right_N: np.ndarray) -> np.ndarray:
    """Sums for correlation and mean error: 1, x, y, x^2, y^2, xy and |x - y|, centred so that squares stay small."""
    x_N = said_N.astype(np.float64) - float(np.mean(right_N))
    y_N = right_N.astype(np.float64) - float(np.mean(right_N))
    return np.stack([np.ones(len(x_N)), x_N, y_N, x_N**2, y_N**2, x_N * y_N, np.abs(x_N - y_N)], axis=1)


def pearson(sums_BK: np.ndarray) -> np.ndarray:
    """Pearson's correlation from summed statistics; 0 where one side does not vary."""
    n, x, y, xx, yy, xy = sums_BK[:, :6].T
    spread = np.sqrt(np.maximum(n * xx - x**2, 0) * np.maximum(n * yy - y**2, 0))
    return np.divide(n * xy - x * y, spread, out=np.zeros(len(n)), where=spread > 1e-9 * np.maximum(n, 1))


def mean_error(sums_BK: np.ndarray) -> np.ndarray:
    """The mean absolute error from summed statistics."""
    return np.asarray(sums_BK[:, 6] / sums_BK[:, 0])


def regression_scores(said_N: np.ndarray, right_N: np.ndarray, *, seed: int) -> list[Score]:
    """Pearson's and Spearman's correlation and the mean absolute error, with 95 % intervals.

    Spearman's interval resamples the ranks of all examples, which are not ranked anew.

    Source:
        Spearman 1904, https://doi.org/10.2307/1412159
    """
    from scipy.stats import rankdata

    stats_NK = pearson_statistics(said_N, right_N)
    ranks_NK = pearson_statistics(rankdata(said_N), rankdata(right_N))
    measures = (
        ("pearson", stats_NK, pearson, True),
        ("spearman", ranks_NK, pearson, True),
        ("mae", stats_NK, mean_error, False),
    )
    scores = []
    for name, sums_NK, value_of, better in measures:
        values_B = value_of(resampled_sums(sums_NK, seed=seed))
        unit = "fraction" if better else "points of the score"
        scores.append(resampled_score(name, values_B, len(said_N), unit=unit, higher_is_better=better))
    return scores
