"""One bound for everything that promises: at most a share e of these answers is wrong, with confidence 1 - d.

It comes from held-out rows and from nothing else: exact binomial bounds, and where a threshold is chosen, tests in an
order that was fixed before the rows were seen (learn then test). So a promise is broken in a share d of all cases at
most, whatever the model and the data, as long as the rows to come are drawn as those were. It says nothing of rows
of another kind: whoever uses a promise watches for that (`promises.expired`). Start with `promise` and `threshold`.

Shape legend: N held-out rows, K thresholds, from the one that answers least.

Source:
    Clopper and Pearson 1934; Angelopoulos et al. 2021, Learn then Test (https://arxiv.org/abs/2110.01052).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from deepen.core.errors import SettingError
from deepen.evaluation.promises import Bound, Counted, Kind, Slice

THRESHOLDS = tuple(1 / (1 + math.exp(-at / 10)) for at in range(120, -41, -1))
"""For probabilities: even steps of their log odds, chosen once for all data, from 0.999994 down to 0.018."""
_STARTS = 4
_MOST_WRONG = 1 << 30


def upper_bound(wrong: int, rows: int, *, confidence: float = 0.95) -> float:
    """The largest share of wrong answers that still fits what was seen: one-sided, exact; 1 of no rows.

    Example:
        >>> round(upper_bound(0, 59), 4), round(upper_bound(2, 100), 4)
        (0.0495, 0.0616)
    """
    from scipy.stats import beta

    return 1.0 if wrong >= rows else float(beta.ppf(confidence, wrong + 1, rows - wrong))


def lower_bound(wrong: int, rows: int, *, confidence: float = 0.95) -> float:
    """The smallest share that still fits what was seen: one-sided, exact."""
    from scipy.stats import beta

    return 0.0 if wrong <= 0 else float(beta.ppf(1 - confidence, wrong, rows - wrong + 1))


def rows_needed(at_most: float, *, confidence: float = 0.95, share: float = 0.0) -> int | None:
    """The fewest rows that a promise of `at_most` takes, where a known `share` is wrong.

    None if no number of rows will do, since as many are wrong as may be. SettingError if `at_most` or `confidence` is
    not between 0 and 1.

    Example:
        >>> rows_needed(0.05), rows_needed(0.01), rows_needed(0.05, share=0.03), rows_needed(0.05, share=0.05)
        (59, 299, 361, None)
    """
    _check(at_most, confidence)
    if share >= at_most:
        return None
    if share <= 0:
        return _rows_for(0, at_most, confidence)
    most = _first(
        lambda wrong: wrong > _MOST_WRONG or _rows_for(wrong, at_most, confidence) * share <= wrong, above=0, guess=1
    )
    return None if most > _MOST_WRONG else _rows_for(most, at_most, confidence)


@cache
def _rows_for(wrong: int, at_most: float, confidence: float) -> int:
    """The fewest rows among which so many may be wrong."""
    guess = max(wrong + 1, int(wrong / at_most))  # fewer would have a larger share than may be
    return _first(lambda rows: upper_bound(wrong, rows, confidence=confidence) <= at_most, above=wrong, guess=guess)


def _first(is_enough: Callable[[int], bool], *, above: int, guess: int) -> int:
    """The first number that is enough, where all larger ones are."""
    low, high = above, guess
    while not is_enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def promise(wrong_N: Any, kind: Kind, *, at_most: float, confidence: float = 0.95) -> Bound:
    """Whether at most a share of answers is wrong, where every row is answered.

    `wrong_N` says whether the answer to each held-out row is wrong, in the sense of `kind`; no row may have been used
    for training or for a choice. `kept` of the result says whether the promise can be made, `why` how many rows it
    would take.
    """
    _check(at_most, confidence)
    wrong_N = np.asarray(wrong_N, bool)
    seen = _seen(wrong_N, np.ones(len(wrong_N), bool), None, "all", confidence)
    return _bound(kind, at_most, confidence, "all", seen, met=seen.upper <= at_most)


def threshold(
    scores_N: Any,
    wrong_N: Any,
    kind: Kind,
    *,
    at_most: float,
    confidence: float = 0.95,
    counted: Counted = "all",
    thresholds: Iterable[float] = THRESHOLDS,
) -> Bound:
    """The lowest threshold at which at most a share of answers is wrong.

    Rows whose score (higher is surer) is below it are not answered, or by somebody who is right by definition, such as
    the larger model that agreement is with. Of the share of `all` rows, fewer answers are never wronger, so thresholds
    are tested from the top until one fails. Of the `answered` ones, the first thresholds answer too few rows to say
    anything: the walk begins at four places, each with a quarter of d, where as many rows are answered as no wrong
    answer would take, and 2, 4 and 8 times that. This counts on surer answers being no wronger, on the whole.

    Thresholds must have been fixed without these rows; those given are for probabilities. `threshold` of the result is
    None if the promise can't be made.
    """
    _check(at_most, confidence)
    scores_N, wrong_N = np.asarray(scores_N, float), np.asarray(wrong_N, bool)
    if scores_N.shape != wrong_N.shape or scores_N.ndim != 1:
        raise SettingError(f"{len(scores_N):,} scores and {len(wrong_N):,} answers are not of the same rows")
    chosen = _lowest(scores_N, wrong_N, at_most, 1 - confidence, counted, np.unique(list(thresholds))[::-1])
    answered_N = scores_N >= (np.inf if chosen is None else chosen)
    found = _seen(wrong_N, answered_N, chosen, counted, confidence)
    bound = _bound(kind, at_most, confidence, counted, found, met=chosen is not None)
    if chosen is None and counted == "answered":
        grid = np.unique(list(thresholds))[::-1]
        return replace(bound, why=_lack_of_sure(scores_N, wrong_N, at_most, confidence, grid))
    return bound


def by_slice(
    scores_N: Any,
    wrong_N: Any,
    slices_N: Iterable[str],
    kind: Kind,
    *,
    at_most: float,
    confidence: float = 0.95,
    counted: Counted = "all",
) -> Bound:
    """As `threshold`, for each kind of rows by itself; the confidence is that none of the promises is broken.

    The thresholds are in `slices` of the result; the promise can be made if it can for each of them.
    """
    names_N = np.asarray(list(slices_N), object)
    scores_N, wrong_N = np.asarray(scores_N, float), np.asarray(wrong_N, bool)
    names = sorted(set(names_N.tolist()))
    own = 1 - (1 - confidence) / max(1, len(names))
    found = []
    for name in names:
        rows_N = names_N == name
        one = threshold(scores_N[rows_N], wrong_N[rows_N], kind, at_most=at_most, confidence=own, counted=counted)
        found.append(Slice(str(name), one.rows, one.threshold, one.coverage, one.wrong, one.upper))
    lacking = [one for one in found if one.threshold is None]
    why = f"a threshold for each of {len(found)} slices"
    if lacking:
        why = f"{_lack(at_most, own, lacking[0].wrong, lacking[0].rows)} of '{lacking[0].name}'"
        why += f", and {len(lacking) - 1} more slices" if len(lacking) > 1 else ""
    rows = sum(one.rows for one in found)
    coverage = sum(one.coverage * one.rows for one in found) / max(1, rows)
    worst = max((one.upper for one in found), default=1.0)
    total = Slice("", rows, None, coverage, sum(one.wrong for one in found), worst)
    bound = _bound(kind, at_most, confidence, counted, total, met=bool(found) and not lacking)
    return replace(bound, why=why, slices=tuple(found))


def _check(at_most: float, confidence: float) -> None:
    for name, value in (("at_most", at_most), ("confidence", confidence)):
        if not 0 < value < 1:
            raise SettingError(f"{name} is {value}: it must be a share between 0 and 1")


def _lowest(
    scores_N: np.ndarray, wrong_N: np.ndarray, at_most: float, risk: float, counted: Counted, thresholds_K: np.ndarray
) -> float | None:
    """The lowest threshold that passes, by tests in a fixed order."""
    from scipy.stats import binom

    order_N = np.argsort(-scores_N, kind="stable")
    answered_K = np.searchsorted(-scores_N[order_N], -thresholds_K, side="right")
    wrong_K = np.concatenate([[0], np.cumsum(wrong_N[order_N])])[answered_K]
    rows_K = np.full(len(thresholds_K), len(scores_N)) if counted == "all" else answered_K
    p_K = np.where(rows_K > 0, binom.cdf(wrong_K, np.maximum(rows_K, 1), at_most), 1.0)
    starts, share = [0], risk
    if counted == "answered":
        share = risk / _STARTS
        least = _rows_for(0, at_most, 1 - share)
        starts = [int(np.argmax(answered_K >= least << at)) for at in range(_STARTS) if answered_K[-1] >= least << at]
    ends = [_walk(p_K, start, share) for start in starts]
    last = max((end for end in ends if end is not None), default=None)
    return None if last is None else float(thresholds_K[last])


def _walk(p_K: np.ndarray, start: int, risk: float) -> int | None:
    """The last test that is passed, going on from `start` until one is not."""
    failed = np.flatnonzero(p_K[start:] > risk)
    end = start + int(failed[0]) if len(failed) else len(p_K)
    return end - 1 if end > start else None


def _seen(
    wrong_N: np.ndarray, answered_N: np.ndarray, chosen: float | None, counted: Counted, confidence: float
) -> Slice:
    rows, answered, wrong = len(wrong_N), int(answered_N.sum()), int((wrong_N & answered_N).sum())
    upper = upper_bound(wrong, rows if counted == "all" else answered, confidence=confidence)
    return Slice("", rows, chosen, answered / rows if rows else 0.0, wrong, upper)


def _bound(kind: Kind, at_most: float, confidence: float, counted: Counted, found: Slice, *, met: bool) -> Bound:
    of = found.rows if counted == "all" else round(found.coverage * found.rows)
    why = f"{found.wrong:,} of {of:,} rows were wrong, which fits a share of {found.upper:.3%} at most"
    return Bound(
        promise=kind,
        at_most=at_most,
        confidence=confidence,
        rows=found.rows,
        threshold=found.threshold,
        coverage=found.coverage,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        expired=False,
        why=why if met else _lack(at_most, confidence, found.wrong, found.rows),
        kept=met,
        counted=counted,
        wrong=found.wrong,
        upper=found.upper,
    )


def _lack_of_sure(
    scores_N: np.ndarray, wrong_N: np.ndarray, at_most: float, confidence: float, thresholds_K: np.ndarray
) -> str:
    """What a wish for the answered rows would take: the surest ones are too few, or too many of them are wrong."""
    own, rows = 1 - (1 - confidence) / _STARTS, len(scores_N)
    least = _rows_for(0, at_most, own)
    asked = f"for at most {at_most:.3g} at {confidence:.3g}"
    if rows < least:
        return f"{rows:,} rows are not enough {asked}: it takes {least:,} that are answered, of which none is wrong"
    last = np.sort(scores_N)[-least]
    surest_N = scores_N >= max(thresholds_K[thresholds_K <= last], default=last)
    wrong, surest = int(wrong_N[surest_N].sum()), int(surest_N.sum())
    needed = rows_needed(at_most, confidence=own, share=wrong / surest)
    takes = f"it takes {needed:,} as sure as these" if needed is not None else "no number of rows as sure would do"
    return f"{wrong:,} of the {surest:,} surest of {rows:,} rows are wrong, too many {asked}: {takes}"


def _lack(at_most: float, confidence: float, wrong: int, rows: int) -> str:
    """What a wish would take."""
    start = f"{rows:,} rows, {wrong:,} of them wrong, are not enough for at most {at_most:.3g} at {confidence:.3g}"
    least = rows_needed(at_most, confidence=confidence)
    needed = rows_needed(at_most, confidence=confidence, share=wrong / rows) if rows and wrong else least
    if needed is None:
        return f"{start}: no number of rows would do, since too many are wrong"
    same = f", or {needed:,} if as many are wrong as here" if needed != least else ""
    return f"{start}: it takes {least:,} of which none is wrong{same}"
