"""One bootstrap for every task, from per-example sufficient statistics.

A score that can be computed from sums over examples (right answers and examples; the cells of a confusion matrix; a
loss and a count) is given as a matrix `stats_NK`, one row an example, and a function from summed rows to values.
Resampling examples is then a matrix product, whatever the task. Start with `bootstrap`.

Shape legend: N examples, K statistics of an example, B resamples, G groups of examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from deepen.core.types import Interval, Score

Statistic = Callable[[np.ndarray], np.ndarray]
"""From sums_BK, one row a resample, to the values of shape (B,). It must not depend on the scale of the sums."""

_GROUPS = 10_000
_CHUNK_CELLS = 4_000_000
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much better one model is than another on the same examples, and how likely chance alone does as well."""

    interval: Interval
    p_value: float


def resample(stats_NK: np.ndarray, *, seed: int, repeats: int = 1000, counts_N: np.ndarray | None = None) -> np.ndarray:
    """Sums of the statistics over resampled examples.

    Every resample draws N examples with replacement, all with the same chance. Above 10,000 rows the examples are first
    put at random into 10,000 groups of equal size and whole groups are drawn: the sums then have the same mean and
    variance as with single examples (the standard error is off by under 1 %), and a million rows cost as little as ten
    thousand. With `counts_N` a row stands for that many equal examples and their multinomial counts are drawn directly,
    which is exact at any size; above 20,000 such rows fewer repeats are made, at least 200. Sums of shape (B, K).

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    stats_NK = np.asarray(stats_NK)
    if stats_NK.ndim != 2 or len(stats_NK) == 0:
        raise ValueError(f"stats_NK has shape {stats_NK.shape}: needed (N, K) with N at least 1")
    rng = np.random.default_rng(seed)
    if counts_N is not None:
        repeats = max(min(repeats, 200), min(repeats, 20_000_000 // len(stats_NK)))
        total = int(np.sum(counts_N))
        shares_N = np.asarray(counts_N, dtype=np.float64) / total
    elif len(stats_NK) > _GROUPS:
        stats_NK = _grouped(stats_NK, rng)
    stats_NK = stats_NK.astype(np.float64, copy=False)
    num_rows = len(stats_NK)
    chunk = max(1, _CHUNK_CELLS // num_rows)
    sums_BK = np.empty((repeats, stats_NK.shape[1]))
    for start in range(0, repeats, chunk):
        size = min(chunk, repeats - start)
        if counts_N is not None:
            weights_BN = rng.multinomial(total, shares_N, size=size)
        else:
            drawn = rng.integers(0, num_rows, size=(size, num_rows), dtype=np.int64)
            drawn += np.arange(size)[:, None] * num_rows
            weights_BN = np.bincount(drawn.ravel(), minlength=size * num_rows).reshape(size, num_rows)
        sums_BK[start : start + size] = weights_BN.astype(np.float64) @ stats_NK
    return sums_BK


def _grouped(stats_NK: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sums over random groups of equal size (to within one example), shape (G, K); one column in memory at a time."""
    group_N = rng.permutation(len(stats_NK)) % _GROUPS
    columns = [np.bincount(group_N, weights=column, minlength=_GROUPS) for column in stats_NK.T]
    return np.stack(columns, axis=1)


def resampled_sums(stats_NK: np.ndarray, *, seed: int, repeats: int = 1000) -> np.ndarray:
    """The sums over all examples, and below them those of `resample`: shape (1 + B, K)."""
    sums_1K = np.asarray(stats_NK).sum(axis=0, keepdims=True, dtype=np.float64)
    return np.concatenate([sums_1K, resample(stats_NK, seed=seed, repeats=repeats)])


def percentile_interval(values_B: np.ndarray) -> Interval:
    """A value, and behind it those on resamples, of which the middle 95 % are widened to hold the value itself."""
    value = float(values_B[0])
    low, high = np.quantile(values_B[1:], [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value))


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The share part / whole; 0 where whole is 0."""
    out: np.ndarray = np.zeros(np.broadcast(part, whole).shape)
    return np.divide(part, whole, out=out, where=whole > 0)


def f1(right: np.ndarray, said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """F1 from counts of any shape: right, said and true; 0 where there is nothing."""
    return share(2 * right, said + true)


def resampled_score(
    name: str,
    values_B: np.ndarray,
    n: int,
    *,
    label: str | None = None,
    unit: str = "fraction",
    higher_is_better: bool = True,
) -> Score:
    """A score with its interval, from its value and, behind it, those on resamples."""
    found = percentile_interval(values_B)
    return Score(name, found.value, n, found.low, found.high, unit, label, higher_is_better)


def share_score(name: str, part: float, whole: float, *, label: str | None = None) -> Score:
    """The share part / whole as a score with Wilson's interval; 0 where whole is 0."""
    return Score(name, part / whole if whole else 0.0, int(whole), *wilson(part, whole), label=label)


def bootstrap(stats_NK: np.ndarray, value_of: Statistic, *, seed: int, repeats: int = 1000) -> Interval:
    """A 95 % interval for any score that follows from sums over examples.

    It says how much the score would move on another draw of as many examples like these. It does not cover another seed
    of the training, nor data of another kind. Where nothing varies (every answer is right) it has no width, which is
    too hopeful: use `wilson` for a plain proportion.

    Example:
        >>> right = np.array([1, 1, 1, 0] * 25)
        >>> stats_NK = np.stack([right, np.ones(100)], axis=1)
        >>> found = bootstrap(stats_NK, lambda sums: sums[:, 0] / sums[:, 1], seed=0)
        >>> found.value, bool(0.6 < found.low < 0.75 < found.high < 0.9)
        (0.75, True)

    Source:
        Efron 1979, https://doi.org/10.1214/aos/1176344552
    """
    return percentile_interval(value_of(resampled_sums(stats_NK, seed=seed, repeats=repeats)))


def paired_bootstrap(
    above_NK: np.ndarray, below_NK: np.ndarray, value_of: Statistic, *, seed: int, repeats: int = 2000
) -> PairedDifference:
    """Compares two models on the same examples: the difference of their scores, its interval and a p-value.

    Both are scored on the same resamples, so what makes an example hard for both cancels out; this sees far smaller
    differences than two separate intervals do.

    Source:
        Efron and Tibshirani 1993, chapters 13 and 15; for text, Koehn 2004, https://aclanthology.org/W04-3250
    """
    above_NK, below_NK = np.asarray(above_NK), np.asarray(below_NK)
    if above_NK.shape != below_NK.shape:
        raise ValueError(f"the two models were scored on different examples: {above_NK.shape} and {below_NK.shape}")
    sums = resampled_sums(np.concatenate([above_NK, below_NK], axis=1), seed=seed, repeats=repeats)
    above, below = np.split(sums, 2, axis=1)
    return resampled_difference(value_of(above) - value_of(below))


def resampled_difference(values_B: np.ndarray) -> PairedDifference:
    """A difference, and behind it those on resamples; the p-value is two-sided, 2 / (B + 1) at least."""
    drawn_B = values_B[1:]
    rarer = min(int(np.sum(drawn_B <= 0)), int(np.sum(drawn_B >= 0)))
    return PairedDifference(percentile_interval(values_B), min(1.0, 2 * (rarer + 1) / (len(drawn_B) + 1)))


def paired_permutation(
    above_NK: np.ndarray, below_NK: np.ndarray, value_of: Statistic, *, seed: int, repeats: int = 2000
) -> float:
    """How likely two models that are equally good differ as much as these do, by chance in who has which answer.

    Every example's two answers change sides or not: in all ways where these are no more than `repeats`, otherwise that
    often at random. It holds for a handful of examples, where resamples of so few look surer than they are. Two-sided.

    Example:
        >>> right, wrong = np.array([[1.0, 1.0]] * 4), np.array([[0.0, 1.0]] * 4)
        >>> paired_permutation(right, wrong, lambda sums: sums[:, 0] / sums[:, 1], seed=0)
        0.125

    Source:
        Noreen 1989, Computer-Intensive Methods for Testing Hypotheses; for text, Yeh 2000,
        https://aclanthology.org/C00-2137
    """
    from scipy.stats import permutation_test

    above_NK, below_NK = np.asarray(above_NK, np.float64), np.asarray(below_NK, np.float64)
    differ_N = (above_NK != below_NK).any(axis=1)
    same_K, num = above_NK[~differ_N].sum(axis=0), int(differ_N.sum())
    if num < 2:  # one example can change sides in two ways, which differ alike
        return 1.0
    above_DK, below_DK = above_NK[differ_N], below_NK[differ_N]

    def difference(first_BD: np.ndarray, second_BD: np.ndarray, axis: int) -> np.ndarray:
        swapped_BK = (first_BD >= num) @ (below_DK - above_DK)  # a product: gathered rows would not fit in memory
        sums_BK, others_BK = same_K + above_DK.sum(axis=0) + swapped_BK, same_K + below_DK.sum(axis=0) - swapped_BK
        width = len(same_K)
        values = value_of(sums_BK.reshape(-1, width)) - value_of(others_BK.reshape(-1, width))
        return values.reshape(sums_BK.shape[:-1])

    found = permutation_test(
        (np.arange(num), np.arange(num) + num),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=repeats,
        axis=-1,
        random_state=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(p_values_T: Sequence[float]) -> list[float]:
    """P-values of several tests so raised that each may be read by itself: any of them is false with that chance.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source:
        Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure
    """
    order = np.argsort(p_values_T, kind="stable")
    raised_T = np.asarray(p_values_T, float)[order] * np.arange(len(order), 0, -1)
    found = np.empty(len(order))
    found[order] = np.minimum(np.maximum.accumulate(raised_T), 1.0)
    return [float(p) for p in found]


def wilson(successes: float, n: float) -> tuple[float, float]:
    """A 95 % interval for a proportion; sound for few examples and shares near 0 and 1. (0, 1) for none.

    Example:
        >>> [round(end, 3) for end in wilson(10, 10)]
        [0.722, 1.0]

    Source:
        Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    if n <= 0:
        return 0.0, 1.0
    share, z2 = successes / n, _Z95**2
    middle = share + z2 / (2 * n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes <= 0 else max(0.0, (middle - half) / (1 + z2 / n))
    high = 1.0 if successes >= n else min(1.0, (middle + half) / (1 + z2 / n))
    return low, high
