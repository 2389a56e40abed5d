"""The bootstrap: coverage, determinism, memory, and agreement between its three ways of drawing."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from deepen.evaluation.statistics import bootstrap, paired_bootstrap, paired_permutation, resample, wilson


def share(sums):
    return sums[:, 0] / sums[:, 1]


def answers(right):
    right = np.asarray(right, dtype=float)
    return np.stack([right, np.ones(len(right))], axis=1)


def test_interval_has_the_width_theory_says():
    right = np.arange(1000) < 800
    found = bootstrap(answers(right), share, seed=0)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert found.value == 0.8
    assert found.low == pytest.approx(0.8 - half, abs=0.004)
    assert found.high == pytest.approx(0.8 + half, abs=0.004)


def test_same_seed_same_interval():
    right = np.arange(300) % 3 == 0
    assert bootstrap(answers(right), share, seed=1) == bootstrap(answers(right), share, seed=1)
    assert bootstrap(answers(right), share, seed=1) != bootstrap(answers(right), share, seed=2)


def test_grouped_and_counted_draws_have_the_spread_of_single_draws():
    right = np.random.default_rng(0).random(50_000) < 0.3
    expected = np.sqrt(0.3 * 0.7 / 50_000)
    grouped = share(resample(answers(right), seed=0))
    counts = np.array([right.sum(), (~right).sum()])
    counted = share(resample(np.array([[1.0, 1.0], [0.0, 1.0]]), seed=0, counts_N=counts))
    assert grouped.std() == pytest.approx(expected, rel=0.08)
    assert counted.std() == pytest.approx(expected, rel=0.08)
    assert grouped.mean() == pytest.approx(right.mean(), abs=expected / 10)
    assert counted.mean() == pytest.approx(right.mean(), abs=expected / 10)


def test_counted_draws_keep_the_number_of_examples():
    sums = resample(np.ones((3, 1)), seed=0, repeats=50, counts_N=np.array([5, 1, 4]))
    assert (sums == 10).all()


def test_a_million_examples_stay_small():
    right = np.random.default_rng(0).random(1_000_000) < 0.5
    stats = answers(right)
    tracemalloc.start()
    found = bootstrap(stats, share, seed=0, repeats=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.0005, rel=0.2)


def test_paired_sees_what_separate_intervals_do_not():
    rng = np.random.default_rng(0)
    below = rng.random(2000) < 0.80
    above = below.copy()
    above[np.flatnonzero(~below)[:40]] = True
    found = paired_bootstrap(answers(above), answers(below), share, seed=0)
    assert found.interval.value == pytest.approx(0.02)
    assert found.interval.low > 0
    assert found.p_value <= 0.01
    swapped = paired_bootstrap(answers(below), answers(above), share, seed=0)
    assert swapped.interval.value == -found.interval.value
    assert swapped.p_value == found.p_value


def test_paired_of_equal_models_is_nothing():
    right = np.arange(100) % 4 > 0
    found = paired_bootstrap(answers(right), answers(right), share, seed=0)
    assert (found.interval.value, found.interval.low, found.interval.high, found.p_value) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("better", "worse", "both"), [(3, 0, 5), (6, 0, 2), (5, 1, 30), (2, 2, 4), (1, 0, 7), (0, 0, 8)]
)
def test_permutation_of_few_rows_is_the_sign_test(better, worse, both):
    above = np.repeat([1, 0, 1], [better, worse, both])
    below = np.repeat([0, 1, 1], [better, worse, both])
    exact = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert paired_permutation(answers(above), answers(below), share, seed=0) == pytest.approx(exact)
    assert paired_permutation(answers(below), answers(above), share, seed=0) == pytest.approx(exact)


def test_permutation_of_many_rows_agrees_with_the_bootstrap():
    rng = np.random.default_rng(0)
    below = rng.random(400) < 0.7
    above = np.where(rng.random(400) < 0.2, rng.random(400) < 0.85, below)
    found = paired_permutation(answers(above), answers(below), share, seed=0)
    exact = binomtest(int((above > below).sum()), int((above != below).sum())).pvalue
    assert found == pytest.approx(exact, abs=0.02)
    assert found == pytest.approx(paired_bootstrap(answers(above), answers(below), share, seed=0).p_value, abs=0.03)
    assert found == paired_permutation(answers(above), answers(below), share, seed=0)


def test_paired_p_values_are_uniform_without_a_difference():
    rng = np.random.default_rng(1)
    p_values = []
    for trial in range(100):
        above, below = rng.random(400) < 0.7, rng.random(400) < 0.7
        p_values.append(paired_bootstrap(answers(above), answers(below), share, seed=trial, repeats=200).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.12


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="different examples"):
        paired_bootstrap(np.ones((3, 2)), np.ones((4, 2)), share, seed=0)
    with pytest.raises(ValueError, match="at least 1"):
        bootstrap(np.ones((0, 2)), share, seed=0)


# R: binom::binom.confint(x, n, methods = "wilson")
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (8, 10, 0.4902, 0.9433)]
)
def test_wilson_golden(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share(pair):
    successes, n = pair
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1


def test_wilson_of_nothing():
    assert wilson(0, 0) == (0.0, 1.0)
