"""The decisions of a climb, as functions of numbers: which rung is best, which is good enough, whether to go on.

docs/decisions has the evidence for the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepen.core.types import Interval
from deepen.evaluation.statistics import PairedDifference, paired_bootstrap, paired_permutation

Statistic = Callable[[np.ndarray], np.ndarray]

_SURE = 0.05


@dataclass(frozen=True)
class Standing:
    """A rung that has been climbed, as the decisions see it: its sums on the validation rows and its score.

    `encoder` says whether it holds a pretrained network; `favoured`, whether it is made for as few rows as there are,
    and too few were held out to tell rungs apart.
    """

    name: str
    stats_NK: np.ndarray
    score: float
    encoder: bool
    favoured: bool = False


def best_of(standings: list[Standing]) -> Standing:
    """The highest score; of equals the shallower."""
    best = standings[0]
    for standing in standings[1:]:
        if standing.score > best.score:
            best = standing
    return best


def chosen_of(standings: list[Standing], value_of: Statistic, *, seed: int) -> Standing:
    """The rung to ship: the best, but between a favoured one and another only a significant difference counts.

    Significant by a permutation test: where it is asked, validation rows are few.

    Args:
        standings: The rungs in the order in which they were climbed, one or more. A new one makes itself the chosen one
            or changes nothing.
        value_of: The deciding score from sums.
    """
    chosen = standings[0]
    for new in standings[1:]:
        if new.favoured == chosen.favoured:
            better = new.score > chosen.score
        elif new.favoured:
            better = not _surely_better(chosen, new, value_of, seed=seed)
        else:
            better = _surely_better(new, chosen, value_of, seed=seed)
        chosen = new if better else chosen
    return chosen


def _surely_better(one: Standing, other: Standing, value_of: Statistic, *, seed: int) -> bool:
    p_value = paired_permutation(one.stats_NK, other.stats_NK, value_of, seed=seed)
    return one.score > other.score and p_value < _SURE


def reason_to_choose(chosen: str, best: str, *, num_held_out: int) -> str:
    """Why a rung is shipped that has not the highest score; nothing if it has.

    Returns:
        A sentence, or an empty string.
    """
    if chosen == best:
        return ""
    return (
        f"{best} scored higher, but {num_held_out} rows can't tell the two apart, and {chosen} is made for few labels."
    )


def gain_over(above: Standing, below: Standing, value_of: Statistic, *, seed: int) -> PairedDifference:
    """What a rung gained over another, on the same examples.

    Args:
        value_of: The deciding score from sums.
    """
    return paired_bootstrap(above.stats_NK, below.stats_NK, value_of, seed=seed)


def cheapest_not_worse(standings: list[Standing], value_of: Statistic, *, seed: int) -> str:
    """The lowest rung that is not significantly worse than the best: its interval of the difference reaches 0.

    Args:
        standings: The rungs from shallow to deep.
        value_of: The deciding score from sums.
    """
    best = best_of(standings)
    for standing in standings:
        if standing.name == best.name:
            break
        if gain_over(best, standing, value_of, seed=seed).interval.low <= 0:
            return standing.name
    return best.name


def reason_to_stop(gain: Interval, *, over: str, worth: float, next_rung: str | None) -> str:
    """Why the climb ends after a trained rung, or nothing if it goes on.

    What counts is whether depth pays: the gain over the best rung below it that has an encoder. A shallow rung of
    another kind may still be ahead, as a CRF is on small tagged sets, without saying anything about deeper layers.

    Args:
        gain: The rung's gain over the best encoder below it.
        worth: Points that a rung must gain.
        next_rung: The rung that would come next.

    Returns:
        A sentence, or an empty string.
    """
    points = 100 * gain.value
    if next_rung is None or points >= worth:
        return ""
    return f"gained {points:+.1f} points over {over}, less than the {worth:g} that make {next_rung} worth its price"


def reason_to_go_on(gain: Interval, *, over: str, next_rung: str, reads: str) -> str:
    """Why the climb goes on although a trained rung gained little: the next one reads rows in another form.

    Args:
        gain: The rung's gain over the best encoder below it.
    """
    points = 100 * gain.value
    return f"gained {points:+.1f} points over {over}, but that says nothing of {next_rung}, which reads {reads}"


def reason_to_rest(fitted: float | None, *, rung: str, enough: float, next_rung: str | None) -> str:
    """Why the climb ends at a solved head, or nothing if it goes on: its training rows have no more to teach.

    Args:
        fitted: Its score on its own training rows; None if that says nothing.
        next_rung: The rung that would come next.

    Returns:
        A sentence, or an empty string.
    """
    if fitted is None or next_rung is None or fitted < enough or enough >= 1:
        return ""
    return f"{rung} scores {fitted:.3f} on its training rows, which leaves {next_rung} little to learn from them"


def fits(forecast: float | None, *, seconds_left: float | None) -> bool:
    """Whether a rung can be climbed in what is left of the budget; an unknown forecast fits."""
    return forecast is None or seconds_left is None or forecast <= seconds_left
