"""Scores of scores against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from deepen.evaluation.regression import pearson, pearson_statistics, regression_scores


def two_columns(seed: int, num: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 6, num) / 2 + 1000
    return right + rng.normal(0, 0.7, num), right


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_scipy(seed: int) -> None:
    said, right = two_columns(seed)
    scores = {score.name: score for score in regression_scores(said, right, seed=0)}
    assert scores["pearson"].value == pytest.approx(stats.pearsonr(said, right).statistic, abs=1e-9)
    assert scores["spearman"].value == pytest.approx(stats.spearmanr(said, right).statistic, abs=1e-9)
    assert scores["mae"].value == pytest.approx(np.abs(said - right).mean())
    assert not scores["mae"].higher_is_better
    for score in scores.values():
        assert score.low is not None
        assert score.high is not None
        assert score.low < score.value < score.high


def test_the_interval_is_about_fishers() -> None:
    said, right = two_columns(7)
    found = next(score for score in regression_scores(said, right, seed=0) if score.name == "pearson")
    low, high = stats.pearsonr(said, right).confidence_interval()
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


def test_a_constant_has_no_correlation() -> None:
    sums = pearson_statistics(np.full(10, 0.3), np.arange(10.0)).sum(0, keepdims=True)
    assert pearson(sums)[0] == 0.0
