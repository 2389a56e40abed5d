"""The decisions of a climb, from numbers alone."""

from __future__ import annotations

import numpy as np
import pytest

from deepen.core.types import Interval
from deepen.ladder.decide import (
    Standing,
    best_of,
    cheapest_not_worse,
    chosen_of,
    fits,
    gain_over,
    reason_to_choose,
    reason_to_go_on,
    reason_to_rest,
    reason_to_stop,
)


def standing(name: str, right_N: np.ndarray, *, encoder: bool = True, favoured: bool = False) -> Standing:
    """A rung that got these examples right, judged by accuracy."""
    stats_NK = np.stack([right_N.astype(float), np.ones(len(right_N))], axis=1)
    return Standing(name, stats_NK, float(right_N.mean()), encoder, favoured)


def accuracy(sums_BK: np.ndarray) -> np.ndarray:
    return np.asarray(sums_BK[:, 0] / sums_BK[:, 1])


def right(share: float, num: int = 1000, seed: int = 0) -> np.ndarray:
    """The same examples are easy for every rung, so a higher share holds the lower one."""
    return np.asarray(np.random.default_rng(seed).random(num) < share)


def test_of_equals_the_shallower_is_best() -> None:
    rungs = [standing(name, right(share)) for name, share in [("a", 0.5), ("b", 0.8), ("c", 0.8), ("d", 0.7)]]
    assert best_of(rungs).name == "b"
    assert best_of(rungs[:1]).name == "a"


@pytest.mark.parametrize(("num", "chosen"), [(8, "few"), (1000, "low")])
def test_between_a_favoured_rung_and_another_only_significance_counts(num: int, chosen: str) -> None:
    """With eight held-out rows six right ones are no more than four; with a thousand they are, below it or above."""
    better, worse = np.arange(num) % 4 > 0, np.arange(num) % 4 > 1
    low, few = standing("low", better), standing("few", worse, favoured=True)
    assert best_of([low, few]).name == "low"
    assert chosen_of([low, few], accuracy, seed=0).name == chosen
    assert chosen_of([few, low], accuracy, seed=0).name == chosen
    assert "8 rows" in reason_to_choose("few", "low", num_held_out=8)
    assert not reason_to_choose("low", "low", num_held_out=8)
    assert chosen_of([low, standing("plain", worse)], accuracy, seed=0).name == "low"
    assert chosen_of([few, standing("more", better, favoured=True)], accuracy, seed=0).name == "more"


def test_three_rows_of_eight_do_not_make_a_rung_surely_better() -> None:
    """The bootstrap of so few rows is too sure: all of them but 2.3 % hold one of the three."""
    low, few = standing("low", np.arange(8) > 0), standing("few", np.arange(8) > 3, favoured=True)
    assert gain_over(low, few, accuracy, seed=0).interval.low > 0
    assert chosen_of([low, few], accuracy, seed=0).name == "few"
    assert chosen_of([few, low], accuracy, seed=0).name == "few"


def test_the_gain_is_paired() -> None:
    low, high = standing("low", right(0.80)), standing("high", right(0.82))
    gain = gain_over(high, low, accuracy, seed=0).interval
    assert gain.value == pytest.approx(high.score - low.score)
    assert gain.low > 0, "no example got worse, so the interval stays above 0 although the scores' own overlap"
    assert gain.low <= gain.value <= gain.high
    assert gain == gain_over(high, low, accuracy, seed=0).interval
    back = gain_over(low, high, accuracy, seed=0).interval
    assert (back.low, back.value, back.high) == pytest.approx((-gain.high, -gain.value, -gain.low), abs=2e-3)


def test_the_cheapest_that_is_not_worse() -> None:
    flat = [standing(name, right(0.8, seed=seed)) for seed, name in enumerate("abc")]
    assert cheapest_not_worse(flat, accuracy, seed=0) == "a"
    steep = [standing(name, right(share)) for name, share in [("a", 0.5), ("b", 0.7), ("c", 0.9)]]
    assert cheapest_not_worse(steep, accuracy, seed=0) == "c"
    some = [standing(n, right(share, seed=seed)) for n, share, seed in [("a", 0.5, 0), ("b", 0.89, 1), ("c", 0.9, 2)]]
    assert cheapest_not_worse(some, accuracy, seed=0) == "b"
    assert cheapest_not_worse(some[:1], accuracy, seed=0) == "a"


def test_what_fits_the_budget() -> None:
    assert fits(5.0, seconds_left=5.0)
    assert not fits(5.1, seconds_left=5.0)
    assert not fits(0.1, seconds_left=-3.0)
    assert fits(None, seconds_left=0.0)
    assert fits(1e9, seconds_left=None)


def test_an_interval_is_in_order() -> None:
    for seed in range(5):
        gain = gain_over(standing("x", right(0.6, 50, seed)), standing("y", right(0.6, 50, 9)), accuracy, seed=seed)
        assert isinstance(gain.interval, Interval)
        assert gain.interval.low <= gain.interval.value <= gain.interval.high


def test_a_head_that_knows_its_rows_ends_the_climb() -> None:
    def say(fitted: float | None, enough: float = 0.98, next_rung: str | None = "top_layers") -> str:
        return reason_to_rest(fitted, rung="frozen", enough=enough, next_rung=next_rung)

    assert say(0.993).startswith("frozen scores 0.993 on its training rows")
    assert say(0.93) == say(None) == say(0.993, next_rung=None) == ""
    assert say(1.0, enough=1.0) == "", "1 never ends it"


def test_the_climb_goes_on_while_a_rung_is_worth_its_price() -> None:
    """Half a point is enough by default, less ends the climb, and at the top there is nothing to end."""
    big, small = Interval(0.012, 0.001, 0.02), Interval(0.001, -0.01, 0.02)
    assert reason_to_stop(big, over="frozen", worth=0.5, next_rung="full") == ""
    assert "full" in reason_to_stop(small, over="frozen", worth=0.5, next_rung="full")
    assert reason_to_stop(small, over="frozen", worth=0.0, next_rung="full") == ""
    assert reason_to_stop(small, over="frozen", worth=0.5, next_rung=None) == ""
    assert reason_to_stop(Interval(-0.02, -0.03, -0.01), over="frozen", worth=0.5, next_rung="full").startswith(
        "gained -2.0 points over frozen"
    )


def test_why_a_small_gain_does_not_end_the_climb() -> None:
    said = reason_to_go_on(Interval(-0.001, -0.01, 0.02), over="frozen", next_rung="full", reads="both texts together")
    assert said == "gained -0.1 points over frozen, but that says nothing of full, which reads both texts together"
